# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What the cases of cases-storage.sh need before they begin. Sourced by prepare.sh.

vm_prepare_storage()
{
	case " $* " in
	*' lvm'* | *' dracut-lvm'*) vm_prepare_lvm ;;
	esac
	case " $* " in
	*' modules-dep '*) vm_prepare_dep ;;
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

# VM_WORK/dep.img, dep.conf and the resource default/test/dep: a root file system that can make an image, for its own machine alone.
vm_prepare_dep()
{
	vm_tee_install 6.12
	vm_top=$VM_WORK/dep
	vm_disk_content "$VM_ROOT" "$vm_top"
	# Hard links: what differs from the tree must be a new file.
	vm_version=$(vm_kernel_version 6.12)
	cp -al "$VM_ROOT/usr/lib/modules/$vm_version" "$vm_top/usr/lib/modules/"
	cp -al "$VM_ROOT/boot/config-$vm_version" "$vm_top/boot/"
	sed -i -e 's/^MODULES=.*/MODULES=dep/' -e '$a COMPRESSLEVEL=1' "$vm_top/etc/initramfs-tools/initramfs.conf"
	{
		printf '[agent]\non-failure = poweroff\ndeadline = 90s\n\n'
		cat "$VM_WORK/kbs-main.client"
		printf '\n[volume root]\ndevice = UUID=%s\nsecret = main:default/test/dep\n' "$VM_UUID_ROOT"
	} >"$VM_WORK/dep.conf"
	install -D -m 644 "$VM_WORK/dep.conf" "$vm_top/etc/cryptattest/cryptattest.conf"
	rm -f "$vm_top/etc/crypttab"
	echo "root UUID=$VM_UUID_ROOT none luks,initramfs,keyscript=/usr/lib/cryptattest/refuse" >"$vm_top/etc/crypttab"
	vm_disk "$VM_WORK/dep.img" "$VM_UUID_ROOT" "$VM_WORK/root.key" "$vm_top" 320
	vm_kbs_resource "$VM_WORK/kbs-main" default/test/dep "$VM_WORK/dep.img" root "$VM_WORK/root.key" || vm_fail "no document for dep.img"
}
