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

"""Run the whole command on a real manila with a vendor's package.

The package is made up. It is installed into a virtual environment that also
sees the packages of a release's environment, which is not changed.
"""

import json
import pathlib
import subprocess
import sys

import ddt
import fixtures
import testtools

from manila_precheck import releases
from qa.judges import test_reality

_RUN = (
    'import sys; from manila_precheck.cmd import precheck; '
    'sys.exit(precheck.main())'
)
_PACKAGE = {
    'acme_manila/__init__.py': '',
    'acme_manila/opts.py': """
from oslo_config import cfg
acme_opts = [
    cfg.StrOpt('acme_api_url', required=True),
    cfg.StrOpt('acme_realm'),
    cfg.StrOpt('acme_pin', secret=True, deprecated_name='acme_code'),
    cfg.IntOpt('acme_retries', default=3, min=1),
]
def list_opts():
    return [(None, acme_opts), ('acme_api', [cfg.BoolOpt('verify')])]
""",
    'acme_manila/driver.py': """
from acme_manila import opts
from manila import exception
from manila.share import driver
class AcmeDriver(driver.ShareDriver):
    def __init__(self, *args, **kwargs):
        super().__init__(False, *args, **kwargs)
        self.configuration.append_config_values(opts.acme_opts)
    def do_setup(self, context):
        import acme_rest
        if not self.configuration.acme_realm:
            raise exception.BadConfigurationException(reason='acme_realm')
        acme_rest.login(self.configuration.acme_realm)
""",
    'acme_manila/generic.py': """
from manila.share.drivers import generic
class AcmeGenericDriver(generic.GenericShareDriver):
    pass
""",
    'acme_manila/broken.py': """
import acme_sdk
from manila.share import driver
class AcmeDriver(driver.ShareDriver):
    pass
""",
    'acme_manila/leaves.py': 'raise SystemExit(3)\n',
    'acme_manila/__main__.py': 'raise SystemExit("it was run")\n',
    'acme_manila/tests/test_it.py': 'raise SystemExit("it was run")\n',
    'acme_manila/tests/__init__.py': '',
    'acme_manila/network.py': """
from manila import network
from oslo_config import cfg
opts = [cfg.StrOpt('acme_fabric')]
class AcmeNetworkPlugin(network.NetworkBaseAPI):
    def __init__(self, config_group_name=None, db_driver=None, label='user'):
        super().__init__(config_group_name=config_group_name)
        cfg.CONF.register_opts(opts, group=self.config_group_name)
""",
    'acme_manila/scheduling.py': """
from manila.scheduler.filters import base_host
from manila.scheduler.weighers import base_host as weigher
class AcmeFilter(base_host.BaseHostFilter):
    pass
class AcmeWeigher(weigher.BaseHostWeigher):
    pass
""",
    'acme_manila/policies.py': """
from oslo_policy import policy
rules = [
    policy.DocumentedRuleDefault(
        'acme:mirror', 'rule:admin_api', 'Mirror.',
        [{'path': '/acme', 'method': 'POST'}]),
]
def list_rules():
    return rules
""",
    'acme_manila-1.0.dist-info/METADATA': (
        'Metadata-Version: 2.1\nName: acme-manila\nVersion: 1.0\n'
    ),
    'acme_manila-1.0.dist-info/entry_points.txt': """
[oslo.config.opts]
acme = acme_manila.opts:list_opts
[oslo.policy.policies]
acme = acme_manila.policies:list_rules
[manila.scheduler.filters]
AcmeFilter = acme_manila.scheduling:AcmeFilter
[manila.scheduler.weighers]
AcmeWeigher = acme_manila.scheduling:AcmeWeigher
""",
    # This package has no entry points.
    'corp_shares.py': """
from manila.share import driver
from oslo_config import cfg
class CorpDriver(driver.ShareDriver):
    def __init__(self, *args, **kwargs):
        super().__init__([True, False], *args, **kwargs)
        self.configuration.append_config_values([cfg.StrOpt('corp_url')])
""",
    'corp_shares-1.0.dist-info/METADATA': (
        'Metadata-Version: 2.1\nName: corp-shares\nVersion: 1.0\n'
    ),
    'corp_shares-1.0.dist-info/RECORD': 'corp_shares.py,,\n',
    # A package of another service on the same host.
    'novalike/__init__.py': 'raise SystemExit("it was imported")\n',
    'novalike-1.0.dist-info/METADATA': (
        'Metadata-Version: 2.1\nName: novalike\nVersion: 1.0\n'
    ),
    'novalike-1.0.dist-info/entry_points.txt': (
        '[oslo.config.opts]\nnovalike = novalike.opts:list_opts\n'
        '[oslo.policy.policies]\nnovalike = novalike.policies:list_rules\n'
    ),
}
_CONFIG = """\
[DEFAULT]
enabled_share_backends = acme,broken,gone,generic,corp
enabled_share_protocols = NFS
scheduler_default_filters = CapacityFilter,AcmeFilter
scheduler_default_weighers = AcmeWeigher
[acme]
share_driver = acme_manila.driver.AcmeDriver
driver_handles_share_servers = True
acme_code = mellon4711
acme_retries = 0
acme_typo = 1
[acme_api]
verify = maybe
[broken]
share_driver = acme_manila.broken.AcmeDriver
driver_handles_share_servers = False
[gone]
share_driver = acme_manila.driver.GoneDriver
driver_handles_share_servers = False
[generic]
share_driver = acme_manila.generic.AcmeGenericDriver
driver_handles_share_servers = False
service_instance_user = manila
[corp]
share_driver = corp_shares.CorpDriver
driver_handles_share_servers = True
network_api_class = acme_manila.network.AcmeNetworkPlugin
acme_fabric = blue
corp_url = https://corp
"""
_POLICIES = '"acme:mirror": "role:mirror"\n'


