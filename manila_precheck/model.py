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

"""The findings, results and report of a run, all immutable.

Nothing here reads a file, a clock or a database; values that change from run
to run are passed in, so the same input gives the same report.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import enum
import re
import shlex
import types
from typing import NamedTuple
from typing import Optional
from typing import Union

#: What a value in :attr:`Finding.data` may be: JSON, one level deep.
Scalar = Union[None, bool, int, float, str]


_PLACE = re.compile(r'(\{=?\})')

# Of the servers' own clients; DATABASE is the operator's to fill in.
_CLIENTS = {
    'mysql': 'mysql DATABASE -e {}',
    'postgresql': 'psql DATABASE -c {}',
    'sqlite': 'sqlite3 DATABASE {}',
}

# What ends a line of a file for oslo.config, blank lines with it.
_BREAKS = re.compile(r'[\r\n]\s*')


def option_group(check_id: str) -> str:
    """Return the oslo.config group that holds a check's own options."""
    return f'manila_precheck_{check_id.replace("-", "_")}'


class Severity(enum.IntEnum):
    """How much a finding weighs, equal by value to oslo's Code."""

    # Worth knowing; changes no exit code.
    INFO = 0
    # The services start, but a setting loses its effect, a default changes
    # under it, or the release after this one breaks.
    WARNING = 1
    # A service does not start, the upgrade stops half way, data or work in
    # flight is lost, or access opens.
    FAILURE = 2


class Stage(str, enum.Enum):
    """Where in the procedure the operator stands."""

    # The services of the source release run.
    PLAN = 'plan'
    # All services are down; ``manila-manage db sync`` has not run.
    STOPPED = 'stopped'
    # After ``manila-manage db sync``, the services were started.
    UPGRADED = 'upgraded'


ALL_STAGES = frozenset(Stage)


class Outcome(str, enum.Enum):
    """What became of a check."""

    # It looked at everything and found nothing.
    PASSED = 'passed'
    # It looked, and has findings; the highest severity counts.
    FOUND = 'found'
    # An input that it needs was never given: nothing was looked at.
    SKIPPED = 'skipped'
    # It crashed, did not load, ran too long, or an input is unusable.
    ERROR = 'error'
    # The stage or the release window is not its own, or there is nothing
    # to judge yet.
    NOT_APPLICABLE = 'not_applicable'


class Source(str, enum.Enum):
    """An input that a check may require."""

    # manila.conf and every other file that oslo.config reads.
    CONFIG = 'config'
    # The policy files that manila's API reads.
    POLICY = 'policy'
    # The api-paste.ini that manila's API reads.
    PASTE = 'paste'
    # manila's database, read only.
    DATABASE = 'database'


class Subject(NamedTuple):
    """The object that a finding speaks of."""

    kind: str
    """Its kind, one word: 'option', 'policy', 'table', 'share', 'service'."""

    name: str
    """Its stable name: 'DEFAULT/foo', 'shares', a share's id, a host."""

    file: Optional[str] = None
    """The file it stands in; None when it stands in no file."""

    line: Optional[int] = None
    """The line in that file, counted from 1; None when there is none."""

    uuid: Optional[str] = None
    """Its id in the database; None when it has none."""


class Edit(NamedTuple):
    """A change of a file of the site that carries out a remedy.

    ``upgrade fix`` makes it. It holds no secret: a value that stands in the
    file is moved as it stands there.
    """

    action: str
    """'comment' (out what begins on the line), 'set' (another value), 'move'
    (what is on the line to another name, section or value), 'add' (a line),
    'choose' (mark it for a person to decide) or 'convert' (write the same
    into another file)."""

    kind: str
    """What the file is read as: 'config', 'policy' or 'paste'."""

    file: str
    """The path as it was opened."""

    line: Optional[int] = None
    """Where it begins, from 1; None where nothing stands yet."""

    section: str = ''
    """Where the new line belongs; '' in a policy file."""

    name: str = ''
    """What is set; '' for a whole section."""

    value: Optional[str] = None
    """The new value; what is admitted, for 'choose'; the new file, for
    'convert'; None for the value that stands there, or for none."""

    early: bool = False
    """The source release reads the result to the same effect, so that it can
    be rolled out before the upgrade."""


