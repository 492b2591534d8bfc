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

"""Find the options without which a driver does not come up, by trying.

tools/build_catalog.py runs this file with the Python of a virtual environment
that holds one manila release, with a JSON list of [driver, plugin or null,
[mode, ...]] as its argument; catalog.pyz --try-drivers tries the drivers of
other packages. Each driver is built and set up as manila-share does
it, first with nothing in its section but what names it. When that ends in an
error, the options that it had read by then are given a value, and those of
them without which it does not get further are what it needs.

Nothing leaves the process: a connection, a command or a message is an end
that is reached, but for one to no host at all, and for a package manager,
which is not there. So nothing is known of what an array would ask for.

What a driver needs may depend on other options. Each switch that it has read
by then, a boolean or one with choices, is given its other values: what the
driver does without then, and what it needs in addition, has the value as a
condition.

Prints a JSON list of rows of drivers.json, of the kind 'need': one of the
options has to be set, or the driver fails in 'init' (manila-share exits) or
in 'setup' (the back end does not report); with a mode when it is so in one
of two modes alone; 'unless' an option has one of some values; only 'when'
options have certain values. Standard error has the errors that no option
explains.
"""

import ast
import contextlib
import errno
import importlib
import importlib.util
import json
import logging
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import types
from unittest import mock

EMC_DRIVER = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'
STAGES = ('import', 'init', 'setup')
SECONDS = 20
WAITS = 20
END = 'end'
# How many switches are set at once.
DEPTH = 2
# How many lines a driver runs to say that something is missing.
HANDLING = 8


class Outside(BaseException):
    """The driver turned to the world: as far as a trial goes."""


def turn_away(*args, **kwargs):
    raise Outside


def look_up(host, *args, **kwargs):
    """Turn away, unless no option says whither: that is an error."""
    if isinstance(host, tuple):
        host = host[0]
    if str(host).lower() in ('', 'none'):
        raise OSError(errno.EINVAL, 'no host')
    raise Outside


def execute(*command, **kwargs):
    """Turn away a command; have no package manager, as many hosts have."""
    if command and command[0] in ('rpm', 'dpkg', 'dpkg-query'):
        raise OSError(errno.ENOENT, 'no such command')
    raise Outside


def wait(seconds, waits=[]):  # noqa: B006
    """Pass at once; what waits again and again waits for the world."""
    waits.append(seconds)
    if len(waits) > WAITS:
        raise Outside


def close_the_world():
    """Let whatever would leave the process end the trial."""
    # It asks a command, once, and drivers send the answer to their storage.
    platform.platform()
    socket.socket.connect = turn_away
    socket.create_connection = look_up
    socket.getaddrinfo = look_up
    subprocess.Popen.__init__ = turn_away
    time.sleep = wait
    from oslo_concurrency import processutils

    processutils.execute = execute
    processutils.ssh_execute = turn_away


class Anything(types.ModuleType):
    """A library of a vendor that is not installed."""

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return mock.MagicMock()


def stand_in_for_vendors(roots):
    """Put a stand-in for each module that drivers import and nobody has.

    :param roots: directories with drivers, or single files.
    """
    names = set()
    for root in roots:
        paths = [root] if root.endswith('.py') else []
        for folder, _, files in os.walk(root):
            paths += [os.path.join(folder, file) for file in files]
        for path in paths:
            if path.endswith('.py'):
                with open(path, encoding='utf-8') as stream:
                    names |= imported(ast.parse(stream.read()))
    missing = {name for name in names if is_missing(name)}
    for name in sorted(missing):
        parts = name.split('.')
        for length in range(1, len(parts) + 1):
            whole = '.'.join(parts[:length])
            if whole not in sys.modules:
                sys.modules[whole] = Anything(whole)
                sys.modules[whole].__path__ = []


def is_missing(name):
    try:
        return importlib.util.find_spec(name) is None
    except (ImportError, ValueError):
        return True


def imported(tree):
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, 'attr', '')
            in ('try_import', 'import_module', 'import_class')
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            found.add(node.args[0].value.split('.')[0])
    return {name for name in found if not name.startswith('manila')}


# -- one trial ---------------------------------------------------------------


