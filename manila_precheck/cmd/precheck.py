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
import os
import signal
import sys
import threading
from typing import Any
from typing import NoReturn
from typing import Optional
from typing import TextIO

from manila_precheck import cmd
from manila_precheck import exceptions
from manila_precheck import runner
from manila_precheck.cmd import logs

#: The exit code of a run that could not look.
COULD_NOT_RUN = 255


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as every other of ours."""

    def error(self, message: str) -> NoReturn:
        raise exceptions.UsageError(f'{message}; see {self.prog} --help')

    def print_help(self, file: Any = None) -> None:
        # argparse's own says nothing of a help that could not be written.
        (file or sys.stdout).write(self.format_help())


class _Location(argparse.Action):
    """Note files and directories in the order in which they are given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Optional[str] = None,
    ) -> None:
        flag = '--config-dir' if self.dest == 'dir' else '--config-file'
        # NOTE: copied, not appended to: argparse hands the same default
        # list to every parser of one process.
        namespace.locations = [*namespace.locations, (flag, values)]


def _add_location_flags(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(locations=[])
    parser.add_argument(
        '--config-file',
        metavar='FILE',
        dest='file',
        action=_Location,
        help='read this file; may be given several times. With it or '
        '--config-dir, the files in /etc are not read',
    )
    parser.add_argument(
        '--config-dir',
        metavar='DIR',
        dest='dir',
        action=_Location,
        help='read every *.conf in this directory; may be given several times',
    )


class _UpgradeCheckParser(_Parser):
    """The parser of ``upgrade check``.

    Its flags come from the options, and with them oslo.config, which no
    other command needs: they are added when they are looked at.
    """

    _has_flags = False

    def _add_flags(self) -> None:
        if not self._has_flags:
            from manila_precheck.cmd import upgrade

            self._has_flags = True
            upgrade.add_flags(self)

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        self._add_flags()
        return super().parse_known_args(*args, **kwargs)


class _Version(argparse.Action):
    """Print the version; finding it reads the installed metadata."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any) -> None:
        from manila_precheck.cmd import upgrade

        sys.stdout.write(f'{cmd.PROG} {upgrade.version()}\n')
        parser.exit()


def _upgrade_check(args: argparse.Namespace, stdout: TextIO) -> int:
    from manila_precheck.cmd import upgrade

    return upgrade.upgrade_check(args, stdout)


def _check_list(args: argparse.Namespace, stdout: TextIO) -> int:
    from manila_precheck.cmd import pages

    return pages.check_list(args, stdout)


def _check_explain(args: argparse.Namespace, stdout: TextIO) -> int:
    from manila_precheck.cmd import pages

    return pages.check_explain(args, stdout)


def _report_merge(args: argparse.Namespace, stdout: TextIO) -> int:
    from manila_precheck.cmd import report

    return report.report_merge(args, stdout)


def _add_merge_flags(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_report_merge)
    parser.add_argument(
        'files',
        metavar='FILE',
        nargs='+',
        help='a report that "upgrade check --format json" wrote',
    )
    parser.add_argument(
        '--expect',
        metavar='HOST',
        action='append',
        default=[],
        help='a host that there has to be a report of; may be given several '
        'times',
    )
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
        '--fail-on',
        choices=('warning', 'failure', 'never'),
        default='warning',
        help='the lowest severity that shows in the exit code; default: '
        'warning',
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=cmd.PROG,
        description='Verify the upgrade of an OpenStack Shared File Systems '
        '(manila) control plane before anything is touched.',
        epilog='Exit codes of upgrade check: 0 success, 1 warnings, '
        '2 failures, 255 it could not run.',
    )
    _add_location_flags(parser)
    parser.add_argument(
        '--debug', action='store_true', help='log details to standard error'
    )
    parser.add_argument(
        '--version', action=_Version, nargs=0, help='print the version'
    )
    groups: Any = parser.add_subparsers(
        dest='group', metavar='COMMAND', required=True, parser_class=_Parser
    )
    upgrade = groups.add_parser('upgrade', help='judge an upgrade')
    verbs: Any = upgrade.add_subparsers(
        dest='verb',
        metavar='VERB',
        required=True,
        parser_class=_UpgradeCheckParser,
    )
    one = verbs.add_parser('check', help='run the checks')
    one.set_defaults(run=_upgrade_check)
    checks = groups.add_parser('check', help='what the checks are')
    verbs = checks.add_subparsers(
        dest='verb', metavar='VERB', required=True, parser_class=_Parser
    )
    one = verbs.add_parser('list', help='list every check')
    one.set_defaults(run=_check_list)
    one = verbs.add_parser('explain', help='show the page of a check')
    one.add_argument('id', metavar='ID')
    one.set_defaults(run=_check_explain)
    reports = groups.add_parser('report', help='what to do with reports')
    verbs = reports.add_subparsers(
        dest='verb', metavar='VERB', required=True, parser_class=_Parser
    )
    _add_merge_flags(
        verbs.add_parser(
            'merge',
            help='make one report of those of several hosts',
            description='Make one report of those of several hosts. A host '
            'is called like its file: ctl1.json is of ctl1.',
        )
    )
    return parser


def _discard(stream: TextIO) -> None:
    """Send to nowhere what a stream holds and cannot write.

    Python tries again when it ends, and would exit with 120.
    """
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _say(message: str, formatter: logs.Formatter) -> None:
    text = ' '.join(formatter.clean(message).split())
    try:
        sys.stderr.write(f'{cmd.PROG}: error: {text}\n')
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _require_streams() -> None:
    """Make sure that there is something to write to.

    :raises UsageError: when standard output is closed. Without a standard
        error the run goes on, and says nothing there.
    """
    # Python has None for a descriptor that is closed.
    streams: tuple[Optional[TextIO], ...] = (sys.stdout, sys.stderr)
    if streams[1] is None:
        sys.stderr = open(
            os.devnull, 'w', encoding='utf-8', errors='backslashreplace'
        )
    if streams[0] is None:
        raise exceptions.UsageError('standard output is closed')


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the process as the shell expects.

    Python has no handler for them, and a process that is the first of its
    container would not end at all; a file that is half written would stay.
    """

    def end(number: int, frame: Any) -> None:
        # Not by an exception: a check's thread, or a plugin, may hold it.
        from manila_precheck.cmd import output

        output.discard_unfinished()
        name = signal.Signals(number).name
        with contextlib.suppress(OSError):
            os.write(2, f'{cmd.PROG}: error: ended by {name}\n'.encode())
        os._exit(128 + number)

    previous = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            # One that is ignored, as below nohup, stays so.
            if signal.getsignal(number) is signal.SIG_DFL:
                previous[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _parse(argv: Optional[Sequence[str]]) -> Optional[argparse.Namespace]:
    """Return the flags; None when the parser has answered by itself."""
    try:
        return _parser().parse_args(argv)
    except SystemExit:
        # After --help and --version only: errors are raised as ours.
        return None


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit code.

    :param argv: the words after the name of the command; None for those of
        this process.
    """
    formatter = logs.Formatter()
    try:
        _require_streams()
        args = _parse(argv)
        code = 0
        if args is not None:
            run = args.run
            args.log = formatter = logs.set_up(args.debug)
            with _ended_by_signals():
                code = runner.guarded(
                    lambda: run(args, sys.stdout), passing=(OSError,)
                )
        sys.stdout.flush()
        return code
    except exceptions.PrecheckError as exc:
        _say(str(exc), formatter)
    except BrokenPipeError:
        _discard(sys.stdout)
        _say(
            'standard output was closed before the report was written',
            formatter,
        )
    except OSError as exc:
        _discard(sys.stdout)
        _say(f'cannot write the report: {exc.strerror}', formatter)
    except KeyboardInterrupt:
        _say('interrupted', formatter)
    return COULD_NOT_RUN
