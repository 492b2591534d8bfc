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

"""Each advisory fires where it should, and nowhere else."""

import os
from typing import NamedTuple

import ddt
import testtools

from manila_precheck import model
from manila_precheck import releases
from manila_precheck import testing
from manila_precheck.catalog import advisories
from manila_precheck.tests import databases

CHECK = 'upgrade-advisories'
API = '[keystone_authtoken]\nauth_type = password\n'
DRIVERS = 'manila.share.drivers.'
LVM = f'share_driver = {DRIVERS}lvm.LVMShareDriver\n'
CEPHFS = f'share_driver = {DRIVERS}cephfs.driver.CephFSDriver\n'
CLUSTER = (
    CEPHFS
    + 'cephfs_protocol_helper_type = NFS\ncephfs_nfs_cluster_id = ceph\n'
)
CONTAINER = f'share_driver = {DRIVERS}container.driver.ContainerShareDriver\n'
EMC = f'share_driver = {DRIVERS}dell_emc.driver.EMCShareDriver\n'
FLASHBLADE = (
    f'share_driver = {DRIVERS}purestorage.flashblade.FlashBladeShareDriver\n'
)
GENERIC = f'share_driver = {DRIVERS}generic.GenericShareDriver\n'
GLUSTER = f'share_driver = {DRIVERS}glusterfs.GlusterfsShareDriver\n'
GLUSTER_NATIVE = (
    f'share_driver = {DRIVERS}glusterfs.glusterfs_native.'
    'GlusterfsNativeShareDriver\n'
)
HSP = f'share_driver = {DRIVERS}hitachi.hsp.driver.HitachiHSPDriver\n'
INFINIDAT = (
    f'share_driver = {DRIVERS}infinidat.infinibox.InfiniboxShareDriver\n'
)
NETAPP = f'share_driver = {DRIVERS}netapp.common.NetAppDriver\n'
THIRD = 'share_driver = acme.manila.AcmeDriver\n'
WINDOWS = (
    f'share_driver = {DRIVERS}windows.windows_smb_driver.WindowsSMBDriver\n'
)
BACKUP = 'netapp_enabled_backup_types = type\n'
POWERSCALE = EMC + 'emc_share_backend = powerscale\n'
RESERVED = 'reserved_share_percentage = 10\n'
TENANT = 'connect_share_server_to_tenant_network = True\n'
TRANSPORT = 'netapp_transport_type = https\n'
MANY = 'driver_handles_share_servers = True\n'
HOST = '[DEFAULT]\nhost = ctl1\n'
POLICY = '[oslo_policy]\n'
NOTIFY = '[oslo_messaging_notifications]\n'
RABBIT = '[oslo_messaging_rabbit]\n'
FILTERS = '[DEFAULT]\nscheduler_default_filters = '


class Case(NamedTuple):
    """One advisory: what makes it fire, and what does not."""

    fires: tuple
    silent: tuple


