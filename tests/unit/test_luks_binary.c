/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Hand-made headers as bytes: both copies mutated, short devices; and the identities that follow from them. Needs no cryptsetup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "luks/audit.h"
#include "luks/volume.h"
#include "tests/headers/edit.h"
#include "tests/headers/image.h"
#include "tests/headers/sample.h"
#include "tests/lib/mutate.h"

static struct luks_policy strict = { .memory_available_kib = 4 * 1024 * 1024 };

static size_t parse(const uint8_t *area, size_t len, struct luks_header *h, char id[static 12])
{
	struct luks_findings f = { 0 };
	struct audit a;
	bool ok;
	size_t n;

	audit_init(&a, &strict, &f);
	ok = header_parse(&a, area, len, h);
	if (ok)
		audit_json(&a, h->json, h->data_offset);
	assert_true(ok || f.n > 0);
	n = f.n;
	snprintf(id, 12, "%s", n ? f.items[0].id : "");
	luks_findings_clear(&f);
	return n;
}

static void test_binary_flips(void **state)
{
	struct luks_header h = LUKS_HEADER_INIT;
	struct edit e;
	char id[12];

	edit_make(&e, SAMPLE_JSON, strlen(SAMPLE_JSON));
	assert_int_equal(parse(e.copy[0], sizeof(e.copy), &h, id), 0);
	assert_string_equal(h.uuid, "6f1c9d3e-0000-4000-8000-000000000001");
	assert_int_equal(h.data_offset, SAMPLE_DATA_OFFSET);
	luks_header_clear(&h);
	/* The checksum made right again, as a host does: only the salt of a copy may differ. */
	for (int copy = 0; copy < 2; copy++) {
		for (unsigned int byte = 0; byte < 520; byte++) {
			struct edit m = e;

			m.copy[copy][byte] ^= (uint8_t)(1U << (byte % 8));
			if (byte < 448 || byte >= 512)
				edit_checksum(m.copy[copy]);
			if ((parse(m.copy[0], sizeof(m.copy), &h, id) == 0) != (byte >= 104 && byte < 168))
				fail_msg("copy %d, byte %u: %s", copy, byte, *id ? id : "accepted");
			luks_header_clear(&h);
		}
	}
	edit_free(&e);
}

static void refused(const uint8_t *data, size_t len, const char *what, void *ctx)
{
	struct luks_header h = LUKS_HEADER_INIT;
	char id[12];

	if (parse(data, len, &h, id) == 0)
		fail_msg("%s: accepted", what);
	luks_header_clear(&h);
}

static void test_without_checksum(void **state)
{
	struct edit e;

	edit_make(&e, SAMPLE_JSON, strlen(SAMPLE_JSON));
	mutate_truncations(e.copy[0], sizeof(e.copy), 509, refused, NULL);
	mutate_bit_flips(e.copy[0], 0, 300, sizeof(e.copy), refused, NULL);
	mutate_bit_flips(e.copy[0], 16384 + 4096, 16384 + 4096 + 64, sizeof(e.copy), refused, NULL);
	edit_free(&e);
}

/* Salts and the digest are the only free text of a header; iteration counts and the area's place have legal ranges. */
static json_t *without_free_text(json_t *root)
{
	json_t *kdf = json_object_get(json_object_get(json_object_get(root, "keyslots"), "0"), "kdf");
	json_t *digests = json_object_get(root, "digests");
	json_t *digest = json_incref(json_object_iter_value(json_object_iter(digests))); /* any name (C9) */

	json_object_clear(digests);
	json_object_set_new(digests, "0", digest);
	json_object_del(kdf, "salt");
	json_object_del(digest, "salt");
	json_object_del(digest, "digest");
	json_object_del(kdf, "iterations");
	json_object_del(digest, "iterations");
	json_object_del(json_object_get(json_object_get(json_object_get(root, "keyslots"), "0"), "area"), "offset");
	return root;
}

