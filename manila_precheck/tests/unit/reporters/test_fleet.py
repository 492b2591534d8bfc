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

import io

import ddt
import testtools

from manila_precheck import model
from manila_precheck.reporters import fleet
from manila_precheck.reporters import html_report
from manila_precheck.reporters import markdown
from manila_precheck.reporters import table
from manila_precheck.tests import reports

MADE = '2026-04-01T11:59:58+00:00'


def host(name, code, region='', **fields):
    return model.HostRead(region, name, code, MADE, **fields)


def of(*hosts, **fields):
    return reports.CLEAN._replace(hosts=hosts, **fields)


def run(failures, warnings, created=MADE):
    return model.RunRead(
        created,
        '2025.1',
        '2026.1',
        model.Stage.PLAN,
        hosts=3,
        failures=failures,
        warnings=warnings,
        notes=7,
    )


def write(reporter, report):
    stream = io.StringIO()
    reporter().write(report, stream, width=80)
    return stream.getvalue()


@ddt.ddt
class FleetTest(testtools.TestCase):
    @ddt.data(
        (of(), ''),
        (of(host('ctl1', 0)), '1 host: 1 ready'),
        (of(host('a', 1), host('b', 1)), '2 hosts: 2 with warnings'),
        (of(host('a', 0, 'west')), '1 host in 1 region: 1 ready'),
        (
            reports.FLEET,
            '4 hosts in 2 regions: 1 with failures, 1 without a report, 1 '
            'with warnings, 1 ready',
        ),
    )
    @ddt.unpack
    def test_summary(self, report, expected):
        self.assertEqual(expected, fleet.summary(report))

    def test_the_hosts_that_block_come_first(self):
        self.assertEqual(
            [
                (
                    'east/ctl1',
                    'with failures',
                    '2026-04-01 11:59',
                    '/r/east/ctl1.json',
                ),
                ('east/ctl2', 'without a report', 'no date', ''),
                (
                    'west/ctl2',
                    'with warnings',
                    '2026-04-01 11:59',
                    '/r/west/ctl2.json',
                ),
                (
                    'west/ctl1',
                    'ready',
                    '2026-04-01 11:59',
                    '/r/west/ctl1.json',
                ),
            ],
            fleet.host_rows(reports.FLEET),
        )

    def many(self):
        return of(
            *(host(f'ctl{one:05}', 0) for one in range(fleet.MAX_HOSTS)),
            host('last', 2),
        )

    def test_not_more_hosts_than_one_can_read(self):
        report = self.many()
        rows = fleet.host_rows(report)
        self.assertEqual(fleet.MAX_HOSTS, len(rows))
        self.assertEqual('last', rows[0][0])
        for reporter in (html_report.HtmlReporter, markdown.MarkdownReporter):
            text = write(reporter, report)
            self.assertIn('1 more; ', text)
            self.assertNotIn(f'ctl{fleet.MAX_HOSTS - 1:05}', text)

    def test_the_picture_of_the_regions(self):
        drawn = fleet.draw_hosts(reports.FLEET)
        self.assertEqual(
            [
                ('east', '1', '1', '0', '0'),
                ('west', '0', '0', '1', '1'),
            ],
            drawn.rows,
        )
        self.assertEqual(
            [
                (0.0, 180.0, 'failure'),
                (180.0, 180.0, 'unknown'),
                (0.0, 180.0, 'warning'),
                (180.0, 180.0, 'live'),
            ],
            [
                (shape.left, shape.width, shape.kind)
                for shapes in drawn.drawing
                for shape in shapes
                if hasattr(shape, 'width')
            ],
        )
        self.assertEqual('', drawn.below)

    @ddt.data((0, ''), (1, '1 more regions in the table below.'))
    @ddt.unpack
    def test_not_more_regions_than_one_can_see(self, more, below):
        number = fleet.MAX_REGIONS + more
        drawn = fleet.draw_hosts(
            of(*(host('a', 0, f'r{one:03}') for one in range(number)))
        )
        self.assertEqual(fleet.MAX_REGIONS, len(drawn.drawing))
        self.assertEqual(number, len(drawn.rows))
        self.assertEqual(below, drawn.below)

    def test_a_report_of_one_host_has_no_picture(self):
        self.assertIsNone(fleet.draw_hosts(reports.REPORT))
        self.assertIsNone(fleet.draw_runs(reports.REPORT))

    def test_the_trend(self):
        drawn = fleet.draw_runs(
            of(runs=(run(4, 6), run(1, 3, None)), created=MADE)
        )
        self.assertEqual(
            '0 failures and 0 warnings now; 4 and 6 in the first of 3 runs.',
            drawn.summary,
        )
        upgrade = ('2025.1 to 2026.1', 'plan')
        self.assertEqual(
            [
                ('2026-04-01 11:59', *upgrade, '3', '4', '6', '7'),
                ('no date', *upgrade, '3', '1', '3', '7'),
                (
                    '2026-04-01 11:59',
                    '2025.1 to 2026.1',
                    reports.CLEAN.stage.value,
                    *'1000',
                ),
            ],
            drawn.rows,
        )
        self.assertEqual(
            [
                (80.0, 40.0, 'failure'),
                (20.0, 60.0, 'warning'),
                (110.0, 10.0, 'failure'),
                (80.0, 30.0, 'warning'),
            ],
            [
                (shape.top, shape.height, shape.kind)
                for shapes in drawn.drawing
                for shape in shapes
                if hasattr(shape, 'width')
            ],
        )

    def test_not_more_runs_than_one_can_see(self):
        runs = tuple(run(one, 0) for one in range(fleet.MAX_RUNS + 5))
        drawn = fleet.draw_runs(of(runs=runs))
        # The last group has the dates.
        self.assertEqual(fleet.MAX_RUNS + 1, len(drawn.drawing))
        self.assertEqual(len(runs) + 1, len(drawn.rows))

    @ddt.data(
        html_report.HtmlReporter,
        markdown.MarkdownReporter,
        table.TableReporter,
    )
    def test_who_it_is_of(self, reporter):
        text = write(reporter, reports.FLEET)
        self.assertIn('4 hosts in 2 regions', text)
        if reporter is not table.TableReporter:
            self.assertIn('/r/east/ctl1.json', text)
            self.assertIn('east/ctl2', text)

    @ddt.data(
        html_report.HtmlReporter,
        markdown.MarkdownReporter,
        table.TableReporter,
    )
    def test_a_hostile_name(self, reporter):
        text = write(
            reporter,
            of(
                host('<b>\x1b[1m', 0, '`|"&\u202e', file='<i>\x00'),
                runs=(run(1, 1),),
            ),
        )
        bad = {'\x1b', '\u202e', '\x00'}
        if reporter is html_report.HtmlReporter:
            self.assertNotIn('<b>', text)
            self.assertNotIn('<i>', text)
        self.assertEqual(set(), bad & set(text))
