# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# How much an initramfs of Debian 12 (kernel 6.12, zstd) grows over one with plain cryptsetup; by mkinitramfs in the Debian tree
# of tests/vm. Sourced by bench.sh.

bench_initramfs()
{
	initramfs_why=
	[ "${BENCH_INITRAMFS:-}" = 1 ] || initramfs_why="BENCH_INITRAMFS=1, as root, makes a Debian tree for it"
	[ -n "$initramfs_why" ] || [ "$(id -u)" = 0 ] || initramfs_why="needs root"
	[ -n "$initramfs_why" ] || command -v mmdebstrap >/dev/null || initramfs_why="mmdebstrap is not installed"
	[ -n "$initramfs_why" ] || [ "$BENCH_PREFIX" = /usr ] || initramfs_why="needs a build with --prefix=/usr --sysconfdir=/etc"
	if [ -n "$initramfs_why" ]; then
		plain "growth over plain cryptsetup" "not measured: $initramfs_why"
		return 0
	fi
	columns
	sed '/^\[volume /,$d' "$AGENT_ROOT$CONFIG" >"$WORK/initramfs.conf"
	initramfs_sizes >"$WORK/sizes" 2>"$WORK/sizes.log" || die "no image: $(tail -n 5 "$WORK/sizes.log")"
	plain "plain cryptsetup" "$(calc "$(sed -n 's/^plain //p' "$WORK/sizes") / 1e6")" MB
	if [ "$BENCH_WITH_CURL" = system ]; then
		initramfs_row ours "Debian's libcurl" 4.7
	else
		initramfs_row ours "minimal libcurl" 1.0
	fi
	[ ! -x "$BENCH/cryptattest-mincurl" ] || initramfs_row mincurl "minimal libcurl" 1.0
}

initramfs_row()
{
	row "growth over plain cryptsetup, $2" \
		"$(calc "($(sed -n "s/^$1 //p" "$WORK/sizes") - $(sed -n 's/^plain //p' "$WORK/sizes")) / 1e6")" "$3" MB
}

# "NAME BYTES" per image, in a subshell of its own: tests/vm has its own folders and clean-up.
initramfs_sizes()
{
	(
		set -e
		VM_SRC=$TOP_SRCDIR VM_BUILD=$TOP_BUILDDIR
		. "$VM_SRC/tests/vm/lib.sh"
		. "$VM_SRC/tests/vm/prepare.sh"
		vm_begin
		vm_prepare_tree
		# Without our configuration our hook adds nothing.
		initramfs_image plain "root UUID=$VM_UUID_ROOT none luks,initramfs"
		install -D -m 644 "$WORK/initramfs.conf" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
		printf '[volume root]\ndevice = UUID=%s\nsecret = main:default/bench/v1\n' "$VM_UUID_ROOT" \
			>>"$VM_ROOT/etc/cryptattest/cryptattest.conf"
		initramfs_ours="root UUID=$VM_UUID_ROOT none luks,initramfs,keyscript=/usr/lib/cryptattest/refuse"
		strip "$VM_ROOT/usr/sbin/cryptattest"
		initramfs_image ours "$initramfs_ours"
		[ -x "$BENCH/cryptattest-mincurl" ] || exit 0
		strip -o "$VM_ROOT/usr/sbin/cryptattest" "$BENCH/cryptattest-mincurl"
		initramfs_image mincurl "$initramfs_ours"
	)
}

# initramfs_image NAME CRYPTTAB-LINE
initramfs_image()
{
	echo "$2" >"$VM_ROOT/etc/crypttab"
	vm_initramfs 6.12 "initrd-$1"
	echo "$1 $(stat -c %s "$VM_WORK/initrd-$1")"
}
