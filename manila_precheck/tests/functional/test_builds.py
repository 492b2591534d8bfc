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

"""What the command makes of the manila that is installed beside it.

It runs in a process of its own, with the metadata of a package on its path,
as pip would leave it.
"""

import json
import os
import re
import sqlite3
import sys

import ddt

from manila_precheck.tests.functional import test_exit_codes

_EPOXY, _GAZPACHO, _XENA = '0d8c8f6d54a4', '004e506e922e', 'fbdfabcba377'

#: Of a known release, and none is the build of the catalog.
_OTHERS = (
    '22.0.1.dev3',
    '22.0.9',
    '22.0.2+patched',
    '22.0.0.0rc1',
    '22.1.0.dev7',
    '1:22.0.2-0ubuntu1~cloud0',
    '22.1.0-18.20260801.el9ost',
)

#: Of no release that is known.
_UNKNOWN = ('24.0.0.0rc1', '24.0.0', '11.1.2', '0.0.0', 'unknown')


class Case(test_exit_codes.Case):
    def install(self, version, folder='.'):
        self.write(
            f'{folder}/manila-0.dist-info/METADATA',
            f'Metadata-Version: 2.1\nName: manila\nVersion: {version}\n',
        )

    def database(self, revision):
        """Write a database at a revision; '' for an empty one."""
        with sqlite3.connect(os.path.join(self.path, 'a.sqlite')) as database:
            if revision:
                database.executescript(
                    'CREATE TABLE alembic_version (version_num TEXT);'
                    'CREATE TABLE shares (id TEXT);'
                    f"INSERT INTO alembic_version VALUES ('{revision}')"
                )
        database.close()
        self.write(
            'manila.conf',
            f'[database]\nconnection = sqlite:///{self.path}/a.sqlite\n',
        )

    def check(self, words):
        """Run all checks: (code, headline, findings of upgrade-path)."""
        code, stdout, stderr = self.shell(
            f'--config-file manila.conf upgrade check --format json {words}'
        )
        self.assertEqual('', stderr)
        report = json.loads(stdout)
        self.assertTrue(report['whole'] or '--check' in words)
        (path,) = (
            one for one in report['checks'] if one['id'] == 'upgrade-path'
        )
        return (
            code,
            re.sub('OF [0-9]+', 'OF N', report['verdict']),
            {one['key']: one['severity'] for one in path['findings']},
        )

    def assert_refused(self, words, message):
        code, stdout, stderr = self.shell(
            f'--config-file manila.conf upgrade check {words}'
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(f'manila-precheck: error: {message}\n', stderr)


@ddt.ddt
class BuildsTest(Case):
    # Each version at each stage, and over each database.
    @ddt.data(*enumerate(('plan', 'stopped', 'upgraded')))
    @ddt.unpack
    def test_a_build_of_no_known_release_was_taken_for_none(self, turn, stage):
        for number, version in enumerate(_UNKNOWN):
            self.install(version)
            self.database(('', _EPOXY, _GAZPACHO)[(number + turn) % 3])
            self.assert_refused(
                f'--stage {stage} --fail-on never',
                f'manila {version} is installed here, but this '
                'manila-precheck knows only manila 12 (wallaby) to '
                '23 (2026.2); pass --target-release RELEASE, or upgrade '
                'manila-precheck',
            )
            os.remove(os.path.join(self.path, 'a.sqlite'))

    def test_the_target_that_is_given_counts(self):
        self.database(_EPOXY)
        for version in _UNKNOWN:
            self.install(version)
            code, headline, found = self.check('--target-release 2026.1')
            newer = version.startswith('24')
            self.assertEqual(
                {
                    'upgrade-path[manila#installed]': 'failure'
                    if newer
                    else 'warning'
                },
                found,
            )
            self.assertNotIn('READY', headline)
            self.assertIn(code, (1, 2))

    @ddt.data(*_OTHERS)
    def test_another_build_of_a_release(self, version):
        self.install(version)
        self.database(_EPOXY)
        words = '--check upgrade-path'
        build = {'upgrade-path[target#build]': 'warning'}
        code, headline, found = self.check(words)
        self.assertEqual(
            (1, 'READ FIRST, 1 OF N CHECKS', build), (code, headline, found)
        )
        _, stdout, _ = self.shell(
            f'--config-file manila.conf upgrade check {words}'
        )
        self.assertIn(
            f'2026.1 (manila {version}), from the installed manila\n', stdout
        )

    def test_one_that_cannot_be_imported(self):
        """Its facts are asked of a Python that does not find it."""
        self.install('22.0.1.dev3')
        self.database(_EPOXY)
        _, stdout, _ = self.shell(
            '--config-file manila.conf upgrade check --format json '
            '--check upgrade-path'
        )
        (check,) = (
            one
            for one in json.loads(stdout)['checks']
            if one['id'] == 'upgrade-path'
        )
        (finding,) = check['findings']
        self.assertEqual(
            'manila 22.0.1.dev3 is installed here, but this report describes '
            '2026.1 as of manila 22.0.2; differences between the two are not '
            f'checked. Its own facts could not be read: {sys.executable} '
            "cannot read its manila: ModuleNotFoundError: No module named "
            "'manila'",
            finding['message'],
        )

    @ddt.data('22.0.1', '22.0.2')
    def test_a_build_of_the_catalog(self, version):
        self.install(version)
        self.database(_EPOXY)
        self.assertEqual(
            (0, 'NO PROBLEM IN 1 OF N CHECKS', {}),
            self.check('--check upgrade-path'),
        )

    def test_a_build_that_was_named_was_nowhere(self):
        for words, side in (
            ('--source-release 20.0.9 --target-release 2026.1', 'source'),
            ('--source-release 2025.1 --target-release 22.0.9', 'target'),
        ):
            code, _, found = self.check(f'{words} --check upgrade-path')
            self.assertEqual(
                (1, {f'upgrade-path[{side}#build]': 'warning'}), (code, found)
            )

    def test_two_at_once(self):
        self.install('22.0.2', 'a')
        self.install('20.0.3', 'b')
        self.environment['PYTHONPATH'] += f':{self.path}/a:{self.path}/b'
        self.assert_refused(
            '--source-release 2025.1',
            'manila 20.0.3 and 22.0.2 is installed here, but this '
            'manila-precheck knows only manila 12 (wallaby) to 23 '
            '(2026.2); pass --target-release RELEASE, or upgrade '
            'manila-precheck',
        )

    def test_metadata_that_is_damaged(self):
        self.write('manila-22.0.2.dist-info/METADATA', '')
        self.assert_refused(
            '--source-release 2025.1',
            f'manila without a version in {os.path.realpath(self.path)} is '
            'installed here, but this manila-precheck knows only '
            'manila 12 (wallaby) to 23 (2026.2); pass --target-release '
            'RELEASE, or upgrade manila-precheck',
        )

    def test_numbers_of_red_hat_were_those_of_manila(self):
        self.assert_refused(
            '--source-release 17.1 --target-release 18.0',
            "unknown release '17.1': a version of manila has three numbers; "
            'as a number of Red Hat OpenStack it is wallaby upstream; known: '
            'manila 12 (wallaby) to 23 (2026.2)',
        )

    def test_a_path_that_a_vendor_supports(self):
        self.database(_XENA)
        words = '--target-release 2023.1 --check upgrade-path'
        path = 'wallaby:2023.1'
        for flags, environment in (
            (f'--vendor-path {path}', {}),
            ('', {'OS_MANILA_PRECHECK__VENDOR_PATH': path}),
        ):
            self.environment.update(environment)
            self.assertEqual(
                (
                    1,
                    'READ FIRST, 1 OF N CHECKS',
                    {'upgrade-path[target#vendor-path]': 'warning'},
                ),
                self.check(f'{words} --source-release wallaby {flags}'),
            )


@ddt.ddt
class ContradictionsTest(Case):
    @ddt.data(
        # An empty database is none that runs.
        ('', '--source-release 2025.1', 'stated'),
        ('', '--source-release 2025.1 --stage stopped', 'stated'),
        (_EPOXY, '--source-release 2024.1', 'stated'),
        # It is migrated already.
        (_GAZPACHO, '--source-release 2025.1 --stage stopped', 'stated'),
    )
    @ddt.unpack
    def test_a_source_against_the_database_was_ready(
        self, revision, words, aspect
    ):
        self.database(revision)
        words += ' --target-release 2026.1 --check upgrade-path'
        code, headline, found = self.check(words)
        self.assertEqual(
            (
                2,
                'DO NOT SYNC YET, 1 OF N CHECKS'
                if 'stopped' in words
                else 'DO NOT UPGRADE YET, 1 OF N CHECKS',
                {f'upgrade-path[source#{aspect}]': 'failure'},
            ),
            (code, headline, found),
        )

    @ddt.data('plan', 'stopped')
    def test_a_first_install(self, stage):
        self.database('')
        code, headline, found = self.check(
            f'--target-release 2026.1 --stage {stage} --check upgrade-path'
        )
        self.assertEqual(
            (
                0,
                'NO PROBLEM IN 1 OF N CHECKS',
                {'upgrade-path[target#first-install]': 'info'},
            ),
            (code, headline, found),
        )


@ddt.ddt
class DowngradeTest(Case):
    """A database that is newer than the target."""

    TOLD = 'the database is newer than 2025.1, which schema-revision reports'

    @ddt.data(
        # (which checks, what became of each)
        ('', {'upgrade-path': TOLD, 'schema-revision': 'failure'}),
        ('--check upgrade-path', {'upgrade-path': 'failure'}),
        ('--check schema-revision', {'schema-revision': 'failure'}),
        ('--skip schema-revision', {'upgrade-path': 'failure'}),
    )
    @ddt.unpack
    def test_it_was_told_twice(self, words, expected):
        self.database(_GAZPACHO)
        code, stdout, stderr = self.shell(
            '--config-file manila.conf upgrade check --format json '
            f'--target-release 2025.1 {words}'
        )
        found = {
            one['id']: one['reason'] or one['severity']
            for one in json.loads(stdout)['checks']
            if one['id'] in ('upgrade-path', 'schema-revision')
        }
        self.assertEqual((2, '', expected), (code, stderr, found))
