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

"""The support matrices that installed packages bring.

An entry point in ``manila_precheck.support_matrix`` names a string in the
format of the matrix, a function that returns one, or a package that contains
a support_matrix.yaml or .json. It is loaded in a separate process, so that a
package that fails or hangs does not end this run.
"""

import importlib.metadata
import os
import sys
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck.evidence.files import yaml_file
from manila_precheck.evidence.host import programs

GROUP = 'manila_precheck.support_matrix'

_SECONDS = 30.0

_SCRIPT = '''
import importlib.metadata, json, os, pkgutil, sys, types

asked = json.load(sys.stdin)
# What the package prints is not the answer.
answer, sys.stdout = os.fdopen(os.dup(1), 'w'), sys.stderr
os.dup2(2, 1)
sys.path[:] = asked['path']
value = importlib.metadata.EntryPoint(
    name=asked['name'], value=asked['value'], group=asked['group']
).load()
if isinstance(value, types.ModuleType):
    for name in ('support_matrix.yaml', 'support_matrix.json'):
        try:
            data = pkgutil.get_data(value.__name__, name)
        except OSError:
            continue
        if data is not None:
            value = data.decode('utf-8')
            break
    else:
        sys.exit('it holds no support_matrix.yaml or support_matrix.json')
elif callable(value):
    value = value()
if not isinstance(value, str):
    sys.exit('it gives %s, not a text' % type(value).__name__)
json.dump(value, answer)
answer.close()
'''


class Brought(NamedTuple):
    """The support matrix of one entry point."""

    origin: str
    """The package and its version: 'acme-manila 1.0'."""

    name: str
    """The name of the entry point."""

    found: Optional[yaml_file.Document]
    """The document; None if it does not load."""

    error: str = ''
    """Why it does not load; '' if it does."""


def read() -> tuple[Brought, ...]:
    """Load the matrices of all packages, sorted by package and name."""
    found = []
    for distribution in importlib.metadata.distributions():
        for point in distribution.entry_points:
            if point.group == GROUP:
                package = distribution.metadata['Name'] or (
                    'a package without name'
                )
                origin = f'{package} {distribution.version}'
                found.append((origin, point.name, point.value))
    # A distribution is listed once for each entry of sys.path that has it.
    return tuple(_load(*item) for item in sorted(set(found)))


def _load(origin: str, name: str, value: str) -> Brought:
    try:
        if not sys.executable:
            raise exceptions.SourceUnusable('no Python is known to load it')
        text = programs.ask(
            [sys.executable, '-I', '-B'],
            _SCRIPT,
            {
                'name': name,
                'value': value,
                'group': GROUP,
                # '' stands for the working directory of the caller.
                'path': [path for path in sys.path if os.path.isabs(path)],
            },
            _SECONDS,
        )
        return Brought(origin, name, yaml_file.parse(text, origin))
    except exceptions.SourceUnusable as exc:
        return Brought(origin, name, None, str(exc))
