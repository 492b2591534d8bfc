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

"""The commands that stop and start the services of a deployment."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from manila_precheck import model
from manila_precheck.act.plan import steps

_TYPED = {
    'systemd': ('systemctl stop {}', 'systemctl start {}'),
    # kolla-ansible runs each container from a unit of systemd.
    'kolla': ('systemctl stop {}', 'systemctl start {}'),
    # Without -t the engine kills a container after ten seconds, even if it
    # still works.
    'docker': ('docker stop -t {seconds} {}', 'docker start {}'),
    'podman': ('podman stop -t {seconds} {}', 'podman start {}'),
}

# The prefix of the unit names, by ID and ID_LIKE of /etc/os-release.
_PREFIXES = {
    'debian': '',
    'ubuntu': '',
    'rhel': 'openstack-',
    'fedora': 'openstack-',
    'centos': 'openstack-',
}

_RUN = steps.Blank(
    'RUN_IN_CONTAINER',
    'what runs a command in a new container of the image that this step is '
    'about, with the configuration of manila',
)

#: How long a service may take to end its work: the default of oslo.service.
GRACE_SECONDS = 60


class Manager(NamedTuple):
    """How a deployment stops and starts its services."""

    name: str
    """'systemd', 'kolla', 'docker', 'podman' or 'pacemaker'."""

    distribution: Sequence[str] = ()
    """The words of ID and ID_LIKE; empty when they are not known."""

    units: Mapping[str, str] = {}
    """Service -> the systemd unit that starts it on this host."""

    grace_seconds: int = GRACE_SECONDS
    """The value of graceful_shutdown_timeout; 0 means no limit."""

    def stop(
        self, service: str, hosts: tuple[str, ...]
    ) -> tuple[steps.Command, Sequence[steps.Blank]]:
        """Return the command that stops a service, and its blanks."""
        return self._command(service, hosts, 0)

    def start(
        self, service: str, hosts: tuple[str, ...]
    ) -> tuple[steps.Command, Sequence[steps.Blank]]:
        """Return the command that starts a service, and its blanks."""
        return self._command(service, hosts, 1)

    def manage(self, text: str) -> tuple[steps.Command, Sequence[steps.Blank]]:
        """Return the command that runs manila-manage, and its blanks.

        It runs on any one controller.

        :param text: the command as it is typed without containers.
        """
        if self.name in ('systemd', 'pacemaker'):
            return steps.Command(text, any_host=True), ()
        return steps.Command(f'{_RUN.word} {text}', any_host=True), (_RUN,)

    def _command(
        self, service: str, hosts: tuple[str, ...], which: int
    ) -> tuple[steps.Command, Sequence[steps.Blank]]:
        name = self.name
        if name == 'pacemaker':
            if service == 'manila-share':
                # manila-share is a resource of the cluster, not of one host.
                verb = ('disable', 'enable')[which]
                return steps.Command(
                    f'pcs resource {verb} openstack-manila-share --wait',
                    any_host=True,
                ), ()
            name = 'systemd'
        template = _TYPED[name][which]
        word, blanks = self._unit(name, service)
        seconds = 'SECONDS'
        if self.grace_seconds:
            # Half a minute more than the service allows itself.
            seconds = str(self.grace_seconds + 30)
        elif '{seconds}' in template:
            blanks = (
                *blanks,
                steps.Blank(
                    seconds,
                    'how long the service may take: graceful_shutdown_timeout '
                    'is 0, so it waits for its work without an end',
                ),
            )
        text = template.replace('{seconds}', seconds)
        return steps.Command(model.command(text, word).text, hosts), blanks

    def _unit(
        self, name: str, service: str
    ) -> tuple[str, Sequence[steps.Blank]]:
        plain = service.replace('-', '_')
        if name == 'kolla':
            return f'kolla-{plain}-container.service', ()
        if name == 'systemd':
            if service in self.units:
                return self.units[service], ()
            for word in self.distribution:
                if word in _PREFIXES:
                    return f'{_PREFIXES[word]}{service}.service', ()
            return f'UNIT_OF_{plain.upper()}', (
                steps.Blank(
                    f'UNIT_OF_{plain.upper()}',
                    f'the unit of systemd that runs {service}',
                ),
            )
        return f'CONTAINER_OF_{plain.upper()}', (
            steps.Blank(
                f'CONTAINER_OF_{plain.upper()}',
                f'the container that runs {service}',
            ),
        )
