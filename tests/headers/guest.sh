#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# src/luks against real kernels: boots each kernel of this machine under QEMU with an initramfs that holds dm_trial alone (no udev, no
# distribution), and passes its TAP on. About 15 seconds a kernel. Needs qemu-system-x86, busybox, cpio, cryptsetup-bin, a readable
# /boot/vmlinuz-* with its modules; no root. KERNELS limits the versions, KERNEL_ROOT is a folder with another /boot and /lib/modules;
# LUKS_BUILD is the build directory.

set -u
fail() { echo "Bail out! $*"; exit 99; }
skip() { echo "1..0 # SKIP $*"; exit 0; }

build=${LUKS_BUILD:-${TOP_BUILDDIR:-.}}
PATH=$PATH:/usr/sbin:/sbin
trial=$build/tests/headers/dm_trial
[ -x "$trial" ] || fail "no $trial: make check_PROGRAMS first"
for tool in qemu-system-x86_64 busybox cpio cryptsetup; do
	command -v $tool >/dev/null || skip "no $tool"
done
kroot=${KERNEL_ROOT:-}
if [ -z "${KERNELS:-}" ]; then
	for k in "$kroot"/boot/vmlinuz-*; do
		v=${k##*/vmlinuz-}
		[ -r "$k" ] && [ -d "$kroot/lib/modules/$v" ] && KERNELS="${KERNELS:-} $v"
	done
fi
[ -n "${KERNELS:-}" ] || skip "no kernel in $kroot/boot with its modules"

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT INT TERM

# Files and what they are linked with, below the initramfs.
put()
{
	for f in "$@"; do
		mkdir -p "$work/root$(dirname "$f")"
		cp -L "$f" "$work/root$f"
		ldd "$f" 2>/dev/null | grep -o '/[^ ]*' | while read -r lib; do
			mkdir -p "$work/root$(dirname "$lib")"
			[ -e "$work/root$lib" ] || cp -L "$lib" "$work/root$lib"
		done
	done
}

modules="virtio_pci virtio_blk algif_skcipher dm_mod dm_crypt dm_integrity xts aesni_intel aes_generic authenc hmac sha256_generic cipher_null crypto_null ecb cbc"
make_root()
{
	rm -rf "$work/root"
	mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/sys" "$work/root/dev" "$work/root/run" "$work/root/tmp"
	put "$(command -v busybox)" "$(command -v cryptsetup)"
	put "$(find /usr/lib /lib -name libgcc_s.so.1 2>/dev/null | head -n 1)"
	put "$(find /usr/lib /lib -name legacy.so -path '*ossl*' 2>/dev/null | head -n 1)"
	cp "$trial" "$work/root/bin/dm_trial"
	ldd "$trial" | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$work/root$(dirname "$lib")"
		[ -e "$work/root$lib" ] || cp -L "$lib" "$work/root$lib"
	done
	# One file per module in the order that modprobe would load them.
	: >"$work/root/modules"
	for m in $modules; do
		modprobe -d "$kroot/" -S "$1" --show-depends "$m" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' | while read -r ko; do
		cp "$ko" "$work/root/tmp/" && echo "/tmp/$(basename "$ko")" >>"$work/root/modules"
	done
	cp "$work/pass" "$work/root/pass"
	cat >"$work/root/init" <<-EOF
		#!$(command -v busybox) sh
		B=$(command -v busybox)
		\$B mount -t proc proc /proc; \$B mount -t sysfs sys /sys; \$B mount -t devtmpfs dev /dev
		while read -r ko; do \$B insmod "\$ko" 2>/dev/null; done </modules
		$(command -v cryptsetup) --batch-mode luksFormat --type luks2 --integrity hmac-sha256 --integrity-no-wipe --sector-size 4096 \
			--uuid 22222222-2222-4333-8444-555555555502 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /pass /dev/vdb || echo "# integrity disk: format failed"
		# What the audit is for: with this attack a wrong passphrase opens the volume, unless cryptsetup is 2.8.1 or later.
		printf 'not the passphrase at all' >/wrong
		$(command -v cryptsetup) open --test-passphrase --key-file /wrong /dev/vda && echo "not ok 0 - wrong passphrase refused"
		$(command -v cryptsetup) open --test-passphrase --key-file /wrong /dev/vdd && \
			echo "ok 0 - stock cryptsetup opens a null keyslot with any passphrase"
		DM_TRIAL_DEBUG=${DM_TRIAL_DEBUG:-} /bin/dm_trial run /pass /dev/vdc UUID=11111111-2222-4333-8444-555555555501 /dev/vdb \
			H8=/dev/vdd
		echo "# trial ended with \$?"
		\$B poweroff -f
	EOF
	chmod +x "$work/root/init"
	(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"
}

printf 'correct horse battery staple' >"$work/pass"
truncate -s 48M "$work/plain.img" && truncate -s 64M "$work/integrity.img" && "$trial" partitions "$work/parts.img" || exit 99
cryptsetup --batch-mode luksFormat --type luks2 --sector-size 512 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	--uuid 11111111-2222-4333-8444-555555555501 --key-file "$work/pass" "$work/plain.img" || exit 99
cp "$work/plain.img" "$work/null.img" && "$build/tests/headers/mkheader" "$work/null.img" field uuid \
	11111111-2222-4333-8444-555555555509 null-keyslot 0 || exit 99

# One list of tests over all kernels.
run_all()
{
	status=0
	for version in $KERNELS; do
		make_root "$version"
		timeout 240 qemu-system-x86_64 -machine q35 -accel tcg -cpu max -smp 1 -m 512 -nodefaults -display none \
			-serial "file:$work/console" -no-reboot -kernel "$kroot/boot/vmlinuz-$version" -initrd "$work/initrd" \
			-append "console=ttyS0 loglevel=${LOGLEVEL:-3} panic=5" \
			-drive "file=$work/plain.img,if=virtio,format=raw,snapshot=on" \
			-drive "file=$work/integrity.img,if=virtio,format=raw,snapshot=on" \
			-drive "file=$work/parts.img,if=virtio,format=raw,snapshot=on" \
			-drive "file=$work/null.img,if=virtio,format=raw,snapshot=on"
		tr -d '\r' <"$work/console" >"$work/console.$version"
		sed -n "/^#/p; s/^\(not ok\|ok\) [0-9]* - /\1 - $version: /p" "$work/console.$version"
		grep -q '^# trial ended with 0' "$work/console.$version" && continue
		status=1
		echo "not ok - $version: the trial came to its end"
		sed 's/^/# /' "$work/console.$version" | tail -n "${TAIL:-20}"
	done
	return $status
}

run_all >"$work/result"
status=$?
awk '/^(not )?ok - / { n++; sub(/ok - /, "ok " n " - ") } { print } END { print "1.." n }' "$work/result"
exit $status
