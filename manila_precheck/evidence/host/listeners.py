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
"""The sockets on which this host listens, as the kernel lists them.

Nothing is connected to: /proc/net says it. Only the network namespace of this
process is seen.
"""

import os
import socket
import struct
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence.files import tree
from manila_precheck.evidence.host import machine_files

_LISTENS = '0A'
_ANY = ('0.0.0.0', '::')  # noqa: S104


class Listener(NamedTuple):
    """One socket that listens."""

    address: str
    port: int
    inode: str

    def overlaps(self, address: str, port: int) -> bool:
        """Say whether nothing else can listen there."""
        if port != self.port:
            return False
        if self.address in _ANY or address in _ANY:
            # Linux has '::' take the addresses of version 4 as well.
            return not (
                (self.address == _ANY[0] and ':' in address)
                or (address == _ANY[0] and ':' in self.address)
            ) or '::' in (self.address, address)
        return self.address == address


def listeners(site: tree.Tree = tree.HOST) -> tuple[Listener, ...]:
    """Return every one, by address and port.

    :param site: the file system that holds proc.
    """
    found = set()
    for name, family in (('tcp', socket.AF_INET), ('tcp6', socket.AF_INET6)):
        text = machine_files.text(site, f'/proc/net/{name}') or ''
        for line in text.splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTENS:
                host, _, port = fields[1].partition(':')
                try:
                    address = _address(host, family)
                    found.add(Listener(address, int(port, 16), fields[9]))
                except (ValueError, struct.error):
                    continue
    return tuple(sorted(found))


def _address(text: str, family: int) -> str:
    # Words of 32 bits, each in the order of the machine.
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = struct.pack(f'={len(words)}I', *words)
    found = socket.inet_ntop(family, packed)
    if found.startswith('::ffff:'):
        return found[len('::ffff:') :]
    return found


def owner(one: Listener, site: tree.Tree = tree.HOST) -> Optional[str]:
    """Return the process that has a socket: 'haproxy (PID 12)'.

    :returns: None when that may not be seen.
    """
    wanted = f'socket:[{one.inode}]'
    for directory in site.glob('/proc/[0-9]*/fd'):
        try:
            names = site.listdir(directory)
        except OSError:
            continue
        for name in names:
            try:
                if site.readlink(f'{directory}/{name}') != wanted:
                    continue
            except OSError:
                continue
            at = os.path.dirname(directory)
            words = (machine_files.text(site, f'{at}/cmdline') or '').split(
                '\0'
            )
            # Of a script, the script.
            called = [os.path.basename(word) for word in words[:2] if word]
            if called and called[0].startswith('python'):
                called = called[1:] or called
            return (
                f'{called[0] if called else "?"} (PID {os.path.basename(at)})'
            )
    return None


def has_address(address: str) -> Optional[bool]:
    """Say whether a socket of this host may have an address.

    None where no interface is up, as in a network namespace of its own: any
    address of version 4 may be bound there, and none of version 6.

    A socket is given the address with any free port, and closed; nothing is
    sent, and it does not listen. Where ip_nonlocal_bind is on, any may.

    :param address: in numbers.
    """
    # Without version 6 in the kernel there is no if_inet6.
    routes = machine_files.text(tree.HOST, '/proc/net/fib_trie')
    if routes == '' and not machine_files.text(
        tree.HOST, '/proc/net/if_inet6'
    ):
        return None
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.bind((address, 0))
    except OSError as exc:
        import errno

        return exc.errno != errno.EADDRNOTAVAIL
    return True


def least_free_port(site: tree.Tree = tree.HOST) -> int:
    """Return the lowest port that an account without privileges may take."""
    text = machine_files.text(
        site, '/proc/sys/net/ipv4/ip_unprivileged_port_start'
    )
    try:
        return int(text or '')
    except ValueError:
        return 1024
