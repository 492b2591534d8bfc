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

"""Fixtures for tests of checks, in this package and in plugins.

They are those of :mod:`manila_precheck.testing.site`, which needs the package
``fixtures``. Neither the command nor :mod:`manila_precheck.testing.schema`
needs that package, so the module is imported at the first access to a name.
"""

from typing import Any
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manila_precheck.testing.site import entry_of
    from manila_precheck.testing.site import NOW
    from manila_precheck.testing.site import report_of
    from manila_precheck.testing.site import Site

__all__ = ['NOW', 'Site', 'entry_of', 'report_of']


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from manila_precheck.testing import site

    return getattr(site, name)
