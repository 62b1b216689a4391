/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* AES-256-GCM, 12-byte IV, 16-byte tag. */
#ifndef CRYPTATTEST_CRYPTO_AEAD_H
#define CRYPTATTEST_CRYPTO_AEAD_H

#include "base/err.h"
#include "base/secret.h"

/* ERR_INTEGRITY when the tag is wrong; nothing of the plaintext is returned then. */
int aes256gcm_open(const struct secret *key, const uint8_t iv[static 12], const void *aad, size_t aad_len,
		   const void *ct, size_t ct_len, const uint8_t tag[static 16], struct secret **ret, struct err **err);
int aes256gcm_seal(const struct secret *key, const uint8_t iv[static 12], const void *aad, size_t aad_len,
		   const void *pt, size_t pt_len, uint8_t *out_ct /* pt_len */, uint8_t out_tag[static 16],
		   struct err **err);

#endif
