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

from manila_precheck.evidence.database.dumps import statements

_POSTGRESQL = rb"""--
-- PostgreSQL database dump; not yet
--
\restrict abc
SET a = 'x;y';
/* one; two */ CREATE TABLE t (a text DEFAULT E'\';', "b;" int);
COPY public.t (a) FROM stdin;
it's; a row
\\.x
\.
COPY public.empty (a) FROM stdin;
\.
CREATE FUNCTION f() AS $a$ one; $b$ two; $a$;
INSERT INTO t VALUES ('a
;
b');
"""
_MYSQL = rb"""/*M!999999\- enable the sandbox mode */
-- MariaDB dump; not yet
INSERT INTO `t` VALUES ('a;\nb'),
('it''s;)');
/*!50003 SET a = 1 */;
DELIMITER ;;
CREATE TRIGGER t BEGIN SET a = 1;
SET b = 2; END ;;
DELIMITER ;
UNLOCK TABLES"""


def pieces(text, size):
    return iter([text[i : i + size] for i in range(0, len(text), size)])


@ddt.ddt
class StatementsTest(testtools.TestCase):
    """The same statements, wherever the text is cut into pieces."""

    @ddt.data(*range(1, 40), 10_000)
    def test_postgresql(self, size):
        found = []
        for one in statements.of_postgresql(pieces(_POSTGRESQL, size)):
            rows = b''
            while one.rows is not None:
                piece = one.rows.read(7)
                if not piece:
                    break
                rows += piece
            found.append((one.line, one.text.strip(), rows, one.command))
        self.assertEqual(
            [
                (4, b'\\restrict abc', b'', True),
                (5, b"SET a = 'x;y'", b'', False),
                (
                    6,
                    b"CREATE TABLE t (a text DEFAULT E'\\';', \"b;\" int)",
                    b'',
                    False,
                ),
                (
                    7,
                    b'COPY public.t (a) FROM stdin',
                    b"it's; a row\n\\\\.x\n",
                    False,
                ),
                (11, b'COPY public.empty (a) FROM stdin', b'', False),
                (
                    13,
                    b'CREATE FUNCTION f() AS $a$ one; $b$ two; $a$',
                    b'',
                    False,
                ),
                (14, b"INSERT INTO t VALUES ('a\n;\nb')", b'', False),
            ],
            found,
        )

    def test_rows_that_nobody_reads(self):
        found = [
            one.line for one in statements.of_postgresql(iter([_POSTGRESQL]))
        ]
        self.assertEqual([4, 5, 6, 7, 11, 13, 14], found)

    @ddt.data(*range(1, 40), 10_000)
    def test_mysql(self, size):
        found = [
            (one.line, one.text, one.command)
            for one in statements.of_mysql(pieces(_MYSQL, size))
        ]
        self.assertEqual(
            [
                (
                    3,
                    b"INSERT INTO `t` VALUES ('a;\\nb'),\n('it''s;)')",
                    False,
                ),
                (5, b'/*!50003 SET a = 1 */', False),
                (6, b'DELIMITER ;;', True),
                (
                    7,
                    b'CREATE TRIGGER t BEGIN SET a = 1;\nSET b = 2; END ',
                    False,
                ),
                (9, b'DELIMITER ;', True),
                (10, b'UNLOCK TABLES', False),
            ],
            found,
        )

    def test_one_without_an_end(self):
        text = b'x' * (1 << 20)
        endless = (text for _ in range(100))
        self.assertRaises(
            statements.TooLong, list, statements.of_mysql(endless)
        )
        endless = (text for _ in range(100))
        self.assertRaises(
            statements.TooLong, list, statements.of_postgresql(endless)
        )
