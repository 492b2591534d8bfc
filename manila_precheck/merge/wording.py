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

"""The hosts of a merged report, in little memory and few words."""

import array
import collections
from collections.abc import Iterable
from collections.abc import Sequence

#: How many hosts a message names.
MAX_NAMED = 6


class Hosts:
    """The hosts of a merge, each with a number.

    A finding that many hosts have is kept once, with the numbers of the
    hosts: four bytes each.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        # The region of each host; '' for none.
        self._regions: list[str] = []
        self._sizes: dict[str, int] = {}
        self._texts: dict[bytes, str] = {}

    def add(self, name: str, region: str = '') -> int:
        """Add a host and return its number.

        :param region: its region; '' for none. Two regions may have hosts of
            the same name, so the host is then named 'west/ctl1'.
        """
        self.names.append(f'{region}/{name}' if region else name)
        self._regions.append(region)
        self._sizes[region] = self._sizes.get(region, 0) + 1
        return len(self.names) - 1

    def region(self, number: int) -> str:
        """Return the region of a host; '' for none."""
        return self._regions[number]

    def some(self, numbers: Iterable[int]) -> list[str]:
        """Return the names for numbers, sorted."""
        return sorted(self.names[number] for number in numbers)

    def text(self, numbers: 'array.array[int]') -> str:
        """Return the names for the data of a finding: 'ctl1,ctl2'.

        The same hosts share one string, to save memory.
        """
        key = numbers.tobytes()
        if key not in self._texts:
            self._texts[key] = ','.join(self.some(numbers))
        return self._texts[key]

    def where(self, numbers: Sequence[int], *, of_all: bool = False) -> str:
        """Return the hosts in a few words.

        :param numbers: at least one; the data of the finding names them all.
        :param of_all: also say how many hosts there are in total, or name the
            other hosts if they are few.
        """
        hosts = self.some(numbers)
        if len(hosts) <= MAX_NAMED:
            return join(hosts)
        regions = collections.Counter(map(self.region, numbers))
        if (
            '' not in regions
            and len(regions) <= MAX_NAMED
            and all(self._sizes[one] == regions[one] for one in regions)
        ):
            return f'all {len(hosts)} hosts of {join(sorted(regions))}'
        some = join(hosts[:3])
        if not of_all:
            return f'{len(hosts)} hosts, such as {some}'
        total = len(self.names)
        if total - len(hosts) <= MAX_NAMED:
            others = join(sorted(set(self.names) - set(hosts)))
            return f'all {total} hosts but {others}'
        return f'{len(hosts)} of {total} hosts, such as {some}'


def none() -> 'array.array[int]':
    """Return an empty array for the numbers of hosts."""
    return array.array('I')


def join(names: Sequence[str]) -> str:
    """Return names joined as in a sentence: 'a, b and c'."""
    if len(names) == 1:
        return names[0]
    return f'{", ".join(names[:-1])} and {names[-1]}'
