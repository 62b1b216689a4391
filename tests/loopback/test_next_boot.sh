#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# next-boot: what will boot instead of what runs. Each answer is held against the boot that follows. And what status tells of the boot.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup tpm2_pcrextend openssl
if missing=$(swtpm_missing); then skip_all "$missing is not installed"; fi
trap 'swtpm_stop; cleanup' EXIT
machine proc boot mapper
machine_tee
: >root/dev/kmsg
echo root=/dev/mapper/root >root/proc/cmdline
printf %s correct-horse-battery-staple >pass
chmod 600 pass
record=root/run/cryptattest/next-boot.json

row() { # STATUS ID TEXT
	grep -q "^$1 *  $2 *  .*$3" out
}
last() {
	tail -n 1 out | grep -q "^$1"
}
conf() { # MODE [VOLUME-LINE...]
	mode=$1
	shift
	{
		printf '[agent]\nprofile = %s\ndeadline = 5s\n[kbs main]\nurl = %s\npin = %s\nkey = ec-p256\n' "${profile:-bare-metal}" "$url" "$pin"
		printf '[vtpm]\npcrs = 4 9\nfallback-after = 500ms\n%b' "$vtpm"
		[ "${profile:-}" != cvm ] || echo "allow-untrusted-vtpm = yes"
		[ -z "$srk" ] || printf 'srk-name = %s\n' "$srk"
		printf '[volume root]\ndevice = /dev/disk\nmode = %s\n' "$mode"
		case $mode in *vtpm) echo "sealed = /boot/root.sealed" ;; esac
		case $mode in kbs*) echo "secret = main:default/vm/root" ;; esac
		for line; do printf '%s\n' "$line"; done
	} >root/etc/test.conf
}
# boot SYSTEM: registers, /run, event log and the file that the log names, as after a boot of that initrd
boot() {
	swtpm_reboot || bail "no software TPM"
	tpm2_pcrextend "4:sha256=$(printf %s loader | sha256sum | cut -c1-64)" "9:sha256=$(printf %s "$1" | sha256sum | cut -c1-64)" || bail "no PCRs"
	rm -rf root/mapper root/run
	mkdir -p root/mapper root/run root/sys/kernel/security/tpm0
	"$build/tests/tools/eventlog" root/sys/kernel/security/tpm0/binary_bios_measurements loader "$1" || bail "no log"
	printf %s "$1" >root/boot/initrd.img
}
cap() {
	tpm2_pcrextend "15:sha256=$(printf %s cap | sha256sum | cut -c1-64)" || bail "no cap"
}

start_kbs ""
up=$url up_pin=$pin nobody=https://127.0.0.1:1 srk='' vtpm=''
new_volume root/dev/disk pass

# --- what every mode has
conf kbs
agent next-boot
check "a broker that answers: yes, exit 0, and what is not proved" all '[ $code = 0 ]' 'row ok config "1 volume to open"' 'row ok device root' \
	'row ok header "passes profile strict"' 'row ok broker "\[kbs main\]: .* is the configured server"' 'row skip broker-policy "not proved: that the broker.s policy accepts"' \
	'row warn covers-initrd "root: NOTHING"' 'last "yes: .*; nothing covers the initrd"' '! grep -qi protected out' '! grep -q error err'
check "the answer is kept, for its owner alone" all '[ "$(stat -c %a $record)" = 600 ]' 'grep -q "\"ok\": true" $record' 'grep -q "\"initrd_covered\": false" $record'
agent next-boot --json
check "the same as JSON" all '[ $code = 0 ]' 'grep -q "\"verdict\": \"yes\"" out' 'cmp -s out $record'
pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
conf kbs
agent next-boot
check "another server: exit 10" all '[ $code = 10 ]' 'row fail broker' 'last "no: the next boot will not unlock: broker root"' 'grep -q "\"ok\": false" $record'
conf kbs "required = no" "wait = 1s"
agent next-boot
check "the boot does not need that volume: a warning" all '[ $code = 0 ]' 'row warn broker "the boot goes on"'
url=$nobody pin=$up_pin
conf kbs
agent next-boot
check "nobody listens: exit 5" all '[ $code = 5 ]' 'row fail broker "root: \[kbs main\]: https://127.0.0.1:1: "'
url=$up
mv root/tee/kind kind
conf kbs
agent next-boot
check "no evidence to be had: exit 11" all '[ $code = 11 ]' 'row fail broker'
mv kind root/tee/kind
cp root/dev/disk disk
printf X | dd of=root/dev/disk bs=1 seek=100 conv=notrunc 2>/dev/null
printf X | dd of=root/dev/disk bs=1 seek=16484 conv=notrunc 2>/dev/null
agent next-boot
check "a header that is damaged: exit 9" all '[ $code = 9 ]' 'row fail header'
mv disk root/dev/disk
sed -i 's|^device = .*|device = /dev/gone|' root/etc/test.conf
agent next-boot
check "no device: exit 7" all '[ $code = 7 ]' 'row fail device'
printf '[volume x]\nmode = manual\ndevice = /dev/disk\n' >root/etc/test.conf
agent next-boot
check "nothing to open: exit 3" all '[ $code = 3 ]' 'last "no: "'
echo nonsense >root/etc/test.conf
agent next-boot
check "a configuration with an error: exit 2" all '[ $code = 2 ]' 'row fail config "test.conf:1"' 'grep -q "\"exit\": 2" $record'
conf kbs
agent next-boot --initrd /no/such/file
check "a file that is not there: exit 2" all '[ $code = 2 ]' 'row fail next-image'

