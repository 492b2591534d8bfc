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
"""The command ``manila-precheck``: its flags, its errors, its exit code."""

import argparse
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import importlib
import io
import os
import signal
import sys
import threading
from typing import Any
from typing import Callable
from typing import Optional
from typing import TextIO

from manila_precheck import cmd
from manila_precheck import exceptions
from manila_precheck.cmd import answer
from manila_precheck.cmd import logs
from manila_precheck.cmd import output
from manila_precheck.cmd import parser as parser_
from manila_precheck.cmd import report_file
from manila_precheck.cmd import supervisor
from manila_precheck.engine import runner
from manila_precheck.evidence.host import programs

#: The first word when a script of etc/completion calls the command. It is not
#: a flag of the parser, because the words after it are an incomplete command.
COMPLETE = '--complete'

#: The exit code of a run that could not begin.
COULD_NOT_RUN = 255

# The function that runs a subcommand and returns the exit code.
_Run = Callable[[argparse.Namespace, answer.Stdout], int]

_DESCRIPTION = """\
Verify the upgrade of an OpenStack Shared File Systems (manila) control plane
before anything is changed.
"""

_EXAMPLES = """\
Examples:
  manila-precheck upgrade check --target-release 2026.1
  manila-precheck upgrade check --config-file staged.conf
  manila-precheck upgrade check --report html:report.html --report json:a.json
  manila-precheck check explain config-options

Exit codes of upgrade check: 0 success, 1 warnings, 2 failures, 255 the command
could not run.
"""


_FIX_CODES = """\
Exit codes: 0 nothing is left to correct in the files; 1 you have to choose a
value, or a file was not found; 2 a failure is left, or a check could not run;
255 the command could not run.
"""

_PLAN_CODES = """\
Exit codes: 0 the runbook is written, whatever the checks find; 255 the command
could not run.
"""

_REHEARSE_CODES = """\
Exit codes: 0 everything succeeded on the copy, 1 warnings, 2 failures, 255 the
command could not run.
"""


class _Location(argparse.Action):
    """Collect files and directories in the order in which they are given.

    Those after a subcommand are collected in another attribute, because
    argparse replaces the values of the first parser by those of the subparser.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Optional[str] = None,
    ) -> None:
        # NOTE: make a new list: argparse gives the same default list to every
        # run of a parser in one process.
        noted = [*getattr(namespace, self.dest), (self.const, values)]
        setattr(namespace, self.dest, noted)


def _add_common_flags(parser: parser_.Parser, dest: str) -> None:
    """Add the flags for the configuration files, and --debug.

    :param dest: the attribute that collects the files and directories.
    """
    parser.set_defaults(**{dest: []})
    add = parser.group('the configuration')
    add(
        '--config-file',
        metavar='FILE',
        dest=dest,
        action=_Location,
        const='--config-file',
        help='Read this file. With it or --config-dir, the files in /etc are '
        'not read. May be given several times.',
    )
    add(
        '--config-dir',
        metavar='DIR',
        dest=dest,
        action=_Location,
        const='--config-dir',
        help='Read every *.conf in this directory. May be given several '
        'times.',
    )
    add(
        '--root',
        metavar='DIR',
        dest='option_root',
        default=argparse.SUPPRESS,
        help='Read the files below this directory, or in this archive (.tar, '
        '.tar.gz, .tar.xz, .zip), as if it were /: a sosreport, a '
        'must-gather, /etc/kolla, manifests of Kubernetes, an image. The '
        'command reads nothing else on this machine, and no database.',
    )
    parser.add_argument(
        '--debug',
        action='store_true',
        default=argparse.SUPPRESS,
        help='log details to standard error',
    )


class _UpgradeParser(parser_.Parser):
    """The parser of a subcommand of ``upgrade``.

    Its flags are made from options, which need oslo.config. Other commands do
    not, so the flags are added only when they are needed.
    """

    #: The module of the subcommand.
    module = 'upgrade'
    _has_flags = False

    def prepare(self) -> None:
        if not self._has_flags:
            found = importlib.import_module(f'{cmd.__name__}.{self.module}')
            self._has_flags = True
            _add_common_flags(self, 'more_locations')
            found.add_flags(self.group)

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        self.prepare()
        return super().parse_known_args(*args, **kwargs)


class _Version(argparse.Action):
    """Print the version of the package and the date of the catalog."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        from manila_precheck import catalog
        from manila_precheck.cmd import upgrade

        raise parser_.TextRequested(
            f'{cmd.PROG} {upgrade.version()}, catalog of '
            f'{catalog.Catalog().date}\n'
        )


def _verb(module: str, name: str) -> _Run:
    """Return a function that imports the module of a command and runs it.

    :param module: the name of the module in this package.
    :param name: the name of the function in it.
    """

    def run(args: argparse.Namespace, stdout: answer.Stdout) -> int:
        found = importlib.import_module(f'{cmd.__name__}.{module}')
        code: int = getattr(found, name)(args, stdout)
        return code

    return run


