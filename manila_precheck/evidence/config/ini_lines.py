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

oslo.config keeps no line numbers and needs every option registered before it
says anything of a value. This reader shares its parser, so that quotes,
continuation lines and errors are those of the real service, and stops there.
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

#: What one file may hold, in bytes: some hundred times a large manila.conf.
MAX_BYTES = 16 * 2**20

#: How many options and sections a configuration may hold, in all its files:
#: twice what a thousand back ends have. Each takes part of a millisecond.
MAX_ENTRIES = 50_000

#: What to say of one that holds more.
TOO_MANY = (
    f'more than {MAX_ENTRIES} options and sections, which is more than is '
    'read of a configuration'
)


def normalize(section: str) -> str:
    """Return a section's name as oslo.config looks it up.

    Names of sections are compared in lower case, DEFAULT alone is not: a
    [default] section is read by nothing.
    """
    return section if section == 'DEFAULT' else section.lower()


def subject(
    kind: str, name: str, line: 'Optional[Setting]' = None
) -> model.Subject:
    """Return what a finding is about, with the place of a line, if any."""
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
    """The file it stands in."""

    line: int
    """The line it starts on, counted from 1; 0 in a store without lines."""

    rank: int
    """The place of the file in the order of reading; the highest wins. What
    is below 0 is of a source that config_source names."""

    in_environment: bool = False
    """It is a variable of a service, which its file names."""

    def __repr__(self) -> str:
        return f'<{self.where} [{self.section}] {self.name}>'

    @property
    def group(self) -> str:
        """Return the section's name as oslo.config looks it up."""
        return normalize(self.section)

    @property
    def subject(self) -> model.Subject:
        """Return what a finding about the line is about."""
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
        """Say whether oslo.config looks for deprecated names there."""
        return self.rank >= 0 and not self.in_environment

    @property
    def stored(self) -> bool:
        """Say whether it lies in a store of secrets: it is never shown."""
        return not (self.line or self.in_environment)


class ParsedFile(NamedTuple):
    """One configuration file."""

    read: Optional[model.FileRead]
    """The file; None of what is in none."""

    settings: tuple[Setting, ...]
    """In the order of the file."""

    sections: tuple[tuple[str, int], ...]
    """Every section header with its line, empty sections too."""

    def ranked(self, rank: int) -> 'ParsedFile':
        """Return the same file at another place in the order of reading."""
        return self._replace(
            settings=tuple(
                setting._replace(rank=rank) for setting in self.settings
            )
        )


class _Malformed(iniparser.ParseError):
    """A ParseError whose text leaves the line out: it may be a secret."""

    def __str__(self) -> str:
        return str(self.msg)


class _Parser(iniparser.BaseParser):
    """oslo.config's parser, noting where each assignment begins."""

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
        # NOTE: the only hook that runs on the line an assignment begins on;
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
    """Return what one file says, with the rank of the first.

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
    """Return what the text of a file says, with the rank of the first.

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
