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

"""What the target makes of one api-paste.ini."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import drivers
from manila_precheck.checks.api_paste import factories
from manila_precheck.checks.api_paste import loader
from manila_precheck.checks.api_paste import writer
from manila_precheck.engine import context
from manila_precheck.evidence import paste
from manila_precheck.evidence.config import config_reader

Severity = model.Severity


class Judge:
    """One file, loaded by the target."""

    def __init__(self, ctx: context.Context) -> None:
        self._catalog = ctx.catalog
        self._target = ctx.upgrade.target
        self._file = ctx.paste
        self._package = ctx.catalog.package(self._target)
        self._modules = ctx.catalog.plugins(self._target, drivers.API_MODULE)
        self._strategy = (
            ctx.config.value('DEFAULT', 'auth_strategy') or 'keystone'
        )
        self._config = ctx.config
        self._reader = reader = ctx.reader(self._target)
        #: config-options says what to set instead.
        self._strategy_refused = _refuses_strategy(reader)
        try:
            limited = reader.get('DEFAULT', 'api_rate_limit') is not False
        except config_reader.Refused:
            limited = True
        self._loaded = loader.load(self._file, self._strategy, limited)
        #: The file that the target ships, and what it loads from that.
        self._own = paste.from_sections(
            ctx.catalog.paste(self._target), self._package.filename
        )
        self._own_loaded = loader.load(self._own, self._strategy, limited)
        self._known = factories.of_file(self._own)
        self._writer = writer.Writer(
            writer.Loading(self._file, self._loaded),
            writer.Loading(self._own, self._own_loaded),
            self._package.version,
        )

    @property
    def loaded(self) -> loader.Loaded:
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

    # -- code ----------------------------------------------------------------

    def _gone(self, spec: str) -> str:
        """Return how the import of a factory of manila fails, '' if not."""
        if spec in self._known or factories.has(spec, self._target):
            return ''
        module = spec.partition(':')[0]
        parent = '.'.join(module.split('.')[:3])
        if parent.startswith('manila.api.v') and parent[12:].isdigit():
            if parent not in self._modules:
                return f'ModuleNotFoundError: {parent}'
        return 'it cannot be imported'

    def _code(self, factory: loader.Factory) -> Iterator[model.Finding]:
        spec = factory.spec
        if factories.of_manila(spec):
            why = self._gone(spec)
            if why:
                yield self._fails(
                    factory.place,
                    f'[{factory.place.section.title}] loads {spec}, which '
                    f'{self._target} does not have ({self._history(spec)}); '
                    f'manila-api does not start ({why})',
                    self._writer.without(factory),
                    'factory',
                    {'factory': spec},
                )
        elif not self._comes_along(spec):
            yield self._finding(
                Severity.WARNING,
                factory.place.section.title,
                factory.place.line,
                f'[{factory.place.section.title}] loads {spec}, which '
                'belongs neither to manila nor to a package that '
                f'{self._target} requires; manila-precheck does not know '
                'whether it will be installed',
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

    def _history(self, spec: str) -> str:
        had = [
            release
            for release in self._catalog.releases
            if spec
            in factories.of_sections(self._catalog.paste(release).values())
            or factories.has(spec, release)
        ]
        if not had:
            return f'no release since {self._catalog.releases[0]} has it'
        if had[-1] < self._target:
            return f'{had[-1]} was the last to have it'
        return f'it was added in {had[0]}'

    def _comes_along(self, spec: str) -> bool:
        """Say whether code comes with what the target depends on."""
        if spec in self._known:
            return True
        if spec.startswith('config:'):
            return False
        needed = self._catalog.requirements(self._target)
        if spec.startswith('egg:'):
            package = spec[len('egg:') :].partition('#')[0]
        else:
            package = spec.partition(':')[0].partition('.')[0]
        return package.lower().replace('_', '-').replace('.', '-') in needed

    def _not_loaded(self) -> Iterator[model.Finding]:
        """Yield code that is gone, in sections that nothing leads to."""
        if self._loaded.unknown:
            return
        for section in self._file.sections:
            value = section.factory
            if section.title in self._loaded.titles or value is None:
                continue
            spec = factories.spec(value.text)
            if not factories.of_manila(spec) or not self._gone(spec):
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
                        self._writer.edit('comment', loader.Place(section))
                    )
                ],
                'factory',
                {'factory': spec},
            )

    # -- names ---------------------------------------------------------------

    def _broken(self, broken: loader.Broken) -> model.Finding:
        place = broken.place
        if place is None:
            return self._finding(
                Severity.FAILURE,
                f'composite:{loader.ROOT}',
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

    def _no_strategy(self, place: loader.Place) -> model.Finding:
        section = place.section
        return self._fails(
            place,
            f'[{section.title}] has no pipeline {self._strategy}, which '
            '[DEFAULT] auth_strategy selects; manila-api does not start',
            [self._pipeline_for(place)],
            'auth_strategy',
            {'auth_strategy': self._strategy},
        )

    def _pipeline_for(self, place: loader.Place) -> model.Remediation:
        """Return how a composite gets the pipeline that it lacks."""
        section = place.section
        wanted: list[paste.Value] = []
        if not self._strategy_refused:
            # The site's own pipeline goes before that of the package.
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
            # The source has no use for it: it has another auth_strategy.
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

    # -- what the target's own file has --------------------------------------

    def _lacking(self) -> Iterator[model.Finding]:
        loaded = self._loaded
        if loaded.broken or loaded.unknown:
            # It would be counted as lacking what is behind the break.
            return
        here = {factory.spec for factory in loaded.factories}
        for factory in self._own_loaded.factories:
            if factory.spec in here:
                continue
            since = self._since(factory.spec)
            if since == self._catalog.releases[0]:
                # What every release ships was taken out on purpose.
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
        """Return the first release whose own file names some code."""
        return next(
            release
            for release in self._catalog.releases
            if spec
            in factories.of_sections(self._catalog.paste(release).values())
        )

    # -- findings ------------------------------------------------------------

    def _fails(
        self,
        place: loader.Place,
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
    """Say whether a release does not accept the auth_strategy that is set."""
    try:
        reader.get('DEFAULT', 'auth_strategy')
    except config_reader.Refused:
        return reader.standing('DEFAULT', 'auth_strategy').read
    return False
