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

"""The ports of the backdoor, of which each process opens one.

The first free port of backdoor_port (PORT or FIRST:LAST) on localhost is used;
without one the process ends, and manila-api and manila-share start it again
and again (oslo.service 2.8 to 4.5 eventlet_backdoor.py; tried with 20.0.3 and
22.0.2; 23.0.1 opens none).
"""

from collections.abc import Iterator
import os

from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import listeners

_OPTION = 'backdoor_port'
_HERE = '127.0.0.1'
_PORT_MOST = 0xFFFF


def findings(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[model.Finding]:
    """Yield that processes of the services find no free port."""
    if ctx.stage is model.Stage.UPGRADED or not behaviours.has(
        'eventlet-services', ctx.upgrade.target
    ):
        return
    by_range: dict[tuple[int, int], list[controller.HostService]] = {}
    for service in services:
        found = _range(ctx, service)
        if found is not None:
            by_range.setdefault(found, []).append(service)
    for (first, last), users in by_range.items():
        yield from _of_range(ctx, range(first, last + 1), users)


def _range(
    ctx: context.Context, service: controller.HostService
) -> 'tuple[int, int] | None':
    """Return the first and the last port; None without fixed ports."""
    reader = service.view.reader(ctx.upgrade.target)
    if reader.text('DEFAULT', 'backdoor_socket'):
        return None
    first, colon, last = reader.text('DEFAULT', _OPTION).partition(':')
    try:
        ends = int(first), int(last if colon else first)
    except ValueError:
        # config-options reports it.
        return None
    return ends if 0 < ends[0] <= ends[1] <= _PORT_MOST else None


def _of_range(
    ctx: context.Context, ports: range, users: list[controller.HostService]
) -> Iterator[model.Finding]:
    # The services that are only concluded from the configuration may run on
    # another host each.
    sure = [one for one in users if one.known]
    wanted = (
        sum(_processes(ctx, one) for one in sure)
        if sure
        else max(_processes(ctx, one) for one in users)
    )
    taken = [
        one
        for one in listeners.listeners()
        if one.port in ports and one.overlaps(_HERE, one.port)
    ]
    owners = [listeners.owner(one) or '' for one in taken]
    if any(one.runs for one in users):
        # They hold the ports that they will use again.
        owners = [one for one in owners if one and 'manila' not in one]
    free = len(ports) - len(owners)
    if free >= wanted:
        return
    lines = users[0].view.config.effective([('DEFAULT', _OPTION)])
    shown = ports[0] if len(ports) == 1 else f'{ports[0]}:{ports[-1]}'
    who = next(filter(None, owners), 'another process')
    yield model.Finding(
        model.Severity.FAILURE,
        config_files.subject(
            'option', f'DEFAULT/{_OPTION}', lines[-1] if lines else None
        ),
        f'[DEFAULT] {_OPTION} = {shown}: '
        + (f'{who} listens there, and ' if owners else '')
        + (
            'no service of manila starts'
            if not free
            else f'{wanted} processes of manila open a port each, and '
            f'{free} {"is" if free == 1 else "are"} free: the others do not '
            'start'
        )
        + ' (OSError 98, address already in use)',
        (
            model.advice(
                'Set it to 0, with which each process uses any free port, or '
                'remove the line.'
            ),
        ),
        aspect='backdoor',
    )


def _processes(ctx: context.Context, service: controller.HostService) -> int:
    """Return how many processes of a service open the backdoor."""
    reader = service.view.reader(ctx.upgrade.target)
    if service.name == commands.API:
        if not controller.serves_itself(ctx):
            return 0
        text = reader.text('DEFAULT', 'osapi_share_workers')
        return int(text) if text.isdigit() else os.cpu_count() or 1
    if service.name == commands.SHARE:
        return max(1, len(service.view.config.backends))
    return 1
