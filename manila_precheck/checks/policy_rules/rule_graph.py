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

"""References between rules, followed for all rules at once."""

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping


def components(graph: Mapping[str, Collection[str]]) -> Iterator[list[str]]:
    """Yield groups of rules that need each other, dependencies first.

    These are Tarjan's strongly connected components, without recursion,
    because a chain may be longer than Python's recursion limit.

    :param graph: the rules to which each one refers; a rule that is not a key
        has no references.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_: set[str] = set()
    for root in graph:
        if root in index:
            continue
        ahead = [(root, iter(graph[root]))]
        while ahead:
            name, following = ahead[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                stack.append(name)
                open_.add(name)
            for other in following:
                if other not in graph:
                    continue
                if other not in index:
                    ahead.append((other, iter(graph[other])))
                    break
                if other in open_:
                    low[name] = min(low[name], index[other])
            else:
                ahead.pop()
                if ahead:
                    above = ahead[-1][0]
                    low[above] = min(low[above], low[name])
                if low[name] == index[name]:
                    found = [stack.pop()]
                    while found[-1] != name:
                        found.append(stack.pop())
                    open_.difference_update(found)
                    yield found


def in_cycles(graph: Mapping[str, Collection[str]]) -> frozenset[str]:
    """Return the rules that refer to themselves, also through others."""
    return frozenset(
        name
        for found in components(graph)
        if len(found) > 1 or found[0] in graph[found[0]]
        for name in found
    )


def behind(
    graph: Mapping[str, Collection[str]], own: Mapping[str, int]
) -> dict[str, int]:
    """Return the bits of each rule, with those of all rules it needs.

    :param own: the bits of each rule itself.
    """
    bits: dict[str, int] = {}
    for found in components(graph):
        together = 0
        for name in found:
            together |= own[name]
            for other in graph[name]:
                together |= bits.get(other, 0)
        bits.update(dict.fromkeys(found, together))
    return bits
