/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The vTPM as the engine sees it: opening, trust, provisioning, questions. Sealing and unsealing are in files of their own. */
#include "vtpm/vtpm.h"

#include <stdlib.h>
#include <string.h>

#include "vtpm/counter.h"
#include "vtpm/policy_run.h"
#include "vtpm/session.h"
#include "vtpm/srk.h"
#include "vtpm/state.h"

/* One command of some 20 ms each: a gap that is wider is a mistake in the numbers. */
#define VERSION_STEPS_MAX 256

int vtpm_open(const struct tpm_access *access, int root_fd, struct deadline d, struct vtpm **ret, struct err **err)
{
	_cleanup_vtpm_ struct vtpm *v = calloc(1, sizeof(*v));

	if (!v)
		return err_nomem(err);
	if (tpm_open(access, root_fd, d, &v->t, err) < 0)
		return -1;
	*ret = TAKE_PTR(v);
	return 0;
}

void vtpm_close(struct vtpm *v)
{
	if (!v)
		return;
	tpm_close(v->t);
	secret_free(v->owner_auth);
	free(v);
}

void vtpm_closep(struct vtpm **v)
{
	vtpm_close(*v);
	*v = NULL;
}

struct tpm *vtpm_tpm(struct vtpm *v)
{
	return v->t;
}

bool vtpm_counted(const struct vtpm *v)
{
	return v->counted;
}

void vtpm_set_counted(struct vtpm *v)
{
	v->counted = true;
}

int vtpm_primary_name(struct vtpm *v, struct tpm_name *ret, struct err **err)
{
	_cleanup_srk_ struct srk s = SRK_INIT(v->t);

	/* Trusted already. Looking again would give the same object of ESYS, and letting go of that would take it from the session. */
	if (v->t->primary != ESYS_TR_NONE) {
		*ret = v->t->primary_name;
		return 0;
	}
	if (srk_show(v->t, &s, err) < 0)
		return -1;
	*ret = s.name;
	return 0;
}

int vtpm_trust(struct vtpm *v, const struct tpm_name *primary, struct err **err)
{
	return srk_trust(v->t, primary, err);
}

int vtpm_provision(struct vtpm *v, const struct secret *owner_auth, struct err **err)
{
	_cleanup_secret_ struct secret *copy = NULL;

	if (owner_auth && secret_from(secret_cdata(owner_auth), secret_len(owner_auth), &copy, err) < 0)
		return -1;
	if (srk_provision(v->t, owner_auth, err) < 0)
		return -1;
	secret_free(v->owner_auth);
	v->owner_auth = TAKE_PTR(copy);
	return 0;
}

int vtpm_define_counters(struct vtpm *v, const struct vtpm_rules *r, struct err **err)
{
	if (r->version_index && counter_define(v->t, r->version_index, v->owner_auth, err) < 0)
		return -1;
	return r->offline_index ? counter_define(v->t, r->offline_index, v->owner_auth, err) : 0;
}

int vtpm_capped(struct vtpm *v, const struct vtpm_rules *r, bool *ret, struct err **err)
{
	struct pcr_values now;

	if (pcr_read(v->t, r->bank, UINT32_C(1) << r->cap_pcr, &now, err) < 0)
		return -1;
	*ret = !pcr_is_reset(&now, r->cap_pcr);
	return 0;
}

int vtpm_explain(struct vtpm *v, const struct vtpm_rules *r, const struct sealed_blob *b, uint32_t *ret_differing,
		 struct pcr_values *ret_now, struct err **err)
{
	const uint32_t mask = r->pcrs | UINT32_C(1) << r->cap_pcr;
	struct pcr_values now;
	uint32_t differing = 0;

	if (pcr_read(v->t, r->bank, mask, &now, err) < 0)
		return -1;
	for (unsigned int i = 0; i < PCR_COUNT; i++) {
		const uint32_t bit = UINT32_C(1) << i;

		if ((mask | b->pcrs) & bit &&
		    (b->values.bank != r->bank || !(b->pcrs & mask & bit) ||
		     memcmp(b->values.value[i], now.value[i], pcr_bank_size(r->bank)) != 0))
			differing |= bit;
	}
	*ret_differing = differing;
	*ret_now = now;
	return 0;
}

/* The file is the host's: its version counts only when the TPM accepts the signature over it, and the state. */
static int prove_signature(struct vtpm *v, const struct vtpm_state *s, struct err **err)
{
	_cleanup_loaded_ struct tpm_loaded session = TPM_LOADED(v->t);
	struct policy p = s->policy;

	p.offline = (struct policy_nv){ 0 };
	p.pin = false;
	return session_policy(v->t, &session, err) < 0 ? -1 : policy_run(v->t, session.tr, &p, err);
}

int vtpm_raise_version(struct vtpm *v, const struct vtpm_rules *r, struct err **err)
{
	_cleanup_vtpm_state_ struct vtpm_state s = { 0 };
	_cleanup_nv_ struct nv counter = NV_INIT(v->t);
	uint64_t now;

	if (!r->version_index || !r->signer_pem)
		return 0;
	if (vtpm_state_read(v, r, NULL, 0, &s, err) < 0)
		return -1;
	if (prove_signature(v, &s, err) < 0)
		return -1;
	if (counter_open(v->t, r->version_index, &counter, err) < 0 || nv_counter(v->t, &counter, &now, err) < 0)
		return -1;
	if (s.policy.version.limit > now && s.policy.version.limit - now > VERSION_STEPS_MAX)
		return err_set(err, ERR_CONFIG, "version-gap", "the signed policy has version %llu, the counter stands at %llu: it is raised by %d at most",
			       (unsigned long long)s.policy.version.limit, (unsigned long long)now, VERSION_STEPS_MAX);
	for (; now < s.policy.version.limit; now++)
		if (nv_increment(v->t, &counter, err) < 0)
			return -1;
	return 0;
}
