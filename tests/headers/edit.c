/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/headers/edit.h"

#include <err.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/headers/null_keyslot.h"

#define JSON_AREA (EDIT_HDR_SIZE - EDIT_BIN_SIZE)
#define OFF_CSUM 448
#define DUP_MARK "@@"

void edit_checksum(uint8_t copy[static EDIT_HDR_SIZE])
{
	uint8_t md[SHA256_DIGEST_LENGTH];

	memset(copy + OFF_CSUM, 0, 64);
	SHA256(copy, EDIT_HDR_SIZE, md);
	memcpy(copy + OFF_CSUM, md, sizeof(md));
}

static void load(struct edit *e, const char *image)
{
	json_error_t je;
	int fd = open(image, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, e->copy, sizeof(e->copy), 0) != (ssize_t)sizeof(e->copy))
		err(99, "%s", image);
	close(fd);
	e->json = json_loads((char *)e->copy[0] + EDIT_BIN_SIZE, 0, &je);
	if (!e->json)
		errx(99, "%s: JSON: %s", image, je.text);
}

void edit_save(const struct edit *e, const char *image)
{
	int fd = open(image, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, e->copy, sizeof(e->copy), 0) != (ssize_t)sizeof(e->copy) || close(fd) < 0)
		err(99, "%s", image);
}

void edit_free(struct edit *e)
{
	json_decref(e->json);
	e->json = NULL;
}

/* JSON text into the area of one copy (0, 1) or both (-1); the checksum is made right. */
static void put_json(struct edit *e, int which, const char *text, size_t len)
{
	if (len >= JSON_AREA)
		errx(99, "JSON of %zu bytes does not fit", len);
	for (int i = 0; i < 2; i++) {
		if (which >= 0 && which != i)
			continue;
		memset(e->copy[i] + EDIT_BIN_SIZE, 0, JSON_AREA);
		memcpy(e->copy[i] + EDIT_BIN_SIZE, text, len);
		edit_checksum(e->copy[i]);
	}
}

