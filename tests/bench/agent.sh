# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The agent against cryptattest-kbs on loopback. cryptattest-test is the agent's own objects; two things stand in for what this
# machine lacks: evidence is signed in the process by a test PKI (a security processor's work elsewhere: taken off the CPU
# figures, measured in the same run), and mappings are recorded in files instead of device-mapper (left in). Sourced by bench.sh.

CONFIG=/etc/cryptattest/cryptattest.conf
HOST_DATA=1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d

# Eight LUKS2 files, a server that holds their documents, a root directory for each key type and number of volumes.
agent_setup()
{
	agent_pki=$WORK/pki
	"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" init "$agent_pki" && chmod 755 "$agent_pki" && chmod 644 "$agent_pki/roots.pem" &&
		"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" snp "$agent_pki" --out "$WORK/evidence" --set host-data=$HOST_DATA --format trustee ||
		die "no test PKI"
	agent_user=
	[ "$(id -u)" != 0 ] || agent_user="--user nobody"
	# shellcheck disable=SC2086 # two words or none
	"$TOP_BUILDDIR/cryptattest-kbs" init $agent_user --ip 127.0.0.1 "$WORK/kbs" >"$WORK/client" || die "cryptattest-kbs init failed"
	: >"$WORK/policy"
	for i in 1 2 3 4 5 6 7 8; do
		agent_volume "$i"
	done
	cat "$WORK/policy" >"$WORK/kbs/policy.conf"
	agent_server
	for agent_key in rsa-2048 rsa-3072 ec-p256; do
		for agent_n in 1 8; do
			agent_root $agent_key $agent_n
		done
	done
}

# 16 MiB of data behind a header of 16 MiB.
agent_volume()
{
	agent_img=$WORK/v$1.img
	(umask 077 && head -c 32 /dev/urandom | base64 -w0 >"$agent_img.pass")
	truncate -s 32M "$agent_img" &&
		cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$agent_img" "$agent_img.pass" &&
		"$TOP_BUILDDIR/cryptattest" document "$agent_img" --name "v$1" --key-file "$agent_img.pass" >"$WORK/document" &&
		"$TOP_BUILDDIR/cryptattest-kbs" resource add --dir "$WORK/kbs" --document --file "$WORK/document" "default/bench/v$1" ||
		die "cannot make volume $1"
	"$TOP_BUILDDIR/cryptattest-kbs" policy from-evidence "$WORK/evidence" --resource "default/bench/v$1" 2>/dev/null |
		sed 's/FILL-IN/kernel+initrd+cmdline/' >>"$WORK/policy"
	echo "test = yes" >>"$WORK/policy"
}

agent_server()
{
	"$TOP_BUILDDIR/cryptattest-kbs" serve --dir "$WORK/kbs" --listen 127.0.0.1:0 --test-root "$agent_pki/roots.pem" >"$WORK/kbs.log" 2>&1 &
	PIDS="$PIDS $!"
	agent_tries=0
	while AGENT_PORT=$(sed -n 's,.*listening on .*127\.0\.0\.1:\([0-9]*\).*,\1,p' "$WORK/kbs.log" 2>/dev/null); [ -z "$AGENT_PORT" ]; do
		agent_tries=$((agent_tries + 1))
		[ $agent_tries -lt 100 ] || die "cryptattest-kbs does not start: $(cat "$WORK/kbs.log")"
		sleep 0.1
	done
}

# agent_root KEY N: WORK/root-KEY-N, what the test platform takes for "/".
agent_root()
{
	agent_dir=$WORK/root-$1-$2
	mkdir -p "$agent_dir/etc/cryptattest" "$agent_dir/run" "$agent_dir/dev" "$agent_dir/tee"
	echo snp >"$agent_dir/tee/kind"
	echo "$agent_pki" >"$agent_dir/tee/pki-dir"
	echo "host-data=$HOST_DATA" >"$agent_dir/tee/set"
	{
		printf '[agent]\ndeadline = 60s\non-failure = continue\n'
		sed "s,^url = .*,url = https://127.0.0.1:$AGENT_PORT," "$WORK/client"
		echo "key = $1"
		for i in $(seq "$2"); do
			ln "$WORK/v$i.img" "$agent_dir/dev/v$i.img"
			printf '[volume v%s]\ndevice = /dev/v%s.img\nsecret = main:default/bench/v%s\n' "$i" "$i" "$i"
		done
	} >"$agent_dir$CONFIG"
}

# agent_use KEY N: the next runs are of this root. AGENT_RESET closes what a run opened.
agent_use()
{
	AGENT_ROOT=$WORK/root-$1-$2
	AGENT_RESET="rm -rf $AGENT_ROOT/mapper $AGENT_ROOT/run/cryptattest"
	CRYPTATTEST_TEST_ROOT=$AGENT_ROOT
	export CRYPTATTEST_TEST_ROOT
}

