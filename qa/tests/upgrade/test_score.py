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

"""Tests of the score of predictions against what happened."""

import testtools

from qa.upgrade import observe
from qa.upgrade import score
from qa.upgrade import table

Level = score.Level

_EXPECTED = (('failure', 'some-check[[]a#*]'),)


def _result(level, predicted, expected=_EXPECTED, **kwargs):
    return score.Result(
        path='p',
        scenario='s',
        expected=expected,
        predicted=predicted,
        observed=score.Observed(level, 'words'),
        **kwargs,
    )


class ResultTest(testtools.TestCase):
    def test_what_is_foretold_and_happens_passes(self):
        result = _result(Level.BROKEN, {'some-check[a#b]': 'failure'})
        self.assertTrue(result.passed)
        self.assertEqual(1, result.right)

    def test_silence_about_nothing_passes(self):
        self.assertTrue(_result(Level.NOTHING, {}, ()).passed)

    def test_silence_about_what_happens_is_a_miss(self):
        result = _result(Level.BROKEN, {}, ())
        self.assertTrue(result.is_missed)
        self.assertFalse(result.passed)

    def test_what_a_service_logs_as_deprecated_is_to_be_said(self):
        logged = frozenset({'DEFAULT/quota_shares', 'a/b'})
        seen = score.Observed(Level.NOTHING, 'starts', logged)
        result = score.Result('p', 's', (), {}, seen)
        self.assertEqual(logged, result.unannounced)
        self.assertTrue(result.is_missed)
        self.assertEqual(
            'MISSED nothing: starts, UNANNOUNCED DEFAULT/quota_shares, a/b',
            table.happened(result),
        )
        found = score.score([result])
        self.assertEqual((1, 0), (found.happened, found.foretold))
        said = score.Result('p', 's', (), {}, seen, announced=logged | {'c'})
        self.assertTrue(said.passed)
        self.assertEqual(1, score.score([said]).foretold)

    def test_a_warning_of_what_breaks_is_a_miss(self):
        result = _result(
            Level.BROKEN, {'x[a]': 'warning'}, (('warning', '*'),)
        )
        self.assertTrue(result.is_missed)
        self.assertEqual({}, result.wrong)

    def test_a_failure_that_does_not_happen_is_wrong(self):
        result = _result(Level.CHANGED, {'some-check[a#b]': 'failure'})
        self.assertEqual({'some-check[a#b]': 'failure'}, result.wrong)
        self.assertFalse(result.passed)

    def test_a_finding_that_nobody_expects_is_wrong(self):
        result = _result(
            Level.BROKEN, {'some-check[a#b]': 'failure', 'y': 'warning'}
        )
        self.assertEqual({'y': 'warning'}, result.wrong)

    def test_an_expected_finding_has_its_severity(self):
        result = _result(Level.CHANGED, {'some-check[a#b]': 'warning'})
        self.assertEqual([_EXPECTED[0]], result.missing)

    def test_a_remedy_leaves_nothing(self):
        said = {'some-check[a#b]': 'failure'}
        after = score.Observed(Level.NOTHING, 'starts')
        done = _result(Level.BROKEN, said, left={}, after=after)
        self.assertTrue(done.passed)
        for kwargs in (
            {'left': said, 'after': after},
            {'left': {}, 'after': score.Observed(Level.CHANGED, 'x')},
            {'left': {}, 'after': after, 'refused': ('x gave 2',)},
        ):
            self.assertFalse(_result(Level.BROKEN, said, **kwargs).passed)


class ScoreTest(testtools.TestCase):
    def test_each_figure_is_of_what_it_says(self):
        said = {'some-check[a#b]': 'failure'}
        found = score.score(
            [
                _result(Level.NOTHING, {}, ()),
                _result(Level.BROKEN, said, left={}),
                _result(Level.BROKEN, {**said, 'y': 'warning'}, left=said),
                _result(Level.BROKEN, {}, ()),
            ]
        )
        self.assertEqual(
            score.Score(
                scenarios=4,
                happened=3,
                foretold=2,
                findings=3,
                right=2,
                remedied=1,
                with_remedy=2,
                found_by={},
            ),
            found,
        )
        self.assertEqual((2 / 3, 2 / 3), (found.recall, found.precision))

    def test_an_expectation_that_did_not_come_true_counts(self):
        found = score.score([_result(Level.NOTHING, {})])
        self.assertEqual((1, 0), (found.happened, found.foretold))

    def test_nothing_at_all_is_perfect(self):
        found = score.score([])
        self.assertEqual((1.0, 1.0), (found.recall, found.precision))


