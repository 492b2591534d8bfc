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
"""The options that name a file, a directory or a command, and their use.

They were found by hand in the modules that use them (manila 16.3.0 and 22.0.2
and the libraries of their constraints), because no type of oslo.config tells a
path from another text. Paths inside a share server, a container or a storage
system are not paths of the host and are not listed. The effect of a missing
path was tried with the services of 22.0.2.
"""

import enum
from typing import NamedTuple
from typing import Optional


class PathKind(str, enum.Enum):
    """How a path is used."""

    FILE = 'file'
    """It is read."""

    DIRECTORY = 'directory'
    """The files in it are read."""

    KEPT = 'directory that must be there'
    """Files are written to it; it is not created."""

    MADE = 'directory that is made'
    """Files are written to it; it is created when it does not exist."""

    WRITTEN = 'file that is written'
    """It is written; its directory must exist."""

    COMMAND = 'command'
    """It is run, with the words that follow it."""


class Path(NamedTuple):
    """One option that names a path."""

    kind: PathKind

    effect: str
    """What happens if it is missing: a clause after a colon."""

    service: Optional[str] = None
    """The program of the only service that uses it; None: all use it."""

    when: Optional[tuple[str, str]] = None
    """It counts only if this option (section and name) is on, or set."""

    stops: bool = True
    """Whether something does not start or serve; False: a feature fails."""

    local: bool = False
    """Whether it stops something only if a driver runs commands here."""

    by_default: bool = False
    """Whether the driver also opens the file that is the default."""

    beside: tuple[tuple[str, str], ...] = ()
    """It counts only if these options of the same section have these values,
    in lower case; '' stands for any value."""


#: Stands for the section of a back end.
BACKEND = '<back end>'

#: Parts of the class paths of drivers that run commands on this host (manila
#: 22.0.2 share/drivers/, those that call self._execute as root).
LOCAL_DRIVERS = (
    '.container.',
    '.ganesha.',
    '.glusterfs',
    '.ibm.gpfs.',
    '.lvm.',
    '.zfsonlinux.',
)
#: The section of oslo.privsep.
PRIVSEP = 'manila_sys_admin'

#: Parts of the class paths of drivers that run commands through oslo.privsep.
#: Only their modules register its section (manila 16.3.0 to 23.0.1
#: share/drivers/, those that import manila.privsep).
PRIVSEP_DRIVERS = ('.glusterfs', '.lustre.', '.lvm.', '.weka.')

#: Stands for every section that holds a login.
LOGIN = '<login>'

_NONE = 'no service starts'
_LOCKS = (
    'every request that takes a lock fails: access rules, share servers, '
    'snapshots'
)
_RABBIT = (
    'the services start and never reach the broker: no request is received'
)
_TLS = ('oslo_messaging_rabbit', 'ssl')
_DRIVER = 'the driver does not start, and the back end never reports'
_PRIVILEGES = 'whatever needs root on this host fails'

#: The parameters of a URL of MySQL or MariaDB that name files (SQLAlchemy 1.4
#: and 2.0 dialects/mysql/mysqldb.py create_connect_args).
IN_MYSQL_URL = ('ssl_ca', 'ssl_cert', 'ssl_key')
#: Tried with PyMySQL: FileNotFoundError at the first connection.
OF_MYSQL_URL = Path(PathKind.FILE, 'each connection to the database fails')

