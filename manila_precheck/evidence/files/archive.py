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

"""A bundle that is an archive; it is read in place and never unpacked.

A tar archive is read once to index its members. Short members that are likely
to be needed are kept in memory, because a compressed archive has to be
decompressed from its beginning for each member. tarfile is not used for this:
it reads a header of any length into memory, and takes a truncated archive for
a complete one.
"""

from collections.abc import Iterator
import errno
import io
import os
import stat
import struct
import tarfile
from typing import Any
from typing import Callable
from typing import IO
from typing import NamedTuple
from typing import NoReturn
from typing import Optional
from typing import Union
import zipfile
import zlib

from manila_precheck import exceptions
from manila_precheck.evidence.files import packed
from manila_precheck.evidence.files import tree

#: How many members an archive may have.
MAX_MEMBERS = 200_000

#: How many bytes of an archive are unpacked, all members together.
MAX_UNPACKED = 8 * 2**30

# The maximum length of a member's name, and the maximum depth.
_MAX_NAME = 4096
_MAX_DEPTH = 64

# The maximum size of a header with a long name or with further attributes.
_MAX_HEADER = 2**20

# The maximum size of a member that is kept in memory, and of all together.
_KEPT_BYTES = 2**20
_KEPT_TOGETHER = 64 * 2**20
_MAY_BE_ASKED_FOR = ('manila', 'kolla', 'etc/', 'hostname', 'secret')

# The end record of a zip archive, which has the size of the list of members.
_END = struct.Struct('<4s4H2LH')
_END_64 = struct.Struct('<4sQ2H2L4Q')
_LOCATOR_64_BYTES = 20
_MAX_COMMENT = 2**16
# An entry of that list: fixed fields, and the lengths of its three texts.
_ENTRY = struct.Struct('<28s3H12x')

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 2**18

# What the libraries raise for damaged data.
_DAMAGED = (EOFError, OSError, zlib.error, packed.Damaged)


class _Member(NamedTuple):
    """One member that is not a directory."""

    status: tree.Status
    target: str = ''
    """The target of a link; for a hard link the name of the other member."""

    hard: bool = False

    place: int = 0
    """The offset of its contents; in a zip archive that of its header."""

    contents: Optional[bytes] = None
    """Its contents, if they are kept in memory."""

    problem: str = ''
    """Why it cannot be read; '' when it can."""


class _Folder:
    """A directory of an archive."""

    def __init__(self) -> None:
        self.members: dict[str, Union[_Folder, _Member]] = {}
        self.status = tree.Status(stat.S_IFDIR | 0o755, 0)


