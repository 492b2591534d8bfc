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

import datetime
import os
import pwd
import re
import socket
import ssl
import subprocess
from unittest import mock

import ddt
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.catalog import paths
from manila_precheck.evidence.host import access
from manila_precheck.evidence.host import certificates
from manila_precheck.evidence.host import listeners
from manila_precheck.tests import key_pairs
from manila_precheck.tests import pipelines

FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING

ALL = 'manila-api, manila-scheduler, manila-share and manila-data'


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.useFixture(fixtures.TempDir()).path
        for name in ('state', 'log', 'lock'):
            os.mkdir(self.path(name))

    def path(self, name):
        return os.path.join(self.folder, name)

    def conf(self, default='', more='', state='state', lock='lock'):
        return (
            '[DEFAULT]\n'
            'enabled_share_backends = b\n'
            f'state_path = {self.path(state)}\n'
            f'{default}\n'
            '[b]\n'
            'share_driver = manila.share.drivers.lvm.LVMShareDriver\n'
            'driver_handles_share_servers = False\n'
            '[oslo_concurrency]\n'
            f'lock_path = {self.path(lock)}\n'
            f'{more}\n'
        )

    def of_this_host(self):
        """Return the beginning of files whose services run on this host."""
        return f'[DEFAULT]\nstate_path = {self.path("state")}\n'

    def run_check(self, conf, **kwargs):
        given = {'source': '2025.1', 'target': '2026.1', 'controller': True}
        self.site = self.useFixture(testing.Site(conf, **{**given, **kwargs}))
        return self.site.run('service-startup')

    def told(self, conf, **kwargs):
        return [
            (item.severity, item.subject.name, item.message)
            for item in self.run_check(conf, **kwargs).findings
        ]


