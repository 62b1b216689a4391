# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots with a TPM, the longer list. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL vtpm-killed vtpm-outcomes vtpm-sidecar"

# A kill strikes between any two steps: nothing public but what had passed every check and the cap, nothing private left behind, and the boot scripts
# close the register whatever became of the agent.
case_vtpm_killed()
{
	title "$1" "killed between any two steps: no mapping but behind the cap; the boot scripts close the register" || return 0
	tee snp
	with_config vtpm.conf initrd-vtpm
	machine 6.12 initrd
	tpm esp.img
	server_keys vtpm
	boot_into sealing
	server "$(rule snp default/test/root; rule snp default/test/data)"
	launch root.img data.img
	expect_opened data kbs

	boot_into points
	{
		printf "volume=data device=UUID=%s vk_id=%s\n" "$VM_UUID_DATA" "$(vm_pin vk-id "$VM_WORK/data.img" data "$VM_WORK/data.key")"
		printf "sealed=PARTLABEL=esp:/cryptattest/data.sealed key=%s\n" "$(base64 -w0 "$VM_WORK/data.key")"
		cat "$VM_SRC/tests/vm/killpoints"
	} >"$CASE_DIR/early.sh"
	VM_EARLY=$CASE_DIR/early.sh VM_SECONDS=700
	launch root.img data.img
	expect_console '^killpoint: all done'
	grep '^killpoint [sf]' "$CASE_DIR/console.txt" >"$CASE_DIR/points"
	expect_points
	# The boot that follows gets its root by the broker: the TPM is closed.
	expect_root
	expect_opened root kbs
	server_stop

	boot_into scripts
	with_config vtpm-continue.conf initrd-vtpm
	without_crypttab
	machine 6.12 initrd -- "root=UUID=$VM_UUID_FILES" agent-killed
	echo 'echo "late: PCR 15: $(cat /sys/class/tpm/tpm0/pcr-sha256/15)"' >"$CASE_DIR/late.sh"
	VM_EARLY='' VM_LATE=$CASE_DIR/late.sh
	launch plain-root.img root.img data.img
	expect_console 'cryptattest: unlock ended with status 137'
	expect_console '^root: /dev/vd[a-z] ext4'
	expect_no_console '^mapping: '
	expect_console "^late: PCR 15: $(vm_cap_value sha256 - none | tr a-f A-F)"
}

# One line per point, written by the guest (killpoints).
expect_points()
{
	! grep -vE '^killpoint (sealed|file) [0-9]+: at=[a-z.]+ exit=[0-9]+ public=[01] private=0 register=(moved|untouched)$' "$CASE_DIR/points" ||
		fail "something was left behind"
	# A name is public behind the cap alone, and not before its last check.
	! grep 'public=1' "$CASE_DIR/points" | grep -vE 'at=(publish\.[a-z]*|end) .*register=moved' || fail "a public mapping too early"
	for phase in device header open verify cap; do
		grep -q "^killpoint sealed .*at=$phase\.start" "$CASE_DIR/points" || fail "no kill struck in phase $phase of the sealed path"
	done
	grep -q '^killpoint file .*at=publish.start' "$CASE_DIR/points" || fail "no kill struck before publish"
	grep -q '^killpoint file .*at=end exit=0 public=1' "$CASE_DIR/points" || fail "the last run did not open the volume"
	[ "$(grep -c '^killpoint sealed' "$CASE_DIR/points")" -ge 8 ] || fail "too few points"
}

