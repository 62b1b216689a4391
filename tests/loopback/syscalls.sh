#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# What a handshake prints, and what it opens: the secret appears in no output, the system's certificate store and OpenSSL's
# configuration are never touched, no key log is written.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
plan 8

secret=velvet-underground-7f3a91
start_kbs "get plain; get ok" "$secret"
SSLKEYLOGFILE=$tmp/keylog SSL_CERT_FILE=/etc/ssl/cert.pem OPENSSL_CONF=/etc/ssl/openssl.cnf CURL_HOME=$tmp
export SSLKEYLOGFILE SSL_CERT_FILE OPENSSL_CONF CURL_HOME

# Failures are talkative, and never about the secret: an answer that is the bare secret, at debug level.
"$bin/kbsclient" --deadline 5000 --pin "$pin" "$url" default/a/root >"$tmp/out" 2>"$tmp/err"
check "a bare secret is refused, an encrypted one is taken" sh -c "grep -q 'not an encrypted' '$tmp/err' && grep -q '^ok' '$tmp/out'"
hidden=$(printf %s "$secret" | base64)
check "the secret is in no output" sh -c "! grep -e '$secret' -e '$hidden' '$tmp/out' '$tmp/err'"
check "no key log is written" test ! -e "$tmp/keylog"

command -v strace >/dev/null || skip_rest 8 "strace is not installed"
# The child is not dumpable: without privileges strace cannot read the names of the files that it opens.
[ "$(id -u)" = 0 ] || skip_rest 8 "needs root to look into the transport child"
strace -o /dev/null true 2>/dev/null || skip_rest 8 "strace may not trace here"

trace_client() {
	strace -f -o "$tmp/$1" "$bin/kbsclient" --print --key "$2" --"$3" "$4" "$url" default/a/root >"$tmp/out" 2>"$tmp/err"
	check "the client works under strace ($3)" test "$(cat "$tmp/out")" = "ok
$secret"
}

trace_client ca.trace ec-p256 ca "$tmp/ca.pem"
trace_client pin.trace ec-p256 pin "$pin"
# The parent is ordinary OpenSSL with its configuration; the child reads none.
child=$(sed -n 's/^\([0-9]*\) .*PR_SET_NAME, "cryptattest-net".*/\1/p' "$tmp/ca.trace")
grep -E "^${child:-none} .*open" "$tmp/ca.trace" >"$tmp/opened-by-child"
check "the child opens files, and not OpenSSL's configuration" sh -c "grep -q '\"/' '$tmp/opened-by-child' && ! grep openssl.cnf '$tmp/opened-by-child'"
grep -hE 'open(at)?\(|stat|access\(|readlink' "$tmp/ca.trace" "$tmp/pin.trace" >"$tmp/opened"
check "the trace shows files being opened" grep -q '/etc/' "$tmp/opened"
check "no certificate store is opened" sh -c "! grep -E 'ssl/certs|ca-certificates|cert\.pem|/pki/' '$tmp/opened'"
