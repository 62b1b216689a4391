/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What an errno of the report interfaces means (the table of tee-evidence.md 2.1, rules of section 5). Pure.
 *
 * The sev-guest driver wipes the key it talks to the firmware with (VMPCK) after every failure of a request that has been sent: one
 * errno of that kind ends attestation until the next boot, whatever we do, and asking again is pointless.
 */
#ifndef CRYPTATTEST_TEE_ERRORS_H
#define CRYPTATTEST_TEE_ERRORS_H

#include "evidence/evidence.h"

/* Always returns -1. SNP: ERR_NOEVIDENCE id "vmpck" (EIO, ETIMEDOUT, ENOTTY, any errno not listed), "tee-param" (EINVAL),
 * "tee-firmware" (ENXIO); ERR_BUSY id "tee-interrupted" (EINTR), "tee-busy" (EBUSY, EAGAIN). TDX: ERR_BUSY "tee-busy",
 * "tee-slow" (ETIMEDOUT), "tee-interrupted"; ERR_NOEVIDENCE "tee-param", "tee-host" (EIO), "tee-driver" (ENXIO, ENOTTY),
 * "tee-size" (EFBIG). ENOMEM: ERR_NOMEM for both. */
int tee_errno(enum tee_kind kind, int errnum, const char *what, struct err **err);
/* The status word of an SNP report response, not 0. ERR_NOEVIDENCE, ids "tee-param" (0x16, 0x27), "tee-firmware". */
int tee_firmware_status(unsigned int status, const char *what, struct err **err);

#endif
