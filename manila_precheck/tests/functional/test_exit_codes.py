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
"""Every exit code, as a shell sees it.

The command runs in a process of its own, with a plugin whose check does what
a variable says, as pip would install it; nothing is replaced.
"""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import ddt
import fixtures
import testtools

_FORMATS = (
    'table',
    'json',
    'junit',
    'sarif',
    'markdown',
    'html',
    'openmetrics',
)

_PLUGIN = """
    import logging
    import os
    import signal
    import time

    from manila_precheck.engine import check
    from manila_precheck import exceptions
    from manila_precheck import model
    from manila_precheck.reporters import base


    class Told(check.Check):
        'A page.'

        id = 'told-check'
        title = 'Told'

        def run(self, ctx):
            what = os.environ['TOLD']
            if what == 'skip':
                raise exceptions.SourceNotGiven('nobody gave it')
            if what == 'unusable':
                raise exceptions.SourceUnusable('it is broken')
            if what == 'crash':
                (found,) = ctx.config.find('DEFAULT', 'acme_password')
                password = found.value
                raise RuntimeError(f'no login with {password!r}')
            if what == 'exit':
                raise SystemExit(0)
            if what == 'memory':
                raise MemoryError()
            if what == 'recursion':
                for finding in self.run(ctx):
                    yield finding
            if what == 'nonsense':
                yield 'all is well'
            if what == 'late':
                yield model.Finding(
                    model.Severity.INFO, model.Subject('share', 'a'), 'One.'
                )
                raise LookupError('the rest is lost')
            if what == 'slow':
                time.sleep(600)
            if what == 'wait':
                print('waiting', file=open(os.environ['MARK'], 'w'))
                time.sleep(600)
            if what in ('INFO', 'WARNING', 'FAILURE'):
                for number in range(int(os.environ.get('MANY', '1'))):
                    yield model.Finding(
                        model.Severity[what],
                        model.Subject('share', f'evil-{number}\\x1b[2J'),
                        'It is \\x1b]0;owned\\x07 \\u202ewrong.',
                    )

        @classmethod
        def opts(cls):
            return ()


    class Crashes(base.Reporter):
        name = 'crashes'

        def write(self, report, stream, *, width=None, color=False):
            raise ValueError('no')


    class Leaves(base.Reporter):
        name = 'leaves'

        def write(self, report, stream, *, width=None, color=False):
            raise SystemExit(0)
"""

_ENTRY_POINTS = """
    [manila_precheck.checks]
    told-check = told_plugin:Told

    [manila_precheck.reporters]
    crashes = told_plugin:Crashes
    leaves = told_plugin:Leaves
"""

_RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)

#: What each thing that a check may do means, before any threshold.
_CODES = {
    'nothing': 0,
    'INFO': 0,
    'WARNING': 1,
    'skip': 1,
    'FAILURE': 2,
    'unusable': 2,
    'crash': 2,
    'exit': 2,
    'memory': 2,
    'recursion': 2,
    'nonsense': 2,
    'late': 2,
    'slow': 2,
}

_LOWEST = {'warning': 1, 'failure': 2, 'never': 3}


