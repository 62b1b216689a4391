/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * POST /attest: from a body to an attested session. Cheap checks first: the report data is compared before any signature,
 * so that a body which was not made for this nonce and key costs no public-key operation.
 */
#include "kbsd/attest.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "crypto/digest.h"
#include "evidence/trustee_json.h"
#include "kbsd/audit_log.h"
#include "kbsd/token.h"
#include "wire/runtime_data.h"

/* The client is told nothing else, whatever the cause. */
static void refuse(struct reply *ret)
{
	reply_error(ret, 401, "AttestationError", "Attestation error: RCAR handshake Attest failed");
}

static int check_report_data(const struct session *s, const struct kbs_attest *rq, const struct attested *a,
			     uint8_t expected[static TEE_REPORT_DATA], struct err **err)
{
	uint8_t found[TEE_REPORT_DATA];
	char want_hex[2 * TEE_REPORT_DATA + 1], found_hex[2 * TEE_REPORT_DATA + 1];

	if (runtime_data_report_data(s->protocol, DIGEST_SHA384, s->nonce, &rq->jwk, rq->additional_evidence, expected,
				     err) < 0 ||
	    evidence_report_data(&a->evidence, found, err) < 0)
		return -1;
	if (memcmp(found, expected, sizeof(found)) == 0)
		return 0;
	hex_encode(expected, TEE_REPORT_DATA, want_hex);
	hex_encode(found, TEE_REPORT_DATA, found_hex);
	return err_set(err, ERR_REFUSED, "report-data", "report data is %s, this nonce and key give %s", found_hex,
		       want_hex);
}

static int check_init_data(const struct kbs_attest *rq, struct attested *a, struct err **err)
{
	const uint8_t *field = a->verdict.tee == TEE_SNP ? a->verdict.snp.host_data : a->verdict.tdx.body.mrconfigid;
	size_t len = a->verdict.tee == TEE_SNP ? 32 : 48;
	char digest[2 * DIGEST_MAX + 1], bound[2 * 48 + 1];

	if (!rq->init_data)
		return 0;
	if (init_data_parse(rq->init_data, strlen(rq->init_data), &a->init_data, err) < 0)
		return -1;
	a->has_init_data = true;
	if (init_data_matches(&a->init_data, field, len))
		return 0;
	hex_encode(a->init_data.digest, digest_size(a->init_data.alg), digest);
	hex_encode(field, len, bound);
	return err_set(err, ERR_REFUSED, "init-data", "the init-data sent hashes to %s, %s is %s", digest,
		       a->verdict.tee == TEE_SNP ? "HOST_DATA" : "MRCONFIGID", bound);
}

/* What was needed for the verdict is not needed any more: certificates, event log. */
static void drop_auxiliary(struct attested *a)
{
	free(a->evidence.aux);
	a->evidence.aux = NULL;
	a->evidence.aux_len = 0;
}

/* 0: verified; -1 with *err: refused for that reason; -1 without: refused, the verdict in a says why. */
static int appraise(struct handshake *h, const struct session *s, const struct kbs_attest *rq, struct moment now,
		    struct attested *a, struct err **err)
{
	uint8_t expected[TEE_REPORT_DATA];

	/* Before 0.4.0 the body names no nonce; the report data binds it either way. */
	if (s->protocol >= KBS_0_4_0 && strcmp(rq->nonce, s->nonce) != 0)
		return err_set(err, ERR_REFUSED, "nonce", "the nonce sent is not the one of this session");
	if (*rq->additional_evidence)
		return err_set(err, ERR_REFUSED, "additional-evidence", "additional evidence cannot be verified here");
	if (evidence_from_trustee_object(s->tee, rq->evidence, &a->evidence, err) < 0 ||
	    check_report_data(s, rq, a, expected, err) < 0)
		return -1;
	const struct verify_input in = {
		.evidence = &a->evidence,
		.anchors = h->assets->anchors,
		.ca = h->assets->ca,
		.ca_len = h->assets->ca_len,
		.store_dir = h->assets->store_dir,
		.report_data = expected,
		.at = now.wall,
	};
	if (verify_evidence(&in, &a->verdict, err) < 0 || !a->verdict.verified)
		return -1;
	if (check_init_data(rq, a, err) < 0)
		return -1;
	a->jwk = rq->jwk;
	drop_auxiliary(a);
	return token_make(h->assets->token_key, s, a, now, err);
}

