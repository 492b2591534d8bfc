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

import copy

import ddt
import testtools

from manila_precheck import releases
from manila_precheck.catalog import matrix_format
from manila_precheck.catalog import requirements

WHOLE = {
    'format': 2,
    'systems': {'AcmeOS': {'names': {'Elm': '7'}, 'command': 'acme -v'}},
    'rows': [
        {
            'driver': 'acme.Driver',
            'releases': '2025.1-2025.2, 22',
            'sources': ['https://acme.example/matrix'],
            'modes': [True, False],
            'storage': [
                {'system': 'AcmeOS', 'minimum': '7.2', 'refused_below': 7},
                {
                    'system': 'AcmeOS',
                    'tested': 'Elm',
                    'feature': 'dedup',
                    'option': 'acme_dedup',
                },
            ],
            'libraries': [
                {
                    'module': 'acmesdk',
                    'package': 'acme-sdk',
                    'os_package': 'python3-acme',
                    'minimum': '2.0',
                    'refused_below': '1.4',
                    'moment': 'load',
                    'option': 'acme_dedup',
                }
            ],
        }
    ],
}

ROW = {'driver': 'a.B', 'releases': '20', 'sources': ['x']}
READ = {'20': '20.0.3', '2026.1': '22.0.2'}


def rows(*changes):
    return {'format': 2, 'rows': [{**ROW, **change} for change in changes]}


@ddt.ddt
class MatrixFormatTest(testtools.TestCase):
    def test_everything(self):
        before = copy.deepcopy(WHOLE)
        found, systems = matrix_format.decode(WHOLE, 'acme-manila 1.0')
        self.assertEqual(before, WHOLE)
        self.assertEqual(
            {'AcmeOS': requirements.System('AcmeOS', {'Elm': '7'}, 'acme -v')},
            systems,
        )
        self.assertEqual(
            (
                requirements.Support(
                    driver='acme.Driver',
                    majors=frozenset({20, 21, 22}),
                    sources=('https://acme.example/matrix',),
                    storage=(
                        requirements.Storage(
                            'AcmeOS', minimum='7.2', refused_below='7'
                        ),
                        requirements.Storage(
                            'AcmeOS',
                            tested='Elm',
                            feature='dedup',
                            option='acme_dedup',
                        ),
                    ),
                    libraries=(
                        requirements.Library(
                            'acmesdk',
                            requirements.LOAD,
                            'acme-sdk',
                            'python3-acme',
                            '2.0',
                            '1.4',
                            'acme_dedup',
                        ),
                    ),
                    modes=(False, True),
                    origin='acme-manila 1.0',
                ),
            ),
            found,
        )

    @ddt.data(
        ('20', {20}),
        ('2025.1', {20}),
        ('epoxy,16', {16, 20}),
        ('18-20', {18, 19, 20}),
        ('2025.2-', {r.major for r in releases.RELEASES if r.major > 20}),
    )
    @ddt.unpack
    def test_releases(self, text, majors):
        ((row,), _systems) = matrix_format.decode(rows({'releases': text}))
        self.assertEqual(majors, row.majors)

    @ddt.data(
        ('18-', {20, 22}),
        ('2026.1-', {22}),
        ('20', {20}),
    )
    @ddt.unpack
    def test_an_open_range_ends_with_what_was_read(self, text, majors):
        document = {**rows({'releases': text}), 'releases': READ}
        ((row,), _systems) = matrix_format.decode(document)
        self.assertEqual(majors, row.majors)

    @ddt.data(
        (None, 'it must be a mapping'),
        ({}, 'format: it is None; this version reads 2'),
        ({'format': 3}, 'format: it is 3; this version reads 2'),
        (
            {'format': 2, 'rows': []},
            'rows: it must be a list that is not empty',
        ),
        ({**rows({}), 'row': 1}, 'row: unknown key'),
        (rows({'driver': ' '}), 'rows[0].driver: it must be a string'),
        (rows({'driver': True}), 'rows[0].driver: it must be a string'),
        (
            rows({'releases': '19-18'}),
            'rows[0].releases: 19-18 ends before it begins',
        ),
        (
            rows({'sources': []}),
            'rows[0].sources: it must be a list that is not empty',
        ),
        (rows({'sources': [1]}), 'rows[0].sources: each must be a string'),
        (
            rows({'modes': ['x']}),
            'rows[0].modes: each must be true or false',
        ),
        (
            rows({'storages': []}),
            'rows[0].storages: unknown key',
        ),
        (rows({}, {}), 'rows[1]: rows[0] is of a.B in 2025.1 as well'),
        (
            rows({'storage': [{'system': 'x'}]}),
            'rows[0].storage[0]: one of minimum and tested is needed',
        ),
        (
            rows({'storage': [{'system': 'x', 'minimum': 1, 'tested': 1}]}),
            'rows[0].storage[0]: one of minimum and tested is needed',
        ),
        (
            rows({'storage': [{'system': 'x', 'minimum': 'new'}]}),
            "rows[0].storage[0].minimum: 'new' is not a version",
        ),
        (
            rows({'storage': [{'system': 'x', 'minimum': 1, 'option': 'o'}]}),
            'rows[0].storage[0].feature: an option needs the feature that it '
            'is for',
        ),
        (
            rows({'libraries': [{'module': 'x', 'moment': 'later'}]}),
            "rows[0].libraries[0].moment: 'later' is neither load nor setup",
        ),
        (
            rows(
                {
                    'libraries': [
                        {'module': 'x', 'moment': 'load', 'minimum': 1}
                    ]
                }
            ),
            'rows[0].libraries[0].package: a version needs the package that '
            'it is of',
        ),
        (
            {**rows({}), 'systems': {'x': {'names': {'y': 'z'}}}},
            "systems.x.names.y: 'z' is not a version",
        ),
        (
            {**rows({}), 'systems': {'x': {'name': 'y'}}},
            'systems.x.name: unknown key',
        ),
        ({**rows({}), 'systems': []}, 'systems: it must be a mapping'),
        ({**rows({}), 'releases': []}, 'releases: it must be a mapping'),
        (
            {**rows({}), 'releases': {'20': ''}},
            'releases.20: it must be a string',
        ),
        (
            {**rows({'releases': '20-22'}), 'releases': READ},
            'rows[0].releases: the header does not list 2025.2',
        ),
        (
            {**rows({'releases': '23-'}), 'releases': READ},
            'rows[0].releases: the header lists none of 23-',
        ),
    )
    @ddt.unpack
    def test_what_is_refused(self, document, words):
        error = self.assertRaises(
            matrix_format.NotAMatrix, matrix_format.decode, document
        )
        self.assertEqual(words, str(error))

    def test_an_unknown_release_is_refused(self):
        error = self.assertRaises(
            matrix_format.NotAMatrix,
            matrix_format.decode,
            rows({'releases': '2031.1'}),
        )
        self.assertEqual(('rows', 0, 'releases'), error.path)
        self.assertIn("unknown release '2031.1'", str(error))
