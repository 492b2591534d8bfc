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

"""Configuration files in the form that deployment tools give them.

Each directory of ``judge_sites`` is one host: its services read the files and
directories at its top, files first, sorted by name.
"""

from collections.abc import Mapping
import pathlib
from typing import NamedTuple

HOME = pathlib.Path(__file__).with_name('judge_sites')


class Site(NamedTuple):
    """The files of one host."""

    files: Mapping[str, str]
    """Path -> text; '\\udcff' stands for the byte 0xff."""

    @property
    def locations(self) -> tuple[str, ...]:
        """Return the files and directories that the services read."""
        tops = {name.partition('/')[0] for name in self.files}
        plain = sorted(top for top in tops if top in self.files)
        return (*plain, *sorted(tops.difference(plain)))

    def write(self, directory: str) -> None:
        """Write the files to a directory, which is created."""
        for name, text in self.files.items():
            path = pathlib.Path(directory, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode(errors='surrogateescape'))


def _read(home: pathlib.Path) -> Site:
    return Site(
        {
            # Read as bytes, since some lines end with a carriage return.
            str(path.relative_to(home)): path.read_bytes().decode()
            for path in sorted(home.rglob('*.conf'))
            if path.is_file()
        }
    )


#: Every host by name.
SITES = {
    home.name: _read(home) for home in sorted(HOME.iterdir()) if home.is_dir()
}

#: Drivers that cannot be built in a test: Huawei's reads its XML file.
NEVER_BUILT = {'manila.share.drivers.huawei.huawei_nas.HuaweiNasDriver'}
