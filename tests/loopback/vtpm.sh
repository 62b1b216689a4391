# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh disable=SC2034
# For the tests of sealed secrets beside it: the agent over recorded mappings, a swtpm of its own, a broker that goes wrong on request, a
# volume with a keyslot for each mode, and the files that tests/tools/seal_tool sealed for it. $tmp is the working directory.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup tpm2_pcrextend tpm2_pcrread
missing=$(swtpm_missing) && skip_all "$missing is not installed"
fuse=
cleanup_all() {
	swtpm_stop
	[ -z "$fuse" ] || {
		kill "$fuse" 2>/dev/null && wait "$fuse"
	}
	cleanup
}
trap cleanup_all EXIT
machine mapper boot
machine_tee
seal_tool=$build/tests/tools/seal_tool
: >root/dev/kmsg
record=root/run/cryptattest/status.json

# --- the machine: a TPM with something in its PCRs, four volumes' worth of keyslots in one header
swtpm_start tpm || bail "no swtpm"
echo "$swtpm_path" >root/dev/tpm-swtpm
sha() {
	printf '%s' "$1" | sha256sum | cut -d' ' -f1
}
into() { # PCR WORD: as tpm2_pcrextend takes it
	echo "$1:sha256=$(sha "$2"),sha384=$(printf '%s' "$2" | sha384sum | cut -d' ' -f1)"
}
loader=$(into 4 loader) secure_boot=$(into 7 "secure boot") kernel=$(into 9 "kernel and initrd")
# boot [KERNEL]: registers and /run as at power-on, then what a loader would measure
# shellcheck disable=SC2120 # some scripts pass arguments
boot() {
	swtpm_reboot || bail "no swtpm"
	rm -rf root/run root/mapper
	mkdir root/run root/mapper
	measured=$kernel
	[ $# = 0 ] || measured=$(into 9 "$1")
	tpm2_pcrextend "$loader" "$secure_boot" "$measured" || bail "no PCRs"
}
printf 'a passphrase of some length' >kbs.pass
head -c 32 /dev/urandom >raw
"$seal_tool" passphrase raw >vtpm.pass
chmod 600 ./*.pass raw
new_volume root/dev/disk kbs.pass
uuid=$(cryptsetup luksUUID root/dev/disk)
"$seal_tool" both kbs.pass raw "$uuid" root >both.pass
chmod 600 both.pass
for pass in vtpm.pass both.pass; do
	cryptsetup luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q --key-file kbs.pass root/dev/disk $pass || bail "no keyslot"
done
boot
srk=$("$seal_tool" name) || bail "no storage primary"
vk_id=$("$agent" document root/dev/disk --name root --key-file kbs.pass --pins | sed -n 's/^vk-id = //p')
[ ${#vk_id} = 64 ] || bail "no vk-id"

deadline=30s # brokers that are waited for until then get a shorter one
# config NAME MODE [VTPM-LINE [VOLUME-LINE]]: root/etc/NAME.conf; the broker is $url, $pin
config() {
	{
		printf '[agent]\ndeadline = %s\n[vtpm]\npcrs = 4 7 9\nsrk-name = %s\nallow-untrusted-vtpm = yes\nfallback-after = 700ms\n' "$deadline" "$srk"
		printf '%s\n' "${3:-}"
		printf '[kbs main]\nurl = %s\npin = %s\nkey = ec-p256\n' "$url" "$pin"
		printf '[volume root]\ndevice = /dev/disk\nmode = %s\n' "$2"
		[ "$2" = vtpm ] || echo "secret = main:default/vm/root"
		case $2 in
		kbs+vtpm) echo "sealed = /boot/both.sealed" ;;
		*vtpm) echo "sealed = /boot/root.sealed" ;;
		esac
		printf '%s\n' "${4:-}"
	} >"root/etc/$1.conf"
}
url=https://127.0.0.1:1 pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
config vtpm vtpm
config both kbs+vtpm
"$seal_tool" seal /etc/vtpm.conf root raw vtpm.pass >root/boot/root.sealed || bail "nothing sealed"
"$seal_tool" seal /etc/both.conf root raw both.pass >root/boot/both.sealed || bail "nothing sealed"
cp root/boot/root.sealed first.sealed

# run CONFIG VERB...: sets code
run() {
	conf=$1
	shift
	timeout 60 "$agent" "$@" --config "/etc/$conf.conf" >out 2>err </dev/null
	code=$?
}
is_open() { # SOURCE
	[ -e root/mapper/root ] && grep -q "\"state\":\"open\",\"source\":\"$1\"" $record
}
nothing_open() {
	[ ! -e root/mapper/root ] && [ -z "$(ls root/mapper)" ]
}
id_is() {
	grep -qF "\"id\":\"$1\"" $record && [ "$(grep -c . err)" -ge 1 ] && grep -qF "[$1]" err
}
pcr() { # BANK:PCR; a value that cannot be read is equal to no other
	tpm2_pcrread "$1" | sed -n 's/.*0x\([0-9A-Fa-f]*\)$/\1/p' | grep . || date +unreadable%N
}
zero() {
	case $(pcr "$1") in
	unreadable*) bail "no PCR $1" ;;
	*[1-9A-Fa-f]*) return 1 ;;
	esac
}
# broker [SCRIPT [SECRET]]: in the place of the one before; any evidence is good enough here
broker() {
	[ -z "$kbs" ] || {
		kill "$kbs" # its standard input stays open in the swtpm that was started meanwhile
		wait "$kbs" 2>/dev/null
		kbs=
	}
	[ $# = 0 ] || {
		script="attest unread; $1"
		shift
		start_kbs "$script" "$@"
	}
}
# meets KIND: a broker of that kind, in $url and $pin
meets() {
	broker
	case $1 in
	reachable) broker "" "$(cat kbs.pass)" ;;
	refusing) broker "get error PolicyDeny Access denied by policy" ;;
	undecided) broker "get jwe-tag" ;;
	stranger)
		broker ""
		pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
		;;
	unreachable) url=https://127.0.0.1:1 ;;
	esac
}
