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

"""The base class of tests on a real release."""

import json
import os
import sys
from typing import Any
from typing import ClassVar
from typing import TYPE_CHECKING
import unittest

import testtools

from manila_precheck import catalog
from manila_precheck import releases
from qa.real import deployment


def required():
    """Say whether a missing server, or release, is an error."""
    value = os.environ.get('MANILA_PRECHECK_REQUIRE_DATABASES', '')
    return value not in ('', '0')


class RealCase(testtools.TestCase):
    """Tests of one release on one server, on a database made once."""

    server_class: ClassVar[Any] = None
    major: ClassVar[int] = 0

    #: The server, and the database on it, after setUpClass().
    server: ClassVar[Any]
    site: ClassVar[Any]

    #: The revision at which the migrations end; None for the last one.
    revision = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.server_class()
        why = deployment.why_not(cls.major) or cls.server.why_not()
        if why and os.environ.get(deployment.VENVS) and required():
            raise RuntimeError(why)
        if why:
            raise unittest.SkipTest(why)
        cls.site = deployment.Deployment(
            cls.server, cls.major, revision=cls.revision
        )
        try:
            cls.site.setUp()
        except Exception as exc:
            # The reason is in a MultipleExceptions, which does not show it.
            sys.stderr.write(f'{cls.__name__}: {exc!r}\n')
            raise
        cls.addClassCleanup(cls.site.cleanUp)

    def setUp(self):
        super().setUp()
        for name, detail in self.site.getDetails().items():
            self.addDetail(name, detail)

    @property
    def source(self):
        """The release that made the database."""
        return releases.from_major(self.major)

    @property
    def target(self):
        """The latest release to which an operator may upgrade from it.

        The release itself if the catalog knows no later one.
        """
        hops = releases.next_hops(self.source)
        known = [one for one in hops if catalog.Catalog().covers(one)]
        return known[-1] if known else self.source

    def check(self, *words, conf=None):
        """Run the command and return (exit code, report).

        Assert that neither stream has the password or a traceback.
        """
        done = self.run_command(*words, conf=conf)
        self.assertEqual('', done.stderr)
        return done.returncode, json.loads(done.stdout)

    def run_command(self, *words, conf=None):
        """Run ``upgrade check`` with JSON for the next release."""
        done = deployment.command(
            '--config-file',
            conf or self.site.conf(),
            'upgrade',
            'check',
            '--target-release',
            self.target.name,
            '--format',
            'json',
            *words,
        )
        for text in (done.stdout, done.stderr):
            self.assertNotIn(deployment.PASSWORD, text)
            self.assertNotIn('Traceback', text)
            for part in ('S3cr', 'w%40rd', 'w@rd'):
                self.assertNotIn(part, text)
        return done

    def findings(self, check_id, *words, conf=None):
        """Return the findings of one check, which must not have an error."""
        _, report = self.check('--check', check_id, *words, conf=conf)
        (one,) = report['checks']
        self.assertEqual('', one['reason'])
        return one['findings']


# A type checker sees a mixin as a case; at run time it is no test by itself.
if TYPE_CHECKING:
    Scenarios = RealCase
else:
    Scenarios = object
