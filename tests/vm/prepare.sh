# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The steps from a source tree to something that boots; boot.sh and demo.sh put them together. Sourced.

. "$VM_SRC/tests/vm/tree.sh"
. "$VM_SRC/tests/vm/disk.sh"
. "$VM_SRC/tests/vm/image.sh"
. "$VM_SRC/tests/vm/tee.sh"
. "$VM_SRC/tests/vm/tpm.sh"
. "$VM_SRC/tests/vm/dracut.sh"
. "$VM_SRC/tests/vm/debian13.sh"
. "$VM_SRC/tests/vm/packaged.sh"
. "$VM_SRC/tests/vm/storage.sh"
. "$VM_SRC/tests/vm/table.sh"

# Our programs as a distribution builds them, and the test tools.
vm_build()
{
	(
		cd "$VM_SRC" && { [ -x configure ] || ./autogen.sh; } && mkdir -p "$VM_BUILD" && cd "$VM_BUILD" &&
			{ [ -e config.status ] || "$VM_SRC/configure" -q --prefix=/usr --sysconfdir=/etc; } &&
			make -s -j "$(nproc)" all &&
			make -s -j "$(nproc)" tests/tools/cryptattest-testpki tests/headers/mkheader tests/emul/tee_signer tests/emul/wire \
				tests/emul/cuse_sev_guest tests/loopback/killat
	)
}

# The Debian tree in VM_ROOT, and its kernels as VM_WORK/vmlinuz-{6.1,6.12}.
vm_prepare_tree()
{
	vm_tree_unpack "$VM_WORK/tree"
	for vm_k in 6.1 6.12; do
		cp "$VM_ROOT/boot/vmlinuz-$(vm_kernel_version $vm_k)" "$VM_WORK/vmlinuz-$vm_k"
	done
	install -D -m 755 "$VM_SRC/tests/vm/bootmark" "$VM_ROOT/usr/local/sbin/bootmark"
	make -s -C "$VM_BUILD" install DESTDIR="$VM_ROOT" >"$VM_WORK/install.log" 2>&1 || vm_fail "make install failed: $(tail "$VM_WORK/install.log")"
}

# VM_WORK/root.img, LUKS2 around the tree, passphrase in VM_WORK/root.key.
vm_prepare_disk()
{
	vm_key "$VM_WORK/root.key"
	vm_disk_content "$VM_ROOT" "$VM_WORK/root"
	vm_disk "$VM_WORK/root.img" "$VM_UUID_ROOT" "$VM_WORK/root.key" "$VM_WORK/root" 256
}

# vm_prepare_image KERNEL CONFIG: VM_WORK/initrd-KERNEL, with our hook, this configuration and the emulated processor.
vm_prepare_image()
{
	install -D -m 644 "$2" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
	echo "root UUID=$VM_UUID_ROOT none luks,initramfs,keyscript=/usr/lib/cryptattest/refuse" >"$VM_ROOT/etc/crypttab"
	vm_tee_install "$1"
	vm_initramfs "$1" "initrd-$1"
}

# vm_config CLIENT RESOURCE: configuration of a machine whose root is opened with this resource. CLIENT holds the [kbs main] section that
# "cryptattest-kbs init" printed. The volume's identity (vk-id, header-id) is pinned.
vm_config()
{
	printf '[agent]\non-failure = poweroff\ndeadline = 90s\n\n'
	cat "$1"
	printf '\n[volume root]\ndevice = UUID=%s\nsecret = main:%s\n' "$VM_UUID_ROOT" "$2"
	"$VM_BUILD/cryptattest" document "$VM_WORK/root.img" --name root --key-file "$VM_WORK/root.key" --pins
}