def _hours(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a whole number of hours'
        )
    return int(text)


def _add_merge_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'files',
        metavar='FILE',
        nargs='+',
        help='a report that "upgrade check --format json" wrote, or a '
        'directory of such reports; each directory in it is a region',
    )
    parser.add_argument(
        '--expect',
        metavar='HOST',
        action='append',
        default=[],
        help='a host whose report must be present, as REGION/HOST if it is in '
        'a region; may be given several times',
    )
    parser.add_argument(
        '--previous',
        metavar='FILE',
        help='the merged report of an earlier run; its figures, and those of '
        'the runs before it, are shown beside the new ones',
    )
    parser.add_argument(
        '--max-age',
        metavar='HOURS',
        type=_hours,
        default=24,
        help='warn if a report is older than this number of hours or has no '
        'date; 0 for any age; default: 24',
    )
    _add_report_flags(parser)


def _add_report_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--format', metavar='FORMAT', default='table', help='default: table'
    )
    parser.add_argument(
        '--report',
        metavar='FORMAT:PATH',
        action='append',
        default=[],
        help='also write the report to a file; may be given several times',
    )
    parser.add_argument(
        '--verbose',
        action='store_true',
        help='show every finding in full, as in "upgrade check"',
    )
    parser.add_argument(
        '--show-waivers',
        action='store_true',
        help='for each failure and warning, show the entry that waives it',
    )
    parser.add_argument(
        '--fail-on',
        choices=('warning', 'failure', 'never'),
        default='warning',
        help='the lowest severity that affects the exit code; default: '
        'warning',
    )


