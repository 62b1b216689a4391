#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# doctor, explain and predict from the command line: a broker that answers, that is another, that is not there; a TPM that is absent, the
# right one, capped, in another state, another one; signed policies.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup tpm2_pcrextend openssl
if missing=$(swtpm_missing); then skip_all "$missing is not installed"; fi
trap 'swtpm_stop; cleanup' EXIT
machine proc
machine_tee
echo root=/dev/mapper/root >root/proc/cmdline
printf %s correct-horse-battery-staple >pass
chmod 600 pass

# row STATUS ID TEXT: such a line of doctor
row() {
	grep -q "^$1 *  $2 *  .*$3" out
}
kbs_conf() { # URL PIN
	printf '[kbs main]\nurl = %s\npin = %s\n[volume root]\ndevice = /dev/disk\nsecret = main:default/vm/root\n' "$1" "$2" >root/etc/test.conf
}

# --- the network
start_kbs ""
kbs_conf "$url" "$pin"
agent doctor
check "a broker that answers" all '[ $code = 0 ]' 'row ok config "sound: 1 volume"' 'row ok clock 20' 'row ok tee snp' 'row ok tcp connected' \
	'row ok tls "the configured server: sha256//"' 'row ok kbs "answers the first step"' 'row skip tpm "no volume needs one"' '[ ! -s err ]'
agent doctor --json
check "the same as JSON" all '[ $code = 0 ]' 'grep -q "\"id\": \"kbs\"" out' 'grep -q "\"ok\": true" out' 'grep -q "\"exit\": 0" out'
kbs_conf "$url" sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
agent doctor
check "another server than the configured one: exit 10" all '[ $code = 10 ]' 'row ok tcp connected' 'row fail tls "to do: "' 'row skip kbs "not reached"'
kbs_conf https://127.0.0.1:1 "$pin"
agent doctor
check "nobody listens: exit 5" all '[ $code = 5 ]' 'row ok dns' 'row fail tcp "to do: "' 'row skip tls' 'row skip kbs'
kbs_conf "$url" "$pin"
sed -i "1i [agent]\nreport-url = $url/hook\nreport-pin = $pin" root/etc/test.conf
agent doctor
check "the server that failures are told to" all '[ $code = 0 ]' "row ok report '/hook: the configured server: sha256//'"
sed -i 's|^report-pin.*|report-pin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=|' root/etc/test.conf
agent doctor
check "and another one, which is no reason to fail" all '[ $code = 0 ]' "row warn report 'failures will not be told there: .*to do: '" '[ ! -e report ]'
kbs_conf "$url" "$pin"
printf '[kbs spare]\nurl = https://127.0.0.1:1\npin = %s\n' "$pin" >>root/etc/test.conf
agent doctor
check "a broker that no volume uses is not asked" all '[ $code = 0 ]' 'row ok kbs "answers the first step"' 'row skip kbs "spare: not asked: no volume uses"' \
	'! grep -q 127.0.0.1:1: out'
sed -i 's/^secret = .*/mode = manual/' root/etc/test.conf
agent doctor
check "nor is one of a volume that is opened by hand" all '[ $code = 0 ]' 'row skip link "no network is needed"' 'row skip kbs "main: not asked"' '! row ok kbs'
printf '[kbs main]\nurl = ftp://x\n' >root/etc/test.conf
agent doctor
check "a configuration with an error is the first finding: exit 2" all '[ $code = 2 ]' 'row fail config "test.conf:2"' '[ "$(wc -l <out)" = 2 ]'

