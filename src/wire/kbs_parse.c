/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Reading messages of the other side, whichever side that is. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "wire/json.h"
#include "wire/kbs_messages.h"
#include "wire/wire_err.h"

#define SMALL_BODY_MAX 65536

static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return true;
}

/* A short printable member; longer ones are refused, never cut. */
static int get_short(const json_t *obj, const char *where, const char *key, char *out, size_t cap, struct err **err)
{
	const char *text;

	if (json_get_str(obj, where, key, &text, err) < 0)
		return -1;
	if (strlen(text) >= cap || !printable(text))
		return err_set(err, ERR_INTEGRITY, "kbs-message", "%s: %s is longer than %zu or not printable", where, key,
			       cap - 1);
	snprintf(out, cap, "%s", text);
	return 0;
}

static int dup_text(const char *text, char **ret, struct err **err)
{
	*ret = text_dup(text);
	return *ret ? 0 : err_nomem(err);
}

static int parse_auth(const char *text, size_t len, struct kbs_auth *ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;

	if (json_parse(text, len, SMALL_BODY_MAX, false, &obj, err) < 0 ||
	    get_short(obj, "request", "version", ret->version, sizeof(ret->version), err) < 0 ||
	    get_short(obj, "request", "tee", ret->tee, sizeof(ret->tee), err) < 0)
		return -1;
	/* Of any type: a string up to 0.1.0, an object later, often empty (2.1). */
	if (!json_object_get(obj, "extra-params"))
		return err_set(err, ERR_INTEGRITY, "kbs-message", "request has no member extra-params");
	ret->version_known = kbs_protocol_by_name(ret->version, &ret->protocol, NULL) == 0;
	return 0;
}

int kbs_auth_parse(const char *text, size_t len, struct kbs_auth *ret, struct err **err)
{
	struct kbs_auth auth = { 0 };
	struct err *cause = NULL;

	if (parse_auth(text, len, &auth, &cause) < 0)
		return wire_err(err, "kbs-message", cause, "auth");
	*ret = auth;
	return 0;
}

void kbs_attest_clear(struct kbs_attest *a)
{
	free(a->nonce);
	json_decref(a->evidence);
	free(a->additional_evidence);
	free(a->init_data);
	memset(a, 0, sizeof(*a));
}

static int take_evidence(json_t *obj, struct kbs_attest *ret, struct err **err)
{
	if (!json_is_object(obj))
		return err_set(err, ERR_INTEGRITY, "kbs-message", "evidence is not an object");
	ret->evidence = json_incref(obj);
	return 0;
}

static int take_init_data(const json_t *obj, struct kbs_attest *ret, struct err **err)
{
	const json_t *init = json_object_get(obj, "init-data");
	const char *format, *body;

	if (!init || json_is_null(init))
		return 0;
	if (json_get_str(init, "init-data", "format", &format, err) < 0 ||
	    json_get_str(init, "init-data", "body", &body, err) < 0)
		return -1;
	if (strcmp(format, "toml") != 0)
		return err_set(err, ERR_INTEGRITY, "kbs-message", "init-data of format %.16s, only toml is known", format);
	return dup_text(body, &ret->init_data, err);
}

static int take_0_4(const json_t *obj, struct kbs_attest *ret, struct err **err)
{
	json_t *runtime, *evidence, *key;
	const char *nonce, *additional;

	if (json_get_obj(obj, "request", "runtime-data", &runtime, err) < 0 ||
	    json_get_str(runtime, "runtime-data", "nonce", &nonce, err) < 0 ||
	    json_get_obj(runtime, "runtime-data", "tee-pubkey", &key, err) < 0 ||
	    jwk_from_json(key, &ret->jwk, err) < 0 ||
	    json_get_obj(obj, "request", "tee-evidence", &evidence, err) < 0 ||
	    json_get_str(evidence, "tee-evidence", "additional_evidence", &additional, err) < 0)
		return -1;
	if (strlen(nonce) > KBS_NONCE_MAX)
		return err_set(err, ERR_INTEGRITY, "kbs-message", "nonce longer than %d", KBS_NONCE_MAX);
	if (dup_text(nonce, &ret->nonce, err) < 0 || dup_text(additional, &ret->additional_evidence, err) < 0 ||
	    take_init_data(obj, ret, err) < 0)
		return -1;
	return take_evidence(json_object_get(evidence, "primary_evidence"), ret, err);
}

static int take_old(enum kbs_protocol p, const json_t *obj, struct kbs_attest *ret, struct err **err)
{
	_cleanup_json_ json_t *inner = NULL;
	const char *text;
	json_t *key;

	if (json_get_obj(obj, "request", "tee-pubkey", &key, err) < 0 || jwk_from_json(key, &ret->jwk, err) < 0 ||
	    dup_text("", &ret->nonce, err) < 0 || dup_text("", &ret->additional_evidence, err) < 0)
		return -1;
	if (p != KBS_0_1_0)
		return take_evidence(json_object_get(obj, "tee-evidence"), ret, err);
	if (json_get_str(obj, "request", "tee-evidence", &text, err) < 0 ||
	    json_parse_bytes(text, strlen(text), KBS_BODY_MAX, &inner, err) < 0)
		return -1;
	return take_evidence(inner, ret, err);
}