def root() -> parser_.Parser:
    """Return the parser of the command."""
    parser = parser_.Parser(
        prog=cmd.PROG,
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common_flags(parser, 'locations')
    parser.set_defaults(debug=False, more_locations=[], option_root=None)
    parser.add_argument(
        '--version',
        action=_Version,
        nargs=0,
        help='print the version and the date of the catalog',
    )
    commands = _choice(parser, 'COMMAND', 'command')
    upgrade = commands.add_parser('upgrade', help='check an upgrade')
    verbs = _choice(upgrade, 'VERB', 'verb', _UpgradeParser)
    _leaf(
        verbs.add_parser('check', help='run the checks'),
        _verb('upgrade', 'upgrade_check'),
    )
    one = verbs.add_parser(
        'fix',
        help='write the corrected files',
        description='Correct copies of the configuration files, the policy '
        'files and api-paste.ini as the findings ask, and print the changes '
        'as a unified diff for "patch -p0". The files of the site are not '
        'changed.',
        epilog=_FIX_CODES,
    )
    one.module = 'fix'
    _leaf(one, _verb('fix', 'upgrade_fix'))
    one = verbs.add_parser(
        'plan',
        help='write the runbook of this site',
        description='Print the runbook of this site: the steps of the '
        'upgrade in order, with the commands and the hosts to run them on, '
        'what must be true before and after each step, how long it takes and '
        'how to go back. Each finding is listed in the step that resolves '
        'it.',
        epilog=_PLAN_CODES,
    )
    one.module = 'plan'
    _leaf(one, _verb('plan', 'upgrade_plan'))
    one = verbs.add_parser(
        'rehearse',
        help='run the real upgrade on a copy of the database',
        description='Restore a backup of the database to a private server '
        'and run "manila-manage db sync" of the target release on this copy, '
        'with the staged configuration. The time of each SQL statement is '
        'measured. The copy is removed when the command ends. Nothing is '
        'written to the production database.',
        epilog=_REHEARSE_CODES,
    )
    one.module = 'rehearse'
    _leaf(one, _verb('rehearse', 'upgrade_rehearse'))
    checks = commands.add_parser('check', help='show the checks')
    verbs = _choice(checks, 'VERB', 'verb')
    one = verbs.add_parser('list', help='list every check')
    one.add_argument(
        '--format',
        choices=('text', 'json'),
        default='text',
        help='default: text',
    )
    _leaf(one, _verb('pages', 'check_list'))
    one = verbs.add_parser('explain', help='show the documentation of a check')
    one.add_argument(
        'id', metavar='ID', help='as listed by "manila-precheck check list"'
    )
    _leaf(one, _verb('pages', 'check_explain'))
    reports = commands.add_parser('report', help='work with reports')
    verbs = _choice(reports, 'VERB', 'verb')
    one = verbs.add_parser(
        'merge',
        help='merge the reports of several hosts',
        description='Merge the reports of several hosts into one. The name '
        'of a file is the name of its host: ctl1.json is the report of ctl1.',
    )
    _add_merge_flags(one)
    _leaf(one, _verb('report', 'report_merge'))
    one = verbs.add_parser(
        'diff',
        help='show what is new, gone and changed since an earlier report',
        description='Show the report NEW: mark the findings of OLD as known, '
        'and list those that are gone or changed. Only new or more severe '
        'findings, and checks that could not run, affect the exit code.',
    )
    one.add_argument(
        'old',
        metavar='OLD',
        help='a report that "upgrade check --format json" wrote',
    )
    one.add_argument('new', metavar='NEW', help='a later report')
    _add_report_flags(one)
    _leaf(one, _verb('report', 'report_diff'))
    facts = commands.add_parser(
        'catalog', help='work with the facts about the releases'
    )
    verbs = _choice(facts, 'VERB', 'verb')
    _leaf(
        verbs.add_parser('list', help='list the known releases'),
        _verb('catalog', 'catalog_list'),
    )
    one = verbs.add_parser(
        'diff',
        help='show what changes between two releases',
        description='Show the options, policies, drivers, paste factories, '
        'tables and requirements that differ between two releases, each in '
        'its last point release that the catalog knows, or in the build of a '
        'file of facts.',
    )
    one.add_argument(
        'source',
        metavar='SOURCE',
        help='a release (2025.1), or a file that "catalog build" wrote',
    )
    one.add_argument(
        'target', metavar='TARGET', help='a newer release, or such a file'
    )
    one.add_argument(
        '--format',
        choices=('text', 'json', 'markdown'),
        default='text',
        help='default: text',
    )
    _leaf(one, _verb('catalog', 'catalog_diff'))
    one = verbs.add_parser(
        'tool',
        help='write the tool that reads the facts of a build',
        description='Write a Python zip application to standard output. Run '
        'in the environment or the image of any manila, it writes the facts '
        'of that build, and needs no network: python3 catalog.pyz '
        'target.json.',
    )
    _leaf(one, _verb('catalog', 'catalog_tool'))
    one = verbs.add_parser(
        'build',
        help='read the facts of a manila that is installed on this host',
    )
    one.add_argument(
        '--python',
        required=True,
        metavar='PYTHON',
        help='the Python interpreter of its environment, such as '
        '/opt/manila/bin/python',
    )
    one.add_argument(
        '-o',
        '--output',
        required=True,
        metavar='FILE',
        help='the file to write',
    )
    one.add_argument(
        '--also',
        action='append',
        default=[],
        metavar='PACKAGE',
        help='a package of drivers that is not part of manila, under the name '
        'by which it is imported or installed; may be given several times. '
        'Packages with entry points of manila are found without this flag',
    )
    one.add_argument(
        '--try-drivers',
        action='store_true',
        help='also create and set up each driver of these packages, cut off '
        'from the network, other programs and messages, to find the options '
        'that it requires',
    )
    _leaf(one, _verb('catalog', 'catalog_build'))
    return parser


def _choice(
    parser: parser_.Parser,
    metavar: str,
    dest: str,
    parser_class: type[parser_.Parser] = parser_.Parser,
) -> Any:
    """Add subparsers to a parser; without one of their words it fails."""
    choices = parser.choice(
        dest=dest, metavar=metavar, parser_class=parser_class
    )

    def no_subcommand(args: argparse.Namespace, stdout: answer.Stdout) -> int:
        *others, last = choices.choices
        words = f'{", ".join(others)} or {last}' if others else last
        parser.error(f'missing subcommand after "{parser.prog}": {words}')

    # Used instead of "required" of argparse, whose error does not list the
    # subcommands.
    _leaf(parser, no_subcommand)
    return choices


def _leaf(parser: parser_.Parser, run: _Run) -> None:
    """Set the function to run if the words end with those of a parser."""
    parser.set_defaults(run=run, parser=parser)


def _discard(stream: TextIO) -> None:
    """Discard the buffered text that a stream cannot write.

    Otherwise Python would try again at exit, and exit with 120.
    """
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _say(message: str) -> None:
    text = ' '.join(logs.Formatter().clean(message).split())
    try:
        sys.stderr.write(f'{cmd.PROG}: error: {text}\n')
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _require_streams() -> None:
    """Make sure that standard output and standard error can be used.

    If standard error is closed, the run continues without it.

    :raises UsageError: when standard output is closed.
    """
    # A stream is None if its descriptor is closed.
    streams: tuple[Optional[TextIO], ...] = (sys.stdout, sys.stderr)
    # Occupy the descriptors 0 to 2 if they are closed; otherwise the files
    # opened next would have these numbers.
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            break
        os.set_inheritable(descriptor, True)
    if streams[1] is None:
        sys.stderr = open(
            os.devnull, 'w', encoding='utf-8', errors='backslashreplace'
        )
    if streams[0] is None:
        raise exceptions.UsageError('standard output is closed')
    if isinstance(streams[0], io.TextIOWrapper):
        # This is Python's default for standard error. In a locale without
        # UTF-8, an arrow, or a name that is not ASCII, would otherwise prevent
        # the whole report.
        streams[0].reconfigure(errors='backslashreplace')


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the process as the shell expects.

    Python has no handlers for them. Without one, temporary files would remain,
    and a process with the id 1 in its container would not end at all.
    """

    def end(number: int, frame: Any) -> None:
        report_file.discard_unfinished()
        name = signal.Signals(number).name
        with contextlib.suppress(OSError):
            os.write(2, f'{cmd.PROG}: error: ended by {name}\n'.encode())
        os._exit(128 + number)

    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in supervisor.ENDING:
            # A signal that is ignored, as under nohup, stays ignored.
            if signal.getsignal(number) is signal.SIG_DFL:
                previous[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end_child(number: int, frame: Any) -> None:
    """End the process that runs the checks; its parent reports why."""
    database = sys.modules.get('manila_precheck.evidence.database.connection')
    # If the module is not loaded, or not completely, no statement runs.
    getattr(database, 'cancel_all', lambda: None)()
    servers = sys.modules.get(
        'manila_precheck.evidence.database.dumps.private_server'
    )
    getattr(servers, 'end_all', lambda: None)()
    # Do not raise an exception: the code of a plugin could catch it.
    programs.end_all()
    os._exit(128 + number)


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    """Parse the command line.

    :raises parser_.TextRequested: when a flag such as --help asks for a text.
    """
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == COMPLETE:
        from manila_precheck.cmd import completion

        raise parser_.TextRequested(completion.text(root(), words[1:]))
    args: argparse.Namespace
    args, unknown = root().parse_known_args(words)
    if unknown:
        args.parser.refuse(unknown)
    args.locations = [*args.locations, *args.more_locations]
    return args


def _answer(
    argv: Optional[Sequence[str]], stdout: answer.Stdout
) -> answer.Answer:
    """Run the command and return its output; raise nothing."""
    formatter = logs.Formatter()
    code, error = COULD_NOT_RUN, ''
    try:
        # The flags need oslo.config, whose import may fail.
        args = runner.guarded(
            lambda: _parse(argv), passing=(parser_.TextRequested,)
        )
        args.log = formatter = logs.set_up(args.debug)
        code = runner.guarded(lambda: args.run(args, stdout))
    except parser_.TextRequested as exc:
        code = 0
        stdout.write(str(exc))
    except exceptions.PrecheckError as exc:
        error = str(exc)
    except KeyboardInterrupt:
        return answer.Answer(code, error='interrupted')
    return answer.Answer(
        code, stdout.getvalue(), tuple(stdout.files), formatter.clean(error)
    )


def _write(whole: answer.Answer, last: bool) -> str:
    """Write the output of a command; files are moved into place at the end.

    :param last: True if the process ends after this.
    :returns: the error of the command, and those of files that could not be
        written; '' for none.
    :raises OSError: when standard output cannot be written to.
    """
    with _ended_by_signals():
        try:
            problems = list(output.stage(whole.files))
            sys.stdout.write(whole.stdout)
            sys.stdout.flush()
            if last:
                # From here on no signal may change the exit code, which must
                # be the one for these files.
                signal.pthread_sigmask(
                    signal.SIG_BLOCK, {signal.SIGINT, *supervisor.ENDING}
                )
            problems += output.publish()
        finally:
            report_file.discard_unfinished()
    if whole.error:
        problems.append(whole.error)
    return '; '.join(problems)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code.

    :param argv: the arguments of the command, which then runs in this
        process. With None they are those of this process, and the command
        runs in a child process: whatever a plugin does, the exit code is that
        of a report or 255.
    """
    code = _code(argv)
    if argv is None and sys.flags.inspect:
        # With PYTHONINSPECT, Python would continue in interactive mode, and
        # exit with another code.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(code)
    return code


def _code(argv: Optional[Sequence[str]]) -> int:
    try:
        _require_streams()
        report_file.note_streams()
        stdout = answer.Stdout(sys.stdout)
        if argv is None:
            whole = supervisor.ask(lambda: _answer(None, stdout), _end_child)
        else:
            whole = _answer(argv, stdout)
        error = _write(whole, last=argv is None)
        if not error:
            return whole.code
        _say(error)
    except supervisor.EndedBySignal as exc:
        _say(str(exc))
        return exc.code
    except exceptions.PrecheckError as exc:
        _say(str(exc))
    except BrokenPipeError:
        _discard(sys.stdout)
        _say('standard output was closed before the report was written')
    except OSError as exc:
        _discard(sys.stdout)
        _say(f'cannot write the report: {exc.strerror}')
    except KeyboardInterrupt:
        _say('interrupted')
    return COULD_NOT_RUN
