# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots with a TPM, the longer list. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL vtpm-killed vtpm-outcomes"

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