AGENT_ARGS="unlock --config $CONFIG --all --quiet"

agent_phases()
{
	heading "Agent: milliseconds per phase (wall time on loopback, summed over volumes)"
	for agent_key in rsa-2048 rsa-3072 ec-p256; do
		for agent_n in 1 8; do
			agent_use $agent_key $agent_n
			"$BENCH/measure" --runs "$RUNS" --status --before "$AGENT_RESET" "$AGENT $AGENT_ARGS --status-fd 9" >"$WORK/phases-$agent_key-$agent_n" ||
				die "unlock failed with $agent_key, $agent_n volumes"
		done
	done
	printf '%-34s %10s %10s %10s %10s %10s %10s\n' "key" rsa-2048 rsa-2048 rsa-3072 rsa-3072 ec-p256 ec-p256 "volumes" 1 8 1 8 1 8
	for agent_phase in preflight device header net auth key-wait evidence attest get open verify cap publish wall cpu; do
		case $agent_phase in
		header) agent_label="header (copy, audit, open)" ;;
		key-wait) agent_label="key-wait (no link to wait for)" ;;
		wall) agent_label="wall, start to exit" ;;
		cpu) agent_label="CPU, all threads and processes" ;;
		*) agent_label=$agent_phase ;;
		esac
		printf '%-34s' "$agent_label"
		for agent_key in rsa-2048 rsa-3072 ec-p256; do
			for agent_n in 1 8; do
				printf ' %10.1f' "$(figure "$WORK/phases-$agent_key-$agent_n" 0 $agent_phase)"
			done
		done
		echo
	done
}

# Own CPU = all of it, less the test PKI's and less the keyslot's KDF, which the volume's owner chose.
agent_cpu()
{
	agent_use ec-p256 1
	agent_evidence=$("$BENCH/agent_parts" evidence "$AGENT_ROOT" | awk '/^cpu/ { print $2 }')
	agent_kdf=$("$BENCH/agent_parts" keyslot "$WORK/v1.img" | awk '/^cpu/ { print $2 }')
	set -- "$AGENT $AGENT_ARGS --status-fd 9"
	[ -z "$AGENT_MIN" ] || set -- "$@" "$AGENT_MIN $AGENT_ARGS --status-fd 9"
	"$BENCH/measure" --runs $((RUNS * 2 + 1)) --status --before "$AGENT_RESET" "$@" >"$WORK/cpu" || die "unlock failed"
	plain "left out below: evidence of the test PKI, CPU" "$agent_evidence" ms
	plain "left out below: the keyslot (PBKDF2/1000) opened by bare libcryptsetup, CPU" "$agent_kdf" ms
	agent_cpu_row 0 "$AGENT_NAME" "$AGENT_CPU_BUDGET"
	[ -z "$AGENT_MIN" ] || agent_cpu_row 1 "minimal libcurl" 12
	agent_memory 0 "$AGENT_NAME"
	[ -z "$AGENT_MIN" ] || agent_memory 1 "minimal libcurl"
	[ -n "$AGENT_MIN" ] || [ "$BENCH_WITH_CURL" != system ] ||
		plain "the same with minimal libcurl" "not measured: none built (sh contrib/build-curl.sh \$PWD/curl)"
}

agent_cpu_row()
{
	row "own CPU, P-256, one volume, $2" "$(calc "$(figure "$WORK/cpu" "$1" cpu) - $agent_evidence - $agent_kdf")" "$3" ms
}

agent_memory()
{
	row "peak resident memory, parent, $2" "$(calc "$(figure "$WORK/cpu" "$1" rss-parent) / 1024")" 12 MiB
	row "peak resident memory, transport child, $2" "$(calc "$(figure "$WORK/cpu" "$1" rss-child) / 1024")" 12 MiB
}

# The device shows up a second after the start, as a slow link would: is the key there when evidence is due?
agent_hidden_key()
{
	for agent_key in rsa-2048 rsa-3072; do
		agent_use $agent_key 1
		agent_time=$("$BENCH/agent_parts" key $agent_key | awk '/^wall/ { print $2 }')
		: >"$AGENT_ROOT/etc/initrd-release"
		mkdir -p "$AGENT_ROOT/proc" && echo "root=/dev/mapper/v1" >"$AGENT_ROOT/proc/cmdline"
		"$BENCH/measure" --runs "$RUNS" --status --before "$AGENT_RESET" --appear 1000 "$AGENT_ROOT/dev/v1.img" "$AGENT $AGENT_ARGS --boot --status-fd 9" \
			>"$WORK/hidden" || die "unlock --boot failed"
		rm "$AGENT_ROOT/etc/initrd-release"
		plain "$agent_key key, made alone" "$agent_time" ms
		row "$agent_key: wait for the key after one second of other waiting" "$(figure "$WORK/hidden" 0 key-wait)" 5 ms
	done
}

