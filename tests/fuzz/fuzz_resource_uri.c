/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What parses makes a path without surprises, and its long spelling means the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/resource_uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size), *spelled = NULL;
	_cleanup_err_ struct err *e = NULL;
	struct resource_uri uri, again;
	char path[300];

	if (!text)
		abort();
	if (resource_uri_parse(text, &uri, &e) < 0) {
		if (err_class(e) != ERR_CONFIG)
			abort();
		return 0;
	}
	if (resource_uri_http_path(&uri, path, sizeof(path), NULL) < 0 || strstr(path, "..") == path || strstr(path, "//") ||
	    strstr(path, "/.") || strpbrk(path, "%?#\\ "))
		abort();
	spelled = text_printf("kbs+%s:///%s", uri.plugin, uri.path);
	if (resource_uri_parse(spelled, &again, NULL) < 0 || memcmp(&uri, &again, sizeof(uri)) != 0)
		abort();
	return 0;
}
