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

"""Dumps of real servers, restored into a server of our own."""

import bz2
import contextlib
import datetime
import glob
import gzip
import hashlib
import lzma
import os
import pwd
import stat
import subprocess
import sys
import time
from unittest import mock

import ddt
import fixtures

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.evidence.database.dumps import contents
from manila_precheck.evidence.database.dumps import private_server
from manila_precheck.evidence.database.dumps import restore
from manila_precheck.evidence.host import programs
from manila_precheck.tests import databases
from manila_precheck.tests import fake_podman
from manila_precheck.tests import server_programs


def _packed(suffix, data):
    modules = {'gz': gzip, 'bz2': bz2, 'xz': lzma}
    return modules[suffix].compress(data)


class _DumpTest(databases.DatabaseTest):
    """Base of the tests that restore a dump."""

    def setUp(self):
        super().setUp()
        try:
            private_server._installed(self.server)
        except exceptions.SourceUnusable as exc:
            self.skipTest(str(exc))
        # A short path: that of a socket has 107 bytes.
        self.where = self.useFixture(fixtures.TempDir()).path
        os.chmod(self.where, 0o711)
        self.useFixture(fixtures.EnvironmentVariable('TMPDIR', self.where))

    def file(self, data, name='dump.sql'):
        path = os.path.join(self.where, name)
        with open(path, 'wb') as stream:
            stream.write(data)
        return path

    def dumped(self, *words):
        tool = server_programs.program(words[0])
        if tool is None:
            self.skipTest(f'no {words[0]} on this host')
        return subprocess.run(
            [tool, *words[1:]],
            check=True,
            stdout=subprocess.PIPE,
            env={'PGPASSWORD': databases.USER},
        ).stdout

    def site(self, path, **options):
        return self.useFixture(
            testing.Site(
                connection='mysql+pymysql://manila@nowhere.invalid/manila',
                source=None,
                options={'database_dump': path, **options},
            )
        )

    def opened(self, path, **options):
        """Return the context over a dump."""
        return self.site(path, **options).context()

    def refused(self, data, **options):
        """Return why a dump is not read."""
        ctx = self.opened(self.file(data), **options)
        exc = self.assertRaises(
            exceptions.SourceUnusable, lambda: ctx.database
        )
        ctx.close()
        self.assertEqual([], self.left())
        return str(exc).replace(self.where, 'TMP')

    def left(self):
        return glob.glob(f'{self.where}/{private_server._PREFIX}*')


class _RoundTrip(_DumpTest):
    """The same findings, whether the database is read or its dump."""

    def make(self):
        made = self.database('2025.1')
        made.insert(
            'services',
            {
                'binary': 'manila-share',
                'host': 'ctl1@generic',
                'topic': 'manila-share',
                'updated_at': made.now() - datetime.timedelta(seconds=5),
            },
        )
        made.insert(
            'shares',
            {'id': 'live', 'display_name': "it's; a\n\\. \\'b\u00e9\t"},
            {
                'id': 'gone',
                'deleted': 'gone',
                'deleted_at': databases.LONG_AGO,
            },
        )
        made.insert(
            'share_instances',
            {'id': 'one', 'share_id': 'live', 'status': 'migrating'},
        )
        return made

    def results(self, ctx, site):
        return [
            site.run(name, ctx)
            for name in (
                'in-flight-operations',
                'live-services',
                'pending-migrations',
                'schema-revision',
                'soft-deleted-rows',
            )
        ]

    #: What the server of an image is told when it is to end in order.
    stop = ''

    def by_image(self, made, data):
        """Have a dump restored by a server in an image."""
        podman = self.useFixture(fake_podman.FakePodman())
        # That of this host is not looked for.
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.database.dumps.private_server.'
                '_installed',
                None,
            )
        )
        self.compare(made, data, server_image='manila:2026.1')
        ((words, _),) = podman.asked('run')
        name, label = words[4:6]
        folder = label.partition('=')[2].partition('=')[2]
        account = f'{os.geteuid()}:{os.getegid()}'
        more = ['--userns=keep-id']
        if os.geteuid() == 0:
            nobody = pwd.getpwnam('nobody')
            account, more = f'{nobody.pw_uid}:{nobody.pw_gid}', []
        self.assertEqual(
            [
                *fake_podman.run_words(name, folder, account, '/bin/sh'),
                f'--env=TMPDIR={folder}',
                f'--env=HOME={folder}',
                *more,
                '--mount',
                f'type=bind,source={folder},target={folder}',
                '--mount',
                f'type=bind,source={folder}/passwd,target=/etc/passwd,'
                'readonly',
                fake_podman.ID,
                '-c',
            ],
            words[:-1],
        )
        self.assertIn(f'kill -{self.stop} ', words[-1])
        self.assertEqual(
            [['rm', '--force', name.partition('=')[2]]],
            [removed for removed, _ in podman.asked('rm')],
        )

    def compare(self, made, data, name='dump.sql', **options):
        direct = self.useFixture(
            testing.Site(connection=made.url, source=None)
        )
        ctx = direct.context()
        expected = self.results(ctx, direct)
        ctx.close()
        path = self.file(data, name)
        site = self.site(path, **options)
        ctx = site.context()
        found = self.results(ctx, site)
        rows = ctx.database.rows('SELECT display_name FROM shares ORDER BY id')
        sessions = site.run('database-sessions', ctx)
        read, files = ctx.database_read, ctx.files
        ctx.close()
        self.assertEqual(expected, found)
        self.assertEqual("it's; a\n\\. \\'b\u00e9\t", rows[1][0])
        self.assertEqual(
            (model.Outcome.NOT_APPLICABLE, 'a dump has no sessions'),
            (sessions.outcome, sessions.reason),
        )
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual((path, len(data), digest), tuple(read.dump[:3]))
        self.assertIn(model.FileRead(path, digest, 'database dump'), files)
        self.assertEqual([], self.left())
        return read.dump


