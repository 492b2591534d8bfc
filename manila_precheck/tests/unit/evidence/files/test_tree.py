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

import errno
import os
import stat

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.files import tree


class Case(testtools.TestCase):
    site: tree.Tree

    def setUp(self):
        super().setUp()
        self.top = self.useFixture(fixtures.TempDir()).path
        self.root = os.path.join(self.top, 'root')
        os.makedirs(self.root)

    def write(self, name, text='', top=None):
        path = os.path.join(top or self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as stream:
            stream.write(text)
        return path

    def link(self, name, target):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)

    def text(self, path):
        with self.site.open(path) as stream:
            return stream.read().decode()

    def refused(self, number, path):
        error = self.assertRaises(OSError, self.site.open, path)
        self.assertEqual(os.strerror(number), error.strerror)


@ddt.ddt
class DirectoryTest(Case):
    """What lies below a directory, as if it were '/'."""

    def setUp(self):
        super().setUp()
        self.write('secret', 'outside', self.top)
        self.write('etc/manila/manila.conf', 'inside')
        self.site = tree.Directory(self.root)

    @ddt.data(
        '/etc/manila/manila.conf',
        'etc/manila/manila.conf',
        '//etc/./manila//manila.conf',
        '/../../etc/manila/../manila/manila.conf',
    )
    def test_a_file(self, path):
        self.assertEqual('inside', self.text(path))
        self.assertTrue(self.site.isfile(path))
        self.assertEqual(6, self.site.status(path).size)
        self.assertEqual('/etc/manila/manila.conf', self.site.realpath(path))
        self.assertEqual('/etc/manila/manila.conf', self.site.abspath(path))

    @ddt.data(
        ('a', '/etc/manila/manila.conf'),
        ('a/b/c', '../../etc/manila/manila.conf'),
        # What leads out on this machine leads to the root there.
        ('a/b', '../../../../../etc/manila/manila.conf'),
        ('var/lib', '/etc'),
    )
    @ddt.unpack
    def test_a_link(self, name, target):
        self.link(name, target)
        path = f'/{name}'
        if name == 'var/lib':
            path += '/manila/manila.conf'
        self.assertEqual('inside', self.text(path))
        self.assertEqual('/etc/manila/manila.conf', self.site.realpath(path))
        self.assertTrue(self.site.islink(f'/{name}'))
        self.assertEqual(target, self.site.readlink(f'/{name}'))

    @ddt.data('/secret', '../secret', '../../secret', '/../secret')
    def test_nothing_outside_is_found(self, path):
        outside = os.path.join(self.top, 'secret')
        for name, target in (
            ('one', outside),
            ('two', '../secret'),
            ('etc/three', '../../secret'),
            ('four', self.top),
        ):
            self.link(name, target)
        paths = (path, outside, '/one', '/two', '/etc/three', '/four/secret')
        for path in paths:
            self.assertFalse(self.site.exists(path), path)
            self.refused(errno.ENOENT, path)
        self.assertTrue(self.site.lexists('/one'))

    def test_a_link_to_itself(self):
        self.link('a', 'b')
        self.link('b', '/a')
        self.link('c', 'c/c/c')
        for name in 'abc':
            self.refused(errno.ELOOP, f'/{name}')
            self.assertFalse(self.site.exists(f'/{name}'))
            self.assertTrue(self.site.lexists(f'/{name}'))
        self.assertEqual('/a', self.site.realpath('/a'))

    def test_a_chain_of_links(self):
        self.link('l0', 'etc/manila/manila.conf')
        for number in range(1, 41):
            self.link(f'l{number}', f'l{number - 1}')
        self.assertEqual('inside', self.text('/l39'))
        self.refused(errno.ELOOP, '/l40')

    def test_links_that_double(self):
        # Each has the one before twice: 2**40 names.
        self.link('d0', '.')
        for number in range(1, 41):
            self.link(f'd{number}', f'd{number - 1}/d{number - 1}')
        self.refused(errno.ELOOP, '/d40/etc')

    def test_what_is_no_file(self):
        os.mkfifo(os.path.join(self.root, 'pipe'))
        error = self.assertRaises(
            exceptions.SourceUnusable, self.site.open, '/pipe'
        )
        self.assertEqual('/pipe: not a file', str(error))
        self.refused(errno.EISDIR, '/etc')
        self.refused(errno.EISDIR, '/')
        self.refused(errno.ENOTDIR, '/etc/manila/manila.conf/x')
        self.refused(errno.EINVAL, '/etc\0')
        self.refused(errno.ENAMETOOLONG, '/' + 'x' * 5000)
        self.assertFalse(self.site.exists('/etc\0'))

    def test_the_empty_device_leads_nowhere(self):
        self.link('etc/systemd/system/manila-api.service', '/dev/null')
        path = '/etc/systemd/system/manila-api.service'
        self.assertEqual('/dev/null', self.site.readlink(path))
        self.refused(errno.ENOENT, path)

    def test_names(self):
        for name in ('b.conf', 'a.conf', '.c.conf', 'd.txt'):
            self.write(f'etc/manila.d/{name}')
        self.link('etc/manila.e', '/etc/manila.d')
        self.assertEqual(
            ['.c.conf', 'a.conf', 'b.conf', 'd.txt'],
            self.site.listdir('/etc/manila.e'),
        )
        for pattern, found in (
            ('/etc/manila.?/*.conf', ['d/a', 'd/b', 'e/a', 'e/b']),
            ('/etc/manila.d/.*.conf', ['d/.c']),
            ('/etc/manila.d/a.conf', ['d/a']),
            ('/etc/manila.[d]/a.conf', ['d/a']),
            ('/etc/manila.[!d]/a.conf', ['e/a']),
            ('/etc/manila.x/*.conf', []),
            ('/etc/manila.d/z.conf', []),
            (tree.escape('/etc/manila.?') + '/a.conf', []),
        ):
            self.assertEqual(
                [f'/etc/manila.{name}.conf' for name in found],
                self.site.glob(pattern),
                pattern,
            )

    def test_a_name_that_is_a_pattern(self):
        self.write('etc/[a]*/b.conf')
        path = '/etc/[a]*'
        self.assertEqual(
            [f'{path}/b.conf'], self.site.glob(tree.escape(path) + '/*.conf')
        )
        self.assertEqual(
            [f'{path}/b.conf'], self.site.glob(tree.escape(path) + '/b.conf')
        )

    def test_too_many_names(self):
        self.useFixture(fixtures.MockPatchObject(tree, 'MAX_NAMES', 2))
        for name in 'ab':
            self.write(f'etc/many/{name}')
        self.assertEqual(['a', 'b'], self.site.listdir('/etc/many'))
        self.write('etc/many/c')
        error = self.assertRaises(OSError, self.site.listdir, '/etc/many')
        self.assertEqual(errno.EFBIG, error.errno)

    def test_the_home_directory_of_nobody(self):
        self.assertEqual('~/x', self.site.expanduser('~/x'))

    def test_a_name_that_became_a_link_led_out(self):
        # As if somebody had put it there after it was looked at.
        real = os.lstat

        def lstat(path, *args, **kwargs):
            info = real(path, *args, **kwargs)
            if path.endswith('/etc') and os.path.isdir(path):
                os.rename(path, f'{path}.old')
                os.symlink(self.top, path)
            return info

        self.write('manila/manila.conf', 'outside', self.top)
        self.useFixture(fixtures.MonkeyPatch('os.lstat', lstat))
        self.assertRaises(OSError, self.site.open, '/etc/manila/manila.conf')

    def test_a_link_to_the_root(self):
        os.symlink(self.root, os.path.join(self.top, 'to'))
        self.site = tree.Directory(os.path.join(self.top, 'to'))
        self.assertEqual('inside', self.text('/etc/manila/manila.conf'))


class HostTest(Case):
    """The file system of this host is as the functions of os have it."""

    def test_it(self):
        path = self.write('etc/manila.conf', 'text')
        self.link('a', 'etc')
        site = tree.HOST
        self.assertTrue(site.is_host)
        self.assertEqual(path, site.realpath(f'{self.root}/a/manila.conf'))
        self.assertEqual('etc', site.readlink(f'{self.root}/a'))
        self.assertEqual(['a', 'etc'], site.listdir(self.root))
        self.assertEqual([path], site.glob(f'{self.root}/e*/*.conf'))
        self.assertEqual(os.path.expanduser('~/x'), site.expanduser('~/x'))
        found = site.status(path)
        self.assertTrue(stat.S_ISREG(found.mode))
        self.assertEqual((4, os.geteuid()), (found.size, found.uid))
        self.assertFalse(site.exists(f'{path}\0'))
