/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The configuration's [vtpm] section as the rules of vtpm/, with the texts of the signed PCR policies that are there now. */
#ifndef CRYPTATTEST_UNLOCK_RULES_H
#define CRYPTATTEST_UNLOCK_RULES_H

#include "config/config.h"
#include "vtpm/vtpm.h"

#define RULES_SIGNATURES_MAX 16

struct rules {
	struct vtpm_rules vtpm; /* borrows from the configuration and from here */
	char *texts[RULES_SIGNATURES_MAX + 1];
};

enum pcr_bank rules_bank(const struct config *c);
/* Files that are not there are passed over; one that cannot be read is ERR_TPM "pcr-signature". pin: of the volume. */
int rules_load(const struct config *c, int root_fd, bool pin, struct rules *ret, struct err **err);
/* Before sealing on a confidential VM: where PCR 7 alone is to say what loader the firmware starts, Secure Boot is on. ERR_CONFIG
 * "secure-boot-off", and "secure-boot-unknown" where there are no EFI variables to see, which are looked at in a mount of our own if need
 * be. */
int rules_check_loader(const struct config *c, int root_fd, struct err **err);
void rules_clear(struct rules *r);
#define _cleanup_rules_ __attribute__((cleanup(rules_clear)))

#endif
