/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The sealed file and the payload: what prints parses, and nothing else does. */
#include "tests/lib/check.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "tests/lib/mutate.h"
#include "vtpm/blob.h"

#define UUID "6f1c2d3e-1111-4222-8333-444455556666"
#define ZERO32 "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES32 "1111111111111111111111111111111111111111111111111111111111111111"
#define SRK "000b" ONES32
#define VOLUME "{\"type\":\"cryptattest-sealed\",\"version\":1,\"name\":\"root\",\"uuid\":\"" UUID "\""
#define OBJECT ",\"public\":\"AAEB\",\"private\":\"AAICAw==\""
#define STATE ",\"bank\":\"sha256\",\"pcrs\":[7,15],\"pcr_values\":{\"7\":\"" ONES32 "\",\"15\":\"" ZERO32 "\"}"
#define NO_PIN ",\"pin\":false"
#define SLOT_MAC "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define END ",\"srk_name\":\"" SRK "\",\"sealed_at\":\"boot\"}"
#define MINIMAL VOLUME OBJECT STATE NO_PIN END
#define SALT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define FULL                                                                                                               \
	VOLUME ",\"keyslot\":2,\"slot_mac\":\"" SLOT_MAC "\"" OBJECT ",\"creation_data\":\"AAEJ\",\"creation_ticket\":\"gCE=\"" STATE ",\"baseline\":77,\"pin\":true," \
	       "\"pin_salt\":\"" SALT "\"" END

static int parse(const char *text, struct sealed_blob *b, struct err **err)
{
	return sealed_blob_parse(text, strlen(text), b, err);
}

static void test_minimal(void **state)
{
	struct sealed_blob b;

	assert_ok(parse(MINIMAL, &b, &_err));
	assert_string_equal(b.name, "root");
	assert_string_equal(b.uuid, UUID);
	assert_string_equal(b.sealed_at, "boot");
	assert_int_equal(b.keyslot, -1);
	assert_int_equal(b.pub.len, 3);
	assert_memory_equal(b.priv.data, "\0\2\2\3", 4);
	assert_int_equal(b.creation_data.len + b.creation_ticket.len, 0);
	assert_int_equal(b.pcrs, 1 << 7 | 1 << 15);
	assert_int_equal(b.values.mask, b.pcrs);
	assert_int_equal(b.values.bank, PCR_SHA256);
	assert_int_equal(b.values.value[7][31], 0x11);
	assert_int_equal(b.baseline, 0);
	assert_false(b.pin);
	assert_int_equal(b.srk_name.len, 34);
	sealed_blob_clear(&b);
}

static void expect_round_trip(const char *text)
{
	_cleanup_free_ char *again = NULL;
	struct sealed_blob b;

	assert_ok(parse(text, &b, &_err));
	assert_ok(sealed_blob_text(&b, &again, &_err));
	assert_int_equal(strncmp(again, text, strlen(text)), 0);
	assert_string_equal(again + strlen(text), "\n");
	sealed_blob_clear(&b);
}

static void test_round_trip(void **state)
{
	struct sealed_blob b;

	expect_round_trip(MINIMAL);
	expect_round_trip(FULL);
	assert_ok(parse(FULL, &b, &_err));
	assert_int_equal(b.keyslot, 2);
	assert_int_equal(b.baseline, 77);
	assert_true(b.pin);
	assert_int_equal(b.pin_salt[31], 31);
	assert_memory_equal(b.creation_ticket.data, "\x80\x21", 2);
	sealed_blob_clear(&b);
	/* Members of later versions, and a UUID in capitals. */
	assert_ok(parse("{\"x\":[1.5,null],\"type\":\"cryptattest-sealed\",\"version\":1,\"name\":\"r\",\"uuid\":\"6F1C2D3E-1111-4222-8333-"
			"444455556666\"" OBJECT STATE NO_PIN END,
			&b, &_err));
	assert_string_equal(b.uuid, UUID);
	sealed_blob_clear(&b);
}

static void refuse(const char *text, const char *word)
{
	_cleanup_err_ struct err *e = NULL;
	struct sealed_blob b;

	if (parse(text, &b, &e) == 0)
		fail_msg("accepted: %s", text);
	assert_int_equal(err_class(e), ERR_INTEGRITY);
	assert_string_equal(err_id(e), "sealed-file");
	if (!strstr(err_message(e), word))
		fail_msg("%s: said \"%s\", expected \"%s\"", text, err_message(e), word);
}

