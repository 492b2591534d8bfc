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

"""``report merge``: the reports of several hosts, made into one."""

import argparse
from collections.abc import Iterable
import datetime
import os

from manila_precheck import exceptions
from manila_precheck.cmd import answer
from manila_precheck.cmd import output
from manila_precheck.cmd import report_file
from manila_precheck.engine import registry
from manila_precheck.engine import report_reader
from manila_precheck.merge import merge


def report_merge(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Write what several reports say as one, and return the exit code.

    :raises PrecheckError: when one of them cannot be read, or the merged one
        cannot be written.
    """
    reporter = output.reporter(args.format)
    targets = output.targets(args.report)
    inputs = report_file.Inputs(args.files)
    output.require_no_inputs(targets, inputs)
    paths = _paths(args.files)
    merged = merge.merge(
        ((name, report_reader.read(paths[name])) for name in sorted(paths)),
        datetime.datetime.now(datetime.timezone.utc),
        args.expect,
        args.fail_on,
        args.max_age,
        [entry.name for entry in registry.checks() if entry.builtin],
    )
    problems = list(output.render_files(targets, merged, stdout.files, inputs))
    try:
        output.write(reporter, merged, stdout)
    except exceptions.PrecheckError as exc:
        problems.append(str(exc))
    if problems:
        raise exceptions.OutputError('; '.join(problems))
    return merged.exit_code


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
