/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The reducer over any answer, as the child runs it: a line "METHOD PATH STATUS", then the body. What it leaves travels to the
 * parent unchanged, and every step knows what to make of it. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/reply.h"
#include "kbs/classify.h"
#include "kbs/session.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct transport_reply *r)
{
	_cleanup_buf_ struct buf b = BUF_INIT(FRAME_MAX);
	struct transport_reply over = { 0 };
	struct frame f;

	reply_encode(r, 7, &b);
	must(buf_ok(&b) && frame_decode(b.data, b.len, true, &f, NULL) == 0 && reply_decode(&f, &over, NULL) == 0);
	/* A field past the frame's bounds makes an error of the answer, never another answer. */
	must(over.kind == r->kind || over.kind == TREPLY_ERROR);
	must(over.kind != TREPLY_ERROR || over.status == r->status);
	for (enum kbs_step step = STEP_AUTH; step <= STEP_GET; step++) {
		_cleanup_err_ struct err *e = NULL;
		struct kbs_verdict v = kbs_classify(step, &over);

		if (v.action == ACT_PROCEED)
			continue;
		kbs_verdict_error(&v, step, &over, &e);
		must(err_class(e) == v.cls && err_id(e)[0] && v.cls != ERR_INTERNAL);
		/* Only what no server can say makes us give up as if there were none. */
		must(v.cls != ERR_UNREACHABLE || over.status == 429 || over.status / 100 == 5);
	}
	transport_reply_clear(&over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *eol = size ? memchr(data, '\n', size < 128 ? size : 128) : NULL;
	char line[129] = "", method[8] = "GET", path[64] = "/";
	struct transport_reply r = { 0 };
	unsigned int status = 200;
	size_t n = eol ? (size_t)(eol - data) : 0, body = eol ? n + 1 : 0;

	memcpy(line, data, n);
	if (sscanf(line, "%7s %63s %3u", method, path, &status) < 3)
		status = 200;
	kbs_reduce(method, path, status % 1000, (const char *)data + body, size - body, &r);
	check(&r);
	transport_reply_clear(&r);
	return 0;
}
