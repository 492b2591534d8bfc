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

"""config-options on values that a library refuses after their type."""

from unittest import mock

import ddt
import testtools
from testtools import matchers

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import pipelines

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
KEYSTONE = '[keystone_authtoken]\nmemcache_security_strategy = {}\n'
SYSLOG = '[DEFAULT]\nuse_syslog = True\nsyslog_log_facility = {}\n'
PATCH = '[DEFAULT]\nmonkey_patch = True\nmonkey_patch_modules = {}\n'
JOURNAL = '[DEFAULT]\nuse_journal = True\n'
RABBIT = '[oslo_messaging_rabbit]\n'
MODE = '[database]\nconnection = mysql+pymysql://h/m\nmysql_sql_mode = '
ROTATION = (
    '[DEFAULT]\nlog_dir = /a\nlog_rotation_type = interval\n'
    'log_rotate_interval_type = weekday\nlog_rotate_interval = {}\n'
)
DAEMONS = 'manila-scheduler, manila-share and manila-data do not start'


@ddt.ddt
class LibraryValuesTest(testtools.TestCase):
    def told(self, conf, **more):
        files = more.pop('files', {})
        site = self.useFixture(testing.Site(conf, files, **more))
        return [
            (one.severity, one.subject.name, one.message)
            for one in site.run('config-options').findings
            if one.severity > model.Severity.INFO and one.aspect == 'names'
        ]

    @ddt.data(
        SYSLOG.format('LOG_FOO').replace('True', 'False'),
        SYSLOG.format('local7'),
        SYSLOG.format('LOG_USER'),
        JOURNAL.replace('True', 'False'),
        KEYSTONE.format('None'),
        PATCH.format('a').replace('True', 'False'),
        KEYSTONE.format('MAC') + 'memcache_secret_key = a\n',
        JOURNAL.replace('DEFAULT', 'other'),
        '[DEFAULT]\nexecutor_thread_pool_size = 1\n',
        '[DEFAULT]\nperiodic_fuzzy_delay = 0\n',
        '[DEFAULT]\nuse_eventlog = False\n',
        '[DEFAULT]\nscheduler_max_attempts = 1\n',
        '[DEFAULT]\nperiodic_fuzzy_delay = -1\nperiodic_interval = 0\n',
        '[DEFAULT]\ndefault_log_levels = a=WARN, b=TRACE, c=5\n',
        '[DEFAULT]\ndefault_log_levels = a\nlog_config_append = /a\n',
        SYSLOG.format('LOG_FOO') + 'log_config_append = /a\n',
        f'{RABBIT}ssl = True\nssl_version = TLSv1_2\n',
        f'{RABBIT}ssl_version = TLSv1_3\n',
        f'{RABBIT}heartbeat_rate = 1\n',
        f'{RABBIT}rabbit_stream_fanout = True\n'
        'rabbit_qos_prefetch_count = 1\nrabbit_transient_quorum_queue = yes\n',
        f'{RABBIT}rpc_conn_pool_size = 2\n',
        f'{RABBIT}conn_pool_min_size = 30\n',
        f'{RABBIT}kombu_compression = application/x-lzma\n',
        f'{RABBIT}rabbit_qos_prefetch_count = 65535\n',
        '[DEFAULT]\ncontrol_exchange = amqp\n',
        '[DEFAULT]\nbackdoor_port = 0\n',
        '[DEFAULT]\nbackdoor_port = 9000:9003\n',
        '[DEFAULT]\nbackdoor_port = 65535\n',
        '[DEFAULT]\nbackdoor_port = a\nbackdoor_socket = /a\n',
        '[DEFAULT]\ncontrol_exchange = amq.topic\n',
        ROTATION.format(6),
        ROTATION.format(7).replace('weekday', 'days'),
        ROTATION.format(7).replace('= interval', '= size'),
        ROTATION.format(7).replace('log_dir', '#'),
        ROTATION.format(7) + 'log_config_append = /a\n',
        '[DEFAULT]\nreport_interval = 0\n',
        f'{MODE}ansi,Strict_Trans_Tables,\n',
        f'{MODE}\n',
        f'{MODE}strict\n'.replace('mysql+pymysql', 'postgresql'),
        '[database]\nmysql_sql_mode = strict\n',
        '[keystone_authtoken]\nmemcached_servers = a:11211\n',
    )
    def test_silent(self, conf):
        self.assertEqual([], self.told(conf))

    @ddt.data(('2023.1', '2024.1'), ('2026.1', '2026.2'))
    @ddt.unpack
    def test_a_facility(self, source, target):
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/syslog_log_facility',
                    '[DEFAULT] syslog_log_facility = LOG_FOO: it is no '
                    'facility of syslog, and no service of manila starts '
                    '(TypeError)',
                )
            ],
            self.told(SYSLOG.format('LOG_FOO'), source=source, target=target),
        )

    @ddt.data('sqlalchemy=LOUD', 'amqp', 'amqp=warn')
    def test_a_level(self, pair):
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/default_log_levels',
                    f'[DEFAULT] default_log_levels = a=WARN,{pair}: {pair} '
                    'does not end with = and a level, and no service of '
                    'manila starts (ValueError)',
                )
            ],
            self.told(f'[DEFAULT]\ndefault_log_levels = a=WARN,{pair}\n'),
        )

    @ddt.data(
        (
            'executor_thread_pool_size',
            0,
            'there is no pool of so few threads, and manila-scheduler, '
            'manila-share and manila-data do not start (ValueError)',
        ),
        (
            'periodic_fuzzy_delay',
            -1,
            'there is no number between 0 and it, and manila-scheduler, '
            'manila-share and manila-data do not start (ValueError)',
        ),
        (
            'scheduler_max_attempts',
            0,
            'it has to be 1 at least, and manila-scheduler does not start '
            '(InvalidParameterValue)',
        ),
    )
    @ddt.unpack
    def test_a_number(self, name, value, why):
        for source, target in (('2023.1', '2024.1'), ('2026.1', '2026.2')):
            self.assertEqual(
                [
                    (
                        FAILURE,
                        f'DEFAULT/{name}',
                        f'[DEFAULT] {name} = {value}: {why}',
                    )
                ],
                self.told(
                    f'[DEFAULT]\n{name} = {value}\n',
                    source=source,
                    target=target,
                ),
            )

    @ddt.data(
        (
            f'{RABBIT}rabbit_qos_prefetch_count = 65536\n',
            f'AMQP has room for 65535 at most, and {DAEMONS} (struct.error)',
        ),
        (
            f'{RABBIT}kombu_compression = GZIP\n',
            'kombu has no such compression, and no message can be sent: '
            'manila-scheduler does not start, and no request of manila-api is '
            'carried out (KeyError)',
        ),
        (
            '[DEFAULT]\ncontrol_exchange = amq.manila\n',
            'kombu does not declare an exchange whose name begins with amq., '
            f'and RabbitMQ does not have this one: {DAEMONS}',
        ),
        (
            f'[DEFAULT]\ncontrol_exchange = {"e" * 256}\n',
            f'AMQP has room for 255 bytes at most: {DAEMONS}',
        ),
        (
            '[DEFAULT]\nreport_interval = -1\n',
            'no service of manila reports, and each counts as down after '
            'service_down_time (ValueError)',
        ),
        *(
            (
                f'[DEFAULT]\nbackdoor_port = {value}\n',
                'it is neither a port nor FIRST:LAST, and no service of '
                'manila starts (EventletBackdoorConfigValueError)',
            )
            for value in ('yes', '9003:9000', '9000:')
        ),
        *(
            (
                f'[DEFAULT]\nbackdoor_port = {value}\n',
                'it is neither a port nor FIRST:LAST, and no service of '
                'manila starts (OverflowError)',
            )
            for value in ('65536', '-1')
        ),
        (
            ROTATION.format(7),
            'log_rotate_interval_type is weekday, whose days are 0 (Monday) '
            'to 6 (Sunday), and no service of manila starts (ValueError)',
        ),
        (
            f'{MODE}7\n',
            "'7' is no mode of MySQL or MariaDB, and no service of manila "
            'can reach the database (OperationalError 1231)',
        ),
        (
            f'{MODE}TRADITIONAL, ANSI\n',
            "' ANSI' is no mode of MySQL or MariaDB, and no service of manila "
            'can reach the database (OperationalError 1231)',
        ),
    )
    @ddt.unpack
    def test_a_text_that_a_server_or_library_rejects(self, conf, why):
        group = conf[1 : conf.index(']')]
        name, value = conf.splitlines()[-1].split(' = ')
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'{group}/{name}',
                    f'[{group}] {name} = {value}: {why}',
                )
            ],
            self.told(conf, source='2025.1', target='2026.1'),
        )

    @ddt.data('backdoor_port = yes', 'report_interval = -1')
    def test_a_release_without_eventlet(self, line):
        self.assertEqual(
            [],
            self.told(
                f'[DEFAULT]\n{line}\n',
                source='2026.1',
                target='2026.2',
            ),
        )

    def test_not_the_exchange_of_another_broker(self):
        url = '[DEFAULT]\ntransport_url = kafka://h\n'
        self.assertNotIn(
            'control_exchange',
            str(self.told(f'{url}control_exchange = amq.manila\n')),
        )

    @ddt.data(
        (None, WARNING, 'without it '),
        (frozenset(), FAILURE, ''),
        (frozenset({'zstandard'}), None, ''),
    )
    @ddt.unpack
    def test_a_library_of_compression(self, importable, severity, words):
        with mock.patch.object(
            catalog.Catalog,
            'importable',
            autospec=True,
            return_value=importable,
        ):
            told = self.told(f'{RABBIT}kombu_compression = zstd\n')
        self.assertEqual(
            []
            if severity is None
            else [
                (
                    severity,
                    'oslo_messaging_rabbit/kombu_compression',
                    '[oslo_messaging_rabbit] kombu_compression = zstd: it '
                    'needs the module zstandard, which manila does not '
                    f'install; {words}no message can be sent: '
                    'manila-scheduler does not start, and no request of '
                    'manila-api is carried out (KeyError)',
                )
            ],
            told,
        )

    @ddt.data(
        ('', 'memcache', 'python-memcached'),
        (
            'memcache_sasl_enabled = True\n',
            'bmemcached',
            'python-binary-memcached',
        ),
    )
    @ddt.unpack
    def test_a_client_of_memcached(self, more, module, package):
        conf = f'[keystone_authtoken]\nmemcached_servers = a:11211\n{more}'
        for importable, told in (
            (frozenset({module}), []),
            (
                frozenset(),
                [
                    (
                        FAILURE,
                        'keystone_authtoken/memcached_servers',
                        '[keystone_authtoken] memcached_servers = a:11211: '
                        f'the filter authtoken loads the module {module}, '
                        'which the target does not have, and manila-api '
                        'answers each request with a token with 500 '
                        '(ModuleNotFoundError)',
                    )
                ],
            ),
        ):
            with mock.patch.object(
                catalog.Catalog,
                'importable',
                autospec=True,
                return_value=importable,
            ):
                self.assertEqual(
                    told, self.told(conf, source='2025.1', target='2026.1')
                )

    def test_the_event_log_of_windows(self):
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/use_eventlog',
                    '[DEFAULT] use_eventlog = True: there is no event log of '
                    'Windows here, and no service of manila starts '
                    '(RuntimeError)',
                )
            ],
            self.told(
                '[DEFAULT]\nuse_eventlog = True\n',
                source='2023.1',
                target='2024.1',
            ),
        )

    @ddt.data(
        (
            'ssl_version = TLSv1_3\nssl = True',
            'ssl_version = TLSv1_3',
            'oslo.messaging takes sslv23, tlsv1, tlsv1_1, tlsv1_2, and '
            f'{DAEMONS} (RuntimeError)',
            (
                'Remove the line: without it, the highest version of TLS '
                'that both sides have is used.',
            ),
        ),
        (
            'heartbeat_rate = 0',
            'heartbeat_rate = 0',
            'the time between two heartbeats is divided by it, and '
            f'{DAEMONS} (ZeroDivisionError)',
            (
                'Remove the line. Without heartbeats, '
                'heartbeat_timeout_threshold is 0.',
            ),
        ),
        (
            'rabbit_stream_fanout = True',
            'rabbit_stream_fanout = True',
            'it needs a rabbit_qos_prefetch_count above 0 and '
            f'rabbit_transient_quorum_queue = True, and {DAEMONS} '
            '(RuntimeError)',
            (
                f'{RABBIT}rabbit_qos_prefetch_count = 10',
                f'{RABBIT}rabbit_transient_quorum_queue = True',
            ),
        ),
        (
            'conn_pool_min_size = 31',
            'conn_pool_min_size = 31',
            'rpc_conn_pool_size is 30, which is less than '
            'conn_pool_min_size, 31, and no service of manila starts '
            '(DriverLoadFailure)',
            (f'{RABBIT}rpc_conn_pool_size = 31',),
        ),
        (
            'rpc_conn_pool_size = 1',
            'rpc_conn_pool_size = 1',
            'rpc_conn_pool_size is 1, which is less than conn_pool_min_size, '
            '2, and no service of manila starts (DriverLoadFailure)',
            (f'{RABBIT}rpc_conn_pool_size = 2',),
        ),
        (
            'rpc_conn_pool_size = 4\nconn_pool_min_size = 5',
            'conn_pool_min_size = 5',
            'rpc_conn_pool_size is 4, which is less than '
            'conn_pool_min_size, 5, and no service of manila starts '
            '(DriverLoadFailure)',
            (f'{RABBIT}rpc_conn_pool_size = 5',),
        ),
    )
    @ddt.unpack
    def test_the_driver_of_rabbitmq(self, lines, told, why, steps):
        for source, target in (('2023.1', '2024.1'), ('2025.1', '2026.1')):
            site = self.useFixture(
                testing.Site(
                    f'{RABBIT}{lines}\n', source=source, target=target
                )
            )
            number = 2 + f'{lines}\n'.split('\n').index(told)
            self.assertEqual(
                (
                    model.Finding(
                        FAILURE,
                        model.Subject(
                            'option',
                            'oslo_messaging_rabbit/' + told.split(' ')[0],
                            site.file('manila.conf'),
                            number,
                        ),
                        f'[oslo_messaging_rabbit] {told}: {why}',
                        tuple(
                            model.Remediation(
                                'config' if '[' in step else 'text', step
                            )
                            for step in steps
                        ),
                        check_id='config-options',
                        data={'verdict': 'invalid'},
                        aspect='names',
                    ),
                ),
                tuple(
                    one
                    for one in site.run('config-options').findings
                    if one.severity > model.Severity.INFO
                ),
            )

    @ddt.data(
        ('charset=utf8mb4', None),
        ('foo=1', 'a parameter foo that it does not have'),
        ('charset=utf8mb5', 'a charset that it does not have'),
    )
    @ddt.unpack
    def test_parameters_of_the_database(self, value, what):
        told = self.told(
            '[database]\nconnection = mysql+pymysql://u:hunter2@h/m\n'
            f'connection_parameters = {value}\n'
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    'database/connection_parameters',
                    f'[database] connection_parameters gives PyMySQL {what}: '
                    'no service of manila can reach the database',
                )
            ]
            if what
            else [],
            told,
        )

    def test_a_plugin_of_the_database(self):
        """It may be installed, so the line is not edited."""
        site = self.useFixture(
            testing.Site(
                '[database]\nconnection = mysql+pymysql://u:hunter2@h/m\n'
                'connection_parameters = plugin=dbcounter\n'
            )
        )
        self.assertEqual(
            (
                model.Finding(
                    WARNING,
                    model.Subject(
                        'option',
                        'database/connection_parameters',
                        site.file('manila.conf'),
                        3,
                    ),
                    '[database] connection_parameters loads a plugin '
                    'dbcounter of SQLAlchemy, which the catalog does not '
                    'know; without the package that provides it, no service '
                    'of manila can reach the database',
                    (
                        model.advice(
                            'Install the package that provides the plugin in '
                            'the environment of the target, or remove the '
                            'parameter.'
                        ),
                    ),
                    check_id='config-options',
                    data={'verdict': 'unjudged'},
                    aspect='names',
                ),
            ),
            tuple(
                one
                for one in site.run('config-options').findings
                if one.severity > model.Severity.INFO
            ),
        )

    def test_networks_of_the_healthcheck(self):
        conf = '[healthcheck]\nallowed_source_ranges = {}\n'
        for right in ('', '10.0.0.0/8,2001:db8::/32', '192.0.2.1'):
            self.assertEqual([], self.told(conf.format(right)))
        for wrong in ('gone', '10.0.0.1/8', '::1/129'):
            for target in ('2024.1', '2026.2'):
                self.assertEqual(
                    [
                        (
                            FAILURE,
                            'healthcheck/allowed_source_ranges',
                            '[healthcheck] allowed_source_ranges = '
                            f'10.0.0.0/8,{wrong}: {wrong!r} is no network of '
                            'IPv4 or IPv6, and manila-api does not start '
                            'where it loads the healthcheck (ValueError)',
                        )
                    ],
                    self.told(
                        conf.format(f'10.0.0.0/8,{wrong}'),
                        source='2023.2' if target == '2024.1' else '2026.1',
                        target=target,
                    ),
                )
        # Without the middleware, nothing reads it.
        self.assertEqual(
            [],
            self.told(
                conf.format('gone'), files=pipelines.validating_tokens()
            ),
        )

    def test_a_cache_without_its_secret(self):
        ((severity, name, _),) = self.told(KEYSTONE.format('ENCRYPT'))
        self.assertEqual(
            (FAILURE, 'keystone_authtoken/memcache_security_strategy'),
            (severity, name),
        )

    def test_the_section_of_the_filter_wins(self):
        conf = KEYSTONE.format('ENCRYPT')
        for more in (
            'memcache_secret_key = a',
            'memcache_security_strategy = None',
        ):
            files = pipelines.validating_tokens(f'{more}\n')
            self.assertEqual([], self.told(conf, files=files))

    def test_a_line_overridden_by_the_filter_was_judged(self):
        site = self.useFixture(
            testing.Site(
                '[keystone_authtoken]\ntoken_cache_time = x\n',
                pipelines.validating_tokens('token_cache_time = 3\n'),
            )
        )
        path = site.file('api-paste.ini')
        self.assertEqual(
            [
                (
                    model.Severity.INFO,
                    '[keystone_authtoken] token_cache_time has no effect: '
                    f'[filter:authtoken] of {path}:10 sets it for '
                    'keystonemiddleware.auth_token',
                )
            ],
            [
                (one.severity, one.message)
                for one in site.run('config-options').findings
            ],
        )

    @ddt.data(
        ('manila.utils', "'manila.utils' is not MODULE:DECORATOR, and"),
        ('a:b', "'a:b' is not MODULE:DECORATOR, and"),
        ('a:b.c:d', "'a:b.c:d' is not MODULE:DECORATOR, and"),
        ('a.b:c.d', 'the target does not have a.b, and'),
    )
    @ddt.unpack
    def test_modules_to_patch(self, value, words):
        with mock.patch.object(
            catalog.Catalog, 'importable', autospec=True, return_value={'c'}
        ):
            told = self.told(PATCH.format(value))
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/monkey_patch_modules',
                    f'[DEFAULT] monkey_patch_modules = {value}: {words} no '
                    'service of manila starts',
                )
            ],
            told,
        )

    @ddt.data(
        ('[DEFAULT]\ncephfs_protocol_helper_type = $my_ip\n', False),
        ('[DEFAULT]\nauth_strategy = $my_ip\n', True),
        ('[DEFAULT]\nosapi_max_limit = $my_ip\n', True),
        ('[DEFAULT]\nauth_strategy = a$my_ip\n', True),
        ('[DEFAULT]\nosapi_share_listen = $my_ip\n', False),
        ('[DEFAULT]\nosapi_share_workers = $host\n', False),
    )
    @ddt.unpack
    def test_an_address_was_taken_for_any_value(self, conf, told):
        site = self.useFixture(
            testing.Site(conf, source='2025.1', target='2026.1')
        )
        self.assertEqual(
            told,
            any(
                one.severity is FAILURE and one.aspect == 'value'
                for one in site.run('config-options').findings
            ),
        )

    def test_modules_to_patch_that_nothing_tells_of(self):
        self.assertEqual(
            [
                (
                    WARNING,
                    'DEFAULT/monkey_patch_modules',
                    '[DEFAULT] monkey_patch_modules = a.b:c.d: the catalog '
                    'does not know whether a.b and c.d exist; without them '
                    'no service of manila starts',
                )
            ],
            self.told(PATCH.format('a.b:c.d')),
        )

    @ddt.data(
        ('ssl=1&ssl_version=TLSv1_3', RABBIT, 'ssl_version = TLSv1_3: oslo'),
        ('ssl_version=a', f'{RABBIT}ssl = yes\n', 'ssl_version = a: oslo'),
        ('heartbeat_rate=0', RABBIT, 'heartbeat_rate = 0: the time'),
        (
            'conn_pool_min_size=9',
            f'{RABBIT}rpc_conn_pool_size = 8\n',
            'conn_pool_min_size = 9: rpc_conn_pool_size is 8',
        ),
        (
            'rabbit_stream_fanout=1',
            f'{RABBIT}rabbit_transient_quorum_queue = 1\n',
            'rabbit_stream_fanout = 1: it needs',
        ),
    )
    @ddt.unpack
    def test_an_option_in_the_url_was_not_judged(self, query, more, words):
        site = self.useFixture(
            testing.Site(
                f'[DEFAULT]\ntransport_url = rabbit://h/?{query}\n{more}',
                source='2025.1',
                target='2026.1',
            )
        )
        (found,) = [
            one
            for one in site.run('config-options').findings
            if one.severity > model.Severity.INFO
        ]
        self.assertEqual(
            (FAILURE, 'DEFAULT/transport_url', 2),
            (found.severity, found.subject.name, found.subject.line),
        )
        self.assertThat(
            found.message,
            matchers.StartsWith(
                'the query of transport_url sets [oslo_messaging_rabbit] '
                + words
            ),
        )

    def test_a_line_was_judged_that_the_url_overrides(self):
        conf = f'[DEFAULT]\ntransport_url = rabbit://h/?{{}}\n{RABBIT}'
        self.assertEqual(
            [],
            self.told(
                f'{conf}heartbeat_rate = 0\n'.format('heartbeat_rate=2')
            ),
        )

    @ddt.data(
        (None, WARNING, 'without it'),
        (frozenset(), FAILURE, 'the target does not have it, and'),
    )
    @ddt.unpack
    def test_a_journal(self, importable, severity, words):
        with mock.patch.object(
            catalog.Catalog,
            'importable',
            autospec=True,
            return_value=importable,
        ):
            told = self.told(JOURNAL)
        self.assertEqual(
            [
                (
                    severity,
                    'DEFAULT/use_journal',
                    '[DEFAULT] use_journal = True: oslo.log loads the module '
                    f'systemd, which manila does not install; {words} no '
                    'service of manila starts (RuntimeError)',
                )
            ],
            told,
        )

    def test_a_journal_that_the_target_has(self):
        with mock.patch.object(
            catalog.Catalog,
            'importable',
            autospec=True,
            return_value=frozenset({'systemd'}),
        ):
            self.assertEqual([], self.told(JOURNAL))
