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

"""Parse the commands of remediations with the programs' real parsers.

``manila-manage`` of each release, and the ``openstack`` command with
python-manilaclient, are asked whether they accept the words. No command is
carried out.
"""

import json
import shlex

from manila_precheck import model
from manila_precheck.act.plan import runbook
from manila_precheck.checks.in_flight_operations import states
from qa.upgrade import processes

_ID = '4f1c7a52-0b7e-4c1e-9d7b-1d2a5a3c9e00'

# Commands that checks may print; those that a run prints are parsed as well.
_FIXED = (
    'manila-manage db sync',
    'manila-manage db purge 30',
    'manila-manage service cleanup',
    'manila-manage service list',
    'manila-manage share update_host --currenthost a@b --newhost c@d',
    f'openstack share migration complete {_ID}',
    f'openstack share migration cancel {_ID}',
    f'openstack share migration show {_ID}',
    f'openstack share server migration complete {_ID}',
    f'openstack share server migration cancel {_ID}',
    f'openstack share server migration show {_ID}',
    f'openstack share set --task-state migration_error {_ID}',
    f'openstack share instance set --status available {_ID}',
    f'openstack share server set --status active --task-state '
    f'migration_error {_ID}',
    'openstack share service set --enable ctl1@a manila-share',
    'openstack share service list --host ctl1@a --binary manila-share',
    'openstack share list --all-projects --host ctl1@a',
    f'openstack share transfer delete {_ID}',
    f'openstack share access list {_ID}',
    f'openstack share access delete {_ID} {_ID}',
    f'openstack share snapshot access list {_ID}',
    f'openstack share snapshot access delete {_ID} {_ID}',
    f'openstack share replica set --status available {_ID}',
    f'openstack share replica set --status error {_ID}',
)

# Reads lines of words, and prints those that were refused.
_MANAGE = """\
import contextlib, io, json, sys
commands = json.load(sys.stdin)
sys.argv[1:] = []
from oslo_config import cfg
from manila.cmd import manage
manage.CONF.register_cli_opt(manage.category_opt)
refused = {}
for number, words in enumerate(commands):
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            manage.CONF(words, project='manila', default_config_files=[],
                        default_config_dirs=[])
        getattr(manage.CONF.category, 'action_fn')
    except (SystemExit, cfg.Error, AttributeError) as exc:
        refused[number] = told.getvalue()[-300:] or str(exc)
print(json.dumps(refused))
"""

_OPENSTACK = """\
import contextlib, io, json, sys, types
from cliff import commandmanager
commands = json.load(sys.stdin)
manager = commandmanager.CommandManager('openstack.share.v2')
manager.add_command_group('openstack.identity.v3')
app = types.SimpleNamespace(command_manager=manager)
refused = {}
for number, words in enumerate(commands):
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            factory, name, rest = manager.find_command(words)
            factory(app, None, name).get_parser(name).parse_args(rest)
    except (SystemExit, ValueError) as exc:
        refused[number] = told.getvalue()[-300:] or str(exc)
print(json.dumps(refused))
"""


def known():
    """Return the commands of checks and runbooks, with ids filled in."""
    found = [*_FIXED, *runbook.COMMANDS]
    for kind in states.KINDS:
        for state in kind.states:
            if state.reset and kind.command:
                found.append(
                    model.command(kind.command, state.reset, _ID).text
                )
    return sorted(set(found))


def refused(environments, release, commands):
    """Return the commands that are refused, and why.

    :param release: the release of the manila-manage that parses them.
    """
    split = [shlex.split(text) for text in commands]
    found = []
    for program, python, script in (
        (
            'manila-manage',
            environments.program(release, 'python'),
            _MANAGE,
        ),
        ('openstack', environments.clients / 'bin' / 'python', _OPENSTACK),
    ):
        mine = [words[1:] for words in split if words[0] == program]
        done = processes.must([python, '-c', script], data=json.dumps(mine))
        answer = json.loads(done.stdout.splitlines()[-1])
        found += [
            f'{program} {shlex.join(mine[int(number)])}: '
            + ' '.join(why.split())
            for number, why in answer.items()
        ]
    return found
