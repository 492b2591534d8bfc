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


"""Ask real releases how they read the files that upgrade fix writes.

Needs MANILA_PRECHECK_VENVS, as test_judge.py does.

Three kinds of values are not compared. If a finding says that a value changes,
it also says to what, and test_judge.py asks the releases about that. An option
that only a driver registers is unknown, before and after, if the driver cannot
be built here. A line for which a person has to choose has no value yet. Any
other option has to have the same value in the target as in the source.
"""

import difflib
import functools
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any
import unittest

import ddt
import fixtures
import testtools

from manila_precheck import testing
from manila_precheck.cmd import precheck
from manila_precheck.evidence.config import config_files
from manila_precheck.tests import venvs
from manila_precheck.tests.functional import test_fix
from qa import hops
from qa.judges import judge
from qa.judges import judge_aged
from qa.judges import judge_inputs

# The verdict on lines that nothing reads. A fix leaves lines that neither
# release reads.
_UNREAD = ('unknown',)
# Shorter secrets cannot be told from other words.
_SHORT = 6
_MARK = b'# PRECHECK: choose '


# The driver loads the same plugin for both (manila 16.3.0 and 22.0.2
# share/drivers/dell_emc/driver.py).
_PLUGINS = {'vmax': 'powermax', 'isilon': 'powerscale'}

# Neither services nor upgrade fix can read these.
_UNREADABLE = {
    'latin-1': judge_inputs.Site(
        {'manila.conf': '[DEFAULT]\n# Gr\udcf6\udcdfe\nquota_shares = 5\n'}
    ),
    'byte-order-mark': judge_inputs.Site(
        {'manila.conf': '\ufeff[DEFAULT]\nquota_shares = 5\n'}
    ),
}


@functools.cache
def _sites():
    """Return the sites written by hand, and aged versions of them."""
    found = [
        judge.ask_samples(name)
        for name in ('2023.1', hops.RELEASES[-1])
        if judge.python(name)
    ]
    aged = judge_aged.aged(judge_inputs.SITES, judge_aged.old_names(found))
    return {**judge_inputs.SITES, **aged, **_UNREADABLE}


class _Base(testtools.TestCase):
    def check_sites(self, sites, source, target):
        for release in (source, target):
            if not judge.python(release):
                self.skipTest(f'no virtual environment of {release}')
        home = self.useFixture(_Homes(sites, source, target))
        before = home.ask(source, 'before')
        wanted = {
            name: {
                one.homes[place]
                for place, (verdict, _value) in one.rows.items()
                if place in one.homes and verdict != 'invalid'
            }
            for name, one in before.items()
        }
        same = home.ask(source, 'early', wanted)
        after = home.ask(target, 'after', wanted)
        wrong = []
        for name in sorted(sites):
            wrong += [
                (name, *place)
                for place in home.sites[name].compare(
                    before[name], same[name], after[name]
                )
            ]
        self.assertEqual([], wrong)


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
@ddt.ddt
class FixTest(_Base):
    @ddt.data(*hops.HOPS)
    @ddt.unpack
    def test_the_target_reads_what_the_source_has_read(self, source, target):
        self.check_sites(_sites(), source, target)


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
class FewTest(_Base):
    def test_the_target_reads_what_the_source_has_read(self):
        sites = {
            name: judge_inputs.SITES[name]
            for name in (
                'hand-interpolation',
                'kolla-generic',
                'long-many-hands',
                'long-queens',
            )
        }
        self.check_sites({**sites, **_UNREADABLE}, *hops.MOST_COMMON)


class _Homes(fixtures.Fixture):
    """Each site, before and after the command."""

    def __init__(self, sites, source, target):
        super().__init__()
        self._given, self._source, self._target = sites, source, target
        self.sites = {}

    def _setUp(self):
        home = self.useFixture(fixtures.TempDir()).path
        for name, site in self._given.items():
            self.sites[name] = Fixed(
                site,
                self._source,
                self._target,
                os.path.join(home, name),
                site.locations,
            )

    def ask(self, release, which, wanted=None):
        return judge.ask_sites(
            release,
            {
                name: (getattr(one, which), one.locations)
                for name, one in self.sites.items()
            },
            wanted,
        )


class _Command:
    """Runs the command in a directory.

    :param words: the arguments that name the files and the upgrade.
    """

    def __init__(self, home, words):
        self._home = home
        self._words = words

    def fix(self, *flags):
        """Return the exit code, the diff, and the text on standard error."""
        data, stderr = io.BytesIO(), io.StringIO()
        stdout = io.TextIOWrapper(data, 'utf-8', write_through=True)
        before = os.getcwd()
        os.chdir(self._home)
        try:
            with (
                fixtures.MonkeyPatch('sys.stdout', stdout),
                fixtures.MonkeyPatch('sys.stderr', stderr),
                fixtures.MonkeyPatch(
                    'manila_precheck.evidence.host.service_processes.look',
                    lambda site: (),
                ),
            ):
                code = precheck.main([*self._words, *flags])
            return code, data.getvalue(), stderr.getvalue()
        finally:
            os.chdir(before)


