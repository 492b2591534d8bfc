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

"""What an override is beside the defaults of the two releases."""

from collections.abc import Iterator
import functools

from manila_precheck import model
from manila_precheck.catalog import policies
from manila_precheck.checks.policy_rules import flags
from manila_precheck.checks.policy_rules import said
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.policy import check_strings
from manila_precheck.evidence.policy import policy_files

Severity = model.Severity


class Defaults:
    """The defaults that an override takes the place of."""

    def __init__(self, owner: check.Check, ctx: context.Context) -> None:
        self._of = functools.partial(said.of_rule, owner)
        self._ctx = ctx
        self._source = ctx.upgrade.source
        self._target = ctx.upgrade.target

    def findings(self, rule: policy_files.Rule) -> Iterator[model.Finding]:
        """Yield what is to be said of an override of a rule of the target."""
        parsed = check_strings.parse(rule.check)
        after = self._ctx.catalog.policies(self._target)[rule.name]
        before = self._ctx.catalog.policies(self._source).get(rule.name)
        old = check_strings.parse(before.check) if before else None
        new = check_strings.parse(after.check)
        if new.canonical == parsed.canonical:
            yield from self._redundant(rule, after)
        elif old is not None and old.canonical == parsed.canonical:
            yield self._of(
                Severity.WARNING,
                rule,
                'changed',
                f'{rule.name} is a copy of the default of {self._source}, '
                f'which {self._target} changes to {after.check!r}; the copy '
                'keeps the old one',
                'copy',
                [model.advice('Remove the rule, unless it is meant.')],
                {'default': after.check},
            )
        elif old is not None and old.canonical != new.canonical:
            yield self._of(
                Severity.INFO,
                rule,
                'changed',
                f'{rule.name} overrides a default that {self._target} changes '
                f'to {after.check!r}',
                'default',
                [model.advice('Hold the override against the new default.')],
                {'default': after.check},
            )
        if before is not None and before.scope_types != after.scope_types:
            yield self._scope(rule, before, after)

    def _redundant(
        self, rule: policy_files.Rule, after: policies.Policy
    ) -> Iterator[model.Finding]:
        if not flags.has_older_default(self._ctx, self._target, after):
            yield self._of(
                Severity.INFO,
                rule,
                'redundant',
                f'{rule.name} is what {self._target} has anyway',
                'copy',
                [model.advice('Remove the rule from the file.')],
            )

    def _scope(
        self,
        rule: policy_files.Rule,
        before: policies.Policy,
        after: policies.Policy,
    ) -> model.Finding:
        old, new = (
            ' and '.join(facts.scope_types) or 'any'
            for facts in (before, after)
        )
        enforced = flags.enforce_scope(self._ctx, self._target).value
        return self._of(
            Severity.WARNING,
            rule,
            'scope',
            f'{rule.name} took tokens of {old} scope in {self._source} and '
            f'takes those of {new} scope in {self._target}, override or not; '
            + (
                'any other is refused'
                if enforced
                else 'any other is refused once enforce_scope is on'
            ),
            'scope',
            data={'before': old, 'after': new},
        )
