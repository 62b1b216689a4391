# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh disable=SC2034,SC2154
# For the tests of an agent against the real cryptattest-kbs: SEV-SNP hardware of the test PKI, its volumes with their documents, and a
# server in a directory of its own. $tmp is the working directory.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup
kbsd=$TOP_BUILDDIR/cryptattest-kbs
[ -x "$kbsd" ] || skip_all "built without the server"
machine mapper proc/sys/kernel/random
machine_tee
echo 11111111-2222-4333-8444-555555555599 >root/proc/sys/kernel/random/boot_id
# Started by root, the server is another user, who has to reach its directory.
chmod 0755 "$tmp"
cp "$pki/roots.pem" .
user=
[ "$(id -u)" -ne 0 ] || user="--user nobody"

# volume NAME [OPTION...]: root/NAME.img with a passphrase of 32 random bytes, which a NAME.pass that is there takes the place of, and NAME.doc
volume() {
	name=$1
	shift
	rm -f "root/$name.img"
	truncate -s 24M "root/$name.img"
	[ -s "$name.pass" ] || (umask 077 && head -c 24 /dev/urandom | base64 | tr -d '\n' >"$name.pass")
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$name.pass" "$@" "root/$name.img" ||
		bail "no LUKS2 volume"
	"$agent" document "/$name.img" --name "$name" --key-file "$name.pass" >"$name.doc" || bail "no document"
}

# measured: sets measurement, of the agent's machine
measured() {
	measurement=$("$agent" evidence --json 2>/dev/null | sed -n 's/.*"measurement": *"\([0-9a-f]*\)".*/\1/p')
	[ ${#measurement} = 96 ] || bail "no measurement"
}

# rule RESOURCE MEASUREMENT LINE...: a section of a policy
rule() {
	printf '[resource %s]\ntee = snp\nmeasurement = %s\n' "$1" "$2"
	printf 'covers = kernel+initrd+cmdline\nmin-tcb = milan bootloader:4 tee:0 snp:24 microcode:219\n'
	shift 2
	printf '%s\n' "$@"
}

# policy DIR: from standard input
policy() {
	cat >policy.new
	install -m 600 -o "$(stat -c %u "$1")" -g "$(stat -c %g "$1")" policy.new "$1/policy.conf"
}

# server DIR OPTION...: makes DIR unless it is there, and serves it; sets port. DIR.init is what init printed, DIR.log the server's log.
server() {
	dir=$1
	shift
	# shellcheck disable=SC2086 # two words or none
	[ -d "$dir" ] || "$kbsd" init --ip 127.0.0.1 $user "$dir" >"$dir.init" || bail "no server"
	"$kbsd" serve --dir "$dir" --listen 127.0.0.1:0 --test-root roots.pem "$@" >"$dir.log" 2>&1 &
	kbs="$kbs $!"
	echo $! >"$dir.pid"
	wait_for "grep -q 'listening on' $dir.log"
	port=$(sed -n 's|.*listening on https://127\.0\.0\.1:\([0-9]*\).*|\1|p' "$dir.log" | head -n 1)
}

# logged DIR WORDS SIGNAL: has the server of DIR write a line with these words
logged() {
	lines=$(grep -c "$2" "$1.log")
	kill "-$3" "$(cat "$1.pid")"
	wait_for "[ \$(grep -c '$2' $1.log) -gt $lines ]"
}

# reload DIR: new policy and resources are in force when it returns
reload() {
	logged "$1" 'reload: done' HUP
	! grep 'reload: done,' "$1.log" || bail "not all is in force"
}
