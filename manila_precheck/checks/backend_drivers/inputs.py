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

"""What the operator and installed packages say about storage."""

from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import Union

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.catalog import matrix_format
from manila_precheck.catalog import support
from manila_precheck.checks.backend_drivers import inventory
from manila_precheck.checks.backend_drivers import matrix_plugins
from manila_precheck.engine import context
from manila_precheck.evidence.files import yaml_file


class Inputs(NamedTuple):
    """What the check reads in addition to the configuration."""

    matrix: support.Matrix
    inventory_file: Optional[inventory.Inventory]

    findings: tuple[model.Finding, ...]
    """One for each package whose matrix cannot be used."""

    errors: tuple[str, ...]
    """Why files that the operator named cannot be used."""

    def declared(
        self, backend: str
    ) -> tuple[tuple[inventory.Declared, ...], str]:
        """Return what a back end is declared to have, and the file's path."""
        if self.inventory_file is None:
            return (), ''
        found = self.inventory_file
        return found.backends.get(backend, ()), found.path


def gather(ctx: context.Context, options: Any) -> Inputs:
    """Read the matrices and the inventory.

    A file that cannot be used does not prevent the use of the others.

    :param options: the options of the check.
    """
    errors: list[str] = []
    parts: list[support.MatrixPart] = []
    declared = None
    if options.support_matrix:
        try:
            found = ctx.document(options.support_matrix)
            parts.append(_part(found, found.name))
        except exceptions.SourceUnusable as exc:
            errors.append(f'support_matrix: {exc}')
    if options.storage_inventory:
        try:
            declared = inventory.read(ctx.document(options.storage_inventory))
        except exceptions.SourceUnusable as exc:
            errors.append(f'storage_inventory: {exc}')
    findings = []
    for brought in matrix_plugins.read():
        made = _brought(brought)
        if isinstance(made, model.Finding):
            findings.append(made)
        else:
            parts.append(made)
    matrix = support.Matrix([*parts, support.load()])
    return Inputs(matrix, declared, tuple(findings), tuple(errors))


def _part(found: yaml_file.Document, origin: str) -> support.MatrixPart:
    try:
        return support.MatrixPart(*matrix_format.decode(found.data, origin))
    except matrix_format.NotAMatrix as exc:
        raise found.wrong(exc.path, str(exc)) from exc


def _brought(
    brought: matrix_plugins.Brought,
) -> Union[model.Finding, support.MatrixPart]:
    error = brought.error
    if brought.found is not None:
        try:
            return _part(brought.found, brought.origin)
        except exceptions.SourceUnusable as exc:
            error = str(exc)
    package = brought.origin.partition(' ')[0]
    return model.Finding(
        model.Severity.WARNING,
        model.Subject('package', package),
        f'the support matrix {brought.name} of {brought.origin} cannot be '
        f'used and was ignored: {error}',
        [model.advice('Update the package, or contact its vendor.')],
        data={'entry_point': brought.name, 'origin': brought.origin},
        aspect=f'matrix-{brought.name}',
    )


def not_enabled(
    ctx: context.Context,
    declared: Optional[inventory.Inventory],
) -> Iterator[model.Finding]:
    """Yield the back ends of an inventory that are not enabled."""
    if declared is None:
        return
    enabled = [one.name for one in ctx.config.backends]
    for name, line in sorted(declared.lines.items()):
        if name in enabled:
            continue
        there = ctx.config.section(name) is not None
        what = 'is not enabled' if there else 'has no section in any file'
        yield model.Finding(
            model.Severity.INFO if there else model.Severity.WARNING,
            model.Subject('backend', name, declared.path, line),
            f'the inventory names {name}, which {what}; it was not compared',
            []
            if there
            else [
                model.advice(
                    'Use a name from enabled_share_backends: '
                    f'{", ".join(enabled)}.'
                )
            ],
            aspect='inventory',
        )
