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
import sqlite3

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing

CHECK = 'running-config'

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

NOW = 'now/manila.conf'
BACKEND = '''\
[DEFAULT]
enabled_share_backends = lvm1
host = ctl
[lvm1]
share_driver = manila.share.drivers.lvm.LVMShareDriver
driver_handles_share_servers = False
'''
REFUSED = (
    'RabbitMQ answers 406 PRECONDITION_FAILED when a service declares a '
    'queue or an exchange that exists with other properties, and the '
    'service runs without receiving any request'
)
MEANT = 'Unless the change is intended, keep the value:'
SAY = (
    'Unless the change is intended, set the value of the running files in '
    'the staged files.'
)
DELETE = (
    "If the change is intended, delete manila's queues and exchanges (or "
    'its virtual host) while all its services are stopped. Other projects '
    'may use the exchange of control_exchange too.'
)
NOTHING = 'No action is needed.'


def login(group='neutron', **options):
    values = {
        'auth_type': 'password',
        'auth_url': 'http://keystone/v3',
        'username': 'manila',
        'password': 'sesame77',
        'project_name': 'service',
        **options,
    }
    lines = [f'{name} = {value}' for name, value in values.items()]
    return '\n'.join([f'[{group}]', *lines, ''])


def site(running, staged, **more):
    """Return a site from 2025.1 to 2026.1 with two manila.conf."""
    files = {NOW: running, **more.pop('files', {})}
    sides = {'source': '2025.1', 'target': '2026.1', **more}
    return testing.Site(staged, files=files, running=[NOW], **sides)


