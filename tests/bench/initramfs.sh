# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# How much an initramfs of Debian 12 (kernel 6.12, zstd) grows over one with plain cryptsetup: ours with both libcurls, and clevis. By
# mkinitramfs in the Debian trees of tests/vm, with programs that tests/vm builds as a distribution would. Sourced by bench.sh.

bench_initramfs()
{
	initramfs_why=
	[ "${BENCH_INITRAMFS:-}" = 1 ] || initramfs_why="BENCH_INITRAMFS=1, as root, makes Debian trees for it"
	[ -n "$initramfs_why" ] || [ "$(id -u)" = 0 ] || initramfs_why="needs root"
	[ -n "$initramfs_why" ] || command -v mmdebstrap >/dev/null || initramfs_why="mmdebstrap is not installed"
	if [ -n "$initramfs_why" ]; then
		plain "growth over plain cryptsetup" "not measured: $initramfs_why"
		return 0
	fi
	columns
	sed '/^\[volume /,$d' "$AGENT_ROOT$CONFIG" >"$WORK/initramfs.conf"
	initramfs_sizes >"$WORK/sizes" 2>"$WORK/sizes.log" || die "no image: $(tail -n 5 "$WORK/sizes.log")"
	plain "plain cryptsetup" "$(calc "$(initramfs_size plain) / 1e6")" MB
	row "growth, Debian's libcurl" "$(initramfs_growth ours)" 4.7 MB
	if [ -n "$(initramfs_size mincurl)" ]; then
		row "growth, minimal libcurl" "$(initramfs_growth mincurl)" 1.0 MB
	else
		plain "growth, minimal libcurl" "not measured: $(tail -n 1 "$WORK/sizes.log")"
	fi
	plain "growth, clevis with tang" "$(initramfs_growth clevis)" MB
	plain "growth, clevis with tang and the tools of its TPM pin" "$(initramfs_growth clevis-tpm2)" MB
}

initramfs_size() { sed -n "s/^$1 //p" "$WORK/sizes"; }
initramfs_growth() { calc "($(initramfs_size "$1") - $(initramfs_size plain)) / 1e6"; }

# "NAME BYTES" per image, in a subshell of its own: tests/vm has its own folders and clean-up.
initramfs_sizes()
{
	(
		set -e
		unset VM_BUILD
		VM_SRC=$TOP_SRCDIR
		. "$VM_SRC/tests/vm/lib.sh"
		. "$VM_SRC/tests/vm/prepare.sh"
		. "$VM_SRC/tests/vm/peers.sh"
		initramfs_bench=$WORK/initramfs.conf
		vm_begin
		vm_build >"$VM_WORK/build.log" 2>&1 || { tail -n 5 "$VM_WORK/build.log" >&2; exit 1; }
		vm_prepare_tree
		vm_prepare_clevis
		vm_prepare_mincurl || tail -n 1 "$VM_WORK/curl.log" >&2
		printf '[volume root]\ndevice = UUID=%s\nsecret = main:default/bench/v1\n' "$VM_UUID_ROOT" >>"$initramfs_bench"
		vm_peer_sizes "$initramfs_bench"
	)
}
