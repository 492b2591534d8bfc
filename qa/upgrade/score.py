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

"""Score predictions against what really happened."""

import collections
import dataclasses
import enum
import fnmatch
from typing import Optional


class Level(enum.IntEnum):
    """How bad it really was; a higher value deserves a higher severity."""

    NOTHING = 0
    #: The service starts, but a setting, a right or an object has changed.
    CHANGED = 1
    #: A service does not start or does not answer, the migration of the
    #: database fails, work is lost, or somebody gains access.
    BROKEN = 2


#: The level that each severity promises.
PROMISED = {
    'info': Level.NOTHING,
    'warning': Level.CHANGED,
    'failure': Level.BROKEN,
}


@dataclasses.dataclass(frozen=True)
class Observed:
    """What was observed of a real service."""

    level: Level
    words: str
    #: The options that it logged as deprecated: 'group/name'.
    logged: frozenset = frozenset()


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of one scenario on one path."""

    path: str
    scenario: str
    #: The expected findings, and no others: [(severity, pattern of keys)].
    expected: tuple
    #: The findings above INFO: {key: severity}.
    predicted: dict
    #: None when nothing was observed.
    observed: Optional[Observed]
    #: The findings that remain after the remediation; None when not tried.
    left: Optional[dict] = None
    #: What was observed after the remediation.
    after: Optional[Observed] = None
    #: How the remediation was done: 'as printed', 'by hand', ...
    how: str = ''
    #: The commands of remediations that a real parser refused.
    refused: tuple = ()
    #: The options with a finding of any severity that they are renamed or
    #: deprecated: 'group/name'.
    announced: frozenset = frozenset()
    #: The failures of a rehearsal: {key: key of the finding that foretold it,
    #: or None}; None when nothing was rehearsed.
    rehearsed: Optional[dict] = None

    @property
    def found_by(self):
        """Who found what breaks.

        :returns: 'both', 'prediction', 'rehearsal' or 'neither'; None when
            nothing breaks or nothing was rehearsed.
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
        """The failures of the rehearsal that no finding foretold."""
        return [
            key for key, by in (self.rehearsed or {}).items() if by is None
        ]

    @property
    def is_false_alarm(self):
        """Whether the rehearsal failed although nothing really breaks."""
        return bool(self.rehearsed) and (
            self.observed.level is not Level.BROKEN
        )

    def matches(self, key, severity):
        """Return whether a finding is expected."""
        return any(
            severity == wanted and fnmatch.fnmatchcase(key, pattern)
            for wanted, pattern in self.expected
        )

    @property
    def wrong(self):
        """The findings that are not expected, or are too severe.

        A finding that is less severe than what happens is not wrong: another
        one may say the rest.
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
        """The options logged as deprecated that no finding mentions."""
        return self.observed.logged - self.announced

    @property
    def right(self):
        """How many of the findings are not wrong."""
        return len(self.predicted) - len(self.wrong)

    @property
    def is_missed(self):
        """Whether something happened that no finding is severe enough for."""
        if self.unannounced:
            return True
        promised = [PROMISED[severity] for severity in self.predicted.values()]
        return self.observed.level > max(promised, default=Level.NOTHING)

    @property
    def is_remedied(self):
        """Whether everything went well after the remediation."""
        if self.left is None:
            return True
        return (
            not self.left
            and not self.refused
            and (self.after is None or self.after.level is Level.NOTHING)
        )

    @property
    def passed(self):
        """Whether the scenario passed in every respect."""
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
    """The score of several results."""

    scenarios: int
    happened: int
    foretold: int
    findings: int
    right: int
    remedied: int
    with_remedy: int
    #: Who found what breaks, of the rehearsed results:
    #: {'both': 3, 'prediction': 1, ...}.
    found_by: dict

    @property
    def recall(self):
        """The part of what happened that was foretold; 1 if nothing did."""
        return self.foretold / self.happened if self.happened else 1.0

    @property
    def precision(self):
        """The part of the findings that was right; 1 without findings."""
        return self.right / self.findings if self.findings else 1.0


def total(scores):
    """Return the score over all that some are over."""
    found = collections.Counter()
    by = collections.Counter()
    for one in scores:
        by.update(one.found_by)
        found.update({k: v for k, v in vars(one).items() if k != 'found_by'})
    return Score(**found, found_by=dict(by))


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
