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

"""The templates of the names of shares and snapshots."""

from collections.abc import Iterator

from manila_precheck import model
from manila_precheck.checks.running_config import comparison
from manila_precheck.evidence.config import config_reader
from manila_precheck.evidence.database import hosts

_FAILURE = model.Severity.FAILURE
_INFO = model.Severity.INFO

# manila 22.0.2 share/drivers: the drivers that find a share or a snapshot on
# the storage system by the name that manila builds from its id and the
# template, not by an identifier that they stored.
_BY_NAME = (
    'generic.GenericShareDriver',
    'glusterfs.GlusterfsShareDriver',
    'hdfs.hdfs_native.HDFSNativeShareDriver',
    'ibm.gpfs.GPFSShareDriver',
    'lvm.LVMShareDriver',
    'maprfs.maprfs_native.MapRFSNativeShareDriver',
    'purestorage.flashblade.FlashBladeShareDriver',
    'quobyte.quobyte.QuobyteShareDriver',
    'tegile.tegile.TegileShareDriver',
    'veritas.veritas_isa.ACCESSShareDriver',
    'windows.windows_smb_driver.WindowsSMBDriver',
)
_PLUGINS = ('isilon', 'powerflex', 'powerscale', 'powerstore')
_PREFIX = 'manila.share.drivers.'


def _finds_by_name(reader: config_reader.Reader, group: str) -> bool:
    driver = (reader.driver(group) or '')[len(_PREFIX) :]
    return driver in _BY_NAME or reader.plugin(group) in _PLUGINS


def templates(sides: comparison.ComparedSides) -> Iterator[model.Finding]:
    """Yield the templates that change, and the back ends that use them."""
    named = sorted(
        name or 'DEFAULT'
        for name in hosts.enabled_backends(sides.ctx.config).backends
        if _finds_by_name(sides.staged, name or 'DEFAULT')
    )
    for name in (
        'share_name_template',
        'share_snapshot_name_template',
        'share_backup_name_template',
    ):
        for change in sides.changes('DEFAULT', name):
            if named and name != 'share_backup_name_template':
                yield sides.finding(
                    change,
                    _FAILURE,
                    'manila does not store names but builds them from the '
                    f'ID and the template: the drivers of {", ".join(named)} '
                    'no longer find resources that the storage system has '
                    'under the old name',
                )
            else:
                yield sides.finding(
                    change,
                    _INFO,
                    'no driver of an enabled back end is known to look up '
                    'resources by this name',
                    model.advice('No action is needed.'),
                )
