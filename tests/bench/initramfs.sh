# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# How much an initramfs of Debian 12 (kernel 6.12, zstd) grows over one with plain cryptsetup; by mkinitramfs in the Debian tree
# of tests/vm. Sourced by bench.sh.

bench_initramfs()
{
	if [ "${BENCH_INITRAMFS:-}" != 1 ]; then
		plain "growth over plain cryptsetup" "not measured: BENCH_INITRAMFS=1, as root, makes a Debian tree for it"
		return 0
	fi
	if [ "$(id -u)" != 0 ] || ! command -v mmdebstrap >/dev/null; then
		plain "growth over plain cryptsetup" "not measured: needs root and mmdebstrap"
		return 0
	fi
	columns
	initramfs_sizes >"$WORK/sizes" 2>"$WORK/sizes.log" || die "no image: $(tail -n 5 "$WORK/sizes.log")"
	initramfs_plain=$(sed -n 's/^plain //p' "$WORK/sizes")
	initramfs_row ours "Debian's libcurl" 4.7
	[ ! -x "$BENCH/cryptattest-mincurl" ] || initramfs_row mincurl "minimal libcurl" 1.0
}

initramfs_row()
{
	row "growth over plain cryptsetup, $2" "$(calc "($(sed -n "s/^$1 //p" "$WORK/sizes") - $initramfs_plain) / 1e6")" "$3" MB
}

# "NAME BYTES" per image, in a subshell of its own: tests/vm has its own folders and clean-up.
initramfs_sizes()
{
	(
		VM_SRC=$TOP_SRCDIR VM_BUILD=$TOP_BUILDDIR
		. "$VM_SRC/tests/vm/lib.sh"
		. "$VM_SRC/tests/vm/prepare.sh"
		vm_begin
		vm_prepare_tree
		vm_key "$VM_WORK/root.key"
		vm_image_plain
		echo "plain $(stat -c %s "$VM_WORK/initrd-plain")"
		install -D -m 644 "$AGENT_ROOT$CONFIG" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
		sed -i '/^\[volume v1/,$d' "$VM_ROOT/etc/cryptattest/cryptattest.conf"
		printf '[volume root]\ndevice = UUID=%s\nsecret = main:default/bench/v1\n' "$VM_UUID_ROOT" >>"$VM_ROOT/etc/cryptattest/cryptattest.conf"
		echo "root UUID=$VM_UUID_ROOT none luks,initramfs,keyscript=/usr/lib/cryptattest/refuse" >"$VM_ROOT/etc/crypttab"
		strip "$VM_ROOT/usr/sbin/cryptattest"
		vm_initramfs 6.12 initrd-ours
		echo "ours $(stat -c %s "$VM_WORK/initrd-ours")"
		[ -x "$BENCH/cryptattest-mincurl" ] || exit 0
		strip -o "$VM_ROOT/usr/sbin/cryptattest" "$BENCH/cryptattest-mincurl"
		vm_initramfs 6.12 initrd-mincurl
		echo "mincurl $(stat -c %s "$VM_WORK/initrd-mincurl")"
	)
}
