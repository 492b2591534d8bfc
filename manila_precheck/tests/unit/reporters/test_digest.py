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
from manila_precheck.reporters import digest

_FINDINGS = tuple(
    model.Finding(
        check_id='some-check',
        severity=model.Severity.WARNING,
        subject=model.Subject('option', f'DEFAULT/{number}'),
        message=f'Message {number}\nwith\x1b a break.',
    )
    for number in range(7)
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
        result = model.CheckResult(
            'some-check', 'Some check', model.Outcome.FOUND
        )
        result = result._replace(findings=_FINDINGS[:count])
        text = digest.digest(result)
        self.assertEqual(5, text.count('Message'))
        ending = f'; and {more} more; see manila-precheck --format json'
        self.assertEqual(more is not None, text.endswith(ending))
