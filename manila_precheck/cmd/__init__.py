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

#: The name of the command, of its distribution and of its configuration files.
PROG = 'manila-precheck'


def main() -> int:
    """Run the command; this is the entry point of its script.

    The import takes a tenth of a second, in which a user can interrupt it.
    """
    try:
        from manila_precheck.cmd import precheck
    except KeyboardInterrupt:
        import sys

        sys.stderr.write(f'{PROG}: error: interrupted\n')
        return 255
    except Exception as exc:
        # A library is missing, or has another version. Python itself would
        # exit with 1, which is the code for warnings.
        import sys
        import traceback

        traceback.print_exc()
        sys.stderr.write(f'{PROG}: error: it cannot be loaded: {exc}\n')
        return 255
    return precheck.main()
