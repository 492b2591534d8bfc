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

"""What was predicted, against what happened."""

import collections
import dataclasses
import enum
import fnmatch
from typing import Optional


class Level(enum.IntEnum):
    """How much really happened; by value the severity that it deserves."""

    NOTHING = 0
    #: It starts, but a setting, a right or an object is not as it was.
    CHANGED = 1
    #: A service does not start or answers nobody, the migration of the
    #: database fails, work is lost, or access opens.
    BROKEN = 2


#: The level that each severity promises.
PROMISED = {
    'info': Level.NOTHING,
    'warning': Level.CHANGED,
    'failure': Level.BROKEN,
}


@dataclasses.dataclass(frozen=True)
class Observed:
    """What a real service did."""

    level: Level
    words: str
    #: 'group/name' of each option that it logged as deprecated.
    logged: frozenset = frozenset()


@dataclasses.dataclass(frozen=True)
class Result:
    """One scenario on one path."""

    path: str
    scenario: str
    #: [(severity, pattern of keys)] that have to be said, and no other.
    expected: tuple
    #: {key: severity} of what was said above a note.
    predicted: dict
    #: None where nothing was looked at.
    observed: Optional[Observed]
    #: What is still said after the remediation; None when not tried.
    left: Optional[dict] = None
    #: What happens after the remediation.
    after: Optional[Observed] = None
    #: How the remediation was done: 'as printed', 'by hand', ...
    how: str = ''
    #: What of a remediation a real parser refused.
    refused: tuple = ()
    #: 'group/name' of each option that was said to have another name, or to
    #: be deprecated, however loud.
    announced: frozenset = frozenset()
    #: {key: key of the finding that has foretold it, or None} of what fails
    #: in a rehearsal; None when there was none.
    rehearsed: Optional[dict] = None

    @property
    def found_by(self):
        """Who finds what breaks; None where nothing does, or none rehearsed.

        :returns: 'both', 'prediction', 'rehearsal' or 'neither'.
        """
        if self.rehearsed is None or self.observed.level is not Level.BROKEN:
            return None
        foretold = Level.BROKEN in map(
            PROMISED.__getitem__, self.predicted.values()
        )
        return {
            (True, True): 'both',
            (True, False): 'prediction',
            (False, True): 'rehearsal',
            (False, False): 'neither',
        }[foretold, bool(self.rehearsed)]

    @property
    def unforetold(self):
        """What fails in the rehearsal, and no finding on the copy says."""
        return [
            key for key, by in (self.rehearsed or {}).items() if by is None
        ]

    @property
    def is_false_alarm(self):
        """Whether the rehearsal fails where nothing really breaks."""
        return bool(self.rehearsed) and (
            self.observed.level is not Level.BROKEN
        )

    def matches(self, key, severity):
        """Return whether a finding is one of those expected."""
        return any(
            severity == wanted and fnmatch.fnmatchcase(key, pattern)
            for wanted, pattern in self.expected
        )

    @property
    def wrong(self):
        """The findings that nobody expects, or that promise too much.

        One that says less than what happens is none: others may be there to
        say the rest.
        """
        return {
            key: severity
            for key, severity in self.predicted.items()
            if not self.matches(key, severity)
            or PROMISED[severity] > self.observed.level
        }

    @property
    def missing(self):
        """The expected findings that were not made."""
        return [
            (wanted, pattern)
            for wanted, pattern in self.expected
            if not any(
                severity == wanted and fnmatch.fnmatchcase(key, pattern)
                for key, severity in self.predicted.items()
            )
        ]

    @property
    def unannounced(self):
        """The options that a service logs as deprecated, and nobody said."""
        return self.observed.logged - self.announced

    @property
    def right(self):
        """How many findings are neither wrong nor missing."""
        return len(self.predicted) - len(self.wrong)

    @property
    def is_missed(self):
        """Whether something happened that no finding promises."""
        if self.unannounced:
            return True
        promised = [PROMISED[severity] for severity in self.predicted.values()]
        return self.observed.level > max(promised, default=Level.NOTHING)

    @property
    def is_remedied(self):
        """Whether it all went well after the remediation."""
        if self.left is None:
            return True
        return (
            not self.left
            and not self.refused
            and (self.after is None or self.after.level is Level.NOTHING)
        )

    @property
    def passed(self):
        """Whether all of it is as it has to be."""
        return not (
            self.wrong
            or self.missing
            or self.unforetold
            or self.is_false_alarm
            or self.is_missed
            or not self.is_remedied
        )


@dataclasses.dataclass(frozen=True)
class Score:
    """Over some results."""

    scenarios: int
    happened: int
    foretold: int
    findings: int
    right: int
    remedied: int
    with_remedy: int
    #: {'both': 3, 'prediction': 1, ...}, of what breaks and was rehearsed.
    found_by: dict

    @property
    def recall(self):
        """Of what happened, the part that was foretold; 1 of nothing."""
        return self.foretold / self.happened if self.happened else 1.0

    @property
    def precision(self):
        """Of what was said, the part that was right; 1 of nothing."""
        return self.right / self.findings if self.findings else 1.0


def score(results):
    """Count results."""
    results = list(results)
    happened = [
        one
        for one in results
        if one.observed.level > Level.NOTHING
        or one.observed.logged
        or one.expected
    ]
    return Score(
        scenarios=len(results),
        happened=len(happened),
        foretold=sum(
            not one.is_missed and not one.missing for one in happened
        ),
        findings=sum(len(one.predicted) for one in results),
        right=sum(one.right for one in results),
        remedied=sum(
            one.is_remedied for one in results if one.left is not None
        ),
        with_remedy=sum(one.left is not None for one in results),
        found_by=dict(
            collections.Counter(
                one.found_by for one in results if one.found_by
            )
        ),
    )
