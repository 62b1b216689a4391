#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Failure reports that go to a server of the owner's (report-url), over real TLS: what is in them, which server gets them, that one that is
# dead, slow or another changes nothing. And reports of runs that could not end: stuck at the deadline, killed, terminated.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup jq
bin=$(cd "$bin" && pwd)
machine mapper proc sys/class/dmi/id
machine_tee
: >root/dev/kmsg
: >root/etc/initrd-release
echo root=/dev/mapper/root >root/proc/cmdline
echo 01234567-89AB-CDEF-0123-456789abcdef >root/sys/class/dmi/id/product_uuid
printf %s correct-horse-battery-staple >pass
new_volume root/dev/disk pass
wrong=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

# conf NAME DEADLINE ON-FAILURE [AGENT-LINE...]
conf() {
	file=$1/etc/test.conf
	printf '[agent]\ndeadline = %s\non-failure = %s\n' "$2" "$3" >"$file"
	shift 3
	for line; do printf '%s\n' "$line"; done >>"$file"
	printf '[kbs main]\nurl = %s\npin = %s\nkey = ec-p256\n' "$url" "$pin" >>"$file"
	printf '[volume root]\ndevice = /dev/disk\nsecret = main:default/vm/root\n' >>"$file"
}
# boot NAME: sets code and took, in seconds
boot() {
	rm -rf "$1/run" "$1/mapper" report
	mkdir "$1/run" "$1/mapper"
	took=$(date +%s)
	CRYPTATTEST_TEST_ROOT=$tmp/$1 timeout 60 "$agent" unlock --all --boot --config /etc/test.conf >out 2>err </dev/null
	code=$?
	took=$(($(date +%s) - took))
}
# counted NAME: of the server that has just been stopped
counted() {
	sed -n "s/.* $1=\([0-9]*\).*/\1/p" counts
}
stop_kbs() {
	exec 9>&-
	wait "$kbs"
	kbs=
}
said() { # TEXT: one line about the sending
	[ "$(grep -Ec "report: (sent|not sent|not taken)" err)" = 1 ] && grep -q "$1" err
}

# --- the stuck machines are started first, since their deadline is to be waited for: opening a FIFO that nobody writes to does not end
url=https://127.0.0.1:1 pin=$wrong
for name in overdue restarts killed; do
	cp -a root $name
	rm $name/proc/cmdline
	mkfifo $name/proc/cmdline
done
conf overdue 1s continue
conf restarts 1s reboot
conf killed 10m reboot
for name in overdue restarts killed; do
	mkfifo $name.status
	(
		CRYPTATTEST_TEST_ROOT=$tmp/$name timeout 60 "$agent" unlock --all --boot --config /etc/test.conf --status-fd 8 >$name.out 2>$name.err </dev/null 8>$name.events
		echo $? >$name.code
	) &
	eval "$name=\$!"
done
cp -a root terminated
conf terminated 10m continue
CRYPTATTEST_TEST_ROOT=$tmp/terminated "$agent" unlock --all --boot --config /etc/test.conf --status-fd 8 >terminated.out 2>terminated.err </dev/null 8>terminated.events &
terminated=$!

# --- the server
# shellcheck disable=SC2154 # start_kbs sets url and pin
{
start_kbs "attest unread; get error PolicyDeny Access denied by policy" correct-horse-battery-staple
broker=$url broker_pin=$pin
}
conf root 3s continue
boot root
check "off by default: nothing is sent, nothing is said of it" all '[ $code = 4 ]' '[ ! -e report ]' '! grep -Eq "report: (not )?(sent|taken)" err'
conf root 3s continue "report-url = $url/hook/boot" "report-pin = $pin"
boot root
check "a failed boot is told to the server, which takes it" all '[ $code = 4 ]' 'said "report: sent to $url/hook/boot"' '[ -s report ]'
check "as one JSON object of at most 8 KiB" all '[ "$(wc -c <report)" -le 8192 ]' 'jq -e . report >/dev/null' '! LC_ALL=C grep -q "[^ -~]" report'
check "with ids, step and machine" all '[ "$(jq -r .type report)" = cryptattest-failure-report ]' '[ "$(jq .version report)" = 1 ]' '[ "$(jq .exit report)" = 4 ]' \
	'[ "$(jq -r ".volumes[0] | .name, .state, .error.id, .error.class" report | tr "\n" " ")" = "root failed kbs-policy-deny refused " ]' \
	'[ "$(jq -r ".volumes[0].uuid" report)" = "$(cryptsetup luksUUID root/dev/disk)" ]' '[ "$(jq -r .smbios_uuid report)" = 01234567-89AB-CDEF-0123-456789abcdef ]' \
	'jq -e ".volumes[0].error.hint | length > 10" report' '[ "$(jq ".facts | length" report)" = 4 ]' 'jq -r .boot_id report | grep -Eq "^[0-9a-f-]{36}$"'
