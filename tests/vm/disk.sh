# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# LUKS2 disks made on a machine that has neither device-mapper nor a loop device: cryptsetup re-encrypts an image file in user
# space. Sourced.

# vm_key FILE: a passphrase of 32 random bytes.
vm_key() { (umask 077 && head -c 32 /dev/urandom >"$1"); }

# vm_filesystem FILE DIRECTORY MEGABYTES: ext4 with the directory's content.
vm_filesystem()
{
	rm -f "$1"
	truncate -s "$3M" "$1"
	mke2fs -q -t ext4 -E root_owner=0:0,lazy_itable_init=1 -O ^has_journal -U "$VM_UUID_FILES" -d "$2" "$1"
}

# vm_disk FILE LUKS-UUID KEY-FILE DIRECTORY MEGABYTES: the same, encrypted.
vm_disk()
{
	vm_filesystem "$1" "$4" "$5"
	vm_encrypt "$1" "$2" "$3"
}

# vm_encrypt FILE LUKS-UUID KEY-FILE: what is in the file, encrypted. The 32 MiB of slack are where libcryptsetup shifts the data to; the
# data segment ends up at 16 MiB, sector size 512. PBKDF2 with 1000 rounds: the secret is 32 random bytes, and the guest is an emulator.
vm_encrypt()
{
	truncate -s +32M "$1"
	mkdir -p -m 0700 /run/cryptsetup
	cryptsetup reencrypt --encrypt --type luks2 --reduce-device-size 32M --batch-mode --uuid "$2" \
		--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$3" "$1"
}

# What the guest needs once it is up: the tree without kernels and their modules. Hard links: made in a second, costs nothing.
vm_disk_content()
{
	rm -rf "$2"
	cp -al "$1" "$2"
	rm -rf "${2:?}/boot" "$2/usr/lib/modules" "$2/usr/share/perl" "$2/usr/lib/x86_64-linux-gnu/perl" "$2/usr/share/zoneinfo" \
		"$2/var/cache" "$2/var/lib/apt" "$2/usr/lib/x86_64-linux-gnu/gconv" "$2/usr/lib/udev/hwdb.d" "$2/usr/lib/udev/hwdb.bin"
	mkdir -p "$2/boot" "$2/usr/lib/modules"
}
