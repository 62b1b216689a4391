/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Which files, in which order; and the certificates and keys they name. The only I/O of config/. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/text.h"
#include "config/parse.h"
#include "wire/json.h"

#define CONFIG_FILE_MAX (1024 * 1024)
#define CA_FILE_MAX (1024 * 1024) /* and a signer's key, a chip's certificates */
#define DROPINS_MAX 256

struct loader {
	int root_fd;
	struct config *config;
	unsigned int file_no;
	uint32_t *cap_pcrs; /* config_salvage(): nothing else is looked for, and no error ends it */
};

/* An absolute path starts at the root we were given, a relative one (only --config has those) at the working directory. */
static int base_of(const struct loader *l, const char **path)
{
	if (**path != '/')
		return AT_FDCWD;
	while (**path == '/')
		(*path)++;
	if (**path == '\0')
		*path = ".";
	return l->root_fd;
}

/* Returns 1 when the file was read, 0 when it is absent and may be. */
static int load_file(struct loader *l, const char *path, bool must, struct err **err)
{
	_cleanup_free_ char *text = NULL;
	struct err *why = NULL;
	const char *rel = path;
	int dir = base_of(l, &rel);
	size_t len = 0;

	if (file_read(dir, rel, CONFIG_FILE_MAX, ERR_CONFIG, &text, &len, &why) < 0) {
		if (!must && err_errno(why) == ENOENT) {
			err_free(why);
			return 0;
		}
		if (err_errno(why))
			err_set_errno(err, ERR_CONFIG, "config-read", err_errno(why), "%s", path);
		else
			err_nomem(err);
		err_free(why);
		return -1;
	}
	if (l->cap_pcrs) {
		config_salvage_text(l->config, text, len, l->cap_pcrs);
		return 1;
	}
	return config_parse_text(l->config, path, ++l->file_no, text, len, err) < 0 ? -1 : 1;
}

