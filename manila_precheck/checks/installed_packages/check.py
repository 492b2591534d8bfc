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
    """The packages here are behind, or their Python is too old for the target.

    A fix that an upgrade needs mostly goes into the last point releases of
    the release that one comes from: migrations of the database, the purge of
    deleted rows, the fall-back to old names. So manila is brought to the
    latest point release of the source first. Which that is, and which Python
    the target asks for (``requires-python``; 2025.2 dropped 3.9), comes from
    the packages on PyPI behind the catalog.

    It looks at the environment that this command runs in, by the metadata of
    its packages; manila is not imported. Where manila is not installed in
    this environment, as when the command has a virtual environment of its
    own, there is nothing to judge and the check does not apply. To have it
    look, run the command in the environment of the services, or as part of
    ``manila-status upgrade check``. No release of manila states which
    version of a database server it needs, so this check does not either.

    FAILURE: manila is installed here, and the packages of the target do not
    install on the Python that runs this. WARNING, at plan alone:
    the manila that is installed here is older than the latest point release
    of the source. INFO: manila is not installed here, and this Python is too
    old for the target.

    Known false positives: a distribution that puts fixes into its packages
    without the version number; point releases after this catalog was built
    are not known. Where the upgrade brings another Python with it (a new
    image, a new distribution), the old one does not matter.
    """

    id = 'installed-packages'
    title = 'Installed packages'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what the packages of this environment lack."""
        installed = ctx.installed
        too_old = list(self._python(ctx, installed is not None))
        if installed is None and not too_old:
            raise exceptions.SourceNotApplicable(
                'manila is not installed in this environment'
            )
        yield from too_old
        # Once the services are down, the next packages are the target's.
        if installed is not None and ctx.stage is model.Stage.PLAN:
            yield from self._manila(ctx, installed)

    def _manila(
        self, ctx: context.Context, installed: releases.Build
    ) -> Iterator[model.Finding]:
        version = installed.text
        if not installed.numbers:
            raise exceptions.PrecheckError(
                f'the installed manila has the version {version!r}, which is '
                'none'
            )
        source = ctx.upgrade.source
        latest = ctx.catalog.package(source).version
        if installed.order >= releases.build(latest).order:
            return
        yield model.Finding(
            model.Severity.WARNING,
            model.Subject('package', 'manila'),
            f'manila {version} is installed here, and the latest point '
            f'release of {source} is {latest}; the fixes between them are '
            'missing during the upgrade',
            [
                model.advice(
                    f'Update manila to the latest point release of {source} '
                    'before the upgrade, the way it was installed: with the '
                    'packages of the distribution, a new image, or pip.'
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
                f'manila is installed here on Python {here}, and {target} '
                f'needs {least}; its packages do not install on it'
            )
        else:
            severity = model.Severity.INFO
            message = (
                f'this environment has Python {here}, and {target} needs '
                f'{least}; manila is not installed here'
            )
        yield model.Finding(
            severity,
            model.Subject('package', 'python'),
            message,
            [
                model.advice(
                    f'Give the services of {target} Python {least} or newer: '
                    'a newer distribution or image, or an environment made '
                    'with a newer interpreter.'
                )
            ],
            [f'manila {package.version} requires-python'],
            data={'installed': here, 'needed': least},
        )
