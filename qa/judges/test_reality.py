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

"""Compare the catalog with the releases themselves.

MANILA_PRECHECK_VENVS names a directory with one virtual environment per
release, m18, m20, ..., each with that manila, PyMySQL and psycopg2; a
release without one is skipped.
"""

import functools
import json
import pathlib
import subprocess
import sys
from typing import Optional

import ddt
import fixtures
import testtools

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import builds
from manila_precheck.catalog import drivers
from manila_precheck.tests import venvs

FACTS = catalog.Catalog()
PROBE = pathlib.Path(__file__).with_name('probe.py')
MAJORS = [release.major for release in FACTS.releases]
EMC = 'manila.share.drivers.dell_emc.driver.EMCShareDriver'
DUMMY = 'manila.tests.share.drivers.dummy.DummyDriver'

# Options that drivers require to be built; each driver reads some of them.
VALUES = {
    'netapp_storage_family': 'ontap_cluster',
    'service_instance_user': 'u',
    'service_instance_password': 'Passw0rd!Passw0rd!',
    'service_instance_name_or_id': 'i',
    'service_net_name_or_ip': '192.0.2.4',
    'tenant_net_name_or_ip': '192.0.2.4',
    'path_to_private_key': '/key',
    'network_api_class': (
        'manila.network.standalone_network_plugin.StandaloneNetworkPlugin'
    ),
    'standalone_network_plugin_gateway': '192.0.2.1',
    'standalone_network_plugin_mask': '24',
    'standalone_network_plugin_network_type': 'flat',
    'lvm_share_export_ips': '127.0.0.1',
    'zfs_share_export_ip': '127.0.0.1',
    'zfs_service_ip': '127.0.0.1',
    'zfs_zpool_list': 'a',
    'glusterfs_servers': 'a',
    'glusterfs_target': 'h:/v',
    'glusterfs_volume_pattern': 'v#{size}',
    'hitachi_hnas_ip': '192.0.2.1',
    'hitachi_hnas_user': 'u',
    'hitachi_hnas_password': 'p',
    'hitachi_hnas_evs_id': '1',
    'hitachi_hnas_evs_ip': '192.0.2.1',
    'hitachi_hnas_file_system_name': 'f',
    'hitachi_hsp_host': 'h',
    'hitachi_hsp_username': 'u',
    'hitachi_hsp_password': 'p',
    'emc_nas_server': '192.0.2.1',
    'emc_nas_login': 'a',
    'emc_nas_password': 'b',
    'infortrend_nas_ip': '192.0.2.1',
    'infortrend_nas_password': 'p',
    'infortrend_share_pools': 'a',
    'infortrend_share_channels': '1',
    'as13000_nas_ip': '192.0.2.1',
    'as13000_nas_login': 'u',
    'as13000_nas_password': 'p',
    'as13000_share_pools': 'a',
    'instorage_nas_ip': '192.0.2.1',
    'instorage_nas_login': 'l',
    'instorage_nas_password': 'p',
    'instorage_nas_pools': 'x',
    'macrosan_nas_ip': '192.0.2.1',
    'macrosan_nas_password': 'p',
    'macrosan_share_pools': 'x',
    'qnap_management_url': 'http://192.0.2.1:8080',
    'qnap_share_ip': '192.0.2.1',
    'qnap_nas_login': 'u',
    'qnap_nas_password': 'p',
    'qnap_poolname': 'p',
    'tegile_nas_server': 'a',
    'tegile_nas_login': 'u',
    'tegile_nas_password': 'p',
    'hdfs_namenode_ip': '192.0.2.1',
    'maprfs_clinode_ip': '192.0.2.1',
    'nexenta_rest_addresses': '192.0.2.1',
    'nexenta_nas_host': '192.0.2.1',
    'nexenta_user': 'u',
    'nexenta_password': 'p',
    'vast_mgmt_host': 'h',
    'vast_vippool_name': 'v',
    'vast_root_export': '/x',
    'zfssa_host': 'h',
    'zfssa_auth_user': 'u',
    'zfssa_auth_password': 'p',
    'hpealletra_wsapi_url': 'http://x',
    'hpealletra_username': 'u',
    'hpealletra_password': 'p',
    'unity_server_meta_pool': 'x',
    'vnx_server_container': 'x',
    'powermax_server_container': 'x',
}
# Options that are registered only after a driver is built: by the share
# manager for each of hook_drivers, by NetApp's driver when it first backs up a
# share, or by only one of the layouts of GlusterFS.
LATER = {
    'enable_periodic_hooks',
    'enable_post_hooks',
    'enable_pre_hooks',
    'periodic_hooks_interval',
    'suppress_post_hooks_errors',
    'suppress_pre_hooks_errors',
    'glusterfs_servers',
    'glusterfs_volume_pattern',
    'glusterfs_mount_point_base',
    'glusterfs_target',
    'netapp_backup_backend_section_name',
    'netapp_backup_share',
    'netapp_backup_volume',
    'netapp_backup_vserver',
    'netapp_enabled_backup_types',
    'netapp_snapmirror_job_timeout',
}


def environment(major):
    """Return the Python of a release; skip the test when there is none."""
    if not venvs.DIRECTORY:
        raise testtools.TestCase.skipException(venvs.NOT_SET)
    python = pathlib.Path(venvs.DIRECTORY, f'm{major}', 'bin/python')
    if not python.exists():
        raise testtools.TestCase.skipException(
            f'{venvs.VARIABLE} names no environment of manila {major}'
        )
    return str(python)


