/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The secret document, the raw form, and the provisioner's confdata (contracts.md 2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/lib/mutate.h"
#include "wire/document.h"
#include "wire/json.h"

#define UUID "6f1c2d3e-1111-4222-8333-444455556666"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PASS "c2l4dGVlbiBieXRlcyEhIQ==" /* "sixteen bytes!!!" */
#define HEAD "{\"type\":\"cryptattest-secret\",\"version\":1,\"name\":\"root\",\"uuid\":\"" UUID "\",\"vk_id\":\"" ID "\""
#define MINIMAL HEAD ",\"passphrase\":\"" PASS "\"}"

static int parse_bytes(const void *text, size_t len, enum secret_form form, bool provisioner, struct secret_document *doc,
		       struct err **err)
{
	_cleanup_secret_ struct secret *s = NULL;

	assert_int_equal(secret_from(text, len, &s, NULL), 0);
	return secret_document_parse(s, form, provisioner, doc, err);
}

static int parse(const char *text, enum secret_form form, struct secret_document *doc, struct err **err)
{
	return parse_bytes(text, strlen(text), form, false, doc, err);
}

static void expect_passphrase(const struct secret_document *doc, const char *want)
{
	assert_int_equal(secret_len(doc->passphrase), strlen(want));
	assert_memory_equal(secret_cdata(doc->passphrase), want, strlen(want));
}

static void test_minimal(void **state)
{
	static const enum secret_form forms[] = { FORM_AUTO, FORM_DOCUMENT };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct secret_document doc;

		assert_int_equal(parse(" " MINIMAL "\n", forms[i], &doc, NULL), 0);
		assert_true(doc.is_document);
		assert_string_equal(doc.name, "root");
		assert_string_equal(doc.uuid, UUID);
		assert_string_equal(doc.vk_id, ID);
		assert_null(doc.header_ids);
		assert_int_equal(doc.sector_size, 0);
		assert_int_equal(doc.keyslot, -1);
		expect_passphrase(&doc, "sixteen bytes!!!");
		secret_document_clear(&doc);
	}
}

static void test_full(void **state)
{
	static const char text[] =
		HEAD ",\"header_ids\":[\"" ID "\",\"" ID "\"],\"sector_size\":4096,\"keyslot\":0,\"passphrase\":\"" PASS "\","
		     "\"critical\":[\"keyslot\",\"sector_size\"],\"note\":{\"ignored\":1.5}}";
	struct secret_document doc;

	assert_int_equal(parse(text, FORM_AUTO, &doc, NULL), 0);
	assert_int_equal(strv_len(doc.header_ids), 2);
	assert_int_equal(doc.sector_size, 4096);
	assert_int_equal(doc.keyslot, 0);
	secret_document_clear(&doc);
}

/* Base64 of the 44 characters that are base64 of 32 bytes. */
#define SEALED_PASS "QUFFQ0F3UUZCZ2NJQ1FvTERBME9EeEFSRWhNVUZSWVhHQmthR3h3ZEhoOD0="
#define RESEAL ",\"may_reseal\":true,\"sealed_secret\":{\"keyslot\":2,\"passphrase\":\"" SEALED_PASS "\"}"

static void test_reseal(void **state)
{
	static const char *const bad[] = {
		",\"may_reseal\":1", ",\"may_reseal\":\"true\"", ",\"sealed_secret\":[]", ",\"sealed_secret\":{}",
		",\"sealed_secret\":{\"passphrase\":\"" SEALED_PASS "\"}", ",\"sealed_secret\":{\"keyslot\":2}",
		",\"sealed_secret\":{\"keyslot\":32,\"passphrase\":\"" SEALED_PASS "\"}",
		",\"sealed_secret\":{\"keyslot\":2,\"passphrase\":\"" PASS "\"}", /* 16 bytes that are no base64 */
		",\"sealed_secret\":{\"keyslot\":2,\"passphrase\":\"QUFFQ0F3UUZCZ2NJQ1FvTERBME9Edz09\"}", /* base64, of 16 bytes */
	};
	struct secret_document doc, again;
	struct secret *text = NULL;
	char buf[1024];

	snprintf(buf, sizeof(buf), "%s,\"passphrase\":\"%s\"%s,\"critical\":[\"may_reseal\",\"sealed_secret\"]}", HEAD, PASS, RESEAL);
	assert_int_equal(parse(buf, FORM_AUTO, &doc, NULL), 0);
	assert_true(doc.may_reseal);
	assert_int_equal(doc.sealed_keyslot, 2);
	assert_int_equal(secret_len(doc.sealed_passphrase), 44);
	assert_memory_equal(secret_cdata(doc.sealed_passphrase), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 44);
	assert_int_equal(secret_document_text(&doc, &text, NULL), 0);
	assert_int_equal(secret_document_parse(text, FORM_DOCUMENT, false, &again, NULL), 0);
	assert_true(again.may_reseal);
	assert_int_equal(again.sealed_keyslot, 2);
	assert_true(secret_equal(again.sealed_passphrase, doc.sealed_passphrase));
	secret_document_clear(&again);
	secret_document_clear(&doc);
	secret_free(text);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(buf, sizeof(buf), "%s,\"passphrase\":\"%s\"%s}", HEAD, PASS, bad[i]);
		if (parse(buf, FORM_AUTO, &doc, NULL) == 0)
			fail_msg("accepted %s", bad[i]);
	}
	/* Neither is there unless it is said. */
	assert_int_equal(parse(MINIMAL, FORM_AUTO, &doc, NULL), 0);
	assert_false(doc.may_reseal);
	assert_int_equal(doc.sealed_keyslot, -1);
	assert_null(doc.sealed_passphrase);
	secret_document_clear(&doc);
}

