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

"""The check ``api-paste``."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Optional

from manila_precheck import check
from manila_precheck import context
from manila_precheck import model
from manila_precheck import releases
from manila_precheck import standing
from manila_precheck.catalog import drivers
from manila_precheck.sources import paste
from manila_precheck.sources import paste_loading

Severity = model.Severity

# Code of manila that a file may name although no api-paste.ini that manila
# ships does, with the first and the last release that has it (None: still
# there in 23.0.1): every class with a factory(), and every function of that
# kind, below manila.api and manila.wsgi.
_MORE_FACTORIES = {
    'manila.api.auth:pipeline_factory': (12, 12),
    'manila.api.extensions:ExtensionsResource.factory': (12, None),
    'manila.api.middleware.auth:InjectContext.factory': (12, None),
    'manila.api.middleware.auth:NoAuthMiddlewareBase.factory': (12, None),
    'manila.api.openstack.urlmap:urlmap_factory': (12, None),
    'manila.api.openstack.wsgi:Resource.factory': (12, None),
    'manila.api.openstack:APIRouter.factory': (12, None),
    'manila.api.urlmap:urlmap_factory': (12, None),
    'manila.api.v1.limits:RateLimitingMiddleware.factory': (12, 21),
    'manila.api.v2.limits:RateLimitingMiddleware.factory': (22, None),
    'manila.wsgi.common:Application.factory': (12, None),
    'manila.wsgi.common:Middleware.factory': (12, None),
}


class ApiPaste(check.Check):
    """manila-api of the target does not start with the api-paste.ini here.

    manila-api makes its application from the file that [DEFAULT]
    ``api_paste_config`` names, by importing the code that stands in it.
    Packages and deployment tools keep a file that was changed by hand, so
    that the one of an old release meets the new code. The API v1 is gone
    from 2026.1: ``[app:api]``, which the file of every release up to 2025.2
    has (etc/manila/api-paste.ini), leads to a ModuleNotFoundError, while
    ``manila-status upgrade check`` says Success.

    It follows the file as PasteDeploy does, from ``osapi_share`` on, with
    the ``auth_strategy`` and ``api_rate_limit`` of manila.conf. Sections that
    nothing leads to are never imported and do no harm. What is
    compared are the files and modules of manila's packages in the catalog;
    code of packages that the target depends on is taken to be there.

    FAILURE: manila-api of the target does not start: code of manila that it
    does not have, a name that no section defines, no pipeline for the
    ``auth_strategy``, a file that cannot be parsed. INFO: such code in a
    section that is not loaded; code of a third party, or another file, of
    which nothing is known here; what a release has added to the file since
    and this one does not load (the filter ``request_id``, from 2025.2 on):
    the API works without it.

    Without ``api_paste_config`` the file is looked for beside the
    configuration files. When there is none the check is skipped, if
    [keystone_authtoken] or an option of the API says that manila-api runs
    here; else it does not apply. A file that the option names and that is not
    there is an error.

    Known false positives: a file that the packages of the target replace;
    a fork that adds code below ``manila.`` is judged as manila itself.
    """

    id = 'api-paste'
    title = 'Paste configuration of the API'
    requires = frozenset({model.Source.CONFIG, model.Source.PASTE})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what keeps manila-api from starting, and what it misses."""
        yield from _Judge(self, ctx).findings()


