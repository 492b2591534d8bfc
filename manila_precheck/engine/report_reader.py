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

"""Read the JSON report of an earlier run, or of another controller.

The file is not trusted. Its codes are computed again from its findings; if
they differ, or if a part has a type or a value that no run writes, the file is
rejected. Unknown keys are ignored: a later version may have added them.
"""

import collections
from collections.abc import Mapping
import datetime
import hashlib
import json
import math
from typing import Any
from typing import Callable
from typing import Optional
from typing import TypeVar

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.files import text_file

T = TypeVar('T')

#: The versions of the format that can be read.
VERSIONS = (1,)

# The limit of JSON objects and lists in a file. A finding has about five, so
# 100,000 findings have half a million.
_MAX_OBJECTS = 2_000_000

# The outcomes of a check without findings.
_SILENT = (
    model.Outcome.PASSED,
    model.Outcome.SKIPPED,
    model.Outcome.NOT_APPLICABLE,
)


def read(path: str) -> model.Report:
    """Read a report that ``--format json`` wrote.

    :raises SourceUnusable: when it cannot be read, or is not such a report.
    """
    return load(path)[0]


def load(path: str) -> tuple[model.Report, model.FileRead]:
    """Return a report with the file that it was read from.

    :raises SourceUnusable: as read() does.
    """
    data = text_file.read(path)
    digest = hashlib.sha256(data).hexdigest()
    return _parse(path, data), model.FileRead(path, digest)


