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

"""Who gets in by an override that names a rule which is not there.

And whose requests fail over one that refers to itself: what the target does
with the overrides, and what the source does.
"""

from collections.abc import Collection
from collections.abc import Mapping
import functools
import operator
from typing import NamedTuple
from typing import Optional

from manila_precheck import releases
from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import enforcement
from manila_precheck.checks.policy_rules import flags
from manila_precheck.checks.policy_rules import rule_graph
from manila_precheck.checks.policy_rules import rule_snapshots
from manila_precheck.engine import context
from manila_precheck.evidence.policy import policy_files

Caller = callers.Caller


Pairs = frozenset[tuple[str, Caller]]


class Consequence(NamedTuple):
    """What comes of an override, as pairs of a rule and a caller."""

    rules: frozenset[str] = frozenset()
    """The rules that guard something in the target and need the override."""

    everybody: Pairs = frozenset()
    """Every caller with a token of a project that was tried."""

    before: Pairs = frozenset()
    """Who passes in the source."""

    after: Pairs = frozenset()
    """Who passes in the target."""

    opened: Pairs = frozenset()
    """Who passes in the target only since a rule is not there, and whom it
    would reject without the overrides that lead there."""

    failing_before: Pairs = frozenset()
    """Whose request ends with an error in the source."""

    failing: Pairs = frozenset()
    """Whose request ends with an error in the target."""

    def __or__(self, other: 'Consequence') -> 'Consequence':  # type: ignore[override]
        return Consequence(*map(operator.or_, self, other))


class Consequences:
    """What the overrides do in the two releases, rule by rule.

    :param rules: the overrides, by name.
    :param suspects: those to ask about.
    """

    def __init__(
        self,
        ctx: context.Context,
        rules: Mapping[str, policy_files.Rule],
        suspects: Collection[str],
    ) -> None:
        self._ctx = ctx
        self._rules = rules
        self._suspects = suspects

    def of(self, name: str) -> Optional[Consequence]:
        """Return what comes of one; None where there is too much to try."""
        if self._tried is None:
            return None
        return functools.reduce(
            operator.or_,
            (self._tried[guard] for guard in self._led_by(name)),
            Consequence(),
        )

    def _led_by(self, name: str) -> list[str]:
        """Return the rules of the target that guard something and need one."""
        bits = self._needed_by[name]
        return [one for n, one in enumerate(self._guards) if bits >> n & 1]

    @functools.cached_property
    def _after(self) -> enforcement.Enforcement:
        return self._enforcement(self._ctx.upgrade.target, self._rules)

    @functools.cached_property
    def _before(self) -> enforcement.Enforcement:
        return self._enforcement(self._ctx.upgrade.source, self._rules)

    @functools.cached_property
    def _without(self) -> enforcement.Enforcement:
        """The target, with those overrides that lead to no suspect."""
        graph = self._after.graph
        own = {name: int(name in self._suspects) for name in graph}
        led = rule_graph.behind(graph, own)
        sound = {n: rule for n, rule in self._rules.items() if not led[n]}
        return self._enforcement(self._ctx.upgrade.target, sound)

    def _enforcement(
        self,
        release: releases.Release,
        overridden: Mapping[str, policy_files.Rule],
    ) -> enforcement.Enforcement:
        return enforcement.Enforcement(
            rule_snapshots.in_force(
                self._ctx,
                release,
                overridden,
                flags.enforce_scope(self._ctx, release).value,
                flags.enforce_new_defaults(self._ctx, release).value,
            )
        )

    @functools.cached_property
    def _guards(self) -> list[str]:
        registered = self._ctx.catalog.policies(self._ctx.upgrade.target)
        return [name for name in registered if rule_snapshots.guards(name)]

    @functools.cached_property
    def _needed_by(self) -> dict[str, int]:
        """The guards that lead to each rule, as bits."""
        back: dict[str, set[str]] = {name: set() for name in self._after.graph}
        for name, named in self._after.graph.items():
            for other in named & back.keys():
                back[other].add(name)
        own = dict.fromkeys(back, 0)
        own.update((name, 1 << n) for n, name in enumerate(self._guards))
        return rule_graph.behind(back, own)

    @functools.cached_property
    def _tried(self) -> Optional[dict[str, Consequence]]:
        """What each guard does that leads to a suspect; None: too much."""
        names = dict.fromkeys(
            guard for name in self._suspects for guard in self._led_by(name)
        )
        sides = (self._before, self._after, self._without)
        reaches = {
            name: functools.reduce(
                operator.or_,
                (
                    side.reach(name)
                    for side in sides
                    if name in side.rules.rules
                ),
            )
            for name in names
        }
        try:
            tried = callers.make(
                {name: rule.check for name, rule in self._rules.items()},
                frozenset().union(*(side.answers for side in sides)),
                reaches.values(),
            )
        except callers.TooManyError:
            return None
        found: dict[str, Consequence] = {}
        total = 0
        for name, reach in reaches.items():
            alike: dict[tuple[object, ...], list[Caller]] = {}
            for caller in tried:
                alike.setdefault(reach.part(caller), []).append(caller)
            pairs: list[set[tuple[str, Caller]]] = [set() for _ in range(6)]
            for people in alike.values():
                for one, holds in zip(pairs, self._try(name, people[0])):
                    if holds:
                        one.update((name, caller) for caller in people)
            pairs[0] = {
                pair for pair in pairs[0] if pair[1].scope == 'project'
            }
            total += sum(map(len, pairs))
            steps = sum(side.steps for side in sides)
            if (
                total > rule_snapshots.MAX_CHANGES
                or steps > rule_snapshots.MAX_STEPS
            ):
                return None
            found[name] = Consequence(
                frozenset({name}), *map(frozenset, pairs)
            )
        return found

    def _try(self, name: str, caller: Caller) -> tuple[bool, ...]:
        """Return what holds for a caller, as the fields of a consequence."""
        before: Optional[bool] = False
        if name in self._ctx.catalog.policies(self._ctx.upgrade.source):
            before = self._before.answer(name, caller)
        after = self._after.answer(name, caller)
        opened = (
            bool(after)
            and not self._after.answer(name, caller, strict=True)
            and not self._without.allows(name, caller)
        )
        return (
            True,
            bool(before),
            bool(after),
            opened,
            before is None,
            after is None,
        )
