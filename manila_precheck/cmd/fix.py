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
"""``upgrade fix``: correct the files of the site as the findings require."""

import argparse
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import fnmatch
import os
import sys
from typing import Any
from typing import Optional

from oslo_config import cfg

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.act import changes
from manila_precheck.act import diff
from manila_precheck.act import fix
from manila_precheck.cmd import answer
from manila_precheck.cmd import progress
from manila_precheck.cmd import report_file
from manila_precheck.cmd import upgrade
from manila_precheck.engine import context
from manila_precheck.engine import grouping
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.engine import waivers
from manila_precheck.redact import names as redact_names
from manila_precheck.reporters import plain
from manila_precheck.reporters import words

_PREFIX = 'fix_'

#: The options that are flags, by the title of their group.
_FLAGS = {
    'the upgrade': (
        'target_release',
        'source_release',
        'target_catalog',
        'source_catalog',
        'shipped_catalog',
        'vendor_path',
        'no_database',
    ),
    'the changes': ('check', 'fix_key', 'fix_for', 'fix_remove', 'fix_output'),
}

# How many lines or objects of one message are named.
_MAX_NAMED = 20

# The exit code for a check that did not run.
_NOT_LOOKED = {model.Outcome.ERROR: 2, model.Outcome.SKIPPED: 1}

_RED, _GREEN, _CYAN, _BOLD, _PLAIN = (
    '\x1b[31m',
    '\x1b[32m',
    '\x1b[36m',
    '\x1b[1m',
    '\x1b[0m',
)
_COLORS = {'-': _RED, '+': _GREEN, '@': _CYAN}


def add_flags(group: Callable[[str], Callable[..., Any]]) -> None:
    """Add a flag for each option of the command.

    :param group: called with the title of a group; returns a function that
        adds a flag to it.
    """
    upgrade.add_options(group, _FLAGS, _PREFIX)


class _Part:
    """The changes before the upgrade, or those between stop and start.

    :param title: the heading.
    :param diffs: each file with its changes.
    """

    def __init__(
        self, title: str, diffs: Sequence[tuple[fix.File, diff.FileDiff]]
    ) -> None:
        self.title = title
        self.diffs = [(file, one) for file, one in diffs if not one.same]


def upgrade_fix(args: argparse.Namespace, stdout: answer.Stdout) -> int:
    """Write the changes of the files and return the exit code.

    :raises PrecheckError: when the run cannot begin.
    """
    # The checks of files do not run after the upgrade.
    read = upgrade.begin(args, model.Stage.PLAN)
    options = read.conf.manila_precheck
    entries, chosen = _entries(options.check)
    ctx = upgrade.make_context(
        read, fix.CHECKS, read_database=not options.source_release
    )
    upgrade.opened(ctx, read, args)
    inputs = report_file.InputFiles()
    if options.fix_output:
        inputs = upgrade.inputs(ctx, waivers.decisions(options, ()))
        _require_output(options.fix_output, inputs)
    try:
        upgrade.take_installed(ctx)
        runner.isolated(lambda: ctx.upgrade)
        wanted = _Wanted(chosen, options.fix_key)
        with progress.shown(sys.stderr) as shown:
            shown.line('reading the files ...')
            fixed = fix.fix(ctx, entries, wanted, options.fix_remove)
    finally:
        ctx.close()
    secrets = diff.Secrets(
        ctx.redactor,
        lambda name: ctx.config.is_secret(name) or name in ctx.catalog.secrets,
    )
    parts = _parts(fixed, options.fix_for, ctx, secrets)
    paths = _Paths(ctx, fixed.files)
    if stdout.isatty():
        stdout.write(_screen(parts, paths, _is_colored()))
    else:
        text = _patch(parts, paths, ctx)
        if text:
            # Write bytes: an encoding must not change what patch looks for.
            stdout.files.append(
                answer.OutputFile('the diff', '-', text.encode())
            )
    if options.fix_output:
        stdout.files += _output(ctx, fixed, options)
    left = list(_left(fixed.results, wanted, ctx))
    for line in (*_summary(parts, paths, stdout), *left):
        sys.stderr.write(f'{args.log.clean(plain.one_line(line))}\n')
    sys.stderr.flush()
    return _code(fixed.results, wanted)


def _entries(
    asked: Sequence[str],
) -> tuple[list[registry.Plugin], frozenset[str]]:
    """Return the checks to run, and the ids of those to correct files for.

    :param asked: the ids in --check.
    :raises UnknownName: when one of these checks never changes a file.
    """
    for name in asked:
        if name not in fix.CHECKS:
            raise exceptions.UnknownName(
                'check',
                name,
                fix.CHECKS,
                f'those that change files: {", ".join(fix.CHECKS)}',
            )
    available = [e for e in registry.checks() if e.result_id in fix.CHECKS]
    return available, frozenset(asked or fix.CHECKS)