# --- the TPM
printf 'MZ' >root/etc/not-pe
srk=
conf() { # MODE [LINE...]
	mode=$1
	shift
	{
		printf '[agent]\nprofile = bare-metal\n[kbs main]\nurl = https://127.0.0.1:1\npin = %s\n[vtpm]\npcrs = 4 9\n' "$pin"
		[ -z "$srk" ] || printf 'srk-name = %s\n' "$srk"
		printf '%b' "$vtpm"
		printf '[volume root]\ndevice = /dev/disk\nmode = %s\nsealed = /boot/root.sealed\n' "$mode"
		[ "$mode" = vtpm ] || printf 'secret = main:default/vm/root\n'
		for line; do printf '%s\n' "$line"; done
	} >root/etc/test.conf
}
boot() {
	swtpm_reboot || bail "no software TPM"
	tpm2_pcrextend "4:sha256=$(printf %s loader | sha256sum | cut -c1-64)" "9:sha256=$(printf %s "$1" | sha256sum | cut -c1-64)" || bail "no PCRs"
	rm -rf root/mapper root/run
	mkdir root/mapper root/run
}
vtpm=
conf vtpm
agent doctor
check "no TPM: exit 8" all '[ $code = 8 ]' 'row fail tpm "no TPM"' 'row fail sealed root'
swtpm_start "$tmp/tpm" || bail "no software TPM"
echo "$swtpm_path" >root/dev/tpm-swtpm
new_volume root/dev/disk pass
boot system
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
conf vtpm
agent enroll root --source=vtpm --key-file pass
[ $code = 0 ] || bail "enroll: $(cat err)"
boot system
agent doctor
check "a TPM, and a secret that it will unseal" all 'row ok tpm ' 'row ok tpm-banks sha256' 'row ok tpm-srk "the one of srk-name"' \
	'row ok tpm-lockout "tries left"' 'row warn cap-register "PCR 15 is at zero"' 'row ok sealed "root: its policy holds now"' \
	'row warn event-log "no event log"'
agent explain root
check "explain: sources, rules and the state of the sealed secret" all '[ $code = 0 ]' 'grep -q "rule *ok *mode = vtpm" out' \
	'grep -q "sealed *ok */boot/root.sealed, written at enrolment, keyslot 1" out' 'grep -q "policy *ok *PCRs 4 9 as they were at the sealing, PCR 15 at zero" out' \
	'grep -q "pcrs *ok *the policy holds now" out' 'grep -q "origin *ok *proved by" out' '! grep -q FAIL out'
conf kbs-or-vtpm
agent explain root
check "explain: when the TPM is asked at all" all '[ $code = 0 ]' 'grep -q "rule *ok *mode = kbs-or-vtpm: the broker first" out' 'grep -q "never after a refusal" out'
agent explain root --remits
check "explain --remits: six lines, and that nothing known covers the initrd" all '[ $code = 0 ]' '[ "$(wc -l <out)" = 7 ]' \
	'[ "$(sed "s/ *>.*//" out | tr "\n" ,)" = "Root of trust,Endorsement,Measurement,Identity,Trust,Secrets,covers initrd," ]' 'grep -q "covers initrd > NOTHING" out' \
	'grep -q "Measurement.*PCR 4 9, and PCR 15 at zero" out'
agent explain root --remits --json
check "the same as JSON" all '[ $code = 0 ]' 'grep -q "\"root_of_trust\": " out' 'grep -q "\"covers_initrd\": \"NOTHING" out'
conf vtpm
agent explain root --remits
check "and why, for the TPM alone" grep -q "covers initrd > NOTHING that can be seen from here: no event log" out
tpm2_pcrextend "15:sha256=$(printf %s cap | sha256sum | cut -c1-64)" || bail "no cap"
agent doctor
check "after the cap the values are still compared" all '[ $code != 8 ]' 'row ok cap-register "has moved"' 'row ok sealed "for the PCR values of this boot"'
boot another
agent doctor
check "another system: the PCR, and what it most likely was" all '[ $code = 8 ]' 'row fail sealed "root: sealed for other PCR values: probably the initrd (PCR 9)"'
agent explain root
check "explain names expected and actual value" all '[ $code = 0 ]' 'grep -q "pcrs *FAIL PCR 9: sealed for [0-9a-f]\{64\}, now [0-9a-f]\{64\}" out' '! grep -q "PCR 4:" out'
agent unlock root
check "unlock says it line by line, the likely cause last" all '[ $code = 8 ]' 'grep -q "root: PCR 9: sealed for [0-9a-f]\{64\}, now [0-9a-f]\{64\}" err' \
	'tail -n 1 err | grep -q "probably the initrd (PCR 9).*\[policy\].*enroll VOLUME --source=vtpm"'
swtpm_replace
boot system
agent doctor
check "another TPM" all '[ $code = 8 ]' 'row fail tpm-srk "another TPM, or it was cleared"'

