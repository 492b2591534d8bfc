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

"""The class that every check derives from."""

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
    """One thing that can go wrong in an upgrade, and how to see it.

    A subclass sets the attributes below and yields findings from
    :meth:`run`. Its docstring is its page in the check reference: the first
    line says what is true when the check fires. It is registered as an entry
    point in ``manila_precheck.checks``, under its id.
    """

    #: Kebab case, 4 to 40 characters, the name of the entry point too.
    id: ClassVar[str]

    #: What stands in a table: a noun phrase, no full stop.
    title: ClassVar[str]

    #: The stages in which the answer means something.
    stages: ClassVar[frozenset[model.Stage]] = frozenset({model.Stage.PLAN})

    #: The sources without which it cannot look; the runner sees to them.
    requires: ClassVar[frozenset[model.Source]] = frozenset()

    #: Sources that it looks at by itself, there or not; for the lists.
    uses: ClassVar[frozenset[model.Source]] = frozenset()

    #: The programs whose files it judges ('manila-share'). Where they read
    #: different ones, it runs once for each list of files, and what it finds
    #: is put together. Empty: it runs once, over the files of all.
    services: ClassVar[tuple[str, ...]] = ()

    #: The release that brought the problem ('2026.1'): the check applies
    #: when the upgrade crosses it. None: it always applies.
    introduced: ClassVar[Optional[str]] = None

    #: The stages at which some of what it finds goes away by itself, so that
    #: ``--wait`` waits for it; see :meth:`goes_away`.
    drains: ClassVar[frozenset[model.Stage]] = frozenset()

    #: Its own options, registered in ``[manila_precheck_<id>]``, dashes as
    #: underscores.
    @classmethod
    def opts(cls) -> 'tuple[cfg.Opt, ...]':
        """Return the check's own options; none by default."""
        return ()

    @classmethod
    def register(cls, conf: 'cfg.ConfigOpts') -> None:
        """Register the check's own options, so that it can read them."""
        own = cls.opts()
        if own:
            conf.register_opts(own, group=model.option_group(cls.id))

    #: Whether an operator may let its findings pass with a waiver.
    waivable: ClassVar[bool] = True

    #: Earlier ids under which it can still be selected.
    aliases: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def stage_words(cls) -> tuple[str, ...]:
        """Return the stages that it is for, in the order of the enum."""
        return tuple(s.value for s in model.Stage if s in cls.stages)

    @classmethod
    def sources(cls) -> tuple[model.Source, ...]:
        """Return what it looks at, in the order of the enum."""
        return tuple(s for s in model.Source if s in cls.requires | cls.uses)

    @abc.abstractmethod
    def run(self, ctx: 'context.Context') -> Iterable[model.Finding]:
        """Look at the sources of the context and yield what is wrong.

        :param ctx: the upgrade, the stage, the catalog and the sources.
        :returns: findings in any order; none means that all is well.
        :raises PrecheckError: when it cannot look; any other exception is
            caught as well and shown as a crash of the check.
        """

    def goes_away(self, finding: model.Finding) -> bool:
        """Say whether a finding is worth waiting for.

        Asked at the stages of :attr:`drains`, of findings of this check.
        """
        return finding.severity >= model.Severity.WARNING


def validate(name: str, candidate: Any) -> type[Check]:
    """Return the class behind an entry point when it is a usable check.

    :param name: the name of the entry point.
    :param candidate: what the entry point loads.
    :raises PluginError: saying what the class lacks.
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
