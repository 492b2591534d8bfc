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

"""Install the package wherever manila runs, and run it there.

    python tools/matrix.py [--venvs DIR] [--tests] [ROW]...

A row is one of

- ``py3.9`` and so on, as setup.cfg has them: a new environment with the newest
  libraries,
- ``oldest``: the oldest Python with the oldest libraries that
  requirements.txt allows,
- ``2023.1`` and so on, the SLURP releases and the newest: the environment of
  that manila release, with its upper constraints. It is copied; in the copy
  pip may neither complain nor change a version of what was there.

The wheel is built once; each row installs it, runs ``pip check``, and judges
the demo site. The report has to be the same in every row, byte by byte. The
rows of --tests run the unit tests too. A row whose interpreter or release is
not on this machine is named, and makes the exit code 1.
"""

import argparse
import contextlib
import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import manila_venv

from manila_precheck import exceptions
from manila_precheck import releases
from qa import hops

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHONS = re.findall(
    r'Python :: (3\.\d+)$', (ROOT / 'setup.cfg').read_text(), re.MULTILINE
)
OLDEST = 'oldest'
ROWS = (*(f'py{version}' for version in PYTHONS), OLDEST, *hops.RELEASES)

# Checks that look at what is installed beside them.
_LOCAL = (
    'installed-packages',
    'local-changes',
    'manila-status',
    # By the very builds of the path.
    'release-notes',
    'upgrade-path',
)

# What the report says of the manila that is installed.
_BUILD = re.compile(r'"(?:source|target)_build": [^\n]*')
_TIME = re.compile(r'\d{4}-\d\d-\d\d(.\d\d:\d\d(:[\d.]+)?)?')


def _link(source, target):
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)


class RowError(Exception):
    """Why a row is not as it has to be."""


