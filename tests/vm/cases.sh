# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots: one function each, read top to bottom. The first statement that is not true fails the case. Sourced.

# vtpm-fallback takes three boots. tests/demo.sh is "success" and "wrong-measurement" once more.
VM_CASES="stock vtpm-fallback two-volumes other-server server-down null-cipher tdx kernel-6.1"
VM_CASES_FULL="success wrong-measurement foreign-root null-keyslot on-failure-continue no-evidence broken-config agent-killed
	preflight root-by-uuid duplicate-uuid packaged data-volume"

# No cryptattest at all: if this fails, look at the machine and not at the program. The disk is that of null-cipher below, and Debian's own
# scripts open it: so the attack is real.
case_stock()
{
	title "$1" "stock initramfs and a passphrase: opens the host's null-cipher disk" || return 0
	machine 6.12 initrd-stock
	launch null-cipher.img
	expect_root
}

case_success()
{
	title "$1" "root opened by SEV-SNP evidence from configfs-tsm, kernel 6.12" || return 0
	tee snp
	machine 6.12 initrd-6.12
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
	machine 6.12 initrd -- ip=10.0.2.15::10.0.2.9:255.255.255.0:::none
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
	machine 6.12 initrd-6.12
	server "$(rule snp default/test/root)"
	machine 6.12 initrd-6.12 -- init=/bin/sh
	look_around
	VM_SECONDS=240 # doctor comes first
	launch root.img
	expect_no_root
	# Before our scripts: what the image must have, and the network, which nobody has brought up yet, named for what is missing.
	expect_console '^early: ok +image +dm_crypt: '
	expect_console '^early: ok +tee +snp-configfs: '
	expect_console '^early: ok +config +sound'
	expect_console '^early: (warn|ok) +(link|address|route) .*; to do: '
	expect_console '^early: (fail|skip) +tcp +https://10[.]0[.]2[.]100:8443/*: '
	expect_console '^early: doctor: exit 5'
	# On standard error and in the kernel's log, whatever was said before: an error is never dropped there.
	expect_console '^cryptattest: error: refused by the verifier; switching off'
	expect_console '^[[].*[]] cryptattest: refused by the verifier; switching off'
	expect_console 'cryptattest: report: cryptattest .*, failure report 1 [|] exit 4: '
	expect_console 'cryptattest: report: the whole is /run/cryptattest/failure.txt'
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
	machine 6.12 initrd
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
	machine 6.12 initrd
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
	machine 6.12 initrd-6.12
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
	title "$1" "root opened by a TDX quote, kernel 6.12; the cap moves its measurement register" || return 0
	tee tdx
	echo 'echo "rtmr3: $(od -A n -t x1 -v /sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384 | tr -d " \n")"' >"$CASE_DIR/late.sh"
	VM_LATE=$CASE_DIR/late.sh
	machine 6.12 initrd-6.12
	server "$(rule tdx default/test/root)"
	launch root.img
	expect_root
	expect_opened root kbs
	expect_clean
	expect_server 1 attested
	expect_server 1 'released default/test/root'
	expect_console "^rtmr3: $(vm_cap_value sha384 "root $VM_UUID_ROOT $(vm_pin vk-id "$VM_WORK/root.img" root "$VM_WORK/root.key")" kbs)"
}

case_kernel_6_1()
{
	title "$1" "root opened by SEV-SNP evidence from /dev/sev-guest, kernel 6.1" || return 0
	tee snp
	machine 6.1 initrd-6.1
	server "$(rule snp default/test/root)"
	launch root.img
	expect_root
	expect_opened root kbs
	expect_clean
	expect_server 1 attested
	expect_server 1 'released default/test/root'
}

