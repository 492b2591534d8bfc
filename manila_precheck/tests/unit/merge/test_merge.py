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

import datetime
import tracemalloc

import ddt
import testtools

from manila_precheck import model
from manila_precheck import testing
from manila_precheck.merge import merge
from manila_precheck.tests import known_releases

Severity = model.Severity
Outcome = model.Outcome


def finding(name='DEFAULT/foo', severity=Severity.WARNING, message='loose'):
    return model.Finding(
        severity,
        model.Subject('option', name, '/etc/manila/manila.conf', 3),
        message,
        (model.advice('Tie it.'),),
        check_id='some-check',
        data={'verdict': 'removed'},
    )


def seen(one, hosts, suffix=''):
    """Return a finding as a merged report has it."""
    return model.Finding(
        one.severity,
        one.subject,
        one.message + suffix,
        one.remediation,
        check_id=one.check_id,
        data={**one.data, 'hosts': hosts},
    )


def result(*findings, outcome=None, reason='', seconds=1.0):
    return model.CheckResult(
        'some-check',
        'Some check',
        outcome or (Outcome.FOUND if findings else Outcome.PASSED),
        reason,
        findings,
        seconds,
    )


def empty(check_id, title):
    return model.CheckResult(check_id, title, Outcome.PASSED)


@ddt.ddt
class MergeTest(testtools.TestCase):
    def merged(self, missing=(), words=(), **results):
        return merge.merge(
            (
                merge.HostReport(
                    name.rpartition('/')[0],
                    name.rpartition('/')[2],
                    testing.report_of(one)
                    if isinstance(one, model.CheckResult)
                    else one,
                )
                for name, one in sorted(results.items())
            ),
            testing.NOW,
            [*results, *missing],
            **dict(words),
        )

    def assert_check(self, expected, **results):
        self.assertEqual(
            testing.report_of(
                empty('configuration-drift', 'Configuration drift'),
                empty('hosts', 'Hosts'),
                expected,
            ),
            self.merged(**results)._replace(hosts=()),
        )

    def test_what_all_hosts_have_is_there_once(self):
        self.assert_check(
            result(seen(finding(), 'ctl1,ctl2'), seconds=2.0),
            ctl2=result(finding()),
            ctl1=result(finding(), seconds=2.0),
        )

    def test_what_some_have_says_which(self):
        self.assert_check(
            result(
                seen(finding(), 'ctl1,ctl3', ' (on ctl1 and ctl3)'),
            ),
            ctl1=result(finding()),
            ctl2=result(),
            ctl3=result(finding()),
        )

    @ddt.data(
        (6, ' (on ctl001, ctl002, ctl003, ctl004, ctl005 and ctl006)'),
        (7, ' (on 7 of 300 hosts, such as ctl001, ctl002 and ctl003)'),
        (293, ' (on 293 of 300 hosts, such as ctl001, ctl002 and ctl003)'),
        (298, ' (on all 300 hosts but ctl299 and ctl300)'),
        (300, ''),
    )
    @ddt.unpack
    def test_what_hundreds_have_names_a_few(self, number, words):
        hosts = [f'ctl{one:03}' for one in range(1, 301)]
        having = hosts[:number]
        report = self.merged(
            **{
                name: result(finding()) if name in having else result()
                for name in hosts
            }
        )
        self.assertEqual(
            (seen(finding(), ','.join(having), words),),
            report.checks[-1].findings,
        )

    @ddt.data(3, 4)
    def test_figures_that_differ_on_each_host(self, wordings):
        hosts = [f'ctl{one}' for one in range(1, 6)]
        findings = [
            finding(message=f'loose since {min(one, wordings)} h')
            for one in range(1, 6)
        ]
        report = self.merged(
            **{host: result(one) for host, one in zip(hosts, findings)}
        )
        if wordings == 3:
            expected = (
                seen(findings[0], 'ctl1', ' (on ctl1)'),
                seen(findings[1], 'ctl2', ' (on ctl2)'),
                seen(
                    findings[2],
                    'ctl3,ctl4,ctl5',
                    ' (on ctl3, ctl4 and ctl5)',
                ),
            )
        else:
            expected = (
                seen(
                    findings[4], ','.join(hosts), ' (and similar: 4 wordings)'
                ),
            )
        self.assertEqual(expected, report.checks[-1].findings)

    def test_what_weighs_or_says_something_else_is_another(self):
        worse = finding(severity=Severity.FAILURE, message='gone')
        self.assert_check(
            result(
                seen(worse, 'ctl2', ' (on ctl2)'),
                seen(finding(), 'ctl1', ' (on ctl1)'),
            ),
            ctl1=result(finding()),
            ctl2=result(worse),
        )

    def test_what_is_waived_on_one_host_counts_on_another(self):
        waiver = model.Waiver('some-check[*]', 'why', 'me', '2026-12-31')
        waived = finding()._replace(waiver=waiver)
        self.assert_check(
            result(
                seen(waived, 'ctl1', ' (on ctl1)')._replace(waiver=waiver),
                seen(finding(), 'ctl2', ' (on ctl2)'),
            ),
            ctl1=result(waived),
            ctl2=result(finding()),
        )

    def not_looked(self, name, severity, message, aspect):
        return model.Finding(
            severity,
            model.Subject('host', name),
            message,
            check_id='some-check',
            data={'hosts': name},
            aspect=aspect,
        )

    def test_a_host_on_which_it_did_not_look(self):
        self.assert_check(
            result(
                self.not_looked(
                    'ctl3', Severity.FAILURE, 'error on ctl3: down', 'error'
                ),
                self.not_looked(
                    'ctl2',
                    Severity.WARNING,
                    'skipped on ctl2: no database',
                    'skipped',
                ),
            ),
            ctl1=result(),
            ctl2=result(outcome=Outcome.SKIPPED, reason='no database'),
            ctl3=result(outcome=Outcome.ERROR, reason='down'),
        )

    def test_findings_before_an_error_are_kept(self):
        self.assert_check(
            result(
                self.not_looked(
                    'ctl2', Severity.FAILURE, 'error on ctl2: down', 'error'
                ),
                seen(finding(), 'ctl1,ctl2'),
            ),
            ctl1=result(finding()),
            ctl2=result(finding(), outcome=Outcome.ERROR, reason='down'),
        )

    @ddt.data(Outcome.SKIPPED, Outcome.ERROR, Outcome.NOT_APPLICABLE)
    def test_the_same_on_all_stays_as_it_is(self, outcome):
        one = result(outcome=outcome, reason='why')
        self.assert_check(one, ctl1=one, ctl2=one)

    @ddt.data(
        (Outcome.PASSED, Outcome.PASSED),
        (Outcome.NOT_APPLICABLE, Outcome.NOT_APPLICABLE),
    )
    @ddt.unpack
    def test_nothing_to_say(self, other, expected):
        self.assert_check(
            result(outcome=expected),
            ctl1=result(outcome=other, reason=''),
            ctl2=result(outcome=Outcome.NOT_APPLICABLE, reason='no manila'),
        )

    def hosts(self, *findings, **results):
        """Merge reports; the result 'hosts' has just these findings."""
        report = self.merged(**results)
        (found,) = (one for one in report.checks if one.id == 'hosts')
        self.assertEqual(
            model.CheckResult(
                'hosts', 'Hosts', Outcome.FOUND, findings=findings
            ),
            found,
        )
        return report

    def host(self, name, severity, message, advice, aspect):
        return model.Finding(
            severity,
            model.Subject('host', name),
            message,
            (model.advice(advice),),
            check_id='hosts',
            aspect=aspect,
        )

    def test_a_host_without_a_report(self):
        report = self.hosts(
            self.host(
                'ctl2',
                Severity.FAILURE,
                'there is no report of ctl2: nothing was checked there',
                'Run the checks on ctl2, then merge again.',
                'missing',
            ),
            missing=['ctl2'],
            ctl1=result(),
        )
        self.assertEqual(2, report.code)

    def test_a_report_of_another_upgrade(self):
        report = self.hosts(
            self.host(
                'ctl1',
                Severity.FAILURE,
                'the report of ctl1 is for 2024.1 to 2025.1 at stage plan, '
                'the others are for 2025.1 to 2026.1 at stage plan',
                'Run the checks on ctl1 as on the others.',
                'upgrade',
            ),
            ctl1=testing.report_of(result(), source='2024.1', target='2025.1'),
            ctl2=result(),
            ctl3=result(),
        )
        self.assertEqual('2026.1', report.target_release)

    def of(self, *settings, **fields):
        report = testing.report_of(result())
        found = tuple(
            model.SettingRead(option, value, '/etc/m.conf', 7)
            for option, value in settings
        )
        return report._replace(settings=found, **fields)

    def test_a_report_of_another_database_or_version(self):
        read = model.DatabaseRead('mysql', 'aaaa')
        other = model.DatabaseRead('mysql', 'bbbb')
        report = self.hosts(
            self.host(
                'ctl3',
                Severity.FAILURE,
                'ctl3 has a mysql database at revision bbbb, the others have '
                'a mysql database at revision aaaa',
                'Compare [database] connection of ctl3 with that of the '
                'others.',
                'database',
            ),
            self.host(
                'ctl2',
                Severity.WARNING,
                'the report of ctl2 was made by manila-precheck 0.9, the '
                'others by manila-precheck 1.0.0',
                'Install the same version on every host.',
                'version',
            ),
            ctl1=self.of(database=read),
            ctl2=self.of(tool=model.Tool('manila-precheck', '0.9', '')),
            ctl3=self.of(database=other),
        )
        self.assertIsNone(report.database)
        same = self.merged(ctl1=self.of(database=read), ctl2=self.of())
        self.assertEqual(read, same.database)

    def test_hosts_with_other_builds_were_ready(self):
        for side in ('source', 'target'):
            self.hosts(
                self.host(
                    'ctl3',
                    Severity.WARNING,
                    f'the {side} is manila 22.0.2+patched on ctl3, but '
                    '22.0.2 on ctl1',
                    'Install the same packages on every host, or merge the '
                    'reports of each kind separately.',
                    f'{side}-build',
                ),
                ctl1=self.of(**{f'{side}_build': '22.0.2'}),
                ctl2=self.of(),
                ctl3=self.of(**{f'{side}_build': '22.0.2+patched'}),
            )

    def drift(self, *findings, **results):
        report = self.merged(**results)
        (found,) = (
            one for one in report.checks if one.id == 'configuration-drift'
        )
        self.assertEqual(findings, found.findings)

    def test_an_option_with_two_values(self):
        self.drift(
            model.Finding(
                Severity.WARNING,
                model.Subject('option', 'quota/shares', '/etc/m.conf', 7),
                "[quota] shares is '50' on ctl1 and ctl3; '60' on ctl2",
                (
                    model.advice(
                        'Set it to one value on every host, unless the '
                        'difference is intended.'
                    ),
                ),
                check_id='configuration-drift',
                data={'hosts': 'ctl2'},
            ),
            ctl1=self.of(('quota/shares', '50'), ('DEFAULT/host', 'ctl1')),
            ctl2=self.of(('quota/shares', '60'), ('DEFAULT/host', 'ctl2')),
            ctl3=self.of(('quota/shares', '50'), ('DEFAULT/my_ip', '::1')),
        )

    def test_an_option_with_two_values_on_hundreds(self):
        reports = {
            f'ctl{one:03}': self.of(
                ('quota/shares', '50' if one % 100 else '60')
            )
            for one in range(1, 301)
        }
        report = self.merged(**reports)
        self.assertEqual(
            "[quota] shares is '50' on 297 hosts, such as ctl001, ctl002 and "
            "ctl003; '60' on ctl100, ctl200 and ctl300",
            report.checks[0].findings[0].message,
        )

    def test_an_option_that_one_host_does_not_set_is_no_drift(self):
        self.drift(
            ctl1=self.of(('quota/shares', '50')),
            ctl2=self.of(),
        )

    def test_enabled_back_ends_may_differ(self):
        report = self.merged(
            ctl1=self.of(('DEFAULT/enabled_share_backends', 'a')),
            ctl2=self.of(('DEFAULT/enabled_share_backends', 'b')),
        )
        self.assertEqual(0, report.code)

    def test_a_merged_report_keeps_what_it_says_of_hosts(self):
        inner = self.merged(ctl1=result(), missing=['ctl2'])
        report = self.merged(inner=inner, ctl3=result(), missing=['ctl4'])
        self.assertEqual(
            ['configuration-drift', 'hosts', 'some-check'],
            [one.id for one in report.checks],
        )
        self.assertEqual(
            [
                'there is no report of ctl2: nothing was checked there (on '
                'inner)',
                'there is no report of ctl4: nothing was checked there',
            ],
            [one.message for one in report.checks[1].findings],
        )

    def test_one_report(self):
        self.assert_check(
            result(seen(finding(), 'ctl1')), ctl1=result(finding())
        )

    def test_no_report_is_kept(self):
        """What many hosts say takes the memory of what a few say."""

        def peak(number):
            def reports():
                for host in range(number):
                    findings = [
                        finding(f'DEFAULT/option{one}', message='x' * 200)
                        for one in range(100)
                    ]
                    report = testing.report_of(result(*findings))
                    yield merge.HostReport('', f'ctl{host:03}', report)

            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            merge.merge(reports(), testing.NOW)
            size = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return size

        few = peak(10)
        self.assertLess(peak(300), 3 * few)

    def test_the_most_common_of_many_wordings(self):
        report = self.merged(
            **{
                f'ctl{one:03}': result(
                    finding(message=f'{one if one % 2 else 0} shares')
                )
                for one in range(200)
            }
        )
        self.assertEqual(
            (
                seen(
                    finding(message='0 shares'),
                    ','.join(f'ctl{one:03}' for one in range(200)),
                    ' (and similar: 101 wordings)',
                ),
            ),
            report.checks[-1].findings,
        )

    def test_an_option_with_a_value_on_each_host(self):
        report = self.merged(
            **{
                f'ctl{one}': self.of(('quota/shares', str(one)))
                for one in range(10, 20)
            }
        )
        self.assertEqual(
            "[quota] shares is '10' on ctl10; '11' on ctl11; '12' on ctl12; "
            "'13' on ctl13; '14' on ctl14; '15' on ctl15; 4 other values",
            report.checks[0].findings[0].message,
        )

    # -- regions --------------------------------------------------------------

    def test_the_hosts_that_it_is_of(self):
        old = self.at(hours=1)
        worse = testing.report_of(
            result(
                finding(severity=Severity.FAILURE)._replace(
                    waiver=model.Waiver('x', 'why', 'me', '2026-03-31')
                )
            )
        )
        read = model.FileRead('/r/ctl1.json', 'a' * 64)
        report = merge.merge(
            [
                merge.HostReport('', 'ctl1', old, read),
                merge.HostReport('west', 'ctl1', worse),
            ],
            testing.NOW,
            ['west/ctl1', 'west/ctl0', 'north/a', 'ctl9'],
        )
        self.assertEqual(
            (
                model.HostRead(
                    '', 'ctl1', 0, old.created, '/r/ctl1.json', 'a' * 64
                ),
                model.HostRead('', 'ctl9', None),
                model.HostRead('north', 'a', None),
                model.HostRead('west', 'ctl0', None),
                model.HostRead('west', 'ctl1', 2),
            ),
            report.hosts,
        )

    @ddt.data(
        ({'west': 8}, ' (on all 8 hosts of west)'),
        ({'west': 8, 'east': 9}, ' (on all 17 hosts of east and west)'),
        (
            {'west': 7},
            ' (on 7 of 30 hosts, such as west/ctl00, west/ctl01 and '
            'west/ctl02)',
        ),
        ({'east': 2}, ' (on east/ctl00 and east/ctl01)'),
        ({'west': 8, 'east': 9, 'north': 13}, ''),
    )
    @ddt.unpack
    def test_what_whole_regions_have(self, having, words):
        report = self.merged(
            **{
                f'{region}/ctl{one:02}': result(finding())
                if one < having.get(region, 0)
                else result()
                for region, size in (('west', 8), ('east', 9), ('north', 13))
                for one in range(size)
            }
        )
        (found,) = report.checks[-1].findings
        self.assertEqual(f'loose{words}', found.message)

    def test_hosts_are_compared_with_those_of_their_region(self):
        """Each region has a database and a configuration of its own."""
        old, new = (model.DatabaseRead('mysql', one) for one in 'ab')
        reports = {
            'west/ctl1': self.of(('quota/shares', '50'), database=old),
            'west/ctl2': self.of(('quota/shares', '50'), database=old),
            'east/ctl1': self.of(
                ('quota/shares', '60'), database=new, host='ctl1'
            ),
        }
        report = self.merged(**reports)
        self.assertEqual(0, report.code)
        self.assertIsNone(report.database)
        reports['west/ctl2'] = self.of(
            ('quota/shares', '70'), database=new, host='ctl1'
        )
        report = self.merged(**reports)
        self.assertEqual(
            [
                "[quota] shares is '50' on west/ctl1; '70' on west/ctl2",
                'west/ctl2 has a mysql database at revision b, the others '
                'have a mysql database at revision a',
            ],
            [f.message for one in report.checks for f in one.findings],
        )

    def test_a_region_of_another_upgrade(self):
        other = testing.report_of(result(), source='2024.1', target='2025.1')
        report = self.merged(
            **{
                'west/ctl1': other,
                'west/ctl2': other,
                **{f'east/ctl{one}': result() for one in range(3)},
            }
        )
        (found,) = (one for one in report.checks if one.id == 'hosts')
        self.assertEqual(
            (
                model.Finding(
                    Severity.FAILURE,
                    model.Subject('region', 'west'),
                    'the reports of west are for 2024.1 to 2025.1 at stage '
                    'plan, most others are for 2025.1 to 2026.1 at stage plan',
                    (
                        model.advice(
                            'Merge the reports of west separately, or run the '
                            'checks there as on the others.'
                        ),
                    ),
                    check_id='hosts',
                    aspect='upgrade',
                ),
            ),
            found.findings,
        )

    def test_the_region_that_a_report_names(self):
        reports = [
            merge.HostReport('', 'b', self.of(region='west', site='s')),
            merge.HostReport('', 'a', self.of(region='west', author='me')),
        ]
        report = merge.merge(reports, testing.NOW)
        self.assertEqual(
            ('west', 's', ''), (report.region, report.site, report.author)
        )
        self.assertEqual(
            [('west', 'a'), ('west', 'b')],
            [(one.region, one.name) for one in report.hosts],
        )
        # That of the directory is the one of the merge.
        reports.append(merge.HostReport('east', 'a', self.of(region='west')))
        report = merge.merge(reports, testing.NOW)
        self.assertEqual('', report.region)
        self.assertEqual('east', report.hosts[0].region)

    @ddt.data(
        ([], None),
        ([None, (60, 90, ('a',))], (60, 90, ('a',))),
        ([(60, 90, ('a',)), (30, 600, ('a', 'b'))], (60, 600, ('a', 'b'))),
    )
    @ddt.unpack
    def test_the_longest_window(self, windows, expected):
        report = self.merged(
            ctl0=self.of(),
            **{
                f'ctl{number}': self.of(window=one and model.Window(*one))
                for number, one in enumerate(windows, 1)
            },
        )
        self.assertEqual(expected and model.Window(*expected), report.window)

    # -- earlier runs ---------------------------------------------------------

    def test_an_earlier_run_in_figures(self):
        worse = finding('DEFAULT/a', Severity.FAILURE)
        note = finding('DEFAULT/b', Severity.INFO)
        known = finding('DEFAULT/c')._replace(known=True)
        first = self.merged(
            ctl1=result(worse, note, known),
            ctl2=result(worse, outcome=Outcome.ERROR, reason='down'),
        )._replace(created='2026-03-01T00:00:00+00:00')
        runs = merge.runs(first)
        self.assertEqual(
            (
                model.RunRead(
                    '2026-03-01T00:00:00+00:00',
                    '2025.1',
                    '2026.1',
                    model.Stage.PLAN,
                    hosts=2,
                    failures=2,
                    warnings=0,
                    notes=1,
                ),
            ),
            runs,
        )
        second = testing.report_of(result(), result(finding()))._replace(
            runs=runs
        )
        self.assertEqual(
            [(2, 2, 0), (1, 0, 1)],
            [
                (one.hosts, one.failures, one.warnings)
                for one in merge.runs(second)
            ],
        )

    def test_not_more_runs_than_can_be_shown(self):
        report = testing.report_of(result())
        for _ in range(merge.MAX_RUNS + 1):
            report = report._replace(runs=merge.runs(report))
        self.assertEqual(merge.MAX_RUNS, len(report.runs))

    # -- reports that say too little -----------------------------------------

    @ddt.data(
        ((), 0),
        (('some-check',), 0),
        (('other', 'some-check', 'third'), 1),
    )
    @ddt.unpack
    def test_a_subset_of_the_checks_is_not_ready(self, wanted, code):
        report = self.merged(ctl1=result(), words={'checks': wanted})
        lacking = self.host(
            'ctl1',
            Severity.WARNING,
            'the report of ctl1 has no result of other and third: their '
            'findings there are not known',
            'Run all checks on ctl1, with the version that is installed here '
            'and without --check and --skip.',
            'checks',
        )
        self.assertEqual(code, report.code)
        self.assertEqual((lacking,) * code, report.checks[1].findings)

    def test_a_report_without_checks_is_not_ready(self):
        report = self.hosts(
            self.host(
                'ctl2',
                Severity.FAILURE,
                'the report of ctl2 has no checks: nothing was checked there',
                'Run all checks on ctl2, then merge again.',
                'nothing',
            ),
            ctl1=result(),
            ctl2=testing.report_of(),
        )
        self.assertEqual(2, report.code)

    def test_a_report_in_which_no_check_applied_was_ready(self):
        silent = result(outcome=Outcome.NOT_APPLICABLE, reason='why')
        report = merge.merge(
            [merge.HostReport('', 'ctl1', testing.report_of(silent))],
            testing.NOW,
            checks=['some-check'],
        )
        (one,) = report.checks[1].findings
        self.assertEqual(
            (
                Severity.FAILURE,
                'the report of ctl1 has no check that applied: nothing was '
                'checked there',
            ),
            (one.severity, one.message),
        )

    @ddt.data(
        ('2025.1', '2099.1', 'this manila-precheck knows manila 12 '),
        ('', '', 'this manila-precheck knows manila 12 '),
        ('17.1', '18.0', 'this manila-precheck knows manila 12 '),
        ('2025.1', '2024.1', 'nothing in it says that this is a downgrade'),
    )
    @ddt.unpack
    def test_an_upgrade_that_is_none_was_ready(self, source, target, why):
        report = merge.merge(
            [
                merge.HostReport(
                    '',
                    'ctl1',
                    testing.report_of(result(), source=source, target=target),
                )
            ],
            testing.NOW,
        )
        (one,) = report.checks[1].findings
        self.assertEqual(Severity.FAILURE, one.severity)
        self.assertIn(
            f'the report of ctl1 is of {source!r} to {target!r}, and {why}',
            one.message,
        )

    @ddt.data(('24.0.0.0rc1', 0), ('25.0.0', 1), ('23.0.1', 1))
    @ddt.unpack
    def test_a_release_that_only_a_file_of_facts_tells_of(self, build, count):
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        report = testing.report_of(
            result(), source='2026.2', target='2027.1'
        )._replace(target_facts=model.Facts('file', build, path='x.json'))
        found = merge.merge(
            [merge.HostReport('', 'ctl1', report)], testing.NOW
        )
        self.assertEqual(count, len(found.checks[1].findings))

    @ddt.data(('18.0.1', 0), ('18.3.0', 1))
    @ddt.unpack
    def test_an_update_between_files_of_one_version(self, build, count):
        """A side has the name of its file; the facts say of what build."""
        report = testing.report_of(
            result(), source='18.0.1 of a.json', target='18.0.1 of b.json'
        )._replace(
            source_facts=model.Facts('file', '18.0.1', path='a.json'),
            target_facts=model.Facts('file', build, path='b.json'),
        )
        found = merge.merge(
            [merge.HostReport('', 'ctl1', report)], testing.NOW
        )
        self.assertEqual(count, len(found.checks[1].findings))

    def test_a_downgrade_that_it_tells_of(self):
        found = result(finding(severity=Severity.FAILURE))
        report = merge.merge(
            [
                merge.HostReport(
                    '', 'ctl1', testing.report_of(found, target='2024.1')
                )
            ],
            testing.NOW,
        )
        self.assertEqual((), report.checks[1].findings)

    def at(self, *, hours=0, seconds=0, **fields):
        """Return a report of a time before that of the merge."""
        age = datetime.timedelta(hours=hours, seconds=seconds)
        created = (testing.NOW - age).isoformat(timespec='seconds')
        return self.of(created=created, **fields)

    @ddt.data(
        (24, {'hours': 24}, ''),
        (
            24,
            {'hours': 24, 'seconds': 1},
            'the report of ctl1 was made at 2026-03-31T11:59:59+00:00, more '
            'than 24 hours ago (--max-age)',
        ),
        (0, {'hours': 9999}, ''),
        (
            24,
            None,
            'the report of ctl1 has no date, so its age is not known',
        ),
        (0, None, ''),
        (24, {'seconds': -300}, ''),
        (
            0,
            {'seconds': -301},
            'the report of ctl1 is from the future: it was made at '
            '2026-04-01T12:05:01+00:00, but it is 2026-04-01T12:00:00+00:00 '
            'here',
        ),
    )
    @ddt.unpack
    def test_an_old_report_is_not_ready(self, limit, age, message):
        one = self.of() if age is None else self.at(**age)
        report = self.merged(ctl1=one, words={'max_age_hours': limit})
        found = report.checks[1].findings
        self.assertEqual(
            [(Severity.WARNING, message, 'age')] if message else [],
            [(one.severity, one.message, one.aspect) for one in found],
        )

    def test_a_merged_report_is_as_old_as_the_oldest(self):
        """Merging does not make an old report young."""
        old, young = self.at(hours=30), self.at(hours=1)
        merged = self.merged(ctl1=young, ctl2=old, ctl3=young)
        self.assertEqual(old.created, merged.created)
        self.assertIsNone(self.merged(ctl1=old, ctl2=self.of()).created)

    def test_a_copy_of_the_report_of_another_host_is_not_ready(self):
        self.hosts(
            self.host(
                'ctl3',
                Severity.FAILURE,
                'the report of ctl3 is the same as that of ctl1: one of the '
                'two hosts was not checked',
                'Run the checks on ctl3 and on ctl1, each into a separate '
                'file.',
                'copy',
            ),
            ctl1=self.at(hours=1),
            ctl2=self.at(hours=2),
            ctl3=self.at(hours=1),
        )
        self.assertEqual(0, self.merged(ctl1=self.of(), ctl2=self.of()).code)

    def test_two_reports_of_one_machine_are_not_ready(self):
        report = self.hosts(
            model.Finding(
                Severity.WARNING,
                model.Subject('host', 'node1'),
                'the reports of ctl1 and ctl3 were all made on a machine '
                'named node1',
                (
                    model.advice(
                        'Run the checks on each host itself, and give each '
                        'machine its own name.'
                    ),
                ),
                check_id='hosts',
                data={'hosts': 'ctl1,ctl3'},
                aspect='machine',
            ),
            ctl1=self.of(host='node1'),
            ctl2=self.of(host='node2'),
            ctl3=self.of(host='node1'),
            ctl4=self.of(),
            ctl5=self.of(),
        )
        self.assertEqual('', report.host)

    @ddt.data(('2026-04-01', True), ('2026-03-31', False))
    @ddt.unpack
    def test_a_waiver_that_has_expired_since_does_not_hold(
        self, expires, holds
    ):
        waiver = model.Waiver('some-check[*]', 'why', 'me', expires)
        waived = finding()._replace(waiver=waiver)
        report = self.merged(ctl1=result(waived), ctl2=result(waived))
        hosts = report.checks[1]
        if holds:
            self.assertEqual((), hosts.findings)
            self.assertEqual(0, report.code)
            return
        self.assertEqual(1, report.code)
        self.assertEqual(
            (seen(finding(), 'ctl1,ctl2'),), report.checks[2].findings
        )
        self.assertEqual(
            (
                model.Finding(
                    Severity.WARNING,
                    model.Subject('waiver', 'some-check[*]'),
                    'the waiver some-check[*] of me, in the reports of ctl1 '
                    'and ctl2, expired on 2026-03-31: the findings that it '
                    'waived count again',
                    (model.advice('Review it, and set a new date.'),),
                    check_id='hosts',
                    data={'hosts': 'ctl1,ctl2'},
                    aspect='expired',
                ),
            ),
            hosts.findings,
        )

    # -- files that differ ---------------------------------------------------

    def reading(self, *files):
        return self.of(
            files=tuple(
                model.FileRead(path, digest * 64, kind)
                for path, digest, kind in files
            )
        )

    def file(self, path, severity, message, hosts):
        end, remedy = (
            (
                '; each manila-api uses its own file',
                f'Install the same {path} on every host with manila-api.',
            )
            if severity
            else (
                '; secret options and lines that are not read are compared '
                'only in this way',
                f'Compare {path} of these hosts.',
            )
        )
        return model.Finding(
            severity,
            model.Subject('file', path, path),
            message + end,
            (model.advice(remedy),),
            check_id='configuration-drift',
            data={'hosts': hosts},
        )

    @ddt.data(
        ('policy.yaml', 'policy', Severity.WARNING),
        ('api-paste.ini', 'paste', Severity.WARNING),
        ('manila.conf', 'config', Severity.INFO),
        ('inventory.yaml', 'document', Severity.INFO),
        ('waivers.yaml', 'waivers', Severity.INFO),
        # Of a report of an earlier version.
        ('policy.json', '', Severity.WARNING),
        ('api-paste.ini', '', Severity.WARNING),
        ('50-more.conf', '', Severity.INFO),
    )
    @ddt.unpack
    def test_a_file_that_differs_is_drift(self, name, kind, severity):
        path = f'/etc/manila/{name}'
        self.drift(
            self.file(
                path,
                severity,
                f'{path} differs: one on ctl1 and ctl3, another on ctl2',
                'ctl2',
            ),
            ctl1=self.reading((path, 'a', kind)),
            ctl2=self.reading((path, 'b', kind)),
            ctl3=self.reading((path, 'a', kind)),
        )
        self.drift(
            ctl1=self.reading((path, 'a', kind)),
            ctl2=self.reading((path, 'a', kind)),
        )

    def test_a_policy_file_that_one_api_host_lacks_is_drift(self):
        policy = ('/etc/manila/policy.yaml', 'a', 'policy')
        paste = ('/etc/manila/api-paste.ini', 'a', 'paste')
        self.drift(
            self.file(
                policy[0],
                Severity.WARNING,
                f'{policy[0]} differs: one on ctl1, none on ctl2',
                'ctl2',
            ),
            ctl1=self.reading(policy, paste),
            ctl2=self.reading(paste),
            # No API: what it lacks, nobody asks it for.
            share1=self.reading(('/etc/manila/manila.conf', 'a', 'config')),
        )

    def test_a_file_that_is_another_one_on_hundreds(self):
        path = '/etc/manila/manila.conf'
        digests = '0123456789abcdef'
        report = self.merged(
            **{
                f'ctl{one:03}': self.reading((path, digests[one % 16], ''))
                for one in range(1, 301)
            }
        )
        (found,) = report.checks[0].findings
        self.assertTrue(
            found.message.startswith(
                f'{path} differs: 16 different ones on 300 hosts, such as '
                'ctl001, ctl002 and ctl003; '
            ),
            found.message,
        )
