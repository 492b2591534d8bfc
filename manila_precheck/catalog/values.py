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

A catalog describes the type of an option by the arguments of its constructor.
The same constructor is called here, so that exactly those values are accepted
that oslo.config accepts.
"""

from collections.abc import Iterable
import functools
import ipaddress
import re
from typing import Any
from typing import Callable
from typing import Optional

from manila_precheck.catalog import code_types
from manila_precheck.catalog import options

ValueType = options.ValueType
Parser = Callable[[str], Any]


def _types() -> Any:
    # Imported when a value is parsed: listing the checks does not need it.
    from oslo_config import types

    return types


def _text(facts: ValueType) -> Any:
    regex: Any = facts.regex
    if regex is not None and facts.ignore_case:
        regex = re.compile(regex, re.IGNORECASE)
    return _types().String(
        choices=facts.choices,
        quotes=facts.quotes,
        regex=regex,
        ignore_case=facts.ignore_case,
        max_length=facts.max_length,
    )


def _list(facts: ValueType) -> Any:
    item: Any = parser(facts.item) if facts.item else None
    return _types().List(item, bounds=facts.bounds)


def _dict(facts: ValueType) -> Any:
    item: Any = parser(facts.item) if facts.item else None
    bounds = facts.bounds
    separator = facts.separator
    if separator == ':':
        return _types().Dict(item, bounds=bounds)
    try:
        return _types().Dict(
            item, bounds=bounds, key_value_separator=separator
        )
    except TypeError:
        # NOTE: oslo.config before 9.5 splits only at colons. The values of
        # these options are class paths, which contain none.
        return _pairs(separator)(item, bounds=bounds)


def _pairs(separator: str) -> Any:
    plain: Any = _types().Dict

    class Pairs(plain):  # type: ignore[misc]
        def __call__(self, value: Any) -> Any:
            # A default is already a dict.
            if isinstance(value, str):
                value = _with_colons(value, separator)
            return plain.__call__(self, value)

    return Pairs


def _with_colons(text: str, separator: str) -> str:
    pairs = (pair.split(separator, 1) for pair in text.split(','))
    return ','.join(
        ':'.join(pair) if len(pair) == 2 else pair[0].replace(':', ' ')
        for pair in pairs
    )


def _host_domain(facts: ValueType) -> Parser:
    # NOTE: new in oslo.config 8.5; older versions cannot check the value.
    made: Any = getattr(_types(), 'HostDomain', None)
    return made(facts.version) if made is not None else _anything


def _anything(text: str) -> str:
    return text


_MAKERS: dict[str, Callable[[ValueType], Any]] = {
    'boolean': lambda facts: _types().Boolean(),
    'dict': _dict,
    'float': lambda facts: _types().Float(facts.min, facts.max),
    'host_address': lambda facts: _types().HostAddress(facts.version),
    'host_domain': _host_domain,
    'hostname': lambda facts: _types().Hostname(),
    'integer': lambda facts: _types().Integer(
        _whole(facts.min), _whole(facts.max), choices=facts.choices
    ),
    'ip_address': lambda facts: _types().IPAddress(facts.version),
    'list': _list,
    'port': lambda facts: _types().Port(
        _whole(facts.min), _whole(facts.max), choices=facts.choices
    ),
    'range': lambda facts: _types().Range(
        _whole(facts.min), _whole(facts.max), facts.inclusive
    ),
    'string': _text,
    'uri': lambda facts: _types().URI(
        max_length=facts.max_length, schemes=facts.schemes or None
    ),
}


def _whole(bound: Optional[float]) -> Optional[int]:
    return None if bound is None else int(bound)


@functools.lru_cache(maxsize=256)
def parser(facts: ValueType) -> Parser:
    """Return a function that converts the text of an option to its value.

    :param facts: the type. Of opaque types only those of :mod:`code_types`
        are known; any other one accepts every text.
    :returns: the function; it raises ValueError for a text that is rejected.
    """
    if facts.name in code_types.TYPES:
        return code_types.TYPES[facts.name][0]
    make = _MAKERS.get(facts.kind)
    return make(facts) if make is not None else _anything


def admits(facts: ValueType) -> str:
    """Describe what a type accepts: 'an integer from 1 to 720'."""
    if facts.name in code_types.TYPES:
        return code_types.TYPES[facts.name][1]
    if facts.kind == 'list':
        item = admits(facts.item) if facts.item else 'text'
        return f'a list, each item {item}'
    if facts.kind == 'dict':
        return f'name{facts.separator}value pairs, separated by commas'
    if facts.choices is not None:
        return 'one of ' + ', '.join(str(item) for item in facts.choices)
    words = _WORDS.get(facts.kind, 'a value')
    if facts.min is not None and facts.max is not None:
        return f'{words} from {facts.min:g} to {facts.max:g}'
    if facts.min is not None:
        return f'{words} of {facts.min:g} at least'
    if facts.max is not None:
        return f'{words} of {facts.max:g} at most'
    if facts.regex is not None:
        return f'text that matches {facts.regex!r}'
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


def rejected_network(texts: Iterable[str]) -> Optional[str]:
    """Return the first of allowed_source_ranges that the healthcheck rejects.

    The type of the option takes any text (oslo.middleware 6.1 to 8.2
    healthcheck; tried with manila-api of 23.0.1).
    """
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            return text
    return None
