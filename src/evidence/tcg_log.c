/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/tcg_log.h"

#include <string.h>

#define DIGEST_SIZE_MAX 64
#define OLD_DIGEST 20 /* SHA-1, in the first record */

static int malformed(const struct rd *r, const char *what, struct err **err)
{
	return err_set(err, ERR_INTEGRITY, "event-log", "event log: %s at byte %zu", what, r->off);
}

static size_t known_size(uint16_t alg)
{
	switch (alg) {
	case TCG_SHA1:
		return 20;
	case TCG_SHA256:
		return 32;
	case TCG_SHA384:
		return 48;
	case TCG_SHA512:
		return 64;
	default:
		return 0;
	}
}

static int read_algs(const struct rd *where, struct rd *ev, struct tcg_log *log, struct err **err)
{
	uint32_t n;

	rd_skip(ev, 8); /* platform class, versions, size of UINTN */
	n = rd_u32le(ev);
	if (ev->bad || n == 0 || n > TCG_ALGS_MAX)
		return malformed(where, "bad number of digest algorithms", err);
	log->n_algs = n;
	for (size_t i = 0; i < n; i++) {
		uint16_t id = rd_u16le(ev), size = rd_u16le(ev);

		if (ev->bad || size == 0 || size > DIGEST_SIZE_MAX || (known_size(id) && known_size(id) != size))
			return malformed(where, "bad digest algorithm", err);
		log->alg[i].id = id;
		log->alg[i].size = size;
	}
	return 0;
}

int tcg_log_open(const uint8_t *raw, size_t len, struct tcg_log *ret, struct err **err)
{
	static const char signature[16] = "Spec ID Event03";
	struct tcg_log log = { .rd = RD_INIT(raw, len) };
	struct rd *r = &log.rd, ev;
	const uint8_t *sig, *data;
	uint32_t size, type;

	if (len > TCG_LOG_MAX)
		return err_set(err, ERR_INTEGRITY, "event-log", "event log: %zu bytes, at most %zu", len, TCG_LOG_MAX);
	rd_skip(r, 4);
	type = rd_u32le(r);
	rd_skip(r, OLD_DIGEST);
	size = rd_u32le(r);
	data = rd_ref(r, size);
	if (!data)
		return malformed(r, "first record is cut short", err);
	if (type != EV_NO_ACTION)
		return malformed(r, "first record is not EV_NO_ACTION: a log of SHA-1 digests alone, or none,", err);
	ev = (struct rd)RD_INIT(data, size);
	sig = rd_ref(&ev, sizeof(signature));
	if (!sig || memcmp(sig, signature, sizeof(signature)) != 0)
		return malformed(r, "first record is not a crypto-agile specification id", err);
	if (read_algs(r, &ev, &log, err) < 0)
		return -1;
	*ret = log;
	return 0;
}

bool tcg_log_has_bank(const struct tcg_log *log, enum tcg_alg alg)
{
	for (size_t i = 0; i < log->n_algs; i++)
		if (log->alg[i].id == alg)
			return true;
	return false;
}

static int read_digest(struct tcg_log *log, struct tcg_event *ev, struct err **err)
{
	struct rd *r = &log->rd;
	uint16_t id = rd_u16le(r);

	for (size_t i = 0; i < log->n_algs; i++) {
		if (log->alg[i].id != id)
			continue;
		ev->digest[ev->n_digests].alg = id;
		ev->digest[ev->n_digests].size = log->alg[i].size;
		ev->digest[ev->n_digests++].bytes = rd_ref(r, log->alg[i].size);
		return r->bad ? malformed(r, "digest is cut short", err) : 0;
	}
	return malformed(r, "digest of an algorithm that the log did not announce", err);
}

static bool at_padding(const struct rd *r)
{
	static const uint8_t ff[8] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
	const uint8_t *p = r->p + r->off;

	return rd_left(r) >= 8 && (all_zero(p, 8) || memcmp(p, ff, 8) == 0);
}

