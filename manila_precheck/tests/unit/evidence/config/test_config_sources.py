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


"""What config_source names, beside oslo.config itself."""

import importlib
import os
import socket
import sys
import textwrap

import ddt
import fixtures
from oslo_config import cfg
from stevedore import extension
import testtools

from manila_precheck.engine import runner
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_sources
from manila_precheck.evidence.config import ini_lines
from manila_precheck.tests import config_server

_DRIVER = '''
from oslo_config import cfg
from oslo_config import sources

class Source(sources.ConfigurationSource):
    def get(self, group_name, option_name, opt):
        if option_name == 'broken':
            raise RuntimeError('no such path: /x')
        held = {(None, 'text'): 'of acme', ('one', 'many'): ['1', '2']}
        found = held.get((group_name, option_name), sources._NoValue)
        return found, cfg.LocationInfo(cfg.Locations.user, 'acme')

class Driver(sources.ConfigurationSourceDriver):
    def list_options_for_discovery(self):
        return []

    def open_source_from_opt_group(self, conf, group_name):
        conf.register_opt(cfg.StrOpt('path', required=True), group_name)
        if conf[group_name].path == '/refused':
            raise RuntimeError('refused')
        return Source()
'''

_OPTIONS = [
    (None, cfg.StrOpt('text')),
    (None, cfg.StrOpt('now', deprecated_name='before')),
    (None, cfg.StrOpt('refers', default='$text')),
    (None, cfg.MultiStrOpt('many')),
    ('one', cfg.StrOpt('text')),
    ('one', cfg.StrOpt('now', deprecated_name='text', deprecated_group='old')),
    ('one', cfg.MultiStrOpt('many')),
    ('one', cfg.IntOpt('number')),
]

_REMOTE = '[{}]\ndriver = remote_file\nuri = {}{}\n'


class Acme(fixtures.Fixture):
    """Installs a package with a driver of somebody else.

    :param name: what config_source calls the driver.
    """

    def __init__(self, name='acme'):
        super().__init__()
        self._name = name

    def _setUp(self):
        home = self.useFixture(fixtures.TempDir()).path
        info = os.path.join(home, 'acme_driver-1.0.dist-info')
        os.mkdir(info)
        for path, text in (
            (os.path.join(home, 'acme_driver.py'), _DRIVER),
            (os.path.join(info, 'METADATA'), 'Name: acme-driver\n'),
            (
                os.path.join(info, 'entry_points.txt'),
                f'[oslo.config.driver]\n{self._name} = acme_driver:Driver\n',
            ),
        ):
            with open(path, 'w') as stream:
                stream.write(text)
        self.useFixture(fixtures.PythonPathEntry(home))
        importlib.invalidate_caches()
        self.addCleanup(sys.modules.pop, 'acme_driver', None)


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.server = self.useFixture(config_server.Server())
        self.url = self.server.url

    def write(self, text, name='manila.conf'):
        path = os.path.join(self.path, name)
        with open(path, 'w') as stream:
            stream.write(textwrap.dedent(text))
        return path

    def conf(self, path, files=None):
        """Return oslo.config's own object, or ours for what files say."""
        conf = (
            cfg.ConfigOpts()
            if files is None
            else config_sources.ConfigOpts(files, runner.isolated)
        )
        for group, opt in _OPTIONS:
            conf.register_opt(opt, group)
        conf(
            ['--config-file', path],
            project='x',
            default_config_files=[],
            default_config_dirs=[],
        )
        return conf

    def opened(self, text):
        path = self.write(text)
        return self.conf(path, config_files.read([path])).opened


