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

"""Where the report goes: standard output, and the files of ``--report``."""

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import io
import os
import shutil
import stat
import tempfile
from typing import NamedTuple
from typing import Optional
from typing import TextIO

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import registry
from manila_precheck import runner
from manila_precheck.cmd import answer
from manila_precheck.reporters import base


class Target(NamedTuple):
    """A file that a report goes to."""

    format: str
    """The name of the reporter."""

    path: str
    """As it was given."""

    reporter: base.Reporter


def reporter(name: str) -> base.Reporter:
    """Return the reporter of a format.

    :raises UsageError: when there is none, or it does not load.
    """
    available = {
        entry.name: entry
        for entry in registry.entries(registry.REPORTERS)
        if not entry.conflict
    }
    if name not in available:
        raise exceptions.UnknownName(
            'format', name, available, f'known: {", ".join(sorted(available))}'
        )
    try:
        loaded = runner.guarded(available[name].load)
    except exceptions.PluginError as exc:
        raise exceptions.UsageError(
            f'format {name!r} does not load: {exc}'
        ) from exc
    if not (isinstance(loaded, type) and issubclass(loaded, base.Reporter)):
        raise exceptions.UsageError(
            f'format {name!r}: {loaded!r} is not a Reporter'
        )
    return loaded()


def targets(texts: Iterable[str]) -> tuple[Target, ...]:
    """Return the files that ``--report`` asks for.

    :param texts: each 'FORMAT:PATH'.
    :raises UsageError: when one is no such text, has an unknown format, is
        asked for twice, or cannot be written where it is. Nothing is
        written to find out.
    """
    found: list[Target] = []
    for text in texts:
        name, colon, path = text.partition(':')
        if not (name and colon and path):
            raise exceptions.UsageError(f'report {text!r} is not FORMAT:PATH')
        _require_room(text, path)
        for other in found:
            if _one_file(path, other.path):
                raise exceptions.UsageError(
                    f'reports {other.format} and {name} go to the same file, '
                    f'{path}'
                )
        found.append(Target(name, path, reporter(name)))
    return tuple(found)


def _require_room(text: str, path: str) -> None:
    """Make sure that a file can be written at a path.

    :raises UsageError: when it cannot, saying why.
    """
    directory = os.path.dirname(os.path.realpath(path))
    reason = ''
    if path == '-':
        reason = 'standard output is for --format'
    elif os.path.isdir(path) or path.endswith('/'):
        reason = 'it is a directory'
    elif not os.path.isdir(directory):
        reason = f'there is no directory {directory}'
    elif _is_special(path):
        if not os.access(path, os.W_OK):
            reason = 'it may not be written to'
    elif not os.access(directory, os.W_OK | os.X_OK):
        reason = f'no file may be made in {directory}'
    if reason:
        raise exceptions.UsageError(f'report {text!r}: {reason}')


def _one_file(path: str, other: str) -> bool:
    if os.path.realpath(path) == os.path.realpath(other):
        return not _is_special(path)
    try:
        return os.path.samefile(path, other) and not _is_special(path)
    except OSError:
        return False


def _is_special(path: str) -> bool:
    """Say whether a path is a device or a pipe, which is never replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def render_files(
    wanted: Iterable[Target], report: model.Report, files: list[answer.File]
) -> Iterator[str]:
    """Render the files, and yield for each that was not rendered why.

    :param files: takes those that were.
    """
    for target in wanted:
        label = f'{target.format}:{target.path}'
        try:
            text = render(target.reporter, report, io.StringIO())
        except exceptions.PrecheckError as exc:
            yield f'report {label}: {exc}'
            continue
        content = text.encode('utf-8', 'backslashreplace')
        files.append(answer.File(label, target.path, content))


def stage(files: Iterable[answer.File]) -> Iterator[str]:
    """Write the files beside their places, and yield what went wrong.

    What goes wrong with one keeps none of the others from being written.
    They get to their places by :func:`publish`. A device or a pipe is
    written to.
    """
    for file in files:
        try:
            _stage(file)
        except exceptions.PrecheckError as exc:
            yield f'report {file.label}: {exc}'
        except OSError as exc:
            yield f'report {file.label}: {exc.strerror}'


def publish() -> Iterator[str]:
    """Put the files into their places, and yield what went wrong.

    Each takes the place of the one that is there, and keeps its mode.
    """
    for temporary, (path, label) in list(unfinished.items()):
        try:
            os.replace(temporary, path)
            unfinished.pop(temporary, None)
        except OSError as exc:
            yield f'report {label}: {exc.strerror}'
    discard_unfinished()


def _stage(file: answer.File) -> None:
    if _is_special(file.path):
        with open(file.path, 'wb') as stream:
            stream.write(file.content)
        return
    path = os.path.realpath(file.path)
    descriptor, temporary = tempfile.mkstemp(
        dir=os.path.dirname(path), prefix='.manila-precheck-'
    )
    unfinished[temporary] = (path, file.label)
    try:
        with os.fdopen(descriptor, 'wb') as stream:
            stream.write(file.content)
            stream.flush()
            os.fsync(stream.fileno())
            os.fchmod(stream.fileno(), _mode(path))
    except OSError:
        del unfinished[temporary]
        os.unlink(temporary)
        raise


def _mode(path: str) -> int:
    """Return the mode of a file, or what a new one gets."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        # There is no other way to ask.
        mask = os.umask(0o077)
        os.umask(mask)
        return 0o666 & ~mask


#: Files that are being written, with their places and labels, for whoever
#: ends the process meanwhile.
unfinished: dict[str, tuple[str, str]] = {}


def discard_unfinished() -> None:
    """Remove what was begun and will not be finished."""
    while unfinished:
        with contextlib.suppress(OSError):
            os.unlink(unfinished.popitem()[0])


def write(one: base.Reporter, report: model.Report, stdout: TextIO) -> None:
    """Write a report to standard output in one piece.

    :raises PluginError: when the reporter fails; nothing is written then.
    """
    terminal = stdout.isatty()
    text = render(
        one,
        report,
        _Text(getattr(stdout, 'encoding', None)),
        width=shutil.get_terminal_size((80, 24)).columns,
        color=terminal
        and not os.environ.get('NO_COLOR')
        and os.environ.get('TERM') != 'dumb',
    )
    stdout.write(text)
    stdout.flush()


def render(
    one: base.Reporter,
    report: model.Report,
    text: io.StringIO,
    width: Optional[int] = None,
    color: bool = False,
) -> str:
    """Return what a reporter writes.

    :param text: an empty buffer for it.
    :raises PluginError: when it fails.
    """
    runner.guarded(lambda: one.write(report, text, width=width, color=color))
    return text.getvalue()


class _Text(io.StringIO):
    """A buffer that says which characters its reader can take."""

    def __init__(self, encoding: Optional[str]) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> Optional[str]:  # type: ignore[override]
        return self._encoding
