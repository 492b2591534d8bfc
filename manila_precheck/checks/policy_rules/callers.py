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

"""Who may call: the tokens with which a rule is tried.

Keystone gives a token roles, with those that they imply, and a scope. The
roles are those that manila's own policies name, those of the operator's
files, and one that no rule names.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import itertools
from typing import Any
from typing import NamedTuple

from manila_precheck.evidence.policy import check_strings

# What Keystone's bootstrap makes them imply (keystone 25.0.0
# cmd/bootstrap.py _bootstrap_admin_role() and after).
_IMPLIED = {
    'admin': ('manager', 'member', 'reader'),
    'manager': ('member', 'reader'),
    'member': ('reader',),
}

# The roles in the defaults of manila (manila 17.0.0 policies/base.py).
_IN_DEFAULTS = ('admin', 'member', 'reader', 'service')

#: The name of the caller whose role no rule names.
OTHER = 'any other'

# A role that nobody gives this name.
_NAMED_NOWHERE = 'manila-precheck-role-of-no-rule'

#: The scopes of a token.
SCOPES = ('project', 'system', 'domain')

#: Whose object the call is about: the caller's own, one of somebody else in
#: the project, one of another project.
TARGETS = ('own', 'project', 'other')


class Caller(NamedTuple):
    """A token, and the object that it is used on."""

    names: frozenset[str]
    """The roles that were given, one as a rule."""

    roles: frozenset[str]
    """The roles in the token: the implied ones too, in lower case."""

    scope: str = 'project'
    """One of :data:`SCOPES`."""

    target: str = 'own'
    """One of :data:`TARGETS`; with no project, 'own' or 'other'."""

    answers: frozenset[str] = frozenset()
    """The checks of the files that hold for this call although only the
    call itself can tell: 'project_id:5fa3', 'http://authorizer/'."""

    @property
    def parts(self) -> frozenset[str]:
        """Return what it has, whatever the scope and the target.

        Where an answer decides, who has no role that counts has nothing else.
        """
        if self.answers and self.names == {OTHER}:
            return self.answers
        return self.names | self.answers


def token_roles(names: Iterable[str]) -> frozenset[str]:
    """Return the roles of a token whose user was given some."""
    given = {_NAMED_NOWHERE if name == OTHER else name for name in names}
    implied = itertools.chain.from_iterable(
        _IMPLIED.get(name, ()) for name in given
    )
    return frozenset(given | set(implied))


def make(
    checks: Mapping[str, Any], answers: Iterable[str] = ()
) -> tuple[Caller, ...]:
    """Return the callers that some policy files can tell apart.

    :param checks: what stands in the files, by rule.
    :param answers: the checks that only a call itself can answer; each is
        tried alone, and all at once.
    """
    groups = [frozenset({name}) for name in (*_IN_DEFAULTS, OTHER)]
    for group in _groups_of_roles(checks):
        groups.extend((group, group | {'member'}))
    single = sorted(set(answers))
    tried = [frozenset[str](), *(frozenset({text}) for text in single)]
    if len(single) > 1:
        tried.append(frozenset(single))
    return tuple(
        Caller(group, token_roles(group), scope, target, answered)
        for group in dict.fromkeys(groups)
        for scope in SCOPES
        for target in TARGETS
        if scope == 'project' or target != 'project'
        for answered in tried
    )


def _groups_of_roles(checks: Mapping[str, Any]) -> list[frozenset[str]]:
    """Return the roles that files name: each, and those that go together."""
    trees = {name: check_strings.tree(check) for name, check in checks.items()}
    alone: set[str] = set()
    together: set[frozenset[str]] = set()
    for name in trees:
        found = frozenset(_roles(trees, name))
        alone |= found
        together.add(found)
    known = {frozenset({name}) for name in _IN_DEFAULTS}
    known.add(frozenset())
    groups = {frozenset({name}) for name in alone} | together
    return sorted(groups - known, key=lambda group: (len(group), *group))


def _roles(trees: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the roles behind a rule, through the rules that it names."""
    seen, names = {name}, [name]
    while names:
        root = trees.get(names.pop())
        for leaf in () if root is None else check_strings.leaves(root):
            kind = getattr(leaf, 'kind', None)
            if kind == 'role' and '%' not in leaf.match:
                yield leaf.match.lower()
            elif kind == 'rule' and leaf.match not in seen:
                seen.add(leaf.match)
                names.append(leaf.match)