static void put_be(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

void edit_make(struct edit *e, const char *json, size_t len)
{
	memset(e, 0, sizeof(*e));
	for (int i = 0; i < 2; i++) {
		uint8_t *p = e->copy[i];

		memcpy(p, i ? "SKUL\xba\xbe" : "LUKS\xba\xbe", 6);
		put_be(p + 6, 2, 2);
		put_be(p + 8, EDIT_HDR_SIZE, 8);
		put_be(p + 16, 3, 8);
		memcpy(p + 72, "sha256", 6);
		memset(p + 104, 0xa0 + i, 64);
		memcpy(p + 168, "6f1c9d3e-0000-4000-8000-000000000001", 36);
		put_be(p + 256, (uint64_t)i * EDIT_HDR_SIZE, 8);
	}
	put_json(e, -1, json, len);
}

/* The object that holds the last member of a dotted path; *ret_key is that member's name. */
static json_t *holder(json_t *root, char *path, const char **ret_key)
{
	char *save = NULL, *word = strtok_r(path, ".", &save), *next;

	while (word && (next = strtok_r(NULL, ".", &save))) {
		root = json_is_array(root) ? json_array_get(root, (size_t)atoi(word)) : json_object_get(root, word);
		word = next;
	}
	if (!root || !word)
		errx(99, "no such path, at %s", word ? word : "");
	*ret_key = word;
	return root;
}

static void change(struct edit *e, const char *op, const char *path, const char *value)
{
	char *p = strdup(path), mark[64];
	const char *key;
	json_t *obj = holder(e->json, p, &key), *v = NULL;
	json_error_t je;

	if (value && !(v = json_loads(value, JSON_DECODE_ANY, &je)))
		errx(99, "%s: %s", value, je.text);
	if (strcmp(op, "del") == 0 && json_object_del(obj, key) < 0)
		errx(99, "%s: not there", path);
	if (strcmp(op, "set") == 0)
		json_object_set_new(obj, key, v);
	if (strcmp(op, "dup") == 0) {
		/* jansson cannot hold it: a marked name loses its mark in the text. */
		snprintf(mark, sizeof(mark), DUP_MARK "%s", key);
		json_object_set_new(obj, mark, v);
	}
	free(p);
}

static void flush_json(struct edit *e, int which)
{
	char *text = json_dumps(e->json, JSON_COMPACT), *p;

	while ((p = strstr(text, "\"" DUP_MARK)))
		memmove(p + 1, p + 1 + strlen(DUP_MARK), strlen(p + 1 + strlen(DUP_MARK)) + 1);
	put_json(e, which, text, strlen(text));
	free(text);
}

static void field(struct edit *e, int which, const char *name, const char *value)
{
	static const struct {
		const char *name;
		size_t off, len;
		int number;
	} fields[] = { { "magic", 0, 6, 0 },	 { "version", 6, 2, 1 }, { "hdr_size", 8, 8, 1 },	{ "seqid", 16, 8, 1 },
		       { "label", 24, 48, 0 },	 { "csum_alg", 72, 32, 0 }, { "uuid", 168, 40, 0 }, { "subsystem", 208, 48, 0 },
		       { "hdr_offset", 256, 8, 1 }, { "padding", 264, 184, 0 } };
	size_t k = 0;

	while (k < sizeof(fields) / sizeof(*fields) && strcmp(fields[k].name, name) != 0)
		k++;
	if (k == sizeof(fields) / sizeof(*fields))
		errx(99, "no field %s", name);
	for (int i = 0; i < 2; i++) {
		uint8_t *p = e->copy[i] + fields[k].off;

		if (which >= 0 && which != i)
			continue;
		if (fields[k].number)
			put_be(p, (*value == '+' ? get_be(p, fields[k].len) : 0) + strtoull(value, NULL, 0), fields[k].len);
		else {
			memset(p, 0, fields[k].len);
			memcpy(p, value, strlen(value) < fields[k].len ? strlen(value) : fields[k].len);
		}
		edit_checksum(e->copy[i]);
	}
}

static void tail(struct edit *e, int which, const char *text)
{
	for (int i = 0; i < 2; i++) {
		char *json = (char *)e->copy[i] + EDIT_BIN_SIZE;

		if (which >= 0 && which != i)
			continue;
		memcpy(json + strlen(json) + 1, text, strlen(text));
		edit_checksum(e->copy[i]);
	}
}

static void raw(const char *image, const char *offset, const char *hex)
{
	int fd = open(image, O_WRONLY | O_CLOEXEC);
	off_t off = (off_t)strtoll(offset, NULL, 0);
	unsigned int byte;

	if (fd < 0)
		err(99, "%s", image);
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2, off++) {
		uint8_t b = (uint8_t)byte;

		if (pwrite(fd, &b, 1, off) != 1)
			err(99, "%s", image);
	}
	close(fd);
}

void edit_run(const char *image, const char *const *argv)
{
	struct edit e;
	int which = -1;

	load(&e, image);
	for (; *argv; argv++) {
		const char *op = argv[0], *x = argv[1], *y = x ? argv[2] : NULL;

		if (strcmp(op, "second") == 0) {
			which = 1;
			continue;
		}
		if (!x)
			errx(99, "%s needs an argument", op);
		if (strcmp(op, "del") == 0 || strcmp(op, "tail") == 0 || strcmp(op, "null-keyslot") == 0) {
			argv++;
			if (*op == 'd')
				change(&e, op, x, NULL);
			else if (*op == 'n')
				edit_null_keyslot(&e, image, x);
			if (*op == 't')
				tail(&e, which, x);
			else
				flush_json(&e, which);
			continue;
		}
		if (!y)
			errx(99, "%s needs two arguments", op);
		argv += 2;
		if (strcmp(op, "set") == 0 || strcmp(op, "dup") == 0) {
			change(&e, op, x, y);
			flush_json(&e, which);
		} else if (strcmp(op, "field") == 0) {
			field(&e, which, x, y);
		} else if (strcmp(op, "raw") == 0) {
			edit_save(&e, image);
			raw(image, x, y);
			edit_free(&e);
			return; /* last by definition */
		} else {
			errx(99, "no operation %s", op);
		}
	}
	edit_save(&e, image);
	edit_free(&e);
}
