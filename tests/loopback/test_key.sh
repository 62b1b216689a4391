#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Passphrases for stock tools (C12): `unlock --prepare` leaves the audited header, `key` gives the passphrase to a pipe, and stock cryptsetup
# opens with both; what would let it read another header, or get the passphrase after the boot phase, is refused with nothing printed.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup
machine mapper proc/sys/kernel/random
echo 11111111-2222-4333-8444-555555555599 >root/proc/sys/kernel/random/boot_id
header=root/run/cryptattest/header/root
printf 'sixteen bytes and some more' >root/etc/pass
printf 'another passphrase of the owner' >other
chmod 600 root/etc/pass
new_volume root/root.img root/etc/pass
cat >root/etc/test.conf <<-X
	[agent]
	profile = bare-metal
	[volume root]
	device = /root.img
	secret = file:/etc/pass
X
plan 16

# key CODE ID: stdout is a pipe; on a failure nothing comes through it
key() {
	{
		"$agent" key root --config /etc/test.conf 2>err
		echo $? >code
	} | cat >out
	[ "$(cat code)" = "$1" ] || return 1
	[ "$1" = 0 ] || { [ ! -s out ] && grep -q "\[$2\]" err; }
}
prepare() { "$agent" unlock --prepare root --config /etc/test.conf >out 2>err; }
opens() { cryptsetup open --test-passphrase --type luks2 --header "$header" --key-file out root/root.img; }
nothing_mapped() { [ -z "$(ls root/mapper)" ]; }

check "no header was prepared: exit 9, nothing printed" key 9 key-header
check "--prepare audits and leaves the header" prepare
check "nobody else may read it, and nothing is mapped" eval '[ "$(stat -c %a "$header")" = 600 ] && nothing_mapped'
check "the passphrase comes through a pipe, no byte more" eval 'key 0 && cmp out root/etc/pass'
check "stock cryptsetup opens with both" opens
check "nothing of ours is mapped" nothing_mapped
check "a file gets nothing" eval '! "$agent" key root --config /etc/test.conf >file 2>err && grep -q key-terminal err && [ ! -s file ]'
check "no volume, no passphrase: usage" eval '! "$agent" key --config /etc/test.conf 2>err | grep -q . && grep -q "which volume" err'
check "a pipe is no socket of systemd-cryptsetup" eval '! "$agent" key --peer --config /etc/test.conf 2>err | grep -q . && grep -q key-peer err'

cp root/etc/test.conf test.conf
cat >>root/etc/test.conf <<-X
	mode = vtpm
	sealed = /etc/root.sealed
	[vtpm]
	pcrs = 4 7
	srk-name = 000b$(printf '%064d' 1)
	[volume data]
	device = /data.img
	secret = file:/etc/pass
X
sed -i '0,/^secret/{/^secret/d}' root/etc/test.conf
check "a sealed secret and another volume that would come after the cap: exit 2" key 2 key-several
mv test.conf root/etc/test.conf

cp "$header" good
printf x | dd of="$header" bs=1 seek=300000 conv=notrunc status=none
check "a copy that somebody changed: exit 9" key 9 key-header
cp good "$header"
chmod 666 "$header"
check "a copy that others may write: exit 9" key 9 key-header
chmod 600 "$header"
cryptsetup luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file root/etc/pass root/root.img other
check "a disk that changed since: exit 9" key 9 key-header
check "and is prepared again" eval 'prepare && key 0 && opens'

if missing=$(swtpm_missing); then
	skip_rest 16 "no $missing"
fi
swtpm_start tpm || bail "no TPM"
echo "$swtpm_path" >root/dev/tpm-swtpm
check "the boot phase ends" "$agent" cap --config /etc/test.conf
check "then nothing is given out any more: exit 12" key 12 capped
swtpm_stop
