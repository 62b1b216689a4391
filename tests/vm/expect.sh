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

# tee snp|tdx: which processor is emulated; none without it.
tee()
{
	case $1 in
	snp) VM_TEE=$VM_TEE_SNP ;;
	tdx) VM_TEE=$VM_TEE_TDX ;;
	esac
}

# by_hand: somebody sits at the console, where there may be a prompt and a shell.
by_hand() { CASE_BY_HAND=yes; }

# with_config FILE [IMAGE]: the case's own "initrd": IMAGE, or that of kernel 6.12, with another cryptattest.conf.
with_config()
{
	mkdir -p "$CASE_DIR/overlay/etc/cryptattest"
	cp "$VM_WORK/$1" "$CASE_DIR/overlay/etc/cryptattest/cryptattest.conf"
	vm_append "$CASE_DIR/initrd" "$VM_WORK/${2:-initrd-6.12}" "$CASE_DIR/overlay" etc
	vm_facts_config "$CASE_DIR/initrd" "$VM_WORK/$1"
}

# without_crypttab: the same without Debian's own idea of what the root file system lies on.
without_crypttab()
{
	mkdir -p "$CASE_DIR/overlay/cryptroot"
	: >"$CASE_DIR/overlay/cryptroot/crypttab"
	mv "$CASE_DIR/initrd" "$CASE_DIR/initrd.crypttab"
	[ ! -e "$CASE_DIR/initrd.facts" ] || mv "$CASE_DIR/initrd.facts" "$CASE_DIR/initrd.crypttab.facts"
	vm_append "$CASE_DIR/initrd" "$CASE_DIR/initrd.crypttab" "$CASE_DIR/overlay" cryptroot
	rm -f "$CASE_DIR/initrd.crypttab" "$CASE_DIR/initrd.crypttab.facts"
}

# machine KERNEL INITRD [-- KERNEL-ARGUMENT...]: what will be launched and measured.
machine()
{
	VM_KERNEL=$VM_WORK/vmlinuz-$1 VM_INITRD=$VM_WORK/$2
	[ ! -e "$CASE_DIR/$2" ] || VM_INITRD=$CASE_DIR/$2
	shift 2
	[ $# = 0 ] || shift
	# Few words from the scripts, all of them from the kernel: it says what it mounts.
	VM_COMMAND_LINE=$(vm_command_line quiet loglevel=7 "$@")
}

# rule snp|tdx RESOURCE: the policy section that releases it to this machine.
rule() { "vm_policy_$1" "$2" "$(vm_measure "$VM_KERNEL" "$VM_INITRD" "$VM_COMMAND_LINE")"; }

# server_keys NAME: the next server runs with the keys of VM_WORK/kbs-NAME.
server_keys() { SERVER_KEYS=$1; }

# server POLICY: starts the key broker with this policy.
server()
{
	rm -rf "$CASE_DIR/kbs"
	cp -a "$VM_WORK/kbs-${SERVER_KEYS:-main}" "$CASE_DIR/kbs"
	printf '%s\n' "$1" >"$CASE_DIR/policy.conf"
	vm_kbs_policy "$CASE_DIR/kbs" "$CASE_DIR/policy.conf"
	vm_kbs_start "$CASE_DIR/kbs" "$CASE_DIR/kbs.log" || exit 1
}

server_stop()
{
	kill "$VM_KBS_PID"
	wait "$VM_KBS_PID"
	VM_PORT=
	VM_KBS_SERVED=0
}

# tpm DISK: the machine has a TPM and this disk, both of its own: they keep what the guest does to them.
tpm()
{
	cp -a "$VM_WORK/tpm" "$CASE_DIR/tpm"
	cp --sparse=always "$VM_WORK/$1" "$CASE_DIR/$1"
	# Two firmwares, and tpm2-tools under emulation.
	VM_TPM=$CASE_DIR/tpm VM_DISKS_KEPT=$CASE_DIR/$1 VM_SECONDS=240
}

# unseal_by_hand: somebody with tpm2-tools tries the sealed file of root, before our scripts and in the booted system; there our own program tries
# that of data as well.
unseal_by_hand()
{
	{
		echo 'read -r loglevel rest </proc/sys/kernel/printk'
		echo 'echo 1 >/proc/sys/kernel/printk' # the kernel's messages would cut our lines in two
		echo '('
		vm_unseal_script root.sealed
		echo ') 2>&1 | sed "s/^/early: /"'
		echo 'echo "$loglevel" >/proc/sys/kernel/printk'
	} >"$CASE_DIR/early.sh"
	{
		echo '('
		vm_unseal_script root.sealed
		echo 'rm -f /run/udev/control' # udevd is gone, and libdevmapper would wait for it
		echo "cat >/run/attack/conf <<'END'"
		sed '/^\[volume/,$d' "$VM_WORK/vtpm.conf"
		printf '[volume data]\ndevice = UUID=%s\nmode = vtpm\nsealed = PARTLABEL=esp:/cryptattest/data.sealed\nvk-id = %s\nEND\n' \
			"$VM_UUID_DATA" "$(vm_pin vk-id "$VM_WORK/data.img" data "$VM_WORK/data.key")"
		echo 'cryptattest lock data --config /run/attack/conf'
		echo 'cryptattest unlock data --config /run/attack/conf; echo "unlock data: exit $?"'
		echo ') 2>&1 | sed "s/^/late: /"'
	} >"$CASE_DIR/late.sh"
	VM_EARLY=$CASE_DIR/early.sh VM_LATE=$CASE_DIR/late.sh
}

# register_at_both_ends: the cap register before the program runs and in the booted system.
register_at_both_ends()
{
	cat >"$CASE_DIR/early.sh" <<-'EOF'
	read -r loglevel rest </proc/sys/kernel/printk
	echo 1 >/proc/sys/kernel/printk # the kernel's messages would cut our lines in two
	printf '\nearly: PCR 15: %s\n' "$(cat /sys/class/tpm/tpm0/pcr-sha256/15)" >/dev/console
	echo "$loglevel" >/proc/sys/kernel/printk
	EOF
	echo 'echo "late: PCR 15: $(cat /sys/class/tpm/tpm0/pcr-sha256/15)"' >"$CASE_DIR/late.sh"
	VM_EARLY=$CASE_DIR/early.sh VM_LATE=$CASE_DIR/late.sh
}

# look_around: doctor runs in the initramfs, before our scripts.
look_around()
{
	{
		echo 'read -r loglevel rest </proc/sys/kernel/printk'
		echo 'echo 1 >/proc/sys/kernel/printk'
		echo '( cryptattest doctor; echo "doctor: exit $?" ) 2>&1 | sed "s/^/early: /"'
		echo 'echo "$loglevel" >/proc/sys/kernel/printk'
	} >"$CASE_DIR/early.sh"
	VM_EARLY=$CASE_DIR/early.sh
}

# boot_into NAME: the logs of the next boot go to a folder of their own; those of the last one are read as before.
boot_into()
{
	[ -z "${BOOT:-}" ] || mv "$CASE_DIR/console.log" "$CASE_DIR/console-$BOOT.log"
	rm -f "$CASE_DIR/connections"
	BOOT=$1
	echo "boot: $1"
}

# launch DISK...: boots the machine and waits for its end.
launch()
{
	VM_DISKS=
	for disk; do
		VM_DISKS="$VM_DISKS $VM_WORK/$disk"
	done
	vm_launch "$CASE_DIR"
	case $? in
	0) ;;
	124 | 137) row_write; fail "the guest neither powered off nor rebooted in ${VM_SECONDS:-120} s" ;;
	*) fail "qemu: $(tail -n 1 "$CASE_DIR/qemu.log")" ;;
	esac
	row_write
}

