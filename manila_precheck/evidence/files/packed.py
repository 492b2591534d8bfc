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

"""Read compressed files, within limits."""

from collections.abc import Iterator
import contextlib
import io
from typing import Any
from typing import Callable
from typing import IO
from typing import Optional

from manila_precheck.evidence.files import tree

# How much memory the decoder of xz may use: "xz -9" needs 65 MiB.
XZ_MEMORY_BYTES = 256 * 2**20


class TooMuch(Exception):
    """Decompressing it takes more than the limit."""


class Damaged(Exception):
    """It is not a valid file of its format."""


def is_zstd(head: bytes) -> bool:
    """Say whether a file begins like one compressed with zstd."""
    return head.startswith(b'\x28\xb5\x2f\xfd')


def opener(
    path: str, head: bytes
) -> Optional[Callable[[], contextlib.AbstractContextManager[Any]]]:
    """Return a function that opens a file of this host decompressed.

    :param head: its first bytes.
    :returns: None when it is not compressed with gzip, bzip2 or xz.
    """
    if head.startswith(b'\x1f\x8b'):
        return lambda: _gzip(path)
    if head.startswith(b'BZh'):
        return lambda: _bzip2(path)
    if head.startswith(b'\xfd7zXZ\0'):
        return lambda: Xz(tree.HOST.open(path))
    return None


@contextlib.contextmanager
def _gzip(path: str) -> Iterator[Any]:
    import gzip

    with tree.HOST.open(path) as raw, gzip.GzipFile(fileobj=raw) as stream:
        yield stream


@contextlib.contextmanager
def _bzip2(path: str) -> Iterator[Any]:
    import bz2

    with tree.HOST.open(path) as raw, bz2.BZ2File(raw) as stream:
        yield stream


class Xz(io.RawIOBase):
    """The text of an xz file, decompressed within a memory limit.

    A file may need a dictionary of 4 GiB, and lzma.open() takes no limit.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._stream = self._begin()

    def close(self) -> None:
        """Close the file, too."""
        self._packed.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        """Return a piece of the text; b'' at its end.

        :raises EOFError: when the file is truncated.
        :raises Damaged: when it is damaged.
        :raises TooMuch: when it needs too much memory.
        """
        import lzma

        while True:
            raw = b''
            if self._stream.eof:
                raw = self._after_padding()
                if not raw:
                    return b''
                self._stream = self._begin()
            elif self._stream.needs_input:
                raw = self._packed.read(io.DEFAULT_BUFFER_SIZE)
                if not raw:
                    raise EOFError('a stream has no end')
            try:
                text = self._stream.decompress(raw, size)
            except lzma.LZMAError as error:
                if 'Memory usage limit' in str(error):
                    raise TooMuch(
                        'unpacking it takes more than '
                        f'{XZ_MEMORY_BYTES >> 20} MiB of memory'
                    ) from None
                raise Damaged(str(error)) from None
            if text:
                return bytes(text)

    def _begin(self) -> Any:
        import lzma

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY_BYTES)

    def _after_padding(self) -> bytes:
        """Return the beginning of the next stream; b'' at the end."""
        raw = self._stream.unused_data.lstrip(b'\0')
        while not raw:
            raw = self._packed.read(io.DEFAULT_BUFFER_SIZE)
            if not raw:
                return b''
            raw = raw.lstrip(b'\0')
        return bytes(raw)
