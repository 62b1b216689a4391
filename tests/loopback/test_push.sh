#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Operator push (OPERATOR PUSH in cryptattest.conf(5)): a waiting machine, cryptattest-kbs push, and everybody in between who should get nothing
# and change nothing.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
command -v cryptsetup >/dev/null || skip_all "no cryptsetup program (package cryptsetup-bin)"
kbsd=$TOP_BUILDDIR/cryptattest-kbs
[ -x "$kbsd" ] || skip_all "built without the server"
agent=$TOP_BUILDDIR/cryptattest-test
peer=$TOP_BUILDDIR/tests/loopback/pushpeer
pki=$TOP_BUILDDIR/tests/pki
"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" init "$pki" || bail "no test PKI"
root=$tmp/root
CRYPTATTEST_TEST_ROOT=$root
export CRYPTATTEST_TEST_ROOT
mkdir -p "$root/etc" "$root/run" "$root/tee" "$root/proc/sys/kernel/random"
echo 11111111-2222-4333-8444-555555555599 >"$root/proc/sys/kernel/random/boot_id"
echo snp >"$root/tee/kind"
echo "$pki" >"$root/tee/pki-dir"
plan 76

# volume NAME [OPTION...]: an image with a passphrase of 32 random bytes, and its document
volume() {
	name=$1
	shift
	rm -f "$root/$name.img"
	truncate -s 24M "$root/$name.img"
	[ -s "$tmp/$name.pass" ] || (umask 077 && head -c 24 /dev/urandom | base64 | tr -d '\n' >"$tmp/$name.pass")
	cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$tmp/$name.pass" "$@" \
		"$root/$name.img" || bail luksFormat
	"$agent" document "/$name.img" --name "$name" --key-file "$tmp/$name.pass" >"$tmp/$name.doc" || bail document
}

rule() {
	cat <<-X
	[resource default/vm/root]
	tee = snp
	measurement = $1
	covers = kernel+initrd+cmdline
	shared = yes
	min-tcb = milan bootloader:4 tee:0 snp:24 microcode:219
	test = yes
	X
}

# config WINDOW LINE...: the agent's, for the operator's key; lines go to [volume root]
config() {
	cat <<-X
	[agent]
	deadline = 60s
	$(cat "$tmp/operator.conf")
	listen = 127.0.0.1:0
	window = $1
	[volume root]
	device = /root.img
	X
	shift
	printf '%s\n' "$@"
}

# machine ARGUMENT...: starts the agent and waits until it waits; sets port
machine() {
	: >"$tmp/err"
	"$agent" "$@" >"$tmp/out" 2>"$tmp/err" &
	machine=$!
	kbs=$machine # ends with us
	wait_for "grep -q 'waiting .* for an operator' $tmp/err"
	port=$(sed -n 's/.*for an operator at .* port \([0-9]*\) .*/\1/p' "$tmp/err" | head -1)
}

# ended CODE: the agent's exit code
ended() {
	wait "$machine"
	got=$?
	kbs=
	[ $got = "$1" ] || { echo "exit $got, wanted $1"; cat "$tmp/err"; return 1; }
}

# push CODE [KEY=VALUE...]: to $port; key, policy, document and resource can be others
push() {
	want=$1
	shift
	key=$tmp/operator.key policy=$tmp/policy document=$tmp/root.doc resource=default/vm/root host=127.0.0.1
	for word; do
		eval "${word%%=*}=\${word#*=}"
	done
	"$kbsd" push --key "$key" --policy "$policy" --document "$document" --resource "$resource" \
		--test-root "$pki/roots.pem" --timeout 10s "$host:$port" >"$tmp/pushed" 2>&1
	got=$?
	[ $got = "$want" ] || { echo "exit $got, wanted $want"; cat "$tmp/pushed"; return 1; }
}

with() { # OPTION...: as push, with nothing else given
	"$kbsd" push "$@" >"$tmp/pushed" 2>&1
}

stop_machine() {
	kill -TERM "$machine"
	wait "$machine"
	kbs=
}