class Archive(tree.Bundle):
    """The members of an archive, as if its root were '/'.

    :param path: a file of this host.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._left = _KEPT_TOGETHER
        self._top = _Folder()
        self._count = 0

    # -- building the index --------------------------------------------------

    def _put(self, name: str, made: Union[_Folder, _Member]) -> None:
        """Add a member; it replaces an earlier one of the same name."""
        self._count += 1
        if self._count > MAX_MEMBERS:
            _refuse_many(self.name)
        parts = [part for part in name.split('/') if part not in ('', '.')]
        if (
            '..' in parts
            or len(parts) > _MAX_DEPTH
            or len(name) > _MAX_NAME
            or '\0' in name
        ):
            # No file system can have a file of this name.
            return
        folder = self._top
        for part in parts[:-1]:
            there = folder.members.get(part)
            if not isinstance(there, _Folder):
                there = folder.members[part] = _Folder()
            folder = there
        if not parts:
            return
        there = folder.members.get(parts[-1])
        if isinstance(made, _Folder) and isinstance(there, _Folder):
            there.status = made.status
            return
        folder.members[parts[-1]] = made

    # -- the methods of a tree -----------------------------------------------

    def _find(self, names: tuple[str, ...]) -> Union[_Folder, _Member]:
        found: Union[_Folder, _Member] = self._top
        for name in names:
            if not isinstance(found, _Folder) or name not in found.members:
                raise _error(errno.ENOENT, names)
            found = found.members[name]
        for _ in range(tree.MAX_LINKS):
            if not (isinstance(found, _Member) and found.hard):
                return found
            other = self._top
            parts = [p for p in found.target.split('/') if p not in ('', '.')]
            there: Union[_Folder, _Member, None] = other
            for part in parts:
                if not isinstance(there, _Folder):
                    there = None
                    break
                there = there.members.get(part)
            if there is None:
                raise _error(errno.ENOENT, names)
            found = there
        raise _error(errno.ELOOP, names)

    def entry(self, names: tuple[str, ...]) -> tree.Status:
        """Return the status of the entry at these names."""
        return self._find(names).status

    def link(self, names: tuple[str, ...]) -> str:
        """Return the target of a link."""
        found = self._find(names)
        if not stat.S_ISLNK(found.status.mode):
            raise _error(errno.EINVAL, names)
        assert isinstance(found, _Member)
        return found.target

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        found = self._find(self.resolve(path))
        if not isinstance(found, _Folder):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        if len(found.members) > tree.MAX_NAMES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return sorted(found.members)

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""
        found = self._find(self.resolve(path))
        if isinstance(found, _Folder):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(found.status.mode) or found.problem:
            raise exceptions.SourceUnusable(
                f'{path}: {found.problem or "not a file"}'
            )
        if found.contents is not None:
            return io.BytesIO(found.contents)
        return io.BufferedReader(_Contents(self._unpack(found), path))

    def _unpack(self, member: _Member) -> Iterator[bytes]:
        """Yield the contents of a member in pieces."""
        raise NotImplementedError


class _Contents(io.RawIOBase):
    """A stream over pieces; its errors are like those of a file."""

    def __init__(self, pieces: Iterator[bytes], path: str) -> None:
        self._pieces = pieces
        self._path = path
        self._rest = b''

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._pieces)
            except StopIteration:
                return 0
            except (*_DAMAGED, zipfile.BadZipFile, RuntimeError) as exc:
                raise exceptions.SourceUnusable(
                    f'{self._path}: it is damaged in the archive, or '
                    f'encrypted ({type(exc).__name__})'
                ) from None
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


# -- tar ---------------------------------------------------------------------


class _Bytes:
    """The uncompressed bytes of an archive, from the beginning."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.place = 0

    def some(self, size: int) -> bytes:
        """Return at most ``size`` bytes; b'' at the end."""
        data: bytes = self._stream.read(min(size, _CHUNK))
        self.place += len(data)
        if self.place > MAX_UNPACKED:
            raise packed.TooMuch(
                f'it unpacks to more than {MAX_UNPACKED >> 30} GiB, the '
                'limit for an archive; unpack it and name the directory'
            )
        return data

    def exactly(self, size: int) -> bytes:
        """Return ``size`` bytes.

        :raises EOFError: when there are fewer.
        """
        pieces = []
        while size:
            data = self.some(size)
            if not data:
                raise EOFError
            pieces.append(data)
            size -= len(data)
        return b''.join(pieces)

    def skip(self, size: int) -> None:
        """Skip ``size`` bytes.

        :raises EOFError: when there are fewer.
        """
        while size:
            data = self.some(size)
            if not data:
                raise EOFError
            size -= len(data)


