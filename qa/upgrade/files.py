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

"""Scenarios that break one file of a controller, each in one way.

A scenario expects the findings that an operator needs. They are derived from
what the real release does, never from what the command says.
"""

import dataclasses
import os
import shutil
from typing import Callable
from typing import Optional

from qa.upgrade import fill
from qa.upgrade import processes
from qa.upgrade import remedy
from qa.upgrade import site as sites

ENABLED = 'enabled_share_backends = alpha,beta,gamma\n'

#: manila-api serves TLS, with files that nobody has made.
NO_CERTIFICATE = """\
[DEFAULT]
osapi_share_use_ssl = True
[ssl]
cert_file = /nowhere/manila.crt
key_file = /nowhere/manila.key
"""


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One way to break a file."""

    name: str
    #: Breaks a site; called with the site and the path of the upgrade.
    breaks: Callable
    #: ((severity, pattern of keys), ...), or with the release that an upgrade
    #: must cross: ((severity, pattern of keys, release), ...).
    expects: tuple
    #: What to observe: a service (share, data, scheduler, api, program), or
    #: something else (policy, option, emc, host, pinned).
    service: str
    #: In how many rows manila-share has to report after the remediation.
    rows: int = 3
    #: Says whether it applies to an upgrade; None: to all.
    when: Optional[Callable] = None
    #: Selects items of a remediation; None: all of them.
    picks: Optional[Callable] = None
    #: Does what the remediation leaves to the operator.
    by_hand: Optional[Callable] = None
    #: The option whose effect is observed: (group, name).
    option: Optional[tuple] = None
    #: With what rights are compared: those of the source on the same files
    #: ('source'), or those of the target without any override.
    against: str = 'defaults'
    #: Whether the command gets the facts of the target's environment.
    facts: bool = False

    def expected(self, path):
        """Return what to expect of an upgrade: ((severity, pattern), ...)."""
        return tuple(
            (severity, pattern)
            for severity, pattern, *crossed in self.expects
            if all(_crosses(release)(path) for release in crossed)
        )


def _edit(old, new, name='manila.conf'):
    return lambda site, path: site.edit(old, new, name)


def _replace_all(old, new, name='manila.conf'):
    """Return a function that replaces text wherever it is in a file."""

    def breaks(site, path=None):
        text = site.read(name)
        if old not in text:
            raise processes.Broken(f'no {old!r} in {name}')
        site.write(name, text.replace(old, new))

    return breaks


def _set(lines):
    """Return a function that writes options to [DEFAULT]."""
    return _edit('[DEFAULT]\n', f'[DEFAULT]\n{lines}\n')


def _write(name, text):
    return lambda site, path: site.write(name, text)


def _old_paste(site, path):
    shutil.copy(path.source_etc / 'api-paste.ini', site.path('api-paste.ini'))


def _named_paste(site, path):
    """Name the file by api_paste_config, beside one that is of no use."""
    shutil.copy(site.path('api-paste.ini'), site.path('site-paste.ini'))
    site.write('api-paste.ini', '[composite:osapi_share]\n')
    site.edit(
        '[DEFAULT]\n',
        f'[DEFAULT]\napi_paste_config = {site.path("site-paste.ini")}\n',
    )


def _filter_of_another(site, path):
    """Add a filter of a package that the target's environment lacks."""
    _replace_all('\nnoauth = cors ', '\nnoauth = acme cors ', 'api-paste.ini')(
        site
    )
    site.write(
        'api-paste.ini',
        site.read('api-paste.ini')
        + '[filter:acme]\npaste.filter_factory = acme.audit:filter_factory\n',
    )


def _driver_of_beta(driver):
    return _edit(
        f'[beta]\nshare_backend_name = BETA\nshare_driver = {sites.DUMMY}',
        f'[beta]\nshare_backend_name = BETA\nshare_driver = {driver}',
    )


def _no_mode(site, path):
    site.edit('driver_handles_share_servers = True\n', '')


