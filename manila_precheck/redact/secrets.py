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

"""Mask secrets in everything that the program prints.

Two things are masked. First, whatever is in the place of a secret: in the
user information and the query of a URL, after 'password =', in an
Authorization header, in a private key. Second, the secrets that were read from
the sources, in any place. Ordinary words are an exception: a password 'manila'
or 'password', a default of deployment tools, is masked only as a value, not in
'manila-manage' or 'auth_type = password'. Such a text does not reveal the
password, since it is the same at every site.
"""

import base64
import collections
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
import functools
import json
import re
from urllib import parse

MASK = '***'

# -- the places of secrets ---------------------------------------------------

# Values that are not masked: placeholders for a secret, and the words by which
# a driver says whether it sent a password: "(using password: YES)".
_NO_VALUE = (
    r'(?!\*\*\*(?!\w)|\(the value in |<[\w |,.-]+>'
    r'|(?:true|false|none|null|yes|no)(?![^\s,;.()"\'}\]]))'
)
_VALUE = (
    rf'{_NO_VALUE}(?:[bu]?"(?:[^"\\\n]|\\.)*"|[bu]?\'(?:[^\'\\\n]|\\.)*\''
    # JSON within a JSON string.
    r'|\\+"[^"\n]*\\+"'
    r'|[^\s,;&"\'(){}\[\]][^\s,;&"\']*)'
)
_KEYWORD = r'pass(?:word|wd|code|phrase)|(?<![a-z])(?:pass|pwd|pw)'
_KEY = r'(?:api|access|auth|hmac|private|secret|account|shared)[_-]?key'
_HOLDER = rf'(?:{_KEYWORD}|secret|token|credentials?|{_KEY})'
# Pairs of a needle and a pattern. The pattern is tried if the needle is in the
# text in lower case, and compiled at the first try: compiling all takes 9 ms,
# and a run tries few.
_PLACES = tuple(
    (needle, f'(?i:{text})')
    for needle, text in (
        # The query and the fragment of a URL; ssl_key is a path.
        (
            '=',
            r'(?P<head>[?&;#](?!ssl_)[\w.%-]{0,64}(?:'
            r'pass|pwd|secret|token|signature|credential|session|hmac'
            r'|(?:api|access|auth)[_-]?key)[\w.%-]{0,64}=)[^\s&;#"\']+',
        ),
        (
            '=',
            r'(?P<head>[?&;#](?:sig|auth|key|pw|code|pin|sid|otp|jwt|sas'
            r'|assertion)=)[^\s&;#"\']+',
        ),
        # A URL within a URL: its special characters are percent-encoded.
        (
            '%3d',
            r'(?P<head>(?:[?&;#]|%3F|%26|%3B|%23)[\w.-]{0,64}(?:'
            rf'{_HOLDER})[\w.-]{{0,64}}%3D)(?!%26)[^\s&;#"\']+?'
            r'(?=%26|%3B|%23|[\s&;#"\']|\Z)',
        ),
        (
            '%40',
            r'(?P<head>%2F%2F[^\s%/?#&]{0,64}(?:%40[^\s%/?#&]{0,64})?%3A)'
            r'[^\s/?#&]+(?=%40)',
        ),
        # JSON with escaped slashes.
        (
            '\\/\\/',
            r'(?P<head>:\\/\\/[^\s:"\']{0,64}:)(?!\d+\\/)[^\s"\']+(?=@)',
        ),
        # A whole line of a file, whose value may contain spaces.
        (
            '=',
            rf'(?m:^(?P<head>[ \t]*[\w.-]{{0,64}}{_HOLDER}[ \t]*=[ \t]*)'
            rf'{_NO_VALUE}\S.*$)',
        ),
        # password=x, password = "x", --password x
        ('=', rf'(?P<head>{_HOLDER}["\']?\s*=\s*){_VALUE}'),
        ('--', rf'(?P<head>(?<!-)--[\w-]{{0,64}}{_HOLDER}\s+){_VALUE}'),
        # {"password": "x"}, password:x of a dictionary, password: x of YAML
        (
            ':',
            rf'(?P<head>(?:{_HOLDER}|pass)s?\\*["\']\s*:\s*)'
            rf'(?:{_VALUE}|\[[^\]\n]+(?=\]))',
        ),
        (':', rf'(?P<head>(?:{_KEYWORD}|{_KEY})\s*:\s*){_VALUE}'),
        # <password>x</password>
        (
            '</',
            rf'(?P<head><[\w:-]{{0,64}}{_HOLDER}(?:\s[^<>]*)?>)'
            rf'{_NO_VALUE}[^<]+(?=</)',
        ),
        # SQL statements.
        (
            ' by ',
            r'(?P<head>\b(?:identified|encrypted)\b[^"\'\n]{0,64}\sby\s+'
            r'(?:password\s+)?)(?!["\']\*{3})(?:"[^"\n]*"|\'[^\'\n]*\')',
        ),
        (
            'password',
            r'(?P<head>\b(?:user|role)\s+[^\s;]+\s(?:[\w ]{0,64}\s)?'
            r'password\s+)(?!\'\*{3})\'[^\'\n]*\'',
        ),
        # Options of curl, mysql and sshpass.
        (
            '-u',
            r'(?P<head>(?<!\S)(?:-u|--user)[\s=]*[^\s:=-][^\s:=]{0,64}:)'
            r'(?!\*\*\*)\S+',
        ),
        (
            ' -p',
            r'(?P<head>\b(?:mysql|mysql(?:dump|admin|check)|mariadb[\w-]*)\s'
            r'(?:[^\n;|]{0,200}\s)?-p)(?!\*\*\*)[^\s-]\S*',
        ),
        ('sshpass', r'(?P<head>\bsshpass\s+-p\s?)(?!\*\*\*)\S+'),
        # HTTP headers.
        (
            'authorization',
            r'(?P<head>authorization["\']?\s*[:=]\s*["\'])'
            r'(?!\*\*\*)[^\s"\'][^"\'\n]*',
        ),
        # Parameters in quotes: Digest username="u", response="x".
        (
            'authorization',
            r'(?P<head>authorization\s*[:=]\s*)(?!\*\*\*)[^\s"\']+'
            r'(?:[ \t,]+(?:\w+="[^"\n]*"|[^\s"\',]+))*',
        ),
        ('cookie', r'(?P<head>\b(?:set-)?cookie:\s*)(?!\*\*\*)[^\s"\'].*'),
        (
            'token',
            r'(?P<head>\bx-[\w-]{0,32}token["\']?\s*[:=]\s*["\']?)'
            r'(?!\*\*\*)[^\s"\']+',
        ),
        *(
            (
                needle,
                rf'(?P<head>\b{needle}\s+)(?=\S*[\d=+/])[\w+/.~=-]{{8,}}',
            )
            for needle in ('basic', 'bearer')
        ),
    )
) + tuple(
    # Secrets that are recognized by their form: keys and tokens of PEM, AWS,
    # Ceph, Fernet, JWT and GitHub.
    (needle, f'(?s:{text})')
    for needle, text in (
        (
            'private key-----',
            r'(?P<head>-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----)'
            r'.*?(?=-----END|\Z)',
        ),
        ('akia', r'(?P<head>)\bAKIA[A-Z0-9]{16}\b'),
        ('asia', r'(?P<head>)\bASIA[A-Z0-9]{16}\b'),
        ('==', r'(?P<head>)\bAQ[A-Za-z0-9+/]{36}=='),
        ('gaaaaa', r'(?P<head>)\bgAAAAA[\w-]{20,}=*'),
        ('eyj', r'(?P<head>)\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}'),
        ('gh', r'(?P<head>)\bgh[opsur]_\w{20,}'),
    )
)

