/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Between ESYS and any transport: bounds the wait for an answer (ESYS waits for ever) and counts commands.
 *
 * A deadline that has passed already, and a termination that was asked for, still leave each command GRACE_MS: the cap is due then most
 * of all, and a TPM in health answers at once.
 */
#include <poll.h>
#include <stdlib.h>

#include "vtpm/tcti_impl.h"
#include "vtpm/tpm_impl.h"

#define GRACE_MS 3000
#define HANDLES_MAX 4

struct watch {
	TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: what libtss2 sees */
	struct tpm *t;
};

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *command)
{
	struct tpm *t = ((struct watch *)ctx)->t;

	t->commands++;
	return Tss2_Tcti_Transmit(t->tcti, size, command);
}

/* Until when this command may take. */
static struct deadline command_deadline(const struct tpm *t)
{
	struct deadline grace = deadline_in_ms(GRACE_MS);

	if (clock_cancelled() || t->deadline.at_ns < grace.at_ns)
		return grace;
	return t->deadline;
}

static TSS2_RC wait_for_answer(struct tpm *t)
{
	TSS2_TCTI_POLL_HANDLE p[HANDLES_MAX + 1];
	size_t n = HANDLES_MAX;
	struct deadline d = command_deadline(t);

	/* A transport that has nothing to poll blocks in its own receive. */
	if (Tss2_Tcti_GetPollHandles(t->tcti, p, &n) != TSS2_RC_SUCCESS || n == 0 || n > HANDLES_MAX)
		return TSS2_RC_SUCCESS;
	for (;;) {
		const bool cancelled = clock_cancelled();
		int ready;

		p[n] = (TSS2_TCTI_POLL_HANDLE){ .fd = cancelled ? -1 : clock_cancel_fd(), .events = POLLIN };
		ready = poll(p, n + 1, deadline_poll_ms(d));
		for (size_t i = 0; ready > 0 && i < n; i++)
			if (p[i].revents != 0)
				return TSS2_RC_SUCCESS;
		if (deadline_passed(d))
			return TPM_RC_NO_ANSWER;
		if (!cancelled && clock_cancelled())
			d = deadline_earlier(d, deadline_in_ms(GRACE_MS));
	}
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	struct tpm *t = ((struct watch *)ctx)->t;
	TSS2_RC rc = response && timeout == TSS2_TCTI_TIMEOUT_BLOCK ? wait_for_answer(t) : TSS2_RC_SUCCESS;

	return rc == TSS2_RC_SUCCESS ? Tss2_Tcti_Receive(t->tcti, size, response, timeout) : rc;
}

static TSS2_RC poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
	return Tss2_Tcti_GetPollHandles(((struct watch *)ctx)->t->tcti, handles, count);
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
	/* The transport is its opener's to close. */
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
	return Tss2_Tcti_Cancel(((struct watch *)ctx)->t->tcti);
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
	return Tss2_Tcti_SetLocality(((struct watch *)ctx)->t->tcti, locality);
}

TSS2_TCTI_CONTEXT *tpm_watch_new(struct tpm *t)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->t = t;
	w->common = (TSS2_TCTI_CONTEXT_COMMON_V1)TCTI_HEAD(0x6361747765617463, cancel, set_locality);
	return (TSS2_TCTI_CONTEXT *)w;
}