class Tar(Archive):
    """A tar archive, compressed or not.

    :param open_again: opens the uncompressed stream from the beginning.
    :param compressed: whether seeking is slow.
    :raises ConfigFileError: when it is damaged, or too large.
    """

    def __init__(
        self, path: str, open_again: Callable[[], Any], compressed: bool
    ) -> None:
        super().__init__(path)
        self._open_again = open_again
        self._compressed = compressed
        if not compressed:
            self._left = 0
        try:
            with open_again() as stream:
                self._index(_Bytes(stream))
        except EOFError:
            _refuse(f'{path}: the archive is cut off')
        except packed.TooMuch as exc:
            _refuse(f'{path}: {exc}')
        except (tarfile.HeaderError, ValueError, *_DAMAGED) as exc:
            _refuse(f'{path}: the archive is damaged ({type(exc).__name__})')

    def _index(self, data: _Bytes) -> None:
        more: dict[str, str] = {}
        for_all: dict[str, str] = {}
        while True:
            block = data.exactly(_BLOCK)
            if not block.strip(b'\0'):
                # Two zero blocks end the archive; the rest is ignored.
                return
            info = tarfile.TarInfo.frombuf(block, 'utf-8', 'surrogateescape')
            kind = info.type
            if kind in (
                tarfile.GNUTYPE_LONGNAME,
                tarfile.GNUTYPE_LONGLINK,
                tarfile.XHDTYPE,
                tarfile.SOLARIS_XHDTYPE,
                tarfile.XGLTYPE,
            ):
                text = self._header(data, info.size)
                if kind == tarfile.GNUTYPE_LONGNAME:
                    more['path'] = _text(text)
                elif kind == tarfile.GNUTYPE_LONGLINK:
                    more['linkpath'] = _text(text)
                else:
                    into = for_all if kind == tarfile.XGLTYPE else more
                    into.update(_records(text))
                continue
            sparse = kind == tarfile.GNUTYPE_SPARSE
            extended = block[482] if sparse else 0
            while extended:
                extended = data.exactly(_BLOCK)[504]
            known = {**for_all, **more}
            more = {}
            self._member(data, info, known, sparse)

    def _header(self, data: _Bytes, size: int) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            _refuse(
                f'{self.name}: a header of {size} bytes, more than is read '
                'of an archive'
            )
        text = data.exactly(size)
        data.skip(-size % _BLOCK)
        return text

    def _member(
        self,
        data: _Bytes,
        info: tarfile.TarInfo,
        known: dict[str, str],
        sparse: bool,
    ) -> None:
        name = known.get('path', info.name)
        size = int(known.get('size', info.size))
        if size < 0:
            raise ValueError
        sparse = sparse or any(one.startswith('GNU.sparse') for one in known)
        status = tree.Status(_mode(info), size, info.uid, info.gid)
        if stat.S_ISDIR(status.mode):
            folder = _Folder()
            folder.status = status
            self._put(name, folder)
        elif stat.S_ISREG(status.mode):
            place = data.place
            contents = None
            if not (info.islnk() or sparse) and (
                size <= min(_KEPT_BYTES, self._left) and _asked_for(name)
            ):
                contents = data.exactly(size)
                self._left -= size
            self._put(
                known.get('GNU.sparse.name', name),
                _Member(
                    status,
                    known.get('linkpath', info.linkname),
                    info.islnk(),
                    place,
                    contents,
                    'it is stored with holes' if sparse else '',
                ),
            )
        else:
            target = known.get('linkpath', info.linkname)
            self._put(name, _Member(status, target))
        if stat.S_ISREG(status.mode) and not info.islnk():
            done = data.place
            end = place + size + -size % _BLOCK
            data.skip(end - done)

    def _unpack(self, member: _Member) -> Iterator[bytes]:
        with self._open_again() as stream:
            data = _Bytes(stream)
            if self._compressed:
                data.skip(member.place)
            else:
                stream.seek(member.place)
            left = member.status.size
            while left:
                piece = data.some(left)
                if not piece:
                    raise EOFError
                left -= len(piece)
                yield piece


def _mode(info: tarfile.TarInfo) -> int:
    """Return the kind and the permissions, as in stat()."""
    mode = info.mode & 0o7777
    for kind, found in (
        (stat.S_IFDIR, info.isdir()),
        (stat.S_IFLNK, info.issym()),
        (stat.S_IFCHR, info.ischr()),
        (stat.S_IFBLK, info.isblk()),
        (stat.S_IFIFO, info.isfifo()),
    ):
        if found:
            return kind | mode
    return stat.S_IFREG | mode


def _asked_for(name: str) -> bool:
    return any(word in name for word in _MAY_BE_ASKED_FOR) or name.endswith(
        ('.yaml', '.yml', '.json')
    )


def _text(data: bytes) -> str:
    return data.rstrip(b'\0').decode('utf-8', 'surrogateescape')


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the records of a pax header: 'LENGTH NAME=VALUE\\n'."""
    while data:
        number, blank, _ = data.partition(b' ')
        length = int(number) if number.isdigit() and len(number) < 9 else 0
        if not blank or not len(number) + 1 < length <= len(data):
            raise ValueError
        record = data[len(number) + 1 : length].rstrip(b'\n')
        name, equals, value = record.partition(b'=')
        if not equals:
            raise ValueError
        yield _text(name), value.decode('utf-8', 'surrogateescape')
        data = data[length:]


# -- zip ---------------------------------------------------------------------


class Zip(Archive):
    """A zip archive.

    :raises ConfigFileError: when it is damaged, or too large.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        try:
            with tree.HOST.open(path) as stream:
                _require_few(path, stream)
                with zipfile.ZipFile(stream) as archive:
                    for info in archive.infolist():
                        self._member(archive, info)
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            ValueError,
            struct.error,
            *_DAMAGED,
        ) as exc:
            _refuse(f'{path}: the archive is damaged ({type(exc).__name__})')

    def _member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        mode = info.external_attr >> 16
        if info.is_dir():
            self._put(info.filename, _Folder())
            return
        if not stat.S_IFMT(mode):
            # From a system without file modes.
            mode |= stat.S_IFREG
        problem = target = ''
        contents = None
        if info.flag_bits & 1:
            problem = 'it is encrypted'
        elif info.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            problem = 'it is compressed in a way that is not read'
        elif stat.S_ISLNK(mode):
            with archive.open(info) as stream:
                target = _text(stream.read(_MAX_NAME))
        elif info.file_size <= min(_KEPT_BYTES, self._left) and _asked_for(
            info.filename
        ):
            # Kept: otherwise zipfile reads the whole list for each member.
            with archive.open(info) as stream:
                contents = stream.read(_KEPT_BYTES)
            self._left -= len(contents)
        self._put(
            info.filename,
            _Member(
                tree.Status(mode, info.file_size),
                target,
                place=info.header_offset,
                contents=contents,
                problem=problem,
            ),
        )

    def _unpack(self, member: _Member) -> Iterator[bytes]:
        with zipfile.ZipFile(tree.HOST.open(self.name)) as archive:
            (info,) = (
                one
                for one in archive.infolist()
                if one.header_offset == member.place
            )
            with archive.open(info) as stream:
                while True:
                    piece = stream.read(_CHUNK)
                    if not piece:
                        return
                    yield piece


