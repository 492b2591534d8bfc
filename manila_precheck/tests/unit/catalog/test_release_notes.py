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
"""Every note of the ledger is served by what is said to serve it."""

import collections
import json
import re

import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import advisories
from manila_precheck.catalog import drivers
from manila_precheck.catalog import history
from manila_precheck.catalog import release_notes

_CITED = re.compile(r'manila releasenotes/notes/(.+)\.yaml')

# Notes whose advisory has other builds, by the end of their names.
_APART = {
    # It came to builds of 2023.1 and 2023.2, and its default changed in later
    # ones: what an upgrade from 2023.1 meets is in two advisories.
    ('cephfs-ensure-shares', 'b72fe18381af274a'),
    ('cephfs-ensure-shares-again', 'b72fe18381af274a'),
    # It mends what the advisory is about.
    ('cephfs-group-snapshots', '6bbea87e83cab795'),
    # It announces what came to these drivers later.
    ('glusterfs-privsep', '846819fdb181d83a'),
}


def builds(*since):
    """Return the builds that brought something, oldest first.

    That the release after a build has it too goes without saying.
    """
    found = [(one.major, one.build) for one in since]
    if found[1:] and found[-1] == (found[-2][0] + 1, ''):
        del found[-1]
    return found


def document(**changes):
    row = {
        'note': 'a-note-0123456789abcdef',
        'section': 'upgrade',
        'since': ['22.0.0'],
        'served_by': [{'reason': 'It adds something.'}],
    }
    row.update(changes)
    return json.dumps({'format': 1, 'notes': [row]})


class FileTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.text = history.read(release_notes.KIND)
        self.read = release_notes.load()
        self.facts = catalog.Catalog()
        self.advisories = {one.id: one for one in advisories.load()}

    def named(self, by):
        """Yield each note with what serves it in one way."""
        for note in self.read:
            for served in note.served_by:
                if served.by == by:
                    yield note, served

    def test_it_is_its_own_serialisation(self):
        again = json.dumps(json.loads(self.text), indent=1, sort_keys=True)
        self.assertEqual(again + '\n', self.text)

    def test_the_header_lists_the_packages_of_the_catalog(self):
        self.assertEqual(
            {
                str(release.major): self.facts.package(release).version
                for release in self.facts.releases
            },
            json.loads(self.text)['releases'],
        )

    def test_notes_are_unique_and_sorted(self):
        keys = [(note.name, note.section) for note in self.read]
        self.assertEqual(sorted(set(keys)), keys)

    def test_each_is_served(self):
        for note in self.read:
            self.assertTrue(note.served_by, note.name)
            ways = {served.by for served in note.served_by}
            self.assertTrue(ways == {'reason'} or 'reason' not in ways)

    def test_a_reason_is_a_sentence(self):
        for note, served in self.named('reason'):
            self.assertTrue(served.name[0].isupper(), note.name)
            self.assertEqual('.', served.name[-1], note.name)

    def test_builds_are_those_that_there_are(self):
        for note in self.read:
            self.assertEqual(sorted(note.since), [*note.since], note.name)
            self.assertEqual(len(set(note.since)), len(note.since), note.name)
            self.assertTrue(
                all(one.build for one in note.backports), note.name
            )
            for one in note.since:
                if one.build:
                    finals = releases.final_versions(one)
                    self.assertIn(one.build, [f.version for f in finals])

    def test_every_advisory_that_cites_a_note_is_in_its_rows(self):
        served = collections.defaultdict(set)
        for note, one in self.named('advisory'):
            served[note.name].add(one.name)
        cited = collections.defaultdict(set)
        for advisory in self.advisories.values():
            for text in advisory.references:
                found = _CITED.fullmatch(text)
                if found:
                    cited[found[1]].add(advisory.id)
        self.assertEqual(cited, served)

    def test_an_advisory_has_the_builds_of_its_note(self):
        for note, served in self.named('advisory'):
            one = self.advisories[served.name]
            if (one.id, note.name[-16:]) in _APART:
                continue
            self.assertEqual(
                builds(*note.since),
                builds(*one.backports, one.release),
                one.id,
            )

    def test_what_is_shown_is_a_note(self):
        notes = {served.name for _, served in self.named('advisory')}
        shown = {one.id for one in advisories.of_check('release-notes')}
        self.assertEqual(set(), shown - notes)

    def test_what_a_check_is_said_to_know_changes_in_the_release(self):
        for note, served in self.named('check'):
            self.assertTrue(served.facts, note.name)
            after = note.release
            before = releases.from_major(after.major - 1)
            for fact in served.facts:
                known = self.known(served.name, fact, before)
                self.assertNotEqual(
                    known,
                    self.known(served.name, fact, after),
                    f'{note.name}: {fact}',
                )

    def known(self, check_id, fact, release):
        """Return what the catalog tells a check of something."""
        if check_id == 'installed-packages':
            return self.facts.package(release).requires_python
        if check_id == 'api-paste':
            return self.facts.paste(release).get(fact)
        if check_id == 'backend-drivers':
            if '.' in fact:
                return self.facts.driver(release, fact)
            return [
                self.facts.plugins(release, kind).get(fact)
                for kind in (drivers.EMC_PLUGIN, drivers.EMC_ALIAS)
            ]
        self.assertIn(check_id, ('config-options', 'policy-rules'))
        section, _, name = fact.rpartition('/')
        options = self.facts.options(release)
        if section:
            return options.find(section, name)
        return options.backend(name)


class DecodeTest(testtools.TestCase):
    def test_a_row(self):
        (note,) = release_notes.decode(
            document(
                since=['18.3.0', '22.0.1', '23.0.0'],
                served_by=[
                    {'advisory': 'an-id'},
                    {'check': 'config-options', 'facts': ['a/b']},
                ],
            )
        )
        self.assertEqual('a-note-0123456789abcdef', note.name)
        self.assertEqual('upgrade', note.section)
        self.assertEqual(
            [(18, '18.3.0'), (22, '22.0.1')],
            [(one.major, one.build) for one in note.backports],
        )
        self.assertEqual((23, ''), (note.release.major, note.release.build))
        self.assertEqual(
            (
                release_notes.Served('advisory', 'an-id'),
                release_notes.Served('check', 'config-options', ('a/b',)),
            ),
            note.served_by,
        )

    def test_damage_is_refused(self):
        for text in (
            '',
            '{"format": 1}',
            document(since=['99.0.0']),
            document(served_by=[{'weather': 'fair'}]),
            document(served_by=None),
        ):
            error = self.assertRaises(
                exceptions.CatalogError, release_notes.decode, text
            )
            self.assertIn('is damaged', str(error))
