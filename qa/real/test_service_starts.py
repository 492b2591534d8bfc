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

"""Where services of real releases fail to start, rehearsed and for real.

Each fault is planted in the files of a controller, and its services are
started as a rehearsal does: cut off, with no database. What ends so is then
run for real, as its program, and has to end with the same exception. Needs
MANILA_PRECHECK_VENVS.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from typing import Callable
from typing import NamedTuple
from typing import Union

import ddt
import fixtures
import testtools

from manila_precheck.act.rehearse import service_starts
from manila_precheck.act.rehearse import target
from manila_precheck.evidence.config import service_files
from manila_precheck.tests import venvs
from qa.upgrade import site as sites

_MAJORS = (18, 20, 22, 23)

#: {the service, or manila-share@BACKEND: its exception}, of a release.
Ends = Union[dict, Callable[[int], dict]]

_API = 'manila-api'
_SHARES = ('manila-share@alpha', 'manila-share@beta', 'manila-share@gamma')
_DAEMONS = ('manila-scheduler', 'manila-data', *_SHARES)
_DRIVERS = 'manila.share.drivers.'
_MODE = 'driver_handles_share_servers = False\n'
# A real service that goes on is not waited for.
_REAL_SECONDS = 120


class Fault(NamedTuple):
    """A change of the files, and what ends of it."""

    change: Callable
    """Is given the site."""

    ends: Ends
    """What ends, and nothing else does."""

    services: tuple = ()
    """What is started; () for all."""

    logs: tuple = ()
    """What is logged of the policies."""

    beyond: tuple = ()
    """Where the starts stop without an answer: parts of the words."""


def _set(lines, section='DEFAULT'):
    return lambda site: site.edit(f'[{section}]\n', f'[{section}]\n{lines}\n')


def _replace(old, new, name='manila.conf'):
    def change(site):
        text = site.read(name)
        assert old in text, old
        site.write(name, text.replace(old, new))

    return change


def _append(text):
    return lambda site: site.write(
        'manila.conf', site.read('manila.conf') + text
    )


def _write(name, text):
    return lambda site: site.write(name, text)


def _both(*changes):
    def change(site):
        for one in changes:
            one(site)

    return change


def _backend(driver, lines=_MODE):
    """Enable one back end alone, with a driver of manila."""
    return _both(
        _replace('alpha,beta,gamma\n', 'other\n'),
        _append(f'[other]\nshare_driver = {_DRIVERS}{driver}\n{lines}'),
    )


def _driver_of_beta(driver):
    return _replace(
        f'BETA\nshare_driver = {sites.DUMMY}', f'BETA\nshare_driver = {driver}'
    )


def _keystone(lines):
    return _both(
        _replace('auth_strategy = noauth', 'auth_strategy = keystone'),
        _append(f'[keystone_authtoken]\n{lines}'),
    )


def _share(error, back_end='other'):
    return {f'manila-share@{back_end}': error}


def _since(release, after, before):
    return lambda major: after if major >= release else before


_EVERY = dict.fromkeys((_API, *_DAEMONS), 'ConfigFileValueError')
_NETAPP = f"""{_MODE}netapp_storage_family = ontap_cluster
netapp_server_hostname = 192.0.2.3
netapp_login = admin
netapp_password = 4-nobody-else
netapp_vserver = vs1
"""
_LOGIN = """auth_type = password
auth_url = http://192.0.2.1:5000
username = manila
password = 4-nobody-else
project_name = service
user_domain_name = Default
project_domain_name = Default
memcached_servers = 192.0.2.9:11211
"""

_FAULTS = {
    'nothing': Fault(lambda site: None, {}),
    'a number that is none': Fault(
        _replace('report_interval = 3\n', 'report_interval = ten\n'), _EVERY
    ),
    'a number below the least': Fault(_set('cleanup_interval = 60'), _EVERY),
    'a line without =': Fault(
        _replace('report_interval = 3\n', 'report_interval 3\n'),
        dict.fromkeys(
            (_API, 'manila-scheduler', 'manila-data', 'manila-share'),
            'ConfigFileParseError',
        ),
    ),
    'no such transport': Fault(
        _replace('= rabbit://', '= gone://'),
        dict.fromkeys((_API, *_DAEMONS), 'DriverLoadFailure'),
    ),
    'no such coordinator': Fault(
        _replace('= file://', '= gone://'),
        dict.fromkeys((_API, 'manila-scheduler', *_SHARES), 'NoMatches'),
    ),
    'no directory for logs': Fault(
        _set('log_dir = /nonexistent/log'),
        dict.fromkeys((_API, *_DAEMONS), 'FileNotFoundError'),
    ),
    'a directory for logs': Fault(_set('log_dir = /var/log'), {}),
    'no file for log_config_append': Fault(
        _set('log_config_append = /nonexistent/logging.conf'),
        dict.fromkeys((_API, *_DAEMONS), 'LogConfigError'),
    ),
    'no such protocol': Fault(
        _replace('= NFS,CIFS\n', '= NFS,CIFS,AFS\n'),
        _since(22, {_API: 'ConfigFileValueError'}, {_API: 'ManilaException'}),
        (_API,),
    ),
    'no such auth_strategy': Fault(
        _replace('auth_strategy = noauth', 'auth_strategy = keystone9'),
        _since(22, {_API: 'ConfigFileValueError'}, {_API: 'PasteAppNotFound'}),
        (_API,),
    ),
    'no such scheduler driver': Fault(
        _set('scheduler_driver = manila.scheduler.drivers.gone.Gone'),
        {'manila-scheduler': 'ModuleNotFoundError'},
        ('manila-scheduler',),
    ),
    'no such scheduler filter': Fault(
        _set('scheduler_default_filters = GoneFilter'),
        {},
        ('manila-scheduler',),
    ),
    'no such backup driver': Fault(
        _set('backup_driver = manila.data.drivers.gone.Gone'),
        {'manila-data': 'ModuleNotFoundError'},
        ('manila-data',),
    ),
    'a driver whose module is gone': Fault(
        _driver_of_beta(f'{_DRIVERS}gone.driver.GoneShareDriver'),
        _share('ModuleNotFoundError', 'beta'),
        ('manila-share',),
    ),
    'a driver whose class is gone': Fault(
        _driver_of_beta(f'{_DRIVERS}generic.GoneShareDriver'),
        _share('ImportError', 'beta'),
        ('manila-share',),
    ),
    'no mode': Fault(
        _replace('driver_handles_share_servers = True\n', ''),
        _share('ManilaException', 'gamma'),
        ('manila-share',),
    ),
    'a mode that is none': Fault(
        _replace('share_servers = True\n', 'share_servers = maybe\n'),
        _share('ConfigFileValueError', 'gamma'),
        ('manila-share',),
    ),
    'no section': Fault(
        _replace('alpha,beta,gamma\n', 'alpha,omega\n'),
        _share('ManilaException', 'omega'),
        ('manila-share',),
    ),
    'no mask for servers': Fault(
        _replace('standalone_network_plugin_mask = 24\n', ''),
        _share('NetworkBadConfigurationException', 'gamma'),
        ('manila-share',),
    ),
    'a ratio below 1': Fault(
        _set('max_over_subscription_ratio = 0.5', 'alpha'),
        _since(
            20,
            _share('ConfigFileValueError', 'alpha'),
            _share('InvalidParameterValue', 'alpha'),
        ),
        ('manila-share',),
    ),
    'no such hook': Fault(
        _set('hook_drivers = manila.share.hooks.gone.Gone', 'beta'),
        _share('ModuleNotFoundError', 'beta'),
        ('manila-share',),
    ),
    'no such plugin of Dell EMC': Fault(
        _backend(
            'dell_emc.driver.EMCShareDriver',
            f'{_MODE}emc_share_backend = vmax\n',
        ),
        _share('ConfigFileValueError'),
        ('manila-share',),
    ),
    'no plugin of Dell EMC': Fault(
        _backend('dell_emc.driver.EMCShareDriver'),
        _share('AttributeError'),
        ('manila-share',),
    ),
    'no such family of NetApp': Fault(
        _backend(
            'netapp.common.NetAppDriver',
            _NETAPP.replace('ontap_cluster', 'ontap_7mode'),
        ),
        _share('InvalidInput'),
        ('manila-share',),
    ),
    'a NetApp that is whole': Fault(
        _backend('netapp.common.NetAppDriver', _NETAPP),
        {},
        ('manila-share',),
        beyond=('connects to 192.0.2.3:',),
    ),
    'no pools of ZFS': Fault(
        _backend('zfsonlinux.driver.ZFSonLinuxShareDriver'),
        _share('TypeError'),
        ('manila-share',),
    ),
    'no library of Ceph': Fault(
        _backend('cephfs.driver.CephFSDriver'),
        _share('ShareBackendException'),
        ('manila-share',),
    ),
    'an LVM that is whole': Fault(
        _backend(
            'lvm.LVMShareDriver', f'{_MODE}lvm_share_export_ips = 192.0.2.4\n'
        ),
        {},
        ('manila-share',),
        beyond=('starts sudo',),
    ),
    'no login to Neutron': Fault(
        _backend(
            'generic.GenericShareDriver',
            'driver_handles_share_servers = True\nservice_instance_user = u\n',
        ),
        _share('BadConfigurationException'),
        ('manila-share',),
    ),
    'no file of the pipelines': Fault(
        lambda site: site.remove('api-paste.ini'),
        {_API: 'ConfigNotFound'},
        (_API,),
    ),
    'a factory that is gone': Fault(
        _replace(
            'manila.api.middleware.fault:',
            'manila.api.fault:',
            'api-paste.ini',
        ),
        {_API: 'ModuleNotFoundError'},
        (_API,),
    ),
    'a filter that is gone': Fault(
        _replace('[filter:sizelimit]', '[filter:other]', 'api-paste.ini'),
        {_API: 'PasteAppNotFound'},
        (_API,),
    ),
    'no root': Fault(
        _replace(
            '[composite:osapi_share]', '[composite:other]', 'api-paste.ini'
        ),
        {_API: 'PasteAppNotFound'},
        (_API,),
    ),
    'no such login': Fault(
        _keystone('auth_type = v2gone\n'), {_API: 'NoMatchingPlugin'}, (_API,)
    ),
    'a login without a URL': Fault(
        _keystone(_LOGIN.replace('auth_url', '#')),
        {_API: 'MissingRequiredOptions'},
        (_API,),
    ),
    'a login that is whole': Fault(_keystone(_LOGIN), {}, (_API,)),
    'no library of the database': Fault(
        _replace('mysql+pymysql://', 'mysql://'),
        {_API: 'ModuleNotFoundError'},
        (_API,),
    ),
    'policies that are no YAML': Fault(
        _write('policy.yaml', '"share:get_all": "role:admin\n - x: [\n'),
        {_API: 'ValueError'},
        (_API,),
    ),
    'policies that are a list': Fault(
        _write('policy.yaml', '- a\n- b\n'), {_API: 'AttributeError'}, (_API,)
    ),
    'a rule that is gone': Fault(
        _write('policy.yaml', '"share_server:index": "rule:system-reader"\n'),
        {},
        (_API,),
        ("Policies ['share_server:index'] reference a rule that is not",),
    ),
    'a rule that cannot be parsed': Fault(
        _write('policy.yaml', '"share:get_all": "role:a and and (rule:x"\n'),
        {},
        (_API,),
        ('Failed to understand rule role:a and and (rule:x',),
    ),
    'rules that refer to each other': Fault(
        _write(
            'policy.yaml',
            '"admin_api": "rule:context_is_admin"\n'
            '"context_is_admin": "rule:admin_api"\n',
        ),
        {_API: 'TypeError'},
        (_API,),
        ("Policies ['admin_api', 'context_is_admin'",),
    ),
    'policies that are not there': Fault(
        _append('[oslo_policy]\npolicy_file = gone.yaml\n'), {}, (_API,)
    ),
}

# What a program does not come to: a web server serves the API of 2026.2, the
# others load their policies and open the database at the first request.
_AT_START = ('import', 'start', 'application', 'options', 'coordination')
_LOAD = (
    'import sys; sys.argv[1:] = ["--config-file", %r]\n'
    'from manila.wsgi import wsgi; wsgi.initialize_application()'
)


@ddt.ddt
class ServiceStartsTest(testtools.TestCase):
    maxDiff = None

    def setUp(self):
        super().setUp()
        if not venvs.DIRECTORY:
            self.skipTest(venvs.NOT_SET)
        self.home = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def environment(self, major):
        folder = pathlib.Path(venvs.DIRECTORY, f'm{major}')
        if not folder.exists():
            self.skipTest(f'{folder} is not there')
        return folder

    def site(self, major, fault):
        state = self.home / 'state'
        state.mkdir()
        site = sites.make(
            self.home / 'home',
            self.environment(major) / 'etc' / 'manila' / 'api-paste.ini',
            state=state,
            connection='mysql+pymysql://manila@127.0.0.1:1/manila',
            transport_url='rabbit://guest@127.0.0.1:1/',
            api_port=8786,
            backup=self.home,
            api_server='',
        )
        fault.change(site)
        return site

    def start(self, major, site, names):
        folder = self.home / 'folder'
        folder.mkdir()
        starts = service_starts.start(
            target.Interpreter(
                str(self.environment(major) / 'bin' / 'python')
            ),
            [
                one
                for one in service_files.given([str(site.conf)])
                if not names or one.service in names
            ],
            {'place': {}, 'settings': []},
            '',
            str(folder),
            1800.0,
        )
        self.assertEqual('', starts.not_run)
        return starts.outcomes

    @ddt.data(*((major, name) for name in _FAULTS for major in _MAJORS))
    @ddt.unpack
    def test_what_ends(self, major, name):
        fault = _FAULTS[name]
        site = self.site(major, fault)
        ends = fault.ends(major) if callable(fault.ends) else fault.ends
        outcomes = self.start(major, site, fault.services)
        stops = [(one.name, stop) for one in outcomes for stop in one.stopped]
        self.assertEqual(
            ends,
            {who: stop.error for who, stop in stops if stop.ends},
            str(stops),
        )
        logged = [stop.words for _, stop in stops if not stop.ends]
        self.assertEqual(len(fault.logs), len(logged), str(logged))
        for words, expected in zip(logged, fault.logs):
            self.assertIn(expected, words)
        beyond = [
            one
            for outcome in outcomes
            for one in outcome.beyond
            if one.door != 'reads the database'
        ]
        self.assertEqual([], [one for one in beyond if one.unknown])
        self.assertEqual(len(fault.beyond), len(beyond), str(beyond))
        for one, expected in zip(beyond, fault.beyond):
            self.assertIn(expected, one.door)
        # The directory of state is the operator's.
        self.assertEqual([], os.listdir(self.home / 'state'))
        self.really(major, site, stops)

    def really(self, major, site, stops):
        """Run each program that ends, and see it end so."""
        tried = set()
        for who, stop in stops:
            program = who.partition('@')[0]
            if (
                stop.at not in _AT_START
                or program in tried
                # Of a database that is not there nothing else is said.
                or stop.at == 'coordination'
            ):
                continue
            tried.add(program)
            folder = self.environment(major) / 'bin'
            words = [str(folder / program), '--config-file', str(site.conf)]
            if program == _API:
                code = _LOAD % str(site.conf)
                words = [str(folder / 'python'), '-c', code]
            self.assert_ends(words, site.env(folder), stop.error)

    def assert_ends(self, words, env, error):
        """Run a program until it says an exception.

        The parent of other back ends waits for them before it ends.
        """
        log = self.home / 'log'
        with open(log, 'wb') as stream:
            process = subprocess.Popen(
                words,
                env=env,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + _REAL_SECONDS
            text = ''
            while error not in text and time.monotonic() < deadline:
                ended = process.poll() is not None
                text = log.read_text(errors='replace')
                if ended:
                    break
                time.sleep(0.2)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.assertIn(error, text)
        self.assertNotEqual(0, process.returncode)
