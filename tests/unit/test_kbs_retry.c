/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The table and the rotation, without time passing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "kbs/keygen.h"
#include "kbs/retry.h"

static const struct deadline never = { .at_ns = UINT64_MAX };
static uint64_t now;

static const struct kbs_verdict unreachable = { ACT_NEXT_URL, ERR_UNREACHABLE, "net-connect", NULL };
static const struct kbs_verdict odd = { ACT_NEXT_URL, ERR_INDETERMINATE, "kbs-answer", NULL };
static const struct kbs_verdict paced = { ACT_PACED, ERR_REFUSED, "kbs-attestation", NULL };
static const struct kbs_verdict stranger = { ACT_OTHER_SERVER, ERR_IDENTITY, "tls-identity", NULL };
static const struct kbs_verdict once = { ACT_HANDSHAKE_ONCE, ERR_INDETERMINATE, "kbs-token", NULL };
static const struct kbs_verdict final = { ACT_FINAL, ERR_REFUSED, "kbs-policy-deny", NULL };

/* One failure; returns the wait, or UINT64_MAX with the result's id in result. */
static char result[32];

static uint64_t note(struct retry *r, const struct kbs_verdict *v, uint64_t retry_after_ms)
{
	struct err *e = NULL;
	uint64_t wait = 0;

	err_set(&e, v->cls, v->id, "url %zu", r->cur);
	if (retry_note(r, v, retry_after_ms, now, &e, &wait))
		return wait;
	assert_non_null(e);
	snprintf(result, sizeof(result), "%s", err_id(e));
	err_free(e);
	return UINT64_MAX;
}

static void expect_near(uint64_t wait, uint64_t ms)
{
	assert_in_range(wait, ms - ms / 4, ms + ms / 4);
}

static void one_url_backs_off(void **state)
{
	static const uint64_t want[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000 };
	struct retry r;

	retry_init(&r, 1, &kbs_intervals_default, never);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		expect_near(note(&r, &odd, 0), want[i]);
	retry_free(&r);
}

/* A broker that is not there yet is found within seconds of its coming up; a network that comes up begins anew. */
static void nobody_is_spared(void **state)
{
	static const uint64_t want[] = { 1000, 2000, 4000, 5000, 5000, 5000 };
	struct retry r;

	retry_init(&r, 1, &kbs_intervals_default, never);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		expect_near(note(&r, &unreachable, 0), want[i]);
	/* It is up, and in trouble. */
	expect_near(note(&r, &odd, 0), 30000);
	expect_near(note(&r, &unreachable, 0), 5000);
	retry_new_network(&r);
	expect_near(note(&r, &unreachable, 0), 1000);
	retry_free(&r);
}

/* No evidence at the second handshake, or a transport process that died: the refusal of the first stands (exit 4, no vTPM). */
static void own_trouble_is_no_way_out_of_a_refusal(void **state)
{
	static const struct kbs_verdict own[] = { { ACT_FINAL, ERR_BUSY, "tee-busy", NULL },
						  { ACT_FINAL, ERR_NOEVIDENCE, "tee-none", NULL },
						  { ACT_FINAL, ERR_INDETERMINATE, "transport", NULL } };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		struct retry r;

		retry_init(&r, 1, &kbs_intervals_default, never);
		assert_int_equal(note(&r, &paced, 0), 5000);
		assert_int_equal(note(&r, &own[i], 0), UINT64_MAX);
		assert_string_equal(result, "kbs-attestation");
		/* A refusal that was followed by an accepted attestation is history. */
		assert_int_equal(note(&r, &paced, 0), 15000);
		retry_attested(&r);
		assert_int_equal(note(&r, &own[i], 0), UINT64_MAX);
		assert_string_equal(result, own[i].id);
		/* Nothing else than a refusal is kept. */
		note(&r, &unreachable, 0);
		assert_int_equal(note(&r, &own[i], 0), UINT64_MAX);
		assert_string_equal(result, own[i].id);
		retry_free(&r);
	}
}

