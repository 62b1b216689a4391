/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/rc.h"

#include <string.h>
#include <tss2/tss2_tpm2_types.h>

#include "base/cleanup.h"
#include "vtpm/tpm_impl.h"

#define HINT_LIBRARY                                                                                                  \
	"an image holds it when one of its volumes has a sealed secret, or when [vtpm] names srk-name or a binding: make the image again"
#define HINT_BETWEEN "somebody between this system and its TPM alters the traffic, or the TPM was exchanged or reset under us"

static const struct tpm_rc_meaning meanings[] = {
	{ TPM2_RC_PCR_CHANGED, "pcr-changed", "a PCR was extended meanwhile", NULL },
	{ TPM2_RC_POLICY_FAIL, "policy", "the policy of the object does not hold in this state", NULL },
	{ TPM2_RC_AUTH_FAIL, "tpm-auth", "wrong PIN or authorization", NULL },
	{ TPM2_RC_BAD_AUTH, "tpm-auth", "wrong PIN or authorization", NULL },
	{ TPM2_RC_AUTH_UNAVAILABLE, "tpm-auth", "this authorization is not allowed for the object", NULL },
	{ TPM2_RC_LOCKOUT, "tpm-lockout", "too many wrong PINs: the TPM is locked out",
	  "wait for the recovery time that `cryptattest doctor` shows, or reset the lockout with its authorization" },
	{ TPM2_RC_INTEGRITY, "tpm-replaced", "the object belongs to another TPM, or the TPM was cleared",
	  "if the TPM was exchanged or cleared on purpose, enrol the volume again" },
	{ TPM2_RC_HANDLE, "tpm-handle", "the TPM has no such object", NULL },
	{ TPM2_RC_REFERENCE_H0, "tpm-session", "the TPM lost an object that we had loaded", HINT_BETWEEN },
	{ TPM2_RC_REFERENCE_H1, "tpm-session", "the TPM lost an object that we had loaded", HINT_BETWEEN },
	{ TPM2_RC_REFERENCE_S0, "tpm-session", "the TPM lost our session", HINT_BETWEEN },
	{ TPM2_RC_REFERENCE_S1, "tpm-session", "the TPM lost our session", HINT_BETWEEN },
	{ TPM2_RC_REFERENCE_S2, "tpm-session", "the TPM lost our session", HINT_BETWEEN },
	{ TPM2_RC_FAILURE, "tpm-failure", "the TPM is in failure mode", "only a reset of the machine ends failure mode" },
	{ TPM2_RC_INITIALIZE, "tpm-failure", "the TPM was not started up by the firmware", NULL },
	{ TPM2_RC_RETRY, "tpm-busy", "the TPM stays busy", NULL },
	{ TPM2_RC_YIELDED, "tpm-busy", "the TPM stays busy", NULL },
	{ TPM2_RC_TESTING, "tpm-busy", "the TPM is still testing itself", NULL },
	{ TPM2_RC_CANCELED, "tpm-busy", "the command was cancelled", NULL },
	{ TPM2_RC_NV_RATE, "tpm-busy", "the TPM limits the rate of writes", NULL },
	{ TPM2_RC_NV_UNAVAILABLE, "tpm-busy", "the TPM cannot write its storage now", NULL },
	{ TPM2_RC_OBJECT_MEMORY, "tpm-busy", "the TPM has no room for another object", NULL },
	{ TPM2_RC_SESSION_MEMORY, "tpm-busy", "the TPM has no room for another session", NULL },
	{ TPM2_RC_MEMORY, "tpm-busy", "the TPM is out of memory", NULL },
	{ TPM2_RC_SESSION_HANDLES, "tpm-busy", "the TPM has no session handle left", NULL },
	{ TPM2_RC_OBJECT_HANDLES, "tpm-busy", "the TPM has no object handle left", NULL },
	{ TPM2_RC_NV_LOCKED, "nv-locked", "the NV index is locked until the next reset", NULL },
	{ TPM2_RC_NV_AUTHORIZATION, "nv-authorization", "the NV index does not allow this access", NULL },
	{ TPM2_RC_NV_UNINITIALIZED, "nv-unwritten", "the NV index was never written", NULL },
	{ TPM2_RC_NV_SPACE, "nv-space", "the TPM has no room for another NV index", NULL },
	{ TPM2_RC_NV_DEFINED, "nv-defined", "the NV index exists already", NULL },
	{ TPM2_RC_NV_RANGE, "nv-range", "outside the NV index", NULL },
	{ TPM2_RC_NV_SIZE, "nv-range", "outside the NV index", NULL },
};

static const struct tpm_rc_meaning hmac_meaning = { TPM2_RC_AUTH_FAIL, "tpm-session", "the TPM does not accept our session's proof",
						    HINT_BETWEEN };