# --- predict
agent predict
check "without an event log nothing is known but the cap register: exit 8" all '[ $code = 8 ]' 'grep -q "^sha256:9 *cannot be known: this boot has no event log" out' \
	'grep -q "^sha256:15 *0\{64\} *the cap register" out' 'grep -q "\[predict-unknown\]" err'
agent predict --uki root/etc/not-pe
check "no PE image: exit 2" all '[ $code = 2 ]' 'grep -q "\[predict-file\]" err'
agent predict --uki root/etc/not-pe --initrd x
check "a unified kernel image has its own initrd: exit 2" all '[ $code = 2 ]' 'grep -q "\[usage\]" err'
openssl genrsa -out signer.key 2048 2>/dev/null
openssl rsa -in signer.key -pubout -out root/etc/signer.pem 2>/dev/null
openssl genrsa -out other.key 2048 2>/dev/null
vtpm='signer = /etc/signer.pem\nversion-index = 0x01800010\n'
conf vtpm
mkdir first next
"$build/tests/tools/uki" first "kernel one" || bail "no image"
"$build/tests/tools/uki" next "kernel two" || bail "no image"
agent predict --uki next/uki.efi --sign signer.key --version 3 --output sig.json
check "a signature over both states of PCR 11" all '[ $code = 0 ]' '[ ! -s out ]' '[ "$(grep -o "\"pol\"" sig.json | wc -l)" = 2 ]' 'grep -q "\"version\":3" sig.json'
agent predict --uki next/uki.efi --sign signer.key
check "version-index wants a version: exit 2" all '[ $code = 2 ]' 'grep -q "\[version\]" err'
agent predict --uki next/uki.efi --sign other.key --version 3
check "not the key of signer: exit 2" all '[ $code = 2 ]' 'grep -q "\[signer\]" err' '[ ! -s out ]'
agent predict --uki next/uki.efi --json
check "JSON: state and value by PCR" all '[ $code = 8 ]' 'grep -q "\"phases\": \"unknown\"" out' 'grep -q "\"state\": \"changes\"" out'
# --- with an event log
log() { # SYSTEM
	mkdir -p root/sys/kernel/security/tpm0 root/boot
	"$build/tests/tools/eventlog" root/sys/kernel/security/tpm0/binary_bios_measurements loader "$1" || bail "no log"
	printf %s "$1" >root/boot/initrd.img
}
pcr9() {
	tpm2_pcrread sha256:9 | sed -n 's/.*0x//p' | tr 'A-F' 'a-f'
}
vtpm=
conf vtpm
boot system
log system
agent doctor
check "an event log that leads to the TPM's values" row ok event-log "2 events, which lead to the TPM's values"
agent explain root --remits
check "a PCR of the policy covers the initrd" grep -q "covers initrd > PCR 9 of the vTPM's policy covers this initrd" out
agent predict
check "nothing changed: the TPM's own values" all '[ $code = 0 ]' '[ "$(grep -c "same as this boot" out)" = 2 ]' 'grep -q "^sha256:9 *$(pcr9) " out'
printf another >root/boot/initrd.img
agent predict
check "another initrd lies there" all '[ $code = 0 ]' 'grep -q "^sha256:9 .*changes because of /boot/initrd.img" out'
cp out predicted
"$agent" document root/dev/disk --name root --key-file pass --pins >pins 2>err
srk=
conf vtpm "$(grep ^vk-id pins)"
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
conf vtpm "$(grep ^vk-id pins)"
agent enroll root --source=vtpm --key-file pass --predicted
check "enroll --predicted seals for it" all '[ $code = 0 ]' 'grep -q "for PCR 4 9 as predicted" err' 'grep -q "PCR 9 changes because of /boot/initrd.img" err'
agent unlock root
check "which is not this boot" all '[ $code = 8 ]' '[ ! -e root/mapper/root ]'
boot another
check "and is what the next boot measures" all 'grep -q "^sha256:9 *$(pcr9) " predicted'
agent unlock root
check "and opens the volume there" all '[ $code = 0 ]' '[ -e root/mapper/root ]'
cp root/boot/root.sealed sealed.before
agent enroll root --source=vtpm --key-file pass --predicted
check "a prediction that cannot be made changes nothing" all '[ $code = 8 ]' 'grep -q "\[predict-unknown\]" err' 'cmp -s sealed.before root/boot/root.sealed'
agent doctor
check "a log of another boot is found out" row warn event-log "which do not lead to PCR 9"
agent predict
check "and nothing is predicted from it: exit 8" all '[ $code = 8 ]' 'grep -q "^sha256:9 *cannot be known: the event log does not lead to its present value" out'
sed -i 's/^profile = .*/profile = cvm/; s/^pcrs = .*/&\nallow-untrusted-vtpm = yes/' root/etc/test.conf
agent explain root --remits
check "a TPM that the host runs covers nothing" grep -q "covers initrd > NOTHING against the host" out
rm -r root/sys
vtpm='signer = /etc/signer.pem\nversion-index = 0x01800010\n'
conf vtpm

