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
import json
import os
import sqlite3
import sys
import threading

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.engine import context
from manila_precheck.tests import known_releases
from manila_precheck.tests.unit.catalog import test_builds

# manila 13.2.0, 18.3.0, 20.0.3 and 22.0.2: the last revision of each.
XENA = 'fbdfabcba377'
CARACAL = '2f27d904214c'
HIBISCUS = 'afc3b5e1f406'
EPOXY = '0d8c8f6d54a4'
GAZPACHO = '004e506e922e'

RELEASE = releases.parse('2024.1')


@ddt.ddt
class ResolutionTest(testtools.TestCase):
    """Which upgrade it is, from everything that may say so."""

    def setUp(self):
        super().setUp()
        self.useFixture(known_releases.KnownUpTo('2026.2'))

    def resolve(self, revision=None, tables=True, **kwargs):
        connection = None
        if revision is not None or not tables:
            folder = self.useFixture(fixtures.TempDir()).path
            path = os.path.join(folder, 'manila.sqlite')
            with sqlite3.connect(path) as database:
                if tables:
                    database.execute(
                        'CREATE TABLE alembic_version (version_num TEXT)'
                    )
                    database.execute('CREATE TABLE shares (id TEXT)')
                    database.execute(
                        'INSERT INTO alembic_version VALUES (?)', [revision]
                    )
            database.close()
            connection = f'sqlite:///{path}'
        site = self.useFixture(
            testing.Site(
                connection=connection,
                **{'source': None, 'target': None, **kwargs},
            )
        )
        resolution = site.context().resolution
        return (
            resolution.upgrade.source.name,
            resolution.source_origin,
            resolution.upgrade.target.name,
            resolution.target_origin,
        )

    @ddt.data(
        # The revision comes first, whatever the others say.
        (CARACAL, {}, '2024.1 database 2024.2 assumed'),
        (CARACAL, {'target': '2025.1'}, '2024.1 database 2025.1 option'),
        (CARACAL, {'installed': '18'}, '2024.1 database 2024.2 assumed'),
        (CARACAL, {'installed': '20'}, '2024.1 database 2025.1 package'),
        (CARACAL, {'source': '2023.1'}, '2024.1 database 2024.2 assumed'),
        (CARACAL, {'target': '2023.1'}, '2024.1 database 2023.1 option'),
        # Two releases have one revision: the one that fits.
        (XENA, {}, 'xena database yoga assumed'),
        (XENA, {'target': 'xena'}, 'xena database xena option'),
        (XENA, {'installed': '12'}, 'wallaby database xena assumed'),
        (XENA, {'source': 'wallaby'}, 'wallaby database xena assumed'),
        # After manila-manage db sync it says the target, not the source.
        (
            EPOXY,
            {'target': '2025.1', 'source': '2024.1'},
            '2024.1 option 2025.1 option',
        ),
        (EPOXY, {'target': '2025.1'}, '2025.1 database 2025.1 option'),
        (EPOXY, {'stage': 'upgraded'}, '2024.1 assumed 2025.1 database'),
        (
            EPOXY,
            {'stage': 'upgraded', 'source': '2024.2'},
            '2024.2 option 2025.1 database',
        ),
        # manila-manage db sync was forgotten.
        (
            CARACAL,
            {'stage': 'upgraded', 'target': '2025.1'},
            '2024.1 database 2025.1 option',
        ),
        # A revision that no release ends with says nothing.
        ('0123456789ab', {}, '2026.1 assumed 2026.2 assumed'),
        (
            '0123456789ab',
            {'installed': '20', 'target': '2026.1'},
            '2025.1 package 2026.1 option',
        ),
        # No database: the package, then the option, then a guess.
        (None, {}, '2026.1 assumed 2026.2 assumed'),
        (None, {'target': '2026.1'}, '2025.1 assumed 2026.1 option'),
        (None, {'target': '2025.2'}, '2025.1 assumed 2025.2 option'),
        (None, {'source': '2024.1'}, '2024.1 option 2024.2 assumed'),
        (
            None,
            {'source': '2024.1', 'installed': '20'},
            '2024.1 option 2025.1 package',
        ),
        # A new image beside the old database's release.
        (
            None,
            {'target': '2026.1', 'installed': '22'},
            '2025.1 assumed 2026.1 option',
        ),
        (None, {'installed': '20'}, '2025.1 package 2025.2 assumed'),
        (None, {'installed': '23'}, '2026.2 package 2026.2 assumed'),
        # A path that a vendor supports.
        (
            XENA,
            {'target': '2023.1', 'options': {'vendor_path': 'wallaby:2023.1'}},
            'wallaby database 2023.1 option',
        ),
        (
            None,
            {'target': '2023.1', 'options': {'vendor_path': 'wallaby:2023.1'}},
            'wallaby assumed 2023.1 option',
        ),
        (XENA, {'target': 'wallaby'}, 'wallaby database wallaby option'),
        (
            XENA,
            {'target': 'xena', 'installed': '12.1.2'},
            'wallaby database xena option',
        ),
        (
            XENA,
            {'stage': 'upgraded', 'installed': '12.1.2'},
            'wallaby assumed wallaby database',
        ),
        # The target that is given counts, whatever is installed.
        (
            CARACAL,
            {'target': '2025.1', 'installed': '24.0.0'},
            '2024.1 database 2025.1 option',
        ),
    )
    @ddt.unpack
    def test_resolution(self, revision, kwargs, expected):
        self.assertEqual(expected, ' '.join(self.resolve(revision, **kwargs)))

    @ddt.data(
        ({'target': '2026.1'}, '2026.1 option 2026.1 option'),
        ({'installed': '20'}, '2025.1 package 2025.1 package'),
        (
            {'installed': '20', 'target': '2025.2'},
            '2025.2 option 2025.2 option',
        ),
    )
    @ddt.unpack
    def test_first_install(self, kwargs, expected):
        """There is nothing to upgrade from on an empty database."""
        self.assertEqual(
            expected, ' '.join(self.resolve(tables=False, **kwargs))
        )

    def test_an_empty_database_is_not_what_runs(self):
        """It was taken for a first install, whatever was stated."""
        self.assertEqual(
            ('2024.1', 'option', '2024.2', 'assumed'),
            self.resolve(tables=False, source='2024.1'),
        )

    @ddt.data(
        {'target': '2031.1'},
        {'source': '17.1'},
        {'target': '18.0'},
        # As of "--target-release $TARGET", which was taken for none.
        {'target': ''},
        {'source': ''},
    )
    def test_unknown_release(self, options):
        self.assertRaises(exceptions.UsageError, self.resolve, **options)

    @ddt.data(
        {},
        {'source': '2025.1'},
        {'revision': EPOXY},
        {'revision': EPOXY, 'stage': 'upgraded'},
        {'tables': False},
    )
    def test_an_installed_manila_that_is_not_known_was_ignored(self, kwargs):
        for version in ('24.0.0.0rc1', '11.1.2', '0.0.0', 'unknown', ''):
            raised = self.assertRaises(
                exceptions.UsageError,
                self.resolve,
                installed=version or 'without a version in /x',
                **kwargs,
            )
            self.assertEqual(
                f'manila {version or "without a version in /x"} is installed '
                'here, but this manila-precheck knows only manila 12 '
                '(wallaby) to 23 (2026.2); pass --target-release RELEASE, '
                'or upgrade manila-precheck',
                str(raised),
            )

    @ddt.data(
        {'revision': HIBISCUS},
        {'revision': HIBISCUS, 'installed': '22.0.2'},
        {'source': '2026.2'},
    )
    def test_the_release_after_the_newest_was_the_newest(self, kwargs):
        raised = self.assertRaises(
            exceptions.UsageError, self.resolve, **kwargs
        )
        self.assertEqual(
            'the target release is not known: this manila-precheck knows '
            'only manila 12 (wallaby) to 23 (2026.2); pass --target-release '
            'RELEASE, or upgrade manila-precheck',
            str(raised),
        )

    @ddt.data('wallaby', 'wallaby:', 'wallaby:18.0', 'zed:yoga', 'a:b:c')
    def test_a_vendor_path_that_is_none(self, text):
        self.assertRaises(
            exceptions.UsageError,
            self.resolve,
            options={'vendor_path': text},
        )


