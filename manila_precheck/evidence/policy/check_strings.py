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

"""What a policy's check string means, by oslo.policy's own parser.

The parser is imported on the first look only, without the enforcer around
it: most deployments have no policy file, and the enforcer brings requests,
YAML and serialization along.
"""

from collections.abc import Iterator
import contextlib
import functools
import json
import logging
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

#: Texts that are kept once parsed: those of any file that is read at all.
MAX_KEPT = 65_536

_PARSER_LOG = 'oslo_policy._parser'

# What is one token of oslo.policy's grammar, and no check.
_LONE_TOKEN = re.compile(r'\s*(?:and|or|not|[()]|(["\'])\S*\1)\s*', re.I)


class CheckString(NamedTuple):
    """A check string, taken apart."""

    canonical: str
    """oslo.policy's own text for it: equal texts mean equal checks."""

    references: tuple[str, ...]
    """The rules that it names, in order, each once."""

    understood: bool
    """False when oslo.policy could not parse (a part of) it: that part then
    allows nobody."""

    usable: bool = True
    """False when oslo.policy raises over it: every request then fails."""


def parse(check: Any) -> CheckString:
    """Take a check apart.

    :param check: what a policy file holds: a check string, or a list in the
        old syntax, or anything else by mistake.
    """
    if isinstance(check, str):
        return _parse_text(check)
    return _parse(check)


@functools.lru_cache(maxsize=MAX_KEPT)
def _parse_text(check: str) -> CheckString:
    return _parse(check)


def tree(check: Any) -> Any:
    """Return oslo.policy's checks for a check, made anew.

    :param check: as for :func:`parse`.
    :returns: the check at the root; None when oslo.policy raises over it.
    """
    from oslo_policy import _checks
    from oslo_policy import _parser

    with _silence(), _no_plugins():
        try:
            found = _parser.parse_rule(check)
        except (AttributeError, RecursionError, TypeError, ValueError):
            return None
    # NOTE: a lone token, in oslo.policy before 5.0.
    return found if callable(found) else _checks.FalseCheck()


def is_lone_token(check: Any) -> bool:
    """Say whether a check is a single token: a quoted word, 'and', '('.

    oslo.policy before 5.0 (_parser.py ParseState.result) takes it as it is,
    and every request that comes to it fails with 500; 5.0 lets nobody pass.
    """
    return isinstance(check, str) and bool(_LONE_TOKEN.fullmatch(check))


def inside_quotes(check: Any) -> str:
    """Return the check string that stands in quotes of its own, or ''."""
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
    )


def members(check: Any) -> Optional[list[Any]]:
    """Return the checks right below one of oslo.policy; None below a leaf."""
    if hasattr(check, 'rule'):
        return [check.rule]
    found: Optional[list[Any]] = getattr(check, 'rules', None)
    return found


def leaves(check: Any) -> Iterator[Any]:
    """Yield the checks at the ends of a tree of oslo.policy."""
    # Not by calling itself: an operator may nest deeper than Python calls.
    left = [check]
    while left:
        one = left.pop()
        below = members(one)
        if below is None:
            yield one
        else:
            left.extend(reversed(below))


def is_reference(leaf: Any) -> bool:
    """Say whether a leaf names another rule."""
    return getattr(leaf, 'kind', None) == 'rule'


def _written_refusals(check: Any) -> int:
    """Count the '!' that somebody wrote; the parser adds one per error."""
    if isinstance(check, str):
        return sum(word.strip('()') == '!' for word in re.split(r'\s+', check))
    if isinstance(check, list):
        written = json.dumps(check).count('"!"')
        # A list of empty lists allows nobody, and is no error.
        return written or int(bool(check) and not any(check))
    return 0


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the parser's log to itself: the findings say what is wrong."""
    log = logging.getLogger(_PARSER_LOG)
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


@contextlib.contextmanager
def _no_plugins() -> Iterator[None]:
    """Keep oslo.policy from loading the plugins that enforce http: checks.

    To parse one its kind is enough, and the plugins bring requests along: a
    tenth of the memory of a run.
    """
    from oslo_policy import _checks

    before = _checks.extension_checks
    _checks.extension_checks = {}
    try:
        yield
    finally:
        _checks.extension_checks = before
