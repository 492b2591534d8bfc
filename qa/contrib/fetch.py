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

It downloads a release of manila, with its tests and its directory devstack,
the libraries of those tests, the roles of kolla-ansible, the files that kolla
puts into images, and an environment with Zuul. Existing files are not
downloaded again.
"""

import pathlib
import subprocess
import sys

MANILA = 'manila-23.0.1'
KOLLA_ANSIBLE = 'kolla_ansible-22.2.0'
KOLLA = 'kolla-22.0.0'
ZUUL = 'zuul-14.3.0'

#: Libraries that the tests of manila import but its environment lacks.
_LIBRARIES = ('fixtures', 'testtools', 'oslotest', 'python-subunit', 'ddt')


def main(place):
    """Fill the directory.

    :raises CalledProcessError: when a download fails.
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
    # zuul itself is installed after its libraries, so it marks completion.
    if not list(zuul.glob('lib/*/site-packages/zuul-*.dist-info/RECORD')):
        # zuul has a hundred libraries, for which pip takes minutes.
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
