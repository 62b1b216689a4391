/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Resource names: `repo/type/tag`, `kbs:///repo/type/tag`, `kbs+PLUGIN:///path?query` (kbs-protocol.md 2.3). */
#ifndef CRYPTATTEST_WIRE_RESOURCE_URI_H
#define CRYPTATTEST_WIRE_RESOURCE_URI_H

#include <stddef.h>

#include "base/err.h"

struct resource_uri {
	char plugin[32]; /* "resource" or "provisioner" */
	char path[256];	 /* "default/web-042/root" */
};

/* Accepts all three spellings; ERR_CONFIG names the bad segment. */
int resource_uri_parse(const char *text, struct resource_uri *ret, struct err **err);
/* "/resource/default/web-042/root" below /kbs/v0 */
int resource_uri_http_path(const struct resource_uri *uri, char *out, size_t cap, struct err **err);

#endif
