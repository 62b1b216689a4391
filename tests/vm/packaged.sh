# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# A Debian tree that gets cryptattest by its packages, as an administrator would: installed, configured, image rebuilt. And the promises of
# the packages: nothing changes until a volume is configured; a purge leaves secrets where they are. Sourced.

# said WHAT COMMAND...: both to packaged.log; the first that fails ends the run.
vm_said()
{
	echo "# $1" >>"$VM_WORK/packaged.log"
	shift
	"$@" >>"$VM_WORK/packaged.log" 2>&1 || { tail -n 30 "$VM_WORK/packaged.log" >&2; vm_fail "packages: $*"; }
}

# The image's content, without the names and times of this run.
vm_image_names() { chroot "$VM_ROOT" lsinitramfs "/tmp/$1" | sort; }

vm_packaged_image()
{
	vm_tree_mount "$VM_ROOT"
	chroot "$VM_ROOT" mkinitramfs -o "/tmp/$1" "$(vm_kernel_version 6.12)"
	vm_status=$?
	vm_tree_umount "$VM_ROOT"
	return $vm_status
}

# VM_WORK/packaged.img and initrd-packaged; the resource default/test/packaged.
vm_prepare_packaged()
{
	vm_main_tree=$VM_ROOT
	: >"$VM_WORK/packaged.log"
	vm_said "make the packages" sh "$VM_SRC/tests/packages.sh" "$VM_BUILD" "$VM_WORK/packages"
	vm_tree_unpack "$VM_WORK/packaged-tree"
	install -D -m 755 "$VM_SRC/tests/vm/bootmark" "$VM_ROOT/usr/local/sbin/bootmark"
	mkdir -p "$VM_ROOT/packages"
	cp "$VM_WORK/packages"/*.deb "$VM_ROOT/packages/"
	rm -f "$VM_ROOT"/packages/*dbgsym* "$VM_ROOT"/packages/*dracut*
	vm_said "image before" vm_packaged_image before
	vm_said "dpkg -i" chroot "$VM_ROOT" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /packages/*.deb'

	vm_said "image with the packages and no configuration" vm_packaged_image unconfigured
	vm_image_names before >"$VM_WORK/before.names"
	vm_image_names unconfigured >"$VM_WORK/unconfigured.names"
	vm_said "which is the same" diff "$VM_WORK/before.names" "$VM_WORK/unconfigured.names"
	vm_said "the broker's service is not enabled" \
		chroot "$VM_ROOT" sh -c '! ls /etc/systemd/system/*.wants/cryptattest-kbs.service 2>/dev/null'

	vm_said "upgrade to the same version" chroot "$VM_ROOT" sh -c 'dpkg -i /packages/*.deb'
	mkdir -p "$VM_ROOT/var/lib/cryptattest-kbs/resources"
	echo secret >"$VM_ROOT/var/lib/cryptattest-kbs/resources/kept"
	vm_said "purge the broker" chroot "$VM_ROOT" dpkg --purge cryptattest-kbs
	vm_said "its resources are kept" grep -q secret "$VM_ROOT/var/lib/cryptattest-kbs/resources/kept"

	vm_disk_content "$VM_ROOT" "$VM_WORK/packaged"
	vm_disk "$VM_WORK/packaged.img" "$VM_UUID_ROOT" "$VM_WORK/root.key" "$VM_WORK/packaged" 256
	vm_said "the secret document, to the broker" \
		vm_kbs_resource "$VM_WORK/kbs-main" default/test/packaged "$VM_WORK/packaged.img" root "$VM_WORK/root.key"
	{
		printf '[agent]\non-failure = poweroff\n\n'
		cat "$VM_WORK/kbs-main.client"
		printf '\n[volume root]\ndevice = UUID=%s\nsecret = main:default/test/packaged\n' "$VM_UUID_ROOT"
	} >"$VM_ROOT/etc/cryptattest/cryptattest.conf"
	echo "root UUID=$VM_UUID_ROOT none luks,initramfs,keyscript=/usr/lib/cryptattest/refuse" >"$VM_ROOT/etc/crypttab"
	vm_said "config --check" chroot "$VM_ROOT" cryptattest config --check --crypttab /etc/crypttab
	vm_said "the emulated processor" vm_tee_install 6.12
	vm_said "the configured image" vm_packaged_image initrd-packaged
	mv "$VM_ROOT/tmp/initrd-packaged" "$VM_WORK/initrd-packaged"
	vm_facts_config "$VM_WORK/initrd-packaged" "$VM_ROOT/etc/cryptattest/cryptattest.conf"

	vm_said "purge everything" chroot "$VM_ROOT" dpkg --purge cryptattest-initramfs cryptattest cryptattest-doc
	vm_said "the configuration is left to its owner" test -e "$VM_ROOT/etc/cryptattest/cryptattest.conf"
	VM_ROOT=$vm_main_tree
}
