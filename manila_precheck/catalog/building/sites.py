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

"""The places in the source that register options when a driver is created.

They are calls, found by the names of the functions. The group and the options
are the values of the arguments in the module.
"""

import ast
import inspect

from manila_precheck.catalog import building


class RegistrationSite:
    """One place in the source that registers a list of options."""

    def __init__(self, module, scope, where, opts):
        self.module = module
        self.scope = scope
        self.where = where
        self.opts = opts


def flat_opts(value):
    from oslo_config import cfg

    if isinstance(value, cfg.Opt):
        return [value]
    if isinstance(value, (list, tuple)):
        return [opt for item in value for opt in flat_opts(item)]
    return []


def group_of_call(module, scope, call, position):
    """Return the kind of section in which a call registers its options.

    :param scope: the class or function of the module with the call.
    """
    node = None
    for keyword in call.keywords:
        if keyword.arg == 'group':
            node = keyword.value
    if node is None and len(call.args) > position:
        node = call.args[position]
    if node is None:
        return 'DEFAULT'
    value = module.evaluate(node)
    if isinstance(value, str):
        return value
    text = ast.dump(node)
    if "'profile'" in text:
        return '<binding_profile>'
    if module.name.startswith('manila.network') or is_network(module, scope):
        return '<network>'
    if module.name == 'manila.share.drivers_private_data':
        return '<backend>'
    building.say(f'group not understood in {module.name}: {ast.dump(node)}')
    return None


def is_network(module, scope):
    """Say whether a class is a network plugin of a package beside manila."""
    from manila import network

    value = module.globals.get(scope)
    return inspect.isclass(value) and issubclass(value, network.NetworkBaseAPI)


def find(modules):
    """Return every place that registers options in a configurable section."""
    found = []
    for module in modules.values():
        for scope, node in module.nodes.items():
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    found.extend(sites_of_call(module, scope, call))
    return found


def sites_of_call(module, scope, call):
    name = getattr(call.func, 'attr', getattr(call.func, 'id', ''))
    out = []
    if name == 'append_config_values' and call.args:
        where, value = '<backend>', call.args[0]
        if 'backup' in scope:
            where = '<backup>'
        out.append((where, value))
    elif name == 'Configuration' and call.args:
        where = '<backend>'
        if 'backup' in scope:
            where = '<backup>'
        out.append((where, call.args[0]))
    elif name == '__init__':
        for keyword in call.keywords:
            if keyword.arg == 'config_opts':
                out.append(('<backend>', keyword.value))
    elif name in ('register_opts', 'register_opt') and call.args:
        if module.name == 'manila.share.configuration':
            return []
        where = group_of_call(module, scope, call, 1)
        if where:
            out.append((where, call.args[0]))
    elif name in (
        'register_session_conf_options',
        'register_auth_conf_options',
        'register_adapter_conf_options',
    ):
        group = module.evaluate(call.args[1]) if len(call.args) > 1 else None
        olds = {}
        for keyword in call.keywords:
            if keyword.arg == 'deprecated_opts':
                olds = module.evaluate(keyword.value) or {}
        if isinstance(group, str):
            return [
                RegistrationSite(
                    module.name, scope, group, keystone_opts(name, olds)
                )
            ]
        building.say(
            f'group not understood in {module.name}: {ast.dump(call)}'
        )
        return []
    result = []
    for where, value in out:
        opts = flat_opts(module.evaluate(value))
        if not opts and isinstance(value, ast.Attribute):
            cls = module.globals.get(scope)
            opts = flat_opts(getattr(cls, value.attr, None))
        if not opts:
            if isinstance(value, ast.Name) and value.id in (
                'config_opt_set',
                'share_opts',
            ):
                if module.evaluate(value) is None:
                    continue
            building.say(
                f'options not understood in {module.name}:{call.lineno}'
            )
            continue
        result.append(RegistrationSite(module.name, scope, where, opts))
    return result


def keystone_opts(name, olds):
    from keystoneauth1 import loading

    if name == 'register_session_conf_options':
        return loading.get_session_conf_options(deprecated_opts=olds or None)
    if name == 'register_adapter_conf_options':
        return loading.get_adapter_conf_options(deprecated_opts=olds or None)
    return loading.get_auth_common_conf_options()
