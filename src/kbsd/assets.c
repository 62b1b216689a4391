/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
#include "kbsd/assets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fileio.h"
#include "base/log.h"
#include "base/text.h"

#define CERT_FILE_MAX (256 * 1024)
#define KEY_FILE_MAX (64 * 1024)
#define CA_FILE_MAX (1024 * 1024)
#define POLICY_FILE_MAX (4 * 1024 * 1024)

static int read_secret(int dirfd, const char *path, struct secret **ret, struct err **err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "open", errno, "%s: cannot open", path);
	if (secret_read_fd(fd, KEY_FILE_MAX, ret, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

static int load_tls(struct assets *a, struct err **err)
{
	const char *cert_path = a->paths.cert ? a->paths.cert : FILE_CERT;
	const char *key_path = a->paths.key ? a->paths.key : FILE_KEY;
	_cleanup_free_ char *cert = NULL;
	_cleanup_secret_ struct secret *key = NULL;
	SSL_CTX *ctx;
	int64_t not_after;
	char when[21];
	size_t len;

	if (file_read(a->paths.cert ? AT_FDCWD : a->dir->fd, cert_path, CERT_FILE_MAX, ERR_CONFIG, &cert, &len, err) < 0 ||
	    read_secret(a->paths.key ? AT_FDCWD : a->dir->fd, key_path, &key, err) < 0)
		return -1;
	if (certs_tls_context(cert, len, key, &ctx, &not_after, err) < 0)
		return err_wrap(err, "%s, %s", cert_path, key_path);
	text_format_time(not_after, when);
	if (not_after < (int64_t)time(NULL))
		log_warning("%s: the certificate ended %s: clients will refuse it", cert_path, when);
	else if (not_after < (int64_t)time(NULL) + 30 * 86400)
		log_warning("%s: the certificate ends %s", cert_path, when);
	SSL_CTX_free(a->tls);
	a->tls = ctx;
	return 0;
}

static int load_policy(struct assets *a, struct err **err)
{
	const char *path = a->paths.policy ? a->paths.policy : FILE_POLICY;
	_cleanup_free_ char *text = NULL;
	struct policy *p;
	size_t len;

	if (file_read(a->paths.policy ? AT_FDCWD : a->dir->fd, path, POLICY_FILE_MAX, ERR_CONFIG, &text, &len, err) < 0 ||
	    policy_parse(path, text, len, &p, err) < 0)
		return -1;
	policy_free(a->policy);
	a->policy = p;
	return 0;
}

static int load_resources(struct assets *a, size_t *ret_bad, struct err **err)
{
	_cleanup_close_ int fd = openat(a->dir->fd, DIR_RESOURCES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct store *s;

	if (fd < 0)
		return err_set_errno(err, ERR_CONFIG, "resource", errno, "%s/" DIR_RESOURCES, a->dir->path);
	if (store_load(fd, a->resources, &s, ret_bad, err) < 0)
		return -1;
	store_free(a->resources);
	a->resources = s;
	return 0;
}

/* Without --ca the file is optional: most evidence brings its own chain. */
static int load_ca(struct assets *a, struct err **err)
{
	char *text;
	size_t len;

	if (a->paths.ca) {
		if (file_read(AT_FDCWD, a->paths.ca, CA_FILE_MAX, ERR_CONFIG, &text, &len, err) < 0)
			return -1;
	} else if (statedir_has(a->dir, FILE_CA)) {
		if (file_read_regular(a->dir->fd, FILE_CA, CA_FILE_MAX, ERR_CONFIG, &text, &len, err) < 0)
			return -1;
	} else {
		text = NULL;
		len = 0;
	}
	if (text && certs_check_bundle(text, len, err) < 0) {
		free(text);
		return err_wrap(err, "%s", a->paths.ca ? a->paths.ca : FILE_CA);
	}
	free(a->ca);
	a->ca = text;
	a->ca_len = len;
	return 0;
}

static int load_token_key(struct assets *a, struct err **err)
{
	_cleanup_secret_ struct secret *pem = NULL;

	if (read_secret(a->dir->fd, FILE_TOKEN_KEY, &pem, err) < 0)
		return -1;
	if (keypair_from_pem((const char *)secret_cdata(pem), secret_len(pem), &a->token_key, err) < 0)
		return err_wrap(err, FILE_TOKEN_KEY);
	return 0;
}

static int load_anchors(struct assets *a, struct err **err)
{
	if (trust_anchors_new(&a->anchors, err) < 0)
		return -1;
	for (size_t i = 0; i < a->paths.test_roots.n; i++) {
		const char *path = a->paths.test_roots.items[i];
		_cleanup_free_ char *text = NULL;
		size_t len;

		if (file_read(AT_FDCWD, path, CA_FILE_MAX, ERR_CONFIG, &text, &len, err) < 0)
			return err_wrap(err, "--test-root");
		if (trust_anchors_add_test_root(a->anchors, text, len, err) < 0) {
			err_reclass(err, ERR_CONFIG);
			return err_wrap(err, "--test-root %s", path);
		}
	}
	return 0;
}

static int find_store_dir(struct assets *a, struct err **err)
{
	if (a->paths.store) {
		if (access(a->paths.store, R_OK | X_OK) < 0)
			return err_set_errno(err, ERR_CONFIG, "usage", errno, "--store %s", a->paths.store);
		a->store_dir = a->paths.store;
	} else if (statedir_has(a->dir, DIR_STORE)) {
		a->own_store_dir = text_printf("/proc/self/fd/%d/" DIR_STORE, a->dir->fd);
		if (!a->own_store_dir)
			return err_nomem(err);
		a->store_dir = a->own_store_dir;
	}
	return 0;
}

static void say_loaded(const struct assets *a)
{
	log_info("%zu policy rules, %zu resources", policy_rules(a->policy), store_count(a->resources));
	if (policy_rules(a->policy) == 0)
		log_warning("the policy has no rule: every request will be refused");
}

int assets_load(const struct statedir *dir, const struct assets_paths *paths, struct assets *ret, struct err **err)
{
	struct assets a = { .dir = dir, .paths = *paths };
	size_t bad = 0;

	if (load_anchors(&a, err) < 0 || load_tls(&a, err) < 0 || load_token_key(&a, err) < 0 || load_ca(&a, err) < 0 ||
	    find_store_dir(&a, err) < 0 || load_policy(&a, err) < 0 || load_resources(&a, &bad, err) < 0) {
		assets_clear(&a);
		return -1;
	}
	say_loaded(&a);
	*ret = a;
	return 0;
}

static unsigned int kept(const char *what, struct err *why)
{
	log_error("reload: %s", err_message(why));
	log_warning("reload: the earlier %s stays in force", what);
	err_free(why);
	return 1;
}

unsigned int assets_reload(struct assets *a)
{
	struct err *e = NULL;
	unsigned int bad = 0;
	size_t bad_resources = 0;

	if (load_policy(a, &e) < 0)
		bad += kept("policy", TAKE_PTR(e));
	if (load_resources(a, &bad_resources, &e) < 0)
		bad += kept("set of resources", TAKE_PTR(e));
	if (load_ca(a, &e) < 0)
		bad += kept("chain file", TAKE_PTR(e));
	if (load_tls(a, &e) < 0)
		bad += kept("certificate", TAKE_PTR(e));
	say_loaded(a);
	return bad + (unsigned int)bad_resources;
}

void assets_clear(struct assets *a)
{
	SSL_CTX_free(a->tls);
	policy_free(a->policy);
	store_free(a->resources);
	free(a->ca);
	keypair_free(a->token_key);
	trust_anchors_free(a->anchors);
	free(a->own_store_dir);
	*a = (struct assets){ 0 };
}
