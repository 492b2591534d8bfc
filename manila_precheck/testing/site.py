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

"""Fixtures for tests of checks, for this package and for plugins.

A :class:`Site` is a controller in a temporary directory, with its files and
its database if it has one. It runs one check over them through the runner, as
the command does::

    site = self.useFixture(testing.Site('[DEFAULT]\\nfoo = 1\\n'))
    result = site.run('config-options')

:func:`report_of` makes a report for the test of a reporter.

It needs the package ``fixtures``.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import datetime
import functools
import os
from typing import Any
from typing import Optional
from typing import Union

import fixtures

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import opts
from manila_precheck import releases
from manila_precheck.engine import check
from manila_precheck.engine import context as contexts
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.engine import which_upgrade
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_sources
from manila_precheck.evidence.config import service_files
from manila_precheck.evidence.files import tree

#: The time of every run in a test.
NOW = datetime.datetime(2026, 4, 1, 12, 0, 0, tzinfo=datetime.timezone.utc)


class Site(fixtures.Fixture):
    """A controller: files in a temporary directory and a database.

    It does not read ``/proc`` and ``/etc`` of this machine: put files below
    ``root/`` instead.

    :param config: the text of manila.conf.
    :param files: further files: relative path to text.
    :param connection: the URL of the database; None for none.
    :param source: the release that runs now, as ``--source-release``.
    :param target: as ``--target-release``.
    :param stage: as ``--stage``.
    :param installed: the version of the installed manila ('20.0.3'); None
        for none.
    :param options: further options of ``[manila_precheck]``.
    :param check_options: options of checks: id to (name to value).
    :param python: the version of Python that the checks see; None for the
        actual one.
    :param locations: the files and directories that manila reads, in this
        order.
    :param running: the files and directories that the running services read,
        as ``--running-config-file`` and ``--running-config-dir``.
    :param services: the files and directories that single services read, by
        the names of their programs; other services read all of locations.
    :param controller: True if the services run on this machine, so that
        checks examine the paths and addresses that the files name.
    """

    def __init__(
        self,
        config: str = '[DEFAULT]\n',
        files: Optional[Mapping[str, str]] = None,
        connection: Optional[str] = None,
        source: Optional[str] = '2024.1',
        target: Optional[str] = '2025.1',
        stage: str = 'plan',
        installed: Optional[str] = None,
        options: Optional[Mapping[str, Any]] = None,
        check_options: Optional[Mapping[str, Mapping[str, Any]]] = None,
        python: Optional[tuple[int, int]] = None,
        locations: Sequence[str] = ('manila.conf',),
        running: Sequence[str] = (),
        services: Optional[Mapping[str, Sequence[str]]] = None,
        controller: bool = False,
    ) -> None:
        super().__init__()
        self._files = {'manila.conf': config, **(files or {})}
        self._connection = connection
        self._options = {
            'source_release': source,
            'target_release': target,
            'stage': stage,
            **(options or {}),
        }
        self._installed = installed
        self._python = python
        self._check_options = check_options or {}
        self._locations = tuple(locations)
        self._running = tuple(running)
        self._services = services
        self._controller = controller

    def _setUp(self) -> None:
        #: The directory that holds the files.
        self.path: str = self.useFixture(fixtures.TempDir()).path
        for name, text in self._files.items():
            path = os.path.join(self.path, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            # '\\udcff' in a text stands for the byte 0xff, which is not UTF-8.
            with open(
                path,
                'w',
                encoding='utf-8',
                errors='surrogateescape',
                newline='',
            ) as stream:
                stream.write(text)
        if self._connection is not None:
            with open(self.file('manila.conf'), 'a') as stream:
                url = self._connection.replace('$', '$$')
                stream.write(f'\n[database]\nconnection = {url}\n')

    def file(self, name: str) -> str:
        """Return the path of one of the files."""
        return os.path.join(self.path, name)

    def context(self) -> contexts.Context:
        """Return a context over the site that has not read anything yet."""
        conf = config_sources.ConfigOpts(
            config_files.ConfigFiles(()), runner.isolated
        )
        opts.register(conf)
        path = self.file('manila.conf')
        conf(
            ['--config-file', path],
            project='manila',
            default_config_files=[],
            default_config_dirs=[],
        )
        for name, value in self._options.items():
            if value is not None:
                conf.set_override(name, value, group=opts.GROUP)
        running: dict[str, list[str]] = {
            'running_config_file': [],
            'running_config_dir': [],
        }
        for path in map(self.file, self._running):
            kind = 'dir' if os.path.isdir(path) else 'file'
            running[f'running_config_{kind}'].append(path)
        for name, paths in running.items():
            conf.set_override(name, paths, group=opts.GROUP)
        for check_id, values in self._check_options.items():
            self._override(conf, check_id, values)
        installed = self._installed and releases.build(self._installed)
        python = self._python or which_upgrade.running_python()
        made = contexts.Context(
            conf,
            _shipped(),
            NOW,
            installed=lambda: installed or None,
            locations=self._all_locations(),
            services=self._found(),
            python=lambda: python,
            machine=tree.Directory(self.file('root')),
            controller=self._controller,
            sources=lambda files, wanted: config_sources.listed(
                config_sources.open_all(conf, files, runner.isolated),
                wanted,
                runner.isolated,
            ),
        )
        self.addCleanup(made.close)
        return made

    def _found(self) -> Optional[tuple[service_files.ServiceFiles, ...]]:
        if self._services is None:
            return None
        return tuple(
            service_files.ServiceFiles(
                program,
                tuple(
                    map(
                        self.file,
                        self._services.get(program, self._locations),
                    )
                ),
                service_files.How.DEFAULT,
                prog=program,
            )
            for program in service_files.PROGRAMS
        )

    def _all_locations(self) -> tuple[str, ...]:
        found = self._found()
        if found is None:
            return tuple(map(self.file, self._locations))
        return service_files.merged(found)

    def _override(
        self,
        conf: config_sources.ConfigOpts,
        check_id: str,
        values: Mapping[str, Any],
    ) -> None:
        (entry,) = registry.select(registry.checks(), [check_id])
        group = model.option_group(check_id)
        conf.register_opts(registry.load_check(entry).opts(), group=group)
        for name, value in values.items():
            conf.set_override(name, value, group=group)

    def run(
        self,
        what: Union[str, type[check.Check]],
        ctx: Optional[contexts.Context] = None,
    ) -> model.CheckResult:
        """Run one check and return its result, with a duration of 0.

        The edits of remedies are left out; :meth:`edits` returns them. The
        field ``about`` is left out as well: it repeats the docstring of the
        check.

        :param what: the id of a registered check, or a class that is not
            registered.
        :param ctx: the context to run over; None for a new one.
        """
        result = self._run(what, ctx)
        return result._replace(
            findings=tuple(
                finding._replace(
                    remediation=tuple(
                        step.with_edits() for step in finding.remediation
                    )
                )
                for finding in result.findings
            ),
            about='',
        )

    def edits(
        self,
        what: Union[str, type[check.Check]],
        ctx: Optional[contexts.Context] = None,
    ) -> dict[str, list[model.Edit]]:
        """Run one check and return the edits of its remedies.

        :param what: as for :meth:`run`.
        :param ctx: as for :meth:`run`.
        :returns: the edits by the key of the finding, without findings that
            have none.
        """
        found: dict[str, list[model.Edit]] = {}
        for finding in self._run(what, ctx).findings:
            for step in finding.remediation:
                if step.edits:
                    found.setdefault(finding.key, []).extend(step.edits)
        return found

    def _run(
        self,
        what: Union[str, type[check.Check]],
        ctx: Optional[contexts.Context],
    ) -> model.CheckResult:
        if isinstance(what, str):
            (entry,) = registry.select(registry.checks(), [what])
        else:
            entry = entry_of(what)
        return runner.run_one(entry, ctx or self.context(), clock=lambda: 0.0)


@functools.cache
def _shipped() -> catalog.Catalog:
    # Cached because it never changes, and reading it takes longer than most
    # checks take.
    return catalog.Catalog()


def report_of(
    *results: model.CheckResult, source: str = '2025.1', target: str = '2026.1'
) -> model.Report:
    """Return a report with these results, for testing a reporter.

    :param results: in the order of their ids.
    """
    return model.Report(
        tool=model.Tool('manila-precheck', '1.0.0', ''),
        source_release=source,
        source_origin='option',
        target_release=target,
        target_origin='option',
        stage=model.Stage.PLAN,
        files=(),
        database=None,
        checks=results,
    )


def entry_of(one: type[check.Check]) -> registry.Plugin:
    """Return the plugin that an entry point for a class would give."""
    return registry.Plugin(
        name=one.id,
        origin=f'{one.__module__}:{one.__name__}',
        load=lambda: one,
    )