/* The deadline can be moved: what was answered before the first one outweighs silence until the second (contracts.md 4). */
static void a_moved_deadline_forgets_nothing(void **state)
{
	struct retry r;

	retry_init(&r, 1, &kbs_intervals_default, never);
	note(&r, &odd, 0);
	for (int i = 0; i < 2; i++) {
		_cleanup_err_ struct err *e = NULL;

		assert_int_equal(retry_deadline(&r, &e), -1);
		assert_int_equal(err_class(e), ERR_INDETERMINATE);
		assert_string_equal(err_id(e), "kbs-answer");
		assert_string_equal(err_message(e), "the deadline passed: url 0");
		note(&r, &unreachable, 0);
	}
	retry_free(&r);
}

static void rotation_pauses_once_a_round(void **state)
{
	struct retry r;

	retry_init(&r, 3, &kbs_intervals_default, never);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(r.cur, 0);
		assert_int_equal(note(&r, &unreachable, 0), 0);
		assert_int_equal(r.cur, 1);
		assert_int_equal(note(&r, &odd, 0), 0);
		assert_int_equal(r.cur, 2);
		expect_near(note(&r, &unreachable, 0), UINT64_C(1000) << round);
	}
	retry_free(&r);
}

static void retry_after_holds_one_url_back(void **state)
{
	struct retry r;

	now = 5 * NSEC_PER_SEC;
	retry_init(&r, 1, &kbs_intervals_default, never);
	assert_int_equal(note(&r, &unreachable, 60000), 60000);
	retry_free(&r);
	retry_init(&r, 2, &kbs_intervals_default, never);
	assert_int_equal(note(&r, &unreachable, 60000), 0);
	assert_int_equal(r.cur, 1);
	for (int i = 0; i < 4; i++) {
		note(&r, &unreachable, 0);
		assert_int_equal(r.cur, 1); /* the other is not asked before its time */
	}
	now += 61 * NSEC_PER_SEC;
	note(&r, &unreachable, 0);
	assert_int_equal(r.cur, 0);
	retry_free(&r);
	/* Both: the one that is free first, when it is. */
	retry_init(&r, 2, &kbs_intervals_default, never);
	note(&r, &unreachable, 50000);
	assert_int_equal(note(&r, &unreachable, 60000), 50000);
	assert_int_equal(r.cur, 0);
	retry_free(&r);
}

static void refusals(void **state)
{
	struct retry r;

	retry_init(&r, 2, &kbs_intervals_default, never);
	assert_int_equal(note(&r, &paced, 0), 5000);
	assert_int_equal(note(&r, &paced, 0), 15000);
	assert_int_equal(note(&r, &paced, 0), 30000);
	assert_int_equal(r.cur, 0); /* the same URL */
	assert_int_equal(note(&r, &paced, 0), UINT64_MAX);
	assert_string_equal(result, "kbs-attestation");
	retry_free(&r);
}

