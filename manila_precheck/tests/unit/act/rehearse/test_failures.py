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
"""Failures as findings, and what a statement is about."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck.act.rehearse import failures
from manila_precheck.act.rehearse import rehearsal

FIX = model.advice('Drop it.')


def predicted(*findings, check_id='pending-migrations'):
    return (
        model.CheckResult(
            check_id,
            'A title',
            model.Outcome.FOUND,
            findings=tuple(
                finding._replace(check_id=check_id) for finding in findings
            ),
        ),
    )


def foretelling(
    name, severity=model.Severity.FAILURE, kind='revision', **values
):
    return model.Finding(
        severity, model.Subject(kind, name), 'it fails', [FIX], **values
    )


FAILURE = failures.Failure(
    model.Subject('revision', 'abc'),
    '"manila-manage db sync" stops at revision abc',
    'OperationalError: no\n  such thing',
    ('abc', 'shares'),
    ('pending-migrations',),
)


@ddt.ddt
class FindingsTest(testtools.TestCase):
    def made(self, *before, failure=FAILURE):
        (found,) = failures.findings(
            [failure], before, lambda text: text.replace('thing', '***')
        )
        return found

    def test_not_foretold(self):
        self.assertEqual(
            model.Finding(
                model.Severity.FAILURE,
                model.Subject('revision', 'abc'),
                '"manila-manage db sync" stops at revision abc: '
                'OperationalError: no such *** (was not foretold)',
                [],
                data={'foretold': None},
            ),
            self.made(),
        )

    def test_foretold(self):
        found = self.made(*predicted(foretelling('abc', aspect='without-x')))
        key = 'pending-migrations[abc#without-x]'
        self.assertEqual(
            model.Finding(
                model.Severity.FAILURE,
                model.Subject('revision', 'abc'),
                '"manila-manage db sync" stops at revision abc: '
                f'OperationalError: no such *** (rehearsed: {key} held)',
                [FIX],
                data={'foretold': key},
            ),
            found,
        )

    @ddt.data(
        predicted(foretelling('other')),
        predicted(foretelling('abc', model.Severity.WARNING)),
        predicted(foretelling('abc'), check_id='config-options'),
    )
    def test_something_else_was_foretold(self, before):
        self.assertIsNone(self.made(*before).data['foretold'])

    @ddt.data(
        foretelling('x', data={'revision': 'abc'}),
        foretelling('x', aspect='abc'),
        foretelling('shares', kind='table'),
    )
    def test_by_another_name(self, finding):
        self.assertEqual(
            finding._replace(check_id='pending-migrations').key,
            self.made(*predicted(finding)).data['foretold'],
        )

    def test_the_most_telling_name_of_several(self):
        found = self.made(
            *predicted(foretelling('shares', kind='table'), foretelling('abc'))
        )
        self.assertEqual('pending-migrations[abc]', found.data['foretold'])

    def test_a_purge_that_was_foretold_to_stop(self):
        stops = {'data': {'exit_code': 1}, 'kind': 'table'}
        warning = model.Severity.WARNING
        before = predicted(
            foretelling('acme', warning, aspect='stays:key-gone', **stops),
            foretelling('shares', warning, aspect='stays:trigger-a', **stops),
            foretelling('shares', warning, kind='table'),
            foretelling(
                'shares',
                warning,
                'table',
                aspect='stays:rule-a',
                data={'exit_code': 0},
            ),
            check_id=failures.PURGE,
        )
        failure = FAILURE._replace(checks=(failures.PURGE,))
        self.assertEqual(
            'soft-deleted-rows[shares#stays:trigger-a]',
            self.made(*before, failure=failure).data['foretold'],
        )
        self.assertEqual(
            'soft-deleted-rows[acme#stays:key-gone]',
            self.made(
                *before, failure=failure._replace(names=('messages',))
            ).data['foretold'],
        )
        self.assertIsNone(self.made(failure=failure).data['foretold'])

    def test_a_warning_is_not_compared(self):
        failure = FAILURE._replace(severity=model.Severity.WARNING, words='')
        found = self.made(*predicted(foretelling('abc')), failure=failure)
        self.assertEqual(
            ('"manila-manage db sync" stops at revision abc', {}),
            (found.message, found.data),
        )

    def test_what_was_foretold_and_did_not_happen(self):
        before = predicted(
            foretelling('abc'), foretelling('def', model.Severity.WARNING)
        )
        self.assertEqual(
            [
                failures.Failure(
                    model.Subject('revision', 'abc'),
                    'rehearsed: pending-migrations[abc] did not happen, and '
                    'may be wrong: it fails',
                    severity=model.Severity.INFO,
                    data={'foretold': 'pending-migrations[abc]'},
                    aspect='not-held',
                )
            ],
            list(failures.not_held(before, ('pending-migrations',))),
        )
        self.assertEqual(
            [], list(failures.not_held(before, ('config-options',)))
        )

    def test_words_without_end(self):
        found = self.made(failure=FAILURE._replace(words='a' * 10000))
        self.assertLess(len(found.message), 1000)


@ddt.ddt
class TableTest(testtools.TestCase):
    @ddt.data(
        ('ALTER TABLE shares ADD COLUMN a INTEGER', 'shares'),
        ('ALTER TABLE `shares` ADD COLUMN a INTEGER', 'shares'),
        ('ALTER TABLE public.shares ADD COLUMN a INTEGER', 'shares'),
        ('\nCREATE TABLE qos_types (\n\tid VARCHAR', 'qos_types'),
        ('CREATE UNIQUE INDEX a ON "shares" (id)', 'shares'),
        ('UPDATE shares SET a = 1', 'shares'),
        ('INSERT INTO quota_classes (a) VALUES (1)', 'quota_classes'),
        ('DELETE FROM shares WHERE shares.deleted = 1', 'shares'),
        ('SELECT shares.id \nFROM shares', 'shares'),
        ('SET foreign_key_checks = 0', ''),
        ('', ''),
    )
    @ddt.unpack
    def test_table(self, statement, table):
        self.assertEqual(table, rehearsal.table_of(statement))


class TimesTest(testtools.TestCase):
    def test_statements(self):
        heard = rehearsal.StatementTimes('db sync', lambda text: None)
        done = {'what': 'done', 'count': 1, 'rows': 0}
        for event in (
            {'what': 'revision', 'id': 'abc'},
            {**done, 'text': 'UPDATE shares SET a', 'seconds': 1, 'rows': 7},
            {**done, 'text': 'ALTER TABLE  shares\nADD a', 'seconds': 2.5},
            {**done, 'text': 'SELECT 1', 'seconds': 0.0004, 'count': 9},
            {'what': 'stopped', 'text': 'ALTER TABLE x', 'seconds': 1},
            {'what': 'took', 'seconds': 4.0},
            {'what': 'something new'},
        ):
            heard.heed(event)
        self.assertEqual(
            (
                model.StatementTime(
                    'ALTER TABLE shares ADD a', 'shares', 2.5, 3
                ),
                model.StatementTime('UPDATE shares SET a', 'shares', 1.0, 7),
                model.StatementTime('SELECT 1', '', 0.0, None, 9),
            ),
            heard.statements({'shares': 3}, str),
        )
        self.assertEqual(
            ('abc', 'ALTER TABLE x', 4.0),
            (heard.revision, heard.stopped, heard.seconds),
        )
