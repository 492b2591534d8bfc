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
import os

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import waiver_file
from manila_precheck.engine import waivers
from manila_precheck.reporters import json_report
from manila_precheck.reporters import words
from manila_precheck.tests import reports

_TODAY = datetime.date(2026, 4, 1)


def _finding(name, severity=model.Severity.FAILURE, check_id='some-check'):
    return model.Finding(
        severity,
        model.Subject('option', name),
        'It is wrong.',
        check_id=check_id,
    )


def _result(*findings, **changes):
    values = {
        'id': 'some-check',
        'title': 'Some check',
        'outcome': (model.Outcome.FOUND if findings else model.Outcome.PASSED),
        'findings': findings,
    }
    return model.CheckResult(**{**values, **changes})


def _waiver(key, expires='2026-04-01'):
    return model.Waiver(key, 'because', 'me', expires)


def _file(*found):
    """Return a file with waivers, and with what is malformed as a text."""
    entries = []
    for line, item in enumerate(found, 1):
        if isinstance(item, str):
            entries.append(
                waiver_file.WaiverEntry(line, None, item, 'it is odd')
            )
        else:
            entries.append(waiver_file.WaiverEntry(line, item, item.key))
    read = model.FileRead('waivers.yaml', '0' * 64)
    return waiver_file.WaiverFile(read, tuple(entries))


def _waive(results, *found):
    return waivers.waive(
        results, _file(*found), _TODAY, ['other-check', 'some-check']
    )


def _about(name, line, severity, aspect, message, remedy=''):
    return model.Finding(
        severity,
        model.Subject('waiver', name, 'waivers.yaml', line),
        message,
        (model.advice(remedy),) if remedy else (),
        check_id='waivers',
        aspect=aspect,
    )


@ddt.ddt
class WaiveTest(testtools.TestCase):
    def own(self, results, *found):
        """Return what is said of the waivers."""
        *_others, own = _waive(results, *found)
        self.assertEqual('waivers', own.id)
        return own

    def test_a_waived_finding_stays_and_counts_for_nothing(self):
        waiver = _waiver('some-check[a*]')
        first, second = _finding('a1'), _finding('b1')
        result, own = _waive([_result(first, second)], waiver)
        self.assertEqual(
            (first._replace(waiver=waiver), second),
            result.findings,
        )
        self.assertIs(model.Severity.FAILURE, result.severity)
        self.assertEqual(
            (model.Outcome.PASSED, ()), (own.outcome, own.findings)
        )
        result, own = _waive([_result(first)], waiver)
        self.assertIs(model.Severity.INFO, result.severity)
        self.assertIs(model.Severity.INFO, own.severity)

    @ddt.data(
        ('2026-04-02', True), ('2026-04-01', True), ('2026-03-31', False)
    )
    @ddt.unpack
    def test_the_last_day(self, expires, holds):
        result, _own = _waive(
            [_result(_finding('a'))], _waiver('some-check[a]', expires)
        )
        self.assertEqual(holds, result.findings[0].waiver is not None)

    def test_expired(self):
        own = self.own(
            [_result(_finding('a'))], _waiver('some-check[a]', '2026-03-31')
        )
        self.assertEqual(
            (
                _about(
                    'some-check[a]',
                    1,
                    model.Severity.WARNING,
                    'expired',
                    'the waiver some-check[a] of me expired on 2026-03-31: '
                    'its findings count again',
                    'Remove it, or review it and set a new date.',
                ),
            ),
            own.findings,
        )

    def test_one_that_holds_stands_in_for_one_that_expired(self):
        good = _waiver('some-check[*]')
        result, own = _waive(
            [_result(_finding('a'))],
            _waiver('some-check[a]', '2026-03-31'),
            good,
        )
        self.assertEqual(good, result.findings[0].waiver)
        self.assertEqual(['expired'], [f.aspect for f in own.findings])

    def test_unused(self):
        own = self.own([_result()], _waiver('some-check[a]'))
        self.assertEqual(
            (
                _about(
                    'some-check[a]',
                    1,
                    model.Severity.INFO,
                    'unused',
                    'the waiver some-check[a] is not used: nothing matches it',
                    'Remove it, unless another controller needs it.',
                ),
            ),
            own.findings,
        )

    @ddt.data(
        [],
        [_result(outcome=model.Outcome.SKIPPED)],
        [_result(outcome=model.Outcome.ERROR)],
        [_result(outcome=model.Outcome.NOT_APPLICABLE)],
    )
    def test_a_check_that_did_not_look_makes_no_waiver_unused(self, results):
        own = self.own(results, _waiver('some-check[a]'))
        self.assertEqual((), own.findings)

    def test_malformed(self):
        own = self.own([_result()], 'entry 1')
        self.assertEqual(
            (
                _about(
                    'entry 1',
                    1,
                    model.Severity.WARNING,
                    'malformed',
                    'the waiver entry 1 waives nothing: it is odd',
                ),
            ),
            own.findings,
        )

    def test_an_unknown_check(self):
        own = self.own([_result()], _waiver('sone-check[a]'))
        self.assertEqual(
            (
                _about(
                    'sone-check[a]',
                    1,
                    model.Severity.WARNING,
                    'unknown',
                    'the waiver sone-check[a] waives nothing: there is no '
                    "check 'sone-check'",
                ),
            ),
            own.findings,
        )

    def test_a_check_that_cannot_be_waived(self):
        finding = _finding('a')
        result, own = _waive(
            [_result(finding, waivable=False)], _waiver('some-check[a]')
        )
        self.assertEqual((finding,), result.findings)
        self.assertEqual(
            (
                _about(
                    'some-check[a]',
                    1,
                    model.Severity.WARNING,
                    'refused',
                    'the waiver some-check[a] waives nothing: findings of '
                    'some-check cannot be waived',
                ),
            ),
            own.findings,
        )

    @ddt.data(model.Outcome.ERROR, model.Outcome.SKIPPED)
    def test_a_check_that_could_not_look_counts_as_ever(self, outcome):
        result, _own = _waive(
            [_result(outcome=outcome)], _waiver('some-check[*]')
        )
        self.assertGreater(result.severity, model.Severity.INFO)

    def test_two_entries_with_one_key(self):
        own = self.own(
            [_result()], _waiver('some-check[a]'), _waiver('some-check[a]')
        )
        self.assertEqual([1, 2], [f.subject.line for f in own.findings])

    def test_a_ready_made_waiver_waives_just_its_finding(self):
        path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'waivers.yaml'
        )
        odd = _finding('a[*]?\\"\n\x1b\u202e: #')
        report = reports.CLEAN._replace(
            checks=(_result(odd, _finding('ab')),),
            waiver_until='2026-05-01',
        )
        for finding in words.to_waive(report):
            text = words.waiver(finding, report)
            for filled, expected in (('', None), ('x', finding.key)):
                with open(path, 'w', encoding='utf-8') as stream:
                    stream.write('waivers:\n')
                    stream.write(text.replace('""', f'"{filled}"'))
                file = waiver_file.read(path)
                result, _own = waivers.waive(
                    report.checks, file, _TODAY, ['some-check']
                )
                waived = [f.key for f in result.findings if f.waiver]
                self.assertEqual([expected] if expected else [], waived)

    def test_no_ready_made_waiver_where_none_would_hold(self):
        report = reports.CLEAN._replace(
            checks=(
                _result(_finding('a'), waivable=False),
                _result(_finding('b', model.Severity.INFO)),
            ),
        )
        self.assertEqual([], words.to_waive(report))


