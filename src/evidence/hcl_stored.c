/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "evidence/hcl_stored.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "wire/json.h"
#include "wire/wire_err.h"

bool hcl_stored_is(const uint8_t *data, size_t len)
{
	size_t i = 0;

	while (i < len && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n'))
		i++;
	return i < len && data[i] == '{';
}

void hcl_stored_clear(struct hcl_stored *s)
{
	free(s->hcl);
	free(s->quote);
	*s = (struct hcl_stored){ 0 };
}

static int get_bytes(const json_t *obj, const char *key, size_t max, uint8_t **ret, size_t *ret_len, struct err **err)
{
	const char *text;
	size_t n;

	if (json_get_str(obj, "object", key, &text, err) < 0)
		return -1;
	n = strlen(text);
	if (n == 0 || n > b64_encoded_len(B64_URL_PAD, max))
		return err_set(err, ERR_INTEGRITY, "hcl-stored", "%s is empty or too long", key);
	return b64_decode_dup(text[n - 1] == '=' || n % 4 == 0 ? B64_URL_PAD : B64_URL, text, n, ret, ret_len, err) < 0 ?
		       err_wrap(err, "%s", key) :
		       0;
}

static int load(const uint8_t *data, size_t len, struct hcl_stored *s, struct err **err)
{
	_cleanup_json_ json_t *obj = NULL;

	if (json_parse((const char *)data, len, HCL_STORED_MAX, false, &obj, err) < 0)
		return -1;
	if (get_bytes(obj, "hcl_report", HCL_REPORT_MAX, &s->hcl, &s->hcl_len, err) < 0)
		return -1;
	return get_bytes(obj, "td_quote", TDX_QUOTE_MAX, &s->quote, &s->quote_len, err);
}

int hcl_stored_load(const uint8_t *data, size_t len, struct hcl_stored *ret, struct err **err)
{
	_cleanup_hcl_stored_ struct hcl_stored s = { 0 };
	struct err *cause = NULL;

	if (load(data, len, &s, &cause) < 0)
		return wire_err(err, "hcl-stored", cause, "stored HCL report and quote");
	if (hcl_report_decode(s.hcl, s.hcl_len, &s.report, err) < 0)
		return -1;
	*ret = s;
	s = (struct hcl_stored){ 0 };
	return 0;
}
