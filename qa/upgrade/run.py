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

"""Run one path: fill a control plane, upgrade it, observe everything."""

import concurrent.futures
import contextlib
import dataclasses
import fnmatch
import pathlib
import shutil
import sys
import tempfile
import threading
import time
from typing import Any
from typing import Optional

from manila_precheck.tests import server_programs
from qa.upgrade import api
from qa.upgrade import broker
from qa.upgrade import commands
from qa.upgrade import databases
from qa.upgrade import files
from qa.upgrade import fill
from qa.upgrade import live
from qa.upgrade import observe
from qa.upgrade import parsers
from qa.upgrade import precheck
from qa.upgrade import processes
from qa.upgrade import remedy
from qa.upgrade import rows
from qa.upgrade import score
from qa.upgrade import site as sites
from qa.upgrade import table

Level = score.Level
Observed = score.Observed

_LONGEST_BASE = 60

# The findings on a site where nothing is wrong, because the target itself
# behaves differently: about rules that no file overrides, ...
_RIGHTS = ('policy-rules[[]*',)
# ... and about the first start of manila-share.
_ENSURING = ('upgrade-advisories[[]*#shares-ensuring-at-start]',)


@dataclasses.dataclass(frozen=True)
class Path:
    """An upgrade from one release to another, on a kind of server."""

    source: Any
    target: Any
    source_etc: pathlib.Path
    target_etc: pathlib.Path
    #: A class of :mod:`.databases`.
    server: Any

    def __str__(self):
        words = f'{self.source.name} to {self.target.name}'
        if self.server is not databases.MariaDB:
            words += f' on {self.server.title}'
        return words


@dataclasses.dataclass
class Trial:
    """A scenario of files: its judgement, kept until the target runs."""

    scenario: files.Scenario
    broken: sites.Site
    mended: sites.Site
    predicted: dict
    announced: frozenset
    left: dict
    how: str
    refused: tuple
    #: More words for the command.
    words: tuple
    #: How the source treats the broken files: the answers of its API, or its
    #: treatment of an option.
    before: dict = None


