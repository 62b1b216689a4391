#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Sealed files: a PIN, what does not open and why, where a file comes from, the budget, sealing anew at boot.
. "$TOP_SRCDIR/tests/loopback/vtpm.sh"

# --- a PIN: on a terminal alone, with what a wrong one costs
config pin vtpm "" "pin = yes"
boot
run pin unlock root
check "a file sealed without a PIN, pin = yes: exit 8" eval '[ $code = 8 ] && id_is sealed-pin'
"$seal_tool" seal /etc/pin.conf root raw vtpm.pass 1234 >pin.sealed || bail "nothing sealed"
sed 's/^sealed = .*/sealed = \/boot\/pin.sealed/' root/etc/pin.conf >root/etc/asks.conf
cp pin.sealed root/boot/pin.sealed
# typed LINE...: an unlock with a terminal of its own, on which these lines are typed
typed() {
	on_terminal 'PIN for' "$agent unlock root --config /etc/asks.conf" "$@"
}
# Each restart of a TPM that was not told to shut down counts as a wrong try.
many_tries() {
	tpm2_dictionarylockout -c >/dev/null 2>&1 && tpm2_dictionarylockout -s -n 100 -t 10 -l 10 >/dev/null 2>&1 || bail "no lockout parameters"
}
if script -qec true /dev/null >/dev/null 2>&1; then
	many_tries
	boot
	typed 1234
	check "PIN: tries left are shown before it is asked for" grep -q "PIN for root ([0-9]* of [0-9]* tries are left before the TPM locks)" err
	check "the right PIN opens, and is not echoed" eval '[ $code = 0 ] && is_open vtpm && ! grep -q 1234 err'
	boot
	typed wrong 1234
	check "a wrong PIN is asked for again, with one try less" eval '[ $code = 0 ] && is_open vtpm &&
		[ "$(sed -n "s/.*PIN for root (\([0-9]*\) of.*/\1/p" err | sort -u | wc -l)" = 2 ]'
	boot
	typed wrong wrong wrong
	check "three wrong ones: exit 8" eval '[ $code = 8 ] && nothing_open && grep -qF "[tpm-auth]" err'
	tpm2_dictionarylockout -s -n 1 -t 1000 -l 1000 >/dev/null 2>&1
	boot
	typed 1234
	check "a TPM that is locked says so before a PIN is typed: exit 8" eval '[ $code = 8 ] && nothing_open && grep -qF "[tpm-lockout]" err && ! grep -q "PIN for" err'
	many_tries
fi
boot
run asks unlock root
check "no terminal: exit 2" eval '[ $code = 2 ] && nothing_open'

# --- what does not open
boot "another kernel"
run vtpm unlock root
check "another kernel: exit 8" eval '[ $code = 8 ] && nothing_open && id_is policy'
boot
sed 's/"name":"root"/"name":"data"/' first.sealed >root/boot/root.sealed
run vtpm unlock root
check "the file of another volume: exit 9" eval '[ $code = 9 ] && nothing_open && id_is sealed-volume'
echo '{' >root/boot/root.sealed
run vtpm unlock root
check "a broken file: exit 9" eval '[ $code = 9 ] && nothing_open'
rm root/boot/root.sealed
run vtpm unlock root
check "no file: exit 8, and how to make one" eval '[ $code = 8 ] && id_is sealed-absent && grep -q "cryptattest enroll root --source=vtpm" err'
"$seal_tool" seal /etc/vtpm.conf root raw vtpm.pass "" "$(sha forged)" >root/boot/root.sealed
run vtpm unlock root
check "sealed for another volume key: exit 9" eval '[ $code = 9 ] && nothing_open && id_is K4'
head -c 32 /dev/urandom >raw2
"$seal_tool" seal /etc/vtpm.conf root raw2 vtpm.pass >root/boot/root.sealed
run vtpm unlock root
check "a secret that no keyslot takes: exit 6" eval '[ $code = 6 ] && nothing_open'
sed 's/"keyslot":1/"keyslot":7/' first.sealed >root/boot/root.sealed
run vtpm unlock root
check "the keyslot in the file is a hint" eval '[ $code = 0 ] && is_open vtpm'
# Made after the cap: the right policy, by whoever ran later.
"$seal_tool" seal /etc/vtpm.conf root raw vtpm.pass >later.sealed
boot
cp later.sealed root/boot/root.sealed
run vtpm unlock root
check "a file without proof of origin: exit 8" eval '[ $code = 8 ] && nothing_open && id_is sealed-origin'
config pinned vtpm "" "vk-id = $vk_id"
run pinned unlock root
check "unless the configuration pins the volume key" eval '[ $code = 0 ] && is_open vtpm'
config other vtpm "" "vk-id = $(sha other)"
boot
run other unlock root
check "a pin of another volume key: exit 9" eval '[ $code = 9 ] && nothing_open && id_is K4'
cp first.sealed root/boot/root.sealed
sed 's/^allow-untrusted-vtpm.*//' root/etc/vtpm.conf >root/etc/cvm.conf
run cvm unlock root
check "a vTPM that nothing proves, on a confidential machine: exit 8" eval '[ $code = 8 ] && nothing_open'
sed 's/^srk-name.*//' root/etc/vtpm.conf >root/etc/nameless.conf
run nameless unlock root
check "no srk-name: exit 2" eval '[ $code = 2 ] && nothing_open && id_is srk-name'
swtpm_replace
run vtpm unlock root
check "another TPM: exit 8" eval '[ $code = 8 ] && nothing_open && id_is tpm-replaced'
srk=$("$seal_tool" name)
boot
config vtpm vtpm
"$seal_tool" seal /etc/vtpm.conf root raw vtpm.pass >root/boot/root.sealed || bail "nothing sealed"
run vtpm unlock root
check "sealed again on the new TPM" eval '[ $code = 0 ] && is_open vtpm'

# --- the budget
meets unreachable
budget="offline-index = 0x01800010
offline-boots = 2"
config now kbs-or-vtpm "$budget"
boot
"$seal_tool" seal /etc/now.conf root raw vtpm.pass >root/boot/root.sealed || bail "nothing sealed"
for i in 1 2; do
	boot
	run now unlock root
	check "boot $i without the broker" eval '[ $code = 0 ] && is_open vtpm'
done
boot
run now unlock root
check "the allowance is used up: exit 8" eval '[ $code = 8 ] && nothing_open && grep -qF "[offline-budget]" err'

# --- re-sealing
escrow=$(base64 -w0 <vtpm.pass)
document() { # MAY-RESEAL ESCROW
	printf '{"type":"cryptattest-secret","version":1,"name":"root","uuid":"%s","vk_id":"%s","passphrase":"%s","may_reseal":%s%s}' "$uuid" "$vk_id" \
		"$(base64 -w0 <kbs.pass)" "$1" "$2"
}
sealed_secret=",\"sealed_secret\":{\"keyslot\":1,\"passphrase\":\"$escrow\"}"
serve() {
	broker "" "$1"
	config now kbs-or-vtpm "$budget" "$2"
}
note_is() {
	grep -q "\"sealed\":\"$1" $record
}
serve "$(document true "$sealed_secret")"
boot
run now unlock root
check "the broker opens it and the budget is restored" eval '[ $code = 0 ] && is_open kbs && note_is resealed'
boot
run now unlock root
check "a current file is left alone" eval '[ $code = 0 ] && note_is current'
boot "another kernel"
volume=$(sha256sum <root/dev/disk)
echo half >root/boot/.root.sealed.00000000000000ff.tmp
echo mine >root/boot/.roots.sealed.00000000000000ff.tmp
run now unlock root
check "after an update it is sealed anew, before the cap" eval '[ $code = 0 ] && is_open kbs && note_is resealed && ! zero sha256:15'
check "what a power cut left of the last time goes, and only that" eval '[ ! -e root/boot/.root.sealed.00000000000000ff.tmp ] && [ -s root/boot/.roots.sealed.00000000000000ff.tmp ]'
check "and the header is never written at boot" [ "$volume" = "$(sha256sum <root/dev/disk)" ]
meets unreachable
config now kbs-or-vtpm "$budget"
boot "another kernel"
run now unlock root
check "and the next boot needs no broker" eval '[ $code = 0 ] && is_open vtpm'
boot
run now unlock root
check "the old kernel does not open it any more" eval '[ $code = 8 ] && nothing_open'
rm root/boot/root.sealed
serve "$(document true "$sealed_secret")"
boot
run now unlock root
check "a missing file is made" eval '[ $code = 0 ] && note_is resealed && [ -s root/boot/root.sealed ]'
cp root/boot/root.sealed kept
serve "$(document false "$sealed_secret")"
boot "another kernel"
run now unlock root
check "not without may_reseal" eval '[ $code = 0 ] && cmp -s kept root/boot/root.sealed && grep -q "\"sealed\":null" $record'
serve "$(document true "")"
boot "another kernel"
run now unlock root
check "may_reseal without sealed_secret: a warning, the volume is open" eval '[ $code = 0 ] && is_open kbs && note_is "not resealed" && cmp -s kept root/boot/root.sealed'
wrong=$(printf '%s' "$(head -c 32 raw2 | base64 -w0)" | base64 -w0)
serve "$(document true ",\"sealed_secret\":{\"keyslot\":1,\"passphrase\":\"$wrong\"}")"
boot "another kernel"
run now unlock root
check "an escrow that opens nothing: a warning, the volume is open" eval '[ $code = 0 ] && is_open kbs && note_is "not resealed" && cmp -s kept root/boot/root.sealed'
serve "$(document true "$sealed_secret")"
rm root/boot/root.sealed
mkdir root/boot/root.sealed
boot
run now unlock root
check "a file that cannot be written: a warning, the volume is open" eval '[ $code = 0 ] && is_open kbs && note_is "not resealed"'
rmdir root/boot/root.sealed
sed -i 's|^sealed = .*|sealed = PARTLABEL=cryptattest-no-such-disk:/root.sealed|' root/etc/now.conf
mkdir -p root/sys/class/block
boot
started=$(date +%s)
run now unlock root
check "its disk is not there: a warning, the volume is open at once" \
	eval '[ $code = 0 ] && is_open kbs && note_is "not resealed: .*no block device" && [ $(($(date +%s) - started)) -lt 12 ]'
rm -r root/sys
serve "$(document true "$sealed_secret")"
config now kbs+vtpm
boot
"$seal_tool" seal /etc/now.conf root raw both.pass >root/boot/both.sealed || bail "nothing sealed"
cp root/boot/both.sealed kept
run now unlock root
check "kbs+vtpm ignores may_reseal, with a warning" eval '[ $code = 0 ] && is_open kbs+vtpm && cmp -s kept root/boot/both.sealed && grep -q "must not hold both" err'
broker
plan $count
