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

import datetime
import io
import json
import os

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.cmd import precheck
from manila_precheck.engine import registry
from manila_precheck.reporters import json_report


class ReportTest(testtools.TestCase):
    verb: str

    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.ctl1 = self.write('ctl1.json', model.Severity.INFO)
        self.ctl2 = self.write('ctl2.json', model.Severity.WARNING)

    def write(self, name, severity, hours=1, left_out=()):
        """Write a report as a whole run makes it.

        :param hours: how old it is; None for one without a date.
        :param left_out: the ids of checks that did not run.
        """
        path = os.path.join(self.path, name)
        results = [
            model.CheckResult(entry.name, entry.name, model.Outcome.PASSED)
            for entry in registry.checks()
            if entry.builtin and entry.name not in left_out
        ]
        created = None
        if hours is not None:
            age = datetime.timedelta(hours=hours)
            created = (
                datetime.datetime.now(datetime.timezone.utc) - age
            ).isoformat()
        one = model.CheckResult(
            'some-check',
            'Some check',
            model.Outcome.FOUND,
            findings=(
                model.Finding(
                    severity,
                    model.Subject('host', 'x'),
                    'hm',
                    check_id='some-check',
                ),
            ),
        )
        report = testing.report_of(*results, one)._replace(created=created)
        with open(path, 'w') as stream:
            json_report.JsonReporter().write(report, stream)
        return path

    def main(self, *words):
        stdout, stderr = io.StringIO(), io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stdout', stdout))
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', stderr))
        code = precheck.main(['report', self.verb, *words])
        return code, stdout.getvalue(), stderr.getvalue()


