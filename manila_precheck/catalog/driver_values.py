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

"""Values that a driver's code rejects although their type accepts them.

They were found by creating and setting up every driver of manila 16.3.0 and
22.0.2 with a meaningless text in each of its string options, and by reading
the drivers that fail before they use them. Each row was tried in 16.3.0,
18.3.0, 20.0.3, 21.0.3, 22.0.2 and 23.0.1, which agree, and is in 12.1.2:

- share/drivers/netapp/common.py, NetAppDriver._create_driver
- share/drivers/netapp/dataontap/client/api.py, set_transport_type
- share/drivers/netapp/dataontap/client/api.py, invoke_successfully, and
  cluster_mode/lib_single_svm.py, _find_matching_aggregates (also in
  lib_multi_svm.py), which match the names of calls and of aggregates
- share/drivers/generic.py and zfsonlinux/driver.py, _setup_helpers
- share/drivers/cephfs/driver.py, CephFSDriver.__init__
- share/drivers/glusterfs/__init__.py, GlusterfsShareDriver._get_helper
- share/drivers/windows/service_instance.py, _check_password_complexity, which
  a login with a certificate does not call
- share/drivers/glusterfs/common.py, GlusterManager, which layout_directory.py
  makes of glusterfs_target, and layout_volume.py of glusterfs_servers
- share/drivers/glusterfs/layout_volume.py, _compile_volume_pattern (tried in
  18.3.0, 21.0.3 and 23.0.1)
- share/drivers/qnap/api.py, _parse_management_url
- share/drivers/zfsonlinux/driver.py, _get_zpool_list and do_setup
- share/drivers/container/driver.py, check_for_setup_error, which only reads
  the section of the back end, whatever network_config_group says
- share/driver.py, ShareDriver.check_for_setup_error, for the drivers that do
  not override it in 16.3.0 and 18.3.0; from 19.0.0 on the type has the limit

The layouts of GlusterFS are in :mod:`conditions`.
"""

from collections.abc import Callable
import ipaddress
import re
import string
from typing import NamedTuple
from typing import Optional


class ValueRule(NamedTuple):
    """What a driver accepts as the value of one of its options."""

    drivers: tuple[str, ...]
    """The classes."""

    option: str

    words: str
    """What it accepts: 'is set to <words>'."""

    takes: Callable[[str], bool]
    """Says whether the driver accepts a text."""

    good: str = ''
    """A value that it accepts; '': only the operator knows one."""

    unless: Optional[str] = None
    """An option that keeps the driver from reading this one if it is true."""

    at: str = 'init'
    """Where the driver fails; as in :class:`drivers.DriverNeed`."""

    refuses_default: bool = False
    """Whether it rejects the default, too, so that the option is required."""


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


class _VolumePattern(string.Template):
    delimiter = '#'


def _is_volume_pattern(text: str) -> bool:
    try:
        return _is_pattern(
            _VolumePattern(text).substitute(size=r'(?P<size>\d+)')
        )
    except (KeyError, ValueError):
        return False


def _is_octal(text: str) -> bool:
    try:
        int(text, 8)
    except ValueError:
        return False
    return True


def _is_complex(text: str) -> bool:
    # An empty value is reported as a missing option.
    return not text or (
        len(text) >= 6
        and all(re.search(kind, text) for kind in ('[a-z]', '[A-Z]', '[0-9]'))
    )


_GLUSTER = re.compile(r'(?:[^:@/]+@)?[^:@/]+')
_GLUSTER_VOLUME = re.compile(r'(?:[^:@/]+@)?[^:@/]+:/[^/]+(?:/.*)?', re.DOTALL)

_QNAP = re.compile(r'https?://\S+:\d+')


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _are_different_pools(text: str) -> bool:
    pools = [name.partition('/')[0] for name in text.split(',')]
    return len(set(pools)) == len(pools)


def _is_at_least_one(text: str) -> bool:
    return float(text) >= 1


_NEUTRON = 'manila.network.neutron.neutron_network_plugin.'
_WITHOUT_HOST = (
    f'{_NEUTRON}NeutronNetworkPlugin',
    f'{_NEUTRON}NeutronSingleNetworkPlugin',
)