# What the manual's table says (SEALED SECRETS of cryptattest(8)), seen: each mode with each answer of the broker.
case_vtpm_outcomes()
{
	title "$1" "each mode with a broker that is there, refuses, cannot tell, is away: the manual's table" || return 0
	tee snp
	with_config outcomes.conf initrd-vtpm
	without_crypttab
	machine 6.12 initrd -- "root=UUID=$VM_UUID_FILES"
	tpm esp.img
	for mode in $VM_OUTCOME_MODES; do
		cp --sparse=always "$VM_WORK/outcome-$mode.img" "$CASE_DIR/"
		VM_DISKS_KEPT="$VM_DISKS_KEPT $CASE_DIR/outcome-$mode.img"
	done
	rules=$(for mode in $VM_OUTCOME_MODES; do rule snp "default/test/$(vm_outcome_name "$mode")"; done)
	server_keys outcomes
	: >"$CASE_DIR/seen"

	boot_into enrolling
	server "" # says no, which takes less time than saying nothing
	vm_outcomes_enroll >"$CASE_DIR/late.sh"
	VM_LATE=$CASE_DIR/late.sh
	launch plain-root.img
	[ "$(grep -c '^enrolled: .*exit 0' "$CASE_DIR/console.txt")" = 3 ] || fail "not all volumes were enrolled"
	VM_LATE=''
	server_stop

	for broker in reachable refusing undecided unreachable; do
		boot_into $broker
		case $broker in
		reachable) server "$rules" ;;
		refusing) server "" ;;
		undecided) # a broker that has lost its secrets
			rm -rf "$VM_WORK/kbs-outcomes-empty"
			cp -a "$VM_WORK/kbs-outcomes" "$VM_WORK/kbs-outcomes-empty"
			rm -rf "$VM_WORK/kbs-outcomes-empty/resources/"*
			server_keys outcomes-empty
			server "$rules"
			;;
		esac
		launch plain-root.img
		[ $broker = unreachable ] || server_stop
		expect_console '^root: /dev/vd[a-z] ext4'
		vm_outcomes_seen $broker "$CASE_DIR/console.txt" >>"$CASE_DIR/seen"
	done
	vm_outcomes_table "$CASE_DIR/seen" >"$CASE_DIR/table"
	[ "${VM_UPDATE_MANUAL:-0}" != 1 ] || vm_outcomes_write "$CASE_DIR/table"
	vm_outcomes_manual | diff - "$CASE_DIR/table" || fail "the table differs from that of cryptattest(8)"
}

# hostile_disk FILE: a partition "hostile" with ext4, on which nothing is what a sealed file should be.
hostile_disk()
{
	rm -rf "$1" "$1.fs" "$1.d"
	mkdir -p "$1.d/dir/cryptattest"
	ln -s /etc/passwd "$1.d/absolute"
	ln -s ../../../etc/passwd "$1.d/upwards"
	ln -s dir "$1.d/linked"
	ln -s magic "$1.d/loop"
	ln -s loop "$1.d/magic"
	echo '{}' >"$1.d/dir/file"
	mkfifo "$1.d/fifo"
	head -c 40000 /dev/zero >"$1.d/big"
	echo '{}' >"$1.d/nonsense"
	truncate -s 8M "$1.fs"
	mke2fs -q -t ext4 -d "$1.d" "$1.fs" || fail "no ext4"
	truncate -s 20M "$1"
	printf 'label: gpt\nstart=2048, size=16384, name=hostile\nstart=20480, size=2048, name=empty\n' | sfdisk -q "$1" &&
		dd if="$1.fs" of="$1" bs=1M seek=1 conv=notrunc,sparse status=none || fail "no disk"
}

