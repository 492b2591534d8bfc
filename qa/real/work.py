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

"""Compare findings on work in flight and services with SQL by hand."""

from qa.real import case

# The states of a migration that has not ended.
BUSY = (
    "('migration_starting', 'migration_in_progress', 'migration_completing', "
    "'migration_driver_starting', 'migration_driver_in_progress', "
    "'migration_driver_phase1_done', 'migration_cancel_in_progress', "
    "'data_copying_starting', 'data_copying_in_progress', "
    "'data_copying_completing', 'data_copying_completed')"
)

# Those that no service resumes: manila-data is copying, or a call of
# manila-share is under way.
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

# Statuses of share and snapshot instances that no other row represents.
STATUSES = (
    "('creating', 'creating_from_snapshot', 'deleting', 'extending', "
    "'shrinking', 'reverting', 'restoring', 'manage_starting', "
    "'unmanage_starting', 'replication_change', 'migrating', "
    "'migrating_to', 'reverting_to_snapshot', "
    "'deferred_deleting', 'awaiting_transfer', "
    "'backup_creating', 'backup_restoring', 'ensuring')"
)

RULES = (
    "('queued_to_apply', 'queued_to_deny', 'queued_to_update', 'applying', "
    "'denying', 'updating')"
)

INFO, WARNING, FAILURE = 'info', 'warning', 'failure'