/* Hidden files and editors' left-overs (x.conf~, .x.conf.swp) are not ours. */
static bool is_dropin(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".conf") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_dropins(const struct loader *l, const char *dir_path, char ***ret, struct err **err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *e;
	const char *rel = dir_path;
	int base = base_of(l, &rel), fd = openat(base, rel, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names = NULL;
	bool failed = false;

	if (fd < 0 && errno == ENOENT)
		return 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		err_set_errno(err, ERR_CONFIG, "config-read", errno, "%s", dir_path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (!failed && (e = readdir(dir)))
		if (is_dropin(e->d_name))
			names = strv_append(names, e->d_name, &failed);
	if (failed || strv_len(names) > DROPINS_MAX) {
		strv_free(names);
		return failed ? err_nomem(err) :
				err_set(err, ERR_CONFIG, "config-read", "%s: more than %d drop-ins", dir_path, DROPINS_MAX);
	}
	if (names)
		qsort(names, strv_len(names), sizeof(*names), by_name);
	*ret = names;
	return 0;
}

/* DIR/cryptattest.conf and DIR/conf.d/NAME.conf; how many files there were. */
static int load_dir(struct loader *l, const char *path, struct err **err)
{
	_cleanup_free_ char *main_file = text_printf("%s/cryptattest.conf", path), *dropins = text_printf("%s/conf.d", path);
	char **names = NULL;
	int n, r = 0;

	if (!main_file || !dropins)
		return err_nomem(err);
	n = load_file(l, main_file, false, err);
	if ((n < 0 && !l->cap_pcrs) || list_dropins(l, dropins, &names, err) < 0)
		return -1;
	for (size_t i = 0; (r >= 0 || l->cap_pcrs) && names && names[i]; i++, n++) {
		_cleanup_free_ char *file = text_printf("%s/%s", dropins, names[i]);

		r = file ? load_file(l, file, true, err) : err_nomem(err);
	}
	strv_free(names);
	return r < 0 ? -1 : n;
}

static int load_given(struct loader *l, const char *path, struct err **err)
{
	_cleanup_free_ char *trimmed = text_dup(path);
	const char *rel = path;
	int base = base_of(l, &rel), n;
	struct stat st;

	if (!trimmed)
		return err_nomem(err);
	if (fstatat(base, rel, &st, 0) < 0)
		return err_set_errno(err, ERR_CONFIG, "config-read", errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return load_file(l, path, true, err);
	for (size_t len = strlen(trimmed); len > 1 && trimmed[len - 1] == '/'; len--)
		trimmed[len - 1] = '\0';
	n = load_dir(l, trimmed, err);
	if (n == 0)
		return err_set(err, ERR_CONFIG, "config-read", "%s holds neither cryptattest.conf nor conf.d/NAME.conf", path);
	return n;
}

/* A file that a key names; the path may be relative to our root only. */
static int load_named(const struct loader *l, const struct config_section *s, const char *key, const char *path, char **ret, size_t *ret_len,
		      struct err **err)
{
	_cleanup_err_ struct err *why = NULL;
	const char *rel = path;
	int base = base_of(l, &rel);

	if (file_read(base, rel, CA_FILE_MAX, ERR_CONFIG, ret, ret_len, &why) == 0)
		return 0;
	config_fail(s, key, 0, err, "%s = %.200s: cannot be read: %s", key, path, err_errno(why) ? strerror(err_errno(why)) : err_message(why));
	return err_hint(err, "put the file there, or name one that is");
}

static int load_pem(const struct loader *l, const struct config_section *s, const char *key, const char *path, const char *begin,
		    const char *what, char **ret, struct err **err)
{
	size_t len = 0;

	if (load_named(l, s, key, path, ret, &len, err) < 0)
		return -1;
	if (strlen(*ret) != len || !strstr(*ret, begin))
		return config_fail(s, key, 0, err, "%s = %.200s holds no %s in PEM form", key, path, what);
	return 0;
}

/* PEM, or DER one after the other to the last byte, as verify/ takes them; what they say is found when they are needed. */
static bool looks_like_certificates(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;

	if (strlen(text) == len && strstr(text, "-----BEGIN CERTIFICATE-----"))
		return true;
	while (len > 4 && p[0] == 0x30 && p[1] == 0x82) { /* SEQUENCE, two bytes of length: no certificate is shorter */
		size_t n = 4 + ((size_t)p[2] << 8 | p[3]);

		if (n > len)
			return false;
		p += n;
		len -= n;
		if (!len)
			return true;
	}
	return false;
}

/* What evidence/hcl_stored.h reads. */
static bool looks_like_stored_quote(const char *text, size_t len)
{
	_cleanup_json_ json_t *obj = NULL;
	const char *member;

	return json_parse(text, len, CA_FILE_MAX, false, &obj, NULL) == 0 && json_get_str(obj, "object", "hcl_report", &member, NULL) == 0 &&
	       json_get_str(obj, "object", "td_quote", &member, NULL) == 0;
}

static int load_vek(const struct loader *l, const struct config_section *s, struct config_vtpm *t, struct err **err)
{
	char *vek = NULL;

	if (load_named(l, s, "vek", t->vek, &vek, &t->vek_len, err) < 0)
		return -1;
	t->vek_data = (uint8_t *)vek;
	if (looks_like_certificates(vek, t->vek_len) || looks_like_stored_quote(vek, t->vek_len))
		return 0;
	config_fail(s, "vek", 0, err, "vek = %.200s holds neither certificates (PEM or DER) nor an evidence object with hcl_report and td_quote",
		    t->vek);
	return err_hint(err, "see binding = azure in cryptattest(8), WHICH VTPM");
}

static int load_vtpm(const struct loader *l, const struct config_section *s, struct config_vtpm *t, struct err **err)
{
	if (t->signer &&
	    load_pem(l, s, "signer", t->signer, "-----BEGIN PUBLIC KEY-----", "public key", &t->signer_pem, err) < 0)
		return -1;
	return t->vek ? load_vek(l, s, t, err) : 0;
}

static int load_named_files(const struct loader *l, struct err **err)
{
	for (struct config_section **s = l->config->sections; *s; s++) {
		struct config_kbs *k = (*s)->target;
		struct config_report *r = &l->config->report;

		if ((*s)->scope == SCOPE_AGENT && r->ca &&
		    load_pem(l, *s, "report-ca", r->ca, "-----BEGIN CERTIFICATE-----", "certificate", &r->ca_pem, err) < 0)
			return -1;
		if ((*s)->scope == SCOPE_VTPM && load_vtpm(l, *s, (*s)->target, err) < 0)
			return -1;
		if ((*s)->scope == SCOPE_KBS && k->ca &&
		    load_pem(l, *s, "ca", k->ca, "-----BEGIN CERTIFICATE-----", "certificate", &k->ca_pem, err) < 0)
			return -1;
	}
	return 0;
}

static void free_configp(struct config **c)
{
	config_free(*c);
}

static int load_all(struct loader *l, const struct config_options *options, struct err **err)
{
	int r;

	if (options->path)
		return load_given(l, options->path, err);
	r = load_file(l, VENDORCONFDIR "/cryptattest.conf", false, err);
	return r >= 0 || l->cap_pcrs ? load_dir(l, SYSCONFDIR "/cryptattest", err) : r;
}

int config_salvage(const struct config_options *options, struct config **ret, uint32_t *ret_cap_pcrs, struct err **err)
{
	_cleanup_(free_configp) struct config *c = config_new();
	_cleanup_err_ struct err *ignored = NULL;
	uint32_t pcrs = 0;
	struct loader l = { .root_fd = options->root_fd, .config = c, .cap_pcrs = &pcrs };

	if (!c)
		return err_nomem(err);
	load_all(&l, options, &ignored);
	*ret_cap_pcrs = pcrs ? pcrs : UINT32_C(1) << c->vtpm.cap_pcr;
	*ret = TAKE_PTR(c);
	return 0;
}

int config_load(const struct config_options *options, struct config **ret, struct err **err)
{
	_cleanup_(free_configp) struct config *c = config_new();
	struct loader l = { .root_fd = options->root_fd, .config = c };

	if (!c)
		return err_nomem(err);
	if (load_all(&l, options, err) < 0 || config_validate(c, options->allow_http, err) < 0 || load_named_files(&l, err) < 0)
		return -1;
	c->files = l.file_no;
	*ret = TAKE_PTR(c);
	return 0;
}

int config_need_volume(const struct config *c, const char *name, const struct config_volume **ret, struct err **err)
{
	const char *names[64] = { NULL }, *nearest;
	const struct config_volume *v = config_find_volume(c, name);

	if (v) {
		*ret = v;
		return 0;
	}
	for (size_t i = 0; c->volumes[i] && i + 1 < ARRAY_SIZE(names); i++)
		names[i] = c->volumes[i]->name;
	nearest = text_nearest(name, names);
	err_set(err, ERR_CONFIG, "volume-unknown", "no volume \"%s\" in the configuration", name);
	return nearest ? err_hint(err, "did you mean %s?", nearest) : err_hint(err, "`cryptattest config --show` lists the volumes");
}
