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

"""The immutable types for findings, check results and reports.

Nothing here reads a file, a clock or a database. Values that change from run
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

#: The type of a value in :attr:`Finding.data`: a JSON scalar.
Scalar = Union[None, bool, int, float, str]


_PLACE = re.compile(r'(\{=?\})')

# The command line clients of the servers. The operator replaces DATABASE.
_CLIENTS = {
    'mysql': 'mysql DATABASE -e {}',
    'postgresql': 'psql DATABASE -c {}',
    'sqlite': 'sqlite3 DATABASE {}',
}

# The end of a line as oslo.config reads a file, with the blanks and empty
# lines that follow.
_BREAKS = re.compile(r'[\r\n]\s*')


def option_group(check_id: str) -> str:
    """Return the oslo.config group that holds a check's own options."""
    return f'manila_precheck_{check_id.replace("-", "_")}'


class Severity(enum.IntEnum):
    """The severity of a finding; its values are those of oslo's Code."""

    # Worth knowing; changes no exit code.
    INFO = 0
    # The services start, but a setting loses its effect, a default changes
    # under it, or the release after this one breaks.
    WARNING = 1
    # A service does not start, the upgrade stops half way, data or work in
    # flight is lost, or access opens.
    FAILURE = 2


class Stage(str, enum.Enum):
    """A stage of the upgrade procedure."""

    # The services of the source release run.
    PLAN = 'plan'
    # All services are down; ``manila-manage db sync`` has not run.
    STOPPED = 'stopped'
    # ``manila-manage db sync`` has run, and the services were started.
    UPGRADED = 'upgraded'


ALL_STAGES = frozenset(Stage)


class Outcome(str, enum.Enum):
    """How the run of a check ended."""

    # The check read everything and found nothing.
    PASSED = 'passed'
    # The check has findings; the highest severity counts.
    FOUND = 'found'
    # An input that the check requires was not given: it did not run.
    SKIPPED = 'skipped'
    # The check crashed, did not load or ran too long, or an input is
    # unusable.
    ERROR = 'error'
    # The check is for other stages or releases, or there is nothing to check
    # yet.
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
    """The object that a finding is about."""

    kind: str
    """Its kind, one word: 'option', 'policy', 'table', 'share', 'service'."""

    name: str
    """Its stable name: 'DEFAULT/foo', 'shares', a share's id, a host."""

    file: Optional[str] = None
    """The file that contains it; None when no file does."""

    line: Optional[int] = None
    """The line in that file, counted from 1; None when it has none."""

    uuid: Optional[str] = None
    """Its id in the database; None when it has none."""


class Edit(NamedTuple):
    """A change of a file of the site that carries out a remedy.

    ``upgrade fix`` makes it. It never holds a secret: when a value of the
    file is to be moved, ``upgrade fix`` takes it from the file.
    """

    action: str
    """'comment' (comment out what begins on the line), 'set' (change the
    value), 'move' (move the line to another name, section or value), 'add'
    (add a line), 'choose' (mark the line for a person to decide) or 'convert'
    (write the same content into another file)."""

    kind: str
    """The kind of file: 'config', 'policy' or 'paste'."""

    file: str
    """The path as it was opened."""

    line: Optional[int] = None
    """The first line of the change, counted from 1; None if the file does not
    have that line yet."""

    section: str = ''
    """The section of the new line; '' in a policy file."""

    name: str = ''
    """The name of the option or rule; '' for a whole section."""

    value: Optional[str] = None
    """The new value. For 'choose' the valid values, for 'convert' the path of
    the new file. None to keep the value of the file, or for no value."""

    early: bool = False
    """Whether the source release reads the result to the same effect, so that
    it can be rolled out before the upgrade."""


class Remediation(NamedTuple):
    """One step that resolves a finding."""

    kind: str
    """'command' (to type), 'config' or 'policy' (lines of a file) or 'text'
    (a sentence)."""

    text: str
    """The command, the lines, or the sentence, without a trailing newline."""

    edits: Sequence[Edit] = ()
    """The changes of files of the site that carry out the step, if any."""

    def with_edits(self, *edits: Edit) -> 'Remediation':
        """Return the step with the changes that carry it out."""
        return self._replace(edits=edits)


def quoted(word: str) -> str:
    """Return a word quoted for bash, whatever characters it contains.

    :param word: without NUL, which no argument of a command can contain. A
        surrogate stands for a byte that is not UTF-8, as in a file's name.
    :returns: the word on one line, quoted if necessary.
    """
    if word.isprintable():
        if "'" in word and not set(word) & set('"$`!\\'):
            # SQL statements are easier to read in double quotes.
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
    """Return a bash command that an operator can type as it is.

    Text from a file or a database belongs in the words, never in the
    template.

    :param template: the command. ``{}`` stands for a word; positional
        arguments come last. ``--option{=}`` stands for an option with its
        value.
    :param words: one for each place; each becomes one argument, or a part of
        one. Without words, the template is the command.
    :returns: the command; advice, if a word cannot be on a command line.
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
    :param statement: with names and values quoted for SQL.
    """
    return command(_CLIENTS[dialect], statement)


