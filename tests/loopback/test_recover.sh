#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# recover, by somebody at a terminal: one of ssh's kind, with the shell that one has in a running system and with that of an initramfs, which has
# no controlling terminal. A console of a confidential VM is in the guests' tests (recover-shell-cvm).
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup
script -qec true /dev/null >/dev/null 2>&1 || skip_all "script(1) makes no pseudo terminal here"
machine mapper
export agent
printf '[agent]\nprofile = cvm\n[volume root]\ndevice = /dev/disk\nmode = manual\n' >root/etc/test.conf
printf %s correct-horse-battery >pass
chmod 600 pass
new_volume root/dev/disk pass

# typed WORD PREFIX: recover under PREFIX on a pseudo terminal of its own, and this word once it asks
typed() {
	rm -rf root/run root/mapper
	mkdir root/run root/mapper
	on_terminal 'Passphrase for root:' "$2 $agent recover root --config /etc/test.conf" "$1"
}
for prefix in "" "setsid -w"; do
	where=${prefix:+", no controlling terminal"}
	typed wrong "$prefix"
	check "a wrong passphrase$where: exit 6" all '[ $code = 6 ]' '! ls root/mapper | grep -q .'
	typed correct-horse-battery "$prefix"
	check "the right one$where: open, and not on the screen" all '[ $code = 0 ]' 'ls root/mapper | grep -q root' '! grep -q correct-horse-battery out'
done
echo correct-horse-battery | "$agent" recover root --config /etc/test.conf >out 2>err
code=$?
check "a pipe: already open" all '[ $code = 0 ]'
# --- a console: no pseudo terminal, as far as the program can learn (TIOCGDEV). It is the host's with profile = cvm, whoever asks for what
if strace -qq -o trace true 2>/dev/null; then
	# A leak checker traces too, and two cannot.
	export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
	# on_console WORDS: where the program asks what terminal this is, it gets no answer; twice, since what is asked for before that differs
	on_console() {
		rm -rf root/run root/mapper doc
		mkdir root/run root/mapper
		on_terminal 'Passphrase for' "strace -qq -o trace -e trace=ioctl $agent $1" correct-horse-battery
		asked=$(grep -n TIOCGDEV trace | head -n 1 | cut -d: -f1)
		rm -rf root/run root/mapper doc
		mkdir root/run root/mapper
		on_terminal 'Passphrase for' "strace -qq -o trace -e trace=ioctl -e inject=ioctl:error=ENOTTY:when=${asked:-1000} $agent $1" correct-horse-battery
	}
	refused_there() {
		[ $code = 2 ] && [ -n "$asked" ] && grep -q 'prompt-on-console.*log in by ssh, or give it in a file (--key-file' err && ! grep -q '^Passphrase for' err
	}
	printf '[agent]\nprofile = cvm\n[kbs main]\nurl = https://127.0.0.1:1\npin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n' >root/etc/kbs.conf
	printf '[volume root]\ndevice = /dev/disk\nsecret = main:default/vm/root\n' >>root/etc/kbs.conf
	sed 's/profile = cvm/profile = bare-metal/' root/etc/kbs.conf >root/etc/metal.conf
	for words in "recover root --config /etc/test.conf" "enroll root --source=kbs --output doc --config /etc/kbs.conf" \
		"wipe root --keyslot 1 --config /etc/kbs.conf" "document /dev/disk --name root --pins --config /etc/kbs.conf"; do
		on_console "$words"
		check "${words%% *}, on a console: not asked" refused_there
	done
	on_console "enroll root --source=kbs --output doc --config /etc/metal.conf"
	check "profile = bare-metal: asked" all '[ $code = 0 ]' 'grep -q "^Passphrase for" err'
	on_console "document /dev/disk --name root --pins"
	check "no configuration: asked" all '[ $code = 0 ]' 'grep -q "^Passphrase for" err'
	printf 'correct-horse-battery\n' | "$agent" document /dev/disk --name root --pins --config /etc/kbs.conf >out 2>err
	code=$?
	check "a pipe: taken" all '[ $code = 0 ]'
	"$agent" document /dev/disk --name root --pins --key-file pass --config /etc/kbs.conf >out 2>err </dev/null
	code=$?
	check "a file: taken" all '[ $code = 0 ]'
else
	echo "# strace is not installed, or may not trace here: no console"
fi
plan $count
