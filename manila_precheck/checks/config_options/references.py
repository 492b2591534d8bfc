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

"""The options whose value names a class, a plugin or a scheme.

What happens if the name does not exist is from the code of manila 22.0.2 (the
files are named at each option) and was seen on real services of 23.0.1: a name
that a service imports at startup ends the service, a name that it looks up
later fails at that moment.
"""

from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import drivers

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING

#: Stands for the section of an option that is read in sections of any name.
ANY = ''


class OptionReference(NamedTuple):
    """An option that names something, and what happens if it is missing."""

    kind: str
    """One of catalog.drivers.KINDS."""

    thing: str
    """What the name denotes, in words."""

    effect: str
    """What happens in the target if the name does not exist."""

    severity: model.Severity = FAILURE
    """The severity of that."""

    moved: Optional[str] = None
    """The kind of the old names that still map to one of these."""

    users: tuple[str, ...] = ()
    """The share drivers that read it; empty if it is read with any driver."""


_SCHEDULER = 'manila-scheduler does not start'
_SHARE = 'manila-share exits with 1 and starts no back end'
_DATA = 'manila-data does not start'
_ALL = 'no service of manila starts'
_SETUP = 'the back end does not come up: it never reports'
NO_DATABASE = 'no service of manila can reach the database'
# manila/share/drivers: generic.py and service_instance.py
_INSTANCES = ('GenericShareDriver', 'WindowsSMBDriver')


def _class(effect: str, *users: str) -> OptionReference:
    return OptionReference(drivers.CLASS, 'class', effect, users=users)


def _filter(effect: str) -> OptionReference:
    return OptionReference(
        drivers.FILTER,
        'scheduler filter',
        f'{effect} (SchedulerHostFilterNotFound)',
    )


_UNSENT = OptionReference(
    drivers.NOTIFICATION,
    'notification driver',
    'its notifications are not sent; only a line in the log shows it',
    WARNING,
)


#: What the value of each option names, by (section or ANY, name).
REFERENCES = {
    # manila/scheduler/manager.py, drivers/base.py; service.py
    ('DEFAULT', 'scheduler_driver'): OptionReference(
        drivers.SCHEDULER,
        'scheduler driver',
        _SCHEDULER,
        moved=drivers.SCHEDULER_MOVED,
    ),
    ('DEFAULT', 'scheduler_host_manager'): _class(_SCHEDULER),
    ('DEFAULT', 'scheduler_manager'): _class(_SCHEDULER),
    ('DEFAULT', 'share_manager'): _class(_SHARE),
    ('DEFAULT', 'data_manager'): _class(_DATA),
    # manila/scheduler/host_manager.py: compared with the names of classes
    ('DEFAULT', 'scheduler_default_filters'): _filter(
        'no share can be created'
    ),
    ('DEFAULT', 'scheduler_default_share_group_filters'): _filter(
        'no share group can be created'
    ),
    ('DEFAULT', 'scheduler_default_extend_filters'): _filter(
        'no share can be extended'
    ),
    ('DEFAULT', 'scheduler_default_weighers'): OptionReference(
        drivers.WEIGHER,
        'scheduler weigher',
        'no share can be created (SchedulerHostWeigherNotFound)',
    ),
    # manila/data/manager.py
    ('DEFAULT', 'backup_driver'): OptionReference(
        drivers.BACKUP, 'backup driver', _DATA
    ),
    # manila/share/__init__.py, db/base.py, quota.py
    ('DEFAULT', 'share_api_class'): _class(_ALL),
    ('DEFAULT', 'db_driver'): _class(_ALL),
    ('DEFAULT', 'quota_driver'): _class('every quota request fails'),
    ('quota', 'driver'): _class('every quota request fails'),
    # manila/compute/__init__.py, volume/__init__.py, image/__init__.py
    ('DEFAULT', 'compute_api_class'): _class(_SHARE, *_INSTANCES),
    ('DEFAULT', 'volume_api_class'): _class(_SHARE, *_INSTANCES),
    ('DEFAULT', 'image_api_class'): _class(_SHARE, *_INSTANCES),
    # manila/api/extensions.py: logged, and the API starts
    ('DEFAULT', 'osapi_share_extension'): OptionReference(
        drivers.CLASS,
        'API extension',
        'manila-api starts without it',
        WARNING,
    ),
    # manila/share/manager.py, drivers_private_data.py, network/__init__.py
    (ANY, 'hook_drivers'): OptionReference(drivers.HOOK, 'hook', _SHARE),
    (ANY, 'drivers_private_storage_class'): OptionReference(
        drivers.PRIVATE_DATA, 'storage class', _SHARE
    ),
    (ANY, 'network_api_class'): OptionReference(
        drivers.NETWORK, 'network plugin', _SHARE
    ),
    # manila/share/drivers: container/driver.py, service_instance.py and
    # hitachi/hnas/driver.py create them in __init__; generic.py, lvm.py,
    # ibm/gpfs.py and zfsonlinux/driver.py in do_setup
    (ANY, 'container_helper'): _class(_SHARE),
    (ANY, 'container_protocol_helper'): _class(_SHARE),
    (ANY, 'container_security_service_helper'): _class(_SHARE),
    (ANY, 'container_storage_helper'): _class(_SHARE),
    (ANY, 'interface_driver'): _class(_SETUP),
    (ANY, 'hitachi_hnas_driver_helper'): _class(_SHARE),
    (ANY, 'gpfs_share_helpers'): _class(_SETUP),
    (ANY, 'lvm_share_helpers'): _class(_SETUP),
    (ANY, 'share_helpers'): _class(_SETUP, *_INSTANCES),
    (ANY, 'zfs_share_helpers'): _class(_SETUP),
    # oslo_messaging/transport.py, notify/notifier.py: a missing driver of
    # notifications is only logged
    ('DEFAULT', 'transport_url'): OptionReference(
        drivers.TRANSPORT, 'transport', _ALL
    ),
    ('oslo_messaging_notifications', 'transport_url'): OptionReference(
        drivers.TRANSPORT, 'transport', _ALL
    ),
    ('oslo_messaging_notifications', 'driver'): _UNSENT,
    # keystonemiddleware/audit/_notifier.py
    ('audit_middleware_notifications', 'transport_url'): OptionReference(
        drivers.TRANSPORT, 'transport', 'manila-api does not start'
    ),
    ('audit_middleware_notifications', 'driver'): _UNSENT,
    # tooz/coordination.py; manila/service.py and share/api.py
    ('coordination', 'backend_url'): OptionReference(
        drivers.COORDINATION,
        'coordination backend',
        'manila-api, manila-scheduler and manila-share do not start '
        '(NoMatches)',
    ),
    # oslo_db/sqlalchemy/engines.py; slave_connection needs connection
    ('database', 'connection'): OptionReference(
        drivers.DIALECT, 'SQL dialect', f'{NO_DATABASE} (NoSuchModuleError)'
    ),
    ('database', 'slave_connection'): OptionReference(
        drivers.DIALECT, 'SQL dialect', f'{NO_DATABASE} (NoSuchModuleError)'
    ),
}


