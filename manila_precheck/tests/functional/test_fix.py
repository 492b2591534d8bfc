# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.
"""upgrade fix on the sites that the judges have, and on the demo."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import ddt
import fixtures
import testtools

from manila_precheck import cmd
from manila_precheck import testing
from manila_precheck.act import changes
from manila_precheck.act import fix
from manila_precheck.act import overlay
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from qa.judges import judge_inputs

PAIRS = (
    ('2023.1', '2024.1'),
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2025.2', '2026.1'),
    ('2026.1', '2026.2'),
)
# They decide which other options are read.
_LOADING = ('emc_share_backend', 'share_driver')
_DEMO = pathlib.Path(__file__).parents[3] / 'etc' / 'manila-precheck' / 'demo'


def _entries():
    return [e for e in registry.checks() if e.result_id in fix.CHECKS]


def fixed_of(ctx, wanted=lambda finding: True, remove=False):
    """Return what upgrade fix makes of the site of a context."""
    return fix.fix(ctx, _entries(), wanted, remove)


def over(ctx, fixed, which):
    """Return a context over the files as they became."""
    contents = {
        ctx.site.realpath(file.path): getattr(file, which)
        for file in fixed.files
        if getattr(file, which) is not None
    }
    return ctx.over(overlay.Overlay(ctx.site, contents))


def actions_of(finding):
    return {edit.action for step in finding.remediation for edit in step.edits}


def results_of(ctx):
    """Return what the checks say of the files as they are."""
    return runner.run(_entries(), ctx.over(ctx.site), masked=False)


def told_by(results):
    """Return the options of which a finding says that they change."""
    return {
        (config_files.normalize(edit.section), edit.name)
        for result in results
        for finding in result.findings
        for step in finding.remediation
        for edit in step.edits
        if edit.action in ('set', 'add', 'comment')
        and 'move' not in actions_of(finding)
    }


def not_kept(before, after):
    """Return the first line that is neither there nor commented out."""
    rest = iter(after)
    for line in before:
        if not any(new in (line, b'# ' + line) for new in rest):
            return line
    return None


def _value(reader, group, name):
    try:
        return reader.get(group, name)
    except config_reader.Refused:
        return 'refused'


def values_of(ctx, release):
    """Return what a release reads of the options that the files set."""
    reader = ctx.reader(release)
    found = {}
    for setting in ctx.config.settings:
        now = reader.of(setting)
        if now.read and now.option is not None:
            name = now.group, now.option.name
            found[name] = _value(reader, *name)
            if now.option.name == 'share_driver':
                # By whatever path.
                found[name] = reader.driver(now.group)
            elif now.option.name == 'emc_share_backend':
                # By whatever name, and 'refused' when there is none.
                plugin = reader.plugin(now.group)
                known = reader.has_plugin(now.group)
                found[name] = plugin if known else 'refused'
    return found


def texts_of(ctx, release):
    """Return the lines from which a release takes the options."""
    reader = ctx.reader(release)
    found = {}
    for setting in ctx.config.settings:
        now = reader.of(setting)
        if now.read and now.option is not None:
            lines = reader.effective(setting)
            found[now.group, now.option.name] = [s.value for s in lines]
    return found


def differences(before, after):
    """Return what is not the same: (before, after) by name."""
    return {
        name: (before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


@ddt.ddt
class JudgeSitesTest(testtools.TestCase):
    # Each of them once; qa has all pairs.
    @ddt.data(
        *(
            (name, *PAIRS[place % len(PAIRS)])
            for place, name in enumerate(sorted(judge_inputs.SITES))
        )
    )
    @ddt.unpack
    def test_a_site(self, name, source, target):
        self._try(judge_inputs.SITES[name], source, target)

    def _try(self, site, source, target):
        ctx = self.useFixture(
            testing.Site(
                files=site.files,
                locations=site.locations,
                source=source,
                target=target,
            )
        ).context()
        told = told_by(results_of(ctx))
        fixed = fixed_of(ctx)
        self._require_nothing_left(fixed)
        for file in fixed.files:
            before = (file.before or b'').splitlines(keepends=True)
            for text in (file.early, file.after):
                kept = text.splitlines(keepends=True)
                if before and not before[-1].endswith(b'\n'):
                    kept += [
                        before[-1]
                        for end in (b'\n', b'\r\n')
                        if before[-1] + end in kept
                    ]
                self.assertIsNone(not_kept(before, kept), file.path)
        early, after = over(ctx, fixed, 'early'), over(ctx, fixed, 'after')
        release = ctx.upgrade.source
        # What is rolled out before is the same to the source.
        changed = differences(
            values_of(ctx, release), values_of(early, release)
        )
        # What it refuses keeps it from starting: it may get a value, and what
        # a plugin reads that was not loaded.
        refused = {o for o, v in changed.items() if v[0] == 'refused'}
        idle = {group for group, name in refused if name in _LOADING}
        self.assertEqual(
            {},
            {
                option: values
                for option, values in changed.items()
                if option not in refused and option[0] not in idle
            },
        )
        # What the target reads is what the source has read.
        now = texts_of(ctx, release)
        then = texts_of(after, ctx.upgrade.target)
        for option in sorted(now.keys() & then.keys()):
            if option not in told:
                self.assertEqual(now[option], then[option], option)
        # A second run changes nothing.
        self.assertEqual(0, fixed_of(after).changed)

    def _require_nothing_left(self, fixed):
        for result in fixed.results:
            for finding in result.findings:
                left = actions_of(finding) - {'choose'}
                self.assertEqual(set(), left, finding.key)
                if actions_of(finding):
                    # It is marked where it stands.
                    key = changes.reason_of(finding.key)
                    self.assertTrue(
                        any(
                            f'[{key}]'.encode() in (file.after or b'')
                            for file in fixed.files
                        ),
                        finding.key,
                    )


class DemoTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.site = os.path.join(self.useFixture(fixtures.TempDir()).path, 'd')
        shutil.copytree(_DEMO, self.site)

    def run_command(self, *words):
        """Return the exit code, the diff and what was said of it."""
        done = subprocess.run(
            [
                os.path.join(os.path.dirname(sys.executable), cmd.PROG),
                '--config-file',
                'manila.conf',
                '--config-dir',
                'manila.conf.d',
                'upgrade',
                *words,
                '--source-release',
                '2025.1',
                '--target-release',
                '2026.1',
            ],
            cwd=self.site,
            capture_output=True,
        )
        return done.returncode, done.stdout, done.stderr.decode()

    def patch(self, diff):
        done = subprocess.run(
            ['patch', '-p0', '--fuzz=0'],
            cwd=self.site,
            input=diff,
            capture_output=True,
        )
        self.assertEqual(0, done.returncode, done.stdout)

    def contents(self, root):
        return {
            path.relative_to(root): path.read_bytes()
            for path in sorted(pathlib.Path(root).rglob('*'))
            if path.is_file()
        }

    def test_what_is_left_of_the_demo(self):
        output = os.path.join(self.site, '..', 'out')
        code, diff, said = self.run_command('fix', '--output', output)
        self.assertEqual(2, code, said)
        self.assertNotIn(b'not-a-password', diff)
        self.patch(diff)
        real = os.path.realpath(self.site)
        files = self.contents(os.path.join(output, real.lstrip('/')))
        self.assertEqual(self.contents(self.site).keys(), files.keys())
        self.assertEqual(self.contents(self.site), files)
        for path in pathlib.Path(output).rglob('*.*'):
            if path.is_file():
                self.assertEqual(0o600, path.stat().st_mode & 0o777)
        # A second run has nothing to say.
        code, diff, said = self.run_command('fix')
        self.assertEqual((2, b''), (code, diff))
        # The driver is no manila's: a person has to choose another.
        code, report, said = self.run_command('check', '--format', 'json')
        self.assertEqual(
            ['backend-drivers[archive1#driver]'],
            [
                finding['key']
                for check in json.loads(report)['checks']
                for finding in check['findings']
                if finding['severity'] == 'failure'
            ],
        )

    def test_two_parts(self):
        _code, early, _said = self.run_command('fix', '--for', 'source')
        _code, late, _said = self.run_command('fix', '--for', 'target')
        _code, whole, _said = self.run_command('fix')
        self.assertEqual(whole, early + late)
        self.patch(early)
        self.assertEqual(b'', self.run_command('fix', '--for', 'source')[1])
        self.assertEqual(late, self.run_command('fix')[1])
        self.patch(late)
        self.assertEqual(b'', self.run_command('fix')[1])

    def test_files_belong_to_whom_they_belonged(self):
        if os.geteuid():
            self.skipTest('only root gives files away')
        for path in pathlib.Path(self.site).rglob('*'):
            os.chown(path, 12345, 23456)
        os.chown(os.path.join(self.site, 'policy.yaml'), 0, 34567)
        output = os.path.join(self.site, '..', 'out')
        self.run_command('fix', '--output', output)
        real = os.path.realpath(self.site).lstrip('/')
        found = {}
        for path in pathlib.Path(output, real).rglob('*'):
            info = path.stat()
            if path.is_file():
                found[path.name] = (info.st_uid, info.st_gid)
                self.assertEqual(0o600, info.st_mode & 0o777)
        self.assertEqual((0, 34567), found.pop('policy.yaml'))
        self.assertEqual({(12345, 23456)}, set(found.values()))

    def test_a_directory_that_is_in_use(self):
        code, diff, said = self.run_command('fix', '--output', self.site)
        self.assertEqual((255, b''), (code, diff))
        self.assertIn('the directory is not empty', said)

    def test_one_key(self):
        code, diff, _said = self.run_command(
            'fix', '--key', 'config-options[DEFAULT/quota_*]'
        )
        self.assertEqual(0, code)
        self.assertEqual(
            [b'+shares = 200'],
            [
                line
                for line in diff.splitlines()
                if line[:1] == b'+' and line[:2] not in (b'++', b'+#')
            ],
        )
