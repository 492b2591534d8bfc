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

"""The output of a command, which is written only when it is complete."""

from collections.abc import Sequence
import io
import json
from typing import NamedTuple
from typing import Optional
from typing import TextIO

_HEAD = b'manila-precheck answer 1\n'
_TAIL = b'\nend of the answer\n'


class OutputFile(NamedTuple):
    """A file that a command writes."""

    label: str
    """Its name in messages: 'report FORMAT:PATH'."""

    path: str
    """The path of the file; '-' is standard output, as bytes."""

    content: bytes

    private: bool = False
    """Whether only its owner may read it; missing directories are then
    created."""

    owner: Optional[tuple[int, int]] = None
    """The ids of its user and group; None for those of the process."""


class Answer(NamedTuple):
    """Everything that a command writes, and its exit code."""

    code: int
    stdout: str = ''
    files: tuple[OutputFile, ...] = ()

    error: str = ''
    """The message for standard error, on one line; '' for none."""


class Stdout(io.StringIO):
    """A buffer for standard output that has the properties of a stream.

    :param stdout: the stream whose encoding and terminal it reports.
    """

    def __init__(self, stdout: TextIO) -> None:
        super().__init__()
        self._encoding = getattr(stdout, 'encoding', None)
        self._terminal = stdout.isatty()
        #: The files that the command also writes.
        self.files: list[OutputFile] = []

    @property
    def encoding(self) -> Optional[str]:  # type: ignore[override]
        """The encoding of standard output; None allows any character."""
        return self._encoding

    def isatty(self) -> bool:
        """Say whether the standard output is a terminal."""
        return self._terminal


def dump(answer: Answer) -> bytes:
    """Return an answer as bytes, for :func:`load`."""
    parts = [
        answer.stdout.encode('utf-8', 'surrogatepass'),
        *(file.content for file in answer.files),
    ]
    head = json.dumps(
        {
            'code': answer.code,
            'error': answer.error,
            'files': [
                (file.label, file.path, file.private, file.owner)
                for file in answer.files
            ],
            'sizes': [len(part) for part in parts],
        }
    ).encode()
    size = b'%d\n' % len(head)
    return b''.join([_HEAD, size, head, *parts, _TAIL])


def load(data: bytes) -> Optional[Answer]:
    """Return the answer that dump() encoded; None if it is incomplete."""
    if not (data.startswith(_HEAD) and data.endswith(_TAIL)):
        return None
    size, _, rest = data[len(_HEAD) : -len(_TAIL)].partition(b'\n')
    try:
        head = json.loads(rest[: int(size)])
        stdout, *contents = _cut(rest[int(size) :], head['sizes'])
        return Answer(
            code=int(head['code']),
            stdout=stdout.decode('utf-8', 'surrogatepass'),
            files=tuple(
                OutputFile(
                    label,
                    path,
                    content,
                    private is True,
                    None if owner is None else (int(owner[0]), int(owner[1])),
                )
                for (label, path, private, owner), content in zip(
                    head['files'], contents
                )
            ),
            error=str(head['error']),
        )
    except (ValueError, LookupError, TypeError):
        return None


def _cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Split data into parts of these sizes.

    :raises ValueError: when the sizes do not add up to that of the data.
    """
    if sum(sizes) != len(data):
        raise ValueError(f'{len(data)} bytes, not {sum(sizes)}')
    parts = []
    start = 0
    for size in sizes:
        parts.append(data[start : start + size])
        start += size
    return parts
