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

"""Values that the code of a driver refuses after their type took them.

The type is plain text, and the driver raises an error in its constructor: the
share manager cannot create it, and manila-share exits with 1. Found by
building and setting up every driver of manila 16.3.0 and 22.0.2 with a text
that means nothing in each of its options of plain text, and by reading the
drivers that end before they look. Each row was tried in 16.3.0, 18.3.0,
20.0.3, 21.0.3, 22.0.2 and 23.0.1, which agree:

- share/drivers/netapp/common.py, NetAppDriver._create_driver
- share/drivers/cephfs/driver.py, CephFSDriver.__init__
- share/drivers/glusterfs/__init__.py, GlusterfsShareDriver._get_helper
- share/drivers/windows/service_instance.py, _check_password_complexity, which
  a login with a certificate does not call

The layouts of GlusterFS are in :mod:`conditions`.
"""

from collections.abc import Callable
import re
from typing import NamedTuple
from typing import Optional


class Rule(NamedTuple):
    """What a driver takes as the value of one of its options."""

    driver: str
    """The class."""

    option: str

    words: str
    """What it takes: 'is set to <words>'."""

    takes: Callable[[str], bool]
    """Says whether it takes a text."""

    good: str = ''
    """A value that it takes; empty: nobody but the operator knows one."""

    unless: Optional[str] = None
    """An option that, when it is true, keeps the driver from looking."""


def _is_octal(text: str) -> bool:
    try:
        int(text, 8)
    except ValueError:
        return False
    return True


def _is_complex(text: str) -> bool:
    # Without one the option is missing, which is told as such.
    return not text or (
        len(text) >= 6
        and all(re.search(kind, text) for kind in ('[a-z]', '[A-Z]', '[0-9]'))
    )


RULES = (
    Rule(
        'NetAppDriver',
        'netapp_storage_family',
        'ontap_cluster',
        lambda text: text.lower() == 'ontap_cluster',
        'ontap_cluster',
    ),
    Rule(
        'CephFSDriver',
        'cephfs_volume_mode',
        'an octal number',
        _is_octal,
        '755',
    ),
    Rule(
        'GlusterfsShareDriver',
        'glusterfs_nfs_server_type',
        'Gluster or Ganesha',
        lambda text: text in ('Gluster', 'Ganesha'),
        'Gluster',
    ),
    Rule(
        'WindowsSMBDriver',
        'service_instance_password',
        'at least 6 characters, with a lower case letter, an upper case '
        'letter and a digit',
        _is_complex,
        unless='winrm_use_cert_based_auth',
    ),
)
