#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The boot scripts where the boot leaves the initramfs or offers a shell: the register is capped first (P2), with the TPM's driver loaded, and
# one that cannot be capped ends the boot whatever on-failure says. On a confidential VM the host gets no shell with an opened volume, nor a root
# file system of its own mounted, unless a shell is what the owner asked for. The scripts as they are, over an agent and a machine of our own.
src=$(cd "$TOP_SRCDIR" && pwd)
build=$(cd "$TOP_BUILDDIR" && pwd)
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin" "$tmp/run"
echo "nameserver 192.0.2.1" >"$tmp/resolv.conf"
# here FILE: nothing in it reaches this machine
here() {
	sed -e "s|/lib/cryptattest/functions|$tmp/functions|; s|/scripts/cryptattest-functions|$tmp/functions|; s|/scripts/functions|/dev/null|; s|/scripts/cryptattest-network|$tmp/network|" \
		-e "s|^ca_agent=.*|ca_agent=$tmp/bin/agent|; s|/proc/sysrq-trigger|/dev/null|; s|/dev/tpmrm0|$tmp/tpmrm0|; s|/dev/console|/dev/null|g" \
		-e "s|/sys/firmware|$tmp/firmware|; s|/run/|$tmp/run/|g; s|/etc/resolv|$tmp/resolv|g" "$1"
}
here "$build/initramfs-tools/functions" >"$tmp/functions"
here "$src/initramfs-tools/network" >"$tmp/network"
program() { # NAME: its text on standard input
	{
		echo '#!/bin/sh'
		cat
	} >"$tmp/bin/$1"
	chmod +x "$tmp/bin/$1"
}
program agent <<'EOF'
echo "$1" >>"$MACHINE/log"
case $1 in
config) printf '[agent]\nprofile = %s\non-failure = %s\n[vtpm]\n[volume root]\n' "$PROFILE" "$ON_FAILURE" ;;
unlock) exit "${UNLOCK:-0}" ;;
status) printf '{"version":1,"cap":"%s"}\n' "${RECORD-done}" ;;
cap) exit "$CAP" ;;
esac
exit 0
EOF
program modprobe <<'EOF'
echo "modprobe $*" >>"$MACHINE/log"
EOF
# No command comes after these.
for name in reboot poweroff; do
	program $name <<'EOF'
echo "${0##*/}" >>"$MACHINE/log"
kill -KILL $PPID
EOF
done
program sleep <<'EOF'
exit 0
EOF
export MACHINE="$tmp" PROFILE ON_FAILURE CAP UNLOCK RECORD rootmnt NEWROOT
# runs SCRIPT CAP-STATUS PROFILE ON-FAILURE: sets ended to "returned" when what comes after the script is reached
runs() {
	CAP=$2 PROFILE=$3 ON_FAILURE=$4
	rm -f "$tmp/log" "$tmp/returned"
	: >"$tmp/log"
	{
		here "$src/$1" | grep -v '^exit 0$'
		echo ": >'$tmp/returned'"
	} >"$tmp/script"
	PATH=$tmp/bin:$PATH timeout 20 sh "$tmp/script" >"$tmp/out" 2>&1
	if [ -e "$tmp/returned" ]; then ended=returned; else ended=stopped; fi
}
n=0
check() { # TEXT CONDITION...
	n=$((n + 1))
	text=$1
	shift
	if "$@"; then
		echo "ok $n - $text"
	else
		echo "not ok $n - $text"
		sed 's/^/# /' "$tmp/log" "$tmp/out"
	fi
}
logged() {
	grep -q "^$1\$" "$tmp/log"
}
restarted() {
	[ $ended = stopped ] && logged reboot
}
# The TPM's driver is asked for before the cap.
went_on() {
	[ $ended = returned ] && logged cap && ! logged reboot && sed '/^cap$/,$d' "$tmp/log" | grep -q '^modprobe .*tpm_crb'
}
for script in dracut/pre-pivot.sh dracut/emergency.sh initramfs-tools/panic initramfs-tools/local-bottom initramfs-tools/init-bottom; do
	runs $script 0 bare-metal shell
	check "$script: capped, and the boot goes on" went_on
	for profile in bare-metal cvm; do
		for action in continue shell; do
			runs $script 12 $profile $action
			check "$script: a register that stays open ends the boot ($profile, on-failure = $action)" restarted
		done
	done
done
# What a script of ours finds at the end of a boot that failed after the volumes were opened.
for script in dracut/emergency.sh initramfs-tools/panic; do
	for action in reboot continue ''; do
		runs $script 0 cvm "$action"
		check "$script: no shell for the host (on-failure = ${action:-unreadable})" eval 'restarted && logged cap'
	done
	runs $script 0 cvm poweroff
	check "$script: switched off" eval '[ $ended = stopped ] && logged poweroff'
	runs $script 0 cvm shell
	check "$script: one shell, which the owner asked for, and then the end" eval 'restarted && grep -q "starting a shell" "$tmp/out"'
done
for record in 'done' none off; do
	RECORD=$record runs initramfs-tools/panic 0 cvm shell
	check "a shell where the cap is $record" grep -q "starting a shell" "$tmp/out"
done
for record in unproven absent failed pending ''; do
	RECORD=$record runs initramfs-tools/panic 0 cvm shell
	check "none where it is ${record:-not on record}" eval 'restarted && ! grep -q "starting a shell" "$tmp/out"'
done
# This machine's own root file system lies on no volume of the configuration.
for script in dracut/pre-pivot.sh initramfs-tools/local-bottom; do
	for action in reboot continue; do
		rootmnt=/ NEWROOT=/ runs $script 0 cvm $action
		check "$script: a foreign root file system is not run (on-failure = $action)" eval 'restarted && grep -q "which is none of the volumes: root" "$tmp/out"'
	done
	rootmnt=/ NEWROOT=/ runs $script 0 bare-metal reboot
	check "$script: with profile = bare-metal it is" eval '[ $ended = returned ]'
done
# A volume that stays closed is another matter.
for profile in bare-metal cvm; do
	UNLOCK=5 runs dracut/unlock.sh 0 $profile continue
	check "dracut/unlock.sh: the boot goes on without a volume ($profile, on-failure = continue)" eval '! logged reboot && grep -q "the boot goes on" "$tmp/out"'
	UNLOCK=5 runs dracut/unlock.sh 0 $profile reboot
	check "dracut/unlock.sh: it does not (on-failure = reboot)" restarted
done
runs dracut/unlock.sh 0 cvm continue
check "dracut/unlock.sh: the TPM's driver is there before it is asked" eval "sed '/^unlock\$/,\$d' '$tmp/log' | grep -q '^modprobe .*tpm_crb'"
# A link that is unplugged, or that vlan= names and nobody has, costs no other link its address. Shells end over a number that is none.
for shell in sh "busybox sh"; do
	command -v "${shell%% *}" >/dev/null || continue
	$shell -c "ca_dir=$tmp; . '$tmp/network'; ca_up no-such-link || echo went on" >"$tmp/out" 2>&1
	check "network, $shell: a link that is not there" eval 'grep -qx "went on" "$tmp/out" && [ "$(grep -c . "$tmp/out")" = 1 ]'
done
echo "1..$n"
