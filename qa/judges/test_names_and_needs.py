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

"""Compare config-options' findings on names and needs with real releases.

Needs MANILA_PRECHECK_VENVS: see :mod:`manila_precheck.tests.venvs`.
"""

import json
import os
import pathlib
import subprocess
import unittest

import ddt
import testtools

from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.tests import venvs
from qa import hops

_SCRIPT = pathlib.Path(__file__).parent / 'ask_release.py'
_DRIVERS = 'manila.share.drivers.'
_EMC = _DRIVERS + 'dell_emc.driver.EMCShareDriver'


def _set(section, name, *values):
    return [f'[{section}]\n{name} = {value}\n' for value in values]


# The part that is started -> the configurations to start it with.
_NAMES = {
    'transport': [
        *_set(
            'DEFAULT',
            'transport_url',
            'rabbit://a',
            'RABBIT://a',
            'kombu://a',
            'rabbit+x://a',
            'zmq://a',
            'plain',
            '',
        ),
        *_set('oslo_messaging_notifications', 'transport_url', 'qpid://a'),
    ],
    'notifier': _set(
        'oslo_messaging_notifications',
        'driver',
        'log',
        'messagingv2\ndriver = noop',
        'noop\ndriver = manila.openstack.common.notifier.rpc_notifier',
    ),
    'coordinator': _set(
        'coordination',
        'backend_url',
        'file://$state_path',
        'FILE://$state_path',
        'etcd3://a',
        'nosuch://a',
        'mysql+pymysql://a',
        'plain',
        '',
    ),
    'scheduler': [
        *_set(
            'DEFAULT',
            'scheduler_driver',
            'manila.scheduler.drivers.filter.FilterScheduler',
            'manila.scheduler.filter_scheduler.FilterScheduler',
            'manila.scheduler.gone.FilterScheduler',
        ),
    ],
    'filters': [
        *_set(
            'DEFAULT',
            'scheduler_default_filters',
            'CapacityFilter,OnlyHostFilter',
            'capacityfilter',
            'manila.scheduler.filters.capacity.CapacityFilter',
        ),
        *_set(
            'DEFAULT',
            'scheduler_default_weighers',
            'PoolWeigher,NetAppAIQWeigher',
            'poolweigher',
        ),
        *_set(
            'DEFAULT', 'scheduler_default_share_group_filters', 'jsonfilter'
        ),
        *_set('DEFAULT', 'scheduler_default_extend_filters', 'jsonfilter'),
    ],
    'data': _set(
        'DEFAULT',
        'backup_driver',
        'manila.data.drivers.nfs.NFSBackupDriver',
        'manila.data.drivers.gone.NFSBackupDriver',
    ),
    'quota': _set('quota', 'driver', 'manila.quota.DbQuotaDriver'),
    'database': _set(
        'database',
        'connection',
        'mysql+pymysql://a/b',
        'mysql://a/b',
        'mariadb+pymysql://a/b',
        'postgresql+psycopg2://a/b',
        'postgres://a/b',
        'postgresql+nosuch://a/b',
        'MySQL://a/b',
    ),
}

# (lines of a section, required lines). Each required line has the stage at
# which the driver fails without it.
_BACK_ENDS = {
    'generic': (
        {'share_driver': _DRIVERS + 'generic.GenericShareDriver'},
        {'service_instance_user': ('a', 'init')},
    ),
    'hnas': (
        {
            'share_driver': _DRIVERS + 'hitachi.hnas.driver.HitachiHNASDriver',
            'hitachi_hnas_ssh_private_key': '/nonexistent',
        },
        {
            'hitachi_hnas_evs_id': ('1', 'init'),
            'hitachi_hnas_evs_ip': ('192.0.2.1', 'init'),
            'hitachi_hnas_ip': ('192.0.2.1', 'init'),
            'hitachi_hnas_user': ('a', 'init'),
        },
    ),
    'zfs': (
        {
            'share_driver': _DRIVERS + 'zfsonlinux.driver.'
            'ZFSonLinuxShareDriver',
            'zfs_share_export_ip': '192.0.2.1',
            'zfs_service_ip': '192.0.2.1',
        },
        {
            'zfs_zpool_list': ('a', 'init'),
            'zfs_dataset_creation_options': ('a=b', 'init'),
        },
    ),
    'quobyte': (
        {'share_driver': _DRIVERS + 'quobyte.quobyte.QuobyteShareDriver'},
        {'quobyte_api_url': ('https://192.0.2.1', 'setup')},
    ),
    'vnx': (
        {
            'share_driver': _EMC,
            'emc_share_backend': 'vnx',
            'driver_handles_share_servers': 'True',
        },
        {
            'emc_nas_server': ('192.0.2.1', 'setup'),
            'emc_nas_login': ('a', 'setup'),
            'emc_nas_password': ('a', 'setup'),
        },
    ),
    'windows': (
        {
            'share_driver': _DRIVERS
            + 'windows.windows_smb_driver.WindowsSMBDriver',
        },
        {
            'service_instance_user': ('a', 'init'),
            'service_instance_password': ('Passw0rd', 'init'),
        },
    ),
    'windows with a certificate': (
        {
            'share_driver': _DRIVERS
            + 'windows.windows_smb_driver.WindowsSMBDriver',
            'winrm_use_cert_based_auth': 'True',
            'winrm_cert_pem_path': os.devnull,
            'winrm_cert_key_pem_path': os.devnull,
        },
        {'service_instance_user': ('a', 'init')},
    ),
    'hsp': (
        {
            'share_driver': _DRIVERS + 'hitachi.hsp.driver.HitachiHSPDriver',
            'hitachi_hsp_host': '192.0.2.1',
            'hitachi_hsp_username': 'a',
            'hitachi_hsp_password': 'a',
        },
        {},
    ),
}

