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

"""The check ``local-changes``."""

from collections.abc import Iterator
from collections.abc import Sequence
import itertools
import os
import re

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.checks.local_changes import installed_files
from manila_precheck.engine import check
from manila_precheck.engine import context

_MOST_NAMES = 5
_RELEASED = re.compile(r'\d+(\.\d+)+')


class LocalChanges(check.Check):
    """Files of the installed manila were changed after its installation.

    Vendors ship drivers that replace files of manila, and hot fixes are
    applied to the installed package by hand. The packages of the target
    replace the files, and the changes are lost: a back end does not start, or
    a bug returns. Release notes cannot mention this.

    The check compares the files of manila's Python package with what was
    installed. If dpkg or rpm owns the package, ``dpkg --verify`` or ``rpm -V``
    reports the files whose contents changed, and a file that another package
    owns is not a change. Otherwise the check compares the hash of each file
    with the RECORD of the wheel. It does not compare byte code, modes and
    times, nor the commands and the configuration files of the package.

    The check looks at the environment in which this command runs. If manila is
    not installed there, or is already the target, the check does not apply.

    WARNING: files in a directory were changed or added, or are missing. There
    is one finding for each directory.

    Known false positives: a file that the installation itself writes. A
    package that is installed from a checkout (``pip install --editable``) has
    no RECORD of its files; the check then ends in an error.
    """

    id = 'local-changes'
    title = 'Local changes'
    # The changes can be saved only until the packages are replaced.
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield a finding for each directory with changes."""
        if not ctx.site.is_host:
            raise exceptions.SourceNotApplicable(
                'the files of a bundle are judged (--root), not the manila '
                'of this machine'
            )
        if ctx.installed is None:
            raise exceptions.SourceNotApplicable(
                'manila is not installed in this environment'
            )
        if ctx.resolution.installed_as == 'target':
            raise exceptions.SourceNotApplicable(
                'the manila of this environment is the target'
            )
        found = installed_files.look()
        for folder, changes in itertools.groupby(
            sorted(
                found.changes,
                key=lambda change: (os.path.dirname(change[0]), change[0]),
            ),
            key=lambda change: os.path.dirname(change[0]),
        ):
            yield self._changed(ctx, found, folder, list(changes))

    def _changed(
        self,
        ctx: context.Context,
        found: installed_files.Installed,
        folder: str,
        changes: Sequence[tuple[str, installed_files.FileChange]],
    ) -> model.Finding:
        assert ctx.installed is not None
        version, target = ctx.installed.text, ctx.upgrade.target
        names = {
            kind: [
                os.path.basename(path) for path, of in changes if of is kind
            ]
            for kind in installed_files.FileChange
        }
        words = ', '.join(
            f'{len(some)} {kind.value} ({_listed(some)})'
            for kind, some in names.items()
            if some
        )
        return model.Finding(
            model.Severity.WARNING,
            model.Subject('directory', folder),
            f'{folder} of manila {version} has local changes, which the '
            f'upgrade to {target} discards: {words}',
            [
                model.advice(
                    'Find out what made the changes: a vendor\'s driver, a '
                    f'hot fix, an edit. Check whether {target} has them; if '
                    f'not, get them for {target}, and apply them after its '
                    'packages are installed and before its services start.'
                ),
                *_comparison(found, version),
            ],
            data={
                'installed': version,
                'installed_by': found.manager,
                **{kind.value: len(some) for kind, some in names.items()},
            },
        )


def _listed(names: Sequence[str]) -> str:
    shown = ', '.join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f'{shown} and {more} more' if more > 0 else shown


def _comparison(
    found: installed_files.Installed, version: str
) -> Iterator[model.Remediation]:
    """Yield the commands that show the changes."""
    if found.manager == 'dpkg':
        yield model.command('dpkg --verify {}', found.package)
    elif found.manager == 'rpm':
        yield model.command('rpm -V {}', found.package)
    elif _RELEASED.fullmatch(version):
        place = f'manila-{version}'
        yield model.command(
            'python3 -m pip install --no-deps --target {} {}',
            place,
            f'manila=={version}',
        )
        yield model.command('diff -r {} {}', f'{place}/manila', found.path)
