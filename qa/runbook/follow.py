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
"""Upgrade one control plane by typing the commands of its runbook."""

import dataclasses
import json
import re
import shlex

import sqlalchemy as sa

from manila_precheck import releases
from qa.benchmarks import benchmark_sync
from qa.runbook import hosts
from qa.runbook import results
from qa.runbook import typist
from qa.upgrade import run
from qa.upgrade import site as sites
from qa.upgrade.score import Level


def _rows_of(path):
    """Return the lines of a dump that do not vary from dump to dump.

    The lines left out say when, and by which program, it was made.
    """
    return [
        line
        for line in path.read_text(encoding='utf-8').splitlines()
        if not line.startswith(('--', '\\restrict', '\\unrestrict'))
    ]


def _rate(blank, typed):
    """Return the rate of the backup that was typed, in megabytes a second."""
    (megabytes,) = re.findall(r'[\d.]+\d', blank['meaning'])
    return f'{float(megabytes) / typed[0].seconds:.3f}'


class _Hop:
    """One hop, and the steps that were typed for it.

    :param path: a :class:`Follow`.
    :param document: a runbook of which this is the first hop.
    """

    def __init__(self, path, document):
        (hop, *_rest) = document['hops']
        source, target = (
            releases.parse(hop[f'{side}_release'].split()[0])
            for side in ('source', 'target')
        )
        self.name = target.name
        #: The path of this hop alone.
        self.path = dataclasses.replace(
            path.path, source=source, target=target
        )
        #: The runbook to type.
        self.document = document
        #: The runbook that goes beyond this hop; None when there is none.
        self.further = None
        self.typed = []
        #: The state of everything before the window, by name.
        self.before = {}
        python = path.environments.program(target, 'python')
        backup = path.backup / f'{target.name}.sql'
        self.types = typist.Typist(
            path.hosts,
            typist.Operator(
                {
                    'BACKUP_FILE': shlex.quote(str(backup)),
                    'TARGET_PYTHON': shlex.quote(str(python)),
                    'MEGABYTES_A_SECOND': _rate,
                    'COMMAND_OF_THE_PACKAGES': _package(target),
                    'COMMAND_OF_THE_OLD_PACKAGES': _package(source),
                },
                (sites.HOST,),
            ),
            path.shell_env,
            path.say,
        )


def through(source, target):
    """Return the releases that an upgrade reaches, one after another."""
    found = []
    while source < target:
        source = [hop for hop in releases.next_hops(source) if hop <= target][
            -1
        ]
        found.append(source)
    return found


def _package(release):
    return f"apt-get install 'manila={release.major}.*'"


def _differences(hop, now):
    """Return a sentence for everything that differs from before the window."""
    return [
        f'{name} is not as before the window to {hop.name}'
        for name in sorted({*now, *hop.before})
        if now.get(name) != hop.before.get(name)
    ]


class Follow(run.Run):
    """One path, from preparation to the end; a context manager that cleans up.

    The files of the source themselves are upgraded; there is no second site
    with files prepared for the target.
    """

    def whole(self, rows, back=False):
        """Follow the runbook; return the result of each hop.

        :param rows: how many soft-deleted rows to add to shares and to
            share_instances.
        :param back: whether to take the way back as well, from the very end.
        """
        self.wsgi = not self.environments.has_api(self.path.target)
        self.prepare()
        if rows:
            self._add_rows(rows)
        self._make_hosts()
        self.shell_env = hosts.environment(self.port)
        done: list[_Hop] = []
        lost = ''
        try:
            for hop in self._hops():
                done.append(hop)
                self._follow(hop)
                lost = self._look()
                if lost:
                    break
            else:
                if back:
                    lost = self._go_back(done)
        except typist.Stuck as exc:
            lost = str(exc)
        return [
            results.Result(
                str(hop.path),
                rows,
                tuple(hop.typed),
                lost if hop is done[-1] else '',
            )
            for hop in done
        ]

    def _add_rows(self, rows):
        # As the administrator, who may disable foreign key checks.
        engine = sa.create_engine(
            self.database.url(self.name),
            creator=lambda: self.database.connect(self.name),
            isolation_level='AUTOCOMMIT',
        )
        metadata = sa.MetaData()
        metadata.reflect(engine, only=['shares', 'share_instances'])
        # The rows are too young to be purged.
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
            host.releases = (
                self.path.source,
                *through(self.path.source, self.path.target),
            )
            host.listen()
            self._write_password(plane.site)
            self.hosts[name] = host

    def _write_password(self, site):
        """Write manila's password to the file that the clients read."""
        for name, text in self.database.password_files().items():
            path = site.home / name
            path.write_text(text, encoding='utf-8')
            path.chmod(0o600)

    def _hops(self):
        """Yield each hop, once the hop before it is done."""
        made = self.hosts[sites.HOST].type(
            'manila-precheck upgrade plan --format json '
            f'--target-release {self.path.target.name}',
            self.shell_env,
        )
        if made.code:
            raise typist.Stuck(f'{made.text}: {made.stderr}')
        document = json.loads(made.stdout)
        while True:
            hop = _Hop(self, document)
            yield hop
            if len(document['hops']) == 1:
                return
            # Only now can the next hop be judged.
            (judged,) = hop.types.follow(document, only='judge', hop=1)
            hop.further = document
            document = json.loads(judged.typed[-1].stdout)

    def _follow(self, hop):
        """Type the runbook of a hop."""
        (rehearsed,) = hop.types.follow(hop.document, only='rehearse-backup')
        # The last command of this step makes the runbook again; go on with
        # the new one.
        text = rehearsed.typed[-1].stdout
        (self.scratch / f'{hop.name}.json').write_text(text, encoding='utf-8')
        hop.document = json.loads(text)
        for step in hop.types.follow(hop.document, done=[rehearsed.id]):
            hop.typed.append(step)
            if step.id == 'gate-down':
                hop.before = self._state(f'{hop.name}-before')

    def _go_back(self, hops):
        """Type the way back; return what differs from before; '' for none."""
        self.shell_env.update(self.database.may_restore)
        lost = []
        for number, hop in reversed(list(enumerate(hops))):
            for step in hop.types.follow(hop.document, phases=['back']):
                hop.typed.append(step)
                if step.id == 'back-files':
                    lost += _differences(hop, self._state(f'{hop.name}-after'))
            lost += filter(None, [self._look()])
            if number:
                # The step to go further back is in the runbook of both hops.
                first = hops[number - 1]
                hop.typed += first.types.follow(
                    first.further, phases=['back'], only='back-further', hop=1
                )
        return ', '.join(lost)

    def _state(self, name):
        """Return the content of the database and of all files, by name."""
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
        """Return what the API shows to differ from before; '' for nothing."""
        self.services = self.hosts[sites.HOST].plane
        found = self._compare()
        return '' if found.level is Level.NOTHING else found.words
