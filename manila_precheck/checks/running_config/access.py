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

"""Who may use the API, and what manila uses other services as."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from manila_precheck import exceptions
from manila_precheck import model
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

# What a rule is that lets everybody pass, and nobody.
_EVERYBODY = ('', '@')
_NOBODY = '!'

_LISTED = 20


def credentials(sides: comparison.Sides) -> Iterator[model.Finding]:
    """Yield the logins that change, by section."""
    for group in _GROUPS:
        home = sides.ctx.config.auth_section(group)
        changes = sides.changes(home, *_LOGIN)
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
                'manila-api validates tokens there and as that user: with '
                'another Keystone, or a user without the role service, every '
                'request gets 401 or 503'
            )
        else:
            severity = _FAILURE if names & set(_WHERE) else _WARNING
            effect = (
                f'what manila made in {group} belongs to the old user and '
                'project, in the old region, and is found only if the new '
                'ones see it'
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


def strategy(sides: comparison.Sides) -> Iterator[model.Finding]:
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


def policies(sides: comparison.Sides) -> Iterator[model.Finding]:
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
    removed = set(ctx.catalog.policies(source)) - set(
        ctx.catalog.policies(target)
    )
    differ = [
        name
        for name, rule in before.items()
        if name not in removed
        and (name not in after or after[name].check != rule.check)
    ]
    opened = [
        name
        for name in differ
        if (name in after and after[name].check in _EVERYBODY)
        or (before[name].check == _NOBODY)
    ]
    first = next(iter(before.values()), None)
    for severity, names, effect in (
        (
            _FAILURE,
            opened,
            'that nobody passed, or that everybody passes now',
        ),
        (
            _WARNING,
            [name for name in differ if name not in opened],
            'whose override loses its effect',
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
                '; the staged ones do not have '
                f'{"any of them" if lost == names else _listed(lost)}, and '
                'the default of the target counts'
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


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    more = len(found) - _LISTED
    text = ', '.join(found[:_LISTED])
    return f'{text} and {more} more' if more > 0 else text


def pipelines(sides: comparison.Sides) -> Iterator[model.Finding]:
    """Yield the filters of the API that the staged api-paste.ini lacks."""
    try:
        before = sides.ctx.running_paste
        after = sides.ctx.paste
    except (
        exceptions.SourceNotGiven,
        exceptions.SourceNotApplicable,
        exceptions.SourceUnusable,
    ):
        # api-paste reports what the target lacks.
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
            else 'what they do for the running API is lost'
        ),
        (
            model.advice(
                f'Add them to {after.path}, unless the target has no such '
                'filter.'
            ),
        ),
    )


def _filters(file: paste.PasteFile, strategy: Any) -> set[str]:
    """Return what the pipelines of a strategy name, without the apps."""
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
