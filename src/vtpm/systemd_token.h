/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Tokens of type "systemd-tpm2" as systemd 248 to 257 writes them (tpm-sealing.md 5.1). Unknown members are ignored, as systemd does. Pure. */
#ifndef CRYPTATTEST_VTPM_SYSTEMD_TOKEN_H
#define CRYPTATTEST_VTPM_SYSTEMD_TOKEN_H

#include "vtpm/foreign_token.h"

/* Everything but type and keyslot. Not supported: pcrlock, shards, objects made without the TPM (an import seed). */
int systemd_token_parse(const json_t *token, struct foreign_token *ret, struct err **err);

#endif
