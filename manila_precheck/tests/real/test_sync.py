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
"""What is said of ``manila-manage db sync``, and what it then does.

A database that the source release made is copied, one thing is broken in the
copy, the command is run on it, and then ``manila-manage db sync`` of the
target release.
"""

import contextlib
import re

from testtools import content

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests.real import case
from manila_precheck.tests.real import deployment
from manila_precheck.tests.real import hazards
from manila_precheck.tests.real import servers


class _Syncs(case.RealCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        why = deployment.why_not(cls.to)
        if why:
            raise RuntimeError(why)
        cls.manage = deployment.Manage(cls.to)
        cls.manage.setUp()
        cls.addClassCleanup(cls.manage.cleanUp)

    def foretell(self, url, stage):
        """Return {check: its result} of what is said of a database."""
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
        """Compare what is said of one hazard with what happens."""
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
        said = self.foretell(url, 'stopped')
        code, output = self.manage.run(url, 'db', 'sync')
        stopped_at = ''
        if code:
            self.addDetail('db sync', content.text_content(output[-3000:]))
            stopped_at = self.stopped_at(database, output)
        self.compare(said, stopped_at)
        if not code:
            after = self.foretell(url, 'upgraded')
            self.assertEqual(
                set(),
                self.failures(after['schema-revision'])
                - self.failures(said['schema-revision']),
            )

    def compare(self, said, stopped_at):
        """Hold what was said against the revision that failed, or ''."""
        pending = said['pending-migrations']
        if pending.outcome is model.Outcome.NOT_APPLICABLE:
            # The other check says why.
            self.assertNotEqual('', stopped_at)
            self.assertEqual(1, len(self.failures(said['schema-revision'])))
            return
        self.assertEqual('', pending.reason)
        named = [
            finding.subject.name
            for finding in pending.findings
            if finding.severity is model.Severity.FAILURE
        ]
        if any(one.aspect == 'read-only' for one in pending.findings):
            # No migration comes as far as to be the one that stops.
            self.assertEqual(['database/connection'], named)
            self.assertNotEqual('', stopped_at)
            return
        # The first of them is where it stops.
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
            # It takes back those that went through, too.
            return re.findall(r'/versions/(\w{12})_\w+\.py', output)[-1]
        return chain[chain.index(revisions[0]) + 1]

    @staticmethod
    def failures(result):
        return {
            finding.key
            for finding in result.findings
            if finding.severity is model.Severity.FAILURE
        }


def _tests(server_class, source, target):
    """Return a class with a test of each hazard of a hop on a server."""

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
            'major': source,
            'to': target,
            'server_class': server_class,
            '__module__': __name__,
            **members,
        },
    )


Sync18To20MySQLTest = _tests(servers.MySQL, 18, 20)
Sync20To22MySQLTest = _tests(servers.MySQL, 20, 22)
Sync21To22MySQLTest = _tests(servers.MySQL, 21, 22)
Sync22To23MySQLTest = _tests(servers.MySQL, 22, 23)
Sync18To20PostgreSQLTest = _tests(servers.PostgreSQL, 18, 20)
Sync20To22PostgreSQLTest = _tests(servers.PostgreSQL, 20, 22)
Sync21To22PostgreSQLTest = _tests(servers.PostgreSQL, 21, 22)
Sync22To23PostgreSQLTest = _tests(servers.PostgreSQL, 22, 23)
