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

"""Where the environments of real manila releases are, for tests that ask."""

import os

#: The variable that names their directory, with one called m18, m20, ...
VARIABLE = 'MANILA_PRECHECK_VENVS'

#: The directory; '' when the variable is not set.
DIRECTORY = os.environ.get(VARIABLE, '')

#: Why a test is skipped then.
NOT_SET = (
    f'{VARIABLE} is not set: "tox -e real" makes environments of the real '
    'releases, and sets it'
)
