/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* From a PIN to the value that authorizes the object (tpm-sealing.md 5.1: systemd's way, so that either side can open the other's). */
#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "vtpm/seal.h"

#define ITERATIONS 10000

static int stretch(const struct secret *pin, const uint8_t *salt, size_t salt_len, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *p = NULL, *s = NULL;
	const size_t len = b64_encoded_len(B64_STD, 32);

	if (pbkdf2_sha256(pin, salt, salt_len, ITERATIONS, 32, &p, err) < 0 || secret_new(len + 1, &s, err) < 0)
		return -1;
	b64_encode(B64_STD, secret_cdata(p), 32, (char *)secret_data(s));
	secret_set_len(s, len);
	*ret = TAKE_PTR(s);
	return 0;
}

int seal_pin_value(const struct secret *pin, const uint8_t *salt, size_t salt_len, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *stretched = NULL, *out = NULL;
	size_t len = 32;

	if (salt && stretch(pin, salt, salt_len, &stretched, err) < 0)
		return -1;
	if (stretched)
		pin = stretched;
	if (secret_new(DIGEST_MAX, &out, err) < 0 ||
	    digest_bytes(DIGEST_SHA256, secret_cdata(pin), secret_len(pin), secret_data(out), err) < 0)
		return -1;
	/* The TPM drops trailing zeros before it uses the value as an HMAC key; so must we, or one PIN of 256 never fits. */
	while (len > 0 && secret_cdata(out)[len - 1] == 0)
		len--;
	secret_set_len(out, len);
	*ret = TAKE_PTR(out);
	return 0;
}
