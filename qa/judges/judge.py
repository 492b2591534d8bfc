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

"""Compare the verdicts of config-options with those of real releases.

As a program it prints, for every upgrade whose releases have an environment,
how often the two agree on a line, and each line on which they differ::

    MANILA_PRECHECK_VENVS=DIR python -m qa.judges.judge

The classes of a line are: known, unknown (nothing in the target reads the
line), removed (unknown, but the source reads it), renamed, deprecated and
invalid.
"""

import collections
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any
from typing import NamedTuple
from typing import Optional
from unittest import mock

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.catalog import conditions
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.database import connection
from manila_precheck.tests import venvs
from qa import hops
from qa.judges import judge_generated
from qa.judges import judge_inputs

CLASSES = (
    'known',
    'unknown',
    'removed',
    'renamed',
    'deprecated',
    'invalid',
)
# Differences that have a reason: (ours, real, option or section/option).
EXPLAINED = {
    # The section of a peer: its driver is not loaded, so nothing reads this.
    ('known', 'unknown', 'share_driver'),
    # Both of its old names are set, and the catalog has no order of them.
    ('renamed', 'another value of renamed', 'max_request_body_size'),
    # Older builds of the release read it: see upgrade-advisories.
    ('known', 'unknown', 'netapp_backup_share'),
}
# backend-drivers judges the options that select a back end's driver.
_CHECKS = ('config-options', 'backend-drivers')
_READ = ('known', 'renamed', 'deprecated')
_JUDGE = pathlib.Path(__file__).with_name('judge_config.py')
_CLASS_OF = {
    'old name': 'renamed',
    'for removal': 'deprecated',
    'ineffective': 'unknown',
}


class Line(NamedTuple):
    """One line, with our class and the real one."""

    site: str
    where: str
    section: str
    name: str
    ours: str
    real: str
    why: str = ''


class Answer(NamedTuple):
    """The answer of a release about one configuration."""

    rows: dict[tuple[str, str], tuple[str, Any]]
    """(section, option): the verdict and the value."""

    errors: dict[str, str]
    """The sections whose drivers could not be built, and why."""

    homes: dict[tuple[str, str], tuple[str, str]] = {}
    """The section and the name under which the option of a row is registered;
    options that nothing registers are left out."""

    secrets: frozenset[tuple[str, str]] = frozenset()
    """The rows whose option is marked as a secret."""

    wanted: dict[tuple[str, str], tuple[str, Any]] = {}
    """Like the rows, for the options that were asked for."""

    moved: Mapping[str, str] = {}
    """Path of a driver -> the path at which the release looks for it."""

    broken: str = ''
    """Why the files cannot be read; '' when they can."""


def python(release: str) -> str:
    """Return the interpreter of a release's environment; '' without one."""
    major = releases.parse(release).major
    path = os.path.join(venvs.DIRECTORY, f'm{major}', 'bin', 'python')
    return path if venvs.DIRECTORY and os.path.exists(path) else ''


