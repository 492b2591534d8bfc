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

"""Tests of how tools/build_catalog.py merges a release into the history."""

import datetime
import pathlib
import sys
import tempfile

import ddt
import fixtures
from oslo_config import cfg
import testtools

from manila_precheck import releases
from manila_precheck.catalog import history
from manila_precheck.tests import tool_scripts

EMPTY = {'format': 2, 'kind': 'options', 'releases': {}, 'entries': {}}


def load():
    return tool_scripts.load('build_catalog')


def column(name, kind, **facts):
    return {'name': name, 'type': kind, 'nullable': True, **facts}


def table(**facts):
    return {
        'columns': [column('a', 'integer')],
        'primary': ['a'],
        'uniques': [],
        'indexes': [],
        'foreign': [],
        **facts,
    }


class TestConstraints(testtools.TestCase):
    def test_no_catalog_of_the_newest_libraries(self):
        tool = load()
        self.useFixture(
            fixtures.MockPatchObject(
                tool.manila_venv, 'constraints', return_value=''
            )
        )
        installed = self.useFixture(
            fixtures.MockPatchObject(tool.manila_venv, '_install')
        ).mock
        self.useFixture(
            fixtures.MockPatchObject(sys, 'argv', ['x', '--check', '2026.1'])
        )
        error = self.assertRaises(SystemExit, tool.main)
        self.assertIn(
            'not installed: the options of the newest libraries are not those '
            'of 2026.1',
            error.code,
        )
        installed.assert_not_called()


