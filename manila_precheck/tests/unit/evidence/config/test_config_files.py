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

import errno
import hashlib
import os
import tempfile
import textwrap
import unittest
from unittest import mock

import ddt
import hypothesis
from hypothesis import strategies
from oslo_config import cfg

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.config import config_files

Role = config_files.SectionRole


class Files(unittest.TestCase):
    """Files with the texts of a test, in a directory of their own."""

    def setUp(self):
        super().setUp()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = temporary.name

    def write(self, text, name='manila.conf'):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as stream:
            stream.write(
                text
                if isinstance(text, bytes)
                else textwrap.dedent(text).encode()
            )
        return path

    def read(self, *texts):
        return config_files.read(
            [self.write(t, f'{i}.conf') for i, t in enumerate(texts)]
        )

    def refusal(self, path):
        with self.assertRaises(exceptions.ConfigFileError) as caught:
            config_files.read([path])
        return caught.exception


class SecretsTestCase(Files):
    def test_every_secret_of_the_catalog_is_one(self):
        names = catalog.Catalog().secrets
        found = self.read(
            '[DEFAULT]\n' + ''.join(f'{n} = of-{n}\n' for n in sorted(names))
        )
        self.assertEqual({f'of-{name}' for name in names}, found.secrets)


@ddt.ddt
class ReadTestCase(Files):
    def test_line_of_every_assignment(self):
        found = self.read("""\
            # a comment
            [DEFAULT]
            one = 1

            two: b,
              c
            # another
            three = "quoted"
            [DEFAULT]
            four =
            [Empty]
            """)
        self.assertEqual(
            [
                ('DEFAULT', 'one', '1', 3),
                ('DEFAULT', 'two', 'b,\nc', 5),
                ('DEFAULT', 'three', 'quoted', 8),
                ('DEFAULT', 'four', '', 10),
            ],
            [(s.section, s.name, s.value, s.line) for s in found.settings],
        )
        self.assertEqual(('DEFAULT', 'empty'), found.groups)
        self.assertEqual('Empty', found.section('EMPTY'))

    @ddt.named_data(
        [
            'doubled',
            [f'a{n} = $a{n + 1}$a{n + 1}' for n in range(30)]
            + ['a30 = ' + 10 * 'x'],
            # 2 to the power of 16 times 10, and the references themselves.
            14,
        ],
        ['nested', [f'a{n} = $a{n + 1}' for n in range(3000)], 50],
        ['from the end', [f'a{n + 1} = ${{a{n}}}' for n in range(99)], 51],
        ['wide', ['a = ' + 2000 * '$b', 'b = ' + 2000 * 'x'], 0],
        [
            'by section',
            ['a = ' + 2000 * '${X.b}', '[x]', 'b = ' + 999 * 'x'],
            0,
        ],
    )
    @ddt.unpack
    def test_references_without_end_took_all_memory(self, lines, at):
        path = self.write('[DEFAULT]\n' + '\n'.join(lines) + '\n')
        error = self.refusal(path)
        name = lines[at].partition(' ')[0]
        self.assertEqual(
            f'{path}:{at + 2}: the references in [DEFAULT] {name} expand to '
            'more than 1 MiB or pass through more than 50 other options',
            str(error),
        )

    def test_many_lines_that_refer_to_one_option(self):
        text = 'a = 1\n' + 20000 * 'b = $a\nc = $b\n'
        found = self.read(f'[DEFAULT]\n{text}')
        self.assertEqual('1', found.value('DEFAULT', 'c'))

    @ddt.data('[DEFAULT]\nconfig_source', '[manila_precheck]\nstage')
    def test_what_this_program_reads_and_refers_to_itself(self, text):
        name = text.partition('\n')[2]
        path = self.write(f'{text} = $other\nother = ${name}\n')
        error = self.refusal(path)
        self.assertIn(f'{path}:3: the value of ', str(error))

    def test_a_file_that_is_too_large(self):
        path = self.write('#' * (16 * 2**20 + 1))
        error = self.refusal(path)
        self.assertEqual(
            f'{path}: larger than 16 MiB, the limit for such a file',
            str(error),
        )

    def test_more_options_than_are_read(self):
        words = (
            'more than 50000 options and sections, which is more than is '
            'read of a configuration'
        )
        path = self.write('[DEFAULT]\n' + 'a = b\n' * 50_001)
        self.assertEqual(f'{path}:50001: {words}', str(self.refusal(path)))
        path = self.write('[a]\n' * 50_001)
        self.assertEqual(f'{path}:50001: {words}', str(self.refusal(path)))

    def test_more_options_in_all_files_than_are_read(self):
        first = self.write('[DEFAULT]\n' + 'a = b\n' * 24_999)
        second = self.write('[DEFAULT]\n' + 'a = b\n' * 24_999, 'b.conf')
        found = config_files.read([first, second])
        self.assertEqual(49_998, len(found.settings))
        third = self.write('[DEFAULT]\n', 'c.conf')
        with self.assertRaises(exceptions.ConfigFileError) as caught:
            config_files.read([first, second, third])
        self.assertEqual(
            f'{third}: more than 50000 options and sections, which is more '
            'than is read of a configuration',
            str(caught.exception),
        )

    def test_a_pipe_was_waited_for(self):
        path = os.path.join(self.directory, 'd')
        os.makedirs(path)
        pipe = os.path.join(path, 'x.conf')
        os.mkfifo(pipe)
        error = self.refusal(path)
        self.assertEqual(f'{pipe}: a pipe, not a file', str(error))

    def test_directory_is_read_in_its_place_in_order_of_names(self):
        first = self.write('[DEFAULT]\na = 1\n')
        self.write('[DEFAULT]\na = 3\n', 'd/20.conf')
        self.write('[DEFAULT]\na = 2\n', 'd/10.conf')
        self.write('not a configuration', 'd/10.conf.bak')
        last = self.write('[DEFAULT]\nb = 1\n', 'last.conf')
        directory = os.path.join(self.directory, 'd')
        found = config_files.read([first, directory, last])
        self.assertEqual(
            ['1', '2', '3'], [s.value for s in found.find('DEFAULT', 'a')]
        )
        self.assertEqual('3', found.value('DEFAULT', 'a'))
        self.assertEqual(
            [
                first,
                os.path.join(directory, '10.conf'),
                os.path.join(directory, '20.conf'),
                last,
            ],
            [f.path for f in found.files],
        )
        self.assertEqual((directory, self.directory), found.search_path)

    def test_digest_is_of_the_bytes(self):
        content = b'[DEFAULT]\r\na = \xc3\xa9\r\n'
        path = self.write(content)
        self.assertEqual(
            (model.FileRead(path, hashlib.sha256(content).hexdigest()),),
            config_files.read([path, path]).files,
        )

    def test_every_option_that_a_release_calls_secret_is_one(self):
        names = catalog.Catalog().secrets
        self.assertGreater(len(names), 50)
        self.assertEqual(
            [], [n for n in names if not config_files.is_secret_name(n)]
        )

    @ddt.data(
        ('admin_passwrod', True),
        ('netapp_pasword', True),
        ('nova_passsword', True),
        ('client_secert', True),
        ('pass-word', False),
        ('share_driver', False),
        ('application_credential_id', False),
        ('memcache_security_strategy', False),
        ('connection_trace', False),
        ('auth_url', False),
    )
    @ddt.unpack
    def test_what_is_spelled_nearly_like_a_secret(self, name, expected):
        self.assertIs(expected, config_files.is_secret_name(name))

    def test_secrets(self):
        found = self.read(
            '[DEFAULT]\ntransport_url = rabbit://a:geheim1@b:1,c:geheim2@d\n'
            'admin_passwrod = geheim3\nauth_url = http://u:geheim4@h/\n'
            'acme = {"token": "geheim5"}\nshare_driver = generic\n'
            '[coordination]\nbackend_url = etcd3://h:2379\n'
            '[database]\nconnection = geheim6\n'
        )
        self.assertEqual(
            {f'geheim{number}' for number in range(1, 7)},
            {one for one in found.secrets if one.startswith('geheim')}
            - {'geheim1@b:1,c:geheim2'},
        )
        self.assertNotIn('etcd3://h:2379', found.secrets)
        self.assertNotIn('generic', found.secrets)

    def test_repr_shows_no_value(self):
        found = self.read('[database]\nconnection = mysql://u:hunter22@h/m\n')
        self.assertNotIn('hunter22', repr(found.settings))
        self.assertEqual(frozenset({'hunter22'}), found.secrets)

    @ddt.named_data(
        ['no_separator', '[a]\nhunter2\n', "2: No ':' or '=' found in ass"],
        ['no_section', 'b = hunter2\nc = d\n', '1: Section must be started'],
        ['no_bracket', '[a\nhunter2 = 1\n', '1: Invalid section (must end'],
        ['no_name', '[]\n', '1: Empty section name'],
        ['no_key', '[a]\n= hunter2\n', '2: Key cannot be empty'],
        ['continuation', '[a]\n hunter2\n', '2: Unexpected continuation line'],
        ['not_text', b'[a]\nb = \xff hunter2\n', '2: the file is not UTF-8'],
        ['byte_order', '\ufeff[a]\nb = 1\n', "1: No ':' or '=' found in ass"],
    )
    @ddt.unpack
    def test_malformed(self, text, message):
        path = self.write(text)
        with self.assertRaises(exceptions.ConfigFileError) as caught:
            config_files.read([path])
        self.assertIn(f'{path}:{message}', str(caught.exception))
        self.assertNotIn('hunter2', str(caught.exception))
        self.assertIsNone(caught.exception.__cause__)

    def test_missing(self):
        path = os.path.join(self.directory, 'none.conf')
        with self.assertRaisesRegex(
            exceptions.ConfigFileError, r'none\.conf: No such file'
        ):
            config_files.read([path])

    def test_find_file_looks_in_directories_first(self):
        main = self.write('[DEFAULT]\n')
        self.write('', 'policy.yaml')
        beside = self.write('', 'd/policy.yaml')
        directory = os.path.join(self.directory, 'd')
        self.assertEqual(
            beside,
            config_files.read([main, directory]).find_file('policy.yaml'),
        )
        self.assertIsNone(config_files.read([main]).find_file('policy.json'))
        self.assertEqual(beside, config_files.read([main]).find_file(beside))

    def test_a_directory_that_cannot_be_read_counted_as_empty(self):
        refused = PermissionError(errno.EACCES, 'Permission denied')
        with mock.patch('os.scandir', autospec=True, side_effect=refused):
            with self.assertRaisesRegex(
                exceptions.ConfigFileError, 'Permission denied'
            ):
                config_files.read([self.directory])


