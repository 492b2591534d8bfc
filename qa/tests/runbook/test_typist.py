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
"""Tests of the typist, who knows nothing but the runbook."""

import json
import types

import ddt
import testtools

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.act.plan import json_plan
from manila_precheck.act.plan import managers
from manila_precheck.act.plan import runbook
from manila_precheck.act.plan import site_facts
from qa.runbook import typist

_BLANKS = {
    'BACKUP_FILE': '/backup/manila.sql',
    'TARGET_PYTHON': '/opt/manila/bin/python',
    'COMMAND_OF_THE_PACKAGES': 'apt-get install manila',
    'DATABASE': 'manila',
    'MEGABYTES_A_SECOND': lambda blank, typed: f'{len(typed)}',
}


class _Host:
    def __init__(self, name, typed, codes):
        self._name, self._typed, self._codes = name, typed, codes

    def type(self, text, env):
        self._typed.append((self._name, text))
        codes = [c for word, c in self._codes.items() if word in text]
        return types.SimpleNamespace(
            code=codes[0] if codes else 0,
            seconds=2.0,
            stdout='said',
            stderr='',
        )


def _document(target):
    report = model.Report(
        tool=model.Tool('manila-precheck', '1', ''),
        source_release='2025.1',
        source_origin='database',
        target_release='2026.1',
        target_origin='option',
        stage=model.Stage.PLAN,
        files=(),
        database=None,
        checks=(),
    )
    site = site_facts.Site(
        managers.Manager('systemd', ('debian',)),
        [
            ('manila-scheduler', 'ctl1'),
            ('manila-share', 'ctl1@a'),
            ('manila-share', 'ctl2@b'),
            ('manila-data', 'ctl1'),
        ],
        dialect='mysql',
        size_bytes=3_000_000,
        backup_rate=1.5,
    )
    made = runbook.make(report, releases.parse(target), site)
    return json.loads(json_plan.render(made))


@ddt.ddt
class TypistTest(testtools.TestCase):
    def follow(
        self,
        codes=(),
        blanks=_BLANKS,
        api=('ctl1',),
        target='2026.1',
        **how,
    ):
        self.typed = []
        hosts = {
            name: _Host(name, self.typed, dict(codes))
            for name in ('ctl1', 'ctl2')
        }
        one = typist.Typist(
            hosts, typist.Operator(blanks, api), {}, lambda words: None
        )
        return list(one.follow(_document(target), **how))

    def test_the_window(self):
        done = self.follow(phases=('window',))
        self.assertEqual(
            [
                ('ctl1', 'systemctl stop manila-api.service'),
                ('ctl1', 'systemctl stop manila-scheduler.service'),
                ('ctl1', 'systemctl stop manila-share.service'),
                ('ctl2', 'systemctl stop manila-share.service'),
                ('ctl1', 'systemctl stop manila-data.service'),
                (
                    'ctl1',
                    'mysqldump --single-transaction --no-tablespaces '
                    '--add-drop-database --result-file=/backup/manila.sql '
                    '--databases manila',
                ),
                ('ctl1', 'cd / && patch -p0 < ~/manila-window-2026.1.diff'),
                ('ctl2', 'cd / && patch -p0 < ~/manila-window-2026.1.diff'),
                ('ctl1', 'apt-get install manila'),
                ('ctl2', 'apt-get install manila'),
                ('ctl1', 'manila-manage db sync'),
                ('ctl1', 'manila-manage db version'),
                ('ctl1', 'systemctl start manila-scheduler.service'),
                ('ctl1', 'systemctl start manila-share.service'),
                ('ctl2', 'systemctl start manila-share.service'),
                ('ctl1', 'systemctl start manila-data.service'),
                ('ctl1', 'systemctl start manila-api.service'),
                ('ctl1', 'openstack share service list'),
                ('ctl1', 'manila-manage service list'),
                ('ctl1', 'manila-manage service cleanup'),
            ],
            [one for one in self.typed if 'manila-precheck' not in one[1]],
        )
        (backup,) = (one for one in done if one.id == 'backup')
        self.assertEqual(
            ('window', (2 / 1.5, 2 * 1.5), 2.0),
            (backup.phase, backup.said, backup.seconds),
        )

    def test_the_way_back(self):
        blanks = {
            **_BLANKS,
            'COMMAND_OF_THE_OLD_PACKAGES': 'apt-get install old',
        }
        self.follow(phases=('back',), blanks=blanks)
        self.assertEqual(
            [
                ('ctl1', 'systemctl stop manila-data.service'),
                ('ctl1', 'mysql < /backup/manila.sql'),
                ('ctl1', 'apt-get install old'),
                ('ctl2', 'apt-get install old'),
                ('ctl1', 'cd / && patch -R -p0 < ~/manila-window-2026.1.diff'),
                ('ctl2', 'cd / && patch -R -p0 < ~/manila-window-2026.1.diff'),
                ('ctl1', 'systemctl start manila-scheduler.service'),
            ],
            self.typed[4:11],
        )
        self.assertEqual(
            ('ctl1', 'openstack share service list'), self.typed[-2]
        )

    def test_what_is_done_already(self):
        done = self.follow(phases=('before',), done=['rehearse-backup'])
        self.assertNotIn('rehearse-backup', [one.id for one in done])

    def test_the_second_hop(self):
        done = self.follow(target='2026.2', hop=1, only='judge')
        self.assertEqual(['judge'], [one.id for one in done])
        self.assertIn('--target-release 2026.2', self.typed[-1][1])

    def test_what_is_measured_on_the_way(self):
        self.follow(only='rehearse-backup')
        self.assertIn('--backup-rate 2', self.typed[-1][1])

    def test_warnings_end_nothing(self):
        done = self.follow({'upgrade check': 1, 'upgrade fix': 1})
        self.assertEqual('next-hop', done[-1].id)

    @ddt.data(
        ({'upgrade check': 2}, 'gate-plan'),
        ({'db sync': 1}, 'db-sync'),
        ({'systemctl stop manila-share': 5}, 'stop-manila-share'),
    )
    @ddt.unpack
    def test_a_command_that_fails_ends_it(self, codes, step):
        stuck = self.assertRaises(typist.Stuck, self.follow, codes)
        self.assertEqual(step, str(stuck).partition(':')[0])

    def test_a_blank_that_nobody_fills_in(self):
        stuck = self.assertRaises(
            typist.Stuck, self.follow, blanks={}, phases=('window',)
        )
        self.assertEqual('backup: nobody knows BACKUP_FILE', str(stuck))

    @ddt.data(((), []), (('ctl3',), ['ctl3']))
    @ddt.unpack
    def test_a_host_that_nobody_knows(self, api, unknown):
        stuck = self.assertRaises(
            typist.Stuck, self.follow, api=api, phases=('window',)
        )
        self.assertEqual(
            f'stop-manila-api: no such host: {unknown}', str(stuck)
        )
