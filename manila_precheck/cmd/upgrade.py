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
"""``upgrade check``: run the checks and write the report."""

import argparse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import datetime
import functools
import importlib.metadata
import os
import sys
from typing import Any
from typing import Callable
from typing import NamedTuple
from typing import Optional

from oslo_config import cfg

from manila_precheck import catalog
from manila_precheck import cmd
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import opts
from manila_precheck import upgradecheck
from manila_precheck.cmd import answer
from manila_precheck.cmd import output
from manila_precheck.cmd import progress
from manila_precheck.cmd import report_file
from manila_precheck.cmd import settings
from manila_precheck.cmd import supervisor
from manila_precheck.cmd import waiting
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.engine import surroundings
from manila_precheck.engine import waivers
from manila_precheck.evidence import machine_names
from manila_precheck.evidence import named_files
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_sources
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.files import bundle
from manila_precheck.evidence.files import tree
from manila_precheck.redact import names as redact_names
from manila_precheck.redact import secrets

PROJECT = 'manila'

_OPTIONS = {opt.dest: opt for opt in opts.precheck_opts}

# The check that reports which sources of config_source could not be read.
_SPEAKS_OF_SOURCES = 'config-options'

# The environment variable of the option report, which names files to write.
_REPORTS = f'OS_{opts.GROUP}__REPORT'.upper()

# The prefix of option names that their flags omit.
_OF_REPORTS = 'report_'

#: The options that are flags, by the title of their group.
_FLAGS = {
    'the upgrade': (
        'target_release',
        'source_release',
        'target_catalog',
        'source_catalog',
        'shipped_catalog',
        'running_config_file',
        'running_config_dir',
        'running_root',
        'vendor_path',
        'stage',
        'wait',
    ),
    'the checks': (
        'check',
        'skip',
        'database_connection',
        'no_database',
        'database_dump',
        'server_image',
        'no_network',
        'quick',
    ),
    'the report': (
        'format',
        'report',
        'report_verbose',
        'report_show_waivers',
        'report_site',
        'report_region',
        'report_author',
        'reproducible',
        'redact_names',
    ),
    'the exit code': ('waivers', 'baseline', 'fail_on'),
}


def add_flags(group: Callable[[str], Callable[..., Any]]) -> None:
    """Add the flags of ``upgrade check``.

    :param group: called with the title of a group; returns a function that
        adds a flag to it.
    """
    for title, names in _FLAGS.items():
        add = group(title)
        for name in names:
            # The options have a prefix because manila.conf may contain
            # 'verbose' of an early oslo.log, which is not this option.
            own = name.startswith(_OF_REPORTS)
            add_flag(add, _OPTIONS[name], _OF_REPORTS if own else '')
        if 'format' in names:
            add(
                '--json',
                dest='option_format',
                action='store_const',
                const='upgradecheck-json',
                help='Print the object that oslo.upgradecheck prints, with '
                'more keys.',
            )


def add_options(
    group: Callable[[str], Callable[..., Any]],
    flags: Mapping[str, Sequence[str]],
    prefix: str,
) -> None:
    """Add the flags of another command.

    :param group: called with the title of a group; returns a function that
        adds a flag to it.
    :param flags: the names of the options, by the title of their group.
    :param prefix: a prefix of option names that their flags omit.
    """
    for title, names in flags.items():
        add = group(title)
        for name in names:
            own = name.startswith(prefix)
            add_flag(add, _OPTIONS[name], prefix if own else '')


def add_flag(add: Callable[..., Any], opt: cfg.Opt, prefix: str = '') -> None:
    """Add a flag for an option.

    :param add: the function that adds it to a group.
    :param prefix: the prefix of the option's name that the flag omits.
    """
    flag = f'--{opt.dest[len(prefix) :].replace("_", "-")}'
    dest = f'option_{opt.dest}'
    if isinstance(opt, cfg.BoolOpt):
        text = _help(opt, False)
        add(flag, dest=dest, action='store_const', const=True, help=text)
        return
    several = isinstance(opt, (cfg.ListOpt, cfg.MultiStrOpt))
    choices = list(getattr(opt.type, 'choices', None) or ()) or None
    add(
        flag,
        dest=dest,
        metavar=None if choices else opt.metavar,
        choices=choices,
        action='append' if several else 'store',
        help=_help(opt, several),
    )


