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

"""Scenarios of work in flight and of services, on the control plane itself.

All of them are made together and judged by one run of the command: each
finding belongs to the scenario that its key names, and a finding that belongs
to none is wrong. Then a copy of the database with all of them is upgraded,
which shows what happens to them.
"""

import dataclasses
import fnmatch
import shutil
import time
from typing import Optional

from qa.upgrade import processes
from qa.upgrade import remedy
from qa.upgrade import rows
from qa.upgrade import score
from qa.upgrade import site as sites

Level = score.Level
Observed = score.Observed

_ELSEWHERE = f'{sites.OTHER_HOST}@{sites.OTHER_BACKEND}'

#: How long the services of the target get to pick up work in flight.
SETTLE_SECONDS = 20


def _share(said):
    return f'*[[]share {said}]*'


class Other:
    """A second controller with one back end, one share and a manila-data."""

    def __init__(self, run):
        self.run = run
        self.site = sites.other_controller(
            run.source_site, run.scratch / 'other'
        )
        self.services = run.source.plane(self.site)

    def start(self, name):
        """Start one of its services, and wait until it is up."""
        since = self.run.source.now()
        self.services.start(name)
        self.services.wait_up(name, 1, since, sites.OTHER_HOST)

    def upgrade(self):
        """Start its manila-share in the target release."""
        shutil.copy(
            self.run.path.target_etc / 'api-paste.ini',
            self.site.path('api-paste.ini'),
        )
        self.services = self.run.target.plane(self.site)
        self.start('manila-share')

    def fill(self):
        """Create a share on its back end."""
        filler = self.run.filler
        filler.type_of('elsewhere', 'False', share_backend_name='DELTA')
        filler.share('elsewhere', share_type='elsewhere')
        filler.wait_share('elsewhere')


