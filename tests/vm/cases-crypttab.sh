# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Passphrases for stock tools (opener = crypttab): Debian's keyscript, and systemd's key-file socket under dracut. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL crypttab-keyscript crypttab-keyscript-refused crypttab-keyscript-vtpm dracut-socket dracut-socket-refused
	dracut-socket-vtpm dracut-socket-crypttab dracut-socket-lookup"

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

# opened_by_socket: by systemd-cryptsetup, as the journal of the initramfs has it, with one passphrase of ours; the socket went with the initramfs.
journal_of_initramfs()
{
	cat >"$CASE_DIR/late.sh" <<-'EOF'
	journal=$(cat /run/log/journal/*/* | tr -c '[:print:]' '\n')
	echo "late: mapped by systemd-cryptsetup: $(echo "$journal" | grep -c 'MESSAGE=Set cipher aes, mode xts-plain64')"
	echo "late: asked the socket: $(echo "$journal" | grep -c '^_SYSTEMD_UNIT=cryptattest-key@')"
	echo "late: left of the socket: $(ls -d /run/cryptattest/key.sock /run/cryptsetup-keys.d/* 2>/dev/null | wc -l)"
	EOF
	VM_LATE=$CASE_DIR/late.sh
}

opened_by_socket()
{
	expect_root
	expect_console 'root: header audited'
	expect_console 'root: passphrase handed out'
	expect_console '^late: mapped by systemd-cryptsetup: 1$'
	expect_console '^late: asked the socket: 1$'
	expect_console '^late: left of the socket: 0$'
	expect_no_console 'enter passphrase'
	expect_server 1 'released default/test/root'
}

# Nothing on the command line but root= and the network.
case_dracut_socket_crypttab()
{
	title "$1" "dracut with systemd: the socket is named by a line of crypttab that the image was given" || return 0
	tee snp && machine 6.12 initrd-dracut-socket-crypttab -- ip=dhcp
	server "$(rule snp default/test/root)"
	journal_of_initramfs
	VM_SECONDS=300
	launch root.img
	opened_by_socket
}

# No key file is named anywhere; then not the audited header either: the passphrase is not given to a program that reads the disk's.
case_dracut_socket_lookup()
{
	title "$1" "dracut with systemd: systemd-cryptsetup looks for a key and finds the socket; nothing for one that reads the disk's header" || return 0
	tee snp
	journal_of_initramfs
	boot_into lookup
	machine 6.12 initrd-dracut-socket -- ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root" \
		"rd.luks.options=$VM_UUID_ROOT=header=/run/cryptattest/header/root,tries=1"
	server "$(rule snp default/test/root)"
	VM_SECONDS=300
	launch root.img
	server_stop
	opened_by_socket

	boot_into header
	machine 6.12 initrd-dracut-socket -- ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
	server "$(rule snp default/test/root)"
	launch root.img
	expect_no_root
	expect_no_console 'enter passphrase'
	expect_console 'root: .*would read the header from the disk itself.*to do: header=/run/cryptattest/header/root'
	expect_exit 9
	expect_server 0 attested
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
