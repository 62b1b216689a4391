#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# eventlog.sh DIRECTORY BOOT...: real event logs to hold the decoder against. Boots a guest (OVMF, swtpm as tpm-crb, no acceleration
# needed) per BOOT and leaves in DIRECTORY, per boot: BOOT.log (binary_bios_measurements), BOOT.pcrs ("BANK PCR VALUE" lines, as the
# kernel reads them from the TPM) and the EFI partition's files under BOOT.esp/. BOOT is
#   grub    Secure Boot with Microsoft's keys, shim, signed GRUB, kernel, initrd (without Secure Boot Debian 12's GRUB starts the kernel
#           without its EFI stub, and then no event log reaches Linux)
#   uki     a unified kernel image as the default boot file
#   sdboot  systemd-boot, then a unified kernel image
#   entry   systemd-boot, then kernel and initrd by the kernel's EFI stub
# CMDLINE, INITRD_WORD (any text, it goes into the initrd) and KERNEL make another boot of the same kind, to hold a prediction against.
# AGENT=.../cryptattest puts that program into the initrd and the EFI partition under /boot/efi; what its predict, explain and doctor say
# in there is kept in BOOT.agent.
# Needs on Debian: ovmf swtpm qemu-system-x86 busybox-static shim-signed grub-efi-amd64-signed systemd-boot-efi binutils mtools
# dosfstools cpio, and a kernel in /boot.
set -eu
out=${1:?"usage: eventlog.sh DIRECTORY BOOT..."}
shift
for kernel in /boot/vmlinuz-*; do :; done
kernel=${KERNEL:-$kernel}
cmdline=${CMDLINE:-console=ttyS0 quiet cryptattest.marker=1}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
swtpm_pid=
cleanup() {
	[ -z "$swtpm_pid" ] || kill "$swtpm_pid" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

# The program, its libraries, a configuration, and what mounting the EFI partition takes.
add_agent() {
	mkdir -p "$work/root/boot/efi" "$work/root/etc/cryptattest" "$work/root/run" "$work/root/modules" "$work/root/lib64"
	cp "$AGENT" "$work/root/bin/cryptattest"
	ldd "$AGENT" | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | while read -r lib; do
		mkdir -p "$work/root/$(dirname "$lib")"
		cp -L "$lib" "$work/root/$lib"
	done
	version=${kernel##*/vmlinuz-}
	for m in virtio_blk fat vfat nls_cp437 nls_ascii; do
		file=$(find "/lib/modules/$version" -name "$m.ko*")
		case $file in
		*.xz) xz -dc "$file" >"$work/root/modules/$m.ko" ;;
		*) cp "$file" "$work/root/modules/$m.ko" ;;
		esac
	done
	: >"$work/root/etc/initrd-release"
	cat >"$work/root/etc/cryptattest/cryptattest.conf" <<-'CONF'
		[agent]
		profile = bare-metal
		[vtpm]
		pcrs = 0 1 2 4 5 7 8 9 11 12 14
		srk-name = 000b0000000000000000000000000000000000000000000000000000000000000000
		[volume root]
		device = /dev/vdb
		mode = vtpm
		sealed = /boot/efi/root.sealed
	CONF
}

# The whole user space of the guest: writes log and PCRs to the second disk, behind a line that holds their lengths.
make_initrd() {
	mkdir -p "$work/root/bin" "$work/root/dev" "$work/root/proc" "$work/root/sys" "$work/root/tmp"
	cp "$(command -v busybox)" "$work/root/bin/busybox"
	cat >"$work/root/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t tmpfs tmp /tmp
$b mount -t securityfs sec /sys/kernel/security
$b dd bs=1M if=/sys/kernel/security/tpm0/binary_bios_measurements of=/tmp/log 2>/dev/null
for d in /sys/class/tpm/tpm0/pcr-*; do
	for p in $d/*; do
		echo "${d##*/pcr-} ${p##*/} $($b cat $p)"
	done
done >/tmp/pcrs
if [ -e /bin/cryptattest ]; then
	for m in virtio_blk fat vfat nls_cp437 nls_ascii; do $b insmod /modules/$m.ko; done
	$b mount -o ro -t vfat /dev/vda /boot/efi
	$b umount /sys/kernel/security # the agent finds it without
	{ /bin/cryptattest predict --config /etc/cryptattest; echo "exit $?"; /bin/cryptattest doctor --config /etc/cryptattest; echo "exit $?"; /bin/cryptattest explain root --remits --config /etc/cryptattest; } >/tmp/agent 2>&1
	$b sed 's/^/agent=/' /tmp/agent >/dev/ttyS1
fi
{ echo "log=$($b base64 /tmp/log | $b tr -d '\n')"; $b sed 's/^/pcr=/' /tmp/pcrs; echo end=; } >/dev/ttyS1
$b sync
$b poweroff -f
INIT
	chmod 755 "$work/root/init"
	echo "${INITRD_WORD:-first}" >"$work/root/word"
	[ -z "${AGENT:-}" ] || add_agent
	(cd "$work/root" && find . | sort | cpio --quiet -o -H newc -R 0:0) | gzip -n >"$work/initrd"
}

