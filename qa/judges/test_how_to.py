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

"""Run the commands of the guides that need the target's manila."""

import pathlib
import subprocess

import testtools

from manila_precheck.catalog import builds
from manila_precheck.tests import venvs
from manila_precheck.tests.functional import test_how_to

PYTHON = pathlib.Path(venvs.DIRECTORY or '', 'm22', 'bin', 'python')

_DRIVER = """\
from manila.share import driver
from oslo_config import cfg

OPTIONS = [cfg.StrOpt('acme_endpoint')]
cfg.CONF.register_opts(OPTIONS)


class AcmeDriver(driver.ShareDriver):
    def __init__(self, *args, **kwargs):
        super().__init__(False, *args, **kwargs)
        self.configuration.append_config_values(OPTIONS)
"""


@testtools.skipUnless(bool(venvs.DIRECTORY), venvs.NOT_SET)
class HowToTest(test_how_to.Case):
    def test_the_pages_can_be_typed(self):
        if not PYTHON.exists():
            self.skipTest('no environment of 2026.1')
        site = self.useFixture(test_how_to.Site(str(PYTHON)))
        printed = self.try_page('newer_target.rst', site)
        self.assertEqual(3, len(printed))
        # The second command is that of the tool.
        text = pathlib.Path(site.path, 'target.json').read_text()
        self.assertEqual('22.0.2', builds.parse(text, 'it').version)
        self.assertIn('Configuration options', printed[2])

    def test_a_package_of_a_vendor(self):
        """It is in the environment of the target, beside its manila."""
        if not PYTHON.exists():
            self.skipTest('no environment of 2026.1')
        site = self.useFixture(test_how_to.Site())
        folder = pathlib.Path(site.path, 'manila-new')
        subprocess.run(
            [PYTHON, '-m', 'venv', '--without-pip', folder], check=True
        )
        (theirs,) = PYTHON.parents[1].glob('lib/python*/site-packages')
        (ours,) = folder.glob('lib/python*/site-packages')
        (ours / 'manila.pth').write_text(f'{theirs}\n')
        (ours / 'acme_manila.py').write_text(_DRIVER)
        site.target = str(folder / 'bin' / 'python')
        printed = self.try_page('vendor_drivers.rst', site)
        self.assertEqual(2, len(printed))
        text = pathlib.Path(site.path, 'target.json').read_text()
        build = builds.parse(text, 'it')
        self.assertEqual(('acme_manila',), build.out_of_tree)
        self.assertIn('acme_manila.AcmeDriver', build.entries['drivers'])
        self.assertIn('acme_endpoint', build.entries['options'])
