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

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing


@ddt.ddt
class InstalledPackagesTest(testtools.TestCase):
    def run_check(self, **kwargs):
        site = self.useFixture(
            testing.Site(
                **{
                    'source': '2025.1',
                    'target': '2026.1',
                    'python': (3, 10),
                    **kwargs,
                }
            )
        )
        return site.run('installed-packages')

    def result(self, *findings, outcome=None, reason=''):
        return model.CheckResult(
            id='installed-packages',
            title='Installed packages',
            outcome=outcome
            or (model.Outcome.FOUND if findings else model.Outcome.PASSED),
            reason=reason,
            findings=findings,
        )

    def old_manila(self, version, source='2025.1', latest='20.0.3'):
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('package', 'manila'),
            f'manila {version} is installed here, but the latest point '
            f'release of {source} is {latest}; the upgrade runs without the '
            'fixes between them',
            (
                model.advice(
                    'Before the upgrade, update manila to the latest point '
                    f'release of {source} the way it was installed: with '
                    'distribution packages, a new image, or pip.'
                ),
                model.command(f'pip install --upgrade manila=={latest}'),
            ),
            check_id='installed-packages',
            data={'installed': version, 'latest': latest},
        )

    def old_python(self, severity, message, here='3.9'):
        return model.Finding(
            severity,
            model.Subject('package', 'python'),
            message,
            (
                model.advice(
                    'Run the services of 2026.1 on Python 3.10 or newer: use '
                    'a newer distribution or image, or create their '
                    'environment with a newer interpreter.'
                ),
            ),
            ('manila 22.0.2 requires-python',),
            check_id='installed-packages',
            data={'installed': here, 'needed': '3.10'},
        )

    @ddt.data(
        '20.0.3',
        '20.0.3.post1',
        '20.0.3+deb1',
        '20.0.4',
        '20.1.0',
        '1!20.0.3',
        # The packages of the target are there already.
        '22.0.0',
    )
    def test_up_to_date(self, version):
        self.assertEqual(self.result(), self.run_check(installed=version))

    @ddt.data(
        '20.0.2',
        '20.0.0',
        '20.0',
        '20.0.3.dev4',
        '20.0.3rc1',
        '20.0.0.0rc1',
        # The environment of a release before the source.
        '19.1.1',
    )
    def test_behind(self, version):
        self.assertEqual(
            self.result(self.old_manila(version)),
            self.run_check(installed=version),
        )

    @ddt.data(
        ('2024.1', '2025.1', '18.2.1', '18.3.0'),
        ('2026.1', '2026.2', '22.0.1', '22.0.2'),
    )
    @ddt.unpack
    def test_behind_the_source_of_another_upgrade(
        self, source, target, version, latest
    ):
        self.assertEqual(
            self.result(self.old_manila(version, source, latest)),
            self.run_check(source=source, target=target, installed=version),
        )

    def test_not_installed(self):
        self.assertEqual(
            self.result(
                outcome=model.Outcome.NOT_APPLICABLE,
                reason='manila is not installed in this environment',
            ),
            self.run_check(),
        )

    def test_python_too_old(self):
        self.assertEqual(
            self.result(
                self.old_python(
                    model.Severity.FAILURE,
                    'manila is installed here on Python 3.9, but 2026.1 '
                    'requires 3.10 or newer; its packages cannot be '
                    'installed there',
                )
            ),
            self.run_check(installed='20.0.3', python=(3, 9)),
        )

    def test_python_too_old_and_manila_behind(self):
        self.assertEqual(
            self.result(
                self.old_python(
                    model.Severity.FAILURE,
                    'manila is installed here on Python 3.8, but 2026.1 '
                    'requires 3.10 or newer; its packages cannot be '
                    'installed there',
                    here='3.8',
                ),
                self.old_manila('20.0.1'),
            ),
            self.run_check(installed='20.0.1', python=(3, 8)),
        )

    def test_python_too_old_without_manila(self):
        self.assertEqual(
            self.result(
                self.old_python(
                    model.Severity.INFO,
                    'this environment has Python 3.9, but 2026.1 requires '
                    '3.10 or newer; manila is not installed here',
                )
            ),
            self.run_check(python=(3, 9)),
        )

    @ddt.data(
        # 2025.1 dropped 3.8, 2025.2 dropped 3.9.
        ('2024.1', '2025.1', '18.3.0', (3, 9), True),
        ('2024.1', '2025.1', '18.3.0', (3, 8), False),
        ('2025.1', '2025.2', '20.0.3', (3, 10), True),
        ('2025.1', '2025.2', '20.0.3', (3, 9), False),
        ('2026.1', '2026.2', '22.0.2', (3, 13), True),
    )
    @ddt.unpack
    def test_what_a_target_needs(self, source, target, version, python, fine):
        result = self.run_check(
            source=source, target=target, installed=version, python=python
        )
        self.assertEqual(
            model.Outcome.PASSED if fine else model.Outcome.FOUND,
            result.outcome,
        )

    def test_stopped_the_source_is_brought_up_to_date_no_more(self):
        self.assertEqual(
            self.result(), self.run_check(stage='stopped', installed='20.0.1')
        )

    def test_stopped_python_too_old(self):
        old = {'installed': '20.0.3', 'python': (3, 9)}
        found = self.run_check(**old)
        self.assertEqual(model.Severity.FAILURE, found.severity)
        self.assertEqual(found, self.run_check(stage='stopped', **old))

    def test_the_new_services_were_started(self):
        self.assertEqual(
            self.result(
                outcome=model.Outcome.NOT_APPLICABLE,
                reason='it does not run at stage upgraded',
            ),
            self.run_check(stage='upgraded', installed='20.0.1'),
        )

    def test_a_version_that_is_none(self):
        self.assertEqual(
            self.result(
                outcome=model.Outcome.ERROR,
                reason="the installed manila has the version 'unknown', "
                'which is not valid',
            ),
            self.run_check(installed='unknown'),
        )
