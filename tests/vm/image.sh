# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Initramfs images, made in the Debian tree by its own mkinitramfs. Sourced.

# vm_initramfs KERNEL NAME: what update-initramfs would make for KERNEL (6.1, 6.12) from the tree as it is now.
vm_initramfs()
{
	vm_log=$VM_WORK/mkinitramfs-$2.log
	vm_tree_mount "$VM_ROOT"
	chroot "$VM_ROOT" mkinitramfs -o "/tmp/$2" "$(vm_kernel_version "$1")" >"$vm_log" 2>&1
	vm_status=$?
	vm_tree_umount "$VM_ROOT"
	if [ $vm_status != 0 ]; then
		cat "$vm_log" >&2
		vm_fail "mkinitramfs failed for kernel $1"
	fi
	mv "$VM_ROOT/tmp/$2" "$VM_WORK/$2"
	rm -f "$VM_WORK/$2.facts"
	vm_facts "$VM_WORK/$2" environment=initramfs-tools
	[ ! -e "$VM_ROOT/etc/cryptattest/cryptattest.conf" ] || vm_facts_config "$VM_WORK/$2" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
}

# The bench without cryptattest: a keyscript that knows the passphrase.
vm_image_stock()
{
	mkdir -p "$VM_ROOT/usr/local/lib"
	cp "$VM_WORK/root.key" "$VM_ROOT/usr/local/lib/root.key"
	printf '#!/bin/sh\ncat /usr/local/lib/root.key\n' >"$VM_ROOT/usr/local/lib/give"
	printf '#!/bin/sh\n[ "$1" = prereqs ] || cp -r --parents /usr/local/lib/root.key "$DESTDIR"\n' >"$VM_ROOT/etc/initramfs-tools/hooks/root-key"
	chmod 755 "$VM_ROOT/usr/local/lib/give" "$VM_ROOT/etc/initramfs-tools/hooks/root-key"
	echo "root UUID=$VM_UUID_ROOT none luks,initramfs,keyscript=/usr/local/lib/give" >"$VM_ROOT/etc/crypttab"
	vm_initramfs 6.12 initrd-stock
	vm_facts "$VM_WORK/initrd-stock" opener=stock source=file
	rm "$VM_ROOT/etc/crypttab" "$VM_ROOT/usr/local/lib/root.key" "$VM_ROOT/usr/local/lib/give" "$VM_ROOT/etc/initramfs-tools/hooks/root-key"
}

# vm_prepare_keyscript CONFIG NAME: an image in which Debian's own scripts open the volume, with a passphrase from us (opener = crypttab).
vm_prepare_keyscript()
{
	install -D -m 644 "$VM_WORK/$1" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
	echo "root UUID=$VM_UUID_ROOT none luks,initramfs,header=/run/cryptattest/header/root,keyscript=/usr/lib/cryptattest/key" \
		>"$VM_ROOT/etc/crypttab"
	vm_tee_install 6.12
	vm_initramfs 6.12 "$2"
}
