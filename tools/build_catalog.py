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

"""Build the catalog of one manila release from the release itself.

    python tools/build_catalog.py RELEASE [--constraints FILE] [--check]

RELEASE is a series ('2026.1'), a code name or a major version of manila. The
latest point release is installed from PyPI in a virtual environment of its
own (or --venv names one that has it already; tools/manila_venv.py makes it,
and says with which Python), what `manila-precheck catalog tool` writes reads
its facts inside,
its module driver_needs tries there what each driver requires,
`manila-manage db sync` makes its schema on a MariaDB or MySQL and on a
PostgreSQL server, tools/catalog_steps.py watches what each migration does
there, and the facts are merged into the history files under
manila_precheck/catalog/data. With --check nothing is written: a unified diff
between the shipped files and what was read is printed, and the exit code is
1 when there is one. What is written gets the day, in releases.json.

With --points only what the earlier point releases have otherwise than the
latest one is read, each in that environment, and written to points.json.

The servers are named by --mysql-url and --postgresql-url, without a database
(MANILA_PRECHECK_MYSQL_URL and MANILA_PRECHECK_POSTGRESQL_URL in the
environment); databases whose names start with cat_ are made and dropped.
--without-schema leaves the schema, and what each migration does to it, as
they are shipped.

The upper constraints of the release keep the libraries, and so their
options, at what the release was made with: --constraints, else the file
MAJOR.txt in the directory that MANILA_PRECHECK_CONSTRAINTS names, else what
releases.openstack.org has.
"""

import argparse
import datetime
import difflib
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

import manila_venv  # noqa: E402

from manila_precheck import exceptions  # noqa: E402
from manila_precheck import releases  # noqa: E402
from manila_precheck.catalog import builds  # noqa: E402
from manila_precheck.catalog import history  # noqa: E402
from manila_precheck.catalog.building import driver_needs  # noqa: E402

DATA = ROOT / 'manila_precheck' / 'catalog' / 'data'
NEEDS = pathlib.Path(driver_needs.__file__)
STEPS = ROOT / 'tools' / 'catalog_steps.py'

say = manila_venv.say


