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

"""The policy files that manila's API reads, as facts.

The files are found as in oslo.policy: ``[oslo_policy] policy_file`` beside
the configuration files, then the files of ``policy_dirs``; a later file
overrides an earlier one, rule by rule. The meaning of a check string is in
:mod:`manila_precheck.evidence.policy.check_strings`.
"""

from collections.abc import Iterator
import json
import os
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

from manila_precheck import exceptions
from manila_precheck import model
from manila_precheck import releases
from manila_precheck.catalog import behaviours
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.files import text_file
from manila_precheck.evidence.files import tree
from manila_precheck.evidence.files import yaml_file

#: oslo.policy's default names (oslo.policy 6.0.0 opts.py; manila sets the
#: first one).
DEFAULT_FILE = 'policy.yaml'
OLD_DEFAULT_FILE = 'policy.json'
DEFAULT_DIRECTORY = 'policy.d'
DEFAULT_RULE = 'default'
#: The options that name them.
PLACES = ('policy_file', 'policy_dirs')

# A key in JSON: a string followed by a colon.
_JSON_KEY = re.compile(r'("(?:[^"\\]|\\.)*")\s*:')


class Rule(NamedTuple):
    """One override in a policy file."""

    name: str
    """The rule: 'share:create'."""

    check: Any
    """Its value: a check string, a list in the old syntax, or what an
    operator wrote by mistake (None, a number)."""

    file: str
    """The file that contains it."""

    line: int
    """The line of its name, counted from 1."""

    @property
    def subject(self) -> model.Subject:
        """Return the subject of a finding about the rule."""
        return model.Subject('policy', self.name, self.file, self.line)

    def edit(
        self, action: str, value: Optional[str] = None, early: bool = False
    ) -> model.Edit:
        """Return an edit of the rule.

        :param early: whether the source release reads the result to the same
            effect.
        """
        return model.Edit(
            action,
            'policy',
            self.file,
            self.line,
            name=self.name,
            value=value,
            early=early,
        )


class PolicyProblem(NamedTuple):
    """Why a policy file cannot be parsed."""

    line: Optional[int]
    """The line of the error; None when it is unknown."""

    text: str
    """The parser's message, without the content of the file."""


class PolicyFile(NamedTuple):
    """One policy file."""

    read: model.FileRead
    is_json: bool
    """Whether the text is JSON, which releases with a fallback try first."""

    rules: tuple[Rule, ...] = ()
    """In the order of the file; of a duplicate rule only the last."""

    problem: Optional[PolicyProblem] = None
    """Why it is not valid YAML; JSON may be valid YAML, too."""

    @property
    def path(self) -> str:
        """Return the path as it was opened."""
        return self.read.path


class PolicyFiles(NamedTuple):
    """Everything that overrides manila's policies."""

    documents: tuple[PolicyFile, ...] = ()
    """In the order of reading, without ``old_default``."""

    old_default: Optional[PolicyFile] = None
    """A policy.json that libraries with a fallback read because policy_file
    is not set and there is no policy.yaml."""

    missing: Optional[config_files.Setting] = None
    """The policy_file setting, if it names a file that does not exist."""

    default_rule: str = DEFAULT_RULE
    """The rule that applies to a rule that is not defined."""

    lost: tuple[config_files.Setting, ...] = ()
    """Lines of these options in [DEFAULT], which later releases ignore."""

    later: Optional['PolicyFiles'] = None
    """The files that those releases read; None: the same."""

    @property
    def files(self) -> tuple[model.FileRead, ...]:
        """Return every file that was read."""
        read = [document.read for document in self.documents]
        if self.old_default is not None:
            read.insert(0, self.old_default.read)
        if self.later is not None:
            read.extend(self.later.files)
        return tuple(dict.fromkeys(read))

    def of(self, release: releases.Release) -> 'PolicyFiles':
        """Return the files of a release, as the options name them."""
        if self.later is None or not behaviours.has(
            'policy-options-in-default-ignored', release
        ):
            return self
        return self.later

    def read_by(self, release: releases.Release) -> tuple[PolicyFile, ...]:
        """Return the files that a release reads, in order."""
        return self.of(release).in_force(falls_back(release))

    def in_force(self, with_old_default: bool) -> tuple[PolicyFile, ...]:
        """Return the files that a release reads, in order.

        :param with_old_default: whether the release's oslo.policy falls back
            to policy.json.
        """
        if with_old_default and self.old_default is not None:
            return (self.old_default, *self.documents)
        return self.documents


def falls_back(release: releases.Release) -> bool:
    """Say whether a release reads a policy.json that nothing names."""
    return not behaviours.has('policy-json-ignored', release)


def effective(documents: tuple[PolicyFile, ...]) -> dict[str, Rule]:
    """Return the effective override of each rule, in order of reading."""
    return {rule.name: rule for item in documents for rule in item.rules}


