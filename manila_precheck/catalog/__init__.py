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

"""The facts of every manila release, read from the releases themselves.

    facts = catalog.Catalog()
    facts.options(release).find('DEFAULT', 'quota_shares')

All facts are package data that tools/build_catalog.py made from the latest
point release of each manila. Each kind of facts is one file, which is opened
when it is first needed. manila itself is never imported.
"""

from collections.abc import Callable
from collections.abc import Mapping
import functools
from typing import Any
from typing import Optional
from typing import TYPE_CHECKING
from typing import TypeVar

from manila_precheck import releases as releases_
from manila_precheck.catalog import drivers as drivers_
from manila_precheck.catalog import history
from manila_precheck.catalog import options as options_
from manila_precheck.catalog import policies as policies_
from manila_precheck.catalog import purging
from manila_precheck.catalog import schema
from manila_precheck.catalog import steps as steps_

if TYPE_CHECKING:
    from manila_precheck.catalog import builds as builds_

T = TypeVar('T')


# The data do not change, and a process may create many catalogs.
_load = functools.cache(history.load)


class Catalog:
    """Facts by release.

    Every method raises CatalogError when the release is not covered, or when
    the package data are missing or damaged; the message says what to do. The
    docstrings only mention it where they add something.
    """

    def __init__(self, *builds: 'builds_.FactsFile') -> None:
        """Store the builds; files are read when they are needed.

        :param builds: files of facts. Each replaces its release where its
            build is asked for; where no build is asked for, the last file of
            a release does.
        """
        self._builds = {build.release.build: build for build in builds}
        self._histories: dict[tuple[str, str], history.History] = {}
        self._made: dict[tuple[str, int, str], Any] = {}

    def _shipped(self, kind: str) -> history.History:
        return _load(kind)

    def _history(self, kind: str) -> history.History:
        """Return the facts of all releases."""
        if not self._builds:
            return self._shipped(kind)
        key = kind, ''
        if key not in self._histories:
            # Imported here because few runs have builds.
            from manila_precheck.catalog import builds as builds_

            found = self._shipped(kind)
            for build in self._builds.values():
                found = builds_.overlay(found, build)
            self._histories[key] = found
        return self._histories[key]

    def _of(self, kind: str, release: releases_.Release) -> history.History:
        """Return the facts, with one build replacing its release."""
        name = release.build
        if not name or name in self._latest_builds.values():
            return self._history(kind)
        if releases_.is_beyond(release) and name not in self._builds:
            return self._history(kind)
        if name == self.latest(release):
            return self._shipped(kind)
        key = kind, name
        if key not in self._histories:
            from manila_precheck.catalog import builds as builds_

            shipped = self._shipped(kind)
            build = self._builds.get(name)
            self._histories[key] = (
                builds_.overlay_point(shipped, release)
                if build is None
                else builds_.overlay(shipped, build)
            )
        return self._histories[key]

    def _build(
        self, release: releases_.Release
    ) -> Optional['builds_.FactsFile']:
        name = release.build or self._latest_builds.get(release.major, '')
        return self._builds.get(name)

    @functools.cached_property
    def _latest_builds(self) -> dict[int, str]:
        """The build that replaces each release when no build is asked for."""
        return {one.release.major: name for name, one in self._builds.items()}

    def _read(
        self, name: str, release: releases_.Release, read: Callable[[], T]
    ) -> T:
        """Return facts of a release; read them on the first call."""
        key = name, release.major, release.build
        if key not in self._made:
            self._made[key] = read()
        made: T = self._made[key]
        return made

    # -- releases ------------------------------------------------------------

    @functools.cached_property
    def releases(self) -> tuple[releases_.Release, ...]:
        """The releases that the catalog covers, oldest first."""
        covered = self._history('releases').covered
        known = [r for r in releases_.RELEASES if r.major in covered]
        files = {
            releases_.at(build.release.major)
            for build in self._builds.values()
            if releases_.is_beyond(build.release)
        }
        return (*known, *sorted(files))

    def latest(self, release: releases_.Release) -> str:
        """Return the latest version of a release: '22.0.2'.

        It is the latest one when the catalog was built, whatever the build.
        """
        if releases_.is_beyond(release):
            return self._history('releases').package(release).version
        return self._shipped('releases').package(release).version

    def builds(self, release: releases_.Release) -> tuple[str, ...]:
        """Return the versions of a release whose own facts are shipped.

        :returns: oldest first: '22.0.0', '22.0.1', '22.0.2'.
        """
        from manila_precheck.catalog import builds as builds_

        return (*builds_.points(release), self.latest(release))

    def of_build(
        self, release: releases_.Release, build: releases_.Build
    ) -> releases_.Release:
        """Return a release with a build, if the build's facts are known.

        :param build: a build of that release.
        :returns: the release unchanged when the build is not known.
        """
        latest = self.latest(release)
        versions = (
            (latest,) if build.is_version(latest) else self.builds(release)
        )
        for version in versions:
            if build.is_version(version):
                return release.of_build(version)
        return release

    def covers(self, release: releases_.Release) -> bool:
        """Say whether the catalog has the facts of a release."""
        return release in self.releases

    def package(self, release: releases_.Release) -> history.Package:
        """Return the package on PyPI from which the facts were read.

        Its version is the latest point release when the catalog was built,
        or the build of ``release``.
        """
        return self._of('releases', release).package(release)

    @property
    def date(self) -> str:
        """The day on which the newest facts were read: '2026-11-25'."""
        return max(self.package(release).built for release in self.releases)

    def requirements(self, release: releases_.Release) -> Mapping[str, str]:
        """Return the dependencies of a release's package.

        :returns: {'sqlalchemy': '>=1.4.0'}: names in lower case with dashes,
            sorted; specifiers as the package has them.
        """
        by_name = self._of('releases', release).at(release)
        return {name: rows[0]['requires'] for name, rows in by_name.items()}

    # -- options -------------------------------------------------------------

    def options(self, release: releases_.Release) -> options_.OptionSet:
        """Return every option of a release.

        They are those that manila's modules, its libraries and the plugins of
        keystoneauth register in a real installation of the release.
        """
        return self._read(
            'options',
            release,
            lambda: options_.OptionSet(
                release,
                self._of('options', release).at(release),
                self._of('auth_plugins', release).at(release),
            ),
        )

    def option_releases(
        self, name: str, place: str
    ) -> tuple[releases_.Release, ...]:
        """Return the covered releases that register a name in a section.

        :param name: the dest of an option; old names are not followed.
        :param place: a section ('DEFAULT', 'quota') or a kind of sections
            (options.KINDS: 'backend', ...).
        :returns: oldest first; empty when it was never registered there.
        """
        wanted = place
        if place not in options_.KINDS:
            wanted = options_.place_key(f'[{place}]')
        found: set[int] = set()
        facts = self._history('options')
        for row in facts.rows(name):
            if wanted in (options_.place_key(p) for p in row.get('in', ())):
                found |= facts.majors(row)
        return tuple(r for r in self.releases if r.major in found)

    def has_option(self, name: str) -> bool:
        """Say whether any covered release has an option of this dest."""
        return bool(self._history('options').rows(name))

    @functools.cached_property
    def old_option_names(self) -> frozenset[str]:
        """Every deprecated name of an option in any covered release."""
        return frozenset(
            old
            for _name, row in self._history('options').every_row()
            for _group, old in row.get('deprecated_names', ())
        )

    @functools.cached_property
    def secrets(self) -> frozenset[str]:
        """Every option name, old ones too, whose value may be a secret.

        Included are the options, also of auth plugins, that any covered
        release marks as secret: emc_nas_password was marked late, but was a
        secret before.
        """
        return options_.secret_names(
            entry
            for kind in ('options', 'auth_plugins')
            for entry in self._shipped(kind).every_row()
        ).union(self.secrets_of_builds)

    @functools.cached_property
    def secrets_of_builds(self) -> frozenset[str]:
        """The names in :attr:`secrets` that come from files of facts.

        The names of secrets in the shipped facts look like secrets; those of
        an out-of-tree driver may not, and only its file marks them.
        """
        return frozenset().union(
            *(one.secrets for one in self._builds.values())
        )

    @functools.cached_property
    def names_with_capitals(self) -> Mapping[str, str]:
        """The option names with capitals, by their lower case.

        The name of an environment variable does not preserve the case.
        """
        return {
            name.lower(): name
            for name, _ in self._shipped('options').every_row()
            if name != name.lower()
        }

    # -- policies ------------------------------------------------------------

    def policies(
        self, release: releases_.Release
    ) -> Mapping[str, policies_.Policy]:
        """Return every rule that a release registers, by name, sorted.

        The rules are from manila.policies.list_rules() of the release.
        """
        return self._read(
            'policies',
            release,
            lambda: policies_.read(self._of('policies', release).at(release)),
        )

    def policy(
        self, release: releases_.Release, name: str
    ) -> Optional[policies_.Policy]:
        """Return one rule of a release; None when it has no such rule."""
        return self.policies(release).get(name)

    # -- drivers -------------------------------------------------------------

    def plugins(
        self, release: releases_.Release, kind: str
    ) -> Mapping[str, drivers_.Driver]:
        """Return the drivers, plugins or scripts of a kind, by name, sorted.

        They are from the classes and entry points of the installed release.

        :param kind: one of drivers.KINDS: 'share', 'emc_plugin', 'network',
            'scheduler', 'filter', 'weigher', 'backup', 'console_script', ...
        """
        return self._read(
            'drivers',
            release,
            lambda: drivers_.read(self._of('drivers', release).at(release)),
        )[kind]

    def drivers(
        self, release: releases_.Release
    ) -> Mapping[str, drivers_.Driver]:
        """Return the share drivers of a release by class path, sorted."""
        return self.plugins(release, drivers_.SHARE)

    def driver(
        self, release: releases_.Release, path: str
    ) -> Optional[drivers_.Driver]:
        """Return the driver that share_driver loads for a path.

        :param path: a class path, as in a back end's section.
        :returns: the driver; for an old path that the share manager maps to a
            new one, a Driver of kind 'share_moved' whose target is the new
            path; None when manila has no such class, as for out-of-tree
            drivers. A file of facts has the drivers of the packages with
            which it was made (see :meth:`lacks_class`).
        """
        return self.drivers(release).get(path) or self.plugins(
            release, drivers_.SHARE_MOVED
        ).get(path)

    def lacks_class(
        self, release: releases_.Release, path: str
    ) -> Optional[str]:
        """Return why the build of a release cannot load a class path.

        :returns: a text for parentheses; None when it is unknown because
            there is no file of facts, or the file was made without the
            package of the class.
        """
        build = self._build(release)
        return None if build is None else build.lacks_class(path)

    def driver_releases(
        self, name: str, kind: str = drivers_.SHARE
    ) -> tuple[releases_.Release, ...]:
        """Return the covered releases that have a driver, oldest first.

        :param name: a class path or a plugin's name.
        :param kind: one of drivers.KINDS.
        """
        found: set[int] = set()
        facts = self._history('drivers')
        for row in facts.rows(name):
            if row['kind'] == kind:
                found |= facts.majors(row)
        return tuple(r for r in self.releases if r.major in found)

    def needs(
        self,
        release: releases_.Release,
        driver: str,
        plugin: Optional[str] = None,
    ) -> tuple[drivers_.DriverNeed, ...]:
        """Return the options that a driver of a release requires.

        They were found by creating and setting up the driver of the installed
        release with nothing set, until it connected to its storage. What it
        needs after that is not included.

        :param driver: the class path.
        :param plugin: its emc_share_backend, if any.
        """
        return drivers_.read_needs(
            self._of('drivers', release).at(release), driver, plugin
        )

    def paste(
        self, release: releases_.Release
    ) -> Mapping[str, Mapping[str, str]]:
        """Return the sections of the api-paste.ini that a release ships.

        :returns: {'app:apiv2': {'paste.app_factory': 'module:factory'}}.
        """
        return drivers_.read_paste(self._of('drivers', release).at(release))

    def factories(self, release: releases_.Release) -> drivers_.Factories:
        """Return the factories that an api-paste.ini of a release may name."""
        return drivers_.read_factories(
            self._of('drivers', release).at(release)
        )

    def importable(
        self, release: releases_.Release
    ) -> Optional[frozenset[str]]:
        """Return the top-level names of all that a build can import.

        :returns: None when no file of facts has them.
        """
        build = self._build(release)
        return None if build is None else build.importable

    def installs(
        self, release: releases_.Release, name: str
    ) -> Optional[bool]:
        """Say whether a build can import code that is not manila's.

        :param name: a module, or a name in one: 'acme.driver.Acme'.
        :returns: None when no file of facts tells. Findings that depend on it
            are then warnings, whatever the code is used for.
        """
        importable = self.importable(release)
        if importable is None:
            return None
        return name.partition('.')[0] in importable

    # -- the database --------------------------------------------------------

    def revisions(
        self, release: releases_.Release
    ) -> tuple[schema.Revision, ...]:
        """Return the migrations of a release, from the first to the head."""
        return self._read(
            'revisions',
            release,
            lambda: schema.read_chain(
                self._of('revisions', release).at(release)
            ),
        )

    def chain(self, release: releases_.Release) -> tuple[str, ...]:
        """Return the revision ids of a release, from the first to the head."""
        return tuple(item.id for item in self.revisions(release))

    def unknown_revisions(
        self, release: releases_.Release
    ) -> tuple[tuple[schema.Revision, bool], ...]:
        """Return the migrations of a release that no known release has.

        A file of facts may have such migrations: those of a fork, of a
        release newer than the known ones, or ones that a patch changed. Their
        effect is not known.

        :returns: (migration, whether a known release has another one with the
            same id).
        """
        if release.build not in self._builds:
            return ()
        from manila_precheck.catalog import builds as builds_

        shipped = self._shipped('revisions')
        found = []
        for one in self.revisions(release):
            known = builds_.revision_hashes(shipped, one.id)
            # A migration without a hash is assumed to be the known one.
            if not known or one.sha256 not in ('', *known):
                found.append((one, bool(known)))
        return tuple(found)

    def head(self, release: releases_.Release) -> str:
        """Return the revision to which a release migrates a database."""
        return self.revisions(release)[-1].id

    def releases_at(self, revision: str) -> tuple[releases_.Release, ...]:
        """Return the releases whose head is a revision, oldest first.

        :returns: several when releases share it (12 and 13 do); empty when it
            is unknown, or in the middle of a release's migrations.
        """
        return tuple(r for r in self.releases if self.head(r) == revision)

    def releases_with(self, revision: str) -> tuple[releases_.Release, ...]:
        """Return the releases whose chain has a revision, oldest first."""
        found: set[int] = set()
        facts = self._history('revisions')
        for row in facts.rows(revision):
            found |= facts.majors(row)
        return tuple(r for r in self.releases if r.major in found)

    def steps(
        self, release: releases_.Release
    ) -> Mapping[str, tuple[steps_.MigrationStep, ...]]:
        """Return the steps of a release's migrations, by revision, in order.

        The migrations themselves were run one by one on MariaDB and on
        PostgreSQL. Revisions older than 12.0.0, and those that do nothing,
        are not included.
        """
        return self._read(
            'steps',
            release,
            lambda: steps_.read(self._history('steps').at(release)),
        )

    def tables(self, release: releases_.Release) -> Mapping[str, schema.Table]:
        """Return the tables that the migrations of a release create.

        They are from `manila-manage db sync` of the release on MariaDB and on
        PostgreSQL, and include alembic_version.

        :returns: the tables by name, sorted.
        """
        return self._read(
            'schema',
            release,
            lambda: schema.read_tables(self._history('schema').at(release)),
        )

    def purge(self, release: releases_.Release, dialect: str) -> purging.Purge:
        """Return what `manila-manage db purge` of a release deletes.

        :param dialect: the dialect of the database: 'mysql', 'postgresql' or
            'sqlite'.
        """
        return purging.read(self.tables(release), release, dialect)

    def columns(
        self, release: releases_.Release
    ) -> frozenset[tuple[str, str]]:
        """Return (table, column) for every column of :meth:`tables`.

        Only names are read, at a fifth of the cost.
        """
        by_name = self._history('schema').at(release)
        return frozenset(
            (table, row['name'])
            for table, rows in by_name.items()
            for row in rows
            if row['kind'] == 'column'
        )

    def columns_at(
        self, revision: str
    ) -> Optional[frozenset[tuple[str, str]]]:
        """Return (table, column) for every column at a revision.

        For a revision within a release, the effect of the release's later
        migrations is removed.

        :returns: None for a revision that no release has, or that is older
            than the last one of 11.0.0.
        """
        within = self.releases_with(revision)
        if not within:
            return None
        chain = self.chain(within[0])
        later = chain[chain.index(revision) + 1 :]
        if chain.index(revision) + 1 < chain.index(steps_.FIRST):
            return None
        columns, steps = self.columns(within[0]), self.steps(within[0])
        done = [step for name in later for step in steps.get(name, ())]
        return steps_.undone(columns, tuple(done))
