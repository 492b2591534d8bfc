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

"""The policy rules of a release."""

from typing import NamedTuple
from typing import Optional

from manila_precheck.catalog import history


class Policy(NamedTuple):
    """One rule that manila registers, with its default."""

    name: str
    """The rule: 'share:create', or a base rule such as 'project-reader'."""

    check: str
    """The default check string, in oslo.policy's language."""

    scope_types: tuple[str, ...] = ()
    """The token scopes that it accepts, sorted; empty: any."""

    deprecated_check: Optional[str] = None
    """The older default that is accepted beside the new one as long as
    enforce_new_defaults is off; None: there is none."""

    deprecated_name: Optional[str] = None
    """The older name; manila has never renamed a rule from 12 to 23."""

    deprecated_since: Optional[str] = None
    """The release that deprecated the older default, as manila writes it."""

    deprecated_for_removal: bool = False
    """Whether the rule will be removed."""

    def checks(self, new_defaults: bool) -> tuple[str, ...]:
        """Return the check strings of which one has to pass.

        The older default counts in addition to the new one if no file
        overrides the rule (oslo.policy 3.7.1 to 6.0.0 policy.py
        _handle_deprecated_rule()).

        :param new_defaults: whether enforce_new_defaults is on.
        """
        if new_defaults or self.deprecated_check in (None, self.check):
            return (self.check,)
        return self.check, self.deprecated_check or ''


def read(by_name: dict[str, list[history.Row]]) -> dict[str, Policy]:
    """Return the rules in rows, by name, sorted.

    :param by_name: the rows of policies.json of one release.
    """
    found = {}
    for name, rows in by_name.items():
        row = rows[0]
        old = row.get('deprecated_rule', {})
        found[name] = Policy(
            name=name,
            check=row['check'],
            scope_types=tuple(row.get('scope_types', ())),
            deprecated_check=old.get('check'),
            deprecated_name=old.get('name'),
            deprecated_since=old.get('since'),
            deprecated_for_removal=row.get('deprecated_for_removal', False),
        )
    return found
