/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * A KBS that goes wrong on request: real sockets, real TLS, the real protocol (wire/), and a script that says what happens to
 * which request. It runs in a process of its own and counts in shared memory what it saw.
 *
 * Script: lines or `;`-separated `WHERE ACTION [ARGUMENT]`; WHERE is accept, auth, attest, get, connect (a proxy's) or report
 * (a POST to anywhere else: taken, and kept in DIR/report). Each WHERE
 * has its own queue; the last action of a queue stays, an empty queue means ok. `*N` behind WHERE repeats a line N times.
 *
 *   ok                     the right answer
 *   error NAME [DETAIL]    401 with that error type
 *   status CODE [SECONDS]  empty body, with Retry-After when SECONDS is given
 *   body CODE TEXT         that body
 *   redirect URL           302
 *   stall                  nothing at all, for as long as the client stays
 *   half                   headers and some of the body, then nothing
 *   drip, trickle          the same, the body or all of it at one byte each 100 ms
 *   close, cut             closes before the answer, or in the middle of the body
 *   huge, declared         a body of 3 MiB, sent or only announced
 *   headers                header lines without end
 *   garbage                bytes that are not HTTP
 *   accept:  reset, silent (no handshake), plain (answers HTTP to TLS)
 *   auth:    hash NAME, same-nonce, nonce TEXT, no-cookie, version X (wants version X), old-version X (v0.10's wording)
 *   attest:  no-token, long-token, unread (a token for evidence of any kind, of which nothing is looked at)
 *   get:     jwe-alg, jwe-enc, jwe-tag, jwe-epk, jwe-key (another key), jwe-short, plain (the secret itself)
 */
#ifndef CRYPTATTEST_TESTS_FAULTKBS_H
#define CRYPTATTEST_TESTS_FAULTKBS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/loopback/testcert.h"
#include "wire/kbs_messages.h"

#define FAULT_KEYS_MAX 64
#define FAULT_STEPS_MAX 64

enum fault_where { WHERE_ACCEPT, WHERE_AUTH, WHERE_ATTEST, WHERE_GET, WHERE_CONNECT, WHERE_REPORT, WHERE_N };

/* Shared with the server's process. */
struct fault_counts {
	unsigned int connections, tls; /* accepted, and handshakes that both sides finished */
	unsigned int requests[WHERE_N];
	unsigned int bad_cookie, bad_binding; /* requests of a session we did not give; evidence that is not for this key and nonce */
	unsigned int init_data; /* /attest bodies that carried some */
	unsigned int distinct_keys;
	unsigned char key[FAULT_KEYS_MAX][32];
	uint64_t attest_ns[FAULT_KEYS_MAX]; /* when, CLOCK_BOOTTIME */
	char key_type[16];		    /* kty and curve or alg of the newest key: "RSA-OAEP-256 3072" */
	char version[16];		    /* of the newest /auth */
	char proxied[128];		    /* target of the newest CONNECT */
	char cookie[128];		    /* of the newest request */
	char sni[64];			    /* of the newest handshake */
	bool foreign_header;		    /* a request carried a header that no KBS client sends */
};

struct fault_conf {
	const struct testcert *cert; /* NULL = plain http */
	const char *script;
	const char *secret;
	size_t secret_len;   /* 0 = strlen */
	const char *protocol; /* the only version it speaks; NULL = 0.4.0 */
	bool ipv6;	     /* listen on ::1 */
	unsigned int port;   /* 0 = any */
	const char *keep;    /* file for the newest report, or NULL */
};

struct fault_server {
	pid_t pid;
	unsigned int port;
	char url[64];
	struct fault_counts *counts;
};

/* Aborts on failure. Fork it before or after the transport child: it keeps no descriptor of the caller's open. */
void fault_start(const struct fault_conf *conf, struct fault_server *ret);
void fault_stop(struct fault_server *s); /* counts stay readable until fault_forget() */
void fault_forget(struct fault_server *s);

/* --- between the files of the server --- */

struct fault_step {
	char action[24], arg[256];
};

struct fault_queue {
	struct fault_step step[FAULT_STEPS_MAX];
	size_t n, next;
};

/* Aborts with the line on an unknown action. */
void fault_script_parse(const char *text, struct fault_queue queues[WHERE_N]);
const struct fault_step *fault_script_next(struct fault_queue *q);

struct fault_kbs {
	struct fault_conf conf;
	enum kbs_protocol protocol;
	struct fault_queue queue[WHERE_N];
	struct fault_counts *counts;
	pthread_mutex_t lock;
	void *ssl_ctx; /* SSL_CTX */
	struct fault_session *sessions;
};

struct fault_conn {
	struct fault_kbs *kbs;
	int fd;
	void *ssl; /* SSL, NULL = plain */
	bool close;
};

struct fault_request {
	char method[16], path[512], cookie[128];
	char *body;
	size_t len;
};

bool fault_write(struct fault_conn *c, const void *data, size_t len);
bool fault_puts(struct fault_conn *c, const char *s);
/* Until the client goes. */
void fault_hold(struct fault_conn *c);
bool fault_read_request(struct fault_conn *c, struct fault_request *ret);
void fault_request_clear(struct fault_request *r);
/* Answers one request; sets c->close when the connection is over. */
void fault_answer(struct fault_conn *c, const struct fault_request *r);
/* The way of going wrong that knows no protocol; false when the action is not one of those. */
bool fault_misbehave(struct fault_conn *c, const struct fault_step *s);
void fault_send(struct fault_conn *c, unsigned int status, const char *headers, const char *body);
/* The secret as this protocol version wraps it, spoiled as the jwe-... action says. */
char *fault_jwe(const struct jwk *to, enum kbs_protocol p, const char *secret, size_t len, const char *action);
/* CONNECT: a proxy. */
void fault_tunnel(struct fault_conn *c, const struct fault_request *r);

#endif
