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

"""Keep secrets out of whatever the program says.

Two things are masked. What stands where a secret stands, whatever it is: in
the user information and the query of a URL, behind 'password =', in an
Authorization header, in a private key. And the secrets that the sources hold,
wherever they stand. The latter stops at words: a password 'manila' or
'password', which deployment tools have as a default, is masked where it is a
value, not in 'manila-manage' or 'auth_type = password'. Nobody learns it from
a text that says the same at a site with any other password.
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

# -- where a secret stands ---------------------------------------------------

# What is said for a secret already, and the words of a driver for whether it
# sent one: "(using password: YES)".
_NO_VALUE = (
    r'(?!\*\*\*(?!\w)|\(the value in |<[\w |,.-]+>'
    r'|(?:true|false|none|null|yes|no)(?![^\s,;.()"\'}\]]))'
)
_VALUE = (
    rf'{_NO_VALUE}(?:[bu]?"(?:[^"\\\n]|\\.)*"|[bu]?\'(?:[^\'\\\n]|\\.)*\''
    # In a text of JSON within one.
    r'|\\+"[^"\n]*\\+"'
    r'|[^\s,;&"\'(){}\[\]][^\s,;&"\']*)'
)
_KEYWORD = r'pass(?:word|wd|code|phrase)|(?<![a-z])(?:pass|pwd|pw)'
_KEY = r'(?:api|access|auth|hmac|private|secret|account|shared)[_-]?key'
_HOLDER = rf'(?:{_KEYWORD}|secret|token|credentials?|{_KEY})'
# What has to be in a text, in lower case, for the pattern to be tried, and the
# pattern, compiled then: all of them take 9 ms, and few are tried in a run.
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
        # A URL within a URL: its signs are quoted.
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
        # JSON that quotes slashes.
        (
            '\\/\\/',
            r'(?P<head>:\\/\\/[^\s:"\']{0,64}:)(?!\d+\\/)[^\s"\']+(?=@)',
        ),
        # A whole line of a file, whose value may have spaces in it.
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
        # In SQL.
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
        # Of curl, mysql and sshpass.
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
        # Headers of HTTP.
        (
            'authorization',
            r'(?P<head>authorization["\']?\s*[:=]\s*["\'])'
            r'(?!\*\*\*)[^\s"\'][^"\'\n]*',
        ),
        # Its parameters have quotes: Digest username="u", response="x".
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
    # What is a secret by its form: keys of PEM, AWS, Ceph, Fernet, JWT and
    # GitHub.
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

# Of what stands alone before the host; a user is shorter.
_MIN_TOKEN_LENGTH = 16

# How far behind a space the rest of a password is looked for.
_REACH = 80


class _Url:
    """One URL in a text: where its password begins and ends.

    :param text: what holds it.
    :param start: the place of its '//'.
    """

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.begin = start + 2
        head = text[max(start - 65, 0) : start]
        scheme = _SCHEME.search(head)
        before = (head[: scheme.start()] if scheme else head)[-1:]
        # Not the '//' in a path.
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
        """Return where the password is; None when there is none.

        It ends at the last '@': whoever did not quote an '@' in a password
        did not quote a '/' in it either. A number before a path is a port.
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
            # A password with a space in it.
            line = self.text[self.end : self.end + _REACH].partition('\n')[0]
            at = line.partition('//')[0].rfind('@')
            at = -1 if at < 0 else at + len(rest)
        if at < 0:
            return None
        return self.begin + colon + 1, self.begin + at

    def _token(self, rest: str) -> 'tuple[int, int] | None':
        """Return where a token is that a web server takes for a user."""
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

# What may be a word or a version at all: nothing drawn at random is.
_WORD = re.compile(
    r'[A-Za-z]?(?:[a-z_.:-]+|[A-Z_.:-]+)\d{0,4}|[\d.]{4,8}', re.ASCII
)
_MIN_SECRET_LENGTH = 4
_MIN_DIGITS = 8

# How many characters tell which secrets a text may hold, and from how many
# such parts on it is quicker to look up all parts of the text.
_GRAM = 4
_MANY = 200


@functools.lru_cache(maxsize=1)
def _own_words() -> frozenset[str]:
    """Return the words that the program says by itself, in lower case.

    From its modules and its catalog, so that no list of them has to be kept.
    """
    # Here, for the few secrets that are a word; it may be a zip file.
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
    """Takes out of a text what must not be shown.

    :param secrets: values that must not appear. One that is a word of the
        program or a name, or that is shorter than four characters, is masked
        where it stands as a password, and one that consists of letters where
        it stands alone.
    :param patterns: what else must not appear.
    :param names: what the site calls its machines, sections and options.
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
        # By the part that the fewest others have: a thousand passwords may
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
        """Say whether a secret says nothing where it is no value."""
        if len(secret) < _MIN_SECRET_LENGTH:
            return True
        if secret.isdigit() and len(secret) < _MIN_DIGITS:
            return True
        lower = secret.lower()
        if lower in self._names:
            return True
        return bool(_WORD.fullmatch(secret)) and lower in _own_words()

    def _candidates(self, text: str) -> 'list[re.Pattern[str]]':
        """Return what finds the secrets that a text may hold."""
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
    """Return parts that are in every text that holds a secret."""
    return {
        part[place : place + _GRAM]
        for part in re.split(r'["\'\\]', secret[:64].lower())
        for place in range(len(part) - _GRAM + 1)
    }


@functools.lru_cache(maxsize=10_000)
def _pattern(secret: str) -> 're.Pattern[str]':
    """Return what finds a secret in any case of letters.

    Quotes and backslashes may be escaped, once or in a text within a text.
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
    """Return a text without passwords in URLs and without known secrets.

    :param text: anything that is about to be shown.
    :param secrets: as for :class:`Redactor`.
    :param names: as for :class:`Redactor`.
    """
    return Redactor(secrets, names=names)(text)


def pointed(text: str, place: str) -> str:
    """Return what is to be typed, with a place for each value in a mask.

    Whoever types a mask gives a wrong value.

    :param text: lines of a file, a command or a sentence, after masking.
    :param place: what stands for a value: '(the value in FILE:LINE)'.
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

    :raises ValueError: when one is no regular expression, or would match
        everywhere.
    """
    found = []
    for number, text in enumerate(texts, 1):
        # Its text may be what is to be masked.
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
    """Yield a secret as it may be spelled, and its parts.

    A file has '$$' for '$' and may quote a value, a URL has '%40' for '@',
    and one that talks to a server gives the password alone.
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


# user:password, and not host:port, host:file.example, name:uuid.
_LOGIN = re.compile(r'[\w.@+\\-]{1,64}:(?!/)([^\s:,;(){}\[\]]{6,128})')
_NO_PASSWORD = re.compile(
    r'[\w-]+(?:\.[\w-]+)+|\d+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
    re.IGNORECASE,
)


def _of_logins(value: str) -> Iterator[str]:
    """Yield the passwords of a list of user:password, whatever names it."""
    # Servers of a URL are seen to by the URL.
    for item in () if '://' in value else value.split(','):
        found = _LOGIN.fullmatch(item.strip().strip('"\''))
        if found and not (
            _WORD.fullmatch(found[1]) or _NO_PASSWORD.fullmatch(found[1])
        ):
            yield found[1]


def within(value: str) -> Iterator[str]:
    """Yield what is masked in a value by the place that it stands in."""
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
        # As shlex.quote() writes it.
        yield one.replace("'", '\'"\'"\'')
        if len(one) > 7:
            yield base64.b64encode(one.encode()).decode().rstrip('=')
