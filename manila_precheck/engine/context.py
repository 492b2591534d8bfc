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

"""The inputs of a run: the upgrade, the stage, the options, the sources.

Creating a context reads nothing. A source is read once, when the first check
needs it; if that raises an error, the next check gets the same error.
"""

import collections
from collections.abc import Iterable
from collections.abc import Mapping
import copy
import datetime
import os
import sys
import threading
from typing import Any
from typing import Callable
from typing import Optional
from typing import TYPE_CHECKING
from typing import TypeVar

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.engine import which_upgrade as resolutions
from manila_precheck.evidence.config import config_files as config_source
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.database import connection as database_source
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.files import bundle as bundle_source
from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.policy import policy_files as policy_source
from manila_precheck.redact import secrets as redact_secrets

if TYPE_CHECKING:
    import re

    from oslo_config import cfg

    from manila_precheck.catalog import Catalog
    from manila_precheck.catalog.builds import FactsFile
    from manila_precheck.evidence import paste as paste_source
    from manila_precheck.evidence.config import config_reader
    from manila_precheck.evidence.database import schema as schema_source
    from manila_precheck.evidence.database.dumps import restore as dump_source
    from manila_precheck.evidence.files import yaml_file as document_source
    from manila_precheck.evidence.host import api_server as api_server_source
    from manila_precheck.evidence.host import service_processes

T = TypeVar('T')

#: An option that a service may look up in a source of config_source: its
#: section, its name, whether it is multi-valued.
Asked = tuple[str, str, bool]

_DUMPS = f'{database_source.__package__}.dumps'

# The name under which the error for a dump that cannot be restored is kept.
_REFUSED = 'refused dump'

# The sources that may contain secrets.
_WITH_SECRETS = (
    'config',
    'running config',
    'paste',
    'running paste',
    'database',
)

# The sources that are read from files; in a report, the kinds of these files.
_WITH_FILES = (
    'config',
    'policy',
    'paste',
    'running config',
    'running policy',
    'running paste',
)

# The name under which a document is kept is this and its path.
_DOCUMENT = 'document '


class _Lazy:
    """Values by name; each is made once, by the first thread that needs it."""

    def __init__(self) -> None:
        # One lock for each value: a source that hangs must not block others.
        self._locks: dict[str, threading.RLock] = collections.defaultdict(
            threading.RLock
        )
        self._values: dict[str, Any] = {}
        self._errors: dict[str, exceptions.PrecheckError] = {}

    def get(self, name: str, make: Callable[[], T]) -> T:
        with self._locks[name]:
            if name in self._errors:
                raise self._errors[name]
            if name not in self._values:
                try:
                    self._values[name] = make()
                except exceptions.PrecheckError as exc:
                    self._errors[name] = exc
                    raise
            value: T = self._values[name]
            return value

    def seen(self, name: str) -> Any:
        """Return the value of a name; None when it was not made yet."""
        return self._values.get(name)

    def take(self, name: str, value: Any) -> None:
        """Keep a value that was made elsewhere."""
        with self._locks[name]:
            self._values[name] = value

    def refuse(self, name: str, error: exceptions.PrecheckError) -> None:
        """Let get() raise an error instead of making the value."""
        with self._locks[name]:
            self._errors[name] = error

    def forget(self, name: str) -> None:
        """Let the next get() make the value of a name again."""
        with self._locks[name]:
            self._values.pop(name, None)

    def all_seen(self) -> list[tuple[str, Any]]:
        """Return the names and values made so far, in order of making."""
        return list(self._values.items())


class _OfService(_Lazy):
    """The values of a view: config and readers are its own.

    :param whole: the values of the whole run, which are used for the rest.
    """

    def __init__(self, whole: _Lazy) -> None:
        super().__init__()
        self._whole = whole

    def get(self, name: str, make: Callable[[], T]) -> T:
        if name == 'config' or name.startswith('reader '):
            return super().get(name, make)
        return self._whole.get(name, make)

    def seen(self, name: str) -> Any:
        # The secrets to mask are those of all files.
        return self._whole.seen(name)


def locations_of(conf: 'cfg.ConfigOpts') -> list[str]:
    """Return the files and directories that oslo.config found by itself."""
    return [*(conf.config_file or ()), *(conf.config_dir or ())]


