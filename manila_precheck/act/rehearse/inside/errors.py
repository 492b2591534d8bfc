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

"""Find out what an exception says, and what it is about."""

import errno
import socket

from manila_precheck.act.rehearse.inside import confinement
from manila_precheck.act.rehearse.inside import world

MOST_CHARACTERS = 2000
PACKAGE = __name__.rpartition('.')[0]
# The errors of the C library when there is no network.
NO_NETWORK = frozenset(
    (
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ETIMEDOUT,
        errno.EADDRNOTAVAIL,
    )
)
# The exceptions of Python libraries for the same, by class name.
NO_ANSWER = frozenset(
    (
        'amqp.exceptions.ConnectionError',
        'botocore.exceptions.EndpointConnectionError',
        'etcd3gw.exceptions.ConnectionFailedError',
        'etcd3gw.exceptions.ConnectionTimeoutError',
        'keystoneauth1.exceptions.connection.ConnectionError',
        'keystoneauth1.exceptions.connection.ConnectFailure',
        'keystoneauth1.exceptions.connection.ConnectTimeout',
        'kombu.exceptions.OperationalError',
        'oslo_db.exception.DBConnectionError',
        'oslo_messaging.exceptions.MessageDeliveryFailure',
        'paramiko.ssh_exception.NoValidConnectionsError',
        'redis.exceptions.ConnectionError',
        'redis.exceptions.TimeoutError',
        'requests.exceptions.ConnectionError',
        'requests.exceptions.Timeout',
        'tooz.coordination.ToozConnectionError',
        'tooz.ToozConnectionError',
        'urllib3.exceptions.MaxRetryError',
        'urllib3.exceptions.NewConnectionError',
        'urllib3.exceptions.ProtocolError',
        'urllib3.exceptions.TimeoutError',
    )
)


class Answered(Exception):
    """The API answered a request with an error."""


def chain(exc):
    seen = []
    while exc is not None and exc not in seen:
        seen.append(exc)
        exc = exc.__cause__ or exc.__context__
    return seen


def world_in(exc):
    """Return which refused access led to an exception; '' for none."""
    for one in chain(exc):
        if isinstance(one, world.OutsideOfRehearsal):
            return str(one)
        for cls in type(one).__mro__:
            if cls.__module__ + '.' + cls.__name__ in NO_ANSWER:
                return 'needs a connection'
        if isinstance(one, confinement.Elsewhere):
            return 'opens another database than the copy'
        if isinstance(one, (socket.gaierror, socket.herror)):
            return 'looks up a host'
        if isinstance(one, OSError) and one.errno in NO_NETWORK:
            return 'needs a connection'
    return ''


def text_of(exc):
    try:
        words = str(exc)
    except Exception:
        words = ''
    name = type(exc).__name__
    return (name + ': ' + words if words else name)[:MOST_CHARACTERS]


def words_of(exc):
    """Return the message of an exception, and that of its first cause."""
    words, first = text_of(exc), text_of(chain(exc)[-1])
    if first.partition(': ')[2] and first.partition(': ')[2] in words:
        return words
    if first in words:
        return words
    return f'{words} (from {first})'


def frames(exc):
    """Return the frames of an exception's traceback, the innermost first."""
    found = []
    trace = exc.__traceback__
    while trace is not None:
        found.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return found[::-1]


def is_ours(exc):
    """Say whether this program, not a service, raised an exception."""
    inner = frames(exc)
    return not isinstance(exc, Answered) and (
        not inner
        or inner[0][0].f_globals.get('__name__', '').startswith(PACKAGE)
    )


def about(exc):
    """Return the options and sections that an exception is about.

    :returns: (['group/name'], [a section of api-paste.ini]).
    """
    options, sections = [], []
    for one in chain(exc):
        for frame, _ in frames(one):
            module = frame.f_globals.get('__name__', '')
            known = frame.f_locals
            if (
                module == 'oslo_config.cfg'
                and frame.f_code.co_name in ('_do_get', '_get')
                and isinstance(known.get('name'), str)
                and type(one).__module__ == 'oslo_config.cfg'
            ):
                group = known.get('group')
                group = getattr(group, 'name', group) or 'DEFAULT'
                options.append('{}/{}'.format(group, known['name']))
            if module == 'paste.deploy.loadwsgi':
                for key in ('section', 'name', 'app_name', 'pipeline'):
                    if isinstance(known.get(key), str):
                        sections.append(known[key])
                context = known.get('context')
                name = getattr(context, 'name', None)
                if isinstance(name, str):
                    sections.append(name)
        if type(one).__name__ == 'RequiredOptError':
            group = getattr(getattr(one, 'group', None), 'name', None)
            options.append(
                '{}/{}'.format(
                    group or 'DEFAULT', getattr(one, 'opt_name', '')
                )
            )
    return list(dict.fromkeys(options)), list(dict.fromkeys(sections))


def place(exc):
    """Return the line of manila, or of a driver, that raised an exception."""
    for one in chain(exc)[::-1]:
        for frame, line in frames(one):
            module = frame.f_globals.get('__name__', '')
            if module.partition('.')[0] not in ('', '__main__', 'importlib'):
                if module.startswith('manila.'):
                    return f'{module}:{line}'
    return ''
