# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# clevis with tang on loopback, turn by turn with the agent. clevis only recovers the passphrase ("clevis decrypt"); the agent's
# time has the evidence, the header's audit, the keyslot and the checks of the mapping in it. Sourced by bench.sh.

peer_missing()
{
	for peer_tool in clevis socat curl jose; do
		command -v $peer_tool >/dev/null || { echo "$peer_tool is not installed"; return; }
	done
	[ -x /usr/libexec/tangd ] || echo "tang is not installed"
}

# PEER_JWE: a secret bound to a tang of ours.
peer_setup()
{
	mkdir "$WORK/tang"
	/usr/libexec/tangd-keygen "$WORK/tang" >/dev/null 2>&1
	peer_port=$((AGENT_PORT > 40000 ? AGENT_PORT - 7919 : AGENT_PORT + 7919))
	socat "tcp-listen:$peer_port,bind=127.0.0.1,reuseaddr,fork,max-children=16" exec:"/usr/libexec/tangd $WORK/tang" 2>"$WORK/tang.log" &
	PIDS="$PIDS $!"
	peer_tries=0
	until curl -s -f -o /dev/null "http://127.0.0.1:$peer_port/adv"; do
		peer_tries=$((peer_tries + 1))
		[ $peer_tries -lt 50 ] || return 1
		sleep 0.1
	done
	PEER_JWE=$WORK/secret.jwe
	clevis encrypt tang "{\"url\":\"http://127.0.0.1:$peer_port\"}" -y <"$WORK/v1.img.pass" >"$PEER_JWE" 2>"$WORK/clevis.log" &&
		[ "$(clevis decrypt <"$PEER_JWE")" = "$(cat "$WORK/v1.img.pass")" ]
}

bench_peer()
{
	heading "Agent against clevis with tang (loopback, turn by turn)"
	peer_why=$(peer_missing)
	if [ -n "$peer_why" ]; then
		plain "wall time, CPU, processes, system calls" "not measured: $peer_why"
		return 0
	fi
	if ! peer_setup; then
		plain "wall time, CPU, processes, system calls" "not measured: tang does not answer: $(head -n 1 "$WORK/tang.log")"
		return 0
	fi
	agent_use ec-p256 1
	set -- "$AGENT $AGENT_ARGS" "clevis decrypt <$PEER_JWE"
	[ -z "$AGENT_MIN" ] || set -- "$@" "$AGENT_MIN $AGENT_ARGS"
	"$BENCH/measure" --runs $((RUNS * 2 + 1)) --before "$AGENT_RESET" "$@" >"$WORK/peer" || die "clevis or unlock failed"
	columns
	plain "clevis decrypt, wall" "$(figure "$WORK/peer" 1 wall)" ms
	peer_row wall 0 "$AGENT_NAME"
	[ -z "$AGENT_MIN" ] || peer_row wall 2 "minimal libcurl"
	plain "clevis decrypt, CPU (without tang's)" "$(figure "$WORK/peer" 1 cpu)" ms
	peer_row cpu 0 "$AGENT_NAME"
	[ -z "$AGENT_MIN" ] || peer_row cpu 2 "minimal libcurl"
	plain "clevis decrypt, largest process" "$(calc "$(figure "$WORK/peer" 1 rss) / 1024")" MiB
	if command -v strace >/dev/null && strace -f -qq -o "$WORK/calls" clevis decrypt <"$PEER_JWE" >/dev/null 2>&1; then
		plain "clevis decrypt, system calls" "$(grep -cvE 'resumed>|^[0-9]+ +(---|\+\+\+)' "$WORK/calls")" " "
		plain "clevis decrypt, programs started" "$(grep 'execve(' "$WORK/calls" | grep -cv '= -1')" " "
	fi
}

# The budget is a quarter of the peer's. The whole unlock, test PKI included.
peer_row() { row "whole unlock, P-256, one volume, $1, $3" "$(figure "$WORK/peer" "$2" "$1")" "$(calc "$(figure "$WORK/peer" 1 "$1") / 4")" ms; }
