#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# From enrolment to unlock with a real broker: what `enroll` gives out is what cryptattest-kbs takes and the agent opens the volume with,
# in each mode; then the older keyslot goes.
. "$TOP_SRCDIR/tests/loopback/server.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
need tpm2_pcrextend
if missing=$(swtpm_missing); then skip_all "$missing is not installed"; fi
trap 'swtpm_stop; cleanup' EXIT
: >root/dev/kmsg
instance=$(printf '%064d' 7)
echo "host-data=$instance" >root/tee/set
printf %s correct-horse-battery-staple >pass
chmod 600 pass
new_volume root/dev/disk pass
cp root/dev/disk base.img

# --- broker and TPM
measured
server kbs
rule default/vm/root "$measurement" "host-data = $instance" "test = yes" | policy kbs
swtpm_start "$tmp/tpm" || bail "no software TPM"
echo "$swtpm_path" >root/dev/tpm-swtpm
boot() {
	swtpm_reboot || bail "no software TPM"
	tpm2_pcrextend "4:sha256=$(printf %s loader | sha256sum | cut -c1-64)" "9:sha256=$(printf %s "$1" | sha256sum | cut -c1-64)" || bail "no PCRs"
	rm -rf root/mapper root/run
	mkdir root/mapper root/run
}
cap() {
	tpm2_pcrextend "15:sha256=$(printf %s cap | sha256sum | cut -c1-64)" || bail "no cap"
}
srk=
conf() { # MODE [LINE]
	{
		printf '[agent]\nprofile = bare-metal\ndeadline = 4s\n'
		sed "s/:8443\$/:$port/" kbs.init
		printf 'key = ec-p256\n[vtpm]\npcrs = 4 9\nfallback-after = 500ms\n'
		[ -z "$srk" ] || printf 'srk-name = %s\n' "$srk"
		printf '[volume root]\ndevice = /dev/disk\nmode = %s\nsealed = /boot/root.sealed\nsecret = main:default/vm/root\n%s\n' "$1" "${2:-}"
	} >root/etc/test.conf
}
store() {
	"$kbsd" resource add --replace --dir kbs --document --file "$1" default/vm/root || return 1
	reload kbs
}
is_open() { # SOURCE
	[ "$code" = 0 ] && [ -e root/mapper/root ] && grep -q "\"source\":\"$1\"" root/run/cryptattest/status.json
}
slots() {
	cryptsetup luksDump root/dev/disk | sed -n 's/^  \([0-9]*\): luks2.*/\1/p' | tr '\n' ' '
}
boot one
conf vtpm
sed -i '/^secret/d' root/etc/test.conf
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
[ -n "$srk" ] || bail "no srk-name"

# --- kbs
conf kbs
agent enroll root --source=kbs --key-file pass --output first.json
check "kbs: enrolled" all '[ $code = 0 ]' 'store first.json'
agent unlock root
check "kbs: the broker's new secret opens the volume" is_open kbs
boot one
agent enroll root --source=kbs --key-file pass --output second.json
check "kbs: rotated, the older document still works" all '[ $code = 0 ]' 'agent unlock root' 'is_open kbs'
boot one
store second.json
agent unlock root
check "kbs: and so does the new one" is_open kbs
agent wipe root --keyslot 1 --key-file pass
check "kbs: the older keyslot goes, while the volume is open" all '[ $code = 0 ]' '[ "$(slots)" = "0 2 " ]'
boot one
agent unlock root
check "kbs: the new one still works" is_open kbs
boot one
store first.json
agent unlock root
check "kbs: the older document is of no use any more" all '[ $code = 9 ]' '[ ! -e root/mapper/root ]'

# --- kbs+vtpm
cp base.img root/dev/disk
boot one
conf kbs+vtpm
agent enroll root --source=vtpm --key-file pass --output both.json
check "kbs+vtpm: enrolled" all '[ $code = 0 ]' 'store both.json'
boot one
agent unlock root
check "kbs+vtpm: both parts open the volume" is_open kbs+vtpm
boot two
agent unlock root
check "kbs+vtpm: not without the TPM's" all '[ $code = 8 ]' '[ ! -e root/mapper/root ]'
chmod 600 both.json
agent enroll root --source=vtpm --key-file pass --kbs-part both.json --output both2.json
check "kbs+vtpm: enrolled for another system" all '[ $code = 0 ]' 'store both2.json'
boot two
agent unlock root
check "kbs+vtpm: which opens the volume now" is_open kbs+vtpm
cp base.img root/dev/disk
agent enroll root --source=kbs --key-file pass --output alone.json --force
agent enroll root --source=vtpm --key-file pass --kbs-part alone.json --output doc.json
check "kbs+vtpm: a part that opens the volume alone is named" all '[ $code = 0 ]' 'grep -q "alone opens keyslot 1: " err'

# --- kbs-or-vtpm
cp base.img root/dev/disk
rm -rf root/boot
boot one
conf kbs-or-vtpm
agent enroll root --source=kbs --key-file pass --output kbs.json
agent enroll root --source=vtpm --key-file pass --document kbs.json --output full.json
check "kbs-or-vtpm: enrolled" all '[ $code = 0 ]' 'store full.json'
boot one
agent unlock root
check "kbs-or-vtpm: by the broker" is_open kbs
cp root/boot/root.sealed one.sealed
boot two
agent unlock root
check "kbs-or-vtpm: after an update by the broker, and sealed anew from what it escrows" all 'is_open kbs' '! cmp -s one.sealed root/boot/root.sealed'
kill "$kbs"
wait "$kbs" 2>/dev/null
kbs=
boot two
agent unlock root
check "kbs-or-vtpm: without the broker" is_open vtpm
boot one
agent unlock root
check "kbs-or-vtpm: without the broker, the older system" all '[ $code != 0 ]' '[ ! -e root/mapper/root ]'
echo "1..$count"
