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

"""The check ``policy-rules``."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.sources import check_strings
from manila_precheck.sources import policy

Severity = model.Severity

# oslo.policy 5.0.0 dropped pick_default_policy_file() and reads YAML alone;
# 2026.1 is the first release whose constraints have it (5.0.0; 2025.2 has
# 4.6.0, which falls back).
_JSON_GOES = '2026.1'


class PolicyRules(check.Check):
    """An override of a policy means something else, or nothing, in the target.

    Looked at are the files that manila's API reads: ``[oslo_policy]
    policy_file``, beside manila.conf, and ``policy_dirs``. No such file is
    normal, since manila brings its policies in its code: the check passes,
    having looked.

    A ``policy.json`` that no option names is enforced up to 2025.2, and
    silently ignored from 2026.1, whose oslo.policy has no fall-back: a rule
    that forbids something forbids nothing any more. A rule that refers to
    one that does not exist is decided by the rule ``default`` (``[oslo_policy]
    policy_default_rule``), admin or owner in manila: an override of
    ``service:index`` with ``rule:system-reader``, which Zed removed, lets
    every member of a project in. The only trace is a warning in the log.
    ``manila-status upgrade check`` says Success in all of these cases but
    that of a JSON file.

    FAILURE: the target ignores a file that the source enforces; the target
    cannot parse a file, and every request fails with 500; a rule refers to
    one that does not exist, and the default rule opens it. WARNING: a rule
    that the target no longer has; a check string that oslo.policy cannot
    parse, which denies; a rule with nothing behind it, which allows; a copy
    of a default of the source that the target changes; a file in JSON; a
    ``policy_file`` that does not exist. INFO: a rule that neither release
    has; a copy of the target's own default; a ``policy.json`` that neither
    release reads.

    Known false positives: none known. A rule that manila does not have is
    fine when other rules refer to it, and is not mentioned.

    What to do: the finding shows the line to write, or says what to remove.
    """

    id = 'policy-rules'
    title = 'Policy overrides'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG, model.Source.POLICY})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what is wrong with each file, then with each rule."""
        judge = _Judge(self, ctx)
        yield from judge.files()
        yield from judge.rules()