def run(command, **kwargs):
    environment = dict(os.environ, PYTHONHASHSEED='0', LC_ALL='C.UTF-8')
    environment.pop('PYTHONPATH', None)
    done = subprocess.run(
        [str(part) for part in command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        **kwargs,
    )
    if done.returncode:
        say(done.stdout[-3000:])
        say(done.stderr[-6000:])
        # A URL may hold a password.
        words = [word for word in map(str, command) if '://' not in word]
        raise SystemExit(f'failed: {" ".join(words)}')
    return done


# -- the package -------------------------------------------------------------


def package_facts(python, requirement, folder):
    """Download a version of manila, and say what it is.

    :param requirement: what pip takes it for.
    :raises SystemExit: when the environment holds another version.
    """
    where = pathlib.Path(tempfile.mkdtemp(dir=folder))
    run(
        [
            python,
            '-m',
            'pip',
            'download',
            '-q',
            '--no-deps',
            '--only-binary',
            ':all:',
            '-d',
            where,
            requirement,
        ]
    )
    (wheel,) = list(where.iterdir())
    version = wheel.name.split('-')[1]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    installed = run(
        [
            python,
            '-c',
            'import importlib.metadata as m;print(m.version("manila"))',
        ]
    ).stdout.strip()
    if installed != version:
        raise SystemExit(
            f'the environment holds manila {installed}, PyPI has {version}'
        )
    return {
        'package': 'manila',
        'version': version,
        'filename': wheel.name,
        'sha256': digest,
    }


def tool(folder):
    """Write the tool that reads facts to a folder; return its path."""
    path = folder / 'catalog.pyz'
    path.write_bytes(builds.tool())
    return path


# -- the schema --------------------------------------------------------------


class Server:
    """A database server that a schema is made on."""

    def __init__(self, url, driver, parameters):
        parts = urllib.parse.urlsplit(url)
        self.base = f'{driver}://{parts.netloc}'
        self.parameters = parameters

    def url(self, database):
        return f'{self.base}/{database}{self.parameters}'

    def script(self, python, statement, database):
        run(
            [
                python,
                '-c',
                'import sys, sqlalchemy as sa\n'
                'e = sa.create_engine(sys.argv[1],'
                ' isolation_level="AUTOCOMMIT")\n'
                'c = e.connect()\n'
                'c.execute(sa.text(sys.argv[2]))\n'
                'c.close()\n',
                self.url(database),
                statement,
            ]
        )


def configuration(url, folder):
    """Return a manila.conf for manila-manage.

    oslo.config replaces $name and knows no other escape: a % in a password
    stands for itself.
    """
    url = url.replace('$', '$$')
    return (
        f'[DEFAULT]\nstate_path = {folder}\nlog_file = {folder}/log\n'
        f'[database]\nconnection = {url}\n'
        f'[oslo_concurrency]\nlock_path = {folder}\n'
    )


def on_both(read, python, major, args, folder):
    """Return what read() says of an empty database on each server.

    :param read: called with (python, manila.conf, the database's URL, a file
        to write to).
    """
    name = f'cat_{major}_{os.getpid()}'
    found = []
    for server, first, create in (
        (
            Server(args.mysql_url, 'mysql+pymysql', '?charset=utf8'),
            'information_schema',
            f'CREATE DATABASE {name} CHARACTER SET utf8',
        ),
        (
            Server(args.postgresql_url, 'postgresql+psycopg2', ''),
            'postgres',
            f'CREATE DATABASE {name}',
        ),
    ):
        server.script(python, f'DROP DATABASE IF EXISTS {name}', first)
        server.script(python, create, first)
        try:
            conf = folder / 'manila.conf'
            conf.touch(mode=0o600)
            conf.write_text(
                configuration(server.url(name), folder), encoding='utf-8'
            )
            out = folder / 'of_database.json'
            read(python, conf, server.url(name), out)
            found.append(json.loads(out.read_text(encoding='utf-8')))
        finally:
            server.script(python, f'DROP DATABASE IF EXISTS {name}', first)
    return found


def reflect(python, conf, url, out):
    """Run the migrations of the release, and reflect."""
    manage = pathlib.Path(python).parent / 'manila-manage'
    run([manage, '--config-file', conf, 'db', 'sync'])
    run([python, tool(out.parent), '--schema', url, out])


def schema_rows(python, major, args, folder):
    """Return the rows of every table, from the two servers together."""
    mysql, postgresql = on_both(reflect, python, major, args, folder)
    if set(mysql) != set(postgresql):
        raise SystemExit(
            f'tables of one server only: {set(mysql) ^ set(postgresql)}'
        )
    return {
        table: table_rows(table, mysql[table], postgresql[table])
        for table in sorted(mysql)
    }


def watch(python, conf, url, out):
    """Run the migrations of the release one by one, and watch them."""
    run([python, STEPS, out, conf, url])


def step_rows(python, major, args, folder):
    """Return the rows of every migration, from the two servers together."""
    mysql, postgresql = on_both(watch, python, major, args, folder)
    return joined_steps(mysql, postgresql)


def joined_steps(mysql, postgresql):
    """Return {revision: [row]}: a step of one server alone says of which.

    :raises SystemExit: when the servers saw other revisions.
    """
    if set(mysql) != set(postgresql):
        raise SystemExit('the servers were given other revisions')
    rows = {}
    for revision, steps in mysql.items():
        others = postgresql[revision]
        found = [
            dict(step) if step in others else {**step, 'dialects': ['mysql']}
            for step in steps
        ]
        found.extend(
            {**step, 'dialects': ['postgresql']}
            for step in others
            if step not in steps
        )
        if found:
            rows[revision] = [
                {**step, 'position': position}
                for position, step in enumerate(found)
            ]
    return rows


def table_rows(table, mysql, postgresql):
    """Join what two servers say of one table.

    Types come from PostgreSQL, which tells a boolean from a small integer;
    what holds on one of them alone says so in "dialects".
    """
    rows = []
    other = {column['name']: column for column in postgresql['columns']}
    if set(other) != {column['name'] for column in mysql['columns']}:
        raise SystemExit(f'{table}: columns of one server only')
    for position, column in enumerate(mysql['columns']):
        rows.append(
            {
                'kind': 'column',
                'position': position,
                **joined_column(table, column, other[column['name']]),
            }
        )
    keys = mysql['primary'], postgresql['primary']
    if keys[0] == keys[1]:
        rows.append({'kind': 'primary', 'columns': keys[0]})
    else:
        for dialect, key in zip(('mysql', 'postgresql'), keys):
            if key:
                rows.append(
                    {'kind': 'primary', 'columns': key, 'dialects': [dialect]}
                )
    rows.extend(joined_keys(table, mysql, postgresql))
    return rows


def joined_column(table, mysql, postgresql):
    row = {'name': mysql['name'], 'type': postgresql['type']}
    for name in ('length', 'values', 'enum', 'autoincrement'):
        if postgresql.get(name):
            row[name] = postgresql[name]
    for name in ('fsp', 'mysql'):
        if mysql.get(name):
            row[name] = mysql[name]
    if mysql['type'] != postgresql['type']:
        raise SystemExit(
            f'{table}.{mysql["name"]}: {mysql["type"]} is not '
            f'{postgresql["type"]}'
        )
    if mysql.get('length') != postgresql.get('length'):
        row['mysql_length'] = mysql.get('length')
    row['nullable'] = mysql['nullable']
    if postgresql['nullable'] != mysql['nullable']:
        row['nullable_postgresql'] = postgresql['nullable']
    defaults = [server_default(item) for item in (mysql, postgresql)]
    if defaults[0] != defaults[1]:
        raise SystemExit(f'{table}.{mysql["name"]}: defaults {defaults}')
    if defaults[0] is not None:
        row['default'] = defaults[0]
    return row


def server_default(column):
    """Return the default of a column as a value of JSON, or None."""
    text = column.get('default')
    if text is None or text == 'NULL':
        return None
    text = text.split('::')[0]
    if text[:1] == "'":
        text = text[1:-1]
    if column['type'] == 'boolean':
        return {'0': False, '1': True, 'false': False, 'true': True}[text]
    if column['type'] in ('integer', 'biginteger', 'smallinteger'):
        return int(text)
    return text


def joined_keys(table, mysql, postgresql):
    """Return the rows of unique constraints, indexes and foreign keys.

    A name that a server made up is left out; so are the indexes that InnoDB
    adds under a foreign key, and those behind a unique constraint.
    """
    rows = []
    named = {tuple(columns): name for name, columns in mysql['uniques']}
    for name, columns in postgresql['uniques']:
        mine = named.pop(tuple(columns), None)
        rows.append(
            {
                'kind': 'unique',
                'name': name if name == mine else None,
                'columns': columns,
            }
        )
    if named:
        raise SystemExit(f'{table}: unique on one server only: {named}')
    uniques = {name for name, _columns in postgresql['uniques']}
    mine = {
        (name, tuple(columns)): unique
        for name, columns, unique in mysql['indexes']
    }
    for name, columns, unique in postgresql['indexes']:
        if name in uniques:
            continue
        row = {'kind': 'index', 'name': name, 'columns': columns}
        if unique:
            row['unique'] = True
        if mine.get((name, tuple(columns))) != unique:
            raise SystemExit(f'{table}: index {name} on one server only')
        rows.append(row)
    known = {name for name, _columns in mysql['uniques']}
    known |= {row['name'] for row in rows}
    foreign = {tuple(item[1]) for item in mysql['foreign']}
    for (name, columns), _unique in sorted(mine.items()):
        if name not in known and not any(
            key[: len(columns)] == columns for key in foreign
        ):
            rows.append(
                {
                    'kind': 'index',
                    'name': name,
                    'columns': list(columns),
                    'dialects': ['mysql'],
                }
            )
    named = {
        (tuple(columns), target, tuple(references)): (name, options)
        for name, columns, target, references, options in mysql['foreign']
    }
    for name, columns, target, references, options in postgresql['foreign']:
        other = named.pop((tuple(columns), target, tuple(references)), None)
        if other is None or other[1] != options:
            raise SystemExit(f'{table}: foreign key {name} differs')
        row = {
            'kind': 'foreign',
            'columns': columns,
            'table': target,
            'references': references,
            'name': name if name == other[0] else None,
        }
        if options:
            row['options'] = options
        rows.append(row)
    if named:
        raise SystemExit(f'{table}: foreign key on one server only: {named}')
    return [
        {key: value for key, value in row.items() if value is not None}
        for row in rows
    ]


# -- the point releases ------------------------------------------------------


def extracted(python, folder):
    """Return what the tool writes of the manila in an environment."""
    out = folder / 'facts.json'
    say(run([python, tool(folder), out], cwd=folder).stderr)
    return json.loads(out.read_text(encoding='utf-8'))


def differences(earlier, last):
    """Return what an earlier version of a release has otherwise.

    :param earlier: what the tool has written of it.
    :param last: what the tool has written of the last version.
    :returns: {kind: {name: [row]}}, as points.json has it.
    """
    found = {}
    before, after = builds.entries_of(earlier), builds.entries_of(last)
    for kind in before:
        names = sorted(before[kind].keys() | after[kind].keys())
        rows = {
            name: before[kind].get(name, [])
            for name in names
            if before[kind].get(name) != after[kind].get(name)
        }
        if rows:
            found[kind] = rows
    return found


def points(release, python, folder):
    """Return the rows of points.json of a release.

    :param python: of an environment that holds the latest point release; it
        holds it again afterwards.
    """
    last = extracted(python, folder)
    *earlier, newest = (one.text for one in releases.final_versions(release))
    rows = []
    for version in [*earlier, newest]:
        wanted = f'manila=={version}'
        run([python, '-m', 'pip', 'install', '-q', '--no-deps', wanted])
        if version == newest:
            break
        header = package_facts(python, wanted, folder)
        facts = extracted(python, folder)
        header['requires_python'] = facts['release']['requires_python']
        rows.append({**header, **differences(facts, last)})
    return rows


def points_text(release, rows):
    """Return points.json with the rows of one release replaced."""
    found = {
        row['version']: row
        for row in json.loads(
            (DATA / 'points.json').read_text(encoding='utf-8')
        )['points']
        if releases.build(row['version']).release != release
    }
    found.update({row['version']: row for row in rows})
    ordered = sorted(found, key=lambda version: releases.build(version).order)
    lines = [json.dumps(found[name], sort_keys=True) for name in ordered]
    text = ',\n  '.join(lines)
    return (
        '{\n "format": 1,\n "kind": "points",\n "points": [\n  '
        f'{text}\n ]\n}}\n'
    )


# -- the history -------------------------------------------------------------


def shipped(kind):
    """Return the document of a history file; an empty one of a new kind."""
    path = DATA / f'{kind}.json'
    if path.exists():
        return json.loads(path.read_text(encoding='utf-8'))
    return {
        'format': history.FORMAT,
        'kind': kind,
        'releases': {},
        'entries': {},
    }


def rebuilt(release, python, args, folder):
    """Return {kind: the text of its history file} with a release read anew.

    :param python: of an environment that holds its latest point release.
    """
    major = release.major
    header = package_facts(python, manila_venv.requirement(major), folder)
    facts = extracted(python, folder)
    done = run(
        [python, NEEDS, json.dumps(driver_needs.buildable(facts['drivers']))],
        cwd=folder,
    )
    say(done.stderr)
    facts['drivers'] += json.loads(done.stdout)
    header['requires_python'] = facts['release']['requires_python']
    named = builds.entries_of(facts)
    if not args.without_schema:
        named['schema'] = schema_rows(python, major, args, folder)
        named['steps'] = step_rows(python, major, args, folder)
    texts = {}
    for kind, entries in named.items():
        document, row = shipped(kind), dict(header)
        if kind == 'releases':
            row['built'] = day_of(document, major, args.check)
        texts[kind] = history.dumps(merged(document, major, row, entries))
    return texts


def merged(document, major, header, entries):
    """Return a history document with the rows of one release replaced.

    :param document: {'entries', 'format', 'kind', 'releases'}.
    :param header: of the release: what Package has.
    :param entries: {name: [row]}, rows without 'releases'.
    """
    read = frozenset(map(int, document['releases']))
    covered = read | {major}
    # {name: {the facts of a row, as JSON: the majors in which they hold}}
    found = {}
    for name, rows in document['entries'].items():
        for row in rows:
            facts = {k: row[k] for k in row if k != 'releases'}
            others = history.majors(row['releases'], read) - {major}
            if others:
                text = json.dumps(facts, sort_keys=True)
                found.setdefault(name, {})[text] = others
    count = 0
    for name, rows in entries.items():
        texts = {json.dumps(row, sort_keys=True) for row in rows}
        count += len(texts)
        known = found.setdefault(name, {})
        for text in texts:
            known[text] = known.get(text, frozenset()) | {major}
    return {
        'format': history.FORMAT,
        'kind': document['kind'],
        'releases': {
            **document['releases'],
            str(major): {**header, 'count': count},
        },
        'entries': {
            name: _ordered(rows, covered) for name, rows in found.items()
        },
    }


def _ordered(found, covered):
    rows = [
        {**json.loads(facts), 'releases': history.ranges(those, covered)}
        for facts, those in found.items()
    ]
    return sorted(
        rows,
        key=lambda row: (
            row.get('position', 0),
            min(history.majors(row['releases'], covered)),
            json.dumps(row, sort_keys=True),
        ),
    )


def day_of(document, major, check):
    """Return the day that the header of releases.json has for a release.

    :param check: nothing is written, and the day is no difference.
    """
    if check:
        return document['releases'].get(str(major), {}).get('built', '')
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('release')
    parser.add_argument('--python', help='the interpreter to install with')
    parser.add_argument('--venv', help='an environment, made when missing')
    parser.add_argument('--constraints', help='upper constraints')
    parser.add_argument(
        '--check',
        action='store_true',
        help='write nothing, print the difference',
    )
    parser.add_argument(
        '--without-schema',
        action='store_true',
        help='leave the schema as it is shipped',
    )
    parser.add_argument(
        '--mysql-url',
        default=os.environ.get(
            'MANILA_PRECHECK_MYSQL_URL', 'mysql://root@127.0.0.1'
        ),
    )
    parser.add_argument(
        '--postgresql-url',
        default=os.environ.get(
            'MANILA_PRECHECK_POSTGRESQL_URL',
            'postgresql://postgres:postgres@127.0.0.1',
        ),
    )
    parser.add_argument(
        '--points',
        action='store_true',
        help='read the earlier point releases, and nothing else; it changes '
        'the environment for a time',
    )
    args = parser.parse_args()
    try:
        release = releases.parse(args.release)
    except exceptions.UsageError as exc:
        raise SystemExit(str(exc)) from exc
    with tempfile.TemporaryDirectory(prefix='build-catalog-') as name:
        folder = pathlib.Path(name)
        python = manila_venv.create(
            release,
            args.venv or folder / 'venv',
            args.python,
            args.constraints,
            constrained=True,
        )
        if args.points:
            rows = points(release, python, folder)
            texts = {'points': points_text(release, rows)}
        else:
            texts = rebuilt(release, python, args, folder)
    changed = False
    for kind, after in sorted(texts.items()):
        path = DATA / f'{kind}.json'
        before = path.read_text(encoding='utf-8') if path.exists() else ''
        if before == after:
            continue
        changed = True
        if args.check:
            sys.stdout.writelines(
                difflib.unified_diff(
                    before.splitlines(True),
                    after.splitlines(True),
                    f'shipped/{kind}.json',
                    f'built/{kind}.json',
                    n=0,
                )
            )
        else:
            path.write_text(after, encoding='utf-8')
            say(f'wrote {path.relative_to(ROOT)}')
    if not changed:
        say(f'the catalog of manila {release.major} is as shipped')
    return 1 if changed and args.check else 0


if __name__ == '__main__':
    sys.exit(main())
