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

"""Values that their type accepts and that end a service later."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.catalog import values
from manila_precheck.checks.config_options import both_releases
from manila_precheck.checks.config_options import database_parameters
from manila_precheck.checks.config_options import middleware
from manila_precheck.checks.config_options import references
from manila_precheck.checks.config_options import transport_urls
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import service_urls
from manila_precheck.evidence.database import database_url

# oslo.log 5.0 to 8.1 log.py, _find_facility.
_FACILITIES = frozenset(
    f'LOG_{name}'
    for name in (
        'KERN USER MAIL DAEMON AUTH SYSLOG LPR NEWS UUCP CRON AUTHPRIV FTP '
        'LOCAL0 LOCAL1 LOCAL2 LOCAL3 LOCAL4 LOCAL5 LOCAL6 LOCAL7'
    ).split()
)

_DAEMONS = 'manila-scheduler, manila-share and manila-data do not start'

_DELAY = 'periodic_fuzzy_delay'
_LAST_DAY = 6

_RABBIT = service_urls.RABBIT

# The names of oslo.messaging for the protocols of Python's ssl module. Python
# is no longer built with SSLv2 or SSLv3, and TLS 1.3 has no name here
# (oslo.messaging 14.0 to 18.1 impl_rabbit.py, _SSL_PROTOCOLS).
_TLS = ('sslv23', 'tlsv1', 'tlsv1_1', 'tlsv1_2')

_POOL_LEAST = 'conn_pool_min_size'
_POOL_MOST = 'rpc_conn_pool_size'
_STREAMS = 'rabbit_stream_fanout'
_PREFETCH = 'rabbit_qos_prefetch_count'

# {the name of an option: (the least value, what happens below it)}.
_LEAST = {
    # oslo.messaging 14.0 to 17.3 server.py, with futurist and
    # concurrent.futures: tried in 16.3.0, 22.0.2 and 23.0.1.
    'executor_thread_pool_size': (
        1,
        f'there is no pool of so few threads, and {_DAEMONS} (ValueError)',
    ),
    # manila 16.3.0 to 23.0.1 service.py, Service.start.
    _DELAY: (
        0,
        f'there is no number between 0 and it, and {_DAEMONS} (ValueError)',
    ),
    # oslo.service loopingcall.py: with eventlet the loop of reports ends with
    # ValueError; without it, in 23.0.1, the services report without a pause.
    'report_interval': (
        0,
        'no service of manila reports, and each counts as down after '
        'service_down_time (ValueError)',
    ),
    # manila 16.3.0 to 23.0.1 scheduler/drivers/filter.py, _max_attempts.
    'scheduler_max_attempts': (
        1,
        'it has to be 1 at least, and manila-scheduler does not start '
        '(InvalidParameterValue)',
    ),
}

# py-amqp writes the number in two bytes (amqp/channel.py, basic_qos).
_PREFETCH_MOST = 0xFFFF

_PORT_MOST = 0xFFFF

# py-amqp writes the length of a name in one byte.
_NAME_MOST = 0xFF

# The exchanges of each virtual host of RabbitMQ.
_EXCHANGES = frozenset(
    f'amq.{name}'
    for name in (
        'direct fanout headers match topic rabbitmq.event rabbitmq.log '
        'rabbitmq.trace'
    ).split()
)

# kombu 5.2 to 5.6 compression.py: the names, and the module that a name needs;
# '' for one of Python itself.
_COMPRESSIONS = {
    **dict.fromkeys(('gzip', 'zlib', 'application/x-gzip'), ''),
    **dict.fromkeys(('bzip2', 'bzip', 'application/x-bz2'), ''),
    **dict.fromkeys(('lzma', 'xz', 'application/x-lzma'), ''),
    **dict.fromkeys(('brotli', 'application/x-brotli'), 'brotli'),
    **dict.fromkeys(('zstd', 'zstandard', 'application/zstd'), 'zstandard'),
}

# The modes of MySQL 5.7 to 9 and MariaDB 10.4 to 12.
_SQL_MODES = frozenset(
    (
        'ALLOW_INVALID_DATES ANSI ANSI_QUOTES DB2 '
        'EMPTY_STRING_IS_NULL ERROR_FOR_DIVISION_BY_ZERO '
        'HIGH_NOT_PRECEDENCE IGNORE_BAD_TABLE_OPTIONS IGNORE_SPACE '
        'MAXDB MSSQL MYSQL323 MYSQL40 NO_AUTO_CREATE_USER '
        'NO_AUTO_VALUE_ON_ZERO NO_BACKSLASH_ESCAPES NO_DIR_IN_CREATE '
        'NO_ENGINE_SUBSTITUTION NO_FIELD_OPTIONS NO_KEY_OPTIONS '
        'NO_TABLE_OPTIONS NO_UNSIGNED_SUBTRACTION NO_ZERO_DATE '
        'NO_ZERO_IN_DATE ONLY_FULL_GROUP_BY ORACLE '
        'PAD_CHAR_TO_FULL_LENGTH PIPES_AS_CONCAT POSTGRESQL '
        'REAL_AS_FLOAT SIMULTANEOUS_ASSIGNMENT STRICT_ALL_TABLES '
        'STRICT_TRANS_TABLES TIME_ROUND_FRACTIONAL '
        'TIME_TRUNCATE_FRACTIONAL TRADITIONAL'
    ).split()
)

# The levels of logging; oslo.log adds TRACE (handlers.py).
_LEVELS = frozenset(
    'CRITICAL DEBUG ERROR FATAL INFO NOTSET TRACE WARN WARNING'.split()
)


def findings(
    both: both_releases.Sides, setting: config_files.Setting
) -> Iterator[model.Finding]:
    """Yield a finding if a service of the target fails because of the line."""
    if setting.group != _GROUPS[setting.name]:
        return
    if setting not in both.target.effective(setting):
        return
    if setting.group == _RABBIT and setting.name in _rabbit(both).in_query:
        # The query of the URL wins, and is judged with it.
        return
    if setting.name in _WITHOUT_FILE and both.target.text(
        'DEFAULT', 'log_config_append'
    ):
        return
    try:
        value = both.target.value(setting)
    except config_reader.Refused:
        # The value itself has been reported.
        return
    found = _JUDGES[setting.name](both, setting, value)
    if found is not None:
        yield found


def _facility(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    on = any(
        both.target.is_on('DEFAULT', name)
        for name in ('use_syslog', 'use_journal')
    )
    name = str(value).upper()
    name = name if name.startswith('LOG_') else f'LOG_{name}'
    if not on or name in _FACILITIES:
        return None
    return _finding(
        both,
        setting,
        'it is no facility of syslog, and no service of manila starts '
        '(TypeError)',
        [model.config('[DEFAULT]\nsyslog_log_facility = LOG_USER')],
    )


def _levels(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the levels of loggers (oslo.log 5.0 to 8.1 log.py)."""
    pairs = value if isinstance(value, list) else []
    for pair in pairs:
        level = str(pair).partition('=')[2]
        if level in _LEVELS or _is_number(level):
            continue
        return _finding(
            both,
            setting,
            f'{pair} does not end with = and a level, and no service of '
            'manila starts (ValueError)',
            [
                model.advice(
                    f'Write one of {", ".join(sorted(_LEVELS))}, or a '
                    'number, after the equals sign.'
                ).with_edits(*both.edits.choose(setting, 'MODULE=LEVEL'))
            ],
        )
    return None


