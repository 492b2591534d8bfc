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
"""No planted secret in anything that the command prints.

Every site of the judge has a secret of its own in each place that can hold
one, and is run through the whole command: every check, in every format, with
its debug log; with the value as it is, with what its type refuses, and with
the file malformed in that line.
"""

import contextlib
import datetime
import io
import json
import logging
import os
import pathlib
import re
import shutil
import textwrap

import ddt
import fixtures
import sqlalchemy
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.cmd import precheck
from manila_precheck.testing import schema
from manila_precheck.tests import tool_scripts
from qa.judges import judge_inputs

PAIRS = (
    ('2023.1', '2024.1'),
    ('2024.1', '2025.1'),
    ('2025.1', '2026.1'),
    ('2025.2', '2026.1'),
    ('2026.1', '2026.2'),
)
FORMATS = (
    ('--format', 'table'),
    ('--format', 'json'),
    ('--json',),
)
#: What every planted value begins with; no other text has it.
MARK = 'plnt3d'

# Written apart from the words that the program itself looks for.
_HOLDS_ONE = re.compile(
    r'pass(word|wd|code|phrase)|secret|_token$|^token$|_pw$|api_key'
    r'|hmac|^flashblade_api$|_auth_key',
    re.I,
)
_URL = re.compile(r'(\w[\w+.-]*://[^\s:/@]*):[^\s/@]+@')
_ASSIGNMENT = re.compile(r'^([\w.-]+)(\s*[=:]\s*)(.*)$')


class Planter:
    """Puts secrets into the text of a configuration file."""

    def __init__(self):
        self._marked = catalog.Catalog().secrets
        self.count = 0

    def secret(self):
        """Return a new one, with what URLs and templates trip over."""
        self.count += 1
        return f'{MARK}{self.count:04d}Zq'

    def text(self, text, bad=''):
        """Return a file with a secret in each place that can hold one.

        :param bad: what to put behind each, for oslo.config to refuse it.
        """
        lines = []
        for line in text.splitlines():
            line = _URL.sub(lambda m: f'{m[1]}:{self.secret()}{bad}@', line)
            found = _ASSIGNMENT.match(line)
            if found and found[1].lower().endswith('connection'):
                # No server, and no waiting for one.
                line = re.sub('@[^/]*/', '@127.0.0.1:1/', line)
            if found and MARK not in line:
                name, sign, _value = found.groups()
                if name in self._marked or _HOLDS_ONE.search(name):
                    line = f'{name}{sign}{self.secret()}{bad}'
            lines.append(line)
        return '\n'.join(lines) + '\n'


class Command(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.home = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.home))
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_DATABASE__CONNECTION',
                f'mysql+pymysql://u:{MARK}Env1@127.0.0.1:1/manila',
            )
        )
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_KEYSTONE_AUTHTOKEN__PASSWORD', f'{MARK}Env2'
            )
        )
        self.planter = Planter()
        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.setLevel, level)

    def run_command(self, site, source, target, *words):
        """Run the command over a site; return what it says, log and all."""
        where = os.path.join(self.home, 'site')
        site.write(where)
        argv = ['--debug']
        for location in site.locations:
            path = os.path.join(where, location)
            flag = 'dir' if os.path.isdir(path) else 'file'
            argv += [f'--config-{flag}', path]
        argv += ['upgrade', 'check', '--source-release', source]
        argv += ['--target-release', target, *words]
        said = io.StringIO()
        handler = logging.StreamHandler(said)
        handler.setLevel(logging.DEBUG)
        logging.getLogger().addHandler(handler)
        try:
            with contextlib.redirect_stdout(said):
                with contextlib.redirect_stderr(said):
                    code = precheck.main(argv)
        finally:
            logging.getLogger().removeHandler(handler)
        return code, said.getvalue()

    def assert_silent(self, said):
        leaks = [line for line in said.splitlines() if MARK in line]
        self.assertEqual([], leaks)


class PlantedSite(judge_inputs.Site):
    """A site with a policy file, which is not read as configuration."""

    @property
    def locations(self):
        found = super().locations
        return tuple(name for name in found if 'policy.' not in name)


