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
"""Find out whether manila's services run on this host, and which.

Whether a service can start can only be tried on its own host: not when the
run reads the files of another host, or files below another root.
"""

import os
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.catalog import behaviours
from manila_precheck.engine import api_filters
from manila_precheck.engine import context
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.host import access
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import listeners

_ACCOUNT = 'manila'

How = service_files.How


class HostService(NamedTuple):
    """One service of this host, with the files that it reads."""

    name: str
    """The name of its program."""

    view: context.Context
    """The context over the files that it reads."""

    account: access.Account
    """The account that runs it."""

    runs: bool
    """Whether a process of it was found."""

    known: bool
    """Whether a process or unit of it was found on this host; False if it is
    only concluded from the configuration."""


def serves_itself(ctx: context.Context) -> bool:
    """Say whether the API may be served by the server built into manila-api.

    It is not if the target release has no such server, or if everything found
    on this host shows that another server loads the application.
    """
    signs = {one.kind for one in ctx.api_server}
    if signs and commands.ServerKind.PROGRAM not in signs:
        return False
    return behaviours.has('built-in-api-server', ctx.upgrade.target)


def require(ctx: context.Context) -> None:
    """Make sure that manila's services run on this host.

    :raises SourceNotApplicable: when there is no sign of that.
    """
    if not ctx.on_controller:
        raise exceptions.SourceNotApplicable(
            'the files of another host are judged'
        )
    if not (ctx.services_here or _is_theirs(ctx)):
        raise exceptions.SourceNotApplicable(
            'nothing shows that manila runs on this host'
        )


def _is_theirs(ctx: context.Context) -> bool:
    """Say whether most of what the configuration names exists here."""
    if access.named(_ACCOUNT) is not None:
        return True
    reader = ctx.reader(ctx.upgrade.target)
    # A single directory may have been left behind by another run.
    named = here = 0
    for group, name in (
        ('DEFAULT', 'state_path'),
        ('DEFAULT', 'log_dir'),
        ('oslo_concurrency', 'lock_path'),
    ):
        found = reader.text(group, name)
        if found:
            named += 1
            here += os.path.exists(found)
    address = reader.text('DEFAULT', 'osapi_share_listen')
    if (
        ctx.config.find('DEFAULT', 'osapi_share_listen')
        and address not in ('0.0.0.0', '::')  # noqa: S104
        and _is_number(address)
    ):
        named += 1
        here += listeners.has_address(address) is True
    return 2 * here > named


def _is_number(address: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def services(ctx: context.Context) -> tuple[HostService, ...]:
    """Return the services that start on this host, outside containers.

    If no service was found, those that the configuration may be for.
    """
    here = ctx.services_here
    known = {one.service for one in here}
    contained = {
        one.command.service for one in ctx.started if one.container is not None
    }
    found = []
    for name in commands.SERVICES:
        if (known and name not in known) or name in contained:
            continue
        if name not in known and not _configured(ctx, name):
            continue
        pids = [one.pid for one in here if one.service == name and one.pid]
        view = ctx.seen_by(name)[0]
        if name == commands.API:
            view = api_filters.with_token_filter(view, ctx.upgrade.target)
        found.append(
            HostService(
                name,
                view,
                _account(ctx, pids),
                bool(pids),
                name in known,
            )
        )
    return tuple(found)


def _configured(ctx: context.Context, name: str) -> bool:
    config = ctx.config_of(name)
    if name == commands.API:
        return config.serves_api
    if name == commands.SHARE:
        return config.runs_share
    return True


def _account(ctx: context.Context, pids: list[int]) -> access.Account:
    """Return the account of a service.

    It is that of its processes; without any, the one that the packages
    create, or else the current one.
    """
    for pid in pids:
        uid: Optional[int] = None
        try:
            uid = ctx.machine.status(f'/proc/{pid}').uid
        except OSError:
            continue
        if uid is not None:
            return access.account(uid)
    return access.named(_ACCOUNT) or access.account(os.geteuid())
