#!/bin/bash
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

# A step for devstack/upgrade/upgrade.sh of manila, after the new code is
# installed and before "manila-manage db sync": the services are down.
#
#   source $GRENADE_DIR/... ; manila-precheck.sh
#
# MANILA_CONF is devstack's.

set -o errexit
set -o nounset

code=0
manila-precheck --config-file "${MANILA_CONF:-/etc/manila/manila.conf}" \
    upgrade check --stage stopped || code=$?
if [ "$code" -gt 1 ]; then
    echo "manila-precheck: exit code $code"
    exit "$code"
fi
