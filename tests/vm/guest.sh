# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Boots of guests under QEMU's own processor emulation: no KVM, no root, no change to the disk images. Sourced.

. "$VM_SRC/tests/vm/net.sh"

# What an SNP machine's firmware measures at launch where kernel, initrd and command line are part of the image (QEMU's kernel-hashes=on):
# one digest over the three. Here it is computed by the launcher and told to the emulated processor.
# vm_measure KERNEL INITRD COMMAND-LINE: 96 hexadecimal digits.
vm_measure()
{
	{
		sha384sum <"$1"
		sha384sum <"$2"
		printf '%s' "$3" | sha384sum
	} | sha384sum | cut -c1-96
}

# The guest's kernel command line with further words. panic=5 turns a kernel panic into an exit; init= names a script in the root file
# system (bootmark) that says what it sees and powers off.
vm_command_line() { echo "console=ttyS0 loglevel=3 panic=5 root=/dev/mapper/root init=/usr/local/sbin/bootmark${*:+ }$*"; }

# vm_append NEW INITRD FOLDER NAME: INITRD and behind it a second archive with NAME and what is below it, relative to FOLDER. The kernel takes
# archives one after the other, each beginning at a multiple of 4; zeros between them are skipped. The same content gives the same bytes: OVMF
# measures them.
vm_append()
{
	cat "$2" >"$1"
	truncate -s %512 "$1"
	[ ! -e "$2.facts" ] || cp "$2.facts" "$1.facts"
	(cd "$3" && find "$4" -exec touch -h -d @0 {} + && find "$4" | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc) >>"$1"
}

# Prints the beginning of a script for VM_EARLY or VM_LATE that uses the disks: $1, $2... are VM_DISKS and VM_DISKS_KEPT, in their order. By letters
# it would not know them: those of the scripts' own disks come first.
vm_disks_script()
{
	cat <<-'EOF'
	set --
	for disk in /sys/block/vd*; do
		case $(cat "$disk/serial") in
		early | late) ;;
		*) set -- "$@" "/dev/${disk##*/}" ;;
		esac
	done
	EOF
}

# ttyS0 has carriage returns; the firmware and the shell's line editor leave terminal codes.
vm_plain() { tr -d '\r' | sed -e 's/\x1b\[[=!?0-9;]*[A-Za-z]//g' -e 's/\x1b\][^\x07]*\x07//g' | tr -d '\033'; }

# vm_dialog DIR: types VM_DIALOG, and writes down what the guest says. It ends with the guest. QEMU's own logfile of a socket has every character
# twice that the socket did not take at once.
vm_dialog()
{
	vm_tries=0
	until [ -S "$1/console.sock" ]; do
		vm_tries=$((vm_tries + 1))
		[ $vm_tries -le 300 ] || return 1
		sleep 0.2
	done
	vm_seen=0
	{
		while IFS='	' read -r vm_pattern vm_text; do
			until tail -c "+$((vm_seen + 1))" "$1/console.log" 2>/dev/null | vm_plain | grep -Eq -- "$vm_pattern"; do
				[ -e "$1/console.sock" ] || return 1
				sleep 0.3
			done
			vm_seen=$(stat -c %s "$1/console.log")
			printf '%s\r' "$vm_text"
		done <"$VM_DIALOG"
		# The end of what is typed would be the end of the connection.
		while [ -e "$1/console.sock" ]; do
			sleep 0.5
		done
	} | socat - "UNIX-CONNECT:$1/console.sock,retry=50,interval=0.2" >"$1/console.log" 2>/dev/null
}

