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

"""The order of the modules of catalog/building, and what they import."""

import ast
import pathlib
from typing import Optional

import testtools

from manila_precheck.catalog import building

_FOLDER = pathlib.Path(building.__file__).parent
# The oldest Python that a release is read with.
_OLDEST = (3, 8)


class ImportsTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.trees = {
            path.stem: ast.parse(
                path.read_text(encoding='utf-8'), feature_version=_OLDEST
            )
            for path in _FOLDER.glob('*.py')
        }

    def imports(self, module):
        """Return (where it is imported from, name) of every import."""
        found: set[tuple[Optional[str], Optional[str]]] = set()
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                found |= {(alias.name, None) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {(node.module, alias.name) for alias in node.names}
        return found

    def levels(self):
        """Return {module: its line} of the order that the package states."""
        text = ast.get_docstring(self.trees['__init__']).partition('::')[2]
        lines = [line.split('|') for line in text.split('\n') if line]
        return {
            name.strip(): level
            for level, names in enumerate(lines)
            for name in names
        }

    def test_every_module_has_a_place(self):
        self.assertEqual(
            set(self.trees) - {'__init__'}, set(self.levels()), self.levels()
        )

    def test_a_module_imports_from_below_it(self):
        levels = self.levels()
        wrong = [
            (module, name)
            for module, level in levels.items()
            for package, name in self.imports(module)
            if package == building.__name__
            and name is not None
            and levels[name] <= level
        ]
        self.assertEqual([], wrong)

    def test_nothing_else_of_this_project_is_imported(self):
        # An environment of a release does not have it.
        allowed = {building.__name__, building.__name__.rpartition('.')[0]}
        wrong = [
            (module, package, name)
            for module in self.trees
            for package, name in self.imports(module)
            if package.partition('.')[0] == 'manila_precheck'
            and (
                package not in allowed
                or (package != building.__name__ and name != 'building')
            )
        ]
        self.assertEqual([], wrong)
