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

import contextlib
import io
from unittest import mock

import ddt
import testtools

from manila_precheck.tests import tool_scripts

_UNIT = 'manila_precheck.tests.unit.test_a.ATest.test_mysql_words'
_MYSQL = 'manila_precheck.tests.functional.test_a.MySQLTest.test_a'
_POSTGRESQL = 'manila_precheck.tests.functional.test_a.PostgreSQLTest.test_a'


@ddt.ddt
class TestSummaryTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.module = tool_scripts.load('test_summary')

    def _main(self, statuses, *argv, variable='', reason=b'no\nway'):
        outcomes = self.module._Outcomes()
        for test_id, status in statuses.items():
            if status == 'skip':
                outcomes.status(
                    test_id=test_id, file_name='reason', file_bytes=reason
                )
            outcomes.status(test_id=test_id, test_status=status)
        printed, complaint = io.StringIO(), io.StringIO()
        environment = {'MANILA_PRECHECK_REQUIRE_DATABASES': variable}
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(complaint))
            stack.enter_context(mock.patch.dict('os.environ', environment))
            stack.enter_context(
                mock.patch.object(
                    self.module, 'last_run', lambda record: outcomes
                )
            )
            code = self.module.main(list(argv))
        return code, printed.getvalue()

    def test_all_tried(self):
        code, text = self._main(
            {_UNIT: 'success', _MYSQL: 'success', _POSTGRESQL: 'success'},
            variable='1',
        )
        self.assertEqual(0, code)
        self.assertIn('MySQL: tried\n  PostgreSQL: tried\n', text)
        self.assertTrue(text.endswith('\n3 passed, 0 failed, 0 skipped\n'))
        self.assertNotIn('To have them', text)

    @ddt.data(
        ((), '', 0),
        ((), '0', 0),
        ((), '1', 1),
        ((), 'MySQL', 0),
        ((), 'MySQL, PostgreSQL', 1),
        (('--require', 'MySQL'), '', 0),
        (('--require', 'PostgreSQL'), '', 1),
    )
    @ddt.unpack
    def test_one_was_skipped(self, argv, variable, expected):
        code, text = self._main(
            {_UNIT: 'success', _MYSQL: 'success', _POSTGRESQL: 'skip'},
            *argv,
            variable=variable,
        )
        self.assertEqual(expected, code)
        self.assertIn(
            'PostgreSQL: NOT TRIED, 1 of 1 tests skipped: no way\n', text
        )
        self.assertIn('apt-get install postgresql\n', text)
        self.assertTrue(text.endswith('\n2 passed, 0 failed, 1 skipped\n'))

    @ddt.data(
        b'MANILA_PRECHECK_VENVS is not set: say tox -e real',
        b'no environment of 2024.1',
        b'no virtual environment of wallaby',
    )
    def test_what_lacks_a_release_lacks_no_server(self, reason):
        code, text = self._main(
            {_MYSQL: 'success', _MYSQL + '_too': 'skip', _POSTGRESQL: 'skip'},
            variable='MySQL',
            reason=reason,
        )
        self.assertEqual(0, code)
        self.assertIn('MySQL: tried\n', text)
        self.assertIn('PostgreSQL: NOT TRIED, no test of it was in', text)
        self.assertIn(f'2 more skipped: {reason.decode()}\n', text)

    def test_a_judge_tries_the_server_that_it_names(self):
        code, text = self._main(
            {'qa.judges.test_a.AMySQLTest.test_a': 'success'},
            variable='MySQL',
        )
        self.assertEqual(0, code)
        self.assertIn('MySQL: tried\n', text)

    def test_a_unit_test_tries_no_server(self):
        code, text = self._main({_UNIT: 'success'}, variable='1')
        self.assertEqual(1, code)
        self.assertIn('MySQL: NOT TRIED, no test of it', text)

    def test_other_skips_are_told_apart(self):
        code, text = self._main(
            {
                _UNIT: 'skip',
                'setUpClass (qa.real.test_mysql.A)': 'skip',
                _MYSQL: 'success',
                _POSTGRESQL: 'success',
            },
            variable='1',
        )
        self.assertEqual(0, code)
        self.assertIn('PostgreSQL: tried\n2 more skipped: no way\n', text)

    def test_failures_are_counted(self):
        _code, text = self._main(
            {'a': 'fail', 'b': 'uxsuccess', 'c': 'xfail', 'd': 'success'}
        )
        self.assertTrue(text.endswith('\n2 passed, 2 failed, 0 skipped\n'))

    def test_no_test_ran(self):
        code, _text = self._main({})
        self.assertEqual(1, code)