def _help(opt: cfg.Opt, several: bool) -> str:
    text = str(opt.help).replace('%', '%%')
    return f'{text} May be given several times.' if several else text


class Read(NamedTuple):
    """The configuration to check, and the options of this program."""

    conf: config_sources.ConfigOpts
    """The options of this program."""

    own: config_files.ConfigFiles
    """The files that may set the options of this program."""

    locations: tuple[str, ...]
    """The files and directories to check, in the order of reading."""

    services: tuple[service_files.ServiceFiles, ...]
    """The files and directories that each service reads."""

    searched: bool
    """True if the program found the locations by itself."""

    site: tree.Tree = tree.HOST
    """The file system that holds them."""


# The environment variable of the option root.
_ROOT = f'OS_{opts.GROUP}__ROOT'.upper()


def read_conf(args: argparse.Namespace) -> Read:
    """Find the configuration to check, and the options of this program.

    Options of this program in the files of a bundle are ignored: they could
    decide which files of this machine are written.

    :raises PrecheckError: when there is no configuration, or a file or option
        cannot be used.
    """
    root = args.option_root or os.environ.get(_ROOT)
    if root:
        conf = config_sources.ConfigOpts(
            config_files.ConfigFiles(()), runner.isolated
        )
        opts.register(conf)
        conf(
            [],
            project=PROJECT,
            prog=cmd.PROG,
            default_config_files=[],
            default_config_dirs=[],
        )
        return _of_bundle(
            conf, config_files.ConfigFiles(()), root, args.locations
        )
    read = _read_host(args)
    root = read.conf.manila_precheck.root
    if root:
        # A file of this host, which the operator controls, sets root.
        return _of_bundle(read.conf, read.own, root, ())
    return read


def _of_bundle(
    conf: config_sources.ConfigOpts,
    own: config_files.ConfigFiles,
    root: str,
    named: Sequence[tuple[str, str]],
) -> Read:
    """Return the configuration in a bundle.

    :param root: the path of its directory or archive.
    :param named: the flags that name files and directories in it, with their
        values.
    :raises ConfigFileError: when it has no files of manila.
    """
    site: tree.Tree = bundle.whole(root)
    if named:
        services = service_files.given(
            _named_in(site, root, flag, path) for flag, path in named
        )
    else:
        found = bundle.look(bundle.whole(root))
        site, services = found.files, service_files.of_bundle(found)
    locations = service_files.merged(services)
    return Read(conf, own, locations, services, False, site)


def _named_in(site: tree.Tree, root: str, flag: str, path: str) -> str:
    """Return the path in a bundle that a flag names.

    :raises ConfigFileError: when it does not exist, or is a directory where a
        file is expected, or the reverse.
    """
    place = site.abspath(path)
    if site.isdir(place) != (flag == '--config-dir'):
        what = 'a directory' if site.isdir(place) else 'not a directory'
        if not site.exists(place):
            what = 'not there'
        raise exceptions.ConfigFileError(f'{flag} {path} is {what} in {root}')
    return place


def _read_host(args: argparse.Namespace) -> Read:
    """Find the files of this host, and let oslo.config parse them.

    :raises PrecheckError: when a file cannot be used.
    """
    for flag, path in args.locations:
        path = os.path.expanduser(path)
        # oslo.config would silently find no files in it.
        if flag == '--config-dir' and os.path.isfile(path):
            raise exceptions.ConfigFileError(f'{path}: not a directory')
        if flag == '--config-file' and os.path.isdir(path):
            raise exceptions.ConfigFileError(f'{path}: Is a directory')
    if args.locations:
        locations = [path for _, path in args.locations]
        services = service_files.given(locations)
    else:
        services = service_files.of_here(service_files.Machine().find())
        locations = _of_all(services)
    named = args.locations or [(_flag(path), path) for path in locations]
    # NOTE: read the files before oslo.config does: it waits for a pipe,
    # expands references between options without a limit on memory, and shows a
    # line that it cannot parse, which may contain a secret.
    own = config_files.read(locations)
    conf = config_sources.ConfigOpts(own, runner.isolated)
    opts.register(conf)
    try:
        conf(
            [word for pair in named for word in pair],
            project=PROJECT,
            prog=cmd.PROG,
            default_config_files=[],
            default_config_dirs=[],
        )
    except UnicodeDecodeError as exc:
        # oslo.config reads files in the encoding of the locale.
        raise exceptions.ConfigFileError(
            f'a configuration file has characters that {exc.encoding}, the '
            'encoding of this locale, cannot represent; set LC_ALL=C.UTF-8 '
            'to read it'
        ) from None
    except cfg.Error as exc:
        raise exceptions.ConfigFileError(
            secrets.scrub(' '.join(str(exc).split()))
        ) from exc
    return Read(conf, own, tuple(locations), services, not args.locations)