_BINDS = (
    'manila.network.neutron.neutron_network_plugin.NeutronBindNetworkPlugin'
)
_ZFS = {
    'share_driver': _DRIVERS + 'zfsonlinux.driver.ZFSonLinuxShareDriver',
    'zfs_share_export_ip': '192.0.2.1',
    'zfs_service_ip': '192.0.2.1',
    'zfs_zpool_list': 'a',
    'zfs_dataset_creation_options': 'a=b',
}

# A section, one of its options, and values that its driver accepts or rejects.
# Some cannot be tried: NetAppDriver runs a command before it reads the value,
# ZFSonLinuxShareDriver does so before its addresses, and WindowsSMBDriver with
# a good password waits for its server.
_VALUES = (
    (
        {'share_driver': _DRIVERS + 'cephfs.driver.CephFSDriver'},
        'cephfs_volume_mode',
        'init',
        ('755', '0o755', '7_5', '-7', '999', 'rwx', ''),
    ),
    (
        {
            'share_driver': _DRIVERS + 'glusterfs.GlusterfsShareDriver',
            'glusterfs_target': '192.0.2.1:/volume',
        },
        'glusterfs_nfs_server_type',
        'init',
        ('Gluster', 'Ganesha', 'gluster', 'Kernel', ''),
    ),
    (
        {
            'share_driver': _DRIVERS
            + 'windows.windows_smb_driver.WindowsSMBDriver',
            'service_instance_user': 'a',
        },
        'service_instance_password',
        'init',
        ('Pas0r', 'password1', 'PASSWORD1', 'Password'),
    ),
    (
        {'share_driver': _DRIVERS + 'glusterfs.GlusterfsShareDriver'},
        'glusterfs_target',
        'setup',
        ('a:/b', 'root@a:/b/c', 'a', 'a:b', 'gluster://a/b'),
    ),
    (
        _ZFS,
        'zfs_zpool_list',
        'init',
        ('a', 'a/b,b/b', 'a/b,a/c'),
    ),
    (
        {
            'share_driver': _DRIVERS + 'container.driver.ContainerShareDriver',
            'driver_handles_share_servers': 'True',
        },
        'network_api_class',
        'setup',
        tuple(
            f'manila.network.{name}NetworkPlugin'
            for name in (
                'neutron.neutron_network_plugin.Neutron',
                'standalone_network_plugin.Standalone',
            )
        ),
    ),
    (
        {
            'share_driver': _DRIVERS + 'container.driver.ContainerShareDriver',
            'driver_handles_share_servers': 'True',
            'network_api_class': _BINDS,
            'neutron_host_id': 'a',
            'neutron_net_id': 'a',
            'neutron_subnet_id': 'a',
        },
        'network_config_group',
        'setup',
        ('backend', 'other'),
    ),
)

# The services that GenericShareDriver uses, with share servers and without.
_ASKED = {
    True: ('cinder', 'glance', 'neutron', 'nova'),
    False: ('nova', 'cinder'),
}
_LOGIN = (
    '[{}]\nauth_type = password\nauth_url = http://192.0.2.1:5000\n'
    'username = a\npassword = a\nuser_domain_name = a\nproject_name = a\n'
    'project_domain_name = a\n'
)

# What a release cannot be asked: (release, question, end of the line).
_UNASKED = (
    # tooz has the plugin, but no constraints list the library that it needs.
    ('wallaby', 'coordinator', 'etcd3://a\n'),
    ('2023.1', 'coordinator', 'etcd3://a\n'),
    # Its oslo.db does not know the function yet with which we ask.
    ('wallaby', 'database', ''),
    # The driver turns any error of its first call into its own.
    ('wallaby', 'quobyte', ''),
    ('2023.1', 'quobyte', ''),
)


def _is_unasked(release, what, line):
    return any(
        (one, about) == (release, what) and line.endswith(end)
        for one, about, end in _UNASKED
    )


def _back_end(fixed, wanted, without=None):
    lines = {'driver_handles_share_servers': 'False', **fixed}
    lines.update(
        {name: pair[0] for name, pair in wanted.items() if name != without}
    )
    return '[backend]\n' + ''.join(
        f'{name} = {value}\n' for name, value in lines.items()
    )