# --- the command line that will boot
profile=cvm
conf kbs
agent next-boot --cmdline "root=/dev/mapper/root"
check "a command line that the preflight lets through" all 'row ok preflight "of --cmdline passes"'
agent next-boot --cmdline "root=UUID=0 quiet"
check "and one that it stops: exit 2" all '[ $code = 2 ]' 'row fail preflight "root-by-label"' '[ "$(grep -c "fail *preflight" out)" = 1 ]'
echo "root=/dev/mapper/root resume=/dev/sda2" >root/proc/cmdline
agent next-boot
check "this boot's, when no other is named" all '[ $code = 2 ]' 'row fail preflight "this boot.s command line, taken to stay"'
sed -i 's/^deadline.*/&\npreflight = warn/' root/etc/test.conf
agent next-boot
check "preflight = warn" all '[ $code = 0 ]' 'row warn preflight resume'
echo root=/dev/mapper/root >root/proc/cmdline
profile=

# --- sealed secrets
conf vtpm
agent next-boot
check "no TPM: exit 8" all '[ $code = 8 ]' 'row fail sealed "no TPM"'
swtpm_start "$tmp/tpm" || bail "no software TPM"
echo "$swtpm_path" >root/dev/tpm-swtpm
boot system
conf vtpm
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
conf vtpm
agent next-boot
check "no sealed file: exit 8" all '[ $code = 8 ]' 'row fail sealed' 'last "no: "'
agent enroll root --source=vtpm --key-file pass
[ $code = 0 ] || bail "enroll: $(cat err)"
agent next-boot
check "nothing changed: yes, and a PCR covers the initrd" all '[ $code = 0 ]' 'row ok sealed "root: fits the values that PCR 4 9 15 will have"' \
	'row ok covers-initrd "PCR 9"' 'last "yes: the next boot will unlock, as far as can be known from here$"'
cap
agent next-boot
check "after the cap as well" all '[ $code = 0 ]' 'row ok sealed'
boot system
agent unlock root
check "and the next boot does" all '[ $code = 0 ]' '[ -e root/mapper/root ]'
agent status --metrics
check "metrics: seconds by phase, source, result, cap; nothing yet of the next boot" all '[ $code = 0 ]' '[ "$(tail -n 1 out)" = "# EOF" ]' \
	'grep -q "^cryptattest_unlock_seconds{phase=\"unseal\"} [0-9]*\.[0-9]*$" out' 'grep -q "^cryptattest_unlock_source{volume=\"root\",source=\"vtpm\"} 1$" out' \
	'grep -q "^cryptattest_unlock_result{result=\"ok\"} 1$" out' 'grep -q "^cryptattest_cap{state=\"done\"} 1$" out' '! grep -q next_boot out'
agent next-boot
agent status --metrics
check "then what next-boot said" all '[ $code = 0 ]' 'grep -q "^cryptattest_next_boot_ok 1$" out'
agent status --svg boot.svg
check "the timeline as a picture" all '[ $code = 0 ]' '[ ! -s out ]' 'grep -q ">unseal</text>" boot.svg' 'grep -q ">root</text>" boot.svg' \
	'[ "$(stat -c %a root/run/cryptattest/timeline.json)" = 600 ]'
agent unlock root
check "a run that finds all open adds nothing to it" all '[ $code = 0 ]' '! grep -q "\"run\":1" root/run/cryptattest/timeline.json'
agent status --svg boot.svg --metrics
check "one output at a time: exit 2" all '[ $code = 2 ]' 'grep -q "\[usage\]" err'
echo broken >root/run/cryptattest/timeline.json
agent status --metrics
check "a timeline that is broken is no metric: exit 9" all '[ $code = 9 ]' '[ ! -s out ]' 'grep -q "\[timeline\]" err'
printf another >root/boot/initrd.img
agent next-boot
check "another initrd lies there: exit 8, and which file it is" all '[ $code = 8 ]' \
	'row fail sealed "sealed for other PCR values than the next boot will have: PCR 9 (changes because of /boot/initrd.img)"' '! grep -q "PCR 4 (" out'
