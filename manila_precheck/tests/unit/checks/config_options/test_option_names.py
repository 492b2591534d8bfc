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

"""config-options on values that name what the target may not have."""

import textwrap
from unittest import mock

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import logins

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO
GENERIC = 'manila.share.drivers.generic.GenericShareDriver'
NFS = 'manila.data.drivers.nfs.NFSBackupDriver'
FILTER = 'manila.scheduler.drivers.filter.FilterScheduler'
DEFAULTS = (
    'OnlyHostFilter,AvailabilityZoneFilter,CapacityFilter,CapabilitiesFilter,'
    'DriverFilter,ShareReplicationFilter,CreateFromSnapshotFilter,'
    'AffinityFilter,AntiAffinityFilter'
)
FILTERS = (
    'The target has AffinityFilter, AntiAffinityFilter, '
    'AvailabilityZoneFilter, CapabilitiesFilter, CapacityFilter, '
    'ConsistentSnapshotFilter, CreateFromSnapshotFilter, DriverFilter, '
    'IgnoreAttemptedHostsFilter, JsonFilter, OnlyHostFilter, RetryFilter, '
    'ShareReplicationFilter.'
)
DIR = 'layout_directory.GlusterfsDirectoryMappedLayout'
VOLUME = 'layout_volume.GlusterfsVolumeMappedLayout'
BACK_END = (
    '[DEFAULT]\nenabled_share_backends = b\n{}[b]\n'
    f'share_driver = {GENERIC}\nservice_instance_user = a\n'
    'driver_handles_share_servers = {}\n{}\n' + logins.LOGINS
)


