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
"""The parts that all pictures of the HTML report are made of."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple
from typing import Union

#: The width of a drawing in its own units; it fits the screen of a phone.
WIDTH = 360

#: The height of a bar, with its text and the space below it.
BAR = 34


class Rect(NamedTuple):
    """A rectangle; its kind is a CSS class."""

    left: float
    top: float
    width: float
    height: float
    kind: str


class TextLine(NamedTuple):
    """A line of text; its kind is a CSS class."""

    left: float
    top: float
    text: str
    kind: str
    turned: bool = False
    """Whether it is rotated, for the head of a narrow column."""


class Figure(NamedTuple):
    """A picture with a summary, a legend and a table of the same data."""

    name: str
    """The prefix of the ids of its elements."""

    title: str

    summary: str
    """What the picture shows, in a sentence, for readers who cannot see it."""

    width: int

    height: int

    drawing: Sequence[Sequence[Union[Rect, TextLine]]]
    """The shapes, in groups."""

    legend: Sequence[tuple[str, str]]
    """(kind, text) for each kind of shape."""

    head: Sequence[str]
    """The columns of the table; the first one names the rows."""

    rows: Sequence[Sequence[str]]

    below: str
    """The text below the picture; '' for none."""


def bar(
    number: int,
    name: str,
    text: str,
    parts: Iterable[tuple[str, int]],
    most: int,
    least: float,
) -> list[Union[Rect, TextLine]]:
    """Return a bar in parts, below its name and a text.

    :param number: the number of bars above it.
    :param parts: (kind, count), from the left.
    :param most: the count of the longest bar.
    :param least: the minimum width of a part with a count, so that it is
        visible.
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
