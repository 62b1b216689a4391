#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The failure report of `unlock --boot`: what it says of real failures, what it never says, and its bounds.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup
machine proc mapper
machine_tee
: >root/dev/kmsg
: >root/etc/initrd-release
echo root=/dev/mapper/root >root/proc/cmdline
printf %s correct-horse-battery-staple >pass
report=root/run/cryptattest/failure.txt
new_volume root/dev/disk pass

conf() { # URL PIN
	printf '[agent]\ndeadline = 2s\non-failure = continue\n[kbs main]\nurl = %s\npin = %s\nkey = ec-p256\n' "$1" "$2" >root/etc/test.conf
	printf '[volume root]\ndevice = /dev/disk\nsecret = main:default/vm/root\n' >>root/etc/test.conf
}
boot() {
	rm -rf root/run root/mapper
	mkdir root/run root/mapper
	timeout 60 "$agent" unlock --all --boot --config /etc/test.conf >out 2>err </dev/null
	code=$?
}
in_bounds() {
	[ "$(stat -c %a $report)" = 600 ] && [ "$(stat -c %s $report)" -le 8192 ] && ! LC_ALL=C grep -q '[^ -~]' $report &&
		! grep -qF correct-horse-battery-staple $report err
}

# shellcheck disable=SC2154 # start_kbs
{
start_kbs "attest unread; get error PolicyDeny Access denied by policy" correct-horse-battery-staple
conf "$url" "$pin"
}
boot
check "a refusal: exit 4, by its id, with step and device" all '[ $code = 4 ]' 'in_bounds' 'grep -q "^cryptattest [0-9.]*, failure report 1$" $report' \
	'grep -q "^exit 4: refused by the verifier" $report' 'grep -q "^volume root (mode kbs, .*/dev/disk) failed at .*: refused \[kbs-policy-deny\]: " $report' \
	'grep -qF "broker main: $url, known by pinned key" $report' 'grep -q "^evidence: " $report' 'grep -q "^time: [0-9]* ms in all" $report'
check "the facts are in the log as well, and where the whole is" all 'grep -q "report: .* | machine: Linux .* | network: link " err' \
	'grep -q "report: the whole is /run/cryptattest/failure.txt" err' '[ "$(grep -c "kbs-policy-deny" err)" = 1 ]'
# The kernel takes ten lines in five seconds: why, and what happens now, come first; the report is a few.
check "what happens next is said before it, and it is three lines" all '[ "$(grep -c "report: " err)" -le 3 ]' \
	'sed -n "/report: /q;p" err | tail -n 1 |
		grep -q "^cryptattest: error: the boot goes on without these volumes: refused by the verifier (on-failure = continue): root: .*policy"' \
	'grep -q "error: root: .*kbs-policy-deny.*; to do: " err'
conf https://127.0.0.1:1 "$pin"
boot
check "nobody answers: exit 5" all '[ $code = 5 ]' 'in_bounds' 'grep -q "^volume root .*: unreachable \[" $report' 'grep -q "127.0.0.1:1" $report'
conf "$url" sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
boot
check "another server: exit 10" all '[ $code = 10 ]' 'in_bounds' 'grep -q "^volume root .*; to do: " $report'
rm root/tee/kind
conf "$url" "$pin"
boot
check "no evidence: exit 11" all '[ $code = 11 ]' 'in_bounds' 'grep -q "^evidence: none \[" $report'
i=0
while [ $i -lt 60 ]; do
	printf '[volume v%s-with-a-name-that-is-rather-long]\ndevice = PARTLABEL=absent-%s\nsecret = main:default/vm/v%s\n' $i $i $i
	i=$((i + 1))
done >>root/etc/test.conf
boot
check "sixty volumes: 8 KiB, whole lines, and how many are left out" all '[ $code = 7 ]' 'in_bounds' '[ "$(stat -c %s $report)" -gt 6000 ]' \
	'tail -n 1 $report | grep -q "^left out for room: [0-9]* lines$"' \
	'[ $(($(grep -c "^volume " $report) + $(sed -n "s/^left out for room: \([0-9]*\).*/\1/p" $report))) = 61 ]'
conf "$url" "$pin"
rm -rf root/run root/mapper
mkdir root/run root/mapper
timeout 60 "$agent" unlock root --config /etc/test.conf >out 2>err
check "not without --boot" all '[ ! -e $report ]' '! grep -q report: err'
echo "1..$count"
