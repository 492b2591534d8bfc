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

"""The Python interpreter that the operator names as the target's."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import requirements
from manila_precheck.engine import context
from manila_precheck.evidence.host import interpreter

Severity = model.Severity


def ask(
    path: Optional[str],
    libraries: Iterable[requirements.Library],
    classes: Iterable[str],
) -> Optional[interpreter.Importable]:
    """Look up what the back ends need in the Python; None if none is named.

    :param path: the interpreter.
    :param classes: the class paths of third-party drivers.
    :raises SourceUnusable: when the interpreter cannot be run.
    """
    if not path:
        return None
    wanted = list(libraries)
    return interpreter.ask(
        path,
        (item.module for item in wanted),
        ('manila', *(item.package for item in wanted if item.package)),
        classes,
    )


def judge(
    ctx: context.Context,
    python: interpreter.Importable,
) -> Iterator[model.Finding]:
    """Yield what the Python is, and whether the target runs on it."""
    target = ctx.upgrade.target
    package = ctx.catalog.package(target)
    here = '.'.join(str(number) for number in python.python)
    version = python.versions['manila']
    data: dict[str, model.Scalar] = {'python': here, 'manila': version}
    subject = model.Subject('python', python.path)
    if python.python[:2] < package.least_python:
        least = '.'.join(str(number) for number in package.least_python)
        yield model.Finding(
            Severity.FAILURE,
            subject,
            f'{python.path} is Python {here}, but {target} requires {least} '
            'or newer; its packages cannot be installed there',
            [
                model.advice(
                    'Set python to the interpreter that the services of the '
                    f'target will use, {least} or newer.'
                )
            ],
            [f'manila {package.version} requires-python'],
            data,
            aspect='version',
        )
    if version is None:
        severity, text = Severity.INFO, 'has no manila yet'
    elif releases.build(version).release == target:
        severity, text = Severity.INFO, f'has manila {version} ({target})'
    else:
        severity = Severity.WARNING
        text = f'has manila {version}, which is not {target}'
    yield model.Finding(
        severity,
        subject,
        f'{python.path} is Python {here} and {text}; the libraries of the '
        'drivers were looked up there',
        []
        if severity is Severity.INFO
        else [
            model.advice(
                'If the services of the target will use another interpreter, '
                'set python to it.'
            )
        ],
        data=data,
        aspect='manila',
    )