RULES = (
    ValueRule(
        ('NetAppDriver',),
        'netapp_storage_family',
        'ontap_cluster',
        lambda text: text.lower() == 'ontap_cluster',
        'ontap_cluster',
    ),
    ValueRule(
        ('NetAppDriver',),
        'netapp_transport_type',
        'http or https',
        lambda text: text.lower() in ('http', 'https'),
        'https',
        at='setup',
    ),
    *(
        ValueRule(
            ('NetAppDriver',),
            option,
            'a regular expression of Python',
            _is_pattern,
            '(.*)',
            at='setup',
        )
        for option in (
            'netapp_aggregate_name_search_pattern',
            'netapp_api_trace_pattern',
        )
    ),
    *(
        ValueRule(
            (driver,), option, 'at least one helper', bool, good, at='setup'
        )
        for driver, option, good in (
            (
                'GenericShareDriver',
                'share_helpers',
                'CIFS=manila.share.drivers.helpers.CIFSHelperIPAccess,'
                'NFS=manila.share.drivers.helpers.NFSHelper',
            ),
            (
                'ZFSonLinuxShareDriver',
                'zfs_share_helpers',
                'NFS=manila.share.drivers.zfsonlinux.utils.NFSviaZFSHelper',
            ),
        )
    ),
    ValueRule(
        ('CephFSDriver',),
        'cephfs_volume_mode',
        'an octal number',
        _is_octal,
        '755',
    ),
    ValueRule(
        ('GlusterfsShareDriver',),
        'glusterfs_nfs_server_type',
        'Gluster or Ganesha',
        lambda text: text in ('Gluster', 'Ganesha'),
        'Gluster',
    ),
    ValueRule(
        ('WindowsSMBDriver',),
        'service_instance_password',
        'at least 6 characters, with a lower case letter, an upper case '
        'letter and a digit',
        _is_complex,
        unless='winrm_use_cert_based_auth',
    ),
    ValueRule(
        ('GlusterfsShareDriver',),
        'glusterfs_target',
        'the form server:/volume or server:/volume/path',
        # An empty value is reported as a missing option.
        lambda text: not text or bool(_GLUSTER_VOLUME.fullmatch(text)),
        at='setup',
    ),
    ValueRule(
        ('GlusterfsShareDriver', 'GlusterfsNativeShareDriver'),
        'glusterfs_servers',
        'servers without a volume',
        lambda text: all(map(_GLUSTER.fullmatch, text.split(','))),
    ),
    ValueRule(
        ('GlusterfsNativeShareDriver',),
        'glusterfs_volume_pattern',
        'a regular expression of Python, with #{size} at most once',
        _is_volume_pattern,
    ),
    ValueRule(
        ('QnapShareDriver',),
        'qnap_management_url',
        'a URL with http or https and a port',
        # An empty value is reported as a missing option.
        lambda text: not text or bool(_QNAP.match(text)),
        at='setup',
    ),
    ValueRule(
        ('ZFSonLinuxShareDriver',),
        'zfs_zpool_list',
        'one dataset of each pool',
        _are_different_pools,
    ),
    ValueRule(
        ('ZFSonLinuxShareDriver',),
        'zfs_share_export_ip',
        'an IPv4 address',
        _is_ipv4,
        at='setup',
    ),
    ValueRule(
        ('ZFSonLinuxShareDriver',),
        'zfs_service_ip',
        'an IPv4 address',
        _is_ipv4,
        at='setup',
    ),
    ValueRule(
        (
            'ACCESSShareDriver',
            'DummyDriver',
            'FlashBladeShareDriver',
            'GlusterfsNativeShareDriver',
            'HitachiHNASDriver',
            'HitachiHSPDriver',
            'InfiniboxShareDriver',
            'TegileShareDriver',
            'ZFSonLinuxShareDriver',
        ),
        'max_over_subscription_ratio',
        'a number of at least 1',
        _is_at_least_one,
        '1.0',
        at='setup',
    ),
    ValueRule(
        ('ContainerShareDriver',),
        'network_api_class',
        'a plugin of neutron that binds its ports',
        # It reads neutron_host_id, which these plugins do not register.
        lambda text: text not in _WITHOUT_HOST,
        f'{_NEUTRON}NeutronBindNetworkPlugin',
        at='setup',
        refuses_default=True,
    ),
)
