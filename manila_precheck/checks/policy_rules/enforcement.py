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

"""Evaluates rules with the check classes of oslo.policy.

This replaces the enforcer of oslo.policy for a release that is not installed:
the fallback to the default rule, the older default that applies in addition to
the new one, the scope of the token, and is_admin as manila computes it (manila
22.0.0 engine/context.py, policy.py check_is_admin()).
"""

from collections.abc import Mapping
import functools
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import check_trees
from manila_precheck.checks.policy_rules import rule_graph
from manila_precheck.evidence.policy import check_strings

Caller = callers.Caller
Reach = callers.Reach

#: The rule that makes a caller an administrator of manila.
ADMIN_RULE = 'context_is_admin'


class EnforcedRule(NamedTuple):
    """One rule that is in force in a release."""

    checks: tuple[Any, ...]
    """The checks, of which one must pass."""

    scopes: tuple[str, ...] = ()
    """The scopes of the tokens that it accepts; empty: any."""


class EnforcedRules(NamedTuple):
    """All rules and options that decide; equal ones decide alike."""

    rules: Mapping[str, EnforcedRule]
    """The rules by name, including base rules."""

    default_rule: str
    """The rule that applies instead of one that is not defined."""

    enforce_scope: bool
    """Whether a token of another scope is rejected."""


class _Trees(dict[str, Any]):
    """The trees of the rules; the default rule replaces a missing one."""

    def __init__(self, found: Mapping[str, Any], default_rule: str) -> None:
        super().__init__(found)
        self._default = default_rule

    def __missing__(self, name: str) -> Any:
        if self._default not in self:
            raise KeyError(name)
        return self[self._default]

    def standing_for(self, name: str) -> str:
        """Return the rule that decides for a name."""
        return name if name in self else self._default


