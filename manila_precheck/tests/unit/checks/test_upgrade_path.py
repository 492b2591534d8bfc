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
import os
import sqlite3

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing

CADENCE = (
    'https://governance.openstack.org/tc/resolutions/'
    '20220210-release-cadence-adjustment.html'
)


@ddt.ddt
class UpgradePathTest(testtools.TestCase):
    def run_check(self, **kwargs):
        site = self.useFixture(
            testing.Site(**{'source': None, 'target': None, **kwargs})
        )
        return site.run('upgrade-path')

    def result(self, *findings):
        return model.CheckResult(
            id='upgrade-path',
            title='Upgrade path',
            outcome=(
                model.Outcome.FOUND if findings else model.Outcome.PASSED
            ),
            findings=findings,
        )

    def finding(self, severity, name, message, *remediation, **kwargs):
        return model.Finding(
            'upgrade-path',
            severity,
            model.Subject('release', name),
            message,
            remediation,
            **kwargs,
        )

    @ddt.data(
        ('2024.1', '2024.2'),
        ('2024.1', '2025.1'),
        ('2024.2', '2025.1'),
        ('2025.1', '2026.1'),
        ('zed', '2023.1'),
    )
    @ddt.unpack
    def test_supported(self, source, target):
        self.assertEqual(
            self.result(), self.run_check(source=source, target=target)
        )

    @ddt.data(
        # From a SLURP release beyond the next one; the next SLURP is first.
        ('2024.1', '2025.2', '2025.1'),
        ('2024.1', '2026.1', '2025.1'),
        # From another release beyond the next one.
        ('2024.2', '2025.2', '2025.1'),
        ('2023.2', '2025.1', '2024.1'),
        ('zed', '2023.2', '2023.1'),
    )
    @ddt.unpack
    def test_too_far(self, source, target, first):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    'target',
                    f'{source} to {target} is no supported hop; from {source} '
                    f'the farthest supported step towards it is {first}',
                    model.command(
                        'manila-precheck upgrade check --target-release '
                        f'{first}'
                    ),
                    references=(CADENCE,),
                    data={
                        'source': source,
                        'target': target,
                        'next_hop': first,
                    },
                )
            ),
            self.run_check(source=source, target=target),
        )

    def test_downgrade(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    'target',
                    '2024.1 is older than 2025.1, which runs now; a downgrade '
                    'of the database is not supported',
                    model.advice('Restore a backup made with 2024.1.'),
                    data={'source': '2025.1', 'target': '2024.1'},
                )
            ),
            self.run_check(source='2025.1', target='2024.1'),
        )

    def test_same(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'target',
                    'there is nothing to cross: source and target are 2025.1',
                    aspect='same',
                )
            ),
            self.run_check(source='2025.1', target='2025.1'),
        )

    def test_assumed(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    'source',
                    'the release that runs now is not known; 2024.1 is '
                    'assumed',
                    model.advice('Say it: --source-release RELEASE'),
                    aspect='assumed',
                )
            ),
            self.run_check(target='2025.1'),
        )
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'target',
                    'no target was named; 2024.2 is assumed',
                    model.advice('Say it: --target-release RELEASE'),
                    aspect='assumed',
                )
            ),
            self.run_check(source='2024.1'),
        )

    def test_a_source_that_is_over_is_no_warning(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'source',
                    'the release that ran before the upgrade is not known; '
                    '2024.1 is assumed',
                    model.advice('Say it: --source-release RELEASE'),
                    aspect='assumed',
                )
            ),
            self.run_check(target='2025.1', stage='upgraded'),
        )

    def test_stated_source_against_the_database(self):
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'manila.sqlite')
        with sqlite3.connect(path) as database:
            database.executescript(
                'CREATE TABLE alembic_version (version_num TEXT);'
                'CREATE TABLE shares (id TEXT);'
                # The last revision of 2025.1.
                "INSERT INTO alembic_version VALUES ('0d8c8f6d54a4');"
            )
        database.close()
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    'source',
                    '--source-release says 2024.1, the database is at 2025.1; '
                    'the database is believed',
                    model.advice('Leave --source-release out, or correct it.'),
                    data={'stated': '2024.1', 'database': '2025.1'},
                    aspect='stated',
                )
            ),
            self.run_check(
                source='2024.1',
                target='2026.1',
                connection=f'sqlite:///{path}',
            ),
        )

    def test_first_install(self):
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'manila.sqlite')
        sqlite3.connect(path).close()
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'target',
                    'the database is empty: this is a first install of 2025.1',
                    aspect='first-install',
                )
            ),
            self.run_check(target='2025.1', connection=f'sqlite:///{path}'),
        )
