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

"""Test the tasks for kolla-ansible, with its role, its module and podman.

The image resembles those of kolla: it has the user manila, the script that
copies the configuration, and an environment with manila and its libraries. The
Python and the libraries are mounted from this host.
"""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import zipapp
import zipfile

from qa import podman
from qa.contrib import case
from qa.contrib import fetch
from qa.contrib import test_kolla_ansible

_IMAGE = test_kolla_ansible.IMAGE.format('2026.1')
_FOLDERS = (
    *('dev', 'etc/manila', 'proc', 'run', 'sys', 'tmp', 'usr'),
    'var/lib/kolla/venv/bin',
    'var/log/kolla/manila',
)
#: The id of the user manila in kolla's images.
_USER = 42429

#: Mounts directories of the test over those in which the module looks for the
#: socket of podman, and writes a systemd unit for each container.
_ALONE = (
    'mount --bind "$1/run" /run && mount --bind "$1/units" /etc/systemd/system'
    ' && shift && exec "$@"'
)
_METADATA = 'Metadata-Version: 2.1\nName: {}\nVersion: {}\n'
#: The config.json that the role renders: the files to copy.
_COPIED = {
    'command': 'true',
    'config_files': [
        {
            'source': '/var/lib/kolla/config_files/manila.conf',
            'dest': '/etc/manila/manila.conf',
            'owner': 'manila',
            'perm': '0600',
        }
    ],
}
_PATIENCE_SECONDS = 60


