/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The operator's conversation with a waiting machine (wire/push.h): connect, hello, judge, send, hear the result. */
#ifndef CRYPTATTEST_KBSD_PUSH_CLIENT_H
#define CRYPTATTEST_KBSD_PUSH_CLIENT_H

#include "base/clock.h"
#include "kbsd/push_judge.h"

struct push_client {
	const char *address;	  /* HOST:PORT */
	const struct secret *key; /* the operator's, PEM */
	const struct secret *text; /* of the document in judge */
	struct push_judge judge;
	uint64_t wait_ms;  /* for a machine that does not listen yet; 0 = one try */
	uint64_t timeout_ms; /* for each step of the conversation */
};

/* 0: the machine says that the document opened its volume. ERR_CONFIG (address, key), ERR_UNREACHABLE and ERR_TIMEOUT, ERR_REFUSED
 * (push_judge(); id "push-operator": the machine does not take the key), ERR_INTEGRITY (the machine's id: it could not use the document). */
int push_client_run(const struct push_client *c, struct buf *note, struct err **err);

#endif