class Run:
    """A run of one path; a context manager that cleans up."""

    def __init__(
        self,
        environments,
        source,
        target,
        server,
        only=(),
        keep=False,
        rehearse=False,
    ):
        self.environments = environments
        self.path = Path(
            source,
            target,
            environments.etc(source),
            environments.etc(target),
            server,
        )
        self.only = only
        self.results = []
        #: The keys of the findings on a site where nothing is wrong; they
        #: are counted only once.
        self.background = frozenset()
        #: Every command that appeared in a remediation.
        self.printed = set()
        #: {key: the latest message of that finding}.
        self.messages: dict[str, str] = {}
        self._keep = keep
        self._rehearse = rehearse
        self._started_at = time.monotonic()
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            # A short path, since it is part of that of the database's socket.
            base = tempfile.gettempdir()
            self.scratch = pathlib.Path(
                tempfile.mkdtemp(
                    prefix='manila-upgrade-',
                    dir=base if len(base) < _LONGEST_BASE else '/tmp',
                )
            )
            self.started = stack.enter_context(
                processes.Processes(self.scratch, self._keep)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc):
        self._stack.__exit__(*exc)

    def say(self, words):
        """Report progress on standard error."""
        seconds = time.monotonic() - self._started_at
        sys.stderr.write(f'{self.path} {seconds:5.0f} s  {words}\n')
        sys.stderr.flush()

    # Preparation

    def prepare(self):
        """Start the servers, and the source on an empty database."""
        self.database = self.path.server(self.scratch / 'db')
        self.broker = broker.RabbitMQ(self.scratch / 'mq')
        self.broker.start(self.started)
        self.database.start(self.started)
        self.database.wait()
        self.say(f'{self.database.title} answers')
        self.backup = self.scratch / 'backup'
        self.backup.mkdir()
        self.state = self.scratch / 'state'
        self.state.mkdir()
        self.port = server_programs.free_port()
        self.name = self.database.create()
        #: The files that the services of the source read.
        self.source_site = self.make_site('source', self.path.source_etc)
        #: The files that the operator has prepared for the target, and checks.
        self.staged = self.make_site('staged', self.path.target_etc)
        self.source = self.observer(self.path.source)
        self.target = self.observer(self.path.target)
        self.services = self.source.plane(self.source_site)
        done = self.services.manage('db', 'sync')
        if done.returncode:
            raise processes.Broken(f'db sync of the source: {done.stderr}')
        self.say('the database of the source is there')
        self.broker.wait()
        self.services.start_all(self.port, self.source.now())
        self.say('the services of the source are up')
        self.client = api.Client(self.port)
        self.filler = fill.Filler(self.client)
        self.filler.fill()
        self.other = live.Other(self)
        self.other.start('manila-share')
        self.other.start('manila-data')
        self.other.fill()
        self.inventory = fill.inventory(self.client)
        count = sum(len(found) for found in self.inventory.values())
        self.say(f'{count} objects were made through the API')

    def observer(self, release):
        """Return the observer of a release."""
        return observe.Observer(
            self.environments, release, self.started, self.database
        )

    def make_site(self, name, etc):
        """Make the files of the controller for one release."""
        return sites.make(
            self.scratch / name,
            etc / 'api-paste.ini',
            # If the target's manila-api serves by itself, its process shows
            # that.
            api_server=(
                ''
                if self.environments.has_api(self.path.target)
                else sites.API_SERVER
            ),
            state=self.state,
            connection=self.database.url(self.name),
            transport_url=self.broker.url,
            api_port=self.port,
            backup=self.backup,
        )

    def check(self, site, stage, words=()):
        """Run the command on a site."""
        report = precheck.check(
            self.environments.command, site, self.path.target, stage, words
        )
        self.printed |= report.commands
        for key, finding in report.findings.items():
            self.messages[key] = finding['message']
        report.background = self.background
        return report

    def rehearse(self, site, backup, words=()):
        """Return the failures of a rehearsal; None when it is not wanted."""
        if not self._rehearse:
            return None
        return precheck.rehearse(
            self.environments.command,
            site,
            self.environments.program(self.path.target, 'python'),
            backup,
            words,
        )

    def typist(self, site, release):
        """Return a typist for the commands of remediations."""
        return commands.Typist(
            self.environments, self.path, release, site, self.client
        )

    def wanted(self, name):
        """Say whether a scenario was selected."""
        return not self.only or any(one in name for one in self.only)

    def any_wanted(self, names):
        """Say whether at least one of the scenarios was selected."""
        return any(map(self.wanted, names))

    # Files

    def files_at_plan(self):
        """Judge the files of all scenarios while the source runs."""
        chosen = [
            scenario
            for scenario in files.SCENARIOS
            if (scenario.when is None or scenario.when(self.path))
            and self.wanted(scenario.name)
        ]
        self.trials = in_two(self._trial, list(enumerate(chosen)))
        self.say(f'{len(self.trials)} scenarios of files were judged')
        for number, trial in enumerate(self.trials):
            if trial.scenario.option:
                trial.before = self.source.option(
                    self._source_files(trial, number), *trial.scenario.option
                )
            elif trial.scenario.service == 'policy' and (
                trial.scenario.against == 'source'
            ):
                trial.before = self.source.answers(
                    self._source_files(trial, number),
                    self.scratch / 'callers',
                )

    def _source_files(self, trial, number):
        """Return the broken files with the api-paste.ini of the source."""
        site = trial.broken.copy(self.scratch / f'source-{number}')
        shutil.copy(
            self.path.source_etc / 'api-paste.ini', site.path('api-paste.ini')
        )
        return site

    def _trial(self, numbered):
        number, scenario = numbered
        home = self.scratch / f'files-{number}'
        mended = self.staged.copy(home / 'mended')
        scenario.breaks(mended, self.path)
        broken = mended.copy(home / 'broken')
        words = self._facts() if scenario.facts else ()
        said = self.check(mended, 'plan', words)
        how, refused = self.mend(scenario, mended, said)
        left = self.check(mended, 'plan', words).loud
        return Trial(
            scenario,
            broken,
            mended,
            said.loud,
            said.announced,
            left,
            how,
            refused,
            words,
        )

    def _facts(self):
        """Return the words that name the facts of the target's environment."""
        path = self.scratch / 'facts.json'
        precheck.build_facts(
            self.environments.command,
            self.environments.program(self.path.target, 'python'),
            path,
        )
        return ('--target-catalog', str(path))

    def mend(self, scenario, site, report):
        """Apply the remediations of findings above INFO; return how."""
        typist = self.typist(site, self.path.source)
        printed = 0
        removals = []
        for key in report.loud:
            items = report.findings[key]['remediation']
            if scenario.picks:
                items = scenario.picks(items)
            for item in items:
                if item['text'].startswith('Remove line'):
                    removals.append(item)
                else:
                    printed += remedy.apply(site, item, typist.type)
        # The last line first, so that the other line numbers stay valid.
        for item in sorted(removals, key=remedy.line_of, reverse=True):
            printed += remedy.apply(site, item, typist.type)
        ways = ['as printed'] if printed else []
        if scenario.by_hand:
            scenario.by_hand(site)
            ways.append('by hand')
        return ' and '.join(ways) or 'nothing to do', tuple(typist.refused)

    def files_at_target(self):
        """Start the services of the target on the files of all scenarios."""
        self._clean = self.staged.content()
        lanes = {'share': [], 'api': [], 'scheduler': [], 'pinned': []}
        for number, trial in enumerate(self.trials):
            service = trial.scenario.service
            lane = {
                'share': 'share',
                'emc': 'share',
                'host': 'share',
                'scheduler': 'scheduler',
                'pinned': 'pinned',
            }.get(service, 'api')
            lanes[lane].append((number, trial))
        in_two(self._lane, [lanes['share'], lanes['api']])
        self.say('files of manila-share, manila-api and manila-data: seen')
        # Both start several services, with the port of manila-api.
        self._schedulers(lanes['scheduler'])
        self._lane(lanes['pinned'])
        self.say('files of manila-scheduler: seen')
        self.results += [self.done[number] for number in sorted(self.done)]

    def _lane(self, trials):
        for number, trial in trials:
            scenario = trial.scenario
            look = self._looker(scenario)
            self._done(
                number,
                trial,
                look(trial, trial.broken),
                look(trial, trial.mended),
            )

    def _looker(self, scenario):
        """Return the function that observes a scenario on a site."""
        look = getattr(self, f'_look_{scenario.service}')

        def seen_or_look(trial, site):
            # On just these files every service has already started.
            if site is trial.mended and site.content() == self._clean:
                return Observed(
                    Level.NOTHING,
                    'the files are again those that all services start on',
                )
            return look(trial, site)

        return seen_or_look

    def _done(self, number, trial, observed, after):
        self.done[number] = score.Result(
            path=str(self.path),
            scenario=trial.scenario.name,
            expected=trial.scenario.expected(self.path),
            predicted=trial.predicted,
            observed=observed,
            left=trial.left if trial.predicted else None,
            after=after if trial.predicted else None,
            how=trial.how,
            refused=trial.refused,
            announced=trial.announced,
            rehearsed=self.rehearse(trial.broken, self.dump, trial.words),
        )
        self._tell(self.done[number])

    def _tell(self, result):
        mark = 'ok' if result.passed else 'FAIL'
        self.say(f'{mark}: {result.scenario}')
        if not result.passed:
            sys.stderr.write(f'{table.terminal([result])}\n')

    def _look_share(self, trial, site):
        return self.target.service(site, 'manila-share', trial.scenario.rows)

    def _look_option(self, trial, site):
        after = self.target.option(site, *trial.scenario.option)
        if site is trial.mended and after is not None:
            return Observed(Level.NOTHING, 'manila-data starts')
        return observe.effect(trial.before, after)

    def _look_emc(self, trial, site):
        return self.target.renamed(site, 'manila-share')

    def _look_data(self, trial, site):
        return self.target.service(site, 'manila-data', 1)

    def _look_api(self, trial, site):
        return self.target.api(site)

    def _look_program(self, trial, site):
        if site is trial.mended:
            return self.target.api(site)
        return self.target.program(site, 'manila-api')

    def _look_policy(self, trial, site):
        before = trial.before or self._default_answers()
        home = self.scratch / 'callers'
        return observe.access(before, self.target.answers(site, home))

    _defaults: Optional[dict]

    def _default_answers(self):
        if self._defaults is None:
            self._defaults = self.target.answers(
                self.staged, self.scratch / 'callers'
            )
        return self._defaults

    def _schedulers(self, trials):
        if not trials:
            return
        with self._shares_can_be_made(self.staged):
            for number, trial in trials:
                observed, after = (
                    self.target.scheduling(site, self.client)
                    for site in (trial.broken, trial.mended)
                )
                self._done(number, trial, observed, after)

    @contextlib.contextmanager
    def _shares_can_be_made(self, site):
        """Run manila-share and manila-api of the target on a site."""
        services, since = self.target.plane(site), self.target.now()
        try:
            services.start('manila-share')
            services.start('manila-api', self.port)
            services.wait_up('manila-share', 3, since)
            services.wait_api(self.port)
            yield
        finally:
            services.kill_all()

    def _look_pinned(self, trial, site):
        with self._shares_can_be_made(site):
            return self.target.scheduling(site, self.client, fill.PINNED)

    def _look_host(self, trial, site):
        return self.target.hosts(site)

    # The database

    def rows_at_stopped(self):
        """Break copies of the database, judge them, and migrate them."""
        chosen = [
            scenario
            for scenario in rows.SCENARIOS
            if scenario.server in (None, self.path.server.dialect)
            and (scenario.when is None or scenario.when(self.path))
            and self.wanted(scenario.name)
        ]
        self.results += in_two(self._copy, list(enumerate(chosen)))
        self.say(f'{len(chosen)} scenarios of the database: seen')

    def _copy(self, numbered):
        number, scenario = numbered
        copy = rows.Copy(self, self.dump, number, scenario)
        scenario.breaks(copy)
        with scenario.beside(copy):
            said = copy.said = self.check(copy.site, 'stopped')
        # Apply the remedies before the migration, since a failed migration
        # cannot be undone.
        broken = self.database.clone(copy.name)
        how = scenario.mends(copy, said)
        left = self.check(copy.site, 'stopped').loud
        after = scenario.looks(copy)
        copy.point(broken, scenario.dialect)
        rehearsed = None
        if self._rehearse:
            backup = self.scratch / f'rows-{number}.sql'
            self.database.dump(broken, backup)
            rehearsed = self.rehearse(copy.site, backup)
        with scenario.beside(copy):
            observed = scenario.looks(copy)
        result = score.Result(
            path=str(self.path),
            scenario=scenario.name,
            expected=scenario.expects,
            predicted=said.loud,
            observed=observed,
            left=left if said.loud else None,
            after=after if said.loud else None,
            how=how,
            rehearsed=rehearsed,
        )
        self._tell(result)
        return result

    # The upgrade

    def _stop_for_good(self, services, name, host):
        """Mark a service as stopped if a late report has marked it as up.

        manila marks the row as stopped, but its timers run on until all else
        has ended (manila 20.0.3 service.py Service.stop()).
        """
        for _ in range(3):
            states = services.states(name, host)
            if set(states) <= {'stopped'}:
                return
            since = self.source.now()
            services.start(name)
            services.wait_up(name, len(states), since, host)
            services.stop(name)

    def stop_source(self):
        """Stop the services, the last one later, and make the backup."""
        last = self.services.running.pop('manila-data')
        self.services.stop_all()
        self.other.services.stop_all()
        early = self.check(self.staged, 'stopped')
        since = self.source.now()
        reports = processes.wait_for(
            lambda: self.services.reporting('manila-data', since),
            2 * sites.SERVICE_DOWN_TIME,
        )
        self.services.running['manila-data'] = last
        self.services.stop('manila-data')
        for name in ('manila-scheduler', 'manila-share', 'manila-data'):
            self._stop_for_good(self.services, name, sites.HOST)
            self._stop_for_good(self.other.services, name, sites.OTHER_HOST)
        self.say('the services of the source are stopped')
        self.dump = self.backup / 'manila.sql'
        self.database.dump(self.name, self.dump)
        self.stopped = self.check(self.staged, 'stopped')
        for name, pattern, words in (
            (
                'a service that still runs, at stopped',
                'live-services[[]manila-data*',
                'it writes to the database',
            ),
            (
                'no backup, at stopped',
                'database-backup*',
                'there is no file to restore',
            ),
        ):
            self.results.append(
                score.Result(
                    path=str(self.path),
                    scenario=name,
                    expected=(('failure', pattern),),
                    predicted=fnmatched(early.loud, pattern),
                    observed=Observed(
                        Level.BROKEN if reports else Level.NOTHING, words
                    ),
                    left=fnmatched(self.stopped.loud, pattern),
                    how='as printed',
                )
            )

    def upgrade(self):
        """Migrate the database, and start the services of the target."""
        self.services = self.target.plane(self.staged)
        began = time.monotonic()
        done = self.services.manage('db', 'sync')
        self.sync_seconds = time.monotonic() - began
        if done.returncode:
            return Observed(
                Level.BROKEN,
                f'db sync gives {done.returncode}: '
                + observe.why(done.stderr + done.stdout),
            )
        self.say(f'db sync took {self.sync_seconds:.1f} s')
        over = threading.Event()
        watch = threading.Thread(target=self._watch_ensuring, args=(over,))
        watch.start()
        try:
            self.services.start_all(self.port, self.target.now())
            self.other.upgrade()
        finally:
            over.set()
            watch.join()
        self.say('the services of the target are up')
        return dataclasses.replace(
            self._compare(),
            logged=frozenset().union(
                *(
                    observe.deprecations(process.output())
                    for process in self.services.running.values()
                )
            ),
        )

    def _watch_ensuring(self, over):
        """Note how many shares have the status ensuring at the same time."""
        self.ensuring = 0
        while not over.wait(processes.STEP_SECONDS):
            count = self.database.run(
                "SELECT COUNT(*) FROM share_instances WHERE deleted = 'False' "
                "AND status = 'ensuring'",
                self.name,
            )[0][0]
            self.ensuring = max(self.ensuring, count)

    def _compare(self):
        """Return whether every object is as it was before."""
        now = fill.inventory(self.client)
        lost = [
            f'{path}/{item}: {status} becomes {now[path].get(item, "gone")}'
            for path, found in self.inventory.items()
            for item, status in found.items()
            if now[path].get(item, 'gone') != status
        ]
        if lost:
            return Observed(Level.BROKEN, ', '.join(lost))
        status = observe.place_share(self.client, 'plain')
        if status != 'available':
            return Observed(Level.BROKEN, f'a new share becomes {status}')
        count = sum(len(found) for found in now.values())
        return Observed(
            Level.NOTHING,
            f'db sync passes, every service is up, all {count} objects are '
            'as they were, a new share is made',
        )

    def parse(self):
        """Have real parsers read all commands that may be printed."""
        wanted = sorted({*parsers.known(), *self.printed})
        refused = [
            text
            for release in (self.path.source, self.path.target)
            for text in parsers.refused(self.environments, release, wanted)
        ]
        self.results.append(
            score.Result(
                path=str(self.path),
                scenario='the commands of remediations are read',
                expected=(),
                predicted={},
                observed=Observed(
                    Level.NOTHING,
                    f'{len(wanted)} commands are taken by manila-manage of '
                    'both releases and by openstack',
                ),
                left={},
                how='no command is run',
                refused=tuple(refused),
            )
        )

    def differences(self, report, before):
        """Score the findings on changes that the target itself brings."""
        # 2024.2 turned enforce_new_defaults and enforce_scope on by default,
        # and gives shares the status ensuring while manila-share starts.
        crossed = self.path.source.major < 19 <= self.path.target.major
        seen = observe.access(before, self._default_answers())
        if self.ensuring and self.path.source.major >= 19:
            ensuring = Observed(
                Level.NOTHING,
                f'{self.ensuring} shares are ensuring at once, as at each '
                'start of the source',
            )
        elif self.ensuring:
            ensuring = Observed(
                Level.CHANGED, f'{self.ensuring} shares are ensuring at once'
            )
        else:
            ensuring = Observed(Level.NOTHING, 'no share is ensuring')
        for name, patterns, observed in (
            ('who may do what, with no policy file', _RIGHTS, seen),
            ('shares at the first start', _ENSURING, ensuring),
        ):
            self.results.append(
                score.Result(
                    path=str(self.path),
                    scenario=name,
                    expected=tuple(
                        ('warning', pattern) for pattern in patterns if crossed
                    ),
                    predicted=fnmatched(report.loud, *patterns),
                    observed=observed,
                )
            )

    def clean(self, name, report, observed):
        """Score a run of the command that should report nothing."""
        self.results.append(
            score.Result(
                path=str(self.path),
                scenario=name,
                expected=(),
                predicted={
                    key: severity
                    for key, severity in report.loud.items()
                    if key not in self.background
                },
                observed=observed,
                announced=report.announced,
            )
        )

    def whole(self):
        """Run everything; return the results."""
        self.done = {}
        self._defaults = None
        self.prepare()
        plan = self.check(self.staged, 'plan')
        self.background = frozenset(fnmatched(plan.loud, *_RIGHTS, *_ENSURING))
        before = self.source.answers(
            self.source_site, self.scratch / 'callers'
        )
        self.files_at_plan()
        at_plan = live.AtPlan(self, self.other)
        if self.any_wanted(at_plan.scenarios):
            at_plan.make()
        self.stop_source()
        happened = self.upgrade()
        upgraded = self.check(self.staged, 'upgraded')
        self.services.stop_all()
        self.other.services.stop_all()
        self.differences(plan, before)
        for stage, report in (
            ('plan', plan),
            ('stopped', self.stopped),
            ('upgraded', upgraded),
        ):
            self.clean(f'nothing is wrong, at {stage}', report, happened)
            # Only the findings at plan have to announce deprecated options.
            happened = dataclasses.replace(happened, logged=frozenset())
        self.files_at_target()
        self.rows_at_stopped()
        in_flight = live.InFlight(self)
        if self.any_wanted(in_flight.scenarios):
            self.results += in_flight.run_all(self.dump)
            self.say('work in flight: seen')
        if self.any_wanted(at_plan.scenarios):
            self.results += at_plan.upgrade()
            self.say('services and migrations: seen')
        self.parse()
        found = [one for one in self.results if self.wanted(one.scenario)]
        if not found:
            raise processes.Broken(
                f'no scenario of this path is called {" or ".join(self.only)}'
            )
        return found


def in_two(what, items):
    """Call a function for each item, two at a time; return the results."""

    def one(item):
        try:
            return what(item)
        except BaseException:
            # Otherwise the other call could go on for minutes.
            processes.STOPPING.set()
            raise

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(one, item) for item in items]
    # Raise the original error, not that of a call that gave up because of it.
    errors = [e for e in (future.exception() for future in futures) if e]
    for error in sorted(errors, key=lambda e: 'was ended' in str(e)):
        raise error
    return [future.result() for future in futures]


def fnmatched(found, *patterns):
    """Return the findings whose keys match."""
    return {
        key: severity
        for key, severity in found.items()
        if any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)
    }
