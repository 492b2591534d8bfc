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

"""Split the host of a service or a share into its parts.

The host is 'ctl1@generic1#pool', or 'ctl1#pool' if enabled_share_backends is
not set (manila 22.0.2 cmd/share.py, share/utils.py).
"""

from typing import NamedTuple


class Host(NamedTuple):
    """The host of a service or a share, without the pool."""

    controller: str
    """The value of the service's option host: 'ctl1'."""

    backend: str
    """The section of the back end; '' if enabled_share_backends is unset."""


def parse(text: str) -> Host:
    """Return the parts of a host such as 'ctl1@generic1#pool'."""
    controller, _, backend = text.partition('#')[0].partition('@')
    return Host(controller, backend)
