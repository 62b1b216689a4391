/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What a file, a token or a part of one may have at most, where the host can write it: that much is taken, one more is not. In numbers, so
 * that a limit does not move unseen.
 */
#include "tests/unit/foreign_vectors.h"

#include <stdio.h>

#include "base/encode.h"
#include "vtpm/blob.h"
#include "vtpm/pcr_sig.h"

#define UUID "6f1c2d3e-1111-4222-8333-444455556666"
#define ZERO32 "0000000000000000000000000000000000000000000000000000000000000000"
#define SEALED_HEAD "{\"type\":\"cryptattest-sealed\",\"version\":1,\"name\":\"root\",\"uuid\":\"" UUID "\",\"private\":\"AAICAw==\",\"public\":\""
#define SEALED_TAIL                                                                                                                     \
	"\",\"bank\":\"sha256\",\"pcrs\":[7],\"pcr_values\":{\"7\":\"" ZERO32 "\"},\"pin\":false,\"srk_name\":\"000b" ZERO32 "\",\"sealed_at\":\"boot\"}"

/* n bytes, as TPM2B when told to. */
static char *base64_of(enum b64_form form, size_t n, bool tpm2b)
{
	_cleanup_free_ uint8_t *bytes = calloc(1, n);
	char *text;

	assert_non_null(bytes);
	if (tpm2b) {
		bytes[0] = (uint8_t)((n - 2) >> 8);
		bytes[1] = (uint8_t)(n - 2);
	}
	text = b64_encode_dup(form, bytes, n);
	assert_non_null(text);
	return text;
}

static char *padded(const char *text, size_t len)
{
	char *out = malloc(len + 1);

	assert_non_null(out);
	assert_true(strlen(text) <= len);
	snprintf(out, len + 1, "%-*s", (int)len, text);
	return out;
}

static bool sealed_takes(const char *text)
{
	struct sealed_blob b;
	bool taken = sealed_blob_parse(text, strlen(text), &b, NULL) == 0;

	if (taken)
		sealed_blob_clear(&b);
	return taken;
}

static void test_sealed_file(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *part = base64_of(B64_STD, 2048 + over, true), *with = text_printf(SEALED_HEAD "%s" SEALED_TAIL, part);
		_cleanup_free_ char *large = padded(SEALED_HEAD "AAEB" SEALED_TAIL, 32768 + over);

		assert_true(sealed_takes(with) == !over);
		assert_true(sealed_takes(large) == !over);
	}
}

/* What is made can be read again. */
static void test_sealed_part_made(void **state)
{
	static const char text[] = SEALED_HEAD "AAEB" SEALED_TAIL;
	uint8_t bytes[2049] = { 0x07, 0xfe };
	struct sealed_bytes own;
	struct sealed_blob b;

	assert_ok(sealed_blob_parse(text, strlen(text), &b, &_err));
	own = b.pub;
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *out = NULL;

		b.pub = (struct sealed_bytes){ bytes, 2048 + over };
		bytes[1] = (uint8_t)(0xfe + over);
		assert_int_equal(sealed_blob_text(&b, &out, NULL), over ? -1 : 0);
		assert_true(over || sealed_takes(out));
	}
	b.pub = own;
	sealed_blob_clear(&b);
}

static bool signatures_take(const char *text)
{
	struct pcr_sigs s;
	bool taken = pcr_sigs_parse(text, strlen(text), PCR_SHA256, &s, NULL) == 0;

	if (taken)
		pcr_sigs_clear(&s);
	return taken;
}

static void test_signature_file(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *sig = base64_of(B64_STD, 512 + over, false);
		_cleanup_free_ char *with = text_printf("{\"sha256\":[{\"pcrs\":[11],\"pkfp\":\"" ZERO32 "\",\"pol\":\"" ZERO32 "\",\"sig\":\"%s\"}]}", sig);
		_cleanup_free_ char *large = padded("{\"sha256\":[]}", 262144 + over);

		assert_true(signatures_take(with) == !over);
		assert_true(signatures_take(large) == !over);
	}
}

/* --- tokens of other programs; each takes obj */

static bool token_takes(json_t *obj, enum foreign_kind kind)
{
	struct foreign_token k;
	bool taken = foreign_token_parse(obj, kind, &k, NULL) == 0;

	if (taken) {
		assert_bounded(&k);
		foreign_token_clear(&k);
	}
	json_decref(obj);
	return taken;
}

/* The vector with one member replaced. */
static bool systemd_takes(const char *vector_name, const char *member, const char *text)
{
	json_t *obj = vector_json(vector_name);

	json_object_set_new(obj, member, json_string(text));
	return token_takes(obj, FOREIGN_SYSTEMD);
}

