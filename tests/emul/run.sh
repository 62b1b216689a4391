#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# src/tee against the kernel's own interfaces, in two small guests under QEMU's processor emulation:
#
#   configfs   Debian's 6.12 kernel, its real configfs-tsm, and a TEE driver of ours behind it (tsm_fake/, tee_signer)
#   ioctl      Debian's 6.1 kernel and a /dev/sev-guest made with CUSE (cuse_sev_guest)
#
# Usage: sh tests/emul/run.sh [BUILD-FOLDER] [configfs|ioctl]
# Needs qemu-system-x86, cpio, make, gcc, libfuse3-dev and Debian's package sources with bookworm-security; about two minutes, and
# 70 MB of packages the first time, which stay in VM_CACHE (default ~/.cache/cryptattest). No root, no KVM.
# Prints one line per check, and at the end "N passed, N failed"; exit status 0 only when none failed.
set -u

EMUL_SRC=$(cd "$(dirname "$0")" && pwd)
EMUL_BUILD=$(cd "${1:-$EMUL_SRC/../../build}" && pwd) || exit 2
EMUL_CACHE=${VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/cryptattest}
EMUL_CASES=${2:-configfs ioctl}
EMUL_SECONDS=${EMUL_SECONDS:-420}

# shellcheck source-path=SCRIPTDIR source=kernel.sh
. "$EMUL_SRC/kernel.sh"

EMUL_WORK=$(mktemp -d "${TMPDIR:-/tmp}/cryptattest-emul.XXXXXX") || exit 1
trap 'rm -rf "$EMUL_WORK"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# emul_module_file ROOT VERSION NAME DIR: copies a module of the distribution's, uncompressed. Built in is fine too.
emul_module_file()
{
	emul_file=$(find "$1/lib/modules/$2" -name "$3.ko" -o -name "$3.ko.xz" | head -n 1)
	case $emul_file in
	*.xz) "$EMUL_BUSYBOX" xzcat "$emul_file" >"$4/$3.ko" ;;
	*.ko) cp "$emul_file" "$4/$3.ko" ;;
	*) grep -q "/$3\.ko" "$1/lib/modules/$2/modules.builtin" || emul_fail "kernel $2 has no module $3" ;;
	esac
}

# A program and the libraries it names.
emul_program()
{
	install -D -m 755 "$1" "$2/bin/$(basename "$1")"
	ldd "$1" | grep -o '/[^ ]*' | while read -r emul_lib; do
		[ -e "$2$emul_lib" ] || install -D -m 755 "$emul_lib" "$2$emul_lib"
	done
}

# emul_initrd CASE KERNEL FILE
emul_initrd()
{
	emul_version=$(emul_kernel_version "$2") || exit 1
	emul_image=$(emul_kernel_image "$emul_version") || exit 1
	emul_root=$EMUL_WORK/$1
	mkdir -p "$emul_root/bin" "$emul_root/dev" "$emul_root/proc" "$emul_root/sys" "$emul_root/run" "$emul_root/tmp" "$emul_root/modules"
	cp "$EMUL_BUSYBOX" "$emul_root/bin/busybox"
	for emul_prog in tee_probe tee_signer cuse_sev_guest sev_ioctl; do
		emul_program "$EMUL_BUILD/tests/emul/$emul_prog" "$emul_root"
	done
	cp -R "$EMUL_WORK/pki" "$emul_root/pki"
	install -m 755 "$EMUL_SRC/guest.sh" "$emul_root/init"
	for emul_mod in configfs fuse cuse; do
		emul_module_file "$emul_image" "$emul_version" "$emul_mod" "$emul_root/modules"
	done
	if [ "$1" = configfs ]; then
		emul_module_file "$emul_image" "$emul_version" tsm "$emul_root/modules"
		emul_module "$emul_version" "$emul_root/modules/tsm_fake.ko" || exit 1
	fi
	(cd "$emul_root" && find . | cpio -o -H newc --quiet | gzip -1) >"$3" || exit 1
	cp "$emul_image/boot/vmlinuz-$emul_version" "$EMUL_WORK/vmlinuz-$1"
}

# Boots a case; its console goes to this file.
emul_boot()
{
	timeout --kill-after=5 "$EMUL_SECONDS" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 512 \
		-nodefaults -display none -no-reboot -serial "file:$2" \
		-kernel "$EMUL_WORK/vmlinuz-$1" -initrd "$EMUL_WORK/initrd-$1" \
		-append "console=ttyS0 quiet loglevel=4 panic=5 emul=$1" </dev/null >"$EMUL_WORK/qemu-$1.log" 2>&1
}

emul_case()
{
	case $1 in
	configfs) emul_kernel=6.12 ;;
	ioctl) emul_kernel=6.1 ;;
	*) emul_fail "no case $1" ;;
	esac
	emul_initrd "$1" "$emul_kernel" "$EMUL_WORK/initrd-$1"
	echo "== $1: $(emul_kernel_version "$emul_kernel")"
	emul_boot "$1" "$EMUL_WORK/console-$1"
	tr -d '\r' <"$EMUL_WORK/console-$1" >"$EMUL_WORK/text-$1"
	grep -E '^(PASS|FAIL|  )' "$EMUL_WORK/text-$1"
	if ! grep -q '^EMUL END$' "$EMUL_WORK/text-$1"; then
		echo "FAIL $1: the guest did not come to its end"
		tail -n 30 "$EMUL_WORK/text-$1" "$EMUL_WORK/qemu-$1.log"
		echo "FAIL $1: incomplete" >>"$EMUL_WORK/text-$1"
	fi
}

for emul_tool in qemu-system-x86_64 cpio; do
	command -v $emul_tool >/dev/null || emul_fail "$emul_tool is not installed"
done
emul_unpack "$EMUL_CACHE/busybox" busybox-static
EMUL_BUSYBOX=$EMUL_CACHE/busybox/bin/busybox
if [ -f "$EMUL_BUILD/Makefile" ]; then
	make -s -C "$EMUL_BUILD" tests/emul/tee_probe tests/emul/tee_signer tests/emul/cuse_sev_guest tests/emul/sev_ioctl \
		tests/tools/cryptattest-testpki ||
		emul_fail "the emulators do not build in $EMUL_BUILD"
fi
"$EMUL_BUILD/tests/tools/cryptattest-testpki" init "$EMUL_WORK/pki" || exit 1
for emul_c in $EMUL_CASES; do
	emul_case "$emul_c"
done
emul_passed=$(cat "$EMUL_WORK"/text-* | grep -c '^PASS')
emul_failed=$(cat "$EMUL_WORK"/text-* | grep -c '^FAIL')
echo "$emul_passed passed, $emul_failed failed"
[ "$emul_failed" = 0 ] && [ "$emul_passed" -gt 0 ]
