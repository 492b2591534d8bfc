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

"""Files that nobody would write: only our own words, and never a hang.

Each test makes texts of the pieces that its format is made of, in any order,
and reads them as a run would: through the source, and with the checks that
look at it. ``tox -e fuzz`` tries a hundred thousand; the suite a few hundred.
"""

import contextlib
import json
import os
import signal
import tempfile

import hypothesis
from hypothesis import strategies
import testtools

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import testing
from manila_precheck.catalog import matrix_format
from manila_precheck.checks.backend_drivers import inventory
from manila_precheck.engine import report_reader
from manila_precheck.engine import waiver_file
from manila_precheck.evidence.files import yaml_file
from manila_precheck.reporters import json_report
from manila_precheck.tests import reports

#: How many texts each test tries.
EXAMPLES = int(os.environ.get('MANILA_PRECHECK_FUZZ_EXAMPLES', '200'))

# A hang is what computes this long. The time of the clock says less: on a
# machine that is busy any text may take it.
SECONDS = 30

# Or what waits this long for something that never comes.
SECONDS_OF_THE_CLOCK = 300

_SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES <= 200,
    suppress_health_check=list(hypothesis.HealthCheck),
)

_ODD = (
    '\x00 \x1b[31m \u202e \u2028 \ufeff \xa0 \ud7ff \U0010ffff é 中 ２ \t '
    '\r \x85 % $ $$ ${ } \\ \\$ \' " ` ; # ! & * | > < @ ? , ~ {{ }} %s %(x)s'
).split(' ')

# Bytes that are no UTF-8, as Python writes them with surrogateescape.
_BYTES = ('\udcff', '\udcc3', '\udced\udca0\udc80')

_NUMBERS = ('0', '-1', '1e999', 'nan', '9' * 400, '0x10', '1_000', '')


def _texts(sample, *pieces):
    """Return a strategy: pieces of a format, or a good file that was hurt.

    :param sample: a file without a fault.
    """
    piece = _piece(pieces)
    return strategies.one_of(
        strategies.lists(piece, max_size=40).map(''.join),
        strategies.lists(
            strategies.tuples(_PLACE, strategies.integers(0, 20), piece),
            min_size=1,
            max_size=4,
        ).map(lambda changes: _hurt(sample, changes)),
    )


#: A place in a text, in parts of a million.
_PLACE = strategies.integers(0, 10**6)


def _hurt(text, changes):
    """Return a text with something else in some places.

    :param changes: each (place, how many characters go, what comes).
    """
    for place, gone, new in changes:
        at = place * len(text) // 10**6
        text = f'{text[:at]}{new}{text[at + gone :]}'
    return text


def _piece(pieces):
    """Return a strategy: a piece of a format, odd characters, any text."""
    odd = (*_ODD, *_NUMBERS, '\n', ' ', '\n\n')
    return strategies.one_of(
        strategies.sampled_from(pieces),
        strategies.sampled_from(pieces),
        # Not often: a file with such a byte is refused as a whole.
        strategies.sampled_from((*odd * 5, *_BYTES)),
        strategies.text(max_size=8),
    )


_CONFIG = _texts(
    """\
[DEFAULT]
enabled_share_backends = lvm1,netapp1
transport_url = rabbit://a:b@c:5672/
scheduler_default_filters = AvailabilityZoneFilter,CapacityFilter
quota_shares = 10
my_ip = 10.0.0.1
[database]
connection = mysql+pymysql://u:p@h/manila?charset=utf8
[lvm1]
share_driver = manila.share.drivers.lvm.LVMShareDriver
driver_handles_share_servers = False
lvm_share_export_ips = 10.0.0.2
[netapp1]
share_driver = manila.share.drivers.netapp.common.NetAppDriver
driver_handles_share_servers = True
netapp_storage_family = ontap_cluster
network_config_group = net1
[net1]
network_api_class = manila.network.neutron.neutron_network_plugin
[keystone_authtoken]
auth_type = password
auth_url = http://keystone/
[oslo_policy]
policy_file = policy.yaml
""",
    '[DEFAULT]\n',
    '[database]\n',
    '[lvm1]\n',
    '[keystone_authtoken]\n',
    '[oslo_policy]\n',
    '[',
    ']',
    ' = ',
    '=',
    ':',
    '\n ',
    'enabled_share_backends = lvm1,netapp1, ,lvm1\n',
    'enabled_share_backends = $enabled_share_backends\n',
    'share_driver = manila.share.drivers.lvm.LVMShareDriver\n',
    'share_driver = manila.share.drivers.dell_emc.driver.EMCShareDriver\n',
    'emc_share_backend = ',
    'driver_handles_share_servers = False\n',
    'network_config_group = lvm1\n',
    'neutron_binding_profiles = a,b\n',
    'auth_section = keystone_authtoken\n',
    'auth_type = password\n',
    'auth_url = http://u:p@[::1/\n',
    'transport_url = rabbit://a:b@c:d/e,f:g@h\n',
    'connection = mysql+pymysql://u:p@h/d?charset=utf8\n',
    'connection = //\n',
    'quota_shares = ',
    'quota_shares = $state_path\n',
    'state_path = $state_path\n',
    'share_helpers = a=b,c\n',
    'report_interval = ',
    'osapi_share_listen = ',
    'api_paste_config = /dev/null\n',
    'policy_file = /dev/zero\n',
    'policy_dirs = .\n',
    'fatal_deprecations = true\n',
    'scheduler_default_filters = A,,B\n',
    'backend_url = etcd3+http://\n',
)

