/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the loopback tests share: one transport child, one authority, a sample TEE, short pauses. */
#ifndef CRYPTATTEST_TESTS_LAB_H
#define CRYPTATTEST_TESTS_LAB_H

#include "kbs/session.h"
#include "tests/loopback/faultkbs.h"

#define LAB_SECRET "correct horse battery staple, 7f3a"
#define LAB_SERVERS 3

struct lab {
	struct transport *transport;
	struct testca *ca;
	struct testcert cert; /* for 127.0.0.1 and ::1 */
};

/* One session against up to LAB_SERVERS scripts. */
struct lab_run {
	/* in */
	const char *script[LAB_SERVERS]; /* NULL ends */
	const struct testcert *cert[LAB_SERVERS]; /* NULL = lab.cert */
	const char *protocol;
	const char *pins[3]; /* none = the lab's CA */
	const char *key; /* NULL = ec-p256; "auto" */
	bool allow_rsa1_5;
	const char *min_protocol; /* NULL = 0.2.0 */
	uint64_t deadline_ms;		/* 0 = 30 s */
	unsigned int stop_after;	/* the deadline comes with this retry, whatever the machine's load; 0 = not */
	uint64_t request_ms;		/* 0 = 10 s */
	unsigned int connect_ms;	/* 0 = 5 s */
	unsigned int fetches;		/* 0 = one; attest_only for none */
	bool attest_only;
	const char *init_data;
	bool init_data_required;
	bool no_evidence; /* the TEE fails */
	/* out */
	struct fault_server server[LAB_SERVERS];
	int result;
	struct err *err;
	enum kbs_protocol spoke;
	unsigned int collected, retries;
	char phases[512]; /* "auth+ auth- get+ get!ID ..." */
	char url[64], peer[64];
	uint64_t took_ms;
	struct kbs_session *session; /* while it runs */
};

/* Forks the child: call first in main(). Proxy and trust variables of the environment are set to traps before. */
void lab_open(struct lab *lab);
void lab_close(struct lab *lab);
void lab_run(const struct lab *lab, struct lab_run *run);
void lab_run_clear(struct lab_run *run);
/* {"svn":"1","report_data":...} for these 64 bytes; ctx counts the calls (unsigned int *), or NULL. */
int lab_collect(void *ctx, const uint8_t report_data[static 64], struct deadline d, char **ret_json, struct err **err);

#endif
