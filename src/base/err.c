/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Messages are made printable here, once, so that text of a peer or a header can be put into any of them. An error
 * that cannot be allocated is still an error: a static object stands in for it and err_free() leaves it alone.
 */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define ERR_TEXT_MAX 4096 /* a policy denial carries a whole rule to paste in its hint */

struct err {
	enum err_class cls;
	int errnum;
	char id[64];
	char *message, *hint;
};

static char oom_message[] = "out of memory";
static struct err oom = { .cls = ERR_NOMEM, .id = "nomem", .message = oom_message };

/* A hint may have several lines (a rule to paste), a message never. */
static __attribute__((format(printf, 1, 0))) char *printable(const char *fmt, va_list ap, bool lines)
{
	char *text = NULL;
	int n = vasprintf(&text, fmt, ap);

	if (n < 0)
		return NULL;
	if (n > ERR_TEXT_MAX) {
		n = ERR_TEXT_MAX;
		memcpy(text + n - 2, "..", 3);
	}
	for (int i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (lines && c == '\n')
			continue;
		if (c < 0x20 || c > 0x7e)
			text[i] = c == '\n' || c == '\t' ? ' ' : '?';
	}
	return text;
}

static struct err *err_new(enum err_class cls, const char *id, char *message)
{
	struct err *e = message ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		free(message);
		return &oom;
	}
	e->cls = cls;
	snprintf(e->id, sizeof(e->id), "%s", id ? id : "");
	e->message = message;
	return e;
}

/* "prefix: message"; on OOM the first cause stays as it is. */
static void err_prefix(struct err *e, const char *prefix)
{
	char *joined;

	if (e == &oom || !prefix)
		return;
	joined = text_printf("%s: %s", prefix, e->message);
	if (!joined)
		return;
	free(e->message);
	e->message = joined;
}

int err_setv(struct err **err, enum err_class cls, const char *id, const char *fmt, va_list ap)
{
	char *text;

	if (!err)
		return -1;
	text = printable(fmt, ap, false);
	if (*err) {
		err_prefix(*err, text);
		free(text);
	} else {
		*err = err_new(cls, id, text);
	}
	return -1;
}

int err_set(struct err **err, enum err_class cls, const char *id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_setv(err, cls, id, fmt, ap);
	va_end(ap);
	return -1;
}

int err_set_errno(struct err **err, enum err_class cls, const char *id, int errnum, const char *fmt, ...)
{
	va_list ap;
	char *text, *full;

	if (!err)
		return -1;
	va_start(ap, fmt);
	text = printable(fmt, ap, false);
	va_end(ap);
	if (*err) {
		err_prefix(*err, text);
		free(text);
		return -1;
	}
	full = text ? text_printf("%s: %s", text, strerrordesc_np(errnum) ? strerrordesc_np(errnum) : "unknown error") : NULL;
	free(text);
	*err = err_new(cls, id, full);
	if (*err != &oom)
		(*err)->errnum = errnum;
	return -1;
}

int err_nomem(struct err **err)
{
	if (err && !*err)
		*err = &oom;
	return -1;
}

int err_wrap(struct err **err, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (!err || !*err)
		return -1;
	va_start(ap, fmt);
	text = printable(fmt, ap, false);
	va_end(ap);
	err_prefix(*err, text);
	free(text);
	return -1;
}

int err_hint(struct err **err, const char *fmt, ...)
{
	va_list ap;

	if (!err || !*err || *err == &oom || (*err)->hint)
		return -1;
	va_start(ap, fmt);
	(*err)->hint = printable(fmt, ap, true);
	va_end(ap);
	return -1;
}

void err_reclass(struct err **err, enum err_class cls)
{
	if (err && *err && *err != &oom)
		(*err)->cls = cls;
}

enum err_class err_class(const struct err *err)
{
	return err ? err->cls : ERR_INTERNAL;
}

const char *err_class_name(enum err_class cls)
{
	switch (cls) {
	case ERR_INTERNAL: return "internal";
	case ERR_NOMEM: return "nomem";
	case ERR_CONFIG: return "config";
	case ERR_NOTHING: return "nothing";
	case ERR_REFUSED: return "refused";
	case ERR_UNREACHABLE: return "unreachable";
	case ERR_INDETERMINATE: return "indeterminate";
	case ERR_TIMEOUT: return "timeout";
	case ERR_BADKEY: return "badkey";
	case ERR_DEVICE: return "device";
	case ERR_TPM: return "tpm";
	case ERR_INTEGRITY: return "integrity";
	case ERR_IDENTITY: return "identity";
	case ERR_NOEVIDENCE: return "noevidence";
	case ERR_CAP: return "cap";
	case ERR_BUSY: return "busy";
	}
	return "internal";
}

const char *err_id(const struct err *err)
{
	return err ? err->id : "";
}

const char *err_message(const struct err *err)
{
	return err ? err->message : "no error";
}

const char *err_hint_text(const struct err *err)
{
	return err && err->hint ? err->hint : "";
}

int err_errno(const struct err *err)
{
	return err ? err->errnum : 0;
}

void err_free(struct err *err)
{
	if (!err || err == &oom)
		return;
	free(err->message);
	free(err->hint);
	free(err);
}

void err_clear(struct err **err)
{
	if (!err)
		return;
	err_free(*err);
	*err = NULL;
}

int err_propagate(struct err **dst, struct err *src)
{
	if (!src)
		return 0;
	if (!dst) {
		err_free(src);
	} else if (*dst) {
		/* The first cause stays; the second is context. */
		err_prefix(*dst, err_message(src));
		err_free(src);
	} else {
		*dst = src;
	}
	return -1;
}

void err_cleanup(struct err **err)
{
	err_clear(err);
}
