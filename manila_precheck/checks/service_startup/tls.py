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
"""The certificate with which manila-api serves TLS."""

from collections.abc import Iterator
import datetime
import os
from typing import Optional

from manila_precheck import model
from manila_precheck.engine import context
from manila_precheck.engine import controller
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.host import access
from manila_precheck.evidence.host import certificates

_FAILURE = model.Severity.FAILURE
_WARNING = model.Severity.WARNING
_GROUP = 'ssl'
_SOON = datetime.timedelta(days=14)

# oslo.service 2.8 to 4.5 sslutils.py, with a Python that has no SSLv2 and no
# SSLv3.
_VERSIONS = ('sslv23', 'tlsv1', 'tlsv1_1', 'tlsv1_2')

_EXITS = 'manila-api exits with 1 (RuntimeError)'
_SILENT = 'manila-api starts and serves no request ({})'


def findings(
    ctx: context.Context, api: controller.HostService
) -> Iterator[model.Finding]:
    """Yield what is wrong with [ssl] and its files."""
    reader = api.view.reader(ctx.upgrade.target)
    if not (
        controller.serves_itself(ctx)
        and reader.is_on('DEFAULT', 'osapi_share_use_ssl')
    ):
        return
    files = {
        name: reader.text(_GROUP, name)
        for name in ('cert_file', 'key_file', 'ca_file')
    }
    bad = False
    for name, path in files.items():
        trouble, effect = _of_file(api, name, path, files)
        if trouble:
            bad = True
            yield _finding(reader, name, f'{trouble}; {effect}')
    for name, trouble in _values(reader):
        bad = True
        yield _finding(reader, name, trouble)
    if bad:
        return
    cert, key = files['cert_file'], files['key_file']
    if cert and key:
        yield from _pair(ctx, reader, cert, key)


def _of_file(
    api: controller.HostService, name: str, path: str, files: dict[str, str]
) -> tuple[str, str]:
    """Return what is wrong with a file and what happens, or ''."""
    if not path:
        if name == 'ca_file':
            return '', ''
        message = (
            f'[{_GROUP}] {name} is not set, and osapi_share_use_ssl is on'
        )
        if any(files[other] for other in ('cert_file', 'key_file')):
            return message, _EXITS
        return message, _SILENT.format('TypeError')
    if not os.path.isabs(path):
        return '', ''
    option = f'[{_GROUP}] {name}: {path}'
    found = access.obstacle(api.account, path, access.Want.READ)
    if found is None and name == 'ca_file':
        why = certificates.refused_authorities(path)
        if why:
            return f'{option}: {why}', _SILENT.format('ssl.SSLError')
    if found is None or found.unseen:
        return '', ''
    if found.missing:
        return f'{option} does not exist', _EXITS
    if found.kind:
        return f'{option} is {found.kind}', _SILENT.format('IsADirectoryError')
    return (
        f'{option} is not readable by the account {api.account.name}',
        _SILENT.format('PermissionError'),
    )


def _values(reader: config_reader.Reader) -> Iterator[tuple[str, str]]:
    """Yield the options that the server rejects, and what happens."""
    version = reader.text(_GROUP, 'version')
    if version and version.lower() not in _VERSIONS:
        yield (
            'version',
            f'[{_GROUP}] version = {version}: oslo.service takes '
            f'{", ".join(_VERSIONS)}; ' + _SILENT.format('RuntimeError'),
        )
    ciphers = reader.text(_GROUP, 'ciphers')
    if ciphers and not certificates.has_ciphers(ciphers):
        yield (
            'ciphers',
            f'[{_GROUP}] ciphers = {ciphers}: OpenSSL of this host has none '
            'of them; ' + _SILENT.format('ssl.SSLError'),
        )


def _pair(
    ctx: context.Context, reader: config_reader.Reader, cert: str, key: str
) -> Iterator[model.Finding]:
    why = certificates.mismatch(cert, key)
    if why is None:
        # This command may not read the files.
        return
    if why:
        yield _finding(
            reader,
            'key_file',
            f'[{_GROUP}] cert_file and key_file ({cert}, {key}): {why}; '
            + _SILENT.format('ssl.SSLError'),
        )
        return
    ends = certificates.ends(cert)
    if ends is None or ends - ctx.now > _SOON:
        return
    day = ends.strftime('%Y-%m-%d %H:%M UTC')
    if ends <= ctx.now:
        yield _finding(
            reader,
            'cert_file',
            f'[{_GROUP}] cert_file: {cert} expired on {day}; clients that '
            'verify it, such as every OpenStack client, refuse manila-api',
        )
    else:
        yield _finding(
            reader,
            'cert_file',
            f'[{_GROUP}] cert_file: {cert} expires on {day}; from then on '
            'clients that verify it refuse manila-api',
            _WARNING,
        )


def _finding(
    reader: config_reader.Reader,
    name: str,
    message: str,
    severity: model.Severity = _FAILURE,
) -> model.Finding:
    lines = reader.conf.effective([(_GROUP, name)])
    line: Optional[config_files.Setting] = lines[-1] if lines else None
    return model.Finding(
        severity,
        config_files.subject('option', f'{_GROUP}/{name}', line),
        message,
        (
            model.advice(
                'Install a certificate and a key that the account of '
                'manila-api can read, or correct [ssl].'
            ),
        ),
        aspect='tls',
    )
