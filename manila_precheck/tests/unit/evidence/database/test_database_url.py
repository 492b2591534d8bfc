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
import os
import socket
from urllib import parse

import ddt
import fixtures
import sqlalchemy
import testtools

from manila_precheck import exceptions
from manila_precheck import testing
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import database_url

OPTION = '[database] connection'


def read(text):
    return database_url.read(OPTION, text, 60, 10)


@ddt.ddt
class ReadTest(testtools.TestCase):
    @ddt.data(
        'geheim-99',
        'mysql+pymysql//u:geheim-99@h/x',
        'mysql+pymysql://u:geheim-99@h:geheim-99/x',
        'oracle://u:geheim-99@h/x',
        'sqlite://',
        'sqlite:///:memory:',
        'sqlite:///file:x?uri=true',
    )
    def test_what_is_no_url_of_ours(self, text):
        raised = self.assertRaises(exceptions.SourceUnusable, read, text)
        self.assertTrue(str(raised).startswith(OPTION), str(raised))
        self.assertNotIn('geheim', str(raised))

    def test_mariadb_is_mysql_to_the_libraries(self):
        url, location = read(
            'mariadb+pymysql://u:geheim-99@h:3307/m?charset=utf8'
        )
        self.assertEqual('mysql+pymysql', url.drivername)
        self.assertEqual('utf8', url.query['charset'])
        self.assertEqual('the mariadb database m at h:3307', location.words)

    def test_what_the_url_says_of_time_limits_stays(self):
        url, _location = read('mysql+pymysql://h/m?connect_timeout=3')
        self.assertEqual(
            {'connect_timeout': '3', 'read_timeout': '10'}, dict(url.query)
        )
        url, _location = read('mysql+mysqldb://h/m?read_timeout=3')
        self.assertEqual(
            {'connect_timeout': '10', 'read_timeout': '3'}, dict(url.query)
        )
        url, _location = read('mysql+mysqldb://h/m')
        self.assertEqual('70', url.query['read_timeout'])

    @ddt.data(
        'init_command=CREATE TABLE t (i INTEGER)',
        'local_infile=1',
        'sql_mode=ANSI',
        'collation=utf8_bin, GLOBAL read_only = 0',
        'client_flag=65536',
        'cursorclass=x',
        'auth_plugin_map=x',
        'plugin=their_engine',
        'use_unicode=0',
        'conv=x',
        'plugin_dir=/tmp',
    )
    def test_what_mysql_would_run_or_load(self, query):
        for driver in ('pymysql', 'mysqldb'):
            url, location = read(
                f'mysql+{driver}://h/m?{query}&charset=utf8&ssl_ca=/ca'
            )
            self.assertEqual(
                {'charset', 'ssl_ca', 'connect_timeout', 'read_timeout'},
                set(url.query),
            )
            self.assertEqual((query.partition('=')[0],), location.left_out)

    def test_an_option_file_of_pymysql_says_where_the_server_is(self):
        query = 'read_default_file=/etc/my.cnf&read_default_group=manila'
        url, location = read(f'mysql+pymysql:///?{query}')
        self.assertEqual('/etc/my.cnf', url.query['read_default_file'])
        self.assertEqual((), location.left_out)

    @ddt.data(
        ('geheim\n', ':1', 'MissingSectionHeaderError'),
        ('[client]\nuser=a\nuser=geheim\n', ':3', 'DuplicateOptionError'),
        ('[client]\n = geheim\n', '', 'ParsingError'),
    )
    @ddt.unpack
    def test_an_option_file_that_pymysql_cannot_parse(self, text, line, name):
        path = self.file('my.cnf')
        with open(path, 'w') as stream:
            stream.write(text)
        exc = self.assertRaises(
            exceptions.SourceUnusable,
            read,
            f'mysql+pymysql:///?read_default_file={path}',
        )
        self.assertEqual(
            f'{OPTION} names the option file {path}{line}, which PyMySQL '
            f'cannot parse ({name}); with it manila does not connect either',
            str(exc),
        )

    @ddt.data(
        'mysql+pymysql://h/m?read_default_file',
        'mysql+pymysql://h/m?ssl_ca',
        'mysql+mysqldb://h/m?ssl_key',
        'postgresql://h/m?sslrootcert',
    )
    def test_a_driver_waited_for_a_pipe(self, text):
        path = self.file('pipe')
        os.mkfifo(path)
        exc = self.assertRaises(
            exceptions.SourceUnusable, read, f'{text}={path}'
        )
        self.assertEqual(
            f'{OPTION} has {text.partition("?")[2]}={path}, which is not a '
            'file',
            str(exc),
        )

    def file(self, name):
        return os.path.join(self.useFixture(fixtures.TempDir()).path, name)

    @ddt.data(
        ('mysql://h/m?read_default_file=~/.my.cnf', 'read_default_file'),
        ('mysql+mysqldb://h/m?read_default_group=a', 'read_default_group'),
        (
            'postgresql://h/m?service=manila&servicefile=/tmp/f',
            'service and servicefile',
        ),
    )
    @ddt.unpack
    def test_a_file_that_may_say_what_to_run(self, text, names):
        exc = self.assertRaises(exceptions.SourceUnusable, read, text)
        self.assertEqual(
            f'{OPTION} has {names}: such a file can also make a session run '
            'or load something and is not read; put the server, the account '
            'and the database in the URL',
            str(exc),
        )

    @ddt.data(
        ('-csearch_path=cloud', '-c search_path=cloud', ()),
        (
            '-c search_path=a\\ b,c --role=manila',
            '-c search_path=a\\ b,c -c role=manila',
            (),
        ),
        (
            '-c work_mem=1GB --default-transaction-read-only=off -c',
            None,
            (
                'options=',
                'options=default-transaction-read-only',
                'options=work_mem',
            ),
        ),
        (
            '-c local_preload_libraries=x -csearch_path=m -B 16',
            '-c search_path=m',
            ('options=-B', 'options=16', 'options=local_preload_libraries'),
        ),
    )
    @ddt.unpack
    def test_what_postgresql_may_be_told(self, options, kept, left_out):
        quoted = parse.quote(options)
        url, location = read(
            f'postgresql+psycopg2://h/m?options={quoted}&sslmode=require'
        )
        self.assertEqual(kept, url.query.get('options'))
        self.assertEqual('require', url.query['sslmode'])
        self.assertEqual(left_out, location.left_out)

    def test_what_postgresql_would_be_told(self):
        _url, location = read(
            'postgresql+psycopg2://h/m?replication=database&async=1&'
            'connection_factory=x&host=a:1&host=b:2'
        )
        self.assertEqual(
            ('async', 'connection_factory', 'replication'), location.left_out
        )

    @ddt.data(
        ('mysql+asyncmy', 'pymysql or mysqldb', 'mysql+pymysql'),
        ('mariadb+their_own', 'pymysql or mysqldb', 'mariadb+pymysql'),
        (
            'postgresql+asyncpg',
            'psycopg2 or psycopg',
            'postgresql+psycopg2',
        ),
        ('sqlite+pysqlcipher', 'pysqlite', 'sqlite+pysqlite'),
    )
    @ddt.unpack
    def test_a_driver_that_an_entry_point_may_name(self, name, known, better):
        exc = self.assertRaises(
            exceptions.SourceUnusable, read, f'{name}://u:geheim-99@h/m'
        )
        driver = name.partition('+')[2]
        self.assertEqual(
            f'{OPTION} names the driver {driver!r}, which manila-precheck '
            f'does not use: use {known} ({better}://)',
            str(exc),
        )

    @ddt.data(
        ('mysql+pymysql://h/m', None),
        ('mysql+mysqldb://localhost/m', None),
        ('mysql+pymysql://localhost/m?ssl_ca=/ca', None),
        ('postgresql+psycopg2://localhost/m', None),
        ('mysql+pymysql://localhost/m', 'true'),
        ('mysql+pymysql:///m?unix_socket=/run/s', 'true'),
    )
    @ddt.unpack
    def test_tls_is_left_out_on_the_loopback_only(self, text, disabled):
        url = database_url.without_tls(read(text)[0])
        self.assertEqual(disabled, url and url.query['ssl_disabled'])

    @ddt.data(
        'mysql+pymysql://u:geheim-99@h',
        'mysql+pymysql://u:geheim-99@h/',
        'mariadb+pymysql://u:geheim-99@h/?charset=utf8',
    )
    def test_no_database_in_the_url_was_a_first_install(self, text):
        exc = self.assertRaises(exceptions.SourceUnusable, read, text)
        self.assertEqual(
            f'{OPTION} names no database: its URL ends after the host',
            str(exc),
        )

    @ddt.data('utf', 'utf8,utf8mb4')
    def test_a_character_set_that_pymysql_lacks_was_a_crash(self, name):
        text = f'mysql+pymysql://u:geheim-99@h/m?charset={name}'
        exc = self.assertRaises(exceptions.SourceUnusable, read, text)
        self.assertEqual(
            f'{OPTION} names the character set {name!r}, which PyMySQL does '
            'not support; manila cannot connect with it either '
            '(charset=utf8mb4 is supported)',
            str(exc),
        )

    @ddt.data('utf8', 'utf8mb4', 'latin1')
    def test_a_character_set_that_it_has(self, name):
        url, _location = read(f'mysql+pymysql://h/m?charset={name}')
        self.assertEqual(name, url.query['charset'])

    def test_two_character_sets(self):
        text = 'mysql+pymysql://h/m?charset=utf8&charset=utf8mb4'
        exc = self.assertRaises(exceptions.SourceUnusable, read, text)
        self.assertIn("('utf8', 'utf8mb4')", str(exc))

    @ddt.data(
        ('geheim-99', 'no geheim-99 here', 'no *** here'),
        ('ge%40im', 'quoted ge%40im, plain ge@im', 'quoted ***, plain ***'),
        ('a', 'a cat sat: a', 'a cat sat: a'),
        ('manila', "user 'manila' is denied", "user 'manila' is denied"),
        ('q7Zr', 'no q7Zr here', 'no *** here'),
        ('x', 'host\n\tis  gone', 'host is gone'),
    )
    @ddt.unpack
    def test_secrets_leave_what_a_driver_says(self, password, text, clean):
        _url, location = read(f'mysql+pymysql://u:{password}@h/m')
        self.assertEqual(clean, location.clean(text))

    @ddt.data('p@ss/word', 'p@1234/x', 'p@/')
    def test_a_password_that_ends_in_the_name_of_the_database(self, password):
        """'the mysql database word@h/m at ss' was shown."""
        exc = self.assertRaises(
            exceptions.SourceUnusable,
            read,
            f'mysql+pymysql://u:{password}@h/m',
        )
        self.assertEqual(
            "[database] connection has an '@' after its host: write '@' in a "
            "password as %40 and '/' as %2F; manila cannot connect either",
            str(exc),
        )

    @ddt.data('pa/ss', 'pa ss', 'pa#s?s', 'pa:ss')
    def test_a_password_with_odd_characters(self, password):
        url, location = read(f'mysql+pymysql://u:{password}@h/m')
        self.assertEqual(password, url.password)
        self.assertEqual('the mysql database m at h', location.words)

    def test_a_password_that_is_the_account_cut_the_database_in_two(self):
        _url, location = read('mysql+pymysql://citest:citest@h/citest_7')
        self.assertEqual({'citest', 'citest_7'}, location.names)
        self.assertEqual(
            "no access to citest_7 for citest, password='***'",
            location.clean(
                "no access to citest_7 for citest, password='citest'"
            ),
        )

    @ddt.data(
        'mysql://u:pa/ss@h/m',
        'mysql://u:pa@ss@h/m',
        'mysql://u:p@h/m?password=x@y',
        'mysql://u:p@h',
        'no url',
    )
    def test_what_may_be_a_part_of_a_password_is_no_name(self, text):
        self.assertEqual(frozenset(), database_url.names(text))

    def test_the_end_of_a_password_with_an_at_sign(self):
        _url, location = read('mysql+pymysql://u:ge@heim@h/m')
        self.assertEqual('the mysql database m at h', location.words)
        self.assertEqual("host '***@h'", location.clean("host 'heim@h'"))


