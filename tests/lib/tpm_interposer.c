/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "tests/lib/tpm_interposer.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vtpm/tcti_impl.h"

#define TRANSCRIPT_MAX (4u << 20)

struct wire {
	TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: what libtss2 sees */
	struct tpm_interposer *i;
	TSS2_TCTI_CONTEXT *first, *second, *now;
	uint32_t code; /* of the command under way */
	bool broken;
};

static unsigned int count_of(const struct tpm_interposer *i, uint32_t code)
{
	unsigned int n = 0;

	for (unsigned int c = 0; c < i->commands && c < ARRAY_SIZE(i->codes); c++)
		n += code == INTERPOSER_ANY || i->codes[c] == code;
	return n;
}

/* Is this command the one that a fault names? */
static bool hit(const struct wire *w, uint32_t code, unsigned int nth)
{
	return nth > 0 && (code == INTERPOSER_ANY || code == w->code) && count_of(w->i, code) == nth;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *command)
{
	struct wire *w = (struct wire *)ctx;
	struct tpm_interposer *i = w->i;
	uint8_t message[INTERPOSER_MESSAGE_MAX];

	if (w->broken || size < 10 || size > sizeof(message))
		return TSS2_TCTI_RC_IO_ERROR;
	w->code = (uint32_t)command[6] << 24 | (uint32_t)command[7] << 16 | (uint32_t)command[8] << 8 | command[9];
	if (i->commands < ARRAY_SIZE(i->codes))
		i->codes[i->commands] = w->code;
	i->commands++;
	buf_append(&i->transcript, command, size);
	if (hit(w, i->drop.code, i->drop.nth)) {
		w->broken = true;
		return TSS2_TCTI_RC_IO_ERROR;
	}
	if (hit(w, i->swap.code, i->swap.nth))
		w->now = w->second;
	memcpy(message, command, size);
	if (i->relay)
		i->relay(i, true, message, &size);
	return Tss2_Tcti_Transmit(w->now, size, message);
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	struct wire *w = (struct wire *)ctx;
	struct tpm_interposer *i = w->i;
	uint8_t message[INTERPOSER_MESSAGE_MAX];
	size_t len = sizeof(message);
	TSS2_RC rc;

	if (w->broken)
		return TSS2_TCTI_RC_IO_ERROR;
	if (!response) {
		*size = sizeof(message);
		return TSS2_RC_SUCCESS;
	}
	rc = Tss2_Tcti_Receive(w->now, &len, message, timeout);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	if (hit(w, i->lose.code, i->lose.nth)) {
		w->broken = true;
		return TSS2_TCTI_RC_IO_ERROR;
	}
	if (i->relay)
		i->relay(i, false, message, &len);
	if (hit(w, i->flip.code, i->flip.nth) && i->flip.at < len)
		message[i->flip.at] ^= i->flip.mask;
	if (i->commands <= ARRAY_SIZE(i->answer_len))
		i->answer_len[i->commands - 1] = len;
	buf_append(&i->transcript, message, len);
	if (len > *size)
		return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
	memcpy(response, message, len);
	*size = len;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *handles, size_t *count)
{
	return Tss2_Tcti_GetPollHandles(((struct wire *)ctx)->now, handles, count);
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
	return Tss2_Tcti_Cancel(((struct wire *)ctx)->now);
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
	return Tss2_Tcti_SetLocality(((struct wire *)ctx)->now, locality);
}

static void wire_close(void *tcti)
{
	struct wire *w = tcti;

	if (!w)
		return;
	if (w->first)
		w->i->first->close(w->first);
	if (w->second)
		w->i->second->close(w->second);
	free(w);
}

static void wire_closep(struct wire **w)
{
	wire_close(*w);
}

static int wire_open(const struct tpm_access *self, int root_fd, void **ret_tcti, struct err **err)
{
	struct tpm_interposer *i = (struct tpm_interposer *)self;
	_cleanup_(wire_closep) struct wire *w = calloc(1, sizeof(*w));
	void *tcti = NULL;

	if (!w)
		return err_nomem(err);
	w->i = i;
	w->common = (TSS2_TCTI_CONTEXT_COMMON_V1)TCTI_HEAD(1, cancel, set_locality);
	if (i->first->open(i->first, root_fd, &tcti, err) < 0)
		return -1;
	w->now = w->first = tcti;
	if (i->second && i->second->open(i->second, root_fd, &tcti, err) < 0)
		return -1;
	w->second = i->second ? tcti : NULL;
	*ret_tcti = TAKE_PTR(w);
	return 0;
}

static bool wire_present(const struct tpm_access *self, int root_fd)
{
	const struct tpm_interposer *i = (const struct tpm_interposer *)self;

	return i->first->present(i->first, root_fd);
}

void interposer_init(struct tpm_interposer *i, const struct tpm_access *first, const struct tpm_access *second)
{
	*i = (struct tpm_interposer){
		.access = { .name = "interposer", .open = wire_open, .close = wire_close, .present = wire_present },
		.first = first,
		.second = second,
		.transcript = BUF_INIT(TRANSCRIPT_MAX),
	};
}

void interposer_clear(struct tpm_interposer *i)
{
	buf_free(&i->transcript);
}

void interposer_rewind(struct tpm_interposer *i)
{
	buf_reset(&i->transcript);
	i->commands = 0;
}

bool interposer_saw(const struct tpm_interposer *i, const void *bytes, size_t len)
{
	if (!buf_ok(&i->transcript))
		abort(); /* cut short: it would show nothing */
	return memmem(i->transcript.data, i->transcript.len, bytes, len) != NULL;
}
