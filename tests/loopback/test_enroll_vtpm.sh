#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# enroll --source=vtpm and wipe --source=vtpm with a software TPM: what is sealed opens in the next boot of the same system and in no
# other; what is refused; what is left when a call is killed.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup tpm2_pcrextend
if missing=$(swtpm_missing); then skip_all "$missing is not installed"; fi
trap 'swtpm_stop; cleanup' EXIT
machine
printf %s correct-horse-battery-staple >pass
printf %s something-quite-else >wrong
printf %s 4711-0815 >pin
chmod 600 pass wrong pin
new_volume base.img pass
swtpm_start "$tmp/tpm" || bail "no software TPM"
echo "$swtpm_path" >root/dev/tpm-swtpm

# boot SYSTEM: the machine starts again, measures what it starts
boot() {
	swtpm_reboot || bail "no software TPM"
	tpm2_pcrextend "4:sha256=$(printf %s loader | sha256sum | cut -c1-64)" "9:sha256=$(printf %s "$1" | sha256sum | cut -c1-64)" \
		"11:sha256=$(printf %s "$1" | sha256sum | cut -c1-64)" || bail "no PCRs"
	rm -rf root/mapper root/run
	mkdir root/mapper root/run
}
cap() {
	tpm2_pcrextend "15:sha256=$(printf %s cap | sha256sum | cut -c1-64)" || bail "no cap"
}
# conf MODE [LINE...]: further lines of [volume root]
srk=
pcrs="4 9"
profile=bare-metal
conf() {
	mode=$1
	shift
	{
		printf '[agent]\nprofile = %s\n[kbs main]\nurl = https://127.0.0.1:1\n' "$profile"
		printf 'pin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n'
		printf '[vtpm]\npcrs = %s\n' "$pcrs"
		[ -z "$srk" ] || printf 'srk-name = %s\n' "$srk"
		printf '%b' "$vtpm"
		printf '[volume root]\ndevice = /dev/disk\nmode = %s\nsealed = /boot/root.sealed\n' "$mode"
		[ "$mode" = vtpm ] || printf 'secret = main:default/vm/root\n'
		for line; do printf '%s\n' "$line"; done
	} >root/etc/test.conf
}
vtpm=
enroll() {
	agent enroll root --source=vtpm --key-file pass "$@"
}
fresh() {
	cp base.img root/dev/disk
	rm -rf doc.json root/boot
}
opens() {
	cryptsetup open --test-passphrase -q --key-file "$1" root/dev/disk 2>/dev/null
}
sound() {
	"$agent" check root/dev/disk >/dev/null
}
slots() {
	cryptsetup luksDump root/dev/disk | sed -n 's/^  \([0-9]*\): luks2.*/\1/p' | tr '\n' ' '
}
refused() {
	[ "$code" = "$1" ] && grep -q "\[$2\]" err && [ "$(grep -vc warning: err)" = 1 ] && cmp -s base.img root/dev/disk && [ ! -e doc.json ] &&
		[ ! -s out ] && [ ! -e root/boot/root.sealed ] && [ ! -e root/boot/root.sealed.new ]
}

# --- which TPM?
boot system
fresh
conf vtpm
enroll
check "no srk-name: the line for the configuration, and nothing else" all 'refused 2 srk-name' 'grep -q "put into \[vtpm\]: srk-name = 000b[0-9a-f]\{64\}\$" err'
check "with the line for the volume, so that one new initramfs does" grep -q "put into \[volume root\]: vk-id = [0-9a-f]\{64\}\$" err
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
agent doctor
check "doctor has that line as well" grep -q "^fail *tpm-srk .*put into \[vtpm\]: srk-name = $srk\$" out
conf vtpm
enroll
check "with that line: a keyslot, a sealed file" all '[ $code = 0 ]' sound '[ "$(slots)" = "0 1 " ]' '[ -s root/boot/root.sealed ]' '[ ! -e root/boot/root.sealed.new ]' \
	'[ "$(stat -c %a root/boot/root.sealed)" = 600 ]' 'opens pass' '[ ! -s out ]'
