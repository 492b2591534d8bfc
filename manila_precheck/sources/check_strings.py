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

oslo.policy is imported on the first look only: most deployments have no
policy file, and the import costs more than the rest of the run.
"""

from collections.abc import Iterator
import contextlib
import functools
import json
import logging
import re
from typing import Any
from typing import NamedTuple

_PARSER_LOG = 'oslo_policy._parser'


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

    @property
    def allows_all(self) -> bool:
        """Say whether every caller passes."""
        return self.canonical == '@'


def parse(check: Any) -> CheckString:
    """Take a check apart.

    :param check: what a policy file holds: a check string, or a list in the
        old syntax, or anything else by mistake.
    """
    if isinstance(check, str):
        return _parse_text(check)
    return _parse(check)


@functools.lru_cache(maxsize=2048)
def _parse_text(check: str) -> CheckString:
    return _parse(check)


def _parse(check: Any) -> CheckString:
    from oslo_policy import policy

    with _silence(), _no_plugins():
        try:
            tree = policy.RuleDefault('a-rule', check).check
        except (AttributeError, TypeError, ValueError):
            return CheckString('', (), understood=False, usable=False)
    if not callable(tree):
        # NOTE: a quoted word; oslo.policy before 4.6 returned it as it is.
        return CheckString('!', (), understood=False)
    leaves = list(_leaves(tree))
    refused = sum(str(leaf) == '!' for leaf in leaves)
    return CheckString(
        canonical=str(tree),
        references=tuple(
            dict.fromkeys(leaf.match for leaf in leaves if _is_reference(leaf))
        ),
        understood=refused == _written_refusals(check),
    )


def _leaves(check: Any) -> Iterator[Any]:
    """Yield the checks at the ends of a tree of oslo.policy."""
    members = getattr(check, 'rules', None)
    if members is None and hasattr(check, 'rule'):
        members = [check.rule]
    if members is None:
        yield check
        return
    for member in members:
        yield from _leaves(member)


def _is_reference(leaf: Any) -> bool:
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