def config(template: str, *words: object) -> Remediation:
    """Return lines for a configuration file.

    :param template: the lines; ``{}`` stands for a name, or for a value as a
        file contains it.
    :param words: the names and values. After a line break in a word, the next
        line is indented, so that it continues the value.
    """
    if not words:
        return Remediation('config', template)
    return Remediation(
        'config',
        template.format(*(_BREAKS.sub('\n    ', str(one)) for one in words)),
    )


def policy(text: str) -> Remediation:
    """Return lines for a policy file."""
    return Remediation('policy', text)


def rule(name: str, check: str) -> Remediation:
    """Return the line of a YAML policy file for one rule."""
    return policy(f'{_yaml(name)}: {_yaml(check)}')


def _yaml(text: str) -> str:
    """Return a text as a YAML string in double quotes."""
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
    """Return a step that is a sentence instead of something to type."""
    return Remediation('text', text)


class Waiver(NamedTuple):
    """An entry of the waiver file: somebody accepts a finding."""

    key: str
    """The key of the findings that it covers; '*' and '?' are wildcards."""

    reason: str
    """Why the finding is accepted, on one line."""

    owner: str
    """Who is responsible for the decision."""

    expires: str
    """The last day on which the waiver is valid: '2026-12-31'."""


class Finding(NamedTuple):
    """One problem, or note, that a check reports about one object."""

    severity: Severity
    """How serious it is."""

    subject: Subject
    """The object that it is about."""

    message: str
    """One sentence: the object, the value found, what will happen."""

    remediation: Sequence[Remediation] = ()
    """The steps that resolve it, in order; empty when nothing has to be
    done."""

    references: Sequence[str] = ()
    """Where the facts come from: a release and file, a bug, a page."""

    data: Mapping[str, Scalar] = types.MappingProxyType({})
    """The values behind the message, for programs."""

    aspect: str = ''
    """Distinguishes two findings of one check about the same subject; mostly
    ''."""

    cause: str = ''
    """One word for the cause that it shares with other findings of its check.
    A report groups findings of the same cause and severity; their remedies
    must have the same number of steps. With '' the report groups by kind,
    aspect and remedy."""

    check_id: str = ''
    """The id of the check that reports it; set by the run."""

    waiver: Optional[Waiver] = None
    """The waiver that accepts it; set by the run, never by a check."""

    known: bool = False
    """Whether it is in the baseline; set by the run, never by a check."""

    @property
    def counts(self) -> bool:
        """Say whether the exit code may depend on its severity."""
        return self.waiver is None and not self.known

    @property
    def key(self) -> str:
        """Return the stable name of the finding.

        It has no count, time or translated text, so that waivers and
        baselines can match it: 'config-options[DEFAULT/foo]', or with an
        aspect 'config-options[DEFAULT/foo#value]'.
        """
        aspect = f'#{self.aspect}' if self.aspect else ''
        return f'{self.check_id}[{self.subject.name}{aspect}]'


class CheckResult(NamedTuple):
    """The result of one check, with its findings."""

    id: str
    """The check's id; the entry point's name when it did not load."""

    title: str
    """The title of the check, as a table shows it."""

    outcome: Outcome
    """How the run of the check ended."""

    reason: str = ''
    """Why it did not run, or what went wrong; '' when it ran."""

    findings: tuple[Finding, ...] = ()
    """Highest severity first, then by file and line, then as yielded."""

    seconds: float = 0.0
    """How long it took."""

    waivable: bool = True
    """Whether a waiver may accept its findings."""

    remediation: tuple[Remediation, ...] = ()
    """The steps that let the check run, in order, if it could not run and
    they are known."""

    about: str = ''
    """What the check looks for: the first paragraph of its documentation; ''
    when it did not load, and in a report of an earlier version."""

    @property
    def severity(self) -> Severity:
        """Return the severity by which the result affects the exit code."""
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
    """The kind of file: 'config', 'policy', 'paste', one of these after
    'running ', 'document', 'waivers', 'baseline', 'source catalog',
    'target catalog' or 'database dump'; '' in a report of an earlier
    version."""


class ServiceRead(NamedTuple):
    """The configuration files of one service."""

    service: str
    """The name of its program: 'manila-share'."""

    locations: tuple[str, ...]
    """Files and directories, in the order in which the service reads them."""

    how: str
    """Where the locations were found: 'process', 'container' (config.json of
    kolla), 'unit' (a unit that starts with the machine), 'web server' (a file
    of uWSGI or Apache), 'installed unit', 'default' (by the name of the
    program) or 'given' (--config-file, --config-dir)."""

    pid: Optional[int] = None
    """The id of the process; None in a reproducible report."""

    file: Optional[str] = None
    """The file that names the locations; None when no file does."""

    line: Optional[int] = None
    """The line in that file, counted from 1."""


