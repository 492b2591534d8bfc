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
"""Commands and lines to paste hold whatever name is in them."""

import ast
import os
import pathlib
import subprocess

import ddt
import fixtures
from oslo_config import cfg
import testtools
import yaml

import manila_precheck
from manila_precheck import model
from manila_precheck.tests import databases

_PACKAGE = pathlib.Path(manila_precheck.__file__).parent

HOSTILE = (
    'ok$(pwned)@b',
    'ok`pwned`@b',
    'a; pwned',
    'a && pwned',
    'a | pwned',
    'a > pwned',
    'a\npwned',
    'a\r\npwned\n',
    "it's; pwned '",
    '"; pwned "',
    '$HOME',
    '${HOME}',
    '*',
    '~root',
    '#pool',
    'a#pool',
    '!pwned',
    "!!'\n",
    '{a,b}',
    '-h1',
    '--help',
    '',
    ' a  b ',
    'tab\tbell\a\x1b[2J\x7f',
    'Zürich',
    '日本',
    '\u202eevil',
    'nbsp\xa0x',
    'back\\slash\\n\n',
    'byte\udcff',
    '%s%d{}{=}',
)

# It writes what it was started as; pwned leaves a file behind.
_STUB = '''#!/bin/sh
printf '%s\\0' "$#" "${0##*/}" "$@" >> "$STUB_LOG"
'''
_PROGRAMS = ('openstack', 'manila-manage', 'mysql', 'psql', 'python3', 'conv')


