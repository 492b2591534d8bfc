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

"""Parameters in the URL of the database that the library rejects.

SQLAlchemy passes them unchanged to connect() (PyMySQL 1.0.2 to 1.4.6
connections.py and charset.py; SQLAlchemy 1.4.41 to 2.0.46
dialects/mysql/mysqldb.py and pymysql.py; libpq 12 to 18). Tried with the
oslo.db of 22.0.2.
"""

from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.checks.config_options import references
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.database import database_url

_SECONDS = ('connect_timeout', 'read_timeout', 'write_timeout')


class _Library(NamedTuple):
    name: str

    known: frozenset[str]
    """The parameters of all versions; empty if they are not known."""

    values: dict[str, frozenset[str]]
    """The values that a parameter accepts, in lower case."""


# plugin and the last three names are handled by SQLAlchemy.
_PYMYSQL = _Library(
    'PyMySQL',
    frozenset(
        (
            'auth_plugin_map autocommit binary_prefix bind_address charset '
            'client_flag collation compress connect_timeout conv cursorclass '
            'database db defer_connect host init_command local_infile '
            'max_allowed_packet named_pipe passwd password port program_name '
            'read_default_file read_default_group read_timeout '
            'server_public_key sql_mode ssl ssl_ca ssl_cert ssl_disabled '
            'ssl_key ssl_key_password ssl_verify_cert ssl_verify_identity '
            'unix_socket use_unicode user write_timeout plugin ssl_capath '
            'ssl_cipher ssl_check_hostname'
        ).split()
    ),
    {
        'charset': frozenset(
            (
                'armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 '
                'cp852 cp866 cp932 dec8 eucjpms euckr gb18030 gb2312 gbk '
                'geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 '
                'latin5 latin7 macce macroman sjis swe7 tis620 ujis utf8 '
                'utf8mb3 utf8mb4'
            ).split()
        )
    },
)
# The options of psycopg2 come from libpq, whose versions differ.
_PSYCOPG2 = _Library(
    'psycopg2',
    frozenset(),
    {
        'sslmode': frozenset(
            'disable allow prefer require verify-ca verify-full'.split()
        )
    },
)
_LIBRARIES = {
    'mysql+pymysql': _PYMYSQL,
    'mariadb+pymysql': _PYMYSQL,
    'postgresql': _PSYCOPG2,
    'postgresql+psycopg2': _PSYCOPG2,
}


class ParameterFault(NamedTuple):
    """What is wrong with a parameter, as the begin of a sentence."""

    what: str
    severity: model.Severity = model.Severity.FAILURE

    @property
    def verdict(self) -> str:
        """Return 'unjudged' if the catalog does not know, else 'invalid'."""
        known = self.severity is model.Severity.FAILURE
        return 'invalid' if known else 'unjudged'


def finding(
    setting: config_files.Setting,
    fault: ParameterFault,
    correction: model.Remediation,
    aspect: str,
) -> model.Finding:
    """Return the finding about a line with such a parameter.

    :param correction: the remediation of a parameter that is invalid.
    :param aspect: the aspect of the finding then.
    """
    if fault.verdict != 'invalid':
        correction = model.advice(
            'Install the package that provides the plugin in the environment '
            'of the target, or remove the parameter.'
        )
        aspect = 'names'
    return model.Finding(
        fault.severity,
        setting.subject,
        f'[{setting.section}] {setting.name} {fault.what}'
        f'{references.NO_DATABASE}',
        [correction],
        data={'verdict': fault.verdict},
        aspect=aspect,
    )


def fault(url: str) -> Optional[ParameterFault]:
    """Return what is wrong with the parameters of a URL, if anything.

    :param url: a URL that SQLAlchemy can parse.
    """
    what = _fault(url)
    if what is not None:
        return ParameterFault(f'{what}: ')
    _, parameters = database_url.parameters(url)
    plugin = parameters.get('plugin')
    if not plugin:
        return None
    # SQLAlchemy 1.4 and 2.0 engine/url.py, _instantiate_plugins: for any
    # driver, and it ships none. Tried in 20.0.3 and 22.0.2.
    shown = '' if '@' in plugin else f' {plugin}'
    return ParameterFault(
        f'loads a plugin{shown} of SQLAlchemy, which the catalog does not '
        'know; without the package that provides it, ',
        model.Severity.WARNING,
    )


def _fault(url: str) -> Optional[str]:
    driver, parameters = database_url.parameters(url)
    library = _LIBRARIES.get(driver)
    if library is None:
        return None
    gives = f'gives {library.name}'
    for name, value in parameters.items():
        if library.known and name not in library.known:
            # A text with an at sign may be the end of a password.
            shown = '' if '@' in name + value else f' {name}'
            return f'{gives} a parameter{shown} that it does not have'
        if library.known and name in _SECONDS and not _is_above_zero(value):
            return f'{gives} a {name} that is no number above 0'
        taken = library.values.get(name)
        if taken is not None and value.lower() not in taken:
            return f'{gives} a {name} that it does not have'
    return None


def _is_above_zero(text: str) -> bool:
    try:
        return int(text) > 0
    except ValueError:
        return False
