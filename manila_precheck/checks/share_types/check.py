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
"""The check ``share-types``."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
import functools
from typing import Optional

from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.checks.share_types import sql
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.database import hosts
from manila_precheck.evidence.database import services
from manila_precheck.evidence.host import commands

Severity = model.Severity

_DEFAULT_TYPE: config_files.Name = ('DEFAULT', 'default_share_type')
_DEFAULT_GROUP_TYPE: config_files.Name = (
    'DEFAULT',
    'default_share_group_type',
)
_PROTOCOLS: config_files.Name = ('DEFAULT', 'enabled_share_protocols')

# manila 23.0.1 common/config.py, and 12.0.0.
_DEFAULT_PROTOCOLS = ('NFS', 'CIFS')

# The texts that oslo.utils takes as true or false in an extra spec.
_TRUE = ('1', 't', 'true', 'on', 'y', 'yes', '<is> true')
_FALSE = ('0', 'f', 'false', 'off', 'n', 'no', '<is> false')

# manila 12.0.0 to 23.0.1 common/constants.py, ExtraSpecs.REPLICATION_TYPES.
_REPLICATIONS = ('dr', 'readable', 'writable')


class ShareTypes(check.Check):
    """A share type or a share requires what is not configured.

    The check compares the configuration with the rows that depend on it. The
    services start, but the next request fails:

    - no back end has the ``share_backend_name`` of a share type, or the mode
      that its ``driver_handles_share_servers`` requires: the scheduler finds
      no host, and each new share of the type gets the status error;
    - share instances have a share server on a back end that does not handle
      share servers, or none on a back end that does: the mode of a back end
      cannot be changed while it holds shares;
    - no back end has the ``replication_type`` of a share type, because none
      sets ``replication_domain``, or none is in its ``availability_zones``:
      the same;
    - share instances have a share type that is deleted: their shares cannot be
      replicated;
    - a share type has no ``driver_handles_share_servers`` that is true or
      false: manila-api ignores it as the default, and rejects other requests;
    - ``default_share_type`` is not the name of a share type: a request without
      a share type goes on without one; likewise for
      ``default_share_group_type``, without which such a request is rejected;
    - ``enabled_share_protocols`` lacks a protocol that shares have: no further
      share of that protocol can be created.

    The check judges share types if the files contain all back ends: every
    manila-share in ``services`` serves a back end that the files enable under
    the same name, and ``other_backends`` names no other one. Otherwise it
    judges only the names in share types whose share instances are all on back
    ends of the files. Each back end must also set ``share_backend_name``,
    because its default differs between drivers.

    WARNING: one of these holds. The number of shares is exact.

    What to do: correct the option, or the share type.
    """

    id = 'share-types'
    title = 'Share types and protocols'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG, model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what rows require and the configuration does not have."""
        kinds = sql.share_types(ctx.database)
        yield from _default_type(ctx, kinds)
        yield from _default_group_type(ctx)
        yield from _protocols(ctx)
        site = _Site(ctx)
        yield from site.without_mode(kinds)
        yield from site.modes()
        yield from site.types(kinds)
        yield from site.deleted_types(kinds)


def _same_name(ctx: context.Context, name: str, other: str) -> bool:
    """Say whether the database takes two names for the same one."""
    if ctx.database.dialect == 'mysql':
        return name.lower() == other.lower()
    return name == other


def _default_type(
    ctx: context.Context, kinds: list[sql.ShareType]
) -> Iterator[model.Finding]:
    yield from _default(
        ctx,
        _DEFAULT_TYPE,
        lambda: (one.name for one in kinds),
        'share type',
        'a share that is created without a share type gets none',
        model.command('openstack share type list --all'),
    )


def _default_group_type(ctx: context.Context) -> Iterator[model.Finding]:
    yield from _default(
        ctx,
        _DEFAULT_GROUP_TYPE,
        lambda: sql.group_types(ctx.database),
        'share group type',
        'a share group cannot be created without naming a type (400)',
        model.command('openstack share group type list --all'),
    )


