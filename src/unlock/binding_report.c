/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Is this hardware report one that a vTPM may rest on? */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/text.h"
#include "config.h"
#include "unlock/binding_impl.h"
#include "verify/policy_rule.h"
#include "verify/verify.h"
#include "wire/tcb_floor.h"

static void anchors_freep(struct trust_anchors **ta)
{
	trust_anchors_free(*ta);
}

static int make_anchors(const struct unlock_env *env, struct trust_anchors **ret, struct err **err)
{
	_cleanup_(anchors_freep) struct trust_anchors *ta = NULL;
	_cleanup_free_ char *roots = NULL;

	if (trust_anchors_new(&ta, err) < 0)
		return -1;
	if (env->platform->test_roots)
		roots = env->platform->test_roots(env->root_fd);
	if (roots && trust_anchors_add_test_root(ta, roots, strlen(roots), err) < 0)
		return -1;
	*ret = TAKE_PTR(ta);
	return 0;
}

/* The host sets the clock; it cannot set it before this was built. */
static int64_t now(void)
{
	int64_t t = (int64_t)time(NULL);

	return t < BUILD_EPOCH ? BUILD_EPOCH : t;
}

static int check_dangers(const struct verdict *v, struct err **err)
{
	static const struct {
		unsigned int flag;
		const char *id, *text;
	} dangers[] = {
		{ OVERRIDE_DEBUG, "vtpm-debug", "the host may debug it, which is to read and write its memory" },
		{ OVERRIDE_MIGRATION_AGENT, "vtpm-migration", "another guest may receive its memory" },
		{ OVERRIDE_MIGRATABLE, "vtpm-migration", "the host may move it to another machine" },
		{ OVERRIDE_VLEK, "vtpm-vlek", "its report is signed by a key of the provider's, not of the chip's" },
		{ OVERRIDE_MASKED_CHIP_ID, "vtpm-masked-chip", "its report does not say which chip it is from" },
	};
	unsigned int found = policy_dangers_of(v);

	for (size_t i = 0; i < ARRAY_SIZE(dangers); i++)
		if (found & dangers[i].flag)
			return err_set(err, ERR_TPM, dangers[i].id, "the machine that the vTPM is part of: %s", dangers[i].text);
	if (v->tee == TEE_SNP && v->snp.vmpl != 0)
		return err_set(err, ERR_TPM, "vtpm-vmpl",
			       "the hardware report was made at VMPL %u: only who is at VMPL 0, below every system, speaks for the vTPM",
			       v->snp.vmpl);
	return 0;
}

static int check_measurement(const struct unlock_env *env, const char *hex, struct err **err)
{
	char **list = env->config->vtpm.binding_measurements;

	if (!list || !*list)
		return 0;
	for (char **m = list; *m; m++)
		if (text_eq(*m, hex))
			return 0;
	err_set(err, ERR_TPM, "vtpm-measurement", "the firmware that runs the vTPM has launch measurement %s, which is not a configured one", hex);
	return err_hint(err, "if the provider has changed its firmware, check it and add binding-measurement = %s", hex);
}

/* A floor that the owner states: a known hole of older firmware lets the host forge what the report vouches for. */
static int check_tcb(const struct unlock_env *env, const struct verdict *v, struct err **err)
{
	const struct snp_tcb *have = &v->snp.reported_tcb;
	char **list = env->config->vtpm.min_tcb;
	struct tcb_floor f;

	if (!list || !*list)
		return 0;
	if (v->tee != TEE_SNP)
		return err_set(err, ERR_TPM, "vtpm-tcb", "min-tcb: the TCB of a TDX quote cannot be judged without Intel's collateral");
	for (; *list; list++) {
		if (tcb_floor_parse(*list, &f) || (int)f.generation != (int)v->snp.generation)
			continue;
		if (have->fmc >= f.fmc && have->bootloader >= f.bootloader && have->tee >= f.tee && have->snp >= f.snp &&
		    have->microcode >= f.microcode)
			return 0;
		err_set(err, ERR_TPM, "vtpm-tcb", "the processor that vouches for the vTPM has TCB %s, min-tcb = %s", v->tcb, *list);
		return err_hint(err, "the provider has to update its firmware; until then the key broker alone (mode = kbs)");
	}
	err_set(err, ERR_TPM, "vtpm-tcb", "no min-tcb line is for a processor of this generation (%s, TCB %s)",
		tcb_generation_word(v->snp.generation), v->tcb);
	return err_hint(err, "add one to [vtpm], if the machine was moved on purpose");
}

/* What is missing is the administrator's to fetch; all else is a report that is not genuine. */
static int refused(const struct verdict *v, struct err **err)
{
	if (!text_eq(v->reason_id, "vek-missing") && !text_eq(v->reason_id, "chain-missing"))
		return err_set(err, ERR_TPM, "vtpm-report", "the hardware report that vouches for the vTPM: %s (%s)", v->reason, v->reason_id);
	err_set(err, ERR_TPM, "vtpm-vek", "the certificates to check the vTPM's hardware report with are missing: %s", v->reason);
	return err_hint(err, "store the chip's certificate and its chain in one file, and name it by vek = in [vtpm]");
}

int binding_appraise(const struct unlock_env *env, const struct evidence *ev, const uint8_t report_data[static TEE_REPORT_DATA],
		     char *summary, size_t cap, struct err **err)
{
	_cleanup_(anchors_freep) struct trust_anchors *anchors = NULL;
	const struct config_vtpm *c = &env->config->vtpm;
	struct verify_input in = { .evidence = ev, .report_data = report_data, .at = now() };
	char hex[2 * 48 + 1];
	struct verdict v;

	if (make_anchors(env, &anchors, err) < 0)
		return -1;
	in.anchors = anchors;
	if (ev->tee == TEE_SNP) {
		in.vek = c->vek_data;
		in.vek_len = c->vek_len;
	}
	if (verify_evidence(&in, &v, err) < 0)
		return err_wrap(err, "vek = %s", c->vek);
	if (!v.verified)
		return refused(&v, err);
	hex_encode(v.tee == TEE_SNP ? v.snp.measurement : v.tdx.body.mrtd, 48, hex);
	if (check_dangers(&v, err) < 0 || check_tcb(env, &v, err) < 0 || check_measurement(env, hex, err) < 0)
		return -1;
	snprintf(summary, cap, "%s report, %s, TCB %s, measurement %s", v.tee == TEE_SNP ? "SNP" : "TDX", v.root, v.tcb, hex);
	return 0;
}
