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

"""Write the manual page of manila-precheck from its own parser.

The page is in the tree, so that a package of it can be built without its
libraries; a test compares it.
"""

import argparse
from collections.abc import Collection
from collections.abc import Iterator
import pathlib
import re

from manila_precheck.cmd import parser
from manila_precheck.cmd import precheck

#: The page.
PAGE = pathlib.Path(__file__).parents[1] / 'doc' / 'man' / 'manila-precheck.1'

_HEAD = r"""
.\" Written by tools/build_man.py.
.TH MANILA\-PRECHECK 1 "" OpenStack "User Commands"
.SH NAME
manila\-precheck \- verify the upgrade of an OpenStack Shared File Systems
control plane
.SH SYNOPSIS
.B manila\-precheck
.RI [ OPTION ...]
.I COMMAND VERB
.RI [ ARGUMENT ...]
.SH DESCRIPTION
.B manila\-precheck
verifies the upgrade of an OpenStack Shared File Systems (manila) control
plane before anything is changed. On a controller it reads manila.conf, the
policy files, api\-paste.ini and the database, all of them read\-only, and
reports what the target release will reject, ignore, rename or leave stuck,
with the file and line or the ID, and with the command or the lines that fix
it.
.PP
Only the report is written to standard output; logs and progress go to standard
error.
"""

_TAIL = r"""
.SH EXIT STATUS
Of
.BR "manila\-precheck upgrade check" :
.TP
.B 0
Nothing that was checked blocks the upgrade.
.TP
.B 1
There are warnings, or a check was skipped for lack of an input.
.TP
.B 2
There are failures, or a check ended in an error.
.TP
.B 255
The command could not run; one line on standard error gives the reason.
.SH ENVIRONMENT
.TP
.BI OS_MANILA_PRECHECK__ OPTION
Sets an option of the section [manila_precheck], as in
OS_MANILA_PRECHECK__STAGE=stopped. A flag takes precedence over the
environment, and the environment over a file.
.SH FILES
.TP
.I /etc/manila/manila.conf
.TQ
.I /etc/manila/manila.conf.d
What the services of manila read.
.TP
.I /etc/manila/manila\-precheck.conf
The options of this command, in the section [manila_precheck].
.SH EXAMPLES
.nf
manila\-precheck upgrade check \-\-target\-release 2026.1
manila\-precheck upgrade check \-\-report html:report.html
manila\-precheck upgrade plan \-\-target\-release 2026.1
manila\-precheck check explain config\-options
.fi
.SH SEE ALSO
.BR manila\-manage (1),
.BR manila\-status (1)
"""


def _text(text: str) -> str:
    """Return a paragraph that roff prints as it is."""
    words = ' '.join(text.replace('%%', '%').split())
    words = words.replace('\\', r'\e').replace('-', r'\-')
    return re.sub(r"^(?=[.'])", r'\\&', words)


def _options(one: parser.Parser, shown: Collection[str] = ()) -> Iterator[str]:
    for action in one.arguments():
        if action.dest == 'help' or set(action.option_strings) & {*shown}:
            continue
        if isinstance(action, argparse._SubParsersAction):
            continue
        value = str(action.metavar or '')
        if action.choices is not None:
            value = f'{{{",".join(map(str, action.choices))}}}'
        names = ', '.join(action.option_strings)
        yield '.TP'
        if not names:
            yield rf'.I {_text(value)}'
        elif action.nargs == 0:
            yield rf'.B {_text(names)}'
        else:
            yield rf'.BI "{_text(names)} " {_text(value)}'
        yield _text(action.help or '')


def _verbs(
    root: parser.Parser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, parser.Parser]]:
    """Yield the words, the help and the parser of each command."""
    for action in root.arguments():
        for one in getattr(action, '_choices_actions', ()):
            child = root.commands()[one.dest]
            if not child.commands():
                yield (*words, one.dest), one.help, child
            yield from _verbs(child, (*words, one.dest))


def page() -> str:
    """Return the manual page."""
    root = precheck.root()
    common = [
        flag for action in root.arguments() for flag in action.option_strings
    ]
    lines = [
        *(_HEAD.strip(), '.SH OPTIONS'),
        'They stand before the command or, with a VERB of',
        '.BR upgrade ,',
        'behind it.',
        *(*_options(root), '.SH COMMANDS'),
    ]
    for words, about, one in _verbs(root):
        lines += [f'.SS {_text(" ".join(words))}']
        about = one.description or f'{about[0].upper()}{about[1:]}.'
        lines += [_text(about), *_options(one, common)]
        if one.epilog:
            lines += ['.PP', _text(one.epilog)]
    return '\n'.join([*lines, _TAIL.strip(), ''])


if __name__ == '__main__':
    PAGE.write_text(page(), encoding='ascii')