def _of_all(services: Sequence[service_files.ServiceFiles]) -> list[str]:
    """Return the files of all services and those of this program."""
    files, directories = (
        [
            path
            for path in found(project=PROJECT, prog=cmd.PROG)
            if os.path.basename(path).startswith(cmd.PROG)
        ]
        for found in (cfg.find_config_files, cfg.find_config_dirs)
    )
    paths = list(service_files.merged(services))
    # Insert them before the directories, which take precedence.
    place = len(paths)
    while place and os.path.isdir(paths[place - 1]):
        place -= 1
    paths[place:place] = files
    return [*dict.fromkeys([*paths, *directories])]


def _flag(path: str) -> str:
    is_dir = os.path.isdir(os.path.expanduser(path))
    return '--config-dir' if is_dir else '--config-file'


def _require_one_database(options: Any) -> None:
    """Make sure that no option contradicts --database-dump.

    :raises UsageError: when one does.
    """
    if not options.database_dump:
        return
    if options.no_database:
        raise exceptions.UsageError(
            '--no-database and --database-dump contradict each other'
        )
    if options.database_connection:
        raise exceptions.UsageError(
            '--database-connection and --database-dump contradict each other'
        )
    if options.wait:
        raise exceptions.UsageError(
            '--wait waits for a database that changes, and that of '
            '--database-dump does not'
        )


def require_files(ctx: context.Context, locations: Sequence[str]) -> None:
    """Make sure that at least one configuration file was read.

    :raises ConfigFileError: when none was read, or one is unreadable.
    """
    if ctx.config.files:
        return
    if locations:
        raise exceptions.ConfigFileError(
            'no configuration file to read in ' + ', '.join(locations)
        )
    raise exceptions.ConfigFileError(
        'no configuration file found: no manila.conf that this user can see '
        'in ~/.manila, ~, /etc/manila or /etc; pass --config-file FILE or '
        '--config-dir DIR'
    )


def apply_flags(conf: cfg.ConfigOpts, args: argparse.Namespace) -> None:
    """Let the flags override the environment and the files.

    :raises UsageError: when a value from any of them is invalid.
    """
    for name, value in sorted(vars(args).items()):
        if name.startswith('option_') and value is not None:
            dest = name[len('option_') :]
            if isinstance(_OPTIONS[dest], cfg.ListOpt):
                value = [
                    part.strip() for item in value for part in item.split(',')
                ]
            try:
                conf.set_override(dest, value, group=opts.GROUP)
            except ValueError as exc:
                raise exceptions.UsageError(
                    f'[{opts.GROUP}] {dest}: {exc}'
                ) from exc
    opts.settle(conf)


def make_context(
    read: Read,
    chosen: Iterable[str],
    facts: Optional[catalog.Catalog] = None,
    *,
    read_database: bool = True,
) -> context.Context:
    """Return the context of a command, which has not read anything yet.

    :param chosen: the ids of the checks that will run.
    :param facts: a catalog to share between contexts; by default a new one.
    :param read_database: whether a check, or finding out the source release,
        needs the database.
    """
    made = context.Context(
        read.conf,
        facts or catalog.Catalog(),
        datetime.datetime.now(datetime.timezone.utc),
        read_database=read_database,
        locations=read.locations,
        services=read.services,
        site=read.site,
        **of_site(read),
    )
    made.take_builds()
    made.chosen = frozenset(chosen)
    return made


