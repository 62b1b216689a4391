/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Error object: what happened, what kind of thing it was, what to do about it.
 *
 * base/ includes libc only. Everybody calls it.
 *
 * Every function that can fail is `int f(..., T *ret_x, struct err **err)`: 0 on success; on failure it
 * returns a negative value, sets *err (unless err is NULL) and leaves ret_* untouched. The class decides
 * what the engine does next (contracts.md 4) and the exit code; the id is a stable machine-readable cause
 * (a check id such as "H6", or words such as "kbs-policy-deny"); message and hint are for people.
 */
#ifndef CRYPTATTEST_BASE_ERR_H
#define CRYPTATTEST_BASE_ERR_H

#include <stdarg.h>

enum err_class {
	ERR_INTERNAL = 1, /* a bug, or the system refused something it never should */
	ERR_NOMEM,
	ERR_CONFIG,	   /* usage or configuration; also "broker wants a protocol we may not speak" */
	ERR_NOTHING,	   /* no volume configured here, or all are manual */
	ERR_REFUSED,	   /* the verifier answered no: final, never a fallback */
	ERR_UNREACHABLE,   /* no answer from any broker: a fallback may be used */
	ERR_INDETERMINATE, /* an authenticated answer that is neither yes nor no: retry, never a fallback */
	ERR_TIMEOUT,	   /* the deadline passed, or the user cancelled */
	ERR_BADKEY,	   /* a secret was obtained, no keyslot takes it: final */
	ERR_DEVICE,	   /* device absent, ambiguous or unreadable; activation failed */
	ERR_TPM,	   /* TPM or sealed secret */
	ERR_INTEGRITY,	   /* anything read and found wrong: header, identity, kernel table, document */
	ERR_IDENTITY,	   /* the server is not the one that the measured configuration names */
	ERR_NOEVIDENCE,	   /* no TEE, or it gives no evidence */
	ERR_CAP,	   /* the cap failed, or is already in place */
	ERR_BUSY,	   /* TEE or lock busy: retry with back-off */
};

struct err;

/* All of these return -1 so that a caller can write `return err_set(...)`. If *err is set already the new
 * text becomes a prefix of the old error, which keeps its class and id: the first cause is never lost. */
int err_set(struct err **err, enum err_class cls, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int err_setv(struct err **err, enum err_class cls, const char *id, const char *fmt, va_list ap)
	__attribute__((format(printf, 4, 0)));
/* Appends ": strerror(errnum)". */
int err_set_errno(struct err **err, enum err_class cls, const char *id, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
int err_nomem(struct err **err);
/* Adds context in front: "what: message". No effect when *err is NULL. */
int err_wrap(struct err **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What the operator should do; the first hint wins. */
int err_hint(struct err **err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Changes the class where a caller knows better what the failure means. */
void err_reclass(struct err **err, enum err_class cls);

enum err_class err_class(const struct err *err);
const char *err_class_name(enum err_class cls);	  /* "refused", ... stable, used in JSON */
const char *err_id(const struct err *err);	  /* "" if none */
const char *err_message(const struct err *err);	  /* never NULL, one line, printable */
const char *err_hint_text(const struct err *err); /* "" if none */
int err_errno(const struct err *err);		  /* 0 if none */
void err_free(struct err *err);			  /* takes NULL */
void err_clear(struct err **err);		  /* frees and sets to NULL */
/* Moves src into *dst (if dst is NULL frees it). */
int err_propagate(struct err **dst, struct err *src);

void err_cleanup(struct err **err);
#define _cleanup_err_ __attribute__((cleanup(err_cleanup)))

#endif
