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
import base64
import hashlib
import os
import pathlib
import sys

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.evidence.host import programs

CHECK = 'local-changes'
FILES = {
    'manila/__init__.py': '',
    'manila/share/api.py': 'API = 1\n',
    'manila/share/manager.py': 'MANAGER = 1\n',
    'manila/share/drivers/generic.py': 'DRIVER = 1\n',
}
PIP, DPKG, RPM = 'pip', 'dpkg', 'rpm'


class Programs(fixtures.Fixture):
    """What dpkg or rpm prints of the package, in the words of the real one.

    Those of dpkg 1.21 and rpm 4.18, each seen with a package of manila.
    """

    def __init__(self, manager, site):
        super().__init__()
        self.manager = manager
        self.site = site
        self.verified = ''
        self.failing = ''
        #: Paths of other packages.
        self.others = set()

    def _setUp(self):
        self.owned = {
            str(self.site / name) for name in (*FILES, 'manila/share')
        }
        self.useFixture(fixtures.MockPatchObject(programs, 'find', self.find))
        self.useFixture(fixtures.MockPatchObject(programs, 'run', self.run))

    def find(self, name):
        return f'/usr/bin/{name}' if self.manager in name else None

    def run(self, words, seconds, name=''):
        program, flag, *rest = words
        if flag == self.failing:
            return programs.Done(2, '', 'error: no database\n')
        answers = {
            '--search': self.search,
            '-qf': self.query,
            '--listfiles': self.list,
            '-ql': self.list,
            '--verify': self.verify,
            '-V': self.verify,
        }
        return answers[flag](rest)

    def search(self, paths):
        found = [p for p in paths if p in self.owned | self.others]
        return programs.Done(
            0 if found == paths else 1,
            ''.join(f'python3-manila: {path}\n' for path in found),
            'dpkg-query: no path found matching pattern\n',
        )

    def query(self, words):
        _flag, word, *paths = words
        word = word.replace('%{NAME}', 'python3-manila').replace('\\n', '')
        found = [
            word
            if path in self.owned | self.others
            else f'file {path} is not owned by any package'
            for path in paths
        ]
        return programs.Done(
            sum(line != word for line in found), '\n'.join(found), ''
        )

    def list(self, words):
        return programs.Done(0, '\n'.join(sorted(self.owned)), '')

    def verify(self, words):
        return programs.Done(1 if self.verified else 0, self.verified, '')