static void test_uuid_in_lower_case(void **state)
{
	struct secret_document doc;

	assert_int_equal(parse("{\"type\":\"cryptattest-secret\",\"version\":1,\"name\":\"r\",\"uuid\":\"6F1C2D3E-1111-4222-8333-444455556666\","
			       "\"vk_id\":\"" ID "\",\"passphrase\":\"" PASS "\"}",
			       FORM_AUTO, &doc, NULL),
			 0);
	assert_string_equal(doc.uuid, UUID);
	secret_document_clear(&doc);
}

static void refuse(const char *text, enum secret_form form, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	struct secret_document doc;

	if (parse(text, form, &doc, &e) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "document");
	if (!strstr(err_message(e), word))
		fail_msg("%s: said \"%s\", expected \"%s\"", text, err_message(e), word);
	if (strstr(err_message(e), "c2l4") || strstr(err_message(e), "sixteen"))
		fail_msg("the message shows the secret: %s", err_message(e));
}

/* In both forms: FORM_AUTO must not take a broken document for a passphrase. */
static void test_refusals(void **state)
{
	static const char *const cases[][2] = {
		{ HEAD "}", "no member passphrase" },
		{ HEAD ",\"passphrase\":\"" PASS "\",\"passphrase\":\"" PASS "\"}", "duplicate" },
		{ HEAD ",\"passphrase\":\"" PASS, "ends too early" },
		{ MINIMAL "x", "follows" },
		{ HEAD ",\"passphrase\":\"c2l4dGVlbiBieXRlcyEhIQ\"}", "base64" }, /* not padded */
		{ HEAD ",\"passphrase\":\"c2l4dGVlbiBieXRlcyEhIQ==\\n\"}", "base64" },
		{ HEAD ",\"passphrase\":\"c2l4dGVlbiBieXRlcyEh\"}", "15 bytes, at least 16" },
		{ HEAD ",\"passphrase\":\"\"}", "0 bytes" },
		{ HEAD ",\"passphrase\":[1]}", "not a string" },
		{ HEAD ",\"header_ids\":[],\"passphrase\":\"" PASS "\"}", "header_ids is empty" },
		{ HEAD ",\"header_ids\":\"" ID "\",\"passphrase\":\"" PASS "\"}", "not an array" },
		{ HEAD ",\"header_ids\":[\"ab\"],\"passphrase\":\"" PASS "\"}", "64 lower-case hex" },
		{ HEAD ",\"header_ids\":null,\"passphrase\":\"" PASS "\"}", "not an array" },
		{ HEAD ",\"sector_size\":1000,\"passphrase\":\"" PASS "\"}", "sector_size" },
		{ HEAD ",\"sector_size\":8192,\"passphrase\":\"" PASS "\"}", "not within" },
		{ HEAD ",\"sector_size\":\"512\",\"passphrase\":\"" PASS "\"}", "not an integer" },
		{ HEAD ",\"keyslot\":32,\"passphrase\":\"" PASS "\"}", "not within" },
		{ HEAD ",\"keyslot\":-1,\"passphrase\":\"" PASS "\"}", "not within" },
		{ HEAD ",\"keyslot\":0.0,\"passphrase\":\"" PASS "\"}", "not an integer" },
		{ HEAD ",\"critical\":[\"sealed_to\"],\"passphrase\":\"" PASS "\"}", "critical member sealed_to is unknown" },
		{ HEAD ",\"critical\":[\"sealed_to\"],\"sealed_to\":1,\"passphrase\":\"" PASS "\"}", "sealed_to is unknown" },
		{ HEAD ",\"critical\":\"keyslot\",\"passphrase\":\"" PASS "\"}", "critical is not an array" },
		{ HEAD ",\"critical\":[7],\"passphrase\":\"" PASS "\"}", "something else than names" },
		{ "{\"type\":\"cryptattest-secret\",\"version\":2}", "version" },
		{ "{\"type\":\"cryptattest-secret\",\"version\":\"1\"}", "not an integer" },
		{ "{\"type\":\"cryptattest-secret\"}", "no member version" },
		{ "{\"type\":\"cryptattest-secret\",\"version\":1,\"uuid\":\"" UUID "\",\"vk_id\":\"" ID "\"}", "no member name" },
		{ "{\"type\":\"cryptattest-secret\",\"version\":1,\"name\":\"a/b\",\"uuid\":\"" UUID "\",\"vk_id\":\"" ID "\"}",
		  "not a volume name" },
		{ "{\"type\":\"cryptattest-secret\",\"version\":1,\"name\":\"a\",\"uuid\":\"x\",\"vk_id\":\"" ID "\"}", "not a UUID" },
		{ "{\"type\":\"cryptattest-secret\",\"version\":1,\"name\":\"a\",\"uuid\":\"" UUID "\",\"vk_id\":\"AB\"}", "vk_id" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		refuse(cases[i][0], FORM_AUTO, cases[i][1]);
		refuse(cases[i][0], FORM_DOCUMENT, cases[i][1]);
	}
	refuse("a long raw passphrase", FORM_DOCUMENT, "JSON");
	refuse("{\"type\":\"another\",\"more\":1}", FORM_DOCUMENT, "type is not");
	refuse("[\"a long raw passphrase\"]", FORM_DOCUMENT, "not an object");
}

static void expect_raw(const void *text, size_t len, enum secret_form form, bool provisioner)
{
	struct secret_document doc;

	assert_int_equal(parse_bytes(text, len, form, provisioner, &doc, NULL), 0);
	assert_false(doc.is_document);
	assert_null(doc.name);
	assert_int_equal(doc.keyslot, -1);
	assert_int_equal(secret_len(doc.passphrase), len);
	assert_memory_equal(secret_cdata(doc.passphrase), text, len);
	secret_document_clear(&doc);
}

/* Byte for byte: newline, NUL, JSON of other kinds. */
static void test_raw(void **state)
{
	static const char binary[] = "\0\1\2\xff sixteen and more\n";
	uint8_t *big = calloc(1, 200000);

	expect_raw(binary, sizeof(binary) - 1, FORM_AUTO, false);
	expect_raw(binary, sizeof(binary) - 1, FORM_RAW, false);
	expect_raw("1234567890123456", 16, FORM_AUTO, false); /* a JSON number, too */
	expect_raw("{\"type\":\"another\"}", 18, FORM_AUTO, false);
	expect_raw("{\"kty\":\"oct\",\"k\":\"x\"}", 21, FORM_AUTO, false);
	expect_raw("{not json at all", 16, FORM_AUTO, false);
	expect_raw("[\"cryptattest-secret\"]", 22, FORM_AUTO, false);
	expect_raw(MINIMAL, strlen(MINIMAL), FORM_RAW, false);
	expect_raw(MINIMAL, strlen(MINIMAL), FORM_RAW, true);
	expect_raw(big, 200000, FORM_AUTO, false);
	refuse("fifteen bytes..", FORM_AUTO, "15 bytes, at least 16");
	refuse("fifteen bytes..", FORM_RAW, "15 bytes, at least 16");
	refuse("", FORM_AUTO, "0 bytes");
	free(big);
}

static void test_size_limit(void **state)
{
	char *text = malloc(SECRET_DOCUMENT_MAX + 1);
	struct secret_document doc;

	memset(text, ' ', SECRET_DOCUMENT_MAX + 1);
	memcpy(text, MINIMAL, strlen(MINIMAL));
	assert_int_equal(parse_bytes(text, SECRET_DOCUMENT_MAX, FORM_AUTO, false, &doc, NULL), 0);
	secret_document_clear(&doc);
	assert_int_equal(parse_bytes(text, SECRET_DOCUMENT_MAX + 1, FORM_AUTO, false, &doc, NULL), -1);
	assert_int_equal(parse_bytes(text, SECRET_DOCUMENT_MAX + 1, FORM_DOCUMENT, false, &doc, NULL), -1);
	free(text);
}

#define CONFDATA "version = \"0.1.0\"\n[data]\n"

static void test_provisioner(void **state)
{
	static const char good[] = CONFDATA "other = \"x\"\n\"io.cryptsetup.key.text.root\" = \"thirty-two characters, as it makes\"\n";
	static const char *const bad[][2] = {
		{ CONFDATA, "has no io.cryptsetup.key.text" },
		{ "[data]\n\"io.cryptsetup.key.text.root\" = \"sixteen bytes!!!\"\n", "no version" },
		{ "version = \"9\"\n[data]\n", "version is not 0.1.0" },
		{ CONFDATA "\"io.cryptsetup.key.text.root\" = \"short\"\n", "5 bytes" },
		{ CONFDATA "\"io.cryptsetup.key.text.a\" = \"x\"\n\"io.cryptsetup.key.text.b\" = \"y\"\n", "more than one" },
		{ CONFDATA "[data]\n", "line 3" },
		{ "just a passphrase of some length", "line 1" },
		{ MINIMAL, "line 1" },
	};
	struct secret_document doc;

	assert_int_equal(parse_bytes(good, strlen(good), FORM_AUTO, true, &doc, NULL), 0);
	assert_false(doc.is_document);
	expect_passphrase(&doc, "thirty-two characters, as it makes");
	secret_document_clear(&doc);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_err_ struct err *e = NULL;

		assert_int_equal(parse_bytes(bad[i][0], strlen(bad[i][0]), FORM_AUTO, true, &doc, &e), -1);
		assert_string_equal(err_id(e), "document");
		if (!strstr(err_message(e), bad[i][1]))
			fail_msg("said \"%s\", expected \"%s\"", err_message(e), bad[i][1]);
	}
	assert_int_equal(parse_bytes(good, strlen(good), FORM_DOCUMENT, true, &doc, NULL), -1);
	expect_raw(good, strlen(good), FORM_AUTO, false);
}

