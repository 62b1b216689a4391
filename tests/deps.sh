#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# Installs from Debian what building (build), booting guests (boot), all tests (all) and measuring (bench) need:
# sh tests/deps.sh build|boot|all|bench
# Does nothing, and needs no network, when everything is there.

build="autoconf automake gcc libc6-dev make pkg-config git ca-certificates
	libcryptsetup-dev libdevmapper-dev libssl-dev libjansson-dev libcurl4-openssl-dev libevent-dev libtss2-dev"
# The emulated processors are a kernel module (6.12, whose headers tests/emul fetches by itself) and a FUSE character device.
boot="$build qemu-system-x86 mmdebstrap cryptsetup-bin e2fsprogs cpio xz-utils zstd socat iproute2 openssl libfuse3-dev
	swtpm ovmf tpm2-tools libtss2-tcti-swtpm0 dosfstools mtools fdisk"
all="$boot libcmocka-dev clang jose valgrind shellcheck man-db curl jq strace
	debhelper dh-apparmor lintian dpkg-dev rpm apparmor bash
	systemd clevis clevis-luks clevis-tpm2"
# tang-common has the server without a unit that would start it.
bench="$build libcmocka-dev cryptsetup-bin openssl strace clevis clevis-tpm2 tang-common jose curl socat swtpm tpm2-tools libtss2-tcti-swtpm0"

case ${1-} in
build) wanted=$build ;;
boot) wanted=$boot ;;
all) wanted=$all ;;
bench) wanted=$bench ;;
*)
	echo "usage: sh tests/deps.sh build|boot|all|bench" >&2
	exit 2
	;;
esac

missing=
for package in $wanted; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "these packages are missing, and installing them needs root:$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y update >/dev/null || exit 1
# shellcheck disable=SC2086 # words
apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends $missing </dev/null >/tmp/cryptattest-deps.$$ 2>&1 || {
	tail -n 30 /tmp/cryptattest-deps.$$ >&2
	exit 1
}
rm -f /tmp/cryptattest-deps.$$
echo "installed:$missing"
