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

The report goes to standard output, what the demo itself says to standard
error. Exits with 0 whatever the report says, with 1 when there was none.
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
PROG = 'manila-precheck'

_CODES = {
    0: 'success',
    1: 'warnings',
    2: 'failures',
}

# On the files alone nothing says which release runs now.
_FILES_ONLY = ['--stage', 'upgraded', '--source-release', SOURCE]


class DemoError(Exception):
    """The demo cannot go on, and says why in one line."""


def _say(text: str) -> None:
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)


def _command() -> str:
    """Return the command that is installed with this Python.

    :raises DemoError: when there is none.
    """
    beside = os.path.join(os.path.dirname(sys.executable), PROG)
    found = shutil.which(beside) or shutil.which(PROG)
    if found is None:
        raise DemoError(f'{PROG} is not installed; run: tox -e demo')
    return found


def _build(directory: str) -> None:
    """Copy the site and make its database.

    :raises DemoError: when one of them cannot be made.
    """
    try:
        import demo_rows
        import sqlalchemy

        from manila_precheck import releases
        from manila_precheck import testing_schema
    except ImportError as exc:
        raise DemoError(f'{exc}; run: tox -e demo') from exc
    url = f'sqlite:///{os.path.join(directory, DATABASE)}'
    try:
        shutil.copytree(SITE, directory, dirs_exist_ok=True)
        with open(
            os.path.join(directory, 'manila.conf.d', '00-database.conf'),
            'w',
            encoding='utf-8',
        ) as stream:
            # A dollar in a value of oslo.config is a reference.
            stream.write(
                f'[database]\nconnection = {url}\n'.replace('$', '$$')
            )
        engine = sqlalchemy.create_engine(url)
        metadata = testing_schema.create_schema(engine, releases.parse(SOURCE))
        now = datetime.datetime.now(datetime.timezone.utc)
        region = demo_rows.Region(metadata, now.replace(tzinfo=None))
        written = region.write(engine)
        engine.dispose()
    except (OSError, sqlalchemy.exc.SQLAlchemyError) as exc:
        raise DemoError(f'the site cannot be made: {exc}') from exc
    _say(
        f'# A made-up region of manila {SOURCE}: {written["shares"]} shares, '
        f'{sum(written.values())} rows in all.'
    )


def _run(directory: str, files_only: bool, more: Sequence[str]) -> int:
    """Run the command on the site, and say how it ended.

    :returns: its exit code.
    """
    program = _command()
    words = ['--config-file', 'manila.conf']
    if not files_only:
        words += ['--config-dir', 'manila.conf.d']
    words += ['upgrade', 'check', '--target-release', TARGET, *more]
    known = shutil.which(PROG)
    shown = PROG if known and os.path.samefile(known, program) else program
    _say('$ ' + ' '.join(shlex.quote(word) for word in [shown, *words]))
    code = subprocess.run([program, *words], cwd=directory).returncode
    _say(f'# The command exits with {code} ({_CODES.get(code, "no report")}).')
    return code


def _runs(args: argparse.Namespace, more: Sequence[str]) -> bool:
    """Make the site, run the command on it, say whether all went well.

    :raises DemoError: when the site cannot be made.
    """
    with contextlib.ExitStack() as stack:
        if args.directory is None:
            directory = stack.enter_context(
                tempfile.TemporaryDirectory(prefix='manila-precheck-demo-')
            )
        else:
            directory = os.path.abspath(args.directory)
            if os.path.isdir(directory) and os.listdir(directory):
                raise DemoError(f'{directory} is not empty')
            os.makedirs(directory, exist_ok=True)
        _build(directory)
        if args.directory is not None:
            _say(f'$ cd {shlex.quote(directory)}')
        codes = [_run(directory, args.files_only, more)]
        if not (more or args.files_only):
            _say('\n# After the upgrade, where the database cannot be seen:')
            codes.append(_run(directory, True, _FILES_ONLY))
    return all(code in _CODES for code in codes)


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
        return 0 if _runs(args, more) else 1
    except (DemoError, OSError) as exc:
        _say(f'demo: error: {exc}')
        return 1


if __name__ == '__main__':
    sys.exit(main())
