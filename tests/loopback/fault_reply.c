/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The protocol: sessions, the binding of evidence to key and nonce, and the ways an answer can be wrong inside. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fileio.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "tests/loopback/faultkbs.h"
#include "wire/json.h"
#include "wire/runtime_data.h"

#define SESSIONS_MAX 256
#define SAME_NONCE "c2FtZSBub25jZSBhZ2FpbiBhbmQgYWdhaW4gYW5kIGFnYWk="

struct fault_session {
	char id[33];
	char nonce[64];
	char hash[16];
	bool used, attested;
	struct jwk jwk;
};

static void send_error(struct fault_conn *c, unsigned int status, const char *name, const char *detail)
{
	_cleanup_free_ char *body = NULL;

	if (kbs_error_text(name, detail, &body, NULL) == 0)
		fault_send(c, status, "", body);
}

static struct fault_session *find_session(struct fault_kbs *k, const struct fault_request *r)
{
	static const char prefix[] = "kbs-session-id=";

	if (!k->sessions || !text_starts(r->cookie, prefix))
		return NULL;
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct fault_session *s = &k->sessions[i];

		if (s->used && strcmp(s->id, r->cookie + strlen(prefix)) == 0)
			return s;
	}
	return NULL;
}

static struct fault_session *new_session(struct fault_kbs *k)
{
	uint8_t id[16], nonce[32];

	if (!k->sessions)
		k->sessions = calloc(SESSIONS_MAX, sizeof(*k->sessions));
	if (!k->sessions || random_bytes(id, sizeof(id), NULL) < 0 || random_bytes(nonce, sizeof(nonce), NULL) < 0)
		abort();
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct fault_session *s = &k->sessions[i];

		if (s->used)
			continue;
		s->used = true;
		hex_encode(id, sizeof(id), s->id);
		b64_encode(B64_STD, nonce, sizeof(nonce), s->nonce);
		return s;
	}
	abort();
}

static void send_challenge(struct fault_conn *c, const struct fault_session *s, const struct fault_step *step)
{
	bool cookie = strcmp(step->action, "no-cookie") != 0;
	char headers[256] = "", body[8192];

	if (cookie)
		snprintf(headers, sizeof(headers), "Set-Cookie: kbs-session-id=%s; Expires=Thu, 01 Jan 1970 00:05:00 GMT\r\n", s->id);
	if (s->hash[0])
		snprintf(body, sizeof(body), "{\"nonce\":\"%s\",\"extra-params\":{\"selected-hash-algorithm\":\"%s\"}}", s->nonce,
			 s->hash);
	else
		snprintf(body, sizeof(body), "{\"nonce\":\"%s\",\"extra-params\":\"\"}",
			 strcmp(step->action, "nonce") == 0 ? step->arg : s->nonce);
	fault_send(c, 200, headers, body);
}

static void refuse_version(struct fault_conn *c, const char *wanted, bool old, const char *sent)
{
	char detail[256];

	if (old)
		snprintf(detail, sizeof(detail), "expected version: =%s, requested version: %s", wanted, sent);
	else
		snprintf(detail, sizeof(detail),
			 "Attestation error: RCAR handshake Auth failed: KBS Client Protocol Version Mismatch: expect =%s while the request is %s",
			 wanted, sent);
	send_error(c, 401, old ? "ProtocolVersion" : "AttestationError", detail);
}

static void on_auth(struct fault_conn *c, const struct fault_request *r, const struct fault_step *step)
{
	struct fault_kbs *k = c->kbs;
	struct fault_session *s;
	struct kbs_auth auth;

	if (kbs_auth_parse(r->body, r->len, &auth, NULL) < 0) {
		send_error(c, 401, "AttestationError", "Attestation error: RCAR handshake Auth failed: bad JSON");
		return;
	}
	snprintf(k->counts->version, sizeof(k->counts->version), "%s", auth.version);
	if (strcmp(step->action, "version") == 0 || strcmp(step->action, "old-version") == 0) {
		refuse_version(c, step->arg, step->action[0] == 'o', auth.version);
		return;
	}
	if (!auth.version_known || auth.protocol != k->protocol) {
		refuse_version(c, kbs_protocol_name(k->protocol), k->protocol < KBS_0_2_0, auth.version);
		return;
	}
	s = new_session(k);
	if (strcmp(step->action, "same-nonce") == 0)
		snprintf(s->nonce, sizeof(s->nonce), "%s", SAME_NONCE);
	if (strcmp(step->action, "hash") == 0)
		snprintf(s->hash, sizeof(s->hash), "%.15s", step->arg);
	send_challenge(c, s, step);
}

