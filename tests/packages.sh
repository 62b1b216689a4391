#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# The Debian packages of contrib/debian: made from the tarball of "make dist", judged by lintian.
#
#	sh tests/packages.sh BUILD-DIRECTORY OUTPUT-DIRECTORY
#
# OUTPUT-DIRECTORY gets the .deb files. Prints what lintian says; status 1 when it says anything.
set -eu
build=$(cd "$1" && pwd)
mkdir -p "$2"
output=$(cd "$2" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/cryptattest-packages.XXXXXX")
trap 'rm -rf "$work"' EXIT

make -s -C "$build" dist
tarball=$(ls "$build"/cryptattest-*.tar.xz)
version=$(basename "$tarball" .tar.xz | sed 's/^cryptattest-//')
cp "$tarball" "$work/cryptattest_$version.orig.tar.xz"
tar -C "$work" -xf "$tarball"
cd "$work/cryptattest-$version"
cp -r contrib/debian debian
dpkg-buildpackage -us -uc -b -d >"$output/build.log" 2>&1 || {
	tail -n 40 "$output/build.log"
	exit 1
}
rm -f "$output"/*.deb
cp "$work"/*.deb "$output/"
# Debug symbols are the distribution's business; a changelog without a bug number is one that was never uploaded.
lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$work"/*.changes
ls "$output"/*.deb
