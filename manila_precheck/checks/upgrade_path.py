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

from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck import releases

_CADENCE = (
    'https://governance.openstack.org/tc/resolutions/'
    '20220210-release-cadence-adjustment.html'
)


class UpgradePath(check.Check):
    """The upgrade is no hop that OpenStack supports, or is not known.

    An upgrade goes to the next release, or from a SLURP release to the next
    SLURP release (2023.1, 2024.1, 2025.1, 2026.1). Any other hop is tested
    by nobody: code that migrates data or reads deprecated names is removed
    after one SLURP cycle.

    The source release is read from the revision of the database, else from
    the installed manila, else from ``--source-release``. The target is
    ``--target-release``, else the installed manila when it is newer than
    the source, else the release after the source, which is then assumed.

    FAILURE: the hop is not supported; the finding names the release to go
    to first. WARNING: the source had to be assumed, or is not the operator's
    word. INFO: the target had to be assumed, or at stage upgraded the source,
    which a migrated database does not tell; source and target are one
    release; the database is empty and there is nothing to upgrade from.
    """

    id = 'upgrade-path'
    title = 'Upgrade path'
    stages = model.ALL_STAGES

    def run(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Yield what is wrong with the hop itself."""
        resolution = ctx.resolution
        upgrade = resolution.upgrade
        source, target = upgrade.source, upgrade.target
        if resolution.first_install:
            yield self.finding(
                model.Severity.INFO,
                model.Subject('release', 'target'),
                f'the database is empty: this is a first install of {target}',
                aspect='first-install',
            )
            return
        if resolution.source_origin == 'assumed' and source != target:
            # The migrated database no longer tells, and no check that runs
            # then leaves anything out for it.
            over = ctx.stage is model.Stage.UPGRADED
            yield self.finding(
                model.Severity.INFO if over else model.Severity.WARNING,
                model.Subject('release', 'source'),
                (
                    'the release that ran before the upgrade is not known; '
                    if over
                    else 'the release that runs now is not known; '
                )
                + f'{source} is assumed',
                [model.advice('Say it: --source-release RELEASE')],
                aspect='assumed',
            )
        stated = resolution.stated_source
        if stated is not None and stated != source:
            yield self.finding(
                model.Severity.WARNING,
                model.Subject('release', 'source'),
                f'--source-release says {stated}, the database is at '
                f'{source}; the database is believed',
                [model.advice('Leave --source-release out, or correct it.')],
                data={'stated': stated.name, 'database': source.name},
                aspect='stated',
            )
        if resolution.target_assumed:
            yield self.finding(
                model.Severity.INFO,
                model.Subject('release', 'target'),
                f'no target was named; {target} is assumed',
                [model.advice('Say it: --target-release RELEASE')],
                aspect='assumed',
            )
        if source == target:
            yield self.finding(
                model.Severity.INFO,
                model.Subject('release', 'target'),
                f'there is nothing to cross: source and target are {target}',
                aspect='same',
            )
        elif not upgrade.supported:
            yield self._unsupported(upgrade)

    def _unsupported(self, upgrade: releases.Upgrade) -> model.Finding:
        source, target = upgrade.source, upgrade.target
        if target < source:
            return self.finding(
                model.Severity.FAILURE,
                model.Subject('release', 'target'),
                f'{target} is older than {source}, which runs now; a '
                'downgrade of the database is not supported',
                [model.advice(f'Restore a backup made with {target}.')],
                data={'source': source.name, 'target': target.name},
            )
        hops = [hop for hop in releases.next_hops(source) if hop < target]
        first = hops[-1]
        return self.finding(
            model.Severity.FAILURE,
            model.Subject('release', 'target'),
            f'{source} to {target} is no supported hop; from {source} the '
            f'farthest supported step towards it is {first}',
            [
                model.command(
                    f'manila-precheck upgrade check --target-release {first}'
                )
            ],
            [_CADENCE],
            data={
                'source': source.name,
                'target': target.name,
                'next_hop': first.name,
            },
        )
