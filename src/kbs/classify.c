/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbs/classify.h"

#include <string.h>

#include "base/cleanup.h"

#define AT(step) (1u << (step))
#define ANYWHERE (AT(STEP_AUTH) | AT(STEP_ATTEST) | AT(STEP_GET))

#define HINT_POLICY "the broker's log holds the reason; compare its policy with what `cryptattest evidence` shows here"
#define HINT_TYPE "the broker does not release secrets of this kind: see `secret =` and the broker's plugins"
#define HINT_KEY "the broker cannot encrypt to our key: choose another `key =`"
#define HINT_ANSWER "is that the address of a key broker? see `url =`, and the log of whatever answers there"
#define HINT_NAME "check the name in `url =` and the resolver that this network gives, or write an address in its place"
#define HINT_SERVER "is the broker running there, and does the network let this machine reach it?"
#define HINT_CLOCK "if this is the right server, the `pin`, `ca` or `server-name` of this image is out of date, or the clock is wrong"
#define HINT_MISSING "most often the resource does not exist there: compare `secret =` with the broker's list"

/* An answer of the broker, by the name that ends its type. The first line that fits counts. A verdict stands whatever the
 * status beside it: brokers of the field send 401 for all of them. */
static const struct {
	const char *type;
	unsigned int steps;
	struct kbs_verdict verdict;
} by_type[] = {
	{ "PolicyDeny", ANYWHERE, { ACT_FINAL, ERR_REFUSED, "kbs-policy-deny", HINT_POLICY } },
	{ "JweError", ANYWHERE, { ACT_FINAL, ERR_REFUSED, "kbs-jwe-error", HINT_KEY } },
	{ "PluginNotFound", ANYWHERE, { ACT_FINAL, ERR_REFUSED, "kbs-plugin-not-found", HINT_TYPE } },
	{ "AttestationError", AT(STEP_ATTEST), { ACT_PACED, ERR_REFUSED, "kbs-attestation", HINT_POLICY } },
	{ "PluginInternalError", AT(STEP_GET), { ACT_REPEAT_GET, ERR_INDETERMINATE, "kbs-plugin-internal", HINT_MISSING } },
	{ "TokenNotFound", ANYWHERE, { ACT_HANDSHAKE_ONCE, ERR_INDETERMINATE, "kbs-token", NULL } },
	{ "TokenVerifierError", ANYWHERE, { ACT_HANDSHAKE_ONCE, ERR_INDETERMINATE, "kbs-token", NULL } },
};

/* No answer, or one that is none. */
static const struct kbs_verdict by_failure[] = {
	[TFAIL_NONE] = { ACT_NEXT_URL, ERR_INDETERMINATE, "kbs-answer", HINT_ANSWER },
	[TFAIL_DNS] = { ACT_NEXT_URL, ERR_UNREACHABLE, "net-dns", HINT_NAME },
	[TFAIL_CONNECT] = { ACT_NEXT_URL, ERR_UNREACHABLE, "net-connect", HINT_SERVER },
	/* Anybody on the path can garble a handshake: this is no more than unreachable. */
	[TFAIL_TLS] = { ACT_NEXT_URL, ERR_UNREACHABLE, "net-tls", NULL },
	[TFAIL_IDENTITY] = { ACT_OTHER_SERVER, ERR_IDENTITY, "tls-identity", HINT_CLOCK },
	[TFAIL_TIMEOUT] = { ACT_NEXT_URL, ERR_UNREACHABLE, "net-timeout", NULL },
	[TFAIL_OVERSIZE] = { ACT_NEXT_URL, ERR_INDETERMINATE, "http-oversize", NULL },
	[TFAIL_PROTOCOL] = { ACT_NEXT_URL, ERR_INDETERMINATE, "http-protocol", NULL },
	[TFAIL_CHILD] = { ACT_FINAL, ERR_INDETERMINATE, "transport", NULL },
};

static const enum transport_kind wanted[] = {
	[STEP_AUTH] = TREPLY_AUTH,
	[STEP_ATTEST] = TREPLY_TOKEN,
	[STEP_GET] = TREPLY_JWE,
};

static const char *const step_names[] = {
	[STEP_AUTH] = "auth",
	[STEP_ATTEST] = "attest",
	[STEP_GET] = "get",
};

static struct kbs_verdict classify_error(enum kbs_step step, const struct transport_reply *r)
{
	static const struct kbs_verdict version = { ACT_VERSION, ERR_CONFIG, "kbs-version",
						    "see `min-protocol =`, or update the broker" };
	static const struct kbs_verdict busy = { ACT_NEXT_URL, ERR_UNREACHABLE, "kbs-busy", NULL };
	/* An answer of the authenticated server, and none of 5xx: waits like busy, but opens no other source. */
	static const struct kbs_verdict throttled = { ACT_NEXT_URL, ERR_INDETERMINATE, "kbs-busy", NULL };

	if (step == STEP_AUTH && r->server_version[0])
		return version;
	for (size_t i = 0; i < ARRAY_SIZE(by_type); i++) {
		if ((by_type[i].steps & AT(step)) && strcmp(by_type[i].type, r->type) == 0)
			return by_type[i].verdict;
	}
	if (r->status >= 500 && r->status <= 599)
		return busy;
	if (r->status == 429)
		return throttled;
	return by_failure[TFAIL_NONE];
}

struct kbs_verdict kbs_classify(enum kbs_step step, const struct transport_reply *r)
{
	static const struct kbs_verdict proceed = { ACT_PROCEED, ERR_INTERNAL, "", NULL };

	if (r->kind == wanted[step])
		return proceed;
	if (r->kind == TREPLY_ERROR)
		return classify_error(step, r);
	if (r->kind == TREPLY_FAIL && (size_t)r->fail < ARRAY_SIZE(by_failure))
		return by_failure[r->fail];
	/* A reply of another step: only a child that lies sends it. */
	return by_failure[TFAIL_CHILD];
}

int kbs_verdict_error(const struct kbs_verdict *v, enum kbs_step step, const struct transport_reply *r, struct err **err)
{
	if (r->kind == TREPLY_ERROR)
		err_set(err, v->cls, v->id, "%s: the broker answered %u%s%s%s%s", step_names[step], r->status,
			r->type[0] ? " " : "", r->type, r->detail[0] ? ": " : "", r->detail);
	else if (r->kind == TREPLY_FAIL)
		err_set(err, v->cls, v->id, "%s: %s", step_names[step], r->what[0] ? r->what : transport_fail_name(r->fail));
	else
		err_set(err, v->cls, v->id, "%s: the transport process answered something else", step_names[step]);
	if (v->hint)
		err_hint(err, "%s", v->hint);
	return -1;
}
