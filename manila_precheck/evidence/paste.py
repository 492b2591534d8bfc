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

"""The api-paste.ini that manila-api reads: its sections, with their lines.

It is parsed by the rules of PasteDeploy 3.1.0 (paste/deploy/loadwsgi.py),
which is not imported. :mod:`manila_precheck.evidence.paste_loader` knows what
manila-api loads from it.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import configparser
import os
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree
from manila_precheck.redact import secrets as redact_secrets

#: The option that names the file, and its default (oslo.service _options.py).
OPTION = 'api_paste_config'
DEFAULT_FILE = 'api-paste.ini'

#: The maximum size of the file in bytes: manila's has 3 kB.
MAX_BYTES = 2**20

#: The keys that name the code of an application; the first key of each group
#: that is present counts.
APP_FACTORIES = (
    ('paste.app_factory',),
    ('paste.composite_factory',),
    ('paste.composit_factory',),
)
COMPOSITES = ('paste.composite_factory', 'paste.composit_factory')
#: The keys that name the code of a filter.
FILTER_FACTORIES = (('paste.filter_factory', 'paste.filter_app_factory'),)
_FACTORIES = frozenset(
    name for group in (*APP_FACTORIES, *FILTER_FACTORIES) for name in group
)

# Code named by its entry point; it looks like a user name and a password.
_EGG = re.compile(r'egg:[\w.-]+(#[\w.-]+)?', re.ASCII)
_CODE = re.compile(r'(call:)?[\w.]+:[\w.]+', re.ASCII)
#: A value that begins with a scheme is not the name of a section.
ABSOLUTE = re.compile(r'[a-zA-Z]+:')


class PasteValue(NamedTuple):
    """One value of a section; its line is the first one of the value."""

    name: str
    text: str
    """With references such as %(here)s replaced; it may be a secret."""

    line: int
    """Counted from 1; 0 when it is not from a file."""

    def __repr__(self) -> str:
        return f'<{self.line} {self.name}>'


def _names_code(value: PasteValue) -> bool:
    """Say whether a value is no login, although it may look like one."""
    named = value.name == 'use' or value.name in _FACTORIES
    return bool(
        _EGG.fullmatch(value.text) or (named and _CODE.fullmatch(value.text))
    )


class PasteSection(NamedTuple):
    """One section, such as [filter:cors]."""

    title: str
    """The text between the brackets."""

    line: int
    values: tuple[PasteValue, ...]
    """In the order of the file, without the names that [DEFAULT] sets."""

    unreadable: Optional[PasteValue] = None
    """The first value whose references cannot be replaced."""

    @property
    def prefix(self) -> str:
        """Return its kind: 'app', 'composite', 'pipeline', 'filter'."""
        return self.title.partition(':')[0]

    @property
    def name(self) -> str:
        """Return the name by which other sections refer to it."""
        return self.title.partition(':')[2].strip()

    @property
    def factory(self) -> Optional[PasteValue]:
        """Return the value that names its code; None when none does."""
        for value in self.values:
            if value.name in _FACTORIES or (
                value.name == 'use' and ABSOLUTE.match(value.text)
            ):
                return value
        return None


class PasteProblem(NamedTuple):
    """Why the file cannot be parsed."""

    line: Optional[int]
    text: str


class PasteFile(NamedTuple):
    """The file, line by line."""

    read: model.FileRead
    sections: tuple[PasteSection, ...] = ()
    """In the order of the file."""

    problem: Optional[PasteProblem] = None
    """Why PasteDeploy rejects the whole file."""

    defaults: frozenset[str] = frozenset()
    """The names that [DEFAULT] sets, which all code gets."""

    @property
    def path(self) -> str:
        """Return the path as it was opened."""
        return self.read.path

    @property
    def files(self) -> tuple[model.FileRead, ...]:
        """Return every file that was read."""
        return (self.read,)

    @property
    def secrets(self) -> frozenset[str]:
        """Return the values that no text may show.

        keystonemiddleware used to read its password from this file.
        """
        values = [v for section in self.sections for v in section.values]
        return frozenset(
            v.text
            for v in values
            if v.text and config_files.is_secret_name(v.name)
        ).union(
            *(
                redact_secrets.within(value.text)
                for value in values
                if not _names_code(value)
            )
        )

    def section(self, title: str) -> Optional[PasteSection]:
        """Return the section with a title; None when there is none."""
        return next((s for s in self.sections if s.title == title), None)


def find(conf: config_files.ConfigFiles) -> str:
    """Return the path of the file that manila-api opens.

    :raises SourceNotGiven: when no option names a file and the default does
        not exist, or a bundle does not have it.
    :raises SourceNotApplicable: when, in addition, these files do not
        configure the API.
    :raises SourceUnusable: when the option names a file that does not exist.
    """
    named = conf.value('DEFAULT', OPTION)
    path = conf.find_file(named or DEFAULT_FILE)
    if path is not None:
        return path
    if named:
        line = conf.effective([('DEFAULT', OPTION)])[0]
        if not conf.lacks(named):
            raise exceptions.SourceNotGiven(
                f'{named} is not in the bundle ({line.where} [DEFAULT] '
                f'{OPTION})'
            )
        raise exceptions.SourceUnusable(
            f'{named}: no such file ({line.where} [DEFAULT] {OPTION})'
        )
    where = ', '.join(conf.search_path) or 'any directory'
    if not conf.serves_api:
        raise exceptions.SourceNotApplicable(
            f'there is no {DEFAULT_FILE} in {where}, and these files do not '
            'configure manila-api'
        )
    raise exceptions.SourceNotGiven(
        f'there is no {DEFAULT_FILE} in {where}, and [DEFAULT] {OPTION} is '
        'not set'
    )


def read(conf: config_files.ConfigFiles) -> PasteFile:
    """Read the file that manila-api reads with these configuration files.

    :raises SourceNotGiven: when no option names a file and the default does
        not exist.
    :raises SourceUnusable: when it does not exist or cannot be read.
    """
    return read_file(find(conf), conf.site)


# The maximum length of a value in characters, and of its references.
_MAX_VALUE = 2**16
_MAX_REFERENCES = 1000


# -- the syntax --------------------------------------------------------------


class _Name(str):
    """The name of a value, with its line."""

    line: int


class _Pieces(list[str]):
    """The pieces of one value, with a limit for their length."""

    def __init__(self, option: str, section: str, raw: str) -> None:
        super().__init__()
        self._error = configparser.InterpolationDepthError(
            option, section, raw
        )
        self._left = _MAX_VALUE
        self._references = _MAX_REFERENCES

    def append(self, piece: str) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise self._error
        super().append(piece)

    def refer(self) -> None:
        """Count a reference."""
        self._references -= 1
        if self._references < 0:
            raise self._error


class _Interpolation(configparser.BasicInterpolation):
    """PasteDeploy's interpolation, with limits.

    Ten levels of "%(b)s%(b)s..." would expand to a practically endless value.
    """

    def before_get(
        self, parser: Any, section: str, option: str, value: str, defaults: Any
    ) -> str:
        pieces = _Pieces(option, section, value)
        self._interpolate_some(
            parser, option, pieces, value, section, defaults, 1
        )
        return ''.join(pieces)

    def _interpolate_some(
        self, parser: Any, option: str, accum: Any, rest: str, *more: Any
    ) -> None:
        accum.refer()
        if len(rest) > _MAX_VALUE:
            accum.append(rest)
        super()._interpolate_some(  # type: ignore[misc]
            parser, option, accum, rest, *more
        )


class _Parser(configparser.ConfigParser):
    """PasteDeploy's parser; it records the line of each name."""

    def __init__(self, path: str) -> None:
        self.line = 0
        super().__init__(
            defaults={'here': os.path.dirname(path), '__file__': path},
            interpolation=_Interpolation(),
        )

    def optionxform(self, optionstr: str) -> str:
        # Called for each name when its line is read. Names keep their case.
        name = _Name(optionstr)
        name.line = self.line
        return name

    def load(self, lines: list[str]) -> None:
        """Parse the lines of a file."""
        self.read_file(self._counted(lines))

    def _counted(self, lines: list[str]) -> Iterator[str]:
        for line in lines:
            self.line += 1
            yield line


