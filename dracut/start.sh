#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# initqueue/settled, sourced whenever udev has come to rest: starts the program once. It runs beside the initqueue, whose other jobs bring up
# the network that it waits for.
if [ ! -e /run/initramfs/cryptattest-started ]; then
	mkdir -p -m 0700 /run/initramfs
	: >/run/initramfs/cryptattest-started
	(
		/bin/sh /lib/cryptattest/unlock
		: >/run/initramfs/cryptattest-done
	) </dev/null &
fi
