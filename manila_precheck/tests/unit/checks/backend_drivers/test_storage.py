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

"""The storage behind a back end: documented, declared, compared."""

import ddt
import testtools

from manila_precheck import model
from manila_precheck.tests import backend_drivers
from manila_precheck.tests.backend_drivers import back_end
from manila_precheck.tests.backend_drivers import CEPHFS
from manila_precheck.tests.backend_drivers import DECLARE
from manila_precheck.tests.backend_drivers import DOC
from manila_precheck.tests.backend_drivers import DRIVERS
from manila_precheck.tests.backend_drivers import EMC
from manila_precheck.tests.backend_drivers import FAILURE
from manila_precheck.tests.backend_drivers import GENERIC
from manila_precheck.tests.backend_drivers import GLUSTER
from manila_precheck.tests.backend_drivers import INFO
from manila_precheck.tests.backend_drivers import NETAPP
from manila_precheck.tests.backend_drivers import WARNING

ISILON = back_end(EMC, 'emc_share_backend = isilon')
POWERSCALE = back_end(EMC, 'emc_share_backend = powerscale')
ONEFS = (DOC + 'dell-emc-powerscale-driver.rst',)
LVM = DRIVERS + 'lvm.LVMShareDriver'
QUOBYTE = DRIVERS + 'quobyte.quobyte.QuobyteShareDriver'
TEGILE = DRIVERS + 'tegile.tegile.TegileShareDriver'
ONTAP = (
    'manila doc/source/admin/netapp_cluster_mode_driver.rst',
    'manila manila/share/drivers/netapp/dataontap/cluster_mode/lib_base.py',
)
GLUSTERFS = (
    DOC + 'glusterfs-driver.rst',
    'manila manila/share/drivers/ganesha/manager.py',
    'manila manila/share/drivers/glusterfs/__init__.py',
)