class Remediation(NamedTuple):
    """What to do about a finding."""

    kind: str
    """'command' (to type), 'config' or 'policy' (lines of a file), 'text'."""

    text: str
    """The command, the lines, or the sentence, without a trailing newline."""

    edits: Sequence[Edit] = ()
    """What to change in the files of the site, where that can be said."""

    def with_edits(self, *edits: Edit) -> 'Remediation':
        """Return the same with the changes that carry it out."""
        return self._replace(edits=edits)


def quoted(word: str) -> str:
    """Return a word as bash takes it, whatever is in it.

    :param word: without NUL, which no argument of a command can hold. A
        surrogate stands for a byte that is no UTF-8, as in a file's name.
    :returns: the word, in quotes where it needs some; on one line.
    """
    if word.isprintable():
        if "'" in word and not set(word) & set('"$`!\\'):
            # Statements, which read better so.
            return f'"{word}"'
        return shlex.quote(word)
    return "$'{}'".format(
        ''.join(
            one
            # '!' recalls the history of an interactive shell.
            if one.isprintable() and one not in "\\'!"
            else ''.join(
                f'\\x{byte:02x}'
                for byte in one.encode('utf-8', 'surrogateescape')
            )
            for one in word
        )
    )


def command(template: str, *words: object) -> Remediation:
    """Return a command for bash that an operator can type as it stands.

    What comes from a file or a database goes into the words, never into the
    template.

    :param template: the command. ``{}`` stands for a word; positional ones
        come last. ``--option{=}`` stands for an option with its value.
    :param words: as many as there are places; each becomes one argument, or
        a part of one. Without any the template is the command.
    :returns: the command; advice, if no command line can hold a word.
    """
    texts = [str(word) for word in words]
    if any('\0' in text for text in texts):
        return advice(
            'A name in this command has a NUL character, which a command '
            f'line cannot contain: {template}'
        )
    parts = _PLACE.split(template) if texts else [template]
    if len(parts) != 2 * len(texts) + 1:
        raise ValueError(f'{template!r} with {len(texts)} words')
    found, ended = parts[0], False
    for text, place, rest in zip(texts, parts[1::2], parts[2::2]):
        dash = text.startswith('-')
        if place == '{=}':
            found += '=' if dash else ' '
        elif dash and not ended and found.endswith(' '):
            found += '-- '
            ended = True
        found += quoted(text) + rest
    return Remediation('command', found)


def sql(dialect: str, statement: str) -> Remediation:
    """Return a command that runs a statement on the database.

    :param dialect: 'mysql', 'postgresql' or 'sqlite'.
    :param statement: its names and values quoted for SQL.
    """
    return command(_CLIENTS[dialect], statement)


def config(template: str, *words: object) -> Remediation:
    """Return lines for a configuration file.

    :param template: the lines; ``{}`` stands for a name, or a value as it
        stands in a file.
    :param words: a line break in one does not end the value: the next line
        of it begins with a blank.
    """
    if not words:
        return Remediation('config', template)
    return Remediation(
        'config',
        template.format(*(_BREAKS.sub('\n    ', str(one)) for one in words)),
    )


def policy(text: str) -> Remediation:
    """Return lines for a policy file, as they stand."""
    return Remediation('policy', text)


def rule(name: str, check: str) -> Remediation:
    """Return a rule as a line for a policy file, which is YAML."""
    return policy(f'{_yaml(name)}: {_yaml(check)}')


def _yaml(text: str) -> str:
    """Return a text in double quotes."""
    return '"{}"'.format(
        ''.join(
            f'\\{one}'
            if one in '"\\'
            else one
            if one.isprintable()
            else f'\\U{ord(one):08x}'
            for one in text
        )
    )


def advice(text: str) -> Remediation:
    """Return a sentence, for what cannot be typed."""
    return Remediation('text', text)


class Waiver(NamedTuple):
    """The word of somebody that a finding may be let pass."""

    key: str
    """Of the findings that it covers; '*' and '?' are wildcards."""

    reason: str
    """Why, on one line."""

    owner: str
    """Who answers for it."""

    expires: str
    """The last day on which it holds: '2026-12-31'."""


