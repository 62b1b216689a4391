/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbs/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kbs/session_impl.h"
#include "wire/jwe.h"

#define BASE "/kbs/v0"

const struct kbs_intervals kbs_intervals_default = {
	.refused = { 5000, 15000, 30000 },
	.plugin = 60000,
	.backoff = 1000,
	.backoff_max = 30000,
	.unreached_max = 5000,
	.request = 30000,
	.route = 5000,
};

static int configure(struct kbs_session *s, struct err **err)
{
	if (transport_configure(s->p.transport, &s->p.source.transport, err) < 0)
		return err_wrap(err, "kbs %s", s->p.source.name ? s->p.source.name : "");
	s->generation = transport_generation(s->p.transport);
	s->attested = false;
	return 0;
}

int kbs_session_new(const struct kbs_params *params, struct kbs_session **ret, struct err **err)
{
	struct kbs_session *s = calloc(1, sizeof(*s));
	size_t n = 0;

	if (!s)
		return err_nomem(err);
	s->p = *params;
	s->intervals = params->intervals ? params->intervals : &kbs_intervals_default;
	if (configure(s, err) < 0 || agent_key_start(&s->key, params->source.key, err) < 0) {
		kbs_session_free(s);
		return -1;
	}
	while (params->source.transport.urls[n]) /* at most 16: configure() has counted them */
		s->protocol[n++] = KBS_0_4_0;
	retry_init(&s->retry, n, s->intervals, params->deadline);
	*ret = s;
	return 0;
}

static int cancelled(struct err **err)
{
	return err_set(err, ERR_TIMEOUT, "cancelled", "cancelled");
}

/* A broker that could not be reached is tried again as soon as there is more of a network, whatever was left of the pause. */
static void sleep_or_news(struct kbs_session *s, uint64_t ms, bool unreachable)
{
	kbs_phase(s, "net", true, false, "");
	if (!unreachable || !s->p.wait_news)
		clock_sleep_ms(ms, s->p.deadline);
	else if (s->p.wait_news(s->p.wait_ctx, deadline_earlier(s->p.deadline, deadline_in_ms(ms))))
		retry_new_network(&s->retry);
	kbs_phase(s, "net", false, !deadline_passed(s->p.deadline), "");
}

/* The pause before the next attempt; -1 with the session's result when there will be none. */
static int pause_for(struct kbs_session *s, uint64_t ms, bool unreachable, struct err **err)
{
	if (ms)
		sleep_or_news(s, ms, unreachable);
	if (clock_cancelled())
		return cancelled(err);
	if (deadline_passed(s->p.deadline))
		return retry_deadline(&s->retry, err);
	return 0;
}

/* Bounded, and whoever waited in vain still tries: a broker on this machine needs no network. */
static void wait_route(struct kbs_session *s, struct err **ret_missing)
{
	int r;

	if (!s->p.wait_route)
		return;
	kbs_phase(s, "net", true, false, "");
	r = s->p.wait_route(s->p.wait_ctx, deadline_earlier(s->p.deadline, deadline_in_ms(s->intervals->route)), ret_missing);
	kbs_phase(s, "net", false, r == 0, err_id(*ret_missing));
}

/* What was missing says more than how the attempt without it failed. */
static void name_missing(struct err **missing, struct err **e)
{
	if (!*missing || err_class(*missing) != ERR_UNREACHABLE || err_class(*e) != ERR_UNREACHABLE)
		return;
	err_clear(e);
	*e = TAKE_PTR(*missing);
}

static void announce(const struct kbs_session *s, uint64_t wait_ms)
{
	if (s->p.events.retrying)
		s->p.events.retrying(s->p.events.ctx, kbs_session_url(s), wait_ms, retry_last(&s->retry));
}

/* After a failed attempt: 0 = try again now, -1 = *err is the result. Takes *e over. */
static int recover(struct kbs_session *s, const struct kbs_failure *f, struct err **e, struct err **err)
{
	const bool unreachable = err_class(*e) == ERR_UNREACHABLE && !f->retry_after_ms;
	uint64_t wait_ms = 0;

	s->attested = false;
	if (!retry_note(&s->retry, &f->verdict, f->retry_after_ms, clock_ns(), e, &wait_ms)) {
		err_propagate(err, TAKE_PTR(*e));
		return -1;
	}
	announce(s, wait_ms);
	/* Now, so that an RSA key is made during the pause. */
	if (agent_key_renew(&s->key, err) < 0)
		return -1;
	return pause_for(s, wait_ms, unreachable, err);
}

static int attest(struct kbs_session *s, struct err **err)
{
	if (transport_generation(s->p.transport) != s->generation && configure(s, err) < 0)
		return -1;
	if (agent_key_renew(&s->key, err) < 0 || pause_for(s, 0, false, err) < 0)
		return -1;
	for (;;) {
		_cleanup_err_ struct err *e = NULL, *missing = NULL;
		struct kbs_failure f;

		wait_route(s, &missing);
		if (kbs_handshake(s, &f, &e) == 0)
			break;
		name_missing(&missing, &e);
		if (recover(s, &f, &e, err) < 0)
			return -1;
	}
	retry_attested(&s->retry);
	s->attested = true;
	return 0;
}

