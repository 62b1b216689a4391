/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What is hashed into the hardware report (kbs-protocol.md 3). */
#ifndef CRYPTATTEST_WIRE_RUNTIME_DATA_H
#define CRYPTATTEST_WIRE_RUNTIME_DATA_H

#include "crypto/digest.h"
#include "wire/jwk.h"
#include "wire/kbs_messages.h"

/* Digest of the canonical runtime data of this protocol version, zero-padded on the right to 64 bytes.
 * additional_evidence: the string, "" normally; used from 0.4.0 on. 0.1.0 is hashed as clients up to guest-components
 * v0.8.0 do (3.3: the bare texts, RSA only, else ERR_CONFIG). */
int runtime_data_report_data(enum kbs_protocol protocol, enum digest_alg alg, const char *nonce, const struct jwk *jwk,
			     const char *additional_evidence, uint8_t out[static 64], struct err **err);
/* The hashed text itself, for tests. */
int runtime_data_text(enum kbs_protocol protocol, const char *nonce, const struct jwk *jwk,
		      const char *additional_evidence, char **ret, struct err **err);

#endif
