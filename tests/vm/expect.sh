# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What a case can do and what it can demand. Sourced by case.sh; CASE_DIR is the case's own folder.

# A case function is called twice: with "title" it prints what it shows, with "run" it does it.
#	case_x() { title "$1" "..." || return 0; boot ...; expect_...; }
title()
{
	[ "$1" = run ] && return
	echo "$2"
	return 1
}

fail()
{
	echo "$*"
	exit 1
}

# boot KERNEL INITRD DISK... [-- KERNEL-ARGUMENT...]: KERNEL is 6.1 or 6.12, the others are names in VM_WORK. See vm_launch for what else a case
# can set before.
boot()
{
	VM_KERNEL=$VM_WORK/vmlinuz-$1 VM_INITRD=$VM_WORK/$2
	shift 2
	VM_DISKS=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		VM_DISKS="$VM_DISKS $VM_WORK/$1"
		shift
	done
	[ $# = 0 ] || shift
	VM_COMMAND_LINE=$(vm_command_line "$@")
	vm_launch "$CASE_DIR"
	case $? in
	0) ;;
	124 | 137) fail "the guest neither powered off nor rebooted in ${VM_SECONDS:-120} s" ;;
	*) fail "qemu: $(tail -n 1 "$CASE_DIR/qemu.log")" ;;
	esac
}

# A line that matches the extended regular expression is on the console; there is none.
expect_console() { grep -Eq -- "$1" "$CASE_DIR/console.txt" || fail "nothing on the console matches: $1"; }
expect_no_console() { ! grep -E -m 1 -- "$1" "$CASE_DIR/console.txt" || fail "the console has a line that matches: $1"; }

# The encrypted root is mounted and init ran.
expect_root()
{
	expect_console '^BOOTMARK begin'
	expect_console '^root: /dev/mapper/root ext4'
	expect_console "^mapping: root CRYPT-LUKS2-$(echo "$VM_UUID_ROOT" | tr -d -)-root"
	expect_console '^BOOTMARK end'
}

# Nothing was mounted, nobody was asked for a passphrase, no shell appeared, no init ran.
expect_no_root()
{
	expect_no_console 'BOOTMARK'
	expect_no_console 'EXT4-fs .*mounted'
	expect_no_console 'Please unlock disk'
	expect_no_console '[(]initramfs[)]'
	expect_no_console 'set up successfully'
}
