#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Sixty-four data disks: one call, one handshake, one connection's worth of requests, and every disk with the key that is its own.
. "$TOP_SRCDIR/tests/loopback/server.sh"
disks=64
plan 6

(umask 077 && printf 'sixteen bytes and some more' >disk.pass)
volume disk
measured
server kbs
rule 'default/vm/*' "$measurement" "shared = yes" "test = yes" | policy kbs
n=1
while [ $n -le $disks ]; do
	cp --sparse=always root/disk.img "root/disk$n"
	cryptsetup luksUUID --batch-mode --uuid "$(printf '11111111-2222-4333-8444-5555555555%02x' $n)" "root/disk$n" &&
		"$agent" document "/disk$n" --name "d$n" --key-file disk.pass >doc &&
		"$kbsd" resource add --dir kbs --document "default/vm/d$n" <doc || bail "disk $n"
	n=$((n + 1))
done
reload kbs
{
	printf '[agent]\ndeadline = 2m\n[kbs main]\nurl = https://127.0.0.1:%s\n' "$port"
	grep ^pin kbs.init
	echo "key = ec-p256"
	n=1
	while [ $n -le $disks ]; do
		printf '[volume d%d]\ndevice = /disk%d\nsecret = main:default/vm/d%d\nphase = system\n' $n $n $n
		n=$((n + 1))
	done
} >root/etc/many.conf

check "all are opened by one call" "$agent" unlock --all --boot --config /etc/many.conf
check "each has its mapping" eval '[ "$(ls root/mapper | grep -c "^d[0-9]")" = $disks ]'
check "by one handshake" eval '[ "$(grep -c attested kbs.log)" = 1 ]'
check "and one release each" eval '[ "$(grep -c "released default/vm/d" kbs.log)" = $disks ]'
check "the record has them all" eval '[ "$("$agent" status --json | grep -o "\"state\": *\"open\"" | wc -l)" = $disks ]'
# One of them is somebody else's: the rest opens, the call says which.
"$agent" lock d7 --config /etc/many.conf && cp --sparse=always root/disk8 root/disk7
check "a swapped disk among them is named: exit 9" eval \
	'"$agent" unlock --all --boot --config /etc/many.conf 2>err; [ $? = 9 ] && grep -q "d7: .*document-uuid" err'