@ddt.ddt
class PathsTest(Case):
    @ddt.data('plan', 'stopped', 'upgraded')
    def test_silent(self, stage):
        conf = self.conf(f'log_dir = {self.path("log")}')
        self.assertEqual([], self.told(conf, stage=stage))

    @ddt.data(
        ('mysql+pymysql', 'ssl_ca=/nope/ca.pem', '/nope/ca.pem'),
        ('mariadb+pymysql', 'charset=utf8&ssl_key=/nope/k', '/nope/k'),
        ('mysql+pymysql', 'ssl_ca=/dev/null', None),
        ('mysql+pymysql', 'ssl_ca=', None),
        # libpq goes on without it where it does not verify the server.
        ('postgresql', 'sslrootcert=/nope/ca.pem', None),
        ('mysql+pymysql', '&ssl_ca=%zz', None),
        ('mysql+pymysql', None, None),
    )
    @ddt.unpack
    def test_a_file_in_a_database_url(self, driver, query, path):
        url = f'{driver}://manila:secret@db/manila?{query}'
        if query is None:
            url = f'{driver}:manila'
        expected = [
            (
                FAILURE,
                'database/connection',
                f'[database] connection: {path} does not exist; each '
                'connection to the database fails',
            )
        ]
        self.assertEqual(
            expected if path else [],
            self.told(self.conf(more=f'[database]\nconnection = {url}')),
        )

    def test_another_host(self):
        result = self.run_check(self.conf('log_dir = /nope'), controller=False)
        self.assertEqual(
            (
                model.Outcome.NOT_APPLICABLE,
                'the files of another host are judged',
            ),
            (result.outcome, result.reason),
        )

    def test_nothing_of_manila_is_here(self):
        conf = '[DEFAULT]\nlog_dir = /nope\nstate_path = /nope/a\n'
        with mock.patch.object(
            access, 'named', autospec=True, return_value=None
        ):
            result = self.run_check(conf)
        self.assertIs(model.Outcome.NOT_APPLICABLE, result.outcome)

    def test_no_log_directory(self):
        gone = self.path('gone')
        found = self.run_check(self.conf(f'log_dir = {gone}')).findings
        self.assertEqual(
            (
                model.Finding(
                    FAILURE,
                    model.Subject(
                        'option',
                        'DEFAULT/log_dir',
                        self.site.file('manila.conf'),
                        4,
                    ),
                    f'[DEFAULT] log_dir: {gone} does not exist; manila-'
                    'scheduler, manila-share and manila-data do not start',
                    (
                        model.Remediation(
                            'command', f'install -d -m 0750 {gone}'
                        ),
                    ),
                    check_id='service-startup',
                    aspect='path',
                ),
            ),
            found,
        )

    def test_the_log_file_is_elsewhere(self):
        conf = self.conf(
            f'log_dir = /nope\nlog_file = {self.path("log")}/manila.log'
        )
        self.assertEqual([], self.told(conf))

    def test_no_directory_for_the_log_file(self):
        gone = self.path('gone/manila.log')
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/log_file',
                    f'[DEFAULT] log_file: {gone} is in {self.path("gone")}, '
                    'which does not exist; manila-scheduler, manila-share and '
                    'manila-data do not start',
                )
            ],
            self.told(self.conf(f'log_file = {gone}')),
        )

    def test_a_file_in_the_place_of_a_directory(self):
        with open(self.path('a'), 'w'):
            pass
        self.assertEqual(
            [
                (
                    FAILURE,
                    'oslo_concurrency/lock_path',
                    f'[oslo_concurrency] lock_path: {self.path("a")} is not '
                    'a directory; every request that takes a lock fails: '
                    'access rules, share servers, snapshots',
                ),
                (
                    FAILURE,
                    'coordination/backend_url',
                    f'[coordination] backend_url: {self.me()} cannot write '
                    f'to {self.path("a")}, which is not a directory; '
                    'manila-api, manila-scheduler and manila-share do not '
                    'start (ToozConnectionError)',
                ),
            ],
            sorted(
                self.told(self.conf(state='a', lock='a')),
                key=lambda one: one[1],
                reverse=True,
            ),
        )

    def me(self):
        return pwd.getpwuid(os.geteuid()).pw_name

    def test_directories_that_are_made(self):
        conf = self.conf(state='a/b', lock='c/d')
        self.assertEqual([], self.told(conf))
        self.assertEqual(
            ['lock', 'log', 'state'], sorted(os.listdir(self.folder))
        )

    def test_another_account(self):
        # As one that owns nothing.
        who = access.Account(4_000_000, frozenset(), 'manila')
        os.chmod(self.folder, 0o755)
        for name in ('state', 'lock'):
            os.chmod(self.path(name), 0o777)
        os.chmod(self.path('log'), 0o755)
        with mock.patch.object(
            access, 'named', autospec=True, return_value=who
        ):
            found = self.told(self.conf(f'log_dir = {self.path("log")}'))
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/log_dir',
                    f'[DEFAULT] log_dir: {self.path("log")} is not writable '
                    'by the account manila; manila-scheduler, '
                    'manila-share and manila-data do not start',
                )
            ],
            found,
        )

    @ddt.data(
        ('b', 'rootwrap_config = /nope/a.conf', FAILURE),
        ('', '[manila_sys_admin]\nhelper_command = /nope/helper a', FAILURE),
        ('', '[oslo_messaging_rabbit]\nssl = True\nssl_ca_file = /nope/ca',
         FAILURE),
        ('', '[oslo_messaging_rabbit]\nssl_ca_file = /nope/ca', None),
        ('', '[neutron]\nauth_url = http://a\ncafile = /nope/ca', None),
        ('', '[neutron]\nauth_type = password\nauth_url = https://a\n'
         'cafile = /nope/ca', FAILURE),
        ('', '[cache]\ntls_enabled = True\ntls_cafile = /nope/ca', WARNING),
    )  # fmt: skip
    @ddt.unpack
    def test_other_options(self, group, text, severity):
        default, more = (text, '') if group else ('', text)
        self.assertEqual(
            [] if severity is None else [severity],
            [found for found, _, _ in self.told(self.conf(default, more))],
        )

    @ddt.data(
        # The environment, the stage, the manila beside this program, fires.
        ('manila-20.0.3.dist-info', 'upgraded', None, True),
        ('manila-20.0.3-py3.9.egg-info', 'upgraded', None, True),
        ('manila-20.0.3.dist-info', 'plan', '22.0.2', True),
        ('manila-20.0.3.dist-info', 'stopped', '22.0.2', True),
        ('manila-20.0.3.dist-info', 'plan', '20.0.3', False),
        ('manila-20.0.3.dist-info', 'plan', None, False),
        ('manila-22.0.1.dist-info', 'upgraded', None, False),
        ('manila_ui-20.0.3.dist-info', 'upgraded', None, False),
    )
    @ddt.unpack
    def test_a_helper_of_the_release_before(
        self, metadata, stage, installed, fires
    ):
        venv = self.path('venv')
        os.makedirs(f'{venv}/lib/python3.12/site-packages/{metadata}')
        os.makedirs(f'{venv}/bin')
        with open(f'{venv}/bin/privsep-helper', 'w'):
            pass
        helper = f'nice {venv}/bin/privsep-helper --config-file x'
        found = self.told(
            self.conf(more=f'[manila_sys_admin]\nhelper_command = {helper}\n'),
            stage=stage,
            installed=installed,
        )
        self.assertEqual(
            [
                (
                    WARNING,
                    'manila_sys_admin/helper_command',
                    f'[manila_sys_admin] helper_command: {helper} is in '
                    f'{venv}, where manila 20.0.3 is installed; without that '
                    'environment whatever needs root on this host fails',
                )
            ]
            if fires
            else [],
            [one for one in found if 'helper' in one[1]],
        )

    def test_only_some_drivers_use_the_helper(self):
        conf = self.conf(
            more='[manila_sys_admin]\nhelper_command = /nope/helper\n'
        )
        self.assertEqual(
            [(FAILURE, 'manila_sys_admin/helper_command')],
            [one[:2] for one in self.told(conf)],
        )
        conf = conf.replace('lvm.LVM', 'generic.Generic')
        self.assertEqual([], self.told(conf))

    def test_a_path_in_the_environment_of_the_release_before(self):
        venv = self.path('venv')
        os.makedirs(
            f'{venv}/lib/python3.12/site-packages/manila-20.0.3.dist-info'
        )
        os.makedirs(f'{venv}/var/lock')
        self.assertIn(
            (
                WARNING,
                'oslo_concurrency/lock_path',
                f'[oslo_concurrency] lock_path: {venv}/var/lock is in {venv}, '
                'where manila 20.0.3 is installed; without that environment '
                'every request that takes a lock fails: access rules, share '
                'servers, snapshots',
            ),
            self.told(self.conf(lock='venv/var/lock'), installed='22.0.2'),
        )

    def test_a_driver_reads_it(self):
        conf = self.conf(
            more='[c]\nshare_driver = '
            'manila.share.drivers.cephfs.driver.CephFSDriver\n'
            'driver_handles_share_servers = False\n'
            'cephfs_conf_path = /nope/ceph.conf\n'
        )
        # It is not enabled.
        self.assertEqual([], self.told(conf))
        self.assertEqual(
            [
                (
                    FAILURE,
                    'c/cephfs_conf_path',
                    '[c] cephfs_conf_path: /nope/ceph.conf does not exist; '
                    'the '
                    'driver does not start, and the back end never reports',
                )
            ],
            self.told(conf.replace('backends = b', 'backends = b, c')),
        )

    @ddt.data(
        ('[loggers]\nkeys = root\n', 'it has no [logger_root]'),
        ('no section\n', 'it cannot be parsed (MissingSectionHeaderError)'),
        (
            '[loggers]\nkeys = root\n[handlers]\nkeys = a\n'
            '[formatters]\nkeys =\n[logger_root]\nhandlers = a\n'
            "[handler_a]\nclass = FileHandler\nargs = ('/nope/a.log', 'a')\n",
            '[handler_a] writes /nope/a.log, and /nope does not exist',
        ),
    )
    @ddt.unpack
    def test_a_logging_configuration(self, text, why):
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/log_config_append',
                    '[DEFAULT] log_config_append: '
                    f'{self.path("logging.conf")}: {why}; no service starts '
                    '(LogConfigError)',
                )
            ],
            self.told_of_logging(text),
        )

    def told_of_logging(self, text):
        path = self.path('logging.conf')
        with open(path, 'w') as stream:
            stream.write(text)
        # What else says where the log goes does not count.
        return self.told(
            self.conf(f'log_config_append = {path}\nlog_dir = /nope')
        )

    LOGGING = """[loggers]
keys = root, a
[handlers]
keys = h
[formatters]
keys = f
[logger_root]
level = WARNING
handlers = h
[logger_a]
level = TRACE
handlers = h
qualname = manila
[handler_h]
class = handlers.WatchedFileHandler
level = NOTSET
formatter = f
args = ('/dev/null',)
[formatter_f]
class = oslo_log.formatters.ContextFormatter
"""

    @ddt.data(
        ('', '', None),
        ('handlers.WatchedFileHandler', 'logging.StreamHandler', None),
        ('handlers.WatchedFileHandler', 'StreamHandler', None),
        (
            'handlers.WatchedFileHandler',
            'handlers.Gone',
            '[handler_h] has the class handlers.Gone, which is not there; no '
            'service starts (ModuleNotFoundError)',
        ),
        (
            'handlers.WatchedFileHandler',
            'StreamHandle',
            '[handler_h] has the class StreamHandle, which is not there; no '
            'service starts (ModuleNotFoundError)',
        ),
        (
            'class = handlers.WatchedFileHandler\n',
            '',
            '[handler_h] has the class without a name, which is not there; '
            'no service starts (SyntaxError)',
        ),
        (
            'oslo_log.formatters.ContextFormatter',
            'acme.Formatter',
            '[formatter_f] has the class acme.Formatter, whose package acme '
            'manila does not install. Without it no service starts '
            '(ModuleNotFoundError)',
        ),
        (
            'WARNING',
            'LOUD',
            '[logger_root] has the level LOUD, which does not exist; no '
            'service starts (ValueError)',
        ),
        (
            'NOTSET',
            '10',
            '[handler_h] has the level 10, which does not exist; no '
            'service starts (ValueError)',
        ),
        (
            'qualname = manila\n',
            '',
            '[logger_a] has no qualname; no service starts (LogConfigError)',
        ),
        (
            'handlers = h\nqual',
            'handlers = h, g\nqual',
            '[logger_a] names g, which is not among the keys of [handlers]; '
            'no service starts (LogConfigError)',
        ),
        ("('/dev/null',)", '(os.devnull,)', None),
        ("('/dev/null',)", "(os.environ.get('A', '/dev/null'),)", None),
        (
            "('/dev/null',)",
            '(sys.stdoutt,)',
            "[handler_h] args: module 'sys' has no attribute 'stdoutt'; no "
            'service starts (AttributeError)',
        ),
        (
            "('/dev/null',)",
            '(stdout,)',
            "[handler_h] args: name 'stdout' is not defined; no service "
            'starts (NameError)',
        ),
        (
            "('/dev/null',)",
            "('/dev/null'",
            '[handler_h] args is not a Python expression; no service starts '
            '(SyntaxError)',
        ),
        (
            "args = ('/dev/null',)",
            '',
            '[handler_h] args do not fit handlers.WatchedFileHandler: missing '
            "a required argument: 'filename'; no service starts (TypeError)",
        ),
        ("args = ('/dev/null',)", "kwargs = {'filename': '/dev/null'}", None),
        (
            "WatchedFileHandler\nlevel = NOTSET\nformatter = f\n"
            "args = ('/dev/null',)",
            "TimedRotatingFileHandler\nargs = ('/dev/null', 'W0')",
            None,
        ),
        (
            "WatchedFileHandler\nlevel = NOTSET\nformatter = f\n"
            "args = ('/dev/null',)",
            "TimedRotatingFileHandler\nargs = ('/dev/null', 'W7')",
            "[handler_h] rotates at 'W7', which logging does not know; no "
            'service starts (ValueError)',
        ),
        (
            'class = oslo_log.formatters.ContextFormatter',
            'format = %(asctime)s $message\nstyle = %',
            None,
        ),
        (
            'class = oslo_log.formatters.ContextFormatter',
            'format = %(message)s\nstyle = {',
            '[formatter_f]: invalid format: no fields; no service starts '
            '(ValueError)',
        ),
        (
            'class = oslo_log.formatters.ContextFormatter',
            'style = %%',
            '[formatter_f]: Style must be one of: %,{,$; no service starts '
            '(ValueError)',
        ),
        (
            'formatter = f',
            'formatter = g',
            '[handler_h] names g, which is not among the keys of '
            '[formatters]; no service starts (LogConfigError)',
        ),
    )
    @ddt.unpack
    def test_the_sections_of_a_logging_configuration(self, old, new, why):
        self.assertEqual(
            []
            if why is None
            else [
                (
                    WARNING if 'Without' in why else FAILURE,
                    'DEFAULT/log_config_append',
                    f'[DEFAULT] log_config_append: '
                    f'{self.path("logging.conf")}: {why}',
                )
            ],
            self.told_of_logging(self.LOGGING.replace(old, new)),
        )

    @ddt.data(
        ('netapp_private_key_file = /nope/k\n', ()),
        ('netapp_certificate_file = /nope/c\n', ()),
        (
            'netapp_private_key_file = /nope/k\n'
            'netapp_certificate_file = /nope/c\n'
            'netapp_ca_certificate_file = /nope/a\n',
            ('certificate_file', 'private_key_file'),
        ),
        (
            'netapp_private_key_file = /nope/k\n'
            'netapp_certificate_file = /nope/c\n'
            'netapp_ca_certificate_file = /nope/a\n'
            'netapp_certificate_host_validation = True\n',
            ('ca_certificate_file', 'certificate_file', 'private_key_file'),
        ),
        ('netapp_ssl_cert_path = /nope/s\n', ()),
        (
            'netapp_ssl_cert_path = /nope/s\nnetapp_transport_type = HTTPS\n',
            ('ssl_cert_path',),
        ),
    )
    @ddt.unpack
    def test_files_that_count_together(self, lines, names):
        told = self.told(
            f'{self.of_this_host()}enabled_share_backends = n\n[n]\n'
            'share_driver = '
            'manila.share.drivers.netapp.common.NetAppDriver\n'
            f'driver_handles_share_servers = False\n{lines}'
        )
        self.assertEqual(
            [f'n/netapp_{name}' for name in names],
            sorted(name for _, name, _ in told if name.startswith('n/')),
        )

    @ddt.data(
        ('True', 'service_instance_password = a\n', False),
        ('True', '', True),
        ('False', 'service_instance_password = a\n', True),
    )
    @ddt.unpack
    def test_a_key_of_the_servers_with_the_shares(self, mode, lines, counts):
        told = self.told(
            f'{self.of_this_host()}enabled_share_backends = n\n[n]\n'
            'share_driver = '
            'manila.share.drivers.generic.GenericShareDriver\n'
            f'driver_handles_share_servers = {mode}\n'
            f'path_to_private_key = /nope/k\n{lines}'
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    'n/path_to_private_key',
                    '[n] path_to_private_key: *** does not exist; the '
                    'servers with the shares are not reached, and the back '
                    'end cannot serve',
                )
            ]
            * counts,
            [one for one in told if one[1].startswith('n/')],
        )

    @ddt.data(('2024.1', '2025.1', 0), ('2025.1', '2026.1', 2))
    @ddt.unpack
    def test_files_of_memcached(self, source, target, count):
        told = self.told(
            f'{self.of_this_host()}osapi_share_workers = 1\n'
            '[keystone_authtoken]\n'
            'memcache_tls_enabled = True\nmemcache_tls_cafile = /nope/a\n'
            'memcache_tls_certfile = /nope/c\n',
            source=source,
            target=target,
        )
        self.assertEqual(
            [
                (
                    FAILURE,
                    f'keystone_authtoken/memcache_tls_{name}',
                    f'[keystone_authtoken] memcache_tls_{name}: /nope/{path} '
                    'does not exist; manila-api does not start',
                )
                for name, path in (('cafile', 'a'), ('certfile', 'c'))[:count]
            ],
            [one for one in told if 'memcache' in one[1]],
        )

    def test_the_token_filter_overrides_the_files(self):
        def told(own):
            return [
                (
                    one.subject.name,
                    os.path.basename(one.subject.file),
                    one.message,
                )
                for one in self.run_check(
                    f'{self.of_this_host()}osapi_share_workers = 1\n'
                    '[keystone_authtoken]\nmemcache_tls_enabled = True\n'
                    'memcache_tls_cafile = /nope/a\n',
                    files=pipelines.validating_tokens(own),
                ).findings
            ]

        message = (
            '[keystone_authtoken] memcache_tls_cafile: /nope/{} does not '
            'exist; manila-api does not start'
        )
        name = 'keystone_authtoken/memcache_tls_cafile'
        self.assertEqual(
            [(name, 'manila.conf', message.format('a'))],
            told(''),
        )
        self.assertEqual(
            [(name, 'api-paste.ini', message.format('b'))],
            told('memcache_tls_cafile = /nope/b\n'),
        )
        self.assertEqual([], told('memcache_tls_cafile = /dev/null\n'))
        self.assertEqual([], told('memcache_tls_enabled = False\n'))
        # The middleware reads none of manila's files.
        self.assertEqual([], told('oslo_config_project = other\n'))

    def test_every_path_is_an_option_of_some_release(self):
        facts = catalog.Catalog()
        known = {
            name
            for release in facts.releases
            for name in facts.options(release).names
        }
        self.assertEqual(set(), paths.names() - known)