mkdir same
printf system >same/initrd.img
agent next-boot --initrd same/initrd.img
check "but the one that will boot is the old one" all '[ $code = 0 ]' 'row ok sealed'
cp same/initrd.img same/other.img
agent next-boot --initrd same/other.img
check "one that is known to no log is not passed over: exit 8" all '[ $code = 8 ]' 'row unknown sealed "does not tell whether same/other.img takes the place"'
cp root/boot/root.sealed sealed.system
boot another
agent unlock root
check "and the next boot does not unlock" all '[ $code = 8 ]' '[ ! -e root/mapper/root ]'
boot system
printf another >root/boot/initrd.img
url=$up
conf kbs-or-vtpm
agent next-boot
check "kbs-or-vtpm: the broker answers, the sealed file is spare" all '[ $code = 0 ]' 'row ok broker' 'row warn sealed "the other way of kbs-or-vtpm works"'
url=$nobody
conf kbs-or-vtpm
agent next-boot
check "no broker and no sealed secret: the broker's code comes first" all '[ $code = 5 ]' 'row fail broker' 'row fail sealed'
agent next-boot --initrd same/initrd.img
check "no broker, a sealed secret that fits" all '[ $code = 0 ]' 'row warn broker "the other way"' 'row ok sealed'
url=$up pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
conf kbs-or-vtpm
agent next-boot --initrd same/initrd.img
check "a broker that is another one is no outage: exit 10" all '[ $code = 10 ]' 'row fail broker'
pin=$up_pin
conf kbs+vtpm
agent next-boot
check "kbs+vtpm needs both: exit 8" all '[ $code = 8 ]' 'row ok broker' 'row fail sealed'
conf vtpm
rm -r root/sys
agent next-boot
check "without an event log it cannot be known: exit 8, why, and what to do" all '[ $code = 8 ]' 'row unknown sealed "cannot be known: this boot has no event log"' \
	'row warn prediction "PCR 4 cannot be known: this boot has no event log .*to do: boot the new image once, open it by .cryptattest recover., and enroll there"' \
	'row ok header' 'last "cannot be known: sealed root"'
agent next-boot --json
check "which is not a no" all '[ $code = 8 ]' 'grep -q "\"verdict\": \"unknown\"" out' 'grep -q "\"ok\": false" out'
boot system
vtpm='offline-boots = 3\noffline-index = 0x01800020\n'
conf vtpm
agent next-boot
check "other rules than those of the sealing: exit 8" all '[ $code = 8 ]' 'row fail sealed'
vtpm=
conf vtpm
head -c 300 sealed.system >root/boot/root.sealed
agent next-boot
check "a sealed file that is cut: exit 9" all '[ $code = 9 ]' 'row fail sealed'
cp sealed.system root/boot/root.sealed
swtpm_replace
boot system
agent next-boot
check "another TPM: exit 8" all '[ $code = 8 ]' 'row fail sealed'

# --- signed PCRs of the image that will boot: .pcrsig is not in it, so the file counts
openssl genrsa -out signer.key 2048 2>/dev/null
openssl rsa -in signer.key -pubout -out root/etc/signer.pem 2>/dev/null
sha256() {
	sha256sum | cut -c1-64
}
measure() { # DIRECTORY
	for s in linux osrel cmdline initrd; do
		tpm2_pcrextend "11:sha256=$(printf '.%s\0' $s | sha256)" "11:sha256=$(sha256 <"$1/$s")" || bail "no PCRs"
	done
	tpm2_pcrextend "11:sha256=$(printf enter-initrd | sha256)" || bail "no PCRs"
}
mkdir first next
"$build/tests/tools/uki" first "kernel one" || bail "no image"
"$build/tests/tools/uki" next "kernel two" || bail "no image"
tr -d '\0' <first/cmdline >root/proc/cmdline
vtpm='signer = /etc/signer.pem\npcr-signature = /etc/sig.json\n' srk=''
conf vtpm
boot system
measure first
agent predict --uki first/uki.efi --sign signer.key --output root/etc/sig.json
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
"$agent" document root/dev/disk --name root --key-file pass --pins >pins 2>err
conf vtpm "$(grep ^vk-id pins)"
agent enroll root --source=vtpm --key-file pass
[ $code = 0 ] || bail "enroll: $(cat err)"
agent next-boot --uki next/uki.efi
check "an image that nobody signed: exit 8" all '[ $code = 8 ]' 'row ok prediction "PCR .* of the next boot are known; PCR 11 changes because of next/uki.efi"' 'row fail sealed "no signed policy approves"'
rm root/etc/sig.json
agent predict --uki next/uki.efi --sign signer.key --output root/etc/sig.json
agent next-boot --uki next/uki.efi
check "and once it is signed, for both states of PCR 11" all '[ $code = 0 ]' 'row ok sealed "PCR 4 9 11 15"'
boot system
measure next
agent unlock root
check "which opens" all '[ $code = 0 ]' '[ -e root/mapper/root ]'
agent next-boot --uki next/uki.efi --initrd same/initrd.img
check "a unified kernel image has its own initrd: exit 2" all '[ $code = 2 ]' 'grep -q "\[usage\]" err'
echo "1..$count"
