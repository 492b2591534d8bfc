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
"""Faults in the files of a controller, and the services that they end.

:mod:`.test_service_starts` compares each with the programs of the releases.
"""

from typing import Callable
from typing import NamedTuple
from typing import Union

from qa.upgrade import site as sites

#: {the service, or manila-share@BACKEND: its exception}; or a function that
#: returns it, called with the major version of a release.
Ends = Union[dict, Callable[[int], dict]]

API = 'manila-api'
_SHARES = ('manila-share@alpha', 'manila-share@beta', 'manila-share@gamma')
_DAEMONS = ('manila-scheduler', 'manila-data', *_SHARES)
_DRIVERS = 'manila.share.drivers.'
_MODE = 'driver_handles_share_servers = False\n'


class Fault(NamedTuple):
    """A change of the files, and its effect on the services."""

    change: Callable
    """Changes the files; called with the site."""

    ends: Ends
    """The services that end, and no others."""

    services: tuple = ()
    """The services to start; () for all."""

    logs: tuple = ()
    """Parts of the warnings that are logged about policies."""

    beyond: tuple = ()
    """Parts of the reasons why starts could not be rehearsed further."""


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
    """Enable only one back end, with a driver of manila."""
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


_EVERY = dict.fromkeys((API, *_DAEMONS), 'ConfigFileValueError')
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

#: The faults by name.
FAULTS = {
    'nothing': Fault(lambda site: None, {}),
    'a number that is none': Fault(
        _replace('report_interval = 3\n', 'report_interval = ten\n'), _EVERY
    ),
    'a number below the least': Fault(_set('cleanup_interval = 60'), _EVERY),
    'a line without =': Fault(
        _replace('report_interval = 3\n', 'report_interval 3\n'),
        dict.fromkeys(
            (API, 'manila-scheduler', 'manila-data', 'manila-share'),
            'ConfigFileParseError',
        ),
    ),
    'no such transport': Fault(
        _replace('= rabbit://', '= gone://'),
        dict.fromkeys((API, *_DAEMONS), 'DriverLoadFailure'),
    ),
    'a coordinator without a name': Fault(
        _replace('backend_url = file://', 'backend_url =\n#'),
        {'manila-scheduler': 'NoMatches'},
        ('manila-scheduler',),
    ),
    'no such coordinator': Fault(
        _replace('= file://', '= gone://'),
        dict.fromkeys((API, 'manila-scheduler', *_SHARES), 'NoMatches'),
    ),
    'no directory for logs': Fault(
        _set('log_dir = /nonexistent/log'),
        dict.fromkeys((API, *_DAEMONS), 'FileNotFoundError'),
    ),
    'a level of logging that is none': Fault(
        _set('default_log_levels = amqp'),
        {'manila-data': 'ValueError'},
        ('manila-data',),
    ),
    'a directory for logs': Fault(_set('log_dir = /var/log'), {}),
    'no file for log_config_append': Fault(
        _set('log_config_append = /nonexistent/logging.conf'),
        dict.fromkeys((API, *_DAEMONS), 'LogConfigError'),
    ),
    'no such protocol': Fault(
        _replace('= NFS,CIFS\n', '= NFS,CIFS,AFS\n'),
        _since(22, {API: 'ConfigFileValueError'}, {API: 'ManilaException'}),
        (API,),
    ),
    'no such auth_strategy': Fault(
        _replace('auth_strategy = noauth', 'auth_strategy = keystone9'),
        _since(22, {API: 'ConfigFileValueError'}, {API: 'PasteAppNotFound'}),
        (API,),
    ),
    'no such scheduler driver': Fault(
        _set('scheduler_driver = manila.scheduler.drivers.gone.Gone'),
        {'manila-scheduler': 'ModuleNotFoundError'},
        ('manila-scheduler',),
    ),
    'no attempt to schedule': Fault(
        _set('scheduler_max_attempts = 0'),
        {'manila-scheduler': 'InvalidParameterValue'},
        ('manila-scheduler',),
    ),
    'no such manager': Fault(
        _set('scheduler_manager = manila.scheduler.gone.Gone'),
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
        {API: 'ConfigNotFound'},
        (API,),
    ),
    'a factory that is gone': Fault(
        _replace(
            'manila.api.middleware.fault:',
            'manila.api.fault:',
            'api-paste.ini',
        ),
        {API: 'ModuleNotFoundError'},
        (API,),
    ),
    'a filter that is gone': Fault(
        _replace('[filter:sizelimit]', '[filter:other]', 'api-paste.ini'),
        {API: 'PasteAppNotFound'},
        (API,),
    ),
    'a boolean of a filter that is none': Fault(
        _append('[cors]\nallowed_origin = *\nallow_credentials = maybe\n'),
        {API: 'ConfigFileValueError'},
        (API,),
    ),
    'no root': Fault(
        _replace(
            '[composite:osapi_share]', '[composite:other]', 'api-paste.ini'
        ),
        {API: 'PasteAppNotFound'},
        (API,),
    ),
    'no such login': Fault(
        _keystone('auth_type = v2gone\n'), {API: 'NoMatchingPlugin'}, (API,)
    ),
    'a login without a URL': Fault(
        _keystone(_LOGIN.replace('auth_url', '#')),
        {API: 'MissingRequiredOptions'},
        (API,),
    ),
    'a login that is whole': Fault(_keystone(_LOGIN), {}, (API,)),
    'no URL of a database': Fault(
        _replace('mysql+pymysql://', 'mysql+pymysql:'),
        {API: 'ArgumentError'},
        (API,),
    ),
    'no library of the database': Fault(
        _replace('mysql+pymysql://', 'mysql://'),
        {API: 'ModuleNotFoundError'},
        (API,),
    ),
    'policies that are no YAML': Fault(
        _write('policy.yaml', '"share:get_all": "role:admin\n - x: [\n'),
        {API: 'ValueError'},
        (API,),
    ),
    'policies that are a list': Fault(
        _write('policy.yaml', '- a\n- b\n'), {API: 'AttributeError'}, (API,)
    ),
    'a rule that is gone': Fault(
        _write('policy.yaml', '"share_server:index": "rule:system-reader"\n'),
        {},
        (API,),
        ("Policies ['share_server:index'] reference a rule that is not",),
    ),
    'a rule that cannot be parsed': Fault(
        _write('policy.yaml', '"share:get_all": "role:a and and (rule:x"\n'),
        {},
        (API,),
        ('Failed to understand rule role:a and and (rule:x',),
    ),
    'rules that refer to each other': Fault(
        _write(
            'policy.yaml',
            '"admin_api": "rule:context_is_admin"\n'
            '"context_is_admin": "rule:admin_api"\n',
        ),
        {API: 'TypeError'},
        (API,),
        ("Policies ['admin_api', 'context_is_admin'",),
    ),
    'policies that are not there': Fault(
        _append('[oslo_policy]\npolicy_file = gone.yaml\n'), {}, (API,)
    ),
}
