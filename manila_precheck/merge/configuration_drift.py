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

"""Where the configurations of several hosts differ."""

import array
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from manila_precheck import model
from manila_precheck.merge import wording

Severity = model.Severity

#: The id of the result that says where configurations differ.
DRIFT = 'configuration-drift'

# How many values of an option, and how many versions of a file, a message
# lists.
_MAX_VALUES = 6
_MAX_CONTENTS = 3

# Options that normally differ between hosts (manila 22.0.2 common/config.py,
# service.py, share/configuration.py; oslo.log _options.py).
_OF_A_HOST = frozenset(
    (
        'backend_host',
        'bindir',
        'host',
        'log_dir',
        'log_file',
        'my_ip',
        'neutron_host_id',
        'osapi_share_listen',
    )
)

# A deployment may have its back ends on different hosts.
_BACKENDS = 'DEFAULT/enabled_share_backends'

# The kinds of files that manila-api reads: each API server uses its own copy.
_OF_THE_API = ('policy', 'paste')


class ConfigurationDrift:
    """The options and the files of the hosts of one region.

    :param hosts: the hosts, which it knows by their numbers.
    """

    def __init__(self, hosts: wording.Hosts) -> None:
        self._hosts = hosts
        # By option and value: the setting of the first host that has the
        # value, and the numbers of all that do.
        self._options: dict[
            str, dict[str, tuple[model.SettingRead, array.array[int]]]
        ] = {}
        # By path and digest: the numbers of the hosts.
        self._files: dict[str, dict[str, array.array[int]]] = {}
        self._kinds: dict[str, str] = {}
        self._with_api: list[int] = []

    def add(self, host: int, report: model.Report) -> None:
        """Add the options and files of one host."""
        for setting in report.settings:
            if setting.option.rpartition('/')[2] in _OF_A_HOST:
                continue
            values = self._options.setdefault(setting.option, {})
            if setting.value not in values:
                values[setting.value] = setting, wording.none()
            values[setting.value][1].append(host)
        kinds = {
            file.path: file.kind or _kind(file.path) for file in report.files
        }
        for path, kind in kinds.items():
            if kind in _OF_THE_API:
                self._kinds[path] = kind
            else:
                self._kinds.setdefault(path, kind)
        for path, digest in {
            file.path: file.sha256 for file in report.files
        }.items():
            digests = self._files.setdefault(path, {})
            digests.setdefault(digest, wording.none()).append(host)
        if not set(_OF_THE_API).isdisjoint(kinds.values()):
            self._with_api.append(host)

    def findings(self) -> Iterator[model.Finding]:
        """Yield the differences, options first."""
        for option, values in sorted(self._options.items()):
            if len(values) > 1:
                yield self._difference(option, values)
        for path, digests in sorted(self._files.items()):
            of_api = self._kinds[path] in _OF_THE_API
            having = {one for numbers in digests.values() for one in numbers}
            without = [
                number
                for number in (self._with_api if of_api else ())
                if number not in having
            ]
            if len(digests) > 1 or without:
                yield self._different(path, digests, without, of_api)

    def _difference(
        self,
        option: str,
        values: Mapping[str, tuple[model.SettingRead, 'array.array[int]']],
    ) -> model.Finding:
        usual = max(values, key=lambda value: (len(values[value][1]), value))
        others = [value for value in values if value != usual]
        odd = sorted(number for value in others for number in values[value][1])
        group, _, name = option.rpartition('/')
        ordered = sorted(
            values.items(), key=lambda item: (-len(item[1][1]), item[0])
        )
        words = [
            f'{value!r} on {self._hosts.where(numbers)}'
            for value, (_place, numbers) in ordered[:_MAX_VALUES]
        ]
        if len(ordered) > _MAX_VALUES:
            words.append(f'{len(ordered) - _MAX_VALUES} other values')
        place = min(
            (values[value] for value in others), key=lambda item: item[1][0]
        )[0]
        return model.Finding(
            Severity.INFO if option == _BACKENDS else Severity.WARNING,
            model.Subject('option', option, place.file, place.line),
            f'[{group}] {name} is {"; ".join(words)}',
            (
                model.advice(
                    'Set it to one value on every host, unless the difference '
                    'is intended.'
                ),
            ),
            check_id=DRIFT,
            data={'hosts': ','.join(self._hosts.some(odd))},
        )

    def _different(
        self,
        path: str,
        digests: Mapping[str, 'array.array[int]'],
        without: Sequence[int],
        of_api: bool,
    ) -> model.Finding:
        """Return the finding for a file that differs between hosts.

        :param digests: the hosts that have the file, by its digest.
        :param without: the hosts that lack it.
        """
        groups = sorted(
            digests.values(), key=lambda numbers: (-len(numbers), numbers[0])
        )
        parts = []
        if len(groups) > _MAX_CONTENTS:
            having = sorted(number for numbers in groups for number in numbers)
            parts.append(
                f'{len(groups)} different ones on {self._hosts.where(having)}'
            )
        else:
            parts += [
                f'{"another" if place else "one"} on '
                f'{self._hosts.where(numbers)}'
                for place, numbers in enumerate(groups)
            ]
        if without:
            parts.append(f'none on {self._hosts.where(without)}')
        message = f'{path} differs: {", ".join(parts)}'
        if of_api:
            message += '; each manila-api uses its own file'
            remedy = f'Install the same {path} on every host with manila-api.'
        else:
            message += (
                '; secret options and lines that are not read are compared '
                'only in this way'
            )
            remedy = f'Compare {path} of these hosts.'
        odd = sorted(
            [number for numbers in groups[1:] for number in numbers]
            + list(without)
        )
        return model.Finding(
            Severity.WARNING if of_api else Severity.INFO,
            model.Subject('file', path, path),
            message,
            (model.advice(remedy),),
            check_id=DRIFT,
            data={'hosts': ','.join(self._hosts.some(odd))},
        )


def _kind(path: str) -> str:
    """Return the kind of a file, for a report that does not name it."""
    name = path.rpartition('/')[2]
    for kind in _OF_THE_API:
        if kind in name:
            return kind
    return 'config'
