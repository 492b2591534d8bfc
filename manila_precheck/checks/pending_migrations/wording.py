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
"""The findings and the words that the parts of the check share."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Optional

from manila_precheck import model


def fails(
    revision: str,
    why: str,
    todo: Sequence[model.Remediation],
    aspect: str,
    data: Optional[Mapping[str, model.Scalar]] = None,
    subject: Optional[model.Subject] = None,
) -> model.Finding:
    """Return that a revision fails, and why.

    :param subject: what has to be corrected; None for the revision itself.
    """
    return model.Finding(
        model.Severity.FAILURE,
        subject or model.Subject('revision', revision),
        f'"manila-manage db sync" fails at revision {revision}: {why}',
        todo,
        data=data or {},
        aspect=aspect,
    )


def count(number: int, what: str, verb: Optional[str] = None) -> str:
    """Return '1 row is' or '2 rows are'."""
    if verb is None:
        verb = ' is' if number == 1 else ' are'
    return f'{number} {what}{"" if number == 1 else "s"}{verb}'
