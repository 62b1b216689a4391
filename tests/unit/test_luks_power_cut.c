/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The power goes while a header is being changed. Every write and sync of a real change is recorded; then every state that a disk can
 * be left in is made: all that was synced, and any of several parts of the one write that was not. In each state the header passes
 * `check` or is H2-torn, cryptsetup mends it, and the passphrase that opened the volume before opens it then. Disks that fail, and
 * disks that lie, as well.
 */
#include "tests/lib/check.h"

#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "luks/edit_impl.h"
#include "tests/headers/image.h"
#include "tests/headers/opened.h"

#define NEW_PASS "0123456789abcdef0123456789abcdef0123456789a="
#define HEADERS 32768
#define SECTOR 512
#define OPS_MAX 16

static const struct luks_policy strict = { .profile = LUKS_STRICT };

struct op {
	uint8_t *data; /* NULL: a sync */
	size_t n;
	uint64_t off;
};

struct disk {
	struct op op[OPS_MAX];
	size_t n_ops, n_writes;
	size_t fail_at;	 /* this write fails, counting from 1 */
	bool fail_ever;	 /* and all after it */
	bool lie;	 /* says yes and writes nothing */
};

static int disk_write(void *ctx, int fd, const void *data, size_t n, uint64_t off)
{
	struct disk *d = ctx;
	struct op *o = &d->op[d->n_ops++];

	assert_true(d->n_ops < OPS_MAX);
	*o = (struct op){ malloc(n), n, off };
	memcpy(o->data, data, n);
	d->n_writes++;
	if (d->fail_at && (d->n_writes == d->fail_at || (d->fail_ever && d->n_writes > d->fail_at))) {
		/* Half of it reached the disk. */
		assert_int_equal(pwrite(fd, data, n / 2, (off_t)off), n / 2);
		return -EIO;
	}
	if (!d->lie)
		assert_int_equal(pwrite(fd, data, n, (off_t)off), n);
	return 0;
}

static int disk_sync(void *ctx, int fd)
{
	struct disk *d = ctx;

	assert_true(d->n_ops < OPS_MAX - 1);
	d->op[d->n_ops++] = (struct op){ NULL, 0, 0 };
	return 0;
}

static void disk_free(struct disk *d)
{
	for (size_t i = 0; i < d->n_ops; i++)
		free(d->op[i].data);
}

/* A change of an image through this disk. */
static int change(const char *image, bool wipe, struct disk *d, bool *ret_untouched, struct err **err)
{
	_cleanup_luks_edit_ struct luks_edit *e = NULL;
	_cleanup_secret_ struct secret *s = NULL;
	const struct edit_io io = { disk_write, disk_sync, d };
	struct opened o;
	int r;

	assert_ok(secret_from(NEW_PASS, strlen(NEW_PASS), &s, &_err));
	opened_volume(&o, image);
	const struct luks_edit_params p = { .h = &o.h, .dev = &o.dev, .policy = &strict, .key = o.key };

	if (wipe)
		assert_ok(luks_edit_wipe(&p, 1, &e, &_err));
	else
		assert_ok(luks_edit_add(&p, s, -1, &e, &_err));
	r = edit_write_io(e, &io, err);
	if (ret_untouched)
		*ret_untouched = luks_edit_untouched(e);
	opened_close(&o);
	return r;
}

/* How much of the write that was under way reached the disk. */
enum tear { NONE, FIRST_SECTOR, FIRST_HALF, LAST_HALF, ODD_SECTORS, ALL_BUT_LAST, TEARS };

static bool reached(enum tear t, size_t at, size_t n)
{
	switch (t) {
	case FIRST_SECTOR:
		return at == 0;
	case FIRST_HALF:
		return at < n / 2;
	case LAST_HALF:
		return at >= n / 2;
	case ODD_SECTORS:
		return at / SECTOR % 2;
	case ALL_BUT_LAST:
		return at + SECTOR < n;
	default:
		return false;
	}
}

static void apply(int fd, const struct op *o, enum tear t)
{
	for (size_t at = 0; o->data && at < o->n; at += SECTOR)
		if (t == TEARS || reached(t, at, o->n))
			assert_int_equal(pwrite(fd, o->data + at, SECTOR, (off_t)(o->off + at)), SECTOR);
}

/* "" when the header passes, else the id of the first finding. */
static void judge(const char *image, char id[static 16])
{
	struct luks_findings f = { 0 };
	struct luks_header h = LUKS_HEADER_INIT;
	struct err *e = NULL;
	struct luks_device dev;

	image_device(image, &dev);
	luks_inspect(&dev, &strict, &h, &f, &e);
	snprintf(id, 16, "%s", err_id(e));
	err_free(e);
	luks_findings_clear(&f);
	luks_header_clear(&h);
	device_close(&dev);
}

