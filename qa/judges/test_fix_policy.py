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


"""Ask real releases who gains or loses access by upgrade fix.

Needs MANILA_PRECHECK_VENVS, as test_judge.py does.
"""

import os
import re
import unittest

import ddt
import fixtures
import testtools

from manila_precheck import model
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.policy import policy_files
from manila_precheck.tests import venvs
from manila_precheck.tests.functional import test_fix
from qa import hops
from qa.judges import judge
from qa.judges import judge_inputs
from qa.judges import test_fix as judge_fix
from qa.judges import test_judge_policy


def _commented(text):
    """Return rules with comments between them, as people write them."""
    return '\n'.join(
        f'# ticket {number}: by hand, jd\n#{line}\n{line}\n'
        for number, line in enumerate(text.splitlines())
    )


# How files look after years and many editors; '\udcf6' is a non-UTF-8 byte.
_AGED = {
    'crlf': lambda text: text.replace('\n', '\r\n'),
    'commented': _commented,
    'mark': lambda text: f'\ufeff# by hand\n{text}',
    'no-end': lambda text: f'---\n{text}'.rstrip('\n'),
    'latin-1': lambda text: f'# Gr\udcf6\udcdfe\n{text}',
}


def _sites():
    """Return the sites of test_judge_policy, and aged copies of some."""
    found = {
        name: judge_inputs.Site(
            {'manila.conf': conf or '[DEFAULT]\n', **files}
        )
        for name, (conf, files) in test_judge_policy.SITES.items()
    }
    names = ('anchors', 'folded', 'lists', 'names', 'production')
    for number, (how, change) in enumerate(sorted(_AGED.items())):
        for name in (names[number], 'production'):
            conf, files = test_judge_policy.SITES[name]
            found[f'{name}-{how}'] = judge_inputs.Site(
                {
                    'manila.conf': conf or '[DEFAULT]\n',
                    **{path: change(text) for path, text in files.items()},
                }
            )
    return found


class _Fixed(judge_fix.Fixed):
    """One site, before and after the command."""

    def conf(self, which):
        """Return the path of the manila.conf of a version."""
        # The command writes no files if it cannot read them.
        home = self.before if self.code == 255 else getattr(self, which)
        return os.path.join(home, 'manila.conf')

    @property
    def findings(self):
        """Return the findings about access that hold for the fixed files.

        They include earlier findings about options that the target does not
        read: those are commented out by now, so they have no finding any more.
        """
        gone = {
            (edit.section, edit.name)
            for result in self.results
            for f in result.findings
            if f.data.get('verdict') == 'removed'
            for step in f.remediation
            for edit in step.edits
        }
        return [f for result in self.results_left for f in result.findings] + [
            f
            for result in self.results
            for f in result.findings
            if tuple(f.subject.name.rpartition('/')[::2]) in gone
        ]

    @property
    def is_failing(self):
        """Say whether the fixed files still have a failure."""
        return any(f.severity is model.Severity.FAILURE for f in self.findings)

    def places_of(self, rule):
        """Return how often a rule occurs in the fixed files."""
        line = re.compile(rb'[{\s]*"?' + re.escape(rule.encode()) + rb'"?\s*:')
        return sum(
            line.match(one) is not None
            for content in judge_fix.contents(self.after).values()
            for one in content.splitlines()
        )

    def with_effect(self, effect):
        """Return the rules whose findings before the fix have this effect."""
        return {
            f.subject.name
            for result in self.results
            for f in result.findings
            if f.data.get('effect') == effect
        }

    @property
    def marked(self):
        """Return the rules for which a person has to choose."""
        return {
            f.subject.name
            for f in self.findings
            if 'choose' in test_fix.actions_of(f)
        }

    @property
    def told(self):
        """Return the rules that get a new check, and who refers to them."""
        found: set[str] = {
            f.subject.name
            for result in self.results
            for f in result.findings
            if 'set' in test_fix.actions_of(f)
        }
        refers = re.compile(r'rule:([\w:-]+)')
        rules = policy_files.effective(
            policy_files.read(
                config_files.read([self.conf('before')])
            ).in_force(True)
        )
        while True:
            more = {
                name
                for name, rule in rules.items()
                if found.intersection(refers.findall(str(rule.check)))
            } - found
            if not more:
                return found
            found |= more


class _Base(testtools.TestCase):
    def check_sites(self, sites, source, target):
        for release in (source, target):
            if not judge.python(release):
                self.skipTest(f'no virtual environment of {release}')
        home = self.useFixture(fixtures.TempDir()).path
        made = {
            name: _Fixed(
                site,
                source,
                target,
                os.path.join(home, name),
                ('manila.conf',),
            )
            for name, site in sites.items()
        }

        def ask(release, which):
            return test_judge_policy.ask(
                release,
                {
                    name: (one.conf(which), one.conf('before'))
                    for name, one in made.items()
                },
            )

        before, early = ask(source, 'before'), ask(source, 'early')
        after = ask(target, 'after')
        wrong = []
        for name, one in sorted(made.items()):
            answers = before[name], early[name], after[name]
            for what in (*one.problems, *_compare(one, *answers)):
                wrong.append((name, *what))
        self.assertEqual([], wrong)


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
@ddt.ddt
class FixPolicyTest(_Base):
    @ddt.data(*hops.HOPS)
    @ddt.unpack
    def test_who_gets_in(self, source, target):
        self.check_sites(_sites(), source, target)


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
class FewTest(_Base):
    def test_who_gets_in(self):
        names = (
            'dirs',
            'json_named_copy',
            'lists-latin-1',
            'production',
            'production-crlf',
        )
        sites = _sites()
        self.check_sites({n: sites[n] for n in names}, *hops.MOST_COMMON)


def _compare(made, before, early, after):
    """Yield the differences between releases that no finding mentions."""
    told = made.told
    if made.code == 255:
        yield ('not read', made.said)
        return
    if 'broken' in before or 'broken' in after:
        # Every request fails: a person has to fix the file.
        if 'broken' in after and not made.is_failing:
            yield ('cannot be loaded', after['broken'])
        return
    if 'broken' in early:
        yield ('early', early['broken'])
        return
    for rule, _caller, opened in sorted(
        test_judge_policy.differences(before, early)
    ):
        yield ('early', rule, opened)
    said = test_judge_policy.said(made.findings)
    # These changes are the purpose of the remedies.
    said |= {(rule, False) for rule in made.with_effect('opens')}
    said |= {(rule, True) for rule in made.with_effect('fails')}
    changed = {
        (rule, opened)
        for rule, _caller, opened in test_judge_policy.differences(
            before, after
        )
    }
    for rule, opened in sorted(changed):
        if rule not in told and (rule, opened) not in said:
            yield ('after', rule, 'opened' if opened else 'lost')
    marked = made.marked
    for rule, facts in sorted(after['rules'].items()):
        if facts['undefined'] and rule not in marked:
            yield ('undefined', rule)
        # A rule that an earlier file sets as well is not redundant: without
        # it, the earlier one would apply.
        if (
            facts['redundant']
            and not facts['older']
            and made.places_of(rule) < 2
        ):
            yield ('redundant', rule)
