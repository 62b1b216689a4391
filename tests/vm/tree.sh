# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# A small Debian 12 with two kernels, made by mmdebstrap from the package sources this machine already uses and kept as a
# tarball in VM_CACHE: 1-2 minutes the first time, 2 seconds afterwards. Sourced.

VM_KERNEL_61=linux-image-cloud-amd64		# 6.1: no configfs-tsm, evidence by /dev/sev-guest
VM_KERNEL_612=linux-image-6.12-cloud-amd64	# 6.12: configfs-tsm
VM_TREE_PACKAGES="$VM_KERNEL_61 $VM_KERNEL_612 initramfs-tools cryptsetup cryptsetup-initramfs busybox zstd xz-utils
	udev kmod e2fsprogs iproute2 libcurl4 libjansson4 libssl3 libcryptsetup12 libdevmapper1.02.1 libfuse3-3 ca-certificates
	libtss2-esys-3.0.2-0 libtss2-mu0 libtss2-rc0 libtss2-tcti-device0 tpm2-tools dmsetup libevent-2.1-7 libevent-openssl-2.1-7 systemd-standalone-sysusers"

# The machine's own Debian sources as "deb URI SUITE COMPONENT" lines; third-party ones are left out.
vm_tree_sources()
{
	apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT) #$(ORIGIN)' 'Created-By: Packages' |
		sed -n 's/ #Debian$//p' | sort -u
}

vm_tree_version() { apt-cache policy "$1" | sed -n 's/^  Candidate: //p'; }

# Changes with the packages asked for, with the kernels on offer, and with this file.
vm_tree_key()
{
	{
		vm_tree_version "$VM_KERNEL_61"
		vm_tree_version "$VM_KERNEL_612"
		vm_tree_version cryptsetup-initramfs
		vm_tree_version libcurl4
		cat "$VM_SRC/tests/vm/tree.sh"
	} | sha256sum | cut -c1-16
}

vm_tree_ready() { [ -s "$VM_CACHE/tree-$(vm_tree_key).tar" ]; }

# Prints the tarball's name, making it when it is not there.
vm_tree()
{
	vm_tar=$VM_CACHE/tree-$(vm_tree_key).tar
	if [ ! -s "$vm_tar" ]; then
		rm -f "$VM_CACHE"/tree-*.tar
		vm_tree_make "$vm_tar" >&2
	fi
	echo "$vm_tar"
}

# What makes images is diverted while the packages are configured: it would run once per kernel for nothing.
vm_tree_make()
{
	vm_divert=${VM_TREE_DIVERT:-/usr/sbin/update-initramfs}
	vm_sources=$VM_WORK/sources.list
	vm_suite=${VM_TREE_SUITE:-bookworm}
	vm_tree_sources | sed "s/ bookworm/ $vm_suite/" >"$vm_sources"
	[ -s "$vm_sources" ] || vm_fail "no Debian package source is configured on this machine (apt-get update first?)"
	apt-config dump | grep -E '^(Acquire::(http|https|Retries)|DPkg::Proxy)' >"$VM_WORK/apt.conf" || :
	mmdebstrap --quiet --variant=essential --include="$(echo $VM_TREE_PACKAGES | tr -s ' \t\n' ,)" \
		--aptopt='Apt::Install-Recommends "false"' --aptopt="$VM_WORK/apt.conf" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		--essential-hook="chroot \"\$1\" dpkg-divert --quiet --local --rename --add $vm_divert
			ln -s /bin/true \"\$1$vm_divert\"" \
		--customize-hook="rm \"\$1$vm_divert\"
			chroot \"\$1\" dpkg-divert --quiet --local --rename --remove $vm_divert" \
		--format=tar "$vm_suite" "$1.new" - <"$vm_sources" || vm_fail "mmdebstrap failed"
	mv "$1.new" "$1"
}

# Unpacks the tree into $1 and mounts what mkinitramfs reads. vm_end unmounts.
vm_tree_unpack()
{
	VM_ROOT=$1
	mkdir -p "$VM_ROOT"
	tar -C "$VM_ROOT" -xf "$(vm_tree)"
}

vm_tree_mount()
{
	mount -t proc proc "$1/proc"
	mount -t sysfs -o ro sysfs "$1/sys"
	mount --bind /dev "$1/dev"
}

vm_tree_umount()
{
	for vm_dir in dev sys proc; do
		! mountpoint -q "$1/$vm_dir" || umount "$1/$vm_dir"
	done
}

# The version of the kernel that $1 (6.1 or 6.12) names, as below /lib/modules of the unpacked tree.
vm_kernel_version()
{
	for vm_dir in "$VM_ROOT/lib/modules/$1".*; do
		[ -d "$vm_dir" ] && basename "$vm_dir" && return
	done
	vm_fail "no kernel $1 in the tree"
}
