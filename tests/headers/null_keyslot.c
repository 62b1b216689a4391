/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/headers/null_keyslot.h"

#include <err.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRIPES 4000
#define KEY_MAX 96

/* LUKS1 diffusion, SHA-256: every digest-sized piece becomes H(be32(index) || piece). */
static void diffuse(uint8_t *block, size_t len)
{
	for (size_t i = 0; i * SHA256_DIGEST_LENGTH < len; i++) {
		size_t off = i * SHA256_DIGEST_LENGTH;
		size_t n = len - off < SHA256_DIGEST_LENGTH ? len - off : SHA256_DIGEST_LENGTH;
		uint8_t in[4 + SHA256_DIGEST_LENGTH] = { 0, 0, (uint8_t)(i >> 8), (uint8_t)i }, md[SHA256_DIGEST_LENGTH];

		memcpy(in + 4, block + off, n);
		SHA256(in, 4 + n, md);
		memcpy(block + off, md, n);
	}
}

/* All stripes zero but the last one, which is the key xored with what the others diffuse to. */
static uint8_t *split(const uint8_t *key, size_t len)
{
	uint8_t *area = calloc(STRIPES, len), d[KEY_MAX] = { 0 };

	if (!area)
		err(99, "area");
	for (int i = 0; i < STRIPES - 1; i++)
		diffuse(d, len);
	for (size_t i = 0; i < len; i++)
		area[(STRIPES - 1) * len + i] = d[i] ^ key[i];
	return area;
}

static void set_digest(json_t *digest, const uint8_t *key, size_t len)
{
	const char *salt_text = json_string_value(json_object_get(digest, "salt"));
	int iterations = (int)json_integer_value(json_object_get(digest, "iterations"));
	uint8_t salt[64], md[32];
	char text[64];

	if (EVP_DecodeBlock(salt, (const uint8_t *)salt_text, (int)strlen(salt_text)) < 32 ||
	    PKCS5_PBKDF2_HMAC((const char *)key, (int)len, salt, 32, iterations, EVP_sha256(), sizeof(md), md) != 1)
		errx(99, "digest");
	EVP_EncodeBlock((uint8_t *)text, md, sizeof(md));
	json_object_set_new(digest, "digest", json_string(text));
}

void edit_null_keyslot(struct edit *e, const char *image, const char *slot)
{
	json_t *s = json_object_get(json_object_get(e->json, "keyslots"), slot), *area = json_object_get(s, "area");
	json_t *digests = json_object_get(e->json, "digests");
	size_t len = (size_t)json_integer_value(json_object_get(s, "key_size"));
	uint8_t key[KEY_MAX], *bytes;
	int fd = open(image, O_WRONLY | O_CLOEXEC);

	if (!area || len == 0 || len > KEY_MAX || fd < 0)
		errx(99, "no such keyslot: %s", slot);
	memset(key, 0x42, sizeof(key));
	bytes = split(key, len);
	if (pwrite(fd, bytes, STRIPES * len, atoll(json_string_value(json_object_get(area, "offset")))) != (ssize_t)(STRIPES * len))
		err(99, "%s", image);
	close(fd);
	free(bytes);
	json_object_set_new(area, "encryption", json_string("cipher_null-ecb"));
	set_digest(json_object_iter_value(json_object_iter(digests)), key, len);
}
