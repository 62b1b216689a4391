/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the parent takes for a reply, and the child for a configuration, is written again and read as the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "http/conf.h"
#include "http/reply.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void decode_written(const struct buf *b, bool from_child, struct frame *ret)
{
	must(buf_ok(b) && b->len % FRAME_PART != 0);
	must(frame_decode(b->data, b->len, from_child, ret, NULL) == 0);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void from_child(const struct frame *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);
	struct transport_reply r = { 0 }, again = { 0 };
	struct frame g;

	if (reply_decode(f, &r, NULL) < 0) {
		transport_reply_clear(&r);
		return;
	}
	if (f->type == FRAME_PEER)
		reply_encode_peer(&r, f->seq, &b);
	else
		reply_encode(&r, f->seq, &b);
	decode_written(&b, true, &g);
	must(g.type == f->type && g.seq == f->seq && reply_decode(&g, &again, NULL) == 0);
	must(again.kind == r.kind && again.status == r.status && again.fail == r.fail && again.bytes_sent == r.bytes_sent &&
	     again.retry_after_ms == r.retry_after_ms && r.retry_after_ms <= 60000);
	must(same(again.nonce, r.nonce) && same(again.hash_name, r.hash_name) && same(again.token, r.token));
	must(same(again.type, r.type) && same(again.detail, r.detail) && same(again.server_version, r.server_version));
	must(same(again.what, r.what) && same(again.peer_pin, r.peer_pin) && same(again.peer_validity, r.peer_validity));
	for (size_t i = 0; i < 5; i++)
		must(same(again.jwe[i], r.jwe[i]));
	transport_reply_clear(&r);
	transport_reply_clear(&again);
}

static void from_parent(const struct frame *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX + FRAME_PART);
	struct conf_store s, again;
	struct frame g;

	if (f->type != FRAME_CONFIG || conf_decode(f, &s, NULL) < 0)
		return;
	conf_encode(&s.conf, f->seq, &b);
	if (b.len <= FRAME_MAX) {
		decode_written(&b, false, &g);
		must(conf_decode(&g, &again, NULL) == 0);
		must(same(again.ca_pem, s.ca_pem) && same(again.proxy, s.proxy) && same(again.urls[0], s.urls[0]));
		must(again.conf.verify_time_floor == s.conf.verify_time_floor && again.conf.allow_http == s.conf.allow_http);
		conf_store_clear(&again);
	}
	conf_check(&s.conf, NULL);
	conf_store_clear(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_err_ struct err *e = NULL;
	struct frame f;

	if (frame_decode(data, size, true, &f, &e) == 0)
		from_child(&f);
	else
		must(err_class(e) == ERR_INTEGRITY);
	err_clear(&e);
	if (frame_decode(data, size, false, &f, &e) == 0)
		from_parent(&f);
	else
		must(err_class(e) == ERR_INTEGRITY);
	return 0;
}
