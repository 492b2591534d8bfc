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

"""The options of ``[manila_precheck]`` and of every check.

Each flag of ``manila-precheck upgrade check`` is one of these options, so a
file or the environment can set it as well
(``OS_MANILA_PRECHECK__STAGE=stopped``).
"""

from collections.abc import Iterable
from collections.abc import Sequence
import copy
import math
import re
from typing import Optional

from oslo_config import cfg

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import check
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.evidence.config import ini_lines

GROUP = 'manila_precheck'

_LOCATION = re.compile(
    r"from LocationInfo\(location=<[^>]*>, detail='([^']*)'\)"
)

precheck_opts = [
    cfg.StrOpt(
        'root',
        metavar='DIR',
        help='Read the files below this directory, or in this archive (.tar, '
        '.tar.gz, .tar.xz, .zip), as if it were /. The command reads nothing '
        'else on this machine: no processes, no packages, no variables that '
        'set options of manila, and no database other than that of '
        'database_connection. Options of manila-precheck in the files of the '
        'bundle have no effect.',
    ),
    cfg.StrOpt(
        'target_release',
        metavar='RELEASE',
        help='The target release of the upgrade: a series (2026.1), a code '
        'name (gazpacho), or a version of the manila package (22, 22.0.2). '
        'Default: the installed manila if it is newer than the running '
        'release, otherwise the release after the running one, which the '
        'report marks as assumed.',
    ),
    cfg.StrOpt(
        'source_release',
        metavar='RELEASE',
        help='The release that runs now. Default: the release of the '
        'database revision, otherwise the installed manila.',
    ),
    cfg.StrOpt(
        'source_catalog',
        metavar='FILE',
        help='A file with the facts about the build that runs now, which '
        '"manila-precheck catalog build" or catalog.pyz wrote. They replace '
        'the facts about the release of the build. If nothing else names the '
        'source release, it is the release of this file.',
    ),
    cfg.StrOpt(
        'target_catalog',
        metavar='FILE',
        help='A file with the facts about the target build, in the format of '
        'source_catalog.',
    ),
    cfg.BoolOpt(
        'shipped_catalog',
        default=False,
        help='Use the shipped facts also for the manila that is installed in '
        'the environment of the command. By default, if this is not the build '
        'that the shipped facts describe, the command reads its facts from '
        'the environment, which takes about 12 seconds of CPU time.',
    ),
    cfg.MultiStrOpt(
        'running_config_file',
        default=[],
        metavar='FILE',
        help='A configuration file that the running services read. Set it if '
        'the files that the command checks are staged for the target. The '
        'check running-config compares the two.',
    ),
    cfg.MultiStrOpt(
        'running_config_dir',
        default=[],
        metavar='DIR',
        help='A directory with files that the running services read after '
        'running_config_file.',
    ),
    cfg.StrOpt(
        'running_root',
        metavar='DIR',
        help='Read the files of the running services below this directory, or '
        'in this archive, as if it were /. Without running_config_file and '
        'running_config_dir, the command finds the files as with root.',
    ),
    cfg.StrOpt(
        'vendor_path',
        metavar='SOURCE:TARGET',
        help='An upgrade in one step that the vendor of the packages '
        'supports but OpenStack does not test, such as wallaby:2023.1. For '
        'this path the check upgrade-path warns instead of failing; the '
        'other checks run as for any upgrade.',
    ),
    cfg.StrOpt(
        'stage',
        default=model.Stage.PLAN.value,
        choices=[
            ('plan', 'The services of the source release are running.'),
            (
                'stopped',
                'All services are down; the database is not migrated yet.',
            ),
            (
                'upgraded',
                'The database is migrated and the services are started.',
            ),
        ],
        help='The stage of the upgrade procedure at which the command runs.',
    ),
    cfg.FloatOpt(
        'wait',
        default=0.0,
        min=0.0,
        metavar='SECONDS',
        help='The maximum time in seconds to wait before the checks run: at '
        'stage plan until no migration or other operation is running, at '
        'stage stopped until the services are down, at stage upgraded until '
        'they report.',
    ),
    cfg.ListOpt(
        'check',
        default=[],
        metavar='ID',
        help='Run only these checks. An unknown id is an error.',
    ),
    cfg.ListOpt(
        'skip',
        default=[],
        metavar='ID',
        help='Skip these checks; the report lists them. An unknown id is an '
        'error.',
    ),
    cfg.StrOpt(
        'format',
        default='table',
        metavar='FORMAT',
        help='The name of the reporter that writes to standard output: '
        'table, json, junit, sarif, markdown, html, openmetrics, or one from '
        'an installed package.',
    ),
    cfg.MultiStrOpt(
        'report',
        default=[],
        metavar='FORMAT:PATH',
        help='Also write the report to a file, in one of the formats of '
        '--format. The file is written completely or not at all.',
    ),
    cfg.BoolOpt(
        'report_verbose',
        default=False,
        help='Show every finding in full, with what to do and where the facts '
        'come from. By default, a table of more than 120 lines shortens the '
        'warnings and only counts the notes.',
    ),
    cfg.BoolOpt(
        'report_show_waivers',
        default=False,
        help='For each failure and warning, show the entry that waives it, to '
        'copy into the waivers file.',
    ),
    cfg.StrOpt(
        'report_site',
        metavar='NAME',
        help='The name of the site, for the first page of the report.',
    ),
    cfg.StrOpt(
        'report_region',
        metavar='NAME',
        help='The name of the region, for the first page of the report.',
    ),
    cfg.StrOpt(
        'report_author',
        metavar='NAME',
        help='The name of the author, for the first page of the report.',
    ),
    cfg.StrOpt(
        'waivers',
        metavar='FILE',
        help='A YAML file of accepted findings, each with a reason, an owner '
        'and an expiry date. They stay in the report but do not affect the '
        'exit code.',
    ),
    cfg.StrOpt(
        'baseline',
        metavar='REPORT',
        help='An earlier report that --format json wrote. Only findings that '
        'are not in it, or that are more severe than in it, affect the exit '
        'code.',
    ),
    cfg.BoolOpt(
        'reproducible',
        default=False,
        help='Omit the date of the report and the durations of the checks, '
        'so that the same site gives an identical report.',
    ),
    cfg.BoolOpt(
        'redact_names',
        default=False,
        help='Replace the names of hosts, projects and shares with host-1, '
        'project-1 and share-1, consistently in the whole report, so that it '
        'can be sent to a vendor. IDs of shares and names of back ends and '
        'pools are not replaced.',
    ),
    cfg.MultiStrOpt(
        'redact_pattern',
        default=[],
        metavar='REGEX',
        help='Mask whatever this regular expression matches in a report or a '
        'message. Passwords in URLs and the values of secret options are '
        'always masked.',
    ),
    cfg.StrOpt(
        'fail_on',
        default='warning',
        choices=[
            ('warning', 'Exit with 1 on warnings and with 2 on failures.'),
            ('failure', 'Exit with 0 on warnings and with 2 on failures.'),
            ('never', 'Exit with 0 whatever the checks find.'),
        ],
        help='The lowest severity that affects the exit code. If the command '
        'cannot run, it exits with 255 whatever the value of this option.',
    ),
    cfg.StrOpt(
        'manila_status_fail_on',
        default='never',
        choices=[
            ('warning', 'Exit with 1 on warnings and with 2 on failures.'),
            ('failure', 'Exit with 0 on warnings and with 2 on failures.'),
            ('never', 'Every check succeeds; its details list the findings.'),
        ],
        help='The lowest severity that affects the results of the checks '
        'that run inside manila-status. By default none does, so that a '
        'deployment tool that already runs manila-status does not stop.',
    ),
    cfg.IntOpt(
        'max_listed',
        default=20,
        min=0,
        help='The number of objects of one kind and state that a database '
        'check lists by ID. With 0 it reports only totals, which are always '
        'exact.',
    ),
    cfg.ListOpt(
        'other_backends',
        default=[],
        metavar='HOST@BACKEND',
        help='Back ends that other controllers enable, as host@backend, the '
        'form that services and shares use. The command does not know the '
        'configuration of other controllers, only whether their services '
        'report.',
    ),
    cfg.StrOpt(
        'fix_output',
        metavar='DIR',
        help='The directory to which "upgrade fix" writes all files of the '
        'site, each under its full path, with mode 0600 and the owner of the '
        'original. It must not exist or be empty. Without it, "upgrade fix" '
        'only prints the difference.',
    ),
    cfg.StrOpt(
        'fix_for',
        choices=[
            ('source', 'What can be rolled out before the upgrade.'),
            ('target', 'What only the target release reads.'),
        ],
        help='The part of the changes that "upgrade fix" makes. "source" '
        'makes the changes that have the same effect in both releases; roll '
        'them out before the upgrade. "target" makes the rest, which only '
        'the target release reads; install them while the services are '
        'stopped. Default: both parts, in this order.',
    ),
    cfg.ListOpt(
        'fix_key',
        metavar='KEY',
        default=[],
        help='Correct only the findings with this key, such as '
        'config-options[DEFAULT/quota_shares], in "upgrade fix". * and ? are '
        'wildcards. Default: all findings.',
    ),
    cfg.BoolOpt(
        'fix_remove',
        default=False,
        help='Have "upgrade fix" remove the old lines. By default, they are '
        'commented out, with the reason.',
    ),
    cfg.StrOpt(
        'plan_format',
        default='markdown',
        choices=[
            ('markdown', 'To print and to tick off.'),
            ('html', 'A page with the look of the report.'),
            ('json', 'For programs.'),
        ],
        help='The format in which "upgrade plan" writes the runbook.',
    ),
    cfg.StrOpt(
        'plan_services',
        default='systemd',
        choices=[
            ('systemd', 'Units of the packages of the distribution.'),
            ('kolla', 'Units of systemd that kolla-ansible makes.'),
            ('docker', 'Containers of Docker.'),
            ('podman', 'Containers of Podman.'),
            (
                'pacemaker',
                'manila-share is a resource of Pacemaker, the others are '
                'units of systemd.',
            ),
        ],
        help='How the services of this deployment are stopped and started. '
        '"upgrade plan" writes the matching commands.',
    ),
    cfg.FloatOpt(
        'plan_backup_rate',
        min=0.001,
        metavar='MEGABYTES',
        help='The measured speed of a backup of the database, in megabytes '
        'of table data per second. Without it, "upgrade plan" does not '
        'estimate how long the backup takes.',
    ),
    cfg.FloatOpt(
        'plan_ensure_rate',
        min=0.0,
        metavar='SECONDS',
        help='The measured time that manila-share needs for each share when '
        'it starts, in seconds. Without it, "upgrade plan" does not estimate '
        'how long the first start takes.',
    ),
    cfg.StrOpt(
        'plan_rehearsal',
        metavar='FILE',
        help='The report that "upgrade rehearse --format json" wrote for '
        'the same upgrade. "upgrade plan" reads from it how long '
        '"manila-manage db sync" and the purge take.',
    ),
    cfg.StrOpt(
        'rehearse_backup',
        metavar='FILE',
        help='The backup of the database that "upgrade rehearse" restores '
        'and upgrades: a file that mysqldump, mariadb-dump or pg_dump wrote. '
        'It may be compressed, or in a format that pg_restore reads.',
    ),
    cfg.BoolOpt(
        'rehearse_from_database',
        default=False,
        help='Have "upgrade rehearse" take the backup itself, with '
        'mariadb-dump, mysqldump or pg_dump. It logs in to the database with '
        'the URL in [database] slave_connection or, without that, in '
        'connection.',
    ),
    cfg.StrOpt(
        'rehearse_server_url',
        secret=True,
        metavar='URL',
        help='The URL of an empty database into which "upgrade rehearse" '
        'restores the backup. What was restored is dropped at the end. By '
        'default, the command starts a database server of its own. Other '
        'users of this machine can see a password on a command line, but not '
        'in a file or in OS_MANILA_PRECHECK__REHEARSE_SERVER_URL.',
    ),
    cfg.StrOpt(
        'rehearse_target_python',
        metavar='PYTHON',
        help='The absolute path of the Python interpreter in the environment '
        'where the target release is installed, such as '
        '/opt/manila/bin/python. "upgrade rehearse" runs its manila-manage. '
        'With rehearse_target_image, this is a path in that image.',
    ),
    cfg.StrOpt(
        'rehearse_target_image',
        metavar='IMAGE',
        help='A container image on this host in which the target release is '
        'installed. "upgrade rehearse" runs it with podman or docker, without '
        'a network, and uses the python3 in its PATH unless '
        'rehearse_target_python names another interpreter. The staged files '
        'and the files beside them are mounted read only.',
    ),
    cfg.StrOpt(
        'rehearse_source_python',
        metavar='PYTHON',
        help='The absolute path of the Python interpreter in the environment '
        'where the current release is installed. It runs the purge that '
        'rehearse_purge asks for.',
    ),
    cfg.StrOpt(
        'rehearse_source_image',
        metavar='IMAGE',
        help='A container image on this host in which the current release is '
        'installed. It is used in the same way as rehearse_target_image.',
    ),
    cfg.MultiStrOpt(
        'rehearse_image_mount',
        default=[],
        metavar='PATH[:PATH]',
        help='A file or directory of this host, such as certificates or '
        'keys, to mount read only in the images, at the same path or at the '
        'path after the colon.',
    ),
    cfg.IntOpt(
        'rehearse_purge',
        min=0,
        metavar='DAYS',
        help='Have "upgrade rehearse" first purge the rows that were '
        'soft-deleted more than this number of days ago, with the manila of '
        'rehearse_source_python or rehearse_source_image.',
    ),
    cfg.BoolOpt(
        'rehearse_database_only',
        default=False,
        help='Do not start the services of the target in "upgrade '
        'rehearse". Use this on a host that does not have their files.',
    ),
    cfg.BoolOpt(
        'rehearse_keep',
        default=False,
        help='Keep the copy that "upgrade rehearse" made: the files of its '
        'database server, which only your account can read. By default, they '
        'are removed when the command ends, even if it fails.',
    ),
    cfg.FloatOpt(
        'rehearse_seconds',
        default=14400.0,
        min=1.0,
        metavar='SECONDS',
        help='The maximum time in seconds for each command that "upgrade '
        'rehearse" runs, such as "manila-manage db sync".',
    ),
    cfg.FloatOpt(
        'check_timeout_seconds',
        default=300.0,
        min=0.1,
        help='The maximum time in seconds for one check. A check that takes '
        'longer is aborted and reported as an error.',
    ),
    cfg.IntOpt(
        'statement_timeout_seconds',
        default=60,
        min=1,
        help='The maximum time in seconds for one SQL statement, after which '
        'the database server aborts it.',
    ),
    cfg.StrOpt(
        'database_connection',
        secret=True,
        metavar='URL',
        help='The URL of the database to read instead of [database] '
        'connection. Other users of this machine can see a password on a '
        'command line, but not in a file or in '
        'OS_MANILA_PRECHECK__DATABASE_CONNECTION.',
    ),
    cfg.BoolOpt(
        'no_database',
        default=False,
        help='Do not connect to the database, even if [database] connection '
        'is set. The checks that need it are skipped, which is a warning.',
    ),
    cfg.StrOpt(
        'database_dump',
        metavar='FILE',
        help='Read the rows from this dump of the database instead of '
        'connecting to [database] connection: a file that mysqldump, '
        'mariadb-dump or pg_dump wrote, plain, compressed, or in a format '
        'that pg_restore reads. The command starts a database server, '
        'restores the dump into it, and removes the server at the end. '
        'MariaDB or PostgreSQL must be installed on this host, or in the '
        'image that server_image names.',
    ),
    cfg.StrOpt(
        'server_image',
        metavar='IMAGE',
        help='A container image on this host that contains MariaDB or '
        'PostgreSQL. To restore a dump, the command runs it with podman or '
        'docker, without a network and without the entry point of the image. '
        'By default, the command runs the server that is installed on this '
        'host.',
    ),
    cfg.FloatOpt(
        'database_dump_seconds',
        default=3600.0,
        min=0.1,
        metavar='SECONDS',
        help='The maximum time in seconds for restoring the dump.',
    ),
    cfg.BoolOpt(
        'no_network',
        default=False,
        help='Connect only to the database, not to the broker, Keystone, '
        'memcached or the coordinator. The check service-connections then '
        'does not apply.',
    ),
    cfg.BoolOpt(
        'quick',
        default=False,
        help='Read only a sample of each large table of the database. The '
        'report marks the estimates.',
    ),
    cfg.FloatOpt(
        'database_time_seconds',
        default=120.0,
        min=0.1,
        help='The maximum time in seconds that a check spends on counting '
        'rows. Larger tables are read in part, and the report states how '
        'much of each. The check uses at most 70 percent of '
        'check_timeout_seconds.',
    ),
    cfg.IntOpt(
        'database_connections',
        default=1,
        min=1,
        max=8,
        help='The number of database connections that a check uses to count '
        'rows.',
    ),
    cfg.IntOpt(
        'connect_timeout_seconds',
        default=10,
        min=1,
        help='The maximum time in seconds to wait for an answer from the '
        'database server.',
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options that every run needs; repeating it is allowed."""
    conf.register_opts(precheck_opts, group=GROUP)


def settle(conf: cfg.ConfigOpts) -> None:
    """Make sure that every option has a valid value.

    :raises UsageError: when a value from any source is invalid.
    """
    _settle(conf, GROUP, precheck_opts)


def _settle(
    conf: cfg.ConfigOpts, group: str, options: Iterable[cfg.Opt]
) -> None:
    for opt in options:
        try:
            value = conf[group][opt.dest]
            if isinstance(opt, cfg.MultiStrOpt):
                _join(conf, group, opt.dest, value)
            if isinstance(value, float) and not math.isfinite(value):
                unit = 'hours' if opt.dest.endswith('_hours') else 'seconds'
                raise ValueError(f'{value} is not a number of {unit}')
        except (cfg.Error, ValueError) as exc:
            # oslo.config shows the origin of a value as the repr of an object.
            words = _LOCATION.sub(r'from \1', ' '.join(str(exc).split()))
            raise exceptions.UsageError(
                f'[{group}] {opt.dest}: {words}'
            ) from exc


class _Known:
    """The sections and options of this program and of its checks."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._entries = {
            model.option_group(entry.name): entry
            for entry in registry.checks()
            if not entry.conflict
        }
        self._names: dict[str, list[str]] = {GROUP: _names(precheck_opts)}

    @property
    def groups(self) -> list[str]:
        return [GROUP, *sorted(self._entries)]

    def names(self, group: str) -> Optional[list[str]]:
        """Return the options of a group; None when its check does not load.

        :raises UsageError: when an option of a check has an invalid value.
        """
        if group not in self._names:
            # A check registers its options when it runs.
            loaded = runner.load(self._entries[group])
            if not isinstance(loaded, check.Check):
                # The result of the check reports the error.
                return None
            options = loaded.opts()
            self._conf.register_opts(options, group=group)
            _settle(self._conf, group, options)
            self._names[group] = _names(options)
        return self._names[group]

    def variables(self, plain: str) -> list[str]:
        """Return the environment variables that a misspelt one may mean.

        :param plain: the name of the misspelt one, as _plain() returns it.
        """
        return [
            f'os_{group}__{name}'.upper()
            for group in self.groups
            if group == GROUP or plain.startswith(group)
            for name in self.names(group) or ()
        ]


def require_known(
    conf: cfg.ConfigOpts,
    settings: Iterable[ini_lines.Setting],
    environment: Iterable[str],
    facts: catalog.Catalog,
) -> None:
    """Make sure that every option of this program that is set exists.

    oslo.config ignores unknown options. With a misspelt ``stage``, or one in
    another section, the run would silently check another stage.

    :param conf: parsed; if an option of a check is set, all options of the
        check are registered on it, as they are when the check runs.
    :param settings: every assignment in the files.
    :param environment: the names of all variables. A name that begins with
        ``MANILA_PRECHECK_`` is checked only if the rest resembles an option
        of this program: others belong to the test suite, and to wrappers.
    :param facts: distinguishes the options of manila in ``[DEFAULT]`` from
        those of this program.
    :raises UsageError: when an option is unknown to the program and to the
        installed checks, or an option of a check has an invalid value.
    """
    known = _Known(conf)
    for setting in settings:
        if setting.group in known.groups:
            _require_option(known, setting.group, setting.name, setting.where)
        elif _means_us(_plain(setting.section)):
            raise exceptions.UnknownName(
                'section',
                setting.section,
                known.groups,
                f'see {setting.where}',
            )
        elif setting.group.lower() == 'default':
            _require_not_ours(setting.name, setting.where, facts)
    for variable in sorted(environment):
        _require_variable(known, variable, facts)


def _require_variable(
    known: _Known, variable: str, facts: catalog.Catalog
) -> None:
    plain = _plain(variable)
    group, mark, name = variable.lower().partition('__')
    group = group[len('os_') :]
    if mark and variable == f'OS_{group}__{name}'.upper():
        # oslo.config reads variables whose names are all in capitals.
        if group in known.groups:
            _require_option(known, group, name, variable)
            return
        if group == 'default':
            _require_not_ours(name, variable, facts)
            return
    if plain.startswith('os_'):
        plain = plain[len('os_') :]
        ours = _means_us(plain)
    else:
        rest = plain[len(GROUP) :].strip('_')
        ours = plain.startswith(GROUP) and _is_near(
            rest, _names(precheck_opts)
        )
    if ours:
        raise exceptions.UnknownName(
            'environment variable',
            variable,
            known.variables(plain),
            'the name is OS_, the section, two underscores and the option, '
            'in capitals',
        )


def _require_option(known: _Known, group: str, name: str, place: str) -> None:
    names = known.names(group)
    if names is not None and name not in names:
        raise exceptions.UnknownName(
            'option', name, names, f'see {place}, [{group}]'
        )


def _require_not_ours(name: str, place: str, facts: catalog.Catalog) -> None:
    plain = _plain(name)
    if plain in _names(precheck_opts) and not facts.option_releases(
        plain, 'DEFAULT'
    ):
        raise exceptions.UsageError(
            f'{place}: {name} in [DEFAULT] has no effect; options of '
            f'manila-precheck belong in [{GROUP}]'
        )


def _plain(name: str) -> str:
    """Return a name in lower case with its words joined by underscores."""
    return re.sub('[^a-z0-9]+', '_', name.lower())


def _means_us(plain: str) -> bool:
    """Say whether the name of a section is ours, or a misspelling of it."""
    ours = GROUP.replace('_', '')
    head = plain.replace('_', '')[: len(ours)]
    # Cheap test first: most names have too few letters in common.
    return len(set(head) & set(ours)) > 7 and _is_near(head, [ours])


def _is_near(name: str, known: Iterable[str]) -> bool:
    # Imported here because few runs look for a misspelling.
    import difflib

    return bool(difflib.get_close_matches(name, known, 1, 0.85))


def _names(options: Iterable[cfg.Opt]) -> list[str]:
    return [
        name
        for opt in options
        for name in (opt.dest, *(old.name for old in opt.deprecated_opts))
        if name
    ]


def _join(
    conf: cfg.ConfigOpts, group: str, dest: str, value: Sequence[str]
) -> None:
    """Restore the value that the environment gives to a MultiStrOpt.

    oslo.config 10.2.0 turns such a value into the list of its characters. In
    the environment, several values are on lines of their own.
    """
    if value and all(len(item) == 1 for item in value):
        lines = ''.join(value).split('\n')
        conf.set_override(dest, [s for s in lines if s], group=group)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return (group, options) of the program and of each check that loads.

    This is the package's entry point ``oslo.config.opts``: the sample
    configuration file and the configuration reference are made from it.
    """
    listed = [(GROUP, copy.deepcopy(precheck_opts))]
    for entry in registry.checks():
        loaded = runner.load(entry)
        if isinstance(loaded, check.Check):
            own = loaded.opts()
            if own:
                listed.append(
                    (model.option_group(entry.name), copy.deepcopy(list(own)))
                )
    return listed
