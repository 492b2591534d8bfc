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

"""The check ``release-notes``."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import advisories
from manila_precheck.catalog import release_notes
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import deployment

_PAGES = 'https://docs.openstack.org/releasenotes/manila'


class ReleaseNotes(check.Check):
    """A release note of this upgrade concerns this deployment.

    manila has upgrade, deprecation, security and critical notes for operators.
    The check accounts for all of them, from xena on. Other checks report most
    of them, from the configuration, the policies, the database or the drivers.
    This check lists the rest, whose consequences only a person can judge: what
    the API shows to whom, what a client or a third-party driver relies on. It
    lists a note if the upgrade includes the build that brought it, including
    point releases, and the deployment uses what the note is about: a driver,
    the API, rows of the database. The finding states the fact and when to read
    the note, and links to its page.

    Without a database, the check assumes that the conditions on rows hold.

    A build of the source may have a security fix that an earlier build of the
    target lacks: 20.0.3 has one that 22.0.1 lacks and 22.0.2 has. If the
    builds of both sides are known, the check compares them.

    FAILURE: the build of the target lacks a security fix that the build of the
    source has, and the deployment uses what it fixes: the upgrade reopens
    access that is closed now. INFO: a note to read, at stage plan only.

    What to do: read the notes before the upgrade window. If a fix would be
    lost, install the later build of the target that has it.
    """

    id = 'release-notes'
    title = 'Release notes to read'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})
    uses = frozenset({model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield the fixes that would be lost, and the notes to read."""
        site = _Site(ctx)
        known = {one.id: one for one in advisories.load()}
        for note in release_notes.load():
            about = [
                known[served.name]
                for served in note.served_by
                if served.by == 'advisory'
            ]
            if (
                note.section in ('critical', 'security')
                and ctx.upgrade.loses(note.release, *note.backports)
                and any(site.touched(one) is not None for one in about)
            ):
                yield _lost(ctx.upgrade, note)
        if ctx.stage is not model.Stage.PLAN:
            return
        for advisory in advisories.of_check(self.id):
            if ctx.upgrade.crosses(advisory.release, *advisory.backports):
                backends = site.touched(advisory)
                if backends is not None:
                    yield _to_read(ctx.upgrade, advisory, backends)


class _Site:
    """Which advisories concern this site, by the files of all services."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self._views: dict[tuple[str, ...], deployment.Deployment] = {}

    def touched(self, advisory: advisories.Advisory) -> Optional[list[str]]:
        """Return the back ends for which all conditions of an advisory hold.

        :returns: their names, sorted; an empty list for an advisory that is
            not about back ends. None if the conditions do not hold.
        """
        found: set[str] = set()
        holds = False
        for view in self._ctx.seen_by(*deployment.users(advisory)):
            one = self._views.setdefault(
                view.locations, deployment.Deployment(view)
            )
            try:
                for backend, _rows in one.touched(advisory):
                    holds = True
                    if backend is not None:
                        found.add(backend.name)
            except exceptions.SourceNotGiven:
                # Only conditions on rows are unknown; they are taken to hold.
                holds = True
        return sorted(found) if holds else None


def _brought_by(
    side: releases.Release,
    release: releases.Release,
    *earlier: releases.Release,
) -> releases.Release:
    """Return what brought a change to the series of one side.

    :param release: the first release with the change.
    :param earlier: the point releases of earlier series that have it, too.
    """
    return next((one for one in earlier if one == side), release)


def _page(release: releases.Release) -> str:
    series = releases.from_major(release.major)
    return f'{_PAGES}/{series}.html'


def _to_read(
    upgrade: releases.Upgrade,
    advisory: advisories.Advisory,
    backends: list[str],
) -> model.Finding:
    brought = _brought_by(
        upgrade.target, advisory.release, *advisory.backports
    )
    page = _page(brought)
    todo = [
        step
        for name in backends or ['']
        for step in advisory.remedies({'section': name})
    ]
    return model.Finding(
        model.Severity.INFO,
        model.Subject('note', advisory.id),
        advisory.message.format_map({'section': ', '.join(backends)}),
        [*dict.fromkeys(todo), model.advice(f'The note is on {page}')],
        (page, *advisory.references),
        {'advisory': advisory.id, 'release': brought.name},
        cause='note',
    )


def _lost(
    upgrade: releases.Upgrade, note: release_notes.Note
) -> model.Finding:
    source, target = map(_version, upgrade)
    fixed = _brought_by(upgrade.target, note.release, *note.backports)
    series = releases.from_major(upgrade.target.major)
    if fixed == upgrade.target:
        version = fixed.build or releases.final_versions(fixed)[0].version
        which = f'{version} has it'
        todo = f'Install manila {version} or a later build of {series}.'
    else:
        which = f'no build of {series} that manila-precheck knows has it'
        todo = (
            f'Ask who builds the packages of {series} for the fix, or upgrade '
            'to a release that has it.'
        )
    return model.Finding(
        model.Severity.FAILURE,
        model.Subject('note', note.name),
        f'manila {target} lacks a security fix that manila {source} has '
        f'({note.name.rpartition("-")[0]}); {which}',
        [model.advice(todo)],
        (_page(fixed), f'manila releasenotes/notes/{note.name}.yaml'),
        {'note': note.name, 'source': source, 'target': target},
        aspect='lost',
    )


def _version(side: releases.Release) -> str:
    # From a file of facts it is '20.0.1 of FILE'.
    return side.build.partition(' ')[0] or side.name