fresh
mkdir root/boot
leftovers="root.sealed root.sealed.new root.sealed.old"
for name in $leftovers; do echo '{"half":' >"root/boot/.$name.0123456789abcdef.tmp"; done
echo mine | tee root/boot/.root.sealed.0123456789ABCDEF.tmp root/boot/.rootxsealed.0123456789abcdef.tmp root/boot/.other.sealed.0123456789abcdef.tmp >mine
enroll
enroll
check "what power cuts left half-written goes with the next two, and only that" all '[ $code = 0 ]' 'cmp -s mine root/boot/.root.sealed.0123456789ABCDEF.tmp' \
	'[ "$(ls -A root/boot | sort | tr "\n" " ")" = ".other.sealed.0123456789abcdef.tmp .root.sealed.0123456789ABCDEF.tmp .rootxsealed.0123456789abcdef.tmp root.sealed " ]'
fresh
enroll
check "the storage primary is persistent" sh -c "tpm2_getcap handles-persistent | grep -qi 0x81000001"
boot system
agent unlock root
check "the next boot of the same system opens it" all '[ $code = 0 ]' '[ -e root/mapper/root ]'
cp root/dev/disk sealed.img
cp root/boot/root.sealed first.sealed
boot another
agent unlock root
check "another system does not" all '[ $code = 8 ]' '[ ! -e root/mapper/root ]'
swtpm_replace
boot system
agent unlock root
check "another TPM does not" all '[ $code = 8 ]' 'grep -q "\[tpm-replaced\]" err'
fresh
enroll
check "another TPM than the configured one is not sealed to" refused 8 tpm-replaced
srk=
conf vtpm
enroll
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
rm root/dev/tpm-swtpm
conf vtpm
enroll
check "no TPM" refused 8 tpm-absent
echo "$swtpm_path" >root/dev/tpm-swtpm

# --- after the cap: no proof of origin, so the configuration must name the volume
cap
fresh
enroll
check "after the cap the vk-id line is asked for" all '[ $code = 0 ]' 'grep -q "put into \[volume root\]: vk-id = [0-9a-f]\{64\}" err'
vk=$(sed -n 's/.*vk-id = \([0-9a-f]*\).*/\1/p' err)
agent doctor
check "without it doctor says no" all '[ $code = 8 ]' 'grep -q "^fail *sealed .*nothing proves by whom" out'
boot system
agent unlock root
check "without it the sealed secret is refused" all '[ $code = 8 ]' 'grep -q "\[sealed-origin\]" err'
conf vtpm "vk-id = $vk"
boot system
agent unlock root
check "with it the volume opens" all '[ $code = 0 ]' '[ -e root/mapper/root ]'

# --- again: the file is replaced, its keyslot goes
cap
cp root/boot/root.sealed before.sealed
enroll
check "a second enrolment replaces the file and removes the older keyslot" all '[ $code = 0 ]' '[ "$(slots)" = "0 2 " ]' \
	'! cmp -s before.sealed root/boot/root.sealed' 'grep -q "keyslot 1, of a sealed secret that is not used any more, is gone" err' sound 'opens pass'
boot system
agent unlock root
check "and opens in the next boot" [ $code = 0 ]
# The file is the host's: it may name anything.
cap
sed -i 's/"keyslot":2/"keyslot":0/' root/boot/root.sealed
enroll
check "a file that names the owner's keyslot removes nothing" all '[ $code = 0 ]' 'opens pass' '[ "$(slots)" = "0 1 2 " ]'
echo nonsense >root/boot/root.sealed
agent doctor
check "doctor: a broken file, and how to replace it" grep -q "^fail *sealed .*make a new one: cryptattest enroll" out
enroll
check "a broken file is replaced" all '[ $code = 0 ]' 'opens pass' '[ "$(slots)" = "0 1 2 3 " ]'

