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

#: The name of the command, of its distribution and of its own files.
PROG = 'manila-precheck'


def main() -> int:
    """Run the command; the entry point of its script.

    Importing it takes a tenth of a second, in which it can be interrupted.
    """
    try:
        from manila_precheck.cmd import precheck
    except KeyboardInterrupt:
        import sys

        sys.stderr.write(f'{PROG}: error: interrupted\n')
        return 255
    except Exception as exc:
        # A library that is missing, or of another version. Python would end
        # with 1, the code of warnings.
        import sys
        import traceback

        traceback.print_exc()
        sys.stderr.write(f'{PROG}: error: it cannot be loaded: {exc}\n')
        return 255
    return precheck.main()
