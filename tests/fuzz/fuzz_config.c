/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* INI lines, keywords, validation; what is accepted must show as a configuration that is accepted again. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/parse.h"
#include "tests/fuzz/fuzz.h"

static struct config *parse(const char *text, size_t len)
{
	struct config *c = config_new();
	struct err *e = NULL;

	if (!c)
		abort();
	if (config_parse_text(c, "f", 1, text, len, &e) == 0 && config_validate(c, true, &e) == 0)
		return c;
	if (!e)
		abort();
	err_free(e);
	config_free(c);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c, *again;
	struct buf text = BUF_INIT(64 * 1024 * 1024), json = BUF_INIT(64 * 1024 * 1024);

	log_init("fuzz", LOGL_ERROR, false);
	c = parse((const char *)data, size);
	if (!c)
		return 0;
	if (config_show(c, false, &text, NULL) < 0 || config_show(c, true, &json, NULL) < 0)
		abort();
	again = parse((const char *)text.data, text.len);
	if (!again)
		abort();
	config_free(again);
	config_free(c);
	buf_free(&text);
	buf_free(&json);
	return 0;
}
