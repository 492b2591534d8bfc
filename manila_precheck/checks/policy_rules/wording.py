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

"""The words for callers in messages."""

import collections
from collections.abc import Iterable
import functools

from manila_precheck.checks.policy_rules import callers

_ORDER = ('admin', 'manager', 'member', 'reader', 'service')


def label(caller: callers.Caller) -> str:
    """Return the name of a caller: 'reader', 'a and b where http://h/'."""
    text = ' and '.join(sorted(caller.names, key=_place))
    if caller.answers:
        text += ' where ' + ' and '.join(sorted(caller.answers))
    return text


def role(caller: callers.Caller) -> str:
    """Return the name with the word role: 'role reader', 'any other role'."""
    text = label(caller)
    if callers.OTHER in caller.names:
        return text.replace(callers.OTHER, f'{callers.OTHER} role', 1)
    return f'role {text}'


def scope(caller: callers.Caller) -> str:
    """Return the scope of a token in words; '' for a project."""
    if caller.scope == 'project':
        return ''
    return f' with a token of {caller.scope} scope'


def fewest(found: Iterable[callers.Caller]) -> list[callers.Caller]:
    """Leave out callers who have all that another one in the list has.

    A caller with the role member and a role that no rule needs is covered by
    the member.
    """
    people = list(found)
    often = collections.Counter(part for one in people for part in one.parts)
    chosen: list[callers.Caller] = []
    # The callers kept so far, by their rarest part, to find those that are
    # contained in another one.
    smaller: dict[tuple[str, str, str], list[frozenset[str]]] = {}
    for one in sorted(people, key=_rank):
        parts, where = one.parts, (one.scope, one.target)
        if not any(
            other < parts
            for part in parts
            for other in smaller.get((*where, part), ())
        ):
            chosen.append(one)
            rarest = min(parts, key=lambda part: (often[part], part))
            smaller.setdefault((*where, rarest), []).append(parts)
    return chosen


def who(found: Iterable[callers.Caller]) -> str:
    """Return some callers as one phrase, in the order of their roles."""
    targets: dict[tuple[str, str], set[str]] = {}
    named: dict[tuple[str, str], callers.Caller] = {}
    for one in fewest(found):
        key = (one.scope, label(one))
        targets.setdefault(key, set()).add(one.target)
        named.setdefault(key, one)
    phrases: dict[str, list[str]] = {}
    for key, one in named.items():
        suffix = scope(one) + _suffix(targets[key])
        phrases.setdefault(suffix, []).append(role(one))
    return '; '.join(
        _listed(roles) + suffix for suffix, roles in phrases.items()
    )


def such_as(names: Iterable[str]) -> str:
    """Return the names of some rules, at most the first three."""
    found = sorted(names)
    if len(found) <= 3:
        return _listed(found)
    return f'{", ".join(found[:3])} and {len(found) - 3} more'


def _suffix(targets: set[str]) -> str:
    if targets == {'other'}:
        return ' on other projects'
    if 'other' in targets:
        return ' on every project'
    return '' if 'own' in targets else ' on resources of others'


def _listed(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    return f'{", ".join(words[:-1])} and {words[-1]}'


@functools.lru_cache(maxsize=callers.MAX_CALLERS)
def _rank(caller: callers.Caller) -> tuple[object, ...]:
    return (
        callers.SCOPES.index(caller.scope),
        len(caller.parts),
        [_place(name) for name in sorted(caller.names, key=_place)],
        callers.TARGETS.index(caller.target),
        sorted(caller.answers),
    )


def _place(name: str) -> tuple[int, str]:
    if name in _ORDER:
        return _ORDER.index(name), name
    return len(_ORDER) + (name == callers.OTHER), name