def _default(
    ctx: context.Context,
    option: config_files.Name,
    names: Callable[[], Iterable[str]],
    what: str,
    effect: str,
    listing: model.Remediation,
) -> Iterator[model.Finding]:
    """Yield that the default is not the name of a type.

    :param names: returns the names of the types.
    """
    conf = ctx.config_of(commands.API)
    name = conf.value(*option)
    if not name or any(_same_name(ctx, name, one) for one in names()):
        return
    yield model.Finding(
        Severity.WARNING,
        conf.effective([option])[0].subject,
        f'{option[1]} is {name!r}, and there is no {what} of that name: '
        f'{effect}',
        [
            model.advice(f'Create it, or set the name of an existing {what}:'),
            listing,
        ],
        aspect='default',
    )


def _protocols(ctx: context.Context) -> Iterator[model.Finding]:
    conf = ctx.config_of(commands.API)
    set_ = conf.effective([_PROTOCOLS])
    if not set_ and unread_sources.why_not_judged(conf, *_PROTOCOLS):
        return
    named = conf.values(*_PROTOCOLS) if set_ else _DEFAULT_PROTOCOLS
    if not named:
        # manila-api does not start: see config-options.
        return
    enabled = {one.upper() for one in named}
    for name, number in sorted(sql.protocols(ctx.database).items()):
        if name in enabled:
            continue
        yield model.Finding(
            Severity.WARNING,
            set_[0].subject
            if set_
            else model.Subject('option', '/'.join(_PROTOCOLS)),
            f'enabled_share_protocols does not name {name}, which '
            f'{number} share{"" if number == 1 else "s"} '
            f'ha{"s" if number == 1 else "ve"}: manila-api refuses to create '
            'more of them',
            [
                model.config(
                    '[DEFAULT]\nenabled_share_protocols = {}',
                    ','.join([*named, name]),
                )
            ],
            data={'shares': number},
            aspect=f'protocol-{name}',
        )


class _BackEnd:
    """A back end that the files enable."""

    def __init__(self, conf: config_files.ConfigFiles, name: str) -> None:
        group = name or 'DEFAULT'
        self.name = name
        self.called = conf.value(group, 'share_backend_name')
        self.handles = conf.boolean(group, sql.MODE)
        self.replicates = bool(conf.value(group, 'replication_domain'))
        self.zone = services.zone_of(conf, group)


