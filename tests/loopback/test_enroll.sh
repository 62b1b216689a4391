#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# enroll and wipe on an image, without root: what they give out, what they refuse, and what is left when they are killed at any of the
# calls that reach a disk.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup
machine
printf %s correct-horse-battery-staple >pass
printf %s another-good-passphrase >pass2
printf %s something-quite-else >wrong
chmod 600 pass pass2 wrong
cat >root/etc/test.conf <<-X
	[kbs main]
	url = https://127.0.0.1:1
	pin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
	[volume root]
	device = /dev/disk
	secret = main:default/vm/root
X
new_volume base.img pass

fresh() {
	cp base.img root/dev/disk
	rm -f doc.json
}
# opens FILE: cryptsetup opens the volume with this passphrase
opens() {
	cryptsetup open --test-passphrase -q --key-file "$1" root/dev/disk 2>/dev/null
}
sound() {
	"$agent" check root/dev/disk >/dev/null
}
# member FILE NAME: a string of the document
member() {
	sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" "$1"
}
# refused CODE ID: that exit code and id, one line, and nothing changed
refused() {
	[ "$code" = "$1" ] && grep -q "\[$2\]" err && [ "$(wc -l <err)" = 1 ] && cmp -s base.img root/dev/disk && [ ! -e doc.json ] && [ ! -s out ]
}

# --- enroll --source=kbs
fresh
agent enroll root --source=kbs --key-file pass --output doc.json
check "a document, and a keyslot that its passphrase opens" all '[ $code = 0 ]' sound 'opens pass' \
	'member doc.json passphrase | base64 -d >new' 'opens new' '[ "$(stat -c %s new)" = 44 ]' '[ "$(base64 -d <new | wc -c)" = 32 ]' \
	'[ "$(stat -c %a doc.json)" = 600 ]' '[ ! -s out ]' 'grep -q "keyslot 1 holds a new secret" err' '! grep -qF "$(cat new)" err'
cryptsetup luksDump root/dev/disk >dump
check "PBKDF2-SHA512 with 1000 iterations" all '[ "$(grep -c "Hash:  *sha512" dump)" -ge 1 ]' \
	'[ "$(grep -A8 "^  1: luks2" dump | sed -n "s/.*Iterations: *//p")" = 1000 ]' \
	'grep -A8 "^  1: luks2" dump | grep -q "PBKDF: *pbkdf2"'
chmod 600 new
"$agent" document root/dev/disk --name root --key-file new >same.json 2>err
check "the document is the one that \`document\` makes of that keyslot" cmp doc.json same.json
fresh
"$agent" enroll root --source=kbs --config /etc/test.conf <pass >doc.pipe 2>err
check "passphrase on standard input, document on standard output" all 'member doc.pipe passphrase | base64 -d >new' 'opens new' sound
fresh
{ timeout 60 "$agent" enroll root --source=kbs --key-file pass --config /etc/test.conf 2>err; echo $? >rc; } | cat >doc.pipe
check "document into a pipe" all '[ "$(cat rc)" = 0 ]' 'member doc.pipe passphrase | base64 -d >new' 'opens new'
agent enroll root --source=kbs --key-file pass --output doc.json --keyslot 6
check "a keyslot of one's choice, and a second document" all '[ $code = 0 ]' 'grep -q "\"keyslot\":6" doc.json' 'opens new' sound
cp root/dev/disk full.img
for n in 2 3 4 5 7; do
	rm -f doc.json
	agent enroll root --source=kbs --key-file pass --output doc.json
done
rm -f doc.json
cp root/dev/disk base.full
agent enroll root --source=kbs --key-file pass --output doc.json
check "eight keyslots are the end" all '[ $code = 2 ]' 'grep -q "\[keyslots-full\]" err' 'cmp -s base.full root/dev/disk' '[ ! -e doc.json ]'

# --- what is refused, without a change
for words in "6 badkey --source=kbs --key-file wrong --output doc.json" "2 keyslot-taken --source=kbs --key-file pass --output doc.json --keyslot 0" \
	"2 keyslot-number --source=kbs --key-file pass --output doc.json --keyslot 32" "2 usage --key-file pass --output doc.json" \
	"2 usage --source=tpm --key-file pass --output doc.json" "2 key-file --source=kbs --key-file missing --output doc.json" \
	"2 output --source=kbs --key-file pass --output missing/doc.json" "9 K1 --source=kbs --output doc.json"; do
	fresh
	# shellcheck disable=SC2086 # words
	set -- $words
	expected=$1 id=$2
	shift 2
	agent enroll root "$@"
	check "enroll $*: $id" refused "$expected" "$id"
done
fresh
echo precious >exists.json
agent enroll root --source=kbs --key-file pass --output exists.json
check "an existing file is not written over" all 'refused 2 output-exists' '[ "$(cat exists.json)" = precious ]'
agent enroll rot --source=kbs --key-file pass --output doc.json
check "an unknown volume" refused 2 volume-unknown
for mode in vtpm kbs+vtpm; do
	sed '/^secret/d' root/etc/test.conf >root/etc/mode.conf
	[ $mode = vtpm ] || cp root/etc/test.conf root/etc/mode.conf
	printf 'mode = %s\nsealed = /sealed\n[agent]\nprofile = bare-metal\n[vtpm]\npcrs = 4 9\nsrk-name = 000b%064d\n' $mode 0 >>root/etc/mode.conf
	"$agent" enroll root --source=kbs --key-file pass --output doc.json --config /etc/mode.conf >out 2>err
	code=$?
	check "mode $mode: a keyslot of the broker alone" refused 2 enroll-mode
	"$agent" enroll root --source=kbs --key-file pass --output doc.json --force --config /etc/mode.conf >out 2>err
	check "mode $mode: with --force" all 'member doc.json passphrase | base64 -d >new' 'opens new'
	fresh
