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

"""A YAML or JSON document that an operator or a vendor wrote.

A value is taken as it is written: a version 9.10 is '9.10', not the number
9.1 that YAML makes of it, and 2013-01-02 is no date.
"""

import hashlib
import os
import re
from typing import Any
from typing import NamedTuple
from typing import NoReturn
from typing import Optional
from typing import TYPE_CHECKING
from typing import Union

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.sources import content

if TYPE_CHECKING:
    import yaml

Path = tuple[Union[str, int], ...]

_INTEGER = re.compile(r'0|[1-9][0-9]{0,17}')
_DEPTH = 20


class Document(NamedTuple):
    """What one document holds, and where."""

    name: str
    """What messages call it: the path of the file."""

    data: Any
    """Objects, lists, texts, whole numbers, true, false and None."""

    lines: dict[Path, int]
    """The line of each value, from 1, by the keys that lead to it."""

    read: Optional[model.FileRead] = None
    """The file; None when it is from none."""

    def line(self, path: Path) -> int:
        """Return the line of a value, of what it stands in when it is not
        there.
        """
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def wrong(self, path: Path, words: str) -> exceptions.SourceUnusable:
        """Return the error that says what is wrong with a value."""
        return exceptions.SourceUnusable(
            f'{self.name}:{self.line(path)}: {words}'
        )


def read(path: str) -> Document:
    """Read a file.

    :param path: the file; '~' is the home directory.
    :raises SourceUnusable: naming the file and, where there is one, the line.
    """
    path = os.path.expanduser(path)
    raw = content.read(path)
    try:
        text = raw.decode('utf-8-sig')
    except UnicodeDecodeError as exc:
        line = raw.count(b'\n', 0, exc.start) + 1
        raise exceptions.SourceUnusable(
            f'{path}:{line}: the file is not UTF-8 text'
        ) from None
    digest = hashlib.sha256(raw).hexdigest()
    return parse(text, path)._replace(read=model.FileRead(path, digest))


def parse(text: str, name: str) -> Document:
    """Return what a text holds.

    :param text: YAML, or JSON.
    :param name: what messages call it.
    :raises SourceUnusable: naming the line that is wrong.
    """
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise exceptions.SourceUnusable(
            f'{name}:{line}: {exc.problem or "it is no YAML"}'
        ) from None
    except yaml.YAMLError as exc:
        raise exceptions.SourceUnusable(f'{name}: {exc}') from None
    except RecursionError:
        raise exceptions.SourceUnusable(
            f'{name}: it is nested too deeply'
        ) from None
    if node is None:
        raise exceptions.SourceUnusable(f'{name}: it is empty')
    reader = _Reader(name)
    return Document(name, reader.value(node, ()), reader.lines)


class _Reader:
    """Turns nodes into values, and notes their lines."""

    def __init__(self, name: str) -> None:
        self.lines: dict[Path, int] = {}
        self._name = name

    def _fail(self, node: 'yaml.Node', words: str) -> NoReturn:
        line = node.start_mark.line + 1
        raise exceptions.SourceUnusable(f'{self._name}:{line}: {words}')

    def value(self, node: 'yaml.Node', path: Path) -> Any:
        import yaml

        self.lines[path] = node.start_mark.line + 1
        if len(path) > _DEPTH:
            # An alias may lead back to where it stands, too.
            self._fail(node, 'it is nested too deeply')
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.value(item, (*path, number))
                for number, item in enumerate(node.value)
            ]
        found: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fail(key, 'a key has to be a text')
            if key.value in found:
                self._fail(key, f'the key {key.value!r} is there twice')
            here = (*path, key.value)
            found[key.value] = self.value(item, here)
            self.lines[here] = key.start_mark.line + 1
        return found


def _scalar(node: 'yaml.ScalarNode') -> Any:
    kind = node.tag.rpartition(':')[2]
    if kind == 'null':
        return None
    if kind == 'bool':
        return node.value.lower() in ('true', 'yes', 'on')
    if kind == 'int' and _INTEGER.fullmatch(node.value):
        return int(node.value)
    return node.value
