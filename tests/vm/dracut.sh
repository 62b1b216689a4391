# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The same machine with dracut in place of initramfs-tools: a Debian tree of its own, and images with and without systemd. Sourced.

VM_DRACUT_PACKAGES="$VM_KERNEL_612 dracut dracut-core dracut-network systemd systemd-sysv dbus udev kmod cpio zstd cryptsetup-bin iproute2
	isc-dhcp-client iputils-arping network-manager procps e2fsprogs libcurl4 libjansson4 libssl3 libcryptsetup12 libdevmapper1.02.1 libfuse3-3
	libtss2-esys-3.0.2-0 libtss2-tcti-device0 libtss2-rc0 libtss2-mu0"

# vm_dracut_key [FURTHER-PACKAGE]: changes with the packages and their versions.
vm_dracut_key()
{
	{
		vm_tree_version "$VM_KERNEL_612"
		vm_tree_version dracut
		[ $# = 0 ] || vm_tree_version "$1"
		echo "$VM_DRACUT_PACKAGES${1:+ $1}"
	} | sha256sum | cut -c1-16
}

# vm_prepare_dracut [FURTHER-PACKAGE]: VM_DRACUT is the tree, with our programs in it. dracut is diverted while the kernel is configured: it
# would make an image for nothing.
vm_prepare_dracut()
{
	vm_tar=$VM_CACHE/dracut${1:+-with-$1}-$(vm_dracut_key "$@").tar
	if [ ! -s "$vm_tar" ]; then
		rm -f "$VM_CACHE"/dracut${1:+-with-$1}-[0-9a-f]*.tar
		VM_TREE_PACKAGES="$VM_DRACUT_PACKAGES${1:+ $1}" VM_TREE_DIVERT=/usr/bin/dracut vm_tree_make "$vm_tar" >&2
	fi
	VM_DRACUT=$VM_WORK/dracut${1:+-with-$1}-tree
	mkdir -p "$VM_DRACUT"
	tar -C "$VM_DRACUT" -xf "$vm_tar"
	make -s -C "$VM_BUILD" install DESTDIR="$VM_DRACUT" >"$VM_WORK/install-dracut.log" 2>&1 ||
		vm_fail "make install failed: $(tail "$VM_WORK/install-dracut.log")"
	vm_version=$(VM_ROOT=$VM_DRACUT vm_kernel_version 6.12)
	mkdir -p "$VM_DRACUT/usr/lib/modules/$vm_version/extra"
	emul_module "$vm_version" "$VM_DRACUT/usr/lib/modules/$vm_version/extra/tsm_fake.ko"
	vm_dracut_emul "$VM_BUILD/tests/emul/tee_signer"
}

# vm_dracut_emul SIGNER: the emulated processor in VM_DRACUT; its kernel module is there.
vm_dracut_emul()
{
	vm_lib=$VM_DRACUT/usr/local/lib/emul-tee
	mkdir -p "$vm_lib/pki"
	cp "$VM_PKI"/* "$vm_lib/pki/"
	cp "$1" "$VM_SRC/tests/vm/emul-tee/init-premount" "$vm_lib/"
	install -D -m 755 "$VM_SRC/tests/vm/emul-tee/dracut-module" "$VM_DRACUT/usr/lib/dracut/modules.d/56emul-tee/module-setup.sh"
	chroot "$VM_DRACUT" depmod "$(VM_ROOT=$VM_DRACUT vm_kernel_version 6.12)"
}

# vm_dracut_image CONFIG NAME DRACUT-OPTION...: VM_WORK/NAME, what dracut said in NAME.log. Compressed in a hurry.
vm_dracut_image()
{
	install -D -m 644 "$1" "$VM_DRACUT/etc/cryptattest/cryptattest.conf"
	vm_name=$2
	shift 2
	vm_tree_mount "$VM_DRACUT"
	chroot "$VM_DRACUT" dracut --force --no-hostonly --no-hostonly-cmdline --compress "zstd -3 -q -T0" --kver "$(VM_ROOT=$VM_DRACUT vm_kernel_version 6.12)" \
		"$@" "/tmp/$vm_name" >"$VM_WORK/$vm_name.log" 2>&1
	vm_status=$?
	vm_tree_umount "$VM_DRACUT"
	[ $vm_status = 0 ] || return $vm_status
	mv "$VM_DRACUT/tmp/$vm_name" "$VM_WORK/$vm_name"
	rm -f "$VM_WORK/$vm_name.facts"
	case $vm_name in
	initrd-dracut-ng-*) vm_dracut=dracut-ng ;;
	*) vm_dracut=dracut ;;
	esac
	if grep -q 'Including module: systemd \*' "$VM_WORK/$vm_name.log"; then
		vm_facts "$VM_WORK/$vm_name" environment=$vm_dracut-systemd
	else
		vm_facts "$VM_WORK/$vm_name" environment=$vm_dracut-plain
	fi
	vm_facts_config "$VM_WORK/$vm_name" "$VM_DRACUT/etc/cryptattest/cryptattest.conf"
}

# The image that a case asks for by its name: dracut-NAME, dracut-NAME-refused, dracut-NAME-foreign-root, dracut-NAME-bond...
vm_dracut_named()
{
	vm_plain='systemd systemd-initrd dracut-systemd systemd-networkd'
	case $1 in
	images | ng-images) return ;; # that case makes its own
	systemd | ng-systemd) set -- test "$1" --add 'systemd systemd-networkd' ;;
	socket-vtpm) set -- crypttab-vtpm "$1" --add 'systemd systemd-networkd' ;;
	socket) set -- crypttab "$1" --add 'systemd systemd-networkd' ;;
	socket-crypttab)
		printf 'other UUID=%s none luks\nroot UUID=%s /run/cryptattest/key.sock header=/run/cryptattest/header/root,tries=1,x-initrd.attach\n' \
			"$VM_UUID_DATA" "$VM_UUID_ROOT" >"$VM_DRACUT/etc/crypttab"
		set -- crypttab "$1" --add 'systemd systemd-networkd'
		;;
	nm | ng-nm) set -- test "$1" --omit 'systemd-networkd network-legacy' --add 'systemd network-manager' ;;
	legacy) set -- test "$1" --omit 'systemd-networkd network-manager' --add 'systemd network-legacy' ;;
	plain | ng-plain) set -- test "$1" --omit "$vm_plain network-manager" --add network-legacy ;;
	systemd-vtpm) set -- vtpm "$1" --add 'systemd systemd-networkd' ;;
	lvm) set -- lvm "$1" --add 'systemd systemd-networkd lvm' ;;
	lvm-socket) set -- lvm-crypttab "$1" --add 'systemd systemd-networkd lvm' ;;
	lvm-plain) set -- lvm "$1" --omit "$vm_plain network-manager" --add 'network-legacy lvm' ;;
	push)
		vm_prepare_push
		set -- push-alone "$1" --add 'systemd systemd-networkd'
		;;
	plain-vtpm) set -- vtpm "$1" --omit "$vm_plain network-manager" --add network-legacy ;;
	*) vm_fail "no image for the case dracut-$1" ;;
	esac
	vm_conf=$VM_WORK/$1.conf vm_image=initrd-dracut-$2
	shift 2
	# With dracut the network comes up beside the program, whose patience with the broker counts from its own start.
	sed 's/^fallback-after.*/fallback-after = 40s/' "$vm_conf" >"$VM_WORK/dracut.conf"
	vm_dracut_image "$VM_WORK/dracut.conf" "$vm_image" "$@" || { tail -n 20 "$VM_WORK/$vm_image.log" >&2; vm_fail "dracut failed"; }
	rm -f "$VM_DRACUT/etc/crypttab" # one case's
}

# What the named cases need: images of Debian 12, then, with other trees, those with LVM and those of Debian 13.
vm_prepare_dracut_images()
{
	for vm_case; do
		case $vm_case in
		dracut-ng-* | dracut-lvm*) ;;
		dracut-* | data-volume*)
			[ -n "${VM_DRACUT:-}" ] || vm_prepare_dracut
			;;
		esac
		case $vm_case in
		data-volume) vm_prepare_systemd_root ;;
		dracut-ng-* | dracut-lvm*) ;;
		dracut-*) vm_dracut_once "$vm_case" ;;
		esac
	done
	case " $* " in
	*' dracut-lvm'*) vm_prepare_dracut lvm2 ;; # a module that dracut puts into every image where it finds the program
	esac
	for vm_case; do
		case $vm_case in
		dracut-lvm*) vm_dracut_once "$vm_case" ;;
		esac
	done
	case " $* " in
	*' dracut-ng-'*) vm_prepare_debian13 ;;
	esac
	for vm_case; do
		case $vm_case in
		dracut-ng-*) vm_dracut_once "$vm_case" ;;
		esac
	done
}

