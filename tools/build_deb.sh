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

# Build the Debian package of the last commit, with the files of contrib/deb:
#
#   tools/build_deb.sh DIRECTORY
#
# It needs the packages of debian/control: debhelper, dh-python,
# pybuild-plugin-pyproject, python3-all, python3-pbr, python3-setuptools.

set -o errexit
set -o nounset
set -o pipefail

# With the Python of Debian, whatever else is here.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p "$1"
output=$(realpath "$1")
version=$(sed -n 's/^version = //p' setup.cfg)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

source=$scratch/manila-precheck-$version
git archive --prefix "${source##*/}/" HEAD \
    | gzip -n > "$scratch/manila-precheck_$version.orig.tar.gz"
tar -x -C "$scratch" -f "$scratch/manila-precheck_$version.orig.tar.gz"
cp -r "$source/contrib/deb" "$source/debian"
# What is built is what setup.cfg says; the rest is Debian's.
if ! head -n 1 "$source/debian/changelog" | grep -qF "($version-"; then
    echo "contrib/deb/changelog does not begin with $version" >&2
    exit 1
fi
(cd "$source" && dpkg-buildpackage --no-sign)
cp "$scratch"/manila-precheck_*.* "$output"
