#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The cap: which events go where, compared with tpm2-tools; what it closes; registers that fail; a boot that fails; SIGKILL between any two
# steps leaves nothing public, and the boot script's cap closes the register.
. "$TOP_SRCDIR/tests/loopback/vtpm.sh"

# --- a TPM that is hidden during the boot phase, and shown later
meets reachable
config hidden kbs-or-vtpm
boot
mv root/dev/tpm-swtpm away
run hidden unlock root
check "no TPM to cap: the boot goes on, and says what that means" eval \
	'[ $code = 0 ] && is_open kbs && grep -q "warning: cap: the configuration counts on a TPM, and none is there" err && grep -q "\"cap\":\"absent\"" $record'
"$agent" status >out 2>err
check "status says so" eval 'grep -q ", cap: absent$" out && grep -q "^cap: the TPM that the configuration counts on was not there" out'
"$agent" status --metrics >out 2>err
check "and status --metrics" eval 'grep -qx "cryptattest_cap{state=\"absent\"} 1" out && grep -qx "cryptattest_cap{state=\"none\"} 0" out'
run hidden cap
check "and cap" eval '[ $code = 0 ] && grep -q "absent: the TPM that the configuration counts on is not there" err out'
mv away root/dev/tpm-swtpm
run hidden cap
check "once it is there, cap closes it" eval '[ $code = 0 ] && ! zero sha256:15 && grep -q "\"cap\":\"done\"" $record'
mv root/dev/tpm-swtpm away
run hidden cap
check "hidden again, what was capped stays so" eval '[ $code = 0 ] && ! grep -q "counts on" err out && grep -q "\"cap\":\"done\"" $record'
mv away root/dev/tpm-swtpm
boot
mv root/dev/tpm-swtpm away
config none kbs
run none unlock root
check "a machine that counts on none has none" eval '[ $code = 0 ] && ! grep -q "counts on a TPM" err && grep -q "\"cap\":\"none\"" $record'
config hidden kbs-or-vtpm
sed -i 's/^deadline/cap = required\n&/' root/etc/hidden.conf
rm -rf root/run root/mapper
mkdir root/run root/mapper
run hidden unlock root
check "cap = required: an error" eval '[ $code = 12 ] && nothing_open && grep -qF "[cap-no-register]" err'
mv away root/dev/tpm-swtpm

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
printf '[agent]\nnonsense\n' >root/etc/broken.conf
run broken cap
extend14 "cryptattest:cap:v1\n-\n"
extend14 "cryptattest:outcome:v1 none\n"
check "a configuration with an error: capped all the same, exit 2" eval '[ $code = 2 ] && same_as_14 && grep -q "\"cap\":\"done\"" $record &&
	grep -q "capped without it: done" err && tail -n 1 err | grep -q "broken.conf:2"'
before=$(pcr sha256:15)
run broken cap
check "and no second time" eval '[ $code = 2 ] && [ "$(pcr sha256:15)" = "$before" ] && grep -q "was in place already" err'
boot
mkdir -p root/etc/broken/conf.d
printf '[agent]\ndeadline = soon\ncap = off\n[vtpm]\ncap-pcr = 13\n' >root/etc/broken/cryptattest.conf
printf '[vtpmm]\n cap-pcr =14\n' >root/etc/broken/conf.d/a.conf
timeout 60 "$agent" cap --config /etc/broken >out 2>err
code=$?
check "every register that the files can mean" eval '[ $code = 2 ] && zero sha256:15 && ! zero sha256:13 && ! zero sha384:13 && ! zero sha256:14'
boot
echo 'cap-pcr = 1x' >>root/etc/broken/conf.d/a.conf
timeout 60 "$agent" cap --config /etc/broken >out 2>err
code=$?
check "and the default one when a line cannot be read" eval '[ $code = 2 ] && ! zero sha256:15 && ! zero sha256:13'
boot
timeout 60 "$agent" cap --config /etc/no-such.conf >out 2>err
code=$?
check "no such configuration: capped, exit 2" eval '[ $code = 2 ] && ! zero sha256:15'
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
swtpm_stop
meets reachable
config now kbs
boot_without_tpm() {
	rm -rf root/run root/mapper
	mkdir root/run root/mapper
}
boot_without_tpm
run now unlock root
check "a TPM that is there and does not answer: exit 12, nothing public, one line" \
	eval '[ $code = 12 ] && nothing_open && [ "$(wc -l <err)" = 1 ] && grep -q "\"cap\":\"failed\"" $record'
