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

"""The effect of each override in the policy files on the target."""

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import policies
from manila_precheck.checks.policy_rules import callers
from manila_precheck.checks.policy_rules import consequences
from manila_precheck.checks.policy_rules import defaults
from manila_precheck.checks.policy_rules import enforcement
from manila_precheck.checks.policy_rules import flags
from manila_precheck.checks.policy_rules import rule_graph
from manila_precheck.checks.policy_rules import wording
from manila_precheck.engine import context
from manila_precheck.evidence.policy import check_strings
from manila_precheck.evidence.policy import policy_files

Severity = model.Severity

#: The most unknown rules for which a similar name is searched.
MAX_GUESSES = 1000

# The effects of an undefined reference for which the default of the rule is a
# safe remedy: it admits fewer callers, or those for whom the rule is meant.
_MENDED_BY_DEFAULT = ('opens', 'fails', 'unknown', 'unused')

# For each effect of an undefined reference, the changes of access that the
# finding describes.
_DESCRIBED = {
    'opens': ('opened',),
    'denies': ('opened', 'lost'),
    'changes': ('opened', 'lost'),
}


class Rules:
    """The overrides in force, compared with the rules of both releases."""

    def __init__(self, ctx: context.Context) -> None:
        self._defaults = defaults.Defaults(ctx)
        self._ctx = ctx
        self._source = ctx.upgrade.source
        self._target = ctx.upgrade.target
        self._files = ctx.policy.of(self._target)
        # Each search takes about a millisecond.
        self._guesses = MAX_GUESSES
        # The overrides that are in force now and should stay so.
        self._documents = ctx.policy.of(self._source).in_force(
            policy_files.falls_back(self._source)
        )
        self._rules = policy_files.effective(self._documents)

    def findings(self) -> Iterator[model.Finding]:
        if not self._rules:
            return
        parsed = {
            name: check_strings.parse(rule.check)
            for name, rule in self._rules.items()
        }
        used = {
            reference
            for checks in parsed.values()
            for reference in checks.references
        }
        cycles = self._in_cycles(used)
        known = {*self._rules, *self._ctx.catalog.policies(self._target)}
        suspects = [
            name
            for name, checks in parsed.items()
            if name in cycles
            or checks.failing
            or not known.issuperset(checks.references)
        ]
        self._consequences = consequences.Consequences(
            self._ctx, self._rules, suspects
        )
        for name, rule in self._rules.items():
            registered = name in self._ctx.catalog.policies(self._target)
            idle = not (
                registered or name in used or name == self._files.default_rule
            )
            if not (idle and parsed[name].usable):
                yield from self._syntax(rule, parsed[name])
            if name in cycles:
                yield self._cycle(rule)
            elif parsed[name].failing and not idle:
                yield self._failing(rule, parsed[name].failing[0])
            for reference in parsed[name].references:
                yield from self._reference(rule, reference, cycles)
            if registered:
                yield from self._defaults.findings(rule)
            elif idle:
                yield self._unknown(rule)

    def _syntax(
        self, rule: policy_files.Rule, parsed: check_strings.CheckString
    ) -> Iterator[model.Finding]:
        if not parsed.usable:
            yield model.Finding(
                Severity.FAILURE,
                rule.subject,
                f'{rule.name}: {rule.check!r} is not a check string; every '
                'request fails with 500',
                self._written_anew(rule),
                data={'verdict': 'invalid'},
                aspect='syntax',
            )
        elif not parsed.understood:
            opens = 'not !' in parsed.canonical
            yield model.Finding(
                Severity.FAILURE if opens else Severity.WARNING,
                rule.subject,
                f'{rule.name}: {rule.check!r} cannot be parsed; '
                + (
                    'behind "not", a check that cannot be parsed allows '
                    'everyone'
                    if opens
                    else 'a check that cannot be parsed allows nobody'
                ),
                self._written_anew(rule),
                data={'verdict': 'invalid'},
                aspect='syntax',
            )
        elif rule.check is None:
            # Everyone is allowed with "", too, but an empty value is a
            # mistake.
            yield model.Finding(
                Severity.FAILURE,
                rule.subject,
                f'{rule.name} is empty: everyone is allowed (YAML reads an '
                'unquoted ! as empty)',
                [model.rule(rule.name, '!').with_edits(rule.edit('set', '!'))],
                data={'verdict': 'open'},
                aspect='empty',
            )

    def _written_anew(
        self, rule: policy_files.Rule
    ) -> list[model.Remediation]:
        inside = check_strings.inside_quotes(rule.check)
        if inside:
            # Not early: the source, too, rejects everybody until then.
            return [
                model.advice('Write it without the quotes inside:'),
                model.rule(rule.name, inside).with_edits(
                    rule.edit('set', inside)
                ),
            ]
        own = self._ctx.catalog.policies(self._target).get(rule.name)
        choose = rule.edit('choose', 'a check string of oslo.policy', True)
        if own is None:
            return [
                model.advice(
                    'Write it as a check string of oslo.policy.'
                ).with_edits(choose)
            ]
        return [
            model.advice(
                'Write it as a check string of oslo.policy, or have the '
                f'default of {self._target}:'
            ).with_edits(choose),
            self._default(rule, own).with_edits(),
        ]

    def _reference(
        self,
        rule: policy_files.Rule,
        reference: str,
        cycles: frozenset[str],
    ) -> Iterator[model.Finding]:
        registered = self._ctx.catalog.policies(self._target)
        if reference in registered or reference in self._rules:
            return
        default = self._files.default_rule
        gone = (
            f'{self._source} has it'
            if reference in self._ctx.catalog.policies(self._source)
            else f'nor does {self._source}'
        )
        severity, effect, text = self._effect(rule)
        if effect != 'opens' and rule.name in cycles:
            return
        if effect != 'unused':
            text = (
                f'rule {default!r} applies instead, and {text}'
                if default in registered or default in self._rules
                else f'there is no rule {default!r} to apply instead, and '
                + text
            )
        own = registered.get(rule.name)
        yield model.Finding(
            severity,
            rule.subject,
            f'{rule.name} refers to rule {reference!r}, which {self._target} '
            f'does not have ({gone}): {text}',
            [self._rule_instead(rule, reference, own, effect)],
            data={
                'verdict': 'dangling',
                'reference': reference,
                'stands_in': default,
                'effect': effect,
                **self._turns(rule, effect),
            },
            aspect=f'reference-{reference}',
        )

    def _turns(
        self, rule: policy_files.Rule, effect: str
    ) -> dict[str, model.Scalar]:
        """Return 'opened' or 'lost' if the upgrade changes who passes."""
        found = self._consequences.of(rule.name)
        if found is None:
            return {}
        before, after = (
            {pair for pair in pairs if pair[0] == rule.name}
            for pairs in (found.before, self._in_source(found.after))
        )
        return {
            word: rule.name
            for word, pairs in (
                ('opened', after - before),
                ('lost', before - after),
            )
            if word in _DESCRIBED.get(effect, ())
            and any(caller.scope == 'project' for _, caller in pairs)
        }

    def _rule_instead(
        self,
        rule: policy_files.Rule,
        reference: str,
        own: Optional[policies.Policy],
        effect: str,
    ) -> model.Remediation:
        """Return how to correct a rule that refers to an undefined one."""
        choose = rule.edit('choose', f'define {reference!r}', True)
        if own is None:
            return model.advice(
                f'Define rule {reference!r} in the file.'
            ).with_edits(choose)
        default = self._default(rule, own)
        if effect in _MENDED_BY_DEFAULT:
            return default
        # The default may admit callers whom nobody admits today.
        return default.with_edits(
            choose._replace(
                value=f'define {reference!r}, or have the default of '
                f'{self._target}'
            )
        )

    def _effect(self, rule: policy_files.Rule) -> tuple[Severity, str, str]:
        """Return the effect of an undefined reference: a word, a clause."""
        found = self._consequences.of(rule.name)
        if found is None:
            return (
                Severity.FAILURE,
                'unknown',
                'who passes was not checked: there are too many roles to try',
            )
        if not found.rules:
            return (
                Severity.INFO,
                'unused',
                f'no rule that {self._target} enforces needs {rule.name}',
            )
        if found.opened:
            return Severity.FAILURE, 'opens', self._opening(rule, found)
        where = self._where(rule, found.rules)
        if found.after:
            if found.everybody <= found.after:
                text = f'everybody passes{where and " " + where}, whatever it '
                text += 'says'
            else:
                text = (
                    f'{self._admit(rule, found.rules)} only '
                    f'{_who(found.after)}'
                )
            before, after = found.before, self._in_source(found.after)
        elif found.failing:
            return (
                Severity.FAILURE,
                'fails',
                f'a request{where and " that needs " + where} fails with 400 '
                'or 500'
                + self._also(
                    found.failing_before, self._in_source(found.failing)
                ),
            )
        else:
            text = f'nobody passes{where and " " + where}'
            before, after = found.before, frozenset()
        text += self._also(before, after)
        if not found.after:
            return Severity.WARNING, 'denies', text
        if before == after:
            return Severity.INFO, 'none', text
        return Severity.WARNING, 'changes', text

    def _opening(
        self, rule: policy_files.Rule, found: consequences.Consequence
    ) -> str:
        rules = {name for name, _caller in found.opened}
        where = self._where(rule, rules)
        if {p for p in found.everybody if p[0] in rules} <= found.after:
            text = f'everybody passes{where and " " + where}'
        else:
            text = (
                f'{self._admit(rule, rules)} {_who(found.opened)}, whom '
                + (
                    f'the default of {self._target} rejects'
                    if len(rules) == 1
                    else f'the defaults of {self._target} reject'
                )
            )
        after = self._in_source(found.opened)
        return text + self._also(found.before & found.opened, after)

    def _admit(self, rule: policy_files.Rule, rules: Collection[str]) -> str:
        verb = 'admits' if len(rules) == 1 else 'admit'
        return f'{self._where(rule, rules) or "it"} {verb}'

    def _where(self, rule: policy_files.Rule, rules: Collection[str]) -> str:
        """Return the rules that an override affects; '' if only itself."""
        return '' if set(rules) == {rule.name} else wording.such_as(rules)

    def _in_source(self, found: consequences.Pairs) -> consequences.Pairs:
        """Leave out the rules that the source does not have."""
        registered = self._ctx.catalog.policies(self._source)
        return frozenset(pair for pair in found if pair[0] in registered)

    def _also(
        self, before: consequences.Pairs, after: consequences.Pairs
    ) -> str:
        """Return the end of a clause about the same in the source."""
        if before == after:
            return f', in {self._source} too'
        if before:
            return f'; in {self._source}: {_who(before)}'
        return f'; in {self._source}: nobody'

    def _default(
        self, rule: policy_files.Rule, own: policies.Policy
    ) -> model.Remediation:
        """Return how to restore the default of the target for a rule."""
        if flags.has_older_default(self._ctx, self._target, own):
            # A rule in a file would exclude the older default.
            return model.advice(
                f'Remove {rule.name} from {rule.file}.'
            ).with_edits(*self._dropped(rule))
        return model.rule(rule.name, own.check).with_edits(
            rule.edit('set', own.check)
        )

    def _dropped(self, rule: policy_files.Rule) -> list[model.Edit]:
        """Return how to remove a rule, if no earlier one then applies."""
        if self._is_only_one(rule):
            return [rule.edit('comment')]
        return [rule.edit('choose', 'remove it here and in the other files')]

    def _is_only_one(self, rule: policy_files.Rule) -> bool:
        found = [
            other
            for document in self._documents
            for other in document.rules
            if other.name == rule.name
        ]
        return len(found) == 1

    def _in_cycles(self, used: Iterable[str]) -> frozenset[str]:
        """Return the rules that refer to themselves, also through others."""
        registered = self._ctx.catalog.policies(self._target)
        names = dict.fromkeys((*self._rules, *registered, *used))
        return rule_graph.in_cycles(
            {name: self._references(name) for name in names}
        )

    def _references(self, name: str) -> tuple[str, ...]:
        """Return the rules to which one refers in the target."""
        registered = self._ctx.catalog.policies(self._target)
        if name not in self._rules and name not in registered:
            default = self._files.default_rule
            return (default,) if default != name else ()
        if name in self._rules:
            check = self._rules[name].check
        else:
            check = registered[name].check
        return check_strings.parse(check).references

    def _cycle(self, rule: policy_files.Rule) -> model.Finding:
        severity, effect, text = self._failures(rule)
        return model.Finding(
            severity,
            rule.subject,
            f'{rule.name} refers to itself, or to a rule that refers to it: '
            + text,
            [
                model.advice(
                    'Remove the reference from one of the rules.'
                ).with_edits(rule.edit('choose', 'remove a reference', True))
            ],
            data={'verdict': 'cycle', 'effect': effect},
            aspect='cycle',
        )

    def _failing(self, rule: policy_files.Rule, part: str) -> model.Finding:
        severity, effect, text = self._failures(rule)
        return model.Finding(
            severity,
            rule.subject,
            f'{rule.name}: {part!r} raises an error when it is evaluated: '
            + text,
            self._written_anew(rule),
            data={'verdict': 'invalid', 'effect': effect},
            aspect='syntax',
        )

    def _failures(self, rule: policy_files.Rule) -> tuple[Severity, str, str]:
        """Return the effect of a rule that refers to itself."""
        found = self._consequences.of(rule.name)
        if found is None:
            return (
                Severity.FAILURE,
                'fails',
                'a request that evaluates it fails with 400 or 500',
            )
        if not found.failing:
            return (
                Severity.INFO,
                'none',
                f'no request evaluates it in {self._target}',
            )
        failing = found.failing
        if any(name == enforcement.ADMIN_RULE for name, _caller in failing):
            # manila evaluates it before the rule of the request.
            failing = _of(enforcement.ADMIN_RULE, failing)
            what = 'every request'
        else:
            names = {name for name, _caller in failing}
            what = f'a request that needs {wording.such_as(names)}'
        text = f'{what} fails with 400 or 500'
        guards = {name for name, _caller in failing}
        everybody = {pair for pair in found.everybody if pair[0] in guards}
        if not everybody <= failing:
            text += f' for {_who(failing)}'
        text += self._also(
            found.failing_before & failing, self._in_source(failing)
        )
        return Severity.FAILURE, 'fails', text

    def _unknown(self, rule: policy_files.Rule) -> model.Finding:
        if rule.name in self._ctx.catalog.policies(self._source):
            return model.Finding(
                Severity.WARNING,
                rule.subject,
                f'{rule.name} was removed in {self._target}: the override no '
                'longer has an effect',
                [
                    model.advice('Remove the rule from the file.').with_edits(
                        rule.edit('comment')
                    )
                ],
                data={'verdict': 'removed'},
            )
        # Imported here because few runs look for a misspelling.
        import difflib

        known = self._ctx.catalog.policies(self._target)
        near = []
        if self._guesses:
            self._guesses -= 1
            near = difflib.get_close_matches(rule.name, known, 1, 0.8)
        return model.Finding(
            Severity.INFO,
            rule.subject,
            f'{rule.name} has no effect: neither {self._source} nor '
            f'{self._target} has such a rule, and no rule refers to it',
            [
                model.advice(
                    f'Did you mean {near[0]}?'
                    if near
                    else 'Remove the rule from the file.'
                ).with_edits(
                    *[] if near else [rule.edit('comment', early=True)]
                )
            ],
            data={'verdict': 'unknown'},
        )


def _who(found: Collection[tuple[str, callers.Caller]]) -> str:
    """Return some callers as one phrase.

    Callers that are already named with a token of a project are not named
    again with another scope.
    """
    people = {caller for _name, caller in found}
    usual = {one.parts for one in people if one.scope == 'project'}
    return wording.who(
        one
        for one in people
        if one.scope == 'project' or one.parts not in usual
    )


def _of(
    name: str, found: frozenset[tuple[str, callers.Caller]]
) -> frozenset[tuple[str, callers.Caller]]:
    return frozenset(pair for pair in found if pair[0] == name)
