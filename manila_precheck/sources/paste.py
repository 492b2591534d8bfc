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

"""The api-paste.ini that manila-api reads, and what is loaded from it.

manila-api hands the file to PasteDeploy and asks for one application
(oslo.service 4.4.1 wsgi.py Loader). Only sections that this application
leads to are loaded, and of the pipelines of a composite only the one that
``auth_strategy`` names; the rest of the file may say anything. The rules are
those of PasteDeploy 3.1.0 (paste/deploy/loadwsgi.py), which is not imported.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import configparser
import hashlib
import os
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.sources import config
from manila_precheck.sources import content

#: The option that names the file, and its default (oslo.service _options.py).
OPTION = 'api_paste_config'
DEFAULT_FILE = 'api-paste.ini'

#: The application that manila-api asks for (manila 12.0.0 to 23.0.0
#: wsgi/wsgi.py and cmd/api.py).
ROOT = 'osapi_share'

# The prefixes of sections that make an application or a filter; of those in
# one group the first that has the name counts.
_APP = (('app', 'application'), ('composite', 'composit'), ('pipeline',),
        ('filter-app',))  # fmt: skip
_FILTER = (('filter',),)

_APP_FACTORIES = (
    ('paste.app_factory',),
    ('paste.composite_factory',),
    ('paste.composit_factory',),
)
_FILTER_FACTORIES = (('paste.filter_factory', 'paste.filter_app_factory'),)
_FACTORIES = frozenset(
    name for group in (*_APP_FACTORIES, *_FILTER_FACTORIES) for name in group
)

# Composites whose other keys are paths, each with the name of an application
# (manila api/__init__.py, api/urlmap.py, api/openstack/urlmap.py; Paste).
_MAPS = frozenset(
    {
        'manila.api:root_app_factory',
        'manila.api.urlmap:urlmap_factory',
        'manila.api.openstack.urlmap:urlmap_factory',
        'paste.urlmap:urlmap_factory',
        'egg:paste#urlmap',
    }
)
# A composite with one pipeline for each auth_strategy (manila
# api/middleware/auth.py).
_BY_STRATEGY = 'manila.api.middleware.auth:pipeline_factory'

_ABSOLUTE = re.compile(r'[a-zA-Z]+:')


class Value(NamedTuple):
    """One line of a section; of a value on several lines, the first."""

    name: str
    text: str
    """With references (%(here)s) replaced; may be a secret."""

    line: int
    """Counted from 1; 0 when it stands in no file."""

    def __repr__(self) -> str:
        return f'<{self.line} {self.name}>'


class Section(NamedTuple):
    """One section, such as [filter:cors]."""

    title: str
    """As it stands between the brackets."""

    line: int
    values: tuple[Value, ...]
    """In the order of the file, without what [DEFAULT] sets as well."""

    unreadable: Optional[Value] = None
    """The value whose references cannot be replaced."""

    @property
    def prefix(self) -> str:
        """Return what it is: 'app', 'composite', 'pipeline', 'filter'."""
        return self.title.partition(':')[0]

    @property
    def name(self) -> str:
        """Return the name by which others refer to it."""
        return self.title.partition(':')[2].strip()

    @property
    def factory(self) -> Optional[Value]:
        """Return the value that names its code; None when none does."""
        for value in self.values:
            if value.name in _FACTORIES or (
                value.name == 'use' and _ABSOLUTE.match(value.text)
            ):
                return value
        return None


class Problem(NamedTuple):
    """Why the file cannot be parsed."""

    line: Optional[int]
    text: str


class PasteFile(NamedTuple):
    """The file, line by line."""

    read: model.FileRead
    sections: tuple[Section, ...] = ()
    """In the order of the file."""

    problem: Optional[Problem] = None
    """Why PasteDeploy refuses it as a whole."""

    @property
    def path(self) -> str:
        """Return the path as it was opened."""
        return self.read.path

    @property
    def files(self) -> tuple[model.FileRead, ...]:
        """Return every file that was read."""
        return (self.read,)

    def section(self, title: str) -> Optional[Section]:
        """Return the section of a title; None when there is none."""
        return next((s for s in self.sections if s.title == title), None)


def find(conf: config.ConfigFiles) -> str:
    """Return the path of the file that manila-api opens.

    :raises SourceNotGiven: when nothing names one and there is none.
    :raises SourceNotApplicable: when, besides, nothing is said of the API.
    :raises SourceUnusable: when the option names a file that is not there.
    """
    named = conf.value('DEFAULT', OPTION)
    path = conf.find_file(named or DEFAULT_FILE)
    if path is not None:
        return path
    if named:
        line = conf.effective([('DEFAULT', OPTION)])[0]
        raise exceptions.SourceUnusable(
            f'{named}: no such file ({line.where} [DEFAULT] {OPTION})'
        )
    where = ', '.join(conf.search_path) or 'any directory'
    if not conf.serves_api:
        raise exceptions.SourceNotApplicable(
            f'there is no {DEFAULT_FILE} in {where}, and nothing in these '
            'files is about manila-api'
        )
    raise exceptions.SourceNotGiven(
        f'there is no {DEFAULT_FILE} in {where}, and [DEFAULT] {OPTION} is '
        'not set'
    )


def read(conf: config.ConfigFiles) -> PasteFile:
    """Read the file that goes with some configuration files.

    :raises SourceNotGiven: when nothing names one and there is none.
    :raises SourceUnusable: when it is not there or cannot be read.
    """
    return read_file(find(conf))


# -- the syntax --------------------------------------------------------------


class _Name(str):
    """The name of a value, with the line it stands on."""

    line: int


class _Parser(configparser.ConfigParser):
    """PasteDeploy's parser, noting the line of each name."""

    def __init__(self, path: str) -> None:
        self.line = 0
        path = os.path.abspath(path)
        super().__init__(
            defaults={'here': os.path.dirname(path), '__file__': path}
        )

    def optionxform(self, optionstr: str) -> str:
        # Called for each name on the line where it is read. Case counts.
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


