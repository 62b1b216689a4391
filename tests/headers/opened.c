/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/headers/image.h"
#include "tests/headers/opened.h"

static struct secret *secret_of(const char *text)
{
	struct secret *s = NULL;

	assert_int_equal(secret_from(text, strlen(text), &s, NULL), 0);
	return s;
}

int opened_unlock(struct opened *o, const char *pass, size_t min_len, int keyslot, struct err **err)
{
	_cleanup_secret_ struct secret *s = secret_of(pass);

	return luks_volume_unlock(o->v, s, min_len, keyslot, &o->key, &o->slot, err);
}

void opened_header(struct opened *o, const char *image)
{
	static const struct luks_policy compat = { .profile = LUKS_COMPAT };
	struct err *e = NULL;

	*o = (struct opened){ .slot = -1, .h = LUKS_HEADER_INIT };
	image_device(image, &o->dev);
	if (luks_header_read(&o->dev, &compat, &o->h, &e) < 0 || luks_volume_new(&o->h, &o->dev, &compat, &o->v, &e) < 0)
		fail_msg("%s: %s", image, err_message(e));
}

void opened_volume(struct opened *o, const char *image)
{
	struct err *e = NULL;

	opened_header(o, image);
	if (opened_unlock(o, IMAGE_PASS, LUKS_SECRET_MIN, -1, &e) < 0)
		fail_msg("%s: %s", image, err_message(e));
}

void opened_close(struct opened *o)
{
	luks_volume_free(o->v);
	luks_header_clear(&o->h);
	secret_free(o->key);
	device_close(&o->dev);
}
