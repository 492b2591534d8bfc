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

"""Migrations and services, found again by hand."""

# The states of a migration that has not ended.
BUSY = (
    "('migration_starting', 'migration_in_progress', 'migration_completing', "
    "'migration_driver_starting', 'migration_driver_in_progress', "
    "'migration_driver_phase1_done', 'migration_cancel_in_progress', "
    "'data_copying_starting', 'data_copying_in_progress', "
    "'data_copying_completing', 'data_copying_completed')"
)

# Those that no service takes up again: copied by manila-data, or inside a
# call of manila-share.
LOST = frozenset(
    {
        'migration_starting',
        'migration_in_progress',
        'migration_completing',
        'migration_driver_starting',
        'migration_cancel_in_progress',
        'data_copying_starting',
        'data_copying_in_progress',
        'data_copying_completing',
    }
)

WARNING, FAILURE = 'warning', 'failure'


class WorkMixin:
    """Every migration and every service, one by one."""

    # Migrations

    def shares(self):
        """Return {id: (state, source, destination)} of the shares."""
        rows = self.site.rows(
            'SELECT s.id, s.task_state, '
            '(SELECT i.id FROM share_instances i WHERE i.share_id = s.id AND '
            "i.deleted = 'False' AND i.status = 'migrating'), "
            '(SELECT i.id FROM share_instances i WHERE i.share_id = s.id AND '
            "i.deleted = 'False' AND i.status = 'migrating_to') "
            "FROM shares s WHERE s.deleted = 'False' AND s.task_state IN "
            + BUSY
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def share_servers(self):
        """Return the same of the share servers, a pair by its source."""
        rows = self.site.rows(
            'SELECT s.id, s.task_state, s.id, '
            '(SELECT d.id FROM share_servers d WHERE '
            "d.source_share_server_id = s.id AND d.deleted = 'False' AND "
            "d.status = 'server_migrating_to') "
            f"FROM share_servers s WHERE s.deleted = 'False' AND s.task_state "
            f"IN {BUSY} AND s.status = 'server_migrating'"
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def check_migrations(self, stage, severity_of):
        shares, servers = self.shares(), self.share_servers()
        # Every state was made.
        self.assertEqual(11, len({row[0] for row in shares.values()}))
        self.assertEqual(7, len({row[0] for row in servers.values()}))
        expected = {
            (kind, one): (row, severity_of(row[0]))
            for kind, rows in (('share', shares), ('share_server', servers))
            for one, row in rows.items()
        }
        found = {}
        for finding in self.findings('running-migrations', '--stage', stage):
            subject, data = finding['subject'], finding['data']
            self.assertEqual(subject['name'], subject['uuid'])
            found[subject['kind'], subject['uuid']] = (
                (
                    data['task_state'],
                    data['source_id'],
                    data['destination_id'],
                ),
                finding['severity'],
            )
        self.assertEqual(expected, found)

    def test_migrations_while_the_services_run(self):
        self.check_migrations('plan', lambda state: WARNING)

    def test_migrations_when_the_services_are_stopped(self):
        self.check_migrations(
            'stopped', lambda state: FAILURE if state in LOST else WARNING
        )

    # Services

    def services(self):
        """Return {name: (state, seconds since the report, disabled, new)}."""
        age = {
            'MySQL': 'TIMESTAMPDIFF(SECOND, COALESCE(updated_at, '
            'created_at), UTC_TIMESTAMP())',
            'PostgreSQL': "EXTRACT(EPOCH FROM (now() AT TIME ZONE 'utc') - "
            'COALESCE(updated_at, created_at))',
        }[self.server.name]
        zero = {'MySQL': '0', 'PostgreSQL': 'false'}[self.server.name]
        rows = self.site.rows(
            f'SELECT binary_host, state, {age}, off, updated_at IS NULL '
            "FROM (SELECT CONCAT(s.binary, '@', s.host) AS binary_host, "
            f's.state, s.updated_at, s.created_at, s.disabled <> {zero} AS '
            'off FROM services s WHERE s.deleted = 0) AS rows_'
        )
        return {
            row[0]: (row[1], float(row[2]), bool(row[3]), bool(row[4]))
            for row in rows
        }

    def check_services(self, stage, judge):
        services = self.services()
        states = {row[0] for row in services.values()}
        self.assertEqual({'up', 'down', 'stopped', None}, states)
        # A failure of the machine, not of the program: it took too long.
        for _, age, _, _ in services.values():
            self.assertFalse(1500 < age < 2300, age)
        expected = {}
        for name, (state, age, disabled, new) in services.items():
            severity = judge(self.life(state, age, new), disabled)
            if severity is not None:
                expected[name] = (severity, state, disabled)
        found = {
            finding['subject']['name']: (
                finding['severity'],
                finding['data']['state'],
                finding['data']['disabled'],
            )
            for finding in self.findings('live-services', '--stage', stage)
        }
        self.assertEqual(expected, found)

    @staticmethod
    def life(state, age, new):
        """Say what a row means: the rows have no age near the limit."""
        if state == 'stopped':
            return 'dead'
        if age > 1800:
            return 'dead'
        if age < -1800:
            return 'ahead'
        if state == 'down':
            return 'starting'
        return 'new' if new else 'up'

    def test_services_while_they_should_run(self):
        self.check_services(
            'plan',
            lambda life, disabled: (
                WARNING if disabled or life not in ('up', 'new') else None
            ),
        )

    def test_services_when_they_should_be_stopped(self):
        self.check_services(
            'stopped',
            lambda life, disabled: {
                'up': FAILURE,
                'new': FAILURE,
                'starting': WARNING,
                'ahead': WARNING,
            }.get(life),
        )

    def test_services_when_they_should_be_back(self):
        def judge(life, disabled):
            if life == 'up':
                return 'info' if disabled else None
            if life in ('starting', 'new'):
                return WARNING
            if life == 'ahead':
                return FAILURE
            return WARNING if disabled else FAILURE

        self.check_services('upgraded', judge)
