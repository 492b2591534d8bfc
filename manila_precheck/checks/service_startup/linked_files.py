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
"""Files that more than the value of an option leads to."""

import ast
from collections.abc import Iterator
import configparser
import os
from typing import Optional
import urllib.parse

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.host import access

_FAILURE = model.Severity.FAILURE
_WRITE = (access.Want.WRITE, access.Want.ENTER)
_MAX_BYTES = 1 << 20

# manila 18.3.0, 22.0.2 and 23.0.1 cmd/: those that start a coordinator.
COORDINATED = ('manila-scheduler', 'manila-share')
_AUDIT = (
    'keystonemiddleware.audit:filter_factory',
    'egg:keystonemiddleware#audit',
)
_AUDIT_MAP = 'audit_map_file'


def missing_directory(
    who: access.Account, path: str
) -> Optional[access.Obstacle]:
    """Return what keeps a directory from being written, or from being made."""
    found = access.obstacle(who, path, *_WRITE, directory=True)
    if found is not None and found.missing:
        found = access.obstacle(
            who, access.nearest(path), *_WRITE, directory=True
        )
    return None if found is None or found.unseen else found


def coordination(
    ctx: context.Context, services: tuple[controller.Service, ...]
) -> Iterator[model.Finding]:
    """Yield that the directory of the locks in files cannot be used."""
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
            + '; manila-scheduler and manila-share exit with 1 '
            '(ToozConnectionError)',
            (
                model.command(
                    'install -d -o {} -m 0750 {}', service.account.name, path
                ),
            ),
            aspect='path',
        )
        return


def audit_map(ctx: context.Context) -> Iterator[model.Finding]:
    """Yield that the file that the audit filter reads is not there."""
    try:
        paste = ctx.paste
    except exceptions.PrecheckError:
        # api-paste says so.
        return
    used = {
        name
        for section in paste.sections
        for value in section.values
        if section.prefix != 'filter'
        for name in value.text.split()
    }
    for section in paste.sections:
        factory = section.factory
        if (
            section.prefix != 'filter'
            or section.name not in used
            or factory is None
            or factory.text.replace('call:', '') not in _AUDIT
        ):
            continue
        for value in section.values:
            path = value.text.strip()
            if value.name != _AUDIT_MAP or not os.path.isabs(path):
                continue
            if os.path.exists(path) or not os.path.isdir('/'):
                continue
            yield model.Finding(
                _FAILURE,
                model.Subject(
                    'section', section.title, paste.path, value.line
                ),
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


# -- log_config_append -------------------------------------------------------

_LISTS = (('loggers', 'logger'), ('handlers', 'handler'),
          ('formatters', 'formatter'))  # fmt: skip


def log_config(
    ctx: context.Context, services: tuple[controller.Service, ...]
) -> Iterator[model.Finding]:
    """Yield what logging.config refuses in the file of log_config_append."""
    told = set()
    for service in services:
        reader = service.view.reader(ctx.upgrade.target)
        path = reader.text('DEFAULT', 'log_config_append')
        if not os.path.isabs(path) or path in told:
            continue
        told.add(path)
        try:
            text = text_file.read_text(path, _MAX_BYTES).text
        except exceptions.SourceUnusable:
            # That it is not there is told of the option.
            continue
        lines = service.view.config.effective(
            [('DEFAULT', 'log_config_append')]
        )
        for why in _refused(text, service.account):
            yield model.Finding(
                _FAILURE,
                config_files.subject(
                    'option',
                    'DEFAULT/log_config_append',
                    lines[-1] if lines else None,
                ),
                f'[DEFAULT] log_config_append: {path}: {why}; no service '
                'starts (LogConfigError)',
                (
                    model.advice(
                        'Correct the file, or remove the line: the options '
                        'log_dir and log_file count then.'
                    ),
                ),
                aspect='logging',
            )
            break


def _refused(text: str, who: access.Account) -> Iterator[str]:
    """Yield why Python's logging refuses a configuration."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as exc:
        yield f'it cannot be parsed ({type(exc).__name__})'
        return
    for group, one in _LISTS:
        if not parser.has_option(group, 'keys'):
            yield f'it has no [{group}] with keys'
            return
        for name in _names(parser, group):
            if not parser.has_section(f'{one}_{name}'):
                yield f'it has no [{one}_{name}]'
                return
    if 'root' not in _names(parser, 'loggers'):
        yield 'its loggers lack root'
        return
    for name in _names(parser, 'handlers'):
        yield from _handler(parser[f'handler_{name}'], who)


def _names(parser: configparser.ConfigParser, group: str) -> list[str]:
    held = parser.get(group, 'keys', raw=True)
    return [name.strip() for name in held.split(',') if name.strip()]


def _handler(
    section: configparser.SectionProxy, who: access.Account
) -> Iterator[str]:
    """Yield that the file of a handler cannot be opened."""
    if 'FileHandler' not in section.get('class', '', raw=True):
        return
    try:
        told = ast.literal_eval(section.get('args', '()', raw=True))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return
    path = told[0] if isinstance(told, tuple) and told else None
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
        yield f'[{section.name}] writes {path}, and {folder} does not exist'
    else:
        yield f'[{section.name}] writes {path}, which {who.name} cannot write'