@ddt.ddt
class MySQLDumpTest(_RoundTrip):
    server = 'mysql'
    stop = 'TERM'

    def test_a_server_in_an_image(self):
        made = self.make()
        self.by_image(made, self.dump(made, 'mariadb-dump', made.name))

    def dump(self, made, tool, *words):
        return self.dumped(
            tool,
            f'--host={databases.HOST}',
            f'--user={databases.USER}',
            f'--password={databases.USER}',
            '--single-transaction',
            *words,
        )

    @ddt.data('mysqldump', 'mariadb-dump')
    def test_a_dump(self, tool):
        made = self.make()
        read = self.compare(made, self.dump(made, tool, made.name))
        self.assertEqual((), read.left_out)

    @ddt.data('gz', 'bz2', 'xz')
    def test_a_compressed_dump(self, suffix):
        made = self.make()
        data = self.dump(made, 'mysqldump', made.name)
        self.compare(made, _packed(suffix, data), f'dump.sql.{suffix}')

    def test_a_row_a_statement_and_databases(self):
        made = self.make()
        data = self.dump(
            made,
            'mysqldump',
            '--skip-extended-insert',
            '--complete-insert',
            '--databases',
            made.name,
        )
        self.compare(made, data)

    def test_what_is_left_out_is_told(self):
        made = self.make()
        made.execute(
            'CREATE VIEW seen AS SELECT id FROM shares',
            'CREATE TRIGGER noted BEFORE INSERT ON shares FOR EACH ROW '
            'BEGIN SET @a = 1; SET @b = 2; END',
        )
        data = self.dump(made, 'mysqldump', made.name)
        read = self.compare(made, data)
        self.assertEqual(('1 trigger', '1 view'), read.left_out)


@ddt.ddt
class PostgreSQLDumpTest(_RoundTrip):
    server = 'postgresql'
    stop = 'INT'

    def test_a_server_in_an_image(self):
        made = self.make()
        self.by_image(made, self.dump(made))

    def dump(self, made, *words):
        return self.dumped(
            'pg_dump',
            f'--host={databases.HOST}',
            f'--username={databases.USER}',
            *words,
            made.name,
        )

    @ddt.data(
        (),
        ('--format=custom',),
        ('--format=tar',),
        ('--inserts',),
        ('--create',),
    )
    def test_a_dump(self, words):
        made = self.make()
        read = self.compare(made, self.dump(made, *words))
        self.assertEqual((), read.left_out)

    @ddt.data('gz', 'bz2', 'xz')
    def test_a_compressed_dump(self, suffix):
        made = self.make()
        data = self.dump(made)
        self.compare(made, _packed(suffix, data), f'dump.sql.{suffix}')

    def test_what_is_left_out_is_told(self):
        made = self.make()
        made.execute(
            'CREATE VIEW seen AS SELECT id FROM shares',
            'CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS '
            "'BEGIN INSERT INTO shares (id) VALUES (1);\n RETURN NEW; END'",
            'CREATE TRIGGER noted BEFORE INSERT ON shares FOR EACH ROW '
            'EXECUTE FUNCTION noted()',
        )
        read = self.compare(made, self.dump(made))
        self.assertEqual(('1 function', '1 trigger'), read.left_out)


