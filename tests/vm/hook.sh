#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# The initramfs-tools hook by itself, in the Debian tree: what it puts into an image, and when it fails the build. Run by tests/boot.sh
# with what that has prepared; prints one line per statement.

set -u
. "$VM_SRC/tests/vm/lib.sh"
. "$VM_SRC/tests/vm/tree.sh"
VM_ROOT=$VM_WORK/tree
failed=0

# kernel_of MODULE...: a kernel 0.0-test that has these modules of kernel 6.12 and no other.
kernel_of()
{
	modules=$VM_ROOT/usr/lib/modules
	rm -rf "$modules/0.0-test"
	mkdir "$modules/0.0-test"
	for module; do
		find "$modules/$(vm_kernel_version 6.12)" -name "$module.ko*" -exec cp {} "$modules/0.0-test/" \;
	done
	: >"$modules/0.0-test/modules.order"
	: >"$modules/0.0-test/modules.builtin"
	: >"$modules/0.0-test/modules.builtin.modinfo"
	chroot "$VM_ROOT" depmod 0.0-test
}

# hook KERNEL [FILE]: runs it as mkinitramfs would; the image's content is in $image, what it said in $said. FILE: another hook has put this
# there.
hook()
{
	rm -rf "$VM_ROOT/tmp/image"
	image=$VM_ROOT/tmp/image
	for dir in bin lib lib64 sbin; do
		mkdir -p "$image/usr/$dir"
		ln -s "usr/$dir" "$image/$dir"
	done
	[ -z "${2-}" ] || echo >"$image$2"
	version=$(vm_kernel_version "$1")
	said=$(chroot "$VM_ROOT" env DESTDIR=/tmp/image version="$version" MODULESDIR="/lib/modules/$version" MODULES=most verbose=n \
		CONFDIR=/etc/initramfs-tools PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		/usr/share/initramfs-tools/hooks/cryptattest 2>&1)
}

config() { printf '%b\n' "$1" >"$VM_ROOT/etc/cryptattest/cryptattest.conf"; }
crypttab() { printf '%b\n' "$1" >"$VM_ROOT/etc/crypttab"; }

# statement TEXT COMMAND...: one test.
statement()
{
	text=$1
	shift
	if "$@"; then
		echo "PASS boot/hook: $text"
	else
		echo "FAIL boot/hook: $text; the hook said: $said"
		failed=1
	fi
}

says() { printf '%s\n' "$said" | grep -Eq -- "$1"; }
fails() { ! hook "$1"; }
holds() { [ -e "$image$1" ] || [ -e "$image/usr$1" ]; }
lacks() { ! holds "$1"; }
has_module() { find "$image" -name "$1.ko*" | grep -q .; }
# Every library that the program needs is in the image: nothing outside it is looked at.
resolves()
{
	libraries=$(LC_ALL=C chroot "$image" /lib64/ld-linux-x86-64.so.2 --list /usr/sbin/cryptattest 2>&1) &&
		printf '%s\n' "$libraries" | grep -q 'libcryptsetup.so.12 => /' && ! printf '%s\n' "$libraries" | grep -q 'not found'
}
# What it loads by name, and the libraries of that.
has_library()
{
	file=$(find "$image/" -name "$1" | head -n 1) && [ -n "$file" ] &&
		! LC_ALL=C chroot "$image" /lib64/ld-linux-x86-64.so.2 --list "${file#"$image"}" 2>&1 | grep 'not found'
}
lacks_library() { ! find "$image/" -name "$1" | grep -q .; }
runs() { chroot "$image" /usr/sbin/cryptattest config --check >/dev/null 2>&1; }

# build NAME [VARIABLE=VALUE...]: the whole image, as update-initramfs would make it, to VM_WORK/NAME; on a machine of that name.
build()
{
	name=$1
	shift
	vm_tree_mount "$VM_ROOT"
	said=$(unshare --uts sh -c 'hostname "$1" && shift && exec chroot "$@"' - "$name" "$VM_ROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" \
		mkinitramfs -o "/tmp/$name" "$(vm_kernel_version 6.12)" 2>&1)
	status=$?
	vm_tree_umount "$VM_ROOT"
	[ $status = 0 ] && mv "$VM_ROOT/tmp/$name" "$VM_WORK/$name"
}
unpacked() { zstd -qdc "$VM_WORK/$1"; }
# Dates of the files in it, each once.
dates() { unpacked "$1" | TZ=UTC cpio --quiet -itv | awk '{ print $6, $7, $8 }' | sort -u; }