class KollaPodmanTest(test_kolla_ansible.KollaCase):
    NEEDS = ('ansible-playbook', 'podman')

    def setUp(self):
        super().setUp()
        why = podman.lacks()
        if why:
            self.skipTest(why)
        self.home = self.path / 'podman'
        for name in ('podman', 'run/podman', 'units'):
            (self.path / name).mkdir(parents=True)
        # Use no registry, and do not disturb another podman on this host.
        registries = self.write(
            'podman/registries.conf',
            '[[registry]]\nlocation = "quay.io"\nblocked = true\n',
        )
        self.settings = {
            'CONTAINERS_REGISTRIES_CONF': str(registries),
            **podman.settings(
                self.home,
                events_logger='file',
                events_logfile_path=f'{self.home}/events',
                lock_type='file',
                tmp_dir=f'{self.home}/tmp',
            ),
        }
        self.make_image()
        self.make_pyz()
        self.serve()

    def make_image(self):
        root = self.home / 'root'
        podman.make_root(root, _FOLDERS)
        (root / 'etc/passwd').write_text(
            'root:x:0:0::/:/bin/sh\n'
            f'manila:x:{_USER}:{_USER}::/var/lib/manila:/bin/sh\n'
        )
        (root / 'etc/group').write_text(f'root:x:0:\nmanila:x:{_USER}:\n')
        venv = root / 'var/lib/kolla/venv'
        python = os.path.realpath(sys.executable)
        (venv / 'bin/python3').symlink_to(python)
        (venv / 'pyvenv.cfg').write_text(f'home = {os.path.dirname(python)}\n')
        ours = sysconfig.get_path('purelib')
        packages = venv / os.path.relpath(ours, sys.prefix)
        packages.mkdir(parents=True)
        (packages / 'libraries.pth').write_text(f'{ours}\n')
        name, version = fetch.MANILA.split('-')
        metadata = packages / f'{name}-{version}.dist-info/METADATA'
        metadata.parent.mkdir()
        metadata.write_text(_METADATA.format(name, version))
        with zipfile.ZipFile(
            self.fetched(f'{fetch.KOLLA}-py3-none-any.whl')
        ) as wheel:
            (venv / 'bin/kolla_set_configs').write_bytes(
                wheel.read(
                    f'{fetch.KOLLA}.data/data/share/kolla/docker/base/'
                    'set_configs.py'
                )
            )
        # A sudo that allows manila to become root only for this script.
        (venv / 'bin/sudo').write_text(
            '#!/bin/bash\n[ "$*" = "-E kolla_set_configs" ] || exit 1\n'
            'exec /var/lib/kolla/as_root kolla_set_configs\n'
        )
        for path in (venv / 'bin/kolla_set_configs', venv / 'bin/sudo'):
            path.chmod(0o755)
        shutil.copy('/usr/bin/env', root / 'var/lib/kolla/as_root')
        (root / 'var/lib/kolla/as_root').chmod(0o4755)
        changes = (
            'ENV PATH=/var/lib/kolla/venv/bin:/usr/sbin:/usr/bin',
            'USER manila',
            # Instead of kolla_start, which would migrate the database.
            'CMD ["true"]',
        )
        podman.import_root(
            root,
            *(f'--change={change}' for change in changes),
            _IMAGE,
            **self.settings,
        )
        self.volumes = [
            f'{path}:{path}:ro'
            for path in dict.fromkeys(('/usr', sys.base_prefix, ours))
        ]

    def make_pyz(self):
        """Make the command a single file, without its libraries."""
        tree = self.path / 'tree'
        shutil.copytree(
            case.ROOT / 'manila_precheck',
            tree / 'manila_precheck',
            ignore=shutil.ignore_patterns('tests', '__pycache__'),
        )
        installed = importlib.metadata.distribution('manila-precheck')
        for name, text in {
            'METADATA': _METADATA.format('manila-precheck', installed.version),
            'entry_points.txt': installed.read_text('entry_points.txt'),
        }.items():
            self.write(
                f'tree/manila_precheck-{installed.version}.dist-info/{name}',
                text,
            )
        self.write('tree/__main__.py', case.COMMAND)
        zipapp.create_archive(tree, self.path / 'precheck.pyz')

    def serve(self):
        """Start the API of podman, until the test ends."""
        socket = self.home / 'socket'
        service = subprocess.Popen(
            ['podman', 'system', 'service', '--time=0', f'unix://{socket}'],
            env={**os.environ, **self.settings},
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(service.wait)
        self.addCleanup(service.terminate)
        self.addCleanup(self.podman, 'rm', '--all', '--force', '--time=0')
        ends = time.monotonic() + _PATIENCE_SECONDS
        while not socket.exists():
            self.assertLess(time.monotonic(), ends)
            self.assertIsNone(service.poll())
            time.sleep(0.05)
        (self.path / 'run/podman/podman.sock').symlink_to(socket)

    def podman(self, *words):
        return podman.run(*words, **self.settings)

    def run_words(self, *words, **kwargs):
        return super().run_words(
            *('unshare', '--mount', 'sh', '-c', _ALONE, 'sh', self.path),
            *words,
            **kwargs,
        )

    def started(self):
        self.assertEqual('', self.podman('ps', '--all', '--quiet'))
        self.assertEqual([], os.listdir(self.path / 'units'))
        return self.podman(
            'events',
            '--stream=false',
            '--filter=event=start',
            '--format={{.Name}} {{.Image}}',
        ).splitlines()

    def engine(self):
        """Return the variables that make kolla-ansible use podman."""
        return {
            'kolla_container_engine': 'podman',
            'manila_precheck_environment': {
                'OS_MANILA_PRECHECK__SOURCE_RELEASE': '2025.1',
                'OS_MANILA_PRECHECK__CHECK': 'config-options',
            },
        }

    def test_the_role_of_kolla_ansible(self):
        """Its rendered files are checked once, before the migration."""
        tasks = test_kolla_ansible.TASKS
        role = self.share / 'ansible/roles/manila'
        upgrade = role / 'tasks/upgrade.yml'
        configure, rest = upgrade.read_text().split('\n\n', 1)
        self.assertIn('import_tasks: config.yml', configure)
        upgrade.write_text(
            f'{configure}\n\n- name: Verify the upgrade\n'
            f'  ansible.builtin.import_tasks: {tasks}\n\n{rest}'
        )
        shutil.copy(tasks, role / 'tasks')
        # Of the later tasks, run only those that migrate the database.
        (role / 'tasks/check-containers.yml').write_text('---\n')
        passwords = (
            self.share / 'etc_examples/kolla/passwords.yml'
        ).read_text()
        secrets = self.write(
            'passwords.yml',
            re.sub(r'(?m)^(\w+):$(?!\n )', r'\1: secret', passwords),
        )
        # A file left by an earlier deployment.
        self.write('etc/manila-share/manila.conf', case.BAD)
        self.write('config/manila-share.conf', case.GOOD)
        done, started = self.upgrade(
            '  roles:\n    - role: manila\n',
            '-e',
            f'@{secrets}',
            api_interface_address='127.0.0.1',
            kolla_action='upgrade',
            kolla_internal_vip_address='127.0.0.1',
            # Its default would need a collection that is not installed.
            kolla_same_external_internal_vip=True,
            node_custom_config=str(self.path / 'config'),
            openstack_release='2026.1',
            rpc_transport_url='rabbit://127.0.0.1/',
            kolla_base_distro='rocky',
            manila_extra_volumes=self.volumes,
            openstack_service_workers=1,
            **dict.fromkeys(
                ('config_owner_user', 'config_owner_group'),
                self.path.owner(),
            ),
            **self.engine(),
        )
        self.assertEqual(
            [f'manila_precheck {_IMAGE}', f'bootstrap_manila {_IMAGE}'],
            started,
            done.stdout + done.stderr,
        )
        self.assertEqual(0, done.returncode)
        name, version = fetch.MANILA.split('-')
        self.assertIn(
            f'({name} {version}), from the installed manila', done.stdout
        )

    def stops(self, *started, **given):
        """Run the tasks, which have to stop; return their output."""
        self.write('etc/manila-api/config.json', json.dumps(_COPIED))
        done, now = self.rendered(
            docker_common_options={'container_engine': 'podman'},
            **self.engine(),
            **given,
        )
        self.assertEqual([*started], now, done.stdout)
        self.assertEqual(
            (2, []), (done.returncode, self.went_on()), done.stdout
        )
        return done.stdout

    def test_a_failure(self):
        """It is in the file of manila-share; the image's tag is no release."""
        image = test_kolla_ansible.IMAGE.format('master')
        self.podman('tag', _IMAGE, image)
        printed = self.stops(
            f'manila_precheck {image}', share=case.BAD, image=image
        )
        self.assertIn('"Code 2: ', printed)
        self.assertIn('  /run/manila-precheck/manila-share.conf:2"', printed)
        self.assertNotRegex(printed, r'\n *"",\n')

    def test_no_image(self):
        image = test_kolla_ansible.IMAGE.format('2026.2')
        self.assertIn(
            f'The requested image does not exist: {image}',
            self.stops(image=image),
        )
