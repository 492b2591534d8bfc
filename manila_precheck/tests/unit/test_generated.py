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

"""The files in the tree that are generated say what the code says."""

import io
import os
import re

from oslo_config import cfg
from oslo_config import generator
import testtools

from manila_precheck.tests import golden
from manila_precheck.tests import tool_scripts

ROOT = tool_scripts.DIRECTORY.parent
SAMPLE = ROOT / 'etc' / 'manila-precheck' / 'manila-precheck.conf.sample'

# A section, or an option with its default; the rest is in the words of this
# release of oslo.config.
_OPTION = re.compile(r'^(?:\[.+\]|#\w+ = .*)$', re.MULTILINE)


class GeneratedFilesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if not SAMPLE.is_file():
            self.skipTest('the files are in the source tree only')

    def test_the_manual_page(self):
        tool = tool_scripts.load('build_man')
        if os.environ.get(golden.REGENERATE):
            tool.PAGE.write_text(tool.page(), encoding='ascii')
        self.assertEqual(
            tool.PAGE.read_text(encoding='ascii'),
            tool.page(),
            'write it with tools/build_man.py, and read the difference',
        )

    def test_the_sample_has_every_option(self):
        conf = cfg.ConfigOpts()
        generator.register_cli_opts(conf)
        conf(['--namespace', 'manila_precheck', '--wrap-width', '79'])
        stream = io.StringIO()
        generator.generate(conf, stream)
        if os.environ.get(golden.REGENERATE):
            SAMPLE.write_text(stream.getvalue(), encoding='utf-8')
        self.assertEqual(
            _OPTION.findall(stream.getvalue()),
            _OPTION.findall(SAMPLE.read_text(encoding='utf-8')),
            'write it with "tox -e genconfig"',
        )
