#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# cryptattest in action, alone on a fresh Debian 12 as root: sh tests/demo.sh
#
# Installs the packages it needs from Debian, builds, encrypts a disk, starts the key broker, and boots a virtual machine twice: as its owner
# built it, and with one word of its kernel command line changed by the host. Takes about two minutes once the packages are there,
# needs no KVM, and leaves nothing behind but packages, out/ in the tree and the Debian tree in the cache folder.

set -u
VM_SRC=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$VM_SRC/tests/vm/lib.sh"

if [ -t 1 ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
else
	bold='' dim='' plain=''
fi
began=$(date +%s)
number=0

# step TITLE [EXPLANATION]...
step()
{
	number=$((number + 1))
	printf '\n%s%s. %s%s\n' "$bold" "$number" "$1" "$plain"
	shift
	[ $# = 0 ] || printf '   %s\n' "$@"
}

note() { printf '   %s\n' "$@"; }
quote() { fold -s -w 130 | sed "s/^/   $dim| $plain/"; }
give_up() { printf '\n%sdemo: %s%s\n' "$bold" "$*" "$plain"; exit 1; }

# quietly NAME COMMAND...: shows the output only when the command fails.
quietly()
{
	name=$1
	shift
	"$@" >"$VM_WORK/quiet.log" 2>&1 </dev/null && return
	tail -n 30 "$VM_WORK/quiet.log" | quote
	give_up "$name failed"
}

printf '%scryptattest demo%s: a virtual machine whose encrypted root opens for nothing but the software its owner expects\n' "$bold" "$plain"

[ "$(id -u)" = 0 ] || give_up "run me as root: I install packages and run mkinitramfs in a Debian tree"
vm_begin
. "$VM_SRC/tests/vm/prepare.sh"
. "$VM_SRC/tests/vm/kbs.sh"
. "$VM_SRC/tests/vm/guest.sh"

step "Packages" "Compiler, libraries, QEMU; whatever is missing comes from this machine's Debian sources."
sh "$VM_SRC/tests/deps.sh" boot | cut -c1-150 | quote

step "Build" "The agent (cryptattest), the key broker (cryptattest-kbs) and, for this demo, an emulated AMD SEV-SNP processor."
quietly "the build" vm_build
note "$("$VM_BUILD/cryptattest" --version | head -n 1)"

step "A virtual machine" "Debian 12 with its kernel 6.12; made by mmdebstrap once, then kept in $VM_CACHE."
vm_tree_ready || note "(the first time: about a minute)"
vm_prepare_tree
note "Debian tree: $(du -sh "$VM_ROOT" | cut -f1), kernel $(vm_kernel_version 6.12)"

step "An encrypted disk" "LUKS2 around the machine's root file system. The passphrase is 32 random bytes; no person ever sees it." \
	"The host can write to this disk, so cryptattest audits the header before it believes a word of it:"
vm_prepare_disk
"$VM_BUILD/cryptattest" check "$VM_WORK/root.img" 2>&1 | quote

step "The key broker" "It holds the passphrase and gives it to a machine that proves what it runs." \
	"The secret document binds the passphrase to this one volume (identity of the volume key, of the header):"
vm_prepare_pki
quietly "cryptattest-kbs init" vm_kbs_init "$VM_WORK/kbs" nobody
quietly "cryptattest-kbs resource add" vm_kbs_resource "$VM_WORK/kbs" default/demo/root "$VM_WORK/root.img" root "$VM_WORK/root.key"
"$VM_BUILD/cryptattest-kbs" resource list --dir "$VM_WORK/kbs" | quote

step "The machine's initramfs" "update-initramfs with cryptattest's hook. The broker's key pins and the volume's identity are part of the image," \
	"so they are measured with it:"
vm_config "$VM_WORK/kbs.client" default/demo/root >"$VM_WORK/demo.conf"
vm_prepare_image 6.12 "$VM_WORK/demo.conf"
grep -v '^#' "$VM_WORK/demo.conf" | quote

step "The owner's rule" "One digest over kernel, initramfs and command line; the broker releases the secret for it and for nothing else."
VM_KERNEL=$VM_WORK/vmlinuz-6.12 VM_INITRD=$VM_WORK/initrd-6.12 VM_DISKS=$VM_WORK/root.img VM_TEE=$VM_TEE_SNP
VM_COMMAND_LINE=$(vm_command_line)
vm_policy_snp default/demo/root "$(vm_measure "$VM_KERNEL" "$VM_INITRD" "$VM_COMMAND_LINE")" >"$VM_WORK/policy.conf"
quote <"$VM_WORK/policy.conf"
vm_kbs_policy "$VM_WORK/kbs" "$VM_WORK/policy.conf"
vm_kbs_start "$VM_WORK/kbs" "$VM_WORK/kbs.log" || exit 1
note "cryptattest-kbs is listening (as user nobody), the guest reaches it as $VM_NET_SERVER and reaches nothing else"

# launch DIR: boots the machine and shows its console as it comes.
launch()
{
	mkdir -p "$1"
	: >"$1/console.log"
	vm_launch "$1" &
	machine=$!
	# The timings are shown afterwards; the JSON and what follows it is for the tests.
	tail -n +1 -f --pid="$machine" "$1/console.log" 2>/dev/null | stdbuf -oL tr -d '\r\033\000' |
		sed -u -e '/^phase  *volume/,/^publish/d' -e '/^status json:/,/^BOOTMARK end/d' -e '/^ *$/d' -e "s/^/   $dim| $plain/"
	wait "$machine" || give_up "the virtual machine did not come to an end (status $?)"
}

step "First boot: the machine as its owner built it" "Its console (the processor is emulated, so everything takes ten times as long as it should):"
launch "$VM_WORK/boot1"
grep -q '^root: /dev/mapper/root ext4' "$VM_WORK/boot1/console.txt" || give_up "the encrypted root was not mounted"
note "" "The root is mounted. The unlock step by step, in milliseconds:"
sed -n '/^phase  *volume/,/^publish/p' "$VM_WORK/boot1/console.txt" | quote
note "" "What the broker says about it:"
grep -E 'attested:|released default' "$VM_WORK/kbs.log" | quote
grep -q 'released default/demo/root' "$VM_WORK/kbs.log" || give_up "the broker's log shows no release"

step "Second boot: the host changes one word" "init=/bin/sh on the kernel command line would be a root shell on the owner's data. The disk, the kernel and the initramfs are the same."
VM_COMMAND_LINE=$(vm_command_line init=/bin/sh)
seen=$(wc -l <"$VM_WORK/kbs.log")
launch "$VM_WORK/boot2"
grep -qE '^root: |BOOTMARK|EXT4-fs' "$VM_WORK/boot2/console.txt" && give_up "the tampered machine got at the root"
note "" "Refused: the root stayed shut, nobody was asked for a passphrase, the machine went off. What the broker says about it:"
tail -n "+$((seen + 1))" "$VM_WORK/kbs.log" | quote
tail -n "+$((seen + 1))" "$VM_WORK/kbs.log" | grep -q 'refused' || give_up "the broker's log shows no refusal"
tail -n "+$((seen + 1))" "$VM_WORK/kbs.log" | grep -q 'released default' && give_up "the broker released a secret to the tampered machine"

printf '\n%sdemo: passed%s in %s s: the owner'\''s machine opened its disk by attestation, the tampered one was refused\n' \
	"$bold" "$plain" "$(($(date +%s) - began))"
