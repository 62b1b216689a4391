/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Syntax of single values. Pure. */
#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "config/parse.h"

#define URL_MAX 512

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool all_of(const char *s, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && (s[i] == '\0' || !strchr(more, s[i])))
			return false;
	return true;
}

/* DNS name, IPv4 address, or IPv6 address without brackets. Whether it resolves is not our business here. */
bool config_host_ok(const char *host, size_t len)
{
	if (len == 0 || len > 253)
		return false;
	if (memchr(host, ':', len)) {
		for (size_t i = 0; i < len; i++)
			if (!strchr("0123456789abcdefABCDEF:.", host[i]))
				return false;
		return len >= 2;
	}
	return host[0] != '-' && host[0] != '.' && all_of(host, len, "-.");
}

/* host[:port] or [v6][:port] at s; what follows it in *ret_rest. */
static bool authority_ok(const char *s, const char **ret_rest)
{
	size_t len;
	uint64_t port;
	char digits[6] = "";

	if (*s == '[') {
		len = strcspn(++s, "]");
		if (s[len] != ']' || !memchr(s, ':', len) || !config_host_ok(s, len))
			return false;
		s += len + 1;
	} else {
		len = strcspn(s, ":/");
		if (!config_host_ok(s, len))
			return false;
		s += len;
	}
	if (*s == ':') {
		len = strcspn(++s, "/");
		if (len == 0 || len >= sizeof(digits))
			return false;
		memcpy(digits, s, len);
		if (text_u64(digits, 1, 65535, &port, NULL) < 0)
			return false;
		s += len;
	}
	*ret_rest = s;
	return *s == '\0' || *s == '/';
}

/* A prefix path is allowed for a broker behind a reverse proxy. No user, query or fragment: they would end up in logs or
 * nowhere. */
bool config_url_ok(const char *url, bool allow_http)
{
	const char *rest;

	if (strlen(url) > URL_MAX)
		return false;
	if (text_starts(url, "https://"))
		url += strlen("https://");
	else if (allow_http && text_starts(url, "http://"))
		url += strlen("http://");
	else
		return false;
	return authority_ok(url, &rest) && all_of(rest, strlen(rest), "/-._~") && !strstr(rest, "//") && !strstr(rest, "/.");
}

bool config_proxy_ok(const char *url)
{
	const char *rest;

	return strlen(url) <= URL_MAX && text_starts(url, "http://") && authority_ok(url + strlen("http://"), &rest) &&
	       (*rest == '\0' || strcmp(rest, "/") == 0);
}

/* The form that libcurl and openssl users know: sha256//BASE64. */
bool config_pin_ok(const char *pin)
{
	uint8_t digest[32];
	size_t n;

	if (!text_starts(pin, "sha256//"))
		return false;
	pin += strlen("sha256//");
	return b64_decode(B64_STD, pin, strlen(pin), digest, sizeof(digest), &n, NULL) == 0 && n == sizeof(digest);
}

/* GPT partitions have a UUID; a DOS label gives 8 hex digits, a dash and two digits. */
static bool partuuid_ok(const char *s)
{
	if (text_is_uuid(s))
		return true;
	if (strlen(s) != 11 || s[8] != '-')
		return false;
	for (size_t i = 0; i < 11; i++)
		if (i != 8 && !strchr("0123456789abcdefABCDEF", s[i]))
			return false;
	return true;
}

bool config_device_ok(const char *spec)
{
	if (text_starts(spec, "UUID="))
		return text_is_uuid(spec + strlen("UUID="));
	if (text_starts(spec, "PARTUUID="))
		return partuuid_ok(spec + strlen("PARTUUID="));
	if (text_starts(spec, "PARTLABEL="))
		return spec[strlen("PARTLABEL=")] != '\0';
	if (text_starts(spec, "LABEL="))
		return spec[strlen("LABEL=")] != '\0';
	return spec[0] == '/' && spec[1] != '\0' && strlen(spec) < 256;
}

/* File systems have short UUIDs too: vfat 8 hex digits with a dash, ext4 a whole one. */
static bool fs_uuid_ok(const char *s)
{
	if (text_is_uuid(s))
		return true;
	return strlen(s) == 9 && s[4] == '-' && strspn(s, "0123456789abcdefABCDEF") == 4 && strspn(s + 5, "0123456789abcdefABCDEF") == 4;
}

bool config_fs_device_ok(const char *spec)
{
	if (strlen(spec) >= 128)
		return false;
	return text_starts(spec, "UUID=") ? fs_uuid_ok(spec + strlen("UUID=")) : spec[0] != '/' && config_device_ok(spec);
}
