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

"""Errors in the URL of a coordinator that tooz rejects.

tooz parses the URL with urllib, and its drivers read the port and convert
parameters of the query to numbers (tooz 6.2 to 9 coordination.py,
get_coordinator, and drivers/). Each error was tried with the tooz of manila
18.3.0, 20.0.3 and 23.0.1, and those that need no further library on their
manila-api and manila-scheduler.
"""

from collections.abc import Callable
import re
from typing import Optional
import urllib.parse

from manila_precheck import model
from manila_precheck.checks.config_options import transport_urls

_ETCD = ('timeout', 'lock_timeout', 'membership_timeout')

# The parameters that a driver converts to whole numbers, by scheme: those of
# the drivers that also read the port.
_WHOLE = {
    'consul': ('ttl',),
    'etcd': ('timeout', 'lock_timeout'),
    'etcd3': _ETCD,
    'etcd3+http': _ETCD,
    'etcd3+https': _ETCD,
    'kazoo': ('timeout',),
    'memcached': (*_ETCD, 'leader_timeout', 'max_pool_size'),
    'mysql': (),
    'postgresql': (),
    'redis': ('timeout', 'lock_timeout', 'db'),
    'zookeeper': ('timeout',),
}
_WHOLE_WITHOUT_PORT = {'file': ('timeout',)}

_HOST_AND_PORT = re.compile(r'\S+:\d+', re.ASCII)

# The drivers that take several hosts, separated by commas.
_SEVERAL = ('kazoo', 'zookeeper')

# The parameters that it converts to numbers that may have a fraction.
_FRACTIONS = {
    'redis': (
        'membership_timeout',
        'socket_timeout',
        'socket_connect_timeout',
        'health_check_interval',
    )
}


def fault(url: str) -> Optional[transport_urls.UrlFault]:
    """Return the first error in a URL; None if there is none."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return _fault(
            'brackets',
            'a square bracket that does not belong to an IPv6 address',
            'Write an IPv6 address as [2001:db8::1], and in a user name or a '
            'password %5B and %5D for the brackets.',
        )
    if parts.scheme in _WHOLE and not _has_ports(parts):
        several = parts.scheme in _SEVERAL
        return _fault(
            'port',
            'a port that is no number between 0 and 65535',
            ('' if several else 'Name one host only. ')
            + 'Correct the port, and write an IPv6 address in brackets. In a '
            'user name or a password write %2F for a slash, %3F for a '
            'question mark and %23 for a number sign, which end the part '
            'with the host.',
        )
    if parts.scheme == 'file' and not parts.path:
        return _fault(
            'path',
            'no path',
            'Write file:///DIRECTORY, with three slashes.',
            'ToozConnectionError',
        )
    query = urllib.parse.parse_qs(parts.query)
    return _of_numbers(parts.scheme, query) or _of_redis(parts, query)


def _has_ports(parts: urllib.parse.SplitResult) -> bool:
    netloc = parts.netloc.rpartition('@')[2]
    hosts = netloc.split(',') if parts.scheme in _SEVERAL else [netloc]
    try:
        for host in hosts:
            urllib.parse.urlsplit(f'//{host}').port  # noqa: B018
    except ValueError:
        return False
    return True


def _of_numbers(
    scheme: str, query: dict[str, list[str]]
) -> Optional[transport_urls.UrlFault]:
    whole = {**_WHOLE, **_WHOLE_WITHOUT_PORT}.get(scheme, ())
    kinds: tuple[tuple[tuple[str, ...], Callable[[str], object], str], ...] = (
        (whole, int, 'whole number'),
        (_FRACTIONS.get(scheme, ()), float, 'number'),
    )
    for names, convert, words in kinds:
        for name in names:
            # tooz takes the last one.
            for text in query.get(name, ())[-1:]:
                try:
                    convert(text)
                except ValueError:
                    return _fault(
                        f'query {name}',
                        f'the parameter {name}, which is no {words}',
                        f'Set {name} to a {words}, or remove it.',
                    )
    return None


def _of_redis(
    parts: urllib.parse.SplitResult, query: dict[str, list[str]]
) -> Optional[transport_urls.UrlFault]:
    if parts.scheme != 'redis':
        return None
    if not parts.hostname and not parts.path:
        return _fault(
            'host',
            'neither a host nor the path of a socket',
            'Write redis://HOST:PORT.',
        )
    if 'sentinel' in query and not (parts.hostname and parts.port):
        return _fault(
            'port',
            'the parameter sentinel but not the port of the sentinel',
            'Write redis://HOST:PORT?sentinel=NAME, with 26379 if the '
            'sentinel has the usual port.',
            'KeyError',
        )
    if 'sentinel' in query:
        for one in query.get('sentinel_fallback', ()):
            if not _HOST_AND_PORT.fullmatch(one):
                return _fault(
                    'query sentinel_fallback',
                    'the parameter sentinel_fallback, which is not HOST:PORT',
                    'Write sentinel_fallback=HOST:PORT, with 26379 if the '
                    'sentinel has the usual port.',
                )
    return None


def _fault(
    aspect: str, what: str, advice: str, error: str = 'ValueError'
) -> transport_urls.UrlFault:
    return transport_urls.UrlFault(
        aspect,
        what,
        error,
        model.advice(advice),
        'a URL that tooz accepts',
    )
