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

"""What the Python of the target could import, asked of a real one."""

import os
import subprocess
import sys

import ddt
import testtools

from manila_precheck import model
from manila_precheck.tests import backend_drivers
from manila_precheck.tests.backend_drivers import back_end
from manila_precheck.tests.backend_drivers import CEPHFS
from manila_precheck.tests.backend_drivers import DOC
from manila_precheck.tests.backend_drivers import DRIVERS
from manila_precheck.tests.backend_drivers import EMC
from manila_precheck.tests.backend_drivers import enabled
from manila_precheck.tests.backend_drivers import FAILURE
from manila_precheck.tests.backend_drivers import GLUSTER
from manila_precheck.tests.backend_drivers import INFO
from manila_precheck.tests.backend_drivers import section
from manila_precheck.tests.backend_drivers import THREE_PAR
from manila_precheck.tests.backend_drivers import WARNING

HERE = '.'.join(str(number) for number in sys.version_info[:3])
UNITY = back_end(EMC, 'emc_share_backend = unity')
THREE_PAR_SOURCES = (
    DOC + 'hpe-3par-share-driver.rst',
    'manila manila/share/drivers/hpe/hpe_3par_mediator.py',
)
CEPH_SOURCES = (
    'manila 22.0.0 doc/source/configuration/shared-file-systems/drivers/'
    'cephfs_driver.rst',
    'manila manila/share/drivers/cephfs/driver.py',
)


