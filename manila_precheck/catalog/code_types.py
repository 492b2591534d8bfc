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

"""Types of options that are code of manila or of a library.

A catalog has only the names of such types; this module knows what they accept.
Each function raises ValueError for a text that its original rejects.
"""

from typing import Any

# In the order of their numbers in Linux. In oslo.privsep 3.1 (2023.1) the list
# ends with AUDIT_READ; oslo.privsep 3.3 (2024.1) has all.
_CAPABILITIES = (
    'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID '
    'SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW '
    'IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT '
    'SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD '
    'LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG '
    'WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split()

# The maximum number of addresses of a virtual file server of 3PAR.
_MOST_ADDRESSES = 4


def capability(text: object) -> int:
    """Return a Linux capability, given by name or number.

    The type of ``capabilities`` of oslo.privsep (3.8.0 priv_context.py
    CapNameOrInt()).
    """
    name = str(text).strip()
    if name.startswith('CAP_') and name[4:] in _CAPABILITIES:
        return _CAPABILITIES.index(name[4:])
    return int(name)


def file_provisioning_group(text: str) -> dict[str, list[Any]]:
    """Return a group and the addresses of its file server.

    The type of ``hpe3par_fpg`` (manila 22.0.2 hpe_3par_driver.py FPG): a
    name and up to four IP addresses, separated by commas.
    """
    from oslo_config import types

    name, *rest = text.split(',')
    if not text.strip(' '):
        raise ValueError('the name of a group is missing')
    if len(rest) > _MOST_ADDRESSES:
        raise ValueError(f'more than {_MOST_ADDRESSES} addresses')
    address: Any = types.IPAddress()
    return {name.strip(): [address(one.strip()) for one in rest]}


#: The parser of each type and a description of what it accepts, by name.
TYPES = {
    'CapNameOrInt': (capability, 'a Linux capability, by name or number'),
    'FPG': (
        file_provisioning_group,
        'the name of a group and up to four IP addresses, separated by commas',
    ),
}
