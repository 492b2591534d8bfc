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

"""The check trees of oslo.policy, prepared to be evaluated without a request.

A check that depends on the request itself, such as a literal project or the
answer of another server, is replaced by a :class:`CallerCheck`, which is true
for the callers that have it among their answers.
"""

import functools
import re
from typing import Any
from typing import Optional
from typing import Union

from manila_precheck.checks.policy_rules import callers
from manila_precheck.evidence.policy import check_strings

#: Attributes of a token of which the callers here do not cover all values,
#: with the scope that the token must have (oslo.context 6.3.0
#: to_policy_values()).
IDENTITY: dict[str, Optional[str]] = {
    'user_id': None,
    'user_domain_id': None,
    'project_id': 'project',
    'project_domain_id': 'project',
    'domain_id': 'domain',
    'service_user_id': None,
    'service_user_domain_id': None,
    'service_project_id': None,
    'service_project_domain_id': None,
    'service_roles': None,
}
_OTHER_VALUES = ('system_scope', 'is_admin', 'is_admin_project', 'roles')

# The attributes of every target; a share has more.
_IN_EVERY_TARGET = ('project_id', 'user_id')
_KEY = re.compile(r'%\((.*?)\)')
_CONSTANT = re.compile(r'True|False|None|[0-9.]+|\'.*\'|".*"')


class Call:
    """The enforcer that the checks of oslo.policy get, for one caller.

    :param rules: the check tree of each rule, by name.
    :param strict: whether an undefined rule gives nobody more access: it is
        false, and true behind "not". Otherwise the default rule applies.
    """

    def __init__(
        self, rules: Any, caller: callers.Caller, strict: bool = False
    ) -> None:
        self.caller = caller
        #: Whether the current check is behind an odd number of "not".
        self.negated = False
        self._rules = rules
        self._strict = strict
        self.steps = 0
        # The value is None while a rule is being evaluated.
        self._decided: dict[tuple[str, bool], Optional[bool]] = {}

    def passes(self, name: str, target: Any, creds: Any) -> bool:
        """Say whether the caller passes a rule; each is evaluated once.

        oslo.policy evaluates a rule each time another one refers to it, so
        that the time can double with each rule of a chain.

        :raises RecursionError: for a rule that refers to itself, as in
            oslo.policy.
        """
        self.steps += 1
        if self._strict and name not in self._rules:
            return self.negated
        key = (name, self._strict and self.negated)
        if key not in self._decided:
            self._decided[key] = None
            try:
                found = self._rules[name](target, creds, self, None)
            except KeyError:
                found = False
            self._decided[key] = bool(found)
        decided = self._decided[key]
        if decided is None:
            raise RecursionError(name)
        return decided


class RoleCheck:
    """A check for a literal role, compared in lower case."""

    kind = 'role'

    def __init__(self, match: str) -> None:
        self.match = match
        self._role = match.lower()

    def __call__(
        self, target: Any, creds: Any, enforcer: Call, rule: Any = None
    ) -> bool:
        return self._role in enforcer.caller.roles


class Not:
    """A check that passes if another one does not."""

    def __init__(self, rule: Any) -> None:
        self.rule = rule

    def __call__(
        self, target: Any, creds: Any, enforcer: Call, rule: Any = None
    ) -> bool:
        enforcer.negated = not enforcer.negated
        found = self.rule(target, creds, enforcer, rule)
        enforcer.negated = not enforcer.negated
        return not found


class CheckGroup:
    """Checks of which all, or at least one, must pass.

    The classes of oslo.policy inspect the signature of each member at each
    call, which is slow.
    """

    def __init__(self, rules: list[Any], decisive: bool) -> None:
        self.rules = rules
        self._decisive = decisive

    def __call__(
        self, target: Any, creds: Any, enforcer: Call, rule: Any = None
    ) -> bool:
        for one in self.rules:
            enforcer.steps += 1
            if bool(one(target, creds, enforcer, rule)) is self._decisive:
                return self._decisive
        return not self._decisive


class RuleReference:
    """A check that refers to another rule."""

    kind = 'rule'

    def __init__(self, match: str) -> None:
        self.match = match

    def __str__(self) -> str:
        return f'{self.kind}:{self.match}'

    def __call__(
        self, target: Any, creds: Any, enforcer: Call, rule: Any = None
    ) -> bool:
        return enforcer.passes(self.match, target, creds)


class CallerCheck:
    """A check that is true for the callers that have it as an answer."""

    def __init__(self, text: str, scope: Optional[str]) -> None:
        self.text = text
        self.scope = scope

    def __str__(self) -> str:
        return self.text

    def __call__(
        self, target: Any, creds: Any, enforcer: Call, rule: Any = None
    ) -> bool:
        caller = enforcer.caller
        return self.text in caller.answers and (
            self.scope is None or self.scope == caller.scope
        )


class Failing:
    """A check for which oslo.policy raises an error when it is evaluated."""

    def __call__(
        self, target: Any, creds: Any, enforcer: Call, rule: Any = None
    ) -> bool:
        raise TypeError('not a check')


#: A check that ends the request with 500, for :func:`tree`.
FAILING = Failing()


def tree(checks: tuple[Any, ...]) -> Any:
    """Return the tree of some checks, of which one must pass.

    :param checks: in the form of :func:`check_strings.parse`, or
        :data:`FAILING`; a check that oslo.policy cannot parse lets nobody
        pass.
    """
    if all(isinstance(check, str) for check in checks):
        return _tree_of_texts(checks)
    return _make_tree(checks)


@functools.lru_cache(maxsize=check_strings.MAX_KEPT)
def _tree_of_texts(checks: tuple[str, ...]) -> Any:
    return _make_tree(checks)


def _make_tree(checks: tuple[Any, ...]) -> Any:
    from oslo_policy import _checks

    roots: list[Any] = []
    for check in checks:
        if check is FAILING:
            roots.append(check)
            continue
        root = check_strings.tree(check)
        if root is None:
            root = _checks.FalseCheck()
        try:
            roots.append(_answered(root))
        except RecursionError:
            # The service also raises it if checks are nested too deep.
            roots.append(FAILING)
    return roots[0] if len(roots) == 1 else CheckGroup(roots, True)


def _answered(check: Any) -> Any:
    """Replace references, and checks that depend on the call itself."""
    from oslo_policy import _checks

    below = check_strings.members(check)
    if below is None:
        if check_strings.is_reference(check):
            return RuleReference(check.match)
        if check_strings.literal_role(check) is not None:
            return RoleCheck(check.match)
        return _answer(check) or check
    replaced = [_answered(member) for member in below]
    if hasattr(check, 'rule'):
        return Not(replaced[0])
    return CheckGroup(replaced, isinstance(check, _checks.OrCheck))


def _answer(leaf: Any) -> Union[CallerCheck, Failing, None]:
    kind = getattr(leaf, 'kind', None)
    if kind is None:
        return None
    if check_strings.always_fails(leaf):
        return FAILING
    if kind in check_strings.REMOTE:
        return CallerCheck(str(leaf), None)
    # Only up to the last bracket: without one, the pattern would search each
    # key to the end.
    keys = _KEY.findall(leaf.match[: leaf.match.rfind(')') + 1])
    if any(key not in _IN_EVERY_TARGET for key in keys):
        if (
            kind == 'role'
            or kind in IDENTITY
            or kind in _OTHER_VALUES
            or _CONSTANT.fullmatch(kind)
        ):
            return CallerCheck(str(leaf), IDENTITY.get(kind))
        return None
    if kind in IDENTITY and not keys:
        return CallerCheck(str(leaf), IDENTITY[kind])
    return None
