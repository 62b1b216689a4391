# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Passphrases for stock tools (opener = crypttab): Debian's keyscript, and systemd's key-file socket under dracut. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL crypttab-keyscript crypttab-keyscript-refused crypttab-keyscript-vtpm dracut-socket dracut-socket-refused
	dracut-socket-vtpm"

case_crypttab_keyscript()
{
	title "$1" "keyscript: Debian's script opens the audited header with our passphrase" || return 0
	tee snp
	machine 6.12 initrd-keyscript
	server "$(rule snp default/test/root)"
	launch root.img
	expect_root
	expect_console 'root: header audited'
	expect_console 'root: passphrase handed out'
	expect_no_console 'Please unlock'
	expect_clean
	expect_server 1 'released default/test/root'
}

case_crypttab_keyscript_refused()
{
	title "$1" "keyscript: refused, nobody asks, machine off" || return 0
	tee snp
	machine 6.12 initrd-keyscript
	server "$(rule snp default/test/root)"
	machine 6.12 initrd-keyscript -- init=/bin/sh
	launch root.img
	expect_no_root
	expect_exit 4
	expect_server 0 'released default'
}

socket_words="ip=dhcp rd.neednet=1 rd.luks.name=$VM_UUID_ROOT=root rd.luks.key=$VM_UUID_ROOT=/run/cryptattest/key.sock"
socket_words="$socket_words rd.luks.options=$VM_UUID_ROOT=header=/run/cryptattest/header/root,tries=1"

case_dracut_socket()
{
	title "$1" "dracut with systemd: systemd-cryptsetup opens the audited header with the socket's passphrase" || return 0
	# shellcheck disable=SC2086 # words
	tee snp && machine 6.12 initrd-dracut-socket -- $socket_words
	server "$(rule snp default/test/root)"
	VM_SECONDS=300
	launch root.img
	expect_root
	expect_console 'root: header audited'
	expect_console 'root: passphrase handed out'
	expect_server 1 'released default/test/root'
}

case_dracut_socket_refused()
{
	title "$1" "dracut with systemd, socket: refused, nobody asks, machine off" || return 0
	# shellcheck disable=SC2086 # words
	tee snp && machine 6.12 initrd-dracut-socket -- $socket_words
	server "$(rule snp default/test/root)"
	# shellcheck disable=SC2086 # words
	machine 6.12 initrd-dracut-socket -- $socket_words init=/bin/sh
	VM_SECONDS=300
	launch root.img
	expect_no_root
	expect_no_console 'emergency mode'
	expect_exit 4
	expect_server 0 'released default'
}

# --- and with a TPM: one volume, since the cap comes with the passphrase ---------------------------------------------------------

# vtpm_by_crypttab IMAGE WORD...: sealed by a boot with the broker, given out by one without it, shut when the host changes a word.
vtpm_by_crypttab()
{
	image=$1
	shift
	tee snp
	machine 6.12 "$image" -- "$@"
	tpm esp.img
	register_at_both_ends
	VM_SECONDS=300
	boot_into reachable
	server_keys vtpm
	server "$(rule snp default/test/root)"
	launch root.img
	server_stop
	expect_root
	expect_console 'root: passphrase handed out, from kbs'
	expect_capped kbs root "$VM_WORK/root.img" "$VM_WORK/root.key"

	boot_into unreachable
	launch root.img
	expect_root
	expect_console 'root: passphrase handed out, from vtpm'
	expect_capped vtpm root "$VM_WORK/root.img" "$VM_WORK/root.key"

	boot_into changed
	machine 6.12 "$image" -- "$@" nokaslr
	launch root.img
	expect_no_root
	expect_console 'PCR 9'
	expect_exit 8
}

case_crypttab_keyscript_vtpm()
{
	title "$1" "keyscript: passphrase sealed by a boot with the broker, given out without; none on another command line" || return 0
	vtpm_by_crypttab initrd-keyscript-vtpm
}

case_dracut_socket_vtpm()
{
	title "$1" "dracut with systemd, socket: passphrase sealed by a boot with the broker, given out without; none on another command line" || return 0
	# shellcheck disable=SC2086 # words
	vtpm_by_crypttab initrd-dracut-socket-vtpm $socket_words
}
