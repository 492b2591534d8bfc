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

"""Find the options that a driver requires, by trying.

tools/build_catalog.py runs this file with the Python of a virtual environment
that has one manila release, with a JSON list of [driver, plugin or null,
[mode, ...]] as its argument; catalog.pyz --try-drivers tries the drivers of
other packages. Each driver is created and set up as in manila-share, first
with only the options that select it. If that fails, the options that it has
read so far are given values. Those without which the driver does not get
further are the options that it requires.

Nothing leaves the process: a connection, a command or a message ends the
trial with success. There are two exceptions: a connection without a host is an
error, and package managers do not exist. So requirements that depend on the
answers of an array are not found.

Requirements may depend on other options. Each switch that the driver has read,
a boolean option or one with choices, is therefore tried with its other values.
Options that are then no longer required, and options that are required in
addition, get the value as a condition.

Prints a JSON list of rows of drivers.json of the kind 'need': one of the
options has to be set, or the driver fails in 'init' (manila-share exits) or
in 'setup' (the back end does not report); with a mode if this is so in only
one of two modes; 'unless' an option has one of some values; only 'when'
options have certain values. Errors that no option explains are printed on
standard error.
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
# How many switches are changed at once.
DEPTH = 2
# How many lines of a driver may run to report that something is missing.
HANDLING = 8


class Outside(BaseException):
    """The driver tried to leave the process: the trial ends here."""


def turn_away(*args, **kwargs):
    raise Outside


def look_up(host, *args, **kwargs):
    """Turn away, but report an error if no host is configured."""
    if isinstance(host, tuple):
        host = host[0]
    if str(host).lower() in ('', 'none'):
        raise OSError(errno.EINVAL, 'no host')
    raise Outside


def execute(*command, **kwargs):
    """Turn away a command; package managers do not exist, as on many hosts."""
    if command and command[0] in ('rpm', 'dpkg', 'dpkg-query'):
        raise OSError(errno.ENOENT, 'no such command')
    raise Outside


def wait(seconds, waits=[]):  # noqa: B006
    """Do not wait; end the trial of a driver that waits again and again."""
    waits.append(seconds)
    if len(waits) > WAITS:
        raise Outside


def forget_proxies():
    """Remove proxies from the environment.

    With one, a connection without a host is a connection to the proxy, and
    the option that names the host does not look required.
    """
    for name in list(os.environ):
        if name.lower().endswith('_proxy'):
            del os.environ[name]


def close_the_world():
    """Make everything that would leave the process end the trial."""
    forget_proxies()
    # platform() runs a command once, and drivers use it for their storage.
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
    """A stand-in for a vendor's library that is not installed."""

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return mock.MagicMock()


def stand_in_for_vendors(roots):
    """Add a stand-in for each module that drivers import and is missing.

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
    """How far a driver got in one trial."""

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
        """Say whether different settings had no effect."""
        return (
            self.stage == other.stage
            and self.ended == other.ended
            and self.where == other.where
            and self.lines == other.lines
            and set(self.read) == set(other.read)
        )

    def level(self, other):
        """Say whether this trial got as far as another."""
        return (
            self.stage == other.stage
            and self.where == other.where
            and self.error == other.error
            and self.lines > other.lines - HANDLING
        )

    def beyond(self, other):
        """Say whether this trial got further than another."""
        if self.stage != other.stage:
            return STAGES.index(self.stage) > STAGES.index(other.stage)
        if self.ended:
            # If the trial ends earlier because of another option, this is no
            # progress; but lines that handle the error do not count.
            return not other.ended and self.lines > other.lines - HANDLING
        if self.where == other.where:
            # A loop over required options reads the next one.
            return set(self.read) > set(other.read)
        return self.lines > other.lines


def apart(function, *args):
    """Return a function's result from a child process; None if it dies."""
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
    """Create and set up a driver in a child process; return the outcome."""
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
    """Say whether an error was caused by the end of the trial."""
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
    """Record the lines of drivers that run."""
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
    """Record each option of the section that is read, with its type."""
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


# -- values for options -------------------------------------------------------


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


# -- the requirements of a driver ---------------------------------------------


def say(text):
    print(text, file=sys.stderr)


class Need:
    """Options of which a driver requires one, and the conditions."""

    def __init__(self, options, stage, when):
        self.options = options
        self.stage = stage
        self.when = when
        self.unless = {}

    def facts(self):
        """Return it as a row, without the driver and its mode."""
        row = {'options': self.options, 'at': self.stage}
        if self.unless:
            row['unless'] = self.unless
        if self.when:
            row['when'] = self.when
        return row


def needs(driver, settings, here, when):
    """Return what one driver requires with some settings.

    :param when: the values of switches among the settings.
    :returns: [Need], the settings with what it requires, and the outcome with
        those.
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
    """Return what one driver requires, with the conditions.

    :param when: the values of switches in the settings.
    :param known: the names of the switches that are tried by the caller.
    :returns: [Need], and the settings with what it requires.
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
    """Return [(name, value)] of switches that may change a requirement."""
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
    """Say whether a driver gets as far without some options."""
    rest = {key: filled[key] for key in filled if key not in options}
    without = trial(driver, rest)
    return without.ended or without.level(trial(driver, filled))


def gets_on(driver, settings, before):
    return trial(driver, settings).beyond(before)


def least(driver, settings, offered, before):
    """Return the fewest of the offered values with which it gets further."""
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
    """Return [driver, EMC plugin or None, modes] of drivers to be tried.

    :param rows: the rows of drivers.json.
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
            # Importing its package runs test libraries.
            and not row['name'].startswith('manila.tests.')
        ):
            found.append([row['name'], None, modes])
    return found


def begin():
    """Return a function that tries drivers in a new process.

    The process is forked now, when nothing has been imported yet.

    :returns: it has the parameters of :func:`main`, and returns its rows.
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
    """Return the rows with the drivers' requirements.

    :param wanted: as :func:`buildable` returns it.
    :param packages: the packages beside manila that contain drivers.
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
    # Importing a driver makes its required options required in [DEFAULT].
    cfg.ConfigOpts._check_required_opts = lambda *args: None
    rows = []
    with tempfile.NamedTemporaryFile('w', suffix='.key') as stream:
        for driver, plugin, modes in wanted:
            rows += apart(rows_of, driver, plugin, modes, stream.name) or []
    return rows


def rows_of(driver, plugin, modes, here):
    """Return the rows of one driver, in a process that imports no other.

    :param here: the path of an existing file, as a value for options.
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
    for text, in_modes in sorted(found.items()):
        row = {'kind': 'need', 'name': f'emc:{plugin}' if plugin else driver}
        row.update(json.loads(text))
        if len(in_modes) < len(modes):
            row['mode'] = in_modes[0]
        rows.append(row)
    return rows


if __name__ == '__main__':
    json.dump(main(json.loads(sys.argv[1])), sys.stdout)
