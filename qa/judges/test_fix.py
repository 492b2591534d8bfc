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
"""What upgrade fix makes of the sites, asked of real releases.

Needs MANILA_PRECHECK_VENVS, as test_judge.py does.
"""

import os
import unittest

import ddt
import fixtures
import testtools

from manila_precheck import testing
from manila_precheck.evidence.config import config_files
from manila_precheck.tests import venvs
from manila_precheck.tests.functional import test_fix
from qa import hops
from qa.judges import judge
from qa.judges import judge_inputs

# Is read from somewhere in the target; a fix does not touch it.
_UNREAD = ('unknown', 'ineffective')


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
@ddt.ddt
class FixTest(testtools.TestCase):
    @ddt.data(*hops.HOPS)
    @ddt.unpack
    def test_the_target_reads_what_the_source_has_read(self, source, target):
        for release in (source, target):
            if not judge.python(release):
                self.skipTest(f'no virtual environment of {release}')
        home = self.useFixture(_Homes(source, target))
        before = home.ask(source, 'before')
        same = home.ask(source, 'early')
        after = home.ask(target, 'after')
        wrong = []
        for name in sorted(judge_inputs.SITES):
            for place in home.sites[name].compare(
                before[name], same[name], after[name]
            ):
                wrong.append((name, *place))
        self.assertEqual([], wrong)


class _Homes(fixtures.Fixture):
    """Each site as it is, and as it becomes."""

    def __init__(self, source, target):
        super().__init__()
        self._source, self._target = source, target
        self.sites = {}

    def _setUp(self):
        self._home = self.useFixture(fixtures.TempDir()).path
        for name, site in judge_inputs.SITES.items():
            with testing.Site(
                files=site.files,
                source=self._source,
                target=self._target,
                locations=site.locations,
            ) as made:
                self.sites[name] = _Fixed(made, site, self._home, name)

    def ask(self, release, which):
        return judge.ask_sites(
            release,
            {
                name: (os.path.join(self._home, which, name), one.locations)
                for name, one in self.sites.items()
            },
        )


class _Fixed:
    """One site, and what is told of it."""

    def __init__(self, made, site, home, name):
        ctx = made.context()
        self.locations = site.locations
        results = test_fix.results_of(ctx)
        self._told = test_fix.told_by(results)
        fixed = test_fix.fixed_of(ctx)
        self._marked = {
            tuple(finding.subject.name.partition('/')[::2])
            for result in fixed.results
            for finding in result.findings
            if test_fix.actions_of(finding) == {'choose'}
        }
        source = ctx.reader(ctx.upgrade.source)
        target = ctx.reader(ctx.upgrade.target)
        #: Where each line is found in the target.
        self._moved = []
        for setting in ctx.config.settings:
            now = target.of(setting)
            if (
                now.read
                and now.option is not None
                and (setting in source.effective(setting))
            ):
                self._moved.append(
                    (
                        (setting.group, setting.name),
                        (config_files.normalize(now.group), now.option.name),
                    )
                )
        for which in ('before', 'early', 'after'):
            for file in fixed.files:
                relative = os.path.relpath(file.path, made.path)
                path = os.path.join(home, which, name, relative)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, 'wb') as stream:
                    stream.write(getattr(file, which))

    def compare(self, before, same, after):
        """Yield what the real releases see otherwise."""
        for place, (verdict, _value) in sorted(after.rows.items()):
            if place in self._marked:
                continue
            if verdict in ('invalid', 'old name'):
                yield (place, verdict)
            elif verdict in _UNREAD:
                was = before.rows.get(place, ('unknown', None))[0]
                if was not in _UNREAD:
                    yield (place, verdict, was)
        for old, new in self._moved:
            if old not in before.rows or old in self._told:
                continue
            verdict, value = before.rows[old]
            if verdict == 'invalid' or verdict in _UNREAD:
                continue
            for rows in (same.rows, after.rows):
                found = rows.get(new, rows.get(old))
                if found is None or _plain(found[1]) != _plain(value):
                    yield (old, new, value, found)


def _plain(value):
    """Return a value in the form that both releases can have it in.

    What was a list of name=value in one may be a mapping in the other.
    """
    if isinstance(value, dict):
        return sorted(f'{name}={item}' for name, item in value.items())
    return sorted(map(str, value)) if isinstance(value, list) else value
