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

"""Build manila-precheck as one file, for hosts without a package index.

By default the file holds manila-precheck alone, and any Python that has
manila's libraries runs it: that of manila's own environment, for example.
With --with-dependencies it holds the libraries too, in pure Python, and any
Python from 3.9 on runs it; the driver of PostgreSQL, psycopg2, is compiled and
comes from the host. Two builds of the same commit are equal, apart from the
releases of the libraries.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipapp

ROOT = pathlib.Path(__file__).parents[1]

# The oldest Python that has to run it, for which the libraries are chosen.
PYTHON = '3.9'

# Libraries that are compiled as a whole, or that only installing and testing
# another one needs; nothing that the program loads imports them.
_UNUSED = (
    'distutils-precedence.pth',
    'etc',
    'greenlet*',
    'include',
    'psutil*',
    'setuptools*',
    'share',
    '_distutils_hack',
    'testresources*',
    'testscenarios*',
    'testtools*',
)

# 1980-01-01, the first time that a zip file can have.
_EPOCH = 315532800

# What the file does when it is run. Any Python has to compile it: what does
# not ends with 1, the code of warnings.
_MAIN = '''\
import sys


def run():
    if sys.version_info < (3, 9):
        return 'is Python {}.{}, and 3.9 is the oldest that runs it'.format(
            *sys.version_info
        )
    import importlib.util

    lacking = [
        name
        for name in (
            'oslo_config',
            'oslo_db',
            'oslo_policy',
            'oslo_upgradecheck',
            'sqlalchemy',
            'stevedore',
            'yaml',
        )
        if importlib.util.find_spec(name) is None
    ]
    if lacking:
        return (
            'lacks {}; run it with the Python of manila or of another '
            'OpenStack service, or manila-precheck-standalone.pyz, which '
            'needs Python alone'.format(', '.join(lacking))
        )
    from manila_precheck import cmd

    return cmd.main()


code = run()
if not isinstance(code, int):
    sys.stderr.write(
        'manila-precheck: error: {} {}\\n'.format(sys.executable, code)
    )
    code = 255
sys.exit(code)
'''


def build(output: pathlib.Path, dependencies: bool) -> None:
    """Write the file.

    :param output: its path.
    :param dependencies: put the libraries into it.
    :raises subprocess.CalledProcessError: when uv fails.
    """
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        words = [] if dependencies else ['--no-deps']
        subprocess.run(
            [
                *('uv', 'pip', 'install', '--quiet', '--target', name),
                *('--python-version', PYTHON, *words, str(ROOT)),
            ],
            check=True,
        )
        _reduce(root)
        (root / '__main__.py').write_text(_MAIN, encoding='utf-8')
        for path in root.rglob('*'):
            os.utime(path, (_EPOCH, _EPOCH))
        zipapp.create_archive(
            root,
            output,
            interpreter='/usr/bin/env python3',
            compressed=True,
        )


def _reduce(root: pathlib.Path) -> None:
    """Remove what a zip file cannot run, and what nobody needs there."""
    for pattern in ('bin', 'manila_precheck/tests', *_UNUSED):
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in sorted(root.rglob('*'), reverse=True):
        # Compiled modules; each library here has the same in Python. The
        # rest names this machine, or the time.
        if path.suffix in ('.so', '.pyc', '.lock') or path.name in (
            '.lock',
            'INSTALLER',
            'RECORD',
            'REQUESTED',
            'direct_url.json',
            'uv_cache.json',
        ):
            path.unlink()
        elif path.name in ('__pycache__', 'tests') and path.is_dir():
            shutil.rmtree(path)


def main() -> int:
    """Build it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--with-dependencies',
        action='store_true',
        help='put the libraries into the file',
    )
    parser.add_argument('output', type=pathlib.Path, help='the file to write')
    args = parser.parse_args()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    build(args.output, args.with_dependencies)
    size = args.output.stat().st_size
    print(f'{args.output}: {size / 2**20:.1f} MiB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
