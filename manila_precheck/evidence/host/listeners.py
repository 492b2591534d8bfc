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

They are read from /proc/net; no connection is made. Only the network namespace
of this process is seen.
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
        """Say whether this socket keeps others from listening there."""
        if port != self.port:
            return False
        if self.address in _ANY or address in _ANY:
            # On Linux '::' includes the addresses of IPv4.
            return not (
                (self.address == _ANY[0] and ':' in address)
                or (address == _ANY[0] and ':' in self.address)
            ) or '::' in (self.address, address)
        return self.address == address


def listeners(site: tree.Tree = tree.HOST) -> tuple[Listener, ...]:
    """Return all sockets that listen, by address and port.

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
    # Words of 32 bits, each in the machine's byte order.
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = struct.pack(f'={len(words)}I', *words)
    found = socket.inet_ntop(family, packed)
    if found.startswith('::ffff:'):
        return found[len('::ffff:') :]
    return found


def owner(one: Listener, site: tree.Tree = tree.HOST) -> Optional[str]:
    """Return the process that owns a socket: 'haproxy (PID 12)'.

    :returns: None when this run may not see it.
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
            # For a script show its name, not the interpreter's.
            called = [os.path.basename(word) for word in words[:2] if word]
            if called and called[0].startswith('python'):
                called = called[1:] or called
            return (
                f'{called[0] if called else "?"} (PID {os.path.basename(at)})'
            )
    return None


def has_address(address: str) -> Optional[bool]:
    """Say whether a socket of this host may have an address.

    None where no interface is up, as in a new network namespace: any IPv4
    address can be bound there, and no IPv6 address.

    A socket is bound to the address with any free port, and closed; nothing
    is sent, and it does not listen. With ip_nonlocal_bind any address can be
    bound.

    :param address: an address in numbers.
    """
    # A kernel without IPv6 has no if_inet6.
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
    """Return the lowest port that an unprivileged account may bind."""
    text = machine_files.text(
        site, '/proc/sys/net/ipv4/ip_unprivileged_port_start'
    )
    try:
        return int(text or '')
    except ValueError:
        return 1024