CASES = {
    'host': (
        BACKEND,
        BACKEND.replace('= ctl', '= new'),
        [
            (
                FAILURE,
                'DEFAULT/host',
                (
                    '[DEFAULT] host changes from ctl (now/manila.conf:3) to '
                    'new (manila.conf:3): every service gets a new row in '
                    'the table services, and the old one stays down; '
                    'existing shares keep the old host, where no '
                    'manila-share runs any longer, and requests for them '
                    'stay queued'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[DEFAULT]\nhost = ctl')),
                    (
                        'text',
                        (
                            'Or move the shares to the new host, after '
                            '"manila-manage db sync" and before the '
                            'services start:'
                        ),
                    ),
                    (
                        'command',
                        (
                            'manila-manage share update_host --currenthost '
                            'ctl --newhost new'
                        ),
                    ),
                ],
            ),
        ],
    ),
    'host_of_the_machine': (
        BACKEND,
        BACKEND.replace('host = ctl\n', ''),
        [
            (
                WARNING,
                'DEFAULT/host',
                (
                    '[DEFAULT] host changes from ctl (now/manila.conf:3) to '
                    'the name of the machine: unless both are the same '
                    'name, every service gets a new row in the table '
                    'services, and the old one stays down; existing shares '
                    'keep the old host, where no manila-share runs any '
                    'longer, and requests for them stay queued'
                ),
                [('text', MEANT), ('config', ('[DEFAULT]\nhost = ctl'))],
            ),
        ],
    ),
    'host_without_share': (
        ('[DEFAULT]\nhost = ctl\n'),
        ('[DEFAULT]\nhost = new\n'),
        [
            (
                WARNING,
                'DEFAULT/host',
                (
                    '[DEFAULT] host changes from ctl '
                    '(now/manila.conf:2) to new (manila.conf:2): '
                    'every service gets a new row in the table '
                    'services, and the old one stays down'
                ),
                [('text', MEANT), ('config', ('[DEFAULT]\nhost = ctl'))],
            ),
        ],
    ),
    'zone': (
        BACKEND,
        BACKEND.replace('host', 'storage_availability_zone = az2\nhost'),
        [
            (
                WARNING,
                'DEFAULT/storage_availability_zone',
                (
                    '[DEFAULT] storage_availability_zone changes from the '
                    'default nova to az2 (manila.conf:3): the services move '
                    'to the new availability zone with their first report; '
                    'existing shares keep the old one, which has no host '
                    'for new shares, replicas and share servers any longer'
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        ('[DEFAULT]\nstorage_availability_zone = nova'),
                    ),
                ],
            ),
        ],
    ),
    'zone_of_a_back_end': (
        BACKEND + ('backend_availability_zone = az1\n'),
        BACKEND + ('backend_availability_zone = az2\n'),
        [
            (
                WARNING,
                'lvm1/backend_availability_zone',
                (
                    '[lvm1] backend_availability_zone changes from az1 '
                    '(now/manila.conf:7) to az2 (manila.conf:7): the '
                    'services move to the new availability zone with their '
                    'first report; existing shares keep the old one, which '
                    'has no host for new shares, replicas and share servers '
                    'any longer'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[lvm1]\nbackend_availability_zone = az1')),
                ],
            ),
        ],
    ),
    'server_of_the_database': (
        ('[database]\nconnection = mysql+pymysql://m:sesame77@db1/manila\n'),
        ('[database]\nconnection = mysql+pymysql://m:sesame77@db2/manila\n'),
        [
            (
                FAILURE,
                'database/connection',
                (
                    '[database] connection changes from mysql at db1:3306, '
                    'database manila (now/manila.conf:2) to mysql at '
                    'db2:3306, database manila (manila.conf:2): unless that '
                    'is the same database or a complete copy of it, the '
                    'target has none of the shares, and "manila-manage db '
                    'sync" creates its tables there'
                ),
                [
                    (
                        'text',
                        (
                            'Unless the database has moved, keep [database] '
                            'connection on mysql at db1:3306, database '
                            'manila.'
                        ),
                    )
                ],
            ),
        ],
    ),
    'name_of_the_database': (
        ('[database]\nconnection = postgresql://m@db1/manila\n'),
        ('[database]\nconnection = postgresql://m@db1/manila2\n'),
        [
            (
                FAILURE,
                'database/connection',
                (
                    '[database] connection changes from postgresql at '
                    'db1:5432, database manila (now/manila.conf:2) to '
                    'postgresql at db1:5432, database manila2 '
                    '(manila.conf:2): unless that is the same database or a '
                    'complete copy of it, the target has none of the '
                    'shares, and "manila-manage db sync" creates its tables '
                    'there'
                ),
                [
                    (
                        'text',
                        (
                            'Unless the database has moved, keep [database] '
                            'connection on postgresql at db1:5432, database '
                            'manila.'
                        ),
                    )
                ],
            ),
        ],
    ),
    'virtual_host': (
        (
            '[DEFAULT]\n'
            'transport_url = '
            'rabbit://m:sesame77@rabbit1:5672,m:sesame77@ra'
            'bbit2/\n'
        ),
        (
            '[DEFAULT]\n'
            'transport_url = '
            'rabbit://m:sesame77@rabbit1,m:sesame77@rabbit2'
            '/manila\n'
        ),
        [
            (
                FAILURE,
                'DEFAULT/transport_url',
                (
                    '[DEFAULT] transport_url changes from rabbit at '
                    'rabbit1:5672, rabbit2:5672, virtual host / '
                    '(now/manila.conf:2) to rabbit at rabbit1:5672, '
                    'rabbit2:5672, virtual host manila (manila.conf:2): '
                    'requests in the queues of the old broker are lost, and '
                    'services that still use it cannot be reached'
                ),
                [
                    (
                        'text',
                        (
                            'Unless the broker has moved, keep [DEFAULT] '
                            'transport_url on rabbit at rabbit1:5672, '
                            'rabbit2:5672, virtual host /.'
                        ),
                    )
                ],
            ),
        ],
    ),
    'brokers': (
        ('[DEFAULT]\ntransport_url = rabbit://m:sesame77@rabbit1/\n'),
        ('[DEFAULT]\ntransport_url = rabbit://m:sesame77@rabbit2/\n'),
        [
            (
                FAILURE,
                'DEFAULT/transport_url',
                (
                    '[DEFAULT] transport_url changes from rabbit at '
                    'rabbit1:5672, virtual host / (now/manila.conf:2) to '
                    'rabbit at rabbit2:5672, virtual host / '
                    '(manila.conf:2): requests in the queues of the old '
                    'broker are lost, and services that still use it cannot '
                    'be reached'
                ),
                [
                    (
                        'text',
                        (
                            'Unless the broker has moved, keep [DEFAULT] '
                            'transport_url on rabbit at rabbit1:5672, '
                            'virtual host /.'
                        ),
                    )
                ],
            ),
        ],
    ),
    'one_node_of_the_broker': (
        (
            '[DEFAULT]\n'
            'transport_url = '
            'rabbit://m:sesame77@rabbit1,m:sesame77@rabbit2'
            '/\n'
        ),
        (
            '[DEFAULT]\n'
            'transport_url = '
            'rabbit://m:sesame77@rabbit1,m:sesame77@rabbit3'
            '/\n'
        ),
        [
            (
                INFO,
                'DEFAULT/transport_url',
                (
                    '[DEFAULT] transport_url changes from rabbit at '
                    'rabbit1:5672, rabbit2:5672, virtual host / '
                    '(now/manila.conf:2) to rabbit at rabbit1:5672, '
                    'rabbit3:5672, virtual host / (manila.conf:2): both '
                    'URLs have a host in common and are assumed to be one '
                    'cluster'
                ),
                [],
            ),
        ],
    ),
    'broker_of_notifications': (
        (
            '[DEFAULT]\n'
            'transport_url = rabbit://m:sesame77@rabbit1/\n'
            '[oslo_messaging_notifications]\n'
            'transport_url = rabbit://m:sesame77@rabbit2/\n'
        ),
        ('[DEFAULT]\ntransport_url = rabbit://m:sesame77@rabbit1/\n'),
        [
            (
                WARNING,
                'oslo_messaging_notifications/transport_url',
                (
                    '[oslo_messaging_notifications] transport_url changes '
                    'from rabbit at rabbit2:5672, virtual host / '
                    '(now/manila.conf:4) to rabbit at rabbit1:5672, virtual '
                    'host /: consumers of notifications on the old broker '
                    'receive none'
                ),
                [
                    (
                        'text',
                        (
                            'Unless the broker has moved, keep '
                            '[oslo_messaging_notifications] transport_url '
                            'on rabbit at rabbit2:5672, virtual host /.'
                        ),
                    )
                ],
            ),
        ],
    ),
    'one_back_end_less': (
        (
            '[DEFAULT]\n'
            'enabled_share_backends = lvm1, old\n'
            'host = ctl\n'
            '[lvm1]\n'
            'share_driver = '
            'manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
            '[old]\n'
            'share_driver = '
            'manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
        ),
        BACKEND,
        [
            (
                FAILURE,
                'old',
                (
                    'the running files enable the back end old, but the '
                    'staged files do not: no manila-share serves it after '
                    'the upgrade, and requests for its shares stay queued; '
                    'the database was not read to see whether it has any'
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        ('[DEFAULT]\nenabled_share_backends = lvm1, old'),
                    ),
                ],
            ),
        ],
    ),
    'driver': (
        BACKEND,
        BACKEND.replace(
            'lvm.LVMShareDriver', 'zfsonlinux.driver.ZFSonLinuxShareDriver'
        ),
        [
            (
                FAILURE,
                'lvm1/share_driver',
                (
                    '[lvm1] share_driver changes from '
                    'manila.share.drivers.lvm.LVMShareDriver '
                    '(now/manila.conf:5) to '
                    'manila.share.drivers.zfsonlinux.driver.'
                    'ZFSonLinuxShareDriver (manila.conf:5): the new driver '
                    'does not find the shares that the old one created'
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        (
                            '[lvm1]\n'
                            'share_driver = '
                            'manila.share.drivers.lvm.LVMShareDriver'
                        ),
                    ),
                ],
            ),
        ],
    ),
    'mode': (
        BACKEND,
        BACKEND.replace('False', 'True'),
        [
            (
                FAILURE,
                'lvm1/driver_handles_share_servers',
                (
                    '[lvm1] driver_handles_share_servers changes from False '
                    '(now/manila.conf:6) to True (manila.conf:6): existing '
                    'shares were created in the other mode, and the back '
                    'end no longer manages them; no host matches share '
                    'types of that mode'
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        ('[lvm1]\ndriver_handles_share_servers = False'),
                    ),
                ],
            ),
        ],
    ),
    'name_of_a_back_end': (
        BACKEND + ('share_backend_name = one\n'),
        BACKEND + ('share_backend_name = two\n'),
        [
            (
                WARNING,
                'lvm1/share_backend_name',
                (
                    '[lvm1] share_backend_name changes from one '
                    '(now/manila.conf:7) to two (manila.conf:7): no host '
                    'matches share types whose extra spec '
                    'share_backend_name is the old name, and pools named '
                    'after it are renamed'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[lvm1]\nshare_backend_name = one')),
                ],
            ),
        ],
    ),
    'quorum': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\nrabbit_quorum_queue = False\n'),
        ('[DEFAULT]\n[oslo_messaging_rabbit]\nrabbit_quorum_queue = True\n'),
        [
            (
                FAILURE,
                'oslo_messaging_rabbit/rabbit_quorum_queue',
                (
                    (
                        '[oslo_messaging_rabbit] rabbit_quorum_queue '
                        'changes from False (now/manila.conf:3) to '
                        'True (manila.conf:3): '
                    )
                    + REFUSED
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        (
                            '[oslo_messaging_rabbit]\n'
                            'rabbit_quorum_queue = False'
                        ),
                    ),
                    ('text', DELETE),
                ],
            ),
        ],
    ),
    'quorum_no_more': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\nrabbit_quorum_queue = True\n'),
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        [
            (
                FAILURE,
                'oslo_messaging_rabbit/rabbit_quorum_queue',
                (
                    (
                        '[oslo_messaging_rabbit] rabbit_quorum_queue '
                        'changes from True (now/manila.conf:3) to the '
                        'default False: '
                    )
                    + REFUSED
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        (
                            '[oslo_messaging_rabbit]\n'
                            'rabbit_quorum_queue = True'
                        ),
                    ),
                    ('text', DELETE),
                ],
            ),
        ],
    ),
    'quorum_of_transient_queues': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        (
            '[DEFAULT]\n'
            '[oslo_messaging_rabbit]\n'
            'rabbit_transient_quorum_queue = True\n'
        ),
        [
            (
                FAILURE,
                'oslo_messaging_rabbit/rabbit_transient_quorum_queue',
                (
                    (
                        '[oslo_messaging_rabbit] '
                        'rabbit_transient_quorum_queue changes from '
                        'the default False to True (manila.conf:3): '
                    )
                    + REFUSED
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        (
                            '[oslo_messaging_rabbit]\n'
                            'rabbit_transient_quorum_queue = False'
                        ),
                    ),
                    ('text', DELETE),
                ],
            ),
        ],
    ),
    'quorum_and_mirrored': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        (
            '[DEFAULT]\n'
            '[oslo_messaging_rabbit]\n'
            'rabbit_quorum_queue = True\n'
            'rabbit_ha_queues = True\n'
        ),
        [
            (
                FAILURE,
                'oslo_messaging_rabbit/rabbit_quorum_queue',
                (
                    '[oslo_messaging_rabbit] rabbit_quorum_queue '
                    'changes from the default False to True '
                    '(manila.conf:3): with rabbit_quorum_queue and '
                    'rabbit_ha_queues both on, oslo.messaging '
                    'raises RuntimeError and no service starts'
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        (
                            '[oslo_messaging_rabbit]\n'
                            'rabbit_quorum_queue = False'
                        ),
                    ),
                ],
            ),
            (
                INFO,
                'oslo_messaging_rabbit/rabbit_ha_queues',
                (
                    '[oslo_messaging_rabbit] rabbit_ha_queues '
                    'changes from the default False to True '
                    '(manila.conf:4): RabbitMQ 3.0 and later '
                    'ignore it and mirror queues by a policy'
                ),
                [('text', NOTHING)],
            ),
        ],
    ),
    'limit_of_quorum_queues': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\nrabbit_quorum_queue = True\n'),
        (
            '[DEFAULT]\n'
            '[oslo_messaging_rabbit]\n'
            'rabbit_quorum_queue = True\n'
            'rabbit_quorum_delivery_limit = 5\n'
        ),
        [
            (
                FAILURE,
                'oslo_messaging_rabbit/rabbit_quorum_delivery_limit',
                (
                    (
                        '[oslo_messaging_rabbit] '
                        'rabbit_quorum_delivery_limit changes from the '
                        'default 0 to 5 (manila.conf:4): '
                    )
                    + REFUSED
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        (
                            '[oslo_messaging_rabbit]\n'
                            'rabbit_quorum_delivery_limit = 0'
                        ),
                    ),
                    ('text', DELETE),
                ],
            ),
        ],
    ),
    'durable': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        ('[DEFAULT]\n[oslo_messaging_rabbit]\namqp_durable_queues = True\n'),
        [
            (
                WARNING,
                'oslo_messaging_rabbit/amqp_durable_queues',
                (
                    '[oslo_messaging_rabbit] amqp_durable_queues changes '
                    'from the default False to True (manila.conf:3): it has '
                    'no effect on existing queues: RabbitMQ answers 406 '
                    'PRECONDITION_FAILED, and the services keep using '
                    'queues that a restart of RabbitMQ deletes'
                ),
                [('text', DELETE)],
            ),
        ],
    ),
    'durable_no_more': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\namqp_durable_queues = True\n'),
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        [
            (
                FAILURE,
                'oslo_messaging_rabbit/amqp_durable_queues',
                (
                    (
                        '[oslo_messaging_rabbit] amqp_durable_queues '
                        'changes from True (now/manila.conf:3) to the '
                        'default False: '
                    )
                    + REFUSED
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        (
                            '[oslo_messaging_rabbit]\n'
                            'amqp_durable_queues = True'
                        ),
                    ),
                    ('text', DELETE),
                ],
            ),
        ],
    ),
    'deleted_by_themselves': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        ('[DEFAULT]\n[oslo_messaging_rabbit]\namqp_auto_delete = True\n'),
        [
            (
                FAILURE,
                'oslo_messaging_rabbit/amqp_auto_delete',
                (
                    (
                        '[oslo_messaging_rabbit] amqp_auto_delete '
                        'changes from the default False to True '
                        '(manila.conf:3): '
                    )
                    + REFUSED
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        ('[oslo_messaging_rabbit]\namqp_auto_delete = False'),
                    ),
                    ('text', DELETE),
                ],
            ),
        ],
    ),
    'deleted_by_themselves_no_more': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\namqp_auto_delete = True\n'),
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        [
            (
                WARNING,
                'oslo_messaging_rabbit/amqp_auto_delete',
                (
                    (
                        '[oslo_messaging_rabbit] amqp_auto_delete changes '
                        'from True (now/manila.conf:3) to the default '
                        'False: existing queues and exchanges are deleted '
                        'only when nothing uses them: as long as a service '
                        'or another project does, '
                    )
                    + REFUSED
                ),
                [('text', DELETE)],
            ),
        ],
    ),
    'mirrored': (
        ('[DEFAULT]\n[oslo_messaging_rabbit]\nrabbit_ha_queues = True\n'),
        ('[DEFAULT]\n[oslo_messaging_rabbit]\n\n'),
        [
            (
                INFO,
                'oslo_messaging_rabbit/rabbit_ha_queues',
                (
                    '[oslo_messaging_rabbit] rabbit_ha_queues '
                    'changes from True (now/manila.conf:3) to the '
                    'default False: RabbitMQ 3.0 and later ignore '
                    'it and mirror queues by a policy'
                ),
                [('text', NOTHING)],
            ),
        ],
    ),
    'exchange': (
        ('[DEFAULT]\ncontrol_exchange = manila\n'),
        ('[DEFAULT]\n\n'),
        [
            (
                WARNING,
                'DEFAULT/control_exchange',
                (
                    '[DEFAULT] control_exchange changes from manila '
                    '(now/manila.conf:2) to the default openstack: '
                    'notifications go to the new exchange, and consumers of '
                    'the old one receive none; services that still use the '
                    'old exchange cannot reach those that use the new one'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[DEFAULT]\ncontrol_exchange = manila')),
                ],
            ),
        ],
    ),
    'topic': (
        ('[DEFAULT]\n\n'),
        ('[DEFAULT]\nshare_topic = shares\n'),
        [
            (
                FAILURE,
                'DEFAULT/share_topic',
                (
                    '[DEFAULT] share_topic changes from the default '
                    'manila-share to shares (manila.conf:2): manila-share '
                    'listens on manila-share whatever the option says; '
                    'requests to any other topic are lost'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[DEFAULT]\nshare_topic = manila-share')),
                ],
            ),
        ],
    ),
    'topic_on_which_it_listens': (
        ('[DEFAULT]\nshare_topic = shares\n'),
        ('[DEFAULT]\n\n'),
        [
            (
                INFO,
                'DEFAULT/share_topic',
                (
                    '[DEFAULT] share_topic changes from shares '
                    '(now/manila.conf:2) to the default manila-share: the '
                    'service always listens on that topic'
                ),
                [('text', NOTHING)],
            ),
        ],
    ),
    'topics_of_notifications': (
        ('[oslo_messaging_notifications]\ntopics = one\n'),
        ('[oslo_messaging_notifications]\ntopics = one, two\n'),
        [
            (
                WARNING,
                'oslo_messaging_notifications/topics',
                (
                    '[oslo_messaging_notifications] topics changes from one '
                    '(now/manila.conf:2) to one, two (manila.conf:2): '
                    'consumers of notifications on the old topics receive '
                    'none'
                ),
                [
                    ('text', MEANT),
                    (
                        'config',
                        ('[oslo_messaging_notifications]\ntopics = one'),
                    ),
                ],
            ),
        ],
    ),
    'address': (
        ('[DEFAULT]\n\n'),
        ('[DEFAULT]\nmy_ip = 10.0.0.1\n'),
        [
            (
                INFO,
                'DEFAULT/my_ip',
                (
                    '[DEFAULT] my_ip changes from an address of the machine '
                    'to 10.0.0.1 (manila.conf:2): only the driver of HPE '
                    '3PAR uses it, and no enabled back end has that driver'
                ),
                [('text', SAY)],
            ),
        ],
    ),
    'address_that_is_used': (
        ('[DEFAULT]\nmy_ip = 10.0.0.2\n'),
        ('[DEFAULT]\nmy_ip = 10.0.0.1\nosapi_share_listen = $my_ip\n'),
        [
            (
                WARNING,
                'DEFAULT/my_ip',
                (
                    '[DEFAULT] my_ip changes from 10.0.0.2 '
                    '(now/manila.conf:2) to 10.0.0.1 '
                    '(manila.conf:2): it is used by [DEFAULT] '
                    'osapi_share_listen'
                ),
                [('text', MEANT), ('config', ('[DEFAULT]\nmy_ip = 10.0.0.2'))],
            ),
        ],
    ),
    'state_path': (
        BACKEND,
        BACKEND.replace('host', 'state_path = /srv/manila\nhost'),
        [
            (
                WARNING,
                'DEFAULT/state_path',
                (
                    '[DEFAULT] state_path changes from the default '
                    '/var/lib/manila to /srv/manila (manila.conf:3): files '
                    'below the old path are no longer found: by default the '
                    'file locks of [coordination], the mount points of LVM, '
                    'GPFS, GlusterFS and NexentaStor shares and the data of '
                    'NFS-Ganesha; the paths of exports of LVM shares change'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[DEFAULT]\nstate_path = /var/lib/manila')),
                ],
            ),
        ],
    ),
    'lock_path': (
        ('[oslo_concurrency]\nlock_path = /run/one\n'),
        ('[oslo_concurrency]\nlock_path = /run/two\n'),
        [
            (
                WARNING,
                'oslo_concurrency/lock_path',
                (
                    '[oslo_concurrency] lock_path changes from /run/one '
                    '(now/manila.conf:2) to /run/two (manila.conf:2): '
                    'services that use the old directory and services that '
                    "use the new one do not see each other's locks"
                ),
                [
                    ('text', MEANT),
                    ('config', ('[oslo_concurrency]\nlock_path = /run/one')),
                ],
            ),
        ],
    ),
    'no_lock_path': (
        ('[oslo_concurrency]\nlock_path = /run/one\n'),
        '',
        [
            (
                FAILURE,
                'oslo_concurrency/lock_path',
                (
                    '[oslo_concurrency] lock_path changes from /run/one '
                    '(now/manila.conf:2) to not set: without it the '
                    'services raise RequiredOptError whenever they take a '
                    'lock that other processes share, such as those of '
                    'access rules and share servers'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[oslo_concurrency]\nlock_path = /run/one')),
                ],
            ),
        ],
    ),
    'coordinator': (
        (
            '[coordination]\n'
            'backend_url = '
            'etcd3+http://m:sesame77@etcd1:2379/\n'
        ),
        ('[coordination]\nbackend_url = redis://:sesame77@redis1:6379\n'),
        [
            (
                WARNING,
                'coordination/backend_url',
                (
                    '[coordination] backend_url changes from '
                    'etcd3+http://etcd1:2379 (now/manila.conf:2) to '
                    'redis://redis1:6379 (manila.conf:2): services that use '
                    'the old one and services that use the new one do not '
                    "see each other's locks"
                ),
                [
                    (
                        'text',
                        (
                            'Unless the change is intended, set '
                            '[coordination] backend_url to '
                            'etcd3+http://etcd1:2379.'
                        ),
                    )
                ],
            ),
        ],
    ),
    'coordinator_no_more': (
        ('[coordination]\nbackend_url = etcd3+http://etcd1:2379\n'),
        '',
        [
            (
                FAILURE,
                'coordination/backend_url',
                (
                    '[coordination] backend_url changes from '
                    'etcd3+http://etcd1:2379 (now/manila.conf:2) to '
                    'file:///var/lib/manila: file locks work only within '
                    'one machine, and services on several controllers can '
                    'change the same share at the same time'
                ),
                [
                    (
                        'text',
                        (
                            'Unless the change is intended, set '
                            '[coordination] backend_url to '
                            'etcd3+http://etcd1:2379.'
                        ),
                    )
                ],
            ),
        ],
    ),
    'project': (
        login(),
        login(project_name='other'),
        [
            (
                FAILURE,
                'neutron',
                (
                    '[neutron] project_name changes from service '
                    '(now/manila.conf:6) to other (manila.conf:6): what '
                    'manila created in neutron belongs to the old user, '
                    'project and region, and manila finds it only if the '
                    'new ones can access it'
                ),
                [('config', ('[neutron]\nproject_name = service'))],
            ),
        ],
    ),
    'user': (
        login(),
        login(username='other'),
        [
            (
                WARNING,
                'neutron',
                (
                    '[neutron] username changes from manila '
                    '(now/manila.conf:4) to other (manila.conf:4): what '
                    'manila created in neutron belongs to the old user, '
                    'project and region, and manila finds it only if the '
                    'new ones can access it'
                ),
                [('config', ('[neutron]\nusername = manila'))],
            ),
        ],
    ),
    'keystone': (
        login('keystone_authtoken'),
        login('keystone_authtoken', auth_url='http://other/v3'),
        [
            (
                WARNING,
                'keystone_authtoken',
                (
                    '[keystone_authtoken] auth_url changes from '
                    'http://keystone/v3 (now/manila.conf:3) to '
                    'http://other/v3 (manila.conf:3): manila-api validates '
                    'tokens with that Keystone, as that user: with another '
                    'Keystone, or a user without the role service, every '
                    'request gets 401 or 503'
                ),
                [
                    (
                        'config',
                        (
                            '[keystone_authtoken]\n'
                            'auth_url = http://keystone/v3'
                        ),
                    )
                ],
            ),
        ],
    ),
    'no_authentication': (
        ('[DEFAULT]\nauth_strategy = keystone\n'),
        ('[DEFAULT]\nauth_strategy = noauth\n'),
        [
            (
                FAILURE,
                'DEFAULT/auth_strategy',
                (
                    '[DEFAULT] auth_strategy changes from keystone '
                    '(now/manila.conf:2) to noauth '
                    '(manila.conf:2): the API no longer asks for a '
                    'token, and anybody who reaches it is an '
                    'administrator'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[DEFAULT]\nauth_strategy = keystone')),
                ],
            ),
        ],
    ),
    'authentication': (
        ('[DEFAULT]\nauth_strategy = noauth\n'),
        ('[DEFAULT]\nauth_strategy = keystone\n'),
        [
            (
                WARNING,
                'DEFAULT/auth_strategy',
                (
                    '[DEFAULT] auth_strategy changes from noauth '
                    '(now/manila.conf:2) to keystone '
                    '(manila.conf:2): requests without a token of '
                    'Keystone get 401'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[DEFAULT]\nauth_strategy = noauth')),
                ],
            ),
        ],
    ),
    'names_of_shares': (
        BACKEND,
        BACKEND.replace('host', 'share_name_template = s-%s\nhost'),
        [
            (
                FAILURE,
                'DEFAULT/share_name_template',
                (
                    '[DEFAULT] share_name_template changes from the default '
                    'share-%s to s-%s (manila.conf:3): manila does not '
                    'store names but builds them from the ID and the '
                    'template: the drivers of lvm1 no longer find resources '
                    'that the storage system has under the old name'
                ),
                [
                    ('text', MEANT),
                    ('config', ('[DEFAULT]\nshare_name_template = share-%s')),
                ],
            ),
        ],
    ),
    'names_of_shares_that_no_driver_uses': (
        ('[DEFAULT]\n\n'),
        ('[DEFAULT]\nshare_name_template = s-%s\n'),
        [
            (
                INFO,
                'DEFAULT/share_name_template',
                (
                    '[DEFAULT] share_name_template changes from the default '
                    'share-%s to s-%s (manila.conf:2): no driver of an '
                    'enabled back end is known to look up resources by this '
                    'name'
                ),
                [('text', NOTHING)],
            ),
        ],
    ),
    'address_of_3par': (
        BACKEND.replace(
            'lvm.LVMShareDriver', 'hpe.hpe_3par_driver.HPE3ParShareDriver'
        ),
        (
            '[DEFAULT]\n'
            'enabled_share_backends = lvm1\n'
            'my_ip = 10.0.0.1\n'
            'host = ctl\n'
            '[lvm1]\n'
            'share_driver = '
            'manila.share.drivers.hpe.hpe_3par_driver.HPE3P'
            'arShareDriver\n'
            'driver_handles_share_servers = False\n'
        ),
        [
            (
                WARNING,
                'DEFAULT/my_ip',
                (
                    '[DEFAULT] my_ip changes from an address of '
                    'the machine to 10.0.0.1 (manila.conf:3): it '
                    'is used by lvm1'
                ),
                [('text', SAY)],
            ),
        ],
    ),
    'port_of_the_broker': (
        '[DEFAULT]\ntransport_url = rabbit://m:sesame77@rabbit1/\n',
        '[DEFAULT]\ntransport_url = rabbit://m:sesame77@rabbit1:5671/\n',
        [
            (
                WARNING,
                'DEFAULT/transport_url',
                '[DEFAULT] transport_url changes from rabbit at '
                'rabbit1:5672, virtual host / (now/manila.conf:2) to rabbit '
                'at rabbit1:5671, virtual host / (manila.conf:2): unless '
                'both ports belong to one broker, requests in the queues of '
                'the old broker are lost, and services that still use it '
                'cannot be reached',
                [
                    (
                        'text',
                        'Unless the broker has moved, keep [DEFAULT] '
                        'transport_url on rabbit at rabbit1:5672, virtual '
                        'host /.',
                    ),
                ],
            ),
        ],
    ),
    'new_defaults_off': (
        '',
        '[oslo_policy]\nenforce_new_defaults = False\n',
        [
            (
                FAILURE,
                'oslo_policy/enforce_new_defaults',
                '[oslo_policy] enforce_new_defaults changes from the '
                'default True to False (manila.conf:2): the deprecated '
                'defaults apply beside the new ones and admit more callers: '
                'a user with only the role reader can create shares',
                [
                    ('text', MEANT),
                    ('config', '[oslo_policy]\nenforce_new_defaults = True'),
                ],
            ),
        ],
    ),
    'scope_off': (
        '[oslo_policy]\nenforce_scope = True\n',
        '[oslo_policy]\nenforce_scope = False\n',
        [
            (
                WARNING,
                'oslo_policy/enforce_scope',
                '[oslo_policy] enforce_scope changes from True '
                '(now/manila.conf:2) to False (manila.conf:2): tokens of '
                'any scope are accepted',
                [
                    ('text', MEANT),
                    ('config', '[oslo_policy]\nenforce_scope = True'),
                ],
            ),
        ],
    ),
    'new_defaults_on': (
        '[oslo_policy]\nenforce_new_defaults = False\n',
        '',
        [
            (
                WARNING,
                'oslo_policy/enforce_new_defaults',
                '[oslo_policy] enforce_new_defaults changes from False '
                '(now/manila.conf:2) to the default True: callers that only '
                'the deprecated defaults admit get 403',
                [
                    ('text', MEANT),
                    ('config', '[oslo_policy]\nenforce_new_defaults = False'),
                ],
            ),
        ],
    ),
}
SAME = {
    'version of Keystone': (
        login(),
        login(auth_url='http://keystone/'),
    ),
    'login': (
        ('[database]\nconnection = mysql+pymysql://m:sesame77@db1/manila\n'),
        (
            '[database]\n'
            'connection = '
            'mariadb://n:sesame88@db1:3306/manila?charset=u'
            'tf8\n'
        ),
    ),
    'login of the broker': (
        ('[DEFAULT]\ntransport_url = rabbit://m:sesame77@rabbit1/\n'),
        ('[DEFAULT]\ntransport_url = rabbit://n:sesame88@RABBIT1:5672//\n'),
    ),
    'default written': (
        BACKEND,
        (
            '[DEFAULT]\n'
            'enabled_share_backends = lvm1\n'
            'storage_availability_zone = nova\n'
            'state_path = /var/lib/manila\n'
            'host = ctl\n'
            '[lvm1]\n'
            'share_driver = '
            'manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
        ),
    ),
    'an unset name of the machine': (
        ('[DEFAULT]\ndebug = True\n'),
        ('[DEFAULT]\ndebug = False\n'),
    ),
    'other options': (BACKEND, BACKEND + ('lvm_share_volume_group = vg2\n')),
    'one more back end': (
        BACKEND,
        (
            '[DEFAULT]\n'
            'enabled_share_backends = lvm1, lvm2\n'
            'host = ctl\n'
            '[lvm1]\n'
            'share_driver = '
            'manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
            '[lvm2]\n'
            'share_driver = '
            'manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
        ),
    ),
    'values that cannot be told': (
        (
            '[DEFAULT]\n'
            'config_source = s\n'
            '[s]\n'
            'driver = remote_file\n'
            'uri = http://127.0.0.1:1/x\n'
        ),
        ('[DEFAULT]\nstorage_availability_zone = az2\n'),
    ),
}