# The machine's life with a TPM, in three boots. The first opens the volumes with the broker's secrets and seals its own for later; then the
# broker is away; then it is kept away by a host that has changed one word of the command line.
case_vtpm_fallback()
{
	title "$1" "sealed to the TPM by a boot with the broker, opened by one without, shut when the host changes the command line" || return 0
	tee snp
	with_config vtpm.conf initrd-vtpm
	machine 6.12 initrd
	tpm esp.img
	unseal_by_hand
	set -- root "$VM_WORK/root.img" "$VM_WORK/root.key"
	set -- data "$VM_WORK/data.img" "$VM_WORK/data.key" "$@"

	boot_into reachable
	server_keys vtpm
	server "$(rule snp default/test/root; rule snp default/test/data)"
	launch root.img data.img
	server_stop
	expect_root
	expect_opened root kbs
	expect_opened data kbs
	expect_capped kbs "$@"
	expect_console '^late: not unsealed: unseal'

	boot_into unreachable
	launch root.img data.img
	expect_root
	expect_opened root vtpm
	expect_opened data vtpm
	# What the cap is for: in the initramfs tpm2-tools get the secret, behind it neither they nor our own program.
	expect_console '^early: unsealed: [0-9]+ CAS1'
	expect_capped vtpm "$@"
	expect_console '^late: not unsealed: unseal'
	expect_console '^late: unlock data: exit 12'

	boot_into changed
	machine 6.12 initrd -- nokaslr
	launch root.img data.img
	expect_no_root
	expect_console '^early: not unsealed: unseal'
	expect_console 'PCR 9'
	expect_exit 8
}

# root= names another disk than the one that was opened, as root=UUID= does when the host adds a disk with that label. With preflight = warn
# the scripts after us are the ones that look.
case_foreign_root()
{
	title "$1" "volume opened, but root= is the host's own disk: not mounted" || return 0
	tee snp
	with_config preflight-warn.conf
	machine 6.12 initrd -- root=/dev/vdb
	server "$(rule snp default/test/root)"
	launch root.img plain-root.img
	expect_server 1 'released default/test/root'
	expect_no_root
	expect_console 'root-by-label'
	expect_console 'cryptattest: the root file system is on /dev/vdb'
	expect_console 'reboot: Power down'
}

# --- the longer list -----------------------------------------------------------------------------------------------------------

# A1: a key slot that opens with any passphrase, to a volume key of the host's.
case_null_keyslot()
{
	title "$1" "key slot with the null cipher: refused before a packet leaves" || return 0
	tee snp
	machine 6.12 initrd-6.12
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
	machine 6.12 initrd
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
	machine 6.12 initrd-6.12
	launch root.img
	expect_no_root
	expect_exit 11
	expect_no_packet
}

# The agent cannot read what to do on failure, so the boot script does the safe thing.
case_broken_config()
{
	title "$1" "broken configuration: machine restarted" || return 0
	tee snp
	with_config broken.conf
	machine 6.12 initrd
	launch root.img
	expect_no_root
	expect_console 'cryptattest: unlock ended with status 2'
	expect_console 'reboot: Restarting system'
	expect_no_packet
}

# The out-of-memory killer, say: nobody else gets a turn.
case_agent_killed()
{
	title "$1" "agent killed while it waits for the server: machine off" || return 0
	tee snp
	with_config test.conf
	machine 6.12 initrd -- agent-killed
	launch root.img
	expect_no_root
	expect_console 'cryptattest: unlock ended with status 137'
	expect_console 'reboot: Power down'
}

# root= by the file system's UUID, as a boot loader's generator writes it.
case_root_by_uuid()
{
	title "$1" "root=UUID= of the file system inside: mounted" || return 0
	tee snp
	with_config preflight-warn.conf
	machine 6.12 initrd -- "root=UUID=$VM_UUID_FILES"
	server "$(rule snp default/test/root)"
	launch root.img
	expect_root
}

# The host chooses what root=UUID= finds: no evidence is taken for such a boot.
case_preflight()
{
	title "$1" "root=UUID= in profile cvm: ends before a packet leaves" || return 0
	tee snp
	machine 6.12 initrd-6.12 -- "root=UUID=$VM_UUID_FILES"
	server "$(rule snp default/test/root)"
	launch root.img
	expect_no_root
	expect_console 'root-by-label.*to do: on the kernel command line: root=/dev/mapper/root'
	expect_exit 2
	expect_no_packet
}