@ddt.ddt
class StorageTest(backend_drivers.BackendDrivers, testtools.TestCase):
    def storage(self, *args, **kwargs):
        """Return what is found of storage."""
        result = self.run_check(*args, **kwargs)
        return [f for f in result.findings if f.aspect.startswith('storage')]

    def declare(self, *declared, conf, **kwargs):
        """Return what is found with an inventory of back end a."""
        lines = [
            f'  - {{{", ".join(f"{k}: {v}" for k, v in item.items())}}}\n'
            for item in declared
        ]
        self.inventory = self.write(
            'inventory.yaml', 'backends:\n  a:\n' + ''.join(lines)
        )
        return self.storage(
            conf, own={'storage_inventory': self.inventory}, **kwargs
        )

    def declared(self, severity, line, words, advice, driver, sources, **data):
        """Return the finding about the system on a line of an inventory."""
        return self.finding(
            severity,
            4,
            f'[a] has {data["system"]} {data["version"]} '
            f'({self.inventory}:{line}){words}',
            advice,
            driver,
            f'storage-{data["system"].lower()}',
            references=sources,
            **data,
        )

    def documented(self, severity, words, driver, sources, commands=()):
        return self.finding(
            severity,
            4,
            f'[a] {words}; the version in use is not known',
            [*(model.command(text) for text in commands), *DECLARE],
            driver,
            'storage',
            references=sources,
        )

    @ddt.named_data(
        [
            'features',
            back_end(NETAPP),
            ('2024.1', '2025.1'),
            INFO,
            '2025.1 documents ONTAP 8.2 or newer and ONTAP 9.8 or newer for '
            'FlexGroup pools and ONTAP 9.9.1 or newer for several replicas '
            'of a FlexGroup share',
            NETAPP,
            ONTAP,
        ],
        [
            'another_one_is_tested',
            back_end(CEPHFS),
            ('2024.1', '2025.1'),
            INFO,
            '2025.1 documents Ceph Squid and NFS-Ganesha 3.5 or newer for '
            'NFS exports (2024.1: Ceph Reef)',
            CEPHFS,
            (
                'manila 22.0.0 doc/source/configuration/shared-file-systems/'
                'drivers/cephfs_driver.rst',
                'manila manila/share/drivers/cephfs/driver.py',
            ),
            ['ceph --version', 'ganesha.nfsd -v'],
        ],
        [
            'before_a_minimum_rises',
            ISILON,
            ('2024.2', '2025.1'),
            INFO,
            '2025.1 documents OneFS 7.2 or newer',
            EMC,
            (DOC + 'emc-isilon-driver.rst',),
        ],
        [
            'a_minimum_that_rises',
            ISILON,
            ('2025.1', '2025.2'),
            WARNING,
            '2025.2 documents OneFS 9.10 or newer (2025.1: OneFS 7.2 or '
            'newer)',
            EMC,
            ONEFS,
        ],
        [
            'after_a_minimum_rose',
            POWERSCALE,
            ('2025.2', '2026.1'),
            INFO,
            '2026.1 documents OneFS 9.10 or newer',
            EMC,
            ONEFS,
        ],
    )
    @ddt.unpack
    def test_nothing_is_declared(
        self, conf, upgrade, severity, words, driver, sources, commands=()
    ):
        found = self.storage(conf, *upgrade)
        self.assertEqual(
            [self.documented(severity, words, driver, sources, commands)],
            found,
        )

    def test_nothing_is_said_where_nothing_is_documented(self):
        self.assertEqual([], self.storage(back_end(QUOBYTE)))

    @ddt.data('9.10', '9.10.0.0', '9.11.0.1', '10')
    def test_a_version_that_is_new_enough(self, version):
        found = self.declare(
            {'system': 'onefs', 'version': version},
            conf=ISILON,
            source='2025.1',
            target='2025.2',
        )
        self.assertEqual([], found)
        self.assertEqual(
            [self.site.file('manila.conf'), self.inventory], self.files
        )

    @ddt.data('9.9.0.0', '7.2', '9.10rc1')
    def test_a_version_that_is_too_old(self, version):
        found = self.declare(
            {'system': 'OneFS', 'version': version},
            conf=ISILON,
            source='2025.1',
            target='2025.2',
        )
        self.assertEqual(
            [
                self.declared(
                    WARNING,
                    3,
                    ', and 2025.2 documents OneFS 9.10 or newer (2025.1: '
                    'OneFS 7.2 or newer)',
                    'Update OneFS before manila.',
                    EMC,
                    ONEFS,
                    system='OneFS',
                    version=version,
                    documented='9.10',
                )
            ],
            found,
        )

    @ddt.data('9', 'V9R10', 'the newest')
    def test_a_version_that_cannot_be_compared(self, version):
        found = self.declare(
            {'system': 'OneFS', 'version': version},
            conf=POWERSCALE,
            source='2025.2',
            target='2026.1',
        )
        self.assertEqual(
            [
                self.declared(
                    WARNING,
                    3,
                    ', and 2026.1 documents OneFS 9.10 or newer; the two '
                    'cannot be compared',
                    'Compare them by hand, or write the version in the '
                    'inventory like 9.10.',
                    EMC,
                    ONEFS,
                    system='OneFS',
                    version=version,
                    documented='9.10',
                )
            ],
            found,
        )

    @ddt.data(('3.5', False), ('3.4.7', True))
    @ddt.unpack
    def test_a_version_that_the_driver_refuses(self, version, refused):
        found = self.declare(
            {'system': 'GlusterFS', 'version': version},
            {'system': 'NFS-Ganesha', 'version': '2.1'},
            conf=back_end(GLUSTER),
        )
        expected = []
        if refused:
            expected.append(
                self.stays_down(
                    4,
                    f'[a] has GlusterFS {version} ({self.inventory}:3), and '
                    '2025.1 documents GlusterFS 3.5 or newer; the driver '
                    'fails with older versions',
                    'Update GlusterFS before manila.',
                    GLUSTER,
                    'storage-glusterfs',
                    references=GLUSTERFS,
                    system='GlusterFS',
                    version=version,
                    documented='3.5',
                )
            )
        self.assertEqual(expected, found)

    @ddt.named_data(
        ['unused', '9.7', [], '', None],
        ['option', '9.7', ['netapp_enable_flexgroup = True'], '', 'refused'],
        ['option_met', '9.8', ['netapp_enable_flexgroup = True'], '', None],
        ['option_off', '9.7', ['netapp_enable_flexgroup = no'], '', None],
        ['bad_option', '9.7', ['netapp_enable_flexgroup = x'], '', None],
        ['feature', '9.7', [], 'flexgroup POOLS', 'refused'],
        [
            'other_feature',
            '9.9',
            [],
            'several replicas of a FlexGroup share',
            'older',
        ],
    )
    @ddt.unpack
    def test_a_feature(self, version, lines, feature, expected):
        found = self.declare(
            {
                'system': 'ONTAP',
                'version': version,
                'features': f'[{feature}]',
            },
            conf=back_end(NETAPP, *lines),
        )
        said = [(f.severity, f.data['documented']) for f in found]
        self.assertEqual(
            {
                None: [],
                'refused': [(model.Severity.FAILURE, '9.8')],
                'older': [(WARNING, '9.9.1')],
            }[expected],
            said,
        )

    @ddt.data(
        # Tested with Squid, by name or number.
        ('19.2.3', None),
        ('Squid', None),
        ('18.2.4', WARNING),
        ('reef', WARNING),
        ('20.2.0', INFO),
        ('Tentacle', INFO),
        ('Umbrella', WARNING),
    )
    @ddt.unpack
    def test_a_version_that_is_named_alone(self, version, severity):
        found = self.declare(
            {'system': 'Ceph', 'version': version},
            {'system': 'NFS-Ganesha', 'version': '5.7'},
            conf=back_end(CEPHFS),
        )
        self.assertEqual(
            [] if severity is None else [severity],
            [finding.severity for finding in found],
        )

    def test_a_newer_one_than_is_named(self):
        found = self.declare(
            {'system': 'IntelliFlash', 'version': '3.7'},
            conf=back_end(TEGILE),
        )
        self.assertEqual(
            [
                self.declared(
                    INFO,
                    3,
                    ', and 2025.1 documents IntelliFlash 3.5.1, which is '
                    'older; newer versions are not documented',
                    [],
                    TEGILE,
                    ('manila doc/source/admin/tegile_driver.rst',),
                    system='IntelliFlash',
                    version='3.7',
                    documented='3.5.1',
                )
            ],
            found,
        )

    def test_one_of_two_systems_is_declared(self):
        found = self.declare(
            {'system': 'LVM2', 'version': '2.03.11'}, conf=back_end(LVM)
        )
        self.assertEqual(
            [
                self.documented(
                    INFO,
                    '2025.1 documents Samba 3.2.0 or newer for CIFS shares',
                    LVM,
                    (DOC + 'lvm-driver.rst',),
                    ['smbd --version'],
                )
            ],
            found,
        )

    def test_a_system_that_is_there_for_a_feature_is_compared(self):
        found = self.declare(
            {'system': 'Samba', 'version': '3.1'}, conf=back_end(GENERIC)
        )
        self.assertEqual(
            [
                self.declared(
                    WARNING,
                    3,
                    ', and 2025.1 documents Samba 3.2.0 or newer for CIFS '
                    'shares',
                    'Update Samba before manila.',
                    GENERIC,
                    (DOC + 'generic-driver.rst',),
                    system='Samba',
                    version='3.1',
                    documented='3.2.0',
                )
            ],
            found,
        )

    def test_a_system_of_another_name(self):
        found = self.declare(
            {'system': 'LVM2', 'version': '2.03.11'},
            {'system': 'Samba', 'version': '4.17'},
            {'system': 'ext4', 'version': '1.0'},
            conf=back_end(LVM),
        )
        self.assertEqual(
            [
                self.declared(
                    WARNING,
                    5,
                    ', which was not compared: the matrix lists LVM2 and '
                    'Samba for its driver',
                    'Use the name that the matrix has for the system.',
                    LVM,
                    (DOC + 'lvm-driver.rst',),
                    system='ext4',
                    version='1.0',
                )
            ],
            found,
        )

    def test_a_driver_without_documented_versions(self):
        found = self.declare(
            {'system': 'Quobyte', 'version': '3.1'}, conf=back_end(QUOBYTE)
        )
        self.assertEqual(
            [
                self.declared(
                    INFO,
                    3,
                    ', which was not compared: 2025.1 documents no version '
                    'for its driver',
                    [],
                    QUOBYTE,
                    (),
                    system='Quobyte',
                    version='3.1',
                )
            ],
            found,
        )

    def test_back_ends_that_are_not_enabled(self):
        path = self.write(
            'inventory.yaml',
            """
            backends:
              a: {system: LVM2, version: 2.03.11}
              b: {system: LVM2, version: 2.03.11}
              c: {system: LVM2, version: 2.03.11}
            """,
        )
        result = self.run_without_storage(
            back_end(LVM) + f'[b]\nshare_driver = {LVM}\n',
            own={'storage_inventory': path},
        )
        advice = model.advice('Use a name from enabled_share_backends: a.')
        self.assert_found(
            result,
            *(
                model.Finding(
                    severity,
                    model.Subject('backend', name, path, line),
                    f'the inventory names {name}, which {what}; it was not '
                    'compared',
                    remediation,
                    check_id='backend-drivers',
                    aspect='inventory',
                )
                for severity, name, line, what, remediation in (
                    (
                        WARNING,
                        'c',
                        5,
                        'has no section in any file',
                        (advice,),
                    ),
                    (INFO, 'b', 4, 'is not enabled', ()),
                )
            ),
        )

    def test_a_file_that_cannot_be_used_is_an_error_and_the_rest_is_said(self):
        inventory = self.write('inventory.yaml', 'backends:\n  a: {x: 1}\n')
        missing = self.path + '/missing.yaml'
        result = self.run_check(
            back_end(TEGILE),
            own={'storage_inventory': inventory, 'support_matrix': missing},
        )
        self.assert_found(
            result,
            self.finding(
                WARNING,
                4,
                f'[a] uses {TEGILE}, which is deprecated in 2025.1; a later '
                'release removes it',
                'Plan the move of its shares to another back end.',
                TEGILE,
                'deprecated',
            ),
            self.documented(
                INFO,
                '2025.1 documents IntelliFlash 3.5.1',
                TEGILE,
                ('manila doc/source/admin/tegile_driver.rst',),
            ),
            reason=f'support_matrix: {missing}: No such file or directory; '
            f"storage_inventory: {inventory}:2: unknown key 'x'; known "
            'keys: features, system, version',
        )


