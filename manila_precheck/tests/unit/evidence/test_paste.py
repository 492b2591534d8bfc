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

import os

import ddt

from manila_precheck import exceptions
from manila_precheck.evidence import paste
from manila_precheck.evidence import paste_loader
from manila_precheck.evidence.config import config_files
from manila_precheck.tests.unit.evidence.config import test_config_files

ROOT = """
[composite:osapi_share]
use = call:manila.api:root_app_factory
/: one
"""
ONE = """
[app:one]
paste.app_factory = manila.api.one:factory
"""


@ddt.ddt
class BoundsTestCase(test_config_files.Files):
    @ddt.data('x', '')
    def test_references_grew_without_end(self, leaf):
        lines = [f'a0 = {leaf}'] + [
            f'a{n} = ' + f'%(a{n - 1})s' * 100 for n in range(1, 10)
        ]
        path = self.write('[app:one]\n' + '\n'.join(lines) + '\n')
        (section,) = paste.read_file(path).sections
        self.assertEqual(
            [(f'a{n}', leaf * 100**n) for n in range(3)],
            [(value.name, value.text) for value in section.values],
        )
        self.assertEqual(
            ('a3', 5), (section.unreadable.name, section.unreadable.line)
        )

    def test_a_value_of_percent_signs_took_quadratic_time(self):
        path = self.write('[app:one]\na = ' + '%%' * 2**18 + '\n')
        (section,) = paste.read_file(path).sections
        self.assertEqual('a', section.unreadable.name)

    def test_a_file_that_is_too_large(self):
        path = self.write('[app:one]\n' + '# comment\n' * 2**17)
        with self.assertRaisesRegex(
            exceptions.SourceUnusable, f'^{path}: larger than 1 MiB, '
        ):
            paste.read_file(path)


class FindTestCase(test_config_files.Files):
    def read(self, text, **files):
        main = self.write(text)
        for name, content in files.items():
            self.write(content, name.replace('_', '-') + '.ini')
        return paste.find(config_files.read([main]))

    def path(self, name):
        return os.path.join(self.directory, name)

    def test_beside_the_configuration(self):
        self.assertEqual(
            self.path('api-paste.ini'),
            self.read('[DEFAULT]\n', api_paste=ROOT),
        )

    def test_named(self):
        text = '[DEFAULT]\napi_paste_config = other.ini\n'
        self.assertEqual(
            self.path('other.ini'),
            self.read(text, other=ROOT, api_paste=ROOT),
        )

    def test_named_in_full(self):
        other = self.write(ROOT, 'there/paste.ini')
        text = f'[DEFAULT]\napi_paste_config = {other}\n'
        self.assertEqual(other, self.read(text))

    def test_none(self):
        with self.assertRaises(exceptions.SourceNotGiven) as caught:
            self.read('[keystone_authtoken]\nauth_url = x\n')
        self.assertEqual(
            f'there is no api-paste.ini in {self.directory}, and [DEFAULT] '
            'api_paste_config is not set',
            str(caught.exception),
        )

    def test_named_and_not_there(self):
        text = '[DEFAULT]\napi_paste_config = /nowhere/paste.ini\n'
        with self.assertRaises(exceptions.SourceUnusable) as caught:
            self.read(text)
        self.assertEqual(
            f'/nowhere/paste.ini: no such file ({self.path("manila.conf")}:2 '
            '[DEFAULT] api_paste_config)',
            str(caught.exception),
        )


