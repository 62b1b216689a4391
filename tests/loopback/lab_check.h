/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the cmocka programs of the lab share. Include after cmocka.h. */
#ifndef CRYPTATTEST_TESTS_LAB_CHECK_H
#define CRYPTATTEST_TESTS_LAB_CHECK_H

#include <string.h>

#include "tests/loopback/lab.h"

/* One run against the scripts named in the designated initialisers; RUN declares r. */
#define RUN(lab, ...)                            \
	struct lab_run r = { __VA_ARGS__ }; \
	lab_run(lab, &r)

static inline void expect_secret(const struct lab_run *r)
{
	if (r->result != 0)
		print_message("unexpected: %s: %s\n", err_class_name(err_class(r->err)), err_message(r->err));
	assert_int_equal(r->result, 0);
	assert_int_equal(r->server[0].counts->bad_binding, 0);
	assert_false(r->server[0].counts->foreign_header);
}

static inline void expect_error(const struct lab_run *r, enum err_class cls, const char *id)
{
	assert_int_equal(r->result, -1);
	if (err_class(r->err) != cls || strcmp(err_id(r->err), id) != 0)
		print_message("unexpected: %s %s: %s\n", err_class_name(err_class(r->err)), err_id(r->err), err_message(r->err));
	assert_int_equal(err_class(r->err), cls);
	assert_string_equal(err_id(r->err), id);
	assert_null(strstr(err_message(r->err), LAB_SECRET));
	assert_null(strstr(err_hint_text(r->err), LAB_SECRET));
}

static inline void expect_requests(const struct lab_run *r, size_t i, unsigned int auth, unsigned int attest, unsigned int get)
{
	const struct fault_counts *c = r->server[i].counts;

	assert_int_equal(c->requests[WHERE_AUTH], auth);
	assert_int_equal(c->requests[WHERE_ATTEST], attest);
	assert_int_equal(c->requests[WHERE_GET], get);
}

#endif