class _Judge:
    """One file, loaded by the target."""

    def __init__(self, owner: ApiPaste, ctx: context.Context) -> None:
        self._owner = owner
        self._catalog = ctx.catalog
        self._target = ctx.upgrade.target
        self._file = ctx.paste
        self._package = ctx.catalog.package(self._target)
        self._modules = ctx.catalog.plugins(self._target, drivers.API_MODULE)
        self._strategy = (
            ctx.config.value('DEFAULT', 'auth_strategy') or 'keystone'
        )
        reader = standing.Reader(ctx.config, ctx.catalog, self._target)
        try:
            limited = reader.get('DEFAULT', 'api_rate_limit') is not False
        except standing.Refused:
            limited = True
        self._loaded = paste_loading.load(self._file, self._strategy, limited)
        #: The file that the target ships, and what it loads from that.
        self._own = paste.from_sections(
            ctx.catalog.paste(self._target), self._package.filename
        )
        self._own_loaded = paste_loading.load(
            self._own, self._strategy, limited
        )
        self._known = _factories(self._own)

    def findings(self) -> Iterator[model.Finding]:
        problem = self._file.problem
        if problem is not None:
            yield self._finding(
                Severity.FAILURE,
                self._file.path.rpartition('/')[2],
                problem.line,
                f'the file cannot be parsed: {problem.text}; manila-api '
                'does not start',
                [self._take_the_targets()],
                'syntax',
            )
            return
        for broken in self._loaded.broken:
            yield self._broken(broken)
        for factory in self._loaded.factories:
            yield from self._code(factory)
        for place in self._loaded.unknown:
            yield self._finding(
                Severity.INFO,
                place.section.title,
                place.line,
                f'[{place.section.title}] leaves it to another file, or to '
                'code that is not known here, what else manila-api loads; '
                'that is not looked at',
                [
                    model.advice(
                        'Start manila-api of the target with the file before '
                        'the upgrade, where nobody needs it.'
                    )
                ],
                'elsewhere',
            )
        yield from self._not_loaded()
        yield from self._lacking()

    # -- code ----------------------------------------------------------------

    def _gone(self, spec: str) -> str:
        """Return how the import of a factory of manila fails, '' if not."""
        if spec in self._known or _has(spec, self._target):
            return ''
        module = spec.partition(':')[0]
        parent = '.'.join(module.split('.')[:3])
        if parent.startswith('manila.api.v') and parent[12:].isdigit():
            if parent not in self._modules:
                return f'ModuleNotFoundError: {parent}'
        return 'it cannot be imported'

    def _code(self, factory: paste_loading.Factory) -> Iterator[model.Finding]:
        spec = factory.spec
        if _of_manila(spec):
            why = self._gone(spec)
            if why:
                yield self._fails(
                    factory.place,
                    f'[{factory.place.section.title}] loads {spec}, which '
                    f'{self._target} does not have ({self._history(spec)}); '
                    f'manila-api does not start ({why})',
                    self._without(factory),
                    'factory',
                    {'factory': spec},
                )
        elif not self._comes_along(spec):
            yield self._finding(
                Severity.INFO,
                factory.place.section.title,
                factory.place.line,
                f'[{factory.place.section.title}] loads {spec}, which is '
                f'neither of manila nor of a package that {self._target} '
                'depends on: whether it will be installed is not known here',
                [
                    model.advice(
                        'Install it with the packages of the target as well, '
                        'in a version for them; without it manila-api does '
                        'not start.'
                    )
                ],
                'factory',
                {'factory': spec},
            )

    def _history(self, spec: str) -> str:
        had = [
            release
            for release in self._catalog.releases
            if spec in _factories_of(self._catalog.paste(release).values())
            or _has(spec, release)
        ]
        if not had:
            return 'no release since wallaby has it'
        if had[-1] < self._target:
            return f'{had[-1]} was the last to have it'
        return f'it is there from {had[0]} on'

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
            spec = _spec(value.text)
            if not _of_manila(spec) or not self._gone(spec):
                continue
            yield self._finding(
                Severity.INFO,
                section.title,
                value.line,
                f'[{section.title}] names {spec}, which {self._target} does '
                f'not have ({self._history(spec)}); manila-api does not load '
                'the section',
                [model.advice(f'Take [{section.title}] out of the file.')],
                'factory',
                {'factory': spec},
            )

    # -- names ---------------------------------------------------------------

    def _broken(self, broken: paste_loading.Broken) -> model.Finding:
        place = broken.place
        if place is None:
            return self._finding(
                Severity.FAILURE,
                f'composite:{paste_loading.ROOT}',
                None,
                f'{broken.text}; manila-api does not start',
                [self._take_the_targets()],
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
            self._defining(place, broken),
            broken.undefined or 'section',
        )

    def _no_strategy(self, place: paste_loading.Place) -> model.Finding:
        section = place.section
        own = self._own.section(section.title)
        wanted = [
            value
            for value in (own.values if own is not None else ())
            if value.name == self._strategy
        ]
        keys = [v.name for v in section.values if v.name != 'use']
        remediation = (
            [self._lines(section.title, wanted)]
            if wanted
            else [
                model.advice(
                    f'Set auth_strategy to a pipeline of [{section.title}] '
                    f'({", ".join(keys) or "it has none"}), or give it one.'
                )
            ]
        )
        return self._fails(
            place,
            f'[{section.title}] has no pipeline {self._strategy}, which '
            '[DEFAULT] auth_strategy selects; manila-api does not start',
            remediation,
            'auth_strategy',
            {'auth_strategy': self._strategy},
        )

    def _defining(
        self, place: paste_loading.Place, broken: paste_loading.Broken
    ) -> list[model.Remediation]:
        """Return the section that is missing, or the line without its name."""
        if not broken.undefined:
            return [self._take_the_targets()]
        for section in self._own.sections:
            if (
                section.name == broken.undefined
                and (section.prefix == 'filter') is broken.is_filter
                # Another release's /v1 leads nowhere in the target.
                and section.title in self._own_loaded.titles
            ):
                return [self._lines(section.title, section.values)]
        if broken.is_filter and place.value is not None:
            return [self._pipeline_without(place, broken.undefined)]
        drops, unused, paths = self._unmapped(place)
        if drops:
            return self._unmapping(drops, unused, paths)
        return [self._take_the_targets()]

    # -- what to write -------------------------------------------------------

    def _take_the_targets(self, instead: bool = False) -> model.Remediation:
        return model.advice(
            f'{"Or take" if instead else "Take"} etc/manila/api-paste.ini of '
            f'the package manila {self._package.version}, and put your own '
            'changes into it.'
        )

    def _lines(
        self, title: str, values: Iterable[paste.Value]
    ) -> model.Remediation:
        # A colon after the paths, as everyone writes them.
        return model.config(
            '\n'.join(
                [
                    # Elsewhere such lines are for manila.conf.
                    f'# in {self._file.path}',
                    f'[{title}]',
                    *(
                        f'{value.name}: {value.text}'
                        if value.name.startswith('/')
                        else f'{value.name} = {value.text}'
                        for value in values
                    ),
                ]
            )
        )

    def _pipeline_without(
        self, place: paste_loading.Place, name: str
    ) -> model.Remediation:
        assert place.value is not None
        names = [n for n in place.value.text.split() if n != name]
        return self._lines(
            place.section.title,
            [place.value._replace(text=' '.join(names))],
        )

    def _without(
        self, factory: paste_loading.Factory
    ) -> list[model.Remediation]:
        """Return the lines of a file that no longer leads to some code."""
        section = factory.place.section
        if factory.is_filter:
            return [
                *(
                    self._pipeline_without(reference.place, section.name)
                    for reference in self._loaded.references
                    if reference.title == section.title
                    and reference.place.value is not None
                    and reference.place.value.name not in ('use', 'next')
                    and len(reference.place.value.text.split()) > 1
                ),
                self._take_the_targets(instead=True),
            ]
        drops, unused, paths = self._unmapped(factory.place)
        if not drops:
            return [self._take_the_targets()]
        return self._unmapping(drops, unused, paths)

    def _unmapped(
        self, place: paste_loading.Place
    ) -> tuple[list[paste_loading.Place], list[str], list[str]]:
        """Return what to take out so that nothing leads to a place.

        :returns: the lines that map a path to it, the sections that are
            not needed any more, the paths; nothing when it cannot be done.
        """
        drops: list[paste_loading.Place] = []
        unused: list[str] = []
        waiting = [place.section.title]
        if any(r.place == place and r.mapped for r in self._loaded.references):
            drops, waiting = [place], []
        elif place.value is not None and place.value.name.startswith('/'):
            drops, waiting = [place], []
        while waiting:
            title = waiting.pop()
            if title in unused:
                continue
            unused.append(title)
            here = [r for r in self._loaded.references if r.title == title]
            if not here:
                # The application itself.
                return [], [], []
            drops.extend(r.place for r in here if r.mapped)
            waiting.extend(r.place.section.title for r in here if not r.mapped)
        paths = [p.value.name for p in drops if p.value is not None]
        return drops, unused, paths

    def _unmapping(
        self,
        drops: list[paste_loading.Place],
        unused: list[str],
        paths: list[str],
    ) -> list[model.Remediation]:
        found = []
        for title in dict.fromkeys(p.section.title for p in drops):
            section = self._file.section(title)
            assert section is not None
            found.append(
                self._lines(
                    title,
                    [v for v in section.values if v.name not in paths],
                )
            )
        text = f'Requests to {" and ".join(paths)} get 404 then'
        if unused:
            titles = ', '.join(f'[{title}]' for title in reversed(unused))
            text += f'; nothing needs {titles} any more'
        return [
            *found,
            model.advice(f'{text}.'),
            self._take_the_targets(instead=True),
        ]

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
                f'the api-paste.ini of manila has [{title}] '
                f'({factory.spec}) from {since} on, and this one does not '
                'load it; manila-api works without it',
                self._adding(factory),
                'lacking',
                {'factory': factory.spec, 'since': since.name},
            )

    def _since(self, spec: str) -> releases.Release:
        """Return the first release whose own file names some code."""
        return next(
            release
            for release in self._catalog.releases
            if spec in _factories_of(self._catalog.paste(release).values())
        )

    def _adding(
        self, factory: paste_loading.Factory
    ) -> list[model.Remediation]:
        """Return the section, and this file's lines with its name in them."""
        section = factory.place.section
        found = []
        if self._file.section(section.title) is None:
            found.append(self._lines(section.title, section.values))
        for reference in self._own_loaded.references:
            if reference.title != section.title:
                continue
            value = reference.place.value
            mine = self._file.section(reference.place.section.title)
            if mine is None or value is None:
                continue
            line = next((v for v in mine.values if v.name == value.name), None)
            if reference.mapped and line is None:
                found.append(self._lines(mine.title, [value]))
            elif factory.is_filter and line is not None:
                text = _inserted(
                    section.name, value.text.split(), line.text.split()
                )
                found.append(
                    self._lines(mine.title, [line._replace(text=text)])
                )
        return found

    # -- findings ------------------------------------------------------------

    def _fails(
        self,
        place: paste_loading.Place,
        message: str,
        remediation: Iterable[model.Remediation],
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
        remediation: Iterable[model.Remediation],
        aspect: str,
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        return self._owner.finding(
            severity,
            model.Subject('paste', title, self._file.path, line),
            message,
            remediation,
            (
                [f'manila {self._package.version} etc/manila/api-paste.ini']
                if aspect in ('factory', 'lacking')
                else []
            ),
            data,
            aspect,
        )


def _spec(text: str) -> str:
    """Return 'module:attribute' of what a section names."""
    scheme, _, rest = text.partition(':')
    return ''.join((rest if scheme == 'call' else text).split())


def _of_manila(spec: str) -> bool:
    return spec.startswith(('manila.', 'manila:', 'egg:manila#'))


def _factories_of(sections: Iterable[Mapping[str, str]]) -> frozenset[str]:
    return frozenset(
        _spec(text)
        for keys in sections
        for name, text in keys.items()
        if name == 'use' or name.startswith('paste.')
    )


def _factories(file: paste.PasteFile) -> frozenset[str]:
    return frozenset(
        _spec(section.factory.text)
        for section in file.sections
        if section.factory is not None
    )


def _has(spec: str, release: releases.Release) -> bool:
    """Say whether a release has code that no shipped file names."""
    if spec not in _MORE_FACTORIES:
        return False
    first, last = _MORE_FACTORIES[spec]
    return first <= release.major and (last is None or release.major <= last)


def _inserted(name: str, model_names: list[str], names: list[str]) -> str:
    """Return a pipeline with a name put in where another one has it."""
    after = model_names[model_names.index(name) + 1 :]
    place = next(
        (names.index(other) for other in after if other in names),
        len(names) - 1,
    )
    return ' '.join([*names[:place], name, *names[place:]])
