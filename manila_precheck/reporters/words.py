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

"""The texts of a report: verdicts, outcomes, counts, origins of facts.

Every reporter for people uses them, so that a run is described in the same
words on a terminal, in a browser and in a merge request.
"""

from collections.abc import Iterable
import datetime
import json
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.engine import grouping
from manila_precheck.engine import surroundings
from manila_precheck.engine import waiver_file
from manila_precheck.engine import waivers
from manila_precheck.reporters import plain

_Severity = model.Severity
_Outcome = model.Outcome

ORIGINS = {
    'database': 'from the revision of the database',
    'shared': 'one of the releases that have the revision of the database',
    'option': 'as given',
    'package': 'from the installed manila',
    'assumed': 'assumed',
}

STAGES = {
    model.Stage.PLAN: 'plan: the services are running',
    model.Stage.STOPPED: 'stopped: the services are down, before db sync',
    model.Stage.UPGRADED: 'upgraded: after db sync and start',
}

# The ids of results about the run itself, which are not those of checks.
_NO_CHECKS = {
    surroundings.CHECK_ID,
    waivers.CHECK_ID,
    'redact-names',
    # The next two are in merged reports.
    'configuration-drift',
    'hosts',
}

# By stage and code: the headline and what to do.
VERDICTS = {
    (model.Stage.PLAN, 0): (
        'READY',
        'nothing that was checked blocks the upgrade.',
    ),
    (model.Stage.PLAN, 1): (
        'READ FIRST',
        'nothing that was checked blocks the upgrade; before you start it, '
        'review each warning and each skipped check.',
    ),
    (model.Stage.PLAN, 2): (
        'DO NOT UPGRADE YET',
        'resolve the failures, and run this again before you stop any '
        'service.',
    ),
    (model.Stage.STOPPED, 0): (
        'READY',
        "nothing that was checked blocks 'manila-manage db sync'.",
    ),
    (model.Stage.STOPPED, 1): (
        'READ FIRST',
        "nothing that was checked blocks the upgrade; before 'manila-manage "
        "db sync', review each warning and each skipped check.",
    ),
    (model.Stage.STOPPED, 2): (
        'DO NOT SYNC YET',
        "resolve the failures, and run this again before 'manila-manage db "
        "sync'.",
    ),
    (model.Stage.UPGRADED, 0): (
        'DONE',
        'everything that was checked is running again.',
    ),
    (model.Stage.UPGRADED, 1): (
        'READ FIRST',
        'nothing that was checked is broken; review each warning and each '
        'skipped check.',
    ),
    (model.Stage.UPGRADED, 2): (
        'NOT DONE',
        'resolve the failures, and run this again.',
    ),
}

# The same for a rehearsal, by code.
_REHEARSED = {
    0: ('REHEARSED', 'the upgrade ran through on the copy of the database.'),
    1: (
        'REHEARSED, READ FIRST',
        'the upgrade ran through on the copy of the database; review each '
        'warning.',
    ),
    2: (
        'REHEARSAL FAILED',
        'resolve the failures, make a new backup, and rehearse again.',
    ),
}

# The names of the phases of a rehearsal, how many statements of each are
# shown, and the minimum duration of these.
_PHASES = {'restore': 'Restore', 'purge': 'db purge', 'sync': 'db sync'}
_LONGEST = 5
_LEAST_SECONDS = 0.1

# What an incomplete run lacks for its verdict: before and after the upgrade.
_WHOLE = (
    'READY requires a run of all checks on all rows.',
    'DONE requires a run of all checks on all rows.',
)

# The sections of findings: severity, title and meaning.
SECTIONS = (
    (
        _Severity.FAILURE,
        'FAILURES',
        'a service will not start, the upgrade stops half way, data or work '
        'in flight is lost, access is widened, or a check could not run',
    ),
    (
        _Severity.WARNING,
        'WARNINGS',
        'the services start, but a setting loses its effect, a default '
        'changes, or the release after this one breaks',
    ),
    (
        _Severity.INFO,
        'NOTES',
        'worth knowing; they do not affect the exit code (remedies: --format '
        'json)',
    ),
)

NOUNS = {
    _Severity.FAILURE: 'failure',
    _Severity.WARNING: 'warning',
    _Severity.INFO: 'note',
}

