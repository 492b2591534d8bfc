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
import ddt
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.tests import databases
from manila_precheck.tests import known_releases
from manila_precheck.tests.unit.catalog import test_builds

CADENCE = (
    'https://governance.openstack.org/tc/resolutions/'
    '20220210-release-cadence-adjustment.html'
)


CORRECT = model.advice(
    'Correct [database] connection or --source-release; without '
    '--source-release the revision of the database is used.'
)
INSTALL = model.advice(
    'Install the manila of the upgrade, pass the right releases, or run the '
    'command in an environment without another manila.'
)


class Words:
    def result(self, *findings):
        return model.CheckResult(
            id='upgrade-path',
            title='Upgrade path',
            outcome=(
                model.Outcome.FOUND if findings else model.Outcome.PASSED
            ),
            findings=findings,
        )

    def finding(self, severity, name, message, *remediation, **kwargs):
        return model.Finding(
            severity,
            model.Subject('release', name),
            message,
            remediation,
            check_id='upgrade-path',
            **kwargs,
        )

    def build(self, side, release, build, where, facts, **kwargs):
        return self.finding(
            kwargs.get('severity', model.Severity.WARNING),
            side,
            f'manila {build} {where}, but this report describes {release} as '
            f'of manila {facts}; differences between the two are not checked',
            model.advice(
                f'Pass the facts of manila {build} as --{side}-catalog '
                '("manila-precheck catalog build" and "catalog tool" write '
                'them), or read what changed between manila '
                f'{facts} and {build} in '
                'the release notes and the patches of the package.'
            ),
            data={'build': build, 'catalog': facts},
            aspect='build',
        )

    def installed(self, severity, build, words, path):
        return model.Finding(
            severity,
            model.Subject('package', 'manila'),
            f'manila {build} is installed here, {words}; the upgrade is '
            f'checked as one from {path}',
            (INSTALL,),
            check_id='upgrade-path',
            data={'installed': build},
            aspect='installed',
        )

    def stated(self, stated, found, path, text=None):
        return self.finding(
            model.Severity.FAILURE,
            'source',
            f'--source-release is {text or stated}, but {found}; the upgrade '
            f'is checked as one from {path}',
            CORRECT,
            data={'stated': stated},
            aspect='stated',
        )

    def same(self, release):
        return self.finding(
            model.Severity.INFO,
            'target',
            'there is nothing to upgrade: source and target are both '
            f'{release}',
            aspect='same',
        )

    def first_install(self, release):
        return self.finding(
            model.Severity.INFO,
            'target',
            f'the database is empty: this is a first install of {release}',
            aspect='first-install',
        )


