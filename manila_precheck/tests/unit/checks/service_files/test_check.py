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


import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.files import tree

CHECK = 'service-files'
FAILURE = model.Severity.FAILURE
WARNING = model.Severity.WARNING
INFO = model.Severity.INFO

DATABASE = '[database]\nconnection = {}\n'
DB = DATABASE.format('mysql+pymysql://u:hunter2@db1/manila')
BROKER = '[DEFAULT]\ntransport_url = {}\n'


class Case(testtools.TestCase):
    site: testing.Site

    def shown(self, result):
        self.assertNotIn('hunter2', repr(result))
        return [
            (
                one.severity,
                one.subject.name.replace(self.site.path, ''),
                one.message.replace(self.site.path, ''),
            )
            for one in result.findings
        ]


@ddt.ddt
class AgreementTest(Case):
    """Values that all services have to share."""

    def found(self, config, files, services):
        self.site = self.useFixture(
            testing.Site(config, files, services=services)
        )
        return self.shown(self.site.run(CHECK))

    def own(self, config, text, program='manila-share'):
        return self.found(
            config, {'own.conf': text}, {program: ('manila.conf', 'own.conf')}
        )

    @ddt.data(
        # Another login, driver or spelling of one and the same.
        (DB, DATABASE.format('mysql://other:x@DB1:3306/manila')),
        (DB, '[DEFAULT]\nstate_path = /x\n'),
        (
            BROKER.format('rabbit://u:hunter2@a:5672/v'),
            BROKER.format('rabbit://u2:p@A/v'),
        ),
        # manila-manage sends no requests.
        ('[DEFAULT]\n', '[DEFAULT]\ndebug = True\n'),
    )
    @ddt.unpack
    def test_the_same(self, config, text):
        self.assertEqual([], self.own(config, text))

    def test_one_list_for_all(self):
        self.assertEqual([], self.found(DB, {}, None))

    def test_manage_has_no_connection(self):
        """It reads nothing that command lines of services name."""
        self.assertEqual(
            [
                (
                    FAILURE,
                    'database/connection',
                    'the services have different values of [database] '
                    'connection: manila-api, manila-scheduler, manila-share, '
                    'manila-data: mysql at db1:3306, database manila '
                    '(/dist.conf:2); manila-manage: sqlite, in memory (the '
                    'default): they do not share their rows, and db sync '
                    'migrates only one of the databases',
                )
            ],
            self.found(
                '[DEFAULT]\n',
                {'dist.conf': DB},
                {
                    f'manila-{name}': ('dist.conf', 'manila.conf')
                    for name in ('api', 'scheduler', 'share', 'data')
                },
            ),
        )

    def test_another_database(self):
        self.assertEqual(
            [
                (
                    FAILURE,
                    'database/connection',
                    'the services have different values of [database] '
                    'connection: manila-api, manila-scheduler, manila-data, '
                    'manila-manage: mysql at db1:3306, database manila '
                    '(/manila.conf:2); manila-share: mysql at db1:3306, '
                    'database manila2 (/own.conf:2): they do not share their '
                    'rows, and db sync migrates only one of the databases',
                )
            ],
            self.own(DB, DATABASE.format('mysql://u:hunter2@db1/manila2')),
        )

    def test_perhaps_the_same_server(self):
        ((severity, name, message),) = self.own(
            DB, DATABASE.format('mysql://u:hunter2@192.0.2.7/manila')
        )
        self.assertEqual((WARNING, 'database/connection'), (severity, name))
        self.assertIn(': unless these names lead to the same server,', message)

    @ddt.data(
        ('rabbit://u:hunter2@b/v', WARNING),
        ('rabbit://u:hunter2@a/w', FAILURE),
        ('kafka://a/v', FAILURE),
    )
    @ddt.unpack
    def test_another_broker(self, url, severity):
        found = self.own(
            BROKER.format('rabbit://u:hunter2@a/v'), BROKER.format(url)
        )
        self.assertEqual(
            [(severity, 'DEFAULT/transport_url')], [f[:2] for f in found]
        )

    def test_another_host(self):
        self.assertEqual(
            [
                (
                    INFO,
                    'DEFAULT/host',
                    'the services have different values of [DEFAULT] host: '
                    'manila-api, manila-scheduler, manila-data: the name of '
                    'the machine (the default); manila-share: pool '
                    '(/own.conf:2): each service has a row under its own '
                    'name, and the shares belong to that of manila-share',
                )
            ],
            self.own('[DEFAULT]\n', '[DEFAULT]\nhost = pool\n'),
        )

    def test_manage_needs_no_broker(self):
        self.assertEqual(
            [],
            self.own(
                BROKER.format('rabbit://u:hunter2@a/v'),
                BROKER.format('rabbit://u:hunter2@a/w'),
                'manila-manage',
            ),
        )

    @ddt.data('control_exchange', 'share_topic')
    def test_another_name(self, name):
        self.assertEqual(
            [(FAILURE, f'DEFAULT/{name}')],
            [
                one[:2]
                for one in self.own(
                    '[DEFAULT]\n', f'[DEFAULT]\n{name} = other\n'
                )
            ],
        )

    def test_a_source_that_may_set_it(self):
        self.assertEqual(
            [],
            self.own(
                '[DEFAULT]\nconfig_source = far\n'
                '[far]\ndriver = remote_file\nuri = http://127.0.0.1:1/x\n',
                DB,
            ),
        )


