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

import contextlib
import copy
import io
import json
import pkgutil
import subprocess
import sys
from typing import Any
import zipfile

import ddt
import fixtures
import jsonschema
import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import builds
from manila_precheck.catalog import drivers
from manila_precheck.catalog import history
from manila_precheck.catalog import options
from manila_precheck.catalog import values

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

# Of the release before the oldest.
UNKNOWN = '11.0.0'


def changed(*path, **values):
    """Return the text of a file with something else in it."""
    document = copy.deepcopy(SMALL)
    place = document
    for step in path:
        place = place[step]
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
        self.assertIn(
            'usage: catalog.pyz [-h] [--also PACKAGE] [--try-drivers]',
            done.stdout,
        )

    def test_a_build(self):
        build = builds.parse(json.dumps(SMALL), 'x.json')
        self.assertEqual(
            ('18.0.1', RELEASE, ('amqp://: no pyngus',)),
            (build.version, build.release, build.messages),
        )
        facts = catalog.Catalog(build)
        self.assertEqual(
            ['acme_key', 'of_the_build'],
            [one.name for one in facts.options(RELEASE)],
        )
        self.assertEqual(['acme:create'], list(facts.policies(RELEASE)))
        self.assertEqual(['acme.Driver'], list(facts.drivers(RELEASE)))
        package = facts.package(RELEASE)
        self.assertEqual(
            ('18.0.1', '2026-11-28'), (package.version, package.built)
        )
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
        _, option = catalog.Catalog(build).options(RELEASE)
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
        (
            changed(options=None),
            'x.json is damaged: options: null is not of type array',
        ),
        (
            changed(options=['x']),
            'x.json is damaged: options[0]: "x" is not of type object',
        ),
        (
            changed(options=[{'name': 'x', 'type': 'string'}]),
            'x.json is damaged: options[0].in: is missing',
        ),
        (
            changed('options', 1, type={'kind': 'list', 'item': 7}),
            'x.json is damaged: options[1].type.item: 7 is not of type string '
            'or object',
        ),
        (
            changed('options', 1, type={'kind': 'string', 'regex': '('}),
            'x.json is damaged: options[1].type.regex: "(" is not a regular '
            'expression',
        ),
        (
            changed(
                'options', 1, type={'kind': 'integer', 'min': 5, 'max': 1}
            ),
            'x.json is damaged: the type of the option acme_key: Max value is '
            'less than min value',
        ),
        (
            changed('options', 0, default={'a': ['\x1b[31m']}),
            'x.json is damaged: options[0].default.a[0]: "\\u001b[31m" does '
            'not match ^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f'
            '\\ud800-\\udfff]*$',
        ),
        (
            changed('options', 0, deprecated_names=[[None]]),
            'x.json is damaged: options[0].deprecated_names[0]: has fewer '
            'than 2 items',
        ),
        (
            changed('options', 0, default=10**400),
            'x.json is damaged: options[0].default: a large number is more '
            'than 1e+300',
        ),
        (
            changed(policies=[{'name': 'x'}]),
            'x.json is damaged: policies[0].check: is missing',
        ),
        (
            changed(drivers=[{'name': 'x', 'kind': 'paste'}]),
            'x.json is damaged: drivers[0].keys: is missing',
        ),
        (
            changed(drivers=[{'name': 'x', 'kind': 'need', 'options': []}]),
            'x.json is damaged: drivers[0].at: is missing',
        ),
        (
            changed('release', requires={'a b': 7}),
            'x.json is damaged: release.requires["a b"]: 7 is not of type '
            'string',
        ),
        (
            changed(revisions=[]),
            'x.json is damaged: revisions: is empty',
        ),
        (
            changed('revisions', 0, down='x'),
            'x.json is damaged: the revisions do not form a chain',
        ),
        (
            changed(release={}),
            'x.json is damaged: release.version: is missing',
        ),
        (
            changed(made='yesterday'),
            'x.json is damaged: made: "yesterday" does not match ^[0-9]{4}-'
            '[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$',
        ),
        (
            '{"kind": "manila-build"}',
            'x.json is damaged: format: is missing',
        ),
        (
            changed(format=True),
            'x.json is damaged: format: true is not 1',
        ),
        (
            changed('options', 0, default=[[]]).replace(
                '[[]]', '[' * 40 + ']' * 40
            ),
            'x.json is damaged: it is nested more than 32 levels deep',
        ),
    )
    @ddt.unpack
    def test_damaged(self, text, message):
        exc = self.assertRaises(
            exceptions.CatalogError, builds.parse, text, 'x.json'
        )
        self.assertEqual(message, str(exc))


