# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Everything the cases share: Debian tree, kernels, disks, initramfs images. Sourced.

. "$VM_SRC/tests/vm/tree.sh"
. "$VM_SRC/tests/vm/disk.sh"
. "$VM_SRC/tests/vm/image.sh"

# Prepares what the named cases need.
vm_prepare()
{
	vm_tree_unpack "$VM_WORK/tree"
	for vm_k in 6.1 6.12; do
		cp "$VM_ROOT/boot/vmlinuz-$(vm_kernel_version $vm_k)" "$VM_WORK/vmlinuz-$vm_k"
	done
	install -D -m 755 "$VM_SRC/tests/vm/bootmark" "$VM_ROOT/usr/local/sbin/bootmark"
	head -c 32 /dev/urandom >"$VM_WORK/root.key"

	case " $* " in
	*' plain '*) vm_image_plain ;;
	esac

	vm_disk_content "$VM_ROOT" "$VM_WORK/root"
	vm_disk "$VM_WORK/root.img" "$VM_UUID_ROOT" "$VM_WORK/root.key" "$VM_WORK/root" 256
}
