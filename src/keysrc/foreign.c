/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "keysrc/foreign.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "keysrc/pin.h"

void foreign_answer_clear(struct foreign_answer *a)
{
	secret_free(a->passphrase);
	a->passphrase = NULL;
}

static bool kind_of(const json_t *token, enum foreign_kind *ret)
{
	return foreign_kind_by_name(json_string_value(json_object_get(token, "type")), ret);
}

bool keysrc_has_foreign(const json_t *tokens, enum foreign_kind *ret)
{
	const char *name;
	json_t *token;

	json_object_foreach((json_t *)tokens, name, token)
		if (kind_of(token, ret))
			return true;
	return false;
}

/* One that was asked for ends the search, whatever came of it: another token would cost the person's tries as well. */
static int open_with_pin(const struct foreign_request *r, struct foreign_object *o, bool *ret_final, struct secret **ret, struct err **err)
{
	*ret_final = true;
	for (unsigned int i = 0;; i++) {
		_cleanup_secret_ struct secret *pin = NULL;
		_cleanup_err_ struct err *e = NULL;
		struct tpm_lockout lockout;

		if (pin_check_lockout(r->vtpm, &lockout, err) < 0 || r->ask_pin(r->ctx, &lockout, &pin, err) < 0)
			return -1;
		if (foreign_open(o, pin, ret, &e) == 0)
			return 0;
		if (!text_eq(err_id(e), "tpm-auth") || i + 1 == PIN_TRIES || !pin_may_try_again(&lockout))
			return err_propagate(err, TAKE_PTR(e));
	}
}

static int open_token(const struct foreign_request *r, const struct foreign_token *k, bool *ret_final, struct secret **ret, struct err **err)
{
	_cleanup_foreign_ struct foreign_object *o = NULL;
	struct vtpm_rules rules = *r->rules;

	if (r->keyslot >= 0 && k->keyslot != r->keyslot)
		return err_set(err, ERR_TPM, "foreign-keyslot", "it is of keyslot %d, the configuration says keyslot = %d", k->keyslot, r->keyslot);
	if (r->claimed) {
		foreign_rules(k, r->rules->bank, &rules);
		rules.signatures = r->rules->signatures;
	}
	if (foreign_load(r->vtpm, k, &rules, &o, err) < 0)
		return -1;
	if (r->look)
		return 0;
	return k->pin ? open_with_pin(r, o, ret_final, ret, err) : foreign_open(o, NULL, ret, err);
}

static int try_token(const struct foreign_request *r, const json_t *token, enum foreign_kind kind, bool *ret_final, struct foreign_answer *ret,
		     struct err **err)
{
	_cleanup_foreign_token_ struct foreign_token k = { 0 };

	if (foreign_token_parse(token, kind, &k, err) < 0 || open_token(r, &k, ret_final, &ret->passphrase, err) < 0)
		return -1;
	ret->kind = kind;
	ret->keyslot = k.keyslot;
	return 0;
}

int keysrc_foreign(const struct foreign_request *r, struct foreign_answer *ret, struct err **err)
{
	_cleanup_err_ struct err *first = NULL;
	unsigned int tried = 0;
	const char *name;
	json_t *token;

	json_object_foreach((json_t *)r->tokens, name, token) {
		struct err *why = NULL;
		enum foreign_kind kind;
		bool final = false;
		char id[8];

		if (!kind_of(token, &kind) || (r->kind && kind != *r->kind))
			continue;
		if (tried++ == FOREIGN_TOKENS_MAX)
			break;
		if (try_token(r, token, kind, &final, ret, &why) == 0)
			return 0;
		text_sanitise(name, strlen(name), id, sizeof(id));
		err_wrap(&why, "%s token %s", foreign_kind_name(kind), id);
		log_debug("%s", err_message(why));
		if (final)
			return err_propagate(err, why);
		if (first)
			err_free(why);
		else
			first = why;
	}
	if (first)
		return err_propagate(err, TAKE_PTR(first));
	err_set(err, ERR_TPM, "foreign-absent", "the header has no token of %s",
		r->kind ? foreign_kind_name(*r->kind) : "systemd-cryptenroll (systemd-tpm2) or clevis");
	return err_hint(err, "cryptattest enroll --source=vtpm seals a secret of our own");
}