_SCHEME = re.compile(r'(?<![\w+.-])([A-Za-z][\w+.-]{0,63}):\Z')
_PORT = re.compile(r'\d{1,5}(?=[/?#]|\Z)')

# A user information of at least this length, without a colon, is a token; the
# name of a user is shorter.
_MIN_TOKEN_LENGTH = 16

# The number of characters after a space in which the rest of a password is
# searched.
_REACH = 80


class _Url:
    """One URL in a text, with the position of its password.

    :param text: the text.
    :param start: the position of the '//' of the URL.
    """

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.begin = start + 2
        head = text[max(start - 65, 0) : start]
        scheme = _SCHEME.search(head)
        before = (head[: scheme.start()] if scheme else head)[-1:]
        # Whether it is a URL, and not a '//' in a path.
        self.is_one = scheme is not None or not re.match(r'[\w/:.~-]', before)
        self._web = scheme is not None and scheme[1].lower() in (
            'http',
            'https',
            'ws',
            'wss',
            'ftp',
        )
        stop = rf'[\s{before}]' if before in ('"', "'") else r'\s'
        found = re.compile(stop).search(text, self.begin)
        self.end = found.start() if found else len(text)

    @property
    def password(self) -> 'tuple[int, int] | None':
        """Return the start and the end of the password; None for none.

        The password ends at the last '@': if an '@' in it was not encoded, a
        '/' in it probably was not either. A number before a path is a port.
        """
        rest = self.text[self.begin : self.end]
        colon = rest.find(':', rest.find(']') if rest[:1] == '[' else 0)
        if colon < 0:
            return self._token(rest)
        port = _PORT.match(rest, colon + 1)
        if port and (self._web or port.end() == len(rest)):
            return None
        at = rest.rfind('@', colon)
        if at < 0:
            # The password may contain a space.
            line = self.text[self.end : self.end + _REACH].partition('\n')[0]
            at = line.partition('//')[0].rfind('@')
            at = -1 if at < 0 else at + len(rest)
        if at < 0:
            return None
        return self.begin + colon + 1, self.begin + at

    def _token(self, rest: str) -> 'tuple[int, int] | None':
        """Return the start and the end of a token in place of a user name."""
        authority = re.split(r'[/?#]', rest, maxsplit=1)[0]
        length = authority.rfind('@')
        if not self._web or length < _MIN_TOKEN_LENGTH:
            return None
        return self.begin, self.begin + length


