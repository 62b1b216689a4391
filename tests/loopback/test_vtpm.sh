#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Sealed secrets end to end: what opens a volume in each mode for each way that a broker can answer (the table of cryptattest(8) comes
# from here), what a refusal, the cap, other PCRs and the budget do, re-sealing, and SIGKILL between any two steps. The agent over
# recorded mappings, a swtpm of its own, a broker that goes wrong on request; the sealed files are made by tests/tools/seal_tool.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
for tool in cryptsetup tpm2_pcrextend tpm2_pcrread; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
missing=$(swtpm_missing) && skip_all "$missing is not installed"
build=$(cd "$TOP_BUILDDIR" && pwd)
agent=$build/cryptattest-test
seal_tool=$build/tests/tools/seal_tool
cleanup_all() {
	swtpm_stop
	cleanup
}
trap cleanup_all EXIT
cd "$tmp" || exit 1
root=$tmp/root
export CRYPTATTEST_TEST_ROOT="$root"
mkdir -p root/run root/tee root/etc root/dev root/mapper root/boot
: >root/dev/kmsg
"$build/tests/tools/cryptattest-testpki" init pki >/dev/null || bail "no test PKI"
echo snp >root/tee/kind
echo "$tmp/pki" >root/tee/pki-dir
record=root/run/cryptattest/status.json

# --- the machine: a TPM with something in its PCRs, four volumes' worth of keyslots in one header
swtpm_start tpm || bail "no swtpm"
echo "$swtpm_path" >root/dev/tpm-swtpm
sha() {
	printf '%s' "$1" | sha256sum | cut -d' ' -f1
}
measure() { # PCR WORD
	tpm2_pcrextend "$1:sha256=$(sha "$2"),sha384=$(printf '%s' "$2" | sha384sum | cut -d' ' -f1)" || bail "no PCRs"
}
# boot [KERNEL]: registers and /run as at power-on, then what a loader would measure
boot() {
	swtpm_reboot || bail "no swtpm"
	rm -rf root/run root/mapper
	mkdir root/run root/mapper
	measure 4 "loader"
	measure 7 "secure boot"
	measure 9 "${1:-kernel and initrd}"
}
printf 'a passphrase of some length' >kbs.pass
head -c 32 /dev/urandom >raw
"$seal_tool" passphrase raw >vtpm.pass
truncate -s 20M root/dev/disk
chmod 600 ./*.pass raw
format="--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
# shellcheck disable=SC2086 # words
cryptsetup luksFormat -q $format root/dev/disk kbs.pass || bail "no LUKS2 volume"
uuid=$(cryptsetup luksUUID root/dev/disk)
"$seal_tool" both kbs.pass raw "$uuid" root >both.pass
chmod 600 both.pass
for pass in vtpm.pass both.pass; do
	cryptsetup luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q --key-file kbs.pass root/dev/disk $pass || bail "no keyslot"
done
boot
srk=$("$seal_tool" name) || bail "no storage primary"
vk_id=$("$agent" document root/dev/disk --name root --key-file kbs.pass --pins | sed -n 's/^vk-id = //p')
[ ${#vk_id} = 64 ] || bail "no vk-id"

# config NAME MODE [VTPM-LINE [VOLUME-LINE]]: root/etc/NAME.conf; the broker is $url, $pin
config() {
	{
		printf '[agent]\ndeadline = 2s\n[vtpm]\npcrs = 4 7 9\nsrk-name = %s\nallow-untrusted-vtpm = yes\nfallback-after = 700ms\n' "$srk"
		printf '%s\n' "${3:-}"
		printf '[kbs main]\nurl = %s\npin = %s\nkey = ec-p256\n' "$url" "$pin"
		printf '[volume root]\ndevice = /dev/disk\nmode = %s\n' "$2"
		[ "$2" = vtpm ] || echo "secret = main:default/vm/root"
		case $2 in
		kbs+vtpm) echo "sealed = /boot/both.sealed" ;;
		*vtpm) echo "sealed = /boot/root.sealed" ;;
		esac
		printf '%s\n' "${4:-}"
	} >"root/etc/$1.conf"
}
url=https://127.0.0.1:1 pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
config vtpm vtpm
config both kbs+vtpm
"$seal_tool" seal /etc/vtpm.conf root raw vtpm.pass >root/boot/root.sealed || bail "nothing sealed"
"$seal_tool" seal /etc/both.conf root raw both.pass >root/boot/both.sealed || bail "nothing sealed"
cp root/boot/root.sealed first.sealed

# run CONFIG VERB...: sets code
run() {
	conf=$1
	shift
	timeout 60 "$agent" "$@" --config "/etc/$conf.conf" >out 2>err </dev/null
	code=$?
}
is_open() { # SOURCE
	[ -e root/mapper/root ] && grep -q "\"state\":\"open\",\"source\":\"$1\"" $record
}
nothing_open() {
	[ ! -e root/mapper/root ] && [ -z "$(ls root/mapper)" ]
}
id_is() {
	grep -qF "\"id\":\"$1\"" $record && [ "$(grep -c . err)" -ge 1 ] && grep -qF "[$1]" err
}
pcr() { # BANK:PCR
	tpm2_pcrread "$1" | sed -n 's/.*0x\([0-9A-Fa-f]*\)$/\1/p'
}
zero() {
	case $(pcr "$1") in
	*[1-9A-Fa-f]*) return 1 ;;
	esac
}
# broker [SCRIPT [SECRET]]: in the place of the one before; any evidence is good enough here
broker() {
	[ -z "$kbs" ] || {
		kill "$kbs" # its standard input stays open in the swtpm that was started meanwhile
		wait "$kbs" 2>/dev/null
		kbs=
	}
	[ $# = 0 ] || {
		script="attest unread; $1"
		shift
		start_kbs "$script" "$@"
	}
}
# meets KIND: a broker of that kind, in $url and $pin
meets() {
	broker
	case $1 in
	reachable) broker "" "$(cat kbs.pass)" ;;
	refusing) broker "get error PolicyDeny Access denied by policy" ;;
	undecided) broker "get jwe-tag" ;;
	stranger)
		broker ""
		pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
		;;
	unreachable) url=https://127.0.0.1:1 ;;
	esac
}

# --- the matrix
expected() { # BROKER MODE: exit code and source
	case $2,$1 in
	kbs,reachable | kbs-or-vtpm,reachable) echo 0 kbs ;;
	kbs+vtpm,reachable) echo 0 kbs+vtpm ;;
	vtpm,* | kbs-or-vtpm,unreachable) echo 0 vtpm ;;
	*,refusing) echo 4 - ;;
	*,undecided | *,unreachable) echo 5 - ;;
	*,stranger) echo 10 - ;;
	esac
}
printf '%-12s %-14s %-14s %-14s %s\n' broker kbs vtpm kbs+vtpm kbs-or-vtpm >table
for broker in reachable refusing undecided stranger unreachable; do
	meets $broker
	row=
	for mode in kbs vtpm kbs+vtpm kbs-or-vtpm; do
		config now $mode
		boot
		run now unlock root
		wanted=$(expected $broker $mode)
		source=$(sed -n 's/.*"state":"open","source":"\([^"]*\)".*/\1/p' $record)
		check "broker $broker, mode $mode: exit and source $wanted" eval '[ "$code ${source:--}" = "$wanted" ] &&
			case $wanted in 0*) is_open "$source" ;; *) nothing_open ;; esac'
		cell="$code${source:+ }$source"
		row="$row$(printf '%-14s ' "$cell")"
	done
	printf '%-12s %s\n' $broker "$row" | sed 's/ *$//' >>table
