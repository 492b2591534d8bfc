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

"""What a reader at a terminal sees of the checks."""

import io
import json
import textwrap

import ddt
import fixtures
from oslo_config import cfg
import testtools

from manila_precheck import model
from manila_precheck.cmd import pages
from manila_precheck.cmd import precheck
from manila_precheck.engine import check
from manila_precheck.engine import registry


class AcmePools(check.Check):
    """Pools of Acme that 2026.1 does not have.

    Each line of ``acme_pools`` is looked up. What is found there is told
    with the name ``acme-pool-one-and-two`` that the array has for it.

    - One of a
      list.
    - Another one.

    At plan: WARNING for each that is gone. At stopped and upgraded: FAILURE
    for each, because manila-share ends. Never INFO.
    """

    id = 'acme-pools'
    title = 'Acme pools'
    stages = frozenset({model.Stage.PLAN, model.Stage.STOPPED})
    requires = frozenset({model.Source.CONFIG})
    aliases = ('acme-names',)
    waivable = False

    def run(self, ctx):
        return ()

    @classmethod
    def opts(cls):
        return (
            cfg.IntOpt('most', default=3, help='How many there may be of it.'),
            cfg.BoolOpt('deep', default=False, help='Look into each.'),
        )


class PageTest(testtools.TestCase):
    def test_a_page(self):
        expected = """\
            acme-pools: Acme pools

            Stages:  plan, stopped
            Sources: config
            Its findings cannot be waived.
            Earlier ids:  acme-names

            Pools of Acme that 2026.1 does not have.

            Each line of `acme_pools` is looked up. What is found there
            is told with the name `acme-pool-one-and-two` that the array
            has for it.

            - One of a
              list.
            - Another one.

            At plan: WARNING for each that is gone.
            At stopped and upgraded: FAILURE for each, because
            manila-share ends.
            Never INFO.

            Options, in [manila_precheck_acme_pools]:
              most (default 3)
                How many there may be of it.
              deep (default False)
                Look into each.
            The first option as an environment variable:
              OS_MANILA_PRECHECK_ACME_POOLS__MOST

            Run it alone:  manila-precheck upgrade check --check acme-pools
            """
        self.assertEqual(
            textwrap.dedent(expected), pages.page(AcmePools(), 60)
        )

    def test_a_narrow_terminal_splits_no_name(self):
        lines = pages.page(AcmePools(), 20).splitlines()
        self.assertIn('`acme-pool-one-and-two`', lines)


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@ddt.ddt
class ListTest(testtools.TestCase):
    def list(self, stdout, columns):
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS', str(columns)))
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            self.assertEqual(0, precheck.main(['check', 'list']))
        return stdout.getvalue().splitlines()

    @ddt.data(
        (120, ['ID', 'STAGES', 'SOURCES', 'TITLE']),
        (80, ['ID', 'STAGES', 'TITLE']),
        (60, ['ID', 'TITLE']),
        (20, ['ID', 'TITLE']),
    )
    @ddt.unpack
    def test_a_terminal_gets_the_columns_that_fit(self, columns, head):
        lines = self.list(_Terminal(), columns)
        self.assertEqual(head, lines[0].split())
        if columns >= 60:
            self.assertLessEqual(max(map(len, lines)), columns)

    def test_a_program_gets_all_of_them(self):
        lines = self.list(io.StringIO(), 20)
        self.assertEqual(
            ['ID', 'STAGES', 'SOURCES', 'TITLE'], lines[0].split()
        )
        self.assertIn(
            'soft-deleted-rows     plan, stopped            database        '
            '       Soft-deleted rows',
            lines,
        )

    def test_a_program_gets_json(self):
        stdout = io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', stdout):
            self.assertEqual(
                0, precheck.main(['check', 'list', '--format', 'json'])
            )
        listed = json.loads(stdout.getvalue())
        self.assertEqual(
            [entry.result_id for entry in registry.checks()],
            [one['id'] for one in listed],
        )
        self.assertIn(
            {
                'id': 'database-backup',
                'title': 'Backup of the database',
                'loads': True,
                'stages': ['stopped'],
                'sources': ['database'],
                'introduced': None,
                'waivable': True,
                'aliases': [],
                'options': [
                    'path',
                    'max_age_hours',
                    'min_size_percent',
                    'rehearsal',
                    'read_seconds',
                ],
                'option_group': 'manila_precheck_database_backup',
            },
            listed,
        )
