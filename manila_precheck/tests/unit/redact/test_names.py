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
import json

import ddt
import testtools

from manila_precheck import model
from manila_precheck.redact import names
from manila_precheck.redact import secrets
from manila_precheck.reporters import json_report
from manila_precheck.tests import reports

_PROJECT = '0a1b2c3d4e5f60718293a4b5c6d7e8f9'
_UUID = '8f4e2a3c-5d2b-4c53-a3d1-6f6a2f0f7e11'


def _finding(**changes):
    values = {
        'check_id': 'some-check',
        'severity': model.Severity.WARNING,
        'subject': model.Subject('service', 'manila-share@ctl1@ceph1'),
        'message': 'It is wrong.',
    }
    return model.Finding(**{**values, **changes})


def _report(*findings, **changes):
    result = model.CheckResult(
        'some-check', 'Some check', model.Outcome.FOUND, findings=findings
    )
    return reports.CLEAN._replace(checks=(result,), **changes)


def _hidden(report, hosts=()):
    return names.Names(report, hosts).hide(report)


class FindingWithTest(testtools.TestCase):
    def test_every_text_is_changed(self):
        """A new field that holds a text fails here until it is changed."""
        finding = model.Finding(
            check_id='some-check',
            severity=model.Severity.INFO,
            subject=model.Subject('share', 'x', 'x', 1, 'x'),
            message='x',
            remediation=(model.command('x'),),
            references=('x',),
            data={'key': 'x', 'number': 1},
            aspect='x',
        )
        changed = names.finding_with(finding, lambda text: 'y')
        text = json.dumps(changed, default=dict)
        self.assertNotIn('"x"', text)
        self.assertEqual('some-check[y#y]', changed.key)
        self.assertEqual({'key': 'y', 'number': 1}, changed.data)


class RedactedTest(testtools.TestCase):
    def test_a_remedy_held_a_mask(self):
        url = 'https://u:geheim@h/x'
        finding = _finding(
            subject=model.Subject('option', 'DEFAULT/x', '/etc/m.conf', 7),
            message=f'{url} is wrong',
            remediation=(
                model.config(f'[DEFAULT]\nx = {url}\ny = 1'),
                model.command(f'curl {url} ***'),
                model.advice('Take *** as it is.'),
            ),
            data={'x': url},
        )
        self.assertEqual(
            finding._replace(
                message='https://u:***@h/x is wrong',
                remediation=(
                    model.config(
                        '[DEFAULT]\nx = (the value in /etc/m.conf:7)\ny = 1'
                    ),
                    model.command(
                        'curl (the value in /etc/m.conf:7) (the value in '
                        '/etc/m.conf:7)'
                    ),
                    # Nothing was masked in it.
                    model.advice('Take *** as it is.'),
                ),
                data={'x': 'https://u:***@h/x'},
            ),
            names.redacted(finding, secrets.scrub),
        )

    def test_a_remedy_for_what_stands_in_no_file(self):
        finding = _finding(remediation=(model.command('x --password abc'),))
        (remedy,) = names.redacted(finding, secrets.scrub).remediation
        self.assertEqual(
            'x --password (a value that is not shown)', remedy.text
        )


@ddt.ddt
class NamesTest(testtools.TestCase):
    def test_a_host_has_one_name_everywhere(self):
        report = _report(
            _finding(
                message='manila-share on ctl1@ceph1 does not report',
                remediation=(
                    model.command('openstack share service set ctl1@ceph1'),
                ),
                data={'host': 'ctl1@ceph1#pool', 'binary': 'manila-share'},
            ),
            files=(model.FileRead('/etc/manila/ctl1.conf', '0' * 64),),
            source_facts=model.Facts('shipped', '20.0.3', '2026-11-28'),
            target_facts=model.Facts('file', '22.0.1', path='/srv/ctl1.json'),
        )
        hidden = _hidden(report, ['ctl2', 'ctl1'])
        self.assertEqual(
            _report(
                _finding(
                    subject=model.Subject(
                        'service', 'manila-share@host-1@ceph1'
                    ),
                    message='manila-share on host-1@ceph1 does not report',
                    remediation=(
                        model.command(
                            'openstack share service set host-1@ceph1'
                        ),
                    ),
                    data={
                        'host': 'host-1@ceph1#pool',
                        'binary': 'manila-share',
                    },
                ),
                files=(model.FileRead('/etc/manila/host-1.conf', '0' * 64),),
                source_facts=model.Facts('shipped', '20.0.3', '2026-11-28'),
                target_facts=model.Facts(
                    'file', '22.0.1', path='/srv/host-1.json'
                ),
                redacted_names=True,
            ),
            hidden,
        )

    def test_a_host_of_the_sources_alone(self):
        report = _report(_finding(message='no route to db7.example.org:3306'))
        (finding,) = _hidden(report, ['db7.example.org']).checks[0].findings
        self.assertEqual('no route to host-2:3306', finding.message)

    def test_the_longer_name_first_and_no_part_of_a_word(self):
        report = _report(
            _finding(message='ctl1 ctl10 ctl1.example.org my-ctl1 ctl1-x')
        )
        (finding,) = (
            _hidden(report, ['ctl1', 'ctl1.example.org']).checks[0].findings
        )
        self.assertEqual('host-1 ctl10 host-2 my-ctl1 ctl1-x', finding.message)

    def test_a_project_wherever_it_stands(self):
        report = _report(
            _finding(
                message=f'share {_UUID} of {_PROJECT}',
                data={'project_name': 'Payroll', 'note': 'by Payroll'},
            )
        )
        (finding,) = _hidden(report).checks[0].findings
        self.assertEqual(f'share {_UUID} of project-1', finding.message)
        self.assertEqual(
            {'project_name': 'project-2', 'note': 'by project-2'}, finding.data
        )

    def test_a_share_is_replaced_where_it_is_spoken_of(self):
        """A share that is called 'data' does not eat the word elsewhere."""
        report = _report(
            _finding(
                subject=model.Subject('share', _UUID, uuid=_UUID),
                message="share 'data' waits",
                data={'name': 'data'},
            ),
            _finding(message='data is copied'),
        )
        first, second = _hidden(report).checks[0].findings
        self.assertEqual("share 'share-1' waits", first.message)
        self.assertEqual({'name': 'share-1'}, first.data)
        self.assertEqual(_UUID, first.subject.name)
        self.assertEqual('data is copied', second.message)

    def test_the_reason_of_a_check(self):
        report = reports.CLEAN._replace(
            checks=(
                model.CheckResult(
                    'some-check', 'T', model.Outcome.ERROR, 'db7 is down'
                ),
            ),
        )
        self.assertEqual(
            'host-1 is down', _hidden(report, ['db7']).checks[0].reason
        )

    def test_nothing_to_hide(self):
        self.assertEqual(
            reports.CLEAN._replace(redacted_names=True),
            _hidden(reports.CLEAN),
        )

    def test_the_same_site_has_the_same_names(self):
        findings = [
            _finding(data={'host': f'ctl{number}@a'}) for number in range(30)
        ]
        forth = _hidden(_report(*findings))
        back = _hidden(_report(*reversed(findings)))
        self.assertEqual(
            json_report.report_dict(forth)['checks'][0]['findings'],
            json_report.report_dict(back)['checks'][0]['findings'][::-1],
        )
