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

"""The check that judges the value of an option that two checks could judge.

Each fault is reported once. The values of options that decide what a back end
loads belong to ``backend-drivers``, which knows what its driver accepts;
``config-options`` judges all other values, and these where no driver is
loaded.
"""

from manila_precheck.catalog import conditions
from manila_precheck.evidence.config import config_files
from manila_precheck.evidence.config import config_reader

#: Whether a back end makes share servers.
MODE = 'driver_handles_share_servers'

#: The option that names the plugin which EMCShareDriver loads.
PLUGIN = 'emc_share_backend'


def is_loading(
    reader: config_reader.Reader, setting: config_files.Setting
) -> bool:
    """Say whether ``backend-drivers`` judges the value of a line.

    :param reader: the release that loads the back ends.
    """
    conf, group = reader.conf, setting.group
    if setting.name not in (MODE, PLUGIN):
        return False
    if not conf.runs_share or conf.may_hold(*config_files.ENABLED_BACKENDS):
        return False
    if not any(
        backend.section is not None
        and config_files.normalize(backend.name) == group
        for backend in conf.backends
    ):
        return False
    if reader.driver(group) != conditions.EMC_DRIVER:
        return setting.name == MODE and reader.driver(group) is not None
    return setting.name == PLUGIN or reader.has_plugin(group)
