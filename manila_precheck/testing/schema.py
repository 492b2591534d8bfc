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

"""Build the database of any manila release, for tests.

manila's own migrations need manila and a server: SQLite cannot run them (the
first one opens a second connection). The catalog knows the schema that they
create, so a test can have the schema of a release on SQLite, MySQL, MariaDB
or PostgreSQL without manila::

    testing_schema.create_schema(engine, release)

This module imports SQLAlchemy; nothing that a run of the command needs may
import it.
"""

from typing import Any
from typing import Optional

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from manila_precheck import catalog
from manila_precheck import releases
from manila_precheck.catalog import schema

# The table options of manila's migrations (manila 22.0.2
# manila/db/migrations/alembic/versions: mysql_charset='utf8').
MYSQL_OPTIONS: dict[str, Any] = {
    'mysql_engine': 'InnoDB',
    'mysql_charset': 'utf8',
}


def metadata(
    release: releases.Release,
    dialect: str = 'sqlite',
    facts: Optional[catalog.Catalog] = None,
) -> sa.MetaData:
    """Return the tables of a release, alembic_version among them.

    :param release: a covered release.
    :param dialect: sqlite, mysql, mariadb or postgresql; the tables differ a
        little, as they do after manila's migrations.
    :param facts: a catalog to read from; by default a new one.
    :returns: metadata whose create_all() makes the same tables as
        `manila-manage db sync` of the release.
    :raises CatalogError: when the release is not covered.
    """
    facts = facts or catalog.Catalog()
    made = sa.MetaData()
    for table in facts.tables(release).values():
        _table(made, table, dialect)
    return made


def create_schema(
    bind: Any,
    release: releases.Release,
    facts: Optional[catalog.Catalog] = None,
) -> sa.MetaData:
    """Make the tables of a release in an empty database, and stamp the head.

    :param bind: an engine, or a connection; the caller commits the
        transaction of a connection.
    :param release: a covered release.
    :param facts: a catalog to read from; by default a new one.
    :returns: the metadata, to insert rows with.
    :raises CatalogError: when the release is not covered.
    """
    facts = facts or catalog.Catalog()
    made = metadata(release, bind.dialect.name, facts)
    stamp = (
        made.tables['alembic_version']
        .insert()
        .values(version_num=facts.head(release))
    )
    if isinstance(bind, sa.engine.Connection):
        made.create_all(bind)
        bind.execute(stamp)
    else:
        with bind.begin() as connection:
            made.create_all(connection)
            connection.execute(stamp)
    return made


def _table(made: sa.MetaData, table: schema.Table, dialect: str) -> None:
    on_mysql = dialect in ('mysql', 'mariadb')
    primary = table.primary
    if dialect == 'postgresql':
        primary = table.primary_postgresql
    parts: list[Any] = [
        _column(column, dialect, column.name in primary)
        for column in table.columns
    ]
    if primary:
        # Otherwise SQLAlchemy would order the columns of the key itself.
        parts.append(sa.PrimaryKeyConstraint(*primary))
    parts.extend(
        sa.UniqueConstraint(*unique.columns, name=unique.name)
        for unique in table.uniques
    )
    parts.extend(
        sa.ForeignKeyConstraint(
            key.columns,
            [f'{key.table}.{column}' for column in key.references],
            name=key.name,
            **key.options,
        )
        for key in table.foreign_keys
    )
    made_table = sa.Table(table.name, made, *parts, **MYSQL_OPTIONS)
    for index in table.indexes:
        family = 'mysql' if on_mysql else dialect
        if not index.dialects or family in index.dialects:
            sa.Index(
                index.name,
                *[made_table.c[name] for name in index.columns],
                unique=index.unique,
            )


def _column(
    column: schema.Column, dialect: str, primary: bool
) -> sa.Column[Any]:
    nullable = column.nullable
    if dialect == 'postgresql' and column.nullable_postgresql is not None:
        nullable = column.nullable_postgresql
    return sa.Column(
        column.name,
        _type(column, dialect),
        nullable=nullable,
        server_default=_server_default(column),
        autoincrement=column.autoincrement and primary,
    )


def _server_default(column: schema.Column) -> Any:
    if column.default is None:
        return None
    if isinstance(column.default, bool):
        return sa.true() if column.default else sa.false()
    return str(column.default)


def _type(column: schema.Column, dialect: str) -> Any:
    on_mysql = dialect in ('mysql', 'mariadb')
    if column.type == 'string':
        length = column.length
        if on_mysql and column.mysql_length is not None:
            length = column.mysql_length
        return sa.String(length)
    if column.type == 'datetime':
        if on_mysql:
            return mysql.DATETIME(fsp=column.fsp)
        return sa.DateTime()
    if column.type == 'enum':
        return sa.Enum(*column.values, name=column.enum)
    if on_mysql and column.mysql:
        return getattr(mysql, column.mysql.upper())()
    plain = {
        'boolean': sa.Boolean,
        'integer': sa.Integer,
        'biginteger': sa.BigInteger,
        'smallinteger': sa.SmallInteger,
        'float': sa.Float,
        'numeric': sa.Numeric,
        'text': sa.Text,
    }
    return plain[column.type]()