# A line that matches the extended regular expression is on the console; there is none.
expect_console() { grep -Eq -- "$1" "$CASE_DIR/console.txt" || fail "nothing on the console matches: $1"; }
expect_no_console() { ! grep -E -m 1 -- "$1" "$CASE_DIR/console.txt" || fail "the console has a line that matches: $1"; }

# The encrypted root is mounted and init ran.
expect_root()
{
	expect_console 'EXT4-fs [(]dm-[0-9]+[)]: mounted'
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

# expect_opened VOLUME SOURCE: the booted system says how it was opened.
expect_opened()
{
	sed -n '/^status json:/,$p' "$CASE_DIR/console.txt" | tr -d '\n' | grep -Eq "\"name\": *\"$1\"[^}]*\"state\": *\"open\"[^}]*\"source\": *\"$2" ||
		fail "status does not say that $1 was opened by $2"
}

# expect_capped OUTCOME VOLUME IMAGE KEY-FILE [VOLUME IMAGE KEY-FILE]: the cap register holds what these volumes and the way they were opened make it, as
# anybody can compute; "-" for no volume. It was at zero before.
expect_capped()
{
	lines=- outcome=$1
	shift
	while [ $# -ge 3 ]; do
		[ "$lines" != - ] && lines="$lines
" || lines=
		lines="$lines$1 $(cryptsetup luksUUID "$2") $(vm_pin vk-id "$2" "$1" "$3")"
		shift 3
	done
	expect_console '^early: PCR 15: 0*$'
	expect_console "^late: PCR 15: $(vm_cap_value sha256 "$lines" "$outcome" | tr a-f A-F)"
}

# The agent ended with this status and switched the machine off: on-failure prints the status's text, as --help has it.
expect_exit()
{
	text=$("$VM_BUILD/cryptattest" --help | sed -n "s/^ *$1  //p")
	[ -n "$text" ] || fail "no exit status $1 in cryptattest --help"
	# On standard error, or in the kernel's log, where the console does not show both.
	grep -Fq -e "cryptattest: $text; switching off" -e "cryptattest: error: $text; switching off" "$CASE_DIR/console.txt" || fail "the agent did not end with status $1 ($text)"
	expect_console 'reboot: Power down'
}

# Links are down as they were, without addresses and routes, and nothing of the boot scripts is left.
expect_clean()
{
	expect_no_console '^link: [^l][^ ]* 0x[0-9a-f]*[13579bdf]$'
	expect_no_console '^address: ([013-9a-f]|2[^7]|1[^2]|12[^7])'
	expect_no_console '^route: '
	expect_no_console '^net-.*\.conf'
}

# expect_server N PATTERN: so many lines of the key broker's log match.
expect_server()
{
	found=$(grep -Ec -- "$2" "$CASE_DIR/kbs.log")
	[ "$found" = "$1" ] || fail "$found lines of the key broker's log match \"$2\", not $1"
}

connections() { cat "$CASE_DIR/connections" 2>/dev/null | grep -c connection || :; }
expect_connections() { [ "$(connections)" = "$1" ] || fail "$(connections) connections to the key broker, not $1"; }

# A capture file without a packet is its header of 24 bytes.
expect_no_packet() { [ "$(stat -c %s "$CASE_DIR/net.pcap")" = 24 ] || fail "packets left the guest"; }
