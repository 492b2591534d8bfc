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
"""The paths in the options of the services."""

from collections.abc import Iterator
import os
import shlex
import shutil
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.catalog import paths
from manila_precheck.checks.service_startup import left_behind
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.database import database_url
from manila_precheck.evidence.host import access

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING

_WANTS = {
    paths.PathKind.FILE: (access.Want.READ,),
    paths.PathKind.DIRECTORY: (access.Want.READ, access.Want.ENTER),
    paths.PathKind.KEPT: (access.Want.WRITE, access.Want.ENTER),
    paths.PathKind.MADE: (access.Want.WRITE, access.Want.ENTER),
}
_DIRECTORIES = (
    paths.PathKind.DIRECTORY,
    paths.PathKind.KEPT,
    paths.PathKind.MADE,
)
_NOT = {
    paths.PathKind.FILE: 'readable',
    paths.PathKind.DIRECTORY: 'readable',
    paths.PathKind.KEPT: 'writable',
    paths.PathKind.MADE: 'writable',
    paths.PathKind.WRITTEN: 'writable',
}
# The PATH of the services and of sudo (sudoers, secure_path).
_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
# Programs that have options and run the command that follows.
_PREFIXES = ('sudo', 'doas', 'env', 'nice', 'ionice')


class NamedPath(NamedTuple):
    """One option of one service that names a path."""

    service: controller.HostService
    group: str
    name: str
    line: Optional[config_files.Setting]
    value: str
    about: paths.Path
    release: releases.Release


class Trouble(NamedTuple):
    """Why a path cannot be used."""

    text: str
    """A clause, without a subject: 'is not there'."""

    steps: tuple[model.Remediation, ...]

    effect: str = ''
    """What happens later, if the path works now; '' if it does not work."""


