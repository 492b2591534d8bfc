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
"""The address of manila-api, and what keeps it from listening there."""

from collections.abc import Iterator
import ipaddress
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.host import listeners

_FAILURE = model.Severity.FAILURE

# manila 22.0.2 service.py.
ADDRESS = 'osapi_share_listen'
PORT = 'osapi_share_listen_port'
_EVERY = '0.0.0.0'  # noqa: S104


class Bound(NamedTuple):
    """The address on which manila-api's built-in server listens."""

    address: str
    port: int
    line: Optional[config_files.Setting]
    """The line that sets the address, else the one that sets the port."""

    shown: bool
    """Whether a process or a unit shows that the program serves the API."""

    named: bool
    """Whether the files set the address or the port."""


def bound(
    ctx: context.Context, api: controller.HostService
) -> Optional[Bound]:
    """Return where it listens; None if something else serves the API."""
    if not controller.serves_itself(ctx):
        return None
    shown = bool(ctx.api_server)
    reader = api.view.reader(ctx.upgrade.target)
    lines = [
        line
        for name in (ADDRESS, PORT)
        for line in api.view.config.effective([('DEFAULT', name)])
    ]
    if not (shown or lines):
        return None
    try:
        port = int(reader.text('DEFAULT', PORT))
    except ValueError:
        return None
    return Bound(
        reader.text('DEFAULT', ADDRESS) or _EVERY,
        port,
        lines[0] if lines else None,
        shown,
        bool(lines),
    )


def findings(
    ctx: context.Context, api: controller.HostService
) -> Iterator[model.Finding]:
    """Yield what keeps manila-api from listening on its address."""
    found = bound(ctx, api)
    if found is None:
        if ctx.stage is model.Stage.UPGRADED and not ctx.api_server:
            yield from _unserved(ctx, api)
        return
    try:
        address = str(ipaddress.ip_address(found.address))
    except ValueError:
        # A name is not judged: it may resolve differently elsewhere.
        return
    if ctx.stage is not model.Stage.UPGRADED:
        if listeners.has_address(address) is False:
            yield _finding(
                found,
                ADDRESS,
                f'[DEFAULT] {ADDRESS}: {found.address} is not an address of '
                'this host; manila-api exits with 1 (OSError 99, cannot '
                'assign '
                'requested address)',
                model.advice(
                    'Set an address of this host, or 0.0.0.0 for all of '
                    'them; where the address moves between hosts, let the '
                    'kernel bind it anywhere (net.ipv4.ip_nonlocal_bind = 1).'
                ),
            )
        if (
            api.account.uid
            and not api.runs
            and found.port < listeners.least_free_port()
        ):
            yield _finding(
                found,
                PORT,
                f'[DEFAULT] {PORT}: {found.port} is a privileged port, '
                f'and manila-api runs as {api.account.name}: it exits with 1 '
                '(OSError 13, permission denied)',
                model.advice(
                    'Use another port, or give the unit '
                    'AmbientCapabilities=CAP_NET_BIND_SERVICE.'
                ),
            )
    users = [
        one
        for one in listeners.listeners()
        if one.overlaps(address, found.port)
    ]
    if ctx.stage is model.Stage.STOPPED and users:
        owner = (
            listeners.owner(users[0]) or 'a process that cannot be identified'
        )
        place = f'{users[0].address} port {users[0].port}'
        yield _finding(
            found,
            PORT,
            f'{owner} listens on {place}, where manila-api has to: '
            'manila-api exits with 1 (OSError 98, address already in use)',
            model.advice(
                'Stop the process that listens there. If it is a manila-api, '
                'it was not stopped and still runs the code of the source.'
            ),
            model.command('ss -ltnp sport = {}', f':{found.port}'),
        )
    if ctx.stage is model.Stage.UPGRADED and not users:
        yield _finding(
            found,
            PORT,
            f'nothing listens on {found.address} port {found.port}: '
            'manila-api does not run',
            model.advice('Start manila-api, and look at its log.'),
            model.command('systemctl status --full {}', '*manila-api*'),
        )


def _unserved(
    ctx: context.Context, api: controller.HostService
) -> Iterator[model.Finding]:
    """Yield that nothing on this host seems to serve the API."""
    text = api.view.reader(ctx.upgrade.target).text('DEFAULT', PORT)
    if not text.isdigit() or any(
        one.port == int(text) for one in listeners.listeners()
    ):
        return
    yield model.Finding(
        model.Severity.WARNING,
        model.Subject('service', api.name),
        'manila-api is configured, but no process or web server of this host '
        f'serves it, and nothing listens on port {text}',
        (
            model.advice(
                'Start whatever serves the API on this host, unless only '
                'other hosts serve it.'
            ),
        ),
        aspect='unserved',
    )


def _finding(
    found: Bound, name: str, message: str, *steps: model.Remediation
) -> model.Finding:
    return model.Finding(
        _FAILURE,
        config_files.subject('option', f'DEFAULT/{name}', found.line),
        message,
        steps,
        aspect='listen',
    )
