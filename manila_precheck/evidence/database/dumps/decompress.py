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
"""The text of a dump, whatever its compression.

It is plain, compressed by gzip, bzip2, xz, zstd or lz4, or comes from
pg_restore where the dump has one of pg_dump's own formats.
"""

from collections.abc import Iterator
import importlib
import os
import threading
import time
from typing import Any
from typing import IO
from typing import Optional
from typing import TYPE_CHECKING
import zlib

from manila_precheck import exceptions
from manila_precheck.evidence.files import packed as packed_files
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.host import programs

if TYPE_CHECKING:
    import subprocess

_CHUNK_BYTES = 1 << 20

# How long pg_restore may take to end after its last line.
_EXIT_SECONDS = 10


class Cut(Exception):
    """The stream ends too early, or its format says that it is damaged."""


class Unread(Exception):
    """The dump cannot be read on this host."""


def chunks(path: str, deadline: float) -> Iterator[bytes]:
    """Yield the text of a dump, whatever its compression.

    :raises Cut: when it ends too early.
    :raises Unread: when it cannot be read here, or takes too long.
    """
    stream, process = _open(path)
    watch = None
    if process is not None:
        # While a program writes nothing, _pieces() does not see the deadline.
        left = max(deadline - time.monotonic(), 0.0)
        watch = threading.Timer(left, programs.end, [process])
        watch.daemon = True
        watch.start()
    try:
        with stream:
            yield from _pieces(stream, deadline)
        code = process.wait(_EXIT_SECONDS) if process else 0
    except (EOFError, zlib.error, packed_files.Damaged) as error:
        raise Cut(f'it is truncated or damaged ({error})') from None
    except packed_files.TooMuch as error:
        raise Unread(str(error)) from None
    except OSError as error:
        # The errors of gzip and bz2 for damaged data have no errno.
        if error.errno is not None:
            raise
        raise Cut(f'it is damaged ({error})') from None
    finally:
        if watch is not None:
            watch.cancel()
        if process is not None:
            programs.end(process)
    if code < 0:
        raise Unread('reading all of it takes too long')
    if code:
        raise Cut(f'the program that reads it failed (exit code {code})')


def _pieces(stream: IO[bytes], deadline: float) -> Iterator[bytes]:
    while True:
        piece = stream.read(_CHUNK_BYTES)
        if not piece:
            return
        yield piece
        if time.monotonic() > deadline:
            raise Unread('reading all of it takes too long')


def _open(path: str) -> '_Stream':
    head = b''
    if not os.path.isdir(path):
        with text_file.open_file(path) as plain:
            head = plain.read(263)
    if head[257:] == b'ustar\0' and head.startswith(b'toc.dat\0'):
        _require_end_of_tar(path)
        return _pg_restore(path)
    if os.path.isdir(path) or head[:5] == b'PGDMP':
        return _pg_restore(path)
    if head[:2] == b'\x1f\x8b':
        import gzip

        packed: Any = gzip.open(path)
        return packed, None
    if head[:3] == b'BZh':
        import bz2

        return bz2.open(path), None
    if head[:6] == b'\xfd7zXZ\0':
        unpacked: Any = packed_files.Xz(text_file.open_file(path))
        return unpacked, None
    if head[:4] == b'\x28\xb5\x2f\xfd':
        return _zstd(path)
    if head[:4] == b'\x04\x22\x4d\x18':
        return _unpacked('lz4', path)
    return text_file.open_file(path), None


def _require_end_of_tar(path: str) -> None:
    """Make sure that a tar archive ends with two empty blocks.

    In a truncated one pg_restore (15) looks for the next member forever.
    """
    with open(path, 'rb') as archive:
        size = archive.seek(0, os.SEEK_END)
        archive.seek(max(size - 1024, 0))
        if size % 512 or archive.read().strip(b'\0'):
            raise Cut('it ends before the end of the archive')


_Stream = tuple[IO[bytes], 'Optional[subprocess.Popen[bytes]]']


def _pg_restore(path: str) -> _Stream:
    # It reads the whole file and writes SQL; it connects to nothing.
    return _of_program(
        ['pg_restore', '--file=-', os.path.abspath(path)],
        'it is in a custom format of pg_dump, and pg_restore is not '
        'installed here',
    )


def _zstd(path: str) -> _Stream:
    for name in ('compression.zstd', 'pyzstd', 'zstandard'):
        try:
            module: Any = importlib.import_module(name)
        except ImportError:
            continue
        stream: IO[bytes] = module.open(path, 'rb')
        return stream, None
    return _unpacked('zstd', path)


def _unpacked(name: str, path: str) -> _Stream:
    """Return the output of the tool of a compression."""
    return _of_program(
        [name, '--decompress', '--stdout', os.path.abspath(path)],
        f'it is compressed with {name}, and no program that decompresses it '
        'is installed here',
    )


def _of_program(words: list[str], without: str) -> _Stream:
    """Return the output of a program.

    :param without: the message for when the program is not installed.
    """
    try:
        program = programs.find(words[0])
    except exceptions.SourceUnusable as exc:
        raise Unread(str(exc)) from exc
    if program is None:
        raise Unread(without)
    process = programs.start([program, *words[1:]])
    assert process.stdout is not None
    return process.stdout, process
