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

import os
import signal
import sys
import threading

import ddt
import testtools

from manila_precheck import check
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import registry
from manila_precheck import runner
from manila_precheck import testing

CALM = model.Subject('thing', 'calm')


class Base(check.Check):
    """Base of the checks here."""

    id = 'sample-check'
    title = 'Sample'

    def run(self, ctx):
        return ()


class Quiet(Base):
    pass


class Talks(Base):
    def run(self, ctx):
        yield self.finding(model.Severity.INFO, CALM, 'calm')
        yield self.finding(
            model.Severity.FAILURE,
            model.Subject('thing', 'loud'),
            'mysql://u:geheim@h/ is loud',
            [model.command('do mysql://u:geheim@h/')],
            data={'url': 'mysql://u:geheim@h/', 'n': 1},
        )


class Raises(Base):
    def run(self, ctx):
        yield self.finding(model.Severity.INFO, CALM, 'calm')
        raise ValueError('no mysql://u:geheim@h/')


class Exits(Base):
    def run(self, ctx):
        sys.exit(0)


class ReturnsNone(Base):
    def run(self, ctx):
        pass


class ReturnsText(Base):
    def run(self, ctx):
        return 'all is well'


class YieldsNumber(Base):
    def run(self, ctx):
        yield 42


class YieldsOfAnother(Base):
    def run(self, ctx):
        yield model.Finding('other', model.Severity.INFO, CALM, 'calm')


class NeverEnds(Base):
    ends = threading.Event()

    def run(self, ctx):
        self.ends.wait()
        return ()


class YieldsForEver(Base):
    def run(self, ctx):
        while True:
            yield self.finding(model.Severity.INFO, CALM, 'calm')


class NotGiven(Base):
    def run(self, ctx):
        raise exceptions.SourceNotGiven('no inventory is configured')


class Later(Base):
    stages = frozenset({model.Stage.UPGRADED})


class Window(Base):
    introduced = '2025.1'


@ddt.ddt
class RunOneTest(testtools.TestCase):
    def run_it(self, cls, **kwargs):
        return self.useFixture(testing.Site(**kwargs)).run(cls)

    def result(self, outcome, reason='', findings=(), title='Sample'):
        return model.CheckResult(
            id='sample-check',
            title=title,
            outcome=outcome,
            reason=reason,
            findings=tuple(findings),
        )

    def test_passed(self):
        self.assertEqual(self.result(model.Outcome.PASSED), self.run_it(Quiet))

    def test_found_is_sorted_and_scrubbed(self):
        calm = model.Finding('sample-check', model.Severity.INFO, CALM, 'calm')
        loud = model.Finding(
            'sample-check',
            model.Severity.FAILURE,
            model.Subject('thing', 'loud'),
            'mysql://u:***@h/ is loud',
            (model.command('do (a value that is not shown)'),),
            data={'url': 'mysql://u:***@h/', 'n': 1},
        )
        self.assertEqual(
            self.result(model.Outcome.FOUND, findings=[loud, calm]),
            self.run_it(Talks),
        )

    def test_crash_keeps_what_was_found(self):
        calm = model.Finding('sample-check', model.Severity.INFO, CALM, 'calm')
        result = self.run_it(Raises)
        self.assertEqual(
            self.result(
                model.Outcome.ERROR,
                'it crashed: ValueError: no mysql://u:***@h/',
                [calm],
            ),
            result,
        )
        self.assertEqual(model.Severity.FAILURE, result.severity)

    @ddt.data(
        (Exits, 'it crashed: it called sys.exit(0)'),
        (ReturnsNone, 'its run() returned None, not findings'),
        (ReturnsText, "its run() returned 'all is well', not findings"),
        (
            YieldsNumber,
            'it yielded 42, which is not a finding of its own',
        ),
    )
    @ddt.unpack
    def test_error(self, cls, reason):
        self.assertEqual(
            self.result(model.Outcome.ERROR, reason), self.run_it(cls)
        )

    def test_finding_of_another_check(self):
        result = self.run_it(YieldsOfAnother)
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertIn('not a finding of its own', result.reason)

    def test_time_limit(self):
        self.addCleanup(NeverEnds.ends.set)
        site = self.useFixture(
            testing.Site(options={'check_timeout_seconds': 0.1})
        )
        ctx = site.context()
        self.assertEqual(
            self.result(
                model.Outcome.ERROR,
                'it did not end within 0.1 seconds '
                '([manila_precheck] check_timeout_seconds)',
            ),
            site.run(NeverEnds, ctx),
        )
        self.assertTrue(ctx.abandoned)

    def test_findings_without_end(self):
        self.patch(runner, 'MAX_FINDINGS_PER_CHECK', 3)
        result = self.run_it(YieldsForEver)
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertEqual('it yielded 3 findings and more', result.reason)
        self.assertEqual(3, len(result.findings))

    def test_skipped(self):
        result = self.run_it(NotGiven)
        self.assertEqual(
            self.result(model.Outcome.SKIPPED, 'no inventory is configured'),
            result,
        )
        self.assertEqual(model.Severity.WARNING, result.severity)

    def test_other_stage(self):
        result = self.run_it(Later)
        self.assertEqual(
            self.result(
                model.Outcome.NOT_APPLICABLE,
                'it is for stage upgraded; this is plan',
            ),
            result,
        )
        self.assertEqual(model.Severity.INFO, result.severity)

    @ddt.data(
        ('2024.1', '2024.2', model.Outcome.NOT_APPLICABLE),
        ('2024.2', '2025.1', model.Outcome.PASSED),
        ('2024.1', '2025.1', model.Outcome.PASSED),
        ('2025.1', '2025.2', model.Outcome.NOT_APPLICABLE),
    )
    @ddt.unpack
    def test_release_window(self, source, target, outcome):
        result = self.run_it(Window, source=source, target=target)
        self.assertEqual(outcome, result.outcome)


