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

"""The runbook as JSON, for programs.

The schema is package data: ``act/plan/schema/plan-1.json``. Keys may be added
within a schema version; none is renamed, removed or retyped.
"""

from collections.abc import Sequence
import json
from typing import Any
from typing import Optional

from manila_precheck.act.plan import steps
from manila_precheck.act.plan import wording
from manila_precheck.reporters import json_report

SCHEMA_VERSION = 1


def render(plan: steps.Plan) -> str:
    """Return the JSON in ASCII, so that no locale changes its bytes."""
    return json.dumps(_plan(plan), indent=2, allow_nan=False) + '\n'


def _plan(plan: steps.Plan) -> dict[str, Any]:
    return {
        'schema_version': SCHEMA_VERSION,
        'tool': plan.tool._asdict(),
        'source_release': plan.source,
        'target_release': plan.target,
        'verdict': plan.verdict,
        'failures': plan.failures,
        'warnings': plan.warnings,
        'services': plan.manager,
        'created': plan.created,
        'hops': [_hop(hop) for hop in plan.hops],
    }


def _hop(hop: steps.Hop) -> dict[str, Any]:
    total = steps.total(hop)
    return {
        'source_release': hop.source,
        'target_release': hop.target,
        'judged': hop.judged,
        'window': {
            'seconds_min': total.low,
            'seconds_max': total.high,
            'unknown': list(total.unknown),
        },
        'phases': [
            {
                'id': phase.id,
                'title': phase.title,
                'steps': [_step(step) for step in phase.steps],
            }
            for phase in hop.phases
        ],
    }


def _step(step: steps.Step) -> dict[str, Any]:
    return {
        'id': step.id,
        'title': step.title,
        'owner': step.owner,
        'person': None,
        'text': list(step.text),
        'commands': _commands(step.commands),
        'before': list(step.before),
        'after': list(step.after),
        'back': step.back,
        'undo': _commands(step.undo),
        'duration': _duration(step.duration),
        'blanks': [blank._asdict() for blank in step.blanks],
        'no_return': step.no_return,
        'findings': [
            {
                'owner': wording.owner(finding),
                'person': None,
                **json_report.finding_dict(finding),
            }
            for finding in step.findings
        ],
    }


def _commands(commands: Sequence[steps.Command]) -> list[dict[str, Any]]:
    return [
        {
            'text': command.text,
            'hosts': list(command.hosts),
            'any_host': command.any_host,
            'exit_codes': list(command.exit_codes),
        }
        for command in commands
    ]


def _duration(one: Optional[steps.Duration]) -> Optional[dict[str, Any]]:
    if one is None:
        return None
    return {
        'seconds_min': one.low,
        'seconds_max': one.high,
        'basis': one.basis,
    }
