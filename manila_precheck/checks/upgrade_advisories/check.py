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

"""The check ``upgrade-advisories``."""

from collections.abc import Iterable
from collections.abc import Iterator
import functools
from typing import Any
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import service_host
from manila_precheck.catalog import advisories
from manila_precheck.catalog import conditions
from manila_precheck.engine import by_service
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import option_users
from manila_precheck.evidence.database import row_counts
from manila_precheck.evidence.host import api_server
from manila_precheck.evidence.host import commands

if TYPE_CHECKING:
    from oslo_config import cfg

_AFTER = model.advice('Once the services of the target run:')

# While the services are down, none of their processes tells.
_SERVED = [
    model.advice(
        'Set api_server in [manila_precheck_upgrade_advisories] to what '
        'serves the API when it runs: program, script or application.'
    )
]


class UpgradeAdvisories(check.Check):
    """A release of this upgrade changes behavior that this deployment uses.

    Some changes break no line of the configuration and no row of the
    database, and yet the service behaves differently after the upgrade: a
    default becomes stricter, a server or a script is removed, shares are busy
    at the first start. Each of them is an advisory with the release that
    introduced it and the conditions under which it affects a deployment: the
    driver of a back end, an option that is set or left at its default, rows
    of the database. An advisory is reported if the upgrade includes its
    release and all its conditions hold; one about back ends is reported for
    each back end.

    Files with a section [keystone_authtoken], or with an option that only
    the API reads, count as those of an API host. manila.conf does not state
    what serves the API there. The check detects it from the running processes
    and from the configuration of Apache and uWSGI on this machine (below
    ``/etc/apache2``, ``/etc/httpd``, ``/etc/uwsgi``, and in
    ``/etc/manila/*uwsgi*``) and, while no process of the API runs, from the
    units that systemd starts at boot; if none of them shows it, the finding
    states that. In a container next to the one of the API, set
    ``api_server``.

    Advisories that count rows are not checked without a database. Those whose
    other conditions hold are then listed in one finding (``rows#unjudged``).

    FAILURE: the API does not start in the target, given what serves it here.
    WARNING: something stops working, or works differently, unless you act.
    INFO: worth knowing; it affects only some deployments, and the check cannot
    tell which, or the next release introduces it.

    At stopped no process of the API runs: unless an enabled unit, a file of a
    web server or ``api_server`` shows what serves it, the FAILURE is a
    WARNING.

    What to do: follow the finding. Some lines can be written before the
    upgrade; the finding then disappears.
    """

    id = 'upgrade-advisories'
    title = 'Upgrade advisories'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})
    uses = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return what an operator may say of the API."""
        from oslo_config import cfg

        return (
            cfg.StrOpt(
                'api_server',
                choices=[
                    ('program', 'manila-api, with its built-in server'),
                    ('script', 'the script manila-wsgi in a web server'),
                    (
                        'application',
                        'manila.wsgi.api:application in a web server',
                    ),
                    ('unknown', 'unknown; what depends on it is not checked'),
                ],
                help='What serves the API. If not set, it is detected from '
                'the processes on this host and from the configuration of '
                'its web servers.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each advisory that touches the deployment."""
        crossed = [
            advisory
            for advisory in advisories.load()
            if ctx.upgrade.crosses(advisory.release, *advisory.backports)
        ]
        judges: dict[tuple[str, ...], _Judge] = {}
        # Those that need the database come last: when it fails, what the
        # configuration says has been said.
        for advisory in sorted(crossed, key=lambda one: one.rows is not None):
            runs = []
            for view in ctx.seen_by(*_users(advisory)):
                judge = judges.get(view.locations)
                if judge is None:
                    judge = _Judge(view, ctx.options_of(self.id))
                    judges[view.locations] = judge
                runs.append(
                    by_service.Run(view.judged, [*judge.findings(advisory)])
                )
            yield from by_service.merged(runs)
        unjudged = [name for one in judges.values() for name in one.unjudged]
        if unjudged:
            yield self._not_judged(list(dict.fromkeys(unjudged)))

    def _not_judged(self, ids: list[str]) -> model.Finding:
        return model.Finding(
            model.Severity.INFO,
            model.Subject('database', 'rows'),
            'no database is configured, so advisories that depend on its '
            f'rows were not checked: {", ".join(ids)}',
            [
                model.advice(
                    'Run it where [database] connection is set, on a host '
                    'with manila-api, manila-scheduler or manila-share.'
                )
            ],
            data={'advisories': ','.join(ids)},
            aspect='unjudged',
        )


