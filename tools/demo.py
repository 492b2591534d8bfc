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

"""Run manila-precheck on a made-up site.

Copies etc/manila-precheck/demo to a temporary directory, makes a SQLite
database with the schema and the rows of a manila 2025.1 beside it, and runs
the real command there, twice: on a controller before the upgrade, and on the
files alone after it. With arguments it runs once, and they are handed to
'manila-precheck upgrade check'.

With --format or --json standard output is the report alone, and what the demo
says goes to standard error. Exits with 0 whatever the report says, with 1
when there was none.
"""

import argparse
from collections.abc import Sequence
import contextlib
import datetime
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from typing import Optional

# Nothing is left behind, not even byte code.
sys.dont_write_bytecode = True

SITE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    'etc',
    'manila-precheck',
    'demo',
)
SOURCE = '2025.1'
TARGET = '2026.1'
DATABASE = 'manila.sqlite'
DATABASE_CONF = ('manila.conf.d', '00-database.conf')
PROG = 'manila-precheck'

_CODES = {
    0: 'success',
    1: 'warnings',
    2: 'failures',
}


class DemoError(Exception):
    """The demo cannot go on, and says why in one line."""


def _command() -> str:
    """Return the command that is installed with this Python.

    :raises DemoError: when there is none.
    """
    beside = os.path.join(os.path.dirname(sys.executable), PROG)
    found = shutil.which(beside) or shutil.which(PROG)
    if found is None:
        raise DemoError(f'{PROG} is not installed; run: tox -e demo')
    return found


class Demo:
    """A site in a directory, and the runs of the command on it."""

    def __init__(self, directory: str, more: Sequence[str]) -> None:
        """Note where the site goes and what the command is handed.

        :param directory: an empty one.
        :param more: arguments of upgrade check.
        """
        self._directory = directory
        self._more = list(more)
        for_programs = any(w.startswith(('--format', '--json')) for w in more)
        self._stream = sys.stderr if for_programs else sys.stdout

    def _say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def build(self) -> None:
        """Copy the site and make its database.

        :raises DemoError: when one of them cannot be made.
        """
        try:
            import demo_rows
            import sqlalchemy

            from manila_precheck import releases
            from manila_precheck.testing import schema
        except ImportError as exc:
            raise DemoError(f'{exc}; run: tox -e demo') from exc
        url = f'sqlite:///{os.path.join(self._directory, DATABASE)}'
        # A dollar in a value of oslo.config is a reference.
        text = f'[database]\nconnection = {url}\n'.replace('$', '$$')
        try:
            shutil.copytree(SITE, self._directory, dirs_exist_ok=True)
            path = os.path.join(self._directory, *DATABASE_CONF)
            with open(path, 'w', encoding='utf-8') as stream:
                stream.write(text)
            engine = sqlalchemy.create_engine(url)
            metadata = schema.create_schema(engine, releases.parse(SOURCE))
            now = datetime.datetime.now(datetime.timezone.utc)
            region = demo_rows.Region(metadata, now.replace(tzinfo=None))
            written = region.write(engine)
            engine.dispose()
        except (OSError, sqlalchemy.exc.SQLAlchemyError) as exc:
            raise DemoError(f'the site cannot be made: {exc}') from exc
        self._say(
            f'# A made-up region of manila {SOURCE}: {written["shares"]} '
            f'shares, {sum(written.values())} rows in all.'
        )
        self._say(f'$ cd {shlex.quote(self._directory)}')

    def run(self, files_only: bool) -> bool:
        """Run the command with the arguments that it was handed.

        :returns: whether there was a report.
        """
        return self._run(files_only, self._more)

    def run_after_the_upgrade(self) -> bool:
        """Run the command on the files alone.

        :returns: whether there was a report.
        """
        self._say('\n# After the upgrade, where the database cannot be seen:')
        # Nothing else says there which release the upgrade came from.
        return self._run(
            True, ['--source-release', SOURCE, '--stage', 'upgraded']
        )

    def _run(self, files_only: bool, more: Sequence[str]) -> bool:
        program = _command()
        words = ['--config-file', 'manila.conf']
        if not files_only:
            words += ['--config-dir', 'manila.conf.d']
        words += ['upgrade', 'check', '--target-release', TARGET, *more]
        known = shutil.which(PROG)
        shown = PROG if known and os.path.samefile(known, program) else program
        self._say('$ ' + ' '.join(map(shlex.quote, [shown, *words])))
        # Standard output is the terminal's own, for its width and colours.
        # The other one is not: tox would mix the progress into the report.
        done = subprocess.run(
            [program, *words],
            cwd=self._directory,
            # The servers of the site are made up, too.
            env={**os.environ, 'OS_MANILA_PRECHECK__NO_NETWORK': 'true'},
            stderr=subprocess.PIPE,
            text=True,
        )
        code = done.returncode
        print(done.stderr, end='', file=sys.stderr, flush=True)
        self._say(
            f'# The command exits with {code} '
            f'({_CODES.get(code, "no report")}).'
        )
        # Python gives 1 as well when a program crashes.
        return code in _CODES and 'Traceback (most recent' not in done.stderr


def _directory(stack: contextlib.ExitStack, given: Optional[str]) -> str:
    """Return an empty directory: the one given, or one that will go.

    :raises DemoError: when the one given is not empty.
    """
    if given is None:
        temporary = tempfile.TemporaryDirectory(prefix='manila-precheck-demo-')
        return stack.enter_context(temporary)
    directory = os.path.abspath(given)
    os.makedirs(directory, exist_ok=True)
    if os.listdir(directory):
        raise DemoError(f'{directory} is not empty')
    return directory


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage='%(prog)s [--directory DIR] [--files-only] '
        '[argument of upgrade check ...]',
        allow_abbrev=False,
    )
    parser.add_argument(
        '--directory',
        metavar='DIR',
        help='make the site in this directory, new or empty, and keep it',
    )
    parser.add_argument(
        '--files-only',
        action='store_true',
        help='give the command the files, and no database',
    )
    args, more = parser.parse_known_args(argv)
    try:
        with contextlib.ExitStack() as stack:
            demo = Demo(_directory(stack, args.directory), more)
            demo.build()
            done = [demo.run(args.files_only)]
            if not (more or args.files_only):
                done.append(demo.run_after_the_upgrade())
    except (DemoError, OSError) as exc:
        print(f'demo: error: {exc}', file=sys.stderr)
        return 1
    return 0 if all(done) else 1


if __name__ == '__main__':
    sys.exit(main())
