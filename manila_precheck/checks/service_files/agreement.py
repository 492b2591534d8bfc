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

"""Options that must have the same value for all services."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import service_urls
from manila_precheck.evidence.host import commands

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING
_INFO = model.Severity.INFO


class _Shared(NamedTuple):
    """An option that must have the same value for all services."""

    group: str
    name: str

    shown: Callable[[Any], str]
    """Returns the part of a value to compare and show, without a login."""

    effect: str

    manage: bool = False
    """Whether manila-manage uses it too."""

    same: Callable[[str, str], bool] = lambda one, two: False
    """Says whether two different values may mean the same server."""

    severity: model.Severity = _FAILURE

    default: str = 'none'
    """The value if no file sets it and the release has no default."""


def _database(value: Any) -> str:
    return service_urls.database(value) or 'a value that is not a URL'


def _same_database(one: str, two: str) -> bool:
    """Say whether two values differ only in the name of the server."""
    return (
        one.partition(' ')[0] == two.partition(' ')[0] != 'sqlite,'
        and one.rpartition(', ')[2] == two.rpartition(', ')[2]
    )


def _broker(value: Any) -> str:
    return str(service_urls.broker(value))


def _same_broker(one: str, two: str) -> bool:
    return (
        one.partition(' ')[0] == two.partition(' ')[0]
        and one.rpartition(', ')[2] == two.rpartition(', ')[2]
    )


_SHARED = (
    _Shared(
        'database',
        'connection',
        _database,
        'they do not share their rows, and db sync migrates only one of the '
        'databases',
        True,
        _same_database,
    ),
    _Shared(
        'DEFAULT',
        'transport_url',
        _broker,
        'their requests do not reach each other',
        same=_same_broker,
        # The default of oslo.messaging (14.0 to 18.1 transport.py).
        default=_broker('rabbit://'),
    ),
    _Shared(
        'DEFAULT',
        'host',
        str,
        'each service has a row under its own name, and the shares belong to '
        'that of manila-share',
        severity=_INFO,
        default='the name of the machine',
    ),
    *(
        _Shared('DEFAULT', name, str, 'their requests do not reach each other')
        for name in (
            'control_exchange',
            'scheduler_topic',
            'share_topic',
            'data_topic',
        )
    ),
)


class _Value(NamedTuple):
    shown: str
    """The part that is compared and shown."""

    services: tuple[str, ...]
    line: Optional[config_files.Setting]


def findings(ctx: context.Context) -> Iterator[model.Finding]:
    """Yield the options whose values differ between services."""
    views = ctx.seen_by()
    if len(views) == 1:
        return
    for option in _SHARED:
        yield from _differing(ctx, views, option)


def _differing(
    ctx: context.Context, views: tuple[context.Context, ...], option: _Shared
) -> Iterator[model.Finding]:
    found: dict[str, _Value] = {}
    for view in views:
        services = tuple(
            name
            for name in view.judged
            if name != commands.MANAGE
            or (option.manage and not _in_shell(ctx, option))
        )
        if not services:
            continue
        if view.config.may_hold(option.group, option.name):
            # A source that cannot be read may set it.
            return
        value = _value(view, option)
        if value is None:
            return
        before = found.get(value.shown, _Value(value.shown, (), value.line))
        found[value.shown] = before._replace(
            services=(*before.services, *services)
        )
    if len(found) < 2:
        return
    values = list(found.values())
    words = '; '.join(
        f'{_listed(one.services)}: {one.shown} '
        f'({one.line.where if one.line else "the default"})'
        for one in values
    )
    likely = all(
        option.same(values[0].shown, other.shown) for other in values[1:]
    )
    line = next((one.line for one in values if one.line), None)
    effect = option.effect
    if likely:
        effect = f'unless these names lead to the same server, {effect}'
    yield model.Finding(
        _WARNING if likely else option.severity,
        config_files.subject('option', f'{option.group}/{option.name}', line),
        f'the services have different values of [{option.group}] '
        f'{option.name}: {words}: {effect}',
        ()
        if option.severity is _INFO
        else (
            model.advice(
                f'Set {option.name} in [{option.group}] of a file that all '
                'of them read after the others, such as manila.conf, and '
                'remove it from the other files.'
            ),
        ),
        data={name: one.shown for one in values for name in one.services},
        aspect='differs',
    )


def _in_shell(ctx: context.Context, option: _Shared) -> bool:
    """Say whether this shell, in which db sync may run too, sets it."""
    return f'OS_{option.group}__{option.name}'.upper() in ctx.environment


def _value(view: context.Context, option: _Shared) -> Optional[_Value]:
    """Return the target's value of an option; None if it is not known."""
    reader = view.reader(view.upgrade.target)
    lookup = reader.look_up(option.group, option.name)
    if not lookup.read:
        return None
    lines = view.config.effective(lookup.names)
    try:
        value = reader.get(option.group, option.name)
    except config_reader.Refused:
        return None
    line = lines[-1] if lines else None
    if value in (None, ''):
        return _Value(option.default, (), line)
    return _Value(option.shown(value), (), line)


def _listed(services: tuple[str, ...]) -> str:
    return ', '.join(dict.fromkeys(services))
