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

"""The Python modules of a driver that manila does not install."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import requirements
from manila_precheck.catalog import versions
from manila_precheck.checks.backend_drivers import backend
from manila_precheck.evidence.host import interpreter

Severity = model.Severity

_LOOK = (
    'import importlib.util as u; print({name: bool(u.find_spec(name)) '
    'for name in %r})'
)


def asked(
    one: backend.BackEnd, row: Optional[requirements.Support]
) -> tuple[requirements.Library, ...]:
    """Return the libraries that a back end needs with its configuration."""
    if row is None:
        return ()
    return tuple(item for item in row.libraries if one.asks(item.option))


def judge(
    one: backend.BackEnd,
    row: Optional[requirements.Support],
    python: Optional[interpreter.Importable],
) -> Iterator[model.Finding]:
    """Yield the libraries that a Python lacks, or how to look for them."""
    wanted = asked(one, row)
    if row is None or not wanted:
        return
    if python is None:
        yield from _without_python(one, wanted, row)
        return
    for item in wanted:
        finding = _library(one, item, row, python)
        if finding is not None:
            yield finding


def _without_python(
    one: backend.BackEnd,
    wanted: Iterable[requirements.Library],
    row: requirements.Support,
) -> Iterator[model.Finding]:
    """Yield what the build of the target lacks or may lack."""
    unknown = []
    for item in wanted:
        there = one.ctx.catalog.installs(one.target, item.module)
        if there is None:
            unknown.append(item)
        elif not there:
            package = one.ctx.catalog.package(one.target)
            brings = item.package or item.os_package or item.module
            yield one.fails(
                one.driver_line,
                f'[{one.name}] needs the module {item.module}, which the '
                f'environment of {package.filename} does not have'
                f'{backend.says(row)}',
                [model.advice(f'Install {brings} with the target.')],
                f'library-{item.module}',
                {'module': item.module},
                row.sources,
                alone=item.moment != requirements.LOAD,
            )
    if unknown:
        yield _not_looked(one, unknown, row)


def _not_looked(
    one: backend.BackEnd,
    wanted: Iterable[requirements.Library],
    row: requirements.Support,
) -> model.Finding:
    names = [
        f'{item.module} ({item.package} {item.minimum} or newer)'
        if item.minimum
        else item.module
        for item in wanted
    ]
    modules = tuple(item.module for item in wanted)
    return one.finding(
        Severity.WARNING,
        one.driver_line,
        f'[{one.name}]: manila-share imports {" and ".join(names)}, which '
        f'manila does not install{backend.says(row)}; manila-precheck does '
        'not know whether the target has it',
        [
            model.advice('Check with the Python of the target:'),
            model.command('python3 -I -c {}', _LOOK % (modules,)),
            model.advice(
                'Or set python to that interpreter, and manila-precheck '
                'checks it:'
            ),
            model.config(
                '[manila_precheck_backend_drivers]\n'
                'python = /opt/manila/bin/python3'
            ),
        ],
        'libraries',
        references=row.sources,
    )


def _library(
    one: backend.BackEnd,
    item: requirements.Library,
    row: requirements.Support,
    python: interpreter.Importable,
) -> Optional[model.Finding]:
    install = _install(item, python)
    data: dict[str, model.Scalar] = {
        'module': item.module,
        'python': python.path,
    }
    aspect = f'library-{item.module}'
    if not python.modules[item.module]:
        return one.fails(
            one.driver_line,
            f'[{one.name}] needs the module {item.module}, which '
            f'{python.path} does not have{backend.says(row)}',
            install,
            aspect,
            data,
            row.sources,
            alone=item.moment != requirements.LOAD,
        )
    if not item.minimum and not item.refused_below:
        return None
    installed = python.versions[item.package]
    data['installed'] = installed
    if installed is None or not versions.parse(installed):
        return one.finding(
            Severity.INFO,
            one.driver_line,
            f'[{one.name}] needs {item.package} {item.minimum} or '
            f'newer{backend.says(row)}, but the metadata in {python.path} '
            'does not give its version',
            [model.command('{} -m pip show {}', python.path, item.package)],
            aspect,
            data,
            row.sources,
        )
    text = (
        f'[{one.name}] needs {item.package} %s or newer{backend.says(row)}, '
        f'but {python.path} has {installed}'
    )
    if item.refused_below and _older(installed, item.refused_below):
        return one.fails(
            one.driver_line,
            text % item.refused_below,
            install,
            aspect,
            data,
            row.sources,
            alone=True,
        )
    if item.minimum and _older(installed, item.minimum):
        return one.finding(
            Severity.WARNING,
            one.driver_line,
            text % item.minimum,
            install,
            aspect,
            data,
            row.sources,
        )
    return None


def _older(installed: str, least: str) -> bool:
    """Say whether a version is older, or cannot be compared."""
    order = versions.compare(installed, least)
    return order is None or order < 0


def _install(
    item: requirements.Library, python: interpreter.Importable
) -> list[model.Remediation]:
    """Return how to install a library; only PyPI packages have a command."""
    if not item.package:
        brings = item.os_package or (
            f'the package that provides the module {item.module}'
        )
        return [
            model.advice(
                f'Install {brings} with the target, for {python.path}.'
            )
        ]
    least = f'>={item.minimum}' if item.minimum else ''
    return [
        model.advice(f'Install it with the target, for {python.path}:'),
        model.command(
            '{} -m pip install {}', python.path, f'{item.package}{least}'
        ),
    ]
