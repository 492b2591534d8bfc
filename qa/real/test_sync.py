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
"""Compare predictions with what ``manila-manage db sync`` does.

A database that the source release made is copied, and one thing is broken in
the copy. Then the command runs on the copy, and after it ``manila-manage db
sync`` of the target release.
"""

import contextlib
import re
from typing import ClassVar

from testtools import content

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from qa.real import case
from qa.real import deployment
from qa.real import hazards
from qa.real import servers


class _Syncs(case.RealCase):
    #: The major version of the target, whose db sync runs.
    to: ClassVar[int]
    manage: ClassVar[deployment.Manage]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        why = deployment.why_not(cls.to)
        if why:
            raise RuntimeError(why)
        cls.manage = deployment.Manage(cls.to)
        cls.manage.setUp()
        cls.addClassCleanup(cls.manage.cleanUp)

    @property
    def target(self):
        """The target release, whose db sync runs."""
        return releases.from_major(self.to)

    def foretell(self, url, stage):
        """Run the checks on a database; return {check: its result}."""
        site = self.useFixture(
            testing.Site(
                connection=url,
                source=None,
                target=self.target.name,
                stage=stage,
            )
        )
        ctx = site.context()
        said = {
            check_id: site.run(check_id, ctx)
            for check_id in ('pending-migrations', 'schema-revision')
        }
        self.addDetail(
            f'at stage {stage}',
            content.text_content('\n'.join(map(repr, said.values()))),
        )
        return said

    def try_it(self, hazard):
        """Compare the prediction for one hazard with what happens."""
        database = self.server.new_name()
        self.addCleanup(self.server.drop, database)
        self.server.copy(
            self.site.database,
            database,
            edits=hazard.edits,
            rows=hazard.filled,
        )
        with contextlib.closing(self.server.connect(database)) as connection:
            for statement in hazard.statements:
                servers.execute(connection, statement)
        url = self.server.url(database).replace(*hazard.url)
        zones = self.zones(database)
        said = self.foretell(url, 'stopped')
        code, output = self.manage.run(url, 'db', 'sync')
        stopped_at = ''
        if code:
            self.addDetail('db sync', content.text_content(output[-3000:]))
            stopped_at = self.stopped_at(database, output)
        self.compare(said, stopped_at)
        if not code:
            self.assertEqual(
                self.lost(database, zones),
                {
                    finding.aspect: finding.data['rows']
                    for finding in said['pending-migrations'].findings
                    if finding.subject.name == 'share_backups'
                    and finding.aspect.endswith('zone')
                },
            )
            after = self.foretell(url, 'upgraded')
            self.assertEqual(
                set(),
                self.failures(after['schema-revision'])
                - self.failures(said['schema-revision']),
            )

    def zones(self, database):
        """Return {id: zone} of the live backups that have a zone."""
        if not self.server.run(
            'SELECT 1 FROM information_schema.columns WHERE table_name = '
            "'share_backups' AND column_name = 'availability_zone' AND "
            f"'{database}' IN (table_schema, table_catalog)",
            database,
        ):
            return {}
        return dict(
            self.server.run(
                'SELECT id, availability_zone FROM share_backups WHERE '
                "deleted = 'False' AND availability_zone IS NOT NULL",
                database,
            )
        )

    def lost(self, database, zones):
        """Return how many of these backups lost their zone, by aspect."""
        if not zones:
            return {}
        found = {'no-zone': 0, 'deleted-zone': 0}
        for backup, zone, deleted in self.server.run(
            'SELECT b.id, z.id, z.deleted FROM share_backups b LEFT JOIN '
            'availability_zones z ON z.id = b.availability_zone_id',
            database,
        ):
            if backup in zones and zone is None:
                found['no-zone'] += 1
            elif backup in zones and deleted != 'False':
                found['deleted-zone'] += 1
        return {aspect: count for aspect, count in found.items() if count}

    def compare(self, said, stopped_at):
        """Compare a prediction with the revision that failed, or ''."""
        pending = said['pending-migrations']
        if pending.outcome is model.Outcome.NOT_APPLICABLE:
            # The other check says why the sync fails.
            self.assertNotEqual('', stopped_at)
            self.assertEqual(1, len(self.failures(said['schema-revision'])))
            return
        self.assertEqual('', pending.reason)
        failures = [
            finding
            for finding in pending.findings
            if finding.severity is model.Severity.FAILURE
        ]
        if any(one.aspect == 'read-only' for one in pending.findings):
            # The sync fails before any migration begins.
            self.assertEqual(
                ['database/connection'], [one.subject.name for one in failures]
            )
            self.assertNotEqual('', stopped_at)
            return
        # Failures of any subject: a table, a setting, or the revision.
        named = [
            revision
            for one in failures
            for revision in re.findall(
                r'fails at revision (\w{12}):', one.message
            )
        ]
        # The sync stops at the first of them.
        named.sort(key=self.chain().index)
        self.assertEqual([stopped_at] if stopped_at else [], named[:1])

    def chain(self):
        return catalog.Catalog().chain(self.target)

    def stopped_at(self, database, output):
        """Return the revision at which a db sync failed."""
        chain = self.chain()
        revisions = [
            row[0]
            for row in self.server.run(
                'SELECT version_num FROM alembic_version', database
            )
        ]
        if len(revisions) != 1 or revisions[0] not in chain[:-1]:
            return f'none after {revisions}'
        if self.server.name == 'PostgreSQL':
            # PostgreSQL rolls back the completed migrations too. The name of
            # a file may differ from its revision.
            file = re.findall(r'/versions/(\w{12}_\w+\.py)', output)[-1]
            return next(
                one.id
                for one in catalog.Catalog().revisions(self.target)
                if one.file == file
            )
        return chain[chain.index(revisions[0]) + 1]

    @staticmethod
    def failures(result):
        return {
            finding.key
            for finding in result.findings
            if finding.severity is model.Severity.FAILURE
        }


