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
"""Change the files of a site as the findings of a run ask for.

Nothing is judged here: the remedies of the findings say what to change and
whether the source release reads the change to the same effect. The changes
are made in copies, then the checks read the copies, and this repeats until
the checks ask for no further change.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck.act import changes
from manila_precheck.act import overlay
from manila_precheck.act import policy_lines
from manila_precheck.engine import context
from manila_precheck.engine import registry
from manila_precheck.engine import runner
from manila_precheck.evidence.config import ini_lines
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.policy import policy_files

#: The checks whose remedies change files.
CHECKS = ('api-paste', 'backend-drivers', 'config-options', 'policy-rules')

# A limit for changes that undo each other in turn. A list of fifty removed
# names takes fifty rounds.
_MAX_ROUNDS = 100

# If two changes concern one line, only the one that comes first here is made;
# the checks then read the line again.
_STRENGTH = ('convert', 'move', 'set', 'comment', 'choose', 'add')

#: Says whether the operator wants a finding to be fixed.
Wanted = Callable[[model.Finding], bool]


class File(NamedTuple):
    """One file of the site."""

    path: str
    """The path by which it is opened."""

    kind: str
    """'config', 'policy' or 'paste'."""

    before: Optional[bytes]
    """Its content now; None when it does not exist yet."""

    early: Optional[bytes]
    """The content that both releases read to the same effect; None when the
    file does not exist then."""

    after: Optional[bytes]
    """The content for the target release."""


class Fixed(NamedTuple):
    """What became of the files."""

    files: tuple[File, ...]
    """In the order in which they are read, new files last."""

    results: tuple[model.CheckResult, ...]
    """The results of the checks on the changed files; secrets are not
    masked."""

    changed: int
    """How many changes were made."""


def fix(
    ctx: context.Context,
    entries: Sequence[registry.Plugin],
    wanted: Wanted,
    remove: bool = False,
) -> Fixed:
    """Return the files of a site with the changes that findings ask for.

    :param ctx: the context of the run; neither it nor any file is changed.
    :param entries: every check whose remedies change files, since one may
        remove the line that another wants to keep.
    :param wanted: says which findings to fix.
    :param remove: whether old lines are removed instead of commented out.
    :raises PrecheckError: when the files cannot be read.
    """
    mending = _Mending(ctx, entries, wanted, remove)
    mending.until_quiet(early=True)
    early = dict(mending.contents)
    results = mending.until_quiet(early=False)
    return Fixed(
        tuple(
            File(
                path,
                kind,
                mending.original.get(real),
                early.get(real, mending.original.get(real)),
                mending.contents.get(real, mending.original.get(real)),
            )
            for real, (path, kind) in mending.files.items()
        ),
        results,
        mending.made,
    )


class _Mending:
    """The files while they are changed."""

    def __init__(
        self,
        ctx: context.Context,
        entries: Sequence[registry.Plugin],
        wanted: Wanted,
        remove: bool,
    ) -> None:
        self._ctx = ctx
        self._entries = entries
        self._wanted = wanted
        self._remove = remove
        #: Path with links resolved -> (path as it is opened, kind).
        self.files: dict[str, tuple[str, str]] = {}
        self.original: dict[str, bytes] = {}
        #: Path with links resolved -> changed content.
        self.contents: dict[str, bytes] = {}
        self.made = 0
        #: Path with links resolved -> text of a file that was rewritten as a
        #: whole; its lines count as lines of the site.
        self._basis: dict[str, str] = {}
        for path, kind in _files(ctx):
            self._know(path, kind)

    def _know(self, path: str, kind: str) -> str:
        real = self._site.realpath(path)
        if real not in self.files:
            self.files[real] = (path, kind)
            if self._ctx.site.exists(path):
                self.original[real] = text_file.read(
                    path, ini_lines.MAX_BYTES, self._ctx.site
                )
        return real

    @property
    def _site(self) -> overlay.Overlay:
        return overlay.Overlay(self._ctx.site, dict(self.contents))

    def until_quiet(self, early: bool) -> tuple[model.CheckResult, ...]:
        """Make changes until the checks ask for no more.

        :param early: whether to make only the changes that can be rolled out
            before the upgrade.
        :returns: the results of the checks on the final files.
        """
        seen = [dict(self.contents)]
        while True:
            over = self._ctx.over(self._site)
            results = runner.run(self._entries, over, masked=False)
            if len(seen) > _MAX_ROUNDS:
                return results
            before, made = dict(self.contents), self.made
            self._round(over, results, early)
            if self.contents in seen:
                # The changes of this round undo earlier ones: drop them.
                self.contents, self.made = before, made
                return results
            seen.append(dict(self.contents))

    def _round(
        self,
        over: context.Context,
        results: Sequence[model.CheckResult],
        early: bool,
    ) -> None:
        found: dict[str, list[changes.Change]] = {}
        for finding, edit in _strongest(
            results, self._site.realpath, self._wanted
        ):
            if early and not edit.early:
                continue
            change = changes.Change(
                edit,
                over.redactor(finding.key),
                changes.reason_of(over.redactor(finding.message)),
            )
            real = self._site.realpath(edit.file)
            if real in self.files:
                found.setdefault(real, []).append(change)
        for real, wanted in found.items():
            wanted = self._converted(over, wanted)
            if not wanted:
                continue
            made = self._change(real, wanted)
            missed = [
                change
                for change in wanted
                if change.edit.action != 'choose' and change not in made
            ]
            if missed:
                self._rewrite_json(over, real, missed[0].edit.file)

    def _change(
        self, real: str, wanted: list[changes.Change]
    ) -> list[changes.Change]:
        """Make changes in a file, and return those that were made."""
        data = self.contents.get(real, self.original.get(real, b''))
        kind = wanted[0].edit.kind
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return []
        changed, made = changes.make(
            kind,
            text,
            [one for one in wanted if one.edit.kind == kind],
            self._remove,
            self._basis.get(
                real, self.original.get(real, b'').decode(errors='replace')
            ),
        )
        if made:
            self.contents[real] = changed.encode()
            self.made += len(made)
        return made

    def _rewrite_json(
        self, over: context.Context, real: str, path: str
    ) -> None:
        """Write JSON as YAML, one rule a line, so that each rule can change.

        Every release parses YAML, whatever the file is called.
        """
        document = _json_of(path, over)
        if document is not None:
            text = f'{changes.PREFIX}JSON before; it has no comments\n'
            text += policy_lines.rendered(document)
            self._basis[real] = text
            self.contents[real] = text.encode()

    def _converted(
        self, over: context.Context, wanted: list[changes.Change]
    ) -> list[changes.Change]:
        """Convert whole policy files, and return the other changes.

        Return no change if the rules moved to another file: the services read
        that one from now on, so the checks have to read it first.
        """
        rest = []
        moved = False
        for change in wanted:
            edit = change.edit
            if edit.action != 'convert' or edit.value is None:
                rest.append(change)
                continue
            if edit.value != edit.file and self._site.exists(edit.value):
                continue
            document = _json_of(edit.file, over)
            real = self._know(edit.value, 'policy')
            if document is not None:
                text = f'{changes.PREFIX}{change.reason}\n'
                text += policy_lines.rendered(document)
                self._basis[real] = text
                self.contents[real] = text.encode()
            else:
                self.contents[real] = text_file.read(
                    edit.file, ini_lines.MAX_BYTES, over.site
                )
            self.made += 1
            moved = moved or edit.value != edit.file
        return [] if moved else rest


def _json_of(
    path: str, over: context.Context
) -> Optional[policy_files.PolicyFile]:
    """Return the policy file at a path; None when it is not JSON."""
    if path not in {file.path for file in over.policy.files}:
        return None
    document = policy_files.read_file(path, over.site)
    return document if document.is_json else None


def _files(ctx: context.Context) -> list[tuple[str, str]]:
    """Return the path and the kind of each file that a run reads.

    :raises ConfigFileError: when a configuration file cannot be read.
    """
    found = [(file.path, 'config') for file in ctx.config.files]
    # The checks report policy and paste files that cannot be read.
    with contextlib.suppress(exceptions.SourceUnusable):
        found += [(file.path, 'policy') for file in ctx.policy.files]
    with contextlib.suppress(
        exceptions.SourceNotGiven,
        exceptions.SourceNotApplicable,
        exceptions.SourceUnusable,
    ):
        found += [(file.path, 'paste') for file in ctx.paste.files]
    return [(path, kind) for path, kind in found if ctx.site.exists(path)]


def _strongest(
    results: Iterable[model.CheckResult],
    real: Callable[[str], str],
    wanted: Wanted,
) -> list[tuple[model.Finding, model.Edit]]:
    """Return the changes to make, one a line, in the order of the lines."""
    by_line: dict[tuple[object, ...], tuple[model.Finding, model.Edit]] = {}
    needed = set()
    marks: dict[
        tuple[object, ...], tuple[object, model.Finding, model.Edit]
    ] = {}
    for finding, edit in _edits(results):
        place: tuple[object, ...] = (real(edit.file), edit.line)
        if edit.line is None:
            place += (edit.section, edit.name, edit.action)
        if edit.action == 'choose' and wanted(finding):
            # A line may have several marks, one for each finding.
            marks.setdefault((*place, finding.key), (place, finding, edit))
            continue
        if not wanted(finding):
            if edit.action in ('move', 'set'):
                # The line stays as it is, and no other change may remove it.
                needed.add(place)
            continue
        known = by_line.get(place)
        if known is None or _STRENGTH.index(edit.action) < _STRENGTH.index(
            known[1].action
        ):
            by_line[place] = (finding, edit)
    return sorted(
        (
            *(
                one
                for place, one in by_line.items()
                if place not in needed or one[1].action != 'comment'
            ),
            # A line that is changed gets no mark in this round: the checks
            # read it again first.
            *((f, e) for at, f, e in marks.values() if at not in by_line),
        ),
        key=lambda one: (one[1].file, one[1].line or 0),
    )


def _edits(
    results: Iterable[model.CheckResult],
) -> Iterator[tuple[model.Finding, model.Edit]]:
    for result in results:
        for finding in result.findings:
            for step in finding.remediation:
                for edit in step.edits:
                    if edit.action in _STRENGTH:
                        yield finding, edit
