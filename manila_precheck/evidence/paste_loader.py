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

"""What manila-api loads from its api-paste.ini.

manila-api passes the file to PasteDeploy and asks for one application
(oslo.service 4.4.1 wsgi.py Loader). Only the sections to which this
application leads are loaded, and in some composites only the pipeline that
``auth_strategy`` names; the rest of the file does not matter. The rules are
those of PasteDeploy 3.1.0 (paste/deploy/loadwsgi.py), which is not imported.
"""

from collections.abc import Collection
from collections.abc import Iterator
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck.evidence import paste

#: The application that manila-api asks for (manila 12.0.0 to 23.0.0
#: wsgi/wsgi.py and cmd/api.py).
ROOT = 'osapi_share'

# The prefixes of sections that define an application or a filter; in each
# group the first prefix counts that has a section of the name.
_APP = (('app', 'application'), ('composite', 'composit'), ('pipeline',),
        ('filter-app',))  # fmt: skip
_FILTER = (('filter',),)

# Composites whose other keys are paths, with an application's name each
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
# The keys that they take: paths, URLs and hosts (parse_path_expression and
# normalize_url in the same files).
_PATH = re.compile(r'/|https?:|(domain|port)\s|not_found_app$', re.IGNORECASE)

# A composite with one pipeline for each auth_strategy (manila
# api/middleware/auth.py).
_BY_STRATEGY = 'manila.api.middleware.auth:pipeline_factory'


class Place(NamedTuple):
    """A place in the file."""

    section: paste.PasteSection
    value: Optional[paste.PasteValue] = None
    """The value; None: the section as a whole."""

    @property
    def line(self) -> int:
        """Return its line."""
        return self.value.line if self.value else self.section.line


class PasteReference(NamedTuple):
    """A line that refers to a section."""

    place: Place
    title: str
    """The title of that section."""

    mapped: bool
    """Whether the line maps a path of the API to an application."""


class Factory(NamedTuple):
    """Code that is called to make an application or a filter."""

    spec: str
    """'module:attribute' or 'egg:package#name'."""

    place: Place
    is_filter: bool

    @property
    def known_as(self) -> str:
        """Return its name in the catalog: 'egg:oslo-middleware#cors'."""
        return as_in_catalog(self.spec)

    @property
    def package(self) -> str:
        """Return the Python package, or the distribution, that has it."""
        if self.spec.startswith('egg:'):
            return self.known_as[len('egg:') :].partition('#')[0]
        return self.spec.partition(':')[0].partition('.')[0]

    @property
    def dotted_call(self) -> bool:
        """Say whether PasteDeploy looks up a dotted name as a whole.

        For "call:" it asks the module for an attribute with the whole name
        (PasteDeploy 2.1.1 and 3.1.0 util.py lookup_object);
        paste.filter_factory does not.
        """
        value = self.place.value
        if value is None or value.name != 'use':
            return False
        scheme, _, spec = value.text.partition(':')
        return scheme.lower() == 'call' and '.' in spec.partition(':')[2]

    @property
    def ways(self) -> tuple[str, ...]:
        """Return the keys that may name it."""
        value = self.place.value
        if value is not None and value.name.startswith('paste.'):
            return (value.name,)
        if self.is_filter:
            return paste.FILTER_FACTORIES[0]
        if value is not None and value.name == 'use':
            if self.place.section.prefix in ('composite', 'composit'):
                return paste.COMPOSITES
        return tuple(name for (name,) in paste.APP_FACTORIES)


class Broken(NamedTuple):
    """Why PasteDeploy cannot load the application."""

    place: Optional[Place]
    """None: the file does not define the application itself."""

    text: str
    """What is wrong, as a clause."""

    undefined: str = ''
    """The name that no section defines; '' for another problem."""

    is_filter: bool = False
    """Whether the name was looked up as a filter."""

    strategy: bool = False
    """Whether a composite lacks the pipeline of the auth_strategy."""


class Loaded(NamedTuple):
    """Everything that PasteDeploy loads from a file, in its order."""

    factories: tuple[Factory, ...]
    references: tuple[PasteReference, ...]
    broken: tuple[Broken, ...]
    titles: frozenset[str]
    """The sections that are loaded."""

    unknown: tuple[Place, ...]
    """Places where another file, or unknown code, decides what else is
    loaded."""

    def sections(self, specs: Collection[str]) -> Iterator[paste.PasteSection]:
        """Yield the sections that load some code, each once.

        :param specs: its names, as in the catalog.
        """
        seen = set()
        for factory in self.factories:
            section = factory.place.section
            if factory.known_as in specs and section.title not in seen:
                seen.add(section.title)
                yield section


