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

They are made at once and judged by one run of the command: each finding
belongs to the scenario that its key names, and one that belongs to none is
wrong. What happens to them is seen on a copy of the database that is
upgraded with all of them in it.
"""

import fnmatch
import shutil
import time

from manila_precheck.tests.functional.upgrade import processes
from manila_precheck.tests.functional.upgrade import remedy
from manila_precheck.tests.functional.upgrade import rows
from manila_precheck.tests.functional.upgrade import score
from manila_precheck.tests.functional.upgrade import site as sites

Level = score.Level
Observed = score.Observed

_ELSEWHERE = f'{sites.OTHER_HOST}@{sites.OTHER_BACKEND}'

#: How long the services of the target get to take up what is in flight.
SETTLE_SECONDS = 20


def _share(said):
    return f'*[[]share {said}]*'


class Other:
    """Another controller: one back end, one manila-data, one share on it."""

    def __init__(self, run):
        self.run = run
        self.site = sites.other_controller(
            run.source_site, run.scratch / 'other'
        )
        self.services = run.source.plane(self.site)

    def start(self, name):
        """Start one of its services and wait for it."""
        since = self.run.source.now()
        self.services.start(name)
        self.services.wait_up(name, 1, since, sites.OTHER_HOST)

    def upgrade(self):
        """Start its manila-share of the target."""
        shutil.copy(
            self.run.path.target_etc / 'api-paste.ini',
            self.site.path('api-paste.ini'),
        )
        self.services = self.run.target.plane(self.site)
        self.start('manila-share')

    def fill(self):
        """Place a share on its back end."""
        filler = self.run.filler
        filler.type_of('elsewhere', 'False', share_backend_name='DELTA')
        filler.share('elsewhere', share_type='elsewhere')
        filler.wait_share('elsewhere')


class AtPlan:
    """A waiting migration, and services that are not as they should be."""

    def __init__(self, run, other):
        self.run = run
        self.other = other
        moving = run.filler.ids['moving']
        #: name: (expected, what is seen after the upgrade).
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
        """Make the faults, run the command, and remedy each."""
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
            'UTC_TIMESTAMP() - INTERVAL '
            f'{sites.SERVICE_DOWN_TIME + 1} SECOND {unmarked})'
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
                # The other one gives it up.
                remedy.apply(site, items[0], self.typist.type)
            elif key.startswith('backends-in-use'):
                for item in items:
                    if item['kind'] == 'config':
                        remedy.apply(site, item, self.typist.type)
            elif 'ctl1@beta' in key:
                for item in items:
                    remedy.apply(site, item, self.typist.type)
        run.filler.wait_task('moving', 'migration_success')
        # 'Start it'; then the row of what does not come back is removed.
        self.other.start('manila-share')
        for key, finding in self.report.findings.items():
            if key.startswith('live-services[manila-data'):
                for item in finding['remediation']:
                    remedy.apply(site, item, self.typist.type)

    def upgrade(self):
        """Upgrade the copy that has all of it, and look."""
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

    # What is seen after the upgrade

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


class InFlight:
    """Rows that a service was at work on when it was cut off."""

    def __init__(self, run):
        self.run = run
        ids = run.filler.ids
        instance = (
            "SELECT id FROM share_instances WHERE share_id = '{}' AND "
            "deleted = 'False' LIMIT 1"
        )
        self._instance = instance
        #: name: (table, column, state, id or the query of it, severity).
        self.scenarios = {
            'a share that manila-data copies': (
                'shares',
                'task_state',
                'data_copying_in_progress',
                ids['first'],
                'failure',
            ),
            'a migration that manila-share begins': (
                'shares',
                'task_state',
                'migration_driver_starting',
                ids['second'],
                'failure',
            ),
            'a share that is extended': (
                'share_instances',
                'status',
                'extending',
                instance.format(ids['windows']),
                'failure',
            ),
            'a snapshot that is created': (
                'share_snapshot_instances',
                'status',
                'creating',
                "SELECT id FROM share_snapshot_instances WHERE snapshot_id = "
                f"'{ids['snapshot']}' AND deleted = 'False' LIMIT 1",
                'failure',
            ),
            'a share group that is deleted': (
                'share_groups',
                'status',
                'deleting',
                ids['group'],
                'failure',
            ),
            'a share server that is created': (
                'share_servers',
                'status',
                'creating',
                "SELECT id FROM share_servers WHERE deleted = 'False' LIMIT 1",
                'failure',
            ),
            'a share network whose servers change': (
                'share_networks',
                'status',
                'network_change',
                ids['network'],
                'failure',
            ),
        }

    def run_all(self, dump):
        """Yield what was said of each, and what became of it."""
        run = self.run
        copy = rows.Copy(run, dump, 'flight', _PLAIN)
        found = {}
        for name, (table, column, state, what, _) in self.scenarios.items():
            row = what
            if what.startswith('SELECT'):
                row = copy.sql(what)[0][0]
            found[name] = row
            copy.sql(
                f"UPDATE {table} SET {column} = '{state}' WHERE id = '{row}'"
            )
        report = run.check(copy.site, 'stopped')
        broken = run.database.clone(copy.name)
        refused = self._mend(copy, report)
        left = run.check(copy.site, 'stopped').loud
        copy.point(broken)
        seen = self._seen(copy, found)
        claimed = set()
        for name, (_, _, _, _, severity) in self.scenarios.items():
            pattern = f'*{found[name]}*'
            claimed |= set(fnmatch.filter(report.loud, pattern))
            yield score.Result(
                path=str(run.path),
                scenario=name,
                expected=((severity, pattern),),
                predicted={
                    key: report.loud[key]
                    for key in fnmatch.filter(report.loud, pattern)
                },
                observed=seen[name],
                left={key: left[key] for key in fnmatch.filter(left, pattern)},
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
        """Type the commands of the findings, at the API of the source."""
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
        """Upgrade the copy, let the services of the target settle, look."""
        run = self.run
        done = copy.sync()
        if done.level is Level.BROKEN:
            raise processes.Broken(f'of the copy in flight: {done.words}')
        services = run.target.plane(copy.site)
        services.start_all(run.port, run.target.now())
        time.sleep(SETTLE_SECONDS)
        seen = {}
        for name, (table, column, state, _, _) in self.scenarios.items():
            now = copy.sql(
                f"SELECT {column} FROM {table} WHERE id = '{found[name]}'"
            )[0][0]
            words = f'after the upgrade it is in {now}'
            level = Level.BROKEN
            if now not in (state, 'error') and not now.endswith('_error'):
                level = Level.NOTHING
            seen[name] = Observed(level, words)
        services.kill_all()
        return seen
