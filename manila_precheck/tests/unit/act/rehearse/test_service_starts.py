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

"""How far the services of a fake manila come, and what they are kept from."""

import functools
import os
import pathlib
import subprocess
import sys
from unittest import mock

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.act.rehearse import service_starts
from manila_precheck.act.rehearse import target
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.host import service_processes
from manila_precheck.tests import fake_manila

_READS = service_starts.Beyond('database', 'reads the database', '', False)


@functools.cache
def _may_leave_networks():
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            'from manila_precheck.act.rehearse.inside import confinement\n'
            'raise SystemExit(not confinement.leave_network())',
        ],
        check=False,
    )
    return not done.returncode


@ddt.ddt
class ServiceStartsTest(testtools.TestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        if not _may_leave_networks():
            self.skipTest('no network namespace can be made here')
        self.python = self.useFixture(fake_manila.FakeManila()).python
        self.home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.state = self.home / 'state'
        self.state.mkdir()
        self.state.joinpath('kept').write_text('x')
        self.ours = self.home / 'ours'
        self.ours.mkdir()

    def start(
        self, lines='', seconds=60.0, connection='', only='', **environment
    ):
        conf = self.home / 'manila.conf'
        conf.write_text(
            f'[DEFAULT]\nenabled_share_backends = alpha\n'
            f'state_path = {self.state}\n{lines}\n'
        )
        services = tuple(
            one._replace(
                environment=service_processes.Environment(
                    'a unit', tuple(environment.items())
                )
            )
            for one in service_files.given([str(conf)])
            if only in one.service
        )
        starts = self.started(services, connection, seconds)
        return {one.name: one for one in starts.outcomes}

    def started(
        self, services, connection='', seconds=60.0, python='', asked=()
    ):
        starts = service_starts.start(
            target.Interpreter(python or self.python),
            services,
            {'place': {}, 'settings': []},
            connection,
            str(self.ours),
            300.0,
            each_seconds=seconds,
            asked=asked,
        )
        self.assertEqual('', starts.not_run)
        return starts

    def test_each_service_starts(self):
        found = self.start()
        self.assertEqual(
            {
                'manila-api': 'evaluation',
                'manila-scheduler': 'options',
                'manila-share@alpha': 'options',
                'manila-data': 'options',
            },
            {name: one.reached for name, one in found.items()},
        )
        self.assertEqual({()}, {one.stopped for one in found.values()})
        self.assertEqual(
            (
                'import',
                'start',
                'setup',
                'capabilities',
                'coordination',
                'options',
            ),
            found['manila-share@alpha'].passed,
        )
        # The copy is not on a socket.
        self.assertEqual((_READS,), found['manila-share@alpha'].beyond)

    def test_the_values_that_were_taken(self):
        starts = self.started(
            service_files.given([str(self._conf(''))])[1:2],
            asked=['DEFAULT/scheduler_driver', 'gone/name'],
        )
        (scheduler,) = starts.outcomes
        self.assertEqual(('DEFAULT/scheduler_driver',), scheduler.accepted)

    def test_each_back_end_is_a_start_of_its_own(self):
        found = self.start(
            'enabled_share_backends = alpha,beta\n[alpha]\n'
            'share_driver = raises\n',
            only='manila-share',
        )
        (stop,) = found['manila-share@alpha'].stopped
        self.assertEqual(
            service_starts.Stop(
                'start',
                'ValueError',
                'ValueError: no such mode\npassword=hunter2',
                stop.place,
                (),
                (),
                stop.read,
                (),
                True,
            ),
            stop,
        )
        self.assertRegex(stop.place, r'^manila\.deeds:\d+$')
        self.assertEqual('alpha/share_driver', stop.read[-1])
        self.assertEqual((), found['manila-share@beta'].stopped)

    def each(self, *deeds, at='setup', **how):
        """Start a back end for each deed of a driver; return their outcomes.

        What was not looked at in the database is left out.
        """
        sections = '\n'.join(f'[{deed}]\n{at} = {deed}' for deed in deeds)
        found = self.start(
            f'enabled_share_backends = {",".join(deeds)}\n{sections}',
            only='manila-share',
            **how,
        )
        return {
            one.back_end: one._replace(
                beyond=tuple(b for b in one.beyond if b != _READS)
            )
            for one in found.values()
        }

    def test_what_needs_the_world_is_no_failure(self):
        expected = {
            'connects': ('connects to 192.0.2.1:443', ''),
            'connects_and_wraps': (
                'connects to 192.0.2.1:443',
                'RuntimeError: the array does not answer',
            ),
            'connects_and_gives_up': (
                'connects to 192.0.2.1:443',
                'RuntimeError: no controller',
            ),
            'looks_up': ('looks up the host array.example.org', ''),
            'refused_in_c': (
                'needs a connection',
                'ConnectionRefusedError: [Errno 111] Connection refused',
            ),
            'asks_a_socket': ('connects to /run/production.sock', ''),
            'starts_a_program': ('starts /usr/bin/zpool', ''),
            'starts_a_shell': ('starts true', ''),
            'forks': ('starts a process of its own', ''),
            'waits': ('waits again and again', ''),
            # Nothing of the host is written.
            'writes': (f'writes {self.state}/written', ''),
            'writes_low': (f'writes {self.state}/written', ''),
            'makes_a_directory': (f'writes {self.state}/made', ''),
            'removes': (f'writes {self.state}/kept', ''),
            'renames': (f'writes {self.state}/kept', ''),
        }
        found = self.each(*expected)
        self.assertEqual(
            {
                deed: (
                    (),
                    (service_starts.Beyond('setup', door, words, False),),
                    # What comes after it does not depend on the driver.
                    'options',
                )
                for deed, (door, words) in expected.items()
            },
            {
                deed: (one.stopped, one.beyond, one.reached)
                for deed, one in found.items()
            },
        )
        self.assertEqual(['kept'], os.listdir(self.state))
        self.assertEqual('x', self.state.joinpath('kept').read_text())

    @ddt.data(
        ('share_driver', 'start'),
        ('check', 'setup'),
        ('capable', 'capabilities'),
    )
    @ddt.unpack
    def test_a_driver_is_built_and_set_up(self, at, stage):
        found = self.each('raises', 'connects', at=at)
        self.assertEqual(
            [(stage, 'ValueError', True)],
            [(s.at, s.error, s.ends) for s in found['raises'].stopped],
        )
        self.assertEqual(
            (
                service_starts.Beyond(
                    stage, 'connects to 192.0.2.1:443', '', False
                ),
            ),
            found['connects'].beyond,
        )

    def test_what_does_not_need_the_world_goes_on(self):
        found = self.each(
            'nothing',
            'looks_up_itself',
            'asks_for_a_package',
            'makes_what_is_there',
            'writes_a_temporary_file',
            'waits_once',
            'prints',
        )
        for deed, one in found.items():
            self.assertEqual((), one.stopped + one.beyond, deed)
        self.assertEqual(['kept'], os.listdir(self.state))

    def test_what_fails_by_itself_is_a_failure(self):
        found = self.each('raises', 'exits', 'writes_nowhere')
        self.assertEqual(
            {
                'raises': ['ValueError: no such mode\npassword=hunter2'],
                'exits': ['SystemExit: a driver that exits'],
                'writes_nowhere': [
                    'FileNotFoundError: [Errno 2] No such file or directory: '
                    "'/nonexistent/manila/state'"
                ],
            },
            {
                deed: [stop.words for stop in one.stopped]
                for deed, one in found.items()
            },
        )
        self.assertEqual({()}, {one.beyond for one in found.values()})

    def test_what_gives_no_answer_is_unknown(self):
        found = self.each('never_ends', 'dies', seconds=10.0)
        self.assertEqual(
            {
                'never_ends': 'it did not come to an end within 10 seconds',
                'dies': 'its process ended without an answer (status 768)',
            },
            {deed: one.beyond[0].door for deed, one in found.items()},
        )
        self.assertEqual(
            [((), 'setup', True)] * 2,
            [
                (one.stopped, one.beyond[0].at, one.beyond[0].unknown)
                for one in found.values()
            ],
        )

    def test_a_value_that_is_refused_names_its_option(self):
        found = self.start('report_interval = ten')
        for name in ('manila-scheduler', 'manila-share@alpha', 'manila-data'):
            (stop,) = found[name].stopped
            self.assertEqual('start', stop.at)
            self.assertEqual('ConfigFileValueError', stop.error)
            self.assertEqual(('DEFAULT/report_interval',), stop.options)
        self.assertEqual((), found['manila-api'].stopped)

    def test_a_value_that_is_only_logged(self):
        found = self.start('logged_interval = ten')
        for name in ('manila-scheduler', 'manila-share@alpha', 'manila-data'):
            (stop,) = found[name].stopped
            self.assertEqual('options', stop.at)
            self.assertEqual(('DEFAULT/logged_interval',), stop.options)

    def test_a_file_that_cannot_be_parsed(self):
        found = self.start('no assignment')
        self.assertEqual(
            {
                'manila-api': 'ConfigFileParseError',
                'manila-scheduler': 'ConfigFileParseError',
                'manila-share': 'ConfigFileParseError',
                'manila-data': 'ConfigFileParseError',
            },
            {name: one.stopped[0].error for name, one in found.items()},
        )

    def test_options_in_the_environment_count(self):
        found = self.start(
            only='manila-data', OS_DEFAULT__REPORT_INTERVAL='eleven'
        )
        (stop,) = found['manila-data'].stopped
        self.assertEqual(('DEFAULT/report_interval',), stop.options)

    @ddt.data(
        '[database]\nconnection = mysql://production',
        '',
    )
    def test_the_database_is_the_copy(self, lines):
        found = self.start(
            f'data_driver = reads_the_connection\n{lines}',
            connection='sqlite:////nonexistent/copy',
            only='manila-data',
            **({} if lines else {'OS_DATABASE__CONNECTION': 'mysql://prod'}),
        )
        (stop,) = found['manila-data'].stopped
        self.assertEqual('ValueError: sqlite:////nonexistent/copy', stop.words)

    def policies(self, lines):
        return self.start(lines, only='manila-api')['manila-api']

    def test_policies_that_cannot_be_loaded(self):
        found = self.policies('policy_driver = raises')
        self.assertEqual('policies', found.service)
        (stop,) = found.stopped
        self.assertEqual(('policies', True), (stop.at, stop.ends))

    def test_what_is_logged_of_policies(self):
        found = self.policies('policy_driver = waits_once')
        self.assertEqual(
            (
                service_starts.Stop(
                    'policies',
                    '',
                    'a dangling rule',
                    '',
                    (),
                    (),
                    (),
                    (),
                    False,
                ),
            ),
            found.stopped,
        )

    def test_rules_that_cannot_be_evaluated(self):
        found = self.policies('rule_driver = recurses')
        (stop,) = found.stopped
        self.assertEqual(
            ('evaluation', 'RecursionError', ('share:get',)),
            (stop.at, stop.error, stop.rules),
        )

    def test_an_application_that_does_not_load(self):
        starts = self.started(
            service_files.given([str(self._conf('api_driver = raises'))])[:1]
        )
        (api,) = (o for o in starts.outcomes if o.service == 'manila-api')
        self.assertEqual('application', api.stopped[0].at)

    def test_an_api_that_answers_500(self):
        starts = self.started(
            service_files.given([str(self._conf('state_path = /fails'))])[:1]
        )
        (api,) = (o for o in starts.outcomes if o.service == 'manila-api')
        self.assertEqual(
            'Answered: GET / answers 500 Internal Server Error: '
            '{"computeFault": {}}',
            api.stopped[0].words,
        )

    def _conf(self, lines):
        conf = self.home / 'manila.conf'
        conf.write_text(f'[DEFAULT]\n{lines}\n')
        return conf

    def test_a_python_without_manila(self):
        empty = os.path.realpath('/usr/bin/python3')
        if not os.path.exists(empty):
            self.skipTest('no /usr/bin/python3')
        starts = self.started(
            service_files.given([str(self._conf(''))]), python=empty
        )
        # Which of its libraries is missed first is the host's matter.
        for one in starts.outcomes:
            self.assertEqual(
                ['ModuleNotFoundError'],
                [stop.error for stop in one.stopped]
                or [b.words.partition(':')[0] for b in one.beyond],
            )

    def test_an_interpreter_that_is_none(self):
        self.assertRaisesRegex(
            exceptions.SourceUnusable,
            '/bin/false cannot start its services: it says nothing',
            self.started,
            (),
            python='/bin/false',
        )

    def test_all_of_them_take_too_long(self):
        conf = self._conf('scheduler_driver = never_ends')
        starts = service_starts.start(
            target.Interpreter(self.python),
            service_files.given([str(conf)])[1:2],
            {'place': {}, 'settings': []},
            '',
            str(self.ours),
            3.0,
        )
        self.assertEqual(
            service_starts.Starts(
                (), 'it did not come to an end within 3 seconds'
            ),
            starts,
        )


class NotCutOffTest(testtools.TestCase):
    def test_nothing_is_started_by_what_is_not_cut_off(self):
        python = self.useFixture(fake_manila.FakeManila()).python
        manila = target.Interpreter(python)
        real = target.run

        def run(manila, job, request, *more):
            return real(manila, job, {**request, 'offline': False}, *more)

        with mock.patch.object(target, 'run', run):
            starts = service_starts.start(
                manila, (), {}, '', '/nonexistent', 60.0
            )
        self.assertEqual(
            service_starts.Starts(
                (),
                'this host does not permit a network namespace, and without '
                'one they would not be cut off from the network; run it as '
                'root, or let users have namespaces '
                '(user.max_user_namespaces)',
            ),
            starts,
        )
