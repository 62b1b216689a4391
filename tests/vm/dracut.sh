# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The same machine with dracut in place of initramfs-tools: a Debian tree of its own, and images with and without systemd. Sourced.

VM_DRACUT_PACKAGES="$VM_KERNEL_612 dracut dracut-core dracut-network systemd systemd-sysv dbus udev kmod cpio zstd cryptsetup-bin iproute2
	isc-dhcp-client iputils-arping procps e2fsprogs libcurl4 libjansson4 libssl3 libcryptsetup12 libdevmapper1.02.1 libfuse3-3 libtss2-esys-3.0.2-0
	libtss2-tcti-device0 libtss2-rc0 libtss2-mu0"

vm_dracut_key()
{
	{
		vm_tree_version "$VM_KERNEL_612"
		vm_tree_version dracut
		echo "$VM_DRACUT_PACKAGES"
	} | sha256sum | cut -c1-16
}

# VM_DRACUT: the tree, with our programs in it. dracut is diverted while the kernel is configured: it would make an image for nothing.
vm_prepare_dracut()
{
	vm_tar=$VM_CACHE/dracut-$(vm_dracut_key).tar
	if [ ! -s "$vm_tar" ]; then
		rm -f "$VM_CACHE"/dracut-*.tar
		VM_TREE_PACKAGES=$VM_DRACUT_PACKAGES VM_TREE_DIVERT=/usr/bin/dracut vm_tree_make "$vm_tar" >&2
	fi
	VM_DRACUT=$VM_WORK/dracut-tree
	mkdir -p "$VM_DRACUT"
	tar -C "$VM_DRACUT" -xf "$vm_tar"
	make -s -C "$VM_BUILD" install DESTDIR="$VM_DRACUT" >"$VM_WORK/install-dracut.log" 2>&1 ||
		vm_fail "make install failed: $(tail "$VM_WORK/install-dracut.log")"
	vm_version=$(VM_ROOT=$VM_DRACUT vm_kernel_version 6.12)
	# The emulated processor.
	vm_lib=$VM_DRACUT/usr/local/lib/emul-tee
	mkdir -p "$vm_lib/pki"
	cp "$VM_PKI"/* "$vm_lib/pki/"
	cp "$VM_BUILD/tests/emul/tee_signer" "$VM_SRC/tests/vm/emul-tee/init-premount" "$vm_lib/"
	install -D -m 755 "$VM_SRC/tests/vm/emul-tee/dracut-module" "$VM_DRACUT/usr/lib/dracut/modules.d/56emul-tee/module-setup.sh"
	mkdir -p "$VM_DRACUT/usr/lib/modules/$vm_version/extra"
	emul_module "$vm_version" "$VM_DRACUT/usr/lib/modules/$vm_version/extra/tsm_fake.ko"
	chroot "$VM_DRACUT" depmod "$vm_version"
}

# vm_dracut_image CONFIG NAME DRACUT-OPTION...: VM_WORK/NAME.
vm_dracut_image()
{
	install -D -m 644 "$1" "$VM_DRACUT/etc/cryptattest/cryptattest.conf"
	vm_name=$2
	shift 2
	vm_tree_mount "$VM_DRACUT"
	chroot "$VM_DRACUT" dracut --force --no-hostonly --no-hostonly-cmdline --zstd --kver "$(VM_ROOT=$VM_DRACUT vm_kernel_version 6.12)" \
		"$@" "/tmp/$vm_name" >"$VM_WORK/$vm_name.log" 2>&1
	vm_status=$?
	vm_tree_umount "$VM_DRACUT"
	[ $vm_status = 0 ] || return $vm_status
	mv "$VM_DRACUT/tmp/$vm_name" "$VM_WORK/$vm_name"
	rm -f "$VM_WORK/$vm_name.facts"
	if grep -q 'Including module: systemd \*' "$VM_WORK/$vm_name.log"; then
		vm_facts "$VM_WORK/$vm_name" environment=dracut-systemd
	else
		vm_facts "$VM_WORK/$vm_name" environment=dracut-plain
	fi
	vm_facts_config "$VM_WORK/$vm_name" "$VM_DRACUT/etc/cryptattest/cryptattest.conf"
}

# Images that a case asks for by name.
vm_prepare_dracut_images()
{
	vm_prepare_dracut
	case " $* " in
	*' dracut-plain'*)
		vm_dracut_image "$VM_WORK/test.conf" initrd-dracut-plain --omit 'systemd systemd-initrd dracut-systemd systemd-networkd network-manager' \
			--add network-legacy || { tail -n 20 "$VM_WORK/initrd-dracut-plain.log" >&2; vm_fail "dracut failed"; }
		;;
	esac
	case " $* " in
	*' data-volume'*) vm_prepare_systemd_root ;;
	esac
	case " $* " in
	*' dracut-socket'*)
		vm_dracut_image "$VM_WORK/crypttab.conf" initrd-dracut-socket --add 'systemd systemd-networkd' ||
			{ tail -n 20 "$VM_WORK/initrd-dracut-socket.log" >&2; vm_fail "dracut failed"; }
		;;
	esac
	case " $* " in
	*' dracut-systemd'*)
		vm_dracut_image "$VM_WORK/test.conf" initrd-dracut-systemd --add 'systemd systemd-networkd' ||
			{ tail -n 20 "$VM_WORK/initrd-dracut-systemd.log" >&2; vm_fail "dracut failed"; }
		;;
	esac
}

# VM_WORK/systemd.img: a root with systemd, whose data volume is opened after switch-root by our units. The emulated processor that the initramfs
# started goes on.
vm_prepare_systemd_root()
{
	vm_version=$(VM_ROOT=$VM_DRACUT vm_kernel_version 6.12)
	vm_disk_content "$VM_DRACUT" "$VM_WORK/systemd"
	vm_top=$VM_WORK/systemd
	# vm_disk_content makes hard links: what is changed here must be made anew.
	rm -rf "$vm_top/etc/cryptattest" "$vm_top/etc/fstab" "$vm_top/etc/systemd/network" "$vm_top/packages"
	install -D -m 755 "$VM_SRC/tests/vm/bootmark" "$vm_top/usr/local/sbin/bootmark"
	install -D -m 644 "$VM_WORK/data-volume.conf" "$vm_top/etc/cryptattest/cryptattest.conf"
	mkdir -p "$vm_top/srv" "$vm_top/etc/systemd/network" "$vm_top/etc/systemd/system/multi-user.target.wants"
	printf '[Match]\nName=e*\n[Network]\nDHCP=ipv4\n' >"$vm_top/etc/systemd/network/80-test.network"
	printf '/dev/mapper/data /srv ext4 ro,_netdev,nofail 0 0\n' >"$vm_top/etc/fstab"
	printf '[Unit]\nAfter=remote-fs.target\n[Service]\nType=oneshot\nExecStart=/usr/local/sbin/bootmark\nStandardOutput=file:/dev/console\n' \
		>"$vm_top/etc/systemd/system/bootmark.service"
	ln -sf ../bootmark.service "$vm_top/etc/systemd/system/multi-user.target.wants/bootmark.service"
	ln -sf /usr/lib/systemd/system/systemd-networkd.service "$vm_top/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
	vm_disk "$VM_WORK/systemd.img" "$VM_UUID_ROOT" "$VM_WORK/root.key" "$vm_top" 400
	vm_kbs_resource "$VM_WORK/kbs-main" default/test/systemd "$VM_WORK/systemd.img" root "$VM_WORK/root.key" || vm_fail "no document for systemd.img"
}
