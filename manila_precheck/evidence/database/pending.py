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
"""What the pending migrations do to a database."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from manila_precheck import exceptions
from manila_precheck.catalog import steps
from manila_precheck.evidence.database import connection

if TYPE_CHECKING:
    from manila_precheck import releases
    from manila_precheck.catalog import Catalog

#: The steps of each revision that has not run, in order.
Steps = Mapping[str, Sequence[steps.MigrationStep]]


def pending(
    catalog: 'Catalog',
    target: 'releases.Release',
    db: connection.Database,
    mariadb: bool,
) -> Steps:
    """Return the steps of the pending revisions, in order.

    :param mariadb: whether the URL of manila names that dialect, for which
        fbdfabcba377 does nothing (manila 16.3.0 db/migrations/alembic/
        versions/fbdfabcba377_change_datetime_precision.py).
    :raises SourceNotApplicable: when the catalog does not know them.
    """
    chain = catalog.chain(target)
    if db.revision not in chain:
        raise exceptions.SourceNotApplicable(
            'no migration path leads from the revision of the database to '
            f'{target}: see schema-revision'
        )
    known = catalog.steps(target)
    place = chain.index(db.revision) + 1
    if place < chain.index(steps.FIRST):
        raise exceptions.SourceNotApplicable(
            f'the effect of the migrations up to {catalog.releases[0]} '
            'is not known: see schema-revision'
        )
    return {
        name: [
            step
            for step in known.get(name, ())
            if step.on(db.dialect)
            and not (
                mariadb and step.operation is steps.Operation.MODIFY_COLUMN
            )
        ]
        for name in chain[place:]
    }
