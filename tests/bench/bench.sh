#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# Run by "make bench": what the agent and the server cost, beside the budgets of the design and, where a budget names a peer, beside
# that peer in the same run. A missed budget is said and is no failure: times swing. What cannot run fails the run.
#
#	BENCH_RUNS=N		runs per figure (9)
#	BENCH_CURL=PREFIX	(make variable) a libcurl of contrib/build-curl.sh, for a second agent
#	BENCH_INITRAMFS=1	also the growth of an initramfs; as root, makes Debian trees and a build below out/, minutes
#	BENCH_HANDSHAKES=N, BENCH_CLIENTS=N	of the server's part (200, 1000)
set -u
: "${TOP_SRCDIR:?}" "${TOP_BUILDDIR:?}" "${BENCH_WITH_CURL:=system}"
RUNS=${BENCH_RUNS:-9}
BENCH=$TOP_BUILDDIR/tests/bench
PIDS=
# /run and device-mapper do not wait for a disk: nor do the files that stand in for them, where there is room in memory.
MEMORY=/dev/shm
[ -w $MEMORY ] && [ "$(df --output=avail -k $MEMORY | tail -n 1)" -gt 600000 ] || MEMORY=/tmp
WORK=$(mktemp -d $MEMORY/cryptattest-bench-XXXXXX) || exit 1
chmod 755 "$WORK"
PATH=$PATH:/usr/sbin:/sbin

finish()
{
	for pid in $PIDS; do
		kill "$pid" 2>/dev/null
	done
	rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

die()
{
	echo "bench: $*" >&2
	exit 1
}

# row WHAT FIGURE BUDGET UNIT: one line of the table with ratio and verdict.
row()
{
	awk -v what="$1" -v f="$2" -v b="$3" -v unit="$4" 'BEGIN {
		printf "%-78s %9.*f %9.*f %-6s %5.2f  %s\n", what, f < 100 && f != int(f) ? 2 : 0, f, b < 100 && b != int(b) ? 2 : 0, b, unit, b ? f / b : 0,
			f <= b ? "within" : "OVER" }'
}

# plain WHAT FIGURE UNIT: a figure without a budget; without UNIT, words.
plain() { awk -v what="$1" -v f="$2" -v unit="${3-}" 'BEGIN {
	if (unit == "") printf "%-78s %s\n", what, f; else printf "%-78s %9.*f %9s %s\n", what, f < 100 && f != int(f) ? 2 : 0, f, "", unit }'; }

heading() { printf '\n%s\n' "$1"; }
columns() { printf '%-78s %9s %9s %-6s %5s  %s\n' "" figure budget unit ratio verdict; }

# figure FILE INDEX NAME: the median that measure printed. least: the minimum.
figure() { awk -v i="$2" -v n="$3" '$1 == i && $2 == n { print $3; found = 1 } END { if (!found) print 0 }' "$1"; }
least() { awk -v i="$2" -v n="$3" '$1 == i && $2 == n { print $4; found = 1 } END { if (!found) print 0 }' "$1"; }
calc() { awk "BEGIN { print $1 }"; }

# Missing packages are installed by root; else the rows that need them say so.
if [ "$(id -u)" = 0 ]; then
	sh "$TOP_SRCDIR/tests/deps.sh" bench >/dev/null 2>"$WORK/deps.log" || sed 's/^/bench: /' "$WORK/deps.log" >&2
fi

printf 'cryptattest bench: %s, %s processors, kernel %s, %s; median of %s runs, load %s\n' \
	"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
	"$(openssl version | cut -d' ' -f1-2)" "$RUNS" "$(cut -d' ' -f1 /proc/loadavg)"
awk -v n="$(nproc)" '$1 > n { printf "The machine is busy: what is late or dear below may be so for that alone. Sizes and counts do not mind.\n" }' /proc/loadavg
. "$TOP_SRCDIR/tests/bench/agent.sh"
. "$TOP_SRCDIR/tests/bench/peer.sh"
. "$TOP_SRCDIR/tests/bench/sealed.sh"
. "$TOP_SRCDIR/tests/bench/initramfs.sh"

bench_agent || exit 1
bench_peer || exit 1
bench_sealed || exit 1
heading "Initramfs"
bench_initramfs || exit 1
heading "Server: cryptattest-kbs"
if [ -x "$BENCH/kbsd_bench" ]; then
	columns
	"$BENCH/kbsd_bench" "${BENCH_HANDSHAKES:-200}" "${BENCH_CLIENTS:-1000}" || die "the server's part failed"
else
	plain "all figures" "not measured: configured without cryptattest-kbs or cmocka"
fi
