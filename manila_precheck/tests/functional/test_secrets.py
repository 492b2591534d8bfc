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
"""No planted secret in anything that the command prints.

Every site of the judge has a secret of its own in each place that can hold
one, and is run through the whole command: every check, in every format, with
its debug log; with the value as it is, with what its type refuses, and with
the file malformed in that line.
"""

import contextlib
import io
import json
import logging
import os
import re

import ddt
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck.cmd import precheck
from manila_precheck.tests.functional import judge_inputs

PAIRS = (
    ('2023.1', '2024.1'),
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2025.2', '2026.1'),
    ('2026.1', '2026.2'),
)
FORMATS = (
    ('--format', 'table'),
    ('--format', 'json'),
    ('--json',),
)
#: What every planted value begins with; no other text has it.
MARK = 'plnt3d'

# Written apart from the words that the program itself looks for.
_HOLDS_ONE = re.compile(
    r'pass(word|wd|code|phrase)|secret|_token$|^token$|_pw$|api_key'
    r'|hmac|^flashblade_api$|_auth_key',
    re.I,
)
_URL = re.compile(r'(\w[\w+.-]*://[^\s:/@]*):[^\s/@]+@')
_ASSIGNMENT = re.compile(r'^([\w.-]+)(\s*[=:]\s*)(.*)$')


class Planter:
    """Puts secrets into the text of a configuration file."""

    def __init__(self):
        self._marked = catalog.Catalog().secrets
        self.count = 0

    def secret(self):
        """Return a new one, with what URLs and templates trip over."""
        self.count += 1
        return f'{MARK}{self.count:04d}Zq'

    def text(self, text, bad=''):
        """Return a file with a secret in each place that can hold one.

        :param bad: what to put behind each, for oslo.config to refuse it.
        """
        lines = []
        for line in text.splitlines():
            line = _URL.sub(lambda m: f'{m[1]}:{self.secret()}{bad}@', line)
            found = _ASSIGNMENT.match(line)
            if found and found[1].lower().endswith('connection'):
                # No server, and no waiting for one.
                line = re.sub('@[^/]*/', '@127.0.0.1:1/', line)
            if found and MARK not in line:
                name, sign, _value = found.groups()
                if name in self._marked or _HOLDS_ONE.search(name):
                    line = f'{name}{sign}{self.secret()}{bad}'
            lines.append(line)
        return '\n'.join(lines) + '\n'


class Command(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.home = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.home))
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_DATABASE__CONNECTION',
                f'mysql+pymysql://u:{MARK}Env1@127.0.0.1:1/manila',
            )
        )
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_KEYSTONE_AUTHTOKEN__PASSWORD', f'{MARK}Env2'
            )
        )
        self.planter = Planter()
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.setLevel, level)

    def run_command(self, site, source, target, *words):
        """Run the command over a site; return what it says, log and all."""
        where = os.path.join(self.home, 'site')
        site.write(where)
        argv = ['--debug']
        for location in site.locations:
            path = os.path.join(where, location)
            flag = 'dir' if os.path.isdir(path) else 'file'
            argv += [f'--config-{flag}', path]
        argv += ['upgrade', 'check', '--source-release', source]
        argv += ['--target-release', target, *words]
        said = io.StringIO()
        handler = logging.StreamHandler(said)
        handler.setLevel(logging.DEBUG)
        logging.getLogger().addHandler(handler)
        try:
            with contextlib.redirect_stdout(said):
                with contextlib.redirect_stderr(said):
                    code = precheck.main(argv)
        finally:
            logging.getLogger().removeHandler(handler)
        return code, said.getvalue()

    def assert_silent(self, said):
        leaks = [line for line in said.splitlines() if MARK in line]
        self.assertEqual([], leaks)


class PlantedSite(judge_inputs.Site):
    """A site with a policy file, which is not read as configuration."""

    @property
    def locations(self):
        found = super().locations
        return tuple(name for name in found if 'policy.' not in name)