@ddt.ddt
class UpgradePathTest(Words, testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(known_releases.KnownUpTo('2026.2'))

    def run_check(self, **kwargs):
        site = self.useFixture(
            testing.Site(**{'source': None, 'target': None, **kwargs})
        )
        return site.run('upgrade-path')

    @ddt.data(
        ('2024.1', '2024.2'),
        ('2024.1', '2025.1'),
        ('2024.2', '2025.1'),
        ('2025.1', '2026.1'),
        ('zed', '2023.1'),
    )
    @ddt.unpack
    def test_supported(self, source, target):
        self.assertEqual(
            self.result(), self.run_check(source=source, target=target)
        )

    @ddt.data(
        # From a SLURP release beyond the next one; the next SLURP is first.
        ('2024.1', '2025.2', '2025.1'),
        ('2024.1', '2026.1', '2025.1'),
        # From another release beyond the next one.
        ('2024.2', '2025.2', '2025.1'),
        ('2023.2', '2025.1', '2024.1'),
        ('zed', '2023.2', '2023.1'),
    )
    @ddt.unpack
    def test_too_far(self, source, target, first):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    'target',
                    f'an upgrade from {source} to {target} in one step is '
                    f'not supported; from {source} the longest supported '
                    f'step is to {first}',
                    model.command(
                        'manila-precheck upgrade check --target-release '
                        f'{first}'
                    ),
                    references=(CADENCE,),
                    data={
                        'source': source,
                        'target': target,
                        'next_hop': first,
                    },
                )
            ),
            self.run_check(source=source, target=target),
        )

    def test_downgrade(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.FAILURE,
                    'target',
                    '2024.1 is older than 2025.1, which runs now; a downgrade '
                    'of the database is not supported',
                    model.advice('Restore a backup made with 2024.1.'),
                    data={'source': '2025.1', 'target': '2024.1'},
                )
            ),
            self.run_check(source='2025.1', target='2024.1'),
        )

    def test_same(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'target',
                    'there is nothing to upgrade: source and target are both '
                    '2025.1',
                    aspect='same',
                )
            ),
            self.run_check(source='2025.1', target='2025.1'),
        )

    def test_assumed(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    'source',
                    'the release that runs now is not known; 2024.1 is '
                    'assumed',
                    model.advice('Pass --source-release RELEASE.'),
                    aspect='assumed',
                )
            ),
            self.run_check(target='2025.1'),
        )
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'target',
                    'no target was given; 2024.2 is assumed',
                    model.advice('Pass --target-release RELEASE.'),
                    aspect='assumed',
                )
            ),
            self.run_check(source='2024.1'),
        )

    def test_the_release_after_the_newest_is_not_known(self):
        """The newest was READY to be upgraded to itself."""
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    'target',
                    'no target was given, and the release after 2026.2 is '
                    'not known; only 2026.2 itself is checked',
                    model.advice(
                        'Pass --target-release RELEASE, or upgrade '
                        'manila-precheck.'
                    ),
                    aspect='assumed',
                ),
                self.same('2026.2'),
            ),
            self.run_check(installed='23.0.1'),
        )

    def test_a_source_that_is_over_is_no_warning(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'source',
                    'the release that ran before the upgrade is not known; '
                    '2024.1 is assumed',
                    model.advice('Pass --source-release RELEASE.'),
                    aspect='assumed',
                )
            ),
            self.run_check(target='2025.1', stage='upgraded'),
        )

    @ddt.data(
        '22.0.9',
        '22.0.2+patched',
        '22.0.0.0rc1',
        '1:22.0.2-0ubuntu1~cloud0',
        '22.1.0-18.20260801.el9ost',
        '22.1.0.dev7',
    )
    def test_another_build_than_the_facts_are_of(self, version):
        """It was judged as the other one, and nobody was told."""
        self.assertEqual(
            self.result(
                self.build(
                    'target', '2026.1', version, 'is installed here', '22.0.2'
                )
            ),
            self.run_check(source='2025.1', installed=version),
        )
        self.assertEqual(
            self.result(
                self.build(
                    'source', '2026.1', version, 'is installed here', '22.0.2'
                )
            ),
            self.run_check(
                source='2026.1', target='2026.2', installed=version
            ),
        )
        self.assertEqual(
            self.result(
                self.build(
                    'target',
                    '2026.1',
                    version,
                    'is what --target-release names',
                    '22.0.2',
                )
            ),
            self.run_check(source='2025.1', target=version),
        )
        self.assertEqual(
            self.result(
                self.build(
                    'source',
                    '2026.1',
                    version,
                    'is what --source-release names',
                    '22.0.2',
                )
            ),
            self.run_check(source=version, target='2026.2'),
        )

    @ddt.data(
        {'source': '20.0.3', 'target': '22.0.2'},
        {'source': '2025.1', 'target': '22'},
        {'source': 'epoxy', 'target': 'gazpacho', 'installed': '20.0.3'},
        {'source': '2025.1', 'target': '2026.1', 'installed': '22.0.2'},
        {'source': '2025.1', 'target': '22.0.2', 'installed': '22.0.2'},
        {'source': '20.0.1', 'target': '22.0.0', 'installed': '22.0.0'},
        {'source': '2025.1', 'target': '2026.1', 'installed': '22.0'},
    )
    def test_the_build_that_the_facts_are_of(self, kwargs):
        self.assertEqual(self.result(), self.run_check(**kwargs))

    @ddt.data('18.0.1', '18.0.1.dev7')
    def test_a_file_of_just_that_build(self, version):
        site = self.with_file(version, installed=version)
        self.assertEqual(self.result(), site)

    @ddt.data(('18.3.0', '18.0.1'), ('18.0.1', '18.0.1.dev7'))
    @ddt.unpack
    def test_a_file_of_another_build(self, installed, version):
        """The shipped facts are of 18.3.0, and the file has its own."""
        self.assertEqual(
            self.result(
                self.build(
                    'source', '2024.1', installed, 'is installed here', version
                )
            ),
            self.with_file(version, installed=installed),
        )

    def test_a_build_whose_own_facts_cannot_be_read(self):
        """The one that is installed; nobody was asked for another."""
        site = self.useFixture(
            testing.Site(
                source='18.1.0.dev7', target='2025.1', installed='20.0.0.dev7'
            )
        )
        ctx = site.context()

        def read(python, seconds):
            raise exceptions.SourceUnusable('/python cannot be run')

        ctx.take_installed(read)
        source = self.build(
            'source',
            '2024.1',
            '18.1.0.dev7',
            'is what --source-release names',
            '18.3.0',
        )
        target = self.build(
            'target', '2025.1', '20.0.0.dev7', 'is installed here', '20.0.3'
        )
        target = target._replace(
            message=f'{target.message}. Its own facts could not be read: '
            '/python cannot be run',
        )
        self.assertEqual(
            self.result(source, target), site.run('upgrade-path', ctx)
        )

    def with_file(self, version, **kwargs):
        """Return the result with a file of facts about the source."""
        site = self.useFixture(
            testing.Site(
                source='2024.1',
                target='2025.1',
                files={
                    'facts.json': test_builds.changed(
                        'release', version=version
                    )
                },
                **kwargs,
            )
        )
        ctx = site.context()
        ctx.conf.set_override(
            'source_catalog', site.file('facts.json'), group='manila_precheck'
        )
        ctx.take_builds()
        return site.run('upgrade-path', ctx)

    def test_another_build_that_is_over(self):
        self.assertEqual(
            self.result(
                self.build(
                    'source',
                    '2025.1',
                    '20.0.9',
                    'is what --source-release names',
                    '20.0.3',
                    severity=model.Severity.INFO,
                )
            ),
            self.run_check(
                source='20.0.9',
                target='2026.1',
                installed='22.0.2',
                stage='upgraded',
            ),
        )

    def test_a_newer_build_of_the_same_release(self):
        self.assertEqual(
            self.result(
                self.build(
                    'target',
                    '2026.1',
                    '22.0.9',
                    'is what --target-release names',
                    '22.0.2',
                ),
            ),
            self.run_check(
                source='2026.1', target='22.0.9', installed='22.0.2'
            ),
        )

    @ddt.data(
        {'source': '22.0.0', 'target': '22.0.2'},
        {'source': '22.0.0', 'target': '2026.1'},
        {'source': '22.0.0', 'target': '22.0.1', 'installed': '22.0.0'},
        {'source': '22.0.0', 'installed': '22.0.1', 'stage': 'stopped'},
        {'target': '22.0.2', 'source': '2026.1', 'installed': '22.0.0'},
        {'target': '2026.1', 'source': '2026.1', 'installed': '22.0.1'},
        {
            'source': '22.0.0',
            'target': '22.0.1',
            'installed': '22.0.1',
            'stage': 'upgraded',
        },
    )
    def test_an_update_within_a_release(self, kwargs):
        self.assertEqual(self.result(), self.run_check(**kwargs))

    @ddt.data(
        {'source': '22.0.1', 'target': '22.0.1'},
        {'source': '2026.1', 'target': '2026.1', 'installed': '22.0.2'},
        {'source': '22.0.2', 'target': '2026.1'},
    )
    def test_one_build(self, kwargs):
        self.assertEqual(
            self.result(self.same('2026.1')), self.run_check(**kwargs)
        )

    def test_back_to_an_earlier_build(self):
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.WARNING,
                    'target',
                    '22.0.0 is older than 22.0.2, which runs now; OpenStack '
                    'does not test a downgrade',
                    model.advice('Correct --target-release.'),
                    data={'source': '22.0.2', 'target': '22.0.0'},
                )
            ),
            self.run_check(source='22.0.2', target='22.0.0'),
        )

    @ddt.data(
        # Newer than the target, whatever release it is of.
        ('24.0.0.0rc1', 'plan', 2),
        ('23.0.1', 'plan', 2),
        # The staged one, perhaps, or another controller's.
        ('21.0.3', 'plan', 1),
        ('19.1.1', 'stopped', 1),
        # Before the oldest, or not to be understood.
        ('11.1.2', 'plan', 1),
        ('0.0.0', 'plan', 1),
        ('unknown', 'plan', 1),
        # The services run what is installed.
        ('20.0.3', 'upgraded', 2),
        ('21.0.3', 'upgraded', 2),
        ('23.0.1', 'upgraded', 2),
        ('unknown', 'upgraded', 1),
    )
    @ddt.unpack
    def test_another_manila_is_installed(self, version, stage, severity):
        """It was taken for none, and the run passed."""
        major = version.partition('.')[0]
        release = {
            '19': '2024.2',
            '20': '2025.1',
            '21': '2025.2',
            '23': '2026.2',
        }.get(major)
        if release is None:
            words = (
                'and this manila-precheck knows only manila 12 '
                '(wallaby) to 23 (2026.2)'
            )
        elif stage == 'upgraded':
            words = f'at stage upgraded, and it belongs to {release}'
        else:
            words = f'and it belongs to {release}'
        self.assertEqual(
            self.result(
                self.installed(
                    model.Severity(severity),
                    version,
                    words,
                    '2025.1 to 2026.1',
                )
            ),
            self.run_check(
                source='2025.1',
                target='2026.1',
                installed=version,
                stage=stage,
            ),
        )

    @ddt.data(('source', '20.0.1', '20.0.3'), ('target', '22.0.2', '22.0.1'))
    @ddt.unpack
    def test_another_build_is_installed_than_stated(
        self, side, stated, installed
    ):
        kwargs = {'source': '2025.1', 'target': '2026.1', side: stated}
        result = self.run_check(installed=installed, **kwargs)
        self.assertEqual(
            self.installed(
                model.Severity.FAILURE,
                installed,
                f'and --{side}-release is {stated}',
                '2025.1 to 2026.1',
            ),
            result.findings[0],
        )

    def test_the_package_of_the_version_that_is_stated(self):
        self.assertEqual(
            self.result(
                self.build(
                    'target',
                    '2026.1',
                    '1:22.0.2-0ubuntu1',
                    'is what --target-release names',
                    '22.0.2',
                )
            ),
            self.run_check(
                source='2025.1',
                target='1:22.0.2-0ubuntu1',
                installed='22.0.2',
            ),
        )

    def vendor(self, words, todo):
        return self.finding(
            model.Severity.WARNING,
            'target',
            f'--vendor-path declares {words}',
            model.advice(todo),
            references=(CADENCE,),
            aspect='vendor-path',
        )

    def test_a_path_that_a_vendor_supports(self):
        path = {'options': {'vendor_path': 'wallaby:2023.1'}}
        self.assertEqual(
            self.result(
                self.vendor(
                    'wallaby to 2023.1; OpenStack does not test this upgrade '
                    'in one step',
                    'Follow the procedure of the vendor, and use its '
                    'packages.',
                )
            ),
            self.run_check(source='wallaby', target='2023.1', **path),
        )
        other = self.vendor(
            'wallaby to 2023.1; this is the upgrade 2023.1 to 2024.1',
            'Remove or correct --vendor-path.',
        )
        self.assertEqual(
            self.result(other),
            self.run_check(source='2023.1', target='2024.1', **path),
        )
        # It lets no other one pass.
        result = self.run_check(source='wallaby', target='2024.1', **path)
        self.assertEqual(
            ['upgrade-path[target]', 'upgrade-path[target#vendor-path]'],
            [finding.key for finding in result.findings],
        )
        self.assertEqual(model.Severity.FAILURE, result.severity)
        # One that is supported anyway needs no word.
        self.assertEqual(
            self.result(),
            self.run_check(
                source='2025.1',
                target='2026.1',
                options={'vendor_path': 'epoxy:gazpacho'},
            ),
        )

    def test_a_database_that_cannot_be_read_contradicts_nothing(self):
        """Nobody looked whether it is the one that is stated."""
        result = self.run_check(
            source='2025.1',
            target='2026.1',
            connection='sqlite:////nonexistent/manila.sqlite',
        )
        self.assertEqual(model.Outcome.ERROR, result.outcome)


