# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots with dracut in place of initramfs-tools. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL dracut-systemd dracut-plain dracut-systemd-refused dracut-plain-refused dracut-systemd-foreign-root
	dracut-plain-foreign-root dracut-nm dracut-nm-refused dracut-legacy dracut-ng-systemd dracut-ng-plain
	dracut-ng-nm dracut-ng-systemd-refused
	dracut-systemd-vtpm dracut-plain-vtpm dracut-lvm dracut-lvm-plain dracut-lvm-socket"

# dracut_machine IMAGE WORD...: that image with its tree's kernel, and further words on the command line.
dracut_machine()
{
	kernel=6.12 image=$1
	shift
	case $image in
	initrd-dracut-ng-*) kernel=debian13 ;;
	esac
	machine "$kernel" "$image" -- "$@"
}

# opened_by_dracut IMAGE WORD...: the whole path, with further words on the kernel command line.
opened_by_dracut()
{
	tee snp
	dracut_machine "$@"
	server "$(rule snp default/test/root)"
	VM_SECONDS=300
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
	dracut_machine "$1" ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
	server "$(rule snp default/test/root)"
	dracut_machine "$1" ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root" init=/bin/sh
	VM_SECONDS=300
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
	VM_SECONDS=300
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

# Debian's dracut has NetworkManager with systemd only: it needs D-Bus.
case_dracut_nm()
{
	title "$1" "dracut with systemd: NetworkManager" || return 0
	opened_by_dracut initrd-dracut-nm ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
}

case_dracut_nm_refused()
{
	title "$1" "dracut with systemd, NetworkManager: refused, nobody asks, machine off" || return 0
	refused_by_dracut initrd-dracut-nm
}

case_dracut_legacy()
{
	title "$1" "dracut with systemd: network-legacy, jobs of the initqueue" || return 0
	opened_by_dracut initrd-dracut-legacy ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
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

# --- dracut-ng, on Debian 13 -------------------------------------------------------------------------------------------------------

case_dracut_ng_systemd()
{
	title "$1" "Debian 13, dracut-ng with systemd: unit before systemd-cryptsetup@, systemd-networkd" || return 0
	opened_by_dracut initrd-dracut-ng-systemd ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
}

case_dracut_ng_systemd_refused()
{
	title "$1" "Debian 13, dracut-ng with systemd: refused, nobody asks, machine off" || return 0
	refused_by_dracut initrd-dracut-ng-systemd
}

case_dracut_ng_plain()
{
	title "$1" "Debian 13, dracut-ng without systemd: job beside the initqueue, network-legacy" || return 0
	opened_by_dracut initrd-dracut-ng-plain ip=dhcp
}

case_dracut_ng_nm()
{
	title "$1" "Debian 13, dracut-ng with systemd: NetworkManager" || return 0
	opened_by_dracut initrd-dracut-ng-nm ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
}

# --- LVM on a volume -----------------------------------------------------------------------------------------------------------

# lvm_by_dracut IMAGE WARN-CONFIG WORD...: C17 once more (lvm-foreign-group of cases-storage.sh): the volume group is found without the host's disk, and
# with it ours is what is activated.
lvm_by_dracut()
{
	image=$1 warn=$2
	shift 2
	set -- "$@" root=/dev/mapper/vg-root rd.lvm.lv=vg/root
	tee snp
	VM_SECONDS=300
	lvm_disks

	boot_into alone
	VM_DISKS_KEPT=$CASE_DIR/ours.img
	dracut_machine "$image" "$@"
	server "$(rule snp default/test/pv)"
	launch
	server_stop
	expect_root_on_lvm
	expect_no_console 'foreign-vg'

	# preflight = warn: what remains is the filter.
	boot_into foreign
	VM_DISKS_KEPT="$CASE_DIR/host.img $CASE_DIR/ours.img"
	with_config "$warn" "$image"
	dracut_machine initrd "$@"
	server "$(rule snp default/test/pv)"
	launch
	server_stop
	expect_console 'foreign-vg'
	expect_root_on_lvm
	expect_no_console '^late: vg-root lies on vd'
}

case_dracut_lvm()
{
	title "$1" "dracut with systemd: root on LVM in the volume, also with a disk of the host's with our group's name" || return 0
	lvm_by_dracut initrd-dracut-lvm lvm-warn.conf ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=pv"
	expect_opened pv kbs
}

case_dracut_lvm_plain()
{
	title "$1" "dracut without systemd: root on LVM in the volume, also with a disk of the host's with our group's name" || return 0
	lvm_by_dracut initrd-dracut-lvm-plain lvm-warn.conf ip=dhcp
	expect_opened pv kbs
}

case_dracut_lvm_socket()
{
	title "$1" "dracut with systemd, socket: the same, mapped by systemd-cryptsetup" || return 0
	lvm_by_dracut initrd-dracut-lvm-socket lvm-crypttab-warn.conf ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=pv" \
		"rd.luks.key=$VM_UUID_ROOT=/run/cryptattest/key.sock" "rd.luks.options=$VM_UUID_ROOT=header=/run/cryptattest/header/pv,tries=1"
	expect_console 'pv: passphrase handed out'
}

# --- with a TPM ------------------------------------------------------------------------------------------------------------------

# vtpm_by_dracut IMAGE WORD...: vtpm-fallback of cases.sh without its attacker: sealed by a boot with the broker, opened by one without it, shut
# when the host changes a word; capped by what was opened and how.
vtpm_by_dracut()
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
	server "$(rule snp default/test/root; rule snp default/test/data)"
	launch root.img data.img
	server_stop
	expect_root
	expect_opened root kbs
	expect_opened data kbs
	expect_capped kbs data "$VM_WORK/data.img" "$VM_WORK/data.key" root "$VM_WORK/root.img" "$VM_WORK/root.key"

	boot_into unreachable
	launch root.img data.img
	expect_root
	expect_opened root vtpm
	expect_opened data vtpm
	expect_capped vtpm data "$VM_WORK/data.img" "$VM_WORK/data.key" root "$VM_WORK/root.img" "$VM_WORK/root.key"

	boot_into changed
	machine 6.12 "$image" -- "$@" nokaslr
	launch root.img data.img
	expect_no_root
	expect_no_console 'enter passphrase'
	expect_no_console 'emergency mode'
	expect_console 'PCR 9'
	expect_exit 8
}

case_dracut_systemd_vtpm()
{
	title "$1" "dracut with systemd: sealed by a boot with the broker, opened without, capped; shut on another command line" || return 0
	vtpm_by_dracut initrd-dracut-systemd-vtpm ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
}

case_dracut_plain_vtpm()
{
	title "$1" "dracut without systemd: sealed by a boot with the broker, opened without, capped; shut on another command line" || return 0
	vtpm_by_dracut initrd-dracut-plain-vtpm ip=dhcp
}