# Of the very shape that a sealed secret's keyslot has: the broker's. Whatever the host writes beside the sealed file, or into it, leads to no
# other keyslot than the one before.
conf kbs-or-vtpm
fresh
boot system
agent enroll root --source=kbs --key-file pass --output doc.json
sed -n 's/.*"passphrase":"\([^"]*\)".*/\1/p' doc.json | base64 -d >kbspass
enroll
check "the broker's keyslot, and one for a sealed secret" all '[ "$(slots)" = "0 1 2 " ]' 'opens kbspass' 'grep -q "\"slot_mac\":\"[0-9a-f]\{64\}\"" root/boot/root.sealed'
cp root/dev/disk lured.img
cp root/boot/root.sealed honest.sealed
sed 's/"keyslot":2/"keyslot":1/' honest.sealed >lure
sed 's/"slot_mac":"[0-9a-f]*",//' lure >lure.bare
for lure in lure lure.bare; do
	for places in root.sealed root.sealed.new root.sealed.old "root.sealed root.sealed.new root.sealed.old"; do
		cp lured.img root/dev/disk
		rm -f root/boot/*
		cp honest.sealed root/boot/root.sealed
		for place in $places; do cp $lure root/boot/$place; done
		enroll
		check "$lure as $places names the broker's keyslot: it stays" all '[ $code = 0 ]' 'opens kbspass' 'opens pass' sound \
			'grep -q "names keyslot 1, but does not prove .* cryptattest wipe root --keyslot 1" err'
	done
	cp lured.img root/dev/disk
	cp $lure root/boot/root.sealed
	agent wipe root --source=vtpm --key-file pass
	check "$lure: wipe --source=vtpm leaves it, too" all '[ $code = 2 ]' 'grep -q "\[keyslot-foreign\]" err' 'cmp -s lured.img root/dev/disk'
done
rm -f doc.json
conf vtpm "vk-id = $vk"
fresh

# --- what is refused
for words in "6 badkey --key-file wrong" "2 keyslot-taken --key-file pass --keyslot 0" "2 usage --key-file pass --output doc.json" \
	"2 usage --key-file pass --document pass" "2 usage --key-file pass --kbs-part pass" "2 usage --key-file pass --pin-file pin" \
	"2 key-file --key-file pass --owner-auth-file missing"; do
	fresh
	# shellcheck disable=SC2086 # words
	set -- $words
	expected=$1 id=$2
	shift 2
	agent enroll root --source=vtpm "$@"
	check "enroll $*: $id" refused "$expected" "$id"
done
pcrs="4 8"
vtpm='bank = sha384\n'
conf vtpm "vk-id = $vk"
fresh
enroll
check "a bank that nothing was measured into" refused 2 pcrs-unmeasured
vtpm='bank = sha384\ninsecure-pcrs = yes\n'
conf vtpm "vk-id = $vk"
enroll
check "... unless forced, with what that means" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]' 'grep -q "warning: nothing was measured into PCR 4 8 (bank sha384): what is sealed opens for any system" err'
fresh
vtpm=
pcrs="1 5"
conf vtpm
enroll
check "PCRs that the host chooses" all '[ $code = 2 ]' 'grep -q "the host chooses" err' 'cmp -s base.img root/dev/disk'
pcrs="4 9"
conf kbs
enroll
check "mode kbs" refused 2 enroll-mode
conf vtpm "vk-id = $(printf '%064d' 1)"
enroll
check "the configuration pins another volume" refused 9 K4

# --- a confidential VM, and a vTPM that its host runs
profile=cvm
conf vtpm "vk-id = $vk"
enroll
check "a vTPM that the host runs is not sealed to" refused 8 vtpm-untrusted
vtpm='allow-untrusted-vtpm = yes\n'
conf vtpm "vk-id = $vk"
enroll
check "unless the configuration accepts that" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]'
fresh
vtpm=
pcrs=7
conf vtpm "vk-id = $vk"
enroll
check "PCR 7 alone, where the host edits the initramfs" all '[ $code = 2 ]' 'grep -q "none of them measures the initramfs" err' 'cmp -s base.img root/dev/disk'
pcrs="4 9"
# PCR 7 says who signed the loader only where Secure Boot asks.
pcrs="7 9"
vtpm='allow-untrusted-vtpm = yes\n'
conf vtpm "vk-id = $vk"
enroll
check "no EFI variables in view, and 7 is to say what loader runs" refused 2 secure-boot-unknown
efivars=root/sys/firmware/efi/efivars
mkdir -p $efivars
secure_boot() { # STATE
	printf "\\006\\000\\000\\000\\00$1" >$efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
	fresh
	enroll
}
secure_boot 0
check "Secure Boot is off, and 7 is to say what loader runs" refused 2 secure-boot-off
secure_boot 1
check "Secure Boot is on" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]'
pcrs="4 7 9"
conf vtpm "vk-id = $vk"
secure_boot 0
check "Secure Boot is off, and 4 says what loader runs" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]'
pcrs="7 9"
vtpm="${vtpm}insecure-pcrs = yes\n"
conf vtpm "vk-id = $vk"
secure_boot 0
check "or it was said that this will do" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]'
rm -r root/sys
fresh
vtpm=
pcrs="4 9"
profile=bare-metal

# --- PIN
conf vtpm "vk-id = $vk" "pin = yes"
enroll
check "a PIN is asked for on a terminal only" refused 2 prompt
enroll --pin-file pin
check "a PIN" all '[ $code = 0 ]' 'grep -q "\"pin\":true" root/boot/root.sealed'

# --- owner authorization
tpm2_changeauth -c owner ownerpass || bail "no owner authorization"
printf %s ownerpass >owner.auth
chmod 600 owner.auth
swtpm_reboot
tpm2_evictcontrol -C o -P ownerpass -c 0x81000001 >/dev/null 2>&1 || bail "cannot remove the storage primary"
boot system
conf vtpm "vk-id = $vk"
fresh
enroll
check "the owner's authorization is needed" refused 8 tpm-auth
enroll --owner-auth-file owner.auth
check "and is taken" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]'
tpm2_changeauth -c owner -p ownerpass || bail "no owner authorization"

# --- kbs-or-vtpm: the broker's document
conf kbs-or-vtpm
fresh
agent enroll root --source=kbs --key-file pass --output doc.json
mv doc.json kbs.json
enroll --document kbs.json --output doc.json
check "kbs-or-vtpm: the document with what re-sealing needs" all '[ $code = 0 ]' 'grep -q "\"may_reseal\":true" doc.json' \
	'grep -q "\"sealed_secret\":{\"keyslot\":2,\"passphrase\":\"" doc.json' '[ "$(grep -o "[0-9a-f]\{64\}" doc.json | wc -l)" = 3 ]' \
	'sed -n "s/.*\"sealed_secret\":{[^}]*\"passphrase\":\"\([^\"]*\)\".*/\1/p" doc.json | base64 -d >escrow' 'opens escrow' \
	'sed "s/\"sealed_secret\":{[^}]*}//" doc.json | sed -n "s/.*\"passphrase\":\"\([^\"]*\)\".*/\1/p" | base64 -d >kbspass' 'opens kbspass'