@ddt.ddt
class BaselineTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'report.json'
        )

    def read(self, *results, **changes):
        report = reports.CLEAN._replace(checks=results, **changes)
        stream = io.StringIO()
        json_report.JsonReporter().write(report, stream)
        with open(self.path, 'w', encoding='utf-8') as file:
            file.write(stream.getvalue())
        return waivers.read_baseline(self.path)

    def test_only_what_is_new_counts(self):
        old, new = _finding('a'), _finding('b', model.Severity.WARNING)
        baseline = self.read(_result(old))
        (result,) = waivers.mark_known(
            [_result(old, new)], baseline.severities
        )
        self.assertEqual((old._replace(known=True), new), result.findings)
        self.assertIs(model.Severity.WARNING, result.severity)

    @ddt.data(
        (model.Severity.WARNING, model.Severity.FAILURE, False),
        (model.Severity.WARNING, model.Severity.WARNING, True),
        (model.Severity.FAILURE, model.Severity.WARNING, True),
    )
    @ddt.unpack
    def test_what_weighs_more_is_new(self, before, now, known):
        baseline = self.read(_result(_finding('a', before)))
        (result,) = waivers.mark_known(
            [_result(_finding('a', now))], baseline.severities
        )
        self.assertEqual(known, result.findings[0].known)

    @ddt.data(model.Outcome.ERROR, model.Outcome.SKIPPED)
    def test_a_check_that_could_not_look_counts_as_ever(self, outcome):
        unknown = _result(outcome=outcome)
        (result,) = waivers.mark_known(
            [unknown], self.read(unknown).severities
        )
        self.assertEqual(unknown, result)
        self.assertGreater(result.severity, model.Severity.INFO)

    def test_the_same_upgrade(self):
        baseline = self.read(_result())
        baseline.require('2026.1', 'stopped')
        for target, stage in (('2026.2', 'stopped'), ('2026.1', 'plan')):
            raised = self.assertRaises(
                exceptions.UsageError, baseline.require, target, stage
            )
            self.assertEqual(
                f'baseline {self.path} is for 2026.1 at stage stopped, but '
                f'this run is for {target} at stage {stage}',
                str(raised),
            )

    @ddt.data('nonsense', '[]', '{"schema_version": 1}')
    def test_no_report(self, text):
        with open(self.path, 'w') as stream:
            stream.write(text)
        raised = self.assertRaises(
            exceptions.UsageError, waivers.read_baseline, self.path
        )
        self.assertTrue(str(raised).startswith(f'baseline {self.path}: '))

    def test_hidden_names(self):
        raised = self.assertRaises(
            exceptions.UsageError, self.read, redacted_names=True
        )
        self.assertIn('it was written with --redact-names', str(raised))

    def test_no_file(self):
        raised = self.assertRaises(
            exceptions.UsageError, waivers.read_baseline, self.path
        )
        self.assertEqual(
            f'baseline {self.path}: No such file or directory', str(raised)
        )