done
"$TOP_BUILDDIR/tests/headers/mkheader" root/dev/disk set segments.0.encryption '"cipher_null-ecb"'
cp root/dev/disk hostile.img
agent enroll root --source=kbs --key-file pass --output doc.json
check "a hostile header is no base for a change" all '[ $code = 9 ]' 'grep -q "\[H6\]" err' 'cmp -s hostile.img root/dev/disk' '[ ! -e doc.json ]'
fresh
echo "vk-id = $(printf '%064d' 0)" >>root/etc/test.conf
agent enroll root --source=kbs --key-file pass --output doc.json
check "the configuration pins another volume" refused 9 K4
sed -i '/^vk-id/d' root/etc/test.conf
if [ -w /dev/full ]; then
	timeout 60 "$agent" enroll root --source=kbs --key-file pass --config /etc/test.conf >/dev/full 2>err
	code=$?
	: >out
	check "the document cannot be written: no keyslot" refused 1 write
else
	skip "no /dev/full here"
fi

# --- wipe
fresh
cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file pass root/dev/disk pass2 || bail luksAddKey
cp root/dev/disk two.img
agent wipe root --keyslot 0 --key-file pass2
check "wipe with the passphrase of another keyslot" all '[ $code = 0 ]' sound 'opens pass2' '! opens pass'
agent wipe root --keyslot 1 --key-file pass2
check "never the last one" all '[ $code = 2 ]' 'grep -q "\[keyslot-last\]" err' 'opens pass2'
agent wipe root --keyslot 1 --key-file pass2 --force
check "never the last one, not with --force" all '[ $code = 2 ]' 'grep -q "\[keyslot-last\]" err' 'opens pass2'
cp two.img root/dev/disk
agent wipe root --keyslot 1 --key-file pass2
check "not with its own passphrase alone" all '[ $code = 6 ]' 'grep -q "passphrase of a keyslot that stays" err' 'cmp -s two.img root/dev/disk'
agent wipe root --keyslot 1 --key-file pass2 --force
check "with its own passphrase and --force" all '[ $code = 0 ]' 'opens pass' '! opens pass2' sound
cp two.img root/dev/disk
agent wipe root --keyslot 5 --key-file pass
check "a keyslot that is not there" all '[ $code = 9 ]' 'grep -q "\[keyslot-absent\]" err' 'cmp -s two.img root/dev/disk'
agent wipe root --keyslot 1 --key-file wrong
check "a passphrase of no keyslot" all '[ $code = 6 ]' 'cmp -s two.img root/dev/disk'
agent wipe root --key-file pass
check "which keyslot?" all '[ $code = 2 ]' 'cmp -s two.img root/dev/disk'

# --- killed at each call that reaches a disk
# killed N CALLS WORDS...: SIGKILL at the entry of the N-th of these system calls; fails when there are fewer
killed() {
	n=$1 calls=$2
	shift 2
	timeout 60 strace -qq -o trace -e "trace=$calls" -e "inject=$calls:signal=KILL:when=$n" "$agent" "$@" --config /etc/test.conf \
		>out 2>err </dev/null
	grep -q "killed by SIGKILL" trace
}
# What any moment may leave: a header that passes or is torn, and that opens with the old passphrase after cryptsetup mended it.
survived() {
	sound || "$agent" check root/dev/disk | grep -q H2-torn || return 1
	opens pass && sound
}
# In a document that is there and names a keyslot which is there too, the passphrase opens that keyslot.
document_good() {
	[ -s doc.json ] || { ! cryptsetup luksDump root/dev/disk | grep -q "^  1: luks2"; return; }
	member doc.json passphrase | base64 -d >new
	opens new || ! cryptsetup luksDump root/dev/disk | grep -q "^  1: luks2"
}
if strace -qq -o trace true 2>/dev/null; then
	for calls in pwrite64 fsync; do
		n=1
		points=0
		while fresh; killed $n $calls enroll root --source=kbs --key-file pass --output doc.json; do
			survived || { echo "$calls $n"; "$agent" check root/dev/disk; } >>problems
			document_good || echo "$calls $n: a keyslot without its secret" >>problems
			points=$((points + 1))
			n=$((n + 1))
		done
		check "enroll, killed at $points points in $calls" all '[ ! -s problems ]' "[ $points -ge 5 ]"
		cat problems 2>/dev/null | sed 's/^/# /'
		rm -f problems
	done
	for calls in pwrite64 fsync; do
		n=1
		points=0
		while cp two.img root/dev/disk; killed $n $calls wipe root --keyslot 1 --key-file pass; do
			survived || { echo "$calls $n"; "$agent" check root/dev/disk; } >>problems
			points=$((points + 1))
			n=$((n + 1))
		done
		check "wipe, killed at $points points in $calls" all '[ ! -s problems ]' "[ $points -ge 3 ]"
		cat problems 2>/dev/null | sed 's/^/# /'
		rm -f problems
	done
else
	skip "the killing: strace is not installed, or may not trace here"
fi
plan $count
