#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# cryptattest-kbs on the command line: every verb, its output, its exit codes. TAP.
set -u
kbs=$TOP_BUILDDIR/cryptattest-kbs
pki_tool=$TOP_BUILDDIR/tests/tools/cryptattest-testpki
top=$(mktemp -d /tmp/kbsd-cli-XXXXXX) || exit 1
trap 'rm -rf "$top"' EXIT
chmod 0755 "$top"
cd "$top" || exit 1
dir=$top/kbs
pki=$TOP_BUILDDIR/tests/pki
user=
[ "$(id -u)" -ne 0 ] || user="--user nobody"
n=0
bad=0

# ok WHAT: the last command's result ($?) must be 0
report() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		bad=$((bad + 1))
		echo "not ok $n - $2"
		sed 's/^/# /' out err 2>/dev/null | head -20
	fi
}
# code EXPECTED WHAT COMMAND...: runs it, standard output in out, error in err
code() {
	want=$1
	what=$2
	shift 2
	"$@" >out 2>err
	got=$?
	report "$([ $got = "$want" ] && echo 0 || echo 1)" "$what (exit $got, expected $want)"
}
has() { # FILE PATTERN WHAT
	grep -q -e "$2" "$1"
	report $? "$3"
}
hasnot() {
	! grep -q -e "$2" "$1"
	report $? "$3"
}

"$pki_tool" init "$pki" || { echo "Bail out! no test PKI"; exit 1; }

# --- general
code 0 "--version" "$kbs" --version
code 0 "--help" "$kbs" --help
has out "policy from-evidence" "--help teaches"
code 2 "no verb" "$kbs"
code 2 "unknown verb" "$kbs" serv
has err "did you mean serve" "a wrong verb is corrected"
for verb in init serve resource policy push verify; do
	code 0 "$verb --help" "$kbs" $verb --help
	has out "^usage: cryptattest-kbs $verb" "$verb --help shows its usage"
	code 2 "$verb: unknown option" "$kbs" $verb --no-such-option
done

# --- init
code 2 "init without a name" "$kbs" init $user "$dir"
code 2 "init with a bad name" "$kbs" init $user --name 'a b' "$dir"
code 0 "init" "$kbs" init $user --name kbs.example --ip 192.0.2.1 --ip 2001:db8::1 "$dir"
has out '^\[kbs main\]$' "init prints a section for the clients"
has out '^url = https://kbs.example:8443$' "init prints the url"
[ "$(grep -c '^pin = sha256//[A-Za-z0-9+/]\{43\}=$' out)" = 2 ]
report $? "init prints two pins"
pin=$(sed -n 's/^pin = sha256\/\///p' out | head -1)
spki=$(openssl x509 -in "$dir/server.crt" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)
[ "$pin" = "$spki" ]
report $? "the pin is the SHA-256 of the certificate's public key"
openssl x509 -in "$dir/server.crt" -noout -ext subjectAltName >out 2>err
has out "DNS:kbs.example, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1" "the certificate names host and addresses"
openssl verify -CAfile "$dir/server.crt" -verify_hostname kbs.example "$dir/server.crt" >out 2>err
report $? "the certificate verifies with itself as authority"
before=$(cat "$dir/server.key" "$dir/token.key" "$dir/next.key" | sha256sum)
code 2 "init again" "$kbs" init $user --name kbs.example "$dir"
[ "$before" = "$(cat "$dir/server.key" "$dir/token.key" "$dir/next.key" | sha256sum)" ]
report $? "init overwrites nothing"
[ "$(stat -c %a "$dir" "$dir/resources" "$dir/server.key" | tr '\n' ' ')" = "700 700 600 " ]
report $? "modes"
code 0 "the example policy is valid" "$kbs" policy check "$dir/policy.conf"
has err "no rule" "and says that it allows nothing"
code 2 "init --rotate of no directory" "$kbs" init --rotate "$top/none"
code 2 "init for root" "$kbs" init --user root --name a "$top/none"
code 2 "init for nobody knows" "$kbs" init --user no-such-user --name a "$top/none"
hasnot err "sysusers" "nothing makes that user"
if getent passwd cryptattest-kbs >/dev/null; then
	code 2 "no directory" "$kbs" resource list --dir "$top/none"
