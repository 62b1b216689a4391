# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The boots with more on the disk than a file system in a volume, with an image for one machine alone, and those that are opened by hand. Sourced by
# cases.sh.

. "$VM_SRC/tests/vm/disk.sh" # vm_encrypt

VM_CASES_FULL="$VM_CASES_FULL lvm-foreign-group integrity-volume modules-dep recover-shell recover-shell-cvm garbled-root
	dracut-systemd-garbled-root dracut-plain-garbled-root"

# --- LVM on a volume ------------------------------------------------------------------------------------------------------------

# Two disks of the case's own with a volume group "vg" and in it a volume "root" each, made by LVM in a guest: ours.img is encrypted afterwards
# (volume "pv", UUID of root), host.img stays as it is. The file system is the same in both.
lvm_disks()
{
	vm_disks_script >"$CASE_DIR/early.sh"
	cat >>"$CASE_DIR/early.sh" <<-'EOF'
	echo 1 >/proc/sys/kernel/printk
	# Each sees its own disk alone: the names are the same.
	on_disk() { lvm "$@" -q -y --config "devices { use_devicesfile=0 global_filter=[ \"a|^$disk\$|\", \"r|.*|\" ] }"; }
	for disk; do
		on_disk pvcreate $disk && on_disk vgcreate vg $disk && on_disk lvcreate -an -Zn -Wn -l 100%FREE -n root vg
		echo "formatted: $disk $?"
	done
	sync
	poweroff -f
	EOF
	truncate -s 300M "$CASE_DIR/ours.img" "$CASE_DIR/host.img"
	boot_into formatting
	machine 6.12 initrd-lvm
	VM_EARLY=$CASE_DIR/early.sh VM_DISKS_KEPT="$CASE_DIR/ours.img $CASE_DIR/host.img"
	launch
	[ "$(grep -c '^formatted: /dev/vd. 0' "$CASE_DIR/console.txt")" = 2 ] || fail "no volume groups"
	# LVM's own area takes the first MiB.
	dd if="$VM_WORK/plain-root.img" of="$CASE_DIR/ours.img" bs=1M seek=1 conv=notrunc,sparse status=none
	dd if="$VM_WORK/plain-root.img" of="$CASE_DIR/host.img" bs=1M seek=1 conv=notrunc,sparse status=none
	vm_encrypt "$CASE_DIR/ours.img" "$VM_UUID_ROOT" "$VM_WORK/root.key" || fail "no volume"
	server_keys "lvm-$name"
	rm -rf "$VM_WORK/kbs-lvm-$name"
	cp -a "$VM_WORK/kbs-main" "$VM_WORK/kbs-lvm-$name"
	vm_kbs_resource "$VM_WORK/kbs-lvm-$name" default/test/pv "$CASE_DIR/ours.img" pv "$VM_WORK/root.key" || fail "no document"
	cat >"$CASE_DIR/late.sh" <<-'EOF'
	for dm in /sys/block/dm-*; do
		for below in "$dm"/slaves/*; do
			echo "late: $(cat "$dm/dm/name") lies on $(cat "$below/dm/name" 2>/dev/null || echo "${below##*/}")"
		done
	done
	EOF
	VM_EARLY='' VM_LATE=$CASE_DIR/late.sh
	rm "$CASE_DIR/early.sh"
}

expect_root_on_lvm()
{
	expect_console '^BOOTMARK begin'
	expect_console '^root: /dev/mapper/vg-root ext4'
	expect_console "^mapping: pv CRYPT-LUKS2-$(echo "$VM_UUID_ROOT" | tr -d -)-pv"
	expect_console '^late: vg-root lies on pv$'
}

# C17: the host plugs in a disk with a volume group of our names.
case_lvm_foreign_group()
{
	title "$1" "root on LVM in the volume, a disk of the host's with our group's name: refused, or ours is mounted" || return 0
	tee snp
	lvm_disks
	VM_DISKS_KEPT="$CASE_DIR/host.img $CASE_DIR/ours.img"

	boot_into refused
	machine 6.12 initrd-lvm -- root=/dev/mapper/vg-root
	server "$(rule snp default/test/pv)"
	launch
	server_stop
	expect_no_root
	expect_console 'foreign-vg'
	expect_console '/dev/vd[a-z], which is not encrypted, claims to hold volume group vg'
	expect_exit 2
	expect_no_packet

	# preflight = warn: what remains is the filter. The host's volume is not even activated.
	boot_into filtered
	with_config lvm-warn.conf initrd-lvm
	machine 6.12 initrd -- root=/dev/mapper/vg-root
	server "$(rule snp default/test/pv)"
	launch
	server_stop
	expect_console 'foreign-vg'
	expect_root_on_lvm
	expect_no_console '^late: vg-root lies on vd'
	expect_opened pv kbs
	expect_clean
}

# --- authenticated sectors --------------------------------------------------------------------------------------------------------

