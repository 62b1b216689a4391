/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The vTPM of Azure's paravisor: tee-evidence.md 2.5, 4.3; tpm-sealing.md 4.1. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "evidence/hcl_stored.h"
#include "unlock/binding_impl.h"
#include "vtpm/binding.h"

#define FRESH_MS 10000
#define POLL_MS 250

/* See binding.h, "vtpm-elsewhere". The module may be missing where the device is there. */
static int check_here(const struct unlock_env *env, struct err **err)
{
	const struct tee_env te = { .root_fd = env->root_fd, .may_mount = true };
	_cleanup_buf_ struct buf why = BUF_INIT(4096);
	const char *name = NULL;

	for (const struct tee_provider *const *p = env->platform->tees; !name && p && *p; p++)
		if ((*p)->probe(&te, &why) == TEE_PRESENT)
			name = (*p)->name;
	if (!name && faccessat(env->root_fd, "sys/devices/platform/sev-guest", F_OK, 0) == 0)
		name = "sev-guest";
	if (!name)
		return 0;
	return err_set(err, ERR_TPM, "vtpm-elsewhere",
		       "the vTPM shows the report of a paravisor, but this machine has none (%s answers itself): it is another machine's vTPM", name);
}

/* --- the report --- */

static int read_report(struct tpm *t, uint8_t **ret, struct hcl_report *ret_report, struct err **err)
{
	_cleanup_free_ uint8_t *raw = NULL;
	size_t len;

	if (binding_nv_read(t, NV_HCL_REPORT, HCL_REPORT_MAX, &raw, &len, err) < 0)
		return -1;
	if (hcl_report_decode(raw, len, ret_report, err) < 0) {
		err_reclass(err, ERR_TPM);
		return -1;
	}
	*ret = TAKE_PTR(raw);
	return 0;
}

static int not_fresh(struct err **cause, struct err **err)
{
	if (*cause)
		return err_propagate(err, TAKE_PTR(*cause));
	if (clock_cancelled())
		return err_set(err, ERR_TIMEOUT, "cancelled", "waiting for the paravisor's report");
	return err_set(err, ERR_TPM, "hcl-stale",
		       "the paravisor's report does not take up our nonce (NV 0x%08x): it is an old one, and may be another machine's",
		       NV_HCL_USER_DATA);
}

/* A read while it is written anew holds parts of two reports, which do not decode: read again like one that is still the old one. */
static int fresh_report(struct tpm *t, struct deadline d, uint8_t **ret, struct hcl_report *ret_report, struct err **err)
{
	uint8_t nonce[TEE_REPORT_DATA];

	if (random_bytes(nonce, sizeof(nonce), err) < 0 || binding_nv_write(t, NV_HCL_USER_DATA, nonce, sizeof(nonce), err) < 0)
		return -1;
	d = deadline_earlier(d, deadline_in_ms(FRESH_MS));
	for (;;) {
		_cleanup_err_ struct err *e = NULL;
		_cleanup_free_ uint8_t *raw = NULL;

		if (read_report(t, &raw, ret_report, &e) == 0 && ret_report->has_user_data &&
		    memcmp(ret_report->user_data, nonce, sizeof(nonce)) == 0) {
			*ret = TAKE_PTR(raw);
			return 0;
		}
		if (e && !text_starts(err_id(e), "hcl-"))
			return err_propagate(err, TAKE_PTR(e));
		if (!clock_sleep_ms(POLL_MS, d))
			return not_fresh(&e, err);
	}
}

/* --- from the keys in the claims to the storage key --- */

static enum binding_persistence persistence_of(const struct hcl_report *r)
{
	switch (r->tpm_persisted) {
	case HCL_YES:
		return BINDING_PERSISTS;
	case HCL_NO:
		return BINDING_FORGETS;
	case HCL_NOT_SAID:
		break;
	}
	return BINDING_PERSISTENCE_UNKNOWN;
}

/* The endorsement key is tried only where the attestation key cannot be used, not where it says no. */
static int prove_storage_key(struct tpm *t, const struct hcl_report *r, struct binding_result *ret, struct err **err)
{
	static const char *const unusable[] = { "vtpm-ak", "tpm-auth", "tpm-rc" };
	_cleanup_err_ struct err *e = NULL;
	bool other_way = false;

	ret->persistence = persistence_of(r);
	if (binding_certify(t, &r->ak, &ret->srk, &e) == 0) {
		ret->method = "azure-ak";
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unusable); i++)
		other_way |= r->has_ek && text_eq(err_id(e), unusable[i]);
	if (!other_way || binding_read_salted(t, &r->ek, NULL, &ret->srk, NULL) < 0)
		return err_propagate(err, TAKE_PTR(e));
	ret->method = "azure-ek";
	return 0;
}