def read_file(path: str, site: tree.Tree = tree.HOST) -> PasteFile:
    """Read one file.

    :param path: the file.
    :param site: the file system that holds it.

    :raises SourceUnusable: when it cannot be read; a malformed file is a
        result, because manila-api does not start with it.
    """
    try:
        text, digest = text_file.read_text(path, MAX_BYTES, site=site)
    except text_file.NotUTF8 as exc:
        return PasteFile(
            exc.read, problem=PasteProblem(exc.line, 'it is not UTF-8 text')
        )
    lines = text.splitlines(keepends=True)
    parser = _Parser(site.abspath(path))
    try:
        parser.load(lines)
    except configparser.Error as exc:
        return PasteFile(digest, problem=_problem(exc))
    for name in parser.defaults():
        try:
            parser.get('DEFAULT', name)
        except configparser.InterpolationError:
            return PasteFile(
                digest,
                problem=PasteProblem(
                    getattr(name, 'line', None),
                    f'the references in {name} cannot be resolved',
                ),
            )
    return PasteFile(
        digest,
        tuple(_sections(parser, lines)),
        defaults=frozenset(map(str, parser.defaults())),
    )


def _problem(exc: configparser.Error) -> PasteProblem:
    # NOTE: never use the parser's message, which quotes the line.
    line = getattr(exc, 'lineno', None)
    if isinstance(exc, configparser.DuplicateSectionError):
        return PasteProblem(line, f'[{exc.section}] appears twice')
    if isinstance(exc, configparser.DuplicateOptionError):
        return PasteProblem(
            line, f'{exc.option} appears twice in [{exc.section}]'
        )
    if isinstance(exc, configparser.MissingSectionHeaderError):
        return PasteProblem(line, 'the line precedes any section')
    errors = getattr(exc, 'errors', None)
    return PasteProblem(
        errors[0][0] if errors else line,
        'the line is neither a section nor a name with a value',
    )


