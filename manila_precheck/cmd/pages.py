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
"""``check list`` and ``check explain``: what the checks are."""

import argparse
import inspect
import textwrap
from typing import TextIO

from manila_precheck import check
from manila_precheck import exceptions
from manila_precheck import registry
from manila_precheck import runner


def check_list(args: argparse.Namespace, stdout: TextIO) -> int:
    """Write a line for every registered check, loadable or not."""
    rows = []
    for entry in registry.checks():
        loaded = runner.load(entry)
        if isinstance(loaded, check.Check):
            stages = loaded.stage_words()
            sources = [s.value for s in loaded.sources()]
            rows.append(
                (
                    entry.result_id,
                    ', '.join(stages),
                    ', '.join(sources) or '-',
                    str(loaded.title),
                )
            )
        else:
            rows.append((entry.result_id, '-', '-', loaded))
    head = ('ID', 'STAGES', 'SOURCES', 'TITLE')
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(3)]
    for row in [head, *rows]:
        cells = [row[i].ljust(widths[i]) for i in range(3)]
        stdout.write('  '.join([*cells, row[3]]) + '\n')
    return 0


def check_explain(args: argparse.Namespace, stdout: TextIO) -> int:
    """Write the page of one check.

    :raises UsageError: when there is no such check, or it does not load.
    """
    (entry,) = registry.select(
        registry.checks(), [args.id], (), runner.aliases
    )
    loaded = runner.load(entry)
    if not isinstance(loaded, check.Check):
        raise exceptions.UsageError(f'{entry.result_id}: {loaded}')
    stdout.write(page(loaded))
    return 0


def page(one: check.Check) -> str:
    """Return the page of a check: what, when, from what, its options."""
    lines = [
        f'{one.id}: {one.title}',
        '',
        'Stages:  ' + ', '.join(one.stage_words()),
        'Sources: ' + (', '.join(s.value for s in one.sources()) or 'none'),
    ]
    if one.introduced:
        lines.append(f'Applies when the upgrade crosses {one.introduced}.')
    if not one.waivable:
        lines.append('Its findings cannot be waived.')
    lines += ['', inspect.getdoc(one) or 'It has no page.', '']
    own = one.opts()
    if own:
        lines.append(f'Options, in [{check.option_group(one.id)}]:')
        for opt in own:
            lines.append(f'  {opt.dest} (default {opt.default!r})')
            lines.extend(
                textwrap.wrap(
                    str(opt.help),
                    76,
                    initial_indent='    ',
                    subsequent_indent='    ',
                )
            )
        lines.append('')
    return '\n'.join(lines)
