/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What makes a rule complete (contracts.md 7, C13). An incomplete one is an error of the file, not a rule that never fits. */
#include <string.h>

#include "base/text.h"
#include "verify/policy_rule.h"

static bool pins(const struct policy_rule *r, const char *field, bool nonzero)
{
	bool found = false;

	for (size_t i = 0; i < r->n_pins; i++) {
		if (!text_eq(r->pins[i].field->name, field))
			continue;
		/* Any one value accepts, so a zero among them undoes what the others bind to. */
		if (nonzero && all_zero(r->pins[i].value, r->pins[i].field->len))
			return false;
		found = true;
	}
	return found;
}

static int fail(struct err **err, const char *file, unsigned int line, const char *text)
{
	return err_set(err, ERR_CONFIG, "policy-rule", "%s:%u: %s", file, line, text);
}

static int wrong_tee(struct err **err, const char *file, unsigned int line, const char *key, enum tee_kind tee)
{
	return err_set(err, ERR_CONFIG, "policy-rule", "%s:%u: %s belongs into a rule with tee = %s", file, line, key,
		       tee == TEE_SNP ? "tdx" : "snp");
}

static int check_tee(const struct policy_rule *r, const char *file, struct err **err)
{
	if (r->tee == TEE_NONE)
		return fail(err, file, r->line, "no tee; say tee = snp or tee = tdx");
	for (size_t i = 0; i < r->n_pins; i++)
		if (r->pins[i].field->tee != r->tee)
			return wrong_tee(err, file, r->pins[i].line, r->pins[i].field->name, r->tee);
	for (size_t i = 0; policy_dangers[i].name; i++)
		if (r->override_line[i] && policy_dangers[i].tee != TEE_NONE && policy_dangers[i].tee != r->tee)
			return wrong_tee(err, file, r->override_line[i], policy_dangers[i].name, r->tee);
	if (r->tee == TEE_TDX && r->vmpl_line)
		return wrong_tee(err, file, r->vmpl_line, "vmpl", r->tee);
	if (r->tee == TEE_TDX && r->min_tcb_line)
		return wrong_tee(err, file, r->min_tcb_line, "min-tcb", r->tee);
	if (r->tee == TEE_SNP && r->tcb_line)
		return wrong_tee(err, file, r->tcb_line, "tcb", r->tee);
	return 0;
}

static int check_tcb(const struct policy_rule *r, const char *file, struct err **err)
{
	if (r->tee == TEE_TDX) {
		/* Evaluating Intel's collateral comes with a later release; until then nobody may believe it was done. */
		if (!r->tcb_unverified)
			return fail(err, file, r->line, "no tcb; this release does not judge TDX collateral, so a rule must say tcb = unverified");
		return 0;
	}
	if (r->tcb_none && r->floors)
		return fail(err, file, r->min_tcb_line, "min-tcb = none together with a floor");
	if (!r->tcb_none && !r->floors)
		return fail(err, file, r->line, "no min-tcb; give one line per processor generation, or min-tcb = none");
	return 0;
}

static int check_covers(const struct policy_rule *r, const char *file, struct err **err)
{
	if (!r->covers[0])
		return fail(err, file, r->line, "no covers; say what the pinned values cover: covers = kernel+initrd+cmdline");
	if (!text_eq(r->covers, "firmware"))
		return 0;
	/* The host could start any kernel and initrd below a genuine firmware. */
	if (r->tee == TEE_SNP)
		return fail(err, file, r->covers_line, "covers = firmware: the host could change the initrd; snp rules need kernel+initrd+cmdline");
	if (!pins(r, "rtmr1", false) || !pins(r, "rtmr2", false))
		return fail(err, file, r->covers_line, "covers = firmware needs rtmr1 and rtmr2, which hold kernel and initrd");
	return 0;
}

static bool bound(const struct policy_rule *r)
{
	return r->bind_init_data || pins(r, "host-data", true) || pins(r, "mrconfigid", true) ||
	       pins(r, "report-id", true) || pins(r, "chip-id", true) ||
	       (pins(r, "id-key-digest", true) &&
		(pins(r, "family-id", true) || pins(r, "image-id", true)));
}

int policy_rule_check(const struct policy_rule *r, const char *file, struct err **err)
{
	if (check_tee(r, file, err) < 0 || check_covers(r, file, err) < 0 || check_tcb(r, file, err) < 0)
		return -1;
	if (r->tee == TEE_SNP && !pins(r, "measurement", true) && !pins(r, "id-key-digest", true))
		return fail(err, file, r->line, "no measurement (nor id-key-digest): any guest would be accepted");
	if (r->tee == TEE_TDX && !pins(r, "mrtd", true))
		return fail(err, file, r->line, "no mrtd: any guest would be accepted");
	if (r->shared || bound(r))
		return 0;
	if (r->tee == TEE_TDX)
		return fail(err, file, r->line,
			    "every machine that runs this image would get the secret: pin mrconfigid, or say bind = init-data or shared = yes");
	return fail(err, file, r->line,
		    "every machine that runs this image would get the secret: pin host-data, report-id, chip-id, or family-id or image-id "
		    "with id-key-digest, or say bind = init-data or shared = yes");
}
