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

"""Modules that out-of-tree drivers import and the environment does not have.

Which libraries manila's own drivers import when they start is known for each
release (the support matrix). For an out-of-tree driver the imports are read
from its source, except those in a try statement.
"""

import ast

from manila_precheck.catalog.building import out_of_tree
from manila_precheck.catalog.building import references
from manila_precheck.catalog.building import sources


def add(rows, modules):
    """Add "lacks" to the rows of share drivers with missing modules.

    :param rows: the rows of drivers; they are changed in place.
    """
    closure = references.import_closure(modules)
    lacking = {
        module.name: missing(module.tree)
        for module in modules.values()
        if sources.is_out_of_tree(module.name)
    }
    for row in rows:
        home = row['name'].rpartition('.')[0]
        if row['kind'] != 'share' or home not in lacking:
            continue
        found = {
            name
            for module in closure[home]
            for name in lacking.get(module, ())
        }
        if found:
            row['lacks'] = sorted(found)


def missing(tree):
    """Return the packages that code imports and that are not installed."""
    guarded = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try)
        for statement in node.body
        for part in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition('.')[0])
    return {name for name in found if out_of_tree.spec_of(name) is None}
