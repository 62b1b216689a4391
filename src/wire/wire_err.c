/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/wire_err.h"

int wire_err(struct err **err, const char *id, struct err *cause, const char *text)
{
	if (err_class(cause) == ERR_INTEGRITY) {
		err_set(err, ERR_INTEGRITY, id, "%s: %s", text, err_message(cause));
		err_free(cause);
		return -1;
	}
	err_wrap(&cause, "%s", text);
	return err_propagate(err, cause);
}
