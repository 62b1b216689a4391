# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# One boot of one guest under QEMU's own processor emulation: no KVM, no root, no change to the disk images. Sourced.

VM_NET_SERVER=10.0.2.100:8443	# where the guest reaches the test's key broker, and nothing else

# vm_guest DIR KERNEL INITRD PORT SECONDS DISK... -- KERNEL-ARGUMENT...
#
# Console to DIR/console.log, every Ethernet frame to DIR/net.pcap. PORT is the broker's on this machine; the guest's network
# ends there (restrict=on): whatever else it tries goes nowhere. The disks are opened as snapshots. Returns when the guest powered off or
# rebooted, 124 when it did neither in SECONDS.
#
# init= is a script in the root file system (bootmark) that says what it sees and powers off; panic=5 and -no-reboot turn a kernel
# panic into an exit as well.
vm_guest()
{
	vm_dir=$1 vm_kernel=$2 vm_initrd=$3 vm_port=$4 vm_seconds=$5
	shift 5
	mkdir -p "$vm_dir"
	vm_drives=
	while [ "$1" != -- ]; do
		vm_drives="$vm_drives -drive file=$1,if=virtio,format=raw,snapshot=on"
		shift
	done
	shift
	# shellcheck disable=SC2086 # the drives are words
	timeout --kill-after=5 "$vm_seconds" qemu-system-x86_64 -machine q35 -accel "${VM_ACCEL:-tcg,thread=multi}" -cpu max -smp 2 -m 768 \
		-nodefaults -display none -no-reboot -monitor none -serial "file:$vm_dir/console.log" \
		-kernel "$vm_kernel" -initrd "$vm_initrd" \
		-append "console=ttyS0 quiet loglevel=4 panic=5 root=/dev/mapper/root init=/usr/local/sbin/bootmark $*" \
		$vm_drives -device virtio-rng-pci \
		-netdev "user,id=n0,net=10.0.2.0/24,host=10.0.2.9,restrict=on,guestfwd=tcp:$VM_NET_SERVER-cmd:socat - TCP:127.0.0.1:$vm_port" \
		-device virtio-net-pci,netdev=n0,romfile= -object "filter-dump,id=dump,netdev=n0,file=$vm_dir/net.pcap" \
		>"$vm_dir/qemu.log" 2>&1 </dev/null
}
