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

"""Golden files: the output that a reporter must write, byte by byte."""

import difflib
import os
import pathlib
import sys

import testtools

_FOLDER = pathlib.Path(__file__).parent / 'golden'

#: With this variable, the tests write the files instead of comparing them.
REGENERATE = 'MANILA_PRECHECK_REGENERATE_GOLDEN'


def check(case: testtools.TestCase, name: str, actual: str) -> None:
    """Fail with a unified diff when the text differs from the file.

    :param case: the test that compares.
    :param name: the name of the file in ``tests/golden``.
    :param actual: the output, as text without lone surrogates.
    """
    path = _FOLDER / name
    content = actual.encode('utf-8')
    if os.environ.get(REGENERATE):
        path.write_bytes(content)
    expected = path.read_bytes() if path.exists() else b''
    if content == expected:
        return
    diff = '\n'.join(
        difflib.unified_diff(
            expected.decode('utf-8').split('\n'),
            actual.split('\n'),
            f'tests/golden/{name}',
            'what the test got',
            lineterm='',
        )
    )
    case.fail(
        f'{name} differs:\n{diff}\n\nWhen the difference is meant, run:\n'
        f'  {REGENERATE}=1 {sys.executable} -m stestr run reporters\n'
        'and read the difference that git shows.'
    )
