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
"""Run manila-manage of one release many times.

It runs by the Python of an environment with the release. It imports manila
once, and forks a process for each command. Nothing of manila-precheck is
imported.

It reads lines of JSON from standard input. Each is a list: the file for the
output of the command, then the arguments. It answers each with the exit code.
"""

import json
import os
import sys
import traceback

from manila.cmd import manage


def main():
    """Run one command for each line."""
    for line in sys.stdin:
        output, *words = json.loads(line)
        child = os.fork()
        if not child:
            command(output, words)
        _, status = os.waitpid(child, 0)
        print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 255)
        sys.stdout.flush()


def command(output, words):
    """Run manila-manage in this process; never return."""
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = ['manila-manage', *words]
    code = 255
    try:
        code = manage.main() or 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(bool(exc.code))
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == '__main__':
    main()
