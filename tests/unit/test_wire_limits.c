/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What one message, member or list may have at most: that much is taken, one more is not. In numbers, so that a limit does not move unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "wire/document.h"
#include "wire/ear_token.h"
#include "wire/init_data.h"
#include "wire/json.h"
#include "wire/kbs_messages.h"
#include "wire/push.h"

#define UUID "6f1c2d3e-1111-4222-8333-444455556666"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" /* 32 bytes */

/* A text and spaces, of this length. */
static char *padded(const char *text, size_t len)
{
	char *out = malloc(len + 1);

	assert_non_null(out);
	assert_true(strlen(text) <= len);
	memset(out, ' ', len);
	memcpy(out, text, strlen(text));
	out[len] = 0;
	return out;
}

/* head, n times the character, tail */
static char *filled(const char *head, char c, size_t n, const char *tail)
{
	char *out = malloc(strlen(head) + n + strlen(tail) + 1);

	assert_non_null(out);
	strcpy(out, head);
	memset(out + strlen(head), c, n);
	strcpy(out + strlen(head) + n, tail);
	return out;
}

static bool document_takes(size_t ids)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	_cleanup_secret_ struct secret *s = NULL;
	struct secret_document doc;
	bool taken;

	buf_puts(&b, "{\"type\":\"cryptattest-secret\",\"version\":1,\"name\":\"root\",\"uuid\":\"" UUID "\",\"vk_id\":\"" ID "\",\"header_ids\":[\"" ID "\"");
	for (size_t i = 1; i < ids; i++)
		buf_puts(&b, ",\"" ID "\"");
	buf_puts(&b, "],\"passphrase\":\"c2l4dGVlbiBieXRlcyEhIQ==\"}");
	assert_true(buf_ok(&b));
	assert_int_equal(secret_from(b.data, b.len, &s, NULL), 0);
	taken = secret_document_parse(s, FORM_DOCUMENT, false, &doc, NULL) == 0;
	if (taken) {
		assert_int_equal(strv_len(doc.header_ids), ids);
		secret_document_clear(&doc);
	}
	return taken;
}

static void test_header_ids(void **state)
{
	assert_true(document_takes(64));
	assert_false(document_takes(65));
}

static bool init_data_takes(const char *text)
{
	struct init_data d;
	bool taken = init_data_parse(text, strlen(text), &d, NULL) == 0;

	if (taken)
		init_data_clear(&d);
	return taken;
}

#define INIT_HEAD "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n"

static void test_init_data(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *size = filled(INIT_HEAD "#", 'x', 262144 - strlen(INIT_HEAD "#") + over, "");
		_cleanup_free_ char *key = filled(INIT_HEAD, 'k', 256 + over, " = \"\"\n");
		_cleanup_buf_ struct buf keys = BUF_INIT(65536);

		buf_puts(&keys, INIT_HEAD);
		for (size_t i = 0; i < 256 + over; i++)
			buf_printf(&keys, "k%zu = \"\"\n", i);
		assert_true(init_data_takes(size) == !over);
		assert_true(init_data_takes(key) == !over);
		assert_true(init_data_takes(buf_cstr(&keys)) == !over);
	}
}

static void test_small_bodies(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *request = padded("{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{}}", 65536 + over);
		_cleanup_free_ char *challenge = padded("{\"nonce\":\"a\",\"extra-params\":\"\"}", 65536 + over);
		_cleanup_free_ char *error = padded("{\"type\":\"https://x/errors/PolicyDeny\",\"detail\":\"no\"}", 65536 + over);
		struct kbs_auth auth;
		struct kbs_challenge c;
		struct kbs_error e;

		assert_int_equal(kbs_auth_parse(request, strlen(request), &auth, NULL), over ? -1 : 0);
		assert_int_equal(kbs_challenge_parse(challenge, strlen(challenge), &c, NULL), over ? -1 : 0);
		if (!over)
			kbs_challenge_clear(&c);
		kbs_error_parse(error, strlen(error), &e);
		assert_string_equal(e.type, over ? "" : "PolicyDeny");
	}
}

static void test_attest_body(void **state)
{
	static const char body[] = "{\"tee-pubkey\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ECDH-ES+A256KW\",\"x\":\"" KEY "\",\"y\":\"" KEY "\"},"
				   "\"runtime-data\":{\"nonce\":\"n\",\"tee-pubkey\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ECDH-ES+A256KW\","
				   "\"x\":\"" KEY "\",\"y\":\"" KEY "\"}},\"tee-evidence\":{\"primary_evidence\":{\"a\":1},"
				   "\"additional_evidence\":\"\"}}";

	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *text = padded(body, 2097152 + over);
		_cleanup_err_ struct err *e = NULL;
		struct kbs_attest a;

		if (kbs_attest_parse(KBS_0_4_0, text, strlen(text), &a, &e) == 0) {
			assert_false(over);
			kbs_attest_clear(&a);
		} else if (!over) {
			fail_msg("%s", err_message(e));
		}
	}
}

