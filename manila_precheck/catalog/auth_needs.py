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
"""Options of keystoneauth's plugins that are needed but not marked required.

The options that are marked are in the catalog (auth_plugins.json). Only the
code of the plugins tells that one of several options is needed, or that one
is needed because another is set. Each row was tried with the loaders of
keystoneauth1 5.1.3, 5.6.1, 5.10.0, 5.13.1 and 5.15.0 (2023.1 to 2026.2),
which agree, and the requests to Keystone with a server that answers like
version 3 of its API.
"""

from typing import NamedTuple


class LoginNeed(NamedTuple):
    """Options of which a login needs at least one."""

    options: tuple[str, ...]
    """The options, the recommended one first."""

    given: tuple[str, ...] = ()
    """It is needed only if one of these is set; empty: always."""

    loads: bool = True
    """Whether the plugin fails to load without it; False: the plugin loads,
    but Keystone gives it no token, or a token without a catalog."""

    unless: tuple[str, ...] = ()
    """It is not needed if one of these is set."""


class LoginLibrary(NamedTuple):
    """A module that a plugin needs and that manila does not install."""

    module: str

    package: str

    loads: bool
    """Whether the plugin is loaded without it, and fails at each request."""


_KERBEROS = LoginLibrary('requests_kerberos', 'requests-kerberos', False)

#: The plugins that need such a module, though the loader itself is there.
#: keystoneauth1 5.1.3 to 5.15.0 extras/kerberos and extras/oauth1, tried in
#: 16.3.0, 18.3.0, 20.0.3, 22.0.2 and 23.0.1: ImportError when the plugin is
#: made, and with v3oauth1 an AttributeError when it asks for a token.
LIBRARIES = {
    'v3fedkerb': _KERBEROS,
    'v3kerberos': _KERBEROS,
    'v3oauth1': LoginLibrary('oauthlib', 'oauthlib', True),
}

_PROJECT_DOMAIN = ('project_domain_name', 'project_domain_id')
_USER_DOMAIN = ('user_domain_name', 'user_domain_id')
_DEFAULT_DOMAIN = ('default_domain_name', 'default_domain_id')
_SCOPE = (
    'project_name',
    'project_id',
    'domain_name',
    'domain_id',
    'system_scope',
    'trust_id',
)
_ENDPOINT = LoginNeed(('discovery_endpoint', 'access_token_endpoint'))
_USER = LoginNeed(('username', 'user_id'), loads=False)
_PASSWORD = LoginNeed(('password',), loads=False)
_IN_SCOPE = LoginNeed(_SCOPE, loads=False)
_OF_PROJECT = LoginNeed(_PROJECT_DOMAIN, ('project_name',))
_OF_USER = LoginNeed(_USER_DOMAIN, ('username',), unless=('user_id',))

# keystoneauth1 loading/_plugins/identity/generic.py and v3.py.
_NEEDS: dict[str, tuple[LoginNeed, ...]] = {
    'password': (
        _USER,
        _PASSWORD,
        LoginNeed(
            (*_USER_DOMAIN, *_DEFAULT_DOMAIN),
            ('username',),
            False,
            ('user_id',),
        ),
        LoginNeed(
            (*_PROJECT_DOMAIN, *_DEFAULT_DOMAIN),
            ('project_name',),
            False,
            ('project_id',),
        ),
        _IN_SCOPE,
    ),
    'token': (LoginNeed(('token',), loads=False),),
    'v3applicationcredential': (
        LoginNeed(
            ('application_credential_id', 'application_credential_name')
        ),
        _OF_USER._replace(unless=()),
        LoginNeed(
            ('username', 'user_id'),
            ('application_credential_name',),
            False,
            ('application_credential_id',),
        ),
    ),
    'v3oidcauthcode': (_ENDPOINT,),
    'v3oidcclientcredentials': (_ENDPOINT,),
    'v3oidcdeviceauthz': (_ENDPOINT,),
    'v3oidcpassword': (_ENDPOINT,),
    'v3password': (
        _USER,
        _PASSWORD,
        _OF_USER._replace(unless=()),
        _IN_SCOPE,
    ),
    'v3token': (LoginNeed(('token',), loads=False),),
    'v3tokenlessauth': (
        LoginNeed(('project_name', 'project_id', 'domain_name', 'domain_id')),
    ),
    'v3totp': (_USER, _OF_USER._replace(unless=()), _IN_SCOPE),
}


def needs(plugin: str, options: frozenset[str]) -> tuple[LoginNeed, ...]:
    """Return what a plugin needs in addition to its required options.

    :param plugin: the value of auth_type.
    :param options: the options of the plugin.
    """
    found = _NEEDS.get(plugin, ())
    if plugin.startswith('v3') and options.issuperset(_PROJECT_DOMAIN):
        # keystoneauth1 loading/identity.py, BaseV3Loader.
        found = (*found, _OF_PROJECT)
    return found
