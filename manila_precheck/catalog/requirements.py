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

"""What a driver requires of its storage and of its Python environment."""

from collections.abc import Mapping
from typing import NamedTuple

LOAD = 'load'
SETUP = 'setup'


class System(NamedTuple):
    """A storage system, independent of drivers."""

    name: str
    """Its name in rows and inventories: 'Ceph'."""

    names: Mapping[str, str]
    """Versions by the names that stand for them: {'Reef': '18'}."""

    command: str = ''
    """A command that shows the version without a login; '' if none does."""


class Storage(NamedTuple):
    """What a driver requires of one storage system."""

    system: str
    """Its name: 'OneFS'."""

    minimum: str = ''
    """The oldest documented version; '' when none is documented."""

    tested: str = ''
    """The only version or series that is documented; '' for none."""

    refused_below: str = ''
    """Older versions make the driver fail; '' when there is no such limit."""

    feature: str = ''
    """What requires it: 'FlexGroup pools'; '' for the driver itself."""

    option: str = ''
    """An option of the back end; the requirement holds if it is true."""

    @property
    def words(self) -> str:
        """Return it for a message: 'OneFS 9.10 or newer'."""
        text = f'{self.system} {self.minimum or self.tested}'
        if self.minimum:
            text += ' or newer'
        return f'{text} for {self.feature}' if self.feature else text


class Library(NamedTuple):
    """A Python module that manila's packages do not depend on."""

    module: str
    """The module that the driver imports."""

    moment: str
    """LOAD: without it the driver cannot be instantiated, and manila-share
    exits. SETUP: the back end does not start, and manila-share retries
    forever while the other back ends work."""

    package: str = ''
    """The distribution on PyPI that contains it; '' for none."""

    os_package: str = ''
    """The package of the operating system that contains it; '' for none."""

    minimum: str = ''
    """The oldest documented version of the package; '' for none."""

    refused_below: str = ''
    """Older versions make the driver fail; '' when there is no such limit."""

    option: str = ''
    """An option of the back end; the requirement holds if it is true."""


class Support(NamedTuple):
    """What one driver requires in a range of releases."""

    driver: str
    """A class path, or 'emc:unity' for a plugin."""

    majors: frozenset[int]
    """The major versions of manila for which it holds."""

    sources: tuple[str, ...]
    """The sources: files of manila, pages of a vendor."""

    storage: tuple[Storage, ...] = ()
    libraries: tuple[Library, ...] = ()

    modes: tuple[bool, ...] = ()
    """The supported values of driver_handles_share_servers; empty: unknown."""

    origin: str = ''
    """The source of the row: 'acme-manila 1.0'; '' for this package."""
