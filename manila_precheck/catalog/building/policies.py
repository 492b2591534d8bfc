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

"""The rules of manila.policies."""


def policy_facts():
    """Describe every rule that manila registers."""
    from manila import policies

    rows = []
    for rule in policies.list_rules():
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
