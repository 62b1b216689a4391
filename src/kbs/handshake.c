/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One attempt at one URL. Nothing here waits or tries again, but for the protocol version. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kbs/session_impl.h"
#include "wire/runtime_data.h"

#define BASE "/kbs/v0"
#define VERSIONS_MAX 3 /* changes of the version in one attempt; a server that goes on is out of its mind */

static const struct kbs_failure final_failure = { .verdict = { .action = ACT_FINAL } };
static const struct kbs_failure odd_answer = { .verdict = { ACT_NEXT_URL, ERR_INDETERMINATE, "kbs-answer", NULL } };

static bool old_form(enum kbs_protocol p)
{
	return p < KBS_0_2_0;
}

static enum kbs_protocol *protocol(struct kbs_session *s)
{
	return &s->protocol[s->retry.cur];
}

/* It opens the broker's doors until it expires. */
void kbs_forget_token(struct kbs_session *s)
{
	if (s->token)
		wipe(s->token, strlen(s->token));
	free(s->token);
	s->token = NULL;
}

int kbs_ask(struct kbs_session *s, enum kbs_step step, const char *path, const char *body, struct transport_reply *ret,
	    struct kbs_failure *f, struct err **err)
{
	struct deadline d = deadline_earlier(s->p.deadline, deadline_in_ms(s->intervals->request));

	*f = final_failure;
	/* This broker has just answered: that our key or our evidence took so long is no outage of its. */
	if (step != STEP_AUTH && deadline_passed(s->p.deadline))
		return err_set(err, ERR_TIMEOUT, "kbs-late", "%s: the deadline passed before our key and evidence were ready",
			       s->p.source.transport.urls[s->retry.cur]);
	if (transport_request(s->p.transport, (unsigned int)s->retry.cur, body ? "POST" : "GET", path, body,
			      step == STEP_AUTH, d, ret, err) < 0)
		return -1;
	if (ret->peer_pin[0])
		memcpy(s->peer, ret->peer_pin, sizeof(s->peer));
	f->verdict = kbs_classify(step, ret);
	f->retry_after_ms = ret->retry_after_ms;
	if (f->verdict.action == ACT_PROCEED)
		return 0;
	kbs_verdict_error(&f->verdict, step, ret, err);
	return err_wrap(err, "%s", s->p.source.transport.urls[s->retry.cur]);
}

/* The server named its only version. True: it is one that we may speak, and did not just speak. */
static bool switch_version(struct kbs_session *s, const char *wanted)
{
	enum kbs_protocol p;

	if (kbs_protocol_by_name(wanted, &p, NULL) < 0 || p < s->p.source.min_protocol || p == *protocol(s) ||
	    (old_form(p) && !s->p.source.allow_rsa1_5))
		return false;
	*protocol(s) = p;
	return true;
}

static int version_error(const struct kbs_session *s, const char *wanted, struct err **err)
{
	err_set(err, ERR_CONFIG, "kbs-version", "%s: the broker speaks protocol %s only; %s and later are configured",
		s->p.source.transport.urls[s->retry.cur], wanted, kbs_protocol_name(s->p.source.min_protocol));
	return err_hint(err, "set `min-protocol = %s` if that broker is meant to stay, or update it", wanted);
}

static int auth_once(struct kbs_session *s, struct transport_reply *ret, struct kbs_failure *f, struct err **err)
{
	_cleanup_free_ char *body = NULL;

	*f = final_failure;
	if (kbs_auth_request(*protocol(s), s->p.tee, &body, err) < 0)
		return -1;
	return kbs_ask(s, STEP_AUTH, BASE "/auth", body, ret, f, err);
}

static int auth(struct kbs_session *s, struct transport_reply *ret, struct kbs_failure *f, struct err **err)
{
	for (unsigned int i = 0; i < VERSIONS_MAX; i++) {
		_cleanup_err_ struct err *e = NULL;
		char wanted[sizeof(ret->server_version)];

		if (auth_once(s, ret, f, &e) == 0)
			return 0;
		if (f->verdict.action != ACT_VERSION) {
			err_propagate(err, TAKE_PTR(e));
			return -1;
		}
		memcpy(wanted, ret->server_version, sizeof(wanted));
		transport_reply_clear(ret);
		if (strcmp(wanted, kbs_protocol_name(*protocol(s))) == 0)
			break;
		if (!switch_version(s, wanted)) {
			*f = final_failure;
			return version_error(s, wanted, err);
		}
	}
	*f = odd_answer;
	return err_set(err, ERR_INDETERMINATE, "kbs-answer", "%s: auth: the broker refuses the protocol version it names",
		       s->p.source.transport.urls[s->retry.cur]);
}

