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

"""The rules in force before and after an upgrade, and who passes."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import enum
import functools
import operator
from typing import Any
from typing import NamedTuple

from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import check_trees
from manila_precheck.checks.policy_rules import enforcement
from manila_precheck.checks.policy_rules import flags
from manila_precheck.engine import context
from manila_precheck.evidence.policy import check_strings
from manila_precheck.evidence.policy import policy_files

#: The most checks that are evaluated, and the most changes that are reported.
MAX_STEPS = 20_000_000
MAX_CHANGES = 1_000_000


class Cause(str, enum.Enum):
    """The cause of a change."""

    SCOPE = 'enforce_scope'
    NEW_DEFAULTS = 'enforce_new_defaults'
    # A different default, or a policy file that the target does not read.
    RELEASE = 'release'


class AccessChange(NamedTuple):
    """One caller that passes one rule on one side only."""

    rule: str
    caller: callers.Caller
    opened: bool
    cause: Cause


def overrides(
    ctx: context.Context, release: releases.Release
) -> dict[str, policy_files.Rule]:
    """Return the overrides in the files that a release reads, by rule."""
    files = ctx.policy.of(release)
    return policy_files.effective(
        files.in_force(policy_files.falls_back(release))
    )


class RuleSnapshots:
    """The rules in force, in steps from the source to the target.

    The steps are the scope, the older defaults, and everything else. The step
    at which the answer for a caller changes is the cause.
    """

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        source, target = ctx.upgrade.source, ctx.upgrade.target
        scope = [flags.enforce_scope(ctx, r).value for r in (source, target)]
        new = [
            flags.enforce_new_defaults(ctx, r).value for r in (source, target)
        ]
        self._before = self._rules(source, scope[0], new[0])
        self._steps = (
            (Cause.SCOPE, self._rules(source, scope[1], new[0])),
            (Cause.NEW_DEFAULTS, self._rules(source, scope[1], new[1])),
            (Cause.RELEASE, self._rules(target, scope[1], new[1])),
        )

    @property
    def judged(self) -> tuple[str, ...]:
        """The rules that both releases enforce.

        A rule in a file that a release does not register is not enforced.
        """
        facts, upgrade = self._ctx.catalog, self._ctx.upgrade
        after = facts.policies(upgrade.target)
        return tuple(
            name
            for name in facts.policies(upgrade.source)
            if name in after and guards(name)
        )

    def changes(self) -> Iterator[AccessChange]:
        """Yield the callers that pass either before or after, not both."""
        if not (self._is_usable() and self._may_differ()):
            return
        made = list(self._made())
        unlike = made[0].unlike(made[-1])
        judged = [name for name in self.judged if name in unlike]
        if not judged:
            return
        reached = functools.lru_cache(maxsize=None)(
            lambda name: functools.reduce(
                operator.or_, (one.reach(name) for one in made)
            )
        )
        try:
            tried = callers.make(
                self._checks(),
                made[0].answers | made[-1].answers,
                (reached(name) for name in judged),
            )
        except callers.TooManyError:
            raise self._too_many(
                f'{callers.MAX_CALLERS} callers to try'
            ) from None
        # {what can affect a rule: {the key of callers alike: their places}}:
        # few rules distinguish more than a handful of callers.
        alike: dict[callers.Reach, dict[tuple[Any, ...], list[int]]] = {}
        total = 0
        for name in judged:
            reach = reached(name)
            if reach not in alike:
                parts = alike[reach] = {}
                for place, caller in enumerate(tried):
                    parts.setdefault(reach.part(caller), []).append(place)
            found: list[tuple[int, bool, Cause]] = []
            for places in alike[reach].values():
                caller = tried[places[0]]
                answers = [one.allows(name, caller) for one in made]
                if answers[0] != answers[-1]:
                    turned = max(
                        step
                        for step in range(1, len(answers))
                        if answers[step] != answers[step - 1]
                    )
                    cause = self._steps[turned - 1][0]
                    found += ((place, answers[-1], cause) for place in places)
                steps = sum(one.steps for one in dict.fromkeys(made))
                if steps > MAX_STEPS:
                    raise self._too_many(f'{MAX_STEPS} checks to try')
            total += len(found)
            if total > MAX_CHANGES:
                raise self._too_many(f'{MAX_CHANGES} changes to report')
            for place, opened, cause in sorted(found):
                yield AccessChange(name, tried[place], opened, cause)

    def _too_many(self, what: str) -> exceptions.SourceUnusable:
        files = ' and '.join(document.path for document in self._files())
        return exceptions.SourceUnusable(
            f'{files}: who gains or loses access was not checked: there are '
            f'more than {what}'
        )

    def _made(self) -> Iterator[enforcement.Enforcement]:
        """Yield the enforcement of each step; equal steps share one."""
        last = enforcement.Enforcement(self._before)
        yield last
        for _cause, rules in self._steps:
            if rules != last.rules:
                last = enforcement.Enforcement(rules)
            yield last

    def all_pass(self, rules: Iterable[str], role: str) -> bool:
        """Say whether a user of a project with one role passes all rules."""
        names = frozenset({role})
        caller = callers.Caller(names, callers.token_roles(names))
        return all(self._after.allows(name, caller) for name in rules)

    @functools.cached_property
    def _after(self) -> enforcement.Enforcement:
        return enforcement.Enforcement(self._steps[-1][1])

    def _checks(self) -> dict[str, object]:
        """Return the checks in the files that one of the releases reads."""
        checks: dict[str, object] = {}
        for release in (self._ctx.upgrade.source, self._ctx.upgrade.target):
            for name, rule in overrides(self._ctx, release).items():
                checks[name] = rule.check
        return checks

    def _files(self) -> tuple[policy_files.PolicyFile, ...]:
        """Return every file that one of the releases may read."""
        upgrade = self._ctx.upgrade
        found = {
            document.path: document
            for release in (upgrade.source, upgrade.target)
            for document in self._ctx.policy.of(release).in_force(True)
        }
        return tuple(found.values())

    def _is_usable(self) -> bool:
        """Say whether both releases can read all files; else requests fail."""
        files = self._files()
        # JSON with tabs, for example, is not YAML; a release that falls back
        # to JSON can read it.
        as_json = policy_files.falls_back(self._ctx.upgrade.target)
        return not any(
            (
                document.problem is not None
                and not (document.is_json and as_json)
            )
            or not all(
                check_strings.parse(rule.check).usable
                for rule in document.rules
            )
            for document in files
        )

    def _may_differ(self) -> bool:
        """Say whether anything can differ; a new rule is no difference."""
        last = self._steps[-1][1]
        if self._files():
            return self._before != last
        return self._before._replace(rules={}) != last._replace(
            rules={}
        ) or any(
            rule != last.rules.get(name)
            for name, rule in self._before.rules.items()
        )

    def _rules(
        self, release: releases.Release, scope: bool, new_defaults: bool
    ) -> enforcement.EnforcedRules:
        found = overrides(self._ctx, release)
        return in_force(self._ctx, release, found, scope, new_defaults)


def in_force(
    ctx: context.Context,
    release: releases.Release,
    overridden: Mapping[str, policy_files.Rule],
    scope: bool,
    new_defaults: bool,
) -> enforcement.EnforcedRules:
    """Return the rules of a release with some overrides."""
    rules = {
        name: enforcement.EnforcedRule(
            facts.checks(new_defaults), facts.scope_types
        )
        for name, facts in ctx.catalog.policies(release).items()
    }
    for name, rule in overridden.items():
        scopes = rules[name].scopes if name in rules else ()
        checks = (_as_read(rule.check, release),)
        rules[name] = enforcement.EnforcedRule(checks, scopes)
    default = ctx.policy.of(release).default_rule
    return enforcement.EnforcedRules(rules, default, scope)


def guards(name: str) -> bool:
    """Say whether a registered rule decides about requests."""
    return ':' in name or name.startswith('context_is')


def _as_read(check: Any, release: releases.Release) -> Any:
    """Return the check of a file as a release reads it."""
    if check_strings.is_lone_token(check) and not behaviours.has(
        'policy-lone-token-refused', release
    ):
        return check_trees.FAILING
    return check
