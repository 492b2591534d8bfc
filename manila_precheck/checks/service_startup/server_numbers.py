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

"""Numbers with which the server built into manila-api does not work.

Their types have no limits (oslo.service 2.8 to 4.5 _options.py and wsgi.py).
Each was tried with manila-api of 22.0.2.
"""

from collections.abc import Iterator
from typing import NamedTuple

from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files


class _Range(NamedTuple):
    least: int

    most: float

    effect: str
    """What happens beyond it."""


_UNLIMITED = float('inf')
_RANGES = {
    # The limit of Linux (include/net/tcp.h, MAX_TCP_KEEPIDLE). It is set even
    # if tcp_keepalive is off.
    'tcp_keepidle': _Range(
        1, 32767, 'manila-api exits with 1 (OSError 22, invalid argument)'
    ),
    'wsgi_default_pool_size': _Range(
        1, _UNLIMITED, 'manila-api starts and serves no request'
    ),
    'client_socket_timeout': _Range(
        0, _UNLIMITED, 'manila-api starts and serves no request (ValueError)'
    ),
    'max_header_line': _Range(
        1, _UNLIMITED, 'manila-api answers every request with 400'
    ),
}


def findings(
    ctx: context.Context, api: controller.HostService
) -> Iterator[model.Finding]:
    """Yield the numbers that keep the server from starting or serving."""
    if not controller.serves_itself(ctx):
        return
    reader = api.view.reader(ctx.upgrade.target)
    for name, limits in _RANGES.items():
        lines = api.view.config.effective([('DEFAULT', name)])
        text = reader.text('DEFAULT', name).strip() if lines else ''
        try:
            number = int(text)
        except ValueError:
            # config-options reports a text.
            continue
        if limits.least <= number <= limits.most:
            continue
        option = reader.look_up('DEFAULT', name).option
        default = option.default if option else ''
        yield model.Finding(
            model.Severity.FAILURE,
            config_files.subject('option', f'DEFAULT/{name}', lines[-1]),
            f'[DEFAULT] {name} = {number}: {limits.effect}',
            (
                model.config(
                    '[DEFAULT]\n{} = {}',
                    name,
                    default,
                ),
            ),
            aspect='server',
        )