class Finding(NamedTuple):
    """One thing that one check has to say of one object."""

    severity: Severity
    """How much it weighs."""

    subject: Subject
    """What it is about."""

    message: str
    """One sentence: the object, the value found, what will happen."""

    remediation: Sequence[Remediation] = ()
    """What to do, in order; empty when nothing has to be done."""

    references: Sequence[str] = ()
    """Where the facts come from: a release and file, a bug, a page."""

    data: Mapping[str, Scalar] = types.MappingProxyType({})
    """The figures behind the message, flat, for programs."""

    aspect: str = ''
    """Tells apart two findings of one check on one subject; mostly ''."""

    cause: str = ''
    """What it has in common with other findings of its check, in one word:
    those of one cause and severity are one group in a report, and their
    remedies have as many steps. '' leaves it to kind, aspect and remedy."""

    check_id: str = ''
    """The id of the check that says it; set by the run."""

    waiver: Optional[Waiver] = None
    """What lets it pass; set by the run, never by a check."""

    known: bool = False
    """It is in the baseline; set by the run, never by a check."""

    @property
    def counts(self) -> bool:
        """Say whether it shows in the exit code, as far as it weighs."""
        return self.waiver is None and not self.known

    @property
    def key(self) -> str:
        """Return the stable name of the finding.

        It holds no count, time or translated text, so that waivers and
        baselines match on it: 'config-options[DEFAULT/foo]', and
        'config-options[DEFAULT/foo#value]' where there is an aspect.
        """
        aspect = f'#{self.aspect}' if self.aspect else ''
        return f'{self.check_id}[{self.subject.name}{aspect}]'


class CheckResult(NamedTuple):
    """What became of one check, with its findings."""

    id: str
    """The check's id; the entry point's name when it did not load."""

    title: str
    """What the check is called in a table."""

    outcome: Outcome
    """What became of it."""

    reason: str = ''
    """Why it was not run, or what went wrong; '' when it ran."""

    findings: tuple[Finding, ...] = ()
    """Highest severity first, then by file and line, then as yielded."""

    seconds: float = 0.0
    """How long it took."""

    waivable: bool = True
    """Whether a waiver may let its findings pass."""

    remediation: tuple[Remediation, ...] = ()
    """What makes it run, in order, where it could not and that is known."""

    about: str = ''
    """What it looks for: the first paragraph of its documentation; '' where
    it did not load, and in a report of an earlier version."""

    @property
    def severity(self) -> Severity:
        """Return what the result counts for in the exit code."""
        if self.outcome is Outcome.ERROR:
            return Severity.FAILURE
        if self.outcome is Outcome.SKIPPED:
            return Severity.WARNING
        return max(
            (f.severity for f in self.findings if f.counts),
            default=Severity.INFO,
        )


class FileRead(NamedTuple):
    """A file that the run read."""

    path: str
    """The path as it was opened."""

    sha256: str
    """The digest of what was read, in hexadecimal."""

    kind: str = ''
    """What it is read as: 'config', 'policy', 'paste', one of these after
    'running ', 'document', 'waivers', 'baseline', 'source catalog',
    'target catalog' or 'database dump'; '' in a report of an earlier
    version."""


class ServiceRead(NamedTuple):
    """The configuration files of one service."""

    service: str
    """The name of its program: 'manila-share'."""

    locations: tuple[str, ...]
    """Files and directories, in the order in which it reads them."""

    how: str
    """How it is known: 'process', 'container' (config.json of kolla), 'unit'
    (one that starts with the machine), 'web server' (a file of uWSGI or
    Apache), 'installed unit', 'default' (by the name of the program) or
    'given' (--config-file, --config-dir)."""

    pid: Optional[int] = None
    """The process; None in a reproducible report."""

    file: Optional[str] = None
    """The file that says it; None when none does."""

    line: Optional[int] = None
    """The line in it, counted from 1."""


class SettingRead(NamedTuple):
    """An option that the configuration sets, and its effective value."""

    option: str
    """Its section and name: 'DEFAULT/state_path'."""

    value: str
    """As it stands in the file; several of a multi-valued option, one a
    line."""

    file: str
    """Where it was set last."""

    line: int
    """The line in that file, counted from 1."""


class DumpRead(NamedTuple):
    """The dump that the run read instead of a database."""

    path: str
    """The file, or the directory."""

    size_bytes: int
    """Of the file, or of those in the directory together."""

    sha256: str
    """Of the file, or of those in the directory, one after the other."""

    made: Optional[str]
    """When it was made, in UTC, as it says or as the file does; None when
    that is no date."""

    left_out: tuple[str, ...] = ()
    """What it has and the checks do not see: ('1 trigger', '2 views')."""


class DatabaseRead(NamedTuple):
    """The database that the run read."""

    dialect: str
    """'mysql', 'postgresql' or 'sqlite'."""

    revision: Optional[str]
    """The alembic revision; None when there is not exactly one."""

    empty: bool = False
    """True when it holds no table, and no revision."""

    dump: Optional[DumpRead] = None
    """The dump from which it was restored; None when it was the database
    itself."""