static void gravest_counts_at_the_deadline(void **state)
{
	static const struct {
		const struct kbs_verdict *seen[3];
		const char *id;
	} cases[] = {
		{ { &unreachable, &unreachable, &unreachable }, "net-connect" },
		{ { &odd, &unreachable, &unreachable }, "kbs-answer" },
		{ { &unreachable, &once, &unreachable }, "kbs-token" },
		{ { &paced, &odd, &unreachable }, "kbs-attestation" },
		{ { &stranger, &paced, &odd }, "tls-identity" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err *e = NULL;
		struct retry r;

		retry_init(&r, 4, &kbs_intervals_default, never);
		for (size_t j = 0; j < 3; j++)
			assert_true(note(&r, cases[i].seen[j], 0) != UINT64_MAX);
		assert_int_equal(retry_deadline(&r, &e), -1);
		assert_string_equal(err_id(e), cases[i].id);
		err_free(e);
		retry_free(&r);
	}
}

static void nothing_seen(void **state)
{
	struct err *e = NULL;
	struct retry r;

	retry_init(&r, 1, &kbs_intervals_default, never);
	assert_int_equal(retry_deadline(&r, &e), -1);
	assert_int_equal(err_class(e), ERR_UNREACHABLE);
	err_free(e);
	retry_free(&r);
}

/* A request cut off by the deadline itself does not hide why the ones before it failed. */
static void deadline_hides_nothing(void **state)
{
	static const struct kbs_verdict timeout = { ACT_NEXT_URL, ERR_UNREACHABLE, "net-timeout", NULL };
	struct err *e = NULL;
	struct retry r;

	now = NSEC_PER_SEC;
	retry_init(&r, 1, &kbs_intervals_default, (struct deadline){ .at_ns = 2 * NSEC_PER_SEC });
	note(&r, &unreachable, 0);
	now = 2 * NSEC_PER_SEC;
	note(&r, &timeout, 0);
	assert_string_equal(err_id(retry_last(&r)), "net-timeout");
	retry_deadline(&r, &e);
	assert_string_equal(err_id(e), "net-connect");
	err_free(e);
	retry_free(&r);
}

static void identity(void **state)
{
	struct retry r;

	retry_init(&r, 1, &kbs_intervals_default, never);
	assert_int_equal(note(&r, &stranger, 0), UINT64_MAX);
	assert_string_equal(result, "tls-identity");
	retry_free(&r);

	/* Each of the others gets one attempt, the one before it included. */
	retry_init(&r, 3, &kbs_intervals_default, never);
	note(&r, &unreachable, 0);
	assert_int_equal(note(&r, &stranger, 0), 0);
	assert_int_equal(r.cur, 2);
	assert_true(note(&r, &unreachable, 0) != UINT64_MAX);
	assert_int_equal(r.cur, 0);
	assert_int_equal(note(&r, &unreachable, 0), UINT64_MAX);
	assert_string_equal(result, "tls-identity");
	retry_free(&r);

	retry_init(&r, 3, &kbs_intervals_default, never);
	note(&r, &stranger, 0);
	note(&r, &stranger, 0);
	assert_int_equal(note(&r, &stranger, 0), UINT64_MAX);
	retry_free(&r);
}

static void definite_answers(void **state)
{
	struct retry r;

	retry_init(&r, 2, &kbs_intervals_default, never);
	note(&r, &stranger, 0);
	assert_int_equal(note(&r, &final, 0), UINT64_MAX);
	assert_string_equal(result, "kbs-policy-deny");
	retry_free(&r);

	retry_init(&r, 2, &kbs_intervals_default, never);
	assert_int_equal(note(&r, &once, 0), 0);
	assert_int_equal(r.cur, 0);
	assert_int_equal(note(&r, &once, 0), UINT64_MAX);
	retry_begin(&r);
	assert_int_equal(note(&r, &once, 0), 0);
	retry_free(&r);
}

static void success_forgets(void **state)
{
	struct err *e = NULL;
	struct retry r;

	retry_init(&r, 2, &kbs_intervals_default, never);
	note(&r, &paced, 0);
	note(&r, &paced, 0);
	retry_attested(&r);
	assert_null(r.worst);
	assert_int_equal(note(&r, &paced, 0), 5000); /* counted afresh */
	note(&r, &odd, 0);
	retry_attested(&r);
	note(&r, &odd, 0);
	assert_non_null(r.worst); /* an attestation proves nothing about the secrets behind it */
	retry_succeeded(&r);
	assert_null(r.worst);
	retry_deadline(&r, &e);
	assert_int_equal(err_class(e), ERR_UNREACHABLE);
	err_free(e);
	retry_free(&r);
}

/* Every combination has a verdict, and only what comes from no broker at all may count as unreachable. */
static void table(void **state)
{
	static const char *const types[] = { "",	       "PolicyDeny",	"JweError",	      "PluginNotFound",
					     "AttestationError", "TokenNotFound", "PluginInternalError", "TokenVerifierError",
					     "ProtocolVersion",	 "policydeny",	"AdminAuthAccess" };
	static const unsigned int statuses[] = { 200, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503, 599, 600 };

	for (enum kbs_step step = STEP_AUTH; step <= STEP_GET; step++) {
		for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
			for (size_t s = 0; s < ARRAY_SIZE(statuses); s++) {
				struct transport_reply r = { .kind = TREPLY_ERROR, .status = statuses[s] };
				bool busy = statuses[s] / 100 == 5;
				struct kbs_verdict v;

				snprintf(r.type, sizeof(r.type), "%s", types[t]);
				v = kbs_classify(step, &r);
				assert_true(v.action != ACT_PROCEED);
				if (v.cls == ERR_UNREACHABLE)
					assert_true(busy);
				if (v.cls == ERR_REFUSED)
					assert_true(t >= 1 && t <= 4);
				if (t == 4)
					assert_int_equal(v.action == ACT_PACED, step == STEP_ATTEST);
				if (t == 6)
					assert_int_equal(v.action == ACT_REPEAT_GET, step == STEP_GET);
				if (t == 0 || t >= 8)
					assert_int_equal(v.cls, busy ? ERR_UNREACHABLE : ERR_INDETERMINATE);
			}
		}
	}
}

