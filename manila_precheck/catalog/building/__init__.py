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

This package runs in the environment of a manila, as a zip application that
``manila-precheck catalog tool`` writes. So it may only import the standard
library and the dependencies of manila, and has to run with Python 3.8. It
writes one JSON object (see catalog/builds.py; with ``--schema``, the schema
of a database). On standard error it only prints what a person should look
at. It makes no connection and opens no database.

Help strings and other texts of manila are never output.

A module imports only modules from the lines below its own::

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

#: The format of the file; a version that only adds facts keeps the number.
FORMAT = 1
KIND = 'manila-build'

#: The messages so far; they are in the file, too.
messages = []
#: The text stream for messages; None: standard error.
terminal = None
#: {module: why it cannot be imported}; it is in the file, too.
unimportable = {}


def say(text):
    """Print a message on standard error, once."""
    if text not in messages:
        messages.append(text)
        print(text, file=terminal or sys.stderr)


def cannot_import(name, exc):
    """Report that a module or a package cannot be imported."""
    unimportable[name] = f'{type(exc).__name__}: {exc}'
    say(f'not importable: {name}: {unimportable[name]}')