/* Every bit of the JSON flipped in both copies: what passes means what the sample means. */
static void test_json_flips(void **state)
{
	json_t *want = without_free_text(json_loads(SAMPLE_JSON, 0, NULL));
	unsigned int accepted = 0;
	size_t len = strlen(SAMPLE_JSON);

	for (size_t bit = 0; bit < len * 8; bit++) {
		char text[sizeof(SAMPLE_JSON)], id[12];
		struct luks_header h = LUKS_HEADER_INIT;
		struct edit e;

		memcpy(text, SAMPLE_JSON, sizeof(text));
		text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
		edit_make(&e, text, len);
		if (parse(e.copy[0], sizeof(e.copy), &h, id) == 0) {
			accepted++;
			if (!json_equal(without_free_text(h.json), want))
				fail_msg("bit %zu: accepted as %.80s", bit, text + (bit / 8 > 40 ? bit / 8 - 40 : 0));
		}
		luks_header_clear(&h);
		edit_free(&e);
	}
	assert_true(accepted > 100); /* most of the salts' bits */
	json_decref(want);
}

static void test_identity_vectors(void **state)
{
	uint8_t key[64], *area = malloc(258048);
	struct luks_header h = LUKS_HEADER_INIT;
	struct secret *s = NULL;
	struct luks_device dev;
	struct err *e = NULL;
	struct edit ed;
	char out[65];
	int fd;

	image_new("sample", SAMPLE_DATA_OFFSET);
	edit_make(&ed, SAMPLE_JSON, strlen(SAMPLE_JSON));
	edit_save(&ed, image_path("sample"));
	edit_free(&ed);
	memset(area, 0x5a, 258048);
	fd = open(image_path("sample"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, area, 258048, 32768), 258048);
	close(fd);
	free(area);
	image_device("sample", &dev);
	if (luks_header_read(&dev, &strict, &h, &e) < 0)
		fail_msg("%s", err_message(e));
	assert_int_equal(h.copied, 32768 + 258048);
	assert_int_equal(luks_header_id(&h, 0, out, NULL), 0);
	/* Computed once by another program from the words of contracts.md 1. */
	assert_string_equal(out, "512e64fdf5ede7ec173d064dfac5a2ce7814df3528fc7aff8b8f46ebd4c32272");
	assert_int_equal(luks_header_id(&h, 1, out, NULL), -1);
	for (int i = 0; i < 64; i++)
		key[i] = (uint8_t)i;
	assert_int_equal(secret_from(key, sizeof(key), &s, NULL), 0);
	assert_int_equal(luks_vk_id(s, "6F1C9D3E-0000-4000-8000-000000000001", "root", out, NULL), 0);
	assert_string_equal(out, "04e80b5d330a45d4b045d6e42c133e8ac09bf26209115b0deb23a898e0a975ba");
	assert_int_equal(luks_vk_id(s, h.uuid, "ro ot", out, NULL), -1);
	secret_free(s);
	luks_header_clear(&h);
	device_close(&dev);
}

/* A device that ends too early, and one that lies about its size. */
static void test_short_device(void **state)
{
	const struct {
		size_t size;
		uint64_t claimed;
		const char *id;
		enum err_class cls;
	} cases[] = { { 100, 100, "H1", ERR_INTEGRITY },
		      { 40000, 40000, "H3", ERR_INTEGRITY },
		      { 40000, SAMPLE_DATA_OFFSET, "device-unreadable", ERR_DEVICE } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct luks_header h = LUKS_HEADER_INIT;
		struct luks_device dev;
		struct err *e = NULL;
		struct edit ed;

		image_new("short", cases[i].size);
		edit_make(&ed, SAMPLE_JSON, strlen(SAMPLE_JSON));
		edit_save(&ed, image_path("short"));
		edit_free(&ed);
		assert_int_equal(truncate(image_path("short"), (off_t)cases[i].size), 0);
		image_device("short", &dev);
		dev.size = cases[i].claimed;
		assert_int_equal(luks_header_read(&dev, &strict, &h, &e), -1);
		assert_string_equal(err_id(e), cases[i].id);
		assert_int_equal(err_class(e), cases[i].cls);
		err_free(e);
		device_close(&dev);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_binary_flips),	 cmocka_unit_test(test_without_checksum), cmocka_unit_test(test_json_flips),
		cmocka_unit_test(test_identity_vectors), cmocka_unit_test(test_short_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
