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
"""One control plane, upgraded by typing what its runbook says."""

import json
import re
import shlex

import sqlalchemy as sa

from qa.benchmarks import benchmark_sync
from qa.runbook import hosts
from qa.runbook import results
from qa.runbook import typist
from qa.upgrade import run
from qa.upgrade import site as sites
from qa.upgrade.score import Level


def _rows_of(path):
    """Return a dump without what says when and by what it was made."""
    return [
        line
        for line in path.read_text(encoding='utf-8').splitlines()
        if not line.startswith(('--', '\\restrict', '\\unrestrict'))
    ]


def _rate(blank, typed):
    """Return the megabytes a second of the backup that was typed."""
    (megabytes,) = re.findall(r'[\d.]+\d', blank['meaning'])
    return f'{float(megabytes) / typed[0].seconds:.3f}'


class Follow(run.Run):
    """Everything of one path; a context that leaves nothing behind.

    The files of the source are those that are upgraded: there is no other
    site that somebody has made ready.
    """

    def whole(self, rows, back=False):
        """Follow the runbook; return what came of it.

        :param rows: how many soft-deleted ones there are of each.
        :param back: go the way back, too, from the very end.
        """
        self.wsgi = not self.environments.has_api(self.path.target)
        self.prepare()
        if rows:
            self._add_rows(rows)
        self._make_hosts()
        typed = []
        try:
            self._follow(typed)
            lost = self._look()
            if back and not lost:
                lost = self._go_back(typed)
        except typist.Stuck as exc:
            lost = str(exc)
        return results.Result(str(self.path), rows, tuple(typed), lost)

    def _add_rows(self, rows):
        # By the administrator, who may leave out the checks of rows.
        engine = sa.create_engine(
            self.database.url(self.name),
            creator=lambda: self.database.connect(self.name),
            isolation_level='AUTOCOMMIT',
        )
        metadata = sa.MetaData()
        metadata.reflect(engine, only=['shares', 'share_instances'])
        # Too young to be purged.
        benchmark_sync.add_shares(
            engine,
            metadata.tables,
            rows,
            live_every=0,
            day=self.source.now().date(),
        )
        engine.dispose()
        self.say(f'{rows} rows were added to shares and to share_instances')

    def _make_hosts(self):
        folder = self.scratch / 'hosts'
        folder.mkdir()
        self.hosts = {}
        for name, plane in (
            (sites.HOST, self.services),
            (sites.OTHER_HOST, self.other.services),
        ):
            host = hosts.Host(
                name,
                folder / name,
                plane,
                self.port,
                self.environments,
                self.wsgi,
            )
            host.releases = (self.path.source, self.path.target)
            host.listen()
            self._write_password(plane.site)
            self.hosts[name] = host

    def _write_password(self, site):
        """Put manila's password where the clients look for it."""
        for name, text in self.database.password_files().items():
            path = site.home / name
            path.write_text(text, encoding='utf-8')
            path.chmod(0o600)

    def _follow(self, typed):
        self._env = hosts.environment(self.port)
        python = self.environments.program(self.path.target, 'python')
        by_hand = typist.Operator(
            {
                'BACKUP_FILE': shlex.quote(str(self.backup / 'manila.sql')),
                'TARGET_PYTHON': shlex.quote(str(python)),
                'MEGABYTES_A_SECOND': _rate,
                'COMMAND_OF_THE_PACKAGES': (
                    f"apt-get install 'manila={self.path.target.major}.*'"
                ),
                'COMMAND_OF_THE_OLD_PACKAGES': (
                    f"apt-get install 'manila={self.path.source.major}.*'"
                ),
            },
            (sites.HOST,),
        )
        types = typist.Typist(self.hosts, by_hand, self._env, self.say)
        made = self.hosts[sites.HOST].type(
            'manila-precheck upgrade plan --format json '
            f'--target-release {self.path.target.name}',
            self._env,
        )
        if made.code:
            raise typist.Stuck(f'{made.text}: {made.stderr}')
        (rehearsed,) = types.follow(
            json.loads(made.stdout), only='rehearse-backup'
        )
        # Its last command makes the runbook again.
        text = rehearsed.typed[-1].stdout
        (self.scratch / 'plan.json').write_text(text, encoding='utf-8')
        # And it says: go on with that one.
        self._types, self._runbook = types, json.loads(text)
        for step in types.follow(self._runbook, done=[rehearsed.id]):
            typed.append(step)
            if step.id == 'gate-down':
                self._before = self._state('before')

    def _go_back(self, typed):
        """Type the way back; say what is not as it was; '' for nothing."""
        self._env.update(self.database.may_restore)
        lost = []
        for step in self._types.follow(self._runbook, phases=['back']):
            typed.append(step)
            if step.id == 'back-files':
                now = self._state('after')
                lost = [
                    name
                    for name in sorted({*now, *self._before})
                    if now.get(name) != self._before.get(name)
                ]
        if lost:
            return f'not as before the window: {", ".join(lost)}'
        return self._look()

    def _state(self, name):
        """Return the database, and the files of all hosts, by name."""
        path = self.scratch / f'{name}.sql'
        self.database.dump(self.name, path)
        found = {'the database': _rows_of(path)}
        for host in self.hosts.values():
            folder = host.plane.site.folder
            found.update(
                (f'{host.name}:{one.relative_to(folder)}', one.read_bytes())
                for one in folder.rglob('*')
                if one.is_file()
            )
        return found

    def _look(self):
        """Say what is not as it was; '' for nothing."""
        self.services = self.hosts[sites.HOST].plane
        found = self._compare()
        return '' if found.level is Level.NOTHING else found.words
