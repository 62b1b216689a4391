/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/foreign.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "crypto/hkdf.h"
#include "vtpm/clevis_token.h"
#include "vtpm/policy_run.h"
#include "vtpm/seal.h"
#include "vtpm/session.h"
#include "vtpm/srk.h"
#include "vtpm/state.h"

#define FIXED (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT)
/* What those programs set besides: systemd 257 noDA, clevis noDA and adminWithPolicy. */
#define TOLERATED (FIXED | TPMA_OBJECT_NODA | TPMA_OBJECT_ADMINWITHPOLICY)
#define POLICY_TRIES 30

struct foreign_object {
	struct tpm *t;
	const struct foreign_token *k;
	const struct vtpm_rules *r;
	TPM2B_PUBLIC pub;
	struct pcr_values now;
	struct pcr_signer signer;
	struct pcr_sigs *sigs; /* one per file */
	size_t n_sigs;
	struct policy policy;
	struct tpm_loaded object;
};

static void forget_signatures(struct foreign_object *o)
{
	for (size_t i = 0; i < o->n_sigs; i++)
		pcr_sigs_clear(&o->sigs[i]);
	free(o->sigs);
	o->sigs = NULL;
	o->n_sigs = 0;
}

void foreign_free(struct foreign_object *o)
{
	if (!o)
		return;
	forget_signatures(o);
	tpm_loaded_flush(&o->object);
	free(o);
}

void foreign_freep(struct foreign_object **o)
{
	foreign_free(*o);
	*o = NULL;
}

void foreign_rules(const struct foreign_token *k, enum pcr_bank bank, struct vtpm_rules *ret)
{
	*ret = (struct vtpm_rules){ .bank = k->has_bank ? k->bank : bank,
				    .pcrs = k->pcrs,
				    .signer_pem = k->signer_pem,
				    .signed_pcrs = k->signed_pcrs,
				    .pin = k->pin };
}

/* --- against the configuration */

static int weaker(struct err **err, const char *what)
{
	err_set(err, ERR_TPM, "foreign-policy", "%s", what);
	return err_hint(err, "`cryptattest enroll --from` prints what the token says; the configuration decides what is good enough");
}

static int check_pcrs(const struct foreign_token *k, const struct vtpm_rules *r, struct err **err)
{
	char has[3 * PCR_COUNT + 1], wanted[3 * PCR_COUNT + 1];

	if (!k->pcrs && !k->signer_pem) {
		err_set(err, ERR_TPM, "foreign-policy", "sealed without PCRs (clevis: tpm2 '{}'): the secret opens for any system on this machine");
		return err_hint(err, "with a passphrase: cryptattest enroll VOLUME --source=vtpm; or bind it to PCRs: clevis luks bind -d DEVICE tpm2 "
				     "'{\"pcr_bank\":\"sha256\",\"pcr_ids\":\"7\"}'");
	}
	if (k->has_bank && k->bank != r->bank) {
		err_set(err, ERR_TPM, "foreign-policy", "sealed over another PCR bank than the configuration's: %s, not %s", pcr_bank_name(k->bank),
			pcr_bank_name(r->bank));
		return k->bank == PCR_SHA1 ? err_hint(err, "sha1 is what clevis takes when it is told no pcr_bank: bank = sha1 in [vtpm] opens it, "
							   "`cryptattest enroll VOLUME --from=clevis` makes a better one of it") :
					     err_hint(err, "bank = %s in [vtpm], or seal it over the other", pcr_bank_name(k->bank));
	}
	if ((k->pcrs & r->pcrs) == r->pcrs)
		return 0;
	pcr_mask_text(k->pcrs, has, sizeof(has));
	pcr_mask_text(r->pcrs, wanted, sizeof(wanted));
	weaker(err, "not all PCRs of the configuration are in the policy");
	return err_wrap(err, "sealed for PCR %s, the configuration says pcrs = %s", *has ? has : "(none)", wanted);
}

static int check_signer(const struct foreign_token *k, const struct vtpm_rules *r, struct err **err)
{
	struct pcr_signer ours, theirs;

	if (!k->signer_pem && !r->signer_pem)
		return 0;
	if (!k->signer_pem)
		return weaker(err, "sealed without a signed PCR policy, the configuration has a signer");
	if (!r->signer_pem)
		return weaker(err, "sealed for PCR policies of a signer that the configuration does not name");
	if (pcr_signer_parse(r->signer_pem, false, &ours, err) < 0)
		return -1;
	if (pcr_signer_parse(k->signer_pem, false, &theirs, NULL) < 0 ||
	    memcmp(ours.fingerprint, theirs.fingerprint, sizeof(ours.fingerprint)) != 0)
		return weaker(err, "sealed for PCR policies of another signer than the configuration's");
	return k->signed_pcrs == r->signed_pcrs ? 0 : weaker(err, "sealed for other signed PCRs than the configuration's signed-pcrs");
}

