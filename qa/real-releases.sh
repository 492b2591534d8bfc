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

# Run the tests that ask real manila releases: those of every upgrade that is
# tried (qa/hops.py), and any other whose environment is there. On databases
# that 2024.1 to 2026.2 made, each on MySQL or MariaDB and on PostgreSQL; what
# a db purge of theirs then does, and a db sync, also from before 2024.1; and
# what the catalog and the checks of files say, against their own oslo.config
# and oslo.policy. What is said after the name goes to stestr. With
# --environments nothing is run: the environments are made.
#
# MANILA_PRECHECK_VENVS is where the environments of the releases are, and
# are made when they are not there (tools/manila_venv.py says with which
# constraints); the default is a cache directory. The servers are those of
# tools/test-setup.sh; with MANILA_PRECHECK_REQUIRE_DATABASES set, one that
# is not there fails the run.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}
export MANILA_PRECHECK_VENVS=${MANILA_PRECHECK_VENVS:-$CACHE/manila-precheck/venvs}

# Two at a time: pip waits for the network half of the time.
python3 -m qa.hops \
    | xargs -P 2 -I RELEASE \
        python3 tools/manila_venv.py RELEASE --dir "$MANILA_PRECHECK_VENVS"

[ "${1:-}" != --environments ] || exit 0

# A record of its own: a run without the releases skips these tests, and takes
# them to need no time.
RUNS=.stestr-real
mkdir -p "$RUNS"

# The tests of such a class share a database, or what a release answered, so
# it stays in one process.
[ $# != 0 ] || set -- '\.(real|test_judge\w*|test_\w*reality|test_manila_status|test_names_and_needs|test_states)\.|^qa\.judges\.test_fix'
stestr --repo-url "$RUNS" run --slowest --concurrency "${MANILA_PRECHECK_REAL_CONCURRENCY:-2}" \
    --group-regex '.*\.(real|test_judge|test_judge_policy)\.([^\.]+\.)+' "$@"