def _is_number(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _least(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge a number that the code limits and its type does not."""
    least, why = _LEAST[setting.name]
    option = both.target.look_up(setting.group, setting.name).option
    if not isinstance(value, int) or value >= least or option is None:
        return None
    if setting.name == 'report_interval' and not behaviours.has(
        'eventlet-services', both.target.release
    ):
        return None
    if setting.name == _DELAY and (
        both.target.text('DEFAULT', 'periodic_interval') == '0'
    ):
        # There are no periodic tasks to delay.
        return None
    return _finding(
        both,
        setting,
        why,
        [model.config('[DEFAULT]\n{} = {}', setting.name, option.default)],
    )


def _rotation(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the day of the week on which the log is rotated (log.py)."""
    kinds = [
        both.target.text('DEFAULT', name).lower()
        for name in ('log_rotation_type', 'log_rotate_interval_type')
    ]
    to_file = any(
        both.target.text('DEFAULT', name) for name in ('log_file', 'log_dir')
    )
    if kinds != ['interval', 'weekday'] or not to_file:
        return None
    if not isinstance(value, int) or 0 <= value <= _LAST_DAY:
        return None
    return _finding(
        both,
        setting,
        'log_rotate_interval_type is weekday, whose days are 0 (Monday) to 6 '
        '(Sunday), and no service of manila starts (ValueError)',
        [
            model.advice(
                'Set it to a day of the week, or log_rotate_interval_type to '
                'days.'
            ).with_edits(*both.edits.choose(setting, '0 to 6'))
        ],
    )


def _journal(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the module of the journal (oslo.log 5.0 to 8.1 handlers.py)."""
    there = both.catalog.installs(both.target.release, 'systemd')
    if value is not True or there:
        return None
    doubt = there is None
    return _finding(
        both,
        setting,
        'oslo.log loads the module systemd, which manila does not install; '
        + ('without it' if doubt else 'the target does not have it, and')
        + ' no service of manila starts (RuntimeError)',
        [
            model.advice(
                'Install systemd-python together with '
                f'{both.target.release}, or set use_journal to False.'
            )
        ],
        model.Severity.WARNING if doubt else model.Severity.FAILURE,
        'unjudged' if doubt else 'dangling',
    )


def _backdoor(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the ports of the backdoor (oslo.service eventlet_backdoor.py).

    A release without eventlet does not open it: tried in 22.0.2 and 23.0.1.
    """
    release = both.target.release
    if not value or not behaviours.has('eventlet-services', release):
        return None
    if both.target.text('DEFAULT', 'backdoor_socket'):
        return None
    first, colon, last = str(value).partition(':')
    error = 'EventletBackdoorConfigValueError'
    if _is_number(first) and (
        not colon or (_is_number(last) and int(first) <= int(last))
    ):
        if 0 <= int(first) <= _PORT_MOST:
            return None
        error = 'OverflowError'
    return _finding(
        both,
        setting,
        'it is neither a port nor FIRST:LAST, and no service of manila starts '
        f'({error})',
        [
            model.advice(
                'Set it to 0 for any free port, or remove the line.'
            ).with_edits(*both.edits.comment(setting))
        ],
    )


def _patches(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge modules to patch (manila 16.3.0 to 23.0.1 utils.monkey_patch).

    Each service imports them when it starts. Tried with manila-data of
    20.0.3, 22.0.2 and 23.0.1.
    """
    if not both.target.is_on('DEFAULT', 'monkey_patch'):
        return None
    for pair in map(str, value if isinstance(value, list) else []):
        module, _, decorator = pair.partition(':')
        form = module and '.' in decorator and ':' not in decorator
        gone = [
            name
            for name in (module, decorator)
            if both.catalog.installs(both.target.release, name) is False
        ]
        if not form:
            why = f'{pair!r} is not MODULE:DECORATOR, and'
        elif gone:
            why = f'the target does not have {gone[0]}, and'
        else:
            why = (
                f'the catalog does not know whether {module} and {decorator} '
                'exist; without them'
            )
        certain = not form or bool(gone)
        return _finding(
            both,
            setting,
            f'{why} no service of manila starts',
            [
                model.advice(
                    'Write the path of a module, a colon and the path of a '
                    'function that the target can import, or remove the line.'
                ).with_edits(*both.edits.comment(setting))
            ],
            model.Severity.FAILURE if certain else model.Severity.WARNING,
            'dangling' if certain else 'unjudged',
        )
    return None


def _eventlog(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge an option for Windows only (oslo.log 5.0 to 5.5 log.py)."""
    if value is not True:
        return None
    return _finding(
        both,
        setting,
        'there is no event log of Windows here, and no service of manila '
        'starts (RuntimeError)',
        [
            model.advice('Set use_eventlog to False.').with_edits(
                *both.edits.replace(setting, 'False')
            )
        ],
    )


def _secret(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the token cache (keystonemiddleware 10.1 to 13.0 auth_token).

    A strategy requires the secret wherever the filter is loaded.
    """
    if not value or str(value) == 'None' or not both.conf.serves_api:
        return None
    if both.conf.find(setting.group, 'memcache_secret_key') or any(
        middleware.sets_elsewhere(both, name)
        for name in (setting.name, 'memcache_secret_key')
    ):
        return None
    return _finding(
        both,
        setting,
        'it needs memcache_secret_key, which is not set, and manila-api does '
        'not start where its pipeline has authtoken (ConfigurationError)',
        [model.config('[keystone_authtoken]\nmemcache_secret_key = <text>')],
    )


def _ranges(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the networks of the healthcheck."""
    now = both.target.look_up(setting.group, setting.name)
    if not now.read or middleware.why_unread(both, now) is not None:
        return None
    network = values.rejected_network(
        map(str, value if isinstance(value, list) else [])
    )
    if network is None:
        return None
    return _finding(
        both,
        setting,
        f'{network!r} is no network of IPv4 or IPv6, and manila-api does not '
        'start where it loads the healthcheck (ValueError)',
        [
            model.advice(
                'Write each network with the bits of its hosts 0, as in '
                '10.0.0.0/8.'
            ).with_edits(*both.edits.choose(setting, 'networks'))
        ],
    )


# -- the driver of RabbitMQ (oslo.messaging 14.0 to 18.1 impl_rabbit.py): all
# of these were tried on manila-data of 20.0.3 and 22.0.2


def of_broker_url(
    both: both_releases.Sides, setting: config_files.Setting, url: str
) -> Iterator[model.Finding]:
    """Yield the options in the query of a URL with which a service fails.

    :param setting: transport_url.
    :param url: its value, whose query the driver can parse.
    """
    if setting.group != 'DEFAULT' or not _has_rabbit(both):
        return
    options = service_urls.RabbitOptions(both.target, url)
    for name, text in options.in_query.items():
        if _GROUPS.get(name) != _RABBIT:
            continue
        line = setting._replace(section=_RABBIT, name=name, value=text)
        try:
            value = both.target.value(line)
        except config_reader.Refused:
            continue
        found = _JUDGES[name](both, line, value)
        if found is not None:
            yield found._replace(
                subject=setting.subject,
                message=f'the query of transport_url sets {found.message}',
                remediation=(
                    model.advice(
                        f'Correct {name} in the query of the URL, or remove '
                        'it there.'
                    ),
                ),
                aspect=f'query {name}',
            )


def _rabbit(both: both_releases.Sides) -> service_urls.RabbitOptions:
    return service_urls.RabbitOptions(
        both.target, both.target.text('DEFAULT', 'transport_url')
    )


def _prefetch(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    if not isinstance(value, int) or value <= _PREFETCH_MOST:
        return None
    if not _has_rabbit(both):
        return None
    return _finding(
        both,
        setting,
        f'AMQP has room for {_PREFETCH_MOST} at most, and {_DAEMONS} '
        '(struct.error)',
        [
            model.advice('Set it to 0 for no limit.').with_edits(
                *both.edits.replace(setting, '0')
            )
        ],
    )


def _compression(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    if not value or not _has_rabbit(both):
        return None
    ends = (
        'no message can be sent: manila-scheduler does not start, and no '
        'request of manila-api is carried out'
    )
    library = _COMPRESSIONS.get(str(value))
    there: Optional[bool] = False
    if library == '':
        return None
    if library is None:
        why = f'kombu has no such compression, and {ends} (KeyError)'
    else:
        there = both.catalog.installs(both.target.release, library)
        if there:
            return None
        why = (
            f'it needs the module {library}, which manila does not install; '
            + ('without it ' if there is None else '')
            + f'{ends} (KeyError)'
        )
    doubt = there is None
    return _finding(
        both,
        setting,
        why,
        [
            model.advice('Set it to gzip, or remove the line.').with_edits(
                *both.edits.replace(setting, 'gzip')
            )
        ],
        model.Severity.WARNING if doubt else model.Severity.FAILURE,
        'unjudged' if doubt else 'invalid',
    )


def _exchange(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge a name that no exchange can have.

    kombu does not declare exchanges with names that RabbitMQ keeps for itself
    (kombu 5.2 to 5.6 entity.py, _can_declare); some of them exist.
    """
    name = str(value)
    if not _has_rabbit(both):
        return None
    if name.startswith('amq.') and name not in _EXCHANGES:
        why = (
            'kombu does not declare an exchange whose name begins with amq., '
            'and RabbitMQ does not have this one'
        )
    elif len(name.encode()) > _NAME_MOST:
        why = f'AMQP has room for {_NAME_MOST} bytes at most'
    else:
        return None
    return _finding(
        both,
        setting,
        f'{why}: manila-scheduler, manila-share and manila-data do not start',
        [model.config('[DEFAULT]\ncontrol_exchange = manila')],
    )


def _tls(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    if not value or str(value).lower() in _TLS:
        return None
    if not (_has_rabbit(both) and _rabbit(both).is_on('ssl')):
        return None
    return _finding(
        both,
        setting,
        f'oslo.messaging takes {", ".join(_TLS)}, and {_DAEMONS} '
        '(RuntimeError)',
        [
            model.advice(
                'Remove the line: without it, the highest version of TLS '
                'that both sides have is used.'
            ).with_edits(*both.edits.comment(setting))
        ],
    )


def _rate(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    if value != 0 or not _has_rabbit(both):
        return None
    return _finding(
        both,
        setting,
        'the time between two heartbeats is divided by it, and '
        f'{_DAEMONS} (ZeroDivisionError)',
        [
            model.advice(
                'Remove the line. Without heartbeats, '
                'heartbeat_timeout_threshold is 0.'
            ).with_edits(*both.edits.comment(setting))
        ],
    )


def _streams(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    if value is not True or not _has_rabbit(both):
        return None
    wanted = []
    if (_number(both, _PREFETCH) or 0) <= 0:
        wanted.append(
            model.config(
                '[oslo_messaging_rabbit]\nrabbit_qos_prefetch_count = 10'
            )
        )
    if not _rabbit(both).is_on('rabbit_transient_quorum_queue'):
        wanted.append(
            model.config(
                '[oslo_messaging_rabbit]\nrabbit_transient_quorum_queue = True'
            )
        )
    if not wanted:
        return None
    return _finding(
        both,
        setting,
        'it needs a rabbit_qos_prefetch_count above 0 and '
        f'rabbit_transient_quorum_queue = True, and {_DAEMONS} (RuntimeError)',
        wanted,
    )


def _pool(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    if not _has_rabbit(both):
        return None
    if setting.name == _POOL_MOST and (
        both.conf.find(_RABBIT, _POOL_LEAST)
        or _POOL_LEAST in _rabbit(both).in_query
    ):
        # The finding is about that line.
        return None
    least, most = _number(both, _POOL_LEAST), _number(both, _POOL_MOST)
    if least is None or most is None or least <= most:
        return None
    return _finding(
        both,
        setting,
        f'{_POOL_MOST} is {most}, which is less than {_POOL_LEAST}, {least}, '
        'and no service of manila starts (DriverLoadFailure)',
        [
            model.config(
                '[oslo_messaging_rabbit]\nrpc_conn_pool_size = {}', least
            )
        ],
    )


def _number(both: both_releases.Sides, name: str) -> Optional[int]:
    """Return an option of the driver; None if it is not a number."""
    text = _rabbit(both).text(name)
    return int(text) if _is_number(text) else None


def _has_rabbit(both: both_releases.Sides) -> bool:
    """Say whether the broker is RabbitMQ, which is also the default."""
    url = both.target.text('DEFAULT', 'transport_url')
    return transport_urls.section_of(url) == _RABBIT


# -- the cache of tokens


def _memcached(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the client library (keystonemiddleware auth_token/_cache.py).

    keystonemiddleware does not require it; the packages of all distributions
    do, so it is reported only if the build is known to lack it.
    """
    if not value or not both.conf.serves_api:
        return None
    sasl = both.target.is_on(setting.group, 'memcache_sasl_enabled')
    library = 'bmemcached' if sasl else 'memcache'
    if both.catalog.installs(both.target.release, library) is not False:
        return None
    package = f'python-{"binary-" * sasl}memcached'
    return _finding(
        both,
        setting,
        f'the filter authtoken loads the module {library}, which the target '
        'does not have, and manila-api answers each request with a token '
        'with 500 (ModuleNotFoundError)',
        [
            model.advice(
                f'Install {package} together with {both.target.release}, or '
                'remove the line: tokens are then cached in memory.'
            )
        ],
        verdict='dangling',
    )


# -- SQLAlchemy


def _sql_mode(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge the modes that each connection sets (oslo.db engines.py)."""
    url = both.target.text('database', 'connection')
    if not url.startswith(('mysql', 'mariadb')):
        return None
    text = str(value or '')
    # The server does not strip blanks.
    unknown = [
        name
        for name in text.split(',')
        if name and name.upper() not in _SQL_MODES
    ]
    if not unknown:
        return None
    return _finding(
        both,
        setting,
        f'{unknown[0]!r} is no mode of MySQL or MariaDB, and '
        f'{references.NO_DATABASE} (OperationalError 1231)',
        [model.config('[database]\nmysql_sql_mode = TRADITIONAL')],
    )


def _parameters(
    both: both_releases.Sides, setting: config_files.Setting, value: object
) -> Optional[model.Finding]:
    """Judge what oslo.db appends to the URL (4.7 to 18.1 enginefacade.py)."""
    scheme = both.target.text('database', 'connection').partition('://')[0]
    url = f'{scheme}://h/?{value}'
    if not (value and scheme and database_url.is_url(url)):
        return None
    fault = database_parameters.fault(url)
    if fault is None:
        return None
    return database_parameters.finding(
        setting,
        fault,
        model.advice('Correct the line, or remove it.').with_edits(
            *both.edits.comment(setting)
        ),
        'names',
    )


def _finding(
    both: both_releases.Sides,
    setting: config_files.Setting,
    why: str,
    steps: list[model.Remediation],
    severity: model.Severity = model.Severity.FAILURE,
    verdict: str = 'invalid',
) -> model.Finding:
    return model.Finding(
        severity,
        setting.subject,
        f'{both.assigned(setting)}: {why}',
        steps,
        data={'verdict': verdict},
        aspect='names',
    )


_JUDGES = {
    **dict.fromkeys(_LEAST, _least),
    'allowed_source_ranges': _ranges,
    'backdoor_port': _backdoor,
    'default_log_levels': _levels,
    _POOL_LEAST: _pool,
    'connection_parameters': _parameters,
    'control_exchange': _exchange,
    'heartbeat_rate': _rate,
    'kombu_compression': _compression,
    'log_rotate_interval': _rotation,
    'memcached_servers': _memcached,
    'memcache_security_strategy': _secret,
    'monkey_patch_modules': _patches,
    'mysql_sql_mode': _sql_mode,
    _PREFETCH: _prefetch,
    _STREAMS: _streams,
    _POOL_MOST: _pool,
    'ssl_version': _tls,
    'syslog_log_facility': _facility,
    'use_eventlog': _eventlog,
    'use_journal': _journal,
}
_GROUPS = {
    **dict.fromkeys(_JUDGES, 'DEFAULT'),
    'allowed_source_ranges': 'healthcheck',
    'connection_parameters': 'database',
    'memcache_security_strategy': 'keystone_authtoken',
    'memcached_servers': 'keystone_authtoken',
    'mysql_sql_mode': 'database',
    **dict.fromkeys(
        (
            _POOL_LEAST,
            _POOL_MOST,
            _PREFETCH,
            _STREAMS,
            'heartbeat_rate',
            'kombu_compression',
            'ssl_version',
        ),
        _RABBIT,
    ),
}

# Options that are ignored if log_config_append is set (log.py, setup).
_WITHOUT_FILE = (
    'default_log_levels',
    'log_rotate_interval',
    'syslog_log_facility',
    'use_eventlog',
    'use_journal',
)

#: The names of the options.
OPTIONS = tuple(_JUDGES)
