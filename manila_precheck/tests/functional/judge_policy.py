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

"""Ask a real manila release what it makes of the policy files of a site.

Run by the Python of a virtual environment that holds one release of manila,
with the path of a manila.conf. Prints a JSON object: ``broken`` when loading
raises, else for each rule that a file overrides whether manila registers it
(``known``), whether oslo.policy finds it redundant, whether it refers to a
rule that is not defined, and whether a member of the very project passes.

Only the standard library and what manila itself brings may be imported.
"""

import json
import logging
import os
import sys

os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'

PROJECT = {'project_id': 'p', 'user_id': 'u'}
MEMBER = {**PROJECT, 'roles': ['member', 'reader'], 'is_admin': False}


def undefined(check, rules):
    """Say whether a check refers to a rule that is not there, in a not too."""
    if getattr(check, 'kind', None) == 'rule':
        return check.match not in rules
    members = getattr(check, 'rules', None) or []
    if hasattr(check, 'rule'):
        members = [*members, check.rule]
    return any(undefined(member, rules) for member in members)


def main(path):
    logging.disable(logging.CRITICAL)
    from manila import policies
    from manila.common import config
    from oslo_config import cfg
    from oslo_policy import policy

    conf = cfg.CONF
    conf(
        ['--config-file', path],
        project='manila',
        default_config_files=[],
        default_config_dirs=[],
    )
    config.set_lib_defaults()
    enforcer = policy.Enforcer(conf)
    enforcer.register_defaults(policies.list_rules())
    defaults = dict(enforcer.registered_rules)
    try:
        enforcer.load_rules()
    except (AttributeError, TypeError, ValueError) as exc:
        json.dump({'broken': type(exc).__name__}, sys.stdout)
        return
    found = {}
    for name in enforcer.file_rules:
        check = enforcer.rules[name]
        found[str(name)] = {
            'known': name in defaults,
            'redundant': name in defaults
            and enforcer.file_rules[name] == defaults[name],
            'undefined': undefined(check, enforcer.rules),
            'allowed': bool(
                enforcer.enforce(name, dict(PROJECT), dict(MEMBER))
            ),
        }
    json.dump(found, sys.stdout)


if __name__ == '__main__':
    main(sys.argv[1])