static void test_refusals(void **state)
{
	static const char *const cases[][2] = {
		{ "", "sealed file" },
		{ "[]", "not an object" },
		{ "{\"type\":\"cryptattest-secret\"}", "type is not" },
		{ "{\"type\":\"cryptattest-sealed\",\"version\":2}", "version" },
		{ MINIMAL "x", "sealed file" },
		{ VOLUME ",\"name\":\"root\"" OBJECT STATE NO_PIN END, "duplicate" },
		{ "{\"type\":\"cryptattest-sealed\",\"version\":1,\"name\":\"/\",\"uuid\":\"" UUID "\"" OBJECT STATE NO_PIN END, "volume name" },
		{ "{\"type\":\"cryptattest-sealed\",\"version\":1,\"name\":\"r\",\"uuid\":\"1\"" OBJECT STATE NO_PIN END, "UUID" },
		{ VOLUME ",\"keyslot\":32" OBJECT STATE NO_PIN END, "keyslot" },
		{ VOLUME ",\"keyslot\":2,\"slot_mac\":\"00\"" OBJECT STATE NO_PIN END, "slot_mac is not 64" },
		{ VOLUME ",\"keyslot\":2,\"slot_mac\":2" OBJECT STATE NO_PIN END, "slot_mac" },
		{ VOLUME STATE NO_PIN END, "public" },
		{ VOLUME ",\"public\":\"AAE\",\"private\":\"AAICAw==\"" STATE NO_PIN END, "public" },
		{ VOLUME ",\"public\":\"AAIB\",\"private\":\"AAICAw==\"" STATE NO_PIN END, "public is not one TPM structure" },
		{ VOLUME ",\"public\":\"AAA=\",\"private\":\"AAICAw==\"" STATE NO_PIN END, "public is not one TPM structure" },
		{ VOLUME OBJECT ",\"creation_data\":\"AAEJ\"" STATE NO_PIN END, "come together" },
		{ VOLUME OBJECT ",\"creation_data\":\"AAEJ\",\"creation_ticket\":\"\"" STATE NO_PIN END, "creation_ticket is empty" },
		{ VOLUME OBJECT ",\"bank\":\"md5\",\"pcrs\":[],\"pcr_values\":{}" NO_PIN END, "bank" },
		{ VOLUME OBJECT ",\"bank\":\"sha256\",\"pcrs\":[24],\"pcr_values\":{}" NO_PIN END, "list of different PCRs" },
		{ VOLUME OBJECT ",\"bank\":\"sha256\",\"pcrs\":[7,7],\"pcr_values\":{}" NO_PIN END, "list of different PCRs" },
		{ VOLUME OBJECT ",\"bank\":\"sha256\",\"pcrs\":[7],\"pcr_values\":{}" NO_PIN END, "lacks" },
		{ VOLUME OBJECT ",\"bank\":\"sha256\",\"pcrs\":[7],\"pcr_values\":{\"7\":\"11\"}" NO_PIN END, "64 lower-case hex" },
		{ VOLUME OBJECT ",\"bank\":\"sha256\",\"pcrs\":[],\"pcr_values\":{\"7\":\"" ONES32 "\"}" NO_PIN END, "more than" },
		{ VOLUME OBJECT STATE ",\"baseline\":-1" NO_PIN END, "baseline" },
		{ VOLUME OBJECT STATE END, "pin is not" },
		{ VOLUME OBJECT STATE ",\"pin\":true" END, "disagree" },
		{ VOLUME OBJECT STATE ",\"pin\":false,\"pin_salt\":\"" SALT "\"" END, "disagree" },
		{ VOLUME OBJECT STATE ",\"pin\":true,\"pin_salt\":\"AAEC\"" END, "32 bytes" },
		{ VOLUME OBJECT STATE NO_PIN ",\"srk_name\":\"000b\",\"sealed_at\":\"boot\"}", "srk_name" },
		{ VOLUME OBJECT STATE NO_PIN ",\"srk_name\":\"" SRK "\",\"sealed_at\":\"night\"}", "sealed_at" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refuse(cases[i][0], cases[i][1]);
}

/* One byte over what any TPM structure may have, and one over the whole file. */
static void test_bounds(void **state)
{
	static char text[SEALED_FILE_MAX + 64], big[(SEALED_PART_MAX + 3) / 3 * 4 + 8];
	struct sealed_blob b = { .keyslot = -1 };
	char *out = NULL;

	memset(big, 'A', sizeof(big) - 1);
	snprintf(text, sizeof(text), VOLUME ",\"public\":\"%s\",\"private\":\"AAICAw==\"" STATE NO_PIN END, big);
	refuse(text, "public is too long");
	memset(text, ' ', sizeof(text));
	memcpy(text, MINIMAL, strlen(MINIMAL));
	text[SEALED_FILE_MAX + 1] = 0;
	refuse(text, "sealed file");
	b.name = b.uuid = b.sealed_at = (char *)"x";
	b.pub = b.priv = (struct sealed_bytes){ (uint8_t *)text, SEALED_PART_MAX + 1 };
	assert_true(sealed_blob_text(&b, &out, NULL) < 0);
}

static void any_answer(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_err_ struct err *e = NULL;
	struct sealed_blob b;

	if (sealed_blob_parse((const char *)data, len, &b, &e) == 0)
		sealed_blob_clear(&b);
	else
		assert_string_equal(err_id(e), "sealed-file");
}

static void test_mutations(void **state)
{
	mutate_bit_flips((const uint8_t *)FULL, 0, strlen(FULL), strlen(FULL), any_answer, NULL);
	mutate_truncations((const uint8_t *)FULL, strlen(FULL), 1, any_answer, NULL);
}

static struct sealed_payload sample(void)
{
	struct sealed_payload p = { .vk_id = ONES32, .header_id = ZERO32, .baseline = UINT64_C(0x0102030405060708) };

	assert_ok(secret_from("0123456789abcdef0123456789abcdef", 32, &p.secret, &_err));
	return p;
}

static void test_payload(void **state)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	struct sealed_payload p = sample(), q;

	assert_ok(sealed_payload_encode(&p, &bytes, &_err));
	assert_int_equal(secret_len(bytes), 108);
	assert_memory_equal(secret_cdata(bytes), "CAS10123456789abcdef0123456789abcdef\x11\x11", 38);
	assert_memory_equal(secret_cdata(bytes) + 100, "\1\2\3\4\5\6\7\10", 8);
	assert_ok(sealed_payload_decode(bytes, &q, &_err));
	assert_true(secret_equal(p.secret, q.secret));
	assert_string_equal(q.vk_id, p.vk_id);
	assert_string_equal(q.header_id, p.header_id);
	assert_true(q.baseline == p.baseline);
	sealed_payload_clear(&p);
	sealed_payload_clear(&q);
	assert_null(q.secret);
}

static void decode_any(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	_cleanup_secret_ struct secret *bytes = NULL;
	_cleanup_err_ struct err *e = NULL;
	struct sealed_payload p;
	const bool right = len == SEALED_PAYLOAD_LEN && memcmp(data, "CAS1", 4) == 0;

	assert_ok(secret_from(data, len, &bytes, &_err));
	assert_int_equal(sealed_payload_decode(bytes, &p, &e) == 0, right);
	if (right)
		sealed_payload_clear(&p);
	else
		assert_int_equal(err_class(e), ERR_INTEGRITY);
}

static void test_payload_refused(void **state)
{
	_cleanup_secret_ struct secret *bytes = NULL, *none = NULL;
	struct sealed_payload p = sample();
	uint8_t longer[SEALED_PAYLOAD_LEN + 1] = "CAS1";

	assert_ok(sealed_payload_encode(&p, &bytes, &_err));
	mutate_bit_flips(secret_cdata(bytes), 0, SEALED_PAYLOAD_LEN, SEALED_PAYLOAD_LEN, decode_any, NULL);
	mutate_truncations(secret_cdata(bytes), SEALED_PAYLOAD_LEN, 1, decode_any, NULL);
	decode_any(longer, sizeof(longer), "longer", NULL);
	p.vk_id[63] = 0;
	assert_true(sealed_payload_encode(&p, &none, NULL) < 0);
	sealed_payload_clear(&p);
	p = sample();
	secret_set_len(p.secret, 31);
	assert_fails(sealed_payload_encode(&p, &none, &_err), ERR_INTERNAL, "payload");
	sealed_payload_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_minimal),	  cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bounds),	  cmocka_unit_test(test_mutations),  cmocka_unit_test(test_payload),
		cmocka_unit_test(test_payload_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
