/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "http/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define MSEC_PER_SEC 1000
#define RETRY_AFTER_MAX_S 60

static const char *const fail_names[] = {
	[TFAIL_NONE] = "none",	       [TFAIL_DNS] = "dns",	      [TFAIL_CONNECT] = "connect",
	[TFAIL_TLS] = "tls",	       [TFAIL_IDENTITY] = "identity", [TFAIL_TIMEOUT] = "timeout",
	[TFAIL_OVERSIZE] = "oversize", [TFAIL_PROTOCOL] = "protocol", [TFAIL_CHILD] = "child",
};

const char *transport_fail_name(enum transport_fail f)
{
	return (size_t)f < ARRAY_SIZE(fail_names) ? fail_names[f] : "?";
}

void transport_reply_clear(struct transport_reply *r)
{
	free(r->nonce);
	free(r->hash_name);
	free(r->token);
	for (size_t i = 0; i < ARRAY_SIZE(r->jwe); i++)
		free(r->jwe[i]);
	memset(r, 0, sizeof(*r));
}

void reply_set_fail(struct transport_reply *r, enum transport_fail fail, const char *what)
{
	r->kind = TREPLY_FAIL;
	r->fail = fail;
	snprintf(r->what, sizeof(r->what), "%s", what);
}

static void encode_error(const struct transport_reply *r, const char *type, const char *detail, uint16_t seq, struct buf *out)
{
	frame_begin(out, FRAME_ERROR, seq);
	frame_put_u32(out, TAG_STATUS, r->status);
	frame_put_str(out, TAG_ERROR_TYPE, type);
	frame_put_str(out, TAG_DETAIL, detail);
	frame_put_str(out, TAG_SERVER_VERSION, r->server_version);
	frame_put_u32(out, TAG_RETRY_AFTER, (uint32_t)(r->retry_after_ms / MSEC_PER_SEC));
}

static void encode(const struct transport_reply *r, uint16_t seq, struct buf *out)
{
	switch (r->kind) {
	case TREPLY_AUTH:
		frame_begin(out, FRAME_AUTH, seq);
		frame_put_str(out, TAG_NONCE, r->nonce);
		frame_put_str(out, TAG_HASH, r->hash_name);
		break;
	case TREPLY_TOKEN:
		frame_begin(out, FRAME_TOKEN, seq);
		frame_put_str(out, TAG_TOKEN, r->token);
		break;
	case TREPLY_JWE:
		frame_begin(out, FRAME_JWE, seq);
		for (size_t i = 0; i < ARRAY_SIZE(r->jwe); i++)
			frame_put_str(out, (enum frame_tag)(TAG_JWE_PROTECTED + i), r->jwe[i]);
		break;
	case TREPLY_ERROR:
		encode_error(r, r->type, r->detail, seq, out);
		break;
	case TREPLY_FAIL:
		frame_begin(out, FRAME_FAIL, seq);
		frame_put_u32(out, TAG_CAUSE, r->fail);
		frame_put_u32(out, TAG_BYTES_SENT, r->bytes_sent);
		frame_put_str(out, TAG_WHAT, r->what);
		break;
	}
	frame_end(out);
}

void reply_encode(const struct transport_reply *r, uint16_t seq, struct buf *out)
{
	struct frame f;

	encode(r, seq, out);
	if (!buf_ok(out) || frame_decode(out->data, out->len, true, &f, NULL) < 0) {
		buf_reset(out);
		encode_error(r, "", "an answer with fields longer than any broker sends, or not printable", seq, out);
		frame_end(out);
	}
}

void reply_encode_peer(const struct transport_reply *r, uint16_t seq, struct buf *out)
{
	frame_begin(out, FRAME_PEER, seq);
	frame_put_str(out, TAG_PEER_PIN, r->peer_pin);
	frame_put_str(out, TAG_PEER_VALIDITY, r->peer_validity);
	frame_end(out);
}

static int decode_error(const struct frame *f, struct transport_reply *r, struct err **err)
{
	uint32_t after = frame_u32(f, TAG_RETRY_AFTER);

	if (after > RETRY_AFTER_MAX_S || frame_u32(f, TAG_STATUS) > 999)
		return err_set(err, ERR_INTEGRITY, "frame", "a status or a delay out of range");
	r->kind = TREPLY_ERROR;
	r->status = frame_u32(f, TAG_STATUS);
	r->retry_after_ms = (uint64_t)after * MSEC_PER_SEC;
	frame_copy(f, TAG_ERROR_TYPE, r->type, sizeof(r->type));
	frame_copy(f, TAG_DETAIL, r->detail, sizeof(r->detail));
	frame_copy(f, TAG_SERVER_VERSION, r->server_version, sizeof(r->server_version));
	return 0;
}

static int decode_fail(const struct frame *f, struct transport_reply *r, struct err **err)
{
	uint32_t cause = frame_u32(f, TAG_CAUSE);

	if (cause == TFAIL_NONE || cause >= TFAIL_CHILD)
		return err_set(err, ERR_INTEGRITY, "frame", "a failure of unknown cause %u", cause);
	r->kind = TREPLY_FAIL;
	r->fail = (enum transport_fail)cause;
	r->bytes_sent = frame_u32(f, TAG_BYTES_SENT) != 0;
	frame_copy(f, TAG_WHAT, r->what, sizeof(r->what));
	return 0;
}

int reply_decode(const struct frame *f, struct transport_reply *ret, struct err **err)
{
	bool failed = false;

	switch (f->type) {
	case FRAME_AUTH:
		ret->kind = TREPLY_AUTH;
		ret->nonce = frame_dup(f, TAG_NONCE, &failed);
		ret->hash_name = frame_dup(f, TAG_HASH, &failed);
		break;
	case FRAME_TOKEN:
		ret->kind = TREPLY_TOKEN;
		ret->token = frame_dup(f, TAG_TOKEN, &failed);
		break;
	case FRAME_JWE:
		ret->kind = TREPLY_JWE;
		for (size_t i = 0; i < ARRAY_SIZE(ret->jwe); i++)
			ret->jwe[i] = frame_dup(f, (enum frame_tag)(TAG_JWE_PROTECTED + i), &failed);
		break;
	case FRAME_ERROR:
		return decode_error(f, ret, err);
	case FRAME_FAIL:
		return decode_fail(f, ret, err);
	case FRAME_PEER:
		frame_copy(f, TAG_PEER_PIN, ret->peer_pin, sizeof(ret->peer_pin));
		frame_copy(f, TAG_PEER_VALIDITY, ret->peer_validity, sizeof(ret->peer_validity));
		break;
	default:
		return err_set(err, ERR_INTEGRITY, "frame", "a message of type %u is no reply", f->type);
	}
	return failed ? err_nomem(err) : 0;
}
