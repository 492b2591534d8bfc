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

"""Whether the driver of a back end loads: its class, plugin and mode."""

from collections.abc import Generator
from collections.abc import Iterator
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import Catalog
from manila_precheck.catalog import conditions
from manila_precheck.catalog import drivers
from manila_precheck.catalog import support
from manila_precheck.checks.backend_drivers import backend
from manila_precheck.engine import unread_sources
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import value_judges

Severity = model.Severity


class BackendCode(NamedTuple):
    """The driver of a back end, as the support matrix names it."""

    now: str
    """In the target: a class path, or 'emc:unity' for a plugin."""

    before: str
    """The same in the source."""

    foreign: bool = False
    """Whether it is a third party's: manila does not ship it."""

    driver: Optional[drivers.Driver] = None
    """The facts about a third-party driver; None for a driver of manila, or if
    nothing is known about it."""


Findings = Generator[model.Finding, None, Optional[BackendCode]]


def judge(one: backend.BackEnd, matrix: support.Matrix) -> Findings:
    """Yield what keeps a back end from loading; return what it loads.

    :param matrix: a class that manila lacks and that has a row for the target
        here is a third party's, even if its path begins with ``manila.``.
    """
    name = one.name
    if one.section is None:
        finding = one.fails(
            one.enabled_by,
            f'enabled_share_backends names {name}, but no file has a section '
            f'[{name}]',
            one.or_without(
                'Add the section, with share_driver and '
                'driver_handles_share_servers'
            ),
            'section',
        )
        yield unread_sources.weighed(
            one.ctx.config, [(name, 'share_driver')], finding
        )
        return None
    why = unread_sources.why_not_judged(one.ctx.config, name, 'share_driver')
    if why is not None:
        yield one.finding(
            Severity.WARNING,
            one.enabled_by,
            f'the driver of [{name}] was not checked: {why}',
            [],
            'unjudged',
        )
        return None
    module, _, class_name = one.path.rpartition('.')
    if not class_name or not all(module.split('.')):
        yield one.fails(
            one.driver_line,
            f'[{one.name}] has share_driver = {one.path}'.rstrip()
            + ', which is not the path of a class, such as '
            f'{conditions.DEFAULT_DRIVER}',
            one.or_without('Set share_driver to the path of a driver'),
            'driver',
        )
        return None
    facts = one.ctx.catalog
    driver = facts.driver(one.target, one.path)
    if driver is None:
        why = facts.lacks_class(one.target, one.path)
        row = matrix.find(one.path, one.target)
        if why is None and (row is not None or not _is_manilas(one)):
            return BackendCode(one.path, one.path, foreign=True)
        yield _absent(one, why)
        return None
    if driver.kind == drivers.SHARE_MOVED:
        yield _moved(one, driver)
        assert driver.target is not None
        driver = facts.drivers(one.target)[driver.target]
    if driver.deprecated:
        yield _deprecated(one, one.driver_line, driver.name)
    if driver.name == conditions.EMC_DRIVER:
        return (yield from _plugin(one))
    yield from mode(one, driver.modes, driver.name)
    if not driver.name.startswith('manila.'):
        return BackendCode(
            driver.name, driver.name, foreign=True, driver=driver
        )
    return BackendCode(driver.name, driver.name)


def _moved(one: backend.BackEnd, driver: drivers.Driver) -> model.Finding:
    return one.finding(
        Severity.WARNING,
        one.driver_line,
        f'[{one.name}] loads {one.path}, an old path that '
        f'{one.target} still maps to {driver.target}',
        [
            model.config(
                '[{}]\nshare_driver = {}', one.name, driver.target
            ).with_edits(
                *one.set_to(
                    'share_driver',
                    str(driver.target),
                    _leads(one, one.path) == driver.target
                    and _leads(one, str(driver.target)) == driver.target,
                )
            )
        ],
        'moved',
        {'moved_to': driver.target},
    )


def _leads(one: backend.BackEnd, path: str) -> Optional[str]:
    """Return the class that the source loads for a path."""
    found = one.ctx.catalog.driver(one.source, path)
    return None if found is None else found.target or found.name


def _is_manilas(one: backend.BackEnd) -> bool:
    """Say whether the path of the driver is within manila."""
    return one.path.startswith('manila.')


def _absent(one: backend.BackEnd, why: Optional[str]) -> model.Finding:
    """Return that a class is not there.

    :param why: the reason according to the facts of the build, if any.
    """
    text = (
        f'{one.source} has it'
        if one.ctx.catalog.driver(one.source, one.path) is not None
        else f'nor does {one.source}'
    )
    if why is not None:
        text = why
    return one.fails(
        one.driver_line,
        f'[{one.name}] loads {one.path}, which {one.target} does not '
        f'have ({text})',
        one.or_without(f'Set share_driver to a driver that {one.target} has'),
        'driver',
    )


