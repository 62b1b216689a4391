#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# A confidential VM whose vTPM an SVSM runs, from enrolment to unlock: what the hardware report vouches for opens the volume, and nothing
# else does. The SVSM is the test TEE's (tests/lib/tee_testpki.h), its vTPM a swtpm.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup tpm2_createek tpm2_pcrextend
if missing=$(swtpm_missing); then skip_all "$missing is not installed"; fi
trap 'swtpm_stop; cleanup' EXIT
machine
printf %s correct-horse-battery-staple >pass
chmod 600 pass
new_volume root/dev/disk pass
swtpm_start "$tmp/tpm" || bail "no software TPM"
echo "$swtpm_path" >root/dev/tpm-swtpm

boot() {
	swtpm_reboot || bail "no software TPM"
	tpm2_pcrextend "4:sha256=$(printf %s loader | sha256sum | cut -c1-64)" "9:sha256=$(printf %s system | sha256sum | cut -c1-64)" || bail "no PCRs"
	rm -rf root/mapper root/run
	mkdir root/mapper root/run
}
# svsm: one that attests the TPM that is there now
svsm() {
	machine_tee
	rm -f root/tee/set ek.pub
	{ tpm2_createek -G rsa -c ek.ctx -u ek.pub && tpm2_flushcontext -t; } >/dev/null || bail "no endorsement key"
	tail -c +3 ek.pub >root/tee/svsm-manifest
}
conf() {
	{
		printf '[agent]\nprofile = cvm\n[vtpm]\npcrs = 4 9\n'
		for line; do printf '%s\n' "$line"; done
		printf '[volume root]\ndevice = /dev/disk\nmode = vtpm\nsealed = /boot/root.sealed\n'
	} >root/etc/test.conf
}
refused() {
	[ "$code" = 8 ] && grep -q "\[$1\]" err && [ ! -e root/mapper/root ]
}

boot
conf
agent enroll root --source=vtpm --key-file pass
check "a vTPM that the host runs: nothing is sealed to it" eval 'refused vtpm-untrusted && [ ! -e root/boot/root.sealed ]'
check "... with the reason in words" grep -q "its operator can unseal at will" err
svsm
agent enroll root --source=vtpm --key-file pass
check "the SVSM's vTPM: sealed without a name in the configuration" eval '[ $code = 0 ] && [ -s root/boot/root.sealed ]'
boot
agent explain root
check "explain says whose vTPM it is" grep -q "vTPM of the SVSM below this kernel: SNP report, test:ARK-Milan" out
agent unlock root
check "the next boot opens it" eval '[ $code = 0 ] && [ -e root/mapper/root ]'

boot
echo vmpl=1 >root/tee/set
agent unlock root
check "a report of VMPL 1: refused" refused vtpm-vmpl
echo policy=0xb0000 >root/tee/set
agent unlock root
check "a guest that the host may debug: refused" refused vtpm-debug
rm root/tee/set
conf "binding = azure"
agent unlock root
check "no paravisor where one is demanded: refused" refused hcl-absent
conf "srk-name = 000b$(printf %064d 7)"
agent unlock root
check "genuine, but not the configured one: refused" refused vtpm-forgets
conf "binding-measurement = $(printf %096d 7)"
agent unlock root
check "another firmware than the configured one: refused" refused vtpm-measurement

# --- a floor for the processor's firmware
conf "min-tcb = milan bootloader:0 tee:0 snp:0 microcode:0"
agent unlock root
check "min-tcb: a processor above the floor" eval '[ $code = 0 ] && [ -e root/mapper/root ]'
boot
conf "min-tcb = milan bootloader:0 tee:0 snp:255 microcode:0"
agent unlock root
check "min-tcb: one below it proves nothing" refused vtpm-tcb
check "... with both in words" grep -q "has TCB .*min-tcb = milan bootloader:0 tee:0 snp:255" err
conf "min-tcb = genoa bootloader:0 tee:0 snp:0 microcode:0"
agent unlock root
check "min-tcb: none for this generation" refused vtpm-tcb

# --- no evidence for the broker: that is the host's to arrange, so the secret that was sealed is used only when the hardware vouches for the vTPM
# in this boot. The broker is there, and would take anything.
either() {
	conf "$@"
	sed -i "s/^mode = .*/mode = kbs-or-vtpm\nsecret = main:default\/vm\/root/; s/^\[vtpm\]/&\nfallback-after = 1s/; s/^profile.*/&\ndeadline = 20s/" root/etc/test.conf
	printf '[kbs main]\nurl = %s\npin = %s\nkey = ec-p256\n' "$url" "$pin" >>root/etc/test.conf
}
start_kbs "attest unread" correct-horse-battery-staple
boot
either
agent unlock root
check "with evidence the broker opens it" eval '[ $code = 0 ] && grep -q "by kbs main" err'
boot
echo "errno ENOTTY 1" >root/tee/fault
agent unlock root
check "no evidence, the vTPM proved in this boot: the sealed secret opens it" \
	eval '[ $code = 0 ] && [ -e root/mapper/root ] && grep -q "no evidence for the broker: opened by the secret sealed" err'
boot
echo "errno ENOTTY" >root/tee/fault
agent unlock root
check "no evidence, and none for the vTPM either: refused" eval '[ $code = 11 ] && [ ! -e root/mapper/root ] && grep -q "\[vmpck\]" err'
rm root/tee/fault
srk=$(tpm2_readpublic -c 0x81000001 -n srk.name >/dev/null && od -An -tx1 -v srk.name | tr -d ' \n')
for how in "no evidence" "no TEE at all"; do
	boot
	either "binding = none" "allow-untrusted-vtpm = yes" "srk-name = $srk"
	case $how in
	"no evidence") echo "errno ENOTTY 1" >root/tee/fault ;;
	*) rm -f root/tee/fault root/tee/kind ;;
	esac
	agent unlock root
	check "$how, the vTPM's name only stated: refused" eval '[ $code = 11 ] && [ ! -e root/mapper/root ]'
	rm -f root/tee/fault
done
boot
printf 'snp\n' >root/tee/kind
echo "errno ENOTTY 1" >root/tee/fault
either
sed -i 's/^mode = .*/mode = kbs/' root/etc/test.conf
agent unlock root
check "no evidence, mode kbs: refused" eval '[ $code = 11 ] && [ ! -e root/mapper/root ]'
rm root/tee/fault
kill "$kbs" && wait "$kbs" 2>/dev/null
kbs=

# --- the host's TPM beside the SVSM's, then an SVSM that has forgotten its keys
conf
swtpm_replace
boot
agent unlock root
check "another TPM than the attested one: refused" refused vtpm-ek
svsm
boot
agent unlock root
check "the same SVSM with new keys: it forgets them at reset" refused vtpm-forgets
echo "1..$count"