class RunTest(testtools.TestCase):
    def test_one_bad_check_stops_no_other(self):
        site = self.useFixture(testing.Site())

        def no_module():
            raise ImportError("No module named 'acme'")

        def exits():
            sys.exit(3)

        results = runner.run(
            [
                registry.Entry('broken-import', 'acme:A', no_module),
                registry.Entry('exits-at-import', 'acme:B', exits),
                testing.entry_of(Raises),
                registry.Entry('sample-check', 'a:B', lambda: Quiet, 'c:D'),
                testing.entry_of(Quiet),
            ],
            site.context(),
            clock=lambda: 0.0,
        )
        self.assertEqual(
            [
                (
                    'broken-import',
                    'error',
                    "it does not load: ImportError: No module named 'acme'",
                ),
                (
                    'exits-at-import',
                    'error',
                    'it does not load: it called sys.exit(3)',
                ),
                (
                    'sample-check',
                    'error',
                    'it crashed: ValueError: no mysql://u:***@h/',
                ),
                (
                    'sample-check@a',
                    'error',
                    "it does not load: the id 'sample-check' is taken by c:D",
                ),
                ('sample-check', 'passed', ''),
            ],
            [(r.id, r.outcome.value, r.reason) for r in results],
        )

    def test_interrupted(self):
        def progress(check_id):
            if check_id == 'second':
                raise KeyboardInterrupt

        site = self.useFixture(testing.Site())
        ctx = site.context()
        results = runner.run(
            [
                testing.entry_of(Quiet),
                registry.Entry('second', 'a:B', lambda: Quiet),
                registry.Entry('third', 'a:B', lambda: Quiet),
            ],
            ctx,
            progress=progress,
        )
        self.assertEqual(
            ['passed', 'error', 'error'], [r.outcome.value for r in results]
        )
        self.assertEqual(
            'interrupted before it ended; this report is not complete',
            results[2].reason,
        )

    def test_interrupted_in_a_check_that_hands_over_what_it_has(self):
        class Slow(Quiet):
            id = 'slow'

            def run(self, ctx):
                yield self.finding(
                    model.Severity.INFO, model.Subject('table', 'a'), 'a'
                )
                os.kill(os.getpid(), signal.SIGINT)
                if ctx.interrupted.wait(30):
                    yield self.finding(
                        model.Severity.INFO, model.Subject('table', 'b'), 'b'
                    )

        ctx = self.useFixture(testing.Site()).context()
        slow, quiet = runner.run(
            [testing.entry_of(Slow), testing.entry_of(Quiet)], ctx
        )
        self.assertEqual(
            (model.Outcome.ERROR, ['a', 'b'], model.Outcome.ERROR, ()),
            (
                slow.outcome,
                [finding.message for finding in slow.findings],
                quiet.outcome,
                quiet.findings,
            ),
        )
        self.assertTrue(ctx.abandoned)


class ReportTest(testtools.TestCase):
    def test_a_back_end_that_is_called_like_a_url(self):
        site = self.useFixture(
            testing.Site(
                '[DEFAULT]\nenabled_share_backends = https://u:geheim@h\n'
            )
        )
        ctx = site.context()
        self.assertEqual(1, len(ctx.config.files))
        report = runner.report((), ctx, model.Tool('x', '1', ''))
        self.assertEqual(('https://u:***@h',), report.backends)
        self.assertEqual(site.file('manila.conf'), report.files[0].path)
