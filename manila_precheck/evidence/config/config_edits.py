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
"""The changes of configuration files that findings ask for.

This module also decides whether a change can be rolled out before the upgrade:
the source release must read the changed line to the same effect.
"""

import functools
import re
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

_KIND = 'config'

# Valid names of a section and of an option in a file.
_SECTION = re.compile(r'[^\r\n\]]+')
_NAME = re.compile(r'[^\s=:\[#;][^\r\n=:]*')


class Edits:
    """Makes changes of lines for two releases that read them.

    :param source: the release that runs now.
    :param target: the release to upgrade to.
    """

    def __init__(
        self, source: config_reader.Reader, target: config_reader.Reader
    ) -> None:
        self._source = source
        self._target = target

    def comment(self, setting: config_files.Setting) -> list[model.Edit]:
        """Return how to comment out a line that the target does not use."""
        if self._has_rivals(setting):
            return self.choose(setting, 'one of the old names that are set')
        if self._is_referred_to(setting):
            return self.choose(setting, 'what the lines that refer to it need')
        return self._of(setting, 'comment', early=not self._in_use(setting))

    def move(
        self,
        setting: config_files.Setting,
        group: str,
        name: str,
        value: Optional[str] = None,
    ) -> list[model.Edit]:
        """Return how to move a line to another name.

        :param group: the section of the option in the target.
        :param name: the name of the option in the target.
        :param value: the new value; None: it does not change.
        """
        if not _fits(group, name):
            return []
        if self._has_rivals(setting):
            return self.choose(setting, 'one of the old names that are set')
        if value is None and self._refers_elsewhere(setting, group):
            return self.choose(setting, f'[{group}] {name}')
        if self._is_referred_to(setting):
            return self.choose(
                setting, f'[{group}] {name}, and in the lines that refer to it'
            )
        moved = setting._replace(
            section=group,
            name=name,
            value=setting.value if value is None else value,
        )
        return self._of(
            setting,
            'move',
            group,
            name,
            value,
            value is None and self._same_in_source(setting, moved),
        )

    def replace(
        self, setting: config_files.Setting, value: str, same: bool = False
    ) -> list[model.Edit]:
        """Return how to change the value of a line.

        :param same: whether both values mean the same to the source.
        """
        source = self._source
        good = setting._replace(value=value)
        early = (
            same
            or not self._in_use(setting)
            or (not source.accepts(setting) and source.accepts(good))
        )
        return self._of(setting, 'set', value=value, early=early)

    def add(
        self,
        beside: config_files.Setting,
        group: str,
        name: str,
        value: str,
        early: bool = False,
    ) -> list[model.Edit]:
        """Return how to add a line for an option.

        :param beside: a line of the file to which the new line is added.
        """
        if not (_fits(group, name) and _in_file(beside)):
            return []
        return [
            model.Edit(
                'add', _KIND, beside.file, None, group, name, value, early
            )
        ]

    def choose(
        self, setting: config_files.Setting, admitted: str
    ) -> list[model.Edit]:
        """Return a mark at a line whose value a person has to choose.

        :param admitted: the values to choose from.
        """
        return self._of(setting, 'choose', value=admitted, early=True)

    def choose_new(
        self,
        beside: config_files.Setting,
        group: str,
        name: str,
        admitted: str,
    ) -> list[model.Edit]:
        """Return a mark for a new line whose value a person has to choose.

        :param beside: a line of the file to which the new line is added.
        """
        if not (_fits(group, name) and _in_file(beside)):
            return []
        return [
            model.Edit(
                'choose', _KIND, beside.file, None, group, name, admitted, True
            )
        ]

    def _has_rivals(self, setting: config_files.Setting) -> bool:
        """Say whether a file has two old names of one option, and no new one.

        oslo.config uses the first one in the option's own list of old names;
        the catalog does not keep that order.
        """
        now = self._target.of(setting)
        if not now.old:
            now = self._source.of(setting)
        if not now.old:
            return False
        current, *old = now.names
        conf = self._target.conf
        if any(s.rank == setting.rank for s in conf.find(*current)):
            return False
        return any(
            other.rank == setting.rank
            and other.name != setting.name
            and other.value != setting.value
            for name in old
            for other in conf.find(*name)
        )

    def _is_referred_to(self, setting: config_files.Setting) -> bool:
        """Say whether a value refers to a line by its present name.

        oslo.config finds an option by its deprecated name, too, but then it
        does not look for a value under the new one (cfg.py _get_opt_info,
        _do_get).
        """
        return (setting.group, setting.name) in self._referred

    @functools.cached_property
    def _referred(self) -> frozenset[config_files.Name]:
        """The names to which values may refer."""
        found = set()
        for setting in self._target.conf.settings:
            for reference in config_files.references(setting.value):
                home, dot, name = reference.rpartition('.')
                for group in (home,) if dot else (setting.group, 'DEFAULT'):
                    found.add((config_files.normalize(group), name))
        return frozenset(found)

    def _of(
        self,
        setting: config_files.Setting,
        action: str,
        group: str = '',
        name: str = '',
        value: Optional[str] = None,
        early: bool = False,
    ) -> list[model.Edit]:
        if not _in_file(setting):
            return []
        return [
            model.Edit(
                action,
                _KIND,
                setting.file,
                setting.line,
                group or setting.section,
                name or setting.name,
                value,
                early,
            )
        ]

    def _in_use(self, setting: config_files.Setting) -> bool:
        """Say whether the source release takes a value from a line."""
        return self._source.of(setting).read and setting in (
            self._source.effective(setting)
        )

    def _same_in_source(
        self, setting: config_files.Setting, moved: config_files.Setting
    ) -> bool:
        """Say whether a renamed line has the same effect in the source."""
        source = self._source
        after = source.look_up(moved.group, moved.name)
        if not after.read or after.option is None:
            return False
        before = source.of(setting)
        if not before.read or before.option is None:
            return False
        return (
            (before.group, before.option.name)
            == (after.group, after.option.name)
            and setting in source.effective(setting)
            and source.accepts(setting)
        )

    def _refers_elsewhere(
        self, setting: config_files.Setting, group: str
    ) -> bool:
        """Say whether a line's references would change in another section."""
        group = config_files.normalize(group)
        if setting.group == group:
            return False
        names = [
            name
            for name in config_files.references(setting.value)
            if '.' not in name
        ]
        conf = self._target.conf
        return any(
            conf.find(home, name)
            for name in names
            for home in (setting.group, group)
            if home != 'DEFAULT'
        )


def _in_file(setting: config_files.Setting) -> bool:
    """Say whether a line is in a file of the site."""
    return setting.rank >= 0 and setting.line > 0


def _fits(group: str, name: str) -> bool:
    """Say whether a file can contain this section and this name."""
    return bool(_SECTION.fullmatch(group) and _NAME.fullmatch(name))
