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

"""Keep secrets out of whatever the program says."""

from collections.abc import Iterable
from collections.abc import Iterator
import re
from urllib import parse

MASK = '***'

# user:password@ in a URL; the password may itself hold an unquoted '@'.
_URL_PASSWORD = re.compile(
    r'(?P<head>\w[\w+.-]{0,63}://[^\s:/@]*:)(?P<password>[^\s/]+)(?=@)'
)

# token=value in the query of a URL.
_QUERY_SECRET = re.compile(
    r'(?P<head>[?&][\w.-]{0,40}?(?:pass|pwd|secret|token|api_?key|access_?key)'
    r'[\w.-]{0,40}=)(?P<password>[^\s&#"\']+)',
    re.IGNORECASE,
)

# Shorter values are parts of every sentence: masking them hides the report.
_MIN_SECRET_LENGTH = 6


class Redactor:
    """Takes out of a text what must not be shown.

    :param secrets: values that must not appear; those of fewer than six
        characters are left alone, since they are parts of ordinary words. A
        secret that is a word itself, such as 'manila', is masked where it
        stands alone, not in 'manila-manage' or '/etc/manila'.
    :param patterns: what else must not appear.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        patterns: Iterable['re.Pattern[str]'] = (),
    ) -> None:
        longest_first = sorted(set(secrets), key=lambda s: (-len(s), s))
        self._secrets = [
            (secret, _alone(secret) if secret.isalpha() else None)
            for secret in longest_first
            if len(secret) >= _MIN_SECRET_LENGTH
        ]
        self._patterns = tuple(patterns)

    def __call__(self, text: str) -> str:
        """Return the text with a mask for each secret in it."""
        for secret, alone in self._secrets:
            if secret in text:
                if alone is None:
                    text = text.replace(secret, MASK)
                else:
                    text = alone.sub(MASK, text)
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        if '://' in text:
            text = _URL_PASSWORD.sub(rf'\g<head>{MASK}', text)
            text = _QUERY_SECRET.sub(rf'\g<head>{MASK}', text)
        return text


def _alone(word: str) -> 're.Pattern[str]':
    return re.compile(rf'(?<![\w./-]){re.escape(word)}(?![\w/-]|\.\w)')


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without passwords in URLs and without known secrets.

    :param text: anything that is about to be shown.
    :param secrets: as for :class:`Redactor`.
    """
    return Redactor(secrets)(text)


def patterns(texts: Iterable[str]) -> 'tuple[re.Pattern[str], ...]':
    """Return the patterns that an operator wants masked.

    :raises ValueError: when one is no regular expression, or would match
        everywhere.
    """
    found = []
    for text in texts:
        try:
            pattern = re.compile(text)
        except re.error as exc:
            raise ValueError(
                f'{text!r} is no regular expression: {exc}'
            ) from exc
        if pattern.search(''):
            raise ValueError(f'{text!r} matches the empty text')
        found.append(pattern)
    return tuple(found)


def forms(value: str) -> Iterator[str]:
    """Yield a secret as it may be spelled, and the passwords in its URLs.

    A file has '$$' for '$' and may quote a value, a URL has '%40' for '@',
    and one that talks to a server gives the password alone.
    """
    for plain in {value, value.strip('\'"'), value.replace('$$', '$')}:
        words = [plain]
        for pattern in (_URL_PASSWORD, _QUERY_SECRET):
            words += [m['password'] for m in pattern.finditer(plain)]
        for word in words:
            yield word
            yield parse.unquote(word)
            yield parse.quote(word, safe='')
