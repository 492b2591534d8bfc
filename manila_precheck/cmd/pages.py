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
"""``check list`` and ``check explain``: describe the checks."""

import argparse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import json
import re
import shutil
import textwrap
from typing import NamedTuple
from typing import Optional
from typing import TextIO

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.engine import runner

# A paragraph that is a list, or a block of code.
_KEPT = re.compile(r'^(?:[-*] |\s)', re.MULTILINE)

_SEVERITY_WORD = re.compile(r'(?:Never )?(?:FAILURE|WARNING|INFO)\b')

# The beginning of a sentence about another severity.
_SEVERITY = re.compile(
    r'(?<=\.) (?=(?:At [\w ]+:? |Never )?(?:FAILURE|WARNING|INFO)\b)'
)


class _Listed(NamedTuple):
    """One check in the list; the fields are the keys of the JSON output."""

    id: str
    title: str
    """Its title; the reason if it does not load."""

    loads: bool
    stages: Sequence[str] = ()
    sources: Sequence[str] = ()
    introduced: Optional[str] = None
    """The release that the upgrade must cross; None for any upgrade."""

    waivable: bool = False
    aliases: Sequence[str] = ()
    """Its earlier ids."""

    options: Sequence[str] = ()
    """The names of its own options, in their group."""

    option_group: str = ''


def check_list(args: argparse.Namespace, stdout: TextIO) -> int:
    """Write a line for every registered check, loadable or not."""
    rows = []
    for entry in registry.checks():
        try:
            rows.append(runner.isolated(lambda: _row(entry)))  # noqa: B023
        except exceptions.PrecheckError as exc:
            rows.append(_Listed(entry.result_id, str(exc), loads=False))
    if args.format == 'json':
        json.dump([row._asdict() for row in rows], stdout, indent=2)
        stdout.write('\n')
        return 0
    table = [
        ('ID', 'STAGES', 'SOURCES', 'TITLE'),
        *(
            (
                row.id,
                ', '.join(row.stages) or '-',
                ', '.join(row.sources) or '-',
                row.title,
            )
            for row in rows
        ),
    ]
    for columns in ((0, 1, 2, 3), (0, 1, 3), (0, 3)):
        written = _columns(table, columns)
        # A program gets all columns; on a terminal, leave out columns until
        # the table fits.
        if not stdout.isatty() or max(map(len, written)) <= _width():
            break
    stdout.write('\n'.join(written) + '\n')
    return 0


def _row(entry: registry.Plugin) -> _Listed:
    loaded = runner.load(entry)
    if not isinstance(loaded, check.Check):
        return _Listed(entry.result_id, loaded, loads=False)
    return _Listed(
        id=entry.result_id,
        title=str(loaded.title),
        loads=True,
        stages=loaded.stage_words(),
        sources=[source.value for source in loaded.sources()],
        introduced=loaded.introduced,
        waivable=loaded.waivable,
        aliases=loaded.aliases,
        options=[option.name for option in loaded.opts()],
        option_group=model.option_group(loaded.id),
    )


def _columns(
    table: Sequence[Sequence[str]], wanted: Sequence[int]
) -> list[str]:
    """Return some columns of a table, in lines."""
    widths = [max(len(row[i]) for row in table) for i in wanted]
    return [
        '  '.join(
            row[i].ljust(width) for i, width in zip(wanted, widths)
        ).rstrip(' ')
        for row in table
    ]


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns


def check_explain(args: argparse.Namespace, stdout: TextIO) -> int:
    """Write the page of one check.

    :raises UsageError: when the check does not exist or does not load.
    """
    (entry,) = registry.select(
        registry.checks(), [args.id], (), runner.aliases
    )
    loaded = runner.load(entry)
    if not isinstance(loaded, check.Check):
        raise exceptions.UsageError(f'{entry.result_id}: {loaded}')
    stdout.write(page(loaded, min(_width(), 79)))
    return 0


def page(one: check.Check, width: int = 79) -> str:
    """Return the page of a check: its stages, sources, text and options.

    :param width: the maximum length of a line, in columns.
    """
    # Imported here because it is slow (it imports Python's compiler), and
    # listing the checks does not need it.
    import inspect

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
    if one.aliases:
        lines.append('Earlier ids:  ' + ', '.join(one.aliases))
    lines += [
        '',
        *_prose(inspect.getdoc(one) or 'It has no documentation.', width),
    ]
    own = one.opts()
    if own:
        group = model.option_group(one.id)
        lines += ['', f'Options, in [{group}]:']
        for opt in own:
            lines.append(f'  {opt.dest} (default {opt.default!r})')
            lines += _fill(str(opt.help), width, '    ')
        name = f'OS_{group}__{own[0].dest}'.upper()
        lines += ['The first option as an environment variable:', f'  {name}']
    lines += [
        '',
        f'Run it alone:  manila-precheck upgrade check --check {one.id}',
        '',
    ]
    return '\n'.join(lines)


def _prose(text: str, width: int) -> Iterator[str]:
    """Yield a docstring for a terminal.

    Paragraphs are filled, the meaning of each severity begins a new line, and
    double backquotes become single. Lists and indented blocks are kept.
    """
    paragraphs = text.replace('``', '`').split('\n\n')
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ''
        if _KEPT.search(paragraph):
            yield from paragraph.split('\n')
            continue
        for part in _SEVERITY.split(' '.join(paragraph.split())):
            hang = '  ' if _SEVERITY_WORD.match(part) else ''
            yield from _fill(part, width, '', hang)


def _fill(text: str, width: int, indent: str, hang: str = '') -> Iterable[str]:
    # A word with a hyphen is usually a name and must not be split.
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
