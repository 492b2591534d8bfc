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

"""Download what the tests of contrib/ run: python -m qa.contrib.fetch PLACE.

They are manila as it was released, with its tests and its directory devstack,
the libraries of those tests, the roles of kolla-ansible, what kolla puts into
images, and an environment with Zuul. What is there already is not downloaded
again.
"""

import pathlib
import subprocess
import sys

MANILA = 'manila-23.0.1'
KOLLA_ANSIBLE = 'kolla_ansible-22.2.0'
KOLLA = 'kolla-22.0.0'
ZUUL = 'zuul-14.3.0'

#: What the tests of manila import and its environment has not.
_LIBRARIES = ('fixtures', 'testtools', 'oslotest', 'python-subunit', 'ddt')


def main(place):
    """Fill the directory.

    :raises CalledProcessError: when one cannot be had.
    """
    pip = [sys.executable, '-m', 'pip', '--quiet']
    download = [*pip, 'download', '--no-deps', '--dest', str(place)]
    for name, words in {
        f'{MANILA}.tar.gz': [*download, '--no-binary', 'manila'],
        f'{KOLLA_ANSIBLE}-py3-none-any.whl': download,
        f'{KOLLA}-py3-none-any.whl': download,
    }.items():
        if not (place / name).exists():
            project, version = name.removesuffix('.tar.gz').split('-')[:2]
            subprocess.run([*words, f'{project}=={version}'], check=True)
    libraries = place / 'libraries'
    if not libraries.exists():
        subprocess.run(
            [*pip, 'install', '--no-deps', '--target', libraries, *_LIBRARIES],
            check=True,
        )
    zuul = place / ZUUL
    # It comes after its libraries.
    if not list(zuul.glob('lib/*/site-packages/zuul-*.dist-info/RECORD')):
        # It has a hundred of them; pip takes minutes.
        uv = [sys.executable, '-m', 'uv', '--quiet']
        subprocess.run(
            [*uv, 'venv', '--clear', '--python', sys.executable, zuul],
            check=True,
        )
        subprocess.run(
            [
                *(*uv, 'pip', 'install', '--python', zuul / 'bin/python'),
                ZUUL.replace('-', '=='),
            ],
            check=True,
        )


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]))