# Of those about back ends, the lines of a section.
SECTIONS = {
    'cephfs-ensure-shares': Case(
        (CEPHFS,), (CEPHFS + 'cephfs_ensure_all_shares_salt = x', NETAPP)
    ),
    'cephfs-ensure-shares-again': Case(
        (CEPHFS,), (CEPHFS + 'cephfs_ensure_all_shares_salt = x', LVM)
    ),
    'cephfs-ganesha-export-ips': Case(
        (
            CLUSTER + 'cephfs_ganesha_export_ips = 192.0.2.1',
            CLUSTER
            + 'cephfs_ganesha_export_ips = 192.0.2.1\n'
            + 'cephfs_ganesha_server_ip = 192.0.2.2',
        ),
        (
            CLUSTER,
            CLUSTER + 'cephfs_ganesha_server_ip = 192.0.2.1',
            CEPHFS
            + 'cephfs_protocol_helper_type = NFS\n'
            + 'cephfs_ganesha_export_ips = 192.0.2.1',
            CEPHFS
            + 'cephfs_nfs_cluster_id = ceph\n'
            + 'cephfs_ganesha_export_ips = 192.0.2.1',
        ),
    ),
    'cephfs-ganesha-server-ip': Case(
        (CLUSTER + 'cephfs_ganesha_server_ip = 192.0.2.1',),
        (
            CLUSTER,
            CLUSTER
            + 'cephfs_ganesha_export_ips = 192.0.2.1\n'
            + 'cephfs_ganesha_server_ip = 192.0.2.2',
            CEPHFS
            + 'cephfs_protocol_helper_type = NFS\n'
            + 'cephfs_ganesha_server_ip = 192.0.2.1',
        ),
    ),
    'cephfs-group-snapshots': Case((CEPHFS,), (NETAPP, LVM)),
    'cephfs-mon-capabilities': Case((CEPHFS,), (NETAPP, LVM)),
    'cephfs-mount-options': Case(
        (CEPHFS, CEPHFS + 'cephfs_protocol_helper_type = CEPHFS'),
        (CEPHFS + 'cephfs_protocol_helper_type = NFS', LVM),
    ),
    'cephfs-nfs-helper-deprecated': Case(
        (
            CEPHFS + 'cephfs_protocol_helper_type = NFS',
            CEPHFS + 'cephfs_protocol_helper_type = nfs',
        ),
        (
            CEPHFS,
            CEPHFS + 'cephfs_protocol_helper_type = CEPHFS',
            CEPHFS
            + 'cephfs_protocol_helper_type = NFS\n'
            + 'cephfs_nfs_cluster_id = ceph',
            LVM + 'cephfs_protocol_helper_type = NFS',
        ),
    ),
    'cephfs-volume-mode': Case(
        (CEPHFS + 'cephfs_volume_mode = 775',),
        (CEPHFS, LVM + 'cephfs_volume_mode = 775'),
    ),
    'container-bridge-ignored': Case(
        (CONTAINER + 'container_linux_bridge_name = br0',),
        (CONTAINER, LVM + 'container_linux_bridge_name = br0'),
    ),
    'flashblade-certificate': Case(
        (FLASHBLADE,),
        (
            LVM,
            FLASHBLADE + 'flashblade_ssl_cert_verify = False',
            FLASHBLADE + 'flashblade_ca_cert_path = /etc/ca.pem',
        ),
    ),
    'generic-reserved-blocks': Case(
        (GENERIC, GENERIC + 'share_volume_fstype = ext3'),
        (GENERIC + 'set_zero_reserved_blocks = True', LVM),
    ),
    'glusterfs-privsep': Case((GLUSTER, GLUSTER_NATIVE), (LVM, CEPHFS)),
    'hitachi-hsp-certificate': Case(
        (HSP,),
        (
            LVM,
            HSP + 'hitachi_hsp_ssl_cert_verify = True',
            HSP + 'hitachi_hsp_ssl_cert_path = /etc/ca.pem',
        ),
    ),
    'infinidat-snapshot-directory': Case(
        (INFINIDAT,),
        (INFINIDAT + 'infinidat_snapdir_visible = False', LVM),
    ),
    'lvm-privsep': Case((LVM,), (GLUSTER, CEPHFS)),
    'netapp-backup-share': Case(
        (
            NETAPP + BACKUP + '[type]\nnetapp_backup_share = a',
            NETAPP + BACKUP + '[Type]\nnetapp_backup_share =',
        ),
        (
            NETAPP,
            NETAPP + BACKUP + '[type]\nnetapp_backup_volume = a',
            # Nothing names this section.
            NETAPP + '[type]\nnetapp_backup_share = a',
            LVM + BACKUP + '[type]\nnetapp_backup_share = a',
        ),
    ),
    'netapp-ensure-shares-dns': Case(
        (NETAPP + MANY, NETAPP + 'driver_handles_share_servers = yes'),
        (
            NETAPP,
            NETAPP + 'driver_handles_share_servers = False',
            NETAPP + 'driver_handles_share_servers = maybe',
            GENERIC + MANY,
        ),
    ),
    'netapp-retention-zero': Case(
        (NETAPP + MANY + 'netapp_delete_retention_hours = 0',),
        (
            NETAPP + 'netapp_delete_retention_hours = 0',
            NETAPP + MANY,
            NETAPP + MANY + 'netapp_delete_retention_hours = 10',
            LVM + MANY + 'netapp_delete_retention_hours = 0',
        ),
    ),
    'netapp-server-port': Case(
        (NETAPP + 'netapp_server_port = 8443',),
        (NETAPP, LVM + 'netapp_server_port = 8443'),
    ),
    'netapp-snapmirror-schedule': Case((NETAPP,), (LVM, GENERIC)),
    'netapp-transport-https': Case(
        (NETAPP, NETAPP + MANY),
        (
            LVM,
            NETAPP + 'netapp_transport_type = http',
            NETAPP + 'netapp_transport_type = https',
            NETAPP + 'netapp_private_key_file = /etc/key.pem',
        ),
    ),
    'powerscale-certificate': Case(
        (
            POWERSCALE,
            EMC + 'emc_share_backend = isilon',
            POWERSCALE + 'emc_ssl_cert_verify = True',
        ),
        (
            POWERSCALE + 'emc_ssl_cert_verify = False',
            POWERSCALE + 'emc_ssl_cert_path = /etc/ca.pem',
            EMC + 'emc_share_backend = unity',
        ),
    ),
    'powerscale-reserved-percentage': Case(
        (POWERSCALE + RESERVED, EMC + RESERVED + 'emc_share_backend = isilon'),
        (POWERSCALE, EMC + RESERVED + 'emc_share_backend = unity'),
    ),
    'service-instance-name-template': Case(
        (GENERIC + 'service_instance_name_template = vm_%s',),
        (GENERIC, LVM + 'service_instance_name_template = vm_%s'),
    ),
    'service-instance-port-host': Case(
        (GENERIC + MANY + HOST, WINDOWS + MANY + HOST),
        (GENERIC + HOST, GENERIC + MANY, LVM + MANY + HOST),
    ),
    'service-subnet-gateway': Case(
        (GENERIC + MANY + TENANT, WINDOWS + MANY + TENANT),
        (GENERIC + MANY, GENERIC + TENANT, LVM + MANY + TENANT),
    ),
    'shares-ensuring-at-start': Case(
        (LVM, GENERIC, THIRD, EMC + 'emc_share_backend = unity'),
        (CEPHFS, NETAPP),
    ),
}