class EffectiveTestCase(Files):
    NAMES = (('quota', 'shares'), ('DEFAULT', 'quota_shares'))

    def effective(self, *texts, multi=False):
        return [
            s.value for s in self.read(*texts).effective(self.NAMES, multi)
        ]

    def test_not_set(self):
        self.assertEqual([], self.effective('[quota]\n'))

    def test_new_name_wins_in_one_file(self):
        self.assertEqual(
            ['1'],
            self.effective(
                '[quota]\nshares = 1\n[DEFAULT]\nquota_shares = 2\n'
            ),
        )

    def test_old_name_in_a_later_file_wins(self):
        self.assertEqual(
            ['2'],
            self.effective(
                '[QUOTA]\nshares = 1\n', '[DEFAULT]\nquota_shares = 2\n'
            ),
        )

    def test_multi_valued_collects(self):
        self.assertEqual(
            ['0', '1', '2', '3'],
            self.effective(
                '[quota]\nshares = 1\n[DEFAULT]\nquota_shares = 0\n'
                '[quota]\nshares = 2\n',
                '[quota]\nshares = 3\n',
                multi=True,
            ),
        )


class BooleanTestCase(Files):
    def test_the_words_of_oslo_config(self):
        found = self.read(
            '[a]\nt1 = True\nt2 = 1\nt3 = on\nt4 = YES\nt5 = $t1\n'
            'f1 = False\nf2 = 0\nf3 = Off\nf4 = no\n'
            "n1 =\nn2 = tru\nn3 = t\nn4 = $gone\n"
        )
        self.assertEqual(
            {
                **dict.fromkeys(('t1', 't2', 't3', 't4', 't5'), True),
                **dict.fromkeys(('f1', 'f2', 'f3', 'f4'), False),
                **dict.fromkeys(('n1', 'n2', 'n3', 'n4', 'n5'), None),
            },
            {
                name: found.boolean('a', name)
                for name in (f'{k}{n}' for k in 'tfn' for n in range(1, 6))
                if name != 'f5'
            },
        )