class LikeOsloConfigTest(Case):
    """One value, whichever of the three is asked for it."""

    def assert_same(self, text):
        path = self.write(text.replace('URL', self.url))
        files = config_files.read([path])
        theirs = self.conf(path)
        ours = self.conf(path, files)
        read = files.with_sources(ours.opened)
        for group, opt in _OPTIONS:
            holders = [
                conf[group] if group else conf for conf in (theirs, ours)
            ]
            expected = holders[0][opt.name]
            self.assertEqual(expected, holders[1][opt.name], opt.name)
            names: list = [(group or 'DEFAULT', opt.name)] + [
                (old.group or group or 'DEFAULT', old.name)
                for old in opt.deprecated_opts
            ]
            lines = [line.value for line in read.effective(names, opt.multi)]
            if opt.default is None and opt.multi:
                self.assertEqual(expected or [], lines, opt.name)
            elif opt.default is None:
                self.assertEqual(
                    [] if expected is None else [str(expected)],
                    lines,
                    opt.name,
                )
        return theirs

    def serve(self, *texts):
        for number, text in enumerate(texts, 1):
            self.server.files[f'/{number}'] = textwrap.dedent(text)

    def test_what_no_file_sets(self):
        self.serve("""\
            [DEFAULT]
            text = of 1
            many = a
            many = b
            [ONE]
            number = 7
            number = 8
            """)
        found = self.assert_same(
            '[DEFAULT]\nconfig_source = Far\n'
            + _REMOTE.format('far', 'URL', '/1')
        )
        self.assertEqual(
            ('of 1', 'of 1', ['a', 'b'], 8),
            (found.text, found.refers, found.many, found.one.number),
        )

    def test_the_files_win(self):
        self.serve('[DEFAULT]\ntext = of 1\nmany = a\nnow = new\n')
        found = self.assert_same(
            '[DEFAULT]\nconfig_source = far\ntext = of the file\nmany = z\n'
            'before = old\n' + _REMOTE.format('far', 'URL', '/1')
        )
        self.assertEqual(
            ('of the file', ['z'], 'old'), (found.text, found.many, found.now)
        )

    def test_the_first_source_wins(self):
        self.serve(
            '[DEFAULT]\ntext = of 1\n[one]\nmany = 1\n',
            '[DEFAULT]\ntext = of 2\n[one]\nmany = 2\nnumber = 2\n',
        )
        found = self.assert_same(
            '[DEFAULT]\nconfig_source = two, one\n'
            + _REMOTE.format('one', 'URL', '/1')
            + _REMOTE.format('two', 'URL', '/2')
        )
        self.assertEqual(('of 2', ['2']), (found.text, found.one.many))

    def test_an_old_name_in_a_source_is_nothing(self):
        self.serve('[DEFAULT]\nbefore = 1\n[old]\ntext = 2\n')
        found = self.assert_same(
            '[DEFAULT]\nconfig_source = far\n'
            + _REMOTE.format('far', 'URL', '/1')
        )
        self.assertEqual((None, None), (found.now, found.one.now))

    def test_a_source_that_a_source_names_is_nothing(self):
        self.serve(
            '[DEFAULT]\nconfig_source = other\n[other]\n'
            f'driver = remote_file\nuri = {self.url}/2\n',
            '[DEFAULT]\ntext = of 2\n',
        )
        found = self.assert_same(
            '[DEFAULT]\nconfig_source = far\n'
            + _REMOTE.format('far', 'URL', '/1')
        )
        self.assertIsNone(found.text)

    def test_the_environment_wins_over_what_describes_a_source(self):
        self.serve('[DEFAULT]\ntext = of 1\n', '[DEFAULT]\ntext = of 2\n')
        for name, value in (
            ('OS_DEFAULT__CONFIG_SOURCE', 'far'),
            ('OS_FAR__URI', f'{self.url}/2'),
        ):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        found = self.assert_same(
            '[DEFAULT]\nconfig_source = near\n'
            + _REMOTE.format('far', 'URL', '/1')
        )
        self.assertEqual('of 2', found.text)

    def test_bytes_that_are_no_text(self):
        self.server.files['/1'] = (
            b'[DEFAULT]\r\ntext = x\xff\r\nmany = \xc3\xa4'
        )
        path = self.write(
            '[DEFAULT]\nconfig_source = far\n'
            + _REMOTE.format('far', self.url, '/1')
        )
        (source,) = self.conf(path, config_files.read([path])).opened
        self.assertEqual('', source.problem)
        self.assertEqual(
            ['x\ufffd', 'ä'], [s.value for s in source.parsed.settings]
        )

    def test_a_driver_of_somebody_else(self):
        self.useFixture(Acme())
        # oslo.config finds drivers with stevedore, which has looked before.
        self.patch(extension.ExtensionManager, 'ENTRY_POINT_CACHE', {})
        path = self.write(
            '[DEFAULT]\nconfig_source = it\n'
            '[it]\ndriver = acme\npath = /x\n[one]\nmany = 3\n'
        )
        theirs = self.conf(path)
        ours = self.conf(path, config_files.read([path]))
        self.assertEqual(
            [('of acme', 'of acme', ['3'])] * 2,
            [
                (conf.text, conf.refers, conf.one.many)
                for conf in (theirs, ours)
            ],
        )


