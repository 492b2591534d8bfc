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

"""Build the wheels of manila-precheck and of its libraries as one archive.

It installs with pip and without a network, on every Python that setup.cfg
names. The archive has the directory wheels, a list of those for each Python,
and the script install.sh, which makes a virtual environment.
"""

import argparse
import io
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).parents[1]

PYTHONS = re.findall(
    r'Python :: (3\.\d+)$', (ROOT / 'setup.cfg').read_text(), re.MULTILINE
)

# What pip of RHEL 8 and Ubuntu 20.04 installs, and what is newer.
_PLATFORMS = ('manylinux2014', 'manylinux_2_28')

_INSTALL = """\
#!/bin/sh
# Install manila-precheck into a virtual environment, from the wheels beside
# this script: install.sh DIRECTORY [PYTHON]
set -eu
if [ $# -lt 1 ]; then
    echo "usage: $0 DIRECTORY [PYTHON]" >&2
    exit 2
fi
here=$(dirname "$0")
python=${2:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ ! -f "$here/$version.txt" ]; then
    echo "there are no wheels for Python $version here" >&2
    exit 1
fi
"$python" -m venv "$1"
"$1/bin/python" -m pip install --quiet --disable-pip-version-check \\
    --no-index --find-links "$here/wheels" --requirement "$here/$version.txt"
echo "$1/bin/manila-precheck"
"""


def _pip(*words: str) -> None:
    subprocess.run(
        [sys.executable, '-m', 'pip', '--disable-pip-version-check', *words],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def build(output: pathlib.Path, machine: str) -> int:
    """Write the archive, and return how many wheels are in it.

    :param output: its path.
    :param machine: the processor, as uname has it.
    :raises subprocess.CalledProcessError: when a wheel is not there.
    """
    top = output.name.partition('.tar')[0]
    wheels: set[str] = set()
    with (
        tempfile.TemporaryDirectory() as name,
        tarfile.open(output, 'w:gz') as archive,
    ):
        own = pathlib.Path(name, 'own')
        _pip('wheel', '--no-deps', '--wheel-dir', str(own), str(ROOT))
        (wheel,) = own.iterdir()
        for version in PYTHONS:
            folder = pathlib.Path(name, version)
            pins = _pins(wheel, version, machine)
            _download(pins, folder, version, machine)
            shutil.copy(wheel, folder)
            _add(
                archive,
                f'{top}/{version}.txt',
                '\n'.join(['manila-precheck[postgresql]', *pins, '']),
                0o644,
            )
            found = sorted(folder.iterdir())
            for path in found:
                if path.name not in wheels:
                    wheels.add(path.name)
                    archive.add(path, f'{top}/wheels/{path.name}')
        _add(archive, f'{top}/install.sh', _INSTALL, 0o755)
    return len(wheels)


def _pins(wheel: pathlib.Path, version: str, machine: str) -> list[str]:
    """Return the libraries of one Python, each with its version.

    pip looks at the Python that runs it to tell which are needed.
    """
    done = subprocess.run(
        [
            *('uv', 'pip', 'compile', '--quiet', '--no-header'),
            *('--no-annotate', '--no-emit-package', 'manila-precheck'),
            *('--only-binary', ':all:', '--python-version', version),
            *('--python-platform', f'{machine}-{_PLATFORMS[0]}', '-'),
        ],
        input=f'manila-precheck[postgresql] @ {wheel.as_uri()}',
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return [
        line
        for line in done.stdout.splitlines()
        if line and not line.startswith('#')
    ]


def _download(
    pins: list[str], folder: pathlib.Path, version: str, machine: str
) -> None:
    platforms = [f'{one}_{machine}' for one in _PLATFORMS]
    _pip(
        *('download', '--dest', str(folder), '--no-deps'),
        *('--only-binary', ':all:', '--implementation', 'cp'),
        *('--python-version', version),
        *(word for one in platforms for word in ('--platform', one)),
        *pins,
    )


def _add(archive: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    data = text.encode('ascii')
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))


def main() -> int:
    """Build it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--machine',
        default=platform.machine(),
        help='the processor of the controllers; default: that of this host',
    )
    parser.add_argument('output', type=pathlib.Path, help='the file to write')
    args = parser.parse_args()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    number = build(args.output, args.machine)
    size = args.output.stat().st_size
    print(f'{args.output}: {number} wheels, {size / 2**20:.1f} MiB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
