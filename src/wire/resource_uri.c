/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "wire/resource_uri.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const plugins[] = { "resource", "provisioner", NULL };

static int bad_uri(struct err **err, const char *text, const char *why)
{
	err_set(err, ERR_CONFIG, "resource-uri", "resource name \"%.300s\": %s", text, why);
	return err_hint(err, "write REPOSITORY/TYPE/TAG, kbs:///REPOSITORY/TYPE/TAG or kbs+provisioner:///REPOSITORY/TYPE/TAG");
}

/* Sets *path to what follows the third slash; a name without a scheme is a path already. */
static int split_scheme(const char *text, char *plugin, size_t cap, const char **path, struct err **err)
{
	const char *rest = strstr(text, "://");

	snprintf(plugin, cap, "resource");
	if (!rest) {
		*path = text;
		return 0;
	}
	if (text_starts(text, "kbs+")) {
		size_t n = (size_t)(rest - text) - 4;

		if (n == 0 || n >= cap)
			return bad_uri(err, text, "no plugin of that name");
		memcpy(plugin, text + 4, n);
		plugin[n] = '\0';
	} else if (rest - text != 3 || !text_starts(text, "kbs")) {
		return bad_uri(err, text, "the scheme is neither kbs nor kbs+PLUGIN");
	}
	rest += 3;
	if (*rest != '/')
		return bad_uri(err, text, "a host in the name (the [kbs] section says where the broker is)");
	*path = rest + 1;
	return 0;
}

/* Exactly three segments (kbs-protocol.md 2.3), each [A-Za-z0-9_-][A-Za-z0-9_.-]*, at most 64 long (contracts.md 7). */
static int check_path(const char *text, const char *path, struct err **err)
{
	unsigned int count = 0;
	const char *p = path;
	char segment[72], why[160];

	for (;;) {
		size_t n = strcspn(p, "/");

		snprintf(segment, sizeof(segment), "%.*s", n < 70 ? (int)n : 70, p);
		if (n > 64 || !text_is_path_segment(segment)) {
			snprintf(why, sizeof(why), "\"%s\" is not a valid path segment", segment);
			return bad_uri(err, text, why);
		}
		count++;
		if (!p[n])
			break;
		p += n + 1;
	}
	if (count != 3)
		return bad_uri(err, text, "a path has three segments");
	return 0;
}

int resource_uri_parse(const char *text, struct resource_uri *ret, struct err **err)
{
	struct resource_uri uri = { 0 };
	const char *path = "";

	if (split_scheme(text, uri.plugin, sizeof(uri.plugin), &path, err) < 0)
		return -1;
	if (!strv_has((char *const *)plugins, uri.plugin))
		return bad_uri(err, text, "plugin is neither resource nor provisioner");
	if (strchr(path, '?'))
		return bad_uri(err, text, "neither plugin takes a query");
	if (check_path(text, path, err) < 0)
		return -1;
	snprintf(uri.path, sizeof(uri.path), "%s", path);
	*ret = uri;
	return 0;
}

int resource_uri_http_path(const struct resource_uri *uri, char *out, size_t cap, struct err **err)
{
	int n = snprintf(out, cap, "/%s/%s", uri->plugin, uri->path);

	if (n < 0 || (size_t)n >= cap)
		return err_set(err, ERR_INTERNAL, "resource-uri", "no room for the path of %s", uri->path);
	return 0;
}
