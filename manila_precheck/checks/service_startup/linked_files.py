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
"""Files that several settings, or other files, determine."""

import ast
import builtins
from collections.abc import Iterator
import configparser
import inspect
import logging
import logging.handlers
import os
import re
import sys
from typing import NamedTuple
from typing import Optional
import urllib.parse

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.catalog import middleware
from manila_precheck.engine import api_filters
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence import paste
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.host import access

_FAILURE = model.Severity.FAILURE
_WRITE = (access.Want.WRITE, access.Want.ENTER)
_MAX_BYTES = 1 << 20

# The services that start a coordinator (manila 18.3.0, 22.0.2 and 23.0.1
# cmd/).
COORDINATED = ('manila-api', 'manila-scheduler', 'manila-share')
_AUDIT_MAP = 'audit_map_file'
_USERS = 'http_basic_auth_user_file'


def missing_directory(
    who: access.Account, path: str
) -> Optional[access.Obstacle]:
    """Return what keeps a directory from being written or created."""
    found = access.obstacle(who, path, *_WRITE, directory=True)
    if found is not None and found.missing:
        found = access.obstacle(
            who, access.nearest(path), *_WRITE, directory=True
        )
    return None if found is None or found.unseen else found


def coordination(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[model.Finding]:
    """Yield that the directory of file locks cannot be used."""
    for service in services:
        if service.name not in COORDINATED:
            continue
        reader = service.view.reader(ctx.upgrade.target)
        url = reader.text('coordination', 'backend_url')
        if not url.startswith('file://'):
            continue
        path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
        found = missing_directory(service.account, path)
        if found is None:
            continue
        lines = service.view.config.effective(
            [('coordination', 'backend_url')]
        ) or service.view.config.effective([('DEFAULT', 'state_path')])
        yield model.Finding(
            _FAILURE,
            config_files.subject(
                'option',
                'coordination/backend_url',
                lines[-1] if lines else None,
            ),
            f'[coordination] backend_url: {service.account.name} cannot write '
            f'to {path}'
            + (f' because of {found.path}' if found.path != path else '')
            + (f', which is {found.kind}' if found.kind else '')
            + '; manila-api, manila-scheduler and manila-share do not start '
            '(ToozConnectionError)',
            (
                model.command(
                    'install -d -o {} -m 0750 {}', service.account.name, path
                ),
            ),
            aspect='path',
        )
        return


def of_filters(
    ctx: context.Context, api: controller.HostService
) -> Iterator[model.Finding]:
    """Yield the files that filters of the API read and cannot open."""
    loaded = api_filters.load(api.view, ctx.upgrade.target)
    if loaded is None:
        # api-paste reports it.
        return
    for one in loaded.sections(middleware.AUDIT.specs):
        yield from _audit_map(ctx.paste, one)
    for one in loaded.sections(middleware.BASIC_AUTH.specs):
        yield from _users(ctx, api, ctx.paste, one)


def _audit_map(
    file: paste.PasteFile, section: paste.PasteSection
) -> Iterator[model.Finding]:
    for value in section.values:
        path = value.text.strip()
        if (
            value.name != _AUDIT_MAP
            or not os.path.isabs(path)
            or os.path.exists(path)
        ):
            continue
        yield model.Finding(
            _FAILURE,
            model.Subject('section', section.title, file.path, value.line),
            f'[{section.title}] {_AUDIT_MAP}: {path} does not exist; '
            'manila-api does not start',
            (
                model.advice(
                    f'Put the map of the audit events at {path}, or take '
                    f'{section.name} out of the pipelines.'
                ),
            ),
            aspect='path',
        )


def _users(
    ctx: context.Context,
    api: controller.HostService,
    file: paste.PasteFile,
    section: paste.PasteSection,
) -> Iterator[model.Finding]:
    """Yield that the file with the users of the API cannot be read.

    The filter reads it when it is loaded; only the configuration of the
    service names the file (oslo.middleware 4.5 to 7.0 basic_auth.py).
    """
    reader = api.view.reader(ctx.upgrade.target)
    path = reader.text('oslo_middleware', _USERS)
    if not os.path.isabs(path):
        return
    found = access.obstacle(api.account, path, access.Want.READ)
    if found is None or found.unseen:
        return
    yield model.Finding(
        _FAILURE,
        model.Subject('section', section.title, file.path, section.line),
        f'[{section.title}] reads [oslo_middleware] {_USERS}: {path} '
        + (
            'does not exist'
            if found.missing
            else f'cannot be read by {api.account.name}'
        )
        + '; manila-api does not start (ConfigInvalid)',
        (
            model.advice(
                f'Put the users and their bcrypt hashes at {path}, readable '
                f'by {api.account.name}, or take {section.name} out of the '
                'pipelines.'
            ),
        ),
        aspect='path',
    )


# -- log_config_append -------------------------------------------------------

# oslo.log adds TRACE (handlers.py); numbers are rejected.
_LEVELS = (
    'CRITICAL', 'DEBUG', 'ERROR', 'FATAL', 'INFO', 'NOTSET', 'TRACE', 'WARN',
    'WARNING',
)  # fmt: skip
# Packages with classes that are always installed with manila.
_OF_MANILA = ('manila', 'oslo_log')

# The intervals of TimedRotatingFileHandler.
_WHEN = re.compile('S|M|H|D|MIDNIGHT|W[0-6]', re.IGNORECASE)

_LISTS = (('loggers', 'logger'), ('handlers', 'handler'),
          ('formatters', 'formatter'))  # fmt: skip


def log_config(
    ctx: context.Context, services: tuple[controller.HostService, ...]
) -> Iterator[model.Finding]:
    """Yield why logging.config rejects the file of log_config_append."""
    seen = set()
    for service in services:
        reader = service.view.reader(ctx.upgrade.target)
        path = reader.text('DEFAULT', 'log_config_append')
        if not os.path.isabs(path) or path in seen:
            continue
        seen.add(path)
        try:
            text = text_file.read_text(path, _MAX_BYTES).text
        except exceptions.SourceUnusable:
            # The finding about the option reports a missing file.
            continue
        lines = service.view.config.effective(
            [('DEFAULT', 'log_config_append')]
        )
        found = next(_refused(ctx, text, service.account), None)
        if found is not None:
            yield model.Finding(
                _FAILURE if found.sure else model.Severity.WARNING,
                config_files.subject(
                    'option',
                    'DEFAULT/log_config_append',
                    lines[-1] if lines else None,
                ),
                f'[DEFAULT] log_config_append: {path}: {found.why}'
                + ('; no service' if found.sure else '. Without it no service')
                + f' starts ({found.error})',
                (
                    model.advice(
                        'Correct the file, or remove the line: the options '
                        'log_dir and log_file count then.'
                    ),
                ),
                aspect='logging',
            )


class _Refusal(NamedTuple):
    """Why a configuration of logging is rejected."""

    why: str
    error: str = 'LogConfigError'
    """The exception that ends the service. oslo.log converts KeyError, OSError
    and configparser.Error to its own (oslo.log 5.0 to 8.0 log.py)."""

    sure: bool = True


def _refused(
    ctx: context.Context, text: str, who: access.Account
) -> Iterator[_Refusal]:
    """Yield why Python's logging rejects a configuration, in its order."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        yield _Refusal(f'it cannot be parsed ({type(exc).__name__})')
        return
    for group, one in _LISTS:
        if not parser.has_option(group, 'keys'):
            yield _Refusal(f'it has no [{group}] with keys')
            return
        for name in _names(parser, group):
            if not parser.has_section(f'{one}_{name}'):
                yield _Refusal(f'it has no [{one}_{name}]')
                return
    if 'root' not in _names(parser, 'loggers'):
        yield _Refusal('its loggers lack root')
        return
    for name in _names(parser, 'formatters'):
        section = parser[f'formatter_{name}']
        if section.get('class', raw=True):
            yield from _class(ctx, section)
        else:
            yield from _formatter(section)
    for name in _names(parser, 'handlers'):
        section = parser[f'handler_{name}']
        yield from _named(parser, section, 'formatter', 'formatters')
        yield from _class(ctx, section)
        yield from _level(section)
        yield from _arguments(section)
        yield from _handler(section, who)
    for name in _names(parser, 'loggers'):
        section = parser[f'logger_{name}']
        if name != 'root' and not section.get('qualname', raw=True):
            yield _Refusal(f'[{section.name}] has no qualname')
        yield from _level(section)
        yield from _named(parser, section, 'handlers', 'handlers')


def _named(
    parser: configparser.ConfigParser,
    section: configparser.SectionProxy,
    option: str,
    group: str,
) -> Iterator[_Refusal]:
    """Yield the names in a section that the list of a group lacks."""
    for name in (section.get(option, raw=True) or '').split(','):
        if name.strip() and name.strip() not in _names(parser, group):
            yield _Refusal(
                f'[{section.name}] names {name.strip()}, which is not among '
                f'the keys of [{group}]'
            )


def _level(section: configparser.SectionProxy) -> Iterator[_Refusal]:
    level = section.get('level', raw=True)
    if level and level not in _LEVELS:
        yield _Refusal(
            f'[{section.name}] has the level {level}, which does not exist',
            'ValueError',
        )


def _class(
    ctx: context.Context, section: configparser.SectionProxy
) -> Iterator[_Refusal]:
    """Yield that the class of a handler or a formatter does not exist."""
    name = section.get('class', raw=True) or ''
    names = vars(logging)
    first, *rest = (
        name[len('logging.') :] if name.startswith('logging.') else name
    ).split('.')
    found = names.get(first)
    for part in rest:
        found = getattr(found, part, None)
    if found is not None:
        return
    there: Optional[bool] = False
    if rest and first not in names:
        if first in (*_OF_MANILA, *getattr(sys, 'stdlib_module_names', ())):
            return
        there = ctx.catalog.installs(ctx.upgrade.target, first)
    if there:
        return
    text = f'[{section.name}] has the class {name or "without a name"}, '
    if there is None:
        yield _Refusal(
            f'{text}whose package {first} manila does not install',
            'ModuleNotFoundError',
            sure=False,
        )
    else:
        yield _Refusal(
            f'{text}which is not there',
            'ModuleNotFoundError' if name else 'SyntaxError',
        )


def _formatter(section: configparser.SectionProxy) -> Iterator[_Refusal]:
    """Yield that Python's own formatter rejects its options."""
    given = {
        name: section.get(name, raw=True) for name in ('format', 'datefmt')
    }
    style = section.get('style', '%', raw=True)
    try:
        logging.Formatter(
            given['format'],
            given['datefmt'],
            style,  # type: ignore[arg-type]
        )
    except ValueError as exc:
        yield _Refusal(f'[{section.name}]: {exc}', 'ValueError')


def _arguments(section: configparser.SectionProxy) -> Iterator[_Refusal]:
    """Yield that the class of a handler cannot be called with its args.

    Only names and literals are judged, and only classes of Python.
    """
    try:
        tree = ast.parse(section.get('args') or '()', mode='eval').body
    except configparser.Error as exc:
        yield _Refusal(f'[{section.name}] args: {type(exc).__name__}')
        return
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        yield _Refusal(
            f'[{section.name}] args is not a Python expression', 'SyntaxError'
        )
        return
    items = tree.elts if isinstance(tree, (ast.Tuple, ast.List)) else None
    if items is None:
        return
    arguments = []
    for item in items:
        try:
            arguments.append(_evaluated(item))
        except _Unknown:
            return
        except (NameError, AttributeError) as exc:
            yield _Refusal(f'[{section.name}] args: {exc}', type(exc).__name__)
            return
    name = section.get('class', raw=True) or ''
    kind = _of_logging(name)
    if not isinstance(kind, type) or section.get('kwargs', raw=True):
        return
    try:
        bound = inspect.signature(kind).bind(*arguments)
    except (TypeError, ValueError) as exc:
        yield _Refusal(
            f'[{section.name}] args do not fit {name}: {exc}', 'TypeError'
        )
        return
    if kind is logging.handlers.TimedRotatingFileHandler:
        when = bound.arguments.get('when', 'h')
        if isinstance(when, str) and not _WHEN.fullmatch(when):
            yield _Refusal(
                f'[{section.name}] rotates at {when!r}, which logging does '
                'not know',
                'ValueError',
            )


class _Unknown(Exception):
    """An expression is more than names and literals."""


def _evaluated(node: ast.expr) -> object:
    """Return the value of a name or a literal, as logging evaluates it.

    :raises _Unknown: when it is another expression.
    :raises NameError, AttributeError: when there is no such name.
    """
    if isinstance(node, ast.Name):
        names = {**vars(builtins), **vars(logging)}
        if node.id not in names:
            raise NameError(f'name {node.id!r} is not defined')
        return names[node.id]
    if isinstance(node, ast.Attribute):
        return getattr(_evaluated(node.value), node.attr)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise _Unknown from None


def _of_logging(name: str) -> object:
    """Return what a name means in the module logging; None: nothing."""
    found: object = logging
    for part in name.split('.')[name.startswith('logging.') :]:
        found = getattr(found, part, None)
    return found


def _names(parser: configparser.ConfigParser, group: str) -> list[str]:
    listed = parser.get(group, 'keys', raw=True)
    return [name.strip() for name in listed.split(',') if name.strip()]


def _handler(
    section: configparser.SectionProxy, who: access.Account
) -> Iterator[_Refusal]:
    """Yield that the file of a handler cannot be opened."""
    if 'FileHandler' not in section.get('class', '', raw=True):
        return
    try:
        arguments = ast.literal_eval(section.get('args', '()', raw=True))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return
    path = arguments[0] if isinstance(arguments, tuple) and arguments else None
    if not (isinstance(path, str) and os.path.isabs(path)):
        return
    folder = os.path.dirname(path)
    if os.path.lexists(path):
        found = access.obstacle(who, path, access.Want.WRITE)
    else:
        found = access.obstacle(who, folder, *_WRITE, directory=True)
    if found is None or found.unseen:
        return
    if found.missing:
        yield _Refusal(
            f'[{section.name}] writes {path}, and {folder} does not exist'
        )
    else:
        yield _Refusal(
            f'[{section.name}] writes {path}, which {who.name} cannot write'
        )
