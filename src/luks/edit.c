/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The change in the copy: libcryptsetup works on an unsealed memfd, never on the device (A15). */
#include "luks/edit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fileio.h"
#include "crypto/digest.h"
#include "luks/audit.h"
#include "luks/context.h"
#include "luks/edit_impl.h"
#include "luks/volume.h"

#define CHUNK 65536
#define OFF_SEQID 16 /* luks-untrusted-host.md 2 */
#define OFF_CSUM 448
#define CSUM_SIZE 64
#define STRIPES 4000 /* H8 */
#define NEW_KDF_HASH "sha512"
#define NEW_KDF_ITERATIONS 1000 /* S8: the passphrase holds 256 random bits */
#define NEW_AREA_CIPHER "aes-xts-plain64"
#define NEW_AREA_KEY 64 /* H7 */

static int copy_failed(struct err **err)
{
	return err_set_errno(err, ERR_INTERNAL, "memfd", errno, "cannot write the header copy");
}

static int copy_range(int from, int to, uint64_t off, uint64_t size, struct err **err)
{
	uint8_t chunk[CHUNK];

	while (size) {
		size_t n = size < CHUNK ? (size_t)size : CHUNK;

		if (fd_pread_exact(from, chunk, n, off, err) < 0)
			return err_wrap(err, "header copy");
		if (pwrite(to, chunk, n, (off_t)off) != (ssize_t)n)
			return copy_failed(err);
		off += n;
		size -= n;
	}
	return 0;
}

bool edit_area(const struct luks_header *h, const char *slot, uint64_t *ret_off, uint64_t *ret_size)
{
	const json_t *area = json_object_get(json_object_get(json_object_get(h->json, "keyslots"), slot), "area");

	return json_u64_text(json_object_get(area, "offset"), ret_off) && json_u64_text(json_object_get(area, "size"), ret_size) &&
	       *ret_off >= HDR_BOTH && *ret_off <= h->data_offset && *ret_size <= h->data_offset - *ret_off;
}

/* An unsealed copy of the sealed copy, as sparse. */
static int copy_open(const struct luks_header *h, int *ret, struct err **err)
{
	_cleanup_close_ int fd = memfd_create("cryptattest-edit", MFD_CLOEXEC);
	uint64_t off, size;
	const char *name;
	json_t *slot;

	if (fd < 0)
		return err_set_errno(err, ERR_INTERNAL, "memfd", errno, "cannot create the header copy");
	if (ftruncate(fd, (off_t)h->data_offset) < 0)
		return copy_failed(err);
	if (copy_range(h->memfd, fd, 0, HDR_BOTH, err) < 0)
		return -1;
	json_object_foreach(json_object_get(h->json, "keyslots"), name, slot) {
		if (!edit_area(h, name, &off, &size))
			return err_set(err, ERR_INTERNAL, "edit", "the header was not audited");
		if (copy_range(h->memfd, fd, off, size, err) < 0)
			return -1;
	}
	*ret = TAKE_FD(fd);
	return 0;
}

/*
 * The copies' sequence number becomes the old one plus one, however often the library wrote: a second copy that is older by one is
 * what check and `cryptsetup repair` know as an interrupted change (H2-torn); any other distance is refused.
 */
static int set_seqid(int fd, const struct luks_header *old, struct err **err)
{
	_cleanup_free_ uint8_t *p = malloc(HDR_SIZE);
	uint8_t md[DIGEST_MAX], seqid[8];

	if (!p)
		return err_nomem(err);
	if (fd_pread_exact(old->memfd, seqid, sizeof(seqid), OFF_SEQID, err) < 0)
		return -1;
	for (int i = 7; i >= 0 && ++seqid[i] == 0; i--)
		;
	for (uint64_t off = 0; off < HDR_BOTH; off += HDR_SIZE) {
		if (fd_pread_exact(fd, p, HDR_SIZE, off, err) < 0)
			return -1;
		memcpy(p + OFF_SEQID, seqid, sizeof(seqid));
		memset(p + OFF_CSUM, 0, CSUM_SIZE);
		if (digest_bytes(DIGEST_SHA256, p, HDR_SIZE, md, err) < 0)
			return -1;
		memcpy(p + OFF_CSUM, md, 32);
		if (pwrite(fd, p, HDR_SIZE, (off_t)off) != (ssize_t)HDR_SIZE)
			return copy_failed(err);
	}
	return 0;
}

