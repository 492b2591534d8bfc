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

"""Options that the driver of a back end requires."""

from collections.abc import Iterator
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import conditions
from manila_precheck.catalog import driver_values
from manila_precheck.catalog import options
from manila_precheck.catalog import values
from manila_precheck.checks.config_options import both_releases
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

# Options that are marked as required and used only with share servers: without
# unity_server_meta_pool the plugin finds every pool, and creates no server on
# any (manila 22.0.2 share/drivers/dell_emc/plugins/unity/connection.py).
_WITH_SERVERS = frozenset({'unity_server_meta_pool'})

_EFFECTS = {
    'init': 'the driver cannot be created; manila-share exits with 1 and '
    'starts no back end',
    'setup': 'the driver does not start: manila-share runs, but the back end '
    'never reports',
    'required': 'the driver marks it as required and has no fallback: '
    'manila-share runs, but the back end does not work',
}


class _Lack(NamedTuple):
    """Options of which a driver needs one, and when it fails without."""

    names: tuple[str, ...]
    at: str


# The layout of GlusterFS determines what the driver needs; the catalog has the
# options for the default layout. Without a server, no volume matches the
# pattern (manila 22.0.2 share/drivers/glusterfs/layout_volume.py).
_OF_LAYOUT = {
    'layout_volume': (
        _Lack(('glusterfs_servers',), 'setup'),
        _Lack(('glusterfs_volume_pattern',), 'init'),
    ),
}


class Needed:
    """The findings about options that the sections of back ends lack."""

    def __init__(self, both: both_releases.Sides) -> None:
        self._sides = both

    def findings(self) -> Iterator[model.Finding]:
        """Yield a finding for each option that a back end lacks."""
        conf = self._sides.conf
        if not conf.runs_share:
            return
        for backend in conf.backends:
            if backend.section is None:
                # backend-drivers reports it.
                continue
            for lack in _lacks(self._sides.target, self._sides, backend.name):
                options = [(backend.name, name) for name in lack.names]
                finding = self._finding(backend, lack)
                yield unread_sources.weighed(conf, options, finding)

    def _finding(
        self, backend: config_files.Backend, lack: _Lack
    ) -> model.Finding:
        name, target = backend.name, self._sides.target
        driver = str(target.driver(name)).rpartition('.')[2]
        same = lack in _lacks(self._sides.source, self._sides, name)
        found = self._sides.conf.effective([(name, 'share_driver')])
        line = found[0] if found else backend.source
        what = ' or '.join(lack.names)
        group = self._group(name, lack)
        return model.Finding(
            model.Severity.FAILURE,
            config_files.subject(
                'option',
                f'{config_files.normalize(name)}/{lack.names[0]}',
                line,
            ),
            (
                f'[{name}] {what} has no effect beside network_config_group = '
                f'{group.value}, and {driver} of {target.release} requires '
                'it there'
                if group
                else f'[{name}] does not set {what}, which {driver} of '
                f'{target.release} requires'
            )
            + f': {_EFFECTS[lack.at]}; '
            + (
                f'{self._sides.source.release} requires it too'
                if same
                else f'{self._sides.source.release} does not require it'
            ),
            self._in_own_section(name, lack, group)
            if group
            else self._lines(name, lack, line),
            data={
                'verdict': 'missing',
                'driver': target.driver(name),
                'at': lack.at,
            },
            aspect='missing',
        )

    def _group(self, name: str, lack: _Lack) -> Optional[config_files.Setting]:
        """Return the line that moves the options to another section."""
        now = self._sides.target.look_up(name, lack.names[0])
        if now.why is not config_reader.Why.GROUP:
            return None
        return self._sides.conf.effective([(name, 'network_config_group')])[0]

    def _in_own_section(
        self, name: str, lack: _Lack, group: config_files.Setting
    ) -> list[model.Remediation]:
        return [
            model.advice(
                f'Write all options of [{group.value}] in [{name}], with:'
            ),
            model.config(
                '[{}]\nnetwork_config_group = {}\n{} = <{}>',
                name,
                name,
                lack.names[0],
                self._admitted(name, lack.names[0]),
            ).with_edits(
                *self._sides.edits.choose(
                    group, f'{name}, with the options of the network there'
                )
            ),
        ]

    def _admitted(self, name: str, option: str) -> str:
        now = self._sides.target.look_up(name, option)
        return values.admits(now.option.type) if now.option else 'text'

    def _lines(
        self,
        name: str,
        lack: _Lack,
        beside: Optional[config_files.Setting],
    ) -> list[model.Remediation]:
        lines = []
        for option in lack.names:
            admitted = self._admitted(name, option)
            lines.append(
                model.config(
                    '[{}]\n{} = <{}>', name, option, admitted
                ).with_edits(
                    *self._sides.edits.choose_new(
                        beside, name, option, admitted
                    )
                    if beside is not None
                    else ()
                )
            )
        if len(lines) == 1:
            return lines
        return [model.advice('One of these:'), *lines]


def _lacks(
    reader: config_reader.Reader, both: both_releases.Sides, name: str
) -> list[_Lack]:
    """Return what a section lacks in a release, sorted by first option."""
    driver = reader.driver(name)
    if driver is None:
        return []
    plugin = reader.plugin(name)
    try:
        mode = reader.get(name, 'driver_handles_share_servers')
    except config_reader.Refused:
        mode = None
    found: dict[str, _Lack] = {}
    for need in both.catalog.needs(reader.release, driver, plugin):
        if need.mode is not None and need.mode != mode:
            continue
        if any(
            _has(reader, name, *pair) is not False for pair in need.unless
        ) or not all(_has(reader, name, *pair) for pair in need.when):
            continue
        if not any(_is_set(reader, name, item) for item in need.options):
            found[need.options[0]] = _Lack(need.options, need.at)
    kind = driver.rpartition('.')[2]
    for asking, names, with_mode in conditions.ASKED_LATER:
        if asking != kind or with_mode not in (None, mode):
            continue
        if not any(_is_set(reader, name, item) for item in names):
            found[names[0]] = _Lack(names, 'setup')
    for lack in _OF_LAYOUT.get(reader.layout(name) or '', ()):
        if not any(_is_set(reader, name, item) for item in lack.names):
            found[lack.names[0]] = lack
    for rule in driver_values.RULES:
        if (
            rule.refuses_default
            and kind in rule.drivers
            and not (
                reader.conf.effective([(name, rule.option)])
                and reader.look_up(name, rule.option).read
            )
        ):
            found[rule.option] = _Lack((rule.option,), rule.at)
    named = {item for lack in found.values() for item in lack.names}
    for option in reader.options.required(driver, plugin):
        if option.name in named or (option.name in _WITH_SERVERS and not mode):
            continue
        if not _is_set(reader, name, option.name):
            found[option.name] = _Lack((option.name,), 'required')
    return [found[key] for key in sorted(found)]


def _has(
    reader: config_reader.Reader, group: str, name: str, value: str
) -> Optional[bool]:
    """Say whether an option has a value, in the notation of the catalog.

    :returns: None if the release rejects its value, which is reported
        elsewhere.
    """
    try:
        return str(reader.get(group, name)) == value
    except config_reader.Refused:
        return None


def _is_set(reader: config_reader.Reader, group: str, name: str) -> bool:
    """Say whether an option has a value that is not empty.

    A value that the release rejects counts: it is reported elsewhere.
    """
    try:
        value = reader.get(group, name)
    except config_reader.Refused:
        now: Optional[options.Option] = reader.look_up(group, name).option
        return now is not None
    return value not in (None, '', [], {})
