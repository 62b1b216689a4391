/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Replies, /auth and resources; attest.c holds /attest. */
#include "kbsd/handshake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kbsd/attest.h"
#include "kbsd/audit_log.h"
#include "kbsd/cookie.h"
#include "kbsd/token.h"
#include "wire/jwe.h"
#include "wire/resource_uri.h"

void reply_error(struct reply *ret, unsigned int status, const char *name, const char *detail)
{
	reply_clear(ret);
	ret->status = status;
	if (kbs_error_text(name, detail, &ret->body, NULL) < 0)
		ret->status = 500;
}

void reply_clear(struct reply *r)
{
	free(r->body);
	*r = (struct reply){ 0 };
}

struct session *caller_session(struct handshake *h, const struct caller *c)
{
	size_t len = 0;
	const char *id = cookie_session_id(c->cookie, &len);

	return id ? sessions_find(h->sessions, id, len, c->now) : NULL;
}

static void refuse_auth(struct reply *ret, const char *why)
{
	char detail[256];

	snprintf(detail, sizeof(detail), "Attestation error: RCAR handshake Auth failed: %s", why);
	reply_error(ret, 401, "AttestationError", detail);
}

static enum kbs_protocol newest_spoken(const struct handshake *h)
{
	enum kbs_protocol p = KBS_0_4_0;

	while (p > KBS_0_2_0 && !h->protocol[p])
		p--;
	return p;
}

void handshake_auth(struct handshake *h, const struct caller *c, const char *body, size_t len, struct reply *ret)
{
	const struct audit_who who = { .address = c->address };
	_cleanup_err_ struct err *e = NULL;
	struct kbs_auth rq;
	struct session *s;
	enum tee_kind tee;
	char why[128];

	if (kbs_auth_parse(body, len, &rq, &e) < 0) {
		audit_refused_err(&who, "auth", e);
		refuse_auth(ret, "malformed request");
		return;
	}
	if (!rq.version_known || !h->protocol[rq.protocol]) {
		snprintf(why, sizeof(why), "KBS Client Protocol Version Mismatch: expect =%s while the request is %s",
			 kbs_protocol_name(newest_spoken(h)), rq.version);
		audit_refused(&who, "auth", "version", "%s", why);
		refuse_auth(ret, why);
		return;
	}
	tee = tee_kind_by_name(rq.tee);
	if (tee != TEE_SNP && tee != TEE_TDX) {
		audit_refused(&who, "auth", "tee", "\"%s\" is not verified here, only snp and tdx", rq.tee);
		refuse_auth(ret, "unsupported tee");
		return;
	}
	if (sessions_create(h->sessions, c->peer, tee, rq.protocol, c->now, &s, &e) < 0 ||
	    kbs_challenge_text(s->nonce, &ret->body, &e) < 0) {
		audit_refused_err(&who, "auth", e);
		reply_clear(ret);
		ret->status = 500;
		return;
	}
	ret->status = 200;
	cookie_put(s, ret->cookie);
}

/* The cookie of an attested session first; a Bearer token when that leads nowhere (kbs-protocol.md 2.3). */
static struct session *authorise(struct handshake *h, const struct caller *c, struct reply *ret)
{
	struct session *s = caller_session(h, c);
	const struct audit_who who = { .address = c->address, .session = s };
	_cleanup_err_ struct err *e = NULL;

	if (s && s->attested)
		return s;
	if (!c->authorization || strncasecmp(c->authorization, "Bearer ", 7) != 0) {
		audit_refused(&who, "get", "session", s ? "the session is not attested" : "no session, or it is over");
		reply_error(ret, 401, "TokenNotFound", "Attestation Token not found");
		return NULL;
	}
	if (token_session(h->assets->token_key, h->sessions, c->authorization + 7, c->now, &s, &e) < 0) {
		audit_refused_err(&who, "get", e);
		reply_error(ret, 401, "TokenVerifierError", "Token Verifier error");
		return NULL;
	}
	return s;
}

static bool policy_allows(struct handshake *h, const struct audit_who *who, const char *name, struct policy_decision *d)
{
	const struct attested *a = who->session->attested;
	const struct policy_request rq = {
		.resource = name,
		.verdict = &a->verdict,
		.init_data = a->has_init_data ? &a->init_data : NULL,
		.test_server = trust_anchors_have_test(h->assets->anchors),
	};
	_cleanup_err_ struct err *e = NULL;

	if (policy_evaluate(h->assets->policy, &rq, d, &e) < 0) {
		audit_refused_err(who, "get", e);
		return false;
	}
	if (!d->allow)
		audit_refused_policy(who, name, d);
	return d->allow;
}

static void encrypt(const struct audit_who *who, const struct resource *r, struct reply *ret, struct err **err)
{
	const struct jwk *to = &who->session->attested->jwk;

	/* RSA1_5 was only ever the key of protocols that are not spoken here; its padding is an oracle. */
	if (to->alg == JWK_RSA1_5)
		err_set(err, ERR_REFUSED, "jwk-alg", "the client's key asks for RSA1_5");
	else if (jwe_encrypt(to, secret_cdata(r->content), secret_len(r->content), &ret->body, err) == 0)
		ret->status = 200;
}

void handshake_resource(struct handshake *h, const struct caller *c, const char *path, struct reply *ret)
{
	struct session *s = authorise(h, c, ret);
	const struct audit_who who = { .address = c->address, .session = s };
	__attribute__((cleanup(policy_decision_clear))) struct policy_decision d = { 0 };
	_cleanup_err_ struct err *e = NULL;
	const struct resource *r;
	struct resource_uri uri;

	if (!s)
		return;
	if (resource_uri_parse(path, &uri, &e) < 0 || strcmp(uri.path, path) != 0) {
		if (e)
			audit_refused_err(&who, "get", e);
		else
			audit_refused(&who, "get", "path", "not the path of a resource");
		reply_error(ret, 401, "PluginInternalError", "Plugin internal error");
		return;
	}
	if (!policy_allows(h, &who, uri.path, &d)) {
		reply_error(ret, 401, "PolicyDeny", "Access denied by policy");
		return;
	}
	/* Whether a resource exists is told only to a machine that the policy would give it to. */
	r = store_find(h->assets->resources, uri.path);
	if (!r) {
		audit_refused(&who, "get", "no-resource", "%s: allowed by %s, but there is no such resource", uri.path,
			      d.rule);
		reply_error(ret, 401, "PluginInternalError", "Plugin internal error");
		return;
	}
	encrypt(&who, r, ret, &e);
	if (e) {
		audit_refused_err(&who, "get", e);
		reply_error(ret, 401, "JweError", "JWE failed");
		return;
	}
	audit_released(&who, uri.path, &d);
}