static void note_key(struct fault_counts *n, const struct jwk *jwk)
{
	uint8_t digest[DIGEST_MAX];

	if (jwk->key.rsa)
		snprintf(n->key_type, sizeof(n->key_type), "%s %zu", jwk->alg == JWK_RSA1_5 ? "RSA1_5" : "RSA", jwk->key.n_len * 8);
	else
		snprintf(n->key_type, sizeof(n->key_type), "P-%u", jwk->key.curve_bits);
	digest_bytes(DIGEST_SHA256, jwk->key.rsa ? jwk->key.n : jwk->key.x, jwk->key.rsa ? jwk->key.n_len : jwk->key.coord_len,
		     digest, NULL);
	for (unsigned int i = 0; i < n->distinct_keys; i++) {
		if (memcmp(n->key[i], digest, 32) == 0)
			return;
	}
	if (n->distinct_keys < FAULT_KEYS_MAX)
		memcpy(n->key[n->distinct_keys++], digest, 32);
}

/* The sample evidence holds the report data: is it the one for this key and this nonce? */
static bool bound(const struct fault_kbs *k, const struct fault_session *s, const struct kbs_attest *a)
{
	enum digest_alg alg = DIGEST_SHA384;
	const char *sent = NULL;
	uint8_t want[64];
	char text[128];

	if (s->hash[0] && digest_by_name(s->hash, &alg, NULL) < 0)
		return false;
	if (json_get_str(a->evidence, "evidence", "report_data", &sent, NULL) < 0 ||
	    runtime_data_report_data(k->protocol, alg, s->nonce, &a->jwk, a->additional_evidence, want, NULL) < 0)
		return false;
	b64_encode(B64_STD, want, sizeof(want), text);
	return strcmp(text, sent) == 0 && (k->protocol != KBS_0_4_0 || strcmp(a->nonce, s->nonce) == 0);
}

static void send_token(struct fault_conn *c, const struct fault_step *step)
{
	_cleanup_free_ char *body = NULL, *token = NULL;

	if (strcmp(step->action, "no-token") == 0) {
		fault_send(c, 200, "", "{}");
		return;
	}
	token = calloc(1, 65536 + 64);
	if (!token)
		abort();
	snprintf(token, 32, "head.body.signature");
	if (strcmp(step->action, "long-token") == 0)
		memset(token, 'a', 65537);
	if (kbs_token_text(token, &body, NULL) == 0)
		fault_send(c, 200, "", body);
}

static void on_attest(struct fault_conn *c, const struct fault_request *r, const struct fault_step *step)
{
	static const char fixed[] = "Attestation error: RCAR handshake Attest failed";
	_cleanup_(kbs_attest_clear) struct kbs_attest a = { 0 };
	struct fault_kbs *k = c->kbs;
	struct fault_session *s = find_session(k, r);

	if (!s)
		k->counts->bad_cookie++;
	if (!s || kbs_attest_parse(k->protocol, r->body, r->len, &a, NULL) < 0) {
		send_error(c, 401, "AttestationError", fixed);
		return;
	}
	if (strcmp(step->action, "unread") != 0 && !bound(k, s, &a)) {
		k->counts->bad_binding++;
		send_error(c, 401, "AttestationError", fixed);
		return;
	}
	s->attested = true;
	s->jwk = a.jwk;
	send_token(c, step);
}

