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

"""The location of the environments of real manila releases for tests."""

import os

#: The variable that names their directory, which has m18, m20, ...
VARIABLE = 'MANILA_PRECHECK_VENVS'

#: The directory; '' when the variable is not set.
DIRECTORY = os.environ.get(VARIABLE, '')

#: The reason to skip a test when it is not set.
NOT_SET = (
    f'{VARIABLE} is not set: "tox -e real" makes environments of the real '
    'releases, and sets it'
)
