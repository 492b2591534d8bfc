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

"""Code that the tests of the check backend-drivers share."""

import os
import textwrap

import fixtures

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import databases

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

DRIVERS = 'manila.share.drivers.'
CEPHFS = DRIVERS + 'cephfs.driver.CephFSDriver'
EMC = DRIVERS + 'dell_emc.driver.EMCShareDriver'
GENERIC = DRIVERS + 'generic.GenericShareDriver'
GLUSTER = DRIVERS + 'glusterfs.GlusterfsShareDriver'
NETAPP = DRIVERS + 'netapp.common.NetAppDriver'
THREE_PAR = DRIVERS + 'hpe.hpe_3par_driver.HPE3ParShareDriver'

DOC = 'manila doc/source/configuration/shared-file-systems/drivers/'

DECLARE = (
    model.advice(
        'Compare the versions yourself, or declare the version in the '
        'inventory:'
    ),
    model.config(
        '[manila_precheck_backend_drivers]\n'
        'storage_inventory = /etc/manila-precheck/storage-inventory.yaml'
    ),
)


def section(name, *lines):
    return '\n'.join([f'[{name}]', *lines, ''])


def enabled(*sections, names='a'):
    """Return a file that enables back ends; section a starts on line 3."""
    return f'[DEFAULT]\nenabled_share_backends = {names}\n' + ''.join(sections)


def back_end(driver, *lines, name='a'):
    """Return a file with one back end, whose driver is on line 4."""
    return enabled(
        section(
            name,
            f'share_driver = {driver}',
            'driver_handles_share_servers = False',
            *lines,
        ),
        names=name,
    )


class BackendDrivers(databases.Scenarios):
    """Base of the tests: runs the check, and compares its findings."""

    def write(self, name, text):
        """Write a file beside the site, and return its path."""
        if not hasattr(self, 'path'):
            self.path = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(textwrap.dedent(text))
        return path

    def run_check(
        self, conf, source='2024.1', target='2025.1', own=None, **kwargs
    ):
        """Run the check, and return its result.

        :param own: the check's own options.
        """
        self.site = self.useFixture(
            testing.Site(
                conf,
                source=source,
                target=target,
                check_options={'backend-drivers': own or {}},
                **kwargs,
            )
        )
        context = self.site.context()
        result = self.site.run('backend-drivers', context)
        self.files = [found.path for found in context.files]
        context.close()
        return result

    def run_without_storage(self, *args, **kwargs):
        """Run the check; return the result without two kinds of findings.

        Every configuration that states no storage and no libraries has them.
        """
        result = self.run_check(*args, **kwargs)
        findings = tuple(
            f
            for f in result.findings
            if f.aspect not in ('storage', 'libraries')
        )
        return result._replace(
            findings=findings,
            outcome=(
                result.outcome
                if findings or not result.findings
                else model.Outcome.PASSED
            ),
        )

    def assert_found(self, result, *findings, reason=''):
        outcome = model.Outcome.FOUND if findings else model.Outcome.PASSED
        self.assertEqual(
            model.CheckResult(
                id='backend-drivers',
                title='Back ends and their drivers',
                outcome=model.Outcome.ERROR if reason else outcome,
                reason=reason,
                findings=findings,
            ),
            result,
        )

    def finding(
        self,
        severity,
        line,
        message,
        remediation,
        driver,
        aspect,
        name='a',
        references=(),
        **data,
    ):
        if isinstance(remediation, str):
            remediation = [remediation]
        return model.Finding(
            severity,
            model.Subject(
                'backend', name, self.site.file('manila.conf'), line
            ),
            message,
            tuple(
                r
                if isinstance(r, model.Remediation)
                else model.Remediation('config' if r[0] == '[' else 'text', r)
                for r in remediation
            ),
            tuple(references),
            check_id='backend-drivers',
            data={'driver': driver, **data},
            aspect=aspect,
        )

    def ends(
        self,
        line,
        message,
        *args,
        count=1,
        instances=None,
        behind='share instances not counted',
        **kwargs,
    ):
        return self.finding(
            FAILURE,
            line,
            f'{message}; manila-share exits with 1 and starts no back end '
            f'({count} enabled, {behind})',
            *args,
            enabled_backends=count,
            share_instances=instances,
            **kwargs,
        )

    def stays_down(
        self,
        line,
        message,
        *args,
        instances=None,
        behind='share instances not counted',
        **kwargs,
    ):
        return self.finding(
            FAILURE,
            line,
            f'{message}; the back end does not come up ({behind})',
            *args,
            share_instances=instances,
            **kwargs,
        )
