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

"""Read the facts of the manila that this interpreter has installed.

This package runs inside the environment of a manila, as a zip application
that ``manila-precheck catalog tool`` writes: only the standard library and
what manila itself brings may be imported, and it has to run with Python 3.8.
It writes one JSON object (see catalog/builds.py; with ``--schema``, the schema
that a database holds), and says on standard error whatever a person should
look at, and nothing else. No connection is made and no database is opened.

Help strings and any other prose of manila are never read out.

A module imports only from the lines below its own::

    __main__
    option_rows
    ownership | missing_imports
    classes | share_drivers | sites | references | registrations
    policies | paste_factories
    libraries
    option | sources | package | schema | out_of_tree
    host | driver_needs | noise
"""

import sys

#: Of the file; a version that adds facts keeps the number.
FORMAT = 1
KIND = 'manila-build'

#: What was said: it is in the file as well.
said = []
#: Where it is said, a text stream; None is standard error.
terminal = None
#: {module: why it cannot be imported}: in the file as well.
unimportable = {}


def say(text):
    """Print on standard error, once."""
    if text not in said:
        said.append(text)
        print(text, file=terminal or sys.stderr)


def cannot_import(name, exc):
    """Say that a module, or a package, is not there to be read."""
    unimportable[name] = f'{type(exc).__name__}: {exc}'
    say(f'not importable: {name}: {unimportable[name]}')
