# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The machines' TPM: swtpm below QEMU's tpm-crb. A process per boot, as power-on resets the PCRs, with the state that the boot before left
# behind. Under OVMF the PCRs are those of a real machine: 4 has the kernel, 7 Secure Boot, 9 initramfs and command line. Sourced.

VM_OVMF=/usr/share/OVMF

# vm_tpm_new DIR: a TPM as delivered, with the storage primary that an operating system's first boot would put at 0x81000001 (TCG's
# template: tpm2_createprimary's own lacks noDA). DIR.name gets its Name, in hexadecimal.
vm_tpm_new()
{
	rm -rf "$1"
	mkdir -p "$1"
	vm_tpm_tools "$1" sh -c '
		tpm2_createprimary -Q -C o -G ecc256:aes128cfb -c "$1.ctx" \
			-a "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt" &&
		tpm2_flushcontext -Q -t && tpm2_evictcontrol -Q -C o -c "$1.ctx" 0x81000001 &&
		tpm2_readpublic -Q -c 0x81000001 -n "$1.bin"' - "$1" || vm_fail "the TPM cannot be prepared"
	od -A n -t x1 -v "$1.bin" | tr -d ' \n' >"$1.name"
	rm -f "$1.ctx" "$1.bin"
}

# vm_tpm_tools DIR COMMAND...: runs a command with tpm2-tools' TPM being this one, switched on for as long as that takes.
vm_tpm_tools()
{
	vm_socket=$1.tools
	rm -f "$vm_socket" "$vm_socket.ctrl"
	swtpm socket --tpm2 --tpmstate "dir=$1" --server "type=unixio,path=$vm_socket" --ctrl "type=unixio,path=$vm_socket.ctrl" \
		--flags startup-clear >"$1.log" 2>&1 &
	vm_tools_pid=$!
	vm_await "$vm_socket.ctrl" || return 1
	shift
	TPM2TOOLS_TCTI=swtpm:path=$vm_socket "$@"
	vm_status=$?
	kill "$vm_tools_pid" 2>/dev/null
	wait "$vm_tools_pid" 2>/dev/null
	return $vm_status
}

# vm_tpm_start DIR RUN-DIR: power on; QEMU connects to RUN-DIR/tpm.sock.
vm_tpm_start()
{
	rm -f "$2/tpm.sock"
	swtpm socket --tpm2 --tpmstate "dir=$1" --ctrl "type=unixio,path=$2/tpm.sock" --pid "file=$2/tpm.pid" >"$2/tpm.log" 2>&1 &
	vm_await "$2/tpm.sock" || { cat "$2/tpm.log" >&2; return 1; }
}

# It goes with the guest; one whose QEMU died does not.
vm_tpm_stop()
{
	[ ! -e "$1/tpm.pid" ] || kill "$(cat "$1/tpm.pid")" 2>/dev/null
	rm -f "$1/tpm.sock" "$1/tpm.pid"
}

# vm_await SOCKET: up to 5 s.
vm_await()
{
	vm_tries=0
	until [ -S "$1" ]; do
		vm_tries=$((vm_tries + 1))
		[ $vm_tries -le 50 ] || { echo "swtpm does not start" >&2; return 1; }
		sleep 0.1
	done
}

# vm_esp FILE: a disk with one partition, labelled "esp", vfat: where sealed files are kept.
vm_esp()
{
	rm -f "$1" "$1.fat"
	truncate -s 20M "$1"
	printf 'label: gpt\nstart=2048, size=32768, type=U, name=esp\n' | sfdisk -q "$1" &&
		mkfs.vfat -C "$1.fat" 16384 >/dev/null && dd if="$1.fat" of="$1" bs=1M seek=1 conv=notrunc,sparse status=none &&
		mmd -i "$1@@1M" ::/cryptattest || vm_fail "no EFI system partition"
	rm "$1.fat"
}

# vm_esp_get FILE NAME, vm_esp_put FILE NAME: /cryptattest/NAME of it to standard output, from standard input.
vm_esp_get() { mtype -i "$1@@1M" "::/cryptattest/$2"; }
vm_esp_put() { mcopy -o -i "$1@@1M" - "::/cryptattest/$2"; }

# What an attacker does who is root in the guest and has tpm2-tools: unseals the object of a sealed file with the policy that it was sealed to.
# vm_unseal_script NAME: prints a shell script for VM_EARLY or VM_LATE that ends with one line, "unsealed: BYTES MAGIC" or "not unsealed: WHY".
vm_unseal_script()
{
	cat <<-EOF
	export TPM2TOOLS_TCTI=device:/dev/tpmrm0
	mkdir -p /run/attack/esp && cd /run/attack
	modprobe vfat 2>/dev/null
	for part in /sys/class/block/*; do
		grep -q '^PARTNAME=esp' "\$part/uevent" && busybox mount -t vfat -o ro "/dev/\${part##*/}" esp
	done
	member() { sed -n 's/.*"'"\$1"'": *"\([^"]*\)".*/\1/p' "esp/cryptattest/$1" | base64 -d >"\$1"; }
	member public; member private
	busybox umount esp
	tpm2 flushcontext -t; tpm2 flushcontext -l
	why=
	step() { [ -n "\$why" ] || tpm2 "\$@" >>log 2>&1 || why=\$1; }
	step startauthsession --policy-session -S session
	step policypcr -S session -l sha256:4,7,9,15
	step load -C 0x81000001 -u public -r private -c object
	step unseal -c object -p session:session -o secret
	tpm2 flushcontext session
	if [ -s secret ]; then
		echo "unsealed: \$(wc -c <secret) \$(head -c 4 secret)"
	else
		echo "not unsealed: \$why"
	fi
	tail -n 3 log
	rm -f secret
	echo "PCR 15: \$(cat /sys/class/tpm/tpm0/pcr-sha256/15)"
	EOF
}

# vm_cap_value ALGORITHM LINES OUTCOME: the cap register after the two events of contract, in lower-case hexadecimal: what a broker or an auditor
# computes from the volumes ("NAME UUID VK-ID" per line) and the way they were opened.
vm_cap_value()
{
	vm_size=$(($(printf '' | "$1sum" | cut -d' ' -f1 | wc -c) - 1))
	vm_first=$(printf 'cryptattest:cap:v1\n%s\n' "$2" | "$1sum" | cut -d' ' -f1)
	vm_second=$(printf 'cryptattest:outcome:v1 %s\n' "$3" | "$1sum" | cut -d' ' -f1)
	vm_value=$(printf "%0${vm_size}d%s" 0 "$vm_first" | vm_unhex | "$1sum" | cut -d' ' -f1)
	printf '%s%s' "$vm_value" "$vm_second" | vm_unhex | "$1sum" | cut -d' ' -f1
}

vm_unhex() { sed 's/\(..\)/\\\\x\1/g' | xargs printf '%b'; }