class ListenTest(Case):
    def api(self, port, address='127.0.0.1', more=''):
        return self.conf(
            f'osapi_share_listen = {address}\n'
            f'osapi_share_listen_port = {port}\n{more}'
        )

    def listener(self):
        one = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(one.close)
        return one.getsockname()[1]

    def test_no_address_of_this_host(self):
        conf = self.api(18786, '192.0.2.9')
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/osapi_share_listen',
                    '[DEFAULT] osapi_share_listen: 192.0.2.9 is not an '
                    'address of this host; manila-api exits with 1 (OSError '
                    '99, '
                    'cannot assign requested address)',
                )
            ],
            self.told(conf),
        )
        # The program of that release serves nothing by itself.
        self.assertEqual([], self.told(conf, source='2026.1', target='2026.2'))

    def test_no_interface_is_up(self):
        # Any address may be bound in a namespace of its own.
        with mock.patch.object(listeners, 'has_address', lambda one: None):
            self.assertEqual([], self.told(self.api(1024, '192.0.2.1')))
            conf = '[DEFAULT]\nosapi_share_listen = 192.0.2.1\n'
            self.assertIs(
                model.Outcome.NOT_APPLICABLE, self.run_check(conf).outcome
            )

    def test_a_web_server_serves_the_api(self):
        conf = self.api(18786, '192.0.2.9')
        self.assertEqual(
            [],
            self.told(
                conf,
                files={
                    'root/etc/apache2/sites-enabled/manila.conf': (
                        'WSGIScriptAlias / /usr/bin/manila-wsgi-x '
                        'manila.wsgi.api:application\n'
                    )
                },
            ),
        )

    def test_the_port_is_taken(self):
        port = self.listener()
        conf = self.api(port)
        self.assertEqual([], self.told(conf))
        self.assertEqual([], self.told(conf, stage='upgraded'))
        ((severity, name, message),) = self.told(conf, stage='stopped')
        self.assertEqual(
            (FAILURE, 'DEFAULT/osapi_share_listen_port'), (severity, name)
        )
        self.assertEndsWith(
            f'(PID {os.getpid()}) listens on 127.0.0.1 port {port}, where '
            'manila-api has to: manila-api exits with 1 (OSError 98, address '
            'already in use)',
            message,
        )

    def assertEndsWith(self, end, text):
        self.assertEqual(end, text[-len(end) :])

    def test_nothing_listens(self):
        with socket.create_server(('127.0.0.1', 0)) as one:
            port = one.getsockname()[1]
        conf = self.api(port)
        self.assertEqual([], self.told(conf, stage='stopped'))
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/osapi_share_listen_port',
                    f'nothing listens on 127.0.0.1 port {port}: manila-api '
                    'does not run',
                )
            ],
            self.told(conf, stage='upgraded'),
        )

    def test_nothing_serves_the_api(self):
        with socket.create_server(('127.0.0.1', 0)) as one:
            port = one.getsockname()[1]
            # The program of that release serves nothing by itself.
            conf = self.api(port)
            releases = {'source': '2026.1', 'target': '2026.2'}
            self.assertEqual([], self.told(conf, stage='upgraded', **releases))
        self.assertEqual(
            [
                (
                    WARNING,
                    'manila-api',
                    'manila-api is configured, but no process or web server '
                    'of this host serves it, and nothing listens on port '
                    f'{port}',
                )
            ],
            self.told(conf, stage='upgraded', **releases),
        )
        self.assertEqual([], self.told(conf, stage='stopped', **releases))

    def test_overlaps(self):
        def overlaps(there, here):
            return listeners.Listener(there, 1, '').overlaps(here, 1)

        self.assertTrue(overlaps('0.0.0.0', '127.0.0.1'))
        self.assertTrue(overlaps('127.0.0.1', '0.0.0.0'))
        self.assertTrue(overlaps('::', '127.0.0.1'))
        self.assertTrue(overlaps('::1', '::'))
        self.assertFalse(overlaps('0.0.0.0', '::1'))
        self.assertFalse(overlaps('127.0.0.2', '127.0.0.1'))
        self.assertFalse(
            listeners.Listener('::', 1, '').overlaps('127.0.0.1', 2)
        )


