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

"""The effect of the upgrade on the policy files themselves."""

from collections.abc import Iterator
from typing import Optional

from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.engine import context
from manila_precheck.evidence.config import config_edits
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.policy import policy_files

Severity = model.Severity


_CONVERT = (
    'oslopolicy-convert-json-to-yaml --namespace manila --policy-file{=} '
    '--output-file{=}'
)


class Files:
    """The findings about policy files, as the two releases read them."""

    def __init__(self, ctx: context.Context) -> None:
        self._source = ctx.upgrade.source
        self._target = ctx.upgrade.target
        self._files = ctx.policy.of(self._source)
        self._later = ctx.policy.of(self._target)
        self._edits = config_edits.Edits(
            ctx.reader(self._source), ctx.reader(self._target)
        )

    def findings(self) -> Iterator[model.Finding]:
        missing = self._files.missing
        if missing is not None:
            yield model.Finding(
                Severity.WARNING,
                config_files.subject(
                    'option', f'{missing.group}/policy_file', missing
                ),
                f'policy_file = {missing.value} does not exist: manila runs '
                'with its default policies only',
                [
                    model.advice(
                        'Create the file, or remove the line.'
                    ).with_edits(
                        *self._edits.choose(missing, 'the name of a file')
                    )
                ],
            )
        if self._files.old_default is not None:
            yield self._old_default(self._files.old_default)
        for document in _each(
            (*self._files.documents, *self._later.documents)
        ):
            yield from self._document(document)

    def _old_default(self, document: policy_files.PolicyFile) -> model.Finding:
        before, after = (
            policy_files.falls_back(self._source),
            policy_files.falls_back(self._target),
        )
        target = document.path[: -len('.json')] + '.yaml'
        convert = [
            model.command(_CONVERT, document.path, target).with_edits(
                model.Edit(
                    'convert',
                    'policy',
                    document.path,
                    value=target,
                    # The source looks for policy.yaml first.
                    early=True,
                )
            )
        ]
        if not before:
            return self._about(
                Severity.INFO,
                document,
                f'{document.path} is ignored: no option names it, and '
                f'neither {self._source} nor {self._target} reads it by '
                'default',
                [model.advice('Remove it.')],
            )
        if after:
            return self._about(
                Severity.WARNING,
                document,
                f'{document.path} is read because there is no policy.yaml; '
                f'{behaviours.load().first("policy-json-ignored")} ignores it',
                convert,
            )
        return self._about(
            Severity.FAILURE if document.rules else Severity.INFO,
            document,
            f'{document.path} is enforced by {self._source} and silently '
            f'ignored by {self._target}: its overrides are lost',
            convert,
            {'rules': len(document.rules)},
        )

    def _document(
        self, document: policy_files.PolicyFile
    ) -> Iterator[model.Finding]:
        problem = document.problem
        if document.is_json and (
            problem is None or policy_files.falls_back(self._target)
        ):
            yield self._about(
                Severity.WARNING,
                document,
                f'{document.path} is JSON, which oslo.policy has deprecated',
                [
                    model.command(
                        _CONVERT, document.path, f'{document.path}.yaml'
                    )
                ],
            )
        elif problem is not None:
            now = (
                f'; {self._source} reads it as JSON'
                if document.is_json and policy_files.falls_back(self._source)
                else ''
            )
            in_place = []
            if document.is_json:
                # The same rules in a format that every release parses.
                in_place = [
                    model.Edit(
                        'convert',
                        'policy',
                        document.path,
                        value=document.path,
                        early=True,
                    )
                ]
            yield model.Finding(
                Severity.FAILURE,
                model.Subject(
                    'policy-file',
                    document.path.rpartition('/')[2],
                    document.path,
                    problem.line,
                ),
                f'{document.path} cannot be parsed ({problem.text}): with '
                f'{self._target} every request fails with 500{now}',
                [model.advice('Correct the file.').with_edits(*in_place)],
            )

    def _about(
        self,
        severity: Severity,
        document: policy_files.PolicyFile,
        message: str,
        remediation: list[model.Remediation],
        data: Optional[dict[str, model.Scalar]] = None,
    ) -> model.Finding:
        name = document.path.rpartition('/')[2]
        return model.Finding(
            severity,
            model.Subject('policy-file', name, document.path),
            message,
            remediation,
            data=data or {},
        )


def _each(
    documents: tuple[policy_files.PolicyFile, ...],
) -> Iterator[policy_files.PolicyFile]:
    """Yield every file once."""
    yield from {document.path: document for document in documents}.values()