static void test_systemd(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *salt = base64_of(B64_STD, 64 + over, false), *pem = base64_of(B64_STD, 4096 + over, false);
		_cleanup_free_ uint8_t *printable = malloc(4096 + over);
		json_t *slot = vector_json("systemd-pcrs");

		memset(printable, 'x', 4096 + over);
		free(pem);
		pem = b64_encode_dup(B64_STD, printable, 4096 + over);
		json_object_set_new(slot, "keyslots", json_pack("[s]", over ? "32" : "31"));
		assert_true(token_takes(slot, FOREIGN_SYSTEMD) == !over);
		assert_true(systemd_takes("systemd-255", "tpm2_salt", salt) == !over);
		assert_true(systemd_takes("systemd-signed", "tpm2_pubkey", pem) == !over);
	}
}

/* Two parts of the most that one may have; a third byte does not belong to them. */
static void test_systemd_blob(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		uint8_t blob[4097] = { 0x07, 0xfe, [2048] = 0x07, [2049] = (uint8_t)(0xfe + over) };
		_cleanup_free_ char *text = b64_encode_dup(B64_STD, blob, 4096 + over);

		assert_true(systemd_takes("systemd-pcrs", "tpm2-blob", text) == !over);
	}
	uint8_t first[4096] = { 0x07, 0xff, [2049] = 0x00, [2050] = 0x01 };
	_cleanup_free_ char *text = b64_encode_dup(B64_STD, first, 2052);

	assert_false(systemd_takes("systemd-pcrs", "tpm2-blob", text));
}

/* ESYS's form of a key: its public area follows, which may be of any length that the limit leaves. */
static void test_systemd_srk(void **state)
{
	json_t *obj = vector_json("systemd-255");
	_cleanup_free_ uint8_t *srk = NULL;
	const char *was = json_string_value(json_object_get(obj, "tpm2_srk"));
	size_t len;

	assert_int_equal(b64_decode_dup(B64_STD, was, strlen(was), &srk, &len, NULL), 0);
	json_decref(obj);
	srk = realloc(srk, 1025);
	assert_non_null(srk);
	memset(srk + len, 0, 1025 - len);
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *text = b64_encode_dup(B64_STD, srk, 1024 + over);

		assert_true(systemd_takes("systemd-255", "tpm2_srk", text) == !over);
	}
}

static bool clevis_takes(const char *member, const char *text)
{
	json_t *obj = vector_json("clevis-pcrs");

	json_object_set_new(json_object_get(obj, "jwe"), member, json_string(text));
	return token_takes(obj, FOREIGN_CLEVIS);
}

/* A header of clevis's with this object. */
static char *clevis_header(size_t pub, size_t priv, size_t len)
{
	_cleanup_free_ char *a = base64_of(B64_URL, pub, true), *b = base64_of(B64_URL, priv, true);
	_cleanup_free_ char *json = text_printf("{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"clevis\":{\"pin\":\"tpm2\",\"tpm2\":{\"hash\":\"sha256\",\"key\":"
						"\"ecc\",\"jwk_pub\":\"%s\",\"jwk_priv\":\"%s\"}}}", a, b);
	_cleanup_free_ char *whole = padded(json, len ? len : strlen(json));

	return b64_encode_dup(B64_URL, whole, strlen(whole));
}

static void test_clevis(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *passphrase = base64_of(B64_URL, 1024 + over, false), *header = clevis_header(80, 240, 6144 + over);
		_cleanup_free_ char *pub = clevis_header(2048 + over, 240, 0), *priv = clevis_header(80, 2048 + over, 0);

		assert_true(clevis_takes("ciphertext", passphrase) == !over);
		assert_true(clevis_takes("protected", header) == !over);
		assert_true(clevis_takes("protected", pub) == !over);
		assert_true(clevis_takes("protected", priv) == !over);
	}
}

/* Any text of a token, also of a member that is only compared. */
static void test_texts(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *text = padded("x", 8192 + over);
		_cleanup_err_ struct err *e = NULL;
		json_t *obj = vector_json("systemd-pcrs");
		struct foreign_token k;

		json_object_set_new(obj, "tpm2-primary-alg", json_string(text));
		assert_int_equal(foreign_token_parse(obj, FOREIGN_SYSTEMD, &k, &e), -1);
		assert_non_null(strstr(err_message(e), over ? "usual length" : "neither ecc nor rsa"));
		json_decref(obj);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed_file),  cmocka_unit_test(test_sealed_part_made), cmocka_unit_test(test_signature_file),
		cmocka_unit_test(test_systemd),	     cmocka_unit_test(test_systemd_blob),     cmocka_unit_test(test_systemd_srk),
		cmocka_unit_test(test_clevis),	     cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("vtpm_bounds", tests, NULL, NULL);
}
