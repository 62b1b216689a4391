/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Every message parser of both sides, on the same input. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "crypto/digest.h"
#include "wire/json.h"
#include "wire/kbs_messages.h"
#include "wire/runtime_data.h"

static void check(int r, const struct err *e)
{
	if (r < 0 && err_class(e) != ERR_INTEGRITY)
		abort();
}

/* What the server keeps is what it hashes. */
static void attest(enum kbs_protocol p, const char *text, size_t size)
{
	_cleanup_err_ struct err *e = NULL;
	struct kbs_attest a;
	uint8_t hash[64];
	int r = kbs_attest_parse(p, text, size, &a, &e);

	check(r, e);
	if (r < 0)
		return;
	if (runtime_data_report_data(p, DIGEST_SHA384, a.nonce, &a.jwk, a.additional_evidence, hash, NULL) < 0 &&
	    p != KBS_0_1_0) /* which knows no EC */
		abort();
	kbs_attest_clear(&a);
}

static void challenge(const char *text, size_t size)
{
	_cleanup_err_ struct err *e = NULL;
	_cleanup_free_ char *again = NULL;
	struct kbs_challenge c, back;
	int r = kbs_challenge_parse(text, size, &c, &e);

	check(r, e);
	if (r < 0)
		return;
	if (kbs_challenge_text(c.nonce, &again, NULL) < 0 || kbs_challenge_parse(again, strlen(again), &back, NULL) < 0 ||
	    strcmp(back.nonce, c.nonce) != 0)
		abort();
	kbs_challenge_clear(&back);
	kbs_challenge_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_err_ struct err *e1 = NULL, *e2 = NULL;
	_cleanup_free_ char *token = NULL;
	const char *text = (const char *)data;
	struct kbs_error error;
	struct kbs_auth auth;

	int r;

	r = kbs_auth_parse(text, size, &auth, &e1);
	check(r, e1);
	r = kbs_token_parse(text, size, &token, &e2);
	check(r, e2);
	attest(KBS_0_4_0, text, size);
	attest(KBS_0_2_0, text, size);
	attest(KBS_0_1_0, text, size);
	challenge(text, size);
	kbs_error_parse(text, size, &error);
	for (const char *p = error.detail; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			abort();
	return 0;
}
