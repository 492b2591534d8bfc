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

"""Advisories: changes of behaviour in a release, and whom they concern.

The file data/advisories.json is written by hand: no release contains these
facts, and the generator of the catalog never changes it. An advisory applies
if all its conditions hold. The keywords of the conditions::

    {"driver": ["CLASS.PATH", "emc:PLUGIN"]}      (of each back end)
        its driver, or its EMC plugin, is one of these
    {"driver_not": ["CLASS.PATH", "emc:PLUGIN"]}  (of each back end)
        its driver and its EMC plugin are none of these
    {"option_set": "OPTION"}
        a file sets it, under whatever name
    {"option_unset": "OPTION"}
        no file sets it
    {"option_value": {"option": "OPTION", "values": ["TEXT"]}}
        its value, or the default of the target, is one of these, without
        regard to case; for a list or a multi-valued option: one of its items
    {"option_lacks": {"option": "OPTION", "items": ["TEXT"]}}
        it is a list, and it or its default lacks one of these
    {"service": "api"}
        these files serve manila-api: they have a [keystone_authtoken], or
        an option that only the API reads
    {"served_by": "program"}
        the API is served by manila-api itself; "script": by manila-wsgi in a
        web server; "threads": by manila-api itself, unless its environment
        asks for eventlet. If this is unknown the condition holds, too, and
        the finding says so, with WARNING at most
    {"rows": {"table": "TABLE", "where": {"COLUMN": "TEXT"}}}
        the database has live rows with these values; with a list in place of
        TEXT: with one of these
    {"rows": {..., "host": "COLUMN"}}             (of each back end)
        the same, for rows whose host is the back end's

OPTION is 'quota/shares', or just a name, which is then looked up in each back
end's section. An advisory with a condition "of each back end" is reported for
every back end for which all its conditions hold.
"""

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import TypeVar
from typing import Union

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import history

FORMAT = 1

KIND = 'advisories'

#: The check that reports an advisory without a check of its own.
CHECK = 'upgrade-advisories'

#: The prefix of a plugin of EMCShareDriver in a condition.
EMC_PREFIX = 'emc:'


class Drivers(NamedTuple):
    """A back end uses one of these drivers, or none of them."""

    word: str
    """'driver' or 'driver_not'."""

    names: frozenset[str]
    """Class paths, and 'emc:powerscale' for a plugin."""

    @property
    def per_backend(self) -> bool:
        """Say whether it applies to each back end separately."""
        return True


class OptionCondition(NamedTuple):
    """An option is set, is not set, or has a value."""

    word: str
    """'option_set', 'option_unset', 'option_value' or 'option_lacks'."""

    section: Optional[str]
    """Its section; None: the section of each back end."""

    name: str
    """Its name in files, with underscores."""

    values: tuple[str, ...] = ()
    """The texts with which option_value or option_lacks compares."""

    @property
    def per_backend(self) -> bool:
        """Say whether it applies to each back end separately."""
        return self.section is None


class ServiceCondition(NamedTuple):
    """The configuration files belong to a service."""

    word: str
    """'service'."""

    name: str
    """'api'."""

    @property
    def per_backend(self) -> bool:
        """Say whether it applies to each back end separately."""
        return False


class ServedBy(NamedTuple):
    """The API is served in one of several ways."""

    word: str
    """'served_by'."""

    kind: str
    """'program' or 'script', as in evidence.host.api_server.Kind, or
    'threads': the program with native threads."""

    @property
    def per_backend(self) -> bool:
        """Say whether it applies to each back end separately."""
        return False


class LiveRows(NamedTuple):
    """The database holds live rows."""

    word: str
    """'rows'."""

    table: str
    """The table that is counted."""

    where: tuple[tuple[str, tuple[str, ...]], ...]
    """For each column, sorted, the texts that a counted row may have."""

    host: Optional[str] = None
    """The column that names the host of a back end; None: all rows count."""

    @property
    def per_backend(self) -> bool:
        """Say whether it applies to each back end separately."""
        return self.host is not None


Condition = Union[
    Drivers, OptionCondition, ServiceCondition, ServedBy, LiveRows
]

C = TypeVar('C', ServedBy, LiveRows)

#: Every keyword that a condition may have, sorted.
WORDS = (
    'driver',
    'driver_not',
    'option_lacks',
    'option_set',
    'option_unset',
    'option_value',
    'rows',
    'served_by',
    'service',
)


