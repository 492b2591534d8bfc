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

"""Make the runbook of a site from its report and other facts of the site."""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import re
from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.act.plan import site_facts
from manila_precheck.act.plan import steps
from manila_precheck.act.plan import times
from manila_precheck.reporters import words

#: The services in the order in which they are stopped. They start in the same
#: order, but manila-api last: no request arrives before they can serve it.
SERVICES = ('manila-api', 'manila-scheduler', 'manila-share', 'manila-data')

_START = (*SERVICES[1:], SERVICES[0])

#: The other commands in a runbook; each begins with its program.
COMMANDS = (
    'manila-manage db version',
    'manila-manage db sync',
    'manila-manage service list',
    'manila-manage service cleanup',
    'openstack share service list',
)

_VERSION, _SYNC, _ROWS, _CLEANUP, _LIST = COMMANDS

_FILE = steps.Blank(
    'BACKUP_FILE',
    'the path of the backup file, without spaces, on a disk with enough '
    'space; not that of another hop, whose only way back that is',
)
_PYTHON = steps.Blank(
    'TARGET_PYTHON',
    'the interpreter of an environment that has the target release',
)
_RATE = 'MEGABYTES_A_SECOND'
_OLD_PACKAGES = 'COMMAND_OF_THE_OLD_PACKAGES'
_DATABASE = steps.Blank('DATABASE', 'the name of the database')

# '{}' stands for the name of the database. The MySQL dump holds statements
# that drop and create the database: no table of the target survives a restore.
_BACKUP = {
    'mysql': '{dump}{client} --single-transaction --no-tablespaces '
    '--add-drop-database --result-file=BACKUP_FILE --databases {}',
    'postgresql': 'pg_dump{client} --format=custom --file=BACKUP_FILE {}',
    'sqlite': 'sqlite3 {} ".backup BACKUP_FILE"',
}
_RESTORE = {
    'mysql': '{shell}{client} < BACKUP_FILE',
    'postgresql': 'pg_restore{client} --clean --create --dbname=postgres '
    'BACKUP_FILE',
    'sqlite': 'cp BACKUP_FILE {}',
}

# By whether the server is MariaDB, whose newer clients have only these names.
_PROGRAMS = {
    False: ('mysqldump', 'mysql'),
    True: ('mariadb-dump', 'mariadb'),
}

# The flags that lead a client to its server, by the field of an address. With
# a socket, host and port are not used.
_CLIENT_FLAGS = {
    'mysql': {'socket': '--socket', 'host': '--host', 'port': '--port'},
    'postgresql': {'host': '--host', 'port': '--port'},
}
_USER_FLAGS = {'mysql': '--user', 'postgresql': '--username'}

_PASSWORD_FILES = {
    'mysql': '[client] of ~/.my.cnf',
    'postgresql': '~/.pgpass',
}

# The diffs of "upgrade fix". The file names in them are relative to the root
# directory. Each hop has its own diffs: the way back may lead over several.
_BEFORE, _WINDOW = '~/manila-before-{}.diff', '~/manila-window-{}.diff'

_REHEARSED = '~/manila-rehearsal.json'

# The checks whose findings are fixed when the packages are installed.
_WITH_THE_PACKAGES = frozenset(
    {'installed-packages', 'local-changes', 'release-notes'}
)


# The exit codes with which a runbook goes on: it is up to the operator to
# accept warnings.
_WARNED = (0, 1)
_FAILED = (0, 1, 2)

_NOT_LOOKED = (model.Outcome.ERROR, model.Outcome.SKIPPED)

_PURGE = 'soft-deleted-rows'
_NOTES = 'release-notes'


