/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The two binary headers and their JSON areas as bytes (luks-untrusted-host.md 2): H1, H2, H3, the duplicate test of H4, H12.
 * Both copies are judged, because libcryptsetup takes the one with the higher sequence number (A4).
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "luks/audit.h"
#include "wire/json.h"

#define OFF_LABEL 24
#define OFF_CSUM_ALG 72
#define OFF_UUID 168
#define OFF_SUBSYSTEM 208
#define OFF_HDR_OFFSET 256
#define OFF_PADDING 264
#define OFF_CSUM 448
#define CSUM_SIZE 64
#define OFF_PADDING2 512
#define JSON_AREA (HDR_SIZE - HDR_BIN_SIZE)

static const uint8_t magic_first[6] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };
static const uint8_t magic_second[6] = { 'S', 'K', 'U', 'L', 0xba, 0xbe };

struct copy {
	const uint8_t *p; /* HDR_SIZE bytes */
	bool magic, csum;
	unsigned int version;
	uint64_t hdr_size, seqid, hdr_offset;
	size_t json_len; /* up to the first NUL */
};

static bool checksum_good(const uint8_t *p)
{
	static const uint8_t zero[CSUM_SIZE];
	const struct digest_piece pieces[] = {
		{ p, OFF_CSUM }, { zero, CSUM_SIZE }, { p + OFF_PADDING2, HDR_SIZE - OFF_PADDING2 }
	};
	uint8_t md[DIGEST_MAX];

	if (digest_pieces(DIGEST_SHA256, pieces, 3, md, NULL) < 0)
		return false;
	return memcmp(md, p + OFF_CSUM, 32) == 0 && all_zero(p + OFF_CSUM + 32, CSUM_SIZE - 32);
}

static void copy_read(const uint8_t *p, const uint8_t magic[static 6], struct copy *c)
{
	struct rd r = RD_INIT(p, HDR_SIZE);

	*c = (struct copy){ .p = p, .magic = memcmp(p, magic, 6) == 0 };
	rd_seek(&r, 6);
	c->version = rd_u16be(&r);
	c->hdr_size = rd_u64be(&r);
	c->seqid = rd_u64be(&r);
	rd_seek(&r, OFF_HDR_OFFSET);
	c->hdr_offset = rd_u64be(&r);
	c->json_len = strnlen((const char *)p + HDR_BIN_SIZE, JSON_AREA);
	c->csum = c->magic && checksum_good(p);
}

static bool copy_whole(const struct copy *c)
{
	return c->magic && c->version == 2 && c->csum;
}

/* NUL-padded printable text in a fixed field, the rest zero. */
static bool field_clean(const uint8_t *p, size_t n)
{
	size_t len = strnlen((const char *)p, n);

	for (size_t i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	return len < n && all_zero(p + len, n - len);
}

static void fail_field(struct audit *a, const char *id, const char *name, const uint8_t *p, size_t n, const char *allowed)
{
	char found[72];

	text_sanitise((const char *)p, strnlen((const char *)p, n), found, sizeof(found));
	audit_fail_text(a, id, name, found, allowed);
}

static void fail_number(struct audit *a, const char *id, const char *name, uint64_t found, const char *allowed)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, found);
	audit_fail_text(a, id, name, text, allowed);
}

/* H1: what the first copy is. False when it is nothing that can be read on. */
static bool check_container(struct audit *a, const struct copy *c, const struct copy *second)
{
	audit_base(a, "header");
	if (!c->magic && copy_whole(second)) {
		audit_fail_text(a, "H2-torn", "magic", "absent in the first copy only", "the same header in both copies");
		return false;
	}
	if (!c->magic) {
		audit_fail_text(a, "H1", "magic", all_zero(c->p, HDR_BIN_SIZE) ? "zero bytes" : "something else",
				"a LUKS2 header");
		return false;
	}
	if (c->version != 2) {
		fail_number(a, "H1", "version", c->version, "2 (LUKS1 is refused: `cryptsetup convert --type luks2`)");
		return false;
	}
	if (c->hdr_size != HDR_SIZE) {
		fail_number(a, "H3", "hdr_size", c->hdr_size, "16384");
		return false;
	}
	if (c->hdr_offset != 0)
		fail_number(a, "H1", "hdr_offset", c->hdr_offset, "0");
	if (memcmp(c->p + OFF_CSUM_ALG, "sha256", 7) != 0 || !field_clean(c->p + OFF_CSUM_ALG, 32))
		fail_field(a, "H1", "csum_alg", c->p + OFF_CSUM_ALG, 32, "sha256");
	if (!c->csum)
		audit_fail_text(a, copy_whole(second) ? "H2-torn" : "H1", "csum", "wrong", "the checksum of the first copy");
	if (!all_zero(c->p + OFF_PADDING, OFF_CSUM - OFF_PADDING) || !all_zero(c->p + OFF_PADDING2, HDR_BIN_SIZE - OFF_PADDING2))
		audit_fail_text(a, "H1", "padding", "data", "zero bytes");
	return true;
}

static void check_json_tail(struct audit *a, const struct copy *c)
{
	const uint8_t *json = c->p + HDR_BIN_SIZE;

	if (c->json_len == JSON_AREA)
		audit_fail_text(a, "H2", "json", "not terminated", "text with a final NUL");
	else if (!all_zero(json + c->json_len, JSON_AREA - c->json_len))
		audit_fail_text(a, "H2", "json", "data after the final NUL", "zero bytes");
}

