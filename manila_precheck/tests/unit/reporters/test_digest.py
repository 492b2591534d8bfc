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
from manila_precheck.cmd import precheck
from manila_precheck.reporters import digest

_FINDINGS = tuple(
    model.Finding(
        check_id='some-check',
        severity=model.Severity.WARNING,
        subject=model.Subject('option', f'DEFAULT/{number}'),
        message=f'Message {number}\nwith\x1b a break.',
        cause=str(number),
    )
    for number in range(7)
)


def _result(*findings):
    return model.CheckResult(
        'some-check', 'Some check', model.Outcome.FOUND, findings=findings
    )


@ddt.ddt
class DigestTest(testtools.TestCase):
    @ddt.data(
        (0, '', None),
        (0, 'no database\nis given', 'no database is given'),
        (1, '', 'Message 0 with\\x1b a break'),
        (
            2,
            'too slow',
            'too slow; Message 0 with\\x1b a break; '
            'Message 1 with\\x1b a break',
        ),
    )
    @ddt.unpack
    def test_digest(self, count, reason, expected):
        result = model.CheckResult(
            'some-check',
            'Some check',
            model.Outcome.FOUND,
            reason,
            _FINDINGS[:count],
        )
        self.assertEqual(expected, digest.digest(result))

    @ddt.data((5, None), (6, 1), (7, 2))
    @ddt.unpack
    def test_the_rest_is_counted(self, count, more):
        text = digest.digest(_result(*_FINDINGS[:count]))
        self.assertEqual(5, text.count('Message'))
        ending = (
            f'; and {more} more; to see all: manila-precheck upgrade check '
            '--check some-check --verbose'
        )
        self.assertEqual(more is not None, text.endswith(ending))

    def test_a_group_is_told_once_with_what_to_type(self):
        found = [
            one._replace(
                message=f'{number} is silent.',
                cause='silent',
                remediation=(
                    model.advice('Look first.'),
                    model.command('manila-manage service cleanup'),
                ),
            )
            for number, one in enumerate(_FINDINGS[:3])
        ]
        self.assertEqual(
            '0 is silent (and 2 more: DEFAULT/1, DEFAULT/2) (type: '
            'manila-manage service cleanup); to see all: manila-precheck '
            'upgrade check --check some-check --verbose',
            digest.digest(_result(*found)),
        )

    @ddt.data(
        ((model.advice('Remove it.'),), ' (Remove it)'),
        (
            (model.advice('Write:'), model.config('[a]\nb = 1')),
            '; to see all: manila-precheck upgrade check --check some-check '
            '--verbose',
        ),
        ((), ''),
    )
    @ddt.unpack
    def test_what_cannot_be_typed(self, remediation, ending):
        found = _FINDINGS[0]._replace(remediation=remediation)
        self.assertEqual(
            f'Message 0 with\\x1b a break{ending}',
            digest.digest(_result(found)),
        )

    def test_what_it_says_to_type_can_be_typed(self):
        words = digest.digest(_result(*_FINDINGS)).rpartition(': ')[2].split()
        self.assertEqual('manila-precheck', words[0])
        args = precheck._parse(words[1:])
        self.assertEqual(['some-check'], args.option_check)
        self.assertTrue(args.option_report_verbose)

    def test_what_makes_it_run_is_told(self):
        result = model.CheckResult(
            'some-check',
            'Some check',
            model.Outcome.ERROR,
            'access denied.',
            remediation=(model.command('mysql m -e {}', 'GRANT it'),),
        )
        self.assertEqual(
            "access denied (type: mysql m -e 'GRANT it')",
            digest.digest(result),
        )

    def test_what_is_no_check_cannot_be_run_alone(self):
        text = digest.digest(_result(*_FINDINGS)._replace(id='waivers'))
        self.assertTrue(
            text.endswith('manila-precheck upgrade check --verbose'), text
        )
