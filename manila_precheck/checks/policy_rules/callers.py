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

"""The callers: tokens with which a rule is tried.

Keystone gives a token roles, including the implied ones, and a scope. The
roles
are those that manila's own policies name, those in the operator's files, and
one that no rule names.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import functools
import itertools
import operator
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck.checks.policy_rules import rule_graph
from manila_precheck.evidence.policy import check_strings

# The implied roles that Keystone's bootstrap creates (keystone 25.0.0
# cmd/bootstrap.py _bootstrap_admin_role() and after).
_IMPLIED = {
    'admin': ('manager', 'member', 'reader'),
    'manager': ('member', 'reader'),
    'member': ('reader',),
}

# The roles in the defaults of manila (manila 17.0.0 policies/base.py).
_IN_DEFAULTS = ('admin', 'member', 'reader', 'service')

# These roles, and the others that imply some.
_KNOWN = tuple(dict.fromkeys((*_IN_DEFAULTS, *_IMPLIED)))

#: The name of the caller whose role no rule names.
OTHER = 'any other'

# A name that no real role has.
_NAMED_NOWHERE = 'manila-precheck-role-of-no-rule'

#: The scopes of a token.
SCOPES = ('project', 'system', 'domain')

#: The object of the call: the caller's own, one of somebody else in the
#: project, one of another project.
TARGETS = ('own', 'project', 'other')

_CALLS = tuple(
    (scope, target)
    for scope in SCOPES
    for target in TARGETS
    if scope == 'project' or target != 'project'
)

#: The most callers that are tried.
MAX_CALLERS = 20_000


class Caller(NamedTuple):
    """A token, and the object that it is used on."""

    names: frozenset[str]
    """The roles that were assigned, usually one."""

    roles: frozenset[str]
    """The roles in the token, in lower case, including implied ones."""

    scope: str = 'project'
    """One of :data:`SCOPES`."""

    target: str = 'own'
    """One of :data:`TARGETS`; without a project scope, 'own' or 'other'."""

    answers: frozenset[str] = frozenset()
    """The checks that depend on the call itself and are assumed to hold for
    this one: 'project_id:5fa3', 'http://authorizer/'."""

    @property
    def parts(self) -> frozenset[str]:
        """The roles and answers of the caller, without scope and target.

        A caller without a role that counts has only its answers, if any.
        """
        if self.answers and self.names == {OTHER}:
            return self.answers
        return self.names | self.answers


def token_roles(names: Iterable[str]) -> frozenset[str]:
    """Return the roles in the token of a user with some roles."""
    given = {_NAMED_NOWHERE if name == OTHER else name for name in names}
    implied = itertools.chain.from_iterable(
        _IMPLIED.get(name, ()) for name in given
    )
    return frozenset(given | set(implied))


class Reach(NamedTuple):
    """The roles and answers of callers that can affect a rule."""

    roles: frozenset[str]
    answers: frozenset[str]

    def __or__(self, other: 'Reach') -> 'Reach':  # type: ignore[override]
        return Reach(self.roles | other.roles, self.answers | other.answers)

    def part(self, caller: Caller) -> tuple[Any, ...]:
        """Return a key that callers share whom the rule treats alike."""
        return (
            caller.scope,
            caller.target,
            caller.roles & self.roles,
            caller.answers & self.answers,
        )


class TooManyError(Exception):
    """There are more callers than :data:`MAX_CALLERS`."""


def make(
    checks: Mapping[str, Any],
    answers: Iterable[str] = (),
    reaches: Optional[Iterable[Reach]] = None,
) -> tuple[Caller, ...]:
    """Return the callers that some policy files can distinguish.

    :param checks: the checks in the files, by rule.
    :param answers: the checks that depend on the call itself; each is tried
        alone, and all of them together.
    :param reaches: what can affect the rules that are tried. A caller whom all
        of them treat like a caller with less is left out. None leaves out
        nobody. It is read only if the files alone do not need too many
        callers.
    :raises TooManyError: before the callers are created.
    """
    single = sorted(set(answers))
    roles, together = _roles_of_files(checks)
    named = functools.reduce(operator.or_, together, 0)
    alone = {r for n, r in enumerate(roles) if named >> n & 1}
    alone.difference_update(_IN_DEFAULTS)
    usual = [frozenset({name}) for name in (*_IN_DEFAULTS, OTHER)]
    everyone = (1 << len(single)) - 1
    both = everyone.bit_length() > 1
    _require_few(len(alone) + len(usual) * (1 + len(single) + both))
    seen = _Seen(roles, single, reaches)
    groups = dict.fromkeys(
        (*(seen.roles[name] for name in alone), *filter(seen.apart, together))
    )
    _require_few(len(groups))
    tried: dict[frozenset[str], tuple[int, bool]] = dict.fromkeys(
        usual, (everyone, both)
    )
    total = len(usual) * (1 + len(single) + both)
    for group in sorted(map(seen.names, groups), key=_by_size):
        for names in (group, group | {'member'}):
            if names in tried or (
                names is not group and not seen.more_than_member(group)
            ):
                continue
            tried[names] = found = seen.answers(names)
            total += 1 + bin(found[0]).count('1') + found[1]
            _require_few(total)
    made: list[Caller] = []
    for names, (mine, at_once) in tried.items():
        token = token_roles(names)
        answered = [frozenset[str]()]
        answered += (
            frozenset({text}) for n, text in enumerate(single) if mine >> n & 1
        )
        if at_once:
            answered.append(frozenset(single))
        made.extend(
            Caller(names, token, scope, target, one)
            for scope, target in _CALLS
            for one in answered
        )
    return tuple(made)


def _require_few(count: int) -> None:
    if count * len(_CALLS) > MAX_CALLERS:
        raise TooManyError


def _by_size(group: frozenset[str]) -> tuple[Any, ...]:
    return len(group), *sorted(group)


class _Seen:
    """What rules can distinguish: roles and answers as bits."""

    def __init__(
        self,
        names: list[str],
        single: list[str],
        reaches: Optional[Iterable[Reach]],
    ) -> None:
        self._names = names
        self.roles = {name: 1 << n for n, name in enumerate(names)}
        self._answers = {text: 1 << n for n, text in enumerate(single)}
        self._everyone = (1 << len(single)) - 1
        self._reaches = (
            None
            if reaches is None
            else {
                (
                    _bits(self.roles, reach.roles),
                    _bits(self._answers, reach.answers),
                )
                for reach in reaches
            }
        )

    def names(self, bits: int) -> frozenset[str]:
        """Return the roles that some bits stand for."""
        return frozenset(
            name for n, name in enumerate(self._names) if bits >> n & 1
        )

    def _token(self, names: Iterable[str]) -> int:
        return _bits(self.roles, token_roles(names))

    def apart(self, bits: int) -> bool:
        """Say whether a rule may need several of some roles together."""
        several = bits & (bits - 1)
        if not several or self._reaches is None:
            return bool(several)
        for name, implied in _IMPLIED.items():
            if bits & self.roles[name]:
                bits |= _bits(self.roles, implied)
        return any(
            (bits & roles) & ((bits & roles) - 1)
            for roles, _answers in self._reaches
        )

    def more_than_member(self, group: frozenset[str]) -> bool:
        """Say whether adding the role member to a group affects a rule."""
        if self._reaches is None:
            return True
        mine, member = self._token(group), self._token({'member'})
        return any(
            (mine | member) & roles not in (mine & roles, member & roles)
            for roles, _answers in self._reaches
        )

    def answers(self, group: frozenset[str]) -> tuple[int, bool]:
        """Return the answers to try with some roles, and whether together.

        For a rule that does not depend on the roles, only the caller without a
        role that counts is tried.
        """
        if self._reaches is None:
            found = [self._everyone]
        else:
            mine = self._token(group)
            found = [
                answers for roles, answers in self._reaches if mine & roles
            ]
        every = 0
        for answers in found:
            every |= answers
        return every, any(answers & (answers - 1) for answers in found)


def _bits(places: Mapping[str, int], names: Iterable[str]) -> int:
    found = 0
    for name in names:
        found |= places.get(name, 0)
    return found


def _roles_of_files(checks: Mapping[str, Any]) -> tuple[list[str], set[int]]:
    """Return the roles of files and defaults, and those in one rule.

    :returns: the names, and for each rule the bits of the roles that it needs,
        directly or through other rules.
    :raises TooManyError: when there are too many roles to try.
    """
    places = {name: n for n, name in enumerate(_KNOWN)}
    own: dict[str, int] = {}
    graph: dict[str, set[str]] = {}
    for name, check in checks.items():
        own[name], graph[name] = 0, set()
        root = check_strings.tree(check)
        for leaf in () if root is None else check_strings.leaves(root):
            role = check_strings.literal_role(leaf)
            if role is not None:
                own[name] |= 1 << places.setdefault(role, len(places))
            elif check_strings.is_reference(leaf):
                graph[name].add(leaf.match)
        _require_few(len(places) - len(_KNOWN))
    return list(places), set(rule_graph.behind(graph, own).values())
