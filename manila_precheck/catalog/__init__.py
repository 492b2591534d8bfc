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

Everything is package data that tools/build_catalog.py made from the latest
point release of each manila; nothing is opened before it is asked for, and
each kind of facts is one file. manila itself is never imported.
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


# They do not change, and a process may have many catalogs.
_load = functools.cache(history.load)


class Catalog:
    """Facts by release; every method raises CatalogError, and says so only
    where it adds something: when the release is not covered, naming it, or
    when the package data is missing or damaged, with the fix.
    """

    def __init__(self, *builds: 'builds_.FactsFile') -> None:
        """Read nothing yet.

        :param builds: files of facts; each stands for its release where its
            build is asked for, and the last one of a release where no build
            is.
        """
        self._builds = {build.release.build: build for build in builds}
        self._histories: dict[tuple[str, str], history.History] = {}
        self._made: dict[tuple[str, int, str], Any] = {}

    def _shipped(self, kind: str) -> history.History:
        return _load(kind)

    def _history(self, kind: str) -> history.History:
        """Return what is known of every release."""
        if not self._builds:
            return self._shipped(kind)
        key = kind, ''
        if key not in self._histories:
            # Few runs have one.
            from manila_precheck.catalog import builds as builds_

            found = self._shipped(kind)
            for build in self._builds.values():
                found = builds_.overlay(found, build)
            self._histories[key] = found
        return self._histories[key]

    def _of(self, kind: str, release: releases_.Release) -> history.History:
        """Return what is known, with one build standing for its release."""
        name = release.build
        if not name or name in self._standing.values():
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
        name = release.build or self._standing.get(release.major, '')
        return self._builds.get(name)

    @functools.cached_property
    def _standing(self) -> dict[int, str]:
        """The build that stands for a release where none is named."""
        return {one.release.major: name for name, one in self._builds.items()}

    def _read(
        self, name: str, release: releases_.Release, read: Callable[[], T]
    ) -> T:
        """Return what was read of a release; read it when it was not."""
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

        When the catalog was built; whatever build is meant.
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
        """Return a release with the build that is meant, if it is known.

        :param build: of that release.
        :returns: the release as it is when no facts of the build are shipped.
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
        """Return the package on PyPI that the facts were read from.

        Its version is the latest point release when the catalog was built,
        or the build that is meant.
        """
        return self._of('releases', release).package(release)

    @property
    def date(self) -> str:
        """The day on which the newest of its facts were read: '2026-11-25'."""
        return max(self.package(release).built for release in self.releases)

    def requirements(self, release: releases_.Release) -> Mapping[str, str]:
        """Return what the package of a release depends on.

        :returns: {'sqlalchemy': '>=1.4.0'}: names in lower case with dashes,
            sorted; specifiers as the package has them.
        """
        held = self._of('releases', release).at(release)
        return {name: rows[0]['requires'] for name, rows in held.items()}

    # -- options -------------------------------------------------------------

    def options(self, release: releases_.Release) -> options_.OptionSet:
        """Return every option of a release.

        From the options that manila's modules, its libraries and the plugins
        of keystoneauth register in a real installation of the release.
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
        """Return the covered releases that register a name in a place.

        :param name: the dest of an option; old names are not followed.
        :param place: a section ('DEFAULT', 'quota') or a kind of sections
            (options.KINDS: 'backend', ...).
        :returns: oldest first; none when the name was never registered there.
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
        """Every deprecated name of an option of any covered release."""
        return frozenset(
            old
            for _name, row in self._history('options').every_row()
            for _group, old in row.get('deprecated_names', ())
        )

    @functools.cached_property
    def secrets(self) -> frozenset[str]:
        """Every name, old ones too, whose value may be a secret.

        Of the options that any covered release marks secret, auth plugins'
        included: emc_nas_password was marked late, and was as secret before.
        """
        return options_.secret_names(
            entry
            for kind in ('options', 'auth_plugins')
            for entry in self._shipped(kind).every_row()
        ).union(self.secrets_of_builds)

    @functools.cached_property
    def secrets_of_builds(self) -> frozenset[str]:
        """Those of :attr:`secrets` that files of facts have.

        Of the shipped facts, the name of an option says so; of an option of
        an out-of-tree driver, only its file does.
        """
        return frozenset().union(
            *(one.secrets for one in self._builds.values())
        )

    @functools.cached_property
    def names_with_capitals(self) -> Mapping[str, str]:
        """The options of any release that are not in lower case, by that.

        A variable of the environment has none of their letters' case.
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

        From manila.policies.list_rules() of the release.
        """
        return self._read(
            'policies',
            release,
            lambda: policies_.read(self._of('policies', release).at(release)),
        )

    def policy(
        self, release: releases_.Release, name: str
    ) -> Optional[policies_.Policy]:
        """Return one rule of a release; None when it registers none such."""
        return self.policies(release).get(name)

    # -- drivers -------------------------------------------------------------

    def plugins(
        self, release: releases_.Release, kind: str
    ) -> Mapping[str, drivers_.Driver]:
        """Return what may be named where, by name, sorted.

        From the classes and the entry points of the installed release.

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
        """Return what a share_driver of this path loads.

        :param path: a class path, as in a back end's section.
        :returns: the driver; for a path that the share manager still maps to
            a new one, a Driver of kind 'share_moved' whose target is the new
            path; None when manila has no such class: it may be out of its
            tree. A file of facts has those of the packages that it was made
            with (see :meth:`lacks_class`).
        """
        return self.drivers(release).get(path) or self.plugins(
            release, drivers_.SHARE_MOVED
        ).get(path)

    def lacks_class(
        self, release: releases_.Release, path: str
    ) -> Optional[str]:
        """Return why the build of a release cannot load a class path.

        :returns: in words that go in parentheses; None when that is not
            known: there is no file of facts, or it was made without the
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
        """Return the options that a driver of a release cannot do without.

        Found by building and setting up the driver of the installed release
        with nothing set, until it turned to its storage: what an array asks
        for is not among them.

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
        """Return what an api-paste.ini of a release may name."""
        return drivers_.read_factories(
            self._of('drivers', release).at(release)
        )

    def importable(
        self, release: releases_.Release
    ) -> Optional[frozenset[str]]:
        """Return the outermost name of all that a build can import.

        :returns: None when there is no file of facts that tells.
        """
        build = self._build(release)
        return None if build is None else build.importable

    def installs(
        self, release: releases_.Release, name: str
    ) -> Optional[bool]:
        """Say whether a build can import code that manila does not bring.

        :param name: a module, or what is in one: 'acme.driver.Acme'.
        :returns: None when no file of facts tells: what rests on it is then
            in doubt, which weighs a warning, whatever the code is for.
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

        Those of a file of facts: of a fork, of a release beyond the newest
        that is known, or ones that a patch has changed. What they do is not
        known.

        :returns: each with whether a known release has another one by its id.
        """
        if release.build not in self._builds:
            return ()
        from manila_precheck.catalog import builds as builds_

        shipped = self._shipped('revisions')
        found = []
        for one in self.revisions(release):
            known = builds_.revision_hashes(shipped, one.id)
            # One that was not hashed is not known to be another.
            if not known or one.sha256 not in ('', *known):
                found.append((one, bool(known)))
        return tuple(found)

    def head(self, release: releases_.Release) -> str:
        """Return the revision that a release migrates a database to."""
        return self.revisions(release)[-1].id

    def releases_at(self, revision: str) -> tuple[releases_.Release, ...]:
        """Return the releases whose head a revision is, oldest first.

        :returns: several when releases share it (12 and 13 do); none when it
            is unknown, or in the middle of a release's migrations.
        """
        return tuple(r for r in self.releases if self.head(r) == revision)

    def releases_with(self, revision: str) -> tuple[releases_.Release, ...]:
        """Return the releases whose chain holds a revision, oldest first."""
        found: set[int] = set()
        facts = self._history('revisions')
        for row in facts.rows(revision):
            found |= facts.majors(row)
        return tuple(r for r in self.releases if r.major in found)

    def steps(
        self, release: releases_.Release
    ) -> Mapping[str, tuple[steps_.MigrationStep, ...]]:
        """Return what the migrations of a release do, by revision, in order.

        From the migrations themselves, run one by one on MariaDB and on
        PostgreSQL. A revision that is older than 12.0.0 is not in it, and
        one that does nothing neither.
        """
        return self._read(
            'steps',
            release,
            lambda: steps_.read(self._history('steps').at(release)),
        )

    def tables(self, release: releases_.Release) -> Mapping[str, schema.Table]:
        """Return the tables that the migrations of a release make.

        From `manila-manage db sync` of the release on MariaDB and on
        PostgreSQL; alembic_version is among them.

        :returns: the tables by name, sorted.
        """
        return self._read(
            'schema',
            release,
            lambda: schema.read_tables(self._history('schema').at(release)),
        )

    def purge(self, release: releases_.Release, dialect: str) -> purging.Purge:
        """Return what `manila-manage db purge` of a release deletes.

        :param dialect: 'mysql', 'postgresql' or 'sqlite': what the database
            is on.
        """
        return purging.read(self.tables(release), release, dialect)

    def columns(
        self, release: releases_.Release
    ) -> frozenset[tuple[str, str]]:
        """Return (table, column) of every column that :meth:`tables` has.

        Names alone, at a fifth of the cost.
        """
        held = self._history('schema').at(release)
        return frozenset(
            (table, row['name'])
            for table, rows in held.items()
            for row in rows
            if row['kind'] == 'column'
        )

    def columns_at(
        self, revision: str
    ) -> Optional[frozenset[tuple[str, str]]]:
        """Return (table, column) of every column at a revision.

        In the middle of a release too: without what its later migrations do.

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
