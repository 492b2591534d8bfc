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
"""The notes that concern a site, and no other."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.catalog import advisories
from manila_precheck.catalog import release_notes
from manila_precheck.tests import databases

CHECK = 'release-notes'
NOTES = {one.id: one for one in advisories.of_check(CHECK)}
PAGES = 'https://docs.openstack.org/releasenotes/manila/'
API = '[keystone_authtoken]\nauth_type = password\n'
GENERIC = 'share_driver = manila.share.drivers.generic.GenericShareDriver\n'
LVM = 'share_driver = manila.share.drivers.lvm.LVMShareDriver\n'
MACROSAN = (
    'share_driver = manila.share.drivers.macrosan.macrosan_nas.'
    'MacrosanNasDriver\n'
)
LOCK = {'resource_action': 'delete', 'resource_type': 'access_rule'}
PUBLIC = 'public-shares-of-other-projects'


def section(*texts):
    names = ', '.join(f'b{number}' for number, _ in enumerate(texts))
    return f'[DEFAULT]\nenabled_share_backends = {names}\n' + ''.join(
        f'[b{number}]\n{text}\n' for number, text in enumerate(texts)
    )


# What fires; what does not; rows: (table, values, values that do not count).
CASES = {
    'access-locks-lock-shares': (
        API,
        '',
        ('resource_locks', LOCK, {**LOCK, 'resource_type': 'share'}),
    ),
    'export-locations-of-other-shares': (API, section(LVM), None),
    'macrosan-certificate': (
        section(LVM, MACROSAN),
        section(MACROSAN + 'macrosan_ssl_cert_verify = True', LVM),
        None,
    ),
    'native-threads': (section(LVM), None, None),
    PUBLIC: (API, section(GENERIC), None),
    'share-server-subnets': (API, section(LVM), ('share_servers', {}, None)),
    'snapshots-of-other-projects': (
        API,
        section(LVM),
        ('share_snapshots', {}, None),
    ),
    'ssh-logins-in-logs': (
        section(GENERIC, GENERIC),
        section(LVM),
        None,
    ),
}


def before(release):
    return releases.from_major(max(12, release.major - 1)).name


@ddt.ddt
class EachNoteTest(databases.SQLiteTest):
    def over(self, text, source, target, database=None, **site):
        """Return the keys of the notes of an upgrade."""
        if database is not None:
            result = self.run_check(
                CHECK,
                database,
                config=text,
                source=source,
                target=target,
                **site,
            )
        else:
            made = testing.Site(text, source=source, target=target, **site)
            result = self.useFixture(made).run(CHECK)
        self.assertEqual('', result.reason)
        return [one.subject.name for one in result.findings if not one.aspect]

    def test_each_has_cases(self):
        self.assertEqual(set(NOTES), set(CASES))
        for one in NOTES.values():
            self.assertEqual(model.Severity.INFO, one.severity)

    @ddt.data(*CASES)
    def test_the_window(self, name):
        one, (text, _, rows) = NOTES[name], CASES[name]
        database = None
        there = one.release.name
        for source, target, shown in (
            (before(one.release), there, True),
            (there, there, False),
            *(
                (build.build, f'{build.major + 1}.0.0', False)
                for build in (*one.backports, one.release)
                if build.build and build.major < 23
            ),
        ):
            if rows is not None:
                database = self.database(releases.parse(source).name)
                database.insert(rows[0], rows[1])
            found = self.over(text, source, target, database)
            self.assertEqual(shown, name in found, f'{source} {target}')

    @ddt.data(*(name for name, case in CASES.items() if case[1] is not None))
    def test_a_site_that_does_not_use_it(self, name):
        one, (_, text, rows) = NOTES[name], CASES[name]
        database = None
        if rows is not None:
            database = self.database(before(one.release))
            database.insert(rows[0], rows[1])
        found = self.over(
            text, before(one.release), one.release.name, database
        )
        self.assertNotIn(name, found)

    @ddt.data(*(name for name, case in CASES.items() if case[2]))
    def test_rows(self, name):
        one, (text, _, rows) = NOTES[name], CASES[name]
        assert rows is not None
        table, values, other = rows
        hop = (before(one.release), one.release.name)
        others = [{**values, 'deleted': 'x'}, *([other] if other else [])]
        for counted, shown in (
            ([], 0),
            (others, 0),
            ([*others, values], 1),
            ([values, values], 1),
        ):
            database = self.database(hop[0])
            database.insert(table, *counted)
            found = self.over(text, *hop, database)
            self.assertEqual(shown, found.count(name), str(counted))
        # Without a database it may.
        self.assertIn(name, self.over(text, *hop))

    @ddt.data(
        ('20.0.2', '20.0.3', True),
        ('20.0.2', '22.0.1', False),
        ('20.0.2', '22.0.2', True),
        ('20.0.3', '22.0.2', False),
        ('22.0.2', '23.0.1', False),
        ('22.0.1', '23.0.1', True),
        ('23.0.0', '23.0.1', True),
        # Of which build nobody knows; the target is the last one.
        ('2025.1', '2026.1', True),
    )
    @ddt.unpack
    def test_a_note_of_a_point_release(self, source, target, shown):
        self.assertEqual(shown, PUBLIC in self.over(API, source, target))

    def test_few_for_an_ordinary_site(self):
        for text in (API + section(LVM), API + section(GENERIC)):
            self.assertEqual(
                [
                    'export-locations-of-other-shares',
                    PUBLIC,
                    'snapshots-of-other-projects',
                ],
                self.over(text, '2025.1', '2026.1'),
            )

    def test_stopped_is_no_time_to_read(self):
        self.assertEqual(
            [], self.over(API, '2025.1', '2026.1', stage='stopped')
        )


class WordsTest(testtools.TestCase):
    def findings(self, text, source, target, **site):
        made = testing.Site(text, source=source, target=target, **site)
        return list(self.useFixture(made).run(CHECK).findings)

    def test_a_note_names_the_back_ends_and_its_page(self):
        text = section(MACROSAN, LVM, MACROSAN)
        (found,) = self.findings(text, 'zed', '2023.1')
        one = NOTES['macrosan-certificate']
        self.assertEqual(
            model.Finding(
                model.Severity.INFO,
                model.Subject('note', one.id),
                'b0, b2 verifies no certificate of its storage unless '
                'macrosan_ssl_cert_verify is on',
                (
                    one.remediation[0],
                    model.config(
                        '[{}]\nmacrosan_ssl_cert_verify = True', 'b0'
                    ),
                    model.config(
                        '[{}]\nmacrosan_ssl_cert_verify = True', 'b2'
                    ),
                    model.advice(f'The note is on {PAGES}2023.1.html'),
                ),
                (f'{PAGES}2023.1.html', *one.references),
                {'advisory': one.id, 'release': '2023.1'},
                check_id=CHECK,
                cause='note',
            ),
            found,
        )
        self.assertEqual('release-notes[macrosan-certificate]', found.key)

    def test_the_page_is_that_of_the_series_gone_to(self):
        for target, page in (('2026.1', '2026.1'), ('2025.2', '2025.2')):
            found = {
                one.subject.name: one
                for one in self.findings(API, '2025.1', target)
            }
            self.assertEqual(
                f'{PAGES}{page}.html', found[PUBLIC].references[0]
            )

    def test_services_with_files_of_their_own(self):
        files = {'api.conf': API, 'share.conf': section(GENERIC)}
        found = self.findings(
            '',
            'wallaby',
            'zed',
            files=files,
            locations=('api.conf', 'share.conf'),
            services={
                'manila-api': ['api.conf'],
                'manila-scheduler': ['api.conf'],
                'manila-data': ['api.conf'],
                'manila-share': ['share.conf'],
            },
        )
        self.assertEqual(
            ['share-server-subnets', 'ssh-logins-in-logs'],
            [one.subject.name for one in found],
        )


@ddt.ddt
class LostTest(testtools.TestCase):
    """A build of the target may lack what one of the source has."""

    def lost(self, source, target, text=API, **site):
        made = testing.Site(text, source=source, target=target, **site)
        return [
            one
            for one in self.useFixture(made).run(CHECK).findings
            if one.aspect == 'lost'
        ]

    def test_the_finding(self):
        note = next(
            one for one in release_notes.load() if '2161412' in one.name
        )
        (found,) = self.lost('20.0.3', '22.0.1')
        self.assertEqual(
            model.Finding(
                model.Severity.FAILURE,
                model.Subject('note', note.name),
                'manila 22.0.1 lacks a security fix that manila 20.0.3 has '
                '(bug-2161412-enforce-policy-checks-on-public-shares); '
                '22.0.2 has it',
                (
                    model.advice(
                        'Install manila 22.0.2 or a later build of 2026.1.'
                    ),
                ),
                (
                    f'{PAGES}2026.1.html',
                    f'manila releasenotes/notes/{note.name}.yaml',
                ),
                {'note': note.name, 'source': '20.0.3', 'target': '22.0.1'},
                aspect='lost',
                check_id=CHECK,
            ),
            found,
        )

    @ddt.data(
        ('20.0.2', '22.0.1', 0),
        ('20.0.3', '22.0.2', 0),
        ('20.0.3', '22.0.0', 2),
        ('20.0.2', '22.0.0', 1),
        ('20.0.1', '22.0.0', 0),
        ('21.0.3', '22.0.1', 1),
        ('22.0.2', '23.0.0', 1),
        ('22.0.2', '23.0.1', 0),
        # The build of one side is not known.
        ('20.0.3', '2026.1', 0),
        ('2025.1', '22.0.0', 0),
    )
    @ddt.unpack
    def test_builds(self, source, target, count):
        self.assertEqual(count, len(self.lost(source, target)))

    def test_it_is_told_before_db_sync_too(self):
        found = self.lost('20.0.3', '22.0.1', stage='stopped')
        self.assertEqual(1, len(found))

    def test_no_build_of_the_target_has_it(self):
        (found,) = self.lost('13.0.4', '14.0.0', section(GENERIC))
        self.assertIn('14.0.1 has it', found.message)
        self.assertEqual([], self.lost('13.0.4', '14.0.0', section(LVM)))

    def test_a_site_that_does_not_use_it(self):
        self.assertEqual([], self.lost('20.0.3', '22.0.1', section(LVM)))
