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

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.reporters import html_report
from manila_precheck.reporters import markdown
from manila_precheck.reporters import table
from manila_precheck.reporters import words

_WAIVER = model.Waiver('a-check[a]', 'why', 'who', '2026-12-31')


def _finding(severity, **kwargs):
    return model.Finding(
        severity,
        model.Subject('share', 'a'),
        'It is.',
        check_id='a-check',
        **kwargs,
    )


@ddt.ddt
class VerdictTest(testtools.TestCase):
    """READY and DONE are for a whole run in which everything counts."""

    def verdict(self, *findings, stage='plan', **kwargs):
        result = model.CheckResult(
            'a-check',
            'A check',
            model.Outcome.FOUND if findings else model.Outcome.PASSED,
            findings=findings,
        )
        report = testing.report_of(result)._replace(
            stage=model.Stage(stage), **kwargs
        )
        return words.verdict(report)

    @ddt.data(('plan', 'READY'), ('stopped', 'READY'), ('upgraded', 'DONE'))
    @ddt.unpack
    def test_a_whole_run(self, stage, word):
        note = _finding(model.Severity.INFO, known=True)
        self.assertEqual(word, self.verdict(stage=stage)[0])
        self.assertEqual(word, self.verdict(note, stage=stage)[0])

    @ddt.data(('plan', 'READY'), ('stopped', 'READY'), ('upgraded', 'DONE'))
    @ddt.unpack
    def test_a_subset_of_the_checks_was_ready(self, stage, word):
        headline, todo = self.verdict(stage=stage, excluded=('b', 'c'))
        self.assertEqual('NO PROBLEM IN 1 OF 3 CHECKS', headline)
        self.assertTrue(
            todo.endswith(
                f' {word} requires a run of all checks on all rows.'
            ),
            todo,
        )

    def test_a_sample_of_the_rows_was_ready(self):
        self.assertEqual(
            'NO PROBLEM IN A SAMPLE OF THE ROWS',
            self.verdict(sampled=True)[0],
        )
        self.assertEqual(
            'NO PROBLEM IN 1 OF 2 CHECKS AND A SAMPLE OF THE ROWS',
            self.verdict(sampled=True, excluded=('b',))[0],
        )

    @ddt.data('surroundings', 'waivers', 'redact-names')
    def test_what_is_said_of_the_run_was_counted_as_a_check(self, name):
        result = model.CheckResult(name, 'A title', model.Outcome.PASSED)
        check = result._replace(id='a-check')
        report = testing.report_of(check, result)._replace(excluded=('b',))
        self.assertEqual(
            'NO PROBLEM IN 1 OF 2 CHECKS', words.verdict(report)[0]
        )

    def test_a_check_that_only_one_of_the_hosts_left_out(self):
        self.assertEqual(
            'NO PROBLEM IN 0 OF 1 CHECKS',
            self.verdict(excluded=('a-check',))[0],
        )

    @ddt.data(
        (model.Severity.WARNING, 'READ FIRST, 1 OF 2 CHECKS'),
        (model.Severity.FAILURE, 'DO NOT UPGRADE YET, 1 OF 2 CHECKS'),
    )
    @ddt.unpack
    def test_a_subset_with_problems(self, severity, headline):
        self.assertEqual(
            headline, self.verdict(_finding(severity), excluded=('b',))[0]
        )

    @ddt.data({'waiver': _WAIVER}, {'known': True})
    def test_what_counts_for_nothing_was_ready(self, kwargs):
        found = [
            _finding(severity, **kwargs)
            for severity in (model.Severity.FAILURE, model.Severity.WARNING)
        ]
        self.assertEqual(
            'READY, NOT COUNTING 2 FINDINGS', self.verdict(*found)[0]
        )
        self.assertEqual(
            'NO PROBLEM IN 1 OF 2 CHECKS, NOT COUNTING 1 FINDING',
            self.verdict(found[0], excluded=('b',))[0],
        )
        self.assertEqual(
            'DONE, NOT COUNTING 1 FINDING',
            self.verdict(found[0], stage='upgraded')[0],
        )


class CountsTest(testtools.TestCase):
    def test_what_is_said_of_the_run_itself_was_a_check(self):
        results = [
            model.CheckResult(
                name,
                name,
                model.Outcome.FOUND,
                findings=(_finding(model.Severity.WARNING),),
            )
            for name in ('a-check', 'surroundings', 'waivers')
        ]
        report = testing.report_of(*results)
        self.assertEqual(
            '1 check: 1 with warnings; besides: surroundings with warnings, '
            'waivers with warnings',
            words.counts(report),
        )


class SidesTest(testtools.TestCase):
    def test_the_builds(self):
        report = testing.report_of()
        self.assertEqual('2025.1, as given', words.source(report))
        report = report._replace(
            source_origin='shared',
            target_build='22.0.9',
            target_origin='package',
        )
        self.assertEqual(
            '2025.1, one of the releases that have the revision of the '
            'database',
            words.source(report),
        )
        self.assertEqual(
            '2026.1 (manila 22.0.9), from the installed manila',
            words.target(report),
        )
        report = report._replace(
            target_release='22.0.2', target_build='22.0.2'
        )
        self.assertEqual(
            '22.0.2, from the installed manila', words.target(report)
        )


class RowsTest(testtools.TestCase):
    """What is skipped for one reason is one line of the summary."""

    def result(self, name, reason, outcome=model.Outcome.SKIPPED):
        return model.CheckResult(name, name.upper(), outcome, reason=reason)

    def rows(self, *results):
        return [
            (row.check.id, row.name, row.note)
            for row in words.check_rows(testing.report_of(*results))
        ]

    def test_one_reason(self):
        self.assertEqual(
            [
                ('a', 'a', ''),
                ('b', '3 checks', 'no database: b, d, f'),
                ('c', 'c', 'no database'),
                ('e', 'e', 'no file'),
            ],
            self.rows(
                self.result('a', '', model.Outcome.PASSED),
                self.result('b', 'no database'),
                self.result('c', 'no database', model.Outcome.NOT_APPLICABLE),
                self.result('d', 'no database'),
                self.result('e', 'no file'),
                self.result('f', 'no database'),
            ),
        )

    def test_one_check(self):
        self.assertEqual(
            [('b', 'b', 'no database')],
            self.rows(self.result('b', 'no database')),
        )

    def test_the_reporters_say_it_once(self):
        report = testing.report_of(
            *(self.result(name, 'no database') for name in 'abc')
        )
        for one, rest in (
            (table.TableReporter(), 'SKIPPED  3 checks  no database: a, b, c'),
            (
                markdown.MarkdownReporter(),
                '| SKIPPED | 3 checks | no database: a, b, c |',
            ),
            (html_report.HtmlReporter(), '3 checks</span> '),
        ):
            stream = io.StringIO()
            one.write(report, stream)
            self.assertEqual(1, stream.getvalue().count(rest), rest)