class _Site:
    """The back ends of this controller, and what they hold."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._backends: dict[str, _BackEnd] = {}
        self._controllers: set[Optional[str]] = set()
        self._read = True
        for view in ctx.seen_by(commands.SHARE):
            conf = view.config
            if unread_sources.why_not_judged(
                conf, *config_files.ENABLED_BACKENDS
            ):
                self._read = False
            ours = hosts.enabled_backends(conf)
            self._controllers.add(ours.controller)
            for name in ours.backends:
                self._backends[name] = _BackEnd(conf, name)
        self._instances = sql.instances(ctx.database)
        self._services = [
            service
            for service in services.select(ctx.database)
            if service.binary == commands.SHARE
        ]

    def _own(self, host: str) -> Optional[_BackEnd]:
        """Return the back end of these files that a host names."""
        controller, name = service_host.parse(host)
        if not {None, controller} & self._controllers:
            return None
        return self._backends.get(name)

    def modes(self) -> Iterator[model.Finding]:
        """Yield the back ends that hold shares of the other mode."""
        found: dict[tuple[str, bool], int] = {}
        for held in self._instances:
            key = (held.host, held.served)
            found[key] = found.get(key, 0) + held.number
        for (host, served), number in found.items():
            one = self._own(host)
            if one is None or one.handles in (None, served):
                continue
            several = number > 1
            name = one.name or 'DEFAULT'
            yield model.Finding(
                Severity.WARNING,
                model.Subject('backend', host),
                f'[{name}] {sql.MODE} is {one.handles}, and {number} share '
                f'instance{"s" if several else ""} on {host} '
                f'{"have" if several else "has"} '
                f'{"a" if served else "no"} share server: manila-share '
                f'starts, but can no longer manage '
                f'{"them" if several else "it"}',
                [
                    model.advice('Put back the mode of the back end:'),
                    model.config(
                        '[{}]\ndriver_handles_share_servers = {}',
                        name,
                        served,
                    ),
                ],
                data={'share_instances': number},
                aspect='mode',
            )

    def _all_known(self) -> bool:
        """Say whether the files enable all back ends that exist."""
        names = {
            service_host.parse(host).backend
            for host in (
                *(service.host for service in self._services),
                *self._ctx.options.other_backends,
            )
        }
        return names <= set(self._backends)

    @functools.cached_property
    def _zones(self) -> set[str]:
        """Return the zones of the back ends that exist.

        A service writes its zone into its row with its next report (manila
        16.3.0 to 23.0.1 service.py, report_state), so the files decide.
        """
        return {
            *(one.zone for one in self._backends.values()),
            *(
                service.zone or ''
                for service in self._services
                if self._own(service.host) is None
            ),
        }

    def types(self, kinds: list[sql.ShareType]) -> Iterator[model.Finding]:
        """Yield the share types that no back end satisfies."""
        if not self._backends or not self._read:
            return
        all_known = self._all_known()
        backends = self._backends.values()
        called = [one.called for one in backends]
        modes = [one.handles for one in backends]
        for kind in kinds:
            held = 0 if all_known else self._held(kind)
            if not all_known and not held:
                continue
            wanted = _names(kind.specs.get('share_backend_name', ''))
            if wanted and None not in called:
                there = {one.lower() for one in called if one}
                if not wanted & there:
                    yield self._unserved(
                        kind,
                        'share_backend_name',
                        ', '.join(sorted(filter(None, called))),
                        held,
                    )
                    continue
            if not all_known:
                # The mode of a back end that holds shares: see modes().
                continue
            mode = _boolean(kind.specs.get(sql.MODE, ''))
            if mode is not None and None not in modes and mode not in modes:
                yield self._unserved(kind, sql.MODE, str(not mode))
                continue
            yield from self._replication(kind)
            yield from self._zone(kind)

    def _replication(self, kind: sql.ShareType) -> Iterator[model.Finding]:
        """Yield that no back end replicates shares of a type.

        The scheduler passes over a back end without replication_domain for
        each share type with a replication_type (manila 16.3.0 to 23.0.1
        scheduler/filters/share_replication.py).
        """
        wanted = kind.specs.get(sql.REPLICATION)
        if not wanted:
            return
        names = _names(wanted)
        if names and names.isdisjoint(_REPLICATIONS):
            yield self._unserved(
                kind, sql.REPLICATION, ', '.join(_REPLICATIONS)
            )
        elif not any(one.replicates for one in self._backends.values()):
            yield self._unserved(
                kind, sql.REPLICATION, 'none sets replication_domain'
            )

    def _zone(self, kind: sql.ShareType) -> Iterator[model.Finding]:
        """Yield that no back end is in the availability zones of a type."""
        wanted = {
            name.strip()
            for name in kind.specs.get(sql.ZONES, '').split(',')
            if name.strip()
        }
        there = self._zones
        if wanted and not wanted & there:
            yield self._unserved(
                kind, sql.ZONES, ', '.join(sorted(filter(None, there)))
            )

    def deleted_types(
        self, kinds: list[sql.ShareType]
    ) -> Iterator[model.Finding]:
        """Yield the share types that are deleted, and have share instances."""
        there = {'', *(one.id for one in kinds)}
        if len(kinds) >= sql.MOST_TYPES:
            return
        held: dict[str, int] = {}
        for one in self._instances:
            if one.type_id not in there:
                held[one.type_id] = held.get(one.type_id, 0) + one.number
        for type_id, number in sorted(held.items()):
            several = number > 1
            yield model.Finding(
                Severity.WARNING,
                model.Subject('share_type', type_id, uuid=type_id),
                f'share type {type_id!r} is deleted, and {number} share '
                f'instance{"s" if several else ""} '
                f'ha{"ve" if several else "s"} it: no replica of '
                f'{"them" if several else "it"} can be created (404)',
                [
                    model.advice(
                        "Set deleted of its row to 'False' and deleted_at to "
                        'NULL, and deleted of its extra specs to 0.'
                    )
                ],
                data={'share_instances': number},
                aspect='deleted',
            )

    def without_mode(
        self, kinds: list[sql.ShareType]
    ) -> Iterator[model.Finding]:
        """Yield the share types that do not say who handles share servers.

        The API rejects such a type (manila 16.3.0 to 23.0.1
        share/share_types.py, get_valid_required_extra_specs), so it was
        changed in the database.
        """
        default = self._ctx.config_of(commands.API).value(*_DEFAULT_TYPE)
        modes = {one.handles for one in self._backends.values()}
        # Of several modes, only the operator knows that of the share type.
        mode = modes.pop() if len(modes) == 1 else None
        for kind in kinds:
            value = kind.specs.get(sql.MODE)
            is_default = bool(default) and _same_name(
                self._ctx, f'{default}', kind.name
            )
            # Of the default type, the API does not take '<is> True'.
            if _boolean(value or '') is not None and not (
                is_default and '<is>' in f'{value}'.lower()
            ):
                continue
            effect = 'no share can be managed or migrated into it'
            if is_default:
                effect = (
                    'it is the default_share_type, which manila-api then '
                    'ignores: a share that is created without a share type '
                    'goes to error'
                )
            yield model.Finding(
                Severity.WARNING,
                model.Subject('share_type', kind.name, uuid=kind.id),
                f'share type {kind.name!r} has no {sql.MODE} that is true or '
                f'false: {effect}',
                [
                    model.advice(
                        'Set the mode of its back ends, True or False:'
                    ),
                    model.command(
                        'openstack share type set {} --extra-specs '
                        'driver_handles_share_servers={}',
                        kind.id,
                        bool(mode),
                    ),
                ],
                data={'key': sql.MODE},
                aspect='mode',
            )

    def _held(self, kind: sql.ShareType) -> int:
        """Return how many share instances of a type these files serve.

        0 if others serve at least one: they may satisfy the share type.
        """
        held = [one for one in self._instances if one.type_id == kind.id]
        if not all(self._own(one.host) for one in held):
            return 0
        return sum(one.number for one in held)

    def _unserved(
        self, kind: sql.ShareType, key: str, there: str, held: int = 0
    ) -> model.Finding:
        """Return the finding on a share type.

        :param held: the number of its share instances, all on back ends of
            the files; 0 if that does not matter.
        """
        data: dict[str, model.Scalar] = {'key': key}
        if key == sql.MODE:
            data['value'] = kind.specs[key]
            what = f'{key} = {kind.specs[key]!r}, which'
        else:
            # The text of an extra spec may be a secret in the wrong place.
            what = f'a {key} that'
        though = ''
        if held:
            several = held > 1
            though = (
                f', although {"all " if several else "the "}{held} share '
                f'instance{"s" if several else ""} of this type '
                f'{"are" if several else "is"} on back ends of the files'
            )
        return model.Finding(
            Severity.WARNING,
            model.Subject('share_type', kind.name, uuid=kind.id),
            f'share type {kind.name!r} requires {what} no back end of the '
            f'files has ({there}){though}: the scheduler finds no host, and '
            'each new share of this type goes to error',
            [
                model.advice(
                    'Correct the option of the back end, or the share type:'
                ),
                model.command('openstack share type show {}', kind.id),
                model.advice(
                    'If another controller has such a back end, name it in '
                    '[manila_precheck] other_backends.'
                ),
            ],
            data=data,
            aspect=key,
        )


def _names(spec: str) -> set[str]:
    """Return the names that satisfy an extra spec, in lower case.

    :returns: none for an operator that does not compare names for equality
        (manila 22.0.2 scheduler/filters/extra_specs_ops.py).
    """
    words = spec.lower().split()
    if not words:
        return set()
    if words[0] == '<or>':
        return set(words[1::2])
    if words[0] == 's==':
        return set(words[1:2])
    if words[0][0] in '<>=!' or words[0][:2] in ('s!', 's<', 's>'):
        return set()
    return {spec.lower()}


def _boolean(spec: str) -> Optional[bool]:
    text = ' '.join(spec.lower().split())
    return True if text in _TRUE else False if text in _FALSE else None