#: A build with every key that the format has.
WHOLE: dict[str, Any] = {
    **SMALL,
    'options': [
        {
            'name': 'acme_map',
            'in': ['[quota]', 'backend'],
            'type': {
                'kind': 'dict',
                'item': {
                    'kind': 'string',
                    'max_length': 9,
                    'regex': '^a',
                    'ignore_case': True,
                    'quotes': True,
                },
                'bounds': True,
                'separator': '=',
            },
            'default': {'a': ['b', 1, 1.5, None, True]},
            'multi': True,
            'secret': True,
            'required': True,
            'deprecated_for_removal': True,
            'deprecated_since': 'Xena',
            'deprecated_names': [[None, 'map'], ['OLD', 'map']],
            'drivers': ['acme.Driver'],
            'plugins': ['vnx'],
            'read_in_default': True,
        },
        {
            'name': 'acme_range',
            'in': ['[DEFAULT]'],
            'type': {'kind': 'range', 'min': 1, 'max': 9, 'inclusive': True},
            'host_default': True,
        },
        {
            'name': 'acme_address',
            'in': ['[DEFAULT]'],
            'type': {'kind': 'ip_address', 'version': 4},
        },
        {
            'name': 'acme_choice',
            'in': ['[DEFAULT]'],
            'type': {'kind': 'string', 'choices': ['a', '']},
        },
        {
            'name': 'acme_uri',
            'in': ['[DEFAULT]'],
            'type': {'kind': 'uri', 'schemes': ['http']},
        },
        {
            'name': 'acme_code',
            'in': ['[DEFAULT]'],
            'type': {'kind': 'opaque', 'name': 'Acme'},
        },
    ],
    'auth_plugins': [
        {
            'plugin': 'password',
            'options': [{'name': 'user', 'type': 'string', 'secret': True}],
        },
        {'plugin': 'kerberos', 'options': None},
    ],
    'policies': [
        {
            'name': 'acme:create',
            'check': 'role:admin',
            'scope_types': ['project'],
            'deprecated_rule': {
                'name': 'acme:make',
                'check': '',
                'since': 'Xena',
            },
            'deprecated_for_removal': True,
        }
    ],
    'drivers': [
        {
            'kind': 'share',
            'name': 'acme.Driver',
            'modes': [True],
            'deprecated': True,
            'internal': True,
            'lacks': ['acme_client'],
        },
        {'kind': 'share_moved', 'name': 'acme.Old', 'target': 'acme.Driver'},
        {'kind': 'paste', 'name': 'app:acme', 'keys': {'a': 'b'}},
        {
            'kind': 'need',
            'name': 'acme.Driver',
            'options': ['acme_map'],
            'at': 'init',
            'mode': True,
        },
        {'kind': 'paste_module', 'name': 'acme.paste', 'names': ['factory']},
        {'kind': 'paste_module', 'name': 'acme.other', 'unread': True},
        {
            'kind': 'paste_factory',
            'name': 'acme.paste:factory',
            'ways': {'way': 'loads'},
        },
    ],
    'out_of_tree': ['acme'],
    'importable': ['acme'],
    'unimportable': {'broken': 'ImportError: No module\x1b'},
}
JUNK = (
    None,
    True,
    0,
    -7.5,
    1e999,
    10**400,
    '',
    'x',
    '\x1b[31m',
    '\ud800',
    [],
    {},
    [[]],
    [None],
    ['('],
    {'': None},
    {'kind': 'list', 'item': {}},
)


def schema():
    data = pkgutil.get_data('manila_precheck.catalog', 'data/build-1.json')
    assert data is not None
    return json.loads(data)


