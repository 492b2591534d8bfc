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

"""The factories that an api-paste.ini may name, found by loading them.

Every factory of packages with entry points of PasteDeploy, and of manila's
API, is loaded with PasteDeploy as a filter and as an application, without
settings, and the result gets one request. This happens in a process of its
own, which can neither connect to anything nor run commands.
"""

import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import logging
import os
import pkgutil
import re
import signal
import sys
import traceback

from manila_precheck.catalog import building
from manila_precheck.catalog.building import driver_needs

# The keys, and groups of entry points, by which a section may name code.
WAYS = (
    'paste.app_factory',
    'paste.filter_app_factory',
    'paste.filter_factory',
)
GROUPS = (*WAYS, 'paste.composite_factory', 'paste.composit_factory')
# In addition to packages with entry points: manila's API, and a filter of
# oslo.messaging that is named by its module.
ALSO = (
    'manila.api',
    'manila.wsgi.common',
    'oslo_messaging.notify.middleware',
)
# They have too many modules that nobody names, so only factories are listed.
NOT_LISTED = ('manila', 'paste')
SKIPPED = re.compile(
    r'\.(_\w+|cmd|drivers|exceptions|fixture|hacking|i18n|opts|tests?|version)'
    r'(\.|$)'
)
NEVER_SET = {'global_conf', 'global_config'}
SECONDS = 5
# Whether it loads may depend on settings.
LOADS = 'loads'
SETTINGS = 'settings'


class TookTooLong(BaseException):
    """A trial did not end in time."""


def facts(also):
    """Describe the factories that an api-paste.ini may name here.

    :param also: packages beside manila whose factories are tried, too.
    """
    theirs, ours = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.close(theirs)
            sys.stdout = sys.stderr
            with os.fdopen(ours, 'w') as stream:
                json.dump(rows(also), stream)
            status = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(ours)
    with os.fdopen(theirs) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    try:
        return json.loads(text)
    except ValueError:
        building.say('the factories of api-paste.ini could not be tried')
        return []


def rows(also):
    """Return the rows; called in a process that does nothing else."""
    logging.disable(logging.CRITICAL)
    driver_needs.close_the_world()
    signal.signal(signal.SIGALRM, ring)
    found = [row for name in roots(also) for row in of_package(name)]
    found += of_entry_points()
    return sorted(found, key=lambda row: (row['kind'], row['name']))


def ring(*args):
    raise TookTooLong


def entry_points():
    """Yield (name of the distribution, entry point) for PasteDeploy."""
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata['Name']
        for point in distribution.entry_points:
            if name and point.group in GROUPS:
                yield re.sub('[-_.]+', '-', name).lower(), point


def roots(also):
    """Return the packages to be searched, none inside another."""
    names = {*ALSO, *also}
    for _name, point in entry_points():
        module = re.split(r'[:\s\[]', point.value, maxsplit=1)[0]
        names.add(module.partition('.')[0])
    return sorted(name for name in names if has(name))


def has(name):
    try:
        return importlib.util.find_spec(name) is not None
    except (Exception, SystemExit):
        return False


def modules(root):
    """Yield (name, whether to import it) of every module, the root first."""
    yield root, True
    spec = importlib.util.find_spec(root)
    waiting = [(root, spec.submodule_search_locations or ())]
    while waiting:
        package, paths = waiting.pop()
        for info in pkgutil.iter_modules(paths, package + '.'):
            wanted = not SKIPPED.search(info.name)
            yield info.name, wanted
            if info.ispkg and wanted:
                inner = [
                    os.path.join(path, info.name.rpartition('.')[2])
                    for path in paths
                ]
                waiting.append((info.name, inner))


def of_package(root):
    """Describe the modules of a package, and each factory in them."""
    found = []
    listed = root.partition('.')[0] not in NOT_LISTED
    for name, wanted in sorted(modules(root)):
        module = imported(name) if wanted else None
        if module is None:
            # Other environments may be able to import it.
            if listed:
                row = {'kind': 'paste_module', 'name': name, 'unread': True}
                found.append(row)
            continue
        names = []
        for attribute, value in sorted(vars(module).items()):
            if attribute[:1] == '_' or not is_of(value, root):
                continue
            names.append(attribute)
            for spec in specs(name, attribute, value):
                ways = {way: tried(spec, way) for way in WAYS}
                row = {'kind': 'paste_factory', 'name': spec, 'ways': ways}
                found.append(row)
        if listed:
            row = {'kind': 'paste_module', 'name': name, 'names': names}
            found.append(row)
    return found


def imported(name):
    """Return a module; None when it cannot be imported here."""
    try:
        return within_time(importlib.import_module, name)
    except (Exception, SystemExit, TookTooLong, driver_needs.Outside):
        return None