def _tests(server_class, source, target, revision=None):
    """Return a class with a test for each hazard of a hop on a server.

    :param revision: the last revision of the source, if the target has to
        make the source's database as well.
    """

    def of(hazard):
        return lambda self: self.try_it(hazard)

    chosen = [
        hazard
        for hazard in hazards.ALL
        if source in hazard.sources
        and hazard.server in (None, server_class.name)
    ]
    members = {f'test_{one.name}': of(one) for one in chosen}
    if len(members) != len(chosen):
        raise ValueError('two hazards have one name')
    name = f'Sync{source}To{target}{server_class.__name__}Test'
    return type(
        name,
        (_Syncs,),
        {
            'major': target if revision else source,
            'revision': revision,
            'to': target,
            'server_class': server_class,
            '__module__': __name__,
            **members,
        },
    )


# From before 2023.1 an upgrade goes one release at a time. The migrations in
# between are the same files in 2023.1, in one go (manila 14.2.0, 15.4.1 and
# 16.3.0 db/migrations/alembic/versions). 17 is the middle of 2023.2, where
# share backups have a zone by its name.
Sync11To16MySQLTest = _tests(servers.MySQL, 11, 16, '5aa813ae673d')
Sync12To16MySQLTest = _tests(servers.MySQL, 12, 16, 'fbdfabcba377')
Sync16To18MySQLTest = _tests(servers.MySQL, 16, 18)
Sync17To18MySQLTest = _tests(servers.MySQL, 17, 18, 'cb20f743ca7b')
Sync18To20MySQLTest = _tests(servers.MySQL, 18, 20)
Sync20To22MySQLTest = _tests(servers.MySQL, 20, 22)
Sync21To22MySQLTest = _tests(servers.MySQL, 21, 22)
Sync22To23MySQLTest = _tests(servers.MySQL, 22, 23)
Sync11To16PostgreSQLTest = _tests(servers.PostgreSQL, 11, 16, '5aa813ae673d')
Sync12To16PostgreSQLTest = _tests(servers.PostgreSQL, 12, 16, 'fbdfabcba377')
Sync16To18PostgreSQLTest = _tests(servers.PostgreSQL, 16, 18)
Sync17To18PostgreSQLTest = _tests(servers.PostgreSQL, 17, 18, 'cb20f743ca7b')
Sync18To20PostgreSQLTest = _tests(servers.PostgreSQL, 18, 20)
Sync20To22PostgreSQLTest = _tests(servers.PostgreSQL, 20, 22)
Sync21To22PostgreSQLTest = _tests(servers.PostgreSQL, 21, 22)
Sync22To23PostgreSQLTest = _tests(servers.PostgreSQL, 22, 23)
