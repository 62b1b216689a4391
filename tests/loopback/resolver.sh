#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The transport child is older than /etc/resolv.conf, which the boot scripts write when a lease arrives: it must see the new
# file without being told. In a network of its own; a silent name server must not hold a request beyond its time either.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
if [ "$1" != inside ]; then
	[ "$(id -u)" = 0 ] || skip_all "needs root for a network namespace"
	command -v ip >/dev/null || skip_all "needs ip"
	unshare -mn ip link set lo up 2>/dev/null || skip_all "may not make a network namespace"
	unshare -mn sh "$0" inside # not exec: what is in $tmp goes away
	exit
fi
plan 4
ip link set lo up
echo "nameserver 127.0.0.9" >"$tmp/resolv.conf"
mount --bind "$tmp/resolv.conf" /etc/resolv.conf || exit 1
echo "hosts: dns" >"$tmp/nsswitch.conf"
mount --bind "$tmp/nsswitch.conf" /etc/nsswitch.conf || exit 1
"$bin/dnsd" &
dns=$!
start_kbs "" resolved
port=${url##*:}

"$bin/kbsclient" --deadline 1500 --pin "$pin" "https://broker.test:$port" default/a/root >"$tmp/out" 2>"$tmp/err"
check "no name server: unreachable, by name" grep -q '^unreachable net-dns' "$tmp/out"
"$bin/kbsclient" --print --deadline 20000 --pin "$pin" "https://broker.test:$port" default/a/root >"$tmp/out" 2>"$tmp/err" &
client=$!
wait_for "grep -q retry $tmp/err"
echo "nameserver 127.0.0.1" >"$tmp/resolv.conf"
wait $client
check "a resolv.conf written later is seen" test "$(cat "$tmp/out")" = "ok
resolved"
# Frozen, the name server takes the question and says nothing: 5 s and two tries are the resolver's own idea of patience.
kill -STOP $dns
before=$(date +%s)
"$bin/kbsclient" --deadline 1000 --pin "$pin" "https://broker.test:$port" default/a/root >"$tmp/out" 2>"$tmp/err"
took=$(($(date +%s) - before))
kill -KILL $dns
check "a silent name server does not hold the deadline up ($took s)" test "$took" -le 8
check "and it is the name server that is named" grep -q '^unreachable net-dns.*DNS: .*no name server answers' "$tmp/out"
