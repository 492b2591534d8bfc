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
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
import testtools

from manila_precheck import model
from manila_precheck.reporters import openmetrics
from manila_precheck.tests import golden
from manila_precheck.tests import reports


def _write(report):
    stream = io.StringIO()
    openmetrics.OpenmetricsReporter().write(
        report, stream, width=40, color=True
    )
    return stream.getvalue()


def _samples(families):
    """Return the samples of each family, by their labels."""
    return {
        family.name: {
            frozenset(sample.labels.items()): sample.value
            for sample in family.samples
        }
        for family in families
    }


def _read(text):
    """Read the text as Prometheus reads OpenMetrics."""
    return _samples(openmetrics_parser.text_string_to_metric_families(text))


@ddt.ddt
class OpenmetricsReporterTest(testtools.TestCase):
    def test_golden(self):
        golden.check(self, 'report.prom', _write(reports.REPORT))

    @ddt.data(
        reports.REPORT,
        reports.CLEAN,
        reports.MANY,
        reports.FLEET,
        reports.CLEAN._replace(checks=()),
    )
    def test_both_formats_say_the_same(self, report):
        text = _write(report)
        found = _read(text)
        self.assertEqual(
            found, _samples(parser.text_string_to_metric_families(text))
        )
        self.assertEqual(
            text.count('\n') - text.count('\n#') - 1,
            sum(len(samples) for samples in found.values()),
        )

    def counts(self, report, name):
        found = _read(_write(report))[f'manila_precheck_{name}']
        return {
            (dict(key)['check'], dict(key)['severity']): value
            for key, value in found.items()
        }

    def test_what_counts_and_what_does_not(self):
        one = model.Finding(
            model.Severity.WARNING,
            model.Subject('option', 'DEFAULT/a'),
            'It is wrong.',
            check_id='some-check',
        )
        worse = one._replace(severity=model.Severity.FAILURE)
        result = model.CheckResult(
            'some-check',
            'Some check',
            model.Outcome.FOUND,
            findings=(one, one, worse, worse._replace(known=True)),
        )
        report = reports.CLEAN._replace(checks=(result,))
        words = [(result.id, one) for one in ('info', 'warning', 'failure')]
        self.assertEqual(
            dict(zip(words, (0, 2, 1))), self.counts(report, 'findings')
        )
        self.assertEqual(
            dict(zip(words, (0, 0, 1))),
            self.counts(report, 'findings_suppressed'),
        )

    def test_the_window(self):
        report = reports.CLEAN._replace(window=model.Window(60, 3600.5))
        self.assertEqual(
            {
                frozenset({('bound', 'min')}): 60,
                frozenset({('bound', 'max')}): 3600.5,
            },
            _read(_write(report))['manila_precheck_window_seconds'],
        )

    def test_the_hosts(self):
        self.assertEqual(
            {
                frozenset({('state', state)}): 1
                for state in ('ready', 'warning', 'failure', 'missing')
            },
            _read(_write(reports.FLEET))['manila_precheck_hosts'],
        )

    def test_a_report_without_a_date_has_no_time(self):
        self.assertNotIn(
            'manila_precheck_report_timestamp_seconds',
            _read(_write(reports.CLEAN._replace(created=None))),
        )

    @ddt.data(
        'a"b', 'a\\b', 'a\nb', 'a\x00b', '\u202eb', '\ud800', '}{ 1', 'é'
    )
    def test_a_hostile_name_stays_a_label(self, name):
        result = model.CheckResult(name, name, model.Outcome.PASSED)
        report = reports.CLEAN._replace(checks=(result,))
        text = _write(report)
        self.assertTrue(text.isascii())
        self.assertEqual(
            _samples(parser.text_string_to_metric_families(text)), _read(text)
        )
        (label,) = {check for check, _ in self.counts(report, 'findings')}
        self.assertEqual(
            {
                'a\nb': 'a b',
                'a\x00b': 'a\\x00b',
                '\u202eb': '\\u202eb',
                '\ud800': '\\ud800',
                'é': '\\xe9',
            }.get(name, name),
            label,
        )
