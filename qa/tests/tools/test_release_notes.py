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
"""What tools/release_notes.py says of a ledger that differs."""

import io
import json
import pathlib
import tarfile

import fixtures
import testtools

from manila_precheck import releases
from manila_precheck.catalog import release_notes
from manila_precheck.tests import tool_scripts

NAME = 'a-note-0123456789abcdef'
KEY = (NAME, 'security')
VERSIONS = ('12.0.0', '12.1.2', '13.2.0', '22.0.1', '22.0.2', '23.0.1')


def note(*since):
    row = {
        'note': NAME,
        'section': 'security',
        'since': since,
        'served_by': [{'reason': 'Some.'}],
    }
    text = json.dumps({'format': 1, 'notes': [row]})
    (made,) = release_notes.decode(text)
    return made


def packages(*having, key=KEY):
    return {
        releases.build(version): {key: 'text\n'} if version in having else {}
        for version in VERSIONS
    }


class ReleaseNotesTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.tool = tool_scripts.load('release_notes')

    def found(self, ledger, made):
        return list(self.tool.differences(ledger, made))

    def test_a_note_without_a_row(self):
        for key in (KEY, (NAME, 'upgrades'), (NAME, 'critical')):
            made = packages('22.0.2', '23.0.1', key=key)
            (text,) = self.found([], made)
            self.assertIn('no row: {\n', text)
            self.assertIn('"22.0.2",\n  "23.0.1"\n', text)

    def test_sections_that_need_no_row(self):
        made = packages('23.0.1', key=(NAME, 'fixes'))
        self.assertEqual([], self.found([], made))

    def test_notes_from_before_the_ledger(self):
        for having in (VERSIONS, ('12.1.2',)):
            self.assertEqual([], self.found([], packages(*having)))

    def test_a_row_that_agrees(self):
        for since, having in (
            (['13.0.0'], VERSIONS[2:]),
            (['12.1.0', '13.0.0'], VERSIONS[1:]),
            (['22.0.2', '23.0.0'], VERSIONS[4:]),
            (['22.0.2', '23.0.1'], VERSIONS[4:]),
            (['23.0.1'], VERSIONS[5:]),
        ):
            made = packages(*having)
            self.assertEqual([], self.found([note(*since)], made), str(since))

    def test_a_row_that_does_not(self):
        made = packages('22.0.2', '23.0.1')
        self.assertEqual(
            [f'manila 22.0.1 does not have security of {NAME}'],
            self.found([note('22.0.0')], made),
        )
        self.assertEqual(
            [f'manila 22.0.2 has security of {NAME}'],
            self.found([note('23.0.0')], made),
        )

    def test_the_notes_of_a_package(self):
        path = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path, 'manila-1.tar.gz'
        )
        with tarfile.open(path, 'w:gz') as archive:
            for name, text in (
                (f'releasenotes/notes/{NAME}.yaml', 'upgrade:\n  - A.\n'),
                ('releasenotes/notes/empty.yaml', '---\n'),
                ('releasenotes/source/conf.py', ''),
            ):
                member = tarfile.TarInfo(f'manila-1/{name}')
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        self.assertEqual({(NAME, 'upgrade'): '- A.\n'}, self.tool.read(path))

    def test_which_packages_are_read(self):
        texts = [one.text for one in self.tool.versions()]
        self.assertEqual(['12.0.0', '12.1.2', '13.2.0'], texts[:3])
        self.assertEqual(len(releases.RELEASES) + 1, len(texts))
        every = [one.text for one in self.tool.versions(every=True)]
        self.assertLess(set(texts), set(every))
        self.assertNotIn('18.0.0', every)
