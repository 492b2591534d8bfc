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
"""Files of facts: the tool that writes them, and what is read from them."""

import copy
import io
import json
import subprocess
import sys
from typing import Any
import zipfile

import ddt
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import builds
from manila_precheck.catalog import history
from manila_precheck.catalog import options

FACTS = catalog.Catalog()
RELEASE = releases.parse('2024.1')
#: A build of which little is known.
SMALL: dict[str, Any] = {
    'format': 1,
    'kind': 'manila-build',
    'made': '2026-11-28T12:00:00Z',
    'python': '3.11.7',
    'release': {
        'version': '18.0.1',
        'requires_python': '>=3.8',
        'requires': {'sqlalchemy': '>=1.4.0'},
    },
    'options': [
        {'name': 'of_the_build', 'in': ['[DEFAULT]'], 'type': 'string'},
        {
            'name': 'acme_key',
            'in': ['backend'],
            'type': 'string',
            'secret': True,
        },
    ],
    'auth_plugins': [{'plugin': 'password', 'options': []}],
    'policies': [{'name': 'acme:create', 'check': 'role:admin'}],
    'drivers': [{'kind': 'share', 'name': 'acme.Driver', 'modes': [True]}],
    'revisions': [
        {'revision': '162a3e673105', 'down': None, 'file': 'a.py'},
        {'revision': 'acme00000001', 'down': '162a3e673105', 'file': 'b.py'},
    ],
    'said': ['amqp://: no pyngus'],
}

# Of the release after the newest.
UNKNOWN = f'{releases.RELEASES[-1].major + 1}.0.0.0rc1'


def changed(*path, **values):
    """Return the text of a file with something else in it."""
    document = copy.deepcopy(SMALL)
    place = document
    for name in path:
        place = place[name]
    place.update(values)
    return json.dumps(document)


def facts_of(release):
    """Return a release of the shipped catalog, as the tool writes it."""

    def rows(kind):
        for name, found in history.load(kind).at(release).items():
            for row in found:
                yield name, {k: row[k] for k in row if k != 'releases'}

    plugins = {}
    for name, row in rows('auth_plugins'):
        if row.get('unloadable'):
            plugins[name] = None
        else:
            plugins.setdefault(name, [])
            if not row.get('no_options'):
                plugins[name].append(row)
    package = FACTS.package(release)
    return {
        **SMALL,
        'release': {
            'version': package.version,
            'requires_python': package.requires_python,
            'requires': {
                name: row['requires'] for name, row in rows('releases')
            },
        },
        'options': [{'name': name, **row} for name, row in rows('options')],
        'auth_plugins': [
            {'plugin': name, 'options': found}
            for name, found in plugins.items()
        ],
        'policies': [{'name': name, **row} for name, row in rows('policies')],
        'drivers': [
            {'name': name, **row}
            for name, row in rows('drivers')
            if row['kind'] != 'need'
        ],
        'revisions': [
            {'revision': name, **row} for name, row in rows('revisions')
        ],
    }