@ddt.ddt
class ProblemTest(Case):
    def problem(self, text):
        (source,) = self.opened(f'[DEFAULT]\nconfig_source = far\n{text}')
        return source

    def remote(self, path):
        return self.problem(_REMOTE.format('far', self.url, path))

    @ddt.data(
        ('/404', 'the server answers 404'),
        ('/circle', 'TooManyRedirects'),
        ('/broken', '{}/broken:2: No \':\' or \'=\' found in assignment'),
        ('/endless', 'it is larger than 1 MiB'),
    )
    @ddt.unpack
    def test_a_remote_file(self, path, problem):
        self.patch(ini_lines, 'MAX_BYTES', 2**20)
        self.server.files['/broken'] = '[DEFAULT]\nnonsense hunter2\n'
        source = self.remote(path)
        self.assertEqual(problem.format(self.url), source.problem)
        self.assertEqual(
            (
                'far',
                'remote_file',
                f'remote_file {self.url}{path}',
                None,
                None,
            ),
            (
                source.section,
                source.driver,
                source.name,
                source.parsed,
                source.source,
            ),
        )
        self.assertTrue(source.may_hold('anything', 'at_all'))

    @ddt.data('/slow', '/slow-head')
    def test_a_server_that_sends_a_byte_a_time(self, path):
        self.patch(config_sources, 'SECONDS', 0.5)
        self.assertEqual(
            'it did not finish within 0.5 seconds', self.remote(path).problem
        )

    def test_a_server_that_is_not_there(self):
        with socket.socket() as one:
            one.bind(('127.0.0.1', 0))
            port = one.getsockname()[1]
        source = self.problem(
            _REMOTE.format('far', f'http://u:hunter2@127.0.0.1:{port}', '/x')
        )
        self.assertEqual('ConnectionError: Connection refused', source.problem)
        self.assertNotIn('hunter2', source.name)

    def test_a_server_that_never_answers(self):
        self.patch(config_sources, 'SECONDS', 0.4)
        with socket.socket() as one:
            one.bind(('127.0.0.1', 0))
            one.listen()
            port = one.getsockname()[1]
            source = self.problem(
                _REMOTE.format('far', f'http://127.0.0.1:{port}', '/x')
            )
        self.assertIn(
            source.problem,
            (
                'the server does not answer within 0.2 seconds',
                'it did not finish within 0.4 seconds',
            ),
        )

    @ddt.data(
        ('', 'no driver is set', False),
        ('[far]\nuri = x\n', 'no driver is set', False),
        (
            '[far]\ndriver = acme\n',
            "the driver 'acme' is not installed here",
            False,
        ),
        ('[far]\ndriver = remote_file\n', 'no uri is set', True),
        (
            '[far]\ndriver = remote_file\nuri = file:///x\n',
            'uri is neither http nor https',
            True,
        ),
        ('[far]\ndriver = castellan\n', 'no config_file is set', True),
        (
            '[far]\ndriver = castellan\nconfig_file = /x\n',
            'no mapping_file is set',
            True,
        ),
        (
            '[far]\ndriver = castellan\nconfig_file = /x\n'
            'mapping_file = /nowhere\n',
            '/nowhere: No such file or directory',
            False,
        ),
    )
    @ddt.unpack
    def test_what_describes_it(self, text, problem, stops):
        source = self.problem(text)
        self.assertEqual((problem, stops), (source.problem, source.stops))
        self.assertTrue(source.may_hold('DEFAULT', 'transport_url'))

    @ddt.data('', 'uri = file:///x\n')
    def test_oslo_config_ends_without_a_uri(self, text):
        path = self.write(
            '[DEFAULT]\nconfig_source = far\n'
            f'[far]\ndriver = remote_file\n{text}'
        )
        self.assertRaises(
            (cfg.RequiredOptError, cfg.ConfigFileValueError), self.conf, path
        )

    def test_castellan_holds_what_its_mapping_names(self):
        mapping = self.write('[database]\nconnection = id\n', 'mapping.conf')
        source = self.problem(
            '[far]\ndriver = castellan\nconfig_file = /x\n'
            f'mapping_file = {mapping}\n'
        )
        self.assertTrue(source.problem)
        self.assertTrue(source.may_hold('database', 'connection'))
        self.assertFalse(source.may_hold('database', 'slave_connection'))
        self.assertEqual(mapping, source.parsed.read.path)

    def castellan(self, text):
        self.useFixture(Acme('castellan'))
        mapping = self.write(text, 'mapping.conf')
        return self.problem(
            '[far]\ndriver = castellan\npath = /x\nconfig_file = /x\n'
            f'mapping_file = {mapping}\n'
        )

    def test_castellan_is_asked_for_what_its_mapping_names(self):
        source = self.castellan('[DEFAULT]\ntext = id\n')
        self.assertEqual('', source.problem)
        self.assertEqual(
            [('DEFAULT', 'text', 'of acme', 'castellan [far]', True)],
            [
                (s.section, s.name, s.value, s.where, s.stored)
                for s in source.parsed.settings
            ],
        )

    def test_castellan_has_a_part_of_it(self):
        source = self.castellan('[DEFAULT]\ntext = id\n[one]\nnumber = id\n')
        self.assertEqual('it has no value for [one] number', source.problem)
        self.assertFalse(source.may_hold('DEFAULT', 'text'))
        self.assertTrue(source.may_hold('one', 'number'))

    def test_castellan_raises(self):
        source = self.castellan('[DEFAULT]\nbroken = id\ntext = id\n')
        self.assertEqual('RuntimeError: no such path: /x', source.problem)
        self.assertTrue(source.may_hold('DEFAULT', 'text'))

    def test_the_environment_is_asked_before(self):
        source = self.problem('[far]\ndriver = environment\n')
        self.assertEqual('', source.problem)
        self.assertFalse(source.may_hold('database', 'connection'))


