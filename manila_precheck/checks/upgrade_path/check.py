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

"""The check ``upgrade-path``."""

from collections.abc import Iterable
import contextlib

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import which_upgrade as resolutions

_CADENCE = (
    'https://governance.openstack.org/tc/resolutions/'
    '20220210-release-cadence-adjustment.html'
)


# The check that judges the revision; its findings cannot be waived.
_SCHEMA_REVISION = 'schema-revision'

_CORRECT = model.advice(
    'Correct [database] connection or --source-release; without '
    '--source-release the revision of the database is used.'
)


class UpgradePath(check.Check):
    """OpenStack does not support this upgrade in one step, or it is unclear.

    An upgrade goes to the next release, or from a SLURP release to the next
    SLURP release (2023.1, 2024.1, 2025.1, 2026.1). Nobody tests any other
    step: code that migrates data or reads deprecated names is removed
    after one SLURP cycle. A vendor may support another step, as Red Hat does
    from wallaby (17.1) to 2023.1 (18.0): ``--vendor-path wallaby:2023.1``
    declares it.

    The source release is taken from the revision of the database, else from
    the installed manila, else from ``--source-release``. The target is
    ``--target-release``, else the installed manila if it is newer than
    the source, else the release after the source, which is then assumed.
    Without ``--target-release`` the command exits with 255 if the installed
    manila belongs to no known release and its facts cannot be read, if its
    version cannot be read, or if two versions of it are installed.

    The facts about each release come from one build of it, which the report
    names: the final version that is installed or named, else the last one that
    the catalog knows. The facts of another build (a release candidate, a
    package of a distribution) come from ``--source-catalog`` or
    ``--target-catalog``, or, if the build is installed in the environment of
    the command, from that environment, unless ``--shipped-catalog`` is set.
    Without them, the differences of the build are not checked.
    ``local-changes`` reports local patches of the same version. An update from
    one build of a release to another is checked by what changed between them.

    FAILURE: the step is not supported; the finding names the release to go to
    first. If the database is newer than the target, ``schema-revision``
    reports it instead, provided that it runs too.
    FAILURE as well: ``--source-release`` contradicts the database, which is of
    another release or empty; ``--target-release`` or the stage contradicts the
    manila that is installed.
    WARNING: the source had to be assumed, is one of two releases whose
    databases have the same revision (wallaby and xena), or cannot be confirmed
    because the database is of no known release. Or, at stage upgraded, only
    the database shows the target. Or the build that is installed or named is
    not that of the facts. Or the installed manila is neither the source nor
    the target, or is unknown. Or a vendor supports the step but OpenStack does
    not. Or the target is an older build of the same release. Or a release is
    newer than those that the catalog knows, and only a file of facts
    (``--target-catalog``) describes it. Its name and whether it is a SLURP
    release then follow from its version: there are two releases a year, and
    the first is a SLURP release.
    INFO: the target had to be assumed or, at stage upgraded, the source, which
    a migrated database does not show; source and target are the same release;
    the database is empty and there is nothing to upgrade from.

    Known false positives: the command runs in the environment of a manila
    other than that of the services.
    """

    id = 'upgrade-path'
    title = 'Upgrade path'
    stages = model.ALL_STAGES
    # The options are compared with the database, if there is one.
    uses = frozenset({model.Source.DATABASE})

    def run(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Return what is wrong with the step between the releases."""
        found = list(self._findings(ctx))
        if not found and self._is_told(ctx):
            raise exceptions.SourceNotApplicable(
                f'the database is newer than {ctx.upgrade.target}, which '
                f'{_SCHEMA_REVISION} reports'
            )
        return found

    def _findings(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        resolution = ctx.resolution
        upgrade = resolution.upgrade
        source, target = upgrade.source, upgrade.target
        yield from self._builds(ctx)
        yield from self._beyond(ctx)
        yield from self._installed(ctx)
        yield from self._assumed_target(resolution)
        if resolution.first_install:
            yield model.Finding(
                model.Severity.INFO,
                model.Subject('release', 'target'),
                f'the database is empty: this is a first install of {target}',
                aspect='first-install',
            )
            return
        yield from self._source(ctx)
        yield from self._vendor_path(resolution)
        if self._is_same(resolution):
            yield model.Finding(
                model.Severity.INFO,
                model.Subject('release', 'target'),
                'there is nothing to upgrade: source and target are both '
                f'{target}',
                aspect='same',
            )
        elif source == target:
            yield from self._update(ctx)
        elif not (
            resolution.known.leads(source, target) or self._is_told(ctx)
        ):
            yield self._unsupported(upgrade)
        with contextlib.suppress(exceptions.SourceNotGiven):
            # An unreadable database raises here, because the options could not
            # be compared with it.
            ctx.database_as_found  # noqa: B018

    def _is_same(self, resolution: resolutions.Resolution) -> bool:
        """Say whether source and target are the same build, as far as known.

        This works without facts about them in the catalog.
        """
        builds = (resolution.source_build, resolution.target_build)
        orders = {build.order for build in builds if build is not None}
        return resolution.upgrade.same and len(orders) < 2

    def _is_told(self, ctx: 'context.Context') -> bool:
        """Say whether schema-revision reports the downgrade."""
        read = ctx.database_read
        if read is None or _SCHEMA_REVISION not in ctx.chosen:
            return False
        at = ctx.catalog.releases_with(read.revision or '')
        return bool(at) and ctx.upgrade.target < at[0]

    # -- the builds ----------------------------------------------------------

    def _builds(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Yield the builds about which the catalog has no facts."""
        resolution = ctx.resolution
        sides = (
            ('source', resolution.upgrade.source, resolution.source_build),
            ('target', resolution.upgrade.target, resolution.target_build),
        )
        for side, release, build in sides:
            if build is None or not ctx.catalog.covers(release):
                continue
            facts = ctx.catalog.package(release).version
            if build.is_version(facts) or build.text == facts:
                continue
            origin = ctx.facts(release)
            if origin is not None and origin.path is not None:
                # The metadata of a distribution's package has only the
                # upstream version.
                if build.version == releases.build(facts).version:
                    continue
            named = (
                'is installed here'
                if build is resolution.known.installed
                else f'is what --{side}-release names'
            )
            unread = ''
            if build is resolution.known.installed and ctx.installed_unread:
                unread = (
                    '. Its own facts could not be read: '
                    f'{ctx.installed_unread}'
                )
            # After the upgrade, little depends on the source.
            over = side == 'source' and ctx.stage is model.Stage.UPGRADED
            yield model.Finding(
                model.Severity.INFO if over else model.Severity.WARNING,
                model.Subject('release', side),
                f'manila {build.text} {named}, but this report describes '
                f'{release} as of manila {facts}; differences between the '
                f'two are not checked{unread}',
                [
                    model.advice(
                        f'Pass the facts of manila {build.text} as '
                        f'--{side}-catalog ("manila-precheck catalog build" '
                        'and "catalog tool" write them), or read what changed '
                        f'between manila {facts} and {build.text} in the '
                        'release notes and the patches of the package.'
                    )
                ],
                data={'build': build.text, 'catalog': facts},
                aspect='build',
            )

    def _beyond(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Yield the releases that only a file of facts describes."""
        upgrade = ctx.upgrade
        for side in ('target', 'source'):
            release = getattr(upgrade, side)
            if not releases.is_beyond(release):
                continue
            package = ctx.catalog.package(release)
            newest = releases.nearest(release)
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('release', side),
                f'{release} is newer than {newest}, the last release that '
                'this manila-precheck knows; the facts about it come from '
                f'{package.filename} (manila {package.version}) alone; what '
                f'these lack is taken from {newest}',
                [
                    model.advice(
                        f'Read the release notes of {release}, and run this '
                        'again with a manila-precheck that knows it.'
                    )
                ],
                data={'build': package.version, 'newest': newest.name},
                aspect='beyond',
            )

    def _installed(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Yield that the installed manila does not belong to the upgrade."""
        resolution = ctx.resolution
        build = resolution.known.installed
        if build is None:
            return
        upgrade, target = resolution.upgrade, resolution.upgrade.target
        side = resolution.installed_as
        stated = {
            'source': resolution.known.source,
            'target': resolution.known.target,
        }.get(side)
        upgraded = ctx.stage is model.Stage.UPGRADED
        severity = model.Severity.FAILURE
        if build.release is None:
            if not build.too_new:
                severity = model.Severity.WARNING
            words = (
                f'and this manila-precheck knows only {releases.known_range()}'
            )
        elif upgraded and side != 'target':
            words = f'at stage upgraded, and it belongs to {build.release}'
        elif not side:
            if build.release < target:
                severity = model.Severity.WARNING
            words = f'and it belongs to {build.release}'
        elif (
            stated is not None
            and stated.numbers
            and stated.order != build.order
        ):
            words = f'and --{side}-release is {stated.text}'
        else:
            return
        yield model.Finding(
            severity,
            model.Subject('package', 'manila'),
            f'manila {build.text} is installed here, {words}; the upgrade is '
            f'checked as one from {upgrade.source} to {target}',
            [
                model.advice(
                    'Install the manila of the upgrade, pass the right '
                    'releases, or run the command in an environment without '
                    'another manila.'
                )
            ],
            data={'installed': build.text},
            aspect='installed',
        )

    # -- the source ----------------------------------------------------------

    def _source(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        resolution = ctx.resolution
        source, target = resolution.upgrade.source, resolution.upgrade.target
        # A migrated database no longer shows the source, and no check of that
        # stage depends on it.
        over = ctx.stage is model.Stage.UPGRADED
        if resolution.source_origin == 'assumed' and source != target:
            yield model.Finding(
                model.Severity.INFO if over else model.Severity.WARNING,
                model.Subject('release', 'source'),
                (
                    'the release that ran before the upgrade is not known; '
                    if over
                    else 'the release that runs now is not known; '
                )
                + f'{source} is assumed',
                [model.advice('Pass --source-release RELEASE.')],
                aspect='assumed',
            )
        if resolution.alike:
            side = 'target'
            if resolution.source_origin == 'database':
                side = 'source'
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('release', side),
                'the revision of the database is the last one of '
                f'{" and of ".join(map(str, resolution.alike))}; '
                f'{source if side == "source" else target} is assumed',
                [model.advice(f'Pass --{side}-release RELEASE.')],
                data={'releases': ' '.join(map(str, resolution.alike))},
                aspect='alike',
            )
        if not over and self._unconfirmed(ctx):
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('release', 'source'),
                'the revision of the database belongs to no known release, '
                f'so nothing confirms that {source} runs now',
                [_CORRECT],
                aspect='unconfirmed',
            )
        found = self._found_instead(ctx)
        stated = resolution.known.source
        if found and stated is not None:
            yield model.Finding(
                model.Severity.FAILURE,
                model.Subject('release', 'source'),
                f'--source-release is {stated.text}, but {found}; the '
                f'upgrade is checked as one from {source} to {target}',
                [_CORRECT],
                data={'stated': str(stated.release)},
                aspect='stated',
            )

    def _unconfirmed(self, ctx: 'context.Context') -> bool:
        """Say whether the database confirms no release as the source."""
        read = ctx.database_read
        if read is None or read.empty:
            return False
        if ctx.resolution.source_origin not in ('option', 'package'):
            return False
        return not (read.revision and ctx.catalog.releases_with(read.revision))

    def _found_instead(self, ctx: 'context.Context') -> str:
        """Return what the database is, if the options contradict it, or ''."""
        resolution = ctx.resolution
        known, source = resolution.known, resolution.upgrade.source
        if known.source is None:
            return ''
        stated = known.source.release
        at = known.at_revision
        if ctx.stage is model.Stage.UPGRADED:
            # schema-revision reports a database that is empty or not migrated.
            if resolution.target_origin != 'database':
                waits = at and resolution.upgrade.target not in at
                if waits and stated not in at:
                    return f'the database is at {source}'
                return ''
            if stated in at and stated == resolution.upgrade.target:
                return (
                    'the database is still at that release, and no target '
                    'was given'
                )
            return ''
        if known.empty:
            return 'the database is empty'
        if at:
            return '' if stated in at else f'the database is at {at[-1]}'
        read = ctx.database_read
        if read is None or read.revision is None:
            return ''
        within = ctx.catalog.releases_with(read.revision)
        if within and stated is not None and within[0] < stated:
            return (
                f'the database is at revision {read.revision}, in the '
                f'migrations of {within[0]}'
            )
        return ''

    # -- the target ----------------------------------------------------------

    def _assumed_target(
        self, resolution: resolutions.Resolution
    ) -> Iterable[model.Finding]:
        source, target = resolution.upgrade.source, resolution.upgrade.target
        if (
            resolution.origins == ('assumed', 'database')
            and resolution.known.installed is None
        ):
            # At stage upgraded, with a database that may not be migrated yet.
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('release', 'target'),
                f'no target was given; the database is at {target}, which is '
                'the target, or the release that ran before',
                [model.advice('Pass --target-release RELEASE.')],
                aspect='assumed',
            )
        if not resolution.target_assumed:
            return
        if source == target and not resolution.first_install:
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('release', 'target'),
                f'no target was given, and the release after {target} is not '
                f'known; only {target} itself is checked',
                [
                    model.advice(
                        'Pass --target-release RELEASE, or upgrade '
                        'manila-precheck.'
                    )
                ],
                aspect='assumed',
            )
        else:
            yield model.Finding(
                model.Severity.INFO,
                model.Subject('release', 'target'),
                f'no target was given; {target} is assumed',
                [model.advice('Pass --target-release RELEASE.')],
                aspect='assumed',
            )

    def _vendor_path(
        self, resolution: resolutions.Resolution
    ) -> Iterable[model.Finding]:
        """Yield what --vendor-path declares, unless it is not needed."""
        declared, upgrade = resolution.known.vendor_path, resolution.upgrade
        if declared is None or (declared == upgrade and upgrade.supported):
            return
        words = f'--vendor-path declares {declared}'
        if declared == upgrade:
            words += '; OpenStack does not test this upgrade in one step'
        else:
            words += f'; this is the upgrade {upgrade}'
        yield model.Finding(
            model.Severity.WARNING,
            model.Subject('release', 'target'),
            words,
            [
                model.advice(
                    'Follow the procedure of the vendor, and use its packages.'
                    if declared == upgrade
                    else 'Remove or correct --vendor-path.'
                )
            ],
            [_CADENCE],
            aspect='vendor-path',
        )

    def _update(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Yield that an update within a release goes to an older build."""
        source, target = ctx.upgrade.source, ctx.upgrade.target
        orders = [
            releases.build(ctx.catalog.package(side).version).order
            for side in (source, target)
        ]
        if orders[1] < orders[0]:
            yield model.Finding(
                model.Severity.WARNING,
                model.Subject('release', 'target'),
                f'{target} is older than {source}, which runs now; OpenStack '
                'does not test a downgrade',
                [model.advice('Correct --target-release.')],
                data={'source': source.name, 'target': target.name},
            )

    def _unsupported(self, upgrade: releases.Upgrade) -> model.Finding:
        source, target = upgrade.source, upgrade.target
        if target < source:
            return model.Finding(
                model.Severity.FAILURE,
                model.Subject('release', 'target'),
                f'{target} is older than {source}, which runs now; a '
                'downgrade of the database is not supported',
                [model.advice(f'Restore a backup made with {target}.')],
                data={'source': source.name, 'target': target.name},
            )
        hops = [hop for hop in releases.next_hops(source) if hop < target]
        first = hops[-1]
        return model.Finding(
            model.Severity.FAILURE,
            model.Subject('release', 'target'),
            f'an upgrade from {source} to {target} in one step is not '
            f'supported; from {source} the longest supported step is to '
            f'{first}',
            [
                model.command(
                    'manila-precheck upgrade check --target-release{=}', first
                )
            ],
            [_CADENCE],
            data={
                'source': source.name,
                'target': target.name,
                'next_hop': first.name,
            },
        )
