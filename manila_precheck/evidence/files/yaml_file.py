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

"""Read YAML, within limits and with line numbers.

Every YAML file goes through :func:`compose`. A :class:`Document` is a file
that an operator or a vendor wrote for this program. Its values are kept as
they are written: a version 9.10 is '9.10', not the number 9.1 as in YAML, and
2013-01-02 is not a date.
"""

from collections.abc import Iterator
import contextlib
import re
from typing import Any
from typing import NamedTuple
from typing import NoReturn
from typing import Optional
from typing import TYPE_CHECKING
from typing import Union

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree

if TYPE_CHECKING:
    import yaml

Path = tuple[Union[str, int], ...]

#: The maximum size of a file in bytes. PyYAML without its C extension reads
#: about a tenth of a megabyte a second.
MAX_BYTES = 2 * 2**20

#: How many values a document may have, including keys.
MAX_VALUES = 100_000

# PyYAML's two parsers treat these differently: the pure Python one, which
# oslo.policy uses, rejects tabs and reads an unquoted "!" as an empty value.
_LEFT_TO_PURE_PARSER = re.compile(r'\t|[:,\[-]\s*!')

# The C parser is recursive: very deep nesting crashes the process.
_MAX_DEPTH = 100
_MANY_DASHES = re.compile(r'(?:-[ \t]+){100}')

# A few anchors save typing. But a chain of them can stand for more than fits
# in memory, and is expanded in one step that no time limit interrupts.
_MAX_ALIASED = 10_000

# The conversion of a text to a number takes time by the square of its length.
_MAX_DIGITS = 100

_INTEGER = re.compile(r'0|[1-9][0-9]{0,17}')
_DEPTH = 20


class Malformed(Exception):
    """A text is not YAML, or exceeds a limit."""

    def __init__(self, words: str, line: Optional[int] = None) -> None:
        super().__init__(words)
        #: The line of the error, from 1; None when it is unknown.
        self.line = line


def _refused(exc: 'yaml.MarkedYAMLError') -> Malformed:
    """Return the parser's message without the text that it quotes."""
    mark = exc.problem_mark or exc.context_mark
    return Malformed(
        str(exc.problem or exc.context), mark.line + 1 if mark else None
    )


def compose(text: str) -> 'Optional[yaml.Node]':
    """Return the root of a document; None when it is empty.

    The size of the expanded aliases is limited, so code that follows them
    terminates.

    :param text: YAML, or JSON.
    :raises Malformed: with the parser's message, without the text.
    """
    import yaml

    try:
        return _compose(text)
    except yaml.MarkedYAMLError as exc:
        raise _refused(exc) from None
    except (yaml.YAMLError, ValueError) as exc:
        # ValueError: a character that YAML forbids.
        raise Malformed(str(exc).splitlines()[0]) from None
    except RecursionError:
        raise Malformed('it is nested too deeply') from None


def construct(node: 'yaml.Node') -> Any:
    """Return the value of a node in YAML: texts, numbers, dates.

    :raises Malformed: when it has none, like the 31st of June.
    """
    import yaml

    try:
        return yaml.SafeLoader('').construct_document(node)
    except yaml.MarkedYAMLError as exc:
        raise _refused(exc) from None
    except (
        # What PyYAML raises for "!!int ''", "!!bool x", "!!timestamp x".
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        yaml.YAMLError,
    ) as exc:
        raise Malformed(
            str(exc).splitlines()[0], node.start_mark.line + 1
        ) from None
    except RecursionError:
        raise Malformed('it is nested too deeply') from None


def _compose(text: str) -> 'Optional[yaml.Node]':
    import yaml

    fast = getattr(yaml, 'CSafeLoader', None)
    if fast is not None and not (
        _LEFT_TO_PURE_PARSER.search(text) or _is_large(text)
    ):
        with contextlib.suppress(yaml.YAMLError, ValueError):
            return _compose_with(fast, text)
    # NOTE: errors always come from this parser, so that a report does not
    # depend on how PyYAML was built.
    return _compose_with(_bounded_loader(), text)


def _bounded_loader() -> Any:
    """Return PyYAML's pure loader with limits added."""
    import yaml

    class Loader(yaml.SafeLoader):
        depth = 0
        values = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            self.values += 1
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            if self.depth > _MAX_DEPTH:
                raise Malformed(
                    'it is nested too deeply', event.start_mark.line + 1
                )
            if self.values > MAX_VALUES:
                raise Malformed(
                    f'it holds more than {MAX_VALUES} values',
                    event.start_mark.line + 1,
                )
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    return Loader


