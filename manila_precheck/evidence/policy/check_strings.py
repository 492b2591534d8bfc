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

"""The meaning of a policy's check string, by oslo.policy's own parser.

The parser is imported on first use, and without the enforcer: most
deployments have no policy file, and the enforcer imports requests, YAML and
serialization.
"""

import ast
import collections
from collections.abc import Iterator
import contextlib
import functools
import json
import logging
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

#: How many parsed texts are cached: all those of any file that is read.
MAX_KEPT = 65_536

#: The kinds of checks that ask another server.
REMOTE = ('http', 'https')

_PARSER_LOG = 'oslo_policy._parser'

# A text that is one token of oslo.policy's grammar, but not a check.
_LONE_TOKEN = re.compile(r'\s*(?:and|or|not|[()]|(["\'])\S*\1)\s*', re.I)


class CheckString(NamedTuple):
    """A parsed check string."""

    canonical: str
    """As oslo.policy writes it: equal texts mean equal checks."""

    references: tuple[str, ...]
    """The rules to which it refers, in order, each once."""

    understood: bool
    """False when oslo.policy could not parse (a part of) it; that part then
    denies everybody."""

    usable: bool = True
    """False when oslo.policy raises an error for it; every request fails."""

    failing: tuple[str, ...] = ()
    """The parts that raise an error when a request evaluates them."""


def parse(check: Any) -> CheckString:
    """Parse a check.

    :param check: a value in a policy file: a check string, a list in the old
        syntax, or anything else by mistake.
    """
    if isinstance(check, str):
        return _parse_text(check)
    return _parse(check)


@functools.lru_cache(maxsize=MAX_KEPT)
def _parse_text(check: str) -> CheckString:
    return _parse(check)


def tree(check: Any) -> Any:
    """Return new oslo.policy objects for a check.

    :param check: as for :func:`parse`.
    :returns: the root check; None when oslo.policy raises an error.
    """
    from oslo_policy import _checks
    from oslo_policy import _parser

    with _silence(), _no_plugins():
        try:
            found = _parser.parse_rule(check)
        except (AttributeError, RecursionError, TypeError, ValueError):
            return None
    # NOTE: a lone token is returned as a text by oslo.policy before 5.0.
    return found if callable(found) else _checks.FalseCheck()


def is_lone_token(check: Any) -> bool:
    """Say whether a check is a single token: a quoted word, 'and', '('.

    oslo.policy before 5.0 (_parser.py ParseState.result) returns the token
    itself, and every request that uses it fails with 500; 5.0 denies all.
    """
    return isinstance(check, str) and bool(_LONE_TOKEN.fullmatch(check))


def inside_quotes(check: Any) -> str:
    """Return a check string that is wholly in quotes without them, or ''."""
    match = _LONE_TOKEN.fullmatch(check) if isinstance(check, str) else None
    if match is None or not match[1]:
        return ''
    inside = match[0].strip()[1:-1]
    return inside if inside and parse(inside).understood else ''


def _parse(check: Any) -> CheckString:
    root = tree(check)
    try:
        canonical = str(root)
    except RecursionError:
        root = None
    if root is None:
        return CheckString('', (), understood=False, usable=False)
    ends = list(leaves(root))
    refused = sum(str(leaf) == '!' for leaf in ends)
    return CheckString(
        canonical=canonical,
        references=tuple(
            dict.fromkeys(leaf.match for leaf in ends if is_reference(leaf))
        ),
        understood=refused == _written_refusals(check),
        failing=tuple(
            dict.fromkeys(str(leaf) for leaf in ends if always_fails(leaf))
        ),
    )


def members(check: Any) -> Optional[list[Any]]:
    """Return the checks directly below an oslo.policy check; None: a leaf."""
    if hasattr(check, 'rule'):
        return [check.rule]
    found: Optional[list[Any]] = getattr(check, 'rules', None)
    return found


def leaves(check: Any) -> Iterator[Any]:
    """Yield the leaves of a tree of oslo.policy checks."""
    # Not recursive: checks may be nested deeper than Python's stack.
    left = [check]
    while left:
        one = left.pop()
        below = members(one)
        if below is None:
            yield one
        else:
            left.extend(reversed(below))


def is_reference(leaf: Any) -> bool:
    """Say whether a leaf refers to another rule."""
    return getattr(leaf, 'kind', None) == 'rule'


def literal_role(leaf: Any) -> Optional[str]:
    """Return the role that a leaf names, in lower case; None if it names none.

    ``roles:member`` passes as ``role:member`` does, for a role that is written
    in the same case: oslo.policy looks through the lists of a token
    (_checks.py GenericCheck, 4.1 to 5.0).
    """
    if getattr(leaf, 'kind', None) in ('role', 'roles') and (
        '%' not in leaf.match
    ):
        role: str = leaf.match.lower()
        return role
    return None


def always_fails(leaf: Any) -> bool:
    """Say whether a leaf raises an error in every request.

    oslo.policy inserts values of the target into the part after the colon,
    and evaluates the part before it as a literal of Python. It expects a key
    that is missing, and a ValueError, but no other error (_checks.py RoleCheck
    and GenericCheck, 4.1 to 5.0).
    """
    kind = getattr(leaf, 'kind', None)
    if kind is None or kind == 'rule' or kind in REMOTE:
        return False
    try:
        # Whatever the keys are, the target has them.
        leaf.match % collections.defaultdict(str)
    except (TypeError, ValueError):
        return True
    if kind == 'role' or '%(' in leaf.match:
        return False
    try:
        ast.literal_eval(kind)
    except ValueError:
        return False
    except (MemoryError, RecursionError, SyntaxError, TypeError):
        return True
    return False


def _written_refusals(check: Any) -> int:
    """Count the '!' in the text; the parser adds one for each error."""
    if isinstance(check, str):
        return sum(word.strip('()') == '!' for word in re.split(r'\s+', check))
    if isinstance(check, list):
        written = json.dumps(check).count('"!"')
        # A list of empty lists denies everybody, but is not an error.
        return written or int(bool(check) and not any(check))
    return 0


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Disable the parser's log: the findings say what is wrong."""
    log = logging.getLogger(_PARSER_LOG)
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


@contextlib.contextmanager
def _no_plugins() -> Iterator[None]:
    """Prevent oslo.policy from loading the plugins for http: checks.

    Parsing such a check does not need them, and they import requests, which
    takes a tenth of the memory of a run.
    """
    from oslo_policy import _checks

    before = _checks.extension_checks
    _checks.extension_checks = {}
    try:
        yield
    finally:
        _checks.extension_checks = before
