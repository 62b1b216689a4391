/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The vTPM of an SVSM: tee-evidence.md 2.6, tpm-sealing.md 4.3. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "evidence/svsm_manifest.h"
#include "unlock/binding_impl.h"
#include "vtpm/binding.h"

#define TRIES 4
#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS 8000

static struct tee_env tee_env_of(const struct unlock_env *env)
{
	return (struct tee_env){ .root_fd = env->root_fd, .may_mount = true };
}

const struct tee_provider *binding_svsm_provider(const struct unlock_env *env)
{
	const struct tee_env te = tee_env_of(env);

	for (const struct tee_provider *const *p = env->platform->tees; p && *p; p++)
		if ((*p)->has_svsm && (*p)->has_svsm(&te))
			return *p;
	return NULL;
}

/* A request that met somebody else's is made again, as tee_collect() does. */
static int ask(const struct unlock_env *env, const struct tee_provider *p, const uint8_t *nonce, struct deadline d, struct evidence *ret,
	       struct buf *manifest, struct err **err)
{
	const struct tee_env te = tee_env_of(env);
	struct backoff pause = { .first_ms = PAUSE_FIRST_MS, .max_ms = PAUSE_MAX_MS };

	for (int i = 1;; i++) {
		_cleanup_err_ struct err *e = NULL;

		buf_reset(manifest);
		if (p->service(&te, SVSM_GUID_VTPM, nonce, d, ret, manifest, &e) == 0)
			return 0;
		if (err_class(e) != ERR_BUSY || i == TRIES || !clock_sleep_ms(backoff_next_ms(&pause), d))
			return err_propagate(err, TAKE_PTR(e));
	}
}

static int attested_ek(const struct unlock_env *env, const struct tee_provider *p, struct deadline d, struct svsm_ek *ret, char *report,
		       size_t cap, struct err **err)
{
	_cleanup_buf_ struct buf manifest = BUF_INIT(SVSM_MANIFEST_MAX);
	uint8_t nonce[TEE_REPORT_DATA], bound[TEE_REPORT_DATA];
	struct evidence ev = { 0 };
	int rc;

	if (random_bytes(nonce, sizeof(nonce), err) < 0 || ask(env, p, nonce, d, &ev, &manifest, err) < 0)
		return -1;
	rc = svsm_manifest_report_data(nonce, manifest.data, manifest.len, bound, err);
	if (rc == 0)
		rc = binding_appraise(env, &ev, bound, report, cap, err);
	evidence_clear(&ev);
	if (rc < 0)
		return -1;
	if (svsm_manifest_ek(manifest.data, manifest.len, ret, err) < 0) {
		err_reclass(err, ERR_TPM);
		return -1;
	}
	return 0;
}

int binding_svsm(const struct unlock_env *env, struct tpm *t, struct deadline d, struct binding_result *ret, struct err **err)
{
	const struct tee_provider *p = binding_svsm_provider(env);
	struct tpm_name name = { .len = sizeof(((struct svsm_ek *)0)->name) };
	struct svsm_ek ek;
	char report[320];

	if (!p)
		return err_set(err, ERR_TPM, "svsm-absent", "binding = svsm, but this kernel knows of no SVSM below it");
	if (attested_ek(env, p, d, &ek, report, sizeof(report), err) < 0)
		return -1;
	memcpy(name.bytes, ek.name, name.len);
	if (binding_read_salted(t, &ek.key, &name, &ret->srk, err) < 0)
		return -1;
	ret->proved = true;
	ret->method = "svsm";
	snprintf(ret->summary, sizeof(ret->summary), "the vTPM of the SVSM below this kernel: %s; its endorsement key answers for the storage key",
		 report);
	return 0;
}