@ddt.ddt
class UnreachableTest(testtools.TestCase):
    def connect(self, url):
        site = self.useFixture(testing.Site(connection=url))
        return str(
            self.assertRaises(
                exceptions.SourceUnusable,
                connection.connect,
                site.context().conf,
            )
        )

    @ddt.data('mysql+pymysql', 'mariadb+pymysql', 'postgresql+psycopg2')
    def test_nobody_listens(self, driver):
        with socket.socket() as taken:
            # Bound and not listening: the port refuses.
            taken.bind(('127.0.0.1', 0))
            port = taken.getsockname()[1]
            words = self.connect(
                f'{driver}://manila:geheim-99@127.0.0.1:{port}/manila'
            )
        backend = driver.partition('+')[0]
        self.assertTrue(
            words.startswith(
                f'the {backend} database manila at 127.0.0.1:{port} cannot '
                f'be reached ({OPTION}): '
            ),
            words,
        )
        self.assertIn('refused', words)
        self.assertNotIn('geheim', words)
        self.assertNotIn('\n', words)

    @ddt.data(
        ('mysql://', 'MySQLdb', 'mysql+pymysql://'),
        ('mysql+mysqldb://', 'MySQLdb', 'mysql+pymysql://'),
        ('postgresql+psycopg://', 'psycopg', 'install'),
    )
    @ddt.unpack
    def test_a_driver_is_missing(self, scheme, driver, todo):
        if driver == 'psycopg' and sqlalchemy.__version__ < '2':
            self.skipTest('SQLAlchemy has no dialect for it')
        try:
            __import__(driver)
        except ImportError:
            pass
        else:
            self.skipTest(f'{driver} is installed here')
        words = self.connect(f'{scheme}manila:geheim-99@127.0.0.1/manila')
        self.assertIn(f'its driver {driver} is not installed', words)
        self.assertIn(todo, words)
        self.assertNotIn('geheim', words)

    @ddt.data(
        ('127.0.0.1:1/m?nonsense=1', 'refused'),
        ('127.0.0.1/m?ssl_ca=/nope/ca.pem', 'No such file'),
        ('127.0.0.1/m?ssl=true', 'the driver fails (AttributeError'),
        ('127.0.0.1:65536/m', '127.0.0.1'),
        ('no-such-host.invalid/m', 'no-such-host.invalid'),
        (f'{"x" * 64}/m', 'label'),
        ('127.0.0.1/m?connect_timeout=0', 'connect_timeout should be'),
    )
    @ddt.unpack
    def test_what_a_driver_refuses_was_a_crash(self, rest, reason):
        words = self.connect(f'mysql+pymysql://manila:geheim-99@{rest}')
        self.assertIn(f'cannot be reached ({OPTION}): ', words)
        self.assertIn(reason, words)
        self.assertNotIn('geheim', words)

    @ddt.data(
        ('127.0.0.1:65536/m', 'port'),
        ('no-such-host.invalid/m', 'no-such-host.invalid'),
        ('127.0.0.1/m?sslmode=never', 'sslmode'),
        ('127.0.0.1/m?connect_timeout=x', 'connect_timeout'),
    )
    @ddt.unpack
    def test_what_postgresql_refuses(self, rest, reason):
        words = self.connect(f'postgresql+psycopg2://manila:geheim-99@{rest}')
        self.assertIn(f'cannot be reached ({OPTION}): ', words)
        self.assertIn(reason, words)
        self.assertNotIn('geheim', words)
