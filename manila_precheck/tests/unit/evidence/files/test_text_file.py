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

import os
import socket

import ddt
import fixtures
import testtools

from manila_precheck import exceptions
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree


@ddt.ddt
class ReadTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.path = self.useFixture(fixtures.TempDir()).join('file')

    def refused(self, path, words):
        error = self.assertRaises(
            exceptions.SourceUnusable, text_file.read, path
        )
        self.assertEqual(f'{path}: {words}', str(error))

    def test_a_file(self):
        with open(self.path, 'wb') as stream:
            stream.write(b'\x00text\n')
        self.assertEqual(b'\x00text\n', text_file.read(self.path))

    def test_the_empty_device_is_empty(self):
        self.assertEqual(b'', text_file.read('/dev/null'))

    def test_a_device_without_end(self):
        self.refused('/dev/zero', 'a device, not a file')

    def test_a_pipe_that_nobody_writes_to(self):
        os.mkfifo(self.path)
        self.refused(self.path, 'a pipe, not a file')

    def test_a_socket(self):
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(self.path)
            self.refused(self.path, 'a pipe, not a file')

    def test_a_file_that_is_too_large(self):
        with open(self.path, 'wb') as stream:
            stream.write(b'x' * 2**20)
        self.assertEqual(2**20, len(text_file.read(self.path, 2**20)))
        with open(self.path, 'ab') as stream:
            stream.write(b'x')
        error = self.assertRaises(
            exceptions.SourceUnusable, text_file.read, self.path, 2**20
        )
        self.assertEqual(
            f'{self.path}: larger than 1 MiB, the limit for such a file',
            str(error),
        )

    def test_a_directory(self):
        self.refused('/', 'Is a directory')

    def test_not_there(self):
        self.refused(self.path, 'No such file or directory')

    def test_what_would_block_crashed(self):
        # A file by its type, whose reader waits for the next message.
        if not os.access('/proc/kmsg', os.R_OK):
            self.skipTest('only root may read it')
        try:
            text_file.read('/proc/kmsg', 2**24)
        except exceptions.SourceUnusable as exc:
            self.assertIn('/proc/kmsg: ', str(exc))

    def test_what_would_block_was_empty(self):
        """oslo.config, which does wait, read it next."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, writer)
        os.set_blocking(reader, False)
        self.patch(tree.HOST, 'open', lambda path: open(reader, 'rb'))
        self.refused(self.path, 'it is not a regular file: reading it blocks')

    def test_a_file_with_holes_is_not_read_to_its_end(self):
        with open(self.path, 'wb') as stream:
            stream.truncate(10 * 2**40)
        self.refused(
            self.path,
            'larger than 64 MiB, the limit for such a file',
        )

    def test_more_files_in_a_directory_than_are_read(self):
        text_file.require_few('d', ['x'] * text_file.MAX_FILES)
        error = self.assertRaises(
            exceptions.SourceUnusable,
            text_file.require_few,
            'd',
            ['x'] * (text_file.MAX_FILES + 1),
        )
        self.assertEqual(
            'd: 1001 files, more than the limit of 1000 for one directory',
            str(error),
        )
