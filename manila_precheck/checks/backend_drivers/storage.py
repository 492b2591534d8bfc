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

"""The storage of a back end, compared with the support matrix."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import requirements
from manila_precheck.checks.backend_drivers import backend
from manila_precheck.checks.backend_drivers import comparison
from manila_precheck.checks.backend_drivers import inventory

Result = comparison.VersionResult
Severity = model.Severity

_DECLARE = [
    model.advice(
        'Compare the versions yourself, or declare the version in the '
        'inventory:'
    ),
    model.config(
        '[manila_precheck_backend_drivers]\n'
        'storage_inventory = /etc/manila-precheck/storage-inventory.yaml'
    ),
]


def judge(
    one: backend.BackEnd,
    asked: comparison.Asked,
    declared: Sequence[inventory.Declared],
    path: str,
) -> Iterator[model.Finding]:
    """Yield findings about the storage of a back end in the target.

    :param asked: the rows of the matrix for its driver.
    :param declared: its storage systems in the inventory.
    :param path: the path of the inventory; '' if there is none.
    """
    named = {item.system.lower() for item in declared}
    unknown = [
        item for item in asked.storage if item.system.lower() not in named
    ]
    if unknown:
        yield _not_known(one, asked, unknown)
    for item in declared:
        finding = _declared(one, asked, item, f'{path}:{item.line}')
        if finding is not None:
            yield finding


def _not_known(
    one: backend.BackEnd,
    asked: comparison.Asked,
    items: Sequence[requirements.Storage],
) -> model.Finding:
    rises = any(asked.rises(item) for item in items if not item.feature)
    commands = [
        model.command(system.command)
        for system in asked.systems(items)
        if system.command
    ]
    words = ' and '.join(item.words for item in items)
    return one.finding(
        Severity.WARNING if rises else Severity.INFO,
        one.driver_line,
        f'[{one.name}] {one.target} documents '
        f'{words}{asked.says(one, items)}; the version in use is not known',
        [*commands, *_DECLARE],
        'storage',
        references=asked.sources,
    )


def _declared(
    one: backend.BackEnd,
    asked: comparison.Asked,
    item: inventory.Declared,
    place: str,
) -> Optional[model.Finding]:
    known = sorted({storage.system for storage in asked.storage})
    has = f'[{one.name}] has {item.system} {item.version} ({place})'
    aspect = f'storage-{backend.slug(item.system)}'
    data: dict[str, model.Scalar] = {
        'system': item.system,
        'version': item.version,
    }
    if not known:
        return one.finding(
            Severity.INFO,
            one.driver_line,
            f'{has}, which was not compared: {one.target} documents no '
            'version for its driver',
            [],
            aspect,
            data,
            asked.sources,
        )
    if item.system.lower() not in (name.lower() for name in known):
        return one.finding(
            Severity.WARNING,
            one.driver_line,
            f'{has}, which was not compared: the matrix lists '
            f'{" and ".join(known)} for its driver',
            [model.advice('Use the name that the matrix has for the system.')],
            aspect,
            data,
            asked.sources,
        )
    worst = comparison.worst(one, asked, item)
    if worst is None:
        return None
    data['documented'] = worst.item.minimum or worst.item.tested
    text = f'{has}, and {one.target} documents {worst.item.words}' + (
        asked.says(one, [worst.item])
    )
    update = [model.advice(f'Update {item.system} before manila.')]
    if worst.result is Result.REFUSED:
        return one.fails(
            one.driver_line,
            f'{text}; the driver fails with older versions',
            update,
            aspect,
            data,
            asked.sources,
            alone=True,
        )
    severity, ending, todo = {
        Result.OLDER: (Severity.WARNING, '', update),
        Result.NOT_COMPARED: (
            Severity.WARNING,
            '; the two cannot be compared',
            [
                model.advice(
                    'Compare them by hand, or write the version in the '
                    f'inventory like {data["documented"]}.'
                )
            ],
        ),
        Result.NEWER: (
            Severity.INFO,
            ', which is older; newer versions are not documented',
            [],
        ),
    }[worst.result]
    return one.finding(
        severity,
        one.driver_line,
        f'{text}{ending}',
        todo,
        aspect,
        data,
        asked.sources,
    )