static void attest_cleanup(struct attested **a)
{
	attested_free(*a);
}

/* What a body of SNP evidence can be: a table of 16 KiB and a report, four characters for each byte, and init-data, escaped. */
#define SNP_BODY_MAX (768 * 1024)
#define NONCE_PART_MIN 4

/* The longest run of letters and digits in the nonce: nobody escapes these in JSON. */
static const char *plain_part(const char *nonce, size_t *ret_len)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const char *best = nonce;

	*ret_len = 0;
	for (const char *p = nonce; *p; p++) {
		size_t n = strspn(p, plain);

		if (n > *ret_len) {
			*ret_len = n;
			best = p;
		}
		p += n;
		if (!*p)
			break;
	}
	return best;
}

/* One pass over up to 2 MiB before the parser makes values of them: everybody waits for this thread. */
static bool looks_right(const struct audit_who *who, const char *body, size_t len)
{
	const struct session *s = who->session;
	size_t part_len;
	const char *part = plain_part(s->nonce, &part_len);

	if (s->tee == TEE_SNP && len > SNP_BODY_MAX) {
		audit_refused(who, "attest", "size", "%zu bytes of SNP evidence, at most %d", len, SNP_BODY_MAX);
		return false;
	}
	if (s->protocol >= KBS_0_4_0 && part_len >= NONCE_PART_MIN && !memmem(body, len, part, part_len)) {
		audit_refused(who, "attest", "nonce", "the nonce of this session, %s, is not in the body", s->nonce);
		return false;
	}
	return true;
}

static void drop_after_failures(struct handshake *h, struct session **ps, const struct audit_who *who)
{
	if (++(*ps)->failures < ATTEST_FAILURES_MAX)
		return;
	audit_refused(who, "attest", "failures", "%d bodies refused, the session ends", ATTEST_FAILURES_MAX);
	sessions_drop(h->sessions, *ps);
	*ps = NULL;
}

/* true: attested now. A session with too many failures is dropped: *ps becomes NULL. */
static bool attest_session(struct handshake *h, struct session **ps, const char *body, size_t len,
			   const uint8_t digest[static 32], const struct caller *c)
{
	const struct audit_who who = { .address = c->address, .session = *ps };
	__attribute__((cleanup(kbs_attest_clear))) struct kbs_attest rq = { 0 };
	__attribute__((cleanup(attest_cleanup))) struct attested *a = calloc(1, sizeof(*a));
	_cleanup_err_ struct err *e = NULL;

	if (!a)
		err_nomem(&e);
	if (a && kbs_attest_parse((*ps)->protocol, body, len, &rq, &e) == 0 &&
	    appraise(h, *ps, &rq, c->now, a, &e) == 0) {
		memcpy(a->body_digest, digest, 32);
		session_attest(h->sessions, *ps, TAKE_PTR(a), NULL);
		audit_attested(&who);
		return true;
	}
	if (e)
		audit_refused_err(&who, "attest", e);
	else
		audit_refused_verdict(&who, &a->verdict);
	drop_after_failures(h, ps, &who);
	return false;
}

void handshake_attest(struct handshake *h, const struct caller *c, const char *body, size_t len, struct reply *ret)
{
	struct session *s = caller_session(h, c);
	const struct audit_who who = { .address = c->address, .session = s };
	uint8_t digest[DIGEST_MAX];

	if (!s) {
		audit_refused(&who, "attest", "session", "no session, or it is over");
		refuse(ret);
		return;
	}
	if (!s->attested && !looks_right(&who, body, len)) {
		drop_after_failures(h, &s, &who);
		refuse(ret);
		return;
	}
	if (digest_bytes(DIGEST_SHA256, body, len, digest, NULL) < 0) {
		refuse(ret);
		return;
	}
	if (s->attested) {
		if (memcmp(digest, s->attested->body_digest, 32) != 0) {
			audit_refused(&who, "attest", "session-attested",
				      "another body for a session that has certified a key already");
			refuse(ret);
			return;
		}
	} else if (!attest_session(h, &s, body, len, digest, c)) {
		refuse(ret);
		return;
	}
	if (kbs_token_text(s->attested->token, &ret->body, NULL) < 0) {
		ret->status = 500;
		return;
	}
	ret->status = 200;
	cookie_put(s, ret->cookie);
}