# Formatted by cryptsetup in a guest, with a file system written through it. Then opened by us.
case_integrity_volume()
{
	title "$1" "root with authenticated sectors (hmac-sha256): opened and read to its end" || return 0
	tee snp
	{
		vm_disks_script
		echo 'echo 1 >/proc/sys/kernel/printk'
		echo "echo $(base64 -w0 "$VM_WORK/root.key") | base64 -d >/run/key"
		echo "cryptsetup luksFormat -q --type luks2 --uuid $VM_UUID_ROOT --integrity hmac-sha256 --integrity-no-wipe --pbkdf pbkdf2 \\"
		echo '	--pbkdf-force-iterations 1000 --key-file /run/key $2'
		echo 'cryptsetup open --key-file /run/key $2 new && dd if=$1 of=/dev/mapper/new bs=1M && sync && cryptsetup close new'
		echo 'echo "formatted: $?"'
		echo 'poweroff -f'
	} >"$CASE_DIR/early.sh"
	truncate -s 300M "$CASE_DIR/integrity.img"
	boot_into formatting
	machine 6.12 initrd-6.12
	VM_EARLY=$CASE_DIR/early.sh VM_DISKS_KEPT=$CASE_DIR/integrity.img VM_SECONDS=300
	launch plain-root.img
	expect_console '^formatted: 0'
	rm "$CASE_DIR/early.sh"

	sed '/^\[volume/,$d' "$VM_WORK/test.conf" >"$VM_WORK/integrity.conf"
	{
		printf '[volume root]\ndevice = UUID=%s\nsecret = main:default/test/integrity\nintegrity = hmac-sha256\n' "$VM_UUID_ROOT"
		"$VM_BUILD/cryptattest" document "$CASE_DIR/integrity.img" --name root --key-file "$VM_WORK/root.key" --pins
	} >>"$VM_WORK/integrity.conf" || fail "no identity"
	rm -rf "$VM_WORK/kbs-integrity"
	cp -a "$VM_WORK/kbs-main" "$VM_WORK/kbs-integrity"
	vm_kbs_resource "$VM_WORK/kbs-integrity" default/test/integrity "$CASE_DIR/integrity.img" root "$VM_WORK/root.key" || fail "no document"
	echo 'dd if=/dev/mapper/root of=/dev/null bs=1M count=256; echo "late: read: $?"' >"$CASE_DIR/late.sh"
	VM_EARLY='' VM_LATE=$CASE_DIR/late.sh
	server_keys integrity
	with_config integrity.conf
	machine 6.12 initrd

	boot_into sound
	server "$(rule snp default/test/integrity)"
	launch
	server_stop
	expect_root
	expect_opened root kbs
	expect_console "^mapping: root_dif CRYPT-INTEGRITY-$(echo "$VM_UUID_ROOT" | tr -d -)-root_dif"
	expect_console '^late: read: 0'
}

# --- an image for one machine alone ---------------------------------------------------------------------------------------------------

# The machine makes its own image with MODULES=dep: the drivers that Debian's scripts find in its /sys, and those that our hook adds.
case_modules_dep()
{
	title "$1" "image made in the guest with MODULES=dep: opens the root as the one with all modules does" || return 0
	tee snp
	vm_disks_script >"$CASE_DIR/late.sh"
	cat >>"$CASE_DIR/late.sh" <<-'EOF'
	# The tree has no mount(8). The root file system stays as it is.
	busybox mount -t tmpfs tmpfs /var/tmp
	grep '^MODULES=' /etc/initramfs-tools/initramfs.conf | sed 's/^/late: /'
	mkinitramfs -o /var/tmp/initrd "$(uname -r)"
	echo "late: mkinitramfs: $?"
	find /lib/modules -name 'xfs.ko*' | sed 's!.*/!late: of this kernel: !'
	lsinitramfs /var/tmp/initrd | sed -n 's!.*/\([^/]*\.ko\).*!late: in the image: \1!p'
	tar -C /var/tmp -cf "$2" initrd && sync
	echo "late: written: $?"
	EOF
	truncate -s 96M "$CASE_DIR/out.img"

	boot_into most
	with_config dep.conf
	machine 6.12 initrd
	server "$(rule snp default/test/dep)"
	VM_LATE=$CASE_DIR/late.sh VM_DISKS_KEPT=$CASE_DIR/out.img VM_SECONDS=580
	launch dep.img
	server_stop
	expect_root
	expect_console '^late: MODULES=dep$'
	expect_console '^late: mkinitramfs: 0'
	expect_console '^late: written: 0'
	expect_no_console 'may lack its driver'
	for module in virtio_blk virtio_net dm-crypt; do
		expect_console "^late: in the image: $module.ko"
	done
	# Every image with MODULES=most has this one.
	expect_console '^late: of this kernel: xfs.ko'
	expect_no_console '^late: in the image: xfs.ko'
	mkdir "$CASE_DIR/made"
	tar -C "$CASE_DIR/made" -xf "$CASE_DIR/out.img" || fail "no image came out"
	mv "$CASE_DIR/made/initrd" "$CASE_DIR/initrd-dep"
	vm_facts "$CASE_DIR/initrd-dep" environment=initramfs-tools
	vm_facts_config "$CASE_DIR/initrd-dep" "$VM_WORK/dep.conf"

	boot_into dep
	machine 6.12 initrd-dep
	server "$(rule snp default/test/dep)"
	VM_LATE='' VM_DISKS_KEPT='' VM_SECONDS=240
	launch dep.img
	server_stop
	expect_root
	expect_opened root kbs
	expect_clean
}

