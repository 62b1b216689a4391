/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "keysrc/vtpm.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "keysrc/pin.h"

void sealed_answer_clear(struct sealed_answer *a)
{
	sealed_payload_clear(&a->payload);
}

/* Nothing rests on these: a better message than "policy" or "no keyslot takes it". */
static int check_file(const struct sealed_request *r, const struct sealed_blob *b, struct err **err)
{
	if (!text_eq(b->name, r->name) || !text_eq(b->uuid, r->uuid)) {
		err_set(err, ERR_INTEGRITY, "sealed-volume", "the sealed secret is of volume %s with UUID %s", b->name, b->uuid);
		return err_hint(err, "see `sealed =` of this volume");
	}
	if (b->pin == r->rules->pin)
		return 0;
	err_set(err, ERR_TPM, "sealed-pin", "the secret was sealed with%s a PIN, the configuration says pin = %s", b->pin ? "" : "out",
		r->rules->pin ? "yes" : "no");
	return err_hint(err, "seal it again: cryptattest enroll %s --source=vtpm", r->name);
}

int pin_check_lockout(struct vtpm *v, struct tpm_lockout *ret, struct err **err)
{
	if (tpm_lockout(vtpm_tpm(v), ret, err) < 0)
		return -1;
	if (!ret->locked)
		return 0;
	err_set(err, ERR_TPM, "tpm-lockout", "the TPM is locked after %u wrong tries of %u", ret->failed, ret->max_tries);
	return err_hint(err, "it takes a try more every %u s; until then another source or `cryptattest recover`", ret->interval_s);
}

static int unseal(const struct sealed_request *r, const struct sealed_blob *b, const struct secret *pin, struct sealed_answer *ret,
		  struct err **err)
{
	return vtpm_unseal(r->vtpm, r->rules, b, pin, r->need_origin, r->offline, &ret->payload, &ret->origin, err);
}

/* One more wrong try and nobody gets in for hours: that one is not made here. */
bool pin_may_try_again(const struct tpm_lockout *l)
{
	return l->max_tries == 0 || l->failed + 1 < l->max_tries;
}

static int unseal_with_pin(const struct sealed_request *r, const struct sealed_blob *b, struct sealed_answer *ret, struct err **err)
{
	/* A PIN that cannot help is not asked for: least of all by a system that is not the one it was set in. */
	if (vtpm_ready(r->vtpm, r->rules, b, r->need_origin, err) < 0)
		return -1;
	for (unsigned int i = 0;; i++) {
		_cleanup_secret_ struct secret *pin = NULL;
		_cleanup_err_ struct err *e = NULL;
		struct tpm_lockout lockout;

		if (pin_check_lockout(r->vtpm, &lockout, err) < 0 || r->ask_pin(r->ctx, &lockout, &pin, err) < 0)
			return -1;
		if (unseal(r, b, pin, ret, &e) == 0)
			return 0;
		if (!text_eq(err_id(e), "tpm-auth") || i + 1 == PIN_TRIES || !pin_may_try_again(&lockout))
			return err_propagate(err, TAKE_PTR(e));
	}
}

int keysrc_sealed(const struct sealed_request *r, struct sealed_answer *ret, struct err **err)
{
	struct sealed_answer a = { 0 };
	struct sealed_blob b;
	int rc;

	if (sealed_blob_parse(r->text, r->text_len, &b, err) < 0)
		return -1;
	a.keyslot = b.keyslot;
	rc = check_file(r, &b, err);
	if (rc == 0)
		rc = r->rules->pin ? unseal_with_pin(r, &b, &a, err) : unseal(r, &b, NULL, &a, err);
	sealed_blob_clear(&b);
	if (rc < 0)
		sealed_answer_clear(&a);
	else
		*ret = a;
	return rc;
}
