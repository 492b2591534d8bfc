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
manila-precheck. The first file, run by its Python, has to print the same
report byte by byte. Each PYTHON from 3.9 on runs the second file, without a
network and, if started by root, as the user nobody; all outcomes have to be
the same.

Then every command of the first file is run by the Python of a real manila, if
there is one, and every command of the second file by the first PYTHON, in the
same way: such a controller has only that manila and the file.
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

#: The environments of manila that qa/real-releases.sh makes.
MANILAS = (
    pathlib.Path(
        os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
    )
    / 'manila-precheck'
    / 'venvs'
)

# Checks whose results depend on the Python that runs them, or on the network:
# without any interface, Linux lets a socket have any address.
OF_THE_PLACE = ('installed-packages', 'service-connections', 'service-startup')


def judged(*words: object) -> str:
    """Return the report on the demo's files, which has failures.

    :param words: the words that run the command; the last one is its file.
    """
    with tempfile.TemporaryDirectory() as home:
        # The user "nobody" has to enter it.
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


# Runs a command as nobody, who has to reach a Python in the home of root. So
# that Python is mounted alone in a home that everybody may enter.
_AS_NOBODY = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /mnt
for path in .pyenv .cache/manila-precheck; do
    [ -d "$HOME/$path" ] || continue
    mkdir -p "/mnt/$path"
    mount --rbind "$HOME/$path" "/mnt/$path"
done
mount --rbind /mnt "$HOME"
export HOME=$1
shift
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs "$@"
"""


def cut_off(home: str) -> list[str]:
    """Return the words that run a command without network and privileges.

    :param home: the home directory of the user.
    """
    if os.geteuid():
        return ['unshare', '--user', '--net']
    return [
        *('unshare', '--net', '--mount', 'env', 'HOME=/root'),
        *('sh', '-c', _AS_NOBODY, 'sh', home),
    ]


#: The commands typed on the controller, and the exit codes that each may have;
#: the demo has failures, and no database.
COMMANDS = (
    ('--version', (0,)),
    ('check list', (0,)),
    ('check explain config-options', (0,)),
    ('catalog list', (0,)),
    ('catalog diff 2025.1 2026.1', (0,)),
    ('upgrade check --no-database --format table', (2,)),
    (
        'upgrade check --no-database --format json --report html:a.html '
        '--report markdown:a.md --report junit:a.xml --report sarif:a.sarif '
        '--report openmetrics:a.prom --report json:a.json',
        (2,),
    ),
    ('upgrade fix --no-database --output fixed', (2,)),
    ('upgrade plan --no-database', (0,)),
    ('report merge --expect ctl1 --report html:b.html a.json', (2,)),
    # Skipped checks count in any case.
    ('report diff a.json a.json', (1,)),
    # Neither file exists; the command says so on one line.
    (
        'upgrade rehearse --backup absent.sql --target-python /opt/new/python',
        (255,),
    ),
    ('--complete upgrade check --target-release 2026', (0,)),
)

_WRITTEN = ('a.html', 'a.md', 'a.xml', 'a.sarif', 'a.prom', 'a.json', 'b.html')


def whole_command(python: pathlib.Path, file: pathlib.Path) -> None:
    """Run every command of a file, as a user who may write to one directory.

    :raises SystemExit: when a command ends with a wrong exit code, prints
        nothing, or prints a traceback.
    """
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        own = shutil.copy(file, home)
        site = pathlib.Path(home) / 'site'
        shutil.copytree(DEMO, site)
        if not os.geteuid():
            os.chown(site, 65534, 65534)
        upgrade = '--source-release 2025.1 --target-release 2026.1'
        for words, codes in COMMANDS:
            typed = words.split()
            if typed[0] == 'upgrade':
                typed = ['--config-file', 'manila.conf', *typed]
                typed += upgrade.split()
            done = subprocess.run(
                [*cut_off(home), str(python), '-I', own, *typed],
                cwd=site,
                env={
                    'HOME': home,
                    'PATH': os.environ['PATH'],
                    'LANG': 'C.UTF-8',
                },
                capture_output=True,
                timeout=300,
                text=True,
            )
            refused = len(done.stderr.splitlines()) if 255 in codes else 1
            if (
                done.returncode not in codes
                or 'Traceback' in done.stderr
                or 'argument' in done.stderr
                or refused != 1
                or bool(done.stdout) == (255 in codes)
            ):
                raise SystemExit(
                    f'{file.name} with {python}: {words}: exit code '
                    f'{done.returncode}, {len(done.stdout)} characters\n'
                    f'{done.stderr}'
                )
        for name in _WRITTEN:
            if (site / name).stat().st_size < 100:
                raise SystemExit(f'{file.name}: nothing is in {name}')
        if not list((site / 'fixed').rglob('manila.conf')):
            raise SystemExit(f'{file.name}: upgrade fix wrote no file')
    print(f'{file.name}: {len(COMMANDS)} commands with {python}')


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
        found = judged(*cut_off('/nonexistent'), python, '-I', whole)
        if outcomes(found) != outcomes(expected):
            raise SystemExit(f'{whole.name} comes to another end in {python}')
        print(f'{whole.name}: {python}')
    for python in map(pathlib.Path, pythons[:1]):
        whole_command(python, whole)
    for name in ('m20', 'm22'):
        python = MANILAS / name / 'bin' / 'python'
        if python.exists():
            whole_command(python, small)
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