mkdir -p "$VM_ROOT/etc/cryptattest/conf.d"
agent='[agent]\non-failure = poweroff\n[kbs main]\nurl = https://kbs.example:8443\nca = /etc/cryptattest/broker-ca.pem\n'
root='[volume root]\ndevice = UUID=11111111-2222-4333-8444-555555555501\nsecret = main:default/test/root\n'
line='root UUID=11111111-2222-4333-8444-555555555501 none'
openssl x509 -in "$VM_PKI/ark.pem" -out "$VM_ROOT/etc/cryptattest/broker-ca.pem"

rm -f "$VM_ROOT/etc/cryptattest/cryptattest.conf" "$VM_ROOT/etc/crypttab"
statement "without a configuration it adds nothing and builds" hook 6.12
statement "... not even the program" lacks /sbin/cryptattest

config "$agent$root"
crypttab "$line luks,initramfs,keyscript=/usr/lib/cryptattest/refuse"
statement "a sound configuration builds" hook 6.12
statement "the program is there" holds /sbin/cryptattest
statement "with every library it needs" resolves
statement "with libcurl and its libraries, which it loads to ask a broker" has_library libcurl.so.4
statement "without libtss2, which no volume needs" lacks_library 'libtss2*'
statement "with libgcc_s, which ldd does not show" sh -c "find '$image' -name 'libgcc_s.so.1' | grep -q ."
statement "with its configuration" holds /etc/cryptattest/cryptattest.conf
statement "with the CA file that the configuration names" holds /etc/cryptattest/broker-ca.pem
statement "with an order of name resolution" grep -q '^hosts: files dns' "$image/etc/nsswitch.conf"
statement "it runs in the image and finds its configuration sound" runs
for module in dm-crypt tsm tdx-guest sev-guest configfs; do
	statement "module $module of kernel 6.12" has_module $module
done

statement "kernel 6.1 builds" hook 6.1
statement "... with a warning that it has no TEE driver" says 'neither sev-guest nor tdx-guest'

printf '%b\n' "$root" >"$VM_ROOT/etc/cryptattest/conf.d/root.conf"
config "$agent"
statement "a volume in conf.d builds" hook 6.12
statement "... and the drop-in is in the image" holds /etc/cryptattest/conf.d/root.conf
rm "$VM_ROOT/etc/cryptattest/conf.d/root.conf"

config "$agent$root"
crypttab "$line luks,initramfs"
statement "a crypttab line without the keyscript fails the build" fails 6.12
statement "... and says what is wrong" says 'keyscript'
crypttab "$line luks,initramfs,keyscript=/lib/cryptsetup/scripts/decrypt_keyctl"
statement "a crypttab line with another keyscript fails the build" fails 6.12
config "$agent$root" && sed -i 's/^on-failure.*/&\nopener = crypttab/' "$VM_ROOT/etc/cryptattest/cryptattest.conf"
crypttab "$line header=/run/cryptattest/header/root,tries=1,x-initrd.attach"
statement "a crypttab line for systemd fails the build" fails 6.12
statement "... and says so" says 'no keyscript=/usr/lib/cryptattest/key'
crypttab "$line luks,initramfs,header=/run/cryptattest/header/root,keyscript=/usr/lib/cryptattest/key"
statement "the keyscript that asks us builds" hook 6.12
config "$agent$root"
crypttab "other UUID=11111111-2222-4333-8444-555555555599 none luks"
statement "lines of other volumes are nobody's business" hook 6.12

