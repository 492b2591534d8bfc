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
"""What starts of services become as findings."""

import testtools

from manila_precheck import model
from manila_precheck.act.rehearse import failures
from manila_precheck.act.rehearse import service_starts
from manila_precheck.act.rehearse import start_failures

_FAILURE = model.Severity.FAILURE


def stop(at='start', words='ValueError: no', **more):
    return service_starts.Stop(
        **{
            'at': at,
            'error': words.partition(':')[0],
            'words': words,
            'place': 'manila.share.manager:301',
            'options': (),
            'sections': (),
            'read': (),
            'rules': (),
            'ends': True,
            **more,
        }
    )


def outcome(service, *stops, back_end='', beyond=()):
    return service_starts.StartOutcome(
        service, back_end, 'start', stops, beyond
    )


def share(*stops, back_end='alpha', **more):
    return outcome('manila-share', *stops, back_end=back_end, **more)


def finding(check_id, name, kind='option', aspect='', **more):
    return model.Finding(
        more.pop('severity', _FAILURE),
        model.Subject(kind, name, '/etc/manila/manila.conf', 7),
        'words',
        aspect=aspect,
        check_id=check_id,
        **more,
    )


class StartFailuresTest(testtools.TestCase):
    maxDiff = None

    def judge(self, *outcomes, known=(), not_run=''):
        results = [
            model.CheckResult(
                one.check_id, 'a title', model.Outcome.FOUND, '', (one,)
            )
            for one in known
        ]
        starts = service_starts.Starts(outcomes, not_run)
        return list(
            failures.findings(
                start_failures.of_starts(starts, results),
                results,
                lambda text: text.replace('hunter2', '***'),
            )
        )

    def foretold(self, one, *known):
        (found,) = self.judge(one, known=known)
        return found.data['foretold']

    def test_services_that_start_are_silent(self):
        self.assertEqual([], self.judge(share(), outcome('manila-data')))

    def test_one_that_was_not_foretold(self):
        self.assertEqual(
            [
                model.Finding(
                    _FAILURE,
                    model.Subject('service', 'manila-share@alpha'),
                    'manila-share with the back end alpha exits at startup: '
                    'ValueError: no password=*** (was not foretold)',
                    [],
                    data={
                        'services': 'manila-share@alpha',
                        'stage': 'start',
                        'error': 'ValueError',
                        'place': 'manila.share.manager:301',
                        'foretold': None,
                    },
                    aspect='start',
                )
            ],
            self.judge(share(stop(words='ValueError: no\npassword=hunter2'))),
        )

    def test_what_several_services_say_is_one_finding(self):
        bad = stop(options=('DEFAULT/report_interval',))
        held = finding(
            'config-options',
            'DEFAULT/report_interval',
            aspect='value',
            remediation=[model.advice('Set it.')],
        )
        (found,) = self.judge(
            outcome('manila-api', bad._replace(at='application')),
            share(bad),
            share(bad, back_end='beta'),
            outcome('manila-data', bad),
            known=[held],
        )
        self.assertEqual(
            model.Subject(
                'option',
                'DEFAULT/report_interval',
                '/etc/manila/manila.conf',
                7,
            ),
            found.subject,
        )
        self.assertEqual(
            'each of manila-api, manila-share with the back ends alpha and '
            'beta and manila-data exits at startup: ValueError: no (rehearsed:'
            ' config-options[DEFAULT/report_interval#value] held)',
            found.message,
        )
        self.assertEqual([model.advice('Set it.')], found.remediation)
        self.assertEqual('start', found.aspect)

    def test_by_the_name_that_nobody_finds(self):
        lost = share(
            stop(
                words="NoMatches: No 'tooz.backends' driver found, looking "
                "for 'zake'",
                read=('DEFAULT/host',),
            )
        )
        held, other = (
            finding(
                'config-options',
                'coordination/backend_url',
                aspect='names',
                data={'verdict': 'dangling', 'named': named},
            )
            for named in ('zake', 'etcd')
        )
        self.assertEqual(held.key, self.foretold(lost, held))
        self.assertIsNone(self.foretold(lost, other))

    def test_a_section_of_api_paste(self):
        bad = outcome(
            'manila-api',
            stop('application', sections=('filter:faultwrap', 'osapi_share')),
        )
        held = finding(
            'api-paste', 'filter:faultwrap', 'paste', aspect='factory'
        )
        self.assertEqual(held.key, self.foretold(bad, held))
        for other in (
            finding('api-paste', 'filter:cors', 'paste'),
            finding('config-options', 'faultwrap'),
            held._replace(severity=model.Severity.WARNING),
        ):
            self.assertIsNone(self.foretold(bad, other))

    def test_a_filter_that_a_section_names(self):
        bad = outcome('manila-api', stop('application', sections=('audit',)))
        held = finding('api-paste', 'composite:v2', 'paste', aspect='audit')
        self.assertEqual(held.key, self.foretold(bad, held))

    def test_a_policy_file_and_a_rule(self):
        file = finding('policy-rules', 'policy.yaml', 'policy-file')
        rule = finding('policy-rules', 'share:get', 'policy', aspect='cycle')
        broken = outcome('policies', stop('policies'))
        cycle = outcome('policies', stop('evaluation', rules=('share:get',)))
        self.assertEqual(file.key, self.foretold(broken, file, rule))
        self.assertEqual(rule.key, self.foretold(cycle, rule))
        self.assertIsNone(self.foretold(cycle, file))

    def test_a_request_fails_because_of_the_policies(self):
        found = self.judge(
            outcome('manila-api', stop('requests', 'Answered: 500')),
            outcome('policies', stop('policies')),
        )
        self.assertEqual(['policies'], [one.data['stage'] for one in found])

    def test_a_request_that_fails_alone(self):
        (found,) = self.judge(
            outcome('manila-api', stop('requests', 'Answered: 500'))
        )
        self.assertEqual(
            'manila-api fails to answer: Answered: 500 (was not foretold)',
            found.message,
        )

    def test_what_is_logged_is_a_warning_without_a_verdict(self):
        (found,) = self.judge(
            outcome(
                'policies', stop('policies', 'a cycle', ends=False, error='')
            )
        )
        self.assertEqual(
            (model.Severity.WARNING, 'manila-api logs: a cycle'),
            (found.severity, found.message),
        )
        self.assertNotIn('foretold', found.data)

    def test_a_driver_that_is_not_built(self):
        bad = share(stop())
        held = finding('backend-drivers', 'alpha', 'backend', aspect='driver')
        other = finding('backend-drivers', 'beta', 'backend', aspect='driver')
        self.assertEqual(held.key, self.foretold(bad, other, held))
        self.assertIsNone(self.foretold(bad, other))

    def test_no_back_end_is_enabled(self):
        held = finding('backend-drivers', 'DEFAULT/enabled_share_backends')
        other = finding('backend-drivers', 'alpha', 'backend', aspect='driver')
        self.assertEqual(
            held.key, self.foretold(share(stop(), back_end=''), other, held)
        )
        for unlike in (
            share(stop(), back_end='alpha'),
            outcome('manila-data', stop()),
            share(stop('policies'), back_end=''),
        ):
            self.assertIsNone(self.foretold(unlike, held))

    def test_a_deprecation_that_is_fatal(self):
        held = finding(
            'config-options',
            'DEFAULT/quota_shares',
            data={'verdict': 'renamed', 'option': 'quota/shares'},
        )
        other = finding(
            'config-options',
            'DEFAULT/quota_gigabytes',
            data={'verdict': 'renamed', 'option': 'quota/gigabytes'},
        )
        read = 'quota/gigabytes', 'quota/shares', 'DEFAULT/fatal_deprecations'
        words = 'DeprecatedConfig: Fatal call to deprecated config: %(option)s'
        bad = outcome('manila-data', stop('options', words, read=read))
        self.assertEqual(held.key, self.foretold(bad, other, held))
        self.assertIsNone(self.foretold(bad, other))
        # A deprecation that is not fatal ends nothing.
        unlike = outcome('manila-data', stop('options', 'E: 1', read=read))
        self.assertIsNone(self.foretold(unlike, held))

    def test_an_option_that_the_driver_names_or_has_read(self):
        held = finding('config-options', 'alpha/zfs_zpool_list', aspect='x')
        for bad in (
            stop(words='TypeError: zfs_zpool_list is None'),
            stop(read=('alpha/zfs_zpool_list',)),
        ):
            self.assertEqual(held.key, self.foretold(share(bad), held))
        for bad in (
            stop(words='TypeError: my_zfs_zpool_list'),
            stop(words='TypeError: zfs_zpool_lists', read=('alpha/other',)),
        ):
            self.assertIsNone(self.foretold(share(bad), held))
        # It is the option of another back end.
        self.assertIsNone(
            self.foretold(
                share(stop(words='zfs_zpool_list'), back_end='beta'), held
            )
        )

    def test_a_service_that_a_check_names(self):
        held = finding('upgrade-advisories', 'manila-api', 'service')
        self.assertEqual(
            held.key,
            self.foretold(outcome('manila-api', stop('application')), held),
        )
        self.assertIsNone(self.foretold(outcome('manila-data', stop()), held))

    def test_where_nothing_is_known_of_what_follows(self):
        found = self.judge(
            share(
                beyond=(
                    service_starts.Beyond(
                        'setup', 'connects to 192.0.2.1:443', '', False
                    ),
                    service_starts.Beyond(
                        'options', 'it did not come to an end', '', True
                    ),
                )
            )
        )
        self.assertEqual(
            [
                (
                    model.Severity.INFO,
                    'setup-not-seen',
                    'manila-share with the back end alpha: the setup of the '
                    'driver was not looked at beyond where it connects to '
                    '192.0.2.1:443',
                ),
                (
                    model.Severity.WARNING,
                    'options-not-seen',
                    'manila-share with the back end alpha: the values of its '
                    'options could not be rehearsed, it did not come to an '
                    'end',
                ),
            ],
            [(one.severity, one.aspect, one.message) for one in found],
        )

    def test_services_that_were_not_started_are_told(self):
        (found,) = self.judge(not_run='this host has no namespaces')
        self.assertEqual(
            (
                model.Severity.WARNING,
                'no service was started: this host has no namespaces',
            ),
            (found.severity, found.message),
        )
        found = self.judge(outcome('manila-api'), not_run='it took too long')
        self.assertEqual(
            ['not every service was started: it took too long'],
            [one.message for one in found],
        )