_MYSQL_HEAD = b"""-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB
-- Host: localhost    Database: manila
-- Server version\t10.11.6-MariaDB
CREATE TABLE `shares` (`id` varchar(36) NOT NULL, PRIMARY KEY (`id`));
CREATE TABLE `share_instances` (`id` varchar(36) NOT NULL);
"""
_MYSQL_END = b"""
-- Dump completed on 2026-03-01  1:02:03
"""
_POSTGRESQL_HEAD = b"""--
-- PostgreSQL database dump
--

-- Dumped from database version 15.4
CREATE TABLE public.shares (
    id text
);
CREATE TABLE public.share_instances (
    id text
);
"""
_POSTGRESQL_END = b"""
--
-- PostgreSQL database dump complete
--

"""


class _HostileTest(_DumpTest):
    """What a dump must not do: no client runs it, and the account may not."""

    head = end = b''
    #: What no tool writes, and what looks as if one did.
    foreign: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()

    def hostile(self, text):
        self.mark = os.path.join(self.where, 'mark')
        return (
            self.head
            + text.replace('MARK', self.mark).encode()
            + b'\n'
            + self.end
        )

    def reader(self):
        """Return what takes the statements of a dump, over a new server."""
        server = private_server.start(self.server)
        self.addCleanup(server.end)
        deadline = time.monotonic() + 600
        target = restore._TARGETS[self.server](server, deadline)
        dump = restore._Dump(
            contents.Backup(
                'dump',
                self.server,
                None,
                contents.Whole.YES,
                '',
                0,
                (),
                frozenset(),
            ),
            model.DumpRead('dump', 0, '', None),
        )
        reader = restore._Restore(dump, target, 'manila', restore._Watch())
        for statement in target.cut(iter([self.head])):
            reader._take(statement)
        return reader

    def walls(self):
        reader = self.reader()
        for texts, told in (
            (self.foreign, f'is nothing that {reader._target.tool} writes'),
            (self.rejected, 'line 1: '),
        ):
            for text in texts:
                taken = text.replace('MARK', f'{self.where}/mark').encode()
                why = self.assertRaises(
                    exceptions.SourceUnusable,
                    self.take,
                    reader,
                    taken + b'\n',
                )
                self.assertIn(told, str(why), text)
                self.assertEqual([], glob.glob(f'{self.where}/mark*'), text)

    def take(self, reader, text):
        for statement in reader._target.cut(iter([text])):
            reader._take(statement)


class HostileMySQLDumpTest(_HostileTest):
    server = 'mysql'
    head, end = _MYSQL_HEAD, _MYSQL_END
    foreign = (
        '\\! touch MARK',
        'system touch MARK',
        'source /etc/passwd',
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE shares;",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE shares;",
        "SELECT 1 INTO OUTFILE 'MARK';",
        'INSERT INTO `mysql`.`user` VALUES (1);',
        'DO SLEEP(100);',
        'HANDLER shares OPEN;',
    )
    rejected = (
        # It looks like what a dump has: the server is the second wall.
        "INSERT INTO `shares` (`id`) SELECT 1 INTO OUTFILE 'MARK';",
        "INSERT INTO `shares` VALUES (1) /*!50000 INTO OUTFILE 'MARK' */;",
        'INSERT INTO `shares` (`id`) SELECT host FROM mysql.user;',
        "CREATE TABLE `x` (a int) ENGINE=CONNECT FILE_NAME='MARK';",
        'CREATE TABLE `x` (a int) ENGINE=FEDERATED CONNECTION='
        "'mysql://a@127.0.0.1:1/a/b';",
        'INSERT INTO `shares` VALUES (1); DROP TABLE shares;',
        'ALTER TABLE `shares` ADD COLUMN a int; DROP DATABASE manila;',
    )

    def test_what_a_dump_must_not_do(self):
        self.walls()

    def test_the_run_ends(self):
        self.assertEqual(
            'the dump TMP/dump.sql cannot be restored: line 6 is nothing '
            "that mysqldump writes: 'source /etc/passwd'",
            self.refused(self.hostile('source /etc/passwd;')),
        )

    def test_what_is_harmless_there(self):
        """Files that a statement names are neither read nor written."""
        ctx = self.opened(
            self.file(
                self.hostile(
                    "INSERT INTO `shares` VALUES "
                    "(COALESCE(LOAD_FILE('/etc/passwd'), 'no file'));\n"
                    "CREATE TABLE `x` (a int) ENGINE=MyISAM "
                    "DATA DIRECTORY='TMP' INDEX DIRECTORY='TMP';\n"
                    "CREATE TABLE `y` (a int) ENGINE=InnoDB "
                    "DATA DIRECTORY='TMP';\n"
                    'CREATE DATABASE other;\nUSE other;\n'
                    'CREATE TABLE `z` (a int);\n'
                    "GRANT ALL ON *.* TO a@'%';\n"
                    '/*!50003 CREATE*/ /*!50020 DEFINER=`root`@`%`*/ '
                    '/*!50003 TRIGGER t BEFORE INSERT ON shares FOR EACH ROW '
                    'SET @a = 1 */;\n'
                    'SET GLOBAL general_log_file = "MARK";'
                ).replace(b'TMP', self.where.encode())
            )
        )
        database = ctx.database
        self.assertEqual(
            [('no file',)], list(database.rows('SELECT id FROM shares'))
        )
        self.assertEqual(
            ['share_instances', 'shares', 'x', 'y'], sorted(database.shape)
        )
        variables = dict(
            database.rows(
                "SHOW VARIABLES WHERE Variable_name IN ('skip_networking', "
                "'plugin_dir', 'local_infile')"
            )
        )
        grants = [row[0] for row in database.rows('SHOW GRANTS')]
        accounts = self.accounts()
        ctx.close()
        self.assertEqual('ON', variables['skip_networking'])
        self.assertEqual('OFF', variables['local_infile'])
        self.assertIn('GRANT USAGE ON *.* TO', grants[0])
        self.assertNotIn(0 if os.geteuid() == 0 else None, accounts)
        self.assertEqual(['dump.sql'], sorted(os.listdir(self.where)))

    def accounts(self):
        """Return whom the server runs as."""
        found = set()
        (folder,) = self.left()
        for path in glob.glob('/proc/[0-9]*/cmdline'):
            try:
                with open(path, 'rb') as stream:
                    words = stream.read().split(b'\0')
                if f'--datadir={folder}/data'.encode() in words:
                    found.add(os.stat(os.path.dirname(path)).st_uid)
            except OSError:
                continue
        self.assertEqual(1, len(found))
        return found


