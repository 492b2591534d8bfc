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

"""Which packages beside manila the tool reads, and what they lack."""

import ast
import os
import sys

import ddt
import fixtures
import testtools

from manila_precheck.catalog import building
from manila_precheck.catalog.building import missing_imports
from manila_precheck.catalog.building import out_of_tree


@ddt.ddt
class PackagesTest(testtools.TestCase):
    """In a directory that is on sys.path, nothing of which is imported."""

    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.useFixture(fixtures.MonkeyPatch('sys.path', [self.path]))
        # To look for a part imports the whole.
        self.addCleanup(sys.modules.pop, 'acme_x', None)
        for name, empty in (('messages', []), ('unimportable', {})):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f'manila_precheck.catalog.building.{name}', empty
                )
            )

    def write(self, name, text=''):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)

    def install(self, name, points='', requires='', source='raise SystemExit'):
        """Install a package whose module does not survive its import."""
        module = name.replace('-', '_')
        self.write(f'{module}/__init__.py')
        self.write(f'{module}/opts.py', source)
        info = f'{module}-1.0.dist-info'
        requires = requires and f'Requires-Dist: {requires}\n'
        self.write(
            f'{info}/METADATA',
            f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}',
        )
        self.write(f'{info}/entry_points.txt', points)
        self.write(f'{info}/RECORD', f'{module}/__init__.py,,\n')

    @ddt.data(
        ('[manila.scheduler.filters]', '', ''),
        ('[manila.share.drivers.dell_emc.plugins]', '', ''),
        ('[oslo.config.opts]', 'manila>=20', ''),
        ('[oslo.policy.policies]', 'manila (>=20)', ''),
        ('[oslo.config.opts]', '', 'from manila.share import driver\n'),
        ('[oslo.config.opts]', '', 'def f():\n    import manila, os\n'),
    )
    @ddt.unpack
    def test_one_that_says_so(self, group, requires, source):
        self.install(
            'acme-x', f'{group}\na = acme_x.opts:list_opts\n', requires, source
        )
        self.assertEqual(['acme_x'], out_of_tree.packages([]))
        self.assertEqual([], building.messages)

    @ddt.data(
        # Nova's options are not manila's, where both are installed.
        ('[oslo.config.opts]', 'oslo.config', 'import nova\n'),
        ('[oslo.config.opts]', 'manila-ui', 'import manilaclient\n'),
        ('[oslo.policy.policies]', '', 'from manila_ui import x\n'),
        ('[console_scripts]', 'manila', 'import manila\n'),
    )
    @ddt.unpack
    def test_one_of_another_service(self, group, requires, source):
        self.install(
            'acme-x', f'{group}\na = acme_x.opts:list_opts\n', requires, source
        )
        self.assertEqual([], out_of_tree.packages([]))

    @ddt.data('manila', 'manila-precheck', 'Manila_Precheck')
    def test_manila_and_this_program(self, name):
        self.install(
            name, '[manila.x]\na = acme.opts:a\n', 'manila', 'import manila\n'
        )
        self.write('acme/__init__.py')
        self.assertEqual([], out_of_tree.packages([]))

    @ddt.data('acme_x', 'acme-x', 'acme_x.opts')
    def test_one_that_is_named(self, word):
        """As it is imported or installed; a part of it is part of it."""
        self.install('acme-x')
        self.install('acme-y')
        expected = word.replace('-', '_')
        self.assertEqual([expected], out_of_tree.packages([word]))
        self.assertEqual(
            ['acme_x', 'acme_y'],
            out_of_tree.packages(['acme-y', word, 'acme_x']),
        )

    def test_a_package_of_a_namespace(self):
        self.write('corp/acme/__init__.py')
        self.assertEqual('corp.acme', out_of_tree.outermost('corp.acme.opts'))

    @ddt.data('nosuch', 'no.such', '', '../x')
    def test_one_that_is_not_there(self, word):
        self.assertEqual([], out_of_tree.packages([word]))
        error = f'ModuleNotFoundError: No package named {word!r}'
        self.assertEqual({word: error}, building.unimportable)
        self.assertEqual(
            [f'not importable: {word}: {error}'], building.messages
        )


@ddt.ddt
class MissingImportsTest(testtools.TestCase):
    @ddt.data(
        ('import acme_rest.client', {'acme_rest'}),
        ('def f(self):\n    from acme_rest import x\n', {'acme_rest'}),
        ('import os, json\nfrom . import acme_rest\n', set()),
        (
            'try:\n    import acme_rest\nexcept ImportError:\n    x = 1\n',
            set(),
        ),
        ('import os.path\nimport xml.etree\n', set()),
    )
    @ddt.unpack
    def test_missing(self, source, expected):
        self.assertEqual(expected, missing_imports.missing(ast.parse(source)))
