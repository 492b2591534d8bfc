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
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.catalog import advisories
from manila_precheck.engine import by_service
from manila_precheck.engine import check
from manila_precheck.engine import context
from manila_precheck.engine import deployment
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files

if TYPE_CHECKING:
    from oslo_config import cfg

_AFTER = model.advice('Once the services of the target run:')

# While the services are stopped, no process shows what serves the API.
_SERVED = [
    model.advice(
        'Set api_server in [manila_precheck_upgrade_advisories] to what '
        'serves the API when it runs: program, script or application.'
    )
]


class UpgradeAdvisories(check.Check):
    """A release of this upgrade changes behavior that this deployment uses.

    Some changes break no line of the configuration and no row of the database,
    but the service behaves differently after the upgrade: a default becomes
    stricter, a server or a script is removed, shares are busy at the first
    start. Each such change is an advisory, with the release that introduced it
    and the conditions under which it affects a deployment: the driver of a
    back end, an option that is set or left at its default, rows of the
    database. The check reports an advisory if the upgrade includes its release
    and all its conditions hold, and an advisory about back ends once for each
    back end.

    The check regards a host as an API host if the files have
    [keystone_authtoken] or an option that only the API reads. manila.conf does
    not state what serves the API there. The check detects that from the
    running processes and from the configuration of Apache and uWSGI on this
    machine (below ``/etc/apache2``, ``/etc/httpd``, ``/etc/uwsgi``, and in
    ``/etc/manila/*uwsgi*``) and, while no process of the API runs, from the
    units that systemd starts at boot. If it detects nothing, the finding
    states that. In a container next to the one of the API, set ``api_server``.

    Without a database, the check cannot judge advisories that count rows. It
    lists those whose other conditions hold in one finding (``rows#unjudged``).

    FAILURE: the API does not start in the target with the server that runs it
    here. WARNING: something stops working, or works differently, unless you
    act. INFO: the advisory affects only some deployments, and the check cannot
    tell which; or the next release introduces it.

    At stopped no process of the API runs. The FAILURE is then a WARNING,
    unless an enabled unit, a file of a web server or ``api_server`` shows what
    serves the API.

    What to do: follow the finding. You can write some lines before the
    upgrade; the finding then disappears.
    """

    id = 'upgrade-advisories'
    title = 'Upgrade advisories'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})
    uses = frozenset({model.Source.DATABASE})

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the option that says what serves the API."""
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
                help='The server that runs the API. If not set, the check '
                'detects it from the processes on this host and from the '
                'configuration of its web servers.',
            ),
        )

    def run(self, ctx: context.Context) -> Iterable[model.Finding]:
        """Yield a finding for each advisory that affects the deployment."""
        crossed = [
            advisory
            for advisory in advisories.of_check(self.id)
            if ctx.upgrade.crosses(advisory.release, *advisory.backports)
        ]
        judges: dict[tuple[str, ...], _Judge] = {}
        # Advisories that need the database come last: if the database fails,
        # the findings about the configuration have been yielded.
        for advisory in sorted(crossed, key=lambda one: one.rows is not None):
            runs = []
            for view in ctx.seen_by(*deployment.users(advisory)):
                judge = judges.get(view.locations)
                if judge is None:
                    judge = _Judge(view, ctx.options_of(self.id).api_server)
                    judges[view.locations] = judge
                runs.append(
                    by_service.ServiceRun(
                        view.judged, [*judge.findings(advisory)]
                    )
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


class _Judge:
    """Evaluates the advisories with the files that some services read."""

    def __init__(self, ctx: context.Context, stated: Optional[str]) -> None:
        self._ctx = ctx
        self._deployment = deployment.Deployment(ctx, stated)
        #: The ids of the advisories that could not be decided without a
        #: database.
        self.unjudged: list[str] = []

    def findings(
        self, advisory: advisories.Advisory
    ) -> Iterator[model.Finding]:
        """Yield the findings of one advisory."""
        try:
            for backend, rows in self._deployment.touched(advisory):
                yield self._finding(advisory, backend, rows)
        except exceptions.SourceNotGiven:
            self.unjudged.append(advisory.id)

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
        todo = list(advisory.remedies(words))
        if self._ctx.stage is model.Stage.STOPPED and any(
            item.text.startswith('openstack share ') for item in todo
        ):
            todo.insert(0, _AFTER)
        if advisory.served_by is not None:
            if self._deployment.served:
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
            (deployment.section(item, backend), item.name)
            for item in advisory.conditions
            if isinstance(item, advisories.OptionCondition)
        ]
        if backend is not None:
            options.insert(0, (backend.name, 'share_driver'))
        return unread_sources.weighed(self._ctx.config, options, finding)

    def _place(self, condition: advisories.ServedBy) -> str:
        """Return the end of the message, which says what shows it."""
        files = [
            f'{sign.file} line {sign.line}'
            for sign in self._deployment.signs(condition)
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
            if isinstance(item, advisories.OptionCondition):
                lines = lines or self._deployment.lines(
                    deployment.section(item, backend), item.name
                )
        if backend is not None:
            lines = lines or self._ctx.config.find(
                backend.name, 'share_driver'
            )
            return config_files.subject('backend', backend.name, *lines[-1:])
        for item in advisory.conditions:
            if isinstance(item, advisories.OptionCondition):
                return config_files.subject(
                    'option', f'{item.section}/{item.name}', *lines[-1:]
                )
        if advisory.rows is not None:
            return model.Subject('table', advisory.rows.table)
        if advisory.served_by is not None:
            for sign in self._deployment.signs(advisory.served_by):
                if sign.file is not None:
                    return model.Subject(
                        'service', 'manila-api', sign.file, sign.line
                    )
        return model.Subject('service', 'manila-api')
