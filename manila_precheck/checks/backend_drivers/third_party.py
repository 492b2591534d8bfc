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

"""The driver of a third party, which manila does not ship."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import drivers
from manila_precheck.catalog import history
from manila_precheck.catalog import support
from manila_precheck.checks.backend_drivers import backend
from manila_precheck.checks.backend_drivers import loading
from manila_precheck.evidence.host import interpreter

Severity = model.Severity


def judge(
    one: backend.BackEnd,
    driver: Optional[drivers.Driver],
    matrix: support.Matrix,
    python: Optional[interpreter.Importable],
) -> Iterator[model.Finding]:
    """Yield whether a class loads, and whether it supports the target.

    :param driver: the facts of the build about it; None if they lack it.
    """
    if python is not None:
        missing = _missing(one, python)
        if missing:
            yield one.fails(
                one.driver_line,
                f'[{one.name}] loads {one.path}, a third-party driver, but '
                f'{missing}',
                one.or_without(
                    "Install the vendor's package for "
                    f'{one.target} in the '
                    f'environment of {python.path}'
                ),
                'driver',
                {'python': python.path},
            )
            return
    if driver is not None and driver.lacks:
        yield _lacks(one, driver)
    row = matrix.find(one.path, one.target)
    if row is None:
        if driver is None:
            yield _unknown(one, matrix)
        return
    yield one.finding(
        Severity.INFO,
        one.driver_line,
        f'[{one.name}] loads {one.path}, a third-party driver, which '
        f'supports {one.target} according to {row.origin}',
        [],
        'driver',
        {'origin': row.origin},
        row.sources,
    )
    if row.modes and driver is None:
        yield from loading.mode(one, row.modes, one.path)


def _missing(
    one: backend.BackEnd, python: interpreter.Importable
) -> Optional[str]:
    """Return what an import would not find; None if nothing is known."""
    found = python.classes[one.path]
    module, _, name = one.path.rpartition('.')
    if not found.module:
        return f'{python.path} has no module {module or one.path}'
    if found.name is False:
        return f'the module {module} of {python.path} has no {name}'
    return None


def _lacks(one: backend.BackEnd, driver: drivers.Driver) -> model.Finding:
    """Return which modules a driver imports that the build lacks.

    The driver itself could be imported where the file of facts was created, so
    it imports these modules only later, at run time.
    """
    names = ' and '.join(driver.lacks)
    package = one.ctx.catalog.package(one.target)
    return one.finding(
        Severity.WARNING,
        one.driver_line,
        f'[{one.name}]: {driver.name} imports {names}, which the environment '
        f'of {package.filename} does not have',
        [
            model.advice(
                "Install what the vendor's package requires with the "
                'target, and create the file again.'
            )
        ],
        'libraries',
    )


def _unknown(one: backend.BackEnd, matrix: support.Matrix) -> model.Finding:
    rows = matrix.of(one.path)
    text = f'manila-precheck does not know whether it works with {one.target}'
    data: dict[str, model.Scalar] = {}
    if rows:
        majors = history.ranges(frozenset().union(*(r.majors for r in rows)))
        origins = ' and '.join(sorted({row.origin for row in rows}))
        text = (
            f'which supports manila {majors} according to {origins}, not '
            f'{one.target}'
        )
        data = {'majors': majors}
    return one.finding(
        Severity.WARNING,
        one.driver_line,
        f'[{one.name}] loads {one.path}, a third-party '
        f'driver{"," if rows else ":"} {text}',
        [
            model.advice(
                f'Ask the vendor for the version that supports {one.target}, '
                'and install it during the upgrade. manila-share does not '
                'start if the class cannot be imported.'
            )
        ],
        'driver',
        data,
    )
