#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# What a handshake opens, and what it prints: the system's certificate store and OpenSSL's configuration are never touched,
# no key log is written, and the secret appears in no output.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
command -v strace >/dev/null || skip_all "strace is not installed"
strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
plan 8

secret=velvet-underground-7f3a91
start_kbs "get*3 ok; get plain; get ok" "$secret"
SSLKEYLOGFILE=$tmp/keylog SSL_CERT_FILE=/etc/ssl/cert.pem OPENSSL_CONF=/etc/ssl/openssl.cnf CURL_HOME=$tmp
export SSLKEYLOGFILE SSL_CERT_FILE OPENSSL_CONF CURL_HOME

trace_client() {
	strace -f -o "$tmp/$1" "$bin/kbsclient" --print --key "$2" --"$3" "$4" "$url" default/a/root >"$tmp/out" 2>"$tmp/err"
}

trace_client ca.trace ec-p256 ca "$tmp/ca.pem"
check "the client works under strace (CA)" test "$(cat "$tmp/out")" = "ok
$secret"
trace_client pin.trace ec-p256 pin "$pin"
check "the client works under strace (pin)" test "$(cat "$tmp/out")" = "ok
$secret"
# The child's own part: everything after it became nobody's process. The parent is ordinary OpenSSL with its configuration.
child=$(sed -n 's/^\([0-9]*\) .*PR_SET_NAME, "cryptattest-net".*/\1/p' "$tmp/ca.trace")
check "the trace shows the transport child" test -n "$child"
grep -hE 'open(at)?\(|stat|access\(|readlink' "$tmp/ca.trace" "$tmp/pin.trace" >"$tmp/opened"
check "the trace shows files being opened" grep -q '/etc/' "$tmp/opened"
check "no certificate store is opened" sh -c "! grep -E 'ssl/certs|ca-certificates|cert\.pem|/pki/' '$tmp/opened'"
grep -hE "^$child .*open" "$tmp/ca.trace" >"$tmp/opened-by-child"
check "the child reads no OpenSSL configuration" sh -c "! grep openssl.cnf '$tmp/opened-by-child'"
check "no key log is written" test ! -e "$tmp/keylog"

# Failures are talkative, and never about the secret: an answer that is the bare secret, at debug level.
"$bin/kbsclient" --ca "$tmp/ca.pem" "$url" default/a/root >"$tmp/out" 2>"$tmp/err"
"$bin/kbsclient" --deadline 300 --pin "$pin" "$url" default/a/root >>"$tmp/out" 2>>"$tmp/err"
hidden=$(printf %s "$secret" | base64)
check "the secret is in no output" sh -c "grep -q 'not an encrypted' '$tmp/err' && ! grep -e '$secret' -e '$hidden' '$tmp/out' '$tmp/err'"
