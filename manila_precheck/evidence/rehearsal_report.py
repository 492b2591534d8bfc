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
"""The report of an earlier ``upgrade rehearse``."""

import json
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.files import text_file

# The same limit as for waivers and for the report of a baseline.
_MAX_BYTES = 2**26

# The prefix of the ids of its phases.
_OF_PHASE = 'rehearse-'


class Rehearsed(NamedTuple):
    """The contents of such a report."""

    path: str
    source: str
    """The release: '2025.1'."""

    target: str
    created: Optional[str]
    """Its date in UTC; None in a reproducible report."""

    dump_sha256: str
    """The digest of the backup."""

    proven: bool
    """Whether the backup was restored and holds what it should."""

    problems: tuple[str, ...]
    """The failures of its phases that affect the result, in order."""

    dialect: str
    probe_seconds: Optional[float]
    phases: tuple[model.PhaseTimes, ...]
    """The phases, without their statements."""

    def phase(self, name: str) -> Optional[model.PhaseTimes]:
        """Return the times of 'sync', 'purge' or 'restore'; None: missing."""
        for one in self.phases:
            if one.phase == name:
                return one
        return None


def read(path: str) -> Rehearsed:
    """Read a report of ``--format json``.

    :raises SourceUnusable: when it cannot be read, or is another file.
    """
    text = text_file.read_text(path, _MAX_BYTES).text
    try:
        report = json.loads(text)
        done = report['rehearsal']
        if done is not None:
            return _read(path, report, done)
        why = 'it is a report of another command'
    except RecursionError:
        why = 'it is too deeply nested'
    except (ValueError, TypeError, LookupError):
        why = 'it is no report of --format json'
    raise exceptions.SourceUnusable(
        f'{path} is no report of "upgrade rehearse": {why}'
    )


def _read(path: str, report: Any, done: Any) -> Rehearsed:
    dump = report['database']['dump']
    return Rehearsed(
        path,
        _text(report['source_release']),
        _text(report['target_release']),
        None if report['created'] is None else _text(report['created']),
        _text(dump['sha256']),
        done['proven'] is True,
        tuple(
            _text(finding['message'])
            for one in report['checks']
            if _text(one['id']).startswith(_OF_PHASE)
            for finding in one['findings']
            if finding['severity'] == 'failure' and finding['counts']
        ),
        _text(report['database']['dialect']),
        _number_or_none(done['probe_seconds']),
        tuple(
            model.PhaseTimes(
                _text(one['phase']),
                _number(one['seconds']),
                (),
                one['whole'] is True,
                _number_or_none(one.get('start_seconds')),
            )
            for one in done['phases']
        ),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    # Python's JSON has NaN, too.
    if not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise TypeError
    return float(value)


def _number_or_none(value: Any) -> Optional[float]:
    return None if value is None else _number(value)