@ddt.ddt
class SecretsTest(Command):
    def planted(self, site, bad=''):
        files = {
            name: self.planter.text(text, bad)
            for name, text in site.files.items()
        }
        return PlantedSite(files)

    # Each site over two upgrades, each upgrade over two sites of five: what
    # is a secret does not depend on the release.
    @ddt.data(*enumerate(sorted(judge_inputs.SITES)))
    @ddt.unpack
    def test_no_secret_is_shown(self, turn, name):
        site = self.planted(judge_inputs.SITES[name])
        self.assertNotEqual(site.files, judge_inputs.SITES[name].files)
        for number in (turn, turn + 2):
            source, target = PAIRS[number % len(PAIRS)]
            words = FORMATS[number % len(FORMATS)]
            code, said = self.run_command(site, source, target, *words)
            self.assertIn(code, (0, 1, 2), said[-500:])
            self.assert_silent(said)

    @ddt.data(*FORMATS)
    def test_no_secret_is_shown_in_any_format(self, words):
        for name in ('puppet-tripleo-netapp', 'rhoso-netapp'):
            site = self.planted(judge_inputs.SITES[name])
            _code, said = self.run_command(site, '2025.1', '2026.1', *words)
            self.assert_silent(said)
            if words != ('--format', 'table'):
                report = said[said.index('{') : said.rindex('}') + 1]
                self.assertIn('checks', report)

    @ddt.data(*sorted(judge_inputs.SITES))
    def test_no_refused_secret_is_shown(self, name):
        site = self.planted(judge_inputs.SITES[name], '$nobody.$')
        _code, said = self.run_command(site, '2025.1', '2026.1')
        self.assert_silent(said)

    @ddt.data(*sorted(judge_inputs.SITES))
    def test_no_secret_of_a_wrong_type_is_shown(self, name):
        # A password pasted into every line there is, of whatever type.
        site = judge_inputs.SITES[name]
        for file, text in site.files.items():
            for line in text.splitlines():
                found = _ASSIGNMENT.match(line)
                if found and _HOLDS_ONE.search(found[1]):
                    name, sign, _value = found.groups()
                    broken = text.replace(
                        line, f'{name}{sign}{self.planter.secret()}\n{name}'
                    )
                    files = {**site.files, file: broken}
                    self._malformed(files)
                    broken = text.replace(line, f'[{self.planter.secret()}')
                    self._malformed({**site.files, file: broken})
                    break

    def _malformed(self, files):
        planted = PlantedSite(files)
        code, said = self.run_command(planted, '2025.1', '2026.1')
        self.assertEqual(255, code)
        self.assert_silent(said)
        self.assertRegex(said, r'\.conf:\d+: ')


class PolicyFilesTest(Command):
    def test_no_secret_of_a_url_in_a_policy_file(self):
        # 2026.1 drops the file, and the lines to write instead are shown.
        url = f'https://u:{self.planter.secret()}@h/%(x)s'
        query = f'http://h:80/?a=b&token={self.planter.secret()}'
        rules = {
            'share:create': url,
            'share:delete': f'role:a or {query}',
            'share:get': f'not {url}?password={self.planter.secret()}',
        }
        site = PlantedSite(
            {'manila.conf': '[DEFAULT]\n', 'policy.json': json.dumps(rules)}
        )
        for words in FORMATS:
            _code, said = self.run_command(site, '2025.1', '2026.1', *words)
            self.assert_silent(said)
            self.assertIn('https://u:***@h/%(x)s', said)
            self.assertIn('token=***', said)

    def test_no_secret_of_a_policy_file_that_cannot_be_read(self):
        for text in (
            f'"a": "{self.planter.secret()}\n',
            f'password: {self.planter.secret()}: {self.planter.secret()}\n',
            f'- {self.planter.secret()}\n',
        ):
            site = PlantedSite(
                {
                    'manila.conf': (
                        '[oslo_policy]\npolicy_file = policy.yaml\n'
                    ),
                    'policy.yaml': text,
                }
            )
            _code, said = self.run_command(site, '2025.1', '2026.1')
            self.assert_silent(said)