class PythonCase(backend_drivers.BackendDrivers, testtools.TestCase):
    def python(self, modules=(), **packages):
        """Return a Python that has modules and packages (name=version)."""
        self.write('keep', '')
        root = os.path.join(self.path, 'python')
        subprocess.run(
            [sys.executable, '-m', 'venv', '--without-pip', root], check=True
        )
        python = os.path.join(root, 'bin', 'python')
        folder = subprocess.run(
            [
                python,
                '-Ic',
                'import sysconfig; print(sysconfig.get_path("purelib"))',
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        self.folder = os.path.relpath(folder, self.path)
        for name in modules:
            self.write(f'{self.folder}/{name}', '')
        for name, version in packages.items():
            name = name.replace('__', '-')
            self.write(
                f'{self.folder}/{name.replace("-", "_")}-{version}.dist-info/'
                'METADATA',
                f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n',
            )
        return python

    def library(self, conf, python, **kwargs):
        """Return what is found but for storage, and the Python itself."""
        result = self.run_check(conf, own={'python': python}, **kwargs)
        self.assertEqual('', result.reason)
        return [
            f
            for f in result.findings
            if f.aspect != 'storage' and f.subject.kind != 'python'
        ]


@ddt.ddt
class LibrariesTest(PythonCase):
    def test_a_module_without_which_the_driver_is_not_built(self):
        python = self.python(['rados.py'])
        found = self.library(back_end(CEPHFS), python)
        self.assertEqual(
            [
                self.ends(
                    4,
                    f'[a] needs the module ceph_argparse, which {python} '
                    'does not have',
                    f'Install python3-ceph-argparse with the target, for '
                    f'{python}.',
                    CEPHFS,
                    'library-ceph_argparse',
                    references=CEPH_SOURCES,
                    module='ceph_argparse',
                    python=python,
                )
            ],
            found,
        )

    def test_modules_that_are_there(self):
        # A package, and a module.
        python = self.python(['rados/__init__.py', 'ceph_argparse.py'])
        self.assertEqual([], self.library(back_end(CEPHFS), python))

    @ddt.data(
        # Built in, documented, refused by the driver.
        (None, FAILURE),
        ('3.9.9', FAILURE),
        ('4.0.0', WARNING),
        ('4.2.0', None),
        ('4.2.14', None),
    )
    @ddt.unpack
    def test_a_version_of_a_library(self, version, severity):
        python = (
            self.python(
                ['hpe3parclient.py'], **{'python__3parclient': version}
            )
            if version
            else self.python()
        )
        found = self.library(back_end(THREE_PAR), python)
        install = [
            f'Install it with the target, for {python}:',
            model.command(
                f"{python} -m pip install 'python-3parclient>=4.2.0'"
            ),
        ]
        data = {'module': 'hpe3parclient', 'python': python}
        where = (THREE_PAR, 'library-hpe3parclient')
        if severity is None:
            expected = []
        elif version is None:
            expected = [
                self.stays_down(
                    4,
                    f'[a] needs the module hpe3parclient, which {python} does '
                    'not have',
                    install,
                    *where,
                    references=THREE_PAR_SOURCES,
                    **data,
                )
            ]
        elif severity is FAILURE:
            expected = [
                self.stays_down(
                    4,
                    '[a] needs python-3parclient 4.0.0 or newer, but '
                    f'{python} has {version}',
                    install,
                    *where,
                    references=THREE_PAR_SOURCES,
                    installed=version,
                    **data,
                )
            ]
        else:
            expected = [
                self.finding(
                    WARNING,
                    4,
                    '[a] needs python-3parclient 4.2.0 or newer, but '
                    f'{python} has {version}',
                    install,
                    *where,
                    references=THREE_PAR_SOURCES,
                    installed=version,
                    **data,
                )
            ]
        self.assertEqual(expected, found)

    def test_a_version_that_is_not_to_be_told(self):
        python = self.python(['storops/__init__.py'])
        found = self.library(UNITY, python)
        self.assertEqual(
            [
                self.finding(
                    INFO,
                    4,
                    '[a] needs storops 1.1.0 or newer, but the metadata in '
                    f'{python} does not give its version',
                    [model.command(f'{python} -m pip show storops')],
                    EMC,
                    'library-storops',
                    references=[
                        DOC + 'dell-emc-unity-driver.rst',
                        'manila manila/share/drivers/dell_emc/plugins/unity/'
                        'client.py',
                    ],
                    module='storops',
                    python=python,
                    installed=None,
                )
            ],
            found,
        )

    @ddt.data(('True', [FAILURE]), ('False', []), (None, []))
    @ddt.unpack
    def test_a_library_that_an_option_asks_for(self, value, severities):
        python = self.python()
        lines = (
            [] if value is None else [f'ganesha_rados_store_enable = {value}']
        )
        found = self.library(back_end(GLUSTER, *lines), python)
        self.assertEqual(
            severities,
            [f.severity for f in found if f.aspect == 'library-rados'],
        )

    def test_no_python_is_named(self):
        result = self.run_check(back_end(THREE_PAR))
        (found,) = [f for f in result.findings if f.aspect == 'libraries']
        self.assertEqual(
            self.finding(
                WARNING,
                4,
                '[a]: manila-share imports hpe3parclient (python-3parclient '
                '4.2.0 or newer), which manila does not install; '
                'manila-precheck does not know whether the target has it',
                [
                    'Check with the Python of the target:',
                    model.command(
                        'python3 -I -c "import importlib.util as u; '
                        'print({name: bool(u.find_spec(name)) for name in '
                        "('hpe3parclient',)})\""
                    ),
                    'Or set python to that interpreter, and manila-precheck '
                    'checks it:',
                    '[manila_precheck_backend_drivers]\n'
                    'python = /opt/manila/bin/python3',
                ],
                THREE_PAR,
                'libraries',
                references=THREE_PAR_SOURCES,
            ),
            found,
        )

    def test_the_command_that_is_proposed_answers(self):
        result = self.run_check(back_end(CEPHFS))
        (found,) = [f for f in result.findings if f.aspect == 'libraries']
        (command,) = [r.text for r in found.remediation if r.kind == 'command']
        python = self.python(['rados.py'])
        done = subprocess.run(
            command.replace('python3', python, 1),
            shell=True,
            check=True,
            capture_output=True,
            text=True,
        )
        self.assertEqual(
            "{'ceph_argparse': False, 'rados': True}\n", done.stdout
        )


@ddt.ddt
class EnvironmentTest(PythonCase):
    def environment(self, severity, path, words, advice, manila, aspect):
        return model.Finding(
            severity,
            model.Subject('python', path),
            words,
            advice,
            check_id='backend-drivers',
            data={'python': HERE, 'manila': manila},
            aspect=aspect,
        )

    @ddt.data(
        (None, INFO, 'has no manila yet'),
        ('20.0.3', INFO, 'has manila 20.0.3 (2025.1)'),
        ('20.1.0.dev3', INFO, 'has manila 20.1.0.dev3 (2025.1)'),
        ('18.2.1', WARNING, 'has manila 18.2.1, which is not 2025.1'),
        ('unknown', WARNING, 'has manila unknown, which is not 2025.1'),
    )
    @ddt.unpack
    def test_its_manila(self, version, severity, words):
        python = self.python(**({'manila': version} if version else {}))
        result = self.run_check(
            back_end(DRIVERS + 'qnap.qnap.QnapShareDriver'),
            own={'python': python},
        )
        self.assert_found(
            result,
            self.environment(
                severity,
                python,
                f'{python} is Python {HERE} and {words}; the libraries of '
                'the drivers were looked up there',
                (
                    model.advice(
                        'If the services of the target will use another '
                        'interpreter, set python to it.'
                    ),
                )
                if severity is WARNING
                else (),
                version,
                'manila',
            ),
        )

    def test_a_python_that_is_too_old(self):
        answer = (
            '{"python": [3, 8, 10], "modules": {}, "versions": '
            '{"manila": null}, "classes": {}}'
        )
        python = self.write('python3.8', f"#!/bin/sh\necho '{answer}'\n")
        os.chmod(python, 0o755)
        result = self.run_check(
            back_end(DRIVERS + 'qnap.qnap.QnapShareDriver'),
            own={'python': python},
        )
        (found,) = [f for f in result.findings if f.aspect == 'version']
        self.assertEqual(
            model.Finding(
                FAILURE,
                model.Subject('python', python),
                f'{python} is Python 3.8.10, but 2025.1 requires 3.9 or '
                'newer; its packages cannot be installed there',
                (
                    model.advice(
                        'Set python to the interpreter that the services of '
                        'the target will use, 3.9 or newer.'
                    ),
                ),
                ('manila 20.0.3 requires-python',),
                {'python': '3.8.10', 'manila': None},
                'version',
                check_id='backend-drivers',
            ),
            found,
        )

    @ddt.named_data(
        ['missing', None, 'cannot be run: No such file or directory'],
        [
            'no_python',
            '#!/bin/sh\necho fine\n',
            'did not answer like a Python interpreter',
        ],
        [
            'another_answer',
            '#!/bin/sh\necho []\n',
            'did not answer like a Python interpreter',
        ],
        ['silent', '#!/bin/sh\nexit 3\n', 'ended with 3: it printed nothing'],
        [
            'loud',
            '#!/bin/sh\necho one >&2\necho two >&2\nexit 1\n',
            'ended with 1: two',
        ],
    )
    @ddt.unpack
    def test_one_that_cannot_be_used_is_an_error(self, text, words):
        self.write('keep', '')
        python = os.path.join(self.path, 'bin')
        if text is not None:
            self.write('bin', text)
            os.chmod(python, 0o755)
        result = self.run_check(
            enabled(section('a', f'share_driver = {CEPHFS}')),
            own={'python': python},
        )
        self.assertEqual(
            (model.Outcome.ERROR, f'python: {python} {words}'),
            (result.outcome, result.reason),
        )
        # The rest has been said.
        self.assertEqual(
            ['mode', 'storage', 'libraries'],
            sorted(
                (f.aspect for f in result.findings),
                key=['mode', 'storage', 'libraries'].index,
            ),
        )


BREAKS = 'raise SystemExit("the code of a vendor ran")\n'
DRIVER = 'from manila.share import driver\nclass Driver(driver.X): pass\n'


@ddt.ddt
class ThirdPartyTest(PythonCase):
    def driver(self, files):
        """Return the finding about a driver, over these files."""
        python = self.python()
        for name, text in files.items():
            self.write(f'{self.folder}/{name}', text)
        conf = enabled(
            section('a', 'share_driver = acme.shares.driver.Driver')
        )
        (found,) = self.library(conf, python)
        return found, python

    @ddt.named_data(
        [
            'packages',
            {
                'acme/__init__.py': BREAKS,
                'acme/shares/__init__.py': BREAKS,
                'acme/shares/driver.py': DRIVER + BREAKS,
            },
        ],
        ['name_spaces', {'acme/shares/driver.py': DRIVER}],
        [
            'a_package_that_imports_it',
            {'acme/shares/driver/__init__.py': 'from ._x import Y as Driver'},
        ],
        [
            'a_star',
            {'acme/shares/driver.py': 'from acme.shares._x import *\n'},
        ],
        ['under_try', {'acme/shares/driver.py': 'if 1:\n    Driver = 1\n'}],
        ['not_python', {'acme/shares/driver.py': 'class Driver(:\n'}],
    )
    @ddt.unpack
    def test_a_class_that_is_there(self, files):
        found, _python = self.driver(files)
        self.assertEqual(
            self.finding(
                WARNING,
                4,
                '[a] loads acme.shares.driver.Driver, a third-party driver: '
                'manila-precheck does not know whether it works with 2025.1',
                'Ask the vendor for the version that supports 2025.1, and '
                'install it during the upgrade. manila-share does not start '
                'if the class cannot be imported.',
                'acme.shares.driver.Driver',
                'driver',
            ),
            found,
        )

    @ddt.named_data(
        ['nothing', {}, '{} has no module acme.shares.driver'],
        [
            'package',
            {'acme/__init__.py': BREAKS},
            '{} has no module acme.shares.driver',
        ],
        [
            'module_in_the_way',
            {'acme.py': ''},
            '{} has no module acme.shares.driver',
        ],
        [
            'class',
            {'acme/shares/driver.py': 'class Drivers: pass\n'},
            'the module acme.shares.driver of {} has no Driver',
        ],
    )
    @ddt.unpack
    def test_a_class_that_is_not_there(self, files, words):
        found, python = self.driver(files)
        self.assertEqual(
            self.ends(
                4,
                '[a] loads acme.shares.driver.Driver, a third-party driver, '
                f'but {words.format(python)}',
                "Install the vendor's package for 2025.1 in the environment "
                f'of {python}.',
                'acme.shares.driver.Driver',
                'driver',
                python=python,
            ),
            found,
        )