class Case(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.write('told_plugin.py', _PLUGIN)
        self.write(
            'told-1.0.dist-info/METADATA',
            'Metadata-Version: 2.1\nName: told\nVersion: 1.0\n',
        )
        self.write('told-1.0.dist-info/entry_points.txt', _ENTRY_POINTS)
        self.write('manila.conf', '[DEFAULT]\nacme_password = hunter2x\n')
        self.mark = os.path.join(self.path, 'mark')
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith('OS_MANILA')
        }
        self.environment.update(
            PYTHONPATH=self.path, HOME='/nonexistent', TOLD='nothing'
        )

    def write(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(textwrap.dedent(text))

    def shell(self, words, rest='', before='', **environment):
        """Run the command below bash: (exit code, output, errors)."""
        done = subprocess.run(
            [
                'bash',
                '-c',
                f'{before} "$0" -c "$1" {words} {rest}',
                sys.executable,
                _RUN,
            ],
            cwd=self.path,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout, done.stderr

    check = (
        '--config-file manila.conf upgrade check --check told-check '
        '--source-release 2024.1 --target-release 2025.1'
    )


@ddt.ddt
class OutcomesTest(Case):
    @ddt.data(*sorted(_CODES))
    def test_each_outcome_at_each_threshold(self, told):
        for fail_on, lowest in _LOWEST.items():
            expected = _CODES[told] if _CODES[told] >= lowest else 0
            code, stdout, stderr = self.shell(
                f'{self.check} --fail-on {fail_on}',
                TOLD=told,
                OS_MANILA_PRECHECK__CHECK_TIMEOUT_SECONDS='3',
            )
            self.assertEqual((expected, ''), (code, stderr), fail_on)
            self.assertIn(f'Code {_CODES[told]}: ', stdout)

    @ddt.data('environment', 'file')
    def test_the_threshold_from_where_no_flag_is(self, place):
        for fail_on, lowest in _LOWEST.items():
            environment = {}
            if place == 'environment':
                environment['OS_MANILA_PRECHECK__FAIL_ON'] = fail_on
            else:
                self.write(
                    'manila.conf', f'[manila_precheck]\nfail_on = {fail_on}\n'
                )
            for told in ('WARNING', 'FAILURE'):
                expected = _CODES[told] if _CODES[told] >= lowest else 0
                code, _, stderr = self.shell(
                    self.check, TOLD=told, **environment
                )
                self.assertEqual(
                    (expected, ''), (code, stderr), f'{fail_on} {told}'
                )

    def test_the_flag_wins_over_the_environment_and_that_over_the_file(self):
        self.write('manila.conf', '[manila_precheck]\nfail_on = warning\n')
        code, _, _ = self.shell(self.check, TOLD='FAILURE')
        self.assertEqual(2, code)
        never = {'OS_MANILA_PRECHECK__FAIL_ON': 'never', 'TOLD': 'FAILURE'}
        code, _, _ = self.shell(self.check, **never)
        self.assertEqual(0, code)
        code, _, _ = self.shell(f'{self.check} --fail-on failure', **never)
        self.assertEqual(2, code)


@ddt.ddt
class CouldNotLookTest(Case):
    """Never 0 or 1, whatever the threshold, for a run that did not look."""

    @ddt.data(
        'frobnicate',
        'upgrade check --frobnicate',
        'upgrade check --fail-on sometimes',
        '--root empty upgrade check',
        '--config-file missing.conf upgrade check',
        '--config-dir . upgrade check --check nope',
        '--config-file manila.conf upgrade check --report nope:a',
        '--config-file manila.conf upgrade check --report json:no/such/a',
        '--config-file manila.conf upgrade check --format nope',
        '',
        'upgrade',
        'upgrade chek',
        'check',
        'check explain',
        'check explain nope',
        'check explain told-check more',
        'report',
        'report merge',
        'report merge missing.json',
        'report merge manila.conf',
        'report merge manila.conf --fail-on sometimes',
        '--config-file . upgrade check',
        '--config-file binary.conf upgrade check',
        '--config-file malformed.conf upgrade check',
        '--config-file /dev/null/manila.conf upgrade check',
        '--config-dir manila.conf upgrade check',
        'upgrade check --config-file missing.conf',
        '--config-file manila.conf upgrade check --wait soon',
        '--config-file manila.conf upgrade check --wait nan',
        '--config-file manila.conf upgrade check --wait -1',
        '--config-file manila.conf upgrade check --skip nope',
        '--config-file manila.conf upgrade check --target-release 2031.1',
        '--config-file manila.conf upgrade check --source-release now',
        '--config-file manila.conf upgrade check --waivers missing.yaml',
        '--config-file manila.conf upgrade check --baseline missing.json',
        '--config-file manila.conf upgrade check --report json:.',
        '--config-file manila.conf upgrade check --report json:a '
        '--report html:a',
    )
    def test_usage_and_files(self, words):
        with open(os.path.join(self.path, 'binary.conf'), 'wb') as stream:
            stream.write(b'[DEFAULT]\nname = \xff\xfe\n')
        self.write('malformed.conf', '[DEFAULT\n')
        # Where no manila runs, whatever this host does.
        os.mkdir(os.path.join(self.path, 'empty'))
        code, stdout, stderr = self.shell(
            words, OS_MANILA_PRECHECK__FAIL_ON='never'
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(1, stderr.count('\n'), stderr)
        self.assertNotIn('Traceback', stderr)

    @ddt.data('FAIL_ON', 'STAGE', 'WAIT', 'FORMAT', 'CHECK', 'REPORT')
    def test_nonsense_in_the_environment(self, name):
        code, stdout, stderr = self.shell(
            self.check.replace(' --check told-check', ''),
            **{f'OS_MANILA_PRECHECK__{name}': 'nonsense'},
        )
        self.assertEqual((255, ''), (code, stdout), stderr)
        self.assertEqual(1, stderr.count('\n'), stderr)

    @ddt.data('oslo_config', 'oslo_upgradecheck', 'stevedore')
    def test_a_library_that_cannot_be_imported(self, name):
        """Python itself gives 1, which would be called warnings."""
        self.write(f'{name}.py', 'raise ImportError("no such luck")\n')
        code, stdout, stderr = self.shell(
            f'{self.check} --fail-on never', PYTHONDONTWRITEBYTECODE='1'
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(
            'manila-precheck: error: ImportError: no such luck\n', stderr
        )

    def test_a_file_that_may_not_get_so_large(self):
        code, stdout, stderr = self.shell(
            f'{self.check} --fail-on never --report json:a',
            '| cat; exit ${PIPESTATUS[0]}',
            before='ulimit -f 1;',
            TOLD='FAILURE',
            MANY='100',
        )
        self.assertEqual(255, code)
        self.assertEqual(
            'manila-precheck: error: report json:a: File too large\n', stderr
        )
        self.assertNotIn('a', os.listdir(self.path))

    @ddt.data(
        '--help',
        '--version',
        'upgrade check --help',
        'check list',
        'check explain told-check',
        # A report of one check is no reason to go ahead.
        'report merge --fail-on failure a.json',
    )
    def test_what_the_other_words_write(self, words):
        self.shell(f'{self.check} --report json:a.json')
        self.assertEqual(0, self.shell(words)[0])
        for redirection in ('> /dev/full', '>&-'):
            code, _, stderr = self.shell(words, redirection)
            self.assertEqual(255, code, redirection)
            self.assertEqual(1, stderr.count('\n'), stderr)

    @ddt.data(
        ('--format crashes', '', 'ValueError: no'),
        ('--format leaves', '', 'it called sys.exit(0)'),
        (
            '--report crashes:a',
            'NO PROBLEM IN 1 OF N CHECKS',
            'report crashes:a: ValueError: no',
        ),
        (
            '--report json:/dev/full',
            'NO PROBLEM IN 1 OF N CHECKS',
            'No space left on device',
        ),
    )
    @ddt.unpack
    def test_a_report_that_is_not_written(self, flags, shown, words):
        code, stdout, stderr = self.shell(
            f'{self.check} {flags} --fail-on never'
        )
        self.assertEqual(255, code)
        headline = re.sub('OF [0-9]+', 'OF N', stdout.partition(':')[0])
        self.assertEqual(shown, headline)
        self.assertIn(words, stderr)
        self.assertEqual(1, stderr.count('\n'), stderr)
        self.assertNotIn('a', os.listdir(self.path))

    @ddt.data('> /dev/full', '>&-', '2>&- > /dev/full')
    def test_standard_output(self, redirection):
        code, _, _ = self.shell(
            f'{self.check} --fail-on never --report json:a', redirection
        )
        self.assertEqual(255, code)

    def test_a_reader_that_went_away(self):
        code, _, stderr = self.shell(
            f'{self.check} --fail-on never',
            '| head -c 0; exit ${PIPESTATUS[0]}',
            TOLD='FAILURE',
            MANY='20000',
        )
        self.assertEqual(255, code, stderr)
        self.assertNotIn('Traceback', stderr)

    def start(self, *words, **environment):
        """Start the command, and return when its check runs."""
        process = subprocess.Popen(
            [sys.executable, '-c', _RUN, *self.check.split(), *words],
            cwd=self.path,
            env={**self.environment, 'MARK': self.mark, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        while not os.path.exists(self.mark):
            self.assertIsNone(process.poll(), 'it ended before the signal')
            time.sleep(0.05)
        return process

    @ddt.data(signal.SIGTERM, signal.SIGHUP)
    def test_a_signal(self, number):
        process = self.start(
            '--report', 'json:a', '--fail-on', 'never', TOLD='wait'
        )
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(
            (
                128 + number,
                '',
                f'manila-precheck: error: ended by {number.name}\n',
            ),
            (process.returncode, stdout, stderr),
        )
        self.assertNotIn('a', os.listdir(self.path))

    def test_ctrl_c(self):
        process = self.start(
            '--check',
            'upgrade-path',
            '--format',
            'json',
            '--report',
            'json:a',
            '--fail-on',
            'never',
            TOLD='wait',
        )
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual((2, ''), (process.returncode, stderr))
        with open(os.path.join(self.path, 'a')) as stream:
            report = json.load(stream)
        self.assertEqual(report, json.loads(stdout))
        incomplete = 'the run was interrupted; this report is incomplete'
        self.assertEqual(
            [('error', incomplete)],
            [
                (one['outcome'], one['reason'])
                for one in report['checks']
                if one['id'] == 'told-check'
            ],
        )
        # The other one had ended, or did not begin; PYTHONPATH is said.
        self.assertEqual(
            {'told-check', 'upgrade-path', 'surroundings'},
            {one['id'] for one in report['checks']},
        )

    def test_a_signal_while_a_report_is_written(self):
        fifo = os.path.join(self.path, 'fifo')
        os.mkfifo(fifo)
        process = subprocess.Popen(
            [
                sys.executable,
                '-c',
                _RUN,
                *self.check.split(),
                '--report',
                f'json:{fifo}',
                '--report',
                'json:a',
                '--fail-on',
                'never',
            ],
            cwd=self.path,
            env={**self.environment, 'TOLD': 'FAILURE', 'MANY': '2000'},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.kill)
        # It is open once the command writes, and more than a pipe holds.
        with open(fifo, 'rb'):
            process.terminate()
            stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(
            (143, '', 'manila-precheck: error: ended by SIGTERM\n'),
            (process.returncode, stdout, stderr),
        )
        self.assertEqual([], [n for n in os.listdir(self.path) if n == 'a'])


@ddt.ddt
class HostileTest(Case):
    def test_a_variable_of_python_made_warnings_of_failures(self):
        code, stdout, stderr = self.shell(
            self.check, '</dev/null', TOLD='FAILURE', PYTHONINSPECT='1'
        )
        self.assertEqual((2, ''), (code, stderr))
        self.assertIn('Code 2', stdout)

    def test_a_terminal_is_not_fooled(self):
        """Not by the table, nor by a format that ends up on one."""
        for name in _FORMATS:
            code, stdout, stderr = self.shell(
                f'{self.check} --format {name}', TOLD='FAILURE'
            )
            self.assertEqual((2, ''), (code, stderr))
            found = set(re.findall('[^ -~\\n]', stdout)) - {'\u2192'}
            self.assertEqual(set(), found, name)

    @ddt.data('ascii', 'latin-1', 'utf-8')
    def test_a_locale_that_lacks_a_character_was_an_error(self, encoding):
        for name in _FORMATS:
            code, stdout, stderr = self.shell(
                f'{self.check} --format {name}',
                "| LC_ALL=C tr -cd '\\12 -~'; exit ${PIPESTATUS[0]}",
                TOLD='WARNING',
                PYTHONIOENCODING=encoding,
            )
            self.assertEqual((1, ''), (code, stderr), name)
            self.assertIn('told', stdout.lower())

    def test_no_secret_leaves_with_a_crash(self):
        code, stdout, stderr = self.shell(
            f'--debug {self.check}', TOLD='crash'
        )
        self.assertEqual(2, code)
        self.assertIn('Traceback', stderr)
        for text in (stdout, stderr):
            self.assertIn("RuntimeError: no login with '***'", text)
            self.assertNotIn('hunter2x', text)

    def test_a_pattern_of_the_site(self):
        self.write(
            'precheck.conf',
            '[manila_precheck]\nredact_pattern = evil-[0-9]+\n',
        )
        code, stdout, _ = self.shell(
            f'--config-file precheck.conf {self.check}',
            TOLD='FAILURE',
        )
        self.assertEqual(2, code)
        self.assertIn('***', stdout)
        self.assertNotIn('evil-', stdout)

    def test_a_pattern_that_is_none(self):
        self.write(
            'precheck.conf', '[manila_precheck]\nredact_pattern = hunter2(\n'
        )
        code, stdout, stderr = self.shell(
            f'--config-file precheck.conf {self.check}'
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(
            'manila-precheck: error: [manila_precheck] redact_pattern: '
            'pattern 1 is not a regular expression (at character 8)\n',
            stderr,
        )


@ddt.ddt
class DecisionsTest(Case):
    """Waivers and a baseline, through the shell."""

    def waivers(self, expires):
        self.write(
            'waivers.yaml',
            f"""
            waivers:
              - key: told-check[evil-0*]
                reason: it is a test
                owner: me
                expires: {expires}
            """,
        )
        return f'{self.check} --waivers waivers.yaml'

    @ddt.data(
        ('FAILURE', '2999-12-31', '1', 0),
        ('FAILURE', '2999-12-31', '2', 2),
        ('FAILURE', '2000-12-31', '1', 2),
        ('WARNING', '2000-12-31', '1', 1),
        ('nothing', '2000-12-31', '1', 1),
        ('nothing', '2999-12-31', '1', 0),
        ('skip', '2999-12-31', '1', 1),
        ('crash', '2999-12-31', '1', 2),
    )
    @ddt.unpack
    def test_waivers(self, told, expires, many, expected):
        code, stdout, stderr = self.shell(
            self.waivers(expires), TOLD=told, MANY=many
        )
        self.assertEqual((expected, ''), (code, stderr), stdout)

    def test_a_waived_finding_is_told(self):
        _, stdout, _ = self.shell(self.waivers('2999-12-31'), TOLD='FAILURE')
        self.assertIn('WAIVED   told-check    1 waived\n', stdout)
        self.assertIn(
            '    waived by me up to 2999-12-31: it is a test', stdout
        )

    @ddt.data(
        ('FAILURE', '1', 'FAILURE', '1', 0),
        ('FAILURE', '1', 'FAILURE', '2', 2),
        ('FAILURE', '1', 'WARNING', '1', 0),
        ('WARNING', '1', 'FAILURE', '1', 2),
        ('skip', '1', 'skip', '1', 1),
        ('crash', '1', 'crash', '1', 2),
    )
    @ddt.unpack
    def test_a_baseline(self, before, many, now, more, expected):
        self.shell(f'{self.check} --report json:a', TOLD=before, MANY=many)
        code, stdout, stderr = self.shell(
            f'{self.check} --baseline a', TOLD=now, MANY=more
        )
        self.assertEqual((expected, ''), (code, stderr), stdout)

    @ddt.data('--waivers manila.conf', '--baseline manila.conf')
    def test_what_cannot_be_used(self, flags):
        code, stdout, stderr = self.shell(
            f'{self.check} {flags} --fail-on never'
        )
        self.assertEqual((255, ''), (code, stdout))
        self.assertEqual(1, stderr.count('\n'), stderr)
