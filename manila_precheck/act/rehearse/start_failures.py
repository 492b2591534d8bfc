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

"""What fails at the start of services, matched with predictions."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.act.rehearse import failures
from manila_precheck.act.rehearse import refuted
from manila_precheck.act.rehearse import rehearsal
from manila_precheck.act.rehearse import service_starts
from manila_precheck.evidence.host import api_server

#: The id of the result of this phase.
ID = 'rehearse-start'

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING
_INFO = model.Severity.INFO

# How a message goes on after "manila-share", by stage: for errors that end the
# start, and for those that do not.
_ENDS = {
    'import': 'cannot be imported',
    'start': 'exits at startup',
    'database': 'cannot read the migrated database',
    'coordination': 'exits at startup, when it starts its coordinator',
    'options': 'exits at startup, when it logs its options',
    'application': 'does not load the application of the API',
    'database driver': 'cannot open its database',
    'requests': 'fails to answer',
    'configuration': 'exits at startup',
    'policies': 'answers every request with 500: it cannot load its policies',
    'evaluation': 'fails to evaluate',
    'setup': 'runs, but does not set the driver up and never reports',
    'capabilities': 'does not report what the driver can do',
}
_STAGES = {
    'import': 'its import',
    'start': 'its start',
    'database': 'its reading of the database',
    'coordination': 'the start of its coordinator',
    'options': 'the values of its options',
    'application': 'the loading of the application',
    'database driver': 'the library of its database',
    'requests': 'a request to the API',
    'configuration': 'its configuration',
    'policies': 'its policies',
    'evaluation': 'the evaluation of its policies',
    'setup': 'the setup of the driver',
    'capabilities': 'the capabilities of the driver',
}
_PASTE_CHECK = 'api-paste'
_POLICY_CHECK = 'policy-rules'
_ENABLED = 'DEFAULT/enabled_share_backends'
_POLICY_STAGES = ('policies', 'evaluation')
_MOST_RULES = 5


class _Seen(NamedTuple):
    """One error, and all outcomes in which it occurs."""

    stop: service_starts.Stop
    outcomes: 'list[service_starts.StartOutcome]'


def run(stand: rehearsal.Stand) -> Iterator[failures.Failure]:
    """Start the services, and yield what does not work.

    :raises SourceUnusable: when the interpreter does not answer.
    """
    services = stand.ctx.services
    # If services read different files, one may accept a value where another
    # rejects it, so nothing is asked then.
    alike = len({one.reads for one in services}) == 1
    starts = service_starts.start(
        stand.target_manila,
        services,
        stand.request,
        stand.url.render_as_string(hide_password=False),
        stand.folder,
        stand.seconds,
        _has_built_in_server(stand),
        stand.show,
        asked=refuted.option_values(stand.predicted) if alike else (),
    )
    yield from of_starts(starts, stand.predicted)


#: The phase for :func:`.rehearsal.run`.
PHASE = rehearsal.RehearsalPhase(ID, 'Start of the services', run)


def _has_built_in_server(stand: rehearsal.Stand) -> bool:
    """Say whether the program manila-api serves the API."""
    stated = stand.ctx.options_of('upgrade-advisories').api_server
    if stated is not None:
        return bool(stated == api_server.Kind.PROGRAM.value)
    kinds = {one.kind for one in stand.ctx.api_server}
    return kinds == {api_server.Kind.PROGRAM}


def of_starts(
    starts: service_starts.Starts, predicted: Sequence[model.CheckResult]
) -> Iterator[failures.Failure]:
    """Yield the errors of the services, and what could not be rehearsed.

    :param predicted: the results of the checks on the same configuration.
    """
    if starts.not_run:
        some = 'not every service was' if starts.outcomes else 'no service was'
        yield failures.Failure(
            model.Subject('rehearsal', 'services'),
            f'{some} started: {starts.not_run}',
            severity=_WARNING,
            aspect='not-started',
        )
    known = [
        finding
        for result in predicted
        for finding in result.findings
        if finding.severity is _FAILURE
    ]
    for seen in _merged(starts.outcomes):
        yield _failure(seen, known)
    for outcome in starts.outcomes:
        yield from _unseen(outcome)
    yield from refuted.findings(starts, predicted)


def _merged(outcomes: Iterable[service_starts.StartOutcome]) -> list[_Seen]:
    """Group the errors that services report in the same words."""
    found: dict[tuple[str, str, tuple[str, ...]], _Seen] = {}
    outcomes = list(outcomes)
    broken = any(
        stop.at in _POLICY_STAGES and stop.ends
        for one in outcomes
        for stop in one.stopped
    )
    for one in outcomes:
        for stop in one.stopped:
            if stop.at == 'requests' and broken:
                # The error of the policies is reported by itself.
                continue
            at = stop.at if stop.at in _POLICY_STAGES else ''
            key = (at, stop.words, stop.options)
            found.setdefault(key, _Seen(stop, [])).outcomes.append(one)
    return list(found.values())


def _failure(seen: _Seen, known: list[model.Finding]) -> failures.Failure:
    stop = seen.stop
    match = _match(seen, known)
    stages = {
        one.at
        for outcome in seen.outcomes
        for one in outcome.stopped
        if (one.words, one.options) == (stop.words, stop.options)
    }
    at = stop.at if len(stages) == 1 else 'start'
    what = _ENDS[at] if stop.ends else 'logs'
    if stop.at == 'evaluation':
        what += f' {_rules(stop.rules)}'
    data: dict[str, model.Scalar] = {
        'services': ', '.join(_names(seen)),
        'stage': stop.at,
    }
    if stop.error:
        data['error'] = stop.error
    if stop.place:
        data['place'] = stop.place
    return failures.Failure(
        _subject(seen, match),
        f'{_who(seen)} {what}',
        stop.words,
        (match.subject.name,) if match else (),
        (match.check_id,) if match else (),
        _FAILURE if stop.ends else _WARNING,
        data=data,
        aspect=at.replace(' ', '-'),
    )


def _names(seen: _Seen) -> list[str]:
    return list(dict.fromkeys(one.name for one in seen.outcomes))


def _who(seen: _Seen) -> str:
    """Return the services in words: 'manila-share with back end alpha'."""
    found: dict[str, list[str]] = {}
    for one in seen.outcomes:
        name = one.name.partition('@')[0]
        found.setdefault(name, [])
        if one.back_end:
            found[name].append(one.back_end)
    words = []
    for name, backs in found.items():
        if backs:
            ends = 'back end' if len(backs) == 1 else 'back ends'
            name = f'{name} with the {ends} {_and(backs)}'
        words.append(name)
    # "each" keeps the verb in the singular.
    return _and(words) if len(words) == 1 else f'each of {_and(words)}'


def _and(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    return f'{", ".join(words[:-1])} and {words[-1]}'


def _rules(rules: tuple[str, ...]) -> str:
    shown = ', '.join(rules[:_MOST_RULES])
    more = len(rules) - _MOST_RULES
    return f'{shown} and {more} more' if more > 0 else shown


def _subject(seen: _Seen, match: Optional[model.Finding]) -> model.Subject:
    stop = seen.stop
    file = match.subject.file if match else None
    line = match.subject.line if match else None
    if stop.options:
        return model.Subject('option', stop.options[0], file, line)
    return model.Subject('service', ','.join(_names(seen)), file, line)


def _unseen(
    outcome: service_starts.StartOutcome,
) -> Iterator[failures.Failure]:
    """Yield the points beyond which a service could not be rehearsed."""
    for one in outcome.beyond:
        stage = _STAGES.get(one.at, 'its start')
        who = outcome.name.partition('@')[0]
        if outcome.back_end:
            who += f' with the back end {outcome.back_end}'
        if one.unknown:
            message = f'{who}: {stage} could not be rehearsed, {one.door}'
        else:
            message = (
                f'{who}: {stage} was not looked at beyond where it {one.door}'
            )
        yield failures.Failure(
            model.Subject('service', outcome.name),
            message,
            one.words,
            severity=_WARNING if one.unknown else _INFO,
            data={'stage': one.at},
            aspect=f'{one.at.replace(" ", "-") or "start"}-not-seen',
        )


# -- predictions --------------------------------------------------------------


def _match(seen: _Seen, known: list[model.Finding]) -> Optional[model.Finding]:
    """Return the finding that foretold an error; None when there is none.

    It has to be about the same thing: the option that was read, the back end
    that was built, the section of api-paste.ini, the rule or the policy file.
    """
    for judge in (
        _by_option,
        _by_deprecation,
        _by_policy,
        _by_section,
        _by_words,
        _by_service,
        _by_back_end,
    ):
        found = [one for one in known if judge(seen, one)]
        if found:
            return found[0]
    return None


def _by_option(seen: _Seen, one: model.Finding) -> bool:
    return one.subject.name in seen.stop.options


def _by_deprecation(seen: _Seen, one: model.Finding) -> bool:
    """Say whether a finding is about the old name that ends the service.

    If fatal_deprecations is on, oslo.log raises an exception whose message
    names no option (versionutils.report_deprecated_feature() of oslo.log
    8.1.0). The option was read last but one, before fatal_deprecations.
    """
    if seen.stop.error != 'DeprecatedConfig' or one.severity is not _FAILURE:
        return False
    last = seen.stop.read[-2:]
    return one.subject.name in last or one.data.get('option') in last


def _by_policy(seen: _Seen, one: model.Finding) -> bool:
    stop = seen.stop
    if stop.at not in _POLICY_STAGES or one.check_id != _POLICY_CHECK:
        return False
    if one.subject.kind == 'policy':
        return one.subject.name in stop.rules or _mentions(
            stop.words, one.subject.name
        )
    return stop.at == 'policies' and stop.ends


def _by_section(seen: _Seen, one: model.Finding) -> bool:
    """Say whether a finding is about a section that was being loaded."""
    if seen.stop.at != 'application' or one.check_id != _PASTE_CHECK:
        return False
    names = {name.rpartition(':')[2] for name in seen.stop.sections}
    title = one.subject.name.rpartition(':')[2]
    return bool(names & {title, one.aspect}) or one.subject.name.startswith(
        'keystone_authtoken/'
    )


def _by_words(seen: _Seen, one: model.Finding) -> bool:
    """Say whether the error fits the option.

    The error names the option, or the object that its value names, or
    reading the option came last.
    """
    group, slash, name = one.subject.name.rpartition('/')
    if not slash or one.check_id in (_PASTE_CHECK, _POLICY_CHECK):
        return False
    stop = seen.stop
    named = one.data.get('named')
    if isinstance(named, str) and _mentions(stop.words, named):
        # The code that looks up the object has often read other options
        # before it fails, so the order of reading does not count.
        return True
    if not _is_theirs(seen, group):
        return False
    return _mentions(stop.words, name) or (
        one.severity is _FAILURE and one.subject.name in stop.read[-1:]
    )


def _by_service(seen: _Seen, one: model.Finding) -> bool:
    names = {name.partition('@')[0] for name in _names(seen)}
    return one.subject.kind == 'service' and one.subject.name in names


def _by_back_end(seen: _Seen, one: model.Finding) -> bool:
    """Say whether a finding is about the back end that does not come up.

    If no back end is enabled, manila-share builds one from [DEFAULT] (manila
    22.0.2 cmd/share.py main()).
    """
    backs = {out.back_end for out in seen.outcomes if out.back_end}
    if one.severity is not _FAILURE:
        return False
    if seen.stop.at not in ('start', 'setup', 'capabilities'):
        return False
    if not backs:
        return (
            _names(seen) == ['manila-share'] and one.subject.name == _ENABLED
        )
    if one.subject.kind == 'backend':
        return one.subject.name in backs
    group = one.subject.name.rpartition('/')[0]
    return group in backs and one.subject.name in seen.stop.read


def _is_theirs(seen: _Seen, group: str) -> bool:
    """Say whether any of the services reads a section."""
    backs = {out.back_end for out in seen.outcomes if out.back_end}
    read = {name.rpartition('/')[0] for name in seen.stop.read}
    return group in backs or group in read or group == 'DEFAULT'


def _mentions(text: str, name: str) -> bool:
    return bool(re.search(rf'(?<![\w-]){re.escape(name)}(?![\w-])', text))
