/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Files that were measured, found again below our root. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "unlock/predict_impl.h"

int predict_load(int dirfd, const char *path, struct predict_file *ret, struct err **err)
{
	struct predict_file f = { 0 };

	if (file_read(dirfd, path, PREDICT_FILE_MAX, ERR_CONFIG, &f.bytes, &f.len, err) < 0)
		return -1;
	snprintf(f.path, sizeof(f.path), "%s%s", dirfd == AT_FDCWD ? "" : "/", path);
	*ret = f;
	return 0;
}

void predict_file_clear(struct predict_file *f)
{
	free(f->bytes);
	*f = (struct predict_file){ 0 };
}

int predict_digest_file(const struct predictor *c, const struct predict_file *f, enum predict_digest how, uint8_t *out, struct err **err)
{
	struct pe_image pe;

	if (how == WHOLE_FILE)
		return digest_bytes(c->hash, f->bytes, f->len, out, err);
	if (pe_parse((const uint8_t *)f->bytes, f->len, &pe, err) < 0)
		return -1;
	return pe_authenticode(&pe, c->hash, out, err);
}

/* "(hd0,gpt1)/boot/x", "\EFI\debian\x.efi" -> "boot/x", "EFI/debian/x.efi"; false when it is no plain path. */
static bool relative_path(const char *name, char *out, size_t cap)
{
	const char *end;
	size_t n;

	if (*name == '(') {
		end = strchr(name, ')');
		if (!end)
			return false;
		name = end + 1;
	}
	name += strspn(name, "/\\");
	n = strlen(name);
	if (!n || n >= cap || strstr(name, "..") || strchr(name, '?'))
		return false;
	for (size_t i = 0; i <= n; i++)
		out[i] = name[i] == '\\' ? '/' : name[i];
	return true;
}

bool predict_find(const struct predictor *c, const char *name, enum predict_digest how, const uint8_t *digest, struct predict_file *ret)
{
	static const char *const places[] = { "", "boot/", "boot/efi/", "efi/" };
	struct predict_file first = { 0 };
	char rel[256], path[300];

	if (!relative_path(name, rel, sizeof(rel)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct predict_file f;
		uint8_t got[DIGEST_MAX];

		snprintf(path, sizeof(path), "%s%s", places[i], rel);
		if (predict_load(c->p->root_fd, path, &f, NULL) < 0)
			continue;
		if (digest && predict_digest_file(c, &f, how, got, NULL) == 0 && memcmp(got, digest, c->size) == 0) {
			predict_file_clear(&first);
			*ret = f;
			return true;
		}
		if (first.bytes)
			predict_file_clear(&f);
		else
			first = f;
	}
	*ret = first;
	return first.bytes;
}

static const char *last_part(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/' || *path == '\\')
			base = path + 1;
	return base;
}

bool predict_same_name(const char *measured, const char *file)
{
	return text_eq(last_part(measured), last_part(file));
}
