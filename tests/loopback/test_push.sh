#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Operator push (OPERATOR PUSH in cryptattest.conf(5)): a waiting machine, cryptattest-kbs push, and everybody in between who should get nothing
# and change nothing.
. "$TOP_SRCDIR/tests/loopback/server.sh"
peer=$bin/pushpeer
plan 81

# config WINDOW LINE...: the agent's, for the operator's key; lines go to [volume root]
config() {
	cat <<-X
	[agent]
	deadline = 60s
	$(cat operator.conf)
	listen = 127.0.0.1:0
	window = $1
	[volume root]
	device = /root.img
	X
	shift
	printf '%s\n' "$@"
}

# waits ERR: until the agent whose words ERR has waits for an operator; sets port
waits() {
	wait_for "grep -q 'waiting .* for an operator' $1"
	port=$(sed -n 's/.*for an operator at .* port \([0-9]*\) .*/\1/p' "$1" | head -n 1)
}

# starts ARGUMENT...: the agent, until it waits
starts() {
	: >err
	"$agent" "$@" >out 2>err &
	machine=$!
	kbs=$machine # ends with us
	waits err
}

# ended CODE: the agent's exit code
ended() {
	wait "$machine"
	got=$?
	kbs=
	[ $got = "$1" ] || { echo "exit $got, wanted $1"; cat err; return 1; }
}

lock() { # CONFIG
	"$agent" lock root --config "$1" 2>err || bail "not closed"
}

# push CODE [KEY=VALUE...]: to $port; key, policy, document and resource can be others
push() {
	want=$1
	shift
	key=operator.key policy=policy document=root.doc resource=default/vm/root host=127.0.0.1
	for word; do
		eval "${word%%=*}=\${word#*=}"
	done
	"$kbsd" push --key "$key" --policy "$policy" --document "$document" --resource "$resource" \
		--test-root "$pki/roots.pem" --timeout 10s "$host:$port" >pushed 2>&1
	got=$?
	[ $got = "$want" ] || { echo "exit $got, wanted $want"; cat pushed; return 1; }
}

with() { # OPTION...: as push, with nothing else given
	"$kbsd" push "$@" >pushed 2>&1
}

# A signal is one way to end the wait: exit 5.
stop_machine() {
	kill -TERM "$machine"
	ended 5
}

told() { grep -q -e "${1:?}" pushed; }
says() { grep -q -e "${1:?}" err; }
mapped() { [ "$(ls root/mapper)" = "$1" ]; }
nothing_mapped() { [ -z "$(ls root/mapper)" ]; }

volume root
volume other
uuid=$(cryptsetup luksUUID root/root.img)
measured
allow() { # MEASUREMENT
	rule default/vm/root "$1" "shared = yes" "test = yes"
}
allow "$measurement" >policy

# --- keys
check "a key is made" sh -c "'$kbsd' push --make-key operator.key >operator.conf"
check "for its owner alone" [ "$(stat -c %a operator.key)" = 600 ]
check "and is not overwritten" eval '! with --make-key operator.key && told "name another file"'
check "the lines say what a volume with a broker needs" eval '[ "$(head -n 2 operator.conf | tr "\n" ,)" = "# and \"push = yes\" in [volume NAME], for boots that reach no broker,[push]," ]'
"$kbsd" push --make-key stranger.key >stranger.conf
stranger=$(sed -n 's/operator = //p' stranger.conf)
config 30s 'secret = push' >root/conf
config 30s 'mode = manual' >root/manual

