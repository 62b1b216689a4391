# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What dracut puts into an image because of our module, and when it makes none. No boots. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL dracut-images dracut-ng-images"

case_dracut_images()
{
	title "$1" "dracut's images: nothing that is not needed, nothing missing, the same twice" || return 0
	dracut_images "$VM_WORK/dracut-tree"
}

case_dracut_ng_images()
{
	title "$1" "Debian 13, dracut-ng's images: nothing that is not needed, nothing missing, the same twice" || return 0
	dracut_images "$VM_WORK/debian13-tree"
}

# build IMAGE OPTION...: has dracut make /tmp/IMAGE of the tree's configuration; $said is what it said. Without our emulated processor.
build()
{
	image=$1
	shift
	rm -f "$TREE/tmp/$image"
	said=$(chroot "$TREE" dracut --force --no-hostonly --no-hostonly-cmdline --zstd --omit emul-tee --kver "$version" "$@" "/tmp/$image" 2>&1)
}

# statement TEXT COMMAND...
statement()
{
	text=$1
	shift
	if "$@"; then
		echo "ok: $text"
	else
		printf '%s\n' "$said" | tail -n 20
		fail "not so: $text"
	fi
}

# fails PATTERN OPTION...: no image is made, and dracut says this.
fails()
{
	pattern=$1
	shift
	! build none "$@" && [ ! -e "$TREE/tmp/none" ] && printf '%s\n' "$said" | grep -Eq -- "$pattern"
}

config() { printf '%b\n' "$1" >"$TREE/etc/cryptattest/cryptattest.conf"; }
# crypttab NAME=OPTIONS...: lines without a key file.
crypttab() { printf '%s\n' "$@" | sed 's|\([^=]*\)=|\1 /dev/vda none |' >"$TREE/etc/crypttab"; }
# The modules of the image; a file that is unpacked in $TREE/tmp/unpacked.
modules() { chroot "$TREE" lsinitrd -m "/tmp/$1" | grep -Eqx -- "$2"; }
holds() { [ -e "$TREE/tmp/unpacked/$1" ] || [ -L "$TREE/tmp/unpacked/$1" ]; }
has_driver() { find "$TREE/tmp/unpacked/" -name "$1.ko*" | grep -q .; }
unpack()
{
	rm -rf "$TREE/tmp/unpacked"
	mkdir "$TREE/tmp/unpacked"
	chroot "$TREE" sh -c "cd /tmp/unpacked && lsinitrd --unpack '/tmp/$1'" >/dev/null 2>&1
}
not() { ! "$@"; }
# Every library that the program needs, and what glibc loads when a thread is cancelled; nothing outside the image is looked at.
resolves()
{
	libraries=$(LC_ALL=C chroot "$TREE/tmp/unpacked" /lib64/ld-linux-x86-64.so.2 --list /usr/sbin/cryptattest 2>&1) &&
		printf '%s\n' "$libraries" | grep -q 'libcryptsetup.so.12 => /' && ! printf '%s\n' "$libraries" | grep -q 'not found' &&
		find "$TREE/tmp/unpacked/" -name libgcc_s.so.1 | grep -q .
}
# What it loads by name, and the libraries of that.
has_library()
{
	library=$(find "$TREE/tmp/unpacked/" -name "$1" | head -n 1) && [ -n "$library" ] &&
		! LC_ALL=C chroot "$TREE/tmp/unpacked" /lib64/ld-linux-x86-64.so.2 --list "${library#"$TREE/tmp/unpacked"}" 2>&1 | grep 'not found'
}
lacks_library() { ! find "$TREE/tmp/unpacked/" -name "$1" | grep -q .; }
runs() { chroot "$TREE/tmp/unpacked" /usr/sbin/cryptattest config --check >/dev/null 2>&1; }

dracut_images()
{
	TREE=$1
	. "$VM_SRC/tests/vm/tree.sh"
	trap 'vm_tree_umount "$TREE"; vm_stop_all' EXIT
	vm_tree_mount "$TREE"
	version=$(VM_ROOT=$TREE vm_kernel_version 6.12)
	agent='[agent]\non-failure = poweroff\n'
	kbs='[kbs main]\nurl = https://kbs.example:8443\npin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n'
	vtpm="[vtpm]\\npcrs = 4 7 9\\nsrk-name = 000b$(printf '%064d' 1)\\nallow-untrusted-vtpm = yes\\n"
	root="[volume root]\\ndevice = UUID=$VM_UUID_ROOT\\n"
	mkdir -p "$TREE/etc/cryptattest"
	dracut_images_good
	dracut_images_none
}

