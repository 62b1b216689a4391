/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Operator push: what is bound, and both sides' messages. test_push_listener.c: what goes on behind the socket. */
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
#include "tests/lib/mutate.h"
#include "wire/json.h"
#include "wire/push.h"

static const struct push_instance example = {
	.boot_id = "11111111-2222-4333-8444-555555555555",
	.volumes = { { "root", "0f3f8a0a-6a5c-4a39-9a80-5b6b1f0f2a51" }, { "data", "0f3f8a0a-6a5c-4a39-9a80-5b6b1f0f2a52" } },
	.n = 2,
};

static struct push_binding binding(void)
{
	struct push_binding b;

	memset(b.nonce, 1, sizeof(b.nonce));
	memset(b.exporter, 2, sizeof(b.exporter));
	memset(b.machine, 3, sizeof(b.machine));
	memset(b.operator, 4, sizeof(b.operator));
	return b;
}

/* Made from the description in wire/push.h with struct.pack and hashlib of Python: both ends must agree for ever. */
static void test_report_data(void **state)
{
	static const char want[] = "373b331131fc42e009b18a11dc3181307b8d080784b1f4f422050da83139f52a"
				   "caf234debed9f45d7e8c1d53a0e2aa444fc0adde3ebc109943810ab39f601367";
	struct push_binding b = binding();
	uint8_t out[PUSH_REPORT_DATA];
	char hex[2 * PUSH_REPORT_DATA + 1];

	assert_int_equal(push_report_data(&b, &example, out, NULL), 0);
	hex_encode(out, sizeof(out), hex);
	assert_string_equal(hex, want);
}

static void must_differ(const struct push_binding *b, const struct push_instance *i)
{
	struct push_binding first = binding();
	uint8_t one[PUSH_REPORT_DATA], two[PUSH_REPORT_DATA];

	assert_int_equal(push_report_data(&first, &example, one, NULL), 0);
	assert_int_equal(push_report_data(b, i, two, NULL), 0);
	assert_memory_not_equal(one, two, sizeof(one));
}

static void test_every_part_is_bound(void **state)
{
	struct push_binding b;
	struct push_instance i;
	uint8_t *const parts[] = { b.nonce, b.exporter, b.machine, b.operator };
	const size_t sizes[] = { sizeof(b.nonce), sizeof(b.exporter), sizeof(b.machine), sizeof(b.operator) };

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++) {
		for (size_t n = 0; n < 8 * sizes[p]; n++) {
			b = binding();
			parts[p][n / 8] ^= (uint8_t)(1 << n % 8);
			must_differ(&b, &example);
		}
	}
	b = binding();
	i = example;
	i.boot_id[0] = '2';
	must_differ(&b, &i);
	i = example;
	i.n = 1;
	must_differ(&b, &i);
	i = example;
	strcpy(i.volumes[0].name, "roo");
	must_differ(&b, &i);
	i = example;
	i.volumes[1].uuid[35] = '3';
	must_differ(&b, &i);
	/* The same characters in a row, cut elsewhere. */
	i = example;
	strcpy(i.volumes[0].name, "root0");
	strcpy(i.volumes[0].uuid, &example.volumes[0].uuid[1]);
	must_differ(&b, &i);
}

static void test_pin(void **state)
{
	/* openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64 of the generator of P-256 as a public key */
	static const char point[] = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ecec"
				    "bb6406837bf51f5";
	uint8_t bytes[PUSH_POINT];
	char pin[PUSH_PIN_TEXT];

	assert_int_equal(hex_decode(point, strlen(point), bytes, sizeof(bytes), NULL), 0);
	assert_int_equal(push_pin(bytes, pin, NULL), 0);
	assert_string_equal(pin, "sha256//XNJS+wzokyQ2+vjM0QQJgbie5K1rn+niorfnGqyyfNM=");
}

