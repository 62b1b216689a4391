/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* [push], and the volumes that it is for. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/parse.h"

#define PORT_MIN 1024 /* the listener has no capabilities */
#define OPERATORS_MAX 16

static bool address_ok(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* PORT, ADDRESS:PORT or [ADDRESS]:PORT; a name would have to be resolved by the host. */
static int split_listen(struct config_push *p, struct err **err)
{
	const char *colon = strrchr(p->listen, ':'), *port = colon ? colon + 1 : p->listen;
	size_t len = colon ? (size_t)(colon - p->listen) : 0;
	uint64_t n;

	if (text_u64(port, 0, 65535, &n, NULL) < 0 || (n && n < PORT_MIN))
		return -1;
	p->port = (unsigned int)n;
	free(p->host);
	p->host = NULL;
	if (!colon)
		return 0;
	if (len > 2 && p->listen[0] == '[' && p->listen[len - 1] == ']')
		p->host = strndup(p->listen + 1, len - 2);
	else if (!memchr(p->listen, ':', len))
		p->host = strndup(p->listen, len);
	else
		return -1;
	if (!p->host)
		return err_nomem(err);
	return address_ok(p->host) ? 0 : -1;
}

static bool anybody_falls_back(const struct config *c)
{
	for (struct config_volume **v = c->volumes; *v; v++)
		if ((*v)->push)
			return true;
	return false;
}

int config_check_push(struct config *c, const struct config_section *s, struct err **err)
{
	struct config_push *p = s->target;

	if (split_listen(p, err) < 0)
		return config_fail(s, "listen", 0, err, "listen = %.100s: %s is wanted", p->listen, keyword_find(SCOPE_PUSH, "listen")->allowed);
	if (strv_len(p->operators) > OPERATORS_MAX)
		return config_fail(s, "operator", OPERATORS_MAX, err, "more than %d operators", OPERATORS_MAX);
	for (size_t i = 0; p->operators && p->operators[i]; i++)
		if (!config_pin_ok(p->operators[i]))
			return config_fail(s, "operator", i, err, "operator = %.100s: sha256// and the base64 of 32 bytes is wanted", p->operators[i]);
	if (!p->operators) {
		config_fail(s, NULL, 0, err, "[push] names no operator: nobody could push a secret");
		return err_hint(err, "cryptattest-kbs push --make-key FILE makes a key and prints the line");
	}
	/* The default of a volume that never waits concerns nobody. */
	if (c->deadline_ms && p->after_ms >= c->deadline_ms && (config_setting_of(s, "after", 0) || anybody_falls_back(c)))
		return config_fail(s, "after", 0, err, "after is not shorter than deadline: no operator would ever be waited for");
	return 0;
}

int config_check_pushed(const struct config *c, const struct config_section *s, const struct config_volume *v, struct err **err)
{
	bool source = text_eq(v->source_name, "push");

	if (v->push && (source || v->mode != MODE_KBS || !config_find_kbs(c, v->source_name)))
		return config_fail(s, "push", 0, err, "push = yes is for mode = kbs and a secret from a key broker: it says what to do without one");
	if ((!v->push && !source) || c->push.present)
		return 0;
	config_fail(s, v->push ? "push" : "secret", 0, err, "%s needs a [push] section, which names the operator", v->push ? "push = yes" : "secret = push");
	return err_hint(err, "see cryptattest.conf(5)");
}
