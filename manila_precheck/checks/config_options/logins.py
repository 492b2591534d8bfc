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
"""The logins of manila in other services, if they are incomplete.

api-paste reports the login of manila-api in Keystone, because it knows whether
the pipeline needs it.
"""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import conditions
from manila_precheck.catalog import paths
from manila_precheck.checks.config_options import both_releases
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import logins

_KEYSTONE = 'keystone_authtoken'
# manila 22.0.2 share/drivers/generic.py, service_instance.py and
# windows/service_instance.py: drivers that keep their shares in servers of
# nova. Without share servers they use only nova and cinder.
_IN_SERVERS = ('.generic.', '.windows.')
_NEUTRON_PLUGIN = 'manila.network.neutron.'
#: The sections of what only back ends use: services, and oslo.privsep.
OF_BACK_ENDS = ('cinder', 'glance', 'neutron', 'nova', paths.PRIVSEP)
# How many back ends a message names.
_MAX_NAMED = 20


class Logins:
    """The sections with a login, as the target reads them."""

    def __init__(self, both: both_releases.Sides) -> None:
        self._sides = both

    def findings(self) -> Iterator[model.Finding]:
        """Yield what each login lacks."""
        conf, target = self._sides.conf, self._sides.target
        for group in target.options.auth_groups:
            if group == _KEYSTONE:
                continue
            users = self._users(group)
            if group not in conf.groups and not users:
                continue
            for lacking in logins.lacking(target, group):
                found = self._finding(group, lacking, users)
                if found is not None:
                    named = lacking.options or ('auth_type',)
                    yield unread_sources.weighed(
                        conf, [(lacking.section, n) for n in named], found
                    )

    def _finding(
        self, group: str, lacking: logins.Lacking, users: list[str]
    ) -> Optional[model.Finding]:
        if not users and not (lacking.plugin and group.startswith('barbican')):
            # Its lines have no effect, which is reported line by line, or
            # nothing here uses that service.
            return None
        severity = lacking.severity
        if users:
            named = ', '.join(users[:_MAX_NAMED])
            if len(users) > _MAX_NAMED:
                named += f' and {len(users) - _MAX_NAMED} more'
            ends = f'back end{"s" * (len(users) > 1)} {named}'
            effect = (
                f'requests of manila-share to {group} fail, and the {ends} '
                f'need{"s" * (len(users) == 1)} them'
            )
            if lacking.absent and not any(
                map(self._sides.target.driver, users)
            ):
                severity = model.Severity.WARNING
                effect = (
                    f'requests of manila-share to {group} fail, and it is '
                    f'not known whether the {ends} '
                    f'need{"s" * (len(users) == 1)} them'
                )
        else:
            severity = model.Severity.WARNING
            effect = (
                'shares with an encryption key of their own cannot be created'
            )
        name = (lacking.options or ('auth_type',))[0]
        return model.Finding(
            severity,
            config_files.subject(
                'option', f'{lacking.section}/{name}', lacking.line
            ),
            f'{lacking.why}: {lacking.condition}{effect}',
            steps(lacking),
            data={
                'verdict': 'missing'
                if (lacking.options and not lacking.several_scopes)
                or lacking.absent
                else 'invalid'
            },
            aspect='login',
        )

    def _users(self, group: str) -> list[str]:
        """Return the enabled back ends that need a login, sorted."""
        conf = self._sides.conf
        if not conf.runs_share:
            return []
        return sorted(
            backend.name
            for backend in conf.backends
            if backend.section is not None
            and group in _needed(self._sides, backend.name)
        )


def is_idle(sides: both_releases.Sides, group: str) -> bool:
    """Say whether no enabled back end uses the service of a section.

    False also if that is not known: these files may not be those of
    manila-share, and a driver that the catalog does not know may use any
    service.
    """
    conf, target = sides.conf, sides.target
    return (
        group in OF_BACK_ENDS
        and conf.runs_share
        and not conf.may_hold(*config_files.ENABLED_BACKENDS)
        and not any(
            target.driver(backend.name) is None
            or group in _needed(sides, backend.name)
            for backend in conf.backends
        )
    )


def _needed(sides: both_releases.Sides, name: str) -> set[str]:
    """Return the services that a back end uses with its settings."""
    target, conf, catalog = sides.target, sides.conf, sides.catalog
    driver = target.driver(name) or ''
    servers = conf.handles_share_servers(name)
    row = catalog.driver(target.release, driver)
    found: set[str] = set()
    if any(mark in driver for mark in paths.PRIVSEP_DRIVERS):
        found.add(paths.PRIVSEP)
    if row is not None and row.modes and servers not in row.modes:
        # It does not start, which backend-drivers reports.
        return found
    if any(mark in driver for mark in _IN_SERVERS):
        found |= {'nova', 'cinder'}
        if servers:
            found |= {'neutron', 'glance'}
    if servers:
        named = (
            conf.value(name, 'network_config_group') or name,
            conf.value(name, 'admin_network_config_group'),
        )
        for group in filter(None, named):
            plugin = conf.value(group, 'network_api_class')
            plugin = plugin or conditions.DEFAULT_NETWORK
            if plugin.startswith(_NEUTRON_PLUGIN):
                found.add('neutron')
    return found


def steps(lacking: logins.Lacking) -> tuple[model.Remediation, ...]:
    """Return the lines that a login lacks."""
    if lacking.advice:
        return (model.advice(lacking.advice),)
    if lacking.options:
        return (
            model.config(
                '[{}]\n{} = <value>', lacking.section, lacking.options[0]
            ),
        )
    if lacking.absent:
        return (
            model.advice('Add a login, such as:'),
            # The options that authentication by password requires.
            model.config(
                '[{}]\nauth_type = password\n'
                'auth_url = <URL of Keystone>\nusername = <text>\n'
                'password = <text>\nuser_domain_name = <text>\n'
                'project_name = <text>\nproject_domain_name = <text>',
                lacking.section,
            ),
        )
    return (
        model.advice('Name the plugin that reads the other lines, such as:'),
        model.config('[{}]\nauth_type = password', lacking.section),
    )
