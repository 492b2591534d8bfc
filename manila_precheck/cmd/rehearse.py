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
"""``upgrade rehearse``: run the real upgrade on a copy of the database."""

import argparse
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import os
import pwd
import sys
from typing import Any
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import opts
from manila_precheck import releases
from manila_precheck.act.rehearse import backup_proof
from manila_precheck.act.rehearse import image
from manila_precheck.act.rehearse import rehearsal
from manila_precheck.act.rehearse import sql
from manila_precheck.act.rehearse import staged
from manila_precheck.act.rehearse import start_failures
from manila_precheck.act.rehearse import sync
from manila_precheck.act.rehearse import target
from manila_precheck.cmd import answer
from manila_precheck.cmd import output
from manila_precheck.cmd import progress
from manila_precheck.cmd import report_file
from manila_precheck.cmd import supervisor
from manila_precheck.cmd import upgrade
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.engine import waivers
from manila_precheck.evidence.database import connection
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database import schema
from manila_precheck.evidence.database.dumps import making
from manila_precheck.evidence.database.dumps import private_server
from manila_precheck.evidence.database.dumps import restore
from manila_precheck.evidence.database.dumps import scratch_database

_PREFIX = 'rehearse_'

# The disk space for the tables that migrations rebuild, as a multiple of the
# size of the dump.
_REBUILD_FACTOR = 3

#: The options that are flags, by the title of their group.
_FLAGS = {
    'the copy': (
        'rehearse_backup',
        'rehearse_from_database',
        'rehearse_server_url',
        'server_image',
        'rehearse_keep',
        'database_connection',
        'no_database',
        'database_dump_seconds',
    ),
    'the upgrade': (
        'rehearse_target_python',
        'rehearse_target_image',
        'rehearse_source_python',
        'rehearse_source_image',
        'rehearse_image_mount',
        'rehearse_purge',
        'rehearse_database_only',
        'rehearse_seconds',
        'target_release',
        'source_release',
        'target_catalog',
        'source_catalog',
        'shipped_catalog',
        'vendor_path',
    ),
    'the report': ('format', 'report', 'reproducible', 'redact_names'),
    'the exit code': ('waivers', 'baseline', 'fail_on'),
}

#: The ids of the results, for waivers.
IDS = ('rehearse-backup', 'rehearse-purge', 'rehearse-sync', 'rehearse-start')


def add_flags(group: Callable[[str], Callable[..., Any]]) -> None:
    """Add a flag for each option of the command.

    :param group: called with the title of a group; returns a function that
        adds a flag to it.
    """
    upgrade.add_options(group, _FLAGS, _PREFIX)


