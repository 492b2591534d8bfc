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

import copy

from oslo_config import cfg

from manila_precheck import check
from manila_precheck import model
from manila_precheck import registry
from manila_precheck import runner

GROUP = 'manila_precheck'

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
        'table, json, or one that an installed package brings.',
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
    cfg.IntOpt(
        'max_findings',
        default=20,
        min=1,
        help='How many objects of one kind a database check lists by id. The '
        'totals are exact whatever stands here.',
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
