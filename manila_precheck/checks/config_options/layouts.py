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


"""The layout of a back end of GlusterFS, which its driver validates.

glusterfs_share_layout accepts any string, and the driver raises
GlusterfsException for a layout that it does not support (manila 22.0.2
share/drivers/glusterfs/layout.py GlusterfsShareDriverBase).
"""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files

#: The name of the option.
OPTION = 'glusterfs_share_layout'


def findings(
    both: both_releases.Sides, setting: config_files.Setting
) -> Iterator[model.Finding]:
    """Yield a finding if the driver of the target rejects the line."""
    target = both.target
    if config_files.SectionRole.BACKEND not in both.conf.roles(setting.group):
        return
    known = target.layouts(setting.group)
    value = setting.value
    if not (value and known) or value in known or '$' in value:
        return
    if setting not in target.effective(setting):
        return
    yield model.Finding(
        model.Severity.FAILURE,
        setting.subject,
        f'{both.assigned(setting)}: the driver of '
        f'{target.release} supports only {" and ".join(known)}; '
        'manila-share exits with 1 and starts no back end',
        [
            model.config(
                '[{}]\n{} = {}', setting.section, OPTION, known[0]
            ).with_edits(*both.edits.replace(setting, known[0]))
        ],
        data={'verdict': 'invalid', 'named': value},
        aspect='names',
    )
