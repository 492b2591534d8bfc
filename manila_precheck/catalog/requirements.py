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

"""What a driver asks for of its storage, and of the Python it runs in."""

from collections.abc import Mapping
from typing import NamedTuple

LOAD = 'load'
SETUP = 'setup'


class System(NamedTuple):
    """A storage system, apart from any driver."""

    name: str
    """As rows and inventories call it: 'Ceph'."""

    names: Mapping[str, str]
    """What a name of a version stands for: {'Reef': '18'}."""

    command: str = ''
    """What shows the version without credentials; '' when nothing does."""


class Storage(NamedTuple):
    """What a driver asks for of one storage system."""

    system: str
    """Its name: 'OneFS'."""

    minimum: str = ''
    """The oldest version that is documented; '' when none is."""

    tested: str = ''
    """The version, or series, that is named alone; '' when none is."""

    refused_below: str = ''
    """The version below which the driver does not come up; '' for none."""

    feature: str = ''
    """What needs it: 'FlexGroup pools'; '' when the driver does."""

    option: str = ''
    """The option of the back end that asks for it when it is true."""

    @property
    def words(self) -> str:
        """Return it as a message says it: 'OneFS 9.10 or newer'."""
        text = f'{self.system} {self.minimum or self.tested}'
        if self.minimum:
            text += ' or newer'
        return f'{text} for {self.feature}' if self.feature else text


class Library(NamedTuple):
    """A Python module that manila does not bring along."""

    module: str
    """What the driver imports."""

    moment: str
    """LOAD: without it, the driver cannot be built and manila-share ends.
    SETUP: the back end does not come up, and manila-share tries again for
    ever, while the others work."""

    package: str = ''
    """The distribution on PyPI that brings it; '' when none does."""

    os_package: str = ''
    """The package of the operating system that brings it; '' for none."""

    minimum: str = ''
    """The oldest version of the package that is documented; '' for none."""

    refused_below: str = ''
    """The version below which the driver does not come up; '' for none."""

    option: str = ''
    """The option of the back end that asks for it when it is true."""


class Support(NamedTuple):
    """What one driver asks for in a range of releases."""

    driver: str
    """A class path, or 'emc:unity' for a plugin."""

    majors: frozenset[int]
    """The major versions of manila in which it holds."""

    sources: tuple[str, ...]
    """Who says so: files of manila, pages of a vendor."""

    storage: tuple[Storage, ...] = ()
    libraries: tuple[Library, ...] = ()

    modes: tuple[bool, ...] = ()
    """The values of driver_handles_share_servers; empty: not said."""

    origin: str = ''
    """What brought the row: 'acme-manila 1.0'; '' for this package."""
