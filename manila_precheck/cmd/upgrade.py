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
"""``upgrade check``: run the checks and show the report."""

import argparse
from collections.abc import Sequence
import datetime
import importlib.metadata
import io
import logging
import math
import os
import re
import shutil
import sys
from typing import Any
from typing import Callable
from typing import Optional
from typing import TextIO

from oslo_config import cfg

from manila_precheck import catalog
from manila_precheck import check
from manila_precheck import cmd
from manila_precheck import context
from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import opts
from manila_precheck import redaction
from manila_precheck import registry
from manila_precheck import runner
from manila_precheck import upgradecheck
from manila_precheck.reporters import base
from manila_precheck.sources import config

PROJECT = 'manila'

_LOCATION = re.compile(
    r"from LocationInfo\(location=<[^>]*>, detail='([^']*)'\)"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each option that is one of a single run."""
    for name in (
        'target_release',
        'source_release',
        'stage',
        'check',
        'skip',
        'format',
        'fail_on',
    ):
        opt = next(o for o in opts.precheck_opts if o.dest == name)
        several = isinstance(opt, cfg.ListOpt)
        choices = list(getattr(opt.type, 'choices', None) or ()) or None
        parser.add_argument(
            f'--{name.replace("_", "-")}',
            dest=f'option_{name}',
            metavar=None if choices else opt.metavar,
            choices=choices,
            action='append' if several else 'store',
            help=_help(opt, several),
        )
    parser.add_argument(
        '--json',
        dest='option_format',
        action='store_const',
        const='upgradecheck-json',
        help='print the object that oslo.upgradecheck prints, with more keys',
    )


def _help(opt: cfg.Opt, several: bool) -> str:
    text = str(opt.help).replace('%', '%%')
    return f'{text} May be given several times.' if several else text


def _read_conf(args: argparse.Namespace) -> tuple[cfg.ConfigOpts, list[str]]:
    """Let oslo.config find and parse the files.

    :returns: the configuration, and the files and directories in the order
        in which they were read.
    :raises PrecheckError: when there is none, or one cannot be used.
    """
    conf = cfg.ConfigOpts()
    opts.register(conf)
    given = [path for _, path in args.locations]
    for flag, path in args.locations:
        # oslo.config would find nothing in it, and say nothing.
        if flag == '--config-dir' and os.path.isfile(os.path.expanduser(path)):
            raise exceptions.ConfigFileError(f'{path}: not a directory')
    kwargs: dict[str, Any] = {}
    if given:
        kwargs = {'default_config_files': [], 'default_config_dirs': []}
    try:
        conf(
            [word for pair in args.locations for word in pair],
            project=PROJECT,
            prog=cmd.PROG,
            **kwargs,
        )
    except OSError as exc:
        # oslo.config answers for some of the reasons only.
        raise exceptions.ConfigFileError(
            f'{exc.filename or "a configuration file"}: {exc.strerror}'
        ) from exc
    except (cfg.ConfigFileParseError, UnicodeDecodeError):
        # NOTE: oslo.config's own message shows the line, password or not;
        # or says nothing of the file.
        config.read(given or context.locations_of(conf))
        raise exceptions.ConfigFileError(
            'a configuration file cannot be parsed'
        ) from None
    except cfg.Error as exc:
        raise exceptions.ConfigFileError(
            redaction.scrub(' '.join(str(exc).split()))
        ) from exc
    return conf, given or context.locations_of(conf)


def _require_files(ctx: context.Context, locations: Sequence[str]) -> None:
    """Make sure that there is something to judge.

    :raises ConfigFileError: when no file was read, or one is unreadable.
    """
    if ctx.config.files:
        return
    if locations:
        raise exceptions.ConfigFileError(
            'no configuration file to read in ' + ', '.join(locations)
        )
    raise exceptions.ConfigFileError(
        'no configuration file found: no manila.conf that this user can '
        'see in ~/.manila, ~, /etc/manila or /etc; say --config-file FILE or '
        '--config-dir DIR'
    )


def _apply_flags(conf: cfg.ConfigOpts, args: argparse.Namespace) -> None:
    """Let the flags win over the environment and the files.

    :raises UsageError: when a value, wherever it is from, is no good.
    """
    for name, value in sorted(vars(args).items()):
        if name.startswith('option_') and value is not None:
            if isinstance(value, list):
                value = [
                    part.strip() for item in value for part in item.split(',')
                ]
            conf.set_override(name[len('option_') :], value, group=opts.GROUP)
    for opt in opts.precheck_opts:
        try:
            value = conf.manila_precheck[opt.dest]
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f'{value} is no number of seconds')
        except (cfg.Error, ValueError) as exc:
            # oslo.config shows where a value is from as its own object.
            words = _LOCATION.sub(r'from \1', ' '.join(str(exc).split()))
            raise exceptions.UsageError(
                f'[manila_precheck] {opt.dest}: {words}'
            ) from exc


def _reporter(name: str) -> base.Reporter:
    """Return the reporter of a format.

    :raises UsageError: when there is none, or it does not load.
    """
    available = {
        entry.name: entry
        for entry in registry.entries(registry.REPORTERS)
        if not entry.conflict
    }
    if name not in available:
        raise exceptions.UsageError(
            f'unknown format {name!r}; known: {", ".join(sorted(available))}'
        )
    try:
        loaded = runner.guarded(available[name].load)
    except exceptions.PluginError as exc:
        raise exceptions.UsageError(
            f'format {name!r} does not load: {exc}'
        ) from exc
    if not (isinstance(loaded, type) and issubclass(loaded, base.Reporter)):
        raise exceptions.UsageError(
            f'format {name!r}: {loaded!r} is not a Reporter'
        )
    return loaded()


def upgrade_check(args: argparse.Namespace, stdout: TextIO) -> int:
    """Run the checks, write the report, return the exit code.

    :raises PrecheckError: when the run cannot look at all.
    """
    conf, locations = _read_conf(args)
    _apply_flags(conf, args)
    options = conf.manila_precheck
    reporter = _reporter(options.format)
    available = registry.checks()
    chosen = registry.select(
        available, options.check, options.skip, runner.aliases
    )
    excluded = [e.result_id for e in available if e not in chosen]
    ctx = context.Context(
        conf,
        catalog.Catalog(),
        datetime.datetime.now(datetime.timezone.utc),
        read_database=_needs_database(chosen, options),
        locations=tuple(locations),
    )

    def make_report() -> model.Report:
        results = runner.run(chosen, ctx, progress=_progress(sys.stderr))
        return runner.report(
            results,
            ctx,
            model.Tool(cmd.PROG, version(), _packages(ctx)),
            excluded if options.skip or options.check else (),
        )

    def write(report: model.Report) -> None:
        _write(reporter, report, stdout)

    _require_files(ctx, locations)
    try:
        # An unknown release is a usage error, before anything runs.
        ctx.resolution  # noqa: B018
        result = upgradecheck.UpgradeCommands(make_report, write).check()
    finally:
        ctx.close()
    code = _threshold(int(result), options.fail_on)
    if ctx.abandoned:
        # A check that was given up still runs in its thread, and nothing
        # else ends it: the interpreter would wait for what it started.
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)
    return code


def _needs_database(chosen: Sequence[registry.Entry], options: Any) -> bool:
    """Say whether a run has to look at the database at all."""
    if not options.source_release:
        return True
    for entry in chosen:
        loaded = runner.load(entry)
        if not isinstance(loaded, check.Check):
            continue
        if model.Source.DATABASE in loaded.sources():
            return True
    return False


def _progress(stderr: TextIO) -> Callable[[str], None]:
    """Return what shows, on a terminal only, which check runs."""
    if not stderr.isatty():
        return lambda check_id: None

    def show(check_id: str) -> None:
        stderr.write(f'\r\x1b[K{check_id} ...')
        stderr.flush()

    return show


def _write(
    reporter: base.Reporter, report: model.Report, stdout: TextIO
) -> None:
    """Write a report in one piece.

    :raises PluginError: when the reporter fails; nothing is written then.
    """
    if sys.stderr.isatty():
        sys.stderr.write('\r\x1b[K')
        sys.stderr.flush()
    terminal = stdout.isatty()
    text = _Text(getattr(stdout, 'encoding', None))
    runner.guarded(
        lambda: reporter.write(
            report,
            text,
            width=shutil.get_terminal_size((80, 24)).columns,
            color=terminal
            and not os.environ.get('NO_COLOR')
            and os.environ.get('TERM') != 'dumb',
        )
    )
    stdout.write(text.getvalue())
    stdout.flush()


class _Text(io.StringIO):
    """A buffer that says which characters its reader can take."""

    def __init__(self, encoding: Optional[str]) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> Optional[str]:  # type: ignore[override]
        return self._encoding


def _threshold(code: int, fail_on: str) -> int:
    """Return the exit code after ``fail_on``."""
    lowest = {'warning': 1, 'failure': 2, 'never': 3}[fail_on]
    return code if code >= lowest else 0


def _packages(ctx: context.Context) -> str:
    """Return the versions of manila that this run's facts are from."""
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
