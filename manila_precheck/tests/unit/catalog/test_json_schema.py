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
"""Documents that are held against a schema, beside what jsonschema says."""

import ddt
import jsonschema
import testtools

from manila_precheck.catalog import json_schema

VALUES = (
    None,
    True,
    False,
    0,
    1,
    2,
    1.0,
    -1,
    2.5,
    '',
    'a',
    'ab',
    '(',
    [],
    [1],
    ['a'],
    ['a', 1],
    ['a', 1, 'b'],
    {},
    {'a': 1},
    {'a': 'b'},
    {'b': 'a'},
    {'a': 'b', 'c': {'a': 1}},
)


@ddt.ddt
class JsonSchemaTest(testtools.TestCase):
    @ddt.data(
        {},
        {'type': 'integer'},
        {'type': 'number'},
        {'type': ['null', 'boolean']},
        {'type': 'array'},
        {'const': 1},
        {'const': True},
        {'enum': ['a', 1]},
        {'minLength': 1},
        {'maxLength': 1},
        {'pattern': '^a$'},
        {'format': 'regex'},
        {'minimum': 1},
        {'maximum': 1},
        {'minItems': 1},
        {'maxItems': 1},
        {'items': {'type': 'string'}},
        {'prefixItems': [{'type': 'string'}, {'type': 'integer'}]},
        {'prefixItems': [{}], 'items': {'type': 'integer'}},
        {'required': ['a']},
        {'properties': {'a': {'type': 'string'}}},
        {'additionalProperties': {'type': 'string'}},
        {'properties': {'a': {}}, 'additionalProperties': {'type': 'null'}},
        {'propertyNames': {'pattern': '^a$'}},
        {'allOf': [{'type': 'string'}, {'minLength': 1}]},
        {'if': {'type': 'string'}, 'then': {'minLength': 1}},
        {
            '$ref': '#/$defs/tree',
            '$defs': {
                'tree': {
                    'type': 'object',
                    'additionalProperties': {'$ref': '#/$defs/tree'},
                }
            },
        },
    )
    def test_the_verdict(self, schema):
        class_ = jsonschema.Draft202012Validator
        validator = class_(schema, format_checker=class_.FORMAT_CHECKER)
        check = json_schema.compiled(schema)
        for value in VALUES:
            try:
                check(value)
            except json_schema.Invalid:
                valid = False
            else:
                valid = True
            # A whole number with a point is one of JSON Schema's integers.
            if value == 1.0 and isinstance(value, float):
                continue
            self.assertEqual(validator.is_valid(value), valid, str(value))

    @ddt.data(
        ({'oneOf': []}, "unknown keywords: ['oneOf']"),
        ({'items': {'not': {}}}, "unknown keywords: ['not']"),
        ({'format': 'uri'}, 'unknown format: uri'),
    )
    @ddt.unpack
    def test_a_schema_that_asks_for_more(self, schema, message):
        exc = self.assertRaises(ValueError, json_schema.compiled, schema)
        self.assertEqual(message, str(exc))

    def test_the_end_is_the_end(self):
        check = json_schema.compiled({'pattern': '^a$'})
        exc = self.assertRaises(json_schema.Invalid, check, 'a\n')
        self.assertEqual('"a\\n" does not match ^a$', str(exc))
