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

import bz2
import datetime
import gzip
import hashlib
import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
from unittest import mock
import zlib

import ddt
import fixtures

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.evidence.database import schema as schema_source
from manila_precheck.evidence.database.dumps import contents
from manila_precheck.tests import databases
from manila_precheck.tests import rehearsals

CHECK = 'database-backup'
HEAD = '0d8c8f6d54a4'

TABLES = '\n'.join(
    f'CREATE TABLE `{table}` (\n  `id` varchar(36)\n);'
    for table in catalog.Catalog().tables(releases.parse('2025.1'))
    if table != 'alembic_version'
)

# The ends of a dump as the tools write them.
DUMP = f'''-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB
-- Host: localhost    Database: manila
{TABLES}
CREATE TABLE `alembic_version` (`version_num` varchar(32) NOT NULL);
INSERT INTO `alembic_version` VALUES
('{HEAD}');
-- Dump completed
'''

MAKE = (
    model.advice('Create a new one while the services are stopped:'),
    model.command('sqlite3 DATABASE ".backup FILE"'),
)

PACKERS = {
    'plain': lambda data: data,
    'gzip': gzip.compress,
    'bzip2': bz2.compress,
    'xz': lzma.compress,
}


def with_a_large_dictionary(data):
    """Return an xz file that asks for 4 GiB of memory to be unpacked."""
    packed = bytearray(lzma.compress(data))
    begin = 12
    end = begin + 4 * (packed[begin] + 1)
    # The size of the dictionary follows the id of LZMA2 and a length.
    packed[packed.index(b'\x21\x01', begin, end) + 2] = 40
    packed[end - 4 : end] = zlib.crc32(packed[begin : end - 4]).to_bytes(
        4, 'little'
    )
    return bytes(packed)


_read_schema = schema_source.read


def _with_sizes(db, sizes):
    """Return the schema with the size of some tables."""
    found = _read_schema(db)
    return found._replace(
        tables={
            **found.tables,
            **{
                name: found.tables[name]._replace(data_bytes=size)
                for name, size in sizes
            },
        }
    )


