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

"""HTML that cannot be broken out of: what is not HTML is escaped.

A text from outside is a ``str`` and is escaped and neutralised wherever it is
put; only :func:`tag` and :func:`raw` make :class:`Html`.
"""

from collections.abc import Iterable
import html
from typing import Union

from manila_precheck.reporters import plain

_VOID = frozenset({'input', 'meta', 'wbr'})


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


#: What may stand in an element; None is nothing.
Content = Union[None, str, Iterable['Content']]


def raw(text: str) -> Html:
    """Return a text of this package as HTML; never one from outside."""
    return Html(text)


def render(content: Content) -> Html:
    """Return content as HTML, everything that is not HTML escaped."""
    if content is None:
        return Html('')
    if isinstance(content, Html):
        return content
    if isinstance(content, str):
        lines = plain.lines(content)
        return Html(html.escape('\n'.join(lines), quote=True))
    return Html(''.join(render(part) for part in content))


def tag(
    name: str, /, *content: Content, **attributes: Union[str, bool]
) -> Html:
    """Return an element.

    :param content: what stands in it.
    :param attributes: a name ends in '_' where Python has it as a word, and
        has '_' for '-'; True is an attribute without a value, False none.
    """
    written = ''
    for key, value in attributes.items():
        key = key.rstrip('_').replace('_', '-')
        if value is True:
            written += f' {key}'
        elif value is not False:
            written += f' {key}="{render(plain.one_line(value))}"'
    if name in _VOID:
        return Html(f'<{name}{written}>')
    return Html(f'<{name}{written}>{render(content)}</{name}>')
