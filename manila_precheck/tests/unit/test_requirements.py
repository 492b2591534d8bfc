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
"""requirements.txt names what the package imports, and nothing else."""

import ast
import pathlib
import re
import sys

import testtools

import manila_precheck

_PACKAGE = pathlib.Path(manila_precheck.__file__).parent
_ROOT = _PACKAGE.parent

# The distributions whose module has another name, but for '-' and '.'.
_MODULES = {'pyyaml': 'yaml'}

# What these import, only who uses them has: manila's environment is asked
# with building, and its migrations are run with inside; documentation is built
# with sphinxext, and the tests of a plugin use testing.
_OPTIONAL = {
    'act/rehearse/inside': None,
    'catalog/building': None,
    # The extra postgresql.
    'evidence/database/dumps/restore.py': {'psycopg2'},
    'sphinxext.py': {'docutils', 'sphinx'},
    'testing': {'fixtures'},
    'tests': None,
}

# sys.stdlib_module_names is of Python 3.10.
_STANDARD = {*getattr(sys, 'stdlib_module_names', ()), 'manila_precheck'}


def _required(text):
    """Return the modules of the distributions that a file requires."""
    names = re.findall(r'(?m)^([\w.-]+)', text)
    return {
        _MODULES.get(name.lower(), re.sub('[-.]', '_', name.lower()))
        for name in names
    }


def _imported(source):
    """Return the top modules that a source imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition('.')[0])
    return found - _STANDARD


def _imported_by_package():
    found = set()
    for path in _PACKAGE.rglob('*.py'):
        name = path.relative_to(_PACKAGE).as_posix()
        modules = _imported(path.read_text(encoding='utf-8'))
        for part, optional in _OPTIONAL.items():
            if name == part or name.startswith(f'{part}/'):
                modules -= modules if optional is None else optional
        found |= modules
    return found


class RequirementsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if not hasattr(sys, 'stdlib_module_names'):
            self.skipTest('this Python does not name its own modules')

    def test_what_is_imported_is_required_and_nothing_else(self):
        text = (_ROOT / 'requirements.txt').read_text(encoding='utf-8')
        self.assertEqual(_imported_by_package(), _required(text))

    def test_every_requirement_has_a_lower_bound(self):
        text = (_ROOT / 'requirements.txt').read_text(encoding='utf-8')
        for line in text.splitlines():
            self.assertRegex(line, r'^[\w.-]+>=\d+(\.\d+)+ # \S')

    def test_an_import_is_found_wherever_it_stands(self):
        self.assertEqual(
            {'yaml', 'oslo_utils', 'requests'},
            _imported(
                'import yaml, os\n'
                'from oslo_utils import netutils\n'
                'from . import near\n'
                'def late():\n'
                '    import requests.adapters\n'
            ),
        )

    def test_a_requirement_is_known_by_its_module(self):
        self.assertEqual(
            {'yaml', 'oslo_db', 'pymysql'},
            _required('PyYAML>=5.4.1 # MIT\noslo.db>=11\nPyMySQL>=0.10.1\n'),
        )
