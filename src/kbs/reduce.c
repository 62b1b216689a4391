/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Runs in the transport child: a reply's bytes become fixed, bounded fields. What it cannot read becomes an error with the
 * status and the reason; nothing of the body is passed on but those fields. */
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "kbs/session.h"
#include "wire/jwe.h"

#define HTTP_OK 200

/* The parser's reason may quote the text. Where a secret was asked for, that text may be one: some plugins do not encrypt. */
static void unreadable(bool secret, const struct err *e, struct transport_reply *ret)
{
	const char *why = secret ? "the body is not an encrypted secret" : err_message(e);

	ret->kind = TREPLY_ERROR;
	text_sanitise(why, strlen(why), ret->detail, sizeof(ret->detail));
}

static int reduce_auth(const char *body, size_t len, struct transport_reply *ret, struct err **err)
{
	_cleanup_(kbs_challenge_clear) struct kbs_challenge c = { 0 };

	if (kbs_challenge_parse(body, len, &c, err) < 0)
		return -1;
	ret->hash_name = text_dup(c.hash_name);
	if (!ret->hash_name)
		return err_nomem(err);
	ret->nonce = TAKE_PTR(c.nonce);
	ret->kind = TREPLY_AUTH;
	return 0;
}

static int reduce_jwe(const char *body, size_t len, struct transport_reply *ret, struct err **err)
{
	struct jwe j = { 0 };

	if (jwe_parse(body, len, &j, err) < 0)
		return -1;
	ret->jwe[0] = j.protected_text;
	ret->jwe[1] = j.encrypted_key;
	ret->jwe[2] = j.iv;
	ret->jwe[3] = j.ciphertext;
	ret->jwe[4] = j.tag;
	ret->kind = TREPLY_JWE;
	return 0;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int reduce_ok(const char *method, const char *path, const char *body, size_t len, struct transport_reply *ret,
		     struct err **err)
{
	if (strcmp(method, "GET") == 0)
		return reduce_jwe(body, len, ret, err);
	if (ends_in(path, "/auth"))
		return reduce_auth(body, len, ret, err);
	if (kbs_token_parse(body, len, &ret->token, err) < 0)
		return -1;
	ret->kind = TREPLY_TOKEN;
	return 0;
}

void kbs_reduce(const char *method, const char *path, unsigned int status, const char *body, size_t len,
		struct transport_reply *ret)
{
	_cleanup_err_ struct err *e = NULL;
	struct kbs_error k;

	if (!body)
		body = "";
	ret->kind = TREPLY_ERROR;
	ret->status = status;
	if (status == HTTP_OK) {
		if (reduce_ok(method, path, body, len, ret, &e) < 0)
			unreadable(strcmp(method, "GET") == 0, e, ret);
		return;
	}
	kbs_error_parse(body, len, &k);
	memcpy(ret->type, k.type, sizeof(ret->type));
	memcpy(ret->detail, k.detail, sizeof(ret->detail));
	memcpy(ret->server_version, k.server_version, sizeof(ret->server_version));
}
