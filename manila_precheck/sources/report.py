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

"""The JSON report of an earlier run, or of another controller."""

from collections.abc import Mapping
import json
from typing import Any
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.sources import content

#: The versions of the format that can be read.
VERSIONS = (1,)


def read(path: str) -> model.Report:
    """Read a report that ``--format json`` wrote.

    :raises SourceUnusable: when it cannot be read, or is no such report.
    """
    try:
        held = json.loads(content.read(path))
    except (ValueError, RecursionError) as exc:
        raise exceptions.SourceUnusable(f'{path}: it is not JSON') from exc
    version = held.get('schema_version') if isinstance(held, dict) else None
    if version not in VERSIONS:
        raise exceptions.SourceUnusable(
            f'{path}: not a report of version {VERSIONS[-1]}, which '
            '"--format json" writes'
        )
    try:
        return _report(held)
    except (
        ArithmeticError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as exc:
        raise exceptions.SourceUnusable(
            f'{path}: the report is damaged ({type(exc).__name__}: {exc})'
        ) from exc


def _report(held: Mapping[str, Any]) -> model.Report:
    database = held['database']
    return model.Report(
        tool=model.Tool(
            **{
                name: _text(held['tool'][name])
                for name in ('name', 'version', 'catalog')
            }
        ),
        source_release=_text(held['source_release']),
        source_origin=_text(held['source_origin']),
        target_release=_text(held['target_release']),
        target_origin=_text(held['target_origin']),
        stage=model.Stage(held['stage']),
        files=tuple(
            model.FileRead(_text(one['path']), _text(one['sha256']))
            for one in held['files']
        ),
        database=None
        if database is None
        else model.DatabaseRead(
            _text(database['dialect']),
            database['revision'],
            database.get('empty') is True,
        ),
        checks=tuple(_result(one) for one in held['checks']),
        excluded=tuple(_text(one) for one in held['excluded']),
        backends=tuple(_text(one) for one in held.get('backends', ())),
        created=held.get('created'),
        fail_on=_text(held.get('fail_on', 'warning')),
        settings=tuple(
            model.SettingRead(
                _text(one['option']),
                _text(one['value']),
                _text(one['file']),
                int(one['line']),
            )
            for one in held.get('settings', ())
        ),
        waiver_until=held.get('waiver_until'),
        redacted_names=held.get('redacted_names') is True,
    )


def _result(held: Mapping[str, Any]) -> model.CheckResult:
    check_id = _text(held['id'])
    return model.CheckResult(
        id=check_id,
        title=_text(held['title']),
        outcome=model.Outcome(held['outcome']),
        reason=_text(held['reason']),
        findings=tuple(_finding(check_id, one) for one in held['findings']),
        seconds=float(held['seconds']),
        waivable=held.get('waivable') is not False,
    )


def _finding(check_id: str, held: Mapping[str, Any]) -> model.Finding:
    subject = model.Subject(**dict(held['subject']))
    data = dict(held['data'])
    if not all(
        value is None or isinstance(value, (bool, int, float, str))
        for value in data.values()
    ):
        raise ValueError('its data is not flat')
    return model.Finding(
        check_id=check_id,
        severity=model.Severity[_text(held['severity']).upper()],
        subject=subject,
        message=_text(held['message']),
        remediation=tuple(
            model.Remediation(_text(one['kind']), _text(one['text']))
            for one in held['remediation']
        ),
        references=tuple(_text(one) for one in held['references']),
        data=data,
        aspect=_aspect(_text(held['key']), check_id, _text(subject.name)),
        waiver=_waiver(held.get('waiver')),
        known=held.get('known') is True,
    )


def _waiver(held: Optional[Mapping[str, Any]]) -> Optional[model.Waiver]:
    if held is None:
        return None
    return model.Waiver(
        key=_text(held['key']),
        reason=_text(held['reason']),
        owner=_text(held['owner']),
        expires=_text(held['expires']),
    )


def _aspect(key: str, check_id: str, name: str) -> str:
    """Return what tells apart two findings on one subject, from a key."""
    start = f'{check_id}[{name}'
    if not (key.startswith(start) and key.endswith(']')):
        raise ValueError(f'the key {key!r} is not of its subject')
    return key[len(start) : -1].lstrip('#')


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f'{value!r} is not a text')
    return value
