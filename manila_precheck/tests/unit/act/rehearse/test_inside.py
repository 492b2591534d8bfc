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
"""What runs inside the target imports nothing that is not there."""

import ast
import os
import pathlib
import socket
import subprocess

import ddt
import testtools

from manila_precheck.act.rehearse import inside
from manila_precheck.act.rehearse.inside import confinement
from manila_precheck.act.rehearse.inside import world
from manila_precheck.tests.unit import test_requirements

_FOLDER = pathlib.Path(inside.__file__).parent
# The oldest Python that a release is run with.
_OLDEST = (3, 8)
_NOBODY = 65534
# What every manila that is rehearsed has.
_THERE = {
    'manila',
    'oslo_config',
    'oslo_log',
    'oslo_service',
    'sqlalchemy',
    'webob',
}


def _imports(tree, outermost):
    nodes = tree.body if outermost else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f'{node.module}.{node.names[0].name}'


@ddt.ddt
class ImportsTest(testtools.TestCase):
    def tree(self, name):
        return ast.parse(
            (_FOLDER / name).read_text(encoding='utf-8'),
            feature_version=_OLDEST,
        )

    @ddt.data(*sorted(path.name for path in _FOLDER.glob('*.py')))
    def test_what_is_imported_is_there(self, name):
        wrong = [
            imported
            for imported in _imports(self.tree(name), outermost=False)
            if imported.partition('.')[0]
            not in test_requirements._STANDARD | _THERE
            or (
                imported.startswith('manila_precheck.')
                and not imported.startswith(f'{inside.__name__}.')
            )
        ]
        self.assertEqual([], wrong)

    @ddt.data(*sorted(path.name for path in _FOLDER.glob('*.py')))
    def test_nothing_of_others_is_imported_before_it_is_cut_off(self, name):
        wrong = [
            imported
            for imported in _imports(self.tree(name), outermost=True)
            if imported.partition('.')[0] in _THERE
        ]
        self.assertEqual([], wrong)


class NetworkTest(testtools.TestCase):
    """Who can leave the network."""

    def test_an_ordinary_user_does_where_the_kernel_permits_it(self):
        if os.geteuid():
            self.skipTest('only root can be another user')
        permitted = subprocess.run(
            [
                'setpriv',
                f'--reuid={_NOBODY}',
                f'--regid={_NOBODY}',
                '--clear-groups',
                'unshare',
                '--user',
                '--net',
                'true',
            ],
            stderr=subprocess.DEVNULL,
        )
        child = os.fork()
        if not child:
            code = 2
            try:
                os.setgroups([])
                os.setresgid(_NOBODY, _NOBODY, _NOBODY)
                os.setresuid(_NOBODY, _NOBODY, _NOBODY)
                left = confinement.leave_network()
                code = int(not (left and world.is_cut_off()))
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        self.assertEqual(
            int(bool(permitted.returncode)), os.waitstatus_to_exitcode(status)
        )

    def test_a_container_was_given_none(self):
        # This is none: it has the network of the host.
        outside = {name for _, name in socket.if_nameindex()} - {'lo'}
        self.assertEqual(not outside, confinement.leave_network(True))
        self.assertEqual(not outside, world.is_cut_off(True))


@ddt.ddt
class ConnectionsTest(testtools.TestCase):
    """Which sessions SQLAlchemy may open."""

    def wrong(self, place, words=(), **arguments):
        return confinement.wrong_place(place, words, arguments)

    @ddt.data(
        {'unix_socket': '/copy/socket', 'database': 'manila'},
        {'unix_socket': '/copy/socket', 'db': 'manila', 'host': 'localhost'},
    )
    def test_the_copy(self, arguments):
        place = {'unix_socket': '/copy/socket', 'database': 'manila'}
        self.assertEqual([], self.wrong(place, **arguments))

    @ddt.data(
        ({'host': '192.0.2.1', 'database': 'manila'}, ['unix_socket']),
        (
            {'unix_socket': '/run/mysqld/mysqld.sock', 'database': 'manila'},
            ['unix_socket'],
        ),
        (
            {'unix_socket': '/copy/socket', 'database': 'keystone'},
            ['database'],
        ),
        ({}, ['database', 'unix_socket']),
    )
    @ddt.unpack
    def test_another_one(self, arguments, expected):
        place = {'unix_socket': '/copy/socket', 'database': 'manila'}
        self.assertEqual(expected, self.wrong(place, **arguments))

    def test_one_text_for_all(self):
        place = {'host': '/copy', 'database': 'manila'}
        self.assertEqual(
            [], self.wrong(place, ('host=/copy dbname=manila user=x',))
        )
        self.assertEqual(
            ['host'], self.wrong(place, ('host=db1 dbname=manila',))
        )

    def test_the_last_of_two_is_what_the_driver_takes(self):
        place = {'host': '/copy', 'database': 'manila'}
        self.assertEqual(
            ['host'],
            self.wrong(place, ('host=/copy dbname=manila',), host='db1'),
        )

    def test_a_port(self):
        place = {'host': '127.0.0.1', 'port': '3307', 'database': 'manila'}
        self.assertEqual(
            [],
            self.wrong(place, host='127.0.0.1', port=3307, database='manila'),
        )
        self.assertEqual(
            ['port'],
            self.wrong(place, host='127.0.0.1', port=3306, database='manila'),
        )

    def test_more_than_one_host(self):
        # A multi-host URL would fall back to the second.
        place = {'host': '/copy', 'database': 'manila'}
        self.assertEqual(
            ['host'],
            self.wrong(place, host='/copy,db1', dbname='manila'),
        )
