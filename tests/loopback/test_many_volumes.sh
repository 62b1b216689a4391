#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Sixty-four data disks: one call, one handshake, one connection's worth of requests, and every disk with the key that is its own.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v cryptsetup >/dev/null || skip_all "no cryptsetup program (package cryptsetup-bin)"
kbsd=$TOP_BUILDDIR/cryptattest-kbs
[ -x "$kbsd" ] || skip_all "built without the server"
agent=$TOP_BUILDDIR/cryptattest-test
pki=$TOP_BUILDDIR/tests/pki
"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" init "$pki" || bail "no test PKI"
disks=64
chmod 0755 "$tmp"
cp "$pki/roots.pem" "$tmp/roots.pem"
root=$tmp/root
CRYPTATTEST_TEST_ROOT=$root
export CRYPTATTEST_TEST_ROOT
mkdir -p "$root/etc" "$root/run" "$root/tee" "$root/proc/sys/kernel/random"
echo 11111111-2222-4333-8444-555555555599 >"$root/proc/sys/kernel/random/boot_id"
echo snp >"$root/tee/kind"
echo "$pki" >"$root/tee/pki-dir"
plan 6

user=
[ "$(id -u)" -ne 0 ] || user="--user nobody"
# shellcheck disable=SC2086 # words
"$kbsd" init --ip 127.0.0.1 $user "$tmp/kbs" >"$tmp/kbs.init" || bail init
(umask 077 && printf 'sixteen bytes and some more' >"$tmp/pass")
truncate -s 24M "$root/disk"
cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$tmp/pass" "$root/disk" || bail luksFormat
measurement=$("$agent" evidence --json 2>/dev/null | sed -n 's/.*"measurement": *"\([0-9a-f]*\)".*/\1/p')
install -m 600 -o "$(stat -c %u "$tmp/kbs")" -g "$(stat -c %g "$tmp/kbs")" /dev/null "$tmp/kbs/policy.conf"
cat >"$tmp/kbs/policy.conf" <<-X
	[resource default/vm/*]
	tee = snp
	measurement = $measurement
	covers = kernel+initrd+cmdline
	shared = yes
	min-tcb = milan bootloader:4 tee:0 snp:24 microcode:219
	test = yes
X
n=1
while [ $n -le $disks ]; do
	cp --sparse=always "$root/disk" "$root/disk$n"
	cryptsetup luksUUID --batch-mode --uuid "$(printf '11111111-2222-4333-8444-5555555555%02x' $n)" "$root/disk$n" &&
		"$agent" document "/disk$n" --name "d$n" --key-file "$tmp/pass" >"$tmp/doc" &&
		"$kbsd" resource add --dir "$tmp/kbs" --document "default/vm/d$n" <"$tmp/doc" || bail "disk $n"
	n=$((n + 1))
done
"$kbsd" serve --dir "$tmp/kbs" --listen 127.0.0.1:0 --test-root "$tmp/roots.pem" >"$tmp/kbs.log" 2>&1 &
kbs=$!
wait_for "grep -q 'listening on' $tmp/kbs.log"
port=$(sed -n 's|.*listening on https://127\.0\.0\.1:\([0-9]*\).*|\1|p' "$tmp/kbs.log" | head -n 1)
{
	printf '[agent]\ndeadline = 2m\n[kbs main]\nurl = https://127.0.0.1:%s\n' "$port"
	grep ^pin "$tmp/kbs.init"
	echo "key = ec-p256"
	n=1
	while [ $n -le $disks ]; do
		printf '[volume d%d]\ndevice = /disk%d\nsecret = main:default/vm/d%d\nphase = system\n' $n $n $n
		n=$((n + 1))
	done
} >"$root/etc/many.conf"

check "all are opened by one call" "$agent" unlock --all --boot --config /etc/many.conf
check "each has its mapping" eval '[ "$(ls "$root/mapper" | grep -c "^d[0-9]")" = $disks ]'
check "by one handshake" eval '[ "$(grep -c attested "$tmp/kbs.log")" = 1 ]'
check "and one release each" eval '[ "$(grep -c "released default/vm/d" "$tmp/kbs.log")" = $disks ]'
check "the record has them all" eval '[ "$("$agent" status --json | grep -o "\"state\": *\"open\"" | wc -l)" = $disks ]'
# One of them is somebody else's: the rest opens, the call says which.
"$agent" lock d7 --config /etc/many.conf && cp --sparse=always "$root/disk8" "$root/disk7"
check "a swapped disk among them is named: exit 9" eval \
	'"$agent" unlock --all --boot --config /etc/many.conf 2>"$tmp/err"; [ $? = 9 ] && grep -q "d7: .*document-uuid" "$tmp/err"'