# stub + sections, placed one after another behind what the stub has
make_uki() {
	stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub
	printf '%s' "$cmdline" >"$work/cmdline"
	printf 'NAME="Test"\nID=test\nVERSION_ID=1\n' >"$work/osrel"
	end=$(objdump -h "$stub" | awk '/^ *[0-9]+ \./ { e = sprintf("%d", ("0x" $3) + 0) }
		/^ *[0-9]+ \./ { print $3, $4 }' | while read -r size vma; do echo $((0x$size + 0x$vma)); done | sort -n | tail -n 1)
	set --
	for s in osrel cmdline initrd linux; do
		file=$work/$s
		[ $s != linux ] || file=$kernel
		end=$(((end + 0xfff) / 0x1000 * 0x1000))
		set -- "$@" --add-section ".$s=$file" --change-section-vma ".$s=$end"
		end=$((end + $(stat -Lc %s "$file")))
	done
	objcopy "$@" "$stub" "$work/uki.efi"
}

files() { # BOOT
	esp=$out/$1.esp
	rm -rf "$esp"
	mkdir -p "$esp/EFI/BOOT"
	case $1 in
	grub)
		mkdir -p "$esp/EFI/debian" "$esp/boot"
		cp /usr/lib/shim/shimx64.efi.signed "$esp/EFI/BOOT/BOOTX64.EFI"
		cp /usr/lib/shim/shimx64.efi.signed "$esp/EFI/debian/shimx64.efi"
		cp /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed "$esp/EFI/BOOT/grubx64.efi"
		cp "$kernel" "$esp/boot/vmlinuz"
		cp "$work/initrd" "$esp/boot/initrd.img"
		printf 'set timeout=0\nsearch --file --set=root /boot/vmlinuz\nlinux /boot/vmlinuz %s\ninitrd /boot/initrd.img\nboot\n' "$cmdline" \
			>"$esp/EFI/debian/grub.cfg"
		;;
	uki) cp "$work/uki.efi" "$esp/EFI/BOOT/BOOTX64.EFI" ;;
	sdboot | entry)
		mkdir -p "$esp/EFI/Linux" "$esp/loader/entries" "$esp/test"
		cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi "$esp/EFI/BOOT/BOOTX64.EFI"
		printf 'timeout 0\n' >"$esp/loader/loader.conf"
		if [ "$1" = sdboot ]; then
			cp "$work/uki.efi" "$esp/EFI/Linux/test.efi"
		else
			cp "$kernel" "$esp/test/linux"
			cp "$work/initrd" "$esp/test/initrd"
			printf 'title test\nlinux /test/linux\ninitrd /test/initrd\noptions %s\n' "$cmdline" >"$esp/loader/entries/test.conf"
		fi
		;;
	*) echo "no boot \"$1\"" >&2; exit 2 ;;
	esac
}

boot() { # BOOT
	files "$1"
	rm -f "$work/esp.img"
	mkfs.vfat -C "$work/esp.img" 131072 >/dev/null
	(cd "$out/$1.esp" && mcopy -s -i "$work/esp.img" -- * ::/)
	cp /usr/share/OVMF/OVMF_VARS_4M.ms.fd "$work/vars.fd"
	[ "$1" = grub ] || cp /usr/share/OVMF/OVMF_VARS_4M.fd "$work/vars.fd"
	rm -rf "$work/tpm"
	mkdir "$work/tpm"
	swtpm socket --tpm2 --tpmstate dir="$work/tpm" --ctrl type=unixio,path="$work/tpm.sock" --flags startup-clear >"$work/swtpm.out" 2>&1 &
	swtpm_pid=$!
	timeout 120 qemu-system-x86_64 -accel tcg -machine q35,smm=on -m 768 -display none -monitor none -nodefaults -no-reboot \
		-global driver=cfi.pflash01,property=secure,value=on \
		-drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd \
		-drive if=pflash,format=raw,file="$work/vars.fd" -drive if=virtio,format=raw,file="$work/esp.img" \
		-chardev socket,id=tpm,path="$work/tpm.sock" -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0 \
		-serial file:"$out/$1.console" -serial file:"$work/serial" || true
	kill "$swtpm_pid" 2>/dev/null || true
	swtpm_pid=
	tr -d '\r' <"$work/serial" | sed -n 's/^log=//p' | base64 -d >"$out/$1.log"
	tr -d '\r' <"$work/serial" | sed -n 's/^pcr=//p' | tr 'A-F' 'a-f' >"$out/$1.pcrs"
	[ -z "${AGENT:-}" ] || tr -d '\r' <"$work/serial" | sed -n 's/^agent=//p' >"$out/$1.agent"
	grep -q '^end=' "$work/serial" || { echo "$1: the guest did not finish, see $out/$1.console" >&2; return 1; }
	echo "$1: $(stat -c %s "$out/$1.log") bytes of log, $(wc -l <"$out/$1.pcrs") PCR values"
}

make_initrd
make_uki
for b; do
	boot "$b"
done
