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

"""How the target loads one api-paste.ini."""

from collections.abc import Iterator
from collections.abc import Sequence
import posixpath
from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import drivers
from manila_precheck.checks.api_paste import factories
from manila_precheck.checks.api_paste import writer
from manila_precheck.engine import context
from manila_precheck.evidence import paste
from manila_precheck.evidence import paste_loader
from manila_precheck.evidence.config import config_reader

Severity = model.Severity


class Judge:
    """One api-paste.ini, as the target loads it."""

    def __init__(self, ctx: context.Context) -> None:
        self._catalog = ctx.catalog
        self._target = ctx.upgrade.target
        self._file = ctx.paste
        self._package = ctx.catalog.package(self._target)
        self._modules = ctx.catalog.plugins(self._target, drivers.API_MODULE)
        strategy = ctx.config.value('DEFAULT', 'auth_strategy')
        self._strategy = 'keystone' if strategy is None else strategy
        self._config = ctx.config
        self._site = ctx.site
        self._reader = reader = ctx.reader(self._target)
        #: If the target rejects it, config-options says what to set instead.
        self._strategy_refused = _refuses_strategy(reader)
        try:
            limited = reader.get('DEFAULT', 'api_rate_limit') is not False
        except config_reader.Refused:
            limited = True
        self._loaded = paste_loader.load(self._file, self._strategy, limited)
        #: The file that the target ships, and what the target loads from it.
        self._own = paste.from_sections(
            ctx.catalog.paste(self._target), self._package.filename
        )
        self._own_loaded = paste_loader.load(
            self._own, self._strategy, limited
        )
        self._shipped = factories.of_file(self._own)
        self._known = factories.KnownFactories(ctx.catalog, self._target)
        self._writer = writer.Writer(
            writer.Loading(self._file, self._loaded),
            writer.Loading(self._own, self._own_loaded),
            self._package.version,
        )

    @property
    def loaded(self) -> paste_loader.Loaded:
        """What PasteDeploy loads from the file."""
        return self._loaded

    def findings(self) -> Iterator[model.Finding]:
        """Yield what keeps manila-api from starting, and what it misses."""
        problem = self._file.problem
        if problem is not None:
            yield self._finding(
                Severity.FAILURE,
                self._file.path.rpartition('/')[2],
                problem.line,
                f'the file cannot be parsed: {problem.text}; manila-api '
                'does not start',
                [self._writer.take_the_targets()],
                'syntax',
            )
            return
        for broken in self._loaded.broken:
            yield self._broken(broken)
        for factory in self._loaded.factories:
            yield from self._code(factory)
        for place in self._loaded.unknown:
            gone = self._missing_file(place)
            if gone:
                yield self._fails(
                    place,
                    f'[{place.section.title}] loads what {gone} has, which '
                    'does not exist; manila-api does not start '
                    '(FileNotFoundError)',
                    [self._writer.take_the_targets()],
                    'elsewhere',
                )
                continue
            yield self._finding(
                Severity.WARNING,
                place.section.title,
                place.line,
                f'[{place.section.title}] loads another file, or code that '
                'manila-precheck does not know; what manila-api loads '
                'through it was not checked',
                [
                    model.advice(
                        'Before the upgrade, start the manila-api of the '
                        'target with this file on a test host.'
                    )
                ],
                'elsewhere',
            )
        yield from self._not_loaded()
        yield from self._lacking()

    def _missing_file(self, place: paste_loader.Place) -> str:
        """Return the other file that a section names, if it is not there.

        '' if the file exists, if PasteDeploy has to interpolate its path, and
        in a bundle, which may lack files of the host.
        """
        text = place.value.text.strip() if place.value else ''
        scheme, _, rest = text.partition(':')
        name = rest.partition('#')[0].strip()
        if scheme != 'config' or not name or '%' in name:
            return ''
        path = posixpath.join(posixpath.dirname(self._file.path), name)
        return (
            '' if not self._site.is_host or self._site.exists(path) else path
        )

    # -- code ----------------------------------------------------------------

    def _error(self, spec: str, ways: Sequence[str]) -> str:
        """Return the error of loading code in the target; '' if it loads."""
        if self._known.has(spec):
            return self._known.error(spec, ways)
        if spec in self._shipped:
            return ''
        if not factories.of_manila(spec):
            return self._known.error(spec, ways)
        module = spec.partition(':')[0]
        parent = '.'.join(module.split('.')[:3])
        if parent.startswith('manila.api.v') and parent[12:].isdigit():
            if parent not in self._modules:
                return f'ModuleNotFoundError: {parent}'
        return 'it cannot be imported'

    def _is_bare_class(self, factory: paste_loader.Factory) -> bool:
        """Say whether a class of the target stands for its own factory."""
        value, made = factory.place.value, f'{factory.spec}.factory'
        return (
            value is not None
            and value.name == 'paste.filter_factory'
            and not self._known.has(factory.spec)
            and (made in self._shipped or self._known.has(made))
        )

    def _code(self, factory: paste_loader.Factory) -> Iterator[model.Finding]:
        spec = factory.spec
        title = factory.place.section.title
        error = self._error(spec, factory.ways)
        if factory.dotted_call and not error:
            yield self._fails(
                factory.place,
                f'[{title}] loads {spec} with "use = call:", which does not '
                'look up a name with a dot in it; manila-api does not start '
                '(AttributeError)',
                [self._writer.keyed(factory, factory.ways[0])],
                'factory',
                {'factory': spec},
            )
        elif self._is_bare_class(factory):
            yield self._fails(
                factory.place,
                f'[{title}] loads {spec}, which is no factory: it is called '
                'with the options of the file, and what it returns then with '
                'the application; manila-api does not start (AttributeError)',
                [
                    self._writer.keyed(
                        factory._replace(spec=f'{spec}.factory'),
                        factory.ways[0],
                    )
                ],
                'factory',
                {'factory': spec},
            )
        elif error and self._known.has(spec):
            yield self._does_not_load(factory, error)
        elif error:
            yield self._fails(
                factory.place,
                f'[{title}] loads {spec}, which {self._target} does not have '
                f'({self._history(spec)}); manila-api does not start '
                f'({error})',
                self._instead(factory),
                'factory',
                {'factory': spec},
            )
        elif not (
            factories.of_manila(spec)
            or spec in self._shipped
            or self._known.comes_along(spec)
        ):
            yield self._finding(
                Severity.WARNING,
                title,
                factory.place.line,
                f'[{title}] loads {spec}, which belongs neither to manila '
                f'nor to a package that {self._target} requires; '
                'manila-precheck does not know whether it will be installed',
                [
                    model.advice(
                        'Install a version of it that works with the '
                        'packages of the target; manila-api does not start '
                        'without it.'
                    )
                ],
                'factory',
                {'factory': spec},
            )

    def _does_not_load(
        self, factory: paste_loader.Factory, error: str
    ) -> model.Finding:
        spec = factory.spec
        title = factory.place.section.title
        what = 'a filter' if factory.is_filter else 'an application'
        request, _, name = error.rpartition(' ')
        if request:
            text = (
                f'[{title}] loads {spec} as {what}, which it is not '
                f'({self._history(spec, factory.ways)}); manila-api of '
                f'{self._target} starts, and every request that gets there '
                f'ends in status 500 ({name})'
            )
        else:
            text = (
                f'[{title}] loads {spec} as {what}, which fails in '
                f'{self._target} ({self._history(spec, factory.ways)}); '
                f'manila-api does not start ({name})'
            )
        return self._fails(
            factory.place,
            text,
            self._instead(factory),
            'factory',
            {'factory': spec, 'error': name},
        )

    def _instead(
        self, factory: paste_loader.Factory
    ) -> list[model.Remediation]:
        """Return what to write instead of code that the target cannot load."""
        spec = factory.spec
        kinds = (
            paste.FILTER_FACTORIES[0]
            if factory.is_filter
            else ('paste.app_factory',)
        )
        for way in kinds:
            if self._known.loads(spec, way):
                return [self._writer.keyed(factory, way)]
        holder = spec.rpartition('.')[0]
        application = f'{holder}.app_factory'
        if factory.is_filter and self._known.loads(
            application, 'paste.app_factory'
        ):
            found = self._writer.as_application(factory, application)
            if found:
                return found
        return self._writer.without(factory)

    def _history(self, spec: str, ways: Sequence[str] = ()) -> str:
        """Say which releases have some code, or load it in one of ``ways``."""
        had = [
            release
            for release in self._catalog.releases
            if self._loads(
                factories.KnownFactories(self._catalog, release), spec, ways
            )
            or spec
            in factories.of_sections(self._catalog.paste(release).values())
        ]
        if not had:
            since = f'no release since {self._catalog.releases[0]}'
            return f'{since} loads it so' if ways else f'{since} has it'
        if had[-1] < self._target:
            last = f'{had[-1]} was the last'
            return f'{last} that loads it' if ways else f'{last} to have it'
        first = 'loads it from' if ways else 'was added in'
        return f'it {first} {had[0]}{" on" if ways else ""}'

    @staticmethod
    def _loads(
        known: factories.KnownFactories, spec: str, ways: Sequence[str]
    ) -> bool:
        return known.has(spec) and not (ways and known.error(spec, ways))

    def _not_loaded(self) -> Iterator[model.Finding]:
        """Yield code that the target lacks, in sections that nothing uses."""
        if self._loaded.unknown:
            return
        for section in self._file.sections:
            value = section.factory
            if section.title in self._loaded.titles or value is None:
                continue
            spec = factories.spec(value.text)
            if spec.startswith('config:') or (
                self._known.has(spec) or not self._error(spec, ())
            ):
                continue
            yield self._finding(
                Severity.INFO,
                section.title,
                value.line,
                f'[{section.title}] names {spec}, which {self._target} does '
                f'not have ({self._history(spec)}); manila-api does not load '
                'the section',
                [
                    model.advice(
                        f'Remove [{section.title}] from the file.'
                    ).with_edits(
                        self._writer.edit(
                            'comment', paste_loader.Place(section)
                        )
                    )
                ],
                'factory',
                {'factory': spec},
            )

    # -- names ---------------------------------------------------------------

    def _broken(self, broken: paste_loader.Broken) -> model.Finding:
        place = broken.place
        if place is None:
            return self._finding(
                Severity.FAILURE,
                f'composite:{paste_loader.ROOT}',
                None,
                f'{broken.text}; manila-api does not start',
                [self._writer.take_the_targets()],
                'section',
            )
        title = place.section.title
        if broken.strategy:
            return self._no_strategy(place)
        where = f'[{title}]'
        if place.value is not None:
            where += f' {place.value.name}'
        return self._fails(
            place,
            f'{where}: {broken.text}; manila-api does not start',
            self._writer.defining(place, broken),
            broken.undefined or 'section',
        )

    def _no_strategy(self, place: paste_loader.Place) -> model.Finding:
        section = place.section
        return self._fails(
            place,
            f'[{section.title}] has no pipeline '
            + (
                f'{self._strategy}, which [DEFAULT] auth_strategy selects'
                if self._strategy
                else 'for the empty value of [DEFAULT] auth_strategy'
            )
            + '; manila-api does not start',
            [self._pipeline_for(place)],
            'auth_strategy',
            {'auth_strategy': self._strategy},
        )

    def _pipeline_for(self, place: paste_loader.Place) -> model.Remediation:
        """Return how a composite gets the pipeline that it lacks."""
        section = place.section
        wanted: list[paste.PasteValue] = []
        if not self._strategy_refused:
            # The site's own pipeline takes precedence over the package's.
            wanted = [
                value._replace(name=self._strategy)
                for value in section.values
                if value.name == f'{self._strategy}_nolimit'
            ]
            own = self._own.section(section.title)
            wanted += [
                value
                for value in (own.values if own is not None else ())
                if value.name == self._strategy
            ]
        if wanted:
            # early: the source, whose auth_strategy differs, ignores it.
            return self._writer.added(section.title, wanted[:1], early=True)
        keys = [
            v.name
            for v in section.values
            if v.name != 'use' and self._is_strategy(v.name)
        ]
        if not keys:
            return model.advice(
                f'Give [{section.title}] a pipeline of an auth_strategy that '
                f'{self._target} accepts.'
            ).with_edits(
                self._writer.edit('choose', place, 'a pipeline of its own')
            )
        return model.advice(
            f'Set auth_strategy to a pipeline of [{section.title}] '
            f'({", ".join(keys)}), or give it one.'
        ).with_edits(
            self._writer.edit(
                'choose', place, f'auth_strategy = {" or ".join(keys)}'
            )
        )

    def _is_strategy(self, name: str) -> bool:
        """Say whether the target accepts an auth_strategy."""
        lines = self._config.find('DEFAULT', 'auth_strategy')
        return all(
            self._reader.accepts(line._replace(value=name)) for line in lines
        )

    # -- what only the target's own file has ---------------------------------

    def _lacking(self) -> Iterator[model.Finding]:
        loaded = self._loaded
        if loaded.broken or loaded.unknown:
            # What was not followed would count as lacking.
            return
        here = {factory.spec for factory in loaded.factories}
        for factory in self._own_loaded.factories:
            if factory.spec in here:
                continue
            since = self._since(factory.spec)
            if since == self._catalog.releases[0]:
                # Every release ships it, so somebody removed it on purpose.
                continue
            title = factory.place.section.title
            yield self._finding(
                Severity.INFO,
                title,
                None,
                f'since {since}, the api-paste.ini of manila has [{title}] '
                f'({factory.spec}); this file does not load it, and '
                'manila-api works without it',
                self._writer.adding(factory),
                'lacking',
                {'factory': factory.spec, 'since': since.name},
            )

    def _since(self, spec: str) -> releases.Release:
        """Return the first release whose api-paste.ini names some code."""
        return next(
            release
            for release in self._catalog.releases
            if spec
            in factories.of_sections(self._catalog.paste(release).values())
        )

    # -- findings ------------------------------------------------------------

    def _fails(
        self,
        place: paste_loader.Place,
        message: str,
        remediation: Sequence[model.Remediation],
        aspect: str,
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        return self._finding(
            Severity.FAILURE,
            place.section.title,
            place.line,
            message,
            remediation,
            aspect,
            data,
        )

    def _finding(
        self,
        severity: Severity,
        title: str,
        line: Optional[int],
        message: str,
        remediation: Sequence[model.Remediation],
        aspect: str,
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        return model.Finding(
            severity,
            model.Subject('paste', title, self._file.path, line),
            message,
            remediation,
            (
                [f'manila {self._package.version} etc/manila/api-paste.ini']
                if aspect in ('factory', 'lacking')
                else []
            ),
            data or {},
            aspect,
        )


def _refuses_strategy(reader: config_reader.Reader) -> bool:
    """Say whether a release rejects the auth_strategy that is set."""
    try:
        reader.get('DEFAULT', 'auth_strategy')
    except config_reader.Refused:
        return reader.look_up('DEFAULT', 'auth_strategy').read
    return False
