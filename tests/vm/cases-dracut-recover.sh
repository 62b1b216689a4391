# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# dracut with systemd and no broker: the root is opened by hand on the serial console, in the shell that the program starts and in dracut's emergency
# mode. Those without systemd are in cases-hand.sh. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL dracut-systemd-recover dracut-systemd-recover-cvm dracut-socket-recover"

# recover_boot NAME IMAGE ON-FAILURE WORD...: the next boot's machine. The deadline is recover's as well, which on a busy machine takes its time beside
# what systemd and the initqueue do.
recover_boot()
{
	boot_into "$1"
	sed -i -e "s/^on-failure.*/on-failure = $3/" -e 's/^deadline.*/deadline = 25s/' "$VM_WORK/recover-$name.conf"
	with_config "recover-$name.conf" "$2"
	shift 3
	dracut_machine initrd "$@"
	rm -f "$CASE_DIR/dialog"
	VM_SECONDS=300
}

# recovered_in_both IMAGE WORD...: in the shell of on-failure = shell, beside an initqueue that goes on, and in that of dracut's emergency mode, into which a
# boot runs that went on without its root (on-failure = continue).
recovered_in_both()
{
	recover_image=$1
	shift
	recover_boot shell "$recover_image" shell "$@"
	opened_with_passphrase
	launch
	expect_console 'starting a shell on the console'
	expect_console '^code: 6'
	expect_console '^code: 0'
	expect_console 'every required volume is open: the boot goes on'
	expect_no_console 'emergency mode'
	expect_recovered

	by_hand
	recover_boot emergency "$recover_image" continue "$@"
	says 'Press Enter for maintenance' '' # no password of root's is in the image
	opened_with_passphrase
	launch
	expect_console 'the boot goes on without these volumes'
	expect_console 'Entering emergency mode'
	expect_console '^code: 6'
	expect_console '^code: 0'
	expect_no_console 'starting a shell on the console'
	expect_recovered
}

case_dracut_systemd_recover()
{
	title "$1" "dracut with systemd, broker down: opened by hand in the shell of on-failure, and in dracut's emergency mode, and booted" || return 0
	tee snp
	recover_with 'profile = bare-metal'
	recovered_in_both initrd-dracut-systemd ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
}

# With profile = cvm the console is the host's: the program asks for no passphrase there, and dracut's emergency mode has no shell.
case_dracut_systemd_recover_cvm()
{
	title "$1" "the same with profile = cvm: a key file opens, no prompt; and no emergency shell of dracut's" || return 0
	set -- ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root"
	tee snp
	recover_with
	recover_boot shell initrd-dracut-systemd shell "$@"
	says "$SHELL_PROMPT" 'cryptattest recover root; echo "code: $?"'
	# The image has no base64.
	says "$SHELL_PROMPT" "umask 077; printf '$(od -A n -v -t o1 "$VM_WORK/root.key" | tr -d '\n' | tr ' ' '\134')' >/run/key"
	says "$SHELL_PROMPT" 'cryptattest recover root --key-file /run/key; echo "code: $?"'
	says "$SHELL_PROMPT" exit
	launch
	expect_console 'gives the host.s console a root shell'
	expect_console 'prompt-on-console.*log in by ssh'
	expect_console '^code: 0'
	expect_no_console '^Passphrase for root'
	expect_recovered

	recover_boot emergency initrd-dracut-systemd continue "$@"
	VM_DIALOG=
	launch
	expect_no_root
	expect_no_console 'Press Enter for maintenance'
	expect_console 'cryptattest: the boot has failed'
	expect_console 'reboot: Restarting system'
}

# systemd-cryptsetup, which waits at the socket, gets nothing any more and fails beside a volume that is open.
case_dracut_socket_recover()
{
	title "$1" "dracut with systemd, socket, broker down: the same; the volume is mapped by us beside systemd-cryptsetup" || return 0
	tee snp
	recover_with 'profile = bare-metal' 'opener = crypttab'
	# shellcheck disable=SC2086 # words
	recovered_in_both initrd-dracut-socket $socket_words
	expect_no_console 'passphrase handed out'
}
