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

import inspect
import unittest
from unittest import mock

import ddt
from oslo_config import types

from manila_precheck.catalog import options
from manila_precheck.catalog import values

GROUP = {'kind': 'opaque', 'name': 'FPG'}
CAPABILITIES = {
    'kind': 'list',
    'item': {'kind': 'opaque', 'name': 'CapNameOrInt'},
}
HELPERS = {'kind': 'dict', 'item': 'string', 'separator': '='}


@ddt.ddt
class ParserTestCase(unittest.TestCase):
    @ddt.named_data(
        ['boolean', 'boolean', 'On', True],
        ['integer', {'kind': 'integer', 'min': 1, 'max': 3}, '3', 3],
        ['empty_integer', {'kind': 'integer', 'min': 1}, '', None],
        ['float', {'kind': 'float', 'min': 0}, '.5', 0.5],
        ['port', 'port', '65535', 65535],
        ['text', 'string', 'x', 'x'],
        [
            'choice',
            {'kind': 'string', 'choices': ['NFS'], 'ignore_case': True},
            'nfs',
            'nfs',
        ],
        ['list', 'list', 'a, b,', ['a', 'b']],
        ['list_of', {'kind': 'list', 'item': 'integer'}, '1,2', [1, 2]],
        ['dict', 'dict', 'a:b:c', {'a': 'b:c'}],
        ['separator', HELPERS, 'a=b.c, d=e', {'a': 'b.c', 'd': 'e'}],
        ['host', 'host_address', 'a-b.example', 'a-b.example'],
        ['domain', 'host_domain', 'a_b', 'a_b'],
        ['opaque', {'kind': 'opaque', 'name': 'X'}, 'anything', 'anything'],
        ['capability', CAPABILITIES, 'CAP_SYS_ADMIN, 12', [21, 12]],
        ['no_capability', CAPABILITIES, '', []],
        ['group', GROUP, 'FPG1', {'FPG1': []}],
        ['addresses', GROUP, 'a, ::1,10.0.0.1', {'a': ['::1', '10.0.0.1']}],
    )
    @ddt.unpack
    def test_accepted(self, facts, text, value):
        self.assertEqual(value, values.parser(options.value_type(facts))(text))

    @ddt.named_data(
        ['boolean', 'boolean', 'maybe'],
        ['integer', 'integer', 'ten'],
        ['low', {'kind': 'integer', 'min': 300}, '60'],
        ['high', {'kind': 'integer', 'max': 60}, '720'],
        ['port', 'port', '65536'],
        ['choice', {'kind': 'string', 'choices': ['a', 'b']}, 'A'],
        ['regex', {'kind': 'string', 'regex': '^/.+'}, 'relative'],
        [
            'item',
            {'kind': 'list', 'item': {'kind': 'string', 'choices': ['a']}},
            'a,b',
        ],
        ['dict', 'dict', 'a=b'],
        ['separator', HELPERS, 'a:b'],
        ['address', {'kind': 'ip_address', 'version': 4}, '::1'],
        ['host', 'host_address', 'a_b!'],
        ['uri', 'uri', 'no scheme'],
        ['capability', CAPABILITIES, 'CAP_SYS_ADMIN,SYS_ADMIN'],
        ['group', GROUP, ' '],
        ['group_address', GROUP, 'FPG1,10.0.0'],
        ['addresses', GROUP, 'FPG1,::1,::2,::3,::4,::5'],
    )
    @ddt.unpack
    def test_refused(self, facts, text):
        with self.assertRaises(ValueError):
            values.parser(options.value_type(facts))(text)

    @ddt.data(('a=b.c, d=e', {'a': 'b.c', 'd': 'e'}), ('a:b', None))
    @ddt.unpack
    def test_separator_with_an_old_library(self, text, value):
        real = types.Dict

        class OldDict(real):  # type: ignore[misc, valid-type]
            def __init__(self, value_type=None, bounds=False):
                super().__init__(value_type, bounds)

        values.parser.cache_clear()
        self.addCleanup(values.parser.cache_clear)
        parameters = inspect.signature(real).parameters
        is_new = 'key_value_separator' in parameters
        with mock.patch.object(types, 'Dict', OldDict if is_new else real):
            parse = values.parser(options.value_type(HELPERS))
            if value is None:
                self.assertRaises(ValueError, parse, text)
            else:
                self.assertEqual(value, parse(text))
                # oslo.config hands it a default that is one already.
                self.assertEqual(value, parse(value))

    @ddt.named_data(
        ['boolean', 'boolean', 'true or false'],
        [
            'bounds',
            {'kind': 'integer', 'min': 1, 'max': 3},
            'an integer from 1 to 3',
        ],
        ['min', {'kind': 'float', 'min': 1.0}, 'a number of 1 at least'],
        [
            'max',
            {'kind': 'port', 'max': 9},
            'a port number of 9 at most',
        ],
        ['choices', {'kind': 'string', 'choices': ['a', 'b']}, 'one of a, b'],
        [
            'list',
            {'kind': 'list', 'item': 'port'},
            'a list, each item a port number',
        ],
        ['dict', HELPERS, 'name=value pairs, separated by commas'],
        ['regex', {'kind': 'string', 'regex': '^/'}, "text that matches '^/'"],
        ['opaque', {'kind': 'opaque'}, 'a value'],
        [
            'capability',
            CAPABILITIES,
            'a list, each item a Linux capability, by name or number',
        ],
    )
    @ddt.unpack
    def test_in_words(self, facts, words):
        self.assertEqual(words, values.admits(options.value_type(facts)))
