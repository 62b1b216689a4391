/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "vtpm/tpm.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "vtpm/pcr_by_hand.h"
#include "vtpm/session.h"
#include "vtpm/tpm_impl.h"

#define BUSY_FIRST_MS 5
#define BUSY_MAX_MS 500
#define BUSY_TRIES 60 /* about 25 seconds: a deadline of "never" must not mean for ever */
#define FULL_TRIES 8  /* about a second: somebody else's objects are in the way, and may go */
#define STACK_BELOW (64 * 1024)

int tpm_fail(TSS2_RC rc, const char *what, struct err **err)
{
	return tpm_rc_err(rc, false, what, err);
}

int tpm_fail_auth(TSS2_RC rc, const char *what, struct err **err)
{
	return tpm_rc_err(rc, true, what, err);
}

bool tpm_again(struct tpm *t, struct tpm_retry *r, TSS2_RC rc)
{
	if (rc == TSS2_RC_SUCCESS)
		return false;
	if (tpm_rc_is(rc, TPM2_RC_INITIALIZE) && r->tries == 0) {
		/* The firmware starts a TPM up and the kernel repeats it; where neither did, nobody measured anything either. */
		r->tries++;
		rc = t->esys ? Esys_Startup(t->esys, TPM2_SU_CLEAR) : by_hand_startup(t);
		return rc == TSS2_RC_SUCCESS || tpm_rc_is(rc, TPM2_RC_INITIALIZE);
	}
	if (!tpm_rc_busy(rc) || r->tries >= (tpm_rc_full(rc) ? FULL_TRIES : BUSY_TRIES))
		return false;
	if (r->tries++ == 0)
		r->backoff = (struct backoff){ .first_ms = BUSY_FIRST_MS, .max_ms = BUSY_MAX_MS };
	return clock_sleep_ms(backoff_next_ms(&r->backoff), t->deadline);
}

int tpm_open(const struct tpm_access *access, int root_fd, struct deadline d, struct tpm **ret, struct err **err)
{
	_cleanup_tpm_ struct tpm *t = calloc(1, sizeof(*t));
	void *tcti = NULL;
	TSS2_RC rc;

	if (!t)
		return err_nomem(err);
	t->access = access;
	t->deadline = d;
	t->primary = t->session = ESYS_TR_NONE;
	/* The library writes to stderr by itself. The programs set this before their first thread; tests come here without main(). */
	if (!getenv("TSS2_LOG") && setenv("TSS2_LOG", "all+none", 0) < 0)
		return err_nomem(err);
	if (access->open(access, root_fd, &tcti, err) < 0)
		return -1;
	t->tcti = tcti;
	t->watch = tpm_watch_new(t);
	if (!t->watch)
		return err_nomem(err);
	if (!tss2_missing()) {
		rc = Esys_Initialize(&t->esys, t->watch, NULL);
		if (rc != TSS2_RC_SUCCESS)
			return tpm_fail(rc, access->name, err);
	}
	/* No command is sent here: the first one that somebody needs tells whether the TPM answers, and starts it up if it must. */
	*ret = TAKE_PTR(t);
	return 0;
}

void tpm_close(struct tpm *t)
{
	if (!t)
		return;
	if (t->esys) {
		session_forget(t);
		Esys_Finalize(&t->esys);
	}
	free(t->watch);
	if (t->tcti)
		t->access->close(t->tcti);
	free(t);
}

void tpm_closep(struct tpm **t)
{
	tpm_close(*t);
	*t = NULL;
}

/* TPM2_FlushContext by hand: ESYS takes no command any more after an answer that it could not verify. The kernel's resource manager
 * forgets by itself when the descriptor is closed, but not every transport has one. */
static void flush_by_hand(struct tpm *t, ESYS_TR tr)
{
	uint8_t command[14] = { 0x80, 0x01, 0, 0, 0, sizeof(command), 0, 0, 0x01, 0x65 }, answer[4096];
	TPM2_HANDLE handle;
	size_t len = sizeof(answer), off = 10;

	if (Esys_TR_GetTpmHandle(t->esys, tr, &handle) != TSS2_RC_SUCCESS ||
	    Tss2_MU_UINT32_Marshal(handle, command, sizeof(command), &off) != TSS2_RC_SUCCESS ||
	    Tss2_Tcti_Transmit(t->watch, sizeof(command), command) != TSS2_RC_SUCCESS)
		return;
	Tss2_Tcti_Receive(t->watch, &len, answer, TSS2_TCTI_TIMEOUT_BLOCK);
}

void tpm_loaded_flush(struct tpm_loaded *l)
{
	TSS2_RC rc;

	if (l->tr == ESYS_TR_NONE)
		return;
	rc = l->persistent ? TSS2_RC_SUCCESS : Esys_FlushContext(l->t->esys, l->tr);
	if (rc == TSS2_ESYS_RC_BAD_SEQUENCE)
		flush_by_hand(l->t, l->tr);
	if (l->persistent || rc != TSS2_RC_SUCCESS)
		Esys_TR_Close(l->t->esys, &l->tr);
	l->tr = ESYS_TR_NONE;
}