@ddt.ddt
class LoginTest(Command):
    """What a driver and a server say of a login that fails."""

    @ddt.data(
        'mysql+pymysql://openstack_citest:{}@127.0.0.1/openstack_citest',
        'postgresql+psycopg2://openstack_citest:{}@127.0.0.1/openstack_citest',
        'mysql+pymysql://u@127.0.0.1:1/m?password={}&ssl_ca=/x',
        'postgresql+psycopg2://:{}@127.0.0.1:1/m?sslmode=require&sslkey=/x',
        'postgresql+psycopg2://u:{}@127.0.0.1:port/m',
        'mysql+nosuch://u:{}@127.0.0.1/m',
        'u:{}@127.0.0.1/m',
    )
    def test_no_password_is_shown(self, url):
        # The environment of the other tests has a server that is not there.
        self.useFixture(
            fixtures.EnvironmentVariable('OS_DATABASE__CONNECTION')
        )
        for odd in ('', '/', '@', '@/', ' ', '%40', '%2F', '#', '?', "'", ':'):
            secret = f'{MARK}{odd}{MARK}'
            text = url.replace('{}', secret)
            site = PlantedSite(
                {'manila.conf': f'[database]\nconnection = {text}\n'}
            )
            for words in FORMATS[:2]:
                code, said = self.run_command(
                    site, '2025.1', '2026.1', '--check', 'schema-revision',
                    *words,
                )  # fmt: skip
                # A server may let anybody in.
                self.assertIn(code, (0, 2), said[-500:])
                self.assertIn('schema-revision', said)
                self.assertEqual(
                    [],
                    [line for line in said.splitlines() if MARK in line],
                    url,
                )


_ROOT = pathlib.Path(__file__).parents[3]

#: Columns that hold a secret, or what somebody else wrote, and that no text
#: has a reason to show.
_PRIVATE = (
    'async_operation_data.value',
    'backend_info.info_hash',
    'drivers_private_data.value',
    'security_services.password',
    'security_services.user',
    'share_access_map.access_key',
    'share_access_rules_metadata.value',
    'share_backups.display_description',
    'share_instance_export_locations.path',
    'share_metadata.value',
    'share_network_subnet_metadata.value',
    'share_server_backend_details.value',
    'share_snapshot_instances.provider_location',
    'share_snapshot_metadata.value',
    'share_type_extra_specs.spec_value',
    'shares.display_description',
    'transfers.crypt_hash',
    'transfers.salt',
)
#: Columns that a report may show: the password of a URL in one is masked.
_SHOWN = (
    'resource_locks.lock_reason',
    'services.disabled_reason',
    'share_backups.display_name',
    'share_backups.fail_reason',
    'share_groups.name',
    'share_networks.name',
    'share_servers.identifier',
    'share_snapshots.display_name',
    'shares.display_name',
)

_FILES = (
    'json',
    'junit',
    'sarif',
    'markdown',
    'html',
    'openmetrics',
    'upgradecheck-json',
)


