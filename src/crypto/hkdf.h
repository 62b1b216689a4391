/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* HKDF (RFC 5869) with SHA-256, and the one use of it: a passphrase that needs both the broker's part and the TPM's. */
#ifndef CRYPTATTEST_CRYPTO_HKDF_H
#define CRYPTATTEST_CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/secret.h"

/* ERR_INTERNAL, ERR_NOMEM. */
int hkdf_sha256(const struct secret *ikm, const void *salt, size_t salt_len, const void *info, size_t info_len, size_t len,
		struct secret **ret, struct err **err);

#define BOTH_PART_MIN 16

/*
 * Mode kbs+vtpm: padded base64 of 32 bytes of HKDF-SHA256(ikm = u32be length || broker's part || u32be length || sealed secret, no
 * salt, info = "cryptattest:kbs+vtpm:v1" 00 uuid 00 name). The lengths keep two pairs of parts apart that read the same in a row.
 * uuid in lower case. ERR_INTEGRITY "both-parts" when a part has fewer than 16 bytes.
 */
int both_parts_passphrase(const struct secret *kbs_part, const struct secret *sealed_part, const char *uuid, const char *name,
			  struct secret **ret, struct err **err);
/* Padded base64 of secret bytes: the passphrase of a keyslot made of 32 random ones (tpm-sealing.md 2.4). */
int secret_base64(const struct secret *bytes, struct secret **ret, struct err **err);

#endif