def _require_few(path: str, stream: IO[bytes]) -> None:
    """Make sure that the list of members is not too long.

    zipfile reads all of it into memory and makes an object of each member,
    whatever number the end record has.

    :raises ConfigFileError: when it is too long.
    """
    place, size = _list_of(stream)
    stream.seek(max(place, 0))
    count = 0
    while size >= _ENTRY.size:
        head = stream.read(_ENTRY.size)
        if len(head) < _ENTRY.size:
            return
        lengths = _ENTRY.unpack(head)[1:]
        stream.seek(sum(lengths), os.SEEK_CUR)
        size -= _ENTRY.size + sum(lengths)
        count += 1
        if count > MAX_MEMBERS:
            _refuse_many(path)


def _list_of(stream: IO[bytes]) -> tuple[int, int]:
    """Return the offset and the size of the list of members.

    The list is right before the end record, whatever offset that has
    (zipfile, _RealGetContents).
    """
    whole = stream.seek(0, os.SEEK_END)
    start = max(0, whole - _END.size - _MAX_COMMENT)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b'PK\5\6')
    if at < 0 or len(tail) - at < _END.size:
        return 0, 0
    size: int = _END.unpack_from(tail, at)[5]
    end = start + at
    before = end - _LOCATOR_64_BYTES - _END_64.size
    if before >= 0:
        stream.seek(before)
        found = _END_64.unpack(stream.read(_END_64.size))
        if found[0] == b'PK\6\6' and stream.read(4) == b'PK\6\7':
            size, end = found[8], before
    return end - size, size


# -- which one it is ---------------------------------------------------------


def read(path: str) -> Archive:
    """Return the archive in a file.

    :raises ConfigFileError: when it is not one, damaged, or too large.
    """
    try:
        with tree.HOST.open(path) as stream:
            head = stream.read(_BLOCK) or b''
    except (OSError, exceptions.SourceUnusable) as exc:
        reason = getattr(exc, 'strerror', None)
        _refuse(f'{path}: {reason}' if reason else str(exc))
    if head.startswith((b'PK\3\4', b'PK\5\6')):
        return Zip(path)
    opened = packed.opener(path, head)
    if opened is not None:
        return Tar(path, opened, compressed=True)
    if packed.is_zstd(head):
        _refuse(
            f'{path}: archives of zstd are not read; unpack it and name the '
            'directory'
        )
    if len(head) == _BLOCK:
        try:
            tarfile.TarInfo.frombuf(head, 'utf-8', 'surrogateescape')
        except (tarfile.HeaderError, ValueError):
            pass
        else:
            return Tar(path, lambda: tree.HOST.open(path), compressed=False)
    _refuse(f'{path}: neither a directory nor an archive that is read here')


def _refuse_many(path: str) -> NoReturn:
    _refuse(
        f'{path}: more than {MAX_MEMBERS} members, the limit for an archive; '
        'unpack it and name the directory'
    )


def _refuse(words: str) -> NoReturn:
    raise exceptions.ConfigFileError(words) from None


def _error(number: int, names: tuple[str, ...]) -> OSError:
    return OSError(number, os.strerror(number), '/' + '/'.join(names))
