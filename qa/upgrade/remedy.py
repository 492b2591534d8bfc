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

"""Apply a remediation exactly as it is printed.

A command is typed, lines are written to the file, and a sentence is followed
if it names a line to remove. Any other sentence is left to the scenario,
which then says so.
"""

import re

_SECTION = re.compile(r'\s*\[(?P<name>[^]]+)\]\s*$')
_KEY = re.compile(r'(?P<key>[^\s#;=:][^=:]*?|/[^\s:]*)\s*[:=]')
_FILE = re.compile(r'# in (?P<path>/\S+)$')
_REMOVE = re.compile(r'Remove line (?P<line>\d+) of (?P<path>/\S*[^\s.])')
_RULE = re.compile(r'''\s*["']?(?P<name>[\w:.-]+)["']?\s*:''')


def sections(text):
    """Return the sections of a file: [(name, lines)].

    The lines before the first header have the name ''.
    """
    found = [('', [])]
    for line in text.splitlines():
        match = _SECTION.match(line)
        if match:
            found.append((match['name'], []))
        else:
            found[-1][1].append(line)
    return found


def _key(line):
    if line[:1].isspace():
        # The line continues the one above.
        return None
    match = _KEY.match(line)
    return match['key'] if match else None


def _joined(found):
    lines = []
    for name, body in found:
        if name:
            lines.append(f'[{name}]')
        lines += body
    return '\n'.join(lines) + '\n'


def put_lines(text, lines, whole=False):
    """Return the text of a file with the lines of a remediation.

    An option replaces the lines that set it; a new option goes to the top of
    its section, a new section to the end of the file.

    :param whole: whether a section replaces the whole section of that name.
    """
    found = sections(text)
    for name, body in sections(lines):
        keyed = [line for line in body if _key(line)]
        if not keyed:
            continue
        there = [mine for other, mine in found if other == name]
        if not there:
            found.append((name, list(body)))
        elif whole:
            there[0][:] = [*body, '']
        else:
            for line in keyed:
                _put_option(there, line)
    return _joined(found)


def _put_option(bodies, line):
    """Replace all lines that set an option by one."""
    key = _key(line)
    done = False
    for body in bodies:
        kept, inside = [], False
        for old in body:
            if inside and old[:1].isspace():
                continue
            inside = _key(old) == key
            if not inside:
                kept.append(old)
            elif not done:
                kept.append(line)
                done = True
        body[:] = kept
    if not done:
        bodies[0].insert(0, line)


def put_rules(text, lines):
    """Return the text of a policy file with the rules added."""
    for line in lines.splitlines():
        match = _RULE.match(line)
        if not match:
            continue
        kept = [
            old
            for old in text.splitlines()
            if not (
                (there := _RULE.match(old)) and there['name'] == match['name']
            )
        ]
        text = '\n'.join([*kept, line]) + '\n'
    return text


def line_of(item):
    """Return the number of the line that an item says to remove."""
    found = _REMOVE.match(item['text'])
    assert found is not None, item
    return int(found['line'])


def apply(site, item, type_command):
    """Apply one item of a remediation.

    :param item: {'kind', 'text'}.
    :param type_command: called with the text of a command.
    :returns: whether the item could be applied as printed.
    """
    kind, text = item['kind'], item['text']
    if kind == 'command':
        type_command(text)
        return True
    if kind == 'policy':
        name = 'policy.yaml'
        old = site.read(name) if site.path(name).exists() else ''
        site.write(name, put_rules(old, text))
        return True
    if kind == 'config':
        first = text.partition('\n')[0]
        named = _FILE.match(first)
        name = named['path'].rpartition('/')[2] if named else 'manila.conf'
        # In api-paste.ini a remediation gives whole sections.
        whole = name.endswith('.ini')
        site.write(name, put_lines(site.read(name), text, whole))
        return True
    match = _REMOVE.match(text)
    if match:
        name = match['path'].rpartition('/')[2]
        lines = site.read(name).splitlines(keepends=True)
        del lines[int(match['line']) - 1]
        site.write(name, ''.join(lines))
        return True
    return False
