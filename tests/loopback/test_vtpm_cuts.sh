#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Connections to the TPM that break at any command of an unlock; power cuts at the steps of sealing anew. Each command to the software TPM is a
# connection of its own, so connect(2) stands for a command.
. "$TOP_SRCDIR/tests/loopback/vtpm.sh"
strace -qq -o trace true 2>/dev/null || skip_all "strace is not installed, or may not trace here"
# A leak checker traces too, and two cannot.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

# traced INJECT...: sets code, traced=yes when the fault struck
traced() {
	timeout 60 strace -qq -o trace -e "trace=connect,fsync,rename,renameat,renameat2" "$@" "$agent" unlock --all --config /etc/now.conf >out 2>err </dev/null
	code=$?
	traced=no
	! grep -q "INJECTED\|killed by SIGKILL" trace || traced=yes
}
# Every n-th step, and all of the last ones.
chosen() { # N TOTAL EVERY LAST
	[ $(($1 % $3)) = 1 ] || [ "$1" -gt $(($2 - $4)) ]
}

# --- one connection of a run breaks: two volumes and the cap
config now vtpm
printf '[volume data]\ndevice = /dev/disk2\nmode = vtpm\nsealed = /boot/data.sealed\n' >>root/etc/now.conf
cp root/dev/disk root/dev/disk2
boot
"$seal_tool" seal /etc/now.conf data raw vtpm.pass >root/boot/data.sealed || bail "nothing sealed"
data_vk=$("$agent" document root/dev/disk2 --name data --key-file kbs.pass --pins | sed -n 's/^vk-id = //p')
extend14() { # TEXT: the same into PCR 14, by tpm2-tools
	printf "$1" >event
	tpm2_pcrextend "14:sha256=$(sha256sum event | cut -d' ' -f1)"
}
boot
traced
total=$(grep -c '^connect' trace)
extend14 "cryptattest:cap:v1\ndata $uuid $data_vk\nroot $uuid $vk_id\n"
extend14 "cryptattest:outcome:v1 vtpm\n"
wanted=$(pcr sha256:14)
check "two volumes by the TPM: $total commands" eval '[ $code = 0 ] && [ -e root/mapper/root ] && [ -e root/mapper/data ] && [ "$(pcr sha256:15)" = "$wanted" ] && [ $total -gt 20 ]'
n=1 points=0
while [ $n -le "$total" ]; do
	if chosen $n "$total" 5 6; then
		boot
		traced -e "inject=connect:error=ECONNRESET:when=$n"
		points=$((points + 1))
		[ "$traced $code" = "yes 0" ] && [ -e root/mapper/root ] && [ -e root/mapper/data ] && [ "$(pcr sha256:15)" = "$wanted" ] ||
			{ echo "command $n: struck $traced, exit $code, PCR 15 $(pcr sha256:15)"; cat err; } >>problems
	fi
	n=$((n + 1))
done
check "a connection that breaks at one of $points commands costs no volume, and neither cap nor outcome" eval '[ ! -s problems ] && [ $points -ge 8 ]'
[ ! -s problems ] || sed 's/^/# /' problems

# --- several break in a row, the new ones among them: that may cost volumes, the outcome, and the cap, but then nothing is open
rm -f problems
judge() {
	[ "$traced" = yes ] && ! grep -q "killed by" trace && [ "$(grep -c . err)" -ge 2 ] || return 1
	case $code in
	0) [ -e root/mapper/root ] && [ -e root/mapper/data ] && grep -q '"result":"ok"' $record ;;
	8 | 12) [ ! -e root/mapper/root ] || [ ! -e root/mapper/data ] && grep -q '"result":"failed"' $record ;;
	*) return 1 ;;
	esac && { nothing_open && [ ! -e root/mapper/data ] || ! zero sha256:15; }
}
n=1 points=0 opened=0
while [ $n -le "$total" ]; do
	for len in 2 3 4; do
		[ $(((n + len) % 5)) = 0 ] || continue
		boot
		traced -e "inject=connect:error=ECONNRESET:when=$n..$((n + len - 1))"
		points=$((points + 1))
		[ ! -e root/mapper/data ] || opened=$((opened + 1))
		judge || { echo "commands $n to $((n + len - 1)): struck $traced, exit $code, PCR 15 $(pcr sha256:15), $(grep "killed by" trace)"; cat err; } >>problems
	done
	n=$((n + 1))
