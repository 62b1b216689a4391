/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What a PIN may cost: shared by the sources that ask for one. */
#ifndef CRYPTATTEST_KEYSRC_PIN_H
#define CRYPTATTEST_KEYSRC_PIN_H

#include "vtpm/vtpm.h"

#define PIN_TRIES 3

/* ERR_TPM "tpm-lockout" when the TPM takes none now. */
int pin_check_lockout(struct vtpm *v, struct tpm_lockout *ret, struct err **err);
/* After a wrong one: false when one more would lock the TPM, and nobody would get in for hours. */
bool pin_may_try_again(const struct tpm_lockout *l);

#endif