done
sed -n '/BEGIN OUTCOMES/,/END OUTCOMES/p' "$TOP_SRCDIR/man/cryptattest.8" | sed '1d;$d; s/\\-/-/g' >page
check "cryptattest(8) has this table" diff -u table page

meets unreachable
config now kbs-or-vtpm
boot
run now unlock root
check "the line for the operator says why the broker was not used" \
	grep -q "by vtpm (broker unreachable for 1 s: opened by the secret sealed to this machine's TPM)" err
"$agent" status >out 2>&1
check "and so does status" grep -q "by vtpm broker unreachable for 1 s" out
run now unlock root
check "already open: exit 0, the reason stays" eval '[ $code = 0 ] && grep -q "broker unreachable for 1 s" $record'
broker "auth status 404"
config now kbs-or-vtpm
boot
run now unlock root
check "a broker that answers nonsense until the deadline is no outage: exit 5" eval '[ $code = 5 ] && nothing_open'

# --- two volumes with one broker: the one that has nothing else gets the whole deadline
meets unreachable
config now kbs-or-vtpm "" "[volume data]
device = /dev/disk2
secret = main:default/vm/data"
cp root/dev/disk root/dev/disk2
boot
start=$(date +%s%N)
run now unlock --all
took=$((($(date +%s%N) - start) / 1000000))
check "beside a volume of mode kbs: root from the TPM, data waited for to the deadline ($took ms)" \
	eval '[ $code = 5 ] && is_open vtpm && [ $took -ge 1900 ] && grep -q "data: .*\[net-connect\]" err'
