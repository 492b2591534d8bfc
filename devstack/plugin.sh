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

# The DevStack plugin: it installs manila-precheck beside manila, which the
# grenade plugin in upgrade/ runs before manila is upgraded.

_XTRACE_MANILA_PRECHECK=$(set +o | grep xtrace)
set +o xtrace

function install_manila_precheck {
    setup_install "$MANILA_PRECHECK_DIR"
}

function cleanup_manila_precheck {
    pip_uninstall manila-precheck
}

if [[ "$1" == "stack" && "$2" == "install" ]]; then
    echo_summary "Installing manila-precheck"
    install_manila_precheck
elif [[ "$1" == "clean" ]]; then
    cleanup_manila_precheck
fi

$_XTRACE_MANILA_PRECHECK