def _is_large(text: str) -> bool:
    """Say whether a text may exceed the limits of size or depth."""
    if sum(map(text.count, ',:-\n[{')) > MAX_VALUES:
        return True
    depth = 0
    for match in re.finditer(r'[\[\]{}]', text):
        depth += 1 if match.group() in '[{' else -1
        if depth > _MAX_DEPTH:
            return True
    return _MANY_DASHES.search(text) is not None


def _compose_with(kind: Any, text: str) -> 'Optional[yaml.Node]':
    loader = kind(text)
    try:
        node: Optional[yaml.Node] = loader.get_single_node()
    finally:
        loader.dispose()
    if node is not None:
        _require_bounded(node)
    return node


def _require_bounded(document: 'yaml.Node') -> None:
    """Refuse a document that expands to more than fits in memory.

    :raises YAMLError: like the parser's errors for malformed documents.
    """
    import yaml

    sizes: dict[int, int] = {}

    def members(node: yaml.Node) -> Iterator[yaml.Node]:
        if isinstance(node, yaml.MappingNode):
            for pair in node.value:
                yield from pair
        elif isinstance(node, yaml.SequenceNode):
            yield from node.value
        elif len(node.value) > _MAX_DIGITS and node.tag.endswith(
            (':int', ':float')
        ):
            raise yaml.MarkedYAMLError(
                problem=f'the number has more than {_MAX_DIGITS} digits',
                problem_mark=node.start_mark,
            )

    def size(node: yaml.Node, depth: int) -> int:
        if depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem='it is nested too deeply', problem_mark=node.start_mark
            )
        if id(node) not in sizes:
            sizes[id(node)] = 0
            sizes[id(node)] = 1 + sum(
                size(member, depth + 1) for member in members(node)
            )
        elif not sizes[id(node)]:
            # An alias to itself expands without end.
            raise yaml.MarkedYAMLError(
                problem='it is nested too deeply', problem_mark=node.start_mark
            )
        return sizes[id(node)]

    total = size(document, 1)
    written = len(sizes)
    if total > written + _MAX_ALIASED:
        raise yaml.YAMLError(
            f'its aliases expand to more than {_MAX_ALIASED} values'
        )


class Document(NamedTuple):
    """The values of one document, and their lines."""

    name: str
    """Its name in messages: the path of the file."""

    data: Any
    """Objects, lists, strings, integers, true, false and None."""

    lines: dict[Path, int]
    """The line of each value, from 1, by the keys that lead to it."""

    read: Optional[model.FileRead] = None
    """The file; None when it is not from a file."""

    def line(self, path: Path) -> int:
        """Return the line of a value; if it is missing, the line of what
        would contain it.
        """
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def wrong(self, path: Path, words: str) -> exceptions.SourceUnusable:
        """Return an error that names the line of a value."""
        return exceptions.SourceUnusable(
            f'{self.name}:{self.line(path)}: {words}'
        )


def read(path: str, site: tree.Tree = tree.HOST) -> Document:
    """Read a file.

    :param path: the file; '~' is the home directory.
    :param site: the file system that holds it.
    :raises SourceUnusable: naming the file and, if it is known, the line.
    """
    path = site.expanduser(path)
    text, found = text_file.read_text(path, MAX_BYTES, 'utf-8-sig', site)
    return parse(text, path)._replace(read=found)


def parse(text: str, name: str) -> Document:
    """Return the document in a text.

    :param text: YAML, or JSON.
    :param name: its name in messages.
    :raises SourceUnusable: naming the line of the error.
    """
    try:
        node = compose(text)
    except Malformed as exc:
        where = name if exc.line is None else f'{name}:{exc.line}'
        raise exceptions.SourceUnusable(f'{where}: {exc}') from None
    if node is None:
        raise exceptions.SourceUnusable(f'{name}: it is empty')
    reader = _Reader(name)
    return Document(name, reader.value(node, ()), reader.lines)


class _Reader:
    """Converts nodes to values, and records their lines."""

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
            # An alias may also refer to a node that contains it.
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
                self._fail(key, 'a key must be a string')
            if key.value in found:
                self._fail(key, f'the key {key.value!r} is duplicated')
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
