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

import ddt
import fixtures
from oslo_config import cfg
from oslo_upgradecheck import upgradecheck as oslo
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck import upgradecheck
from manila_precheck.checks.config_options import check as config_options
from manila_precheck.cmd import precheck
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.evidence.host import service_processes


class Base(check.Check):
    """A page."""

    title = 'Sample'

    def run(self, ctx):
        return ()


class Fine(Base):
    id = 'sample-fine'
    title = 'Sample that passes'


class Warns(Base):
    id = 'sample-warns'
    title = 'Sample that warns'

    def run(self, ctx):
        for number in range(7):
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('thing', str(number)),
                f'thing {number} is loose\nand rattles',
            )


class Crashes(Base):
    id = 'sample-crashes'

    def run(self, ctx):
        raise LookupError('rabbit://u:geheim@h/')


def _raising(exc):
    def run(one):
        raise exc

    return run


def _yielding(**changes):
    def run(one):
        finding = model.Finding(
            model.Severity.WARNING, model.Subject('thing', 'a'), 'b'
        )
        yield finding._replace(**changes)

    return run


class _Mute(Exception):
    def __str__(self):
        raise self


_MISBEHAVE = {
    'interrupt': _raising(KeyboardInterrupt()),
    'exit': _raising(SystemExit(0)),
    'mute': _raising(_Mute()),
    'message': _yielding(message=None),
    'severity': _yielding(severity=7),
    'data': _yielding(data={1: object()}),
    'subject': _yielding(subject=None),
    'words': _yielding(message='\ud800 \u2192 \0'),
}


class Skips(Base):
    id = 'sample-skips'
    requires = frozenset({model.Source.DATABASE})