@ddt.ddt
class BackdoorTest(Case):
    def told_of(self, line, workers=1, **kwargs):
        conf = self.conf(f'osapi_share_workers = {workers}\n{line}')
        return [
            one for one in self.told(conf, **kwargs) if 'backdoor' in one[1]
        ]

    def listener(self):
        one = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(one.close)
        return one.getsockname()[1]

    def expected(self, value, why):
        return [
            (
                FAILURE,
                'DEFAULT/backdoor_port',
                f'[DEFAULT] backdoor_port = {value}: {why} (OSError 98, '
                'address already in use)',
            )
        ]

    @ddt.data('plan', 'stopped', 'upgraded')
    def test_something_else_listens(self, stage):
        port = self.listener()
        with mock.patch.object(listeners, 'owner', lambda one: 'x (PID 7)'):
            found = self.told_of(f'backdoor_port = {port}', stage=stage)
            # The release without eventlet opens none.
            later = self.told_of(
                f'backdoor_port = {port}', source='2026.1', target='2026.2'
            )
        self.assertEqual(
            []
            if stage == 'upgraded'
            else self.expected(
                port,
                'x (PID 7) listens there, and no service of manila starts',
            ),
            found,
        )
        self.assertEqual([], later)

    def test_fewer_ports_than_workers(self):
        with mock.patch.object(listeners, 'listeners', lambda: ()):
            found = self.told_of('backdoor_port = 9000:9001', workers=3)
            enough = self.told_of('backdoor_port = 9000:9002', workers=3)
        self.assertEqual(
            self.expected(
                '9000:9001',
                '3 processes of manila open a port each, and 2 are free: the '
                'others do not start',
            ),
            found,
        )
        self.assertEqual([], enough)

    @ddt.data(
        ('backdoor_port = 0', '2026.1', None),
        ('backdoor_socket = /dev/shm/x-{pid}.sock', '2026.1', None),
        ('backdoor_port = 1\nbackdoor_socket = /dev/shm/x', '2026.1', None),
        (
            'backdoor_socket = /nope/x.sock',
            '2026.1',
            f'is in /nope, which does not exist; {ALL} do not start',
        ),
        ('backdoor_socket = /nope/x.sock', '2026.2', None),
    )
    @ddt.unpack
    def test_a_socket(self, lines, target, why):
        self.assertEqual(
            [
                (
                    FAILURE,
                    'DEFAULT/backdoor_socket',
                    f'[DEFAULT] backdoor_socket: /nope/x.sock {why}',
                )
            ]
            if why
            else [],
            self.told_of(
                lines,
                workers=4,
                source={'2026.1': '2025.1', '2026.2': '2026.1'}[target],
                target=target,
            ),
        )