@ddt.ddt
class ReadTestCase(test_config_files.Files):
    def read(self, text):
        return paste.read_file(self.write(text, 'api-paste.ini'))

    def test_lines(self):
        found = self.read(
            '# comment\n'
            '\n'
            '[DEFAULT]\n'
            'shared = 1\n'
            '[composite:a]\n'
            'use = call:x:y\n'
            '/: b\n'
            '\n'
            '[ app : not trimmed]\n'
            '[pipeline:c]\n'
            '; comment\n'
            'pipeline =\n'
            '  one\n'
            '# comment\n'
            '  [app:d]\n'
            'shared = 2\n'
            '[app:d]\n'
            'Case: %(here)s %%\n'
        )
        self.assertEqual(
            (
                paste.PasteSection(
                    'composite:a',
                    5,
                    (
                        paste.PasteValue('use', 'call:x:y', 6),
                        paste.PasteValue('/', 'b', 7),
                    ),
                ),
                paste.PasteSection(' app : not trimmed', 9, ()),
                paste.PasteSection(
                    'pipeline:c',
                    10,
                    (paste.PasteValue('pipeline', '\none\n[app:d]', 12),),
                ),
                paste.PasteSection(
                    'app:d',
                    17,
                    (paste.PasteValue('Case', f'{self.directory} %', 18),),
                ),
            ),
            found.sections,
        )
        self.assertIsNone(found.problem)

    @ddt.data(
        ('[a]\n[a]\n', 2, '[a] appears twice'),
        ('[a]\nx = 1\nx = 2\n', 3, 'x appears twice in [a]'),
        ('x = 1\n', 1, 'the line precedes any section'),
        (
            '[a]\nsecret-word\n',
            2,
            'the line is neither a section nor a name with a value',
        ),
        (
            '[DEFAULT]\nx = 1\ny = %(z)s\n',
            3,
            'the references in y cannot be resolved',
        ),
    )
    @ddt.unpack
    def test_malformed(self, text, line, words):
        found = self.read(text)
        self.assertEqual(paste.PasteProblem(line, words), found.problem)
        self.assertEqual((), found.sections)

    def test_not_text(self):
        path = os.path.join(self.directory, 'api-paste.ini')
        with open(path, 'wb') as stream:
            stream.write(b'[a]\n\xff\n')
        self.assertEqual(
            paste.PasteProblem(2, 'it is not UTF-8 text'),
            paste.read_file(path).problem,
        )

    def test_unreadable(self):
        with self.assertRaises(exceptions.SourceUnusable) as caught:
            paste.read_file(self.directory)
        self.assertEqual(
            f'{self.directory}: Is a directory', str(caught.exception)
        )

    def test_secrets(self):
        """A name of code looks like a login, but is none."""
        path = self.write(
            '[filter:a]\npaste.filter_factory = acme.cors:CrossOrigin\n'
            'admin_password = geheim1\nlogin = manila:geheim-2x9\n'
            '[filter:b]\nuse = call:acme.filters:AuditEvents\n'
            '[filter:c]\nuse = egg:acme#audit\n'
            'url = http://u:geheim3@host/\n'
        )
        self.assertEqual(
            {'geheim1', 'geheim-2x9', 'geheim3'}, paste.read_file(path).secrets
        )

    def test_a_value_is_not_in_the_repr(self):
        self.assertNotIn('word', repr(paste.PasteValue('name', 'word', 1)))


@ddt.ddt
class LoadTestCase(test_config_files.Files):
    def load(self, text, strategy='keystone', rate_limit=True):
        file = paste.read_file(self.write(text, 'api-paste.ini'))
        return paste_loader.load(file, strategy, rate_limit)

    def specs(self, loaded):
        return [factory.spec for factory in loaded.factories]

    def words(self, loaded):
        return [
            (broken.place.line if broken.place else None, broken.text)
            for broken in loaded.broken
        ]

    def test_only_what_is_led_to(self):
        loaded = self.load(ROOT + ONE + '[app:two]\nuse = call:a:b\n')
        self.assertEqual(
            ['manila.api:root_app_factory', 'manila.api.one:factory'],
            self.specs(loaded),
        )
        self.assertEqual(
            frozenset({'composite:osapi_share', 'app:one'}), loaded.titles
        )
        self.assertEqual([], self.words(loaded))
        self.assertEqual((), loaded.unknown)

    @ddt.data(
        ('keystone', True, 'app:one'),
        ('keystone', False, 'app:two'),
        ('noauth', False, 'app:one'),
    )
    @ddt.unpack
    def test_the_pipeline_of_the_strategy(self, strategy, limit, title):
        loaded = self.load(
            '[composite:osapi_share]\n'
            'use = call:manila.api.middleware.auth:pipeline_factory\n'
            'noauth = one\nkeystone = one\nkeystone_nolimit = two\n'
            '[app:one]\nuse = call:a:b\n[app:two]\nuse = call:a:b\n',
            strategy,
            limit,
        )
        self.assertEqual(
            frozenset({'composite:osapi_share', title}), loaded.titles
        )

    @ddt.data(
        ('', (None, 'no section defines the application osapi_share')),
        (ROOT, (4, 'no section defines the application one')),
        (
            ROOT + ONE + '[composite:one]\nuse = egg:Paste#urlmap\n',
            (4, 'more than one section defines the application one'),
        ),
        (ROOT + '[app:one]\n', (5, 'it names no factory')),
        (
            ROOT
            + '[app:one]\npaste.app_factory = a:b\n'
            + 'paste.composite_factory = a:b\n',
            (5, 'it names two factories'),
        ),
        (ROOT + '[pipeline:one]\n', (5, 'pipeline is not set')),
        (
            ROOT + '[pipeline:one]\npipeline =\n',
            (6, 'the pipeline is empty'),
        ),
        (ROOT + '[filter-app:one]\nuse = egg:x\n', (5, 'next is not set')),
        (
            ROOT + '[app:one]\nuse = one\n',
            (6, '[app:one] refers back to itself'),
        ),
        (
            ROOT + '[app:one]\nuse = what:x\n',
            (6, 'what: is not a known scheme'),
        ),
        (
            ROOT + ONE + 'x = %(y)s\n',
            (8, 'the references in x cannot be resolved'),
        ),
    )
    @ddt.unpack
    def test_broken(self, text, expected):
        self.assertEqual([expected], self.words(self.load(text)))

    @ddt.data(
        '[composite:osapi_share]\nuse = call:acme:factory\n',
        '[composite:osapi_share]\nuse = config:other.ini\n',
    )
    def test_what_is_behind_is_not_known(self, text):
        self.assertEqual(
            [2], [place.line for place in self.load(text).unknown]
        )