class LazyTest(testtools.TestCase):
    def test_made_once_whoever_asks(self):
        lazy = context._Lazy()
        made = []

        def make():
            made.append(1)
            return len(made)

        threads = [
            threading.Thread(target=lazy.get, args=('x', make))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(1, lazy.get('x', make))

    def test_the_error_is_kept(self):
        lazy = context._Lazy()
        calls = []

        def make():
            calls.append(1)
            raise exceptions.SourceUnusable('down')

        for _ in range(3):
            self.assertRaises(exceptions.SourceUnusable, lazy.get, 'x', make)
        self.assertEqual([1], calls)

    def test_one_that_hangs_blocks_no_other(self):
        lazy = context._Lazy()
        release, started = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def hang():
            started.set()
            release.wait()

        threading.Thread(
            target=lazy.get, args=('slow', hang), daemon=True
        ).start()
        started.wait()
        self.assertEqual(2, lazy.get('quick', lambda: 2))


@ddt.ddt
class InstalledTest(testtools.TestCase):
    """The manila that is installed stands for its release."""

    def setUp(self):
        super().setUp()
        self.asked: list[tuple[str, float]] = []

    def context(self, installed='18.0.1.dev7', text=None, **kwargs):
        site = self.useFixture(testing.Site(installed=installed, **kwargs))
        ctx = site.context()

        def read(python, seconds):
            self.asked.append((python, seconds))
            if text is None:
                raise exceptions.SourceUnusable('/python cannot be run')
            return text

        ctx.take_installed(read)
        return ctx

    @ddt.data(
        ('source', {'target': '2025.1'}),
        ('target', {'source': '2023.1', 'target': '2024.1'}),
        ('target', {'source': '2023.1', 'target': None, 'stage': 'stopped'}),
    )
    @ddt.unpack
    def test_its_own_facts(self, side, kwargs):
        ctx = self.context(
            text=test_builds.changed('release', version='18.0.1.dev7'),
            **kwargs,
        )
        self.assertEqual([(sys.executable, 300.0)], self.asked)
        release = getattr(ctx.upgrade, side)
        self.assertEqual(
            model.Facts('environment', '18.0.1.dev7'), ctx.facts(release)
        )
        self.assertEqual(
            ['acme_key', 'of_the_build'],
            [one.name for one in ctx.catalog.options(release)],
        )
        (other,) = {ctx.upgrade.source, ctx.upgrade.target} - {release}
        self.assertEqual('shipped', ctx.facts(other).origin)
        self.assertEqual('', ctx.installed_unread)
        self.assertIsNone(ctx.other_build)

    @ddt.data(
        # The shipped facts are of that build.
        {'installed': '18.3.0'},
        {'installed': None},
        # It is no side of the upgrade.
        {'installed': '19.0.0.dev7'},
        {'options': {'shipped_catalog': True}},
    )
    def test_nothing_was_asked(self, kwargs):
        ctx = self.context(**kwargs)
        self.assertEqual([], self.asked)
        package = ctx.catalog.package(RELEASE)
        self.assertEqual(
            model.Facts('shipped', '18.3.0', package.built),
            ctx.facts(RELEASE),
        )
        self.assertEqual('', ctx.installed_unread)

    def test_a_release_beyond_those_that_are_known(self):
        """It is the target; nothing but its own facts tells of it."""
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        version = '24.0.0.0rc1'
        ctx = self.context(
            version,
            test_builds.changed('release', version=version),
            source='2026.1',
            target=None,
        )
        self.assertEqual('2026.1 to 2027.1', str(ctx.upgrade))
        self.assertEqual(
            model.Facts('environment', version), ctx.facts(ctx.upgrade.target)
        )
        self.assertIsNone(ctx.other_build)

    def test_a_release_beyond_that_cannot_be_read(self):
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        ctx = self.context('24.0.0.0rc1', source='2026.1', target=None)
        self.assertEqual(1, len(self.asked))
        exc = self.assertRaises(exceptions.UsageError, lambda: ctx.upgrade)
        self.assertEqual(
            'manila 24.0.0.0rc1 is installed here, but this manila-precheck '
            'knows only manila 12 (wallaby) to 23 (2026.2); pass '
            '--target-release RELEASE, or upgrade manila-precheck',
            str(exc),
        )

    @ddt.data(
        {'options': {'shipped_catalog': True}, 'target': None},
        {'target': '2026.2'},
    )
    def test_a_release_beyond_that_is_not_asked_for(self, kwargs):
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        try:
            self.context('24.0.0.0rc1', source='2026.1', **kwargs)
        except exceptions.UsageError:
            self.assertIsNone(kwargs['target'])
        self.assertEqual([], self.asked)

    def test_an_earlier_version_whose_facts_are_shipped(self):
        ctx = self.context('18.0.1')
        self.assertEqual([], self.asked)
        package = ctx.catalog.package(ctx.upgrade.source)
        self.assertEqual(
            model.Facts('shipped', '18.0.1', package.built),
            ctx.facts(ctx.upgrade.source),
        )

    def test_an_update_to_what_is_installed(self):
        """Its sides have the names of their builds once it is read."""
        ctx = self.context(
            text=test_builds.changed('release', version='18.0.1.dev7'),
            source='18.0.0',
            target=None,
        )
        self.assertEqual('18.0.0 to 18.0.1.dev7', str(ctx.upgrade))
        self.assertEqual(
            ['shipped', 'environment'],
            [
                ctx.facts(one).origin
                for one in (ctx.upgrade.source, ctx.upgrade.target)
            ],
        )

    def test_the_file_that_is_given(self):
        site = self.useFixture(
            testing.Site(
                installed='18.0.2.dev7',
                files={'facts.json': json.dumps(test_builds.SMALL)},
            )
        )
        ctx = site.context()
        path = site.file('facts.json')
        ctx.conf.set_override('source_catalog', path, group='manila_precheck')
        ctx.take_builds()
        ctx.take_installed(lambda python, seconds: self.fail('asked'))
        self.assertEqual(path, ctx.facts(ctx.upgrade.source).path)

    def test_beside_a_file_of_the_other_side(self):
        site = self.useFixture(
            testing.Site(
                installed='20.0.0.dev7',
                files={'facts.json': json.dumps(test_builds.SMALL)},
            )
        )
        ctx = site.context()
        path = site.file('facts.json')
        ctx.conf.set_override('source_catalog', path, group='manila_precheck')
        ctx.take_builds()
        ctx.take_installed(
            lambda python, seconds: test_builds.changed(
                'release', version='20.0.0.dev7'
            )
        )
        self.assertEqual(
            [path, None],
            [
                ctx.facts(one).path
                for one in (ctx.upgrade.source, ctx.upgrade.target)
            ],
        )
        self.assertEqual(
            ['18.0.1', '20.0.0.dev7'],
            [
                ctx.catalog.package(one).version
                for one in (ctx.upgrade.source, ctx.upgrade.target)
            ],
        )

    @ddt.data(
        (None, '/python cannot be run'),
        (
            json.dumps(test_builds.SMALL),
            f'{sys.executable} has manila 18.0.1',
        ),
        (
            test_builds.changed(said=1),
            'this environment is damaged: said: 1 is not of type array',
        ),
    )
    @ddt.unpack
    def test_it_cannot_be_read(self, text, reason):
        ctx = self.context('18.0.2.dev7', text)
        self.assertEqual(reason, ctx.installed_unread)
        self.assertEqual('shipped', ctx.facts(RELEASE).origin)

    def test_no_python(self):
        self.useFixture(fixtures.MonkeyPatch('sys.executable', ''))
        ctx = self.context('18.0.2.dev7')
        self.assertEqual([], self.asked)
        self.assertEqual('no Python is known to run it', ctx.installed_unread)
