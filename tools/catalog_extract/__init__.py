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

"""Read the facts of the manila release that this interpreter has installed.

Started by tools/build_catalog.py, as a directory, with the Python of a
virtual environment that holds one manila release and nothing of this
project: only the standard library and what manila itself brings may be
imported, and it has to run with Python 3.8. Writes one JSON object (release,
options, auth_plugins, policies, drivers, revisions; with --schema, the schema
that a database holds) to a file, and says on standard error whatever a person
should look at.

Help strings and any other prose of manila are never read out.

A module imports only from the lines below its own::

    __main__
    option_rows
    ownership
    classes | share_drivers | sites | references | registrations
    libraries
    option | sources | package | policies | schema
    host
"""

import sys


def say(text):
    """Print on standard error."""
    print(text, file=sys.stderr)
