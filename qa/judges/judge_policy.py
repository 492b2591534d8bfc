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

"""Ask a real manila release who passes which of its policies on some sites.

Run by the Python of a virtual environment that holds one release of manila.
Reads a JSON object from standard input: of each site, by name, the path of
its ``manila.conf`` and the ``callers`` to try. Prints, for each site, an
object:

``broken``
    loading the files raises this; then there is nothing else.
``rules``
    of each rule that a file overrides: whether manila registers it
    (``known``), whether oslo.policy finds it redundant, whether an older
    default would count without it (``older``), and whether it refers to a
    rule that is not defined.
``passes``
    of each rule that manila registers, one character for each caller: 1 when
    he passes, 0 when not, x when the request fails.

A caller has ``roles``, a ``scope`` and a ``target``, and may have more values
of a token and of a target, as ``token`` and ``object``.

Only the standard library and what manila itself brings may be imported.
"""

import functools
import inspect
import json
import logging
import os
import sys
import warnings

os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'


def undefined(check, rules):
    """Say whether a check refers to an undefined rule, even within a "not"."""
    if getattr(check, 'kind', None) == 'rule':
        return check.match not in rules
    members = getattr(check, 'rules', None) or []
    if hasattr(check, 'rule'):
        members = [*members, check.rule]
    return any(undefined(member, rules) for member in members)


def request(caller):
    """Return the context that the API makes for a request, and the target."""
    from manila import context

    token = {'user_id': 'u', 'user_domain_id': 'd', 'roles': caller['roles']}
    if caller['scope'] == 'project':
        token.update(project_id='p', project_domain_id='d')
    elif caller['scope'] == 'system':
        token['system_scope'] = 'all'
    else:
        token['domain_id'] = 'd'
    token.update(caller.get('token', {}))
    target = {
        'project_id': token.get('project_id'),
        'user_id': token['user_id'],
    }
    if caller['target'] == 'other':
        target['project_id'] = 'somewhere'
    if caller['target'] != 'own':
        target['user_id'] = 'somebody'
    target.update(caller.get('object', {}))
    return context.RequestContext(**token), target


def answer(name, made, target):
    """Return 1, 0 or x for one caller and one rule."""
    from manila import policy

    try:
        passed = policy.authorize(made, name, target, do_raise=False)
    except Exception:
        return 'x'
    return '1' if passed else '0'


def answers(caller, names):
    """Return rule -> 1, 0 or x for one caller."""
    try:
        made, target = request(caller)
    except Exception:
        # Whether the caller is an administrator cannot be determined.
        return dict.fromkeys(names, 'x')
    return {name: answer(name, made, target) for name in names}


def alike(enforcer, defaults):
    """Return rule -> the first rule with the same check and scopes."""
    firsts = {}
    return {
        name: firsts.setdefault(
            (
                # A string that could not be parsed looks like a check.
                type(enforcer.rules[name]).__name__,
                str(enforcer.rules[name]),
                tuple(default.scope_types or ()),
            ),
            name,
        )
        for name, default in defaults.items()
    }


def facts_of_files(enforcer, defaults):
    """Return facts from oslo.policy on each rule that a file overrides."""
    found = {}
    for name, rule in enforcer.file_rules.items():
        default = defaults.get(name)
        old = getattr(default, 'deprecated_rule', None) or None
        found[str(name)] = {
            'known': default is not None,
            'redundant': default is not None and rule == default,
            'older': old is not None
            and old.check_str != default.check_str
            and not enforcer.conf.oslo_policy.enforce_new_defaults,
            'undefined': undefined(enforcer.rules[name], enforcer.rules),
        }
    return found


def judge(path, tried):
    """Return the answer of the release about one site."""
    from manila import policy
    from oslo_config import cfg

    cfg.CONF(
        ['--config-file', path],
        project='manila',
        default_config_files=[],
        default_config_dirs=[],
    )
    policy.reset()
    policy.init()
    enforcer = policy._ENFORCER
    defaults = dict(enforcer.registered_rules)
    try:
        enforcer.load_rules()
    except (AttributeError, TypeError, ValueError) as exc:
        return {'broken': type(exc).__name__}
    # Otherwise each request would look for changed files.
    enforcer.load_rules = lambda *args, **kwargs: None
    # NOTE: rules with the same check and scopes have the same answer, so only
    # one of them is asked; asking for every rule would take minutes.
    firsts = alike(enforcer, defaults)
    found = [answers(caller, set(firsts.values())) for caller in tried]
    return {
        'rules': facts_of_files(enforcer, defaults),
        'passes': {
            name: ''.join(one[first] for one in found)
            for name, first in firsts.items()
        },
    }


def main():
    logging.disable(logging.CRITICAL)
    warnings.simplefilter('ignore')
    from manila.common import config

    config.set_lib_defaults()
    # oslo.policy inspects the arguments of the same checks at each step of
    # each request.
    inspect.getfullargspec = functools.cache(inspect.getfullargspec)
    sites = json.load(sys.stdin)
    json.dump(
        {
            name: judge(site['path'], site['callers'])
            for name, site in sites.items()
        },
        sys.stdout,
    )


if __name__ == '__main__':
    main()