@ddt.ddt
class NamesTest(testtools.TestCase):
    def found(self, conf, source='2024.1', target='2025.1'):
        self.site = self.useFixture(
            testing.Site(textwrap.dedent(conf), source=source, target=target)
        )
        return self.site.run('config-options').findings

    def finding(
        self, severity, name, line, message, remediation, data, aspect='names'
    ):
        return model.Finding(
            severity,
            model.Subject('option', name, self.site.file('manila.conf'), line),
            message,
            tuple(model.Remediation(*item) for item in remediation),
            check_id='config-options',
            data=data,
            aspect=aspect,
        )

    @ddt.data(
        ('2024.1', '2025.1', 'NFS,AFS,CIFS', "'AFS' is not one", 'NFS,CIFS'),
        ('2024.1', '2025.1', 'AFS', "'AFS' is not one", 'NFS,CIFS'),
        ('2025.1', '2025.2', '', 'none is named', 'NFS,CIFS'),
        ('2025.1', '2026.1', '', 'none is named', 'NFS,CIFS'),
        ('2026.1', '2026.2', '', 'none is named', 'NFS,CIFS'),
    )
    @ddt.unpack
    def test_protocols(self, source, target, value, what, good):
        found = self.found(
            f'[DEFAULT]\nenabled_share_protocols = {value}\n',
            source,
            target,
        )
        assigned = f'[DEFAULT] enabled_share_protocols = {value}'.rstrip()
        more = ', LUSTRE, WEKAFS' if target == '2026.2' else ''
        self.assertEqual(
            (
                self.finding(
                    FAILURE,
                    'DEFAULT/enabled_share_protocols',
                    2,
                    f'{assigned}: manila-api of {target} supports the share '
                    'protocols NFS, CIFS, GLUSTERFS, HDFS, CEPHFS, '
                    f'MAPRFS{more}; '
                    f'{what}, and manila-api does not start',
                    [
                        (
                            'config',
                            f'[DEFAULT]\nenabled_share_protocols = {good}',
                        )
                    ],
                    {
                        'verdict': 'invalid',
                        'named': 'AFS' if 'AFS' in value else '',
                    },
                ),
            ),
            found,
        )

    def glusterfs(self, driver, layout, enabled='z'):
        return self.found(
            f'[DEFAULT]\nenabled_share_backends = {enabled}\n[z]\n'
            f'share_driver = manila.share.drivers.glusterfs.{driver}\n'
            f'glusterfs_share_layout = {layout}\nglusterfs_target = a:/b\n'
            'driver_handles_share_servers = False\n'
            'glusterfs_servers = a\nglusterfs_volume_pattern = b\n'
            '[y]\nshare_driver = manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n',
        )

    @ddt.named_data(
        ['unknown', 'GlusterfsShareDriver', 'volume', f'{DIR} and {VOLUME}'],
        [
            'of_the_other_driver',
            'glusterfs_native.GlusterfsNativeShareDriver',
            DIR,
            VOLUME,
        ],
    )
    @ddt.unpack
    def test_layout(self, driver, layout, known):
        found = self.glusterfs(driver, layout)
        self.assertEqual(
            [
                self.finding(
                    FAILURE,
                    'z/glusterfs_share_layout',
                    5,
                    f'[z] glusterfs_share_layout = {layout}: the driver of '
                    f'2025.1 supports only {known}; manila-share exits with '
                    '1 and starts no back end',
                    [
                        (
                            'config',
                            '[z]\nglusterfs_share_layout = '
                            + known.partition(' ')[0],
                        )
                    ],
                    {'verdict': 'invalid', 'named': layout},
                )
            ],
            [
                one
                for one in found
                if one.subject.name == 'z/glusterfs_share_layout'
            ],
        )

    @ddt.named_data(
        ['known', DIR, 'z'],
        ['empty', '', 'z'],
        ['not_enabled', 'volume', 'y'],
    )
    @ddt.unpack
    def test_layout_that_ends_nothing(self, layout, enabled):
        found = self.glusterfs('GlusterfsShareDriver', layout, enabled)
        self.assertEqual([], [f for f in found if f.severity is FAILURE])

    @ddt.data(
        ('2024.1', '2025.1', 'nfs,Cifs'),
        ('2024.1', '2025.1', '$glance'),
        ('2025.1', '2026.1', 'NFS,MAPRFS'),
        # Both were a failure.
        ('2026.1', '2026.2', 'NFS,LUSTRE,wekafs'),
    )
    @ddt.unpack
    def test_protocols_that_are_known(self, source, target, value):
        found = self.found(
            f'[DEFAULT]\nenabled_share_protocols = {value}\n',
            source,
            target,
        )
        self.assertEqual([], [one for one in found if one.aspect == 'names'])

    @ddt.data(
        '[DEFAULT]\ntransport_url = rabbit://u:p@a,u:p@b/\n',
        '[DEFAULT]\ntransport_url = RABBIT://a/\n',
        '[DEFAULT]\ntransport_url = kombu+pyamqp://a/\n',
        '[coordination]\nbackend_url = etcd://a:2379\n',
        '[coordination]\nbackend_url = FILE:///var/lib/manila\n',
        '[oslo_messaging_notifications]\ndriver = messagingv2\n',
        '[oslo_messaging_notifications]\ndriver = log\ndriver = routing\n',
        '[database]\nconnection = mysql+pymysql://u:p@h/m?charset=utf8\n',
        '[database]\nconnection = postgresql://u:p@h/m\n',
        '[database]\nconnection = mariadb+pymysql://u:p@h/m\n',
        f'[DEFAULT]\nscheduler_driver = {FILTER}\n',
        f'[DEFAULT]\nbackup_driver = {NFS}\n',
        '[DEFAULT]\nscheduler_default_filters = CapacityFilter, JsonFilter\n',
        '[DEFAULT]\nscheduler_default_filters =\n',
        '[DEFAULT]\nscheduler_default_weighers = NetAppAIQWeigher\n',
        '[quota]\ndriver = manila.quota.DbQuotaDriver\n',
        BACK_END.format(
            '',
            True,
            'network_api_class = manila.network.standalone_network_plugin.'
            'StandaloneNetworkPlugin\n',
        ),
        BACK_END.format(
            '',
            False,
            'share_helpers = NFS=manila.share.drivers.helpers.NFSHelper\n',
        ),
    )
    def test_silent(self, conf):
        self.assertEqual((), self.found(conf))

    @ddt.data(
        # (section, option, value, name, source, target, thing, had, effect,
        #  what the target has)
        (
            'DEFAULT/transport_url',
            'amqp://u:hunter2@h/',
            'amqp',
            '2024.1',
            '2025.1',
            '2025.1 has no such transport (2024.1 has it); no service of '
            'manila starts',
            'kafka, rabbit',
            True,
        ),
        (
            'DEFAULT/transport_url',
            'amqp://u:hunter2@h/',
            'amqp',
            '2025.1',
            '2026.1',
            '2026.1 has no such transport (nor does 2025.1); no service of '
            'manila starts',
            'kafka, rabbit',
            False,
        ),
        (
            'oslo_messaging_notifications/transport_url',
            'qpid://u:hunter2@h/',
            'qpid',
            '2024.1',
            '2025.1',
            '2025.1 has no such transport (nor does 2024.1); no service of '
            'manila starts',
            'kafka, rabbit',
            False,
        ),
        (
            'coordination/backend_url',
            'zake://',
            'zake',
            '2025.1',
            '2026.1',
            '2026.1 has no such coordination backend (2025.1 has it); '
            'manila-api, manila-scheduler and manila-share do not start '
            '(NoMatches)',
            'consul, etcd, etcd3+http, etcd3+https, file, ipc, kazoo, '
            'kubernetes, memcached, mysql, postgresql, redis, zookeeper',
            True,
        ),
        (
            'coordination/backend_url',
            'consul://u:hunter2@h',
            'consul',
            '2026.1',
            '2026.2',
            '2026.2 has no such coordination backend (2026.1 has it); '
            'manila-api, manila-scheduler and manila-share do not start '
            '(NoMatches)',
            'etcd3+http, etcd3+https, file, ipc, kazoo, kubernetes, '
            'memcached, mysql, postgresql, redis, zookeeper',
            True,
        ),
    )
    @ddt.unpack
    def test_scheme(
        self, option, value, name, source, target, message, has, had
    ):
        section, option_name = option.split('/')
        found = self.found(
            f'[{section}]\n{option_name} = {value}\n', source, target
        )
        self.assertEqual(
            (
                self.finding(
                    FAILURE,
                    option,
                    2,
                    f'[{section}] {option_name} names {name}, but {message}',
                    [('text', f'The target has {has}.')],
                    {
                        'verdict': 'dangling',
                        'named': name,
                        'source_has_it': had,
                    },
                ),
            ),
            found,
        )
        self.assertNotIn('hunter2', repr(found))

    def test_scheme_that_is_missing(self):
        (found,) = self.found('[coordination]\nbackend_url = plain\n')
        self.assertEqual(
            (FAILURE, '', 'coordination/backend_url'),
            (found.severity, found.data['named'], found.subject.name),
        )

    @ddt.data(
        ('postgres://u:hunter2@h/m', 'postgres', 'wallaby', 'xena', True),
        ('db2://u:hunter2@h/m', 'db2', '2024.1', '2025.1', False),
        ('MySQL://u:hunter2@h/m', 'MySQL', '2024.1', '2025.1', False),
        ('mysql+nosuch://u:hunter2@h/m', 'mysql+nosuch', 'zed', '2023.1', 0),
    )
    @ddt.unpack
    def test_dialect(self, value, name, source, target, had):
        (found,) = self.found(
            f'[database]\nconnection = {value}\n', source, target
        )
        history = f'{source} has it' if had else f'nor does {source}'
        self.assertEqual(
            (
                FAILURE,
                'database/connection',
                name,
                bool(had),
                f'[database] connection names {name}, but {target} has no '
                f'such SQL dialect ({history}); no service of manila can '
                'reach the database (NoSuchModuleError)',
            ),
            (
                found.severity,
                found.subject.name,
                found.data['named'],
                found.data['source_has_it'],
                found.message,
            ),
        )
        self.assertNotIn('hunter2', repr(found))

    def test_dialect_that_loads_mysqldb(self):
        found = self.found('[database]\nconnection = mysql://u:p@h/m\n')
        self.assertEqual(
            (
                self.finding(
                    WARNING,
                    'database/connection',
                    2,
                    '[database] connection names mysql, which loads the '
                    'module MySQLdb; manila does not install it; without it '
                    'no service of manila can reach the database',
                    [
                        (
                            'text',
                            'Install mysqlclient together with 2025.1, or '
                            'begin the URL with mysql+pymysql:// and install '
                            'PyMySQL.',
                        )
                    ],
                    {'verdict': 'unjudged', 'named': 'mysql'},
                ),
            ),
            found,
        )

    @ddt.data(
        ('mysql+pymysql://u:hunter2@h:port/m', True),
        ('mysql+pymysql:u:hunter2@h/m', True),
        ('"mysql+pymysql://u:hunter2@h/m"', False),
        ('mysql+pymysql://u:hunter2@h:3306/m', False),
        ('', False),
    )
    @ddt.unpack
    def test_url_of_the_database(self, url, told):
        found = self.found(f'[database]\nconnection = {url}\n')
        expected = (
            self.finding(
                FAILURE,
                'database/connection',
                2,
                '[database] connection is no URL that SQLAlchemy can parse: '
                'no service of manila can reach the database',
                [
                    (
                        'text',
                        'Begin it with mysql+pymysql:// or postgresql://, and '
                        'write a number for the port, or no colon after the '
                        'host. In a password write %40 for an at sign, %2F '
                        'for a slash and %3A for a colon.',
                    )
                ],
                {'verdict': 'invalid'},
                'url',
            ),
        )
        self.assertEqual(expected if told else (), found)
        self.assertNotIn('hunter2', repr(found))

    @ddt.data(
        ('mysql+pymysql://u:p@h/m?charset=UTF8MB4&read_timeout=3', None),
        ('mysql+pymysql://u:p@h/m?ssl_ca=/a&ssl_check_hostname=false', None),
        ('postgresql://u:p@h/m?sslmode=require&anything=else', None),
        ('postgresql+psycopg2://u:p@h/m?sslmode=True', ' a sslmode that'),
        (
            'mysql+pymysql://u:p@h/m?sslmode=require',
            ' a parameter sslmode that',
        ),
        ('mysql+pymysql://u:p@h/m?hunter2=@b', ' a parameter that'),
        (
            'mysql+pymysql://u:hunter2@h/m?read_timeout=3s',
            ' a read_timeout that is no number above 0',
        ),
        (
            'mysql+pymysql://u:hunter2@h/m?connect_timeout=0',
            ' a connect_timeout that is no number above 0',
        ),
        (
            'mysql+pymysql://u:hunter2@h/m?charset=utf8mb5',
            ' a charset that it does not have',
        ),
    )
    @ddt.unpack
    def test_parameters_of_the_database(self, url, what):
        found = self.found(f'[database]\nconnection = {url}\n')
        if what is not None and what.endswith('that'):
            what += ' it does not have'
        library = 'psycopg2' if url.startswith('post') else 'PyMySQL'
        expected = (
            self.finding(
                FAILURE,
                'database/connection',
                2,
                f'[database] connection gives {library}{what}: no service of '
                'manila can reach the database',
                [
                    (
                        'text',
                        'Correct what follows the question mark. In a '
                        'password write %3F for a question mark.',
                    )
                ],
                {'verdict': 'invalid'},
                'parameters',
            ),
        )
        self.assertEqual(expected if what else (), found)
        self.assertNotIn('hunter2', repr(found))

    @ddt.data(
        'mysql+pymysql://u:p@h/m?plugin=nosuch',
        'postgresql://u:p@h/m?plugin=nosuch',
    )
    def test_a_plugin_of_sqlalchemy_was_passed_over(self, url):
        found = self.found(f'[database]\nconnection = {url}\n')
        self.assertEqual(
            (
                self.finding(
                    WARNING,
                    'database/connection',
                    2,
                    '[database] connection loads a plugin nosuch of '
                    'SQLAlchemy, which the catalog does not know; without the '
                    'package that provides it, no service of manila can reach '
                    'the database',
                    [
                        (
                            'text',
                            'Install the package that provides the plugin in '
                            'the environment of the target, or remove the '
                            'parameter.',
                        )
                    ],
                    {'verdict': 'unjudged'},
                    'names',
                ),
            ),
            found,
        )

    @ddt.data(
        (
            'nosuch',
            None,
            'FAILURE',
            'nosuch, which is not a transport of kombu: manila-scheduler, '
            'manila-share and manila-data do not start (KeyError)',
        ),
        (
            'memory',
            None,
            'FAILURE',
            'memory, which reaches no other host: no request of manila-api '
            'is carried out',
        ),
        (
            'qpid',
            None,
            'WARNING',
            'qpid, which loads the module qpid, which manila does not '
            'install: without it manila-scheduler, manila-share and '
            'manila-data do not start (ImportError)',
        ),
        (
            'qpid',
            set(),
            'FAILURE',
            'qpid, which loads the module qpid: manila-scheduler, '
            'manila-share and manila-data do not start (ImportError)',
        ),
        ('qpid', {'qpid'}, None, ''),
    )
    @ddt.unpack
    def test_a_transport_of_kombu_was_taken_for_a_broker(
        self, name, importable, severity, what
    ):
        with mock.patch.object(
            catalog.Catalog,
            'importable',
            autospec=True,
            return_value=importable,
        ):
            found = self.found(
                f'[DEFAULT]\ntransport_url = kombu+{name}://u:p@h/\n'
            )
        self.assertEqual(
            [(severity, f'[DEFAULT] transport_url has the transport {what}')]
            if severity
            else [],
            [(one.severity.name, one.message) for one in found],
        )

    @ddt.named_data(
        [
            'mysql',
            'mysql+aiomysql',
            ', which works with asyncio only, as manila does not: no service '
            'of manila can reach the database (MissingGreenlet)',
            'Begin the URL with mysql+pymysql://.',
        ],
        [
            'postgresql',
            'postgresql+asyncpg',
            ', which works with asyncio only, as manila does not: no service '
            'of manila can reach the database (MissingGreenlet)',
            'Begin the URL with postgresql://.',
        ],
    )
    @ddt.unpack
    def test_dialect_of_asyncio(self, name, effect, advice):
        found = self.found(f'[database]\nconnection = {name}://u:p@h/m\n')
        self.assertEqual(
            (
                self.finding(
                    FAILURE,
                    'database/connection',
                    2,
                    f'[database] connection names {name}{effect}',
                    [('text', advice)],
                    {'verdict': 'invalid', 'named': name},
                ),
            ),
            found,
        )

    @ddt.data(
        (
            'DEFAULT',
            FAILURE,
            'the services start, and no request of manila-api is carried out',
        ),
        ('oslo_messaging_notifications', WARNING, 'notifications are lost'),
    )
    @ddt.unpack
    def test_transport_within_a_process(self, section, severity, effect):
        found = self.found(f'[{section}]\ntransport_url = fake://\n')
        self.assertEqual(
            (
                self.finding(
                    severity,
                    f'{section}/transport_url',
                    2,
                    f'[{section}] transport_url names fake, which sends '
                    f'nothing to another process: {effect}',
                    [
                        (
                            'text',
                            'Begin the URL with rabbit://, and write the '
                            'user, the password and the host of the broker '
                            'after it.',
                        )
                    ],
                    {'verdict': 'invalid', 'named': 'fake'},
                ),
            ),
            found,
        )

    @ddt.data('mysql+pymysql', 'postgresql', 'postgresql+psycopg2')
    def test_dialect_of_every_package(self, name):
        self.assertEqual(
            (), self.found(f'[database]\nconnection = {name}://u:p@h/m\n')
        )

    @ddt.named_data(
        [
            'amqp',
            '[DEFAULT]\ntransport_url = amqp://u:p@h/\n',
            'DEFAULT/transport_url',
            'amqp, which loads the module pyngus',
            'no service of manila starts',
            'Install pyngus together with 2024.1.',
        ],
        [
            'redis',
            '[coordination]\nbackend_url = redis://h:6379\n',
            'coordination/backend_url',
            'redis, which loads the module redis',
            'manila-api, manila-scheduler and manila-share do not start',
            'Install redis together with 2024.1.',
        ],
        [
            'pg8000',
            '[database]\nconnection = postgresql+pg8000://u:p@h/m\n',
            'database/connection',
            'postgresql+pg8000, which loads the module pg8000',
            'no service of manila can reach the database',
            'Install pg8000 together with 2024.1, or begin the URL with '
            'postgresql:// and install psycopg2.',
        ],
    )
    @ddt.unpack
    def test_name_that_loads_a_library(self, conf, name, what, then, advice):
        section, option = name.split('/')
        found = self.found(conf, '2023.1', '2024.1')
        self.assertEqual(
            (
                self.finding(
                    WARNING,
                    name,
                    2,
                    f'[{section}] {option} names {what}; manila does not '
                    f'install it; without it {then}',
                    [('text', advice)],
                    {'verdict': 'unjudged', 'named': what.partition(',')[0]},
                ),
            ),
            found,
        )

    @ddt.data(
        (['redis'], []),
        (
            ['manila'],
            [
                (
                    FAILURE,
                    'dangling',
                    '[coordination] backend_url names redis, which loads the '
                    'module redis; the build of the target does not have it; '
                    'manila-api, manila-scheduler and manila-share do not '
                    'start',
                )
            ],
        ),
    )
    @ddt.unpack
    def test_a_library_of_a_build(self, importable, expected):
        site = self.useFixture(
            testing.Site(
                '[coordination]\nbackend_url = redis://h:6379\n',
                source='2025.1',
                target='2026.1',
            )
        )
        with mock.patch.object(
            catalog.Catalog,
            'importable',
            autospec=True,
            return_value=frozenset(importable),
        ):
            found = site.run('config-options').findings
        self.assertEqual(
            expected,
            [
                (one.severity, one.data['verdict'], one.message)
                for one in found
            ],
        )

    @ddt.data(
        'etcd3+http://u:hunter2@h:65535?timeout=5&lock_timeout=6',
        'etcd3+http://h/?api_version=v3&timeout=ten&timeout=10',
        'file:///var/lib/manila?timeout=10',
        'file://h:x/var/lib/manila',
        'memcached://[2001:db8::1]:11211?max_pool_size=5',
        'redis://h?socket_timeout=1.5&membership_timeout=2.5&db=1',
        'redis://h:26379?sentinel=a&sentinel_fallback=b:26379'
        '&sentinel_fallback=[2001:db8::1]:26379',
        # Without a sentinel, it is not read.
        'redis://h:6379?sentinel_fallback=b',
        'redis:///run/redis.sock?timeout=',
        'zookeeper://a:2181,b,[2001:db8::1]:2181?timeout=5',
    )
    def test_url_of_a_coordinator_that_is_right(self, url):
        for source, target in (('2023.2', '2024.1'), ('2026.1', '2026.2')):
            found = self.found(
                f'[coordination]\nbackend_url = {url}\n', source, target
            )
            self.assertEqual(
                [], [one for one in found if one.aspect != 'names']
            )

    @ddt.data(
        (
            'redis://:hunter2@[2001:db8::1',
            'brackets',
            'a square bracket that does not belong to an IPv6 address',
            'Write an IPv6 address as [2001:db8::1], and in a user name or a '
            'password %5B and %5D for the brackets.',
        ),
        ('redis://:hunter2@h:x', 'port', '', 'Name one host only. '),
        ('redis://:hunter2/x@h:6379', 'port', '', 'Name one host only. '),
        ('redis://2001:db8::1', 'port', '', 'Name one host only. '),
        ('etcd3+http://h:65536', 'port', '', 'Name one host only. '),
        ('etcd3+https://a:2379,b:2379', 'port', '', 'Name one host only. '),
        ('memcached://h:-1', 'port', '', 'Name one host only. '),
        ('mysql://u:hunter2@h:x/d', 'port', '', 'Name one host only. '),
        ('postgresql://u:hunter2@h:x/d', 'port', '', 'Name one host only. '),
        ('zookeeper://a:2181,b:x', 'port', '', ''),
        ('KAZOO://h:65536', 'port', '', ''),
        (
            'redis://:hunter2@h?sentinel=a',
            'port',
            'the parameter sentinel but not the port of the sentinel',
            'Write redis://HOST:PORT?sentinel=NAME, with 26379 if the '
            'sentinel has the usual port.',
        ),
        (
            'redis://h:26379?sentinel=a&sentinel_fallback=b:26379'
            '&sentinel_fallback=c',
            'query sentinel_fallback',
            'the parameter sentinel_fallback, which is not HOST:PORT',
            'Write sentinel_fallback=HOST:PORT, with 26379 if the sentinel '
            'has the usual port.',
        ),
        (
            'redis://',
            'host',
            'neither a host nor the path of a socket',
            'Write redis://HOST:PORT.',
        ),
        (
            'file://locks',
            'path',
            'no path',
            'Write file:///DIRECTORY, with three slashes.',
        ),
        ('redis://h?lock_timeout=1.5', 'lock_timeout', 'whole number', ''),
        ('redis://h?socket_timeout=a', 'socket_timeout', 'number', ''),
        ('etcd3+http://h?timeout=5s', 'timeout', 'whole number', ''),
        ('memcached://h?max_pool_size=a', 'max_pool_size', 'whole number', ''),
        ('zookeeper://h?timeout=a', 'timeout', 'whole number', ''),
        ('file:///a?timeout=1&timeout=a', 'timeout', 'whole number', ''),
    )
    @ddt.unpack
    def test_url_of_a_coordinator(self, url, aspect, what, advice):
        error = 'KeyError' if url.endswith('sentinel=a') else 'ValueError'
        if aspect == 'path':
            error = 'ToozConnectionError'
        if what.endswith('number'):
            name, kind, aspect = aspect, what, f'query {aspect}'
            what = f'the parameter {name}, which is no {kind}'
            advice = f'Set {name} to a {kind}, or remove it.'
        elif not what:
            what = 'a port that is no number between 0 and 65535'
            advice += (
                'Correct the port, and write an IPv6 address in brackets. In '
                'a user name or a password write %2F for a slash, %3F for a '
                'question mark and %23 for a number sign, which end the part '
                'with the host.'
            )
        for source, target in (('2023.2', '2024.1'), ('2026.1', '2026.2')):
            found = self.found(
                f'[coordination]\nbackend_url = {url}\n', source, target
            )
            self.assertEqual(
                [
                    self.finding(
                        FAILURE,
                        'coordination/backend_url',
                        2,
                        f'[coordination] backend_url has {what}: manila-api, '
                        'manila-scheduler and manila-share do not start '
                        f'({error})',
                        [('text', advice)],
                        {'verdict': 'invalid'},
                        aspect,
                    )
                ],
                [one for one in found if one.aspect != 'names'],
            )

    @ddt.data(
        ('rabbit://u:hunter2@h/?ssl=1&heartbeat_rate=3', None),
        ('rabbit://u:hunter2@h:65535/#?ssl=maybe', None),
        ('fake-of-another://u:hunter2@h/?a=b', 'names'),
        (
            'rabbit://u:hunter2@[2001:db8::1/',
            'one square bracket without the other: no service of manila '
            'starts (ValueError)',
            'Write an IPv6 address as [2001:db8::1], and in a user name or a '
            'password %5B and %5D for the brackets.',
        ),
        (
            'rabbit://u:hunter2@h:65536/',
            'a port that is not between 0 and 65535: manila-scheduler, '
            'manila-share and manila-data do not start (ValueError)',
            'Correct the port.',
        ),
        (
            'rabbit://u:hunter2@h/v?ssl_options=1',
            'a query ssl_options, which is no option of '
            '[oslo_messaging_rabbit] in 2025.1: no service of manila starts '
            '(NoSuchOptError)',
            'Remove it from the URL. In a password write %3F for a question '
            'mark.',
        ),
        (
            'rabbit://u:1/?hunter2=1@h/v',
            'a query, which is no option of [oslo_messaging_rabbit] in '
            '2025.1: no service of manila starts (NoSuchOptError)',
            'Remove it from the URL. In a password write %3F for a question '
            'mark.',
        ),
        (
            'rabbit://u:hunter2@h/v?ssl=1&rpc_conn_pool_size=0',
            'a value of rpc_conn_pool_size after the question mark that '
            '[oslo_messaging_rabbit] rpc_conn_pool_size does not take: no '
            'service of manila starts (ValueError)',
            'Correct the value, or remove it from the URL and set the option '
            'in [oslo_messaging_rabbit].',
        ),
    )
    @ddt.unpack
    def test_url_of_the_broker(self, url, what, advice=''):
        found = self.found(f'[DEFAULT]\ntransport_url = {url}\n')
        if not advice:
            aspects = tuple(one.aspect for one in found)
            self.assertEqual((what,) if what else (), aspects)
            return
        aspect = {'one s': 'brackets', 'a por': 'port'}.get(what[:5], 'query')
        self.assertEqual(
            (
                self.finding(
                    FAILURE,
                    'DEFAULT/transport_url',
                    2,
                    f'[DEFAULT] transport_url has {what}',
                    [('text', advice)],
                    {'verdict': 'invalid'},
                    aspect,
                ),
            ),
            found,
        )
        self.assertNotIn('hunter2', repr(found))

    def test_a_class_without_a_module(self):
        (found,) = self.found('[DEFAULT]\nbackup_driver = gone\n')
        self.assertEqual(
            (
                FAILURE,
                'names',
                '[DEFAULT] backup_driver names gone, but 2025.1 has no such '
                'backup driver (nor does 2024.1); manila-data does not start',
            ),
            (found.severity, found.aspect, found.message),
        )

    @ddt.data(
        ('[DEFAULT]\nscheduler_driver =\n', 'scheduler driver'),
        ('[quota]\ndriver =\n', 'class'),
    )
    @ddt.unpack
    def test_an_empty_name(self, conf, thing):
        (found,) = self.found(conf)
        self.assertEqual((FAILURE, 'names'), (found.severity, found.aspect))
        self.assertIn(
            f'has an empty name, but 2025.1 has no such {thing} (nor does '
            '2024.1)',
            found.message,
        )

    @ddt.data(
        ('rabbit://u:p@h:5672/', 0),
        ('rabbit://u:p@h/v', 0),
        ('rabbit://u:p@[2001:db8::1]:5672,u:p@[2001:db8::2]/', 0),
        ('rabbit://u:p@h:/', 0),
        ('rabbit://', 0),
        ('rabbit://u:p@h:abc/', 1),
        ('rabbit://u:p@h:5672,u:p@i:{{ port }}/', 1),
        ('rabbit://u:hunter2/x@h:5672/', 1),
        ('rabbit://u:hunter2#x@h:5672/', 1),
    )
    @ddt.unpack
    def test_a_port_of_the_broker(self, url, count):
        found = self.found(f'[DEFAULT]\ntransport_url = {url}\n')
        self.assertEqual(
            (
                self.finding(
                    FAILURE,
                    'DEFAULT/transport_url',
                    2,
                    '[DEFAULT] transport_url has a port that is no number: '
                    'no service of manila starts (ValueError)',
                    [
                        (
                            'text',
                            'Correct the port. In a user name or a password '
                            'write %2F for a slash, %3F for a question mark '
                            'and %23 for a number sign, which end the part '
                            'with the hosts.',
                        )
                    ],
                    {'verdict': 'invalid'},
                    'port',
                ),
            )
            * count,
            found,
        )
        self.assertNotIn('hunter2', repr(found))

    def test_notification_driver(self):
        found = self.found(
            '[oslo_messaging_notifications]\ndriver = log\n'
            'driver = manila.openstack.common.notifier.rpc_notifier\n'
        )
        name = 'manila.openstack.common.notifier.rpc_notifier'
        self.assertEqual(
            (
                self.finding(
                    WARNING,
                    'oslo_messaging_notifications/driver',
                    3,
                    f'[oslo_messaging_notifications] driver names {name}, '
                    'but 2025.1 has no such notification driver (nor does '
                    '2024.1); its notifications are not sent; only a line '
                    'in the log shows it',
                    [
                        (
                            'text',
                            'The target has log, messaging, messagingv2, '
                            'noop, routing, test.',
                        )
                    ],
                    {
                        'verdict': 'dangling',
                        'named': name,
                        'source_has_it': False,
                    },
                ),
            ),
            found,
        )

    def test_scheduler_driver_that_moved(self):
        found = self.found(
            '[DEFAULT]\n'
            'scheduler_driver = manila.scheduler.simple.SimpleScheduler\n'
        )
        new = 'manila.scheduler.drivers.simple.SimpleScheduler'
        self.assertEqual(
            (
                self.finding(
                    WARNING,
                    'DEFAULT/scheduler_driver',
                    2,
                    '[DEFAULT] scheduler_driver names '
                    'manila.scheduler.simple.SimpleScheduler, an old path '
                    f'that 2025.1 still maps to {new}',
                    [('config', f'[DEFAULT]\nscheduler_driver = {new}')],
                    {
                        'verdict': 'moved',
                        'named': 'manila.scheduler.simple.SimpleScheduler',
                        'moved_to': new,
                    },
                ),
            ),
            found,
        )

    @ddt.data(
        (
            'scheduler_driver',
            'manila.scheduler.gone.Gone',
            'scheduler driver',
            'manila-scheduler does not start',
            FILTER,
        ),
        (
            'backup_driver',
            'manila.data.gone.Gone',
            'backup driver',
            'manila-data does not start',
            NFS,
        ),
    )
    @ddt.unpack
    def test_class_below_manila(self, option, path, thing, effect, default):
        self.assertEqual(
            self.found(f'[DEFAULT]\n{option} = {path}\n'),
            (
                self.finding(
                    FAILURE,
                    f'DEFAULT/{option}',
                    2,
                    f'[DEFAULT] {option} names {path}, but 2025.1 has no '
                    f'such {thing} (nor does 2024.1); {effect}',
                    [
                        ('text', 'The default is:'),
                        ('config', f'[DEFAULT]\n{option} = {default}'),
                    ],
                    {
                        'verdict': 'dangling',
                        'named': path,
                        'source_has_it': False,
                    },
                ),
            ),
        )

    def test_class_of_someone_else(self):
        self.assertEqual(
            self.found('[DEFAULT]\nscheduler_driver = acme.Scheduler\n'),
            (
                self.finding(
                    WARNING,
                    'DEFAULT/scheduler_driver',
                    2,
                    '[DEFAULT] scheduler_driver names acme.Scheduler, but '
                    'neither 2025.1 nor 2024.1 has this scheduler driver; '
                    'another package may provide it, the catalog does not '
                    'know. Otherwise manila-scheduler does not start',
                    [
                        (
                            'text',
                            'Install the version of that package for 2025.1. '
                            'If there is no such package:',
                        ),
                        ('text', 'The default is:'),
                        ('config', f'[DEFAULT]\nscheduler_driver = {FILTER}'),
                    ],
                    {'verdict': 'unjudged', 'named': 'acme.Scheduler'},
                ),
            ),
        )

    def test_filters(self):
        found = self.found(
            '[DEFAULT]\nscheduler_default_filters = '
            'DriverFilter,AcmeFilter,capacityfilter\n'
        )
        known = 'DriverFilter,AcmeFilter,CapacityFilter'
        self.assertEqual(
            (
                self.finding(
                    FAILURE,
                    'DEFAULT/scheduler_default_filters',
                    2,
                    '[DEFAULT] scheduler_default_filters names '
                    'capacityfilter, but 2025.1 has no such scheduler filter '
                    '(nor does 2024.1); no share can be created '
                    '(SchedulerHostFilterNotFound)',
                    [
                        (
                            'config',
                            f'[DEFAULT]\nscheduler_default_filters = {known}',
                        )
                    ],
                    {
                        'verdict': 'dangling',
                        'named': 'capacityfilter',
                        'source_has_it': False,
                    },
                    'names:capacityfilter',
                ),
                self.finding(
                    WARNING,
                    'DEFAULT/scheduler_default_filters',
                    2,
                    '[DEFAULT] scheduler_default_filters names AcmeFilter, '
                    'but neither 2025.1 nor 2024.1 has this scheduler '
                    'filter; another package may provide it, the catalog '
                    'does not know. Otherwise no share can be created '
                    '(SchedulerHostFilterNotFound)',
                    [
                        (
                            'text',
                            'Install the version of that package for 2025.1. '
                            'If there is no such package:',
                        ),
                        ('text', FILTERS),
                        (
                            'config',
                            '[DEFAULT]\nscheduler_default_filters = '
                            'DriverFilter,capacityfilter',
                        ),
                    ],
                    {'verdict': 'unjudged', 'named': 'AcmeFilter'},
                    'names:AcmeFilter',
                ),
            ),
            found,
        )

    def test_filter_by_its_path(self):
        path = 'manila.scheduler.filters.capacity.CapacityFilter'
        (found,) = self.found(
            f'[DEFAULT]\nscheduler_default_filters = {path}\n'
        )
        self.assertEqual(
            (
                FAILURE,
                (
                    model.advice(FILTERS),
                    model.advice('The default is:'),
                    model.config(
                        f'[DEFAULT]\nscheduler_default_filters = {DEFAULTS}'
                    ),
                ),
            ),
            (found.severity, found.remediation),
        )

    def test_weigher_of_a_later_release(self):
        found = self.found(
            '[DEFAULT]\nscheduler_default_weighers = NetAppAIQWeigher\n',
            'zed',
            '2023.1',
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    '[DEFAULT] scheduler_default_weighers names '
                    'NetAppAIQWeigher, but 2023.1 has no such scheduler '
                    'weigher (nor does zed); no share can be created '
                    '(SchedulerHostWeigherNotFound)',
                )
            ],
            [(f.severity, f.message) for f in found],
        )

    def test_line_that_is_masked_names_nothing(self):
        found = self.found(
            '[DEFAULT]\ntransport_url = amqp://a/\n'
            'transport_url = rabbit://a/\n'
        )
        self.assertEqual(['masked'], [f.data['verdict'] for f in found])

    def test_network_plugin_without_share_servers_leads_nowhere_unread(self):
        found = self.found(
            BACK_END.format('', False, 'network_api_class = manila.gone.X\n')
        )
        self.assertEqual(
            ['ineffective'], [one.data['verdict'] for one in found]
        )

    def test_network_plugin_with_share_servers(self):
        found = self.found(
            BACK_END.format(
                '',
                True,
                'network_config_group = n\n[n]\n'
                'network_api_class = manila.network.nova.Gone\n',
            )
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    'n/network_api_class',
                    '[n] network_api_class names manila.network.nova.Gone, '
                    'but 2025.1 has no such network plugin (nor does '
                    '2024.1); manila-share exits with 1 and starts no back '
                    'end',
                )
            ],
            [(f.severity, f.subject.name, f.message) for f in found],
        )

    @ddt.data(
        (
            'db_driver',
            'manila.gone',
            [(FAILURE, 'no service of manila starts')],
        ),
        (
            'share_manager',
            'manila.share.gone.Gone',
            [(FAILURE, 'manila-share exits with 1 and starts no back end')],
        ),
        (
            'scheduler_host_manager',
            'manila.scheduler.gone.Gone',
            [(FAILURE, 'manila-scheduler does not start')],
        ),
        # These exist, though they were never a default.
        ('db_driver', 'manila.db.sqlalchemy.api', []),
        ('quota_driver', 'manila.quota.DbQuotaDriver', []),
    )
    @ddt.unpack
    def test_what_only_manila_has(self, option, path, expected):
        found = self.found(f'[DEFAULT]\n{option} = {path}\n')
        named = 'DEFAULT' if option != 'quota_driver' else 'quota'
        self.assertEqual(
            [
                (
                    severity,
                    f'[{named}] {option} names {path}, but 2025.1 has no such '
                    f'class (nor does 2024.1); {effect}',
                )
                for severity, effect in expected
            ],
            [
                (f.severity, f.message)
                for f in found
                if f.aspect.startswith('names')
            ],
        )

    @ddt.data(True, False)
    def test_helper(self, servers):
        found = self.found(
            BACK_END.format(
                '', servers, 'share_helpers = NFS=manila.share.gone.Helper\n'
            )
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    '[b] share_helpers names manila.share.gone.Helper, but '
                    '2025.1 has no such class (nor does 2024.1); the back end '
                    'does not come up: it never reports',
                )
            ],
            [(f.severity, f.message) for f in found],
        )
