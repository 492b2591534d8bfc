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

"""Keys with certificates, for tests of TLS."""

import os
import subprocess


def pair(folder, name, *more):
    """Make a key and a self-signed certificate."""
    key, cert = (os.path.join(folder, f'{name}.{e}') for e in ('key', 'crt'))
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:prime256v1', '-nodes', '-batch', '-subj', '/CN=x',
         '-keyout', key, '-out', cert, *(more or ('-days', '3650'))],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key
