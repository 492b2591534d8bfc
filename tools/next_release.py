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

"""Try what adding the next release of manila costs, in a copy of the tree.

    python tools/next_release.py [--directory DIR] [REGEX]

The release after the newest one that is known is added to a copy of the tree,
with the facts of the newest: to the headers of the catalog's files, and where
doc/source/contributor/catalog.rst says that a release is written by hand. The
rows of data and the lines of code that this changes are counted, then stestr
runs the unit tests whose names match REGEX (all of them) there. The exit code
is 1 when there are more than 120 rows or 3 lines, or when a test fails.

The copy is gone afterwards; --directory names one to keep.
"""

import argparse
from collections.abc import Sequence
import difflib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'tools')]

import manila_venv  # noqa: E402

from manila_precheck import releases  # noqa: E402

MOST_ROWS = 120
MOST_LINES = 3
DATA = 'manila_precheck/catalog/data'
UNIT_TESTS = r'manila_precheck\.tests\.unit'

# The header of a catalog file, which ends its file or begins it.
_HEADER = re.compile(r'\n "releases": \{\n(?P<rows>.*?)\n \}', re.DOTALL)


def following(newest: releases.Release) -> releases.Release:
    """Return the release after the newest one, with a made-up code name."""
    year, half = map(int, newest.name.split('.'))
    name = f'{year}.2' if half == 1 else f'{year + 1}.1'
    return releases.Release(
        name, newest.major + 1, f'After {newest.code_name}', half == 2
    )


def with_row(
    text: str, newest: releases.Release, release: releases.Release
) -> str:
    """Return the text of a catalog file that covers one release more.

    :param newest: the release whose header the new one gets.
    :raises SystemExit: when the file has no header, or not of the newest.
    """
    header = _HEADER.search(text)
    rows = json.loads(f'{{{header["rows"]}}}') if header else {}
    if header is None or str(newest.major) not in rows:
        raise SystemExit(f'no header of manila {newest.major}')
    facts = json.dumps(rows[str(newest.major)], sort_keys=True)
    facts = facts.replace(f'{newest.major}.', f'{release.major}.')
    row = f',\n  "{release.major}": {facts}'
    end = header.end('rows')
    return text[:end] + row + text[end:]


def with_points(
    text: str, newest: releases.Release, release: releases.Release
) -> str:
    """Return points.json with the versions of one release more.

    :param newest: the release whose rows the new one gets.
    """
    rows = [
        row.rstrip(',').replace(f'{newest.major}.', f'{release.major}.')
        for row in text.splitlines()
        if f'"version": "{newest.major}.' in row
    ]
    end = text.rindex('\n ]')
    return ',\n'.join([text[:end], *rows]) + text[end:]


def lines_after(
    newest: releases.Release, release: releases.Release
) -> dict[str, dict[str, str]]:
    """Return what is written by hand: the lines of code, by file.

    :returns: {path below the tree: {a line that is there: the line after}}.
    """
    versions = _versions(newest)
    oldest_python, newest_python = manila_venv.PYTHONS[newest.major]
    return {
        'manila_precheck/releases.py': {
            f'    {_release(newest)},': f'    {_release(release)},',
            versions: versions.replace(
                f'{newest.major}.', f'{release.major}.'
            ),
        },
        'tools/manila_venv.py': {
            f'    {newest.major}: ({oldest_python}, {newest_python}),': (
                f'    {release.major}: ({oldest_python}, {newest_python}),'
            )
        },
    }


def _release(release: releases.Release) -> str:
    return (
        f'Release({release.name!r}, {release.major}, '
        f'{release.code_name!r}, {release.slurp})'
    )


def _versions(newest: releases.Release) -> str:
    text = (ROOT / 'manila_precheck' / 'releases.py').read_text()
    (found,) = re.findall(rf'^{newest.major}\.0\.0\b.*$', text, re.MULTILINE)
    return str(found)


def add(
    tree: pathlib.Path, newest: releases.Release, release: releases.Release
) -> None:
    """Add a release to a tree.

    :raises SystemExit: when a place where it belongs is not there.
    """
    for path in sorted((tree / DATA).glob('*.json')):
        text = path.read_text(encoding='utf-8')
        if path.name == 'points.json':
            path.write_text(
                with_points(text, newest, release), encoding='utf-8'
            )
        if '\n "releases": {' in text:
            path.write_text(with_row(text, newest, release), encoding='utf-8')
    for name, after in lines_after(newest, release).items():
        path = tree / name
        lines = path.read_text(encoding='utf-8').splitlines()
        for line, new in after.items():
            if line not in lines:
                raise SystemExit(f'{name} has no line {line!r}')
            lines.insert(lines.index(line) + 1, new)
        path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def changed(before: pathlib.Path, after: pathlib.Path) -> dict[str, int]:
    """Return the paths of two trees that differ, with how many lines do.

    A line that is new and one that takes the place of another count once.
    """
    found = {}
    for path in sorted(after.rglob('*')):
        if not path.is_file():
            continue
        name = str(path.relative_to(after))
        old, new = (before / name).read_bytes(), path.read_bytes()
        if old != new:
            found[name] = sum(
                line.startswith('+ ')
                for line in difflib.ndiff(
                    old.decode().splitlines(), new.decode().splitlines()
                )
            )
    return found


def copy_to(tree: pathlib.Path) -> None:
    """Copy all but what git ignores to a directory, which is made."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '-co', '--exclude-standard'],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    for name in listed.rstrip('\0').split('\0'):
        source, target = ROOT / name, tree / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Add the next release; 1 when it costs too much or a test fails."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('regex', metavar='REGEX', nargs='?')
    parser.add_argument('--directory', type=pathlib.Path)
    args = parser.parse_args(argv)
    newest = releases.RELEASES[-1]
    release = following(newest)
    with tempfile.TemporaryDirectory() as scratch:
        tree = args.directory or pathlib.Path(scratch, 'tree')
        copy_to(tree)
        add(tree, newest, release)
        found = changed(ROOT, tree)
        rows = lines = 0
        for name, number in found.items():
            print(f'{number:>4}  {name}')
            if name.startswith(DATA):
                rows += number
            else:
                lines += number
        print(f'{release}: {rows} rows of data, {lines} lines of code')
        tests = subprocess.run(
            [sys.executable, '-m', 'stestr', 'run', args.regex or UNIT_TESTS],
            cwd=tree,
            check=False,
        )
    too_much = rows > MOST_ROWS or lines > MOST_LINES
    return 1 if too_much or tests.returncode else 0


if __name__ == '__main__':
    sys.exit(main())