class Choice(NamedTuple):
    """The checks of a command, with the waivers and the baseline."""

    available: Sequence[registry.Plugin]
    chosen: Sequence[registry.Plugin]
    decided: waivers.Decisions

    @property
    def ids(self) -> list[str]:
        """Return the ids of the checks that will run."""
        return [entry.result_id for entry in self.chosen]


def begin(
    args: argparse.Namespace, stage: Optional[model.Stage] = None
) -> Read:
    """Find the configuration to check, and apply the flags to the options.

    :param stage: the stage, for a command that has only one.
    :raises PrecheckError: when there is no configuration, or a file, flag or
        option cannot be used.
    """
    read = read_conf(args)
    apply_flags(read.conf, args)
    if stage is not None:
        read.conf.set_override('stage', stage.value, group=opts.GROUP)
    return read


def choose(
    options: Any,
    more: Sequence[str] = (),
    only: Sequence[str] = (),
    skipped: Sequence[str] = (),
) -> Choice:
    """Select the checks, and read waivers and baseline.

    :param more: ids of further results, which are not of registered checks.
    :param only: as for :func:`registry.select`.
    :param skipped: as the parameter skip of :func:`registry.select`.
    :raises PrecheckError: when an id is unknown, or a file is invalid.
    """
    available = registry.checks()
    known = [entry.result_id for entry in available]
    decided = waivers.decisions(
        options, [*known, surroundings.CHECK_ID, *more]
    )
    chosen = registry.select(available, only, skipped, runner.aliases)
    return Choice(available, chosen, decided)


def opened(
    ctx: context.Context, read: Read, args: argparse.Namespace
) -> context.Context:
    """Make sure that a context has files and valid options, and return it.

    From here on the log masks the secrets of the site.

    :raises PrecheckError: when no file was read, or an option is misspelt.
    """
    ctx.redactor  # noqa: B018  A bad pattern is a usage error.
    args.log.redactor = lambda: ctx.redactor
    require_files(ctx, read.locations)
    ours = ctx.config if read.site.is_host else read.own
    opts.require_known(read.conf, ours.settings, os.environ, ctx.catalog)
    return ctx