class Shell(fixtures.Fixture):
    """A bash with nothing in its PATH but programs that write their words."""

    def _setUp(self):
        self.path = self.useFixture(fixtures.TempDir()).path
        for name in _PROGRAMS:
            self._script(name, _STUB)
        self._script('pwned', '#!/bin/sh\n: > "$STUB_LOG.pwned"\n')
        self.log = os.path.join(self.path, 'log')

    def _script(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, 'w') as stream:
            stream.write(text)
        os.chmod(path, 0o755)

    def type(self, command):
        """Return the words of each program that a command starts."""
        before = set(os.listdir(self.path)) - {'log'}
        open(self.log, 'w').close()
        done = subprocess.run(
            ['/bin/bash', '--norc', '-c', command],
            env={
                'PATH': self.path,
                'STUB_LOG': self.log,
                'LC_ALL': 'C',
                'HOME': '/root',
            },
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == b'', done.stderr
        # No redirection, no pwned.
        assert set(os.listdir(self.path)) - {'log'} == before
        with open(self.log, 'rb') as stream:
            words = [os.fsdecode(w) for w in stream.read().split(b'\0')[:-1]]
        runs = []
        while words:
            end = 2 + int(words[0])
            runs.append(words[1:end])
            words = words[end:]
        return runs


@ddt.ddt
class CommandTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.shell = self.useFixture(Shell())

    @ddt.data(*HOSTILE)
    def test_a_word_was_what_the_shell_made_of_it(self, name):
        made = model.command(
            'openstack set --host{=} --state x {} id={}', name, name, name
        )
        self.assertEqual('command', made.kind)
        self.assertTrue(made.text.isprintable(), made.text)
        option = (
            [f'--host={name}'] if name.startswith('-') else ['--host', name]
        )
        positional = ['--', name] if name.startswith('-') else [name]
        self.assertEqual(
            [
                'openstack',
                'set',
                *option,
                '--state',
                'x',
                *positional,
                f'id={name}',
            ],
            *self.shell.type(made.text),
        )

    @ddt.data(*HOSTILE)
    def test_a_statement_was_split_by_the_shell(self, name):
        for dialect, program in (
            ('mysql', ['mysql', 'DATABASE', '-e']),
            ('postgresql', ['psql', 'DATABASE', '-c']),
        ):
            statement = f'ALTER TABLE `{name}` ENGINE = InnoDB;'
            made = model.sql(dialect, statement)
            self.assertEqual(
                [[*program, statement]], self.shell.type(made.text)
            )

    def test_no_argument_holds_a_nul(self):
        self.assertEqual(
            model.advice(
                'A name in this command has a NUL character, which a command '
                'line cannot contain: openstack show {}'
            ),
            model.command('openstack show {}', 'a\0b'),
        )

    def test_as_many_words_as_places(self):
        self.assertRaises(ValueError, model.command, 'a {}', 'b', 'c')

    @ddt.data(*HOSTILE)
    def test_a_name_began_another_line_of_a_policy_file(self, name):
        if '\udcff' in name:
            self.skipTest('no text')
        text = model.rule(name, name).text
        self.assertTrue(text.isprintable())
        self.assertEqual({name: name}, yaml.safe_load(text))

    @ddt.data('a\n[DEFAULT]\nhost = evil', 'a\r\n\r\nhost = evil', 'a\rb')
    def test_a_value_began_another_option(self, value):
        made = model.config('[DEFAULT]\nname = {}', value)
        self.assertEqual(
            [' ', ' '][: made.text.count('\n') - 1],
            [line[:1] for line in made.text.split('\n')[2:]],
        )
        self.assertNotIn('\r', made.text)


def _is_fixed(node):
    """Say whether a template is made of what stands in the code alone."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_fixed(node.left) and _is_fixed(node.right)
    if isinstance(node, ast.Call):
        # ' '.join('{}' for ...)
        return (
            isinstance(node.func, ast.Attribute)
            and node.func.attr == 'join'
            and _is_fixed(node.func.value)
            and all(
                all(map(_is_fixed, one.elts))
                if isinstance(one, ast.List)
                else isinstance(one, ast.GeneratorExp) and _is_fixed(one.elt)
                for one in node.args
            )
        )
    if isinstance(node, ast.Starred):
        return _is_fixed_generator(node.value)
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name)
    return isinstance(node, (ast.Constant, ast.Name, ast.Attribute))


def _is_fixed_generator(node):
    if isinstance(node, ast.GeneratorExp):
        node = node.elt
    if isinstance(node, ast.IfExp):
        return _is_fixed(node.body) and _is_fixed(node.orelse)
    return _is_fixed(node)


class TemplateTest(testtools.TestCase):
    """No name gets into a template, which is not quoted."""

    def calls(self):
        for path in sorted(_PACKAGE.rglob('*.py')):
            if 'tests' in path.parts:
                continue
            tree = ast.parse(path.read_text(encoding='utf-8'))
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and isinstance(
                    node.func, ast.Attribute
                ):
                    yield f'{path.relative_to(_PACKAGE)}:{node.lineno}', node

    def test_every_template_stands_in_the_code(self):
        found = [
            (place, _is_fixed(node.args[0]))
            for place, node in self.calls()
            if node.func.attr in ('command', 'config', 'policy')
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == 'model'
        ]
        self.assertGreater(len(found), 40)
        self.assertEqual([], [place for place, fixed in found if not fixed])

    def test_nobody_makes_a_remediation_of_text(self):
        places = {
            place.partition(':')[0]
            for place, node in self.calls()
            if node.func.attr == 'Remediation'
        }
        # Facts of the catalog, and findings that were made before.
        self.assertEqual(
            {
                'catalog/advisories.py',
                'engine/report_reader.py',
                'engine/runner.py',
                'redact/names.py',
            },
            places,
        )


class SiteTest(databases.SQLiteTest):
    """Every check over a database in which every name is hostile."""

    def site(self, name):
        made = self.database('2025.1')
        made.insert('availability_zones', {'id': 'z', 'name': name})
        zoned = {'availability_zone_id': 'z', 'updated_at': made.now()}
        made.insert(
            'services',
            {'binary': name, 'host': name, 'disabled': True, **zoned},
            {
                'binary': 'manila-share',
                'host': f'{name}@x',
                'ensuring': True,
                **zoned,
            },
        )
        long = {'id': name, 'host': name, 'updated_at': databases.LONG_AGO}
        made.insert(
            'shares',
            {'id': name, 'task_state': 'migration_starting'},
            {'id': f'{name}2', 'task_state': 'migration_driver_phase1_done'},
        )
        made.insert(
            'share_instances',
            {**long, 'share_id': 'other', 'status': 'creating'},
            {
                **long,
                'id': f'{name}2',
                'share_id': name,
                'status': 'migrating',
            },
        )
        made.insert(
            'share_servers',
            {**long, 'task_state': 'migration_starting', 'status': 'active'},
        )
        made.insert(
            'share_instance_access_map',
            {
                'id': name,
                'share_instance_id': name,
                'access_id': name,
                'state': 'applying',
            },
        )
        made.insert(
            'transfers',
            {'id': name, 'resource_id': name, 'accepted': False},
        )
        return made

    CHECKS = (
        'backends-in-use',
        'in-flight-operations',
        'live-services',
        'running-migrations',
    )

    def test_a_name_of_the_database_was_typed_as_it_stood(self):
        shell = self.useFixture(Shell())
        for name in ('ok$(pwned)', "a'`pwned`\n", '-h; pwned', 'x > pwned'):
            made = self.site(name)
            typed = set()
            for check_id in self.CHECKS:
                for stage in ('plan', 'stopped', 'upgraded'):
                    result = self.run_check(
                        check_id, made, target='2026.1', stage=stage
                    )
                    for item in (
                        item
                        for one in result.findings
                        for item in one.remediation
                    ):
                        if (
                            item.kind == 'command'
                            and 'manila-precheck' not in (item.text)
                        ):
                            (words,) = shell.type(item.text)
                            if name in '\0'.join(words):
                                typed.add(' '.join(words[:4])[:30])
                        elif item.kind == 'config':
                            (host,) = self.other_backends(item.text)
                            self.assertIn(host, (name, f'{name}@x'))
            self.assertGreater(len(typed), 8, typed)

    def other_backends(self, text):
        path = os.path.join(self.useFixture(fixtures.TempDir()).path, 'a.conf')
        with open(path, 'w') as stream:
            stream.write(text)
        conf = cfg.ConfigOpts()
        conf.register_opts(
            [cfg.ListOpt('other_backends')], group='manila_precheck'
        )
        conf(['--config-file', path], default_config_dirs=[])
        return conf.manila_precheck.other_backends
