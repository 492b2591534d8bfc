#!/usr/bin/env python3
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

"""Type the commands of README.rst as a stranger does, and time them.

    qa/first_minutes.py [--tests]

In a clean checkout of the last commit, with no environment, every command of
its page is run in its order, with the "python3" of the PATH. The run of all
tests is passed over without --tests. The controller is this host: scp and ssh
are stand-ins, its configuration is that of the demo, and manila's own
environment is the one that "tox -e demo" has made.

It prints what each command took, in CPU and in wall time, and what the page
says of it. A command fails when it ends otherwise than it has to, when a
command of tox has no time beside it, or when its CPU time alone is above that
time: what a page promises has to hold on a machine that does nothing else.
"""

import argparse
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple
from typing import Optional

ROOT = pathlib.Path(__file__).resolve().parents[1]

#: The durations as the page words them, in seconds.
_TIMES = {
    'a few seconds': 10,
    'half a minute': 30,
    'a minute': 60,
    'two minutes': 120,
    'ten minutes': 600,
    'a quarter of an hour': 900,
}
_BLOCK = re.compile(r'::\n\n((?:(?: {4}[^\n]*)?\n)+)')

# Stand-ins for what the page presupposes: a controller, and the command on the
# PATH.
_PROGRAMS = {
    'scp': '[ "$2" = ctl1: ] && cp "$1" "$CONTROLLER"',
    'ssh': '[ "$1" = ctl1 ] && shift && cd "$CONTROLLER" && exec "$@"',
    'manila-precheck': 'exec .tox/demo/bin/manila-precheck "$@"',
}
_MANILA = '/opt/manila/bin/python'
# Command -> (exit code, a part of its output); the site has failures. All
# other commands have to end with 0.
_ENDS = {
    'tox -e demo': (0, 'DO NOT UPGRADE YET: 2025.1'),
    'upgrade check': (2, 'DO NOT UPGRADE YET: 2025.1'),
    'upgrade fix': (2, '--- '),
    'upgrade plan': (0, 'manila-manage db sync'),
    'report merge': (2, 'DO NOT UPGRADE YET: 2025.1'),
}


class Command(NamedTuple):
    """A command of the page."""

    text: str
    """The text to type, which may have several lines."""

    seconds: Optional[int]
    """The time on the page; None when there is none."""


def commands(page: str) -> list[Command]:
    """Return the commands of a page, in their order.

    Sessions ("$ ...") and lines of Python are left out.
    """
    found = []
    end = 0
    for match in _BLOCK.finditer(page):
        before = ' '.join(page[end : match.start()].split('\n\n')[-1].split())
        end = match.end()
        lines = [line[4:] for line in match[1].strip('\n').split('\n')]
        if lines[0].startswith(('$ ', 'from ')):
            continue
        # The longest match, since "half a minute" contains "a minute".
        said = max(
            (word for word in _TIMES if word in before), key=len, default=''
        )
        for text in re.sub(r'\\\n *', '', '\n'.join(lines)).split('\n'):
            found.append(Command(text, _TIMES.get(said)))
    # Commands within sentences; other literals are flags or files.
    for text in re.findall(r'``(manila-precheck\s[^`]+)``', page):
        if 'ID' not in text and 'rehearse' not in text:
            found.append(Command(' '.join(text.split()), None))
    return found


def run(
    text: str, checkout: pathlib.Path, environment: dict[str, str]
) -> tuple[int, str, float, float]:
    """Type one command.

    :returns: the exit code, what it printed, and its CPU and wall seconds.
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        ['bash', '-c', text],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wall = time.monotonic() - began
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return done.returncode, done.stdout, cpu, wall


def fault(command: Command, code: int, printed: str, cpu: float) -> str:
    """Return what is wrong with a finished command; '' for nothing."""
    expected, said = next(
        (end for words, end in _ENDS.items() if words in command.text),
        (0, '\n' if command.text.startswith('manila-precheck') else ''),
    )
    if code != expected:
        return f'exit code {code}, not {expected}'
    if said not in printed:
        return f'it does not print {said!r}'
    if 'Traceback (most recent' in printed:
        return 'a traceback'
    if command.seconds is None:
        return 'the page does not say how long it takes' * (
            'tox' in command.text
        )
    if cpu > command.seconds:
        return f'the page says {command.seconds} s'
    return ''


def main() -> int:
    """Type all commands; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--tests', action='store_true', help='run all tests as well'
    )
    args = parser.parse_args()
    failed, total = 0, [0.0, 0.0]
    with tempfile.TemporaryDirectory(prefix='manila-precheck-') as name:
        top = pathlib.Path(name)
        checkout, home = top / 'manila-precheck', top / 'home'
        subprocess.run(
            ['git', 'clone', '--quiet', f'file://{ROOT}', checkout], check=True
        )
        page = (checkout / 'README.rst').read_text()
        (top / 'bin').mkdir()
        home.mkdir()
        for program, text in _PROGRAMS.items():
            path = top / 'bin' / program
            path.write_text(f'#!/bin/bash\n{text}\n')
            path.chmod(0o755)
        environment = {
            # Neither the environment of this process nor its caches.
            'PATH': f'{top}/bin:{os.environ["PATH"]}',
            'HOME': str(home),
            'CONTROLLER': str(home),
            'LANG': 'C.UTF-8',
            'COLUMNS': '80',
            'OS_MANILA_PRECHECK__NO_NETWORK': 'true',
        }
        for key in os.environ:
            # Except variables that are needed to reach the package index.
            if key.startswith(('PIP_', 'UV_', 'SSL_', 'REQUESTS_')) or (
                key.lower().endswith('_proxy')
            ):
                environment[key] = os.environ[key]
        print(f'{"CPU s":>7}{"wall s":>8}{"said":>6}  command')
        for command in commands(page):
            if command.text.endswith('/tox') and not args.tests:
                print(f'{"":>15}{command.seconds:>6}  {command.text}')
                continue
            text = command.text.replace(
                _MANILA, f'{checkout}/.tox/demo/bin/python'
            )
            code, printed, cpu, wall = run(text, checkout, environment)
            wrong = fault(command, code, printed, cpu)
            total[0] += cpu
            total[1] += wall
            print(
                f'{cpu:7.1f}{wall:8.1f}{command.seconds or "":>6}  '
                f'{command.text}',
                flush=True,
            )
            if wrong:
                failed += 1
                print(f'FAILED: {wrong}\n{printed}')
            if 'tox -e demo' in command.text:
                make_site(checkout, home, environment)
    print(f'{total[0]:7.1f}{total[1]:8.1f}{"":>6}  in all')
    return 1 if failed else 0


def make_site(
    checkout: pathlib.Path, home: pathlib.Path, environment: dict[str, str]
) -> None:
    """Copy the demo's configuration and database to the controller."""
    done = run(
        f'.tox/demo/bin/python tools/demo.py --directory {home}/.manila '
        f'--check upgrade-path',
        checkout,
        environment,
    )
    if done[0]:
        raise SystemExit(done[1])
    # The page merges the reports of two controllers.
    for name in ('ctl1', 'ctl2'):
        run(
            'manila-precheck upgrade check --target-release 2026.1 '
            f'--report json:{name}.json',
            checkout,
            environment,
        )


if __name__ == '__main__':
    sys.exit(main())
