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

"""Test where services of real releases fail to start.

Each fault is planted in the files of a controller, and the services are
started as in a rehearsal: cut off from the network, with no database. Every
program that ends is then run for real, and has to end with the same exception.
Needs MANILA_PRECHECK_VENVS.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import ddt
import fixtures
import testtools

from manila_precheck.act.rehearse import service_starts
from manila_precheck.act.rehearse import target
from manila_precheck.evidence.config import service_files
from manila_precheck.tests import venvs
from qa.real import faults
from qa.upgrade import site as sites

_MAJORS = (18, 20, 22, 23)

# How long to wait for a real service to end.
_REAL_SECONDS = 120

# The stages that a real program reaches at its start. It does not reach the
# others: it loads policies and opens the database at the first request.
_AT_START = ('import', 'start', 'application', 'options', 'coordination')
_LOAD = (
    'import sys; sys.argv[1:] = ["--config-file", %r]\n'
    'from manila.wsgi import wsgi; wsgi.initialize_application()'
)


@ddt.ddt
class ServiceStartsTest(testtools.TestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        if not venvs.DIRECTORY:
            self.skipTest(venvs.NOT_SET)
        self.home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def environment(self, major):
        folder = pathlib.Path(venvs.DIRECTORY, f'm{major}')
        if not folder.exists():
            self.skipTest(f'{folder} is not there')
        return folder

    def site(self, major, fault):
        state = self.home / 'state'
        state.mkdir()
        site = sites.make(
            self.home / 'home',
            self.environment(major) / 'etc' / 'manila' / 'api-paste.ini',
            state=state,
            connection='mysql+pymysql://manila@127.0.0.1:1/manila',
            transport_url='rabbit://guest@127.0.0.1:1/',
            api_port=8786,
            backup=self.home,
            api_server='',
        )
        fault.change(site)
        return site

    def start(self, major, site, names):
        folder = self.home / 'folder'
        folder.mkdir()
        starts = service_starts.start(
            target.Interpreter(
                str(self.environment(major) / 'bin' / 'python')
            ),
            [
                one
                for one in service_files.given([str(site.conf)])
                if not names or one.service in names
            ],
            {'place': {}, 'settings': []},
            '',
            str(folder),
            1800.0,
        )
        self.assertEqual('', starts.not_run)
        return starts.outcomes

    @ddt.data(*((major, name) for name in faults.FAULTS for major in _MAJORS))
    @ddt.unpack
    def test_what_ends(self, major, name):
        fault = faults.FAULTS[name]
        site = self.site(major, fault)
        ends = fault.ends(major) if callable(fault.ends) else fault.ends
        outcomes = self.start(major, site, fault.services)
        stops = [(one.name, stop) for one in outcomes for stop in one.stopped]
        self.assertEqual(
            ends,
            {who: stop.error for who, stop in stops if stop.ends},
            str(stops),
        )
        logged = [stop.words for _, stop in stops if not stop.ends]
        self.assertEqual(len(fault.logs), len(logged), str(logged))
        for words, expected in zip(logged, fault.logs):
            self.assertIn(expected, words)
        beyond = [
            one
            for outcome in outcomes
            for one in outcome.beyond
            if one.door != 'reads the database'
        ]
        self.assertEqual([], [one for one in beyond if one.unknown])
        self.assertEqual(len(fault.beyond), len(beyond), str(beyond))
        for one, expected in zip(beyond, fault.beyond):
            self.assertIn(expected, one.door)
        # Nothing is written to the operator's state_path.
        self.assertEqual([], os.listdir(self.home / 'state'))
        self.really(major, site, stops)

    def really(self, major, site, stops):
        """Run each program that ends, and assert that it ends alike."""
        tried = set()
        for who, stop in stops:
            program = who.partition('@')[0]
            if (
                stop.at not in _AT_START
                or program in tried
                # Without a database the real program does not get that far.
                or stop.at == 'coordination'
            ):
                continue
            tried.add(program)
            folder = self.environment(major) / 'bin'
            words = [str(folder / program), '--config-file', str(site.conf)]
            if program == faults.API:
                code = _LOAD % str(site.conf)
                words = [str(folder / 'python'), '-c', code]
            self.assert_ends(words, site.env(folder), stop.error)

    def assert_ends(self, words, env, error):
        """Run a program until it prints an exception.

        manila-share, as the parent of several back ends, only ends after the
        others; it is killed instead.
        """
        log = self.home / 'log'
        with open(log, 'wb') as stream:
            process = subprocess.Popen(
                words,
                env=env,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + _REAL_SECONDS
            text = ''
            while error not in text and time.monotonic() < deadline:
                ended = process.poll() is not None
                text = log.read_text(errors='replace')
                if ended:
                    break
                time.sleep(0.2)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.assertIn(error, text)
        self.assertNotEqual(0, process.returncode)
