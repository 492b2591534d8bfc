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
import itertools
import logging
import os
import signal
import sys
import threading
import time
from typing import Any

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.cmd import output
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.tests import reports

CALM = model.Subject('thing', 'calm')

# What a plugin may give where a text belongs.
_NONE: Any = None


class Base(check.Check):
    """Base of the checks here."""

    id = 'sample-check'
    title = 'Sample'

    def run(self, ctx):
        return ()


class Quiet(Base):
    pass


class Explains(Base):
    """Looks at
    one thing.

    And says a lot about it.
    """


class Talks(Base):
    def run(self, ctx):
        yield model.Finding(model.Severity.INFO, CALM, 'calm')
        yield model.Finding(
            model.Severity.FAILURE,
            model.Subject('thing', 'loud'),
            'mysql://u:geheim@h/ is loud',
            [model.command('do mysql://u:geheim@h/')],
            data={'url': 'mysql://u:geheim@h/', 'n': 1},
        )


class Raises(Base):
    def run(self, ctx):
        yield model.Finding(model.Severity.INFO, CALM, 'calm')
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


class ReturnsOne(Base):
    def run(self, ctx):
        return model.Finding(model.Severity.INFO, CALM, 'calm')


class YieldsNumber(Base):
    def run(self, ctx):
        yield 42


class YieldsOfAnother(Base):
    def run(self, ctx):
        yield model.Finding(
            model.Severity.INFO, CALM, 'calm', check_id='other'
        )


class NeverEnds(Base):
    ends = threading.Event()

    def run(self, ctx):
        self.ends.wait()
        return ()


