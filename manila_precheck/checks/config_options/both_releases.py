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

"""One configuration, as the two releases of an upgrade read it."""

import functools
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import releases
from manila_precheck.catalog import losses
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_edits
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

if TYPE_CHECKING:
    from manila_precheck.evidence import paste_loader


class Sides:
    """Some configuration files, as the source and the target read them.

    :param ctx: the run.
    """

    def __init__(self, ctx: context.Context) -> None:
        self.ctx = ctx
        self.conf = ctx.config
        self.catalog = ctx.catalog
        self.source = ctx.reader(ctx.upgrade.source)
        self.target = ctx.reader(ctx.upgrade.target)
        #: Creates the changes that upgrade fix makes.
        self.edits = config_edits.Edits(self.source, self.target)

    @functools.cached_property
    def after(self) -> Optional[config_reader.Reader]:
        """The release after the target, if the catalog covers it."""
        hops = [
            hop
            for hop in releases.next_hops(self.target.release)
            if self.catalog.covers(hop)
        ]
        return self.ctx.reader(hops[-1]) if hops else None

    @functools.cached_property
    def api(self) -> 'Optional[paste_loader.Loaded]':
        """What the API of the target loads; None if not completely known."""
        return self._loaded(self.target.release)

    @functools.cached_property
    def api_before(self) -> 'Optional[paste_loader.Loaded]':
        """The same for the source."""
        return self._loaded(self.source.release)

    def _loaded(
        self, release: releases.Release
    ) -> 'Optional[paste_loader.Loaded]':
        from manila_precheck.engine import api_filters

        loaded = api_filters.load(self.ctx, release)
        if loaded is None:
            return None
        facts = self.catalog.factories(release)
        known = {'manila', *facts.packages, *facts.eggs}
        ours = all(one.package in known for one in loaded.factories)
        whole = ours and not (loaded.broken or loaded.unknown)
        return loaded if whole else None

    def loss(self, group: str, name: str, value: str) -> Optional[losses.Loss]:
        """Return what the target loses if it does not read a line.

        :param value: the value of the line.
        :returns: None if the target loses nothing but the setting itself.
        """
        found = losses.loss(group, name)
        if (
            found is None
            or not found.follows(value)
            or not all(_is_set(self.source, one) for one in found.when)
            or (found.unless and _is_set(self.target, found.unless))
        ):
            return None
        return found

    def shown(self, setting: config_files.Setting) -> str:
        """Return a value for a message, with a placeholder for a secret."""
        if (
            setting.stored
            or self.conf.is_secret(setting.name)
            or setting.name in self.catalog.secrets
        ):
            return f'(the value in {setting.where})'
        return setting.value.replace('\n', '\n    ')

    def assigned(self, setting: config_files.Setting) -> str:
        """Return '[section] name = value' for a message, on one line."""
        value = ' '.join(self.shown(setting).split())
        return f'[{setting.section}] {setting.name} = {value}'.rstrip()


def _is_set(reader: config_reader.Reader, option: config_files.Name) -> bool:
    try:
        return bool(reader.get(*option))
    except config_reader.Refused:
        return False
