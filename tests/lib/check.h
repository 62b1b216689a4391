/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* cmocka with what it wants included first, and the two assertions that every test of an `int f(..., struct err **)` needs. */
#ifndef CRYPTATTEST_TESTS_CHECK_H
#define CRYPTATTEST_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"

/* The call takes &_err; the message of an unexpected failure is printed. */
#define assert_ok(call)                                                  \
	do {                                                             \
		struct err *_err = NULL;                                 \
		int _r = (call);                                         \
		if (_r < 0)                                              \
			print_message("%s: %s\n", #call, err_message(_err)); \
		err_free(_err);                                          \
		assert_int_equal(_r, 0);                                 \
	} while (0)

#define assert_fails(call, cls, id)                       \
	do {                                              \
		struct err *_err = NULL;                  \
		assert_true((call) < 0);                  \
		assert_int_equal(err_class(_err), cls);   \
		assert_string_equal(err_id(_err), id);    \
		assert_true(err_message(_err)[0] != 0);   \
		err_free(_err);                           \
	} while (0)

#endif
