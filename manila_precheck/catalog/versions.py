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

"""Compare the versions of vendors' products.

No vendor follows PEP 440, so this is a small comparison of our own:

- A version consists of its numbers and words in order; separators are
  ignored: '73.1.0-4' is 73, 1, 0, 4; 'V300R003C00' is v, 300, r, 3, c, 0;
  '3.2.1 MU3' is 3, 2, 1, mu, 3. Case is ignored, as are a 'v' before a
  number with a dot, and '.x' at the end ('4.1.x').
- Versions are compared part by part, numbers numerically. The first part that
  differs decides, if both versions have a number there.
- Additional parts of one version are ignored if they are zeros. Otherwise the
  version with more parts is the later one, unless its next word marks a
  pre-release ('9.10rc1').
- A name stands for a version if the system has such names: 'Reef' is 18.

In all other cases the versions cannot be compared, and the result is None:
different words, or a word and a number ('3.2.1.46' and '3.2.1 MU3'); a first
version that ends where the second one continues ('9' and '9.10'); a different
notation ('139A23' and '73.1.0-4').
"""

from collections.abc import Mapping
import re
from typing import Optional
from typing import Union

Part = Union[int, str]

_NONE: Mapping[str, str] = {}

_TEXT = re.compile(r'[a-z0-9][a-z0-9._+()/ -]*')
_PART = re.compile(r'[0-9]+|[a-z]+')
_PREFIX = re.compile(r'v(?=[0-9]+(?:\.|$))')
_ANY = re.compile(r'[._ -]x$')
_DOTTED = re.compile(r'[0-9]+\.[0-9]')
_GLUED = re.compile(r'[0-9]+[a-z]')
# Words before the number of a pre-release.
_UNFINISHED = frozenset(
    ('a', 'alpha', 'b', 'beta', 'dev', 'pre', 'preview', 'rc')
)


def _plain(text: str, names: Mapping[str, str]) -> str:
    """Return a version without name, prefix and '.x', in lower case."""
    lowered = text.strip().lower()
    known = {name.lower(): version for name, version in names.items()}
    first, _, rest = lowered.partition(' ')
    if lowered in known:
        lowered = known[lowered].lower()
    elif first in known and rest.startswith(known[first].lower()):
        # 'Reef 18.2.4'.
        lowered = rest
    return _ANY.sub('', _PREFIX.sub('', lowered))


def _parts(plain: str) -> tuple[Part, ...]:
    if not _TEXT.fullmatch(plain):
        return ()
    return tuple(
        int(part) if part.isdigit() else part for part in _PART.findall(plain)
    )


def parse(text: str, names: Mapping[str, str] = _NONE) -> tuple[Part, ...]:
    """Return the parts of a version; empty when it is not a version.

    :param text: '9.10.0.1', 'V300R003C00', '3.2.1 MU3'.
    :param names: versions by the names that stand for them.
    """
    parts = _parts(_plain(text, names))
    return parts if any(isinstance(part, int) for part in parts) else ()


def compare(
    one: str, other: str, names: Mapping[str, str] = _NONE
) -> Optional[int]:
    """Return -1, 0 or 1 if the first is earlier, the same, or later.

    None: the two cannot be compared.

    :param names: versions by the names that stand for them.
    """
    left, right = parse(one, names), parse(other, names)
    if not left or not right or not _written_alike(one, other, names):
        return None
    for here, there in zip(left, right):
        if here != there:
            if isinstance(here, int) and isinstance(there, int):
                return -1 if here < there else 1
            return None
    if len(left) < len(right):
        return 0 if set(right[len(left) :]) == {0} else None
    return _sign_of_more(left[len(right) :])


def _written_alike(one: str, other: str, names: Mapping[str, str]) -> bool:
    texts = _plain(one, names), _plain(other, names)
    return not (
        any(_DOTTED.match(text) for text in texts)
        and any(_GLUED.match(text) for text in texts)
    )


def _sign_of_more(rest: tuple[Part, ...]) -> int:
    """Return how additional parts make a version differ from one without."""
    for part in rest:
        if part != 0:
            return -1 if part in _UNFINISHED else 1
    return 0


def within(one: str, series: str, names: Mapping[str, str] = _NONE) -> bool:
    """Say whether a version belongs to a series: '18.2.4' to '18'.

    :param names: versions by the names that stand for them.
    """
    wanted = parse(series, names)
    return bool(wanted) and parse(one, names)[: len(wanted)] == wanted