def is_of(value, root):
    """Say whether a value is callable and defined in a package."""
    home = str(getattr(value, '__module__', ''))
    return callable(value) and f'{home}.'.startswith(f'{root}.')


def specs(module, attribute, value):
    """Yield module:attribute of the factories in a value."""
    if inspect.isclass(value):
        for name in sorted(dir(value)):
            if 'factory' in name and name[:1] != '_':
                if callable(getattr(value, name, None)):
                    yield f'{module}:{attribute}.{name}'
    elif 'factory' in attribute and inspect.isfunction(value):
        yield f'{module}:{attribute}'


def of_entry_points():
    """Describe the factories that egg:package#name can name."""
    found = {}
    for package, point in entry_points():
        spec = f'egg:{package}#{point.name}'
        ways = found.setdefault(spec, {})
        ways[point.group] = (
            tried(spec, point.group) if point.group in WAYS else SETTINGS
        )
    return [
        {'kind': 'paste_factory', 'name': spec, 'ways': ways}
        for spec, ways in sorted(found.items())
    ]


def within_time(call, *args):
    signal.alarm(SECONDS)
    try:
        return call(*args)
    finally:
        signal.alarm(0)


def tried(spec, way):
    """Return the result of loading something without settings.

    :param way: one of WAYS.
    :returns: 'loads', 'settings' when it may depend on settings, or the name
        of the error; with 'request' before it if the first request raises it.
    """
    app = Application()
    try:
        made = within_time(load, spec, way, app)
    except (TookTooLong, driver_needs.Outside):
        return SETTINGS
    except (Exception, SystemExit) as exc:
        return type(exc).__name__ if lasts(exc, spec, app) else SETTINGS
    try:
        within_time(request, made)
    except Unanswered:
        return 'request TypeError'
    except (Exception, SystemExit, TookTooLong, driver_needs.Outside):
        # Settings might avoid the error.
        pass
    return LOADS


def lasts(exc, spec, app):
    """Say whether an error remains, whatever settings the section has."""
    if app.mistaken or isinstance(exc, NotImplementedError):
        return True
    if isinstance(exc, ImportError):
        # Another environment may have the other package installed.
        root = re.split('[.:]', spec)[0]
        return str(exc.name).partition('.')[0] == root
    if isinstance(exc, (TypeError, AttributeError)):
        # The error is from the call itself, not from the code that is called:
        # the name does not exist, or has another signature.
        *_rest, last = traceback.walk_tb(exc.__traceback__)
        home = last[0].f_globals.get('__name__', '')
        return home == __name__ or home.startswith('paste.deploy.')
    return False


class MissingParameter(Exception):
    """A factory has a required parameter, which a section has to set."""


class Unanswered(Exception):
    """The result is not an application."""


class Application:
    """The application behind a filter: it answers each request with 200."""

    def __init__(self):
        self.mistaken = False

    def __call__(self, environ, start_response):
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [b'']

    def __getattr__(self, name):
        if name[:1] != '_':
            # It was taken for a request: what was called is not a filter.
            self.mistaken = True
        raise AttributeError(name)


def load(spec, way, app):
    """Return the application that PasteDeploy creates."""
    from paste.deploy import loadwsgi

    kind = loadwsgi.APP if way == 'paste.app_factory' else loadwsgi.FILTER
    if spec.startswith('egg:'):
        uri, _, name = spec.partition('#')
        context = loadwsgi.loadcontext(kind, uri, name, global_conf={})
    else:
        # Like PasteDeploy for paste.filter_factory = module:name.
        point = importlib.metadata.EntryPoint('', spec, '')
        called = point.load()
        context = loadwsgi.LoaderContext(called, kind, way, {}, {}, None)
    given = 2 if way == 'paste.filter_app_factory' else 1
    if lacks_settings(context.object, given):
        raise MissingParameter
    made = context.create()
    return made if kind is loadwsgi.APP else made(app)


def lacks_settings(called, given):
    """Say whether something can only be called with further arguments."""
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return False
    place = [None] * given
    required = [
        one.name
        for one in list(signature.parameters.values())[given:]
        if one.default is one.empty
        and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    try:
        signature.bind(*place, **dict.fromkeys(required))
    except TypeError:
        return False
    # A section cannot set these, so it is not called by PasteDeploy.
    return bool(required) and not NEVER_SET & set(required)


def request(app):
    """Send one request.

    :raises Unanswered: when the application cannot even be called.
    """
    from wsgiref import util

    if not callable(app):
        raise Unanswered
    environ = {'PATH_INFO': '/v2/'}
    util.setup_testing_defaults(environ)
    try:
        body = app(environ, lambda status, headers, exc_info=None: None)
    except TypeError as exc:
        # The code of the application has not run yet.
        if exc.__traceback__.tb_next is None:
            raise Unanswered from exc
        raise
    try:
        iter(body)
    except TypeError as exc:
        raise Unanswered from exc