class SettingRead(NamedTuple):
    """An option that the configuration sets, and its effective value."""

    option: str
    """Its section and name: 'DEFAULT/state_path'."""

    value: str
    """The value as the file contains it; the values of a multi-valued option
    are on lines of their own."""

    file: str
    """The file that sets it last."""

    line: int
    """The line in that file, counted from 1."""


class DumpRead(NamedTuple):
    """The dump that the run read instead of a database."""

    path: str
    """The path of the file or directory."""

    size_bytes: int
    """The size of the file, or of all files in the directory."""

    sha256: str
    """The digest of the file, or of the files in the directory one after the
    other."""

    made: Optional[str]
    """When it was made, in UTC, by the date in the dump or that of the file;
    None when there is no valid date."""

    left_out: tuple[str, ...] = ()
    """Objects in the dump that the checks do not see: ('1 trigger', '2
    views')."""


class DatabaseRead(NamedTuple):
    """The database that the run read."""

    dialect: str
    """'mysql', 'postgresql' or 'sqlite'."""

    revision: Optional[str]
    """The alembic revision; None when there is not exactly one."""

    empty: bool = False
    """True when it holds no table, and no revision."""

    dump: Optional[DumpRead] = None
    """The dump from which it was restored; None for a live database."""


class Facts(NamedTuple):
    """Where the facts about one side of the upgrade come from."""

    origin: str
    """'shipped' (the catalog of this package), 'file' (source_catalog or
    target_catalog) or 'environment' (the manila that is installed here)."""

    build: str
    """The version of the package that the facts were read from: '22.0.2'."""

    made: Optional[str] = None
    """When they were read, in UTC: a day for the shipped facts, '2026-11-28',
    a time for those of a file, '2026-11-28T12:00:00Z'; None for facts that
    this run read from the environment."""

    path: Optional[str] = None
    """The path of the file; None when they are not from a file."""

    sha256: Optional[str] = None
    """The digest of the file, in hexadecimal; None likewise."""


class StatementTime(NamedTuple):
    """How long a statement of a rehearsal took."""

    statement: str
    """The statement as it was sent, without its bound values; cut off if it
    is long."""

    table: str
    """The table that it is about; '' when that is unclear."""

    seconds: float
    """The total time of all its executions."""

    rows: Optional[int] = None
    """How many rows it changed, or for a statement that alters a table, how
    many rows the table had before; None when that is not known."""

    times: int = 1
    """How often it was sent."""


class PhaseTimes(NamedTuple):
    """How long a command of a rehearsal took."""

    phase: str
    """'restore', 'purge' or 'sync'."""

    seconds: float
    """The time from its beginning to its end, without that of imports."""

    statements: tuple[StatementTime, ...] = ()
    """The longest first; short ones of the same text are added up."""

    whole: bool = True
    """Whether the command completed."""

    start_seconds: Optional[float] = None
    """The additional time that its program took to start and to end; None
    when it was not measured."""

    def without_times(self) -> 'PhaseTimes':
        """Return the phase with times of 0, for a reproducible report."""
        return self._replace(
            seconds=0.0,
            start_seconds=None,
            statements=tuple(
                sorted(one._replace(seconds=0.0) for one in self.statements)
            ),
        )


class Rehearsal(NamedTuple):
    """What ``upgrade rehearse`` did, and how long it took."""

    place: str
    """Where the copy was: 'private' (a server that the run started) or
    'scratch' (the server that rehearse_server_url names)."""

    server: str
    """The version of the server that was dumped, or that held the copy, or
    rejected the backup; '' when the backup is incomplete and no server was
    asked."""

    phases: tuple[PhaseTimes, ...]
    """In the order in which they ran."""

    rows: int
    """The number of rows in all tables of the copy; 0 without a copy."""

    proven: bool
    """Whether the backup was restored and the copy has all that it should
    contain."""

    live_revision: Optional[str] = None
    """The revision of the configured database; None when that could not be
    reached."""

    probe_seconds: Optional[float] = None
    """How long the speed probe took on the server of the copy; None when it
    did not run there."""

    kept: Optional[str] = None
    """The directory of the copy; None when it was removed."""


class HostRead(NamedTuple):
    """One host in a merged report."""

    region: str
    """Its region; '' for none."""

    name: str
    """The name under which it was merged."""

    code: Optional[int]
    """The code of its report: 0, 1 or 2; None without a report."""

    created: Optional[str] = None
    """When its report was made, in UTC; None when the report has no date."""

    file: Optional[str] = None
    """The file of its report; None when there is none."""

    sha256: Optional[str] = None
    """The digest of that file, in hexadecimal."""