# Of the others, the whole file.
FILES = {
    'admin-only-metadata-managed-at': Case(
        ('[DEFAULT]\nadmin_only_metadata = __affinity_same_host\n',),
        (
            '',
            '[DEFAULT]\nadmin_only_metadata = a, __managed_at\n',
            '[other]\nadmin_only_metadata = a\n',
        ),
    ),
    'api-built-in-server-deprecated': Case(
        (API, '[DEFAULT]\nosapi_share_workers = 2\n'), ('', POLICY)
    ),
    'api-built-in-server-removed': Case(
        (API, '[DEFAULT]\nosapi_share_listen = 192.0.2.1\n'), ('', POLICY)
    ),
    'api-v1-removed': Case(
        (API, '[DEFAULT]\napi_paste_config = api-paste.ini\n'), ('', POLICY)
    ),
    'backup-share-protocols': Case(
        (API,),
        (
            '',
            POLICY,
            '[DEFAULT]\n'
            'data_manager_backup_supported_share_protocols = NFS\n' + API,
        ),
    ),
    'cors-defaults': Case(
        (API + '[cors]\nallowed_origin = https://horizon.example\n',),
        ('', API, '[cors]\nallowed_origin = https://horizon.example\n'),
    ),
    'isilon-share-types': Case(('', API), ()),
    'netapp-minimum-throughput': Case(('', API), ()),
    'neutron-url-used': Case(
        ('[neutron]\nurl = http://neutron:9696\n',),
        ('', '[neutron]\nauth_url = http://keystone:5000\n'),
    ),
    'notification-driver-aliases': Case(
        (
            NOTIFY + 'driver = manila.openstack.common.notifier.rpc_notifier',
            NOTIFY
            + 'driver = log\n'
            + 'driver = manila.openstack.common.notifier.log_notifier\n',
            '[DEFAULT]\nnotification_driver = '
            'manila.openstack.common.notifier.rpc_notifier2\n',
        ),
        ('', NOTIFY + 'driver = messagingv2\n'),
    ),
    'resource-locks-of-other-projects': Case((API,), ('', POLICY)),
    'scheduler-affinity-filters': Case(
        (FILTERS + 'CapacityFilter', FILTERS + 'AffinityFilter'),
        ('', FILTERS + 'AntiAffinityFilter, AffinityFilter'),
    ),
    'scheduler-extend-filters': Case(
        (FILTERS + 'CapacityFilter',),
        (
            '',
            FILTERS
            + 'CapacityFilter\n'
            + 'scheduler_default_extend_filters = CapacityFilter',
            '[DEFAULT]\nscheduler_default_extend_filters = CapacityFilter',
        ),
    ),
    'scheduler-only-host-filter': Case(
        (FILTERS + 'AffinityFilter',),
        ('', FILTERS + 'AffinityFilter,OnlyHostFilter'),
    ),
    'service-list-output': Case((API,), ('', POLICY)),
    'rabbit-certificate-name': Case(
        (RABBIT + 'ssl = yes\nssl_ca_file = /etc/ca.pem\n',),
        (
            '',
            RABBIT + 'ssl_ca_file = /etc/ca.pem\n',
            RABBIT + 'ssl = true\n',
        ),
    ),
    'service-token-roles': Case(
        (API,),
        ('', API + 'service_token_roles_required = False\n'),
    ),
    'wsgi-script-removed': Case((API,), ('', POLICY)),
}