@ddt.ddt
class RunningConfigTest(testtools.TestCase):
    def run_check(self, *sides, **more):
        made = self.useFixture(site(*sides, **more))
        self.path = made.path
        return made.run(CHECK)

    def outline(self, result):
        """Return (severity, key, message, remediation) of each finding."""
        return [
            (
                finding.severity,
                finding.key[len(CHECK) + 1 : -1],
                finding.message.replace(f'{self.path}/', ''),
                [
                    (one.kind, one.text.replace(f'{self.path}/', ''))
                    for one in finding.remediation
                ],
            )
            for finding in result.findings
        ]

    @ddt.data(*CASES)
    def test_change(self, name):
        running, staged, findings = CASES[name]
        result = self.run_check(running, staged)
        self.assertEqual('', result.reason)
        self.assertEqual(findings, self.outline(result))

    @ddt.data(*SAME)
    def test_no_change(self, name):
        result = self.run_check(*SAME[name])
        self.assertEqual(
            (model.Outcome.PASSED, ()), (result.outcome, result.findings)
        )

    @ddt.data(*CASES)
    def test_the_same_files(self, name):
        for text in CASES[name][:2]:
            result = self.run_check(text, text)
            self.assertEqual(
                (model.Outcome.PASSED, ()), (result.outcome, result.findings)
            )

    def test_a_line_that_the_target_ignores(self):
        text = '[DEFAULT]\nsql_connection = mysql+pymysql://m:sesame77@db1/m\n'
        result = self.run_check(text, text, source='2023.1', target='2024.1')
        self.assertEqual(
            [
                (
                    FAILURE,
                    'database/connection',
                    '[database] connection changes from mysql at db1:3306, '
                    'database m (now/manila.conf:2) to sqlite, in memory: '
                    'unless that is the same database or a complete copy of '
                    'it, the target has none of the shares, and '
                    '"manila-manage db sync" creates its tables there',
                    [
                        (
                            'text',
                            'Unless the database has moved, keep [database] '
                            'connection on mysql at db1:3306, database m.',
                        )
                    ],
                )
            ],
            self.outline(result),
        )

    @ddt.data(
        (['backends-in-use', CHECK], True, []),
        (['backends-in-use', CHECK], False, ['old']),
        ([CHECK], True, ['old']),
    )
    @ddt.unpack
    def test_a_back_end_of_which_another_check_tells(
        self, chosen, with_database, told
    ):
        running, staged, _ = CASES['one_back_end_less']
        connection = None
        if with_database:
            folder = self.useFixture(fixtures.TempDir()).path
            connection = f'sqlite:///{folder}/manila.sqlite'
            with sqlite3.connect(f'{folder}/manila.sqlite') as database:
                database.executescript(
                    'CREATE TABLE alembic_version (version_num TEXT);'
                    'CREATE TABLE shares (id TEXT);'
                    "INSERT INTO alembic_version VALUES ('0d8c8f6d54a4');"
                )
            database.close()
            running += f'[database]\nconnection = {connection}\n'
        made = self.useFixture(site(running, staged, connection=connection))
        ctx = made.context()
        ctx.chosen = frozenset(chosen)
        result = made.run(CHECK, ctx)
        self.assertEqual('', result.reason)
        self.assertEqual(
            told, [finding.subject.name for finding in result.findings]
        )

    def test_overrides_of_policies(self):
        result = self.run_check(
            '[DEFAULT]\n',
            '[DEFAULT]\n',
            files={
                'now/policy.yaml': '"share:get": "rule:admin_api"\n'
                '"share:create": "!"\n'
                '"share:delete": "role:two"\n'
                '"share:list": "role:three or role:four"\n'
                '"share:extend": "role:three"\n'
                '"share:shrink": "(rule:admin_api)"\n',
                'policy.yaml': '"share:extend": "role:three"\n'
                '"share:delete": "@"\n'
                '"share:update": ""\n'
                '"share:shrink": "rule:context_is_admin"\n',
            },
        )
        advice = [
            (
                'text',
                'Put the policy files of the running services beside the '
                'staged files, or name them in [oslo_policy] policy_file and '
                'policy_dirs; policy-rules judges what is there.',
            )
        ]
        self.assertEqual(
            [
                (
                    FAILURE,
                    'overrides#open',
                    'the policies of now/policy.yaml and those of the '
                    'staged files differ in rules that now admit more '
                    'callers: share:create, share:delete, share:get, '
                    'share:update; the staged files do not define '
                    'share:create, share:get, and the default of the target '
                    'applies',
                    advice,
                ),
                (
                    WARNING,
                    'overrides#lost',
                    'the policies of now/policy.yaml and those of the '
                    'staged files differ in rules whose override is missing '
                    'or different: share:list, share:shrink; the staged '
                    'files do not define share:list, and the default of the '
                    'target applies',
                    advice,
                ),
            ],
            self.outline(result),
        )

    @ddt.data(
        ('audit', WARNING, 'the API loses what they do'),
        ('authtoken', FAILURE, 'requests are no longer authenticated'),
    )
    @ddt.unpack
    def test_filters_of_the_api(self, name, severity, effect):
        paste = (
            '[composite:v2]\nuse = call:a:b\n'
            'keystone = cors authtoken audit keystonecontext apiv2\n'
        )
        result = self.run_check(
            '[DEFAULT]\n',
            '[DEFAULT]\n',
            files={
                'now/api-paste.ini': paste,
                'api-paste.ini': paste.replace(f'{name} ', ''),
            },
        )
        self.assertEqual(
            [
                (
                    severity,
                    'keystone',
                    f'api-paste.ini does not have {name} in the pipeline '
                    'keystone, which now/api-paste.ini has: ' + effect,
                    [
                        (
                            'text',
                            'Add them to api-paste.ini, unless the target '
                            'has no such filter.',
                        )
                    ],
                )
            ],
            self.outline(result),
        )

    def test_an_api_paste_that_is_not_staged(self):
        result = self.run_check(
            '[DEFAULT]\napi_paste_config = site.ini\n',
            '[DEFAULT]\nosapi_share_workers = 2\n',
            files={'now/site.ini': '[composite:v2]\nuse = call:a:b\n'},
        )
        self.assertEqual(
            [
                (
                    WARNING,
                    'DEFAULT/api_paste_config',
                    '[DEFAULT] api_paste_config changes from site.ini '
                    '(now/manila.conf:2) to the default api-paste.ini: what '
                    'now/site.ini adds to the API is in no staged file: '
                    f'there is no api-paste.ini in {self.path}, and '
                    '[DEFAULT] api_paste_config is not set',
                    [
                        ('text', MEANT),
                        ('config', '[DEFAULT]\napi_paste_config = site.ini'),
                    ],
                )
            ],
            self.outline(result),
        )

    def test_nothing_names_the_running_files(self):
        result = self.useFixture(testing.Site()).run(CHECK)
        self.assertEqual(
            (
                model.Outcome.NOT_APPLICABLE,
                'no --running-config-file or --running-config-dir',
            ),
            (result.outcome, result.reason),
        )

    def test_a_directory_is_read_after_the_files(self):
        made = self.useFixture(
            testing.Site(
                '[DEFAULT]\nhost = two\n',
                files={
                    NOW: '[DEFAULT]\nhost = one\n',
                    'now/conf.d/50.conf': '[DEFAULT]\nhost = two\n',
                },
                running=['now/conf.d', NOW],
            )
        )
        self.assertEqual(model.Outcome.PASSED, made.run(CHECK).outcome)

    def test_the_files_are_listed_and_their_secrets_masked(self):
        made = self.useFixture(
            site(
                login(password='sesame88'),
                '[DEFAULT]\n',
                files={'now/policy.yaml': '"share:get": "@"\n'},
            )
        )
        ctx = made.context()
        made.run(CHECK, ctx)
        self.assertEqual(
            [
                ('manila.conf', 'config'),
                (NOW, 'running config'),
                ('now/policy.yaml', 'running policy'),
            ],
            [
                (file.path.replace(f'{made.path}/', ''), file.kind)
                for file in ctx.files
            ],
        )
        self.assertIn('sesame88', ctx.secrets)
