/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Writing messages; kbs_parse.c reads them. */
#include "wire/kbs_messages.h"

#include <string.h>

#include "base/cleanup.h"
#include "wire/json.h"

static const char *const names[] = {
	[KBS_0_1_0] = "0.1.0",
	[KBS_0_1_1] = "0.1.1",
	[KBS_0_2_0] = "0.2.0",
	[KBS_0_4_0] = "0.4.0",
};

const char *kbs_protocol_name(enum kbs_protocol p)
{
	return names[p];
}

int kbs_protocol_by_name(const char *s, enum kbs_protocol *ret, struct err **err)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(s, names[i]) != 0)
			continue;
		*ret = (enum kbs_protocol)i;
		return 0;
	}
	return err_set(err, ERR_CONFIG, "kbs-version", "unknown KBS protocol %.16s (known: 0.1.0, 0.1.1, 0.2.0, 0.4.0)", s);
}

static int finish(struct buf *b, char **ret_json, struct err **err)
{
	char *text;

	if (buf_check(b, err) < 0)
		return -1;
	text = buf_take_str(b);
	if (!text)
		return err_nomem(err);
	*ret_json = text;
	return 0;
}

static void put_string(struct buf *b, const char *s)
{
	json_put_string(b, s, strlen(s));
}

static int put_key(struct buf *b, const struct jwk *jwk, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;

	if (jwk_to_json(jwk, &obj, err) < 0)
		return -1;
	return json_compact(obj, b, err);
}

/* Servers of 0.1.0 take a string there and nothing else (1.1). */
int kbs_auth_request(enum kbs_protocol p, const char *tee, char **ret_json, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(KBS_BODY_MAX);

	buf_printf(&b, "{\"version\":\"%s\",\"tee\":", names[p]);
	put_string(&b, tee);
	buf_puts(&b, p == KBS_0_1_0 ? ",\"extra-params\":\"\"}" :
				      ",\"extra-params\":{\"supported-hash-algorithms\":[\"sha256\",\"sha384\",\"sha512\"]}}");
	return finish(&b, ret_json, err);
}

static int put_attest_0_4(struct buf *b, const char *nonce, const struct jwk *jwk, const char *primary, const char *init_data,
			  struct err **err)
{
	buf_puts(b, "{\"init-data\":");
	if (init_data) {
		buf_puts(b, "{\"format\":\"toml\",\"body\":");
		put_string(b, init_data);
		buf_putc(b, '}');
	} else {
		buf_puts(b, "null");
	}
	buf_puts(b, ",\"runtime-data\":{\"nonce\":");
	put_string(b, nonce);
	buf_puts(b, ",\"tee-pubkey\":");
	if (put_key(b, jwk, err) < 0)
		return -1;
	buf_puts(b, "},\"tee-evidence\":{\"primary_evidence\":");
	buf_puts(b, primary);
	buf_puts(b, ",\"additional_evidence\":\"\"}}");
	return 0;
}

/* Evidence became an object in 0.1.1; 0.1.0 has it as a string of JSON. */
static int put_attest_old(struct buf *b, enum kbs_protocol p, const struct jwk *jwk, const char *primary, struct err **err)
{
	buf_puts(b, "{\"tee-pubkey\":");
	if (put_key(b, jwk, err) < 0)
		return -1;
	buf_puts(b, ",\"tee-evidence\":");
	if (p == KBS_0_1_0)
		put_string(b, primary);
	else
		buf_puts(b, primary);
	buf_putc(b, '}');
	return 0;
}

int kbs_attest_request(enum kbs_protocol p, const char *nonce, const struct jwk *jwk, const char *primary,
		       const char *init_data, char **ret_json, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(KBS_BODY_MAX);
	int r;

	if (init_data && p < KBS_0_4_0) {
		err_set(err, ERR_CONFIG, "kbs-init-data", "KBS protocol %s cannot carry init-data", names[p]);
		return err_hint(err, "update the broker to KBS protocol 0.4.0, or set init-data = optional and use no ${init-data.KEY}");
	}
	if (init_data && !json_is_utf8(init_data, strlen(init_data)))
		return err_set(err, ERR_INTEGRITY, "init-data", "init-data is not UTF-8");
	if (p == KBS_0_4_0)
		r = put_attest_0_4(&b, nonce, jwk, primary, init_data, err);
	else
		r = put_attest_old(&b, p, jwk, primary, err);
	if (r < 0)
		return -1;
	return finish(&b, ret_json, err);
}

int kbs_challenge_text(const char *nonce, char **ret_json, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4 * KBS_NONCE_MAX);

	buf_puts(&b, "{\"nonce\":");
	put_string(&b, nonce);
	buf_puts(&b, ",\"extra-params\":\"\"}");
	return finish(&b, ret_json, err);
}

int kbs_token_text(const char *token, char **ret_json, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(2 * KBS_TOKEN_MAX);

	buf_puts(&b, "{\"token\":");
	put_string(&b, token);
	buf_putc(&b, '}');
	return finish(&b, ret_json, err);
}

int kbs_error_text(const char *name, const char *detail, char **ret_json, struct err **err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(65536);

	buf_printf(&b, "{\"type\":\"https://github.com/confidential-containers/kbs/errors/%s\",\"detail\":", name);
	put_string(&b, detail);
	buf_putc(&b, '}');
	return finish(&b, ret_json, err);
}
