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

"""Which hosts a report of many speaks of, in little memory and few words."""

import array
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Optional

#: How many hosts a message names.
MAX_NAMED = 6


class Hosts:
    """The hosts of a merge, each with a number, in the order of their names.

    What many hosts say alike is kept once, with the numbers of the hosts:
    four bytes each.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._texts: dict[bytes, str] = {}

    def add(self, name: str) -> int:
        """Return the number of one more host."""
        self.names.append(name)
        return len(self.names) - 1

    def some(self, numbers: Iterable[int]) -> list[str]:
        """Return the names for numbers, in their order."""
        return [self.names[number] for number in numbers]

    def text(self, numbers: 'array.array[int]') -> str:
        """Return the names as the data of a finding has them: 'ctl1,ctl2'.

        It is one text for all that the same hosts say.
        """
        key = numbers.tobytes()
        if key not in self._texts:
            self._texts[key] = ','.join(self.some(numbers))
        return self._texts[key]


def none() -> 'array.array[int]':
    """Return the numbers of no host yet."""
    return array.array('I')


def join(names: Sequence[str]) -> str:
    """Return names as a sentence has them: 'a, b and c'."""
    if len(names) == 1:
        return names[0]
    return f'{", ".join(names[:-1])} and {names[-1]}'


def where(hosts: Sequence[str], total: Optional[Sequence[str]] = None) -> str:
    """Return which hosts, in words that a reader gets to the end of.

    :param hosts: sorted; the data of a finding has all of them.
    :param total: the hosts that there are, to name those that are not among
        them where they are few.
    """
    if len(hosts) <= MAX_NAMED:
        return join(hosts)
    some = join(hosts[:3])
    if total is None:
        return f'{len(hosts)} hosts, such as {some}'
    if len(total) - len(hosts) <= MAX_NAMED:
        among = set(hosts)
        others = [name for name in total if name not in among]
        return f'all {len(total)} hosts but {join(others)}'
    return f'{len(hosts)} of {len(total)} hosts, such as {some}'