def _deprecated(
    one: backend.BackEnd, line: Optional[config_files.Setting], what: str
) -> model.Finding:
    return one.finding(
        Severity.WARNING,
        line,
        f'[{one.name}] uses {what}, which is deprecated in {one.target}; a '
        'later release removes it',
        [model.advice('Plan the move of its shares to another back end.')],
        'deprecated',
    )


# -- the plugin of an EMC driver ---------------------------------------------


def _plugin(one: backend.BackEnd) -> Findings:
    line = one.line('emc_share_backend')
    facts = one.ctx.catalog
    known = facts.plugins(one.target, drivers.EMC_PLUGIN)
    if line is None:
        finding = one.fails(
            one.driver_line,
            f'[{one.name}] does not set emc_share_backend; EMCShareDriver '
            'has no plugin to load',
            one.lines('emc_share_backend', sorted(known)),
            'plugin',
        )
        yield unread_sources.weighed(
            one.ctx.config, [(one.name, 'emc_share_backend')], finding
        )
        return None
    new = config_reader.emc_plugin(line.value, facts, one.target)
    plugin = known.get(new)
    if new != line.value:
        yield _old_plugin(one, line, new)
    if plugin is None:
        near = _name_since(facts, line.value)
        usable = [near] if near in known else sorted(known)
        yield one.fails(
            line,
            f'[{one.name}] emc_share_backend = {line.value} is not a plugin '
            f'of {one.target}',
            one.lines('emc_share_backend', usable),
            'plugin',
            {'verdict': 'invalid'},
        )
        return None
    if plugin.deprecated:
        yield _deprecated(one, line, f'plugin {plugin.name}')
    yield from mode(one, plugin.modes, f'plugin {plugin.name}')
    before = config_reader.emc_plugin(line.value, facts, one.source)
    return BackendCode(f'emc:{plugin.name}', f'emc:{before}')


def _old_plugin(
    one: backend.BackEnd, line: config_files.Setting, new: str
) -> model.Finding:
    return one.finding(
        Severity.WARNING,
        line,
        f'[{one.name}] emc_share_backend = {line.value} is an old name '
        f'that {one.target} still maps to {new}',
        [
            model.config(
                '[{}]\nemc_share_backend = {}', one.name, new
            ).with_edits(
                *one.set_to(
                    'emc_share_backend',
                    new,
                    new
                    in one.ctx.catalog.plugins(one.source, drivers.EMC_PLUGIN),
                )
            )
        ],
        'plugin',
        {'moved_to': new},
    )


def _name_since(facts: Catalog, named: str) -> str:
    """Return the current name of a plugin of an older release."""
    for release in reversed(facts.releases):
        new = config_reader.emc_plugin(named, facts, release)
        if new != named:
            return new
    return named.lower()


# -- driver_handles_share_servers --------------------------------------------


def mode(
    one: backend.BackEnd, modes: tuple[bool, ...], what: str
) -> Iterator[model.Finding]:
    """Yield what is wrong with driver_handles_share_servers.

    :param modes: the values that the driver supports; empty if not known.
    :param what: the name of the driver in messages.
    """
    line = one.line('driver_handles_share_servers')
    advice = one.lines(
        'driver_handles_share_servers',
        [str(mode) for mode in modes or (False, True)],
    )
    if line is None:
        finding = one.fails(
            one.driver_line or one.enabled_by,
            f'[{one.name}] does not set driver_handles_share_servers, which '
            'has no default',
            advice,
            'mode',
        )
        yield unread_sources.weighed(
            one.ctx.config,
            [(one.name, 'driver_handles_share_servers')],
            finding,
        )
        return
    reader = one.ctx.reader(one.target)
    try:
        value = reader.get(one.name, 'driver_handles_share_servers')
    except config_reader.Refused:
        if value_judges.is_loading(reader, line):
            yield one.fails(
                line,
                f'[{one.name}] driver_handles_share_servers = {line.value} '
                'is neither true nor false',
                advice,
                'mode',
                {'verdict': 'invalid'},
            )
        return
    if modes and value not in modes:
        usable = ' or '.join(str(mode) for mode in modes)
        yield one.fails(
            line,
            f'[{one.name}] driver_handles_share_servers = {line.value} is '
            f'not supported by {what} in {one.target}, which accepts only '
            f'{usable}',
            advice,
            'mode',
        )