class TestMerged(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.tool = load()

    def merge(self, document, major, **entries):
        return self.tool.merged(document, major, {'version': major}, entries)

    def test_equal_facts_share_a_row(self):
        made = self.merge(EMPTY, 18, a=[{'type': 'string'}])
        made = self.merge(made, 19, a=[{'type': 'string'}])
        self.assertEqual(
            {'a': [{'type': 'string', 'releases': '18-'}]}, made['entries']
        )

    def test_changed_facts_get_a_row(self):
        made = self.merge(EMPTY, 18, a=[{'type': 'string'}])
        made = self.merge(made, 20, a=[{'type': 'list'}])
        self.assertEqual(
            [
                {'type': 'string', 'releases': '18'},
                {'type': 'list', 'releases': '20-'},
            ],
            made['entries']['a'],
        )

    def test_a_rebuilt_release_forgets_what_it_had(self):
        made = self.merge(EMPTY, 18, a=[{'x': 1}], b=[{'x': 1}])
        made = self.merge(made, 19, a=[{'x': 1}])
        made = self.merge(made, 18, a=[{'x': 2}])
        self.assertEqual(
            {'a': [{'x': 2, 'releases': '18'}, {'x': 1, 'releases': '19-'}]},
            made['entries'],
        )

    def test_the_order_of_building_does_not_matter(self):
        one = two = EMPTY
        for major in (18, 19, 20):
            one = self.merge(one, major, a=[{'x': major % 2}])
        for major in (20, 18, 19):
            two = self.merge(two, major, a=[{'x': major % 2}])
        self.assertEqual(history.dumps(one), history.dumps(two))

    def test_the_header_counts_distinct_rows(self):
        made = self.merge(EMPTY, 18, a=[{'x': 1}, {'x': 1}, {'x': 2}])
        self.assertEqual(2, made['releases']['18']['count'])


class TestDay(testtools.TestCase):
    def test_a_check_keeps_the_day(self):
        tool = load()
        document = tool.shipped('releases')
        for major, header in document['releases'].items():
            self.assertEqual(
                header['built'], tool.day_of(document, major, True)
            )

    def test_what_is_written_gets_the_day(self):
        tool = load()
        before = datetime.datetime.now(datetime.timezone.utc).date()
        found = tool.day_of({'releases': {}}, 24, False)
        after = datetime.datetime.now(datetime.timezone.utc).date()
        self.assertIn(found, (before.isoformat(), after.isoformat()))


@ddt.ddt
class TestNextRelease(testtools.TestCase):
    """The text for the review of a new release."""

    @ddt.data(*history.KINDS)
    def test_a_release_like_the_newest_changes_the_header_alone(self, kind):
        tool = load()
        document = tool.shipped(kind)
        facts = history.load(kind)
        newest = max(facts.covered)
        header = document['releases'][str(newest)]
        entries = _without_ranges(facts.at(releases.from_major(newest)))
        made = tool.merged(document, newest + 1, header, entries)
        self.assertEqual(document['entries'], made['entries'])
        self.assertEqual(
            {**document['releases'], str(newest + 1): header},
            made['releases'],
        )

    @ddt.data(*history.KINDS)
    def test_what_ends_with_a_release_gets_an_end(self, kind):
        tool = load()
        document = tool.shipped(kind)
        facts = history.load(kind)
        newest = max(facts.covered)
        header = document['releases'][str(newest)]
        made = tool.merged(document, newest + 1, header, {})
        after = history.History(kind, history.dumps(made))
        for major in sorted(facts.covered):
            release = releases.from_major(major)
            self.assertEqual(
                _without_ranges(facts.at(release)),
                _without_ranges(after.at(release)),
            )
        for name, row in after.every_row():
            self.assertNotEqual('-', row['releases'][-1], name)


def _without_ranges(held):
    return {
        name: [
            {key: row[key] for key in row if key != 'releases'} for row in rows
        ]
        for name, rows in held.items()
    }


class TestTableRows(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.tool = load()

    def rows(self, kind, mysql, postgresql):
        found = self.tool.table_rows('t', mysql, postgresql)
        return [row for row in found if row['kind'] == kind]

    def test_made_up_names_are_left_out(self):
        self.assertEqual(
            [{'kind': 'unique', 'columns': ['a']}],
            self.rows(
                'unique',
                table(uniques=[['a', ['a']]], indexes=[['a', ['a'], True]]),
                table(
                    uniques=[['t_a_key', ['a']]],
                    indexes=[['t_a_key', ['a'], True]],
                ),
            ),
        )

    def test_an_index_under_a_foreign_key_is_left_out(self):
        key = [['a'], 'u', ['id'], {}]
        self.assertEqual(
            [],
            self.rows(
                'index',
                table(indexes=[['fk', ['a'], False]], foreign=[['fk', *key]]),
                table(foreign=[['fk', *key]]),
            ),
        )

    def test_a_key_of_one_server_says_so(self):
        self.assertEqual(
            [{'kind': 'primary', 'columns': ['a'], 'dialects': ['mysql']}],
            self.rows('primary', table(), table(primary=[])),
        )

    def test_nullable_on_one_server_says_so(self):
        (row,) = self.rows(
            'column',
            table(),
            table(columns=[dict(column('a', 'integer'), nullable=False)]),
        )
        self.assertEqual(
            (True, False), (row['nullable'], row['nullable_postgresql'])
        )

    def test_types_that_differ_stop_the_build(self):
        self.assertRaises(
            SystemExit,
            self.tool.table_rows,
            't',
            table(),
            table(columns=[column('a', 'text')]),
        )

    def test_server_defaults_are_values(self):
        for kind, text, value in (
            ('boolean', '0', False),
            ('boolean', 'true', True),
            ('string', "'user'::character varying", 'user'),
            ('integer', '7', 7),
            ('string', None, None),
        ):
            self.assertEqual(
                value,
                self.tool.server_default(column('a', kind, default=text)),
            )


class TestJoinedSteps(testtools.TestCase):
    def test_a_step_of_one_server_says_so(self):
        column = {'do': 'add_column', 'table': 't', 'column': 'c'}
        write = {'do': 'write_rows', 'table': 't'}
        other = {'do': 'drop_column', 'table': 't', 'column': 'd'}
        self.assertEqual(
            {
                'abc': [
                    {**column, 'position': 0},
                    {**write, 'dialects': ['mysql'], 'position': 1},
                    {**other, 'dialects': ['postgresql'], 'position': 2},
                ]
            },
            load().joined_steps(
                {'abc': [column, write], 'def': []},
                {'abc': [column, other], 'def': []},
            ),
        )

    def test_other_revisions_stop_the_build(self):
        self.assertRaises(
            SystemExit, load().joined_steps, {'abc': []}, {'def': []}
        )


class TestConfiguration(testtools.TestCase):
    def test_a_percent_in_a_password_was_doubled(self):
        url = 'mysql+pymysql://u:a%40b%25$c@127.0.0.1/cat_22?charset=utf8'
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'manila.conf'
            path.write_text(load().configuration(url, folder))
            conf = cfg.ConfigOpts()
            conf.register_opt(cfg.StrOpt('connection'), group='database')
            conf(['--config-file', str(path)], default_config_dirs=[])
            self.assertEqual(url, conf.database.connection)
