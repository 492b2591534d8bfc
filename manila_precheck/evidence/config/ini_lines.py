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

"""Read oslo.config files raw, with the line of every assignment.

oslo.config keeps no line numbers, and returns a value only of an option that
is registered. This reader uses its parser, so that quotes, continuation lines
and errors are those of the real service, but does not interpret the values.
"""

import io
from typing import NamedTuple
from typing import NoReturn
from typing import Optional

from oslo_config import iniparser

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree

#: The maximum size of a file in bytes: some hundred times a large manila.conf.
MAX_BYTES = 16 * 2**20

#: How many options and sections all files together may have: twice as many
#: as a thousand back ends need. Each takes part of a millisecond.
MAX_ENTRIES = 50_000

#: The message for a configuration that has more.
TOO_MANY = (
    f'more than {MAX_ENTRIES} options and sections, which is more than is '
    'read of a configuration'
)


def normalize(section: str) -> str:
    """Return a section's name in the form in which oslo.config looks it up.

    Names of sections are compared in lower case, except DEFAULT: nothing
    reads a section [default].
    """
    return section if section == 'DEFAULT' else section.lower()


def subject(
    kind: str, name: str, line: 'Optional[Setting]' = None
) -> model.Subject:
    """Return the subject of a finding, with the place of its line, if any."""
    if line is None:
        return model.Subject(kind, name)
    return model.Subject(kind, name, line.file, line.line or None)


class Setting(NamedTuple):
    """One assignment in a file."""

    section: str
    """The section as it is written: 'DEFAULT', 'DATABASE'."""

    name: str
    """The option as it is written: 'share_driver'."""

    value: str
    """Unquoted, continuation lines joined; may be a secret: not in repr."""

    file: str
    """The file that contains it."""

    line: int
    """The line it starts on, counted from 1; 0 in a source without lines."""

    rank: int
    """The place of the file in the order of reading; the highest wins. Ranks
    below 0 belong to the sources that config_source names."""

    in_environment: bool = False
    """Whether it is a variable of a service, which ``file`` names."""

    def __repr__(self) -> str:
        return f'<{self.where} [{self.section}] {self.name}>'

    @property
    def group(self) -> str:
        """Return the section's name as oslo.config looks it up."""
        return normalize(self.section)

    @property
    def subject(self) -> model.Subject:
        """Return the subject of a finding about this line."""
        return subject('option', f'{self.group}/{self.name}', self)

    @property
    def where(self) -> str:
        """Return 'file:line'."""
        return f'{self.file}:{self.line}' if self.line else self.file

    @property
    def place(self) -> str:
        """Return 'line 3 of file'."""
        if self.in_environment:
            return self.file
        if not self.line:
            return f'{self.name} of {self.file}'
        return f'line {self.line} of {self.file}'

    @property
    def by_old_names(self) -> bool:
        """Say whether oslo.config looks for deprecated names here."""
        return self.rank >= 0 and not self.in_environment

    @property
    def stored(self) -> bool:
        """Say whether it comes from a store of secrets: never show it."""
        return not (self.line or self.in_environment)


class ParsedFile(NamedTuple):
    """One configuration file."""

    read: Optional[model.FileRead]
    """The file, for the report; None if the lines are not from a file."""

    settings: tuple[Setting, ...]
    """In the order of the file."""

    sections: tuple[tuple[str, int], ...]
    """The headers of all sections with their lines, even of empty ones."""

    def ranked(self, rank: int) -> 'ParsedFile':
        """Return the same file at another place in the order of reading."""
        return self._replace(
            settings=tuple(
                setting._replace(rank=rank) for setting in self.settings
            )
        )


class _Malformed(iniparser.ParseError):
    """A ParseError whose text omits the line, which may be a secret."""

    def __str__(self) -> str:
        return str(self.msg)


class _Parser(iniparser.BaseParser):
    """oslo.config's parser; it records the line of each assignment."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.settings: list[Setting] = []
        self.sections: list[tuple[str, int]] = []
        self._path = path
        self._section: Optional[str] = None
        self._begun = 0

    def parse_exc(  # type: ignore[override]
        self, message: str, lineno: int, line: str = ''
    ) -> iniparser.ParseError:
        return _Malformed(message, lineno, '')

    def _split_key_value(self, line: str) -> tuple[str, list[str]]:
        # NOTE: the only hook that runs on the first line of an assignment;
        # assignment() is called when a later line has ended it.
        self._begun = self.lineno
        key, value = super()._split_key_value(line)
        return key, value

    def new_section(self, section: str) -> None:
        self._section = section
        self.sections.append((section, self.lineno))
        self._require_few(self.lineno)

    def assignment(self, key: str, value: list[str]) -> None:
        if not self._section:
            self._no_section()
        self.settings.append(
            Setting(
                section=self._section,
                name=key,
                value='\n'.join(value),
                file=self._path,
                line=self._begun,
                rank=0,
            )
        )
        self._require_few(self._begun)

    def _require_few(self, line: int) -> None:
        if len(self.settings) + len(self.sections) > MAX_ENTRIES:
            raise _Malformed(TOO_MANY, line, '')

    def _no_section(self) -> NoReturn:
        raise _Malformed(
            'Section must be started before assignment', self._begun, ''
        )


def read_file(path: str, site: tree.Tree = tree.HOST) -> ParsedFile:
    """Return the contents of one file, with rank 0.

    :param path: the file; '~' is expanded as oslo.config does.
    :param site: the file system that holds it.
    :raises ConfigFileError: naming the file and the line, never its content.
    """
    path = site.expanduser(path)
    try:
        return parse(text_file.read_text(path, MAX_BYTES, site=site))
    except exceptions.SourceUnusable as exc:
        raise exceptions.ConfigFileError(str(exc)) from None


def parse(found: text_file.Text) -> ParsedFile:
    """Return the contents of a file from its text, with rank 0.

    :raises ConfigFileError: naming the file and the line, never its content.
    """
    path = found.read.path
    lines = io.StringIO(found.text, newline=None).readlines()
    parser = _Parser(path)
    try:
        parser.parse(lines)
    except iniparser.ParseError as exc:
        raise exceptions.ConfigFileError(
            f'{path}:{exc.lineno}: {exc.msg}'
        ) from None
    return ParsedFile(
        found.read,
        tuple(parser.settings),
        tuple(parser.sections),
    )