rm root/dev/disk2

# --- a refusal is remembered
meets refusing
config now kbs-or-vtpm
boot
run now unlock root
[ $code = 4 ] || bail "no refusal: $(cat err)"
meets unreachable
config now kbs-or-vtpm
run now unlock root
check "a refusal of this boot bars the TPM when the broker is gone: exit 4" eval '[ $code = 4 ] && nothing_open && grep -qF "[refused-earlier]" err'
run now unlock root
check "and the next time" eval '[ $code = 4 ] && grep -q "\"state\":\"refused\"" $record'
run vtpm unlock root
check "and in mode vtpm" eval '[ $code = 4 ] && nothing_open'
meets reachable
config now kbs-or-vtpm
run now unlock root
check "the broker may change its mind" eval '[ $code = 0 ] && is_open kbs'

# --- the cap
boot
run vtpm unlock root
check "an unlock caps: every bank of PCR 15" eval '[ $code = 0 ] && ! zero sha256:15 && ! zero sha384:15 && grep -q "\"cap\":\"done\"" $record'
extend14() { # TEXT: the same into PCR 14, by tpm2-tools
	printf "$1" >event
	tpm2_pcrextend "14:sha256=$(sha256sum event | cut -d' ' -f1),sha384=$(sha384sum event | cut -d' ' -f1)"
}
same_as_14() {
	[ "$(pcr sha256:15)" = "$(pcr sha256:14)" ] && [ "$(pcr sha384:15)" = "$(pcr sha384:14)" ]
}
extend14 "cryptattest:cap:v1\nroot $uuid $vk_id\n"
extend14 "cryptattest:outcome:v1 vtpm\n"
check "with the events that the manual names" same_as_14
before=$(pcr sha256:15)
rm -rf root/run root/mapper/*
mkdir root/run
run vtpm unlock root
check "capped: exit 12, whatever the record lost" eval '[ $code = 12 ] && nothing_open && id_is capped'
run vtpm cap
check "cap again: in place already, nothing moves" eval '[ $code = 0 ] && grep -q "in place already" err && [ "$(pcr sha256:15)" = "$before" ]'
meets unreachable
config now kbs-or-vtpm
run now unlock root
check "kbs-or-vtpm after the cap: exit 12" eval '[ $code = 12 ] && nothing_open'
meets reachable
config now kbs
run now unlock root
check "mode kbs opens after the cap, and caps no second time" eval '[ $code = 0 ] && is_open kbs && [ "$(pcr sha256:15)" = "$before" ]'
boot
run vtpm cap
extend14 "cryptattest:cap:v1\n-\n"
extend14 "cryptattest:outcome:v1 none\n"
check "cap alone: no volume, outcome none" eval '[ $code = 0 ] && same_as_14 && grep -q "\"cap\":\"done\"" $record'
boot
run vtpm recover root --key-file kbs.pass
extend14 "cryptattest:cap:v1\nroot $uuid $vk_id\n"
extend14 "cryptattest:outcome:v1 recover\n"
check "recover caps and says so" eval '[ $code = 0 ] && same_as_14'
boot
config off vtpm
sed -i 's/^\[agent\]/&\ncap = off/' root/etc/off.conf
run off unlock root
check "cap = off: no register moves" eval '[ $code = 0 ] && zero sha256:15 && grep -q "\"cap\":\"off\"" $record'
mkdir -p root/sys/devices/virtual/misc/tdx_guest/measurements
head -c 48 /dev/zero >root/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384
boot
run vtpm unlock root
check "a register that does not become what it must: exit 12, nothing public, one line" \
	eval '[ $code = 12 ] && nothing_open && id_is cap-readback && [ "$(wc -l <err)" = 1 ] && grep -q "\"cap\":\"failed\"" $record'
rm -r root/sys
mv root/dev/tpm-swtpm away
config required kbs
sed -i 's/^\[agent\]/&\ncap = required/' root/etc/required.conf
boot
run required unlock root
check "cap = required without a register: exit 12, one line" eval '[ $code = 12 ] && nothing_open && [ "$(wc -l <err)" = 1 ] && id_is cap-no-register'
printf '[agent]\ncap = auto\n' >root/etc/empty.conf
run empty cap
check "cap without volumes and without a TPM" eval '[ $code = 0 ] && grep -q "\"cap\":\"none\"" $record'
config now kbs-or-vtpm
meets unreachable
config now kbs-or-vtpm
run now unlock root
check "no TPM to fall back to: exit 8, and the broker is named too" eval '[ $code = 8 ] && id_is tpm-absent && grep -q "no answer from the broker" err'
mv away root/dev/tpm-swtpm

# --- a boot that fails caps before anybody gets a shell (P2)
mkdir -p root/proc
echo "root=/dev/mapper/root" >root/proc/cmdline
: >root/etc/initrd-release
config now kbs
sed -i 's/^\[agent\]/&\non-failure = continue/' root/etc/now.conf
boot
run now unlock --all --boot
extend14 "cryptattest:cap:v1\n-\n"
extend14 "cryptattest:outcome:v1 none\n"
check "unlock --boot that fails: capped, outcome none" eval '[ $code = 5 ] && same_as_14 && grep -q "\"cap\":\"done\"" $record'
config pin vtpm "" "pin = yes"
sed -i 's/^\[agent\]/&\non-failure = continue/' root/etc/pin.conf
boot
run pin unlock --all --boot
check "a PIN is not asked for on the host's console: exit 2" eval '[ $code = 2 ] && nothing_open && grep -qF "[pin-at-boot]" err'
rm root/etc/initrd-release
boot
run pin unlock root
check "a file sealed without a PIN, pin = yes: exit 8" eval '[ $code = 8 ] && id_is sealed-pin'


# --- a PIN: on a terminal alone, with what a wrong one costs
"$seal_tool" seal /etc/pin.conf root raw vtpm.pass 1234 >pin.sealed || bail "nothing sealed"
sed 's/^sealed = .*/sealed = \/boot\/pin.sealed/' root/etc/pin.conf >root/etc/asks.conf
cp pin.sealed root/boot/pin.sealed
# typed LINE...: an unlock with a terminal of its own, on which these lines are typed
typed() {
	for line in "$@"; do
		sleep 0.7
		echo "$line"
	done | timeout 60 script -qec "$agent unlock root --config /etc/asks.conf" /dev/null >out 2>&1
	code=$?
	tr -d '\r' <out >err
}
# Each restart of a TPM that was not told to shut down counts as a wrong try.
many_tries() {
	tpm2_dictionarylockout -c >/dev/null 2>&1 && tpm2_dictionarylockout -s -n 100 -t 10 -l 10 >/dev/null 2>&1 || bail "no lockout parameters"
}
if command -v script >/dev/null; then
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
run now unlock root
check "after an update it is sealed anew, before the cap" eval '[ $code = 0 ] && is_open kbs && note_is resealed && ! zero sha256:15'
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
serve "$(document true "$sealed_secret")"
config now kbs+vtpm
boot
"$seal_tool" seal /etc/now.conf root raw both.pass >root/boot/both.sealed || bail "nothing sealed"
cp root/boot/both.sealed kept
run now unlock root
check "kbs+vtpm ignores may_reseal, with a warning" eval '[ $code = 0 ] && is_open kbs+vtpm && cmp -s kept root/boot/both.sealed && grep -q "must not hold both" err'
broker