static const struct tpm_rc_meaning rsp_meaning = { 0, "tpm-session", "the answer is not that of the TPM we trust", HINT_BETWEEN };
static const struct tpm_rc_meaning malformed_meaning = { 0, "tpm-session", "the answer is malformed", HINT_BETWEEN };
static const struct tpm_rc_meaning io_meaning = { 0, "tpm-io", "the connection to the TPM broke", NULL };
static const struct tpm_rc_meaning silent_meaning = { 0, "tpm-io", "the TPM does not answer", NULL };
static const struct tpm_rc_meaning absent_meaning = { 0, "tpm-library", "libtss2 cannot be loaded", HINT_LIBRARY };
static const struct tpm_rc_meaning dead_meaning = { 0, "tpm-io", "the connection was given up after an earlier failure", NULL };
static const struct tpm_rc_meaning other_meaning = { 0, "tpm-rc", "unexpected answer", NULL };

bool tpm_rc_from_tpm(uint32_t rc)
{
	const uint32_t layer = rc & TSS2_RC_LAYER_MASK;

	return rc != 0 && (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER);
}

uint32_t tpm_rc_base(uint32_t rc)
{
	rc &= 0xffff;
	/* Format 1: six bits of code; bit 6 and bits 8-11 tell which parameter, handle or session. */
	return rc & TPM2_RC_FMT1 ? rc & 0xbf : rc & 0xfff;
}

bool tpm_rc_is(uint32_t rc, uint32_t base)
{
	return tpm_rc_from_tpm(rc) && tpm_rc_base(rc) == base;
}

static const struct tpm_rc_meaning *find(uint32_t base)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].code == base)
			return &meanings[i];
	return &other_meaning;
}

bool tpm_rc_busy(uint32_t rc)
{
	return tpm_rc_from_tpm(rc) && strcmp(find(tpm_rc_base(rc))->id, "tpm-busy") == 0;
}

bool tpm_rc_full(uint32_t rc)
{
	const uint32_t base = tpm_rc_base(rc);

	return tpm_rc_from_tpm(rc) && base >= TPM2_RC_OBJECT_MEMORY && base <= TPM2_RC_OBJECT_HANDLES;
}

static bool is_auth(uint32_t base)
{
	return base == TPM2_RC_AUTH_FAIL || base == TPM2_RC_BAD_AUTH;
}

/* Which session the TPM blames; what a person supplies always authorizes by the first, the salted one rides behind it. */
static unsigned int blamed_session(uint32_t rc)
{
	return (rc & TPM2_RC_FMT1) && (rc & TPM2_RC_S) && !(rc & TPM2_RC_P) ? rc >> 8 & 7 : 0;
}

const struct tpm_rc_meaning *tpm_rc_meaning(uint32_t rc, bool auth)
{
	const uint32_t layer = rc & TSS2_RC_LAYER_MASK, code = rc & 0xffff;

	if (tpm_rc_from_tpm(rc))
		return is_auth(tpm_rc_base(rc)) && (!auth || blamed_session(rc) > 1) ? &hmac_meaning : find(tpm_rc_base(rc));
	if (rc == TPM_RC_NO_ANSWER)
		return &silent_meaning;
	if (rc == TPM_RC_NO_LIBRARY && tss2_missing()) /* a TPM can say this, too */
		return &absent_meaning;
	if (rc == TSS2_ESYS_RC_BAD_SEQUENCE)
		return &dead_meaning; /* ESYS takes no command after an answer that it could not verify */
	if (layer == TSS2_TCTI_RC_LAYER)
		return code == TSS2_BASE_RC_MALFORMED_RESPONSE ? &malformed_meaning : &io_meaning;
	if (rc == TSS2_ESYS_RC_RSP_AUTH_FAILED)
		return &rsp_meaning;
	if (code == TSS2_BASE_RC_IO_ERROR || code == TSS2_BASE_RC_NO_CONNECTION)
		return &io_meaning;
	if (code == TSS2_BASE_RC_MALFORMED_RESPONSE || code == TSS2_BASE_RC_INSUFFICIENT_RESPONSE ||
	    (layer == TSS2_MU_RC_LAYER && (code == TSS2_BASE_RC_INSUFFICIENT_BUFFER || code == TSS2_BASE_RC_BAD_VALUE ||
					   code == TSS2_BASE_RC_BAD_SIZE)))
		return &malformed_meaning;
	return &other_meaning;
}

int tpm_rc_err(uint32_t rc, bool auth, const char *what, struct err **err)
{
	const struct tpm_rc_meaning *m = tpm_rc_meaning(rc, auth);
	const char *words = tss2_rc_text(rc);

	if (m == &absent_meaning)
		err_set(err, ERR_TPM, m->id, "%s: %s: %s", what, m->text, tss2_missing());
	else
		err_set(err, ERR_TPM, m->id, "%s: %s (0x%x%s%s)", what, m->text, rc, words ? ", " : "", words ? words : "");
	return m->hint ? err_hint(err, "%s", m->hint), -1 : -1;
}