def places(document, path=()):
    """Yield the path of everything in a document."""
    yield path
    if isinstance(document, dict):
        for name, one in document.items():
            yield from places(one, (*path, name))
    if isinstance(document, list):
        for index, one in enumerate(document):
            yield from places(one, (*path, index))


def replaced(path, junk):
    """Return the text of WHOLE with something else in a place."""
    document = copy.deepcopy(WHOLE)
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    if junk is REMOVED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = junk
    # As JSON has a number that is too large.
    return json.dumps(document).replace('Infinity', '1e999')


REMOVED = object()


def around(path, text):
    """Return a text without what has nothing to do with a place.

    To look through all of WHOLE, each time, takes ten times as long.
    """
    found = json.loads(text)
    return {key: found[key] for key in (*SMALL, path[0]) if key in found}


def closed(node):
    """Make a schema reject every key that it does not describe."""
    if isinstance(node, dict):
        if 'properties' in node and 'if' not in node:
            node.setdefault('additionalProperties', False)
        for name, one in node.items():
            if name != 'if':
                closed(one)
    if isinstance(node, list):
        for one in node:
            closed(one)
    return node


def shown(path):
    """Return a path as a message names it."""
    text = ''
    for step in path:
        text += f'[{step}]' if isinstance(step, int) else f'.{step}'
    return text.lstrip('.')


@ddt.ddt
class FormatTest(testtools.TestCase):
    """The parser and the schema that is documented say the same."""

    @ddt.data(WHOLE, SMALL, *map(facts_of, FACTS.releases))
    def test_the_schema_describes_every_key(self, facts):
        jsonschema.Draft202012Validator.check_schema(schema())
        validator = jsonschema.Draft202012Validator(closed(schema()))
        validator.validate(facts)

    def test_every_fact_has_its_key(self):
        """What the readers of the rows know, and no more."""
        described = schema()['$defs']
        kind = {*options.ValueType._fields}
        self.assertEqual(kind, set(described['type']['properties']))
        option = {*options.Option._fields}
        self.assertEqual(
            option - {'groups', 'kinds'} | {'in'},
            set(described['option']['properties']),
        )
        driver = set(drivers.Driver._fields)
        need = set(drivers.DriverNeed._fields)
        self.assertEqual(
            driver | need | {'keys', 'names', 'unread', 'ways'},
            set(schema()['properties']['drivers']['items']['properties']),
        )

    def test_what_the_schema_rejects_the_parser_rejects(self):
        """In one line, which names the place; the rest can be used."""
        validator = jsonschema.Draft202012Validator(
            schema(),
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        )
        builds.parse(json.dumps(WHOLE), 'x.json')
        rejected = used = 0
        for path in places(WHOLE):
            for junk in (*JUNK, REMOVED) if path else ():
                text = replaced(path, junk)
                valid = validator.is_valid(around(path, text))
                try:
                    build = builds.parse(text, 'x.json')
                except exceptions.CatalogError as exc:
                    message = str(exc)
                    self.assertTrue(message.isprintable(), message)
                    self.assertLess(len(message), 300)
                    if not valid and path[0] not in ('kind', 'format'):
                        rejected += 1
                        self.assertIn(f'damaged: {path[0]}', message)
                    continue
                used += 1
                self.assertTrue(valid, f'{path}: {junk}')
                self.use(catalog.Catalog(build), path[0])
        # Neither side is empty.
        self.assertGreater(rejected, 1000)
        self.assertGreater(used, 100)

    def use(self, facts, key):
        """Ask for what is made of one key of a file."""
        if key in ('options', 'auth_plugins'):
            for option in facts.options(RELEASE):
                values.admits(option.type)
                with contextlib.suppress(ValueError):
                    values.parser(option.type)('x')
        elif key == 'policies':
            facts.policies(RELEASE)
        elif key == 'drivers':
            facts.drivers(RELEASE)
            facts.needs(RELEASE, 'acme.Driver')
            facts.paste(RELEASE)
        else:
            facts.chain(RELEASE)
            facts.requirements(RELEASE)

    def test_the_place_is_that_of_the_schema(self):
        validator = jsonschema.Draft202012Validator(schema())
        for path in places(WHOLE):
            text = replaced(path, 0) if path else '{}'
            errors = validator.iter_errors(json.loads(text))
            named = {shown(error.absolute_path) for error in errors}
            if not path or not named or path[0] in ('kind', 'format'):
                continue
            exc = self.assertRaises(
                exceptions.CatalogError, builds.parse, text, 'x.json'
            )
            place = str(exc).split(': ')[1]
            self.assertIn(place, named)

    def test_a_large_file(self):
        text = json.dumps({**SMALL, 'said': ['x' * builds.MAX_BYTES]})
        exc = self.assertRaises(
            exceptions.CatalogError, builds.parse, text, 'x.json'
        )
        self.assertEqual(
            'x.json is not a file that "manila-precheck catalog build" or '
            'catalog.pyz wrote',
            str(exc),
        )