@ddt.ddt
class ServerNumbersTest(Case):
    def api(self, line):
        return self.conf(f'osapi_share_listen = 127.0.0.1\n{line}')

    @ddt.data(
        'tcp_keepidle = 1',
        'tcp_keepidle = 32767',
        'tcp_keepidle = a',
        'client_socket_timeout = 0',
    )
    def test_silent(self, line):
        self.assertEqual([], self.told(self.api(line)))

    @ddt.data(
        (
            'tcp_keepidle = 0',
            'manila-api exits with 1 (OSError 22, invalid argument)',
        ),
        (
            'tcp_keepidle = 32768',
            'manila-api exits with 1 (OSError 22, invalid argument)',
        ),
        (
            'wsgi_default_pool_size = 0',
            'manila-api starts and serves no request',
        ),
        (
            'client_socket_timeout = -1',
            'manila-api starts and serves no request (ValueError)',
        ),
        ('max_header_line = 0', 'manila-api answers every request with 400'),
    )
    @ddt.unpack
    def test_a_number(self, line, effect):
        name = line.partition(' ')[0]
        self.assertEqual(
            [(FAILURE, f'DEFAULT/{name}', f'[DEFAULT] {line}: {effect}')],
            self.told(self.api(line)),
        )
        # The program of that release serves nothing by itself.
        self.assertNotIn(
            effect,
            str(self.told(self.api(line), source='2026.1', target='2026.2')),
        )


