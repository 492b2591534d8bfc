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

"""``report merge`` and ``report diff``: one report of several."""

import argparse
from collections.abc import Iterable
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
    """Write what several reports say as one, and return the exit code.

    :raises PrecheckError: when one of them cannot be read, or the merged one
        cannot be written.
    """
    outputs = _outputs(args, args.files)
    paths = _paths(args.files)
    merged = merge.merge(
        ((name, report_reader.read(paths[name])) for name in sorted(paths)),
        datetime.datetime.now(datetime.timezone.utc),
        args.expect,
        args.fail_on,
        args.max_age,
        [entry.name for entry in registry.checks() if entry.builtin],
    )
    return _write(merged, outputs, stdout)


def report_diff(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Write what a report says that an earlier one did not.

    :returns: the exit code, of what is new.
    :raises PrecheckError: when one of them cannot be read, hides its names,
        or the answer cannot be written.
    """
    outputs = _outputs(args, [args.old, args.new])
    old, new = (_named(path) for path in (args.old, args.new))
    compared = differences.compare(old, new, args.fail_on)
    return _write(compared, outputs, stdout)


def _named(path: str) -> model.Report:
    """Return a report with the names that findings are known by.

    :raises PrecheckError: when it cannot be read, or hides them.
    """
    report = report_reader.read(path)
    if report.redacted_names:
        raise exceptions.UsageError(
            f'{path}: it was written with --redact-names'
        )
    return report


class _Outputs(NamedTuple):
    """Where an answer goes, and what it must not replace."""

    reporter: base.Reporter
    targets: tuple[output.Target, ...]
    inputs: report_file.Inputs


def _outputs(args: argparse.Namespace, paths: Iterable[str]) -> _Outputs:
    """Return where the flags want the answer, before anything is read.

    :param paths: what the answer is made from.
    :raises PrecheckError: when it cannot go there.
    """
    outputs = _Outputs(
        output.reporter(args.format),
        output.targets(args.report),
        report_file.Inputs(paths),
    )
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


def _paths(paths: Iterable[str]) -> dict[str, str]:
    """Return the files of the reports by the name of their hosts.

    :raises UsageError: when two are of one host.
    """
    found: dict[str, str] = {}
    known: dict[str, str] = {}
    for path in paths:
        name = os.path.basename(path)
        if name.endswith('.json'):
            name = name[: -len('.json')]
        if name in found:
            raise exceptions.UsageError(
                f'{path}: there is another report of {name}'
            )
        real = os.path.realpath(path)
        if real in known:
            raise exceptions.UsageError(
                f'{path}: it is the same file as {known[real]}'
            )
        found[name] = known[real] = path
    return found
