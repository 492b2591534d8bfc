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
"""``upgrade plan``: write the runbook of this site."""

import argparse
from collections.abc import Callable
from collections.abc import Sequence
import functools
import os
from typing import Any
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import opts
from manila_precheck import releases
from manila_precheck.act.plan import json_plan
from manila_precheck.act.plan import managers
from manila_precheck.act.plan import markdown
from manila_precheck.act.plan import page
from manila_precheck.act.plan import runbook
from manila_precheck.act.plan import site_facts
from manila_precheck.act.plan import steps
from manila_precheck.act.rehearse import sql
from manila_precheck.cmd import answer
from manila_precheck.cmd import upgrade
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.evidence import rehearsal_report
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.database import hosts
from manila_precheck.evidence.database import services
from manila_precheck.evidence.host import commands
from manila_precheck.evidence.host import machine_files
from manila_precheck.evidence.host import service_processes

_PREFIX = 'plan_'

#: The options that are flags, by the title of their group.
_FLAGS = {
    'the upgrade': (
        'target_release',
        'source_release',
        'target_catalog',
        'source_catalog',
        'shipped_catalog',
        'vendor_path',
    ),
    'the checks': (
        'database_connection',
        'no_database',
        'database_dump',
        'server_image',
        'no_network',
        'quick',
        'waivers',
    ),
    'the runbook': (
        'plan_services',
        'plan_backup_rate',
        'plan_ensure_rate',
        'plan_rehearsal',
        'plan_format',
        'reproducible',
    ),
}

_DRIVER = 'share_driver'

_OS_RELEASE = ('/etc/os-release', '/usr/lib/os-release')

_RENDERERS = {
    'markdown': markdown.render,
    'html': page.render,
    'json': json_plan.render,
}


def add_flags(group: Callable[[str], Callable[..., Any]]) -> None:
    """Add a flag for each option of the command.

    :param group: called with the title of a group; returns a function that
        adds a flag to it.
    """
    upgrade.add_options(group, _FLAGS, _PREFIX)