ESYS_TR tpm_loaded_take(struct tpm_loaded *l)
{
	ESYS_TR tr = l->tr;

	l->tr = ESYS_TR_NONE;
	return tr;
}

static void scrub(void *block, const void *secret, size_t len)
{
	const size_t size = block ? malloc_usable_size(block) : 0;
	uint8_t *at = block;

	while (len > 0 && (at = memmem(at, size - (size_t)(at - (uint8_t *)block), secret, len))) {
		wipe(at, len);
		at += len;
	}
}

/* What the library's functions left below us on the stack, where they decrypt. */
__attribute__((noinline)) static void scrub_stack(void)
{
	uint8_t below[STACK_BELOW];

	wipe(below, sizeof(below));
}

void tpm_scrub(struct tpm *t, const void *secret, size_t len)
{
	TSS2_SYS_CONTEXT *sys = NULL;

	scrub(t->esys, secret, len);
	if (Esys_GetSysContext(t->esys, &sys) == TSS2_RC_SUCCESS)
		scrub(sys, secret, len);
	scrub_stack();
}

/* One query for a run of properties; those that the TPM leaves out stay zero. */
static int get_properties(struct tpm *t, uint32_t first, uint32_t *value, uint32_t count, struct err **err)
{
	_cleanup_esys_ TPMS_CAPABILITY_DATA *data = NULL;
	TPMI_YES_NO more;
	TSS2_RC rc;

	rc = TPM_CALL(t, Esys_GetCapability(t->esys, session_for(t, SESSION_AUDIT), ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_TPM_PROPERTIES,
					    first, count, &more, &data));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(rc, "asking the TPM for its properties", err);
	if (data->capability != TPM2_CAP_TPM_PROPERTIES)
		return tpm_fail(TSS2_ESYS_RC_MALFORMED_RESPONSE, "asking the TPM for its properties", err);
	memset(value, 0, count * sizeof(*value));
	for (uint32_t i = 0; i < data->data.tpmProperties.count && i < TPM2_MAX_TPM_PROPERTIES; i++) {
		const TPMS_TAGGED_PROPERTY *p = &data->data.tpmProperties.tpmProperty[i];

		if (p->property >= first && p->property - first < count)
			value[p->property - first] = p->value;
	}
	return 0;
}

int tpm_lockout(struct tpm *t, struct tpm_lockout *ret, struct err **err)
{
	uint32_t v[TPM2_PT_LOCKOUT_RECOVERY - TPM2_PT_PERMANENT + 1];

	if (get_properties(t, TPM2_PT_PERMANENT, v, ARRAY_SIZE(v), err) < 0)
		return -1;
	*ret = (struct tpm_lockout){
		.locked = (v[0] & TPMA_PERMANENT_INLOCKOUT) != 0,
		.failed = v[TPM2_PT_LOCKOUT_COUNTER - TPM2_PT_PERMANENT],
		.max_tries = v[TPM2_PT_MAX_AUTH_FAIL - TPM2_PT_PERMANENT],
		.interval_s = v[TPM2_PT_LOCKOUT_INTERVAL - TPM2_PT_PERMANENT],
		.recovery_s = v[TPM2_PT_LOCKOUT_RECOVERY - TPM2_PT_PERMANENT],
	};
	return 0;
}

/* Four characters of a property, unprintable ones as dots, padding left out. */
static void put_chars(char **out, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		const char c = (char)(v >> shift & 0xff);

		if (c != 0)
			*(*out)++ = c >= 0x20 && c < 0x7f ? c : '.';
	}
	**out = 0;
}

int tpm_info(struct tpm *t, struct tpm_info *ret, struct err **err)
{
	uint32_t v[TPM2_PT_FIRMWARE_VERSION_2 - TPM2_PT_MANUFACTURER + 1];
	char *out;

	if (get_properties(t, TPM2_PT_MANUFACTURER, v, ARRAY_SIZE(v), err) < 0)
		return -1;
	*ret = (struct tpm_info){ .firmware = { v[TPM2_PT_FIRMWARE_VERSION_1 - TPM2_PT_MANUFACTURER],
						v[TPM2_PT_FIRMWARE_VERSION_2 - TPM2_PT_MANUFACTURER] } };
	out = ret->manufacturer;
	put_chars(&out, v[0]);
	out = ret->vendor;
	for (uint32_t p = TPM2_PT_VENDOR_STRING_1; p <= TPM2_PT_VENDOR_STRING_4; p++)
		put_chars(&out, v[p - TPM2_PT_MANUFACTURER]);
	return 0;
}
