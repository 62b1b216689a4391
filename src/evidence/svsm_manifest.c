/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/svsm_manifest.h"

#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"

#define SVSM_GUID_TABLE "63849ebb-3d92-4670-a1ff-58f9c94b87bb"
#define TABLE_HEADER 24
#define TABLE_ENTRY 24

#define TPM_ALG_RSA 0x0001
#define TPM_ALG_SHA256 0x000B
#define TPM_ALG_NULL 0x0010

int svsm_manifest_report_data(const uint8_t nonce[static TEE_REPORT_DATA], const uint8_t *manifest, size_t len,
			      uint8_t out[static TEE_REPORT_DATA], struct err **err)
{
	const struct digest_piece pieces[] = { { nonce, TEE_REPORT_DATA }, { manifest, len } };

	return digest_pieces(DIGEST_SHA512, pieces, 2, out, err);
}

/* --- the table --- */

/* The first three fields are little-endian here, unlike in the certificate table (tee-evidence.md 2.4). */
static int guid_bytes(const char *text, uint8_t out[static 16], struct err **err)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	uint8_t printed[16];
	char digits[33];
	size_t n = 0;

	for (const char *p = text; *p && n < sizeof(digits) - 1; p++)
		if (*p != '-')
			digits[n++] = *p;
	if (hex_decode(digits, n, printed, sizeof(printed), err) < 0)
		return err_wrap(err, "GUID %s", text);
	for (size_t i = 0; i < sizeof(order); i++)
		out[i] = printed[order[i]];
	return 0;
}

bool svsm_manifest_is_table(const uint8_t *raw, size_t len)
{
	uint8_t guid[16];

	return len >= sizeof(guid) && guid_bytes(SVSM_GUID_TABLE, guid, NULL) == 0 && memcmp(raw, guid, sizeof(guid)) == 0;
}

static int bad_table(struct err **err, const char *what)
{
	return err_set(err, ERR_INTEGRITY, "svsm-manifest", "SVSM manifest: %s", what);
}

static int table_header(struct rd *r, size_t len, uint32_t *ret_n, struct err **err)
{
	uint32_t total;

	rd_skip(r, 16);
	total = rd_u32le(r);
	*ret_n = rd_u32le(r);
	if (r->bad || total != len || len > SVSM_MANIFEST_MAX)
		return bad_table(err, "the table's length is not its size");
	if (*ret_n > SVSM_SERVICES_MAX || *ret_n > (len - TABLE_HEADER) / TABLE_ENTRY)
		return bad_table(err, "more services than the table has room for");
	return 0;
}

int svsm_manifest_find(const uint8_t *raw, size_t len, const char *guid, const uint8_t **ret, size_t *ret_len, struct err **err)
{
	struct rd r = RD_INIT(raw, len);
	const uint8_t *found = NULL;
	uint8_t want[16];
	size_t found_len = 0;
	uint32_t n;

	if (!svsm_manifest_is_table(raw, len))
		return bad_table(err, "not a table of services");
	if (guid_bytes(guid, want, err) < 0 || table_header(&r, len, &n, err) < 0)
		return -1;
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *id = rd_ref(&r, 16);
		uint32_t off = rd_u32le(&r), size = rd_u32le(&r);

		if (r.bad || off < TABLE_HEADER + n * TABLE_ENTRY || off > len || size > len - off)
			return bad_table(err, "a service lies outside the table");
		if (memcmp(id, want, sizeof(want)) != 0)
			continue;
		if (found)
			return bad_table(err, "a service stands there twice");
		found = raw + off;
		found_len = size;
	}
	if (!found)
		return err_set(err, ERR_INTEGRITY, "svsm-service", "this SVSM has no service %s", guid);
	*ret = found;
	*ret_len = found_len;
	return 0;
}

/* --- the endorsement key --- */

static int bad_ek(struct err **err, const char *what)
{
	return err_set(err, ERR_INTEGRITY, "svsm-ek", "SVSM manifest: the endorsement key %s", what);
}

/* TPMT_SYM_DEF_OBJECT; in a storage key never NULL, but what it is matters to nobody here. */
static void skip_symmetric(struct rd *r)
{
	if (rd_u16be(r) != TPM_ALG_NULL)
		rd_skip(r, 4); /* key bits, mode */
}

static void take_modulus(struct rd *r, struct public_key *k)
{
	uint16_t bits = rd_u16be(r), n;
	uint32_t e = rd_u32be(r);
	const uint8_t *p;

	if (e == 0)
		e = 65537; /* the TPM's default */
	n = rd_u16be(r);
	p = rd_ref(r, n);
	if (!p || n > sizeof(k->n) || n * 8 != bits) {
		r->bad = true;
		return;
	}
	k->rsa = true;
	memcpy(k->n, p, n);
	k->n_len = n;
	for (int shift = 24; shift >= 0; shift -= 8)
		if (k->e_len || (e >> shift & 0xFF))
			k->e[k->e_len++] = (uint8_t)(e >> shift);
}

/* TPMT_PUBLIC of an RSA key, big-endian (TPM 2.0 Part 2, 12.2.4). */
static int decode_ek(const uint8_t *raw, size_t len, struct svsm_ek *ret, struct err **err)
{
	static const uint32_t must = TPM_ATTR_FIXED_TPM | TPM_ATTR_FIXED_PARENT | TPM_ATTR_SENSITIVE_ORIGIN | TPM_ATTR_RESTRICTED |
				     TPM_ATTR_DECRYPT;
	struct rd r = RD_INIT(raw, len);
	struct svsm_ek ek = { 0 };

	if (rd_u16be(&r) != TPM_ALG_RSA)
		return bad_ek(err, "is not an RSA key, or this is no public area");
	if (rd_u16be(&r) != TPM_ALG_SHA256)
		return bad_ek(err, "is named by another hash than SHA-256");
	ek.attributes = rd_u32be(&r);
	rd_skip(&r, rd_u16be(&r)); /* authPolicy */
	skip_symmetric(&r);
	if (rd_u16be(&r) != TPM_ALG_NULL)
		return bad_ek(err, "has a scheme of its own");
	take_modulus(&r, &ek.key);
	if (r.bad || rd_left(&r) != 0)
		return bad_ek(err, "is cut off, or something follows it");
	if (ek.key.n_len < 256 || !(ek.key.n[0] & 0x80))
		return bad_ek(err, "has a modulus of less than 2048 bits");
	if ((ek.attributes & must) != must || ek.attributes & TPM_ATTR_SIGN)
		return bad_ek(err, "is not a restricted decryption key that its TPM made and keeps");
	*ret = ek;
	return 0;
}

int svsm_manifest_ek(const uint8_t *raw, size_t len, struct svsm_ek *ret, struct err **err)
{
	uint8_t digest[DIGEST_MAX];
	struct svsm_ek ek;

	if (svsm_manifest_is_table(raw, len) && svsm_manifest_find(raw, len, SVSM_GUID_VTPM, &raw, &len, err) < 0)
		return -1;
	if (decode_ek(raw, len, &ek, err) < 0 || digest_bytes(DIGEST_SHA256, raw, len, digest, err) < 0)
		return -1;
	ek.name[0] = TPM_ALG_SHA256 >> 8;
	ek.name[1] = TPM_ALG_SHA256 & 0xFF;
	memcpy(ek.name + 2, digest, 32);
	*ret = ek;
	return 0;
}