def read_file(path: str) -> PasteFile:
    """Read one file.

    :raises SourceUnusable: when it cannot be read; one that is malformed is
        a fact, since manila-api does not start with it.
    """
    raw = content.read(path)
    digest = model.FileRead(path, hashlib.sha256(raw).hexdigest())
    try:
        lines = raw.decode().splitlines(keepends=True)
    except UnicodeDecodeError as exc:
        line = raw.count(b'\n', 0, exc.start) + 1
        return PasteFile(digest, problem=Problem(line, 'it is not UTF-8 text'))
    parser = _Parser(path)
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
                problem=Problem(
                    getattr(name, 'line', None),
                    f'the references in {name} cannot be replaced',
                ),
            )
    return PasteFile(digest, tuple(_sections(parser, lines)))


def _problem(exc: configparser.Error) -> Problem:
    # NOTE: never the parser's own words, which quote the line.
    line = getattr(exc, 'lineno', None)
    if isinstance(exc, configparser.DuplicateSectionError):
        return Problem(line, f'[{exc.section}] is there twice')
    if isinstance(exc, configparser.DuplicateOptionError):
        return Problem(line, f'{exc.option} is twice in [{exc.section}]')
    if isinstance(exc, configparser.MissingSectionHeaderError):
        return Problem(line, 'the line stands before any section')
    errors = getattr(exc, 'errors', None)
    return Problem(
        errors[0][0] if errors else line,
        'the line is neither a section nor a name with a value',
    )


def _sections(parser: _Parser, lines: list[str]) -> Iterator[Section]:
    after = 0
    defaults = parser.defaults()
    for title in parser.sections():
        names = [n for n in parser.options(title) if n not in defaults]
        # The last one before its first line: what stands above may be a
        # continued value of the section before.
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
                unreadable = unreadable or Value(str(name), '', line)
                continue
            values.append(Value(str(name), text, line))
        yield Section(title, header, tuple(values), unreadable)


def from_sections(
    sections: Mapping[str, Mapping[str, str]], name: str
) -> PasteFile:
    """Return a file that is known by its sections alone.

    :param sections: title to (name to text), as the catalog has them.
    :param name: what to call it.
    """
    return PasteFile(
        model.FileRead(name, ''),
        tuple(
            Section(title, 0, tuple(Value(k, v, 0) for k, v in keys.items()))
            for title, keys in sections.items()
        ),
    )


# -- what is loaded ----------------------------------------------------------


class Place(NamedTuple):
    """Where something stands."""

    section: Section
    value: Optional[Value] = None
    """None: the section as a whole."""

    @property
    def line(self) -> int:
        """Return its line."""
        return self.value.line if self.value else self.section.line


class Reference(NamedTuple):
    """A line that leads to a section."""

    place: Place
    title: str
    """Of the section that it leads to."""

    mapped: bool
    """The line gives a path of the API to an application."""


