/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* From a payload to a sealed file, and the proof that it can be opened again. */
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "vtpm/counter.h"
#include "vtpm/nv_pin.h"
#include "vtpm/seal.h"
#include "vtpm/state.h"

static bool has_pcrs(uint32_t mask, const struct pcr_values *v)
{
	return mask && (v->mask & mask) == mask;
}

/* tpm-sealing.md 6.1: a policy over registers that nothing was measured into holds on every machine in every state. */
static int check_measured(const struct vtpm_rules *r, const struct vtpm_state *s, const struct pcr_values *next, struct err **err)
{
	const struct pcr_values *literal = next ? next : &s->now;
	char list[3 * PCR_COUNT + 1];
	uint32_t mask = r->pcrs;

	/* Literal PCRs that are wanted at zero (12 and 13) are no mistake beside others; alone they are. */
	if (has_pcrs(r->pcrs, literal) && !pcr_unmeasured(literal, r->pcrs))
		return 0;
	if (r->signer_pem && (next || !pcr_unmeasured(&s->now, r->signed_pcrs)))
		return 0;
	if (r->signer_pem)
		mask |= r->signed_pcrs;
	pcr_mask_text(mask, list, sizeof(list));
	if (r->insecure) {
		log_warning("nothing was measured into PCR %s (bank %s): what is sealed opens for any system, until its cap", list,
			    pcr_bank_name(r->bank));
		return 0;
	}
	err_set(err, ERR_CONFIG, "pcrs-unmeasured", "nothing was measured into PCR %s (bank %s): a policy over them protects nothing", list,
		pcr_bank_name(r->bank));
	return err_hint(err, "choose PCRs and a bank that this machine's firmware and boot loader measure into; insecure-pcrs = yes accepts the list as it is");
}

static int check_arguments(const struct vtpm_rules *r, const struct secret *pin, struct err **err)
{
	if (r->pin && (!pin || secret_len(pin) == 0))
		return err_set(err, ERR_CONFIG, "pin-needed", "the rules ask for a PIN, none was given");
	if (!r->pin && pin)
		return err_set(err, ERR_INTERNAL, "pin", "a PIN that the rules do not ask for");
	return 0;
}

/* A first sealing defines the counters. The budget starts where its counter stands. */
static int take_baseline(struct vtpm *v, const struct vtpm_rules *r, uint64_t *ret, struct err **err)
{
	*ret = 0;
	if (vtpm_define_counters(v, r, err) < 0)
		return -1;
	return vtpm_has_budget(r) ? counter_read(v->t, r->offline_index, ret, err) : 0;
}

static int encode(const struct sealed_payload *payload, uint64_t baseline, struct secret **ret, struct err **err)
{
	struct sealed_payload p = *payload; /* the secret stays the caller's */

	p.baseline = baseline;
	return sealed_payload_encode(&p, ret, err);
}

static int take_pin(const struct vtpm_rules *r, const struct secret *pin, struct sealed_blob *b, struct secret **ret, struct err **err)
{
	b->pin = r->pin;
	if (!r->pin)
		return 0;
	if (random_bytes(b->pin_salt, sizeof(b->pin_salt), err) < 0)
		return -1;
	return seal_pin_value(pin, b->pin_salt, sizeof(b->pin_salt), ret, err);
}

/* Everything of the sealed file but the volume's names, which are the caller's to fill in. */
static int make(struct vtpm *v, const struct vtpm_rules *r, const struct vtpm_state *s, const struct secret *payload,
		const struct secret *pin, struct sealed_blob *b, struct err **err)
{
	_cleanup_secret_ struct secret *value = NULL;
	uint8_t policy[POLICY_DIGEST];
	struct seal_result made;

	if (take_pin(r, pin, b, &value, err) < 0 || policy_digest(&s->policy, policy, err) < 0 ||
	    seal_create(v->t, policy, payload, value, r->bank, s->creation_mask, &made, err) < 0)
		return -1;
	b->pub = made.pub;
	b->priv = made.priv;
	b->creation_data = made.creation_data;
	b->creation_ticket = made.creation_ticket;
	b->keyslot = -1;
	b->values = s->want;
	b->pcrs = s->want.mask;
	b->srk_name = v->t->primary_name;
	return 0;
}