class Demo(Command):
    """The site of the demo, with a secret in every kind of place."""

    def setUp(self):
        super().setUp()
        self.site = pathlib.Path(self.home, 'site')
        demo = _ROOT / 'etc/manila-precheck/demo'
        if not demo.is_dir():
            self.skipTest('the package is installed without its demo')
        shutil.copytree(demo, self.site)
        #: Where each secret is.
        self.planted = {}

    def plant(self, place):
        """Return a secret for a place."""
        secret = self.planter.secret()
        self.planted[place] = secret
        return secret

    def append(self, name, text):
        path = self.site / name
        path.parent.mkdir(exist_ok=True)
        with open(path, 'a') as stream:
            stream.write(textwrap.dedent(text))
        return path

    def rows(self):
        """Make the database of the demo, with secrets in its rows."""
        demo_rows = tool_scripts.load('demo_rows')
        engine = sqlalchemy.create_engine(f'sqlite:///{self.site}/m.sqlite')
        metadata = schema.create_schema(engine, releases.parse('2025.1'))
        now = datetime.datetime.now(datetime.timezone.utc)
        demo_rows.Region(metadata, now.replace(tzinfo=None)).write(engine)
        with engine.begin() as connection:
            for name in (*_PRIVATE, *_SHOWN):
                value = self.plant(name)
                if name in _SHOWN:
                    value = f'https://ops:{value}@wiki.example.org/x'
                self.set(connection, metadata, name, value)
        engine.dispose()

    def set(self, connection, metadata, name, value):
        table_name, column = name.split('.')
        table = metadata.tables[table_name]
        if not connection.execute(
            sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
        ).scalar():
            # SQLite asks for no row that a foreign key leads to.
            row = {
                c.name: f'{column}-1'
                for c in table.columns
                if not c.nullable
                and isinstance(c.type, (sqlalchemy.String, sqlalchemy.Text))
            }
            numbers = {
                c.name: 1
                for c in table.columns
                if not c.nullable and c.name not in row
            }
            connection.execute(table.insert().values({**row, **numbers}))
        done = connection.execute(table.update().values({column: value}))
        self.assertGreater(done.rowcount, 0, name)

    def build(self):
        conf = self.site / 'manila.conf'
        text = conf.read_text()
        while 'not-a-password' in text:
            line = text[: text.index('not-a-password')].count('\n') + 1
            secret = self.plant(f'manila.conf:{line}')
            text = text.replace('not-a-password', secret, 1)
        conf.write_text(text)
        url = self.plant('a proxy')
        tokens = [self.plant(f'token {number}') for number in range(6)]
        self.append(
            'manila.conf.d/60-more.conf',
            f"""
            [DEFAULT]
            acme_endpoint = https://acme:{url}@acme.example.org/api
            acme_pair = https://t:{tokens[0]}@host/, https://u:{tokens[1]}@h
            transport_url = rabbit://a:{tokens[2]}@b:1,c:{tokens[3]}@d:2/v
            [oslo_messaging_notifications]
            transport_url = kafka://n:{tokens[4]}@kafka:9092/
            [coordination]
            backend_url = etcd3+http://c:{tokens[5]}@etcd:2379
            [database]
            connection = sqlite:///{self.site}/m.sqlite
            [oslo_policy]
            remote_ssl_client_key_file = /etc/key
            """,
        )
        self.append(
            'policy.yaml',
            f'"share:delete": "http://u:{self.plant("policy")}@p:8080/x"\n'
            f'"share:extend": "http://u:{self.plant("half")}@p:8080/x or ("\n',
        )
        self.append(
            'api-paste.ini',
            f'\n[filter:old]\npaste.filter_factory = keystone.mid:f\n'
            f'admin_password = {self.plant("paste")}\n'
            f'auth_uri = http://u:{self.plant("paste URL")}@k:35357/\n',
        )
        self.append(
            'waivers.yaml',
            'waivers:\n- key: config-options[DEFAULT/acme_pair]\n'
            f'  reason: see https://u:{self.plant("waiver")}@wiki/\n'
            '  owner: me\n  expires: 2999-01-01\n',
        )
        self.append(
            'inventory.yaml',
            'backends:\n  isilon1:\n    system: OneFS\n'
            f'    version: "http://u:{self.plant("inventory")}@h/9.1"\n',
        )
        self.append(
            'manila.conf.d/70-precheck.conf',
            f"""
            [manila_precheck]
            waivers = {self.site}/waivers.yaml
            [manila_precheck_backend_drivers]
            storage_inventory = {self.site}/inventory.yaml
            """,
        )
        self.rows()

    def said(self, *words):
        """Run the command in every format: all that it says."""
        reports = [
            word
            for name in _FILES
            for word in ('--report', f'{name}:{self.home}/{name}')
        ]
        said = io.StringIO()
        handler = logging.StreamHandler(said)
        handler.setLevel(logging.DEBUG)
        logging.getLogger().addHandler(handler)
        # The environment of the other tests has a server that is not there.
        with fixtures.EnvironmentVariable('OS_DATABASE__CONNECTION'):
            try:
                with contextlib.redirect_stdout(said):
                    with contextlib.redirect_stderr(said):
                        code = precheck.main(
                            [
                                '--debug',
                                '--config-file',
                                str(self.site / 'manila.conf'),
                                '--config-dir',
                                str(self.site / 'manila.conf.d'),
                                'upgrade',
                                'check',
                                '--target-release',
                                '2026.1',
                                *reports,
                                *words,
                            ]
                        )
            finally:
                logging.getLogger().removeHandler(handler)
        found = {'standard output and error': said.getvalue()}
        for name in _FILES:
            found[name] = pathlib.Path(self.home, name).read_text()
        self.assertEqual(2, code, found['standard output and error'][-900:])
        return found


