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
"""The HTML report in a real browser, where there is one.

Chromium loads the page, runs its script below its own
Content-Security-Policy, and hands back what became of it.
"""

import io
import os
import shutil
import subprocess

import fixtures
import testtools

from manila_precheck.reporters import html_report
from manila_precheck.tests import reports

_CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')


class ChromiumTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        if _CHROMIUM is None:
            self.skipTest('chromium is not here: apt install chromium')
        self.path = self.useFixture(fixtures.TempDir()).path
        stream = io.StringIO()
        html_report.HtmlReporter().write(reports.REPORT, stream)
        self.page = self.write('report.html', stream.getvalue())

    def write(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, 'w', encoding='utf-8') as stream:
            stream.write(text)
        return path

    def chromium(self, *flags, url=None):
        done = subprocess.run(
            [
                str(_CHROMIUM),
                '--headless',
                # Root of a container has no other way.
                '--no-sandbox',
                '--disable-gpu',
                # It asks nobody for anything.
                '--disable-background-networking',
                '--disable-component-update',
                '--disable-quic',
                '--disable-sync',
                '--no-first-run',
                '--enable-logging=stderr',
                f'--user-data-dir={self.path}/profile',
                *flags,
                url or f'file://{self.page}',
            ],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, 'HOME': self.path},
        )
        self.assertEqual(0, done.returncode, done.stderr)
        return done

    def test_the_script_runs_and_nothing_else_does(self):
        done = self.chromium('--dump-dom')
        for word in ('CONSOLE', 'Content Security Policy', 'Uncaught'):
            self.assertNotIn(word, done.stderr)
        # The script has shown the search and a button beside each command.
        self.assertNotIn('class="search" hidden', done.stdout)
        self.assertEqual(
            done.stdout.count('<pre'), done.stdout.count('>Copy</button>')
        )
        self.assertEqual(1, done.stdout.count('<script'))
        self.assertIn('DO NOT UPGRADE YET', done.stdout)

    def test_a_link_opens_the_check_that_it_leads_to(self):
        closed = self.chromium('--dump-dom').stdout
        self.assertIn('class="check has-info">', closed)
        opened = self.chromium(
            '--dump-dom', url=f'file://{self.page}#check-soft-deleted-rows-3'
        ).stdout
        self.assertIn('class="check has-info" open="">', opened)

    def test_the_policy_stops_a_script_that_gets_in(self):
        """What escaping keeps out would not run either."""
        with open(self.page, encoding='utf-8') as stream:
            text = stream.read()
        self.write(
            'report.html',
            text.replace(
                '</main>',
                '<script>document.title = "owned"</script></main>',
            ),
        )
        done = self.chromium('--dump-dom')
        self.assertIn('<title>DO NOT UPGRADE YET', done.stdout)
        self.assertIn('Content Security Policy', done.stderr)

    def test_it_is_as_wide_as_the_window(self):
        """No width makes a reader scroll sideways."""
        for width in (360, 800, 1400):
            frame = self.write(
                'frame.html',
                f'<iframe id="f" width="{width}" height="900" srcdoc=""'
                '></iframe><script>var f = document.getElementById("f");'
                'f.onload = function () {'
                'var e = f.contentDocument.documentElement;'
                'document.title = e.scrollWidth - e.clientWidth; };'
                'f.src = "report.html";'
                'f.removeAttribute("srcdoc");</script>',
            )
            done = self.chromium(
                '--dump-dom',
                '--allow-file-access-from-files',
                '--virtual-time-budget=3000',
                url=f'file://{frame}',
            )
            self.assertIn('<title>0</title>', done.stdout, str(width))

    def test_it_prints(self):
        target = os.path.join(self.path, 'report.pdf')
        self.chromium(f'--print-to-pdf={target}')
        with open(target, 'rb') as stream:
            self.assertEqual(b'%PDF-', stream.read(5))
