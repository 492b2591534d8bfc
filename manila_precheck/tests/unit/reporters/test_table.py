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
import unicodedata

import ddt
import testtools

from manila_precheck import model
from manila_precheck.reporters import plain
from manila_precheck.reporters import table
from manila_precheck.reporters import words
from manila_precheck.tests import golden
from manila_precheck.tests import reports


def _write(report=reports.REPORT, verbose=False, show_waivers=False, **kwargs):
    stream = io.StringIO()
    reporter = table.TableReporter()
    reporter.verbose, reporter.show_waivers = verbose, show_waivers
    reporter.write(report, stream, **kwargs)
    return stream.getvalue()


def _report(*findings, **changes):
    result = model.CheckResult(
        id='some-check',
        title='Some check',
        outcome=model.Outcome.FOUND if findings else model.Outcome.PASSED,
        findings=findings,
    )
    return reports.CLEAN._replace(checks=(result,), **changes)


def _finding(number=1, severity=model.Severity.FAILURE, **changes):
    values = {
        'check_id': 'some-check',
        'severity': severity,
        'subject': model.Subject('option', f'DEFAULT/name_{number}'),
        'message': 'It is wrong.',
    }
    return model.Finding(**{**values, **changes})


@ddt.ddt
class TableReporterTest(testtools.TestCase):
    @ddt.data(40, 80, 120)
    def test_golden(self, width):
        golden.check(self, f'table-{width}.txt', _write(width=width))

    def test_golden_whole(self):
        written = _write(verbose=True, show_waivers=True)
        golden.check(self, 'table-verbose.txt', written)

    def test_golden_in_colour(self):
        golden.check(self, 'table-color.txt', _write(color=True))

    def test_golden_clean(self):
        golden.check(self, 'table-clean.txt', _write(reports.CLEAN))

    def test_no_terminal_is_eighty_columns(self):
        self.assertEqual(_write(width=80), _write())

    def test_colour_changes_nothing_but_colour(self):
        painted = _write(color=True)
        for sgr in ('0', '1', '1;31', '1;32', '1;33', '33', '32', '36', '2'):
            painted = painted.replace(f'\x1b[{sgr}m', '')
        self.assertEqual(_write(), painted)

    def test_nothing_in_a_name_reaches_the_terminal_raw(self):
        for char in _write().replace('\n', ''):
            self.assertNotIn(unicodedata.category(char)[0], 'C', repr(char))

    @ddt.data('ascii', 'iso8859-1', 'utf-8')
    def test_every_encoding_can_take_it(self, encoding):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding)
        table.TableReporter().write(reports.REPORT, stream)
        stream.flush()
        text = raw.getvalue().decode(encoding)
        self.assertIn(
            {
                'ascii': 'r\\xe9sum\\xe9 \\u5171\\u6709',
                'iso8859-1': 'r\xe9sum\xe9 \\u5171\\u6709',
                'utf-8': 'r\xe9sum\xe9 \u5171\u6709',
            }[encoding],
            text,
        )
        self.assertFalse(stream.closed)

    @ddt.data(40, 80, 200)
    def test_prose_fits_and_commands_are_whole(self, width):
        report = _report(
            _finding(
                message='Some-hyphenated words of prose ' * 20,
                remediation=(model.command('manila-manage ' + 'x ' * 300),),
            )
        )
        written = _write(report, width=width).split('\n')
        long = [
            line
            for line in written
            if plain.cells(line) > width and not line.startswith('- {key:')
        ]
        # Below the finding, and again below what blocks.
        self.assertEqual(['      manila-manage ' + 'x ' * 299 + 'x'] * 2, long)
        for line in written:
            self.assertFalse(line.endswith('-'), line)

    def test_configuration_lines_stand_at_the_left_margin(self):
        # oslo.config takes an indented line for the rest of the line above.
        report = _report(
            _finding(remediation=(model.config('[a]\nb = 1\n    c'),))
        )
        self.assertIn('\n\n[a]\nb = 1\n    c\n\n', _write(report))

    def test_a_remedy_that_neighbours_share_is_printed_once(self):
        remedy = (model.command('do-it'),)
        other = (model.command('do-other'),)
        written = _write(
            _report(
                _finding(1, remediation=remedy),
                _finding(2, remediation=remedy),
                _finding(3, remediation=other),
            )
        )
        above, _heading, last = written.partition('WHAT BLOCKS (3)\n')
        self.assertEqual(1, above.count('do-it'))
        self.assertEqual(1, last.count('do-it'))
        self.assertIn('For the 2 above, type:\n      do-it\n', written)
        self.assertIn('    Type:\n      do-other\n', written)

    def test_prose_before_a_command_is_its_label(self):
        written = _write(
            _report(
                _finding(
                    remediation=(
                        model.command('complete it'),
                        model.advice('Or cancel it:'),
                        model.command('cancel it'),
                        model.advice('Either way, look again.'),
                    )
                )
            )
        )
        self.assertIn(
            '    Type:\n      complete it\n    Or cancel it:\n      cancel '
            'it\n    Either way, look again.\n',
            written,
        )

    def test_a_reference_that_neighbours_share_is_printed_once(self):
        written = _write(
            _report(
                _finding(
                    1,
                    remediation=(model.command('one'),),
                    references=('a page',),
                ),
                _finding(
                    2,
                    remediation=(model.command('two'),),
                    references=('a page',),
                ),
            )
        )
        self.assertEqual(1, written.count('See: a page'))
        self.assertLess(written.index('two'), written.index('See:'))

    @ddt.data((5, None), (6, 'and 1 more'), (100005, 'and 100000 more'))
    @ddt.unpack
    def test_notes_are_capped_and_counted(self, count, more):
        notes = [
            _finding(number, model.Severity.INFO) for number in range(count)
        ]
        written = _write(_report(*notes))
        self.assertIn(f'NOTES ({count})', written)
        self.assertEqual(5, written.count('It is wrong.'))
        if more is None:
            self.assertNotIn(' more ', written)
        else:
            self.assertIn(f'- {more} (--verbose lists all)\n', written)

    def test_what_blocks_stands_last(self):
        remedy = (
            model.advice('Look first.'),
            model.command('manila reset-state one'),
            model.command('manila delete one'),
        )
        report = _report(
            *[
                _finding(
                    severity=severity,
                    subject=model.Subject('option', name, '/etc/m.conf', 7),
                    remediation=remedy,
                )
                for name, severity in (
                    ('a', model.Severity.FAILURE),
                    ('b', model.Severity.FAILURE),
                    ('c', model.Severity.WARNING),
                )
            ]
        )
        _above, _heading, last = _write(report).partition('WHAT BLOCKS (2)\n')
        self.assertEqual(
            '  * some-check: a and 1 more  /etc/m.conf:7\n'
            '      manila reset-state one\n',
            last.partition('\n\n')[0] + '\n',
        )

    def test_what_blocks_names_the_first_of_each_check(self):
        remedy = [model.command('do-it {}', 'now')]
        findings = [
            _finding(n, cause=str(n), remediation=remedy) for n in range(60)
        ]
        result = model.CheckResult(
            'a-check', 'A', model.Outcome.ERROR, 'it crashed'
        )
        other = model.CheckResult(
            'z-check',
            'Z',
            model.Outcome.FOUND,
            findings=(_finding(7, check_id='z-check'),),
        )
        report = _report(*findings)
        written = _write(
            report._replace(checks=(result, *report.checks, other))
        )
        last = written.partition('WHAT BLOCKS (62)\n')[2].split('\n')
        self.assertEqual(
            [
                '  * ERROR a-check: it crashed',
                '  * some-check: DEFAULT/name_0',
                '  * z-check: DEFAULT/name_7',
                '  * some-check: DEFAULT/name_1',
            ],
            [line for line in last if line.startswith('  * ')][:4],
        )
        self.assertIn('  * and 43 more (above)', last)

    @ddt.data(40, 80, 120)
    def test_the_end_tells_what_to_do_first(self, width):
        findings = [
            _finding(
                number,
                cause=str(number),
                subject=model.Subject('option', f'a/b{number}', '/m.conf', 7),
                remediation=[model.advice('Look.'), model.command('do-it')],
            )
            for number in range(50)
        ]
        lines = _write(_report(*findings), width=width).rstrip().split('\n')
        start = lines.index('WHAT BLOCKS (50)')
        self.assertLessEqual(len(lines) - start, 25)
        self.assertEqual(
            ['  * some-check: a/b0  /m.conf:7', '      do-it'],
            lines[start + 1 : start + 3],
        )
        self.assertRegex('\n'.join(lines[start:]), r'and \d+ more \(above\)')

    def test_a_first_step_is_shown_whole_or_not_at_all(self):
        long = model.config('\n'.join(['[a]', *['b = 1'] * 40]))
        findings = [
            _finding(1, cause='1', remediation=[model.command('do-it')]),
            _finding(2, cause='2', remediation=[long]),
            _finding(3, cause='3', remediation=[model.command('do-last')]),
        ]
        last = _write(_report(*findings)).partition('WHAT BLOCKS (3)\n')[2]
        self.assertEqual(
            '  * some-check: DEFAULT/name_1\n      do-it\n'
            '  * some-check: DEFAULT/name_2\n'
            '  * some-check: DEFAULT/name_3\n      do-last\n',
            last.partition('\n\n')[0] + '\n',
        )

    def test_what_could_not_run_for_one_reason_is_one_block(self):
        grant = (model.advice('Grant it:'), model.command('grant now'))
        checks = tuple(
            model.CheckResult(
                f'check-{number}',
                'T',
                model.Outcome.ERROR,
                f'no table {number}',
                remediation=grant,
            )
            for number in range(11)
        )
        written = _write(reports.CLEAN._replace(checks=checks))
        above, _, last = written.partition('WHAT BLOCKS (1)\n')
        self.assertIn('FAILURES (1)\n', above)
        self.assertEqual(1, above.count('no table'))
        self.assertIn('    Do: Grant it:\n      grant now\n', above)
        self.assertEqual(
            '  * ERROR 11 checks: no table 0\n      grant now',
            last.partition('\n\n')[0],
        )

    @ddt.data(
        ('Add a login, such as:', 'Add a login.'),
        ('Correct it. Now it says:', 'Correct it.'),
        ('Remove the line.', 'Remove the line.'),
    )
    @ddt.unpack
    def test_what_blocks_does_not_repeat_the_lines_to_write(self, text, shown):
        steps = [model.advice(text)]
        if text.endswith(':'):
            steps.append(model.config('[glance]\nauth_type = password'))
        written = _write(_report(_finding(remediation=steps)))
        last = written.partition('WHAT BLOCKS (1)\n')[2]
        self.assertEqual(
            f'    Do: {shown}', last.partition('\n\n')[0].splitlines()[-1]
        )

    def test_silent_services_are_one_list_and_one_command(self):
        services = [
            _finding(
                severity=model.Severity.WARNING,
                subject=model.Subject('service', f'manila-share@h{number}'),
                message=f'manila-share on h{number} does not report; it last '
                f'reported at 2026-01-01 00:00:{number}',
                remediation=[model.command('manila-manage service cleanup')],
                cause='gone',
            )
            for number in range(10, 60)
        ]
        written = _write(_report(*services))
        self.assertEqual(1, written.count('manila-manage service cleanup'))
        self.assertEqual(1, written.count('does not report'))
        for number in range(10, 60):
            self.assertRegex(written, rf'\bh{number}\b')
        self.assertLess(written.count('\n'), 50)
        whole = _write(_report(*services), verbose=True)
        self.assertEqual(50, whole.count('does not report'))
        self.assertEqual(1, whole.count('manila-manage service cleanup'))

    def test_numbers_are_one_table(self):
        tables = [
            _finding(
                severity=severity,
                subject=model.Subject('table', name),
                message=f'table {name}: {deleted} of {rows} rows are gone',
                data={'rows': rows, 'soft_deleted': deleted, 'about': rows},
            )
            for severity in (model.Severity.INFO, model.Severity.FAILURE)
            for name, deleted, rows in (
                ('messages', 140, 420),
                ('shares', 7, 1000),
                ('x', 1, 5),
            )
        ]
        written = _write(_report(*tables))
        # Of two names for the same numbers the shorter one.
        rows = (
            '     table     rows  soft deleted\n'
            '     messages   420           140\n'
            '     shares    1000             7\n'
            '     x            5             1\n'
        )
        self.assertIn(f'  * 3 tables\n{rows}', written)
        self.assertIn(f'  - 3 tables\n{rows}', written)

    def test_a_hint_stands_beside_the_note(self):
        note = _finding(
            severity=model.Severity.INFO,
            message='it is ignored',
            remediation=[model.advice('Did you mean DEFAULT/name?')],
        )
        self.assertIn(
            '  - DEFAULT/name_1: it is ignored. Did you mean DEFAULT/name?\n',
            _write(_report(note)),
        )

    def warnings(self, number):
        """Return a report with warnings of as many causes."""
        return _report(
            *(
                _finding(
                    one,
                    model.Severity.WARNING,
                    cause=str(one),
                    message='It is wrong, and much is said of it. ' * 6,
                    remediation=[model.command('do-it')],
                )
                for one in range(number)
            )
        )

    @ddt.data((3, False), (40, True), (80, True), (200, True))
    @ddt.unpack
    def test_warnings_are_shortened_and_none_is_lost(self, number, shortened):
        written = _write(self.warnings(number))
        for one in range(number):
            self.assertRegex(written, rf'DEFAULT/name_{one}\b')
        self.assertEqual(0 if shortened else number, written.count('do-it'))
        self.assertEqual(number if shortened else 0, written.count(' ...\n'))
        if number <= 80:
            self.assertLessEqual(written.count('\n'), table.MAX_LINES)

    def test_all_of_a_warning_is_shown_when_asked_for(self):
        written = _write(self.warnings(80), verbose=True)
        self.assertEqual(480, written.count('much is said of it'))
        self.assertEqual(80, written.count('do-it'))

    def test_waivers_are_shown_when_asked_for(self):
        report = self.warnings(2)
        self.assertNotIn('- {key: ', _write(report))
        self.assertNotIn('- {key: ', _write(report, verbose=True))
        self.assertEqual(
            2, _write(report, show_waivers=True).count('- {key: ')
        )

    def test_nothing_blocks(self):
        self.assertNotIn('WHAT BLOCKS', _write(reports.CLEAN))

    def test_failures_and_warnings_are_never_capped(self):
        for severity in (model.Severity.FAILURE, model.Severity.WARNING):
            found = [_finding(number, severity) for number in range(300)]
            written = _write(_report(*found))
            named = re.findall(r'DEFAULT/name_\d+', written)
            self.assertEqual(300, len(set(named)))
            found = [one._replace(cause=one.key) for one in found]
            self.assertEqual(
                300,
                _write(_report(*found), verbose=True).count('It is wrong.'),
            )

    @ddt.data(
        *(
            (stage, severity)
            for stage in model.Stage
            for severity in model.Severity
        )
    )
    @ddt.unpack
    def test_each_stage_and_code_has_a_verdict(self, stage, severity):
        written = _write(_report(_finding(severity=severity), stage=stage))
        word, todo = words.VERDICTS[stage, int(severity)]
        self.assertTrue(written.startswith(f'{word}: 2025.1 (Epoxy)'))
        closing = written.split('\n\n')[-1]
        self.assertIn(f'Code {int(severity)}: ', closing)
        self.assertIn(todo, ' '.join(closing.split()))

    @ddt.data(
        ((), 'NOTHING CHECKED', 0),
        ((model.Outcome.NOT_APPLICABLE,), 'NOTHING CHECKED', 0),
        ((model.Outcome.SKIPPED,), 'NOTHING CHECKED', 1),
        ((model.Outcome.ERROR,), 'DO NOT SYNC YET', 2),
        ((model.Outcome.PASSED, model.Outcome.SKIPPED), 'READ FIRST', 1),
    )
    @ddt.unpack
    def test_nothing_unknown_is_called_fine(self, outcomes, word, code):
        report = reports.CLEAN._replace(
            checks=tuple(
                model.CheckResult(f'check-{n}', 'Title', outcome, 'a reason')
                for n, outcome in enumerate(outcomes)
            ),
        )
        written = _write(report)
        self.assertTrue(written.startswith(f'{word}: '), written)
        self.assertIn(f'\nCode {code}: ', written)

    def test_unknown_releases_are_shown_as_they_stand(self):
        report = reports.CLEAN._replace(
            source_release='unknown', target_release='2031.1'
        )
        self.assertTrue(
            _write(report).startswith('READY: unknown -> 2031.1\n')
        )

    @ddt.data(
        (None, 'was not read'),
        (model.DatabaseRead('sqlite', None, True), 'sqlite, empty'),
        (model.DatabaseRead('mysql', None), 'mysql, no single revision'),
        (model.DatabaseRead('mysql', 'abc'), 'mysql, revision abc'),
    )
    @ddt.unpack
    def test_the_database_is_named(self, database, text):
        report = reports.CLEAN._replace(database=database)
        self.assertIn(f'\nDatabase    {text}\n', _write(report))
