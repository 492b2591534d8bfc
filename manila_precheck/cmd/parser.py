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

"""A parser with errors on one line, whose arguments can be listed."""

import argparse
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import sys
from typing import Any
from typing import Callable
from typing import NoReturn

from manila_precheck import cmd
from manila_precheck import exceptions


class TextRequested(Exception):
    """A flag, such as --help, only asks for a text to be printed."""


class _Choices:
    """The valid values of an argument, with our own error for any other.

    The error message of argparse differs between versions of Python, and does
    not suggest a value that may have been meant.
    """

    def __init__(self, parser: 'Parser', action: argparse.Action) -> None:
        self._parser = parser
        self._action = action
        self._words: Any = action.choices

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __contains__(self, value: object) -> bool:
        if value in self._words:
            return True
        flags = self._action.option_strings
        if not flags:
            self._parser.refuse_early_flag(str(value))
        raise exceptions.UnknownName(
            str(self._action.metavar or '/'.join(flags)).lower(),
            str(value),
            map(str, self),
            f'known: {", ".join(map(str, self))}; '
            f'see {self._parser.prog} --help',
        )


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of this program."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._words: Sequence[str] = ()
        self._flags: list[str] = []
        super().__init__(*args, **kwargs)

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:
        return self._noted(super().add_argument(*args, **kwargs))

    def group(self, title: str) -> Callable[..., argparse.Action]:
        """Return a function that adds an argument to a new group."""
        group = self.add_argument_group(title)
        return lambda *args, **kwargs: self._noted(
            group.add_argument(*args, **kwargs)
        )

    def choice(self, **kwargs: Any) -> Any:
        """Add subparsers, as add_subparsers() does."""
        return self._noted(self.add_subparsers(**kwargs))

    def _noted(self, action: argparse.Action) -> argparse.Action:
        self._flags += action.option_strings
        if action.choices is not None:
            action.choices = _Choices(self, action)
        return action

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        words = args[0] if args else kwargs.get('args')
        self._words = sys.argv[1:] if words is None else list(words)
        return super().parse_known_args(*args, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise exceptions.UsageError(f'{message}; see {self.prog} --help')

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Raise the error for unknown words.

        :raises UsageError: when the first is a flag that belongs to a later
            command.
        :raises UnknownName: otherwise.
        """
        flags = [word for word in words if word.startswith('-')]
        word = (flags or words)[0].partition('=')[0]
        if word in self._flags:
            raise self._too_early(word)
        raise exceptions.UnknownName(
            'argument',
            word,
            self._flags if flags else (),
            f'see {self.prog} --help',
        )

    def refuse_early_flag(self, value: str) -> None:
        """Reject a flag of a later command before its command.

        In "manila-precheck --stage stopped upgrade check", argparse takes the
        value 'stopped' for a command.

        :param value: the word that is not a command.
        :raises UsageError: when an unknown flag precedes the word.
        """
        for word in self._words[: self._words.index(value)]:
            flag = word.partition('=')[0]
            if flag.startswith('-') and flag not in self._flags:
                raise self._too_early(flag)

    @staticmethod
    def _too_early(flag: str) -> exceptions.UsageError:
        return exceptions.UsageError(
            f'{flag} precedes the command; put flags of "upgrade check" '
            f'after it: {cmd.PROG} upgrade check {flag} ...'
        )

    def print_help(self, file: Any = None) -> NoReturn:
        raise TextRequested(self.format_help())

    def prepare(self) -> None:
        """Add arguments that are added late; called before they are used."""

    def arguments(self) -> Sequence[argparse.Action]:
        """Return the flags and the positional arguments."""
        self.prepare()
        return self._actions

    def commands(self) -> Mapping[str, 'Parser']:
        """Return the subparsers by the names of their commands."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found: Mapping[str, Parser] = action._name_parser_map
                return found
        return {}
