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

"""The configuration that manila's services read, as facts.

This module judges nothing and does not use the catalog. It knows where each
option is set, which assignment counts, and what each section is for.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import enum
import functools
import os
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.config import ini_lines
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import service_processes
from manila_precheck.redact import secrets as redact_secrets

# Passwords and keys: options of manila, its drivers and the libraries, and
# also options that are in no catalog.
_SECRET_NAME = re.compile(
    r'(password|passwd|passcode|passphrase|secret|pass$|pw$|pwd$'
    r'|credentials?$|_token$|^token$|root_token_id$|role_id$'
    r'|authorization.code$|^code$|api_key$|access_key$|hmac_key|_auth_key$'
    r'|otp_key$|consumer_key$|encryption_keys?$|userpwd|basic_auth$'
    r'|flashblade_api$|hnas_ssh_private_key$|netapp_\w+_file$)',
    re.IGNORECASE,
)
# URLs that contain a password.
_URL_NAME = re.compile(
    r'(transport_url|connection|connection_string|backend_url'
    r'|backend_argument)$',
    re.IGNORECASE,
)
_PART = re.compile('[^a-z]+')
# For misspellings: 'admin_passwrod' is meant to be a password.
_SECRET_WORDS = ('password', 'passwd', 'passphrase', 'secret', 'credential')


def _one_slip(text: str, word: str) -> bool:
    """Say whether a text is a word with one typing error."""
    if text in (word, f'{word}s'):
        return False
    longest = max(len(text), len(word))
    head = tail = 0
    while head < min(len(text), len(word)) and text[head] == word[head]:
        head += 1
    while (
        tail < min(len(text), len(word)) - head
        and text[-1 - tail] == word[-1 - tail]
    ):
        tail += 1
    rest = text[head : len(text) - tail], word[head : len(word) - tail]
    return longest - head - tail < 2 or (
        len(rest[0]) == 2 and rest[0] == rest[1][::-1]
    )


@functools.cache
def is_secret_name(name: str) -> bool:
    """Say whether the name of an option says that its value is a secret."""
    if _SECRET_NAME.search(name) or _URL_NAME.search(name):
        return True
    return any(
        _one_slip(part, word)
        for part in _PART.split(name.lower())
        if len(part) > 4
        for word in _SECRET_WORDS
    )


Setting = ini_lines.Setting
normalize = ini_lines.normalize
subject = ini_lines.subject

#: A section and an option: ('DEFAULT', 'share_driver').
Name = tuple[str, str]

ENABLED_BACKENDS: Name = ('DEFAULT', 'enabled_share_backends')


# Options that only manila-api reads (manila 22.0.2 service.py, api/common.py,
# api/middleware/auth.py; oslo.service wsgi.py).
_API_OPTIONS = (
    'api_paste_config',
    'auth_strategy',
    'osapi_share_base_URL',
    'osapi_share_listen',
    'osapi_share_listen_port',
    'osapi_share_use_ssl',
    'osapi_share_workers',
)


class SectionRole(str, enum.Enum):
    """The use of a section whose name the operator chooses."""

    # Named in enabled_share_backends; DEFAULT when that is not set.
    BACKEND = 'back end'
    # Holds a share_driver, but no service is started for it. NetApp and
    # ZFSonLinux open such sections by name for replicas and migrations.
    PEER = 'back end that is not enabled'
    # Named in network_config_group or admin_network_config_group, or a back
    # end's own section when it names none.
    NETWORK = 'network'
    # Named in neutron_binding_profiles.
    BINDING_PROFILE = 'binding profile'
    # Named in netapp_enabled_backup_types.
    BACKUP_TYPE = 'backup type'
    # Named in auth_section: it holds the login of other sections.
    AUTH = 'login'
    # Named in config_source: it says where oslo.config gets more values.
    SOURCE = 'source of values'


class Backend(NamedTuple):
    """One back end that manila-share is configured to start."""

    name: str
    """As in enabled_share_backends; 'DEFAULT' when that is not set."""

    section: Optional[str]
    """The name of its section as written; None when no file has it."""

    source: Optional[Setting]
    """The enabled_share_backends that names it; None when not set."""


class ValueSource(NamedTuple):
    """A further source of values, which config_source names."""

    section: str
    """The section that describes it, as config_source names it."""

    driver: str
    """'remote_file', 'castellan'; '' when no driver is set."""

    name: str
    """Its name in messages: 'remote_file http://server/manila.conf'."""

    parsed: Optional[ini_lines.ParsedFile] = None
    """The values that could be read; None: the source could not be read."""

    source: Any = None
    """The source as oslo.config asks it; None if it could not be opened."""

    problem: str = ''
    """Why a part or all of it could not be read; '' if all was read."""

    unread: Optional[frozenset[Name]] = None
    """The options that it may hold but that were not read; None: any."""

    stops: bool = False
    """Whether the problem makes every service exit at startup."""

    def may_hold(self, group: str, name: str) -> bool:
        """Say whether it may have a value that could not be read."""
        return self.unread is None or (ini_lines.normalize(group), name) in (
            self.unread
        )


class ConfigFiles:
    """The contents of a list of files, as oslo.config reads them."""

    def __init__(
        self,
        parsed: Iterable[ini_lines.ParsedFile],
        search_path: Iterable[str] = (),
        sources: Iterable[ValueSource] = (),
        secret_names: frozenset[str] = frozenset(),
        site: tree.Tree = tree.HOST,
    ) -> None:
        """Index the assignments.

        :param parsed: the files in the order of reading.
        :param search_path: the directories in which manila looks for other
            files (policies, api-paste.ini), first match wins.
        :param sources: where oslo.config looks for options that no file sets,
            in this order.
        :param secret_names: options that hold a secret, whatever the name
            suggests.
        :param site: the file system of the files and the paths in them.
        """
        self._parsed = tuple(parsed)
        self._secret_names = secret_names
        #: The file system of the files and the paths in them.
        self.site = site
        #: Where oslo.config looks for options that no file sets.
        self.sources = tuple(sources)
        parsed = (
            *self._parsed,
            *(
                source.parsed.ranked(-place)
                for place, source in enumerate(self.sources, 1)
                if source.parsed is not None
            ),
        )
        #: Every file that was read, in the order of reading.
        self.files: tuple[model.FileRead, ...] = tuple(
            dict.fromkeys(item.read for item in parsed if item.read)
        )
        #: Every assignment, in the order of reading.
        self.settings: tuple[Setting, ...] = tuple(
            setting for item in parsed for setting in item.settings
        )
        #: The directories in which manila looks for files without a path.
        self.search_path = tuple(search_path)
        self._by_name: dict[Name, list[Setting]] = {}
        for setting in self.settings:
            key = (setting.group, setting.name)
            self._by_name.setdefault(key, []).append(setting)
        self._effective: dict[
            tuple[tuple[Name, ...], bool], tuple[Setting, ...]
        ] = {}
        self._sections: dict[str, str] = {}
        for item in parsed:
            for section, _line in item.sections:
                self._sections.setdefault(
                    ini_lines.normalize(section), section
                )
        _require_bounded(self)
        self._roles = _Roles(self)

    @property
    def secrets(self) -> frozenset[str]:
        """Return all values that no text may show.

        They are the values of options with a secret's name, the passwords in
        URLs, and values of a store of secrets if they are long enough.
        """
        found: set[str] = set()
        for setting in self.settings:
            url = _URL_NAME.search(setting.name) and '//' in setting.value
            if (self.is_secret(setting.name) and not url) or (
                setting.stored and len(setting.value) > 7
            ):
                found.add(setting.value)
            found.update(redact_secrets.within(setting.value))
        return frozenset(found - {''})

    @property
    def names(self) -> frozenset[str]:
        """Return the names that the site gives its files and sections."""
        found = {setting.name for setting in self.settings}
        found.update(self.groups)
        found.update(backend.name for backend in self.backends)
        for file in self.files:
            found.update(re.split(r'[/.]', file.path))
        return frozenset(found)

    def is_secret(self, name: str) -> bool:
        """Say whether an option of this name may hold a secret.

        True for all that a release or a build marks as a secret, for names
        that look like a misspelled one, and for URLs with passwords.
        """
        return name in self._secret_names or is_secret_name(name)

    @property
    def groups(self) -> tuple[str, ...]:
        """Return every section, normalized, in the order of reading."""
        return tuple(self._sections)

    def with_sources(self, sources: Iterable[ValueSource]) -> 'ConfigFiles':
        """Return the same files with further sources of values."""
        return ConfigFiles(
            self._parsed,
            self.search_path,
            sources,
            self._secret_names,
            self.site,
        )

    def with_environments(
        self,
        environments: Iterable[service_processes.Environment],
        spelled: Mapping[str, str],
    ) -> 'ConfigFiles':
        """Return the same files, overridden by environments of services.

        :param environments: the environments; the last one wins.
        :param spelled: the names of options that are not in lower case, by
            their names in lower case.
        """
        return ConfigFiles(
            (
                *self._parsed,
                *(
                    _of_environment(one, spelled).ranked(rank)
                    for rank, one in enumerate(environments, len(self._parsed))
                ),
            ),
            self.search_path,
            self.sources,
            self._secret_names,
            self.site,
        )

    def overridden(
        self, lines: Iterable[Setting], without: str
    ) -> 'ConfigFiles':
        """Return the same files, overridden by lines of another file.

        :param lines: these have priority over all files and environments.
        :param without: a section whose lines in the files are ignored; ''
            for none.
        """
        kept = [
            one._replace(
                settings=tuple(s for s in one.settings if s.group != without)
            )
            for one in self._parsed
        ]
        added = ini_lines.ParsedFile(None, tuple(lines), ())
        return ConfigFiles(
            [*kept, added.ranked(len(kept))],
            self.search_path,
            self.sources,
            self._secret_names,
            self.site,
        )

    @property
    def parsed(self) -> dict[str, ini_lines.ParsedFile]:
        """Return the files that were read, by their paths."""
        return {
            one.read.path: one for one in self._parsed if one.read is not None
        }

    def may_hold(self, group: str, name: str) -> Optional[ValueSource]:
        """Return a source that may set an option but could not be read.

        :returns: the first such source; None when there is none, or when a
            file sets the option, so that no source is asked.
        """
        if any(line.rank >= 0 for line in self.find(group, name)):
            return None
        for source in self.sources:
            if source.may_hold(group, name):
                return source
        return None

    def section(self, name: str) -> Optional[str]:
        """Return the first spelling of a section; None when it is missing."""
        return self._sections.get(ini_lines.normalize(name))

    def find(self, group: str, name: str) -> tuple[Setting, ...]:
        """Return every assignment of one option, in the order of reading."""
        return tuple(self._by_name.get((ini_lines.normalize(group), name), ()))

    def effective(
        self, names: Iterable[Name], multi: bool = False
    ) -> tuple[Setting, ...]:
        """Return the assignments from which oslo.config takes the value.

        The last file wins, even if it has the option under a deprecated name
        and an earlier file under the new one. In one file the names are tried
        in order, and of several assignments of a name the last one counts. If
        no file sets the option, the first source counts that has its current
        name. A variable with the current name wins over the files.

        :param names: the option's name, then its deprecated ones.
        :param multi: whether the option is multi-valued.
        :returns: one assignment; for a multi-valued option all in the order
            of their values; nothing when it is not set.
        """
        wanted = tuple(
            (ini_lines.normalize(group), name) for group, name in names
        )
        # The result is cached: an option may be set a hundred thousand times,
        # and is asked for as often.
        asked = (wanted, multi)
        if asked not in self._effective:
            self._effective[asked] = self._find_effective(wanted, multi)
        return self._effective[asked]

    def _find_effective(
        self, wanted: tuple[Name, ...], multi: bool
    ) -> tuple[Setting, ...]:
        found: list[Setting] = []
        ranks = {s.rank for key in wanted for s in self._by_name.get(key, ())}
        for rank in sorted(ranks, reverse=True):
            current = [
                s
                for s in self._by_name.get(wanted[0], ())
                if s.rank == rank and s.in_environment
            ]
            if current:
                # In the environment oslo.config looks only for the current
                # name, and if it is set it looks no further.
                return (current[-1],)
            if rank < 0:
                if not found:
                    found = [
                        s
                        for s in self._by_name.get(wanted[0], ())
                        if s.rank == rank
                    ][0 if multi else -1 :]
                continue
            for key in wanted:
                here = [
                    s
                    for s in self._by_name.get(key, ())
                    if s.rank == rank and not s.in_environment
                ]
                if here and not multi:
                    return (here[-1],)
                found = here + found
        return tuple(found)

    def value(self, group: str, name: str) -> Optional[str]:
        """Return the text of one option, with references replaced.

        References are looked up only in the files, because this is for the
        few options that decide which sections are read. A reference to an
        option that is not set there is kept.

        :returns: None when it is not set.
        """
        settings = self.effective([(group, name)])
        return self._plain(settings[0], frozenset()) if settings else None

    def values(self, group: str, name: str) -> tuple[str, ...]:
        """Return the items of a list option; empty when it is not set."""
        text = self.value(group, name)
        if text is None:
            return ()
        return tuple(item.strip() for item in text.split(',') if item.strip())

    def _plain(self, setting: Setting, seen: frozenset[Name]) -> str:
        seen |= {(setting.group, setting.name)}

        def lookup(reference: str) -> str:
            group, dot, name = reference.partition('.')
            homes = (group,) if dot else (setting.group, 'DEFAULT')
            name = name if dot else reference
            for home in homes:
                target = self.effective([(home, name)])
                if target and (target[0].group, name) not in seen:
                    return self._plain(target[0], seen)
            raise KeyError(reference)

        return substitute(setting.value, lookup)

    def boolean(self, group: str, name: str) -> Optional[bool]:
        """Return a value as oslo.config reads a boolean.

        :returns: None when it is not set, or oslo.config rejects it.
        """
        from oslo_config import types

        text = self.value(group, name)
        if text is None:
            return None
        try:
            return types.Boolean()(text)
        except ValueError:
            return None

    def handles_share_servers(self, group: str) -> Optional[bool]:
        """Return the mode of a back end's driver; None when it is not set."""
        return self.boolean(group, 'driver_handles_share_servers')

    def backup_types(self, group: str) -> tuple[str, ...]:
        """Return the sections of a back end's backup types."""
        return self.values(group, 'netapp_enabled_backup_types')

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Return the back ends that manila-share starts, in order."""
        return self._roles.backends

    @property
    def runs_share(self) -> bool:
        """Say whether manila-share is expected to run with these files.

        Without enabled_share_backends it starts the driver of [DEFAULT], or
        the default driver (manila 22.0.2 cmd/share.py). Files that set none
        of the back ends, the driver and the driver's mode are therefore taken
        for those of a host without manila-share.
        """
        return self.backends[0].source is not None or bool(
            self.find('DEFAULT', 'share_driver')
            or self.find('DEFAULT', 'driver_handles_share_servers')
        )

    def roles(self, group: str) -> frozenset[SectionRole]:
        """Return what a section is read for; empty when nothing names it.

        Sections with a fixed name ([database], [nova]) have no role here: the
        catalog knows them.
        """
        return self._roles.of(group)

    def auth_section(self, group: str) -> str:
        """Return the section with the login of a section, normalized."""
        return ini_lines.normalize(self.value(group, 'auth_section') or group)

    def auth_users(self, group: str) -> tuple[str, ...]:
        """Return the sections whose logins are in this one, sorted."""
        return self._auth_users.get(ini_lines.normalize(group), ())

    @functools.cached_property
    def _auth_users(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for user in sorted(self.groups):
            section = self.auth_section(user)
            if section != user:
                found.setdefault(section, []).append(user)
        return {section: tuple(users) for section, users in found.items()}

    @property
    def serves_api(self) -> bool:
        """Say whether the files belong to a host with manila-api.

        They do when they have [keystone_authtoken], or an option that only
        the API reads; nothing in manila.conf tells for sure.
        """
        return 'keystone_authtoken' in self.groups or any(
            self.find('DEFAULT', name) for name in _API_OPTIONS
        )

    def find_file(self, name: str) -> Optional[str]:
        """Return the file or directory that manila finds for a name.

        :param name: an absolute path, or one relative to the search path.
        """
        for directory in self.search_path:
            path = os.path.join(directory, self.site.expanduser(name))
            if self.site.exists(path):
                return path
        return None

    def lacks(self, name: str) -> bool:
        """Say whether the site has no file of a name that was not found.

        Where the bundle does not hold a directory, the site may have the file.
        """
        return all(
            self.site.has_all_of(
                os.path.dirname(
                    os.path.join(directory, self.site.expanduser(name))
                )
            )
            for directory in self.search_path
        )


class _Roles:
    """The roles of all sections."""

    def __init__(self, config: ConfigFiles) -> None:
        self._config = config
        self._found: dict[str, set[SectionRole]] = {}
        self.backends = tuple(self._read_backends())
        for backend in self.backends:
            self._read_backend(backend.name)
        for source in config.values(*_SOURCES):
            self._add(source, SectionRole.SOURCE)
        for group in config.groups:
            if config.auth_section(group) != group:
                self._add(config.auth_section(group), SectionRole.AUTH)
            if config.find(
                group, 'share_driver'
            ) and SectionRole.BACKEND not in (self.of(group)):
                self._add(group, SectionRole.PEER)

    def of(self, group: str) -> frozenset[SectionRole]:
        return frozenset(self._found.get(ini_lines.normalize(group), ()))

    def _add(self, group: str, role: SectionRole) -> None:
        self._found.setdefault(ini_lines.normalize(group), set()).add(role)

    def _read_backends(self) -> Iterator[Backend]:
        config = self._config
        names = config.values(*ENABLED_BACKENDS)
        if not names:
            yield Backend('DEFAULT', 'DEFAULT', None)
            return
        source = config.effective([ENABLED_BACKENDS])[0]
        for name in dict.fromkeys(names):
            yield Backend(name, config.section(name), source)

    def _read_backend(self, name: str) -> None:
        config = self._config
        self._add(name, SectionRole.BACKEND)
        for kind in config.backup_types(name):
            self._add(kind, SectionRole.BACKUP_TYPE)
        if config.handles_share_servers(name) is False:
            # A driver that makes no share servers loads no network plugin
            # (manila 22.0.2 share/driver.py, ShareDriver.__init__).
            return
        networks = [config.value(name, 'network_config_group') or name]
        admin = config.value(name, 'admin_network_config_group')
        if admin:
            networks.append(admin)
        for network in networks:
            self._add(network, SectionRole.NETWORK)
            for profile in config.values(network, 'neutron_binding_profiles'):
                self._add(profile, SectionRole.BINDING_PROFILE)


# The option that names the sections of further sources of values.
_SOURCES = ('DEFAULT', 'config_source')

#: The options of this program, in manila-precheck.conf or manila.conf.
OWN_GROUPS = 'manila_precheck'

#: The maximum length of a value in characters, and of a chain of references.
MAX_EXPANDED = 2**20
MAX_NESTED = 50


def _require_bounded(config: ConfigFiles) -> None:
    """Make sure that no value gets too long when references are replaced.

    Thirty lines of ``a = $b$b`` are a value of gigabytes.

    :raises ConfigFileError: when one does; the message names its line.
    """
    # For each option the length of its value, and of its chain of references.
    found: dict[Name, tuple[int, int]] = {}

    def measure(key: Name, seen: frozenset[Name]) -> tuple[int, int]:
        if key not in found:
            sizes = [line_size(line, seen | {key}) for line in lines(key)]
            found[key] = max(s[0] for s in sizes), max(s[1] for s in sizes)
        return found[key]

    def lines(key: Name) -> tuple[Setting, ...]:
        return config.find(*key)

    def line_size(line: Setting, seen: frozenset[Name]) -> tuple[int, int]:
        size, depth = len(line.value), 0
        for reference in references(line.value):
            home, dot, name = reference.rpartition('.')
            for group in (home,) if dot else (line.group, 'DEFAULT'):
                key = normalize(group), name
                if key in seen and _is_read_here(key):
                    raise exceptions.ConfigFileError(
                        f'{line.where}: the value of [{line.section}] '
                        f'{line.name} refers to itself'
                    )
                # A check reports any other value that refers to itself.
                if lines(key) and key not in seen:
                    if len(seen) > MAX_NESTED:
                        raise _too_long(line)
                    more, below = measure(key, seen)
                    size, depth = size + more, max(depth, 1 + below)
                    break
        if size > MAX_EXPANDED or depth > MAX_NESTED:
            raise _too_long(line)
        return size, depth

    for setting in config.settings:
        if '$' in setting.value:
            measure((setting.group, setting.name), frozenset())


def _is_read_here(key: Name) -> bool:
    """Say whether this program itself gets the value from oslo.config."""
    return key == _SOURCES or key[0].startswith(OWN_GROUPS)


def _too_long(line: Setting) -> exceptions.ConfigFileError:
    return exceptions.ConfigFileError(
        f'{line.where}: the references in [{line.section}] {line.name} '
        f'expand to more than {MAX_EXPANDED >> 20} MiB or pass through '
        f'more than {MAX_NESTED} other options'
    )


def references(text: str) -> list[str]:
    """Return the references in a value: 'name' or 'group.name', in order."""
    if '$' not in text:
        return []
    from oslo_config import cfg

    return [
        found['named'] or found['braced']
        for found in cfg.ConfigOpts.Template.pattern.finditer(
            text.replace(r'\$', '$$')
        )
        if found['named'] or found['braced']
    ]


class _Lookup(Mapping[str, object]):
    """Lets string.Template look up names with a function."""

    def __init__(self, lookup: Callable[[str], object]) -> None:
        self._lookup = lookup
        self._left = MAX_EXPANDED

    def __getitem__(self, key: str) -> object:
        value = self._lookup(key)
        self._left -= len(str(value))
        if self._left < 0:
            raise ValueError(
                'its references expand to a value that is too long'
            )
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def substitute(text: str, lookup: Callable[[str], object]) -> str:
    """Return a value with its references replaced, as oslo.config does.

    :param text: the value; $name, ${name} and ${group.name} are references,
        $$ and \\$ are a dollar sign.
    :param lookup: returns the value of 'name' or 'group.name'; for a KeyError
        the reference is kept.
    :raises ValueError: when the value gets longer than 1 MiB.
    """
    if '$' not in text:
        return text
    from oslo_config import cfg

    template = cfg.ConfigOpts.Template(text.replace(r'\$', '$$'))
    return template.safe_substitute(_Lookup(lookup))


def read(
    locations: Iterable[str],
    also_search: Iterable[str] = (),
    secret_names: frozenset[str] = frozenset(),
    site: tree.Tree = tree.HOST,
    known: Optional[Mapping[str, ini_lines.ParsedFile]] = None,
) -> ConfigFiles:
    """Read configuration files in oslo.config's order.

    :param locations: files and directories in the order of reading; the files
        '*.conf' of a directory are read in the order of their names.
    :param also_search: further directories in which manila would look for
        the files that its options name, after those of the locations.
    :param secret_names: as for ConfigFiles.
    :param site: the file system that holds them.
    :param known: files that were read before, by their paths.
    :raises ConfigFileError: when one of them is missing, unreadable or
        malformed.
    """
    given = [site.expanduser(location) for location in locations]
    directories = [path for path in given if site.isdir(path)]
    paths: list[str] = []
    for path in given:
        paths.extend(_members(site, path) if path in directories else [path])
    once = _read_each(site, dict.fromkeys(paths), known or {})
    # oslo.config searches the directories first, then the directories of the
    # files, from the last file to the first (ConfigOpts.find_file).
    beside = [
        os.path.dirname(path)
        for path in reversed(given)
        if path not in directories
    ]
    return ConfigFiles(
        [once[path].ranked(rank) for rank, path in enumerate(paths)],
        dict.fromkeys([*directories, *beside, *also_search]),
        secret_names=secret_names,
        site=site,
    )


def _of_environment(
    environment: service_processes.Environment, spelled: Mapping[str, str]
) -> ini_lines.ParsedFile:
    settings = []
    for variable, value in environment.variables:
        group, _, name = variable[len('OS_') :].lower().partition('__')
        settings.append(
            Setting(
                'DEFAULT' if group == 'default' else group,
                spelled.get(name, name),
                value,
                f'{variable} in the environment of {environment.of}',
                line=0,
                rank=0,
                in_environment=True,
            )
        )
    sections = dict.fromkeys((one.section, 0) for one in settings)
    return ini_lines.ParsedFile(None, tuple(settings), tuple(sections))


def _read_each(
    site: tree.Tree,
    paths: Iterable[str],
    known: Mapping[str, ini_lines.ParsedFile],
) -> dict[str, ini_lines.ParsedFile]:
    found: dict[str, ini_lines.ParsedFile] = {}
    entries = 0
    for path in paths:
        file = found[path] = known.get(path) or ini_lines.read_file(path, site)
        entries += len(file.settings) + len(file.sections)
        if entries > ini_lines.MAX_ENTRIES:
            raise exceptions.ConfigFileError(f'{path}: {ini_lines.TOO_MANY}')
    return found


def _members(site: tree.Tree, directory: str) -> list[str]:
    try:
        names = site.listdir(directory)
    except OSError as exc:
        raise exceptions.ConfigFileError(
            f'{directory}: {exc.strerror or "cannot be read"}'
        ) from exc
    found = [
        os.path.join(directory, name)
        for name in names
        if name.endswith('.conf') and not name.startswith('.')
    ]
    try:
        text_file.require_few(directory, found)
    except exceptions.SourceUnusable as exc:
        raise exceptions.ConfigFileError(str(exc)) from exc
    return found