#: Modules that a name loads and that manila does not install: (kind, name) to
#: the module and its package. The plugins of oslo.messaging, tooz and
#: SQLAlchemy import them when they are loaded (oslo.messaging 14.7 and 17.3
#: _drivers, tooz 4.0 to 9.0 drivers).
LIBRARIES = {
    (drivers.TRANSPORT, 'amqp'): ('pyngus', 'pyngus'),
    (drivers.TRANSPORT, 'kafka'): ('confluent_kafka', 'confluent-kafka'),
    (drivers.COORDINATION, 'consul'): ('consul', 'python-consul'),
    (drivers.COORDINATION, 'etcd3'): ('etcd3', 'etcd3'),
    (drivers.COORDINATION, 'etcd3+http'): ('etcd3gw', 'etcd3gw'),
    (drivers.COORDINATION, 'etcd3+https'): ('etcd3gw', 'etcd3gw'),
    (drivers.COORDINATION, 'ipc'): ('sysv_ipc', 'sysv-ipc'),
    (drivers.COORDINATION, 'kazoo'): ('kazoo', 'kazoo'),
    (drivers.COORDINATION, 'kubernetes'): ('sherlock', 'sherlock'),
    (drivers.COORDINATION, 'memcached'): ('pymemcache', 'pymemcache'),
    (drivers.COORDINATION, 'mysql'): ('pymysql', 'PyMySQL'),
    (drivers.COORDINATION, 'postgresql'): ('psycopg2', 'psycopg2'),
    (drivers.COORDINATION, 'redis'): ('redis', 'redis'),
    (drivers.COORDINATION, 'zake'): ('zake', 'zake'),
    (drivers.COORDINATION, 'zookeeper'): ('kazoo', 'kazoo'),
    **{
        (drivers.DIALECT, f'{server}{driver}'): library
        for server in ('mysql', 'mariadb')
        for driver, library in {
            '': ('MySQLdb', 'mysqlclient'),
            '+cymysql': ('cymysql', 'cymysql'),
            '+mariadbconnector': ('mariadb', 'mariadb'),
            '+mysqlconnector': ('mysql', 'mysql-connector-python'),
            '+mysqldb': ('MySQLdb', 'mysqlclient'),
            '+pymysql': ('pymysql', 'PyMySQL'),
            '+pyodbc': ('pyodbc', 'pyodbc'),
        }.items()
    },
    **{
        (drivers.DIALECT, f'postgresql{driver}'): library
        for driver, library in {
            '': ('psycopg2', 'psycopg2'),
            '+pg8000': ('pg8000', 'pg8000'),
            '+psycopg': ('psycopg', 'psycopg'),
            '+psycopg2': ('psycopg2', 'psycopg2'),
            '+psycopg2cffi': ('psycopg2cffi', 'psycopg2cffi'),
        }.items()
    },
}

#: Modules on which the packages of all distributions depend, though manila
#: itself does not: they are reported only if the build is known to lack them.
EVERYWHERE = ('psycopg2', 'pymysql')

#: Dialects that work only with asyncio: a connection raises MissingGreenlet
#: (oslo.db 17.3 with SQLAlchemy 2.0: tried with aiomysql and aiosqlite).
ASYNCIO = tuple(
    f'{server}+{driver}'
    for server, driver in (
        ('mariadb', 'aiomysql'),
        ('mariadb', 'asyncmy'),
        ('mysql', 'aiomysql'),
        ('mysql', 'asyncmy'),
        ('postgresql', 'asyncpg'),
        ('sqlite', 'aiosqlite'),
    )
)


def find(group: str, name: str) -> Optional[OptionReference]:
    """Return what the value of an option names, if anything."""
    return REFERENCES.get((group, name)) or REFERENCES.get((ANY, name))
