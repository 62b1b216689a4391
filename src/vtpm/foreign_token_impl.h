/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What both parsers of foreign tokens need; for them alone. */
#ifndef CRYPTATTEST_VTPM_FOREIGN_TOKEN_IMPL_H
#define CRYPTATTEST_VTPM_FOREIGN_TOKEN_IMPL_H

#include "base/encode.h"
#include "vtpm/foreign_token.h"

#define FOREIGN_TEXT_MAX 8192 /* any one string: the whole JSON area of a header has 12 KiB */

int foreign_bad(struct err **err, const char *why);	    /* ERR_INTEGRITY "foreign-token" */
int foreign_unsupported(struct err **err, const char *why); /* ERR_TPM "foreign-unsupported" */

/* The string member, or NULL when there is none. */
int foreign_text(const json_t *obj, const char *key, const char **ret, struct err **err);
/* Decoded text of 1 to max bytes. */
int foreign_bytes(enum b64_form form, const char *text, const char *what, size_t max, struct sealed_bytes *ret, struct err **err);
/* An array of different PCR numbers, as numbers or, in strings, as decimal digits. */
int foreign_pcr_list(const json_t *list, const char *what, uint32_t *ret, struct err **err);

#endif
