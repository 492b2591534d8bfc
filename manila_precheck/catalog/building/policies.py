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

"""The policy rules of manila.policies, and of packages beside manila."""

from manila_precheck.catalog import building
from manila_precheck.catalog.building import libraries
from manila_precheck.catalog.building import out_of_tree
from manila_precheck.catalog.building import sources


def rules(modules):
    """Return every rule by its name; manila's take precedence."""
    from manila import policies

    found = {rule.name: rule for rule in out_of_tree_rules(modules)}
    found.update((rule.name, rule) for rule in policies.list_rules())
    return found


def out_of_tree_rules(modules):
    """Yield the rules that packages beside manila list or have in a module."""
    from oslo_policy import policy

    for point in libraries.points('oslo.policy.policies'):
        if sources.is_out_of_tree(out_of_tree.module_of(point)):
            try:
                yield from point.load()()
            except Exception as exc:
                building.say(
                    f'policies of {point.value}: {type(exc).__name__}: {exc}'
                )
    for module in modules.values():
        if sources.is_out_of_tree(module.name):
            for value in module.globals.values():
                for item in value if type(value) in (list, tuple) else [value]:
                    if isinstance(item, policy.RuleDefault):
                        yield item


def policy_facts(modules):
    """Describe every rule that manila, or a package beside it, registers."""
    rows = []
    for rule in rules(modules).values():
        row = {'name': rule.name, 'check': rule.check_str}
        scopes = getattr(rule, 'scope_types', None)
        if scopes:
            row['scope_types'] = sorted(scopes)
        old = getattr(rule, 'deprecated_rule', None)
        if old:
            row['deprecated_rule'] = {'name': old.name, 'check': old.check_str}
            since = getattr(old, 'deprecated_since', None) or getattr(
                rule, 'deprecated_since', None
            )
            if since:
                row['deprecated_rule']['since'] = str(since)
        if getattr(rule, 'deprecated_for_removal', False):
            row['deprecated_for_removal'] = True
        rows.append(row)
    return sorted(rows, key=lambda row: row['name'])
