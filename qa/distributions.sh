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

# Build the packages of distributions and the container image, lint them,
# install them and run the command from each, on Debian as root:
#
#   qa/distributions.sh             all of them
#   qa/distributions.sh deb rpm     some of them: deb, rpm, container
#
# They are tried in a Debian that mmdebstrap makes, which has the package and
# what it depends on, and nothing else of Python. Takes about ten minutes on two
# cores, for that Debian, the wheels, and the copies that podman makes of it. It
# needs: debhelper dh-python lintian mmdebstrap pybuild-plugin-pyproject
# python3-all python3-pbr python3-pip python3-setuptools python3-wheel rpm
# rpmlint, and podman runc for the image.

set -o errexit
set -o nounset
set -o pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
SCRATCH=$(mktemp -d)
ROOT=$SCRATCH/root
# Where no systemd runs, and no more than a plain account may do.
PODMAN=(
    podman --root "$SCRATCH/podman" --storage-driver vfs
    --runtime /usr/sbin/runc --cgroup-manager cgroupfs
)
CHECK=(
    upgrade check --no-database --no-network
    --source-release 2025.1 --target-release 2026.1
)

finish() {
    if [ -d "$SCRATCH/podman" ]; then
        "${PODMAN[@]}" rmi --all --force > /dev/null || :
    fi
    rm -rf "$SCRATCH"
}
trap finish EXIT

failed() {
    echo "FAILED: $*" >&2
    exit 1
}

judged() {
    # judged COMMAND...: it judges the files of the demo, which have failures.
    local code=0
    "$@" "${CHECK[@]}" > "$SCRATCH/report" || code=$?
    if [ $code != 2 ] || ! grep -q '^DO NOT UPGRADE YET' "$SCRATCH/report"
    then
        cat "$SCRATCH/report"
        failed "exit code $code: $*"
    fi
    echo "runs: $*"
}

debian() {
    # A Debian with the package; its site is in /etc/manila.
    [ ! -d "$ROOT" ] || return 0
    local package=$SCRATCH/manila-precheck.deb
    cp "$SCRATCH"/deb/*.deb "$package"
    mmdebstrap --quiet --variant=minbase --include "python3-venv,$package" \
        --hook-dir /usr/share/mmdebstrap/hooks/file-mirror-automount \
        bookworm "$ROOT"
    cp -r etc/manila-precheck/demo "$ROOT/etc/manila"
    chmod -R go+rX "$ROOT/etc/manila"
}

deb() {
    [ ! -d "$SCRATCH/deb" ] || return 0
    tools/build_deb.sh "$SCRATCH/deb" > "$SCRATCH/log" 2>&1 \
        || { cat "$SCRATCH/log"; failed 'build of the Debian package'; }
    lintian --fail-on warning,error "$SCRATCH"/deb/*.changes
    debian
    judged chroot "$ROOT" setpriv --reuid 65534 --regid 65534 --clear-groups \
        manila-precheck
    local file
    for file in man/man1/manila-precheck.1.gz \
        bash-completion/completions/manila-precheck \
        zsh/vendor-completions/_manila-precheck \
        doc/manila-precheck/examples/manila-precheck.conf.sample; do
        [ -s "$ROOT/usr/share/$file" ] || failed "no /usr/share/$file"
    done
}

rpm() {
    deb
    tools/build_rpm.sh "$SCRATCH/rpm" > "$SCRATCH/log" 2>&1 \
        || { cat "$SCRATCH/log"; failed 'build of the RPM package'; }
    rpmlint --strict -c contrib/rpm/rpmlint.toml "$SCRATCH"/rpm/*.rpm \
        contrib/rpm/manila-precheck.spec
    # In the place of the Debian package, with the libraries of that.
    local root=$SCRATCH/with-rpm
    cp -a "$ROOT" "$root"
    chroot "$root" dpkg --remove manila-precheck > /dev/null
    [ ! -e "$root/usr/bin/manila-precheck" ] || failed 'it is still there'
    command rpm --root "$root" --install --nodeps --ignoreos \
        --dbpath /var/lib/rpm "$SCRATCH"/rpm/*.noarch.rpm
    judged chroot "$root" setpriv --reuid 65534 --regid 65534 --clear-groups \
        manila-precheck
}

container() {
    deb
    local bundle=$SCRATCH/context/manila-precheck-bundle.tar.gz
    python3 -m venv "$SCRATCH/build"
    "$SCRATCH/build/bin/pip" install --quiet uv
    PATH=$SCRATCH/build/bin:$PATH python tools/build_bundle.py "$bundle"
    # No command but that of the image.
    tar -C "$ROOT" --exclude ./usr/bin/manila-precheck -c . \
        | "${PODMAN[@]}" import - base:test
    # Each layer of this driver is a copy of all the files.
    "${PODMAN[@]}" build --isolation chroot --pull-never --layers=false \
        --build-arg BASE=localhost/base:test --tag manila-precheck:test \
        --file contrib/container/Containerfile "$SCRATCH/context"
    local run=(
        "${PODMAN[@]}" run --rm --read-only --network none --cap-drop all
        --ulimit nofile=1024:1024 --ulimit nproc=1000:1000
    )
    judged "${run[@]}" localhost/manila-precheck:test
    [ "$("${run[@]}" --entrypoint id localhost/manila-precheck:test -u)" \
        = 65534 ] || failed 'it does not run as nobody'
}

[ $# != 0 ] || set -- deb rpm container
for step in "$@"; do
    "$step"
done
echo "passed in $SECONDS s: $*"
