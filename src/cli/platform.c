/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The real machine. tests/platform_test.c is the only other definition (contracts.md 9). */
#include "unlock/platform.h"

#include <sys/reboot.h>
#include <unistd.h>

/* No sync(2): nothing of ours is written to a disk, and the host could make it wait for ever. */
static void power(bool poweroff)
{
	reboot(poweroff ? RB_POWER_OFF : RB_AUTOBOOT);
}

const struct platform platform = {
	.name = "",
	.tees = tee_providers,
	.mapper = &mapper_dm,
	.tpm = &tpm_access_device,
	.allow_http = false,
	.allow_file_devices = false,
	.root = "/",
	.power = power,
};