static void test_point(void **state)
{
	struct public_key key = { .rsa = true }, back;
	struct push_binding b = binding();
	_cleanup_err_ struct err *e = NULL;
	uint8_t out[PUSH_POINT];

	assert_int_equal(push_point(&key, out, &e), -1);
	assert_string_equal(err_id(e), "push-key");
	key = (struct public_key){ .curve_bits = 521, .coord_len = 66 };
	assert_int_equal(push_point(&key, out, NULL), -1);
	push_key(b.machine, &back);
	assert_int_equal(push_point(&back, out, NULL), 0);
	assert_memory_equal(out, b.machine, sizeof(out));
}

static void test_instance(void **state)
{
	assert_ptr_equal(push_instance_find(&example, "data", "0F3F8A0A-6A5C-4A39-9A80-5B6B1F0F2A52"), &example.volumes[1]);
	assert_null(push_instance_find(&example, "data", example.volumes[0].uuid));
	assert_null(push_instance_find(&example, "dat", example.volumes[1].uuid));
}

static void hello_fails(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	uint8_t nonce[PUSH_NONCE];

	if (push_hello_get(data, len, nonce, &e) == 0)
		fail_msg("%s", what);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "push-hello");
}

static void test_hello(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(PUSH_HELLO);
	struct push_binding want = binding();
	uint8_t nonce[PUSH_NONCE];

	push_hello_put(want.nonce, &b);
	assert_true(buf_ok(&b));
	assert_int_equal(push_hello_get(b.data, b.len, nonce, NULL), 0);
	assert_memory_equal(nonce, want.nonce, sizeof(nonce));
	mutate_bit_flips(b.data, 0, 8, b.len, hello_fails, NULL);
	mutate_truncations(b.data, b.len, 1, hello_fails, NULL);
}

/* One operator, one machine, one document between them. */
struct pair {
	struct keypair *operator_key, *machine_key;
	uint8_t operator[PUSH_POINT], machine[PUSH_POINT], report_data[PUSH_REPORT_DATA];
	struct secret *document;
	struct buf msg;
	unsigned int opened;
};

static struct keypair *new_key(uint8_t point[static PUSH_POINT])
{
	struct keypair *kp = NULL;
	struct public_key pub;

	assert_int_equal(keypair_generate(KEY_EC_P256, &kp, NULL), 0);
	keypair_public(kp, &pub);
	assert_int_equal(push_point(&pub, point, NULL), 0);
	return kp;
}

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	p->operator_key = new_key(p->operator);
	p->machine_key = new_key(p->machine);
	memset(p->report_data, 7, sizeof(p->report_data));
	assert_int_equal(secret_from("a document", 10, &p->document, NULL), 0);
	buf_init(&p->msg, PUSH_SECRET_MAX);
	assert_int_equal(push_secret_make(p->operator_key, p->machine, p->report_data, p->document, &p->msg, NULL), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	keypair_free(p->operator_key);
	keypair_free(p->machine_key);
	secret_free(p->document);
	buf_free(&p->msg);
	free(p);
	return 0;
}

static int open_with(const struct pair *p, const uint8_t *operator, const uint8_t *report_data, const struct keypair *kp, struct secret **ret,
		     struct err **err)
{
	struct push_secret s;
	int rc;

	assert_int_equal(push_secret_parse(p->msg.data, p->msg.len, &s, NULL), 0);
	rc = push_secret_open(&s, operator, report_data, kp, ret, err);
	push_secret_clear(&s);
	return rc;
}

static void test_secret(void **state)
{
	struct pair *p = *state;
	_cleanup_secret_ struct secret *s = NULL;

	assert_int_equal(open_with(p, p->operator, p->report_data, p->machine_key, &s, NULL), 0);
	assert_true(secret_equal(s, p->document));
}

static void test_secret_of_another(void **state)
{
	struct pair *p = *state;
	_cleanup_err_ struct err *e1 = NULL, *e2 = NULL, *e3 = NULL;
	struct secret *s = NULL;
	uint8_t other[PUSH_POINT], report_data[PUSH_REPORT_DATA] = { 0 };
	struct keypair *kp = new_key(other);

	/* Signed by somebody else. */
	assert_int_equal(open_with(p, other, p->report_data, p->machine_key, &s, &e1), -1);
	assert_string_equal(err_id(e1), "push-signature");
	/* For another connection, machine or boot. */
	assert_int_equal(open_with(p, p->operator, report_data, p->machine_key, &s, &e2), -1);
	assert_string_equal(err_id(e2), "push-signature");
	/* To another machine's key. */
	assert_int_equal(open_with(p, p->operator, p->report_data, kp, &s, &e3), -1);
	assert_string_equal(err_id(e3), "jwe");
	assert_null(s);
	keypair_free(kp);
}