told() { grep -q -e "$1" "$tmp/pushed"; }
says() { grep -q -e "$1" "$tmp/err"; }
mapped() { [ "$(ls "$root/mapper")" = "$1" ]; }
nothing_mapped() { [ -z "$(ls "$root/mapper")" ]; }

volume root
volume other
uuid=$(cryptsetup luksUUID "$root/root.img")
measurement=$("$agent" evidence --json 2>/dev/null | sed -n 's/.*"measurement": *"\([0-9a-f]*\)".*/\1/p')
rule "$measurement" >"$tmp/policy"

# --- keys
check "a key is made" sh -c "'$kbsd' push --make-key '$tmp/operator.key' >'$tmp/operator.conf'"
check "for its owner alone" [ "$(stat -c %a "$tmp/operator.key")" = 600 ]
check "and is not overwritten" eval '! with --make-key "$tmp/operator.key" && told "name another file"'
check "the lines say what a volume with a broker needs" eval '[ "$(head -n 2 "$tmp/operator.conf" | tr "\n" ,)" = "# and \"push = yes\" in [volume NAME], for boots that reach no broker,[push]," ]'
"$kbsd" push --make-key "$tmp/stranger.key" >"$tmp/stranger.conf"
config 30s 'secret = push' >"$root/conf"
config 30s 'mode = manual' >"$root/manual"

# --- success
machine unlock root --config /conf
check "the machine's document is pushed" push 0
check "and opens the volume: exit 0" ended 0
check "it is mapped" mapped root
check "by the rule that is named" told "allowed by $tmp/policy:1, covers kernel+initrd+cmdline"
check "the record says by whom" grep -q '"source":"push"' "$root/run/cryptattest/status.json"
check "the passphrase is in no message" eval '! grep -rqF -e "$(cat "$tmp/root.pass")" "$tmp/pushed" "$tmp/err" "$tmp/out" "$root/run/cryptattest/status.json"'
"$agent" lock root --config /conf 2>"$tmp/err"
echo tdx >"$root/tee/kind"
"$agent" evidence --format=trustee >"$tmp/quote" 2>"$tmp/err"
"$kbsd" policy from-evidence "$tmp/quote" --resource default/vm/root 2>"$tmp/err" | sed 's/FILL-IN/kernel+initrd+cmdline/; $a test = yes' >"$tmp/tdx"
machine recover root --push --config /manual
check "TDX, a manual volume, by hand" push 0 "policy=$tmp/tdx"
check "recover --push: exit 0" ended 0
"$agent" lock root --config /conf 2>"$tmp/err"
echo snp >"$root/tee/kind"
"$agent" unlock root --config /conf >"$tmp/out" 2>"$tmp/err" &
machine=$!
wait_for "grep -q 'for an operator' $tmp/err"
port=$(sed -n 's/.*for an operator at .* port \([0-9]*\) .*/\1/p' "$tmp/err" | head -1)
check "the document comes on standard input" sh -c "'$kbsd' push --key '$tmp/operator.key' --policy '$tmp/policy' --resource default/vm/root \
	--test-root '$pki/roots.pem' 127.0.0.1:$port <'$tmp/root.doc'"
check "and serves as well" ended 0
"$agent" lock root --config /conf 2>"$tmp/err"

# --- meanwhile, slow clients of another machine
(
	CRYPTATTEST_TEST_ROOT=$tmp/slow-root
	cp -a "$root" "$CRYPTATTEST_TEST_ROOT"
	"$agent" unlock root --config /conf >"$tmp/slow-out" 2>"$tmp/slow-err" &
	waiting=$!
	trap 'kill $waiting 2>/dev/null' EXIT
	wait_for "grep -q 'for an operator' $tmp/slow-err"
	port=$(sed -n 's/.*for an operator at .* port \([0-9]*\) .*/\1/p' "$tmp/slow-err" | head -1)
	"$peer" slow "$port" >"$tmp/slow"
	"$peer" drip "$tmp/operator.key" "$port" >"$tmp/drip"
) &
slow=$!