@ddt.ddt
class RolesTestCase(Files):
    def roles(self, text):
        found = self.read(text)
        return {
            group: {role.name for role in found.roles(group)}
            for group in found.groups
            if found.roles(group)
        }

    def test_no_enabled_back_ends_makes_default_one(self):
        found = self.read('[DEFAULT]\ndebug = true\n[b1]\nshare_driver = x\n')
        self.assertEqual(
            (config_files.Backend('DEFAULT', 'DEFAULT', None),), found.backends
        )
        self.assertEqual({Role.PEER}, found.roles('b1'))

    def test_names_of_back_ends_and_sections_meet_in_any_case(self):
        found = self.read(
            '[DEFAULT]\nenabled_share_backends = "b1, B2",gone\n[B1]\n[b2]\n'
        )
        # Quotes round a part of a value are not oslo.config's to strip.
        self.assertEqual(
            [('"b1', None), ('B2"', None), ('gone', None)],
            [(b.name, b.section) for b in found.backends],
        )
        found = self.read(
            '[DEFAULT]\nenabled_share_backends = "b1, B2"\n[B1]\n[b2]\n'
        )
        self.assertEqual(
            [('b1', 'B1'), ('B2', 'b2')],
            [(b.name, b.section) for b in found.backends],
        )

    def test_every_role(self):
        self.assertEqual(
            {
                'b1': {'BACKEND'},
                'b2': {'BACKEND', 'NETWORK'},
                'old': {'PEER'},
                'net': {'NETWORK'},
                'admin': {'NETWORK'},
                'profile': {'BINDING_PROFILE'},
                'backup': {'BACKUP_TYPE'},
                'login': {'AUTH'},
            },
            self.roles("""\
                [DEFAULT]
                enabled_share_backends = $first,b2
                first = b1
                [b1]
                network_config_group = net
                admin_network_config_group = Admin
                netapp_enabled_backup_types = backup
                [b2]
                share_driver = x
                [OLD]
                share_driver = x
                [net]
                neutron_binding_profiles = profile
                [admin]
                [profile]
                [backup]
                [login]
                [nova]
                auth_section = login
                [stray]
                """),
        )

    def test_users_of_a_login(self):
        found = self.read(
            '[nova]\nauth_section = Login\n[cinder]\nauth_section=login\n'
            '[neutron]\nauth_type = password\n[login]\nauth_type = password\n'
        )
        self.assertEqual(('cinder', 'nova'), found.auth_users('LOGIN'))
        self.assertEqual('neutron', found.auth_section('neutron'))

    def test_every_section_asked_after_every_other(self):
        found = self.read(
            ''.join(f'[s{n}]\nauth_section = s{n + 1}\n' for n in range(50))
        )
        asked = []
        auth_section = found.auth_section

        def counted(group):
            asked.append(group)
            return auth_section(group)

        found.auth_section = counted
        for number in range(1, 50):
            self.assertEqual(
                (f's{number - 1}',), found.auth_users(f's{number}')
            )
        self.assertEqual(50, len(asked))


