/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The owner as a source of secret documents: an operator connects, is shown evidence, and pushes (wire/push.h). This is the side that
 * decides: the listening process (push/push.h) is not believed. What it reports of TLS goes into the report data, so a lie makes
 * evidence that the operator refuses; a document counts only with the operator's signature over that report data.
 *
 * Evidence is made at most PUSH_PROOFS times while one caller waits, and not more often than once a second.
 */
#ifndef CRYPTATTEST_KEYSRC_PUSH_H
#define CRYPTATTEST_KEYSRC_PUSH_H

#include "base/clock.h"
#include "base/secret.h"
#include "push/push.h"

#define PUSH_PROOFS 32

struct push_params {
	struct push *listener; /* it listens */
	char *const *pins;     /* of [push] operator */
	const char *tee;       /* as in messages of key brokers */
	const char *init_data; /* NULL = none is sent */
	/* Evidence for these 64 bytes as Trustee's JSON. */
	int (*collect)(void *ctx, const uint8_t data[static PUSH_REPORT_DATA], struct deadline d, char **ret_json, struct err **err);
	/* One line for people, printable. */
	void (*note)(void *ctx, const char *text);
	void *ctx;
	struct deadline deadline;
};

struct push_source;

int keysrc_push_new(const struct push_params *params, struct push_source **ret, struct err **err);
void keysrc_push_free(struct push_source *s); /* takes NULL; the listener stays */
/*
 * The next document that an operator sent for this instance, not parsed. It must be answered by keysrc_push_result() before the next
 * call. ERR_TIMEOUT (ids "push-window", "cancelled"), ERR_INDETERMINATE (ids "push-process", "push-proofs"), and what collect gave when
 * that was ERR_NOEVIDENCE or ERR_INTEGRITY: no operator will ever get evidence then.
 */
int keysrc_push_wait(struct push_source *s, const struct push_instance *i, struct secret **ret, struct err **err);
/* Tells the operator. why NULL: the document opened its volume. */
void keysrc_push_result(struct push_source *s, const struct err *why);
/* "sha256//... at 192.0.2.7": who sent the last document. Lives until the next call. */
const char *keysrc_push_who(const struct push_source *s);

#endif