VHOST = 'root/etc/apache2/sites-enabled/manila.conf'
PROCESS = {
    'root/proc/4711/cmdline': 'python3\0/usr/bin/manila-api\0'
    '--config-file=@HERE@/manila.conf\0'
}

ADVISORIES = {one.id: one for one in advisories.of_check(CHECK)}


def site_text(*sections, more=''):
    """Return a configuration with a back end for each section: b0, b1."""
    names = ','.join(f'b{number}' for number, _ in enumerate(sections))
    return f'[DEFAULT]\nenabled_share_backends = {names}\n{more}' + ''.join(
        f'\n[b{number}]\n{lines}\n' for number, lines in enumerate(sections)
    )


def before(release, steps=1):
    """Return the name of a release before another; the first at the end."""
    return releases.from_major(max(12, release.major - steps)).name


def fired(result, advisory_id):
    """Return the subjects that an advisory names."""
    return [
        finding.subject.name
        for finding in result.findings
        if finding.aspect == advisory_id
    ]


class Runs(databases.Scenarios):
    """Runs the check over one advisory's release, or another hop."""

    def over(self, one, text, source=None, target=None, database=None):
        source = source or before(one.release)
        target = target or one.release.name
        if one.rows is not None and database is None:
            database = self.filled(one, source)
        if database is not None:
            result = self.run_check(
                CHECK, database, config=text, source=source, target=target
            )
        else:
            site = testing.Site(text, source=source, target=target)
            result = self.useFixture(site).run(CHECK)
        self.assertEqual('', result.reason)
        return fired(result, one.id)

    def filled(self, one, release, hosts=('ctl1@b0#p', 'ctl1@b1#p')):
        """Return a database with the rows that an advisory counts."""
        made = self.database(release)
        values = {column: texts[0] for column, texts in one.rows.where}
        if one.rows.host is None:
            made.insert(one.rows.table, values)
        else:
            made.insert(
                one.rows.table,
                *({**values, one.rows.host: host} for host in hosts),
            )
        return made


