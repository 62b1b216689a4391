#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# pre-pivot, sourced: the root file system is mounted. Looks whether it is the right one, and closes the door behind the boot.
. /lib/cryptattest/functions
if [ -x "$ca_agent" ]; then
	# Of a line of mountinfo: mount point (5) and, behind the hyphen, type and source.
	ca_mounted=
	while read -r ca_1 ca_2 ca_3 ca_4 ca_point ca_rest; do
		[ "$ca_point" != "${NEWROOT:-/sysroot}" ] || ca_mounted=${ca_rest#* - }
	done </proc/self/mountinfo
	ca_mounted=${ca_mounted#* }
	ca_demand_ours "${ca_mounted%% *}"
	ca_cap
	# Nobody is to be given a passphrase of the initramfs's volumes any more, nor is the socket's file to be found by the running system.
	[ ! -S /run/cryptattest/key.sock ] || systemctl --quiet stop cryptattest-key.socket
fi
