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

"""The facts of one option, from its oslo.config object."""

import re

from manila_precheck.catalog.building import host


def jsonable(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(jsonable(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value)


def type_facts(kind):
    """Describe a type of oslo.config by the arguments of its constructor."""
    from oslo_config import types

    names = [
        (types.Port, 'port'),
        (types.Integer, 'integer'),
        (types.Float, 'float'),
        (types.Number, 'number'),
        (types.Boolean, 'boolean'),
        (types.List, 'list'),
        (types.Range, 'range'),
        (types.Dict, 'dict'),
        (types.IPAddress, 'ip_address'),
        (types.HostAddress, 'host_address'),
        (types.HostDomain, 'host_domain'),
        (types.Hostname, 'hostname'),
        (types.URI, 'uri'),
        (types.MultiString, 'string'),
        (types.String, 'string'),
    ]
    if not isinstance(kind, types.ConfigType):
        if kind is str:
            return 'string'
        return {
            'kind': 'opaque',
            'name': getattr(kind, '__name__', type(kind).__name__),
        }
    for cls, word in names:  # noqa: B007
        if isinstance(kind, cls):
            break
    else:
        cls = None
    if type(kind) is not cls:
        # A subclass: only its code knows what it accepts.
        return {'kind': 'opaque', 'name': type(kind).__name__}
    facts = {'kind': word}
    if word == 'port':
        plain = types.Port()
    elif word == 'range':
        plain = types.Range()
    else:
        plain = None
    for name in ('min', 'max'):
        bound = getattr(kind, name, None)
        if bound is not None and bound != getattr(plain, name, None):
            facts[name] = bound
    choices = getattr(kind, 'choices', None)
    if choices:
        facts['choices'] = sorted(
            choices, key=lambda item: (item is None, str(item))
        )
    for name in ('max_length', 'schemes'):
        if getattr(kind, name, None):
            facts[name] = jsonable(getattr(kind, name))
    regex = getattr(kind, 'regex', None)
    if regex is not None and word in ('string', 'uri'):
        facts['regex'] = getattr(regex, 'pattern', regex)
        if getattr(regex, 'flags', 0) & re.IGNORECASE:
            facts['ignore_case'] = True
    for name in ('quotes', 'ignore_case', 'bounds', 'inclusive'):
        if getattr(kind, name, None):
            facts[name] = True
    separator = getattr(kind, 'key_value_separator', ':')
    if separator != ':':
        facts['separator'] = separator
    if word == 'list':
        facts['item'] = type_facts(kind.item_type)
    elif word == 'dict':
        facts['item'] = type_facts(kind.value_type)
    elif word in ('ip_address', 'host_address'):
        version = ip_version(kind)
        if version:
            facts['version'] = version
    return compact_type(facts)


def ip_version(kind):
    address = getattr(kind, 'ip_address', kind)
    check = getattr(address, 'version_checker', None)
    name = getattr(check, '__name__', '')
    if 'ipv4' in name:
        return 4
    if 'ipv6' in name:
        return 6
    return None


def compact_type(facts):
    return facts['kind'] if len(facts) == 1 else facts


def option_facts(opt, default):
    """Return what oslo.config knows about an option, without its help."""
    from oslo_config import cfg

    facts = {'type': type_facts(opt.type)}
    value = jsonable(default)
    if host.is_of_the_host(value):
        facts['host_default'] = True
    elif value is not None:
        facts['default'] = value
    for name in (
        'secret',
        'required',
        'deprecated_for_removal',
    ):
        if getattr(opt, name, False):
            facts[name] = True
    if opt.multi:
        facts['multi'] = True
    if getattr(opt, 'deprecated_since', None):
        facts['deprecated_since'] = str(opt.deprecated_since)
    # The order is kept: if a file has several old names, the first counts.
    olds: list[tuple[str, str]] = []
    for old in opt.deprecated_opts:
        assert isinstance(old, cfg.DeprecatedOpt)
        group, name = old.group, old.name
        # An old name without a group belongs to the option's own group, and
        # an old group without a name keeps the option's name.
        olds.append((group or '', name or opt.dest))
    if olds:
        facts['deprecated_names'] = [
            [group or None, name] for group, name in dict.fromkeys(olds)
        ]
    return facts
