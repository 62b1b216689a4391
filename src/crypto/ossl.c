/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "crypto/ossl.h"

#include <openssl/err.h>
#include <stdarg.h>

void ossl_forget(void)
{
	ERR_clear_error();
}

int ossl_no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	return -1;
}

int ossl_err(struct err **err, enum err_class cls, const char *id, const char *fmt, ...)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	struct err *e = NULL;
	va_list ap;

	if (code && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
		cls = ERR_NOMEM;
	if (reason)
		err_set(&e, cls, id, "%s", reason);
	va_start(ap, fmt);
	err_setv(&e, cls, id, fmt, ap); /* becomes the prefix of the reason */
	va_end(ap);
	ERR_clear_error();
	err_propagate(err, e);
	return -1;
}