def make(
    report: model.Report, target: releases.Release, site: site_facts.Site
) -> steps.Plan:
    """Return the runbook.

    :param report: the report of the first hop, at stage plan, redacted.
    :param target: the release that the operator wants to reach in the end.
    :param site: the facts read beside the report, without secrets.
    """
    first = releases.parse(report.target_release.split()[0])
    hops = [_Hop(report, site, report.source_release, report.target_release)]
    at = first
    while at < target:
        nearer = [hop for hop in releases.next_hops(at) if hop <= target]
        hops.append(_Hop(None, site, str(at), str(nearer[-1]), hops[-1]))
        at = nearer[-1]
    counted = [f for c in report.checks for f in c.findings if f.counts]
    return steps.Plan(
        report.tool,
        report.source_release,
        report.target_release if at == first else str(at),
        words.verdict(report)[0],
        sum(f.severity is model.Severity.FAILURE for f in counted)
        + sum(c.outcome is model.Outcome.ERROR for c in report.checks),
        sum(f.severity is model.Severity.WARNING for f in counted),
        site.manager.name,
        tuple(hop.hop() for hop in hops),
        report.created,
    )


class _Hop:
    """The steps of one hop.

    :param report: the report of the hop; None when it cannot be judged yet.
    :param last: the hop before this one.
    """

    def __init__(
        self,
        report: Optional[model.Report],
        site: site_facts.Site,
        source: str,
        target: str,
        last: 'Optional[_Hop]' = None,
    ) -> None:
        self._report = report
        self._last = last
        self._site = site
        self._source = source
        self._target = target
        # Commands take a release without its build.
        self._to = target.split()[0]
        self._checks = report.checks if report is not None else ()
        self._times = times.Times(report, site, source, self._to)
        name = re.sub(r'[^\w.-]', '-', self._to, flags=re.ASCII)
        self._early, self._late = _BEFORE.format(name), _WINDOW.format(name)

    def hop(self) -> steps.Hop:
        """Return the hop with all its phases."""
        return steps.Hop(
            self._source,
            self._target,
            self._report is not None,
            (
                steps.Phase('before', 'Before the window', (*self._before(),)),
                steps.Phase('window', 'The window', (*self._window(),)),
                steps.Phase('after', 'After the window', (*self._after(),)),
                steps.Phase('back', 'The way back', (*self._back(),)),
            ),
        )

    # -- parts of steps ------------------------------------------------------

    def _check(self, *flags: str) -> steps.Command:
        """Return a run of the checks; warnings do not stop the runbook."""
        return self._here(self._precheck('check', *flags))._replace(
            exit_codes=_WARNED
        )

    def _precheck(self, verb: str, *flags: str) -> str:
        """Return a command of this program for this site and hop."""
        template, names = 'manila-precheck', []
        for flag, path in self._site.flags:
            template += f' {flag}{{=}}'
            names.append(path)
        rest = ' '.join(flags)
        template += f' upgrade {verb} --target-release{{=}}'
        text = model.command(template, *names, self._to).text
        return f'{text} {rest}' if rest else text

    def _on_database(
        self, templates: Mapping[str, str], user: bool = True
    ) -> tuple[list[steps.Command], list[steps.Blank]]:
        """Return the command for the database of the site, and its blanks.

        :param templates: the commands by dialect; '{}' stands for the name of
            the database.
        :param user: whether manila's own account may run it.
        """
        dialect = self._site.dialect
        template = templates.get(dialect)
        if template is None:
            return [], []
        address, blanks = self._site.address, [_FILE]
        flags = dict(_CLIENT_FLAGS.get(dialect, {}))
        if address.socket:
            flags.pop('host', None)
            flags.pop('port', None)
        given = {
            flag: getattr(address, field)
            for field, flag in flags.items()
            if getattr(address, field)
        }
        if user and dialect in _USER_FLAGS and address.user:
            given[_USER_FLAGS[dialect]] = address.user
        client = ''.join(f' {flag}{{=}}' for flag in given)
        for place, word in (
            ('{client}', client),
            *zip(('{dump}', '{shell}'), _PROGRAMS[self._site.mariadb]),
        ):
            template = template.replace(place, word)
        names = list(given.values())
        if '{}' in template:
            if not address.database:
                blanks.append(_DATABASE)
            names.append(address.database or _DATABASE.word)
        return [self._here(model.command(template, *names).text)], blanks

    def _password(self) -> tuple[str, ...]:
        """Return a sentence that says where the client reads its password."""
        where = _PASSWORD_FILES.get(self._site.dialect)
        if where is None:
            return ()
        return (f'Put the password in {where}, never on the command line.',)

    def _all(self, place: str) -> list[model.Finding]:
        return [f for _, found in self._findings(place) for f in found]

    def _findings(
        self, place: str
    ) -> Iterator[tuple[model.CheckResult, list[model.Finding]]]:
        """Yield each check with those of its findings fixed at a place."""
        for check in self._checks:
            found = [
                f
                for f in check.findings
                if f.counts
                and f.severity is not model.Severity.INFO
                and _place(f) == place
            ]
            if found:
                yield check, found

    # -- before --------------------------------------------------------------

    def _before(self) -> Iterator[steps.Step]:
        if self._report is None:
            yield steps.Step(
                'judge',
                f'Judge the upgrade to {self._target}',
                text=(
                    f'This hop cannot be judged before {self._source} runs: '
                    'its configuration, its database and its rows are not '
                    'there yet. Write its runbook then: it replaces the steps '
                    'below.',
                ),
                commands=(
                    # The new runbook fixes what fails here.
                    self._check()._replace(exit_codes=_FAILED),
                    self._here(self._precheck('plan', *self._site.plan_flags)),
                ),
                before=(
                    f'All services run {self._source}, and the steps after '
                    'its window are done.',
                ),
                after=('The new runbook has no failure left.',),
            )
        yield steps.Step(
            'latest-point-release',
            f'Update to the latest packages of {self._source}',
            text=(
                'The upgrade is tested from the last point release of each '
                'series.',
            ),
            after=('The report names the build that runs now.',),
            back='Install the packages that ran before.',
        )
        yield self._storage()
        yield from self._unlooked()
        yield from self._to_read()
        for check, found in self._findings('before'):
            yield steps.Step(
                f'mend-{check.id}',
                check.title,
                text=(
                    f'Correct what {check.id} found while '
                    f'{self._source} still runs.',
                ),
                after=('The check no longer finds any of it.',),
                commands=(self._again(check),),
                findings=found,
            )
        yield from self._files_before()
        yield from self._purge()
        yield self._rehearsal()
        yield steps.Step(
            'gate-plan',
            'Check again before the window',
            text=(
                'Days pass between this runbook and the window.',
                *self._left_out(self._failing('late', 'packages')),
            ),
            commands=(self._check(*self._skipped('late', 'packages')),),
            before=('The steps above are done.',),
            after=(
                'The exit code is 0, or 1 with warnings that you accept. '
                'Otherwise there is no window.',
            ),
        )

    def _storage(self) -> steps.Step:
        return steps.Step(
            'storage-versions',
            'Compare the versions of the storage systems',
            text=(
                f'A driver of {self._target} supports certain versions of its '
                'storage system: its documentation, or the support matrix of '
                'the vendor, lists them. Upgrade a storage system that is '
                'older first, if the driver that runs now supports the result '
                'too.',
                *(
                    [
                        f'{name}: {driver or "the default driver"}, version '
                        '__________'
                        for name, driver in self._site.drivers
                    ]
                    or ['No back end is known here: list those of each host.']
                ),
            ),
            after=(
                f'The driver of {self._target} supports the version of each '
                'storage system.',
            ),
        )

    def _unlooked(self) -> Iterator[steps.Step]:
        """Yield a step for each reason why checks were not run."""
        reasons: dict[str, list[model.CheckResult]] = {}
        for check in self._checks:
            if check.outcome in _NOT_LOOKED:
                reasons.setdefault(check.reason, []).append(check)
        for reason, checks in reasons.items():
            yield steps.Step(
                f'look-{checks[0].id}',
                f'Have {words.plural(len(checks), "check")} look that did not',
                text=(
                    f'{", ".join(check.id for check in checks)}: {reason}',
                    'Write this runbook again then: it has no steps for what '
                    'they find.',
                ),
                commands=(
                    self._here(self._precheck('plan', *self._site.plan_flags)),
                ),
                after=('No check is left out.',),
            )

    def _to_read(self) -> Iterator[steps.Step]:
        """Yield a step for the release notes that concern the site."""
        found = [
            finding
            for check in self._checks
            if check.id == _NOTES
            for finding in check.findings
            if finding.counts and finding.severity is model.Severity.INFO
        ]
        if found:
            yield steps.Step(
                'read-release-notes',
                'Read the release notes that concern this site',
                text=(
                    'No check can tell what follows from them; each says when '
                    'to read it.',
                ),
                after=(
                    'What they ask for is done, or written into this runbook.',
                ),
                findings=found,
            )

    def _again(self, check: model.CheckResult) -> steps.Command:
        if check.id in self._site.checks:
            flags = [f'--check {model.quoted(check.id)}']
        else:
            # --check does not take this id: every run reports it.
            flags = self._skipped('late', 'packages')
        again = self._check(*flags)
        if check.id in self._failing('late', 'packages'):
            # It still finds what is fixed later.
            again = again._replace(exit_codes=_FAILED)
        return again

    def _failing(self, *places: str) -> list[str]:
        """Return the ids of the checks with a failure fixed at a place.

        :param places: where failures are fixed, as :func:`_place` returns it.
        """
        return sorted(
            {
                check.id
                for place in places
                for check, found in self._findings(place)
                for finding in found
                if finding.severity is model.Severity.FAILURE
            }
        )

    def _skipped(self, *places: str) -> list[str]:
        """Return the flags that skip the checks of :meth:`_failing`."""
        return [
            f'--skip {model.quoted(name)}' for name in self._failing(*places)
        ]

    def _left_out(self, checks: Sequence[str]) -> tuple[str, ...]:
        if not checks:
            return ()
        return (
            f'Left out: {", ".join(checks)}. What fails there is corrected '
            'later in this runbook, and checked again then.',
        )

    def _here(self, text: str) -> steps.Command:
        # Any one controller will do, so also the one that made this runbook.
        return steps.Command(text, any_host=True)

    def _manage(
        self, *texts: str
    ) -> tuple[list[steps.Command], Sequence[steps.Blank]]:
        done = [self._site.manager.manage(text) for text in texts]
        return [command for command, _ in done], done[0][1]

    def _everywhere(self, text: str) -> steps.Command:
        return steps.Command(text, self._site.all_hosts())

    def _diff(self, release: str, path: str) -> steps.Command:
        fix = self._precheck('fix', f'--for {release}')
        return self._everywhere(f'cd / && {fix} > {path}')._replace(
            exit_codes=_WARNED
        )

    def _patch(self, path: str, back: bool = False) -> steps.Command:
        flags = '-R -p0' if back else '-p0'
        return self._everywhere(f'cd / && patch {flags} < {path}')

    def _files_before(self) -> Iterator[steps.Step]:
        yield steps.Step(
            'files-both-read',
            f'Roll out what {self._source} and {self._target} both read',
            text=(
                'The first diff holds what both releases read to the same '
                'effect; the second is for the window. Read both. A line '
                'marked "# PRECHECK: choose" is yours to decide.',
            ),
            commands=(
                self._diff('source', self._early),
                self._diff('target', self._late),
                self._patch(self._early),
            ),
            before=(
                'The files are backed up, or generated from a repository in '
                'which the same is changed.',
            ),
            after=(
                f'The services of {self._source} have been restarted and are '
                'up.',
            ),
            back='Revert the diff, and restart the services.',
            undo=(self._patch(self._early, back=True),),
            findings=self._all('early'),
        )

    def _purge(self) -> Iterator[steps.Step]:
        """Yield the purge, with the commands that the check proposes."""
        found = self._all('purge')
        rows, commands, proposed = 0, [], None
        for check in self._checks:
            if check.id != _PURGE:
                continue
            for finding in check.findings:
                deletes = finding.data.get('purge_deletes')
                if finding.aspect or not isinstance(deletes, int):
                    continue
                if finding.subject.kind == 'database':
                    # The finding for all tables together.
                    rows, commands = deletes, list(_commands(finding))
                    proposed = finding.data.get('runs')
                    break
                rows += deletes
                commands += _commands(finding)
        if not found and not (rows and commands):
            return
        commands = list(dict.fromkeys(commands))
        runs = proposed if isinstance(proposed, int) else len(commands)
        yield steps.Step(
            'purge',
            'Purge the soft-deleted rows',
            text=(
                'Days before the window: it holds locks while the services '
                'run. A purge goes over all tables.',
            ),
            commands=[self._here(text) for text in commands],
            before=(
                f'No finding "#restored", "#detached" or "#stays" of {_PURGE} '
                'is left.',
                'There is a backup.',
            ),
            after=(f'{_PURGE} has no warning.',),
            back='None: what is purged is only in the backup.',
            duration=self._times.purge(rows, runs),
            findings=found,
        )

    def _rehearsal(self) -> steps.Step:
        commands, blanks = self._on_database(_BACKUP)
        if commands:
            blanks.append(_PYTHON)
            commands.append(
                self._here(
                    self._precheck(
                        'rehearse',
                        f'--backup {_FILE.word}',
                        f'--target-python {_PYTHON.word}',
                        '--database-only',
                        f'--format json > {_REHEARSED}',
                    )
                )._replace(exit_codes=_WARNED)
            )
            commands.append(
                self._here(
                    self._precheck(
                        'plan',
                        f'--rehearsal {_REHEARSED}',
                        f'--backup-rate {_RATE}',
                        *self._site.plan_flags,
                    )
                )
            )
            blanks.append(steps.Blank(_RATE, self._rate()))
        return steps.Step(
            'rehearse-backup',
            'Rehearse the upgrade on a restored backup',
            text=(
                *self._failed_rehearsal(),
                'Make a backup and measure how long it takes. The second '
                'command restores it into a private server and runs db sync '
                f'of {self._target} there; only a restore proves that a '
                'backup can be restored. The third one makes this runbook '
                'again, with the times that were measured: go on with that '
                'one.',
                'Without --database-only the rehearsal also starts the '
                'services of the target, with the files that it reads: name '
                'the corrected ones of "upgrade fix --output" for that.',
                *self._password(),
            ),
            commands=commands,
            after=('The times of the backup and of db sync are known.',),
            duration=self._times.backup(),
            blanks=blanks,
        )

    def _failed_rehearsal(self) -> Iterator[str]:
        done = self._site.rehearsed
        if done is not None and done.problems:
            yield (
                f'There is no window yet: the rehearsal in {done.path} has '
                'failed. Resolve this, and rehearse again: '
                f'{"; ".join(done.problems)}.'
            )

    def _rate(self) -> str:
        """Return how to compute the rate of the backup."""
        size = self._site.size_bytes
        if size is None:
            return 'the megabytes of tables a second that the backup took'
        return (
            f'{size / 1e6:.1f}, the megabytes of tables, divided by the '
            'seconds that the backup took'
        )

    # -- the window ----------------------------------------------------------

    def _window(self) -> Iterator[steps.Step]:
        yield steps.Step(
            'announce',
            'Announce that the window begins',
            text=(
                'Users cannot create, change or delete shares in the window. '
                'Mounted shares stay reachable.',
            ),
            duration=steps.Duration(0, 0, 'it takes no time of the window'),
        )
        for service in SERVICES:
            yield self._stop(service)
            if service == 'manila-api':
                yield self._drain()
        yield steps.Step(
            'gate-down',
            'Make sure that all services are down',
            commands=(
                self._check(
                    '--stage stopped --check live-services', '--wait 300'
                ),
            ),
            before=('Every service is stopped on every host.',),
            after=(
                'The exit code is 0, or 1 for services that were killed '
                'and that you have seen stopped on their hosts.',
            ),
            back='Start the services again; nothing is changed.',
            duration=self._times.gate_down(),
        )
        yield self._backup()
        # Before the gate, which judges the files that the target reads.
        yield self._files_window()
        yield self._gate_stopped()
        yield self._packages()
        yield self._sync()
        for service in _START:
            yield self._start(service)
        yield steps.Step(
            'gate-upgraded',
            'Check what came back',
            commands=(
                self._check('--stage upgraded', '--wait 300'),
                self._here(_LIST),
            ),
            before=('All services were started.',),
            after=('The exit code is 0, or 1 with warnings that you accept.',),
            back='Follow the way back.',
            duration=self._times.gate_upgraded(),
        )
        yield self._cleanup()

    def _stop(self, service: str) -> steps.Step:
        text = []
        if service == 'manila-api':
            text.append(
                'It has no row in the table services: fill in its hosts. '
                'Behind Apache or uWSGI, stop what runs it there.'
            )
        if service == 'manila-data':
            text.append(
                'A migration of data that it does is interrupted and does '
                'not go on by itself.'
            )
        return self._stop_of(service, self._source)._replace(
            text=text,
            before=(
                'No operation is in flight.'
                if service != 'manila-api'
                else 'The announcement is out.',
            ),
            back=f'Start {service} again.',
        )

    def _stop_of(self, service: str, release: str) -> steps.Step:
        """Return the step that stops a service of either release."""
        command, blanks = self._site.manager.stop(
            service, self._site.hosts(service)
        )
        return steps.Step(
            f'stop-{service}',
            f'Stop {service}',
            commands=(command,),
            after=(f'{service} is stopped on each of its hosts.',),
            duration=self._times.stop(service, release),
            blanks=blanks,
        )

    def _drain(self) -> steps.Step:
        return steps.Step(
            'drain',
            'Wait for what is in flight',
            text=(
                'Without manila-api nothing new begins. The command waits, '
                'and lists what did not end.',
            ),
            commands=(
                self._check(
                    '--check in-flight-operations',
                    '--check running-migrations',
                    '--wait 900',
                ),
            ),
            before=('manila-api is stopped everywhere.',),
            after=('The exit code is 0, or 1 with warnings that you accept.',),
            back='Start manila-api again.',
            duration=times.unknown(
                'as long as the last operation; --wait is 900 s'
            ),
        )

    def _backup(self) -> steps.Step:
        commands, blanks = self._on_database(_BACKUP)
        return steps.Step(
            'backup',
            'Back up the database',
            text=(
                'This backup is the only way back after the migration.',
                'Keep the files of /etc/manila and the names of the packages '
                'that are installed as well.',
                *self._password(),
            ),
            commands=commands,
            before=('All services are down.',),
            after=('The backup is complete; the next step reads it.',),
            back='Start the services again; nothing is changed.',
            duration=self._times.backup(),
            blanks=blanks,
        )

    def _gate_stopped(self) -> steps.Step:
        return steps.Step(
            'gate-stopped',
            'Check for the last time before the migration',
            text=self._left_out(self._failing('packages')),
            commands=(
                steps.Command(
                    'OS_MANILA_PRECHECK_DATABASE_BACKUP__PATH=BACKUP_FILE '
                    + self._precheck(
                        'check', '--stage stopped', *self._skipped('packages')
                    ),
                    any_host=True,
                    exit_codes=_WARNED,
                ),
            ),
            before=(
                'The backup is made, the files are those of '
                f'{self._target}, and all services are down.',
            ),
            after=(
                'The exit code is 0, or 1 with warnings that you accept. '
                'Otherwise revert the second diff, start the services '
                'again, and end the window.',
            ),
            back='Revert the second diff, and start the services again.',
            duration=self._times.gate_stopped(),
            blanks=(_FILE,),
        )

    def _packages(self) -> steps.Step:
        return steps.Step(
            'packages',
            f'Install the packages of {self._target}',
            text=(
                'The commands are those of your deployment: write them down '
                'here. No service may start by itself, and no package may '
                'migrate the database or replace a file of /etc/manila.',
            ),
            commands=(
                steps.Command(
                    'COMMAND_OF_THE_PACKAGES', self._site.all_hosts()
                ),
            ),
            before=('The gate has been passed.',),
            after=(f'Each host has {self._target}; no service runs.',),
            back='Install the packages that ran before, and start.',
            blanks=(
                steps.Blank(
                    'COMMAND_OF_THE_PACKAGES',
                    f'what installs manila {self._target} on a host',
                ),
            ),
            findings=self._all('packages'),
        )

    def _files_window(self) -> steps.Step:
        return steps.Step(
            'files-target-reads',
            f'Apply what only {self._target} reads',
            text=(
                'The second diff of the step before the window. Where it '
                'leaves out a line with a secret, take the files of '
                '"upgrade fix --output".',
            ),
            commands=(self._patch(self._late),),
            before=('The services are down on the host.',),
            after=('"upgrade fix" has nothing left to change.',),
            back='Revert the diff.',
            undo=(self._patch(self._late, back=True),),
            findings=self._all('late'),
        )

    def _sync(self) -> steps.Step:
        commands, blanks = self._manage(_SYNC, _VERSION)
        return steps.Step(
            'db-sync',
            'Migrate the database',
            text=(
                'On one host, once. If it fails, change nothing and start '
                'nothing: follow the way back.',
            ),
            commands=commands,
            blanks=blanks,
            before=(
                f'The host has the packages and the files of {self._target}.',
                'All services are down on all hosts.',
            ),
            after=('The command has exited with 0.',),
            back='Only by the restore of the backup: see the way back.',
            duration=self._times.sync(len(commands)),
            no_return=True,
        )

    def _start(self, service: str) -> steps.Step:
        text = []
        if service == _START[0]:
            text.append('On one host first; on the others when it reports.')
        return self._start_of(service)._replace(
            text=text,
            before=('db sync has exited with 0.',),
            back='Stop it, and follow the way back.',
        )

    def _start_of(self, service: str) -> steps.Step:
        """Return the step that starts a service of either release."""
        command, blanks = self._site.manager.start(
            service, self._site.hosts(service)
        )
        return steps.Step(
            f'start-{service}',
            f'Start {service}',
            commands=(command,),
            after=(f'{service} runs, and its log has no error.',),
            duration=self._times.start(service),
            blanks=blanks,
        )

    def _cleanup(self) -> steps.Step:
        removed = self._site.removed
        commands, blanks = self._manage(_ROWS, _CLEANUP)
        text = [
            'It removes the row of every service that does not report at '
            'that moment, so all others have to be up.'
        ]
        if removed:
            text.append(
                f'When this was made it would have removed: '
                f'{", ".join(removed)}.'
            )
        return steps.Step(
            'service-cleanup',
            'Remove the rows of services that are gone',
            text=text,
            commands=commands,
            blanks=blanks,
            before=('Every service that is to stay is up.',),
            after=('The list has only services that are up.',),
            back='A service that comes back creates its row again.',
            duration=self._times.manage(len(commands)),
        )

    # -- after, and back -----------------------------------------------------

    def _after(self) -> Iterator[steps.Step]:
        yield steps.Step(
            'watch',
            'Watch for a day',
            text=(
                'The logs of all services for ERROR; shares, snapshots and '
                'replicas in a state of error; one share of each back end '
                'created, mounted and deleted.',
            ),
            commands=(
                self._here(_LIST),
                self._check('--stage upgraded'),
            ),
        )
        deprecated = self._all('after')
        if deprecated:
            yield steps.Step(
                'deprecated',
                f'Replace the options that {self._target} is the last to read',
                text=(
                    'They still have an effect, but not in a later release.',
                ),
                findings=deprecated,
            )
        hops = releases.next_hops(releases.parse(self._to))
        yield steps.Step(
            'next-hop',
            'Plan the next upgrade',
            text=(
                f'From {self._target} OpenStack supports the upgrade to '
                f'{" and to ".join(map(str, hops))}.',
            ),
        )

    def _back(self) -> Iterator[steps.Step]:
        yield steps.Step(
            'back-before-sync',
            'Before the migration: leave out the restore',
            text=(
                'Up to the step "Migrate the database" the database is '
                'unchanged: follow the steps below without the restore.',
                'After it, all of them: manila has no downgrade of its '
                'database for production. What users did since is lost, and '
                'what it made on the storage stays there.',
            ),
        )
        for service in SERVICES:
            step = self._stop_of(service, self._to)
            yield step._replace(id=f'back-{step.id}')
        # On PostgreSQL, manila's account may not create databases.
        commands, files = self._on_database(
            _RESTORE, self._site.dialect != 'postgresql'
        )
        yield steps.Step(
            'back-restore',
            'After the migration: restore the backup',
            text=(
                'The backup of the window. The account that restores may drop '
                'and create the database.',
                *self._password(),
            ),
            commands=commands,
            before=('All services are down on all hosts.',),
            after=('The command has exited with 0.',),
            duration=self._times.restore(),
            blanks=files,
        )
        yield steps.Step(
            'back-packages',
            f'Install the packages of {self._source} again',
            text=('Those that ran before: not a later point release.',),
            commands=(steps.Command(_OLD_PACKAGES, self._site.all_hosts()),),
            after=(f'Each host has {self._source}; no service runs.',),
            blanks=(
                steps.Blank(
                    _OLD_PACKAGES,
                    f'what installs the manila {self._source} on a host that '
                    'ran there before',
                ),
            ),
        )
        yield steps.Step(
            'back-files',
            'Revert the second diff',
            text=('Only where it was applied.',),
            commands=(self._patch(self._late, back=True),),
            after=(f'The files are those that {self._source} read.',),
        )
        for service in _START:
            step = self._start_of(service)
            yield step._replace(id=f'back-{step.id}')
        commands, blanks = self._manage(_VERSION)
        yield steps.Step(
            'back-gate',
            'Check what came back',
            commands=(
                *commands,
                self._here(_LIST),
                self._check(*self._skipped('late', 'packages')),
            ),
            blanks=blanks,
            after=(
                f'The revision is that of {self._source}, and all services '
                'are up.',
            ),
        )
        if self._last is not None:
            yield self._further(self._last)

    def _further(self, last: '_Hop') -> steps.Step:
        return steps.Step(
            'back-further',
            f'Further back, to {last._source}',
            text=(
                f'The backup of this hop has the schema of {self._source}: it '
                f'leads no further. Only that of the hop to {last._to} leads '
                f'to {last._source}, and all that users did since is lost. '
                'Follow the steps above, revert the first diff of this hop '
                f'as well, which {last._source} may not read, and follow the '
                'way back of the hop before, with its own backup and diff.',
            ),
            commands=(self._patch(self._early, back=True),),
            before=(f'The files are those of {self._source}.',),
            after=(
                f'The files are as they were when {self._source} was new '
                'here.',
            ),
        )


def _commands(finding: model.Finding) -> Iterator[str]:
    for step in finding.remediation:
        if step.kind == 'command':
            yield step.text


def _place(finding: model.Finding) -> str:
    """Return where a finding is fixed.

    :returns: 'before' (by hand, while the source runs), 'early' (a change in
        a file that both releases read), 'late' (a change that only the target
        reads), 'purge', 'packages' or 'after'.
    """
    if finding.check_id == _PURGE and not finding.aspect:
        return 'purge'
    edits = [edit for step in finding.remediation for edit in step.edits]
    if edits:
        if any(edit.action == 'choose' for edit in edits):
            return 'before'
        return 'early' if all(edit.early for edit in edits) else 'late'
    if finding.aspect == 'deprecated':
        return 'after'
    if finding.check_id in _WITH_THE_PACKAGES:
        return 'packages'
    return 'before'