@unittest.skipUnless(venvs.DIRECTORY, venvs.NOT_SET)
@ddt.ddt
class RealReleaseTest(testtools.TestCase):
    def ask(self, release, questions):
        major = releases.parse(release).major
        python = os.path.join(venvs.DIRECTORY, f'm{major}', 'bin', 'python')
        if not os.path.exists(python):
            self.skipTest(f'no virtual environment of {release}')
        done = subprocess.run(
            [python, str(_SCRIPT)],
            input=json.dumps(questions),
            capture_output=True,
            text=True,
            check=False,
            cwd='/',
        )
        self.assertEqual(0, done.returncode, done.stderr[-2000:])
        return json.loads(done.stdout)

    def findings(self, release, conf, verdicts):
        site = self.useFixture(
            testing.Site(conf, source=release, target=release)
        )
        result = site.run('config-options')
        return [
            finding
            for finding in result.findings
            if finding.data['verdict'] in verdicts
            and finding.aspect != 'login'
        ]

    @ddt.data('wallaby', *hops.RELEASES)
    def test_names(self, release):
        questions = [
            [what, conf] for what, confs in _NAMES.items() for conf in confs
        ]
        answers = self.ask(release, questions)
        wrong = []
        for (what, conf), answer in zip(questions, answers):
            if _is_unasked(release, what, conf):
                continue
            dangling = self.findings(release, conf, ('dangling',))
            if bool(dangling) != bool(answer) and not self._unread(
                release, conf
            ):
                wrong.append((what, conf, answer))
        self.assertEqual([], wrong)

    def _unread(self, release, conf):
        """Say whether the release has no such option."""
        return self.findings(release, conf, ('unknown',))

    @ddt.data('wallaby', *hops.RELEASES)
    def test_needs(self, release):
        cases = []
        for name, (fixed, wanted) in _BACK_ENDS.items():
            if _is_unasked(release, name, ''):
                continue
            cases.append((name, '', '', _back_end(fixed, wanted)))
            for option, (_, stage) in wanted.items():
                conf = _back_end(fixed, wanted, option)
                cases.append((name, option, stage, conf))
        answers = self.ask(release, [['back end', conf] for *_, conf in cases])
        wrong = []
        for (name, option, stage, conf), answer in zip(cases, answers):
            found = self.findings(
                release,
                '[DEFAULT]\nenabled_share_backends = backend\n' + conf,
                ('missing',),
            )
            said = [(f.severity, f.subject.name, f.data['at']) for f in found]
            expected = (
                [(model.Severity.FAILURE, f'backend/{option}', stage)]
                if option
                else []
            )
            if said != expected or answer.partition(':')[0] != stage:
                wrong.append((name, option, said, answer))
        self.assertEqual([], wrong)

    @ddt.data('wallaby', *hops.RELEASES)
    def test_values(self, release):
        cases = [
            (name, value, stage, _back_end({**fixed, name: value}, {}))
            for fixed, name, stage, values in _VALUES
            for value in values
        ]
        answers = self.ask(release, [['back end', conf] for *_, conf in cases])
        wrong = []
        for (name, value, stage, conf), answer in zip(cases, answers):
            found = self.findings(
                release,
                '[DEFAULT]\nenabled_share_backends = backend\n' + conf,
                ('invalid', 'missing'),
            )
            if bool(found) != answer.startswith(stage):
                wrong.append((name, value, answer))
        self.assertEqual([], wrong)

    @ddt.data(hops.RELEASES[0], hops.RELEASES[-1])
    def test_logins(self, release):
        """A service cannot log in without its section, and can with it."""
        questions = [
            [name, _LOGIN.format(name) * there]
            for name in _ASKED[True]
            for there in (False, True)
        ]
        answers = self.ask(release, questions)
        # In 2023.1 keystoneauth turns the refused connection into an error of
        # its own.
        self.assertEqual(
            [True, False] * len(_ASKED[True]),
            [one not in ('', 'DiscoveryFailure') for one in answers],
            answers,
        )
        for servers, names in _ASKED.items():
            for lacking in names:
                conf = _back_end(
                    {
                        'share_driver': _DRIVERS
                        + 'generic.GenericShareDriver',
                        'driver_handles_share_servers': str(servers),
                        'service_instance_user': 'a',
                    },
                    {},
                ) + ''.join(
                    _LOGIN.format(name) for name in names if name != lacking
                )
                site = self.useFixture(
                    testing.Site(
                        '[DEFAULT]\nenabled_share_backends = backend\n' + conf,
                        source=release,
                        target=release,
                    )
                )
                self.assertEqual(
                    [(model.Severity.FAILURE, f'{lacking}/auth_type')],
                    [
                        (one.severity, one.subject.name)
                        for one in site.run('config-options').findings
                        if one.aspect == 'login'
                    ],
                )