class _Wanted:
    """Decides for which findings files are corrected.

    :param chosen: the ids of checks.
    :param keys: patterns of keys; empty for all keys.
    """

    def __init__(self, chosen: frozenset[str], keys: Sequence[str]) -> None:
        self._chosen = chosen
        # A bracket in a key does not begin a set of characters.
        self._keys = [key.replace('[', '[[]') for key in keys]

    def __call__(self, finding: model.Finding) -> bool:
        return finding.check_id in self._chosen and (
            not self._keys
            or any(fnmatch.fnmatchcase(finding.key, k) for k in self._keys)
        )

    def of_check(self, check_id: str) -> bool:
        """Say whether the findings of a check are wanted."""
        return check_id in self._chosen


# -- the output directory ----------------------------------------------------


def _require_output(path: str, inputs: report_file.InputFiles) -> None:
    """Make sure that the output directory is new or empty, and can be used.

    :raises UsageError: when it is not.
    """
    try:
        if os.path.isdir(path):
            if os.listdir(path):
                raise exceptions.OutputError('the directory is not empty')
            path = os.path.join(path, 'etc')
        report_file.examine(path.rstrip('/') or path, inputs)
    except OSError as exc:
        raise exceptions.UsageError(
            f'output {path!r}: {exc.strerror}'
        ) from exc
    except exceptions.OutputError as exc:
        raise exceptions.UsageError(f'output {path!r}: {exc}') from exc


def _output(
    ctx: context.Context, fixed: fix.Fixed, options: cfg.ConfigOpts
) -> Iterator[answer.OutputFile]:
    """Yield every file of the site with its changes, for the directory."""
    owner: Optional[tuple[int, int]] = None
    for file in fixed.files:
        content = file.early if options.fix_for == 'source' else file.after
        if content is None:
            continue
        if os.geteuid() == 0 and file.before is not None:
            status = ctx.site.status(file.path)
            if status.uid is not None and status.gid is not None:
                owner = (status.uid, status.gid)
        path = ctx.site.abspath(file.path).lstrip('/')
        target = os.path.join(options.fix_output, path)
        yield answer.OutputFile(
            f'output {target}', target, content, True, owner
        )


class _Paths:
    """The names of the files in the diff.

    They are relative to the working directory if all files are below it, else
    to the root, because patch does not accept absolute names.
    """

    def __init__(
        self, ctx: context.Context, files: Iterable[fix.File]
    ) -> None:
        self._ctx = ctx
        here = os.path.realpath(os.getcwd())
        real = [self._real(file.path) for file in files]
        self.root = '/'
        if ctx.site.is_host and all(
            path.startswith(here.rstrip('/') + '/') for path in real
        ):
            self.root = here

    @property
    def enter(self) -> str:
        """Return the command that changes to the directory for patch."""
        site = self._ctx.site
        where = self.root if site.is_host else site.name
        return model.command('cd {}', where).text

    def _real(self, path: str) -> str:
        # patch does not follow symbolic links.
        return self._ctx.site.realpath(path)

    def __call__(self, path: str) -> str:
        name = os.path.relpath(self._real(path), self.root)
        if name.isprintable() and '"' not in name and '\\' not in name:
            # A tab marks the end of a name that contains a space.
            return f'{name}\t' if ' ' in name else name
        return _quoted(name)


def _quoted(name: str) -> str:
    """Return a name with special characters quoted for patch."""
    plain_ones = ''.join(
        chr(byte)
        if 32 <= byte < 127 and chr(byte) not in '"\\'
        else f'\\{byte:03o}'
        for byte in os.fsencode(name)
    )
    return f'"{plain_ones}"'


# -- the diff ----------------------------------------------------------------


def _parts(
    fixed: fix.Fixed,
    only: Optional[str],
    ctx: context.Context,
    secrets: diff.Secrets,
) -> list[_Part]:
    source, target = (
        plain.one_line(ctx.redactor(release.name))
        for release in (ctx.upgrade.source, ctx.upgrade.target)
    )
    early = [
        (f, diff.FileDiff(f.before, f.early, f.kind, secrets))
        for f in fixed.files
    ]
    found = []
    if only != 'target':
        found.append(
            _Part(
                f'before the upgrade: {source} reads the same from it as now',
                early,
            )
        )
    if only != 'source':
        found.append(
            _Part(
                f'between stop and start: what only {target} reads',
                [
                    (
                        f,
                        diff.FileDiff(
                            f.early, f.after, f.kind, secrets, before
                        ),
                    )
                    for f, before in early
                ],
            )
        )
    return [part for part in found if part.diffs]


def _header(one: diff.FileDiff, name: str) -> list[str]:
    old = '/dev/null' if one.is_new else name
    return [f'--- {old}\n', f'+++ {name}\n']


