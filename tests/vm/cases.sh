# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots: one function each, read top to bottom. The first statement that is not true fails the case. Sourced.

VM_CASES="plain"
VM_CASES_FULL=""

# No cryptattest at all: if this fails, look at the machine and not at the program.
case_plain()
{
	title "$1" "stock initramfs and a passphrase: the test bench works" || return 0
	boot 6.12 initrd-plain root.img -- quiet
	expect_root
}
