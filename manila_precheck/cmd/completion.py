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

"""Complete the command line when a user presses the tab key in a shell.

The shells call the command itself (``etc/completion``). So they also offer the
checks and reporters of other packages, and need no further package in the
environment of manila.
"""

import argparse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple
from typing import Optional

from manila_precheck import catalog
from manila_precheck.cmd import parser as parser_
from manila_precheck.engine import registry
from manila_precheck.engine import runner

# The metavars of arguments that are releases.
_RELEASES = ('RELEASE', 'SOURCE', 'TARGET')


class Word(NamedTuple):
    """A word that is offered."""

    text: str
    about: str = ''
    """A short description; '' for none."""


def text(root: parser_.Parser, words: Sequence[str]) -> str:
    """Return the completions of the last word.

    :param root: the parser of the command.
    :param words: the words after the name of the command, up to the cursor.
    :returns: a line for each completion, with a description after a tab.
        Empty for the name of a file, or if nothing is known.
    """
    *before, prefix = words or ['']
    return ''.join(
        '\t'.join([word.text, *filter(None, [word.about])]) + '\n'
        for word in _after(root, before, prefix)
        if word.text.startswith(prefix)
    )


def _after(
    parser: parser_.Parser, before: Sequence[str], prefix: str
) -> Iterable[Word]:
    flags = _flags(parser)
    expecting: Optional[argparse.Action] = None
    place = 0
    for word in before:
        if expecting is not None:
            expecting = None
        elif word in parser.commands():
            parser = parser.commands()[word]
            flags, place = _flags(parser), 0
        elif word.startswith('-'):
            expecting = _takes_value(flags.get(word))
        else:
            place += 1
    if expecting is not None:
        return _values(expecting)
    flag, equals, _ = prefix.partition('=')
    if equals:
        action = _takes_value(flags.get(flag))
        return (
            word._replace(text=f'{flag}={word.text}')
            for word in (_values(action) if action else ())
        )
    if prefix.startswith('-'):
        return [
            Word(flag, _about(action))
            for flag, action in flags.items()
            if flag.startswith('--') and action.help != argparse.SUPPRESS
        ]
    return _positional(parser, place)


def _flags(parser: parser_.Parser) -> dict[str, argparse.Action]:
    return {
        flag: action
        for action in parser.arguments()
        for flag in action.option_strings
    }


def _takes_value(
    action: Optional[argparse.Action],
) -> Optional[argparse.Action]:
    return None if action is None or action.nargs == 0 else action


def _positional(parser: parser_.Parser, place: int) -> Iterable[Word]:
    commands = parser.commands()
    if commands:
        about = {
            one.dest: _about(one)
            for action in parser.arguments()
            for one in getattr(action, '_choices_actions', ())
        }
        return [Word(name, about.get(name, '')) for name in commands]
    taken = [one for one in parser.arguments() if not one.option_strings]
    if not taken:
        return ()
    last = taken[-1]
    if place < len(taken):
        return _values(taken[place])
    return _values(last) if last.nargs == '+' else ()


def _values(action: argparse.Action) -> Iterator[Word]:
    """Yield the valid values of an argument; nothing if it is a file."""
    metavar = str(action.metavar)
    if action.choices is not None:
        yield from map(Word, map(str, action.choices))
    elif metavar in _RELEASES:
        for release in catalog.Catalog().releases:
            yield Word(release.name, release.code_name)
    elif metavar == 'ID':
        for entry in registry.checks():
            title = getattr(runner.load(entry), 'title', '')
            yield Word(entry.name, title)
    elif metavar.startswith('FORMAT'):
        after = ':' if metavar == 'FORMAT:PATH' else ''
        for entry in registry.entries(registry.REPORTERS):
            yield Word(entry.name + after)


def _about(action: argparse.Action) -> str:
    """Return the first sentence of the help of an argument."""
    whole = ' '.join((action.help or '').replace('%%', '%').split())
    return whole.partition('. ')[0].rstrip('.')
