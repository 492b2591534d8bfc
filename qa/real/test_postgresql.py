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

"""Tests of the releases on PostgreSQL."""

from qa.real import case
from qa.real import counts
from qa.real import read_only
from qa.real import servers
from qa.real import states
from qa.real import work


class _OnPostgreSQL(
    counts.CountsMixin,
    read_only.ReadOnlyMixin,
    states.StatesMixin,
    work.WorkMixin,
    case.RealCase,
):
    server_class = servers.PostgreSQL


class Manila18PostgreSQLTest(_OnPostgreSQL):
    major = 18


class Manila20PostgreSQLTest(_OnPostgreSQL):
    major = 20


class Manila22PostgreSQLTest(_OnPostgreSQL):
    major = 22


class Manila23PostgreSQLTest(work.WorkMixin, case.RealCase):
    """The newest release. No hop from it is known, so only its rows count."""

    server_class = servers.PostgreSQL
    major = 23


# Remove the base classes, so that only classes with a release are run.
del _OnPostgreSQL
