#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# systemd's key-file socket (C12): served as a unit with Accept=yes does, asked as systemd-cryptsetup asks. By the path that crypttab or rd.luks.key=
# names, and by the symbolic link that its own lookup finds; the volume is the one that the name of its end says, and who would read another header
# than the audited one gets nothing.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup socat
machine run/cryptattest etc/cryptattest
printf 'sixteen bytes and some more' >root/etc/pass
chmod 600 root/etc/pass
new_volume root/root.img root/etc/pass
cat >root/etc/test.conf <<-X
	[agent]
	profile = bare-metal
	[volume root]
	device = /root.img
	secret = file:/etc/pass
X
mkdir keys.d
ln -s "$tmp/key.sock" keys.d/root.key
copy=header=/run/cryptattest/header/root
cat >serve <<-X
	#!/bin/sh
	"$agent" key --peer --config /etc/test.conf 2>"$tmp/err"
	echo \$? >"$tmp/code"
X
chmod +x serve
plan 14

# asked CODE ID SOCKET VOLUME OPTIONS: by such a command line; on a failure nothing comes
asked() {
	rm -f key.sock code
	timeout 60 socat "UNIX-LISTEN:key.sock,mode=600" "EXEC:$tmp/serve,nofork" &
	server=$!
	wait_for "[ -S key.sock ]"
	"$bin/keypeer" attach "$4" "$root/root.img" "$3" "$5" >out
	wait $server
	echo "exit $(cat code)"
	[ "$(cat code)" = "$1" ] || return 1
	if [ "$1" = 0 ]; then
		cmp out root/etc/pass
	else
		[ ! -s out ] && grep -q "\[$2\]" err
	fi
}

check "no header was prepared: exit 9, nothing comes" asked 9 key-header "$tmp/key.sock" root "$copy"
agent unlock --prepare root
check "the header is prepared" [ "$code" = 0 ]
check "the passphrase comes by the socket's path, no byte more" asked 0 - "$tmp/key.sock" root "$copy,tries=1"
check "and by the symbolic link that the lookup finds" asked 0 - "$tmp/keys.d/root.key" root "tries=1,$copy"
check "by root's link, but for a volume that is not configured: exit 2" asked 2 volume-unknown "$tmp/keys.d/root.key" data "$copy"
check "who would read the header from the disk: exit 9" asked 9 key-header "$tmp/key.sock" root tries=1
check "who has no options at all" asked 9 key-header "$tmp/key.sock" root ""
check "who would read another volume's header" asked 9 key-header "$tmp/key.sock" root header=/run/cryptattest/header/data
check "who names two headers" asked 9 key-header "$tmp/key.sock" root "$copy,header=/dev/vdb"
check "whose only header is part of another option" asked 9 key-header "$tmp/key.sock" root "x-note=a\\,$copy"
for kind in tpm2 fido2 pkcs11; do
	check "who asks for something to be used with $kind: exit 9" eval "PEER_KIND=cryptsetup-$kind asked 9 key-peer '$tmp/key.sock' root '$copy'"
done
check "nothing is mapped" [ -z "$(ls root/mapper)" ]
