# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots with dracut in place of initramfs-tools. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL dracut-systemd dracut-plain dracut-systemd-refused dracut-plain-refused dracut-systemd-foreign-root
	dracut-plain-foreign-root dracut-socket dracut-socket-refused"

# opened_by_dracut IMAGE WORD...: the whole path, with further words on the kernel command line.
opened_by_dracut()
{
	tee snp
	image=$1
	shift
	machine 6.12 "$image" -- "$@"
	server "$(rule snp default/test/root)"
	VM_SECONDS=200
	launch root.img
	expect_root
	expect_opened root kbs
	expect_server 1 'released default/test/root'
	expect_no_console 'enter passphrase'
}

# The broker refuses; nobody is asked, nothing is mounted, the machine goes off.
refused_by_dracut()
{
	tee snp
	machine 6.12 "$1" -- ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
	server "$(rule snp default/test/root)"
	machine 6.12 "$1" -- ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root" init=/bin/sh
	VM_SECONDS=200
	launch root.img
	expect_no_root
	expect_no_console 'enter passphrase'
	expect_no_console 'emergency mode'
	expect_exit 4
	expect_server 0 'released default'
}

foreign_root_by_dracut()
{
	tee snp
	with_config preflight-warn.conf "$1"
	machine 6.12 initrd -- ip=dhcp rd.neednet=1 root=/dev/vdb
	server "$(rule snp default/test/root)"
	VM_SECONDS=200
	launch root.img plain-root.img
	expect_no_root
	expect_console 'cryptattest: the root file system is on /dev/vdb'
	expect_console 'reboot: Power down'
}

case_dracut_systemd()
{
	title "$1" "dracut with systemd: unit before systemd-cryptsetup@, systemd-networkd" || return 0
	opened_by_dracut initrd-dracut-systemd ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
}

case_dracut_plain()
{
	title "$1" "dracut without systemd: job beside the initqueue, network-legacy" || return 0
	opened_by_dracut initrd-dracut-plain ip=dhcp
}

case_dracut_systemd_refused()
{
	title "$1" "dracut with systemd: refused, nobody asks, machine off" || return 0
	refused_by_dracut initrd-dracut-systemd
}

case_dracut_plain_refused()
{
	title "$1" "dracut without systemd: refused, nobody asks, machine off" || return 0
	refused_by_dracut initrd-dracut-plain
}

case_dracut_systemd_foreign_root()
{
	title "$1" "dracut with systemd: root= is the host's own disk: not mounted" || return 0
	foreign_root_by_dracut initrd-dracut-systemd
}

case_dracut_plain_foreign_root()
{
	title "$1" "dracut without systemd: root= is the host's own disk: not mounted" || return 0
	foreign_root_by_dracut initrd-dracut-plain
}

# --- passphrases for systemd-cryptsetup (opener = crypttab) ---------------------------------------------------------------------

socket_words="ip=dhcp rd.neednet=1 rd.luks.name=$VM_UUID_ROOT=root rd.luks.key=$VM_UUID_ROOT=/run/cryptattest/key.sock"
socket_words="$socket_words rd.luks.options=$VM_UUID_ROOT=header=/run/cryptattest/header/root,tries=1"

case_dracut_socket()
{
	title "$1" "dracut with systemd: systemd-cryptsetup opens the audited header with the socket's passphrase" || return 0
	# shellcheck disable=SC2086 # words
	tee snp && machine 6.12 initrd-dracut-socket -- $socket_words
	server "$(rule snp default/test/root)"
	VM_SECONDS=200
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
	VM_SECONDS=200
	launch root.img
	expect_no_root
	expect_no_console 'emergency mode'
	expect_exit 4
	expect_server 0 'released default'
}