# With preflight = warn, and the host has added a disk with that UUID. Which of the two is found first is up to udev; the host's is never mounted.
case_duplicate_uuid()
{
	title "$1" "root=UUID= and the host's disk with the same UUID: ours or none" || return 0
	tee snp
	with_config preflight-warn.conf
	machine 6.12 initrd -- "root=UUID=$VM_UUID_FILES"
	server "$(rule snp default/test/root)"
	launch plain-root.img root.img
	expect_server 1 'released default/test/root'
	if grep -q '^BOOTMARK' "$CASE_DIR/console.txt"; then
		expect_root
	else
		expect_no_root
		expect_console 'cryptattest: the root file system is on /dev/vda'
	fi
}

# The Debian packages, installed and set up as the README says, on a machine that had none of this; what that printed is in packaged.log.
case_packaged()
{
	title "$1" "Debian packages on a plain machine: unlocks on the next boot" || return 0
	cp "$VM_WORK/packaged.log" "$CASE_DIR/"
	tee snp
	machine 6.12 initrd-packaged
	server "$(rule snp default/test/packaged)"
	launch packaged.img
	expect_root
	expect_opened root kbs
	expect_clean
	expect_server 1 'released default/test/packaged'
	mkdir -p "$VM_LOGS"
	cp "$VM_WORK/packaged.log" "$VM_LOGS/packaged.log"
	cp "$CASE_DIR/console.txt" "$VM_LOGS/packaged-console.txt"
}

# The root in the initramfs, the data volume by our units in the running system, and another one when its disk is plugged in: a handshake each.
case_data_volume()
{
	title "$1" "phase = system: opened after switch-root and mounted; a disk plugged in later is opened by udev" || return 0
	tee snp
	with_config data-volume.conf
	machine 6.12 initrd -- init=/sbin/init systemd.journald.forward_to_console=0
	server "$(rule snp default/test/systemd; rule snp default/test/data; rule snp default/test/later)"
	with_monitor
	VM_QEMU="$VM_QEMU -device pcie-root-port,id=spare,chassis=1,slot=1 -drive file=$VM_WORK/later.img,if=none,id=later,format=raw,snapshot=on"
	cat >"$CASE_DIR/late.sh" <<-'EOF'
	unit=cryptattest@later.service
	state() { echo "later: $1: $(systemctl show -P ActiveState $unit), mapped: $(ls /dev/mapper | grep -cx later)"; }
	state 'no disk'
	echo 'later: plug it in'
	tries=600
	until systemctl -q is-active $unit || [ $tries = 0 ]; do
		tries=$((tries - 1))
		sleep 0.1
	done
	state 'plugged in'
	echo "later: wanted by $(systemctl show -P WantedBy $unit)"
	cryptattest status | sed 's/^/later: status: /'
	systemctl stop $unit
	state stopped
	EOF
	VM_LATE=$CASE_DIR/late.sh
	{
		until grep -aq 'later: plug it in' "$CASE_DIR/console.log" 2>/dev/null; do
			sleep 0.5
		done
		monitor "device_add virtio-blk-pci,drive=later,bus=spare"
	} &
	VM_PIDS="$! ${VM_PIDS:-}"
	VM_SECONDS=300
	launch systemd.img data.img
	expect_console '^BOOTMARK begin'
	expect_console '^root: /dev/mapper/root ext4'
	expect_console "^mapping: data CRYPT-LUKS2-$(echo "$VM_UUID_DATA" | tr -d -)-data"
	expect_console '^mount: /dev/mapper/data /srv'
	expect_opened root kbs
	expect_opened data kbs
	expect_console '^later: no disk: inactive, mapped: 0'
	expect_console '^later: plugged in: active, mapped: 1'
	expect_console "^later: wanted by .*$(printf %s "$VM_UUID_LATER" | sed 's/-/.x2d/g').device"
	expect_console '^later: status: .*later.*open'
	expect_console '^later: stopped: inactive, mapped: 0'
	expect_server 3 attested
	expect_server 1 'released default/test/data'
	expect_server 1 'released default/test/later'
}

# Those of one kind are in files of their own, which add to the list.
for vm_file in "$VM_SRC"/tests/vm/cases-*.sh; do
	# shellcheck disable=SC1090 # by pattern
	. "$vm_file"
done