/* Creation data of another state than the one that will unseal prove nothing; they are left out rather than refused later. */
static void drop_creation(struct sealed_blob *b)
{
	free(b->creation_data.data);
	free(b->creation_ticket.data);
	memset(&b->creation_data, 0, sizeof(b->creation_data));
	memset(&b->creation_ticket, 0, sizeof(b->creation_ticket));
}

static int trial(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, const struct secret *pin,
		 const struct secret *payload, struct err **err)
{
	struct sealed_payload back = { 0 };
	_cleanup_secret_ struct secret *bytes = NULL;
	enum sealed_origin origin;
	int rc = vtpm_unseal(v, r, b, pin, true, false, &back, &origin, err);

	if (rc == 0)
		rc = sealed_payload_encode(&back, &bytes, err);
	sealed_payload_clear(&back);
	if (rc < 0)
		return err_wrap(err, "trial unsealing");
	return secret_equal(bytes, payload) ? 0 : err_set(err, ERR_TPM, "seal-trial", "trial unsealing gave other bytes than were sealed");
}

static int name_of(const struct vtpm_rules *r, const struct sealed_blob *b, struct tpm_name *ret, struct err **err)
{
	TPM2B_PUBLIC pub;

	return seal_check_public(&b->pub, r->pin, &pub, err) < 0 ? -1 : tpm_name_of_public(&pub, ret, err);
}

/* in_place comes from the host's disk: it is a Name that the pin may keep if it holds it, and nothing else. */
static int write_pin(struct vtpm *v, const struct vtpm_rules *r, const struct vtpm_state *s, const struct sealed_blob *b,
		     const struct sealed_blob *in_place, const struct sealed_payload *payload, struct err **err)
{
	struct tpm_name name, older;
	const bool has_older = in_place && name_of(r, in_place, &older, NULL) == 0;

	if (name_of(r, b, &name, err) < 0)
		return -1;
	return nv_pin_write(v, r, s, &name, has_older ? &older : NULL, payload->vk_id, b->baseline, err);
}

static int seal(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_payload *payload, const struct secret *pin,
		const struct pcr_values *next, const struct sealed_blob *in_place, struct sealed_blob *b, struct err **err)
{
	_cleanup_vtpm_state_ struct vtpm_state s = { 0 };
	_cleanup_secret_ struct secret *bytes = NULL;
	bool usable_now;

	if (check_arguments(r, pin, err) < 0 || take_baseline(v, r, &b->baseline, err) < 0 ||
	    vtpm_state_read(v, r, next, b->baseline, &s, err) < 0 || check_measured(r, &s, next, err) < 0 ||
	    encode(payload, b->baseline, &bytes, err) < 0 || make(v, r, &s, bytes, pin, b, err) < 0)
		return -1;
	usable_now = !next && !vtpm_state_capped(&s, r) && (!s.policy.signer || s.policy.signature);
	if (!usable_now) {
		drop_creation(b);
		return 0;
	}
	if (trial(v, r, b, pin, bytes, err) < 0)
		return -1;
	return r->pin_index ? write_pin(v, r, &s, b, in_place, payload, err) : 0;
}

int vtpm_seal(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_payload *payload, const struct secret *pin,
	      const struct pcr_values *next, const struct sealed_blob *in_place, struct sealed_blob *ret, struct err **err)
{
	struct sealed_blob b = { 0 };

	if (seal(v, r, payload, pin, next, in_place, &b, err) < 0) {
		sealed_blob_clear(&b);
		return -1;
	}
	*ret = b;
	return 0;
}
