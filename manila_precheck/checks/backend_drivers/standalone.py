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
"""The network plugins that reject their values when they are created.

A back end that handles share servers creates its network plugins together with
its driver, and an error in one of them ends manila-share (manila 22.0.2
share/driver.py, network/standalone_network_plugin.py). Every rule of the
standalone plugin was compared with the plugin of 16.3.0, 18.3.0, 20.0.3 and
22.0.2 on 167 sets of values.
"""

from collections.abc import Iterator
import ipaddress
import socket
from typing import Optional
from typing import Union

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.checks.backend_drivers import backend
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files

PLUGIN = 'manila.network.standalone_network_plugin.StandaloneNetworkPlugin'

# The plugins for a single network of Neutron; without its ids they raise an
# error (manila 16.3.0 to 23.0.1 network/neutron/neutron_network_plugin.py,
# _verify_net_and_subnet).
_NEUTRON = 'manila.network.neutron.neutron_network_plugin.Neutron'
_SINGLE = (
    f'{_NEUTRON}SingleNetworkPlugin',
    f'{_NEUTRON}BindSingleNetworkPlugin',
)
_NET = ('neutron_net_id', 'neutron_subnet_id')

_PREFIX = 'standalone_network_plugin_'
_GATEWAY = f'{_PREFIX}gateway'
_MASK = f'{_PREFIX}mask'
_RANGES = f'{_PREFIX}allowed_ip_ranges'
_VERSIONS = ('network_plugin_ipv4_enabled', 'network_plugin_ipv6_enabled')

_Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
_Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def findings(one: backend.BackEnd) -> Iterator[model.Finding]:
    """Yield the options that the plugins of a back end reject."""
    conf = one.ctx.config
    if conf.boolean(one.name, 'driver_handles_share_servers') is not True:
        return
    groups = [
        conf.value(one.name, 'network_config_group') or one.name,
        conf.value(one.name, 'admin_network_config_group'),
    ]
    for group in dict.fromkeys(filter(None, groups)):
        plugin = conf.value(group, 'network_api_class')
        names, judge = _PLUGINS.get(plugin or '', ((), None))
        if judge is None or any(
            unread_sources.why_not_judged(conf, group, name) for name in names
        ):
            continue
        problem = judge(conf, group, one.target)
        if problem is not None:
            name, why, example = problem
            line = conf.effective([(group, name)])
            yield one.fails(
                line[0] if line else None,
                f'[{group}], the network of back end {one.name}: {why}',
                [model.config('[{}]\n{} = {}', group, name, example)],
                f'network-{group}',
                {'option': name},
            )


def _without_net(
    conf: config_files.ConfigFiles, group: str, target: releases.Release
) -> Optional[tuple[str, str, str]]:
    """Return the option that is not set, in the form of :func:`_problem`."""
    for name in _NET:
        if not conf.value(group, name):
            return name, f'{name} is not set', '<ID>'
    return None


def _problem(
    conf: config_files.ConfigFiles, group: str, target: releases.Release
) -> Optional[tuple[str, str, str]]:
    """Return the option at fault, the reason, and an example of a value."""
    texts = {
        name: conf.value(group, name) for name in (_GATEWAY, _MASK, _RANGES)
    }
    version = _version(conf, group)
    if version is None:
        return _VERSIONS[0], f'neither {" nor ".join(_VERSIONS)} is on', 'True'
    for name, example in ((_GATEWAY, '192.0.2.1'), (_MASK, '24')):
        if texts[name] is None:
            return name, f'{name} is not set', example
    gateway, mask = f'{texts[_GATEWAY]}', f'{texts[_MASK]}'
    loose = not behaviours.has('network-addresses-whole', target)
    address = _address(gateway, loose)
    net = _network(address, mask)
    if net is None:
        wrong = _GATEWAY if address is None else _MASK
        return (
            wrong,
            f'{_GATEWAY} {gateway!r} and {_MASK} {mask!r} are no network',
            '24' if wrong == _MASK else '192.0.2.1',
        )
    ranges = conf.values(group, _RANGES)
    example = f'{gateway}-{net.broadcast_address}'
    if not ranges and net.version != version:
        value = str(version == 4)
        return (
            _VERSIONS[1],
            f'{net} is not of IP version {version}, which is what '
            f'{_VERSIONS[1]} turns {"on" if version == 6 else "off"}',
            value,
        )
    for text in ranges:
        why = _refused(text, net, version, loose)
        if why:
            return _RANGES, f'{text!r} in {_RANGES} {why}', example
    return None


def _version(conf: config_files.ConfigFiles, group: str) -> Optional[int]:
    """Return the IP version that the plugin uses; None if both are off."""
    four, six = (conf.boolean(group, name) for name in _VERSIONS)
    if six:
        return 6
    return None if four is False else 4


def _address(text: str, loose: bool) -> Optional[_Address]:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    if loose:
        # netaddr calls inet_aton(3): '10.1' is 10.0.0.1, and everything after
        # a blank is ignored.
        try:
            return ipaddress.IPv4Address(socket.inet_aton(text))
        except (OSError, UnicodeError, ValueError):
            pass
    return None


def _network(gateway: Optional[_Address], mask: str) -> Optional[_Network]:
    try:
        return ipaddress.ip_network(f'{gateway}/{mask}', strict=False)
    except ValueError:
        return None


def _refused(
    text: str, net: _Network, version: int, loose: bool
) -> Optional[str]:
    """Return why the plugin rejects a range; None if it accepts it."""
    alone = _address(text, loose)
    if alone is not None and alone.version == version:
        first = last = alone
    else:
        parts = text.split('-')
        if len(parts) != 2:
            return f'is neither an address of IP version {version} nor a range'
        ends = [_address(part, loose) for part in parts]
        if ends[0] is None or ends[1] is None:
            wrong = parts[0] if ends[0] is None else parts[1]
            return f'has {wrong!r}, which is no address'
        first, last = ends[0], ends[1]
    if first.version != last.version:
        return 'is of two versions of IP'
    if int(first) > int(last):
        return 'ends before it begins'
    if first.version != net.version or first not in net or last not in net:
        return f'is not within {net}'
    return None


# {the class: (the options that can make it fail, the function that says how)}.
_PLUGINS = {
    PLUGIN: ((_GATEWAY, _MASK, _RANGES, *_VERSIONS), _problem),
    **dict.fromkeys(_SINGLE, (_NET, _without_net)),
}