def _parse(path: str, data: bytes) -> model.Report:
    if data.count(b'{') + data.count(b'[') > _MAX_OBJECTS:
        raise exceptions.SourceUnusable(
            f'{path}: more than {_MAX_OBJECTS} objects and lists, the limit '
            'for a report'
        )
    try:
        held = json.loads(
            data,
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_number,
        )
    except _Damaged as exc:
        raise exceptions.SourceUnusable(
            f'{path}: the report is damaged ({exc})'
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise exceptions.SourceUnusable(f'{path}: it is not JSON') from exc
    version = held.get('schema_version') if isinstance(held, dict) else None
    if type(version) is not int or version not in VERSIONS:
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


class _Damaged(ValueError):
    """JSON that json.loads() accepts but that no run writes."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; raise _Damaged if it has a key twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = collections.Counter(name for name, _value in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise _Damaged(f'the key {twice!r} is duplicated')
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _no_number(text)
    return value


def _no_number(text: str) -> None:
    raise _Damaged(f'{text[:40]} is not a JSON number')


def _require_same(what: str, said: Any, found: Any) -> None:
    """Make sure that a value of a report is the one computed from its parts.

    :param said: the value in the report; None when the report lacks it.
    :param found: the computed value.
    :raises ValueError: when they differ.
    """
    if said is not None and (type(said), said) != (type(found), found):
        raise ValueError(
            f'{what} is {said!r}, but its findings give {found!r}'
        )


def _report(held: Mapping[str, Any]) -> model.Report:
    report = _read_report(held)
    _require_same('code', held.get('code'), report.code)
    _require_same('exit_code', held.get('exit_code'), report.exit_code)
    ids = [check.id for check in report.checks]
    if len(ids) > len(set(ids)):
        raise ValueError('a check appears twice')
    return report


def _read_report(held: Mapping[str, Any]) -> model.Report:
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
            model.FileRead(
                _text(one['path']),
                _text(one['sha256']),
                _text(one.get('kind', '')),
            )
            for one in held['files']
        ),
        database=None
        if database is None
        else model.DatabaseRead(
            _text(database['dialect']),
            _optional(database['revision'], _text),
            database.get('empty') is True,
            _optional(database.get('dump'), _dump),
        ),
        checks=tuple(_result(one) for one in held['checks']),
        excluded=tuple(_text(one) for one in held['excluded']),
        backends=tuple(_text(one) for one in held.get('backends', ())),
        created=_optional(held.get('created'), _time),
        fail_on=_threshold(held.get('fail_on', 'warning')),
        settings=tuple(
            model.SettingRead(
                _text(one['option']),
                _text(one['value']),
                _text(one['file']),
                _line(one['line']),
            )
            for one in held.get('settings', ())
        ),
        waiver_until=_optional(held.get('waiver_until'), _day),
        redacted_names=held.get('redacted_names') is True,
        host=_text(held.get('host', '')),
        site=_text(held.get('site', '')),
        region=_text(held.get('region', '')),
        author=_text(held.get('author', '')),
        window=_optional(held.get('window'), _window),
        root=_text(held.get('root', '')),
        source_build=_optional(held.get('source_build'), _text),
        target_build=_optional(held.get('target_build'), _text),
        sampled=held.get('sampled') is True,
        source_facts=_optional(held.get('source_facts'), _facts),
        target_facts=_optional(held.get('target_facts'), _facts),
        services=tuple(_service(one) for one in held.get('services', ())),
        hosts=tuple(_host(one) for one in held.get('hosts', ())),
        runs=tuple(_run(one) for one in held.get('runs', ())),
    )


def _host(held: Mapping[str, Any]) -> model.HostRead:
    return model.HostRead(
        region=_text(held['region']),
        name=_text(held['name']),
        code=_optional(held['code'], _code),
        created=_optional(held.get('created'), _time),
        file=_optional(held.get('file'), _text),
        sha256=_optional(held.get('sha256'), _text),
    )


def _run(held: Mapping[str, Any]) -> model.RunRead:
    return model.RunRead(
        created=_optional(held['created'], _time),
        source_release=_text(held['source_release']),
        target_release=_text(held['target_release']),
        stage=model.Stage(held['stage']),
        hosts=_line(held['hosts']),
        failures=_line(held['failures']),
        warnings=_line(held['warnings']),
        notes=_line(held['notes']),
    )


def _service(held: Mapping[str, Any]) -> model.ServiceRead:
    return model.ServiceRead(
        _text(held['service']),
        tuple(_text(path) for path in held['locations']),
        _text(held['how']),
        _optional(held.get('pid'), _line),
        _optional(held.get('file'), _text),
        _optional(held.get('line'), _line),
    )


def _window(held: Mapping[str, Any]) -> model.Window:
    return model.Window(
        _seconds(held['seconds_min']),
        _seconds(held['seconds_max']),
        tuple(_text(one) for one in held['unknown']),
    )


def _facts(held: Mapping[str, Any]) -> model.Facts:
    return model.Facts(
        origin=_text(held['origin']),
        build=_text(held['build']),
        made=_optional(held['made'], _text),
        path=_optional(held['path'], _text),
        sha256=_optional(held['sha256'], _text),
    )


def _result(held: Mapping[str, Any]) -> model.CheckResult:
    check_id = _text(held['id'])
    result = model.CheckResult(
        id=check_id,
        title=_text(held['title']),
        outcome=model.Outcome(held['outcome']),
        reason=_text(held['reason']),
        findings=tuple(_finding(check_id, one) for one in held['findings']),
        seconds=_seconds(held['seconds']),
        waivable=held.get('waivable') is not False,
        remediation=tuple(map(_remediation, held.get('remediation', ()))),
        about=_text(held.get('about', '')),
    )
    found = result.outcome is model.Outcome.FOUND
    silent = result.outcome in _SILENT
    if not result.waivable and any(one.waiver for one in result.findings):
        raise ValueError(f'{check_id} is waived, which it cannot be')
    if (found and not result.findings) or (silent and result.findings):
        raise ValueError(
            f'{check_id} is {result.outcome.value!r} with '
            f'{len(result.findings)} findings'
        )
    severity = result.severity.name.lower()
    _require_same(f'severity of {check_id}', held.get('severity'), severity)
    return result


def _finding(check_id: str, held: Mapping[str, Any]) -> model.Finding:
    subject = _subject(held['subject'])
    data = dict(held['data'])
    if not all(
        value is None or isinstance(value, (bool, int, float, str))
        for value in data.values()
    ):
        raise ValueError('its data is not flat')
    finding = model.Finding(
        check_id=check_id,
        severity=model.Severity[_text(held['severity']).upper()],
        subject=subject,
        message=_text(held['message']),
        remediation=tuple(map(_remediation, held['remediation'])),
        references=tuple(_text(one) for one in held['references']),
        data=data,
        aspect=_aspect(_text(held['key']), check_id, _text(subject.name)),
        waiver=_optional(held.get('waiver'), _waiver),
        known=held.get('known') is True,
        cause=_text(held.get('cause', '')),
    )
    _require_same('counts', held.get('counts'), finding.counts)
    return finding


def _remediation(held: Mapping[str, Any]) -> model.Remediation:
    return model.Remediation(
        _text(held['kind']),
        _text(held['text']),
        tuple(map(_edit, held.get('edits', ()))),
    )


def _edit(held: Mapping[str, Any]) -> model.Edit:
    return model.Edit(
        action=_text(held['action']),
        kind=_text(held['kind']),
        file=_text(held['file']),
        line=_optional(held['line'], _line),
        section=_text(held['section']),
        name=_text(held['name']),
        value=_optional(held['value'], _text),
        early=held['early'] is True,
    )


def _subject(held: Mapping[str, Any]) -> model.Subject:
    return model.Subject(
        kind=_text(held['kind']),
        name=_text(held['name']),
        file=_optional(held['file'], _text),
        line=_optional(held['line'], _line),
        uuid=_optional(held['uuid'], _text),
    )


def _waiver(held: Mapping[str, Any]) -> model.Waiver:
    return model.Waiver(
        key=_text(held['key']),
        reason=_text(held['reason']),
        owner=_text(held['owner']),
        expires=_day(held['expires']),
    )


def _aspect(key: str, check_id: str, name: str) -> str:
    """Return the aspect of a finding, taken from its key."""
    start = f'{check_id}[{name}'
    if not (key.startswith(start) and key.endswith(']')):
        raise ValueError(f'the key {key!r} does not belong to its subject')
    return key[len(start) : -1].lstrip('#')


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f'{value!r} is not a string')
    return value


def _optional(value: Any, read_: Callable[[Any], T]) -> Optional[T]:
    return None if value is None else read_(value)


def _dump(value: Any) -> model.DumpRead:
    return model.DumpRead(
        _text(value['path']),
        _line(value['size_bytes']),
        _text(value['sha256']),
        _optional(value['made'], _time),
        tuple(_text(one) for one in value['left_out']),
    )


def _threshold(value: Any) -> str:
    if value not in ('warning', 'failure', 'never'):
        raise ValueError(f'fail_on is {value!r}')
    return _text(value)


def _line(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f'{value!r} is not a line')
    return value


def _code(value: Any) -> int:
    return int(model.Severity(_line(value)))


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f'{value!r} is not a number')
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f'{value!r} is not a duration')
    return float(value)


def _day(value: Any) -> str:
    text = _text(value)
    datetime.date.fromisoformat(text)
    return text


def _time(value: Any) -> str:
    text = _text(value)
    if datetime.datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f'{text!r} has no time zone')
    return text
