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

"""Test that remediations are applied to the files as they are printed."""

import tempfile
import textwrap

import testtools

from qa.upgrade import remedy
from qa.upgrade import site

_CONF = textwrap.dedent(
    """\
    [DEFAULT]
    # host = not this one
    host = ctl1
    enabled_share_backends = a,
      b
    debug = False

    [a]
    share_driver = one
    """
)


class PutLinesTest(testtools.TestCase):
    def test_an_option_takes_the_place_of_its_line(self):
        found = remedy.put_lines(_CONF, '[a]\nshare_driver = two')
        self.assertEqual(_CONF.replace('= one', '= two'), found)

    def test_a_value_on_several_lines_goes_as_a_whole(self):
        found = remedy.put_lines(
            _CONF, '[DEFAULT]\nenabled_share_backends = a'
        )
        self.assertEqual(_CONF.replace('= a,\n  b\n', '= a\n'), found)

    def test_a_new_option_stands_in_its_section(self):
        found = remedy.put_lines(_CONF, '[a]\nnew = 1')
        self.assertEqual(_CONF.replace('[a]\n', '[a]\nnew = 1\n'), found)

    def test_a_new_section_stands_last(self):
        found = remedy.put_lines(_CONF, '[b]\nnew = 1')
        self.assertEqual(_CONF + '[b]\nnew = 1\n', found)

    def test_an_option_that_is_set_twice_is_set_once(self):
        text = _CONF + '[DEFAULT]\ndebug = True\n'
        found = remedy.put_lines(text, '[DEFAULT]\ndebug = maybe')
        self.assertEqual(
            _CONF.replace('debug = False', 'debug = maybe') + '[DEFAULT]\n',
            found,
        )

    def test_a_section_of_a_paste_file_is_given_as_a_whole(self):
        text = '[composite:x]\nuse = egg:one\n/: a\n/v1: b\n[app:b]\nc = d\n'
        found = remedy.put_lines(
            text, '# in /x/api-paste.ini\n[composite:x]\nuse = u\n/: a', True
        )
        self.assertEqual(
            '[composite:x]\nuse = u\n/: a\n\n[app:b]\nc = d\n', found
        )


class PutRulesTest(testtools.TestCase):
    def test_a_rule_takes_the_place_of_its_line(self):
        found = remedy.put_rules(
            '"a:b": "x"\n# "a:b": "z"\nc:d: y\n', '"c:d": "!"\n"e": "@"'
        )
        self.assertEqual(
            '"a:b": "x"\n# "a:b": "z"\n"c:d": "!"\n"e": "@"\n', found
        )


class ApplyTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.site = site.Site(folder.name)
        self.site.folder.mkdir()
        self.site.write('manila.conf', _CONF)
        self.typed = []

    def apply(self, kind, text):
        return remedy.apply(
            self.site, {'kind': kind, 'text': text}, self.typed.append
        )

    def test_a_command_is_typed_as_it_stands(self):
        self.assertTrue(self.apply('command', "manila-manage x 'a b'"))
        self.assertEqual(["manila-manage x 'a b'"], self.typed)

    def test_a_line_that_is_to_go_goes(self):
        text = f'Remove line 6 of {self.site.conf} with the upgrade.'
        self.assertEqual(6, remedy.line_of({'text': text}))
        self.assertTrue(self.apply('text', text))
        self.assertEqual(
            _CONF.replace('debug = False\n', ''),
            self.site.read('manila.conf'),
        )

    def test_the_last_dot_is_not_of_the_path(self):
        self.assertTrue(
            self.apply('text', f'Remove line 6 of {self.site.conf}.')
        )

    def test_any_other_sentence_is_not_done(self):
        self.assertFalse(self.apply('text', 'Think about it.'))
        self.assertEqual(_CONF, self.site.read('manila.conf'))

    def test_lines_go_into_the_file_that_they_name(self):
        self.site.write('api-paste.ini', '[app:a]\nb = c\n')
        text = f'# in {self.site.path("api-paste.ini")}\n[app:a]\nb = d'
        self.assertTrue(self.apply('config', text))
        self.assertEqual('[app:a]\nb = d\n\n', self.site.read('api-paste.ini'))
        self.assertEqual(_CONF, self.site.read('manila.conf'))

    def test_a_policy_file_that_is_not_there_is_made(self):
        self.assertTrue(self.apply('policy', '"a": "!"'))
        self.assertEqual('"a": "!"\n', self.site.read('policy.yaml'))