vm_dracut_once()
{
	vm_case=${1#dracut-}
	vm_case=${vm_case%-refused}
	vm_case=${vm_case%-foreign-root} vm_case=${vm_case%-garbled-root}
	case $vm_case in
	*-late | *-ipv6 | *-bond | *-vlan) vm_case=${vm_case%-*} ;; # cases-net.sh: another network, the same image
	*-recover | *-recover-cvm) vm_case=${vm_case%-recover*} ;; # cases-hand.sh
	*-lookup) vm_case=${vm_case%-lookup} ;; # another command line
	esac
	[ -e "$VM_WORK/initrd-dracut-$vm_case" ] || vm_dracut_named "$vm_case"
}

# An operator's key, and the configuration of a machine that knows him and no broker.
vm_prepare_push()
{
	{
		printf '[agent]\non-failure = poweroff\ndeadline = 60s\n'
		"$VM_BUILD/cryptattest-kbs" push --make-key "$VM_WORK/operator.key"
		printf 'window = 40s\n[volume root]\ndevice = UUID=%s\nsecret = push\n' "$VM_UUID_ROOT"
		"$VM_BUILD/cryptattest" document "$VM_WORK/root.img" --name root --key-file "$VM_WORK/root.key" --pins
	} >"$VM_WORK/push-alone.conf" || vm_fail "no operator"
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
	ln -sf /dev/null "$vm_top/etc/systemd/system/serial-getty@ttyS0.service" # its prompt would be in front of our lines
	mkdir -p "$vm_top/srv" "$vm_top/etc/systemd/network" "$vm_top/etc/systemd/system/multi-user.target.wants"
	printf '[Match]\nName=e*\n[Network]\nDHCP=ipv4\n' >"$vm_top/etc/systemd/network/80-test.network"
	printf '/dev/mapper/data /srv ext4 ro,_netdev,nofail 0 0\n' >"$vm_top/etc/fstab"
	printf '[Unit]\nAfter=remote-fs.target srv.mount\n[Service]\nType=oneshot\nExecStart=/usr/local/sbin/bootmark\nStandardOutput=file:/dev/console\n' \
		>"$vm_top/etc/systemd/system/bootmark.service"
	ln -sf ../bootmark.service "$vm_top/etc/systemd/system/multi-user.target.wants/bootmark.service"
	ln -sf /usr/lib/systemd/system/systemd-networkd.service "$vm_top/etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
	vm_disk "$VM_WORK/systemd.img" "$VM_UUID_ROOT" "$VM_WORK/root.key" "$vm_top" 400
	vm_kbs_resource "$VM_WORK/kbs-main" default/test/systemd "$VM_WORK/systemd.img" root "$VM_WORK/root.key" || vm_fail "no document for systemd.img"
	# A disk that is not there at first.
	vm_disk "$VM_WORK/later.img" "$VM_UUID_LATER" "$VM_WORK/data.key" "$VM_WORK/data" 32
	vm_kbs_resource "$VM_WORK/kbs-main" default/test/later "$VM_WORK/later.img" later "$VM_WORK/data.key" || vm_fail "no document for later.img"
}
