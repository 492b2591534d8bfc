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

"""The base class of all checks."""

import abc
from collections.abc import Iterable
import re
from typing import Any
from typing import ClassVar
from typing import Optional
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.evidence.config import service_files

if TYPE_CHECKING:
    from oslo_config import cfg

    from manila_precheck.engine import context

ID_PATTERN = re.compile(r'[a-z][a-z0-9-]{3,39}')


class Check(abc.ABC):
    """A check for one kind of problem in an upgrade.

    A subclass sets the attributes below and yields findings from
    :meth:`run`. Its docstring is its page in the check reference: the first
    line says what is true when the check has findings. It is registered as an
    entry point in ``manila_precheck.checks``, under its id.
    """

    #: Kebab case, 4 to 40 characters; also the name of the entry point.
    id: ClassVar[str]

    #: The title for tables: a noun phrase without a full stop.
    title: ClassVar[str]

    #: The stages at which the check runs.
    stages: ClassVar[frozenset[model.Stage]] = frozenset({model.Stage.PLAN})

    #: The sources that the check needs; the runner makes sure that they can be
    #: read before it calls :meth:`run`.
    requires: ClassVar[frozenset[model.Source]] = frozenset()

    #: Further sources that the check reads if they exist; "check list" shows
    #: them.
    uses: ClassVar[frozenset[model.Source]] = frozenset()

    #: The programs whose files the check reads ('manila-share'). If they read
    #: different files, the check runs once for each list of files, and the
    #: findings are merged. Empty: it runs once, over the files of all.
    services: ClassVar[tuple[str, ...]] = ()

    #: The release that introduced the problem ('2026.1'): the check applies
    #: when the upgrade crosses that release. None: it always applies.
    introduced: ClassVar[Optional[str]] = None

    #: The stages at which some of its findings go away by themselves, so that
    #: ``--wait`` waits for that; see :meth:`goes_away`.
    drains: ClassVar[frozenset[model.Stage]] = frozenset()

    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the check's own options; none by default.

        They are registered in ``[manila_precheck_<id>]``, with underscores
        for dashes.
        """
        return ()

    @classmethod
    def register(cls, conf: 'cfg.ConfigOpts') -> None:
        """Register the check's own options, so that it can read them."""
        own = cls.opts()
        if own:
            conf.register_opts(own, group=model.option_group(cls.id))

    #: Whether an operator may waive its findings.
    waivable: ClassVar[bool] = True

    #: Earlier ids under which it can still be selected.
    aliases: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def stage_words(cls) -> tuple[str, ...]:
        """Return the stages at which it runs, in the order of the enum."""
        return tuple(s.value for s in model.Stage if s in cls.stages)

    @classmethod
    def sources(cls) -> tuple[model.Source, ...]:
        """Return the sources that it reads, in the order of the enum."""
        return tuple(s for s in model.Source if s in cls.requires | cls.uses)

    @abc.abstractmethod
    def run(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Read the sources of the context and yield a finding per problem.

        :param ctx: the upgrade, the stage, the catalog and the sources.
        :returns: findings in any order; none means that all is well.
        :raises PrecheckError: when the check cannot read its sources. Any
            other exception is caught as well and reported as a crash of the
            check.
        """

    def goes_away(self, finding: model.Finding) -> bool:
        """Say whether ``--wait`` waits until a finding of this check is gone.

        It is called at the stages of :attr:`drains`.
        """
        return finding.severity >= model.Severity.WARNING


def validate(name: str, candidate: Any) -> type[Check]:
    """Return the object of an entry point if it is a valid check.

    :param name: the name of the entry point.
    :param candidate: the object that the entry point loads.
    :raises PluginError: when it is not a valid check; the text says why.
    """
    if not (isinstance(candidate, type) and issubclass(candidate, Check)):
        raise exceptions.PluginError(
            f'{candidate!r} is not a subclass of manila_precheck.check.Check'
        )
    check_id = getattr(candidate, 'id', None)
    if check_id != name:
        raise exceptions.PluginError(
            f'its id is {check_id!r}, not the name of its entry point'
        )
    if not ID_PATTERN.fullmatch(name):
        raise exceptions.PluginError(
            f'{name!r} is not an id: lower case letters, digits and dashes, '
            'a letter first, 4 to 40 characters'
        )
    for attribute, member in (
        ('stages', model.Stage),
        ('requires', model.Source),
        ('uses', model.Source),
        ('drains', model.Stage),
    ):
        value = getattr(candidate, attribute)
        if not isinstance(value, frozenset) or not all(
            isinstance(item, member) for item in value
        ):
            raise exceptions.PluginError(
                f'its {attribute} {value!r} is not a frozenset of '
                f'{member.__name__}'
            )
    title = getattr(candidate, 'title', None)
    if not isinstance(title, str) or not title:
        raise exceptions.PluginError(f'its title {title!r} is not a string')
    introduced = candidate.introduced
    if not (introduced is None or isinstance(introduced, str)):
        raise exceptions.PluginError(
            f'its introduced {introduced!r} is not a string'
        )
    if not isinstance(candidate.services, tuple) or not all(
        service in service_files.PROGRAMS for service in candidate.services
    ):
        raise exceptions.PluginError(
            f'its services {candidate.services!r} are not a tuple of '
            f'{", ".join(service_files.PROGRAMS)}'
        )
    if not isinstance(candidate.aliases, tuple) or not all(
        isinstance(alias, str) for alias in candidate.aliases
    ):
        raise exceptions.PluginError(
            f'its aliases {candidate.aliases!r} are not a tuple of strings'
        )
    if candidate.__abstractmethods__:
        raise exceptions.PluginError('it does not define run()')
    return candidate
