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

import io
import re

import ddt
import testtools

from manila_precheck import model
from manila_precheck.reporters import markdown
from manila_precheck.tests import golden
from manila_precheck.tests import reports


def _write(report):
    stream = io.StringIO()
    markdown.MarkdownReporter().write(report, stream, width=40, color=True)
    return stream.getvalue()


def _line(message, name='DEFAULT/a'):
    """Return the line of one finding."""
    finding = model.Finding(
        model.Severity.WARNING,
        model.Subject('option', name),
        message,
        check_id='some-check',
    )
    result = model.CheckResult(
        'some-check', 'Some check', model.Outcome.FOUND, findings=(finding,)
    )
    report = reports.CLEAN._replace(checks=(result,))
    (line,) = (s for s in _write(report).split('\n') if s.startswith('- `'))
    return line


@ddt.ddt
class MarkdownReporterTest(testtools.TestCase):
    def test_golden(self):
        golden.check(self, 'report.md', _write(reports.REPORT))

    def test_golden_clean(self):
        golden.check(self, 'clean.md', _write(reports.CLEAN))

    @ddt.data(
        ('<img src=x onerror=1>', '&lt;img src=x onerror=1&gt;'),
        ('a | b', 'a \\| b'),
        (
            '*b* _i_ `c` [l](u) ~s~',
            '\\*b\\* \\_i\\_ \\`c\\` \\[l\\](u) \\~<!-- -->s\\~',
        ),
        ('@all', '@<!-- -->all'),
        ('fixes #12', 'fixes #<!-- -->12'),
        ('!12 %1 $3 &1', '!<!-- -->12 %<!-- -->1 $<!-- -->3 &amp;<!-- -->1'),
        ('https://evil.example', 'https://<!-- -->evil.example'),
        ('www.evil.example', 'www<!-- -->.evil.example'),
        ('a\nb\x1b', 'a b\\\\x1b'),
        ('- x', '\\- x'),
        ('1. x', '1\\. x'),
    )
    @ddt.unpack
    def test_nothing_of_a_message_is_markup(self, message, shown):
        self.assertEqual(f'- `DEFAULT/a`: {shown}', _line(message))

    @ddt.data(
        ('a`b', '``a`b``'),
        ('`', '`` ` ``'),
        ('a|b', '`a\\x7cb`'),
        ('<b>', '`<b>`'),
    )
    @ddt.unpack
    def test_a_name_is_code(self, name, shown):
        self.assertEqual(f'- {shown}: It.', _line('It.', name))

    def test_a_command_stays_in_its_fence(self):
        report = reports.REPORT._replace(checks=(reports.HOSTILE,))
        text = _write(report)
        self.assertEqual(
            0, len(re.findall('^  ```', text, re.MULTILINE)) % 2, text
        )

    def test_many_findings_are_capped_and_counted(self):
        text = _write(reports.MANY)
        self.assertIn('- and 9980 more; `--format json` lists all\n', text)
        self.assertLess(len(text), 65536)
        text = _write(reports.MANY_ALIKE)
        self.assertIn(' and 9949 more\n', text)
        self.assertLess(len(text), 65536)
