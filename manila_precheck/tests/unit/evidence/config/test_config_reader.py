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
"""What oslo.config gets from the lines of a release's options."""

from typing import cast
import unittest

from manila_precheck import catalog
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import options
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.config import ini_lines
from manila_precheck.evidence.files import text_file


class _Facts:
    """A catalog of options, whatever the release."""

    def __init__(self, held):
        self._held = held

    def options(self, release):
        return options.OptionSet(release, self._held, {})

    def driver(self, release, path):
        return None

    def plugins(self, release, kind):
        return {}


def _option(kind='string', group='DEFAULT', **more):
    return [{'type': kind, 'in': [f'[{group}]'], **more}]


def _reader(text, **held):
    parsed = ini_lines.parse(
        text_file.Text(text, model.FileRead('manila.conf', ''))
    )
    return config_reader.Reader(
        config_files.ConfigFiles([parsed]),
        cast(catalog.Catalog, _Facts(held)),
        releases.parse('2026.1'),
    )


def _chain(length, reference):
    """Return a reader of options that refer to each other by new names.

    The files set each under its old name, so that no reference leads to a
    line of that name.
    """
    held = {
        f'new{number}': _option(deprecated_names=[[None, f'old{number}']])
        for number in range(length)
    }
    lines = [
        f'old{number} = {reference.format(number + 1)}\n'
        for number in range(length - 1)
    ]
    return _reader(
        '[DEFAULT]\n' + ''.join(lines) + f'old{length - 1} = end\n', **held
    )


class ReferencesTestCase(unittest.TestCase):
    """A value that is put together of others."""

    def assert_refused(self, reader, name):
        self.assertRaises(config_reader.Refused, reader.get, 'DEFAULT', name)

    def test_a_chain_through_old_names(self):
        self.assertEqual('end', _chain(51, '$new{}').get('DEFAULT', 'new0'))

    def test_a_chain_that_is_too_long(self):
        self.assert_refused(_chain(52, '$new{}'), 'new0')

    def test_a_value_that_doubles_with_every_reference(self):
        reader = _chain(40, '$new{0}$new{0}')
        self.assertEqual('end' * 2**10, reader.get('DEFAULT', 'new29'))
        self.assert_refused(reader, 'new0')

    def test_an_option_that_refers_to_itself(self):
        reader = _reader(
            '[DEFAULT]\nold = $new\n',
            new=_option(deprecated_names=[[None, 'old']]),
        )
        self.assert_refused(reader, 'new')

    def test_a_reference_by_an_old_name(self):
        reader = _reader(
            '[one]\nname = $old, ${two.older}\n[two]\nolder = a\n',
            name=_option(group='one'),
            new=_option(
                group='two',
                deprecated_names=[['one', 'old'], ['two', 'older']],
            ),
        )
        self.assertEqual('a, a', reader.get('one', 'name'))

    def test_a_reference_to_what_the_machine_decides(self):
        reader = _reader(
            '[DEFAULT]\nname = at $host\n',
            name=_option(),
            host=_option(host_default=True),
            other=_option(default='$name'),
        )
        for name in ('host', 'name', 'other'):
            with self.subTest(name):
                self.assertIsNone(reader.get('DEFAULT', name))

    def test_a_reference_to_no_string(self):
        reader = _reader(
            '[DEFAULT]\nname = $flag and ${empty}.\n',
            name=_option(),
            flag=_option('boolean', default=True),
            empty=_option(),
        )
        self.assertEqual('True and .', reader.get('DEFAULT', 'name'))

    def test_a_line_that_another_masks_has_a_value_of_its_own(self):
        reader = _reader(
            '[one]\ncount = $low\ncount = $high\nlow = 1\nhigh = x\n',
            count=_option('integer', 'one'),
            low=_option(group='one'),
            high=_option(group='one'),
        )
        masked, last = reader.conf.find('one', 'count')
        self.assertEqual(1, reader.value(masked))
        self.assertFalse(reader.accepts(last))
        self.assertRaises(config_reader.Refused, reader.get, 'one', 'count')


class RegisteredTestCase(unittest.TestCase):
    """Which options oslo.config is given."""

    def test_what_the_release_does_not_have_is_no_default(self):
        reader = _reader('[DEFAULT]\nname = a\n')
        self.assertRaises(config_reader.Refused, reader.get, 'DEFAULT', 'name')

    def test_options_that_oslo_config_registers_itself(self):
        texts = {'kind': 'list', 'item': 'string'}
        reader = _reader(
            '[DEFAULT]\nconfig_source = one\n[one]\ndriver = environment\n',
            config_source=_option(texts),
            config_file=_option(texts),
        )
        for name, value in (('config_source', ['one']), ('config_file', [])):
            for _ in range(2):
                self.assertEqual(value, reader.get('DEFAULT', name))

    def test_an_empty_default_of_an_option_that_collects(self):
        reader = _reader(
            '[DEFAULT]\n',
            pools=_option(
                {'kind': 'dict', 'item': 'string'}, multi=True, default={}
            ),
        )
        self.assertEqual([], reader.get('DEFAULT', 'pools'))