@ddt.ddt
class UpgradeChecksTest(testtools.TestCase):
    """oslo's own command and ours, over the same checks."""

    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).path
        self.conf_file = os.path.join(self.path, 'manila.conf')
        with open(self.conf_file, 'w') as stream:
            stream.write(
                '[DEFAULT]\n[manila_precheck]\nsource_release = 2024.1\n'
                'manila_status_fail_on = warning\n'
            )
        entries = tuple(
            testing.entry_of(one) for one in (Crashes, Fine, Skips, Warns)
        )
        self.patch(registry, 'checks', lambda: entries)

    def oslo_run(self, *words):
        """Run oslo's command: (exit code, standard output)."""
        conf = cfg.ConfigOpts()

        class Commands(oslo.UpgradeCommands):
            _upgrade_checks = upgradecheck.upgrade_checks(conf)

        stdout = io.StringIO()
        # oslo.upgradecheck keeps the configuration in a global.
        self.patch(oslo, 'CONF', None)
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            code = oslo.main(
                conf,
                'manila',
                Commands(),
                ['--config-file', self.conf_file, 'upgrade', 'check', *words],
            )
        return code, stdout.getvalue()

    def our_run(self, *words):
        stdout = io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            code = precheck.main(
                ['--config-file', self.conf_file, 'upgrade', 'check', *words]
            )
        return code, stdout.getvalue()

    def test_json_is_a_superset(self):
        their_code, text = self.oslo_run('--json')
        theirs = json.loads(text)
        our_code, text = self.our_run('--json')
        ours = json.loads(text)
        self.assertEqual(2, their_code)
        self.assertEqual(their_code, our_code)
        waivers = theirs['checks'].pop()
        self.assertEqual(
            {'check': 'Waivers and baseline', 'result': 0, 'details': None},
            waivers,
        )
        self.assertEqual(
            theirs,
            {
                'name': ours['name'],
                'checks': [
                    {key: one[key] for key in ('check', 'result', 'details')}
                    for one in ours['checks']
                ],
            },
        )
        self.assertEqual(
            [2, 0, 1, 1], [one['result'] for one in theirs['checks']]
        )

    def assert_told_once(self, found, words):
        """Make sure that the first of several results tells, for all."""
        (title, _, first), *others = found
        self.assertIn(words, first)
        self.assertEqual(
            {f'could not run, for the reason of: {title}'},
            {details for _, _, details in others},
        )

    def test_details(self):
        _, text = self.oslo_run('--json')
        details = {
            one['check']: one['details'] for one in json.loads(text)['checks']
        }
        self.assertIsNone(details['Sample that passes'])
        self.assertEqual(
            'thing 0 is loose and rattles (and 6 more: 1, 2, 3, ...)',
            details['Sample that warns'],
        )

    def test_table_of_oslo(self):
        code, text = self.oslo_run()
        self.assertEqual(2, code)
        self.assertIn('Check: Sample that warns', text)
        self.assertNotIn('geheim', text)

    def test_nothing_is_read_before_the_first_check_runs(self):
        conf = cfg.ConfigOpts()
        listed = upgradecheck.upgrade_checks(conf)
        self.assertNotIn('manila_precheck', list(conf))
        self.assertEqual(
            [
                'Sample',
                'Sample that passes',
                'Sample',
                'Sample that warns',
                'Waivers and baseline',
            ],
            [title for title, _ in listed],
        )

    @ddt.data(
        ('never', 0, [0, 0, 0, 0, 0]),
        ('failure', 2, [2, 0, 0, 0, 0]),
        ('warning', 2, [2, 0, 1, 1, 0]),
    )
    @ddt.unpack
    def test_what_counts(self, fail_on, expected, results):
        self.useFixture(
            fixtures.EnvironmentVariable(
                'OS_MANILA_PRECHECK__MANILA_STATUS_FAIL_ON', fail_on
            )
        )
        code, text = self.oslo_run('--json')
        self.assertEqual(expected, code)
        self.assertEqual(
            results, [one['result'] for one in json.loads(text)['checks']]
        )

    def test_nothing_counts_by_default_and_all_is_said(self):
        with open(self.conf_file, 'w') as stream:
            stream.write(
                '[DEFAULT]\n[manila_precheck]\nsource_release = 2024.1\n'
            )
        code, text = self.oslo_run('--json')
        details = [one['details'] for one in json.loads(text)['checks']]
        self.assertEqual(0, code)
        self.assertEqual(
            [
                'FAILURE: it crashed: LookupError: rabbit://u:***@h/',
                None,
                'WARNING: no database is configured: [database] connection '
                'is not set in the files that were read',
            ],
            details[:3],
        )
        self.assertThat(
            details[3], testtools.matchers.StartsWith('WARNING: thing 0 is')
        )

    def test_none_inside_the_manila_status_that_a_check_runs(self):
        self.useFixture(
            fixtures.EnvironmentVariable(
                'MANILA_PRECHECK_IN_MANILA_STATUS', '1'
            )
        )
        self.assertEqual((), upgradecheck.upgrade_checks(cfg.ConfigOpts()))

    def configure(self, *lines):
        with open(self.conf_file, 'w') as stream:
            stream.write(
                '\n'.join(
                    [
                        '[manila_precheck]',
                        'source_release = 2024.1',
                        'target_release = 2025.1',
                        'manila_status_fail_on = warning',
                        *lines,
                        '',
                    ]
                )
            )

    def results(self):
        """Run them all: (exit code, [(title, code, details)])."""
        code, text = self.oslo_run('--json')
        return code, [
            (one['check'], one['result'], one['details'])
            for one in json.loads(text)['checks']
        ]

    @ddt.data(
        ('check = sample-fine', 0),
        ('skip = sample-crashes, sample-skips, sample-warns', 0),
    )
    @ddt.unpack
    def test_the_choice_of_the_file_holds(self, line, expected):
        self.configure(line)
        left_out = 'left out by [manila_precheck] check or skip'
        self.assertEqual(
            (
                expected,
                [
                    ('Sample', 0, left_out),
                    ('Sample that passes', 0, None),
                    ('Sample', 0, left_out),
                    ('Sample that warns', 0, left_out),
                    ('Waivers and baseline', 0, None),
                ],
            ),
            self.results(),
        )

    def test_the_waivers_of_the_file_hold(self):
        waivers = os.path.join(self.path, 'waivers.yaml')
        with open(waivers, 'w') as stream:
            stream.write(
                'waivers:\n'
                + ''.join(
                    f'- {{key: "sample-warns[{number}]", owner: me, '
                    'reason: loose for years, expires: 2999-01-01}\n'
                    for number in range(6)
                )
                + '- {key: "sample-warns[6]", reason: it rattles, '
                'owner: you, expires: 2001-01-01}\n'
            )
        self.configure('skip = sample-crashes, sample-skips')
        _, before = self.results()
        self.assertEqual(
            1, {title: code for title, code, _ in before}['Sample that warns']
        )
        self.configure(
            'skip = sample-crashes, sample-skips', f'waivers = {waivers}'
        )
        code, found = self.results()
        waived = '(waived by me up to 2999-01-01: loose for years)'
        self.assertEqual(
            [
                (
                    'Sample that warns',
                    1,
                    'thing 6 is loose and rattles; '
                    + ''.join(
                        f'thing {number} is loose and rattles {waived}; '
                        for number in range(4)
                    )
                    + 'and 2 more; to see all: manila-precheck upgrade check '
                    '--check sample-warns --verbose',
                ),
                (
                    'Waivers and baseline',
                    1,
                    'the waiver sample-warns[6] of you expired on '
                    '2001-01-01: its findings count again (Remove it, or '
                    'review it and set a new date)',
                ),
            ],
            found[3:],
        )
        self.assertEqual(1, code)

    def test_the_baseline_of_the_file_holds(self):
        baseline = os.path.join(self.path, 'baseline.json')
        self.configure()
        self.assertEqual(2, self.our_run('--report', f'json:{baseline}')[0])
        self.configure(f'baseline = {baseline}')
        code, found = self.results()
        self.assertEqual(2, code)
        self.assertEqual([2, 0, 1, 0, 0], [code for _, code, _ in found])
        self.assertIn('(in the baseline)', found[3][2])

    @ddt.data(
        ('waivers = /nowhere', '/nowhere'),
        ('baseline = /nowhere', '/nowhere'),
        ('skip = sample-nope', "unknown check 'sample-nope'"),
        ('skipp = sample-warns', "unknown option 'skipp', did you mean 'skip"),
    )
    @ddt.unpack
    def test_what_chooses_nothing_is_a_failure_and_all_counts(
        self, line, words
    ):
        self.configure(line)
        code, found = self.results()
        self.assertEqual(2, code)
        self.assertEqual([2, 0, 1, 1, 2], [code for _, code, _ in found])
        self.assertIn(words, found[4][2])

    def test_a_source_that_cannot_be_read_raises_nothing(self):
        entry = testing.entry_of(config_options.ConfigOptions)
        self.patch(registry, 'checks', lambda: (entry,))
        with open(self.conf_file, 'a') as stream:
            stream.write(
                '[DEFAULT]\nconfig_source = far\n'
                '[far]\ndriver = acme\npath = /x\n'
            )
        code, found = self.results()
        self.assertEqual(1, code)
        ((_, _, details), _) = found
        self.assertIn("the driver 'acme' is not installed here", details)

    def test_references_without_end_took_all_memory(self):
        self.configure(
            'waivers = $baseline$baseline\nbaseline = '
            + 900 * '$skip'
            + '\nskip = '
            + 900 * 'x'
        )
        code, found = self.results()
        self.assertEqual(2, code)
        self.assertEqual([2] * 5, [code for _, code, _ in found])
        self.assert_told_once(found, 'the references in [manila_precheck]')

    def test_a_misspelt_variable_was_ignored(self):
        name = 'OS_MANILA_PRECHECK_TARGET_RELEASE'
        self.useFixture(fixtures.EnvironmentVariable(name, '2026.1'))
        self.configure()
        code, found = self.results()
        self.assertEqual(2, code)
        self.assertEqual([2, 0, 1, 1, 2], [code for _, code, _ in found])
        self.assertIn(f'unknown environment variable {name!r}', found[4][2])

    @ddt.data(
        'manila_status_fail_on = sometimes',
        'stage = later',
        'check_timeout_seconds = nan',
        'redact_pattern = (',
        'root = /srv/bundle',
    )
    def test_nonsense_in_the_file_raises_nothing(self, line):
        name = line.split()[0]
        self.configure(line)
        code, found = self.results()
        self.assertEqual(2, code)
        self.assertEqual([2] * 5, [code for _, code, _ in found])
        self.assert_told_once(found, name)

    def test_a_section_of_manila_share_conf_was_missing(self):
        """manila-status finds manila.conf; manila-share reads one more."""
        self.useFixture(fixtures.EnvironmentVariable('HOME', self.path))
        self.patch(service_processes, 'look', lambda site: ())
        with open(self.conf_file, 'a') as stream:
            stream.write('[DEFAULT]\nenabled_share_backends = b1\n')
        path = os.path.join(self.path, 'manila-share.conf')
        with open(path, 'w') as stream:
            stream.write(
                '[b1]\nshare_driver = manila.share.drivers.lvm.'
                'LVMShareDriver\ndriver_handles_share_servers = False\n'
            )
        (entry,) = [
            entry
            for entry in registry.entries(registry.CHECKS)
            if entry.name == 'backend-drivers'
        ]
        self.patch(registry, 'checks', lambda: (entry,))
        for words, code in (
            ([], 0),
            (['--config-file', self.conf_file], 2),
        ):
            conf = cfg.ConfigOpts()
            conf(words, project='manila', prog='manila-status')
            found = {
                title: call(None).code
                for title, call in upgradecheck.upgrade_checks(conf)
            }
            self.assertEqual(code, found['Back ends and their drivers'])

    def test_an_interrupt_ends_the_command(self):
        """What is not counted would end with 0."""
        conf = cfg.ConfigOpts()
        conf(['--config-file', self.conf_file])
        ((_, call), *_) = upgradecheck.upgrade_checks(conf)

        def interrupted(entry, ctx):
            ctx.interrupted.set()

        self.patch(runner, 'run_one', interrupted)
        self.assertRaises(KeyboardInterrupt, call)

    def test_the_check_that_runs_manila_status_is_left_out(self):
        (entry,) = [
            entry
            for entry in registry.entries(registry.CHECKS)
            if entry.name == 'manila-status'
        ]
        self.patch(registry, 'checks', lambda: (entry,))
        self.assertEqual(
            ['Waivers and baseline'],
            [
                title
                for title, _ in upgradecheck.upgrade_checks(cfg.ConfigOpts())
            ],
        )

    def test_a_crash_stops_no_other(self):
        conf = cfg.ConfigOpts()
        conf(['--config-file', self.conf_file])
        results = [call(None) for _, call in upgradecheck.upgrade_checks(conf)]
        self.assertEqual(
            [oslo.Code.FAILURE, oslo.Code.SUCCESS],
            [result.code for result in results[:2]],
        )
        self.assertIs(model.Outcome.ERROR, results[0].result.outcome)

    def test_a_plugin_that_does_not_load_keeps_its_name(self):
        def broken():
            raise ImportError('no acme')

        self.patch(
            registry,
            'checks',
            lambda: (registry.Plugin('acme-check', 'acme:A', broken),),
        )
        conf = cfg.ConfigOpts()
        conf(['--config-file', self.conf_file])
        ((title, call), _) = upgradecheck.upgrade_checks(conf)
        self.assertEqual('acme-check', title)
        self.assertEqual(
            (oslo.Code.FAILURE, 'it failed to load: ImportError: no acme'),
            (call(None).code, call(None).details),
        )
        self.assertIsInstance(runner.load(registry.checks()[0]), str)

    def called(self, conf):
        listed = upgradecheck.upgrade_checks(conf)
        return [(title, call(None)) for title, call in listed]

    def test_entry_points_that_cannot_be_listed(self):
        def crash():
            raise RuntimeError('mysql://u:geheim@h/ is no package')

        self.patch(registry, 'checks', crash)
        conf = cfg.ConfigOpts()
        conf(['--config-file', self.conf_file])
        ((title, result),) = self.called(conf)
        self.assertEqual('Waivers and baseline', title)
        self.assertEqual(
            (
                oslo.Code.FAILURE,
                'RuntimeError: mysql://u:***@h/ is no package',
            ),
            (result.code, result.details),
        )

    @ddt.data(object(), None, {}, 'manila.conf')
    def test_a_configuration_that_is_none_raises_nothing(self, conf):
        self.assertEqual(
            {oslo.Code.FAILURE},
            {result.code for _, result in self.called(conf)},
        )

    @ddt.data(*sorted(_MISBEHAVE))
    def test_a_plugin_that_misbehaves_raises_nothing(self, name):
        class Plugin(Base):
            id = 'acme-check'
            title = 'Acme \ud800 \u2192'

            def run(self, ctx):
                return _MISBEHAVE[name](self)

        self.patch(
            registry,
            'checks',
            lambda: tuple(map(testing.entry_of, (Plugin, Fine))),
        )
        code, text = self.oslo_run()
        self.assertIn('Acme \\ud800', text)
        self.assertIn('Check: Sample that passes', text)
        self.assertNotIn('Traceback', text)
        self.assertEqual(2 if name != 'words' else 1, code)

    def test_the_database_is_down(self):
        with open(self.conf_file, 'a') as stream:
            stream.write(
                '[database]\n'
                'connection = mysql+pymysql://u:geheim@127.0.0.1:1/manila\n'
            )
        code, text = self.oslo_run()
        self.assertEqual(2, code)
        self.assertIn('Check: Sample that warns', text)
        self.assertNotIn('geheim', text)
