#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# initqueue/finished, run in a shell of its own: the initqueue goes on until the program has ended.
[ -e /run/initramfs/cryptattest-done ]
