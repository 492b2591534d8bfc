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

"""The callers that gain or lose access with the upgrade."""

from collections.abc import Iterable
from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import flags
from manila_precheck.checks.policy_rules import rule_snapshots
from manila_precheck.checks.policy_rules import wording
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.policy import check_strings
from manila_precheck.evidence.policy import policy_files

Severity = model.Severity
Cause = rule_snapshots.Cause
AccessChange = rule_snapshots.AccessChange

# Keystone's roles in ascending order, to propose one for a user who lost
# access.
_LADDER = ('reader', 'member', 'admin')


class Access:
    """The findings about callers whom the two releases treat differently."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._source = ctx.upgrade.source
        self._target = ctx.upgrade.target
        self._scope_turns = (
            flags.enforce_scope(ctx, self._source).value
            != flags.enforce_scope(ctx, self._target).value
        )
        self._worlds = rule_snapshots.RuleSnapshots(ctx)
        self._overridden = {
            **rule_snapshots.overrides(ctx, self._target),
            **rule_snapshots.overrides(ctx, self._source),
        }

    def findings(self) -> Iterator[model.Finding]:
        """Yield findings by rule for overrides, by role for the rest."""
        by_rule: dict[tuple[str, bool], list[AccessChange]] = {}
        by_scope: dict[Cause, list[AccessChange]] = {}
        by_role: dict[tuple[Cause, bool, str], list[AccessChange]] = {}
        for one in self._changes():
            if (
                one.caller.scope != 'project'
                and one.cause is not Cause.RELEASE
                and not one.opened
            ):
                by_scope.setdefault(one.cause, []).append(one)
            elif one.rule in self._overridden:
                by_rule.setdefault((one.rule, one.opened), []).append(one)
            else:
                name = f'{one.caller.scope} {_name(one.caller)}'
                group = (one.cause, one.opened, name)
                by_role.setdefault(group, []).append(one)
        for found in by_scope.values():
            yield self._of_scope(found)
        for found in by_role.values():
            yield from self._of_role(found)
        for (name, _opened), found in by_rule.items():
            yield self._of_rule(self._overridden[name], found)

    def _changes(self) -> Iterator[AccessChange]:
        """Yield the changes, without callers that others represent."""
        groups: dict[tuple[str, bool, Cause], list[AccessChange]] = {}
        for one in self._worlds.changes():
            known = one._replace(cause=self._cause(one))
            key = (known.rule, known.opened, known.cause)
            groups.setdefault(key, []).append(known)
        for found in groups.values():
            named = set(wording.fewest(one.caller for one in found))
            yield from (one for one in found if one.caller in named)

    def _cause(self, one: AccessChange) -> Cause:
        """Return the cause; for tokens of a wrong scope it is the scope."""
        if (
            one.cause is Cause.NEW_DEFAULTS
            and one.caller.scope != 'project'
            and self._scope_turns
        ):
            return Cause.SCOPE
        return one.cause

    # -- by scope, by role ---------------------------------------------------

    def _of_scope(self, found: list[AccessChange]) -> model.Finding:
        cause = found[0].cause
        rules = {one.rule for one in found}
        lost: dict[str, set[str]] = {}
        for one in found:
            name = f'{one.caller.scope} {wording.label(one.caller)}'
            lost.setdefault(name, set()).add(one.rule)
        scopes = {one.caller.scope for one in found}
        named = ' or '.join(s for s in callers.SCOPES if s in scopes)
        return self._of_flag(
            Severity.WARNING,
            cause,
            f'a token of {named} scope no longer passes {self._count(rules)}',
            [
                model.command(
                    'openstack role add --project PROJECT --user USER admin'
                )
            ],
            {
                'cause': cause.value,
                'rules': len(rules),
                **{
                    f'lost_by_{name.replace(" ", "_")}': ' '.join(
                        sorted(names)
                    )
                    for name, names in sorted(lost.items())
                },
            },
            'scope',
        )

    def _of_role(self, found: list[AccessChange]) -> Iterator[model.Finding]:
        targets: dict[str, set[str]] = {}
        for one in found:
            targets.setdefault(one.rule, set()).add(one.caller.target)
        away = {n for n, where in targets.items() if where == {'other'}}
        for foreign, rules in ((False, set(targets) - away), (True, away)):
            if rules:
                yield self._of_group(found[0], foreign, sorted(rules))

    def _of_group(
        self, one: AccessChange, foreign: bool, rules: list[str]
    ) -> model.Finding:
        caller, cause = one.caller, one.cause
        severity = Severity.INFO if foreign else Severity.WARNING
        verb = 'now passes' if one.opened else 'no longer passes'
        where = 'another project' if foreign else 'its project'
        text = (
            f'{wording.role(caller)} alone{wording.scope(caller)} {verb} '
            f'{self._count(rules)} on objects of {where}'
        )
        verdict = 'opened' if one.opened else 'lost'
        data: dict[str, model.Scalar] = {
            'cause': cause.value,
            'role': wording.label(caller),
            'scope': caller.scope,
            'rules': len(rules),
            verdict: ' '.join(rules),
        }
        aspect = (
            ('' if cause is Cause.RELEASE else f'{_name(caller)}-')
            + ('' if caller.scope == 'project' else f'{caller.scope}-')
            + verdict
            + ('-elsewhere' if foreign else '')
        )
        if one.opened:
            # manila itself grants this access on purpose.
            severity = (
                Severity.FAILURE if self._overridden else Severity.WARNING
            )
        remedy = [] if one.opened or foreign else self._step_up(rules)
        if cause is not Cause.RELEASE:
            return self._of_flag(severity, cause, text, remedy, data, aspect)
        return model.Finding(
            severity,
            model.Subject('role', wording.label(caller)),
            f'{text}: {self._target} decides differently from {self._source}',
            remedy,
            data=data,
            aspect=aspect,
        )

    def _count(self, rules: Iterable[str]) -> str:
        names = sorted(rules)
        total = len(self._worlds.judged)
        return f'{len(names)} of {total} rules ({wording.such_as(names)})'

    def _step_up(self, rules: list[str]) -> list[model.Remediation]:
        """Return the command that gives a user the least role required."""
        for step in _LADDER:
            if self._worlds.all_pass(rules, step):
                return [
                    model.command(
                        'openstack role add --project PROJECT --user USER {}',
                        step,
                    )
                ]
        return []

    def _of_flag(
        self,
        severity: Severity,
        cause: Cause,
        text: str,
        remedy: list[model.Remediation],
        data: dict[str, model.Scalar],
        aspect: str,
    ) -> model.Finding:
        read = (
            flags.enforce_scope
            if cause is Cause.SCOPE
            else flags.enforce_new_defaults
        )
        name, after = cause.value, read(self._ctx, self._target)
        setting = after.setting
        if after.known:
            why = (
                f'{name} is off by default in {self._source} and on in '
                f'{self._target}'
            )
            if severity is Severity.WARNING:
                line = model.config('[oslo_policy]\n{} = False', name)
                remedy = [*remedy, line]
        else:
            why = f'{self._target} has no {name} and always enforces scope'
        subject = config_files.subject(
            'option', f'oslo_policy/{name}', setting
        )
        return model.Finding(
            severity, subject, f'{text}: {why}', remedy, (), data, aspect
        )

    # -- by rule -------------------------------------------------------------

    def _of_rule(
        self, rule: policy_files.Rule, found: list[AccessChange]
    ) -> model.Finding:
        people = [one.caller for one in found]
        opened = found[0].opened
        text = (
            f'{rule.name} admits {wording.who(people)}, whom {self._source} '
            'rejects'
            if opened
            else f'{rule.name} rejects {wording.who(people)}, whom '
            f'{self._source} admits'
        )
        verdict = 'opened' if opened else 'lost'
        return model.Finding(
            Severity.FAILURE if opened else Severity.WARNING,
            model.Subject('policy', rule.name, rule.file, rule.line),
            text + self._because(rule, found),
            self._restore(rule),
            data={
                'verdict': verdict,
                'cause': ' '.join(sorted({one.cause.value for one in found})),
                'roles': ', '.join(dict.fromkeys(map(wording.label, people))),
            },
            aspect=verdict,
        )

    def _because(
        self, rule: policy_files.Rule, found: list[AccessChange]
    ) -> str:
        """Return the reason as the end of the message, or ''."""
        causes = {one.cause for one in found}
        if causes == {Cause.RELEASE}:
            if self._is_dropped(rule):
                return f': {self._target} does not read {rule.file}'
            return ''
        names = ' and '.join(sorted(c.value for c in causes - {Cause.RELEASE}))
        return f': {names} is on in {self._target}'

    def _is_dropped(self, rule: policy_files.Rule) -> bool:
        return rule.name not in rule_snapshots.overrides(
            self._ctx, self._target
        )

    def _restore(self, rule: policy_files.Rule) -> list[model.Remediation]:
        """Return the rule as a line for the file that the target reads.

        A rule that refers to one that does not exist is left out: it would
        open access.
        """
        if (
            self._is_dropped(rule)
            and isinstance(rule.check, str)
            and not self._dangles(rule)
        ):
            return [model.rule(rule.name, rule.check)]
        return []

    def _dangles(self, rule: policy_files.Rule) -> bool:
        known = {*self._overridden, *self._ctx.catalog.policies(self._target)}
        return not known.issuperset(check_strings.parse(rule.check).references)


def _name(caller: callers.Caller) -> str:
    """Return a caller as a part of a key: 'any-other'."""
    return wording.label(caller).replace(' ', '-')
