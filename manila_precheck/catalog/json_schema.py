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
"""Validate a JSON document against a JSON Schema.

This implements the part of JSON Schema (2020-12) that the schemas of the
package use. So a file of an operator is validated against the documented
schema itself, without another dependency. An unknown keyword is an error of
the schema and never ignored. A pattern is a regular expression of Python,
whose ``$`` only matches the end of the text, as in JSON Schema.
"""

from collections.abc import Callable
from collections.abc import Sized
import json
import re
from typing import Any

Check = Callable[[Any], None]
Node = dict[str, Any]
Make = Callable[[Node], Check]

_TYPES: dict[str, tuple[type, ...]] = {
    'array': (list,),
    'boolean': (bool,),
    'integer': (int,),
    'null': (type(None),),
    'number': (int, float),
    'object': (dict,),
    'string': (str,),
}
_NOTES = frozenset(('$schema', '$id', '$defs', 'title', 'description'))
_PLAIN = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')
_MOST_SHOWN = 60


class Invalid(Exception):
    """A document does not match its schema."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        #: The place in the document: 'options[12].in'; '' is the whole.
        self.place = ''

    def below(self, step: str) -> None:
        """Prepend the next outer step to the place."""
        dot = '.' if self.place and self.place[0] != '[' else ''
        self.place = f'{step}{dot}{self.place}'

    def __str__(self) -> str:
        return f'{self.place}: {self.reason}' if self.place else self.reason


def compiled(schema: Node) -> Check:
    """Return a function that raises Invalid unless a document is valid.

    :raises ValueError: when the schema has an unknown keyword.
    """
    known: dict[str, Check] = {}

    def make(node: Node) -> Check:
        unknown = node.keys() - _KNOWN
        if unknown:
            raise ValueError(f'unknown keywords: {sorted(unknown)}')
        checks = [
            keyword(node, make)
            for name, keyword in _KEYWORDS.items()
            if name in node
        ]
        if '$ref' in node:
            name = node['$ref'].rpartition('/')[2]
            checks.append(lambda value: known[name](value))
        if len(checks) == 1:
            return checks[0]

        def check(value: Any) -> None:
            for one in checks:
                one(value)

        return check

    for name, node in schema.get('$defs', {}).items():
        known[name] = make(node)
    return make(schema)


def _type(node: Node, make: Make) -> Check:
    names = node['type']
    names = [names] if isinstance(names, str) else names
    accepted = frozenset(kind for name in names for kind in _TYPES[name])
    words = ' or '.join(names)

    def check(value: Any) -> None:
        # The exact type, so that True does not pass for a number.
        if type(value) not in accepted:
            raise Invalid(f'{_shown(value)} is not of type {words}')

    return check


def _const(node: Node, make: Make) -> Check:
    wanted = node['const']

    def check(value: Any) -> None:
        if type(value) is not type(wanted) or value != wanted:
            raise Invalid(f'{_shown(value)} is not {_shown(wanted)}')

    return check


def _enum(node: Node, make: Make) -> Check:
    values = [(type(value), value) for value in node['enum']]
    words = ', '.join(map(_shown, node['enum']))

    def check(value: Any) -> None:
        if (type(value), value) not in values:
            raise Invalid(f'{_shown(value)} is not one of {words}')

    return check


def _required(node: Node, make: Make) -> Check:
    required = node['required']

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            return
        for name in required:
            if name not in value:
                exc = Invalid('is missing')
                exc.below(name)
                raise exc

    return check


def _properties(node: Node, make: Make) -> Check:
    checks = {name: make(sub) for name, sub in node['properties'].items()}

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            return
        name = ''
        try:
            for name in value:
                if name in checks:
                    checks[name](value[name])
        except Invalid as exc:
            exc.below(name)
            raise

    return check


def _additional(node: Node, make: Make) -> Check:
    one = make(node['additionalProperties'])
    described = node.get('properties', {})

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            return
        name = ''
        try:
            for name in value:
                if name not in described:
                    one(value[name])
        except Invalid as exc:
            exc.below(name if _PLAIN.fullmatch(name) else f'[{_shown(name)}]')
            raise

    return check


def _names(node: Node, make: Make) -> Check:
    one = make(node['propertyNames'])

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for name in value:
                one(name)

    return check


def _items(node: Node, make: Make) -> Check:
    one = make(node['items'])
    first = len(node.get('prefixItems', ()))

    def check(value: Any) -> None:
        if not isinstance(value, list):
            return
        index = 0
        try:
            for index in range(first, len(value)):
                one(value[index])
        except Invalid as exc:
            exc.below(f'[{index}]')
            raise

    return check


def _prefix(node: Node, make: Make) -> Check:
    checks = [make(sub) for sub in node['prefixItems']]

    def check(value: Any) -> None:
        if not isinstance(value, list):
            return
        index = 0
        try:
            for index, one in enumerate(checks[: len(value)]):
                one(value[index])
        except Invalid as exc:
            exc.below(f'[{index}]')
            raise

    return check


def _length(
    name: str, kind: type[Sized], unit: str, least: bool
) -> Callable[[Node, Make], Check]:
    def keyword(node: Node, make: Make) -> Check:
        limit = node[name]

        def check(value: Any) -> None:
            if not isinstance(value, kind):
                return
            count = len(value)
            if least and count < limit:
                few = f'has fewer than {limit} {unit}'
                raise Invalid('is empty' if limit == 1 else few)
            if not least and count > limit:
                raise Invalid(f'has more than {limit} {unit}')

        return check

    return keyword


def _limit(name: str, least: bool) -> Callable[[Node, Make], Check]:
    def keyword(node: Node, make: Make) -> Check:
        limit = node[name]

        def check(value: Any) -> None:
            if type(value) not in (int, float):
                return
            if value < limit if least else value > limit:
                words = 'less' if least else 'more'
                raise Invalid(f'{_shown(value)} is {words} than {limit}')

        return check

    return keyword


def _pattern(node: Node, make: Make) -> Check:
    text = node['pattern']
    search = re.compile(re.sub(r'\$$', r'\\Z', text)).search

    def check(value: Any) -> None:
        if isinstance(value, str) and search(value) is None:
            raise Invalid(f'{_shown(value)} does not match {text}')

    return check


def _format(node: Node, make: Make) -> Check:
    if node['format'] != 'regex':
        raise ValueError(f'unknown format: {node["format"]}')

    def check(value: Any) -> None:
        if not isinstance(value, str):
            return
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError) as exc:
            raise Invalid(
                f'{_shown(value)} is not a regular expression'
            ) from exc

    return check


def _all(node: Node, make: Make) -> Check:
    checks = [make(sub) for sub in node['allOf']]

    def check(value: Any) -> None:
        for one in checks:
            one(value)

    return check


def _if(node: Node, make: Make) -> Check:
    condition, then = make(node['if']), make(node['then'])

    def check(value: Any) -> None:
        try:
            condition(value)
        except Invalid:
            return
        then(value)

    return check


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return 'an array' if isinstance(value, list) else 'an object'
    if isinstance(value, int) and value.bit_length() > _MOST_SHOWN:
        return 'a large number'
    text = json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f'{text[:_MOST_SHOWN]}...'


# In the order in which they are applied to a value.
_KEYWORDS: dict[str, Callable[[Node, Make], Check]] = {
    'type': _type,
    'const': _const,
    'enum': _enum,
    'minLength': _length('minLength', str, 'characters', True),
    'maxLength': _length('maxLength', str, 'characters', False),
    'pattern': _pattern,
    'format': _format,
    'minimum': _limit('minimum', True),
    'maximum': _limit('maximum', False),
    'minItems': _length('minItems', list, 'items', True),
    'maxItems': _length('maxItems', list, 'items', False),
    'prefixItems': _prefix,
    'items': _items,
    'required': _required,
    'propertyNames': _names,
    'properties': _properties,
    'additionalProperties': _additional,
    'allOf': _all,
    'if': _if,
}
_KNOWN = _NOTES.union(_KEYWORDS, ('$ref', 'then'))
