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

"""The values that oslo.config gets from the sources in config_source.

oslo.config asks a source for an option that no file sets, and only under its
current name; the first source that has the option wins (oslo.config 8.8 and
10.7 cfg.py, ConfigOpts._do_get). oslo.config opens the sources when it parses,
and waits without a limit for a server; here each source has ten seconds, and
the size of its answer is limited.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import hashlib
import importlib.metadata
import os
from typing import Any
from typing import Callable
from typing import Optional

from oslo_config import cfg
from oslo_config import sources

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import ini_lines
from manila_precheck.evidence.files import text_file
from manila_precheck.redact import secrets

#: How long a source may take to be opened, and then to return all its values.
SECONDS = 10.0

_NAMESPACE = 'oslo.config.driver'

# Runs a call that may raise anything or never end: takes the call and a limit
# in seconds, and returns its answer or raises a PrecheckError.
Guard = Callable[[Callable[[], Any], float], Any]

# What oslo.config's sources return for an option that they do not have.
_NOTHING = (sources._NoValue, None)


class _Stops(exceptions.SourceUnusable):
    """The description of a source makes every service exit at startup."""


class _Held(sources.ConfigurationSource):
    """A source for oslo.config with the values that were read before."""

    def __init__(self, settings: Iterable[ini_lines.Setting]) -> None:
        self._values: dict[config_files.Name, list[str]] = {}
        for setting in settings:
            key = (setting.group, setting.name)
            self._values.setdefault(key, []).append(setting.value)

    def get(
        self, group_name: Optional[str], option_name: str, opt: cfg.Opt
    ) -> tuple[Any, Any]:
        key = (ini_lines.normalize(group_name or 'DEFAULT'), option_name)
        if key not in self._values:
            return _NOTHING
        values = self._values[key]
        where = cfg.LocationInfo(cfg.Locations.user, '')
        return (values if opt.multi else values[-1]), where


class _Asked(sources.ConfigurationSource):
    """A source of a third-party driver; it is abandoned when it fails."""

    def __init__(self, source: Any, guarded: Guard) -> None:
        self._source = source
        self._guarded = guarded
        #: Why it is not asked any more; '' as long as it is.
        self.problem = ''

    def get(
        self, group_name: Optional[str], option_name: str, opt: cfg.Opt
    ) -> tuple[Any, Any]:
        if self.problem:
            return _NOTHING
        try:
            found: tuple[Any, Any] = self._guarded(
                lambda: self._source.get(group_name, option_name, opt), SECONDS
            )
        except exceptions.PrecheckError as exc:
            self.problem = str(exc)
            return _NOTHING
        return found


class ConfigOpts(cfg.ConfigOpts):
    """oslo.config's ConfigOpts, with limits for its sources.

    :param files: the files that it is about to parse.
    :param guarded: :func:`manila_precheck.engine.runner.isolated`.
    """

    def __init__(
        self, files: config_files.ConfigFiles, guarded: Guard
    ) -> None:
        super().__init__()
        self._files = files
        self._guarded = guarded
        #: The sources, in the order in which they are asked.
        self.opened: tuple[config_files.ValueSource, ...] = ()

    def _load_alternative_sources(self) -> None:
        # NOTE: the only hook before oslo.config itself opens the sources.
        self.opened = open_all(self, self._files, self._guarded)
        # Checks their references before oslo.config expands any.
        self._files.with_sources(self.opened)
        self._sources = [
            one.source for one in self.opened if one.source is not None
        ]

    def _validate_cli_options(self, namespace: Any) -> None:
        # NOTE: oslo.config would print the value and exit; config-options
        # reports the values for which services exit.
        return

    def _check_required_opts(self, namespace: Any = None) -> None:
        try:
            super()._check_required_opts(namespace)
        except cfg.RequiredOptError as exc:
            # An option of a source's driver: no option of ours is required.
            named = getattr(exc.group, 'name', exc.group)
            self.opened = tuple(
                one._replace(problem=str(exc), stops=True)
                if one.section == named
                else one
                for one in self.opened
            )


def open_all(
    conf: cfg.ConfigOpts,
    files: config_files.ConfigFiles,
    guarded: Guard,
    environment: Mapping[str, str] = os.environ,
) -> tuple[config_files.ValueSource, ...]:
    """Open every source that config_source names.

    :param conf: a third-party driver registers its options on it.
    :param files: the files that describe the sources.
    :param environment: the variables, which win over the files.
    :returns: the sources in the order in which they are asked.
    """
    reader = _Reader(conf, files, guarded, environment)
    named = reader.option('DEFAULT', 'config_source').split(',')
    return tuple(
        reader.open(section)
        for section in dict.fromkeys(name.strip() for name in named)
        if section
    )


def unopened(
    files: config_files.ConfigFiles,
) -> tuple[config_files.ValueSource, ...]:
    """Return a site's sources that cannot be reached from here.

    :param files: the files of a bundle. Their sources are on the site's
        network, or in files that the bundle does not have.
    """
    return tuple(
        config_files.ValueSource(
            section,
            files.value(section, 'driver') or '',
            f'{files.value(section, "driver") or ""} [{section}]'.lstrip(),
            problem='it is not looked up for the files of a bundle',
        )
        for section in files.values('DEFAULT', 'config_source')
    )


class _Reader:
    def __init__(
        self,
        conf: cfg.ConfigOpts,
        files: config_files.ConfigFiles,
        guarded: Guard,
        environment: Mapping[str, str],
    ) -> None:
        self._conf = conf
        self._files = files
        self._guarded = guarded
        self._environment = environment

    def option(self, section: str, name: str) -> str:
        """Return the text of an option; '' when it is not set."""
        variable = f'OS_{section}__{name}'.upper()
        found = self._environment.get(variable)
        return found or self._files.value(section, name) or ''

    def open(self, section: str) -> config_files.ValueSource:
        """Open one source; an error becomes its ``problem``."""
        driver = self.option(section, 'driver')
        name = f'{driver} [{section}]'.lstrip()
        found = config_files.ValueSource(section, driver, name)
        try:
            if driver == 'remote_file':
                return self._remote_file(found)
            if driver == 'castellan':
                return self._castellan(found)
            if driver == 'environment':
                # oslo.config asks the environment before the files.
                return found._replace(unread=frozenset())
            if not driver:
                raise exceptions.SourceUnusable('no driver is set')
            source = _Asked(self._opened(section, driver), self._guarded)
            return found._replace(source=source)
        except exceptions.PrecheckError as exc:
            return found._replace(
                problem=secrets.scrub(str(exc)),
                stops=isinstance(exc, _Stops),
            )

    def _required(self, section: str, name: str) -> str:
        """Return an option whose absence is a RequiredOptError."""
        found = self.option(section, name)
        if not found:
            raise _Stops(f'no {name} is set')
        return found

    def _opened(self, section: str, driver: str) -> Any:
        """Have a driver open a source, as oslo.config does."""
        points = [point for point in _drivers() if point.name == driver]
        if not points:
            raise exceptions.SourceUnusable(
                f'the driver {driver!r} is not installed here'
            )

        def opened() -> Any:
            made = points[0].load()()
            return made.open_source_from_opt_group(self._conf, section)

        return self._guarded(opened, SECONDS)

    def _remote_file(
        self, found: config_files.ValueSource
    ) -> config_files.ValueSource:
        uri = self._required(found.section, 'uri')
        if not uri.lower().startswith(('http://', 'https://')):
            raise _Stops('uri is neither http nor https')
        shown = secrets.scrub(' '.join(uri.split()))
        found = found._replace(name=f'remote_file {shown}')
        verify = self.option(found.section, 'ca_path') or True
        certificate = self.option(found.section, 'client_cert') or None
        key = self.option(found.section, 'client_key')
        pair = (certificate, key) if certificate and key else certificate
        try:
            text = self._guarded(lambda: _fetch(uri, verify, pair), SECONDS)
            digest = hashlib.sha256(text.encode('utf-8', 'replace'))
            read = model.FileRead(shown, digest.hexdigest())
            parsed = ini_lines.parse(text_file.Text(text, read))
        except exceptions.PrecheckError as exc:
            return found._replace(problem=secrets.scrub(str(exc)))
        return found._replace(
            parsed=parsed, source=_Held(parsed.settings), unread=frozenset()
        )

    def _castellan(
        self, found: config_files.ValueSource
    ) -> config_files.ValueSource:
        self._required(found.section, 'config_file')
        mapping = ini_lines.read_file(
            self._required(found.section, 'mapping_file')
        )
        wanted = {(one.section, one.name) for one in mapping.settings}
        try:
            source = self._opened(found.section, 'castellan')
            answers = self._guarded(
                lambda: [
                    *_ask(source, ((*one, False) for one in sorted(wanted)))
                ],
                SECONDS,
            )
            problem = ''
        except exceptions.PrecheckError as exc:
            answers, problem = [], secrets.scrub(str(exc))
        settings = tuple(_stored(found.name, *one) for one in answers)
        lost = wanted - {(one.section, one.name) for one in settings}
        if lost and not problem:
            problem = 'it has no value for ' + ', '.join(
                f'[{section}] {name}' for section, name in sorted(lost)
            )
        return found._replace(
            parsed=ini_lines.ParsedFile(mapping.read, settings, ()),
            source=_Held(settings),
            problem=problem,
            unread=frozenset(
                (ini_lines.normalize(s), name) for s, name in lost
            ),
        )


def listed(
    opened: Iterable[config_files.ValueSource],
    wanted: Callable[[], Iterable[tuple[str, str, bool]]],
    guarded: Guard,
) -> tuple[config_files.ValueSource, ...]:
    """Return the sources, with the values of those that cannot list them.

    :param wanted: returns (section, option, whether it is multi-valued) for
        all options that a service may ask for.
    """
    return tuple(
        _listed(one, wanted, guarded)
        if isinstance(one.source, _Asked)
        else one
        for one in opened
    )


def _listed(
    one: config_files.ValueSource,
    wanted: Callable[[], Iterable[tuple[str, str, bool]]],
    guarded: Guard,
) -> config_files.ValueSource:
    try:
        answers = guarded(lambda: [*_ask(one.source, wanted())], SECONDS)
    except exceptions.PrecheckError as exc:
        return one._replace(problem=secrets.scrub(str(exc)))
    if one.source.problem:
        return one._replace(problem=secrets.scrub(one.source.problem))
    settings = tuple(_stored(one.name, *item) for item in answers)
    return one._replace(
        parsed=ini_lines.ParsedFile(None, settings, ()), unread=frozenset()
    )


def _ask(
    source: Any, wanted: Iterable[tuple[str, str, bool]]
) -> Iterator[tuple[str, str, str]]:
    """Yield the section, name and value of each option that is set."""
    for section, name, multi in wanted:
        opt = cfg.MultiStrOpt(name) if multi else cfg.StrOpt(name)
        group = None if section == 'DEFAULT' else section
        value, _ = source.get(group, name, opt)
        if value is not sources._NoValue:
            for item in value if isinstance(value, list) else [value]:
                yield section, name, str(item)


def _stored(
    file: str, section: str, name: str, value: str
) -> ini_lines.Setting:
    return ini_lines.Setting(section, name, value, file, line=0, rank=0)


def _drivers() -> Iterator[importlib.metadata.EntryPoint]:
    for distribution in importlib.metadata.distributions():
        for point in distribution.entry_points:
            if point.group == _NAMESPACE:
                yield point


def _fetch(uri: str, verify: Any, certificate: Any) -> str:
    """Return the text of a URI, read as oslo.config's driver reads it.

    :raises SourceUnusable: when it cannot be read, or is too long.
    """
    # Imported here because few configurations need it.
    import requests

    data = bytearray()
    try:
        with requests.get(
            uri,
            verify=verify,
            cert=certificate,
            timeout=SECONDS / 2,
            stream=True,
        ) as response:
            if response.status_code >= 400:
                raise exceptions.SourceUnusable(
                    f'the server answers {response.status_code}'
                )
            for chunk in response.iter_content(4096):
                data += chunk
                if len(data) > ini_lines.MAX_BYTES:
                    raise exceptions.SourceUnusable(
                        f'it is larger than {ini_lines.MAX_BYTES >> 20} MiB'
                    )
            encoding = response.encoding
    except requests.Timeout:
        raise exceptions.SourceUnusable(
            f'the server does not answer within {SECONDS / 2:g} seconds'
        ) from None
    except (requests.RequestException, OSError, ValueError) as exc:
        raise exceptions.SourceUnusable(_reason(exc)) from None
    try:
        return str(data, encoding or 'utf-8', 'replace')
    except LookupError:
        return str(data, 'utf-8', 'replace')


def _reason(error: BaseException) -> str:
    """Return why a request failed, without the URI in the message."""
    inner: Optional[BaseException] = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return f'{type(error).__name__}: {inner.strerror}'
        inner = inner.__context__
    return type(error).__name__