class RunRead(NamedTuple):
    """The totals of an earlier report of the same site."""

    created: Optional[str]
    """When it was made, in UTC; None for a reproducible report."""

    source_release: str
    target_release: str
    stage: Stage
    hosts: int
    """The number of hosts in it."""

    failures: int
    """The number of failures that count, including checks that could not
    run; likewise the warnings, including skipped checks, and the notes."""

    warnings: int
    notes: int


class Tool(NamedTuple):
    """The program that made the report."""

    name: str
    version: str
    catalog: str
    """The versions of manila that its catalog covers: '20.0.3 22.0.2'."""


class Window(NamedTuple):
    """An estimate of how long the services will be down."""

    seconds_min: float
    seconds_max: float
    unknown: tuple[str, ...] = ()
    """The titles of the steps whose time is not known, in order; the estimate
    does not include them."""


class Report(NamedTuple):
    """Everything a reporter needs; two equal runs give two equal reports."""

    tool: Tool
    source_release: str
    """The release that runs now: '2025.1'."""

    source_origin: str
    """How it is known: 'database', 'shared' (several releases have the
    revision of the database), 'option', 'package' or 'assumed'."""

    target_release: str
    """The target release of the upgrade: '2026.1'."""

    target_origin: str
    """How it is known: one of the same words."""

    stage: Stage
    files: tuple[FileRead, ...]
    """Every file that was read, in the order of reading."""

    database: Optional[DatabaseRead]
    """None when no check needed a database, or it could not be read."""

    checks: tuple[CheckResult, ...]
    """In the order of their ids."""

    excluded: tuple[str, ...] = ()
    """The ids of the checks that the operator left out, sorted."""

    backends: tuple[str, ...] = ()
    """The enabled back ends, sorted: those that the report covers."""

    created: Optional[str] = None
    """When it was made, in UTC: '2026-04-01T12:00:00+00:00'; None in a
    reproducible report, where all checks have 0 seconds."""

    fail_on: str = 'warning'
    """The lowest severity that affects the exit code: 'warning', 'failure'
    or 'never'."""

    settings: tuple[SettingRead, ...] = ()
    """The options that the configuration sets, by section and name: those
    that the catalog knows and that hold no secret."""

    waiver_until: Optional[str] = None
    """The expiry date that ready-made waivers propose; None leaves it
    open."""

    redacted_names: bool = False
    """Whether the names of hosts, projects and shares are replaced."""

    host: str = ''
    """The name of the machine that was checked; '' where names are replaced,
    in a reproducible report and in a report of an earlier version."""

    root: str = ''
    """The directory or the archive that holds its files; '' where the files
    of this machine were read, and where names are replaced."""

    source_build: Optional[str] = None
    """The version of the package that runs now, as it was found or given;
    None when only the release is known."""

    target_build: Optional[str] = None
    """The version of the target package, likewise."""

    sampled: bool = False
    """Whether only a sample of each large table was read (--quick)."""

    source_facts: Optional[Facts] = None
    """Where the facts about the source come from; None when the catalog does
    not cover it, and in a report of an earlier version."""

    target_facts: Optional[Facts] = None
    """Where the facts about the target come from; None likewise."""

    services: tuple[ServiceRead, ...] = ()
    """Which files each service reads, in the order of the services; empty in
    a report of several hosts, and in a report of an earlier version."""

    rehearsal: Optional[Rehearsal] = None
    """What was done on a copy of the database; None except in a report of
    ``upgrade rehearse``."""

    hosts: tuple[HostRead, ...] = ()
    """The hosts of a merged report, by region and name; empty in the report
    of one host."""

    runs: tuple[RunRead, ...] = ()
    """Earlier reports for comparison, oldest first."""

    site: str = ''
    """The name of the site, as given; '' for none, and where names are
    replaced. The same holds for region and author."""

    region: str = ''
    author: str = ''

    window: Optional[Window] = None
    """How long the upgrade takes from the stop of the services to their
    start; None where that is not known: the database was not read, the
    upgrade has several steps, or it has already begun."""

    @property
    def run(self) -> RunRead:
        """Return the totals of the report."""
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
        """Say whether no check was left out and no table was sampled."""
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
        """Return the highest severity of the check results."""
        return max((c.severity for c in self.checks), default=Severity.INFO)

    @property
    def code(self) -> int:
        """Return the exit code before any threshold: 0, 1 or 2."""
        return int(self.severity)


def exit_code(code: int, fail_on: str) -> int:
    """Return a code as an exit code: 0 when it is below the threshold.

    :param fail_on: the threshold: 'warning', 'failure' or 'never'.
    """
    lowest = {'warning': 1, 'failure': 2}.get(fail_on, 3)
    return code if code >= lowest else 0
