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
    """An error whose text is one line for the operator."""

    #: The steps that resolve the error, in order: each a model.Remediation.
    remediation: Sequence[Any] = ()


class UsageError(PrecheckError):
    """The command line or an option names something that does not exist."""


class UnknownName(UsageError):
    """The operator gave a name that does not exist."""

    def __init__(
        self, kind: str, name: str, known: Iterable[str], advice: str
    ) -> None:
        """Write the message, with the existing name closest to the given one.

        :param kind: the kind of thing that is named: 'check'.
        :param name: the name as the operator gave it.
        :param known: the existing names.
        :param advice: the existing names, or where to find them.
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
    """The catalog lacks the requested facts, or they are unusable."""


class PluginError(PrecheckError):
    """A check or reporter from an entry point breaks the plugin contract."""


class OutputError(PrecheckError):
    """A report could not be written to the requested place."""


class ProcessError(PrecheckError):
    """The process that runs the checks ended without a complete answer."""


class SourceNotGiven(PrecheckError):
    """An input was not given: the checks that need it are SKIPPED."""


class SourceUnusable(PrecheckError):
    """An input was given but cannot be used: the outcome is ERROR."""


class StatementRefused(SourceUnusable):
    """The server rejects one statement; others may still succeed."""


class SourceNotApplicable(PrecheckError):
    """An input holds nothing to check yet, such as an empty database."""


class SchemaMismatch(SourceUnusable):
    """The database lacks a table or a column that a check reads."""

    def __init__(self, table: str, column: Optional[str] = None) -> None:
        #: The table that the check reads.
        self.table = table
        #: The missing column; None when the table itself is missing.
        self.column = column
        what = f'column {column!r} of table' if column else 'table'
        super().__init__(f'the database has no {what} {table!r}')
