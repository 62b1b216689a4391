#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# JWE against an implementation that is not ours: what `jose` (latchset) encrypts decrypts here, what we encrypt decrypts
# there. Debian 12 builds jose without RSA-OAEP (`jose alg` shows what it has); that algorithm is then checked against
# OpenSSL's command line, which must find the content key in what we made.
tool="${TOP_BUILDDIR:-.}/tests/unit/jwe_tool"

if ! command -v jose >/dev/null 2>&1; then
	echo "1..0 # SKIP no jose on this machine"
	exit 0
fi

dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
printf 'correct horse \0 battery\n staple' >"$dir/plain"
algs=$(jose alg)
count=0

result() { # STATUS TEXT
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then echo "ok $count - $2"; else echo "not ok $count - $2"; fi
}

# jose encrypts for our key. The compact form puts epk into the protected header, where a KBS has it too.
theirs_here() { # KEYTYPE ALG
	"$tool" gen "$1" "$2" "$dir/ours.pem" >"$dir/ours.jwk" &&
		jose jwe enc -i "{\"protected\":{\"alg\":\"$2\",\"enc\":\"A256GCM\"}}" -I "$dir/plain" -k "$dir/ours.jwk" -c \
			-o "$dir/theirs.jwe" &&
		"$tool" dec "$2" "$dir/ours.pem" <"$dir/theirs.jwe" >"$dir/out" &&
		cmp "$dir/plain" "$dir/out"
	result $? "$2 $1: made by jose, decrypted here"
}

ours_there() { # TEMPLATE ALG NAME
	rm -f "$dir/theirs.jwk" "$dir/theirs.pub"
	jose jwk gen -i "$1" -o "$dir/theirs.jwk" &&
		jose jwk pub -i "$dir/theirs.jwk" -o "$dir/theirs.pub" &&
		"$tool" enc "$2" "$dir/theirs.pub" <"$dir/plain" >"$dir/ours.jwe" &&
		jose jwe dec -i "$dir/ours.jwe" -k "$dir/theirs.jwk" -O "$dir/out" &&
		cmp "$dir/plain" "$dir/out"
	result $? "$2 $3: made here, decrypted by jose"
}

# A tag that does not match must not pass there either, or the comparison above means little.
broken_there() {
	sed 's/"tag":"./"tag":"!/; s/!/-/' "$dir/ours.jwe" >"$dir/broken.jwe"
	cmp -s "$dir/ours.jwe" "$dir/broken.jwe" && sed 's/"tag":"./"tag":"_/' "$dir/ours.jwe" >"$dir/broken.jwe"
	if jose jwe dec -i "$dir/broken.jwe" -k "$dir/theirs.jwk" -O "$dir/out" 2>/dev/null; then r=1; else r=0; fi
	result $r "changed tag refused by jose"
}

content_key_for_openssl() { # KEYTYPE
	"$tool" gen "$1" RSA-OAEP-256 "$dir/ours.pem" >"$dir/ours.jwk" &&
		"$tool" enc RSA-OAEP-256 "$dir/ours.jwk" <"$dir/plain" >"$dir/ours.jwe" &&
		sed 's/.*"encrypted_key":"\([^"]*\)".*/\1/' "$dir/ours.jwe" | tr -d '\n' >"$dir/key.b64" &&
		jose b64 dec -i "$dir/key.b64" -O "$dir/key.bin" &&
		openssl pkeyutl -decrypt -inkey "$dir/ours.pem" -in "$dir/key.bin" -pkeyopt rsa_padding_mode:oaep \
			-pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 -out "$dir/cek" &&
		[ "$(wc -c <"$dir/cek")" -eq 32 ]
	result $? "RSA-OAEP-256 $1: content key found by openssl"
}

theirs_here ec-p256 ECDH-ES+A256KW
theirs_here ec-p521 ECDH-ES+A256KW
theirs_here rsa-2048 RSA1_5
ours_there '{"kty":"EC","crv":"P-256"}' ECDH-ES+A256KW ec-p256
ours_there '{"kty":"EC","crv":"P-521"}' ECDH-ES+A256KW ec-p521
broken_there
ours_there '{"kty":"RSA","bits":3072}' RSA1_5 rsa-3072
if echo "$algs" | grep -qx RSA-OAEP-256; then
	theirs_here rsa-2048 RSA-OAEP-256
	ours_there '{"kty":"RSA","bits":2048}' RSA-OAEP-256 rsa-2048
else
	echo "# this jose knows no RSA-OAEP-256"
fi
if command -v openssl >/dev/null 2>&1; then
	content_key_for_openssl rsa-2048
fi
echo "1..$count"