cp root/dev/disk two.img
cp -r root/boot boot.two
mv doc.json full.json
sed 's/"vk_id":"./"vk_id":"x/' kbs.json >other.json
for words in "9 document $tmp/other.json" "9 document-name $tmp/name.json" "9 document $tmp/pass"; do
	sed 's/"name":"root"/"name":"home"/' kbs.json >name.json
	chmod 600 ./*.json
	# shellcheck disable=SC2086 # words
	set -- $words
	enroll --document "$3" --output doc.json
	check "kbs-or-vtpm: document ${3##*/}: $2" all "[ $code = $1 ]" "grep -q '\[$2\]' err" 'cmp -s two.img root/dev/disk' '[ ! -e doc.json ]' \
		'diff -r boot.two root/boot'
done

# --- kbs+vtpm: both parts
conf kbs+vtpm "vk-id = $vk"
fresh
enroll --output doc.json
check "kbs+vtpm: a fresh part for the broker" all '[ $code = 0 ]' sound 'grep -q "\"type\":\"cryptattest-secret\"" doc.json' '! grep -q sealed_secret doc.json' \
	'! grep -q "\"keyslot\"" doc.json' 'sed -n "s/.*\"passphrase\":\"\([^\"]*\)\".*/\1/p" doc.json | base64 -d >part' '! opens part' '[ "$(slots)" = "0 1 " ]'
