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

"""The subcommands of ``catalog``: facts about releases and builds."""

import argparse
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
import json
import os
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TextIO

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import builds
from manila_precheck.catalog import drivers
from manila_precheck.catalog import options
from manila_precheck.cmd import answer
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.host import build_facts
from manila_precheck.reporters import plain

# The titles of the groups of changes, in the order in which they are shown.
_TITLES = {
    'option': 'Configuration options',
    'policy': 'Policy rules',
    'driver': 'Share drivers',
    'plugin': 'Other classes and plugins',
    'command': 'Commands',
    'paste': 'Sections of the shipped api-paste.ini',
    'table': 'Database tables',
    'migration': 'Database migrations',
    'requirement': 'Requirements',
}
# The kinds of changes; those that break a configuration come first.
_ORDER = (
    'removed',
    'renamed',
    'type',
    'required',
    'default',
    'check',
    'old check',
    'scope',
    'modes',
    'path',
    'value',
    'version',
    'deprecated',
    'added',
)
# The limit for reading a build, which imports every module of manila: that
# takes seconds, or minutes on a busy machine.
_SECONDS = 600.0
_COMMANDS = (
    drivers.CONSOLE_SCRIPT,
    drivers.WSGI_SCRIPT,
    drivers.WSGI_MODULE,
)
_SECTIONS = {
    options.BACKEND: '<back end>',
    options.NETWORK: '<network plugin>',
    options.BINDING_PROFILE: '<binding profile>',
    options.BACKUP: '<backup type>',
}


class Difference(NamedTuple):
    """One difference between two releases."""

    of: str
    """A key of _TITLES: 'option', 'policy', ..."""

    change: str
    """One of _ORDER: 'removed', 'renamed', 'default', ..."""

    name: str
    """'[DEFAULT] quota_shares', 'share:create', a class path."""

    before: str = ''
    """The old value: a default, a check string; '' if there is none."""

    after: str = ''
    """The new value; '' if there is none."""


def catalog_list(args: argparse.Namespace, stdout: TextIO) -> int:
    """Write a line for each release that the catalog covers."""
    facts = catalog.Catalog()
    table = [
        (
            'RELEASE',
            'MANILA',
            'SERIES',
            'PYTHON',
            'DATABASE',
            'SLURP',
            'CATALOG',
        )
    ]
    for release in facts.releases:
        package = facts.package(release)
        table.append(
            (
                release.name,
                f'{facts.builds(release)[0]} to {package.version}',
                release.code_name,
                package.requires_python,
                facts.head(release),
                'yes' if release.slurp else 'no',
                package.built,
            )
        )
    widths = [max(map(len, column)) for column in zip(*table)]
    for row in table:
        line = '  '.join(cell.ljust(width) for cell, width in zip(row, widths))
        stdout.write(line.rstrip() + '\n')
    return 0


