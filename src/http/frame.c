/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define HEADER_SIZE 4
#define FIELD_HEADER_SIZE 6

enum kind {
	KIND_PRINT, /* 20..7e */
	KIND_TEXT,  /* anything but NUL: it becomes a C string */
	KIND_U32,
	KIND_U64,
};

struct rule {
	uint8_t type;
	uint16_t tag;
	enum kind kind;
	unsigned int min, max; /* how often */
	uint32_t min_len, max_len;
};

#define MEMBER_MAX (1536 * 1024)

static const struct rule rules[] = {
	{ FRAME_CONFIG, TAG_URL, KIND_PRINT, 1, 16, 8, 1024 },
	{ FRAME_CONFIG, TAG_PIN, KIND_PRINT, 0, 16, 52, 52 },
	{ FRAME_CONFIG, TAG_CA, KIND_TEXT, 0, 1, 1, 1024 * 1024 },
	{ FRAME_CONFIG, TAG_SERVER_NAME, KIND_PRINT, 0, 16, 1, 255 },
	{ FRAME_CONFIG, TAG_PROXY, KIND_PRINT, 0, 1, 8, 1024 },
	{ FRAME_CONFIG, TAG_TIME_FLOOR, KIND_U64, 1, 1, 8, 8 },
	{ FRAME_CONFIG, TAG_ALLOW_HTTP, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_CONFIG, TAG_USER_AGENT, KIND_PRINT, 0, 1, 1, 128 },
	{ FRAME_CONFIG, TAG_CONNECT_MS, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_REQUEST, TAG_URL_INDEX, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_REQUEST, TAG_METHOD, KIND_PRINT, 1, 1, 1, 8 },
	{ FRAME_REQUEST, TAG_PATH, KIND_PRINT, 1, 1, 1, 1024 },
	{ FRAME_REQUEST, TAG_BODY, KIND_TEXT, 0, 1, 0, MEMBER_MAX },
	{ FRAME_REQUEST, TAG_MILLISECONDS, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_REQUEST, TAG_NEW_SESSION, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_AUTH, TAG_NONCE, KIND_PRINT, 1, 1, 1, 4096 },
	{ FRAME_AUTH, TAG_HASH, KIND_PRINT, 1, 1, 0, 15 },
	{ FRAME_TOKEN, TAG_TOKEN, KIND_PRINT, 1, 1, 1, 64 * 1024 },
	{ FRAME_JWE, TAG_JWE_PROTECTED, KIND_PRINT, 1, 1, 1, 1024 },
	{ FRAME_JWE, TAG_JWE_ENCRYPTED_KEY, KIND_PRINT, 1, 1, 0, 2048 },
	{ FRAME_JWE, TAG_JWE_IV, KIND_PRINT, 1, 1, 0, 64 },
	{ FRAME_JWE, TAG_JWE_CIPHERTEXT, KIND_PRINT, 1, 1, 0, MEMBER_MAX },
	{ FRAME_JWE, TAG_JWE_TAG, KIND_PRINT, 1, 1, 0, 64 }, /* empty in the old form */
	{ FRAME_ERROR, TAG_STATUS, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_ERROR, TAG_ERROR_TYPE, KIND_PRINT, 1, 1, 0, 64 },
	{ FRAME_ERROR, TAG_DETAIL, KIND_PRINT, 1, 1, 0, 512 },
	{ FRAME_ERROR, TAG_SERVER_VERSION, KIND_PRINT, 1, 1, 0, 15 },
	{ FRAME_ERROR, TAG_RETRY_AFTER, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_FAIL, TAG_CAUSE, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_FAIL, TAG_BYTES_SENT, KIND_U32, 1, 1, 4, 4 },
	{ FRAME_FAIL, TAG_WHAT, KIND_PRINT, 1, 1, 0, 199 },
	{ FRAME_PEER, TAG_PEER_PIN, KIND_PRINT, 1, 1, 1, 63 }, /* never empty: relay.c tells by it that PEER has come */
	{ FRAME_PEER, TAG_PEER_VALIDITY, KIND_PRINT, 1, 1, 0, 63 },
};

static const uint8_t types[] = {
	FRAME_CONFIG, FRAME_REQUEST, FRAME_CANCEL, FRAME_AUTH, FRAME_TOKEN, FRAME_JWE, FRAME_ERROR, FRAME_FAIL, FRAME_PEER,
};

void frame_begin(struct buf *b, enum frame_type type, uint16_t seq)
{
	buf_put_u8(b, (uint8_t)type);
	buf_put_u8(b, 0);
	buf_put_u16be(b, seq);
}

void frame_put(struct buf *b, enum frame_tag tag, const void *data, size_t len)
{
	if (len > FRAME_MAX) {
		b->failed = true;
		return;
	}
	buf_put_u16be(b, (uint16_t)tag);
	buf_put_u32be(b, (uint32_t)len);
	buf_append(b, data, len);
}

void frame_put_str(struct buf *b, enum frame_tag tag, const char *s)
{
	if (s)
		frame_put(b, tag, s, strlen(s));
}

void frame_put_u32(struct buf *b, enum frame_tag tag, uint32_t v)
{
	buf_put_u16be(b, (uint16_t)tag);
	buf_put_u32be(b, 4);
	buf_put_u32be(b, v);
}

void frame_put_u64(struct buf *b, enum frame_tag tag, uint64_t v)
{
	buf_put_u16be(b, (uint16_t)tag);
	buf_put_u32be(b, 8);
	buf_put_u64be(b, v);
}

void frame_end(struct buf *b)
{
	if (b->len % FRAME_PART == 0)
		frame_put(b, TAG_PAD, "", 0);
}

