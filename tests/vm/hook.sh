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

# hook KERNEL: runs it as mkinitramfs would; the image's content is in $image, what it said in $said.
hook()
{
	rm -rf "$VM_ROOT/tmp/image"
	image=$VM_ROOT/tmp/image
	for dir in bin lib lib64 sbin; do
		mkdir -p "$image/usr/$dir"
		ln -s "usr/$dir" "$image/$dir"
	done
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
runs() { chroot "$image" /usr/sbin/cryptattest config --check >/dev/null 2>&1; }

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
crypttab "other UUID=11111111-2222-4333-8444-555555555599 none luks"
statement "lines of other volumes are nobody's business" hook 6.12

config "$agent${root}sekret = main:default/test/root"
statement "a misspelt key fails the build" fails 6.12
statement "... with file, line and the nearest name" says 'cryptattest.conf:[0-9]+.*secret'
config "$agent${root}" && mv "$VM_ROOT/etc/cryptattest/broker-ca.pem" "$VM_ROOT/tmp/"
statement "a CA file that is not there fails the build" fails 6.12
mv "$VM_ROOT/tmp/broker-ca.pem" "$VM_ROOT/etc/cryptattest/"
mv "$VM_ROOT/usr/sbin/cryptattest" "$VM_ROOT/tmp/"
statement "a configuration without the program fails the build" fails 6.12
mv "$VM_ROOT/tmp/cryptattest" "$VM_ROOT/usr/sbin/"

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
statement "... without file systems for it" sh -c "! find '$image' -name 'vfat.ko*' | grep -q ."
rm "$etc/root.sealed"
config "$agent$vtpm${root}mode = kbs-or-vtpm\nsealed = /etc/cryptattest/root.sealed\n"
statement "with kbs-or-vtpm it is a warning: the broker can open the volume" hook 6.12
statement "... and is given" says 'does not exist yet'
mv "$etc/signer.pem" "$VM_ROOT/tmp/"
statement "a signer's key that is not there fails the build" fails 6.12
rm -f "$VM_ROOT/tmp/signer.pem" "$etc/policy.json"

config "$agent${root}mode = manual"
statement "a volume that is opened by hand does not need the program" hook 6.12
rm -rf "$VM_ROOT/tmp/image"
exit $failed