run now cap
check "and so says cap" eval '[ $code = 12 ] && [ "$(wc -l <err)" = 1 ]'
run broken cap
check "which is graver than a configuration with an error: exit 12" eval '[ $code = 12 ] && grep -q "broken.conf:2" err'
mv root/dev/tpm-swtpm away
config required kbs
sed -i 's/^\[agent\]/&\ncap = required/' root/etc/required.conf
boot
run required unlock root
check "cap = required without a register: exit 12, one line" eval '[ $code = 12 ] && nothing_open && [ "$(wc -l <err)" = 1 ] && id_is cap-no-register'
# Another TPM answers in the place of the one that the secret is sealed to: the broker opens the volume, and the door that is closed is another.
mv away root/dev/tpm-swtpm
srk_ours=$srk
srk=000b$(printf '%064d' 7)
config other kbs-or-vtpm
boot
run other unlock root
check "cap = auto with another TPM: it is capped without a session, and that is said" \
	eval '[ $code = 0 ] && is_open kbs && ! zero sha256:15 && grep -q "without a session that proves it" err'
check "and it is on record as worth nothing: unproven" grep -q '"cap":"unproven"' $record
run other cap
check "which cap says too, and does not make better" eval '[ $code = 0 ] && grep -q "nothing shows that the TPM" err && grep -q "\"cap\":\"unproven\"" $record'
run other status
check "and status" eval 'grep -q ", cap: unproven$" out && grep -q "^cap: .* nothing showed that it is this machine.s: set srk-name" out'
run other explain root
check "and explain" grep -q "when this boot's cap was made, nothing showed that the TPM which was told is this machine's" out
run other status --json
check "status --json" grep -q '"cap":"unproven","cap_event":"cryptattest:cap:v1\\nroot .*","cap_outcome":"kbs"' out
run other status --metrics
check "and status --metrics" eval 'grep -qx "cryptattest_cap{state=\"unproven\"} 1" out && grep -qx "cryptattest_cap{state=\"done\"} 0" out &&
	grep -qx "cryptattest_cap_outcome{outcome=\"kbs\"} 1" out'
sed -i 's/^\[agent\]/&\ncap = required/' root/etc/other.conf
boot
run other unlock root
check "cap = required with another TPM: exit 12, nothing public, and it is capped all the same" \
	eval '[ $code = 12 ] && nothing_open && id_is cap-unproven && ! zero sha256:15 && grep -q "\"cap\":\"failed\"" $record'
srk=$srk_ours
config required kbs-or-vtpm
sed -i 's/^\[agent\]/&\ncap = required/' root/etc/required.conf
boot
run required unlock root
check "cap = required with the right one" eval '[ $code = 0 ] && is_open kbs && ! zero sha256:15'
mv root/dev/tpm-swtpm away
rm -rf root/run
mkdir root/run
printf '[agent]\ncap = auto\n' >root/etc/empty.conf
run empty cap
check "cap without volumes and without a TPM" eval '[ $code = 0 ] && grep -q "\"cap\":\"none\"" $record'
# The registers of a TDX machine, by a file system that extends them as the kernel does.
measurements=root/sys/devices/virtual/misc/tdx_guest/measurements
rtmr() { # N
	od -An -tx1 -v "$measurements/rtmr$1:sha384" | tr -d ' \n'
}
# extended BEFORE EVENT: what the register must become
extended() {
	{
		printf '%s' "$1" | xxd -r -p
		printf "$2" | openssl dgst -sha384 -binary
	} | openssl dgst -sha384 -binary | od -An -tx1 -v | tr -d ' \n'
}
mkdir -p $measurements
fuse=
if [ -x "$build/tests/emul/rtmr_fuse" ] && command -v xxd >/dev/null && command -v openssl >/dev/null; then
	"$build/tests/emul/rtmr_fuse" -f $measurements 9>&- &
	fuse=$!
	tries=0
	until [ -e "$measurements/rtmr3:sha384" ] || ! kill -0 $fuse 2>/dev/null || [ $tries -ge 100 ]; do
		tries=$((tries + 1))
		sleep 0.05
	done