# Everything that means something to the parser, and what is near it.
_TEXT = strategies.text('ab$"\'\\{}.= ,:#;[]é', max_size=8)
_LINES = strategies.one_of(
    strategies.sampled_from(
        ['[DEFAULT]', '[quota]', '[QUOTA]', '[default]', '', '# c', '; c']
    ),
    strategies.builds(
        '{}{}{}'.format,
        strategies.sampled_from(['a', 'b', 'old', 'multi', 'a-b', 'A']),
        strategies.sampled_from([' = ', '=', ': ', ' : ']),
        _TEXT,
    ),
    strategies.builds('  {}'.format, _TEXT),
    strategies.builds(
        '{} = {}'.format,
        strategies.sampled_from(['a', 'b', 'multi']),
        strategies.sampled_from(
            ['$a', '${quota.b}', '$$a', r'\$a', '"$b"', "'$quota.a'", '$']
        ),
    ),
)
_FILES = strategies.lists(
    strategies.lists(_LINES, max_size=12).map('\n'.join),
    min_size=1,
    max_size=3,
)
_NAMES = {
    ('DEFAULT', 'a'): [],
    ('DEFAULT', 'b'): [('DEFAULT', 'old')],
    ('quota', 'a'): [],
    ('quota', 'b'): [('DEFAULT', 'old')],
    ('quota', 'multi'): [('DEFAULT', 'multi')],
}