int kbs_attest_parse(enum kbs_protocol p, const char *text, size_t len, struct kbs_attest *ret, struct err **err)
{
	struct kbs_attest attest = { .protocol = p };
	_cleanup_json_ json_t *obj = NULL;
	struct err *cause = NULL;
	int r;

	r = json_parse_bytes(text, len, KBS_BODY_MAX, &obj, &cause);
	if (r == 0)
		r = p == KBS_0_4_0 ? take_0_4(obj, &attest, &cause) : take_old(p, obj, &attest, &cause);
	if (r < 0) {
		kbs_attest_clear(&attest);
		return wire_err(err, "kbs-message", cause, "attest");
	}
	*ret = attest;
	return 0;
}

void kbs_challenge_clear(struct kbs_challenge *c)
{
	free(c->nonce);
	memset(c, 0, sizeof(*c));
}

/* extra-params is normally an empty string; it is an object when it names a hash (2.1, pitfall 8). */
static int parse_challenge(const char *text, size_t len, struct kbs_challenge *ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	const json_t *extra;
	const char *nonce;

	if (json_parse(text, len, SMALL_BODY_MAX, false, &obj, err) < 0 ||
	    json_get_str(obj, "answer", "nonce", &nonce, err) < 0)
		return -1;
	if (!*nonce || strlen(nonce) > KBS_NONCE_MAX || !printable(nonce))
		return err_set(err, ERR_INTEGRITY, "kbs-message", "nonce is empty, longer than %d or not printable",
			       KBS_NONCE_MAX);
	extra = json_object_get(obj, "extra-params");
	if (json_object_get(extra, "selected-hash-algorithm") &&
	    get_short(extra, "extra-params", "selected-hash-algorithm", ret->hash_name, sizeof(ret->hash_name), err) < 0)
		return -1;
	for (char *c = ret->hash_name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return dup_text(nonce, &ret->nonce, err);
}

int kbs_challenge_parse(const char *text, size_t len, struct kbs_challenge *ret, struct err **err)
{
	struct kbs_challenge challenge = { 0 };
	struct err *cause = NULL;

	if (parse_challenge(text, len, &challenge, &cause) < 0)
		return wire_err(err, "kbs-message", cause, "challenge");
	*ret = challenge;
	return 0;
}

static int parse_token(const char *text, size_t len, char **ret, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;
	const char *token;

	if (json_parse(text, len, 2 * KBS_TOKEN_MAX, false, &obj, err) < 0 ||
	    json_get_str(obj, "answer", "token", &token, err) < 0)
		return -1;
	if (!*token || strlen(token) > KBS_TOKEN_MAX || !printable(token))
		return err_set(err, ERR_INTEGRITY, "kbs-message", "token is empty, longer than %d or not printable",
			       KBS_TOKEN_MAX);
	return dup_text(token, ret, err);
}

int kbs_token_parse(const char *text, size_t len, char **ret_token, struct err **err)
{
	struct err *cause = NULL;

	if (parse_token(text, len, ret_token, &cause) < 0)
		return wire_err(err, "kbs-message", cause, "token");
	return 0;
}

/* Two wordings are known (1.1): "expect =0.4.0 while ..." and "expected version: =0.4.0, ...". */
static void find_version(const char *detail, char out[static 16])
{
	static const char *const lead[] = { "expect =", "expected version: =" };

	for (size_t i = 0; i < ARRAY_SIZE(lead); i++) {
		const char *p = strstr(detail, lead[i]);
		size_t n;

		if (!p)
			continue;
		p += strlen(lead[i]);
		n = strspn(p, "0123456789.");
		while (n > 0 && p[n - 1] == '.') /* the end of a sentence */
			n--;
		if (n > 0 && n < 16) {
			memcpy(out, p, n);
			out[n] = '\0';
			return;
		}
	}
}

static void take_error(const json_t *obj, struct kbs_error *ret)
{
	const char *type = json_string_value(json_object_get(obj, "type"));
	const char *detail = json_string_value(json_object_get(obj, "detail"));
	const char *name = type ? strstr(type, "/errors/") : NULL;
	size_t n;

	if (name) {
		name += strlen("/errors/");
		n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
		if (n > 0 && !name[n] && n < sizeof(ret->type))
			memcpy(ret->type, name, n + 1);
	}
	if (detail)
		text_sanitise(detail, strlen(detail), ret->detail, sizeof(ret->detail));
	find_version(ret->detail, ret->server_version);
}

void kbs_error_parse(const char *text, size_t len, struct kbs_error *ret)
{
	_cleanup_json_ json_t *obj = NULL;

	memset(ret, 0, sizeof(*ret));
	if (json_parse(text, len, SMALL_BODY_MAX, true, &obj, NULL) == 0 && json_is_object(obj))
		take_error(obj, ret);
	else
		text_sanitise(text, len, ret->detail, sizeof(ret->detail));
}
