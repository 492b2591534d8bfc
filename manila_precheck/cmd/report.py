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

"""``report merge`` and ``report diff``: make one report from several."""

import argparse
from collections.abc import Iterable
from collections.abc import Iterator
import datetime
import os
from typing import NamedTuple

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.cmd import answer
from manila_precheck.cmd import output
from manila_precheck.cmd import report_file
from manila_precheck.engine import registry
from manila_precheck.engine import report_reader
from manila_precheck.merge import differences
from manila_precheck.merge import merge
from manila_precheck.reporters import base


def report_merge(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Merge several reports, write the result and return its exit code.

    :raises PrecheckError: when a report cannot be read, or the result cannot
        be written.
    """
    previous = [args.previous] if args.previous else []
    paths = _paths(args.files)
    outputs = _outputs(args, [*paths.values(), *previous])
    # Read first, to report an invalid file before the many others are read.
    runs = merge.runs(report_reader.read(args.previous)) if previous else ()
    merged = merge.merge(
        (
            merge.HostReport(region, name, *report_reader.load(path))
            for (region, name), path in sorted(paths.items())
        ),
        datetime.datetime.now(datetime.timezone.utc),
        args.expect,
        args.fail_on,
        args.max_age,
        [entry.name for entry in registry.checks() if entry.builtin],
    )
    return _write(merged._replace(runs=runs), outputs, stdout)


def report_diff(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Compare a report with an earlier one, and write the result.

    :returns: the exit code, for which only new findings count.
    :raises PrecheckError: when a report cannot be read, was written with
        --redact-names, or the result cannot be written.
    """
    outputs = _outputs(args, [args.old, args.new])
    old, new = (_named(path) for path in (args.old, args.new))
    compared = differences.compare(old, new, args.fail_on)
    return _write(compared, outputs, stdout)


def _named(path: str) -> model.Report:
    """Return a report that has the real names, by which findings are compared.

    :raises PrecheckError: when it cannot be read, or was written with
        --redact-names.
    """
    report = report_reader.read(path)
    if report.redacted_names:
        raise exceptions.UsageError(
            f'{path}: it was written with --redact-names'
        )
    return report


class _Outputs(NamedTuple):
    """Where the output goes, and the files that it must not replace."""

    reporter: base.Reporter
    targets: tuple[output.ReportFile, ...]
    inputs: report_file.InputFiles


def _outputs(args: argparse.Namespace, paths: Iterable[str]) -> _Outputs:
    """Return where the flags send the output, before any report is read.

    :param paths: the files that the output is made from.
    :raises PrecheckError: when the output cannot be written there.
    """
    outputs = _Outputs(
        output.reporter(args.format),
        output.targets(args.report),
        report_file.InputFiles(paths),
    )
    for one in output.reporters(outputs.reporter, outputs.targets):
        one.verbose = args.verbose
        one.show_waivers = args.show_waivers
    output.require_no_inputs(outputs.targets, outputs.inputs)
    return outputs


def _write(
    report: model.Report, outputs: _Outputs, stdout: answer.Stdout
) -> int:
    """Write a report, and return its exit code.

    :raises PrecheckError: when it cannot be written.
    """
    reporter, targets, inputs = outputs
    problems = list(output.render_files(targets, report, stdout.files, inputs))
    try:
        output.write(reporter, report, stdout)
    except exceptions.PrecheckError as exc:
        problems.append(str(exc))
    if problems:
        raise exceptions.OutputError('; '.join(problems))
    return report.exit_code


def _paths(arguments: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return the files of the reports by region and host.

    :param arguments: files, or directories with files; a subdirectory is a
        region.
    :returns: (region, host) to path; the region is '' for none.
    :raises UsageError: when two files are of the same host, or there is none.
    """
    found: dict[tuple[str, str], str] = {}
    known: dict[str, str] = {}
    for region, path in _files(arguments):
        name = os.path.basename(path)
        if name.endswith('.json'):
            name = name[: -len('.json')]
        if (region, name) in found:
            raise exceptions.UsageError(
                f'{path}: there is another report of {name}'
            )
        real = os.path.realpath(path)
        if real in known:
            raise exceptions.UsageError(
                f'{path}: it is the same file as {known[real]}'
            )
        found[region, name] = known[real] = path
    return found


def _files(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the region and the path of each report."""
    for argument in arguments:
        if not os.path.isdir(argument):
            yield '', argument
            continue
        found = [
            *(('', path) for path in _reports(argument)),
            *(
                (os.path.basename(directory), path)
                for directory in _entries(argument)
                if os.path.isdir(directory)
                for path in _reports(directory)
            ),
        ]
        if not found:
            raise exceptions.UsageError(
                f'{argument}: there is no report (*.json) in it'
            )
        yield from found


def _reports(directory: str) -> Iterator[str]:
    for path in _entries(directory):
        if path.endswith('.json') and not os.path.isdir(path):
            yield path


def _entries(directory: str) -> list[str]:
    """Return the paths in a directory, without hidden files.

    :raises UsageError: when it cannot be listed.
    """
    try:
        names = sorted(os.listdir(directory))
    except OSError as exc:
        raise exceptions.UsageError(f'{directory}: {exc.strerror}') from exc
    return [
        os.path.join(directory, name)
        for name in names
        if not name.startswith('.')
    ]