class Enforcement:
    """Evaluates rules for callers."""

    def __init__(self, rules: EnforcedRules) -> None:
        self.rules = rules
        #: The checks that were tried so far.
        self.steps = 0
        self._trees = _Trees(
            {
                name: check_trees.tree(rule.checks)
                for name, rule in rules.rules.items()
            },
            rules.default_rule,
        )
        self._matter: list[tuple[str, str]] = []
        self._reaches: dict[int, Reach] = {}
        self._verdicts: dict[tuple[Any, ...], Optional[bool]] = {}
        self._admins: dict[Caller, Optional[bool]] = {}

    @property
    def answers(self) -> frozenset[str]:
        """The checks in the rules that depend on the call itself."""
        roots = {id(root): root for root in self._trees.values()}.values()
        return frozenset(
            leaf.text
            for root in roots
            for leaf in check_strings.leaves(root)
            if isinstance(leaf, check_trees.CallerCheck)
        )

    def reach(self, name: str) -> Reach:
        """Return the roles and answers that can affect a registered rule."""
        found = self._reach(name)
        if ADMIN_RULE in self.rules.rules:
            found = found | self._reach(ADMIN_RULE)
        return found

    @property
    def graph(self) -> Mapping[str, set[str]]:
        """The rules that decide for the references of each rule."""
        return self._decided_by

    def allows(self, name: str, caller: Caller) -> bool:
        """Say whether a caller passes a registered rule."""
        return bool(self.answer(name, caller))

    def answer(
        self, name: str, caller: Caller, strict: bool = False
    ) -> Optional[bool]:
        """Say whether a caller passes a rule; None: the request fails.

        :param strict: see :class:`check_trees.Call`.
        """
        if caller not in self._admins:
            self._admins[caller] = self._is_admin(caller)
        is_admin = self._admins[caller]
        if is_admin is None:
            # It fails before any rule of the API is evaluated.
            return None
        scopes = self.rules.rules[name].scopes
        if self.rules.enforce_scope and scopes and caller.scope not in scopes:
            return False
        return self._passes(name, caller, is_admin, strict)

    def _is_admin(self, caller: Caller) -> Optional[bool]:
        """Say whether manila treats the caller as its administrator."""
        rule = self.rules.rules.get(ADMIN_RULE)
        if rule is None or (
            self.rules.enforce_scope
            and rule.scopes
            and caller.scope not in rule.scopes
        ):
            return False
        own = caller._replace(target='own')
        return self._passes(ADMIN_RULE, own, None)

    def _passes(
        self,
        name: str,
        caller: Caller,
        is_admin: Optional[bool],
        strict: bool = False,
    ) -> Optional[bool]:
        root = self._trees[name]
        key = (id(root), is_admin, strict, self._reach(name).part(caller))
        if key not in self._verdicts:
            creds = {**_credentials(caller), 'is_admin': is_admin}
            call = check_trees.Call(self._trees, caller, strict)
            found: Optional[bool] = None
            try:
                found = bool(root(_target(caller, creds), creds, call, None))
            except (RecursionError, SyntaxError, TypeError, ValueError):
                # The request fails with 400 or 500: nobody passes.
                pass
            self.steps += 1 + call.steps
            self._verdicts[key] = found
        return self._verdicts[key]

    def _reach(self, name: str) -> Reach:
        bits = self._bits[name]
        if bits not in self._reaches:
            found = [
                one for n, one in enumerate(self._matter) if bits >> n & 1
            ]
            self._reaches[bits] = Reach(
                frozenset(text for kind, text in found if kind == 'role'),
                frozenset(text for kind, text in found if kind == 'answer'),
            )
        return self._reaches[bits]

    def unlike(self, other: 'Enforcement') -> frozenset[str]:
        """Return the rules that another enforcement may decide differently.

        All other rules, and the rules that they need, are the same in both.
        """
        own = {}
        for name, named in self._graph.items():
            mine, theirs = (e.rules.rules.get(name) for e in (self, other))
            own[name] = int(
                mine is None
                or theirs is None
                or mine.checks != theirs.checks
                or any(
                    self._trees.standing_for(one)
                    != other._trees.standing_for(one)
                    for one in named
                )
            )
        needed = rule_graph.behind(self._decided_by, own)
        admin = needed.get(ADMIN_RULE, 0) or self._scopes(
            ADMIN_RULE
        ) != other._scopes(ADMIN_RULE)
        return frozenset(
            name
            for name, found in needed.items()
            if found or admin or self._scopes(name) != other._scopes(name)
        )

    def _scopes(self, name: str) -> Optional[tuple[str, ...]]:
        """Return the scopes of a rule; None if there is no such rule."""
        rule = self.rules.rules.get(name)
        if rule is None:
            return None
        return rule.scopes if self.rules.enforce_scope else ()

    @functools.cached_property
    def _graph(self) -> dict[str, set[str]]:
        """The names to which each rule refers."""
        return {
            name: {
                leaf.match
                for leaf in check_strings.leaves(root)
                if check_strings.is_reference(leaf)
            }
            for name, root in self._trees.items()
        }

    @functools.cached_property
    def _decided_by(self) -> dict[str, set[str]]:
        """The rules that decide for the references of each rule."""
        return {
            name: set(map(self._trees.standing_for, named))
            for name, named in self._graph.items()
        }

    @functools.cached_property
    def _bits(self) -> dict[str, int]:
        """The roles and answers that affect each rule, as bits of _matter."""
        matter: dict[tuple[str, str], int] = {}
        own: dict[str, int] = {}
        for name, root in self._trees.items():
            own[name] = 0
            for found in map(_matters, check_strings.leaves(root)):
                if found is not None:
                    own[name] |= 1 << matter.setdefault(found, len(matter))
        self._matter.extend(matter)
        return rule_graph.behind(self._decided_by, own)


def _matters(leaf: Any) -> Optional[tuple[str, str]]:
    """Return the role or answer on which a check depends, if any."""
    if isinstance(leaf, check_trees.CallerCheck):
        return 'answer', leaf.text
    if getattr(leaf, 'kind', None) == 'role':
        return 'role', leaf.match.lower()
    return None


def _credentials(caller: Caller) -> dict[str, Any]:
    """Return a token in the form of oslo.policy (oslo.context 6.3.0)."""
    scope = caller.scope
    creds: dict[str, Any] = dict.fromkeys(check_trees.IDENTITY)
    creds.update(
        user_id='a-user',
        user_domain_id='a-domain',
        roles=sorted(caller.roles),
        is_admin_project=True,
        system_scope='all' if scope == 'system' else None,
        service_roles=[],
    )
    if scope == 'project':
        creds.update(project_id='a-project', project_domain_id='a-domain')
    elif scope == 'system':
        creds['system'] = 'all'
    else:
        creds['domain_id'] = 'a-domain'
    return creds


def _target(caller: Caller, creds: Mapping[str, Any]) -> dict[str, Any]:
    project, user = creds['project_id'], creds['user_id']
    if caller.target == 'other':
        project = 'another-project'
    if caller.target != 'own':
        user = 'another-user'
    return {'project_id': project, 'user_id': user}