_POLICY = _texts(
    """\
"context_is_admin": "role:admin"
"default": "rule:admin_or_owner"
"share:create": "rule:default and not role:reader"
"share:get": "(role:admin or project_id:%(project_id)s) and @"
"share_type:index": [["role:admin"], ["rule:default", "role:member"]]
"service:index": "http://policy:8080/%(user_id)s"
""",
    '"share:create": ',
    'share:get: ',
    'default: ',
    'context_is_admin: ',
    '"rule:default"\n',
    '"role:admin or (project_id:%(project_id)s and not role:reader)"\n',
    "'!'\n",
    '!\n',
    '@\n',
    '[]\n',
    '[["role:admin"], [@]]\n',
    '{"share:create": "!"}',
    '{',
    '}',
    '[',
    ']',
    '- ',
    ': ',
    'rule:',
    'role:',
    'http://%(x)s',
    'not ',
    ' and ',
    ' or ',
    '(',
    ')',
    '&a ',
    '*a ',
    '!!python/object/apply:os.system ["exit 1"]\n',
    '<<: *a\n',
    '---\n',
    '2001-13-45\n',
    'null\n',
)

_PASTE = _texts(
    """\
[DEFAULT]
name = manila
[composite:osapi_share]
use = call:manila.api:root_app_factory
/: apiversions
/v2: openstack_share_api_v2
[composite:openstack_share_api_v2]
use = call:manila.api.middleware.auth:pipeline_factory
noauth = cors faultwrap apiv2
keystone = cors authtoken keystonecontext apiv2
[filter:faultwrap]
paste.filter_factory = manila.api.middleware.fault:FaultWrapper.factory
[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory
oslo_config_project = %(name)s
[app:apiv2]
paste.app_factory = manila.api.v2.router:APIRouter.factory
[pipeline:apiversions]
pipeline = cors faultwrap osshareversionapp
[app:osshareversionapp]
paste.app_factory = manila.api.versions:VersionsRouter.factory
""",
    '[composite:osapi_share]\n',
    '[composite:x]\n',
    '[app:apiv2]\n',
    '[filter:a]\n',
    '[pipeline:p]\n',
    '[filter-app:f]\n',
    '[DEFAULT]\n',
    'use = call:manila.api:root_app_factory\n',
    'use = call:manila.api.middleware.auth:pipeline_factory\n',
    'use = egg:Paste#urlmap\n',
    'use = config:other.ini\n',
    'use = x\n',
    'use = ',
    '/: apiv2\n',
    '/v1: x\n',
    '/v2: p\n',
    'keystone = a apiv2\n',
    'noauth = ',
    'pipeline = a a apiv2\n',
    'next = f\n',
    'filter-with = a\n',
    'paste.app_factory = manila.api.v2.router:APIRouter.factory\n',
    'paste.filter_factory = oslo_middleware:X\n',
    'set debug = 1\n',
    'get x = debug\n',
    '%(here)s',
    '%(nothing)s',
    '%(',
    '[',
    ']',
    ' = ',
    ': ',
)


_YAML = (
    '- ',
    '  ',
    ': ',
    '[',
    ']',
    '{',
    '}',
    '&a ',
    '*a\n',
    '<<: *a\n',
    '!!binary ',
    '!!set ',
    '!!timestamp ',
    '---\n',
    '...\n',
    '| \n',
    '2026-13-45\n',
    '9.10\n',
    'null\n',
)

_WAIVERS = _texts(
    """\
waivers:
  - key: config-options[DEFAULT/foo]
    reason: It is read by a driver of our own.
    owner: storage@example.org
    expires: 2026-12-31
  - {key: "policy-rules[*]", reason: "a", owner: b, expires: 2027-01-01}
""",
    *_YAML,
    'waivers:\n',
    '  - key: config-options[DEFAULT/foo]\n',
    '    key: "*"\n',
    '    reason: because\n',
    '    owner: me\n',
    '    expires: 2026-12-31\n',
    '    expires: ',
)