# --- by hand -------------------------------------------------------------------------------------------------------------------------

# says PATTERN TEXT: somebody at the console, who waits for the one and types the other.
says() { printf '%s\t%s\n' "$1" "$2" >>"$CASE_DIR/dialog"; }

# recover_config: on-failure = shell, a broker that is given up soon, and no pin on the key slot, for there is one for people.
recover_config()
{
	sed -e 's/^on-failure.*/on-failure = shell/' -e '/^header-id/d' -e '/^keyslot/d' "$VM_WORK/short-deadline.conf" >"$VM_WORK/recover-$name.conf"
	cp "$VM_WORK/root.img" "$CASE_DIR/recover.img"
	printf 'correct horse battery staple' >"$CASE_DIR/passphrase"
	cryptsetup luksAddKey --batch-mode --pbkdf argon2id --pbkdf-memory 16384 --pbkdf-parallel 1 --pbkdf-force-iterations 4 \
		--key-file "$VM_WORK/root.key" "$CASE_DIR/recover.img" "$CASE_DIR/passphrase" || fail "no key slot for people"
	VM_DISKS_KEPT=$CASE_DIR/recover.img VM_DIALOG=$CASE_DIR/dialog VM_SECONDS=240
}

case_recover_shell()
{
	title "$1" "broker down, on-failure = shell: opened by hand on the console, and booted" || return 0
	tee snp
	recover_config
	sed -i 's/^on-failure.*/&\nprofile = bare-metal/' "$VM_WORK/recover-$name.conf"
	with_config "recover-$name.conf"
	machine 6.12 initrd

	says '# $' 'printf wrong | cryptattest recover root; echo "code: $?"'
	says '# $' 'cryptattest recover root; echo "code: $?"'
	says 'Passphrase for root: $' 'correct horse battery staple'
	says '# $' exit
	launch
	expect_console 'starting a shell on the console'
	expect_console '^code: 6'
	expect_console '^code: 0'
	expect_console 'every required volume is open: the boot goes on'
	expect_no_console 'correct horse'
	expect_root
	expect_opened root recover
	expect_clean
}

# The console is the host's: whatever is typed there, it knows. Its owner has asked for a shell all the same.
case_recover_shell_cvm()
{
	title "$1" "the same with profile = cvm: no passphrase is asked for on the host's console; a key file opens" || return 0
	tee snp
	recover_config
	with_config "recover-$name.conf"
	machine 6.12 initrd
	says '# $' 'cryptattest recover root; echo "code: $?"'
	says '# $' "umask 077; echo $(base64 -w0 "$VM_WORK/root.key") | base64 -d >/run/key; cryptattest recover root --key-file /run/key; echo \"code: \$?\""
	says '# $' exit
	launch
	expect_console 'gives the host.s console a root shell'
	expect_console 'prompt-on-console.*log in by ssh'
	expect_no_console '^Passphrase for root'
	expect_root
	expect_opened root recover
}

# --- a file system that cannot be mounted ---------------------------------------------------------------------------------------------

# ends_when_garbled IMAGE WORD...: the host garbles the superblock, which without integrity tags nobody notices before the mount. Debian's scripts and
# dracut would offer a shell then, on the host's console and with the volume open, unless the command line happens to have panic=.
ends_when_garbled()
{
	image=$1
	shift
	tee snp
	cp --sparse=always "$VM_WORK/root.img" "$CASE_DIR/garbled.img"
	head -c 4096 /dev/urandom | dd of="$CASE_DIR/garbled.img" bs=4096 seek=4096 conv=notrunc status=none # the data begin at 16 MiB
	machine 6.12 "$image" -- "$@"
	VM_COMMAND_LINE=$(echo "$VM_COMMAND_LINE" | sed 's/ panic=5//')
	server "$(rule snp default/test/root)"
	VM_DISKS_KEPT=$CASE_DIR/garbled.img VM_SECONDS=300
	launch
	expect_server 1 'released default/test/root'
	expect_no_root
	expect_console 'cryptattest: the boot has failed'
	expect_console 'reboot: Power down'
}

case_garbled_root()
{
	title "$1" "opened, but its file system is garbled: no shell with an open volume, machine off" || return 0
	ends_when_garbled initrd-6.12
}

case_dracut_systemd_garbled_root()
{
	title "$1" "dracut with systemd: the same" || return 0
	VM_AROUND_S=120 # a mapping without a file system is waited for a minute beyond the deadline
	ends_when_garbled initrd-dracut-systemd ip=dhcp rd.neednet=1 "rd.luks.name=$VM_UUID_ROOT=root" rd.retry=5
}

case_dracut_plain_garbled_root()
{
	title "$1" "dracut without systemd: the same" || return 0
	ends_when_garbled initrd-dracut-plain ip=dhcp rd.retry=5
}
