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

"""What to write into an api-paste.ini, so that the target loads it."""

from collections.abc import Sequence
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence import paste
from manila_precheck.evidence import paste_loader


class Loading(NamedTuple):
    """An api-paste.ini, and what manila-api loads from it."""

    file: paste.PasteFile
    loaded: paste_loader.Loaded


class Writer:
    """Writes the remedies for one api-paste.ini.

    :param here: the file of this site.
    :param own: the file that the target ships.
    :param version: the version of manila that ships it.
    """

    def __init__(self, here: Loading, own: Loading, version: str) -> None:
        self._file, self._loaded = here
        self._own, self._own_loaded = own
        self._version = version

    def defining(
        self, place: paste_loader.Place, broken: paste_loader.Broken
    ) -> list[model.Remediation]:
        """Return the missing section, or the line without its name."""
        if not broken.undefined:
            return [self._choose(place)]
        for section in self._own.sections:
            if (
                section.name == broken.undefined
                and (section.prefix == 'filter') is broken.is_filter
                # A section that the target does not use, like /v1 of older
                # releases, does not help.
                and section.title in self._own_loaded.titles
            ):
                return [self.added(section.title, section.values)]
        if broken.is_filter and place.value is not None:
            return [self._pipeline_without(place, broken.undefined)]
        drops, unused, paths = self._unmapped(place)
        if drops:
            return self._unmapping(drops, unused, paths)
        return [self._choose(place)]

    def _choose(self, place: paste_loader.Place) -> model.Remediation:
        return self.take_the_targets().with_edits(
            self.edit('choose', place, 'what the file of the target has')
        )

    def take_the_targets(self, instead: bool = False) -> model.Remediation:
        """Return the advice to start from the file of the target."""
        return model.advice(
            f'{"Or start" if instead else "Start"} from '
            f'etc/manila/api-paste.ini of manila {self._version}, and apply '
            'your own changes to it.'
        )

    def lines(
        self, title: str, values: Sequence[paste.PasteValue]
    ) -> model.Remediation:
        """Return lines to write into the file."""
        # Paths are written with a colon, as in the files of manila.
        return model.config(
            '\n'.join(
                [
                    # Without this, lines of a remedy are for manila.conf.
                    '# in {}',
                    '[{}]',
                    *(
                        '{}: {}' if value.name.startswith('/') else '{} = {}'
                        for value in values
                    ),
                ]
            ),
            # A line break in the path would end the comment.
            re.sub(r'[\r\n]+', ' ', self._file.path),
            title,
            *(word for value in values for word in (value.name, value.text)),
        )

    def added(
        self,
        title: str,
        values: Sequence[paste.PasteValue],
        early: bool = False,
    ) -> model.Remediation:
        """Return lines to write that are not in the file.

        :param early: whether they change nothing for the source.
        """
        return self.lines(title, values).with_edits(
            *(
                model.Edit(
                    'add',
                    'paste',
                    self._file.path,
                    section=title,
                    name=value.name,
                    value=value.text,
                    early=early,
                )
                for value in values
            )
        )

    def edit(
        self,
        action: str,
        place: paste_loader.Place,
        text: Optional[str] = None,
    ) -> model.Edit:
        """Return a change of a section or line that the file has."""
        value = place.value
        return model.Edit(
            action,
            'paste',
            self._file.path,
            place.line or None,
            place.section.title,
            value.name if value is not None else '',
            text,
        )

    def keyed(
        self, factory: paste_loader.Factory, key: str
    ) -> model.Remediation:
        """Return the section of some code, which another key names now."""
        section = factory.place.section
        values = [
            value._replace(name=key, text=factory.spec)
            if value == factory.place.value
            else value
            for value in section.values
        ]
        named = paste.PasteValue(key, factory.spec, 0)
        return self.lines(section.title, values).with_edits(
            self.edit('comment', factory.place),
            *self.added(section.title, [named]).edits,
        )

    def as_application(
        self, factory: paste_loader.Factory, spec: str
    ) -> list[model.Remediation]:
        """Return the lines that give a filter a path of its own.

        As a filter, the health check answers one path and passes on all
        others. The path is the one that its section sets, else the default of
        the middleware (oslo.middleware 8.0.0 oslo_middleware/healthcheck).

        :param spec: the factory of the application.
        :returns: nothing if the file has no composite for another path.
        """
        section = factory.place.section
        root = next(
            (
                one
                for one in self._file.sections
                if one.prefix in ('composite', 'composit')
                and one.name == paste_loader.ROOT
            ),
            None,
        )
        if root is None or not section.name:
            return []
        path = next(
            (v.text for v in section.values if v.name == 'path'),
            '/healthcheck',
        )
        if any(value.name == path for value in root.values):
            return []
        here = paste.PasteValue(path, section.name, 0)
        return [
            *self._pipelines_without(section),
            self.added(
                f'app:{section.name}',
                [
                    paste.PasteValue('paste.app_factory', spec, 0),
                    *(
                        value
                        for value in section.values
                        if value != factory.place.value
                        and value.name != 'path'
                    ),
                ],
            ),
            self.lines(root.title, [*root.values, here]).with_edits(
                *self.added(root.title, [here]).edits
            ),
        ]

    def _pipelines_without(
        self, section: paste.PasteSection
    ) -> list[model.Remediation]:
        return [
            self._pipeline_without(reference.place, section.name)
            for reference in self._loaded.references
            if reference.title == section.title
            and reference.place.value is not None
            and reference.place.value.name not in ('use', 'next')
            and len(reference.place.value.text.split()) > 1
        ]

    def _pipeline_without(
        self, place: paste_loader.Place, name: str
    ) -> model.Remediation:
        assert place.value is not None
        names = [n for n in place.value.text.split() if n != name]
        text = ' '.join(names)
        return self.lines(
            place.section.title, [place.value._replace(text=text)]
        ).with_edits(self.edit('set', place, text))

    def without(
        self, factory: paste_loader.Factory
    ) -> list[model.Remediation]:
        """Return the lines with which the file no longer uses some code."""
        section = factory.place.section
        if factory.is_filter:
            return [
                *self._pipelines_without(section),
                self.take_the_targets(instead=True),
            ]
        drops, unused, paths = self._unmapped(factory.place)
        if not drops:
            return [self._choose(factory.place)]
        return self._unmapping(drops, unused, paths)

    def _unmapped(
        self, place: paste_loader.Place
    ) -> tuple[list[paste_loader.Place], list[str], list[str]]:
        """Return what to remove so that nothing refers to a place.

        :returns: the lines that map a path to it, the sections that become
            unused, the paths; all empty if it cannot be done.
        """
        drops: list[paste_loader.Place] = []
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
                # Nothing refers to the application itself.
                return [], [], []
            drops.extend(r.place for r in here if r.mapped)
            waiting.extend(r.place.section.title for r in here if not r.mapped)
        paths = [p.value.name for p in drops if p.value is not None]
        return drops, unused, paths

    def _unmapping(
        self,
        drops: list[paste_loader.Place],
        unused: list[str],
        paths: list[str],
    ) -> list[model.Remediation]:
        found = []
        for title in dict.fromkeys(p.section.title for p in drops):
            section = self._file.section(title)
            assert section is not None
            found.append(
                self.lines(
                    title,
                    [v for v in section.values if v.name not in paths],
                ).with_edits(
                    *(
                        self.edit('comment', place)
                        for place in drops
                        if place.section.title == title
                    )
                )
            )
        text = f'Requests to {" and ".join(paths)} then get 404'
        if unused:
            titles = ', '.join(f'[{title}]' for title in reversed(unused))
            text += f'; nothing uses {titles} any longer'
        return [
            *found,
            model.advice(f'{text}.'),
            self.take_the_targets(instead=True),
        ]

    def adding(self, factory: paste_loader.Factory) -> list[model.Remediation]:
        """Return the section, and this file's lines with its name added."""
        section = factory.place.section
        found = []
        if self._file.section(section.title) is None:
            found.append(self.added(section.title, section.values))
        for reference in self._own_loaded.references:
            if reference.title != section.title:
                continue
            value = reference.place.value
            mine = self._file.section(reference.place.section.title)
            if mine is None or value is None:
                continue
            line = next((v for v in mine.values if v.name == value.name), None)
            if reference.mapped and line is None:
                found.append(self.added(mine.title, [value]))
            elif factory.is_filter and line is not None:
                text = _inserted(
                    section.name, value.text.split(), line.text.split()
                )
                found.append(
                    self.lines(
                        mine.title, [line._replace(text=text)]
                    ).with_edits(
                        self.edit('set', paste_loader.Place(mine, line), text)
                    )
                )
        return found


def _inserted(name: str, model_names: list[str], names: list[str]) -> str:
    """Return a pipeline with a name inserted where the model has it."""
    after = model_names[model_names.index(name) + 1 :]
    place = next(
        (names.index(other) for other in after if other in names),
        len(names) - 1,
    )
    return ' '.join([*names[:place], name, *names[place:]])
