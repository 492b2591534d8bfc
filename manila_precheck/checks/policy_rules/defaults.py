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

"""Overrides, compared with the defaults of the two releases."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import policies
from manila_precheck.checks.policy_rules import flags
from manila_precheck.engine import context
from manila_precheck.evidence.policy import check_strings
from manila_precheck.evidence.policy import policy_files

Severity = model.Severity


class Defaults:
    """The findings about overrides and the defaults that they replace."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._source = ctx.upgrade.source
        self._target = ctx.upgrade.target

    def findings(self, rule: policy_files.Rule) -> Iterator[model.Finding]:
        """Yield findings about an override of a rule of the target."""
        parsed = check_strings.parse(rule.check)
        after = self._ctx.catalog.policies(self._target)[rule.name]
        before = self._ctx.catalog.policies(self._source).get(rule.name)
        old = check_strings.parse(before.check) if before else None
        new = check_strings.parse(after.check)
        if new.canonical == parsed.canonical:
            yield from self._redundant(rule, before, after)
        elif old is not None and old.canonical == parsed.canonical:
            yield model.Finding(
                Severity.WARNING,
                rule.subject,
                f'{rule.name} is a copy of the default of {self._source}, '
                f'but {self._target} changes that default to '
                f'{after.check!r}; the copy keeps the old one',
                [
                    model.advice(
                        'Remove the rule, unless you want to keep the old '
                        'default.'
                    ).with_edits(
                        rule.edit(
                            'choose',
                            'remove it for the new default, or keep it',
                            True,
                        )
                    )
                ],
                data={'verdict': 'changed', 'default': after.check},
                aspect='copy',
            )
        elif old is not None and old.canonical != new.canonical:
            yield model.Finding(
                Severity.INFO,
                rule.subject,
                f'{rule.name} overrides a default that {self._target} changes '
                f'to {after.check!r}',
                [model.advice('Compare the override with the new default.')],
                data={'verdict': 'changed', 'default': after.check},
                aspect='default',
            )
        if before is not None and before.scope_types != after.scope_types:
            yield self._scope(rule, before, after)

    def _redundant(
        self,
        rule: policy_files.Rule,
        before: Optional[policies.Policy],
        after: policies.Policy,
    ) -> Iterator[model.Finding]:
        if not flags.has_older_default(self._ctx, self._target, after):
            edits = []
            if self._is_only_one(rule):
                edits = [
                    rule.edit(
                        'comment', early=self._is_default_now(rule, before)
                    )
                ]
            yield model.Finding(
                Severity.INFO,
                rule.subject,
                f'{rule.name} is the same as the default of {self._target}',
                [
                    model.advice('Remove the rule from the file.').with_edits(
                        *edits
                    )
                ],
                data={'verdict': 'redundant'},
                aspect='copy',
            )

    def _is_only_one(self, rule: policy_files.Rule) -> bool:
        """Say whether no other file has the rule, which would then apply."""
        found = [
            other
            for release in (self._source, self._target)
            for document in self._ctx.policy.of(release).in_force(True)
            for other in document.rules
            if other.name == rule.name
        ]
        return len({(other.file, other.line) for other in found}) == 1

    def _is_default_now(
        self, rule: policy_files.Rule, before: Optional[policies.Policy]
    ) -> bool:
        """Say whether the source has the same rule without the override."""
        if before is None:
            return False
        if flags.has_older_default(self._ctx, self._source, before):
            return False
        return (
            check_strings.parse(before.check).canonical
            == check_strings.parse(rule.check).canonical
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
        return model.Finding(
            Severity.WARNING,
            rule.subject,
            f'{rule.name} accepted tokens of {old} scope in {self._source} '
            f'and accepts those of {new} scope in {self._target}, whatever '
            'the override says; '
            + (
                'any other is rejected'
                if enforced
                else 'any other is rejected once enforce_scope is on'
            ),
            data={'verdict': 'scope', 'before': old, 'after': new},
            aspect='scope',
        )