def _urls(text: str) -> Iterator[_Url]:
    place = text.find('//')
    while place >= 0:
        url = _Url(text, place)
        if url.is_one:
            yield url
        place = text.find('//', url.end if url.is_one else place + 2)


def _without_passwords(text: str) -> str:
    """Return a text without the passwords in its URLs."""
    parts = []
    done = 0
    for url in _urls(text):
        found = url.password
        if found is not None and found[0] >= done:
            parts += [text[done : found[0]], MASK]
            done = found[1]
    return ''.join([*parts, text[done:]])


_compiled = functools.cache(re.compile)


def _in_places(text: str) -> str:
    text = _without_passwords(text) if '//' in text else text
    lower = text.lower()
    for needle, pattern in _PLACES:
        if needle in lower:
            text = _compiled(pattern).sub(_masked, text)
    return text


def _masked(found: 're.Match[str]') -> str:
    quote = found[0][len(found['head']) :][:1]
    quote = quote if quote in ('"', "'") and found[0][-1] == quote else ''
    return f'{found["head"]}{quote}{MASK}{quote}'


# -- the secrets of a site ---------------------------------------------------

# Values that may be a word or a version; random ones do not match.
_WORD = re.compile(
    r'[A-Za-z]?(?:[a-z_.:-]+|[A-Z_.:-]+)\d{0,4}|[\d.]{4,8}', re.ASCII
)
_MIN_SECRET_LENGTH = 4
_MIN_DIGITS = 8

# A text can contain a secret only if it contains a certain part of it, of this
# many characters. From _MANY such parts on, it is quicker to look up all parts
# of the text.
_GRAM = 4
_MANY = 200


@functools.lru_cache(maxsize=1)
def _own_words() -> frozenset[str]:
    """Return the words that the program itself prints, in lower case.

    They are read from its modules and its catalog, so that nobody has to
    maintain a list.
    """
    # Imported here because few secrets look like a word. The package may be in
    # a zip file.
    import importlib.resources

    found: set[str] = set()
    left = [importlib.resources.files('manila_precheck')]
    while left:
        item = left.pop()
        if item.is_dir():
            left += [one for one in item.iterdir() if one.name != 'tests']
        elif item.name.endswith(('.py', '.json')):
            text = item.read_text('utf-8').lower()
            found.update(re.findall(r'[a-z]+', text))
            found.update(re.findall(r'[a-z0-9][\w.:-]*[a-z0-9]', text))
    return frozenset(found)


