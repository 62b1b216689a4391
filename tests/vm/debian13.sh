# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The same machine with Debian 13: its dracut (dracut-ng), its kernel, and our programs built there with its compiler and libraries. Sourced.

VM_DEBIAN13_PACKAGES="linux-image-cloud-amd64 linux-headers-cloud-amd64 dracut dracut-network systemd systemd-sysv systemd-cryptsetup dbus udev kmod
	cpio zstd cryptsetup-bin iproute2 isc-dhcp-client iputils-arping network-manager procps e2fsprogs gcc libc6-dev make pkg-config libcryptsetup-dev
	libdevmapper-dev libssl-dev libjansson-dev libcurl4-openssl-dev libevent-dev libtss2-dev"

# This machine's package lists say nothing about Debian 13: the tree is made anew when what it is made of changes, or by removing it.
vm_debian13_key()
{
	{
		echo "$VM_DEBIAN13_PACKAGES"
		cat "$VM_SRC/tests/vm/tree.sh"
	} | sha256sum | cut -c1-16
}

# VM_DRACUT is that tree from here on; its kernel is VM_WORK/vmlinuz-debian13.
vm_prepare_debian13()
{
	vm_tar=$VM_CACHE/debian13-$(vm_debian13_key).tar
	if [ ! -s "$vm_tar" ]; then
		rm -f "$VM_CACHE"/debian13-*.tar
		VM_TREE_SUITE=trixie VM_TREE_PACKAGES=$VM_DEBIAN13_PACKAGES VM_TREE_DIVERT=/usr/bin/dracut vm_tree_make "$vm_tar" >&2
	fi
	VM_DRACUT=$VM_WORK/debian13-tree
	mkdir -p "$VM_DRACUT"
	tar -C "$VM_DRACUT" -xf "$vm_tar"
	vm_version=$(VM_ROOT=$VM_DRACUT vm_kernel_version 6.12)
	cp "$VM_DRACUT/boot/vmlinuz-$vm_version" "$VM_WORK/vmlinuz-debian13"
	vm_debian13_build >"$VM_WORK/build-debian13.log" 2>&1 || {
		tail -n 30 "$VM_WORK/build-debian13.log" >&2
		vm_fail "the build on Debian 13 failed"
	}
	vm_dracut_emul "$VM_DRACUT/src/build/tests/emul/tee_signer"
}

# From what "make dist" packs, warnings being errors as on Debian 12.
vm_debian13_build()
{
	vm_dist=cryptattest-$(sed -n 's/^VERSION = //p' "$VM_BUILD/Makefile")
	rm -rf "${VM_BUILD:?}/$vm_dist"
	make -s -C "$VM_BUILD" distdir || return 1
	mv "$VM_BUILD/$vm_dist" "$VM_DRACUT/src" && chmod -R u+w "$VM_DRACUT/src" && mkdir "$VM_DRACUT/src/build" || return 1
	vm_tree_mount "$VM_DRACUT"
	chroot "$VM_DRACUT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 sh -c "set -e
		cd /src/build
		../configure -q --prefix=/usr --sysconfdir=/etc --enable-werror
		make -s -j$(nproc) all tests/emul/tee_signer
		make -s install
		cp -r /src/tests/emul/tsm_fake /tmp/
		make -s -C /lib/modules/$vm_version/build M=/tmp/tsm_fake modules
		install -D -m 644 /tmp/tsm_fake/tsm_fake.ko /lib/modules/$vm_version/extra/tsm_fake.ko"
	vm_status=$?
	vm_tree_umount "$VM_DRACUT"
	return $vm_status
}
