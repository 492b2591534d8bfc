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

"""The results as a table, for a terminal and for the documentation."""

import re
import textwrap

from qa.upgrade import score

# Of the run and the machine, and of no use to a reader.
_PRIVATE = (
    (re.compile(r'\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b'), 'ID'),
    (re.compile(r'/[^\s\'"]*/venvs/m(\d+)'), r'VENV-\1'),
    (re.compile(r'/[^\s\'"]*/manila-upgrade-\w+'), 'HOME'),
)

_HEADERS = ('Scenario', 'Predicted', 'Happened', 'Remedied', 'Rehearsed')


def predicted(result):
    """Return what was said of a scenario, in words."""
    words = [
        f'{severity.upper()} {key}'
        for key, severity in sorted(result.predicted.items())
    ]
    words += [
        f'MISSING {severity.upper()} {pattern}'
        for severity, pattern in result.missing
    ]
    words += [f'WRONG {key}' for key in sorted(result.wrong)]
    return '; '.join(words) or 'nothing'


def happened(result):
    """Return what happened in a scenario, in words."""
    words = f'{result.observed.level.name.lower()}: {result.observed.words}'
    if result.unannounced:
        words += f', UNANNOUNCED {", ".join(sorted(result.unannounced))}'
    return f'MISSED {words}' if result.is_missed else words


def remedied(result):
    """Return what came of the remediation, in words."""
    if result.left is None:
        return '-'
    words = [result.how]
    if result.left:
        words.append('LEFT ' + ', '.join(sorted(result.left)))
    if result.refused:
        words.append('REFUSED ' + '; '.join(result.refused))
    if result.after is not None:
        words.append(result.after.words)
    return '; '.join(words)


def rehearsed(result):
    """Return what a rehearsal showed, in words."""
    if result.rehearsed is None:
        return '-'
    words = [result.found_by] if result.found_by else []
    words += [
        f'{key} ({f"{by} held" if by else "NOT FORETOLD"})'
        for key, by in sorted(result.rehearsed.items())
    ]
    if result.is_false_alarm:
        words.append('NOTHING BREAKS')
    return '; '.join(words) or 'nothing fails'


def found_by(count):
    """Return who found what breaks, in words; '' when none was rehearsed."""
    return ', '.join(
        f'{count[who]} by {who}'
        for who in ('both', 'prediction', 'rehearsal', 'neither')
        if who in count
    )


def public(text):
    """Return a text without what only this run and machine have."""
    for pattern, word in _PRIVATE:
        text = pattern.sub(word, text)
    return text


def row(result):
    """Return the cells of a scenario."""
    return (
        result.scenario,
        *(
            public(words(result))
            for words in (predicted, happened, remedied, rehearsed)
        ),
    )


def summary(path, results):
    """Return the line that counts a path."""
    found = score.score(results)
    return (
        f'{path}: recall {found.recall:.1%} ({found.foretold} of '
        f'{found.happened}), precision {found.precision:.1%} ({found.right} '
        f'of {found.findings} findings), remedied {found.remedied} of '
        f'{found.with_remedy}, '
        + (
            f'of what breaks {found_by(found.found_by)} found, '
            if found.found_by
            else ''
        )
        + f'{found.scenarios} scenarios'
    )


def overview(paths):
    """Return a list-table with a row a path.

    :param paths: {title: results}.
    """
    header = (
        'Path',
        'Scenarios',
        'Recall',
        'Precision',
        'Remedied',
        'Found by',
    )
    rows = [header]
    for title, results in paths.items():
        found = score.score(results)
        rows.append(
            (
                title,
                f'{found.scenarios}',
                f'{found.recall:.1%} ({found.foretold} of {found.happened})',
                f'{found.precision:.1%} ({found.right} of {found.findings})',
                f'{found.remedied} of {found.with_remedy}',
                found_by(found.found_by) or 'not rehearsed',
            )
        )
    return list_table(rows)


def terminal(results):
    """Return a block a scenario, for standard output."""
    lines = []
    for result in results:
        mark = 'ok  ' if result.passed else 'FAIL'
        lines.append(f'{mark} {result.scenario}')
        for header, cell in zip(_HEADERS[1:], row(result)[1:]):
            if cell == '-':
                continue
            lines += textwrap.wrap(
                cell,
                100,
                initial_indent=f'       {header:10} ',
                subsequent_indent=' ' * 18,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return '\n'.join(lines)


def rst(results):
    """Return a list-table, for the documentation."""
    rows = [_HEADERS, *map(row, results)]
    if all(one.rehearsed is None for one in results):
        return list_table(
            [cells[:-1] for cells in rows], '   :widths: 16 34 30 20'
        )
    return list_table(rows, '   :widths: 14 26 24 16 20')


def list_table(rows, *options):
    """Return rows, the header first, as a list-table."""
    lines = ['.. list-table::', '   :header-rows: 1', *options, '']
    for cells in rows:
        for number, cell in enumerate(cells):
            mark = '   * -' if not number else '     -'
            lines.append(f'{mark} {_escaped(cell)}')
    return '\n'.join(lines) + '\n'


def _escaped(text):
    for character in '\\*`|_':
        text = text.replace(character, f'\\{character}')
    return text