# --- success
starts unlock root --config /conf
check "the machine's document is pushed" push 0
check "and opens the volume: exit 0" ended 0
check "it is mapped" mapped root
check "by the rule that is named" told "allowed by policy:1, covers kernel+initrd+cmdline"
check "the record says by whom" grep -q '"source":"push"' root/run/cryptattest/status.json
check "the passphrase is in no message" eval '! grep -rqF -e "$(cat root.pass)" pushed err out root/run/cryptattest/status.json'
lock /conf
echo tdx >root/tee/kind
"$agent" evidence --format=trustee >quote 2>err
"$kbsd" policy from-evidence quote --resource default/vm/root 2>err | sed 's/FILL-IN/kernel+initrd+cmdline/; $a test = yes' >tdx
starts recover root --push --config /manual
check "TDX, a manual volume, by hand" push 0 "policy=tdx"
check "recover --push: exit 0" ended 0
lock /conf
echo snp >root/tee/kind
starts unlock root --config /conf
check "the document comes on standard input" sh -c "'$kbsd' push --key operator.key --policy policy --resource default/vm/root \
	--test-root '$pki/roots.pem' 127.0.0.1:$port <root.doc"
check "and serves as well" ended 0
lock /conf

# --- meanwhile, slow clients of another machine
(
	CRYPTATTEST_TEST_ROOT=$tmp/slow-root
	cp -a "$root" "$CRYPTATTEST_TEST_ROOT"
	"$agent" unlock root --config /conf >slow-out 2>slow-err &
	waiting=$!
	trap 'kill $waiting 2>/dev/null' EXIT
	waits slow-err
	"$peer" slow "$port" >slow
	"$peer" drip operator.key "$port" >drip
) &
slow=$!

# --- who is let in, and what the operator believes: one machine that goes on waiting
starts unlock root --config /conf
check "another key: the machine refuses" push 4 "key=stranger.key"
check "and the operator is told which line is missing" told "$stranger"
check "so is the machine's console" soon 'says "$stranger"'
allow "$(printf '%096d' 7)" >policy-other
check "another measurement: the operator's program refuses" push 4 "policy=policy-other"
check "with both values" eval 'told "found $measurement, wanted 0000" && told policy-deny'
echo '# nothing is allowed' >policy-empty
check "a policy without a rule: nothing is tried" eval 'push 2 "policy=policy-empty" && told push-policy'
check "a rule for another resource does not count" push 2 "resource=default/vm/data"
check "which is said before anybody is asked" eval 'push 2 resource=default/vm/data host=127.0.0.9 &&
	told "no section is for resource default/vm/data: nothing would be sent"'
sed 's,default/vm/root,default/*/root,' policy >policy-pattern
check "a section for any machine is one" push 4 "policy=policy-pattern" "key=stranger.key"
check "without a policy nothing is even tried" eval '! with --key operator.key --document root.doc --resource default/vm/root "127.0.0.1:$port" && told "without a rule"'
check "a document of another volume is not sent: exit 9" push 9 "document=other.doc"
check "and says what is waited for" told "waits for: root, UUID $uuid"
cp root.pass raw
check "a bare passphrase is no document" push 9 "document=raw"
check "in all this time nothing was opened" nothing_mapped
stop_machine || bail "it does not end"

# --- evidence that does not verify
echo "flip 200" >root/tee/fault
starts unlock root --config /conf
check "changed evidence: refused" push 4
check "nothing is mapped" nothing_mapped
rm root/tee/fault
stop_machine || bail "it does not end"

# --- in between: its own TLS on both sides, and even the operator's key for the machine's
starts unlock root --config /conf
"$peer" relay operator.key "$port" recorded >relayed &
relay=$!
wait_for "grep -q port relayed"
real=$port
port=$(sed -n 's/port //p' relayed)
check "a relay: the operator refuses its evidence" push 4
check "because it is not of this connection" told "report-data"
wait $relay
check "and no document was sent" grep -q "no document" relayed
"$peer" replay operator.key recorded >replayed &
relay=$!
wait_for "grep -q port replayed"
port=$(sed -n 's/port //p' replayed)
check "evidence from before: refused" push 4
check "for the same reason" told "report-data"
wait $relay
check "and got no document either" grep -q "no document" replayed
port=$real
check "a document that another signed: the machine refuses" sh -c "[ \"\$('$peer' forge operator.key $port root.doc)\" = 'refused push-signature' ]"
check "a message that is too long is cut" sh -c "'$peer' big operator.key $port | grep -q '^cut'"
check "nothing is mapped, and it still waits" eval 'nothing_mapped && kill -0 $machine'
check "the owner gets through" push 0
check "and the machine boots" ended 0
lock /conf