/* Whatever is changed: it does not parse, or the signature says so. Never does it get as far as a decryption. */
static void secret_fails(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	const struct pair *p = ctx;
	_cleanup_err_ struct err *e = NULL;
	struct push_secret s;
	struct secret *ret = NULL;

	if (push_secret_parse(data, len, &s, &e) == 0) {
		if (push_secret_open(&s, p->operator, p->report_data, p->machine_key, &ret, &e) == 0)
			fail_msg("%s", what);
		assert_string_equal(err_id(e), "push-signature");
		push_secret_clear(&s);
	} else {
		assert_string_equal(err_id(e), "push-secret");
	}
	assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_secret_mutations(void **state)
{
	struct pair *p = *state;

	mutate_bit_flips(p->msg.data, 0, p->msg.len, p->msg.len, secret_fails, p);
	mutate_truncations(p->msg.data, p->msg.len, 1, secret_fails, p);
	buf_putc(&p->msg, 'A');
	secret_fails(p->msg.data, p->msg.len, "one byte more", p);
}

static void test_secret_too_long(void **state)
{
	struct pair *p = *state;
	_cleanup_secret_ struct secret *most = NULL, *more = NULL;
	_cleanup_buf_ struct buf fits = BUF_INIT(PUSH_SECRET_MAX), b = BUF_INIT(PUSH_SECRET_MAX);
	struct push_secret s;

	assert_int_equal(secret_new(65537, &more, NULL), 0);
	secret_set_len(more, 65537);
	assert_int_equal(push_secret_make(p->operator_key, p->machine, p->report_data, more, &b, NULL), -1);
	assert_int_equal(secret_new(65536, &most, NULL), 0);
	secret_set_len(most, 65536);
	assert_int_equal(push_secret_make(p->operator_key, p->machine, p->report_data, most, &fits, NULL), 0);
	assert_int_equal(push_secret_parse(fits.data, fits.len, &s, NULL), 0);
	push_secret_clear(&s);
}

static char *evidence_text(const char *init_data)
{
	struct buf b = BUF_INIT(PUSH_ANSWER_MAX);
	struct push_binding keys = binding();

	assert_int_equal(push_evidence_make(&example, keys.machine, "snp", "{\"a\":[1,2]}", init_data, &b, NULL), 0);
	return buf_take_str(&b);
}

static void test_evidence(void **state)
{
	_cleanup_free_ char *text = evidence_text("[data]\nx = \"\\\"\"\n");
	struct push_binding keys = binding();
	struct push_answer a;

	assert_int_equal(push_answer_parse(text, strlen(text), &a, NULL), 0);
	assert_false(a.is_result);
	assert_string_equal(a.tee, "snp");
	assert_string_equal(a.init_data, "[data]\nx = \"\\\"\"\n");
	assert_memory_equal(a.machine, keys.machine, sizeof(a.machine));
	assert_int_equal(a.instance.n, 2);
	assert_string_equal(a.instance.boot_id, example.boot_id);
	assert_string_equal(a.instance.volumes[1].name, "data");
	assert_string_equal(a.instance.volumes[1].uuid, example.volumes[1].uuid);
	assert_true(json_is_object(a.evidence));
	push_answer_clear(&a);
}

static void test_result(void **state)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);
	struct push_answer a;

	assert_int_equal(push_result_make(false, "K4", "not\nthis \"volume\"", &b, NULL), 0);
	assert_int_equal(push_answer_parse((const char *)b.data, b.len, &a, NULL), 0);
	assert_true(a.is_result);
	assert_false(a.ok);
	assert_string_equal(a.id, "K4");
	assert_string_equal(a.message, "not?this \"volume\"");
	push_answer_clear(&a);
}