@ddt.ddt
class Scenarios(Words, databases.Scenarios):
    """What is stated, held against the database."""

    def run_on(self, database, **kwargs):
        return self.run_check(
            'upgrade-path', database, **{'target': '2026.1', **kwargs}
        )

    def at(self, revision):
        """Return a database that is just at a revision."""
        made = self.database()
        made.execute(
            'CREATE TABLE alembic_version (version_num VARCHAR(32))',
            'CREATE TABLE shares (id VARCHAR(36))',
            f"INSERT INTO alembic_version VALUES ('{revision}')",
        )
        return made

    def test_first_install(self):
        empty = self.database()
        self.assertEqual(
            self.result(self.first_install('2026.1')), self.run_on(empty)
        )
        self.assertEqual(
            self.result(
                self.build(
                    'target', '2026.1', '22.0.9', 'is installed here', '22.0.2'
                ),
                self.first_install('2026.1'),
            ),
            self.run_on(empty, target=None, installed='22.0.9'),
        )

    def test_a_first_install_of_a_release_that_is_assumed(self):
        """The newest was taken, and nobody was told."""
        self.useFixture(known_releases.KnownUpTo('2026.2'))
        self.assertEqual(
            self.result(
                self.finding(
                    model.Severity.INFO,
                    'target',
                    'no target was given; 2026.2 is assumed',
                    model.advice('Pass --target-release RELEASE.'),
                    aspect='assumed',
                ),
                self.first_install('2026.2'),
            ),
            self.run_on(self.database(), target=None),
        )

    def test_an_empty_database_was_ready_whatever_was_stated(self):
        empty = self.database()
        for stage in ('plan', 'stopped'):
            self.assertEqual(
                self.result(
                    self.stated(
                        '2025.1', 'the database is empty', '2025.1 to 2026.1'
                    )
                ),
                self.run_on(empty, source='2025.1', stage=stage),
            )
        # Of which schema-revision makes a failure.
        self.assertEqual(
            self.result(),
            self.run_on(empty, source='2025.1', stage='upgraded'),
        )

    def test_the_database_of_another_release(self):
        database = self.at('0d8c8f6d54a4')
        self.assertEqual(
            self.result(
                self.stated(
                    '2024.1', 'the database is at 2025.1', '2025.1 to 2026.1'
                )
            ),
            self.run_on(database, source='2024.1'),
        )
        self.assertEqual(
            self.result(
                self.build(
                    'source',
                    '2025.1',
                    '20.0.9',
                    'is what --source-release names',
                    '20.0.3',
                )
            ),
            self.run_on(database, source='20.0.9'),
        )

    def test_a_database_that_is_migrated_was_taken_for_the_source(self):
        database = self.at('004e506e922e')
        for stage in ('plan', 'stopped'):
            self.assertEqual(
                self.result(
                    self.stated(
                        '2025.1',
                        'the database is at 2026.1',
                        '2025.1 to 2026.1',
                    )
                ),
                self.run_on(database, source='2025.1', stage=stage),
            )
        self.assertEqual(
            self.result(),
            self.run_on(database, source='2025.1', stage='upgraded'),
        )

    def test_a_database_that_was_not_migrated_was_done(self):
        """Without a target it was taken for the target itself."""
        database = self.at('0d8c8f6d54a4')
        found = (
            'the database is still at that release, and no target was given'
        )
        self.assertEqual(
            self.result(
                self.stated('2025.1', found, '2025.1 to 2025.1'),
                self.same('2025.1'),
            ),
            self.run_on(
                database, source='2025.1', target=None, stage='upgraded'
            ),
        )
        # schema-revision knows the rest, where the target is named.
        self.assertEqual(
            self.result(),
            self.run_on(database, source='2025.1', stage='upgraded'),
        )

    def test_the_middle_of_the_migrations(self):
        # Of 2026.1.
        database = self.at('eead2cb81845')
        self.assertEqual(
            self.result(
                self.stated(
                    '2026.2',
                    'the database is at revision eead2cb81845, in the '
                    'migrations of 2026.1',
                    '2026.2 to 2026.2',
                ),
                self.same('2026.2'),
            ),
            self.run_on(database, source='2026.2', target='2026.2'),
        )
        # A db sync that did not end, which schema-revision says.
        self.assertEqual(self.result(), self.run_on(database, source='2025.1'))

    def test_the_database_of_something_else_confirmed_the_source(self):
        foreign = self.database()
        foreign.execute('CREATE TABLE albums (id VARCHAR(36))')
        stamped = self.at('0d8c8f6d54a4')
        stamped.execute('DROP TABLE shares')
        several = self.at('0d8c8f6d54a4')
        several.execute("INSERT INTO alembic_version VALUES ('004e506e922e')")
        unknown = self.at('0123456789ab')
        for database in (foreign, stamped, several, unknown):
            for stage in ('plan', 'stopped'):
                for known in ({'source': '2025.1'}, {'installed': '20.0.3'}):
                    self.assertEqual(
                        self.result(
                            self.finding(
                                model.Severity.WARNING,
                                'source',
                                'the revision of the database belongs to no '
                                'known release, so nothing confirms that '
                                '2025.1 runs now',
                                CORRECT,
                                aspect='unconfirmed',
                            )
                        ),
                        self.run_on(database, stage=stage, **known),
                    )

    def test_upgraded_the_database_alone_named_the_target(self):
        """One that nobody has migrated was DONE."""
        result = self.run_on(
            self.at('0d8c8f6d54a4'), stage='upgraded', target=None
        )
        self.assertEqual(
            [
                (
                    model.Severity.WARNING,
                    'no target was given; the database is at 2025.1, which '
                    'is the target, or the release that ran before',
                ),
                (
                    model.Severity.INFO,
                    'the release that ran before the upgrade is not known; '
                    '2024.1 is assumed',
                ),
            ],
            [(one.severity, one.message) for one in result.findings],
        )

    def test_upgraded_the_installed_manila_tells_the_target(self):
        result = self.run_on(
            self.at('0d8c8f6d54a4'),
            stage='upgraded',
            target=None,
            installed='20.0.3',
        )
        self.assertEqual(
            [model.Severity.INFO], [one.severity for one in result.findings]
        )

    @ddt.data(
        ('0d8c8f6d54a4', '20.0.3', '2025.1'),
        ('fbdfabcba377', '12.1.2', 'wallaby'),
    )
    @ddt.unpack
    def test_upgraded_and_still_at_the_source(self, revision, build, source):
        """One whose revision two releases share was DONE."""
        result = self.run_on(
            self.at(revision),
            stage='upgraded',
            target=None,
            source=source,
            installed=build,
        )
        found = {one.aspect: one for one in result.findings}['stated']
        self.assertEqual(
            (
                model.Severity.FAILURE,
                f'--source-release is {source}, but the database is still at '
                'that release, and no target was given; the upgrade is '
                f'checked as one from {source} to {source}',
            ),
            (found.severity, found.message),
        )

    @ddt.data(('wallaby', None), ('xena', None), (None, '13.2.0'))
    @ddt.unpack
    def test_one_of_two_releases_that_is_named(self, source, installed):
        database = self.at('fbdfabcba377')
        result = self.run_on(
            database, source=source, installed=installed, target='xena'
        )
        same = self.result(self.same('xena'))
        self.assertEqual(
            self.result() if source == 'wallaby' else same, result
        )

    @ddt.data(
        ('plan', 'yoga', 'source', 'xena'),
        ('plan', 'xena', 'source', 'xena'),
        ('upgraded', None, 'target', 'xena'),
    )
    @ddt.unpack
    def test_one_of_two_releases_was_named_at_random(
        self, stage, target, side, assumed
    ):
        database = self.at('fbdfabcba377')
        # What ran before does not tell where it went.
        source = 'wallaby' if stage == 'upgraded' else None
        result = self.run_on(
            database, source=source, target=target, stage=stage
        )
        self.assertEqual(
            self.finding(
                model.Severity.WARNING,
                side,
                'the revision of the database is the last one of wallaby and '
                f'of xena; {assumed} is assumed',
                model.advice(f'Pass --{side}-release RELEASE.'),
                data={'releases': 'wallaby xena'},
                aspect='alike',
            ),
            result.findings[0],
        )


class UpgradePathSQLiteTest(Scenarios, databases.SQLiteTest):
    pass
