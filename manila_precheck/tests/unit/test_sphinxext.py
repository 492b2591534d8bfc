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

from docutils import core
from docutils import nodes
from docutils.parsers.rst import directives
from oslo_config import cfg
import testtools

from manila_precheck import model
from manila_precheck import sphinxext
from manila_precheck.engine import check


class SomeProblem(check.Check):
    """Something breaks.

    It breaks because of this.
    """

    id = 'some-problem'
    title = 'Some problem'
    stages = frozenset({model.Stage.STOPPED, model.Stage.PLAN})
    requires = frozenset({model.Source.DATABASE})
    introduced = '2026.1'
    aliases = ('old-problem',)

    @classmethod
    def opts(cls):
        return (cfg.IntOpt('limit_rows', default=3, help='How many.'),)

    def run(self, ctx):
        return ()


class CheckPageTest(testtools.TestCase):
    def test_page(self):
        self.assertEqual(
            [
                '.. _check-some-problem:',
                '',
                'Some problem (``some-problem``)',
                '===============================',
                '',
                ':Stages: plan, stopped',
                ':Sources: database',
                ':Since: 2026.1',
                ':Earlier ids: old-problem',
                '',
                'Something breaks.',
                '',
                'It breaks because of this.',
                '',
                'Options, in ``[manila_precheck_some_problem]``:',
                '',
                '``limit_rows`` (default ``3``)',
                '    How many.',
                '',
            ],
            sphinxext.check_page(SomeProblem()),
        )


class HelpDirectiveTest(testtools.TestCase):
    def test_what_a_subcommand_prints(self):
        name = 'manila-precheck-help'
        directives.register_directive(name, sphinxext.HelpDirective)
        tree = core.publish_doctree(
            f'.. {name}:: catalog list\n',
            settings_overrides={'doctitle_xform': False},
        )
        (section,) = tree.findall(nodes.section)
        self.assertEqual(
            'manila-precheck catalog list',
            section.next_node(nodes.title).astext(),
        )
        text = section.next_node(nodes.literal_block).astext()
        self.assertTrue(
            text.startswith('usage: manila-precheck catalog list'), text
        )
        self.assertLessEqual(max(map(len, text.splitlines())), 79)