@ddt.ddt
class TlsTest(Case):
    def setUp(self):
        super().setUp()
        self.cert, self.key = key_pairs.pair(self.folder, 'a')

    def tls(self, *lines):
        return self.conf(
            'osapi_share_use_ssl = True\nosapi_share_listen = 127.0.0.1\n',
            '[ssl]\n' + '\n'.join(lines),
        )

    def test_silent(self):
        lines = f'cert_file = {self.cert}', f'key_file = {self.key}'
        self.assertEqual([], self.told(self.tls(*lines)))
        # Nobody reads them.
        self.assertEqual(
            [], self.told(self.conf(more='[ssl]\ncert_file = /nope\n'))
        )
        # A web server has its own.
        self.assertEqual(
            [],
            self.told(
                self.tls('cert_file = /nope'),
                source='2026.1',
                target='2026.2',
            ),
        )

    @ddt.data(
        (
            'cert_file = /nope/a',
            'cert_file',
            'cert_file: /nope/a does not exist; manila-api exits with 1 '
            '(RuntimeError)',
        ),
        (
            'ca_file = /nope/a',
            'ca_file',
            'ca_file: /nope/a does not exist; manila-api exits with 1 '
            '(RuntimeError)',
        ),
        (
            'key_file =',
            'key_file',
            'key_file is not set, and osapi_share_use_ssl is on; manila-api '
            'exits with 1 (RuntimeError)',
        ),
    )
    @ddt.unpack
    def test_a_file(self, line, name, says):
        lines = f'cert_file = {self.cert}', f'key_file = {self.key}', line
        self.assertEqual(
            [(FAILURE, f'ssl/{name}', f'[ssl] {says}')],
            self.told(self.tls(*lines)),
        )

    @ddt.data(
        ('version = TLSv1_2', None, None),
        ('version = SSLv23', None, None),
        ('ciphers = HIGH:!aNULL', None, None),
        ('ca_file = {}/a.crt', None, None),
        (
            'version = TLSv1_3',
            'version',
            'version = TLSv1_3: oslo.service takes sslv23, tlsv1, tlsv1_1, '
            'tlsv1_2; manila-api starts and serves no request (RuntimeError)',
        ),
        (
            'ciphers = FOO',
            'ciphers',
            'ciphers = FOO: OpenSSL of this host has none of them; manila-api '
            'starts and serves no request (ssl.SSLError)',
        ),
        (
            'ca_file = {}/authorities.pem',
            'ca_file',
            'ca_file: {}/authorities.pem: it has no certificate ({why}); '
            'manila-api starts and serves no request (ssl.SSLError)',
        ),
    )
    @ddt.unpack
    def test_what_openssl_rejects(self, line, name, says):
        with open(self.path('authorities.pem'), 'w') as stream:
            stream.write('not a certificate\n')
        told = self.told(
            self.tls(
                f'cert_file = {self.cert}',
                f'key_file = {self.key}',
                line.format(self.folder),
            )
        )
        self.assertEqual(
            [] if name is None else [(FAILURE, f'ssl/{name}')],
            [one[:2] for one in told],
        )
        for one in told:
            why = re.search(r'\(([A-Z_]+|not PEM)\)', one[2])
            self.assertEqual(
                '[ssl] ' + says.format(self.folder, why=why and why[1]), one[2]
            )

    def test_they_do_not_belong_together(self):
        _, key = key_pairs.pair(self.folder, 'b')
        self.assertEqual(
            [
                (
                    FAILURE,
                    'ssl/key_file',
                    f'[ssl] cert_file and key_file ({self.cert}, {key}): the '
                    'key is not that of the certificate; manila-api starts '
                    'and serves no request (ssl.SSLError)',
                )
            ],
            self.told(
                self.tls(f'cert_file = {self.cert}', f'key_file = {key}')
            ),
        )

    def test_when_it_ends(self):
        ends = certificates.ends(self.cert)
        told = subprocess.run(
            ['openssl', 'x509', '-noout', '-enddate', '-in', self.cert],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.partition('=')[2]
        self.assertEqual(
            ssl.cert_time_to_seconds(told.strip()), ends.timestamp()
        )
        self.assertIsNone(certificates.ends(self.key))
        with open(self.cert, 'a') as stream:
            stream.write('x' * 10)
        self.assertEqual(ends, certificates.ends(self.cert))

    @ddt.data(
        ('20260401000000Z', FAILURE, 'expired on 2026-04-01 00:00 UTC'),
        ('20260410000000Z', WARNING, 'expires on 2026-04-10 00:00 UTC'),
        ('20260416000000Z', None, ''),
    )
    @ddt.unpack
    def test_it_ends(self, day, severity, says):
        # The run is on 2026-04-01.
        lines = f'cert_file = {self.cert}', f'key_file = {self.key}'
        at = datetime.datetime.strptime(day, '%Y%m%d%H%M%SZ')
        at = at.replace(tzinfo=datetime.timezone.utc)
        with mock.patch.object(
            certificates, 'ends', autospec=True, return_value=at
        ):
            found = self.told(self.tls(*lines))
        self.assertEqual(
            [] if severity is None else [(severity, 'ssl/cert_file')],
            [item[:2] for item in found],
        )
        self.assertIn(says, ''.join(item[2] for item in found))


@ddt.ddt
class FiltersTest(Case):
    PASTE = (
        '[pipeline:osapi_share]\npipeline = audit app\n'
        '[app:app]\n'
        'paste.app_factory = manila.api.versions:VersionsRouter.factory\n'
        '[filter:audit]\n'
        'paste.filter_factory = keystonemiddleware.audit:filter_factory\n'
        'audit_map_file = {}\n'
    )

    def test_the_map(self):
        conf = self.conf('osapi_share_listen = 127.0.0.1')
        gone = self.path('map.conf')
        paste = {'api-paste.ini': self.PASTE.format(gone)}
        self.assertEqual(
            [
                (
                    FAILURE,
                    'filter:audit',
                    f'[filter:audit] audit_map_file: {gone} does not exist; '
                    'manila-api does not start',
                )
            ],
            self.told(conf, files=paste),
        )
        with open(gone, 'w'):
            pass
        self.assertEqual([], self.told(conf, files=paste))

    @ddt.data(
        'oslo_middleware.basic_auth:BasicAuthMiddleware.factory',
        'oslo_middleware:BasicAuthMiddleware.factory',
    )
    def test_the_users(self, code):
        users = self.path('users')
        conf = self.conf(
            'osapi_share_listen = 127.0.0.1',
            f'[oslo_middleware]\nhttp_basic_auth_user_file = {users}',
        )
        text = self.PASTE.replace(
            'keystonemiddleware.audit:filter_factory', code
        ).replace('audit_map_file = {}\n', '')
        paste = {'api-paste.ini': text}
        self.assertEqual(
            [
                (
                    FAILURE,
                    'filter:audit',
                    '[filter:audit] reads [oslo_middleware] '
                    f'http_basic_auth_user_file: {users} does not exist; '
                    'manila-api does not start (ConfigInvalid)',
                )
            ],
            self.told(conf, files=paste),
        )
        with open(users, 'w'):
            pass
        self.assertEqual([], self.told(conf, files=paste))
        os.unlink(users)
        # No pipeline has it.
        text = text.replace('= audit app', '= app')
        self.assertEqual([], self.told(conf, files={'api-paste.ini': text}))


@ddt.ddt
class DefaultTest(Case):
    """A file that a driver opens though no line names it."""

    CONF = (
        'enabled_share_backends = {}\n[h]\n'
        'share_driver = manila.share.drivers.huawei.huawei_nas.HuaweiNasDriver'
        '\ndriver_handles_share_servers = False\n{}'
        '[l]\nshare_driver = manila.share.drivers.lvm.LVMShareDriver\n'
        'driver_handles_share_servers = False\n'
    )

    def of_huawei(self, *words):
        return [
            one
            for one in self.told(
                self.of_this_host() + self.CONF.format(*words)
            )
            if 'huawei' in one[1]
        ]

    @ddt.data(
        ('', '/etc/manila/manila_huawei_conf.xml'),
        ('manila_huawei_conf_file = /nope/a.xml\n', '/nope/a.xml'),
    )
    @ddt.unpack
    def test_told_once(self, line, path):
        self.assertEqual(
            [
                (
                    FAILURE,
                    'h/manila_huawei_conf_file',
                    f'[h] manila_huawei_conf_file: {path} does not exist; '
                    'the driver does not start, and the back end never '
                    'reports',
                )
            ],
            self.of_huawei('h', line),
        )

    def test_silent(self):
        self.assertEqual([], self.of_huawei('l', ''))
        path = self.path('huawei.xml')
        with open(path, 'w'):
            pass
        self.assertEqual(
            [], self.of_huawei('h', f'manila_huawei_conf_file = {path}\n')
        )