static void test_text_round_trip(void **state)
{
	static const char want[] = HEAD ",\"header_ids\":[\"" ID "\"],\"sector_size\":512,\"keyslot\":3,\"passphrase\":\"" PASS "\"}\n";
	_cleanup_secret_ struct secret *text = NULL, *short_text = NULL;
	struct secret_document doc;

	assert_int_equal(parse(want, FORM_AUTO, &doc, NULL), 0);
	assert_int_equal(secret_document_text(&doc, &text, NULL), 0);
	assert_int_equal(secret_len(text), strlen(want));
	assert_memory_equal(secret_cdata(text), want, strlen(want));
	strv_free(doc.header_ids);
	doc.header_ids = NULL;
	doc.sector_size = 0;
	doc.keyslot = -1;
	assert_int_equal(secret_document_text(&doc, &short_text, NULL), 0);
	assert_memory_equal(secret_cdata(short_text), MINIMAL "\n", strlen(MINIMAL) + 1);
	doc.is_document = false;
	assert_int_equal(secret_document_text(&doc, &short_text, NULL), -1);
	secret_document_clear(&doc);
}

/* Linked with --wrap=free: what was in a block at the moment when it was given back. */
static const void *watched;
static bool seen_freed, seen_wiped;

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	static const uint8_t zero[64];

	if (p && p == watched) {
		seen_freed = true;
		seen_wiped = memcmp(p, zero, sizeof(zero)) == 0;
	}
	__real_free(p);
}