def _of_oslo_config(paths):
    """Return oslo.config's own values; None for a malformed file."""
    conf = cfg.ConfigOpts()
    for (group, name), old in _NAMES.items():
        conf.register_opt(
            (cfg.MultiStrOpt if name == 'multi' else cfg.StrOpt)(
                name,
                deprecated_opts=[cfg.DeprecatedOpt(n, g) for g, n in old],
            ),
            group=None if group == 'DEFAULT' else group,
        )
    arguments = [word for path in paths for word in ('--config-file', path)]
    try:
        conf(arguments, default_config_files=[], default_config_dirs=[])
    except cfg.ConfigFileParseError:
        return None
    values = {}
    for group, name in _NAMES:
        home = conf if group == 'DEFAULT' else conf[group]
        try:
            values[group, name] = home[name]
        except (cfg.Error, RecursionError) as exc:
            values[group, name] = type(exc)
    return values


class _Unresolvable(Exception):
    pass


def _of_this_reader(paths):
    try:
        found = config_files.read(paths)
    except exceptions.ConfigFileError:
        return None

    def value(group, name):
        if (group, name) not in _NAMES:
            raise _Unresolvable
        multi = name == 'multi'
        settings = found.effective(
            [(group, name), *_NAMES[group, name]], multi
        )
        if not settings:
            return None

        def lookup(reference):
            home, _dot, option = reference.rpartition('.')
            for candidate in [home] if home else [group, 'DEFAULT']:
                if (candidate, option) in _NAMES:
                    referred = value(candidate, option)
                    return '' if referred is None else referred
            raise _Unresolvable

        texts = [config_files.substitute(s.value, lookup) for s in settings]
        return texts if multi else texts[0]

    values = {}
    for group, name in _NAMES:
        try:
            values[group, name] = value(group, name)
        except (_Unresolvable, RecursionError) as exc:
            values[group, name] = type(exc)
    return values


class SameAsOsloConfigTestCase(Files):
    """The values are oslo.config's own, whatever stands in the files."""

    @hypothesis.settings(
        max_examples=400,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    @hypothesis.given(_FILES)
    def test_same_values(self, texts):
        paths = [
            self.write(text.encode(), f'{i}.conf')
            for i, text in enumerate(texts)
        ]
        expected = _of_oslo_config(paths)
        actual = _of_this_reader(paths)
        if expected is None or actual is None:
            self.assertEqual(expected, actual)
            return
        for name, value in expected.items():
            if isinstance(value, type):
                self.assertIsInstance(actual[name], type, name)
            else:
                self.assertEqual(value, actual[name], name)
