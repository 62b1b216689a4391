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

# boot KERNEL INITRD DISK... [-- KERNEL-ARGUMENT...]: KERNEL is 6.1 or 6.12, the others are names in VM_WORK. GUEST_PORT is where the guest's
# only way out ends; GUEST_SECONDS how long it may take.
boot()
{
	vm_kernel=$VM_WORK/vmlinuz-$1 vm_initrd=$VM_WORK/$2
	shift 2
	vm_disks=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		vm_disks="$vm_disks $VM_WORK/$1"
		shift
	done
	[ $# = 0 ] || shift
	# shellcheck disable=SC2086 # words
	vm_guest "$CASE_DIR" "$vm_kernel" "$vm_initrd" "${GUEST_PORT:-9}" "${GUEST_SECONDS:-120}" $vm_disks -- "$@"
	vm_status=$?
	# ttyS0 has carriage returns, and the first lines may hold terminal codes.
	tr -d '\r\033' <"$CASE_DIR/console.log" >"$CASE_DIR/console.txt"
	case $vm_status in
	0) ;;
	124 | 137) fail "the guest neither powered off nor rebooted in ${GUEST_SECONDS:-120} s" ;;
	*) fail "qemu ended with status $vm_status: $(tail -n 1 "$CASE_DIR/qemu.log")" ;;
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