class TrialOutcome:
    """How far a driver came."""

    def __init__(self, stage, error, where, lines, read):
        self.stage = stage
        self.error = error
        self.where = where
        self.lines = lines
        self.read = read

    @property
    def ended(self):
        return self.error == END

    def same(self, other):
        """Say whether nothing came of what was set otherwise."""
        return (
            self.stage == other.stage
            and self.ended == other.ended
            and self.where == other.where
            and self.lines == other.lines
            and set(self.read) == set(other.read)
        )

    def level(self, other):
        """Say whether this one came as far as another."""
        return (
            self.stage == other.stage
            and self.where == other.where
            and self.error == other.error
            and self.lines > other.lines - HANDLING
        )

    def beyond(self, other):
        """Say whether this one came further than another."""
        if self.stage != other.stage:
            return STAGES.index(self.stage) > STAGES.index(other.stage)
        if self.ended:
            # An end that another option brings about earlier is no way on;
            # what handles the error is no more run.
            return not other.ended and self.lines > other.lines - HANDLING
        if self.where == other.where:
            # A loop over what has to be set reads the next one.
            return set(self.read) > set(other.read)
        return self.lines > other.lines


def apart(function, *args):
    """Return what a function returns in a child; None when that ends."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        with os.fdopen(write, 'w') as stream:
            json.dump(function(*args), stream)
            stream.flush()
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def trial(driver, settings):
    """Build and set up a driver in a child; return its outcome."""
    answer = apart(attempt, driver, settings)
    if answer is None:
        return TrialOutcome('import', 'no answer', '', 0, {})
    return TrialOutcome(**answer)


def attempt(driver, settings):
    sys.stdout = sys.stderr
    signal.signal(signal.SIGALRM, turn_away)
    signal.alarm(SECONDS)
    seen = set()
    names = {}
    stage, error, where = 'import', END, ''
    try:
        conf = parsed(settings)
        watch(conf, names)
        from manila.share import configuration
        from manila.share import manager
        from oslo_utils import importutils

        section = configuration.Configuration(
            manager.share_manager_opts, config_group='backend'
        )
        module = importutils.import_class(driver)
        stage = 'init'
        sys.settrace(lambda frame, *_: step(frame, seen))
        made = module(private_storage=mock.MagicMock(), configuration=section)
        stage = 'setup'
        made.do_setup(mock.MagicMock())
        made.check_for_setup_error()
    except Outside:
        pass
    except BaseException as exc:
        sys.settrace(None)
        if not turned_away(exc):
            error = f'{type(exc).__name__}: {exc}'[:200]
            where = place(exc)
    sys.settrace(None)
    return {
        'stage': stage,
        'error': error,
        'where': where,
        'lines': len(seen),
        'read': names,
    }


def turned_away(exc):
    """Say whether an error is a driver's word for a closed door."""
    while exc is not None:
        if isinstance(exc, Outside):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def place(exc):
    found = ''
    trace = exc.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get('__name__', '')
        if name.startswith('manila.'):
            found = f'{name}:{trace.tb_lineno}'
        trace = trace.tb_next
    return found


def step(frame, seen):
    """Note the lines of drivers that run."""
    if 'manila/share/drivers/' not in frame.f_code.co_filename:
        return None

    def line(frame, event, arg):
        seen.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    return line


def parsed(settings):
    from oslo_config import cfg

    conf = cfg.CONF
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as stream:
        stream.write(
            '[DEFAULT]\ntransport_url = fake://\nstate_path = /nonexistent\n'
            '[oslo_messaging_notifications]\ndriver = noop\n'
            '[oslo_concurrency]\nlock_path = /nonexistent\n[backend]\n'
        )
        for name, value in settings.items():
            stream.write(f'{name} = {value}\n')
        stream.flush()
        conf(
            ['--config-file', stream.name],
            project='manila',
            default_config_files=[],
            default_config_dirs=[],
        )
    try:
        from manila import rpc

        rpc.init(conf)
    except Exception as exc:
        say(f'rpc: {exc}')
    return conf


def watch(conf, names):
    """Note each option of the section that is read, with what it takes."""
    from oslo_config import cfg

    real = cfg.ConfigOpts._get

    def get(self, name, group=None, namespace=None):
        title = getattr(group, 'name', group)
        if title == 'backend' and name in self._groups['backend']._opts:
            opt = self._groups['backend']._opts[name]['opt']
            names[name] = describe(opt)
        return real(self, name, group, namespace)

    cfg.ConfigOpts._get = get


