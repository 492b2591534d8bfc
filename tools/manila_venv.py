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

"""Make a virtual environment that holds one manila release.

    python tools/manila_venv.py RELEASE --dir DIR [--constraints FILE]

RELEASE is a series ('2026.1'), a code name or a major version of manila. Its
latest point release is installed from PyPI in DIR/mMAJOR ('m22'), with the
drivers of MySQL and PostgreSQL. One that is there and whole is kept.

The upper constraints of the release keep its libraries at what it was made
with: --constraints, else the file MAJOR.txt in the directory that
MANILA_PRECHECK_CONSTRAINTS names, else what releases.openstack.org has.

The interpreter is --python, else the first of those that the release was
tested with, newest first, that is on PATH or in pyenv and can make a virtual
environment; this one counts too.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from manila_precheck import exceptions  # noqa: E402
from manila_precheck import releases  # noqa: E402

# The minor versions of Python 3 that each release was tested with, from
# oldest to newest: https://governance.openstack.org/tc/reference/runtimes/
# and the classifiers of its package. Not 3.6 and 3.7, which have no
# importlib.metadata.
PYTHONS = {
    12: (8, 9),
    13: (8, 9),
    14: (8, 9),
    15: (8, 10),
    16: (8, 10),
    17: (8, 11),
    18: (8, 11),
    19: (8, 12),
    20: (9, 12),
    21: (10, 13),
    22: (10, 13),
    23: (10, 13),
}

_CONSTRAINTS_URL = 'https://releases.openstack.org/constraints/upper/{}'

# Never from the constraints: what is installed on purpose, and in which
# version.
_UNPINNED = re.compile(r'(manila|setuptools|pip|wheel)(?![\w.-])', re.I)

# What is written when an environment is whole, and says of what it is made.
_STAMP = 'manila-precheck.json'


def say(text):
    """Print on standard error."""
    print(text, file=sys.stderr, flush=True)


def candidates(major):
    """Return the interpreters that a release can run with, best first."""
    oldest, newest = PYTHONS[major]
    versions = [f'3.{minor}' for minor in range(newest, oldest - 1, -1)]
    pyenv = pathlib.Path(os.environ.get('PYENV_ROOT') or '~/.pyenv')
    found = []
    for version in versions:
        for name in (f'python{version}', 'python3'):
            path = shutil.which(name)
            if path and _version(path) == version:
                found.append(path)
        found += sorted(
            str(path)
            for path in pyenv.expanduser().glob(
                f'versions/{version}.*/bin/python'
            )
        )
        if f'3.{sys.version_info[1]}' == version:
            found.append(sys.executable)
    return list(dict.fromkeys(found))


def _run_python(path, *words):
    return subprocess.run(
        [path, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )


def _version(path):
    """Return '3.11' of an interpreter, '' when it does not start."""
    done = _run_python(
        path, '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'
    )
    return done.stdout.strip() if done.returncode == 0 else ''


def interpreter(major):
    """Return a Python that a release can run with.

    :raises SystemExit: when there is none, saying which would do.
    """
    for path in candidates(major):
        # Debian has venv and ensurepip in a package of their own.
        if _run_python(path, '-c', 'import ensurepip, venv').returncode == 0:
            return path
    oldest, newest = PYTHONS[major]
    raise SystemExit(
        f'manila {major} needs Python 3.{oldest} to 3.{newest}, with venv and '
        'ensurepip, and this machine has none (looked for on PATH and in '
        'pyenv); install one, or name it with --python'
    )


def requirement(major):
    """Return what pip takes the latest point release of a release for."""
    return f'manila>={major}.0.0,<{major + 1}'


def constraints(release, given=None):
    """Return the upper constraints of a release as text, '' for none.

    :param given: a file; None to look for one.
    """
    folder = os.environ.get('MANILA_PRECHECK_CONSTRAINTS')
    path = given
    if not path and folder:
        path = os.path.join(folder, f'{release.major}.txt')
    if path:
        text = pathlib.Path(path).read_text(encoding='utf-8')
    else:
        url = _CONSTRAINTS_URL.format(release.name)
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                text = answer.read().decode('utf-8')
        except (urllib.error.URLError, OSError, ValueError) as exc:
            say(f'{url}: {exc}; --constraints names a file instead')
            return ''
    return ''.join(
        f'{line}\n' for line in text.splitlines() if not _UNPINNED.match(line)
    )


def create(
    release, home, python=None, constraints_file=None, *, constrained=False
):
    """Make the environment of a release, unless it is there.

    :param home: the directory of the environment.
    :param constrained: whether not to install without upper constraints.
    :returns: the path of its Python.
    :raises SystemExit: when it cannot be made; nothing is left then.
    """
    home = pathlib.Path(home).expanduser().resolve()
    pins = constraints(release, constraints_file)
    digest = hashlib.sha256(pins.encode('utf-8')).hexdigest()
    inside = home / 'bin' / 'python'
    version = _manila(inside)
    stamp = _stamp(home)
    if stamp is None and home.exists():
        # Made by somebody else: it is used as it is, or left alone.
        if version.partition('.')[0] == str(release.major):
            say(f'{home}: manila {version}, there already, not made here')
            return inside
        raise SystemExit(f'{home} is there and holds no {release}')
    # Constraints that could not be had are no reason to install without.
    known = stamp.get('constraints') if stamp else None
    if version and stamp == {
        'manila': version,
        'constraints': digest if pins else known,
    }:
        say(f'{home}: manila {version}, there already')
        return inside
    if constrained and not pins:
        raise SystemExit(
            f'{home}: not installed: the options of the newest libraries are '
            f'not those of {release}'
        )
    chosen = python or interpreter(release.major)
    say(f'{home}: installing manila {release.major} with {chosen}')
    if not pins:
        say(
            'the newest libraries are taken: manila may not run with them, '
            'and their options are not those of the release'
        )
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    # From now on the directory is ours, whole or not.
    _write_stamp(home, {})
    try:
        _install(release, home, chosen, pins)
        version = _manila(inside)
        _write_stamp(home, {'manila': version, 'constraints': digest})
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise
    say(f'{home}: manila {version}')
    return inside


def _manila(python):
    """Return the version of manila in an environment, '' for none."""
    if not python.exists():
        return ''
    done = _run_python(
        str(python),
        '-c',
        'import importlib.metadata as m; print(m.version("manila"))',
    )
    return done.stdout.strip() if done.returncode == 0 else ''


def _stamp(home):
    """Return what an environment is made of; None when it is not ours."""
    try:
        text = (home / _STAMP).read_text(encoding='utf-8')
    except OSError:
        return None
    return json.loads(text)


def _write_stamp(home, facts):
    (home / _STAMP).write_text(json.dumps(facts) + '\n', encoding='utf-8')


def _install(release, home, python, pins):
    major = release.major
    # Paste needs pkg_resources at run time, and so do some older builds.
    limit = 66 if major < 15 else 81
    words = [
        requirement(major),
        f'setuptools<{limit}',
        'PyMySQL',
        'psycopg2-binary',
        # A filter that api-paste.ini may name, and that manila does not need.
        'ceilometermiddleware',
    ]
    with tempfile.TemporaryDirectory() as folder:
        if pins:
            path = pathlib.Path(folder) / 'constraints.txt'
            path.write_text(pins, encoding='utf-8')
            words += ['-c', str(path)]
        _run([python, '-m', 'venv', str(home)])
        _run([str(home / 'bin' / 'python'), '-m', 'pip', 'install', *words])


def _run(command):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ('PYTHONPATH', 'PYTHONHOME')
    }
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        say(done.stdout[-6000:])
        raise SystemExit(f'failed: {" ".join(command)}')


def main(argv=None):
    """Make the environments that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('release', metavar='RELEASE')
    parser.add_argument('--dir', required=True)
    parser.add_argument('--constraints', metavar='FILE')
    parser.add_argument('--python')
    args = parser.parse_args(argv)
    try:
        release = releases.parse(args.release)
    except exceptions.UsageError as exc:
        parser.error(str(exc))
    home = pathlib.Path(args.dir) / f'm{release.major}'
    print(create(release, home, args.python, args.constraints))
    return 0


if __name__ == '__main__':
    sys.exit(main())
