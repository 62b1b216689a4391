/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What every transport of ours is made of: the device, the watch around it, and those of the tests. Nobody else includes it. */
#ifndef CRYPTATTEST_VTPM_TCTI_IMPL_H
#define CRYPTATTEST_VTPM_TCTI_IMPL_H

#include <poll.h>
#include <stdint.h>
#include <tss2/tss2_tcti.h>

/* For a transport that cannot end a command, and has locality 0 alone. */
static inline TSS2_RC tcti_no_cancel(TSS2_TCTI_CONTEXT *ctx)
{
	(void)ctx;
	return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static inline TSS2_RC tcti_locality_0(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
	(void)ctx;
	return locality == 0 ? TSS2_RC_SUCCESS : TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static inline TSS2_RC tcti_one_handle(int fd, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
	if (handles && *count < 1)
		return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
	if (handles)
		handles[0] = (TSS2_TCTI_POLL_HANDLE){ .fd = fd, .events = POLLIN };
	*count = 1;
	return TSS2_RC_SUCCESS;
}

/* The head that libtss2 sees: the file's functions of these names, and a number that tells the transport from others. */
#define TCTI_HEAD(number, cancel_, set_locality_)                                                                             \
	{                                                                                                                     \
		.magic = UINT64_C(number), .version = 1, .transmit = transmit, .receive = receive, .finalize = finalize,      \
		.cancel = cancel_, .getPollHandles = poll_handles, .setLocality = set_locality_                               \
	}

#endif