@ddt.ddt
class SecretsTest(Command):
    def planted(self, site, bad=''):
        files = {
            name: self.planter.text(text, bad)
            for name, text in site.files.items()
        }
        return PlantedSite(files)

    @ddt.data(*sorted(judge_inputs.SITES))
    def test_no_secret_is_shown(self, name):
        site = self.planted(judge_inputs.SITES[name])
        self.assertNotEqual(site.files, judge_inputs.SITES[name].files)
        for number, (source, target) in enumerate(PAIRS):
            words = FORMATS[number % len(FORMATS)]
            code, said = self.run_command(site, source, target, *words)
            self.assertIn(code, (0, 1, 2), said[-500:])
            self.assert_silent(said)

    @ddt.data(*FORMATS)
    def test_no_secret_is_shown_in_any_format(self, words):
        for name in ('puppet-tripleo-netapp', 'rhoso-netapp'):
            site = self.planted(judge_inputs.SITES[name])
            _code, said = self.run_command(site, '2025.1', '2026.1', *words)
            self.assert_silent(said)
            if words != ('--format', 'table'):
                report = said[said.index('{') : said.rindex('}') + 1]
                self.assertIn('checks', report)

    @ddt.data(*sorted(judge_inputs.SITES))
    def test_no_refused_secret_is_shown(self, name):
        site = self.planted(judge_inputs.SITES[name], '$nobody.$')
        _code, said = self.run_command(site, '2025.1', '2026.1')
        self.assert_silent(said)

    @ddt.data(*sorted(judge_inputs.SITES))
    def test_no_secret_of_a_wrong_type_is_shown(self, name):
        # A password pasted into every line there is, of whatever type.
        site = judge_inputs.SITES[name]
        for file, text in site.files.items():
            for line in text.splitlines():
                found = _ASSIGNMENT.match(line)
                if found and _HOLDS_ONE.search(found[1]):
                    name, sign, _value = found.groups()
                    broken = text.replace(
                        line, f'{name}{sign}{self.planter.secret()}\n{name}'
                    )
                    files = {**site.files, file: broken}
                    self._malformed(files)
                    broken = text.replace(line, f'[{self.planter.secret()}')
                    self._malformed({**site.files, file: broken})
                    break

    def _malformed(self, files):
        planted = PlantedSite(files)
        code, said = self.run_command(planted, '2025.1', '2026.1')
        self.assertEqual(255, code)
        self.assert_silent(said)
        self.assertRegex(said, r'\.conf:\d+: ')


class PolicyFilesTest(Command):
    def test_no_secret_of_a_url_in_a_policy_file(self):
        # 2026.1 drops the file, and the lines to write instead are shown.
        url = f'https://u:{self.planter.secret()}@h/%(x)s'
        query = f'http://h:80/?a=b&token={self.planter.secret()}'
        rules = {
            'share:create': url,
            'share:delete': f'role:a or {query}',
            'share:get': f'not {url}?password={self.planter.secret()}',
        }
        site = PlantedSite(
            {'manila.conf': '[DEFAULT]\n', 'policy.json': json.dumps(rules)}
        )
        for words in FORMATS:
            _code, said = self.run_command(site, '2025.1', '2026.1', *words)
            self.assert_silent(said)
            self.assertIn('https://u:***@h/%(x)s', said)
            self.assertIn('token=***', said)

    def test_no_secret_of_a_policy_file_that_cannot_be_read(self):
        for text in (
            f'"a": "{self.planter.secret()}\n',
            f'password: {self.planter.secret()}: {self.planter.secret()}\n',
            f'- {self.planter.secret()}\n',
        ):
            site = PlantedSite(
                {
                    'manila.conf': (
                        '[oslo_policy]\npolicy_file = policy.yaml\n'
                    ),
                    'policy.yaml': text,
                }
            )
            _code, said = self.run_command(site, '2025.1', '2026.1')
            self.assert_silent(said)
