/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vtpm/counter.h"

void vtpm_state_clear(struct vtpm_state *s)
{
	for (size_t i = 0; i < s->n_sigs; i++)
		pcr_sigs_clear(&s->sigs[i]);
	free(s->sigs);
	memset(s, 0, sizeof(*s));
}

bool vtpm_has_budget(const struct vtpm_rules *r)
{
	return r->offline_index && r->offline_boots;
}

bool vtpm_state_capped(const struct vtpm_state *s, const struct vtpm_rules *r)
{
	return !pcr_is_reset(&s->now, r->cap_pcr);
}

static int check_rules(const struct vtpm_rules *r, struct err **err)
{
	if (r->cap_pcr >= PCR_COUNT || r->pcrs & UINT32_C(1) << r->cap_pcr)
		return err_set(err, ERR_CONFIG, "pcrs", "PCR %u is the cap register, it cannot be a literal PCR too", r->cap_pcr);
	if (!r->pcrs && !(r->signer_pem && r->signed_pcrs))
		return err_set(err, ERR_CONFIG, "pcrs-empty", "a policy without PCRs protects nothing: set pcrs, or signer and signed-pcrs");
	return 0;
}

/* What the policy wants of the literal PCRs: the next boot's values or the current ones; the cap register always uncapped. */
static int want_literal(struct vtpm_state *s, const struct vtpm_rules *r, const struct pcr_values *next, struct err **err)
{
	const struct pcr_values *from = next ? next : &s->now;

	if (from->bank != r->bank || (from->mask & r->pcrs) != r->pcrs)
		return err_set(err, ERR_INTERNAL, "pcrs", "values of another bank, or not of all literal PCRs");
	s->want.bank = r->bank;
	for (unsigned int i = 0; i < PCR_COUNT; i++)
		if (r->pcrs & UINT32_C(1) << i)
			memcpy(s->want.value[i], from->value[i], PCR_DIGEST_MAX);
	s->want.mask = s->policy.pcrs = r->pcrs | UINT32_C(1) << r->cap_pcr;
	return policy_pcr_digest(&s->want, s->want.mask, s->policy.pcr_digest, err);
}

/* These files come from where the host can write: one that is broken must not stop us from looking at the others. */
static int find_signature(struct vtpm_state *s, const struct vtpm_rules *r, struct err **err)
{
	size_t n = 0;

	while (r->signatures && r->signatures[n])
		n++;
	if (n == 0)
		return 0;
	s->sigs = calloc(n, sizeof(*s->sigs));
	if (!s->sigs)
		return err_nomem(err);
	for (size_t i = 0; i < n; i++) {
		_cleanup_err_ struct err *cause = NULL;

		if (pcr_sigs_parse(r->signatures[i], strlen(r->signatures[i]), r->bank, &s->sigs[s->n_sigs], &cause) < 0) {
			if (err_class(cause) != ERR_INTEGRITY)
				return err_propagate(err, TAKE_PTR(cause));
			log_debug("%s", err_message(cause));
			continue;
		}
		if (policy_find_signature(&s->policy, &s->sigs[s->n_sigs++], err) < 0)
			return -1;
	}
	return 0;
}

static int want_signed(struct vtpm_state *s, const struct vtpm_rules *r, struct err **err)
{
	struct policy *p = &s->policy;

	if (!r->signer_pem)
		return 0;
	if (!r->signed_pcrs)
		return err_set(err, ERR_CONFIG, "signer", "a signer without signed PCRs");
	if (pcr_signer_parse(r->signer_pem, false, &s->signer, err) < 0)
		return -1;
	p->signer = &s->signer;
	p->signed_pcrs = r->signed_pcrs;
	p->version.index = r->version_index;
	if (r->version_index && counter_name(r->version_index, &p->version.name, err) < 0)
		return -1;
	if (policy_pcr_digest(&s->now, r->signed_pcrs, p->signed_digest, err) < 0)
		return -1;
	return find_signature(s, r, err);
}

static int want_budget(struct vtpm_state *s, const struct vtpm_rules *r, uint64_t baseline, struct err **err)
{
	struct policy_nv *nv = &s->policy.offline;

	if (!vtpm_has_budget(r))
		return 0;
	nv->index = r->offline_index;
	nv->limit = baseline > UINT64_MAX - r->offline_boots ? UINT64_MAX : baseline + r->offline_boots;
	return counter_name(r->offline_index, &nv->name, err);
}

/* s->now is there. */
static int fill(const struct vtpm_rules *r, const struct pcr_values *next, uint64_t baseline, struct vtpm_state *s, struct err **err)
{
	s->policy.bank = r->bank;
	s->policy.pin = r->pin;
	s->creation_mask = vtpm_rules_pcrs(r);
	if (want_literal(s, r, next, err) < 0 || want_signed(s, r, err) < 0)
		return -1;
	return want_budget(s, r, baseline, err);
}

uint32_t vtpm_rules_pcrs(const struct vtpm_rules *r)
{
	return r->pcrs | UINT32_C(1) << r->cap_pcr | (r->signer_pem ? r->signed_pcrs : 0);
}

int vtpm_state_read(struct vtpm *v, const struct vtpm_rules *r, const struct pcr_values *next, uint64_t baseline, struct vtpm_state *ret,
		    struct err **err)
{
	memset(ret, 0, sizeof(*ret));
	if (check_rules(r, err) < 0)
		return -1;
	if (pcr_read(v->t, r->bank, vtpm_rules_pcrs(r), &ret->now, err) < 0 || fill(r, next, baseline, ret, err) < 0) {
		vtpm_state_clear(ret);
		return -1;
	}
	return 0;
}

int vtpm_state_suppose(const struct vtpm_rules *r, const struct pcr_values *values, uint64_t baseline, struct vtpm_state *ret, struct err **err)
{
	memset(ret, 0, sizeof(*ret));
	if (check_rules(r, err) < 0)
		return -1;
	if (values->bank != r->bank || vtpm_rules_pcrs(r) & ~values->mask)
		return err_set(err, ERR_INTERNAL, "pcrs", "values of another bank, or not of all PCRs of the rules");
	ret->now = *values;
	if (fill(r, NULL, baseline, ret, err) < 0) {
		vtpm_state_clear(ret);
		return -1;
	}
	return 0;
}
