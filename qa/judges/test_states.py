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
"""Compare the table of states with the constants of real releases."""

import json
import pathlib
import subprocess

import ddt
import testtools

from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.catalog import history
from manila_precheck.checks.in_flight_operations import states
from manila_precheck.evidence.database import migrations
from manila_precheck.tests import venvs

_PROGRAM = """
import json
from manila.common import constants
print(json.dumps({
    'named': {
        name: value
        for name, value in vars(constants).items()
        if isinstance(value, str) and name.startswith(
            ('STATUS_', 'ACCESS_STATE_', 'TASK_STATE_', 'SHARE_INSTANCE_')
        )
    },
    'transitional': constants.TRANSITIONAL_STATUSES,
    'busy': constants.BUSY_TASK_STATES,
    'copying': constants.BUSY_COPYING_STATES,
    'rules': constants.ACCESS_RULES_STATES,
    'protocols': constants.SUPPORTED_SHARE_PROTOCOLS,
    'shares': constants.SHARE_STATUSES
    if hasattr(constants, 'SHARE_STATUSES') else [],
}))
"""

# From 2023.1 on: older releases need a Python that is no longer available.
_MAJORS = [
    release.major
    for release in releases.RELEASES
    if release >= releases.parse('2023.1')
]

# States in which a resource stays: no operation is under way.
AT_REST = {
    'active',
    'available',
    'backup_restoring_error',
    'data_copying_cancelled',
    'data_copying_error',
    'deleted',
    'disabled',
    'enabled',
    'error',
    # A periodic task retries these without limit.
    'error_deferred_deleting',
    'error_deleting',
    'extending_error',
    'inactive',
    'manage_error',
    'manage_error_unmanage_starting',
    'migration_cancelled',
    'migration_error',
    'migration_success',
    'new',
    # A state of replicas: manila-share polls them until they are active.
    'out_of_sync',
    'reverting_error',
    'shrinking_error',
    'shrinking_possible_data_loss_error',
    'unmanage_error',
    'unmanaged',
}

# States that are no constant of manila, or have another name there.
NOT_NAMED = {'open'}


def constants(major):
    """Return the names of the states in a real release."""
    if not venvs.DIRECTORY:
        raise testtools.TestCase.skipException(venvs.NOT_SET)
    python = pathlib.Path(venvs.DIRECTORY, f'm{major}', 'bin/python')
    if not python.exists():
        raise testtools.TestCase.skipException(
            f'{venvs.VARIABLE} names no environment of manila {major}'
        )
    done = subprocess.run(
        [str(python), '-c', _PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


def values(major, *kinds):
    """Return the values in the table for a release; None: for all."""
    begins = {
        row.subject: row.releases
        for row in behaviours.load().rows['new-state']
    }
    return {
        state.value
        for kind in kinds or states.KINDS
        for state in kind.states
        if major is None
        or history.holds(
            begins.get(f'{kind.name} {state.value}', '12-'), major
        )
    }


@ddt.ddt
class StatesTest(testtools.TestCase):
    @ddt.data(*_MAJORS)
    def test_every_constant_is_known(self, major):
        named = set(constants(major)['named'].values())
        known = values(major) | set(migrations.STATES)
        self.assertEqual(set(), named - known - AT_REST)
        self.assertEqual(set(), known & AT_REST)

    @ddt.data(*_MAJORS)
    def test_every_state_is_a_constant_since_its_release(self, major):
        named = set(constants(major)['named'].values()) | NOT_NAMED
        # The mark of a service is a flag, not a status.
        of_a_status = [k for k in states.KINDS if k is not states.SERVICE]
        self.assertEqual(set(), values(major, *of_a_status) - named)
        later = values(None, *of_a_status) - values(major, *of_a_status)
        self.assertEqual(set(), later & named)

    @ddt.data(*_MAJORS)
    def test_manilas_own_lists(self, major):
        found = constants(major)
        instances = values(major, states.SHARE_INSTANCE)
        self.assertEqual(set(), set(found['transitional']) - instances)
        self.assertEqual(
            set(found['busy']) | {'migration_cancel_in_progress'},
            set(migrations.STATES),
        )
        self.assertEqual(
            set(found['copying']),
            {
                state
                for state, phase in migrations.STATES.items()
                if phase is migrations.MigrationPhase.COPY
            },
        )
        self.assertEqual(
            set(found['rules']) - AT_REST, values(major, states.ACCESS_RULE)
        )
        self.assertEqual(set(), set(found['shares']) - instances - AT_REST)

    @ddt.data(*_MAJORS)
    def test_the_share_protocols(self, major):
        self.assertEqual(
            constants(major)['protocols'],
            list(
                behaviours.load().subjects(
                    'share-protocol', releases.from_major(major)
                )
            ),
        )