@ddt.ddt
class DatabaseBackupTest(databases.SQLiteTest):
    def run_check(
        self, data, name='manila.sql', age_hours=1.0, made=None, **options
    ):
        """Run the check over one file; None for no file."""
        site = self.useFixture(
            testing.Site(
                connection=(made or self.database('2025.1')).url,
                source=None,
                target='2026.1',
                stage='stopped',
                check_options={CHECK: {**options}},
            )
        )
        self.path = site.file(name)
        if data is not None:
            with open(self.path, 'wb') as stream:
                stream.write(data)
            when = testing.NOW - datetime.timedelta(hours=age_hours)
            os.utime(self.path, (when.timestamp(), when.timestamp()))
        context = site.context()
        _check().register(context.conf)
        context.conf.set_override(
            'path', self.path, group='manila_precheck_database_backup'
        )
        return site.run(CHECK, context)

    def rehearsed(self, data, text, name='manila.sql', **options):
        """Run the check with a report of a rehearsal."""
        self.report = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'rehearsal.json'
        )
        with open(self.report, 'w', encoding='utf-8') as stream:
            stream.write(text)
        return self.run_check(data, name, rehearsal=self.report, **options)

    def test_the_report_of_a_rehearsal_is_proof(self):
        data = DUMP.encode()
        digest = hashlib.sha256(data).hexdigest()
        self.assertEqual(
            self.result(), self.rehearsed(data, rehearsals.text(digest))
        )

    def test_the_size_says_nothing_of_one_that_was_restored(self):
        made = self.database('2025.1')
        data = DUMP.encode()
        digest = hashlib.sha256(data).hexdigest()
        sizes = [('shares', 10**9)]
        for text, expected in (
            (rehearsals.text(digest), []),
            (rehearsals.text(), ['other-rehearsal', 'size']),
        ):
            with mock.patch.object(
                schema_source, 'read', lambda db: _with_sizes(db, sizes)
            ):
                found = self.rehearsed(data, text, made=made)
            self.assertEqual(expected, [f.aspect for f in found.findings])

    def test_the_report_of_another_backup(self):
        found = self.rehearsed(DUMP.encode(), rehearsals.text())
        self.assertEqual(
            self.result(
                model.Finding(
                    model.Severity.WARNING,
                    model.Subject('backup', 'newest'),
                    f'the backup {self.path} is not the one that was '
                    f'rehearsed ({self.report}): whether it can be restored '
                    'is not known',
                    MAKE,
                    data={'path': self.path, 'rehearsal': self.report},
                    aspect='other-rehearsal',
                    check_id=CHECK,
                )
            ),
            found,
        )

    def test_the_rehearsal_has_failed(self):
        data = DUMP.encode()
        digest = hashlib.sha256(data).hexdigest()
        found = self.rehearsed(data, rehearsals.text(digest, proven=False))
        self.assertEqual(
            self.result(
                model.Finding(
                    model.Severity.FAILURE,
                    model.Subject('backup', 'newest'),
                    f'the backup {self.path} has failed its rehearsal: see '
                    f'rehearse-backup in {self.report}',
                    MAKE,
                    data={'path': self.path, 'rehearsal': self.report},
                    aspect='rehearsal',
                    check_id=CHECK,
                )
            ),
            found,
        )

    def test_the_report_is_none(self):
        found = self.rehearsed(DUMP.encode(), '{}')
        self.assertEqual(
            (
                model.Outcome.ERROR,
                f'{self.report} is no report of "upgrade rehearse": it is no '
                'report of --format json',
            ),
            (found.outcome, found.reason),
        )

    def result(self, *findings):
        return model.CheckResult(
            CHECK,
            'Backup of the database',
            model.Outcome.FOUND if findings else model.Outcome.PASSED,
            findings=findings,
        )

    def finding(self, severity, message, aspect, **data):
        return model.Finding(
            severity,
            model.Subject('backup', 'newest'),
            message,
            MAKE,
            check_id=CHECK,
            data=data,
            aspect=aspect,
        )

    @ddt.data(*PACKERS)
    def test_whole_and_recent(self, kind):
        packed = PACKERS[kind](DUMP.encode())
        self.assertEqual(self.result(), self.run_check(packed))

    @ddt.data(*PACKERS)
    def test_every_one_that_is_cut_off_is_known(self, kind):
        packed = PACKERS[kind](DUMP.encode())
        for length in range(0, len(packed) - 1, len(packed) // 20):
            result = self.run_check(packed[:length])
            aspects = [one.aspect for one in result.findings]
            # Of some beginnings nobody can tell what they were.
            self.assertIn(aspects[0], ('incomplete', 'unread'), str(length))
            self.assertNotIn('revision', aspects)

    @ddt.data(
        (-0.05, DUMP, False),
        (-0.2, DUMP, True),
        (-24 * 365, DUMP, True),
        (1, DUMP[:-1] + ' on 2026-12-24  9:05:06\n', True),
    )
    @ddt.unpack
    def test_a_backup_from_the_future_was_a_fresh_one(
        self, age_hours, dump, is_ahead
    ):
        made = testing.NOW - datetime.timedelta(hours=age_hours)
        if 'on 2026' in dump:
            local = datetime.datetime(2026, 12, 24, 9, 5, 6)
            made = local.astimezone(datetime.timezone.utc)
        expected = self.finding(
            model.Severity.WARNING,
            '',
            'age',
            made=made.isoformat(),
        )
        result = self.run_check(dump.encode(), age_hours=age_hours)
        expected = expected._replace(
            message=f'the backup {self.path} was made at '
            f'{made:%Y-%m-%d %H:%M} UTC, but the time here is 2026-04-01 '
            '12:00 UTC: a clock or a time zone is wrong, and its age is not '
            'known',
            data={'path': self.path, **expected.data},
        )
        self.assertEqual(
            self.result(*([expected] if is_ahead else [])), result
        )

    def test_an_xz_file_in_pieces(self):
        half = len(DUMP) // 2
        first, second = (
            lzma.compress(part.encode()) for part in (DUMP[:half], DUMP[half:])
        )
        padded = first + bytes(2**16) + second + bytes(4)
        self.assertEqual(self.result(), self.run_check(padded))

    def test_an_xz_file_took_all_memory(self):
        packed = with_a_large_dictionary(DUMP.encode())
        result = self.run_check(packed)
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    f'the backup {self.path} was not checked for completeness '
                    'or for its revision: unpacking it takes more than 256 '
                    'MiB of memory',
                    'unread',
                    path=self.path,
                )
            ),
            result,
        )

    @ddt.data(
        '2026-13-01 10:00:00', '2026-04-01 99:00:00', '0000-00-00 0:00:00'
    )
    def test_a_backup_of_no_date_crashed(self, date):
        result = self.run_check((DUMP[:-1] + f' on {date}\n').encode())
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    f'the backup {self.path} has no readable date: its age '
                    'is not known',
                    'age',
                    path=self.path,
                )
            ),
            result,
        )

    def test_not_configured(self):
        site = self.useFixture(
            testing.Site(
                connection=self.database('2025.1').url,
                source=None,
                target='2026.1',
                stage='stopped',
            )
        )
        self.assertEqual(
            model.CheckResult(
                CHECK,
                'Backup of the database',
                model.Outcome.SKIPPED,
                'no backup was given: [manila_precheck_database_backup] path '
                'is not set',
            ),
            site.run(CHECK),
        )

    @ddt.data('plan', 'upgraded')
    def test_at_another_stage(self, stage):
        site = self.useFixture(
            testing.Site(
                connection=self.database('2025.1').url,
                source=None,
                target='2026.1',
                stage=stage,
            )
        )
        self.assertEqual(model.Outcome.NOT_APPLICABLE, site.run(CHECK).outcome)

    def test_none_is_there(self):
        result = self.run_check(None)
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    f'there is no backup at {self.path}',
                    'missing',
                )
            ),
            result,
        )

    def test_a_pipe_was_waited_for(self):
        path = self.useFixture(fixtures.TempDir()).join('pipe')
        os.mkfifo(path)
        with mock.patch.object(
            contents, 'newest', autospec=True, return_value=path
        ):
            result = self.run_check(None)
        self.assertEqual(
            (model.Outcome.ERROR, f'{path}: a pipe, not a file'),
            (result.outcome, result.reason),
        )

    def test_one_that_was_cut_off(self):
        result = self.run_check(DUMP[:-20].encode())
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    f'the backup {self.path} is not complete: it has no "-- '
                    'Dump completed" at its end',
                    'incomplete',
                    path=self.path,
                )
            ),
            result,
        )

    def test_of_another_revision(self):
        result = self.run_check(DUMP.replace(HEAD, '2f27d904214c').encode())
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    f'the backup {self.path} is at revision 2f27d904214c, '
                    f'but the database is at {HEAD}: it was made at another '
                    'time or from another database',
                    'revision',
                    path=self.path,
                    revision='2f27d904214c',
                    database=HEAD,
                )
            ),
            result,
        )

    @ddt.data((24.0, False), (24.1, True))
    @ddt.unpack
    def test_age(self, hours, old):
        result = self.run_check(DUMP.encode(), age_hours=hours)
        findings = [
            self.finding(
                model.Severity.WARNING,
                f'the backup {self.path} was made at 2026-03-31 11:54 UTC, '
                '24 hours ago: it does not have what was written since',
                'age',
                path=self.path,
                hours=24.1,
                made='2026-03-31T11:54:00+00:00',
            )
        ]
        self.assertEqual(self.result(*findings[: int(old)]), result)

    def test_the_time_in_the_last_line_counts(self):
        here = testing.NOW.astimezone()
        line = f'-- Dump completed on {here:%Y-%m-%d %H:%M:%S}\n'
        dump = DUMP.replace('-- Dump completed\n', line)
        self.assertEqual(
            self.result(), self.run_check(dump.encode(), age_hours=900.0)
        )

    def test_it_lacks_tables(self):
        lacking = DUMP.replace('`shares` (', '`old` (')
        lacking = lacking.replace('`messages` (', '`older` (')
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    f'the backup {self.path_of(lacking)} does not have the '
                    'table messages, shares of the database',
                    'tables',
                    path=self.path,
                    missing=2,
                )
            ),
            self.last,
        )

    def test_it_lacks_what_a_stopped_migration_left_behind(self):
        made = self.database('2025.1')
        made.execute('CREATE TABLE encryption_refs (id VARCHAR(36))')
        self.assertEqual(
            self.result(), self.run_check(DUMP.encode(), made=made)
        )

    def path_of(self, data):
        self.last = self.run_check(data.encode())
        return self.path

    def packed(self, tool):
        if shutil.which(tool) is None:
            self.skipTest(f'there is no {tool}')
        return subprocess.run(
            [tool, '-q', '-c'],
            input=DUMP.encode(),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout

    @ddt.data('zstd', 'lz4')
    def test_packed_by_a_tool(self, tool):
        packed = self.packed(tool)
        self.assertEqual(self.result(), self.run_check(packed))
        cut = self.run_check(packed[: len(packed) // 2])
        self.assertEqual(['incomplete'], [f.aspect for f in cut.findings])

    @ddt.data(
        ('zstd', b'\x28\xb5\x2f\xfd'),
        ('lz4', b'\x04\x22\x4d\x18'),
    )
    @ddt.unpack
    def test_the_tool_that_unpacks_it_is_not_here(self, tool, head):
        self.useFixture(fixtures.EnvironmentVariable('PATH', '/nowhere'))
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.programs._PATH', ()
            )
        )
        gone = dict.fromkeys(('compression.zstd', 'pyzstd', 'zstandard'))
        self.useFixture(
            fixtures.MonkeyPatch('sys.modules', {**sys.modules, **gone})
        )
        result = self.run_check(head + b'something')
        self.assertEqual(
            f'the backup {self.path} was not checked for completeness or for '
            f'its revision: it is compressed with {tool}, and no program '
            'that decompresses it is installed here',
            result.findings[0].message,
        )

    @ddt.data('w', 'w:gz')
    def test_an_archive_of_files(self, mode):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode=mode) as stream:
            member = tarfile.TarInfo('manila.sql')
            member.size = len(DUMP)
            stream.addfile(member, io.BytesIO(DUMP.encode()))
        result = self.run_check(archive.getvalue())
        self.assertEqual(
            [
                (
                    model.Severity.WARNING,
                    f'the backup {self.path} was not checked for '
                    'completeness or for its revision: it is a file archive',
                )
            ],
            [(one.severity, one.message) for one in result.findings],
        )

    @ddt.data(b'', b'\n\n', gzip.compress(b''))
    def test_an_empty_one_was_of_a_format_that_is_not_known(self, data):
        result = self.run_check(data)
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    f'the backup {self.path} is not complete: it is empty',
                    'incomplete',
                    path=self.path,
                )
            ),
            result,
        )

    def test_an_empty_directory(self):
        folder = self.useFixture(fixtures.TempDir()).path
        result = self.run_check(None, folder)
        self.assertEqual(
            [f'the backup {folder} is not complete: it is empty'],
            [
                one.message
                for one in result.findings
                if one.severity is model.Severity.FAILURE
            ],
        )

    def test_a_link_to_itself_crashed(self):
        folder = self.useFixture(fixtures.TempDir()).path
        path = os.path.join(folder, 'a.sql')
        os.symlink('a.sql', path)
        result = self.run_check(None, path)
        self.assertEqual(
            (
                model.Outcome.ERROR,
                f'{path}: Too many levels of symbolic links',
            ),
            (result.outcome, result.reason),
        )

    def test_something_else(self):
        result = self.run_check(b'a picture')
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    f'the backup {self.path} was not checked for '
                    'completeness or for its revision: its format is not '
                    'known',
                    'unread',
                    path=self.path,
                )
            ),
            result,
        )


def _check():
    from manila_precheck.checks.database_backup import check as database_backup

    return database_backup.DatabaseBackup()