class Advisory(NamedTuple):
    """One change of behaviour, and the deployments that it concerns."""

    id: str
    """Kebab case, unique."""

    release: releases.Release
    """The release that brought the change; with the build, if it came in a
    point release."""

    backports: tuple[releases.Release, ...]
    """The builds of earlier releases that have it, too, oldest first."""

    severity: model.Severity

    message: str
    """One sentence, with {section}, {rows}, {source} and {target}."""

    remediation: tuple[model.Remediation, ...]
    """What to do, with the same references."""

    references: tuple[str, ...]
    """Where the fact comes from; at least one."""

    conditions: tuple[Condition, ...]
    """The conditions in the order of the file; without one it concerns every
    deployment."""

    check: str = CHECK
    """The id of the check that reports it."""

    @property
    def per_backend(self) -> bool:
        """Say whether it is reported for each back end separately."""
        return any(item.per_backend for item in self.conditions)

    @property
    def served_by(self) -> Optional[ServedBy]:
        """Return the condition on the API's server; None: there is none."""
        return self._only(ServedBy)

    @property
    def rows(self) -> Optional[LiveRows]:
        """Return the condition on the database; None: there is none."""
        return self._only(LiveRows)

    def remedies(
        self, words: Mapping[str, object]
    ) -> tuple[model.Remediation, ...]:
        """Return the remediation with the references replaced.

        :param words: values by name, unquoted; commands get them quoted.
        """
        typed = {name: model.quoted(str(one)) for name, one in words.items()}
        return tuple(
            model.Remediation(
                item.kind,
                item.text.format_map(
                    typed if item.kind == 'command' else words
                ),
            )
            for item in self.remediation
        )

    def _only(self, kind: type[C]) -> Optional[C]:
        """Return the first condition of a kind; None: there is none."""
        for item in self.conditions:
            if isinstance(item, kind):
                return item
        return None


def load() -> tuple[Advisory, ...]:
    """Read the advisories of the package, sorted by id.

    :raises CatalogError: when the file is missing, damaged or of another
        format.
    """
    return decode(history.read(KIND))


def of_check(check_id: str) -> tuple[Advisory, ...]:
    """Return the advisories that one check reports, sorted by id.

    :raises CatalogError: as :func:`load` does.
    """
    return tuple(one for one in load() if one.check == check_id)


def decode(text: str) -> tuple[Advisory, ...]:
    """Return the advisories in a file.

    :param text: the content of advisories.json.
    :raises CatalogError: when it is damaged or of another format.
    """
    return history.decode(KIND, text, FORMAT, 'advisories', _advisory)


def _advisory(row: Mapping[str, Any]) -> Advisory:
    return Advisory(
        id=row['id'],
        release=_release(row['release']),
        backports=tuple(map(_release, row.get('backports', ()))),
        severity=model.Severity[row['severity'].upper()],
        message=row['message'],
        remediation=tuple(
            model.Remediation(item['kind'], item['text'])
            for item in row['remediation']
        ),
        references=tuple(row['references']),
        conditions=tuple(_condition(item) for item in row['conditions']),
        check=row.get('check', CHECK),
    )


def _release(value: Union[int, str]) -> releases.Release:
    """Return a release; with its build for a version such as '13.0.1'."""
    if isinstance(value, int):
        return releases.from_major(value)
    return releases.parse(value).of_build(value)


def _condition(item: Mapping[str, Any]) -> Condition:
    ((word, facts),) = item.items()
    if word in ('driver', 'driver_not'):
        return Drivers(word, frozenset(facts))
    if word in ('option_set', 'option_unset'):
        return OptionCondition(word, *_option(facts))
    if word in ('option_value', 'option_lacks'):
        texts = facts['values' if word == 'option_value' else 'items']
        return OptionCondition(word, *_option(facts['option']), tuple(texts))
    if word == 'service':
        return ServiceCondition(word, facts)
    if word == 'served_by':
        return ServedBy(word, facts)
    if word == 'rows':
        return LiveRows(
            word,
            facts['table'],
            tuple(
                (column, (texts,) if isinstance(texts, str) else tuple(texts))
                for column, texts in sorted(facts['where'].items())
            ),
            facts.get('host'),
        )
    raise ValueError(f'no condition is called {word!r}')


def _option(text: str) -> tuple[Optional[str], str]:
    section, slash, name = text.rpartition('/')
    return (section if slash else None), name
