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

"""Report files and module directories that other users can change.

Whoever can write to a file that the run reads can change the report, and
whoever can write to a directory of Python's path can have the run execute any
code. The run does not stop, since this may be intended, but reports both.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import os
import pwd
import sys
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.files import path_trust
from manila_precheck.evidence.host import interpreter
from manila_precheck.redact import names

#: The id of the result.
CHECK_ID = 'surroundings'

# The account of manila's services. It owns their files in some packages, so
# it may change them.
_ACCOUNT = 'manila'


def result(
    files: Iterable[model.FileRead],
    locations: Iterable[str],
    searched: bool,
    redactor: names.Change,
    sources: Iterable[config_files.ValueSource] = (),
    here: bool = True,
) -> Optional[model.CheckResult]:
    """Return the result; None when there are no findings.

    :param files: the files of this host that the run has read.
    :param locations: the configuration files and directories.
    :param searched: True if the program found the locations by itself.
    :param sources: the sources of config_source that no check reports on.
    :param here: True if the services run on this host.
    """
    findings = [
        *_of_files(files, locations, here),
        *(_of_home(locations) if searched else ()),
        *_of_python(),
        *_of_sources(sources),
    ]
    if not findings:
        return None
    return model.CheckResult(
        id=CHECK_ID,
        title='Surroundings of the run',
        outcome=model.Outcome.FOUND,
        findings=tuple(
            names.finding_with(finding, redactor)
            for finding in sorted(
                findings, key=lambda f: (-f.severity, f.subject.name)
            )
        ),
    )


def _finding(
    severity: model.Severity,
    subject: model.Subject,
    message: str,
    advice: str,
    aspect: str = '',
) -> model.Finding:
    return model.Finding(
        check_id=CHECK_ID,
        severity=severity,
        subject=subject,
        message=message,
        remediation=(model.advice(advice),),
        aspect=aspect,
    )


def _of_files(
    files: Iterable[model.FileRead], locations: Iterable[str], here: bool
) -> Iterator[model.Finding]:
    paths = [file.path for file in files]
    for path in dict.fromkeys([*paths, *locations]):
        # If the services run elsewhere, the account of this host that has
        # their name is not theirs.
        weakness = path_trust.weakness(path, _account() if here else ())
        if weakness:
            yield _finding(
                model.Severity.WARNING,
                model.Subject('file', path, path),
                f'{path} is read, but other users can change it: {weakness}',
                'Allow only root or the account of the services to write to '
                'it and to its parent directories.',
                'writable',
            )


def _account() -> frozenset[int]:
    try:
        return frozenset([pwd.getpwnam(_ACCOUNT).pw_uid])
    except KeyError:
        return frozenset()


def _of_home(locations: Iterable[str]) -> Iterator[model.Finding]:
    home = os.path.expanduser('~')
    if os.geteuid() in _account():
        return
    for path in locations:
        if os.path.dirname(os.path.normpath(path)) in (
            home,
            os.path.join(home, '.manila'),
        ):
            yield _finding(
                model.Severity.WARNING,
                model.Subject('file', path, path),
                f'{path} was found in the home directory of the user who '
                "runs this; manila's services have another home directory "
                'and do not read it',
                'Pass the files of the services with --config-file and '
                '--config-dir.',
                'home',
            )


def _of_sources(
    sources: Iterable[config_files.ValueSource],
) -> Iterator[model.Finding]:
    for source in sources:
        if source.problem:
            yield _finding(
                model.Severity.WARNING,
                model.Subject('option', f'{source.section}/driver'),
                f'config_source names [{source.section}], but {source.name} '
                f'cannot be read here: {source.problem}; the checks ran '
                'without its values',
                'Run manila-precheck where the services run, or include the '
                'check config-options, which lists what was not checked.',
                'source',
            )


def _of_python() -> Iterator[model.Finding]:
    """Yield the module directories that others can change.

    PYTHONPATH and '' (the working directory) are included.
    """
    loaded = [sys.executable, *interpreter.loaded_at_start(sys.executable)]
    paths = [path or os.getcwd() for path in (*sys.path, *loaded)]
    listed = set(os.environ.get('PYTHONPATH', '').split(os.pathsep)) - {''}
    for path in dict.fromkeys(paths):
        weakness = path_trust.weakness(path)
        if weakness:
            yield _finding(
                model.Severity.WARNING,
                model.Subject('directory', path),
                f'this run loads modules from {path}, which other users can '
                f'change: {weakness}',
                'Run manila-precheck from an installation that only root or '
                'the user who runs it can change. With "python -I", neither '
                'the working directory nor PYTHONPATH is searched.',
                'path',
            )
        elif path in listed:
            yield _finding(
                model.Severity.INFO,
                model.Subject('directory', path),
                f'this run loads modules from {path}, which PYTHONPATH names',
                'Unset PYTHONPATH if the run does not need it.',
                'pythonpath',
            )