MATRIX = """\
format: 2
systems:
  LVM2:
    names: {Old: 2.02}
    command: lvm version --operator
rows:
- driver: manila.share.drivers.lvm.LVMShareDriver
  releases: 2025.1-
  sources: [our own tests]
  storage:
  - {system: LVM2, minimum: 2.03}
"""


@ddt.ddt
class OperatorsMatrixTest(backend_drivers.BackendDrivers, testtools.TestCase):
    def storage(self, target, text=MATRIX):
        self.matrix = self.write('matrix.yaml', text)
        result = self.run_check(
            back_end(LVM), target=target, own={'support_matrix': self.matrix}
        )
        return [f for f in result.findings if f.aspect == 'storage'], result

    def test_its_row_counts_before_the_built_in_one(self):
        found, _result = self.storage('2025.1')
        self.assertEqual(
            [
                self.finding(
                    WARNING,
                    4,
                    '[a] 2025.1 documents LVM2 2.03 or newer (2024.1: LVM2 '
                    f'2.02.66 or newer) (according to {self.matrix}); the '
                    'version in use is not known',
                    [model.command('lvm version --operator'), *DECLARE],
                    LVM,
                    'storage',
                    references=['our own tests'],
                )
            ],
            found,
        )
        self.assertIn(self.matrix, self.files)

    def test_other_releases_keep_the_built_in_row(self):
        found, _result = self.storage('2024.2')
        (finding,) = found
        self.assertEqual((DOC + 'lvm-driver.rst',), finding.references)

    def test_one_that_is_malformed_is_an_error_with_its_line(self):
        text = MATRIX.replace('minimum: 2.03', 'minimum: newest')
        found, result = self.storage('2025.1', text)
        self.assertEqual(
            (
                model.Outcome.ERROR,
                f'support_matrix: {self.matrix}:11: '
                "rows[0].storage[0].minimum: 'newest' is not a version",
            ),
            (result.outcome, result.reason),
        )
        self.assertEqual(
            [(DOC + 'lvm-driver.rst',)], [f.references for f in found]
        )

    def test_a_driver_that_is_installed_into_manila(self):
        driver = DRIVERS + 'acme.driver.AcmeDriver'
        text = MATRIX.replace(DRIVERS + 'lvm.LVMShareDriver', driver)
        path = self.write('matrix.yaml', text)
        for target, severity in (('2024.2', FAILURE), ('2025.1', INFO)):
            result = self.run_check(
                back_end(driver), target=target, own={'support_matrix': path}
            )
            self.assertEqual(
                [severity],
                [f.severity for f in result.findings if f.aspect == 'driver'],
            )

    @ddt.data(('True', '7.4'), ('on', '7.4'), ('off', '7.2'), (None, '7.2'))
    @ddt.unpack
    def test_an_option_of_a_third_party(self, value, wanted):
        matrix = self.write(
            'matrix.yaml',
            """\
            format: 2
            rows:
            - driver: acme.Driver
              releases: 2025.1
              sources: [x]
              storage:
              - {system: A, minimum: 7.2}
              - {system: A, minimum: 7.4, feature: b, option: acme_b}
            """,
        )
        inventory = self.write(
            'inventory.yaml', 'backends: {a: {system: A, version: 7.1}}\n'
        )
        lines = [] if value is None else [f'acme_b = {value}']
        for version, expected in (('7.1', '7.2'), ('7.3', '7.4')):
            self.write(
                'inventory.yaml',
                f'backends: {{a: {{system: A, version: {version}}}}}\n',
            )
            result = self.run_check(
                back_end('acme.Driver', *lines),
                own={
                    'support_matrix': matrix,
                    'storage_inventory': inventory,
                },
            )
            found = [
                f.data['documented']
                for f in result.findings
                if f.aspect == 'storage-a'
            ]
            below = version == '7.1' or wanted == '7.4'
            self.assertEqual([expected] if below else [], found)