def _run(command, codes=(0,), **kwargs):
    """Return what a command prints on standard output.

    :param codes: the exit codes that it may have.
    :raises RowError: when it fails, with the end of what it said.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('PYTHON', 'PIP_', 'OS_MANILA', 'TOX_'))
    }
    done = subprocess.run(
        [str(word) for word in command],
        env={**environment, 'PIP_DISABLE_PIP_VERSION_CHECK': '1'},
        capture_output=True,
        text=True,
        **kwargs,
    )
    if done.returncode not in codes:
        said = (done.stdout + done.stderr)[-4000:]
        raise RowError(f'{" ".join(map(str, command))}\n{said}')
    return done.stdout


def python_of(version):
    """Return the path of a Python of this version ('3.9').

    :raises RowError: when this machine has none.
    """
    pyenv = pathlib.Path(os.environ.get('PYENV_ROOT') or '~/.pyenv')
    places = [
        shutil.which(f'python{version}'),
        *pyenv.expanduser().glob(f'versions/{version}.*/bin/python'),
        sys.executable,
    ]
    asked = 'import sys; print("%d.%d" % sys.version_info[:2])'
    for place in places:
        with contextlib.suppress(RowError, OSError):
            if place and _run([place, '-c', asked]).strip() == version:
                return place
    raise RowError(f'there is no Python {version} here')


def lowest(text):
    """Return the oldest versions that a requirements file allows.

    :param text: lines such as ``pbr>=5.8.0 # Apache-2.0``.
    :returns: what pip takes as constraints.
    """
    found = re.findall(r'^([\w.-]+)>=([\w.]+)', text, re.MULTILINE)
    return ''.join(f'{name}=={version}\n' for name, version in found)


class Matrix:
    """Rows, in a directory that goes when they are done."""

    def __init__(self, directory, venvs, tests):
        self.directory = pathlib.Path(directory)
        self.venvs = venvs
        self.tests = tests
        self.wheel = None

    def build(self):
        """Make the wheel.

        :raises RowError: when it cannot be made.
        """
        pip = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '-q']
        _run([*pip, '-w', self.directory, ROOT])
        (self.wheel,) = self.directory.glob('*.whl')

    def row(self, name):
        """Return the report of a row.

        :raises RowError: when something in it is not as it has to be.
        """
        home = self.directory / name
        try:
            if name in hops.RELEASES:
                python, constraints = self._of_release(name, home)
            else:
                python, constraints = self._of_python(name, home)
            before = self._versions(python)
            self._install(python, constraints, self.wheel)
            after = self._versions(python)
            changed = {
                package: (version, after.get(package))
                for package, version in before.items()
                if after.get(package) != version
            }
            if changed:
                raise RowError(f'versions changed: {changed}')
            report = self._report(python)
            if name in self.tests:
                self._test(python, constraints)
            return report
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _of_python(self, name, home):
        version = PYTHONS[0] if name == OLDEST else name[len('py') :]
        _run([python_of(version), '-m', 'venv', home])
        text = ''
        if name == OLDEST:
            text = lowest((ROOT / 'requirements.txt').read_text())
            # What pbr of then needs of setuptools.
            text += 'setuptools<81\n'
            self._install(
                home / 'bin' / 'python',
                self._constraints(name, text),
                'setuptools',
            )
        return home / 'bin' / 'python', self._constraints(name, text)

    def _of_release(self, name, home):
        release = releases.parse(name)
        venv = pathlib.Path(self.venvs, f'm{release.major}')
        if not (venv / 'bin' / 'python').exists():
            raise RowError(f'{venv} is not there; tools/manila_venv.py')
        # pip puts a new file in the place of an old one, and writes none.
        shutil.copytree(venv, home, symlinks=True, copy_function=_link)
        return home / 'bin' / 'python', self._constraints(
            name, manila_venv.constraints(release)
        )

    def _constraints(self, name, text):
        path = self.directory / f'{name}.txt'
        path.write_text(text)
        return path

    def _versions(self, python):
        lines = _run([python, '-m', 'pip', 'list', '--format=freeze'])
        return dict(line.split('==', 1) for line in lines.splitlines())

    def _install(self, python, constraints, *what):
        pip = [python, '-m', 'pip']
        _run([*pip, 'check'])
        _run([*pip, 'install', '-q', '-c', constraints, *what])
        _run([*pip, 'check'])

    def _report(self, python):
        """Return the report on the demo site, the same in every row.

        The site is a new one, since its rows are as old as they say; the
        days and times in the report are taken out.
        """
        # In one place for all of them: a path is part of what is reported.
        site = self.directory / 'site'
        shutil.rmtree(site, ignore_errors=True)
        demo = ROOT / 'tools' / 'demo.py'
        _run([sys.executable, demo, '--directory', site, '--json'])
        command = [python.parent / 'manila-precheck']
        _run([*command, '--version'])
        _run([*command, 'check', 'list'])
        command += ['--config-file', 'manila.conf']
        command += ['--config-dir', 'manila.conf.d', 'upgrade', 'check']
        # Else it is the installed manila that one upgrades to.
        command += ['--target-release', '2026.1']
        command += ['--format', 'json', '--reproducible', '--fail-on', 'never']
        for check_id in _LOCAL:
            command += ['--skip', check_id]
        text = _TIME.sub('(time)', _run(command, cwd=site))
        return _BUILD.sub('(build)', text)

    def _test(self, python, constraints):
        self._install(
            python,
            constraints,
            '-r',
            ROOT / 'test-requirements.txt',
        )
        # Its own record of runs: that of the source tree is of another one.
        runs = python.parent / 'runs'
        runs.mkdir()
        stestr = [python, '-m', 'stestr', '--repo-url', runs]
        try:
            said = _run(
                [*stestr, 'run', r'manila_precheck\.tests\.unit'], cwd=ROOT
            )
        except RowError:
            failing = _run(
                [*stestr, 'failing', '--list'], cwd=ROOT, codes=(1,)
            )
            raise RowError(f'tests failed:\n{failing}') from None
        print(said.rpartition('Totals')[2].partition('Sum of')[0])


def main(argv=None):
    """Run the rows; 1 when one is not as it has to be."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('rows', metavar='ROW', nargs='*', default=ROWS)
    parser.add_argument('--venvs', default=manila_venv_directory())
    parser.add_argument(
        '--tests',
        metavar='ROW,ROW',
        type=lambda text: text.split(','),
        default=[],
        help='the rows that run the unit tests too',
    )
    args = parser.parse_args(argv)
    unknown = sorted({*args.rows, *args.tests} - set(ROWS))
    if unknown:
        parser.error(f'no such row: {", ".join(unknown)}')
    reports, failed = {}, []
    with tempfile.TemporaryDirectory() as directory:
        matrix = Matrix(directory, args.venvs, args.tests)
        matrix.build()
        for name in args.rows:
            started = time.monotonic()
            try:
                reports.setdefault(matrix.row(name), []).append(name)
                word = 'passed'
            except (RowError, exceptions.PrecheckError, OSError) as exc:
                failed.append(name)
                word = f'FAILED: {exc}'
            print(f'{name:<8}{time.monotonic() - started:>5.0f} s  {word}')
    if len(reports) > 1:
        print(f'not the same report: {sorted(reports.values())}')
        one, other, *_ = (text.splitlines() for text in reports)
        print('\n'.join(difflib.unified_diff(one, other, lineterm='', n=1)))
    if failed:
        print(f'failed: {" ".join(failed)}')
    return 1 if failed or len(reports) > 1 else 0


def manila_venv_directory():
    """Return where qa/real-releases.sh keeps its environments."""
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.environ.get(
        'MANILA_PRECHECK_VENVS', f'{cache}/manila-precheck/venvs'
    )


if __name__ == '__main__':
    sys.exit(main())
