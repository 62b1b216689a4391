/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The transport child (contracts.md 3): forked before any thread or secret, own user, no capabilities, no_new_privs. It
 * does one HTTP request per order through libcurl and reduces each reply to fixed fields. http/ includes base/ only; how a
 * reply of this protocol is reduced is a function that kbs/ hands in before the fork.
 */
#ifndef CRYPTATTEST_HTTP_TRANSPORT_H
#define CRYPTATTEST_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

/*
 * TLS identity and routes; everything trust-bearing comes from measured configuration. How they combine (tls.h): with pins the
 * server's key must be one of them; with a CA the chain must lead to it at max(clock, floor) and the certificate must carry one
 * of the names; with both, both. With pins alone neither chain nor dates are looked at: the pin names the key itself, and the
 * clock belongs to the host.
 */
struct transport_config {
	const char *const *urls;	 /* NULL-terminated, https:// (http:// only when the platform allows) */
	const char *const *pins;	 /* "sha256//BASE64", or NULL */
	const char *ca_pem;		 /* bundle text, or NULL; pins or CA must be present for https */
	const char *const *server_names; /* accepted names with a CA; NULL = host of the URL */
	const char *proxy;		 /* http://HOST:PORT, or NULL: no proxy at all, environment ignored */
	int64_t verify_time_floor;	 /* build epoch, seconds since 1970 */
	bool allow_http;		 /* test platform only */
	const char *user_agent;		 /* or NULL */
	unsigned int connect_timeout_ms; /* DNS + TCP + TLS; 0 = 5 s */
};

enum transport_fail {
	TFAIL_NONE,
	TFAIL_DNS,
	TFAIL_CONNECT,	/* no TCP, no proxy tunnel, or closed before a byte of an answer */
	TFAIL_TLS,	/* the handshake broke, but not over the server's identity */
	TFAIL_IDENTITY, /* another key, chain, name or date than the configuration accepts */
	TFAIL_TIMEOUT,	/* before a byte of an answer */
	TFAIL_OVERSIZE, /* more than 2 MiB */
	TFAIL_PROTOCOL, /* an answer that is not HTTP, or was cut or stalled in the middle */
	TFAIL_CHILD,	/* the child died or broke the frame protocol; it is not started again */
};

/* Reduced reply: the union of AUTH, TOKEN, JWE, ERROR, FAIL (contracts.md 3). Strings owned by the reply. */
enum transport_kind { TREPLY_AUTH, TREPLY_TOKEN, TREPLY_JWE, TREPLY_ERROR, TREPLY_FAIL };

struct transport_reply {
	enum transport_kind kind;
	/* AUTH */
	char *nonce, *hash_name;
	/* TOKEN */
	char *token;
	/* JWE */
	char *jwe[5]; /* protected, encrypted_key, iv, ciphertext, tag */
	/* ERROR */
	unsigned int status;
	char type[65], detail[513], server_version[16];
	uint64_t retry_after_ms; /* 0 = none; at most 60 s */
	/* FAIL */
	enum transport_fail fail;
	bool bytes_sent; /* bytes of this request had left, to a server whose identity was accepted */
	char what[200];	 /* printable */
	/* PEER, any kind */
	char peer_pin[64]; /* sha256//..., "" before TLS is up */
	char peer_validity[64]; /* not before..not after */
};

/* Runs in the child. path tells what was asked. Fills kind and members from status + body; never fails (a body it does not
 * understand becomes TREPLY_ERROR with the status). */
typedef void (*transport_reducer)(const char *method, const char *path, unsigned int status, const char *body, size_t len,
				  struct transport_reply *ret);

struct transport;

/* Forks. Call first thing in main(). ERR_INTERNAL, ERR_NOMEM. */
int transport_start(transport_reducer reducer, struct transport **ret, struct err **err);
/* Hands over the configuration of one key broker; drops connection and cookie. ERR_CONFIG when it is not usable; a dead child
 * is reported by the next request. */
int transport_configure(struct transport *t, const struct transport_config *conf, struct err **err);
/* Counts transport_configure() calls: tells a user whether somebody else took the child over since. */
unsigned int transport_generation(const struct transport *t);
/* One request; waits for the reply, the deadline or the child's death; always fills *ret on 0 (a failed request is a FAIL
 * reply). body NULL = none. new_session drops the cookie first. path goes behind the URL as it stands. ERR_TIMEOUT, id
 * "cancelled" (clock_cancel()); ERR_NOMEM; ERR_INTERNAL. */
int transport_request(struct transport *t, unsigned int url_index, const char *method, const char *path, const char *body,
		      bool new_session, struct deadline d, struct transport_reply *ret, struct err **err);
void transport_reply_clear(struct transport_reply *r);
int transport_pid(const struct transport *t); /* -1 once it is dead */
void transport_stop(struct transport *t); /* kills and reaps; takes NULL */

const char *transport_fail_name(enum transport_fail f);

#endif
