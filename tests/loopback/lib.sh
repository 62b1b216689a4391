# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh disable=SC2034
# For the shell tests beside it: TAP, a temporary directory, a faultkbs that ends with us.
bin=$TOP_BUILDDIR/tests/loopback
tmp=$(mktemp -d) || exit 1
count=0
kbs=
cleanup() {
	# shellcheck disable=SC2086 # process ids
	[ -z "$kbs" ] || kill $kbs 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

plan() {
	echo "1..$1"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

bail() {
	echo "Bail out! $*"
	exit 1
}

# need TOOL...
need() {
	for tool; do
		command -v "$tool" >/dev/null || skip_all "$tool is not installed"
	done
}

# skip_rest PLANNED REASON: the tests that are left, each with its reason
skip_rest() {
	while [ "$count" -lt "$1" ]; do
		skip "$2"
	done
	exit 0
}

# skip REASON: one test
skip() {
	count=$((count + 1))
	echo "ok $count # SKIP $1"
}

# check NAME COMMAND...
check() {
	name=$1
	shift
	count=$((count + 1))
	if "$@" >"$tmp/check" 2>&1; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$tmp/check" "$tmp/out" "$tmp/err" 2>/dev/null
	fi
}

# all COMMAND...: for check, each command one word
all() {
	for word; do
		eval "$word" || {
			echo "failed: $word"
			return 1
		}
	done
}

# machine [FOLDER...]: the root directory of an agent in $tmp, where we go; sets root, build and agent
machine() {
	build=$(cd "$TOP_BUILDDIR" && pwd)
	agent=$build/cryptattest-test
	cd "$tmp" || exit 1
	root=$tmp/root
	export CRYPTATTEST_TEST_ROOT="$root"
	mkdir -p root/etc root/dev root/run root/tee
	for folder; do
		mkdir -p "root/$folder"
	done
}

# machine_tee: the machine is SEV-SNP hardware of the test PKI, which all tests share; sets pki
machine_tee() {
	pki=$build/tests/pki
	"$build/tests/tools/cryptattest-testpki" init "$pki" >/dev/null || bail "no test PKI"
	echo snp >root/tee/kind
	echo "$pki" >root/tee/pki-dir
}

# new_volume FILE PASSPHRASE-FILE: LUKS2, 20 MiB
new_volume() {
	truncate -s 0 "$1"
	truncate -s 20M "$1"
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$1" "$2" || bail "no LUKS2 volume"
}

# agent VERB...: over root/etc/test.conf; sets code; out and err hold what it printed, said what all of them did
agent() {
	timeout 60 "$agent" "$@" --config /etc/test.conf >out 2>err </dev/null
	code=$?
	cat out err >>said
}

# soon CONDITION: is true within a minute, which only a failure takes
soon() {
	tries=0
	until eval "$1" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 1200 ] || return 1
		sleep 0.05
	done
}

# wait_for CONDITION: or nothing that follows makes sense
wait_for() {
	soon "$1" || bail "waited too long for: $1"
}

# start_kbs SCRIPT [SECRET]: sets url and pin, leaves ca.pem in $tmp
start_kbs() {
	rm -f "$tmp/info" "$tmp/stdin"
	mkfifo "$tmp/stdin"
	"$bin/faultkbs" "$tmp" "$@" <"$tmp/stdin" >"$tmp/counts" &
	kbs=$!
	exec 9>"$tmp/stdin"
	wait_for "[ -s $tmp/info ]"
	url=$(sed -n s/^url=//p "$tmp/info")
	pin=$(sed -n s/^pin=//p "$tmp/info")
}

# on_terminal PROMPT COMMAND LINE...: COMMAND on a pseudo terminal of its own; each line is typed when PROMPT stands there once more. Sets code;
# what was shown is in err.
on_terminal() {
	prompt=$1 command=$2
	shift 2
	rm -f ended
	: >out
	{
		asked=0 tries=0
		for line; do
			asked=$((asked + 1))
			until [ -e ended ] || [ "$(grep -c "$prompt" out)" -ge $asked ] || [ $tries -ge 1000 ]; do
				tries=$((tries + 1))
				sleep 0.05
			done
			[ -e ended ] || echo "$line"
		done
		# Its end of file would end the command too.
		until [ -e ended ] || [ $tries -ge 1000 ]; do
			tries=$((tries + 1))
			sleep 0.05
		done
	} | timeout 60 script -qec "$command; code=\$?; : >ended; exit \$code" /dev/null >out 2>&1
	code=$?
	tr -d '\r' <out >err
}
