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

from acme_precheck import pool_names
import testtools

from manila_precheck import model
from manila_precheck import testing

CONF = '''[DEFAULT]
enabled_share_backends = acme,lvm
[acme]
share_driver = acme.manila.driver.AcmeShareDriver
acme_pool = {pool}
[lvm]
share_driver = manila.share.drivers.lvm.LVMShareDriver
acme_pool = of another driver
[off]
share_driver = acme.manila.driver.AcmeShareDriver
acme_pool = not enabled
'''


class AcmePoolNamesTest(testtools.TestCase):
    def run_check(self, pool, **kwargs):
        self.site = self.useFixture(
            testing.Site(
                CONF.format(pool=pool),
                **{'source': '2025.1', 'target': '2026.1', **kwargs},
            )
        )
        return self.site.run('acme-pool-names')

    def finding(self, severity, message, remediation, aspect):
        return model.Finding(
            severity,
            model.Subject('backend', 'acme', self.site.file('manila.conf'), 5),
            message,
            remediation,
            check_id='acme-pool-names',
            aspect=aspect,
        )

    def test_a_space(self):
        result = self.run_check('pool one')
        self.assertEqual(
            (
                self.finding(
                    model.Severity.FAILURE,
                    '[acme] acme_pool = pool one: the driver for 2026.1 does '
                    'not find a pool whose name holds a space',
                    (
                        model.advice('Rename the pool to pool-one, then:'),
                        model.config('[acme]\nacme_pool = pool-one'),
                    ),
                    'space',
                ),
            ),
            result.findings,
        )

    def test_what_the_finding_says_to_write_is_fine(self):
        result = self.run_check('pool-one')
        self.assertEqual(
            (model.Outcome.PASSED, ()), (result.outcome, result.findings)
        )

    def test_too_long(self):
        result = self.run_check(
            'p' * 9, check_options={'acme-pool-names': {'longest_name': 8}}
        )
        self.assertEqual(
            (
                self.finding(
                    model.Severity.WARNING,
                    '[acme] acme_pool has 9 characters, more than 8',
                    (model.advice('Give the pool a shorter name.'),),
                    'length',
                ),
            ),
            result.findings,
        )

    def test_an_upgrade_that_does_not_cross_the_release(self):
        result = self.run_check('pool one', source='2024.1', target='2025.1')
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)

    def test_it_is_the_class_of_this_package(self):
        result = self.run_check('pool one')
        self.assertEqual(pool_names.AcmePoolNames.title, result.title)