config "$agent${root}sekret = main:default/test/root"
statement "a misspelt key fails the build" fails 6.12
statement "... with file, line and the nearest name" says 'cryptattest.conf:[0-9]+.*secret'
config "$agent${root}" && mv "$VM_ROOT/etc/cryptattest/broker-ca.pem" "$VM_ROOT/tmp/"
statement "a CA file that is not there fails the build" fails 6.12
statement "... and says so" says 'broker-ca.pem'
mv "$VM_ROOT/tmp/broker-ca.pem" "$VM_ROOT/etc/cryptattest/"
mv "$VM_ROOT/usr/sbin/cryptattest" "$VM_ROOT/tmp/"
statement "a configuration without the program fails the build" fails 6.12
statement "... and says so" says 'cryptattest.conf exists, but .*/cryptattest does not'
mv "$VM_ROOT/tmp/cryptattest" "$VM_ROOT/usr/sbin/"

# --- pieces that are missing, each with its message
library=$(chroot "$VM_ROOT" ldd /usr/sbin/cryptattest | sed -n 's/.*=> \(.*libjansson.*\) (.*/\1/p')
for file in "$library" "$(chroot "$VM_ROOT" sh -c 'ls /usr/lib/*/libgcc_s.so.1')" "$(chroot "$VM_ROOT" sh -c 'ls /usr/lib/*/libcurl.so.4')"; do
	mv "$VM_ROOT/$file" "$VM_ROOT/tmp/"
	statement "without ${file##*/} the build fails" fails 6.12
	name=${file##*/}
	statement "... and says so" says "${name%%.*}"
	mv "$VM_ROOT/tmp/${file##*/}" "$VM_ROOT/$file"
done
kernel_of aesni-intel dm-mod
statement "a kernel without dm_crypt fails the build" fails 0
statement "... and says so" says 'kernel 0.0-test has no module dm_crypt'
kernel_of aes_generic aesni-intel dm-crypt
statement "a kernel without xts fails the build" fails 0
statement "... and says so" says 'kernel 0.0-test has no module xts'
kernel_of aes_generic aesni-intel dm-crypt xts
statement "one that has them builds" hook 0
config "$agent${root}"
statement "an image for a volume that may have integrity" hook 6.12
statement "... has dm-integrity" has_module dm-integrity
config "$agent${root}integrity = none"
statement "one for a volume that is pinned to none" hook 6.12
statement "... has not" sh -c "! find '$image' -name 'dm-integrity.ko*' | grep -q ."
config "$agent${root}integrity = hmac-sha256"
statement "... but not for a volume with integrity" fails 0
statement "... and says so" says 'kernel 0.0-test has no module dm_integrity, which .* integrity = hmac-sha256'

# --- LVM sees the volumes of the configuration and no other disk
lvmlocal=/etc/lvm/lvmlocal.conf
second='[volume data.2]\ndevice = PARTLABEL=data\nsecret = main:default/test/data\n'
later='[volume later]\ndevice = PARTLABEL=later\nsecret = main:default/test/later\nphase = system\n'
config "$agent$root$second$later"
statement "where LVM is in the image" hook 6.12 /usr/sbin/lvm
statement "... it is kept to the volumes that are opened there" \
	grep -Fq 'global_filter = [ "a|^/dev/mapper/root$|", "a|^/dev/mapper/data[.]2$|", "r|.*|" ]' "$image$lvmlocal"
statement "... whatever its list of devices says" grep -q 'use_devicesfile = 0' "$image$lvmlocal"
config "$agent$root" && sed -i 's/^on-failure.*/&\nprofile = bare-metal/' "$VM_ROOT/etc/cryptattest/cryptattest.conf"
statement "with profile = bare-metal" hook 6.12 /usr/sbin/lvm
statement "... it is left alone" lacks $lvmlocal

# --- the same files make the same image, wherever and whenever that is done
config "$agent$root"
crypttab "$line luks,initramfs,keyscript=/usr/lib/cryptattest/refuse"
statement "mkinitramfs builds an image" build tell-tale-1
touch "$VM_ROOT/etc/cryptattest/cryptattest.conf" "$VM_ROOT/usr/sbin/cryptattest"
mkdir "$VM_ROOT/tmp/elsewhere"
statement "... again on another machine, later" build tell-tale-2 TMPDIR=/tmp/elsewhere LANG=C.UTF-8 TZ=Asia/Tokyo
statement "... and the two are the same, byte for byte" cmp "$VM_WORK/tell-tale-1" "$VM_WORK/tell-tale-2"
statement "... without a host's name or a temporary one in them" sh -c "! zstd -qdc '$VM_WORK/tell-tale-2' | grep -Eaq 'tell-tale|mkinitramfs_'"
statement "... nor a time" [ "$(dates tell-tale-2)" = 'Jan 1 1970' ]
mv "$VM_ROOT/usr/share/initramfs-tools/conf-hooks.d/cryptattest" "$VM_ROOT/tmp/"
statement "without our word on this mkinitramfs builds" build tell-tale-3
statement "... another image each time" sh -c "! cmp -s '$VM_WORK/tell-tale-1' '$VM_WORK/tell-tale-3'"
mv "$VM_ROOT/tmp/cryptattest" "$VM_ROOT/usr/share/initramfs-tools/conf-hooks.d/"
rm -rf "$VM_WORK"/tell-tale-* "$VM_ROOT/tmp/elsewhere"

# --- sealed secrets
etc=$VM_ROOT/etc/cryptattest
openssl x509 -in "$VM_PKI/ark.pem" -noout -pubkey >"$etc/signer.pem"
echo '{}' >"$etc/policy.json"
vtpm="[vtpm]\npcrs = 4 7 9\nallow-untrusted-vtpm = yes\nsrk-name = 000b$(printf '%064d' 7)\nsigner = /etc/cryptattest/signer.pem\n"
vtpm="${vtpm}pcr-signature = /etc/cryptattest/policy.json\npcr-signature = /run/absent.json\n"
sealed='mode = vtpm\nsealed = PARTLABEL=esp:/cryptattest/root.sealed\n'
plain=$(printf '%s' "$root" | sed 's/secret = [^ ]*$//')
config "$agent$vtpm$plain$sealed"
statement "a sealed secret on a partition builds" hook 6.12
statement "... with the key that signs PCR policies" holds /etc/cryptattest/signer.pem
statement "... and the policies that are there" holds /etc/cryptattest/policy.json
for module in vfat nls_ascii nls_cp437; do
	statement "... and module $module for the partition" has_module $module
done
config "$agent$vtpm${plain}mode = vtpm\nsealed = /etc/cryptattest/root.sealed\n"
statement "a sealed file that is not there fails the build" fails 6.12
statement "... and says what makes it" says 'root.sealed does not exist.*enroll'
echo '{}' >"$etc/root.sealed"
statement "... and is put into the image when it is" hook 6.12
statement "... where it is looked for" holds /etc/cryptattest/root.sealed
for library in libtss2-esys.so.0 libtss2-mu.so.0 libtss2-rc.so.0; do
	statement "... and $library, which unseals" has_library $library
done
statement "... without libcurl, which nothing needs" lacks_library 'libcurl*'
statement "... without file systems for it" sh -c "! find '$image' -name 'vfat.ko*' | grep -q ."
kernel_of aes_generic aesni-intel dm-crypt xts
statement "... not with a kernel that has no driver for a TPM" fails 0
statement "... and says so" says 'kernel 0.0-test has no driver for a TPM'
rm "$etc/root.sealed"
config "$agent$vtpm${root}mode = kbs-or-vtpm\nsealed = /etc/cryptattest/root.sealed\n"
statement "with kbs-or-vtpm it is a warning: the broker can open the volume" hook 6.12
statement "... and is given" says 'does not exist yet'
statement "... the image holds libcurl" has_library libcurl.so.4
statement "... and libtss2" has_library libtss2-esys.so.0
mv "$etc/signer.pem" "$VM_ROOT/tmp/"
statement "a signer's key that is not there fails the build" fails 6.12
statement "... and says so" says 'signer.pem'
rm -f "$VM_ROOT/tmp/signer.pem" "$etc/policy.json"

config "$agent${root}[vtpm]\nsrk-name = 000b$(printf '%064d' 7)\n"
statement "a TPM whose name is known is capped in a session" hook 6.12
statement "... for which the image holds libtss2" has_library libtss2-esys.so.0

config "$agent${root}mode = manual"
statement "a volume that is opened by hand does not need the program" hook 6.12
rm -rf "$VM_ROOT/tmp/image" "$VM_ROOT/usr/lib/modules/0.0-test"
exit $failed
