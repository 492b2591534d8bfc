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

"""Substitutes for the properties of the machine that reads the facts.

To find the facts that depend on the machine, its host name, address, number
of processors, home directory and temporary directory are replaced by marks
before manila is imported. A default that contains a mark, or a path of the
environment, is a host default, and its value is not recorded.
"""

import multiprocessing
import os
import socket
import sys
import tempfile

HOST = 'catalog-host-mark'
ADDRESS = '192.0.2.77'
ADDRESS6 = '2001:db8::77'
PROCESSORS = 7919
HOME = '/nonexistent/catalog-home-mark'
TEMPORARY = '/nonexistent/catalog-tmp-mark'
PROCESS = 'catalog-process-mark'


def stand_in():
    """Replace the functions by which libraries query the machine."""
    os.environ['HOME'] = HOME
    for name in ('TMPDIR', 'TEMP', 'TMP', 'OSLO_LOCK_PATH'):
        os.environ.pop(name, None)
    for name in list(os.environ):
        if name.startswith(('OS_', 'OSLO_', 'MANILA_', 'REQUESTS_')):
            del os.environ[name]
    os.environ['OS_MANILA_DISABLE_EVENTLET_PATCHING'] = '1'
    tempfile.tempdir = TEMPORARY
    socket.gethostname = lambda: HOST
    socket.getfqdn = lambda name='': HOST
    multiprocessing.cpu_count = lambda: PROCESSORS
    os.cpu_count = lambda: PROCESSORS
    real = os.uname()
    os.uname = lambda: _uname(real)
    sys.argv = [PROCESS]
    try:
        from oslo_concurrency import processutils
    except ImportError:
        pass
    else:
        processutils.get_worker_count = lambda: PROCESSORS
    from oslo_utils import netutils

    netutils.get_my_ipv4 = lambda: ADDRESS
    netutils.get_my_ipv6 = lambda: ADDRESS6


def _uname(real):
    fields = list(real)
    fields[1] = HOST
    return os.uname_result(fields)


def is_of_the_host(value):
    if isinstance(value, dict):
        return any(is_of_the_host(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_of_the_host(item) for item in value)
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value and value % PROCESSORS == 0
    if not isinstance(value, str):
        return False
    marks = [HOST, ADDRESS, ADDRESS6, HOME, TEMPORARY, PROCESS]
    if sys.prefix != sys.base_prefix:
        # Only a virtual environment has a path of its own; else it is /usr.
        marks.append(sys.prefix)
    return any(mark in value for mark in marks)
