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

"""The values of a release's options, evaluated by oslo.config itself.

This is apart from config_reader, so that listing the checks does not import
oslo.config.
"""

from collections.abc import Mapping
import contextlib
from typing import Any
from typing import Optional
from typing import TYPE_CHECKING

from oslo_config import cfg
from oslo_config import sources

from manila_precheck.catalog import options
from manila_precheck.catalog import values
from manila_precheck.evidence.config import config_files

if TYPE_CHECKING:
    from manila_precheck.evidence.config import config_reader


_NO_SAMPLES: Mapping[str, str] = {}

#: A value that stands for any that an option of the machine has: my_ip is an
#: address (manila 16.3.0 to 23.0.1 common/config.py, netutils.get_my_ipv4),
#: and a type that rejects this address rejects each.
SAMPLES = {'my_ip': '192.0.2.1'}


class NotJudged(ValueError):
    """A value depends on the machine, so it is not known here."""


class _Lines(sources.ConfigurationSource):
    """A source for oslo.config: the lines that set an option.

    oslo.config keeps no line numbers, and asks a source only for the current
    name. So :class:`config_files.ConfigFiles` finds the lines, under
    deprecated names, too, and no file is opened twice.

    :param of_host: the options whose defaults depend on the machine.
    :param samples: values that such options may have, by name.
    """

    def __init__(
        self,
        conf: config_files.ConfigFiles,
        of_host: set[cfg.Opt],
        samples: Mapping[str, str],
    ) -> None:
        self._conf = conf
        self._of_host = of_host
        self._samples = samples

    def get(
        self, group_name: Optional[str], option_name: str, opt: cfg.Opt
    ) -> tuple[Any, Any]:
        # A deprecated name without a section belongs to the option's own.
        home = group_name or 'DEFAULT'
        names = [(home, opt.dest)] + [
            (old.group or home, old.name or opt.dest)
            for old in opt.deprecated_opts
        ]
        lines = self._conf.effective(names, opt.multi)
        if lines:
            texts = [line.value for line in lines]
            where = cfg.LocationInfo(cfg.Locations.user, lines[0].where)
            return (texts if opt.multi else texts[0]), where
        if opt in self._of_host:
            if opt.dest in self._samples:
                where = cfg.LocationInfo(cfg.Locations.opt_default, '')
                return self._samples[opt.dest], where
            raise NotJudged
        return sources._NoValue, None


class Opts(cfg.ConfigOpts):
    """The options of one release, which oslo.config itself evaluates.

    Which options a section has depends on the values in it, so an option is
    registered only when a check or a reference asks for it.
    """

    class StrSubWrapper(cfg.ConfigOpts.StrSubWrapper):
        """Replaces the references in one text, up to a limit."""

        _left = config_files.MAX_EXPANDED

        def __getitem__(self, key: str) -> Any:
            conf: Any = self.conf
            if conf.depth >= config_files.MAX_NESTED:
                raise ValueError(
                    'it refers to an option through too many others'
                )
            conf.depth += 1
            try:
                value = super().__getitem__(conf.refer(self.group, key))
            finally:
                conf.depth -= 1
            self._left -= len(str(value))
            if self._left < 0:
                raise ValueError('its references make it too long')
            return value

    def __init__(
        self,
        reader: 'config_reader.Reader',
        samples: Mapping[str, str] = _NO_SAMPLES,
    ) -> None:
        super().__init__()
        self._samples = samples
        self._reader = reader
        self._registered: set[config_files.Name] = set()
        self._of_host: set[cfg.Opt] = set()
        #: How many references lead to the value that is being looked up.
        self.depth = 0
        self(
            [],
            project='manila',
            default_config_files=[],
            default_config_dirs=[],
            use_env=False,
        )

    def _load_alternative_sources(self) -> None:
        # NOTE: the only hook for a source without an entry point.
        self._sources = [
            _Lines(self._reader.conf, self._of_host, self._samples)
        ]

    def value(self, group: str, name: str) -> Any:
        """Return the value of an option, or its default.

        :raises ValueError, cfg.Error: when the release rejects the value, or
            has no such option.
        """
        found = self._register(group, name)
        home = _opt_group(found.group)
        holder = self if home is None else self[home.name]
        return holder[found.names[0][1]]

    def converted(self, group: str, name: str, text: str) -> Any:
        """Return the value that a text has for an option; as :meth:`value`."""
        found = self._register(group, name)
        assert found.option is not None
        text = self._substitute(text, _opt_group(found.group))
        return values.parser(found.option.type)(text)

    def refer(self, group: Optional[cfg.OptGroup], key: str) -> str:
        """Register the options to which a reference may lead.

        :param group: the group of the option whose value has the reference.
        :param key: 'name' or 'group.name'.
        :returns: the key, with the group as it is registered.
        """
        homes = ['DEFAULT', *([group.name] if group is not None else [])]
        home, dot, name = key.partition('.')
        if dot:
            if home == 'DEFAULT' or not self._reader.reads_section(home):
                # There is no such group: oslo.config rejects the value.
                return key
            homes = [config_files.normalize(home)]
            self.register_group(cfg.OptGroup(homes[0]))
            key = f'{homes[0]}.{name}'
        for home in homes:
            with contextlib.suppress(cfg.NoSuchOptError):
                self._register(home, name or key)
        return key

    def _register(self, group: str, name: str) -> 'config_reader.OptionLookup':
        found = self._reader.look_up(group, name)
        if found.option is None or not (
            found.read or self._reader.is_logged(found)
        ):
            raise cfg.NoSuchOptError(name)
        key = (found.group, found.option.name)
        if key not in self._registered:
            self._registered.add(key)
            opt = _opt(found.option)
            if found.option.host_default:
                self._of_host.add(opt)
            home = _opt_group(found.group)
            # oslo.config registers some options itself, such as config_source.
            with contextlib.suppress(cfg.DuplicateOptError):
                self.register_opt(opt, home, clear_cache=False)
        return found


def _opt_group(name: str) -> Optional[cfg.OptGroup]:
    return None if name == 'DEFAULT' else cfg.OptGroup(name)


def _opt(option: options.Option) -> cfg.Opt:
    """Return an option of the catalog as oslo.config registers it."""
    more: dict[str, Any] = {
        'default': None if option.host_default else option.default,
        'deprecated_opts': [
            cfg.DeprecatedOpt(old.name, group=old.group)
            for old in option.deprecated_names
        ],
    }
    kind: Any = values.parser(option.type)
    if option.multi:
        return cfg.MultiOpt(option.name, item_type=kind, **more)
    return cfg.Opt(option.name, type=kind, **more)
