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

Each flag of ``manila-precheck upgrade check`` is one of these options, so it
can be set in a file or in the environment as well
(``OS_MANILA_PRECHECK__STAGE=stopped``).
"""

from collections.abc import Iterable
from collections.abc import Sequence
import copy
import math
import re

from oslo_config import cfg

from manila_precheck import check
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import registry
from manila_precheck import runner
from manila_precheck.sources import ini

GROUP = 'manila_precheck'

_LOCATION = re.compile(
    r"from LocationInfo\(location=<[^>]*>, detail='([^']*)'\)"
)

precheck_opts = [
    cfg.StrOpt(
        'target_release',
        metavar='RELEASE',
        help='The release that the upgrade goes to: a series (2026.1), a '
        'code name (gazpacho) or a version of manila (22). Default: the '
        'manila that is installed when it is newer than what runs, else the '
        'release after what runs, which the report then calls assumed.',
    ),
    cfg.StrOpt(
        'source_release',
        metavar='RELEASE',
        help='The release that runs now. Default: what the revision of the '
        'database says, else the manila that is installed.',
    ),
    cfg.StrOpt(
        'stage',
        default=model.Stage.PLAN.value,
        choices=[
            ('plan', 'The services of the source release run.'),
            (
                'stopped',
                'All services are down, the database is not migrated yet.',
            ),
            ('upgraded', 'The database is migrated, the services started.'),
        ],
        help='Where in the procedure the operator stands.',
    ),
    cfg.FloatOpt(
        'wait',
        default=0.0,
        min=0.0,
        metavar='SECONDS',
        help='How many seconds to wait at most until what goes away by '
        'itself is gone, before the checks are run: at stage plan until no '
        'migration or other operation is running, at stage stopped until '
        'the services are down.',
    ),
    cfg.ListOpt(
        'check',
        default=[],
        metavar='ID',
        help='Run these checks only. An unknown id is an error.',
    ),
    cfg.ListOpt(
        'skip',
        default=[],
        metavar='ID',
        help='Leave these checks out; the report names them. An unknown id '
        'is an error.',
    ),
    cfg.StrOpt(
        'format',
        default='table',
        metavar='FORMAT',
        help='The name of the reporter that writes to standard output: '
        'table, json, junit, sarif, markdown, html, or one that an installed '
        'package brings.',
    ),
    cfg.MultiStrOpt(
        'report',
        default=[],
        metavar='FORMAT:PATH',
        help='Write the report to a file as well, in a format of --format. '
        'The file is there whole or not at all.',
    ),
    cfg.StrOpt(
        'waivers',
        metavar='FILE',
        help='A YAML file of findings that may be let pass, each with a '
        'reason, an owner and a last day. They stay in the report and count '
        'for nothing.',
    ),
    cfg.StrOpt(
        'baseline',
        metavar='REPORT',
        help='An earlier report of --format json: only what is not in it, or '
        'weighs more than it did, counts.',
    ),
    cfg.BoolOpt(
        'reproducible',
        default=False,
        help='Leave out of the report when it was made and how long the '
        'checks took, so that the same site gives the same bytes.',
    ),
    cfg.BoolOpt(
        'redact_names',
        default=False,
        help='Replace the names of hosts, projects and shares by host-1, '
        'project-1 and share-1, the same ones in the whole report, to send '
        'it to a vendor. Ids of shares and names of back ends and pools '
        'stay.',
    ),
    cfg.MultiStrOpt(
        'redact_pattern',
        default=[],
        metavar='REGEX',
        help='Mask whatever this regular expression matches in a report or '
        'in a message. Passwords in URLs and the values of secret options '
        'are masked anyway.',
    ),
    cfg.StrOpt(
        'fail_on',
        default='warning',
        choices=[
            ('warning', 'Warnings give 1, failures 2.'),
            ('failure', 'Warnings give 0, failures 2.'),
            ('never', 'Every run that could look gives 0.'),
        ],
        help='The lowest severity that shows in the exit code. What kept the '
        'command from running at all gives 255 whatever stands here.',
    ),
    cfg.StrOpt(
        'manila_status_fail_on',
        default='never',
        choices=[
            ('warning', 'Warnings give 1, failures 2.'),
            ('failure', 'Warnings give 0, failures 2.'),
            ('never', 'Every check gives 0; its details say what it found.'),
        ],
        help='The lowest severity that shows in the results of the checks '
        'that are built into manila-status. Nothing does by default, so that '
        'a deployment whose command line has run manila-status all along '
        'does not stop at it.',
    ),
    cfg.IntOpt(
        'max_listed',
        default=20,
        min=0,
        help='How many objects of one kind, in one state, a database check '
        'lists by id; 0 gives the totals alone, which are exact whatever '
        'stands here.',
    ),
    cfg.ListOpt(
        'other_backends',
        default=[],
        metavar='HOST@BACKEND',
        help='Back ends that other controllers enable, as services and '
        'shares name them: host@backend. One controller does not know the '
        'configuration of another, only whether its services report.',
    ),
    cfg.FloatOpt(
        'check_timeout_seconds',
        default=300.0,
        min=0.1,
        help='How many seconds one check may take before it is given up and '
        'reported as an error.',
    ),
    cfg.IntOpt(
        'statement_timeout_seconds',
        default=60,
        min=1,
        help='How many seconds one statement may take before the database '
        'server ends it.',
    ),
    cfg.BoolOpt(
        'quick',
        default=False,
        help='Read a sample of each large table of the database, not all of '
        'it. What is an estimate then is called one.',
    ),
    cfg.FloatOpt(
        'database_time_seconds',
        default=120.0,
        min=0.1,
        help='How many seconds a check may spend on counting rows. What does '
        'not fit is read in part, and the report says how much of it. At '
        'most 70 percent of check_timeout_seconds are used.',
    ),
    cfg.IntOpt(
        'database_connections',
        default=1,
        min=1,
        max=8,
        help='How many connections a check that counts rows reads with.',
    ),
    cfg.IntOpt(
        'connect_timeout_seconds',
        default=10,
        min=1,
        help='How many seconds to wait for the database server to answer.',
    ),
]


def register(conf: cfg.ConfigOpts) -> None:
    """Register the options that every run needs; doing so twice is fine."""
    conf.register_opts(precheck_opts, group=GROUP)


def settle(conf: cfg.ConfigOpts) -> None:
    """Make sure that every option has a value that can be used.

    :raises UsageError: when a value, wherever it is from, is no good.
    """
    for opt in precheck_opts:
        try:
            value = conf.manila_precheck[opt.dest]
            if isinstance(opt, cfg.MultiStrOpt):
                _join(conf, opt.dest, value)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f'{value} is no number of seconds')
        except (cfg.Error, ValueError) as exc:
            # oslo.config shows where a value is from as its own object.
            words = _LOCATION.sub(r'from \1', ' '.join(str(exc).split()))
            raise exceptions.UsageError(
                f'[{GROUP}] {opt.dest}: {words}'
            ) from exc


def require_known(
    settings: Iterable[ini.Setting], environment: Iterable[str]
) -> None:
    """Make sure that every option of ours that somebody sets is one.

    oslo.config ignores what it does not know. A ``stage`` that is misspelt
    would have the run judge another stage, and nobody would be told.

    :param settings: every assignment in the files.
    :param environment: the names of the variables that there are.
    :raises UnknownName: when one is none of the program, or of a check that
        is installed.
    """
    wanted = [
        (setting.group, setting.name, f'{setting.file}:{setting.line}')
        for setting in settings
        if setting.group.startswith(GROUP)
    ]
    for variable in sorted(environment):
        group, mark, name = variable.lower().partition('__')
        if mark and group.startswith(f'os_{GROUP}'):
            wanted.append((group[len('os_') :], name, variable))
    known = {GROUP: _names(precheck_opts)}
    for group, name, place in wanted:
        if group not in known:
            known[group] = _names_of_check(group)
        if known[group] and name not in known[group]:
            raise exceptions.UnknownName(
                'option', name, known[group], f'see {place}, [{group}]'
            )


def _names(options: Iterable[cfg.Opt]) -> list[str]:
    return [
        name
        for opt in options
        for name in (opt.dest, *(old.name for old in opt.deprecated_opts))
        if name
    ]


def _names_of_check(group: str) -> list[str]:
    """Return the options of a group; none when nobody knows that group."""
    for entry in registry.checks():
        if check.option_group(entry.name) == group:
            loaded = runner.load(entry)
            if isinstance(loaded, check.Check):
                return _names(loaded.opts())
    return []


def _join(conf: cfg.ConfigOpts, dest: str, value: Sequence[str]) -> None:
    """Put together again what the environment says of an option.

    oslo.config 10.2.0 hands a value of the environment to a MultiStrOpt as a
    list of its characters. Several values stand on lines of their own.
    """
    if value and all(len(item) == 1 for item in value):
        lines = ''.join(value).split('\n')
        conf.set_override(dest, [s for s in lines if s], group=GROUP)


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """Return (group, options) of the program and of each check that loads.

    The entry point ``oslo.config.opts`` of the package, for the sample
    configuration file and the configuration reference.
    """
    listed = [(GROUP, copy.deepcopy(precheck_opts))]
    for entry in registry.checks():
        loaded = runner.load(entry)
        if isinstance(loaded, check.Check):
            own = loaded.opts()
            if own:
                listed.append(
                    (check.option_group(entry.name), copy.deepcopy(list(own)))
                )
    return listed
