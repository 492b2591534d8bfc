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

"""The host of a service or a share, taken apart.

It is 'ctl1@generic1#pool', and 'ctl1#pool' without enabled_share_backends
(manila 22.0.2 cmd/share.py, share/utils.py).
"""

from typing import NamedTuple


class Host(NamedTuple):
    """A host of manila without its pool."""

    controller: str
    """The option host of the service: 'ctl1'."""

    backend: str
    """The section of the back end; '' without enabled_share_backends."""


def parse(text: str) -> Host:
    """Return the parts of 'ctl1@generic1#pool' but for the pool."""
    controller, _, backend = text.partition('#')[0].partition('@')
    return Host(controller, backend)
