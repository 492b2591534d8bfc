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
import json
import os
import subprocess
import sys
import textwrap

import ddt
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck.cmd import precheck
from manila_precheck.engine import registry
from manila_precheck.tests import config_server


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.conf = self.write('manila.conf', '[DEFAULT]\n')
        # No file of this machine is a part of a test.
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.path))
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.host.service_processes.look',
                lambda site: (),
            )
        )
        for name in list(os.environ):
            if name.startswith('OS_MANILA_PRECHECK'):
                self.useFixture(fixtures.EnvironmentVariable(name))

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)
        return path

    def main(self, *argv):
        """Run the command: (exit code, standard output, standard error)."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            with fixtures.MonkeyPatch('sys.stderr', stderr):
                code = precheck.main(list(argv))
        return code, stdout.getvalue(), stderr.getvalue()

    def path_check(self, *words, conf=None):
        """Run the check that needs no source."""
        return self.main(
            '--config-file',
            conf or self.conf,
            'upgrade',
            'check',
            '--check',
            'upgrade-path',
            *words,
        )


@ddt.ddt
class CouldNotRunTest(Case):
    def assert_refused(self, words, answer):
        code, stdout, stderr = answer
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(1, stderr.count('\n'), stderr)
        self.assertTrue(stderr.startswith('manila-precheck: error: '), stderr)
        self.assertIn(words, stderr)

    @ddt.data(
        (
            [],
            'missing subcommand after "manila-precheck": upgrade, check, '
            'report or catalog; see manila-precheck --help',
        ),
        (
            ['frobnicate'],
            "unknown command 'frobnicate'; known: upgrade, check, report, "
            'catalog; see manila-precheck --help',
        ),
        (['chek'], "unknown command 'chek', did you mean 'check'? known: "),
        (
            ['upgrade'],
            'missing subcommand after "manila-precheck upgrade": check, fix, '
            'plan or rehearse; see manila-precheck upgrade --help',
        ),
        (
            ['check'],
            'missing subcommand after "manila-precheck check": list or '
            'explain; ',
        ),
        (
            ['upgrade', 'frobnicate'],
            "unknown verb 'frobnicate'; known: check, fix, plan, rehearse; "
            'see manila-precheck upgrade --help',
        ),
        (
            ['upgrade', 'check', '--frob=a', 'b'],
            "unknown argument '--frob'; see "
            'manila-precheck upgrade check --help',
        ),
        (
            ['upgrade', 'check', '--chek', 'upgrade-path'],
            "unknown argument '--chek', did you mean '--check'? see ",
        ),
        (['check', 'list', 'all'], "unknown argument 'all'; see "),
        (
            ['--target-release', '2026.1', 'upgrade', 'check'],
            '--target-release precedes the command; put flags of "upgrade '
            'check" after it: manila-precheck upgrade check --target-release '
            '...',
        ),
        (
            ['--stage=plan', 'upgrade', 'check'],
            '--stage precedes the command; ',
        ),
        (['--debug', 'chek'], "unknown command 'chek', did you mean 'check'?"),
        (
            ['upgrade', 'check', '--stage', 'planned'],
            "unknown --stage 'planned', did you mean 'plan'? known: plan, "
            'stopped, upgraded; see manila-precheck upgrade check --help',
        ),
        (['upgrade', 'check', '--stage', 'later'], "unknown --stage 'later'"),
        (['upgrade', 'check', '--check'], 'expected one argument'),
        (['check', 'explain'], 'required: ID'),
        (['check', 'explain', 'nope'], "unknown check 'nope'; "),
        (
            ['check', 'explain', 'config-option'],
            "unknown check 'config-option', did you mean 'config-options'? "
            '"manila-precheck check list" shows them all',
        ),
    )
    @ddt.unpack
    def test_usage(self, argv, words):
        self.assert_refused(words, self.main(*argv))

    @ddt.data(
        (['--check', 'nope'], "unknown check 'nope'"),
        (['--skip', 'nope'], "unknown check 'nope'"),
        (['--skip', 'upgrade-path'], 'no check is left to run'),
        (['--target-release', '2026.9'], "unknown release '2026.9'"),
        (['--source-release', 'juno'], "unknown release 'juno'"),
        (['--target-release', 'Gaspacho'], "did you mean 'gazpacho'?"),
        (['--format', 'sarif9'], "unknown format 'sarif9', did you mean 'sa"),
    )
    @ddt.unpack
    def test_unknown(self, words, message):
        self.assert_refused(message, self.path_check(*words))

    def test_no_file_found(self):
        os.remove(self.conf)
        self.useFixture(
            fixtures.MonkeyPatch(
                'manila_precheck.evidence.config.service_files.defaults',
                lambda *args, **kwargs: ([], []),
            )
        )
        self.assert_refused(
            'no configuration file found', self.main('upgrade', 'check')
        )

    def test_missing_file(self):
        missing = os.path.join(self.path, 'missing.conf')
        self.assert_refused(missing, self.path_check(conf=missing))

    def test_missing_directory(self):
        self.assert_refused(
            'missing.d',
            self.main(
                '--config-dir',
                os.path.join(self.path, 'missing.d'),
                'upgrade',
                'check',
            ),
        )

    def test_running_files_that_are_missing(self):
        missing = os.path.join(self.path, 'missing.conf')
        for flag in ('--running-config-file', '--running-config-dir'):
            self.assert_refused(
                f'{missing}: No such file or directory',
                self.path_check(flag, missing),
            )

    def test_running_directory_that_is_empty(self):
        empty = self.useFixture(fixtures.TempDir()).path
        self.assert_refused(
            f'no configuration file to read in {empty}',
            self.path_check('--running-config-dir', empty),
        )

    def test_a_report_in_place_of_a_running_file(self):
        running = self.write('now/manila.conf', '[DEFAULT]\n')
        for path in (running, os.path.join(self.path, 'now/policy.yaml')):
            self.assert_refused(
                f'it would replace {path}',
                self.path_check(
                    *('--running-config-file', running),
                    *('--report', f'json:{path}'),
                ),
            )

    def test_empty_directory(self):
        empty = self.useFixture(fixtures.TempDir()).path
        self.assert_refused(
            f'no configuration file to read in {empty}',
            self.main('--config-dir', empty, 'upgrade', 'check'),
        )

    @ddt.data(
        (
            '[manila_precheck]\nstge = stopped\n',
            "unknown option 'stge', did you mean 'stage'? see {}:2, "
            '[manila_precheck]\n',
        ),
        (
            '[manila_precheck]\nfail-on = never\n',
            "unknown option 'fail-on', did you mean 'fail_on'? see {}:2, ",
        ),
        (
            '[manila_precheck_soft_deleted_rows]\n\nwarning_row = 3\n',
            "unknown option 'warning_row', did you mean 'warning_rows'? see "
            '{}:3, [manila_precheck_soft_deleted_rows]\n',
        ),
    )
    @ddt.unpack
    def test_an_option_of_ours_that_is_none_was_ignored(self, text, words):
        conf = self.write('own.conf', text)
        self.assert_refused(words.format(conf), self.path_check(conf=conf))

    @ddt.data(
        ('manila-precheck', 'manila_precheck'),
        ('MANILA_PRECHEK', 'manila_precheck'),
        ('manilaprecheck', 'manila_precheck'),
        ('manila precheck', 'manila_precheck'),
        (
            'manila_precheck_soft-deleted-rows',
            'manila_precheck_soft_deleted_rows',
        ),
        (
            'manila_precheck_soft_deleted_row',
            'manila_precheck_soft_deleted_rows',
        ),
    )
    @ddt.unpack
    def test_a_section_of_ours_that_is_none_was_ignored(self, name, meant):
        conf = self.write('own.conf', f'[{name}]\nstage = stopped\n')
        self.assert_refused(
            f'unknown section {name!r}, did you mean {meant!r}? see {conf}:2',
            self.path_check(conf=conf),
        )

    def test_options_of_a_check_that_is_not_installed_were_ignored(self):
        conf = self.write('own.conf', '[manila_precheck_acme]\npools = 3\n')
        self.assert_refused(
            "unknown section 'manila_precheck_acme'",
            self.path_check(conf=conf),
        )

    @ddt.data('stage', 'target_release', 'target-release', 'Fail_On')
    def test_an_option_of_ours_in_default_was_ignored(self, name):
        conf = self.write('own.conf', f'[DEFAULT]\n{name} = x\n')
        self.assert_refused(
            f'{conf}:2: {name} in [DEFAULT] has no effect; options of '
            'manila-precheck belong in [manila_precheck]',
            self.path_check(conf=conf),
        )

    def test_sections_and_options_of_others_are_theirs(self):
        conf = self.write(
            'own.conf',
            '[manila]\nstage = 1\n[precheck]\nstage = 1\n'
            '[manila_prod_cephfs]\nstage = 1\n[DEFAULT]\nstages = 1\n',
        )
        code, _, stderr = self.path_check(conf=conf)
        self.assertEqual((1, ''), (code, stderr))

    @ddt.data(
        ('OS_MANILA_PRECHECK__STGE', "unknown option 'stge', did you mean 's"),
        (
            'OS_MANILA_PRECHECK_SOFT_DELETED_ROWS__ROWS',
            "unknown option 'rows'; see OS_MANILA_PRECHECK_SOFT_DELETED_ROWS_",
        ),
        *(
            (
                name,
                f'unknown environment variable {name!r}, did you mean '
                f'{meant!r}? the name is OS_, the section, two underscores '
                'and the option, in capitals',
            )
            for name, meant in (
                (
                    'OS_MANILA_PRECHECK_TARGET_RELEASE',
                    'OS_MANILA_PRECHECK__TARGET_RELEASE',
                ),
                ('OS_MANILA_PRECHECK__stage', 'OS_MANILA_PRECHECK__STAGE'),
                ('os_manila_precheck__stage', 'OS_MANILA_PRECHECK__STAGE'),
                ('OS_MANILA-PRECHECK__STAGE', 'OS_MANILA_PRECHECK__STAGE'),
                ('OS_MANILA_PRECHEK__STAGE', 'OS_MANILA_PRECHECK__STAGE'),
                ('OS_MANLIA_PRECHECK_STAGE', 'OS_MANILA_PRECHECK__STAGE'),
                ('OS_MANILAPRECHECK__STAGE', 'OS_MANILA_PRECHECK__STAGE'),
                ('MANILA_PRECHECK_STAGE', 'OS_MANILA_PRECHECK__STAGE'),
                ('MANILA_PRECHECK__FAILON', 'OS_MANILA_PRECHECK__FAIL_ON'),
                (
                    'OS_MANILA_PRECHECK_SOFT_DELETED_ROWS_WARNING_ROWS',
                    'OS_MANILA_PRECHECK_SOFT_DELETED_ROWS__WARNING_ROWS',
                ),
            )
        ),
        (
            'OS_DEFAULT__STAGE',
            'OS_DEFAULT__STAGE: stage in [DEFAULT] has no effect',
        ),
    )
    @ddt.unpack
    def test_a_variable_of_ours_that_is_none_was_ignored(self, name, words):
        self.useFixture(fixtures.EnvironmentVariable(name, 'stopped'))
        self.assert_refused(words, self.path_check())

    @ddt.data(
        'MANILA_PRECHECK_VENVS',
        'MANILA_PRECHECK_REGENERATE_GOLDEN',
        'MANILA_PRECHECK_REQUIRE_DATABASES',
        'MANILA_PRECHECK_MYSQL_URL',
        'MANILA_PRECHECK_REAL_CONCURRENCY',
        'MANILA_PRECHECK_KILLS_SEED',
        'OS_PROJECT_NAME',
        'OS_MANILA__STAGE',
    )
    def test_variables_of_the_test_suite_and_of_others(self, name):
        self.useFixture(fixtures.EnvironmentVariable(name, '1'))
        code, _, stderr = self.path_check()
        self.assertEqual((1, ''), (code, stderr))

    def test_malformed_file_does_not_show_the_line(self):
        bad = self.write(
            'bad.conf', '[DEFAULT]\nfoo = 1\nhunter2x and no sign\n'
        )
        answer = self.path_check(conf=bad)
        self.assert_refused(f'{bad}:3', answer)
        self.assertNotIn('hunter2x', answer[2])

    @ddt.data(
        ('stage = later', 'stage'),
        ('check_timeout_seconds = soon', 'check_timeout_seconds'),
        ('check_timeout_seconds = nan', 'nan is not a number of seconds'),
        ('check_timeout_seconds = inf', 'inf is not a number of seconds'),
        ('max_listed = -1', 'max_listed'),
        ('target_release = 2031.1', "unknown release '2031.1'"),
    )
    @ddt.unpack
    def test_bad_value_in_a_file(self, line, words):
        bad = self.write('bad.conf', f'[manila_precheck]\n{line}\n')
        self.assert_refused(words, self.path_check(conf=bad))

    def test_bad_value_of_a_flag_names_it(self):
        self.assert_refused(
            'error: [manila_precheck] wait: Should be greater than or equal '
            'to 0',
            self.path_check('--wait', '-1'),
        )
        bad = self.write(
            'bad.conf',
            '[manila_precheck_database_backup]\nmax_age_hours = inf\n',
        )
        self.assert_refused(
            'inf is not a number of hours', self.path_check(conf=bad)
        )

    @ddt.data('many', '-1')
    def test_bad_value_of_a_check_that_is_skipped(self, value):
        group = 'manila_precheck_soft_deleted_rows'
        bad = self.write('bad.conf', f'[{group}]\nwarning_rows = {value}\n')
        self.assert_refused(
            f'error: [{group}] warning_rows: Value for option warning_rows '
            f'from {bad} is not valid',
            self.path_check(conf=bad),
        )
        variable = f'OS_{group}__WARNING_ROWS'.upper()
        self.useFixture(fixtures.EnvironmentVariable(variable, value))
        self.assert_refused(f'from {variable} is not', self.path_check())

    def test_bad_value_in_the_environment_names_the_variable(self):
        self.useFixture(
            fixtures.EnvironmentVariable('OS_MANILA_PRECHECK__STAGE', 'later')
        )
        answer = self.path_check()
        self.assert_refused('from OS_MANILA_PRECHECK__STAGE', answer)
        self.assertNotIn('LocationInfo', answer[2])

    def test_a_bug_is_no_warning(self):
        """Python's own exit code for a crash is 1, which reads as one."""

        def crash(*args, **kwargs):
            raise AttributeError('oops')

        self.patch(registry, 'checks', crash)
        self.assert_refused('AttributeError: oops', self.path_check())

    def test_closed_standard_output(self):
        class Closed(io.StringIO):
            def write(self, text):
                raise OSError(28, 'No space left on device')

        stderr = io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', Closed()):
            with fixtures.MonkeyPatch('sys.stderr', stderr):
                code = precheck.main(
                    ['--config-file', self.conf, 'upgrade', 'check']
                )
        self.assertEqual(255, code)
        self.assertIn('No space left on device', stderr.getvalue())


