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

"""The exceptions of the package, which all derive from PrecheckError."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import Optional


class PrecheckError(Exception):
    """An error that an operator can be told in one line."""

    #: What resolves it, in order: each a model.Remediation.
    remediation: Sequence[Any] = ()


class UsageError(PrecheckError):
    """The command line or an option names something that does not exist."""


class UnknownName(UsageError):
    """A word names none of the things that there are."""

    def __init__(
        self, kind: str, name: str, known: Iterable[str], advice: str
    ) -> None:
        """Say which one may have been meant.

        :param kind: what it should name: 'check'.
        :param name: the word, as it was given.
        :param known: the names that there are.
        :param advice: where to find them, or which they are.
        """
        # Imported here because nothing else needs it.
        import difflib

        by_word = {other.lower(): other for other in known}
        close = difflib.get_close_matches(name.lower(), by_word, 1, 0.7)
        meant = f', did you mean {by_word[close[0]]!r}?' if close else ';'
        super().__init__(f'unknown {kind} {name!r}{meant} {advice}')


class ConfigFileError(PrecheckError):
    """A configuration file is missing, unreadable or malformed."""


class CatalogError(PrecheckError):
    """The catalog has no facts, or unusable ones, for what was asked."""


class PluginError(PrecheckError):
    """A check or reporter of an entry point breaks the plugin contract."""


class OutputError(PrecheckError):
    """A report could not be written where it was asked for."""


class ProcessError(PrecheckError):
    """The process that runs the checks ended, and said nothing whole."""


class SourceNotGiven(PrecheckError):
    """An input was never given: the checks that need it are SKIPPED."""


class SourceUnusable(PrecheckError):
    """An input was given but cannot be used: the outcome is ERROR."""


class StatementRefused(SourceUnusable):
    """The server refuses one statement; another may still pass."""


class SourceNotApplicable(PrecheckError):
    """An input has nothing to judge yet, such as an empty database."""


class SchemaMismatch(SourceUnusable):
    """The database lacks a table or a column that a check has to read."""

    def __init__(self, table: str, column: Optional[str] = None) -> None:
        #: The table that was asked for.
        self.table = table
        #: The column that it lacks; None when the table itself is missing.
        self.column = column
        what = f'column {column!r} of table' if column else 'table'
        super().__init__(f'the database has no {what} {table!r}')