# --- time and rates
starts unlock root --config /conf
listener=
# shellcheck disable=SC2013 # process ids
for child in $(cat "/proc/$machine/task/$machine/children"); do
	[ "$(cat "/proc/$child/comm")" != cryptattest-psh ] || listener=$child
done
check "the listener has no capabilities and gets no new ones" eval \
	'grep -q "^CapEff:.*0000000000000000$" "/proc/$listener/status" && grep -q "^NoNewPrivs:.*1" "/proc/$listener/status"'
for _ in 1 2 3 4 5; do
	push 4 "key=stranger.key" || bail "not refused"
done
check "five failures within a minute: hung up on" push 5
check "and the console says so" soon 'says "too many connections"'
check "rates do not end the wait" kill -0 "$machine"
check "SIGTERM ends it: exit 5" stop_machine
config 2s 'secret = push' >root/short
before=$(date +%s%N)
starts unlock root --config /short
check "the window ends: exit 5" ended 5
took=$((($(date +%s%N) - before) / 1000000))
check "in time ($took ms)" [ $took -ge 1900 -a $took -le 15000 ]
check "with the reason" says "push-window"
check "then nobody answers: exit 5" push 5
check "and how to wait is said" told "push-connect.*listens only while a volume waits: --wait 10m tries until then"
"$kbsd" push --key operator.key --policy policy --document root.doc --resource default/vm/root \
	--wait 2500ms "127.0.0.1:$port" >pushed 2>&1
check "--wait says once that it waits, how long and for whom" eval '[ "$(grep -c "waiting up to 2500ms for 127.0.0.1:$port" pushed)" = 1 ] && ! told "wait 10m"'
check "no other duration is said in its place" eval '"$kbsd" push --key operator.key --policy policy --document root.doc \
	--resource default/vm/root --wait 1000ms "127.0.0.1:$port" >pushed 2>&1; [ $? = 5 ] && told "waiting up to 1s for"'

# --- what the operator vouches for is not what is on the disk any more
volume root --uuid "$uuid" # as a host would: the same UUID, a key of its own
cp root.doc new.doc
sed 's/"vk_id":"[0-9a-f]*"/"vk_id":"'"$(printf '%064d' 5)"'"/' new.doc >root.doc
starts unlock root --config /conf
check "a disk that is not the document's: the operator hears it" push 9
check "and the machine ends with 9" ended 9
check "nothing is mapped" nothing_mapped
cp new.doc root.doc

# --- off by default
config 30s 'secret = file:/etc/pass' 'phase = system' >root/off
cp root.pass root/etc/pass
chmod 600 root/etc/pass
check "no volume waits: no listener" eval '"$agent" unlock root --config /off 2>err && ! says operator'
lock /off
sed '/^\[push\]/,/^window/d' root/manual >root/none
check "no [push] section: exit 2" eval '"$agent" recover root --push --config /none 2>err; [ $? = 2 ] && says push-off'

