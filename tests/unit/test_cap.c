/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The words of the cap (contracts.md 6): what a key broker computes must be what the agent measures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "unlock/cap.h"

static const struct cap_volume root = { "root", "6f1c2d3e-1111-4222-8333-444455556666", "aa", "kbs" };

static void event_text(void **state)
{
	/* strcmp order: capitals before small letters, the shorter of two first, whatever the locale. */
	struct cap_volume v[] = { root, { "data", "u1", "bb", "vtpm" }, { "Data", "u2", "cc", "kbs" }, { "root2", "u3", "dd", "kbs" } };
	_cleanup_buf_ struct buf b = BUF_INIT(4096), none = BUF_INIT(4096), word = BUF_INIT(256);

	assert_int_equal(cap_event(v, 4, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "cryptattest:cap:v1\nData u2 cc\ndata u1 bb\nroot 6f1c2d3e-1111-4222-8333-444455556666 aa\nroot2 u3 dd\n");
	assert_int_equal(cap_event(NULL, 0, &none, NULL), 0);
	assert_string_equal(buf_cstr(&none), "cryptattest:cap:v1\n-\n");
	assert_int_equal(cap_outcome_event("kbs+vtpm", &word, NULL), 0);
	assert_string_equal(buf_cstr(&word), "cryptattest:outcome:v1 kbs+vtpm\n");
}

/* Too many volumes are an error, never a shorter event. */
static void event_is_never_cut(void **state)
{
	struct cap_volume v[] = { root, root };
	_cleanup_err_ struct err *e = NULL;
	_cleanup_buf_ struct buf b = BUF_INIT(60);

	assert_int_equal(cap_event(v, 2, &b, &e), -1);
	assert_non_null(e);
}

static void outcome_is_the_weakest(void **state)
{
	static const struct {
		const char *a, *b, *want;
	} t[] = { { "kbs", "kbs", "kbs" },	    { "kbs+vtpm", "kbs+vtpm", "kbs+vtpm" }, { "kbs+vtpm", "kbs", "kbs" },
		  { "vtpm", "kbs", "vtpm" },	    { "kbs+vtpm", "vtpm", "vtpm" },	    { "recover", "vtpm", "recover" },
		  { "kbs", "file", "recover" },	    { "prompt", "kbs+vtpm", "recover" },    { "none", "kbs", "recover" },
		  { NULL, "kbs", "recover" } };

	assert_string_equal(cap_outcome(NULL, 0), "none");
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct cap_volume v[] = { { .source = t[i].a }, { .source = t[i].b } }, w[] = { v[1], v[0] };

		assert_string_equal(cap_outcome(v, 2), t[i].want);
		assert_string_equal(cap_outcome(w, 2), t[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(event_text), cmocka_unit_test(event_is_never_cut),
					    cmocka_unit_test(outcome_is_the_weakest) };

	log_init("test", LOGL_ERROR, false);
	return cmocka_run_group_tests_name("cap", tests, NULL, NULL);
}