def _emc(name):
    """Return a function that adds a Dell EMC back end and its version."""

    def breaks(site, path):
        site.edit(ENABLED, ENABLED.rstrip() + ',emc\n')
        site.write(
            'manila.conf',
            site.read('manila.conf')
            + '[emc]\nshare_driver = manila.share.drivers.dell_emc.driver.'
            'EMCShareDriver\ndriver_handles_share_servers = '
            + ('True' if name == 'vmax' else 'False')
            + f'\nemc_share_backend = {name}\nemc_nas_server = 192.0.2.1\n'
            'emc_nas_login = manila\nemc_nas_password = 4-nobody-else\n'
            'emc_nas_root_dir = /ifs/manila\nemc_ssl_cert_verify = False\n'
            + (sites.STANDALONE_NETWORK if name == 'vmax' else '')
            + '[manila_precheck_backend_drivers]\nstorage_inventory = '
            f'{site.path("inventory.yaml")}\n',
        )
        system = (
            'PowerMax eNAS OE for File\n    version: 8.1.15'
            if name == 'vmax'
            else 'OneFS\n    version: 9.10.0.1'
        )
        site.write(
            'inventory.yaml',
            f'backends:\n  emc:\n    system: {system}\n',
        )

    return breaks


def _crosses(release):
    """Return a function that says whether an upgrade crosses a release."""
    return lambda path: path.source.major < release <= path.target.major


def _since(release):
    return lambda path: path.target.major >= release


def _gone(group, name, value, *releases):
    """Return a scenario for an option that the target does not have."""
    key = f'config-options[[]{group}/{name}]'
    return Scenario(
        f'[{group}] {name}, which the target does not have',
        lambda site, path: site.write(
            'manila.conf',
            site.read('manila.conf') + f'[{group}]\n{name} = {value}\n',
        ),
        (('warning', key),),
        'option',
        option=(group, name),
        when=lambda path: any(_crosses(r)(path) for r in releases),
    )


def _without_rule(text):
    """Return a function that removes a rule from policy.yaml by hand."""

    def by_hand(site):
        kept = [
            line
            for line in site.read('policy.yaml').splitlines()
            if text not in line
        ]
        site.write('policy.yaml', '\n'.join(kept) + '\n')

    return by_hand


def _without_file(name):
    return lambda site: os.remove(site.path(name))


def _put(lines):
    """Return a function that adds lines to manila.conf by hand."""
    return lambda site: site.write(
        'manila.conf', remedy.put_lines(site.read('manila.conf'), lines)
    )


def _only(*numbers):
    """Return a function that selects items of a remediation by number."""
    return lambda items: [items[number] for number in numbers]


def _config_items(items):
    return [item for item in items if item['kind'] == 'config']


def _own_url(site, scheme):
    """Restore the original value of an option, except for its scheme."""
    text = site.read('manila.conf')
    site.write(
        'manila.conf',
        text.replace('amqp://', scheme).replace('zake://', 'file://'),
    )