def command(*words):
    """Run manila-precheck."""
    return subprocess.run(
        [sys.executable, '-c', _RUN, *words],
        capture_output=True,
        text=True,
        timeout=600,
    )


@ddt.ddt
class OutOfTreeTest(testtools.TestCase):
    maxDiff = None

    def environment(self, major):
        """Make an environment with a release and the package.

        :returns: its Python.
        """
        python = test_reality.environment(major)
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for name, text in _PACKAGE.items():
            path = folder / 'vendor' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run(
            [python, '-m', 'venv', '--without-pip', folder / 'venv'],
            check=True,
        )
        script = 'import sysconfig; print(sysconfig.get_path("purelib"))'
        theirs, ours = (
            subprocess.run(
                [one, '-I', '-c', script],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for one in (python, folder / 'venv' / 'bin' / 'python')
        )
        pathlib.Path(ours, 'more.pth').write_text(
            f'{theirs}\n{folder / "vendor"}\n'
        )
        return str(folder / 'venv' / 'bin' / 'python')

    @ddt.data(16, 20, 22)
    def test_it_is_judged_like_manila(self, major):
        release = releases.from_major(major)
        source = releases.from_major(major - 1)
        folder = self.useFixture(fixtures.TempDir()).path
        path = f'{folder}/build.json'
        done = command(
            'catalog',
            'build',
            '--python',
            self.environment(major),
            '--also',
            'corp-shares',
            '--also',
            'nosuch',
            '--try-drivers',
            '-o',
            path,
        )
        self.assertEqual((0, ''), (done.returncode, done.stderr))
        missing = "ModuleNotFoundError: No module named 'acme_sdk'"
        said = done.stdout.splitlines()[1:]
        for line in (
            "nosuch: ModuleNotFoundError: No package named 'nosuch'",
            f'acme_manila.broken: {missing}',
            'acme_manila.leaves: SystemExit: 3',
        ):
            self.assertIn(f'not read: not importable: {line}', said)
        with open(path) as stream:
            document = json.load(stream)
        self.assertEqual(
            (
                ['acme_manila', 'corp_shares'],
                ['acme_manila.broken', 'acme_manila.leaves', 'nosuch'],
            ),
            (document['out_of_tree'], sorted(document['unimportable'])),
        )
        for name, text in (
            ('manila.conf', _CONFIG),
            ('policy.yaml', _POLICIES),
        ):
            with open(f'{folder}/{name}', 'w') as stream:
                stream.write(text)
        done = command(
            '--config-file',
            f'{folder}/manila.conf',
            'upgrade',
            'check',
            *('--format', 'json', '--source-release', source.name),
            *('--target-catalog', path),
            *('--check', 'backend-drivers', '--check', 'config-options'),
            *('--check', 'policy-rules'),
        )
        self.assertEqual((2, ''), (done.returncode, done.stderr))
        self.assertNotIn('mellon4711', done.stdout)
        report = json.loads(done.stdout)
        messages = {
            one['key']: f'{one["severity"]}: {one["message"]}'
            for check in report['checks']
            for one in check['findings']
        }
        no_start = (
            'manila-share exits with 1 and starts no back end (5 enabled, '
            'share instances not counted)'
        )
        driver = 'acme_manila.driver.AcmeDriver'
        rejects = (
            f'{release} rejects the value, and the service that reads it '
            f'exits at startup; {source} does not read it'
        )
        self.assertEqual(
            {
                'backend-drivers[acme#mode]': 'failure: [acme] '
                'driver_handles_share_servers = True is not supported by '
                f'{driver} in {release}, which accepts only False; {no_start}',
                'backend-drivers[acme#libraries]': f'warning: [acme]: {driver}'
                f' imports acme_rest, which the environment of {path} does '
                'not have',
                'backend-drivers[broken#driver]': 'failure: [broken] loads '
                f'acme_manila.broken.AcmeDriver, which {release} does not '
                f'have (its build cannot import it: {missing}); {no_start}',
                'backend-drivers[gone#driver]': 'failure: [gone] loads '
                f'acme_manila.driver.GoneDriver, which {release} does not '
                'have (its build has the package, and no such class); '
                f'{no_start}',
                'config-options[acme/acme_api_url#missing]': 'failure: [acme] '
                f'does not set acme_api_url, which AcmeDriver of {release} '
                'requires: the driver marks it as required and has no '
                'fallback: manila-share runs, but the back end does not work;'
                f' {source} does not require it',
                'config-options[acme/acme_realm#missing]': 'failure: [acme] '
                f'does not set acme_realm, which AcmeDriver of {release} '
                'requires: the driver does not start: manila-share runs, but '
                f'the back end never reports; {source} does not require it',
                'config-options[acme/acme_retries#value]': 'failure: [acme] '
                f'acme_retries = 0: {rejects}',
                'config-options[acme_api/verify#value]': 'failure: [acme_api] '
                f'verify = maybe: {rejects}',
                'config-options[acme/acme_code]': 'warning: [acme] acme_code '
                'is a deprecated name of [acme] acme_pin, which '
                f'{source} does not know yet',
                'config-options[acme/acme_typo]': 'info: [acme] acme_typo is '
                f'ignored: neither {source} nor {release} knows it in this '
                'section',
            },
            messages,
        )
