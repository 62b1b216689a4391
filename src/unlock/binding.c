/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "unlock/binding.h"

#include <stdio.h>

#include "base/text.h"
#include "unlock/binding_impl.h"
#include "vtpm/binding.h"

/* --- the configuration's word --- */

static int by_configuration(const struct unlock_env *env, struct binding_result *ret, struct err **err)
{
	const struct config_vtpm *c = &env->config->vtpm;

	if (!c->srk_name) {
		err_set(err, ERR_CONFIG, "srk-name", "[vtpm] has no srk-name, and nothing else says which TPM is to be trusted");
		return err_hint(err, "`cryptattest enroll VOLUME --source=vtpm` prints the line");
	}
	if (tpm_name_parse(c->srk_name, &ret->srk, err) < 0)
		return -1;
	ret->method = "config";
	if (env->config->profile == PROFILE_BARE_METAL)
		snprintf(ret->summary, sizeof(ret->summary), "the TPM of this machine whose storage key is %s (srk-name)", c->srk_name);
	else
		snprintf(ret->summary, sizeof(ret->summary),
			 "a vTPM that the host runs, whose storage key is %s (srk-name): allow-untrusted-vtpm = yes accepts that the operator "
			 "of the host can unseal at will",
			 c->srk_name);
	return 0;
}

static int untrusted(const struct unlock_env *env, struct err **err)
{
	err_set(err, ERR_TPM, "vtpm-untrusted",
		"the vTPM is not part of this confidential VM (no report of a paravisor, no SVSM): the host runs it, so its operator can "
		"unseal at will and set any PCR");
	return err_hint(err, env->config->vtpm.srk_name ? "allow-untrusted-vtpm = yes in [vtpm] accepts that" :
							  "allow-untrusted-vtpm = yes and srk-name in [vtpm] accept that");
}

static int host_run(const struct unlock_env *env, struct binding_result *ret, struct err **err)
{
	return env->config->vtpm.allow_untrusted ? by_configuration(env, ret, err) : untrusted(env, err);
}

/* --- the proven Name against the one that was noted --- */

static int check_name(const struct binding_result *r, const struct tpm_name *noted, const char *by, struct err **err)
{
	char was[2 * TPM_NAME_MAX + 1], is[2 * TPM_NAME_MAX + 1];
	bool forgets = r->persistence == BINDING_FORGETS || text_eq(r->method, "svsm");

	if (tpm_name_equal(&r->srk, noted))
		return 0;
	tpm_name_text(noted, was);
	tpm_name_text(&r->srk, is);
	if (forgets) {
		err_set(err, ERR_TPM, "vtpm-forgets",
			"this vTPM is genuine, but its storage key is %s, where %s has %s: it forgets its keys at reset, or this is another machine",
			is, by, was);
		return err_hint(err, "what is sealed to a vTPM without persistent state is lost with every reset: use the key broker alone");
	}
	err_set(err, ERR_TPM, "vtpm-srk-name", "the vTPM's storage key is %s, where %s has %s: it was cleared, or is another machine's", is,
		by, was);
	return err_hint(err, "if that was on purpose, enrol the volume again and note the new name");
}

int binding_check_sealed(const struct binding_result *r, const struct tpm_name *sealed, struct err **err)
{
	return sealed->len ? check_name(r, sealed, "the sealed secret", err) : 0;
}

static int check_pinned(const struct unlock_env *env, const struct binding_result *r, struct err **err)
{
	struct tpm_name pinned;

	if (!env->config->vtpm.srk_name || text_eq(r->method, "config"))
		return 0;
	if (tpm_name_parse(env->config->vtpm.srk_name, &pinned, err) < 0)
		return -1;
	return check_name(r, &pinned, "srk-name", err);
}

/* --- the decision --- */

/* What the vTPM and the kernel show only chooses the proof; a host that shows the wrong thing fails it. */
static int prove(const struct unlock_env *env, struct tpm *t, struct deadline d, struct binding_result *ret, struct err **err)
{
	enum config_binding how = env->config->profile == PROFILE_BARE_METAL ? BINDING_NONE : env->config->vtpm.binding;
	bool hcl = false;

	switch (how) {
	case BINDING_NONE:
		return env->config->profile == PROFILE_BARE_METAL ? by_configuration(env, ret, err) : host_run(env, ret, err);
	case BINDING_AZURE:
		return binding_azure(env, t, d, ret, err);
	case BINDING_SVSM:
		return binding_svsm(env, t, d, ret, err);
	case BINDING_AUTO:
		break;
	}
	if (binding_nv_exists(t, NV_HCL_REPORT, &hcl, err) < 0)
		return -1;
	if (hcl)
		return binding_azure(env, t, d, ret, err);
	return binding_svsm_provider(env) ? binding_svsm(env, t, d, ret, err) : host_run(env, ret, err);
}

int vtpm_prove(const struct unlock_env *env, struct vtpm *v, struct deadline d, struct binding_result *ret, struct err **err)
{
	struct binding_result r = { .persistence = BINDING_PERSISTENCE_UNKNOWN };

	if (prove(env, vtpm_tpm(v), d, &r, err) < 0 || check_pinned(env, &r, err) < 0)
		return -1;
	*ret = r;
	return 0;
}
