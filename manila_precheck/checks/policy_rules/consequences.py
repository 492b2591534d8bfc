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

"""The callers whom an override admits that refers to an undefined rule.

Also the callers whose requests fail because a rule refers to itself: with the
overrides in the target, and in the source.
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
    """The effects of an override, as pairs of a rule and a caller."""

    rules: frozenset[str] = frozenset()
    """The rules that the target enforces and that need the override."""

    everybody: Pairs = frozenset()
    """All callers with a token of a project that were tried."""

    before: Pairs = frozenset()
    """The callers that pass in the source."""

    after: Pairs = frozenset()
    """The callers that pass in the target."""

    opened: Pairs = frozenset()
    """The callers that pass in the target only because a rule is undefined,
    and that would be rejected without the overrides that lead to it."""

    failing_before: Pairs = frozenset()
    """The callers whose requests fail in the source."""

    failing: Pairs = frozenset()
    """The callers whose requests fail in the target."""

    def __or__(self, other: 'Consequence') -> 'Consequence':  # type: ignore[override]
        return Consequence(*map(operator.or_, self, other))


class Consequences:
    """What the overrides do in the two releases, rule by rule.

    :param rules: the overrides, by name.
    :param suspects: the names of the overrides to judge.
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
        """Return the effects of an override; None if too much is to try."""
        if self._tried is None:
            return None
        return functools.reduce(
            operator.or_,
            (self._tried[guard] for guard in self._led_by(name)),
            Consequence(),
        )

    def _led_by(self, name: str) -> list[str]:
        """Return the rules that the target enforces and that need a rule."""
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
        """The target with only the overrides that do not need a suspect."""
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
        """The guards that need each rule, as bits."""
        back: dict[str, set[str]] = {name: set() for name in self._after.graph}
        for name, named in self._after.graph.items():
            for other in named & back.keys():
                back[other].add(name)
        own = dict.fromkeys(back, 0)
        own.update((name, 1 << n) for n, name in enumerate(self._guards))
        return rule_graph.behind(back, own)

    @functools.cached_property
    def _tried(self) -> Optional[dict[str, Consequence]]:
        """The effects by guard that needs a suspect; None if too many."""
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
        """Return what is true for a caller, like the fields of Consequence."""
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