def upgrade_plan(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Write the runbook and return the exit code.

    :raises PrecheckError: when the run cannot begin.
    """
    # A runbook is made before the upgrade, with all checks.
    read = upgrade.begin(args, model.Stage.PLAN)
    conf = read.conf
    options = conf.manila_precheck
    if options.redact_names:
        raise exceptions.UsageError(
            'redact_names and "upgrade plan" contradict each other: a runbook '
            'names the hosts'
        )
    rehearsed = None
    if options.plan_rehearsal:
        rehearsed = rehearsal_report.read(options.plan_rehearsal)
    choice = upgrade.choose(options)
    make = functools.partial(
        upgrade.make_context,
        read,
        choice.ids,
        read_database=upgrade.needs_database(choice.chosen, options),
    )
    ctx = upgrade.opened(make(), read, args)
    try:
        upgrade.take_dump(ctx)
        upgrade.take_installed(ctx)
        wanted = runner.isolated(lambda: ctx.upgrade)
        target = wanted.target
        hop = _first_hop(wanted, options)
        if hop is not None:
            # target_catalog is about the last release, not about the first
            # hop.
            conf.set_override('target_catalog', None, group=opts.GROUP)
            conf.set_override('target_release', hop.name, group=opts.GROUP)
            ctx.close()
            ctx = upgrade.opened(make(), read, args)
            upgrade.take_dump(ctx)
            upgrade.take_installed(ctx)
            runner.isolated(lambda: ctx.upgrade)
        report = upgrade.run_checks(
            choice.chosen,
            ctx,
            (),
            False,
            choice.decided,
            searched=read.searched,
        )
        site = runner.isolated(
            lambda: _site(ctx, read, args.locations, rehearsed)
        )
    finally:
        ctx.close()
    site = site._replace(checks=choice.ids, stages=_stages(report))
    plan = runbook.make(report, target, site)
    stdout.write(_RENDERERS[options.plan_format](plan))
    return 0


def window(
    report: model.Report, ctx: context.Context, read: upgrade.Read
) -> Optional[model.Window]:
    """Return how long the upgrade that a report is for takes.

    :param ctx: the context of the run.
    :returns: None when no runbook can be made to compute it.
    """
    if report.database is None or report.database.empty:
        return None
    try:
        return runner.guarded(lambda: _window(report, ctx, read))
    except exceptions.PrecheckError:
        # The checks report what cannot be read.
        return None


def _window(
    report: model.Report, ctx: context.Context, read: upgrade.Read
) -> Optional[model.Window]:
    wanted = ctx.upgrade
    if wanted.target < wanted.source or _first_hop(wanted, ctx.options):
        return None
    rehearsed = None
    if ctx.options.plan_rehearsal:
        rehearsed = rehearsal_report.read(ctx.options.plan_rehearsal)
    site = _site(ctx, read, (), rehearsed)._replace(
        checks=[entry.result_id for entry in registry.checks()],
        stages=_stages(report),
    )
    (hop, *_) = runbook.make(report, wanted.target, site).hops
    return model.Window(*steps.total(hop))


def _stages(report: model.Report) -> dict[str, frozenset[model.Stage]]:
    """Return the stages of each check that ran, by its id."""
    ran = {result.id for result in report.checks}
    found = {}
    for entry in registry.checks():
        if entry.result_id in ran:
            loaded = runner.load(entry)
            if isinstance(loaded, check.Check):
                found[entry.result_id] = loaded.stages
    return found


def _first_hop(
    wanted: releases.Upgrade, options: Any
) -> Optional[releases.Release]:
    """Return the first release to upgrade to; None when one hop is enough."""
    if (
        options.vendor_path
        or wanted.supported
        or wanted.target <= wanted.source
    ):
        return None
    return [
        hop for hop in releases.next_hops(wanted.source) if hop < wanted.target
    ][-1]


# -- facts about the site that are not in the report -------------------------


def _site(
    ctx: context.Context,
    read: upgrade.Read,
    given: Sequence[tuple[str, str]],
    rehearsed: Optional[rehearsal_report.Rehearsed],
) -> site_facts.Site:
    options = ctx.options
    grace = ctx.config.value('DEFAULT', 'graceful_shutdown_timeout') or ''
    found = site_facts.Site(
        managers.Manager(
            options.plan_services,
            _distribution(ctx),
            _units(ctx),
            int(grace) if grace.isdecimal() else managers.GRACE_SECONDS,
        ),
        drivers=_drivers(ctx),
        backup_rate=options.plan_backup_rate,
        ensure_rate=options.plan_ensure_rate,
        rehearsed=rehearsed,
        flags=[
            (flag, ctx.redactor(os.path.abspath(os.path.expanduser(path))))
            for flag, path in given
            if read.site.is_host
        ],
        plan_flags=[
            f'--{name} {value}'
            for name, value, default in (
                ('services', options.plan_services, 'systemd'),
                ('format', options.plan_format, 'markdown'),
                ('ensure-rate', options.plan_ensure_rate, None),
            )
            if value != default
        ],
    )
    try:
        return _with_database(found, ctx)
    except exceptions.PrecheckError:
        # Each check that needs the database reports the error.
        return found


def _with_database(
    site: site_facts.Site, ctx: context.Context
) -> site_facts.Site:
    db = ctx.database
    rows = services.select(db)
    now, limit = db.now(), services.down_time_seconds(ctx.config)
    clean = ctx.redactor
    address = database_url.address_of_manila(ctx.conf)
    sizes = [table.data_bytes for table in ctx.schema.tables.values()]
    known = [size for size in sizes if size is not None]
    probe = None
    if site.rehearsed is not None and not db.is_dump:
        probe = sql.probe(db)
    return site._replace(
        probe_seconds=probe,
        services=[(row.binary, clean(row.host)) for row in rows],
        removed=[
            clean(f'{row.binary} on {row.host}')
            for row in rows
            if services.is_cleaned_up(row, services.age_of(row, now), limit)
        ],
        dialect=db.dialect,
        mariadb='mariadb' in db.server_version.lower(),
        # A name in which a secret was masked cannot be used in a command.
        address=database_url.Address(
            *(word if clean(word) == word else '' for word in address)
        ),
        size_bytes=sum(known) if known else None,
        instances={
            clean(host): number for host, number in hosts.instances(db).items()
        },
    )


def _drivers(ctx: context.Context) -> list[tuple[str, str]]:
    """Return the enabled back ends with their drivers, sorted."""
    return sorted(
        {
            (
                ctx.redactor(found.name),
                ctx.redactor(view.config.value(found.name, _DRIVER) or ''),
            )
            for view in ctx.seen_by(commands.SHARE)
            for found in view.config.backends
        }
    )


def _units(ctx: context.Context) -> dict[str, str]:
    """Return the units of services here, without names that have a secret."""
    return {
        service: unit
        for service, unit in service_processes.unit_names(ctx.machine).items()
        if ctx.redactor(unit) == unit
    }


def _distribution(ctx: context.Context) -> tuple[str, ...]:
    """Return ID and the words of ID_LIKE in the machine's os-release."""
    for path in _OS_RELEASE:
        text = machine_files.text(ctx.site, path)
        if text is None:
            continue
        values = dict(
            line.partition('=')[::2] for _, line in machine_files.joined(text)
        )
        return tuple(
            word
            for name in ('ID', 'ID_LIKE')
            for word in values.get(name, '').strip('"\'').split()
        )
    return ()
