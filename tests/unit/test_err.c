/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void first_cause_is_kept(void **state)
{
	_cleanup_err_ struct err *e = NULL;

	assert_true(err_set(&e, ERR_REFUSED, "kbs-policy-deny", "broker said %s", "no") < 0);
	assert_string_equal(err_message(e), "broker said no");
	assert_true(err_set(&e, ERR_INTERNAL, "other", "while getting %d", 7) < 0);
	assert_string_equal(err_message(e), "while getting 7: broker said no");
	assert_int_equal(err_class(e), ERR_REFUSED);
	assert_string_equal(err_id(e), "kbs-policy-deny");
	err_set_errno(&e, ERR_DEVICE, "x", ENOENT, "again");
	assert_string_equal(err_message(e), "again: while getting 7: broker said no");
	assert_int_equal(err_errno(e), 0);
	err_nomem(&e);
	assert_int_equal(err_class(e), ERR_REFUSED);
}

static void errno_is_kept(void **state)
{
	_cleanup_err_ struct err *e = NULL;

	err_set_errno(&e, ERR_DEVICE, NULL, ENOENT, "%s: cannot open", "/dev/x");
	assert_string_equal(err_message(e), "/dev/x: cannot open: No such file or directory");
	assert_int_equal(err_errno(e), ENOENT);
	assert_string_equal(err_id(e), "");
	err_reclass(&e, ERR_CONFIG);
	assert_int_equal(err_class(e), ERR_CONFIG);
}

static void wrap_and_hint(void **state)
{
	_cleanup_err_ struct err *e = NULL;

	err_wrap(&e, "nothing to wrap");
	err_hint(&e, "no hint");
	assert_null(e);
	err_set(&e, ERR_CONFIG, "a", "b");
	err_wrap(&e, "root: header");
	err_hint(&e, "try %d\n[rule]", 1);
	err_hint(&e, "second");
	assert_string_equal(err_message(e), "root: header: b");
	assert_string_equal(err_hint_text(e), "try 1\n[rule]");
}

static void one_printable_line(void **state)
{
	_cleanup_err_ struct err *e = NULL;
	char big[6000];

	err_set(&e, ERR_CONFIG, "a", "x%sy", "\n\t\x1b[31m\xc3\xa4");
	assert_string_equal(err_message(e), "x  ?[31m??y");
	err_clear(&e);
	assert_null(e);
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	err_set(&e, ERR_CONFIG, "a", "%s", big);
	assert_int_equal(strlen(err_message(e)), 4096);
	assert_string_equal(err_message(e) + 4094, "..");
}

static void propagate(void **state)
{
	struct err *a = NULL, *b = NULL;

	assert_int_equal(err_propagate(&a, NULL), 0);
	err_set(&b, ERR_BUSY, "busy", "first");
	assert_true(err_propagate(&a, b) < 0);
	assert_ptr_equal(a, b);
	b = NULL;
	err_set(&b, ERR_CONFIG, "c", "second");
	assert_true(err_propagate(&a, b) < 0);
	assert_string_equal(err_message(a), "second: first");
	assert_int_equal(err_class(a), ERR_BUSY);
	err_free(a);
	b = NULL;
	err_set(&b, ERR_CONFIG, "c", "freed");
	assert_true(err_propagate(NULL, b) < 0);
}

static void null_is_fine(void **state)
{
	assert_true(err_set(NULL, ERR_CONFIG, "a", "b") < 0);
	assert_true(err_set_errno(NULL, ERR_CONFIG, "a", 1, "b") < 0);
	assert_true(err_nomem(NULL) < 0);
	err_free(NULL);
	err_clear(NULL);
	assert_string_equal(err_message(NULL), "no error");
	assert_string_equal(err_hint_text(NULL), "");
	assert_string_equal(err_id(NULL), "");
}

/* Out of memory is a static object: it can be freed, wrapped and hinted without effect. */
static void nomem(void **state)
{
	struct err *e = NULL;

	err_nomem(&e);
	err_wrap(&e, "x");
	err_hint(&e, "y");
	err_reclass(&e, ERR_CONFIG);
	assert_int_equal(err_class(e), ERR_NOMEM);
	assert_string_equal(err_message(e), "out of memory");
	assert_string_equal(err_id(e), "nomem");
	err_clear(&e);
	err_nomem(&e);
	assert_string_equal(err_message(e), "out of memory");
}

static void class_names(void **state)
{
	for (int c = ERR_INTERNAL; c <= ERR_BUSY; c++)
		for (int d = ERR_INTERNAL; d < c; d++)
			assert_string_not_equal(err_class_name(c), err_class_name(d));
	assert_string_equal(err_class_name(ERR_REFUSED), "refused");
	assert_string_equal(err_class_name(ERR_UNREACHABLE), "unreachable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_cause_is_kept), cmocka_unit_test(errno_is_kept), cmocka_unit_test(wrap_and_hint),
		cmocka_unit_test(one_printable_line),  cmocka_unit_test(propagate),	cmocka_unit_test(null_is_fine),
		cmocka_unit_test(nomem),	       cmocka_unit_test(class_names),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
