/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* From a sealed file to its payload, and whether that would work. */
#include "base/text.h"
#include "vtpm/admit.h"
#include "vtpm/counter.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"
#include "vtpm/session.h"

#define POLICY_TRIES 30 /* somebody extends PCRs meanwhile */

static int pin_value(const struct vtpm_rules *r, const struct sealed_blob *b, const struct secret *pin, struct secret **ret,
		     struct err **err)
{
	if (!r->pin)
		return 0;
	if (!pin)
		return err_set(err, ERR_TPM, "pin-needed", "the sealed secret needs its PIN");
	return seal_pin_value(pin, b->pin_salt, sizeof(b->pin_salt), ret, err);
}

/* A PIN is never given to a TPM that would refuse it unseen. */
static int check_lockout(struct vtpm *v, struct err **err)
{
	struct tpm_lockout l;

	if (tpm_lockout(v->t, &l, err) < 0)
		return -1;
	if (!l.locked)
		return 0;
	err_set(err, ERR_TPM, "tpm-lockout", "the TPM is locked out after %u wrong PINs", l.failed);
	return err_hint(err, "it takes one more try after %u seconds; until then: cryptattest recover VOLUME", l.interval_s);
}

/* D3: counted before the secret is out, so that no power cut makes a boot free of charge. Once per boot, not per volume. */
static int count_offline(struct vtpm *v, const struct vtpm_rules *r, const struct policy *p, struct err **err)
{
	_cleanup_nv_ struct nv counter = NV_INIT(v->t);
	uint64_t now;

	if (!vtpm_has_budget(r) || v->counted)
		return 0;
	if (counter_open(v->t, r->offline_index, &counter, err) < 0 || nv_counter(v->t, &counter, &now, err) < 0)
		return -1;
	if (now >= p->offline.limit) {
		err_set(err, ERR_TPM, "offline-budget", "the allowance of %llu boots without the key broker is used up",
			(unsigned long long)r->offline_boots);
		return err_hint(err, "a boot with the key broker in reach seals anew and restores it");
	}
	if (nv_increment(v->t, &counter, err) < 0)
		return -1;
	v->counted = true;
	return 0;
}

static int try_unseal(struct vtpm *v, const struct admitted *a, const struct secret *value, struct secret **ret, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t);

	if (session_policy(v->t, &session, err) < 0 || policy_run(v->t, session.tr, &a->state.policy, err) < 0)
		return -1;
	return seal_unseal(v->t, a->object.tr, &session, value, ret, err);
}

static int unseal(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, struct admitted *a, const struct secret *value,
		  struct secret **ret, struct err **err)
{
	for (int i = 0; i < POLICY_TRIES; i++) {
		_cleanup_err_ struct err *cause = NULL;

		if (try_unseal(v, a, value, ret, &cause) == 0)
			return 0;
		if (!text_eq(err_id(cause), "pcr-changed"))
			return err_propagate(err, TAKE_PTR(cause));
		if (vtpm_admit_again(v, r, b, a, err) < 0)
			return -1;
	}
	return err_set(err, ERR_TPM, "tpm-busy", "PCRs change as fast as they are read");
}

/* After a wrong PIN: how many tries are left is the first question. */
static void hint_tries(struct vtpm *v, struct err **err)
{
	struct tpm_lockout l;

	if (!err || !text_eq(err_id(*err), "tpm-auth") || tpm_lockout(v->t, &l, NULL) < 0)
		return;
	if (l.locked)
		err_hint(err, "the TPM is locked out now: it takes one more try after %u seconds; until then: cryptattest recover VOLUME", l.interval_s);
	else
		err_hint(err, "%u of %u tries are left", l.failed < l.max_tries ? l.max_tries - l.failed : 0, l.max_tries);
}

static int decode(const struct sealed_blob *b, const struct admitted *a, const struct secret *bytes, struct sealed_payload *ret, struct err **err)
{
	struct sealed_payload p;

	if (sealed_payload_decode(bytes, &p, err) < 0)
		return -1;
	if (a->origin == ORIGIN_NV_PIN && !text_eq(p.vk_id, a->pin_vk_id)) {
		sealed_payload_clear(&p);
		return err_set(err, ERR_INTEGRITY, "sealed-payload", "the sealed secret is of another volume than its NV pin says");
	}
	if (p.baseline != b->baseline) {
		sealed_payload_clear(&p);
		return err_set(err, ERR_INTEGRITY, "sealed-payload", "the sealed file and the sealed secret name different offline baselines");
	}
	*ret = p;
	return 0;
}

int vtpm_unseal(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, const struct secret *pin, bool need_origin,
		bool offline, struct sealed_payload *ret, enum sealed_origin *ret_origin, struct err **err)
{
	_cleanup_admitted_ struct admitted a = { .object = TPM_LOADED(v->t) };
	_cleanup_secret_ struct secret *value = NULL, *bytes = NULL;
	struct err *cause = NULL;

	if (pin_value(r, b, pin, &value, err) < 0 || vtpm_admit(v, r, b, need_origin, &a, err) < 0)
		return -1;
	if (r->pin && check_lockout(v, err) < 0)
		return -1;
	if (offline && count_offline(v, r, &a.state.policy, err) < 0)
		return -1;
	if (unseal(v, r, b, &a, value, &bytes, &cause) < 0) {
		hint_tries(v, &cause);
		return err_propagate(err, cause);
	}
	if (decode(b, &a, bytes, ret, err) < 0)
		return -1;
	*ret_origin = a.origin;
	return 0;
}

int vtpm_ready(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, struct err **err)
{
	_cleanup_admitted_ struct admitted a = { .object = TPM_LOADED(v->t) };

	if (vtpm_admit(v, r, b, need_origin, &a, err) < 0)
		return -1;
	return r->pin ? check_lockout(v, err) : 0;
}

/* Failures that sealing anew ends. Anything else is no statement about the sealed file. */
static bool cured_by_sealing(const struct err *e)
{
	static const char *const ids[] = { "policy", "sealed-attributes", "sealed-object", "sealed-origin", "tpm-replaced", NULL };

	return strv_has((char *const *)ids, err_id(e));
}

int vtpm_current(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, bool *ret, struct err **err)
{
	_cleanup_admitted_ struct admitted a = { .object = TPM_LOADED(v->t) };
	_cleanup_err_ struct err *cause = NULL;
	uint64_t now = b->baseline;

	if (vtpm_admit(v, r, b, true, &a, &cause) < 0) {
		if (!cured_by_sealing(cause))
			return err_propagate(err, TAKE_PTR(cause));
		*ret = false;
		return 0;
	}
	if (vtpm_has_budget(r) && counter_read(v->t, r->offline_index, &now, err) < 0)
		return -1;
	*ret = now == b->baseline;
	return 0;
}