/* H2: the second copy says the same as the first. */
static void check_second(struct audit *a, const struct copy *c, const struct copy *s)
{
	audit_base(a, "header.second");
	if (!s->magic || !s->csum) {
		audit_fail_text(a, c->csum ? "H2-torn" : "H2", s->magic ? "csum" : "magic", "wrong",
				"a whole second copy at 16384");
		return;
	}
	if (s->version != 2)
		fail_number(a, "H2", "version", s->version, "2");
	if (s->hdr_size != HDR_SIZE)
		fail_number(a, "H2", "hdr_size", s->hdr_size, "16384");
	if (s->hdr_offset != HDR_SIZE)
		fail_number(a, "H2", "hdr_offset", s->hdr_offset, "16384");
	if (memcmp(s->p + OFF_CSUM_ALG, c->p + OFF_CSUM_ALG, 32) != 0)
		fail_field(a, "H2", "csum_alg", s->p + OFF_CSUM_ALG, 32, "as in the first copy");
	if (memcmp(s->p + OFF_UUID, c->p + OFF_UUID, 40) != 0)
		fail_field(a, "H2", "uuid", s->p + OFF_UUID, 40, "as in the first copy");
	if (memcmp(s->p + OFF_LABEL, c->p + OFF_LABEL, 48) != 0)
		fail_field(a, "H2", "label", s->p + OFF_LABEL, 48, "as in the first copy");
	if (memcmp(s->p + OFF_SUBSYSTEM, c->p + OFF_SUBSYSTEM, 48) != 0)
		fail_field(a, "H2", "subsystem", s->p + OFF_SUBSYSTEM, 48, "as in the first copy");
	if (!all_zero(s->p + OFF_PADDING, OFF_CSUM - OFF_PADDING) || !all_zero(s->p + OFF_PADDING2, HDR_BIN_SIZE - OFF_PADDING2))
		audit_fail_text(a, "H2", "padding", "data", "zero bytes");
	/* cryptsetup writes the first copy first: only "first is newer by one" is what an interrupted update leaves. Anything
	 * else gets no hint to repair, which would keep the newer, that is the hostile, copy. */
	if (c->seqid == s->seqid + 1)
		fail_number(a, "H2-torn", "seqid", s->seqid, "as in the first copy");
	else if (c->seqid != s->seqid)
		fail_number(a, "H2", "seqid", s->seqid, "as in the first copy");
	else if (c->json_len != s->json_len || memcmp(c->p + HDR_BIN_SIZE, s->p + HDR_BIN_SIZE, c->json_len) != 0)
		audit_fail_text(a, "H2", "json", "different", "as in the first copy");
	check_json_tail(a, s);
}

/* H12 */
static void check_text(struct audit *a, const struct copy *c, struct luks_header *ret)
{
	const uint8_t *uuid = c->p + OFF_UUID;

	audit_base(a, "header");
	if (!field_clean(c->p + OFF_LABEL, 48))
		fail_field(a, "H12", "label", c->p + OFF_LABEL, 48, "at most 47 printable ASCII characters");
	else
		memcpy(ret->label, c->p + OFF_LABEL, 48);
	if (!field_clean(c->p + OFF_SUBSYSTEM, 48))
		fail_field(a, "H12", "subsystem", c->p + OFF_SUBSYSTEM, 48, "at most 47 printable ASCII characters");
	if (!field_clean(uuid, 40) || strlen((const char *)uuid) != 36 || !text_is_uuid((const char *)uuid)) {
		fail_field(a, "H12", "uuid", uuid, 40, "a UUID");
		return;
	}
	for (size_t i = 0; i < 36; i++)
		ret->uuid[i] = (char)tolower(uuid[i]);
	if (a->policy->uuid && strcasecmp(a->policy->uuid, ret->uuid) != 0)
		fail_field(a, "H12", "uuid", uuid, 40, "the UUID of the configuration");
}

/* H3: the end of the keyslot area is where the data begins, at most 16 MiB from the start. */
static bool check_geometry(struct audit *a, const json_t *root, struct luks_header *ret)
{
	const json_t *v = json_object_get(json_object_get(root, "config"), "keyslots_size");
	uint64_t size;

	audit_base(a, "config");
	if (!json_u64_text(v, &size) || size == 0 || size % 4096 != 0 || size > DATA_OFFSET_MAX - HDR_BOTH) {
		audit_fail(a, "H3", "keyslots_size", v, "a multiple of 4096 as string, data offset at most 16 MiB");
		return false;
	}
	ret->hdr_size = HDR_SIZE;
	ret->data_offset = HDR_BOTH + size;
	return true;
}

bool header_parse(struct audit *a, const uint8_t *area, size_t len, struct luks_header *ret)
{
	_cleanup_err_ struct err *e = NULL;
	struct copy first, second;

	if (len < HDR_BOTH) {
		audit_base(a, "header");
		audit_fail_text(a, "H1", NULL, "shorter than 32 KiB", "a LUKS2 header");
		return false;
	}
	copy_read(area, magic_first, &first);
	copy_read(area + HDR_SIZE, magic_second, &second);
	if (!check_container(a, &first, &second))
		return false;
	check_second(a, &first, &second);
	check_text(a, &first, ret);
	audit_base(a, "header");
	check_json_tail(a, &first);
	if (json_parse((const char *)area + HDR_BIN_SIZE, first.json_len, JSON_AREA, false, &ret->json, &e) < 0) {
		audit_fail_text(a, "H4", "json", err_message(e), "JSON without duplicate members");
		return false;
	}
	if (!json_is_object(ret->json)) {
		audit_fail(a, "H4", "json", ret->json, "an object");
		return false;
	}
	return check_geometry(a, ret->json, ret);
}
