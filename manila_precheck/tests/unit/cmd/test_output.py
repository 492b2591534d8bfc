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
"""Files of --report: whole or not there, and never a 0 for want of one."""

import json
import os
import stat
from unittest import mock

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.cmd import output
from manila_precheck.cmd import report_file
from manila_precheck.reporters import base
from manila_precheck.tests import reports
from manila_precheck.tests.unit.cmd import test_precheck


class _Crashes(base.Reporter):
    name = 'crashes'

    def write(self, report, stream, *, width=None, color=False):
        stream.write('half of it')
        raise ValueError('no')


class _Says(base.Reporter):
    name = 'says'

    def write(self, report, stream, *, width=None, color=False):
        stream.write('said \ud800\n')


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.file = os.path.join(self.path, 'report')

    def write(self, *targets):
        files = []
        problems = list(
            output.render_files(
                targets, reports.CLEAN, files, report_file.InputFiles()
            )
        )
        problems += output.stage(files)
        problems += output.publish()
        return problems

    def content(self):
        with open(self.file, encoding='utf-8') as stream:
            return stream.read()


@ddt.ddt
class WriteTest(Case):
    def test_a_new_file(self):
        mask = os.umask(0o027)
        self.addCleanup(os.umask, mask)
        self.assertEqual([], self.write(_target(_Says(), self.file)))
        self.assertEqual('said \\ud800\n', self.content())
        self.assertEqual(0o640, stat.S_IMODE(os.stat(self.file).st_mode))
        self.assertEqual(['report'], os.listdir(self.path))

    @ddt.data(0o6777, 0o1666, 0o604, 0o400)
    def test_the_mode_of_an_old_file_is_not_taken_over(self, mode):
        with open(self.file, 'w') as stream:
            stream.write('old')
        os.chmod(self.file, mode)
        mask = os.umask(0o002)
        self.addCleanup(os.umask, mask)
        self.assertEqual([], self.write(_target(_Says(), self.file)))
        self.assertEqual('said \\ud800\n', self.content())
        self.assertEqual(0o644, stat.S_IMODE(os.stat(self.file).st_mode))

    def test_a_link_stays_a_link(self):
        link = os.path.join(self.path, 'link')
        os.symlink(self.file, link)
        self.assertEqual([], self.write(_target(_Says(), link)))
        self.assertTrue(os.path.islink(link))
        self.assertEqual('said \\ud800\n', self.content())

    def test_a_device_is_written_to_and_not_replaced(self):
        self.assertEqual([], self.write(_target(_Says(), '/dev/null')))
        self.assertTrue(stat.S_ISCHR(os.stat('/dev/null').st_mode))

    def test_a_full_disk(self):
        self.assertEqual(
            ['report says:/dev/full: No space left on device'],
            self.write(_target(_Says(), '/dev/full')),
        )

    def test_a_reporter_that_crashes_keeps_no_other_from_being_written(self):
        with open(self.file, 'w') as stream:
            stream.write('old')
        other = os.path.join(self.path, 'other')
        self.assertEqual(
            [f'report crashes:{self.file}: ValueError: no'],
            self.write(
                _target(_Crashes(), self.file), _target(_Says(), other)
            ),
        )
        self.assertEqual('old', self.content())
        self.assertEqual(['other', 'report'], sorted(os.listdir(self.path)))

    def test_a_signal_leaves_no_half_of_a_file(self):
        """What the handler of SIGTERM calls while a file is being written."""
        seen: list = []

        def interrupted(source, target, **directories):
            seen.extend(os.listdir(self.path))
            report_file.discard_unfinished()
            seen.append(len(os.listdir(self.path)))
            raise OSError(2, 'No such file or directory')

        with mock.patch.object(
            os, 'replace', autospec=True, side_effect=interrupted
        ):
            self.write(_target(_Says(), self.file))
        self.assertEqual(2, len(seen))
        self.assertTrue(seen[0].startswith('.manila-precheck-'), seen)
        self.assertEqual(0, seen[1])

    def test_what_cannot_take_its_place_leaves_nothing_behind(self):
        failure = OSError(1, 'Operation not permitted')
        with mock.patch.object(
            os, 'replace', autospec=True, side_effect=failure
        ):
            self.assertEqual(
                [f'report says:{self.file}: Operation not permitted'],
                self.write(_target(_Says(), self.file)),
            )
        self.assertEqual([], os.listdir(self.path))


def _target(reporter, path):
    return output.ReportFile(reporter.name, path, reporter)