int tcg_log_next(struct tcg_log *log, struct tcg_event *ret, struct err **err)
{
	struct rd *r = &log->rd;
	struct tcg_event ev = { .offset = r->off };
	uint32_t count;

	if (!rd_left(r) || at_padding(r))
		return 0;
	ev.mr = rd_u32le(r);
	ev.type = (int)rd_u32le(r);
	count = rd_u32le(r);
	if (r->bad || count > TCG_ALGS_MAX)
		return malformed(r, "bad record header", err);
	for (uint32_t i = 0; i < count; i++)
		if (read_digest(log, &ev, err) < 0)
			return -1;
	ev.len = rd_u32le(r);
	ev.data = rd_ref(r, ev.len);
	if (r->bad)
		return malformed(r, "event is cut short", err);
	*ret = ev;
	return 1;
}

const uint8_t *tcg_event_digest(const struct tcg_event *ev, enum tcg_alg alg)
{
	const uint8_t *found = NULL;

	for (size_t i = 0; i < ev->n_digests; i++)
		if (ev->digest[i].alg == alg)
			found = ev->digest[i].bytes;
	return found;
}

int tcg_replay_init(enum tcg_alg alg, struct tcg_replay *ret, struct err **err)
{
	struct tcg_replay r = { .alg = alg, .size = known_size((uint16_t)alg) };

	if (alg == TCG_SHA256)
		r.hash = DIGEST_SHA256;
	else if (alg == TCG_SHA384)
		r.hash = DIGEST_SHA384;
	else if (alg == TCG_SHA512)
		r.hash = DIGEST_SHA512;
	else
		return err_set(err, ERR_CONFIG, "pcr-bank", "event logs are replayed for SHA-256, SHA-384 and SHA-512 only");
	/* DRTM registers start at FF until a dynamic launch (PC Client Platform TPM Profile, 4.6.2). */
	for (unsigned int p = 17; p <= 22; p++)
		memset(r.pcr[p], 0xFF, r.size);
	*ret = r;
	return 0;
}

int tcg_replay_digest(struct tcg_replay *r, unsigned int pcr, const uint8_t *digest, struct err **err)
{
	uint8_t out[DIGEST_MAX];
	const struct digest_piece pieces[] = { { r->pcr[pcr], r->size }, { digest, r->size } };

	if (digest_pieces(r->hash, pieces, 2, out, err) < 0)
		return -1;
	memcpy(r->pcr[pcr], out, r->size);
	r->touched |= UINT32_C(1) << pcr;
	return 0;
}

int tcg_replay_event(struct tcg_replay *r, const struct tcg_event *ev, struct err **err)
{
	static const char locality[16] = "StartupLocality";
	const uint8_t *digest;

	if (ev->type == EV_NO_ACTION) {
		if (ev->mr == 0 && ev->len == sizeof(locality) + 1 && memcmp(ev->data, locality, sizeof(locality)) == 0 &&
		    !(r->touched & 1))
			r->pcr[0][r->size - 1] = ev->data[sizeof(locality)];
		return 0;
	}
	if (ev->mr >= TCG_PCRS)
		return err_set(err, ERR_INTEGRITY, "event-log", "event log: register %u at byte %zu", ev->mr, ev->offset);
	digest = tcg_event_digest(ev, r->alg);
	if (!digest)
		return err_set(err, ERR_INTEGRITY, "event-log", "event log: no digest of this bank in the event at byte %zu", ev->offset);
	return tcg_replay_digest(r, ev->mr, digest, err);
}

int tcg_log_replay(const uint8_t *raw, size_t len, enum tcg_alg alg, struct tcg_replay *ret, struct err **err)
{
	struct tcg_replay r;
	struct tcg_event ev;
	struct tcg_log log;
	int rc;

	if (tcg_log_open(raw, len, &log, err) < 0 || tcg_replay_init(alg, &r, err) < 0)
		return -1;
	while ((rc = tcg_log_next(&log, &ev, err)) > 0)
		if (tcg_replay_event(&r, &ev, err) < 0)
			return -1;
	if (rc < 0)
		return -1;
	*ret = r;
	return 0;
}
