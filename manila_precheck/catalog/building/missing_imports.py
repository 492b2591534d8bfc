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

"""What an out-of-tree driver imports that its environment does not have.

Manila's own drivers import the libraries of their storage when they start;
which those are is known for each release (the support matrix). Of a driver
out of its tree it is read in its source, where no handler expects a failure.
"""

import ast

from manila_precheck.catalog.building import out_of_tree
from manila_precheck.catalog.building import references
from manila_precheck.catalog.building import sources


def add(rows, modules):
    """Add "lacks" to the rows of the share drivers that lack something.

    :param rows: of drivers; one is changed in place.
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
    """Return the packages that code imports and that are not there."""
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
