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

"""How long the steps of one hop take, and what each figure rests on."""

from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.act.plan import site_facts
from manila_precheck.act.plan import steps
from manila_precheck.catalog import behaviours
from manila_precheck.evidence import rehearsal_report
from manila_precheck.reporters import words

# A db sync of a database without many rows, as measured on releases 16 to 23.
_SYNC_SECONDS = (2.0, 10.0)

# A start of manila-manage, of openstack or of this program: the imports take
# 1.0 to 1.6 s of CPU time, as measured on releases 16 to 23.
_START_SECONDS = (1.0, 4.0)

# A service without work in flight, from SIGTERM to its exit. manila-share
# waits for its back ends, for graceful_shutdown_timeout at most.
_STOP_SECONDS = (0.5, 10.0)
_STOP_SHARE_SECONDS = 1.0

# A manila-share that goes on after SIGTERM: systemd kills it after
# TimeoutStopSec, 90 s by default.
_OUTLIVES = 'share-outlives-sigterm'
_OUTLIVES_SECONDS = (45.0, 90.0)

# The time that systemctl and its like take to begin a service.
_BEGIN_SECONDS = (0.1, 2.0)

# The children of manila-share mark their rows as stopped only after
# manila-share itself has exited.
_ROWS_SECONDS = (0.0, 15.0)

# From the start of a service to the first report in its row.
_UP_SECONDS = (5.0, 30.0)

# How fast a check reads through a backup, in bytes of the tables per second:
# best and worst. The dump may have half or twice the size of the tables.
_LOOK_BYTES_A_SECOND = (100e6, 10e6)

# The margin of a rate that was measured once.
_MARGIN = 1.5

# The margin of a rate from another server, whose speed was not compared.
_UNSCALED = 2.0

# The rows that a purge deletes in a second, as measured on MariaDB, with a
# margin from half of it to twice of it.
_PURGE_ROWS_A_SECOND = 200
_PURGE_MARGIN = 2.0

# The phases of a rehearsal, as the runbook names them.
_PHASES = {'restore': 'the restore', 'purge': 'db purge', 'sync': 'db sync'}

_NOT_LOOKED = (model.Outcome.ERROR, model.Outcome.SKIPPED)


