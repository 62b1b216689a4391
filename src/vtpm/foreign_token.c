/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/foreign_token.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "vtpm/clevis_token.h"
#include "vtpm/foreign_token_impl.h"
#include "vtpm/systemd_token.h"

#define KEYSLOT_MAX 31 /* LUKS2 */

static const char *const names[FOREIGN_KINDS] = { [FOREIGN_SYSTEMD] = "systemd-tpm2", [FOREIGN_CLEVIS] = "clevis" };

const char *foreign_kind_name(enum foreign_kind kind)
{
	return names[kind];
}

bool foreign_kind_by_name(const char *name, enum foreign_kind *ret)
{
	for (int i = 0; i < FOREIGN_KINDS; i++) {
		if (text_eq(name, names[i])) {
			*ret = (enum foreign_kind)i;
			return true;
		}
	}
	return false;
}

void foreign_token_clear(struct foreign_token *k)
{
	free(k->pub.data);
	free(k->priv.data);
	free(k->ciphertext.data);
	free(k->signer_pem);
	free(k->protected_text);
	memset(k, 0, sizeof(*k));
}

int foreign_bad(struct err **err, const char *why)
{
	return err_set(err, ERR_INTEGRITY, "foreign-token", "%s", why);
}

int foreign_unsupported(struct err **err, const char *why)
{
	return err_set(err, ERR_TPM, "foreign-unsupported", "%s", why);
}

int foreign_text(const json_t *obj, const char *key, const char **ret, struct err **err)
{
	const json_t *v = json_object_get(obj, key);

	*ret = NULL;
	if (!v)
		return 0;
	if (!json_is_string(v) || json_string_length(v) > FOREIGN_TEXT_MAX || strlen(json_string_value(v)) != json_string_length(v))
		return err_set(err, ERR_INTEGRITY, "foreign-token", "%s is no string of a usual length", key);
	*ret = json_string_value(v);
	return 0;
}

int foreign_bytes(enum b64_form form, const char *text, const char *what, size_t max, struct sealed_bytes *ret, struct err **err)
{
	struct sealed_bytes b = { 0 };

	if (!text || strlen(text) > b64_encoded_len(form, max) || b64_decode_dup(form, text, strlen(text), &b.data, &b.len, NULL) < 0 ||
	    b.len == 0 || b.len > max) {
		free(b.data);
		return err_set(err, ERR_INTEGRITY, "foreign-token", "%s is absent, too long or not base64", what);
	}
	free(ret->data);
	*ret = b;
	return 0;
}

static int pcr_number(const json_t *v)
{
	uint64_t n;

	if (json_is_integer(v))
		return json_integer_value(v) >= 0 && json_integer_value(v) < PCR_COUNT ? (int)json_integer_value(v) : -1;
	return json_is_string(v) && text_u64(json_string_value(v), 0, PCR_COUNT - 1, &n, NULL) == 0 ? (int)n : -1;
}

int foreign_pcr_list(const json_t *list, const char *what, uint32_t *ret, struct err **err)
{
	uint32_t mask = 0;
	json_t *v;
	size_t i;

	if (!json_is_array(list))
		return err_set(err, ERR_INTEGRITY, "foreign-token", "%s is no list", what);
	json_array_foreach(list, i, v) {
		const int n = pcr_number(v);

		if (n < 0 || mask & UINT32_C(1) << n)
			return err_set(err, ERR_INTEGRITY, "foreign-token", "%s is not a list of different PCRs", what);
		mask |= UINT32_C(1) << n;
	}
	*ret = mask;
	return 0;
}

static int take_keyslot(const json_t *token, int *ret, struct err **err)
{
	const json_t *list = json_object_get(token, "keyslots");
	const char *s = json_string_value(json_array_get(list, 0));
	uint64_t n;

	if (json_array_size(list) != 1 || !s || text_u64(s, 0, KEYSLOT_MAX, &n, NULL) < 0)
		return foreign_bad(err, "keyslots does not name exactly one keyslot");
	*ret = (int)n;
	return 0;
}

int foreign_token_parse(const json_t *token, enum foreign_kind kind, struct foreign_token *ret, struct err **err)
{
	_cleanup_foreign_token_ struct foreign_token k = { .kind = kind };

	if (!json_is_object(token) || !text_eq(json_string_value(json_object_get(token, "type")), names[kind]))
		return foreign_bad(err, "not a token of this type");
	if (take_keyslot(token, &k.keyslot, err) < 0)
		return -1;
	if ((kind == FOREIGN_SYSTEMD ? systemd_token_parse(token, &k, err) : clevis_token_parse(token, &k, err)) < 0)
		return -1;
	*ret = k;
	k = (struct foreign_token){ 0 };
	return 0;
}
