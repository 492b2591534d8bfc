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

"""Ask the middleware of one release which options it reads.

Runs with the Python of a release: its argument is a JSON list of
[spec, the settings of its section]. Each is made in a child, over an
application that answers, and gets a request. Prints a JSON list with, for
each, [[section, option], ...] of what it looked up in the configuration, in
order of name; null where it does not load.
"""

import importlib
import importlib.metadata
import json
import os
import sys

import judge_config


def find(spec):
    """Return the factory that a spec in api-paste.ini names."""
    if spec.startswith('egg:'):
        package, _, name = spec[len('egg:') :].partition('#')
        (point,) = (
            point
            for point in importlib.metadata.distribution(package).entry_points
            if point.group.startswith('paste.') and point.name == name
        )
        return point.load()
    module, _, attribute = spec.partition(':')
    found = importlib.import_module(module)
    for part in attribute.split('.'):
        found = getattr(found, part)
    return found


def looked_up(spec, settings):
    from oslo_config import cfg
    import webob

    cfg.CONF([], project='manila', default_config_files=[])
    found = set()
    real = cfg.ConfigOpts._get

    def get(self, name, group=None, namespace=None):
        if group is not None:
            found.add((getattr(group, 'name', group), name))
        return real(self, name, group, namespace)

    cfg.ConfigOpts._get = get
    try:
        if 'basic' in spec.lower():
            importlib.import_module('oslo_middleware.basic_auth')
            cfg.CONF.set_override(
                'http_basic_auth_user_file', os.devnull, 'oslo_middleware'
            )
        made = find(spec)({}, **settings)
        # An application factory returns the application itself.
        if not spec.endswith('app_factory') and spec != (
            'egg:oslo-middleware#healthcheck'
        ):
            made = made(webob.dec.wsgify(lambda request: webob.Response()))
    except (
        AttributeError,
        ImportError,
        NotImplementedError,
        ValueError,
    ):
        return None
    request = webob.Request.blank('/healthcheck', method='POST')
    request.remote_addr = '127.0.0.1'
    request.get_response(made)
    return sorted(found)


def main():
    out, sys.stdout, answers = sys.stdout, sys.stderr, []
    # Imported before the fork: some of them look up an option on import,
    # which is not to count (keystonemiddleware.audit imports them).
    for name in ('webob.dec', 'oslo_middleware'):
        importlib.import_module(name)
    for spec, settings in json.loads(sys.argv[1]):
        answers.append(judge_config.in_a_child(looked_up, spec, settings))
    json.dump(answers, out)


if __name__ == '__main__':
    main()
