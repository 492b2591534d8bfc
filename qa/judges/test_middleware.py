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

"""Ask real releases which options the middleware of the API reads.

Needs MANILA_PRECHECK_VENVS: see :mod:`manila_precheck.tests.venvs`.
"""

import json
import os
import pathlib
import subprocess
import unittest

import ddt
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import middleware
from manila_precheck.tests import venvs
from qa import hops

_SCRIPT = pathlib.Path(__file__).parent / 'ask_middleware.py'

_TRACING = 'oslo_middleware_tracing'

# The settings to try for each section. Options that enable and options that
# disable need separate runs.
_SETTINGS = {
    'cors': [{'oslo_config_project': 'manila'}],
    'healthcheck': [
        {'backends': 'disable_by_file,disable_by_files_ports'},
        {'backends': 'enable_by_files'},
    ],
    _TRACING: [{'service_name': 'manila'}],
}


@ddt.ddt
@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
class MiddlewareTest(testtools.TestCase):
    @ddt.data(*hops.RELEASES)
    def test_each_option_is_read_by_the_middleware_that_is_named(self, name):
        release = releases.parse(name)
        major = release.major
        python = os.path.join(venvs.DIRECTORY, f'm{major}', 'bin', 'python')
        if not os.path.exists(python):
            self.skipTest(f'no virtual environment of {release}')
        asked = [
            (spec, settings)
            for one in middleware.ALL
            for spec in one.specs
            for settings in _SETTINGS.get(one.section, [{}])
        ]
        done = subprocess.run(
            [
                python,
                str(_SCRIPT),
                json.dumps(asked),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        read = set()
        for (spec, _), answer in zip(asked, json.loads(done.stdout)):
            for section, option in answer or ():
                if section in middleware.SECTIONS:
                    named = middleware.reading(section, option)
                    self.assertIsNotNone(named, f"{section} {option}")
                    self.assertIn(spec, named.specs, f"{section} {option}")
                    read.add((section, option))
        options = catalog.Catalog().options(release)
        has = {
            (section, option): options.find(section, option)
            for section in middleware.SECTIONS
            for option in options.names
        }
        self.assertEqual(
            sorted(
                place
                for place, match in has.items()
                if match is not None
                and not match.old
                # Its other options are read only when tracing is enabled,
                # which needs libraries that the environments lack.
                and (place[0] != _TRACING or place[1] == 'enabled')
            ),
            sorted(read),
            done.stderr,
        )
