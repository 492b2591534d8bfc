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

"""The line that an operator may have meant by one that is not read."""

from manila_precheck import catalog
from manila_precheck.catalog import options
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader


class Hints:
    """Finds options of the target that resemble a line that it ignores.

    :param conf: the files.
    :param target: reads the files as the target release does.
    :param facts: the catalog, to recognize options of other releases.
    """

    def __init__(
        self,
        conf: config_files.ConfigFiles,
        target: config_reader.Reader,
        facts: catalog.Catalog,
    ) -> None:
        self._conf = conf
        self._target = target
        self._facts = facts

    def hint(self, setting: config_files.Setting, moved: bool = False) -> str:
        """Say which line may have been meant; '' if nothing is similar.

        :param moved: whether the source reads the line here, so that the
            option may have moved.
        """
        roles = self._conf.roles(setting.group)
        if config_files.SectionRole.PEER in roles and (
            setting.group != 'DEFAULT'
        ):
            return f'enabled_share_backends does not name {setting.section}.'
        if setting.group.startswith('cors.'):
            return 'List every origin in allowed_origin of [cors].'
        plain = setting.name.replace('-', '_').lower()
        if (
            plain != setting.name
            and self._target.look_up(setting.group, plain).read
        ):
            return f'The option is spelled {plain}.'
        # An option that an earlier release had in this section is not the
        # option with that name elsewhere.
        if not moved and self._facts.option_releases(
            setting.name, setting.group
        ):
            return ''
        current = self._current_name(setting)
        if current:
            return f'It is an old name of {current}.'
        homes = self._homes(setting.name)
        if homes:
            return f'{setting.name} is read in {" and ".join(homes)}.'
        near = self._nearest(setting)
        return f'Did you mean {near}?' if near else ''

    def _current_name(self, setting: config_files.Setting) -> str:
        """Return the current option for an old name; '' if there is none.

        For [database] idle_timeout it is '[database] connection_recycle_time'.
        """
        if setting.name not in self._facts.old_option_names:
            return ''
        for release in reversed(self._facts.releases):
            match = self._facts.options(release).find(
                setting.group, setting.name
            )
            if match is None or not match.old:
                continue
            for group in sorted(match.option.groups):
                if self._target.look_up(group, match.option.name).read:
                    return f'[{group}] {match.option.name}'
        return ''

    def _homes(self, name: str) -> list[str]:
        """Return where the only option of this name is read."""
        found = self._target.options.named(name)
        if len(found) != 1:
            return []
        kinds = [
            word for kind, word in _KINDS.items() if kind in found[0].kinds
        ]
        groups = set(found[0].groups)
        if kinds and self._conf.effective([config_files.ENABLED_BACKENDS]):
            # Drivers register their options in [DEFAULT] too, where no back
            # end reads them.
            groups.discard('DEFAULT')
        return [*sorted(f'[{group}]' for group in groups), *kinds]

    def _nearest(self, setting: config_files.Setting) -> str:
        # The name of an existing option is not a misspelling of another one.
        if self._facts.has_option(setting.name):
            return ''
        # Imported here because few runs look for a misspelling.
        import difflib

        # The first letters are usually right, and comparing all names takes
        # milliseconds.
        head = setting.name[:2].lower()
        names = sorted(
            name
            for name in self._target.options.names
            if name.startswith(head)
        )
        for name in difflib.get_close_matches(setting.name, names, 3, 0.85):
            if self._target.look_up(setting.group, name).read:
                return name
        return ''


_KINDS = {
    options.BACKEND: 'the section of a back end',
    options.NETWORK: 'the section that network_config_group names',
    options.BINDING_PROFILE: 'a section of neutron_binding_profiles',
    options.BACKUP: 'a section of netapp_enabled_backup_types',
}