int kbs_session_attest(struct kbs_session *s, struct err **err)
{
	retry_begin(&s->retry);
	return attest(s, err);
}

/* A GET that was answered: decrypts. An answer that does not decrypt is worth one more handshake with a new key. */
static int open_reply(struct kbs_session *s, struct transport_reply *reply, struct secret **ret, struct kbs_failure *f,
		      struct err **err)
{
	static const struct kbs_failure again = { .verdict = { ACT_HANDSHAKE_ONCE, ERR_INDETERMINATE, "jwe", NULL } };
	static const struct kbs_failure final = { .verdict = { .action = ACT_FINAL } };
	const struct jwe jwe = {
		.protected_text = reply->jwe[0],
		.encrypted_key = reply->jwe[1],
		.iv = reply->jwe[2],
		.ciphertext = reply->jwe[3],
		.tag = reply->jwe[4],
	};
	_cleanup_err_ struct err *e = NULL;

	if (jwe_decrypt(&jwe, s->key.pair, s->jwk.alg, kbs_session_protocol(s) < KBS_0_2_0, ret, &e) == 0)
		return 0;
	*f = final;
	if (err_class(e) == ERR_INTEGRITY) {
		*f = again;
		err_reclass(&e, ERR_INDETERMINATE);
	}
	err_wrap(&e, "%s: get", kbs_session_url(s));
	err_propagate(err, TAKE_PTR(e));
	return -1;
}

static int get_once(struct kbs_session *s, const char *path, struct secret **ret, struct kbs_failure *f, struct err **err)
{
	_cleanup_(transport_reply_clear) struct transport_reply reply = { 0 };
	_cleanup_err_ struct err *e = NULL;
	int r;

	kbs_phase(s, "get", true, false, "");
	r = kbs_ask(s, STEP_GET, path, NULL, &reply, f, &e);
	if (r == 0)
		r = open_reply(s, &reply, ret, f, &e);
	kbs_phase(s, "get", false, r == 0, err_id(e));
	if (r < 0)
		err_propagate(err, TAKE_PTR(e));
	return r;
}

/* Repeats a GET whose plugin is in trouble, on the same session; returns when it is answered in any other way. */
static int get(struct kbs_session *s, const char *path, struct secret **ret, struct kbs_failure *f, struct err **err)
{
	struct deadline until = deadline_earlier(s->p.deadline, deadline_in_ms(s->intervals->plugin));
	struct backoff backoff = { .first_ms = s->intervals->backoff, .max_ms = s->intervals->backoff_max };

	for (;;) {
		_cleanup_err_ struct err *e = NULL;
		uint64_t ms;

		if (get_once(s, path, ret, f, &e) == 0)
			return 0;
		if (f->verdict.action != ACT_REPEAT_GET || deadline_passed(until)) {
			if (f->verdict.action == ACT_REPEAT_GET)
				f->verdict.action = ACT_FINAL;
			err_propagate(err, TAKE_PTR(e));
			return -1;
		}
		ms = backoff_next_ms(&backoff);
		retry_remember(&s->retry, clock_ns(), &e);
		announce(s, ms);
		clock_sleep_ms(ms, until);
		if (clock_cancelled()) {
			f->verdict.action = ACT_FINAL;
			return cancelled(err);
		}
	}
}

int kbs_session_fetch(struct kbs_session *s, const struct resource_uri *uri, struct secret **ret, struct err **err)
{
	char path[sizeof(BASE) + 512] = BASE;

	if (resource_uri_http_path(uri, path + strlen(BASE), sizeof(path) - strlen(BASE), err) < 0)
		return -1;
	retry_begin(&s->retry);
	for (;;) {
		_cleanup_err_ struct err *e = NULL;
		struct kbs_failure f;

		if (transport_generation(s->p.transport) != s->generation)
			s->attested = false;
		if (!s->attested && attest(s, err) < 0)
			return -1;
		if (get(s, path, ret, &f, &e) == 0)
			break;
		if (recover(s, &f, &e, err) < 0)
			return -1;
	}
	retry_succeeded(&s->retry);
	return 0;
}

void kbs_session_set_deadline(struct kbs_session *s, struct deadline d)
{
	s->p.deadline = d;
	s->retry.deadline = d;
}

const char *kbs_session_token(const struct kbs_session *s)
{
	return s->token ? s->token : "";
}

enum kbs_protocol kbs_session_protocol(const struct kbs_session *s)
{
	return s->protocol[s->retry.cur];
}

const char *kbs_session_url(const struct kbs_session *s)
{
	return s->p.source.transport.urls[s->retry.cur];
}

const char *kbs_session_peer(const struct kbs_session *s)
{
	return s->peer;
}

void kbs_session_free(struct kbs_session *s)
{
	if (!s)
		return;
	agent_key_clear(&s->key);
	retry_free(&s->retry);
	kbs_forget_token(s);
	free(s);
}