def _patch(parts: Sequence[_Part], paths: _Paths, ctx: context.Context) -> str:
    """Return the diff for patch, which skips comments before a header.

    :returns: '' without a change: patch rejects a file of only comments.
    """
    if not any(_patchable(part) for part in parts):
        return ''
    text = []
    for part in parts:
        text.append(f'# {part.title}\n')
        for file, one in part.diffs:
            name = plain.one_line(file.path)
            text += [
                f'# left out, since a secret stands there: {name}, line '
                f'{line}\n'
                for line in one.left_out
            ]
            hunks = one.for_patch()
            if hunks:
                text += [*_header(one, paths(file.path)), hunks]
    return ''.join(text)


def _patchable(part: _Part) -> bool:
    """Say whether patch can apply at least one of the changes."""
    return any(one.for_patch() for _file, one in part.diffs)


def _is_colored() -> bool:
    return not os.environ.get('NO_COLOR') and (
        os.environ.get('TERM') != 'dumb'
    )


def _screen(parts: Sequence[_Part], paths: _Paths, color: bool) -> str:
    """Return the diff for a terminal, without secrets, control characters."""

    def painted(sign: str, line: str) -> str:
        return f'{sign}{line}{_PLAIN}\n' if color else f'{line}\n'

    text = []
    for part in parts:
        text.append(painted(_BOLD, f'# {part.title}'))
        for file, one in part.diffs:
            text += [
                painted(_BOLD, line.rstrip('\n'))
                for line in _header(one, plain.one_line(paths(file.path)))
            ]
            for sign, line in one.for_screen():
                shown = plain.neutralise(
                    line.rstrip('\r\n').replace('\t', '    ')
                )
                lead = '' if sign == '@' else sign
                shade = _COLORS.get(sign)
                shown = f'{lead}{shown}'
                text.append(painted(shade, shown) if shade else f'{shown}\n')
    return ''.join(text)


# -- what is left ------------------------------------------------------------


def _summary(
    parts: Sequence[_Part], paths: _Paths, stdout: answer.Stdout
) -> Iterator[str]:
    if not parts:
        yield 'nothing to change in the files'
        return
    for part in parts:
        count = len(part.diffs)
        yield f'{part.title}: {count} {"file" if count == 1 else "files"}'
    if not stdout.isatty():
        yield from _hidden(parts)
    if any(_patchable(part) for part in parts):
        yield f'to apply the diff: {paths.enter} && patch -p0 < FILE'
    else:
        yield 'the diff is empty: --output DIR has every change'


def _hidden(parts: Sequence[_Part]) -> Iterator[str]:
    """Yield the changes that contain a secret, and how to get them."""
    places = [
        f'{file.path}, line {line}'
        for part in parts
        for file, one in part.diffs
        for line in one.left_out
    ]
    if not places:
        return
    for place in places[:_MAX_NAMED]:
        yield f'left out, since a secret stands there: {place}'
    if len(places) > _MAX_NAMED:
        yield f'left out likewise: {len(places) - _MAX_NAMED} more'
    what = 'change holds' if len(places) == 1 else 'changes hold'
    yield (
        f'{len(places)} {what} a secret and cannot be in the diff: --output '
        'DIR has the whole files'
    )


def _choices(finding: model.Finding) -> bool:
    return any(
        edit.action == 'choose'
        for step in finding.remediation
        for edit in step.edits
    )


def _edits(finding: model.Finding) -> bool:
    return any(step.edits for step in finding.remediation)


def _left(
    results: Iterable[model.CheckResult],
    wanted: _Wanted,
    ctx: context.Context,
) -> Iterator[str]:
    """Yield the findings that are left after all changes."""
    for result in results:
        applies = result.outcome is not model.Outcome.NOT_APPLICABLE
        if result.reason and applies and wanted.of_check(result.id):
            yield f'left: {result.id}: {result.outcome.value}: {result.reason}'
        wishes = [
            found
            for found in result.findings
            if wanted(found) and (_edits(found) or found.severity)
        ]
        for group in grouping.groups(wishes):
            for same in grouping.alike(group.findings):
                yield _left_alike(
                    [redact_names.redacted(f, ctx.redactor) for f in same]
                )


def _left_alike(findings: Sequence[model.Finding]) -> str:
    """Return one line for findings that differ only in names and numbers."""
    first, *others = findings
    if _choices(first):
        what = f'marked "{changes.PREFIX}choose"'
    elif _edits(first):
        what = 'not changed, see upgrade check'
    else:
        what = 'no change of a file mends it'
    subject = first.subject
    where = ':'.join(str(one) for one in (subject.file, subject.line) if one)
    text = (
        f'left: {first.severity.name} {first.key} {where}: {first.message} '
        f'({what})'
    )
    if others:
        named = words.members(others, _MAX_NAMED)
        text += f'; likewise {len(others)} more: {named}'
    return text


def _code(results: Iterable[model.CheckResult], wanted: _Wanted) -> int:
    code = 0
    for result in results:
        if wanted.of_check(result.id):
            code = max(code, _NOT_LOOKED.get(result.outcome, 0))
        for finding in result.findings:
            if not wanted(finding):
                continue
            if finding.severity is model.Severity.FAILURE:
                code = 2
            elif _edits(finding):
                code = max(code, 1)
    return code
