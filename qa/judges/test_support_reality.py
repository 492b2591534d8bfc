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

"""Compare the support matrix with the code of the releases themselves.

MANILA_PRECHECK_VENVS names a directory with one virtual environment per
release; a release without one is skipped. The source of the drivers is read;
nothing of manila is imported.
"""

import ast
import pathlib
import sys

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import drivers
from manila_precheck.catalog import requirements
from manila_precheck.catalog import support
from manila_precheck.catalog import versions
from manila_precheck.tests import venvs

FACTS = catalog.Catalog()
MATRIX = support.Matrix([support.load()])
MAJORS = [release.major for release in FACTS.releases]
CALLS = ('import_module', 'import_class', 'try_import')

# Files that import a library for drivers in other modules: file -> drivers.
SHARED = {
    'ganesha/manager.py': (
        'manila.share.drivers.cephfs.driver.CephFSDriver',
        'manila.share.drivers.glusterfs.GlusterfsShareDriver',
    ),
    'dell_emc/plugins/unity/client.py': ('emc:unity',),
    'dell_emc/plugins/unity/connection.py': ('emc:unity',),
    'hpe/hpe_3par_mediator.py': (
        'manila.share.drivers.hpe.hpe_3par_driver.HPE3ParShareDriver',
    ),
    'windows/winrm_helper.py': (
        'manila.share.drivers.windows.windows_smb_driver.WindowsSMBDriver',
    ),
}

# Drivers that refuse old versions: (the file, the names of the constant).
REFUSALS = {
    'manila.share.drivers.glusterfs.GlusterfsShareDriver': (
        'glusterfs/__init__.py',
        'GLUSTERFS_VERSION_MIN',
    ),
    'manila.share.drivers.glusterfs.glusterfs_native.'
    'GlusterfsNativeShareDriver': (
        'glusterfs/glusterfs_native.py',
        'GLUSTERFS_VERSION_MIN',
    ),
    'manila.share.drivers.hpe.hpe_3par_driver.HPE3ParShareDriver': (
        'hpe/hpe_3par_mediator.py',
        'MIN_CLIENT_VERSION',
    ),
    'manila.share.drivers.lustre.driver.LustreShareDriver': (
        'lustre/driver.py',
        'LUSTRE_MIN_VERSION',
    ),
    'manila.share.drivers.hpe.alletra_mp_b10000.hpe_alletra_driver.'
    'HPEAlletraMPB10000ShareDriver': (
        'hpe/alletra_mp_b10000/hpe_alletra_driver.py',
        'MINIMUM_DEVICE_VERSION',
        # 23
        'R5_MIN_DEVICE_VERSION',
    ),
}


def site_packages(major):
    found = pathlib.Path(venvs.DIRECTORY, f'm{major}').glob(
        'lib/python3*/site-packages'
    )
    return next(found, None)


def brought_along(packages):
    """Return the top-level modules of the packages installed with manila."""
    return {
        path.name.partition('.')[0].lower()
        for path in packages.iterdir()
        if not path.name.endswith(('.dist-info', '.pth'))
    }


def foreign_imports(tree, known):
    """Return the modules that a file imports but manila does not install."""
    found = set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or '']
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition('.')[2]
            value = getattr(node.args[0], 'value', None)
            if called in CALLS and isinstance(value, str):
                names = [value]
        found.update(name.partition('.')[0] for name in names)
    return {name for name in found if name.lower() not in known}


def needs_at_construction(tree, module):
    """Say whether building a driver fails without a module.

    True when an __init__ calls a function that names the module and may raise.
    """
    functions = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(
            isinstance(n, ast.Constant)
            and isinstance(n.value, str)
            and n.value.partition('.')[0] == module
            for n in ast.walk(node)
        )
        and any(isinstance(n, ast.Raise) for n in ast.walk(node))
    }
    return any(
        isinstance(call, ast.Call) and ast.unparse(call.func) in functions
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == '__init__'
        for call in ast.walk(node)
    )


