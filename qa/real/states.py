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

"""Tests that the command tells apart every state of a database."""

import socket

from qa.real import case
from qa.real import deployment

# The last revision of the release before. alembic_version still has it when
# the first migration of a release fails.
BEFORE = {18: '2d708a9a3ba9', 20: 'cdefa6287df8', 22: 'e975ea83b712'}

# A revision in the chains of all three that is no release's last one.
BETWEEN = '99d328f0a3d2'


class StatesMixin(case.Scenarios):
    """Run the real command on every state of the database."""

    def outcomes(self, conf, *words):
        """Return (exit code, {check: result}, report)."""
        code, report = self.check(*words, conf=conf)
        results = {one['id']: one for one in report['checks']}
        self.assertIn('schema-revision', results)
        return code, results, report

    def check_unusable(self, conf, *words):
        """Assert that the checks of the database have errors; return all."""
        code, results, report = self.outcomes(conf)
        self.assertEqual(2, code)
        self.assertIsNone(report['database'])
        for check_id in (
            'backends-in-use',
            'in-flight-operations',
            'live-services',
            'running-migrations',
            'schema-revision',
            'soft-deleted-rows',
        ):
            self.assertEqual('error', results[check_id]['outcome'])
            for word in words:
                self.assertIn(word, results[check_id]['reason'])
        return results

    def test_no_connection_is_configured(self):
        code, results, report = self.outcomes(self.site.conf(url=''))
        self.assertIsNone(report['database'])
        for check_id in ('schema-revision', 'soft-deleted-rows'):
            self.assertEqual('skipped', results[check_id]['outcome'])
            self.assertIn('connection', results[check_id]['reason'])
        self.assertIn(code, (1, 2))

    def test_nobody_listens(self):
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            port = listener.getsockname()[1]
            self.check_unusable(
                self.site.conf(self.site.url(port=port)),
                'cannot be reached',
                str(port),
            )

    def test_the_server_does_not_answer(self):
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen(8)
            port = listener.getsockname()[1]
            self.check_unusable(
                self.site.conf(
                    self.site.url(port=port),
                    more='connect_timeout_seconds = 2\n'
                    'statement_timeout_seconds = 5\n',
                ),
                'cannot be reached',
            )

    def test_the_login_is_refused(self):
        stranger = self.server.new_name()
        results = self.check_unusable(
            self.site.conf(self.site.url(user=stranger)),
            'cannot be reached',
        )
        self.assertIn(stranger, results['schema-revision']['reason'])

    def test_the_password_is_wrong(self):
        if not self.server.asks_for_passwords(self.site.reader):
            self.skipTest('the server lets everybody of this host in')
        self.check_unusable(
            self.site.conf(self.site.url(password='Wr0ng' + 'S3cr/t:w@rd%')),
            'cannot be reached',
        )

    def test_the_account_may_read_nothing(self):
        other = self.useFixture(
            deployment.Deployment(self.server, self.major, migrate=False)
        )
        # An account of another database.
        url = self.server.url(
            self.site.database, other.reader, deployment.PASSWORD
        )
        code, results, _ = self.outcomes(self.site.conf(url))
        self.assertEqual(2, code)
        self.assertEqual('error', results['soft-deleted-rows']['outcome'])

    def test_the_database_is_empty(self):
        empty = self.useFixture(
            deployment.Deployment(self.server, self.major, migrate=False)
        )
        _, results, report = self.outcomes(empty.conf())
        self.assertIsNone(report['database']['revision'])
        for check_id in ('running-migrations', 'soft-deleted-rows'):
            self.assertEqual('not_applicable', results[check_id]['outcome'])
            self.assertIn('empty', results[check_id]['reason'])
        self.assertNotEqual('error', results['schema-revision']['outcome'])

    def test_the_revision_is_of_the_release(self):
        _, results, report = self.outcomes(self.site.conf())
        revision = self.site.manage('db', 'version').stdout.split()[-1]
        self.assertEqual(revision, report['database']['revision'])
        self.assertEqual(self.source.name, report['source_release'])
        for one in results.values():
            self.assertIn(
                one['outcome'], ('found', 'passed', 'not_applicable'), one
            )
        for finding in results['schema-revision']['findings']:
            self.assertNotEqual('failure', finding['severity'], finding)

    def at_revision(self, revision):
        """Change the revision in alembic_version for one test."""
        before = self.site.rows('SELECT version_num FROM alembic_version')
        self.addCleanup(
            self.site.rows,
            f"UPDATE alembic_version SET version_num = '{before[0][0]}'",
        )
        self.site.rows(
            f"UPDATE alembic_version SET version_num = '{revision}'"
        )

    def check_failure_of_schema(self):
        code, results, report = self.outcomes(self.site.conf())
        self.assertEqual(2, code)
        findings = results['schema-revision']['findings']
        self.assertTrue(
            any(one['severity'] == 'failure' for one in findings), findings
        )
        return findings, report

    def test_no_release_has_the_revision(self):
        self.at_revision('feedfacecafe')
        findings, _ = self.check_failure_of_schema()
        self.assertIn('feedfacecafe', findings[0]['message'])

    def test_the_tables_are_ahead_of_the_revision(self):
        """A failed migration leaves the tables that it created."""
        self.at_revision(BEFORE[self.major])
        findings, _ = self.check_failure_of_schema()
        self.assertIn(BEFORE[self.major], str(findings))

    def test_the_database_stopped_half_way(self):
        """manila itself migrates it, but only part of the way."""
        site = self.useFixture(
            deployment.Deployment(self.server, self.major, migrate=False)
        )
        site.manage('db', 'sync', BETWEEN)
        site.grant()
        code, results, report = self.outcomes(site.conf())
        self.assertEqual(BETWEEN, report['database']['revision'])
        self.assertIn(code, (1, 2))
        one = results['schema-revision']
        self.assertEqual('found', one['outcome'])
        self.assertIn(one['severity'], ('warning', 'failure'))
        self.assertIn(BETWEEN, one['findings'][0]['message'])
        for other in results.values():
            self.assertNotEqual('error', other['outcome'], other)

    def test_there_is_no_revision(self):
        before = self.site.rows('SELECT version_num FROM alembic_version')
        self.addCleanup(
            self.site.rows,
            'INSERT INTO alembic_version (version_num) '
            f"VALUES ('{before[0][0]}')",
        )
        self.site.rows('DELETE FROM alembic_version')
        self.check_failure_of_schema()

    def test_there_are_two_revisions(self):
        self.addCleanup(
            self.site.rows,
            "DELETE FROM alembic_version WHERE version_num = 'x'",
        )
        self.site.rows(
            "INSERT INTO alembic_version (version_num) VALUES ('x')"
        )
        self.check_failure_of_schema()
