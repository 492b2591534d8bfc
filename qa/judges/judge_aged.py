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


"""Generate configurations as they look after years.

Each is one of the other sites, aged: it has old names, alone or beside the new
ones, duplicate sections and options, values that span several lines or refer
to each other, several files instead of one, and the line ends, marks and tabs
of various editors. The old names come from the releases.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import re

from qa.judges import judge_inputs

#: The current name of an option -> its old names, each as (section, name); the
#: section is '' when it is the same.
OldNames = Mapping[str, list[tuple[str, str]]]

_ASSIGNMENT = re.compile(r'(?P<name>[\w-]+)(?P<sign>\s*[=:]\s*)(?P<value>.+)')
_LISTS = ('enabled_share_backends', 'enabled_share_protocols')
# Options that select what is loaded; with their old names the rest would not
# be seen.
_KEPT = {'share_driver', 'driver_handles_share_servers', 'auth_type'}

_Section = tuple[str, list[str]]


def old_names(samples: list[dict]) -> dict[str, list[tuple[str, str]]]:
    """Return the old names from the samples of all releases."""
    found: dict[str, set[tuple[str, str]]] = {}
    for sample in samples:
        for kind in ('vendors', 'sections', 'listed'):
            for group, options in sample[kind].items():
                for name, one in options.items():
                    for home, old in one['old']:
                        if kind == 'vendors' or home in (None, group):
                            home = ''
                        if old != name or home:
                            found.setdefault(name, set()).add((home, old))
    return {name: sorted(olds) for name, olds in found.items()}


def aged(
    sites: Mapping[str, judge_inputs.Site], old: OldNames
) -> dict[str, judge_inputs.Site]:
    """Return each site aged in two ways, under new names."""
    found = {}
    ways = sorted(_WAYS)
    for number, name in enumerate(sorted(sites)):
        first = number % len(ways)
        second = first + 1 + number // len(ways) % (len(ways) - 1)
        for way in (ways[first], ways[second % len(ways)]):
            made = _WAYS[way](sites[name].files, old)
            found[f'{name}-{way}'] = judge_inputs.Site(made)
    return found


def _sections(text: str) -> Iterator[_Section]:
    """Yield each header with the lines below it.

    The lines above the first header have the header ''.
    """
    header, lines = '', []
    for line in text.splitlines():
        if line.startswith('['):
            yield header, lines
            header, lines = line, []
        else:
            lines.append(line)
    yield header, lines


def _text(sections: list[_Section], end: str = '\n') -> str:
    lines = []
    for header, body in sections:
        lines += [header] * bool(header) + body
    return ''.join(f'{line}{end}' for line in lines)


def _assignments(
    body: list[str],
) -> Iterator[tuple[int, 're.Match[str]']]:
    """Yield the assignments that fit on one line, with their indexes."""
    for number, line in enumerate(body):
        found = _ASSIGNMENT.fullmatch(line)
        after = body[number + 1 : number + 2]
        if found and not (after and after[0][:1] in (' ', '\t')):
            yield number, found


def _renamed(files: Mapping[str, str], old: OldNames) -> dict[str, str]:
    """Use old names: alone, in chains, and beside newer ones."""
    made = {}
    for path, text in files.items():
        sections = list(_sections(text))
        elsewhere: dict[str, list[str]] = {}
        for _header, body in sections:
            for number, found in reversed(list(_assignments(body))):
                name = found['name']
                olds = old.get(name, ())
                if not olds or name in _KEPT:
                    continue
                value = found['value']
                home, other = olds[number % len(olds)]
                line = f'{other}{found["sign"]}{value}'
                if number % 5 == 4:
                    # Keep the new name too, which wins.
                    body.insert(number, line)
                elif home:
                    elsewhere.setdefault(f'[{home}]', []).append(line)
                    body[number] = '# moved by the installer'
                else:
                    body[number] = line
                if number % 5 == 3 and len(olds) > 1:
                    # Add another old name with the same value.
                    home, other = olds[(number + 1) % len(olds)]
                    home = f'[{home}]' if home else _header
                    line = f'{other}={value}'
                    elsewhere.setdefault(home, []).append(line)
        sections += elsewhere.items()
        made[path] = _text(sections)
    return made


def _spread(files: Mapping[str, str], old: OldNames) -> dict[str, str]:
    """Split into a directory with a file per section, plus overrides."""
    made = {}
    for path, text in _renamed(files, old).items():
        sections = list(_sections(text))
        top, _slash, name = path.rpartition('/')
        folder = top or f'{name}.d'
        stem = name[: -len('.conf')]
        first = [one for one in sections if one[0] in ('', '[DEFAULT]')]
        made[path] = _text(first, '\r\n')
        for number, one in enumerate(s for s in sections if s not in first):
            end = ('\n', '\r\n')[number % 2]
            words = re.sub(r'\W+', '-', one[0]).strip('-')
            made[f'{folder}/{stem}-{number:02}-{words}.conf'] = _text(
                [('', ['# by hand']), one], end
            )
        again = [
            (
                header,
                [body[n] for n, found in _assignments(body) if n % 4 == 0],
            )
            for header, body in sections
            if header
        ]
        # The last line lacks its line break.
        made[f'{folder}/zz-{stem}-site.conf'] = _text(again).rstrip('\n')
    return made


def _grown(files: Mapping[str, str], old: OldNames) -> dict[str, str]:
    """Repeat options and sections, and add old comments and tabs."""
    made = {}
    for path, text in files.items():
        sections, again = list(_sections(text)), []
        for header, body in sections:
            tail = []
            for number, found in reversed(list(_assignments(body))):
                name, value = found['name'], found['value']
                wide = f'{name}\t=\t{value}  '
                if name in _LISTS and ',' in value and '"' not in value:
                    first, *rest = value.split(',')
                    body[number : number + 1] = [
                        f'{name} = {first},',
                        *(f'\t{item.strip()},' for item in rest[:-1]),
                        f'    {rest[-1].strip()}',
                        '',
                    ]
                elif number % 3 == 0:
                    body[number : number + 1] = [
                        f'#{name} = {value}',
                        f'; {name}={value}-before-2019',
                        wide,
                    ]
                elif number % 3 == 1 and name not in _KEPT:
                    # The option is set twice; the last line wins.
                    body.insert(number, f'{name} = {value}')
                    olds = [o for home, o in old.get(name, ()) if not home]
                    tail.append(f'{(olds or [name])[0]}: {value}')
            if header and tail:
                again.append((header, ['# added later', *tail]))
        made[path] = _text([*sections, ('', ['']), *again])
    return made


def _indirect(files: Mapping[str, str], old: OldNames) -> dict[str, str]:
    """Use references, quotes, and options with several values."""
    made = {}
    for path, text in files.items():
        sections = list(_sections(text))
        for header, body in sections:
            if header == '[DEFAULT]':
                body[:0] = [
                    'my_ip = 192.0.2.20',
                    'notification_driver = messagingv2',
                    'notification_driver = log',
                    'osapi_share_extension = manila.api.contrib.a',
                    'osapi_share_extension = manila.api.contrib.b',
                ]
            for number, found in _assignments(body):
                value = found['value']
                if '192.0.2.20' in value and found['name'] != 'my_ip':
                    # In every section these refer to [DEFAULT].
                    word = ('$my_ip', '${my_ip}', '${DEFAULT.my_ip}')
                    value = value.replace('192.0.2.20', word[number % 3])
                elif number % 4 == 2 and value[:1] not in '"\'':
                    value = f'"{value}"'
                body[number] = f'{found["name"]} = {value}'
        made[path] = _text(sections)
    return _renamed(made, old)


_WAYS: dict[str, Callable[[Mapping[str, str], OldNames], dict[str, str]]] = {
    'grown': _grown,
    'indirect': _indirect,
    'renamed': _renamed,
    'spread': _spread,
}