/* What `cryptsetup repair` and `cryptsetup open` do: the slot, or negative. */
static int stock_open(const char *image, const char *pass)
{
	struct crypt_device *cd;
	int r;

	assert_int_equal(crypt_init(&cd, image_path(image)), 0);
	r = crypt_load(cd, CRYPT_LUKS2, NULL);
	if (r == 0)
		r = crypt_activate_by_passphrase(cd, NULL, CRYPT_ANY_SLOT, pass, strlen(pass), 0);
	crypt_free(cd);
	return r;
}

static void judge_state(const char *what, size_t ops, enum tear t, bool *torn)
{
	char id[16];

	judge("cut", id);
	if (strcmp(id, "") != 0 && strcmp(id, "H2-torn") != 0)
		fail_msg("%s, cut after %zu steps, tear %d: %s", what, ops, (int)t, id);
	*torn |= *id;
	if (stock_open("cut", IMAGE_PASS) != 0)
		fail_msg("%s, cut after %zu steps, tear %d: the old passphrase does not open", what, ops, (int)t);
	judge("cut", id);
	if (*id)
		fail_msg("%s, cut after %zu steps, tear %d: still %s after the repair", what, ops, (int)t, id);
}

static void cut_everywhere(const char *from, bool wipe, int last_slot)
{
	struct disk d = { 0 };
	bool torn = false;

	image_copy(from, "whole");
	assert_ok(change("whole", wipe, &d, NULL, &_err));
	assert_int_equal(d.n_writes, 3);
	assert_int_equal(d.n_ops, 6);
	for (size_t n = 0; n <= d.n_ops; n++) {
		/* A write and the sync after it: that a write is done is known only after the sync. */
		for (enum tear t = NONE; t < TEARS; t++) {
			int fd;

			if (n == d.n_ops ? t != NONE : !d.op[n].data)
				continue;
			image_copy(from, "cut");
			fd = open(image_path("cut"), O_RDWR | O_CLOEXEC);
			for (size_t i = 0; i < n; i++)
				apply(fd, &d.op[i], TEARS);
			if (n < d.n_ops)
				apply(fd, &d.op[n], t);
			close(fd);
			judge_state(wipe ? "wipe" : "add", n, t, &torn);
			/* The other passphrase opens, or it is not there: never a keyslot without its material. */
			assert_true(stock_open("cut", wipe ? IMAGE_PASS2 : NEW_PASS) == (n >= 4 ? last_slot : wipe ? 1 : -1) ||
				    (n >= 2 - (wipe ? 2 : 0) && n < 4));
		}
	}
	assert_true(torn); /* else nothing was cut */
	disk_free(&d);
}

static void test_cut_add(void **state)
{
	cut_everywhere("base", false, 1);
}

static void test_cut_wipe(void **state)
{
	cut_everywhere("two", true, -1);
}

/* A write fails once: the header is put back. It fails for good: it is torn at worst. */
static void test_write_error(void **state)
{
	for (int wipe = 0; wipe < 2; wipe++)
		for (int ever = 0; ever < 2; ever++)
			for (size_t at = 1; at <= 3; at++) {
				struct disk d = { .fail_at = at, .fail_ever = ever };
				bool untouched = false, torn = false, header = wipe ? at < 3 : at > 1;
				char id[16];

				image_copy(wipe ? "two" : "base", "cut");
				assert_fails(change("cut", wipe, &d, &untouched, &_err), ERR_DEVICE, "header-write");
				judge("cut", id);
				assert_int_equal(untouched, header ? !ever : !wipe);
				if (untouched)
					assert_string_equal(id, "");
				judge_state(wipe ? "wipe, error" : "add, error", at, NONE, &torn);
				assert_int_equal(torn, header && ever);
				disk_free(&d);
			}
}

static void test_disk_lies(void **state)
{
	for (int wipe = 0; wipe < 2; wipe++) {
		struct disk d = { .lie = true };

		image_copy(wipe ? "two" : "base", "cut");
		assert_fails(change("cut", wipe, &d, NULL, &_err), ERR_DEVICE, "header-readback");
		assert_int_equal(stock_open("cut", IMAGE_PASS), 0);
		disk_free(&d);
	}
}

static int make_images(void **state)
{
	image_format("base", "--sector-size 512");
	image_copy("base", "two");
	image_cryptsetup("luksAddKey --key-file %P --pbkdf pbkdf2 --pbkdf-force-iterations 1000 %NAME %Q", "two");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cut_add), cmocka_unit_test(test_cut_wipe),
					    cmocka_unit_test(test_write_error), cmocka_unit_test(test_disk_lies) };

	image_tool_or_skip();
	crypt_set_log_callback(NULL, NULL, NULL);
	return cmocka_run_group_tests(tests, make_images, NULL);
}