int foreign_check(const struct foreign_token *k, const struct vtpm_rules *r, struct err **err)
{
	if (k->pin != r->pin) {
		err_set(err, ERR_TPM, "sealed-pin", "sealed with%s a PIN, the configuration says pin = %s", k->pin ? "" : "out", r->pin ? "yes" : "no");
		return -1;
	}
	return check_pcrs(k, r, err) < 0 ? -1 : check_signer(k, r, err);
}

/* --- the object */

static int check_public(struct foreign_object *o, struct err **err)
{
	const TPMT_PUBLIC *a = &o->pub.publicArea;
	size_t off = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(o->k->pub.data, o->k->pub.len, &off, &o->pub) != TSS2_RC_SUCCESS || off != o->k->pub.len ||
	    o->pub.size != off - 2)
		return err_set(err, ERR_INTEGRITY, "sealed-object", "the public area of the sealed object does not parse");
	if (a->type != TPM2_ALG_KEYEDHASH || a->nameAlg != TPM2_ALG_SHA256 || a->parameters.keyedHashDetail.scheme.scheme != TPM2_ALG_NULL ||
	    a->authPolicy.size != POLICY_DIGEST)
		return err_set(err, ERR_TPM, "sealed-attributes", "not a sealed object with a SHA-256 Name and a policy");
	if ((a->objectAttributes & FIXED) != FIXED)
		return err_set(err, ERR_TPM, "sealed-attributes",
			       "the sealed object is not bound to one TPM (fixedTPM, fixedParent): it was imported from elsewhere");
	if (a->objectAttributes & ~(TPMA_OBJECT)TOLERATED || (o->k->pin && a->objectAttributes & TPMA_OBJECT_NODA))
		return err_set(err, ERR_TPM, "sealed-attributes", "the sealed object has attributes 0x%x: %s", a->objectAttributes,
			       o->k->pin ? "its PIN could be guessed" : "it opens without its policy");
	return 0;
}

/* Files come from where the host can write; one that is broken must not stop us from looking at the others. */
static int find_signature(struct foreign_object *o, struct err **err)
{
	const char *const *texts = o->r->signatures;
	size_t n = 0;

	while (texts && texts[n])
		n++;
	if (n == 0)
		return 0;
	o->sigs = calloc(n, sizeof(*o->sigs));
	if (!o->sigs)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		_cleanup_err_ struct err *why = NULL;

		if (pcr_sigs_parse(texts[i], strlen(texts[i]), o->policy.bank, &o->sigs[o->n_sigs], &why) < 0) {
			log_debug("%s", err_message(why));
			continue;
		}
		if (policy_find_signature(&o->policy, &o->sigs[o->n_sigs++], err) < 0)
			return -1;
	}
	return 0;
}

static int policy_fits(const struct foreign_object *o, bool *ret, struct err **err)
{
	uint8_t d[POLICY_DIGEST];

	if (policy_digest(&o->policy, d, err) < 0)
		return -1;
	*ret = memcmp(d, o->pub.publicArea.authPolicy.buffer, sizeof(d)) == 0;
	return 0;
}

/* The signer's key as this writer described it to the TPM (tpm-sealing.md 5.1: exponent 65537, or zero, the TPM's word for it). */
static int fit_signer(struct foreign_object *o, bool *ret, struct err **err)
{
	for (int zero = 0; zero < 2; zero++) {
		if (pcr_signer_parse(o->r->signer_pem, zero, &o->signer, err) < 0)
			return -1;
		o->policy.signer = &o->signer;
		if (policy_fits(o, ret, err) < 0)
			return -1;
		if (*ret)
			return 0;
	}
	return 0;
}

static int no_fit(const struct foreign_object *o, struct err **err)
{
	char list[3 * PCR_COUNT + 1];

	pcr_mask_text(o->policy.pcrs, list, sizeof(list));
	if (*list)
		err_set(err, ERR_TPM, "policy", "the secret was sealed for other values of PCR %s than this boot's", list);
	else
		err_set(err, ERR_TPM, "policy", "the secret was sealed for another policy than its token says");
	return err_hint(err, "if a kernel, an initrd, firmware or Secure Boot keys changed, enrol it again with the program that made it");
}

