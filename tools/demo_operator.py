#!/usr/bin/env python3
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

"""Do to the database of the demo what an operator does with manila.

    python tools/demo_operator.py ACTION SITE

The demo runs without manila; what its commands leave in the database is
written there. SITE is the directory of 'tools/demo.py --directory'. ACTION is

- tidy: complete the migrations and the operations in flight, give the shares
  of the lost back end a host, delete the services that are gone, start and
  enable the others, and purge what was deleted more than 30 days ago,
- stop: stop every service,
- sync: 'manila-manage db sync' of 2026.1,
- start: start every service.
"""

import argparse
import datetime
import os
import sys
from typing import Any

import demo
import sqlalchemy as sa

from manila_precheck import releases
from manila_precheck.testing import schema

_PURGE_DAYS = 30
_POOL = 'ctl1@cephnfs1#cephfs'

# A host that was removed, and a back end that no manila has a driver for.
_GONE = ('ctl0@lvm1', 'ctl1@archive1')


def _now() -> datetime.datetime:
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.replace(tzinfo=None)


class _Database:
    """The database of the site, and what is done to it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._engine = sa.create_engine(f'sqlite:///{path}')
        self._tables = sa.MetaData()
        self._tables.reflect(self._engine)

    def _update(self, name: str, where: dict[str, Any], **values: Any) -> None:
        table = self._tables.tables[name]
        wanted = [table.c[column] == value for column, value in where.items()]
        with self._engine.begin() as connection:
            connection.execute(table.update().where(*wanted).values(**values))

    def tidy(self) -> None:
        """End what is in flight, and what nobody needs."""
        shares = self._tables.tables['shares']
        instances = self._tables.tables['share_instances']
        services = self._tables.tables['services']
        with self._engine.begin() as connection:
            for table, column, ended in (
                (instances, 'status', 'migrating_to'),
                *((services, 'host', host) for host in _GONE),
            ):
                connection.execute(
                    table.update()
                    .where(table.c[column] == ended)
                    .values(deleted=table.c.id, deleted_at=_now())
                )
            connection.execute(
                shares.update()
                .where(shares.c.task_state.is_not(None))
                .values(task_state='migration_success')
            )
            connection.execute(
                instances.update()
                .where(instances.c.host.startswith('ctl0@'))
                .values(host=_POOL)
            )
            connection.execute(self._tables.tables['transfers'].delete())
        for status in ('migrating', 'extending', 'awaiting_transfer'):
            self._update(
                'share_instances', {'status': status}, status='available'
            )
        self._update('services', {}, disabled=False, disabled_reason=None)
        self._purge('reservations')
        self.start()

    def _purge(self, name: str) -> None:
        table = self._tables.tables[name]
        age = _now() - datetime.timedelta(days=_PURGE_DAYS)
        with self._engine.begin() as connection:
            connection.execute(
                table.delete().where(
                    table.c.deleted != 0,
                    sa.or_(
                        table.c.deleted_at.is_(None), table.c.deleted_at < age
                    ),
                )
            )

    def stop(self) -> None:
        """Let no service report any more."""
        earlier = _now() - datetime.timedelta(minutes=5)
        self._update('services', {}, state='stopped', updated_at=earlier)

    def start(self) -> None:
        """Let every service report."""
        self._update('services', {}, state='up', updated_at=_now())

    def sync(self) -> None:
        """Put the same rows into the tables of the target."""
        path = f'{self._path}.new'
        engine = sa.create_engine(f'sqlite:///{path}')
        made = schema.create_schema(engine, releases.parse(demo.TARGET))
        with engine.begin() as new, self._engine.begin() as old:
            for table in made.sorted_tables:
                before = self._tables.tables.get(table.name)
                if before is None or table.name == 'alembic_version':
                    continue
                common = [c.name for c in table.c if c.name in before.c]
                rows = old.execute(sa.select(*(before.c[c] for c in common)))
                found = [dict(zip(common, row)) for row in rows]
                if found:
                    new.execute(table.insert(), found)
        for one in (engine, self._engine):
            one.dispose()
        os.replace(path, self._path)


def main() -> int:
    """Do it; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('action', choices=('tidy', 'stop', 'sync', 'start'))
    parser.add_argument('site')
    args = parser.parse_args()
    path = os.path.join(args.site, demo.DATABASE)
    if not os.path.exists(path):
        print(f'demo: error: there is no {path}', file=sys.stderr)
        return 1
    getattr(_Database(path), args.action)()
    return 0


if __name__ == '__main__':
    sys.exit(main())
