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

"""Sphinx directives that generate pages of the documentation from the code.

``manila-precheck-checks`` writes one section for each check of this package,
from its class. ``manila-precheck-help`` shows what ``--help`` prints; its
argument is the subcommand.
"""

import contextlib
import inspect
import io
import os
from typing import Any

from docutils import nodes
from docutils.parsers import rst
from docutils.statemachine import StringList
from sphinx.util.nodes import nested_parse_with_titles

from manila_precheck import cmd
from manila_precheck import model
from manila_precheck.cmd import precheck
from manila_precheck.engine import check
from manila_precheck.engine import registry


def check_page(one: check.Check) -> list[str]:
    """Return the section of a check as lines of reStructuredText."""
    title = f'{one.title} (``{one.id}``)'
    rows = [
        ('Stages', ', '.join(one.stage_words())),
        (
            'Sources',
            ', '.join(s.value for s in one.sources()) or 'none',
        ),
        ('Since', one.introduced or 'always'),
    ]
    if one.aliases:
        rows.append(('Earlier ids', ', '.join(one.aliases)))
    lines = [f'.. _check-{one.id}:', '', title, '=' * len(title), '']
    lines += [f':{name}: {text}' for name, text in rows]
    lines += ['', *(inspect.getdoc(one) or '').split('\n'), '']
    own = one.opts()
    if own:
        lines += [f'Options, in ``[{model.option_group(one.id)}]``:', '']
        for opt in own:
            lines.append(f'``{opt.dest}`` (default ``{opt.default!r}``)')
            lines += [f'    {opt.help}', '']
    return lines


def _help(words: list[str]) -> str:
    """Return what ``--help`` of a subcommand prints, 79 columns wide."""
    printed = io.StringIO()
    columns = os.environ.get('COLUMNS')
    os.environ['COLUMNS'] = '79'
    try:
        with contextlib.redirect_stdout(printed):
            with contextlib.suppress(SystemExit):
                precheck.main([*words, '--help'])
    finally:
        del os.environ['COLUMNS']
        if columns is not None:
            os.environ['COLUMNS'] = columns
    return printed.getvalue()


class ChecksDirective(rst.Directive):
    """Write one section for each check of this package."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        lines: list[str] = []
        for entry in registry.checks():
            if entry.builtin:
                lines += check_page(registry.load_check(entry))
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(
            self.state, StringList(lines, 'manila-precheck checks'), node
        )
        return list(node.children)


class HelpDirective(rst.Directive):
    """Show what ``--help`` of the command or a subcommand prints."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return a section with the text."""
        words = self.arguments[0].split() if self.arguments else []
        title = ' '.join([cmd.PROG, *words])
        section = nodes.section(ids=[nodes.make_id(title)])
        section += nodes.title(text=title)
        text = _help(words)
        section += nodes.literal_block(text, text, language='text')
        return [section]


def setup(app: Any) -> dict[str, bool]:
    """Register the directives with Sphinx."""
    app.add_directive('manila-precheck-checks', ChecksDirective)
    app.add_directive('manila-precheck-help', HelpDirective)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
