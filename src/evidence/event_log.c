/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/event_log.h"

#include <string.h>

#include "base/buf.h"
#include "crypto/digest.h"

#define EV_NO_ACTION 3
#define ALG_SHA384 0x000C
#define ALGS_MAX 8
#define DIGEST_SIZE_MAX 64

struct spec {
	size_t n;
	struct {
		uint16_t id, size;
	} alg[ALGS_MAX];
};

struct record {
	uint32_t mr, type;
	const uint8_t *sha384; /* NULL if none */
};

static int malformed(const struct rd *r, const char *what, struct err **err)
{
	return err_set(err, ERR_INTEGRITY, "event-log", "event log: %s at byte %zu", what, r->off);
}

/* The first record is in the old format and names the digests of all others (TCG PFP, TCG_EfiSpecIDEvent). */
static int read_spec(struct rd *r, struct spec *spec, struct err **err)
{
	static const char signature[16] = "Spec ID Event03";
	struct rd ev;
	const uint8_t *sig, *data;
	uint32_t size, algs;

	rd_skip(r, 4);
	if (rd_u32le(r) != EV_NO_ACTION)
		return malformed(r, "first record is not EV_NO_ACTION", err);
	rd_skip(r, 20);
	size = rd_u32le(r);
	data = rd_ref(r, size);
	if (!data)
		return malformed(r, "first record is cut short", err);
	ev = (struct rd)RD_INIT(data, size);
	sig = rd_ref(&ev, sizeof(signature));
	if (!sig || memcmp(sig, signature, sizeof(signature)) != 0)
		return malformed(r, "first record is not a crypto-agile specification id", err);
	rd_skip(&ev, 8);
	algs = rd_u32le(&ev);
	if (ev.bad || algs == 0 || algs > ALGS_MAX)
		return malformed(r, "bad number of digest algorithms", err);
	spec->n = algs;
	for (size_t i = 0; i < spec->n; i++) {
		spec->alg[i].id = rd_u16le(&ev);
		spec->alg[i].size = rd_u16le(&ev);
		if (ev.bad || spec->alg[i].size > DIGEST_SIZE_MAX ||
		    (spec->alg[i].id == ALG_SHA384 && spec->alg[i].size != 48))
			return malformed(r, "bad digest algorithm", err);
	}
	return 0;
}

static int read_digest(struct rd *r, const struct spec *spec, struct record *rec, struct err **err)
{
	uint16_t id = rd_u16le(r);

	for (size_t i = 0; i < spec->n; i++) {
		const uint8_t *d;

		if (spec->alg[i].id != id)
			continue;
		d = rd_ref(r, spec->alg[i].size);
		if (id == ALG_SHA384)
			rec->sha384 = d;
		return r->bad ? malformed(r, "digest is cut short", err) : 0;
	}
	return malformed(r, "digest of an algorithm that the log did not announce", err);
}

static int read_record(struct rd *r, const struct spec *spec, struct record *rec, struct err **err)
{
	uint32_t count;

	*rec = (struct record){ .mr = rd_u32le(r), .type = rd_u32le(r) };
	count = rd_u32le(r);
	if (r->bad || count > ALGS_MAX)
		return malformed(r, "bad record header", err);
	for (uint32_t i = 0; i < count; i++)
		if (read_digest(r, spec, rec, err) < 0)
			return -1;
	rd_skip(r, rd_u32le(r));
	if (r->bad)
		return malformed(r, "event is cut short", err);
	return 0;
}

/* The table area is far larger than the log: firmware fills the rest with FF or 00 (tee-evidence.md 2.3). */
static bool at_padding(const struct rd *r)
{
	static const uint8_t ff[8] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
	const uint8_t *p = r->p + r->off;

	return rd_left(r) >= 8 && (all_zero(p, 8) || memcmp(p, ff, 8) == 0);
}

static int extend(uint8_t rtmr[static 48], const uint8_t digest[static 48], struct err **err)
{
	const struct digest_piece pieces[] = { { rtmr, 48 }, { digest, 48 } };
	uint8_t out[DIGEST_MAX];

	if (digest_pieces(DIGEST_SHA384, pieces, 2, out, err) < 0)
		return -1;
	memcpy(rtmr, out, 48);
	return 0;
}

/* rtmr may be NULL: structure and length only. */
static int walk(const uint8_t *raw, size_t len, uint8_t (*rtmr)[48], size_t *ret_used, struct err **err)
{
	struct rd r = RD_INIT(raw, len);
	struct spec spec = { 0 };
	struct record rec;

	if (len > EVENT_LOG_MAX)
		return err_set(err, ERR_INTEGRITY, "event-log", "event log: %zu bytes, at most %d", len, EVENT_LOG_MAX);
	if (read_spec(&r, &spec, err) < 0)
		return -1;
	while (rd_left(&r) && !at_padding(&r)) {
		if (read_record(&r, &spec, &rec, err) < 0)
			return -1;
		/* Index 0 is MRTD, which the firmware does not extend. */
		if (!rtmr || rec.type == EV_NO_ACTION || rec.mr == 0)
			continue;
		if (rec.mr > 4)
			return malformed(&r, "measurement register over 4 before", err);
		if (!rec.sha384)
			return malformed(&r, "no SHA-384 digest in the event before", err);
		if (extend(rtmr[rec.mr - 1], rec.sha384, err) < 0)
			return -1;
	}
	*ret_used = r.off;
	return 0;
}

int event_log_length(const uint8_t *raw, size_t len, size_t *ret_used, struct err **err)
{
	return walk(raw, len, NULL, ret_used, err);
}

int event_log_replay(const uint8_t *raw, size_t len, uint8_t rtmr[static 4][48], struct err **err)
{
	uint8_t out[4][48] = { { 0 } };
	size_t used;

	if (walk(raw, len, out, &used, err) < 0)
		return -1;
	memcpy(rtmr, out, sizeof(out));
	return 0;
}