/* A change may hit evidence, a name or a number; what is taken is in form all the same. */
static void answer_is_sane(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct push_answer a;

	if (push_answer_parse((const char *)data, len, &a, &e) < 0) {
		assert_int_equal(err_class(e), ERR_INTEGRITY);
		return;
	}
	assert_true(a.is_result || (a.instance.n > 0 && a.instance.n <= PUSH_VOLUMES_MAX && a.evidence));
	push_answer_clear(&a);
}

static void answer_fails(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct push_answer a;

	if (push_answer_parse((const char *)data, len, &a, &e) == 0)
		fail_msg("taken: %s", what);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_answer_mutations(void **state)
{
	_cleanup_free_ char *text = evidence_text(NULL);
	size_t len = strlen(text);

	mutate_bit_flips((const uint8_t *)text, 0, len, len, answer_is_sane, NULL);
	mutate_truncations((const uint8_t *)text, len, 1, answer_fails, NULL);
}

/* What the machine says, with one thing changed. */
static void test_evidence_refused(void **state)
{
	static const struct {
		const char *from, *to;
	} t[] = {
		{ "cryptattest-push-evidence", "cryptattest-secret" },
		{ "\"version\":1", "\"version\":2" },
		{ "\"tee\":\"snp\"", "\"tee\":\"a name that no TEE has, and which is too long\"" },
		{ "\"tee\":", "\"see\":" },
		{ "\"boot_id\":\"1", "\"boot_id\":\"" },
		{ "\"volumes\":[", "\"volumes\":[],\"volume\":[" },
		{ "\"volumes\":[", "\"volumes\":[1," },
		{ "\"volumes\":[", "\"volumes\":[{\"name\":\"a\"}," },
		{ "\"name\":\"root\"", "\"name\":\"ro/t\"" },
		{ "\"uuid\":\"0", "\"uuid\":\"" },
		{ "\"key\":", "\"keys\":" },
		{ "\"key\":{", "\"key\":{},\"keys\":{" },
		{ "P-256", "P-521" },
		{ "\"x\":", "\"z\":" },
		{ "\"evidence\":{", "\"evidences\":{" },
		{ "\"evidence\":{", "\"evidence\":1,\"evidences\":{" },
	};
	_cleanup_free_ char *good = evidence_text(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(PUSH_ANSWER_MAX);
		const char *at = strstr(good, t[i].from);

		if (!at)
			fail_msg("%s is not in %s", t[i].from, good);
		buf_append(&b, good, (size_t)(at - good));
		buf_puts(&b, t[i].to);
		buf_puts(&b, at + strlen(t[i].from));
		answer_fails(b.data, b.len, t[i].to, NULL);
	}
}

static void test_answers_refused(void **state)
{
#define RESULT "{\"type\":\"cryptattest-push-result\",\"version\":1,"
	static const char *const bad[] = {
		"[]",
		RESULT "\"ok\":1,\"id\":\"\",\"message\":\"\"}",
		RESULT "\"ok\":true,\"message\":\"\"}",
		RESULT "\"ok\":true,\"id\":\"\"}",
	};
	static const char good[] = RESULT "\"ok\":true,\"id\":\"\",\"message\":\"\"}";
	struct push_answer a;

	assert_int_equal(push_answer_parse(good, strlen(good), &a, NULL), 0);
	push_answer_clear(&a);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		answer_fails((const uint8_t *)bad[i], strlen(bad[i]), bad[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_data),
		cmocka_unit_test(test_every_part_is_bound),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_point),
		cmocka_unit_test(test_instance),
		cmocka_unit_test(test_hello),
		cmocka_unit_test_setup_teardown(test_secret, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret_of_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret_mutations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secret_too_long, setup, teardown),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_answer_mutations),
		cmocka_unit_test(test_evidence_refused),
		cmocka_unit_test(test_answers_refused),
	};

	return cmocka_run_group_tests_name("push", tests, NULL, NULL);
}