class FilesTest(Case):
    """Files that a service lacks, or that none of them reads."""

    def found(self, files, given=None):
        """Look at a machine that has these files."""
        files = {f'root{name}': text for name, text in files.items()}
        self.site = self.useFixture(testing.Site('[DEFAULT]\n', files))
        ctx = self.site.context()
        root = tree.Directory(self.site.file('root'))
        ctx.site = ctx.machine = root
        ctx._services = service_files.Machine(root, {}).find()
        ctx._locations = service_files.merged(ctx._services)
        if given is not None:
            ctx._services, ctx._locations = None, tuple(given)
        return self.shown(self.site.run(CHECK, ctx))

    UNIT = '/lib/systemd/system/manila-share.service'
    WANTS = '/etc/systemd/system/multi-user.target.wants/manila-share.service'
    MAIN = '/etc/manila/manila.conf'
    MORE = '/etc/manila/b.conf'

    def test_a_file_that_is_gone(self):
        files = {
            self.MAIN: '',
            self.UNIT: 'ExecStart=/v/manila-share --config-file '
            f'{self.MAIN} --config-file {self.MORE}\n',
        }
        name = f'manila-share:{self.MORE}'
        message = (
            f'{self.UNIT}:1 names {self.MORE} for manila-share, which does '
            'not exist: it does not start (ConfigFilesNotFoundError)'
        )
        self.assertEqual([(WARNING, name, message)], self.found(files))
        self.assertEqual(
            [(FAILURE, name, message)], self.found({**files, self.WANTS: ''})
        )
        self.assertEqual([], self.found({**files, self.MORE: ''}))

    def test_a_file_of_the_api_in_a_web_server(self):
        files = {
            self.MAIN: '',
            '/etc/manila/manila-api.conf': '[DEFAULT]\ndebug = True\n',
            '/etc/uwsgi/apps-enabled/x.ini': 'module=manila.wsgi.api\n',
        }
        self.assertEqual(
            [
                (
                    WARNING,
                    '/etc/manila/manila-api.conf',
                    '/etc/manila/manila-api.conf is not read: manila-api is '
                    'started by /etc/uwsgi/apps-enabled/x.ini:1, and '
                    'oslo.config looks for uwsgi.conf there, since the '
                    'program is uwsgi',
                )
            ],
            self.found(files),
        )
        files['/etc/manila/manila-api.conf'] = '# nothing\n'
        self.assertEqual([], self.found(files))

    def test_a_variable_that_manila_does_not_read(self):
        name = 'OS_MANILA_CONFIG_FILES'
        ini = '/etc/uwsgi/apps-enabled/x.ini'
        text = f'module=manila.wsgi.api\nenv={name}={self.MORE}\n'
        files = {self.MAIN: '', self.MORE: '', ini: text}
        self.assertEqual(
            [
                (
                    WARNING,
                    f'manila-api:{name}',
                    f'{ini}:1 sets {name} = {self.MORE} for manila-api, which '
                    'no release of manila reads: it reads '
                    '/etc/manila/manila.conf',
                )
            ],
            self.found(files),
        )
        files[ini] += f'pyargv = --config-file {self.MORE}\n'
        self.assertEqual([], self.found(files))
        unit = {
            self.MAIN: '',
            self.WANTS: '',
            self.UNIT: f'Environment={name}=/x\nExecStart=/v/manila-share\n',
        }
        self.assertEqual(
            [(WARNING, f'manila-share:{name}')],
            [one[:2] for one in self.found(unit)],
        )

    def process(self, *paths):
        words = ['/v/manila-share']
        for path in paths:
            words += ['--config-file', path]
        return {'/proc/7/cmdline': '\0'.join([*words, ''])}

    def test_a_file_beside_those_that_were_given(self):
        files = {
            self.MAIN: DB,
            self.MORE: '[b]\na = 1\n',
            **self.process(self.MAIN, self.MORE),
        }
        self.assertEqual(
            [
                (
                    WARNING,
                    'manila-share',
                    'manila-share (process 7) on this host reads '
                    '/etc/manila/b.conf besides, which was not checked',
                )
            ],
            self.found(files, [self.MAIN]),
        )
        self.assertEqual([], self.found(files, [self.MAIN, self.MORE]))
        self.assertEqual(
            [INFO],
            [
                one[0]
                for one in self.found({**files, self.MORE: ''}, [self.MAIN])
            ],
        )

    def test_staged_files(self):
        files = {
            self.MAIN: DB,
            '/root/staged.conf': DB,
            **self.process(self.MAIN),
        }
        self.assertEqual(
            [
                (
                    INFO,
                    'manila-share',
                    'manila-share (process 7) on this host reads none of the '
                    'files that were given, but /etc/manila/manila.conf',
                )
            ],
            self.found(files, ['/root/staged.conf']),
        )

    def test_another_cloud_on_this_host(self):
        files = {
            '/srv/manila.conf': DATABASE.format('sqlite:////srv/x'),
            self.MAIN: DB,
            **self.process('/srv/manila.conf'),
        }
        self.assertEqual([], self.found(files, [self.MAIN]))
