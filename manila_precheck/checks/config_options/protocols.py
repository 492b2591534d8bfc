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

"""The protocols of enabled_share_protocols, which manila-api validates.

Up to 2025.2 the option accepts any list, and manila-api ends with
ManilaException for a name that it does not know, regardless of case, and for
an empty list (manila 20.0.3 and 23.0.1 common/config.py
verify_share_protocols, called by cmd/api.py and wsgi/wsgi.py). From 2026.1 on,
oslo.config rejects unknown names first.
"""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.catalog import behaviours
from manila_precheck.checks.config_options import both_releases
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

#: The name of the option.
OPTION = 'enabled_share_protocols'


def findings(
    both: both_releases.Sides, setting: config_files.Setting
) -> Iterator[model.Finding]:
    """Yield a finding if the line ends manila-api of the target."""
    target = both.target
    if setting.group != 'DEFAULT' or setting not in target.effective(setting):
        return
    try:
        named = target.value(setting)
    except config_reader.Refused:
        # The value itself has been reported.
        return
    if named is None:
        return
    known = behaviours.load().subjects('share-protocol', target.release)
    unknown = [one for one in named if one.upper() not in known]
    if named and not unknown:
        return
    what = f'{unknown[0]!r} is not one' if unknown else 'none is named'
    good = [one for one in named if one not in unknown]
    edits = (
        both.edits.replace(setting, ','.join(good))
        if good
        else both.edits.choose(setting, f'some of {", ".join(known)}')
    )
    yield model.Finding(
        model.Severity.FAILURE,
        setting.subject,
        f'{both.assigned(setting)}: manila-api of {target.release} '
        f'supports the share protocols {", ".join(known)}; {what}, '
        'and manila-api does not start',
        [
            model.config(
                '[{}]\n{} = {}',
                setting.section,
                setting.name,
                ','.join(good or ['NFS', 'CIFS']),
            ).with_edits(*edits)
        ],
        data={
            'verdict': 'invalid',
            'named': unknown[0] if unknown else '',
        },
        aspect='names',
    )
