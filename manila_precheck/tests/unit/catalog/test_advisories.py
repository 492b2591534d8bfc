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

"""The advisories are sound, whatever they say."""

import json
import pathlib
import re
import string

import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import advisories
from manila_precheck.catalog import drivers
from manila_precheck.catalog import history

PAGE = (
    pathlib.Path(__file__).parents[4]
    / 'doc'
    / 'source'
    / 'contributor'
    / 'advisory.rst'
)

NOTES = 'release-notes'

FIELDS = {'section', 'rows', 'source', 'target'}


def document(**changes):
    row = {
        'id': 'an-id',
        'release': 22,
        'severity': 'info',
        'message': 'of [{section}]',
        'remediation': [{'kind': 'text', 'text': 'Do it.'}],
        'references': ['a page'],
        'conditions': [{'service': 'api'}],
    }
    row.update(changes)
    return json.dumps({'format': 1, 'advisories': [row]})


def fields(text):
    """Return the names in braces of a template."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


class TestFile(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.read = advisories.load()
        self.facts = catalog.Catalog()

    def test_it_is_its_own_serialisation(self):
        text = history.read(advisories.KIND)
        again = json.dumps(json.loads(text), indent=1, sort_keys=True)
        self.assertEqual(again + '\n', text)

    def test_ids_are_unique_and_sorted(self):
        ids = [one.id for one in self.read]
        self.assertEqual(sorted(set(ids)), ids)
        for name in ids:
            self.assertTrue(re.fullmatch('[a-z0-9]+(-[a-z0-9]+)+', name), name)

    def test_each_has_references_conditions_and_a_remedy(self):
        for one in self.read:
            self.assertTrue(one.references and one.remediation, one.id)
            # A note may concern every deployment.
            self.assertTrue(one.conditions or one.check == NOTES, one.id)
            self.assertEqual(len(set(one.references)), len(one.references))

    def test_a_message_is_one_sentence_without_a_full_stop(self):
        for one in self.read:
            self.assertNotIn('. ', one.message, one.id)
            self.assertNotEqual('.', one.message[-1], one.id)

    def test_templates_name_only_what_there_is(self):
        for one in self.read:
            known = FIELDS - (set() if one.per_backend else {'section'})
            known -= set() if one.rows else {'rows'}
            for text in (one.message, *(r.text for r in one.remediation)):
                self.assertEqual(set(), fields(text) - known, one.id)
            named = 'section' in fields(one.message)
            self.assertEqual(one.per_backend, named, one.id)
            kinds = {item.kind for item in one.remediation}
            self.assertEqual(set(), kinds - {'command', 'config', 'text'})

    def test_every_word_is_used_and_documented(self):
        used = {item.word for one in self.read for item in one.conditions}
        self.assertEqual(set(advisories.WORDS), used)
        for word in advisories.WORDS:
            self.assertIn(f'{{"{word}":', advisories.__doc__)

    def test_the_contributor_guide_has_every_word(self):
        if not PAGE.is_file():
            self.skipTest('the documentation is in the source tree only')
        page = PAGE.read_text(encoding='utf-8')
        for word in advisories.WORDS:
            self.assertIn(f'\n``{word}`` ', page)

    def test_releases_are_covered_and_have_one_before(self):
        covered = self.facts.releases
        for one in self.read:
            self.assertIn(one.release, covered[1:], one.id)
            for earlier in one.backports:
                self.assertLess(earlier, one.release, one.id)
                self.assertTrue(earlier.build, one.id)
                self.assertIn(earlier.build, one.message, one.id)

    def test_at_most_one_condition_counts_rows(self):
        for one in self.read:
            words = [item.word for item in one.conditions]
            self.assertLessEqual(words.count('rows'), 1, one.id)

    def test_drivers_and_plugins_are_real(self):
        for one in self.read:
            target = self.facts.releases[-1]
            plugins = {
                advisories.EMC_PREFIX + name
                for kind in (drivers.EMC_PLUGIN, drivers.EMC_ALIAS)
                for name in self.facts.plugins(target, kind)
            }
            known = plugins | set(self.facts.drivers(target))
            for item in one.conditions:
                if isinstance(item, advisories.Drivers):
                    self.assertEqual(set(), item.names - known, one.id)

    def test_options_are_real_in_the_release(self):
        for one in self.read:
            options = self.facts.options(one.release)
            for item in one.conditions:
                if (
                    not isinstance(item, advisories.OptionCondition)
                    # The last point releases before it have no more of it.
                    or item.name == 'netapp_backup_share'
                ):
                    continue
                found = (
                    options.backend(item.name)
                    if item.section is None
                    else options.find(item.section, item.name)
                )
                self.assertIsNotNone(found, f'{one.id} {item}')
                self.assertFalse(found.old, (one.id, item))

    def test_tables_and_columns_are_real_in_the_release_before(self):
        for one in self.read:
            if one.rows is None:
                continue
            before = releases.from_major(one.release.major - 1)
            columns = self.facts.columns(before)
            names = ['deleted', *(column for column, _ in one.rows.where)]
            if one.rows.host:
                names.append(one.rows.host)
            for name in names:
                self.assertIn((one.rows.table, name), columns, one.id)

    def test_only_the_api_is_a_service(self):
        for one in self.read:
            for item in one.conditions:
                if isinstance(item, advisories.ServiceCondition):
                    self.assertEqual('api', item.name)


class TestDefaults(testtools.TestCase):
    """What an advisory says of a default is what the catalog says."""

    def changed(self, name, group, major):
        facts = catalog.Catalog()
        found = []
        for release in (major - 1, major):
            options = facts.options(releases.from_major(release))
            match = (
                options.backend(name)
                if group is None
                else options.find(group, name)
            )
            found.append(match and match.option.default)
        return tuple(found)

    def test_defaults(self):
        self.assertEqual(
            [
                ('http', 'https'),
                (None, True),
                (None, True),
                (False, True),
                ('manila_service_instance_%s', '%s'),
                (None, True),
            ],
            [
                self.changed('netapp_transport_type', None, 23),
                self.changed('flashblade_ssl_cert_verify', None, 23),
                self.changed('hitachi_hsp_ssl_cert_verify', None, 23),
                self.changed(
                    'service_token_roles_required', 'keystone_authtoken', 23
                ),
                self.changed('service_instance_name_template', None, 14),
                self.changed('update_shares_status_on_ensure', 'DEFAULT', 19),
            ],
        )

    def test_lists_that_grew(self):
        grown = []
        for name, major in (
            ('scheduler_default_filters', 13),
            ('scheduler_default_filters', 14),
            ('admin_only_metadata', 22),
        ):
            before, after = self.changed(name, 'DEFAULT', major)
            grown.append(sorted(set(after) - set(before)))
        self.assertEqual(
            [
                ['AffinityFilter', 'AntiAffinityFilter'],
                ['OnlyHostFilter'],
                ['__managed_at'],
            ],
            grown,
        )

    def test_scripts_that_went(self):
        facts = catalog.Catalog()
        for major, there in ((20, True), (21, False)):
            scripts = facts.plugins(
                releases.from_major(major), drivers.WSGI_SCRIPT
            )
            self.assertEqual(there, 'manila-wsgi' in scripts)


class TestDecode(testtools.TestCase):
    def test_a_row(self):
        rows = {'table': 't', 'where': {'b': ['2', '3'], 'a': '1'}}
        rows['host'] = 'h'
        (one,) = advisories.decode(
            document(
                backports=['21.0.1'],
                conditions=[
                    {'driver': ['x.Y', 'emc:z']},
                    {'option_unset': 'quota/shares'},
                    {'option_lacks': {'option': 'foo', 'items': ['a', 'b']}},
                    {'service': 'api'},
                    {'rows': rows},
                ],
            )
        )
        self.assertEqual(
            advisories.Advisory(
                'an-id',
                releases.parse('2026.1'),
                (releases.parse('21.0.1').of_build('21.0.1'),),
                model.Severity.INFO,
                'of [{section}]',
                (model.advice('Do it.'),),
                ('a page',),
                (
                    advisories.Drivers('driver', frozenset({'x.Y', 'emc:z'})),
                    advisories.OptionCondition(
                        'option_unset', 'quota', 'shares'
                    ),
                    advisories.OptionCondition(
                        'option_lacks', None, 'foo', ('a', 'b')
                    ),
                    advisories.ServiceCondition('service', 'api'),
                    advisories.LiveRows(
                        'rows', 't', (('a', ('1',)), ('b', ('2', '3'))), 'h'
                    ),
                ),
            ),
            one,
        )
        self.assertTrue(one.per_backend)
        self.assertEqual(one.conditions[-1], one.rows)

    def test_another_format_is_refused_by_its_number(self):
        error = self.assertRaises(
            exceptions.CatalogError,
            advisories.decode,
            '{"format": 2, "advisories": [{"new": "shape"}]}',
        )
        self.assertIn('has format 2, this version reads 1', str(error))

    def test_damage_is_refused(self):
        for text in (
            '',
            '[]',
            '{"format": 1}',
            document(conditions=[{'weather': 'fair'}]),
            document(conditions=[{'service': 'api', 'rows': {}}]),
            document(conditions=['api']),
            document(release=99),
            document(severity='grave'),
        ):
            error = self.assertRaises(
                exceptions.CatalogError, advisories.decode, text
            )
            self.assertIn('is damaged', str(error))
