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

"""Values outside of files: in the environment, or in unreadable sources.

oslo.config reads the environment before the files, and the sources of
config_source after them.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Optional

from manila_precheck import model
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

Severity = model.Severity


class UnreadSources:
    """The findings about values that are in no file and were not checked."""

    def __init__(
        self, both: both_releases.Sides, environment: Mapping[str, str]
    ) -> None:
        self._sides = both
        self._environment = environment

    def findings(self) -> Iterator[model.Finding]:
        """Yield a finding for each source, then for each variable."""
        for source in self._sides.conf.sources:
            if source.problem:
                yield self._unread(source)
        for variable in sorted(self._environment):
            if variable.startswith('OS_') and '__' in variable:
                yield from self._variable(variable)

    def _unread(self, source: config_files.ValueSource) -> model.Finding:
        conf = self._sides.conf
        lines = conf.effective([(source.section, 'driver')]) or conf.find(
            'DEFAULT', 'config_source'
        )
        line = lines[-1] if lines else None
        names = [f'[{s}] {name}' for s, name in sorted(source.unread or ())]
        subject = config_files.subject(
            'option', f'{config_files.normalize(source.section)}/driver', line
        )
        if source.stops:
            return model.Finding(
                Severity.FAILURE,
                subject,
                f'config_source names [{source.section}], whose driver '
                f'{source.driver} cannot work: {source.problem}; every '
                'service exits at startup',
                [
                    model.advice(
                        f'Complete section [{source.section}], or remove it '
                        'from config_source.'
                    )
                ],
                data={'verdict': 'invalid', 'driver': source.driver},
                aspect='source',
            )
        return model.Finding(
            Severity.WARNING,
            subject,
            f'config_source names [{source.section}], but {source.name} '
            f'cannot be read here: {source.problem}; '
            + (
                f'not checked: {", ".join(names)}'
                if names
                else 'its values are not checked'
            ),
            [
                model.advice(
                    'Run manila-precheck where the services run, with the '
                    f'driver {source.driver!r} installed and the source '
                    'reachable.'
                )
                if source.driver
                else model.config('[{}]\ndriver = remote_file', source.section)
            ],
            data={'verdict': 'unjudged', 'driver': source.driver},
            aspect='source',
        )

    def _variable(self, variable: str) -> Iterator[model.Finding]:
        section, _, name = variable[len('OS_') :].lower().partition('__')
        group = 'DEFAULT' if section == 'default' else section
        for reader in (self._sides.target, self._sides.source):
            found = self._option(reader, group, name)
            if found is None:
                continue
            lines = reader.conf.effective(found.names)
            text = f'; it overrides {lines[-1].where}' if lines else ''
            option = f'[{group}] {found.names[0][1]}'
            yield model.Finding(
                Severity.WARNING,
                model.Subject('option', f'{group}/{found.names[0][1]}'),
                f'{variable} in the environment sets {option} for this '
                f'command{text}; the services may not have it, and its value '
                'is not checked',
                [
                    model.advice(
                        f'Unset {variable} for this command. If the services '
                        f'have it, set {option} in a configuration file '
                        'instead.'
                    )
                ],
                data={'verdict': 'unjudged', 'variable': variable},
                aspect='environment',
            )
            return

    def _option(
        self, reader: config_reader.Reader, group: str, name: str
    ) -> Optional[config_reader.OptionLookup]:
        """Return the option that a variable sets, under its current name."""
        names = [name] + [
            other for other in reader.options.names if other.lower() == name
        ]
        for one in names:
            found = reader.look_up(group, one)
            # Another variable may name the login plugin that reads it.
            if found.read or found.why is config_reader.Why.LOGIN:
                if found.option is not None and not found.old:
                    return found
        return None