def _sections(parser: _Parser, lines: list[str]) -> Iterator[PasteSection]:
    after = 0
    defaults = parser.defaults()
    for title in parser.sections():
        names = [n for n in parser.options(title) if n not in defaults]
        # Use the last header before the first value: an earlier line that
        # looks like it may continue a value of the previous section.
        first = min((getattr(n, 'line', 0) for n in names), default=None)
        headers = [
            number
            for number, line in enumerate(lines[after:first], after + 1)
            if line.strip().startswith(f'[{title}]')
        ] or [after]
        header = after = headers[0 if first is None else -1]
        values = []
        unreadable = None
        for name in names:
            line = getattr(name, 'line', 0)
            after = max(after, line)
            try:
                text = parser.get(title, name)
            except configparser.InterpolationError:
                unreadable = unreadable or PasteValue(str(name), '', line)
                continue
            values.append(PasteValue(str(name), text, line))
        yield PasteSection(title, header, tuple(values), unreadable)


def from_sections(
    sections: Mapping[str, Mapping[str, str]], name: str
) -> PasteFile:
    """Return a file made from sections, which has no lines.

    :param sections: names and texts by title, as in the catalog.
    :param name: its name in messages.
    """
    return PasteFile(
        model.FileRead(name, ''),
        tuple(
            PasteSection(
                title, 0, tuple(PasteValue(k, v, 0) for k, v in keys.items())
            )
            for title, keys in sections.items()
        ),
    )
