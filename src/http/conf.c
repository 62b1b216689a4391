/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "http/tls.h"

#define LIST_MAX 16
#define TEXT_MAX 1024

static bool printable(const char *s, size_t max)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++) {
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return false;
	}
	return n > 0 && n <= max;
}

static int check_url(const struct transport_config *c, const char *url, struct err **err)
{
	const char *host;

	if (!printable(url, TEXT_MAX))
		return err_set(err, ERR_CONFIG, "kbs-url", "a KBS URL is empty, too long or holds odd characters");
	if (!text_starts(url, "https://") && !(c->allow_http && text_starts(url, "http://")))
		return err_set(err, ERR_CONFIG, "kbs-url", "KBS URL %s: only https:// is accepted", url);
	if (strpbrk(url, "@?#\\"))
		return err_set(err, ERR_CONFIG, "kbs-url", "KBS URL %s: no user, query or fragment may be in it", url);
	host = strstr(url, "://") + 3;
	if (*host == 0 || *host == '/' || *host == ':')
		return err_set(err, ERR_CONFIG, "kbs-url", "KBS URL %s names no host", url);
	if (text_starts(url, "https://") && !(c->pins && c->pins[0]) && !c->ca_pem)
		return err_set(err, ERR_CONFIG, "kbs-pin", "KBS %s: neither pin nor ca says who the server must be", url);
	return 0;
}

static int check_pin(const char *pin, struct err **err)
{
	static const char prefix[] = "sha256//";
	uint8_t digest[32];
	size_t n = 0;

	if (text_starts(pin, prefix) &&
	    b64_decode(B64_STD, pin + strlen(prefix), strlen(pin + strlen(prefix)), digest, sizeof(digest), &n, NULL) == 0 &&
	    n == sizeof(digest))
		return 0;
	err_set(err, ERR_CONFIG, "kbs-pin", "pin %.80s is not sha256// and the base64 of 32 bytes", pin);
	return err_hint(err, "openssl x509 -in CERT -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64");
}

static int check_name(const char *name, struct err **err)
{
	if (printable(name, 255) && name[0] != '.')
		return 0;
	return err_set(err, ERR_CONFIG, "kbs-server-name", "server name \"%.80s\" is not a host name or address", name);
}

static int check_list(const char *const *list, const char *what, int (*one)(const char *, struct err **), struct err **err)
{
	size_t n = 0;

	for (; list && list[n]; n++) {
		if (one(list[n], err) < 0)
			return -1;
	}
	if (n > LIST_MAX)
		return err_set(err, ERR_CONFIG, "kbs-url", "%zu %s, at most %d are accepted", n, what, LIST_MAX);
	return 0;
}

int conf_check(const struct transport_config *c, struct err **err)
{
	size_t n = 0;

	for (; c->urls && c->urls[n]; n++) {
		if (check_url(c, c->urls[n], err) < 0)
			return -1;
	}
	if (n == 0 || n > LIST_MAX)
		return err_set(err, ERR_CONFIG, "kbs-url", "%zu KBS URLs: there must be 1 to %d", n, LIST_MAX);
	if (check_list(c->pins, "pins", check_pin, err) < 0 ||
	    check_list(c->server_names, "server names", check_name, err) < 0)
		return -1;
	if (c->ca_pem && (strlen(c->ca_pem) > 1024 * 1024 || tls_ca_check(c->ca_pem, err) < 0))
		return err_set(err, ERR_CONFIG, "kbs-ca", "the CA bundle is not usable");
	/* Any other scheme would bring rules of its own: an https proxy its own store, SOCKS its own resolver. */
	if (c->proxy && (!printable(c->proxy, TEXT_MAX) || !text_starts(c->proxy, "http://") || strchr(c->proxy, '@')))
		return err_set(err, ERR_CONFIG, "kbs-proxy", "proxy %.80s is not of the form http://HOST:PORT", c->proxy);
	return 0;
}

static void put_list(struct buf *b, enum frame_tag tag, const char *const *list)
{
	for (; list && *list; list++)
		frame_put_str(b, tag, *list);
}

void conf_encode(const struct transport_config *c, uint16_t seq, struct buf *out)
{
	frame_begin(out, FRAME_CONFIG, seq);
	put_list(out, TAG_URL, c->urls);
	put_list(out, TAG_PIN, c->pins);
	put_list(out, TAG_SERVER_NAME, c->server_names);
	frame_put_str(out, TAG_CA, c->ca_pem);
	frame_put_str(out, TAG_PROXY, c->proxy);
	frame_put_u64(out, TAG_TIME_FLOOR, (uint64_t)c->verify_time_floor);
	frame_put_u32(out, TAG_ALLOW_HTTP, c->allow_http);
	frame_put_str(out, TAG_USER_AGENT, c->user_agent);
	frame_put_u32(out, TAG_CONNECT_MS, c->connect_timeout_ms);
	frame_end(out);
}

int conf_decode(const struct frame *f, struct conf_store *ret, struct err **err)
{
	bool failed = false;
	struct conf_store s = {
		.urls = frame_dup_all(f, TAG_URL, &failed),
		.pins = frame_dup_all(f, TAG_PIN, &failed),
		.server_names = frame_dup_all(f, TAG_SERVER_NAME, &failed),
		.ca_pem = frame_dup(f, TAG_CA, &failed),
		.proxy = frame_dup(f, TAG_PROXY, &failed),
		.user_agent = frame_dup(f, TAG_USER_AGENT, &failed),
	};

	if (failed) {
		conf_store_clear(&s);
		return err_nomem(err);
	}
	s.conf = (struct transport_config){
		.urls = (const char *const *)s.urls,
		.pins = (const char *const *)s.pins,
		.server_names = (const char *const *)s.server_names,
		.ca_pem = s.ca_pem,
		.proxy = s.proxy,
		.user_agent = s.user_agent,
		.verify_time_floor = (int64_t)frame_u64(f, TAG_TIME_FLOOR),
		.allow_http = frame_u32(f, TAG_ALLOW_HTTP) != 0,
		.connect_timeout_ms = frame_u32(f, TAG_CONNECT_MS),
	};
	*ret = s;
	return 0;
}

void conf_store_clear(struct conf_store *s)
{
	strv_free(s->urls);
	strv_free(s->pins);
	strv_free(s->server_names);
	free(s->ca_pem);
	free(s->proxy);
	free(s->user_agent);
	memset(s, 0, sizeof(*s));
}