dracut_images_good()
{
	config "$agent$vtpm${root}mode = vtpm\nsealed = PARTLABEL=esp:/cryptattest/root.sealed\nvk-id = $(printf '%064d' 1)"
	# What others put into a generic image: dracut-ng qemu-net, the configuration of Debian 12's dracut-network ifcfg.
	statement "an image for a volume that the TPM opens" build first --reproducible --omit 'qemu-net ifcfg'
	statement "has our module" modules first cryptattest
	statement "has no network program" not modules first '.*network.*|net-lib|url-lib|connman|ifcfg'
	unpack first
	statement "asks for no network" not grep -rqs neednet "$TREE/tmp/unpacked/etc/cmdline.d"
	statement "has no driver of a network card" not has_driver virtio_net
	statement "has dm-crypt" has_driver dm-crypt
	statement "has the file system of the sealed file's partition" has_driver vfat
	statement "has every library" resolves
	statement "has libtss2, which unseals" has_library libtss2-esys.so.0
	statement "has no libcurl, which nothing needs" lacks_library 'libcurl*'
	statement "and the program runs in it" runs
	sleep 1
	statement "a second image" build second --reproducible --omit 'qemu-net ifcfg'
	statement "is the first, byte by byte" cmp "$TREE/tmp/first" "$TREE/tmp/second"

	# The trees have no LVM: a stand-in for its program is enough for dracut's module.
	printf '#!/bin/sh\n' >"$TREE/usr/sbin/lvm"
	chmod 755 "$TREE/usr/sbin/lvm"
	statement "an image with LVM" build lvm --omit 'qemu-net ifcfg'
	rm "$TREE/usr/sbin/lvm"
	statement "has dracut's module for it" modules lvm lvm
	unpack lvm
	statement "keeps LVM to our volumes" grep -Fq 'global_filter = [ "a|^/dev/mapper/root$|", "r|.*|" ]' "$TREE/tmp/unpacked/etc/lvm/lvmlocal.conf"

	config "$agent$kbs${root}secret = main:default/test/root"
	statement "an image for a volume that a broker opens" build kbs
	statement "has a network program" modules kbs '(systemd-networkd|network-manager|network-legacy)'
	unpack kbs
	statement "asks for the network" grep -rqs neednet "$TREE/tmp/unpacked/etc/cmdline.d"
	statement "has every library" resolves
	statement "has libcurl, which asks the broker" has_library libcurl.so.4
	statement "and the program runs in it" runs
	statement "has the driver of the network card" has_driver virtio_net

	config "${agent}opener = crypttab\n$kbs${root}secret = main:default/test/root"
	crypttab root=x-initrd.attach,header=/run/cryptattest/header/root other=x-initrd.attach root=luks
	statement "an image for systemd-cryptsetup" build socket --add systemd
	unpack socket
	statement "has the socket where a key is looked for" \
		grep -qx 'Symlinks=/run/cryptsetup-keys.d/root.key' "$TREE/tmp/unpacked/etc/systemd/system/cryptattest-key.socket.d/50-cryptattest.conf"
	statement "has our line of crypttab that is for it, and no other" \
		[ "$(cat "$TREE/tmp/unpacked/etc/crypttab")" = "root /dev/vda none x-initrd.attach,header=/run/cryptattest/header/root" ]
	rm "$TREE/etc/crypttab"

	config "$agent$kbs${root}secret = main:default/test/root\nphase = system"
	statement "an image for no volume" build other
	statement "is left alone" not modules other cryptattest
}

dracut_images_none()
{
	config "$agent$kbs${root}sekret = main:default/test/root"
	statement "no image: an error in the configuration, with its line" fails 'cryptattest.conf:[0-9]+.*sekret'
	config "${agent}[kbs main]\nurl = https://kbs.example:8443\nca = /etc/cryptattest/absent.pem\n${root}secret = main:default/test/root"
	statement "no image: a certificate is missing" fails 'absent\.pem'
	config "$agent$vtpm${root}mode = vtpm\nsealed = /etc/cryptattest/absent.sealed\nvk-id = $(printf '%064d' 1)"
	statement "no image: a sealed file is missing" fails 'absent\.sealed does not exist'
	config "$agent$kbs${root}secret = main:default/test/root"
	statement "no image: no network program" fails "cryptattest'? depends on .*network" \
		--omit 'network-manager systemd-networkd network-legacy connman network-wicked'
	mv "$TREE/usr/bin/udevadm" "$TREE/usr/bin/udevadm.away"
	statement "no image: one of our programs is missing" fails 'cryptattest: the image would lack' --modules 'base cryptattest'
	mv "$TREE/usr/bin/udevadm.away" "$TREE/usr/bin/udevadm"
	mv "$TREE/usr/sbin/cryptattest" "$TREE/usr/sbin/cryptattest.away"
	statement "no image: the program itself is missing" fails 'cryptattest.conf exists, but'
	mv "$TREE/usr/sbin/cryptattest.away" "$TREE/usr/sbin/cryptattest"
	mkdir -p "$TREE/usr/lib/modules/1.0-none/kernel"
	chroot "$TREE" depmod 1.0-none
	statement "no image: a kernel without dm-crypt" fails 'kernel 1.0-none has no dm_crypt' --kver 1.0-none
	rm -r "$TREE/usr/lib/modules/1.0-none"
	config "${agent}opener = crypttab\n$kbs${root}secret = main:default/test/root"
	crypttab other=luks root=x-initrd.attach,tries=1
	statement "no image: a crypttab line without the audited header, with its number" fails '/etc/crypttab:2: .*nobody has checked' --add systemd
	rm "$TREE/etc/crypttab"
	statement "no image: a passphrase for systemd-cryptsetup without systemd" fails 'opener = crypttab needs systemd|depends on .*systemd-cryptsetup' \
		--omit 'systemd systemd-initrd dracut-systemd systemd-networkd network-manager' --add network-legacy
}
