/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/admit.h"

#include <string.h>

#include "base/text.h"
#include "vtpm/nv_pin.h"
#include "vtpm/origin.h"
#include "vtpm/seal.h"

void admitted_clear(struct admitted *a)
{
	tpm_loaded_flush(&a->object);
	vtpm_state_clear(&a->state);
}

static int check_policy(const struct vtpm_rules *r, const struct admitted *a, struct err **err)
{
	const struct policy *p = &a->state.policy;
	uint8_t want[POLICY_DIGEST];

	if (vtpm_state_capped(&a->state, r))
		return err_set(err, ERR_CAP, "capped", "PCR %u has moved: in this boot nothing can be unsealed any more", r->cap_pcr);
	if (policy_digest(p, want, err) < 0)
		return -1;
	if (memcmp(want, a->pub.publicArea.authPolicy.buffer, sizeof(want)) != 0) {
		err_set(err, ERR_TPM, "policy", "the secret was sealed for other PCR values or other rules than this boot's");
		return err_hint(err, "`cryptattest explain VOLUME` names the PCRs that differ. A boot by the key broker may seal anew; without one: "
				     "`cryptattest recover VOLUME`, then `cryptattest enroll VOLUME --source=vtpm`");
	}
	if (p->signer && !p->signature) {
		err_set(err, ERR_TPM, "policy-signature", "no signed policy approves the current values of the signed PCRs");
		return err_hint(err, "ship the tpm2-pcr-signature.json of the kernel that runs, signed by the configured signer");
	}
	return 0;
}

int vtpm_admit_again(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, struct admitted *a, struct err **err)
{
	vtpm_state_clear(&a->state);
	if (vtpm_state_read(v, r, NULL, b->baseline, &a->state, err) < 0)
		return -1;
	return check_policy(r, a, err);
}

/* What needs no TPM at all. */
static int check_file(const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, struct admitted *a, struct err **err)
{
	if (seal_check_public(&b->pub, r->pin, &a->pub, err) < 0)
		return -1;
	if (b->pin != r->pin)
		return err_set(err, ERR_TPM, "sealed-attributes", "the sealed file says that a PIN is %s, the configuration says that it is %s",
			       b->pin ? "needed" : "not needed", r->pin ? "needed" : "not needed");
	if (need_origin && !b->creation_data.len && !r->pin_index) {
		err_set(err, ERR_TPM, "sealed-origin", "nothing proves that this system sealed this secret: the sealed file has no creation data");
		return err_hint(err, "set vk-id in the configuration, or let a boot by the key broker seal anew");
	}
	return tpm_name_of_public(&a->pub, &a->name, err);
}

static int certify(struct tpm *t, const struct sealed_blob *b, struct admitted *a, struct err **err)
{
	if (origin_check_data(&b->creation_data, &a->state.now, a->state.creation_mask, &t->primary_name, err) < 0)
		return -1;
	if (a->object.tr == ESYS_TR_NONE && seal_load(t, &a->pub, &b->priv, &a->object, err) < 0)
		return -1;
	return origin_certify(t, &a->object, &a->name, &b->creation_data, &b->creation_ticket, err);
}

/* Creation data first, they cost one command; then the NV pin, if the rules have one. */
static int prove_origin(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, struct admitted *a, struct err **err)
{
	_cleanup_err_ struct err *data = NULL, *pin = NULL;

	if (certify(v->t, b, a, &data) == 0) {
		a->origin = ORIGIN_CREATION;
		return 0;
	}
	if (!text_eq(err_id(data), "sealed-origin") || !r->pin_index)
		return err_propagate(err, TAKE_PTR(data));
	if (nv_pin_check(v, r, &a->state, &a->name, a->pin_vk_id, &pin) == 0) {
		a->origin = ORIGIN_NV_PIN;
		return 0;
	}
	if (!text_eq(err_id(pin), "sealed-origin"))
		return err_propagate(err, TAKE_PTR(pin));
	return err_set(err, ERR_TPM, "sealed-origin", "%s; %s", err_message(data), err_message(pin));
}

static int admit(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, struct admitted *a,
		 struct err **err)
{
	if (check_file(r, b, need_origin, a, err) < 0 || vtpm_admit_again(v, r, b, a, err) < 0)
		return -1;
	if (need_origin && prove_origin(v, r, b, a, err) < 0)
		return -1;
	return a->object.tr == ESYS_TR_NONE ? seal_load(v->t, &a->pub, &b->priv, &a->object, err) : 0;
}

int vtpm_admit(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, struct admitted *ret,
	       struct err **err)
{
	*ret = (struct admitted){ .object = TPM_LOADED(v->t), .origin = ORIGIN_UNPROVEN };
	if (admit(v, r, b, need_origin, ret, err) == 0)
		return 0;
	admitted_clear(ret);
	*ret = (struct admitted){ .object = TPM_LOADED(v->t) };
	return -1;
}

int vtpm_forecast(const struct vtpm_rules *r, const struct sealed_blob *b, bool need_origin, const struct pcr_values *values,
		  const struct tpm_name *primary, struct err **err)
{
	struct admitted a = { 0 };
	int rc;

	if (check_file(r, b, need_origin, &a, err) < 0 || vtpm_state_suppose(r, values, b->baseline, &a.state, err) < 0)
		return -1;
	rc = check_policy(r, &a, err);
	if (rc == 0 && need_origin && !r->pin_index)
		rc = origin_check_data(&b->creation_data, &a.state.now, a.state.creation_mask, primary, err);
	vtpm_state_clear(&a.state);
	return rc;
}
