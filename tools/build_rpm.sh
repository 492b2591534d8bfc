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

# Build the RPM package of the last commit, with the spec file of contrib/rpm:
#
#   tools/build_rpm.sh DIRECTORY
#
# It needs rpmbuild, and of Python pbr, pip, setuptools and wheel. On Debian,
# where they are no RPM packages, nothing looks for those first.

set -o errexit
set -o nounset
set -o pipefail

# With the Python of the system, whatever else is here.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
# Debian's Python puts modules elsewhere otherwise.
export DEB_PYTHON_INSTALL_LAYOUT=deb

cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p "$1"
output=$(realpath "$1")
spec=contrib/rpm/manila-precheck.spec
version=$(sed -n 's/^version = //p' setup.cfg)
if ! grep -q "^Version: *$version$" "$spec"; then
    echo "$spec is not of $version" >&2
    exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

name=manila-precheck-$version
mkdir "$scratch/SOURCES"
git archive --prefix "$name/" HEAD | gzip -n > "$scratch/SOURCES/$name.tar.gz"
words=()
[ ! -f /etc/debian_version ] || words+=(--nodeps)
rpmbuild -ba "${words[@]}" --define "_topdir $scratch" "$spec"
cp "$scratch"/RPMS/noarch/*.rpm "$scratch"/SRPMS/*.rpm "$output"