class EverywhereTest(Demo):
    """One site with a secret in every kind of place, in every format."""

    def test_thirty_places_and_more(self):
        self.build()
        self.assertGreater(len(self.planted), 45)
        self.assertEqual(len(self.planted), len(set(self.planted.values())))
        for words in (
            (),
            ('--redact-names',),
            ('--stage', 'stopped'),
            ('--stage', 'upgraded'),
        ):
            for where, text in self.said(*words).items():
                leaks = {
                    place: text[max(text.index(secret) - 60, 0) :][:90]
                    for place, secret in self.planted.items()
                    if secret in text
                }
                self.assertEqual({}, leaks, f'{words} {where}')
                # What is masked is there, or the test would show nothing.
                if where == 'json':
                    self.assertIn(':***@wiki', text, str(words))

    def test_the_merged_report(self):
        self.build()
        self.said()
        os.rename(f'{self.home}/json', f'{self.home}/ctl1.json')
        self.append(
            'manila.conf.d/60-more.conf',
            f'[neutron]\npassword = {self.plant("another")}\n',
        )
        self.said()
        os.rename(f'{self.home}/json', f'{self.home}/ctl2.json')
        said = io.StringIO()
        words = ['report', 'merge', f'{self.home}/ctl1.json']
        words.append(f'{self.home}/ctl2.json')
        for name in ('table', *_FILES):
            with contextlib.redirect_stdout(said):
                self.assertEqual(2, precheck.main([*words, '--format', name]))
        for place, secret in self.planted.items():
            self.assertNotIn(secret, said.getvalue(), place)


#: What deployment tools have where nobody chose a password.
_DEFAULTS = (
    'password',
    'secret',
    'admin',
    'manila',
    'service',
    'rabbitmq',
    'openstack',
    'keystone',
    'True',
    '1',
)


class DefaultPasswordsTest(Demo):
    """A password that is a word changes no word of the report."""

    def report(self, password, connection):
        """Return the report of the demo with one password everywhere."""
        shutil.rmtree(self.site)
        shutil.copytree(_ROOT / 'etc/manila-precheck/demo', self.site)
        conf = self.site / 'manila.conf'
        conf.write_text(conf.read_text().replace('not-a-password', password))
        self.append(
            'manila.conf.d/60-more.conf',
            f"""
            [DEFAULT]
            sql_connection = mysql+pymysql://manila:{password}@db/manila
            netapp_password = {password}
            admin_passwrod = {password}
            [database]
            connection = {connection.format(password)}
            [neutron]
            auth_url = http://manila:{password}@keystone:5000
            password = {password}
            password = {password}
            username = manila
            """,
        )
        said = self.said('--reproducible')
        held = json.loads(said['json'])
        for file in held['files']:
            del file['sha256']
        # The rows grow older while the test runs.
        return re.sub(r'\d+', 'N', json.dumps(held, indent=1)), said

    def test_a_default_password_ate_words(self):
        self.build()
        rows = pathlib.Path(self.home, 'm.sqlite')
        os.rename(self.site / 'm.sqlite', rows)
        for connection in (
            f'sqlite:///{rows}',
            'mysql+pymysql://manila:{}@127.0.0.1:1/manila',
        ):
            random = f'{MARK}Zk4w0qXv9'
            expected, said = self.report(random, connection)
            for where, text in said.items():
                self.assertNotIn(MARK, text, where)
            self.assertIn('***', expected)
            for password in _DEFAULTS:
                found, _said = self.report(password, connection)
                self.assertEqual(
                    expected.splitlines(), found.splitlines(), password
                )
