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
import unicodedata

import ddt
import testtools

from manila_precheck import model
from manila_precheck.reporters import plain
from manila_precheck.reporters import table
from manila_precheck.reporters import words
from manila_precheck.tests import golden
from manila_precheck.tests import reports


def _write(report=reports.REPORT, **kwargs):
    stream = io.StringIO()
    table.TableReporter().write(report, stream, **kwargs)
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
            self.assertIn(f'- {more} (--format json lists all)\n', written)

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
            '  * some-check: a  /etc/m.conf:7\n'
            '  * some-check: b  /etc/m.conf:7\n'
            '      manila reset-state one\n',
            last.partition('\n\n')[0] + '\n',
        )

    def test_what_blocks_names_the_first_of_each_check(self):
        written = _write(_report(*[_finding(n) for n in range(60)]))
        last = written.partition('WHAT BLOCKS (60)\n')[2]
        self.assertEqual(5, last.count('  * some-check: DEFAULT'), last)
        self.assertIn('  * some-check: and 55 more (above)\n', last)

    def test_nothing_blocks(self):
        self.assertNotIn('WHAT BLOCKS', _write(reports.CLEAN))

    def test_failures_and_warnings_are_never_capped(self):
        for severity in (model.Severity.FAILURE, model.Severity.WARNING):
            found = [_finding(number, severity) for number in range(300)]
            written = _write(_report(*found))
            self.assertEqual(300, written.count('It is wrong.'))

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
