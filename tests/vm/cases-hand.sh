# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Opened by hand where others than our own initramfs-tools script have the say: dracut, Debian's cryptroot. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL dracut-plain-recover dracut-plain-recover-cvm dracut-push crypttab-keyscript-recover"

# recover_with LINE...: recover_config of cases-storage.sh with these lines in [agent].
recover_with()
{
	recover_config
	for line; do
		sed -i "s/^on-failure.*/&\n$line/" "$VM_WORK/recover-$name.conf"
	done
}

# The prompt of a shell in an initramfs. The kernel may have added something to that line.
SHELL_PROMPT='^[a-z:/]*# '

# opened_with_passphrase: somebody types it, wrongly at first.
opened_with_passphrase()
{
	says "$SHELL_PROMPT" 'printf wrong | cryptattest recover root; echo "code: $?"'
	says "$SHELL_PROMPT" 'cryptattest recover root; echo "code: $?"'
	says 'Passphrase for root: ' 'correct horse battery staple'
	says "$SHELL_PROMPT" exit
}

expect_recovered()
{
	expect_root
	expect_opened root recover
	expect_no_console 'correct horse'
	expect_no_console 'enter passphrase'
	expect_no_console 'Please unlock disk'
}

# --- dracut without systemd --------------------------------------------------------------------------------------------------------------

# The shell is our program's, beside an initqueue that goes on; or dracut's own, when the boot went on without the volume and did not get far.
case_dracut_plain_recover()
{
	title "$1" "dracut without systemd, broker down: opened by hand in the shell of on-failure, and in dracut's emergency shell, and booted" || return 0
	tee snp
	recover_with 'profile = bare-metal'
	VM_SECONDS=300
	opened_with_passphrase
	with_config "recover-$name.conf" initrd-dracut-plain
	machine 6.12 initrd -- ip=dhcp

	boot_into shell
	launch
	expect_console 'starting a shell on the console'
	expect_console '^code: 6'
	expect_console '^code: 0'
	expect_console 'every required volume is open: the boot goes on'
	expect_no_console 'Dropping to debug shell'
	expect_recovered

	boot_into emergency
	sed -i 's/^on-failure.*/on-failure = continue/' "$VM_WORK/recover-$name.conf"
	with_config "recover-$name.conf" initrd-dracut-plain
	machine 6.12 initrd -- ip=dhcp rd.retry=3
	launch
	expect_console 'the boot goes on without these volumes'
	expect_console 'Could not boot'
	expect_console 'Dropping to debug shell'
	expect_console '^code: 6'
	expect_console '^code: 0'
	expect_no_console 'starting a shell on the console'
	expect_recovered
}

# With profile = cvm dracut's emergency shell is none: the boot ends. Whoever writes on-failure = shell gets ours, and no prompt on the host's console.
case_dracut_plain_recover_cvm()
{
	title "$1" "the same with profile = cvm: a key file opens, no prompt; and no emergency shell of dracut's" || return 0
	tee snp
	recover_with
	VM_SECONDS=300
	says '# $' 'cryptattest recover root; echo "code: $?"'
	# The image has no base64.
	octal=$(od -An -to1 -v "$VM_WORK/root.key" | tr -d '\n' | sed 's/ /\\/g')
	says '# $' "umask 077; printf '$octal' >/run/key; cryptattest recover root --key-file /run/key; echo \"code: \$?\""
	says '# $' exit
	with_config "recover-$name.conf" initrd-dracut-plain
	machine 6.12 initrd -- ip=dhcp

	boot_into shell
	launch
	expect_console '^code: 2'
	expect_console '^code: 0'
	expect_console 'prompt-on-console.*log in by ssh'
	expect_no_console '^Passphrase for root'
	expect_recovered

	boot_into emergency
	sed -i 's/^on-failure.*/on-failure = continue/' "$VM_WORK/recover-$name.conf"
	with_config "recover-$name.conf" initrd-dracut-plain
	machine 6.12 initrd -- ip=dhcp rd.retry=3
	# The program ends at its deadline as ever, and dracut, which is told to go on, looks for the root for some more seconds by itself.
	VM_DIALOG='' VM_AROUND_S=$((VM_AROUND_S + 30))
	launch
	expect_no_root
	expect_console 'Could not boot'
	expect_console 'cryptattest: the boot has failed'
	expect_console 'reboot: Restarting system'
	expect_no_console 'Dropping to debug shell'
}

# --- an operator, with dracut -------------------------------------------------------------------------------------------------------------

case_dracut_push()
{
	title "$1" "dracut with systemd, no broker: an operator pushes the secret; not to a machine that the policy does not know" || return 0
	words="ip=dhcp rd.luks.name=$VM_UUID_ROOT=root"
	tee snp
	cp "$VM_WORK/operator.key" "$CASE_DIR/"
	"$VM_BUILD/cryptattest" document "$VM_WORK/root.img" --name root --key-file "$VM_WORK/root.key" >"$CASE_DIR/root.json" || fail "no document"
	# He waits until the machine says that it does. QEMU keeps what was tried before that, until there is somebody to connect to, and five
	# clients that led to nothing shut him out for a minute.
	VM_SECONDS=300 OPERATOR_AFTER='root: waiting [0-9]* s for an operator at any address, port 8444'

	boot_into owner
	# shellcheck disable=SC2086 # words
	dracut_machine initrd-dracut-push $words
	operator "$(rule snp default/test/root)"
	launch root.img
	operator_ended 0 'allowed by .*, covers kernel\+initrd\+cmdline'
	expect_root
	expect_opened root push
	expect_no_console 'enter passphrase'

	boot_into stranger
	operator "$(rule snp default/test/root)"
	# shellcheck disable=SC2086 # words
	dracut_machine initrd-dracut-push $words init=/bin/sh
	launch root.img
	operator_ended 4 'policy-deny'
	expect_no_root
	expect_no_console 'emergency mode'
	expect_exit 5
	expect_console 'push-window'
}

# --- Debian's cryptroot --------------------------------------------------------------------------------------------------------------------

# The shell comes up inside the keyscript. What is opened there is mapped by us, and the keyscript has nothing to give any more.
case_crypttab_keyscript_recover()
{
	title "$1" "keyscript, broker down: opened by hand in one shell, mapped by us, and booted" || return 0
	tee snp
	recover_with 'profile = bare-metal' 'opener = crypttab'
	opened_with_passphrase
	with_config "recover-$name.conf" initrd-keyscript
	machine 6.12 initrd
	launch
	expect_console 'root: header audited'
	[ "$(grep -c 'starting a shell on the console' "$CASE_DIR/console.txt")" = 1 ] || fail "not one shell"
	expect_console '^code: 6'
	expect_console '^code: 0'
	expect_console 'every required volume is open: the boot goes on'
	expect_console 'cryptattest: root: is open already'
	expect_no_console 'passphrase handed out'
	expect_no_console 'Dropping to a shell'
	expect_recovered
	expect_clean
}