@ddt.ddt
class EachAdvisoryTest(Runs, databases.SQLiteTest):
    def test_each_has_cases(self):
        self.assertEqual(set(ADVISORIES), set(SECTIONS) | set(FILES))
        for name, one in ADVISORIES.items():
            self.assertEqual(name in SECTIONS, one.per_backend, name)
            cases = SECTIONS if one.per_backend else FILES
            self.assertTrue(cases[name].fires, name)
            # What fires on rows alone is silent without them: below.
            self.assertTrue(cases[name].silent or one.rows, name)

    @ddt.data(*SECTIONS)
    def test_sections(self, name):
        one = ADVISORIES[name]
        database = None
        if one.rows is not None:
            database = self.filled(one, before(one.release))
        for lines in SECTIONS[name].fires:
            text = site_text(lines)
            self.assertEqual(['b0'], self.over(one, text, database=database))
        for lines in SECTIONS[name].silent:
            text = site_text(lines)
            self.assertEqual([], self.over(one, text, database=database))

    @ddt.data(*SECTIONS)
    def test_none_or_many_back_ends(self, name):
        one = ADVISORIES[name]
        fires, silent = SECTIONS[name].fires[0], SECTIONS[name].silent[0]
        database = None
        if one.rows is not None:
            database = self.filled(one, before(one.release))
        for text, expected in (
            ('[DEFAULT]\nhost = ctl1\n', []),
            # Nothing starts these.
            (f'[b0]\n{fires}\n', []),
            ('[DEFAULT]\nenabled_share_backends = b0\n', []),
            (site_text(silent, fires), ['b1']),
            (site_text(fires, fires), ['b0', 'b1']),
        ):
            self.assertEqual(expected, self.over(one, text, database=database))

    @ddt.data(*FILES)
    def test_files(self, name):
        one = ADVISORIES[name]
        database = None
        if one.rows is not None:
            database = self.filled(one, before(one.release))
        for text in FILES[name].fires:
            found = self.over(one, text, database=database)
            self.assertEqual(1, len(found), text)
        for text in FILES[name].silent:
            self.assertEqual([], self.over(one, text, database=database), text)

    @ddt.data(*ADVISORIES)
    def test_the_window(self, name):
        one = ADVISORIES[name]
        text = (
            site_text(SECTIONS[name].fires[0])
            if one.per_backend
            else FILES[name].fires[0]
        )
        there = one.release.name
        after = releases.following(one.release)
        self.assertEqual(1, len(self.over(one, text)))
        if not one.backports:
            earlier = before(one.release, 2), before(one.release)
            self.assertEqual([], self.over(one, text, *earlier))
        self.assertEqual([], self.over(one, text, there, there))
        if after is not None:
            # Of which build nobody knows, where it came in one.
            over = self.over(one, text, there, after.name)
            self.assertEqual(bool(one.release.build), bool(over))
            # On the way; the target may lack what it speaks of by then.
            over = self.over(one, text, before(one.release), after.name)
            self.assertEqual(1, len(over))

    @ddt.data(
        ('13.0.0', '13.0.1', True),
        ('13.0.0', '13.2.0', True),
        ('13.0.0', 'yoga', True),
        ('wallaby', '13.0.1', True),
        ('wallaby', '13.0.0', False),
        ('13.0.1', '13.2.0', False),
        ('13.0.1', 'yoga', False),
        ('xena', 'yoga', True),
        ('xena', '13.2.0', False),
    )
    @ddt.unpack
    def test_a_change_within_a_release(self, source, target, crossed):
        one = ADVISORIES['netapp-server-port']
        text = site_text(SECTIONS[one.id].fires[0])
        self.assertEqual(
            ['b0'] if crossed else [], self.over(one, text, source, target)
        )

    @ddt.data(
        ('20.0.0', '20.0.1', True),
        ('20.0.0', '21.0.0', False),
        ('20.0.0', '21.0.1', True),
        ('20.0.0', '22.0.0', True),
        ('20.0.1', '21.0.0', False),
        ('20.0.1', '21.0.1', False),
        ('20.0.1', '22.0.0', False),
        ('19.1.1', '20.0.0', False),
        ('19.1.1', '2025.1', True),
        # Of which build nobody knows; the target is the last one.
        ('2025.1', '2026.1', True),
        ('2025.1', '2025.2', True),
        ('2025.1', '21.0.0', False),
        ('2026.1', '2026.2', False),
    )
    @ddt.unpack
    def test_a_change_that_was_backported(self, source, target, crossed):
        one = ADVISORIES['netapp-retention-zero']
        text = site_text(SECTIONS[one.id].fires[0])
        self.assertEqual(
            ['b0'] if crossed else [], self.over(one, text, source, target)
        )

    def test_one_of_several_values(self):
        one = ADVISORIES['netapp-minimum-throughput']
        database = self.database('2025.2')
        ((column, texts),) = one.rows.where
        database.insert(
            one.rows.table,
            *({column: text} for text in (*texts, 'netapp:maxiops')),
        )
        result = self.run_check(
            CHECK, database, config='', source='2025.2', target='2026.1'
        )
        (found,) = [
            finding for finding in result.findings if finding.aspect == one.id
        ]
        self.assertEqual(len(texts), found.data['rows'])

    @ddt.data(*(name for name, one in ADVISORIES.items() if one.rows))
    def test_no_row_that_counts(self, name):
        one = ADVISORIES[name]
        text = (
            site_text(SECTIONS[name].fires[0])
            if one.per_backend
            else FILES[name].fires[0]
        )
        database = self.database(before(one.release))
        self.assertEqual([], self.over(one, text, database=database))
        values = {column: texts[0] for column, texts in one.rows.where}
        gone = {'deleted': 'x' if one.rows.host else 9}
        host = {one.rows.host: 'ctl1@b0#p'} if one.rows.host else {}
        database.insert(
            one.rows.table,
            {**values, **host, **gone},
            *({**values, **host, key: 'other'} for key in values),
            *([{**values, one.rows.host: 'ctl1@b9#p'}] if host else []),
            *([{**values, one.rows.host: None}] if host else []),
        )
        self.assertEqual([], self.over(one, text, database=database))