def upgrade_check(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Run the checks, write the report and return the exit code.

    :raises PrecheckError: when the run cannot begin.
    """
    read = begin(args)
    options = read.conf.manila_precheck
    _require_one_database(options)
    reporter = output.reporter(options.format)
    targets = output.targets(options.report)
    reporters = output.reporters(reporter, targets)
    for one in reporters:
        one.verbose = options.report_verbose
        one.show_waivers = options.report_show_waivers
    choice = choose(options, (), options.check, options.skip)
    chosen, decided = choice.chosen, choice.decided
    excluded = [e.result_id for e in choice.available if e not in chosen]
    make = functools.partial(
        make_context,
        read,
        choice.ids,
        catalog.Catalog(),
        read_database=needs_database(chosen, options),
    )
    ctx = opened(make(), read, args)
    problems: list[str] = []

    wants_window = any(one.wants_window for one in reporters)
    compared = not options.redact_names and any(
        one.wants_settings for one in reporters
    )

    def make_report() -> model.Report:
        report = run_checks(
            chosen,
            ctx,
            excluded if options.skip or options.check else (),
            compared,
            decided,
            searched=read.searched,
        )
        if wants_window and ctx.stage is model.Stage.PLAN:
            # Imported here because the module plan imports this one.
            from manila_precheck.cmd import plan

            report = report._replace(window=plan.window(report, ctx, read))
        return report

    def write(report: model.Report) -> None:
        known = inputs(ctx, decided) if targets else report_file.InputFiles()
        problems.extend(
            output.render_files(targets, report, stdout.files, known)
        )
        try:
            output.write(reporter, report, stdout)
        except exceptions.PrecheckError as exc:
            problems.append(str(exc))

    if ctx.compares_running:
        # A missing file ends the run, as with --config-file.
        ctx.running  # noqa: B018
    if targets:
        output.require_no_inputs(targets, inputs(ctx, decided))
    try:
        # Resolve the upgrade before any check runs, since an unknown release
        # is a usage error. This opens the database, so it runs in a thread: if
        # a driver in C waited for the server in the main thread, no signal
        # handler could run.
        take_dump(ctx)
        take_installed(ctx)
        upgrade = runner.isolated(lambda: ctx.upgrade)
        decided.require(upgrade.target.name, ctx.stage.value)
        if options.wait:
            waited = waiting.draining(chosen, ctx.stage)
            with progress.shown(sys.stderr) as shown:
                waiting.wait(make, waited, options.wait, shown.line)
            # Read everything again, since it may have changed meanwhile.
            ctx.close()
            ctx = opened(make(), read, args)
            take_installed(ctx)
        result = upgradecheck.UpgradeCommands(make_report, write).check()
    finally:
        ctx.close()
    if problems:
        raise exceptions.OutputError('; '.join(problems))
    code = model.exit_code(int(result), options.fail_on)
    if ctx.interrupted.is_set():
        code = int(model.Severity.FAILURE)
    return code


def of_site(read: Read) -> dict[str, Any]:
    """Return the arguments for a context that depend on the site."""
    if read.site.is_host:
        return {
            'sources': lambda files, wanted: config_sources.listed(
                read.conf.opened, wanted, runner.isolated
            ),
        }
    return {
        'sources': lambda files, wanted: config_sources.unopened(files),
        'installed': lambda: None,
        'environment': {},
    }


def take_dump(ctx: context.Context) -> None:
    """Restore the dump, if database_dump names one.

    :raises SourceUnusable: when it cannot be read: the run would not check
        what it was asked to.
    """
    if not ctx.options.database_dump:
        return
    with progress.shown(sys.stderr) as shown:
        shown.line('restoring the dump of the database ...')
        runner.isolated(ctx.take_dump)


def take_installed(ctx: context.Context) -> None:
    """Read the facts of the installed manila, if the catalog lacks them."""
    build = runner.isolated(lambda: ctx.other_build)
    if build is None:
        return
    # Imported here because few runs need it.
    from manila_precheck.evidence.host import build_facts

    with progress.shown(sys.stderr) as shown:
        shown.line(
            f'reading the facts of manila {build.text}, which is installed '
            'here (about 12 s of CPU time) ...'
        )
        runner.isolated(lambda: ctx.take_installed(build_facts.read))


def inputs(
    ctx: context.Context, decided: waivers.Decisions
) -> report_file.InputFiles:
    """Return the files that no report of this run may replace."""
    found = []
    if ctx.site.is_host:
        found.append(
            named_files.find(
                ctx.config,
                ctx.locations,
                [
                    value
                    for name, value in os.environ.items()
                    if name.startswith('OS_') and name != _REPORTS
                ],
            )
        )
    if ctx.compares_running and ctx.running.site.is_host:
        found.append(named_files.find(ctx.running, ctx.running_locations))
    return report_file.InputFiles(
        [
            *(path for named in found for path in named.files),
            *(file.path for file in (*ctx.files_here, *decided.files)),
            *ctx.roots,
        ],
        frozenset().union(*(named.patterns for named in found)),
        ctx.roots,
    )


def run_checks(
    chosen: Sequence[registry.Plugin],
    ctx: context.Context,
    excluded: Sequence[str],
    compared: bool,
    decided: waivers.Decisions,
    searched: bool,
) -> model.Report:
    """Run the checks and return the redacted report.

    :param compared: True to include the settings, by which the reports of
        several hosts are compared.
    :param searched: True if the program found the configuration files by
        itself.
    """
    with progress.shown(sys.stderr) as shown:
        ctx.on_rows = shown.rows

        def begins(check_id: str) -> None:
            supervisor.note(check_id)
            shown.check(check_id)

        results = runner.run(chosen, ctx, progress=begins)
        supervisor.note('')
    return report_of(
        results, chosen, ctx, excluded, compared, decided, searched
    )


def report_of(
    results: tuple[model.CheckResult, ...],
    chosen: Sequence[registry.Plugin],
    ctx: context.Context,
    excluded: Sequence[str],
    compared: bool,
    decided: waivers.Decisions,
    searched: bool,
    rehearsal: Optional[model.Rehearsal] = None,
) -> model.Report:
    """Return the redacted report for the results of a run.

    :param chosen: the checks that were run.
    :param compared: as for :func:`run_checks`.
    :param searched: as for :func:`run_checks`.
    :param rehearsal: the rehearsal, if the report is of one.
    """
    around = surroundings.result(
        (*ctx.files_here, *decided.files),
        ctx.places_here,
        searched,
        ctx.redactor,
        _untold_sources(chosen, ctx),
        ctx.site.is_host,
    )
    if around is not None:
        results = tuple(sorted((*results, around), key=lambda r: r.id))
    results = _decided(decided, results, ctx)
    names: frozenset[str] = frozenset()
    if ctx.options.redact_names:
        names, unread = ctx.machines()
        results = _sorted(*results, *_unread(unread))
    tool = model.Tool(cmd.PROG, version(), _packages(ctx))
    report = runner.report(
        results,
        ctx,
        tool,
        excluded,
        settings.effective(ctx) if compared else (),
    )
    report = report._replace(
        files=(*report.files, *decided.files),
        host=''
        if ctx.options.reproducible
        else machine_names.host_name(ctx.machine),
        root='' if ctx.site.is_host else ctx.redactor(ctx.site.name),
        site=ctx.redactor(ctx.options.report_site or ''),
        region=ctx.redactor(ctx.options.report_region or ''),
        author=ctx.redactor(ctx.options.report_author or ''),
        rehearsal=rehearsal,
    )
    if ctx.options.redact_names:
        report = redact_names.Names(report, names).hide(report)
    return report


def _untold_sources(
    chosen: Sequence[registry.Plugin], ctx: context.Context
) -> Sequence[config_files.ValueSource]:
    """Return the sources of config_source, if no chosen check reports them."""
    if any(entry.name == _SPEAKS_OF_SOURCES for entry in chosen):
        return ()
    try:
        return ctx.config.sources
    except exceptions.PrecheckError:
        # The checks that need the files report the error.
        return ()


def _decided(
    decided: waivers.Decisions,
    results: tuple[model.CheckResult, ...],
    ctx: context.Context,
) -> tuple[model.CheckResult, ...]:
    """Return the results with waivers applied; if that fails, all count."""
    try:
        return runner.guarded(
            lambda: decided.apply(results, ctx.now.date(), ctx.redactor)
        )
    except exceptions.PrecheckError as exc:
        failed = _error(waivers.CHECK_ID, 'Waivers', str(exc))
        return _sorted(*results, failed)


def _unread(reasons: Sequence[str]) -> Iterator[model.CheckResult]:
    """Yield an ERROR if the host names in some tables could not be read."""
    if reasons:
        yield _error(
            'redact-names',
            'Redaction of names',
            'this report may still contain host names; they could not be '
            f'read: {"; ".join(reasons)}',
        )


def _sorted(*results: model.CheckResult) -> tuple[model.CheckResult, ...]:
    return tuple(sorted(results, key=lambda result: result.id))


def _error(result_id: str, title: str, reason: str) -> model.CheckResult:
    return model.CheckResult(result_id, title, model.Outcome.ERROR, reason)


def needs_database(chosen: Sequence[registry.Plugin], options: Any) -> bool:
    """Say whether a run needs the database at all."""
    if not options.source_release:
        return True
    for entry in chosen:
        loaded = runner.load(entry)
        if not isinstance(loaded, check.Check):
            continue
        if model.Source.DATABASE in loaded.requires | loaded.uses:
            return True
    return False


def _packages(ctx: context.Context) -> str:
    """Return the versions of manila that the facts of this run are about."""
    upgrade = ctx.upgrade
    found = []
    for release in (upgrade.source, upgrade.target):
        if ctx.catalog.covers(release):
            found.append(ctx.catalog.package(release).version)
    return ' '.join(dict.fromkeys(found))


def version() -> str:
    """Return the version of this package that is installed."""
    try:
        return importlib.metadata.version(cmd.PROG)
    except importlib.metadata.PackageNotFoundError:
        return 'unknown'