class Redactor:
    """Masks the secrets in a text.

    :param secrets: values that must not appear. A value that is a word of the
        program, a name of the site, or shorter than four characters is masked
        only as the value of a password. One that is shorter than six
        characters, or only letters or only digits, is not masked within a
        longer word.
    :param patterns: further texts that must not appear.
    :param names: the names of the site's machines, sections and options.
    """

    def __init__(
        self,
        secrets: Iterable[str] = (),
        patterns: Iterable['re.Pattern[str]'] = (),
        names: Collection[str] = (),
    ) -> None:
        self._patterns = tuple(patterns)
        self._names = {name.lower() for name in names}
        self._secrets: list[str] = []
        words: list[str] = []
        longest_first = sorted(set(secrets), key=lambda s: (-len(s), s))
        for secret in longest_first:
            if not secret.strip():
                continue
            if self._is_word(secret):
                words.append(re.escape(secret))
            else:
                self._secrets.append(secret)
        # Each secret is indexed by its rarest part: a thousand passwords may
        # begin, or end, with the same letters.
        common = collections.Counter(
            gram for secret in self._secrets for gram in _grams(secret)
        )
        self._by_gram: dict[str, list[int]] = {}
        for number, secret in enumerate(self._secrets):
            gram = min(
                _grams(secret), key=lambda g: (common[g], g), default=''
            )
            self._by_gram.setdefault(gram, []).append(number)
        self._words = (
            re.compile(
                r'(?P<head>(?<!using )\b(?:pass(?:word|wd|code|phrase)?|pwd)\b'
                r'["\']?(?:\s*[=:]\s*["\']?|\s+(?:is|was|of)?\s*["\']|'
                rf'\s+is\s+))(?:{"|".join(words)})(?![\w-])',
                re.IGNORECASE,
            )
            if words
            else None
        )

    def _is_word(self, secret: str) -> bool:
        """Say whether a secret is so common that only values are masked."""
        if len(secret) < _MIN_SECRET_LENGTH:
            return True
        if secret.isdigit() and len(secret) < _MIN_DIGITS:
            return True
        lower = secret.lower()
        if lower in self._names:
            return True
        return bool(_WORD.fullmatch(secret)) and lower in _own_words()

    def _candidates(self, text: str) -> 'list[re.Pattern[str]]':
        """Return the patterns of the secrets that a text may contain."""
        lower = text.lower()
        if len(self._by_gram) < _MANY:
            grams = {gram for gram in self._by_gram if gram in lower}
        else:
            places = range(len(lower) - _GRAM + 1)
            grams = {'', *(lower[i : i + _GRAM] for i in places)}
            grams &= self._by_gram.keys()
        numbers = sorted(n for gram in grams for n in self._by_gram[gram])
        return [_pattern(self._secrets[number]) for number in numbers]

    def __call__(self, text: str) -> str:
        """Return the text with a mask for each secret in it."""
        for pattern in self._candidates(text):
            text = pattern.sub(MASK, text)
        text = _in_places(text)
        if self._words is not None:
            text = self._words.sub(rf'\g<head>{MASK}', text)
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return text


def _grams(secret: str) -> set[str]:
    """Return the parts that every text with the secret contains."""
    return {
        part[place : place + _GRAM]
        for part in re.split(r'["\'\\]', secret[:64].lower())
        for place in range(len(part) - _GRAM + 1)
    }


@functools.lru_cache(maxsize=10_000)
def _pattern(secret: str) -> 're.Pattern[str]':
    """Return a pattern that matches a secret in upper or lower case.

    It also matches when quotes and backslashes are escaped, once or several
    times.
    """
    text = ''.join(
        r'\\+' if c == '\\' else (r'\\*' if c in '"\'' else '') + re.escape(c)
        for c in secret
    )
    if len(secret) < 6 or secret.isalpha() or secret.isdigit():
        text = rf'(?<!\w){text}(?!\w)'
    return re.compile(text, re.IGNORECASE)


def scrub(
    text: str, secrets: Iterable[str] = (), names: Collection[str] = ()
) -> str:
    """Return a text with passwords in URLs and known secrets masked.

    :param text: any text that will be shown.
    :param secrets: as for :class:`Redactor`.
    :param names: as for :class:`Redactor`.
    """
    return Redactor(secrets, names=names)(text)