done
check "two to four connections in a row, at $points places: an error and no crash, and the later volume opens in $opened" eval \
	'[ ! -s problems ] && [ $points -ge 15 ] && [ $opened -ge 8 ] && [ $opened -lt $points ]'
[ ! -s problems ] || sed 's/^/# /' problems
rm -f problems root/dev/disk2 root/boot/data.sealed

# --- the power fails while the secret is sealed anew: the budget has changed, so it is due in every boot with the broker. Without its creation data
# the file is one of an earlier kernel under a signed policy: only the pin speaks for it.
budget="offline-index = 0x01800010
offline-boots = 1000
pin-index = 0x01800011"
strip() {
	sed -i 's/,"creation_data":"[^"]*","creation_ticket":"[^"]*"//' root/boot/root.sealed
}
away() {
	kept_url=$url kept_pin=$pin
	url=https://127.0.0.1:1
	config now kbs-or-vtpm "$budget"
	sed -i 's/^fallback-after.*/fallback-after = 100ms/' root/etc/now.conf
	url=$kept_url pin=$kept_pin
}
there() {
	config now kbs-or-vtpm "$budget"
}
broker "" "$(printf '{"type":"cryptattest-secret","version":1,"name":"root","uuid":"%s","vk_id":"%s","passphrase":"%s","may_reseal":true,"sealed_secret":{"keyslot":1,"passphrase":"%s"}}' \
	"$uuid" "$vk_id" "$(base64 -w0 <kbs.pass)" "$(base64 -w0 <vtpm.pass)")"
there
boot
rm -f root/boot/root.sealed
run now unlock root
check "sealed by a boot with the broker, and named in the pin" eval '[ $code = 0 ] && is_open kbs && grep -q "\"sealed\":\"resealed\"" $record'
strip
offline() {
	away
	boot
	run now unlock root
}
offline
check "opened by what the pin says alone" eval '[ $code = 0 ] && is_open vtpm'
there
boot
traced
cp trace steps
files=$(ls root/boot)
check "the budget is restored" eval '[ $code = 0 ] && is_open kbs && grep -q "\"sealed\":\"resealed\"" $record'
strip
points=0
for kind in connect fsync rename renameat renameat2; do
	total=$(grep -c "^$kind(" steps)
	n=1
	while [ $n -le "$total" ]; do
		# Files are few; of the commands every sixth, and those before the file is written.
		if [ $kind != connect ] || chosen $n "$total" 6 9; then
			offline
			[ "$code" = 0 ] && is_open vtpm || { echo "before $kind $n: exit $code"; cat err; } >>problems
			there
			boot
			traced -e "inject=$kind:signal=KILL:when=$n"
			[ $traced = no ] || points=$((points + 1))
			[ "$(ls root/boot)" = "$files" ] || echo "$kind $n: $(ls root/boot)" >>problems
			strip
		fi
		n=$((n + 1))
	done
done
offline
[ "$code" = 0 ] && is_open vtpm || { echo "after the last: exit $code"; cat err; } >>problems
check "killed at $points steps: the next boot without the broker opens the volume by the older or the newer secret" eval '[ ! -s problems ] && [ $points -ge 15 ]'
[ ! -s problems ] || sed 's/^/# /' problems
there
boot
run now unlock root
check "and a boot with the broker seals anew" eval '[ $code = 0 ] && is_open kbs && grep -q "\"sealed\":\"resealed\"" $record'
broker
plan $count
