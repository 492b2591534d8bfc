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

"""Who may use the API, and the accounts of manila in other services."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import re
from typing import Any
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.catalog import policies as policies_
from manila_precheck.checks.running_config import comparison
from manila_precheck.evidence import paste
from manila_precheck.evidence.policy import policy_files

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING

_GROUPS = (
    'keystone_authtoken',
    'nova',
    'neutron',
    'cinder',
    'glance',
    'barbican',
)
_USER = ('username', 'user_id', 'application_credential_id')
_WHERE = ('project_name', 'project_id', 'region_name')
_LOGIN = (
    *_USER,
    'user_domain_name',
    'user_domain_id',
    *_WHERE,
    'project_domain_name',
    'project_domain_id',
    'auth_url',
)

# Policy checks that admit everybody.
_EVERYBODY = ('', '@')
# Policy checks that admit nobody, administrators, or a single role. reader and
# member do not count, because every member of a project has them.
_NARROW = re.compile(r'!|is_admin:True|role:(?!reader$|member$)[\w.-]+')

_NAME = re.compile(r'[\w:.-]+')

_LISTED = 20


def credentials(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield the logins that change, by section."""
    for group in _GROUPS:
        home = sides.ctx.config.auth_section(group)
        changes = [
            change
            for change in sides.changes(home, *_LOGIN)
            if change.name != 'auth_url' or _keystone_differs(change)
        ]
        if not changes:
            continue
        words = '; '.join(
            change.says(sides.shown(change.before), sides.shown(change.after))
            for change in changes
        )
        names = {change.name for change in changes}
        if group == 'keystone_authtoken':
            severity = _WARNING
            effect = (
                'manila-api validates tokens with that Keystone, as that '
                'user: with another Keystone, or a user without the role '
                'service, every request gets 401 or 503'
            )
        else:
            severity = _FAILURE if names & set(_WHERE) else _WARNING
            effect = (
                f'what manila created in {group} belongs to the old user, '
                'project and region, and manila finds it only if the new '
                'ones can access it'
            )
        yield model.Finding(
            severity,
            changes[0].subject._replace(kind='section', name=group),
            f'{words}: {effect}',
            tuple(
                step for change in changes for step in sides.keep(change)[1:]
            )
            or sides.keep(changes[0]),
        )


def _keystone_differs(change: comparison.OptionChange) -> bool:
    """Say whether two URLs of Keystone differ in more than the version."""
    before, after = (
        str(value.value).rstrip('/').removesuffix('/v3').rstrip('/')
        for value in (change.before, change.after)
    )
    return before != after