@ddt.ddt
class BuildsTest(testtools.TestCase):
    def test_the_tool(self):
        """One file, the same whenever it is written, that says its usage."""
        data = builds.tool()
        self.assertEqual(data, builds.tool())
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.assertIsNone(archive.testzip())
        folder = self.useFixture(fixtures.TempDir()).path
        path = f'{folder}/catalog.pyz'
        with open(path, 'wb') as stream:
            stream.write(data)
        done = subprocess.run(
            [sys.executable, '-I', path, '--help'],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertIn('usage: catalog.pyz [-h] output', done.stdout)

    def test_a_build(self):
        build = builds.parse(json.dumps(SMALL), 'x.json')
        self.assertEqual(
            ('18.0.1', RELEASE, ('amqp://: no pyngus',)),
            (build.version, build.release, build.said),
        )
        facts = catalog.Catalog(build)
        self.assertEqual(
            ['of_the_build', 'acme_key'],
            [one.name for one in facts.options(RELEASE)],
        )
        self.assertEqual(['acme:create'], list(facts.policies(RELEASE)))
        self.assertEqual(['acme.Driver'], list(facts.drivers(RELEASE)))
        self.assertEqual('18.0.1', facts.package(RELEASE).version)
        self.assertEqual(
            ('162a3e673105', 'acme00000001'), facts.chain(RELEASE)
        )
        # A vendor's secret is one.
        self.assertIn('acme_key', facts.secrets)
        self.assertNotIn('acme_key', FACTS.secrets)

    def test_without_paste(self):
        """Debian has api-paste.ini in /etc, which is the operator's."""
        facts = catalog.Catalog(builds.parse(json.dumps(SMALL), 'x.json'))
        self.assertEqual(FACTS.paste(RELEASE), facts.paste(RELEASE))
        self.assertNotEqual({}, facts.paste(RELEASE))

    def test_without_requirements(self):
        """Debian's metadata has none."""
        text = changed('release', requires={}, requires_python=None)
        facts = catalog.Catalog(builds.parse(text, 'x.json'))
        self.assertEqual(
            FACTS.requirements(RELEASE), facts.requirements(RELEASE)
        )
        self.assertEqual(
            ('18.0.1', (3, 8)),
            (
                facts.package(RELEASE).version,
                facts.package(RELEASE).least_python,
            ),
        )

    def test_with_paste(self):
        keys = {'paste.app_factory': 'acme:factory'}
        row = {'kind': 'paste', 'name': 'app:acme', 'keys': keys}
        text = changed(drivers=[*SMALL['drivers'], row])
        facts = catalog.Catalog(builds.parse(text, 'x.json'))
        self.assertEqual({'app:acme': keys}, facts.paste(RELEASE))

    def test_what_a_later_version_adds(self):
        document = copy.deepcopy(SMALL)
        document['new'] = 1
        for kind in ('options', 'policies', 'drivers', 'revisions'):
            for row in document[kind]:
                row['new'] = 1
        document['options'][0]['type'] = {
            'kind': 'list',
            'new': 1,
            'item': {'kind': 'integer', 'new': 1},
        }
        build = builds.parse(json.dumps(document), 'x.json')
        option, _ = catalog.Catalog(build).options(RELEASE)
        self.assertEqual(
            options.ValueType('list', options.ValueType('integer')),
            option.type,
        )

    @ddt.data(*FACTS.releases)
    def test_the_other_releases_stay(self, release):
        facts = catalog.Catalog(builds.parse(json.dumps(SMALL), 'x.json'))
        if release == RELEASE:
            self.assertEqual(
                FACTS.tables(release).keys(), facts.tables(release).keys()
            )
            return
        self.assertEqual(
            list(FACTS.options(release)), list(facts.options(release))
        )
        self.assertEqual(FACTS.policies(release), facts.policies(release))
        self.assertEqual(FACTS.drivers(release), facts.drivers(release))
        self.assertEqual(FACTS.chain(release), facts.chain(release))
        self.assertEqual(FACTS.package(release), facts.package(release))

    @ddt.data(*FACTS.releases)
    def test_the_shipped_build_as_a_file_changes_nothing(self, release):
        build = builds.parse(json.dumps(facts_of(release)), 'x.json')
        facts = catalog.Catalog(build)

        def ordered(found):
            return sorted(found, key=repr)

        self.assertEqual(
            ordered(FACTS.options(release)), ordered(facts.options(release))
        )
        self.assertEqual(FACTS.policies(release), facts.policies(release))
        for kind in ('share', 'emc_plugin', 'filter', 'transport', 'class'):
            self.assertEqual(
                FACTS.plugins(release, kind), facts.plugins(release, kind)
            )
        for driver in FACTS.drivers(release):
            self.assertEqual(
                FACTS.needs(release, driver), facts.needs(release, driver)
            )
        self.assertEqual(
            FACTS.needs(release, 'x', 'unity'),
            facts.needs(release, 'x', 'unity'),
        )
        self.assertEqual(FACTS.paste(release), facts.paste(release))
        self.assertEqual(FACTS.chain(release), facts.chain(release))
        self.assertEqual(
            FACTS.requirements(release), facts.requirements(release)
        )
        self.assertEqual(FACTS.secrets, facts.secrets)

    @ddt.data(
        '', 'x', '[]', 'null', '{}', '{"kind": "options"}', '[' * 100_000
    )
    def test_something_else(self, text):
        exc = self.assertRaises(
            exceptions.CatalogError, builds.parse, text, 'x.json'
        )
        self.assertEqual(
            'x.json is not a file that "manila-precheck catalog build" or '
            'catalog.pyz wrote',
            str(exc),
        )

    @ddt.data(
        (
            changed(format=2),
            'x.json has format 2, and this manila-precheck reads 1',
        ),
        (
            changed('release', version=UNKNOWN),
            f'x.json is of manila {UNKNOWN}, and this manila-precheck knows '
            f'{releases.known_range()}',
        ),
        (changed(options=None), 'x.json is damaged (TypeError: '),
        (changed(options=['x']), 'x.json is damaged (KeyError: '),
        (changed(options=[{'name': 'x'}]), "x.json is damaged (KeyError: 't"),
        (changed(policies=[{}]), "x.json is damaged (KeyError: 'name')"),
        (changed(policies=[{'name': 'x'}]), 'x.json is damaged (KeyError: '),
        (changed(drivers=[{'name': 'x'}]), 'x.json is damaged (KeyError: '),
        (
            changed(revisions=[]),
            'x.json is damaged (ValueError: no first revision)',
        ),
        (changed(release={}), "x.json is damaged (KeyError: 'version')"),
        (changed(said=1), 'x.json is damaged (TypeError: '),
    )
    @ddt.unpack
    def test_damaged(self, text, message):
        exc = self.assertRaises(
            exceptions.CatalogError, builds.parse, text, 'x.json'
        )
        self.assertEqual(message, str(exc)[: len(message)])