class SomebodyElseTest(Case):
    def listed(self, path, *names):
        self.useFixture(Acme())
        opened = self.opened(
            '[DEFAULT]\nconfig_source = it\n'
            f'[it]\ndriver = acme\n{path and f"path = {path}"}\n'
        )
        (one,) = config_sources.listed(opened, lambda: names, runner.isolated)
        return one

    def test_what_it_answers(self):
        one = self.listed(
            '/x',
            ('DEFAULT', 'text', False),
            ('one', 'many', True),
            ('one', 'text', False),
        )
        self.assertEqual('', one.problem)
        self.assertFalse(one.may_hold('one', 'text'))
        self.assertEqual(
            [
                ('DEFAULT', 'text', 'of acme', 'acme [it]', True),
                ('one', 'many', '1', 'acme [it]', True),
                ('one', 'many', '2', 'acme [it]', True),
            ],
            [
                (s.section, s.name, s.value, s.where, s.stored)
                for s in one.parsed.settings
            ],
        )

    def test_it_raises_when_it_is_opened(self):
        one = self.listed('/refused', ('DEFAULT', 'text', False))
        self.assertEqual('RuntimeError: refused', one.problem)
        self.assertTrue(one.may_hold('DEFAULT', 'text'))

    def test_what_it_requires_and_does_not_have(self):
        one = self.listed('', ('DEFAULT', 'text', False))
        self.assertEqual(
            ('value required for option path in group [it]', True),
            (one.problem, one.stops),
        )

    def test_it_raises_when_it_is_asked(self):
        one = self.listed(
            '/x', ('DEFAULT', 'text', False), ('DEFAULT', 'broken', False)
        )
        self.assertEqual('RuntimeError: no such path: /x', one.problem)
        self.assertTrue(one.may_hold('DEFAULT', 'text'))
        # And is not asked again.
        found = one.source.get(None, 'text', cfg.StrOpt('text'))
        self.assertEqual(config_sources._NOTHING, found)
