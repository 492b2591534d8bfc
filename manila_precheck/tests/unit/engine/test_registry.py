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

import ddt
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.engine import runner


class Good(check.Check):
    """Good."""

    id = 'good-check'
    title = 'Good'

    def run(self, ctx):
        return ()


def entry(name, origin, load=lambda: Good):
    return registry.Plugin(name=name, origin=origin, load=load)


class EntriesTest(testtools.TestCase):
    def patch_points(self, *points):
        self.patch(
            registry,
            '_found',
            lambda ns: [registry._point(ns, *point) for point in points],
        )

    def test_sorted_by_name(self):
        self.patch_points(('bbbb', 'x:B'), ('aaaa', 'x:A'))
        self.assertEqual(
            ['aaaa', 'bbbb'],
            [e.name for e in registry.entries(registry.CHECKS)],
        )

    def test_builtin_keeps_its_name(self):
        self.patch_points(
            ('api-paste', 'a_plugin:A'),
            ('api-paste', 'manila_precheck.checks.api_paste.check:ApiPaste'),
        )
        mine, theirs = registry.entries(registry.CHECKS)
        self.assertTrue(mine.builtin)
        self.assertEqual('api-paste', mine.result_id)
        self.assertEqual(
            'manila_precheck.checks.api_paste.check:ApiPaste', theirs.conflict
        )
        self.assertEqual('api-paste@a_plugin', theirs.result_id)

    def test_conflict_of_two_others(self):
        self.patch_points(('aaaa', 'zzz:A'), ('aaaa', 'bbb:A'))
        self.assertEqual(
            ['aaaa', 'aaaa@zzz'],
            [e.result_id for e in registry.entries(registry.CHECKS)],
        )

    def test_real_entry_points_are_listed_without_loading(self):
        names = [e.name for e in registry.checks()]
        self.assertIn('upgrade-path', names)


@ddt.ddt
class SelectTest(testtools.TestCase):
    available = (
        entry('aaaa', 'x:A'),
        entry('bbbb', 'x:B'),
        entry('cccc', 'x:C'),
    )

    @ddt.data(
        ([], [], 'aaaa bbbb cccc'),
        (['bbbb'], [], 'bbbb'),
        (['cccc', 'aaaa'], [], 'aaaa cccc'),
        ([], ['bbbb'], 'aaaa cccc'),
        (['aaaa', 'bbbb'], ['bbbb'], 'aaaa'),
        ([' aaaa '], [''], 'aaaa'),
    )
    @ddt.unpack
    def test_select(self, only, skip, names):
        chosen = registry.select(self.available, only, skip)
        self.assertEqual(names, ' '.join(e.name for e in chosen))

    @ddt.data(
        (['nope'], [], "unknown check 'nope'"),
        ([], ['nope'], "unknown check 'nope'"),
        (['aaaa'], ['aaaa'], 'no check is left'),
    )
    @ddt.unpack
    def test_refused(self, only, skip, words):
        exc = self.assertRaises(
            exceptions.UsageError, registry.select, self.available, only, skip
        )
        self.assertIn(words, str(exc))

    def test_alias(self):
        chosen = registry.select(
            self.available,
            ['old-name'],
            (),
            lambda e: ('old-name',) if e.name == 'bbbb' else (),
        )
        self.assertEqual(['bbbb'], [e.name for e in chosen])


@ddt.ddt
class LoadTest(testtools.TestCase):
    def cls(self, **attributes):
        return type('Candidate', (Good,), attributes)

    @ddt.data(
        ('not a class', 'is not a subclass'),
        (object, 'is not a subclass'),
        ({'id': 'other-id'}, "its id is 'other-id'"),
        ({'stages': {model.Stage.PLAN}}, 'is not a frozenset'),
        ({'stages': frozenset({'plan'})}, 'is not a frozenset'),
        ({'requires': 'database'}, 'is not a frozenset'),
        ({'title': ''}, 'is not a string'),
        ({'title': None}, 'is not a string'),
    )
    @ddt.unpack
    def test_refused(self, candidate, words):
        if isinstance(candidate, dict):
            candidate = self.cls(**candidate)
        loaded = runner.load(entry('good-check', 'x:G', lambda: candidate))
        self.assertIsInstance(loaded, str)
        self.assertIn(words, str(loaded))

    def test_bad_name(self):
        bad = self.cls(id='Bad_Name')
        loaded = runner.load(entry('Bad_Name', 'x:G', lambda: bad))
        self.assertIn("'Bad_Name' is not an id", str(loaded))

    def test_base_class_itself(self):
        class Half(check.Check):
            id = 'half-check'
            title = 'Half'

        loaded = runner.load(entry('half-check', 'x:G', lambda: Half))
        self.assertIn('does not define run()', str(loaded))

    def test_good(self):
        self.assertIsInstance(runner.load(entry('good-check', 'x:G')), Good)

    def test_taken(self):
        taken = registry.Plugin('good-check', 'x:G', lambda: Good, 'y:H')
        self.assertEqual(
            "it failed to load: the id 'good-check' is already used by y:H",
            runner.load(taken),
        )

    def test_import_that_never_ends(self):
        self.patch(runner, 'LOAD_TIMEOUT_SECONDS', 0.05)
        import threading

        wait = threading.Event()
        self.addCleanup(wait.set)
        loaded = runner.load(entry('good-check', 'x:G', wait.wait))
        self.assertEqual(
            'it failed to load: it did not finish within 0.05 seconds', loaded
        )
