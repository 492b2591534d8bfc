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

"""The options that middleware of the API reads, and nothing else does.

oslo.middleware 4.2.1, 5.1.1, 6.1.0, 6.3.1, 6.6.0, 8.0.0 and 8.2.0 and
keystonemiddleware 9.2.0 to 13.0.0, which manila 12 to 23 are made with: each
class registers its options when api-paste.ini loads it, and all but one ask
their section there before the one of the configuration (base.py _conf_get;
_common/config.py Config.get). manila itself looks at none of them.
"""

from collections.abc import Collection
from typing import NamedTuple
from typing import Optional

#: What has a middleware read other files than those of manila, and last what
#: has it read another project's.
ELSEWHERE = ('oslo_config_config', 'oslo_config_file', 'oslo_config_project')


class Middleware(NamedTuple):
    """One middleware, and what it reads."""

    name: str
    """As a message says it: 'keystonemiddleware.audit'."""

    section: str
    specs: Collection[str]
    """What api-paste.ini may call it, 'egg:' in the catalog's spelling."""

    option: Optional[str] = None
    """The one option of the section that it reads; None: all of them."""

    asks_paste: bool = True
    """Its section of api-paste.ini can set it."""


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


_AUDIT = (
    'keystonemiddleware.audit:filter_factory',
    'egg:keystonemiddleware#audit',
)

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
    _oslo(
        'oslo_middleware',
        'basic_auth',
        'BasicAuthMiddleware',
        'http_basic_auth_user_file',
    )._replace(asks_paste=False),
    _oslo('oslo_middleware_tracing', 'tracing', 'TracingMiddleware'),
    Middleware(
        'keystonemiddleware.audit', 'audit_middleware_notifications', _AUDIT
    ),
    # pycadf 3.1.1 to 4.1.0 identifier.py, which it imports.
    Middleware('keystonemiddleware.audit', 'audit', _AUDIT, asks_paste=False),
)

SECTIONS = frozenset(one.section for one in ALL)


def reading(section: str, option: str) -> Optional[Middleware]:
    """Return the middleware that alone reads an option, if one does."""
    for one in ALL:
        if one.section == section and one.option in (None, option):
            return one
    return None
