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

"""Test that one fault is one finding, on the judges' sites and the demo."""

import collections
import itertools
import pathlib

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.engine import registry
from qa import hops
from qa.judges import judge_inputs

_DEMO = pathlib.Path(__file__).parents[2] / 'etc' / 'manila-precheck' / 'demo'
_FILES = frozenset(
    {model.Source.CONFIG, model.Source.PASTE, model.Source.POLICY}
)
# Aspects of something missing, in a file or on the host. Their findings are at
# the line of something related.
_ABSENT = ('libraries', 'login', 'missing')
# The only pairs of findings that may occur at one line, since they say
# different things about it.
_APART = {
    # The class is deprecated or has an old path; and its section or storage.
    ('backend-drivers#deprecated', 'backend-drivers#mode'),
    ('backend-drivers#deprecated', 'backend-drivers#storage'),
    ('backend-drivers#moved', 'backend-drivers#storage'),
    # The driver's requirements on the storage, and its connection to it.
    ('backend-drivers#storage', 'upgrade-advisories#powerscale-certificate'),
    # The new path of the class, and its connection to the storage.
    ('backend-drivers#moved', 'upgrade-advisories#powerscale-certificate'),
    # The option is deprecated, and its current value is rejected.
    ('config-options#deprecated', 'config-options#value'),
    # The name of an option, and the effect of its value on policies.
    ('config-options#', 'policy-rules#'),
    ('config-options#', 'policy-rules#scope'),
}


def sites():
    """Return every site by name."""
    files = {
        str(path.relative_to(_DEMO)): path.read_text()
        for path in sorted(_DEMO.rglob('*.*'))
        if path.is_file()
    }
    return {
        'demo': (files, ('manila.conf', 'manila.conf.d')),
        **{
            name: (site.files, site.locations)
            for name, site in judge_inputs.SITES.items()
        },
    }


def kind(finding):
    return f'{finding.check_id}#{finding.aspect}'


@ddt.ddt
class OneFindingTest(testtools.TestCase):
    @ddt.data(*hops.HOPS)
    @ddt.unpack
    def test_no_fault_of_a_line_is_counted_twice(self, source, target):
        twice = {}
        for name, (files, locations) in sites().items():
            for pair in self.pairs(files, locations, source, target):
                twice.setdefault(pair, []).append(name)
        self.assertEqual({}, twice)

    def pairs(self, files, locations, source, target):
        """Yield the kinds of each two findings at one place."""
        site = self.useFixture(
            testing.Site(
                files=files,
                source=source,
                target=target,
                locations=locations,
                options={'no_database': True, 'no_network': True},
            )
        )
        ctx = site.context()
        found = collections.defaultdict(list)
        for entry in registry.checks():
            if not registry.load_check(entry).requires <= _FILES:
                continue
            for one in site.run(entry.name, ctx).findings:
                counts = one.severity >= model.Severity.WARNING
                if counts and one.aspect not in _ABSENT:
                    subject = one.subject
                    place = subject.file, subject.line or subject.name
                    found[place].append(one)
        for place, at_place in found.items():
            named = sorted(map(kind, at_place))
            for pair in itertools.combinations(named, 2):
                one_check = len({each.partition('#')[0] for each in pair}) == 1
                if isinstance(place[1], str) and one_check:
                    # A check may have several findings for a subject without a
                    # line.
                    continue
                if pair not in _APART:
                    yield pair