agent_header()
{
	"$BENCH/agent_parts" header "$WORK/v1.img" >"$WORK/header" && "$BENCH/agent_parts" header-cold "$WORK/v1.img" >"$WORK/header-cold" ||
		die "header copy failed"
	row "header copy + audit, CPU" "$(awk '/^cpu/ { print $2 }' "$WORK/header")" 3 ms
	row "header copy + audit, wall" "$(awk '/^wall/ { print $2 }' "$WORK/header")" 3 ms
	row "header copy + audit, wall, OpenSSL and libcryptsetup not started yet" "$(awk '/^wall/ { print $2 }' "$WORK/header-cold")" 3 ms
}

# Requests are orders to the transport child (frame type 2), one HTTP request each; connections are those to the server's port.
agent_requests()
{
	for agent_n in 1 8; do
		agent_use ec-p256 $agent_n
		$AGENT_RESET
		# shellcheck disable=SC2086 # words
		strace -f -e trace=sendto,connect -o "$WORK/requests" $AGENT $AGENT_ARGS 2>/dev/null || die "unlock failed under strace"
		row "requests after TLS, $agent_n volume(s)" "$(grep -c 'sendto([0-9]*, "\\2\\0' "$WORK/requests")" $((agent_n + 2)) ""
		row "connections, $agent_n volume(s)" "$(grep -c "connect(.*htons($AGENT_PORT)" "$WORK/requests")" 1 ""
	done
}

# agent_calls PROGRAM NAME: system calls without those for the test PKI's files. The budget's peer recovers a passphrase and stops there, so ours is
# counted to the reply that holds the secret (frame type 0x83); the whole goes on with key slot and mapping, and that has the recorder's calls in it
# where device-mapper's would be.
agent_calls()
{
	agent_use ec-p256 1
	$AGENT_RESET
	# shellcheck disable=SC2086 # words
	strace -f -y -qq -o "$WORK/calls" $1 $AGENT_ARGS 2>/dev/null || die "unlock failed under strace"
	grep -vE "resumed>|^[0-9]+ +(---|\+\+\+)|$agent_pki|$AGENT_ROOT/tee" "$WORK/calls" >"$WORK/calls.counted"
	agent_to_secret=$(awk '/ recvfrom\([0-9]+<[^>]*>, "\\203/ { print NR; exit }' "$WORK/calls.counted")
	[ -n "$agent_to_secret" ] || die "no reply with a secret in the trace"
	row "system calls, start to secret, P-256, one volume, $2" "$agent_to_secret" 999 ""
	# The loader's last act before main() is to ask for the stack's limit.
	plain "  of these to load $(grep -c '\.so[.0-9]*", O_RDONLY|O_CLOEXEC) = [0-9]' "$WORK/calls") libraries, before main()" \
		"$(awk '/prlimit64\(0, RLIMIT_STACK/ { print NR; exit }' "$WORK/calls.counted")" " "
	plain "  whole unlock ($(grep -c "$AGENT_ROOT/mapper" "$WORK/calls.counted") of them the recorder's for device-mapper)" \
		"$(wc -l <"$WORK/calls.counted")" " "
}

bench_agent()
{
	AGENT=$TOP_BUILDDIR/cryptattest-test AGENT_MIN='' AGENT_NAME="Debian's libcurl" AGENT_CPU_BUDGET=20
	[ "$BENCH_WITH_CURL" = system ] || AGENT_NAME="minimal libcurl" AGENT_CPU_BUDGET=12
	[ ! -x "$BENCH/agent-mincurl" ] || AGENT_MIN=$BENCH/agent-mincurl
	command -v cryptsetup >/dev/null || die "cryptsetup is missing (apt-get install cryptsetup-bin)"
	[ -x "$TOP_BUILDDIR/cryptattest-kbs" ] || die "the agent's part needs cryptattest-kbs (--disable-kbs-server was given)"
	agent_setup
	agent_phases
	heading "Agent: budgets"
	columns
	agent_cpu
	agent_header
	agent_hidden_key
	if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
		agent_requests
		agent_calls "$AGENT" "$AGENT_NAME"
		[ -z "$AGENT_MIN" ] || agent_calls "$AGENT_MIN" "minimal libcurl"
	else
		plain "requests, connections, system calls" "not measured: strace is missing or may not trace here"
	fi
}