check "and no secret" all '! grep -qF correct-horse-battery-staple report' '! grep -qF "$(base64 <pass)" report'
check "the last line stands before it" sh -c 'sed -n "/report: /q;p" err | tail -n 1 | grep -q "the boot goes on"'
i=0
cp root/etc/test.conf test.conf
while [ $i -lt 60 ]; do
	printf '[volume v%s-with-a-name-that-is-rather-long]\ndevice = PARTLABEL=absent-%s\nsecret = main:default/vm/v%s\n' $i $i $i
	i=$((i + 1))
done >>root/etc/test.conf
boot root
check "sixty volumes: 8 KiB, and how many are left out" all '[ $code = 7 ]' 'said "report: sent"' '[ "$(wc -c <report)" -le 8192 ]' '[ "$(wc -c <report)" -gt 6000 ]' \
	'[ "$(jq ".left_out + (.volumes | length)" report)" = 61 ]' '[ "$(jq -r "[.volumes[].state] | unique[]" report)" = failed ]'
cp test.conf root/etc/test.conf
sed -i '/^report-pin/d' root/etc/test.conf
boot root
check "neither pin nor CA: a configuration error, exit 2" all '[ $code = 2 ]' 'grep -q "report-url needs report-pin or report-ca" err' '[ ! -e report ]'
for line in "report-url = http://127.0.0.1:1/" "report-pin = $pin" "report-url = $url|report-pin = $pin|report-server-name = x"; do
	# shellcheck disable=SC2046 # no blanks but those
	conf root 3s continue "$(echo "$line" | tr '|' '\n')"
	boot root
	check "refused: ${line%%=*}" all '[ $code = 2 ]' 'grep -q "test.conf:" err'
done
cp ca.pem root/etc/ca.pem
conf root 3s continue "report-url = https://localhost:${url##*:}" "report-ca = /etc/ca.pem"
boot root
check "by its authority and name" all '[ $code = 4 ]' 'said "report: sent to https://localhost"' '[ -s report ]'
conf root 3s continue "report-url = $url" "report-ca = /etc/ca.pem" "report-server-name = other.example"
boot root
check "not when the name is another" all '[ $code = 4 ]' 'said "report-identity"' '[ ! -e report ]'
conf root 3s continue "report-url = $url" "report-pin = $wrong"
boot root
check "nor when the key is another" all '[ $code = 4 ]' 'said "report: not sent to .*\[report-identity\]; to do: "' '[ ! -e report ]'
conf root 3s continue "report-url = https://127.0.0.1:1/" "report-pin = $pin"
boot root
check "nobody there: one line, the exit code is that of the run" all '[ $code = 4 ]' 'said "\[report-send\]"'
sed -i "s/^pin = .*/pin = $(echo $wrong | sed 's/\//\\\//g')/; s/^report-url.*/report-url = $(echo "$url" | sed 's/\//\\\//g')/" root/etc/test.conf
boot root
check "a broker that is another one: the report goes to its own server, exit 10" all '[ $code = 10 ]' 'said "report: sent"' '[ "$(jq .exit report)" = 10 ]' \
	'[ "$(jq -r ".volumes[0].error.id" report)" = tls-identity ]'
stop_kbs
check "the server saw as many as were sent" all '[ "$(counted report)" = 4 ]'