class RefusedByOsloConfigTest(Case):
    def test_a_value_was_printed_and_the_run_ended(self):
        code, stdout, stderr = self.main(
            '--config-file',
            self.write(
                'manila.conf',
                '[DEFAULT]\nshell_completion = admin:Xy7pQ1zLmW\n',
            ),
            *('upgrade', 'check', '--check', 'config-options'),
            *('--source-release', '2025.1', '--target-release', '2026.1'),
        )
        self.assertEqual((2, ''), (code, stderr))
        self.assertIn('[DEFAULT] shell_completion = admin:***', stdout)


class ImportTest(testtools.TestCase):
    def test_an_interrupt_while_it_is_imported(self):
        """It was shown with a traceback, and the code was that of SIGINT."""
        code = textwrap.dedent(
            '''
            import sys
            from manila_precheck import cmd

            class Interrupts:
                def find_spec(self, name, path=None, target=None):
                    if name == 'manila_precheck.engine.runner':
                        raise KeyboardInterrupt

            sys.meta_path.insert(0, Interrupts())
            sys.exit(cmd.main())
            '''
        )
        done = subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True
        )
        self.assertEqual(
            (255, '', 'manila-precheck: error: interrupted\n'),
            (done.returncode, done.stdout, done.stderr),
        )


