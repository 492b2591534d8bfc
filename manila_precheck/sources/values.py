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

"""Parse the text of an option with oslo.config's own types.

A catalog describes the type of an option by what its constructor takes; the
same constructor is called here, so that what is accepted and what is refused
is what oslo.config accepts and refuses.
"""

from collections.abc import Mapping
import functools
import json
import re
from typing import Any
from typing import Callable
from typing import Union

from oslo_config import types

#: 'integer', or {'kind': 'integer', 'min': 1}.
TypeFacts = Union[str, Mapping[str, Any]]

Parser = Callable[[str], Any]


def _text(facts: Mapping[str, Any]) -> Parser:
    regex = facts.get('regex')
    if regex is not None and facts.get('ignore_case'):
        regex = re.compile(regex, re.IGNORECASE)
    return types.String(
        choices=facts.get('choices'),
        quotes=facts.get('quotes', False),
        regex=regex,
        ignore_case=facts.get('ignore_case', False),
        max_length=facts.get('max_length'),
    )


def _list(facts: Mapping[str, Any]) -> Parser:
    item: Any = parser(facts['item']) if 'item' in facts else None
    return types.List(item, bounds=facts.get('bounds', False))


def _dict(facts: Mapping[str, Any]) -> Parser:
    item: Any = parser(facts['item']) if 'item' in facts else None
    bounds = facts.get('bounds', False)
    separator = facts.get('separator', ':')
    if separator == ':':
        return types.Dict(item, bounds=bounds)
    try:
        return types.Dict(item, bounds=bounds, key_value_separator=separator)
    except TypeError:
        # NOTE: oslo.config before 9.5 splits at colons only, and the values
        # in question are paths of classes, which hold none.
        plain = types.Dict(item, bounds=bounds)
        return lambda text: plain(_with_colons(text, separator))


def _with_colons(text: str, separator: str) -> str:
    pairs = (pair.split(separator, 1) for pair in text.split(','))
    return ','.join(
        ':'.join(pair) if len(pair) == 2 else pair[0].replace(':', ' ')
        for pair in pairs
    )


def _host_domain(facts: Mapping[str, Any]) -> Parser:
    # NOTE: new in oslo.config 8.5; without it nothing can be refused.
    made: Any = getattr(types, 'HostDomain', None)
    return made(facts.get('version')) if made is not None else _anything


def _anything(text: str) -> str:
    return text


_MAKERS: dict[str, Callable[[Mapping[str, Any]], Parser]] = {
    'boolean': lambda facts: types.Boolean(),
    'dict': _dict,
    'float': lambda facts: types.Float(facts.get('min'), facts.get('max')),
    'host_address': lambda facts: types.HostAddress(facts.get('version')),
    'host_domain': _host_domain,
    'hostname': lambda facts: types.Hostname(),
    'integer': lambda facts: types.Integer(
        facts.get('min'), facts.get('max'), choices=facts.get('choices')
    ),
    'ip_address': lambda facts: types.IPAddress(facts.get('version')),
    'list': _list,
    'port': lambda facts: types.Port(
        facts.get('min'), facts.get('max'), choices=facts.get('choices')
    ),
    'range': lambda facts: types.Range(
        facts.get('min'), facts.get('max'), facts.get('inclusive', False)
    ),
    'string': _text,
    'uri': lambda facts: types.URI(
        max_length=facts.get('max_length'), schemes=facts.get('schemes')
    ),
}


def parser(facts: TypeFacts) -> Parser:
    """Return what turns the text of an option into its value.

    :param facts: the type, as the catalog describes it. What a type of some
        library's own accepts is not known: any text will do.
    :returns: a function that raises ValueError for a text that is refused.
    """
    if isinstance(facts, str):
        facts = {'kind': facts}
    return _parser(json.dumps(facts, sort_keys=True))


@functools.cache
def _parser(described: str) -> Parser:
    facts = json.loads(described)
    make = _MAKERS.get(facts['kind'])
    return make(facts) if make is not None else _anything


def admits(facts: TypeFacts) -> str:
    """Return in words what a type accepts: 'an integer from 1 to 720'."""
    if isinstance(facts, str):
        facts = {'kind': facts}
    kind = facts['kind']
    if kind == 'list':
        return f'a list, each item {admits(facts.get("item", "string"))}'
    if kind == 'dict':
        separator = facts.get('separator', ':')
        return f'name{separator}value pairs, separated by commas'
    words = _WORDS.get(kind, 'a value')
    if 'choices' in facts:
        return 'one of ' + ', '.join(str(item) for item in facts['choices'])
    if 'min' in facts and 'max' in facts:
        return f'{words} from {facts["min"]} to {facts["max"]}'
    if 'min' in facts:
        return f'{words} of {facts["min"]} at least'
    if 'max' in facts:
        return f'{words} of {facts["max"]} at most'
    if 'regex' in facts:
        return f'text that matches {facts["regex"]!r}'
    return words


_WORDS = {
    'boolean': 'true or false',
    'float': 'a number',
    'host_address': 'a host name or an IP address',
    'host_domain': 'a host name or an IP address',
    'hostname': 'a host name',
    'integer': 'an integer',
    'ip_address': 'an IP address',
    'port': 'a port number',
    'range': 'a range such as 1-10',
    'string': 'text',
    'uri': 'a URI',
}
