# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What the cases of cases-storage.sh need before they begin. Sourced by prepare.sh.

vm_prepare_storage()
{
	case " $* " in
	*' lvm'* | *' dracut-lvm'*) vm_prepare_lvm ;;
	esac
}

# Changes with the tree and with lvm2.
vm_lvm_key()
{
	{
		vm_tree_key
		vm_tree_version lvm2
	} | sha256sum | cut -c1-16
}

# VM_WORK/initrd-lvm: an image with LVM, for a volume "pv" that has the volume group of the root file system in it.
vm_prepare_lvm()
{
	vm_main_tree=$VM_ROOT
	vm_tar=$VM_CACHE/lvm-$(vm_lvm_key).tar
	if [ ! -s "$vm_tar" ]; then
		rm -f "$VM_CACHE"/lvm-*.tar
		VM_TREE_PACKAGES="${VM_TREE_PACKAGES#"$VM_KERNEL_61 "} lvm2" vm_tree_make "$vm_tar" >&2
	fi
	VM_ROOT=$VM_WORK/lvm-tree
	mkdir -p "$VM_ROOT/etc/cryptattest"
	tar -C "$VM_ROOT" -xf "$vm_tar"
	make -s -C "$VM_BUILD" install DESTDIR="$VM_ROOT" >"$VM_WORK/install-lvm.log" 2>&1 ||
		vm_fail "make install failed: $(tail "$VM_WORK/install-lvm.log")"
	{
		printf '[agent]\non-failure = poweroff\ndeadline = 90s\n\n'
		cat "$VM_WORK/kbs-main.client"
		printf '\n[volume pv]\ndevice = UUID=%s\nsecret = main:default/test/pv\n' "$VM_UUID_ROOT"
	} >"$VM_WORK/lvm.conf"
	sed 's/^on-failure.*/&\npreflight = warn/' "$VM_WORK/lvm.conf" >"$VM_WORK/lvm-warn.conf"
	sed 's/^on-failure.*/&\nopener = crypttab/' "$VM_WORK/lvm.conf" >"$VM_WORK/lvm-crypttab.conf"
	sed 's/^on-failure.*/&\npreflight = warn/' "$VM_WORK/lvm-crypttab.conf" >"$VM_WORK/lvm-crypttab-warn.conf"
	cp "$VM_WORK/lvm.conf" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
	echo "pv UUID=$VM_UUID_ROOT none luks,initramfs,keyscript=/usr/lib/cryptattest/refuse" >"$VM_ROOT/etc/crypttab"
	vm_tee_install 6.12
	vm_initramfs 6.12 initrd-lvm
	VM_ROOT=$vm_main_tree
}