static void send_secret(struct fault_conn *c, const struct fault_session *s, const struct fault_step *step)
{
	const struct fault_conf *conf = &c->kbs->conf;
	size_t len = conf->secret_len ? conf->secret_len : strlen(conf->secret);
	_cleanup_free_ char *body = NULL;
	struct keypair *other = NULL;
	struct jwk to = s->jwk;

	if (strcmp(step->action, "plain") == 0) {
		fault_send(c, 200, "", conf->secret);
		return;
	}
	if (strcmp(step->action, "jwe-key") == 0) {
		if (keypair_generate(to.key.rsa ? KEY_RSA_2048 : KEY_EC_P256, &other, NULL) < 0)
			abort();
		keypair_public(other, &to.key);
		keypair_free(other);
	}
	body = fault_jwe(&to, c->kbs->protocol, conf->secret, len, step->action);
	fault_send(c, 200, "", body);
}

static void on_get(struct fault_conn *c, const struct fault_request *r, const struct fault_step *step)
{
	struct fault_session *s = find_session(c->kbs, r);

	if (!s || !s->attested) {
		c->kbs->counts->bad_cookie++;
		send_error(c, 401, "TokenNotFound", "Attestation Token not found");
		return;
	}
	send_secret(c, s, step);
}

static enum fault_where place(const struct fault_request *r)
{
	if (strcmp(r->method, "CONNECT") == 0)
		return WHERE_CONNECT;
	if (strcmp(r->method, "POST") == 0 && strcmp(r->path, "/kbs/v0/auth") == 0)
		return WHERE_AUTH;
	if (strcmp(r->method, "POST") == 0 && strcmp(r->path, "/kbs/v0/attest") == 0)
		return WHERE_ATTEST;
	if (strcmp(r->method, "POST") == 0 && strncmp(r->path, "/kbs/", 5) != 0)
		return WHERE_REPORT;
	return WHERE_GET;
}

static void answer(struct fault_conn *c, const struct fault_request *r, enum fault_where w, const struct fault_step *step)
{
	char name[64] = "";
	int n = 0;

	if (strcmp(step->action, "error") == 0) {
		sscanf(step->arg, "%63s %n", name, &n);
		send_error(c, 401, name, n ? step->arg + n : "");
	} else if (w == WHERE_AUTH) {
		on_auth(c, r, step);
	} else if (w == WHERE_ATTEST) {
		on_attest(c, r, step);
	} else if (w == WHERE_REPORT) {
		fault_send(c, 200, "", "");
	} else if (w == WHERE_GET) {
		on_get(c, r, step);
	}
}

/* Whatever becomes of the request: a key that was seen is a key that was seen. */
static void note_attest(struct fault_kbs *k, const struct fault_request *r)
{
	_cleanup_(kbs_attest_clear) struct kbs_attest a = { 0 };
	struct fault_counts *n = k->counts;

	if (n->requests[WHERE_ATTEST] < FAULT_KEYS_MAX)
		n->attest_ns[n->requests[WHERE_ATTEST]] = clock_ns();
	if (kbs_attest_parse(k->protocol, r->body, r->len, &a, NULL) == 0) {
		note_key(n, &a.jwk);
		n->init_data += a.init_data != NULL;
	}
}

void fault_answer(struct fault_conn *c, const struct fault_request *r)
{
	struct fault_kbs *k = c->kbs;
	enum fault_where w = place(r);
	struct fault_step step;

	pthread_mutex_lock(&k->lock);
	step = *fault_script_next(&k->queue[w]);
	if (w == WHERE_ATTEST)
		note_attest(k, r);
	if (w == WHERE_REPORT && k->conf.keep)
		file_write_atomic(AT_FDCWD, k->conf.keep, r->body, r->len, 0644, NULL);
	k->counts->requests[w]++;
	memcpy(k->counts->cookie, r->cookie, sizeof(k->counts->cookie));
	pthread_mutex_unlock(&k->lock);
	if (fault_misbehave(c, &step))
		return;
	if (w == WHERE_CONNECT && strcmp(step.action, "ok") == 0) {
		fault_tunnel(c, r);
		return;
	}
	pthread_mutex_lock(&k->lock);
	answer(c, r, w, &step);
	pthread_mutex_unlock(&k->lock);
}
