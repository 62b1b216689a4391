/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What binds the two sides of an operator push: keys, pins, report data. */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "wire/push.h"

#define LABEL "cryptattest:push:evidence:v1"

/* RFC 5480: id-ecPublicKey, prime256v1, BIT STRING of 66 bytes, uncompressed point. */
static const uint8_t spki_p256[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
				     0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04 };

const struct push_volume *push_instance_find(const struct push_instance *i, const char *name, const char *uuid)
{
	for (size_t n = 0; n < i->n; n++)
		if (text_eq(i->volumes[n].name, name) && strcasecmp(i->volumes[n].uuid, uuid) == 0)
			return &i->volumes[n];
	return NULL;
}

int push_pin(const uint8_t point[static PUSH_POINT], char out[static PUSH_PIN_TEXT], struct err **err)
{
	const struct digest_piece pieces[] = { { spki_p256, sizeof(spki_p256) }, { point, PUSH_POINT } };
	uint8_t digest[DIGEST_MAX];

	if (digest_pieces(DIGEST_SHA256, pieces, ARRAY_SIZE(pieces), digest, err) < 0)
		return -1;
	memcpy(out, "sha256//", 8);
	b64_encode(B64_STD, digest, 32, out + 8);
	return 0;
}

int push_point(const struct public_key *key, uint8_t out[static PUSH_POINT], struct err **err)
{
	if (key->rsa || key->curve_bits != 256 || key->coord_len != PUSH_POINT / 2)
		return err_set(err, ERR_INTEGRITY, "push-key", "the key is not on the curve P-256");
	memcpy(out, key->x, PUSH_POINT / 2);
	memcpy(out + PUSH_POINT / 2, key->y, PUSH_POINT / 2);
	return 0;
}

void push_key(const uint8_t point[static PUSH_POINT], struct public_key *ret)
{
	*ret = (struct public_key){ .curve_bits = 256, .coord_len = PUSH_POINT / 2 };
	memcpy(ret->x, point, PUSH_POINT / 2);
	memcpy(ret->y, point + PUSH_POINT / 2, PUSH_POINT / 2);
}

static void put_part(struct buf *b, const void *data, size_t len)
{
	buf_put_u32be(b, (uint32_t)len);
	buf_append(b, data, len);
}

static void put_instance(struct buf *b, const struct push_instance *i)
{
	put_part(b, i->boot_id, strlen(i->boot_id));
	buf_put_u32be(b, (uint32_t)i->n);
	for (size_t n = 0; n < i->n; n++) {
		put_part(b, i->volumes[n].name, strlen(i->volumes[n].name));
		put_part(b, i->volumes[n].uuid, strlen(i->volumes[n].uuid));
	}
}

int push_report_data(const struct push_binding *b, const struct push_instance *i, uint8_t out[static PUSH_REPORT_DATA], struct err **err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(64 * 1024);

	buf_append(&text, LABEL, sizeof(LABEL)); /* with its NUL */
	put_part(&text, b->nonce, PUSH_NONCE);
	put_part(&text, b->exporter, PUSH_EXPORTER);
	put_part(&text, b->machine, PUSH_POINT);
	put_part(&text, b->operator, PUSH_POINT);
	put_instance(&text, i);
	if (buf_check(&text, err) < 0)
		return -1;
	return digest_bytes(DIGEST_SHA512, text.data, text.len, out, err);
}
