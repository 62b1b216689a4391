/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Reading the header once (procedure steps 2-3). The first 32 KiB and the keyslot areas that their JSON lists go into a sparse
 * memfd of data_offset bytes, which is then sealed; nothing is read twice, so the host cannot show two faces (A16).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fileio.h"
#include "luks/audit.h"
#include "luks/context.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define CHUNK 131072

void luks_header_clear(struct luks_header *h)
{
	if (h->memfd >= 0)
		close(h->memfd);
	json_decref(h->json);
	*h = (struct luks_header)LUKS_HEADER_INIT;
}

static int read_device(const struct luks_device *dev, void *out, size_t n, uint64_t off, struct err **err)
{
	_cleanup_err_ struct err *e = NULL;

	if (fd_pread_exact(dev->fd, out, n, off, &e) == 0)
		return 0;
	return err_set(err, ERR_DEVICE, "device-unreadable", "cannot read %zu bytes at %" PRIu64 " of %s: %s", n, off, dev->path,
		       err_message(e));
}

static int copy_area(const struct luks_device *dev, int memfd, uint64_t off, uint64_t size, struct err **err)
{
	uint8_t chunk[CHUNK];

	while (size) {
		size_t n = size < CHUNK ? (size_t)size : CHUNK;

		if (read_device(dev, chunk, n, off, err) < 0)
			return -1;
		if (pwrite(memfd, chunk, n, (off_t)off) != (ssize_t)n)
			return err_set_errno(err, ERR_INTERNAL, "memfd", errno, "cannot write the header copy");
		off += n;
		size -= n;
	}
	return 0;
}

/* Only areas that lie between the header and the data; the others are left out here and refused by H8. */
static bool area_inside(const json_t *slot, uint64_t data_offset, uint64_t *ret_off, uint64_t *ret_size)
{
	const json_t *area = json_object_get(slot, "area");

	if (!json_u64_text(json_object_get(area, "offset"), ret_off) || !json_u64_text(json_object_get(area, "size"), ret_size))
		return false;
	return *ret_off >= HDR_BOTH && *ret_off <= data_offset && *ret_size <= data_offset - *ret_off;
}

static int copy_keyslots(const struct luks_device *dev, struct luks_header *h, struct err **err)
{
	const json_t *slots = json_object_get(h->json, "keyslots");
	uint64_t off, size;
	const char *name;
	json_t *slot;

	if (json_object_size(slots) > KEYSLOTS_MAX)
		return 0; /* refused by H8; nothing of it is needed */
	json_object_foreach((json_t *)slots, name, slot) {
		if (!area_inside(slot, h->data_offset, &off, &size))
			continue;
		if (copy_area(dev, h->memfd, off, size, err) < 0)
			return err_wrap(err, "key material of keyslot %.8s", name);
		h->copied += size;
	}
	return 0;
}

static int make_copy(const struct luks_device *dev, const uint8_t *area, struct luks_header *h, struct err **err)
{
	h->memfd = memfd_create("cryptattest-header", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (h->memfd < 0)
		return err_set_errno(err, ERR_INTERNAL, "memfd", errno, "cannot create the header copy");
	if (ftruncate(h->memfd, (off_t)h->data_offset) < 0 || pwrite(h->memfd, area, HDR_BOTH, 0) != (ssize_t)HDR_BOTH)
		return err_set_errno(err, ERR_INTERNAL, "memfd", errno, "cannot write the header copy");
	h->copied = HDR_BOTH;
	if (copy_keyslots(dev, h, err) < 0)
		return -1;
	if (fcntl(h->memfd, F_ADD_SEALS, SEALS) < 0)
		return err_set_errno(err, ERR_INTERNAL, "memfd", errno, "cannot seal the header copy");
	return 0;
}

/* Findings go to a; an error is a failure to read or to copy. The copy exists when the bytes could be parsed. */
static int header_copy(struct audit *a, const struct luks_device *dev, struct luks_header *ret, struct err **err)
{
	_cleanup_free_ uint8_t *area = malloc(HDR_BOTH);
	char size[32];

	if (!area)
		return err_nomem(err);
	if (dev->size < HDR_BOTH) {
		snprintf(size, sizeof(size), "%" PRIu64 " bytes", dev->size);
		audit_fail_text(a, "H1", "device", size, "a LUKS2 header");
		return 0;
	}
	if (read_device(dev, area, HDR_BOTH, 0, err) < 0)
		return -1;
	if (!header_parse(a, area, HDR_BOTH, ret))
		return 0;
	if (dev->size < ret->data_offset) {
		snprintf(size, sizeof(size), "%" PRIu64 " bytes", dev->size);
		audit_base(a, "%s", "");
		audit_fail_text(a, "H3", "device", size, "at least the header and the keyslots");
		return 0;
	}
	return make_copy(dev, area, ret, err);
}

int luks_header_read(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret,
		     struct err **err)
{
	struct luks_findings findings = { 0 };
	struct luks_header h = LUKS_HEADER_INIT;
	struct audit a;
	int r;

	audit_init(&a, policy, &findings);
	r = header_copy(&a, dev, &h, err);
	if (r == 0)
		r = audit_result(&a, err);
	luks_findings_clear(&findings);
	if (r < 0) {
		luks_header_clear(&h);
		return r;
	}
	*ret = h;
	return 0;
}

int audit_run(const struct luks_header *h, const struct luks_device *dev, const struct luks_policy *policy,
	      struct luks_findings *findings, struct crypt_device **ret_cd, struct err **err)
{
	_cleanup_context_ struct crypt_device *cd = NULL;
	struct audit a;

	audit_init(&a, policy, findings);
	audit_json(&a, h->json, h->data_offset);
	/* A header that we would refuse anyway is not shown to the library's parser. */
	if (findings->n == 0 && audit_library(&a, h, dev, &cd, err) < 0)
		return -1;
	if (audit_result(&a, err) < 0)
		return -1;
	if (ret_cd)
		*ret_cd = TAKE_PTR(cd);
	return 0;
}

int header_inspect(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret,
		   struct luks_findings *ret_findings, struct crypt_device **ret_cd, struct err **err)
{
	struct audit a;

	*ret = (struct luks_header)LUKS_HEADER_INIT;
	*ret_findings = (struct luks_findings){ 0 };
	audit_init(&a, policy, ret_findings);
	if (header_copy(&a, dev, ret, err) < 0)
		return -1;
	if (ret->memfd < 0)
		return audit_result(&a, err);
	return audit_run(ret, dev, policy, ret_findings, ret_cd, err);
}

int luks_inspect(const struct luks_device *dev, const struct luks_policy *policy, struct luks_header *ret,
		 struct luks_findings *ret_findings, struct err **err)
{
	return header_inspect(dev, policy, ret, ret_findings, NULL, err);
}