# --- who is let in, and what the operator believes: one machine that goes on waiting
machine unlock root --config /conf
check "another key: the machine refuses" push 4 "key=$tmp/stranger.key"
check "and the operator is told which line is missing" told "$(sed -n 's/operator = //p' "$tmp/stranger.conf")"
check "so is the machine's console" says "$(sed -n 's/operator = //p' "$tmp/stranger.conf")"
rule "$(printf '%096d' 7)" >"$tmp/policy-other"
check "another measurement: the operator's program refuses" push 4 "policy=$tmp/policy-other"
check "with both values" eval 'told "found $measurement, wanted 0000" && told policy-deny'
echo '# nothing is allowed' >"$tmp/policy-empty"
check "a policy without a rule: nothing is tried" eval 'push 2 "policy=$tmp/policy-empty" && told push-policy'
check "a rule for another resource does not count" push 2 "resource=default/vm/data"
check "which is said before anybody is asked" eval 'push 2 resource=default/vm/data host=127.0.0.9 &&
	told "no section is for resource default/vm/data: nothing would be sent"'
sed 's,default/vm/root,default/*/root,' "$tmp/policy" >"$tmp/policy-pattern"
check "a section for any machine is one" push 4 "policy=$tmp/policy-pattern" "key=$tmp/stranger.key"
check "without a policy nothing is even tried" eval '! with --key "$tmp/operator.key" --document "$tmp/root.doc" --resource default/vm/root "127.0.0.1:$port" && told "without a rule"'
check "a document of another volume is not sent: exit 9" push 9 "document=$tmp/other.doc"
check "and says what is waited for" told "waits for: root, UUID $uuid"
cp "$tmp/root.pass" "$tmp/raw"
check "a bare passphrase is no document" push 9 "document=$tmp/raw"
check "in all this time nothing was opened" nothing_mapped
stop_machine

# --- evidence that does not verify
echo "flip 200" >"$root/tee/fault"
machine unlock root --config /conf
check "changed evidence: refused" push 4
check "nothing is mapped" nothing_mapped
rm "$root/tee/fault"
stop_machine

# --- in between: its own TLS on both sides, and even the operator's key for the machine's
machine unlock root --config /conf
"$peer" relay "$tmp/operator.key" "$port" "$tmp/recorded" >"$tmp/relayed" &
relay=$!
wait_for "grep -q port $tmp/relayed"
real=$port
port=$(sed -n 's/port //p' "$tmp/relayed")
check "a relay: the operator refuses its evidence" push 4
check "because it is not of this connection" told "report-data"
wait $relay
check "and no document was sent" grep -q "no document" "$tmp/relayed"
"$peer" replay "$tmp/operator.key" "$tmp/recorded" >"$tmp/replayed" &
relay=$!
wait_for "grep -q port $tmp/replayed"
port=$(sed -n 's/port //p' "$tmp/replayed")
check "evidence from before: refused" push 4
check "for the same reason" told "report-data"
wait $relay
check "and got no document either" grep -q "no document" "$tmp/replayed"
port=$real
check "a document that another signed: the machine refuses" sh -c "[ \"\$('$peer' forge '$tmp/operator.key' $port '$tmp/root.doc')\" = 'refused push-signature' ]"
check "a message that is too long is cut" sh -c "'$peer' big '$tmp/operator.key' $port | grep -q '^cut'"
check "nothing is mapped, and it still waits" eval 'nothing_mapped && kill -0 $machine'
check "the owner gets through" push 0
check "and the machine boots" ended 0
"$agent" lock root --config /conf 2>"$tmp/err"

# --- time and rates
machine unlock root --config /conf
listener=
# shellcheck disable=SC2013 # process ids
for child in $(cat "/proc/$machine/task/$machine/children"); do
	[ "$(cat "/proc/$child/comm")" != cryptattest-psh ] || listener=$child
