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

"""Run the command from one file, as on a controller without a network.

    qa/one_file.py DIRECTORY COMMAND PYTHON...

builds manila-precheck.pyz and manila-precheck-standalone.pyz in DIRECTORY, and
judges the files of the demo with them. COMMAND is an installed
manila-precheck: the first file, run by its Python, has to say the same to the
byte. The second one is run by each PYTHON from 3.9 on, without a network and,
where this is root and nobody may run it, as nobody; each has to come to the
same outcomes.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEMO = ROOT / 'etc' / 'manila-precheck' / 'demo'

# They look at the Python that runs them, and at the network: where there is
# no interface at all, Linux lets a socket have any address.
OF_THE_PLACE = ('installed-packages', 'service-connections', 'service-startup')


def judged(*words: object) -> str:
    """Return the report on the demo's files, which has failures.

    :param words: what runs the command; the last one is its file.
    """
    with tempfile.TemporaryDirectory() as home:
        # Nobody has to enter it.
        os.chmod(home, 0o755)
        *before, file = words
        if str(file).endswith('.pyz'):
            file = shutil.copy(str(file), home)
        site = pathlib.Path(home) / 'site'
        shutil.copytree(DEMO, site)
        done = subprocess.run(
            [
                *map(str, (*before, file)),
                *('--config-file', 'manila.conf'),
                *('upgrade', 'check', '--format', 'json', '--reproducible'),
                *('--source-release', '2025.1', '--target-release', '2026.1'),
                '--no-database',
            ],
            cwd=site,
            env={'HOME': home, 'PATH': os.environ['PATH'], 'LANG': 'C.UTF-8'},
            stdout=subprocess.PIPE,
            timeout=300,
            text=True,
        )
    if done.returncode != 2:
        raise SystemExit(f'{words}: exit code {done.returncode}, not 2')
    return done.stdout


def outcomes(text: str) -> dict[str, tuple[str, list[str]]]:
    """Return the outcome and the findings of each check, by its id."""
    return {
        check['id']: (
            check['outcome'],
            [finding['key'] for finding in check['findings']],
        )
        for check in json.loads(text)['checks']
        if check['id'] not in OF_THE_PLACE
    }


def cut_off(python: pathlib.Path) -> list[str]:
    """Return the words that take the network and the rights away."""
    if os.geteuid():
        return ['unshare', '--user', '--net']
    if not all(path.stat().st_mode & 0o001 for path in python.parents):
        # Nobody may not run it.
        return ['unshare', '--net']
    return [
        *('unshare', '--net', 'setpriv', '--reuid=65534', '--regid=65534'),
        *('--clear-groups', '--no-new-privs'),
    ]


def main(directory: str, command: str, *pythons: str) -> int:
    """Build, run and compare; return the exit code."""
    small, whole = (
        pathlib.Path(directory) / f'{name}.pyz'
        for name in ('manila-precheck', 'manila-precheck-standalone')
    )
    build = [sys.executable, str(ROOT / 'tools' / 'build_pyz.py')]
    subprocess.run([*build, str(small)], check=True)
    subprocess.run([*build, '--with-dependencies', str(whole)], check=True)
    expected = judged(command)
    python = pathlib.Path(command).with_name('python')
    if judged(python, '-I', small) != expected:
        raise SystemExit(f'{small.name} does not say what {command} says')
    for python in map(pathlib.Path, pythons):
        found = judged(*cut_off(python), python, '-I', whole)
        if outcomes(found) != outcomes(expected):
            raise SystemExit(f'{whole.name} comes to another end in {python}')
        print(f'{whole.name}: {python}')
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