def pointed(text: str, place: str) -> str:
    """Return a remedy with a placeholder instead of each masked value.

    An operator who copied a mask would set a wrong value.

    :param text: lines of a file, a command or a sentence, after masking.
    :param place: the placeholder: '(the value in FILE:LINE)'.
    """
    return '\n'.join(
        _pointed(line, place) if MASK in line else line
        for line in text.split('\n')
    )


_ASSIGNED = re.compile(r'\s*(?:"[^"]*"|[\w./-]+)\s*(?:=|:(?=\s))\s*')
_MASKED_WORD = re.compile(rf'[^\s"\']*{re.escape(MASK)}[^\s"\']*')


def _pointed(line: str, place: str) -> str:
    found = _ASSIGNED.match(line)
    if found and MASK not in found[0]:
        return f'{found[0]}{place}'
    return _MASKED_WORD.sub(lambda _: place, line)


def patterns(texts: Iterable[str]) -> 'tuple[re.Pattern[str], ...]':
    """Return the patterns that an operator wants masked.

    :raises ValueError: when one is not a regular expression, or matches
        everywhere.
    """
    found = []
    for number, text in enumerate(texts, 1):
        # The error does not show the pattern, which may contain the secret.
        try:
            pattern = re.compile(text)
        except re.error as exc:
            raise ValueError(
                f'pattern {number} is not a regular expression (at character '
                f'{(exc.pos or 0) + 1})'
            ) from None
        if pattern.search(''):
            raise ValueError(f'pattern {number} matches the empty string')
        found.append(pattern)
    return tuple(found)


def forms(secret: str) -> Iterator[str]:
    """Yield the spellings of a secret, and of its parts.

    A file has '$$' for '$' and may quote a value, a URL has '%40' for '@',
    and an error of a server shows just the password of a URL.
    """
    for plain in {secret, secret.strip('\'"'), secret.replace('$$', '$')}:
        words = {plain, *within(plain)}
        # user:password, user:password@host
        if plain.count(':') == 1:
            words.add(plain.rpartition('@')[0].partition(':')[2])
            words.add(plain.partition(':')[2])
        for word in list(words):
            lines = [line.strip() for line in word.split('\n')]
            if len(lines) > 1:
                words.update(line for line in lines if len(line) > 7)
                words.add(' '.join(word.split()))
        for word in words - {''}:
            yield from _spellings(word)


# user:password, but not host:port, host:file.example or name:uuid.
_LOGIN = re.compile(r'[\w.@+\\-]{1,64}:(?!/)([^\s:,;(){}\[\]]{6,128})')
_NO_PASSWORD = re.compile(
    r'[\w-]+(?:\.[\w-]+)+|\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
    re.IGNORECASE,
)


def _of_logins(value: str) -> Iterator[str]:
    """Yield the passwords in a list of user:password, in any option."""
    # within() finds the passwords of URLs, also of several servers.
    for item in () if '://' in value else value.split(','):
        found = _LOGIN.fullmatch(item.strip().strip('"\''))
        if found and not (
            _WORD.fullmatch(found[1]) or _NO_PASSWORD.fullmatch(found[1])
        ):
            yield found[1]


def within(value: str) -> Iterator[str]:
    """Yield the parts of a value that are in the place of a secret."""
    yield from _of_logins(value)
    for url in _urls(value):
        found = url.password
        if found is not None:
            password = value[found[0] : found[1]]
            yield password
            # Several servers: u:one@h1:5672,u:two@h2
            yield from re.findall(r'[^:@,/]+(?=@|\Z)', password)
    lower = value.lower()
    for needle, pattern in _PLACES:
        if needle in lower:
            for place in _compiled(pattern).finditer(value):
                yield place[0][len(place['head']) :].strip('"\'')


def _spellings(word: str) -> Iterator[str]:
    unquoted = parse.unquote(word)
    for one in {word, unquoted, parse.unquote_plus(word)}:
        yield one
        yield parse.quote(one, safe='')
        yield parse.quote(one)
        yield parse.quote_plus(one)
        yield repr(one)[1:-1]
        yield json.dumps(one)[1:-1]
        yield one.replace('$', '$$')
        # A single quote as shlex.quote() writes it.
        yield one.replace("'", '\'"\'"\'')
        if len(one) > 7:
            yield base64.b64encode(one.encode()).decode().rstrip('=')