class Factory(NamedTuple):
    """Code that is called to make an application or a filter."""

    spec: str
    """'module:attribute' or 'egg:package#name'."""

    place: Place
    is_filter: bool


class Broken(NamedTuple):
    """What keeps PasteDeploy from loading the application."""

    place: Optional[Place]
    """None: the application itself is not in the file."""

    text: str
    """What is wrong with it, one clause."""

    undefined: str = ''
    """The name that no section has; '' when it is something else."""

    is_filter: bool = False
    """What the name was looked up as."""

    strategy: bool = False
    """A composite lacks the pipeline of the auth_strategy."""


class Loaded(NamedTuple):
    """What PasteDeploy loads from a file, in its order."""

    factories: tuple[Factory, ...]
    references: tuple[Reference, ...]
    broken: tuple[Broken, ...]
    titles: frozenset[str]
    """The sections that are loaded."""

    unknown: tuple[Place, ...]
    """Where another file, or code that is not known here, decides what else
    is loaded."""


def load(file: PasteFile, strategy: str, rate_limit: bool = True) -> Loaded:
    """Return what manila-api loads from a file.

    :param strategy: [DEFAULT] auth_strategy.
    :param rate_limit: [DEFAULT] api_rate_limit; without it a pipeline named
        <strategy>_nolimit is preferred.
    """
    return _Loader(file, strategy, rate_limit).load()


