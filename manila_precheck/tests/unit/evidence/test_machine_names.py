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
import ddt
import testtools

from manila_precheck import testing
from manila_precheck.evidence import machine_names


@ddt.ddt
class OfConfigTest(testtools.TestCase):
    @ddt.data(
        ('[DEFAULT]\nhost = frankfurt\n', {'frankfurt'}),
        ('[DEFAULT]\nmy_ip = 10.0.0.7\n', {'10.0.0.7'}),
        (
            '[a]\nnetapp_server_hostname = na1.example.org\n',
            {'na1.example.org'},
        ),
        (
            '[a]\nlvm_share_export_ips = 10.0.0.1, 10.0.0.2\n',
            {'10.0.0.1', '10.0.0.2'},
        ),
        (
            '[DEFAULT]\ntransport_url = rabbit://u:p@mq-1:5672,u:p@mq-2:5672//\n',
            {'mq-1', 'mq-2'},
        ),
        (
            '[database]\nconnection = mysql://u:p%40@db-1/manila?x=1\n',
            {'db-1'},
        ),
        ('[neutron]\nauth_url = http://[fd00::5]:5000/v3\n', {'fd00::5'}),
        # No name of a site, or a word of every report.
        ('[DEFAULT]\nosapi_share_listen = 0.0.0.0\nhost = manila\n', set()),
        ('[neutron]\nauth_url = http://keystone:5000\n', set()),
        ('[DEFAULT]\nosapi_share_listen_port = 8786\n', set()),
        ('[a]\ndriver_handles_share_servers = no-7\n', set()),
        ('[DEFAULT]\nmy_ip = $host\n', set()),
    )
    @ddt.unpack
    def test_options(self, text, expected):
        site = self.useFixture(testing.Site(text))
        self.assertEqual(
            expected, machine_names.of_config(site.context().config)
        )