class Context:
    """Everything that a check may read.

    :param conf: parsed, with the options of :mod:`manila_precheck.opts`
        registered; the files it read are the configuration source.
    :param catalog: the facts about all releases.
    :param now: the time of the run, in UTC, with a time zone.
    :param read_database: False when no check of the run needs the database
        and the releases are known without it.
    :param installed: returns the manila that is installed here, or None.
    :param python: returns the version of the Python that runs this.
    :param locations: the configuration files and directories in the order
        in which oslo.config read them; None to take them from conf.
    :param site: the file system that holds the files of the site.
    :param machine: the file system in which processes and web servers are
        searched; None for that of the site.
    :param sources: returns the sources that config_source names. Its
        arguments are the files, and a function that returns the options that
        a service may look up.
    :param environment: the environment variables that oslo.config reads.
    :param services: the files of each service; None when all services read
        the locations.
    :param controller: whether the services that read the files run on this
        machine; None: they do if the site is this host.
    """

    def __init__(
        self,
        conf: 'cfg.ConfigOpts',
        catalog: 'Catalog',
        now: datetime.datetime,
        read_database: bool = True,
        installed: Callable[
            [], Optional[releases.Build]
        ] = resolutions.installed,
        locations: Optional[tuple[str, ...]] = None,
        python: Callable[[], tuple[int, int]] = resolutions.running_python,
        site: tree.Tree = tree.HOST,
        machine: Optional[tree.Tree] = None,
        sources: Callable[
            [config_source.ConfigFiles, Callable[[], Iterable[Asked]]],
            tuple[config_source.ValueSource, ...],
        ] = lambda files, wanted: (),
        environment: Mapping[str, str] = os.environ,
        services: Optional[tuple[service_files.ServiceFiles, ...]] = None,
        controller: Optional[bool] = None,
    ) -> None:
        self.conf = conf
        self.catalog = catalog
        #: The facts of builds, by side ('source', 'target').
        self._builds: dict[str, FactsFile] = {}
        self._build_files: dict[model.FileRead, str] = {}
        # By the attribute build of a release.
        self._facts: dict[str, model.Facts] = {}
        #: Why the facts about the installed manila could not be read, which
        #: is another build than the catalog covers; '' when they were read,
        #: or were not needed.
        self.installed_unread = ''
        self.now = now
        #: Set when the operator interrupts the run; a check that takes long
        #: tests it, and then yields the findings that it has.
        self.interrupted = threading.Event()
        #: Called with the number of rows counted so far and the approximate
        #: total, from any thread, to show the progress.
        self.on_rows: Callable[[int, int], None] = lambda done, expected: None
        #: The ids of the checks of the run. As long as it is empty, no check
        #: leaves a finding to another check.
        self.chosen: frozenset[str] = frozenset()
        self._read_database = read_database
        self._installed = installed
        self._locations = locations
        self._python = python
        #: The file system that holds the files of the site.
        self.site = site
        #: The file system in which processes and web servers are searched.
        self.machine = site if machine is None else machine
        #: Whether the services that read the files run on this machine.
        self.on_controller = (
            self.site.is_host and self.machine.is_host
            if controller is None
            else controller
        )
        self._sources = sources
        #: The environment variables that oslo.config reads before the files.
        self.environment = environment
        self._services = services
        self._on_machine = service_files.Machine(self.machine, environment)
        self._whole: Optional[Context] = None
        # The environments of the services of a view.
        self._environments: tuple[service_processes.Environment, ...] = ()
        #: The services whose files this context reads: in a view some of
        #: them, else all.
        self.judged: tuple[str, ...] = service_files.PROGRAMS
        self._lazy = _Lazy()

    def take_builds(self) -> None:
        """Use the facts in the files that source_catalog, target_catalog name.

        :raises SourceUnusable: when one cannot be read.
        :raises CatalogError: when it is not a file of facts, or is of an
            unknown release.
        :raises UsageError: when it is of another release than the option
            source_release or target_release names.
        """
        for side in ('source', 'target'):
            path = getattr(self.options, f'{side}_catalog')
            if not path:
                continue
            # Imported here because few runs need it.
            from manila_precheck.catalog import builds as files
            from manila_precheck.evidence.files import text_file

            read = text_file.read_text(path, files.MAX_BYTES)
            build = files.parse(read.text, path)
            stated = getattr(self.options, f'{side}_release')
            if not stated:
                self.conf.set_override(
                    f'{side}_release',
                    build.release.name,
                    group='manila_precheck',
                )
            elif _stated(stated, build).release != build.release:
                raise exceptions.UsageError(
                    f'{path} is of manila {build.version} ({build.release}), '
                    f'and {side}_release is {stated}'
                )
            self._builds[side] = build
            self._build_files[read.read] = f'{side} catalog'
            self._facts[build.release.build] = model.Facts(
                'file', build.version, build.made, path, read.read.sha256
            )
        if self._builds:
            from manila_precheck import catalog

            self.catalog = catalog.Catalog(*self._builds.values())

    @property
    def other_build(self) -> Optional[releases.Build]:
        """The installed manila, if its facts must be read from it.

        None if the catalog covers exactly this build, if a file has the facts
        of its side, if it is neither source nor target, or if the operator
        set shipped_catalog.
        """
        if self._is_beyond:
            return self.installed
        resolution = self.resolution
        build, side = resolution.known.installed, resolution.installed_as
        if build is None or not side or self.options.shipped_catalog:
            return None
        release = getattr(resolution.upgrade, side)
        if side in self._builds or not self.catalog.covers(release):
            return None
        facts = self.catalog.package(release).version
        same = build.is_version(facts) or build.text == facts
        return None if same else build

    @property
    def _is_beyond(self) -> bool:
        """Say whether the installed manila is the target and yet unknown.

        It is newer than the known releases, and no other target is named.
        """
        build = self.installed
        return (
            build is not None
            and build.too_new
            and build.release is None
            and not self.options.shipped_catalog
            and not self.options.target_release
        )

    def take_installed(self, read: Callable[[str, float], str]) -> None:
        """Use the facts of the installed manila, if the catalog lacks them.

        If that fails, installed_unread says why.

        :param read: called with the path of a Python and a time limit in
            seconds; returns a file of facts about the manila that is
            installed there.
        """
        build = self.other_build
        if build is None:
            return
        side = 'target'
        if not self._is_beyond:
            side = self.resolution.installed_as
        from manila_precheck import catalog
        from manila_precheck.catalog import builds as files

        try:
            if not sys.executable:
                raise exceptions.SourceUnusable('no Python is known to run it')
            text = read(sys.executable, self.options.check_timeout_seconds)
            found = files.parse(text, 'this environment')
            if found.version != build.text:
                raise exceptions.SourceUnusable(
                    f'{sys.executable} has manila {found.version}'
                )
        except (exceptions.CatalogError, exceptions.SourceUnusable) as exc:
            self.installed_unread = str(exc)
            return
        self._builds[side] = found
        self._facts[found.release.build] = model.Facts(
            'environment', found.version
        )
        self.catalog = catalog.Catalog(*self._builds.values())
        # The releases in the resolution name their builds.
        self._lazy.forget('resolution')

    def over(self, site: tree.Tree) -> 'Context':
        """Return a context of the same upgrade over another file system.

        It has no database, only files.
        """
        made = Context(
            self.conf,
            self.catalog,
            self.now,
            read_database=False,
            installed=lambda: self.installed,
            locations=self.locations,
            python=self._python,
            site=site,
            machine=self.machine,
            sources=self._sources,
            environment=self.environment,
            services=self._services,
        )
        made._builds, made._facts = self._builds, self._facts
        made._build_files = self._build_files
        made.installed_unread = self.installed_unread
        made.chosen = self.chosen
        made._lazy.take('resolution', self.resolution)
        for name in ('database', 'schema'):
            made._lazy.refuse(
                name,
                exceptions.SourceNotGiven('files are looked at without it'),
            )
        return made

    def facts(self, release: releases.Release) -> Optional[model.Facts]:
        """Return where the facts about a release come from; None for none."""
        if release.build in self._facts or not self.catalog.covers(release):
            return self._facts.get(release.build)
        package = self.catalog.package(release)
        return model.Facts('shipped', package.version, package.built)

    @property
    def options(self) -> Any:
        """The options of ``[manila_precheck]``, as attributes."""
        return self.conf.manila_precheck

    def options_of(self, check_id: str) -> Any:
        """Return the options of a check's own group, as attributes."""
        return self.conf[model.option_group(check_id)]

    @property
    def stage(self) -> model.Stage:
        """The stage of the upgrade procedure."""
        return model.Stage(self.options.stage)

    @property
    def upgrade(self) -> releases.Upgrade:
        """The upgrade: its source and target release."""
        return self.resolution.upgrade

    @property
    def locations(self) -> tuple[str, ...]:
        """The configuration files and directories, in order of reading."""
        if self._locations is not None:
            return self._locations
        return tuple(locations_of(self.conf))

    # -- the services --------------------------------------------------------

    @property
    def services(self) -> tuple[service_files.ServiceFiles, ...]:
        """The files of each service, and how they are known."""
        return self._lazy.get('services', self._make_services)

    def _make_services(self) -> tuple[service_files.ServiceFiles, ...]:
        found = self._services
        if found is None:
            found = service_files.given(self.locations)
        if self.on_controller and all(
            one.how is service_files.How.GIVEN for one in found
        ):
            return self._on_machine.with_environments(found)
        return found

    @property
    def services_given(self) -> bool:
        """Say whether the operator gave one list of files for all services."""
        return all(one.how is service_files.How.GIVEN for one in self.services)

    def seen_by(self, *services: str) -> 'tuple[Context, ...]':
        """Return contexts over the files and values of single services.

        Services that read the same files in the same order share a context.
        If all services do, it is this context itself.

        :param services: the names of their programs; all services by default.
        """
        if self._whole is not None:
            return self._whole.seen_by(*services)
        if service_files.agree(self.services):
            return (self,)
        wanted = services or service_files.PROGRAMS
        found: dict[service_files.Reads, list[str]] = {}
        for one in self.services:
            if one.service in wanted:
                names = found.setdefault(one.reads, [])
                if one.service not in names:
                    names.append(one.service)
        # If none of these services was found here, fall back to all files.
        return self._lazy.get(
            f'seen by {wanted}',
            lambda: (
                tuple(
                    self._view(reads, tuple(names))
                    for reads, names in found.items()
                )
                or (self,)
            ),
        )

    def _view(
        self, reads: service_files.Reads, services: tuple[str, ...]
    ) -> 'Context':
        view = copy.copy(self)
        view._locations = reads[0]
        view._environments = service_files.environments(
            one for one in self.services if one.reads == reads
        )
        view._lazy = _OfService(self._lazy)
        view._whole = self
        view.judged = services
        return view

    def overridden(
        self, lines: Iterable[config_source.Setting], without: str
    ) -> 'Context':
        """Return a context over the same files, with lines of another file.

        :param lines: these have priority over all files.
        :param without: a section whose lines in the files are ignored; ''
            for none.
        """
        view = copy.copy(self)
        view._lazy = _OfService(self._lazy)
        view._lazy.take('config', self.config.overridden(lines, without))
        return view

    def config_of(self, service: str) -> config_source.ConfigFiles:
        """Return the configuration files of a service, line by line.

        :param service: the name of its program. If it runs more than once,
            with different files, those of the first one are returned.
        :raises ConfigFileError: when a file cannot be read.
        """
        return self.seen_by(service)[0].config

    @property
    def started(self) -> 'tuple[service_processes.Started, ...]':
        """The processes and units that start services on this machine."""
        return self._lazy.get('started', lambda: self._on_machine.started)

    @property
    def services_here(self) -> tuple[service_files.ServiceFiles, ...]:
        """The files that services of this configuration read on this machine.

        They differ from those of :attr:`services` when the operator named
        other files to check.
        """
        return tuple(
            self._on_machine.of_started(one)
            for one in self.started
            if self._is_ours(one)
        )

    def named_after(self, program: str) -> tuple[list[str], list[str]]:
        """Return the files and directories that have a program's name."""
        return self._on_machine.named_after(program)

    def is_among(self, path: str, locations: Iterable[str]) -> bool:
        """Say whether a path is one of the locations, or in one of them."""
        return self._on_machine.is_among(path, locations)

    def _is_ours(self, one: 'service_processes.Started') -> bool:
        """Say whether a process belongs to the configuration of this run.

        It does if it reads one of the same files, or uses the same database.
        """
        if one.how is not service_files.How.PROCESS:
            return True
        reads = self._on_machine.of_started(one)
        judged = [*self.locations, *self.running_locations]
        if self._on_machine.shares(reads, judged):
            return True
        try:
            theirs = config_source.read(reads.locations, site=self.machine)
        except exceptions.ConfigFileError:
            return False
        ours = self.config.value('database', 'connection')
        return bool(ours) and ours == theirs.value('database', 'connection')

    @property
    def config(self) -> config_source.ConfigFiles:
        """The configuration files, line by line.

        If the services read different files, these are the files of all; use
        :meth:`seen_by` for those of one service.

        :raises ConfigFileError: when one of them cannot be read.
        """
        return self._lazy.get('config', self._make_config)

    def _make_config(self) -> config_source.ConfigFiles:
        if self._whole is not None:
            # Files that were read already are not read again.
            whole = self._whole.config
            files = config_source.read(
                self.locations,
                secret_names=self.catalog.secrets_of_builds,
                site=self.site,
                known=whole.parsed,
            )
            files = self._with_environments(files, self._environments)
            if not whole.sources:
                return files
            return files.with_sources(whole.sources)
        files = self._with_environments(
            config_source.read(
                self.locations,
                secret_names=self.catalog.secrets_of_builds,
                site=self.site,
            ),
            service_files.environments(self.services),
        )
        opened = self._sources(files, lambda: self._may_be_asked(files))
        return files.with_sources(opened) if opened else files

    def _with_environments(
        self,
        files: config_source.ConfigFiles,
        environments: 'tuple[service_processes.Environment, ...]',
    ) -> config_source.ConfigFiles:
        if not environments:
            return files
        # NOTE: the upgrade is not known yet: it depends on the database, whose
        # URL is in the configuration.
        return files.with_environments(
            environments, self.catalog.names_with_capitals
        )

    def _may_be_asked(
        self, files: config_source.ConfigFiles
    ) -> Iterable[Asked]:
        """Return the options of all releases, in all their sections."""
        backends = [backend.name for backend in files.backends]
        found: set[Asked] = set()
        for release in self.catalog.releases:
            for option in self.catalog.options(release):
                sections = [
                    *option.groups,
                    *(backends if option.kinds else ()),
                ]
                found |= {(s, option.name, option.multi) for s in sections}
        return sorted(found)

    def reader(self, release: releases.Release) -> 'config_reader.Reader':
        """Return the configuration as a release reads it.

        :raises ConfigFileError: when one of the files cannot be read.
        """
        # Imported here so that listing the checks loads no catalog of options.
        from manila_precheck.evidence.config import config_reader

        return self._lazy.get(
            f'reader {release.major} {release.build}',
            lambda: config_reader.Reader(self.config, self.catalog, release),
        )

    @property
    def running(self) -> config_source.ConfigFiles:
        """The configuration files of the running services.

        :raises SourceNotApplicable: when no option names them.
        :raises ConfigFileError: when one of them cannot be read, or there is
            none.
        """
        if not self.compares_running:
            raise exceptions.SourceNotApplicable(
                'no --running-config-file or --running-config-dir'
            )
        return self._lazy.get('running config', self._make_running)

    def _make_running(self) -> config_source.ConfigFiles:
        files = config_source.read(
            self.running_locations,
            secret_names=self.catalog.secrets_of_builds,
            site=self._running_site,
        )
        if not files.files:
            raise exceptions.ConfigFileError(
                'no configuration file to read in '
                + ', '.join(self.running_locations)
            )
        return files

    @property
    def compares_running(self) -> bool:
        """Say whether an option names the files of the running services."""
        options = self.options
        return bool(
            options.running_root
            or options.running_config_file
            or options.running_config_dir
        )

    @property
    def running_locations(self) -> tuple[str, ...]:
        """The files and directories that the running services read.

        :raises ConfigFileError: when there are no files of manila below
            running_root.
        """
        options = self.options
        named = (*options.running_config_file, *options.running_config_dir)
        if named or not options.running_root:
            return named
        return service_files.merged(
            service_files.of_bundle(
                self._lazy.get(
                    'running bundle',
                    lambda: bundle_source.look(self._running_whole),
                )
            )
        )

    @property
    def _running_whole(self) -> tree.Bundle:
        return self._lazy.get(
            'running root',
            lambda: bundle_source.whole(self.options.running_root),
        )

    @property
    def _running_site(self) -> tree.Tree:
        """The file system that holds the files of the running services."""
        options = self.options
        if not options.running_root:
            return self.site
        if options.running_config_file or options.running_config_dir:
            return self._running_whole
        # running_locations has made it before.
        found: bundle_source.Contents = self._lazy.seen('running bundle')
        return found.files

    @property
    def running_policy(self) -> policy_source.PolicyFiles:
        """The policy files of the running services.

        :raises SourceNotApplicable: when no option names their configuration.
        :raises SourceUnusable: when one of them cannot be read.
        """
        return self._lazy.get(
            'running policy', lambda: policy_source.read(self.running)
        )

    @property
    def running_paste(self) -> 'paste_source.PasteFile':
        """The api-paste.ini of the running API.

        :raises SourceNotApplicable: when no option names the configuration of
            the running services.
        :raises SourceNotGiven: when the configuration does not name the file
            and it is not in the default places.
        :raises SourceUnusable: when it does not exist or cannot be read.
        """
        return self._lazy.get(
            'running paste', lambda: self._make_paste(self.running)
        )

    @property
    def policy(self) -> policy_source.PolicyFiles:
        """The policy files that manila's API reads.

        :raises SourceUnusable: when one of them cannot be read.
        """
        return self._lazy.get(
            'policy',
            lambda: policy_source.read(self.config_of(commands.API)),
        )

    @property
    def paste(self) -> 'paste_source.PasteFile':
        """The api-paste.ini that manila's API reads.

        :raises SourceNotGiven: when the configuration does not name the file
            and it is not in the default places.
        :raises SourceUnusable: when it does not exist or cannot be read.
        """
        return self._lazy.get(
            'paste', lambda: self._make_paste(self.config_of(commands.API))
        )

    def _make_paste(
        self, files: config_source.ConfigFiles
    ) -> 'paste_source.PasteFile':
        # Imported here so that only runs that read the file load its parser.
        from manila_precheck.evidence import paste as paste_source

        return paste_source.read(files)

    def document(self, path: str) -> 'document_source.Document':
        """Return the YAML or JSON file that an option of a check names.

        :raises SourceUnusable: when it cannot be read.
        """
        from manila_precheck.evidence.files import yaml_file as document_source

        name = f'{_DOCUMENT}{path}'
        return self._lazy.get(name, lambda: document_source.read(path))

    @property
    def installed(self) -> Optional[releases.Build]:
        """The manila that is installed here, or None."""
        found: Optional[releases.Build] = self._lazy.get(
            'installed', self._installed
        )
        if found is not None:
            for file in self._builds.values():
                found = releases.known_by(file.release, found)
        return found

    @property
    def python_version(self) -> tuple[int, int]:
        """The version of the Python that runs this: (3, 11)."""
        return self._python()

    @property
    def database(self) -> database_source.Database:
        """The database, when it holds manila's tables.

        :raises SourceNotGiven: when no connection is configured.
        :raises SourceUnusable: when the server cannot be used, or the
            database belongs to another service.
        :raises SourceNotApplicable: when the database is empty.
        """
        found = self.database_as_found
        if found.state is database_source.DatabaseState.EMPTY:
            reason = 'the database is empty'
            if not self.options.source_release:
                reason += ': this is a first install'
            raise exceptions.SourceNotApplicable(reason)
        if found.foreign:
            raise exceptions.SourceUnusable(found.foreign)
        return found

    @property
    def database_as_found(self) -> database_source.Database:
        """The database in any state, even if it is empty.

        :raises SourceNotGiven: when no connection is configured, or the
            operator set no_database.
        :raises SourceUnusable: when the server cannot be used.
        """
        return self._lazy.get('database', self._make_database)

    def _make_database(self) -> database_source.Database:
        if self.options.no_database:
            raise exceptions.SourceNotGiven(
                'it needs the database (--no-database)'
            )
        if self.options.database_dump:
            return self._dump.database
        if not self.site.is_host and not self.options.database_connection:
            raise exceptions.SourceNotGiven(
                'it needs the database, which --root does not read; '
                '--database-connection or --database-dump names one'
            )
        try:
            return database_source.connect(
                self.conf,
                statement_timeout_seconds=(
                    self.options.statement_timeout_seconds
                ),
                connect_timeout_seconds=self.options.connect_timeout_seconds,
            )
        except exceptions.SourceNotGiven as exc:
            unread = self.config.may_hold('database', 'connection')
            if unread is None:
                raise
            raise exceptions.SourceNotGiven(
                f'{exc}; {unread.name}, which may set it, cannot be read: '
                f'{unread.problem}'
            ) from None

    def take_dump(self) -> None:
        """Restore the dump that database_dump names.

        :raises SourceUnusable: when that fails.
        """
        self._dump  # noqa: B018

    def take_restored(self, restored: 'dump_source.Restored') -> None:
        """Use a dump that the caller has restored as the database.

        The option database_dump must name its path.
        """
        self._lazy.take('database dump', restored)

    def take_refused(self, refused: 'dump_source.NotRestored') -> None:
        """Run without a database, because its dump cannot be restored."""
        self._lazy.take(_REFUSED, refused)
        self._lazy.refuse(
            'database',
            exceptions.SourceNotGiven(
                'it needs the database, and the backup cannot be restored'
            ),
        )

    @property
    def _dump(self) -> 'dump_source.Restored':
        return self._lazy.get('database dump', self._restore)

    def _restore(self) -> 'dump_source.Restored':
        # Imported here because few runs need it.
        from manila_precheck.evidence.database.dumps import (
            restore as dump_source,  # noqa: H301
        )

        return dump_source.restore(
            self.options.database_dump,
            self.conf,
            self.options.database_dump_seconds,
            self.options.statement_timeout_seconds,
            self.options.connect_timeout_seconds,
            image=self.options.server_image or '',
        )

    @property
    def schema(self) -> 'schema_source.Schema':
        """The indexes, engines and sizes of the tables, from the server.

        :raises SourceNotGiven: when no connection is configured.
        :raises SourceUnusable: when the server cannot be used.
        """
        return self._lazy.get('schema', self._make_schema)

    def _make_schema(self) -> 'schema_source.Schema':
        # Imported here because few checks need it.
        from manila_precheck.evidence.database import schema as schema_source

        return schema_source.read(self.database_as_found)

    @property
    def api_server(self) -> 'tuple[api_server_source.ApiSign, ...]':
        """The signs that show what serves the API on this machine."""
        return self._lazy.get('api_server', self._make_api_server)

    def _make_api_server(self) -> 'tuple[api_server_source.ApiSign, ...]':
        # Imported here because few upgrades need it.
        from manila_precheck.evidence.host import (
            api_server as api_server_source,  # noqa: H301
        )

        return api_server_source.look(self.started, self._is_ours)

    @property
    def files(self) -> tuple[model.FileRead, ...]:
        """The files that were read so far."""
        found = dict(self._build_files)
        for kind in _WITH_FILES:
            source = self._lazy.seen(kind)
            if source is not None:
                for file in source.files:
                    found.setdefault(file, kind)
        for name in ('database dump', _REFUSED):
            dump = self._lazy.seen(name)
            if dump is not None:
                found.setdefault(dump.file, 'database dump')
        for name, made in self._lazy.all_seen():
            if name.startswith(_DOCUMENT):
                found.setdefault(made.read, 'document')
        return tuple(file._replace(kind=kind) for file, kind in found.items())

    @property
    def roots(self) -> tuple[str, ...]:
        """The paths on this host of the directories or archives of --root."""
        found = [] if self.site.is_host else [self.site.name]
        if self.options.running_root:
            found.append(os.path.expanduser(self.options.running_root))
        return tuple(dict.fromkeys(found))

    @property
    def files_here(self) -> tuple[model.FileRead, ...]:
        """The files of this host that were read so far."""
        return tuple(file for file in self.files if self._is_here(file.kind))

    def _is_here(self, kind: str) -> bool:
        if kind not in _WITH_FILES:
            return True
        if not kind.startswith('running') or not self.options.running_root:
            return self.site.is_host
        return False

    @property
    def places_here(self) -> tuple[str, ...]:
        """The paths on this host of everything that the run reads."""
        if self.site.is_host:
            return (*self.locations, *self.roots)
        return self.roots

    @property
    def backends(self) -> tuple[str, ...]:
        """The enabled back ends, sorted; none when no file was read."""
        source = self._lazy.seen('config')
        if source is None:
            return ()
        return tuple(
            sorted(
                {
                    found.name
                    for view in self.seen_by(commands.SHARE)
                    for found in view.config.backends
                }
            )
        )

    @property
    def database_read(self) -> Optional[model.DatabaseRead]:
        """The database that was read; None when none was."""
        found = self._lazy.seen('database')
        if found is None:
            refused = self._lazy.seen(_REFUSED)
            return None if refused is None else refused.database
        empty = found.state is database_source.DatabaseState.EMPTY
        # The revision of another service's database is not one of manila.
        revision = None if found.foreign else found.revision
        dump = self._lazy.seen('database dump')
        return model.DatabaseRead(
            found.dialect,
            revision,
            empty,
            None if dump is None else dump.read,
        )

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets in the sources read so far."""
        found: set[str] = set()
        for name in _WITH_SECRETS:
            source = self._lazy.seen(name)
            if source is not None:
                for value in source.secrets:
                    found.update(redact_secrets.forms(value))
        for value in database_url.connections(self.conf):
            for secret in redact_secrets.within(value):
                found.update(redact_secrets.forms(secret))
        return frozenset(found)

    @property
    def _names(self) -> frozenset[str]:
        """The names that the site uses, which are not masked as secrets."""
        from manila_precheck.evidence import machine_names

        found: frozenset[str] = frozenset().union(
            *map(database_url.names, database_url.connections(self.conf))
        )
        for kind in ('config', 'running config'):
            source = self._lazy.seen(kind)
            if source is not None:
                found |= frozenset(source.names) | machine_names.of_settings(
                    setting
                    for setting in source.settings
                    if not source.is_secret(setting.name)
                )
        return found

    @property
    def redactor(self) -> redact_secrets.Redactor:
        """The function that masks the secrets known so far in a text.

        :raises UsageError: when a pattern in redact_pattern is invalid.
        """
        seen = tuple(
            self._lazy.seen(name) is not None for name in _WITH_SECRETS
        )
        return self._lazy.get(
            f'redactor {seen}',
            lambda: redact_secrets.Redactor(
                self.secrets, self._patterns(), self._names
            ),
        )

    def _patterns(self) -> 'tuple[re.Pattern[str], ...]':
        try:
            return redact_secrets.patterns(self.options.redact_pattern)
        except ValueError as exc:
            raise exceptions.UsageError(
                f'[manila_precheck] redact_pattern: {exc}'
            ) from exc

    def machines(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """Return the names of machines in the sources read so far.

        :returns: the names, and for each table that could not be read, the
            reason: names may be missing.
        """
        from manila_precheck.evidence import machine_names

        found = machine_names.of_machine(self.machine)
        unread: list[str] = []
        for kind in ('config', 'running config'):
            config = self._lazy.seen(kind)
            if config is not None:
                found |= machine_names.of_config(config)
        database = self._lazy.seen('database')
        if database is not None:
            more, unread = machine_names.of_database(database)
            found |= more
        return frozenset(found), tuple(unread)

    def end_statements(self) -> None:
        """Have the database server abort the statements of this process."""
        # This includes a connection that is just being opened.
        database_source.cancel_all()

    @staticmethod
    def _end_servers() -> None:
        # This includes a server that is just being started.
        module = sys.modules.get(f'{_DUMPS}.private_server')
        getattr(module, 'end_all', lambda: None)()

    def close(self) -> None:
        """Close the connections that the run opened."""
        found = self._lazy.seen('database')
        if found is not None:
            found.close()
        self.end_statements()
        self._end_servers()

    @property
    def resolution(self) -> resolutions.Resolution:
        """The source and target of the upgrade, and how they are known.

        :raises UsageError: when an option names an unknown release, or the
            target is not known.
        """
        return self._lazy.get('resolution', self._resolve)

    def _resolve(self) -> resolutions.Resolution:
        at_revision = self._releases_of_database()
        found = resolutions.resolve(
            resolutions.Known(
                self.stage,
                self._stated('source'),
                self._stated('target'),
                self.installed,
                at_revision,
                self._empty(),
                self.catalog.releases,
                _vendor_path(self.options.vendor_path),
            )
        )
        source = self._of_build(
            found.upgrade.source, 'source', found.source_build
        )
        target = self._of_build(
            found.upgrade.target, 'target', found.target_build
        )
        if found.first_install:
            source = target
        elif found.target_assumed and source == target:
            target = source
        return found._replace(
            upgrade=self._named(releases.Upgrade(source, target))
        )

    def _stated(self, side: str) -> Optional[releases.Build]:
        text = getattr(self.options, f'{side}_release')
        # An empty text is not treated as unset: it probably comes from an
        # empty shell variable, and gives a usage error.
        return None if text is None else _stated(text, self._builds.get(side))

    def _of_build(
        self,
        release: releases.Release,
        side: str,
        build: Optional[releases.Build],
    ) -> releases.Release:
        """Return a release with the build, if there are facts about that."""
        file = self._builds.get(side)
        if file is not None and file.release == release:
            return file.release
        if build is None or not self.catalog.covers(release):
            return release
        return self.catalog.of_build(release, build)

    def _named(self, upgrade: releases.Upgrade) -> releases.Upgrade:
        """Return the upgrade; within a release, builds become its names."""
        source, target = upgrade.source, upgrade.target
        if source != target or not self.catalog.covers(target):
            return upgrade
        latest = self.catalog.latest(target)
        sides = [
            side.of_build(side.build or latest) for side in (source, target)
        ]
        if sides[0].build == sides[1].build:
            return releases.Upgrade(*sides)
        names = [self.catalog.package(side).version for side in sides]
        if names[0] == names[1]:
            names = [side.build for side in sides]
        return releases.Upgrade(
            *(
                side.of_build(side.build, name)
                for side, name in zip(sides, names)
            )
        )

    def _empty(self) -> bool:
        found = self._lazy.seen('database')
        return (
            found is not None
            and found.state is database_source.DatabaseState.EMPTY
        )

    def _releases_of_database(self) -> tuple[releases.Release, ...]:
        """Return the releases with the database's revision, oldest first."""
        refused = self._lazy.seen(_REFUSED)
        if refused is not None:
            return self.catalog.releases_at(refused.database.revision or '')
        if not self._read_database:
            return ()
        try:
            found = self.database_as_found
        except (exceptions.SourceNotGiven, exceptions.SourceUnusable):
            return ()
        if found.revision is None or found.foreign:
            return ()
        return self.catalog.releases_at(found.revision)


def _stated(text: str, file: 'Optional[FactsFile]') -> releases.Build:
    """Return the build that source_release or target_release names.

    :param file: the file of facts for that side. If it is of a release newer
        than the known ones, the option may name that release.
    """
    if file is not None and releases.is_beyond(file.release):
        release = releases.at(file.release.major)
        if text.strip() in (release.name, str(release.major)):
            return releases.Build(text, release)
        found = releases.known_by(release, releases.build(text))
        if found.release == release:
            return found
    return releases.named(text)


def _vendor_path(text: Optional[str]) -> Optional[releases.Upgrade]:
    if text is None:
        return None
    source, mark, target = text.partition(':')
    upgrade = (
        releases.Upgrade(releases.parse(source), releases.parse(target))
        if mark
        else None
    )
    if upgrade is None or not upgrade.source < upgrade.target:
        raise exceptions.UsageError(
            f'[manila_precheck] vendor_path is {text!r}, but must be an '
            'earlier and a later release, such as wallaby:2023.1'
        )
    return upgrade
