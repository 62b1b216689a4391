#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The whole way on one machine: the agent (with the test platform: a TEE signed by the test PKI, a mapper that records) against
# cryptattest-kbs over real TLS. Every end is an exit code of the manual; behind each failure no mapping may be left.
. "$TOP_SRCDIR/tests/loopback/server.sh"
plan 41

# served SERVER: "REQUESTS CONNECTIONS" so far
served() {
	logged "$1" served: USR1
	sed -n 's/.*served: \([0-9]*\) requests, \([0-9]*\) connections$/\1 \2/p' "$1.log" | tail -n 1
}

# secret SERVER RESOURCE VOLUME: stores the volume's document, which a running server reads at SIGHUP
secret() {
	"$kbsd" resource add --replace --dir "$1" --document "$2" <"$3.doc" || bail resource
}

# rules ROOT-MEASUREMENT [TEST]: for both volumes; those of a test are released by a test server alone
rules() {
	rule default/vm/root "$1" "shared = yes" "test = ${2:-yes}"
	rule default/vm/data "$measurement" "shared = yes" "test = yes"
}

# config SERVER-NAME-FOR-PINS PORT [DEADLINE]: the agent's configuration, with two volumes
config() {
	cat <<-X
	[agent]
	deadline = ${3:-20s}
	[kbs main]
	url = https://127.0.0.1:$2
	$(grep ^pin "$1.init")
	key = ec-p256
	[volume root]
	device = /root.img
	secret = main:default/vm/root
	[volume data]
	device = /data.img
	secret = main:default/vm/data
	X
}

# run CODE WHAT ARGUMENT...: the agent's exit code, and that the passphrases are in none of its words
run() {
	want=$1
	what=$2
	shift 2
	"$agent" "$@" >out 2>err
	got=$?
	check "$what (exit $want)" sh -c "[ $got = $want ] || { echo exit $got; false; }"
	grep -qF -e "$(cat root.pass)" -e "$(cat data.pass)" out err root/run/*/* 2>/dev/null &&
		bail "a passphrase was printed by: $*"
	return 0
}

mapped() {
	ls root/mapper # .log and the like are hidden
}

nothing_mapped() {
	check "$1: nothing is mapped" sh -c "[ -z \"\$(ls root/mapper)\" ]"
}

says() {
	check "$1" grep -q -e "${2:?}" err
}

volume root
volume data
measured

server owner
owner_port=$port
secret owner default/vm/root root
secret owner default/vm/data data
rules "$measurement" | policy owner
reload owner
config owner "$owner_port" >root/conf

# --- success
run 0 "attest" attest --config /conf
run 0 "unlock one volume" unlock root --config /conf --timings
check "it is mapped, under its public name alone" test "$(mapped)" = root
run 0 "unlock what is open already" unlock root --config /conf
run 0 "lock" lock root --config /conf
nothing_mapped "after lock"
before=$(grep -c 'attested' owner.log)
# shellcheck disable=SC2046 # words
set -- $(served owner)
run 0 "unlock both" unlock --all --config /conf --status-fd 1
check "both are mapped" test "$(mapped | tr '\n' ' ')" = "data root "
check "with one handshake" test "$(($(grep -c 'attested' owner.log) - before))" = 1
check "with four requests on one connection, says the server at SIGUSR1" test "$(served owner)" = "$(($1 + 4)) $(($2 + 1))"
check "each line of --status-fd is an object of version 1" sh -c "[ -s out ] && ! grep -v '^{\"v\":1,' out"
run 0 "lock root" lock root --config /conf
run 0 "lock data" lock data --config /conf

# --- an RSA key, a server of protocol 0.2.0
server old --protocol 0.2.0
secret old default/vm/root root
rules "$measurement" | policy old
reload old
config old "$port" | sed 's/^key = .*/key = rsa-2048/' >root/old
run 0 "protocol 0.2.0 and RSA" unlock root --config /old
run 0 "lock it" lock root --config /old

# --- TDX, by the rule that the server writes itself
echo tdx >root/tee/kind
"$agent" evidence --format=trustee >quote 2>err
"$kbsd" policy from-evidence quote --resource default/vm/root 2>err |
	sed 's/FILL-IN/kernel+initrd+cmdline/; $a test = yes' | policy owner
reload owner
run 0 "TDX" unlock root --config /conf
run 0 "lock that" lock root --config /conf
echo snp >root/tee/kind

# --- refused: the policy wants another measurement
rules "$(printf '%096d' 7)" | policy owner
reload owner
run 4 "another measurement: refused" unlock root --config /conf
says "and the reason is the broker's policy" "PolicyDeny"
nothing_mapped "refused"
config owner 1 1s >root/nobody
run 5 "then the broker is out of reach" unlock root --config /nobody
check "the refusal is remembered" grep -q '"state":"refused","source.*"id":"kbs-policy-deny"' root/run/cryptattest/status.json
# evidence that does not verify concerns the machine: no volume is left to report something else at the deadline
echo "flip 200" >root/tee/fault
config owner "$owner_port" 1s >root/flipped
run 4 "evidence that was changed after it was signed" unlock --all --config /flipped
check "it is refused for both volumes" test "$(grep -o '"id":"kbs-attestation"' root/run/cryptattest/status.json | wc -l)" = 2
nothing_mapped "changed evidence"
rm root/tee/fault
rules "$measurement" | policy owner

# --- the host's own broker, own secret, own disk (C1): everything fits but the server's key
rm root.pass
volume root
server host
secret host default/vm/root root
rules "$measurement" | policy host
reload host
config owner "$port" >root/hosted
run 10 "the host's own broker" unlock root --config /hosted
says "and the key that was seen is named" "$(sed -n 's/^pin = //p' host.init | head -1)"
check "it was asked for nothing" sh -c "! grep -q attested host.log"
nothing_mapped "the host's own broker"

# --- the owner's broker gives the document of another volume
reload owner
secret owner default/vm/root data
reload owner
run 9 "the document of another volume" unlock root --config /conf
nothing_mapped "the document of another volume"

# --- and the right document again, for the disk as it is now
secret owner default/vm/root root
reload owner
run 0 "the right document" unlock root --config /conf
run 0 "lock again" lock root --config /conf

# --- a test server has ordinary secrets as well, and keeps them
rules "$measurement" no | policy owner
reload owner
run 4 "a test root releases no ordinary resource" unlock root --config /conf
nothing_mapped "ordinary resource"

# --- signalled while it waits
config owner 1 60s >root/nobody
"$agent" unlock root --config /nobody >out 2>err &
waiting=$!
wait_for "grep -q 'Failed to connect' err"
kill -TERM $waiting
wait $waiting
got=$?
check "SIGTERM ends the wait (exit 5)" test $got = 5
nothing_mapped "after SIGTERM"

# --- killed: unreachable until the deadline, not longer
kill -KILL "$(cat owner.pid)"
config owner "$owner_port" 3s >root/short
before=$(date +%s%N)
run 5 "a broker that is gone" unlock root --config /short
took=$((($(date +%s%N) - before) / 1000000))
check "it ends at its deadline ($took ms)" sh -c "[ $took -ge 2900 ] && [ $took -le 15000 ]"
nothing_mapped "a broker that is gone"
says "and says so" "Failed to connect"