def catalog_tool(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Write the tool that reads the facts of a build in its environment.

    :raises UsageError: when standard output is a terminal.
    """
    if stdout.isatty():
        raise exceptions.UsageError(
            'the tool is a file for another Python: redirect standard output, '
            'manila-precheck catalog tool > catalog.pyz'
        )
    stdout.files.append(answer.OutputFile('the tool', '-', builds.tool()))
    return 0


def catalog_build(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Read the manila of an environment on this host, and write its facts.

    :raises SourceUnusable: when the Python cannot be run, or its manila cannot
        be read.
    :raises CatalogError: when the release is not known.
    """
    python = os.path.abspath(os.path.expanduser(args.python))
    text = build_facts.read(python, _SECONDS, args.also, args.try_drivers)
    build = builds.parse(text, args.output)
    counts = ', '.join(
        f'{len(build.entries[kind])} {kind}'
        for kind in ('options', 'policies', 'drivers', 'revisions')
    )
    stdout.files.append(
        answer.OutputFile(args.output, args.output, text.encode())
    )
    stdout.write(
        f'{args.output}: manila {build.version} ({build.release}): {counts}\n'
    )
    for reason in build.messages:
        stdout.write(f'not read: {plain.one_line(reason)}\n')
    return 0


class Side(NamedTuple):
    """One side of a comparison."""

    facts: catalog.Catalog
    release: releases.Release
    version: str
    """The version of the build that the facts are about: '22.0.2'."""

    def __str__(self) -> str:
        return f'{self.release} (manila {self.version})'


def catalog_diff(args: argparse.Namespace, stdout: TextIO) -> int:
    """Write what an upgrade from one release or build to another changes.

    :raises UsageError: when a release is not known, or the second is older.
    :raises CatalogError: when the catalog does not cover one, or a file is
        not a file of facts.
    """
    source, target = side(args.source), side(args.target)
    same = target.release == source.release
    if (
        target.release < source.release
        or (same and target.release.build == source.release.build)
        or (same and _order(target) < _order(source))
    ):
        raise exceptions.UsageError(
            f'{target} is not newer than {source}: an upgrade goes to a newer '
            'release'
        )
    write = {'text': _text, 'json': _json, 'markdown': _markdown}
    stdout.write(write[args.format](source, target, compare(source, target)))
    return 0


def _order(one: Side) -> tuple[tuple[int, ...], bool]:
    return releases.build(one.version).order


def side(word: str) -> Side:
    """Return the side of a comparison that an argument names.

    :param word: a release, a final version, or the path of a file of facts.
    :raises UsageError: when it is none of them.
    """
    if not (os.path.isfile(word) or os.sep in word):
        facts, named = catalog.Catalog(), releases.named(word)
        release = releases.parse(word)
        if not named.numbers:
            named = releases.build(facts.latest(release))
        release = facts.of_build(release, named)
        if not release.build:
            raise exceptions.UsageError(
                f'the catalog has no facts of manila {word}; pass a file that '
                '"manila-precheck catalog build" has made of it'
            )
        return Side(facts, release, release.build)
    read = text_file.read_text(word, builds.MAX_BYTES)
    build = builds.parse(read.text, word)
    return Side(catalog.Catalog(build), build.release, build.version)


# --- what changes


def compare(source: Side, target: Side) -> list[Difference]:
    """Return the differences between two sides, in the order of display.

    :raises CatalogError: when the catalog does not cover one of them.
    """
    sides = source, target
    found = [
        *_options(*(one.facts.options(one.release) for one in sides)),
        *_policies(*(one.facts.policies(one.release) for one in sides)),
        *_drivers(source, target),
        *_mappings('paste', *map(_paste, sides)),
        *_mappings('requirement', *map(_requirements, sides)),
        *_database(source, target),
    ]
    of, change = list(_TITLES), list(_ORDER)
    return sorted(
        found,
        key=lambda one: (of.index(one.of), change.index(one.change), one.name),
    )


def _options(
    before: options.OptionSet, after: options.OptionSet
) -> Iterator[Difference]:
    olds, news = _by_place(before), _by_place(after)
    renamed = set()
    for (place, name), old in olds.items():
        shown = _shown(place, name)
        new = news.get((place, name))
        if new is not None:
            yield from _option(shown, old, new)
            continue
        match = _find(after, place, name)
        if match is None:
            yield Difference('option', 'removed', shown)
            continue
        home = place if match.group is None else f'[{match.group}]'
        renamed.add((options.place_key(home), match.option.name))
        yield Difference(
            'option', 'renamed', shown, after=_shown(home, match.option.name)
        )
    for place, name in news.keys() - olds.keys() - renamed:
        yield Difference('option', 'added', _shown(place, name))


def _by_place(
    known: options.OptionSet,
) -> dict[tuple[str, str], list[options.Option]]:
    """Return the options by the place where they are read, and the name.

    There are several options if drivers register a name with different types.
    """
    found: dict[tuple[str, str], list[options.Option]] = {}
    for one in known:
        for place in (*(f'[{group}]' for group in one.groups), *one.kinds):
            found.setdefault((options.place_key(place), one.name), []).append(
                one
            )
    return found


def _find(
    known: options.OptionSet, place: str, name: str
) -> Optional[options.Match]:
    """Return the option that reads a name as one of its old names."""
    if place == options.BACKEND:
        return known.backend(name)
    if place == options.NETWORK:
        return known.network(name)
    if place == options.BINDING_PROFILE:
        return known.binding_profile(name)
    if place == options.BACKUP:
        return known.backup(name)
    return known.find(place[1:-1], name)


def _shown(place: str, name: str) -> str:
    section = _SECTIONS.get(place) or place[1:-1]
    return f'[{section}] {name}'


def _option(
    name: str, before: list[options.Option], after: list[options.Option]
) -> Iterator[Difference]:
    for change, text in (('default', _default), ('type', _type)):
        old, new = (
            ' or '.join(sorted({text(one) for one in shapes}))
            for shapes in (before, after)
        )
        if old != new:
            yield Difference('option', change, name, old, new)
    for change, attribute in (
        ('deprecated', 'deprecated_for_removal'),
        ('required', 'required'),
    ):
        was, now = (
            any(getattr(one, attribute) for one in shapes)
            for shapes in (before, after)
        )
        if now and not was:
            yield Difference('option', change, name)


def _default(one: options.Option) -> str:
    if one.host_default:
        return 'what the host has'
    if isinstance(one.default, list):
        return ','.join(map(str, one.default))
    if isinstance(one.default, dict):
        return ','.join(f'{key}:{one.default[key]}' for key in one.default)
    if one.default is None:
        return 'none'
    return str(one.default) if one.default != '' else "''"


def _type(one: options.Option) -> str:
    return _type_words(one.type) + (', several times' if one.multi else '')


def _type_words(kind: options.ValueType) -> str:
    words = kind.name or kind.kind
    if kind.item is not None:
        words += f' of {_type_words(kind.item)}'
    if kind.choices is not None:
        words += f' ({", ".join(map(str, kind.choices))})'
    if kind.min is not None:
        words += f' from {kind.min:g}'
    if kind.max is not None:
        words += f' to {kind.max:g}'
    if kind.regex is not None:
        words += f' like {kind.regex}'
    if kind.max_length is not None:
        words += f' of at most {kind.max_length} characters'
    return words


def _policies(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    yield from _names('policy', before, after)
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        for change, attribute in (
            ('check', 'check'),
            ('old check', 'deprecated_check'),
        ):
            values = [getattr(one, attribute) or '' for one in (old, new)]
            if values[0] != values[1]:
                yield Difference('policy', change, name, *values)
        if old.scope_types != new.scope_types:
            scopes = (', '.join(one.scope_types) for one in (old, new))
            yield Difference('policy', 'scope', name, *scopes)
        if new.deprecated_for_removal and not old.deprecated_for_removal:
            yield Difference('policy', 'deprecated', name)


def _drivers(source: Side, target: Side) -> Iterator[Difference]:
    for kind in drivers.KINDS:
        before, after = (
            one.facts.plugins(one.release, kind) for one in (source, target)
        )
        of = 'driver' if kind == drivers.SHARE else 'plugin'
        of = 'command' if kind in _COMMANDS else of
        # An old path that is still accepted for another one is a rename.
        if kind == drivers.SHARE:
            moved = target.facts.plugins(target.release, drivers.SHARE_MOVED)
        else:
            moved = {}
        for name, one in before.items():
            if name in after or one.internal:
                continue
            shown = _kind(of, kind, name)
            if name in moved:
                new = moved[name].target or ''
                yield Difference(of, 'renamed', shown, after=new)
            else:
                yield Difference(of, 'removed', shown)
        for name, one in after.items():
            old = before.get(name)
            if one.internal:
                continue
            shown = _kind(of, kind, name)
            if old is None:
                yield Difference(of, 'added', shown)
                continue
            if old.modes != one.modes:
                modes = (_modes(driver) for driver in (old, one))
                yield Difference(of, 'modes', shown, *modes)
            if old.target != one.target:
                paths = old.target or '', one.target or ''
                yield Difference(of, 'path', shown, *paths)
            if one.deprecated and not old.deprecated:
                yield Difference(of, 'deprecated', shown)


def _kind(of: str, kind: str, name: str) -> str:
    """Return a name, for a plugin with its kind, which the title lacks."""
    return f'{kind.replace("_", " ")} {name}' if of == 'plugin' else name


def _modes(driver: drivers.Driver) -> str:
    values = ' or '.join(str(mode) for mode in driver.modes) or 'unknown'
    return f'driver_handles_share_servers = {values}'


def _paste(one: Side) -> dict[str, str]:
    return {
        f'[{section}] {key}': value
        for section, keys in one.facts.paste(one.release).items()
        for key, value in keys.items()
    }


def _requirements(one: Side) -> dict[str, str]:
    python = one.facts.package(one.release).requires_python
    return {'python': python, **one.facts.requirements(one.release)}


def _mappings(
    of: str, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Difference]:
    yield from _names(of, before, after)
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            change = 'version' if of == 'requirement' else 'value'
            yield Difference(of, change, name, before[name], after[name])


def _names(
    of: str, before: Iterable[str], after: Iterable[str]
) -> Iterator[Difference]:
    for name in set(before) - set(after):
        yield Difference(of, 'removed', name)
    for name in set(after) - set(before):
        yield Difference(of, 'added', name)


def _database(source: Side, target: Side) -> Iterator[Difference]:
    yield from _names(
        'table',
        *(
            {table for table, _ in one.facts.columns(one.release)}
            for one in (source, target)
        ),
    )
    yield from _names(
        'migration',
        *(one.facts.chain(one.release) for one in (source, target)),
    )


# --- output


def _grouped(
    changes: Iterable[Difference],
) -> Iterator[tuple[str, list[Difference]]]:
    rows: dict[str, list[Difference]] = {}
    for one in changes:
        rows.setdefault(one.of, []).append(one)
    for of, found in rows.items():
        yield f'{_TITLES[of]} ({len(found)})', found


def _values(one: Difference) -> str:
    if not one.before and not one.after:
        return ''
    if one.change == 'renamed':
        return f' -> {one.after}'
    return f': {one.before or "-"} -> {one.after or "-"}'


def _text(source: Side, target: Side, changes: Iterable[Difference]) -> str:
    lines = [f'What changes from {source} to {target}']
    for title, found in _grouped(changes):
        width = max(len(one.change) for one in found)
        lines += ['', title]
        lines += [
            f'  {one.change.ljust(width)}  {one.name}{_values(one)}'
            for one in found
        ]
    return '\n'.join(lines) + '\n'


def _json(source: Side, target: Side, changes: Iterable[Difference]) -> str:
    document = {
        'source': {'release': source.release.name, 'manila': source.version},
        'target': {'release': target.release.name, 'manila': target.version},
        'changes': [one._asdict() for one in changes],
    }
    return json.dumps(document, indent=1) + '\n'


def _markdown(
    source: Side, target: Side, changes: Iterable[Difference]
) -> str:
    lines = [f'# What changes from {source} to {target}']
    for title, found in _grouped(changes):
        lines += ['', f'## {title}', '', '| Change | Name | Before | After |']
        lines += ['| --- | --- | --- | --- |']
        lines += [
            f'| {one.change} | {_code(one.name)} | {_code(one.before)} '
            f'| {_code(one.after)} |'
            for one in found
        ]
    return '\n'.join(lines) + '\n'


def _code(text: str) -> str:
    """Return a text as code in a cell of a table."""
    if not text:
        return ''
    # A bar would end the cell, even in code.
    quoted = text.replace('|', '\\|')
    ticks = '`' if '`' not in text else '``'
    return f'{ticks}{quoted}{ticks}'
