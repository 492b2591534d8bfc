#!/usr/bin/env bash
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

# ``upgrade-manila-precheck``: verifies the upgrade of manila, whose services
# are down and whose code and database are still those of the base release.

echo "*********************************************************************"
echo "Begin $0"
echo "*********************************************************************"

# shellcheck source=/dev/null
source "$GRENADE_DIR/grenaderc"
# shellcheck source=/dev/null
source "$GRENADE_DIR/functions"

set -o errexit

# The target release is in the name of a stable branch. That of master is the
# release after the one in the database, which the command assumes.
target=()
case $TARGET_DEVSTACK_BRANCH in
    stable/* | unmaintained/*)
        target=(--target-release "${TARGET_DEVSTACK_BRANCH##*/}")
        ;;
esac

set -o xtrace

# 0 success and 1 warnings go on; 2 are failures, and anything else means that
# the checks did not run.
code=0
manila-precheck --config-file "${MANILA_CONF_DIR:-/etc/manila}/manila.conf" \
    upgrade check --stage stopped "${target[@]}" || code=$?
if [[ $code -ne 0 && $code -ne 1 ]]; then
    die $LINENO "manila-precheck stops the upgrade of manila: $code"
fi

set +o xtrace
echo "*********************************************************************"
echo "SUCCESS: End $0"
echo "*********************************************************************"