@ddt.ddt
class ReportMergeTest(ReportTest):
    verb = 'merge'

    @ddt.data(
        (['ctl1.json'], [], 0),
        (['ctl1.json', 'ctl2.json'], [], 1),
        (['ctl1.json', 'ctl2.json'], ['--fail-on', 'failure'], 0),
        (['ctl1.json'], ['--expect', 'ctl1'], 0),
        (['ctl1.json'], ['--expect', 'ctl9'], 2),
        (['ctl1.json'], ['--expect', 'ctl9', '--fail-on', 'never'], 0),
    )
    @ddt.unpack
    def test_code(self, names, words, expected):
        paths = [os.path.join(self.path, name) for name in names]
        code, _, stderr = self.main(*words, *paths)
        self.assertEqual((expected, ''), (code, stderr))

    def test_it_can_be_merged_again(self):
        merged = os.path.join(self.path, 'merged')
        code, stdout, _ = self.main(
            '--format', 'json', '--report', f'json:{merged}', self.ctl1
        )
        self.assertEqual(0, code)
        with open(merged) as stream:
            self.assertEqual(stdout, stream.read())
        self.assertLess(
            {'configuration-drift', 'hosts', 'some-check'},
            {one['id'] for one in json.loads(stdout)['checks']},
        )
        self.assertEqual(1, self.main(merged, self.ctl2)[0])

    @ddt.data(([], False), (['--show-waivers'], True))
    @ddt.unpack
    def test_show_waivers(self, words, shown):
        other = os.path.join(self.path, 'other.txt')
        words = [*words, '--report', f'table:{other}', self.ctl2]
        _code, stdout, _stderr = self.main(*words)
        with open(other) as stream:
            self.assertEqual(stdout, stream.read())
        self.assertIs(shown, '- {key: "some-check[x]"' in stdout)

    def test_verbose(self):
        """What else is shortened beyond a hundred and twenty lines."""
        finding = model.Finding(
            model.Severity.WARNING,
            model.Subject('host', 'x'),
            'hm',
            (model.advice('Do it.'),),
            check_id='some-check',
        )
        result = model.CheckResult(
            'some-check',
            'Some check',
            model.Outcome.FOUND,
            findings=tuple(
                finding._replace(
                    subject=model.Subject('host', f'x{one}'), cause=str(one)
                )
                for one in range(100)
            ),
        )
        path = os.path.join(self.path, 'many.json')
        with open(path, 'w') as stream:
            json_report.JsonReporter().write(testing.report_of(result), stream)
        _code, stdout, _ = self.main(path)
        self.assertNotIn('Do it.', stdout)
        _code, stdout, _ = self.main('--verbose', path)
        self.assertEqual(100, stdout.count('Do it.'))

    def region(self, *parts):
        """Return a path in a region of the directory of reports."""
        os.makedirs(os.path.join(self.path, 'r', *parts[:-1]), exist_ok=True)
        return os.path.join('r', *parts)

    def test_a_directory_of_regions(self):
        info, warning = model.Severity.INFO, model.Severity.WARNING
        self.write(self.region('ctl1.json'), info)
        self.write(self.region('west', 'ctl1.json'), warning, hours=2)
        self.write(self.region('east', 'ctl1.json'), info, hours=3)
        for other in ('notes.txt', '.hidden.json', 'east/x.html'):
            with open(os.path.join(self.path, 'r', other), 'w') as stream:
                stream.write('no report')
        code, stdout, stderr = self.main(
            *('--format', 'json', os.path.join(self.path, 'r')),
            *('--expect', 'west/ctl1', '--expect', 'west/ctl2'),
        )
        self.assertEqual((2, ''), (code, stderr))
        self.assertEqual(
            [
                ('', 'ctl1', 0),
                ('east', 'ctl1', 0),
                ('west', 'ctl1', 1),
                ('west', 'ctl2', None),
            ],
            [
                (one['region'], one['name'], one['code'])
                for one in json.loads(stdout)['hosts']
            ],
        )

    def test_the_runs_before(self):
        previous = os.path.join(self.path, 'previous.json')
        for number in range(3):
            words = ['--previous', previous] if number else []
            words += ['--report', f'json:{previous}.new', self.ctl2]
            self.assertEqual(1, self.main(*words)[0])
            os.replace(f'{previous}.new', previous)
        with open(previous) as stream:
            runs = json.load(stream)['runs']
        self.assertEqual(
            [(1, 0, 1)] * 2,
            [(one['hosts'], one['failures'], one['warnings']) for one in runs],
        )

    @ddt.data(
        (1, [], 0),
        (25, [], 1),
        (None, [], 1),
        (25, ['--max-age', '26'], 0),
        (25, ['--max-age', '0'], 0),
        (None, ['--max-age', '0'], 0),
        (-1, ['--max-age', '0'], 1),
    )
    @ddt.unpack
    def test_an_old_report_is_not_ready(self, hours, words, expected):
        path = self.write('ctl3.json', model.Severity.INFO, hours)
        self.assertEqual((expected, ''), self.main(path, *words)[::2])

    def test_a_subset_of_the_checks_is_not_ready(self):
        path = self.write(
            'ctl3.json', model.Severity.INFO, left_out=['api-paste']
        )
        code, stdout, _ = self.main(path)
        self.assertEqual(1, code)
        self.assertIn('no result of api-paste', stdout)

    @ddt.data(
        ([], 'the following arguments are required: FILE'),
        (['{ctl1}', '{ctl1}'], 'there is another report of ctl1'),
        (['/nowhere'], '/nowhere: No such file or directory'),
        (['{empty}'], 'there is no report (*.json) in it'),
        (
            ['{ctl1}', '--previous', '/nowhere'],
            '/nowhere: No such file or directory',
        ),
        (
            ['{ctl1}', '--previous', '{ctl2}', '--report', 'json:{ctl2}'],
            'it would replace',
        ),
        (['{ctl1}', '{link}'], 'it is the same file as '),
        (['{ctl1}', '--max-age', '-1'], "'-1' is not a whole number of hours"),
        (
            ['{ctl1}', '--max-age', 'NaN'],
            "'NaN' is not a whole number of hours",
        ),
        (['{ctl1}', '--format', 'nonsense'], "unknown format 'nonsense'"),
        (['{ctl1}', '--report', 'json:/nowhere/x'], 'there is no directory'),
        (['{ctl1}', '--fail-on', 'info'], "unknown --fail-on 'info'; known"),
    )
    @ddt.unpack
    def test_refused(self, words, expected):
        link = os.path.join(self.path, 'ctl3.json')
        os.symlink(self.ctl1, link)
        empty = os.path.join(self.path, 'empty')
        os.mkdir(empty)
        paths = {'ctl1': self.ctl1, 'ctl2': self.ctl2}
        code, stdout, stderr = self.main(
            *(word.format(link=link, empty=empty, **paths) for word in words)
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn(expected, stderr)
        self.assertEqual(1, stderr.count('\n'))


@ddt.ddt
class ReportDiffTest(ReportTest):
    verb = 'diff'

    @ddt.data(
        ('ctl1', 'ctl1', [], 0),
        ('ctl1', 'ctl2', [], 1),
        ('ctl1', 'ctl2', ['--fail-on', 'failure'], 0),
        ('ctl2', 'ctl1', [], 0),
        ('ctl2', 'ctl2', [], 0),
    )
    @ddt.unpack
    def test_code(self, old, new, words, expected):
        code, stdout, stderr = self.main(
            *(getattr(self, old), getattr(self, new)), *words
        )
        self.assertEqual((expected, ''), (code, stderr))

    def test_every_format(self):
        for entry in registry.entries(registry.REPORTERS):
            with self.subTest(entry.name):
                path = os.path.join(self.path, f'out.{entry.name}')
                code, stdout, _ = self.main(
                    self.ctl2,
                    self.ctl1,
                    *('--report', f'{entry.name}:{path}'),
                    *('--format', entry.name),
                )
                self.assertEqual(0, code)
                said = 'changed: it was WARNING'
                if entry.name == 'openmetrics':
                    said = 'check="report-diff",severity="info"} 1'
                with open(path) as stream:
                    self.assertIn(said, stream.read())
                self.assertIn(said, stdout)

    @ddt.data(
        (['{ctl1}'], 'the following arguments are required: NEW'),
        (['{ctl1}', '/nowhere'], '/nowhere: No such file or directory'),
        (['{hidden}', '{ctl1}'], 'it was written with --redact-names'),
        (['{ctl1}', '{hidden}'], 'it was written with --redact-names'),
        (['{ctl1}', '{ctl2}', '--format', 'x'], "unknown format 'x'"),
        (['{ctl1}', '{ctl2}', '--report', 'json:{ctl1}'], 'it would replace'),
    )
    @ddt.unpack
    def test_refused(self, words, expected):
        hidden = os.path.join(self.path, 'hidden.json')
        with open(hidden, 'w') as stream:
            json_report.JsonReporter().write(
                testing.report_of()._replace(redacted_names=True), stream
            )
        paths = {'ctl1': self.ctl1, 'ctl2': self.ctl2, 'hidden': hidden}
        code, stdout, stderr = self.main(
            *(word.format(**paths) for word in words)
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn(expected, stderr)
        self.assertEqual(1, stderr.count('\n'))