def _users(advisory: advisories.Advisory) -> tuple[str, ...]:
    """Return the services whose files decide whether it applies."""
    if advisory.per_backend:
        return (commands.SHARE,)
    users = set()
    for item in advisory.conditions:
        if isinstance(item, (advisories.Service, advisories.ServedBy)):
            return (commands.API,)
        if isinstance(item, advisories.Option):
            users.add(option_users.only_user(str(item.section), item.name))
    users.discard(None)
    if len(users) == 1:
        return (str(users.pop()),)
    return commands.SERVICES


class _Judge:
    """Evaluates conditions; asks for each source when it first needs it."""

    def __init__(self, ctx: context.Context, options: Any) -> None:
        self._options = options
        self._ctx = ctx
        self._conf = ctx.config
        self._counts: dict[advisories.LiveRows, dict[str, int]] = {}
        #: The advisories that only a database could decide, by id.
        self.unjudged: list[str] = []

    @functools.cached_property
    def _target(self) -> config_reader.Reader:
        return self._ctx.reader(self._ctx.upgrade.target)

    @functools.cached_property
    def _backends(self) -> tuple[config_files.Backend, ...]:
        """The back ends that these files start; one without a section, and
        a host without manila-share, start none.
        """
        conf = self._conf
        if not conf.runs_share:
            return ()
        return tuple(one for one in conf.backends if one.section is not None)

    def findings(
        self, advisory: advisories.Advisory
    ) -> Iterator[model.Finding]:
        """Yield what one advisory has to say."""
        where = self._backends if advisory.per_backend else (None,)
        for backend in where:
            if not all(
                self._holds(item, backend)
                for item in advisory.conditions
                if not isinstance(item, advisories.LiveRows)
            ):
                continue
            rows = 0
            if advisory.rows is not None:
                try:
                    rows = self._count(advisory.rows, backend)
                except exceptions.SourceNotGiven:
                    self.unjudged.append(advisory.id)
                    return
                if not rows:
                    continue
            yield self._finding(advisory, backend, rows)

    # -- conditions ----------------------------------------------------------

    def _holds(
        self,
        condition: advisories.Condition,
        backend: Optional[config_files.Backend],
    ) -> bool:
        if isinstance(condition, advisories.Drivers):
            assert backend is not None
            used = self._used(backend.name)
            found = bool(used & condition.names)
            return found is (condition.word == 'driver')
        if isinstance(condition, advisories.Service):
            return self._conf.serves_api
        if isinstance(condition, advisories.ServedBy):
            return not self._served or bool(self._signs(condition))
        assert isinstance(condition, advisories.Option)
        return self._option_holds(condition, _section(condition, backend))

    def _used(self, section: str) -> frozenset[str]:
        """Return the driver of a back end, and its plugin, as named here."""
        driver = self._target.driver(section)
        if driver is None:
            driver = self._conf.value(section, 'share_driver') or ''
        plugin = self._target.plugin(section)
        if plugin is None or driver != conditions.EMC_DRIVER:
            return frozenset({driver})
        return frozenset({driver, f'{advisories.EMC_PREFIX}{plugin}'})

    @functools.cached_property
    def _served(self) -> tuple[api_server.Served, ...]:
        """Return the signs of what serves the API; none: not known."""
        stated = self._options.api_server
        if stated == 'unknown':
            return ()
        if stated is not None:
            return (api_server.Served(api_server.Kind(stated)),)
        return self._ctx.api_server

    def _signs(
        self, condition: advisories.ServedBy
    ) -> tuple[api_server.Served, ...]:
        return tuple(
            sign for sign in self._served if sign.kind == condition.kind
        )

    def _option_holds(
        self, condition: advisories.Option, section: str
    ) -> bool:
        if condition.word in ('option_set', 'option_unset'):
            lines = self._lines(section, condition.name)
            return bool(lines) is (condition.word == 'option_set')
        values = self._values(section, condition.name)
        if condition.word == 'option_value':
            lowered = {value.lower() for value in values or ()}
            return any(text.lower() in lowered for text in condition.values)
        return values is not None and not set(condition.values) <= values

    def _lines(
        self, section: str, name: str
    ) -> tuple[config_files.Setting, ...]:
        found: tuple[config_files.Setting, ...] = ()
        for home in (section, *self._conf.backup_types(section)):
            names = self._target.standing(home, name).names
            found += self._conf.effective(names or [(home, name)])
        return found

    def _values(self, section: str, name: str) -> Optional[set[str]]:
        """Return the value, or the items of a list; None: not to be told."""
        try:
            value: Any = self._target.get(section, name)
        except config_reader.Refused:
            # The target refuses it, or no longer has the option: both are
            # findings of config-options.
            return None
        if value is None:
            return None
        items = value if isinstance(value, (list, tuple)) else [value]
        return {str(item) for item in items}

    # -- rows ----------------------------------------------------------------

    def _count(
        self,
        condition: advisories.LiveRows,
        backend: Optional[config_files.Backend],
    ) -> int:
        if condition not in self._counts:
            try:
                self._counts[condition] = row_counts.by_host(
                    self._ctx.database,
                    condition.table,
                    dict(condition.where),
                    condition.host,
                )
            except exceptions.SourceNotApplicable:
                # An empty database.
                self._counts[condition] = {}
        counts = self._counts[condition]
        if condition.host is None:
            return sum(counts.values())
        assert backend is not None
        name = backend.name if backend.source is not None else ''
        return sum(
            count
            for host, count in counts.items()
            if service_host.parse(host).backend == name
        )

    # -- words ---------------------------------------------------------------

    def _finding(
        self,
        advisory: advisories.Advisory,
        backend: Optional[config_files.Backend],
        rows: int,
    ) -> model.Finding:
        upgrade = self._ctx.upgrade
        words = {
            'section': backend.name if backend is not None else '',
            'rows': rows,
            'source': upgrade.source,
            'target': upgrade.target,
        }
        data: dict[str, model.Scalar] = {
            'advisory': advisory.id,
            'release': advisory.release.name,
        }
        if advisory.rows is not None:
            data['rows'] = rows
        severity = advisory.severity
        message = advisory.message.format_map(words)
        typed = {k: model.quoted(str(word)) for k, word in words.items()}
        todo = [
            model.Remediation(
                item.kind,
                item.text.format_map(
                    typed if item.kind == 'command' else words
                ),
            )
            for item in advisory.remediation
        ]
        if self._ctx.stage is model.Stage.STOPPED and any(
            item.text.startswith('openstack share ') for item in todo
        ):
            todo.insert(0, _AFTER)
        if advisory.served_by is not None:
            if self._served:
                message += self._place(advisory.served_by)
            else:
                severity = min(severity, model.Severity.WARNING)
                message += '; manila-precheck cannot see what serves it here'
                if self._ctx.stage is model.Stage.STOPPED:
                    todo += _SERVED
        finding = model.Finding(
            severity,
            self._subject(advisory, backend),
            message,
            todo,
            advisory.references,
            data,
            aspect=advisory.id,
        )
        options = [
            (_section(item, backend), item.name)
            for item in advisory.conditions
            if isinstance(item, advisories.Option)
        ]
        if backend is not None:
            options.insert(0, (backend.name, 'share_driver'))
        return unread_sources.weighed(self._conf, options, finding)

    def _place(self, condition: advisories.ServedBy) -> str:
        """Return the end of the sentence that says where it was seen."""
        files = [
            f'{sign.file} line {sign.line}'
            for sign in self._signs(condition)
            if sign.file is not None
        ]
        if files:
            return f'; {" and ".join(files)} names it'
        return '; it serves the API on this host'

    def _subject(
        self,
        advisory: advisories.Advisory,
        backend: Optional[config_files.Backend],
    ) -> model.Subject:
        """Return the back end, else the option, the table, the service."""
        lines: tuple[config_files.Setting, ...] = ()
        for item in advisory.conditions:
            if isinstance(item, advisories.Option):
                lines = lines or self._lines(
                    _section(item, backend), item.name
                )
        if backend is not None:
            lines = lines or self._conf.find(backend.name, 'share_driver')
            return config_files.subject('backend', backend.name, *lines[-1:])
        for item in advisory.conditions:
            if isinstance(item, advisories.Option):
                return config_files.subject(
                    'option', f'{item.section}/{item.name}', *lines[-1:]
                )
        if advisory.rows is not None:
            return model.Subject('table', advisory.rows.table)
        if advisory.served_by is not None:
            for sign in self._signs(advisory.served_by):
                if sign.file is not None:
                    return model.Subject(
                        'service', 'manila-api', sign.file, sign.line
                    )
        return model.Subject('service', 'manila-api')


def _section(
    condition: advisories.Option, backend: Optional[config_files.Backend]
) -> str:
    if condition.section is not None:
        return condition.section
    assert backend is not None
    return backend.name