class WorkMixin(case.Scenarios):
    """Check every migration and every service, one by one."""

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
        """Return the same for share servers, by the source of each pair."""
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
        # The rows have every state.
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

    # Operations

    def operations(self):
        """Return {(kind, id): (state, severities at plan and stopped)}."""
        stuck, unsure, at_rest = (
            (WARNING, FAILURE),
            (WARNING, WARNING),
            (INFO, INFO),
        )
        found = {}

        def add(kind, sql, severities_of):
            for row in self.site.rows(sql):
                found[kind, row[0]] = (row[1], severities_of(*row[1:]))

        still = {
            'creating_from_snapshot': at_rest,
            'reverting_to_snapshot': at_rest,
            'awaiting_transfer': at_rest,
            'ensuring': unsure,
        }
        add(
            'share_instance',
            'SELECT i.id, i.status FROM share_instances i '
            "WHERE i.deleted = 'False' AND i.status IN "
            f'{STATUSES} AND NOT EXISTS (SELECT 1 FROM shares s WHERE '
            "s.id = i.share_id AND i.status IN ('migrating', 'migrating_to')"
            f' AND s.task_state IN {BUSY}) AND NOT EXISTS (SELECT 1 FROM '
            'transfers t WHERE t.resource_id = i.share_id AND '
            "t.deleted = 'False' AND i.status = 'awaiting_transfer')",
            lambda status: still.get(status, stuck),
        )
        add(
            'share_instance',
            'SELECT i.id, \'syncing\' FROM share_instances i '
            "WHERE i.deleted = 'False' AND i.access_rules_status = 'syncing' "
            f'AND i.status NOT IN {STATUSES} AND NOT EXISTS (SELECT 1 FROM '
            'share_instance_access_map m WHERE m.share_instance_id = i.id '
            f"AND m.deleted = 'False' AND m.state IN {RULES})",
            lambda status: unsure,
        )
        add(
            'share_snapshot_instance',
            'SELECT n.id, n.status, (SELECT i.replica_state FROM '
            'share_instances i WHERE i.id = n.share_instance_id) FROM '
            f"share_snapshot_instances n WHERE n.deleted = 'False' AND "
            f'n.status IN {STATUSES}',
            lambda status, replica_state: (
                at_rest
                if status in ('creating', 'deleting')
                and replica_state not in (None, 'active')
                else stuck
            ),
        )
        # Servers still in a migrating status though the migration is over.
        add(
            'share_server',
            'SELECT v.id, v.status FROM share_servers v WHERE '
            "v.deleted = 'False' AND v.status IN ('server_migrating', "
            f"'server_migrating_to') AND v.task_state NOT IN {BUSY} AND NOT "
            'EXISTS (SELECT 1 FROM share_servers s WHERE '
            f's.id = v.source_share_server_id AND s.task_state IN {BUSY})',
            lambda status: stuck,
        )
        for kind, table in (
            ('share_server', 'share_servers'),
            ('share_network', 'share_networks'),
            ('share_group', 'share_groups'),
            ('share_group_snapshot', 'share_group_snapshots'),
        ):
            add(
                kind,
                f"SELECT id, status FROM {table} WHERE deleted = 'False' "
                "AND status IN ('creating', 'deleting', 'network_change', "
                "'manage_starting', 'unmanage_starting')",
                lambda status: stuck,
            )
        add(
            'share_backup',
            "SELECT id, status, topic FROM share_backups WHERE deleted = "
            "'False' AND status IN ('creating', 'restoring', 'deleting')",
            lambda status, topic: (
                at_rest
                if topic == 'manila-share' and status != 'deleting'
                else stuck
            ),
        )
        add(
            'transfer',
            "SELECT id, 'open' FROM transfers WHERE deleted = 'False'",
            lambda state: at_rest,
        )
        add(
            'access_rule',
            'SELECT id, state FROM share_instance_access_map WHERE '
            f"deleted = 'False' AND state IN {RULES}",
            lambda state: unsure if state.startswith('queued') else stuck,
        )
        return found

    def check_operations(self, stage):
        expected = self.operations()
        # The rows have every kind.
        self.assertEqual(
            {
                'access_rule',
                'share_backup',
                'share_group',
                'share_group_snapshot',
                'share_instance',
                'share_network',
                'share_server',
                'share_snapshot_instance',
                'transfer',
            },
            {kind for kind, _ in expected},
        )
        place = 1 if stage == 'stopped' else 0
        self.assertEqual(
            {
                key: (state, severities[place])
                for key, (state, severities) in expected.items()
            },
            {
                (finding['subject']['kind'], finding['subject']['uuid']): (
                    finding['data']['state'],
                    finding['severity'],
                )
                for finding in self.findings(
                    'in-flight-operations', '--stage', stage
                )
            },
        )

    def test_operations_while_the_services_run(self):
        self.check_operations('plan')

    def test_operations_when_the_services_are_stopped(self):
        self.check_operations('stopped')

    # Back ends

    def backends(self, *served):
        """Return {host: figures} of all back ends except those served."""
        cut = {
            'MySQL': "SUBSTRING_INDEX({}, '#', 1)",
            'PostgreSQL': "SPLIT_PART({}, '#', 1)",
        }[self.server.name]
        found = {}

        def add(name, sql):
            for host, number in self.site.rows(sql):
                if host and host not in served:
                    found.setdefault(host, {})[name] = number

        host = cut.format('i.host')
        shares = (
            f'SELECT {host}, COUNT(DISTINCT {{}}) FROM share_instances i '
            'JOIN shares s ON s.id = i.share_id LEFT JOIN '
            'share_snapshot_instances n ON n.share_instance_id = i.id AND '
            f"n.deleted = 'False' WHERE i.deleted = 'False' GROUP BY {host}"
        )
        add('shares', shares.format('s.id'))
        add('projects', shares.format('s.project_id'))
        add('share_instances', shares.format('i.id'))
        add('snapshots', shares.format('n.id'))
        for table in ('share_servers', 'share_groups'):
            host = cut.format('host')
            add(
                table,
                f"SELECT {host}, COUNT(*) FROM {table} WHERE deleted = "
                f"'False' GROUP BY {host}",
            )
        return found

    def test_what_lies_on_back_ends_that_nobody_serves(self):
        conf = self.site.conf(
            more='[DEFAULT]\nhost = ctl-1\nenabled_share_backends = alpha\n'
            '[alpha]\nshare_driver = '
            'manila.share.drivers.generic.GenericShareDriver\n'
        )
        expected = self.backends('ctl-1@alpha')
        self.assertEqual({'ctl-1@beta', 'ctl-2@gamma'}, set(expected))
        for finding in self.findings('backends-in-use', conf=conf):
            figures = expected.pop(finding['subject']['name'])
            data = finding['data']
            self.assertEqual(figures, {name: data[name] for name in figures})
            self.assertEqual(WARNING, finding['severity'])
        self.assertEqual({}, expected)

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
        # If this fails, the machine was too slow; the program is not at fault.
        for _, age, _, _ in services.values():
            self.assertFalse(1500 < age < 2300, age)
        expected = {}
        for name, (state, age, disabled, new) in services.items():
            severity = judge(self.life(state, age, new), disabled, state)
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
        """Return the meaning of a row. No age is close to the limit."""
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
            lambda life, disabled, _state: (
                WARNING if disabled or life not in ('up', 'new') else None
            ),
        )

    def test_services_when_they_should_be_stopped(self):
        self.check_services(
            'stopped',
            lambda life, _disabled, state: {
                'up': FAILURE,
                'new': FAILURE,
                'starting': WARNING,
                'ahead': WARNING,
                # Either killed ('up'), or already noticed as dead ('down').
                'dead': {'up': WARNING, 'down': INFO}.get(state),
            }.get(life),
        )

    def test_services_when_they_should_be_back(self):
        def judge(life, disabled, _state):
            if life == 'up':
                return 'info' if disabled else None
            if life in ('starting', 'new'):
                return WARNING
            if life == 'ahead':
                return FAILURE
            return WARNING if disabled else FAILURE

        self.check_services('upgraded', judge)