def at(version):
    """Return the release of a version, of that build."""
    return releases.parse(version).of_build(version)


@ddt.ddt
class PointsTest(testtools.TestCase):
    """The point releases before the last one of a release."""

    @ddt.data(*FACTS.releases)
    def test_every_final_version_is_known(self, release):
        finals = tuple(one.text for one in releases.final_versions(release))
        self.assertEqual(finals, FACTS.builds(release))
        self.assertEqual(finals[-1], FACTS.latest(release))

    @ddt.data(
        *(version for r in FACTS.releases for version in FACTS.builds(r))
    )
    def test_the_package(self, version):
        package = FACTS.package(at(version))
        self.assertEqual(
            (version, f'manila-{version}-py3-none-any.whl'),
            (package.version, package.filename),
        )
        self.assertRegex(package.sha256, '^[0-9a-f]{64}$')
        self.assertLess((3, 5), package.least_python)

    @ddt.data(
        ('netapp_backup_share', '18.0.0 18.0.1 18.1.0'),
        ('set_zero_reserved_blocks', '21.0.2 21.0.3'),
    )
    @ddt.unpack
    def test_an_option_of_some(self, name, versions):
        self.assertEqual(
            versions.split(),
            [
                version
                for version in FACTS.builds(at(versions.split()[0]))
                if name in {one.name for one in FACTS.options(at(version))}
            ],
        )

    def test_the_commands(self):
        kind = 'console_script'
        self.assertEqual(
            {'manila-all'},
            FACTS.plugins(at('18.2.1'), kind).keys()
            - FACTS.plugins(at('18.3.0'), kind).keys(),
        )

    @ddt.data(
        *(version for r in FACTS.releases for version in FACTS.builds(r)[:-1])
    )
    def test_every_fact_can_be_read(self, version):
        """And what is not of a version is that of the release."""
        release = at(version)
        whole = release.of_build('')
        known = FACTS.options(release)
        for one in known:
            known.find('DEFAULT', one.name)
        for read in (
            FACTS.policies,
            FACTS.drivers,
            FACTS.paste,
            FACTS.requirements,
        ):
            self.assertLess(2, len(read(release)))
        self.assertEqual(FACTS.chain(whole), FACTS.chain(release))
        self.assertIs(FACTS.tables(whole), FACTS.tables(whole))
        self.assertEqual(FACTS.tables(whole), FACTS.tables(release))

    def test_beside_a_file(self):
        """A file of a release, and a point release of it."""
        facts = catalog.Catalog(builds.parse(json.dumps(SMALL), 'x.json'))
        file = RELEASE.of_build('18.0.1 of x.json')
        for release, expected in (
            (RELEASE, '18.0.1'),
            (file, '18.0.1'),
            (at('18.0.1'), '18.0.1'),
            (at('18.3.0'), '18.3.0'),
        ):
            self.assertEqual(expected, facts.package(release).version)
        names = [
            {one.name for one in facts.options(release)}
            for release in (file, at('18.0.1'), at('18.3.0'))
        ]
        self.assertEqual({'acme_key', 'of_the_build'}, names[0])
        self.assertEqual(
            (True, False),
            tuple('netapp_backup_share' in found for found in names[1:]),
        )
