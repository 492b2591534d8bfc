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
        document = json.loads(
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
    version = (
        document.get('schema_version') if isinstance(document, dict) else None
    )
    if type(version) is not int or version not in VERSIONS:
        raise exceptions.SourceUnusable(
            f'{path}: not a report of version {VERSIONS[-1]}, which '
            '"--format json" writes'
        )
    try:
        return _report(document)
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


def _require_same(what: str, given: Any, found: Any) -> None:
    """Make sure that a value of a report is the one computed from its parts.

    :param given: the value in the report; None when the report lacks it.
    :param found: the computed value.
    :raises ValueError: when they differ.
    """
    if given is not None and (type(given), given) != (type(found), found):
        raise ValueError(
            f'{what} is {given!r}, but its findings give {found!r}'
        )


def _report(document: Mapping[str, Any]) -> model.Report:
    report = _read_report(document)
    _require_same('code', document.get('code'), report.code)
    _require_same('exit_code', document.get('exit_code'), report.exit_code)
    ids = [check.id for check in report.checks]
    if len(ids) > len(set(ids)):
        raise ValueError('a check appears twice')
    return report


def _read_report(document: Mapping[str, Any]) -> model.Report:
    database = document['database']
    return model.Report(
        tool=model.Tool(
            **{
                name: _text(document['tool'][name])
                for name in ('name', 'version', 'catalog')
            }
        ),
        source_release=_text(document['source_release']),
        source_origin=_text(document['source_origin']),
        target_release=_text(document['target_release']),
        target_origin=_text(document['target_origin']),
        stage=model.Stage(document['stage']),
        files=tuple(
            model.FileRead(
                _text(one['path']),
                _text(one['sha256']),
                _text(one.get('kind', '')),
            )
            for one in document['files']
        ),
        database=None
        if database is None
        else model.DatabaseRead(
            _text(database['dialect']),
            _optional(database['revision'], _text),
            database.get('empty') is True,
            _optional(database.get('dump'), _dump),
        ),
        checks=tuple(_result(one) for one in document['checks']),
        excluded=tuple(_text(one) for one in document['excluded']),
        backends=tuple(_text(one) for one in document.get('backends', ())),
        created=_optional(document.get('created'), _time),
        fail_on=_threshold(document.get('fail_on', 'warning')),
        settings=tuple(
            model.SettingRead(
                _text(one['option']),
                _text(one['value']),
                _text(one['file']),
                _line(one['line']),
            )
            for one in document.get('settings', ())
        ),
        waiver_until=_optional(document.get('waiver_until'), _day),
        redacted_names=document.get('redacted_names') is True,
        host=_text(document.get('host', '')),
        site=_text(document.get('site', '')),
        region=_text(document.get('region', '')),
        author=_text(document.get('author', '')),
        window=_optional(document.get('window'), _window),
        root=_text(document.get('root', '')),
        source_build=_optional(document.get('source_build'), _text),
        target_build=_optional(document.get('target_build'), _text),
        sampled=document.get('sampled') is True,
        source_facts=_optional(document.get('source_facts'), _facts),
        target_facts=_optional(document.get('target_facts'), _facts),
        services=tuple(_service(one) for one in document.get('services', ())),
        hosts=tuple(_host(one) for one in document.get('hosts', ())),
        runs=tuple(_run(one) for one in document.get('runs', ())),
    )


def _host(document: Mapping[str, Any]) -> model.HostRead:
    return model.HostRead(
        region=_text(document['region']),
        name=_text(document['name']),
        code=_optional(document['code'], _code),
        created=_optional(document.get('created'), _time),
        file=_optional(document.get('file'), _text),
        sha256=_optional(document.get('sha256'), _text),
    )


def _run(document: Mapping[str, Any]) -> model.RunRead:
    return model.RunRead(
        created=_optional(document['created'], _time),
        source_release=_text(document['source_release']),
        target_release=_text(document['target_release']),
        stage=model.Stage(document['stage']),
        hosts=_line(document['hosts']),
        failures=_line(document['failures']),
        warnings=_line(document['warnings']),
        notes=_line(document['notes']),
    )


def _service(document: Mapping[str, Any]) -> model.ServiceRead:
    return model.ServiceRead(
        _text(document['service']),
        tuple(_text(path) for path in document['locations']),
        _text(document['how']),
        _optional(document.get('pid'), _line),
        _optional(document.get('file'), _text),
        _optional(document.get('line'), _line),
    )


def _window(document: Mapping[str, Any]) -> model.Window:
    return model.Window(
        _seconds(document['seconds_min']),
        _seconds(document['seconds_max']),
        tuple(_text(one) for one in document['unknown']),
    )


def _facts(document: Mapping[str, Any]) -> model.Facts:
    return model.Facts(
        origin=_text(document['origin']),
        build=_text(document['build']),
        made=_optional(document['made'], _text),
        path=_optional(document['path'], _text),
        sha256=_optional(document['sha256'], _text),
    )


def _result(document: Mapping[str, Any]) -> model.CheckResult:
    check_id = _text(document['id'])
    result = model.CheckResult(
        id=check_id,
        title=_text(document['title']),
        outcome=model.Outcome(document['outcome']),
        reason=_text(document['reason']),
        findings=tuple(
            _finding(check_id, one) for one in document['findings']
        ),
        seconds=_seconds(document['seconds']),
        waivable=document.get('waivable') is not False,
        remediation=tuple(map(_remediation, document.get('remediation', ()))),
        about=_text(document.get('about', '')),
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
    _require_same(
        f'severity of {check_id}', document.get('severity'), severity
    )
    return result


def _finding(check_id: str, document: Mapping[str, Any]) -> model.Finding:
    subject = _subject(document['subject'])
    data = dict(document['data'])
    if not all(
        value is None or isinstance(value, (bool, int, float, str))
        for value in data.values()
    ):
        raise ValueError('its data is not flat')
    finding = model.Finding(
        check_id=check_id,
        severity=model.Severity[_text(document['severity']).upper()],
        subject=subject,
        message=_text(document['message']),
        remediation=tuple(map(_remediation, document['remediation'])),
        references=tuple(_text(one) for one in document['references']),
        data=data,
        aspect=_aspect(_text(document['key']), check_id, _text(subject.name)),
        waiver=_optional(document.get('waiver'), _waiver),
        known=document.get('known') is True,
        cause=_text(document.get('cause', '')),
    )
    _require_same('counts', document.get('counts'), finding.counts)
    return finding


def _remediation(document: Mapping[str, Any]) -> model.Remediation:
    return model.Remediation(
        _text(document['kind']),
        _text(document['text']),
        tuple(map(_edit, document.get('edits', ()))),
    )


def _edit(document: Mapping[str, Any]) -> model.Edit:
    return model.Edit(
        action=_text(document['action']),
        kind=_text(document['kind']),
        file=_text(document['file']),
        line=_optional(document['line'], _line),
        section=_text(document['section']),
        name=_text(document['name']),
        value=_optional(document['value'], _text),
        early=document['early'] is True,
    )


def _subject(document: Mapping[str, Any]) -> model.Subject:
    return model.Subject(
        kind=_text(document['kind']),
        name=_text(document['name']),
        file=_optional(document['file'], _text),
        line=_optional(document['line'], _line),
        uuid=_optional(document['uuid'], _text),
    )


def _waiver(document: Mapping[str, Any]) -> model.Waiver:
    return model.Waiver(
        key=_text(document['key']),
        reason=_text(document['reason']),
        owner=_text(document['owner']),
        expires=_day(document['expires']),
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
