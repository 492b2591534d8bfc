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
"""The check ``backends-in-use``."""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Optional

from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.catalog import conditions
from manila_precheck.catalog import drivers
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import unread_sources
from manila_precheck.evidence import machine_names
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.database import hosts
from manila_precheck.evidence.database import services
from manila_precheck.evidence.host import commands


class BackendsInUse(check.Check):
    """A back end that no service will serve after the upgrade holds shares.

    Every share instance, share server and share group has a host,
    ``controller@back end``, and manila sends each operation to the
    manila-share with exactly that name. If no manila-share has that name, the
    data stays where it is, but access rules, snapshots, resizes and deletions
    no longer reach it, and manila does not report that.

    A back end is served if the ``enabled_share_backends`` that the check reads
    names it for this controller (``[DEFAULT] host``; if that is not set, for
    any controller), if the manila-share of another controller reports under
    its name, or if ``[manila_precheck] other_backends`` names it. The check
    does not read the configuration of other controllers. If the target lacks
    the driver of an enabled back end, this check counts what the back end
    holds; ``backend-drivers`` reports the rest.

    The name of a controller has changed if no service has ever reported under
    the host of these files (``[DEFAULT] host``, else the name of the machine,
    which is new in each new pod), and the back ends that they enable hold
    shares under one other host. manila-share would then start as a new service
    beside the old one.

    Known false positives: a new controller whose back end has the same name as
    that of the only other controller; a back end of another controller whose
    manila-share does not report at the moment. Add either to
    ``other_backends``. Shares, their projects, replicas, snapshots, share
    servers and groups are counted exactly, but not a share that was never
    scheduled to a host.

    WARNING: the back end holds something. INFO, only at stopped: the
    manila-share of another controller has a row in ``services``. No service
    reports then, so the row shows that it served the back end, not that it
    will.

    What to do: enable the back end, or move the rows to the name under which
    it is served now. ``manila-manage share update_host`` renames every host
    that begins with the given name.
    """

    id = 'backends-in-use'
    title = 'Back ends in use'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG, model.Source.DATABASE})

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each back end that holds something."""
        sites = [_Site(view) for view in ctx.seen_by(commands.SHARE)]
        for use in _uses(ctx, sites):
            site = next(
                (s for s in sites if use.host in s.renamed),
                next((s for s in sites if s.is_broken(use.host)), sites[0]),
            )
            contents = ', '.join(
                f'{number} {name}{"" if number == 1 else "s"}'
                for name, number in (
                    ('share', use.shares),
                    ('project', use.projects),
                    ('replica', use.replicas),
                    ('snapshot', use.snapshots),
                    ('share server', use.servers),
                    ('share group', use.groups),
                )
                if number
            )
            finding = model.Finding(
                site.severity(use.host),
                model.Subject('backend', use.host),
                f'{use.host} {site.why(use.host)}; it still holds {contents}',
                site.remediation(use.host),
                data={
                    'shares': use.shares,
                    'projects': use.projects,
                    'share_instances': use.instances,
                    'replicas': use.replicas,
                    'snapshots': use.snapshots,
                    'share_servers': use.servers,
                    'share_groups': use.groups,
                },
            )
            yield unread_sources.weighed(
                site.config,
                site.decided_by(use.host),
                finding,
            )


def _served(sites: Sequence['_Site']) -> hosts.ServedBackends:
    """Return what several manila-share, each with its own files, serve."""
    served = [site.served() for site in sites]
    return hosts.ServedBackends(
        list(dict.fromkeys(host for one in served for host in one.hosts)),
        list(dict.fromkeys(name for one in served for name in one.backends)),
    )


def _uses(ctx: context.Context, sites: Sequence['_Site']) -> list[hosts.Use]:
    """Return what each back end holds that is not known to be served."""
    served = _served(sites)
    known = {
        service_host.parse(service.host).controller
        for service in services.select(ctx.database)
    }
    new = [site for site in sites if site.own and site.controller not in known]
    if not new:
        return hosts.select(ctx.database, served)
    # A host that has never reported may be a served host with a new name, so
    # other served hosts are not left out here.
    own = [host for site in sites for host in site.own]
    found = hosts.select(
        ctx.database, hosts.ServedBackends([*ctx.options.other_backends, *own])
    )
    for site in new:
        site.renamed = frozenset(site.under_others(found))
    return [
        use
        for use in found
        if any(use.host in site.renamed for site in new)
        or not served.has(use.host)
    ]


class _Site:
    """The back ends of this controller, and those that report."""

    def __init__(self, ctx: context.Context) -> None:
        self._ctx = ctx
        self.config = ctx.config
        self._enabled = hosts.enabled_backends(ctx.config)
        self._broken = {}
        for name in self._enabled.backends:
            words = _broken(ctx, name or 'DEFAULT')
            if words is not None:
                self._broken[name] = words
        self._stopped = ctx.stage is model.Stage.STOPPED
        if self._stopped:
            self._reporting = services.share_hosts(ctx.database)
        else:
            self._reporting = services.reporting_hosts(
                ctx.database, services.down_time_seconds(ctx.config)
            )

        ours = self._enabled
        #: The host under which manila-share will report; '' if neither the
        #: files nor the machine give it.
        self.controller = ours.controller or machine_names.host_name(
            ctx.machine
        )
        #: The hosts of its back ends.
        self.own = [
            hosts.host_of(self.controller, name)
            for name in ours.backends
            if self.controller
        ]
        #: The other hosts under which its back ends were served before.
        self.renamed: frozenset[str] = frozenset()

    def under_others(self, found: Sequence[hosts.Use]) -> Iterator[str]:
        """Yield the hosts under which others hold back ends of these files.

        If several controllers have a back end of the same name, each with its
        own storage, a new controller is not taken for one of them, unless
        their names differ in the domain only.
        """
        for name in self._enabled.backends:
            same = [
                use.host
                for use in found
                if service_host.parse(use.host).backend == name
            ]
            for host in same:
                controller = service_host.parse(host).controller
                if len(same) == 1 or _short(controller) == _short(
                    self.controller
                ):
                    yield host

    def is_broken(self, host: str) -> bool:
        """Say whether it is enabled here and the target cannot load it."""
        here = self._enabled.here(host)
        return here and service_host.parse(host).backend in self._broken

    def served(self) -> hosts.ServedBackends:
        """Return what is served, now and after the upgrade."""
        ours = self._enabled
        sound = [name for name in ours.backends if name not in self._broken]
        named = list(self._ctx.options.other_backends)
        if not self._stopped:
            named += filter(self._is_anothers, self._reporting)
        if ours.controller is None:
            return hosts.ServedBackends(named, sound)
        return hosts.ServedBackends([*named, *map(ours.host_of, sound)])

    def _is_anothers(self, host: str) -> bool:
        """Say whether a manila-share of another controller may serve it.

        manila-share of this controller stops serving at its next start what
        these files do not enable. If the files do not name their controller,
        any host may be another's.
        """
        ours = self._enabled
        return (
            host in self._reporting
            and not (ours.controller and ours.backends and ours.here(host))
            and not self.is_broken(host)
        )

    def severity(self, host: str) -> model.Severity:
        """Return the severity of the finding about a back end."""
        if (
            self._stopped
            and self._is_anothers(host)
            and host not in self.renamed
        ):
            return model.Severity.INFO
        return model.Severity.WARNING

    def decided_by(self, host: str) -> list[config_files.Name]:
        """Return the options that determine whether it is served here."""
        name = service_host.parse(host).backend
        return [
            config_files.ENABLED_BACKENDS,
            ('DEFAULT', 'host'),
            *([(name, 'share_driver')] if self.is_broken(host) else []),
        ]

    def why(self, host: str) -> str:
        """Return why nobody serves it."""
        name = service_host.parse(host).backend
        if host in self.renamed:
            whose = (
                'which [DEFAULT] host names'
                if self._enabled.controller
                else 'the name of this machine, since host is not set'
            )
            which = f'the back end {name}' if name else 'the back end'
            return (
                f'is {which} of these files under another host: no service '
                f'has ever reported as {self.controller}, {whose}; from the '
                'next start on it is a back end of its own, and nothing '
                'serves the old one'
            )
        if self.is_broken(host):
            return self._broken[name]
        if self._stopped and self._is_anothers(host):
            return (
                'is not enabled in the files that were read; a manila-share '
                'served it, but while the services are down it is not known '
                'whether another controller enables it'
            )
        if self._stopped:
            return (
                'is not enabled in the files that were read, and no '
                'manila-share of another controller served it'
            )
        if host in self._reporting:
            return (
                'is still served, but the files do not enable it: '
                'manila-share stops serving it at its next start'
            )
        return (
            'is not served: the files enable no such back end, and no '
            'manila-share reports under that name'
        )

    def remediation(self, host: str) -> list[model.Remediation]:
        """Return what to do so that a manila-share serves it."""
        ours = self._enabled
        controller, name = service_host.parse(host)
        listed = [
            model.command(
                'openstack share list --all-projects --host{=}', host
            )
        ]
        if self._stopped:
            # The API is down.
            listed = []
        if host in self.renamed:
            return [*listed, *self._rename(host, controller, name)]
        if self.is_broken(host):
            return [
                *listed,
                model.advice('See the findings of backend-drivers.'),
            ]
        todo = [
            *listed,
            model.advice(
                'If another controller serves it, add it to other_backends:'
            ),
            hosts.other_backend(host),
        ]
        if not ours.here(host) and name in ours.backends:
            todo += [
                model.advice(
                    'If this controller serves it under another name, rename '
                    'it; every host with this prefix is renamed:'
                ),
                model.command(
                    'manila-manage share update_host --currenthost{=} '
                    '--newhost{=}',
                    host,
                    ours.host_of(name),
                ),
            ]
        elif all(ours.backends) and ours.backends and name:
            todo += self._enable(name)
        return todo

    def _rename(
        self, host: str, controller: str, name: str
    ) -> list[model.Remediation]:
        """Return how to keep the old name, or to rename the back end."""
        return [
            model.advice(
                'If these files are for the same storage, keep the name:'
            ),
            model.config('[DEFAULT]\nhost = {}', controller),
            model.advice(
                'Or rename it while the services are down; every host with '
                'this prefix is renamed:'
            ),
            model.command(
                'manila-manage share update_host --currenthost{=} '
                '--newhost{=}',
                host,
                hosts.host_of(self.controller, name),
            ),
            model.advice(
                'If another controller goes on serving it, add it to '
                'other_backends:'
            ),
            hosts.other_backend(host),
        ]

    def _enable(self, name: str) -> list[model.Remediation]:
        """Return how to make this controller serve a back end."""
        if self._ctx.config.section(name) is None:
            return [
                model.advice(
                    'If this controller should serve it, add a section '
                    f'[{name}] and name it in enabled_share_backends.'
                )
            ]
        names = ','.join([*self._enabled.backends, name])
        return [
            model.advice('If this controller should serve it:'),
            model.config('[DEFAULT]\nenabled_share_backends = {}', names),
        ]


def _short(name: str) -> str:
    return name.partition('.')[0].lower()


def _broken(ctx: context.Context, name: str) -> Optional[str]:
    """Return why the target cannot load a back end; None when it can.

    The driver of a third party also gives None.
    """
    conf, target = ctx.config, ctx.upgrade.target
    if conf.section(name) is None:
        return f'is enabled, but no file has a section [{name}]'
    path = ctx.reader(target).driver_path(name)
    if path is None:
        return None
    driver = ctx.catalog.driver(target, path)
    if driver is None:
        lacks = ctx.catalog.lacks_class(target, path)
        if lacks is not None or path.startswith('manila.'):
            return f'is enabled, but {target} does not have its driver {path}'
        return None
    if conditions.EMC_DRIVER not in (path, driver.target):
        return None
    named = conf.value(name, 'emc_share_backend') or ''
    plugin = config_reader.emc_plugin(named, ctx.catalog, target)
    if plugin in ctx.catalog.plugins(target, drivers.EMC_PLUGIN):
        return None
    return (
        f'is enabled, but {target} does not have the plugin of its '
        f'emc_share_backend {named!r}'
    )
