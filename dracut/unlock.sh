#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# Opens the volumes of "phase = initrd". Run by the unit cryptattest-initrd.service, or by the initqueue in images without systemd. The
# program waits for devices and for a route by itself; what brings the network up runs beside it.

. /lib/cryptattest/functions

# systemd-networkd without systemd-resolved leaves the name servers in its own records. The file is read, not run: its values are the
# network's.
compose_resolv_conf()
{
	until [ -s /etc/resolv.conf ]; do
		if [ -s /run/systemd/netif/state ]; then
			sed -n -e 's/^DNS=//p' /run/systemd/netif/state | tr ' ' '\n' |
				sed -n -e 's/^\([0-9A-Fa-f][0-9A-Fa-f.:]*\)$/nameserver \1/p' >/etc/resolv.conf.new
			[ ! -s /etc/resolv.conf.new ] || mv /etc/resolv.conf.new /etc/resolv.conf
		fi
		sleep 0.5
	done
}

[ -x "$ca_agent" ] || exit 0
for module in dm_crypt dm_integrity configfs tsm sev-guest tdx-guest; do
	modprobe -q "$module"
done
ca_tpm
mkdir -p -m 0700 /run/initramfs "$ca_dir" /run/cryptsetup

# Without "quiet" on the command line the console may know how long each step took.
timings=--timings
read -r command_line </proc/cmdline
case " $command_line " in
*' quiet '*) timings= ;;
esac
compose_resolv_conf &
resolver=$!
# shellcheck disable=SC2086 # none or one word
"$ca_agent" unlock --all --boot $timings
status=$?
kill "$resolver" 2>/dev/null

case $status in
0 | 3) exit 0 ;; # opened, or nothing to open here
*) ca_stop "unlock ended with status $status" ;;
esac
exit $status