def package_name(text: str) -> str:
    """Return the name of a distribution, normalized as on PyPI."""
    return re.sub('[-_.]+', '-', text).lower()


def as_in_catalog(spec: str) -> str:
    """Return the catalog's name of a factory.

    :param spec: 'module:attribute' or 'egg:package#name'.
    """
    if not spec.startswith('egg:'):
        return spec
    package, _, point = spec[len('egg:') :].partition('#')
    return f'egg:{package_name(package)}#{point}'


def load(
    file: paste.PasteFile, strategy: str, rate_limit: bool = True
) -> Loaded:
    """Return what manila-api loads from a file.

    :param strategy: [DEFAULT] auth_strategy.
    :param rate_limit: [DEFAULT] api_rate_limit; without it a pipeline named
        <strategy>_nolimit is preferred.
    """
    return _Loader(file, strategy, rate_limit).load()


class _Loader:
    """Follows one file like PasteDeploy, but does not call the code."""

    def __init__(
        self, file: paste.PasteFile, strategy: str, rate_limit: bool
    ) -> None:
        self._file = file
        self._strategy = strategy
        self._rate_limit = rate_limit
        self._factories: dict[tuple[str, bool], Factory] = {}
        self._references: dict[tuple[str, int, str], PasteReference] = {}
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

    def _find(self, name: str, is_filter: bool) -> list[paste.PasteSection]:
        found: list[paste.PasteSection] = []
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
        """Load the section that a name refers to."""
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
    ) -> Optional[paste.PasteSection]:
        """Return the section of a name, if it has to be loaded."""
        what = 'filter' if is_filter else 'application'
        if place is not None and paste.ABSOLUTE.match(name):
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
                PasteReference(place, section.title, mapped),
            )
        if section.title in self._path:
            self._fails(
                Broken(place, f'[{section.title}] refers back to itself')
            )
            return None
        return section

    def _section(self, section: paste.PasteSection, is_filter: bool) -> None:
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
                self._fails(Broken(Place(section), 'next is not set'))
            else:
                self._names([following], is_filter=False)
            is_filter = True
        spec = self._code(section, local, is_filter)
        if spec is not None and not is_filter:
            self._children(section, spec, local)

    def _local(self, section: paste.PasteSection) -> dict[str, Place]:
        """Return the values of a section that are not for PasteDeploy."""
        if section.unreadable is not None:
            self._fails(
                Broken(
                    Place(section, section.unreadable),
                    f'the references in {section.unreadable.name} cannot be '
                    'resolved',
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
        self, section: paste.PasteSection, local: dict[str, Place]
    ) -> None:
        place = local.pop('pipeline', None)
        if place is None:
            self._fails(Broken(Place(section), 'pipeline is not set'))
            return
        if local:
            more = ', '.join(sorted(local))
            self._fails(
                Broken(
                    next(iter(local.values())),
                    f'a pipeline accepts no other setting ({more})',
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
        self,
        section: paste.PasteSection,
        local: dict[str, Place],
        is_filter: bool,
    ) -> Optional[str]:
        """Record the factory of a section, and add what it inherits."""
        use = local.pop('use', None)
        if use is not None:
            assert use.value is not None
            if paste.ABSOLUTE.match(use.value.text):
                return self._factory(use.value.text, use, is_filter)
            return self._inherited(use, local, is_filter)
        found: list[Place] = []
        for names in (
            paste.FILTER_FACTORIES if is_filter else paste.APP_FACTORIES
        ):
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
            self._fails(Broken(place, f'{scheme}: is not a known scheme'))
            return text
        spec = ''.join(spec.split())
        self._factories.setdefault(
            (place.section.title + str(place.line), is_filter),
            Factory(spec, place, is_filter),
        )
        return spec

    def _children(
        self, section: paste.PasteSection, spec: str, local: dict[str, Place]
    ) -> None:
        """Load the sections to which a composite refers."""
        if spec in _MAPS or spec.lower() in _MAPS:
            for name, place in local.items():
                assert place.value is not None
                if not _PATH.match(name):
                    self._fails(
                        Broken(
                            place,
                            f'the path {name} does not begin with a slash',
                        )
                    )
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
