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

"""What the tables written by hand say, and of which releases."""

import testtools

from manila_precheck import catalog
from manila_precheck import exceptions
from manila_precheck import releases
from manila_precheck.catalog import handwritten
from manila_precheck.catalog import purging
from manila_precheck.checks.api_paste import factories

UNREAD = releases.Release('2099.1', 99, 'Unread', True)
RESOURCE = 'manila.api.openstack.wsgi:Resource.factory'


class TestRead(testtools.TestCase):
    def test_the_header_lists_the_packages_of_the_catalog(self):
        facts = catalog.Catalog()
        self.assertEqual(
            {
                release.major: facts.package(release).version
                for release in facts.releases
            },
            handwritten.READ,
        )

    def test_an_open_range_says_nothing_of_a_release_not_read(self):
        newest = releases.from_major(max(handwritten.READ))
        self.assertTrue(factories.has(RESOURCE, newest))
        error = self.assertRaises(
            exceptions.CatalogError, factories.has, RESOURCE, UNREAD
        )
        self.assertEqual(
            'the tables written by hand do not cover manila 99 (2099.1); '
            'upgrade manila-precheck',
            str(error),
        )
        self.assertRaises(
            exceptions.CatalogError, purging.read, {}, UNREAD, 'mysql'
        )