else
	code 2 "init before its user is made" "$kbs" init --user cryptattest-kbs --name a "$top/none"
	has err "systemd-sysusers makes it" "says who makes it"
	code 2 "no directory" "$kbs" resource list --dir "$top/none"
fi
has err "init --user cryptattest-kbs --name HOST $top/none makes it" "says how it is made"

# --- resource
printf 'a passphrase of some length' >secret
code 0 "resource add" "$kbs" resource add --dir "$dir" default/vm/root <secret
code 2 "resource add again" "$kbs" resource add --dir "$dir" default/vm/root <secret
has err "\-\-replace" "and the hint says how"
code 0 "resource add --replace --file" "$kbs" resource add --dir "$dir" --replace --file secret kbs:///default/vm/root
echo 'a passphrase of some length' >newline
code 2 "a final newline" "$kbs" resource add --dir "$dir" default/vm/other <newline
has err "ends in a newline" "is named"
code 0 "a final newline with --binary" "$kbs" resource add --dir "$dir" --binary default/vm/other <newline
printf short >short
code 9 "too short" "$kbs" resource add --dir "$dir" default/vm/short <short
code 9 "no document" "$kbs" resource add --dir "$dir" --document default/vm/doc <secret
cat >doc <<-X
	{"type":"cryptattest-secret","version":1,"name":"root","uuid":"6f1c0000-1111-2222-3333-444455556666",
	"vk_id":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","passphrase":"MDEyMzQ1Njc4OWFiY2RlZg=="}
X
code 0 "a document" "$kbs" resource add --dir "$dir" --document default/vm/doc <doc
code 2 "a bad name" "$kbs" resource add --dir "$dir" default/vm <secret
code 2 "words missing" "$kbs" resource add --dir "$dir"
code 2 "two kinds" "$kbs" resource add --dir "$dir" --binary --document default/vm/x <doc
code 2 "list with an option of add" "$kbs" resource list --dir "$dir" --binary
code 0 "resource list" "$kbs" resource list --dir "$dir"
has out "^default/vm/doc	document	" "list shows the kind"
hasnot out "passphrase of some" "list shows no secret"
code 0 "resource rm" "$kbs" resource rm --dir "$dir" default/vm/other
code 2 "resource rm of nothing" "$kbs" resource rm --dir "$dir" default/vm/other
code 2 "no such directory" "$kbs" resource list --dir "$top/none"
chmod 0644 "$dir/resources/default:vm:doc"
code 9 "list with a bad file" "$kbs" resource list --dir "$dir"
has err "mode 0644" "says what is bad"
chmod 0600 "$dir/resources/default:vm:doc"

# --- verify
"$pki_tool" snp "$pki" --out snp.bin --certs snp.certs --report-data 0102 && "$pki_tool" snp "$pki" --out snp.json --format trustee &&
	"$pki_tool" tdx "$pki" --out tdx.bin && "$pki_tool" tdx "$pki" --out tdx.json --format trustee
report $? "evidence of the test PKI"
roots=$pki/roots.pem
cat "$pki/ask.pem" "$pki/ark.pem" >chain.pem
code 0 "verify snp" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots"
has out '"verdict": *"verified"' "verdict"
has out '"root": *"test:' "the test root is named"
code 0 "verify a raw report" "$kbs" verify --tee snp --evidence snp.bin --vek "$pki/vcek.pem" --ca chain.pem --test-root "$roots" \
	--report-data 0102
code 4 "verify: other report data" "$kbs" verify --tee snp --evidence snp.bin --vek "$pki/vcek.pem" --ca chain.pem \
	--test-root "$roots" --report-data 0103
has out '"id": *"report-data"' "reason"
code 4 "verify without the test root" "$kbs" verify --tee snp --evidence snp.json
has out '"verdict": *"refused"' "verdict"
code 4 "verify without certificates" "$kbs" verify --tee snp --evidence snp.bin --test-root "$roots"
has out 'https://kdsintf.amd.com/' "the URL of what is missing"
code 0 "verify tdx" "$kbs" verify --tee tdx --evidence tdx.bin --test-root "$roots"
has out '"tcb": *"unverified"' "tcb unverified"
code 0 "verify tdx as json" "$kbs" verify --tee tdx --evidence tdx.json --test-root "$roots"
code 4 "verify: another TEE" "$kbs" verify --tee tdx --evidence snp.json --test-root "$roots"
head -c 1000 snp.bin >short.bin
code 4 "verify: truncated" "$kbs" verify --tee snp --evidence short.bin
has out '"verdict": *"refused"' "is a verdict as well"
code 2 "verify: no file" "$kbs" verify --tee snp --evidence none.bin
code 2 "verify: no such root" "$kbs" verify --tee snp --evidence snp.json --test-root none.pem
code 2 "verify: bad root" "$kbs" verify --tee snp --evidence snp.json --test-root secret
code 2 "verify: nothing given" "$kbs" verify
code 2 "verify: bad tee" "$kbs" verify --tee sgx --evidence snp.json
code 2 "verify: bad date" "$kbs" verify --tee snp --evidence snp.json --at yesterday
code 2 "verify: bad hex" "$kbs" verify --tee snp --evidence snp.json --report-data 012
code 4 "verify: before the certificates" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots" --at 1999-01-01
code 2 "verify: collateral" "$kbs" verify --tee tdx --evidence tdx.bin --collateral .
has err "not supported in this release" "says so"

# --- what the owner downloaded into the server's directory
code 4 "verify --dir: nothing is there yet" "$kbs" verify --evidence snp.bin --test-root "$roots" --dir "$dir"
hwid=$(sed -n 's,.*kdsintf.amd.com/vcek/v1/[^/]*/\([0-9a-f]*\)?.*,\1,p' out | head -n 1)
mkdir -p "$dir/kds-store/vcek/$hwid"
openssl x509 -in "$pki/vcek.pem" -outform DER -out "$dir/kds-store/vcek/$hwid/vcek.der"
cp chain.pem "$dir/ca.pem"
chown -R --reference "$dir" "$dir/ca.pem" "$dir/kds-store"
code 0 "verify --dir" "$kbs" verify --evidence snp.bin --test-root "$roots" --dir "$dir"
code 0 "policy from-evidence --dir" "$kbs" policy from-evidence snp.bin --test-root "$roots" --dir "$dir"
has err "verified, up to the root test:" "says that it verified"
has out '^\[resource ' "and prints the rule"
hasnot out "verified" "alone on standard output"
mkdir none-store
code 4 "--store takes the place of its store" "$kbs" verify --evidence snp.bin --test-root "$roots" --dir "$dir" --store none-store
code 4 "--ca that of its certificates" "$kbs" verify --evidence snp.bin --test-root "$roots" --dir "$dir" --ca "$pki/vcek.pem"
code 0 "policy from-evidence --store" "$kbs" policy from-evidence snp.bin --test-root "$roots" --dir "$dir" --store none-store
has err "NOT VERIFIED (vek-missing" "says what is missing"
has err "fetch https://kdsintf.amd.com/" "and where"
code 2 "verify --dir of none" "$kbs" verify --evidence snp.bin --dir "$top/none"
code 2 "policy from-evidence --dir of none" "$kbs" policy from-evidence snp.bin --dir "$top/none"
chmod 0750 "$dir"
code 2 "verify --dir that others can read" "$kbs" verify --evidence snp.bin --dir "$dir"
has err "must be 0700" "says so"
chmod 0700 "$dir"
code 2 "policy check --dir" "$kbs" policy check "$dir/policy.conf" --dir "$dir"
echo junk >"$dir/ca.pem"
code 2 "a bad ca.pem" "$kbs" verify --evidence snp.bin --test-root "$roots" --dir "$dir"
has err "/ca.pem" "is named"
# What the server's user put there, read by root: as that user, without what is no plain file, and after what root's own words name.
code_of() { # EXPECTED WHAT PATTERN: for both verbs
	code "$1" "verify: $2" timeout 10 "$kbs" verify --evidence snp.bin --test-root "$roots" --dir "$dir"
	has "$([ "$1" = 0 ] && echo out || echo err)" "$3" "says so"
	code "$1" "policy from-evidence: $2" timeout 10 "$kbs" policy from-evidence snp.bin --test-root "$roots" --dir "$dir"
}
mv "$dir/kds-store/vcek/$hwid/vcek.der" vcek.der
rm "$dir/ca.pem"
mkfifo "$dir/ca.pem"
chown --reference "$dir" "$dir/ca.pem"
code_of 2 "a FIFO in the place of ca.pem" "/ca.pem: not a regular file"
rm "$dir/ca.pem"
mkfifo "$dir/kds-store/vcek/$hwid/vcek.der"
chown --reference "$dir" "$dir/kds-store/vcek/$hwid/vcek.der"
code_of 2 "a FIFO in kds-store" "vcek.der: not a regular file"
rm "$dir/kds-store/vcek/$hwid/vcek.der"
cp vcek.der "$dir/kds-store/vcek/$hwid/vcek.der"
chown --reference "$dir" "$dir/kds-store/vcek/$hwid/vcek.der"
cp "$roots" private-roots.pem
chmod 0600 private-roots.pem snp.bin chain.pem
if [ "$(id -u)" = 0 ]; then
	ln -s "$top/chain.pem" "$dir/ca.pem"
	code_of 2 "a link to what only root may read" "/ca.pem: cannot open.*denied"
	rm "$dir/ca.pem"
fi
code 0 "verify: what the command line names is read as whoever calls" "$kbs" verify --evidence snp.bin --test-root private-roots.pem --ca chain.pem --dir "$dir"
code 0 "policy from-evidence: the same" "$kbs" policy from-evidence snp.bin --test-root private-roots.pem --ca chain.pem --dir "$dir"
hasnot err "NOT VERIFIED" "it verified"
chmod 0644 snp.bin chain.pem
rm -r "$dir/kds-store"

# --- policy
code 0 "policy from-evidence" "$kbs" policy from-evidence snp.json --resource default/vm/root
has out '^\[resource default/vm/root\]$' "a section"
has out '^covers = FILL-IN$' "covers is left to the owner"
has err "NOT VERIFIED" "and the warning that it is not verified"
cp out rule
code 2 "policy check refuses FILL-IN" "$kbs" policy check rule
sed 's/FILL-IN/kernel+initrd+cmdline/' rule >policy
echo "test = yes" >>policy
code 0 "policy check" "$kbs" policy check policy
code 0 "verify --policy" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots" --policy policy --resource default/vm/root
has err "allowed by policy:" "names the rule"
code 0 "verify --policy for any resource" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots" --policy policy
has err "default/vm/root: allowed by policy:" "names the resource"
sed 's/^measurement = ./measurement = f/; s/default.vm.root/default\/*\/root/' policy >policy3
code 4 "verify --policy, no section accepts" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots" --policy policy3
has out '"id": *"policy-deny"' "reason"
: >empty
code 4 "verify --policy without a rule" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots" --policy empty
code 2 "verify --resource alone" "$kbs" verify --tee snp --evidence snp.json --resource default/vm/root
code 4 "verify --policy for another resource" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots" --policy policy \
	--resource default/vm2/root
sed 's/^measurement = ./measurement = f/' policy >policy2
code 4 "verify --policy with another measurement" "$kbs" verify --tee snp --evidence snp.json --test-root "$roots" --policy policy2 \
	--resource default/vm/root
has err "measurement" "says which"
code 0 "policy from-evidence tdx" "$kbs" policy from-evidence tdx.bin --resource default/vm/root
code 4 "policy from-evidence of junk" "$kbs" policy from-evidence secret
code 2 "policy check of junk" "$kbs" policy check secret
code 2 "policy check of nothing" "$kbs" policy check none
code 2 "policy verb" "$kbs" policy chek policy

# --- serve, as far as it does not start
code 2 "serve: no directory" "$kbs" serve --dir "$top/none"
code 2 "serve: bad address" "$kbs" serve --dir "$dir" --listen localhost:1
code 2 "serve: bad protocol" "$kbs" serve --dir "$dir" --protocol 0.1.0
code 2 "serve: out of range" "$kbs" serve --dir "$dir" --max-connections 0
code 2 "serve: user" "$kbs" serve --dir "$dir" --user root
code 2 "serve: missing root" "$kbs" serve --dir "$dir" --test-root none.pem --listen 127.0.0.1:0

echo "1..$n"
[ $bad = 0 ]
