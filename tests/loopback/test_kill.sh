#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# An unlock that is ended at each event it announces, and at moments between them: SIGKILL leaves no mapping, public or private (the
# guardian process removes it), and the next run succeeds; SIGTERM leaves no mapping and is exit 5. Real TLS to cryptattest-kbs, evidence of the test PKI, recorded mappings.
. "$TOP_SRCDIR/tests/loopback/server.sh"
report() { # STATUS NAME
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		sed 's/^/# /' result log 2>/dev/null
		ls -A root/mapper | sed 's/^/# mapping: /'
	fi
}

# --- the machine: one volume, one broker that releases its document
: >root/dev/kmsg
instance=$(printf '%064d' 7)
echo "host-data=$instance" >root/tee/set
volume root
measured
server kbs
"$kbsd" resource add --dir kbs --document --file root.doc default/vm/root || bail "no resource"
rule default/vm/root "$measurement" "host-data = $instance" "test = yes" | policy kbs
reload kbs
{
	echo "[agent]"
	echo "deadline = 30s"
	sed "s/:8443\$/:$port/" kbs.init
	echo "key = ec-p256"
	echo "[volume root]"
	echo "device = /root.img"
	echo "secret = main:default/vm/root"
} >root/etc/test.conf

forget() {
	rm -rf root/mapper root/run
	mkdir root/mapper root/run
	: >root/dev/kmsg
}
unlock() {
	"$agent" unlock root --config /etc/test.conf >log 2>&1
}
# end_at N SIGNAL WHEN: sets at and code
end_at() {
	forget
	"$bin/killat" "$1" "$2" "$3" "$agent" unlock root --config /etc/test.conf >result 2>log ||
		bail "$(cat log)"
	at=$(sed 's/^at=\([^ ]*\) .*/\1/' result)
	code=$(sed 's/.*exit=//' result)
}
private() {
	for node in root/mapper/cryptattest-*; do
		[ ! -e "$node" ] || return 0
	done
	return 1
}
# killat has waited for every process that the agent left, so the guardian is done.
nothing_mapped() {
	[ -z "$(ls root/mapper)" ]
}
# Nothing is announced after publish.end: the signal may find a run that was over and on record as such.
over() {
	[ "$at" = "${1:-publish.end}" ] && is_open && grep -q '"result":"ok"' root/run/cryptattest/status.json
}
is_open() {
	[ -e root/mapper/root ] && grep -q '"state":"open"' root/run/cryptattest/status.json && ! private
}

forget
unlock && is_open
report $? "an unlock that is left alone"
forget
"$agent" unlock root --config /etc/test.conf --status-fd 97 >log 2>&1
[ $? = 2 ] && [ ! -e root/mapper/root ]
report $? "events have nowhere to go: exit 2"

# --- SIGKILL
seen=
for when in at-once settled; do
	n=0
	while end_at $n 9 $when && [ "$at" != end ]; do
		n=$((n + 1))
		seen="$seen $at"
		over || { [ "$code" = 137 ] && nothing_mapped && ! grep -q '"state":"open"' root/run/cryptattest/status.json; }
		report $? "SIGKILL $when, event $n ($at): nothing mapped"
		[ "$at" != publish.end ] || over || { grep -q '"id":"killed"' root/run/cryptattest/status.json &&
			grep -q 'root: not finished' root/dev/kmsg; }
		report $? "SIGKILL $when, event $n ($at): the record and the kernel's log say so"
		unlock && is_open
		report $? "SIGKILL $when, event $n ($at): the next run opens the volume"
	done
	[ "$n" -gt 10 ]
	report $? "SIGKILL $when: $n events"
done
for phase in device header net auth evidence attest get open verify cap publish; do
	case $seen in
	*" $phase.start"*) ;;
	*) report 1 "phase $phase was announced" ;;
	esac
done

# Between the name's being given and the end of the run, wherever it strikes: nothing, or a run that had ended.
n=0
until end_at $n 9 at-once && [ "$at" = publish.start ]; do
	n=$((n + 1))
	[ "$at" != end ] || bail "publish.start is not announced"
done
tries=0 killed=0
while [ $tries -lt 40 ]; do
	tries=$((tries + 1))
	delay=$(($(od -An -N2 -tu2 /dev/urandom) % (tries * 200)))
	end_at $n 9 $delay
	if nothing_mapped; then
		killed=$((killed + 1))
		[ "$code" = 137 ] && unlock && is_open
	else
		over publish.start
	fi || {
		report 1 "SIGKILL $delay microseconds after publish.start: exit $code"
		break
	}
done
[ $tries = 40 ] && [ $killed -ge 5 ]
report $? "SIGKILL at $tries moments after publish.start: $killed found nothing mapped, the others a run that was over"

# A mapping of the public name that we did not make is never taken for one of a killed run.
end_at 0 9 settled
"$bin/killat" 100 0 at-once "$agent" unlock root --config /etc/test.conf >result 2>log
sed -i 's/"state":"open"/"state":"failed"/' root/run/cryptattest/status.json
unlock
[ $? = 9 ] && [ -e root/mapper/root ]
report $? "a mapping without a record of ours is left alone: exit 9"

# --- SIGTERM
n=0
while end_at $n 15 settled && [ "$at" != end ]; do
	n=$((n + 1))
	case $at in
	publish.*) # every check passed, and the name was given before the signal
		[ "$code" = 0 ] && is_open
		report $? "SIGTERM, event $n ($at): open, exit $code"
		;;
	*)
		[ "$code" = 5 ] && [ ! -e root/mapper/root ] && ! private
		report $? "SIGTERM, event $n ($at): no mapping, exit $code"
		unlock && is_open
		report $? "SIGTERM, event $n ($at): the next run opens the volume"
		;;
	esac
done
[ "$n" -gt 10 ]
report $? "SIGTERM: $n events"
plan $count