static bool type_known(uint8_t type, bool from_child)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i] == type)
			return (type >= 0x80) == from_child;
	}
	return false;
}

static const struct rule *find_rule(uint8_t type, uint16_t tag)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].type == type && rules[i].tag == tag)
			return &rules[i];
	}
	return NULL;
}

static bool content_ok(const struct rule *r, const uint8_t *p, size_t len)
{
	switch (r->kind) {
	case KIND_PRINT:
		for (size_t i = 0; i < len; i++) {
			if (p[i] < 0x20 || p[i] > 0x7e)
				return false;
		}
		return true;
	case KIND_TEXT:
		return memchr(p, 0, len) == NULL;
	case KIND_U32:
	case KIND_U64:
		return true; /* the length is all there is to check */
	}
	return false;
}

static int bad(struct err **err, const struct frame *f, const char *what, unsigned int tag)
{
	return err_set(err, ERR_INTEGRITY, "frame", "frame type %u: %s (tag %u)", f->type, what, tag);
}

static int check_field(const struct frame *f, const struct frame_field *fd, struct err **err)
{
	const struct rule *r = find_rule(f->type, fd->tag);

	if (!r)
		return bad(err, f, "a field that does not belong there", fd->tag);
	if (fd->len < r->min_len || fd->len > r->max_len)
		return bad(err, f, "a field of a wrong length", fd->tag);
	if (!content_ok(r, fd->data, fd->len))
		return bad(err, f, "a field with forbidden characters", fd->tag);
	return 0;
}

static size_t count_of(const struct frame *f, enum frame_tag tag)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->field[i].tag == tag;
	return n;
}

static int check_counts(const struct frame *f, struct err **err)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		size_t n;

		if (rules[i].type != f->type)
			continue;
		n = count_of(f, (enum frame_tag)rules[i].tag);
		if (n < rules[i].min || n > rules[i].max)
			return bad(err, f, n ? "too many of a field" : "a field is missing", rules[i].tag);
	}
	return 0;
}

int frame_decode(const uint8_t *msg, size_t len, bool from_child, struct frame *ret, struct err **err)
{
	struct frame f = { 0 };
	struct rd r = RD_INIT(msg, len);

	if (len < HEADER_SIZE || len > FRAME_MAX)
		return err_set(err, ERR_INTEGRITY, "frame", "a message of %zu bytes", len);
	f.type = rd_u8(&r);
	if (rd_u8(&r) != 0 || !type_known(f.type, from_child))
		return err_set(err, ERR_INTEGRITY, "frame", "a message of unknown type %u", f.type);
	f.seq = rd_u16be(&r);
	while (rd_left(&r) > 0) {
		struct frame_field fd = { 0 };

		if (rd_left(&r) < FIELD_HEADER_SIZE)
			return bad(err, &f, "a cut field", 0);
		fd.tag = rd_u16be(&r);
		fd.len = rd_u32be(&r);
		if (fd.tag == TAG_PAD && fd.len == 0 && rd_left(&r) == 0)
			break;
		if (fd.len > rd_left(&r))
			return bad(err, &f, "a field longer than the message", fd.tag);
		fd.data = r.p + r.off;
		rd_skip(&r, fd.len);
		if (f.n == FRAME_FIELDS_MAX)
			return bad(err, &f, "too many fields", fd.tag);
		if (check_field(&f, &fd, err) < 0)
			return -1;
		f.field[f.n++] = fd;
	}
	if (check_counts(&f, err) < 0)
		return -1;
	*ret = f;
	return 0;
}

/* First field of this tag, NULL when there is none. */
static const struct frame_field *first(const struct frame *f, enum frame_tag tag)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->field[i].tag == tag)
			return &f->field[i];
	}
	return NULL;
}

uint32_t frame_u32(const struct frame *f, enum frame_tag tag)
{
	const struct frame_field *fd = first(f, tag);
	struct rd r = RD_INIT(fd ? fd->data : NULL, fd ? fd->len : 0);

	return fd ? rd_u32be(&r) : 0;
}

uint64_t frame_u64(const struct frame *f, enum frame_tag tag)
{
	const struct frame_field *fd = first(f, tag);
	struct rd r = RD_INIT(fd ? fd->data : NULL, fd ? fd->len : 0);

	return fd ? rd_u64be(&r) : 0;
}

static char *dup_field(const struct frame_field *fd)
{
	char *s = malloc((size_t)fd->len + 1);

	if (s) {
		memcpy(s, fd->data, fd->len);
		s[fd->len] = 0;
	}
	return s;
}

char *frame_dup(const struct frame *f, enum frame_tag tag, bool *failed)
{
	const struct frame_field *fd = first(f, tag);
	char *s;

	if (!fd)
		return NULL;
	s = dup_field(fd);
	if (!s)
		*failed = true;
	return s;
}

char **frame_dup_all(const struct frame *f, enum frame_tag tag, bool *failed)
{
	char **v = NULL;

	for (size_t i = 0; i < f->n; i++) {
		_cleanup_free_ char *s = NULL;

		if (f->field[i].tag != tag)
			continue;
		s = dup_field(&f->field[i]);
		if (s)
			v = strv_append(v, s, failed);
		else
			*failed = true;
	}
	return v;
}

void frame_copy(const struct frame *f, enum frame_tag tag, char *out, size_t cap)
{
	const struct frame_field *fd = first(f, tag);
	size_t n = fd ? fd->len : 0;

	if (n >= cap)
		n = cap - 1;
	if (n)
		memcpy(out, fd->data, n);
	out[n] = 0;
}