# The image's sections into PCR 11, as systemd-stub and systemd-pcrphase do it.
sha256() {
	sha256sum | cut -c1-64
}
measure() { # DIRECTORY
	for s in linux osrel cmdline initrd; do
		tpm2_pcrextend "11:sha256=$(printf '.%s\0' $s | sha256)" "11:sha256=$(sha256 <"$1/$s")" || bail "no PCRs"
	done
	tpm2_pcrextend "11:sha256=$(printf enter-initrd | sha256)" || bail "no PCRs"
}
boot system
measure next
agent predict --uki next/uki.efi
check "PCR 11 is what the stub and the phase make it" all "grep -qi \"^sha256:11  $(tpm2_pcrread sha256:11 | sed -n 's/.*0x//p')  \" out"
if [ -x /usr/lib/systemd/systemd-measure ]; then
	/usr/lib/systemd/systemd-measure calculate --bank=sha256 --phase=enter-initrd --linux=next/linux --osrel=next/osrel \
		--cmdline=next/cmdline --initrd=next/initrd >measured 2>err
	check "systemd-measure says the same" all 'grep -qF "$(sed -n "s/^11:sha256=//p" measured)" out' '[ -n "$(sed -n "s/^11:sha256=//p" measured)" ]'
else
	skip "systemd-measure is not installed"
fi
vtpm='signer = /etc/signer.pem\npcr-signature = /etc/sig.json\n'
srk=
conf vtpm
boot system
measure first
agent predict --uki first/uki.efi --sign signer.key --output root/etc/sig.json
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
conf vtpm
agent enroll root --source=vtpm --key-file pass
[ $code = 0 ] || bail "enroll: $(cat err)"
boot system
measure first
agent unlock root
check "a secret sealed for the signer opens in the state that was signed" all '[ $code = 0 ]' '[ -e root/mapper/root ]'
boot system
measure next
# The creation data tell of the first image: across images the configuration must name the volume (C4).
"$agent" document root/dev/disk --name root --key-file pass --pins >pins 2>err
conf vtpm "$(grep ^vk-id pins)"
agent unlock root
check "not in the next image before it is signed" all '[ $code = 8 ]' 'grep -q "\[policy-signature\]" err' '[ ! -e root/mapper/root ]'
rm root/etc/sig.json
agent predict --uki next/uki.efi --sign signer.key --output root/etc/sig.json
agent unlock root
check "and opens when it is, the sealed file untouched" all '[ $code = 0 ]' '[ -e root/mapper/root ]'

# --- inside an initramfs
: >root/etc/initrd-release
conf kbs-or-vtpm
agent doctor
check "an image without the kernel module" all 'row fail image "no kernel module for encrypted volumes"' 'row warn image /etc/resolv.conf'
mkdir -p "root/lib/modules/$(uname -r)"
echo "kernel/drivers/md/dm-crypt.ko.xz: kernel/drivers/md/dm-mod.ko.xz" >"root/lib/modules/$(uname -r)/modules.dep"
agent doctor
check "and with it" all 'row ok image "dm_crypt"' 'row ok image "main: trust in the image: 1 pin"'
check "no output holds the passphrase" all '[ -s said ]' '! grep -qF -e correct-horse-battery-staple -e "$(base64 <pass)" said'
plan $count