def a_finding(name, severity, subject, message, todo, references, **data):
    return model.Finding(
        severity,
        subject,
        message,
        todo,
        references,
        {
            'advisory': name,
            'release': ADVISORIES[name].release.name,
            **data,
        },
        name,
        check_id=CHECK,
    )


@ddt.ddt
class ServedByTest(testtools.TestCase):
    """What serves the API decides whether two advisories are findings."""

    def found(
        self,
        files=(),
        source='2025.1',
        target='2026.1',
        stated=None,
        stage='plan',
    ):
        options = {CHECK: {'api_server': stated}} if stated else None
        self.site = self.useFixture(
            testing.Site(
                API,
                source=source,
                target=target,
                stage=stage,
                check_options=options,
            )
        )
        for name, text in dict(files).items():
            path = self.site.file(name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w') as stream:
                stream.write(text.replace('@HERE@', self.site.path))
        return {
            one.aspect: one
            for one in self.site.run(CHECK).findings
            if one.subject.name == 'manila-api'
            and one.aspect.startswith(('api-built', 'wsgi'))
        }

    def script(self, severity, end, file=None, line=None, more=()):
        one = ADVISORIES['wsgi-script-removed']
        return a_finding(
            one.id,
            severity,
            model.Subject('service', 'manila-api', file, line),
            f'{one.message}; {end}',
            (*one.remediation, *more),
            one.references,
        )

    def test_the_api_of_another_cloud_was_taken_for_ours(self):
        for words in (
            '/usr/bin/manila-api',
            '/usr/bin/manila-api --config-file=/srv/other.conf',
        ):
            found = self.found(
                {'root/proc/4711/cmdline': words.replace(' ', '\0')}
            )
            self.assertEqual(
                model.Severity.WARNING, found['wsgi-script-removed'].severity
            )

    def test_stopped_no_process_can_tell(self):
        self.assertEqual(
            self.script(
                model.Severity.WARNING,
                'manila-precheck cannot see what serves it here',
                more=[
                    model.advice(
                        'Set api_server in '
                        '[manila_precheck_upgrade_advisories] to what serves '
                        'the API when it runs: program, script or '
                        'application.'
                    )
                ],
            ),
            self.found(stage='stopped')['wsgi-script-removed'],
        )

    def test_stopped_a_service_of_its_own_was_warned_of(self):
        name = 'systemd/system/{}/manila-api.service'
        unit = {
            f'root/etc/{name.format("multi-user.target.wants")}': '',
            f'root/usr/lib/{name.format("")}': (
                'ExecStart=/usr/bin/manila-api\n'
            ),
        }
        self.assertEqual(
            {}, self.found(unit, '2025.1', '2025.2', stage='stopped')
        )
        found = self.found(unit, '2026.1', '2026.2', stage='stopped')
        self.assertEqual(
            [model.Severity.FAILURE],
            [finding.severity for finding in found.values()],
        )

    def test_stopped_the_operator_tells(self):
        self.assertEqual(
            self.script(
                model.Severity.FAILURE, 'it serves the API on this host'
            ),
            self.found(stage='stopped', stated='script')[
                'wsgi-script-removed'
            ],
        )

    def test_not_known(self):
        self.assertEqual(
            self.script(
                model.Severity.WARNING,
                'manila-precheck cannot see what serves it here',
            ),
            self.found()['wsgi-script-removed'],
        )

    def test_a_web_server_that_loads_the_script(self):
        found = self.found({VHOST: 'WSGIScriptAlias / /usr/bin/manila-wsgi'})
        path = VHOST[len('root') :]
        self.assertEqual(
            {
                'wsgi-script-removed': self.script(
                    model.Severity.FAILURE,
                    f'{path} line 1 names it',
                    path,
                    1,
                )
            },
            found,
        )

    def test_a_program_that_is_told_to_keep_eventlet_was_called_dead(self):
        name = 'root/proc/4711/environ'
        for value, expected in (
            ('False', []),
            ('True', ['api-built-in-server-removed']),
            ('', ['api-built-in-server-removed']),
        ):
            text = f'OS_MANILA_DISABLE_EVENTLET_PATCHING={value}\0'
            found = self.found({**PROCESS, name: text}, '2026.1', '2026.2')
            self.assertEqual(expected, list(found))

    def test_a_process(self):
        found = self.found(PROCESS, '2026.1', '2026.2')
        one = ADVISORIES['api-built-in-server-removed']
        self.assertEqual(
            {
                one.id: a_finding(
                    one.id,
                    model.Severity.FAILURE,
                    model.Subject('service', 'manila-api'),
                    f'{one.message}; it serves the API on this host',
                    one.remediation,
                    one.references,
                )
            },
            found,
        )

    @ddt.named_data(
        ['program', 'program', ['api-built-in-server-deprecated']],
        ['script', 'script', ['wsgi-script-removed']],
        ['application', 'application', []],
        [
            'unknown',
            'unknown',
            ['api-built-in-server-deprecated', 'wsgi-script-removed'],
        ],
    )
    @ddt.unpack
    def test_what_the_operator_says(self, stated, expected):
        """It counts, whatever can be seen."""
        self.assertEqual(expected, sorted(self.found(PROCESS, stated=stated)))

    def test_seen_to_be_another(self):
        self.assertEqual(
            {}, self.found({VHOST: 'module = manila.wsgi.api:application'})
        )


class WordsTest(testtools.TestCase):
    def test_a_finding_of_a_back_end(self):
        text = site_text(NETAPP)
        site = self.useFixture(
            testing.Site(text, source='2026.1', target='2026.2')
        )
        result = site.run(CHECK)
        one = ADVISORIES['netapp-transport-https']
        self.assertEqual(
            (
                a_finding(
                    one.id,
                    model.Severity.WARNING,
                    model.Subject(
                        'backend', 'b0', site.file('manila.conf'), 5
                    ),
                    '[b0] does not set netapp_transport_type, whose default '
                    'changes from http in 2026.1 to https in 2026.2: the '
                    'back end does not come up if ONTAP does not answer '
                    'HTTPS or has a certificate that this host does not trust',
                    (
                        one.remediation[0],
                        model.config('[b0]\nnetapp_transport_type = http'),
                    ),
                    one.references,
                ),
            ),
            result.findings,
        )
        self.assertEqual(
            'upgrade-advisories[b0#netapp-transport-https]',
            result.findings[0].key,
        )

    def test_an_option_that_is_set_is_shown_with_its_line(self):
        site = self.useFixture(
            testing.Site(
                '[neutron]\nurl = http://neutron\n',
                source='xena',
                target='yoga',
            )
        )
        (finding,) = site.run(CHECK).findings
        self.assertEqual(
            model.Subject(
                'option', 'neutron/url', site.file('manila.conf'), 2
            ),
            finding.subject,
        )

    def test_the_words_that_name_the_target(self):
        site = testing.Site(
            '[DEFAULT]\nadmin_only_metadata = a\n',
            source='2025.1',
            target='2026.1',
        )
        messages = [
            finding.message
            for finding in self.useFixture(site).run(CHECK).findings
        ]
        self.assertEqual(
            1, sum('that manila 2026.1 sets on' in m for m in messages)
        )

    def test_without_a_database_it_is_said_what_was_not_judged(self):
        site = testing.Site(
            site_text(LVM, LVM), source='2023.1', target='2025.2'
        )
        result = self.useFixture(site).run(CHECK)
        self.assertEqual(
            (
                model.Finding(
                    model.Severity.INFO,
                    model.Subject('database', 'rows'),
                    'no database is configured, so advisories that depend on '
                    'its rows were not checked: isilon-share-types, '
                    'shares-ensuring-at-start',
                    (
                        model.advice(
                            'Run it where [database] connection is set, on a '
                            'host with manila-api, manila-scheduler or '
                            'manila-share.'
                        ),
                    ),
                    check_id=CHECK,
                    data={
                        'advisories': 'isilon-share-types,'
                        'shares-ensuring-at-start'
                    },
                    aspect='unjudged',
                ),
            ),
            result.findings,
        )

    def test_what_the_configuration_rules_out_is_not_unjudged(self):
        site = testing.Site(
            site_text(CEPHFS), source='2024.1', target='2024.2'
        )
        result = self.useFixture(site).run(CHECK)
        self.assertEqual(
            (model.Outcome.PASSED, ()), (result.outcome, result.findings)
        )

    def test_a_database_that_cannot_be_used_is_an_error_not_a_pass(self):
        site = testing.Site(
            API,
            connection='sqlite:////nowhere/manila.sqlite',
            source='2025.1',
            target='2025.2',
        )
        result = self.useFixture(site).run(CHECK)
        self.assertEqual(model.Outcome.ERROR, result.outcome)

    def test_the_new_services_were_started(self):
        site = testing.Site(
            API, source='2025.1', target='2025.2', stage='upgraded'
        )
        result = self.useFixture(site).run(CHECK)
        self.assertEqual(model.Outcome.NOT_APPLICABLE, result.outcome)


class Scenarios(databases.Scenarios):
    """What the database says, on every server."""

    def test_the_shares_of_each_back_end_are_counted(self):
        database = self.database('2024.1')
        database.insert(
            'share_instances',
            {'status': 'available', 'host': 'ctl1@b0#pool'},
            {'status': 'available', 'host': 'ctl1@b0#other'},
            {'status': 'available', 'host': 'ctl2@b0'},
            {'status': 'available', 'host': 'ctl1@b1#pool'},
            {'status': 'available', 'host': 'ctl1@b0b1#pool'},
            {'status': 'available', 'host': 'b0'},
            {'status': 'error', 'host': 'ctl1@b0#pool'},
            {'status': 'available', 'host': 'ctl1@b0#p', 'deleted': 'x'},
        )
        result = self.run_check(
            CHECK,
            database,
            config=site_text(LVM, LVM, LVM),
            target='2024.2',
        )
        self.assertEqual(
            [('b0', 3), ('b1', 1)],
            [(f.subject.name, f.data['rows']) for f in result.findings],
        )
        self.assertIn(
            '[b0] ensures its 3 available shares', result.findings[0].message
        )

    def test_shares_that_stay_available_are_no_matter(self):
        for text, source, target in (
            (LVM, '2024.1', '2024.2'),
            (NETAPP + MANY + TRANSPORT, '2026.1', '2026.2'),
        ):
            database = self.database(source)
            database.insert(
                'share_instances',
                {'status': 'available', 'host': 'ctl1@b0#pool'},
            )
            for value, expected in (('false', 0), (None, 1)):
                more = f'update_shares_status_on_ensure = {value}\n'
                result = self.run_check(
                    CHECK,
                    database,
                    config=site_text(text, more=more if value else ''),
                    target=target,
                )
                self.assertEqual(expected, len(result.findings))

    def test_the_one_back_end_of_default(self):
        database = self.database('2024.1')
        database.insert(
            'share_instances',
            {'status': 'available', 'host': 'ctl1#pool'},
            {'status': 'available', 'host': 'ctl1@b0#pool'},
        )
        result = self.run_check(
            CHECK, database, config=f'[DEFAULT]\n{LVM}', target='2024.2'
        )
        self.assertEqual(
            [('DEFAULT', 1)],
            [(f.subject.name, f.data['rows']) for f in result.findings],
        )

    def test_share_types_of_isilon(self):
        database = self.database('2025.1')
        spec = {'spec_key': 'share_backend_name', 'spec_value': 'isilon'}
        database.insert(
            'share_type_extra_specs',
            spec,
            {**spec, 'spec_value': 'netapp'},
            {**spec, 'spec_key': 'other'},
            {**spec, 'deleted': 4},
        )
        result = self.run_check(CHECK, database, target='2025.2')
        one = ADVISORIES['isilon-share-types']
        self.assertEqual(
            (
                a_finding(
                    one.id,
                    model.Severity.INFO,
                    model.Subject('table', 'share_type_extra_specs'),
                    one.message.format(rows=1),
                    one.remediation,
                    one.references,
                    rows=1,
                ),
            ),
            result.findings,
        )


class UpgradeAdvisoriesTest(Scenarios, databases.SQLiteTest):
    pass
