#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# initqueue/timeout, sourced: as long as the program runs, its own deadline counts and not dracut's.
if [ -e /run/initramfs/cryptattest-started ] && [ ! -e /run/initramfs/cryptattest-done ]; then
	# shellcheck disable=SC2034 # dracut's
	main_loop=0
fi