chmod 600 part
mv doc.json both.json
enroll --kbs-part both.json --output doc.json
check "kbs+vtpm: the broker's part stays, its document gets the second header id" all '[ $code = 0 ]' \
	'[ "$(grep -o "[0-9a-f]\{64\}" doc.json | wc -l)" = 3 ]' 'sed -n "s/.*\"passphrase\":\"\([^\"]*\)\".*/\1/p" doc.json | base64 -d | cmp - part' '[ "$(slots)" = "0 2 " ]'
enroll --kbs-part part
check "kbs+vtpm: a raw part, no document" all '[ $code = 0 ]' '[ ! -s out ]' '[ "$(slots)" = "0 1 " ]'

# --- wipe --source=vtpm
indices() {
	tpm2_getcap handles-nv-index | grep -ci '0x18000[0-9a-f]*'
}
conf vtpm "vk-id = $vk"
fresh
boot system
enroll
cp root/dev/disk two.img
cp -r root/boot boot.wipe
agent wipe root --source=vtpm --key-file pass
check "wipe: the keyslot and the file" all '[ $code = 0 ]' '[ "$(slots)" = "0 " ]' '[ ! -e root/boot/root.sealed ]' sound 'opens pass'
agent wipe root --source=vtpm --key-file pass
check "wipe: there is no file, and which option takes its place" all '[ $code = 8 ]' 'grep -q "\[sealed-absent\]; to do: name it: --keyslot N" err'
# again SED: the volume as enrolled, the sealed file changed by this script
again() {
	cp two.img root/dev/disk
	rm -rf root/boot
	cp -r boot.wipe root/boot
	sed -i "$1" root/boot/root.sealed
}
unchanged() {
	[ "$code" = "$1" ] && grep -q "\[$2\]" err && cmp -s two.img root/dev/disk && [ -e root/boot/root.sealed ]
}
again 's/"keyslot":1/"keyslot":0/'
agent wipe root --source=vtpm --key-file pass
check "wipe: a file that names the owner's keyslot" unchanged 6 badkey
agent wipe root --source=vtpm --key-file pass --force
check "wipe: a file that names the owner's keyslot, with --force" all '[ $code = 0 ]' '[ "$(slots)" = "1 " ]'
cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file pass two.img wrong || bail luksAddKey
again 's/"keyslot":1/"keyslot":2/'
agent wipe root --source=vtpm --key-file pass
check "wipe: a file that names another person's keyslot" unchanged 2 keyslot-foreign
again ''
agent wipe root --source=vtpm --keyslot 2 --key-file pass
check "wipe: the owner and the file do not agree" unchanged 2 usage
again 's/"keyslot":1,//'
agent wipe root --source=vtpm --key-file pass
check "wipe: a file that names none" unchanged 2 usage
agent wipe root --source=vtpm --keyslot 1 --key-file pass
check "wipe: the owner names it" all '[ $code = 0 ]' '[ "$(slots)" = "0 2 " ]' '[ ! -e root/boot/root.sealed ]'
again ''
for words in "--source=kbs" "--keyslot 1 --nv-indices" "--source=vtpm --owner-auth-file owner.auth"; do
	# shellcheck disable=SC2086 # words
	agent wipe root --key-file pass $words
	check "wipe $words" unchanged 2 usage
done

