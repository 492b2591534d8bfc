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
"""Whether a section holds a login that keystoneauth can use."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import auth_needs
from manila_precheck.catalog import options
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

#: The options with which keystonemiddleware logs in when auth_type is not
#: set: for version 2 of Keystone's API, or with a token that does not expire.
#: A release reads them if they are in its catalog.
_WITHOUT_PLUGIN = ('admin_token', 'admin_user')

# The scopes of a token, each with the options that name it.
_SCOPES = (
    ('domain_id', 'domain_name'),
    ('trust_id',),
    ('system_scope',),
    ('project_id', 'project_name'),
)

_NO_LINES: Mapping[str, str] = {}


class Lacking(NamedTuple):
    """Why a release finds no login in a section."""

    section: str
    """The section that should hold it, normalized."""

    line: Optional[config_files.Setting]
    """The line that is wrong, or from which it follows that a login is
    meant."""

    plugin: Optional[str] = None
    """The value of auth_type; None when it is not set."""

    options: tuple[str, ...] = ()
    """One of these options is missing; empty: the plugin itself is wrong.
    With ``several_scopes``, all of them are set, and only one may be."""

    loads: bool = False
    """Whether the plugin is loaded all the same."""

    absent: bool = False
    """Whether no file has the section; auth_section may name it."""

    library: Optional[auth_needs.LoginLibrary] = None
    """The module that the plugin needs and the environment may lack."""

    several_scopes: bool = False
    """Whether the options set several scopes; a token has only one."""

    certain: bool = True
    """Whether it is known that it is lacking."""

    @property
    def severity(self) -> model.Severity:
        """Return the severity where the login is needed."""
        return (
            model.Severity.FAILURE if self.certain else model.Severity.WARNING
        )

    @property
    def condition(self) -> str:
        """Return what precedes the effect: '' or 'without it '."""
        return '' if self.certain else 'without it '

    @property
    def advice(self) -> str:
        """Return what to do other than to set an option; '' if it is that."""
        if self.several_scopes:
            return (
                'Keep one of them: the services log in to their project, '
                'project_name.'
            )
        if self.library is None:
            return ''
        return (
            f'Install {self.library.package} in the environment of the '
            'target, or log in with another plugin, such as password.'
        )

    @property
    def why(self) -> str:
        """Return what is wrong, as a clause."""
        if self.several_scopes:
            return (
                f'[{self.section}] sets {_listed(self.options)}, but a token '
                'has only one scope (AuthorizationFailure)'
            )
        if self.absent:
            return f'no file has the section [{self.section}]'
        if self.plugin is None:
            return f'[{self.section}] sets no auth_type'
        if self.library is not None:
            return (
                f'[{self.section}] auth_type is {self.plugin!r}, which needs '
                f'the module {self.library.module}; '
                + (
                    'the build of the target does not have it'
                    if self.certain
                    else 'manila does not install it'
                )
            )
        if not self.options:
            return (
                f'[{self.section}] auth_type is {self.plugin!r}, which is '
                'not a plugin of keystoneauth'
            )
        return (
            f'[{self.section}] sets none of {_listed(self.options)}, which '
            if len(self.options) > 1
            else f'[{self.section}] does not set {self.options[0]}, which '
        ) + f'auth_type = {self.plugin} needs'


def _listed(names: tuple[str, ...]) -> str:
    return ', '.join(names[:-1]) + f' and {names[-1]}'


def lacking(
    reader: config_reader.Reader,
    group: str,
    more: Mapping[str, str] = _NO_LINES,
) -> tuple[Lacking, ...]:
    """Return what is missing for a login; nothing: the login is complete.

    :param reader: the release.
    :param group: the section that a client reads: 'keystone_authtoken'.
    :param more: values that take precedence over the files: those of the
        section in api-paste.ini.
    """
    conf = reader.conf
    section = conf.auth_section(group)
    line = _any_line(conf, section) or _any_line(conf, group)
    named = more.get('auth_type') or reader.login(section)
    named = named or more.get('auth_plugin')
    if not named:
        if section == group and any(
            more.get(name) or _is_set(reader, section, (name,))
            for name in _WITHOUT_PLUGIN
        ):
            return ()
        absent = conf.section(section) is None and (
            section != group or not more
        )
        return (Lacking(section, line, absent=absent),)
    plugin = reader.options.auth_plugin(named)
    if plugin is None:
        found = conf.effective(
            [(section, 'auth_type'), (section, 'auth_plugin')]
        )
        return (Lacking(section, found[0] if found else line, named),)
    if not plugin.known:
        return ()
    found = conf.effective([(section, 'auth_type'), (section, 'auth_plugin')])
    return (
        *_libraries(reader, section, found[0] if found else line, plugin.name),
        *(
            Lacking(section, line, named, names, loads)
            for names, loads in _needed(reader, section, plugin, more)
        ),
        *_several_scopes(reader, section, plugin, more),
    )


def _several_scopes(
    reader: config_reader.Reader,
    section: str,
    plugin: options.AuthPlugin,
    more: Mapping[str, str],
) -> Iterator[Lacking]:
    """Yield that a plugin refuses to ask for a token with several scopes.

    keystoneauth1 5.1 to 5.13 identity/v3/base.py, get_auth_ref; asked of the
    versions of manila 16.3.0 and 22.0.2.
    """
    if plugin.name.startswith('v2'):
        return
    has = _setter(reader, section, plugin, more)
    # The project, which most logins have, is the last one.
    names = tuple(
        next(filter(has, scope)) for scope in _SCOPES if any(map(has, scope))
    )
    if len(names) > 1:
        found = reader.conf.effective([(section, names[0])])
        yield Lacking(
            section,
            found[-1] if found else _any_line(reader.conf, section),
            plugin.name,
            names,
            loads=True,
            several_scopes=True,
        )


def _libraries(
    reader: config_reader.Reader,
    section: str,
    line: Optional[config_files.Setting],
    plugin: str,
) -> tuple[Lacking, ...]:
    """Return the library that a plugin needs, unless the build has it."""
    library = auth_needs.LIBRARIES.get(plugin)
    there = library is not None and reader.installs(library.module)
    if library is None or there:
        return ()
    return (
        Lacking(
            section,
            line,
            plugin,
            loads=library.loads,
            library=library,
            certain=there is False,
        ),
    )


def _setter(
    reader: config_reader.Reader,
    section: str,
    plugin: options.AuthPlugin,
    more: Mapping[str, str],
) -> Callable[..., bool]:
    """Return a function that says whether an option of a plugin is set."""

    def has(name: str, empty: bool = False) -> bool:
        option = plugin.options.get(name)
        if option is None:
            return False
        names = (name, *(old.name for old in option.deprecated_names))
        if any(item in more for item in names):
            return True
        lines = reader.conf.effective([(section, item) for item in names])
        return bool(lines) and (empty or bool(lines[-1].value))

    return has


def _needed(
    reader: config_reader.Reader,
    section: str,
    plugin: options.AuthPlugin,
    more: Mapping[str, str],
) -> list[tuple[tuple[str, ...], bool]]:
    has = _setter(reader, section, plugin, more)
    found: list[tuple[tuple[str, ...], bool]] = []
    for name, option in plugin.options.items():
        if option.required and not has(name):
            # With an empty option the plugin is loaded, but useless.
            found.append(((name,), has(name, empty=True)))
    for need in auth_needs.needs(plugin.name, frozenset(plugin.options)):
        if need.given and not any(map(has, need.given)):
            continue
        if any(map(has, (*need.options, *need.unless))):
            continue
        found.append((need.options, not need.loads))
    return found


def _is_set(
    reader: config_reader.Reader, group: str, names: tuple[str, ...]
) -> bool:
    return any(
        line.value and reader.look_up(group, line.name).read
        for line in reader.conf.effective([(group, name) for name in names])
    )


def _any_line(
    conf: config_files.ConfigFiles, group: str
) -> Optional[config_files.Setting]:
    """Return the first line of a section; None when it has none."""
    normal = config_files.normalize(group)
    return next((line for line in conf.settings if line.group == normal), None)