# The script for the initramfs: what it prints is compared with this function's callers' lists.
sidecar_script()
{
	cat <<-EOF
	echo 1 >/proc/sys/kernel/printk
	mkdir -p /run/owner/mnt; cd /run/owner
	echo $(base64 -w0 "$VM_WORK/data.key") | base64 -d >key; chmod 600 key
	# conf PROFILE PCRS SEALED [LINE]
	conf() {
		printf '[agent]\nprofile = %s\n[vtpm]\npcrs = %s\nsrk-name = $(cat "$VM_WORK/tpm.name")\n%s\n' "\$1" "\$2" "\${4-}" >conf
		printf '[volume data]\ndevice = UUID=$VM_UUID_DATA\nmode = vtpm\nvk-id = $(vm_pin vk-id "$VM_WORK/data.img" data "$VM_WORK/data.key")\nsealed = %s\n' \
			"\$3" >>conf
	}
	# said WHAT COMMAND...: its exit code and the id of its error, and how many file systems of these kinds are mounted.
	said() {
		what=\$1
		shift
		cryptattest "\$@" --config conf >out 2>err
		echo "sidecar \$what: exit \$? \$(sed -n 's/.*\(\[[a-z-]*\]\).*/\1/p' err | head -n 1) mounts \$(grep -cE ' (vfat|efivarfs) | /run/owner/mnt ' /proc/mounts)"
	}
	good=PARTLABEL=esp:/cryptattest/owner/data.sealed
	conf bare-metal '4 7 9' \$good
	said absent unlock data
	said enroll enroll data --source=vtpm --key-file key
	said explain explain data
	for part in /sys/class/block/*; do
		grep -q '^PARTNAME=esp' "\$part/uevent" && busybox mount -t vfat "/dev/\${part##*/}" mnt
	done
	said mounted explain data
	echo "sidecar sync: \$(ls mnt/cryptattest/owner)"
	said rewrite enroll data --source=vtpm --key-file key
	busybox umount mnt
	said after explain data
	for path in absolute upwards linked/file loop fifo dir big nonsense none/at/all; do
		conf bare-metal '4 7 9' PARTLABEL=hostile:/\$path
		said \$path unlock data
	done
	conf bare-metal '4 7 9' PARTLABEL=empty:/file
	said empty unlock data
	conf bare-metal '4 7 9' PARTLABEL=nowhere:/file
	said nowhere unlock data
	# Where efivarfs is not mounted.
	conf cvm '7 9' \$good 'allow-untrusted-vtpm = yes'
	said variables enroll data --source=vtpm --key-file key
	grep -o 'Secure Boot is [a-z]*' err
	conf bare-metal '4 7 9' \$good
	said unlock unlock data
	cryptattest lock data --config conf
	rm -f key
	echo "sidecar end"
	echo o >/proc/sysrq-trigger
	sleep 60
	EOF
}

# Sealed files on file systems that the agent mounts, by a real kernel: vfat that is written, one that is mounted elsewhere, ext4 of a host that
# puts traps there; EFI variables that nobody has mounted.
case_vtpm_sidecar()
{
	title "$1" "sealed = DEVICE:PATH: mounted for the moment, written, nothing of a hostile disk followed; Secure Boot looked at" || return 0
	tee snp
	with_config vtpm-continue.conf initrd-vtpm
	without_crypttab
	machine 6.12 initrd -- "root=UUID=$VM_UUID_FILES"
	tpm esp.img
	hostile_disk "$CASE_DIR/hostile.img"
	VM_DISKS_KEPT="$VM_DISKS_KEPT $CASE_DIR/hostile.img"
	cp --sparse=always "$VM_WORK/data.img" "$CASE_DIR/data.img"
	VM_DISKS_KEPT="$VM_DISKS_KEPT $CASE_DIR/data.img"
	sidecar_script >"$CASE_DIR/early.sh"
	VM_EARLY=$CASE_DIR/early.sh
	launch plain-root.img
	cat >"$CASE_DIR/wanted" <<-'EOF'
	sidecar absent: exit 8 [sealed-absent] mounts 0
	sidecar enroll: exit 0  mounts 0
	sidecar explain: exit 0  mounts 0
	sidecar mounted: exit 0  mounts 1
	sidecar sync: data.sealed
	sidecar rewrite: exit 0  mounts 1
	sidecar after: exit 0  mounts 0
	sidecar absolute: exit 8 [sealed-unreadable] mounts 0
	sidecar upwards: exit 8 [sealed-unreadable] mounts 0
	sidecar linked/file: exit 8 [sealed-unreadable] mounts 0
	sidecar loop: exit 8 [sealed-unreadable] mounts 0
	sidecar fifo: exit 8 [sealed-unreadable] mounts 0
	sidecar dir: exit 8 [sealed-unreadable] mounts 0
	sidecar big: exit 8 [too-long] mounts 0
	sidecar nonsense: exit 9 [sealed-file] mounts 0
	sidecar none/at/all: exit 8 [sealed-absent] mounts 0
	sidecar empty: exit 8 [sealed-unreadable] mounts 0
	sidecar nowhere: exit 8 [device-absent] mounts 0
	sidecar variables: exit 2 [secure-boot-off] mounts 0
	sidecar unlock: exit 0  mounts 0
	sidecar end
	EOF
	grep '^sidecar ' "$CASE_DIR/console.txt" >"$CASE_DIR/found"
	diff "$CASE_DIR/wanted" "$CASE_DIR/found" || fail "not as it should be: $(diff "$CASE_DIR/wanted" "$CASE_DIR/found" | grep '^[<>]' | head -n 1)"
}