static void summarise(const char *report, struct binding_result *ret)
{
	ret->proved = true;
	snprintf(ret->summary, sizeof(ret->summary), "the vTPM of Azure's paravisor in this VM: %s; its %s", report,
		 text_eq(ret->method, "azure-ak") ? "attestation key certifies the storage key" :
						    "endorsement key answers for the storage key");
}

/* --- SNP --- */

static int prove_snp(const struct unlock_env *env, struct tpm *t, struct deadline d, struct binding_result *ret, struct err **err)
{
	_cleanup_free_ uint8_t *raw = NULL;
	struct hcl_report r;
	struct evidence ev = { .tee = TEE_SNP };
	char report[320];

	if (!env->config->vtpm.vek_data) {
		err_set(err, ERR_TPM, "vtpm-vek", "[vtpm] has no vek, the chip's certificate, to check the paravisor's report with");
		return err_hint(err, "in the running VM: curl -H Metadata:true http://169.254.169.254/metadata/THIM/amd/certification; store "
				     "vcekCert and certificateChain in one file, and name it by vek = in [vtpm]");
	}
	if (fresh_report(t, d, &raw, &r, err) < 0)
		return -1;
	if (r.tee != TEE_SNP)
		return err_set(err, ERR_TPM, "hcl-structure", "the paravisor's report changed from SNP to TDX");
	ev.report = (uint8_t *)r.hardware;
	ev.report_len = r.hardware_len;
	if (binding_appraise(env, &ev, r.report_data, report, sizeof(report), err) < 0 || prove_storage_key(t, &r, ret, err) < 0)
		return -1;
	summarise(report, ret);
	return 0;
}

/* --- TDX --- */

static int no_quote(const struct unlock_env *env, struct err **err)
{
	err_set(err, ERR_TPM, "vtpm-quote",
		"the paravisor's TDREPORT proves nothing by itself, and [vtpm] vek %s no quote over one (an evidence object with hcl_report and "
		"td_quote)",
		env->config->vtpm.vek_data ? "holds" : "names");
	return err_hint(err, "an az-tdx-vtpm attester in the running VM makes one; store it in a file, and name it by vek = in [vtpm]");
}

static int prove_tdx(const struct unlock_env *env, struct tpm *t, const struct hcl_report *live, struct binding_result *ret, struct err **err)
{
	const struct config_vtpm *c = &env->config->vtpm;
	_cleanup_hcl_stored_ struct hcl_stored s = { 0 };
	struct evidence ev = { .tee = TEE_TDX };
	char report[320];

	if (!c->vek_data || !hcl_stored_is(c->vek_data, c->vek_len))
		return no_quote(env, err);
	if (hcl_stored_load(c->vek_data, c->vek_len, &s, err) < 0) {
		err_reclass(err, ERR_TPM);
		return err_wrap(err, "vek = %s", c->vek);
	}
	if (s.report.tee != TEE_TDX || s.report.ak.n_len != live->ak.n_len || memcmp(s.report.ak.n, live->ak.n, live->ak.n_len) != 0)
		return err_set(err, ERR_TPM, "vtpm-quote", "the quote in vek = %s is about another vTPM: its attestation key is not this one's", c->vek);
	ev.report = s.quote;
	ev.report_len = s.quote_len;
	if (binding_appraise(env, &ev, s.report.report_data, report, sizeof(report), err) < 0 ||
	    prove_storage_key(t, &s.report, ret, err) < 0)
		return -1;
	ret->persistence = persistence_of(live);
	summarise(report, ret);
	return 0;
}

int binding_azure(const struct unlock_env *env, struct tpm *t, struct deadline d, struct binding_result *ret, struct err **err)
{
	_cleanup_free_ uint8_t *raw = NULL;
	struct hcl_report live;
	bool there;

	if (binding_nv_exists(t, NV_HCL_REPORT, &there, err) < 0)
		return -1;
	if (!there)
		return err_set(err, ERR_TPM, "hcl-absent", "binding = azure, but the vTPM holds no report of a paravisor (NV 0x%08x)", NV_HCL_REPORT);
	if (check_here(env, err) < 0 || read_report(t, &raw, &live, err) < 0)
		return -1;
	return live.tee == TEE_SNP ? prove_snp(env, t, d, ret, err) : prove_tdx(env, t, &live, ret, err);
}