class _Judge:
    """The policy files, as the two releases read them."""

    def __init__(self, owner: PolicyRules, ctx: context.Context) -> None:
        self._owner = owner
        self._ctx = ctx
        self._files = ctx.policy
        self._source = ctx.upgrade.source
        self._target = ctx.upgrade.target
        # What the operator has in force now and will want to have later.
        self._documents = self._files.in_force(_falls_back(self._source))
        self._rules = policy.effective(self._documents)

    # -- files ---------------------------------------------------------------

    def files(self) -> Iterator[model.Finding]:
        missing = self._files.missing
        if missing is not None:
            yield self._owner.finding(
                Severity.WARNING,
                model.Subject(
                    'option',
                    f'{missing.group}/policy_file',
                    missing.file,
                    missing.line,
                ),
                f'policy_file = {missing.value} does not exist: manila runs '
                'with its own policies alone',
                [model.advice('Write the file, or remove the line.')],
            )
        if self._files.old_default is not None:
            yield self._old_default(self._files.old_default)
        for document in self._files.documents:
            yield from self._document(document)

    def _old_default(self, document: policy.PolicyFile) -> model.Finding:
        before, after = _falls_back(self._source), _falls_back(self._target)
        target = document.path[: -len('.json')] + '.yaml'
        convert = [
            model.command(
                'oslopolicy-convert-json-to-yaml --namespace manila '
                f'--policy-file {document.path} --output-file {target}'
            )
        ]
        if not before:
            return self._about(
                Severity.INFO,
                document,
                f'{document.path} is ignored: no option names it, and '
                f'neither {self._source} nor {self._target} looks for it',
                [model.advice('Remove it.')],
            )
        if after:
            return self._about(
                Severity.WARNING,
                document,
                f'{document.path} is read because there is no policy.yaml; '
                f'{_JSON_GOES} ignores it',
                convert,
            )
        return self._about(
            Severity.FAILURE if document.rules else Severity.INFO,
            document,
            f'{document.path} is enforced by {self._source} and silently '
            f'ignored by {self._target}: its overrides are lost',
            convert,
            {'rules': len(document.rules)},
        )

    def _document(
        self, document: policy.PolicyFile
    ) -> Iterator[model.Finding]:
        problem = document.problem
        if document.is_json and (problem is None or _falls_back(self._target)):
            yield self._about(
                Severity.WARNING,
                document,
                f'{document.path} is JSON, which oslo.policy has deprecated',
                [
                    model.command(
                        'oslopolicy-convert-json-to-yaml --namespace manila '
                        f'--policy-file {document.path} --output-file '
                        f'{document.path}.yaml'
                    )
                ],
            )
        elif problem is not None:
            now = (
                f'; {self._source} reads it as JSON'
                if document.is_json and _falls_back(self._source)
                else ''
            )
            yield self._owner.finding(
                Severity.FAILURE,
                model.Subject(
                    'policy-file',
                    document.path.rpartition('/')[2],
                    document.path,
                    problem.line,
                ),
                f'{document.path} cannot be parsed ({problem.text}): with '
                f'{self._target} every request fails with 500{now}',
                [model.advice('Correct the file.')],
            )

    def _about(
        self,
        severity: Severity,
        document: policy.PolicyFile,
        message: str,
        remediation: list[model.Remediation],
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        name = document.path.rpartition('/')[2]
        return self._owner.finding(
            severity,
            model.Subject('policy-file', name, document.path),
            message,
            remediation,
            data=data,
        )

    # -- rules ---------------------------------------------------------------

    def rules(self) -> Iterator[model.Finding]:
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
        for name, rule in self._rules.items():
            yield from self._syntax(rule, parsed[name])
            for reference in parsed[name].references:
                yield from self._reference(rule, reference)
            if name in self._ctx.catalog.policies(self._target):
                yield from self._copy(rule, parsed[name])
            elif name not in used and name != self._files.default_rule:
                yield self._unknown(rule)

    def _syntax(
        self, rule: policy.Rule, parsed: check_strings.CheckString
    ) -> Iterator[model.Finding]:
        if not parsed.usable:
            yield self._of(
                Severity.FAILURE,
                rule,
                'invalid',
                f'{rule.name}: {rule.check!r} is no check string; every '
                'request fails with 500',
                'syntax',
            )
        elif not parsed.understood:
            opens = 'not !' in parsed.canonical
            yield self._of(
                Severity.FAILURE if opens else Severity.WARNING,
                rule,
                'invalid',
                f'{rule.name}: {rule.check!r} cannot be parsed; '
                + (
                    'behind "not", what is not understood allows everyone'
                    if opens
                    else 'what is not understood allows nobody'
                ),
                'syntax',
            )
        elif rule.check is None:
            yield self._of(
                Severity.WARNING,
                rule,
                'open',
                f'{rule.name} has nothing behind it: everyone is allowed (an '
                'unquoted ! is nothing to YAML)',
                'empty',
                [model.policy(f'"{rule.name}": "!"')],
            )

    def _reference(
        self, rule: policy.Rule, reference: str
    ) -> Iterator[model.Finding]:
        registered = self._ctx.catalog.policies(self._target)
        if reference in registered or reference in self._rules:
            return
        default = self._files.default_rule
        closed = self._is_closed(default)
        gone = (
            f'{self._source} has it'
            if reference in self._ctx.catalog.policies(self._source)
            else f'{self._source} has none such either'
        )
        effect = (
            'the rule denies'
            if closed
            else f'rule {default!r} decides instead, and may let others in'
        )
        own = registered.get(rule.name)
        yield self._of(
            Severity.WARNING if closed else Severity.FAILURE,
            rule,
            'dangling',
            f'{rule.name} refers to rule {reference!r}, which {self._target} '
            f'does not have ({gone}): {effect}',
            f'reference-{reference}',
            [
                model.policy(f'"{rule.name}": "{own.check}"')
                if own is not None
                else model.advice(f'Define rule {reference!r} in the file.')
            ],
            {'reference': reference, 'stands_in': default},
        )

    def _is_closed(self, default: str) -> bool:
        """Say whether the stand-in for undefined rules allows nobody."""
        rule = self._rules.get(default)
        registered = self._ctx.catalog.policies(self._target).get(default)
        if rule is not None:
            return check_strings.parse(rule.check).canonical == '!'
        return registered is None

    def _copy(
        self, rule: policy.Rule, parsed: check_strings.CheckString
    ) -> Iterator[model.Finding]:
        after = self._ctx.catalog.policies(self._target)[rule.name]
        before = self._ctx.catalog.policies(self._source).get(rule.name)
        if check_strings.parse(after.check).canonical == parsed.canonical:
            if after.deprecated_check is None or self._new_defaults():
                yield self._of(
                    Severity.INFO,
                    rule,
                    'redundant',
                    f'{rule.name} is what {self._target} has anyway',
                    'copy',
                    [model.advice('Remove the rule from the file.')],
                )
        elif (
            before is not None
            and check_strings.parse(before.check).canonical == parsed.canonical
        ):
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

    def _new_defaults(self) -> bool:
        """Say whether older defaults are no longer accepted."""
        conf = self._ctx.config
        text = conf.value('oslo_policy', 'enforce_new_defaults')
        if text is not None:
            return text.lower() in ('true', '1', 'on', 'yes')
        match = self._ctx.catalog.options(self._target).find(
            'oslo_policy', 'enforce_new_defaults'
        )
        return match is not None and match.option.default is True

    def _unknown(self, rule: policy.Rule) -> model.Finding:
        if rule.name in self._ctx.catalog.policies(self._source):
            return self._of(
                Severity.WARNING,
                rule,
                'removed',
                f'{rule.name} is gone in {self._target}: the override has no '
                'effect any more',
                remediation=[model.advice('Remove the rule from the file.')],
            )
        # Here, since few runs look for a misspelling.
        import difflib

        known = self._ctx.catalog.policies(self._target)
        near = difflib.get_close_matches(rule.name, known, 1, 0.8)
        return self._of(
            Severity.INFO,
            rule,
            'unknown',
            f'{rule.name} is a rule of neither {self._source} nor '
            f'{self._target}, and no rule refers to it: it has no effect',
            remediation=[
                model.advice(
                    f'Did you mean {near[0]}?'
                    if near
                    else 'Remove the rule from the file.'
                )
            ],
        )

    def _of(
        self,
        severity: Severity,
        rule: policy.Rule,
        verdict: str,
        message: str,
        aspect: str = '',
        remediation: Optional[list[model.Remediation]] = None,
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        return self._owner.finding(
            severity,
            model.Subject('policy', rule.name, rule.file, rule.line),
            message,
            remediation or [],
            data={'verdict': verdict, **(data or {})},
            aspect=aspect,
        )


def _falls_back(release: releases.Release) -> bool:
    """Say whether a release reads a policy.json that nothing names."""
    return release < releases.parse(_JSON_GOES)