class HostilePostgreSQLDumpTest(_HostileTest):
    server = 'postgresql'
    head, end = _POSTGRESQL_HEAD, _POSTGRESQL_END
    foreign = (
        '\\! touch MARK',
        '\\i /etc/passwd',
        '\\copy shares from /etc/passwd',
        "COPY public.shares FROM PROGRAM 'touch MARK';",
        "COPY public.shares FROM '/etc/passwd';",
        "COPY public.shares TO 'MARK';",
        "SELECT pg_read_file('/etc/passwd');",
        "LOAD 'MARK';",
        'DO $$ BEGIN PERFORM 1; END $$;',
        'ALTER SYSTEM SET listen_addresses = 1;',
        'INSERT INTO public.shares SELECT rolpassword FROM pg_authid;',
        # Cut in the wrong place, as PostgreSQL sees it.
        "CREATE TABLE public.x (a text DEFAULT '\\'); /*/* */ ; */ COPY "
        "public.shares FROM PROGRAM 'touch MARK';",
    )
    rejected = (
        "INSERT INTO public.shares VALUES (pg_read_file('/etc/passwd'));",
        "INSERT INTO public.shares VALUES (lo_import('/etc/passwd')::text);",
        "INSERT INTO public.shares VALUES (lo_export(1, 'MARK')::text);",
        'INSERT INTO public.shares (id) SELECT rolpassword FROM pg_authid;',
        'CREATE TABLE pg_catalog.x (a int);',
        'CREATE TABLE elsewhere.x (a int);',
        "INSERT INTO public.shares (id) SELECT pg_ls_dir('/');",
        "CREATE INDEX x ON public.shares ((pg_read_file('/etc/passwd')));",
    )

    def test_what_a_dump_must_not_do(self):
        self.walls()

    def test_the_run_ends(self):
        self.assertEqual(
            'the dump TMP/dump.sql cannot be restored: line 12 is nothing '
            "that pg_dump writes: '\\\\i /etc/passwd'",
            self.refused(self.hostile('\\i /etc/passwd')),
        )

    def test_what_is_left_out(self):
        ctx = self.opened(
            self.file(
                self.hostile(
                    'CREATE EXTENSION dblink;\n'
                    'CREATE FUNCTION f() RETURNS int LANGUAGE c AS '
                    "'/tmp/f.so', $a$f; \nCREATE TABLE public.no (a int)$a$;\n"
                    'CREATE DATABASE other;\n'
                    'CREATE ROLE other SUPERUSER;\n'
                    'ALTER TABLE public.shares OWNER TO postgres;\n'
                    'CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE '
                    'FUNCTION f();\n'
                    '\\connect other\n'
                    'CREATE TABLE public.elsewhere (a int);'
                )
            )
        )
        database = ctx.database
        self.assertEqual(['share_instances', 'shares'], sorted(database.shape))
        self.assertEqual(
            ('1 extension', '1 function', '1 trigger'),
            ctx.database_read.dump.left_out,
        )
        self.assertEqual(
            [(False, False, False, '')],
            [
                tuple(row)
                for row in database.rows(
                    'SELECT rolsuper, rolcreatedb, rolcreaterole, '
                    "current_setting('listen_addresses') FROM pg_roles "
                    'WHERE rolname = current_user'
                )
            ],
        )
        ctx.close()