class AtPlan:
    """A waiting migration, and services that are down or disabled."""

    def __init__(self, run, other):
        self.run = run
        self.other = other
        moving = run.filler.ids['moving']
        #: name: (expected findings, a function that observes the outcome).
        self.scenarios = {
            'a migration that waits to be completed': (
                (('warning', f'running-migrations[[]*{moving}*'),),
                self._still_waits,
            ),
            'a manila-share that was killed': (
                (('warning', f'live-services[[]*{_ELSEWHERE}*'),),
                self._row_stays(_ELSEWHERE),
            ),
            'a manila-data that was stopped for good': (
                (
                    (
                        'warning',
                        f'live-services[[]manila-data*{sites.OTHER_HOST}]',
                    ),
                ),
                self._row_stays(sites.OTHER_HOST),
            ),
            'a manila-share that is disabled': (
                (('warning', 'live-services[[]*ctl1@beta*'),),
                self._disabled,
            ),
            'a back end with shares that nobody serves': (
                (('warning', f'backends-in-use[[]{_ELSEWHERE}]'),),
                self._unserved,
            ),
        }

    def make(self):
        """Make the faults, run the command, and apply its remedies."""
        run = self.run
        run.filler.migrate('moving')
        self.other.services.stop('manila-data')
        self.other.services.kill('manila-share')
        run.client.put(
            '/services/disable', binary='manila-share', host='ctl1@beta'
        )
        site = run.staged.copy(run.scratch / 'live')
        site.edit(f'other_backends = {_ELSEWHERE}\n', '')
        self._wait_until_dead()
        self.report = run.check(site, 'plan')
        run.database.dump(run.name, run.scratch / 'live.sql')
        self._mend(site)
        self.left = run.check(site, 'plan').loud
        run.say('what was in flight at plan is remedied')

    def _wait_until_dead(self):
        """Wait until no row of the other controller looks alive.

        manila-scheduler from 2025.2 on writes 'down' with a new updated_at,
        which for service_down_time looks like a service that starts.
        """
        database, name = self.run.database, self.run.name
        unmarked = (
            "OR state = 'up'" if self.run.path.source.major >= 21 else ''
        )
        alive = (
            f"SELECT 1 FROM services WHERE host LIKE '{sites.OTHER_HOST}%' "
            "AND deleted = 0 AND state <> 'stopped' AND (updated_at >= "
            'LOCALTIMESTAMP - INTERVAL '
            f"'{sites.SERVICE_DOWN_TIME + 1}' SECOND {unmarked})"
        )
        if not processes.wait_for(
            lambda: not database.run(alive, name), 6 * sites.SERVICE_DOWN_TIME
        ):
            raise processes.Broken(f'{sites.OTHER_HOST} never looks dead')

    def _mend(self, site):
        run = self.run
        self.typist = run.typist(site, run.path.source)
        for key, finding in self.report.findings.items():
            items = finding['remediation']
            if key not in self.report.loud:
                continue
            if key.startswith('running-migrations'):
                # Only the first item: the other one cancels the migration.
                remedy.apply(site, items[0], self.typist.type)
            elif key.startswith('backends-in-use'):
                for item in items:
                    if item['kind'] == 'config':
                        remedy.apply(site, item, self.typist.type)
            elif 'ctl1@beta' in key:
                for item in items:
                    remedy.apply(site, item, self.typist.type)
        run.filler.wait_task('moving', 'migration_success')
        # First 'Start it', then remove the row of the service that does not
        # come back.
        self.other.start('manila-share')
        for key, finding in self.report.findings.items():
            if key.startswith('live-services[manila-data'):
                for item in finding['remediation']:
                    remedy.apply(site, item, self.typist.type)

    def upgrade(self):
        """Upgrade the copy with all faults, and yield the results."""
        run = self.run
        copy = rows.Copy(run, run.scratch / 'live.sql', 'live', _PLAIN)
        done = copy.sync()
        if done.level is Level.BROKEN:
            raise processes.Broken(f'of the live copy: {done.words}')
        services = run.target.plane(copy.site)
        services.start_all(run.port, run.target.now())
        client = run.client
        time.sleep(sites.SERVICE_DOWN_TIME)
        upgraded = run.check(copy.site, 'upgraded')
        seen = {
            name: look(client) for name, (_, look) in self.scenarios.items()
        }
        typist = run.typist(copy.site, run.path.target)
        for key in upgraded.loud:
            for item in upgraded.findings[key]['remediation'][-1:]:
                remedy.apply(copy.site, item, typist.type)
        left = run.check(copy.site, 'upgraded').loud
        services.kill_all()
        yield from self._results(seen)
        yield score.Result(
            path=str(run.path),
            scenario='services that did not come back, at upgraded',
            expected=(
                ('failure', f'live-services[[]*{_ELSEWHERE}*'),
                (
                    'failure',
                    f'live-services[[]manila-data*{sites.OTHER_HOST}]',
                ),
            ),
            predicted=upgraded.loud,
            observed=Observed(
                Level.BROKEN, 'neither reports while all others do'
            ),
            left=left,
            how='as printed',
            refused=tuple(typist.refused),
        )

    def _results(self, seen):
        claimed = set()
        for name, (expected, _) in self.scenarios.items():
            mine = {
                key: severity
                for key, severity in self.report.loud.items()
                if any(fnmatch.fnmatchcase(key, p) for _, p in expected)
            }
            claimed |= set(mine)
            yield score.Result(
                path=str(self.run.path),
                scenario=name,
                expected=expected,
                predicted=mine,
                observed=seen[name],
                left={
                    key: severity
                    for key, severity in self.left.items()
                    if any(fnmatch.fnmatchcase(key, p) for _, p in expected)
                },
                how='as printed',
                refused=tuple(self.typist.refused),
            )
        yield score.Result(
            path=str(self.run.path),
            scenario='nothing but that, at plan',
            expected=(),
            predicted={
                key: severity
                for key, severity in self.report.loud.items()
                if key not in claimed
            },
            observed=Observed(Level.NOTHING, 'every other object is at rest'),
        )

    # What is observed after the upgrade

    def _still_waits(self, client):
        share = self.run.filler.ids['moving']
        state = client.get(f'/shares/{share}')['share']['task_state']
        return Observed(
            Level.CHANGED if state != 'migration_success' else Level.NOTHING,
            f'after the upgrade it is in {state}',
        )

    def _row_stays(self, host):
        def look(client):
            for service in client.get('/services')['services']:
                if service['host'] == host:
                    return Observed(
                        Level.CHANGED,
                        f'after the upgrade {service["binary"]} on {host} is '
                        f'listed as {service["state"]}',
                    )
            return Observed(Level.NOTHING, 'its row is gone')

        return look

    def _disabled(self, client):
        for service in client.get('/services')['services']:
            if service['host'] == 'ctl1@beta':
                status = service['status']
                level = Level.CHANGED
                if status == 'enabled':
                    level = Level.NOTHING
                return Observed(level, f'after the upgrade it is {status}')
        return Observed(Level.NOTHING, 'its row is gone')

    def _unserved(self, client):
        share = self.run.filler.ids['elsewhere']
        made = client.post(
            f'/shares/{share}/action',
            allow_access={
                'access_type': 'ip',
                'access_to': '192.0.2.9',
                'access_level': 'rw',
            },
        )['access']
        path = f'/share-access-rules/{made["id"]}'

        def state():
            return client.get(path)['access']['state'] == 'active'

        if processes.wait_for(state, 10):
            return Observed(Level.NOTHING, 'a new rule of its share is active')
        now = client.get(path)['access']['state']
        return Observed(
            Level.CHANGED,
            f'after the upgrade a new rule of its share stays {now}',
        )