done
check "the listener has no capabilities and gets no new ones" eval \
	'grep -q "^CapEff:.*0000000000000000$" "/proc/$listener/status" && grep -q "^NoNewPrivs:.*1" "/proc/$listener/status"'
wait $slow
ms=$(sed -n 's/cut after \([0-9]*\) ms/\1/p' "$tmp/slow")
check "a client of a byte a second is cut ($ms ms)" [ "${ms:-0}" -ge 3000 -a "${ms:-99999}" -le 9000 ]
ms=$(sed -n 's/cut after \([0-9]*\) ms/\1/p' "$tmp/drip")
check "so is a document of a byte a second ($ms ms)" [ "${ms:-0}" -ge 7000 -a "${ms:-99999}" -le 14000 ]
for _ in 1 2 3 4 5; do
	push 4 "key=$tmp/stranger.key"
done
check "five failures within a minute: hung up on" push 5
check "and the console says so" says "too many connections"
check "rates do not end the wait" kill -0 "$machine"
stop_machine
check "SIGTERM ended it" [ "$got" != 0 ]
config 2s 'secret = push' >"$root/short"
before=$(date +%s%N)
machine unlock root --config /short
check "the window ends: exit 5" ended 5
took=$((($(date +%s%N) - before) / 1000000))
check "in time ($took ms)" [ $took -ge 1900 -a $took -le 5000 ]
check "with the reason" says "push-window"
check "then nobody answers: exit 5" push 5
check "and how to wait is said" told "push-connect.*listens only while a volume waits: --wait 10m tries until then"
"$kbsd" push --key "$tmp/operator.key" --policy "$tmp/policy" --document "$tmp/root.doc" --resource default/vm/root \
	--wait 2500ms "127.0.0.1:$port" >"$tmp/pushed" 2>&1
check "--wait says once that it waits, how long and for whom" eval '[ "$(grep -c "waiting up to 2500ms for 127.0.0.1:$port" "$tmp/pushed")" = 1 ] && ! told "wait 10m"'
check "no other duration is said in its place" eval '"$kbsd" push --key "$tmp/operator.key" --policy "$tmp/policy" --document "$tmp/root.doc" \
	--resource default/vm/root --wait 1000ms "127.0.0.1:$port" >"$tmp/pushed" 2>&1; [ $? = 5 ] && told "waiting up to 1s for"'

# --- what the operator vouches for is not what is on the disk any more
volume root --uuid "$uuid" # as a host would: the same UUID, a key of its own
cp "$tmp/root.doc" "$tmp/new.doc"
sed 's/"vk_id":"[0-9a-f]*"/"vk_id":"'"$(printf '%064d' 5)"'"/' "$tmp/new.doc" >"$tmp/root.doc"
machine unlock root --config /conf
check "a disk that is not the document's: the operator hears it" push 9
check "and the machine ends with 9" ended 9
check "nothing is mapped" nothing_mapped
cp "$tmp/new.doc" "$tmp/root.doc"

# --- off by default
config 30s 'secret = file:/etc/pass' 'phase = system' >"$root/off"
cp "$tmp/root.pass" "$root/etc/pass"
chmod 600 "$root/etc/pass"
check "no volume waits: no listener" eval '"$agent" unlock root --config /off 2>"$tmp/err" && ! says operator'
"$agent" lock root --config /off 2>"$tmp/err"
sed '/^\[push\]/,/^window/d' "$root/manual" >"$root/none"
check "no [push] section: exit 2" eval '"$agent" recover root --push --config /none 2>"$tmp/err"; [ $? = 2 ] && says push-off'