_STORAGE = _texts(
    """\
format: 2
backends:
  netapp1:
    system: ONTAP
    version: 9.10
    features: [FlexGroup]
rows:
  - driver: acme.Driver
    system: Acme
    releases: 12-23
    minimum: "3.1"
    sources: [a page]
    modules: [acme]
""",
    *_YAML,
    'backends:\n',
    '  netapp1:\n',
    '    system: ONTAP\n',
    '    version: 9.10\n',
    '    version: ',
    '    features: [FlexGroup]\n',
    'format: 2\n',
    'rows:\n',
    '  - driver: acme.Driver\n',
    '    releases: 12-23\n',
    '    releases: ',
    '    minimum: ',
    '    sources: [a page]\n',
    '    modules: [acme]\n',
)


# What a reader may say of a text.
_OURS = (exceptions.PrecheckError, matrix_format.NotAMatrix)


class _Late(BaseException):
    """A text took too long; no handler of ours may catch it."""


class FuzzTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        for number in (signal.SIGALRM, signal.SIGPROF):
            before = signal.signal(number, self._late)
            self.addCleanup(signal.signal, number, before)
        self.addCleanup(self.limit, 0, 0)

    def limit(self, seconds=SECONDS, of_the_clock=SECONDS_OF_THE_CLOCK):
        """Begin to count the time of a text; 0 ends it."""
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.alarm(of_the_clock)

    def _late(self, number, frame):
        raise _Late(f'not done: {signal.Signals(number).name}')

    def run_checks(self, config, files, checks):
        self.limit()
        with testing.Site(
            config,
            files,
            source='2025.1',
            target='2026.1',
            options={'check_timeout_seconds': SECONDS_OF_THE_CLOCK * 2},
        ) as site:
            context = site.context()
            for check_id in checks:
                result = site.run(check_id, context)
                if result.outcome is model.Outcome.ERROR:
                    self.assertNotIn('it crashed', result.reason)
                    self.assertNotIn('Traceback', result.reason)
        self.limit(0, 0)

    def test_config(self):
        @_SETTINGS
        @hypothesis.given(_CONFIG)
        def check(text):
            hypothesis.assume(_encodes(text))
            self.run_checks_on_config(text)

        check()

    def run_checks_on_config(self, text):
        """Run the checks; oslo.config may refuse the file before them."""
        from oslo_config import cfg

        checks = ('config-options', 'backend-drivers', 'upgrade-advisories')
        try:
            self.run_checks(text, {}, checks)
        except (
            cfg.ConfigFileParseError,
            cfg.ConfigFileValueError,
            UnicodeDecodeError,
        ):
            self.limit(0, 0)

    def test_policy(self):
        @_SETTINGS
        @hypothesis.given(_POLICY, strategies.sampled_from(('json', 'yaml')))
        def check(text, kind):
            hypothesis.assume(_encodes(text))
            self.run_checks(
                '[DEFAULT]\n', {f'policy.{kind}': text}, ['policy-rules']
            )

        check()

    def test_paste(self):
        @_SETTINGS
        @hypothesis.given(_PASTE)
        def check(text):
            hypothesis.assume(_encodes(text))
            self.run_checks(
                '[DEFAULT]\n', {'api-paste.ini': text}, ['api-paste']
            )

        check()

    def read(self, text, suffix, *readers):
        self.limit()
        with tempfile.NamedTemporaryFile(
            'w', suffix=suffix, errors='surrogateescape'
        ) as stream:
            stream.write(text)
            stream.flush()
            for reader in readers:
                with contextlib.suppress(*_OURS):
                    reader(stream.name)
        self.limit(0, 0)

    def test_waivers(self):
        @_SETTINGS
        @hypothesis.given(_WAIVERS)
        def check(text):
            hypothesis.assume(_encodes(text))
            self.read(text, '.yaml', waiver_file.read)

        check()

    def test_inventory_and_support_matrix(self):
        @_SETTINGS
        @hypothesis.given(_STORAGE)
        def check(text):
            hypothesis.assume(_encodes(text))
            self.read(
                text,
                '.yaml',
                lambda path: inventory.read(yaml_file.read(path)),
                lambda path: matrix_format.decode(yaml_file.read(path).data),
            )

        check()

    def test_report(self):
        leaf = strategies.one_of(
            strategies.none(),
            strategies.booleans(),
            strategies.floats(),
            strategies.text(max_size=5),
            strategies.just([]),
            strategies.just({}),
            strategies.just(10**400),
        )

        @_SETTINGS
        @hypothesis.given(strategies.data(), leaf)
        def check(data, value):
            held = json_report.report_dict(reports.REPORT)
            place = held
            while True:
                keys = (
                    sorted(place)
                    if isinstance(place, dict)
                    else list(range(len(place)))
                )
                if not keys:
                    break
                key = data.draw(strategies.sampled_from(keys))
                if not isinstance(place[key], (dict, list)) or data.draw(
                    strategies.booleans()
                ):
                    place[key] = value
                    break
                place = place[key]
            self.read(json.dumps(held), '.json', report_reader.read)

        check()


def _encodes(text):
    """Say whether a file can hold a text."""
    try:
        text.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        return False
    return True