def _ask(release: str, question: dict[str, Any]) -> Any:
    done = subprocess.run(
        [python(release), str(_JUDGE)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        cwd='/',
    )
    if done.returncode:
        raise AssertionError(f'{release}: {done.stderr[-4000:]}')
    return json.loads(done.stdout)


def ask_samples(release: str) -> Any:
    """Return the samples of a release, as judge_samples.py prints them."""
    return _ask(release, {'ask': 'samples'})


@functools.cache
def sites() -> dict[str, judge_inputs.Site]:
    """Return all configurations: written by hand, and generated."""
    names = sorted(
        {name for pair in hops.HOPS for name in pair if python(name)}
    )
    texts = judge_generated.configurations(map(ask_samples, names))
    generated = {
        name: judge_inputs.Site({'manila.conf': text})
        for name, text in texts.items()
    }
    return {**judge_inputs.SITES, **generated}


@functools.cache
def answers(release: str) -> dict[str, Answer]:
    """Return the answers of a release about all configurations."""
    with tempfile.TemporaryDirectory() as directory:
        homes = {}
        for name, site in sites().items():
            home = os.path.join(directory, name)
            site.write(home)
            homes[name] = (home, site.locations)
        return ask_sites(release, homes)


def ask_sites(
    release: str,
    homes: Mapping[str, tuple[str, tuple[str, ...]]],
    wanted: Optional[Mapping[str, Collection[tuple[str, str]]]] = None,
) -> dict[str, Answer]:
    """Return the answers of a release about configurations.

    :param homes: name -> (the directory, the files and directories in it that
        the services read).
    :param wanted: name -> further options to ask for.
    """
    asked = {
        name: [
            word
            for location in locations
            for word in (
                '--config-file'
                if location.endswith('.conf')
                else '--config-dir',
                os.path.join(home, location),
            )
        ]
        for name, (home, locations) in homes.items()
    }
    question = {
        'ask': 'verdicts',
        'sites': asked,
        'wanted': {name: sorted(one) for name, one in (wanted or {}).items()},
    }
    return {
        name: _answer(reply) for name, reply in _ask(release, question).items()
    }


def _answer(reply: dict[str, Any]) -> Answer:
    rows, homes, secrets = {}, {}, set()
    for section, option, verdict, value, home in reply['rows']:
        place = config_files.normalize(section), option
        rows[place] = verdict, value
        if home is not None:
            homes[place] = home[0], home[1]
            if home[2]:
                secrets.add(place)
    return Answer(
        rows,
        reply['errors'],
        homes,
        frozenset(secrets),
        {
            (section, option): (verdict, value)
            for section, option, verdict, value, _home in reply['wanted']
        },
        reply['moved'],
        reply['broken'],
    )


# Aspects that do not concern the line itself: what a value names, what a
# section lacks, and whether a text is a URL. Other tests ask about them
# (test_names_and_needs.py, and of real services qa/real/faults.py).
_NOT_OF_THE_LINE = ('names', 'missing', 'login', 'url')


def compare(source: str, target: str) -> Iterator[Line]:
    """Yield every line that takes effect, with both verdicts."""
    for name in sorted(sites()):
        yield from _compare_site(name, source, target)


def _compare_site(name: str, source: str, target: str) -> Iterator[Line]:
    site = sites()[name]
    before, after = answers(source)[name], answers(target)[name]
    with testing.Site(
        files=site.files,
        source=source,
        target=target,
        locations=site.locations,
    ) as made:
        ctx = made.context()
        with _no_server():
            results = [made.run(check, ctx) for check in _CHECKS]
        ours: dict[tuple[Any, Any], set[str]] = collections.defaultdict(set)
        for result in results:
            if result.outcome.name == 'ERROR':
                raise AssertionError(result.reason)
            for finding in result.findings:
                if (
                    finding.aspect.startswith(_NOT_OF_THE_LINE)
                    or 'verdict' not in finding.data
                ):
                    continue
                place = (finding.subject.file, finding.subject.line)
                ours[place].add(str(finding.data['verdict']))
        reader = config_reader.Reader(
            ctx.config, catalog.Catalog(), releases.parse(target)
        )
        for setting in ctx.config.settings:
            said = ours[setting.file, setting.line]
            if setting not in reader.effective(setting):
                # Neither side judges the value of such a line.
                continue
            key = (setting.group, setting.name)
            real = _real_class(before.rows[key][0], after.rows[key][0])
            if (
                real == 'known'
                and (
                    setting.group == 'DEFAULT'
                    or setting.name in conditions.DEFAULT_ALONE
                )
                and 'ineffective' in said
            ):
                # Importing a driver registers its options in [DEFAULT] too,
                # and manila-share registers those of its manager in each back
                # end's section: nothing reads them there.
                real = 'unknown'
            if _our_class(said) == real and real in _READ:
                differs = _value_differs(reader, setting, after.rows[key][1])
                real = f'another value of {real}' if differs else real
            yield Line(
                name,
                f'{os.path.relpath(setting.file, made.path)}:{setting.line}',
                setting.section,
                setting.name,
                _our_class(said),
                real,
                after.errors.get(setting.group, ''),
            )


def _no_server() -> Any:
    """Keep the check from connecting to the database.

    The generated configurations name ports of this machine, on which some
    other server may listen and never answer.
    """
    return mock.patch.object(
        connection,
        'connect',
        autospec=True,
        side_effect=exceptions.SourceUnusable('no server is asked'),
    )


def _value_differs(
    reader: config_reader.Reader, setting: config_files.Setting, real: Any
) -> bool:
    """Say whether a service would get a value other than ours."""
    option = reader.look_up(setting.group, setting.name).option
    assert option is not None
    ours = reader.get(setting.group, setting.name)
    if ours is None and '$' in setting.value:
        # It refers to a value that depends on the machine.
        return False
    return _plain(ours) != real


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _our_class(said: set[str]) -> str:
    # An invalid value is more important than a deprecated option.
    for verdict in ('invalid', 'unjudged', 'removed', 'renamed'):
        if verdict in said:
            return verdict
    (verdict,) = said or {'known'}
    return _CLASS_OF.get(verdict, verdict)


def _real_class(before: str, after: str) -> str:
    if after == 'unknown' and before != 'unknown':
        return 'removed'
    return _CLASS_OF.get(after, after)


def drivers_built(release: str) -> tuple[set[str], set[str]]:
    """Return the drivers of a release that were built, and the others."""
    built: set[str] = set()
    failed: set[str] = set()
    known = catalog.Catalog().drivers(releases.parse(release))
    for name, answer in answers(release).items():
        if name != 'drivers-good':
            continue
        for (section, option), (_verdict, value) in answer.rows.items():
            if option == 'share_driver' and value in known:
                (failed if section in answer.errors else built).add(value)
    return built, failed


def wrong(lines: list[Line]) -> list[Line]:
    """Return the lines on which the two differ, without unjudged ones."""
    return [
        line
        for line in lines
        if line.ours not in (line.real, 'unjudged')
        and not judged_out(line)
        and not explained(line)
    ]


def explained(line: Line) -> bool:
    """Say whether EXPLAINED lists the difference."""
    place = f'{config_files.normalize(line.section)}/{line.name}'
    return any(
        (line.ours, line.real, name) in EXPLAINED
        for name in (line.name, place)
    )


def judged_out(line: Line) -> bool:
    """Say whether the release could not judge a line.

    A driver that cannot be built without its vendor's library has not
    registered all of its options.
    """
    return bool(line.why) and line.real in ('unknown', 'removed')


def table(lines: list[Line]) -> str:
    """Return the recall and the precision of each class, as text."""
    rows = [f'{"":12}{"real":>8}{"ours":>8}{"both":>8}  recall precision']
    counted = [
        line
        for line in lines
        if line.ours != 'unjudged' and not judged_out(line)
    ]
    for kind in CLASSES:
        real = sum(line.real == kind for line in counted)
        ours = sum(line.ours == kind for line in counted)
        both = sum(line.real == line.ours == kind for line in counted)
        rows.append(
            f'{kind:12}{real:8}{ours:8}{both:8}'
            f'{_share(both, real):>8}{_share(both, ours):>10}'
        )
    left = len(lines) - len(counted)
    rows.append(f'{len(lines)} lines, {left} of them not to be judged')
    return '\n'.join(rows)


def _share(part: int, whole: int) -> str:
    return f'{100 * part / whole:.2f}%' if whole else '-'


def main() -> int:
    """Print the tables, and the lines that differ."""
    bad = 0
    for source, target in hops.HOPS:
        if not (python(source) and python(target)):
            print(f'{source} -> {target}: no environment, {venvs.VARIABLE}')
            continue
        lines = list(compare(source, target))
        print(f'{source} -> {target}\n{table(lines)}')
        for line in wrong(lines):
            bad += 1
            print('  ', *line)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
