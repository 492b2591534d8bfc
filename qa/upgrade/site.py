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

"""The files of a controller: manila.conf and the files beside it.

They are in ``.manila`` of a home directory of their own, where oslo.config
finds them: so every command of a remediation runs as it is printed, without
an added ``--config-file``.
"""

import os
import pathlib
import shutil

from qa.upgrade import processes

#: Seconds between reports of a service, and until it counts as down: as short
#: as a busy machine with two cores permits.
REPORT_INTERVAL = 3
SERVICE_DOWN_TIME = 24

HOST = 'ctl1'

#: Another controller, with a back end of its own.
OTHER_HOST = 'ctl2'
OTHER_BACKEND = 'delta'

DUMMY = 'manila.tests.share.drivers.dummy.DummyDriver'

_BACKEND = """\
[{name}]
share_backend_name = {upper}
share_driver = {driver}
driver_handles_share_servers = {handles}
dummy_driver_default_driver_method_delay = 0.01
dummy_driver_driver_methods_delays = do_setup:0.01
{more}
"""

_CONF = """\
[DEFAULT]
host = {host}
my_ip = 127.0.0.1
state_path = {state}
log_date_format = %Y-%m-%d %H:%M:%S
auth_strategy = noauth
osapi_share_listen = 127.0.0.1
osapi_share_listen_port = {api_port}
osapi_share_workers = 1
transport_url = {transport_url}
enabled_share_backends = {enabled}
enabled_share_protocols = NFS,CIFS
default_share_type = plain
default_share_group_type = grouped
storage_availability_zone = nova
report_interval = {report_interval}
service_down_time = {service_down_time}
periodic_interval = 3
periodic_fuzzy_delay = 1
migration_driver_continue_update_interval = 2
graceful_shutdown_timeout = 5

[database]
connection = {connection}

[oslo_concurrency]
lock_path = {state}/locks

[coordination]
backend_url = file://{state}/coordination

{backends}
[administration]
network_api_class = manila.network.standalone_network_plugin.StandaloneNetworkPlugin
standalone_network_plugin_gateway = 10.1.0.1
standalone_network_plugin_mask = 24
standalone_network_plugin_network_type = flat

[manila_precheck]
other_backends = {other}

[manila_precheck_database_backup]
path = {backup}/*.sql
{api_server}"""  # noqa: E501

#: The setting of an operator whose web server serves the API.
API_SERVER = """\
[manila_precheck_upgrade_advisories]
api_server = application
"""

#: The network options of a back end that handles share servers.
STANDALONE_NETWORK = """\
network_api_class = manila.network.standalone_network_plugin.StandaloneNetworkPlugin
standalone_network_plugin_gateway = 10.0.0.1
standalone_network_plugin_mask = 24
standalone_network_plugin_network_type = flat
admin_network_config_group = administration
"""  # noqa: E501


def backend(name, handles=False, driver=DUMMY, more=''):
    """Return the section of a back end."""
    return _BACKEND.format(
        name=name,
        upper=name.upper(),
        driver=driver,
        handles=handles,
        more=more,
    )


class Site:
    """A home directory with the configuration of one controller."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.folder = self.home / '.manila'

    @property
    def conf(self):
        """The path of manila.conf."""
        return self.folder / 'manila.conf'

    def path(self, name):
        """Return the path of a file beside manila.conf."""
        return self.folder / name

    def read(self, name):
        """Return the text of a file."""
        return self.path(name).read_text(encoding='utf-8')

    def write(self, name, text):
        """Write a file."""
        self.path(name).write_text(text, encoding='utf-8')

    def remove(self, name):
        """Remove a file."""
        self.path(name).unlink()

    def copy(self, home):
        """Return a copy of the site in another directory."""
        other = Site(home)
        shutil.copytree(self.home, other.home)
        # The files hold paths of their own directory.
        for path in other.folder.iterdir():
            text = path.read_text(encoding='utf-8')
            path.write_text(
                text.replace(f'{self.folder}/', f'{other.folder}/'),
                encoding='utf-8',
            )
        return other

    def edit(self, old, new, name='manila.conf'):
        """Replace text that occurs once in a file."""
        text = self.read(name)
        if text.count(old) != 1:
            raise processes.Broken(
                f'{old!r} is {text.count(old)} times in {name}'
            )
        self.write(name, text.replace(old, new))

    def content(self):
        """Return the content of the files, independent of their directory.

        Comments, empty lines and the order of lines within a section of
        manila.conf do not count.
        """
        found = {}
        for path in sorted(self.folder.iterdir()):
            text = path.read_text(encoding='utf-8')
            text = text.replace(f'{self.folder}/', '')
            if path.name == 'manila.conf':
                section, lines = '', []
                for line in text.splitlines():
                    if line.startswith('['):
                        section = line
                    elif line.strip() and not line.startswith('#'):
                        lines.append((section, line))
                found[path.name] = sorted(lines)
            else:
                found[path.name] = text
        return found

    def env(self, *folders):
        """Return the environment of a program on this controller.

        :param folders: directories to put first on the PATH.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ('LANG', 'LC_ALL', 'PATH', 'TERM', 'TZ')
        }
        words = [str(folder) for folder in folders] + [kept.get('PATH', '')]
        return {
            **kept,
            'HOME': str(self.home),
            'PATH': os.pathsep.join(words),
            'PYTHONDONTWRITEBYTECODE': '1',
            'PYTHONUNBUFFERED': '1',
        }


def make(home, paste, **values):
    """Make the files of a controller.

    :param paste: the api-paste.ini of the release.
    :param values: the values for the templates: state, connection,
        transport_url, api_port, backup, api_server.
    """
    site = Site(home)
    site.folder.mkdir(parents=True)
    backends = {
        'alpha': backend('alpha', more='replication_domain = copies\n'),
        'beta': backend('beta', more='replication_domain = copies\n'),
        'gamma': backend('gamma', handles=True, more=STANDALONE_NETWORK),
    }
    text = _CONF.format(
        host=HOST,
        folder=site.folder,
        enabled=','.join(backends),
        backends='\n'.join(backends.values()),
        other=f'{OTHER_HOST}@{OTHER_BACKEND}',
        report_interval=REPORT_INTERVAL,
        service_down_time=SERVICE_DOWN_TIME,
        **values,
    )
    site.write('manila.conf', text)
    shutil.copy(paste, site.folder / 'api-paste.ini')
    return site


def other_controller(site, home):
    """Return the files of the other controller, which serves one back end."""
    other = site.copy(home)
    other.edit(f'host = {HOST}\n', f'host = {OTHER_HOST}\n')
    other.edit(
        'enabled_share_backends = alpha,beta,gamma',
        f'enabled_share_backends = {OTHER_BACKEND}',
    )
    other.write(
        'manila.conf', other.read('manila.conf') + backend(OTHER_BACKEND)
    )
    return other
