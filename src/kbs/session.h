/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The KBS client session, in the parent: order of requests, protocol version, URL rotation, back-off, Retry-After, deadline,
 * key renewal, outcome class (contracts.md 3 and 4). kbs/ includes wire/, http/, crypto/, base/. Evidence reaches it by
 * callback. It knows nothing of devices.
 */
#ifndef CRYPTATTEST_KBS_SESSION_H
#define CRYPTATTEST_KBS_SESSION_H

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/keypair.h"
#include "http/transport.h"
#include "wire/kbs_messages.h"
#include "wire/resource_uri.h"

/* rsa-* / ec-* fixed, or auto: RSA-3072 if ready when evidence is due, else P-256. */
struct key_choice {
	bool automatic;
	enum key_type type;
};

struct kbs_source {
	const char *name; /* of the [kbs] section */
	struct transport_config transport;
	enum kbs_protocol min_protocol;
	bool allow_rsa1_5; /* 0.1.x by configuration */
	struct key_choice key;
	const char *init_data;	 /* TOML text or NULL */
	bool init_data_required; /* else it stays at home where the protocol (before 0.4.0) has no place for it */
};

/* Progress events for --status-fd and --timings: phase is "net", "auth", "attest", "get" (contracts.md 5). Either may be
 * NULL. */
struct kbs_events {
	void (*phase)(void *ctx, const char *phase, bool start, bool ok, const char *id);
	/* An attempt failed for this reason; the next one goes to url in in_ms milliseconds. */
	void (*retrying)(void *ctx, const char *url, uint64_t in_ms, const struct err *why);
	void *ctx;
};

/* Returns the evidence object (JSON text, caller frees) for these 64 bytes. ERR_NOEVIDENCE, ERR_BUSY... */
typedef int (*kbs_collect)(void *ctx, const uint8_t report_data[static 64], struct deadline d, char **ret_json,
			   struct err **err);

/* Pauses and bounds in milliseconds (contracts.md 4, luks-untrusted-host.md 9). */
struct kbs_intervals {
	uint64_t refused[3];	       /* before the second, third and fourth handshake after AttestationError */
	uint64_t plugin;	       /* how long a GET that fails with PluginInternalError is repeated */
	uint64_t backoff, backoff_max; /* 1, 2, 4 .. 30 s with jitter */
	uint64_t unreached_max;	       /* the same, as long as nobody answers at all; 0 = backoff_max */
	uint64_t request;	       /* one request, answer included */
	uint64_t route;		       /* how long an attempt waits for a route before it tries without */
};
extern const struct kbs_intervals kbs_intervals_default;

/* Strings and functions must outlive the session. */
struct kbs_params {
	struct kbs_source source;
	struct transport *transport;
	const char *tee; /* "snp" | "tdx" */
	kbs_collect collect;
	void *collect_ctx;
	struct kbs_events events;
	struct deadline deadline;
	/* Both or neither. Before an attempt: waits for a route to the broker until d; -1 with ERR_UNREACHABLE and what is missing.
	 * During a pause after the broker was not reached: true as soon as the network has more than wait_route saw last, false when d
	 * passed. */
	int (*wait_route)(void *ctx, struct deadline d, struct err **err);
	bool (*wait_news)(void *ctx, struct deadline d);
	void *wait_ctx;
	const struct kbs_intervals *intervals; /* NULL = the default; tests shorten them */
};

struct kbs_session;

/* Starts key generation in a thread; no network traffic yet. ERR_CONFIG for URLs, pins, CA, proxy or key that cannot work. */
int kbs_session_new(const struct kbs_params *params, struct kbs_session **ret, struct err **err);
/*
 * Handshake with every retry rule of contracts.md 4. Errors: ERR_REFUSED, ERR_UNREACHABLE, ERR_INDETERMINATE, ERR_IDENTITY,
 * ERR_CONFIG (version), ERR_TIMEOUT (id "cancelled"), and what collect returns. At the deadline the gravest class that was seen
 * counts, identity over refused over indeterminate over unreachable: who can block the network after an answer must not turn
 * that answer into "unreachable", which alone permits a fallback.
 */
int kbs_session_attest(struct kbs_session *s, struct err **err);
/* GET and decrypt one resource; hand-shakes when there is no session yet or the token is gone. */
int kbs_session_fetch(struct kbs_session *s, const struct resource_uri *uri, struct secret **ret, struct err **err);
/* From now on; a session that ended at its deadline goes on where it was (kbs-or-vtpm gives up before the whole deadline, other
 * volumes of the same broker do not). */
void kbs_session_set_deadline(struct kbs_session *s, struct deadline d);
/* After attest: opaque token, protocol spoken, URL used, peer pin. */
const char *kbs_session_token(const struct kbs_session *s);
enum kbs_protocol kbs_session_protocol(const struct kbs_session *s);
const char *kbs_session_url(const struct kbs_session *s);
const char *kbs_session_peer(const struct kbs_session *s);
void kbs_session_free(struct kbs_session *s); /* destroys the key */

/* The reducer to give to transport_start(). */
void kbs_reduce(const char *method, const char *path, unsigned int status, const char *body, size_t len,
		struct transport_reply *ret);

#endif
