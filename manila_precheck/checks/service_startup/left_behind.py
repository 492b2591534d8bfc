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

"""Paths in the environment of a manila that is not the target.

They work until somebody removes that environment: the privsep helper of an
older release does what the target requires (tried with 16.3 to 23.0.1, each
with the helper of the previous version).
"""

import glob
import os
import re
from typing import NamedTuple
from typing import Optional

from manila_precheck import model
from manila_precheck import releases
from manila_precheck.engine import context

_METADATA = re.compile(r'manila-(\d[^-]*?)(?:-py[\d.]+)?\.(?:dist|egg)-info')
# The directories of a virtual environment and of the packages of RDO and
# Debian.
_LIBRARIES = (
    'lib/python3*/site-packages',
    'lib64/python3*/site-packages',
    'lib/python3/dist-packages',
)


class Installation(NamedTuple):
    """Where a manila is installed."""

    prefix: str
    version: str


def is_known(ctx: context.Context) -> bool:
    """Say whether the target is installed, so that other ones are old.

    Before that, the target may be installed in the place of the source.
    """
    return (
        ctx.stage is model.Stage.UPGRADED
        or ctx.resolution.installed_as == 'target'
    )


def of_path(path: str, target: releases.Release) -> Optional[Installation]:
    """Return the environment of another manila that contains a path."""
    prefix = os.path.dirname(path)
    while prefix not in ('/', ''):
        versions = list(_versions(prefix))
        if versions:
            others = [v for v in versions if _release(v) != target]
            if len(others) < len(versions):
                return None
            return Installation(prefix, others[0])
        prefix = os.path.dirname(prefix)
    return None


def _versions(prefix: str) -> list[str]:
    found = set()
    for folder in _LIBRARIES:
        for path in glob.glob(
            os.path.join(glob.escape(prefix), folder, 'manila-*-info')
        ):
            match = _METADATA.fullmatch(os.path.basename(path))
            if match is not None:
                found.add(match[1])
    return sorted(found)


def _release(version: str) -> Optional[releases.Release]:
    return releases.build(version).release
