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
"""Certificates in files: whether a key matches, and when they expire."""

import datetime
import re
import ssl
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import text_file

_MAX_BYTES = 1 << 20
_PEM = re.compile(
    '-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----', re.DOTALL
)

# Tags of DER.
_SEQUENCE, _UTC_TIME, _TIME, _VERSION = 0x30, 0x17, 0x18, 0xA0


def mismatch(cert: str, key: str) -> Optional[str]:
    """Return why a server cannot use a certificate with a key.

    :returns: '' when it can; None when this run may not read the files.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without the function OpenSSL asks for a password on the terminal.
        context.load_cert_chain(cert, key, lambda: b'')
    except PermissionError:
        return None
    except ssl.SSLError as exc:
        if exc.reason == 'KEY_VALUES_MISMATCH':
            return 'the key is not that of the certificate'
        return f'they cannot be used ({exc.reason or "not PEM"})'
    except (OSError, ValueError) as exc:
        return f'they cannot be used ({type(exc).__name__})'
    return ''


def refused_authorities(path: str) -> str:
    """Return why a server cannot verify clients with a file; '' if it can.

    '' also when this run may not read the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as exc:
        return f'it has no certificate ({exc.reason or "not PEM"})'
    except OSError:
        return ''
    return ''


def has_ciphers(names: str) -> bool:
    """Say whether OpenSSL finds a cipher in a list as OpenSSL writes it."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(names)
    except ssl.SSLError:
        return False
    return True


def ends(path: str) -> Optional[datetime.datetime]:
    """Return when the first certificate of a file expires; None: unknown."""
    try:
        text = text_file.read_text(path, _MAX_BYTES).text
        found = _PEM.search(text)
        der = ssl.PEM_cert_to_DER_cert(found[0]) if found else b''
        return _not_after(der)
    except (exceptions.SourceUnusable, ValueError, IndexError):
        return None


def _not_after(der: bytes) -> Optional[datetime.datetime]:
    """Return the end of the validity of a certificate (RFC 5280, 4.1)."""
    body, _ = _inside(der, 0, _SEQUENCE)
    fields, _ = _inside(body, 0, _SEQUENCE)
    at = 0
    if fields[0] == _VERSION:
        _, at = _inside(fields, at, _VERSION)
    # Skip the serial number, the algorithm and the issuer.
    for _ in range(3):
        _, at = _inside(fields, at, fields[at])
    validity, _ = _inside(fields, at, _SEQUENCE)
    _, at = _inside(validity, 0, validity[0])
    tag = validity[at]
    value, _ = _inside(validity, at, tag)
    text = value.decode('ascii')
    if tag == _UTC_TIME:
        # The year has two digits: up to 49 they mean 20xx.
        text = ('20' if text < '5' else '19') + text
    elif tag != _TIME:
        return None
    made = datetime.datetime.strptime(text, '%Y%m%d%H%M%SZ')
    return made.replace(tzinfo=datetime.timezone.utc)


def _inside(der: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """Return the contents of an element, and the offset of the next one."""
    if der[at] != tag:
        raise ValueError('another element')
    length = der[at + 1]
    at += 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(der[at : at + size], 'big')
        at += size
    if at + length > len(der):
        raise ValueError('it is cut off')
    return der[at : at + length], at + length
