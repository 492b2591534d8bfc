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
"""What a service loses with a setting that a release no longer reads.

A renamed option keeps its old names for some releases. After that, a line with
an old name is silently ignored, and the setting falls back to its default, as
with a removed option. For most options only a setting is lost. With the
options here a service stops, or loses its database, its broker, TLS or its
locks; or (partly) something on which others rely.

Each was tried with oslo.config and the libraries in the environments of
manila 16.3.0, 18.3.0, 20.0.3 and 22.0.2: an option that the older release
reads under the old name has its default in the newer one. The consequences of
the default are in the cited code:

- oslo.db 12.3.3 has the old names of ``[database] connection``, but 15.0.0
  does not (manila's default is a SQLite file without tables: no such table:
  services).
- oslo.concurrency 5.1.1 has ``[DEFAULT] lock_path``, but 6.0.0 does not. It
  raises RequiredOptError for an external lock without the option
  (lockutils.py, _get_lock_path); manila-share takes one whenever it changes
  access rules (share/access.py, locked_access_rules_operation), whatever the
  driver, but none while ``disable_process_locking`` is on.
- oslo.messaging 14.7.2 has the old names of ``[oslo_messaging_rabbit]``, but
  16.1.2 does not. Its impl_rabbit.py connects without TLS unless ``ssl`` is
  true, does not verify the broker without ``ssl_ca_file``, and has no client
  certificate without the other two ssl options. It logs in by
  ``rabbit_login_method``. It declares exchanges and queues with
  ``amqp_auto_delete``, and RabbitMQ answers 406 to another value; but it
  deletes them as soon as manila's services are stopped, except for those that
  another service keeps, such as the exchange openstack (tried with
  manila-scheduler of 18.3.0 and 20.0.3).
- oslo.messaging 16.1.2 has rabbit_quroum_*, but 17.1.0 does not, and declares
  quorum queues without the limit; RabbitMQ answers 406.
- oslo.messaging 16.1.2 compares the name in the certificate of the broker if
  ``ssl_enforce_hostname_verification`` is on; 17.1.0 and 17.3.0 do not have
  the option and accept a certificate for another name.
- oslo.messaging 14.7.2 has the old names of
  ``[oslo_messaging_notifications]``, but 16.1.2 does not.
- oslo.policy 4.3.0 has the old names of ``[oslo_policy]``, but 4.5.1 does not:
  the API reads policy.yaml and policy.d beside the configuration.
- oslo.service 3.4.1 has the old names of ``[ssl]``, but 4.1.2 does not.
"""

from typing import NamedTuple
from typing import Optional

# Section and name of an option.
_Name = tuple[str, str]


class Loss(NamedTuple):
    """What happens if a setting is lost."""

    words: str
    """A clause that continues 'the line is ignored: '."""

    values: tuple[str, ...] = ()
    """The values for which it happens, in lower case; (): any value."""

    when: tuple[_Name, ...] = ()
    """The options that have to be set; otherwise the setting has no effect."""

    partly: bool = False
    """Whether the services do their work nevertheless."""

    unless: Optional[_Name] = None
    """An option that makes up for it if it is set in the target."""

    def follows(self, value: str) -> bool:
        """Say whether it happens for a line with this value."""
        given = value.strip().lower()
        return given in self.values if self.values else bool(given)


_RABBIT_SSL = ('oslo_messaging_rabbit', 'ssl')
_RABBIT_CA = ('oslo_messaging_rabbit', 'ssl_ca_file')
_RABBIT_QUORUM = ('oslo_messaging_rabbit', 'rabbit_quorum_queue')
_API_SSL = ('DEFAULT', 'osapi_share_use_ssl')
_LOCK_PATH = ('oslo_concurrency', 'lock_path')
_NO_LOCKS = ('oslo_concurrency', 'disable_process_locking')
_NO_PATH = (
    'manila-share fails with RequiredOptError whenever it takes a file lock, '
    'as for each change of access rules'
)
_OTHER_LIMIT = (
    'RabbitMQ rejects the quorum queues that exist with this limit '
    '(PRECONDITION_FAILED)'
)

_TRUE = ('true', '1', 'yes', 'on')

_BY_OPTION = {
    ('database', 'connection'): Loss(
        'the services use a SQLite file in place of the database'
    ),
    _LOCK_PATH: Loss(_NO_PATH, unless=_NO_LOCKS),
    _NO_LOCKS: Loss(
        f'without a lock_path, {_NO_PATH}', _TRUE, unless=_LOCK_PATH
    ),
    _RABBIT_SSL: Loss(
        'the services connect to RabbitMQ without TLS, which a TLS port '
        'rejects',
        _TRUE,
    ),
    _RABBIT_CA: Loss(
        'the certificate of RabbitMQ is not verified', when=(_RABBIT_SSL,)
    ),
    ('oslo_messaging_rabbit', 'ssl_enforce_hostname_verification'): Loss(
        'a certificate for any other name, from the same CA, is accepted as '
        'that of RabbitMQ',
        _TRUE,
        when=(_RABBIT_SSL, _RABBIT_CA),
        partly=True,
    ),
    ('oslo_messaging_rabbit', 'rabbit_quorum_max_memory_bytes'): Loss(
        _OTHER_LIMIT, when=(_RABBIT_QUORUM,)
    ),
    ('oslo_messaging_rabbit', 'rabbit_quorum_max_memory_length'): Loss(
        _OTHER_LIMIT, when=(_RABBIT_QUORUM,)
    ),
    ('oslo_messaging_rabbit', 'ssl_cert_file'): Loss(
        'the services have no client certificate; a RabbitMQ that requires '
        'one rejects them',
        when=(_RABBIT_SSL,),
    ),
    ('oslo_messaging_rabbit', 'ssl_key_file'): Loss(
        'the services have no key for their client certificate and do not '
        'connect to a RabbitMQ that requires one',
        when=(_RABBIT_SSL,),
    ),
    ('oslo_messaging_rabbit', 'amqp_auto_delete'): Loss(
        'RabbitMQ rejects the exchanges and queues that another service keeps '
        'with auto_delete (PRECONDITION_FAILED)',
        _TRUE,
        partly=True,
    ),
    ('oslo_messaging_rabbit', 'rabbit_login_method'): Loss(
        'the services log in with AMQPLAIN, which has no certificate',
        ('external',),
    ),
    ('oslo_messaging_notifications', 'driver'): Loss(
        'no notifications are sent', partly=True
    ),
    ('oslo_messaging_notifications', 'transport_url'): Loss(
        'notifications go to the broker of [DEFAULT] transport_url',
        partly=True,
    ),
    ('oslo_policy', 'policy_file'): Loss(
        'the API does not read this file, and its rules have no effect'
    ),
    ('oslo_policy', 'policy_dirs'): Loss(
        'the API does not read this directory, and its rules have no effect'
    ),
    ('ssl', 'cert_file'): Loss(
        'the API has no certificate and does not start',
        when=(_API_SSL,),
    ),
    ('ssl', 'key_file'): Loss(
        'the API has no key for its certificate and does not start',
        when=(_API_SSL,),
    ),
    ('ssl', 'ca_file'): Loss(
        'the API does not verify the certificates of clients',
        when=(_API_SSL,),
    ),
}


def loss(group: str, name: str) -> Optional[Loss]:
    """Return what is lost without an option; None: only a setting."""
    return _BY_OPTION.get((group, name))
