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
printf %s correct-horse >pass
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
	typed correct-horse "$prefix"
	check "the right one$where: open, and not on the screen" all '[ $code = 0 ]' 'ls root/mapper | grep -q root' '! grep -q correct-horse out'
done
echo correct-horse | "$agent" recover root --config /etc/test.conf >out 2>err
code=$?
check "a pipe: already open" all '[ $code = 0 ]'
plan $count