/* Which policy it must be for the PCRs as they are, and whether it can hold now. */
static int judge(struct foreign_object *o, struct err **err)
{
	struct policy *p = &o->policy;
	bool fits;

	forget_signatures(o);
	*p = (struct policy){ .bank = o->r->bank, .signed_pcrs = o->k->signed_pcrs, .pcrs = o->k->pcrs, .pin = o->k->pin };
	if (pcr_read(o->t, p->bank, p->pcrs | p->signed_pcrs, &o->now, err) < 0 ||
	    (p->pcrs && policy_pcr_digest(&o->now, p->pcrs, p->pcr_digest, err) < 0) ||
	    (p->signed_pcrs && policy_pcr_digest(&o->now, p->signed_pcrs, p->signed_digest, err) < 0))
		return -1;
	if ((o->k->signer_pem ? fit_signer(o, &fits, err) : policy_fits(o, &fits, err)) < 0)
		return -1;
	if (!fits)
		return no_fit(o, err);
	if (!p->signer)
		return 0;
	if (find_signature(o, err) < 0)
		return -1;
	if (p->signature)
		return 0;
	err_set(err, ERR_TPM, "policy-signature", "no signed policy approves the current values of the signed PCRs");
	return err_hint(err, "[vtpm] needs signer, and pcr-signature where the tpm2-pcr-signature.json of what runs is in no usual place");
}

/* The parent is let go before anything else is loaded: a TPM without a resource manager has three places. */
static int load(struct foreign_object *o, struct err **err)
{
	_cleanup_srk_ struct srk legacy = SRK_INIT(o->t);
	char found[2 * TPM_NAME_MAX + 1], wanted[2 * TPM_NAME_MAX + 1];

	if (o->k->parent == FOREIGN_STORAGE) {
		if (tpm_name_equal(&o->k->parent_name, &o->t->primary_name))
			return seal_load(o->t, &o->pub, &o->k->priv, &o->object, err);
		tpm_name_text(&o->t->primary_name, found);
		tpm_name_text(&o->k->parent_name, wanted);
		return err_set(err, ERR_TPM, "tpm-replaced", "the secret was sealed under key %s, the trusted storage primary is %s", wanted, found);
	}
	if (srk_create(o->t, o->k->parent == FOREIGN_LEGACY_RSA ? SRK_LEGACY_RSA : SRK_LEGACY_ECC, TPM2_ALG_SHA256, NULL, &legacy, err) < 0)
		return -1;
	return seal_load_under(o->t, legacy.key.tr, &o->pub, &o->k->priv, &o->object, err);
}

int foreign_load(struct vtpm *v, const struct foreign_token *k, const struct vtpm_rules *r, struct foreign_object **ret, struct err **err)
{
	_cleanup_foreign_ struct foreign_object *o = NULL;

	if (foreign_check(k, r, err) < 0)
		return -1;
	o = calloc(1, sizeof(*o));
	if (!o)
		return err_nomem(err);
	o->t = v->t;
	o->k = k;
	o->r = r;
	o->object = (struct tpm_loaded)TPM_LOADED(v->t);
	if (check_public(o, err) < 0 || judge(o, err) < 0 || load(o, err) < 0)
		return -1;
	*ret = o;
	o = NULL;
	return 0;
}

static int try_unseal(struct foreign_object *o, const struct secret *value, struct secret **ret, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(o->t);

	if (session_policy(o->t, &session, err) < 0 || policy_run(o->t, session.tr, &o->policy, err) < 0)
		return -1;
	return seal_unseal(o->t, o->object.tr, &session, value, ret, err);
}

static int unseal(struct foreign_object *o, const struct secret *value, struct secret **ret, struct err **err)
{
	for (int i = 0; i < POLICY_TRIES; i++) {
		_cleanup_err_ struct err *why = NULL;

		if (try_unseal(o, value, ret, &why) == 0)
			return 0;
		if (!text_eq(err_id(why), "pcr-changed"))
			return err_propagate(err, TAKE_PTR(why));
		if (judge(o, err) < 0)
			return -1;
	}
	return err_set(err, ERR_TPM, "tpm-busy", "PCRs change as fast as they are read");
}

int foreign_open(struct foreign_object *o, const struct secret *pin, struct secret **ret, struct err **err)
{
	_cleanup_secret_ struct secret *value = NULL, *bytes = NULL;

	if (o->k->pin && !pin)
		return err_set(err, ERR_TPM, "pin-needed", "the sealed secret needs its PIN");
	if (o->k->pin && seal_pin_value(pin, o->k->salt_len ? o->k->salt : NULL, o->k->salt_len, &value, err) < 0)
		return -1;
	if (unseal(o, value, &bytes, err) < 0)
		return -1;
	return o->k->kind == FOREIGN_CLEVIS ? clevis_token_decrypt(o->k, bytes, ret, err) : secret_base64(bytes, ret, err);
}