REMEDY_LABELS = {
    'command': 'Type:',
    'config': 'Write in the configuration file:',
    'policy': 'Write in the policy file:',
}

# How many digits of a digest are shown; the JSON report has it in full.
_DIGITS = 12
_FACTS = {
    'shipped': 'shipped catalog of {day}',
    'file': '{path} of {day}, sha256 {sha256}',
    'environment': 'this environment',
}

_API = 'cloud administrator, over the API'
_SHELL = 'operator, on a controller'
_ACTORS = {
    'config': 'operator, in the configuration',
    'policy': 'operator, in the policies',
}

OUTCOME_WORDS = {
    _Outcome.PASSED: 'PASSED',
    _Outcome.SKIPPED: 'SKIPPED',
    _Outcome.ERROR: 'ERROR',
    _Outcome.NOT_APPLICABLE: 'N/A',
}


def source(report: model.Report) -> str:
    """Return the source of the upgrade, and how it is known."""
    return _side(
        report.source_release, report.source_build, report.source_origin
    )


def target(report: model.Report) -> str:
    """Return the target of the upgrade, and how it is known."""
    return _side(
        report.target_release, report.target_build, report.target_origin
    )


def facts(report: model.Report) -> list[tuple[str, str]]:
    """Return the releases of the facts, and where the facts come from.

    :returns: (release, text) for source and target; a single pair, with '' for
        the release, for a report of an earlier version.
    """
    sides = (
        (report.source_release, report.source_facts),
        (report.target_release, report.target_facts),
    )
    found = [(name, _facts(one)) for name, one in sides if one is not None]
    # In a first install, source and target are the same.
    return list(dict.fromkeys(found)) or [
        ('', f'manila {report.tool.catalog}')
    ]


def _facts(one: model.Facts) -> str:
    origin = _FACTS.get(one.origin, one.origin).format(
        path=one.path,
        day=(one.made or '').partition('T')[0],
        sha256=(one.sha256 or '')[:_DIGITS],
    )
    return f'manila {one.build}, {origin}'


def _side(release: str, build: Optional[str], origin: str) -> str:
    # In an update within a release, the name of the release is the build.
    same = build is None or build == release
    which = release if same else f'{release} (manila {build})'
    return f'{which}, {ORIGINS.get(origin, origin)}'


def verdict(report: model.Report) -> tuple[str, str]:
    """Return the headline and what to do, from the stage and the code.

    READY and DONE mean that all checks ran on all rows. If only some did, or
    if failures or warnings are waived or known, the headline says so.
    """
    if not any(
        check.outcome in (_Outcome.PASSED, _Outcome.FOUND)
        for check in report.checks
    ):
        if report.code < 2:
            return 'NOTHING CHECKED', 'no check applied.'
    word, todo = VERDICTS[report.stage, report.code]
    if report.rehearsal is not None:
        word, todo = _REHEARSED[report.code]
    parts = []
    if report.excluded:
        every = {check.id for check in report.checks}.union(report.excluded)
        every -= _NO_CHECKS
        ran = every.difference(report.excluded)
        parts.append(f'{len(ran)} OF {len(every)} CHECKS')
    if report.sampled:
        parts.append('A SAMPLE OF THE ROWS')
    if report.code == 0 and parts:
        word = f'NO PROBLEM IN {" AND ".join(parts)}'
        todo += f' {_WHOLE[report.stage is model.Stage.UPGRADED]}'
    elif parts:
        word = f'{word}, {" AND ".join(parts)}'
    not_counted = [f for f in passed(report) if f.severity > _Severity.INFO]
    if report.code == 0 and not_counted:
        number = plural(len(not_counted), 'finding')
        word = f'{word}, NOT COUNTING {number.upper()}'
    return word, todo


def is_check(result: model.CheckResult) -> bool:
    """Say whether a result is of a check that can be run by itself."""
    return result.id not in _NO_CHECKS