/* The area is some bytes longer than the split key; the rest looks like it, as after luksFormat. */
static int fill_tail(int fd, uint64_t off, uint64_t size, size_t key_len, struct err **err)
{
	uint64_t used = ((uint64_t)key_len * STRIPES + 511) / 512 * 512;
	uint8_t tail[4096];

	if (size < used || size - used > sizeof(tail))
		return err_set(err, ERR_INTEGRITY, "edit", "libcryptsetup made a keyslot area of %" PRIu64 " bytes", size);
	if (random_bytes(tail, size - used, err) < 0)
		return -1;
	if (pwrite(fd, tail, size - used, (off_t)(off + used)) != (ssize_t)(size - used))
		return copy_failed(err);
	return 0;
}

/* The copy goes through the same door as a device: read, audited, sealed. */
static int take_new_header(struct luks_edit *e, int fd, struct err **err)
{
	_cleanup_luks_volume_ struct luks_volume *v = NULL;
	struct luks_device copy = *e->p.dev;

	copy.fd = fd;
	if (luks_header_read(&copy, e->p.policy, &e->h, err) < 0 || luks_volume_new(&e->h, e->p.dev, e->p.policy, &v, err) < 0)
		return err_wrap(err, "the changed header does not pass the audit; nothing was written");
	return 0;
}

static int library_error(int r, const char *what, struct err **err)
{
	return err_set_errno(err, ERR_INTERNAL, "libcryptsetup", -r, "cannot %s a keyslot", what);
}

static int library_add(struct crypt_device *cd, int slot, const struct secret *key, const struct secret *passphrase,
		       struct err **err)
{
	const struct crypt_pbkdf_type kdf = { .type = CRYPT_KDF_PBKDF2,
					      .hash = NEW_KDF_HASH,
					      .iterations = NEW_KDF_ITERATIONS,
					      .flags = CRYPT_PBKDF_NO_BENCHMARK };
	int r = crypt_set_pbkdf_type(cd, &kdf);

	/* Else a volume with a 32-byte key would get keyslots of its own cipher. Volumes with integrity refuse the call, and have this
	 * cipher anyway; the audit (H8) judges the outcome. */
	if (r == 0)
		crypt_keyslot_set_encryption(cd, NEW_AREA_CIPHER, NEW_AREA_KEY);
	if (r == 0)
		r = crypt_keyslot_add_by_volume_key(cd, slot, (const char *)secret_cdata(key), secret_len(key),
						    (const char *)secret_cdata(passphrase), secret_len(passphrase));
	if (r == -EINVAL || r == -ENOSPC)
		return err_set_errno(err, ERR_INTEGRITY, "edit", -r, "libcryptsetup finds no room for another keyslot");
	return r < 0 ? library_error(r, "add", err) : 0;
}

static int choose_keyslot(const struct luks_header *h, int wanted, int *ret, struct err **err)
{
	const json_t *slots = json_object_get(h->json, "keyslots");
	char name[16];

	if (wanted >= LUKS_KEYSLOTS_MAX)
		return err_set(err, ERR_CONFIG, "keyslot-number", "keyslot %d: LUKS2 numbers them 0 to %d", wanted, LUKS_KEYSLOTS_MAX - 1);
	if (json_object_size(slots) >= KEYSLOTS_MAX) {
		err_set(err, ERR_CONFIG, "keyslots-full", "the volume has %d keyslots, no more are taken (H8)", KEYSLOTS_MAX);
		return err_hint(err, "remove one that is no longer needed: cryptattest wipe VOLUME --keyslot N");
	}
	for (int i = wanted >= 0 ? wanted : 0; i < LUKS_KEYSLOTS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (!json_object_get(slots, name)) {
			*ret = i;
			return 0;
		}
		if (wanted >= 0)
			break;
	}
	err_set(err, ERR_CONFIG, "keyslot-taken", "keyslot %d is in use", wanted);
	return err_hint(err, "leave --keyslot out: the first free one is taken");
}

static struct luks_edit *edit_new(const struct luks_edit_params *p, bool wipe, struct err **err)
{
	struct luks_edit *e = calloc(1, sizeof(*e));

	if (!e) {
		err_nomem(err);
		return NULL;
	}
	*e = (struct luks_edit){ .p = *p, .wipe = wipe, .keyslot = -1, .h = LUKS_HEADER_INIT, .fd = -1, .lock = -1 };
	return e;
}