#: The scenarios. All use the same control plane, and each starts the service
#: that it affects.
SCENARIOS = (
    Scenario(
        'the api-paste.ini of the source is kept',
        _old_paste,
        (('failure', 'api-paste[[]app:api#factory]'),),
        'api',
        when=_crosses(22),
    ),
    Scenario(
        'an api-paste.ini of another name',
        _named_paste,
        (),
        'api',
    ),
    Scenario(
        'a filter that the environment of the target lacks',
        _filter_of_another,
        (('failure', 'api-paste[[]filter:acme#factory]'),),
        'api',
        facts=True,
        picks=lambda items: [],
        by_hand=_replace_all(' acme cors ', ' cors ', 'api-paste.ini'),
    ),
    Scenario(
        'manila-api serves the API by itself',
        lambda site, path: site.edit(sites.API_SERVER, ''),
        (
            (
                'failure',
                'upgrade-advisories[[]manila-api#api-built-in-server-removed]',
            ),
        ),
        'program',
        when=_crosses(23),
        # From then on a web server serves the API; the files say so.
        by_hand=lambda site: site.write(
            'manila.conf', site.read('manila.conf') + sites.API_SERVER
        ),
    ),
    Scenario(
        'a certificate that is not there',
        lambda site, path: site.write(
            'manila.conf', site.read('manila.conf') + NO_CERTIFICATE
        ),
        (
            ('failure', 'service-startup[[]ssl/*#tls]'),
            ('warning', 'config-options[[]ssl/cert_file#deprecated]', 20),
            ('warning', 'config-options[[]ssl/key_file#deprecated]', 20),
        ),
        'program',
        # From then on a web server serves the API, with files of its own.
        when=lambda path: path.target.major < 23,
        picks=lambda items: [],
        by_hand=lambda site: site.edit(NO_CERTIFICATE, ''),
    ),
    Scenario(
        'an address that this host does not have',
        _edit(
            'osapi_share_listen = 127.0.0.1\n',
            'osapi_share_listen = 192.0.2.1\n',
        ),
        (('failure', 'service-startup[[]DEFAULT/osapi_share_listen#*'),),
        'program',
        when=lambda path: path.target.major < 23,
        picks=lambda items: [],
        by_hand=lambda site: site.edit('192.0.2.1', '127.0.0.1'),
    ),
    Scenario(
        'a directory of logs that is not there',
        _set('log_dir = /nowhere/log'),
        (('failure', 'service-startup[[]DEFAULT/log_dir#path]'),),
        'data',
        picks=lambda items: [],
        by_hand=lambda site: site.edit('log_dir = /nowhere/log\n', ''),
    ),
    Scenario(
        'a controller with a new name',
        _edit(f'host = {sites.HOST}\n', 'host = ctl9\n'),
        (('warning', f'backends-in-use[[]{sites.HOST}@*]'),),
        'host',
        # The name of before; not the commands that rename each host.
        picks=lambda items: _config_items(items)[:1],
    ),
    Scenario(
        'a back end that drops the name to which a share type is pinned',
        _edit('share_backend_name = BETA\n', 'share_backend_name = SECOND\n'),
        (('warning', f'share-types[[]{fill.PINNED}*'),),
        'pinned',
        picks=lambda items: [],
        by_hand=lambda site: site.edit('= SECOND\n', '= BETA\n'),
    ),
    Scenario(
        'quorum queues where the broker has classic ones',
        lambda site, path: site.write(
            'manila.conf',
            site.read('manila.conf')
            + '[oslo_messaging_rabbit]\nrabbit_quorum_queue = True\n',
        ),
        (
            (
                'failure',
                'service-connections[[]oslo_messaging_rabbit/'
                'rabbit_quorum_queue#queues]',
            ),
        ),
        'data',
        picks=lambda items: [],
        by_hand=lambda site: site.edit('rabbit_quorum_queue = True\n', ''),
    ),
    Scenario(
        'a driver whose module is gone',
        _driver_of_beta('manila.share.drivers.gone.driver.GoneShareDriver'),
        (
            ('failure', 'backend-drivers[[]beta#driver]'),
            ('warning', 'backends-in-use[[]ctl1@beta]'),
        ),
        'share',
        by_hand=lambda site: _driver_of_beta_back(site),
        picks=lambda items: [],
    ),
    Scenario(
        'a driver whose class is gone from its module',
        _driver_of_beta('manila.share.drivers.generic.GoneShareDriver'),
        (
            ('failure', 'backend-drivers[[]beta#driver]'),
            ('warning', 'backends-in-use[[]ctl1@beta]'),
        ),
        'share',
        rows=2,
        picks=_config_items,
        by_hand=_put(
            '[manila_precheck]\nother_backends = ctl2@delta,ctl1@beta'
        ),
    ),
    Scenario(
        'emc_share_backend = vmax',
        _emc('vmax'),
        (('failure', 'backend-drivers[[]emc#plugin]'),),
        'share',
        when=_crosses(18),
    ),
    Scenario(
        'emc_share_backend = isilon',
        _emc('isilon'),
        (('warning', 'backend-drivers[[]emc#plugin]'),),
        'emc',
        when=_crosses(21),
    ),
    Scenario(
        'driver_handles_share_servers is not set',
        _no_mode,
        (('failure', 'backend-drivers[[]gamma#mode]'),),
        'share',
        # The remediation offers False or True, depending on the shares.
        picks=lambda items: _config_items(items)[1:],
    ),
    Scenario(
        'no back end is enabled',
        _edit(ENABLED, 'enabled_share_backends =\n'),
        (('failure', 'backend-drivers[[]*'),),
        'share',
    ),
    Scenario(
        'a network without its mask',
        _edit(
            'standalone_network_plugin_mask = 24\n'
            'standalone_network_plugin_network_type = flat\n'
            'admin_network_config_group',
            'standalone_network_plugin_network_type = flat\n'
            'admin_network_config_group',
        ),
        (('failure', 'backend-drivers[[]gamma#network-gamma]'),),
        'share',
    ),
    Scenario(
        'an enabled back end has no section',
        _edit(ENABLED, ENABLED.rstrip() + ',omega\n'),
        (('failure', 'backend-drivers[[]omega#section]'),),
        'share',
    ),
    Scenario(
        'a value that auth_strategy had and has no more',
        _edit(
            'auth_strategy = noauth\n', 'auth_strategy = keystone_nolimit\n'
        ),
        (('failure', 'config-options[[]DEFAULT/auth_strategy#value]'),),
        'api',
        when=_crosses(22),
        # The default is keystone; the operator of this site needs noauth.
        picks=lambda items: [],
        by_hand=_put('[DEFAULT]\nauth_strategy = noauth'),
    ),
    Scenario(
        'cleanup_interval below its least value',
        _set('cleanup_interval = 60'),
        (('failure', 'config-options[[]DEFAULT/cleanup_interval#value]'),),
        'data',
    ),
    Scenario(
        'a number that is none',
        _edit('report_interval = 3\n', 'report_interval = ten\n'),
        (('failure', 'config-options[[]DEFAULT/report_interval#value]'),),
        'data',
    ),
    Scenario(
        'a line without =',
        _edit('report_interval = 3\n', 'report_interval 3\n'),
        (('failure', 'command#could-not-run'),),
        'data',
        by_hand=lambda site: site.edit(
            'report_interval 3\n', 'report_interval = 3\n'
        ),
    ),
    Scenario(
        'a protocol that does not exist',
        _edit('= NFS,CIFS\n', '= NFS,CIFS,AFS\n'),
        (
            (
                'failure',
                # From oslo.config; before it could, from manila-api itself.
                'config-options[[]DEFAULT/enabled_share_protocols#[nv]*]',
            ),
        ),
        'api',
    ),
    Scenario(
        'no transport has the scheme of transport_url',
        _replace_all('= rabbit://', '= amqp://'),
        (('failure', 'config-options[[]DEFAULT/transport_url#names]'),),
        'data',
        by_hand=lambda site: _own_url(site, 'rabbit://'),
        # Before that, oslo.messaging has the driver, without its library.
        when=_since(20),
    ),
    Scenario(
        'no coordinator has the scheme of backend_url',
        _replace_all('= file://', '= zake://'),
        (('failure', 'config-options[[]coordination/backend_url#names]'),),
        'share',
        by_hand=lambda site: _own_url(site, 'amqp://'),
        # Before that, tooz has the driver, without its library.
        when=_since(22),
    ),
    Scenario(
        'a scheduler driver that is gone',
        _set('scheduler_driver = manila.scheduler.drivers.gone.Gone'),
        (('failure', 'config-options[[]DEFAULT/scheduler_driver#names]'),),
        'scheduler',
    ),
    Scenario(
        'a scheduler filter that nobody has',
        _set(
            'scheduler_default_filters = AvailabilityZoneFilter,GoneFilter,'
            'CapacityFilter,CapabilitiesFilter'
        ),
        (
            (
                'warning',
                'config-options[[]DEFAULT/scheduler_default_filters#names*',
            ),
        ),
        'scheduler',
    ),
    Scenario(
        'a scheduler weigher that nobody has',
        _set('scheduler_default_weighers = GoneWeigher'),
        (
            (
                'warning',
                'config-options[[]DEFAULT/scheduler_default_weighers#names*',
            ),
        ),
        'scheduler',
    ),
    Scenario(
        'a backup driver that is gone',
        _set('backup_driver = manila.data.drivers.gone.Gone'),
        (('failure', 'config-options[[]DEFAULT/backup_driver#names]'),),
        'data',
    ),
    Scenario(
        'an option under an old name',
        _set('quota_shares = 40'),
        (),
        'api',
    ),
    Scenario(
        'an option that no release knows',
        _edit('[alpha]\n', '[alpha]\nnobody_reads_this = 1\n'),
        (),
        'share',
    ),
    _gone('database', 'mysql_enable_ndb', 'False', 18),
    _gone(
        'oslo_messaging_rabbit',
        'ssl_enforce_hostname_verification',
        'False',
        21,
    ),
    _gone('oslo_messaging_rabbit', 'heartbeat_in_pthread', 'False', 23),
    Scenario(
        'max_over_subscription_ratio below 1',
        _edit('[alpha]\n', '[alpha]\nmax_over_subscription_ratio = 0.5\n'),
        (
            (
                'failure',
                'config-options[[]alpha/max_over_subscription_ratio#value]',
            ),
        ),
        'share',
        when=_crosses(19),
    ),
    Scenario(
        'a value that the source refuses and the target takes',
        _set('unused_share_server_cleanup_interval = 100'),
        (),
        'share',
        when=_crosses(20),
    ),
    Scenario(
        'deprecated options are fatal',
        _set('quota_shares = 40\nfatal_deprecations = True'),
        (('failure', 'config-options[[]DEFAULT/quota_shares]'),),
        # manila-api in a web server reads it only at the first request for
        # quotas.
        'data',
    ),
    Scenario(
        'a policy refers to a rule that is gone',
        _write(
            'policy.yaml',
            '"share_server:index": "rule:system-reader"\n',
        ),
        (('failure', 'policy-rules[[]share_server:index#reference-*'),),
        'policy',
        by_hand=_without_rule('system-reader'),
    ),
    Scenario(
        'a policy that cannot be parsed',
        _write('policy.yaml', '"share:get_all": "role:a and and (rule:x"\n'),
        (('warning', 'policy-rules[[]share:get_all#syntax]'),),
        'policy',
        by_hand=_without_rule('role:a and and'),
    ),
    Scenario(
        'a policy with nothing behind it',
        _write('policy.yaml', '"share_server:index": !\n'),
        (('failure', 'policy-rules[[]share_server:index#*'),),
        'policy',
        by_hand=_without_rule('share_server:index'),
        picks=lambda items: [],
    ),
    Scenario(
        'policy.yaml is no YAML',
        _write('policy.yaml', '"share:get_all": "role:admin\n - x: [\n'),
        (('failure', 'policy-rules[[]policy.yaml]'),),
        'policy',
        by_hand=_without_file('policy.yaml'),
    ),
    Scenario(
        'rules of administrators that refer to each other',
        _write(
            'policy.yaml',
            '"admin_api": "rule:context_is_admin"\n'
            '"context_is_admin": "rule:admin_api"\n',
        ),
        (('failure', 'policy-rules[[]*#cycle]'),),
        'policy',
        by_hand=_without_file('policy.yaml'),
    ),
    Scenario(
        'policy.json beside manila.conf',
        _write('policy.json', '{"share_type:index": "!"}\n'),
        (
            ('failure', 'policy-rules[[]policy.json]'),
            ('failure', 'policy-rules[[]share_type:index#opened]'),
        ),
        'policy',
        when=_crosses(22),
        against='source',
    ),
)


def _driver_of_beta_back(site):
    site.edit(
        'share_driver = manila.share.drivers.gone.driver.GoneShareDriver',
        f'share_driver = {sites.DUMMY}',
    )