class YieldsForEver(Base):
    def run(self, ctx):
        while True:
            yield model.Finding(model.Severity.INFO, CALM, 'calm')


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

    def test_about(self):
        ctx = self.useFixture(testing.Site()).context()
        result = runner.run_one(testing.entry_of(Explains), ctx)
        self.assertEqual('Looks at one thing.', result.about)

    def test_passed(self):
        self.assertEqual(self.result(model.Outcome.PASSED), self.run_it(Quiet))

    def test_found_is_sorted_and_scrubbed(self):
        calm = model.Finding(
            model.Severity.INFO, CALM, 'calm', check_id='sample-check'
        )
        loud = model.Finding(
            model.Severity.FAILURE,
            model.Subject('thing', 'loud'),
            'mysql://u:***@h/ is loud',
            (model.command('do (a value that is not shown)'),),
            check_id='sample-check',
            data={'url': 'mysql://u:***@h/', 'n': 1},
        )
        self.assertEqual(
            self.result(model.Outcome.FOUND, findings=[loud, calm]),
            self.run_it(Talks),
        )

    def test_crash_keeps_what_was_found(self):
        calm = model.Finding(
            model.Severity.INFO, CALM, 'calm', check_id='sample-check'
        )
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
            ReturnsOne,
            'its run() returned Finding(severity=<Severity.INFO: 0>, s... '
            "check_id='', waiver=None, known=False), not findings",
        ),
        (
            YieldsNumber,
            'it yielded 42, which is not one of its findings',
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
        self.assertIn('not one of its findings', result.reason)

    def test_time_limit(self):
        self.addCleanup(NeverEnds.ends.set)
        site = self.useFixture(
            testing.Site(options={'check_timeout_seconds': 0.1})
        )
        ctx = site.context()
        self.assertEqual(
            self.result(
                model.Outcome.ERROR,
                'it did not finish within 0.1 seconds ([manila_precheck] '
                'check_timeout_seconds)',
            ),
            site.run(NeverEnds, ctx),
        )

    def test_findings_without_end(self):
        self.patch(runner, 'MAX_FINDINGS_PER_CHECK', 3)
        result = self.run_it(YieldsForEver)
        self.assertEqual(model.Outcome.ERROR, result.outcome)
        self.assertEqual('it yielded more than 3 findings', result.reason)
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
                'it does not run at stage plan',
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


class InterruptTest(testtools.TestCase):
    def within(self, place):
        """Run a call that an interrupt meets at one of its places.

        :param place: a number; the places are where Python looks for
            signals, which is when a function begins or one in C returns.
        :returns: how it ended: None when it has no such place any more.
        """
        places, ended = itertools.count(), []

        def interrupt(frame, event, function):
            if (
                frame.f_globals['__name__'] in (runner.__name__, 'threading')
                and event in ('call', 'c_return')
                and next(places) == place
            ):
                sys.setprofile(None)
                raise KeyboardInterrupt

        def body():
            sys.setprofile(interrupt)
            try:
                ended.append(runner.isolated(lambda: time.sleep(0.01)))
            except BaseException as exc:
                ended.append(type(exc))
            finally:
                sys.setprofile(None)

        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        thread.join(30)
        self.assertEqual(1, len(ended), f'it hangs: place {place}')
        return ended[0]

    def test_at_every_place(self):
        """One in the middle of Event.wait left its lock to wait for."""
        self.useFixture(
            fixtures.MonkeyPatch(f'{runner.__name__}.GRACE_SECONDS', 0.05)
        )
        numbers = itertools.count()
        ends = list(iter(lambda: self.within(next(numbers)), None))
        self.assertGreater(len(ends), 5)
        self.assertEqual({KeyboardInterrupt}, set(ends))


class RunTest(testtools.TestCase):
    def test_one_bad_check_stops_no_other(self):
        site = self.useFixture(testing.Site())

        def no_module():
            raise ImportError("No module named 'acme'")

        def exits():
            sys.exit(3)

        results = runner.run(
            [
                registry.Plugin('broken-import', 'acme:A', no_module),
                registry.Plugin('exits-at-import', 'acme:B', exits),
                testing.entry_of(Raises),
                registry.Plugin('sample-check', 'a:B', lambda: Quiet, 'c:D'),
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
                    "it failed to load: ImportError: No module named 'acme'",
                ),
                (
                    'exits-at-import',
                    'error',
                    'it failed to load: it called sys.exit(3)',
                ),
                (
                    'sample-check',
                    'error',
                    'it crashed: ValueError: no mysql://u:***@h/',
                ),
                (
                    'sample-check@a',
                    'error',
                    "it failed to load: the id 'sample-check' is already "
                    'used by c:D',
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
                registry.Plugin('second', 'a:B', lambda: Quiet),
                registry.Plugin('third', 'a:B', lambda: Quiet),
            ],
            ctx,
            progress=progress,
        )
        self.assertEqual(
            ['passed', 'error', 'error'], [r.outcome.value for r in results]
        )
        self.assertEqual(
            'the run was interrupted; this report is incomplete',
            results[2].reason,
        )

    def test_interrupted_in_a_check_that_hands_over_what_it_has(self):
        class Slow(Quiet):
            id = 'slow'

            def run(self, ctx):
                yield model.Finding(
                    model.Severity.INFO, model.Subject('table', 'a'), 'a'
                )
                os.kill(os.getpid(), signal.SIGINT)
                if ctx.interrupted.wait(30):
                    yield model.Finding(
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


class _Raises:
    def __repr__(self):
        raise ValueError('no')

    __str__ = __repr__


class _Word(str):
    def __str__(self):
        raise ValueError('no')

    __repr__ = __format__ = __str__


class _Error(Exception):
    def __str__(self):
        raise ValueError('no')


class _Endless(exceptions.SourceUnusable):
    over: Any = None

    def __str__(self):
        self.over.wait()
        return ''


class _Exiting(type):
    def __getattribute__(cls, name):
        raise SystemExit(0)


class _Nameless(Exception, metaclass=_Exiting):
    pass


_LOOP = {}
_LOOP['loop'] = _LOOP


def _odd(**changes):
    finding = model.Finding(
        model.Severity.WARNING, CALM, 'odd finding', check_id='odd-check'
    )
    for name, value in changes.items():
        if name in ('kind', 'name', 'file', 'line', 'uuid'):
            value = CALM._replace(**{name: value})
            name = 'subject'
        finding = finding._replace(**{name: value})
    return finding


#: What a finding holds, and what is said of it.
_ODD = (
    ({'message': None}, 'message None is not of type str'),
    ({'message': 7}, 'message 7 is not of type str'),
    ({'message': b'x'}, "message b'x' is not of type str"),
    ({'message': _Raises()}, 'message <_Raises instance> is not of type str'),
    ({'severity': 1}, 'severity 1 is not a Severity'),
    ({'severity': 'FAILURE'}, "severity 'FAILURE' is not a Severity"),
    ({'subject': 'share'}, "subject 'share' is not a Subject"),
    ({'kind': None}, 'subject.kind None is not of type str'),
    ({'name': 7}, 'subject.name 7 is not of type str'),
    ({'file': b'/etc'}, "subject.file b'/etc' is not of type str"),
    ({'line': '7'}, "subject.line '7' is not of type int"),
    ({'uuid': 7}, 'subject.uuid 7 is not of type str'),
    ({'aspect': None}, 'aspect None is not of type str'),
    ({'references': 'page'}, "references 'page' is not a list or tuple"),
    ({'references': (None,)}, 'references None is not of type str'),
    ({'remediation': ('do',)}, "remediation 'do' is not of type Remediation"),
    (
        {'remediation': (model.advice(_NONE),)},
        'remediation.text None is not of type str',
    ),
    ({'data': None}, 'data None is not a mapping'),
    ({'data': {7: 1}}, 'data key 7 is not of type str'),
    (
        {'data': {'x': datetime.date(2026, 1, 2)}},
        "data['x'] datetime.date(2026, 1, 2) is not a text, a number, a bool "
        'or None',
    ),
    (
        {'data': {'x': {1}}},
        "data['x'] {1} is not a text, a number, a bool or None",
    ),
    (
        {'data': _LOOP},
        "data['loop'] {'loop': {'loop': {'loop': {'loop': {'loop': "
        "{'loop': {...}}}}}}} is not a text, a number, a bool or None",
    ),
    (
        {'data': {'x': object()}},
        "data['x'] <object object> is not a text, a number, a bool or None",
    ),
    (
        {'known': True},
        'waiver None is not for a check to set',
    ),
)


@ddt.ddt
class FindingsTest(testtools.TestCase):
    """What a check yields that is no finding as the model has it."""

    def result_of(self, *findings):
        class Odd(Base):
            id = 'odd-check'
            title = 'Odd'

            def run(self, ctx):
                yield from findings

        return self.useFixture(testing.Site()).run(Odd)

    @ddt.data(*_ODD)
    @ddt.unpack
    def test_one_that_is_none_was_a_crash_of_the_report(self, changes, words):
        good = _odd()
        result = self.result_of(good, _odd(**changes), good)
        self.assertEqual(
            (
                model.Outcome.ERROR,
                f'it yielded a finding whose {words}',
                (good, good),
            ),
            (result.outcome, result.reason, result.findings),
        )

    def test_a_text_without_end(self):
        for changes in (
            {'message': 'x' * 2**21},
            {'data': {'x': 'x' * 2**21}},
            {'data': {'x' * 2**21: 'x'}},
        ):
            result = self.result_of(_odd(**changes))
            self.assertIs(model.Outcome.ERROR, result.outcome)
            self.assertIn('is not within 1048576 characters', result.reason)

    def test_a_number_without_end(self):
        result = self.result_of(_odd(data={'x': 10**5000}))
        self.assertIn('is not a number of 128 bits', result.reason)

    def test_types_that_derive_from_plain_ones(self):
        result = self.result_of(
            _odd(message=_Word('odd finding'), data={'x': _Word('y')})
        )
        self.assertEqual((_odd(data={'x': 'y'}),), result.findings)
        self.assertIs(str, type(result.findings[0].message))

    @ddt.data(
        'json', 'table', 'html', 'markdown', 'sarif', 'junit', 'openmetrics'
    )
    def test_what_every_format_takes(self, name):
        odd = _odd(
            message='a \ud800 \0 message',
            kind='\udcff',
            data={'a': float('nan'), 'b': float('-inf'), '\ud800': '\0'},
            references=('\ud800',),
            remediation=(model.command('do \ud800'),),
        )
        (result,) = (self.result_of(odd),)
        self.assertIs(model.Outcome.FOUND, result.outcome)
        report = reports.CLEAN._replace(checks=(result,))
        stream = io.StringIO()
        output.reporter(name).write(report, stream)
        self.assertIn('odd-check', stream.getvalue())

    @ddt.data(
        (_Error(), 'it crashed: _Error without a message'),
        (KeyboardInterrupt(), 'it raised KeyboardInterrupt'),
        (
            SystemExit(_Raises()),
            'it crashed: it called sys.exit(<_Raises instance>)',
        ),
        (GeneratorExit(), 'it crashed: GeneratorExit: '),
        (exceptions.SourceUnusable(), ''),
        (_Endless(), 'an exception that cannot be shown'),
        (_Nameless(), 'it crashed: an exception that cannot be shown'),
    )
    @ddt.unpack
    def test_exceptions(self, exc, reason):
        self.patch(runner, '_DESCRIBE_SECONDS', 0.5)
        over = threading.Event()
        self.addCleanup(over.set)
        self.patch(_Endless, 'over', over)

        class Odd(Base):
            id = 'odd-check'

            def run(self, ctx):
                raise exc

        ctx = self.useFixture(testing.Site()).context()
        result = runner.run_one(testing.entry_of(Odd), ctx)
        self.assertEqual(
            (model.Outcome.ERROR, reason), (result.outcome, result.reason)
        )
        self.assertFalse(ctx.interrupted.is_set())

    def test_what_a_check_changes_of_the_process_is_put_back(self):
        class Odd(Base):
            id = 'odd-check'

            def run(self, ctx):
                os.chdir('/')
                os.umask(0o777)
                os.environ['ODD'] = '1'
                sys.stdout = sys.stderr = None
                sys.setrecursionlimit(10**5)
                logging.disable(logging.CRITICAL)
                return ()

        def state():
            mask = os.umask(0)
            os.umask(mask)
            return (
                os.getcwd(),
                mask,
                'ODD' in os.environ,
                sys.stdout,
                sys.stderr,
                sys.getrecursionlimit(),
                logging.getLogger().manager.disable,
            )

        ctx = self.useFixture(testing.Site()).context()
        path = self.useFixture(fixtures.TempDir()).path
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(path)
        before = state()
        runner.run_one(testing.entry_of(Odd), ctx)
        self.assertEqual(before, state())

    def test_what_cannot_be_redacted_is_not_shown(self):
        ctx = self.useFixture(testing.Site()).context()

        def crash(text):
            raise RuntimeError('geheim')

        self.patch(type(ctx), 'redactor', property(lambda ctx: crash))
        result = runner.run_one(testing.entry_of(Talks), ctx)
        self.assertEqual(
            (
                model.Outcome.ERROR,
                'its findings cannot be redacted: RuntimeError',
                (),
            ),
            (result.outcome, result.reason, result.findings),
        )