# --- SIGKILL at every event, and between them in the cap
config vtpm vtpm
boot
"$seal_tool" seal /etc/vtpm.conf root raw vtpm.pass >root/boot/root.sealed || bail "nothing sealed"
killed() { # N WHEN: sets at and code
	boot
	"$bin/killat" "$1" 9 "$2" "$agent" unlock root --config /etc/vtpm.conf >result 2>err || bail "$(cat err)"
	at=$(sed 's/^at=\([^ ]*\) .*/\1/' result)
	code=$(sed 's/.*exit=//' result)
}
closed_after() { # nothing public, or a run that was over; then the boot script's cap, once and for all
	[ "$code" != 137 ] || nothing_open || return 1
	run vtpm cap
	[ $code = 0 ] && ! zero sha256:15 && ! zero sha384:15 || return 1
	before=$(pcr sha256:15)
	run vtpm cap
	[ $code = 0 ] && [ "$(pcr sha256:15)" = "$before" ] || return 1
	rm -rf root/mapper/* root/run/cryptattest
	run vtpm unlock root
	[ $code = 12 ] && nothing_open
}
seen=
n=0
while killed $n at-once && [ "$at" != end ]; do
	seen="$seen $at"
	[ "$at" != cap.start ] || cap_at=$n
	check "SIGKILL at event $n ($at): nothing public, and cap closes the register" closed_after
	n=$((n + 1))
done
check "unseal, cap and publish were among them" eval 'case $seen in *" unseal.start"*" cap.start"*" publish.start"*) ;; *) false ;; esac'
for delay in 1000 3000 6000 10000 15000 20000 30000 50000; do
	killed "$cap_at" $delay
	check "SIGKILL $delay microseconds after cap.start (exit $code)" closed_after
done
plan $count