/* S3: parsing turns jansson's allocator over, and that allocator gives no block back with something in it. */
static void test_jansson_memory_is_wiped(void **state)
{
	struct secret_document doc;
	json_malloc_t m;
	json_free_t f;
	void *block;

	json_set_alloc_funcs(malloc, free);
	assert_int_equal(parse(MINIMAL, FORM_AUTO, &doc, NULL), 0);
	secret_document_clear(&doc);
	json_get_alloc_funcs(&m, &f);
	assert_true(f != free);
	block = m(64);
	memset(block, 'x', 64);
	watched = block;
	f(block);
	watched = NULL;
	assert_true(seen_freed && seen_wiped);
	f(NULL);
}

static void any_answer(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct secret_document doc;

	if (parse_bytes(data, len, FORM_DOCUMENT, false, &doc, &e) == 0)
		secret_document_clear(&doc);
	else
		assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_mutations(void **state)
{
	mutate_bit_flips((const uint8_t *)MINIMAL, 0, strlen(MINIMAL), strlen(MINIMAL), any_answer, NULL);
	mutate_truncations((const uint8_t *)MINIMAL, strlen(MINIMAL), 1, any_answer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_reseal),
		cmocka_unit_test(test_uuid_in_lower_case),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_provisioner),
		cmocka_unit_test(test_text_round_trip),
		cmocka_unit_test(test_jansson_memory_is_wiped),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