@ddt.ddt
class LocalChangesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.site = pathlib.Path(
            os.path.realpath(self.useFixture(fixtures.TempDir()).path)
        )
        rows = []
        for name, text in FILES.items():
            self.write(name, text)
            digest = hashlib.sha256(text.encode()).digest()
            hashed = base64.urlsafe_b64encode(digest).decode().rstrip('=')
            rows.append(f'{name},sha256={hashed},{len(text)}')
        # Of a file that pip compiles, and of what is beside the package.
        rows += ['manila/__pycache__/__init__.cpython-311.pyc,,']
        rows += ['../../../bin/manila-api,sha256=AAAA,10']
        self.info = self.site / 'manila-20.0.3.dist-info'
        self.info.mkdir()
        (self.info / 'METADATA').write_text('Name: manila\nVersion: 20.0.3\n')
        (self.info / 'RECORD').write_text('\n'.join(rows))
        self.useFixture(
            fixtures.MonkeyPatch('sys.path', [str(self.site), *sys.path])
        )
        # Whatever this machine has.
        self.find = self.useFixture(
            fixtures.MockPatchObject(
                programs, 'find', autospec=True, return_value=None
            )
        )

    def write(self, name, text):
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_check(self, **names):
        names = {
            'source': '2025.1',
            'target': '2026.1',
            'installed': '20.0.3',
            **names,
        }
        return self.useFixture(testing.Site(**names)).run(CHECK)

    def found(self, folder, words, manager=PIP, **counts):
        """Return the finding of a directory."""
        commands = {
            PIP: (
                'python3 -m pip install --no-deps --target manila-20.0.3 '
                'manila==20.0.3',
                f'diff -r manila-20.0.3/manila {self.site}/manila',
            ),
            DPKG: ('dpkg --verify python3-manila',),
            RPM: ('rpm -V python3-manila',),
        }
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('directory', folder),
            f'{folder} of manila 20.0.3 has local changes, which the upgrade '
            f'to 2026.1 discards: {words}',
            (
                model.advice(
                    "Find out what made the changes: a vendor's driver, a hot "
                    'fix, an edit. Check whether 2026.1 has them; if not, get '
                    'them for 2026.1, and apply them after its packages are '
                    'installed and before its services start.'
                ),
                *(model.command(text) for text in commands[manager]),
            ),
            check_id=CHECK,
            data={
                'installed': '20.0.3',
                'installed_by': manager,
                **{'changed': 0, 'added': 0, 'missing': 0, **counts},
            },
        )

    def assert_result(self, result, outcome, *findings, reason=''):
        self.assertEqual(
            model.CheckResult(
                id=CHECK,
                title='Local changes',
                outcome=outcome,
                reason=reason,
                findings=findings,
            ),
            result,
        )

    def assert_found(self, *findings):
        self.assert_result(
            self.run_check(),
            model.Outcome.FOUND if findings else model.Outcome.PASSED,
            *findings,
        )

    @ddt.data('plan', 'stopped')
    def test_as_installed(self, stage):
        self.write('manila/__pycache__/api.cpython-311.pyc', 'x')
        self.write('manila/share/old.pyc', 'x')
        self.assert_result(self.run_check(stage=stage), model.Outcome.PASSED)

    def test_once_it_is_upgraded(self):
        self.write('manila/share/api.py', '')
        self.assert_result(
            self.run_check(stage='upgraded', installed='22.0.2'),
            model.Outcome.NOT_APPLICABLE,
            reason='it does not run at stage upgraded',
        )

    @ddt.data('API = 2\n', 'API = 1\nMORE = 1\n', '')
    def test_a_file_with_other_contents(self, text):
        self.write('manila/share/api.py', text)
        self.assert_found(
            self.found('manila/share', '1 changed (api.py)', changed=1)
        )

    def test_a_file_that_is_missing(self):
        (self.site / 'manila/share/manager.py').unlink()
        self.assert_found(
            self.found('manila/share', '1 missing (manager.py)', missing=1)
        )

    def test_files_that_were_added(self):
        self.write('manila/share/drivers/acme/__init__.py', '')
        self.write('manila/share/drivers/acme/driver.py', '')
        self.write('manila/share/api.py.orig', '')
        self.assert_found(
            self.found('manila/share', '1 added (api.py.orig)', added=1),
            self.found(
                'manila/share/drivers/acme',
                '2 added (__init__.py, driver.py)',
                added=2,
            ),
        )

    def test_a_directory_with_everything(self):
        self.write('manila/share/api.py', '')
        (self.site / 'manila/share/manager.py').unlink()
        for number in range(7):
            self.write(f'manila/share/hot_{number}.py', '')
        self.assert_found(
            self.found(
                'manila/share',
                '1 changed (api.py), 7 added (hot_0.py, hot_1.py, hot_2.py, '
                'hot_3.py, hot_4.py and 2 more), 1 missing (manager.py)',
                changed=1,
                added=7,
                missing=1,
            )
        )

    def test_a_link_to_the_same(self):
        """As uv installs a package with --link-mode symlink."""
        path = self.site / 'manila/share/api.py'
        path.rename(self.site / 'api.py')
        path.symlink_to(self.site / 'api.py')
        self.assert_found()

    def test_a_directory_that_is_a_link(self):
        folder = self.site / 'manila/share/drivers'
        other = self.site / 'acme'
        folder.rename(other)
        (other / 'generic.py').write_text('ACME = 1\n')
        folder.symlink_to(other)
        self.assert_found(
            self.found('manila/share', '1 added (drivers)', added=1),
            self.found(
                'manila/share/drivers', '1 changed (generic.py)', changed=1
            ),
        )

    def test_what_is_no_file(self):
        path = self.site / 'manila/share/api.py'
        path.unlink()
        os.mkfifo(path)
        self.assert_found(
            self.found('manila/share', '1 changed (api.py)', changed=1)
        )

    @ddt.data('sha999=AAAA', 'sha256=A')
    def test_a_hash_that_is_none(self, hashed):
        (self.info / 'RECORD').write_text(f'manila/__init__.py,{hashed},0\n')
        self.assert_result(
            self.run_check(),
            model.Outcome.ERROR,
            reason='the RECORD of manila has no known hash of '
            f'{self.site}/manila/__init__.py: {hashed!r}',
        )

    def test_a_file_without_a_hash(self):
        text = (self.info / 'RECORD').read_text()
        (self.info / 'RECORD').write_text(f'{text}\nmanila/made.py,,\n')
        self.write('manila/made.py', 'anything')
        self.assert_found()

    @ddt.data(None, '', 'elsewhere/manila.py,,\n')
    def test_nothing_tells(self, record):
        """A checkout (--editable), or a package without RECORD."""
        (self.info / 'RECORD').unlink()
        if record is not None:
            (self.info / 'RECORD').write_text(record)
        self.assert_result(
            self.run_check(),
            model.Outcome.ERROR,
            reason='the original contents of the files of '
            f'{self.site}/manila are not known: no package of dpkg or rpm '
            'owns them, and their metadata has no RECORD',
        )

    def test_not_installed(self):
        self.assert_result(
            self.run_check(installed=None),
            model.Outcome.NOT_APPLICABLE,
            reason='manila is not installed in this environment',
        )

    def test_the_target(self):
        self.assert_result(
            self.run_check(installed='22.0.2'),
            model.Outcome.NOT_APPLICABLE,
            reason='the manila of this environment is the target',
        )

    def test_only_metadata(self):
        os.rename(self.site / 'manila', self.site / 'other')
        self.assert_result(
            self.run_check(),
            model.Outcome.NOT_APPLICABLE,
            reason='this environment has metadata of manila and no package',
        )

    # --- what a distribution installed

    def managed(self, manager):
        return self.useFixture(Programs(manager, self.site))

    @ddt.data(DPKG, RPM)
    def test_as_packaged(self, manager):
        # RECORD is not asked: a distribution may patch what it builds.
        self.write('manila/share/api.py', 'PATCHED = 1\n')
        self.managed(manager)
        self.assert_found()

    @ddt.data(
        (DPKG, '??5??????   {0}\nmissing     {1}\n'),
        (DPKG, '??5?????? c {0}\nmissing   c {1} (No such file)\n'),
        (RPM, '.M.......    {2}\nS.5....T.    {0}\nmissing     {1}\n'),
        (RPM, '.......T.  c {2}\n....L....  c {0}\nmissing   c {1}\n'),
    )
    @ddt.unpack
    def test_changes_of_a_package(self, manager, verified):
        (self.site / 'manila/share/manager.py').unlink()
        self.write('manila/share/hot.py', '')
        self.write('manila/share/of_another_package.py', '')
        managed = self.managed(manager)
        managed.verified = verified.format(
            *(
                self.site / 'manila' / name
                for name in ('share/api.py', 'share/manager.py', '__init__.py')
            )
        )
        managed.others.add(
            str(self.site / 'manila/share/of_another_package.py')
        )
        self.assert_found(
            self.found(
                'manila/share',
                '1 changed (api.py), 1 added (hot.py), 1 missing (manager.py)',
                manager,
                changed=1,
                added=1,
                missing=1,
            )
        )

    def test_packages_of_others(self):
        managed = self.managed(DPKG)
        managed.owned = set()
        self.write('manila/share/api.py', '')
        self.assert_found(
            self.found('manila/share', '1 changed (api.py)', changed=1)
        )

    @ddt.data(
        (DPKG, '--search', 'dpkg-query'),
        (DPKG, '--listfiles', 'dpkg-query'),
        (DPKG, '--verify', 'dpkg'),
        (RPM, '-qf', 'rpm'),
        (RPM, '-ql', 'rpm'),
        (RPM, '-V', 'rpm'),
    )
    @ddt.unpack
    def test_a_manager_that_fails(self, manager, failing, name):
        self.managed(manager).failing = failing
        self.assert_result(
            self.run_check(),
            model.Outcome.ERROR,
            reason=f'{name} ended with 2: error: no database',
        )
