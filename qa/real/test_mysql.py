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

"""Tests of the releases on MariaDB or MySQL, and on copies in SQLite."""

from qa.real import case
from qa.real import counts
from qa.real import read_only
from qa.real import servers
from qa.real import sqlite
from qa.real import states
from qa.real import work


class _OnMySQL(
    counts.CountsMixin,
    read_only.ReadOnlyMixin,
    sqlite.SQLiteMixin,
    states.StatesMixin,
    work.WorkMixin,
    case.RealCase,
):
    server_class = servers.MySQL


class Manila18MySQLTest(_OnMySQL):
    major = 18


class Manila20MySQLTest(_OnMySQL):
    major = 20


class Manila22MySQLTest(_OnMySQL):
    major = 22


class Manila23MySQLTest(work.WorkMixin, case.RealCase):
    """The newest release. No hop from it is known, so only its rows count."""

    server_class = servers.MySQL
    major = 23


# Remove the base class, so that only classes with a release are run.
del _OnMySQL