# --- no broker
{
	config 30s 'secret = main:default/vm/root' 'push = yes' | sed 's/^window.*/&\nafter = 2s/'
	printf '[kbs main]\nurl = https://127.0.0.1:1\npin = %s\nkey = ec-p256\n' "$stranger"
} >root/broker
starts unlock root --config /broker
check "no broker in reach: an operator may push" push 0
check "exit 0" ended 0
check "and the report says why" says "no broker was reached"
lock /conf
# Nor may one that waits for the same dead broker, and for nothing else, take all of the deadline.
{
	sed -e 's/^deadline.*/deadline = 16s/' root/broker
	printf '[volume other]\ndevice = /other.img\nsecret = main:default/vm/other\nrequired = no\n'
} >root/two
starts unlock --all --config /two
check "half of the deadline is an operator's, though another volume waits for the broker" eval '[ "$(sed -n "s/.*root: waiting \([0-9]*\) s.*/\1/p" err)" -ge 6 ] && push 0'
check "exit 0, for that one is not required" ended 0
check "and stays closed" mapped root
lock /conf
sed -e 's/^deadline.*/deadline = 0/' -e 's/^window.*/window = 6s/' root/two >root/never
starts unlock --all --config /never
check "nor for ever, without a deadline" push 0
check "exit 0" ended 0
lock /conf
# As a run that a broker refused leaves it.
printf '{"version":1,"boot_id":"%s","result":"failed","exit":4,"cap":"none","volumes":[{"name":"root","uuid":"%s","device":"/root.img","dm_uuid":"","phase":"initrd","state":"refused","source":null,"vk_id":"","header_id":"","sealed":null,"reason":{"id":"kbs-policy-deny","class":"refused","message":"no","hint":""}}]}' \
	"$(cat root/proc/sys/kernel/random/boot_id)" "$uuid" >root/run/cryptattest/status.json
sed 's/^deadline.*/deadline = 4s/' root/broker >root/refused
check "after a refusal in this boot nobody is waited for" eval '"$agent" unlock root --config /refused 2>err; [ $? = 5 ] && ! says "for an operator"'

# --- IPv6, and every address
if grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
	sed 's/^listen.*/listen = [::1]:0/' root/conf >root/six
	starts unlock root --config /six
	check "over IPv6" push 0 "host=[::1]"
	check "opens as well" ended 0
	lock /six
else
	skip "no IPv6 here"
	skip "no IPv6 here"
fi
sed 's/^listen.*/listen = 0/' root/conf >root/any
starts unlock root --config /any
check "at any address, by IPv4" push 0
check "opens as well" ended 0
check "the client is named" says " at 127.0.0.1"
lock /any
check "key asks an operator as well" eval '"$agent" unlock --prepare root --config /conf 2>err; { : >err; "$agent" key root --config /conf 2>err; } | cat >given &
	waits err
	push 0 && wait $! && cmp given root.pass'

# --- from a server's directory: policy, chain certificates and document are the broker's
# shellcheck disable=SC2086 # two words or none
"$kbsd" init --ip 127.0.0.1 $user server >out 2>&1 || bail init
"$kbsd" resource add --dir server --document --file root.doc default/vm/root || bail resource
policy server <policy
starts unlock root --config /conf
check "a resource that the server does not have" eval '! with --key operator.key --dir server --resource default/vm/data \
	--test-root "$pki/roots.pem" "127.0.0.1:$port" && told "no resource default/vm/data"'
check "--dir alone" with --key operator.key --dir server --resource default/vm/root --test-root "$pki/roots.pem" "127.0.0.1:$port"
check "opens as well" ended 0
lock /conf

# --- what is said before
check "explain says who may push" sh -c "'$agent' explain root --config /conf 2>&1 | grep -q 'an operator is waited for' &&
	'$agent' explain root --config /broker 2>&1 | grep -q 'never after a refusal'"
check "explain --remits too" sh -c "'$agent' explain root --remits --config /conf 2>&1 | grep -q 'Trust *> an operator of .push. decides'"
"$agent" next-boot --config /conf >out 2>err
check "next-boot promises nothing" grep -q 'only if an operator pushes' out

# --- the slow clients of the beginning
wait $slow
ms=$(sed -n 's/cut after \([0-9]*\) ms/\1/p' slow)
check "a client of a byte a second is cut ($ms ms)" [ "${ms:-0}" -ge 3000 ]
ms=$(sed -n 's/cut after \([0-9]*\) ms/\1/p' drip)
check "so is a document of a byte a second ($ms ms)" [ "${ms:-0}" -ge 7000 ]
