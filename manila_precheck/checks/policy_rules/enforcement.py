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

"""Who passes a rule, by the check classes of oslo.policy.

What the enforcer of oslo.policy does around them is done here for a release
that is not installed: the fall-back to the default rule, the older default
beside the new one, the scope of the token, and is_admin as manila computes
it (manila 22.0.0 engine/context.py, policy.py check_is_admin()).
"""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import check_trees
from manila_precheck.evidence.policy import check_strings

Caller = callers.Caller

#: The rule that makes a caller an administrator of manila.
ADMIN_RULE = 'context_is_admin'


class Rule(NamedTuple):
    """One rule, as a release has it in force."""

    checks: tuple[Any, ...]
    """The checks of which one has to pass."""

    scopes: tuple[str, ...] = ()
    """The scopes of the tokens that it accepts; empty: any."""


class Rules(NamedTuple):
    """All of them, with what decides beside them; equal ones decide alike."""

    rules: Mapping[str, Rule]
    """By name, base rules included."""

    default_rule: str
    """The rule that stands in for one that is not defined."""

    enforce_scope: bool
    """A token of another scope is refused."""


class _Trees(dict[str, Any]):
    """The rules by name; one that is not there is the default one."""

    def __init__(self, found: Mapping[str, Any], default_rule: str) -> None:
        super().__init__(found)
        self._default = default_rule

    def __missing__(self, name: str) -> Any:
        if self._default not in self:
            raise KeyError(name)
        return self[self._default]


class Reach(NamedTuple):
    """What of a caller can make a difference to a rule."""

    roles: frozenset[str]
    answers: frozenset[str]

    def __or__(self, other: 'Reach') -> 'Reach':  # type: ignore[override]
        return Reach(self.roles | other.roles, self.answers | other.answers)

    def part(self, caller: Caller) -> tuple[Any, ...]:
        """Return what callers have in common whom the rule treats alike."""
        return (
            caller.scope,
            caller.target,
            caller.roles & self.roles,
            caller.answers & self.answers,
        )


_NOTHING = Reach(frozenset(), frozenset())


class Enforcement:
    """Rules, and who passes each."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._trees = _Trees(
            {
                name: check_trees.tree(rule.checks)
                for name, rule in rules.rules.items()
            },
            rules.default_rule,
        )
        self._reaches: dict[int, Reach] = {}
        self._verdicts: dict[tuple[Any, ...], bool] = {}

    @property
    def answers(self) -> frozenset[str]:
        """Return the checks in the rules that only a call can answer."""
        roots = {id(root): root for root in self._trees.values()}.values()
        return frozenset(
            leaf.text
            for root in roots
            for leaf in check_strings.leaves(root)
            if isinstance(leaf, check_trees.Answer)
        )

    def reach(self, name: str) -> Reach:
        """Return what can make a difference to a rule that is registered."""
        found = self._reach(self._trees[name])
        if ADMIN_RULE in self.rules.rules:
            found = found | self._reach(self._trees[ADMIN_RULE])
        return found

    def allows(self, name: str, caller: Caller) -> bool:
        """Say whether a caller passes a rule that is registered."""
        scopes = self.rules.rules[name].scopes
        if self.rules.enforce_scope and scopes and caller.scope not in scopes:
            return False
        return self._passes(self._trees[name], caller, self._is_admin(caller))

    def _is_admin(self, caller: Caller) -> bool:
        """Say whether manila makes the caller of a request its admin."""
        rule = self.rules.rules.get(ADMIN_RULE)
        if rule is None or (
            self.rules.enforce_scope
            and rule.scopes
            and caller.scope not in rule.scopes
        ):
            return False
        own = caller._replace(target='own')
        return self._passes(self._trees[ADMIN_RULE], own, None)

    def _passes(
        self, root: Any, caller: Caller, is_admin: Optional[bool]
    ) -> bool:
        reach = self._reach(root)
        key = (
            id(root),
            is_admin,
            reach.part(caller),
        )
        if key not in self._verdicts:
            creds = {**_credentials(caller), 'is_admin': is_admin}
            try:
                found = root(
                    _target(caller, creds),
                    creds,
                    check_trees.Call(self._trees, caller),
                    None,
                )
            except (RecursionError, SyntaxError, TypeError, ValueError):
                # The request fails with 500: nobody passes.
                found = False
            self._verdicts[key] = bool(found)
        return self._verdicts[key]

    def _reach(self, root: Any) -> Reach:
        if id(root) not in self._reaches:
            found = _NOTHING
            for leaf in self._leaves(root):
                found = found | _reach_of(leaf)
            self._reaches[id(root)] = found
        return self._reaches[id(root)]

    def _leaves(self, root: Any) -> Iterator[Any]:
        """Yield the leaves below a check, through the rules that it names."""
        seen, roots = {id(root)}, [root]
        while roots:
            for leaf in check_strings.leaves(roots.pop()):
                if not check_strings.is_reference(leaf):
                    yield leaf
                    continue
                try:
                    named = self._trees[leaf.match]
                except KeyError:
                    continue
                if id(named) not in seen:
                    seen.add(id(named))
                    roots.append(named)


def _reach_of(leaf: Any) -> Reach:
    if isinstance(leaf, check_trees.Answer):
        return Reach(frozenset(), frozenset({leaf.text}))
    if getattr(leaf, 'kind', None) == 'role':
        return Reach(frozenset({leaf.match.lower()}), frozenset())
    return _NOTHING


def _credentials(caller: Caller) -> dict[str, Any]:
    """Return a token as oslo.policy sees it (oslo.context 6.3.0)."""
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
