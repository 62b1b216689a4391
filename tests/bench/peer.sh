# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# clevis with tang on loopback, turn by turn with the agent. clevis recovers a passphrase ("clevis decrypt") and stops there, so
# what is compared is the way to the secret: from the start to the answer, header copy and audit included, the test PKI's evidence not
# (a security processor's work, measured in the same run). Sourced by bench.sh.

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
	set -- "$AGENT $AGENT_ARGS --status-fd 9"
	[ -z "$AGENT_MIN" ] || set -- "$@" "$AGENT_MIN $AGENT_ARGS --status-fd 9"
	"$BENCH/measure" --runs $((RUNS * 2 + 1)) --status --before "$AGENT_RESET" "$@" "clevis decrypt <$PEER_JWE" >"$WORK/peer" ||
		die "clevis or unlock failed"
	peer_index=$(awk '{ n = $1 } END { print n }' "$WORK/peer")
	peer_evidence=$("$BENCH/agent_parts" evidence "$AGENT_ROOT" | awk '/^wall/ { print $2 }')
	columns
	plain "clevis decrypt, wall" "$(peer_figure wall)" ms
	peer_row 0 "$AGENT_NAME"
	[ -z "$AGENT_MIN" ] || peer_row 1 "minimal libcurl"
	plain "whole unlock, wall, $AGENT_NAME" "$(figure "$WORK/peer" 0 wall)" ms
	[ -z "$AGENT_MIN" ] || plain "whole unlock, wall, minimal libcurl" "$(figure "$WORK/peer" 1 wall)" ms
	plain "clevis decrypt, CPU (without tang's)" "$(peer_figure cpu)" ms
	plain "whole unlock, CPU, $AGENT_NAME" "$(figure "$WORK/peer" 0 cpu)" ms
	[ -z "$AGENT_MIN" ] || plain "whole unlock, CPU, minimal libcurl" "$(figure "$WORK/peer" 1 cpu)" ms
	plain "clevis decrypt, largest process" "$(calc "$(peer_figure rss) / 1024")" MiB
	if command -v strace >/dev/null && strace -f -qq -o "$WORK/calls" clevis decrypt <"$PEER_JWE" >/dev/null 2>&1; then
		plain "clevis decrypt, system calls" "$(grep -cvE 'resumed>|^[0-9]+ +(---|\+\+\+)' "$WORK/calls")" " "
		plain "clevis decrypt, programs started" "$(grep 'execve(' "$WORK/calls" | grep -cv '= -1')" " "
	fi
}

peer_figure() { figure "$WORK/peer" "$peer_index" "$1"; }

# The budget is a quarter of the peer's.
peer_row()
{
	row "start to secret, P-256, $2, against clevis" "$(calc "$(figure "$WORK/peer" "$1" to-secret) - $peer_evidence")" \
		"$(calc "$(peer_figure wall) / 4")" ms
}