_PLAIN = rows.Scenario('live', ())


@dataclasses.dataclass(frozen=True)
class Cut:
    """A row in the state in which the crash of a service leaves it."""

    table: str
    column: str
    state: str
    #: The id of the row, or a query that gives it.
    row: str
    #: The severity of the expected finding; None when nothing is lost.
    severity: Optional[str] = 'failure'
    #: The statements that create the row; the state is set afterwards.
    made: tuple = ()
    #: The major version of manila that added the table.
    since: int = 12


_BACKUP = '6b1f4c1e-1c55-4a4b-9b0f-0d8c3a1f7a01'
_TRANSFER = '0c2ad1f7-0c3e-4f4b-8c57-5a1e9a6f7b02'


class InFlight:
    """Rows that a service was working on when it crashed."""

    def __init__(self, run):
        self.run = run
        ids = run.filler.ids
        instance = (
            "SELECT id FROM share_instances WHERE share_id = '{}' AND "
            "deleted = 'False' LIMIT 1"
        )
        status = "UPDATE share_instances SET status = '{}' WHERE share_id = "
        status += "'{}' AND deleted = 'False'"
        cuts = {
            'a share that manila-data copies': Cut(
                'shares',
                'task_state',
                'data_copying_in_progress',
                ids['first'],
            ),
            'a migration that manila-share begins': Cut(
                'shares',
                'task_state',
                'migration_driver_starting',
                ids['second'],
            ),
            'a share that is extended': Cut(
                'share_instances',
                'status',
                'extending',
                instance.format(ids['windows']),
            ),
            'a replica that is promoted': Cut(
                'share_instances',
                'status',
                'replication_change',
                ids['replica'],
            ),
            'a snapshot that is created': Cut(
                'share_snapshot_instances',
                'status',
                'creating',
                'SELECT id FROM share_snapshot_instances WHERE snapshot_id = '
                f"'{ids['snapshot']}' AND deleted = 'False' LIMIT 1",
            ),
            'a share group that is deleted': Cut(
                'share_groups', 'status', 'deleting', ids['group']
            ),
            'a share server that is created': Cut(
                'share_servers',
                'status',
                'creating',
                "SELECT id FROM share_servers WHERE deleted = 'False' LIMIT 1",
            ),
            'a share network whose servers change': Cut(
                'share_networks', 'status', 'network_change', ids['network']
            ),
            'a backup that manila-data makes': Cut(
                'share_backups',
                'status',
                'creating',
                _BACKUP,
                made=(
                    'INSERT INTO share_backups (id, user_id, project_id, '
                    'share_id, size, host, topic, progress, deleted, '
                    f"created_at) SELECT '{_BACKUP}', user_id, project_id, "
                    f"id, size, '{sites.HOST}', 'manila-data', '0', 'False', "
                    f"created_at FROM shares WHERE id = '{ids['grouped']}'",
                    status.format('backup_creating', ids['grouped']),
                ),
                since=18,
            ),
            'a share that waits for a transfer that is gone': Cut(
                'share_instances',
                'status',
                'awaiting_transfer',
                instance.format(ids['elsewhere']),
            ),
            'a share that waits for its transfer': Cut(
                'transfers',
                'accepted',
                '0',
                _TRANSFER,
                severity=None,
                made=(
                    'INSERT INTO transfers (id, resource_type, resource_id, '
                    'salt, crypt_hash, expires_at, source_project_id, '
                    f"deleted, created_at) SELECT '{_TRANSFER}', 'share', id, "
                    "'0', '0', LOCALTIMESTAMP + INTERVAL '1' DAY, "
                    "project_id, 'False', LOCALTIMESTAMP FROM shares WHERE "
                    f"id = '{ids['served']}'",
                    status.format('awaiting_transfer', ids['served']),
                ),
            ),
        }
        #: {name: Cut}, without those whose table the source lacks.
        self.scenarios = {
            name: cut
            for name, cut in cuts.items()
            if run.path.source.major >= cut.since
        }

    def run_all(self, dump):
        """Yield the result of each scenario."""
        run = self.run
        copy = rows.Copy(run, dump, 'flight', _PLAIN)
        found = {}
        for name, cut in self.scenarios.items():
            for statement in cut.made:
                copy.sql(statement)
            row = cut.row
            if row.startswith('SELECT'):
                row = copy.sql(row)[0][0]
            found[name] = row
            copy.sql(
                f"UPDATE {cut.table} SET {cut.column} = '{cut.state}' "
                f"WHERE id = '{row}'"
            )
        report = run.check(copy.site, 'stopped')
        broken = run.database.clone(copy.name)
        refused = self._mend(copy, report)
        left = run.check(copy.site, 'stopped').loud
        copy.point(broken)
        seen = self._seen(copy, found)
        claimed = set()
        for name, cut in self.scenarios.items():
            pattern = f'*{found[name]}*'
            claimed |= set(fnmatch.filter(report.loud, pattern))
            yield score.Result(
                path=str(run.path),
                scenario=name,
                expected=((cut.severity, pattern),) if cut.severity else (),
                predicted={
                    key: report.loud[key]
                    for key in fnmatch.filter(report.loud, pattern)
                },
                observed=seen[name],
                left={key: left[key] for key in fnmatch.filter(left, pattern)}
                if cut.severity
                else None,
                how='as printed',
                refused=tuple(text for text in refused if found[name] in text),
            )
        yield score.Result(
            path=str(run.path),
            scenario='nothing but that, at stopped',
            expected=(),
            predicted={
                key: severity
                for key, severity in report.loud.items()
                if key not in claimed
            },
            observed=Observed(Level.NOTHING, 'every other object is at rest'),
        )

    def _mend(self, copy, report):
        """Type the commands of the findings, with the API of the source."""
        run = self.run
        site = copy.site.copy(run.scratch / 'flight-source')
        site.write(
            'api-paste.ini',
            (run.path.source_etc / 'api-paste.ini').read_text(
                encoding='utf-8'
            ),
        )
        services = run.source.plane(site)
        services.start('manila-api', run.port)
        services.wait_api(run.port)
        typist = run.typist(copy.site, run.path.source)
        try:
            for key in report.loud:
                for item in report.findings[key]['remediation']:
                    remedy.apply(copy.site, item, typist.type)
        finally:
            services.kill_all()
        return typist.refused

    def _seen(self, copy, found):
        """Upgrade the copy, start the target, and return what is observed."""
        run = self.run
        done = copy.sync()
        if done.level is Level.BROKEN:
            raise processes.Broken(f'of the copy in flight: {done.words}')
        services = run.target.plane(copy.site)
        services.start_all(run.port, run.target.now())
        time.sleep(SETTLE_SECONDS)
        seen = {}
        for name, cut in self.scenarios.items():
            now = copy.sql(
                f'SELECT {cut.column} FROM {cut.table} '
                f"WHERE id = '{found[name]}'"
            )[0][0]
            # PostgreSQL returns a Boolean where MySQL returns a number.
            now = int(now) if isinstance(now, bool) else now
            seen[name] = _came_of(cut, str(now))
        services.kill_all()
        return seen


def _came_of(cut, now):
    """Return what was observed, from the state of a row after the upgrade."""
    if cut.severity is None:
        if now == cut.state:
            return Observed(Level.NOTHING, 'after the upgrade it still waits')
        return Observed(Level.CHANGED, f'after the upgrade it is {now}')
    words = f'after the upgrade it is in {now}'
    if now in (cut.state, 'error') or now.endswith('_error'):
        return Observed(Level.BROKEN, words)
    return Observed(Level.NOTHING, words)