static void test_token(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *text = filled("{\"token\":\"", 't', 65536 + over, "\"}"), *token = NULL;
		/* Of the three parts of a JWT the signature takes what is missing: nobody has looked at it yet. */
		_cleanup_free_ char *jwt = filled("e30.e30.", 's', 65536 - 8 + over, "");
		json_t *claims = NULL;

		assert_int_equal(kbs_token_parse(text, strlen(text), &token, NULL), over ? -1 : 0);
		assert_int_equal(ear_token_peek(jwt, &claims, NULL), over ? -1 : 0);
		json_decref(claims);
	}
}

static bool jwe_takes(const char *text)
{
	struct jwe jwe;
	bool taken = jwe_parse(text, strlen(text), &jwe, NULL) == 0;

	if (taken)
		jwe_clear(&jwe);
	return taken;
}

static void test_jwe(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *member = filled("{\"protected\":\"a\",\"encrypted_key\":\"b\",\"iv\":\"c\",\"tag\":\"e\",\"ciphertext\":\"", 'd',
						     1572864 + over, "\"}");
		_cleanup_free_ char *text = padded("{\"protected\":\"a\",\"encrypted_key\":\"b\",\"iv\":\"c\",\"ciphertext\":\"d\",\"tag\":\"e\"}",
						   2097152 + over);

		assert_true(jwe_takes(member) == !over);
		assert_true(jwe_takes(text) == !over);
	}
}

/* What is wrong with a protected header of this length: nothing but its being another than the one that was covered by the tag, or more. */
static void test_jwe_header(void **state)
{
	struct keypair *kp = NULL;
	struct jwk jwk = { .alg = JWK_ECDH_A256KW };
	_cleanup_free_ char *text = NULL;
	struct jwe jwe;

	assert_int_equal(keypair_generate(KEY_EC_P256, &kp, NULL), 0);
	keypair_public(kp, &jwk.key);
	assert_int_equal(jwe_encrypt(&jwk, "secret", 6, &text, NULL), 0);
	assert_int_equal(jwe_parse(text, strlen(text), &jwe, NULL), 0);
	for (size_t over = 0; over < 2; over++) {
		_cleanup_err_ struct err *e = NULL;
		_cleanup_free_ uint8_t *header = NULL;
		_cleanup_free_ char *longer = NULL;
		struct secret *out = NULL;
		size_t len;

		assert_int_equal(b64_decode_dup(B64_URL, jwe.protected_text, strlen(jwe.protected_text), &header, &len, NULL), 0);
		len = strnlen((char *)header, len);
		longer = strndup((char *)header, len);
		free(header);
		header = (uint8_t *)padded(longer, 1024 + over);
		free(jwe.protected_text);
		jwe.protected_text = b64_encode_dup(B64_URL, header, 1024 + over);
		assert_int_equal(jwe_decrypt(&jwe, kp, JWK_ECDH_A256KW, false, &out, &e), -1);
		assert_non_null(strstr(err_message(e), over ? "more than 1024 bytes" : "tag does not match"));
	}
	jwe_clear(&jwe);
	keypair_free(kp);
}

static bool answer_takes(const char *text)
{
	struct push_answer a;
	bool taken = push_answer_parse(text, strlen(text), &a, NULL) == 0;

	if (taken)
		push_answer_clear(&a);
	return taken;
}

static struct push_instance instance_of(size_t n)
{
	struct push_instance i = { .boot_id = UUID, .n = n };

	for (size_t v = 0; v < n; v++) {
		snprintf(i.volumes[v].name, sizeof(i.volumes[v].name), "v%zu", v);
		strcpy(i.volumes[v].uuid, UUID);
	}
	return i;
}

static void test_push_answer(void **state)
{
	const struct push_instance most = instance_of(64);
	_cleanup_buf_ struct buf b = BUF_INIT(65536);
	uint8_t machine[PUSH_POINT] = { 1 };
	char *text, *more, *at;

	assert_int_equal(sizeof(most.volumes) / sizeof(most.volumes[0]), 64);
	assert_int_equal(push_evidence_make(&most, machine, "snp", "{}", NULL, &b, NULL), 0);
	text = buf_take_str(&b);
	assert_true(answer_takes(text));
	/* The first once more, in front. */
	at = strstr(text, "{\"name\":\"v0\"");
	assert_non_null(at);
	more = malloc(2 * strlen(text));
	sprintf(more, "%.*s%.*s,%s", (int)(at - text), text, (int)(strchr(at, '}') + 1 - at), at, at);
	assert_false(answer_takes(more));
	for (size_t over = 0; over < 2; over++) {
		_cleanup_free_ char *large = padded(text, 1572864 + over);

		assert_true(answer_takes(large) == !over);
	}
	free(more);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_ids), cmocka_unit_test(test_init_data),  cmocka_unit_test(test_small_bodies),
		cmocka_unit_test(test_attest_body), cmocka_unit_test(test_token),     cmocka_unit_test(test_jwe),
		cmocka_unit_test(test_jwe_header), cmocka_unit_test(test_push_answer),
	};

	return cmocka_run_group_tests_name("wire_limits", tests, NULL, NULL);
}