vtpm='pin-index = 0x01800011\noffline-index = 0x01800012\noffline-boots = 3\n'
conf kbs-or-vtpm
fresh
boot system
enroll
check "the indices are made" all '[ $code = 0 ]' '[ "$(indices)" = 2 ]'
printf '[volume data]\ndevice = /dev/data\nmode = vtpm\nsealed = /boot/data.sealed\n' >>root/etc/test.conf
agent wipe root --source=vtpm --nv-indices --key-file pass
check "wipe: indices that another volume needs" all '[ $code = 2 ]' 'grep -q "\[nv-shared\]" err' '[ "$(slots)" = "0 1 " ]'
conf kbs-or-vtpm
agent wipe root --source=vtpm --nv-indices --key-file pass
check "wipe: with the indices" all '[ $code = 0 ]' '[ "$(indices)" = 0 ]' '[ "$(slots)" = "0 " ]'
tpm2_nvdefine 0x01800012 -C o -s 8 -a "ownerread|ownerwrite" >/dev/null 2>&1 || bail "no index"
fresh
cp two.img root/dev/disk
cp -r boot.wipe root/boot
agent wipe root --source=vtpm --nv-indices --key-file pass
check "wipe: an index that is somebody else's" all '[ $code = 8 ]' 'grep -q "\[nv-attributes\]" err' '[ "$(indices)" = 1 ]'
tpm2_nvundefine 0x01800012 -C o 2>/dev/null || bail "no index"
vtpm=

# --- the example for servers as it is shipped, by the steps of cryptattest(8) for machines without an event log
fresh
boot system
cap
sed 's|PARTLABEL=root-crypt|/dev/disk|; s|PARTLABEL=esp:|/boot|; s/^pcrs = .*/pcrs = 4 9/' "$TOP_SRCDIR/contrib/examples/bare-metal.conf" >root/etc/test.conf
enroll
check "bare-metal.conf: both lines are printed, nothing is changed" all 'refused 2 srk-name' 'grep -q "vk-id = [0-9a-f]\{64\}" err'
sed -i "s/^# srk-name = .*/$(sed -n 's/.*\(srk-name = 000b[0-9a-f]*\).*/\1/p' err)/; s/^# vk-id = .*/$(sed -n 's/.*\(vk-id = [0-9a-f]*\).*/\1/p' err)/" root/etc/test.conf
boot image
agent unlock root
check "the first boot of the new image is opened by hand" all '[ $code = 8 ]' 'grep -q "\[sealed-absent\].*recover root" err'
agent recover root --key-file pass
enroll
check "and sealed for" all '[ $code = 0 ]' '! grep -q warning: err' '[ -s root/boot/cryptattest/root.sealed ]'
boot image
agent unlock root
check "the second opens by itself" all '[ $code = 0 ]' '[ -e root/mapper/root ]'

# --- killed: the older sealed file works until the new one does, and no keyslot stays whose secret is lost
conf vtpm "vk-id = $vk"
fresh
boot system
enroll
cap
cp root/dev/disk killed.img
rm -rf boot.killed
cp -r root/boot boot.killed
n=1
points=0
killed() {
	cp killed.img root/dev/disk
	rm -rf root/boot
	cp -r boot.killed root/boot
	timeout 60 strace -qq -o trace -e "trace=fsync,unlinkat" -e "inject=fsync,unlinkat:signal=KILL:when=$1" "$agent" enroll root --source=vtpm \
		--key-file pass --config /etc/test.conf >out 2>err </dev/null
	grep -q "killed by SIGKILL" trace
}
if strace -qq -o trace true 2>/dev/null; then
	while killed $n; do
		sound || "$agent" check root/dev/disk | grep -q H2-torn || echo "$n: neither sound nor torn" >>problems
		{ opens pass && sound; } || echo "$n: not mended" >>problems
		boot system
		agent unlock root
		[ $code = 0 ] || { echo "$n: the sealed secret does not open"; cat err; } >>problems
		cap
		enroll
		[ $code = 0 ] && [ "$(slots | wc -w)" = 2 ] && [ "$(ls root/boot)" = root.sealed ] ||
			{ echo "$n: the next call leaves keyslots $(slots), exit $code"; cat err; } >>problems
		points=$((points + 1))
		n=$((n + 1))
	done
	check "killed at $points points in fsync and unlinkat" all '[ ! -s problems ]' '[ $points -ge 8 ]'
	cat problems 2>/dev/null | sed 's/^/# /'
else
	echo "# SKIP the killing: strace is not installed, or may not trace here"
fi
echo "1..$count"