def describe(opt):
    kind = opt.type
    return {
        'kind': type(kind).__name__,
        'item': type(getattr(kind, 'item_type', None)).__name__,
        'choices': [str(c) for c in getattr(kind, 'choices', None) or ()],
        'default': None if opt.default is None else str(opt.default),
    }


# -- what to give an option --------------------------------------------------


def value_of(name, facts, here):
    """Return a value that an option may have, other than its default."""
    default = facts['default']
    if facts['kind'] == 'Boolean':
        return 'false' if default == 'True' else 'true'
    for choice in facts['choices']:
        if choice != default and choice != 'None':
            return choice
    if default not in (None, '', '[]', '{}'):
        return None
    kind = facts['item'] if facts['kind'] == 'List' else facts['kind']
    if facts['kind'] == 'Dict':
        return 'key:value'
    if kind in ('Integer', 'Port', 'Float', 'Number'):
        return '1'
    if kind in ('HostAddress', 'IPAddress', 'HostDomain', 'Hostname'):
        return '192.0.2.1'
    for words, value in (
        (('url', 'uri', 'endpoint', 'api'), 'https://192.0.2.1:8443/path'),
        (('target', 'servers', 'volume_pattern'), '192.0.2.1:/volume'),
        (('password',), 'Passw0rd'),
        (('_file', 'path', 'private_key', 'ssh_key'), here),
        (('_ip', 'host', 'server', 'address'), '192.0.2.1'),
        (('_id', 'port', 'num'), '1'),
    ):
        if any(word in name for word in words):
            return value
    return 'value'


# -- what a driver needs -----------------------------------------------------


def say(text):
    print(text, file=sys.stderr)


class Need:
    """Options, one of which a driver needs, and under which conditions."""

    def __init__(self, options, stage, when):
        self.options = options
        self.stage = stage
        self.when = when
        self.unless = {}

    def facts(self):
        """Return it as a row has it, without the driver and its mode."""
        row = {'options': self.options, 'at': self.stage}
        if self.unless:
            row['unless'] = self.unless
        if self.when:
            row['when'] = self.when
        return row


def needs(driver, settings, here, when):
    """Return what one driver needs with some settings.

    :param when: the values that switches have among them.
    :returns: [Need], the settings with what it needs, and how far it comes
        with those.
    """
    settings = dict(settings)
    found = []
    for _ in range(12):
        before = trial(driver, settings)
        if before.ended:
            break
        offered = {}
        for name in sorted(before.read):
            value = value_of(name, before.read[name], here)
            if name not in settings and value is not None:
                offered[name] = value
        chosen = least(driver, settings, offered, before)
        if not chosen:
            say(f'{driver} {settings}: {before.error} ({before.where})')
            break
        after = trial(driver, {**settings, **chosen})
        for name in sorted(chosen):
            rest = {key: chosen[key] for key in chosen if key != name}
            others = [
                other
                for other in sorted(set(offered) - set(chosen))
                if trial(
                    driver, {**settings, **rest, other: offered[other]}
                ).level(after)
            ]
            found.append(Need(sorted([name, *others]), before.stage, when))
        settings.update(chosen)
    return found, settings, before


def conditional(driver, settings, here, when, known):
    """Return what one driver needs, with the conditions of each.

    :param when: the values that switches have in the settings.
    :param known: the names of the switches that are tried elsewhere.
    :returns: [Need], and the settings with what it needs.
    """
    bare = trial(driver, settings)
    found, full, before = needs(driver, settings, here, when)
    read = {**bare.read, **before.read}
    beyond = []
    tried = switches(read, full, known) if len(when) < DEPTH else []
    names = {name for name, _ in tried}
    for name, value in tried:
        if all(
            trial(driver, {**those, name: value}).same(outcome)
            for those, outcome in ((full, before), (settings, bare))
        ):
            continue
        more, filled = conditional(
            driver,
            {**full, name: value},
            here,
            {**when, name: value},
            known | names,
        )
        beyond += more
        for need in found:
            if spares(driver, filled, need.options):
                need.unless.setdefault(name, []).append(value)
    return found + beyond, full


def switches(read, settings, known):
    """Return [(name, value)] of what may turn a need on or off."""
    found = []
    for name in sorted(set(read) - set(settings) - known):
        default = read[name]['default']
        choices = read[name]['choices']
        if read[name]['kind'] == 'Boolean':
            choices = ['True', 'False']
            default = default or 'False'
        found += [
            (name, choice)
            for choice in choices
            if choice not in (default, 'None')
        ]
    return found