class PrivateServerTest(_DumpTest):
    """Its files and its end."""

    server = 'postgresql'

    def dump(self):
        return self.file(_POSTGRESQL_HEAD + _POSTGRESQL_END)

    def test_its_directory_is_its_own(self):
        ctx = self.opened(self.dump())
        ctx.take_dump()
        (folder,) = self.left()
        self.assertEqual(0o700, stat.S_IMODE(os.stat(folder).st_mode))
        # Another run leaves it alone, however old it looks.
        os.utime(folder, (0, 0))
        private_server._remove_leftovers(self.where)
        self.assertEqual([folder], self.left())
        self.assertIsNotNone(ctx.database.revisions)
        ctx.close()
        self.assertEqual([], self.left())

    def test_leftovers_of_a_machine_that_went_down(self):
        old = f'{self.where}/{private_server._PREFIX}old'
        os.makedirs(f'{old}/data')
        os.utime(old, (0, 0))
        other = f'{self.where}/{private_server._PREFIX}link'
        os.symlink('/etc', other)
        ctx = self.opened(self.dump())
        ctx.take_dump()
        self.assertFalse(os.path.exists(old))
        ctx.close()
        self.assertEqual([other], self.left())
        self.assertTrue(os.path.exists('/etc/passwd'))

    def test_the_command_was_killed(self):
        code = (
            'import sys\n'
            'from manila_precheck.evidence.database.dumps import '
            'private_server as p\n'
            'server = p.start("postgresql")\n'
            'print("started", flush=True)\n'
            'sys.stdin.read()\n'
        )
        process = subprocess.Popen(
            [sys.executable, '-c', code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.assertEqual(b'started\n', process.stdout.readline())
        (folder,) = self.left()
        deadline = time.monotonic() + 60
        while not glob.glob(f'{folder}/.s.PGSQL.*[0-9]'):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
        # What removes the directory names it until it has ended.
        while self.left() or self.processes(folder):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def processes(self, folder):
        found = []
        for path in glob.glob('/proc/[0-9]*/cmdline'):
            with contextlib.suppress(OSError):
                with open(path, 'rb') as stream:
                    if folder.encode() in stream.read():
                        found.append(path)
        return found

    def test_a_disk_without_room(self):
        with mock.patch.object(
            private_server, '_free_bytes', autospec=True, return_value=1 << 20
        ):
            why = self.refused(_POSTGRESQL_HEAD + _POSTGRESQL_END)
        self.assertEqual(
            'restoring the dump needs about 321 MiB of disk space, but TMP '
            'has 1 MiB left: set TMPDIR to a directory with more',
            why,
        )

    def test_no_server_is_installed(self):
        find = programs.find
        with mock.patch.object(
            programs,
            'find',
            lambda name: None if name == 'initdb' else find(name),
        ):
            why = self.refused(_POSTGRESQL_HEAD + _POSTGRESQL_END)
        self.assertEqual(
            'a dump of PostgreSQL needs its server here to be read, and '
            'there is no initdb (package postgresql, or an image of a '
            'container that has it: --server-image)',
            why,
        )

    def test_a_dump_that_is_cut_off(self):
        self.assertEqual(
            'the dump TMP/dump.sql cannot be used: it has no "-- PostgreSQL '
            'database dump complete" at its end',
            self.refused(_POSTGRESQL_HEAD),
        )

    def test_a_dump_of_another_service(self):
        self.assertEqual(
            'the dump TMP/dump.sql does not have both shares and '
            "share_instances: it is not of manila's database",
            self.refused(b'-- PostgreSQL database dump\n' + _POSTGRESQL_END),
        )

    def test_it_takes_too_long(self):
        text = b"INSERT INTO public.shares (id) SELECT pg_sleep(600);\n"
        why = self.refused(
            _POSTGRESQL_HEAD + text + _POSTGRESQL_END,
            database_dump_seconds=15.0,
        )
        self.assertIn('cannot be restored: ', why)