def findings(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[model.Finding]:
    """Yield what is wrong with each path, once for all services."""
    seen: dict[tuple[str, str, str], tuple[NamedPath, Trouble, list[str]]] = {}
    for service in services:
        for named in (
            *_named(ctx, service),
            *_defaults(ctx, service),
            *_of_urls(ctx, service),
        ):
            trouble = _trouble(named) or _left_behind(ctx, named)
            if trouble is None:
                continue
            key = (named.group, named.name, named.value)
            seen.setdefault(key, (named, trouble, []))[2].append(service.name)
    for named, trouble, names in seen.values():
        yield _finding(ctx, named, trouble, names)


def _named(
    ctx: context.Context, service: controller.HostService
) -> Iterator[NamedPath]:
    view = service.view
    reader = view.reader(ctx.upgrade.target)
    conf = view.config
    for setting in conf.settings:
        about = _about(reader, service, setting)
        if about is None or setting not in reader.effective(setting):
            continue
        lookup = reader.of(setting)
        group = lookup.group or setting.group
        option = lookup.option.name if lookup.option else setting.name
        value = _value(reader, group, option, setting)
        if value:
            yield NamedPath(
                service,
                group,
                option,
                setting,
                value,
                about,
                ctx.upgrade.target,
            )


def _defaults(
    ctx: context.Context, service: controller.HostService
) -> Iterator[NamedPath]:
    """Yield default paths that drivers open although no line sets them."""
    reader = service.view.reader(ctx.upgrade.target)
    conf = service.view.config
    for backend in conf.backends:
        for name, about in paths.of_defaults():
            if (
                service.name != about.service
                or conf.effective([(backend.name, name)])
                or not reader.look_up(backend.name, name).read
            ):
                continue
            yield NamedPath(
                service,
                backend.name,
                name,
                None,
                reader.text(backend.name, name),
                about,
                ctx.upgrade.target,
            )


def _of_urls(
    ctx: context.Context, service: controller.HostService
) -> Iterator[NamedPath]:
    """Yield the files that the parameters of database URLs name."""
    reader = service.view.reader(ctx.upgrade.target)
    for name in ('connection', 'slave_connection'):
        lines = service.view.config.effective([('database', name)])
        url = reader.text('database', name) if lines else ''
        # config-options reports a URL that cannot be parsed.
        if not database_url.is_url(url):
            continue
        driver, parameters = database_url.parameters(url)
        if not driver.startswith(('mysql', 'mariadb')):
            continue
        for key in paths.IN_MYSQL_URL:
            value = parameters.get(key)
            if value:
                yield NamedPath(
                    service,
                    'database',
                    name,
                    lines[-1],
                    value,
                    paths.OF_MYSQL_URL,
                    ctx.upgrade.target,
                )


def _about(
    reader: config_reader.Reader,
    service: controller.HostService,
    setting: config_files.Setting,
) -> Optional[paths.Path]:
    """Return the use of the path in a line; None if it is not used."""
    lookup = reader.of(setting)
    if not lookup.read or lookup.option is None:
        return None
    name, group = lookup.option.name, lookup.group or setting.group
    about = paths.of(group, name)
    if about is None and config_files.SectionRole.BACKEND in reader.conf.roles(
        group
    ):
        about = paths.of_backend(name)
    if about is None and (
        group in reader.options.auth_groups or reader.conf.auth_users(group)
    ):
        about = paths.of_login(name)
        if about is not None and not _is_used(reader, group, service):
            return None
    if about is None or about.service not in (None, service.name):
        return None
    if about.when is not None and not reader.is_on(*about.when):
        return None
    for other, wanted in about.beside:
        value = reader.text(group, other).strip().lower()
        if value != wanted if wanted else not value:
            return None
    return about


def _is_used(
    reader: config_reader.Reader, group: str, service: controller.HostService
) -> bool:
    """Say whether a service opens the TLS files of a login."""
    users = (group, *reader.conf.auth_users(group))
    of_api = 'keystone_authtoken' in users
    if of_api != (service.name == 'manila-api'):
        return False
    found = reader.conf.effective([(group, 'auth_url')])
    return bool(found) and found[0].value.lower().startswith('https')


def _value(
    reader: config_reader.Reader,
    group: str,
    name: str,
    setting: config_files.Setting,
) -> str:
    value = reader.text(group, name) or setting.value
    return value.strip() if '$' not in value else ''


def _counts(named: NamedPath) -> bool:
    """Say whether an option is used, given the values of other options."""
    reader = named.service.view.reader(named.release)
    if named.group == paths.PRIVSEP:
        return _has_driver(named, paths.PRIVSEP_DRIVERS)
    if named.group == 'DEFAULT' and named.name in ('log_dir', 'log_file'):
        # oslo.log 5.2.1 and 8.1.0 log.py, setup and _get_log_file_path.
        if reader.text('DEFAULT', 'log_config_append'):
            return False
        if named.name == 'log_dir':
            file = reader.text('DEFAULT', 'log_file')
            return not os.path.isabs(file)
    if named.name == 'backdoor_socket':
        return behaviours.has('eventlet-services', named.release)
    if named.name == 'path_to_private_key':
        # The servers that manila creates use the password if there is no key
        # (manila 16.3.0 to 23.0.1 share/drivers/service_instance.py,
        # _get_key).
        return not (
            reader.is_on(named.group, 'driver_handles_share_servers')
            and reader.text(named.group, 'service_instance_password')
        )
    return True


def _trouble(named: NamedPath) -> Optional[Trouble]:
    kind = named.about.kind
    if not _counts(named):
        return None
    if kind is paths.PathKind.COMMAND:
        return _of_command(named)
    path = _path(named)
    if path is None:
        return None
    if kind is paths.PathKind.WRITTEN:
        return _of_written(named, path)
    who = named.service.account
    found = access.obstacle(
        who, path, *_WANTS[kind], directory=kind in _DIRECTORIES
    )
    if found is None or found.unseen:
        return None
    if found.missing and kind is paths.PathKind.MADE:
        there = access.nearest(path)
        found = access.obstacle(
            who,
            there,
            access.Want.WRITE,
            access.Want.ENTER,
            directory=True,
        )
        if found is None or found.unseen:
            return None
    return _told(named, path, found)


def _left_behind(ctx: context.Context, named: NamedPath) -> Optional[Trouble]:
    """Return that a path is in the environment of another manila."""
    if not (left_behind.is_known(ctx) and _counts(named)):
        return None
    path = _path(named)
    if named.about.kind is paths.PathKind.COMMAND:
        path = _program(named)
    found = path and left_behind.of_path(path, ctx.upgrade.target)
    if not found:
        return None
    name = os.path.basename(str(path))
    return Trouble(
        f'is in {found.prefix}, where manila {found.version} is installed',
        (
            model.advice(
                f'Use the {name} of the target, or one outside of '
                f'{found.prefix}.'
            ),
        ),
        f'without that environment {named.about.effect}',
    )


def _program(named: NamedPath) -> Optional[str]:
    """Return the path of the program that a command runs, if given."""
    for place, word in enumerate(shlex.split(named.value)):
        if word.startswith('-') or ('=' in word and place):
            break
        if os.path.isabs(word) and os.path.basename(word) not in _PREFIXES:
            return word
    return None


def _path(named: NamedPath) -> Optional[str]:
    path = os.path.expanduser(named.value)
    return path if os.path.isabs(path) else None


def _of_written(named: NamedPath, path: str) -> Optional[Trouble]:
    who = named.service.account
    folder = os.path.dirname(path)
    if os.path.lexists(path):
        found = access.obstacle(who, path, access.Want.WRITE)
        if found is None or found.unseen:
            return None
        return _told(named, path, found)
    found = access.obstacle(
        who, folder, access.Want.WRITE, access.Want.ENTER, directory=True
    )
    if found is None or found.unseen:
        return None
    return _told(named, folder, found)


def _told(named: NamedPath, path: str, found: access.Obstacle) -> Trouble:
    kind = named.about.kind
    who = named.service.account
    folder = kind in _DIRECTORIES or (
        kind is paths.PathKind.WRITTEN and path != named.value
    )
    if found.missing:
        text = (
            'does not exist'
            if path == named.value
            else f'is in {path}, which does not exist'
        )
        if folder:
            return Trouble(
                text,
                (_made(who, path),),
            )
        return Trouble(
            text,
            (
                model.advice(
                    f'Put the file at {path}, or correct the value of the '
                    'option.'
                ),
            ),
        )
    if found.kind:
        return Trouble(
            f'leads to {found.path}, which is {found.kind}'
            if found.path != named.value
            else f'is {found.kind}',
            (model.advice('Correct the value of the option.'),),
        )
    where = '' if found.path == named.value else f' because of {found.path}'
    return Trouble(
        f'is not {_NOT[kind]} by the account {who.name}{where}',
        (model.command('namei -l {}', path),),
    )


def _made(who: access.Account, path: str) -> model.Remediation:
    if not who.uid:
        return model.command('install -d -m 0750 {}', path)
    return model.command('install -d -o {} -m 0750 {}', who.name, path)


def _of_command(named: NamedPath) -> Optional[Trouble]:
    """Return why a command cannot be run, judged up to its first option."""
    try:
        words = shlex.split(named.value)
    except ValueError:
        return Trouble(
            'cannot be parsed as a command line',
            (model.advice('Correct the quotes in the value.'),),
        )
    for place, word in enumerate(words):
        if word.startswith('-') or ('=' in word and place):
            break
        if os.path.isabs(word):
            found = access.obstacle(access.account(0), word, access.Want.READ)
            if found is not None and not found.unseen:
                return Trouble(
                    f'runs {word}, which does not exist'
                    if found.missing
                    else f'runs {word}, which is {found.kind}',
                    (
                        model.advice(
                            f'Have it run the {os.path.basename(word)} of the '
                            'target, or remove the line.'
                        ),
                    ),
                )
        elif word in _PREFIXES and shutil.which(word, path=_PATH) is None:
            return Trouble(
                f'runs {word}, which is not in PATH',
                (model.advice(f'Install {word}, or give its path.'),),
            )
        if os.path.basename(word) not in _PREFIXES:
            break
    return None


def _finding(
    ctx: context.Context, named: NamedPath, trouble: Trouble, names: list[str]
) -> model.Finding:
    about = named.about
    severity = _FAILURE if _stops(named) else _WARNING
    line = named.line
    effect = about.effect
    if trouble.effect:
        severity, effect = _WARNING, trouble.effect
    if about.service is None and effect.startswith('no service'):
        effect = f'{_listed(names)} do{"es" * (len(names) == 1)} not start'
    return model.Finding(
        severity,
        config_files.subject('option', f'{named.group}/{named.name}', line),
        f'[{named.group}] {named.name}: {named.value} {trouble.text}; '
        f'{effect}',
        trouble.steps,
        aspect='environment' if trouble.effect else 'path',
    )


def _stops(named: NamedPath) -> bool:
    """Say whether a service or a driver does not start without the path."""
    if not named.about.local:
        return named.about.stops
    return _has_driver(named, paths.LOCAL_DRIVERS)


def _has_driver(named: NamedPath, marks: tuple[str, ...]) -> bool:
    """Say whether a back end of the service has one of these drivers.

    :param marks: parts of class paths.
    """
    view = named.service.view
    reader = view.reader(named.release)
    return any(
        mark in (reader.driver(backend.name) or '')
        for backend in view.config.backends
        for mark in marks
    )


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return ''.join(names)
    return ', '.join(names[:-1]) + f' and {names[-1]}'