class Times:
    """The times of one hop.

    :param report: the report of the hop; None when it cannot be judged yet.
    :param site: what is known about the site beside the report.
    :param source: the release that runs before the hop.
    :param target: the release that runs after it, without its build.
    """

    def __init__(
        self,
        report: Optional[model.Report],
        site: site_facts.Site,
        source: str,
        target: str,
    ) -> None:
        self._checks = report.checks if report is not None else None
        self._site = site
        self._source = source
        self._target = target

    # -- starts and stops ----------------------------------------------------

    def manage(self, runs: int) -> steps.Duration:
        """Return the time to start manila-manage, without its work.

        :param runs: how often it is started.
        """
        done = self._site.rehearsed
        sync = done.phase('sync') if done is not None else None
        what = words.plural(runs, 'start')
        if done is None or sync is None or sync.start_seconds is None:
            low, high = _START_SECONDS
            return steps.Duration(
                runs * low,
                runs * high,
                f'{what} of manila-manage, {low:g} to {high:g} s each',
            )
        each = sync.start_seconds
        return steps.Duration(
            runs * each / _MARGIN,
            runs * each * _MARGIN,
            f'{what} of manila-manage, {each:.1f} s each in the rehearsal, '
            'give or take half of it',
        )

    def stop(self, service: str, release: str) -> steps.Duration:
        """Return the time to stop a service on its hosts.

        :param release: the release of the service.
        """
        low, high = _STOP_SECONDS
        basis = 'as measured without work in flight'
        if service == 'manila-share':
            grace = self._site.manager.grace_seconds
            if not grace:
                return unknown(
                    'graceful_shutdown_timeout is 0: as long as its work takes'
                )
            low, high = _STOP_SHARE_SECONDS, max(float(grace), high)
            basis = f'at most its graceful_shutdown_timeout, {grace} s'
            if behaviours.has(_OUTLIVES, releases.parse(release.split()[0])):
                low, high = _OUTLIVES_SECONDS
                basis = (
                    f'that of {release} mostly goes on after SIGTERM until '
                    'systemd ends it (TimeoutStopSec, 90 s by default)'
                )
        return self._each_host(service, low, high, basis)

    def start(self, service: str) -> steps.Duration:
        """Return the time to start a service on its hosts."""
        begun = self._each_host(
            service, *_BEGIN_SECONDS, 'the gate after them waits for reports'
        )
        if service != 'manila-share':
            return begun
        return _together(begun, self.ensure())

    def _each_host(
        self, service: str, low: float, high: float, basis: str
    ) -> steps.Duration:
        hosts = len(self._site.hosts(service)) or 1
        what = '1 host,' if hosts == 1 else f'{hosts} hosts in turn,'
        return steps.Duration(
            hosts * low,
            hosts * high,
            f'{what} {low:g} to {high:g} s each: {basis}',
        )

    # -- the gates -----------------------------------------------------------

    def gate_down(self) -> steps.Duration:
        """Return the time to see that all services are down."""
        low, high = _ROWS_SECONDS
        return steps.Duration(
            _START_SECONDS[0] + low,
            _START_SECONDS[1] + high,
            f'a start of this program, {_START_SECONDS[0]:g} to '
            f'{_START_SECONDS[1]:g} s, and {low:g} to {high:g} s until the '
            'rows of the services say so',
        )

    def gate_stopped(self) -> steps.Duration:
        """Return the time of the gate before the migration."""
        size = self._site.size_bytes
        if size is None:
            return unknown('the size of the database is not known')
        fast, slow = _LOOK_BYTES_A_SECOND
        return _together(
            self._checks_at(model.Stage.STOPPED),
            steps.Duration(
                size / fast,
                size / slow,
                f'a backup of {size / 1e6:.1f} MB of tables is looked '
                f'through, {slow / 1e6:g} to {fast / 1e6:g} MB a second',
            ),
        )

    def gate_upgraded(self) -> steps.Duration:
        """Return the time of the gate after the services have started."""
        low, high = _UP_SECONDS
        return _together(
            self._checks_at(model.Stage.UPGRADED),
            steps.Duration(
                low + _START_SECONDS[0],
                high + _START_SECONDS[1],
                f'{low:g} to {high:g} s until the services report, and a '
                'start of openstack',
            ),
        )

    def _checks_at(self, stage: model.Stage) -> steps.Duration:
        """Return the time of a run of the checks of a stage."""
        if self._checks is None:
            return unknown(f'not known before {self._source} runs')
        took = sum(
            check.seconds
            for check in self._checks
            if stage in self._site.stages.get(check.id, ())
        )
        if not took:
            return unknown('how long the checks take was not measured')
        low, high = _START_SECONDS
        return steps.Duration(
            low + took / _MARGIN,
            high + took * _MARGIN,
            f'a start of this program, {low:g} to {high:g} s, and its checks, '
            f'which took {took:.1f} s when this was made',
        )

    # -- the database --------------------------------------------------------

    def purge(self, rows: int, runs: int) -> steps.Duration:
        """Return the time of a purge.

        :param rows: how many rows it deletes.
        :param runs: how often it starts manila-manage.
        """
        done = self._site.rehearsed
        if done is not None and done.phase('purge') is not None:
            return _together(self._rehearsed('purge', done), self.manage(runs))
        seconds = rows / _PURGE_ROWS_A_SECOND
        return _together(
            steps.Duration(
                seconds / _PURGE_MARGIN,
                seconds * _PURGE_MARGIN,
                f'about {rows} rows at {_PURGE_ROWS_A_SECOND} a second, as '
                'measured on MariaDB',
            ),
            self.manage(runs),
        )

    def backup(self) -> steps.Duration:
        """Return the time of a backup of the tables."""
        size, rate = self._site.size_bytes, self._site.backup_rate
        if size is None:
            return unknown('the size of the database is not known')
        megabytes = f'{size / 1e6:.1f} MB of tables'
        if not rate:
            return unknown(
                f'{megabytes}; the rate was not given (--backup-rate)',
            )
        seconds = size / 1e6 / rate
        return steps.Duration(
            seconds / _MARGIN,
            seconds * _MARGIN,
            f'{megabytes} at {rate:g} MB a second, as given',
        )

    def sync(self, runs: int) -> steps.Duration:
        """Return the time of a db sync.

        :param runs: how often the step starts manila-manage; one of these runs
            migrates.
        """
        if self._checks is None:
            return unknown(f'not known before {self._source} runs')
        if self._site.rehearsed is None:
            return _together(self._estimated(), self.manage(runs))
        return _together(
            self._rehearsed('sync', self._site.rehearsed), self.manage(runs)
        )

    def _estimated(self) -> steps.Duration:
        """Return the sum of the estimates of pending-migrations."""
        looked = [
            c for c in self._checks or () if c.id == 'pending-migrations'
        ]
        for check in looked:
            if check.outcome in _NOT_LOOKED:
                return unknown(check.reason)
        if not looked or self._site.dialect != 'mysql':
            # On other servers nobody measured a migration of many rows.
            return unknown(
                'pending-migrations estimates it on MySQL and MariaDB only'
            )
        low, high = _SYNC_SECONDS
        tables = 0
        for finding in looked[0].findings:
            if finding.aspect == 'unknown':
                return unknown(finding.message)
            least = finding.data.get('seconds_min')
            most = finding.data.get('seconds_max')
            if isinstance(least, (int, float)) and isinstance(
                most, (int, float)
            ):
                low, high, tables = low + least, high + most, tables + 1
        return steps.Duration(
            low,
            high,
            f'{_SYNC_SECONDS[0]:g} to {_SYNC_SECONDS[1]:g} s without rows, '
            f'and {words.plural(tables, "rebuild")} of a table as '
            'pending-migrations estimates',
        )

    def _rehearsed(
        self, phase: str, done: rehearsal_report.Rehearsed
    ) -> steps.Duration:
        """Return the time of a rehearsed phase, scaled to this server."""
        if (done.source.split()[0], done.target.split()[0]) != (
            self._source.split()[0],
            self._target,
        ):
            return unknown(
                f'the rehearsal in {done.path} is of {done.source} to '
                f'{done.target}'
            )
        took = done.phase(phase)
        if took is None or not took.whole:
            return unknown(
                f'{_PHASES[phase]} did not complete in the rehearsal '
                f'({done.path})'
            )
        basis = f'{took.seconds:.1f} s in the rehearsal'
        if done.created:
            basis += f' of {done.created[:10]}'
        seconds, margin = took.seconds, _UNSCALED
        here = self._site.probe_seconds
        if here and done.probe_seconds:
            ratio = here / done.probe_seconds
            seconds *= ratio
            margin = _MARGIN
            basis += (
                f', on a server that did the same work in {1 / ratio:.2f} '
                'times the time of the database'
            )
        else:
            basis += '; how fast the database server is was not compared'
        return steps.Duration(
            seconds / margin,
            seconds * margin,
            f'{basis}; give or take half of it'
            if margin == _MARGIN
            else f'{basis}, so between half and twice of it',
        )

    def restore(self) -> steps.Duration:
        """Return the time of a restore of the backup."""
        done = self._site.rehearsed
        if done is None or done.phase('restore') is None:
            return unknown('what the restore took in the rehearsal')
        return self._rehearsed('restore', done)

    def ensure(self) -> steps.Duration:
        """Return the time that manila-share takes to ensure its shares."""
        counts = self._site.instances
        if not counts:
            return unknown('how many shares it ensures is not known')
        host, most = max(counts.items(), key=lambda item: (item[1], item[0]))
        basis = (
            f'{words.plural(sum(counts.values()), "share instance")} on '
            f'{words.plural(len(counts), "back end")}, at most {most} on '
            f'{host}; back ends ensure theirs side by side, and none where '
            'the information of the back end is as before'
        )
        if self._site.ensure_rate is None:
            return unknown(f'{basis}; the rate was not given (--ensure-rate)')
        return steps.Duration(
            0,
            most * self._site.ensure_rate * _MARGIN,
            f'{basis}; {self._site.ensure_rate:g} s each, as given',
        )


def unknown(why: str) -> steps.Duration:
    """Return a duration that the operator fills in, and why."""
    return steps.Duration(None, None, why)


def _together(*parts: steps.Duration) -> steps.Duration:
    """Return the sum of durations; if one is unknown, return that one."""
    low = high = 0.0
    for part in parts:
        if part.low is None or part.high is None:
            return part
        low, high = low + part.low, high + part.high
    return steps.Duration(low, high, '; '.join(part.basis for part in parts))
