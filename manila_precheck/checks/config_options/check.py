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

"""The check ``config-options``."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.checks.config_options import both_releases
from manila_precheck.checks.config_options import driver_values
from manila_precheck.checks.config_options import layouts
from manila_precheck.checks.config_options import library_values
from manila_precheck.checks.config_options import logins
from manila_precheck.checks.config_options import misspelt_sections
from manila_precheck.checks.config_options import option_lines
from manila_precheck.checks.config_options import option_names
from manila_precheck.checks.config_options import protocols
from manila_precheck.checks.config_options import required_options
from manila_precheck.checks.config_options import unread_sources
from manila_precheck.engine import by_service
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import option_users
from manila_precheck.evidence.host import commands

# Options whose values manila or a library restricts more than their type.
_BY_OPTION = {
    layouts.OPTION: layouts.findings,
    protocols.OPTION: protocols.findings,
    **dict.fromkeys(driver_values.OPTIONS, driver_values.findings),
    **dict.fromkeys(library_values.OPTIONS, library_values.findings),
}


class ConfigOptions(check.Check):
    """A line of the configuration loses all or part of its effect.

    Every assignment in the configuration files is looked up in the source
    and in the target release: names and deprecated names, in the sections
    in which they are registered, as oslo.config reads them. The check follows
    the options through which manila reads further sections:
    ``enabled_share_backends``, each back end's ``network_config_group`` and
    ``admin_network_config_group``, ``neutron_binding_profiles``,
    ``netapp_enabled_backup_types`` and ``auth_section``. Values are parsed by
    oslo.config's own types, with the bounds and choices of the target.

    manila's services do not report a removed option: they ignore the line. A
    rejected value makes the service that reads it exit with
    ConfigFileValueError, and manila-share with all its back ends.

    If the services read different files, each line is judged for the services
    that read it. A section that only manila-share.conf has counts for
    manila-share alone. A value in ``manila.conf`` that ``manila-api.conf``
    overrides still counts for the other services. If a finding is true of
    some services only, it names them.

    The check also looks up the names that values contain:
    ``scheduler_driver``, filters and weighers, ``backup_driver``, network
    plugins and any other class or plugin that an option names, the schemes of
    ``transport_url``, ``backend_url`` and the database ``connection``, and
    the notification drivers, as provided by the libraries in the upper
    constraints of the release. ``backend-drivers`` does this for
    ``share_driver`` and ``emc_share_backend``. For back ends whose driver
    loads, it also judges the values of ``emc_share_backend`` and
    ``driver_handles_share_servers``, which this check then skips. So run both
    checks.

    A driver may reject a value that the type of the option accepts. The check
    compares these options with what the driver accepts:
    ``netapp_storage_family``, ``netapp_transport_type``,
    ``cephfs_volume_mode``, ``glusterfs_share_layout``,
    ``glusterfs_nfs_server_type``, ``glusterfs_target``,
    ``glusterfs_servers``, ``glusterfs_volume_pattern``,
    ``qnap_management_url``,
    ``zfs_zpool_list``, ``zfs_share_export_ip``, ``zfs_service_ip``,
    ``max_over_subscription_ratio``, the
    ``network_api_class`` of ``ContainerShareDriver`` and the
    ``service_instance_password`` of ``WindowsSMBDriver``.

    A library, or the code of a service, may also reject such a value. The
    check knows these: ``syslog_log_facility``, the levels of
    ``default_log_levels``, the module that ``use_journal`` needs, a
    ``memcache_security_strategy`` without a secret, ``monkey_patch_modules``
    that cannot be imported or are not MODULE:DECORATOR, networks of the
    healthcheck (``allowed_source_ranges``) that are none, and numbers that no
    thread pool, delay or scheduler can have (``executor_thread_pool_size =
    0``, ``periodic_fuzzy_delay = -1``, ``scheduler_max_attempts = 0``,
    ``report_interval = -1``), a ``backdoor_port`` or ``log_rotate_interval``
    that cannot be, and ``memcached_servers`` where the build is known to lack
    the client library. For the broker: a ``transport_url`` with a wrong port
    or wrong brackets, with a transport of kombu (kombu+NAME) that does not
    exist or reaches no other host, or with a query that sets no option of the
    driver; in a section or in that query, a TLS version that oslo.messaging
    does not know (``ssl_version = TLSv1_3``); ``heartbeat_rate = 0``;
    ``rabbit_stream_fanout`` without the options that it needs;
    ``rpc_conn_pool_size`` below ``conn_pool_min_size``; a
    ``rabbit_qos_prefetch_count`` above 65535; a ``kombu_compression`` that
    kombu does not have; and a ``control_exchange`` that no exchange of
    RabbitMQ can have. For the coordinator: a ``backend_url`` with wrong
    brackets or a wrong port, or with a timeout or another parameter that is
    not the number that the driver of tooz needs. For the database: a parameter
    of ``connection`` that PyMySQL does not have or rejects, an ``sslmode``
    that psycopg2 rejects, and an unknown ``mysql_sql_mode``. A ``plugin`` of
    SQLAlchemy there is a WARNING, because the catalog knows none.

    The options of middleware ([cors], [healthcheck], [oslo_middleware],
    [audit_middleware_notifications]) have an effect only if the pipeline that
    ``auth_strategy`` selects loads the middleware, under any name, and if
    the section of api-paste.ini does not set the option itself. If the file
    does not exist, or if it loads code of a third party, the check assumes
    that they have an effect. A line of [keystone_authtoken] that the section
    of the token filter sets has no effect either.

    The check reads a source that ``config_source`` names as oslo.config does:
    for options that no file sets, and only under their current names. An old
    name in a source has no effect. The value of an option in castellan, or in
    a source with a third-party driver, is checked but never shown.

    A variable in the environment of a service (``OS_DATABASE__CONNECTION``),
    which a unit, a process or a file of uWSGI sets, counts as a line of that
    service and overrides its files. The finding names the variable, and what
    sets it, instead of a file. oslo.config reads variables only for the
    current names of options. With ``--config-file``, the check uses the
    variables of the services on this host.

    FAILURE: the target rejects the value (the finding states whether the
    source does too). This includes an option in [DEFAULT] that no driver
    reads there, because manila-share logs the options of its drivers after it
    has started. Or the source reads the line and the target does not, and
    without it a service stops or loses its database, its broker, TLS, its
    locks or its policies (the finding says which). Or a deprecated name is
    used while ``fatal_deprecations`` is on. Or a name does not exist, so that
    a service does not start or nothing is scheduled. Or the section of a back
    end lacks an option that its driver requires: manila-share exits if the
    driver cannot be created; if its setup fails, or the driver merely marks
    the option as required, manila-share runs but the back end does not work.
    oslo.config itself does not report this, because drivers are loaded after
    its checks. Or manila cannot log in to a service that an enabled back end
    uses ([neutron], [nova], [cinder], [glance]): no file has the section, or
    the section sets no ``auth_type``, one that is no plugin of keystoneauth,
    not the options that the plugin needs, or several scopes. ``api-paste``
    reports the login in [keystone_authtoken]. WARNING: the source reads any
    other line and the target does not. Or the line uses a name or an option
    that the target deprecates and the source does not, or that the next
    release after the target no longer reads. Or the line names something under
    an old path, or something that is in neither release and may come from
    another package. Or a source of ``config_source`` cannot be read. Or an
    environment variable (``OS_DATABASE__CONNECTION``) sets an option for this
    command and perhaps not for the services. Or a section that nothing reads
    contains the lines of a section with nearly the same name ([DEFUALT]); this
    is a FAILURE if a service then loses its back ends, its broker or its
    database. INFO: the line changes nothing now. Its name is deprecated in
    both releases; neither release reads it (most deployed files have some such
    lines); only the source has it, and has no use for it (``identity_uri``
    beside an ``auth_type``, an option of middleware that the API does not
    load); nothing reads its section; another driver or login plugin reads it;
    no enabled back end uses the service of its section; a later line overrides
    it; it is in [DEFAULT] although each back end reads the option from its own
    section (``reserved_share_percentage``, ``hook_drivers``); or it is in the
    section of a back end although manila-share reads the option from [DEFAULT]
    (``replica_state_update_interval``).

    Known false positives: an option of a fork, or of a driver that is not in
    manila, is unknown (INFO). A scheme or a notification driver from packages
    other than those of OpenStack and SQLAlchemy is reported as missing. The
    check sees whether the library behind a name that the target has is
    installed where the facts of the build say so, and warns otherwise; it
    does not see what a driver requires once it talks to its storage.

    What to do: write the lines that the finding shows and remove the old
    ones; the old release reads the new names too unless the finding states
    that it does not. The ``verdict`` in the data of a finding is one of:
    removed, unknown, renamed, deprecated, invalid, ineffective, unjudged,
    masked, dangling, moved, missing.
    """

    id = 'config-options'
    title = 'Configuration options'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})

    def run(self, ctx: context.Context) -> Iterator[model.Finding]:
        """Yield what is wrong with each line, then what is missing."""
        views = ctx.seen_by()
        if len(views) == 1:
            yield from _Service(views[0]).findings()
        else:
            yield from _of_services([_Service(view) for view in views])
        yield from unread_sources.UnreadSources(
            both_releases.Sides(ctx), ctx.environment
        ).findings()


class _Service:
    """The files of one service, or of several that read the same files."""

    def __init__(self, ctx: context.Context) -> None:
        self.services = ctx.judged
        self.both = both_releases.Sides(ctx)
        self.lines = option_lines.Lines(self.both)
        self._names = option_names.OptionNames(self.both)

    def findings(self) -> Iterator[model.Finding]:
        for setting in self.both.conf.settings:
            yield from self.of(setting)
        yield from self.of_sections()

    def of(self, setting: config_files.Setting) -> Iterator[model.Finding]:
        """Yield what is wrong with a line."""
        yield from self.lines.findings(setting)
        yield from self._names.findings(setting)
        judge = _BY_OPTION.get(setting.name)
        if judge is not None:
            yield from judge(self.both, setting)

    def of_sections(self) -> Iterator[model.Finding]:
        """Yield what is wrong with a section, or missing in it."""
        yield from misspelt_sections.findings(self.both)
        if commands.SHARE in self.services:
            yield from required_options.Needed(self.both).findings()
            yield from logins.Logins(self.both).findings()

    def use(self, setting: config_files.Setting) -> int:
        """Return 0 if it ignores a line, 2 if it uses its value, else 1."""
        if not self.lines.is_read(setting):
            return 0
        return 2 if self.lines.in_force(setting) else 1


# A line of a file, regardless of its position in the order of reading.
_Line = tuple[str, int, str, str]


def _line(setting: config_files.Setting) -> _Line:
    return (setting.file, setting.line, setting.group, setting.name)


def _of_services(services: list[_Service]) -> Iterator[model.Finding]:
    """Yield what is wrong with each line for the services that use it."""
    uses: dict[_Line, dict[int, int]] = {}
    for number, one in enumerate(services):
        for setting in one.both.conf.settings:
            uses.setdefault(_line(setting), {})[number] = one.use(setting)
    runs = []
    concerned: dict[tuple[Optional[str], Optional[int]], set[str]] = {}
    for number, one in enumerate(services):
        run = by_service.ServiceRun(one.services, [])
        runs.append(run)
        for setting in one.both.conf.settings:
            use = uses[_line(setting)]
            place = setting.file, setting.line or None
            reading = concerned.setdefault(place, set())
            user = option_users.only_user(setting.group, setting.name)
            if user is not None and max(use.values()):
                users = [n for n in use if user in services[n].services]
                if not users:
                    if number == min(use) and _lacks(services, user, setting):
                        run.findings.append(_not_used(setting, user))
                    continue
                use = {n: use[n] for n in users}
            if use.get(number):
                # A later file may set it again for this service.
                reading.update(one.services)
            if use.get(number) != max(use.values()):
                continue
            run.findings.extend(one.of(setting))
        run.findings.extend(one.of_sections())

    def of(finding: model.Finding) -> Optional[set[str]]:
        subject = finding.subject
        if finding.aspect in ('missing', 'login'):
            return {commands.SHARE}
        return concerned.get((subject.file, subject.line))

    yield from by_service.merged(runs, of)


def _lacks(
    services: list[_Service], user: str, setting: config_files.Setting
) -> bool:
    """Say whether the only service that uses an option lacks it.

    If the service has it, the line is a copy, as in the files of containers.
    """
    mine = [one for one in services if user in one.services]
    return bool(mine) and not any(
        one.both.conf.find(setting.group, setting.name) for one in mine
    )


def _not_used(setting: config_files.Setting, user: str) -> model.Finding:
    """Return that the only service that uses an option does not read it."""
    return model.Finding(
        model.Severity.INFO,
        setting.subject,
        f'[{setting.section}] {setting.name} has no effect: only {user} uses '
        f'it, and {user} does not read {setting.file}',
        [
            model.advice(
                f'Move it to a file that {user} reads, or remove '
                f'{setting.place}.'
            )
        ],
        data={'verdict': 'ineffective', 'service': user},
    )