class ModuleTest(testtools.TestCase):
    def test_a_library_that_does_not_load(self):
        """It ended with 1, the code of warnings."""
        code = textwrap.dedent(
            '''
            import sys
            from manila_precheck import cmd

            sys.modules['argparse'] = None
            sys.exit(cmd.main())
            '''
        )
        done = subprocess.run(
            [sys.executable, '-c', code], capture_output=True, text=True
        )
        self.assertEqual((255, ''), (done.returncode, done.stdout))
        self.assertThat(
            done.stderr,
            testtools.matchers.EndsWith(
                'manila-precheck: error: it cannot be loaded: import of '
                'argparse halted; None in sys.modules\n'
            ),
        )

    def test_it_is_the_command(self):
        words = [sys.executable, '-I', '-m', 'manila_precheck', '--version']
        done = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        self.assertThat(
            done.stdout, testtools.matchers.StartsWith('manila-precheck ')
        )


class StreamsTest(Case):
    """The command in a process of its own, with a shell's redirections."""

    def shell(self, words, redirection):
        """Run it: (exit code, standard output, standard error)."""
        done = subprocess.run(
            [
                'sh',
                '-c',
                f'exec "$0" -c "$1" {words} {redirection}',
                sys.executable,
                'import sys; from manila_precheck.cmd import precheck; '
                'sys.exit(precheck.main())',
            ],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def test_closed_standard_error_ended_with_a_warning(self):
        words = '--config-file manila.conf upgrade check --check upgrade-path'
        code, stdout, _ = self.shell(
            words + ' --target-release zed --source-release yoga', '2>&-'
        )
        self.assertEqual(0, code)
        self.assertIn('upgrade-path', stdout)
        self.assertEqual(
            (255, '', ''),
            self.shell('--config-file nope upgrade check', '2>&-'),
        )

    def test_closed_standard_output_was_an_attribute_error(self):
        message = 'manila-precheck: error: standard output is closed\n'
        self.assertEqual((255, '', message), self.shell('check list', '>&-'))
        self.assertEqual((255, '', ''), self.shell('check list', '>&- 2>&-'))

    def test_a_full_disk_ended_with_120(self):
        if not os.path.exists('/dev/full'):
            self.skipTest('there is no /dev/full')
        message = (
            'manila-precheck: error: cannot write the report: '
            'No space left on device\n'
        )
        for words in ('check list', '--help', '--version'):
            self.assertEqual(
                (255, '', message), self.shell(words, '> /dev/full')
            )
        self.assertEqual((255, '', ''), self.shell('nope', '2> /dev/full'))

    def test_the_version_stood_on_standard_error(self):
        code, stdout, stderr = self.shell('--version', '')
        self.assertEqual((0, ''), (code, stderr))
        # The environment may know another version than the working tree.
        self.assertRegex(
            stdout,
            r'\Amanila-precheck \d+\.\d+\.\d+\S*, catalog of '
            rf'{catalog.Catalog().date}\n\Z',
        )


class ReadingErrorsTest(Case):
    def refused(self, *words):
        code, stdout, stderr = self.main(*words, 'upgrade', 'check')
        self.assertEqual((255, ''), (code, stdout))
        return stderr.partition(' error: ')[2]

    def test_a_pipe_as_a_configuration_file_was_waited_for(self):
        path = os.path.join(self.path, 'pipe.conf')
        os.mkfifo(path)
        self.assertEqual(
            f'{path}: a pipe, not a file\n',
            self.refused('--config-file', path),
        )

    def test_a_directory_as_a_file_was_an_error_of_writing(self):
        self.assertEqual(
            f'{self.path}: Is a directory\n',
            self.refused('--config-file', self.path),
        )

    def test_a_binary_file_was_not_named(self):
        path = os.path.join(self.path, 'binary.conf')
        with open(path, 'wb') as stream:
            stream.write(b'[DEFAULT]\n\xff\xfe')
        self.assertEqual(
            f'{path}:2: the file is not UTF-8 text\n',
            self.refused('--config-file', path),
        )

    def test_a_file_as_a_directory_was_read_as_a_file(self):
        self.assertEqual(
            f'{self.conf}: not a directory\n',
            self.refused('--config-dir', self.conf),
        )


@ddt.ddt
class ExitCodeTest(Case):
    good = ['--source-release', '2024.1', '--target-release', '2025.1']
    warned = ['--target-release', '2025.1']
    failed = ['--source-release', '2024.1', '--target-release', '2026.1']

    @ddt.data(
        (good, 'warning', 0),
        (good, 'failure', 0),
        (good, 'never', 0),
        (warned, 'warning', 1),
        (warned, 'failure', 0),
        (warned, 'never', 0),
        (failed, 'warning', 2),
        (failed, 'failure', 2),
        (failed, 'never', 0),
    )
    @ddt.unpack
    def test_code(self, words, fail_on, expected):
        code, stdout, stderr = self.path_check(*words, '--fail-on', fail_on)
        self.assertEqual((expected, ''), (code, stderr))
        self.assertNotEqual('', stdout)


class OptionsTest(Case):
    def stage_of(self, *words, conf=None):
        _, stdout, stderr = self.path_check(
            '--format', 'json', *words, conf=conf
        )
        self.assertEqual('', stderr)
        return json.loads(stdout)['stage']

    def test_flag_then_environment_then_file(self):
        conf = self.write('s.conf', '[manila_precheck]\nstage = stopped\n')
        self.assertEqual('plan', self.stage_of())
        self.assertEqual('stopped', self.stage_of(conf=conf))
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_MANILA_PRECHECK__STAGE', 'upgraded'
            )
        )
        self.assertEqual('upgraded', self.stage_of(conf=conf))
        self.assertEqual('plan', self.stage_of('--stage', 'plan', conf=conf))

    def test_ids_may_be_a_list(self):
        _, stdout, _ = self.main(
            '--config-file',
            self.conf,
            'upgrade',
            'check',
            '--check',
            'upgrade-path,schema-revision',
            '--skip',
            'schema-revision',
            '--format',
            'json',
        )
        report = json.loads(stdout)
        self.assertEqual(['upgrade-path'], [c['id'] for c in report['checks']])
        self.assertIn('schema-revision', report['excluded'])

    def test_default_files_are_left_out_when_one_is_given(self):
        self.write('.manila/manila.conf', '[DEFAULT]\n')
        _, stdout, _ = self.path_check('--format', 'json')
        self.assertEqual(
            [self.conf], [f['path'] for f in json.loads(stdout)['files']]
        )

    def test_default_files(self):
        found = self.write('.manila/manila.conf', '[DEFAULT]\n')
        drop = self.write('.manila/manila.conf.d/a.conf', '[DEFAULT]\n')
        own = self.write('.manila/manila-precheck.conf', '[DEFAULT]\n')
        _, stdout, _ = self.main(
            'upgrade', 'check', '--check', 'upgrade-path', '--format', 'json'
        )
        self.assertEqual(
            [found, own, drop],
            [f['path'] for f in json.loads(stdout)['files']],
        )

    def test_files_in_the_order_given(self):
        one = self.write('b/one.conf', '[manila_precheck]\nstage = stopped\n')
        two = self.write('a/two.conf', '[manila_precheck]\nstage = plan\n')
        _, stdout, _ = self.main(
            '--config-dir',
            os.path.dirname(one),
            '--config-file',
            two,
            'upgrade',
            'check',
            '--check',
            'upgrade-path',
            '--format',
            'json',
        )
        report = json.loads(stdout)
        self.assertEqual([one, two], [f['path'] for f in report['files']])
        self.assertEqual('plan', report['stage'])

    def test_the_files_may_stand_behind_the_verb(self):
        one = self.write('a.conf.d/one.conf', '[DEFAULT]\n')
        two = self.write('two.conf', '[DEFAULT]\n')
        code, stdout, stderr = self.main(
            '--config-file',
            two,
            'upgrade',
            'check',
            '--debug',
            '--config-dir',
            os.path.dirname(one),
            '--config-file',
            self.conf,
            '--check',
            'upgrade-path',
            '--format',
            'json',
        )
        self.assertIn('DEBUG', stderr)
        report = json.loads(stdout)
        self.assertEqual(
            [two, one, self.conf], [f['path'] for f in report['files']]
        )
        self.assertEqual(1, code)