fi
if [ -e "$measurements/rtmr3:sha384" ]; then
	zeros=$(printf '%096d' 0)
	boot_without_tpm
	config rtmr kbs
	run rtmr unlock root
	first=$(extended "$zeros" "cryptattest:cap:v1\nroot $uuid $vk_id\n")
	check "a TDX machine without a TPM: RTMR 3 gets both events" eval '[ $code = 0 ] && is_open kbs && grep -q "\"cap\":\"done\"" $record &&
		[ "$(rtmr 3)" = "$(extended "$first" "cryptattest:outcome:v1 kbs\n")" ] && [ "$(rtmr 2)" = "$zeros" ]'
	before=$(rtmr 3)
	run rtmr cap
	check "which are on record" grep -q "\"cap_event\":\"cryptattest:cap:v1..root $uuid $vk_id..\",\"cap_outcome\":\"kbs\"" $record
	check "and no more of them" eval '[ $code = 0 ] && grep -q "in place already" err && [ "$(rtmr 3)" = "$before" ]'
	# The TPM of this machine is hidden, and its volumes are sealed to it: that another register was capped closes nothing of that.
	rm -rf root/run root/mapper
	mkdir root/run root/mapper
	config both kbs-or-vtpm
	run both cap
	check "a hidden TPM is absent, whatever RTMR there is" eval '[ $code = 0 ] && grep -q "counts on a TPM" err && grep -q "\"cap\":\"absent\"" $record'
	sed -i 's/^deadline/cap = required\n&/' root/etc/both.conf
	run both cap
	check "cap = required: an error" eval '[ $code = 12 ] && grep -qF "[cap-no-register]" err && ! grep -q "warning: cap" err'
	config rtmr2 kbs "cap-rtmr = 2"
	run rtmr2 cap
	check "cap-rtmr = 2" eval '[ $code = 0 ] && [ "$(rtmr 2)" != "$zeros" ] && [ "$(rtmr 3)" = "$before" ]'
	kill $fuse
	wait $fuse 2>/dev/null
	fuse=
else
	count=$((count + 1))
	echo "ok $count - the registers of a TDX machine # SKIP no FUSE here"
fi
rm -r root/sys
config now kbs-or-vtpm
meets unreachable
config now kbs-or-vtpm
boot_without_tpm
run now unlock root
check "no TPM to fall back to: exit 8, and the broker is named too" eval '[ $code = 8 ] && id_is tpm-absent && grep -q "no answer from the broker" err'
mv away root/dev/tpm-swtpm

# --- a boot that fails caps before anybody gets a shell (P2)
mkdir -p root/proc
echo "root=/dev/mapper/root" >root/proc/cmdline
: >root/etc/initrd-release
deadline=2s
config now kbs
sed -i 's/^\[agent\]/&\non-failure = continue/' root/etc/now.conf
boot
run now unlock --all --boot
extend14 "cryptattest:cap:v1\n-\n"
extend14 "cryptattest:outcome:v1 none\n"
check "unlock --boot that fails: capped, outcome none" eval '[ $code = 5 ] && same_as_14 && grep -q "\"cap\":\"done\"" $record'
config tools vtpm
sed -i 's/^\[agent\]/&\non-failure = continue\nopener = crypttab/; s/^device = .*/device = \/dev\/none/' root/etc/tools.conf
boot
run tools unlock --all --boot
extend14 "cryptattest:cap:v1\n-\n"
extend14 "cryptattest:outcome:v1 none\n"
check "and where stock tools were to open it" eval '[ $code = 7 ] && same_as_14'
sed -i 's/^on-failure = .*/on-failure = shell/' root/etc/now.conf
boot
mv root/dev/tpm-swtpm away
echo "$tmp/nobody" >root/dev/tpm-swtpm
run now unlock --all --boot
mv away root/dev/tpm-swtpm
check "no shell where the cap failed: the machine restarts" eval '[ $code = 5 ] && [ "$(cat root/power)" = reboot ] && grep -q "there is no shell" err'
rm root/power
sed 's/^srk-name = .*/srk-name = 000b'"$(printf '%064d' 7)"'/' root/etc/now.conf >root/etc/other.conf
boot
run other unlock --all --boot
check "nor where another TPM was told to cap: the right one may be open" \
	eval '[ $code = 5 ] && [ "$(cat root/power)" = reboot ] && grep -q "there is no shell" err && grep -q "\"cap\":\"unproven\"" $record'
rm root/power
config counted kbs-or-vtpm
sed -i 's/^\[agent\]/&\non-failure = shell/' root/etc/counted.conf
boot
mv root/dev/tpm-swtpm away
run counted unlock --all --boot
mv away root/dev/tpm-swtpm
check "nor where one is hidden that the configuration counts on: it may come back" \
	eval '[ $code = 8 ] && [ "$(cat root/power)" = reboot ] && grep -q "there is no shell" err && grep -q "\"cap\":\"absent\"" $record'
deadline=30s
config pin vtpm "" "pin = yes"
sed -i 's/^\[agent\]/&\non-failure = continue/' root/etc/pin.conf
boot
run pin unlock --all --boot
check "a PIN is not asked for on the host's console: exit 2" eval '[ $code = 2 ] && nothing_open && grep -qF "[pin-at-boot]" err'
rm root/etc/initrd-release

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
in_record() { # MEMBER
	sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' $record
}
closed_after() { # nothing public, or a run that was over; then the boot script's cap, once and for all, and both events
	[ "$code" != 137 ] || nothing_open || return 1
	run vtpm cap
	[ $code = 0 ] && ! zero sha256:15 && ! zero sha384:15 || return 1
	extend14 "$(in_record cap_event)"
	extend14 "cryptattest:outcome:v1 $(in_record cap_outcome)\n"
	same_as_14 || return 1
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
