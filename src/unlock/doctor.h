/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * `doctor`: is everything there that an unlock needs? A table of checks, each with what was found and what to do. Without side
 * effects but for the packets of one unauthenticated request per broker address; no evidence leaves, no secret is asked for.
 */
#ifndef CRYPTATTEST_UNLOCK_DOCTOR_H
#define CRYPTATTEST_UNLOCK_DOCTOR_H

#include "unlock/unlock.h"

enum doctor_status {
	DOCTOR_OK,
	DOCTOR_WARN, /* it may work; should be looked at */
	DOCTOR_FAIL, /* what is configured cannot work like this */
	DOCTOR_SKIP, /* nothing to check here, or something before it failed */
	DOCTOR_UNKNOWN, /* next-boot: cannot be known from here */
};
const char *doctor_status_name(enum doctor_status s); /* "ok", "warn", "fail", "skip", "unknown" */

struct doctor_check {
	const char *id;	   /* stable: config, clock, tee, tpm, ... */
	char subject[200]; /* volume, address; "" when the id says it all */
	enum doctor_status status;
	enum err_class cls; /* of a failure: its exit code */
	char text[400], hint[300];
};

#define DOCTOR_CHECKS_MAX 256
struct doctor {
	struct doctor_check *checks;
	size_t n;
	bool failed_nomem;
};

/* env->config may be NULL: config_error says why then, and only what needs no configuration is checked. */
void doctor_run(const struct unlock_env *env, const struct err *config_error, struct doctor *ret);
void doctor_clear(struct doctor *d);
/* The first that failed, else the first that cannot be known; NULL: neither. */
const struct doctor_check *doctor_first_failure(const struct doctor *d);
/* 0 without one, else its exit code. */
int doctor_exit_code(const struct doctor *d);

/* --- for the files of doctor_*.c --- */
void doctor_add(struct doctor *d, const char *id, const char *subject, enum doctor_status status, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* A failure; takes err. */
void doctor_add_err(struct doctor *d, const char *id, const char *subject, enum doctor_status status, struct err *err);
void doctor_tee(const struct unlock_env *env, struct doctor *d);
void doctor_tpm(const struct unlock_env *env, struct doctor *d);
/* Does a volume that opens by itself ask it? */
bool doctor_uses_broker(const struct config *c, const struct config_kbs *k);
/* The layers to every address of one broker: rows dns, tcp, tls, kbs. */
void doctor_broker(const struct unlock_env *env, const struct config_kbs *k, struct doctor *d);
void doctor_net(const struct unlock_env *env, struct doctor *d);
void doctor_image(const struct unlock_env *env, struct doctor *d);

#endif
