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

"""Findings about options that an unreadable source may set.

An option that no file sets may be set in a source of config_source that cannot
be read here.
"""

from collections.abc import Iterable
from typing import Optional

from manila_precheck import model
from manila_precheck.evidence.config import config_files


def why_not_judged(
    conf: config_files.ConfigFiles, group: str, name: str
) -> Optional[str]:
    """Return why the value of an option is not known.

    :returns: the reason; None if a file sets the option, or if every source
        could be read.
    """
    unread = conf.may_hold(group, name)
    if unread is None:
        return None
    return (
        f'{unread.name}, which may set {name}, cannot be read here '
        f'({unread.problem})'
    )


def weighed(
    conf: config_files.ConfigFiles,
    options: Iterable[config_files.Name],
    finding: model.Finding,
) -> model.Finding:
    """Return a finding about options, a warning if they may be set elsewhere.

    :param options: the options, which no file sets.
    :returns: with severity WARNING if an unreadable source may set one of the
        options; else the finding as it is.
    """
    for group, name in options:
        unread = conf.may_hold(group, name)
        if unread is not None:
            data = dict(finding.data)
            if 'verdict' in data:
                data['verdict'] = 'unjudged'
            return finding._replace(
                severity=model.Severity.WARNING,
                message=f'{finding.message}; not checked: {unread.name}, '
                f'which may set it, cannot be read here ({unread.problem})',
                data=data,
            )
    return finding