start_kbs "report status 503; report stall; report redirect https://127.0.0.1:1/"
report_url=$url report_pin=$pin url=$broker pin=$broker_pin
conf root 1s continue "report-url = $report_url" "report-pin = $report_pin"
boot root
check "a server that does not take it" all '[ $code = 5 ]' 'said "report: not taken by .* HTTP status 503 \[report-status\]"'
boot root
check "one that never answers is given ten seconds, with the deadline long past" all '[ $code = 5 ]' 'said "\[report-send\]"' '[ $took -ge 9 ]'
boot root
check "one that sends it elsewhere is not followed" all '[ $code = 5 ]' 'said "HTTP status 302"'
conf root 1s poweroff "report-url = $report_url" "report-pin = $report_pin"
boot root
check "before the machine goes off" all '[ "$(cat root/power)" = poweroff ]' 'said "HTTP status 302"'
: >root/etc/initrd-release
rm -f root/power
CRYPTATTEST_TEST_ROOT=$tmp/root timeout 60 "$agent" unlock root --config /etc/test.conf >out 2>err
code=$?
check "not without --boot" all '[ $code = 5 ]' '! grep -q report: err'
stop_kbs

# --- runs that could not end
report_of() { # NAME
	report=$1/run/cryptattest/failure.txt
	[ "$(stat -c %a "$report")" = 600 ] && [ "$(stat -c %s "$report")" -le 8192 ] && ! LC_ALL=C grep -q '[^ -~]' "$report" &&
		grep -q '^exit 5: ' "$report" && grep -q '^machine: Linux ' "$report" && grep -q '^broker main: ' "$report"
}
wait_for 'grep -q "\"phase\":\"header\",\"event\":\"end\"" killed.events && tail -n 1 killed.events | grep -q "\"phase\":\"preflight\",\"event\":\"start\""'
child_of() {
	cut -d' ' -f1 "/proc/$1/task/$1/children"
}
kill -KILL "$(child_of "$(child_of "$killed")")" || bail "no agent to kill"
wait "$killed"
wait_for '[ -s killed/run/cryptattest/failure.txt ] && grep -q failure.txt killed/dev/kmsg'
check "SIGKILL: the guardian reports what the run was at" all 'report_of killed' 'grep -q "^run: internal \[killed\]: " $report' \
	'grep -q "^time: .*; unfinished: preflight since [0-9]* ms$" $report' 'grep -q "report: .*machine: Linux" killed/dev/kmsg' \
	'grep -q "report: the whole is /run/cryptattest/failure.txt" killed/dev/kmsg'
wait_for 'grep -q "net" terminated.events'
kill -TERM $terminated
wait $terminated
code=$?
check "SIGTERM: exit 5, and the run reports itself" all '[ $code = 5 ]' 'report_of terminated' 'grep -q "^volume root .* failed at .*\[cancelled\]" $report' \
	'grep -q "report: the whole is" terminated.err'
wait "$overdue"
check "a step that hangs past the deadline: exit 5 by itself, reported" all '[ "$(cat overdue.code)" = 5 ]' 'report_of overdue' 'grep -q "^run: timeout \[overdue\]: " $report' \
	'grep -q "; unfinished: preflight since" $report' 'grep -q "out of time" overdue.err' 'grep -q preflight overdue/run/cryptattest/timeline.json' 'grep -q "the agent is out of time in a step that does not end" overdue/dev/kmsg' \
	'grep -q "report: the whole is" overdue/dev/kmsg' '[ "$(grep -c "report: the whole is" overdue/dev/kmsg)" = 1 ]' 'grep -q "\"result\":\"failed\"" overdue/run/cryptattest/status.json'
wait "$restarts"
check "and before the machine restarts" all 'report_of restarts' 'grep -q "^run: timeout \[overdue\]: " $report' '[ "$(cat restarts/power)" = reboot ]' \
	'grep -q "report: the whole is" restarts/dev/kmsg'
check "none of them holds a passphrase" sh -c '! grep -rqF correct-horse-battery-staple ./*/run ./*/dev/kmsg ./*.err'
plan $count
