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

"""Fail when a file lacks the header of the Apache licence."""

import pathlib
import sys

_PHRASE = 'Licensed under the Apache License, Version 2.0'


def main(paths: list[str]) -> int:
    """Name the files that hold text but no header; return how many.

    :param paths: of files in UTF-8.
    """
    bad = []
    for path in paths:
        text = pathlib.Path(path).read_text(encoding='utf-8')
        if text.strip() and _PHRASE not in text[:1000]:
            bad.append(path)
    for path in bad:
        print(f'{path}: no Apache licence header')
    return min(len(bad), 1)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