@ddt.ddt
class TargetsTest(Case):
    def refused(self, *texts):
        raised = self.assertRaises(
            exceptions.UsageError, output.targets, texts
        )
        self.assertEqual([], os.listdir(self.path))
        return str(raised)

    def test_several(self):
        found = output.targets([f'json:{self.file}', 'junit:/dev/null'])
        self.assertEqual(
            [('json', self.file), ('junit', '/dev/null')],
            [(target.format, target.path) for target in found],
        )

    def test_a_colon_belongs_to_the_path(self):
        (target,) = output.targets([f'json:{self.path}/a:b'])
        self.assertEqual(f'{self.path}/a:b', target.path)

    @ddt.data('json', 'json:', ':/tmp/x', '')
    def test_no_such_form(self, text):
        self.assertEqual(
            f'report {text!r} is not FORMAT:PATH', self.refused(text)
        )

    def test_unknown_format(self):
        self.assertIn("unknown format 'nope'", self.refused('nope:/dev/null'))
        self.assertNotIn('/u:', self.refused('https://u:hunter2@h/x'))

    def test_no_directory(self):
        missing = os.path.join(self.path, 'missing')
        self.assertEqual(
            f"report 'json:{missing}/a': there is no directory {missing}",
            self.refused(f'json:{missing}/a'),
        )

    def test_a_directory(self):
        self.assertEqual(
            f"report 'json:{self.path}': it is a directory",
            self.refused(f'json:{self.path}'),
        )

    def test_standard_output(self):
        self.assertEqual(
            "report 'json:-': standard output is for --format",
            self.refused('json:-'),
        )

    def test_the_same_file_twice(self):
        self.assertEqual(
            "reports json and junit go to the same file, "
            f"{self.path}/./report",
            self.refused(f'json:{self.file}', f'junit:{self.path}/./report'),
        )

    def test_two_names_of_one_file(self):
        with open(self.file, 'w'):
            pass
        other = os.path.join(self.path, 'other')
        os.link(self.file, other)
        raised = self.assertRaises(
            exceptions.UsageError,
            output.targets,
            [f'json:{self.file}', f'junit:{other}'],
        )
        self.assertIn('go to the same file', str(raised))


class CommandTest(test_precheck.Case):
    words = ('--source-release', '2024.1', '--target-release', '2025.1')

    def report(self, name):
        with open(os.path.join(self.path, name), encoding='utf-8') as stream:
            return stream.read()

    def test_every_format_at_once(self):
        names = (
            *('html', 'json', 'junit', 'markdown', 'openmetrics'),
            *('sarif', 'table'),
        )
        flags = []
        for name in names:
            flags += ['--report', f'{name}:{self.path}/{name}']
        code, stdout, stderr = self.path_check(*self.words, *flags)
        self.assertEqual((0, ''), (code, stderr))
        self.assertTrue(stdout.startswith('NO PROBLEM IN 1 OF '), stdout)
        self.assertEqual(stdout, self.report('table'))
        for name in names:
            self.assertNotEqual('', self.report(name))

    def test_a_report_that_is_not_written_is_no_success(self):
        code, stdout, stderr = self.path_check(
            *self.words,
            '--report',
            'json:/dev/full',
            '--report',
            f'junit:{self.path}/junit',
            '--fail-on',
            'never',
        )
        self.assertEqual(255, code)
        self.assertEqual(
            'manila-precheck: error: report json:/dev/full: No space left on '
            'device\n',
            stderr,
        )
        self.assertTrue(stdout.startswith('NO PROBLEM IN 1 OF '), stdout)
        self.assertNotEqual('', self.report('junit'))

    def test_a_report_that_cannot_be_written_is_told_before_the_run(self):
        code, stdout, stderr = self.path_check(
            *self.words, '--report', f'json:{self.path}/missing/a'
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn('there is no directory', stderr)

    def test_reproducible(self):
        flags = (*self.words, '--format', 'json', '--reproducible')
        first, second = self.path_check(*flags), self.path_check(*flags)
        self.assertEqual(first, second)
        report = json.loads(first[1])
        self.assertIsNone(report['created'])
        self.assertEqual([0.0], [c['seconds'] for c in report['checks']])

    def test_a_report_says_when_it_was_made(self):
        _, stdout, _ = self.path_check(*self.words, '--format', 'json')
        report = json.loads(stdout)
        self.assertRegex(
            report['created'], r'^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$'
        )

    def test_reports_of_the_environment(self):
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_MANILA_PRECHECK__REPORT',
                f'json:{self.path}/a,b\njunit:{self.path}/c',
            )
        )
        code, _, stderr = self.path_check(*self.words)
        self.assertEqual((0, ''), (code, stderr))
        self.assertNotEqual('', self.report('a,b'))
        self.assertNotEqual('', self.report('c'))

    def test_the_exit_code_is_in_the_report(self):
        code, stdout, _ = self.path_check(
            '--source-release',
            '2024.1',
            '--target-release',
            '2026.1',
            '--format',
            'json',
            '--fail-on',
            'never',
        )
        report = json.loads(stdout)
        self.assertEqual(
            (0, 0, 2, 'never'),
            (code, report['exit_code'], report['code'], report['fail_on']),
        )


@ddt.ddt
class ThresholdTest(testtools.TestCase):
    @ddt.data(
        ('warning', (0, 1, 2)), ('failure', (0, 0, 2)), ('never', (0, 0, 0))
    )
    @ddt.unpack
    def test_every_code(self, fail_on, expected):
        self.assertEqual(
            expected,
            tuple(model.exit_code(code, fail_on) for code in range(3)),
        )