class Fixed:
    """One site, before and after the command.

    :param home: the directory for each version of the site.
    :param locations: the files and directories that the services read.
    """

    def __init__(self, site, source, target, home, locations):
        self.locations = locations
        home = os.path.realpath(home)
        self.before = os.path.join(home, 'before')
        site.write(self.before)
        words = []
        for location in self.locations:
            kind = 'file' if location in site.files else 'dir'
            words += [f'--config-{kind}', location]
        words += ['upgrade', 'fix', '--source-release', source]
        words += ['--target-release', target]

        def made(which, *flags):
            out = os.path.join(home, f'out-{which}')
            here = _Command(self.before, words)
            answer = here.fix('--output', out, *flags)
            return os.path.join(out, self.before.lstrip('/')), answer

        self.early, (code, self.first, _said) = made(
            'early', '--for', 'source'
        )
        self.after, (self.code, self.diff, self.said) = made('after')
        self.results = self.results_left = ()
        self.problems: list[tuple[Any, ...]] = []
        if 255 in (code, self.code):
            return
        #: The results of the checks, before and after the fix.
        self.results = self._results(self.before, source, target)
        self.results_left = self._results(self.after, source, target)
        self._told = _told(self.results)
        self._left = _told(self.results_left)
        self._successors = _successors(self.results)
        again = _Command(self.after, words).fix()
        if again[1]:
            self.problems.append(('a second run changes', again[1]))
        self._look_at_files()
        self._patch(home)

    def _results(self, path, source, target):
        files = {
            name: pathlib.Path(path, name)
            .read_bytes()
            .decode(errors='surrogateescape')
            for name in contents(path)
        }
        with testing.Site(
            files=files,
            source=source,
            target=target,
            locations=self.locations,
        ) as made:
            return test_fix.results_of(made.context())

    def _look_at_files(self):
        """Note every line that is lost, neither kept nor commented out."""
        # Hidden files and subdirectories of a policy directory are not read,
        # so the result does not contain them.
        before = {
            name: content
            for name, content in contents(self.before).items()
            if not re.search(r'\.d/(\..+|.+/.+)', name)
        }
        for root in (self.early, self.after):
            after = contents(root)
            if before.keys() - after.keys():
                self.problems.append(
                    (root, sorted(before.keys() - after.keys()))
                )
            for name in before.keys() & after.keys():
                rules = _rules_of(before[name])
                if rules is not None and before[name] != after[name]:
                    # JSON has no comments, so it is rewritten as YAML.
                    lost = rules - _rules_of_lines(after[name])
                    if lost:
                        self.problems.append((root, name, sorted(lost)))
                    continue
                lines = before[name].splitlines(keepends=True)
                kept = after[name].splitlines(keepends=True)
                if lines and not lines[-1].endswith(b'\n'):
                    kept += [
                        lines[-1]
                        for end in (b'\n', b'\r\n')
                        for mark in (b'', b'# ')
                        if mark + lines[-1] + end in kept
                    ]
                lost = test_fix.not_kept(lines, kept)
                if lost is not None:
                    self.problems.append((root, name, lost))
                mode = pathlib.Path(root, name).stat().st_mode
                if mode & 0o777 != 0o600:
                    self.problems.append((root, name, oct(mode)))

    def _patch(self, home):
        """Note where patch and --output make different files."""
        patched = os.path.join(home, 'patched')
        shutil.copytree(self.before, patched)
        if not self.diff:
            if contents(patched) != contents(self.after) and (
                'the diff is empty' not in self.said
            ):
                self.problems.append(('no diff', self.said))
            return
        done = subprocess.run(
            ['patch', '-p0', '--fuzz=0'],
            cwd=patched,
            input=self.diff,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            self.problems.append(('patch', done.stdout))
            return
        found = re.search(r'(\d+) changes? holds? a secret', self.said)
        left = int(found[1]) if found else 0
        found = contents(patched)
        differ = 0
        for name, content in contents(self.after).items():
            # Split into lines as patch does.
            one, other = (
                re.findall(rb'[^\n]*\n|[^\n]+', text)
                for text in (found.get(name, b''), content)
            )
            matcher = difflib.SequenceMatcher(None, one, other, False)
            differ += sum(
                tag != 'equal' for tag, *_places in matcher.get_opcodes()
            )
        if differ > left:
            self.problems.append(('patched otherwise', differ, left))

    def secrets_shown(self, before):
        """Yield the secrets of the source that appear in a diff."""
        secrets = set()
        others = set()
        for place, (_verdict, value) in before.rows.items():
            into = secrets if place in before.secrets else others
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, str):
                    into.add(one)
                    # The password in a URL is a secret by itself.
                    into.update(re.findall(r'://[^/@:]*:([^/@]+)@', one))
        for secret in secrets - others:
            if len(secret) >= _SHORT and any(
                secret.encode() in diff for diff in (self.first, self.diff)
            ):
                yield secret

    def compare(self, before, same, after):
        """Yield what the real releases see differently, and all problems."""
        if self.code == 255 or before.broken:
            if not (self.code == 255 and before.broken):
                yield ('read by one alone', self.said, before.broken)
            return
        yield from self.problems
        for secret in self.secrets_shown(before):
            yield ('shown', secret)
        for place, (verdict, _value) in sorted(after.rows.items()):
            if verdict in ('invalid', 'old name'):
                name = '/'.join(place)
                if not (
                    self._is_marked(place)
                    or ('known', 'renamed', name) in judge.EXPLAINED
                ):
                    yield (place, verdict)
            elif verdict in _UNREAD and place not in self._left:
                was = before.rows.get(place, ('unknown', None))[0]
                if was not in _UNREAD:
                    yield (place, verdict, was)
        yield from self._values(before, same, after)

    def _values(self, before, same, after):
        """Yield the options whose value has changed."""
        for place, (verdict, value) in sorted(before.rows.items()):
            home = before.homes.get(place)
            if home is None or verdict == 'invalid':
                continue
            if home[1] in ('share_driver', 'scheduler_driver'):
                value = before.moved.get(value, value)
            if home[1] == 'emc_share_backend':
                plugin = _PLUGINS.get(value, value)
            else:
                plugin = value
            early = same.wanted[home]
            if early[0] == 'invalid' or early[1] not in (value, plugin):
                yield ('early', place, home, value, early)
            if home[1] != 'emc_share_backend' and (
                place in self._told or home in self._told
            ):
                continue
            successor = after.rows.get(
                self._successors.get(home), (None, None)
            )
            if _plain(successor[1]) == _plain(value):
                continue
            found = after.wanted[home]
            if found[0] == 'unknown' and place[0] in after.errors:
                # Its driver could not be built, so nothing registers it.
                continue
            if found[0] == 'unknown' or _plain(found[1]) not in (
                _plain(value),
                _plain(plugin),
                # A single value may have become a list.
                [value],
            ):
                yield ('after', place, home, value, found)

    def _is_marked(self, place):
        """Say whether a comment right above a line asks for a choice."""
        group, name = place
        for content in contents(self.after).values():
            section, marked = '', False
            for line in re.split(rb'[\r\n]+', content):
                if line.startswith(b'['):
                    section = line.strip()[1:-1].decode()
                elif line.startswith(_MARK):
                    marked = True
                    continue
                elif (
                    marked
                    and config_files.normalize(section) == group
                    and re.split(rb'[=:]', line)[0].strip() == name.encode()
                ):
                    return True
                marked = False
        return False