@ddt.ddt
class SupportMatrixRealityTest(testtools.TestCase):
    def release(self, major):
        if not venvs.DIRECTORY:
            self.skipTest(venvs.NOT_SET)
        self.packages = site_packages(major)
        if self.packages is None:
            self.skipTest(f'm{major} is not there')
        self.root = self.packages / 'manila' / 'share' / 'drivers'
        return releases.from_major(major)

    def tree(self, path):
        return ast.parse((self.root / path).read_text(encoding='utf-8'))

    def rows(self, release):
        names = [
            *FACTS.drivers(release),
            *(
                f'emc:{name}'
                for name in FACTS.plugins(release, drivers.EMC_PLUGIN)
            ),
        ]
        found = {name: MATRIX.find(name, release) for name in names}
        return {name: row for name, row in found.items() if row is not None}

    def owners(self, path, release):
        """Return the drivers to which a file belongs."""
        if path in SHARED:
            return SHARED[path]
        module = 'manila.share.drivers.' + path[:-3].replace('/', '.')
        return [
            name
            for name in FACTS.drivers(release)
            if name.rpartition('.')[0] == module
        ]

    @ddt.data(*MAJORS)
    def test_the_modules_of_the_rows_are_those_that_drivers_import(
        self, major
    ):
        release = self.release(major)
        known = brought_along(self.packages) | set(sys.stdlib_module_names)
        imported = {}
        for file in sorted(self.root.rglob('*.py')):
            path = file.relative_to(self.root).as_posix()
            foreign = foreign_imports(self.tree(path), known)
            for name in self.owners(path, release) if foreign else ():
                imported.setdefault(name, set()).update(foreign)
            if foreign:
                self.assertNotEqual([], list(self.owners(path, release)), path)
        wanted = {
            name: {item.module for item in row.libraries}
            for name, row in self.rows(release).items()
            if row.libraries
        }
        self.assertEqual(wanted, imported)

    @ddt.data(*MAJORS)
    def test_when_a_missing_module_is_noticed(self, major):
        release = self.release(major)
        for name, row in self.rows(release).items():
            path = next(
                (p for p, users in SHARED.items() if name in users), None
            )
            if name.endswith('.CephFSDriver'):
                path = 'cephfs/driver.py'
            for item in row.libraries:
                here = path or (
                    name.rpartition('.')[0]
                    .replace('manila.share.drivers.', '')
                    .replace('.', '/')
                    + '.py'
                )
                early = needs_at_construction(self.tree(here), item.module)
                if item.option:
                    # The library is needed by GaneshaManager, which do_setup()
                    # builds.
                    early = False
                self.assertEqual(
                    item.moment,
                    requirements.LOAD if early else requirements.SETUP,
                    f'{name} {item.module}',
                )

    @ddt.data(*MAJORS)
    def test_what_the_drivers_refuse(self, major):
        release = self.release(major)
        checked = set()
        for name, row in self.rows(release).items():
            items = [
                item
                for item in [*row.storage, *row.libraries]
                if item.refused_below and not item.option
            ]
            self.assertEqual(name in REFUSALS, bool(items), name)
            for item in items:
                path, *constants = REFUSALS[name]
                (value,) = {
                    ast.literal_eval(node.value)
                    for node in ast.walk(self.tree(path))
                    if isinstance(node, ast.Assign)
                    and ast.unparse(node.targets[0]) in constants
                }
                if not isinstance(value, str):
                    value = '.'.join(str(number) for number in value)
                checked.add(name)
                self.assertEqual(
                    0, versions.compare(value, item.refused_below), name
                )
        self.assertIn(
            'manila.share.drivers.glusterfs.GlusterfsShareDriver', checked
        )

    @ddt.data(*MAJORS)
    def test_the_code_that_a_row_cites_is_there(self, major):
        release = self.release(major)
        for name, row in self.rows(release).items():
            for source in row.sources:
                start, _, path = source.partition('manila/share/drivers/')
                if path and start == 'manila ':
                    self.assertTrue((self.root / path).is_file(), name)
