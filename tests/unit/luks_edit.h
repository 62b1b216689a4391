/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the tests of header changes share. */
#ifndef CRYPTATTEST_TESTS_UNIT_LUKS_EDIT_H
#define CRYPTATTEST_TESTS_UNIT_LUKS_EDIT_H

#include "tests/lib/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "luks/edit_impl.h"
#include "tests/headers/image.h"
#include "tests/headers/opened.h"

#define NEW_PASS "0123456789abcdef0123456789abcdef0123456789a="

__attribute__((unused)) static const struct luks_policy strict = { .profile = LUKS_STRICT }, compat = { .profile = LUKS_COMPAT };

static inline struct secret *new_pass(void)
{
	struct secret *s = NULL;

	assert_ok(secret_from(NEW_PASS, strlen(NEW_PASS), &s, &_err));
	return s;
}

static inline struct luks_edit_params params(const struct opened *o, const struct luks_policy *policy)
{
	return (struct luks_edit_params){ .h = &o->h, .dev = &o->dev, .policy = policy, .key = o->key };
}

static inline int add(const struct opened *o, const struct luks_policy *policy, int keyslot, struct luks_edit **ret, struct err **err)
{
	const struct luks_edit_params p = params(o, policy);
	_cleanup_secret_ struct secret *s = new_pass();

	return luks_edit_add(&p, s, keyslot, ret, err);
}

/* Slot that this passphrase opens, by our own path; -1 none. */
static inline int opens(const char *image, const char *pass)
{
	struct opened o;
	struct err *e = NULL;
	int slot;

	opened_header(&o, image);
	if (opened_unlock(&o, pass, 1, -1, &e) < 0)
		assert_string_equal(err_id(e), "badkey");
	slot = o.slot;
	err_free(e);
	opened_close(&o);
	return slot;
}

static inline uint8_t *whole(const char *image)
{
	int fd = open(image_path(image), O_RDONLY | O_CLOEXEC);
	uint8_t *p = malloc(IMAGE_SIZE);

	assert_non_null(p);
	assert_int_equal(pread(fd, p, IMAGE_SIZE, 0), IMAGE_SIZE);
	close(fd);
	return p;
}

#endif