def contents(root):
    """Return the content of each file below a directory, by its path there."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(pathlib.Path(root).rglob('*'))
        if path.is_file()
    }


def _rules_of(content):
    """Return the rules of a policy file in JSON; None if it is not JSON."""
    if content[:1] != b'{':
        return None
    try:
        return set(json.loads(content))
    except ValueError:
        return None


def _rules_of_lines(content):
    """Return the rules in YAML with one per line, even commented out."""
    return {
        found[1]
        for found in re.finditer(
            r'^\s*(?:# )*\s*"?([\w:.-]+)"?\s*:', content.decode(), re.MULTILINE
        )
    }


def _successors(results):
    """Return the options that are also a name of another, which has its value.

    :returns: {the option: the other one}, each as (group, name).
    """
    return {
        tuple(f.subject.name.split('/')): (edit.section, edit.name)
        for result in results
        for f in result.findings
        for step in f.remediation
        for edit in step.edits
        if edit.action == 'move'
    }


def _told(results):
    """Return the options whose values change according to a finding.

    A new name alone is no change.
    """
    return {
        (config_files.normalize(edit.section), edit.name)
        for result in results
        for finding in result.findings
        if 'move' not in test_fix.actions_of(finding)
        for step in finding.remediation
        for edit in step.edits
    }


def _plain(value):
    """Return a value in a form that can be compared across releases.

    A list of name=value in one release may be a mapping in the other.
    """
    if isinstance(value, dict):
        return sorted(f'{name}={item}' for name, item in value.items())
    return sorted(map(str, value)) if isinstance(value, list) else value
