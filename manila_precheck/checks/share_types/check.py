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

from collections.abc import Iterator
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
_PROTOCOLS: config_files.Name = ('DEFAULT', 'enabled_share_protocols')

# manila 23.0.1 common/config.py, and 12.0.0.
_DEFAULT_PROTOCOLS = ('NFS', 'CIFS')

# The texts that oslo.utils takes as true or false in an extra spec.
_TRUE = ('1', 't', 'true', 'on', 'y', 'yes', '<is> true')
_FALSE = ('0', 'f', 'false', 'off', 'n', 'no', '<is> false')


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
    - ``default_share_type`` is not the name of a share type: a request without
      a share type goes on without one;
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
        yield from _protocols(ctx)
        site = _Site(ctx)
        yield from site.modes()
        yield from site.types(kinds)


def _default_type(
    ctx: context.Context, kinds: list[sql.ShareType]
) -> Iterator[model.Finding]:
    conf = ctx.config_of(commands.API)
    name = conf.value(*_DEFAULT_TYPE)
    if not name or name in [one.name for one in kinds]:
        return
    # MySQL compares names without regard to case.
    if ctx.database.dialect == 'mysql' and name.lower() in [
        one.name.lower() for one in kinds
    ]:
        return
    yield model.Finding(
        Severity.WARNING,
        conf.effective([_DEFAULT_TYPE])[0].subject,
        f'default_share_type is {name!r}, and there is no share type of that '
        'name: a share that is created without a share type gets none',
        [
            model.advice(
                'Create it, or set the name of an existing share type:'
            ),
            model.command('openstack share type list --all'),
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
                *services.share_hosts(self._ctx.database),
                *self._ctx.options.other_backends,
            )
        }
        return names <= set(self._backends)

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
