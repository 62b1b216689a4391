/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A client of the protocol with evidence of the test PKI; a test may change any part of it before it is signed. */
#ifndef CRYPTATTEST_TESTS_KBSD_AGENT_H
#define CRYPTATTEST_TESTS_KBSD_AGENT_H

#include "evidence/evidence.h"
#include "tests/loopback/kbsd_http.h"
#include "tests/loopback/kbsd_run.h"
#include "wire/kbs_messages.h"

#define PATH_AUTH "/kbs/v0/auth"
#define PATH_ATTEST "/kbs/v0/attest"
#define PATH_ROOT "/kbs/v0/resource/default/vm/root"

struct agent {
	int port;
	const struct testpki *pki;
	enum kbs_protocol protocol;
	enum tee_kind tee;
	struct keypair *key;
	struct jwk jwk;
	struct http http;
	char cookie[160];
	char nonce[128];
	char *token;
	/* What to attest; NULL: the PKI's template, which the rules below accept. */
	void (*snp)(struct snp_report *r);
	void (*tdx)(struct testpki_tdx *t);
	bool no_certs;	  /* SNP: no certificate table */
	bool wrong_data;  /* report data of another key */
	bool flip;	  /* one bit of the signed measurement, after signing */
	const char *init_data; /* sent; put into HOST_DATA or MRCONFIGID by the test's snp or tdx */
};

/* Connects; from: a loopback address or NULL. Fails the test when it cannot. */
void agent_open(struct agent *a, const struct kbsd *k, enum kbs_protocol p, enum tee_kind tee, enum key_type type);
void agent_close(struct agent *a);
/* Connects again, as after a lost connection; key and cookie stay. */
void agent_reconnect(struct agent *a);
void agent_auth(struct agent *a, struct response *r);
char *agent_attest_body(struct agent *a); /* free() it */
/* cookie is sent with it; a token that comes back is kept. */
void agent_post_attest(struct agent *a, const char *body, struct response *r);
void agent_attest(struct agent *a, struct response *r); /* auth and attest */
void agent_get(struct agent *a, const char *path, struct response *r);
/* Does the reply decrypt with the agent's key to this text? */
bool agent_reply_is(struct agent *a, const struct response *r, const char *text);
/* Does the body name this error type? */
bool response_is(const struct response *r, int status, const char *type);

/* Policy text that accepts the template (SNP, TDX) for default/vm/root on a test server. */
char *agent_policy(const struct testpki *pki, bool test);
/* A rule of the policy that is sure to be accepted: used by tests of other resources. */
void agent_install_policy(struct kbsd *k);

#endif
