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

# A hook that runs where "manila-manage db sync" does, before it: as a Job with
#
#   annotations:
#     "helm.sh/hook": pre-upgrade
#     "helm.sh/hook-weight": "-6"
#
# The image is that of the new release, so the target is the manila in it and
# the source is what the database says. A first install, with an empty
# database, ends with 0. Everything is tuned by the environment of the
# container, for example OS_MANILA_PRECHECK__FAIL_ON=failure.

set -o errexit
set -o nounset

code=0
manila-precheck "$@" upgrade check || code=$?

case $code in
    0) ;;
    1) echo 'manila-precheck: warnings; the upgrade goes on' ;;
    *)
        echo "manila-precheck: the upgrade stops (exit code $code)"
        exit "$code"
        ;;
esac