class PagesTest(Case):
    def test_list_and_explain_know_every_check(self):
        code, stdout, stderr = self.main('check', 'list')
        self.assertEqual((0, ''), (code, stderr))
        listed = [line.split()[0] for line in stdout.splitlines()[1:]]
        self.assertEqual([e.result_id for e in registry.checks()], listed)
        for check_id in listed:
            code, stdout, stderr = self.main('check', 'explain', check_id)
            self.assertEqual((0, ''), (code, stderr), check_id)
            self.assertTrue(stdout.startswith(f'{check_id}: '), stdout)

    def test_help_names_the_exit_codes(self):
        code, stdout, stderr = self.main('--help')
        self.assertEqual((0, ''), (code, stderr))
        self.assertIn(
            '255 the command could not run', ' '.join(stdout.split())
        )

    def test_every_flag_is_described(self):
        code, stdout, stderr = self.main('upgrade', 'check', '--help')
        self.assertEqual((0, ''), (code, stderr))
        for flag in ('--target-release', '--fail-on', '--skip', '--json'):
            self.assertIn(flag, stdout)


class SourcesTest(Case):
    """A configuration file that names a remote one."""

    def setUp(self):
        super().setUp()
        server = self.useFixture(config_server.Server())
        self.files, self.uri = server.files, f'{server.url}/far'
        self.conf = self.write(
            'manila.conf',
            '[DEFAULT]\nconfig_source = far\n'
            f'[far]\ndriver = remote_file\nuri = {self.uri}\n',
        )

    def report(self, *words):
        code, stdout, stderr = self.main(
            *('--config-file', self.conf, 'upgrade', 'check'),
            *('--format', 'json', '--source-release', '2025.1', *words),
        )
        self.assertEqual('', stderr)
        return code, json.loads(stdout)

    def test_the_database_that_it_names(self):
        path = os.path.join(self.path, 'hunter2')
        self.files['/far'] = f'[database]\nconnection = sqlite:///{path}\n'
        code, report = self.report('--check', 'schema-revision')
        self.assertEqual(2, code)
        (result,) = report['checks']
        self.assertEqual('error', result['outcome'])
        self.assertIn('[database] connection', result['reason'])
        self.assertEqual(
            [self.conf, self.uri], [file['path'] for file in report['files']]
        )

    def test_an_option_of_ours_in_it(self):
        self.files['/far'] = '[manila_precheck]\nstage = stopped\n'
        _, report = self.report('--check', 'upgrade-path')
        self.assertEqual('stopped', report['stage'])

    def test_an_option_of_ours_in_it_that_is_none(self):
        self.files['/far'] = '[manila_precheck]\nstge = stopped\n'
        code, stdout, stderr = self.path_check()
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn(f'see {self.uri}:2, [manila_precheck]', stderr)

    def test_its_references_without_end(self):
        self.files['/far'] = '[manila_precheck]\n' + '\n'.join(
            [
                'waivers = $baseline$baseline',
                'baseline = ' + 900 * '$source_release',
                'source_release = ' + 900 * 'x',
            ]
        )
        code, stdout, stderr = self.path_check()
        self.assertEqual((255, ''), (code, stdout))
        self.assertIn(
            f'error: {self.uri}:2: the references in [manila_precheck] '
            'waivers expand to more than 1 MiB or pass through more than 50 '
            'other options',
            stderr,
        )

    def test_it_cannot_be_had(self):
        code, report = self.report('--check', 'config-options')
        self.assertEqual(1, code)
        (result,) = report['checks']
        self.assertIn('the server answers 404', str(result['findings']))

    def test_without_a_uri_nothing_was_said_but_an_option(self):
        self.conf = self.write(
            'manila.conf',
            '[DEFAULT]\nconfig_source = far\n[far]\ndriver = remote_file\n',
        )
        code, report = self.report('--check', 'config-options')
        self.assertEqual(2, code)
        (result,) = report['checks']
        self.assertEqual(
            ['far/driver'],
            [found['subject']['name'] for found in result['findings']],
        )
