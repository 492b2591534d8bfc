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

"""Generate configurations from the options that real releases report.

Every driver of every release gets a section for each of its two modes, with
every option of its vendor and every option of a back end. Every section with
a fixed name is written with all options, and every plugin of keystoneauth gets
a login. There are four variants: good values, values that the option's own
type rejects, values at and beyond its bounds, and old names. Nothing here
comes from the catalog, which is what these configurations test.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Optional

Samples = dict[str, Any]
Lines = list[tuple[str, str]]

VARIANTS = ('good', 'bad', 'edge', 'old')

# Options that decide which other options exist, or whether a driver can be
# built at all; they always get these values.
_KEPT = {
    'netapp_storage_family': 'ontap_cluster',
    'network_api_class': (
        'manila.network.standalone_network_plugin.StandaloneNetworkPlugin'
    ),
    'standalone_network_plugin_gateway': '192.0.2.1',
    'standalone_network_plugin_mask': '24',
    'standalone_network_plugin_network_type': 'flat',
    'hook_drivers': 'manila.share.hook.HookBase',
    'glusterfs_target': 'host:/volume',
    'glusterfs_servers': 'host',
    'glusterfs_volume_pattern': 'v#{size}',
    'service_instance_user': 'user',
    'service_instance_password': 'Passw0rd!Passw0rd!',
    'service_instance_name_or_id': 'instance',
    'service_net_name_or_ip': '192.0.2.4',
    'tenant_net_name_or_ip': '192.0.2.4',
    'path_to_private_key': '/key',
    'lvm_share_export_ips': '127.0.0.1',
    'zfs_share_export_ip': '127.0.0.1',
    'zfs_service_ip': '127.0.0.1',
    'zfs_zpool_list': 'pool',
    'cephfs_volume_mode': '755',
    'standalone_network_plugin_allowed_ip_ranges': '192.0.2.9-192.0.2.19',
    'glusterfs_nfs_server_type': 'Gluster',
    'winrm_use_cert_based_auth': 'false',
    'dummy_driver_driver_methods_delays': 'create_share:1',
}
# Options that are written by hand below, or that would name further sections.
_LEFT_OUT = {
    'share_driver',
    'driver_handles_share_servers',
    'emc_share_backend',
    'network_config_group',
    'admin_network_config_group',
    'neutron_binding_profiles',
    'netapp_enabled_backup_types',
    'enabled_share_backends',
    'auth_type',
    'auth_plugin',
    'auth_section',
    'fatal_deprecations',
    # Options of oslo.config itself, which select the files or end the parsing.
    'config_dir',
    'config_file',
    'config_source',
    'shell_completion',
    # It selects the options of one of two layouts.
    'glusterfs_share_layout',
}
_EMC = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'
_OLD_PLUGINS = ('vmax', 'isilon')
_LOGIN_GROUPS = ('nova', 'cinder', 'glance', 'neutron')


def configurations(answers: Iterable[Samples]) -> dict[str, str]:
    """Return configurations by name, made from samples of some releases."""
    merged = _merged(answers)
    found = {}
    for variant in VARIANTS:
        found[f'drivers-{variant}'] = _drivers(merged, variant)
        found[f'sections-{variant}'] = _sections(merged['sections'], variant)
        found[f'sample-file-{variant}'] = _sections(merged['listed'], variant)
    for variant in ('good', 'bad', 'old'):
        for number, text in enumerate(_logins(merged['logins'], variant)):
            found[f'logins-{variant}-{number}'] = text
    return found


def _merged(answers: Iterable[Samples]) -> Samples:
    merged: Samples = {'drivers': set(), 'plugins': set(_OLD_PLUGINS)}
    for answer in answers:
        for kind in ('drivers', 'plugins'):
            merged[kind].update(answer[kind])
        for kind in ('vendors', 'sections', 'listed', 'logins'):
            places = merged.setdefault(kind, {})
            for place, samples in answer[kind].items():
                places.setdefault(place, {}).update(samples)
    return merged


def _text(
    sample: Samples, variant: str, number: int, whole: bool
) -> Optional[str]:
    """Return the value of an option; None to leave it out."""
    if variant in ('bad', 'edge'):
        texts = sample['bad' if variant == 'bad' else 'edges']
        if texts:
            return str(texts[number % len(texts)])
        if not whole:
            return None
    good: Optional[str] = sample['good']
    return good


def _lines(
    samples: Samples,
    variant: str,
    number: int,
    group: str = '',
    whole: bool = False,
) -> Iterator[tuple[str, str, str]]:
    """Yield (section, or '' for the current one; option; value).

    :param whole: whether options without a value for this variant get a good
        one, so that a driver can be built.
    """
    for index, (name, sample) in enumerate(sorted(samples.items())):
        if name in _LEFT_OUT:
            continue
        value = _text(sample, variant, number + index, whole)
        if name in _KEPT:
            value = _KEPT[name]
        if value is None:
            continue
        if variant != 'old':
            yield '', name, value
            continue
        for home, old in sample['old']:
            yield '' if home in (None, group) else home, old, value
        if index % 7 == 0 and '_' in name:
            yield '', name.replace('_', '-'), value
        if index % 11 == 0:
            yield '', name.upper(), value
        if name in _KEPT or (whole and not sample['old']):
            yield '', name, value


def _render(sections: dict[str, Lines]) -> str:
    return '\n'.join(
        f'[{name}]\n' + ''.join(f'{key} = {value}\n' for key, value in lines)
        for name, lines in sections.items()
    )


def _drivers(merged: Samples, variant: str) -> str:
    rows: list[tuple[str, str, str]] = []
    for path in sorted(merged['drivers']):
        names = sorted(merged['plugins']) if path == _EMC else ['']
        for plugin in names:
            for mode in ('True', 'False'):
                rows.append((path, plugin, mode))
    vendors = merged['vendors']
    order = sorted(vendors)
    sections: dict[str, Lines] = {'DEFAULT': []}
    enabled = []
    for number, (path, plugin, mode) in enumerate(rows):
        vendor = path.split('.')[3]
        if path.startswith('manila.tests'):
            vendor = 'dummy'
        section = f'Back-{number}'
        enabled.append(section)
        lines = sections[section] = [
            ('share_driver', path),
            ('driver_handles_share_servers', mode),
        ]
        if plugin:
            lines.append(('emc_share_backend', plugin))
        wanted = {**vendors[''], **vendors['network'], **vendors[vendor]}
        if vendor == 'windows':
            wanted.update(vendors['generic'])
        other = vendors[order[number % len(order)]]
        wanted.update(sorted(other.items())[:3])
        for home, name, value in _lines(wanted, variant, number, whole=True):
            sections.setdefault(home or section, lines).append((name, value))
    sections['DEFAULT'].insert(
        0, ('enabled_share_backends', ','.join(enabled))
    )
    return _render(sections)


def _sections(found: dict[str, Samples], variant: str) -> str:
    sections: dict[str, Lines] = {name: [] for name in sorted(found)}
    for number, group in enumerate(sorted(found)):
        for home, name, value in _lines(found[group], variant, number, group):
            sections.setdefault(home or group, []).append((name, value))
    return _render(sections)


def _logins(plugins: dict[str, Samples], variant: str) -> Iterator[str]:
    names = sorted(plugins)
    size = len(_LOGIN_GROUPS)
    for start in range(0, len(names), size):
        sections: dict[str, Lines] = {'DEFAULT': []}
        for index, name in enumerate(names[start : start + size]):
            group = _LOGIN_GROUPS[index]
            # One in four logins is in a section with a name of its own.
            home = group if index else f'login_of_{group}'
            if home != group:
                sections[group] = [
                    ('auth_section', home),
                    ('username', 'nobody-reads-this'),
                ]
            lines = sections.setdefault(home, [])
            lines.append(('auth_type', name))
            # Add two options of another plugin, which this one ignores.
            other = plugins[names[(start + index + 1) % len(names)]]
            wanted = {**dict(sorted(other.items())[:2]), **plugins[name]}
            for _home, key, value in _lines(wanted, variant, index):
                lines.append((key, value))
        yield _render(sections)
