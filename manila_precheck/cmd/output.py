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

"""Write the report to standard output and to the files of ``--report``."""

from collections.abc import Iterable
from collections.abc import Iterator
import io
import os
import shutil
import sys
from typing import NamedTuple
from typing import Optional
from typing import TextIO

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.cmd import answer
from manila_precheck.cmd import report_file
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.reporters import base


class ReportFile(NamedTuple):
    """A file of ``--report``."""

    format: str
    """The name of the reporter."""

    path: str
    """The path as it was given."""

    reporter: base.Reporter


def reporter(name: str) -> base.Reporter:
    """Return the reporter of a format.

    :raises UsageError: when the format is unknown, or its reporter does not
        load.
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
        loaded = runner.isolated(
            available[name].load, runner.LOAD_TIMEOUT_SECONDS
        )
    except exceptions.PluginError as exc:
        raise exceptions.UsageError(
            f'format {name!r} does not load: {exc}'
        ) from exc
    if not (isinstance(loaded, type) and issubclass(loaded, base.Reporter)):
        raise exceptions.UsageError(
            f'format {name!r}: {loaded!r} is not a Reporter'
        )
    return loaded()


def reporters(
    reporter: base.Reporter, targets: Iterable[ReportFile]
) -> list[base.Reporter]:
    """Return the reporters for standard output and for the files."""
    return [reporter, *(target.reporter for target in targets)]


def targets(texts: Iterable[str]) -> tuple[ReportFile, ...]:
    """Return the files of ``--report``.

    :param texts: each 'FORMAT:PATH'.
    :raises UsageError: when one does not have this form, has an unknown
        format, names the same file as another, or its file cannot be written.
        Nothing is written to find that out.
    """
    found: list[ReportFile] = []
    taken: dict[report_file.Identity, str] = {}
    for text in texts:
        name, colon, path = text.partition(':')
        if not (name and colon and path):
            raise exceptions.UsageError(f'report {text!r} is not FORMAT:PATH')
        # Check the format first: a text without one may be a URL, of which
        # the part after the colon is not a path.
        one = reporter(name)
        for identity in _examined(text, path, report_file.InputFiles()):
            if identity in taken:
                raise exceptions.UsageError(
                    f'reports {taken[identity]} and {name} go to the same '
                    f'file, {path}'
                )
            taken[identity] = name
        found.append(ReportFile(name, path, one))
    return tuple(found)


def require_no_inputs(
    wanted: Iterable[ReportFile], inputs: report_file.InputFiles
) -> None:
    """Make sure that no report replaces a file that the run reads.

    :raises UsageError: when one would.
    """
    for target in wanted:
        _examined(f'{target.format}:{target.path}', target.path, inputs)


def _examined(
    text: str, path: str, inputs: report_file.InputFiles
) -> frozenset[report_file.Identity]:
    try:
        if path == '-':
            raise exceptions.OutputError('standard output is for --format')
        return report_file.examine(path, inputs)
    except exceptions.OutputError as exc:
        raise exceptions.UsageError(f'report {text!r}: {exc}') from exc


def render_files(
    wanted: Iterable[ReportFile],
    report: model.Report,
    files: list[answer.OutputFile],
    inputs: report_file.InputFiles,
) -> Iterator[str]:
    """Render the files, and yield an error for each that fails.

    :param files: the rendered files are appended to this list.
    :param inputs: the files that no report may replace.
    """
    for target in wanted:
        label = f'{target.format}:{target.path}'
        try:
            report_file.examine(target.path, inputs)
            text = render(target.reporter, report, io.StringIO())
        except exceptions.PrecheckError as exc:
            yield f'report {label}: {exc}'
            continue
        content = text.encode('utf-8', 'backslashreplace')
        files.append(
            answer.OutputFile(f'report {label}', target.path, content)
        )


def stage(files: Iterable[answer.OutputFile]) -> Iterator[str]:
    """Write the files to temporary ones, and yield an error for each failure.

    An error with one file does not keep the others from being written.
    :func:`publish` then moves them into place. Devices, pipes and standard
    output ('-') are written directly.
    """
    for file in files:
        try:
            if file.path == '-':
                sys.stdout.buffer.write(file.content)
                continue
            if file.private:
                report_file.make_directories(file.path)
            report_file.stage(
                file.path, file.content, file.label, file.private, file.owner
            )
        except exceptions.PrecheckError as exc:
            yield f'{file.label}: {exc}'
        except OSError as exc:
            yield f'{file.label}: {exc.strerror}'


def publish() -> Iterator[str]:
    """Move the files into place, and yield an error for each failure."""
    for label, problem in report_file.publish():
        yield f'{label}: {problem}'


def write(one: base.Reporter, report: model.Report, stdout: TextIO) -> None:
    """Write a report to standard output in one piece.

    :raises PluginError: when the reporter fails; then nothing is written.
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
    """Return the text that a reporter writes.

    :param text: an empty buffer for the reporter.
    :raises PluginError: when the reporter fails.
    """
    runner.isolated(lambda: one.write(report, text, width=width, color=color))
    return text.getvalue()


class _Text(io.StringIO):
    """A buffer with the encoding of the stream that it is written to later."""

    def __init__(self, encoding: Optional[str]) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> Optional[str]:  # type: ignore[override]
        return self._encoding
