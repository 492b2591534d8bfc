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

"""Say whether an installed manila-precheck is whole.

Run by the python of the environment that it is installed in, with the root of
the source tree as the argument, from a directory outside of it.
"""

import configparser
import importlib.metadata
import importlib.resources
import json
import pathlib
import sys

import manila_precheck


def _declared(root: pathlib.Path) -> dict[str, dict[str, str]]:
    """Return the entry points of setup.cfg: namespace, name, value."""
    parser = configparser.ConfigParser(delimiters=['='])
    parser.optionxform = str
    parser.read(root / 'setup.cfg', encoding='utf-8')
    return {
        namespace: dict(
            [word.strip() for word in line.split('=')]
            for line in lines.split('\n')
            if line.strip()
        )
        for namespace, lines in parser['entry_points'].items()
    }


def _installed() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    distribution = importlib.metadata.distribution('manila-precheck')
    for point in distribution.entry_points:
        found.setdefault(point.group, {})[point.name] = point.value
        point.load()
    return found


def _data(package: str, folder: str) -> set[str]:
    """Return the files in a folder of a package; JSON is parsed."""
    names = set()
    for item in (importlib.resources.files(package) / folder).iterdir():
        text = item.read_text(encoding='utf-8')
        if item.name.endswith('.json'):
            json.loads(text)
        names.add(item.name)
    return names


def _data_files(root: pathlib.Path) -> list[str]:
    """Return the data files of setup.cfg that are not in the environment."""
    parser = configparser.ConfigParser(delimiters=['='])
    parser.read(root / 'setup.cfg', encoding='utf-8')
    missing, folder = [], ''
    for line in parser['files']['data_files'].split():
        if '/' not in line:
            continue
        if not (root / line).is_file():
            folder = line
        elif not (
            pathlib.Path(sys.prefix, folder, pathlib.Path(line).name).is_file()
        ):
            missing.append(f'{folder}/{pathlib.Path(line).name}')
    return missing


def main(root: pathlib.Path) -> int:
    """Name what is missing; return 1 when something is."""
    problems = []
    if root in pathlib.Path(manila_precheck.__file__).parents:
        problems.append('it is the source tree that is imported')
    declared, installed = _declared(root), _installed()
    if declared != installed:
        problems.append(f'entry points: {installed}, not {declared}')
    for package, folder in (
        ('manila_precheck.catalog', 'data'),
        ('manila_precheck.reporters', 'schema'),
        ('manila_precheck.reporters', 'html'),
        ('manila_precheck.act.plan', 'schema'),
    ):
        source = root.joinpath(*package.split('.'), folder)
        expected = {path.name for path in source.glob('*')}
        found = _data(package, folder)
        if not expected or found != expected:
            problems.append(f'{package}/{folder}: {found}, not {expected}')
        print(f'{package}/{folder}: {len(found)} files')
    problems += [f'there is no {path}' for path in _data_files(root)]
    points = sum(len(names) for names in installed.values())
    print(f'{points} entry points, each of them loads')
    for problem in problems:
        print(f'problem: {problem}')
    return min(len(problems), 1)


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