# vm_launch DIR: boots what the variables say, the console to DIR/console.log, every Ethernet frame to DIR/net.pcap.
#
#	VM_KERNEL, VM_INITRD, VM_COMMAND_LINE	the three measured parts
#	VM_DISKS	image files, as snapshots: nothing is written to them
#	VM_DISKS_KEPT	image files that keep what the guest writes
#	VM_TPM		folder with the state of a TPM (vm_tpm_new): the machine has it as tpm-crb, and what a boot leaves there is
#			what the next one finds. The firmware is OVMF then, which measures kernel, initramfs and command line
#	VM_TEE		what the emulated processor says of itself (tests/vm/tee.sh); not measured; none when empty
#	VM_EARLY, VM_LATE	shell scripts for the guest: before any of our boot scripts, and once its root is mounted. They are disks of
#			their own, so they change no measurement
#	VM_PORT		the key broker's port on this machine. The guest's network ends there
#	VM_SINK		a port of this machine that the guest finds at 10.0.2.101:443; none when empty
#	VM_FORWARD	a port of this machine that leads to the guest's port 8444; none when empty
#	VM_NET, VM_WIRE	which network, and what is wrong with its cable (tests/vm/net.sh)
#	VM_DIALOG	what somebody at the console types: lines "PATTERN<tab>TEXT"; the text, and the enter key, once what has come since the
#			last one matches the extended regular expression
#	VM_SECONDS	how long it may take
#	VM_ICOUNT	not empty: one processor, whose clock counts instructions (4 ns each); waiting takes the time that it takes
#	VM_QEMU		further options of QEMU
#
# Status 0 when the guest powered off or rebooted, 124 when it did neither in time.
vm_launch()
{
	mkdir -p "$1/tee"
	{
		printf '%s\n' "${VM_TEE:-tee=none}"
		vm_measured=$(vm_measure "$VM_KERNEL" "$VM_INITRD" "$VM_COMMAND_LINE")
		case ${VM_TEE:-} in
		*tee=snp*) echo "measurement=$vm_measured" ;;
		*tee=tdx*) echo "mrtd=$vm_measured" ;;
		esac
	} >"$1/tee/tee.conf"
	vm_append "$1/initrd.launched" "$VM_INITRD" "$1" tee
	vm_drives=
	for vm_disk in ${VM_DISKS:-}; do
		vm_drives="$vm_drives -drive file=$vm_disk,if=virtio,format=raw,snapshot=on"
	done
	for vm_disk in ${VM_DISKS_KEPT:-}; do
		vm_drives="$vm_drives -drive file=$vm_disk,if=virtio,format=raw"
	done
	for vm_part in early late; do
		vm_disk=${VM_EARLY:-}
		[ $vm_part = early ] || vm_disk=${VM_LATE:-}
		[ -n "$vm_disk" ] || continue
		cp "$vm_disk" "$1/$vm_part.disk"
		truncate -s %512 "$1/$vm_part.disk"
		vm_drives="$vm_drives -drive file=$1/$vm_part.disk,if=none,id=$vm_part,format=raw,readonly=on"
		vm_drives="$vm_drives -device virtio-blk-pci,drive=$vm_part,serial=$vm_part"
	done
	vm_tpm=
	if [ -n "${VM_TPM:-}" ]; then
		vm_tpm_start "$VM_TPM" "$1" || return 1
		vm_tpm="-chardev socket,id=tpm,path=$1/tpm.sock -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0"
		vm_tpm="$vm_tpm -drive if=pflash,format=raw,unit=0,readonly=on,file=$VM_OVMF/OVMF_CODE_4M.fd"
		vm_tpm="$vm_tpm -drive if=pflash,format=raw,unit=1,snapshot=on,file=$VM_OVMF/OVMF_VARS_4M.fd"
	fi
	vm_serial="-serial file:$1/console.log"
	if [ -n "${VM_DIALOG:-}" ]; then
		vm_serial="-chardev socket,id=console,path=$1/console.sock,server=on,wait=on -serial chardev:console"
		rm -f "$1/console.sock" "$1/console.log"
		vm_dialog "$1" &
		vm_typist=$!
	fi
	vm_forward "$1"
	vm_network "$1" || return 1
	vm_cpu="-accel tcg,thread=multi -smp 2"
	[ -z "${VM_ICOUNT:-}" ] || vm_cpu="-accel tcg,thread=single -icount shift=2 -smp 1"
	# shellcheck disable=SC2086 # drives, TPM, networks and console are words
	timeout --kill-after=5 "${VM_SECONDS:-120}" $vm_net_in qemu-system-x86_64 -machine q35 $vm_cpu -cpu max -m 768 \
		-nodefaults -display none -no-reboot -monitor none $vm_serial \
		-kernel "$VM_KERNEL" -initrd "$1/initrd.launched" -append "$VM_COMMAND_LINE" \
		$vm_drives $vm_tpm ${VM_QEMU:-} -device virtio-rng-pci $vm_net_options \
		>"$1/qemu.log" 2>&1 </dev/null
	vm_status=$?
	vm_network_end
	rm -f "$1/initrd.launched"
	rm -f "$1/console.sock"
	[ -z "${VM_DIALOG:-}" ] || wait "$vm_typist"
	[ -z "$vm_tpm" ] || vm_tpm_stop "$1"
	vm_plain <"$1/console.log" >"$1/console.txt"
	return $vm_status
}
