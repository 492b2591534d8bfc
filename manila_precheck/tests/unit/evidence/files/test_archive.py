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
import errno
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import time
import zipfile

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.files import archive
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree

PACKED = {
    'tar': lambda data: data,
    'tar.gz': gzip.compress,
    'tar.bz2': bz2.compress,
    'tar.xz': lzma.compress,
}


def member(name, kind=tarfile.REGTYPE, data=b'', target='', **more):
    """Return a member of a tar archive, with its content."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), target
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def tar(*members, form=tarfile.PAX_FORMAT):
    """Return a tar archive; a member may be bytes of its own."""
    made = b''
    for one in members:
        if isinstance(one, bytes):
            made += one
            continue
        info, data = one
        made += info.tobuf(form, 'utf-8', 'surrogateescape') + data
        made += b'\0' * (-len(data) % 512)
    return made + b'\0' * 1024


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path

    def write(self, data, name='bundle'):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as stream:
            stream.write(data)
        return path

    def read(self, data):
        return archive.read(self.write(data))

    def text(self, site, path):
        return text_file.read(path, site=site).decode()

    def refused(self, data, words):
        path = data if isinstance(data, str) else self.write(data)
        error = self.assertRaises(
            exceptions.ConfigFileError, archive.read, path
        )
        self.assertEqual(f'{path}: {words}', str(error))

    def assert_error(self, number, function, path):
        error = self.assertRaises(OSError, function, path)
        self.assertEqual(os.strerror(number), error.strerror)


@ddt.ddt
class TarTest(Case):
    @ddt.data(*PACKED)
    def test_what_it_holds(self, kind):
        long = 'x' * 200
        data = tar(
            member('./top', tarfile.DIRTYPE, mode=0o750, uid=42),
            member('./top/etc/manila/manila.conf', data=b'[DEFAULT]\n'),
            member('top/one.bin', data=b'1' * 513),
            member(f'top/{long}/{long}', data=b'long'),
            member('top/two.bin', data=b'2' * 512),
            member('top/h', tarfile.LNKTYPE, target='./top/one.bin'),
            member('top/s', tarfile.SYMTYPE, target='/top/two.bin'),
            member('top/empty'),
        )
        site = self.read(PACKED[kind](data))
        self.assertEqual(['top'], site.listdir('/'))
        self.assertEqual(
            ['empty', 'etc', 'h', 'one.bin', 's', 'two.bin', long],
            site.listdir('/top'),
        )
        self.assertEqual(
            '[DEFAULT]\n', self.text(site, '/top/etc/manila/manila.conf')
        )
        self.assertEqual('long', self.text(site, f'/top/{long}/{long}'))
        # Again, from behind.
        for name, text in (
            ('two.bin', '2' * 512),
            ('one.bin', '1' * 513),
            ('h', '1' * 513),
            ('s', '2' * 512),
            ('empty', ''),
        ):
            self.assertEqual(text, self.text(site, f'/top/{name}'))
        found = site.status('/top')
        self.assertEqual((0o40750, 42), (found.mode, found.uid))
        self.assertEqual('/top/two.bin', site.readlink('/top/s'))

    @ddt.data(tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    def test_long_names(self, form):
        name, target = 'a/' * 30 + 'b' * 120, 'c' * 300
        site = self.read(
            tar(
                member(name, data=b'text'),
                member('s', tarfile.SYMTYPE, target=target),
                form=form,
            )
        )
        self.assertEqual('text', self.text(site, f'/{name}'))
        self.assertEqual(target, site.readlink('/s'))

    def test_names_that_lead_out(self):
        site = self.read(
            tar(
                member('../out', data=b'1'),
                member('/etc/passwd', data=b'2'),
                member('a/../../out', data=b'3'),
                member('a/s', tarfile.SYMTYPE, target='../../etc/passwd'),
                member('a/t', tarfile.SYMTYPE, target='/etc/group'),
                member('a/h', tarfile.LNKTYPE, target='../../etc/group'),
                member('a/t/x', data=b'4'),
            )
        )
        self.assertEqual(['a', 'etc'], site.listdir('/'))
        self.assertEqual('2', self.text(site, '/a/s'))
        self.assertFalse(site.exists('/a/h'))
        self.assertFalse(site.exists('/etc/group'))
        # Something below a link replaces it, as a directory.
        self.assertEqual('4', self.text(site, '/a/t/x'))

    def test_loops(self):
        site = self.read(
            tar(
                member('a', tarfile.SYMTYPE, target='b'),
                member('b', tarfile.SYMTYPE, target='a/a/a'),
                member('h', tarfile.LNKTYPE, target='i'),
                member('i', tarfile.LNKTYPE, target='h'),
                member('self', tarfile.LNKTYPE, target='self'),
            )
        )
        for name in ('a', 'b', 'h', 'i', 'self'):
            self.assert_error(errno.ELOOP, site.open, f'/{name}')

    def test_what_is_no_file(self):
        site = self.read(
            tar(
                member('null', tarfile.CHRTYPE, devmajor=1, devminor=3),
                member('disk', tarfile.BLKTYPE, devmajor=8),
                member('pipe', tarfile.FIFOTYPE),
                member('dir', tarfile.DIRTYPE),
                member('odd', b'Z', data=b'text'),
            )
        )
        for name in ('null', 'disk', 'pipe'):
            error = self.assertRaises(
                exceptions.SourceUnusable, site.open, f'/{name}'
            )
            self.assertEqual(f'/{name}: not a file', str(error))
        self.assert_error(errno.EISDIR, site.open, '/dir')
        self.assert_error(errno.ENOTDIR, site.listdir, '/odd')
        self.assertEqual('text', self.text(site, '/odd'))

    def test_the_last_of_one_name(self):
        site = self.read(
            tar(
                member('a', data=b'first'),
                member('b/c', data=b'first'),
                member('a', data=b'second'),
                member('b', data=b'a file now'),
            )
        )
        self.assertEqual('second', self.text(site, '/a'))
        self.assertEqual('a file now', self.text(site, '/b'))

    def test_control_characters(self):
        name = 'etc/manila/\x1b[2J\n\udcff.conf'
        site = self.read(tar(member(name, data=b'x'), form=0))
        self.assertEqual([os.path.basename(name)], site.listdir('/etc/manila'))

    def test_a_file_with_holes(self):
        info, _ = member('etc/sparse', tarfile.GNUTYPE_SPARSE)
        block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        block[482] = 1
        block[148:156] = b' ' * 8
        block[148:156] = b'%06o\0 ' % sum(block)
        more = b'\0' * 504 + b'\1' + b'\0' * 7 + b'\0' * 512
        site = self.read(tar(bytes(block) + more, member('b', data=b'text')))
        self.assertEqual('text', self.text(site, '/b'))
        error = self.assertRaises(
            exceptions.SourceUnusable, site.open, '/etc/sparse'
        )
        self.assertEqual('/etc/sparse: it is stored with holes', str(error))

    @ddt.data(*PACKED)
    def test_cut_off(self, kind):
        data = tar(member('a', data=os.urandom(2000)), member('b'))
        packed = PACKED[kind](data)
        for size in (len(packed) // 2, len(packed) - 1100):
            if size > 600 or kind != 'tar':
                self.refused(
                    PACKED[kind](data)[:size]
                    if kind == 'tar.gz'
                    else packed[: max(size, 600)],
                    'the archive is cut off',
                )

    @ddt.data(
        (b'x' * 2000, 'neither a directory nor an archive that is read here'),
        (b'', 'neither a directory nor an archive that is read here'),
        (b'PK\3\4' + b'x' * 2000, 'the archive is damaged (BadZipFile)'),
        (
            gzip.compress(b'x' * 2000),
            'the archive is damaged (InvalidHeaderError)',
        ),
        (b'\x1f\x8b' + b'x' * 2000, 'the archive is damaged (BadGzipFile)'),
        (b'BZh9' + b'x' * 2000, 'the archive is damaged (OSError)'),
        (
            b'\xfd7zXZ\0' + b'x' * 2000,
            'the archive is damaged (Damaged)',
        ),
        (
            b'\x28\xb5\x2f\xfd' + b'x' * 2000,
            'archives of zstd are not read; unpack it and name the directory',
        ),
    )
    @ddt.unpack
    def test_damaged(self, data, words):
        self.refused(data, words)

    @ddt.data(
        b'99 a=b\n',
        b'6 a b\n',
        b'x',
        b'12 size=1\n1 \n',
        b'999999999999 a=b\n',
        b'11 size=-1\n',
        b'10 size=x\n',
    )
    def test_a_damaged_header_of_pax(self, records):
        info, data = member('x', tarfile.XHDTYPE, records)
        self.refused(
            tar((info, data), member('a'), form=tarfile.USTAR_FORMAT),
            'the archive is damaged (ValueError)',
        )

    @ddt.data(tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
    def test_a_header_without_end_was_read_into_memory(self, kind):
        info, _ = member('x', kind)
        info.size = 2**33
        self.refused(
            tar((info, b''), form=tarfile.GNU_FORMAT),
            'a header of 8589934592 bytes, more than is read of an archive',
        )

    def test_a_size_that_is_not_there(self):
        info, _ = member('a')
        info.size = 2**40
        self.refused(
            tar((info, b''), form=tarfile.GNU_FORMAT),
            'the archive is cut off',
        )

    def test_too_many_members(self):
        self.patch(archive, 'MAX_MEMBERS', 3)
        data = [member(str(n)) for n in range(3)]
        self.read(tar(*data))
        self.refused(
            tar(*data, member('4')),
            'more than 3 members, the limit for an archive; unpack it and '
            'name the directory',
        )

    def test_a_million_members_are_not_gone_through(self):
        self.patch(archive, 'MAX_MEMBERS', 5000)
        info, _ = member('a' * 90)
        header = info.tobuf(tarfile.USTAR_FORMAT)
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode='w', compresslevel=1) as out:
            for _ in range(100):
                out.write(header * 10_000)
        began = time.process_time()
        self.refused(
            packed.getvalue(),
            'more than 5000 members, the limit for an archive; unpack it and '
            'name the directory',
        )
        self.assertLess(time.process_time() - began, 20)

    @ddt.data('tar.gz', 'tar.xz', 'tar.bz2')
    def test_a_bomb(self, kind):
        self.patch(archive, 'MAX_UNPACKED', 2**24)
        info, _ = member('a')
        info.size = 2**26
        data = tar((info, b'\0' * 2**26), form=tarfile.GNU_FORMAT)
        self.refused(
            PACKED[kind](data),
            'it unpacks to more than 0 GiB, the limit for an archive; unpack '
            'it and name the directory',
        )

    def test_a_large_dictionary(self):
        filters = [{'id': lzma.FILTER_LZMA2, 'dict_size': 2**29}]
        data = lzma.compress(tar(member('a')), filters=filters)
        self.refused(data, 'unpacking it takes more than 256 MiB of memory')

    def test_a_large_file_is_read_as_far_as_it_is_wanted(self):
        info, _ = member('etc/large')
        info.size = 2**28
        path = self.write(b'', 'sparse.tar')
        with open(path, 'wb') as stream:
            stream.write(info.tobuf(tarfile.GNU_FORMAT))
            stream.seek(512 + 2**28)
            stream.write(b'\0' * 1024)
        site = archive.read(path)
        with site.open('/etc/large') as stream:
            self.assertEqual(b'\0' * 10, stream.read(10))
        error = self.assertRaises(
            exceptions.SourceUnusable,
            text_file.read,
            '/etc/large',
            2**20,
            site,
        )
        self.assertEqual(
            '/etc/large: larger than 1 MiB, the limit for such a file',
            str(error),
        )

    def test_one_that_went_away(self):
        site = self.read(tar(member('data', data=b'x' * 600)))
        with open(site.name, 'wb') as stream:
            stream.write(b'x' * 700)
        error = self.assertRaises(
            exceptions.SourceUnusable, text_file.read, '/data', 2**20, site
        )
        self.assertEqual(
            '/data: it is damaged in the archive, or encrypted (EOFError)',
            str(error),
        )

    def test_a_pipe(self):
        path = os.path.join(self.folder, 'pipe')
        os.mkfifo(path)
        self.refused(path, 'a pipe, not a file')

    def test_a_directory_with_too_many_names(self):
        self.patch(tree, 'MAX_NAMES', 2)
        site = self.read(tar(*(member(f'd/{n}') for n in range(3))))
        self.assert_error(errno.EFBIG, site.listdir, '/d')


@ddt.ddt
class ZipTest(Case):
    def zip(self, *members, compression=zipfile.ZIP_DEFLATED):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, 'w', compression) as made:
            for name, data, mode in members:
                info = zipfile.ZipInfo(name)
                info.compress_type = compression
                info.external_attr = mode << 16
                made.writestr(info, data)
        return packed.getvalue()

    def test_what_it_holds(self):
        site = self.read(
            self.zip(
                ('top/', '', stat.S_IFDIR | 0o755),
                ('top/etc/manila/manila.conf', '[DEFAULT]\n', 0),
                ('top/other', 'x' * 100, stat.S_IFREG | 0o600),
                ('top/link', '/top/other', stat.S_IFLNK | 0o777),
                ('top/pipe', '', stat.S_IFIFO),
                ('../out', '', 0),
                ('/abs', 'y', 0),
            )
        )
        self.assertEqual(['abs', 'top'], site.listdir('/'))
        self.assertEqual(
            '[DEFAULT]\n', self.text(site, '/top/etc/manila/manila.conf')
        )
        self.assertEqual('x' * 100, self.text(site, '/top/link'))
        self.assertEqual(0o100600, site.status('/top/other').mode)
        error = self.assertRaises(
            exceptions.SourceUnusable, site.open, '/top/pipe'
        )
        self.assertEqual('/top/pipe: not a file', str(error))

    def test_a_bomb(self):
        data = self.zip(('etc/bomb', b'\0' * 2**26, 0))
        site = self.read(data)
        error = self.assertRaises(
            exceptions.SourceUnusable, text_file.read, '/etc/bomb', 2**20, site
        )
        self.assertEqual(
            '/etc/bomb: larger than 1 MiB, the limit for such a file',
            str(error),
        )

    def test_a_size_that_is_not_true(self):
        # It says that it has one byte, and unpacks to 64 MiB.
        data = bytearray(self.zip(('etc/bomb', b'\0' * 2**26, 0)))
        place = data.rfind(b'PK\1\2')
        data[place + 24 : place + 28] = struct.pack('<L', 1)
        path = self.write(bytes(data))
        try:
            site = archive.read(path)
        except exceptions.ConfigFileError as exc:
            self.assertIn('damaged', str(exc))
        else:
            found = text_file.read('/etc/bomb', 2**20, site)
            self.assertLess(len(found), 2)

    @ddt.data(zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
    def test_another_compression(self, compression):
        site = self.read(
            self.zip(('etc/a', 'x' * 100, 0), compression=compression)
        )
        error = self.assertRaises(
            exceptions.SourceUnusable, site.open, '/etc/a'
        )
        self.assertEqual(
            '/etc/a: it is compressed in a way that is not read', str(error)
        )

    def test_an_encrypted_one(self):
        data = bytearray(self.zip(('etc/a', 'x', 0)))
        data[data.rfind(b'PK\1\2') + 8] |= 1
        site = self.read(bytes(data))
        error = self.assertRaises(
            exceptions.SourceUnusable, site.open, '/etc/a'
        )
        self.assertEqual('/etc/a: it is encrypted', str(error))

    def test_more_members_than_it_says(self):
        self.patch(archive, 'MAX_MEMBERS', 3)
        data = [(str(n), '', 0) for n in range(4)]
        self.read(self.zip(*data[:3]))
        packed = bytearray(self.zip(*data))
        place = packed.rfind(b'PK\5\6')
        packed[place + 8 : place + 12] = struct.pack('<2H', 1, 1)
        self.refused(
            bytes(packed),
            'more than 3 members, the limit for an archive; unpack it and '
            'name the directory',
        )

    def test_one_of_64_bits(self):
        self.patch(archive, 'MAX_MEMBERS', 3)
        self.useFixture(fixtures.MockPatch('zipfile.ZIP_FILECOUNT_LIMIT', 1))
        data = [(str(n), '', 0) for n in range(4)]
        self.assertIn(b'PK\6\6', self.zip(*data))
        self.assertEqual(
            ['0', '1', '2'], self.read(self.zip(*data[:3])).listdir('/')
        )
        self.refused(
            self.zip(*data),
            'more than 3 members, the limit for an archive; unpack it and '
            'name the directory',
        )

    def test_cut_off(self):
        data = self.zip(('etc/a', 'x', 0))
        self.refused(data[:-30], 'the archive is damaged (BadZipFile)')
