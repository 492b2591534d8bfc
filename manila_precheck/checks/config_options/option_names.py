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

"""Values that name something that the target does not have."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import drivers
from manila_precheck.checks.config_options import both_releases
from manila_precheck.checks.config_options import coordination_urls
from manila_precheck.checks.config_options import database_parameters
from manila_precheck.checks.config_options import homes
from manila_precheck.checks.config_options import library_values
from manila_precheck.checks.config_options import middleware
from manila_precheck.checks.config_options import references
from manila_precheck.checks.config_options import transport_urls
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.database import database_url

Severity = model.Severity

# The kinds whose names are the schemes of URLs; the rest of a URL may be
# secret.
_SCHEMES = (drivers.TRANSPORT, drivers.COORDINATION, drivers.DIALECT)

# The kinds whose names come only from the libraries of OpenStack and
# SQLAlchemy.
_CLOSED = (*_SCHEMES, drivers.NOTIFICATION)

# The kinds that manila looks up by the class names of entry points.
_SCHEDULING = (drivers.FILTER, drivers.WEIGHER)


class _Named(NamedTuple):
    """One name in the value of a line."""

    name: str
    setting: config_files.Setting
    reference: references.OptionReference
    names: tuple[str, ...]
    """All names in the line."""


class OptionNames:
    """The findings about names in values, as the two releases use them."""

    def __init__(self, both: both_releases.Sides) -> None:
        self._sides = both
        self._source = both.source.release
        self._target = both.target.release

    def findings(
        self, setting: config_files.Setting
    ) -> Iterator[model.Finding]:
        """Yield a finding for each name in a line that does not exist."""
        reader = self._sides.target
        now = reader.look_up(setting.group, setting.name)
        if not now.read or now.option is None:
            return
        reference = references.find(now.group, now.option.name)
        if reference is None or setting not in reader.effective(setting):
            return
        if (
            homes.passed_over(reader, setting.group, now.option.name)
            or middleware.why_unread(self._sides, now) is not None
        ):
            # Nothing loads what it names.
            return
        if now.option.name in _WITH_SERVERS and not self._with_servers(
            setting.group
        ):
            return
        try:
            value = reader.value(setting)
        except config_reader.Refused:
            return
        names = _names(value, reference.kind)
        for name in dict.fromkeys(names):
            yield from self._judge(_Named(name, setting, reference, names))
        if reference.kind == drivers.TRANSPORT and value:
            fault = transport_urls.fault(self._sides, setting, str(value))
            if fault is not None:
                yield self._refused_url(setting, reference, fault)
            else:
                yield from library_values.of_broker_url(
                    self._sides, setting, str(value)
                )
        if reference.kind == drivers.COORDINATION and value:
            refused = coordination_urls.fault(str(value))
            if refused is not None:
                yield self._refused_url(setting, reference, refused)
        if reference.kind == drivers.DIALECT and value:
            if not database_url.is_url(str(value)):
                yield self._no_url(setting)
                return
            parameters = database_parameters.fault(str(value))
            if parameters is not None:
                yield self._rejected_parameters(setting, parameters)

    def _with_servers(self, group: str) -> bool:
        """Say whether a back end that reads a section has share servers."""
        conf = self._sides.conf
        for backend in conf.backends:
            homes = {
                config_files.normalize(home)
                for home in (
                    backend.name,
                    conf.value(backend.name, 'network_config_group'),
                    conf.value(backend.name, 'admin_network_config_group'),
                )
                if home
            }
            try:
                mode = self._sides.target.get(
                    backend.name, 'driver_handles_share_servers'
                )
            except config_reader.Refused:
                mode = None
            if group in homes and mode:
                return True
        return False

    def _judge(self, named: _Named) -> Iterator[model.Finding]:
        kind = named.reference.kind
        if named.name in self._known(self._target, kind):
            if (kind, named.name) in references.LIBRARIES:
                yield from self._needs_library(named)
            elif kind == drivers.DIALECT and named.name in references.ASYNCIO:
                yield self._of_asyncio(named)
            elif kind == drivers.TRANSPORT and named.name == _FAKE:
                yield self._of_one_process(named)
            return
        moved = named.reference.moved
        target = moved and self._known(self._target, moved).get(named.name)
        if target:
            yield self._moved(named, str(target.target))
        elif self._is_ours(named) or self._is_absent(named):
            yield self._dangling(named)
        else:
            yield self._unjudged(named)

    def _known(
        self, release: releases.Release, kind: str
    ) -> Mapping[str, drivers.Driver]:
        return self._sides.catalog.plugins(release, kind)

    def _is_ours(self, named: _Named) -> bool:
        """Say whether only manila and its libraries can have the name."""
        kind = named.reference.kind
        if kind in _CLOSED or not named.name:
            return True
        if self._sides.catalog.driver_releases(named.name, kind):
            return True
        if kind in _SCHEDULING:
            # The name of a class has no dot and is case-sensitive.
            return '.' in named.name or named.name.lower() in {
                name.lower() for name in self._known(self._target, kind)
            }
        # A class of another package has the module before it.
        return named.name.startswith('manila.') or '.' not in named.name

    def _is_absent(self, named: _Named) -> bool:
        """Say whether the build is known to lack the class of a path."""
        return '.' in named.name and (
            self._sides.catalog.installs(self._target, named.name) is False
        )

    # -- findings ------------------------------------------------------------

    def _moved(self, named: _Named, path: str) -> model.Finding:
        kind = named.reference.kind
        return self._finding(
            named,
            Severity.WARNING,
            'moved',
            f', an old path that {self._target} still maps to {path}',
            [
                _line(named, path).with_edits(
                    *self._sides.edits.replace(
                        named.setting,
                        named.setting.value.replace(named.name, path),
                        path in self._known(self._source, kind),
                    )
                )
            ],
            {'moved_to': path},
        )

    def _dangling(self, named: _Named) -> model.Finding:
        reference = named.reference
        before = named.name in self._known(self._source, reference.kind)
        history = (
            f'{self._source} has it' if before else f'nor does {self._source}'
        )
        severity, effect = reference.severity, reference.effect
        steps = self._instead(named)
        if not self._is_asked_for(named):
            severity = Severity.INFO
            effect = 'no enabled back end uses it'
            steps = [step.with_edits() for step in steps]
        return self._finding(
            named,
            severity,
            'dangling',
            f', but {self._target} has no such {reference.thing} ({history}); '
            f'{effect}',
            steps,
            {'source_has_it': before},
        )

    def _is_asked_for(self, named: _Named) -> bool:
        users = named.reference.users
        if not users:
            return True
        target = self._sides.target
        backends = [one.name for one in self._sides.conf.backends]
        own = [
            name
            for name in backends
            if config_files.normalize(name) == named.setting.group
        ]
        paths = [target.driver(name) for name in own or backends]
        return any(
            path is not None and path.endswith(f'.{user}')
            for path in paths
            for user in users
        )

    def _unjudged(self, named: _Named) -> model.Finding:
        reference = named.reference
        return self._finding(
            named,
            min(reference.severity, Severity.WARNING),
            'unjudged',
            f', but neither {self._target} nor {self._source} has this '
            f'{reference.thing}; another package may provide it, the catalog '
            f'does not know. Otherwise {reference.effect}',
            [
                model.advice(
                    'Install the version of that package for '
                    f'{self._target}. If there is no such package:'
                ),
                *(step.with_edits() for step in self._instead(named)),
            ],
        )

    def _refused_url(
        self,
        setting: config_files.Setting,
        reference: references.OptionReference,
        fault: transport_urls.UrlFault,
    ) -> model.Finding:
        effect = fault.effect or reference.effect.partition(' (')[0]
        return model.Finding(
            min(fault.severity, reference.severity),
            setting.subject,
            f'[{setting.section}] {setting.name} has {fault.what}: {effect}'
            + (f' ({fault.error})' if fault.error else ''),
            [
                fault.advice.with_edits(
                    *self._sides.edits.choose(setting, fault.admitted)
                )
            ],
            data={'verdict': 'invalid'},
            aspect=fault.aspect,
        )

    def _no_url(self, setting: config_files.Setting) -> model.Finding:
        return model.Finding(
            Severity.FAILURE,
            setting.subject,
            f'[{setting.section}] {setting.name} is no URL that SQLAlchemy '
            f'can parse: {references.NO_DATABASE}',
            [
                model.advice(
                    'Begin it with mysql+pymysql:// or postgresql://, and '
                    'write a number for the port, or no colon after the '
                    'host. In a password write %40 for an at sign, %2F for a '
                    'slash and %3A for a colon.'
                ).with_edits(
                    *self._sides.edits.choose(setting, 'the URL of a database')
                )
            ],
            data={'verdict': 'invalid'},
            aspect='url',
        )

    def _rejected_parameters(
        self,
        setting: config_files.Setting,
        fault: database_parameters.ParameterFault,
    ) -> model.Finding:
        return database_parameters.finding(
            setting,
            fault,
            model.advice(
                'Correct what follows the question mark. In a password '
                'write %3F for a question mark.'
            ).with_edits(
                *self._sides.edits.choose(
                    setting, 'a URL with other parameters'
                )
            ),
            'parameters',
        )

    def _of_asyncio(self, named: _Named) -> model.Finding:
        server = named.name.partition('+')[0]
        name = 'postgresql' if server == 'postgresql' else f'{server}+pymysql'
        if server == 'sqlite':
            name = server
        return self._finding(
            named,
            named.reference.severity,
            'invalid',
            ', which works with asyncio only, as manila does not: '
            f'{references.NO_DATABASE} (MissingGreenlet)',
            [
                model.advice(f'Begin the URL with {name}://.').with_edits(
                    *self._sides.edits.choose(named.setting, f'{name}://...')
                )
            ],
        )

    def _of_one_process(self, named: _Named) -> model.Finding:
        setting = named.setting
        broker = (setting.group, setting.name) == ('DEFAULT', 'transport_url')
        return self._finding(
            named,
            Severity.FAILURE if broker else Severity.WARNING,
            'invalid',
            ', which sends nothing to another process: '
            + (
                'the services start, and no request of manila-api is carried '
                'out'
                if broker
                else 'notifications are lost'
            ),
            [
                model.advice(
                    'Begin the URL with rabbit://, and write the user, the '
                    'password and the host of the broker after it.'
                ).with_edits(
                    *self._sides.edits.choose(setting, 'rabbit://...')
                )
            ],
        )

    def _needs_library(self, named: _Named) -> Iterator[model.Finding]:
        kind = named.reference.kind
        module, package = references.LIBRARIES[kind, named.name]
        there = self._sides.catalog.installs(self._target, module)
        if there or (there is None and module in references.EVERYWHERE):
            return
        effect = named.reference.effect.partition(' (')[0]
        advice = f'Install {package} together with {self._target}'
        if kind == drivers.DIALECT and module not in references.EVERYWHERE:
            advice += (
                ', or begin the URL with mysql+pymysql:// and install PyMySQL'
                if not named.name.startswith('postgresql')
                else ', or begin the URL with postgresql:// and install '
                'psycopg2'
            )
        if there is None:
            severity, verdict = Severity.WARNING, 'unjudged'
            text = f'manila does not install it; without it {effect}'
        else:
            severity, verdict = named.reference.severity, 'dangling'
            text = f'the build of the target does not have it; {effect}'
        yield self._finding(
            named,
            severity,
            verdict,
            f', which loads the module {module}; {text}',
            [model.advice(f'{advice}.')],
        )

    def _instead(self, named: _Named) -> list[model.Remediation]:
        """Return the line to write, or the names that the target has."""
        edits, setting = self._sides.edits, named.setting
        known = sorted(self._known(self._target, named.reference.kind))
        if named.reference.kind in _SCHEMES:
            shown = [name for name in known if name not in _NOT_SERVED]
            return [
                model.advice(f'The target has {", ".join(shown)}.').with_edits(
                    *edits.choose(setting, f'one of {", ".join(shown)}')
                )
            ]
        # Imported here because few runs look for a misspelling.
        import difflib

        near = difflib.get_close_matches(named.name, known, 1, 0.85)
        if near:
            # The similar name is a guess, so ask for a value.
            return [
                _line(named, near[0]).with_edits(
                    *edits.choose(setting, f'{near[0]}?')
                )
            ]
        lines: list[model.Remediation] = []
        if named.reference.kind in (*_SCHEDULING, drivers.NOTIFICATION):
            lines = [model.advice(f'The target has {", ".join(known)}.')]
        plain = '=' not in setting.value and '$' not in setting.value
        if len(named.names) > 1 and '=' not in setting.value:
            return [
                *lines,
                _line(named, None).with_edits(
                    *edits.replace(setting, _without(named))
                    if plain
                    else edits.choose(setting, _without(named))
                ),
            ]
        default = self._default(named)
        if default and default != named.name:
            return [
                *lines,
                model.advice('The default is:'),
                _assignment(setting, default).with_edits(
                    *edits.replace(setting, default)
                    if plain
                    else edits.choose(setting, f'the default is {default}')
                ),
            ]
        return lines or [
            model.advice('Remove the line.').with_edits(
                *edits.comment(setting)
            )
        ]

    def _default(self, named: _Named) -> str:
        now = self._sides.target.look_up(
            named.setting.group, named.setting.name
        )
        default = now.option.default if now.option is not None else None
        if isinstance(default, list):
            return ','.join(str(item) for item in default)
        return default if isinstance(default, str) else ''

    def _finding(
        self,
        named: _Named,
        severity: Severity,
        verdict: str,
        message: str,
        remediation: list[model.Remediation],
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        setting = named.setting
        one = len(named.names) == 1
        what = f'names {named.name}' if named.name else 'has an empty name'
        return model.Finding(
            severity,
            setting.subject,
            f'[{setting.section}] {setting.name} {what}{message}',
            remediation,
            data={'verdict': verdict, 'named': named.name, **(data or {})},
            aspect='names' if one else f'names:{named.name}',
        )


# Options that only drivers with share servers read.
_WITH_SERVERS = ('network_api_class', 'interface_driver')
# A driver for tests, and an alias of another driver.
_FAKE = 'fake'
_NOT_SERVED = (_FAKE, 'kombu')


def _names(value: Any, kind: str) -> tuple[str, ...]:
    """Return the names in the value of an option."""
    if value is None:
        return ()
    if isinstance(value, dict):
        return tuple(str(item) for item in value.values())
    if isinstance(value, list):
        # Before 22, an item of share_helpers is NFS=path.
        return tuple(str(item).rpartition('=')[2] for item in value)
    text = str(value)
    if kind not in _SCHEMES:
        return (text,)
    scheme, colon, _ = text.partition(':')
    if kind == drivers.DIALECT:
        return (scheme,) if '://' in text else ()
    if kind == drivers.TRANSPORT:
        scheme = scheme.partition('+')[0]
    return (scheme.lower() if colon else '',)


def _line(named: _Named, name: Optional[str]) -> model.Remediation:
    """Return the line with one name replaced, or without it."""
    text = named.setting.value
    if name is not None:
        return _assignment(named.setting, text.replace(named.name, name))
    return _assignment(named.setting, _without(named))


def _without(named: _Named) -> str:
    """Return the other names of the line."""
    return ','.join(other for other in named.names if other != named.name)


def _assignment(
    setting: config_files.Setting, value: str
) -> model.Remediation:
    return model.config('[{}]\n{} = {}', setting.section, setting.name, value)
