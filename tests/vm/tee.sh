# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The emulated processor: programs and a kernel module of tests/emul, put into the guest's initramfs by a hook that only the tests
# have (tests/vm/emul-tee). Sourced.

EMUL_SRC=$VM_SRC/tests/emul
EMUL_CACHE=$VM_CACHE
. "$VM_SRC/tests/emul/kernel.sh"

# What the platform says of itself besides the launch measurement. The instance is named by HOST_DATA, MRCONFIGID for TDX.
VM_HOST_DATA=5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de5ec0de0001
VM_TEE_SNP="tee=snp
host-data=$VM_HOST_DATA"
VM_TEE_TDX="tee=tdx
mrconfigid=$VM_HOST_DATA$(printf '%032d' 0)"

# The emulated processors' keys: made once, two RSA-4096 keys take seconds.
vm_prepare_pki()
{
	VM_PKI=$VM_CACHE/pki
	"$VM_BUILD/tests/tools/cryptattest-testpki" init "$VM_PKI" || vm_fail "the test PKI cannot be made"
	install -m 644 "$VM_PKI/roots.pem" "$VM_WORK/roots.pem" # the key broker reads it as another user
}

# vm_tee_install KERNEL: into the tree, for mkinitramfs to find.
vm_tee_install()
{
	vm_lib=$VM_ROOT/usr/local/lib/emul-tee
	vm_version=$(vm_kernel_version "$1")
	mkdir -p "$vm_lib/pki"
	cp "$VM_PKI"/* "$vm_lib/pki/"
	cp "$VM_BUILD/tests/emul/tee_signer" "$VM_BUILD/tests/emul/cuse_sev_guest" "$VM_BUILD/tests/loopback/killat" "$vm_lib/"
	install -m 755 "$VM_SRC/tests/vm/emul-tee/hook" "$VM_ROOT/etc/initramfs-tools/hooks/emul-tee"
	install -D -m 755 "$VM_SRC/tests/vm/emul-tee/init-premount" "$VM_ROOT/etc/initramfs-tools/scripts/init-premount/emul-tee"
	if [ "$1" != 6.1 ]; then
		mkdir -p "$VM_ROOT/usr/lib/modules/$vm_version/extra"
		emul_module "$vm_version" "$VM_ROOT/usr/lib/modules/$vm_version/extra/tsm_fake.ko"
	fi
	chroot "$VM_ROOT" depmod "$vm_version"
}