def upgrade_rehearse(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Rehearse the upgrade, write the report and return the exit code.

    :raises PrecheckError: when the rehearsal cannot begin.
    """
    # The checks run on the copy before its upgrade, and do not connect to the
    # services in production.
    read = upgrade.begin(args, model.Stage.PLAN)
    conf = read.conf
    conf.set_override('no_network', True, group=opts.GROUP)
    options = conf.manila_precheck
    _require_flags(options, read)
    reporter = output.reporter(options.format)
    targets = output.targets(options.report)
    choice = upgrade.choose(options, IDS)
    decided = choice.decided
    manilas = _take_manilas(conf)
    problems: list[str] = []
    with progress.shown(sys.stderr) as shown:
        done = _Run(read, choice.chosen, manilas, shown, args)
        if targets:
            output.require_no_inputs(
                targets, upgrade.inputs(done.ctx, decided)
            )
        try:
            report = done.report(decided)
        finally:
            done.close()
    known = report_file.InputFiles()
    if targets:
        known = upgrade.inputs(done.ctx, decided)
    problems.extend(output.render_files(targets, report, stdout.files, known))
    output.write(reporter, report, stdout)
    if problems:
        raise exceptions.OutputError('; '.join(problems))
    return report.exit_code


class _Run:
    """A rehearsal, from the backup to the report.

    :param read: the staged configuration.
    :param chosen: the checks, whose predictions are compared with what
        happens.
    :param manilas: the manila to run as 'target', and as 'source' if named.
    """

    def __init__(
        self,
        read: upgrade.Read,
        chosen: Sequence[registry.Plugin],
        manilas: Mapping[str, target.Manila],
        shown: progress.Shown,
        args: argparse.Namespace,
    ) -> None:
        self._read = read
        self._chosen = chosen
        self._manilas = manilas
        self._shown = shown
        self._options = read.conf.manila_precheck
        self._live: Optional[connection.Database] = None
        self._without_live = self._options.no_database
        # --no-database forbids the live database, but not the copy.
        read.conf.set_override('no_database', False, group=opts.GROUP)
        # The directory of the copy; '' if it is kept.
        self._place = ''
        # The database of --server-url with the copy; '' if it is kept.
        self._scratch = ''
        self.ctx = upgrade.make_context(
            read, (entry.result_id for entry in chosen)
        )
        upgrade.opened(self.ctx, read, args)

    def close(self) -> None:
        """End the server, and remove its files."""
        if self._live is not None:
            self._live.close()
        self.ctx.close()
        if self._scratch:
            self._shown.note(f'The copy in {self._scratch} is dropped.')
        if self._place:
            gone = not os.path.exists(self._place)
            self._shown.note(
                f'The copy in {self._place} '
                f'{"is removed" if gone else "could not be removed"}.'
            )

    def report(self, decided: waivers.Decisions) -> model.Report:
        """Rehearse the upgrade, and return the redacted report.

        :raises PrecheckError: when it cannot be done.
        """
        # Run the steps in threads: if a driver in C waited for a server in the
        # main thread, no signal handler could run.
        folder = runner.isolated(private_server.make_folder)
        for manila in self._manilas.values():
            runner.isolated(manila.remove_leftovers)
        self._live = runner.isolated(self._connect)
        backup = self._options.rehearse_backup
        if not backup:
            backup = runner.isolated(lambda: self._dumped(folder.path))
        self._read.conf.set_override('database_dump', backup, group=opts.GROUP)
        refused: Optional[restore.NotRestored] = None
        try:
            restored = runner.isolated(lambda: self._restore(backup))
            self.ctx.take_restored(restored)
        except restore.NotRestored as exc:
            # Not an error of the run: the report has a finding about it.
            self.ctx.take_refused(exc)
            refused = exc
        upgrade.take_installed(self.ctx)
        wanted = runner.isolated(lambda: self.ctx.upgrade)
        decided.require(wanted.target.name, self.ctx.stage.value)
        if refused is None:
            results, done = self._of_copy(folder.path, restored)
        else:
            results, done = self._without_copy(refused)
        return upgrade.report_of(
            results,
            self._chosen,
            self.ctx,
            (),
            False,
            decided,
            self._read.searched,
            done,
        )

    def _of_copy(
        self, folder: str, restored: restore.Restored
    ) -> tuple[tuple[model.CheckResult, ...], model.Rehearsal]:
        predicted = self._predicted()
        if self.ctx.interrupted.is_set():
            raise KeyboardInterrupt
        stand = runner.isolated(
            lambda: self._stand(folder, restored, predicted)
        )
        return runner.isolated(lambda: self._rehearsed(stand, restored))

    def _without_copy(
        self, refused: restore.NotRestored
    ) -> tuple[tuple[model.CheckResult, ...], model.Rehearsal]:
        proof = backup_proof.Proof({})
        results = rehearsal.failed(
            self._phases(proof, self._commands(proof)),
            backup_proof.refused(refused),
            self.ctx.redactor,
        )
        return results, self._done(refused.server, results, [], proof)

    def _dumped(self, folder: str) -> str:
        """Make a dump of the live database, and return its path."""
        options = self._options
        if self._live is None:
            raise exceptions.SourceUnusable(
                'the database of --from-database cannot be reached'
            )
        tables = sum(
            table.data_bytes or 0
            for table in schema.read(self._live).tables.values()
        )
        # The dump is text, which may take twice the space of the rows.
        private_server.require_room(2 * tables)
        self._shown.note(
            f'Taking a dump of {self._live.words}, whose tables have '
            f'{tables >> 20} MiB.'
        )
        return making.make(
            self._read.conf,
            folder,
            options.database_dump_seconds,
            options.connect_timeout_seconds,
        )

    def _restore(self, backup: str) -> restore.Restored:
        options = self._options
        scratch = None
        if options.rehearse_server_url:
            with contextlib.suppress(exceptions.SourceNotGiven):
                database_url.configured(self._read.conf)
            scratch = scratch_database.find(
                options.rehearse_server_url,
                '--server-url',
                database_url.connections(self._read.conf),
                options.connect_timeout_seconds,
            )
        restored = restore.restore(
            backup,
            self._read.conf,
            options.database_dump_seconds,
            options.statement_timeout_seconds,
            options.connect_timeout_seconds,
            option='--backup',
            scratch=scratch,
            counted=True,
            more_bytes=lambda size_bytes: size_bytes * _REBUILD_FACTOR,
            show=self._shown.note,
            lasting=True,
            image=options.server_image or '',
            settings=sql.server_settings(
                self._live,
                os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
            ),
        )
        if scratch is not None:
            self._scratch = scratch.location.words
            self._shown.note(f'The copy is in {self._scratch}.')
            return restored
        self._place = restored.server.path
        readers = ' and '.join(
            dict.fromkeys(filter(None, ('root', restored.server.account)))
        )
        if os.geteuid():
            readers = f'{pwd.getpwuid(os.geteuid()).pw_name} and root'
        self._shown.note(
            f'The copy is in {self._place}, which only {readers} may read '
            '(mode 0700).'
        )
        return restored

    def _predicted(self) -> tuple[model.CheckResult, ...]:
        def begins(check_id: str) -> None:
            supervisor.note(check_id)
            self._shown.check(check_id)

        self.ctx.on_rows = self._shown.rows
        results = runner.run(self._chosen, self.ctx, progress=begins)
        supervisor.note('')
        return results

    def _connect(self) -> Optional[connection.Database]:
        """Return the live database; None if it cannot be used.

        The copy is compared with it, and nothing is written to it.
        """
        if self._without_live:
            return None
        try:
            return connection.connect(
                self._read.conf,
                self._options.statement_timeout_seconds,
                self._options.connect_timeout_seconds,
            )
        except exceptions.PrecheckError as exc:
            self._shown.note(
                'The backup is not compared with the database: '
                f'{self.ctx.redactor(str(exc))}'
            )
            return None

    def _stand(
        self,
        folder: str,
        restored: restore.Restored,
        predicted: tuple[model.CheckResult, ...],
    ) -> rehearsal.Stand:
        url = staged.url_of(restored.url, self._read.conf)
        locations = dict.fromkeys(self._locations())
        for service in self.ctx.services:
            locations.update(dict.fromkeys(service.locations))
        manilas = {
            side: manila.given(folder, list(locations), staged.sockets(url))
            for side, manila in self._manilas.items()
        }
        return rehearsal.Stand(
            self.ctx,
            url,
            folder,
            staged.words(self._locations(), [staged.write(folder, url)]),
            {
                'place': staged.place(url),
                'settings': sql.session_settings(
                    restored.database, self._live
                ),
                'offline': staged.is_local(url),
            },
            manilas['target'],
            manilas.get('source'),
            predicted,
            self._shown.line,
            self._options.rehearse_seconds,
            self._live,
        )

    def _locations(self) -> Sequence[str]:
        """Return the staged files and directories that manila-manage reads."""
        if not self._read.searched:
            return self._read.locations
        files, directories = self.ctx.named_after('manila-manage')
        return [*files, *directories] or self._read.locations

    def _rehearsed(
        self,
        stand: rehearsal.Stand,
        restored: restore.Restored,
    ) -> tuple[tuple[model.CheckResult, ...], model.Rehearsal]:
        proof = backup_proof.Proof(restored.rows)
        commands = self._commands(proof)
        speed = sql.probe(restored.database)
        results = rehearsal.run(self._phases(proof, commands), stand)
        copy_path = None
        if self._options.rehearse_keep:
            self.ctx.database.close()
            copy_path = restored.server.keep()
            self._place = self._scratch = ''
            self._shown.note(
                f'The copy is kept in {copy_path}, which nobody else may '
                'read: it holds the personal data of the database. Remove it.'
            )
        times = [
            model.PhaseTimes('restore', round(restored.seconds, 3)),
            *(one.times for one in commands if one.times is not None),
        ]
        return results, self._done(
            restored.database.server_version, results, times, proof, speed
        )._replace(kept=copy_path)

    def _commands(self, proof: backup_proof.Proof) -> list[sync.Manage]:
        """Return the manila-manage commands to run, in order."""
        days = self._options.rehearse_purge
        found = [sync.Manage('sync', ('db', 'sync'), proof)]
        if days is not None:
            words = ('db', 'purge', str(days))
            found.insert(0, sync.Manage('purge', words, proof))
        return found

    def _phases(
        self, proof: backup_proof.Proof, commands: Sequence[sync.Manage]
    ) -> list[rehearsal.RehearsalPhase]:
        found = [proof.phase, *(one.phase for one in commands)]
        if not self._options.rehearse_database_only:
            found.append(start_failures.PHASE)
        return found

    def _done(
        self,
        server: str,
        results: Sequence[model.CheckResult],
        times: Sequence[model.PhaseTimes],
        proof: backup_proof.Proof,
        speed: Optional[float] = None,
    ) -> model.Rehearsal:
        """Return the rehearsal for the report, without its field kept."""
        reproducible = self._options.reproducible
        return model.Rehearsal(
            'scratch' if self._options.rehearse_server_url else 'private',
            server,
            tuple(
                one.without_times() if reproducible else one for one in times
            ),
            sum(proof.rows.values()),
            results[0].outcome is model.Outcome.PASSED,
            None if self._live is None else self._live.revision,
            None if reproducible or speed is None else round(speed, 4),
        )


def _require_flags(options: Any, read: upgrade.Read) -> None:
    """Make sure that the flags name a backup and a target, and fit together.

    :raises UsageError: when they do not.
    """
    if not read.site.is_host:
        raise exceptions.UsageError(
            '--root and "upgrade rehearse" contradict each other: the target '
            'reads the files of this host'
        )
    if options.database_dump:
        raise exceptions.UsageError(
            '"upgrade rehearse" restores the file of --backup, not that of '
            'database_dump'
        )
    if not (options.rehearse_backup or options.rehearse_from_database):
        raise exceptions.UsageError(
            'missing --backup FILE, or --from-database'
        )
    if options.rehearse_backup and options.rehearse_from_database:
        raise exceptions.UsageError(
            '--backup and --from-database contradict each other'
        )
    if options.rehearse_server_url and options.server_image:
        raise exceptions.UsageError(
            '--server-url and --server-image contradict each other'
        )
    if options.rehearse_from_database and options.no_database:
        raise exceptions.UsageError(
            '--from-database and --no-database contradict each other'
        )
    if not (options.rehearse_target_python or options.rehearse_target_image):
        raise exceptions.UsageError(
            'missing --target-python PYTHON, or --target-image IMAGE'
        )
    if options.rehearse_purge is not None and not (
        options.rehearse_source_python or options.rehearse_source_image
    ):
        raise exceptions.UsageError(
            '--purge runs the manila that is installed now: pass '
            '--source-python PYTHON, or --source-image IMAGE'
        )


def _take_manilas(conf: Any) -> dict[str, target.Manila]:
    """Find the manila to run for each side, and set the target release.

    :returns: the manila for 'target' and, if it is named, for 'source'.
    :raises UsageError: when an environment or image has no manila, or another
        release than the options name.
    """
    options = conf.manila_precheck
    manilas: dict[str, target.Manila] = {}
    for side in ('target', 'source'):
        python = getattr(options, f'rehearse_{side}_python')
        name = getattr(options, f'rehearse_{side}_image')
        if not (python or name):
            continue
        flag = f'--{side}-image' if name else f'--{side}-python'
        manila: target.Manila
        if name:
            manila = image.find(
                name, flag, python, options.rehearse_image_mount
            )
        else:
            manila = target.find(python, flag)
        try:
            found = manila.version()
        except exceptions.SourceUnusable as exc:
            raise exceptions.UsageError(f'{flag}: {exc}') from None
        if found is None:
            raise exceptions.UsageError(
                f'{flag} {name or python} has no manila installed'
            )
        manilas[side] = manila
        stated = getattr(options, f'{side}_release')
        build = releases.build(found)
        catalog_file = getattr(options, f'{side}_catalog')
        if build.release is None and not (stated or catalog_file):
            raise exceptions.UsageError(
                f'{flag} has manila {found}, which this version does not '
                f'know: pass --{side}-catalog FILE with its facts, which '
                f'"manila-precheck catalog build --python '
                f'{"PYTHON" if name else python}" reads'
            )
        if not stated:
            if side == 'target' and not catalog_file:
                conf.set_override('target_release', found, group=opts.GROUP)
        elif build.release is not None and (
            releases.named(stated).release != build.release
        ):
            raise exceptions.UsageError(
                f'{flag} has manila {found} ({build.release}), and '
                f'--{side}-release is {stated}'
            )
    return manilas