class RehearsedTest(testtools.TestCase):
    """The score of a rehearsed scenario."""

    SAID = {'some-check[a#b]': 'failure'}
    HELD = {'rehearse-start[x]': 'some-check[a#b]'}

    def test_who_found_what_breaks(self):
        results = [
            _result(Level.BROKEN, self.SAID, rehearsed=self.HELD),
            _result(Level.BROKEN, self.SAID, rehearsed={}),
            _result(Level.BROKEN, {}, (), rehearsed={'x': None}),
            _result(Level.BROKEN, {'y': 'warning'}, (), rehearsed={}),
            # One that is not rehearsed, and one in which nothing breaks.
            _result(Level.BROKEN, self.SAID),
            _result(Level.CHANGED, {}, (), rehearsed={}),
        ]
        self.assertEqual(
            ['both', 'prediction', 'rehearsal', 'neither', None, None],
            [one.found_by for one in results],
        )
        self.assertEqual(
            '1 by both, 1 by prediction, 1 by rehearsal, 1 by neither',
            table.found_by(score.score(results).found_by),
        )

    def test_what_no_finding_has_foretold_is_a_miss(self):
        result = _result(
            Level.BROKEN, self.SAID, rehearsed={**self.HELD, 'y[b]': None}
        )
        self.assertEqual(['y[b]'], result.unforetold)
        self.assertFalse(result.passed)
        self.assertEqual(
            'both; rehearse-start[x] (some-check[a#b] held); '
            'y[b] (NOT FORETOLD)',
            table.rehearsed(result),
        )
        self.assertTrue(
            _result(Level.BROKEN, self.SAID, rehearsed=self.HELD).passed
        )

    def test_a_failure_where_nothing_breaks_is_a_false_alarm(self):
        result = _result(Level.NOTHING, {}, (), rehearsed={'y[b]': 'x'})
        self.assertFalse(result.passed)
        self.assertEqual(
            'y[b] (x held); NOTHING BREAKS', table.rehearsed(result)
        )

    def test_the_column_is_there_when_one_was_rehearsed(self):
        plain = _result(Level.BROKEN, self.SAID)
        title = 'p'
        for others, there in (
            ([], False),
            ([_result(Level.NOTHING, {}, (), rehearsed={})], True),
        ):
            made = table.record([plain, *others], '2026-01-01')
            _, _, shown = table.page({title: made}).partition('\np\n-\n')
            self.assertEqual(there, '     - Rehearsed\n' in shown)
            self.assertEqual(there, '     - nothing fails\n' in shown)


class AccessTest(testtools.TestCase):
    def test_opened_weighs_more_than_closed(self):
        before = {('r', 'admin'): 200, ('r', 'member'): 403}
        for after, level in (
            (before, Level.NOTHING),
            ({**before, ('r', 'admin'): 403}, Level.CHANGED),
            ({('r', 'admin'): 403, ('r', 'member'): 200}, Level.BROKEN),
            ({('r', 'admin'): 500, ('r', 'member'): 500}, Level.BROKEN),
        ):
            self.assertEqual(level, observe.access(before, after).level)


class WhyTest(testtools.TestCase):
    def test_the_last_error_of_a_log_is_the_reason(self):
        text = (
            'ValueError: first\n'
            'During handling of the above exception, another Exception\n'
            'oslo_config.cfg.ConfigFileValueError: Value for x is bad\n'
            'and a last line\n'
        )
        self.assertEqual(
            'ConfigFileValueError Value for x is bad', observe.why(text)
        )


class TableTest(testtools.TestCase):
    def test_a_row_says_what_is_wrong(self):
        result = _result(Level.NOTHING, {'y[a]': 'warning'}, left={})
        self.assertEqual(
            (
                's',
                'WARNING y[a]; MISSING FAILURE some-check[[]a#*]; WRONG y[a]',
                'nothing: words',
                '',
                '-',
            ),
            table.row(result),
        )

    def test_the_summary_counts(self):
        result = _result(Level.BROKEN, {'some-check[a#b]': 'failure'})
        self.assertEqual(
            'p: recall 100.0% (1 of 1), precision 100.0% (1 of 1 findings), '
            'remedied 0 of 0, 1 scenarios',
            table.summary('p', [result]),
        )
