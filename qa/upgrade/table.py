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

"""Show the results as a table, in a terminal and in the documentation."""

import dataclasses
import re
import textwrap

from qa import hops
from qa.upgrade import databases
from qa.upgrade import score

# Details of the run and the machine that are of no use to a reader.
_PRIVATE = (
    (re.compile(r'\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b'), 'ID'),
    (re.compile(r'/[^\s\'"]*/venvs/m(\d+)'), r'VENV-\1'),
    (re.compile(r'/[^\s\'"]*/manila-upgrade-\w+'), 'HOME'),
    (re.compile(r'\b127(\.\d+){3}:\d+'), 'ADDRESS'),
)

_MOST_COMMON = ' to '.join(hops.MOST_COMMON)

# The part of a finding's key after the id of its check.
_KEY_END = re.compile(r'\[[^;]*')

_HEADERS = ('Scenario', 'Predicted', 'Happened', 'Remedied', 'Rehearsed')


def predicted(result):
    """Return the findings on a scenario, in words."""
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
    """Return the result of the remediation, in words."""
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
    """Return the result of a rehearsal, in words."""
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
    """Return who found what breaks, in words; '' without a rehearsal."""
    return ', '.join(
        f'{count[who]} by {who}'
        for who in ('both', 'prediction', 'rehearsal', 'neither')
        if who in count
    )


def public(text):
    """Return a text without details of this run and this machine."""
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
    """Return the summary line of a path."""
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


def record(results, day, known=None):
    """Return the record of a path for :func:`page`.

    :param day: the day of the run: '2026-11-29'.
    :param known: the record of earlier runs of the path, to which this run
        adds its scenarios; None to begin anew.
    :raises ValueError: when an earlier run has a scenario of this one.
    """
    known = known or {'runs': [], 'scenarios': []}
    there = {name for name, *_ in known['scenarios']}
    again = sorted(there.intersection(one.scenario for one in results))
    if again:
        raise ValueError(f'run the whole path: {again} are there already')
    return {
        'runs': [
            *known['runs'],
            {'day': day, **dataclasses.asdict(score.score(results))},
        ],
        'scenarios': [
            *known['scenarios'],
            *(list(row(result)) for result in results),
        ],
    }


def page(recorded):
    """Return the tables of the documentation.

    One path is shown as a whole: the most common one, else the first. Of each
    other path, only those scenarios are shown that no path above has, or that
    ended differently.

    :param recorded: {title of a path: its record}.
    """
    first = min(recorded, key=lambda title: (title != _MOST_COMMON, title))
    others = {title: recorded[title] for title in sorted(recorded)}
    whole = others.pop(first)['scenarios']
    known = {_told(cells) for cells in whole}
    differ = []
    for title, one in others.items():
        new = [
            cells for cells in one['scenarios'] if _told(cells) not in known
        ]
        differ += [[title, *cells] for cells in new]
        known.update(map(_told, new))
    blocks = [
        _overview(recorded),
        _section(first),
        _scenarios([_HEADERS, *whole], 16, 34, 30, 20, 20),
    ]
    if differ:
        blocks += [
            _section('What is different on other paths'),
            _scenarios([('Path', *_HEADERS), *differ], 12, 16, 32, 24, 16, 20),
        ]
    return '\n'.join(blocks)


def _overview(recorded):
    rows = [
        (
            'Path',
            'Server',
            'Date',
            'Scenarios',
            'Recall',
            'Precision',
            'Remedied',
            'Rehearsed',
        )
    ]
    for title in sorted(recorded):
        one = recorded[title]
        path, _, server = title.partition(' on ')
        rows.append(
            (
                path,
                server or databases.MariaDB.title,
                ', '.join(dict.fromkeys(run['day'] for run in one['runs'])),
                *_figures(one['runs']),
            )
        )
    return list_table(rows)


def _figures(runs):
    """Return the cells of what some runs have counted."""
    found = score.total(
        score.Score(**{k: v for k, v in one.items() if k != 'day'})
        for one in runs
    )
    return (
        str(found.scenarios),
        f'{found.recall:.1%} ({found.foretold} of {found.happened})',
        f'{found.precision:.1%} ({found.right} of {found.findings})',
        f'{found.remedied} of {found.with_remedy}',
        found_by(found.found_by) or 'not rehearsed',
    )


def _told(cells):
    """Return the name, the checks and the level: what makes a row different.

    The objects and words of a release, such as its revisions, do not count.
    """
    said = frozenset(_KEY_END.sub('', cells[1]).split('; '))
    return cells[0], said, cells[2].partition(':')[0]


def _section(title):
    return f'{title}\n{"-" * len(title)}\n'


def _scenarios(rows, *widths):
    # Leave out the last column when it is empty.
    if all(cells[-1] == '-' for cells in rows[1:]):
        rows = [cells[:-1] for cells in rows]
    shown = ' '.join(map(str, widths[: len(rows[0])]))
    return list_table(rows, f'   :widths: {shown}')


def terminal(results):
    """Return the results as text for standard output."""
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


def list_table(rows, *options):
    """Return rows as a list-table; the first row is the header."""
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
