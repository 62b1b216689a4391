#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# initqueue/timeout, sourced: as long as the program runs, its own deadline counts and not dracut's (rd.retry). With systemd the program is
# the unit's, or hands out a passphrase to systemd-cryptsetup.
if [ -d /run/systemd/system ]; then
	if [ "$(systemctl is-active cryptattest-initrd.service)" = activating ] || systemctl --quiet is-active 'cryptattest-key@*.service'; then
		# shellcheck disable=SC2034 # dracut's
		main_loop=0
	fi
elif [ -e /run/initramfs/cryptattest-started ] && [ ! -e /run/initramfs/cryptattest-done ]; then
	# shellcheck disable=SC2034
	main_loop=0
fi