static int hash_by_name(const struct kbs_session *s, const char *name, enum digest_alg *ret, struct kbs_failure *f,
			struct err **err)
{
	if (name[0] == 0) {
		*ret = DIGEST_SHA384; /* kbs-protocol.md 3.2 */
		return 0;
	}
	if (digest_by_name(name, ret, NULL) == 0)
		return 0;
	*f = odd_answer;
	return err_set(err, ERR_INDETERMINATE, "kbs-answer", "%s: auth: the broker wants hash %s, which we do not know",
		       s->p.source.transport.urls[s->retry.cur], name);
}

static int hash_challenge(const struct kbs_session *s, const char *nonce, enum digest_alg alg, uint8_t out[static 64],
			  struct kbs_failure *f, struct err **err)
{
	if (runtime_data_report_data(s->protocol[s->retry.cur], alg, nonce, &s->jwk, "", out, err) == 0)
		return 0;
	if (err_class(*err) != ERR_INTEGRITY)
		return -1;
	/* The nonce is all in it that comes from outside. */
	*f = odd_answer;
	err_reclass(err, ERR_INDETERMINATE);
	return err_wrap(err, "%s: auth", s->p.source.transport.urls[s->retry.cur]);
}

static const char *init_data(const struct kbs_session *s, enum kbs_protocol p)
{
	return p >= KBS_0_4_0 || s->p.source.init_data_required ? s->p.source.init_data : NULL;
}

/* Evidence for this nonce and our own key, in the body of /attest. */
static int attest_body(struct kbs_session *s, const struct transport_reply *challenge, char **ret, struct kbs_failure *f,
		       struct err **err)
{
	_cleanup_free_ char *evidence = NULL;
	uint8_t report_data[64];
	enum digest_alg alg;

	*f = final_failure;
	if (agent_key_get(&s->key, old_form(*protocol(s)), s->p.deadline, &s->jwk, err) < 0 ||
	    hash_by_name(s, challenge->hash_name, &alg, f, err) < 0 ||
	    hash_challenge(s, challenge->nonce, alg, report_data, f, err) < 0 ||
	    s->p.collect(s->p.collect_ctx, report_data, s->p.deadline, &evidence, err) < 0)
		return -1;
	return kbs_attest_request(*protocol(s), challenge->nonce, &s->jwk, evidence, init_data(s, *protocol(s)), ret, err);
}

static int attest(struct kbs_session *s, const char *body, struct kbs_failure *f, struct err **err)
{
	_cleanup_(transport_reply_clear) struct transport_reply reply = { 0 };
	int r = kbs_ask(s, STEP_ATTEST, BASE "/attest", body, &reply, f, err);

	/* Only a connection that failed has kept the public key to itself. */
	if (reply.kind != TREPLY_FAIL || reply.bytes_sent)
		agent_key_mark_sent(&s->key);
	if (r < 0)
		return -1;
	kbs_forget_token(s);
	s->token = TAKE_PTR(reply.token);
	return 0;
}

int kbs_handshake(struct kbs_session *s, struct kbs_failure *f, struct err **err)
{
	_cleanup_(transport_reply_clear) struct transport_reply challenge = { 0 };
	_cleanup_free_ char *body = NULL;
	_cleanup_err_ struct err *e = NULL;
	int r;

	kbs_phase(s, "auth", true, false, "");
	r = auth(s, &challenge, f, &e);
	kbs_phase(s, "auth", false, r == 0, err_id(e));
	if (r == 0)
		r = attest_body(s, &challenge, &body, f, &e);
	if (r == 0) {
		kbs_phase(s, "attest", true, false, "");
		r = attest(s, body, f, &e);
		kbs_phase(s, "attest", false, r == 0, err_id(e));
	}
	if (r < 0)
		err_propagate(err, TAKE_PTR(e));
	return r;
}