/* The passphrase opens the new keyslot, and what it opens is the key that we gave. */
static int try_passphrase(const struct luks_edit *e, const struct secret *passphrase, struct err **err)
{
	_cleanup_luks_volume_ struct luks_volume *v = NULL;
	_cleanup_secret_ struct secret *key = NULL;
	int slot;

	if (luks_volume_new(&e->h, e->p.dev, e->p.policy, &v, err) < 0 ||
	    luks_volume_unlock(v, passphrase, LUKS_SECRET_MIN, e->keyslot, &key, &slot, err) < 0)
		return err_wrap(err, "the new keyslot was tried before it is written");
	if (!secret_equal(key, e->p.key))
		return err_set(err, ERR_INTEGRITY, "edit", "the new keyslot holds another volume key");
	return 0;
}

/* libcryptsetup works on the copy; its context is gone when the copy is read back. */
static int change_copy(struct luks_edit *e, int fd, const struct secret *passphrase, struct err **err)
{
	_cleanup_context_ struct crypt_device *cd = NULL;
	struct luks_header writable = { .memfd = fd };
	int r;

	if (context_open(&writable, e->p.dev->path, &cd, err) < 0)
		return -1;
	if (!e->wipe) {
		if (library_add(cd, e->keyslot, e->p.key, passphrase, err) < 0)
			return -1;
		r = crypt_keyslot_area(cd, e->keyslot, &e->area_off, &e->area_size);
		if (r < 0)
			return library_error(r, "find", err);
		return fill_tail(fd, e->area_off, e->area_size, secret_len(e->p.key), err);
	}
	r = crypt_keyslot_destroy(cd, e->keyslot);
	return r < 0 ? library_error(r, "remove", err) : 0;
}

static int make_change(struct luks_edit *e, const struct secret *passphrase, struct err **err)
{
	_cleanup_close_ int fd = -1;

	if (copy_open(e->p.h, &fd, err) < 0 || change_copy(e, fd, passphrase, err) < 0 || set_seqid(fd, e->p.h, err) < 0 ||
	    take_new_header(e, fd, err) < 0)
		return -1;
	return edit_check(e, err);
}

int luks_edit_add(const struct luks_edit_params *p, const struct secret *passphrase, int keyslot, struct luks_edit **ret,
		  struct err **err)
{
	_cleanup_luks_edit_ struct luks_edit *e = edit_new(p, false, err);

	if (!e || choose_keyslot(p->h, keyslot, &e->keyslot, err) < 0)
		return -1;
	if (make_change(e, passphrase, err) < 0 || try_passphrase(e, passphrase, err) < 0)
		return -1;
	*ret = TAKE_PTR(e);
	return 0;
}

int luks_edit_wipe(const struct luks_edit_params *p, int keyslot, struct luks_edit **ret, struct err **err)
{
	_cleanup_luks_edit_ struct luks_edit *e = edit_new(p, true, err);
	char name[16];

	if (!e)
		return -1;
	e->keyslot = keyslot;
	snprintf(name, sizeof(name), "%d", keyslot);
	if (!edit_area(p->h, name, &e->area_off, &e->area_size)) {
		err_set(err, ERR_INTEGRITY, "keyslot-absent", "the header has no keyslot %d", keyslot);
		return err_hint(err, "`cryptattest check` lists those there are");
	}
	if (json_object_size(json_object_get(p->h->json, "keyslots")) < 2)
		return err_set(err, ERR_CONFIG, "keyslot-last", "keyslot %d is the last one: without it nothing opens the volume", keyslot);
	if (make_change(e, NULL, err) < 0)
		return -1;
	*ret = TAKE_PTR(e);
	return 0;
}

bool luks_edit_untouched(const struct luks_edit *e)
{
	return !e->touched;
}

int luks_edit_keyslot(const struct luks_edit *e)
{
	return e->keyslot;
}

const struct luks_header *luks_edit_header(const struct luks_edit *e)
{
	return &e->h;
}

void luks_edit_free(struct luks_edit *e)
{
	if (!e)
		return;
	luks_header_clear(&e->h);
	if (e->fd >= 0)
		close(e->fd);
	if (e->lock >= 0)
		close(e->lock);
	free(e);
}

void luks_edit_freep(struct luks_edit **e)
{
	luks_edit_free(*e);
	*e = NULL;
}