_TABLE: dict[tuple[str, str], Path] = {
    ('DEFAULT', 'log_config_append'): Path(PathKind.FILE, _NONE),
    ('DEFAULT', 'log_dir'): Path(PathKind.KEPT, _NONE),
    ('DEFAULT', 'log_file'): Path(PathKind.WRITTEN, _NONE),
    ('DEFAULT', 'backdoor_socket'): Path(PathKind.WRITTEN, _NONE),
    ('oslo_reports', 'file_event_handler'): Path(PathKind.FILE, _NONE),
    ('DEFAULT', 'rootwrap_config'): Path(
        PathKind.FILE, _PRIVILEGES, 'manila-share', local=True
    ),
    ('DEFAULT', 'scheduler_json_config_location'): Path(
        PathKind.FILE,
        'the JSON filters are not read',
        'manila-scheduler',
        stops=False,
    ),
    ('DEFAULT', 'mount_tmp_location'): Path(
        PathKind.KEPT,
        'shares cannot be mounted for a copy, and migrations by manila-data '
        'fail',
        'manila-data',
        stops=False,
    ),
    ('DEFAULT', 'backup_mount_tmp_location'): Path(
        PathKind.KEPT,
        'shares cannot be mounted for a copy, and backups fail',
        'manila-data',
        stops=False,
    ),
    ('oslo_concurrency', 'lock_path'): Path(PathKind.MADE, _LOCKS),
    ('oslo_messaging_rabbit', 'ssl_ca_file'): Path(
        PathKind.FILE, _RABBIT, when=_TLS
    ),
    ('oslo_messaging_rabbit', 'ssl_cert_file'): Path(
        PathKind.FILE, _RABBIT, when=_TLS
    ),
    ('oslo_messaging_rabbit', 'ssl_key_file'): Path(
        PathKind.FILE, _RABBIT, when=_TLS
    ),
    # keystonemiddleware 10.11 to 13.0 auth_token, _token_cache_factory
    **{
        ('keystone_authtoken', f'memcache_tls_{name}'): Path(
            PathKind.FILE,
            'manila-api does not start',
            'manila-api',
            ('keystone_authtoken', when),
        )
        for name, when in (
            ('cafile', 'memcache_tls_enabled'),
            ('certfile', 'memcache_tls_enabled'),
        )
    },
    ('cache', 'tls_cafile'): Path(
        PathKind.FILE,
        'nothing is cached',
        when=('cache', 'tls_enabled'),
        stops=False,
    ),
    ('oslo_policy', 'remote_ssl_ca_crt_file'): Path(
        PathKind.FILE,
        'rules that a server decides are refused',
        'manila-api',
        ('oslo_policy', 'remote_ssl_verify_server_crt'),
        stops=False,
    ),
    (PRIVSEP, 'helper_command'): Path(
        PathKind.COMMAND, _PRIVILEGES, 'manila-share'
    ),
}
for _name in ('cafile', 'certfile', 'keyfile'):
    _TABLE[(LOGIN, _name)] = Path(
        PathKind.FILE, 'every request to Keystone and to the service fails'
    )
for _name in (
    'cephfs_conf_path',
    'cephfs_ganesha_path_to_private_key',
    'dell_ssl_cert_path',
    'emc_ssl_cert_path',
    'glusterfs_path_to_private_key',
    'gpfs_ssh_private_key',
    'hitachi_hnas_ssh_private_key',
    'infortrend_nas_ssh_key',
    'maprfs_ssh_private_key',
    'quobyte_api_ca',
    'rootwrap_config',
    'winrm_cert_key_pem_path',
    'winrm_cert_pem_path',
    'zadara_driver_ssl_cert_path',
    'zfs_ssh_private_key_path',
):
    _TABLE[(BACKEND, _name)] = Path(PathKind.FILE, _DRIVER, 'manila-share')
# manila 16.3.0 to 23.0.1 share/drivers/service_instance.py
_TABLE[(BACKEND, 'path_to_private_key')] = Path(
    PathKind.FILE,
    'the servers with the shares are not reached, and the back end cannot '
    'serve',
    'manila-share',
)
# manila 23.0.1 share/drivers/netapp/dataontap/client/api.py: a certificate and
# its key count together; ssl_cert_path is what an https connection verifies.
for _name, _beside in (
    ('netapp_certificate_file', (('netapp_private_key_file', ''),)),
    ('netapp_private_key_file', (('netapp_certificate_file', ''),)),
    (
        'netapp_ca_certificate_file',
        (
            ('netapp_certificate_file', ''),
            ('netapp_private_key_file', ''),
            ('netapp_certificate_host_validation', 'true'),
        ),
    ),
    ('netapp_ssl_cert_path', (('netapp_transport_type', 'https'),)),
):
    _TABLE[(BACKEND, _name)] = Path(
        PathKind.FILE, _DRIVER, 'manila-share', beside=_beside
    )
# manila 16.3.0 to 23.0.1 share/drivers/huawei/huawei_nas.py, __init__.
_TABLE[(BACKEND, 'manila_huawei_conf_file')] = Path(
    PathKind.FILE, _DRIVER, 'manila-share', by_default=True
)
_TABLE[(BACKEND, 'ganesha_export_template_dir')] = Path(
    PathKind.DIRECTORY,
    'exports of NFS-Ganesha have the defaults of the driver',
    'manila-share',
    stops=False,
)


def of(group: str, name: str) -> Optional[Path]:
    """Return the path for an option of a section with a fixed name."""
    return _TABLE.get((group, name))


def of_backend(name: str) -> Optional[Path]:
    """Return the path for an option of a back end; None: not a path."""
    return _TABLE.get((BACKEND, name))


def of_defaults() -> tuple[tuple[str, Path], ...]:
    """Return the options of back ends that count even when not set."""
    return tuple(
        (name, path)
        for (place, name), path in _TABLE.items()
        if place == BACKEND and path.by_default
    )


def of_login(name: str) -> Optional[Path]:
    """Return the path for an option of a login; None: not a path."""
    return _TABLE.get((LOGIN, name))


def names() -> frozenset[str]:
    """Return the names of all options that name a path."""
    return frozenset(name for _, name in _TABLE)
