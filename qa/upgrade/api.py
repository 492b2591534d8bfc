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

"""A client of manila's API, over plain HTTP."""

import http.client
import json
import urllib.error
import urllib.request

from qa.upgrade import processes

#: A microversion that every release from 2023.1 to 2026.2 supports.
MICROVERSION = '2.70'

#: The id of the administrator, as a user and as a project. In a path, a
#: project id has to be hexadecimal (project_id_regex).
ADMIN = 'ad' * 16


class Refused(Exception):
    """The API answered with an error."""

    def __init__(self, code, text):
        super().__init__(f'{code} {text[:300]}')
        self.code = code


class Client:
    """A client with the credentials of one caller."""

    def __init__(self, port, headers=None, project=ADMIN):
        self.port = port
        self._base = f'http://127.0.0.1:{port}/v2/{project}'
        self._headers = {
            'Content-Type': 'application/json',
            'Accept': 'application/json',
            'X-OpenStack-Manila-API-Version': MICROVERSION,
            'X-OpenStack-Manila-API-Experimental': 'true',
            'X-Auth-Token': f'{ADMIN}:{project}',
            **(headers or {}),
        }

    def call(self, method, path, body=None, seconds=60):
        """Return the answer of the API; {} when it has no body."""
        data = None if body is None else json.dumps(body).encode('utf-8')
        request = urllib.request.Request(
            f'{self._base}{path}', data, self._headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                text = answer.read()
        except urllib.error.HTTPError as exc:
            text = exc.read().decode('utf-8', 'replace')
            raise Refused(exc.code, text) from exc
        return json.loads(text) if text else {}

    def get(self, path):
        """Return the answer of GET."""
        return self.call('GET', path)

    def post(self, path, **body):
        """Return the answer of POST."""
        return self.call('POST', path, body)

    def put(self, path, **body):
        """Return the answer of PUT."""
        return self.call('PUT', path, body)

    def delete(self, path):
        """Call DELETE."""
        self.call('DELETE', path)

    def code(self, path):
        """Return the status code of GET; None when nobody answers."""
        try:
            self.get(path)
        except Refused as exc:
            return exc.code
        except (OSError, http.client.HTTPException):
            return None
        return 200

    def alive(self):
        """Say whether the API answers at all."""
        return self.code('/shares') is not None

    def status(self, path, key):
        """Return the status of an object; 'gone' when it does not exist."""
        try:
            return self.get(path)[key].get('status')
        except Refused as exc:
            if exc.code == 404:
                return 'gone'
            raise

    def wait_status(self, path, key, wanted, seconds=90):
        """Wait until an object has a status."""
        seen = None

        def there():
            nonlocal seen
            seen = self.status(path, key)
            if seen and seen.startswith('error') and wanted != seen:
                raise processes.Broken(f'{path} is {seen}, not {wanted}')
            return seen == wanted

        if not processes.wait_for(there, seconds):
            raise processes.Broken(f'{path} is {seen}, not {wanted}')