static void table_of_failures(void **state)
{
	static const enum err_class want[] = {
		[TFAIL_DNS] = ERR_UNREACHABLE,	     [TFAIL_CONNECT] = ERR_UNREACHABLE,	     [TFAIL_TLS] = ERR_UNREACHABLE,
		[TFAIL_IDENTITY] = ERR_IDENTITY,     [TFAIL_TIMEOUT] = ERR_UNREACHABLE,	     [TFAIL_OVERSIZE] = ERR_INDETERMINATE,
		[TFAIL_PROTOCOL] = ERR_INDETERMINATE, [TFAIL_CHILD] = ERR_INDETERMINATE,
	};

	for (enum transport_fail f = TFAIL_DNS; f <= TFAIL_CHILD; f++) {
		struct transport_reply r = { .kind = TREPLY_FAIL, .fail = f };
		struct kbs_verdict v = kbs_classify(STEP_AUTH, &r);

		assert_int_equal(v.cls, want[f]);
		assert_int_equal(v.action == ACT_FINAL, f == TFAIL_CHILD);
		assert_string_not_equal(transport_fail_name(f), "?");
	}
}

static void replies_out_of_place(void **state)
{
	for (enum kbs_step step = STEP_AUTH; step <= STEP_GET; step++) {
		for (enum transport_kind k = TREPLY_AUTH; k <= TREPLY_JWE; k++) {
			struct transport_reply r = { .kind = k };
			struct kbs_verdict v = kbs_classify(step, &r);

			assert_int_equal(v.action, (unsigned int)k == (unsigned int)step ? ACT_PROCEED : ACT_FINAL);
		}
	}
}

static void keygen(void **state)
{
	struct keygen *g = NULL;
	struct keypair *kp = NULL;
	struct err *e = NULL;
	uint64_t before;

	assert_int_equal(keygen_start(KEY_RSA_2048, &g, NULL), 0);
	assert_int_equal(keygen_take(g, never, &kp, NULL), 0);
	assert_true(keygen_ready(g));
	keygen_free(g);
	keypair_free(kp);

	/* Not ready in time, and given up at once. */
	assert_int_equal(keygen_start(KEY_RSA_4096, &g, NULL), 0);
	assert_int_equal(keygen_take(g, (struct deadline){ .at_ns = 1 }, &kp, &e), -1);
	assert_int_equal(err_class(e), ERR_TIMEOUT);
	err_clear(&e);
	before = clock_ns();
	keygen_free(g);
	assert_true(clock_ns() - before < NSEC_PER_SEC);

	clock_cancel();
	assert_int_equal(keygen_start(KEY_RSA_4096, &g, NULL), 0);
	assert_int_equal(keygen_take(g, never, &kp, &e), -1);
	assert_string_equal(err_id(e), "cancelled");
	err_free(e);
	keygen_free(g);
	clock_cancel_reset();
	keygen_free(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_url_backs_off),
		cmocka_unit_test(nobody_is_spared),
		cmocka_unit_test(rotation_pauses_once_a_round), cmocka_unit_test(a_moved_deadline_forgets_nothing), cmocka_unit_test(own_trouble_is_no_way_out_of_a_refusal),
		cmocka_unit_test(retry_after_holds_one_url_back),
		cmocka_unit_test(refusals),
		cmocka_unit_test(gravest_counts_at_the_deadline),
		cmocka_unit_test(nothing_seen),
		cmocka_unit_test(deadline_hides_nothing),
		cmocka_unit_test(identity),
		cmocka_unit_test(definite_answers),
		cmocka_unit_test(success_forgets),
		cmocka_unit_test(table),
		cmocka_unit_test(table_of_failures),
		cmocka_unit_test(replies_out_of_place),
		cmocka_unit_test(keygen),
	};

	return cmocka_run_group_tests_name("kbs_retry", tests, NULL, NULL);
}
