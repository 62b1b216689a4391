/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbs/retry.h"

#include <string.h>

#include "base/cleanup.h"

void retry_init(struct retry *r, size_t n_urls, const struct kbs_intervals *intervals, struct deadline deadline)
{
	memset(r, 0, sizeof(*r));
	r->n_urls = n_urls;
	r->intervals = intervals;
	r->deadline = deadline;
	r->backoff = (struct backoff){ .first_ms = intervals->backoff, .max_ms = intervals->backoff_max };
}

void retry_free(struct retry *r)
{
	err_clear(&r->worst);
	err_clear(&r->last);
}

static unsigned int gravity(const struct err *e)
{
	switch (err_class(e)) {
	case ERR_UNREACHABLE:
		return 0;
	case ERR_INDETERMINATE:
		return 1;
	case ERR_REFUSED:
		return 2;
	default:
		return 3;
	}
}

/* What the deadline itself cut off says "timed out", which explains less than the failure before it. */
static bool outweighs(const struct retry *r, const struct err *e, uint64_t now_ns)
{
	if (!r->worst || gravity(e) > gravity(r->worst))
		return true;
	return gravity(e) == gravity(r->worst) && now_ns < r->deadline.at_ns;
}

void retry_remember(struct retry *r, uint64_t now_ns, struct err **e)
{
	struct err **slot = outweighs(r, *e, now_ns) ? &r->worst : &r->last;

	err_clear(&r->last);
	err_clear(slot);
	*slot = TAKE_PTR(*e);
}

const struct err *retry_last(const struct retry *r)
{
	return r->last ? r->last : r->worst;
}

void retry_new_network(struct retry *r)
{
	r->backoff.step = 0;
	r->tried = 0;
}

void retry_begin(struct retry *r)
{
	r->once_used = false;
}

static size_t usable_urls(const struct retry *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_urls; i++)
		n += !r->url[i].wrong_identity;
	return n;
}

/* The next usable URL in order, or, when its Retry-After still runs, the one that is free first. */
static uint64_t advance(struct retry *r, uint64_t now_ns)
{
	size_t best = r->cur;
	uint64_t at = UINT64_MAX;

	for (size_t i = 1; i <= r->n_urls; i++) {
		size_t u = (r->cur + i) % r->n_urls;
		uint64_t free_at = r->url[u].not_before_ns > now_ns ? r->url[u].not_before_ns : now_ns;

		if (r->url[u].wrong_identity || free_at >= at)
			continue;
		best = u;
		at = free_at;
	}
	r->cur = best;
	return at == UINT64_MAX ? 0 : (at - now_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
}

/* Long pauses spare a broker that is there and in trouble. One that is not up yet, or not within reach, wants to be found soon. */
static uint64_t pause_max(const struct retry *r, const struct kbs_verdict *v)
{
	const bool nobody = v->cls == ERR_UNREACHABLE && strncmp(v->id, "net-", strlen("net-")) == 0;

	return nobody && r->intervals->unreached_max ? r->intervals->unreached_max : r->intervals->backoff_max;
}

static uint64_t next_url(struct retry *r, const struct kbs_verdict *v, uint64_t now_ns)
{
	uint64_t free_in = advance(r, now_ns), pause = 0;

	if (++r->tried >= usable_urls(r)) {
		r->tried = 0;
		r->backoff.max_ms = pause_max(r, v);
		pause = backoff_next_ms(&r->backoff);
	}
	return pause > free_in ? pause : free_in;
}

/* False: every other URL had its one chance after the first identity failure. */
static bool identity_allows(struct retry *r)
{
	if (!r->identity_seen)
		return true;
	if (r->identity_left == 0)
		return false;
	r->identity_left--;
	return true;
}

static bool note_identity(struct retry *r, uint64_t now_ns, uint64_t *ret_wait_ms)
{
	r->url[r->cur].wrong_identity = true;
	if (usable_urls(r) == 0)
		return false;
	if (!r->identity_seen)
		r->identity_left = usable_urls(r);
	r->identity_seen = true;
	if (!identity_allows(r))
		return false;
	*ret_wait_ms = advance(r, now_ns);
	return true;
}

/* An answer counts as what it is. Trouble of our own (no evidence this time, a transport process that died) does not make an
 * earlier refusal look like something that a vTPM may make up for. */
static void keep_refusal(struct retry *r, struct err **e)
{
	switch (err_class(*e)) {
	case ERR_REFUSED:
	case ERR_IDENTITY:
	case ERR_INTEGRITY:
	case ERR_CONFIG:
		return;
	default:
		break;
	}
	if (!r->worst || err_class(r->worst) != ERR_REFUSED)
		return;
	err_clear(e);
	*e = TAKE_PTR(r->worst);
}

bool retry_note(struct retry *r, const struct kbs_verdict *v, uint64_t retry_after_ms, uint64_t now_ns, struct err **e,
		uint64_t *ret_wait_ms)
{
	bool again;

	if (v->action == ACT_FINAL || (v->action == ACT_PACED && r->refusals >= ARRAY_SIZE(r->intervals->refused)) ||
	    (v->action == ACT_HANDSHAKE_ONCE && r->once_used)) {
		keep_refusal(r, e);
		return false;
	}
	retry_remember(r, now_ns, e);
	*ret_wait_ms = 0;
	if (v->action == ACT_HANDSHAKE_ONCE) {
		r->once_used = true;
		return true;
	}
	if (v->action == ACT_PACED) {
		*ret_wait_ms = r->intervals->refused[r->refusals++];
		return true;
	}
	if (v->action == ACT_OTHER_SERVER) {
		again = note_identity(r, now_ns, ret_wait_ms);
	} else {
		r->url[r->cur].not_before_ns = now_ns + retry_after_ms * NSEC_PER_MSEC;
		again = identity_allows(r);
		if (again)
			*ret_wait_ms = next_url(r, v, now_ns);
	}
	if (!again)
		*e = TAKE_PTR(r->worst);
	return again;
}

void retry_attested(struct retry *r)
{
	r->refusals = 0;
	r->identity_seen = false;
	err_clear(&r->last);
	if (r->worst && err_class(r->worst) == ERR_REFUSED)
		err_clear(&r->worst);
}

void retry_succeeded(struct retry *r)
{
	size_t cur = r->cur;

	retry_free(r);
	retry_init(r, r->n_urls, r->intervals, r->deadline);
	r->cur = cur;
}

int retry_deadline(struct retry *r, struct err **err)
{
	if (!r->worst)
		return err_set(err, ERR_UNREACHABLE, "net-timeout", "the deadline passed before any broker answered");
	/* A copy: the deadline can be moved, and what was seen before it still counts. */
	err_set(err, err_class(r->worst), err_id(r->worst), "the deadline passed: %s", err_message(r->worst));
	return *err_hint_text(r->worst) ? err_hint(err, "%s", err_hint_text(r->worst)) : -1;
}
