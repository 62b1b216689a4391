/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the sealed object holds: fixed offsets, no lengths, nothing optional. */
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "vtpm/blob.h"

static const char magic[4] = { 'C', 'A', 'S', '1' };
#define OFF_SECRET 4
#define OFF_VK_ID (OFF_SECRET + SEALED_SECRET_LEN)
#define OFF_HEADER_ID (OFF_VK_ID + 32)
#define OFF_BASELINE (OFF_HEADER_ID + 32)

_Static_assert(OFF_BASELINE + 8 == SEALED_PAYLOAD_LEN, "the payload's fields fill it");

static int put_id(struct secret *out, size_t off, const char *hex, const char *what, struct err **err)
{
	if (hex_decode(hex, strlen(hex), secret_data(out) + off, 32, err) < 0)
		return err_wrap(err, "%s", what);
	return 0;
}

int sealed_payload_encode(const struct sealed_payload *p, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *out = NULL;

	if (!p->secret || secret_len(p->secret) != SEALED_SECRET_LEN)
		return err_set(err, ERR_INTERNAL, "payload", "a sealed secret has %d bytes", SEALED_SECRET_LEN);
	if (secret_new(SEALED_PAYLOAD_LEN, &out, err) < 0)
		return -1;
	memcpy(secret_data(out), magic, sizeof(magic));
	memcpy(secret_data(out) + OFF_SECRET, secret_cdata(p->secret), SEALED_SECRET_LEN);
	if (put_id(out, OFF_VK_ID, p->vk_id, "vk_id", err) < 0 || put_id(out, OFF_HEADER_ID, p->header_id, "header_id", err) < 0)
		return -1;
	for (int i = 0; i < 8; i++)
		secret_data(out)[OFF_BASELINE + i] = (uint8_t)(p->baseline >> (56 - 8 * i));
	secret_set_len(out, SEALED_PAYLOAD_LEN);
	*ret = TAKE_PTR(out);
	return 0;
}

int sealed_payload_decode(const struct secret *bytes, struct sealed_payload *ret, struct err **err)
{
	struct sealed_payload p = { 0 };
	const uint8_t *b = secret_cdata(bytes);

	if (secret_len(bytes) != SEALED_PAYLOAD_LEN || memcmp(b, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_INTEGRITY, "sealed-payload", "the sealed object holds something else than our %d bytes",
			       SEALED_PAYLOAD_LEN);
	if (secret_from(b + OFF_SECRET, SEALED_SECRET_LEN, &p.secret, err) < 0)
		return -1;
	hex_encode(b + OFF_VK_ID, 32, p.vk_id);
	hex_encode(b + OFF_HEADER_ID, 32, p.header_id);
	for (int i = 0; i < 8; i++)
		p.baseline = p.baseline << 8 | b[OFF_BASELINE + i];
	*ret = p;
	return 0;
}

void sealed_payload_clear(struct sealed_payload *p)
{
	secret_free(p->secret);
	memset(p, 0, sizeof(*p));
}
