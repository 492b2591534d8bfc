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

"""The options that only middleware of the API reads.

In oslo.middleware 4.2.1, 5.1.1, 6.1.0, 6.3.1, 6.6.0, 8.0.0 and 8.2.0 and
keystonemiddleware 9.2.0 to 13.0.0, with which manila 12 to 23 are released,
each class registers its options when api-paste.ini loads it. All but those
without ``asks_paste`` look in their section of api-paste.ini before the
section of the configuration (base.py _conf_get; _common/config.py
Config.get). manila itself reads none of these options.
"""

from collections.abc import Collection
from typing import NamedTuple
from typing import Optional

#: Options that make a middleware read other files than manila's; the last one
#: makes it read those of another project.
ELSEWHERE = ('oslo_config_config', 'oslo_config_file', 'oslo_config_project')


class Middleware(NamedTuple):
    """One middleware, and the options that it reads."""

    name: str
    """Its name in messages: 'keystonemiddleware.audit'."""

    section: str
    specs: Collection[str]
    """The names for it in api-paste.ini, 'egg:' as the catalog spells it."""

    option: Optional[str] = None
    """The only option of the section that it reads; None: it reads all."""

    asks_paste: bool = True
    """Whether its section of api-paste.ini can set the options."""

    alone: bool = True
    """Whether no other code reads the section."""


def _oslo(
    section: str,
    module: str,
    kind: str,
    option: Optional[str] = None,
    more: Collection[str] = (),
) -> Middleware:
    return Middleware(
        f'oslo_middleware.{module}',
        section,
        (
            f'oslo_middleware.{module}:{kind}.factory',
            f'oslo_middleware:{kind}.factory',
            f'egg:oslo-middleware#{module}',
            *more,
        ),
        option,
    )


AUDIT = Middleware(
    'keystonemiddleware.audit',
    'audit_middleware_notifications',
    (
        'keystonemiddleware.audit:filter_factory',
        'egg:keystonemiddleware#audit',
    ),
)

BASIC_AUTH = _oslo(
    'oslo_middleware',
    'basic_auth',
    'BasicAuthMiddleware',
    'http_basic_auth_user_file',
)._replace(asks_paste=False)

ALL = (
    _oslo(
        'cors', 'cors', 'CORS', more=['oslo_middleware.cors:filter_factory']
    ),
    _oslo(
        'healthcheck',
        'healthcheck',
        'Healthcheck',
        more=[
            'oslo_middleware.healthcheck:Healthcheck.app_factory',
            'oslo_middleware:Healthcheck.app_factory',
        ],
    ),
    _oslo(
        'oslo_middleware',
        'sizelimit',
        'RequestBodySizeLimiter',
        'max_request_body_size',
    ),
    _oslo(
        'oslo_middleware',
        'http_proxy_to_wsgi',
        'HTTPProxyToWSGI',
        'enable_proxy_headers_parsing',
    ),
    _oslo(
        'oslo_middleware', 'ssl', 'SSLMiddleware', 'secure_proxy_ssl_header'
    ),
    BASIC_AUTH,
    _oslo('oslo_middleware_tracing', 'tracing', 'TracingMiddleware'),
    AUDIT,
    # pycadf, which it imports (3.1.1 to 4.1.0 identifier.py), reads these.
    AUDIT._replace(section='audit', asks_paste=False),
)

#: keystonemiddleware 10.2.0 to 13.0.0, entry_points.txt and auth_token.
#: manila-share registers its options, too (22.0.0 share/manager.py).
AUTHTOKEN = Middleware(
    'keystonemiddleware.auth_token',
    'keystone_authtoken',
    (
        'keystonemiddleware.auth_token:filter_factory',
        'egg:keystonemiddleware#auth_token',
    ),
    alone=False,
)

#: It has no options: all of its settings are in api-paste.ini.
STATS = _oslo('', 'stats', 'StatsMiddleware')
#: Those without which it does not load (oslo.middleware 4.2.1 to 8.2.0
#: stats.py).
STATS_NEEDS = ('name', 'stats_host')

#: As an application it reads the path too, and answers whatever that is
#: (oslo.middleware 4.2.1 to 6.6.0 healthcheck, app_factory).
HEALTHCHECK_PATH = _oslo(
    'healthcheck', 'healthcheck', 'Healthcheck', 'path'
)._replace(name='oslo_middleware.healthcheck as a filter')

#: The options with which the token filter logs in if no auth_type is set
#: (keystonemiddleware 9.2.0 to 12.0.0 auth_token, _create_auth_plugin).
WITHOUT_PLUGIN = frozenset(
    (
        'admin_password admin_tenant_name admin_token admin_user '
        'auth_admin_prefix auth_host auth_port auth_protocol identity_uri'
    ).split()
)

SECTIONS = frozenset(one.section for one in ALL)


def reading(section: str, option: str) -> Optional[Middleware]:
    """Return the middleware that reads an option to serve requests, if any."""
    for one in (*ALL, AUTHTOKEN):
        if one.section == section and one.option in (None, option):
            return one
    return None
