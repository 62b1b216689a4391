# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots: one function each, read top to bottom. The first statement that is not true fails the case. Sourced.

VM_CASES="stock success two-volumes wrong-measurement other-server server-down null-cipher tdx kernel-6.1 foreign-root"
VM_CASES_FULL="null-keyslot on-failure-continue no-evidence"

# No cryptattest at all: if this fails, look at the machine and not at the program. The disk is that of null-cipher below, and Debian's own
# scripts open it: so the attack is real.
case_stock()
{
	title "$1" "stock initramfs and a passphrase: opens the host's null-cipher disk" || return 0
	machine 6.12 initrd-stock -- quiet
	launch null-cipher.img
	expect_root
}

case_success()
{
	title "$1" "root opened by SEV-SNP evidence from configfs-tsm, kernel 6.12" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- quiet
	server "$(rule snp default/test/root)"
	launch root.img
	expect_root
	expect_opened root kbs
	expect_clean
	expect_server 1 attested
	expect_server 1 'released default/test/root'
	expect_server 0 refused
	expect_connections 1
}

# One handshake, one connection, one GET each. The network by a static ip= for a change.
case_two_volumes()
{
	title "$1" "two volumes opened with one handshake" || return 0
	tee snp
	with_config two-volumes.conf
	machine 6.12 initrd -- quiet ip=10.0.2.15::10.0.2.9:255.255.255.0:::none
	server "$(rule snp default/test/root; rule snp default/test/data)"
	launch root.img data.img
	expect_root
	expect_console "^mapping: data CRYPT-LUKS2-$(echo "$VM_UUID_DATA" | tr -d -)-data"
	expect_opened root kbs
	expect_opened data kbs
	expect_clean
	expect_server 1 attested
	expect_server 2 'released default/test/'
	expect_connections 1
}

# The host changes the command line. The evidence is good, the rule is for another machine.
case_wrong_measurement()
{
	title "$1" "wrong measurement: refused, machine off" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- quiet
	server "$(rule snp default/test/root)"
	machine 6.12 initrd-6.12 -- quiet init=/bin/sh
	launch root.img
	expect_no_root
	expect_exit 4
	expect_server 1 'refused get'
	expect_server 0 'released default'
}

# Somebody answers at the right address with a certificate of his own. No request is sent to him.
case_other_server()
{
	title "$1" "server with another certificate: identity error, machine off" || return 0
	tee snp
	with_config short-deadline.conf
	machine 6.12 initrd -- quiet
	server_keys other
	server "$(rule snp default/test/root)"
	launch root.img
	expect_no_root
	expect_exit 10
	expect_server 0 attested
	expect_server 0 'released default'
}

case_server_down()
{
	title "$1" "server down until the deadline: machine off" || return 0
	tee snp
	with_config short-deadline.conf
	machine 6.12 initrd -- quiet
	launch root.img
	expect_no_root
	expect_exit 5
	# It tried more than once.
	[ "$(connections)" -gt 1 ] || fail "only $(connections) attempts"
}

# The host's own system on a disk whose header says "encrypted with the null cipher". Every key opens it.
case_null_cipher()
{
	title "$1" "null cipher: refused before a packet leaves, and nobody else opens it" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- quiet
	server "$(rule snp default/test/root)"
	launch null-cipher.img
	expect_no_root
	expect_exit 9
	expect_console 'H[0-9]+'
	expect_no_packet
	expect_server 0 attested
}

case_tdx()
{
	title "$1" "root opened by a TDX quote, kernel 6.12" || return 0
	tee tdx
	machine 6.12 initrd-6.12 -- quiet
	server "$(rule tdx default/test/root)"
	launch root.img
	expect_root
	expect_opened root kbs
	expect_clean
	expect_server 1 attested
	expect_server 1 'released default/test/root'
}

case_kernel_6_1()
{
	title "$1" "root opened by SEV-SNP evidence from /dev/sev-guest, kernel 6.1" || return 0
	tee snp
	machine 6.1 initrd-6.1 -- quiet
	server "$(rule snp default/test/root)"
	launch root.img
	expect_root
	expect_opened root kbs
	expect_clean
	expect_server 1 attested
	expect_server 1 'released default/test/root'
}

# root= names another disk than the one that was opened, as root=UUID= does when the host adds a disk with that label.
case_foreign_root()
{
	title "$1" "volume opened, but root= is the host's own disk: not mounted" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- quiet root=/dev/vdb
	server "$(rule snp default/test/root)"
	launch root.img plain-root.img
	expect_server 1 'released default/test/root'
	expect_no_root
	expect_console 'cryptattest: the root file system is on /dev/vdb'
	expect_console 'reboot: Power down'
}

# --- the longer list -----------------------------------------------------------------------------------------------------------

# A1: a key slot that opens with any passphrase, to a volume key of the host's.
case_null_keyslot()
{
	title "$1" "key slot with the null cipher: refused before a packet leaves" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- quiet
	server "$(rule snp default/test/root)"
	launch null-keyslot.img
	expect_no_root
	expect_exit 9
	expect_no_packet
}

# The boot goes on without the volume: Debian's cryptroot asks the keyscript that always refuses, and gives up.
case_on_failure_continue()
{
	title "$1" "on-failure = continue: cryptroot gets no passphrase either" || return 0
	tee snp
	with_config continue.conf
	machine 6.12 initrd -- quiet
	server ""
	VM_SECONDS=200
	launch root.img
	expect_no_root
	expect_console 'is opened by attestation only'
	expect_console 'Gave up waiting for root'
}

case_no_evidence()
{
	title "$1" "no TEE: exit 11 before a packet leaves" || return 0
	machine 6.12 initrd-6.12 -- quiet
	launch root.img
	expect_no_root
	expect_exit 11
	expect_no_packet
}
