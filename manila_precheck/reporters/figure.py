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

from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple
from typing import Union

#: Of a drawing, in its own units; a narrow one fits a telephone.
WIDTH = 360

#: How tall a bar is, with its words and the space below it.
BAR = 34


class Rect(NamedTuple):
    """A rectangle of a kind that the style knows."""

    left: float
    top: float
    width: float
    height: float
    kind: str


class TextLine(NamedTuple):
    """A line of text of a kind that the style knows."""

    left: float
    top: float
    text: str
    kind: str
    turned: bool = False
    """Whether it climbs to the right, as the head of a narrow column."""


class Figure(NamedTuple):
    """A picture with its words, its legend and a table of the same."""

    name: str
    """The start of the ids of its elements."""

    title: str

    summary: str
    """What it shows, in a sentence, for who does not see it."""

    width: int

    height: int

    drawing: Sequence[Sequence[Union[Rect, TextLine]]]
    """The shapes, in groups."""

    legend: Sequence[tuple[str, str]]
    """(kind, text) of what is drawn."""

    head: Sequence[str]
    """The columns of the table; the first one names the rows."""

    rows: Sequence[Sequence[str]]

    below: str
    """What stands below the picture; '' for nothing."""


def bar(
    number: int,
    name: str,
    text: str,
    parts: Iterable[tuple[str, int]],
    most: int,
    least: float,
) -> list[Union[Rect, TextLine]]:
    """Return a bar in parts, below its name and a text.

    :param number: how many bars stand above it.
    :param parts: (kind, count), from the left.
    :param most: the count of the longest bar.
    :param least: how wide a part is that has one, so that it can be seen.
    """
    top = number * BAR
    found: list[Union[Rect, TextLine]] = [
        TextLine(0, top + 12, name, 'name'),
        TextLine(WIDTH, top + 12, text, 'figure'),
    ]
    left = 0.0
    for kind, count in parts:
        width = count * WIDTH / most
        if count:
            width = max(width, least)
            found.append(Rect(left, top + 17, width, 10, kind))
        left += width
    return found
