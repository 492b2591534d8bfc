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

"""Errors in the URL of a broker that oslo.messaging rejects.

It parses the URL with urllib, and uses the query as options of the driver
(oslo.messaging 14.0 to 18.1 transport.py, TransportURL.parse, and
_drivers/common.py, ConfigOptsProxy). Each error was tried on manila-data of
20.0.3 and 22.0.2.
"""

import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import service_urls

_LAST_PORT = 65535
_NONE_STARTS = 'manila-scheduler, manila-share and manila-data do not start'

#: The section with the options of the driver that a URL names, by scheme.
GROUPS = {
    'amqp': 'oslo_messaging_amqp',
    'kafka': 'oslo_messaging_kafka',
    'kombu': 'oslo_messaging_rabbit',
    'rabbit': 'oslo_messaging_rabbit',
}


# What impl_rabbit.py passes on to kombu and what works (oslo.messaging 14.0 to
# 18.1, _transform_transport_url; tried on manila-data of 22.0.2).
_SERVED = ('amqp', 'amqps', 'pyamqp', 'rabbit')

# The other transports of kombu 5.2.4 to 5.6.2 (transport/__init__.py,
# TRANSPORT_ALIASES), and the module that each imports; '' for one that sends
# nothing to another host.
_KOMBU = {
    'azureservicebus': 'azure',
    'azurestoragequeues': 'azure',
    'confluentkafka': 'confluent_kafka',
    'consul': 'consul',
    'etcd': 'etcd',
    'filesystem': '',
    'gcpubsub': 'google',
    'kafka': 'confluent_kafka',
    'librabbitmq': 'librabbitmq',
    'memory': '',
    'mongodb': 'pymongo',
    'pyro': 'Pyro4',
    'qpid': 'qpid',
    'redis': 'redis',
    'rediss': 'redis',
    'sentinel': 'redis',
    'slmq': 'softlayer_messaging',
    'sqla': 'sqlalchemy',
    'sqlalchemy': 'sqlalchemy',
    'sqs': 'boto3',
    'zookeeper': 'kazoo',
}


class UrlFault(NamedTuple):
    """What is wrong with a URL."""

    aspect: str

    what: str
    """What the URL has, in words; the text itself may be secret."""

    error: str
    """The exception that it causes."""

    advice: model.Remediation

    admitted: str
    """A valid value, in words."""

    severity: model.Severity = model.Severity.FAILURE
    """The greatest severity that it has for any reference."""

    effect: str = ''
    """What happens; '' if it is the same as for an unknown transport."""


def section_of(url: str) -> Optional[str]:
    """Return the section of the driver that a URL names; None: no such one.

    Without a URL the services use RabbitMQ.
    """
    scheme = (url or 'rabbit:').partition(':')[0].partition('+')[0]
    return GROUPS.get(scheme.lower())


def loads(both: both_releases.Sides, group: str) -> bool:
    """Say whether the services may load the driver of a section.

    oslo.messaging registers the options of the driver that a transport URL
    names, and no others.
    """
    for section in ('DEFAULT', 'oslo_messaging_notifications'):
        if both.conf.may_hold(section, 'transport_url'):
            return True
        url = both.target.text(section, 'transport_url')
        if not url and section != 'DEFAULT':
            # Notifications go where requests go.
            continue
        if '$' in url or section_of(url) == group:
            return True
    return False


def fault(
    both: both_releases.Sides, setting: config_files.Setting, url: str
) -> Optional[UrlFault]:
    """Return the first error in a URL; None if there is none."""
    scheme, slashes, rest = url.partition('://')
    if not slashes:
        return None
    main = setting.group == 'DEFAULT'
    return (
        _of_hosts(re.split('[/?#]', rest)[0], main)
        or _of_kombu(both, scheme, main)
        or _of_query(both, setting, url)
    )


def _of_kombu(
    both: both_releases.Sides, scheme: str, main: bool
) -> Optional[UrlFault]:
    """Judge the transport of kombu that a scheme such as kombu+qpid names.

    :param main: whether services connect to it at startup.
    """
    first, _, rest = scheme.lower().partition('+')
    if first != 'kombu' or rest in _SERVED:
        return None
    effect = _NONE_STARTS if main else 'notifications are not sent'
    severity, error = model.Severity.FAILURE, 'KeyError'
    library = _KOMBU.get(rest, '')
    if rest not in _KOMBU:
        what = f'{rest or first}, which is not a transport of kombu'
    elif not library:
        what = f'{rest}, which reaches no other host'
        effect, error = 'no request of manila-api is carried out', ''
    else:
        there = both.catalog.installs(both.target.release, library)
        if there:
            return None
        error = 'ImportError'
        what = f'{rest}, which loads the module {library}'
        if there is None:
            severity = model.Severity.WARNING
            what += ', which manila does not install'
            effect = f'without it {effect}'
    return UrlFault(
        'kombu',
        f'the transport {what}',
        error,
        model.advice('Begin the URL with rabbit://.'),
        'rabbit://...',
        severity,
        effect,
    )


def _of_hosts(netloc: str, main: bool) -> Optional[UrlFault]:
    """Judge the hosts between '//' and the path, separated by commas.

    :param main: whether services connect to it at startup.
    """
    if ('[' in netloc) is not (']' in netloc):
        return UrlFault(
            'brackets',
            'one square bracket without the other',
            'ValueError',
            model.advice(
                'Write an IPv6 address as [2001:db8::1], and in a user name '
                'or a password %5B and %5D for the brackets.'
            ),
            'a URL with an address in brackets',
        )
    for host in netloc.split(','):
        port = _port(host.rpartition('@')[2])
        try:
            number = int(port or 0)
        except ValueError:
            return UrlFault(
                'port',
                'a port that is no number',
                'ValueError',
                model.advice(
                    'Correct the port. In a user name or a password write '
                    '%2F for a slash, %3F for a question mark and %23 for a '
                    'number sign, which end the part with the hosts.'
                ),
                'a URL with a port',
            )
        if main and not 0 <= number <= _LAST_PORT:
            return UrlFault(
                'port',
                f'a port that is not between 0 and {_LAST_PORT}',
                'ValueError',
                model.advice('Correct the port.'),
                'a URL with a port',
                effect=_NONE_STARTS,
            )
    return None


def _port(host: str) -> str:
    if host.startswith('['):
        return host.partition(']')[2].partition(':')[2]
    # More than one colon belongs to an IPv6 address.
    return host.partition(':')[2] if host.count(':') == 1 else ''


def _of_query(
    both: both_releases.Sides,
    setting: config_files.Setting,
    url: str,
) -> Optional[UrlFault]:
    """Judge the options after '?'."""
    group = section_of(url)
    if group is None:
        return None
    # A text with an at sign may be the end of a password.
    hides = '@' in url.partition('#')[0].partition('?')[2]
    for name, value in service_urls.query_options(url).items():
        shown = '' if hides else f' {name}'
        match = both.target.options.find(group, name)
        if match is None or match.old:
            return UrlFault(
                'query',
                f'a query{shown}, which is no option of [{group}] in '
                f'{both.target.release}',
                'NoSuchOptError',
                model.advice(
                    'Remove it from the URL. In a password write %3F for a '
                    'question mark.'
                ),
                'a URL without it',
            )
        line = setting._replace(section=group, name=name, value=value)
        if not both.target.accepts(line):
            return UrlFault(
                'query',
                f'a value of {name} after the question mark that [{group}] '
                f'{name} does not take',
                'ValueError',
                model.advice(
                    'Correct the value, or remove it from the URL and set '
                    f'the option in [{group}].'
                ),
                'a URL with another value',
            )
    return None