def read(conf: config_files.ConfigFiles) -> PolicyFiles:
    """Read the policy files that manila reads with these configuration files.

    It is normal that there is none: manila's policies are in its code.

    :raises SourceUnusable: when a file cannot be read.
    :raises SourceNotGiven: when a bundle does not have a file that is named.
    """
    before = _read(conf, ('oslo_policy', 'DEFAULT'))
    lost = tuple(
        setting
        for option in _OPTIONS
        for setting in conf.effective(
            [(group, option) for group in ('oslo_policy', 'DEFAULT')]
        )
        if setting.group == 'DEFAULT'
    )
    if not lost:
        return before
    return before._replace(lost=lost, later=_read(conf, ('oslo_policy',)))


_OPTIONS = (*PLACES, 'policy_default_rule')


def _read(
    conf: config_files.ConfigFiles, groups: tuple[str, ...]
) -> PolicyFiles:
    def effective(
        option: str, multi: bool = False
    ) -> tuple[config_files.Setting, ...]:
        return conf.effective([(group, option) for group in groups], multi)

    named = effective('policy_file')
    path = conf.find_file(named[0].value if named else DEFAULT_FILE)
    if named and path is None and not conf.lacks(named[0].value):
        raise _not_held(named[0])
    old = conf.find_file(OLD_DEFAULT_FILE) if not (named or path) else None
    documents = [read_file(path, conf.site)] if path is not None else []
    given = effective('policy_dirs', multi=True)
    for setting in given:
        if conf.find_file(setting.value) is None and not conf.lacks(
            setting.value
        ):
            raise _not_held(setting)
    for directory in _directories(conf, [s.value for s in given]):
        documents.extend(
            read_file(member, conf.site)
            for member in _members(conf.site, directory)
        )
    default_rule = effective('policy_default_rule')
    return PolicyFiles(
        documents=tuple(documents),
        old_default=read_file(old, conf.site) if old is not None else None,
        missing=named[0] if named and path is None else None,
        default_rule=default_rule[0].value if default_rule else DEFAULT_RULE,
    )


def _not_held(setting: config_files.Setting) -> exceptions.SourceNotGiven:
    return exceptions.SourceNotGiven(
        f'{setting.value} is not in the bundle ({setting.where} '
        f'[{setting.section}] {setting.name})'
    )


def _directories(
    conf: config_files.ConfigFiles, given: list[str]
) -> Iterator[str]:
    for name in given or [DEFAULT_DIRECTORY]:
        path = conf.find_file(name)
        if path is not None:
            yield path


def _members(site: tree.Tree, directory: str) -> list[str]:
    """Return the files of a policy directory, as oslo.policy finds them."""
    try:
        names = site.listdir(directory)
    except OSError as exc:
        raise exceptions.SourceUnusable(
            f'{directory}: {exc.strerror or "cannot be read"}'
        ) from exc
    text_file.require_few(directory, names)
    paths = [os.path.join(directory, n) for n in names if n[0] != '.']
    return [path for path in paths if not site.isdir(path)]


def read_file(path: str, site: tree.Tree = tree.HOST) -> PolicyFile:
    """Read one policy file.

    :param path: the file.
    :param site: the file system that holds it.

    :raises SourceUnusable: when it cannot be read; a malformed file is a
        result, because the API starts with it and fails every request.
    """
    try:
        text, read = text_file.read_text(path, yaml_file.MAX_BYTES, site=site)
    except text_file.NotUTF8 as exc:
        return PolicyFile(
            exc.read,
            False,
            problem=PolicyProblem(exc.line, 'it is not UTF-8 text'),
        )
    rules, problem = _parse_yaml(path, text)
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return PolicyFile(read, False, rules, problem)
    if rules or not isinstance(parsed, dict):
        return PolicyFile(read, isinstance(parsed, dict), rules, problem)
    return PolicyFile(read, True, _rules_of_json(path, text, parsed), problem)


def _parse_yaml(
    path: str, text: str
) -> tuple[tuple[Rule, ...], Optional[PolicyProblem]]:
    try:
        node = yaml_file.compose(text)
        parsed = yaml_file.construct(node) if node else None
    except yaml_file.Malformed as exc:
        return (), PolicyProblem(exc.line, str(exc))
    if node is None or not parsed:
        return (), None
    if not isinstance(parsed, dict):
        return (), PolicyProblem(
            node.start_mark.line + 1, 'it is not a mapping of rules'
        )
    lines = {
        key.value: key.start_mark.line + 1
        for key, _value in node.value
        if isinstance(key.value, str)
    }
    return tuple(
        Rule(str(name), check, path, lines.get(str(name), 1))
        for name, check in parsed.items()
    ), None


def _rules_of_json(
    path: str, text: str, parsed: dict[str, Any]
) -> tuple[Rule, ...]:
    """Return the rules of JSON that is not YAML, usually because of tabs."""
    lines: dict[str, int] = {}
    line, before = 1, 0
    for found in _JSON_KEY.finditer(text):
        line += text.count('\n', before, found.start())
        before = found.start()
        lines[json.loads(found[1], strict=False)] = line
    return tuple(
        Rule(name, check, path, lines.get(name, 1))
        for name, check in parsed.items()
    )
