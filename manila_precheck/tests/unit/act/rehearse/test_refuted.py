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
"""What was foretold of the starts, and did not happen."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck.act.rehearse import refuted
from manila_precheck.act.rehearse import service_starts

_VALUE = model.Finding(
    model.Severity.FAILURE,
    model.Subject('option', 'DEFAULT/report_interval'),
    'rejects the value',
    data={'verdict': 'invalid'},
    aspect='value',
    check_id='config-options',
)
_EXITS = model.Finding(
    model.Severity.FAILURE,
    model.Subject('backend', 'alpha'),
    'manila-share exits with 1',
    data={'enabled_backends': 2},
    aspect='module',
    check_id='backend-drivers',
)
_DOWN = _EXITS._replace(data={}, aspect='requests')
_PASTE = model.Finding(
    model.Severity.FAILURE,
    model.Subject('paste', 'filter:cors'),
    'manila-api does not start',
    aspect='factory',
    check_id='api-paste',
)
_RULES = model.Finding(
    model.Severity.FAILURE,
    model.Subject('policy', 'share:get'),
    'is not a check string; every request fails with 500',
    aspect='syntax',
    check_id='policy-rules',
)
_FILE = _RULES._replace(
    subject=model.Subject('policy-file', 'policy.yaml'), aspect=''
)


def _outcome(service, passed=(), accepted=(), back_end='', stopped=()):
    return service_starts.StartOutcome(
        service, back_end, '', stopped, (), passed, accepted
    )


def _stop(*options, ends=True):
    return service_starts.Stop(
        'start', 'E', 'words', '', options, (), (), (), ends
    )


_API = ('import', 'application')
_BUILT = ('import', 'start', 'database')
_SET_UP = (*_BUILT, 'setup', 'capabilities')


@ddt.ddt
class RefutedTest(testtools.TestCase):
    def found(self, finding, *outcomes):
        result = model.CheckResult(
            finding.check_id, 'title', model.Outcome.FOUND, '', (finding,)
        )
        return list(
            refuted.findings(service_starts.Starts(outcomes), [result])
        )

    @ddt.data(
        (_VALUE, _outcome('manila-data', (), (_VALUE.subject.name,))),
        (_EXITS, _outcome('manila-share', _BUILT, back_end='alpha')),
        (_DOWN, _outcome('manila-share', _SET_UP, back_end='alpha')),
        (_PASTE, _outcome('manila-api', _API)),
        (_RULES, _outcome('policies', ('configuration', 'policies'))),
        (_FILE, _outcome('policies', ('configuration', 'policies'))),
    )
    @ddt.unpack
    def test_what_was_tried(self, finding, outcome):
        (one,) = self.found(finding, _outcome('manila-scheduler'), outcome)
        self.assertEqual(
            (
                finding.subject,
                f'rehearsed: {finding.key} did not happen, and may be wrong: '
                f'{finding.message}',
                model.Severity.INFO,
                {'foretold': finding.key},
                'not-held',
            ),
            (one.subject, one.message, one.severity, one.data, one.aspect),
        )

    @ddt.data(
        # Nobody has read it.
        (_VALUE, _outcome('manila-data', _BUILT)),
        # Of another back end, and one that did not come so far.
        (_EXITS, _outcome('manila-share', _SET_UP, back_end='beta')),
        (_EXITS, _outcome('manila-share', ('import',), back_end='alpha')),
        (_DOWN, _outcome('manila-share', _BUILT, back_end='alpha')),
        (_PASTE, _outcome('manila-api', ('import',))),
        (_RULES, _outcome('policies', ('configuration',))),
        # Who is let in is not what a start shows.
        (_PASTE._replace(aspect='login'), _outcome('manila-api', _API)),
        (
            _RULES._replace(message='everyone is allowed'),
            _outcome('policies', ('policies',)),
        ),
        # Another check, and what is no failure.
        (
            _VALUE._replace(check_id='service-startup'),
            _outcome('manila-data', (), (_VALUE.subject.name,)),
        ),
        (
            _VALUE._replace(severity=model.Severity.WARNING),
            _outcome('manila-data', (), (_VALUE.subject.name,)),
        ),
        (
            _VALUE._replace(data={'verdict': 'removed'}),
            _outcome('manila-data', (), (_VALUE.subject.name,)),
        ),
    )
    @ddt.unpack
    def test_what_was_not(self, finding, outcome):
        self.assertEqual([], self.found(finding, outcome))

    def test_one_service_takes_a_value_and_another_does_not(self):
        self.assertEqual(
            [],
            self.found(
                _VALUE,
                _outcome('manila-data', (), (_VALUE.subject.name,)),
                _outcome(
                    'manila-scheduler', stopped=(_stop(_VALUE.subject.name),)
                ),
            ),
        )

    def test_which_options_are_asked_about(self):
        result = model.CheckResult(
            'config-options',
            'title',
            model.Outcome.FOUND,
            '',
            (_VALUE, _VALUE, _VALUE._replace(aspect='name')),
        )
        self.assertEqual(
            ['DEFAULT/report_interval'], refuted.option_values([result])
        )
