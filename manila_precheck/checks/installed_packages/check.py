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

"""The check ``installed-packages``."""

from collections.abc import Iterator

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.engine import check
from manila_precheck.engine import context


class InstalledPackages(check.Check):
    """The installed packages are outdated, or their Python is too old.

    The last point releases of the source contain most of the fixes that an
    upgrade needs: fixes of database migrations and of the purge of deleted
    rows, and fallbacks to old names. Therefore update manila to the latest
    point release of the source first. The catalog has that version, and the
    Python that the target requires (``requires-python``; 2025.2 dropped 3.9),
    from the packages on PyPI.

    The check reads the metadata of the packages in the environment in which
    this command runs; it does not import manila. If manila is not installed
    there, for example because the command has its own virtual environment, the
    check does not apply, unless its Python is too old for the target. To use
    it, run the command in the environment of the services, or as part of
    ``manila-status upgrade check``. No release of manila states which version
    of a database server it requires, so this check does not cover that.

    FAILURE: manila is installed here, and the packages of the target cannot be
    installed on the Python that runs this command. WARNING, only at plan: the
    manila that is installed here is older than the latest point release of the
    source. INFO: manila is not installed here, and this Python is too old for
    the target.

    Known false positives: a distribution backports fixes without changing the
    version number; the upgrade brings another Python (a new image, a new
    distribution), so that the old one does not matter. The check does not know
    point releases that are newer than the catalog.
    """

    id = 'installed-packages'
    title = 'Installed packages'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what the packages of this environment lack."""
        installed = ctx.installed
        if not ctx.site.is_host:
            raise exceptions.SourceNotApplicable(
                'the files of a bundle are judged (--root), not the packages '
                'of this machine'
            )
        too_old = list(self._python(ctx, installed is not None))
        if installed is None and not too_old:
            raise exceptions.SourceNotApplicable(
                'manila is not installed in this environment'
            )
        yield from too_old
        # Once the services are stopped, the target's packages are next.
        if installed is not None and ctx.stage is model.Stage.PLAN:
            yield from self._manila(ctx, installed)

    def _manila(
        self, ctx: context.Context, installed: releases.Build
    ) -> Iterator[model.Finding]:
        version = installed.text
        if not installed.numbers:
            raise exceptions.PrecheckError(
                f'the installed manila has the version {version!r}, which is '
                'not valid'
            )
        source = ctx.upgrade.source
        if source == ctx.upgrade.target and not ctx.upgrade.same:
            # This upgrade is the update to a later point release.
            return
        latest = ctx.catalog.latest(source)
        if installed.order >= releases.build(latest).order:
            return
        yield model.Finding(
            model.Severity.WARNING,
            model.Subject('package', 'manila'),
            f'manila {version} is installed here, but the latest point '
            f'release of {source} is {latest}; the upgrade runs without the '
            'fixes between them',
            [
                model.advice(
                    'Before the upgrade, update manila to the latest point '
                    f'release of {source} the way it was installed: with '
                    'distribution packages, a new image, or pip.'
                ),
                model.command('pip install --upgrade {}', f'manila=={latest}'),
            ],
            data={'installed': version, 'latest': latest},
        )

    def _python(
        self, ctx: context.Context, with_manila: bool
    ) -> Iterator[model.Finding]:
        target = ctx.upgrade.target
        package = ctx.catalog.package(target)
        needed = package.least_python
        if ctx.python_version >= needed:
            return
        here = '.'.join(str(number) for number in ctx.python_version)
        least = '.'.join(str(number) for number in needed)
        if with_manila:
            severity = model.Severity.FAILURE
            message = (
                f'manila is installed here on Python {here}, but {target} '
                f'requires {least} or newer; its packages cannot be '
                'installed there'
            )
        else:
            severity = model.Severity.INFO
            message = (
                f'this environment has Python {here}, but {target} requires '
                f'{least} or newer; manila is not installed here'
            )
        yield model.Finding(
            severity,
            model.Subject('package', 'python'),
            message,
            [
                model.advice(
                    f'Run the services of {target} on Python {least} or '
                    'newer: use a newer distribution or image, or create '
                    'their environment with a newer interpreter.'
                )
            ],
            [f'manila {package.version} requires-python'],
            data={'installed': here, 'needed': least},
        )