def ask(major, question):
    """Ask a release; skip the test when it has no environment."""
    done = subprocess.run(
        [environment(major), str(PROBE)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd='/',
    )
    if done.returncode:
        raise AssertionError(done.stderr[-4000:])
    return json.loads(done.stdout)


@functools.cache
def groups(major):
    """Return the options that a release's services register (cached)."""
    return ask(major, {'ask': 'groups'})


@ddt.ddt
class TestReality(testtools.TestCase):
    maxDiff = None

    @ddt.data(*MAJORS)
    def test_what_services_register_is_in_the_catalog(self, major):
        found = FACTS.options(releases.from_major(major))
        wrong: list[tuple] = []
        for section, rows in groups(major).items():
            for name, real in rows.items():
                match = found.find(section, name)
                if match is None or match.old:
                    wrong.append((section, name, 'unknown'))
                    continue
                item = match.option
                facts = {
                    'default': item.default,
                    'choices': list(item.type.choices or ()),
                    'multi': item.multi,
                    'secret': item.secret,
                }
                if item.host_default:
                    facts['default'] = real['default']
                if item.type.kind != 'port':
                    facts['min'] = item.type.min
                    facts['max'] = item.type.max
                if item.type.kind == 'opaque':
                    continue
                for key, value in facts.items():
                    expected = real[key]
                    if key == 'choices':
                        expected = sorted(expected, key=str)
                        value = sorted(value, key=str)
                    if value != expected:
                        wrong.append((section, name, key, value, expected))
                olds = sorted(
                    [old.group or '', old.name]
                    for old in item.deprecated_names
                )
                expected = sorted(
                    {(group or '', old or name) for group, old in real['old']}
                )
                if olds != [list(pair) for pair in expected]:
                    wrong.append((section, name, olds, expected))
        self.assertEqual([], wrong)

    @ddt.data(*MAJORS)
    def test_what_the_catalog_has_is_registered_or_listed(self, major):
        real = {
            (section.lower(), name)
            for section, rows in groups(major).items()
            for name in rows
        }
        real |= {
            (section.lower(), name)
            for section, name in ask(major, {'ask': 'listed'})
        }
        wrong = [
            (group, item.name)
            for item in FACTS.options(releases.from_major(major))
            if not item.drivers and not item.plugins
            for group in item.groups
            if (group.lower(), item.name) not in real
        ]
        self.assertEqual([], wrong)

    @ddt.data(*MAJORS)
    def test_what_a_driver_registers(self, major):
        release = releases.from_major(major)
        found = FACTS.options(release)
        asked: dict[str, tuple[str, Optional[str], bool]] = {}
        for share in FACTS.drivers(release).values():
            if share.internal or share.name in (EMC, DUMMY):
                continue
            for mode in share.modes or (True, False):
                asked[f's{len(asked)}'] = (share.name, None, mode)
        for emc in FACTS.plugins(release, drivers.EMC_PLUGIN).values():
            for mode in emc.modes or (True, False):
                asked[f's{len(asked)}'] = (EMC, emc.name, mode)
        sections = {}
        for section, (path, plugin, mode) in asked.items():
            sections[section] = dict(
                VALUES, share_driver=path, driver_handles_share_servers=mode
            )
            if plugin:
                sections[section]['emc_share_backend'] = plugin
        answers = ask(major, {'ask': 'drivers', 'sections': sections})
        wrong: list[tuple] = []
        registered = {}
        whole: dict = {}
        for section, answer in answers.items():
            path, plugin, _mode = asked[section]
            names = registered.setdefault((path, plugin), set())
            names.update(answer['backend'])
            whole.setdefault((path, plugin), []).append(not answer['error'])
            for name in answer['backend']:
                match = found.backend(name, path, plugin)
                if match is None or match.old:
                    wrong.append((path, name, 'unknown'))
                elif match.option.kinds != {'network'} and (
                    not match.option.serves(path, plugin)
                ):
                    wrong.append((path, plugin, name, 'of another driver'))
            for name in answer['default']:
                match = found.find('DEFAULT', name)
                if match is None or match.old:
                    wrong.append((path, name, 'unknown in DEFAULT'))
        for (path, plugin), names in registered.items():
            if not all(whole[path, plugin]):
                continue
            for item in found:
                if (
                    'backend' in item.kinds
                    and item.serves(path, plugin)
                    and item.name not in names
                    and item.name not in LATER
                ):
                    wrong.append((path, plugin, item.name, 'not registered'))
        self.assertEqual([], wrong)
        self.assertGreater(sum(map(all, whole.values())), len(whole) * 0.7)

    @ddt.data(*MAJORS)
    def test_policies(self, major):
        policies = FACTS.policies(releases.from_major(major))
        self.assertEqual(
            ask(major, {'ask': 'policies'}),
            {name: policy.check for name, policy in policies.items()},
        )

    @ddt.data(16, 20, 22)
    def test_the_file_of_a_build(self, major):
        """The facts that ``catalog build`` reads are those in the catalog."""
        python = environment(major)
        path = f'{self.useFixture(fixtures.TempDir()).path}/build.json'
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                'import sys; from manila_precheck.cmd import precheck; '
                'sys.exit(precheck.main())',
                'catalog',
                'build',
                '--python',
                python,
                '--output',
                path,
            ],
            capture_output=True,
            text=True,
            timeout=600,
        )
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        with open(path) as stream:
            build = builds.parse(stream.read(), path)
        release, made = releases.from_major(major), catalog.Catalog(build)
        self.assertEqual(release, build.release)
        self.assertEqual(
            sorted(FACTS.options(release), key=repr),
            sorted(made.options(release), key=repr),
        )
        self.assertEqual(FACTS.policies(release), made.policies(release))
        self.assertEqual(FACTS.drivers(release), made.drivers(release))
        self.assertEqual(FACTS.paste(release), made.paste(release))
        self.assertEqual(FACTS.chain(release), made.chain(release))
        self.assertEqual(
            FACTS.requirements(release), made.requirements(release)
        )