# --- no broker
{
	config 30s 'secret = main:default/vm/root' 'push = yes' | sed 's/^window.*/&\nafter = 2s/'
	printf '[kbs main]\nurl = https://127.0.0.1:1\npin = %s\nkey = ec-p256\n' "$(sed -n 's/operator = //p' "$tmp/stranger.conf")"
} >"$root/broker"
machine unlock root --config /broker
check "no broker in reach: an operator may push" push 0
check "exit 0" ended 0
check "and the report says why" says "no broker was reached"
"$agent" lock root --config /conf 2>"$tmp/err"
# As a run that a broker refused leaves it.
printf '{"version":1,"boot_id":"%s","result":"failed","exit":4,"cap":"none","volumes":[{"name":"root","uuid":"%s","device":"/root.img","dm_uuid":"","phase":"initrd","state":"refused","source":null,"vk_id":"","header_id":"","sealed":null,"reason":{"id":"kbs-policy-deny","class":"refused","message":"no","hint":""}}]}' \
	"$(cat "$root/proc/sys/kernel/random/boot_id")" "$uuid" >"$root/run/cryptattest/status.json"
sed 's/^deadline.*/deadline = 4s/' "$root/broker" >"$root/refused"
check "after a refusal in this boot nobody is waited for" eval '"$agent" unlock root --config /refused 2>"$tmp/err"; [ $? = 5 ] && ! says "for an operator"'

# --- IPv6, and every address
if grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
	sed 's/^listen.*/listen = [::1]:0/' "$root/conf" >"$root/six"
	machine unlock root --config /six
	check "over IPv6" push 0 "host=[::1]"
	check "opens as well" ended 0
	"$agent" lock root --config /six 2>"$tmp/err"
else
	check "no IPv6 here # SKIP" true
	check "no IPv6 here # SKIP" true
fi
sed 's/^listen.*/listen = 0/' "$root/conf" >"$root/any"
machine unlock root --config /any
check "at any address, by IPv4" push 0
check "opens as well" ended 0
check "the client is named" says " at 127.0.0.1"
"$agent" lock root --config /any 2>"$tmp/err"
check "key asks an operator as well" eval '"$agent" unlock --prepare root --config /conf 2>"$tmp/err"; { : >"$tmp/err"; "$agent" key root --config /conf 2>"$tmp/err"; } | cat >"$tmp/given" &
	wait_for "grep -q \"for an operator\" $tmp/err"
	port=$(sed -n "s/.*for an operator at .* port \([0-9]*\) .*/\1/p" "$tmp/err" | head -1)
	push 0 && wait $! && cmp "$tmp/given" "$tmp/root.pass"'

# --- from a server's directory: policy, chain certificates and document are the broker's
user=
[ "$(id -u)" -ne 0 ] || user="--user nobody"
chmod 0755 "$tmp"
# shellcheck disable=SC2086 # two words or none
"$kbsd" init --ip 127.0.0.1 $user "$tmp/server" >"$tmp/out" 2>&1 || bail init
"$kbsd" resource add --dir "$tmp/server" --document --file "$tmp/root.doc" default/vm/root || bail resource
install -m 600 -o "$(stat -c %u "$tmp/server")" -g "$(stat -c %g "$tmp/server")" "$tmp/policy" "$tmp/server/policy.conf"
machine unlock root --config /conf
check "a resource that the server does not have" eval '! with --key "$tmp/operator.key" --dir "$tmp/server" --resource default/vm/data \
	--test-root "$pki/roots.pem" "127.0.0.1:$port" && told "no resource default/vm/data"'
check "--dir alone" with --key "$tmp/operator.key" --dir "$tmp/server" --resource default/vm/root --test-root "$pki/roots.pem" "127.0.0.1:$port"
check "opens as well" ended 0
"$agent" lock root --config /conf 2>"$tmp/err"

# --- what is said before
check "explain says who may push" sh -c "'$agent' explain root --config /conf 2>&1 | grep -q 'an operator is waited for' &&
	'$agent' explain root --config /broker 2>&1 | grep -q 'never after a refusal'"
check "explain --remits too" sh -c "'$agent' explain root --remits --config /conf 2>&1 | grep -q 'Trust *> an operator of .push. decides'"
"$agent" next-boot --config /conf >"$tmp/out" 2>"$tmp/err"
check "next-boot promises nothing" grep -q 'only if an operator pushes' "$tmp/out"
