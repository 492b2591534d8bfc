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

"""Files that are missing, that no service reads, or that were not checked."""

from collections.abc import Iterator
import os
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import service_files

How = service_files.How

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING
_INFO = model.Severity.INFO


def where(one: service_files.ServiceFiles) -> str:
    """Return what names the files of a service: 'process 4711'."""
    if one.pid is not None:
        return f'process {one.pid}'
    if one.file is not None:
        return f'{one.file}:{one.line}' if one.line else one.file
    return 'its name'


def _subject(one: service_files.ServiceFiles, path: str) -> model.Subject:
    if one.file is None:
        return model.Subject('service', f'{one.service}:{path}')
    return model.Subject(
        'service', f'{one.service}:{path}', one.file, one.line
    )


def missing(ctx: context.Context) -> Iterator[model.Finding]:
    """Yield the files that a command line names and that do not exist."""
    for one in ctx.services:
        for path in one.missing:
            yield _missing(one, path)


def _missing(one: service_files.ServiceFiles, path: str) -> model.Finding:
    severity, effect = _FAILURE, 'it does not start'
    if one.how is How.CONTAINER:
        severity, effect = (
            _WARNING,
            'it is not one of the files that config.json copies into the '
            'container; what the image has there was not checked',
        )
    elif one.how is How.PROCESS:
        effect = 'it does not start again'
    elif one.how is How.INSTALLED:
        severity = _WARNING
    message = f'{where(one)} names {path} for {one.service}, which '
    message += (
        f'does not exist: {effect} (ConfigFilesNotFoundError)'
        if one.how is not How.CONTAINER
        else f'is not here: {effect}'
    )
    return model.Finding(
        severity,
        _subject(one, path),
        message,
        (
            model.advice(
                f'Create {path}, or remove it from the command line of '
                f'{one.service}.'
            ),
        ),
        aspect='missing',
    )


def unread(ctx: context.Context) -> Iterator[model.Finding]:
    """Yield the files named after a program that does not look for them."""
    if ctx.services_given:
        return
    read = {path for one in ctx.services for path in one.locations}
    for one in ctx.services:
        if one.how in (How.DEFAULT, How.CONTAINER):
            continue
        files, directories = ctx.named_after(one.service)
        for path in (*files, *directories):
            base = os.path.basename(path)
            if path in read or not base.startswith(f'{one.service}.'):
                continue
            number = _settings(ctx, path)
            if not number:
                continue
            if one.prog != one.service:
                why = (
                    f'oslo.config looks for {one.prog}.conf there, since '
                    f'the program is {one.prog}'
                )
            else:
                why = 'its command line names other files'
            yield model.Finding(
                _WARNING,
                model.Subject('file', path, path),
                f'{path} is not read: {one.service} is started by '
                f'{where(one)}, and {why}',
                (
                    model.advice(
                        f'Name it in the arguments of {one.service} '
                        '(--config-file; pyargv in uWSGI), or move its '
                        'options to a file that is read.'
                    ),
                ),
                aspect='unread',
            )


def variables(ctx: context.Context) -> Iterator[model.Finding]:
    """Yield environment variables that name files and have no effect."""
    for one in ctx.services:
        for name, value in one.variables:
            paths = [path for path in value.split(',') if path]
            if all(ctx.is_among(path, one.locations) for path in paths):
                continue
            yield model.Finding(
                _WARNING,
                _subject(one, name),
                f'{where(one)} sets {name} = {value} for {one.service}, '
                'which no release of manila reads: it reads '
                + (', '.join(one.locations) or 'no file'),
                (
                    model.advice(
                        'Name the files with --config-file in the arguments '
                        f'of {one.service} (pyargv in uWSGI), and remove '
                        f'{name}.'
                    ),
                ),
                aspect='variable',
            )


def _settings(ctx: context.Context, path: str) -> Optional[int]:
    """Return how many options a path sets; None if it is not known."""
    try:
        return len(config_files.read([path], site=ctx.machine).settings)
    except exceptions.ConfigFileError:
        return None


def not_judged(ctx: context.Context) -> Iterator[model.Finding]:
    """Yield files that services of this host read and that were not given."""
    if not ctx.services_given:
        return
    given = [*ctx.locations, *ctx.running_locations]
    by_files: dict[tuple[str, ...], list[service_files.ServiceFiles]] = {}
    for one in ctx.services_here:
        if one.how is How.INSTALLED:
            continue
        more = tuple(
            path for path in one.locations if not ctx.is_among(path, given)
        )
        if more:
            by_files.setdefault(more, []).append(one)
    for more, services in by_files.items():
        yield _not_judged(ctx, more, services, given)


def _not_judged(
    ctx: context.Context,
    more: tuple[str, ...],
    services: list[service_files.ServiceFiles],
    given: list[str],
) -> model.Finding:
    names = ', '.join(
        dict.fromkeys(f'{one.service} ({where(one)})' for one in services)
    )
    staged = all(
        not any(ctx.is_among(path, given) for path in one.locations)
        for one in services
    )
    has_settings = any(_settings(ctx, path) != 0 for path in more)
    files = ', '.join(more)
    programs = ' '.join(sorted({one.service for one in services}))
    if staged:
        severity = _INFO
        message = (
            f'{names} on this host reads none of the files that were given, '
            f'but {files}'
        )
        flag = '--running-config-file'
        advice = (
            'If the files that were given are staged for the target, name '
            f'those that run now with {flag}.'
        )
    else:
        severity = _WARNING if has_settings else _INFO
        message = (
            f'{names} on this host reads {files} besides, which was not '
            'checked'
        )
        advice = 'Pass it too, in the order in which the service reads it.'
    return model.Finding(
        severity,
        model.Subject('service', programs),
        message,
        (model.advice(advice),),
        data={'files': ','.join(more)},
        aspect='besides',
    )
