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

"""Facts from the metadata and files of manila's package.

They are its requirements, its entry points and commands, and the
api-paste.ini that it ships.
"""

import configparser
import importlib.metadata
import importlib.util
import io
import os
import re
import sys

from manila_precheck.catalog import building


def entry_points(group):
    """Return {name: value} of manila's entry points in a group."""
    found = importlib.metadata.distribution('manila').entry_points
    return {point.name: point.value for point in found if point.group == group}


def release_facts():
    distribution = importlib.metadata.distribution('manila')
    metadata = distribution.metadata
    floors = {}
    for line in distribution.requires or ():
        match = re.match(r'^([A-Za-z0-9._-]+)\s*(\(?[^;]*)', line)
        if match and 'extra' not in line:
            name = match.group(1).lower().replace('_', '-').replace('.', '-')
            spec = match.group(2).strip(' ()')
            floors[name] = ','.join(
                sorted(part.strip() for part in spec.split(','))
            )
    return {
        'version': distribution.version,
        'requires_python': metadata['Requires-Python'],
        'requires': floors,
    }


def command_facts():
    """Describe the commands, and the modules that serve the API."""
    rows = [
        {'kind': kind, 'name': name, 'target': target}
        for kind in ('console_script', 'wsgi_script')
        for name, target in entry_points(f'{kind}s').items()
    ]
    if importlib.util.find_spec('manila.wsgi.api'):
        rows.append({'kind': 'wsgi_module', 'name': 'manila.wsgi.api'})
    rows.extend(
        {'kind': 'api_module', 'name': name}
        for name in ('manila.api.v1', 'manila.api.v2')
        if importlib.util.find_spec(name)
    )
    return rows


def shipped_paste():
    for file in importlib.metadata.distribution('manila').files or ():
        # An egg-info lists the files of the source, not the installed ones.
        if file.name == 'api-paste.ini' and os.path.exists(file.locate()):
            return file.locate()
    path = os.path.join(sys.prefix, 'etc', 'manila', 'api-paste.ini')
    return path if os.path.exists(path) else None


def paste_facts():
    """Describe the sections of the api-paste.ini that manila ships."""
    path = shipped_paste()
    if path is None:
        building.say('no api-paste.ini is shipped')
        return []
    with open(path, encoding='utf-8') as stream:
        text = stream.read()
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read_file(io.StringIO(text))
    rows = []
    for section in parser.sections():
        row = {
            'kind': 'paste',
            'name': section,
            'keys': dict(parser.items(section)),
        }
        rows.append(row)
    return rows