def strategy(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield what a change of auth_strategy opens or closes."""
    for change in sides.changes('DEFAULT', 'auth_strategy'):
        if str(change.after.value).startswith('noauth'):
            yield sides.finding(
                change,
                _FAILURE,
                'the API no longer asks for a token, and anybody who reaches '
                'it is an administrator',
            )
        else:
            yield sides.finding(
                change,
                _WARNING,
                'requests without a token of Keystone get 401',
            )


def flags(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield what a flag of oslo.policy opens or closes.

    If only the default of the flag changes, policy-rules reports the effect.
    """
    for name, severity, off, on in (
        (
            'enforce_new_defaults',
            _FAILURE,
            'the deprecated defaults apply beside the new ones and admit '
            'more callers: a user with only the role reader can create '
            'shares',
            'callers that only the deprecated defaults admit get 403',
        ),
        (
            'enforce_scope',
            _WARNING,
            'tokens of any scope are accepted',
            'tokens whose scope does not match the rule get 403',
        ),
    ):
        for change in sides.changes('oslo_policy', name):
            if change.before.line is change.after.line is None:
                continue
            if change.after.value:
                yield sides.finding(change, _WARNING, on)
            else:
                yield sides.finding(change, severity, off)


def policies(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield the overrides of policies that the staged files lack."""
    ctx = sides.ctx
    source, target = ctx.upgrade.source, ctx.upgrade.target
    try:
        before = policy_files.effective(
            ctx.running_policy.of(source).in_force(
                policy_files.falls_back(source)
            )
        )
        after = policy_files.effective(
            ctx.policy.of(target).in_force(policy_files.falls_back(target))
        )
    except exceptions.SourceUnusable as exc:
        yield _not_compared('policy', 'policy files', str(exc))
        return
    defaults = [ctx.catalog.policies(release) for release in (source, target)]
    removed = set(defaults[0]) - set(defaults[1])
    differ = [
        name
        for name, rule in before.items()
        if name not in removed
        and (name not in after or after[name].check != rule.check)
    ]
    added = [name for name in after if name not in before]
    running, staged = (
        _Rules(rules, known) for rules, known in zip((before, after), defaults)
    )
    opened = [
        name
        for name in [*differ, *added]
        if staged.admits_more_than(running, name)
    ]
    first = next(iter((before or after).values()), None)
    for severity, names, effect in (
        (
            _FAILURE,
            opened,
            'that now admit more callers',
        ),
        (
            _WARNING,
            [name for name in differ if name not in opened],
            'whose override is missing or different',
        ),
    ):
        if not names or first is None:
            continue
        lost = [name for name in names if name not in after]
        yield model.Finding(
            severity,
            model.Subject('policy', 'overrides', first.file),
            f'the policies of {first.file} and those of the staged files '
            f'differ in rules {effect}: {_listed(names)}'
            + (
                '; the staged files do not define '
                f'{"any of them" if lost == names else _listed(lost)}, and '
                'the default of the target applies'
                if lost
                else ''
            ),
            (
                model.advice(
                    'Put the policy files of the running services beside the '
                    'staged files, or name them in [oslo_policy] policy_file '
                    'and policy_dirs; policy-rules judges what is there.'
                ),
            ),
            data={'rules': len(names), 'not_overridden': len(lost)},
            aspect='open' if severity is _FAILURE else 'lost',
        )


class _Rules:
    """The rules of one side: overrides over defaults.

    :param overrides: of the policy files.
    :param defaults: of the release.
    """

    def __init__(
        self,
        overrides: Mapping[str, policy_files.Rule],
        defaults: Mapping[str, policies_.Policy],
    ) -> None:
        self._overrides = overrides
        self._defaults = defaults

    def admits_more_than(self, other: '_Rules', name: str) -> bool:
        """Say whether a rule certainly admits more callers than in other."""
        ours, theirs = self._check(name), other._check(name)
        if theirs is None or ours == theirs:
            return False
        if ours in _EVERYBODY:
            return theirs not in _EVERYBODY
        return bool(_NARROW.fullmatch(theirs)) and not (
            ours is not None and _NARROW.fullmatch(ours)
        )

    def _check(self, name: str) -> Optional[str]:
        """Return the check of a rule, following rules that name only another.

        :returns: None if the check is not a string, or the rules form a cycle.
        """
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            if name in self._overrides:
                check = self._overrides[name].check
            elif name in self._defaults:
                check = self._defaults[name].check
            else:
                return None
            if not isinstance(check, str):
                return None
            check = check.strip().removeprefix('(').removesuffix(')').strip()
            kind, _, rest = check.partition(':')
            if kind != 'rule' or not _NAME.fullmatch(rest):
                return check
            name = rest
        return None


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    more = len(found) - _LISTED
    text = ', '.join(found[:_LISTED])
    return f'{text} and {more} more' if more > 0 else text


def pipelines(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield the filters of the API that the staged api-paste.ini lacks."""
    unread = (
        exceptions.SourceNotGiven,
        exceptions.SourceNotApplicable,
        exceptions.SourceUnusable,
    )
    try:
        before = sides.ctx.running_paste
    except unread:
        return
    try:
        after = sides.ctx.paste
    except unread as exc:
        for change in sides.changes('DEFAULT', 'api_paste_config'):
            yield sides.finding(
                change,
                _WARNING,
                f'what {before.path} adds to the API is in no staged file: '
                f'{exc}',
            )
        return
    strategy = sides.values('DEFAULT', 'auth_strategy')[1].value
    running, staged = _filters(before, strategy), _filters(after, strategy)
    lost = sorted(running - staged)
    if not running or not staged or not lost:
        return
    opens = {'authtoken', 'keystonecontext'} & set(lost)
    yield model.Finding(
        _FAILURE if opens else _WARNING,
        model.Subject('paste', strategy, after.path),
        f'{after.path} does not have {", ".join(lost)} in the pipeline '
        f'{strategy}, which {before.path} has: '
        + (
            'requests are no longer authenticated'
            if opens
            else 'the API loses what they do'
        ),
        (
            model.advice(
                f'Add them to {after.path}, unless the target has no such '
                'filter.'
            ),
        ),
    )


def _filters(file: paste.PasteFile, strategy: Any) -> set[str]:
    """Return the filters in the pipelines of a strategy, not the apps."""
    return {
        word
        for section in file.sections
        for value in section.values
        if value.name == strategy
        for word in value.text.split()[:-1]
    }


def _not_compared(kind: str, what: str, why: str) -> model.Finding:
    return model.Finding(
        _WARNING,
        model.Subject(kind, what),
        f'the {what} of the running and the staged files were not compared: '
        f'{why}',
    )