class _Loader:
    """Follows one file as PasteDeploy does, but for calling the code."""

    def __init__(
        self, file: PasteFile, strategy: str, rate_limit: bool
    ) -> None:
        self._file = file
        self._strategy = strategy
        self._rate_limit = rate_limit
        self._factories: dict[tuple[str, bool], Factory] = {}
        self._references: dict[tuple[str, int, str], Reference] = {}
        self._broken: dict[tuple[Optional[int], str], Broken] = {}
        self._titles: set[str] = set()
        self._path: list[str] = []
        self._unknown: list[Place] = []

    def load(self) -> Loaded:
        self._follow(ROOT, False, None)
        return Loaded(
            tuple(self._factories.values()),
            tuple(self._references.values()),
            tuple(self._broken.values()),
            frozenset(self._titles),
            tuple(self._unknown),
        )

    def _fails(self, broken: Broken) -> None:
        line = broken.place.line if broken.place else None
        self._broken.setdefault((line, broken.text), broken)

    def _find(self, name: str, is_filter: bool) -> list[Section]:
        found: list[Section] = []
        for prefixes in _FILTER if is_filter else _APP:
            for prefix in prefixes:
                here = [
                    section
                    for section in self._file.sections
                    if section.prefix == prefix
                    and ':' in section.title
                    and section.name == name
                ]
                if here:
                    found.extend(here)
                    break
        return found

    def _follow(
        self,
        name: str,
        is_filter: bool,
        place: Optional[Place],
        mapped: bool = False,
    ) -> None:
        """Load what a name stands for."""
        section = self._enter(name, is_filter, place, mapped)
        if section is None or section.title in self._titles:
            return
        self._titles.add(section.title)
        self._path.append(section.title)
        self._section(section, is_filter)
        self._path.pop()

    def _enter(
        self,
        name: str,
        is_filter: bool,
        place: Optional[Place],
        mapped: bool = False,
    ) -> Optional[Section]:
        """Return the section of a name, when there is one to be loaded."""
        what = 'filter' if is_filter else 'application'
        if place is not None and _ABSOLUTE.match(name):
            self._factory(name, place, is_filter)
            return None
        found = self._find(name, is_filter)
        if len(found) != 1:
            text = (
                f'more than one section defines the {what} {name}'
                if found
                else f'no section defines the {what} {name}'
            )
            self._fails(Broken(place, text, '' if found else name, is_filter))
            return None
        section = found[0]
        if place is not None:
            self._references.setdefault(
                (place.section.title, place.line, section.title),
                Reference(place, section.title, mapped),
            )
        if section.title in self._path:
            self._fails(
                Broken(place, f'[{section.title}] leads back to itself')
            )
            return None
        return section

    def _section(self, section: Section, is_filter: bool) -> None:
        prefix = section.prefix
        local = self._local(section)
        around = local.pop('filter-with', None)
        if around is not None:
            self._names([around], is_filter=True)
        if prefix == 'pipeline':
            self._pipeline_section(section, local)
            return
        if prefix == 'filter-app':
            following = local.pop('next', None)
            if following is None:
                self._fails(Broken(Place(section), 'it has no next'))
            else:
                self._names([following], is_filter=False)
            is_filter = True
        spec = self._code(section, local, is_filter)
        if spec is not None and not is_filter:
            self._children(section, spec, local)

    def _local(self, section: Section) -> dict[str, Place]:
        """Return the values of a section that are not for PasteDeploy."""
        if section.unreadable is not None:
            self._fails(
                Broken(
                    Place(section, section.unreadable),
                    'the references in '
                    f'{section.unreadable.name} cannot be replaced',
                )
            )
        return {
            value.name: Place(section, value)
            for value in section.values
            if not value.name.startswith(('set ', 'get '))
            and value.name != 'require'
        }

    def _names(self, places: list[Place], is_filter: bool) -> None:
        for place in places:
            assert place.value is not None
            self._follow(place.value.text, is_filter, place)

    def _pipeline_section(
        self, section: Section, local: dict[str, Place]
    ) -> None:
        place = local.pop('pipeline', None)
        if place is None:
            self._fails(Broken(Place(section), 'it has no pipeline'))
            return
        if local:
            more = ', '.join(sorted(local))
            self._fails(
                Broken(
                    next(iter(local.values())),
                    f'a pipeline takes no other setting ({more})',
                )
            )
        self._pipeline(place)

    def _pipeline(self, place: Place) -> None:
        assert place.value is not None
        names = place.value.text.split()
        if not names:
            self._fails(Broken(place, 'the pipeline is empty'))
            return
        for name in names[:-1]:
            self._follow(name, True, place)
        self._follow(names[-1], False, place)

    def _code(
        self, section: Section, local: dict[str, Place], is_filter: bool
    ) -> Optional[str]:
        """Note the code behind a section, and add what it inherits."""
        use = local.pop('use', None)
        if use is not None:
            assert use.value is not None
            if _ABSOLUTE.match(use.value.text):
                return self._factory(use.value.text, use, is_filter)
            return self._inherited(use, local, is_filter)
        found: list[Place] = []
        for names in _FILTER_FACTORIES if is_filter else _APP_FACTORIES:
            here = [name for name in names if name in local]
            found.extend(local.pop(name) for name in here[:1])
        if len(found) != 1:
            self._fails(
                Broken(
                    Place(section),
                    'it names two factories'
                    if found
                    else 'it names no factory',
                )
            )
            return None
        assert found[0].value is not None
        return self._factory(
            'call:' + found[0].value.text, found[0], is_filter
        )

    def _inherited(
        self, use: Place, local: dict[str, Place], is_filter: bool
    ) -> Optional[str]:
        assert use.value is not None
        base = self._enter(use.value.text, is_filter, use)
        if base is None:
            return None
        self._titles.add(base.title)
        self._path.append(base.title)
        inherited = self._local(base)
        spec = self._code(base, inherited, is_filter)
        self._path.pop()
        for name, place in inherited.items():
            local.setdefault(name, place)
        return spec

    def _factory(self, text: str, place: Place, is_filter: bool) -> str:
        scheme, _, spec = text.partition(':')
        scheme = scheme.lower()
        if scheme == 'egg':
            package, _, name = spec.partition('#')
            spec = f'egg:{package}#{name or "main"}'
        elif scheme == 'config':
            self._unknown.append(place)
            return text
        elif scheme != 'call':
            self._fails(Broken(place, f'{scheme}: is no scheme'))
            return text
        spec = ''.join(spec.split())
        self._factories.setdefault(
            (place.section.title + str(place.line), is_filter),
            Factory(spec, place, is_filter),
        )
        return spec

    def _children(
        self, section: Section, spec: str, local: dict[str, Place]
    ) -> None:
        """Load what a composite leads to."""
        if spec in _MAPS or spec.lower() in _MAPS:
            for place in local.values():
                assert place.value is not None
                self._follow(place.value.text, False, place, mapped=True)
        elif spec == _BY_STRATEGY:
            chosen = local.get(self._strategy)
            if chosen is None:
                self._fails(
                    Broken(
                        Place(section),
                        f'it has no pipeline {self._strategy}',
                        strategy=True,
                    )
                )
                return
            if not self._rate_limit:
                chosen = local.get(f'{self._strategy}_nolimit', chosen)
            self._pipeline(chosen)
        elif section.prefix in ('composite', 'composit') and not (
            spec.startswith('config:')
        ):
            self._unknown.append(Place(section, section.factory))