class Facts(NamedTuple):
    """Where the facts about one side of the upgrade come from."""

    origin: str
    """'shipped' (the catalog of this package), 'file' (source_catalog or
    target_catalog) or 'environment' (the manila that is installed here)."""

    build: str
    """The version of the package that they were read from: '22.0.2'."""

    made: Optional[str] = None
    """When, in UTC: the day of what is shipped, '2026-11-28', or the time in
    a file, '2026-11-28T12:00:00Z'; None of the environment: in this run."""

    path: Optional[str] = None
    """The file; None for none."""

    sha256: Optional[str] = None
    """The digest of the file, in hexadecimal; None for none."""


class StatementTime(NamedTuple):
    """What a statement of a rehearsal took."""

    statement: str
    """As it was sent, with no value that was bound to it; cut off."""

    table: str
    """The table that it is about; '' when that is unclear."""

    seconds: float
    """All of them together."""

    rows: Optional[int] = None
    """How many it changed; of a statement that changes a table, how many the
    table had before; None when that is not known."""

    times: int = 1
    """How often it was sent."""


class PhaseTimes(NamedTuple):
    """What a command of a rehearsal took."""

    phase: str
    """'restore', 'purge' or 'sync'."""

    seconds: float
    """From its beginning to its end, without what imports take."""

    statements: tuple[StatementTime, ...] = ()
    """The longest first; short ones of the same text are added up."""

    whole: bool = True
    """It came to its end; False: it stopped."""

    start_seconds: Optional[float] = None
    """What its program took beside that, to start and to end; None where it
    was not measured."""

    def without_times(self) -> 'PhaseTimes':
        """Return the same, of a run that may take another time."""
        return self._replace(
            seconds=0.0,
            start_seconds=None,
            statements=tuple(
                sorted(one._replace(seconds=0.0) for one in self.statements)
            ),
        )


class Rehearsal(NamedTuple):
    """What ``upgrade rehearse`` did, and what it took."""

    place: str
    """Where the copy was: 'private' (a server of the run) or 'scratch' (one
    that was named)."""

    server: str
    """The version of the server that was dumped, or that held the copy, or
    rejected the backup; '' when that is not whole and no server was asked."""

    phases: tuple[PhaseTimes, ...]
    """In the order in which they were done."""

    rows: int
    """Of all tables of the copy together; 0 when there is none."""

    proven: bool
    """The backup was restored, and has what it says."""

    live_revision: Optional[str] = None
    """Of the database of the configuration; None when it was not reached."""

    probe_seconds: Optional[float] = None
    """What a probe of the speed took on the server of the copy; None when
    there is none for it."""

    kept: Optional[str] = None
    """The directory of the copy; None when it is gone."""


class HostRead(NamedTuple):
    """The report of one host, in a report of several."""

    region: str
    """Its region; '' for none."""

    name: str
    """Its name in the merge."""

    code: Optional[int]
    """What its report counts for: 0, 1 or 2; None when there is none."""

    created: Optional[str] = None
    """When its report was made, in UTC; None when that says no date."""

    file: Optional[str] = None
    """The file of its report; None when there is none."""

    sha256: Optional[str] = None
    """The digest of that file, in hexadecimal."""


class RunRead(NamedTuple):
    """What an earlier report of the same site said, in figures."""

    created: Optional[str]
    """When, in UTC; None in a reproducible report."""

    source_release: str
    target_release: str
    stage: Stage
    hosts: int
    """How many it is of."""

    failures: int
    """The findings that count, by severity; a check that could not look is
    one."""

    warnings: int
    notes: int


class Tool(NamedTuple):
    """What made the report."""

    name: str
    version: str
    catalog: str
    """The versions of manila that its facts are from: '20.0.3 22.0.2'."""


class Window(NamedTuple):
    """How long the services will be down, as far as that is known."""

    seconds_min: float
    seconds_max: float
    unknown: tuple[str, ...] = ()
    """The titles of the steps whose time is not known, in order."""


