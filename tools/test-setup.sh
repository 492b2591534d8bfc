#!/bin/bash -xe
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

# Create the account and the databases that the tests expect on a local
# MySQL or MariaDB and a local PostgreSQL, as every OpenStack project does:
# both are called openstack_citest, and so is the password. OpenStack's CI
# runs this script before the tests, with sudo. A server that is not there
# is passed over; the tests that need it then say so and are skipped.
#
# DATABASE_ADMIN_PASSWORD is the password of MySQL's root, empty by default.

DB_ROOT_PW=${DATABASE_ADMIN_PASSWORD:-}
DB_USER=openstack_citest
DB_PW=openstack_citest
DB_NAME=openstack_citest

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -H "$@"; fi
}

as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        (cd / && sudo -H -u postgres "$@")
    fi
}

MYSQL=$(command -v mariadb || command -v mysql || true)
if [ -n "$MYSQL" ] && {
    as_root env MYSQL_PWD="$DB_ROOT_PW" \
        "$MYSQL" -u root -e 'SELECT 1' >/dev/null
}; then
    as_root env MYSQL_PWD="$DB_ROOT_PW" "$MYSQL" -u root <<EOF
DROP DATABASE IF EXISTS $DB_NAME;
CREATE DATABASE $DB_NAME CHARACTER SET utf8;
CREATE USER IF NOT EXISTS '$DB_USER'@'%' IDENTIFIED BY '$DB_PW';
CREATE USER IF NOT EXISTS '$DB_USER'@'localhost' IDENTIFIED BY '$DB_PW';
GRANT ALL PRIVILEGES ON *.* TO '$DB_USER'@'%' WITH GRANT OPTION;
GRANT ALL PRIVILEGES ON *.* TO '$DB_USER'@'localhost' WITH GRANT OPTION;
FLUSH PRIVILEGES;
EOF
    MYSQL_PWD=$DB_PW "$MYSQL" -h 127.0.0.1 -u "$DB_USER" -e 'SELECT 1' \
        "$DB_NAME" >/dev/null
else
    echo 'No MySQL or MariaDB server here: passed over.'
fi

if command -v psql >/dev/null && as_postgres psql -c 'SELECT 1' >/dev/null
then
    if as_postgres psql -tAc \
        "SELECT 1 FROM pg_roles WHERE rolname = '$DB_USER'" | grep -q 1
    then
        verb=ALTER
    else
        verb=CREATE
    fi
    as_postgres psql -c \
        "$verb ROLE $DB_USER WITH SUPERUSER LOGIN PASSWORD '$DB_PW'"
    as_postgres psql -c "DROP DATABASE IF EXISTS $DB_NAME"
    as_postgres createdb -O "$DB_USER" -T template0 -E utf8 "$DB_NAME"
    PGPASSWORD=$DB_PW psql -h 127.0.0.1 -U "$DB_USER" -c 'SELECT 1' \
        "$DB_NAME" >/dev/null
else
    echo 'No PostgreSQL server here: passed over.'
fi