def spares(driver, filled, options):
    """Say whether a driver does as well without any of some options."""
    rest = {key: filled[key] for key in filled if key not in options}
    without = trial(driver, rest)
    return without.ended or without.level(trial(driver, filled))


def gets_on(driver, settings, before):
    return trial(driver, settings).beyond(before)


def least(driver, settings, offered, before):
    """Return the fewest of the offered values that get a driver on."""
    empty = {
        name: value
        for name, value in offered.items()
        if before.read[name]['default'] in (None, '', '[]', '{}')
    }
    for pool in (empty, *({name: empty[name]} for name in sorted(empty))):
        if not pool or not gets_on(driver, {**settings, **pool}, before):
            continue
        pool = dict(pool)
        for name in sorted(pool):
            rest = {key: pool[key] for key in pool if key != name}
            if gets_on(driver, {**settings, **rest}, before):
                pool = rest
        return pool
    return {}


def buildable(rows):
    """Return [driver, EMC plugin or None, modes] of what can be tried.

    :param rows: those of drivers.json.
    """
    found = []
    for row in rows:
        modes = row.get('modes', [])
        if row['kind'] == 'emc_plugin':
            found.append([EMC_DRIVER, row['name'], modes])
        elif (
            row['kind'] == 'share'
            and not row.get('internal')
            and row['name'] != EMC_DRIVER
            # Its package runs test libraries as it is imported.
            and not row['name'].startswith('manila.tests.')
        ):
            found.append([row['name'], None, modes])
    return found


def begin():
    """Return what tries drivers, in a process that has imported nothing yet.

    :returns: called with what :func:`main` is called with; returns its rows.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child:
        theirs.close()

        def tried(wanted, packages):
            with ours.makefile('rw') as stream:
                stream.write(json.dumps([wanted, packages]) + '\n')
                stream.flush()
                text = stream.read()
            os.waitpid(child, 0)
            return json.loads(text)

        return tried
    ours.close()
    sys.stdout = sys.stderr
    with theirs.makefile('rw') as stream:
        text = stream.readline()
        if text:
            stream.write(json.dumps(main(*json.loads(text))))
    os._exit(0)


def main(wanted, packages=()):
    """Return the rows of what drivers need.

    :param wanted: as :func:`buildable` returns it.
    :param packages: those beside manila that drivers are in.
    """
    os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'
    sys.argv = sys.argv[:1]
    logging.disable(logging.CRITICAL)
    import manila
    from manila.common import config  # noqa: F401
    from manila.share import manager  # noqa: F401
    from oslo_config import cfg
    from oslo_log import log

    log.register_options(cfg.CONF)
    roots = [os.path.join(manila.__path__[0], 'share', 'drivers')]
    for name in packages:
        spec = importlib.util.find_spec(name)
        roots += spec.submodule_search_locations or [spec.origin]
    stand_in_for_vendors(roots)
    close_the_world()
    # What a driver marks as required is so in [DEFAULT] once it is imported.
    cfg.ConfigOpts._check_required_opts = lambda *args: None
    rows = []
    with tempfile.NamedTemporaryFile('w', suffix='.key') as stream:
        for driver, plugin, modes in wanted:
            rows += apart(rows_of, driver, plugin, modes, stream.name) or []
    return rows


def rows_of(driver, plugin, modes, here):
    """Return the rows of one driver, in a process that imports no other.

    :param here: the path of a file.
    """
    with contextlib.suppress(Exception, Outside):
        importlib.import_module(driver.rpartition('.')[0])
    modes = modes or [False, True]
    found = {}
    for mode in modes:
        settings = {
            'share_driver': driver,
            'driver_handles_share_servers': mode,
        }
        if plugin:
            settings['emc_share_backend'] = plugin
        for need in conditional(driver, settings, here, {}, set())[0]:
            text = json.dumps(need.facts(), sort_keys=True)
            found.setdefault(text, []).append(mode)
    rows = []
    for text, held in sorted(found.items()):
        row = {'kind': 'need', 'name': f'emc:{plugin}' if plugin else driver}
        row.update(json.loads(text))
        if len(held) < len(modes):
            row['mode'] = held[0]
        rows.append(row)
    return rows


if __name__ == '__main__':
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