class Report(NamedTuple):
    """Everything a reporter needs; two equal runs give two equal reports."""

    tool: Tool
    source_release: str
    """The release that runs now: '2025.1'."""

    source_origin: str
    """How it is known: 'database', 'shared' (the database has the revision
    of several releases), 'option', 'package' or 'assumed'."""

    target_release: str
    """The release that the operator is going to: '2026.1'."""

    target_origin: str
    """How it is known, likewise."""

    stage: Stage
    files: tuple[FileRead, ...]
    """Every file that was read, in the order of reading."""

    database: Optional[DatabaseRead]
    """None when no check needed one, or it could not be read."""

    checks: tuple[CheckResult, ...]
    """In the order of their ids."""

    excluded: tuple[str, ...] = ()
    """The ids that the operator left out, sorted."""

    backends: tuple[str, ...] = ()
    """The enabled back ends, sorted: what 'nothing found' speaks of."""

    created: Optional[str] = None
    """When, in UTC: '2026-04-01T12:00:00+00:00'; None in a reproducible
    report, whose checks took 0 seconds then."""

    fail_on: str = 'warning'
    """The lowest severity that shows in the exit code: 'warning', 'failure'
    or 'never'."""

    settings: tuple[SettingRead, ...] = ()
    """The options that the configuration sets, by section and name: those
    that the catalog knows and that hold no secret."""

    waiver_until: Optional[str] = None
    """The day that a ready-made waiver proposes; None leaves it open."""

    redacted_names: bool = False
    """Whether the names of hosts, projects and shares are replaced."""

    host: str = ''
    """The name of the machine that is judged; '' where names are replaced, in
    a reproducible report and in one of an earlier version."""

    root: str = ''
    """The directory or the archive that holds its files; '' where they are
    those of the host, and where names are replaced."""

    source_build: Optional[str] = None
    """The version of the package that runs now, as it was found or given;
    None when only the release is known."""

    target_build: Optional[str] = None
    """The version of the package to go to, likewise."""

    sampled: bool = False
    """Whether of large tables only a sample was to be read (--quick)."""

    source_facts: Optional[Facts] = None
    """Where the facts about the source come from; None when the catalog does
    not cover it, and in a report of an earlier version."""

    target_facts: Optional[Facts] = None
    """Where those about the target come from, likewise."""

    services: tuple[ServiceRead, ...] = ()
    """Which files each service reads, by the order of the services; empty in
    a report of several hosts, and in one of an earlier version."""

    rehearsal: Optional[Rehearsal] = None
    """What was done on a copy; None in any report but that of ``upgrade
    rehearse``."""

    hosts: tuple[HostRead, ...] = ()
    """The hosts that it is of, by region and name; empty in the report of one
    host."""

    runs: tuple[RunRead, ...] = ()
    """Earlier reports that it was given, oldest first."""

    site: str = ''
    """The name of the site, as given; '' for none, and where names are
    replaced. So are region and author."""

    region: str = ''
    author: str = ''

    window: Optional[Window] = None
    """How long the upgrade takes from the stop of the services to their
    start; None where that cannot be told: the database was not read, the
    upgrade is not one of a single step, or it has begun."""

    @property
    def run(self) -> RunRead:
        """Return it in figures."""
        counts = [0, 0, 0]
        for check in self.checks:
            for finding in check.findings:
                counts[finding.severity] += finding.counts
            if check.outcome in (Outcome.ERROR, Outcome.SKIPPED):
                counts[check.severity] += 1
        return RunRead(
            created=self.created,
            source_release=self.source_release,
            target_release=self.target_release,
            stage=self.stage,
            hosts=len(self.hosts) or 1,
            failures=counts[Severity.FAILURE],
            warnings=counts[Severity.WARNING],
            notes=counts[Severity.INFO],
        )

    @property
    def whole(self) -> bool:
        """Say whether every check was run, over all that there is."""
        return not (self.excluded or self.sampled)

    @property
    def exit_code(self) -> int:
        """Return the exit code: ``code``, or 0 below the threshold."""
        return exit_code(self.code, self.fail_on)

    @property
    def target_assumed(self) -> bool:
        """Say whether nothing named the target."""
        return self.target_origin == 'assumed'

    @property
    def severity(self) -> Severity:
        """Return the highest severity in it."""
        return max((c.severity for c in self.checks), default=Severity.INFO)

    @property
    def code(self) -> int:
        """Return the exit code before any threshold: 0, 1 or 2."""
        return int(self.severity)


def exit_code(code: int, fail_on: str) -> int:
    """Return the exit code for a code: 0 when it is below the threshold.

    :param fail_on: 'warning', 'failure' or 'never'.
    """
    lowest = {'warning': 1, 'failure': 2}.get(fail_on, 3)
    return code if code >= lowest else 0