def plural(number: int, noun: str) -> str:
    """Return '1 note' or '2 notes'."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 120:
        return f'{seconds:.0f} s'
    if seconds < 7200:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h'


def objects(group: grouping.Group) -> str:
    """Return '1 option', '50 services' or '2 policies'."""
    number, noun = len(group.findings), group.first.subject.kind
    noun = plain.one_line(noun).replace('-', ' ')
    if number > 1 and noun.endswith('y'):
        return f'{number} {noun[:-1]}ies'
    return plural(number, noun)


def members(
    findings: Iterable[model.Finding], most: Optional[int] = None
) -> str:
    """Return the subjects of findings, each with its place, in one line.

    :param most: how many are named; the rest are counted.
    """
    found = []
    for finding in findings:
        name, place = subject_of(finding.subject)
        found.append(f'{name} ({place})' if place else name)
    more = 0 if most is None else len(found) - most
    if more > 0:
        return f'{", ".join(found[:most])} and {more} more'
    return ', '.join(found)


def hint(finding: model.Finding) -> str:
    """Return the step "Did you mean ..." of a finding; '' for none."""
    for step in finding.remediation:
        if step.kind == 'text' and step.text.startswith('Did you mean '):
            return step.text
    return ''


#: The minimum number of findings of a group that are shown as a table.
MIN_FIGURES = 3


def figures(group: grouping.Group) -> list[list[str]]:
    """Return the numbers in the messages of a group, as a table.

    :returns: a row of headings, and a row for each finding: its subject, and
        the numbers that are in each message and differ between findings;
        empty if there are less than two such numbers.
    """
    findings = group.findings
    if len(findings) < MIN_FIGURES:
        return []
    columns: dict[tuple[str, ...], str] = {}
    names = set(findings[0].data).intersection(*(f.data for f in findings))
    # If two names have the same numbers, the shorter one is used.
    for name in sorted(names, key=lambda one: (len(one), one)):
        values = [finding.data[name] for finding in findings]
        if not all(type(value) is int for value in values):
            continue
        if len(set(values)) > 1 and all(
            re.search(rf'(?<![\w.-]){value}(?![\w-]|\.\d)', finding.message)
            for value, finding in zip(values, findings)
        ):
            columns.setdefault(tuple(map(str, values)), name)
    if len(columns) < 2:
        return []
    by_name = sorted((name, values) for values, name in columns.items())
    kind = plain.one_line(findings[0].subject.kind)
    return [
        [kind, *(name.replace('_', ' ') for name, _ in by_name)],
        *(
            [subject_of(finding.subject)[0], *row]
            for finding, row in zip(
                findings, zip(*(values for _, values in by_name))
            )
        ),
    ]


def release(name: str) -> str:
    """Return a release with its code name, or unchanged if unknown."""
    try:
        return f'{name} ({releases.parse(name).code_name})'
    except exceptions.UsageError:
        return name


def database(read: Optional[model.DatabaseRead]) -> str:
    """Return the kind of the database that was read, and its revision."""
    if read is None:
        return 'was not read'
    state = f'revision {read.revision}'
    if read.revision is None:
        state = 'empty' if read.empty else 'no single revision'
    return f'{read.dialect}, {state}{_from_dump(read.dump)}'


def rehearsal(report: model.Report) -> list[tuple[str, str]]:
    """Return (label, text) for what a rehearsal did, and how long it took."""
    done = report.rehearsal
    if done is None:
        return []
    rows = []
    for phase in done.phases:
        text = f'{phase.seconds:.1f} s'
        if phase.start_seconds is not None:
            text += f' beside {phase.start_seconds:.1f} s for its start'
        if not phase.whole:
            text += ', and stopped'
        longest = [
            f'{_of_statement(one)} {one.seconds:.1f} s'
            for one in phase.statements[:_LONGEST]
            if one.seconds >= _LEAST_SECONDS
        ]
        if longest:
            text += f'; of it {"; ".join(longest)}'
        rows.append((_PHASES.get(phase.phase, phase.phase), text))
    if done.phases:
        rows.append(('Rows', f'{done.rows} in the backup'))
    if done.kept:
        rows.append(('The copy', f'kept in {done.kept}'))
    return rows


def _of_statement(one: model.StatementTime) -> str:
    words = ' '.join(one.statement.split()[:3])
    if one.table:
        words = f'{words.split()[0]} {one.table}'
    return (
        words if one.rows is None else f'{words} ({plural(one.rows, "row")})'
    )


def _from_dump(dump: Optional[model.DumpRead]) -> str:
    if dump is None:
        return ''
    made = 'unknown date'
    if dump.made is not None:
        found = datetime.datetime.fromisoformat(dump.made)
        made = f'{found:%Y-%m-%d %H:%M} UTC'
    without = ''
    if dump.left_out:
        without = f'; not restored: {", ".join(dump.left_out)}'
    return (
        f', from the dump {dump.path} of {made} ({dump.size_bytes} bytes, '
        f'sha256 {dump.sha256}){without}'
    )


_HOW = {
    'process': 'process {pid}',
    'container': '{place}',
    'unit': '{place}',
    'web server': '{place}',
    'installed unit': '{place}, not enabled',
    'default': 'by name',
}


def services(report: model.Report) -> list[tuple[str, str]]:
    """Return which services read which files, and how that is known.

    :returns: (services, files); empty if the operator gave the files.
    """
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    if all(one.how == 'given' for one in report.services):
        return []
    for one in report.services:
        place = f'{one.file}:{one.line}' if one.line else one.file
        how = _HOW.get(one.how, one.how).format(pid=one.pid or '', place=place)
        by_how = found.setdefault(one.locations, {})
        by_how.setdefault(how.strip(), []).append(one.service)
    return [
        (
            ', '.join(
                f'{", ".join(names)} ({how})' for how, names in by_how.items()
            ),
            ', '.join(locations) or 'no file',
        )
        for locations, by_how in found.items()
    ]


def word(check: model.CheckResult) -> str:
    """Return the outcome of a check as a word for the summary."""
    if check.outcome is _Outcome.FOUND:
        if check.findings and not any(f.counts for f in check.findings):
            waived = any(f.waiver is not None for f in check.findings)
            return 'WAIVED' if waived else 'IN BASELINE'
        return check.severity.name
    return OUTCOME_WORDS[check.outcome]


_DID_NOT_LOOK = (_Outcome.SKIPPED, _Outcome.NOT_APPLICABLE, _Outcome.ERROR)

_COULD_NOT_RUN = 'could not run; see below'


class SummaryRow(NamedTuple):
    """One line of the summary."""

    checks: tuple[model.CheckResult, ...]
    """One check, or several that did not run for the same reason."""

    @property
    def check(self) -> model.CheckResult:
        """Return the check, or the first of several."""
        return self.checks[0]

    @property
    def name(self) -> str:
        """Return the id of the check, or the number of checks."""
        if len(self.checks) == 1:
            return self.check.id
        return f'{len(self.checks)} checks'

    @property
    def note(self) -> str:
        """Return the text beside the name."""
        if len(self.checks) == 1:
            return note(self.check)
        ids = ', '.join(check.id for check in self.checks)
        reason = self.check.reason
        if self.check.outcome is _Outcome.ERROR:
            reason = _COULD_NOT_RUN
        return f'{reason}: {ids}'


def check_rows(report: model.Report) -> list[SummaryRow]:
    """Return the lines of the summary, in the order of the checks.

    Without the database a dozen checks are skipped for the same reason, and
    after the upgrade as many do not apply: they have one line, in the place of
    the first.
    """
    found: dict[tuple[_Outcome, str], list[model.CheckResult]] = {}
    for check in report.checks:
        # Only checks that did not run and have no findings share a line.
        key = (
            check.outcome,
            grouping.identify_error(check)
            if check.outcome is _Outcome.ERROR
            else check.reason,
        )
        if check.outcome not in _DID_NOT_LOOK or check.findings:
            key = (check.outcome, check.id)
        found.setdefault(key, []).append(check)
    return [SummaryRow(tuple(checks)) for checks in found.values()]


def note(check: model.CheckResult) -> str:
    """Return the text beside a check in the summary."""
    parts = [
        plural(number, noun)
        for severity, noun in NOUNS.items()
        for number in [
            sum(
                1
                for f in check.findings
                if f.severity is severity and f.counts
            )
        ]
        if number
    ]
    parts += _passed(check.findings)
    if check.outcome is _Outcome.ERROR:
        parts.insert(0, _COULD_NOT_RUN)
    elif check.reason:
        parts.insert(0, check.reason)
    return ', '.join(parts)


def _passed(findings: Iterable[model.Finding]) -> list[str]:
    """Return how many findings are waived and how many are known."""
    waived = known = 0
    for finding in findings:
        waived += finding.waiver is not None
        known += finding.known and finding.waiver is None
    found = [(waived, 'waived'), (known, 'in the baseline')]
    return [f'{number} {text}' for number, text in found if number]


def is_of(finding: model.Finding, severity: model.Severity) -> bool:
    """Say whether a finding belongs in the section of a severity."""
    return finding.counts and finding.severity is severity


def passed(report: model.Report) -> list[model.Finding]:
    """Return the waived and known findings, in the order of the report."""
    return [f for c in report.checks for f in c.findings if not f.counts]


def let_pass(report: model.Report) -> str:
    """Return how many findings are waived or known; '' when none are.

    It is shown beside the verdict, which does not consider them.
    """
    found = passed(report)
    failures = sum(1 for f in found if f.severity is _Severity.FAILURE)
    if not found:
        return ''
    return (
        f'{plural(len(found), "finding")}, {plural(failures, "failure")} '
        f'among them: {", ".join(_passed(found))}'
    )


def why_passed(finding: model.Finding) -> str:
    """Return why a finding does not count."""
    waiver = finding.waiver
    if waiver is None:
        return 'in the baseline'
    return f'waived by {waiver.owner} up to {waiver.expires}: {waiver.reason}'


def to_waive(report: model.Report) -> list[model.Finding]:
    """Return the failures and warnings that could be waived."""
    return [
        finding
        for check in report.checks
        if check.waivable
        for finding in check.findings
        if finding.counts and finding.severity is not _Severity.INFO
    ]


def waiver(finding: model.Finding, report: model.Report) -> str:
    """Return an entry for the waiver file that covers just one finding.

    It is one line of YAML. The reason and the owner are empty, which makes the
    entry invalid until the operator fills them in.
    """
    # JSON is valid YAML, and a JSON string can contain any character.
    key = json.dumps(waiver_file.escape(finding.key))
    until = report.waiver_until or '""'
    return f'- {{key: {key}, reason: "", owner: "", expires: {until}}}'


def counts(report: model.Report) -> str:
    """Return the closing line: the number of checks by outcome.

    Results about the run itself follow by name.
    """
    found = [word(one) for one in report.checks if one.id not in _NO_CHECKS]
    order = (
        ('FAILURE', 'with failures'),
        ('ERROR', 'could not run (as a failure)'),
        ('WARNING', 'with warnings'),
        ('SKIPPED', 'skipped (as a warning)'),
        ('WAIVED', 'waived'),
        ('IN BASELINE', 'in the baseline'),
        ('INFO', 'with notes only'),
        ('PASSED', 'passed'),
        ('N/A', 'not applicable'),
    )
    parts = ', '.join(
        f'{found.count(name)} {text}' for name, text in order if name in found
    )
    text = f'{plural(len(found), "check")}: {parts or "none ran"}'
    others = [
        f'{one.id} {meaning}'
        for one in report.checks
        for name, meaning in order
        if one.id in _NO_CHECKS and name == word(one)
    ]
    if others:
        text += f'; besides: {", ".join(others)}'
    let_pass = _passed(f for c in report.checks for f in c.findings)
    if let_pass:
        text += f'; findings that do not count: {", ".join(let_pass)}'
    return text


def actors(finding: model.Finding) -> tuple[str, ...]:
    """Return who can carry out the steps of a finding, in their order."""
    found = []
    for step in finding.remediation:
        if step.kind == 'command':
            over_api = step.text.startswith(('openstack ', 'manila '))
            found.append(_API if over_api else _SHELL)
        elif step.kind in _ACTORS:
            found.append(_ACTORS[step.kind])
    if not found and finding.severity is not _Severity.INFO:
        found.append('operator, by hand')
    return tuple(dict.fromkeys(found))


def names_subject(finding: model.Finding) -> bool:
    """Say whether the message contains the name of the subject."""
    parts = re.split(r'[/@]', finding.subject.name)
    return all(part in finding.message for part in parts)


def subject_of(subject: model.Subject) -> tuple[str, str]:
    """Return the name of a subject, and its 'file:line', its uuid or ''."""
    name = plain.neutralise(subject.name)
    if subject.file is not None:
        line = '' if subject.line is None else f':{subject.line}'
        return name, f'{plain.neutralise(subject.file)}{line}'
    if subject.uuid is not None and subject.uuid != subject.name:
        return name, plain.neutralise(subject.uuid)
    return name, ''
