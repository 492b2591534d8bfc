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
"""What the pictures of the HTML report have in common."""

from collections.abc import Sequence

from manila_precheck.reporters import markup

_tag = markup.tag

#: Of a drawing, in its own units; a narrow one fits a telephone.
WIDTH = 360


def figure(
    name: str,
    title: str,
    summary: str,
    size: tuple[int, int],
    drawing: Sequence[markup.Html],
    legend: Sequence[tuple[str, str]],
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    below: str,
) -> markup.Html:
    """Return a picture with its words, its legend and a table of the same.

    :param name: the start of the ids of its elements.
    :param summary: what it shows, in a sentence, for who does not see it.
    :param size: width and height of the drawing.
    :param legend: (kind, text) of what is drawn.
    :param head: the columns of the table; the first one names the rows.
    :param below: what stands below the picture; '' for nothing.
    """
    width, height = size
    return _tag(
        'figure',
        _tag('h3', title),
        _tag('p', summary),
        _tag(
            'div',
            _tag(
                'svg',
                _tag('title', title, id=f'{name}-title'),
                _tag('desc', summary, id=f'{name}-desc'),
                drawing,
                viewBox=f'0 0 {width} {height}',
                role='img',
                aria_labelledby=f'{name}-title {name}-desc',
                class_='picture wwide' if width > 500 else 'picture',
            ),
            class_='scroll',
        ),
        _tag(
            'ul',
            [
                _tag('li', _tag('span', class_=f'key {kind}'), text)
                for kind, text in legend
            ],
            class_='legend',
        ),
        _tag('p', below) if below else None,
        _tag(
            'details',
            _tag('summary', 'The same as a table'),
            _tag('div', _table(head, rows), class_='scroll'),
        ),
        id=name,
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> markup.Html:
    return _tag(
        'table',
        _tag('tr', [_tag('th', text, scope='col') for text in head]),
        [
            _tag(
                'tr',
                _tag('th', row[0], scope='row'),
                [_tag('td', text) for text in row[1:]],
            )
            for row in rows
        ],
    )


def rect(
    left: float, top: float, width: float, height: float, kind: str
) -> markup.Html:
    """Return a rectangle of a kind that the style knows."""
    return _tag(
        'rect',
        x=f'{left:.1f}',
        y=f'{top:.1f}',
        width=f'{width:.1f}',
        height=f'{height:.1f}',
        class_=kind,
    )


def text_at(left: float, top: float, text: str, kind: str) -> markup.Html:
    """Return a line of text of a kind that the style knows."""
    return _tag('text', text, x=f'{left:.0f}', y=f'{top:.0f}', class_=kind)
